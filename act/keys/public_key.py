"""Public keys: the strict check of the key itself, once, and of signatures, always.

The rule for Ed25519 (ACT-KEY-01): the key A is the canonical encoding of a point of prime order; the signature is R || S with
S < L, and R equals the encoding of S*B - k*A, with k = SHA-512(R || A || message), the equation without cofactor. As A and B
have prime order, the right side has prime order too or is the identity, and it is encoded canonically; libsodium refuses the
identity as a low-order R. So R is canonical and of prime order as well, and no two honest verifiers can disagree.

The rule for P-256: the key is an uncompressed point on the curve (the cofactor is 1, so its order is prime), the signature is
r || s, 32 bytes each, both from 1 to n - 1. (r, s) and (r, n - s) both verify: KMSs and phones make both. So nothing may depend
on the bytes of a signature; what identifies an object is the hash of what was signed.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import lru_cache
from typing import ClassVar, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey as _LibraryEd25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from nacl.bindings import crypto_core_ed25519_is_valid_point, crypto_sign_open
from nacl.exceptions import BadSignatureError

from act.errors import Refused
from act.keys.algorithms import SIGNATURE_SIZE, Algorithm, BadSignature
from act.wire.base64url import base64url_encode

__all__ = ["CACHE_SIZE", "Ed25519PublicKey", "P256PublicKey", "PublicKey"]

CACHE_SIZE: Final = 4096
"""How many checked keys of each algorithm are kept; the least recently used one goes first."""

# Labels and values of a COSE_Key, RFC 9052 7 and RFC 9053 7.
_KTY, _CRV, _X, _Y = 1, -1, -2, -3
_OKP, _EC2 = 1, 2
_CRV_P256, _CRV_ED25519 = 1, 6
_COORDINATE_SIZE: Final = 32
_INTEGERS: Final = [int] * 4

# Deterministic CBOR of the required members up to the first coordinate, and between the two (RFC 9679 3).
_ED25519_THUMBPRINT: Final = bytes.fromhex("a3 0101 2006 215820")
_P256_THUMBPRINT: Final = bytes.fromhex("a4 0102 2001 215820"), bytes.fromhex("225820")

_CURVE: Final = ec.SECP256R1()
_ECDSA: Final = ec.ECDSA(SHA256())


@dataclass(frozen=True, slots=True, repr=False)
class PublicKey(ABC):
    """A public key that passed its check: whoever holds one need not check it again.

    `raw` is its one encoding (32 bytes for Ed25519; 65 bytes, uncompressed, for P-256) and decides equality; `kid` is the
    32-byte SHA-256 COSE key thumbprint (RFC 9679). Immutable and safe to share between threads.
    """

    raw: bytes
    kid: bytes = field(init=False, compare=False)
    alg: ClassVar[Algorithm]

    @property
    @abstractmethod
    def cose_key(self) -> dict[int, int | bytes]:
        """The COSE_Key with exactly its required members, a new dict each time; it stands in the claim `cnf`."""

    @property
    @abstractmethod
    def pem(self) -> str:
        """The key as PEM text, SubjectPublicKeyInfo, ending in a newline: as openssl writes it."""

    @abstractmethod
    def to_jwk(self) -> dict[str, str]:
        """The key as a JWK (RFC 7517, RFC 8037) with exactly its public members, a new dict each time."""

    @abstractmethod
    def verify(self, message: bytes, signature: bytes) -> None:
        """Return if `signature` (64 bytes, raw) is this key's signature of `message`; otherwise raise `BadSignature`."""

    @staticmethod
    def from_cose_key(value: object, where: str) -> PublicKey:
        """The key a decoded COSE_Key holds. Only the required members may be there, each with its exact type and length.

        Raises Refused: `claim_invalid` (ACT-ENV-07) for a wrong shape, an unknown member or another kind of key, a compressed
        P-256 point among them; `key_invalid` (ACT-KEY-01) for coordinates that are no valid point.
        """
        # True and 1.0 equal 1 as a dict key: a label must be exactly an integer.
        if type(value) is dict and 3 <= (size := len(value)) <= 4 and [*map(type, value)] == _INTEGERS[:size]:
            kty, crv, x = value.get(_KTY), value.get(_CRV), value.get(_X)
            if type(kty) is int and type(crv) is int and type(x) is bytes and len(x) == _COORDINATE_SIZE:
                if kty == _OKP and crv == _CRV_ED25519 and size == 3:
                    return Ed25519PublicKey.from_raw(x, where)
                y = value.get(_Y)
                if kty == _EC2 and crv == _CRV_P256 and type(y) is bytes and len(y) == _COORDINATE_SIZE:
                    return P256PublicKey.from_raw(b"\x04" + x + y, where)
        raise Refused("claim_invalid", where)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(kid={self.kid.hex()})"

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.raw,)  # unpickling checks the key again


def _spki_pem(key: _LibraryEd25519PublicKey | ec.EllipticCurvePublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")


@dataclass(frozen=True, slots=True, repr=False)
class Ed25519PublicKey(PublicKey):
    """An Ed25519 key: the canonical encoding of a point of prime order."""

    alg: ClassVar[Algorithm] = Algorithm.ED25519

    def __post_init__(self) -> None:
        raw = self.raw
        if type(raw) is not bytes or len(raw) != _COORDINATE_SIZE or not crypto_core_ed25519_is_valid_point(raw):
            raise Refused("key_invalid")
        object.__setattr__(self, "kid", hashlib.sha256(_ED25519_THUMBPRINT + raw).digest())

    @classmethod
    def from_raw(cls, raw: bytes, where: str = "") -> Ed25519PublicKey:
        """The key with this 32-byte encoding (RFC 8032 5.1.2), from the cache where it passed before.

        Raises Refused: `key_invalid` (ACT-KEY-01) unless it is the canonical encoding of a point of prime order.
        """
        if type(raw) is not bytes:
            raise Refused("key_invalid", where)
        try:
            return _checked_ed25519(raw)
        except Refused:
            raise Refused("key_invalid", where) from None

    @property
    def cose_key(self) -> dict[int, int | bytes]:
        """{1: 1, -1: 6, -2: x}, a new dict each time."""
        return {_KTY: _OKP, _CRV: _CRV_ED25519, _X: self.raw}

    @property
    def pem(self) -> str:
        """See `PublicKey.pem`."""
        return _spki_pem(_LibraryEd25519PublicKey.from_public_bytes(self.raw))

    def to_jwk(self) -> dict[str, str]:
        """See `PublicKey.to_jwk`."""
        return {"kty": "OKP", "crv": "Ed25519", "x": base64url_encode(self.raw)}

    def verify(self, message: bytes, signature: bytes) -> None:
        """Return if `signature` (R || S, 64 bytes) is this key's signature of `message`; otherwise raise `BadSignature`."""
        # The length check also keeps a short signature from borrowing bytes of the message.
        if type(signature) is not bytes or len(signature) != SIGNATURE_SIZE:
            raise BadSignature
        try:
            crypto_sign_open(signature + message, self.raw)
        except BadSignatureError:
            raise BadSignature from None


@dataclass(frozen=True, slots=True, repr=False)
class P256PublicKey(PublicKey):
    """A P-256 key for ES256: a point on the curve, uncompressed."""

    alg: ClassVar[Algorithm] = Algorithm.ES256
    _point: ec.EllipticCurvePublicKey = field(init=False, compare=False)

    def __post_init__(self) -> None:
        raw = self.raw
        if type(raw) is not bytes or len(raw) != 1 + 2 * _COORDINATE_SIZE or raw[0] != 4:
            raise Refused("key_invalid")
        try:
            point = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, raw)
        except ValueError:
            raise Refused("key_invalid") from None
        before_x, before_y = _P256_THUMBPRINT
        members = before_x + raw[1:33] + before_y + raw[33:]
        object.__setattr__(self, "_point", point)
        object.__setattr__(self, "kid", hashlib.sha256(members).digest())

    @classmethod
    def from_raw(cls, raw: bytes, where: str = "") -> P256PublicKey:
        """The key with this 65-byte uncompressed encoding (SEC 1 2.3.3), from the cache where it passed before.

        Raises Refused: `key_invalid` (ACT-KEY-01) unless it is 04 || x || y of a point on the curve.
        """
        if type(raw) is not bytes:
            raise Refused("key_invalid", where)
        try:
            return _checked_p256(raw)
        except Refused:
            raise Refused("key_invalid", where) from None

    @property
    def cose_key(self) -> dict[int, int | bytes]:
        """{1: 2, -1: 1, -2: x, -3: y}, a new dict each time."""
        return {_KTY: _EC2, _CRV: _CRV_P256, _X: self.raw[1:33], _Y: self.raw[33:]}

    @property
    def pem(self) -> str:
        """See `PublicKey.pem`."""
        return _spki_pem(self._point)

    def to_jwk(self) -> dict[str, str]:
        """See `PublicKey.to_jwk`."""
        return {"kty": "EC", "crv": "P-256", "x": base64url_encode(self.raw[1:33]), "y": base64url_encode(self.raw[33:])}

    def verify(self, message: bytes, signature: bytes) -> None:
        """Return if `signature` (r || s, s high or low) is this key's of `message`; otherwise raise `BadSignature`."""
        if type(signature) is not bytes or len(signature) != SIGNATURE_SIZE:
            raise BadSignature
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        try:
            self._point.verify(encode_dss_signature(r, s), message, _ECDSA)
        except InvalidSignature:
            raise BadSignature from None


# lru_cache is bounded and safe between threads, and it does not keep calls that raised: only keys that passed are in it.


@lru_cache(maxsize=CACHE_SIZE)
def _checked_ed25519(raw: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey(raw)


@lru_cache(maxsize=CACHE_SIZE)
def _checked_p256(raw: bytes) -> P256PublicKey:
    return P256PublicKey(raw)

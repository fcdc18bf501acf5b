"""Key pairs whose secret lives in this process. Keys that live elsewhere implement `Signer` instead."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, KeySerializationEncryption, PrivateFormat, PublicFormat
from nacl.bindings import crypto_sign, crypto_sign_seed_keypair

from act.errors import InvalidCall
from act.keys.algorithms import SIGNATURE_SIZE, Algorithm
from act.keys.public_key import Ed25519PublicKey, P256PublicKey, PublicKey

__all__ = ["KeyPair"]

_SEED_SIZE: Final = 32
_P256_ORDER: Final = 0xFFFFFFFF_00000000_FFFFFFFF_FFFFFFFF_BCE6FAAD_A7179E84_F3B9CAC2_FC632551


def _signing_scheme() -> ec.ECDSA:
    """ECDSA with the nonce of RFC 6979, or with a random one where the installed OpenSSL is older than 3.2."""
    try:
        return ec.ECDSA(SHA256(), deterministic_signing=True)
    except UnsupportedAlgorithm:
        return ec.ECDSA(SHA256())


_ECDSA: Final = _signing_scheme()


class KeyPair:
    """A secret key and its public key; meets `Signer`. Safe to share between threads.

    The secret is in no repr, no public attribute and no pickle; it leaves only through `private_pem` and `save_private`.
    """

    __slots__ = ("_private", "_public", "_sign")

    def __init__(self, private: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> None:
        """Wrap a private key object; callers outside this package use `generate` or `load_private`."""
        self._private: Final = private
        self._public: PublicKey
        self._sign: Callable[[bytes], bytes]
        if isinstance(private, Ed25519PrivateKey):
            raw, secret = crypto_sign_seed_keypair(private.private_bytes_raw())
            self._public = Ed25519PublicKey.from_raw(raw)
            self._sign = lambda message: crypto_sign(message, secret)[:SIGNATURE_SIZE]
        else:
            point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
            self._public = P256PublicKey.from_raw(point)
            self._sign = lambda message: _low_s(private.sign(message, _ECDSA))

    @classmethod
    def generate(cls, alg: Algorithm | str = Algorithm.ED25519) -> KeyPair:
        """A new key pair from the operating system's randomness.

        Raises InvalidCall: `call_invalid` for an algorithm that is not in the table.
        """
        if _algorithm(alg) is Algorithm.ED25519:
            return cls(Ed25519PrivateKey.from_private_bytes(secrets.token_bytes(_SEED_SIZE)))
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def unsafe_from_seed(cls, seed: bytes, alg: Algorithm | str = Algorithm.ED25519) -> KeyPair:
        """The same key pair for the same 32 bytes: for tests and published vectors, never for money.

        The seed is the secret key itself: RFC 8032's 32 bytes for Ed25519, the big-endian scalar for P-256.
        Raises InvalidCall: `call_invalid` for another length, or for a scalar that is not from 1 to n - 1.
        """
        if type(seed) is not bytes or len(seed) != _SEED_SIZE:
            raise InvalidCall("call_invalid", "seed")
        if _algorithm(alg) is Algorithm.ED25519:
            return cls(Ed25519PrivateKey.from_private_bytes(seed))
        scalar = int.from_bytes(seed, "big")
        if not 0 < scalar < _P256_ORDER:
            raise InvalidCall("call_invalid", "seed")
        return cls(ec.derive_private_key(scalar, ec.SECP256R1()))

    @property
    def alg(self) -> Algorithm:
        """The algorithm of the key."""
        return self._public.alg

    @property
    def kid(self) -> bytes:
        """The 32-byte COSE key thumbprint (RFC 9679) of the public key."""
        return self._public.kid

    @property
    def public_key(self) -> PublicKey:
        """The public half."""
        return self._public

    def sign(self, message: bytes) -> bytes:
        """The 64-byte raw signature of `message`. The same message gives the same bytes; ES256 signatures have low S."""
        return self._sign(message)

    def pkcs8_pem(self, encryption: KeySerializationEncryption) -> str:
        """The secret key as PKCS#8 PEM: the one way by which it leaves. `private_pem` and `save_private` are how to call it."""
        return self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption).decode("ascii")

    def __repr__(self) -> str:
        return f"KeyPair(alg={self.alg.value}, kid={self.kid.hex()})"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a key pair is not pickled or copied: its secret would go with it")


def _algorithm(alg: Algorithm | str) -> Algorithm:
    try:
        return alg if isinstance(alg, Algorithm) else Algorithm(alg)
    except ValueError:
        raise InvalidCall("call_invalid", "alg") from None


def _low_s(der: bytes) -> bytes:
    """A DER signature as r || s with s <= n / 2: of the two valid forms, the one strict verifiers elsewhere also take."""
    r, s = decode_dss_signature(der)
    return r.to_bytes(32, "big") + min(s, _P256_ORDER - s).to_bytes(32, "big")

"""What both envelopes share: an object that was opened, an object that is ready to be signed, and the bounds on both.

`act.envelope.objects` puts the two envelopes together; callers import from there.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

from act.envelope.kinds import Kind
from act.errors import InvalidCall, Refused
from act.keys import SIGNATURE_SIZE, Algorithm, BadSignature, PublicKey, Signer
from act.values import immutable
from act.wire import cbor
from act.wire.base64url import base64url_encode

__all__ = ["MAX_JOSE_BYTES", "MAX_OBJECT_BYTES", "Format", "KeyName", "Opened", "Unsigned", "encode_signed", "require_fitting"]

MAX_OBJECT_BYTES: Final = 16_384
"""A mandate is some 500 bytes and an order with a full cart some 10,000; anything larger is not one of ours."""

MAX_JOSE_BYTES: Final = 2 * MAX_OBJECT_BYTES
"""The same objects as compact JWS: names and amounts in JSON take more room, and base64url a third more again."""


class Format(StrEnum):
    """The two envelopes. They mean the same; an object stands in one of them, and is never converted."""

    COSE = "cose"
    JOSE = "jose"


@immutable
class Opened:
    """A decoded object whose signature nobody has checked yet. `identity` is SHA-256 of its signing input.

    `claims` are neutral (`act.envelope.claims`), except that those of a VC-JWT are its payload as decoded, which
    `act.delegation.vc_jwt` reads.
    """

    kind: Kind
    algorithm: Algorithm
    kid: bytes
    claims: dict[str, Any]
    identity: bytes
    signing_input: bytes
    signature: bytes
    format: Format

    def check_signature(self, key: PublicKey, code: str, alias: bytes | None = None) -> None:
        """Returns if `key` made the signature; otherwise raises `Refused` with the given code.

        The header must name the key by its thumbprint or, in JOSE, by the `alias` under which the parties enrolled it.
        """
        is_named = key.kid == self.kid or (alias == self.kid and self.format is Format.JOSE)
        if not is_named or key.alg is not self.algorithm:
            raise Refused(code, self.kind.name)
        try:
            key.verify(self.signing_input, self.signature)
        except BadSignature:
            raise Refused(code, self.kind.name) from None


class KeyName(NamedTuple):
    """What a header says of the key that signs: asked of a signer once, because the signer may be far away."""

    alg: Algorithm
    kid: bytes


@dataclass(frozen=True, slots=True)
class Unsigned:
    """An object ready to be signed: its identity is already settled, because no identity depends on signature bytes.

    `protected` and `payload` are CBOR or JSON, before base64url. `kid` names the key that has to sign it.
    """

    format: Format
    kid: bytes
    protected: bytes
    payload: bytes
    signing_input: bytes
    identity: bytes

    def sign(self, signer: Signer) -> bytes:
        """The signed object. Signing again gives the same object under the same identity.

        Raises `InvalidCall` when the signer returns something else than 64 bytes; what it raises itself passes through.
        """
        signature = signer.sign(self.signing_input)
        if type(signature) is not bytes or len(signature) != SIGNATURE_SIZE:
            raise InvalidCall("call_invalid", "signer", expected=f"a raw signature of {SIGNATURE_SIZE} bytes")
        return encode_signed(self, signature)


def encode_signed(unsigned: Unsigned, signature: bytes) -> bytes:
    """The bytes of an object with a signature that nobody checks here."""
    if unsigned.format is Format.COSE:
        return cbor.encode_sign1(unsigned.protected, unsigned.payload, signature)
    return unsigned.signing_input + b"." + base64url_encode(signature).encode("ascii")


def require_fitting(unsigned: Unsigned, kind: Kind) -> None:
    """Raises `Refused` input_too_large for an object that, signed, no reader would take."""
    limit = MAX_OBJECT_BYTES if unsigned.format is Format.COSE else MAX_JOSE_BYTES
    if len(encode_signed(unsigned, bytes(SIGNATURE_SIZE))) > limit:
        raise Refused("input_too_large", kind.name, limit_bytes=limit)

"""Signed objects in either envelope: COSE_Sign1 or compact JWS, told apart by the first byte, equal in meaning.

One object has one envelope and one signature; nothing here converts one into the other.
"""

from __future__ import annotations

from typing import Any, Final

from act.envelope import cose, jws
from act.envelope.kinds import Kind
from act.envelope.opened import MAX_JOSE_BYTES, MAX_OBJECT_BYTES, Format, KeyName, Opened, Unsigned, require_fitting
from act.errors import InvalidCall, Refused
from act.keys import Signer

__all__ = [
    "MAX_JOSE_BYTES",
    "MAX_OBJECT_BYTES",
    "Format",
    "KeyName",
    "Opened",
    "Unsigned",
    "header",
    "open_object",
    "prepare",
    "read_format",
    "rebuild",
    "require_fitting",
    "seal",
]

_JSON_START: Final = b"{"


def read_format(value: object, where: str = "format") -> Format:
    """The envelope that a caller names, `cose` or `jose`. Raises `InvalidCall`."""
    try:
        return Format(value)  # type: ignore[arg-type]  # another type than str is a ValueError
    except ValueError:
        raise InvalidCall("call_invalid", where, expected="cose or jose") from None


def header(kind: Kind, signer: Signer | KeyName, format: Format = Format.COSE) -> bytes:
    """The protected header of every object of this kind that this signer signs in this envelope."""
    return cose.header(kind, signer) if format is Format.COSE else jws.header(kind, signer)


def prepare(protected: bytes, claims: dict[str, Any]) -> Unsigned:
    """Encodes claims under a header that `header` made; asks no signer.

    Raises `InvalidCall` for values that the header's envelope does not carry.
    """
    return jws.prepare(protected, claims) if protected[:1] == _JSON_START else cose.prepare(protected, claims)


def rebuild(protected: bytes, payload: bytes) -> Unsigned:
    """The object that `prepare` made, from the bytes of its header and payload."""
    return jws.rebuild(protected, payload) if protected[:1] == _JSON_START else cose.rebuild(protected, payload)


def seal(kind: Kind, claims: dict[str, Any], signer: Signer, format: Format = Format.COSE) -> bytes:
    """The signed object as bytes. Raises `Refused` input_too_large, unsigned, for an object that no reader would take."""
    unsigned = prepare(header(kind, signer, format), claims)
    require_fitting(unsigned, kind)
    return unsigned.sign(signer)


def open_object(data: bytes, kind: Kind | None = None) -> Opened:
    """Decodes an object without believing it. With `kind`, an object of any other kind is refused (kind_unexpected).

    Raises `Refused`: input_too_large, envelope_invalid, cbor_invalid, cbor_not_deterministic, json_invalid, input_too_deep,
    base64url_invalid, header_unknown, algorithm_not_allowed, kind_unexpected, claim_unknown, claim_invalid.
    """
    if type(data) is not bytes:
        raise InvalidCall("call_invalid", kind.name if kind else "data", expected="bytes")
    is_jose = data[:1] == b"e"
    limit = MAX_JOSE_BYTES if is_jose else MAX_OBJECT_BYTES
    if len(data) > limit:
        raise Refused("input_too_large", kind.name if kind else "", limit_bytes=limit)
    try:
        return jws.read(data, kind) if is_jose else cose.read(data, kind)
    except Refused as refusal:
        raise refusal.within(kind.name if kind else "object") from None

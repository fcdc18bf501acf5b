"""Public keys from JWK (RFC 7517, RFC 8037): how JSON files and JOSE objects write them."""

from __future__ import annotations

from act.errors import Refused
from act.keys.public_key import Ed25519PublicKey, P256PublicKey, PublicKey
from act.wire.base64url import base64url_decode

__all__ = ["from_jwk", "jwk_to_cose_key"]

_ED25519, _P256 = {"kty": "OKP", "crv": "Ed25519"}, {"kty": "EC", "crv": "P-256"}
_ED25519_MEMBERS, _P256_MEMBERS = {*_ED25519, "x"}, {*_P256, "x", "y"}


def from_jwk(value: object, where: str) -> PublicKey:
    """The key a JWK holds: exactly the public members, so that a private JWK is refused instead of being passed around.

    Raises `Refused`: claim_invalid for a wrong shape, base64url_invalid, key_invalid (ACT-KEY-01) for a point that is not one.
    """
    x, y = _coordinates(value, where)
    if y is None:
        return Ed25519PublicKey.from_raw(x, where)
    return P256PublicKey.from_raw(b"\x04" + x + y, where)


def jwk_to_cose_key(value: object, where: str) -> dict[int, int | bytes]:
    """The COSE_Key map that says the same as a JWK; whether its point is one, nobody has checked yet. Raises as `from_jwk`."""
    x, y = _coordinates(value, where)
    return {1: 1, -1: 6, -2: x} if y is None else {1: 2, -1: 1, -2: x, -3: y}


def _coordinates(value: object, where: str) -> tuple[bytes, bytes | None]:
    """x and, for P-256, y."""
    if not isinstance(value, dict):
        raise Refused("claim_invalid", where, expected="a JWK")
    kind = value.get("kty"), value.get("crv")
    names = _ED25519_MEMBERS if kind == ("OKP", "Ed25519") else _P256_MEMBERS if kind == ("EC", "P-256") else None
    if names is None or value.keys() != names:
        raise Refused("claim_invalid", where, expected="a public Ed25519 or P-256 JWK with no other members")
    x = _coordinate(value["x"], where, "x")
    return x, None if names is _ED25519_MEMBERS else _coordinate(value["y"], where, "y")


def _coordinate(value: object, where: str, name: str) -> bytes:
    if not isinstance(value, str):
        raise Refused("claim_invalid", f"{where}.{name}", expected="base64url")
    try:
        raw = base64url_decode(value)
    except Refused as refusal:
        raise refusal.within(f"{where}.{name}") from None
    if len(raw) != 32:
        raise Refused("key_invalid", f"{where}.{name}")
    return raw

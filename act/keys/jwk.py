"""Public keys as JWK (RFC 7517, RFC 8037): how JSON files and JOSE objects write them."""

from __future__ import annotations

from act.errors import Refused
from act.keys.public_key import Ed25519PublicKey, P256PublicKey, PublicKey
from act.wire.base64url import base64url_decode, base64url_encode

__all__ = ["from_jwk", "to_jwk"]

_ED25519, _P256 = {"kty": "OKP", "crv": "Ed25519"}, {"kty": "EC", "crv": "P-256"}


def from_jwk(value: object, where: str) -> PublicKey:
    """The key a JWK holds: exactly the public members, so that a private JWK is refused instead of being passed around.

    Raises `Refused`: claim_invalid for a wrong shape, base64url_invalid, key_invalid (ACT-KEY-01) for a point that is not one.
    """
    if not isinstance(value, dict):
        raise Refused("claim_invalid", where, expected="a JWK")
    fixed = {name: value.get(name) for name in ("kty", "crv")}
    coordinates = {"x"} if fixed == _ED25519 else {"x", "y"} if fixed == _P256 else None
    if coordinates is None or value.keys() != coordinates | fixed.keys():
        raise Refused("claim_invalid", where, expected="a public Ed25519 or P-256 JWK with no other members")
    x = _coordinate(value["x"], f"{where}.x")
    if "y" not in coordinates:
        return Ed25519PublicKey.from_raw(x, where)
    return P256PublicKey.from_raw(b"\x04" + x + _coordinate(value["y"], f"{where}.y"), where)


def _coordinate(value: object, where: str) -> bytes:
    if not isinstance(value, str):
        raise Refused("claim_invalid", where, expected="base64url")
    try:
        raw = base64url_decode(value)
    except Refused as refusal:
        raise refusal.within(where) from None
    if len(raw) != 32:
        raise Refused("key_invalid", where)
    return raw


def to_jwk(key: PublicKey) -> dict[str, str]:
    """The JWK with the public members only."""
    if isinstance(key, Ed25519PublicKey):
        return _ED25519 | {"x": base64url_encode(key.raw)}
    return _P256 | {"x": base64url_encode(key.raw[1:33]), "y": base64url_encode(key.raw[33:])}

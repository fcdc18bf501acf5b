"""act.keys.jwk: public keys as JSON, with exactly the public members."""

from __future__ import annotations

import pytest

from act.keys import PublicKey, from_jwk
from act.wire.base64url import base64url_encode
from tests.support.world import key, refused

ED25519, P256 = key("jwk").public_key, key("jwk", "ES256").public_key


@pytest.mark.parametrize("public_key", [ED25519, P256])
def test_round_trip(public_key: PublicKey) -> None:
    again = from_jwk(public_key.to_jwk(), "jwk")
    assert again == public_key
    assert again.kid == public_key.kid


def test_the_key_of_rfc_8037() -> None:
    """RFC 8037 appendix A.2."""
    x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    public_key = from_jwk({"kty": "OKP", "crv": "Ed25519", "x": x}, "jwk")
    assert public_key.raw.hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert public_key.to_jwk() == {"kty": "OKP", "crv": "Ed25519", "x": x}


@pytest.mark.parametrize("public_key", [ED25519, P256])
@pytest.mark.parametrize("extra", [{"d": "AAAA"}, {"kid": "k"}, {"alg": "EdDSA"}, {"use": "sig"}, {"y": "AAAA", "d": "AAAA"}])
def test_private_and_other_members_are_refused(public_key: PublicKey, extra: dict[str, str]) -> None:
    with refused("claim_invalid", "keys.0.jwk"):
        from_jwk(public_key.to_jwk() | extra, "keys.0.jwk")


@pytest.mark.parametrize(
    "change",
    [
        {"kty": "EC"},
        {"kty": "oct"},
        {"kty": "RSA"},
        {"crv": "Ed448"},
        {"crv": "X25519"},
        {"crv": "P-384"},
        {"crv": "secp256k1"},
        {"crv": "ed25519"},
        {"kty": None},
        {"kty": ["OKP"]},
    ],
)
def test_other_kinds_of_key_are_refused(change: dict[str, object]) -> None:
    with refused("claim_invalid", "jwk"):
        from_jwk(ED25519.to_jwk() | change, "jwk")


@pytest.mark.parametrize("value", [None, "", [], 1, b"", {}, {"x": "AA"}])
def test_what_no_jwk_is(value: object) -> None:
    with refused("claim_invalid", "jwk"):
        from_jwk(value, "jwk")


@pytest.mark.parametrize("missing", ["kty", "crv", "x", "y"])
def test_each_member_is_mandatory(missing: str) -> None:
    jwk = {name: value for name, value in P256.to_jwk().items() if name != missing}
    with refused("claim_invalid", "jwk"):
        from_jwk(jwk, "jwk")


@pytest.mark.parametrize("text", ["AAAA=", "AA AA", "+/==", "A", "AB", "é" * 43])
def test_coordinates_are_exact_base64url(text: str) -> None:
    with refused("base64url_invalid", "jwk.x"):
        from_jwk(ED25519.to_jwk() | {"x": text}, "jwk")
    with refused("base64url_invalid", "jwk.y"):
        from_jwk(P256.to_jwk() | {"y": text}, "jwk")


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_coordinates_have_32_bytes(size: int) -> None:
    with refused("key_invalid", "jwk.x"):
        from_jwk(ED25519.to_jwk() | {"x": base64url_encode(bytes(size))}, "jwk")


@pytest.mark.parametrize("x", [bytes([1]) + bytes(31), bytes(32), b"\xff" * 32])
def test_points_of_small_order_and_no_points_are_refused(x: bytes) -> None:
    with refused("key_invalid", "jwk"):
        from_jwk(ED25519.to_jwk() | {"x": base64url_encode(x)}, "jwk")


def test_a_point_off_the_curve_is_refused() -> None:
    with refused("key_invalid", "jwk"):
        from_jwk(P256.to_jwk() | {"y": P256.to_jwk()["x"]}, "jwk")


@pytest.mark.parametrize("x", [None, 1, b"", ["AA"]])
def test_coordinates_are_texts(x: object) -> None:
    with refused("claim_invalid", "jwk.x"):
        from_jwk(ED25519.to_jwk() | {"x": x}, "jwk")

"""act.envelope.jws: a compact JWS of exactly one form, whose claims are those of the COSE object."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

import act
from act.envelope.claims import TextId, uuid_urn
from act.envelope.kinds import BY_JOSE_TYP, KINDS, MANDATE, ORDER, REQUEST, Kind
from act.envelope.objects import MAX_JOSE_BYTES, Format, header, open_object, prepare, read_format, rebuild, seal
from act.wire import json
from act.wire.base64url import base64url_decode, base64url_encode
from tests.support.world import World, key, refused, reseal, resign, seal_jws, twin

SIGNER = key("signer")
DIGEST, ID = bytes(range(32)), bytes(range(16))
REQUEST_CLAIMS: dict[str, Any] = {
    "iss": "agent",
    "aud": "psp",
    "cti": ID,
    "act": {"delegation_id": ID, "credential": DIGEST, "order": DIGEST, "payee": "shop"},
}
HEADER = {"alg": "Ed25519", "kid": base64url_encode(SIGNER.kid), "typ": REQUEST.jose_typ}


NO_ID: list[Any] = [None, 1, "", "AAAA", "A" * 43, "A" * 21 + "B", "A" * 21 + "=", ["A" * 22]]
NO_DIGEST: list[Any] = [None, 1, "", "A" * 42, "A" * 44, "A" * 42 + "B", "A" * 42 + "=", {}]
NO_DELEGATION_ID: list[Any] = [
    *(None, 7, "", "a\nb", "x" * 257),
    *("urn:uuid:", uuid_urn(ID).upper(), "Urn:uuid:x", uuid_urn(ID) + "0"),
]


def _decoded(part: bytes) -> Any:
    return json.decode(base64url_decode(part.decode()))


def test_what_a_request_looks_like() -> None:
    head, payload, _ = seal(REQUEST, REQUEST_CLAIMS, SIGNER, Format.JOSE).split(b".")
    assert _decoded(head) == HEADER
    assert _decoded(payload) == {
        "iss": "agent",
        "aud": "psp",
        "jti": base64url_encode(ID),
        "act": {
            "delegation_id": uuid_urn(ID),
            "credential": base64url_encode(DIGEST),
            "order": base64url_encode(DIGEST),
            "payee": "shop",
        },
    }


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not MANDATE], ids=lambda kind: kind.name)
@pytest.mark.parametrize("alg", ["Ed25519", "ES256"])
def test_both_envelopes_open_to_the_same_claims(kind: Kind, alg: str) -> None:
    signer = key("signer", alg)
    forms = kind.json_forms or {}
    named = {name: DIGEST if f"act.{name}" in forms else "x" for name in ("order", "credential")}
    claims = {"iss": "a", "iat": 7, "act": named | {"n": [1, {"t": True}]}}
    opened = {each: open_object(seal(kind, claims, signer, each), kind) for each in Format}
    for each, found in opened.items():
        assert (found.kind, found.kid, found.claims, found.format) == (kind, signer.kid, claims, each)
        assert found.identity == sha256(found.signing_input).digest()
        found.check_signature(signer.public_key, "order_signature_invalid")
    assert opened[Format.COSE].identity != opened[Format.JOSE].identity


def test_sealing_leaves_the_claims_as_they_are() -> None:
    seal(REQUEST, REQUEST_CLAIMS, SIGNER, Format.JOSE)
    assert REQUEST_CLAIMS["cti"] == ID
    assert REQUEST_CLAIMS["act"]["credential"] == DIGEST


@pytest.mark.parametrize("envelope", Format)
def test_an_object_is_rebuilt_from_its_header_and_payload(envelope: Format) -> None:
    unsigned = prepare(header(REQUEST, SIGNER, envelope), REQUEST_CLAIMS)
    assert (unsigned.format, unsigned.kid) == (envelope, SIGNER.kid)
    assert rebuild(unsigned.protected, unsigned.payload) == unsigned
    assert open_object(unsigned.sign(SIGNER)).identity == unsigned.identity


def test_identity_does_not_depend_on_the_signature() -> None:
    signer = key("signer", "ES256")
    data = seal(REQUEST, REQUEST_CLAIMS, signer, Format.JOSE)
    opened = open_object(data)
    for other in (twin(data), resign(data, bytes(64)), resign(data, b"")):
        assert other != data
        assert open_object(other).identity == opened.identity
    open_object(twin(data)).check_signature(signer.public_key, "order_signature_invalid")
    with refused("order_signature_invalid", "request"):
        open_object(resign(data, bytes(64))).check_signature(signer.public_key, "order_signature_invalid")


def test_a_text_id_exists_in_jose_only() -> None:
    claims = REQUEST_CLAIMS | {"act": REQUEST_CLAIMS["act"] | {"delegation_id": TextId("D-1")}}
    opened = open_object(seal(REQUEST, claims, SIGNER, Format.JOSE))
    assert type(opened.claims["act"]["delegation_id"]) is TextId
    with pytest.raises(act.InvalidCall):
        seal(REQUEST, claims, SIGNER, Format.COSE)


@pytest.mark.parametrize(
    "path, value",
    [
        *[("jti", wrong) for wrong in NO_ID],
        *[("act.credential", wrong) for wrong in NO_DIGEST],
        *[("act.delegation_id", wrong) for wrong in NO_DELEGATION_ID],
    ],
)
def test_what_is_no_such_text_is_refused_with_the_place(path: str, value: Any) -> None:
    data = reseal(seal(REQUEST, REQUEST_CLAIMS, SIGNER, Format.JOSE), SIGNER, {path: value})
    place = f"request.{path}" if value is None else f"request.{path}".replace("jti", "cti")
    with refused("claim_null" if value is None else "claim_invalid", place):
        open_object(data, REQUEST)


@pytest.mark.parametrize("name", ["cti", "label", "", "Iss"])
def test_an_unknown_claim_is_refused(name: str) -> None:
    with refused("claim_unknown", f"request.{name}".rstrip(".")):
        open_object(seal_jws(HEADER, {"iss": "a", name: "x"}, SIGNER), REQUEST)


def test_another_kind_is_refused() -> None:
    data = seal(REQUEST, REQUEST_CLAIMS, SIGNER, Format.JOSE)
    with refused("kind_unexpected", "order"):
        open_object(data, ORDER)


def test_the_token_does_not_choose_the_algorithm() -> None:
    """A header that says ES256 and names an Ed25519 key: the key decides."""
    opened = open_object(seal_jws(HEADER | {"alg": "ES256"}, {"iss": "a"}, SIGNER))
    with refused("order_signature_invalid"):
        opened.check_signature(SIGNER.public_key, "order_signature_invalid")


def test_eddsa_is_another_name_of_ed25519() -> None:
    open_object(seal_jws(HEADER | {"alg": "EdDSA"}, {"iss": "a"}, SIGNER)).check_signature(SIGNER.public_key, "key_invalid")


def test_an_alias_counts_only_where_the_parties_give_it() -> None:
    opened = open_object(seal_jws(HEADER | {"kid": "did:example:1"}, {"iss": "a"}, SIGNER))
    assert opened.kid == b"did:example:1"
    opened.check_signature(SIGNER.public_key, "order_signature_invalid", b"did:example:1")
    for alias in (None, b"did:example:2"):
        with refused("order_signature_invalid"):
            opened.check_signature(SIGNER.public_key, "order_signature_invalid", alias)


def test_a_thumbprint_of_another_standard_is_an_alias_of_32_bytes() -> None:
    """RFC 7638's thumbprints look like ours; they name a key only where the parties file says so."""
    opened = open_object(seal_jws(HEADER | {"kid": base64url_encode(DIGEST)}, {"iss": "a"}, SIGNER))
    assert opened.kid == DIGEST


def test_the_size_is_bounded_before_any_work() -> None:
    with refused("input_too_large", "request"):
        open_object(b"e" + b"." * MAX_JOSE_BYTES, REQUEST)
    with refused("input_too_large", "request"):
        seal(REQUEST, REQUEST_CLAIMS | {"iss": "x" * MAX_JOSE_BYTES}, SIGNER, Format.JOSE)


@pytest.mark.parametrize("value", [None, "", "jwt", "COSE", 1, b"cose"])
def test_another_format_is_a_wrong_call(value: object) -> None:
    with pytest.raises(act.InvalidCall):
        read_format(value)


def test_kinds_are_found_by_type() -> None:
    assert all(BY_JOSE_TYP[kind.jose_typ] is kind for kind in KINDS)


def test_a_payment_is_json_when_every_part_is_jose() -> None:
    world = World(format="jose")
    payment = world.payment()
    assert payment.to_bytes().startswith(b'{"chain":["eyJ')
    assert act.Payment.from_bytes(payment.to_bytes()) == payment
    mixed = world.payment(order=world.order(format="cose"))
    assert not mixed.to_bytes().startswith(b"{")
    assert act.Payment.from_bytes(mixed.to_bytes()) == mixed
    assert world.verify(mixed.to_bytes()).amount == act.Amount(1_800, "CNY")


@pytest.mark.parametrize(
    "container, code, where",
    [
        (b'{"typ":"act1-payment+json"}', "claim_missing", "payment.chain"),
        (b'{"typ":"act2-payment+json"}', "kind_unexpected", "payment"),
        (b'{"typ":"application/act1-payment+cbor"}', "kind_unexpected", "payment"),
        (b'{"typ":"act1-payment+json","chain":"e","order":"e","request":"e"}', "claim_invalid", "payment.chain"),
        (b'{"typ":"act1-payment+json","chain":["e"],"order":null,"request":"e"}', "claim_invalid", "payment.order"),
        (b'{"typ":"act1-payment+json","chain":["e"],"order":"\xc3\xa9","request":"e"}', "claim_invalid", "payment.order"),
        (b'{"typ":"act1-payment+json","typ":"act1-payment+json"}', "json_invalid", "payment"),
        (b"{", "json_invalid", "payment"),
        (b"{}x", "json_invalid", "payment"),
    ],
)
def test_what_is_no_payment_in_json(container: bytes, code: str, where: str) -> None:
    with refused(code, where):
        act.Payment.from_bytes(container)

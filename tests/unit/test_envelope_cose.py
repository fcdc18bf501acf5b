"""act.envelope.cose: exactly one form for each object, and an algorithm that no token chooses."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import cbor2
import pytest

import act
from act.envelope.kinds import KINDS, MANDATE, ORDER, RECEIPT, REQUEST, Kind
from act.envelope.objects import MAX_OBJECT_BYTES, header, open_object, prepare, seal
from act.errors import InvalidCall
from act.wire import cbor
from tests.support.world import ABSENT, World, identity_of, key, refused, reseal, resign, seal_raw, twin

SIGNER, P256 = key("signer"), key("signer", "ES256")
CLAIMS: dict[str, Any] = {"iss": "wallet.example", "sub": "agent", "iat": 1, "act": {"note": "tea"}}
HEADER: dict[Any, Any] = {1: -19, 4: SIGNER.kid, 16: MANDATE.cose_typ}


@pytest.mark.parametrize("signer", [SIGNER, P256], ids=["Ed25519", "ES256"])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_what_is_sealed_opens_again(signer: act.KeyPair, kind: Kind) -> None:
    data = seal(kind, CLAIMS, signer)
    opened = open_object(data, kind)
    assert (opened.kind, opened.algorithm, opened.kid, opened.claims) == (kind, signer.alg, signer.kid, CLAIMS)
    opened.check_signature(signer.public_key, "credential_signature_invalid")


def test_the_bytes_are_a_cose_sign1_of_a_cwt() -> None:
    """Read with another decoder: RFC 9052 4.2 and 4.4, RFC 8392, RFC 9596."""
    tagged = cbor2.loads(seal(MANDATE, CLAIMS | {"aud": "psp", "status": {"a": 1}, "cti": b"x", "cnf": {1: {}}}, SIGNER))
    assert tagged.tag == 18
    protected, unprotected, payload, signature = tagged.value
    assert unprotected == {}
    assert cbor2.loads(protected) == {1: -19, 4: SIGNER.kid, 16: "application/act1-iac+cwt"}
    assert cbor2.loads(payload) == {
        1: "wallet.example",
        2: "agent",
        3: "psp",
        6: 1,
        7: b"x",
        8: {1: {}},
        65535: {"a": 1},
        -70001: {"note": "tea"},
    }
    SIGNER.public_key.verify(cbor2.dumps(["Signature1", protected, b"", payload]), signature)


def test_identity_is_the_hash_of_what_was_signed() -> None:
    unsigned = prepare(header(MANDATE, P256), CLAIMS)
    data = unsigned.sign(P256)
    tagged = cbor2.loads(data)
    signing_input = cbor2.dumps(["Signature1", tagged.value[0], b"", tagged.value[2]])
    assert unsigned.identity == sha256(signing_input).digest() == identity_of(data) == identity_of(twin(data))
    assert unsigned.kid == P256.kid
    assert twin(data) != data


def test_sealing_again_gives_the_same_object() -> None:
    assert seal(ORDER, CLAIMS, SIGNER) == seal(ORDER, dict(reversed(CLAIMS.items())), SIGNER)


# --- kinds --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("expected", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("found", KINDS, ids=lambda kind: kind.name)
def test_no_kind_passes_for_another(expected: Kind, found: Kind) -> None:
    data = seal(found, CLAIMS, SIGNER)
    if expected is found:
        assert open_object(data, expected).kind is found
    else:
        with refused("kind_unexpected", expected.name):
            open_object(data, expected)
    assert open_object(data).kind is found


@pytest.mark.parametrize(
    "typ", ["", "vc+jwt", "act1-iac+cwt", "application/act2-iac+cwt", "Application/act1-iac+cwt", "x" * 99]
)
def test_unknown_types(typ: str) -> None:
    with refused("kind_unexpected", "mandate.protected.typ"):
        open_object(reseal(seal(MANDATE, CLAIMS, SIGNER), SIGNER, header={16: typ}), MANDATE)


# --- headers ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header, code, where",
    [
        ({2: [-1]}, "header_unknown", "mandate.protected"),  # crit
        ({5: b"iv"}, "header_unknown", "mandate.protected"),
        ({"alg": -19}, "header_unknown", "mandate.protected"),
        ({-1: {1: 1}}, "header_unknown", "mandate.protected"),  # a key brought along
        ({33: [b"x5chain"]}, "header_unknown", "mandate.protected"),
        ({35: "https://evil.example/key"}, "header_unknown", "mandate.protected"),
        ({1: ABSENT}, "algorithm_not_allowed", "mandate.protected.alg"),
        ({1: -8}, "algorithm_not_allowed", "mandate.protected.alg"),  # EdDSA, on any curve
        ({1: -7}, "algorithm_not_allowed", "mandate.protected.alg"),  # ES256, on any curve
        ({1: -36}, "algorithm_not_allowed", "mandate.protected.alg"),
        ({1: 5}, "algorithm_not_allowed", "mandate.protected.alg"),  # HMAC
        ({1: 0}, "algorithm_not_allowed", "mandate.protected.alg"),
        ({1: "Ed25519"}, "algorithm_not_allowed", "mandate.protected.alg"),
        ({1: "none"}, "algorithm_not_allowed", "mandate.protected.alg"),
        ({1: True}, "algorithm_not_allowed", "mandate.protected.alg"),
        ({1: [-19]}, "algorithm_not_allowed", "mandate.protected.alg"),
        ({4: ABSENT}, "envelope_invalid", "mandate.protected"),
        ({4: b"short"}, "envelope_invalid", "mandate.protected"),
        ({4: bytes(33)}, "envelope_invalid", "mandate.protected"),
        ({4: "x" * 32}, "envelope_invalid", "mandate.protected"),
        ({16: ABSENT}, "envelope_invalid", "mandate.protected"),
        ({16: 61}, "envelope_invalid", "mandate.protected"),
        ({16: b"application/act1-iac+cwt"}, "envelope_invalid", "mandate.protected"),
    ],
)
def test_only_three_protected_headers(header: dict[Any, object], code: str, where: str) -> None:
    data = seal(MANDATE, CLAIMS, SIGNER)
    with refused(code, where):
        open_object(reseal(data, SIGNER, header=header), MANDATE)


@pytest.mark.parametrize("protected", [b"", b"\x80", b"\x60", b"\x00", b"\xf6", b"\xa0"])
def test_the_protected_header_is_a_map(protected: bytes) -> None:
    data = cbor.encode_sign1(protected, cbor.encode({1: "x"}), bytes(64))
    with pytest.raises(act.Refused) as caught:
        open_object(data, MANDATE)
    assert caught.value.code in {"envelope_invalid", "cbor_invalid", "claim_null"}
    assert caught.value.where.startswith("mandate")


@pytest.mark.parametrize(
    "protected, payload, where",
    [
        (None, b"\xa2\x01\x61a\x02\xf6", "mandate.sub"),
        (None, b"\xa1\x3a\x00\x01\x11\x70\xa1\x63ext\xf6", "mandate.act.ext"),
        (None, b"\xa1\x18\x63\xf6", "mandate.99"),
        (None, b"\xf6", "mandate"),
        (b"\xa1\x01\xf6", b"\xa0", "mandate.protected.1"),
    ],
)
def test_a_null_is_named_by_its_claim(protected: bytes | None, payload: bytes, where: str) -> None:
    header_bytes = cbor.decode_sign1(seal(MANDATE, CLAIMS, SIGNER))[0] if protected is None else protected
    with refused("claim_null", where):
        open_object(cbor.encode_sign1(header_bytes, payload, bytes(64)), MANDATE)


def test_no_unprotected_header() -> None:
    protected, payload, signature = cbor.decode_sign1(seal(MANDATE, CLAIMS, SIGNER))
    data = b"\xd2" + cbor2.dumps([protected, {4: SIGNER.kid}, payload, signature])
    with refused("header_unknown", "mandate.unprotected"):
        open_object(data, MANDATE)


def test_the_kid_in_an_unprotected_header_is_no_kid() -> None:
    _, payload, signature = cbor.decode_sign1(seal(MANDATE, CLAIMS, SIGNER))
    data = b"\xd2" + cbor2.dumps([cbor.encode({1: -19, 16: MANDATE.cose_typ}), {4: SIGNER.kid}, payload, signature])
    with refused("header_unknown", "mandate.unprotected"):
        open_object(data, MANDATE)


# --- claims -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("label", [0, 9, 10, 40, -65536, -70000, -70002, 2**40, "act", "iss", "1"])
def test_unknown_claims(label: int | str) -> None:
    payload = {1: "wallet.example", label: "x"}
    with refused("claim_unknown", f"mandate.{label}"):
        open_object(seal_raw(HEADER, payload, SIGNER), MANDATE)


@pytest.mark.parametrize("payload", [[], "text", 1, b"", True])
def test_claims_are_a_map(payload: object) -> None:
    with refused("claim_invalid", "mandate"):
        open_object(seal_raw(HEADER, payload, SIGNER), MANDATE)


# --- bytes --------------------------------------------------------------------------------------------------------------


def test_trailing_and_missing_bytes() -> None:
    data = seal(MANDATE, CLAIMS, SIGNER)
    for wrong in (data + b"\x00", data[:-1], data[:10], data * 2):
        with refused("cbor_invalid", "mandate"):
            open_object(wrong, MANDATE)


@pytest.mark.parametrize(
    "data",
    [b"", b"\xd2", b"\x84", cbor.encode({"a": 1}), b"\xd1\x84", b"\xd2\x85", b"\xd8\x12\x84", b"{}"],
)
def test_what_is_no_tagged_cose_sign1(data: bytes) -> None:
    with pytest.raises(act.Refused) as caught:
        open_object(data)
    assert caught.value.code in {"envelope_invalid", "cbor_invalid", "cbor_not_deterministic"}


@pytest.mark.parametrize("size", [MAX_OBJECT_BYTES - 1, MAX_OBJECT_BYTES, MAX_OBJECT_BYTES + 1])
def test_size_limit(size: int) -> None:
    padding = size - len(seal(MANDATE, CLAIMS | {"sub": "a" * 10_000}, SIGNER)) + 10_000
    claims = CLAIMS | {"sub": "a" * padding}
    if size <= MAX_OBJECT_BYTES:
        data = seal(MANDATE, claims, SIGNER)
        assert len(data) == size
        assert open_object(data).claims == claims
    else:
        with refused("input_too_large", "mandate"):
            seal(MANDATE, claims, SIGNER)
        with refused("input_too_large", "mandate"):
            open_object(bytes(size), MANDATE)
        with refused("input_too_large", ""):
            open_object(bytes(size))


def test_nothing_is_signed_that_no_reader_would_take() -> None:
    world = World()
    with refused("input_too_large", "mandate"):
        world.mint(ext={"items": [{"sku": "a"}], "vendor_private": {"note": "x" * 20_000}})


@pytest.mark.parametrize("value", [None, 1.5, (1,), {"a": None}, 2**63, {1.5: "x"}, "\ud800"])
def test_values_that_no_envelope_carries(value: object) -> None:
    with pytest.raises(InvalidCall):
        prepare(header(REQUEST, SIGNER), CLAIMS | {"act": {"note": value}})


# --- signatures ---------------------------------------------------------------------------------------------------------


def test_only_the_key_the_header_names_verifies() -> None:
    opened = open_object(seal(MANDATE, CLAIMS, SIGNER))
    with refused("credential_signature_invalid", "mandate"):
        opened.check_signature(key("another").public_key, "credential_signature_invalid")


def test_another_keys_kid_in_the_header() -> None:
    opened = open_object(reseal(seal(ORDER, CLAIMS, SIGNER), SIGNER, header={4: key("another").kid}))
    for public_key in (SIGNER.public_key, key("another").public_key):
        with refused("order_signature_invalid", "order"):
            opened.check_signature(public_key, "order_signature_invalid")


@pytest.mark.parametrize("signer, named", [(SIGNER, -9), (P256, -19)])
def test_the_token_does_not_choose_the_algorithm(signer: act.KeyPair, named: int) -> None:
    opened = open_object(reseal(seal(REQUEST, CLAIMS, signer), signer, header={1: named}))
    with refused("agent_signature_invalid", "request"):
        opened.check_signature(signer.public_key, "agent_signature_invalid")


@pytest.mark.parametrize("signature", [b"", bytes(63), bytes(64), bytes(65), b"\xff" * 64])
@pytest.mark.parametrize("signer", [SIGNER, P256], ids=["Ed25519", "ES256"])
def test_signatures_of_any_other_size_or_content(signer: act.KeyPair, signature: bytes) -> None:
    opened = open_object(resign(seal(RECEIPT, CLAIMS, signer), signature))
    with refused("receipt_signature_invalid", "receipt"):
        opened.check_signature(signer.public_key, "receipt_signature_invalid")


def test_a_signature_of_another_object_does_not_fit() -> None:
    other = cbor.decode_sign1(seal(MANDATE, CLAIMS | {"iat": 2}, SIGNER))[2]
    opened = open_object(resign(seal(MANDATE, CLAIMS, SIGNER), other))
    with refused("credential_signature_invalid", "mandate"):
        opened.check_signature(SIGNER.public_key, "credential_signature_invalid")


def test_more_header_forms_than_the_cache_holds() -> None:
    """The cache of headers is bounded, and what comes back after it was emptied is the same."""
    first = seal(MANDATE, CLAIMS, SIGNER)
    for number in range(1_100):
        kid = number.to_bytes(32)
        assert open_object(reseal(first, SIGNER, header={4: kid})).kid == kid
    assert open_object(first).kid == SIGNER.kid
    with refused("header_unknown", "object.protected"):
        open_object(reseal(first, SIGNER, header={2: [1]}))

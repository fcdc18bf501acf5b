"""act.envelope, for any bytes and any claims."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import act
from act.envelope.claims import Fields, read_fields, read_id, read_text, read_texts
from act.envelope.kinds import KINDS, Kind
from act.envelope.objects import Opened, open_object, seal
from act.wire import cbor
from tests.support.choices import Choices, built, promised
from tests.support.strategies import cbor_value, cbor_values
from tests.support.world import P256_ORDER, identity_of, key, refused, resign, seal_raw, twin

_NAMES = ("iss", "sub", "aud", "exp", "nbf", "iat", "cti", "cnf", "status", "act")


def claims_of(choices: Choices) -> dict[str, Any]:
    """Claims of known names with any values."""
    return {name: cbor_value(choices) for name in choices.some(_NAMES)}


def sealed(choices: Choices) -> tuple[Kind, dict[str, Any], act.KeyPair]:
    """A kind of object, its claims, and who signs it."""
    return choices.pick(KINDS), claims_of(choices), key("signer", choices.pick(("Ed25519", "ES256")))


claims = built(claims_of)


@promised
@given(built(sealed))
def test_round_trip(case: tuple[Kind, dict[str, Any], act.KeyPair]) -> None:
    kind, values, signer = case
    data = seal(kind, values, signer)
    opened = open_object(data, kind)
    assert (opened.kind, opened.kid, opened.claims) == (kind, signer.kid, values)
    opened.check_signature(signer.public_key, "order_signature_invalid")
    assert seal(kind, opened.claims, signer) == data


@given(claims, st.data())
def test_identity_depends_on_what_was_signed_and_on_nothing_else(values: dict[str, Any], data: st.DataObject) -> None:
    signer = key("signer", "ES256")
    sealed = seal(KINDS[0], values, signer)
    assert identity_of(twin(sealed)) == identity_of(sealed)
    other = resign(sealed, data.draw(st.binary(min_size=64, max_size=64)))
    assert identity_of(other) == identity_of(sealed)
    changed = seal(KINDS[0], values | {"iat": -1}, signer)
    assert (identity_of(changed) == identity_of(sealed)) == (values.get("iat") == -1)


@given(st.binary(max_size=300) | st.binary(max_size=100).map(lambda rest: b"\xd2\x84" + rest))
def test_any_bytes_are_opened_or_refused(data: bytes) -> None:
    try:
        assert isinstance(open_object(data), Opened)
    except act.Refused as refusal:
        assert refusal.where.startswith("object") or refusal.where == ""


headers = st.dictionaries(st.sampled_from([1, 2, 4, 5, 16, -1, "alg", "typ"]), cbor_values, max_size=4)
likely_headers = st.fixed_dictionaries(
    {1: st.sampled_from([-19, -9, -8, -7, "none"]), 4: st.just(key("signer").kid) | cbor_values},
    optional={16: st.sampled_from([kind.cose_typ for kind in KINDS]) | cbor_values},
)


@given(headers | likely_headers, cbor_values)
def test_any_header_and_payload_is_opened_or_refused(header: dict[Any, Any], payload: object) -> None:
    data = seal_raw(header, payload, key("signer"))
    try:
        opened = open_object(data)
    except act.Refused:
        return
    assert header.keys() == {1, 4, 16}
    assert isinstance(payload, dict)
    assert len(opened.claims) == len(payload)


@given(st.binary(max_size=100))
def test_any_signature_somebody_made_up_is_refused(signature: bytes) -> None:
    for signer in (key("signer"), key("signer", "ES256")):
        opened = open_object(resign(seal(KINDS[0], {"iss": "a"}, signer), signature))
        with refused("credential_signature_invalid", "mandate"):
            opened.check_signature(signer.public_key, "credential_signature_invalid")


@given(st.integers(0, P256_ORDER + 5), st.integers(0, P256_ORDER + 5))
def test_any_r_and_s_somebody_made_up_is_refused(r: int, s: int) -> None:
    signer = key("signer", "ES256")
    opened = open_object(resign(seal(KINDS[0], {"iss": "a"}, signer), r.to_bytes(32) + s.to_bytes(32)))
    with refused("credential_signature_invalid", "mandate"):
        opened.check_signature(signer.public_key, "credential_signature_invalid")


FIELDS = Fields({"name": read_text, "id": read_id}, {"tags": read_texts})


@given(cbor_values | st.dictionaries(st.sampled_from(["name", "id", "tags", "other"]), cbor_values))
def test_any_value_has_exactly_the_fields_of_the_table_or_is_refused(value: Any) -> None:
    try:
        read = read_fields(FIELDS, value, "place")
    except act.Refused as refusal:
        assert refusal.where.startswith("place")
        return
    assert {"name", "id"} <= read.keys() <= {"name", "id", "tags"}
    assert read.keys() == value.keys()


@given(st.binary(max_size=200), st.binary(max_size=200), st.binary(max_size=80))
def test_any_three_strings_in_the_right_frame(protected: bytes, payload: bytes, signature: bytes) -> None:
    try:
        open_object(cbor.encode_sign1(protected, payload, signature))
    except act.Refused as refusal:
        assert refusal.code in {
            "envelope_invalid",
            "header_unknown",
            "algorithm_not_allowed",
            "kind_unexpected",
            "cbor_invalid",
            "cbor_not_deterministic",
            "input_too_large",
            "input_too_deep",
            "claim_invalid",
            "claim_null",
            "claim_unknown",
        }

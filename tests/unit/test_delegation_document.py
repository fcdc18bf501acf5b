"""act.delegation.document: a mandate as people write it, in JSON under ACT's names."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

import act
from act.delegation.constraints import Currency, DelegationMode, Validity
from act.errors import InvalidCall
from tests.support.world import ABSENT, AGENT, END_SECONDS, PSP, START_SECONDS, WALLET, World, claims_of

WORLD = World()
MINIMAL = {
    "issuer": WALLET,
    "ledger": PSP,
    "delegator_identity": "user:lin",
    "agent_id": AGENT,
    "intent_id": "intent-1",
    "validity_start_time": "2026-02-06T08:00:00Z",
    "validity_end_time": "2026-02-07T00:00:00Z",
    "max_total_amount": "200.00",
}


def _wrong(document: Any) -> InvalidCall:
    with pytest.raises(InvalidCall) as caught:
        act.Mandate.from_json(document)
    assert caught.value.code == "draft_invalid"
    assert caught.value.facts["reason"]
    return caught.value


def test_a_minimal_document_gets_acts_defaults() -> None:
    mandate = act.Mandate.from_json(MINIMAL)
    assert mandate.constraint(DelegationMode).mode == "SPECIFIED"
    assert mandate.constraint(Currency).code == "CNY"
    assert mandate.constraint(Validity) == Validity(START_SECONDS, END_SECONDS)
    assert UUID(mandate.delegation_id).version == 4
    assert act.Mandate.from_json(MINIMAL).delegation_id != mandate.delegation_id


def test_text_bytes_and_plain_values_are_the_same() -> None:
    document = MINIMAL | {"delegation_id": "urn:uuid:00010203-0405-4607-8809-0a0b0c0d0e0f"}
    text = json.dumps(document)
    assert act.Mandate.from_json(document) == act.Mandate.from_json(text) == act.Mandate.from_json(text.encode())


@pytest.mark.parametrize("written", ["200.00", '"200.00"', "200", "200.0", "2e2"])
def test_amounts_are_strings_or_numbers_and_always_exact(written: str) -> None:
    text = json.dumps(MINIMAL).replace('"200.00"', written)
    if "e" in written:
        assert "json_invalid" in str(_wrong(text).facts["reason"])
        return
    mandate = act.Mandate.from_json(text)
    iac = act.mint(mandate, signer=WORLD.agent, holder=WORLD.agent.public_key, at=WORLD.clock())
    assert claims_of(iac)["act"]["max_total_amount"] == "200.00"
    assert claims_of(iac)["act"]["currency"] == "CNY"


@pytest.mark.parametrize("value", [Decimal("200.001"), 0, -1, Decimal("0.009"), 10**17, Decimal("1e2") ** 9])
def test_numbers_that_are_no_amount(value: object) -> None:
    error = _wrong(MINIMAL | {"max_total_amount": value})
    assert error.where == "max_total_amount"


@pytest.mark.parametrize("value", [200.0, True, None, [], "2e2", "200", "1_000.00", "\uff12.00", Decimal("NaN")])
def test_values_that_are_no_amount(value: object) -> None:
    assert _wrong(MINIMAL | {"max_total_amount": value}).where.startswith("max_total_amount")


@pytest.mark.parametrize(
    "text",
    ["2f3c1d9e-0000-4000-8000-000000000001", "urn:uuid:2f3c1d9e-0000-4000-8000-000000000001"],
)
def test_delegation_ids(text: str) -> None:
    assert act.Mandate.from_json(MINIMAL | {"delegation_id": text}).delegation_id == UUID(text).urn


@pytest.mark.parametrize("text", ["1", "D-2026-0001", " 2f3c1d9e-0000-4000-8000-000000000001", "https://example/2f3c1d9e"])
def test_an_id_of_the_wallets_own_making_is_kept_as_it_is(text: str) -> None:
    assert act.Mandate.from_json(MINIMAL | {"delegation_id": text}).delegation_id == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2F3C1D9E-0000-4000-8000-000000000001",
        "{2f3c1d9e-0000-4000-8000-000000000001}",
        "2f3c1d9e000040008000000000000001",
        "URN:UUID:2f3c1d9e-0000-4000-8000-000000000001",
        "urn:uuid:urn:uuid:2f3c1d9e-0000-4000-8000-000000000001",
        "urn:uuid:1",
        "D-1\u200b",
    ],
)
def test_a_uuid_in_another_form_and_what_is_no_text_are_refused(text: str) -> None:
    assert _wrong(MINIMAL | {"delegation_id": text}).where == "delegation_id"


@pytest.mark.parametrize(
    "change, where",
    [
        ({"issuer": ABSENT}, "issuer"),
        ({"ledger": ABSENT}, "ledger"),
        ({"delegator_identity": ABSENT}, "delegator_identity"),
        ({"agent_id": ABSENT}, "agent_id"),
        ({"intent_id": ABSENT}, "intent_id"),
        ({"validity_start_time": ABSENT}, "validity_start_time"),
        ({"validity_end_time": ABSENT}, "validity_end_time"),
        ({"max_total_amount": ABSENT}, "max_total_amount"),
        ({"issuer": 1}, "issuer"),
        ({"comment": "x"}, "comment"),
        ({"max_single_amount": "1.00"}, "max_single_amount"),
        ({"validity_start_time": "2026-02-06"}, "validity_start_time"),
        ({"validity_end_time": "2026-02-07T00:00:00+00:00"}, "validity_end_time"),
        ({"validity_end_time": "2026-02-06T08:00:00Z"}, "validity"),
        ({"validity_start_time": "1960-01-01T00:00:00Z"}, "validity_start_time"),
        ({"delegation_mode": "bounded"}, "delegation_mode"),
        ({"currency": "XXX"}, "currency"),
        ({"currency": "RMB"}, "currency"),
        ({"allowed_payment_methods": []}, "allowed_payment_methods"),
        ({"allowed_payment_methods": ["a", "a"]}, "allowed_payment_methods"),
        ({"allowed_payment_methods": "balance"}, "allowed_payment_methods"),
        ({"user_confirmation_method": "passkey"}, "user_confirmation_timestamp"),
        ({"user_confirmation_timestamp": "2026-02-06T08:00:00Z"}, "user_confirmation_timestamp"),
        ({"user_confirmation_method": "passkey", "user_confirmation_timestamp": "now"}, "user_confirmation_timestamp"),
        ({"ext": []}, "ext"),
        ({"ext": {"quota": {"times_limit": 1}}}, "ext.quota"),
        ({"ext": {"commerce": {"max_daily_amount": "1.00"}}}, "ext.commerce.max_daily_amount"),
        ({"ext": {"commerce": {"max_single_amount": "200.01"}}}, "ext.commerce.max_single_amount"),
        ({"ext": {"commerce": {"max_single_amount": "1"}}}, "ext.commerce.max_single_amount"),
        ({"ext": {"commerce": {"max_single_amount": Decimal("1.001")}}}, "ext.commerce.max_single_amount"),
        ({"ext": {"commerce": {"allowed_merchants": []}}}, "ext.commerce.allowed_merchants"),
        ({"ext": {"commerce": {"allowed_categories": ["tea", 1]}}}, "ext.commerce.allowed_categories.1"),
    ],
)
def test_a_wrong_document_is_named_with_the_place(change: dict[str, object], where: str) -> None:
    document = {name: value for name, value in (MINIMAL | change).items() if value is not ABSENT}
    assert _wrong(document).where == where


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"a":1,"a":2}', '{"issuer": NaN}', "\ufeff{}", "[" * 50, b"\xff"])
def test_what_is_no_json_document(text: str | bytes) -> None:
    _wrong(text)


def test_vendor_private_is_carried() -> None:
    private = {"color": "red", "list": [1, {"a": True}]}
    mandate = act.Mandate.from_json(MINIMAL | {"ext": {"vendor_private": private}})
    assert mandate.vendor_private == private
    iac = act.mint(mandate, signer=WORLD.agent, holder=WORLD.agent.public_key, at=WORLD.clock())
    assert claims_of(iac)["act"]["ext"] == {"vendor_private": private}

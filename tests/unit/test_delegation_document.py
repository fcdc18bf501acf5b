"""act.delegation.document: a mandate as people write it, in JSON under ACT's names."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

import act
from act.delegation.constraints import Currency, DelegationMode, PriceDeviationTolerance, Validity
from act.errors import InvalidCall
from tests.support.world import ABSENT, AGENT, END_SECONDS, PSP, SHOP, START_SECONDS, WALLET, World, claims_of

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
    "ext": {"commerce": {"allowed_merchants": [SHOP]}},
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
        ({"issuer": ""}, "issuer"),
        ({"ledger": "psp-1\n"}, "ledger"),
        ({"delegator_identity": "x" * 257}, "delegator_identity"),
        ({"agent_id": "agent:\u202etea"}, "agent_id"),
        ({"intent_id": ""}, "intent_id"),
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
        ({"ext": {"coupon": {"times_limit": 1}}}, "ext.coupon"),
        ({"ext": {"quota": {"times": 1}}}, "ext.quota.times"),
        ({"ext": {"quota": {"times_limit": 0}}}, "ext.quota.times_limit"),
        ({"ext": {"quota": {"times_limit": True}}}, "ext.quota.times_limit"),
        ({"ext": {"quota": {"refund_restores": 1}}}, "ext.quota.refund_restores"),
        ({"ext": {"quota": {"periods": []}}}, "ext.quota.periods"),
        ({"ext": {"quota": {"periods": [{"sliding_seconds": 60}]}}}, "ext.quota.periods.0.max_amount"),
        ({"ext": {"quota": {"periods": [{"sliding_seconds": 60, "max_amount": "1"}]}}}, "ext.quota.periods.0.max_amount"),
        (
            {"ext": {"quota": {"periods": [{"sliding_seconds": 60, "max_amount": Decimal("1.001")}]}}},
            "ext.quota.periods.0.max_amount",
        ),
        (
            {"ext": {"quota": {"periods": [{"period_unit": "DAY", "period_count": 1, "anchor": "2026-01-01"}]}}},
            "ext.quota.periods.0.time_zone",
        ),
        ({"ext": {"schedule": {}}}, "ext.schedule.time_zone"),
        ({"ext": {"schedule": {"time_zone": "asia/shanghai", "weekdays": ["MON"]}}}, "ext.schedule.time_zone"),
        ({"ext": {"schedule": {"time_zone": "UTC"}}}, "ext.schedule.weekdays"),
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


EVERY_BLOCK: dict[str, Any] = {
    "items": [{"sku": "tea", "max_quantity": 2, "max_unit_amount": 20, "confirmed_unit_amount": Decimal("18.5")}],
    "agent_behavior": {
        "price_deviation_tolerance": Decimal("2.50"),
        "price_deviation_action": "AUTO_CANCEL",
        "on_payment_failure": "AUTO_RETRY",
        "max_retry_count": 2,
    },
    "fulfillment": {"delivery_time_requirement": "PT30M", "delivery_address": "A" * 43},
    "step_up": {"above_amount": 50},
    "delegation": {"max_depth": 1},
    "status": {"max_staleness": [{"seconds": 60}, {"seconds": 0, "above_amount": "50.00"}], "on_revoke": "void"},
}


def test_every_block_is_read_and_written_exactly() -> None:
    mandate = act.Mandate.from_json(MINIMAL | {"ext": EVERY_BLOCK})
    iac = act.mint(mandate, signer=WORLD.agent, holder=WORLD.agent.public_key, at=WORLD.clock())
    assert claims_of(iac)["act"]["ext"] == {
        "items": [{"sku": "tea", "max_quantity": 2, "max_unit_amount": "20.00", "confirmed_unit_amount": "18.50"}],
        "agent_behavior": EVERY_BLOCK["agent_behavior"] | {"price_deviation_tolerance": "2.5"},
        "fulfillment": {"delivery_time_requirement": "PT30M", "delivery_address": bytes(32)},
        "step_up": {"above_amount": "50.00"},
        "delegation": {"max_depth": 1},
        "status": EVERY_BLOCK["status"],
    }


@pytest.mark.parametrize(
    "written, signed",
    [(5, "5"), ("5", "5"), ("5.00", "5"), (Decimal("5.0"), "5"), ("0.50", "0.5"), (0, "0"), (100, "100")],
)
def test_percentages_lose_the_zeros_that_say_nothing(written: object, signed: str) -> None:
    behavior = {"agent_behavior": {"price_deviation_tolerance": written}}
    mandate = act.Mandate.from_json(MINIMAL | {"ext": EVERY_BLOCK | behavior})
    assert mandate.constraint(PriceDeviationTolerance).encode() == signed


@pytest.mark.parametrize(
    "ext, where",
    [
        ({"items": []}, "ext.items"),
        ({"items": [{"sku": "a"}, {"color": "red"}]}, "ext.items.1.color"),
        ({"items": [{"sku": "a", "max_unit_amount": Decimal("1.001")}]}, "ext.items.0.max_unit_amount"),
        ({"items": [{"sku": "a", "max_quantity": Decimal("1.0")}]}, "ext.items.0.max_quantity"),
        ({"agent_behavior": {"price_deviation_tolerance": "5"}}, "ext.agent_behavior.price_deviation_tolerance"),
        ({"agent_behavior": {"price_deviation_tolerance": Decimal("5.125")}}, "ext.agent_behavior.price_deviation_tolerance"),
        ({"agent_behavior": {"price_deviation_tolerance": True}}, "ext.agent_behavior.price_deviation_tolerance"),
        ({"agent_behavior": {"max_retry_count": "1"}}, "ext.agent_behavior.max_retry_count"),
        ({"fulfillment": {"delivery_address": "1 Lake Road"}}, "ext.fulfillment.delivery_address"),
        ({"fulfillment": {"delivery_time_requirement": "tomorrow"}}, "ext.fulfillment.delivery_time_requirement"),
        ({"step_up": {}}, "ext.step_up.above_amount"),
        ({"delegation": {"max_depth": 9}}, "ext.delegation.max_depth"),
        ({"status": {"max_staleness": [{"seconds": 1}, {"seconds": 0, "above_amount": "x"}]}},
         "ext.status.max_staleness.1.above_amount"),
        ({"status": {"on_revoke": "keep"}}, "ext.status.on_revoke"),
        ({}, "delegation_mode"),
    ],
)  # fmt: skip
def test_a_wrong_block_is_named_with_the_place(ext: dict[str, Any], where: str) -> None:
    error = _wrong(MINIMAL | {"ext": ext})
    assert error.where.startswith(where)


def test_vendor_private_is_carried() -> None:
    private = {"color": "red", "list": [1, {"a": True}]}
    commerce = {"allowed_merchants": [SHOP]}
    mandate = act.Mandate.from_json(MINIMAL | {"ext": {"commerce": commerce, "vendor_private": private}})
    assert mandate.vendor_private == private
    iac = act.mint(mandate, signer=WORLD.agent, holder=WORLD.agent.public_key, at=WORLD.clock())
    assert claims_of(iac)["act"]["ext"] == {"commerce": commerce, "vendor_private": private}

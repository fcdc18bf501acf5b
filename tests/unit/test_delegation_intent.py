"""act.delegation.intent: from a draft to the confirmed record, and to the mandate selected from it."""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

import act
from act.delegation import intent
from act.delegation.constraints import MaxTotalAmount, Validity
from act.delegation.credential import open_credential
from act.errors import InvalidCall, Refused
from tests.support.world import ABSENT, AGENT, END_SECONDS, NOW, NOW_SECONDS, PRINCIPAL, PSP, SHOP, START_SECONDS, WALLET, key

TEXT = "Milk tea for the team, at most 200 yuan."
DRAFT: dict[str, Any] = {
    "conversation_history": {"user_intent_raw": TEXT, "input_mode": ["VOICE"]},
    "intent_id": "intent-1",
    "delegation_mode": "BOUNDED",
    "validity_start_time": "2026-02-06T08:00:00Z",
    "validity_end_time": "2026-02-07T00:00:00Z",
    "max_total_amount": "200.00",
    "currency": "CNY",
    "allowed_payment_methods": ["balance"],
    "agent_id": AGENT,
    "ext": {"commerce": {"max_single_amount": "30.00", "allowed_merchants": [SHOP]}},
}
CONFIRMATION = {"user_confirmation_method": "passkey", "user_confirmation_timestamp": "2026-02-06T09:00:00Z"}
NAMES: dict[str, Any] = {"issuer": WALLET, "ledger": PSP, "delegator_identity": PRINCIPAL}
REQUIRED = sorted(DRAFT.keys() - {"intent_id", "ext"})


def _document(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in (DRAFT | changes).items() if value is not ABSENT}


def _draft(**changes: Any) -> act.Isr:
    return act.Isr.from_json(_document(**changes))


def _confirmed(**changes: Any) -> act.Isr:
    return _draft(**changes).confirm(method="passkey", at=NOW)


def _wrong(document: Any) -> InvalidCall:
    with pytest.raises(InvalidCall) as caught:
        act.Isr.from_json(document)
    assert caught.value.code == "draft_invalid"
    return caught.value


# --- drafts ------------------------------------------------------------------------------------------------------------


def test_a_complete_draft_lacks_nothing_but_the_confirmation() -> None:
    draft = _draft()
    assert (draft.missing, draft.is_confirmed) == ((), False)
    assert {each.path for each in draft.constraints} >= {"validity", "currency", "ext.commerce.allowed_merchants"}
    assert act.Isr.from_json(draft.to_json()) == draft


@pytest.mark.parametrize("name", REQUIRED)
def test_what_is_missing_is_named(name: str) -> None:
    draft = _draft(**{name: ABSENT})
    assert draft.missing == (name,)
    with pytest.raises(InvalidCall) as caught:
        draft.confirm(method="passkey", at=NOW)
    assert (caught.value.code, caught.value.where, caught.value.facts["missing"]) == ("draft_invalid", name, name)
    assert _wrong(_document(**{name: ABSENT}) | CONFIRMATION).where == name


def test_an_empty_draft_lacks_everything_in_a_fixed_order() -> None:
    empty = act.Isr.from_json("{}")
    assert set(empty.missing) == set(REQUIRED)
    assert (empty.constraints, empty.summary()) == ((), ())
    assert _wrong(CONFIRMATION).facts["missing"] == ", ".join(empty.missing)


def test_without_a_currency_no_amount_is_read() -> None:
    draft = _draft(currency=ABSENT)
    assert (draft.missing, draft.constraints) == (("currency",), ())


@pytest.mark.parametrize(
    "change, where",
    [
        ({"wish": "x"}, "wish"),
        ({"source_isr_digest": "x"}, "source_isr_digest"),
        ({"issuer": WALLET}, "issuer"),
        ({"agent_id": ""}, "agent_id"),
        ({"agent_id": "a\n"}, "agent_id"),
        ({"intent_id": "x" * 257}, "intent_id"),
        ({"intent_id": 1}, "intent_id"),
        ({"delegation_mode": "bounded"}, "delegation_mode"),
        ({"validity_start_time": "2026-02-06"}, "validity_start_time"),
        ({"validity_end_time": "2026-02-06T08:00:00Z"}, "validity"),
        ({"validity_end_time": "2026-02-06T08:00:00Z", "currency": ABSENT}, "validity"),
        ({"delegation_mode": "FOO", "currency": ABSENT}, "delegation_mode"),
        ({"allowed_payment_methods": [], "currency": ABSENT}, "allowed_payment_methods"),
        ({"max_total_amount": Decimal("0.0000001"), "currency": ABSENT}, ""),
        ({"validity_end_time": "soon", "validity_start_time": ABSENT}, "validity_end_time"),
        ({"max_total_amount": "0.00"}, "max_total_amount"),
        ({"max_total_amount": Decimal("200.001")}, "max_total_amount"),
        ({"currency": "XXX"}, "currency"),
        ({"allowed_payment_methods": []}, "allowed_payment_methods"),
        ({"user_confirmation_method": "passkey"}, "user_confirmation_timestamp"),
        ({"user_confirmation_timestamp": "2026-02-06T09:00:00Z"}, "user_confirmation_timestamp"),
        (CONFIRMATION | {"user_confirmation_method": ""}, "user_confirmation_method"),
        (CONFIRMATION | {"user_confirmation_timestamp": "2026-02-07T00:00:00Z"}, "user_confirmation_timestamp"),
        ({"ext": []}, "ext"),
        ({"ext": {"magic": {"x": 1}}}, "ext.magic"),
        ({"ext": {"commerce": {"max_daily_amount": "1.00"}}}, "ext.commerce.max_daily_amount"),
        ({"ext": {"commerce": {"max_single_amount": "200.01"}}}, "ext.commerce.max_single_amount"),
        ({"ext": {"vendor_private": {"x": Decimal("0.5")}}}, "ext.vendor_private"),
        ({"conversation_history": {"user_intent_raw": ""}}, "conversation_history.user_intent_raw"),
        ({"conversation_history": {}}, "conversation_history.user_intent_raw"),
    ],
)
def test_a_wrong_record_is_named_with_the_place(change: dict[str, Any], where: str) -> None:
    assert _wrong(_document(**change)).where == where


@pytest.mark.parametrize("text", ["", "[]", "null", '{"a":1,"a":2}', "{", b"\xff", "x" * (intent.MAX_ISR_BYTES + 1)])
def test_what_is_no_record(text: str | bytes) -> None:
    _wrong(text)


def test_a_record_is_never_larger_than_can_be_read_again() -> None:
    def padded(characters: int) -> act.Isr:
        raw = '"' * 125_000 + "x" * characters  # each quotation mark takes two bytes of the record
        return _draft(conversation_history={"user_intent_raw": raw})

    largest = padded(intent.MAX_ISR_BYTES - len(padded(0).canonical))
    assert act.Isr.from_json(largest.to_json()) == largest
    with pytest.raises(InvalidCall) as caught:
        largest.confirm(method="passkey", at=NOW)
    assert "input_too_large" in str(caught.value.facts["reason"])


def test_a_conversation_the_mandate_must_carry_is_small() -> None:
    large = {"user_intent_raw": "x" * 8_193}
    assert _draft(conversation_history=large).intent_id
    assert _wrong(_document(conversation_history=large, intent_id=ABSENT)).where == "conversation_history.user_intent_raw"
    digested = large | {
        "user_intent_raw_digest": urlsafe_b64encode(hashlib.sha256(b"x" * 8_193).digest()).rstrip(b"=").decode(),
        "context_ref": "wallet/1",
    }
    assert not _draft(conversation_history=digested, intent_id=ABSENT).missing


# --- the summary -------------------------------------------------------------------------------------------------------


def test_the_summary_is_what_the_constraints_say_of_themselves() -> None:
    draft = _draft()
    for language, first in (("en", f"{AGENT} may pay for you"), ("zh", f"代您付款的代理人：{AGENT}")):
        lines = draft.summary(language)  # type: ignore[arg-type]  # both are languages
        assert lines[0] == first
        assert list(lines[1:]) == [each.describe(language) for each in draft.constraints]  # type: ignore[arg-type]  # as above
    assert draft.summary() == draft.summary("en")


# --- the delivery address ----------------------------------------------------------------------------------------------

SALT = bytes(range(16))


def _hidden(value: object) -> Any:
    return intent._with_hidden_address({"fulfillment": {"delivery_address": value, "other": 1}, "x": 2})


def test_an_address_in_clear_becomes_its_salted_digest() -> None:
    salt = urlsafe_b64encode(SALT).rstrip(b"=").decode()
    ext, address = _hidden({"address": "杭州市西湖区 1 号", "salt": salt})
    digest = hashlib.sha256(SALT + "杭州市西湖区 1 号".encode()).digest()
    shown = urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert ext == {"fulfillment": {"delivery_address": shown, "other": 1}, "x": 2}
    assert address == "杭州市西湖区 1 号"


@pytest.mark.parametrize("fulfillment", ["x", {}, {"delivery_address": "digest"}, None])
def test_everything_else_stays_as_it_is(fulfillment: object) -> None:
    ext = {} if fulfillment is None else {"fulfillment": fulfillment}
    assert intent._with_hidden_address(ext) == (ext, None)


@pytest.mark.parametrize(
    "value, where",
    [
        ({}, ""),
        ({"address": "x"}, ""),
        ({"address": "", "salt": "A" * 22}, ""),
        ({"address": 1, "salt": "A" * 22}, ""),
        ({"address": "x", "salt": 1}, ""),
        ({"address": "x", "salt": "A" * 22, "zip": "1"}, ""),
        ({"address": "x", "salt": "A" * 20}, ".salt"),
        ({"address": "x", "salt": "A" * 22 + "=="}, ".salt"),
    ],
)
def test_an_address_without_a_good_salt_is_refused(value: object, where: str) -> None:
    with pytest.raises(Refused) as caught:
        _hidden(value)
    assert caught.value.where == f"ext.fulfillment.delivery_address{where}"


# --- confirming --------------------------------------------------------------------------------------------------------


def test_confirming_adds_how_and_when_and_nothing_else() -> None:
    draft = _draft()
    final = draft.confirm(method="passkey", at=NOW + timedelta(microseconds=999_999))
    assert json.loads(final.to_json()) == DRAFT | CONFIRMATION
    assert (final.is_confirmed, final.user_confirmation_timestamp) == (True, NOW_SECONDS)
    assert not draft.is_confirmed
    assert act.Isr.from_json(final.to_json()) == final


def test_nothing_is_confirmed_twice() -> None:
    with pytest.raises(InvalidCall) as caught:
        _confirmed().confirm(method="passkey", at=NOW)
    assert caught.value.code == "draft_invalid"


@pytest.mark.parametrize("at, is_good", [(END_SECONDS - 1, True), (END_SECONDS, False), (END_SECONDS + 1, False)])
def test_no_confirmation_comes_after_the_window(at: int, is_good: bool) -> None:
    instant = datetime.fromtimestamp(at, UTC)
    if is_good:
        assert _draft().confirm(method="pin", at=instant).user_confirmation_timestamp == at
        return
    with pytest.raises(InvalidCall) as caught:
        _draft().confirm(method="pin", at=instant)
    assert (caught.value.code, caught.value.where) == ("draft_invalid", "user_confirmation_timestamp")


@pytest.mark.parametrize("method", ["", "a\u202eb", "x" * 257, 1])
def test_the_method_is_a_name(method: Any) -> None:
    with pytest.raises(InvalidCall) as caught:
        _draft().confirm(method=method, at=NOW)
    assert (caught.value.code, caught.value.where) == ("draft_invalid", "user_confirmation_method")


def test_a_time_without_a_zone_is_a_wrong_call() -> None:
    with pytest.raises(InvalidCall):
        _draft().confirm(method="pin", at=datetime(2026, 2, 6, 9))  # noqa: DTZ001 - that is what is tested


def test_the_digest_does_not_depend_on_how_the_file_is_written() -> None:
    final = _confirmed()
    pretty = json.dumps(dict(reversed(list((DRAFT | CONFIRMATION).items()))), indent=4)
    assert act.Isr.from_json(pretty).digest == final.digest == hashlib.sha256(final.canonical).digest()
    assert act.Isr.from_json(pretty.replace("30.00", "29.00")).digest != final.digest


# --- selecting ---------------------------------------------------------------------------------------------------------


def test_the_mandate_has_what_the_record_says_and_not_the_conversation() -> None:
    record = _confirmed(ext=DRAFT["ext"] | {"vendor_private": {"colour": "red"}})
    delegation_id = UUID(int=7, version=4).urn
    old = hashlib.sha256(b"the mandate before").digest()
    mandate = record.select_mandate(**NAMES, delegation_id=delegation_id, control_proof_ref="kms.example/7", supersedes=old)
    assert (mandate.issuer, mandate.ledger, mandate.delegator_identity) == (WALLET, PSP, PRINCIPAL)
    assert (mandate.agent_id, mandate.intent_id, mandate.delegation_id) == (AGENT, "intent-1", delegation_id)
    assert mandate.constraints == record.constraints
    assert mandate.constraint(Validity) == Validity(START_SECONDS, END_SECONDS)
    assert mandate.constraint(MaxTotalAmount).amount == act.Amount(20_000, "CNY")
    assert (mandate.user_confirmation_method, mandate.user_confirmation_timestamp) == ("passkey", NOW_SECONDS)
    assert mandate.vendor_private == {"colour": "red"}
    assert (mandate.source_isr_digest, mandate.control_proof_ref) == (record.digest, "kms.example/7")
    assert (mandate.conversation_history, mandate.supersedes) == (None, old)
    iac = act.mint(mandate, signer=key(WALLET), holder=key(AGENT).public_key, at=NOW)
    assert TEXT.encode() not in iac
    assert open_credential(iac).content.mandate == mandate


def test_without_an_intent_id_the_conversation_goes_along() -> None:
    mandate = _confirmed(intent_id=ABSENT).select_mandate(**NAMES)
    assert mandate.conversation_history is not None
    assert (mandate.intent_id, mandate.conversation_history.user_intent_raw) == (None, TEXT)


def test_where_there_is_a_digest_what_was_said_stays_with_the_wallet() -> None:
    digest = urlsafe_b64encode(hashlib.sha256(TEXT.encode()).digest()).rstrip(b"=").decode()
    history = DRAFT["conversation_history"] | {"user_intent_raw_digest": digest, "context_ref": "wallet/1"}
    selected = _confirmed(intent_id=ABSENT, conversation_history=history).select_mandate(**NAMES).conversation_history
    assert selected is not None
    assert (selected.user_intent_raw, selected.context_ref, selected.input_mode) == (None, "wallet/1", ("VOICE",))
    selected.check_context(TEXT.encode())


def test_each_selection_has_an_id_of_its_own() -> None:
    record = _confirmed()
    first, second = (record.select_mandate(**NAMES) for _ in range(2))
    assert first.delegation_id != second.delegation_id
    assert first.source_isr_digest == second.source_isr_digest


def test_an_unconfirmed_record_authorizes_nothing() -> None:
    with pytest.raises(InvalidCall) as caught:
        _draft().select_mandate(**NAMES)
    assert (caught.value.code, caught.value.where) == ("draft_invalid", "user_confirmation_timestamp")


@pytest.mark.parametrize("name", [*NAMES, "control_proof_ref", "supersedes"])
@pytest.mark.parametrize("value", ["", "a\n", 1])
def test_names_are_checked_when_selecting(name: str, value: Any) -> None:
    with pytest.raises(InvalidCall) as caught:
        _confirmed().select_mandate(**(NAMES | {name: value}))
    assert (caught.value.code, caught.value.where) == ("draft_invalid", name)

"""act.errors: a closed table, and errors that carry a row of it."""

from __future__ import annotations

import copy
import pickle
import re

import pytest

from act.errors import CODES, ActError, Fault, InvalidCall, Refused, StoreFault

OF_FAULT: dict[Fault, type[ActError]] = {Fault.TOKEN: Refused, Fault.CALL: InvalidCall, Fault.STORE: StoreFault}


def test_codes_and_rules_stand_once_and_are_well_formed() -> None:
    assert len(CODES) == len({row.code for row in CODES.values()})
    for code, row in CODES.items():
        assert row.code == code
        assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", code)
        assert re.fullmatch(r"ACT-[A-Z]{2,4}[A-Z]*-[0-9]{2}", row.rule), row.rule
        assert row.meaning
        assert row.remedy
        assert not row.meaning.endswith(".")


def test_a_rule_belongs_to_one_code_but_for_shared_input_limits() -> None:
    rules: dict[str, list[str]] = {}
    for code, row in CODES.items():
        rules.setdefault(row.rule, []).append(code)
    assert {rule: codes for rule, codes in rules.items() if len(codes) > 1} == {
        "ACT-WIRE-01": ["input_too_large", "input_too_deep"]
    }


def test_the_table_is_read_only() -> None:
    with pytest.raises(TypeError):
        CODES["new_code"] = CODES["charge_closed"]  # type: ignore[index]  # that is what is tested


@pytest.mark.parametrize("code", CODES)
def test_each_code_belongs_to_exactly_one_class(code: str) -> None:
    for fault, kind in OF_FAULT.items():
        if CODES[code].fault is fault:
            error = kind(code, "place", count=3)
            assert (error.code, error.where, error.facts) == (code, "place", {"count": 3})
            assert (error.rule, error.meaning, error.remedy) == (CODES[code].rule, CODES[code].meaning, CODES[code].remedy)
        else:
            with pytest.raises(ValueError, match="code, not a"):
                kind(code)


def test_codes_outside_the_table_cannot_be_raised() -> None:
    with pytest.raises(KeyError):
        Refused("invented_code")


def test_faults_read_in_the_order_of_acts_checks() -> None:
    """PSD-PAY-DEL: agent signature, IAC, replay, the request's own terms, the mandate, money, semantics."""
    order = list(CODES)
    chosen = [
        "cbor_invalid",
        "claim_invalid",
        "agent_signature_invalid",
        "credential_signature_invalid",
        "order_signature_invalid",
        "duplicate_request",
        "wrong_ledger",
        "request_expired",
        "credential_expired",
        "credential_revoked",
        "single_limit_exceeded",
        "total_limit_exceeded",
        "payee_not_allowed",
        "call_invalid",
        "store_unavailable",
    ]
    assert sorted(chosen, key=order.index) == chosen


def test_an_error_says_what_where_and_which_facts() -> None:
    error = Refused("single_limit_exceeded", "max_single_amount", cap_minor=3000, asked_minor=3001)
    text = str(error)
    assert text.startswith("single_limit_exceeded at max_single_amount: ")
    assert "cap_minor=3000" in text
    assert "asked_minor=3001" in text
    assert str(Refused("charge_closed")).startswith("charge_closed: ")


def test_within_puts_the_place_in_front() -> None:
    inner = Refused("claim_invalid", "amount", expected="text")
    outer = inner.within("request.act")
    assert (outer.where, outer.facts, outer.code) == ("request.act.amount", {"expected": "text"}, "claim_invalid")
    assert Refused("claim_invalid").within("request").where == "request"


def test_a_place_cannot_steer_a_terminal() -> None:
    assert Refused("claim_unknown", "act.\x1b[2J\u202e茶").where == "act.\\x1b[2J\\u202e茶"
    assert Refused("claim_unknown", "a\n").within("request.\x00").where == "request.\\x00.a\\n"
    assert StoreFault("file_unreadable", "\udcff.json").where == "\\udcff.json"
    assert len(Refused("claim_unknown", "x" * 16_000).where) == 1_024
    assert len(Refused("claim_unknown", "\x1b" * 16_000).where) == 1_024


@pytest.mark.parametrize(
    "error",
    [
        Refused("wrong_ledger", "request.aud", named="psp-2", this="psp-1"),
        InvalidCall("call_invalid", "at", expected="an aware datetime"),
        StoreFault("store_full", "ledger.db", reason="disk full"),
    ],
)
def test_errors_survive_pickle_and_copy(error: ActError) -> None:
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(again) is type(error)
        assert (again.code, again.where, again.facts, str(again)) == (error.code, error.where, error.facts, str(error))


def test_a_wrong_call_is_a_value_error_and_a_refusal_is_not() -> None:
    assert issubclass(InvalidCall, ValueError)
    assert not issubclass(Refused, ValueError)
    assert not issubclass(StoreFault, ValueError)


def test_a_fresh_refusal_carries_no_receipt() -> None:
    refusal = Refused("total_limit_exceeded")
    assert refusal.receipt is None
    assert refusal.replayed is False

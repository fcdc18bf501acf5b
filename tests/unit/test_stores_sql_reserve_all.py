"""Many reservations at once: each is judged as if it came alone, whatever becomes of the others. Tests end with an audit."""

from __future__ import annotations

import os
import threading
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest

from act.errors import ActError, InvalidCall, Refused, StoreFault
from act.payment.charge import ChargeState
from act.payment.ledger import Asked, Entry, EntryKind, Outcome
from act.stores.sql import charges
from act.stores.sql.ledger import SqlLedger
from act.stores.sqlite import SqliteLedger
from tests.support.fold import audit
from tests.support.places import Place
from tests.support.reservations import MAKE_RECEIPT, digest, limit, mandate, reservation
from tests.support.restoring import Restored
from tests.support.world import NOW_SECONDS, PSP, nothing_moves

CAP = 20_000


def asked(number: int, amount: int = 1_800, of: int = 1, **changes: Any) -> Asked:
    request = reservation(number, amount, of=mandate(of), limits=[limit(CAP)], **changes)
    return Asked(request, mandate(of), MAKE_RECEIPT)


def told(answer: Outcome | Exception) -> str:
    """What an answer says, in a word."""
    if isinstance(answer, ActError):
        return f"raised {answer.code}"
    assert isinstance(answer, Outcome), answer
    if answer.refusal is not None:
        return f"recorded {answer.refusal.code}"
    assert answer.charge is not None
    return "replayed" if answer.replayed else answer.charge.state.value


def test_each_has_the_answer_it_would_have_had_alone(ledger: SqlLedger, other: Place) -> None:
    taken = cast(Any, replace(cast(Any, asked(9, order_no="T-other").request), request_identity=digest("another")))
    questions = [asked(1), asked(2, of=2), asked(3, CAP), asked(4, of=3), Asked(taken, mandate(1), MAKE_RECEIPT)]
    before = [asked(9), asked(2, of=2)]
    for each in before:
        ledger.reserve(*each)
    answers = [told(each) for each in ledger.reserve_all(questions)]
    with other.open() as alone:
        alone.bind(PSP)
        for each in before:
            alone.reserve(*each)
        expected = []
        for each in questions:
            try:
                expected.append(told(alone.reserve(*each)))
            except Refused as refusal:
                expected.append(told(refusal))
    assert answers == expected == ["HELD", "replayed", "recorded total_limit_exceeded", "HELD", "raised duplicate_request"]


def test_one_that_is_refused_takes_nothing_from_the_others_and_leaves_nothing(ledger: SqlLedger, place: Place) -> None:
    ledger.reserve(*asked(1, order_no="T-paid"))
    again = asked(2, of=5, order_no="T-paid")
    with nothing_moves(place):
        (answer,) = ledger.reserve_all([again])
    assert told(answer) == "raised order_already_paid"
    answers = ledger.reserve_all([asked(3), again, asked(4)])
    assert [told(each) for each in answers] == ["HELD", "raised order_already_paid", "HELD"]
    assert told(ledger.reserve(*asked(2, of=5))) == "HELD"  # the refused request's id is free


def test_the_total_holds_whoever_comes_first(ledger: SqlLedger) -> None:
    answers = [told(each) for each in ledger.reserve_all([asked(number, 3_000) for number in range(1, 10)])]
    assert Counter(answers) == {"HELD": 6, "recorded total_limit_exceeded": 3}


def test_the_same_request_twice_is_one_charge(ledger: SqlLedger) -> None:
    first, second = ledger.reserve_all([asked(1), asked(1)])
    assert {told(first), told(second)} == {"HELD", "replayed"}
    assert isinstance(first, Outcome)
    assert isinstance(second, Outcome)
    assert first.charge == second.charge


def test_two_payments_of_one_order_are_one_charge(ledger: SqlLedger) -> None:
    answers = [told(each) for each in ledger.reserve_all([asked(n, of=n, order_no="T-one") for n in (1, 2, 3)])]
    assert Counter(answers) == {"HELD": 1, "raised order_already_paid": 2}


def test_more_than_fit_into_one_batch(ledger: SqlLedger) -> None:
    answers = ledger.reserve_all([asked(number, 10, of=1 + number % 7) for number in range(1, 301)])
    assert Counter(map(told, answers)) == {"HELD": 300}
    charges = [each.charge for each in answers if isinstance(each, Outcome) and each.charge is not None]
    assert [each.request.request_id for each in charges] == [asked(n).request.request.request_id for n in range(1, 301)]
    assert {each.state for each in charges} == {ChargeState.HELD}


def test_one_whose_receipt_cannot_be_made_is_its_own_fault(ledger: SqlLedger) -> None:
    def too_long(entry: Entry) -> Any:
        if entry.kind is EntryKind.RESERVED:
            raise Refused("input_too_large", "receipt")
        return MAKE_RECEIPT(entry)

    broken = asked(2)._replace(make_receipt=too_long)
    assert [told(each) for each in ledger.reserve_all([asked(1), broken, asked(3)])] == [
        "HELD",
        "raised input_too_large",
        "HELD",
    ]


def test_a_mandate_whose_key_was_compromised_is_judged_among_the_others(ledger: SqlLedger) -> None:
    late = cast(Any, replace(cast(Any, asked(2, of=2).request), pinned_before=NOW_SECONDS))
    answers = ledger.reserve_all([asked(1), Asked(late, mandate(2), MAKE_RECEIPT), asked(3)])
    assert [told(each) for each in answers] == ["HELD", "raised key_compromised", "HELD"]


def test_nothing_asked_is_nothing_done(ledger: SqlLedger, place: Place) -> None:
    with nothing_moves(place):
        assert list(ledger.reserve_all([])) == []


def test_a_ledger_that_is_closed_says_so_of_each(place: Place) -> None:
    with place.open() as ledger:
        ledger.bind(PSP)
    answers = ledger.reserve_all([asked(1), asked(2)])
    assert all(isinstance(each, StoreFault) for each in answers)
    assert len({id(each) for each in answers}) == 2


def test_after_a_fork_nothing_is_asked(ledger: SqlLedger, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    own = os.getpid()
    with nothing_moves(place):
        monkeypatch.setattr(os, "getpid", lambda: own + 1)
        with pytest.raises(InvalidCall):
            ledger.reserve_all([asked(1)])
        monkeypatch.undo()


def test_a_ledger_from_a_backup_is_asked_in_vain_until_it_was_reconciled(tmp_path: Path) -> None:
    path, copy = tmp_path / "ledger.db", tmp_path / "copy.db"
    with SqliteLedger(path) as ledger:
        ledger.bind(PSP)
        known = ledger.reserve(*asked(1))
        restored = Restored.of(ledger, copy)
    with restored.open() as frozen, nothing_moves(copy):
        assert [told(each) for each in frozen.reserve_all([asked(1), asked(2)])] == ["raised store_frozen"] * 2
    restored.reconcile(complete=True)
    with restored.open() as thawed:
        answers = thawed.reserve_all([asked(1), asked(2), asked(3, of=7)])
    assert [told(each) for each in answers] == ["replayed", "HELD", "raised credential_forgotten"]
    assert isinstance(answers[0], Outcome)
    assert answers[0].charge == known.charge
    audit(copy)


def test_ids_are_in_the_order_of_time_and_of_their_making() -> None:
    ids = [charges.new_id(at) for at in (NOW_SECONDS, NOW_SECONDS, NOW_SECONDS, NOW_SECONDS + 1, NOW_SECONDS + 1)]
    assert ids == sorted(set(ids))
    assert {len(each) for each in ids} == {35}
    assert charges.new_id(NOW_SECONDS) < ids[-1]  # by a clock that went back
    numbers = [int(each[-22:], 16) for each in ids[:3]]
    assert all(0 < later - earlier <= 1 << 64 for earlier, later in pairwise(numbers))


def test_an_id_never_has_more_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charges, "_last", (NOW_SECONDS, (1 << 88) - 1))
    assert len(charges.new_id(NOW_SECONDS)) == 35


def test_threads_that_make_ids_at_once_make_different_ones() -> None:
    made: list[list[str]] = [[] for _ in range(4)]

    def make(ids: list[str]) -> None:
        ids.extend(charges.new_id(NOW_SECONDS) for _ in range(5_000))

    threads = [threading.Thread(target=make, args=(each,)) for each in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({each for ids in made for each in ids}) == 20_000

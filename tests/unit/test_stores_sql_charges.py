"""What becomes of a charge: parts, refunds and ended holds, and what each leaves of every limit. Tests end with an audit."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from act.calendar import Window
from act.delegation.limits import Limit, Unit
from act.errors import InvalidCall
from act.payment.charge import HOLD_SECONDS, ChargeRecord, ChargeState, usage_of
from act.payment.ledger import EntryKind, MandateRecord, Outcome
from act.payment.receipt import recorded_receipt
from act.stores.sql.ledger import SqlLedger
from tests.support.places import Place
from tests.support.reservations import MAKE_RECEIPT, TOTAL, limit, mandate, reservation
from tests.support.world import NOW_SECONDS, nothing_moves, refused

CAP: Final = 20_000
END: Final = NOW_SECONDS + HOLD_SECONDS
TIMES, PERIOD, SLIDING = (
    "ext.quota.times_limit",
    "ext.quota.periods.0.max_amount@2026-02-06",
    "ext.quota.periods.1.max_amount~60",
)
RESTORING: Final = replace(mandate(), refund_restores=True)


def limits_at(at: int = NOW_SECONDS) -> list[Limit]:
    """One limit of every kind."""
    window = Window(NOW_SECONDS - 10, NOW_SECONDS + 10, "2026-02-06")
    return [
        limit(CAP),
        Limit(TIMES, 3, "times_limit_exceeded", Unit.TIMES),
        Limit(PERIOD, 9_000, "period_amount_exceeded", Unit.AMOUNT, window),
        Limit(SLIDING, 9_000, "period_amount_exceeded", Unit.AMOUNT, None, 60, at - 60),
    ]


def held(ledger: SqlLedger, number: int = 1, amount: int = 1_800, of: MandateRecord | None = None) -> ChargeRecord:
    """A new charge under every kind of limit."""
    record = of or mandate()
    return charge_of(ledger.reserve(reservation(number, amount, of=record, limits=limits_at()), record, MAKE_RECEIPT))


def charge_of(outcome: Outcome) -> ChargeRecord:
    assert outcome.charge is not None
    return outcome.charge


def stands(ledger: SqlLedger, at: int = NOW_SECONDS) -> dict[str, tuple[int, int]]:
    """Held and captured of every limit."""
    status = ledger.status(mandate().key, at)
    assert status is not None
    return {each.name: (each.held, each.captured) for each in status.counters}


def everywhere(held_minor: int, captured_minor: int, times: tuple[int, int]) -> dict[str, tuple[int, int]]:
    """Counters on which amounts stand like this."""
    return dict.fromkeys((TOTAL, PERIOD, SLIDING), (held_minor, captured_minor)) | {TIMES: times}


def part(ledger: SqlLedger, charge: ChargeRecord, amount: int, number: str, at: int = NOW_SECONDS) -> Outcome:
    return ledger.capture(charge.id, amount, at, MAKE_RECEIPT, capture_no=number)


def refund(ledger: SqlLedger, charge: ChargeRecord, amount: int, number: str = "R-1", at: int = NOW_SECONDS) -> Outcome:
    return ledger.refund(charge.id, amount, number, at, MAKE_RECEIPT)


# --- parts -----------------------------------------------------------------------------------------------------------------


def test_a_part_leaves_the_rest_held(ledger: SqlLedger) -> None:
    charge = held(ledger)
    outcome = part(ledger, charge, 500, "S-1")
    taken = charge_of(outcome)
    assert (taken.state, taken.captured_minor, taken.held_minor) == (ChargeState.PARTIALLY_CAPTURED, 500, 1_300)
    assert stands(ledger) == everywhere(1_300, 500, (0, 1))
    receipt = recorded_receipt(outcome.receipt)
    assert (receipt.kind, receipt.capture_no) == (EntryKind.PARTIALLY_CAPTURED, "S-1")
    assert receipt.amount is not None
    assert receipt.amount.minor == 500


def test_parts_add_up_and_the_last_one_closes_the_hold(ledger: SqlLedger, place: Place) -> None:
    charge = held(ledger)
    part(ledger, charge, 500, "S-1")
    part(ledger, charge, 500, "S-2")
    with nothing_moves(place), refused("capture_exceeds_hold", "amount") as caught:
        part(ledger, charge, 801, "S-3")
    assert caught.value.facts == {"held_minor": 800, "asked_minor": 801}
    last = part(ledger, charge, 800, "S-3")
    assert charge_of(last).state is ChargeState.CAPTURED
    assert (recorded_receipt(last.receipt).kind, recorded_receipt(last.receipt).capture_no) == (EntryKind.CAPTURED, "S-3")
    assert stands(ledger) == everywhere(0, 1_800, (0, 1))


def test_a_final_capture_after_parts_releases_the_rest(ledger: SqlLedger, place: Place) -> None:
    charge = held(ledger)
    part(ledger, charge, 500, "S-1")
    last = ledger.capture(charge.id, 300, NOW_SECONDS, MAKE_RECEIPT)
    assert charge_of(last).captured_minor == 800
    assert stands(ledger) == everywhere(0, 800, (0, 1))
    with nothing_moves(place):
        assert ledger.capture(charge.id, 300, NOW_SECONDS, MAKE_RECEIPT).receipt == last.receipt
        with refused("charge_closed", "charge"):
            ledger.capture(charge.id, 800, NOW_SECONDS, MAKE_RECEIPT)
        with refused("charge_closed", "charge"):
            part(ledger, charge, 1, "S-2")


def test_a_part_again_is_the_same_part_and_its_number_no_other(ledger: SqlLedger, place: Place) -> None:
    charge = held(ledger)
    first = part(ledger, charge, 500, "S-1")
    part(ledger, charge, 400, "S-2")
    ledger.void(charge.id, NOW_SECONDS, MAKE_RECEIPT)
    with nothing_moves(place):
        again = part(ledger, charge, 500, "S-1", END + 1)
        assert (again.receipt, again.replayed) == (first.receipt, True)
        with refused("duplicate_capture", "amount") as caught:
            part(ledger, charge, 501, "S-1")
    assert caught.value.facts == {"recorded_minor": 500, "asked_minor": 501}


def test_a_void_after_parts_releases_the_rest_and_keeps_the_parts(ledger: SqlLedger, place: Place) -> None:
    charge = held(ledger)
    part(ledger, charge, 500, "S-1")
    voided = ledger.void(charge.id, NOW_SECONDS, MAKE_RECEIPT)
    assert (charge_of(voided).state, charge_of(voided).captured_minor) == (ChargeState.CAPTURED, 500)
    receipt = recorded_receipt(voided.receipt)
    assert receipt.kind is EntryKind.VOIDED
    assert receipt.amount is not None
    assert receipt.amount.minor == 1_300
    assert stands(ledger) == everywhere(0, 500, (0, 1))
    with nothing_moves(place):
        assert ledger.void(charge.id, NOW_SECONDS, MAKE_RECEIPT).receipt == voided.receipt
        with refused("charge_closed", "charge"):  # no capture of 1,300 ever happened
            ledger.capture(charge.id, 1_300, NOW_SECONDS, MAKE_RECEIPT)


def test_an_order_captured_in_part_is_paid(ledger: SqlLedger, place: Place) -> None:
    charge = held(ledger)
    part(ledger, charge, 500, "S-1")
    ledger.void(charge.id, NOW_SECONDS, MAKE_RECEIPT)
    again = reservation(2, 1_800, order_no="T-0001", limits=limits_at())
    with nothing_moves(place), refused("order_already_paid", "order.act.order_no"):
        ledger.reserve(again, mandate(), MAKE_RECEIPT)


# --- refunds ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("restores", [False, True])
def test_refunds_are_bounded_by_what_was_captured(ledger: SqlLedger, place: Place, restores: bool) -> None:
    record = RESTORING if restores else mandate()
    charge = held(ledger, of=record)
    with nothing_moves(place), refused("refund_exceeds_captured", "amount") as caught:
        refund(ledger, charge, 1)  # held is not captured
    assert caught.value.facts == {"left_minor": 0, "asked_minor": 1}
    ledger.capture(charge.id, 1_000, NOW_SECONDS, MAKE_RECEIPT)
    outcome = refund(ledger, charge, 400)
    assert (charge_of(outcome).state, charge_of(outcome).refunded_minor) == (ChargeState.CAPTURED, 400)
    assert stands(ledger) == everywhere(0, 600 if restores else 1_000, (0, 1))
    with nothing_moves(place), refused("refund_exceeds_captured", "amount"):
        refund(ledger, charge, 601, "R-2")
    refund(ledger, charge, 600, "R-2")
    assert stands(ledger) == everywhere(0, 0 if restores else 1_000, (0, 0 if restores else 1))
    receipt = recorded_receipt(outcome.receipt)
    assert (receipt.kind, receipt.refund_no) == (EntryKind.REFUNDED, "R-1")
    with nothing_moves(place), refused("refund_exceeds_captured", "amount"):
        refund(ledger, charge, 1, "R-3")


def test_a_refund_again_is_the_same_refund_and_its_number_no_other(ledger: SqlLedger, place: Place) -> None:
    charge = held(ledger)
    part(ledger, charge, 500, "1")
    first = refund(ledger, charge, 200, "1")  # a refund's numbers and a capture's are not the same numbers
    with nothing_moves(place):
        again = refund(ledger, charge, 200, "1", END + 1)
        assert (again.receipt, again.replayed) == (first.receipt, True)
        with refused("duplicate_refund", "amount"):
            refund(ledger, charge, 300, "1")
    refund(ledger, charge, 200, "2")
    assert ledger.charge(charge.id).refunded_minor == 400


def test_what_a_refund_restores_can_be_spent_again(ledger: SqlLedger) -> None:
    charge = held(ledger, 1, 9_000, RESTORING)
    ledger.capture(charge.id, 9_000, NOW_SECONDS, MAKE_RECEIPT)
    asked = reservation(2, 5_000, limits=limits_at())
    assert ledger.reserve(asked, RESTORING, MAKE_RECEIPT).refusal is not None
    refund(ledger, charge, 5_000)
    held(ledger, 3, 5_000, RESTORING)
    assert stands(ledger) == everywhere(5_000, 4_000, (1, 1))


def test_a_refund_moves_the_window_in_which_the_charge_was_reserved(ledger: SqlLedger) -> None:
    charge = held(ledger, of=RESTORING)
    ledger.capture(charge.id, 1_800, NOW_SECONDS, MAKE_RECEIPT)
    late = NOW_SECONDS + 3_600
    outcome = refund(ledger, charge, 800, at=late)
    counters = {each.name: each for each in recorded_receipt(outcome.receipt).counters}
    assert (counters[PERIOD].captured_before, counters[PERIOD].captured) == (1_800, 1_000)
    assert (counters[SLIDING].captured_before, counters[SLIDING].captured) == (0, 0)  # it has slid out of the last minute
    assert stands(ledger)[SLIDING] == (0, 1_000)


def test_a_refund_needs_no_living_mandate(ledger: SqlLedger) -> None:
    charge = held(ledger)
    ledger.capture(charge.id, 1_800, NOW_SECONDS, MAKE_RECEIPT)
    ledger.revoke(mandate(), NOW_SECONDS, MAKE_RECEIPT)
    assert charge_of(refund(ledger, charge, 1_800)).refunded_minor == 1_800


@pytest.mark.parametrize("asked", [0, -1])
def test_nothing_and_less_is_not_refunded(ledger: SqlLedger, place: Place, asked: int) -> None:
    charge = held(ledger)
    ledger.capture(charge.id, 1_800, NOW_SECONDS, MAKE_RECEIPT)
    with nothing_moves(place), pytest.raises(InvalidCall):
        refund(ledger, charge, asked)


def test_a_count_comes_back_only_when_everything_did_and_nothing_is_held() -> None:
    ledger_charge = ChargeRecord(
        "ch", reservation().request, bytes(32), bytes(32), "shop", "T", bytes(32), reservation(1, 10).amount, 4,
        ChargeState.PARTIALLY_CAPTURED, 0, 1, None, 4,
    )  # fmt: skip
    assert usage_of(ledger_charge, Unit.TIMES, refund_restores=True).total == 1
    closed = replace(ledger_charge, state=ChargeState.CAPTURED)
    assert usage_of(closed, Unit.TIMES, refund_restores=True).total == 0
    assert usage_of(closed, Unit.TIMES, refund_restores=False).total == 1
    assert usage_of(replace(closed, refunded_minor=3), Unit.TIMES, refund_restores=True).total == 1


# --- holds that have ended -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("early", [1, 0])
def test_a_payment_closes_the_ended_holds_of_its_mandate_first(ledger: SqlLedger, early: int) -> None:
    charge = charge_of(ledger.reserve(reservation(1, CAP), mandate(), MAKE_RECEIPT))
    asked = reservation(2, CAP, at=END - early)
    outcome = ledger.reserve(asked, mandate(), MAKE_RECEIPT)
    if early:
        assert outcome.refusal is not None
        assert outcome.refusal.code == "total_limit_exceeded"
        assert ledger.charge(charge.id).state is ChargeState.HELD
        return
    assert charge_of(outcome).amount.minor == CAP
    assert ledger.charge(charge.id).state is ChargeState.EXPIRED
    kinds = [recorded_receipt(each).kind for each in ledger.receipts(mandate().key)]
    assert kinds == [EntryKind.RESERVED, EntryKind.EXPIRED, EntryKind.RESERVED]


def test_an_ended_hold_no_longer_counts_even_where_nothing_closed_it(ledger: SqlLedger, place: Place) -> None:
    held(ledger)
    with nothing_moves(place):
        status = ledger.status(mandate().key, END)
        assert status is not None
        assert {each.name: each.held for each in status.counters} == {TOTAL: 0, TIMES: 0, SLIDING: 0}
        assert [each.state for each in status.charges] == [ChargeState.EXPIRED]
        before = ledger.status(mandate().key, END - 1)
        assert before is not None
        assert [each.state for each in before.charges] == [ChargeState.HELD]


def test_expiry_keeps_what_was_captured_in_parts(ledger: SqlLedger) -> None:
    charge = held(ledger)
    part(ledger, charge, 500, "S-1")
    (expired,) = ledger.expire(END, 10, MAKE_RECEIPT)
    assert (charge_of(expired).state, charge_of(expired).captured_minor) == (ChargeState.CAPTURED, 500)
    receipt = recorded_receipt(expired.receipt)
    assert receipt.kind is EntryKind.EXPIRED
    assert receipt.amount is not None
    assert receipt.amount.minor == 1_300
    assert stands(ledger) == everywhere(0, 500, (0, 1))
    assert ledger.expire(END, 10, MAKE_RECEIPT) == ()


def test_an_order_whose_hold_has_ended_may_be_paid_under_another_mandate(ledger: SqlLedger, place: Place) -> None:
    first = held(ledger)
    for at, is_free in ((END - 1, False), (END, True)):
        asked = reservation(2, 1_800, of=mandate(2), order_no="T-0001", at=at)
        if is_free:
            charge_of(ledger.reserve(asked, mandate(2), MAKE_RECEIPT))
        else:
            with nothing_moves(place), refused("order_already_paid", "order.act.order_no"):
                ledger.reserve(asked, mandate(2), MAKE_RECEIPT)
    assert ledger.charge(first.id).state is ChargeState.EXPIRED
    assert ledger.expire(END, 10, MAKE_RECEIPT) == ()


def test_an_order_captured_in_part_stays_paid_after_its_hold_ended(ledger: SqlLedger, place: Place) -> None:
    charge = held(ledger)
    part(ledger, charge, 500, "S-1")
    for number, cap in ((2, CAP), (3, 100)):  # whether or not its own limits would hold
        record = mandate(number)
        asked = reservation(number, 1_800, of=record, order_no="T-0001", at=END, limits=[limit(cap)])
        with nothing_moves(place), refused("order_already_paid", "order.act.order_no"):
            ledger.reserve(asked, record, MAKE_RECEIPT)
    again = reservation(4, 1_800, order_no="T-0001", at=END, limits=limits_at(END))
    with nothing_moves(place), refused("order_already_paid", "order.act.order_no"):
        ledger.reserve(again, mandate(), MAKE_RECEIPT)


def test_the_status_knows_what_closing_will_give_back(ledger: SqlLedger) -> None:
    """The count of a payment whose part was refunded whole comes back with the end of its hold, recorded or not."""
    charge = held(ledger, of=RESTORING)
    part(ledger, charge, 500, "S-1")
    refund(ledger, charge, 500)
    assert stands(ledger)[TIMES] == (0, 1)
    before = stands(ledger, END)
    ledger.expire(END, 10, MAKE_RECEIPT)
    assert before == stands(ledger, END)
    assert before[TIMES] == (0, 0)


def test_a_last_part_is_no_capture_without_a_number(ledger: SqlLedger, place: Place) -> None:
    charge = held(ledger, 1, 1_000)
    part(ledger, charge, 400, "S-1")
    part(ledger, charge, 600, "S-2")
    with nothing_moves(place), refused("charge_closed", "charge"):
        ledger.capture(charge.id, 600, NOW_SECONDS, MAKE_RECEIPT)


def test_a_repeated_payment_is_told_that_its_hold_expired(ledger: SqlLedger, place: Place) -> None:
    asked = reservation(1)
    ledger.reserve(asked, mandate(), MAKE_RECEIPT)
    (expired,) = ledger.expire(END, 10, MAKE_RECEIPT)
    with nothing_moves(place):
        again = ledger.reserve(asked, mandate(), MAKE_RECEIPT)
    assert (again.receipt, again.charge, again.replayed) == (expired.receipt, expired.charge, True)


def test_the_sweep_takes_no_more_than_it_was_asked_to(ledger: SqlLedger) -> None:
    for number in (1, 2, 3):
        held(ledger, number, 100, mandate(number))
    later = charge_of(ledger.reserve(reservation(4, 100, of=mandate(4), at=NOW_SECONDS + 1), mandate(4), MAKE_RECEIPT))
    assert len(ledger.expire(END, 2, MAKE_RECEIPT)) == 2
    assert len(ledger.expire(END, 2, MAKE_RECEIPT)) == 1
    assert ledger.charge(later.id).state is ChargeState.HELD
    assert [each.charge.id for each in ledger.expire(END + 1, 2, MAKE_RECEIPT) if each.charge] == [later.id]


def test_a_revocation_expires_what_has_ended_and_voids_the_rest(ledger: SqlLedger) -> None:
    record = replace(mandate(), on_revoke="void")
    ledger.reserve(reservation(1, 100, of=record), record, MAKE_RECEIPT)
    late = charge_of(ledger.reserve(reservation(2, 100, of=record, at=NOW_SECONDS + 9), record, MAKE_RECEIPT))
    part(ledger, late, 40, "S-1")
    ledger.revoke(record, END, MAKE_RECEIPT)
    kinds = [recorded_receipt(each).kind.value for each in ledger.receipts(record.key)]
    assert kinds == ["RESERVED", "RESERVED", "PARTIALLY_CAPTURED", "EXPIRED", "VOIDED", "REVOKED"]
    assert (ledger.charge(late.id).state, ledger.charge(late.id).captured_minor) == (ChargeState.CAPTURED, 40)

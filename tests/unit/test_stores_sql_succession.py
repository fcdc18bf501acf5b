"""A mandate that replaces another has what was spent under it, on every store. Each test ends with an audit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import pytest

from act.calendar import Window
from act.delegation.constraints import VOID
from act.delegation.lifecycle import Causer, LifecycleAction, MandateState
from act.delegation.limits import Limit, Unit
from act.payment.charge import HOLD_SECONDS, ChargeRecord, ChargeState
from act.payment.ledger import EntryKind, MandateRecord, Outcome
from act.payment.receipt import Receipt, recorded_receipt
from act.stores.sql.ledger import SqlLedger
from tests.support.places import Place
from tests.support.reservations import MAKE_RECEIPT, TOTAL, cause, digest, limit, links_to, mandate, reservation
from tests.support.world import NOW_SECONDS, nothing_moves, refused

SUSPEND, RESUME, REVOKE = LifecycleAction
PLACE: Final = "mandate.supersedes"
TIMES: Final = "ext.quota.times_limit"
DAY: Final = "ext.quota.periods.0.max_amount@2026-02-06"
SLIDING: Final = "ext.quota.periods.1.max_amount~600"

Limits = Callable[[int], Sequence[Limit]]


def only(cap_minor: int) -> Limits:
    """A total and nothing else."""
    return lambda at: (limit(cap_minor),)


def day(cap_minor: int, start: int = NOW_SECONDS - 1_000, end: int = NOW_SECONDS + 1_000) -> Limits:
    """What may be spent in one calendar period."""
    return lambda at: (Limit(DAY, cap_minor, "period_amount_exceeded", window=Window(start, end, "2026-02-06")),)


def sliding(cap_minor: int) -> Limits:
    return lambda at: (Limit(SLIDING, cap_minor, "period_amount_exceeded", sliding_seconds=600, since=at - 600),)


def times(cap: int) -> Limits:
    return lambda at: (Limit(TIMES, cap, "times_limit_exceeded", Unit.TIMES),)


def both(*parts: Limits) -> Limits:
    return lambda at: tuple(each for part in parts for each in part(at))


def issued(number: int, limits: Limits, *, supersedes: MandateRecord | None = None) -> MandateRecord:
    """A mandate with limits, which may replace another."""
    identity = None if supersedes is None else supersedes.identity
    return replace(mandate(number), supersedes=identity, own_limits=lambda at: tuple(limits(at)))


def pay(ledger: SqlLedger, record: MandateRecord, number: int, minor: int = 100, at: int = NOW_SECONDS) -> Outcome:
    asked = reservation(number, minor, of=record, limits=record.own_limits(at), at=at)
    return ledger.reserve(asked, record, MAKE_RECEIPT)


def held(ledger: SqlLedger, record: MandateRecord, number: int, minor: int = 100, at: int = NOW_SECONDS) -> ChargeRecord:
    outcome = pay(ledger, record, number, minor, at)
    assert outcome.charge is not None, outcome.refusal
    return outcome.charge


def told(outcome: Outcome) -> str:
    assert outcome.refusal is not None
    return outcome.refusal.code


def stands(ledger: SqlLedger, record: MandateRecord, at: int = NOW_SECONDS) -> dict[str, tuple[int, int, int]]:
    """Held, captured and cap of every limit."""
    status = ledger.status(record.key, at)
    assert status is not None
    return {each.name: (each.held, each.captured, each.cap) for each in status.counters}


def chain_of(ledger: SqlLedger, record: MandateRecord) -> list[Receipt]:
    return [recorded_receipt(each) for each in ledger.receipts(record.key)]


A: Final = issued(1, only(1_000))
B: Final = issued(3, only(1_500), supersedes=A)
C: Final = issued(5, only(2_000), supersedes=B)


def test_a_successor_has_what_was_spent(ledger: SqlLedger) -> None:
    first = held(ledger, A, 1, 700)
    ledger.capture(first.id, 500, NOW_SECONDS, MAKE_RECEIPT, capture_no="S-1")
    assert told(pay(ledger, A, 2, 400)) == "total_limit_exceeded"
    held(ledger, B, 3, 400)
    assert stands(ledger, B) == {TOTAL: (600, 500, 1_500)}
    refusal = pay(ledger, B, 4, 401).refusal
    assert refusal is not None
    assert (refusal.code, refusal.facts["left_minor"]) == ("total_limit_exceeded", 400)
    held(ledger, B, 5, 400)


def test_the_chain_of_receipts_goes_on(ledger: SqlLedger) -> None:
    held(ledger, A, 1, 700)
    held(ledger, B, 2)
    chain = chain_of(ledger, B)
    assert [each.kind for each in chain] == [EntryKind.RESERVED, EntryKind.SUCCEEDED, EntryKind.RESERVED]
    assert [each.credential for each in chain] == [A.identity, B.identity, B.identity]
    assert [each.sequence for each in chain] == [1, 2, 3]
    assert [each.previous for each in chain] == [None, chain[0].identity, chain[1].identity]
    took_over = chain[1]
    assert (took_over.supersedes, took_over.delegation_id) == (A.identity, B.key.delegation_id)
    (change,) = took_over.counters
    assert (change.name, change.cap, change.held_before, change.held) == (TOTAL, 1_500, 700, 700)
    assert chain_of(ledger, A) == chain


@pytest.mark.parametrize("end", ["capture", "void", "refund", "expire"])
def test_what_becomes_of_an_old_charge_moves_the_successors_counters(ledger: SqlLedger, end: str) -> None:
    charge = held(ledger, A, 1, 700)
    at = NOW_SECONDS + HOLD_SECONDS if end == "expire" else NOW_SECONDS
    if end == "refund":
        ledger.capture(charge.id, 700, NOW_SECONDS, MAKE_RECEIPT)
    assert ledger.register(B, NOW_SECONDS, MAKE_RECEIPT) is not None
    assert ledger.register(C, NOW_SECONDS, MAKE_RECEIPT) is not None
    if end == "capture":
        ledger.capture(charge.id, 300, NOW_SECONDS, MAKE_RECEIPT)
    elif end == "void":
        ledger.void(charge.id, NOW_SECONDS, MAKE_RECEIPT)
    elif end == "refund":
        ledger.refund(charge.id, 200, "R-1", NOW_SECONDS, MAKE_RECEIPT)
    else:
        ledger.expire(at, 10, MAKE_RECEIPT)
    captured = {"capture": 300, "refund": 700}.get(end, 0)
    assert stands(ledger, C, at) == {TOTAL: (0, captured, 2_000)}
    last = chain_of(ledger, C)[-1]
    assert (last.credential, last.trade_no) == (C.identity, charge.id)


def test_refunds_restore_the_successors_budget_where_both_say_so(ledger: SqlLedger) -> None:
    old, new = replace(A, refund_restores=True), replace(B, refund_restores=True)
    charge = held(ledger, old, 1, 700)
    ledger.capture(charge.id, 700, NOW_SECONDS, MAKE_RECEIPT)
    ledger.refund(charge.id, 100, "R-1", NOW_SECONDS, MAKE_RECEIPT)
    ledger.register(new, NOW_SECONDS, MAKE_RECEIPT)
    ledger.refund(charge.id, 200, "R-2", NOW_SECONDS, MAKE_RECEIPT)
    assert stands(ledger, new) == {TOTAL: (0, 400, 1_500)}


def test_a_cap_below_what_is_spent_leaves_nothing(ledger: SqlLedger) -> None:
    charge = held(ledger, A, 1, 900)
    small = issued(3, both(only(300), times(5)), supersedes=A)
    assert told(pay(ledger, small, 2, 1)) == "total_limit_exceeded"
    assert stands(ledger, small) == {TOTAL: (900, 0, 300), TIMES: (1, 0, 5)}
    ledger.capture(charge.id, 200, NOW_SECONDS, MAKE_RECEIPT)
    held(ledger, small, 3, 100)
    assert told(pay(ledger, small, 4, 1)) == "total_limit_exceeded"


def test_a_limit_that_is_new_counts_what_was_before(ledger: SqlLedger) -> None:
    plain = issued(1, only(5_000))
    charges = [held(ledger, plain, number, 100, NOW_SECONDS + 300 * number) for number in (1, 2, 3, 4)]
    ledger.void(charges[2].id, NOW_SECONDS + 1_200, MAKE_RECEIPT)
    at = NOW_SECONDS + 1_300
    start, end = NOW_SECONDS + 600, NOW_SECONDS + 5_000
    strict = issued(3, both(only(5_000), times(9), day(900, start, end), sliding(250)), supersedes=plain)
    ledger.register(strict, at, MAKE_RECEIPT)
    assert stands(ledger, strict, at) == {
        TOTAL: (300, 0, 5_000),
        TIMES: (3, 0, 9),
        DAY: (200, 0, 900),  # the second and the fourth
        SLIDING: (100, 0, 250),  # the fourth
    }
    ledger.capture(charges[3].id, 60, at, MAKE_RECEIPT)
    assert stands(ledger, strict, at) == {TOTAL: (200, 60, 5_000), TIMES: (2, 1, 9), DAY: (100, 60, 900), SLIDING: (0, 60, 250)}
    assert stands(ledger, strict, at + 600)[SLIDING] == (0, 0, 250)
    assert told(pay(ledger, strict, 9, 191, at)) == "period_amount_exceeded"


def test_a_new_limit_counts_what_was_given_back_as_given_back(ledger: SqlLedger) -> None:
    first = replace(issued(1, times(9)), refund_restores=True)
    charges = [held(ledger, first, number) for number in (1, 2)]
    for charge in charges:
        ledger.capture(charge.id, 100, NOW_SECONDS, MAKE_RECEIPT)
    ledger.refund(charges[0].id, 100, "R-1", NOW_SECONDS, MAKE_RECEIPT)
    ledger.refund(charges[1].id, 40, "R-1", NOW_SECONDS, MAKE_RECEIPT)
    second = replace(issued(3, both(only(1_000), sliding(800)), supersedes=first), refund_restores=True)
    ledger.register(second, NOW_SECONDS, MAKE_RECEIPT)
    assert stands(ledger, second) == {TOTAL: (0, 60, 1_000), SLIDING: (0, 60, 800)}


def test_a_new_sliding_limit_begins_where_it_always_does(ledger: SqlLedger) -> None:
    """What was reserved just so many seconds ago counts no more, a second later it does."""
    first = issued(1, only(5_000))
    for number, ago in ((1, 601), (2, 600), (4, 599)):
        held(ledger, first, number, number, NOW_SECONDS - ago)
    second = issued(3, sliding(800), supersedes=first)
    ledger.register(second, NOW_SECONDS, MAKE_RECEIPT)
    assert stands(ledger, second) == {SLIDING: (4, 0, 800)}
    rows = ledger.status(second.key, NOW_SECONDS - 1)
    assert rows is not None
    assert [each.held for each in rows.counters] == [6]  # as it would for a clock that goes back


def test_a_limit_that_is_gone_counts_no_more_and_comes_back_whole(ledger: SqlLedger) -> None:
    every = both(only(5_000), times(9), day(900), sliding(800))
    first = issued(1, every)
    bare = issued(3, only(5_000), supersedes=first)
    again = issued(5, every, supersedes=bare)
    early = [held(ledger, first, number) for number in (1, 2)]
    ledger.register(bare, NOW_SECONDS, MAKE_RECEIPT)
    late = held(ledger, bare, 3, 500)
    assert stands(ledger, bare) == {TOTAL: (700, 0, 5_000), DAY: (200, 0, 900)}  # until it turns: a clock may be behind
    ledger.capture(early[0].id, 40, NOW_SECONDS, MAKE_RECEIPT)
    ledger.void(early[1].id, NOW_SECONDS, MAKE_RECEIPT)
    ledger.register(again, NOW_SECONDS, MAKE_RECEIPT)
    assert stands(ledger, again) == {TOTAL: (500, 40, 5_000), TIMES: (1, 1, 9), DAY: (500, 40, 900), SLIDING: (500, 40, 800)}
    ledger.capture(late.id, 500, NOW_SECONDS, MAKE_RECEIPT)
    assert stands(ledger, again)[DAY] == (0, 540, 900)


def test_one_name_may_mean_another_window(ledger: SqlLedger) -> None:
    """A day that becomes a week, or moves to another zone, keeps its first date."""
    first = issued(1, day(1_000, NOW_SECONDS - 100, NOW_SECONDS + 100))
    in_it = held(ledger, first, 1, 300, NOW_SECONDS - 50)
    shifted = issued(3, day(1_000, NOW_SECONDS, NOW_SECONDS + 200), supersedes=first)
    held(ledger, shifted, 2, 200)
    assert stands(ledger, shifted)[DAY] == (200, 0, 1_000)
    ledger.capture(in_it.id, 300, NOW_SECONDS, MAKE_RECEIPT)
    assert stands(ledger, shifted)[DAY] == (200, 0, 1_000)
    week = issued(5, day(1_000, NOW_SECONDS - 500, NOW_SECONDS + 500), supersedes=shifted)
    ledger.register(week, NOW_SECONDS + 10, MAKE_RECEIPT)
    assert stands(ledger, week)[DAY] == (200, 300, 1_000)


def test_a_window_that_has_turned_stays_as_it_is(ledger: SqlLedger) -> None:
    first = issued(1, both(only(5_000), day(1_000, NOW_SECONDS - 100, NOW_SECONDS + 100)))
    charge = held(ledger, first, 1, 300)
    at = NOW_SECONDS + 100
    ledger.register(issued(3, only(5_000), supersedes=first), at, MAKE_RECEIPT)
    ledger.capture(charge.id, 300, at, MAKE_RECEIPT)
    status = ledger.status(mandate(3).key)
    assert status is not None
    assert {each.name: each.captured for each in status.counters} == {TOTAL: 300, DAY: 300}


def two_days(cap_minor: int) -> Limits:
    """What may be spent in one day: in that which ends now, or in the next."""

    def limits(at: int) -> Sequence[Limit]:
        start, mark = (NOW_SECONDS - 86_400, "2026-02-05") if at < NOW_SECONDS else (NOW_SECONDS, "2026-02-06")
        name, window = f"ext.quota.periods.0.max_amount@{mark}", Window(start, start + 86_400, mark)
        return (Limit(name, cap_minor, "period_amount_exceeded", window=window),)

    return limits


def test_a_succession_by_a_clock_that_is_behind_forgets_no_window(ledger: SqlLedger) -> None:
    first = issued(1, both(only(5_000), two_days(100)))
    held(ledger, first, 1, 100, NOW_SECONDS + 1)
    second = issued(3, both(only(5_000), two_days(100)), supersedes=first)
    ledger.register(second, NOW_SECONDS - 1, MAKE_RECEIPT)
    assert told(pay(ledger, second, 2, 1, NOW_SECONDS + 2)) == "period_amount_exceeded"
    held(ledger, second, 3, 100, NOW_SECONDS - 1)


def test_a_new_window_is_counted_on_both_sides_of_its_turn(ledger: SqlLedger) -> None:
    first = issued(1, only(5_000))
    for number, at in ((1, NOW_SECONDS - 1), (2, NOW_SECONDS + 1)):
        held(ledger, first, number, 60, at)
    second = issued(3, both(only(5_000), two_days(100)), supersedes=first)
    ledger.register(second, NOW_SECONDS + 2, MAKE_RECEIPT)
    for number, at in ((3, NOW_SECONDS + 3), (4, NOW_SECONDS - 2)):
        assert told(pay(ledger, second, number, 41, at)) == "period_amount_exceeded"
        held(ledger, second, number + 2, 40, at)


def test_a_raised_cap_holds_in_a_window_that_has_turned(ledger: SqlLedger) -> None:
    """A clock that is behind pays in it, and finds the successor's cap."""
    first = issued(1, both(only(5_000), two_days(100)))
    held(ledger, first, 1, 80, NOW_SECONDS - 20)
    second = issued(3, both(only(5_000), two_days(200)), supersedes=first)
    ledger.register(second, NOW_SECONDS + 20, MAKE_RECEIPT)
    held(ledger, second, 2, 50, NOW_SECONDS - 1)
    assert told(pay(ledger, second, 3, 71, NOW_SECONDS - 1)) == "period_amount_exceeded"


def test_a_mandate_that_has_not_begun_replaces_nothing(ledger: SqlLedger, place: Place) -> None:
    held(ledger, A, 1)
    later = replace(B, new_since=NOW_SECONDS + 11)
    for action in (SUSPEND, RESUME):
        with nothing_moves(place), refused("credential_not_yet_valid", PLACE):
            ledger.change(later, (), action, cause(), NOW_SECONDS, MAKE_RECEIPT)
    ledger.change(later, (), REVOKE, cause(2), NOW_SECONDS, MAKE_RECEIPT)
    held(ledger, A, 2)


def test_a_link_below_what_was_never_seen_is_stopped_as_well(ledger: SqlLedger) -> None:
    ledger.revoke(B, NOW_SECONDS, MAKE_RECEIPT)
    ledger.change(A, links_to(1), SUSPEND, cause(), NOW_SECONDS, MAKE_RECEIPT)
    assert told(pay(ledger, A, 1)) == "credential_superseded"


def test_the_replaced_mandate_pays_no_more(ledger: SqlLedger, place: Place) -> None:
    charge = held(ledger, A, 1)
    ledger.register(B, NOW_SECONDS, MAKE_RECEIPT)
    outcome = pay(ledger, A, 2)
    assert outcome.refusal is not None
    assert (outcome.refusal.code, outcome.refusal.where) == ("credential_superseded", "mandate")
    assert outcome.refusal.facts == {"successor": B.identity.hex()}
    said = recorded_receipt(outcome.receipt)
    assert (said.credential, said.code, said.counters) == (A.identity, "credential_superseded", ())
    with nothing_moves(place):
        again = pay(ledger, A, 2)
        assert (told(again), again.replayed, again.receipt) == ("credential_superseded", True, outcome.receipt)
        paid = pay(ledger, A, 1)
        assert paid.charge is not None
        assert (paid.replayed, paid.charge.id) == (True, charge.id)
        with refused("credential_conflict"):
            pay(ledger, replace(A, identity=digest("another")), 3)


def test_how_the_line_stands(ledger: SqlLedger) -> None:
    first = held(ledger, A, 1)
    held(ledger, B, 2)
    held(ledger, C, 3)
    at = [ledger.status(each.key, NOW_SECONDS) for each in (A, B, C)]
    assert [each.state for each in at if each] == [MandateState.REVOKED, MandateState.REVOKED, MandateState.ACTIVE]
    assert [each.predecessors for each in at if each] == [(), (A.identity,), (A.identity, B.identity)]
    assert [each.successor for each in at if each] == [C.identity, C.identity, None]
    assert [len(each.charges) for each in at if each] == [1, 2, 3]
    assert [len(each.counters) for each in at if each] == [0, 0, 1]
    assert at[0] is not None
    assert at[0].charges[0].id == first.id


def test_registering_again_moves_nothing(ledger: SqlLedger, place: Place) -> None:
    assert ledger.register(A, NOW_SECONDS, MAKE_RECEIPT) is None
    first = ledger.register(B, NOW_SECONDS, MAKE_RECEIPT)
    assert first is not None
    assert not first.replayed
    with nothing_moves(place):
        again = ledger.register(B, NOW_SECONDS + 5, MAKE_RECEIPT)
        assert again is not None
        assert (again.replayed, again.receipt) == (True, first.receipt)
        with refused("credential_superseded", "mandate"):
            ledger.register(A, NOW_SECONDS, MAKE_RECEIPT)
    ledger.revoke(B, NOW_SECONDS, MAKE_RECEIPT)
    with nothing_moves(place), refused("credential_revoked", "mandate"):
        ledger.register(B, NOW_SECONDS, MAKE_RECEIPT)


def test_an_unknown_predecessor_is_registered_first(ledger: SqlLedger, place: Place) -> None:
    """Or whoever holds a mandate's later successors would present the last and none between, and begin anew."""
    held(ledger, A, 1, 900)
    with nothing_moves(place), refused("predecessor_unknown", PLACE):
        pay(ledger, C, 2, 1_500)
    ledger.register(B, NOW_SECONDS, MAKE_RECEIPT)
    assert told(pay(ledger, C, 3, 1_500)) == "total_limit_exceeded"
    held(ledger, C, 4, 1_100)


@pytest.mark.parametrize("stop, code", [(SUSPEND, "credential_suspended"), (REVOKE, "credential_revoked")])
def test_what_is_stopped_is_not_replaced(ledger: SqlLedger, place: Place, stop: LifecycleAction, code: str) -> None:
    held(ledger, A, 1)
    ledger.change(A, (), stop, cause(), NOW_SECONDS, MAKE_RECEIPT)
    with nothing_moves(place), refused(code, PLACE):
        pay(ledger, B, 2)
    with nothing_moves(place), refused(code, PLACE):
        ledger.register(B, NOW_SECONDS, MAKE_RECEIPT)
    if stop is SUSPEND:
        ledger.change(A, (), RESUME, cause(2), NOW_SECONDS, MAKE_RECEIPT)
        held(ledger, B, 2)


def test_there_is_one_successor(ledger: SqlLedger, place: Place) -> None:
    held(ledger, A, 1)
    held(ledger, B, 2)
    other = issued(7, only(9_000), supersedes=A)
    with nothing_moves(place), refused("credential_superseded", PLACE):
        pay(ledger, other, 3)
    held(ledger, B, 3)


@pytest.mark.parametrize(
    "changed, field",
    [
        (replace(B, currency="EUR"), "currency"),
        (replace(B, refund_restores=True), "refund_restores"),
        (replace(B, format=mandate(2).format), "envelope"),
    ],
)
def test_some_things_stay(ledger: SqlLedger, place: Place, changed: MandateRecord, field: str) -> None:
    held(ledger, A, 1)
    with nothing_moves(place), refused("successor_mismatch", PLACE) as caught:
        ledger.register(changed, NOW_SECONDS, MAKE_RECEIPT)
    assert caught.value.facts["field"] == field


def test_a_successor_of_another_principals_mandate_is_refused(ledger: SqlLedger, place: Place) -> None:
    held(ledger, A, 1)
    theirs = replace(B, key=replace(B.key, delegator_identity="user:mallory"))
    with nothing_moves(place), refused("predecessor_unknown", PLACE):
        pay(ledger, theirs, 2)


def test_a_taken_delegation_id_stays_taken(ledger: SqlLedger, place: Place) -> None:
    held(ledger, A, 1)
    with nothing_moves(place), refused("credential_conflict", "mandate.delegation_id"):
        pay(ledger, replace(B, key=A.key), 2)
    held(ledger, B, 2)
    with nothing_moves(place), refused("credential_conflict", "mandate.delegation_id"):
        pay(ledger, replace(C, key=A.key), 3)


def test_an_expired_mandate_can_be_replaced_and_its_ended_holds_are_closed(ledger: SqlLedger) -> None:
    first = replace(A, expires_at=NOW_SECONDS + 10)
    held(ledger, first, 1, 900)
    at = NOW_SECONDS + HOLD_SECONDS
    held(ledger, replace(B, expires_at=at + 100), 2, 1_500, at)
    assert [each.kind for each in chain_of(ledger, B)] == [
        EntryKind.RESERVED,
        EntryKind.EXPIRED,
        EntryKind.SUCCEEDED,
        EntryKind.RESERVED,
    ]


def test_a_lost_key_replaces_nothing(ledger: SqlLedger, place: Place) -> None:
    held(ledger, A, 1)
    with nothing_moves(place), refused("key_compromised", "mandate.iss"):
        ledger.register(B, NOW_SECONDS, MAKE_RECEIPT, pinned_before=NOW_SECONDS + 1)


def test_revoking_what_was_replaced_finds_it_done(ledger: SqlLedger, place: Place) -> None:
    held(ledger, A, 1)
    took_over = ledger.register(B, NOW_SECONDS, MAKE_RECEIPT)
    assert took_over is not None
    revoked = ledger.change(A, (), REVOKE, cause(1), NOW_SECONDS, MAKE_RECEIPT)
    assert (revoked.replayed, revoked.receipt) == (True, took_over.receipt)
    assert revoked.standing is not None
    assert revoked.standing.state is MandateState.REVOKED
    with nothing_moves(place):
        assert ledger.change(A, (), REVOKE, cause(1), NOW_SECONDS, MAKE_RECEIPT) == revoked
        assert ledger.revoke(A, NOW_SECONDS, MAKE_RECEIPT).receipt == took_over.receipt
        for action in (SUSPEND, RESUME):
            with refused("transition_not_allowed", "mandate"):
                ledger.change(A, (), action, cause(2), NOW_SECONDS, MAKE_RECEIPT)
    held(ledger, B, 2)


def test_revoking_the_successor_ends_what_the_old_one_holds(ledger: SqlLedger) -> None:
    charge = held(ledger, A, 1)
    voiding = replace(B, on_revoke=VOID)
    ledger.change(voiding, (), REVOKE, cause(), NOW_SECONDS, MAKE_RECEIPT)
    assert ledger.charge(charge.id).state is ChargeState.VOIDED
    assert told(pay(ledger, voiding, 2)) == "credential_revoked"
    assert told(pay(ledger, A, 3)) == "credential_superseded"


def test_a_successor_that_may_not_take_over_can_be_revoked(ledger: SqlLedger) -> None:
    ledger.change(A, (), SUSPEND, cause(), NOW_SECONDS, MAKE_RECEIPT)
    with refused("credential_suspended", PLACE):
        ledger.change(B, (), SUSPEND, cause(3), NOW_SECONDS, MAKE_RECEIPT)
    revoked = ledger.change(B, (), REVOKE, cause(4), NOW_SECONDS, MAKE_RECEIPT)
    assert recorded_receipt(revoked.receipt).supersedes is None
    assert told(pay(ledger, B, 2)) == "credential_revoked"
    ledger.change(A, (), RESUME, cause(5), NOW_SECONDS, MAKE_RECEIPT)
    held(ledger, A, 3)


@pytest.mark.parametrize("own_word", [False, True])
def test_revoking_a_successor_stops_what_it_replaces_also_unseen(ledger: SqlLedger, place: Place, *, own_word: bool) -> None:
    """Or the agent would go back to the mandate before, which its principal believes replaced and revoked."""
    with nothing_moves(place), refused("predecessor_unknown", PLACE):
        ledger.change(B, (), SUSPEND, cause(3), NOW_SECONDS, MAKE_RECEIPT)
    if own_word:
        revoked = ledger.revoke(B, NOW_SECONDS, MAKE_RECEIPT)
    else:
        revoked = ledger.change(B, (), REVOKE, cause(4), NOW_SECONDS, MAKE_RECEIPT)
    assert recorded_receipt(revoked.receipt).supersedes == A.identity
    assert told(pay(ledger, B, 2)) == "credential_revoked"
    first = pay(ledger, A, 3)
    assert told(first) == "credential_superseded"
    assert recorded_receipt(first.receipt).credential == A.identity
    with nothing_moves(place):
        assert pay(ledger, A, 3).replayed
        with refused("credential_revoked", PLACE):
            pay(ledger, C, 4)
        assert ledger.revoke(A, NOW_SECONDS, MAKE_RECEIPT).receipt == revoked.receipt
        with refused("credential_superseded", "mandate"):
            ledger.register(A, NOW_SECONDS, MAKE_RECEIPT)
        assert ledger.status(A.key) is None
        unseen = ledger.status(A.key, identity=A.identity)
        assert unseen is not None
        assert (unseen.state, unseen.successor, unseen.charges) == (MandateState.REVOKED, B.identity, ())


def test_revoking_a_link_does_not_let_its_successor_begin_anew(ledger: SqlLedger, place: Place) -> None:
    with nothing_moves(place), refused("predecessor_unknown", PLACE):
        ledger.change(B, links_to(1), REVOKE, cause(1, Causer.AGENT), NOW_SECONDS, MAKE_RECEIPT)


def test_a_link_below_the_old_mandate_pays_no_more(ledger: SqlLedger) -> None:
    link = links_to(1)
    voiding = replace(A, on_revoke=VOID)
    both_limits = (limit(1_000), limit(500, f"{link[0].identity.hex()}/{TOTAL}"))
    asked = reservation(1, 100, of=voiding, links=link, limits=both_limits)
    charge = ledger.reserve(asked, voiding, MAKE_RECEIPT).charge
    assert charge is not None
    successor = replace(B, on_revoke=VOID)
    ledger.register(successor, NOW_SECONDS, MAKE_RECEIPT)
    again = reservation(2, 100, of=voiding, links=link, limits=both_limits)
    assert told(ledger.reserve(again, voiding, MAKE_RECEIPT)) == "credential_superseded"
    ledger.capture(charge.id, 40, NOW_SECONDS, MAKE_RECEIPT, capture_no="S-1")
    assert stands(ledger, successor)[f"{link[0].identity.hex()}/{TOTAL}"] == (60, 40, 500)
    ledger.change(voiding, link, REVOKE, cause(1, Causer.AGENT), NOW_SECONDS, MAKE_RECEIPT)
    assert ledger.charge(charge.id).held_minor == 0
    held(ledger, successor, 3, 1_460)


def test_each_mandate_of_a_line_has_the_links_below_itself(ledger: SqlLedger) -> None:
    old, new = links_to(1, 2), links_to(3)
    for number, record, links, cap_minor in ((1, A, old, 1_000), (2, B, new, 1_500)):
        asked = reservation(number, 100, of=record, links=links, limits=[limit(cap_minor)])
        assert ledger.reserve(asked, record, MAKE_RECEIPT).charge is not None
    found = [ledger.status(each.key, NOW_SECONDS) for each in (A, B)]
    below = [{link.identity for link in each.links} for each in found if each]
    assert below == [{each.identity for each in old}, {each.identity for each in new}]

"""What a ledger does with an instruction: once, in one transaction with all that follows from it. Tests end with an audit."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from act.delegation.constraints import VOID
from act.delegation.lifecycle import Causer, LifecycleAction, MandateState, Standing
from act.errors import Refused
from act.payment.charge import HOLD_SECONDS, ChargeRecord, ChargeState
from act.payment.ledger import Cause, EntryKind, MandateRecord, Outcome
from act.payment.receipt import Receipt, recorded_receipt
from act.payment.verifier import LinkRecord
from act.stores.sql.ledger import SqlLedger
from tests.support.places import Place
from tests.support.reservations import MAKE_RECEIPT, TOTAL, cause, digest, limit, links_to, mandate, reservation
from tests.support.world import NOW_SECONDS, nothing_moves, refused

SUSPEND, RESUME, REVOKE = LifecycleAction
PRINCIPAL, AGENT, RISK_CONTROL = Causer.PRINCIPAL, Causer.AGENT, Causer.RISK_CONTROL
LATER = NOW_SECONDS + 60
VOIDING = replace(mandate(), on_revoke=VOID)


def change(
    ledger: SqlLedger,
    action: LifecycleAction,
    by: Cause,
    *links: LinkRecord,
    of: MandateRecord | None = None,
    at: int = LATER,
    **more: Any,
) -> Outcome:
    return ledger.change(of or mandate(), links, action, by, at, MAKE_RECEIPT, **more)


def reserve(ledger: SqlLedger, number: int, *links: LinkRecord, of: MandateRecord | None = None, at: int = LATER) -> Outcome:
    record = of or mandate()
    return ledger.reserve(reservation(number, of=record, links=links, at=at), record, MAKE_RECEIPT)


def held(ledger: SqlLedger, number: int, *links: LinkRecord, **more: Any) -> ChargeRecord:
    outcome = reserve(ledger, number, *links, **more)
    assert outcome.charge is not None
    return outcome.charge


def refusal_of(outcome: Outcome) -> tuple[str, str]:
    assert outcome.refusal is not None
    return outcome.refusal.code, outcome.refusal.where


def said(outcome: Outcome) -> Receipt:
    return recorded_receipt(outcome.receipt)


def standing(ledger: SqlLedger) -> Standing:
    status = ledger.status(mandate().key)
    assert status is not None
    assert status.state is status.standing.state
    return status.standing


def link_standings(ledger: SqlLedger) -> dict[bytes, Standing]:
    status = ledger.status(mandate().key)
    assert status is not None
    return {each.identity: each.standing for each in status.links}


# --- suspend, resume, revoke ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("used", [True, False], ids=["after use", "before first use"])
@pytest.mark.parametrize("causer", [PRINCIPAL, RISK_CONTROL])
def test_a_suspension_holds_until_whoever_gave_it_lifts_it(ledger: SqlLedger, used: bool, causer: Causer) -> None:
    if used:
        held(ledger, 1)
    stop = change(ledger, SUSPEND, cause(1, causer))
    assert (stop.standing, stop.replayed) == (Standing(suspended_by=frozenset({causer})), False)
    receipt = said(stop)
    assert (receipt.kind, receipt.caused_by, receipt.link) == (EntryKind.SUSPENDED, causer, None)
    assert receipt.instruction == cause(1, causer).identity
    assert refusal_of(reserve(ledger, 2)) == ("credential_suspended", "mandate")
    lifted = change(ledger, RESUME, cause(2, causer))
    assert lifted.standing == Standing()
    assert (said(lifted).kind, said(lifted).credential_state) == (EntryKind.RESUMED, MandateState.ACTIVE)
    held(ledger, 3)
    assert refusal_of(reserve(ledger, 2)) == ("credential_suspended", "mandate")  # what a request was told stays told


def test_neither_undoes_the_others_stop(ledger: SqlLedger, place: Place) -> None:
    change(ledger, SUSPEND, cause(1))
    with nothing_moves(place), refused("transition_not_allowed", "mandate"):
        change(ledger, RESUME, cause(2, RISK_CONTROL))
    change(ledger, SUSPEND, cause(3, RISK_CONTROL))
    one = change(ledger, RESUME, cause(4))
    assert said(one).credential_state is MandateState.SUSPENDED
    assert refusal_of(reserve(ledger, 1)) == ("credential_suspended", "mandate")
    with nothing_moves(place), refused("transition_not_allowed", "mandate"):
        change(ledger, RESUME, cause(5))
    change(ledger, RESUME, cause(6, RISK_CONTROL))
    held(ledger, 2)


@pytest.mark.parametrize("causer", [PRINCIPAL, AGENT])
def test_nothing_leaves_revoked(ledger: SqlLedger, place: Place, causer: Causer) -> None:
    held(ledger, 1)
    change(ledger, SUSPEND, cause(1))
    stop = change(ledger, REVOKE, cause(2, causer))
    assert (said(stop).kind, said(stop).caused_by, stop.standing) == (EntryKind.REVOKED, causer, Standing(is_revoked=True))
    assert refusal_of(reserve(ledger, 2)) == ("credential_revoked", "mandate")
    with nothing_moves(place):
        for action in (SUSPEND, RESUME):
            with refused("transition_not_allowed", "mandate"):
                change(ledger, action, cause(3))
        assert ledger.revoke(mandate(), LATER, MAKE_RECEIPT).receipt == stop.receipt
    assert standing(ledger) == Standing(is_revoked=True)


@pytest.mark.parametrize("action", LifecycleAction)
def test_nothing_leaves_expired_but_on_the_services_own_word(ledger: SqlLedger, place: Place, action: LifecycleAction) -> None:
    held(ledger, 1)
    change(ledger, SUSPEND, cause(1))
    with nothing_moves(place), refused("transition_not_allowed", "mandate") as caught:
        change(ledger, action, cause(2), is_expired=True)
    assert caught.value.facts["state"] == "Expired"
    assert not ledger.revoke(mandate(), LATER, MAKE_RECEIPT).replayed


def test_who_may_not_is_refused_by_the_store_as_well(ledger: SqlLedger, place: Place) -> None:
    held(ledger, 1)
    for action, causer in ((REVOKE, RISK_CONTROL), (SUSPEND, AGENT), (RESUME, Causer.PAYEE)):
        with nothing_moves(place), refused("instruction_not_allowed"):
            change(ledger, action, cause(1, causer))


@pytest.mark.parametrize("action", [SUSPEND, REVOKE])
def test_a_stop_that_stands_moves_nothing_when_asked_for_again(
    ledger: SqlLedger, place: Place, action: LifecycleAction
) -> None:
    held(ledger, 1, at=NOW_SECONDS)
    stop = change(ledger, action, cause(1))
    rows = place.snapshot()
    again = change(ledger, action, cause(2), at=NOW_SECONDS + HOLD_SECONDS)  # not even the hold that has ended
    assert again == replace(stop, replayed=True)
    after = place.snapshot()
    assert {name for name in rows if rows[name] != after[name]} == {"instruction"}
    with nothing_moves(place):
        assert change(ledger, action, cause(2)) == again


def test_an_old_stop_is_not_obeyed_once_more_after_a_resume(ledger: SqlLedger, place: Place) -> None:
    first = change(ledger, SUSPEND, cause(1))
    change(ledger, SUSPEND, cause(2))  # moved nothing, and is used up all the same
    change(ledger, RESUME, cause(3))
    with nothing_moves(place):
        for number in (1, 2):
            again = change(ledger, SUSPEND, cause(number))
            assert (again.receipt, again.replayed, again.standing) == (first.receipt, True, Standing())
    held(ledger, 1)


def test_an_instructions_id_stands_for_one_instruction(ledger: SqlLedger, place: Place) -> None:
    stop = change(ledger, SUSPEND, cause(1))
    other = cause(1, identity=digest("another instruction"))
    with nothing_moves(place):
        for action in LifecycleAction:
            with refused("duplicate_instruction", "instruction.cti"):
                change(ledger, action, other)
        with refused("duplicate_instruction", "instruction.cti"):
            ledger.find_instruction(mandate().key, other)
        assert ledger.find_instruction(mandate().key, cause(1)) == replace(stop, replayed=True)
        assert ledger.find_instruction(mandate().key, cause(2)) is None
        assert ledger.find_instruction(mandate(2).key, cause(1)) is None
        assert ledger.find_instruction("ch_nobody_made", cause(1)) is None
    change(ledger, SUSPEND, cause(1, RISK_CONTROL))  # another key's ids are its own
    change(ledger, SUSPEND, other, of=mandate(3))  # and so are those below another mandate


def test_a_mandate_that_is_not_the_pinned_one_is_neither_stopped_nor_pinned(ledger: SqlLedger, place: Place) -> None:
    held(ledger, 1)
    with nothing_moves(place):
        with refused("credential_conflict", "mandate.delegation_id"):
            change(ledger, SUSPEND, cause(1), of=mandate(identity=digest("forged")))
        with refused("key_compromised", "mandate.iss"):
            change(ledger, SUSPEND, cause(1), pinned_before=LATER - 60)
        with refused("key_compromised", "mandate.iss"):
            change(ledger, SUSPEND, cause(1), of=mandate(2), pinned_before=LATER + 1)
        with refused("transition_not_allowed", "mandate"):
            change(ledger, RESUME, cause(1), of=mandate(2))  # which leaves no pin, either
    change(ledger, SUSPEND, cause(1), pinned_before=LATER + 1)


def test_ended_holds_are_closed_first(ledger: SqlLedger) -> None:
    charge = held(ledger, 1, at=NOW_SECONDS)
    stop = change(ledger, SUSPEND, cause(1), at=NOW_SECONDS + HOLD_SECONDS)
    assert ledger.charge(charge.id).state is ChargeState.EXPIRED
    assert said(stop).sequence == 3


# --- links ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action, code", [(SUSPEND, "credential_suspended"), (REVOKE, "credential_revoked")])
@pytest.mark.parametrize("used", [True, False], ids=["after use", "before first use"])
def test_a_stopped_link_stops_what_is_below_it_and_nothing_else(
    ledger: SqlLedger, action: LifecycleAction, code: str, used: bool
) -> None:
    chain = links_to(1, 2, 3)
    if used:
        held(ledger, 1, *chain)
    stop = change(ledger, action, cause(1), *chain[:2])
    assert (said(stop).link, said(stop).credential) == (chain[1].identity, mandate().identity)
    assert refusal_of(reserve(ledger, 2, *chain[:2])) == (code, "link.2")
    assert refusal_of(reserve(ledger, 3, *chain)) == (code, "link.2")
    held(ledger, 4, *chain[:1])
    held(ledger, 5)
    held(ledger, 6, *links_to(1, 4))
    held(ledger, 7, *links_to(5))
    assert (standing(ledger).state, link_standings(ledger)[chain[1].identity]) == (MandateState.ACTIVE, stop.standing)


def test_the_place_that_ranks_first_is_told(ledger: SqlLedger) -> None:
    chain = links_to(1, 2)
    change(ledger, SUSPEND, cause(1))
    change(ledger, SUSPEND, cause(2), *chain[:1])
    assert refusal_of(reserve(ledger, 1, *chain)) == ("credential_suspended", "mandate")
    change(ledger, REVOKE, cause(3), *chain)
    assert refusal_of(reserve(ledger, 2, *chain)) == ("credential_revoked", "link.2")
    change(ledger, RESUME, cause(4))
    assert refusal_of(reserve(ledger, 3, *chain[:1])) == ("credential_suspended", "link.1")


def test_each_credential_has_a_standing_of_its_own(ledger: SqlLedger, place: Place) -> None:
    chain = links_to(1, 2)
    change(ledger, SUSPEND, cause(1))
    with nothing_moves(place), refused("transition_not_allowed", "link.1"):
        change(ledger, RESUME, cause(2), *chain[:1])
    with nothing_moves(place), refused("transition_not_allowed", "link.2"):
        change(ledger, REVOKE, cause(2), *chain, is_expired=True)
    change(ledger, REVOKE, cause(2), *chain[:1])
    first, again = change(ledger, REVOKE, cause(3), *chain), change(ledger, REVOKE, cause(4, AGENT), *chain)
    assert (again.receipt, again.replayed, said(first).link) == (first.receipt, True, chain[1].identity)
    assert link_standings(ledger) == dict.fromkeys((each.identity for each in chain), Standing(is_revoked=True))
    assert standing(ledger) == Standing(suspended_by=frozenset({PRINCIPAL}))


def test_only_what_a_revoked_link_holds_is_voided(ledger: SqlLedger) -> None:
    chain = links_to(1, 2)
    above = [held(ledger, 1, of=VOIDING), held(ledger, 2, *links_to(3), of=VOIDING)]
    below = [held(ledger, 3, *chain[:1], of=VOIDING), held(ledger, 4, *chain, of=VOIDING)]
    stop = change(ledger, REVOKE, cause(1, AGENT), *chain[:1], of=VOIDING)
    assert [ledger.charge(each.id).state for each in (*above, *below)] == [ChargeState.HELD] * 2 + [ChargeState.VOIDED] * 2
    receipts = [recorded_receipt(each) for each in ledger.receipts(VOIDING.key)]
    assert [(each.kind, each.instruction) for each in receipts[4:]] == [
        (EntryKind.VOIDED, cause(1, AGENT).identity),
        (EntryKind.VOIDED, cause(1, AGENT).identity),
        (EntryKind.REVOKED, cause(1, AGENT).identity),
    ]
    assert ledger.find_instruction(VOIDING.key, cause(1, AGENT)) == replace(stop, replayed=True)
    change(ledger, REVOKE, cause(2), of=VOIDING)
    assert [ledger.charge(each.id).state for each in above] == [ChargeState.VOIDED] * 2


def test_what_is_held_stays_held_where_the_mandate_says_nothing(ledger: SqlLedger) -> None:
    charge = held(ledger, 1, *links_to(1))
    change(ledger, REVOKE, cause(1), *links_to(1))
    assert ledger.capture(charge.id, 1_800, LATER, MAKE_RECEIPT).charge


# --- charges -------------------------------------------------------------------------------------------------------------

Move = Callable[[SqlLedger, str, Cause], Outcome]


def _refund(ledger: SqlLedger, charge_id: str, by: Cause) -> Outcome:
    ledger.capture(charge_id, 500, LATER, MAKE_RECEIPT)
    return ledger.refund(charge_id, 200, "R-1", LATER, MAKE_RECEIPT, cause=by)


MOVES: dict[str, Move] = {
    "capture": lambda ledger, charge_id, by: ledger.capture(charge_id, 500, LATER, MAKE_RECEIPT, cause=by),
    "part": lambda ledger, charge_id, by: ledger.capture(charge_id, 500, LATER, MAKE_RECEIPT, capture_no="S-1", cause=by),
    "void": lambda ledger, charge_id, by: ledger.void(charge_id, LATER, MAKE_RECEIPT, cause=by),
    "refund": _refund,
}


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
def test_a_charge_is_moved_once_by_an_instruction(ledger: SqlLedger, place: Place, move: Move) -> None:
    charge = held(ledger, 1)
    by = cause(1, Causer.PAYEE)
    outcome = move(ledger, charge.id, by)
    assert (said(outcome).instruction, said(outcome).caused_by) == (by.identity, None)
    with nothing_moves(place):
        assert move(ledger, charge.id, by) == replace(outcome, replayed=True)
        assert ledger.find_instruction(charge.id, by) == replace(outcome, replayed=True)
        for ask in (move, lambda ledger, charge_id, by: ledger.find_instruction(charge_id, by)):
            with refused("duplicate_instruction", "instruction.cti"):
                ask(ledger, charge.id, replace(by, identity=digest("another")))
    other = move(ledger, charge.id, cause(2, Causer.PAYEE))  # the same thing, asked for anew
    assert other == replace(outcome, replayed=True)


def test_a_refused_move_does_not_use_up_its_instruction(ledger: SqlLedger, place: Place) -> None:
    charge, by = held(ledger, 1), cause(1, Causer.PAYEE)
    with nothing_moves(place):
        with refused("capture_exceeds_hold"):
            ledger.capture(charge.id, 1_801, LATER, MAKE_RECEIPT, cause=by)
        with refused("charge_unknown"):
            ledger.capture("ch_nobody_made", 1_800, LATER, MAKE_RECEIPT, cause=by)
    assert not ledger.capture(charge.id, 1_800, LATER, MAKE_RECEIPT, cause=by).replayed


# --- at the same time ----------------------------------------------------------------------------------------------------


def test_the_same_instruction_twice_at_once_is_obeyed_once(place: Place, ledger: SqlLedger) -> None:
    change(ledger, SUSPEND, cause(99))
    with ExitStack() as stack, ThreadPoolExecutor(8) as threads:
        ledgers = [stack.enter_context(place.open()) for _ in range(2)]
        for number in range(1, 9):
            asked = [(RESUME, cause(number))] * 4 if number % 2 else [(SUSPEND, cause(number))] * 4
            outcomes = list(threads.map(lambda each: change(ledgers[each[0] % 2], *each[1]), enumerate(asked)))
            assert sorted(each.replayed for each in outcomes) == [False, True, True, True]
            assert len({each.receipt for each in outcomes}) == 1
    assert standing(ledger).state is MandateState.SUSPENDED


def test_two_instructions_at_once_come_one_after_the_other(place: Place, ledger: SqlLedger) -> None:
    held(ledger, 1)

    def lift(number: int) -> str:
        try:
            return "replayed" if change(ledger, RESUME, cause(number)).replayed else "lifted"
        except Refused as refusal:
            return refusal.code

    with ThreadPoolExecutor(4) as threads:
        for turn in range(5):
            change(ledger, SUSPEND, cause(1_000 + turn))
            answers = list(threads.map(lift, range(turn * 4, turn * 4 + 4)))
            assert sorted(answers) == ["lifted", *["transition_not_allowed"] * 3]


@pytest.mark.parametrize("links", [(), links_to(1), links_to(1, 2)], ids=len)
def test_no_reservation_commits_after_a_stop(place: Place, ledger: SqlLedger, links: tuple[LinkRecord, ...]) -> None:
    below = links_to(1, 2, 3)
    held(ledger, 1, *below)

    def pay(number: int) -> bool:
        asked = reservation(number, 1, links=below, limits=[limit(20_000)])
        return ledger.reserve(asked, mandate(), MAKE_RECEIPT).charge is not None

    with ThreadPoolExecutor(8) as threads:
        early = [threads.submit(pay, number) for number in range(2, 40)]
        stop = threads.submit(change, ledger, REVOKE, cause(1), *links)
        late = [threads.submit(pay, number) for number in range(40, 80)]
        stopped_at = said(stop.result()).sequence
        for each in (*early, *late):
            each.result()
    assert not pay(100)
    kinds = [recorded_receipt(each).kind for each in ledger.receipts(mandate().key)]
    assert kinds.index(EntryKind.REVOKED) == stopped_at - 1
    assert EntryKind.RESERVED not in kinds[stopped_at:]
    assert ledger.status(mandate().key).counters[0].name == TOTAL  # type: ignore[union-attr]  # it is known

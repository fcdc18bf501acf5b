"""act.stores.sql: every promise of the `Ledger` protocol, kept by a real file and by a real PostgreSQL. Each test ends with an
audit."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from act.delegation.lifecycle import MandateState, Standing
from act.errors import InvalidCall, Refused, StoreFault
from act.money import Amount
from act.payment.charge import CHARGE_TRANSITIONS, HOLD_SECONDS, ChargeRecord, ChargeState
from act.payment.ledger import Counter, Entry, EntryKind, Outcome
from act.payment.receipt import recorded_receipt
from act.payment.verifier import RequestKey
from act.stores.sql.ledger import SqlLedger
from tests.support.places import Place
from tests.support.reservations import MAKE_RECEIPT, TOTAL, digest, limit, mandate, reservation
from tests.support.world import AGENT, NOW_SECONDS, OTHER_AGENT, OTHER_SHOP, PSP, SHOP, nothing_moves, refused, snapshot

CAP = 20_000
LATER = NOW_SECONDS + 60


def reserve(ledger: SqlLedger, *args: Any, **kwargs: Any) -> Outcome:
    request = reservation(*args, **kwargs)
    return ledger.reserve(request, kwargs.get("of") or mandate(), MAKE_RECEIPT)


def held(ledger: SqlLedger, *args: Any, **kwargs: Any) -> ChargeRecord:
    """A new charge."""
    outcome = reserve(ledger, *args, **kwargs)
    assert outcome.charge is not None
    assert not outcome.replayed
    return outcome.charge


def refusal_of(outcome: Outcome) -> tuple[str, str, dict[str, int | str]]:
    assert outcome.charge is None
    assert outcome.refusal is not None
    return outcome.refusal.code, outcome.refusal.where, dict(outcome.refusal.facts)


def counter(ledger: SqlLedger, number: int = 1, name: str = TOTAL) -> tuple[int, int]:
    """What is held and what is captured."""
    status = ledger.status(mandate(number).key)
    assert status is not None
    (found,) = (each for each in status.counters if each.name == name)
    return found.held, found.captured


# --- reserve -----------------------------------------------------------------------------------------------------------


def test_a_reservation_holds_the_money(ledger: SqlLedger) -> None:
    request = reservation(7, 1_800)
    outcome = ledger.reserve(request, mandate(), MAKE_RECEIPT)
    charge = outcome.charge
    assert charge == ChargeRecord(
        charge.id if charge else "",
        request.request,
        request.request_identity,
        mandate().identity,
        SHOP,
        "T-0007",
        request.order,
        Amount(1_800, "CNY"),
        0,
        ChargeState.HELD,
        NOW_SECONDS,
        NOW_SECONDS + HOLD_SECONDS,
    )
    assert (outcome.refusal, outcome.replayed) == (None, False)
    assert counter(ledger) == (1_800, 0)
    assert ledger.charge(charge.id) == charge


def test_ids_of_charges_are_not_to_be_guessed(ledger: SqlLedger) -> None:
    ids = {held(ledger, number, 1).id for number in range(1, 33)}
    assert len(ids) == 32
    assert all(each.startswith("ch_") and len(each) == 35 for each in ids)


@pytest.mark.parametrize("over", [0, 1])
def test_the_cap_itself_still_fits(ledger: SqlLedger, over: int) -> None:
    held(ledger, 1, 15_000)
    outcome = reserve(ledger, 2, 5_000 + over)
    assert (outcome.charge is None) == bool(over)
    assert counter(ledger) == ((15_000, 0) if over else (20_000, 0))


def test_a_refusal_says_which_limit_and_what_is_left(ledger: SqlLedger) -> None:
    held(ledger, 1, 15_000)
    outcome = reserve(ledger, 2, 5_001)
    assert refusal_of(outcome) == ("total_limit_exceeded", TOTAL, {"cap_minor": CAP, "left_minor": 5_000, "asked_minor": 5_001})


def test_every_limit_is_debited_or_none(ledger: SqlLedger) -> None:
    limits = (limit(CAP), limit(2_000, "ext.quota.day"))
    held(ledger, 1, 1_500, limits=limits)
    assert counter(ledger) == counter(ledger, name="ext.quota.day") == (1_500, 0)
    outcome = reserve(ledger, 2, 501, limits=limits)
    assert refusal_of(outcome)[:2] == ("total_limit_exceeded", "ext.quota.day")
    assert counter(ledger) == counter(ledger, name="ext.quota.day") == (1_500, 0)


@pytest.mark.parametrize("amount", [1, 2**62, 2**63 - 1])
def test_amounts_up_to_the_widest_are_counted_exactly(ledger: SqlLedger, amount: int) -> None:
    charge = held(ledger, 1, amount, limits=[limit(2**63 - 1)])
    assert counter(ledger) == (amount, 0)
    assert reserve(ledger, 2, 2**63 - 1, limits=[limit(2**63 - 1)]).charge is None
    ledger.capture(charge.id, amount, LATER, MAKE_RECEIPT)
    assert counter(ledger) == (0, amount)


def test_a_failing_receipt_leaves_nothing_behind(ledger: SqlLedger, place: Place) -> None:
    def fail(entry: Entry) -> Any:
        raise KeyboardInterrupt

    with nothing_moves(place), pytest.raises(KeyboardInterrupt):
        ledger.reserve(reservation(), mandate(), fail)
    with nothing_moves(place), pytest.raises(KeyboardInterrupt):
        ledger.revoke(mandate(), LATER, fail)
    assert reserve(ledger).charge is not None


# --- replay ------------------------------------------------------------------------------------------------------------


def test_the_same_request_gives_the_same_charge(ledger: SqlLedger, place: Place) -> None:
    first = reserve(ledger)
    with nothing_moves(place):
        again = reserve(ledger)
    assert again.replayed
    assert (again.charge, again.receipt) == (first.charge, first.receipt)


@pytest.mark.parametrize("since", ["expired", "revoked", "exhausted", "captured", "voided", "other limits"])
def test_a_replay_survives_what_happened_since(ledger: SqlLedger, place: Place, since: str) -> None:
    first = reserve(ledger)
    assert first.charge is not None
    stands, receipt = first.charge, first.receipt
    match since:
        case "revoked":
            ledger.revoke(mandate(), LATER, MAKE_RECEIPT)
        case "exhausted":
            held(ledger, 2, CAP - 1_800)
        case "captured":
            stands = _charge(ledger.capture(stands.id, 1_000, LATER, MAKE_RECEIPT))
        case "voided":
            voided = ledger.void(stands.id, LATER, MAKE_RECEIPT)
            stands, receipt = _charge(voided), voided.receipt
    at = mandate().expires_at + 1 if since == "expired" else LATER
    with nothing_moves(place):
        again = reserve(ledger, at=at, limits=[limit(1)] if since == "other limits" else [limit(CAP)])
    assert again == Outcome(receipt, stands, replayed=True)


def test_a_recorded_refusal_stays_told(ledger: SqlLedger, place: Place) -> None:
    blocking = held(ledger, 1, CAP)
    first = reserve(ledger, 2, 1)
    ledger.void(blocking.id, LATER, MAKE_RECEIPT)  # it would fit now, but the request was answered
    with nothing_moves(place):
        again = reserve(ledger, 2, 1)
    assert refusal_of(again) == refusal_of(first)
    assert (again.replayed, again.receipt) == (True, first.receipt)
    held(ledger, 3, 1)


@pytest.mark.parametrize("answered", ["charge", "refusal"])
def test_one_id_with_another_identity_is_refused(ledger: SqlLedger, place: Place, answered: str) -> None:
    reserve(ledger, 1, 1_800 if answered == "charge" else CAP + 1)
    for change in ({"amount_minor": 1_801}, {"order_no": "T-9999"}, {"identity": digest("other")}):
        with nothing_moves(place), refused("duplicate_request", "request.cti"):
            reserve(ledger, 1, **change)


def test_an_id_is_one_agents_under_one_mandate(ledger: SqlLedger) -> None:
    charges = {
        held(ledger, 1, order_no="T-1").id,
        held(ledger, 1, order_no="T-2", agent_id=OTHER_AGENT).id,
        held(ledger, 1, order_no="T-3", of=mandate(2)).id,
    }
    assert len(charges) == 3
    assert (counter(ledger), counter(ledger, 2)) == ((3_600, 0), (1_800, 0))


def test_find_gives_the_stored_outcome_and_changes_nothing(ledger: SqlLedger, place: Place) -> None:
    request, refused_one = reservation(1), reservation(2, CAP + 1)
    assert ledger.find(request.request, request.request_identity) is None
    outcome = ledger.reserve(request, mandate(), MAKE_RECEIPT)
    refusal = ledger.reserve(refused_one, mandate(), MAKE_RECEIPT)
    with nothing_moves(place):
        assert ledger.find(request.request, request.request_identity) == Outcome(outcome.receipt, outcome.charge, replayed=True)
        found = ledger.find(refused_one.request, refused_one.request_identity)
        assert found is not None
        assert refusal_of(found) == refusal_of(refusal)
        assert ledger.find(RequestKey(mandate().key, AGENT, bytes(32), bytes(16)), request.request_identity) is None
        with refused("duplicate_request", "request.cti"):
            ledger.find(request.request, digest("another"))


# --- one charge per order ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [ChargeState.HELD, ChargeState.CAPTURED])
@pytest.mark.parametrize("of", [1, 2])
def test_an_order_is_paid_once(ledger: SqlLedger, place: Place, state: ChargeState, of: int) -> None:
    charge = held(ledger, 1, order_no="T-1")
    if state is ChargeState.CAPTURED:
        ledger.capture(charge.id, 1, LATER, MAKE_RECEIPT)
    for _ in range(2):  # nothing is stored, so the request is judged anew each time
        with nothing_moves(place), refused("order_already_paid", "order.act.order_no"):
            reserve(ledger, 2, order_no="T-1", of=mandate(of))
    held(ledger, 3, order_no="T-1", payee=OTHER_SHOP)


def test_an_order_whose_charge_was_voided_can_be_paid_again(ledger: SqlLedger) -> None:
    ledger.void(held(ledger, 1, order_no="T-1").id, LATER, MAKE_RECEIPT)
    held(ledger, 2, order_no="T-1")


# --- the mandate ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("used", [True, False], ids=["after use", "before first use"])
def test_nothing_is_reserved_after_a_revocation(ledger: SqlLedger, place: Place, used: bool) -> None:
    charge = held(ledger, 1) if used else None
    stopped = ledger.revoke(mandate(), LATER, MAKE_RECEIPT)
    assert (stopped.charge, stopped.refusal, stopped.replayed) == (None, None, False)
    outcome = reserve(ledger, 2, at=LATER)
    assert refusal_of(outcome) == ("credential_revoked", "mandate", {})
    with nothing_moves(place):
        assert refusal_of(reserve(ledger, 2)) == refusal_of(outcome)
        again = ledger.revoke(mandate(), LATER + 1, MAKE_RECEIPT)
        assert again == Outcome(stopped.receipt, replayed=True, standing=Standing(is_revoked=True))
    status = ledger.status(mandate().key)
    assert status is not None
    assert status.state is MandateState.REVOKED
    if charge is not None:  # what was held before stays held, and closes as ever
        assert ledger.charge(charge.id).state is ChargeState.HELD
        ledger.capture(charge.id, 1_800, LATER, MAKE_RECEIPT)
        assert counter(ledger) == (0, 1_800)
    held(ledger, 3, of=mandate(2))


def test_a_suspended_mandate_holds_nothing_new(ledger: SqlLedger, place: Place) -> None:
    held(ledger, 1)
    place.write("UPDATE mandate SET state = 'Suspended', principal_stop = 1")
    assert refusal_of(reserve(ledger, 2)) == ("credential_suspended", "mandate", {})
    ledger.revoke(mandate(), LATER, MAKE_RECEIPT)
    assert refusal_of(reserve(ledger, 3)) == ("credential_revoked", "mandate", {})


def test_a_mandate_is_pinned_to_the_identity_first_seen(ledger: SqlLedger, place: Place) -> None:
    held(ledger, 1)
    forged = mandate(identity=digest("another mandate of the same name"))
    with nothing_moves(place):
        with refused("credential_conflict", "mandate.delegation_id"):
            reserve(ledger, 2, of=forged)
        with refused("credential_conflict", "mandate.delegation_id"):
            ledger.revoke(forged, LATER, MAKE_RECEIPT)
    ledger.revoke(mandate(2), LATER, MAKE_RECEIPT)  # a revocation before first use pins as well
    with refused("credential_conflict", "mandate.delegation_id"):
        reserve(ledger, 2, of=mandate(2, identity=digest("late")))


@pytest.mark.parametrize("compromised_at, accepted", [(NOW_SECONDS - 1, False), (NOW_SECONDS, False), (NOW_SECONDS + 1, True)])
def test_a_compromised_key_spends_only_what_was_recorded_before(
    ledger: SqlLedger, place: Place, compromised_at: int, accepted: bool
) -> None:
    with nothing_moves(place), refused("key_compromised", "mandate.iss"):
        reserve(ledger, 1, pinned_before=compromised_at)
    held(ledger, 2)
    if accepted:
        held(ledger, 3, pinned_before=compromised_at)
    else:
        with nothing_moves(place), refused("key_compromised", "mandate.iss"):
            reserve(ledger, 3, pinned_before=compromised_at)


def test_reasons_to_refuse_are_told_in_order(ledger: SqlLedger) -> None:
    held(ledger, 1, order_no="T-1")
    ledger.revoke(mandate(2), LATER, MAKE_RECEIPT)
    wrong = {"of": mandate(2, identity=digest("late")), "order_no": "T-1", "amount_minor": CAP + 1}
    with refused("credential_conflict"):
        reserve(ledger, 5, **wrong)
    wrong["of"] = mandate(2)
    assert refusal_of(reserve(ledger, 5, **wrong))[0] == "credential_revoked"
    wrong["of"] = mandate(3)
    with refused("order_already_paid"):
        reserve(ledger, 6, **wrong)
    wrong["order_no"] = "T-6"
    assert refusal_of(reserve(ledger, 6, **wrong))[0] == "total_limit_exceeded"
    with refused("duplicate_request"):  # replay comes before all of them
        reserve(ledger, 5, order_no="T-1", of=mandate(2, identity=digest("late")))


# --- capture and void ----------------------------------------------------------------------------------------------------


def _charge(outcome: Outcome) -> ChargeRecord:
    assert outcome.charge is not None
    return outcome.charge


@pytest.mark.parametrize("captured", [1, 700, 1_800])
def test_a_capture_is_final_and_releases_the_rest(ledger: SqlLedger, place: Place, captured: int) -> None:
    charge = held(ledger, 1)
    held(ledger, 2, 200)
    outcome = ledger.capture(charge.id, captured, LATER, MAKE_RECEIPT)
    assert (_charge(outcome).state, _charge(outcome).captured_minor) == (ChargeState.CAPTURED, captured)
    assert counter(ledger) == (200, captured)
    with nothing_moves(place):
        assert ledger.capture(charge.id, captured, LATER + 1, MAKE_RECEIPT) == Outcome(
            outcome.receipt, outcome.charge, replayed=True
        )
        with refused("charge_closed", "charge"):
            ledger.capture(charge.id, captured + 1, LATER, MAKE_RECEIPT)
        with refused("charge_closed", "charge"):
            ledger.void(charge.id, LATER, MAKE_RECEIPT)
    held(ledger, 3, CAP - captured - 200)


@pytest.mark.parametrize("asked", [1_801, 2**63 - 1])
def test_more_than_what_is_held_is_not_captured(ledger: SqlLedger, place: Place, asked: int) -> None:
    charge = held(ledger, 1)
    with nothing_moves(place), refused("capture_exceeds_hold", "amount") as caught:
        ledger.capture(charge.id, asked, LATER, MAKE_RECEIPT)
    assert caught.value.facts == {"held_minor": 1_800, "asked_minor": asked}


@pytest.mark.parametrize("asked", [0, -1])
def test_nothing_and_less_is_not_captured(ledger: SqlLedger, place: Place, asked: int) -> None:
    charge = held(ledger, 1)
    with nothing_moves(place), pytest.raises(InvalidCall):
        ledger.capture(charge.id, asked, LATER, MAKE_RECEIPT)


@pytest.mark.parametrize("early", [1, 0, -1])
def test_an_expired_hold_is_voided_and_not_captured(ledger: SqlLedger, place: Place, early: int) -> None:
    charge = held(ledger, 1)
    at = charge.hold_expires_at - early
    if early > 0:
        assert _charge(ledger.capture(charge.id, 1_800, at, MAKE_RECEIPT)).state is ChargeState.CAPTURED
        return
    with nothing_moves(place), refused("hold_expired", "charge"):
        ledger.capture(charge.id, 1_800, at, MAKE_RECEIPT)
    assert _charge(ledger.void(charge.id, at, MAKE_RECEIPT)).state is ChargeState.VOIDED


def test_a_capture_repeated_after_the_hold_expired_is_the_same_capture(ledger: SqlLedger) -> None:
    charge = held(ledger, 1)
    first = ledger.capture(charge.id, 1_800, LATER, MAKE_RECEIPT)
    again = ledger.capture(charge.id, 1_800, charge.hold_expires_at + 1, MAKE_RECEIPT)
    assert (again.replayed, again.receipt) == (True, first.receipt)


def test_a_void_gives_everything_back(ledger: SqlLedger, place: Place) -> None:
    charge = held(ledger, 1, CAP)
    outcome = ledger.void(charge.id, LATER, MAKE_RECEIPT)
    assert (_charge(outcome).state, _charge(outcome).captured_minor) == (ChargeState.VOIDED, 0)
    assert counter(ledger) == (0, 0)
    with nothing_moves(place):
        assert ledger.void(charge.id, LATER + 1, MAKE_RECEIPT) == Outcome(outcome.receipt, outcome.charge, replayed=True)
        with refused("charge_closed", "charge"):
            ledger.capture(charge.id, 1, LATER, MAKE_RECEIPT)
    held(ledger, 2, CAP)


def _moved(ledger: SqlLedger, charge: ChargeRecord, to: ChargeState) -> Outcome:
    """A charge brought into a state, from wherever it is."""
    if to is ChargeState.PARTIALLY_CAPTURED:
        return ledger.capture(charge.id, 100, LATER, MAKE_RECEIPT, capture_no=f"part-{ledger.charge(charge.id).captured_minor}")
    if to is ChargeState.CAPTURED:
        return ledger.capture(charge.id, 1_700, LATER, MAKE_RECEIPT)
    if to is ChargeState.VOIDED:
        return ledger.void(charge.id, LATER, MAKE_RECEIPT)
    (expired,) = ledger.expire(charge.hold_expires_at, 1, MAKE_RECEIPT)
    return expired


_AFTER = [each for each in ChargeState if each is not ChargeState.HELD]


@pytest.mark.parametrize("state, to", list(product(ChargeState, _AFTER)))
def test_a_charge_moves_as_the_table_says(ledger: SqlLedger, place: Place, state: ChargeState, to: ChargeState) -> None:
    charge = held(ledger, 1)
    if state is not ChargeState.HELD:
        assert _charge(_moved(ledger, charge, state)).state is state
    releases_the_rest = state is ChargeState.PARTIALLY_CAPTURED and to in (ChargeState.VOIDED, ChargeState.EXPIRED)
    if releases_the_rest:
        assert _charge(_moved(ledger, charge, to)).state is ChargeState.CAPTURED
    elif to in CHARGE_TRANSITIONS[state]:
        assert _charge(_moved(ledger, charge, to)).state is to
    elif to is ChargeState.EXPIRED:
        assert ledger.expire(charge.hold_expires_at, 1, MAKE_RECEIPT) == ()
    elif state is to and state in (ChargeState.VOIDED, ChargeState.CAPTURED):
        assert _moved(ledger, charge, to).replayed
    else:
        with nothing_moves(place), refused("charge_closed", "charge") as caught:
            _moved(ledger, charge, to)
        assert caught.value.facts == {"state": state.value}


def test_only_charges_that_exist_are_found_and_closed(ledger: SqlLedger, place: Place) -> None:
    held(ledger, 1)
    for action in (
        lambda: ledger.charge("ch_0"),
        lambda: ledger.capture("ch_0", 1, LATER, MAKE_RECEIPT),
        lambda: ledger.void("", LATER, MAKE_RECEIPT),
    ):
        with nothing_moves(place), refused("charge_unknown", "charge"):
            action()


def test_every_limit_moves_when_a_charge_closes(ledger: SqlLedger) -> None:
    limits = (limit(CAP), limit(5_000, "ext.quota.day"))
    first, second = held(ledger, 1, limits=limits), held(ledger, 2, limits=limits)
    ledger.capture(first.id, 800, LATER, MAKE_RECEIPT)
    ledger.void(second.id, LATER, MAKE_RECEIPT)
    assert counter(ledger) == counter(ledger, name="ext.quota.day") == (0, 800)


# --- status and binding --------------------------------------------------------------------------------------------------


def test_status_is_what_is_known_of_one_mandate(ledger: SqlLedger) -> None:
    assert ledger.status(mandate().key) is None
    charges = [held(ledger, number, 100 * number) for number in (3, 1, 2)]
    held(ledger, 9, of=mandate(2))
    charges[1] = _charge(ledger.capture(charges[1].id, 50, LATER, MAKE_RECEIPT))
    reserve(ledger, 4, CAP)  # a refusal is no charge
    status = ledger.status(mandate().key)
    assert status is not None
    assert (status.key, status.identity, status.state) == (mandate().key, mandate().identity, MandateState.ACTIVE)
    assert (status.currency, status.expires_at) == ("CNY", mandate().expires_at)
    assert status.counters == (Counter(TOTAL, CAP, 500, 50),)
    assert status.charges == tuple(charges)


def test_a_ledger_belongs_to_one_service(ledger: SqlLedger, place: Place) -> None:
    ledger.bind(PSP)
    with place.open() as other:
        for each in (ledger, other):
            with nothing_moves(place), pytest.raises(StoreFault) as caught:
                each.bind("psp-2")
            assert caught.value.code == "store_wrong_ledger"
            assert caught.value.facts == {"belongs_to": PSP, "asked": "psp-2"}


def test_receipts_follow_one_another(ledger: SqlLedger) -> None:
    first = held(ledger, 1)
    reserve(ledger, 2, CAP)
    ledger.capture(first.id, 1_000, LATER, MAKE_RECEIPT)
    ledger.void(held(ledger, 3).id, LATER, MAKE_RECEIPT)
    last = ledger.revoke(mandate(), LATER, MAKE_RECEIPT)
    ledger.revoke(mandate(), LATER, MAKE_RECEIPT)  # a replay makes none
    stored = ledger.receipts(mandate().key)
    receipts = [recorded_receipt(each) for each in stored]
    kinds = ["RESERVED", "REFUSED", "CAPTURED", "RESERVED", "VOIDED", "REVOKED"]
    assert [(each.sequence, each.kind) for each in receipts] == list(enumerate(map(EntryKind, kinds), 1))
    identities = [each.identity for each in stored]
    assert [each.previous for each in receipts] == [None, *identities[:-1]]
    assert last.receipt.identity == identities[-1]


# --- what is written, and what is not ------------------------------------------------------------------------------------


def test_a_caller_that_forgets_the_cap_is_stopped_by_the_counter(ledger: SqlLedger, place: Place) -> None:
    held(ledger, 1, 15_000)
    with nothing_moves(place), pytest.raises(StoreFault) as caught:
        reserve(ledger, 2, 15_000, limits=[limit(10 * CAP)])
    assert caught.value.code == "store_unavailable"


def test_raised_refusals_store_nothing_and_recorded_ones_only_their_entry(ledger: SqlLedger, place: Place) -> None:
    held(ledger, 1)
    before = snapshot(place)
    reserve(ledger, 2, CAP)
    after = snapshot(place)
    assert {table for table in after if after[table] != before[table]} == {"entry", "mandate", "request"}
    assert [len(after[table]) - len(before[table]) for table in ("entry", "mandate", "request")] == [1, 0, 1]
    with pytest.raises(Refused):
        reserve(ledger, 2, CAP - 1)
    assert snapshot(place) == after

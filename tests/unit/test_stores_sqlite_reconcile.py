"""act.stores.sqlite.reconciliation: a backup is made to count what was spent since. Each test ends with an audit."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from act.calendar import Window
from act.delegation.constraints import VOID
from act.delegation.lifecycle import Causer, LifecycleAction, MandateState, Standing
from act.delegation.limits import Limit, Unit
from act.envelope.objects import Unsigned
from act.errors import InvalidCall, StoreFault
from act.payment.charge import HOLD_SECONDS
from act.payment.ledger import Entry, EntryKind, MandateRecord, Outcome
from act.payment.receipt import open_receipt, receipt_maker
from act.payment.verifier import LinkRecord
from act.stores.sqlite import SqliteLedger
from tests.support.fold import audit
from tests.support.places import FilePlace, Place
from tests.support.reservations import MAKE_RECEIPT, cause, limit, links_to, mandate, reservation
from tests.support.restoring import Restored, signed_receipts
from tests.support.world import NOW, NOW_SECONDS, OTHER_PSP, PSP, SHOP, World, key, nothing_moves, refused

SUSPEND, RESUME, REVOKE = LifecycleAction
CAP = 20_000
DAY = Window(NOW_SECONDS - 100, NOW_SECONDS + 80_000, "2026-02-06")
LIMITS = (
    limit(CAP),
    Limit("ext.quota.times_limit", 50, "times_limit_exceeded", Unit.TIMES),
    Limit("ext.quota.periods.0.max_amount@2026-02-06", 9_000, "period_amount_exceeded", window=DAY),
    Limit("ext.quota.periods.1.max_amount~600", 8_000, "period_amount_exceeded", sliding_seconds=600),
)


@pytest.fixture
def place(path: Path) -> Place:
    return FilePlace(path)


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "copy.db"
    yield path
    if path.exists():
        audit(path)


def reserve(
    ledger: SqliteLedger,
    number: int = 1,
    minor: int = 1_800,
    at: int = NOW_SECONDS,
    of: MandateRecord | None = None,
    **more: Any,
) -> Outcome:
    """A payment under total, count, day and sliding window."""
    limits = [replace(each, since=at - 600) if each.sliding_seconds else each for each in LIMITS]
    record = of or mandate()
    return ledger.reserve(reservation(number, minor, of=record, at=at, limits=limits, **more), record, MAKE_RECEIPT)


def held(ledger: SqliteLedger, *args: Any, **kwargs: Any) -> str:
    outcome = reserve(ledger, *args, **kwargs)
    assert outcome.charge is not None
    return outcome.charge.id


def left_minor(ledger: SqliteLedger, number: int = 1) -> int:
    status = ledger.status(mandate(number).key)
    assert status is not None
    total = next(each for each in status.counters if each.name == "max_total_amount")
    return total.cap - total.held - total.captured


def out_of_chain(call: Callable[[], object], part: str = "") -> None:
    with refused("receipt_out_of_chain") as caught:
        call()
    assert part in str(caught.value), str(caught.value)


def an_afternoon(ledger: SqliteLedger) -> None:
    """Everything that can happen, after the backup, to charges from before and since."""
    early = [each.id for each in ledger.status(mandate(1).key).charges]  # type: ignore[union-attr]
    at = NOW_SECONDS + 10
    ledger.capture(early[0], 700, at, MAKE_RECEIPT)
    ledger.capture(early[1], 200, at, MAKE_RECEIPT, capture_no="S-1")
    late = held(ledger, 10, at=at)
    ledger.capture(late, 300, at + 1, MAKE_RECEIPT, capture_no="S-1")
    ledger.capture(late, 400, at + 1, MAKE_RECEIPT)
    ledger.refund(late, 100, "R-1", at + 2, MAKE_RECEIPT)
    ledger.refund(late, 100, "R-2", at + 2, MAKE_RECEIPT)
    ledger.void(early[1], at + 3, MAKE_RECEIPT)  # after a part
    assert reserve(ledger, 11, 9_000, at=at + 4).refusal is not None
    ledger.void(held(ledger, 12, at=at + 5), at + 5, MAKE_RECEIPT)
    held(ledger, 13, at=at + 700)  # the sliding window has moved on
    held(ledger, 14, at=at, of=mandate(2))
    voiding = replace(mandate(3), on_revoke=VOID)
    held(ledger, 15, 100, at=at, of=voiding)
    held(ledger, 16, 200, at=at, of=voiding)
    ledger.revoke(voiding, at + 6, MAKE_RECEIPT)
    assert reserve(ledger, 17, at=at + 7, of=voiding).refusal is not None
    ledger.expire(at + 700 + HOLD_SECONDS, 10, MAKE_RECEIPT)


def before(ledger: SqliteLedger) -> None:
    """What stands in the backup."""
    for number in (1, 2):
        held(ledger, number, 1_000)
        held(ledger, number + 2, 100, of=mandate(2))
    held(ledger, 6, 100, of=replace(mandate(3), on_revoke=VOID))


def given(ledger: SqliteLedger) -> list[bytes]:
    return [each for number in (1, 2, 3) for each in signed_receipts(ledger, mandate(number))]


def test_a_whole_afternoon_comes_back_byte_for_byte(ledger: SqliteLedger, path: Path, copy: Path) -> None:
    before(ledger)
    restored = Restored.of(ledger, copy)
    known = sum(len(ledger.receipts(mandate(number).key)) for number in (1, 2, 3))
    an_afternoon(ledger)
    receipts = given(ledger)
    shuffled = [*receipts, *receipts[::3]]
    random.Random(7).shuffle(shuffled)
    done = restored.reconcile(shuffled, complete=True, at=NOW_SECONDS + 60)
    assert (done.replayed, done.repeated) == (len(receipts) - known, known)
    assert (done.filled, done.left_out, done.unknown, done.retired) == (0, 0, 0, ())
    assert done.frozen_at == NOW_SECONDS
    assert done.reconciled_at == NOW_SECONDS + 710 + HOLD_SECONDS  # no clock that was ahead is forgotten
    original, copied = FilePlace(path).snapshot(), FilePlace(copy).snapshot()
    assert [row[:8] + row[10:] for row in copied["entry"]] == [row[:8] + row[10:] for row in original["entry"]]  # no facts
    without_bound = [[row[:-4] + row[-3:] for row in rows["mandate"]] for rows in (copied, original)]  # first_hold_end is one
    assert without_bound[0] == without_bound[1]
    for table in ("account", "counter", "part", "sliding_debit"):
        assert copied[table] == original[table], table
    for row, was in zip(sorted(copied["charge"]), sorted(original["charge"]), strict=True):
        assert row[:4] + row[6:] == was[:4] + was[6:]  # without the request's holder and id
    assert audit(copy).entries == audit(path).entries


def test_receipts_of_what_the_service_closed_itself_follow_from_the_next(ledger: SqliteLedger, path: Path, copy: Path) -> None:
    """Nobody is handed the receipts of holds that a payment or a revocation closes."""
    before(ledger)
    restored = Restored.of(ledger, copy)
    voiding = replace(mandate(3), on_revoke=VOID)
    held(ledger, 15, 100, of=voiding)
    ledger.revoke(voiding, NOW_SECONDS + 6, MAKE_RECEIPT)
    held(ledger, 20, at=NOW_SECONDS + HOLD_SECONDS)  # expires two
    handed_out = [each for each in given(ledger) if open_receipt(each).receipt.kind.value not in ("VOIDED", "EXPIRED")]
    done = restored.reconcile(handed_out, complete=True)
    assert (done.replayed, done.filled) == (3, 4)
    assert FilePlace(copy).snapshot()["entry"] == FilePlace(path).snapshot()["entry"]


@pytest.mark.parametrize("later", [False, True])
def test_an_order_is_paid_again_once_another_mandates_hold_has_ended(
    ledger: SqliteLedger, path: Path, copy: Path, later: bool
) -> None:
    """The receipt of that hold's end is handed to nobody. Where something follows it, that proves it."""
    held(ledger, 4)
    held(ledger, 1, of=mandate(2), order_no="T-1")
    restored = Restored.of(ledger, copy)
    held(ledger, 2, at=NOW_SECONDS + HOLD_SECONDS, order_no="T-1")
    if later:
        held(ledger, 3, at=NOW_SECONDS + HOLD_SECONDS + 5, of=mandate(2), order_no="T-2")
    handed_out = [each for each in given(ledger) if open_receipt(each).receipt.kind is EntryKind.RESERVED]
    done = restored.reconcile(handed_out, complete=True)
    assert (done.replayed, done.filled) == (1 + later, 2)  # and the first hold of its own mandate
    assert FilePlace(copy).snapshot()["entry"] == FilePlace(path).snapshot()["entry"]


@pytest.mark.parametrize("turn", [1, -1])
def test_an_order_is_paid_again_under_another_mandate(ledger: SqliteLedger, copy: Path, turn: int) -> None:
    """Whichever chain is read first, and all of it within one second."""
    charge = held(ledger, 1, order_no="T-1")
    held(ledger, 4, of=mandate(2))
    restored = Restored.of(ledger, copy)
    ledger.void(charge, NOW_SECONDS, MAKE_RECEIPT)
    other = held(ledger, 2, of=mandate(2), order_no="T-1")
    ledger.void(other, NOW_SECONDS, MAKE_RECEIPT)
    held(ledger, 3, order_no="T-1")
    receipts = given(ledger)
    out_of_chain(lambda: restored.reconcile(receipts[4:], complete=True), "not closed")
    done = restored.reconcile(receipts[::turn], complete=True)
    assert done.replayed == 4


# --- what is spent afterwards -----------------------------------------------------------------------------------------------


def test_what_was_spent_since_is_counted(ledger: SqliteLedger, copy: Path) -> None:
    held(ledger, 1)
    restored = Restored.of(ledger, copy)
    held(ledger, 2, 4_000)
    restored.reconcile(given(ledger), complete=True)
    with restored.open() as again:
        assert left_minor(again) == left_minor(ledger) == CAP - 5_800
        assert held(again, 3, 1_000, at=NOW_SECONDS + 700)


def test_without_an_attestation_nothing_more_is_spent(ledger: SqliteLedger, copy: Path) -> None:
    held(ledger, 1)
    held(ledger, 2, of=mandate(2))
    restored = Restored.of(ledger, copy)
    late = held(ledger, 3)
    done = restored.reconcile(given(ledger), at=NOW_SECONDS + 600)
    assert set(done.retired) == {mandate(1).key, mandate(2).key}
    for receipt in done.receipts:
        assert open_receipt(receipt).authenticate(restored.parties).kind is EntryKind.REVOKED
    with restored.open() as again:
        outcome = reserve(again, 9)
        assert outcome.refusal is not None
        assert outcome.refusal.code == "credential_revoked"
        assert again.capture(late, 100, NOW_SECONDS, MAKE_RECEIPT).charge is not None  # what is held may be captured


def test_a_mandate_that_cannot_be_paid_under_is_left_as_it_is(ledger: SqliteLedger, copy: Path) -> None:
    held(ledger, 1, of=replace(mandate(1), expires_at=NOW_SECONDS + 600))
    ledger.revoke(mandate(2), NOW_SECONDS, MAKE_RECEIPT)
    held(ledger, 3, of=replace(mandate(3), expires_at=NOW_SECONDS + 601))
    restored = Restored.of(ledger, copy)
    done = restored.reconcile(at=NOW_SECONDS + 600)
    assert done.retired == (mandate(3).key,)
    assert done.mandates == 3


def test_a_mandate_that_the_ledger_forgot_is_refused(ledger: SqliteLedger, copy: Path) -> None:
    held(ledger, 1)
    restored = Restored.of(ledger, copy)
    held(ledger, 2, of=mandate(2))
    done = restored.reconcile(given(ledger), complete=True, at=NOW_SECONDS + 600)
    assert done.unknown == 1
    with restored.open() as again:
        for since in (0, NOW_SECONDS + 610):
            forgotten = replace(mandate(2), new_since=since)
            with refused("credential_forgotten", "mandate"), nothing_moves(copy):
                reserve(again, 3, of=forgotten)
        assert reserve(again, 4, of=replace(mandate(3), new_since=NOW_SECONDS + 611)).charge is not None
        assert held(again, 5)  # a known one needs to be no newer
        again.revoke(mandate(2), NOW_SECONDS + 700, MAKE_RECEIPT)
        with restored.open() as other:
            assert reserve(other, 6, of=mandate(2)).refusal is not None


@pytest.mark.parametrize("action, links", [(SUSPEND, ()), (RESUME, ()), (SUSPEND, links_to(1)), (REVOKE, links_to(1))])
def test_no_instruction_lets_a_forgotten_mandate_in(
    ledger: SqliteLedger, copy: Path, action: LifecycleAction, links: tuple[LinkRecord, ...]
) -> None:
    """It would be known from then on, and could be paid under as if nothing had been spent."""
    held(ledger, 1)
    restored = Restored.of(ledger, copy)
    held(ledger, 2, of=mandate(2))
    restored.reconcile(given(ledger), complete=True, at=NOW_SECONDS + 600)
    with restored.open() as again:
        with refused("credential_forgotten", "mandate"), nothing_moves(copy):
            again.change(mandate(2), links, action, cause(), NOW_SECONDS + 700, MAKE_RECEIPT)
        with refused("credential_forgotten", "mandate"), nothing_moves(copy):
            again.register(mandate(2), NOW_SECONDS + 700, MAKE_RECEIPT)
        again.change(mandate(2), (), REVOKE, cause(), NOW_SECONDS + 700, MAKE_RECEIPT)
        assert reserve(again, 3, of=mandate(2)).refusal is not None


def test_a_forgotten_mandate_of_a_lost_key_is_refused_for_the_key(ledger: SqliteLedger, copy: Path) -> None:
    held(ledger, 1)
    restored = Restored.of(ledger, copy)
    restored.reconcile(complete=True)
    with restored.open() as again, refused("key_compromised"):
        reserve(again, 3, of=mandate(2), pinned_before=NOW_SECONDS)


# --- the same request again -------------------------------------------------------------------------------------------------


def test_a_request_that_came_back_by_its_receipt_has_the_same_answer(ledger: SqliteLedger, copy: Path) -> None:
    held(ledger, 1)
    restored = Restored.of(ledger, copy)
    charge, voided = held(ledger, 2), held(ledger, 3)
    ledger.void(voided, NOW_SECONDS, MAKE_RECEIPT)
    told = reserve(ledger, 4, 9_000)
    assert told.refusal is not None
    restored.reconcile(given(ledger), complete=True)
    with restored.open() as again, nothing_moves(copy):
        same = reserve(again, 2)
        assert same.replayed
        assert same.charge is not None
        assert same.charge.id == charge
        ended = reserve(again, 3)  # its order is free, and it is not paid once more
        assert ended.charge is not None
        assert ended.replayed
        assert (ended.charge.id, ended.charge.held_minor) == (voided, 0)
        refusal = reserve(again, 4, 9_000)
        assert refusal.replayed
        assert refusal.refusal is not None
        assert refusal.refusal.code == told.refusal.code
        for number, minor in ((1, 1_800), (2, 1_800), (4, 9_000)):
            asked = reservation(number, minor, of=mandate(), limits=LIMITS)
            found = again.find(asked.request, asked.request_identity)
            assert found is not None
            assert found.receipt.identity in {each.identity for each in ledger.receipts(mandate().key)}
        assert again.find(reservation(7).request, reservation(7).request_identity) is None


# --- what is refused --------------------------------------------------------------------------------------------------------


def changed(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def test_what_is_forged_or_foreign_is_refused(ledger: SqliteLedger, copy: Path) -> None:
    held(ledger, 1)
    restored = Restored.of(ledger, copy)
    held(ledger, 2)
    unsigned = ledger.receipts(mandate().key)
    genuine = given(ledger)
    with nothing_moves(copy):
        with refused("receipt_signature_invalid", "receipts.1.receipt"):
            restored.reconcile([genuine[0], changed(genuine[1])], complete=True)
        with refused("receipt_signature_invalid"):
            restored.reconcile([unsigned[1].sign(key(SHOP))], complete=True)
        with refused("kind_unexpected", "receipts.0.receipt"):
            restored.reconcile([World().order()], complete=True)
        restored.parties.change(PSP, compromised_at=NOW_SECONDS)
        with pytest.raises(InvalidCall):
            restored.reconcile(genuine, complete=True)


def test_a_receipt_of_another_payment_service_is_refused(ledger: SqliteLedger, copy: Path, tmp_path: Path) -> None:
    held(ledger, 1)
    restored = Restored.of(ledger, copy)
    with SqliteLedger(tmp_path / "other.db") as other:
        other.bind(OTHER_PSP)
        make = receipt_maker(OTHER_PSP, "w", key(OTHER_PSP))
        other.reserve(reservation(1, of=mandate()), mandate(), make)
        theirs = [each.sign(key(OTHER_PSP)) for each in other.receipts(mandate().key)]
    with nothing_moves(copy), refused("wrong_ledger", "receipts.0.receipt.iss"):
        restored.reconcile(theirs, complete=True)


def test_gaps_and_forks_are_refused(ledger: SqliteLedger, copy: Path, tmp_path: Path) -> None:
    held(ledger, 1)
    restored, fork = Restored.of(ledger, copy), Restored.of(ledger, tmp_path / "fork.db")
    for number in (2, 3, 4):
        held(ledger, number)
    mine = given(ledger)
    fork.reconcile(complete=True)
    with fork.open() as other:
        for number in (12, 13, 14):
            held(other, number, 70)
        theirs = signed_receipts(other, mandate())
    with nothing_moves(copy):
        for some, why in (
            ([mine[2]], "2 is missing"),
            ([mine[1], mine[3]], "3 is missing"),
            ([mine[1], theirs[1]], "another receipt"),
            ([mine[1], theirs[2]], "the entry before"),
        ):
            for complete in (True, False):
                out_of_chain(partial(restored.reconcile, some, complete=complete), why)
    restored.reconcile(mine[:2], complete=True)
    with restored.open() as again:
        again.backup(tmp_path / "third.db", at=NOW)
    third = Restored(tmp_path / "third.db", restored.parties)
    out_of_chain(lambda: third.reconcile([theirs[1]], complete=True), "another entry there")


def test_a_receipt_that_does_not_add_up_is_refused(ledger: SqliteLedger, copy: Path, tmp_path: Path) -> None:
    """Signed by the payment service, in its place, and yet not what the ledger would have done."""
    charge = held(ledger, 1)
    restored, lying = Restored.of(ledger, copy), Restored.of(ledger, tmp_path / "lying.db")
    lying.reconcile(complete=True)

    def false(entry: Entry) -> Unsigned:
        return MAKE_RECEIPT(replace(entry, counters=tuple(replace(each, held=each.held + 1) for each in entry.counters)))

    with lying.open() as other:
        other.capture(charge, 100, NOW_SECONDS, false, capture_no="1")
        receipts = signed_receipts(other, mandate())
    with nothing_moves(copy):
        out_of_chain(lambda: restored.reconcile(receipts, complete=True), "says otherwise")


def test_a_ledger_that_is_not_frozen_is_not_reconciled(ledger: SqliteLedger, copy: Path) -> None:
    held(ledger, 1)
    restored = Restored.of(ledger, copy)
    restored.reconcile(complete=True)
    for path in (copy, ledger._file.path):
        with pytest.raises(InvalidCall, match="not frozen"):
            Restored(path, restored.parties).reconcile(complete=True)


def test_a_key_that_nobody_could_verify_reconciles_nothing(ledger: SqliteLedger, copy: Path) -> None:
    held(ledger, 1)
    restored = Restored.of(ledger, copy)
    restored.parties.remove(PSP)
    with nothing_moves(copy), pytest.raises(InvalidCall, match="enrol"):
        restored.reconcile(complete=True)


def test_a_dry_run_tells_and_writes_nothing(ledger: SqliteLedger, copy: Path) -> None:
    held(ledger, 1)
    restored = Restored.of(ledger, copy)
    held(ledger, 2)
    receipts = given(ledger)
    with nothing_moves(copy):
        told = restored.reconcile(receipts, dry_run=True)
    assert told.is_dry_run
    assert told.receipts == ()
    done = restored.reconcile(receipts)
    assert replace(done, is_dry_run=True, receipts=()) == told


# --- stopped while frozen ---------------------------------------------------------------------------------------------------


def test_a_revocation_while_frozen_stays(ledger: SqliteLedger, copy: Path) -> None:
    """It was told; so what the original did under that mandate since is left out, and nothing more can be spent."""
    held(ledger, 1)
    held(ledger, 2, of=mandate(2))
    restored = Restored.of(ledger, copy)
    held(ledger, 3)
    held(ledger, 4, of=mandate(2))
    with restored.open() as frozen:
        frozen.revoke(mandate(), NOW_SECONDS + 300, MAKE_RECEIPT)
    done = restored.reconcile(given(ledger), complete=True)
    assert (done.left_out, done.repeated, done.replayed) == (1, 2, 1)
    with restored.open() as again:
        status = again.status(mandate().key)
        assert status is not None
        assert status.state is MandateState.REVOKED
        assert reserve(again, 5).refusal is not None


def test_a_suspension_while_frozen_stays_and_what_was_left_out_ends_the_mandate(ledger: SqliteLedger, copy: Path) -> None:
    """Lifted later, it would let be spent again what the receipts that are left out say was spent."""
    held(ledger, 1)
    held(ledger, 2, of=mandate(2))
    restored = Restored.of(ledger, copy)
    held(ledger, 3)
    with restored.open() as frozen:
        for number in (1, 2):
            told = frozen.change(mandate(number), (), SUSPEND, cause(number), NOW_SECONDS + 300, MAKE_RECEIPT)
            assert told.standing == Standing(suspended_by=frozenset({Causer.PRINCIPAL}))
        with nothing_moves(copy), pytest.raises(StoreFault, match="store_frozen"):
            frozen.change(mandate(), (), RESUME, cause(3), NOW_SECONDS + 301, MAKE_RECEIPT)
    done = restored.reconcile(given(ledger), complete=True)
    assert (done.left_out, done.retired) == (1, (mandate().key,))
    with restored.open() as again:
        states = [again.status(mandate(number).key).state for number in (1, 2)]  # type: ignore[union-attr]
        assert states == [MandateState.REVOKED, MandateState.SUSPENDED]


# --- instructions -----------------------------------------------------------------------------------------------------------


def instructed(ledger: SqliteLedger, at: int) -> tuple[list[Callable[[SqliteLedger], Outcome]], MandateRecord]:
    """What instructions do after a backup in which charges 1 and 2 are held, and link 1 is known; and how to ask again."""
    voiding = replace(mandate(3), on_revoke=VOID)
    first, second = (each.id for each in ledger.status(mandate().key).charges)  # type: ignore[union-attr]
    by_risk, by_payee = cause(2, Causer.RISK_CONTROL), [cause(number, Causer.PAYEE) for number in (5, 6, 7)]
    link = links_to(1)
    calls: list[Callable[[SqliteLedger], Outcome]] = [
        lambda of: of.change(mandate(), (), SUSPEND, cause(1), at, MAKE_RECEIPT),
        lambda of: of.change(mandate(), (), SUSPEND, by_risk, at + 1, MAKE_RECEIPT),
        lambda of: of.change(mandate(), (), RESUME, cause(3), at + 2, MAKE_RECEIPT),
        lambda of: of.change(mandate(), (), RESUME, cause(4, Causer.RISK_CONTROL), at + 3, MAKE_RECEIPT),
        lambda of: of.capture(first, 700, at + 4, MAKE_RECEIPT, cause=by_payee[0]),
        lambda of: of.refund(first, 100, "R-1", at + 5, MAKE_RECEIPT, cause=by_payee[1]),
        lambda of: of.void(second, at + 6, MAKE_RECEIPT, cause=by_payee[2]),
        lambda of: of.change(mandate(), link, SUSPEND, cause(8), at + 7, MAKE_RECEIPT),
        lambda of: of.change(mandate(), link, REVOKE, cause(9, Causer.AGENT), at + 8, MAKE_RECEIPT),
        lambda of: of.change(voiding, (), REVOKE, cause(10), at + 9, MAKE_RECEIPT),
    ]
    for number in (21, 22):
        held(ledger, number, 100, at=at, of=voiding)
    for call in calls:
        call(ledger)
    return calls, voiding


def with_link(ledger: SqliteLedger) -> None:
    held(ledger, 1, links=links_to(1))
    held(ledger, 2)
    held(ledger, 3, 100, of=replace(mandate(3), on_revoke=VOID))


@pytest.mark.parametrize("kept", [frozenset(EntryKind), frozenset(EntryKind) - {EntryKind.VOIDED}], ids=["all", "no voids"])
def test_instructions_come_back_and_are_obeyed_once(ledger: SqliteLedger, copy: Path, kept: frozenset[EntryKind]) -> None:
    """The instructed void of a charge is kept in both: nothing but its own receipt says what it was."""
    with_link(ledger)
    restored = Restored.of(ledger, copy)
    calls, voiding = instructed(ledger, NOW_SECONDS + 10)
    receipts = [
        each
        for of in (mandate(), voiding)
        for each in signed_receipts(ledger, of)
        if of == mandate() or open_receipt(each).receipt.kind in kept
    ]
    done = restored.reconcile(receipts, complete=True)
    assert done.filled == (0 if EntryKind.VOIDED in kept else 3)
    with restored.open() as again:
        for of in (mandate(), voiding):
            assert signed_receipts(again, of) == signed_receipts(ledger, of)
            assert again.status(of.key).standing == ledger.status(of.key).standing  # type: ignore[union-attr]
            assert again.status(of.key).links == ledger.status(of.key).links  # type: ignore[union-attr]
        with nothing_moves(copy):
            for call in calls:
                was, now = call(ledger), call(again)
                assert (now.receipt, now.standing, now.replayed) == (was.receipt, was.standing, True)
        assert reserve(again, 30, links=links_to(1)).refusal is not None
        assert held(again, 31)


def test_a_receipt_about_a_link_that_the_backup_does_not_know_is_refused(ledger: SqliteLedger, copy: Path) -> None:
    held(ledger, 1)
    restored = Restored.of(ledger, copy)
    ledger.change(mandate(), links_to(1), SUSPEND, cause(1), NOW_SECONDS + 10, MAKE_RECEIPT)
    with nothing_moves(copy):
        out_of_chain(lambda: restored.reconcile(given(ledger)), "does not know that link")
    assert restored.reconcile(given(ledger)[:-1]).retired == (mandate().key,)


@pytest.mark.parametrize("complete", [True, False])
def test_of_a_revocation_only_its_voids_are_no_answer(ledger: SqliteLedger, copy: Path, *, complete: bool) -> None:
    """The restored ledger was told of no revocation: sent again, it is obeyed, unless the mandate was retired."""
    voiding = replace(mandate(3), on_revoke=VOID)
    held(ledger, 1, of=voiding)
    restored = Restored.of(ledger, copy)
    ledger.change(voiding, (), REVOKE, cause(1), NOW_SECONDS + 10, MAKE_RECEIPT)
    receipts = signed_receipts(ledger, voiding)[:-1]
    assert restored.reconcile(receipts, complete=complete).replayed == 1
    with restored.open() as again:
        assert again.find_instruction(voiding.key, cause(1)) is None
        for replayed in (not complete, True):
            outcome = again.change(voiding, (), REVOKE, cause(1), NOW_SECONDS + 700, MAKE_RECEIPT)
            assert (outcome.replayed, outcome.standing) == (replayed, Standing(is_revoked=True))


def test_other_programs_see_that_it_was_reconciled(ledger: SqliteLedger, copy: Path) -> None:
    """One that had the frozen ledger open goes on without opening it again."""
    held(ledger, 1)
    restored = Restored.of(ledger, copy)
    held(ledger, 2)
    with restored.open() as early:
        assert early.status(mandate().key) is not None
        restored.reconcile(given(ledger), complete=True)
        assert held(early, 3)
        with refused("credential_forgotten"):
            reserve(early, 4, of=mandate(2))


def test_a_second_restoration_forgets_no_less(ledger: SqliteLedger, copy: Path, tmp_path: Path) -> None:
    held(ledger, 1)
    restored = Restored.of(ledger, copy)
    restored.reconcile(complete=True, at=NOW_SECONDS + 50)
    with restored.open() as again:
        second = Restored.of(again, tmp_path / "second.db", NOW_SECONDS + 100)
    with second.open() as frozen, refused("credential_forgotten"):
        frozen.foresee(mandate(2), _authenticated(), (), NOW_SECONDS)
    second.reconcile(complete=True, at=NOW_SECONDS + 200)
    with second.open() as again, refused("credential_forgotten"):
        reserve(again, 4, of=replace(mandate(2), new_since=NOW_SECONDS + 150))


def _authenticated() -> Any:
    class _Payment:
        pinned_before = None

    return _Payment()


def test_a_revocation_whose_own_receipt_is_lost_is_not_taken_for_an_instruction_obeyed_twice(
    ledger: SqliteLedger, copy: Path
) -> None:
    with_link(ledger)
    restored = Restored.of(ledger, copy)
    _, voiding = instructed(ledger, NOW_SECONDS + 10)
    receipts = signed_receipts(ledger, voiding)
    lost = open_receipt(receipts[-1]).receipt
    assert (lost.kind, lost.instruction) == (EntryKind.REVOKED, open_receipt(receipts[-2]).receipt.instruction)
    restored.reconcile(receipts[:-1])
    with restored.open() as again:
        status = again.status(voiding.key)
    assert status is not None
    assert status.state is MandateState.REVOKED

"""Whatever happened before and after a backup, and whatever receipts are left of it: no mandate is spent beyond its cap."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from hypothesis import event, given, settings
from hypothesis import strategies as st

from act.delegation.constraints import VOID
from act.delegation.limits import Limit
from act.errors import Refused
from act.payment.charge import HOLD_SECONDS
from act.payment.ledger import EntryKind, MandateRecord
from act.payment.receipt import Receipt, open_receipt, recorded_receipt
from act.stores.sqlite import SqliteLedger
from tests.support.fold import audit
from tests.support.reservations import MAKE_RECEIPT, limit, mandate, reservation
from tests.support.restoring import Restored, signed_receipts
from tests.support.world import NOW_SECONDS, PSP

CAP: Final = 100
MANDATES: Final = 3
ENDS: Final = NOW_SECONDS + 10 * HOLD_SECONDS

Step = tuple[str, int, int, int]
"""What, of which mandate or charge, how much, and how many seconds after the step before."""

STEPS: Final = st.lists(
    st.tuples(
        st.sampled_from(["reserve"] * 6 + ["capture", "part", "void", "refund", "again", "revoke", "expire", "same order"]),
        st.integers(0, 5),
        st.integers(1, 45),
        st.sampled_from([0, 0, 0, 1, 1, 60, HOLD_SECONDS]),
    ),
    min_size=1,
    max_size=24,
)

CUTS: Final = st.lists(st.integers(0, 40), min_size=MANDATES, max_size=MANDATES)
"""Of each mandate, how many of its first receipts are left."""


def record(number: int) -> MandateRecord:
    """The third voids its holds when it is revoked, the second gives back what is refunded."""
    of = replace(mandate(number), expires_at=ENDS)
    return replace(of, on_revoke=VOID) if number == 3 else replace(of, refund_restores=number == 2)


def limits(at: int) -> tuple[Limit, ...]:
    return limit(CAP), Limit(
        "ext.quota.periods.0.max_amount~60", 70, "period_amount_exceeded", sliding_seconds=60, since=at - 60
    )


class Day:
    """A ledger, and everything that was asked of it."""

    def __init__(self, ledger: SqliteLedger, at: int, first: int = 1) -> None:
        self.ledger = ledger
        self.at = at
        self.number = first
        self.charges: list[str] = []
        self.asked: list[tuple[Any, MandateRecord, str]] = []

    def take(self, step: Step) -> None:
        """One step; what the ledger refuses is no matter."""
        what, which, minor, pause = step
        self.at += pause
        of = record(which % MANDATES + 1)
        charge = self.charges[which % len(self.charges)] if self.charges else "ch_none"
        try:
            if what in ("reserve", "same order"):
                order = "T-same" if what == "same order" else None
                request = reservation(self.number, minor, of=of, limits=limits(self.at), at=self.at, order_no=order)
                self.number += 1
                outcome = self.ledger.reserve(request, of, MAKE_RECEIPT)
                if outcome.charge is not None:
                    self.charges.append(outcome.charge.id)
                    self.asked.append((request, of, outcome.charge.id))
            elif what == "capture":
                self.ledger.capture(charge, minor, self.at, MAKE_RECEIPT)
            elif what == "part":
                self.ledger.capture(charge, minor, self.at, MAKE_RECEIPT, capture_no=str(minor))
            elif what == "void":
                self.ledger.void(charge, self.at, MAKE_RECEIPT)
            elif what == "refund":
                self.ledger.refund(charge, minor, str(minor), self.at, MAKE_RECEIPT)
            elif what == "again" and self.asked:
                request, of, _ = self.asked[which % len(self.asked)]
                self.ledger.reserve(request, of, MAKE_RECEIPT)
            elif what == "revoke" and minor > 30:
                self.ledger.revoke(of, self.at, MAKE_RECEIPT)
            elif what == "expire":
                self.ledger.expire(self.at, 2, MAKE_RECEIPT)
        except Refused:
            pass


def receipts_of(*ledgers: SqliteLedger) -> dict[bytes, Receipt]:
    """Every receipt that any of them ever made, by identity."""
    found = {}
    for ledger in ledgers:
        for number in range(1, MANDATES + 1):
            for each in ledger.receipts(mandate(number).key):
                found[each.identity] = recorded_receipt(each)
    return found


def require_no_overspending(receipts: dict[bytes, Receipt]) -> None:
    """By the receipts of both histories, each of which somebody may hold: what they took of a mandate and did not give back."""
    taken: dict[bytes, int] = defaultdict(int)
    for each in receipts.values():
        minor = each.amount.minor if each.amount is not None else 0
        if each.kind is EntryKind.RESERVED:
            taken[each.credential] += minor
        elif each.kind in (EntryKind.VOIDED, EntryKind.EXPIRED) or (
            each.kind is EntryKind.REFUNDED and each.credential == mandate(2).identity
        ):
            taken[each.credential] -= minor
        elif each.kind is EntryKind.CAPTURED and each.capture_no is None:
            taken[each.credential] -= _released(each, receipts)
    assert all(minor <= CAP for minor in taken.values()), dict(taken)


def _released(captured: Receipt, receipts: dict[bytes, Receipt]) -> int:
    """What a final capture let go of: of the same history, all that was reserved and not captured."""
    held, before = 0, captured.previous
    while before is not None:
        each = receipts[before]
        if each.trade_no == captured.trade_no and each.amount is not None:
            held += {EntryKind.RESERVED: 1, EntryKind.PARTIALLY_CAPTURED: -1}.get(each.kind, 0) * each.amount.minor
        before = each.previous
    assert captured.amount is not None
    return held - captured.amount.minor


@contextmanager
def two_ledgers(before: list[Step], after: list[Step]) -> Iterator[tuple[Day, Restored]]:
    """A ledger that goes on after its backup, and the backup."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        ledger = stack.enter_context(SqliteLedger(Path(folder) / "ledger.db"))
        ledger.bind(PSP)
        day = Day(ledger, NOW_SECONDS)
        for step in before:
            day.take(step)
        restored = Restored.of(ledger, Path(folder) / "copy.db", day.at)
        for step in after:
            day.take(step)
        yield day, restored


@settings(deadline=None, max_examples=40)
@given(before=STEPS, after=STEPS, later=STEPS, draw=st.randoms(use_true_random=False))
def test_all_receipts_make_the_lost_ledger_again(before: list[Step], after: list[Step], later: list[Step], draw: Any) -> None:
    """Attested to be complete: both histories are one, and what follows is judged as the original would have judged it."""
    with two_ledgers(before, after) as (day, restored):
        known = receipts_of(day.ledger)
        with restored.open() as frozen:
            had = {each.credential for each in receipts_of(frozen).values()}
        given_back = [each for number in range(1, MANDATES + 1) for each in signed_receipts(day.ledger, mandate(number))]
        draw.shuffle(given_back)
        done = restored.reconcile(given_back, complete=True, at=day.at)
        event("entries were lost" if done.replayed else "nothing was lost")
        audit(restored.path)
        with restored.open() as ledger:
            for request, of, charge in day.asked:
                if of.identity in had:
                    outcome = ledger.reserve(request, of, MAKE_RECEIPT)
                    assert outcome.replayed
                    assert outcome.charge is not None
                    assert outcome.charge == replace(
                        day.ledger.charge(charge), request=outcome.charge.request, credential=outcome.charge.credential
                    )
            both = [Day(ledger, day.at, 1_000), Day(day.ledger, day.at, 1_000)]
            for each in both:
                each.charges = [charge for _, of, charge in day.asked if of.identity in had]
            for step in later:
                for each in both:
                    each.take(step)
            if len(had) == MANDATES:
                counted = [[r.kind for r in receipts_of(each.ledger).values()] for each in both]
                assert counted[0] == counted[1]
            require_no_overspending(known | receipts_of(ledger))
        audit(restored.path)


@settings(deadline=None, max_examples=40)
@given(
    before=STEPS,
    after=STEPS,
    later=STEPS,
    cut=st.lists(st.integers(0, 40), min_size=MANDATES, max_size=MANDATES),
    data=st.data(),
)
def test_what_receipts_are_left_of_it_never_lets_more_be_spent(
    before: list[Step], after: list[Step], later: list[Step], cut: list[int], data: st.DataObject
) -> None:
    """Not attested: of each mandate some first receipts came back, the rest is lost."""
    with two_ledgers(before, after) as (day, restored):
        known = receipts_of(day.ledger)
        some = []
        for number in range(1, MANDATES + 1):
            whole = signed_receipts(day.ledger, mandate(number))
            some += whole[: cut[number - 1]]
        order = data.draw(st.permutations(range(len(some))))
        try:
            done = restored.reconcile([some[place] for place in order], at=day.at)
            event("reconciled")
        except Refused as refusal:  # such as the order of a charge whose end is lost
            event(f"refused {refusal.facts.get('reason')}")
            assert refusal.code == "receipt_out_of_chain"
            assert "order" in str(refusal.facts["reason"])
            done = restored.reconcile(at=day.at)
        audit(restored.path)
        assert len(done.retired) == len(done.receipts)
        assert {open_receipt(each).receipt.kind for each in done.receipts} <= {EntryKind.REVOKED}
        with restored.open() as ledger:
            after_that = Day(ledger, day.at, 2_000)
            after_that.charges = [
                each.id for number in (1, 2, 3) if (s := ledger.status(mandate(number).key)) for each in s.charges
            ]
            reserved = {each for each, r in receipts_of(ledger).items() if r.kind is EntryKind.RESERVED}
            for step in later:
                after_that.take(step)
            assert {each for each, r in receipts_of(ledger).items() if r.kind is EntryKind.RESERVED} == reserved
        audit(restored.path)
        assert reserved <= known.keys()
        require_no_overspending(known)

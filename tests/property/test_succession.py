"""Whatever happens under a line of mandates that replace each other, what counts in the limits of the last is what all of their
charges take of them. The charges are kept here as plain numbers, and share no code with the store."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from act.calendar import Window
from act.delegation.limits import Limit, Unit
from act.errors import Refused
from act.payment.charge import HOLD_SECONDS
from act.payment.ledger import MandateRecord
from act.stores.sql.ledger import SqlLedger
from tests.support.fold import audit
from tests.support.places import FilePlace, Place, SchemaPlace
from tests.support.postgres import PostgresServer
from tests.support.reservations import MAKE_RECEIPT, TOTAL, mandate, reservation
from tests.support.world import NOW_SECONDS, PSP

Step = tuple[str, int, int, int]
Terms = tuple[int | None, int | None, tuple[int, int] | None, tuple[int, int] | None]
"""Of a mandate: its total, its count, its calendar cap with the days of a period, its sliding cap with its seconds."""

DAY_SECONDS = 86_400
START = NOW_SECONDS - NOW_SECONDS % DAY_SECONDS
KINDS = ("pay", "pay", "pay", "capture", "part", "void", "refund", "amend", "amend", "old", "expire")

STEPS = st.lists(
    st.tuples(st.sampled_from(KINDS), st.integers(0, 9), st.integers(1, 400), st.sampled_from([0, 1, 3_600, 40_000, 90_000])),
    max_size=25,
)
TERMS = st.lists(
    st.tuples(
        st.none() | st.integers(1, 2_000),
        st.none() | st.integers(1, 9),
        st.none() | st.tuples(st.integers(1, 1_000), st.sampled_from([1, 2])),
        st.none() | st.tuples(st.integers(1, 1_000), st.sampled_from([3_600, 50_000])),
    ),
    min_size=4,
    max_size=4,
)


@dataclass
class Paid:
    """A charge as plain numbers."""

    id: str
    minor: int
    at: int
    is_open: bool = True
    captured: int = 0
    refunded: int = 0

    def takes(self, *, restores: bool) -> int:
        """Of a cap on money."""
        return (self.minor - self.captured if self.is_open else 0) + self.captured - (self.refunded if restores else 0)

    def counts(self, *, restores: bool) -> int:
        """Of a cap on payments."""
        return int(self.is_open or self.captured - (self.refunded if restores else 0) > 0)


class Line:
    """A ledger, a line of mandates in it, and what happened under them."""

    def __init__(self, ledger: SqlLedger, terms: list[Terms], *, restores: bool) -> None:
        self.ledger = ledger
        self.restores = restores
        self.at = START
        self.number = 0
        self.paid: list[Paid] = []
        self.terms = terms
        self.place = 0
        self.mandates = [self._issued(place) for place in range(len(terms))]

    def _issued(self, place: int) -> MandateRecord:
        before = mandate(2 * place - 1).identity if place else None
        record = replace(mandate(2 * place + 1), refund_restores=self.restores, supersedes=before, expires_at=START + 10**8)
        return replace(record, own_limits=lambda at: self.limits(place, at))

    def limits(self, place: int, at: int) -> tuple[Limit, ...]:
        total, times, calendar, sliding = self.terms[place]
        found = [] if total is None else [Limit(TOTAL, total, "total_limit_exceeded")]
        if times is not None:
            found.append(Limit("ext.quota.times_limit", times, "times_limit_exceeded", Unit.TIMES))
        if calendar is not None:
            cap, days = calendar
            start = at - at % (days * DAY_SECONDS)
            mark = f"day-{start // DAY_SECONDS}"
            window = Window(start, start + days * DAY_SECONDS, mark)
            found.append(Limit(f"ext.quota.periods.0.max_amount@{mark}", cap, "period_amount_exceeded", window=window))
        if sliding is not None:
            cap, seconds = sliding
            name = f"ext.quota.periods.1.max_amount~{seconds}"
            found.append(Limit(name, cap, "period_amount_exceeded", sliding_seconds=seconds, since=at - seconds))
        return tuple(found) or (Limit(TOTAL, 2_000, "total_limit_exceeded"),)

    def used(self, limit: Limit) -> int:
        """What a limit has to show now."""
        total = 0
        for each in self.paid:
            is_within = limit.window is None or limit.window.start <= each.at < limit.window.end
            if is_within and (limit.since is None or each.at > limit.since):
                counted = each.counts if limit.unit is Unit.TIMES else each.takes
                total += counted(restores=self.restores)
        return total

    def take(self, step: Step) -> None:
        """One step; what the ledger refuses must have been refused rightly."""
        what, which, minor, pause = step
        self.at += pause
        for each in self.paid:
            each.is_open = each.is_open and self.at < each.at + HOLD_SECONDS
        if what == "pay":
            self.pay(minor)
        elif what == "amend":
            if self.place + 1 < len(self.mandates):
                self.place += 1
                if which % 2:
                    self.ledger.register(self.mandates[self.place], self.at, MAKE_RECEIPT)
                else:
                    self.pay(minor)
        elif what == "old" and self.place:
            self.number += 1
            former = self.mandates[which % self.place]
            asked = reservation(self.number, minor, of=former, limits=former.own_limits(self.at), at=self.at)
            refusal = self.ledger.reserve(asked, former, MAKE_RECEIPT).refusal
            assert refusal is not None
            assert refusal.code == "credential_superseded"
        elif what == "expire":
            self.ledger.expire(self.at, 99, MAKE_RECEIPT)
        elif self.paid:
            self.move(what, self.paid[which % len(self.paid)], minor)

    def pay(self, minor: int) -> None:
        """By the newest mandate: it fits exactly if every limit has room for it."""
        record, self.number = self.mandates[self.place], self.number + 1
        limits = record.own_limits(self.at)
        fits = all(self.used(each) + each.debit(minor) <= each.cap for each in limits)
        asked = reservation(self.number, minor, of=record, limits=limits, at=self.at)
        outcome = self.ledger.reserve(asked, record, MAKE_RECEIPT)
        assert (outcome.charge is not None) == fits, outcome.refusal
        if outcome.charge is not None:
            self.paid.append(Paid(outcome.charge.id, minor, self.at))

    def move(self, what: str, paid: Paid, minor: int) -> None:
        """Of any charge of the line, whoever reserved it."""
        try:
            if what == "void":
                self.ledger.void(paid.id, self.at, MAKE_RECEIPT)
                paid.is_open = False
            elif what == "refund":
                if self.ledger.refund(paid.id, minor, str(minor), self.at, MAKE_RECEIPT).replayed:
                    return
                paid.refunded += minor
            else:
                number = str(minor) if what == "part" else None
                outcome = self.ledger.capture(paid.id, minor, self.at, MAKE_RECEIPT, capture_no=number)
                assert outcome.charge is not None
                if not outcome.replayed:
                    paid.captured += minor
                    paid.is_open = number is not None and paid.captured < paid.minor
        except Refused:
            return

    def require_counted(self) -> None:
        """Every counter in force is what the charges say."""
        record = self.mandates[self.place]
        status = self.ledger.status(record.key, self.at)
        if status is None:
            assert not self.paid
            return
        limits = record.own_limits(self.at)
        shown = {each.name: each.held + each.captured for each in status.counters}
        for limit in limits:
            assert shown.get(limit.name, 0) == self.used(limit), limit.name
        assert len(status.charges) == len(self.paid)
        assert len(status.predecessors) == self.place


@contextmanager
def opened(place: Place, terms: list[Terms], *, restores: bool) -> Iterator[Line]:
    with place.open() as ledger:
        ledger.bind(PSP)
        line = Line(ledger, terms, restores=restores)
        ledger.register(line.mandates[0], START, MAKE_RECEIPT)
        yield line
    audit(place)


def run(place: Place, terms: list[Terms], steps: list[Step], *, restores: bool) -> None:
    with opened(place, terms, restores=restores) as line:
        for step in steps:
            line.take(step)
            line.require_counted()


@given(TERMS, STEPS, st.booleans())
def test_a_line_counts_what_all_of_its_charges_take(terms: list[Terms], steps: list[Step], restores: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run(FilePlace(Path(folder) / "ledger.db"), terms, steps, restores=restores)


@settings(max_examples=15)
@given(data=st.data())
def test_postgresql_counts_alike(data: st.DataObject, postgres: PostgresServer) -> None:
    place = SchemaPlace(postgres)
    try:
        run(place, data.draw(TERMS), data.draw(STEPS), restores=data.draw(st.booleans()))
    finally:
        place.drop()

"""Payments under a mandate and under those that replace it, all at once: whoever comes first, one line has one budget."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from threading import Barrier, Event
from typing import Any

import pytest

from act.payment.ledger import EntryKind, MandateRecord
from act.payment.receipt import recorded_receipt
from act.stores.sql import succession
from act.stores.sql.ledger import SqlLedger
from act.stores.sql.mandates import MandateRow
from act.stores.sql.transaction import Transaction
from tests.support.fold import audit
from tests.support.places import Place, SchemaPlace
from tests.support.postgres import PostgresServer
from tests.support.reservations import MAKE_RECEIPT, limit, mandate, reservation
from tests.support.world import NOW_SECONDS, PSP

CLIENTS = 8
PAYMENTS = 12
CAP = 1_000


def line() -> list[MandateRecord]:
    """Three mandates, each of which replaces the one before, of the same total."""
    found: list[MandateRecord] = []
    for number in (1, 3, 5):
        before = found[-1].identity if found else None
        found.append(replace(mandate(number), supersedes=before, own_limits=lambda at: (limit(CAP),)))
    return found


def test_all_of_a_line_at_once(place: Place) -> None:
    """Eight connections, each paying under every mandate of the line, and all beginning a new one in the same moment."""
    mandates, together = line(), Barrier(CLIENTS)
    with place.open() as ledger:
        ledger.bind(PSP)
        ledger.register(mandates[0], NOW_SECONDS, MAKE_RECEIPT)

    def client(number: int) -> Counter[str]:
        told: Counter[str] = Counter()
        with place.open() as ledger:
            for turn in range(PAYMENTS):
                record = mandates[turn * len(mandates) // PAYMENTS]
                if turn % (PAYMENTS // len(mandates)) == 0:
                    together.wait(60)
                told[pay(ledger, record, 1_000 * number + turn)] += 1
        return told

    with ThreadPoolExecutor(CLIENTS) as pool:
        told = sum(pool.map(client, range(CLIENTS)), Counter())
    assert set(told) <= {"", "credential_superseded", "total_limit_exceeded"}, told
    assert told[""] == CAP // 20  # and no more than the one budget has
    with place.open() as ledger:
        chain = [recorded_receipt(each) for each in ledger.receipts(mandates[-1].key)]
        status = ledger.status(mandates[-1].key)
    assert [each.credential for each in chain if each.kind is EntryKind.SUCCEEDED] == [each.identity for each in mandates[1:]]
    assert status is not None
    assert [each.held for each in status.counters] == [CAP]
    assert audit(place).held_minor == CAP


@pytest.fixture
def schema(postgres: PostgresServer) -> Iterator[SchemaPlace]:
    """On PostgreSQL, where a transaction may be overtaken between two of its statements."""
    place = SchemaPlace(postgres)
    yield place
    audit(place)
    place.drop()


@contextmanager
def paused_first_payment(
    schema: SchemaPlace, record: MandateRecord, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[SqlLedger, Callable[[], str]]]:
    """A first payment that has looked for its mandate, found none, and has not recorded it yet; what it is told, in the end."""
    reached, go_on = Event(), Event()
    pin = succession.pin

    def paused(tx: Transaction, found: MandateRow | None, mandate: MandateRecord, *more: Any) -> MandateRow:
        if mandate.key == record.key and found is None and not reached.is_set():
            reached.set()
            assert go_on.wait(60)
        return pin(tx, found, mandate, *more)

    monkeypatch.setattr(succession, "pin", paused)
    with schema.open() as slow, schema.open() as other, ThreadPoolExecutor(1) as pool:
        slow.bind(PSP)
        slow.reserve(reservation(1, of=mandate(99)), mandate(99), MAKE_RECEIPT)
        asked = pool.submit(pay, slow, record, 2, CAP)
        assert reached.wait(60)

        def told() -> str:
            go_on.set()
            return asked.result(60)

        yield other, told


def test_a_first_payment_that_was_overtaken_by_a_succession(schema: SchemaPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new, _ = line()
    with paused_first_payment(schema, old, monkeypatch) as (ledger, told):
        ledger.register(old, NOW_SECONDS, MAKE_RECEIPT)
        assert pay(ledger, old, 3, CAP) == ""
        ledger.register(new, NOW_SECONDS, MAKE_RECEIPT)
        assert told() == "credential_superseded"
        assert pay(ledger, new, 4, 1) == "total_limit_exceeded"


def test_a_first_payment_that_was_overtaken_by_its_successors_revocation(
    schema: SchemaPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new, _ = line()
    with paused_first_payment(schema, old, monkeypatch) as (ledger, told):
        ledger.revoke(new, NOW_SECONDS, MAKE_RECEIPT)
        assert told() == "credential_superseded"
        assert pay(ledger, old, 3, 1) == "credential_superseded"


def pay(ledger: SqlLedger, record: MandateRecord, number: int, minor: int = 20) -> str:
    """The code of the refusal, or nothing."""
    outcome = ledger.reserve(reservation(number, minor, of=record, limits=(limit(CAP),)), record, MAKE_RECEIPT)
    return "" if outcome.refusal is None else outcome.refusal.code

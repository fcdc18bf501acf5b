"""Payments under a mandate and under those that replace it, all at once: whoever comes first, one line has one budget."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

from act.payment.ledger import EntryKind, MandateRecord
from act.payment.receipt import recorded_receipt
from act.stores.sql.ledger import SqlLedger
from tests.support.fold import audit
from tests.support.places import Place
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


def pay(ledger: SqlLedger, record: MandateRecord, number: int) -> str:
    """The code of the refusal, or nothing."""
    outcome = ledger.reserve(reservation(number, 20, of=record, limits=(limit(CAP),)), record, MAKE_RECEIPT)
    return "" if outcome.refusal is None else outcome.refusal.code

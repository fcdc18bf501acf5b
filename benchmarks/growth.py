"""Whether a payment costs more the more were made before it: the ledger alone on SQLite, with up to a million past payments."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from act.payment.ledger import MandateRecord
from act.payment.verifier import ReservationRequest
from act.stores.sql.reservation import reserve
from act.stores.sql.transaction import Transaction
from act.stores.sqlite import SqliteLedger
from benchmarks.measure import Effort, Work, interleaved
from benchmarks.table import render
from tests.support.reservations import MAKE_RECEIPT, limit, mandate, reservation
from tests.support.world import PSP

__all__ = ["report"]

PAST: Final = (1_000, 10_000, 100_000, 1_000_000)
QUICK_PAST: Final = (100, 1_000)
FULL: Final = Effort(rounds=15, turns=2, calls=20)
QUICK: Final = Effort(rounds=2, turns=1, calls=2)
MANDATES: Final = 1_000
"""Half of the past payments were made under the mandate that is measured, half under so many others."""

_IN_ONE_COMMIT: Final = 1_000
_LIMITS: Final = (limit(2**52),)

Asked = tuple[ReservationRequest, MandateRecord]


def _payments() -> Iterator[Asked]:
    """Payments without end, every other one under the hot mandate."""
    records = [mandate(number) for number in range(1, MANDATES + 2)]
    for number in itertools.count(1):
        record = records[0] if number % 2 else records[1 + number % MANDATES]
        yield reservation(number, 1, of=record, limits=_LIMITS), record


def _fill(ledger: SqliteLedger, payments: Iterator[Asked], count: int) -> None:
    def write(tx: Transaction) -> None:
        for request, record in itertools.islice(payments, min(_IN_ONE_COMMIT, count)):
            reserve(tx, request, record, MAKE_RECEIPT)

    for _ in range(0, count, _IN_ONE_COMMIT):
        ledger._database.write(write)  # noqa: SLF001 - a million commits would take too long


def _one(ledger: SqliteLedger, payments: Iterator[Asked]) -> Work:
    hot = (each for each in payments if each[1].key == mandate(1).key)
    return lambda: ledger.reserve(*next(hot), MAKE_RECEIPT)


def report(*, quick: bool = False) -> str:
    """The table of costs."""
    past, effort = (QUICK_PAST, QUICK) if quick else (PAST, FULL)
    works: dict[str, Work] = {}
    ledgers = []
    with tempfile.TemporaryDirectory(prefix="act-benchmark-") as folder:
        for count in past:
            ledger = SqliteLedger(Path(folder) / f"{count}.db")
            ledgers.append(closing(ledger))
            ledger.bind(PSP)
            payments = _payments()
            _fill(ledger, payments, count)
            works[f"{count:,}"] = _one(ledger, payments)
        for work in works.values():
            work()
        timings = interleaved(works, effort)
        for each in ledgers:
            with each:
                pass
    first = f"{past[0]:,}"
    return render(
        "growth: one more payment under one mandate, the ledger alone on SQLite, one commit each",
        ("past payments", "median us", f"x {first}"),
        [(name, f"{timings.median_us(name):.0f}", f"{timings.ratio(name, first):.2f}") for name in works],
        (f"Half of the past payments were made under the same mandate, half under {MANDATES:,} others.",),
    )

"""What sharing commits is worth: the whole `authorize` by many threads, with and without a slow disk.

A disk whose fsync takes a millisecond is imitated by a pause of that length in every commit, with the real fsync before it. One
commit each is the same ledger with groups of one.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final
from unittest import mock

import act
from act.stores.sqlite import connection as sqlite_connection
from benchmarks.measure import undisturbed
from benchmarks.milk_tea import LEDGER, NOW, Cast
from benchmarks.table import render

__all__ = ["report"]

SLOW_SECONDS: Final = 0.001
THREADS: Final = 32
WARM_UP: Final = 20
TARGET_FACTOR: Final = 5.0
TARGET_RATE: Final = 3_000


class _SlowConnection(sqlite_connection.Connection):
    """A connection whose commits take longer."""

    seconds = 0.0

    def execute(self, statement: str, values: Any = (), /) -> Any:
        done = super().execute(statement, values)
        if statement == "COMMIT" and self.seconds:
            time.sleep(self.seconds)
        return done


@contextmanager
def _disk(seconds: float, group: int) -> Iterator[None]:
    """Ledgers opened meanwhile commit that slowly, in groups of that size at most."""
    slow = type("_Connection", (_SlowConnection,), {"seconds": seconds})
    with (
        mock.patch.object(sqlite_connection, "Connection", slow),
        mock.patch.object(sqlite_connection, "BATCH_SIZE", group),
    ):
        yield


def _rate(threads: int, count: int, seconds: float, group: int) -> float:
    """Payments per second, all under one mandate."""
    cast = Cast.fresh()
    mandate = cast.mandate(max_total_amount="10000000.00")
    payments = [cast.payment(mandate, cast.order(number)) for number in range(count + WARM_UP)]
    with (
        tempfile.TemporaryDirectory(prefix="act-benchmark-") as folder,
        _disk(seconds, group),
        closing(act.SqliteLedger(Path(folder) / "ledger.db")) as ledger,
    ):
        service = act.PaymentService(LEDGER, parties=cast.parties(), ledger=ledger, signer=cast.psp, clock=lambda: NOW)
        for payment in payments[:WARM_UP]:
            service.authorize(payment)
        return count / _elapsed(service, payments[WARM_UP:], threads)


def _elapsed(service: act.PaymentService, payments: list[act.Payment], threads: int) -> float:
    """Seconds until threads have worked off all payments."""

    def work(mine: list[act.Payment]) -> None:
        for payment in mine:
            service.authorize(payment)

    workers = [threading.Thread(target=work, args=(payments[place::threads],)) for place in range(threads)]
    with undisturbed():
        start = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return time.perf_counter() - start


def report(*, quick: bool = False) -> str:
    """The table of rates."""
    rounds, count = (1, 2 * THREADS) if quick else (5, 100 * THREADS)
    works = {
        "1 ms fsync, one thread, one commit each": (1, count // 8, SLOW_SECONDS, 1),
        "1 ms fsync, one commit each": (THREADS, count // 8, SLOW_SECONDS, 1),
        "1 ms fsync, commits shared": (THREADS, count, SLOW_SECONDS, sqlite_connection.BATCH_SIZE),
        "this disk, one thread": (1, count // 2, 0.0, 1),
        "this disk, commits shared": (THREADS, count, 0.0, sqlite_connection.BATCH_SIZE),
    }
    rates: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, (threads, payments, seconds, group) in works.items():
            rates[name].append(_rate(threads, payments, seconds, group))
    found = {name: median(each) for name, each in rates.items()}
    factor = median(
        shared / alone
        for shared, alone in zip(rates["1 ms fsync, commits shared"], rates["1 ms fsync, one commit each"], strict=True)
    )
    fast = found["this disk, commits shared"]
    is_worth, is_fast = ("yes" if met else "NO" for met in (factor >= TARGET_FACTOR, fast >= TARGET_RATE))
    return render(
        f"groups: authorize on SQLite, {THREADS} threads unless said otherwise, one hot mandate",
        ("work", "per second"),
        [(name, f"{rate:,.0f}") for name, rate in found.items()],
        (
            f"Medians of {rounds} rounds. Authorize: every signature and rule, the reservation, the signed receipt.",
            f"Sharing against one commit each, 1 ms fsync: {factor:.1f}x (at least {TARGET_FACTOR:.0f}x: {is_worth}).",
            f"This disk, commits shared: {fast:,.0f}/s (at least {TARGET_RATE:,}: {is_fast}).",
        ),
    )

"""What sharing commits is worth: `authorize` by many threads, or of many payments at once, with and without a slow disk.

A disk whose fsync takes a millisecond is imitated by a pause of that length in every commit, with the real fsync after it. One
commit each is the same ledger with groups of one. Processes are workers of one service: each has the same file open.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple
from unittest import mock

import act
from act.stores.sqlite import connection as sqlite_connection
from benchmarks.milk_tea import LEDGER, NOW, Cast
from benchmarks.processes import elapsed_seconds
from benchmarks.table import render

__all__ = ["SLOW_SECONDS", "report", "slow_disk"]

SLOW_SECONDS: Final = 0.001
THREADS: Final = 32
PROCESSES: Final = 2
AT_ONCE: Final = 64
WARM_UP: Final = 20
TARGET_FACTOR: Final = 5.0
TARGET_RATE: Final = 3_000
_ALONE: Final = "1 ms fsync, one thread, one commit each"
_AT_ONCE: Final = f"1 ms fsync, one thread, {AT_ONCE} at once"
_THREADS_ALONE: Final = "1 ms fsync, one commit each"
_THREADS_SHARED: Final = "1 ms fsync, commits shared"
_FAST: Final = f"this disk, one thread, {AT_ONCE} at once"
_FASTEST: Final = f"this disk, {PROCESSES} processes, {AT_ONCE} at once each"


class _SlowConnection(sqlite_connection.Connection):
    """A connection whose commits take longer."""

    seconds = 0.0

    def execute(self, statement: str, values: Any = (), /) -> Any:
        if statement == "COMMIT":
            time.sleep(self.seconds)  # while the file is locked, as a real fsync is waited for
        return super().execute(statement, values)


@contextmanager
def slow_disk(seconds: float, group: int = sqlite_connection.BATCH_SIZE) -> Iterator[None]:
    """Ledgers opened meanwhile commit that slowly, in groups of that size at most."""
    plain = sqlite_connection.Connection  # without a pause there is nothing to watch statements for
    slow = type("_Connection", (_SlowConnection,), {"seconds": seconds}) if seconds else plain
    with (
        mock.patch.object(sqlite_connection, "Connection", slow),
        mock.patch.object(sqlite_connection, "BATCH_SIZE", group),
    ):
        yield


class _Work(NamedTuple):
    """How many threads ask, how many payments there are and how many of them each call takes, how slow the disk is, how many
    payments share a commit at most, and in how many processes all of this is done, each with its share of the payments."""

    threads: int
    payments: int
    at_once: int
    seconds: float
    group: int
    processes: int = 1


def _rate(work: _Work) -> float:
    """Payments per second, all under one mandate."""
    cast = Cast.fresh()
    mandate = cast.mandate(max_total_amount="10000000.00")
    payments = [cast.payment(mandate, cast.order(number)) for number in range(work.payments + WARM_UP * work.processes)]
    with tempfile.TemporaryDirectory(prefix="act-benchmark-") as folder, slow_disk(work.seconds, work.group):

        @contextmanager
        def prepared(number: int) -> Iterator[Callable[[], None]]:
            mine = payments[number :: work.processes]
            parties = cast.parties()
            with closing(act.SqliteLedger(Path(folder) / "ledger.db")) as ledger:
                service = act.PaymentService(LEDGER, parties=parties, ledger=ledger, signer=cast.psp, clock=lambda: NOW)
                for payment in mine[:WARM_UP]:
                    service.authorize(payment)
                yield lambda: _ask(service, mine[WARM_UP:], work.threads, work.at_once)

        return work.payments / elapsed_seconds(work.processes, prepared)


def _ask(service: act.PaymentService, payments: list[act.Payment], threads: int, at_once: int) -> None:
    """Has threads work off all payments."""

    def work(mine: list[act.Payment]) -> None:
        if at_once == 1:
            for payment in mine:
                service.authorize(payment)
            return
        for start in range(0, len(mine), at_once):
            answers = service.authorize_all(mine[start : start + at_once])
            assert all(isinstance(each, act.Charge) for each in answers)

    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, [payments[place::threads] for place in range(threads)]):
            pass  # what a thread raised is raised here: a refused payment is not a fast one


def report(*, quick: bool = False) -> str:
    """The table of rates."""
    rounds, count = (1, 2 * THREADS) if quick else (5, 100 * THREADS)
    every = sqlite_connection.BATCH_SIZE
    works = {
        _ALONE: _Work(1, count // 8, 1, SLOW_SECONDS, 1),
        _THREADS_ALONE: _Work(THREADS, count // 8, 1, SLOW_SECONDS, 1),
        _THREADS_SHARED: _Work(THREADS, count, 1, SLOW_SECONDS, every),
        _AT_ONCE: _Work(1, count, AT_ONCE, SLOW_SECONDS, every),
        "this disk, one thread, one commit each": _Work(1, count // 2, 1, 0.0, every),
        "this disk, commits shared": _Work(THREADS, count, 1, 0.0, every),
        _FAST: _Work(1, count, AT_ONCE, 0.0, every),
        _FASTEST: _Work(1, count, AT_ONCE, 0.0, every, PROCESSES),
    }
    rates: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            rates[name].append(_rate(work))
    found = {name: median(each) for name, each in rates.items()}
    return render(
        f"groups: authorize on SQLite, {THREADS} threads unless said otherwise, one hot mandate",
        ("work", "per second"),
        [(name, f"{rate:,.0f}") for name, rate in found.items()],
        (
            f"Medians of {rounds} rounds. Authorize: every signature and rule, the reservation, the signed receipt.",
            f"{AT_ONCE} at once: by `authorize_all`, as a server without threads asks; all of them share one commit.",
            f"Sharing against one commit each, 1 ms fsync, at least {TARGET_FACTOR:.0f}x:",
            f"  one thread, {AT_ONCE} at once: {_factor(rates[_AT_ONCE], rates[_ALONE])};",
            f"  {THREADS} threads (and one interpreter lock): {_factor(rates[_THREADS_SHARED], rates[_THREADS_ALONE])}.",
            f"This disk, {AT_ONCE} at once, {os.cpu_count()} cores, at least {TARGET_RATE:,}/s:",
            f"  one process: {_rate_of(found[_FAST])}; {PROCESSES} processes: {_rate_of(found[_FASTEST])}.",
        ),
    )


def _factor(rates: list[float], yardstick: list[float]) -> str:
    """The median of the rounds' ratios."""
    times = median(rate / bare for rate, bare in zip(rates, yardstick, strict=True))
    return f"{times:.1f}x ({'yes' if times >= TARGET_FACTOR else 'NO'})"


def _rate_of(rate: float) -> str:
    return f"{rate:,.0f}/s ({'yes' if rate >= TARGET_RATE else 'NO'})"

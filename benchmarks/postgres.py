"""Reservations on PostgreSQL: clients that wait for one another's row, and reservations that share a call.

Every client is a process with one connection and reservations made beforehand. The server is the one of the tests, on this
machine's disk. A slow disk is imitated by `commit_delay`, with which the server waits before each flush of its log.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from multiprocessing.synchronize import Barrier
from statistics import median
from typing import Any, Final

from act.stores.postgres import PostgresLedger
from act.stores.postgres.reserving import Reservation, prepare, reserve_batch
from benchmarks.measure import undisturbed
from benchmarks.table import render
from tests.support.postgres import PostgresServer
from tests.support.reservations import MAKE_RECEIPT, limit, mandate, reservation
from tests.support.world import PSP

__all__ = ["report"]

CLIENTS: Final = (1, 8, 32)
SHARES: Final = {8: 0.6, 32: 0.3}
"""What a hot mandate's rate must keep of one connection's."""

BATCHES: Final = (1, 10, 100)
BATCH_FACTOR: Final = 8.0
SLOW: Final = {"commit_delay": "1000", "commit_siblings": "0"}
_LIMITS: Final = (limit(2**52),)
_WARM_UP: Final = 10


def _reservations(client: int, count: int, *, hot: bool) -> list[Reservation]:
    """As many as a client will ask for, all under one mandate or each client's under mandates of its own."""
    made = []
    for number in range(count):
        record = mandate(1) if hot else mandate(2 + 2 * (client * 100 + number % 100))
        request = reservation(1 + client * 1_000_000 + number, 1, of=record, limits=_LIMITS)
        made.append(prepare(request, record, MAKE_RECEIPT))
    return made


def _ask(ledger: PostgresLedger, batch: list[Reservation]) -> None:
    for each in batch:
        ledger.reserve(each.request, each.mandate, each.make_receipt)


def _client(address: str, schema: str, client: int, count: int, hot: bool, start: Barrier, done: Any) -> None:
    with closing(PostgresLedger(address, schema=schema, connections=1)) as ledger:
        asked = _reservations(client, count + _WARM_UP, hot=hot)
        _ask(ledger, asked[:_WARM_UP])
        start.wait()
        began = time.monotonic()
        with undisturbed():
            _ask(ledger, asked[_WARM_UP:])
        done.put((began, time.monotonic()))


def _rate(server: PostgresServer, clients: int, count: int, *, hot: bool) -> float:
    """Reservations per second of that many processes."""
    schema = server.fresh_schema()
    with closing(PostgresLedger(server.address, schema=schema)) as ledger:
        ledger.bind(PSP)
    context = multiprocessing.get_context("spawn")
    start, done = context.Barrier(clients), context.Queue()
    each = max(1, count // clients)
    workers = [
        context.Process(target=_client, args=(server.address, schema, client, each, hot, start, done))
        for client in range(clients)
    ]
    for worker in workers:
        worker.start()
    times = [done.get() for _ in workers]
    for worker in workers:
        worker.join()
    elapsed: float = max(end for _, end in times) - min(begin for begin, _ in times)
    return clients * each / elapsed


def _batch_rate(server: PostgresServer, size: int, count: int) -> float:
    """Reservations per second of one connection that sends so many in a call, all under one mandate."""
    with closing(PostgresLedger(server.address, schema=server.fresh_schema(), connections=1)) as ledger:
        ledger.bind(PSP)
        asked = _reservations(0, count + _WARM_UP, hot=True)
        _ask(ledger, asked[:_WARM_UP])
        batches = [asked[at : at + size] for at in range(_WARM_UP, len(asked), size)]
        with undisturbed():
            began = time.perf_counter()
            for batch in batches:
                _call(ledger, batch)
            elapsed: float = time.perf_counter() - began
        return count / elapsed


def _call(ledger: PostgresLedger, batch: list[Reservation]) -> None:
    outcomes = ledger._postgres.run(lambda connection: reserve_batch(connection, batch))  # noqa: SLF001 - what `reserve` calls
    assert len(outcomes) == len(batch)


def _rounds(rounds: int, works: dict[str, Callable[[], float]]) -> dict[str, list[float]]:
    rates: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            rates[name].append(work())
    return rates


def _part(rates: dict[str, list[float]], name: str, of: str) -> float:
    return median(rate / whole for rate, whole in zip(rates[name], rates[of], strict=True))


def _name(clients: int, *, hot: bool) -> str:
    return f"{'one hot mandate' if hot else 'many mandates'}, {clients} connection{'s' if clients > 1 else ''}"


def report(*, quick: bool = False) -> str:
    """The two tables."""
    rounds, count, clients = (1, 100, (1, 2)) if quick else (5, 3_000, CLIENTS)
    server, slow = PostgresServer(), PostgresServer(**SLOW)
    try:
        works: dict[str, Callable[[], float]] = {
            _name(number, hot=hot): partial(_rate, server, number, count, hot=hot)
            for hot in (True, False)
            for number in clients
        }
        rates = _rounds(rounds, works)
        batched: dict[str, Callable[[], float]] = {
            f"{disk}, {size} in a call": partial(_batch_rate, where, size, count if size > 1 else max(1, count // 4))
            for disk, where in (("this disk", server), ("1 ms fsync", slow))
            for size in BATCHES
        }
        shared = _rounds(rounds, batched)
    finally:
        server.stop()
        slow.stop()
    hot = {number: _part(rates, _name(number, hot=True), _name(1, hot=True)) for number in clients if number in SHARES}
    factor = max(_part(shared, f"1 ms fsync, {size} in a call", "1 ms fsync, 1 in a call") for size in BATCHES[1:])
    verdicts = [
        f"{number} connections on one hot mandate: {part:.0%} of one connection's rate "
        f"(at least {SHARES[number]:.0%}: {'yes' if part >= SHARES[number] else 'NO'})."
        for number, part in hot.items()
    ]
    verdicts.append(
        f"1 ms fsync, one hot mandate: batches against one call each {factor:.1f}x "
        f"(at least {BATCH_FACTOR:.0f}x: {'yes' if factor >= BATCH_FACTOR else 'NO'})."
    )
    return render(
        "postgres: reservations on PostgreSQL, the ledger alone, every commit durable",
        ("work", "per second"),
        [(name, f"{median(each):,.0f}") for name, each in (rates | shared).items()],
        (f"Medians of {rounds} rounds. Connections: each a process of its own, one reservation a call.", *verdicts),
    )

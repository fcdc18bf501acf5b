"""Batches of reservations that get in each other's way in PostgreSQL: the same mandates, hot and cold, and the same orders.

Every process draws batches over the mandates and orders of the moment, sends each as the store's own batch, and ends some of
the holds it got, so that orders become free again. Cold mandates are met first by several at once; time goes on, so that holds
end which others' orders still have.
"""

from __future__ import annotations

import multiprocessing
import random
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from typing import Final

from act.errors import Refused
from act.payment.charge import HOLD_SECONDS, ChargeRecord
from act.stores.postgres import PostgresLedger
from act.stores.postgres.reserving import Reservation, prepare
from act.stores.sql.batches import Ticket
from tests.support.places import SchemaPlace
from tests.support.reservations import MAKE_RECEIPT, limit, mandate, reservation
from tests.support.world import NOW_SECONDS, PSP

__all__ = ["deadlocks", "melee"]

HOT: Final = 6
ORDERS: Final = 24
"""How many there are to quarrel about at a moment; a moment is so many batches of each process."""
MOMENT: Final = 20
COLD: Final = 1_000
LARGEST: Final = 6


def _fight(place: SchemaPlace, process: int, batches: int, seed: int) -> Counter[str]:
    """What one process does. Counts what came of it by kind."""
    draw, met = random.Random(f"{seed}/{process}"), Counter[str]()
    with place.open() as ledger:
        for number in range(batches):
            moment = number // MOMENT
            at = NOW_SECONDS + moment * HOLD_SECONDS // 8
            first = (process << 32) + number * LARGEST
            asked = [_drawn(draw, first + each, moment, at) for each in range(draw.randint(1, LARGEST))]
            for charge in _send(ledger, asked, met):
                if draw.randrange(2):
                    _void(ledger, charge, at, met)
            if draw.randrange(40) == 0:
                ledger.revoke(mandate(COLD + moment * 8 + draw.randrange(8)), at, MAKE_RECEIPT)
            elif draw.randrange(10) == 0:
                ledger.expire(at, 5, MAKE_RECEIPT)
    return met


def _drawn(draw: random.Random, number: int, moment: int, at: int) -> Reservation:
    cold = draw.randrange(3) == 0
    record = mandate(COLD + moment * 8 + draw.randrange(8) if cold else 1 + draw.randrange(HOT))
    order = f"C-{moment // 3 * ORDERS + draw.randrange(ORDERS)}" if draw.randrange(4) == 0 else None
    request = reservation(number, draw.randint(1, 100), of=record, limits=(limit(10**12),), order_no=order, at=at)
    return prepare(request, record, MAKE_RECEIPT)


def _send(ledger: PostgresLedger, asked: list[Reservation], met: Counter[str]) -> list[ChargeRecord]:
    """The charges that a batch got."""
    tickets = [Ticket(each) for each in asked]
    ledger._reserve_all(list(tickets))
    met["batch"] += 1
    charges = []
    for ticket in tickets:
        if ticket.error is not None:
            if not isinstance(ticket.error, Refused):
                raise ticket.error
            met[ticket.error.code] += 1
        elif ticket.result.charge is None:
            met[ticket.result.refusal.code] += 1
        else:
            met["reserved"] += 1
            charges.append(ticket.result.charge)
    return charges


def _void(ledger: PostgresLedger, charge: ChargeRecord, at: int, met: Counter[str]) -> None:
    try:
        ledger.void(charge.id, at, MAKE_RECEIPT)
    except Refused as refusal:  # another reservation has found that it ended
        met[f"void: {refusal.code}"] += 1


def melee(place: SchemaPlace, processes: int, batches: int, seed: int = 4) -> Counter[str]:
    """So many batches in all; what came of their reservations."""
    with place.open() as ledger:
        ledger.bind(PSP)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context) as pool:
        each = batches // processes
        futures = [pool.submit(_fight, place, process, each, seed) for process in range(processes)]
        return sum((future.result() for future in futures), Counter[str]())


def deadlocks(place: SchemaPlace) -> int:
    """How many the server has counted since it was made, those of every connection that has ended included."""
    others = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    while place.rows(others) != [(0,)]:  # a connection's counts are added when it ends
        pass
    ((count,),) = place.rows("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    return int(count)

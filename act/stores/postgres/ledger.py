"""The ledger in one schema of a PostgreSQL database."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, Final

import psycopg

from act.errors import ActError
from act.payment.ledger import Asked, MandateRecord, Outcome, ReceiptMaker
from act.payment.verifier import ReservationRequest
from act.stores.postgres.connection import PostgresDatabase
from act.stores.postgres.reserving import Reservation, prepare, reserve_batch
from act.stores.sql import reservation
from act.stores.sql.batches import Batches, Ticket
from act.stores.sql.ledger import SqlLedger

__all__ = ["BATCH_SIZE", "PostgresLedger"]

BATCH_SIZE: Final = 100
"""At most so many reservations are one call: the first of them waits for the last, and so does whoever needs their mandates."""

_OF_ONE: Final = (psycopg.DataError, psycopg.IntegrityError)
"""What the database refuses of one reservation, and of the call that it came with: the others are not to blame."""


class PostgresLedger(SqlLedger):
    """A ledger for any number of processes and machines, in `schema` of the database at `address` (libpq's URL or keywords).

    A reservation is one call of a function in the database; threads that reserve at the same time share a call. With `create`
    (the default) a missing schema is made, and an older one is brought up to this version, at the first use. `connections` is
    how many of them a process keeps at most. Raises `StoreFault`: store_unavailable (also for a server that does not write what
    it acknowledges to the disk), store_busy, store_full, store_read_only, store_unknown_version. Open it anew after fork.
    """

    def __init__(self, address: str, *, schema: str = "act", create: bool = True, connections: int = 8) -> None:
        self._postgres: Final = PostgresDatabase(address, schema, create=create, connections=connections)
        super().__init__(self._postgres)
        self._reservations: Final[Batches[Reservation]] = Batches(self._reserve_all, BATCH_SIZE)

    def reserve(self, request: ReservationRequest, mandate: MandateRecord, make_receipt: ReceiptMaker) -> Outcome:
        """See `Ledger.reserve`."""
        if request.pinned_before is not None:
            return super().reserve(request, mandate, make_receipt)
        outcome: Outcome = self._reservations.run(prepare(request, mandate, make_receipt))
        return outcome

    def reserve_all(self, asked: Sequence[Asked]) -> list[Outcome | Exception]:
        """See `Ledger.reserve_all`: all of them in one call, or in as few as it takes."""
        self._postgres.require_same_process()
        prepared: dict[int, Reservation] = {}
        for place, each in enumerate(asked):
            if each.request.pinned_before is None:
                with contextlib.suppress(ActError):  # such as a receipt that nobody could read: told below, at its place
                    prepared[place] = prepare(*each)
        tickets = dict(zip(prepared, self._reservations.run_all([*prepared.values()]), strict=True))
        found: list[Outcome | Exception] = []
        for place, each in enumerate(asked):
            ticket = tickets.get(place)
            if ticket is None:
                found += super().reserve_all([each])
            else:
                found.append(ticket.result if ticket.error is None else ticket.error)
        return found

    def _reserve_all(self, batch: list[Ticket[Reservation]]) -> None:
        """Each is judged on its own, as if one came after the other in the batch's order. Where something stands in the way of
        one, that one is judged by itself before the next begins."""
        batch.sort(key=lambda ticket: ticket.asked.order)
        left = batch
        while left:
            try:
                outcomes = self._reserve_free([ticket.asked for ticket in left])
            except Exception as error:  # noqa: BLE001 - it belongs to each thread that asked, and none was acknowledged
                is_of_one = isinstance(error.__cause__, _OF_ONE)
                for ticket in left:
                    self._reserve_alone(ticket) if is_of_one else ticket.fail(error)
                return
            for ticket, outcome in zip(left, outcomes, strict=False):
                ticket.succeed(outcome)
                ticket.is_done = True
            left = left[len(outcomes) :]
            if left:
                self._reserve_alone(left[0])
                left = left[1:]

    def _reserve_free(self, batch: list[Reservation]) -> list[Outcome]:
        def call(connection: psycopg.Connection[Any]) -> list[Outcome]:
            return reserve_batch(connection, batch)

        return self._postgres.run(call)

    def _reserve_alone(self, ticket: Ticket[Reservation]) -> None:
        asked = ticket.asked
        try:
            ticket.succeed(
                self._database.write(lambda tx: reservation.reserve(tx, asked.request, asked.mandate, asked.make_receipt))
            )
        except Exception as error:  # noqa: BLE001 - it belongs to the thread that asked
            ticket.fail(error)
        ticket.is_done = True

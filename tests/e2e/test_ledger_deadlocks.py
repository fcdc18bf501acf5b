"""Whoever reserves in PostgreSQL waits for others in one order, never in a circle.

A transaction that the database gives up is run again, so that a deadlock would be seen in no answer, only in how long it took.
So the server's own count of them is what these tests read.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from act.envelope.objects import Unsigned
from act.payment.charge import HOLD_SECONDS
from act.payment.ledger import Entry
from act.stores.postgres.connection import PostgresTransaction
from act.stores.postgres.reserving import prepare
from act.stores.sql.batches import Ticket
from tests.support.fold import audit
from tests.support.melee import deadlocks, melee
from tests.support.places import SchemaPlace
from tests.support.postgres import PostgresServer
from tests.support.reservations import MAKE_RECEIPT, mandate, reservation
from tests.support.world import NOW_SECONDS, PSP

PROCESSES = 4


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """One that looks for deadlocks soon, and on which nobody else's would be counted."""
    server = PostgresServer(deadlock_timeout="20ms")
    yield server
    server.stop()


@pytest.fixture
def schema(server: PostgresServer) -> Iterator[SchemaPlace]:
    """A ledger's place; there was no deadlock when the test is done."""
    place = SchemaPlace(server)
    before = deadlocks(place)
    yield place
    assert deadlocks(place) == before


class Pause:
    """A maker of receipts that stops where it is called: in the middle of a transaction."""

    def __init__(self) -> None:
        self.is_inside = threading.Event()
        self.may_go_on = threading.Event()

    def __call__(self, entry: Entry) -> Unsigned:
        self.is_inside.set()
        assert self.may_go_on.wait(60)
        return MAKE_RECEIPT(entry)


@pytest.mark.parametrize("batches", [100, pytest.param(100_000, marks=pytest.mark.slow)])
def test_mixed_batches(schema: SchemaPlace, batches: int) -> None:
    met = melee(schema, PROCESSES, batches)
    assert met["batch"] == batches
    assert met.keys() >= {"reserved", "order_already_paid"}
    assert audit(schema).entries["RESERVED"] == met["reserved"]


def test_two_that_each_pay_an_order_which_the_others_mandate_still_holds(schema: SchemaPlace) -> None:
    later = NOW_SECONDS + HOLD_SECONDS
    with ExitStack() as stack:
        ledgers = [stack.enter_context(schema.open()) for _ in range(2)]
        ledgers[0].bind(PSP)
        for number in (1, 2):
            ledgers[0].reserve(reservation(number, of=mandate(number), order_no=f"O-{number}"), mandate(number), MAKE_RECEIPT)
        keeper = stack.enter_context(schema.connect())
        keeper.execute("BEGIN")
        keeper.execute("SELECT FROM mandate FOR UPDATE")
        threads = stack.enter_context(ThreadPoolExecutor(2))
        asked = [
            threads.submit(
                ledger.reserve,
                reservation(10 + number, of=mandate(number), order_no=f"O-{3 - number}", at=later),
                mandate(number),
                MAKE_RECEIPT,
            )
            for number, ledger in zip((1, 2), ledgers, strict=True)
        ]
        schema.until_waiting(2)
        keeper.execute("ROLLBACK")
        assert all(each.result().charge is not None for each in asked)
    assert audit(schema).entries == {"RESERVED": 4, "EXPIRED": 2}


def test_a_batch_does_not_wait_for_whoever_records_a_mandate(schema: SchemaPlace) -> None:
    """That one may wait for it: for the row of a mandate which it did not see yet, and which the batch pays under twice."""
    with ExitStack() as stack:
        ledger = stack.enter_context(schema.open())
        ledger.bind(PSP)
        ledger.reserve(reservation(1), mandate(), MAKE_RECEIPT)
        keeper = stack.enter_context(schema.connect())
        keeper.execute("BEGIN")
        look = " ".join(("SELECT id FROM account", PostgresTransaction(keeper).locking("account")))
        keeper.execute(look)
        tickets = [Ticket(prepare(reservation(number), mandate(), MAKE_RECEIPT)) for number in (2, 3)]
        threads = stack.enter_context(ThreadPoolExecutor(1))
        batch = threads.submit(ledger._reserve_all, list(tickets))
        try:
            batch.result(timeout=20)
        finally:
            keeper.execute("ROLLBACK")
        assert all(ticket.result.charge is not None for ticket in tickets)


def test_a_batch_that_meets_a_mandate_made_since_it_began_to_wait(schema: SchemaPlace) -> None:
    """It has not locked this one, and somebody else has: the batch must not hold what they need and then ask for their row."""
    with ExitStack() as stack:
        ledger, other = stack.enter_context(schema.open()), stack.enter_context(schema.open())
        ledger.bind(PSP)
        ledger.reserve(reservation(1, of=mandate(1)), mandate(1), MAKE_RECEIPT)
        keeper = stack.enter_context(schema.connect())
        keeper.execute("BEGIN")
        keeper.execute("SELECT FROM mandate FOR UPDATE")
        threads = stack.enter_context(ThreadPoolExecutor(2))
        tickets = [Ticket(prepare(reservation(10 + of, of=mandate(of)), mandate(of), MAKE_RECEIPT)) for of in (1, 2)]
        batch = threads.submit(ledger._reserve_all, list(tickets))
        schema.until_waiting(1)
        other.reserve(reservation(20, of=mandate(2)), mandate(2), MAKE_RECEIPT)
        pause = Pause()
        revoked = threads.submit(other.revoke, mandate(2), NOW_SECONDS, pause)
        assert pause.is_inside.wait(60)
        keeper.execute("ROLLBACK")
        schema.until_waiting(1)
        pause.may_go_on.set()
        assert not revoked.result().replayed
        batch.result()
        assert tickets[0].result.charge is not None
        assert tickets[1].result.refusal.code == "credential_revoked"
    assert audit(schema).entries == {"RESERVED": 3, "REVOKED": 1, "REFUSED": 1}

"""A process of its own that asks a ledger what it is told to ask, and can be stopped in the middle of a transaction.

A paused call stops where its receipt is made, which is after everything was judged and before it is committed. (PostgreSQL's
function makes the receipt of a reservation itself: only what the shared code reserves can be paused so.)
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

from act.envelope.objects import Unsigned
from act.payment.ledger import Entry, Outcome
from act.stores.sql.ledger import SqlLedger
from tests.support.places import Place
from tests.support.reservations import MAKE_RECEIPT, limit, mandate, reservation
from tests.support.world import END_SECONDS, NOW_SECONDS

__all__ = ["REVOKED", "Answer", "Rival", "reserve", "revoke"]

Answer = tuple[str, int]
"""What came of a reservation or a revocation, and when it was asked for, in nanoseconds of a clock that all processes share."""

REVOKED = "credential_revoked"
_LIMITS = (limit(10**12),)


def reserve(ledger: SqlLedger, number: int, of: int, make_receipt: Any = MAKE_RECEIPT) -> Answer:
    """Reserves under a mandate. A pausing one goes where its receipt is made inside the transaction, on every store."""
    inside = END_SECONDS if make_receipt is not MAKE_RECEIPT else None
    asked_at = time.monotonic_ns()
    request = reservation(number, of=mandate(of), limits=_LIMITS, pinned_before=inside)
    return _came_out(ledger.reserve(request, mandate(of), make_receipt)), asked_at


def revoke(ledger: SqlLedger, of: int, make_receipt: Any = MAKE_RECEIPT) -> Answer:
    """Revokes a mandate."""
    asked_at = time.monotonic_ns()
    return _came_out(ledger.revoke(mandate(of), NOW_SECONDS, make_receipt)), asked_at


def _came_out(outcome: Outcome) -> str:
    if outcome.refusal is not None:
        return outcome.refusal.code
    return "revoked" if outcome.charge is None else "reserved"


class Rival:
    """The process. It has the ledger open when the block is entered; leaving the block ends it."""

    def __init__(self, place: Place) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(place, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        assert self.hear() == "ready"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.join()
        self._ours.close()

    def ask(self, what: str, *numbers: int, pause: bool = False) -> None:
        """Lets it `reserve` (number, mandate), `revoke` (mandate) or `repeat` (first number, mandate) until it is revoked."""
        self._ours.send((what, numbers, pause))

    def hear(self) -> Any:
        """What it says next: `inside` when it pauses, or an answer."""
        assert self._ours.poll(60)
        return self._ours.recv()

    def is_silent(self) -> bool:
        """Whether it says nothing for a while: it waits for somebody."""
        return not self._ours.poll(1)

    def go_on(self) -> None:
        """Ends a pause."""
        self._ours.send(None)

    def signal(self, number: signal.Signals) -> None:
        """Stops it, lets it go on, or kills it."""
        assert self._process.pid is not None
        os.kill(self._process.pid, number)


def _serve(place: Place, pipe: Connection) -> None:
    """What the process does."""

    def pausing(entry: Entry) -> Unsigned:
        pipe.send("inside")
        pipe.recv()
        return MAKE_RECEIPT(entry)

    with place.open() as ledger:
        ledger.owner()  # opens it
        pipe.send("ready")
        while True:
            what, numbers, pause = pipe.recv()
            make_receipt = pausing if pause else MAKE_RECEIPT
            if what == "reserve":
                number, of = numbers
                pipe.send(reserve(ledger, number, of, make_receipt))
            elif what == "revoke":
                pipe.send(revoke(ledger, numbers[0], make_receipt))
            else:
                pipe.send(_repeat(ledger, *numbers))


def _repeat(ledger: SqlLedger, number: int, of: int) -> list[Answer]:
    """Reserves under a mandate again and again, until it was told twice that this is over."""
    answers: list[Answer] = []
    while sum(code == REVOKED for code, _ in answers) < 2:
        answers.append(reserve(ledger, number + len(answers), of))
    return answers

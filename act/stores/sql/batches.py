"""What waits is done together: whoever comes first does its own work and that of everybody who waits by then.

Meanwhile others gather; one of them is next. There is no thread of its own, and whoever comes alone waits for nobody.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final, Generic, TypeVar

from act.errors import StoreFault

__all__ = ["Batches", "Ticket"]

A = TypeVar("A")


class Ticket(Generic[A]):
    """What one thread asks, and what came of it: a result, or an error that is raised where it was asked."""

    __slots__ = ("asked", "error", "is_waiting", "result")

    def __init__(self, asked: A) -> None:
        self.asked: Final = asked
        self.is_waiting = True
        self.result: Any = None
        self.error: Exception | None = None

    def fail(self, error: Exception) -> None:
        """Gives it an error that may be other tickets' as well: each thread raises a fault of its own."""
        self.error = StoreFault(error.code, error.where, **error.facts) if isinstance(error, StoreFault) else error


class Batches(Generic[A]):
    """A queue before something that one thread uses at a time. `process` gives every ticket of a batch its result or error."""

    def __init__(self, process: Callable[[list[Ticket[A]]], None], most: int) -> None:
        self._process: Final = process
        self._most: Final = most
        self._turn: Final = threading.Condition()
        self._queue: Final[list[Ticket[A]]] = []
        self._is_taken = False

    def run(self, asked: A) -> Any:
        """The result of what is asked, once its whole batch is done; raises its error."""
        ticket = Ticket(asked)
        with self._turn:
            self._queue.append(ticket)
        while ticket.is_waiting:  # a queue longer than one batch takes more than one turn
            self._wait_or_lead(ticket)
        if ticket.error is not None:
            raise ticket.error
        return ticket.result

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """No batch is under way, and none begins."""
        with self._turn:
            while self._is_taken:
                self._turn.wait()
            self._is_taken = True
        try:
            yield
        finally:
            self._give_up()

    def _wait_or_lead(self, ticket: Ticket[A]) -> None:
        with self._turn:
            while ticket.is_waiting and self._is_taken:
                self._turn.wait()
            if not ticket.is_waiting:
                return
            self._is_taken = True
            batch = self._queue[: self._most]
            del self._queue[: self._most]
        try:
            self._process(batch)
            for each in batch:
                each.is_waiting = False
        except BaseException:  # this thread is to end; the others' work is not to blame
            with self._turn:
                self._queue[:0] = [each for each in batch if each is not ticket]
            raise
        finally:
            self._give_up()

    def _give_up(self) -> None:
        with self._turn:
            self._is_taken = False
            self._turn.notify_all()

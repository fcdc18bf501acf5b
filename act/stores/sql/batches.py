"""What waits is done together: whoever comes first does its own work and that of everybody who waits by then.

Meanwhile others gather; the first of them leads next. There is no thread of its own, and whoever comes alone waits for nobody.
Each thread that waits is woken once: when its work is done, or to lead. Waking all of them to see whose turn it is would take
longer than the work.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Generic, TypeVar

from act.errors import StoreFault

__all__ = ["Batches", "Ticket"]

A = TypeVar("A")


class Ticket(Generic[A]):
    """What one thread asks, and what came of it: a result, or an error that is raised where it was asked."""

    __slots__ = ("asked", "error", "leads", "result", "woken")

    def __init__(self, asked: A) -> None:
        self.asked: Final = asked
        self.leads = False
        self.result: Any = None
        self.error: Exception | None = None
        self.woken: Final = threading.Lock()
        self.woken.acquire()  # whoever wakes the thread releases it, once

    def fail(self, error: Exception) -> None:
        """Gives it an error that may be other tickets' as well: each thread raises a fault of its own."""
        self.error = StoreFault(error.code, error.where, **error.facts) if isinstance(error, StoreFault) else error


class Batches(Generic[A]):
    """A queue before something that one thread uses at a time. `process` gives every ticket of a batch its result or error."""

    def __init__(self, process: Callable[[list[Ticket[A]]], None], most: int) -> None:
        self._process: Final = process
        self._most: Final = most
        self._turn: Final = threading.Condition(threading.Lock())
        self._queue: Final[list[Ticket[A]]] = []
        self._pausing = 0
        self._is_taken = False  # where it is not, nobody waits: whoever gives up the turn hands it to the first in the queue

    def run(self, asked: A) -> Any:
        """The result of what is asked, once its whole batch is done; raises its error."""
        (ticket,) = self.run_all([asked])
        if ticket.error is not None:
            raise ticket.error
        return ticket.result

    def run_all(self, asked: Sequence[A]) -> list[Ticket[A]]:
        """What comes of each thing that is asked, in its order, once all of their batches are done."""
        tickets = [Ticket(each) for each in asked]
        is_next = False
        with self._turn:
            self._queue.extend(tickets)
            if tickets and not self._is_taken and not self._pausing:
                self._is_taken = tickets[0].leads = is_next = True
        try:
            for ticket in tickets:
                if not is_next:
                    ticket.woken.acquire()  # its work is done, or it is to lead
                is_next = False
                if ticket.leads:
                    self._lead(ticket)
        except BaseException:  # this thread is to end: nobody may wait for it
            self._withdraw(tickets)
            raise
        return tickets

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """No batch is under way, and none begins."""
        with self._turn:
            self._pausing += 1
            try:
                while self._is_taken:
                    self._turn.wait()
            except BaseException:  # this thread is to end: what waited for the pause goes on
                self._pausing -= 1
                if not self._is_taken:
                    self._pass_on()
                raise
            self._pausing -= 1
            self._is_taken = True
        try:
            yield
        finally:
            with self._turn:
                self._pass_on()

    def _withdraw(self, tickets: list[Ticket[A]]) -> None:
        """Takes back what is not yet under way, and the turn, if it was given to one of them."""
        with self._turn:
            left = [each for each in tickets if each in self._queue]
            for each in left:
                self._queue.remove(each)
            if any(each.leads for each in left):
                self._pass_on()

    def _lead(self, ticket: Ticket[A]) -> None:
        """Has a batch processed, this thread's own work in it."""
        with self._turn:
            batch = self._queue[: self._most]
            del self._queue[: self._most]
        others = [each for each in batch if each is not ticket]
        try:
            self._process(batch)
        except BaseException:  # this thread is to end; the others' work is not to blame
            with self._turn:
                self._queue[:0] = others
            others = []
            raise
        finally:
            with self._turn:
                self._pass_on()
            for each in others:
                each.woken.release()

    def _pass_on(self) -> None:
        """Gives the turn, under the lock, to whoever wants to pause, or else to the first in the queue."""
        self._is_taken = bool(self._queue) and not self._pausing
        if self._is_taken:
            self._queue[0].leads = True
            self._queue[0].woken.release()
        else:
            self._turn.notify_all()

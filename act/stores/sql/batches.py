"""What waits is done together: whoever comes first does its own work and that of everybody who waits by then.

Meanwhile others gather; the first of them leads next. There is no thread of its own, and whoever comes alone waits for nobody.
Each thread that waits is woken when its work is done, or to lead: waking all of them to see whose turn it is would take longer
than the work.

A thread may be interrupted anywhere. Then nothing of its own is begun any more, and nobody waits for it: what it leads and has
not done is done by the next, and the turn goes on.
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

    __slots__ = ("asked", "error", "is_done", "is_gone", "is_woken", "result", "woken")

    def __init__(self, asked: A) -> None:
        self.asked: Final = asked
        self.result: Any = None
        self.error: Exception | None = None
        self.is_done = False  # for good: it will not be processed again
        self.is_gone = False  # whoever asked was interrupted
        self.is_woken = False
        self.woken: Final = threading.Lock()
        self.woken.acquire()

    def succeed(self, result: Any) -> None:
        """Gives it a result. Where that lasts only once something else has succeeded, `is_done` says so later."""
        self.result, self.error = result, None

    def fail(self, error: Exception) -> None:
        """Gives it an error that may be other tickets' as well: each thread raises a fault of its own."""
        self.error = StoreFault(error.code, error.where, **error.facts) if isinstance(error, StoreFault) else error

    def wake(self) -> None:
        """Lets the thread that asked go on, however often this is called."""
        if not self.is_woken:
            with contextlib.suppress(RuntimeError):  # it was woken, and whoever did was interrupted before noting it
                self.woken.release()
            self.is_woken = True


class Batches(Generic[A]):
    """A queue before something that one thread uses at a time. `process` gives every ticket of a batch its result or error;
    those it has done for good when it is interrupted it marks so."""

    def __init__(self, process: Callable[[list[Ticket[A]]], None], most: int) -> None:
        self._process: Final = process
        self._most: Final = most
        self._lock: Final = threading.Lock()
        self._queue: Final[list[Ticket[A]]] = []
        self._pausing: Final[list[Ticket[Any]]] = []
        self._under_way: list[Ticket[A]] = []
        self._leader: Ticket[Any] | None = None  # whose thread has the turn; where nobody has it, nobody waits

    def run(self, asked: A) -> Any:
        """The result of what is asked, once its whole batch is done; raises its error."""
        (ticket,) = self.run_all([asked])
        if ticket.error is not None:
            raise ticket.error
        return ticket.result

    def run_all(self, asked: Sequence[A]) -> list[Ticket[A]]:
        """What comes of each thing that is asked, in its order, once all of their batches are done."""
        tickets = [Ticket(each) for each in asked]
        try:
            with self._lock:
                self._queue.extend(tickets)
                if tickets and self._leader is None:
                    self._pass_on()
            for ticket in tickets:
                while not ticket.is_done:
                    ticket.woken.acquire()
                    if self._leader is ticket:
                        self._lead()
        except BaseException:
            self._leave(tickets)
            raise
        return tickets

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """No batch is under way, and none begins."""
        ticket = Ticket[None](None)
        try:
            with self._lock:
                self._pausing.append(ticket)
                if self._leader is None:
                    self._pass_on()
            while self._leader is not ticket:
                ticket.woken.acquire()
            yield
            self._leave([ticket])
        except BaseException:  # also where it is interrupted while it leaves
            self._leave([ticket])
            raise

    def _lead(self) -> None:
        """Has a batch processed, the work of the thread that has the turn first."""
        try:
            with self._lock:
                self._under_way = self._queue[: self._most]
                del self._queue[: self._most]
            self._process(self._under_way)
            for ticket in self._under_way:
                ticket.is_done = True
        finally:
            self._settle()

    def _settle(self) -> None:
        """Wakes those whose work was done, puts back what was not, and passes the turn on."""
        with self._lock:
            left = [each for each in self._under_way if not (each.is_done or each.is_gone or each is self._leader)]
            for each in left:  # what it was told, in a turn that was interrupted, was never so
                each.result = each.error = None
            self._queue[:0] = [each for each in left if each not in self._queue]
            for each in self._under_way:
                if each.is_done:
                    each.wake()
            self._under_way = []
            self._pass_on()

    def _leave(self, tickets: Sequence[Ticket[Any]]) -> None:
        """This thread wants nothing any more: what it asked is not begun, and the turn, if it has it, goes on."""
        with self._lock:
            for each in tickets:
                each.is_gone = True
            for waiting in (self._queue, self._pausing):
                waiting[:] = [each for each in waiting if not each.is_gone]
            leader = self._leader
            if leader is not None and not leader.is_gone:
                leader.wake()  # this thread may have been interrupted just when it gave the turn to that one
        if leader is None or leader.is_gone:
            self._settle()

    def _pass_on(self) -> None:
        """Gives the turn, under the lock, to the first who wants to pause, or else to the first in the queue."""
        waiting: Sequence[Ticket[Any]] = self._pausing or self._queue
        self._leader = waiting[0] if waiting else None
        if self._leader is not None:
            self._leader.wake()

"""Group commit: threads that write at the same time share one transaction and one fsync.

Whoever comes first leads: it runs its own work and that of everybody who waits by then, and commits once. Meanwhile others
gather; one of them leads next. Each work has a savepoint of its own, so that one that is refused takes nothing from the others,
and nobody is told anything before the commit has returned.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final, Generic, TypeVar

from act.errors import StoreFault

__all__ = ["GroupCommit"]

T = TypeVar("T")
C = TypeVar("C", bound=sqlite3.Connection)
_BEGIN_ONE, _END_ONE, _UNDO_ONE = "SAVEPOINT one", "RELEASE one", "ROLLBACK TO one"


class _Ticket(Generic[C]):
    """One thread's work, and what came of it."""

    __slots__ = ("error", "is_waiting", "result", "work")

    def __init__(self, work: Callable[[C], Any]) -> None:
        self.work: Final = work
        self.is_waiting = True
        self.result: Any = None
        self.error: BaseException | None = None


class GroupCommit(Generic[C]):
    """A queue before one connection. `begin` returns it with a transaction begun; it is called by one thread at a time."""

    def __init__(self, begin: Callable[[], C], most: int) -> None:
        self._begin: Final = begin
        self._most: Final = most
        self._turn: Final = threading.Condition()
        self._queue: Final[list[_Ticket[C]]] = []
        self._is_taken = False

    def run(self, work: Callable[[C], T]) -> T:
        """Runs `work` in a transaction and returns its result once that is committed. What `work` raises is raised here, and
        nothing of it was written; so is what SQLite says of the transaction as a whole."""
        ticket = _Ticket(work)
        with self._turn:
            self._queue.append(ticket)
        while ticket.is_waiting:  # a queue longer than one commit takes more than one turn
            self._wait_or_lead(ticket)
        if ticket.error is not None:
            raise ticket.error
        return ticket.result  # type: ignore[no-any-return]  # what `work` returned

    def _wait_or_lead(self, ticket: _Ticket[C]) -> None:
        with self._turn:
            while ticket.is_waiting and self._is_taken:
                self._turn.wait()
            if not ticket.is_waiting:
                return
            batch = self._take()
        try:
            self._commit(batch, ticket)
        finally:
            self._give_up()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """No transaction is under way, and none begins."""
        with self._turn:
            while self._is_taken:
                self._turn.wait()
            self._is_taken = True
        try:
            yield
        finally:
            self._give_up()

    def _take(self) -> list[_Ticket[C]]:
        self._is_taken = True
        batch = self._queue[: self._most]
        del self._queue[: self._most]
        return batch

    def _give_up(self) -> None:
        with self._turn:
            self._is_taken = False
            self._turn.notify_all()

    def _commit(self, batch: list[_Ticket[C]], own: _Ticket[C]) -> None:
        connection: C | None = None
        try:
            connection = self._begin()
            for ticket in batch:
                if len(batch) == 1:
                    ticket.result = ticket.work(connection)
                else:
                    _run_apart(connection, ticket)
            connection.execute("COMMIT")
        except BaseException as failure:
            if connection is not None and connection.in_transaction:
                connection.execute("ROLLBACK")
            if not isinstance(failure, Exception):  # this thread is to end; the others' work is not to blame
                with self._turn:
                    self._queue[:0] = [ticket for ticket in batch if ticket is not own]
                raise
            for ticket in batch:
                ticket.error = _again(failure)
        for ticket in batch:
            ticket.is_waiting = False


def _run_apart(connection: sqlite3.Connection, ticket: _Ticket[Any]) -> None:
    """Runs one work of several. An error of its own undoes it alone; one of SQLite's is everybody's."""
    connection.execute(_BEGIN_ONE)
    try:
        ticket.result = ticket.work(connection)
    except sqlite3.IntegrityError as error:
        ticket.error = error
    except sqlite3.Error:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the thread that asked
        ticket.error = error
    if ticket.error is not None:
        connection.execute(_UNDO_ONE)
    connection.execute(_END_ONE)


def _again(failure: Exception) -> Exception:
    """An error that several threads are told of, for one of them: each raises its own."""
    if isinstance(failure, StoreFault):
        return StoreFault(failure.code, failure.where, **failure.facts)
    return failure

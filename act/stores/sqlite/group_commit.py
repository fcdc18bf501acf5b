"""Group commit: threads that write at the same time share one transaction and one fsync.

One that is refused takes nothing from the others, and nobody is told anything before the commit has returned. What is refused
has nearly always written nothing: then there is nothing to undo. When one has, the transaction is begun anew, and each work
gets a savepoint of its own. So a work may be run twice, and what it does but for the transaction must not matter.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, TypeVar

from act.stores.sql.batches import Batches, Ticket

__all__ = ["GroupCommit"]

T = TypeVar("T")
C = TypeVar("C", bound=sqlite3.Connection)
_BEGIN_ONE, _END_ONE, _UNDO_ONE = "SAVEPOINT one", "RELEASE one", "ROLLBACK TO one"


class GroupCommit(Generic[C]):
    """A queue before one connection. `begin` returns it with a transaction begun; it is called by one thread at a time."""

    def __init__(self, begin: Callable[[], C], most: int) -> None:
        self._begin: Final = begin
        self._works: Final[Batches[Callable[[C], Any]]] = Batches(self._commit, most)
        self.paused: Final = self._works.paused

    def run(self, work: Callable[[C], T]) -> T:
        """Runs `work` in a transaction and returns its result once that is committed. What `work` raises is raised here, and
        nothing of it was written; so is what SQLite says of the transaction as a whole."""
        return self._works.run(work)  # type: ignore[no-any-return]  # what `work` returned

    def run_all(self, works: Sequence[Callable[[C], T]]) -> list[T | Exception]:
        """What `run` would return or raise for each of some works, in their order, with as few commits as it takes."""
        return [ticket.result if ticket.error is None else ticket.error for ticket in self._works.run_all(works)]

    def _commit(self, batch: list[Ticket[Callable[[C], Any]]]) -> None:
        connection: C | None = None
        is_committing = False
        try:
            connection = self._begin()
            if len(batch) == 1:
                batch[0].succeed(batch[0].asked(connection))
            elif not _run_together(connection, batch):
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                connection = self._begin()
                _run_apart(connection, batch)
            is_committing = True
            connection.execute("COMMIT")
        except BaseException as failure:
            if connection is not None and connection.in_transaction:
                connection.execute("ROLLBACK")
            elif is_committing and not isinstance(failure, Exception):  # an interruption that had to wait for the commit
                for ticket in batch:
                    ticket.is_done = True
            if not isinstance(failure, Exception):
                raise
            for ticket in batch:
                ticket.fail(failure)


def _run_together(connection: C, batch: Sequence[Ticket[Callable[[C], Any]]]) -> bool:
    """Runs works one after the other. False, and the rest is left, where one failed that had written something, or with which
    the transaction ended."""
    for ticket in batch:
        before = connection.total_changes  # where rows are RETURNING, they count once they are read
        if not _run_one(connection, ticket) and (connection.total_changes != before or not connection.in_transaction):
            return False
    return True


def _run_apart(connection: C, batch: Sequence[Ticket[Callable[[C], Any]]]) -> None:
    """Runs works one after the other, and undoes each that fails."""
    for ticket in batch:
        connection.execute(_BEGIN_ONE)
        if not _run_one(connection, ticket):
            connection.execute(_UNDO_ONE)
        connection.execute(_END_ONE)


def _run_one(connection: C, ticket: Ticket[Callable[[C], Any]]) -> bool:
    """Whether a work of several succeeds. An error of its own is its answer; one of SQLite's is everybody's, and raised. So is
    a want of memory, at which SQLite ends the transaction."""
    try:
        ticket.succeed(ticket.asked(connection))
    except sqlite3.IntegrityError as error:
        ticket.error = error
    except (sqlite3.Error, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the thread that asked
        ticket.error = error
    return ticket.error is None

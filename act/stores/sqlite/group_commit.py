"""Group commit: threads that write at the same time share one transaction and one fsync.

Each work has a savepoint of its own, so that one that is refused takes nothing from the others, and nobody is told anything
before the commit has returned.
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
            for ticket in batch:
                if len(batch) == 1:
                    ticket.succeed(ticket.asked(connection))
                else:
                    _run_apart(connection, ticket)
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


def _run_apart(connection: C, ticket: Ticket[Callable[[C], Any]]) -> None:
    """Runs one work of several. An error of its own undoes it alone; one of SQLite's is everybody's."""
    connection.execute(_BEGIN_ONE)
    try:
        ticket.succeed(ticket.asked(connection))
    except sqlite3.IntegrityError as error:
        ticket.error = error
    except sqlite3.Error:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the thread that asked
        ticket.error = error
    if ticket.error is not None:
        connection.execute(_UNDO_ONE)
    connection.execute(_END_ONE)

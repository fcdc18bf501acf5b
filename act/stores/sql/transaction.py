"""What the shared rooms ask of a database: transactions in which statements are run.

Statements are portable: `?` for a value, no dialect's functions, sums cast to BIGINT, upserts that name their key. Rows come
back as tuples in the order of the columns, texts as str, bytes as bytes, numbers as int.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

__all__ = ["Database", "Rows", "StaleRead", "Transaction", "named_rows"]

T = TypeVar("T")


class StaleRead(Exception):
    """What a transaction read was overtaken before it could write: it has to be run again from its beginning."""


class Rows(Protocol):
    """The rows of one statement."""

    @property
    def description(self) -> Sequence[Sequence[Any]] | None:
        """The columns; each one's name comes first."""

    def fetchone(self) -> Any:
        """The next row, None after the last."""

    def fetchall(self) -> list[Any]:
        """All rows that are left."""

    def __iter__(self) -> Iterator[Any]: ...


class Transaction(Protocol):
    """One transaction. A row that was read with `locking` cannot change before it ends; otherwise each statement sees what was
    committed before it."""

    def locking(self, table: str, /) -> str:
        """What a SELECT ends with to lock the rows of that table; nothing where the whole store is locked anyway."""

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> Rows:
        """Runs one statement."""

    def executemany(self, statement: str, values: Iterable[Sequence[Any]], /) -> object:
        """Runs one statement once for each row of values."""


class Database(Protocol):
    """Where transactions come from. Every failure of it is a `StoreFault`; an error of `work`'s own passes through."""

    @property
    def place(self) -> str:
        """What an error calls this store: a path or an address without its secret."""

    def write(self, work: Callable[[Transaction], T], /) -> T:
        """Runs `work` in a write transaction and returns what it returned once that is durable; whatever is raised, nothing was
        written. `work` may be run more than once, in another thread, so it has no other effect than on the transaction."""

    def read(self, work: Callable[[Transaction], T], /) -> T:
        """Runs `work` on what was committed at one moment; it writes nothing."""

    def close(self) -> None:
        """Ends every connection. Using the store afterwards is a `StoreFault`."""


def named_rows(rows: Rows) -> list[dict[str, Any]]:
    """All rows, each as a dict by column."""
    names = [column[0] for column in rows.description or ()]
    return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]

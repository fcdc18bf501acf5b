"""What SQLite alone takes for the statements of a ledger: recorded in one file, and executed again in another one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from act.stores.sqlite import connection as sqlite_connection
from act.stores.sqlite.connection import Connection

__all__ = ["Statement", "recorded", "replayed"]

Statement = tuple[str, Any, bool]
"""A statement, its values, and whether it is executed for each of them."""


@contextmanager
def recorded() -> Iterator[list[Statement]]:
    """Every statement that the ledgers opened meanwhile execute, in order, as long as they are open."""
    statements: list[Statement] = []

    class Recording(Connection):
        def execute(self, statement: str, values: Any = (), /) -> Any:
            statements.append((statement, values, False))
            return super().execute(statement, values)

        def executemany(self, statement: str, values: Any, /) -> Any:
            each = [*values]
            statements.append((statement, each, True))
            return super().executemany(statement, each)

    with mock.patch.object(sqlite_connection, "Connection", Recording):
        yield statements


def replayed(connection: sqlite3.Connection, statements: list[Statement]) -> Callable[[], None]:
    """Executes, at each call, the next transaction of those statements, and reads every row it answers with."""
    transactions = iter(_transactions(statements))

    def execute_next() -> None:
        for statement, values, is_many in next(transactions):
            (connection.executemany if is_many else connection.execute)(statement, values).fetchall()

    return execute_next


def _transactions(statements: list[Statement]) -> Iterator[list[Statement]]:
    begun: list[Statement] = []
    for each in statements:
        begun.append(each)
        if each[0] == "COMMIT":
            yield begun
            begun = []
    assert not begun, "a transaction did not end"

"""Where a test's ledger is: a file or a schema, opened and looked into alike."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final, Protocol

import psycopg

from act.stores.postgres import PostgresLedger
from act.stores.postgres.connection import connect_kwargs
from act.stores.sql.audit import Audit
from act.stores.sql.ledger import SqlLedger
from act.stores.sqlite import SqliteLedger
from tests.support.postgres import PostgresServer

__all__ = ["FilePlace", "Place", "Rows", "SchemaPlace"]

Rows = dict[str, list[tuple[Any, ...]]]
"""Every row of every table, in a fixed order."""


class Place(Protocol):
    """A ledger's place. `open` may be called more than once, as other processes would."""

    def open(self) -> SqlLedger:
        """The ledger that is there, made if there is none."""

    def snapshot(self) -> Rows:
        """Everything that is there."""

    def audit(self) -> Audit:
        """The ledger's own second opinion."""

    def write(self, statement: str) -> None:
        """What someone does who has the ledger open in another program."""


class FilePlace:
    """A SQLite file."""

    def __init__(self, path: Path) -> None:
        self.path: Final = path

    def open(self) -> SqliteLedger:
        """See `Place.open`."""
        return SqliteLedger(self.path)

    def snapshot(self) -> Rows:
        """See `Place.snapshot`."""
        every = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
        with closing(sqlite3.connect(self.path)) as connection:
            tables = [name for (name,) in connection.execute(every)]
            return {table: sorted(connection.execute(f'SELECT * FROM "{table}"'), key=repr) for table in tables}  # noqa: S608 - own names

    def audit(self) -> Audit:
        """See `Place.audit`."""
        with self.open() as ledger:
            return ledger.audit()

    def write(self, statement: str) -> None:
        """See `Place.write`."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            for each in statement.split("; "):
                connection.execute(each)


class SchemaPlace:
    """A schema of its own on a PostgreSQL server."""

    def __init__(self, server: PostgresServer) -> None:
        self.server: Final = server
        self.address: Final = server.address
        self.schema: Final = server.fresh_schema()

    def open(self) -> PostgresLedger:
        """See `Place.open`."""
        return PostgresLedger(self.address, schema=self.schema)

    @property
    def url(self) -> str:
        """What the command's `--ledger` is given for it."""
        return self.server.url(self.schema)

    def connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection that looks names up where the ledger does."""
        return psycopg.connect(self.address, **connect_kwargs(self.schema))

    def drop(self) -> None:
        """Forgets it."""
        self.write(f'DROP SCHEMA "{self.schema}" CASCADE')

    def snapshot(self) -> Rows:
        """See `Place.snapshot`."""
        every = "SELECT table_name FROM information_schema.tables WHERE table_schema = %s AND table_name <> 'schema_version'"
        with self.connect() as connection:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            tables = sorted(name for (name,) in connection.execute(every, (self.schema,)))
            return {table: sorted(connection.execute(f'SELECT * FROM "{table}"'), key=repr) for table in tables}  # noqa: S608 - own names

    def audit(self) -> Audit:
        """See `Place.audit`."""
        with self.open() as ledger:
            return ledger.audit()

    def write(self, statement: str) -> None:
        """See `Place.write`."""
        with self.connect() as connection:
            connection.execute(statement)

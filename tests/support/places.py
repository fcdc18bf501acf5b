"""Where a test's ledger is: a file or a schema, opened and looked into alike."""

from __future__ import annotations

import sqlite3
import time
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

_WAITING: Final = (
    "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted AND pid IN "
    "(SELECT pid FROM pg_locks WHERE relation = 'mandate'::regclass)"
)
_PATIENCE_NANOSECONDS: Final = 60 * 10**9


class Place(Protocol):
    """A ledger's place. `open` may be called more than once, as other processes would."""

    def open(self) -> SqlLedger:
        """The ledger that is there, made if there is none."""

    def snapshot(self) -> Rows:
        """Everything that is there."""

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a query finds, in no order."""

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

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """See `Place.rows`."""
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(query).fetchall()

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
        self.address = server.address
        self.schema = server.fresh_schema()
        self._url = server.url(self.schema)

    @classmethod
    def at(cls, address: str, schema: str) -> SchemaPlace:
        """The place that another process has made."""
        place = cls.__new__(cls)
        place.address, place.schema = address, schema
        return place

    def open(self) -> PostgresLedger:
        """See `Place.open`."""
        return PostgresLedger(self.address, schema=self.schema)

    @property
    def url(self) -> str:
        """What the command's `--ledger` is given for it."""
        return self._url

    def connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection that looks names up where the ledger does."""
        return psycopg.connect(self.address, **connect_kwargs(self.schema))

    def until_waiting(self, connections: int) -> None:
        """Returns when so many connections wait for a lock, of those that have opened this schema."""
        ends_at = time.monotonic_ns() + _PATIENCE_NANOSECONDS
        with self.connect() as connection:
            while connection.execute(_WAITING).fetchone() != (connections,):
                assert time.monotonic_ns() < ends_at, f"there are no {connections} that wait"

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

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """See `Place.rows`."""
        with self.connect() as connection:
            return connection.execute(query).fetchall()

    def audit(self) -> Audit:
        """See `Place.audit`."""
        with self.open() as ledger:
            return ledger.audit()

    def write(self, statement: str) -> None:
        """See `Place.write`."""
        with self.connect() as connection:
            connection.execute(statement)

"""One schema of a PostgreSQL database: made whole or not at all, opened durable, every failure named.

What the shared rooms write runs at READ COMMITTED behind the lock of the mandate's row. A transaction that the database gave up
(a deadlock, a serialization failure) or that was overtaken runs again as a whole. When the answer to a COMMIT was lost, nothing
is acknowledged: whoever asked asks again and is told what became of it.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Final, LiteralString, TypeVar, cast

import psycopg
from psycopg import sql

from act.errors import ActError, InvalidCall, StoreFault
from act.stores.postgres.address import place_of, quoted, require_schema_name
from act.stores.postgres.pool import Pool
from act.stores.postgres.schema import MIGRATIONS, SCHEMA_VERSION
from act.stores.sql.transaction import Rows, StaleRead, Transaction

__all__ = ["BUSY_SECONDS", "PostgresDatabase", "connect_kwargs"]

T = TypeVar("T")

BUSY_SECONDS: Final = 30
"""How long to wait for a lock or for a free connection."""

ATTEMPTS: Final = 30
"""How often a transaction that was given up is run before the store calls itself busy."""

_AGAIN: Final = (
    psycopg.errors.SerializationFailure,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.UniqueViolation,  # somebody else's row of the same key was committed since it was looked for
    StaleRead,
)
_FAULTS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (psycopg.errors.LockNotAvailable, "store_busy"),
    (psycopg.errors.DiskFull, "store_full"),
    (psycopg.errors.ReadOnlySqlTransaction, "store_read_only"),
    (psycopg.errors.InsufficientPrivilege, "store_read_only"),
)


@lru_cache(maxsize=512)
def _translated(statement: str) -> LiteralString:
    """A portable statement with psycopg's mark for a value. Statements are constants of this library."""
    return statement.replace("%", "%%").replace("?", "%s")


class PostgresTransaction:
    """A transaction as the shared rooms expect it."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection: Final = connection

    def locking(self, table: str, /) -> str:
        """See `Transaction.locking`. Whoever only refers to an account need not wait for it: a foreign key is checked once more
        for a row that one transaction writes twice, and the one that it would wait for may wait for that row."""
        return f" FOR {'NO KEY ' if table == 'account' else ''}UPDATE OF {table}"

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> Rows:
        """See `Transaction.execute`."""
        return cast("Rows", self._connection.execute(_translated(statement), values))

    def executemany(self, statement: str, values: Iterable[Sequence[Any]], /) -> None:
        """See `Transaction.executemany`."""
        for each in values:
            self._connection.execute(_translated(statement), each)


class PostgresDatabase:
    """A pool of connections to one schema, for the threads of one process."""

    def __init__(self, address: str, schema: str, *, create: bool, connections: int) -> None:
        require_schema_name(schema)
        self.place: Final = place_of(address, schema)
        self._schema: Final = schema
        self._create: Final = create
        self._process: Final = os.getpid()
        self._opening: Final = threading.Lock()
        self._is_ready = False

        def connect() -> psycopg.Connection[Any]:
            return psycopg.connect(address, **connect_kwargs(schema))

        self._pool: Final = Pool(connect, self.place, most=connections, seconds=BUSY_SECONDS)

    def write(self, work: Callable[[Transaction], T], /) -> T:
        """See `Database.write`."""

        def transact(connection: psycopg.Connection[Any]) -> T:
            with _begun(connection, "BEGIN ISOLATION LEVEL READ COMMITTED"):
                result = work(PostgresTransaction(connection))
                connection.execute("COMMIT")
                return result

        return self.run(transact)

    def read(self, work: Callable[[Transaction], T], /) -> T:
        """See `Database.read`."""

        def transact(connection: psycopg.Connection[Any]) -> T:
            with _begun(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"):
                result = work(PostgresTransaction(connection))
                connection.execute("ROLLBACK")
                return result

        return self.run(transact)

    def run(self, work: Callable[[psycopg.Connection[Any]], T]) -> T:
        """Runs what begins and ends transactions itself, on a connection of the pool; again, if one was given up."""
        self.require_same_process()
        with self._faults():
            self._make_ready()
            for _ in range(ATTEMPTS):
                try:
                    with self._pool.connection() as connection:
                        return work(connection)
                except _AGAIN:
                    continue
        raise StoreFault("store_busy", self.place, reason="the transaction was overtaken again and again")

    def require_same_process(self) -> None:
        """Raises `InvalidCall` after a fork."""
        if os.getpid() != self._process:
            raise InvalidCall("call_invalid", "ledger", reason="open the ledger anew after fork")

    def close(self) -> None:
        """See `Database.close`."""
        if os.getpid() == self._process:
            self._pool.close()
        else:
            self._pool.forget()

    def _make_ready(self) -> None:
        if self._is_ready:
            return
        with self._opening:
            if not self._is_ready:
                with self._pool.connection() as connection:
                    _require_durable(connection, self.place)
                    self._migrate(connection)
                self._is_ready = True

    def _migrate(self, connection: psycopg.Connection[Any]) -> None:
        """Makes the schema, or brings an older one up to this version, in one transaction; refuses a newer one, and what is not
        of this version where nothing may be made."""
        for _ in range(ATTEMPTS):
            try:
                with connection.transaction():
                    self._bring_up(connection)
            except (psycopg.errors.UniqueViolation, psycopg.errors.DuplicateTable, psycopg.errors.DuplicateSchema):
                continue  # another process makes it at this moment
            return
        raise StoreFault("store_busy", self.place, reason="other processes make the ledger at this moment")

    def _bring_up(self, connection: psycopg.Connection[Any]) -> None:
        if connection.execute("SELECT to_regclass(%s)", (f"{quoted(self._schema)}.schema_version",)).fetchone() == (None,):
            if not self._create:
                raise StoreFault("store_unavailable", self.place, reason="there is no such ledger")
            connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(self._schema)))
            connection.execute("CREATE TABLE schema_version (single SMALLINT PRIMARY KEY, version BIGINT NOT NULL)")
            connection.execute("INSERT INTO schema_version VALUES (1, 0)")
        version = self._version(connection)
        if version < SCHEMA_VERSION and self._create:
            # Whoever else brings it up comes before or after. Both have read it, which this lock must not wait for.
            connection.execute("LOCK TABLE schema_version IN SHARE ROW EXCLUSIVE MODE")
            version = self._version(connection)
        if version > SCHEMA_VERSION or (version < SCHEMA_VERSION and not self._create):
            raise StoreFault("store_unknown_version", self.place, found_version=version, known_version=SCHEMA_VERSION)
        if version < SCHEMA_VERSION:
            for script in (script for scripts in MIGRATIONS[version:] for script in scripts):
                connection.execute(script)
            connection.execute("UPDATE schema_version SET version = %s", (SCHEMA_VERSION,))

    @staticmethod
    def _version(connection: psycopg.Connection[Any]) -> int:
        """Raises TypeError where there is none: somebody emptied the table, and what else stands there nobody knows."""
        row = connection.execute("SELECT version FROM schema_version").fetchone()
        if row is None:
            raise TypeError("schema_version is empty")
        return int(row[0])

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        """Names what PostgreSQL and the network report; an error of ours passes through. What cannot be read as what it was
        (LookupError, TypeError, ValueError) was damaged."""
        try:
            yield
        except ActError:
            raise
        except (psycopg.Error, OSError, LookupError, TypeError, ValueError) as error:
            code = next((code for kind, code in _FAULTS if isinstance(error, kind)), "store_unavailable")
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            raise StoreFault(code, self.place, reason=reason) from error


def connect_kwargs(schema: str) -> dict[str, Any]:
    """How every connection is opened: each statement is its own transaction unless one is begun, names are looked up in the
    ledger's schema alone, and a server that is gone is noticed even while it is waited for."""
    search_path = f"{quoted(schema)},pg_temp".replace("\\", "\\\\").replace(" ", "\\ ")  # libpq divides options at spaces
    options = (
        f"-c search_path={search_path} -c lock_timeout={BUSY_SECONDS}s "
        f"-c idle_in_transaction_session_timeout={2 * BUSY_SECONDS}s -c jit=off -c plan_cache_mode=force_generic_plan"
    )
    watch = {"connect_timeout": BUSY_SECONDS, "keepalives_idle": BUSY_SECONDS, "tcp_user_timeout": 1_000 * BUSY_SECONDS}
    return {"autocommit": True, "options": options, "prepare_threshold": 1, **watch}


def _require_durable(connection: psycopg.Connection[Any], place: str) -> None:
    """Refuses a server that would lose what it acknowledged."""
    settings = ("fsync", "full_page_writes", "synchronous_commit")
    found = {name: (connection.execute(sql.SQL("SHOW {}").format(sql.SQL(name))).fetchone() or ("",))[0] for name in settings}
    if found["fsync"] != "on" or found["full_page_writes"] != "on" or found["synchronous_commit"] == "off":
        stands = ", ".join(f"{name}={value}" for name, value in found.items())
        raise StoreFault("store_unavailable", place, reason=f"the server may lose what it acknowledges: {stands}")


@contextlib.contextmanager
def _begun(connection: psycopg.Connection[Any], begin: LiteralString) -> Iterator[None]:
    try:
        connection.execute(begin)
    except psycopg.OperationalError as error:
        if connection.closed:  # the server ended it since it was looked at, and nothing was asked of it yet
            raise StaleRead from error
        raise
    try:
        yield
    except BaseException:
        with contextlib.suppress(psycopg.Error):
            if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                connection.execute("ROLLBACK")
        raise

"""One SQLite file: created whole or not at all, opened with full durability, every failure named.

WAL with synchronous=FULL: NORMAL loses acknowledged commits when the power fails. A failed or interrupted transaction is rolled
back, and so is one whose commit reported an error: nothing is acknowledged that may not last.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from act.errors import ActError, InvalidCall, StoreFault
from act.stores.sql.transaction import StaleRead, Transaction
from act.stores.sqlite.group_commit import GroupCommit
from act.stores.sqlite.restoration import Restoration, restoration_of
from act.stores.sqlite.schema import APPLICATION_ID, SCHEMA, SCHEMA_VERSION
from act.stores.sqlite.turns import begin_writing, primary_code

__all__ = ["BATCH_SIZE", "BUSY_SECONDS", "Connection", "FileDatabase", "named_faults", "sync"]

T = TypeVar("T")

BUSY_SECONDS: Final = 30
"""How long to wait for other writers of the file. A transaction takes under a millisecond; this outlasts any sane queue."""

BATCH_SIZE: Final = 256
"""At most so many writes share one commit: the first of them waits for the last."""

_FAULTS: Final = {
    sqlite3.SQLITE_BUSY: "store_busy",
    sqlite3.SQLITE_LOCKED: "store_busy",
    sqlite3.SQLITE_FULL: "store_full",
    sqlite3.SQLITE_READONLY: "store_read_only",
    sqlite3.SQLITE_NOTADB: "store_unknown_version",
}


class Connection(sqlite3.Connection):
    """A connection as the shared rooms expect a transaction: BEGIN IMMEDIATE has locked the whole file."""

    def locking(self, table: str, /) -> str:
        """See `act.stores.sql.transaction.Transaction`."""
        return ""


@contextlib.contextmanager
def named_faults(place: str) -> Iterator[None]:
    """Names what SQLite and the system report of a file; an error of ours passes through.

    Rows come back as they were written or not at all. Where one cannot be read as what it was (a LookupError, TypeError or
    ValueError, one of sqlite3's own UnicodeDecodeError among them), the file was damaged.
    """
    try:
        yield
    except ActError:
        raise
    except (sqlite3.Error, OSError, LookupError, TypeError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise StoreFault(_FAULTS.get(primary_code(error), "store_unavailable"), place, reason=reason) from error


class FileDatabase:
    """One ledger file, shared by the threads of one process: one connection writes, one reads.

    With `create`, a missing file is made at the first write; until then it reads as an empty ledger.
    """

    def __init__(self, path: str | os.PathLike[str], *, create: bool) -> None:
        self.path: Final = Path(path)
        self.place: Final = str(self.path)
        self._absolute: Final = self.path.absolute()  # a later change of folder must not lead to another file
        self._process: Final = os.getpid()
        self._reading: Final = threading.Lock()
        self._group: Final = GroupCommit(self._begin, BATCH_SIZE)
        self._is_closed = False
        self.is_restored = False  # from a backup: a file becomes that before it has its name, so it is read once, when opened
        self._file: tuple[int, int] | None = None  # device and inode of the open file
        self._writer: Connection | None = None
        self._reader: Connection | None = None
        with self._faults():
            if not create or self._absolute.exists():
                self._writer = self._open_to_write()
            elif not self._absolute.parent.is_dir():
                raise StoreFault("store_unavailable", self.place, reason="there is no such folder")

    def write(self, work: Callable[[Transaction], T], /, *, while_frozen: bool = False) -> T:
        """A write transaction, begun at once so that what is read in it cannot change before it commits. Threads that come
        while another one's commit is on its way share the next commit; one that fails takes nothing from the others.

        Raises `StoreFault` store_frozen for a backup that was not reconciled, unless this may be done `while_frozen`."""
        self._require_same_process()
        with self._faults():
            return self._group.run(self._allowed(work, while_frozen))

    def write_all(self, works: Sequence[Callable[[Transaction], T]], /) -> list[T | Exception]:
        """What `write` would return or raise for each of some works, in their order: they share their commits, too."""
        self._require_same_process()
        return [self._named(found) for found in self._group.run_all([self._allowed(work) for work in works])]

    def _allowed(self, work: Callable[[Transaction], T], while_frozen: bool = False) -> Callable[[Transaction], T]:
        def work_if_it_may(tx: Transaction) -> T:
            if self.is_restored and not while_frozen:
                self._require_thawed(tx)
            try:
                return work(tx)
            except StaleRead:  # the file is locked, so nothing was overtaken: an index does not say what its table does
                raise StoreFault("store_unavailable", self.place, reason="the file is damaged") from None

        return work_if_it_may

    def _named(self, found: T | Exception) -> T | Exception:
        if not isinstance(found, Exception):
            return found
        try:
            with self._faults():
                raise found
        except Exception as error:  # noqa: BLE001 - it is the answer
            return error

    def read(self, work: Callable[[Transaction], T], /) -> T:
        """A read transaction: everything in it is seen as of one moment."""
        self._require_same_process()
        with self._reading, self._faults():
            self._require_open()
            if self._reader is None and self._absolute.exists():
                self._reader = self._open()
            if self._reader is None:
                with contextlib.closing(_empty()) as nothing:
                    return work(nothing)
            connection = self._reader
            try:
                connection.execute("BEGIN")
                return work(connection)
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def require_thawed(self) -> None:
        """Raises `StoreFault` store_frozen for a backup that was not reconciled."""
        self.read(self._require_thawed)

    def _require_thawed(self, tx: Transaction) -> None:
        found = self.restoration(tx)
        if found is not None and found.frozen_at is not None:
            raise StoreFault("store_frozen", self.place, frozen_at=found.frozen_at)

    def restoration(self, tx: Transaction) -> Restoration | None:
        """What the file says of having been restored; None, and nothing is read, for one that never was."""
        return restoration_of(tx) if self.is_restored else None

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A connection of its own that sees everything as of one moment, while others read and write on."""
        self._require_same_process()
        with self._faults():
            self._require_open()
            connection = self._open()
        with contextlib.closing(connection):
            with self._faults():
                connection.execute("BEGIN")
                connection.execute("SELECT ledger_id FROM ledger").fetchone()  # only a read begins it
            yield connection

    def close(self) -> None:
        """Closes the file. Using the ledger afterwards is a `StoreFault`."""
        with self._group.paused(), self._reading:
            self._is_closed = True
            for connection in (self._reader, self._writer):
                if connection is not None:
                    connection.close()

    def _begin(self) -> Connection:
        """The connection that writes, in a transaction."""
        self._require_open()
        if self._writer is None:
            if not self._absolute.exists():
                self._create()
            self._writer = self._open_to_write()
        self._require_same_file()
        _leave_transaction(self._writer)
        try:
            begin_writing(self._writer, BUSY_SECONDS)
            return self._writer
        except BaseException:  # interrupted while it waited, and begun all the same
            _leave_transaction(self._writer)
            raise

    def _require_open(self) -> None:
        if self._is_closed:
            raise StoreFault("store_unavailable", self.place, reason="the ledger is closed")

    def _require_same_process(self) -> None:
        if os.getpid() != self._process:
            raise InvalidCall("call_invalid", "ledger", reason="open the ledger anew after fork")

    def _require_same_file(self) -> None:
        """A file that was deleted or replaced under an open ledger must not be counted in: another opener would count anew."""
        if _inode(self._absolute.stat()) != self._file:
            raise StoreFault("store_unavailable", self.place, reason="the ledger's file was replaced")

    def _faults(self) -> contextlib.AbstractContextManager[None]:
        return named_faults(self.place)

    def _create(self) -> None:
        """Builds the file under another name and links it to its own: two creators cannot mix, a crash leaves no half."""
        beside = (self._absolute.with_name(f"{self.path.name}{rest}") for rest in ("-wal", "-shm", "-journal"))
        if any(each.exists() for each in beside) and not self._absolute.exists():
            # SQLite would play them into the new file. (Another creator's file is there before they are.)
            raise StoreFault("store_unavailable", self.place, reason="a ledger was here, and its other files still are")
        draft = self._absolute.with_name(f".{self.path.name}.{secrets.token_hex(8)}.new")
        try:
            with contextlib.closing(sqlite3.connect(draft, isolation_level=None)) as connection:
                connection.executescript(
                    f"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; BEGIN; {SCHEMA} "
                    f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION}; COMMIT; "
                    "PRAGMA wal_checkpoint(TRUNCATE)"  # closing does the same, and tells nobody when it fails
                )
            with contextlib.suppress(FileExistsError):  # another process was first: its file is as good
                os.link(draft, self._absolute)
            sync(self._absolute.parent)
        finally:
            for rest in ("", "-journal", "-wal", "-shm"):
                draft.with_name(f"{draft.name}{rest}").unlink(missing_ok=True)

    def _open_to_write(self) -> Connection:
        connection = self._open()
        try:
            # Somebody may have copied the file into another mode, in which who reads holds up who commits.
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            if mode != "wal":
                raise StoreFault("store_unavailable", self.place, reason=f"the file is in journal mode {mode}, not WAL")
            connection.execute("PRAGMA busy_timeout = 0")  # `begin_writing` waits; whoever has begun, nobody holds up
        except BaseException:
            connection.close()
            raise
        return connection

    def _open(self) -> Connection:
        if not self._absolute.is_file():
            raise StoreFault("store_unavailable", self.place, reason="there is no such ledger")
        address = f"{self._absolute.as_uri()}?mode=rw"  # never makes a file, and a name like :memory: is only a name
        connection = sqlite3.connect(
            address, uri=True, isolation_level=None, check_same_thread=False, timeout=BUSY_SECONDS, factory=Connection
        )
        try:
            self._require_ledger(connection)
            self._sync_recovered()
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA trusted_schema = OFF")
            self.is_restored = restoration_of(connection) is not None
            inode = _inode(self._absolute.stat())
            if self._file is None:
                self._file = inode
            elif self._file != inode:  # what is open stays what is counted in
                self._require_same_file()
        except BaseException:
            connection.close()
            raise
        return connection

    def _sync_recovered(self) -> None:
        """A writer that was killed before its fsync leaves a commit which whoever opens the file next reads, and which the disk
        may not have. Nobody is told of it before it lasts: this comes after the first read, and before the first answer.
        (SQLite locks other files than this one, so closing it here lets no lock go.)"""
        with contextlib.suppress(FileNotFoundError):  # the last one to use the file has closed it
            sync(self._absolute.with_name(f"{self.path.name}-wal"))
        sync(self._absolute.parent)

    def _require_ledger(self, connection: sqlite3.Connection) -> None:
        found = _pragma(connection, "application_id"), _pragma(connection, "user_version")
        if found != (APPLICATION_ID, SCHEMA_VERSION):
            raise StoreFault("store_unknown_version", self.place, found_version=found[1], known_version=SCHEMA_VERSION)


def _leave_transaction(connection: Connection) -> None:
    """Undoes what an interrupted thread has begun and could not end: until then, nobody else could write."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def sync(path: Path) -> None:
    """Makes a file, or the names in a folder, survive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _empty() -> Connection:
    """What a ledger that nobody has written to yet looks like."""
    connection = sqlite3.connect(":memory:", isolation_level=None, factory=Connection)
    connection.executescript(SCHEMA)
    return connection


def _inode(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _pragma(connection: sqlite3.Connection, name: str) -> Any:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]

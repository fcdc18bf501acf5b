"""SQLite on a disk whose power may fail, whose space may run out and whose syncs may fail; for tests of the embedded ledger.

A `Disk` is a VFS of apsw's SQLite over real files: it records every change in the order in which they come, so that a `Platter`
can tell what is left of them. `plugged_in` is the one place that knows how the ledger reaches its files: by `sqlite3.connect`,
`os.link`, `os.unlink` and `os.fsync`.
"""

from __future__ import annotations

import errno
import itertools
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from unittest import mock
from urllib.parse import unquote, urlsplit

import apsw

from tests.support.platter import Change, Forget, Name, Platter, Sync, SyncNames, Truncate, Write

__all__ = ["Disk", "Fault", "plugged_in"]

_JOURNALS: Final = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL
_NUMBERS: Final = itertools.count()


@dataclass(slots=True)
class Fault:
    """What goes wrong with the disk at its `first` write (`full`: nothing of it is written; `short`: the half of it) or sync
    (`sync`: it fails; `forget`: it fails, and what it should have written never will be). A `lasting` one goes on till it is
    mended. `came` counts how often it did go wrong."""

    kind: str
    first: int
    lasting: bool = False
    came: int = 0
    _met: int = 0
    _is_mended: bool = False

    def hits(self, *kinds: str) -> bool:
        """Counts a write or a sync, and says whether it fails."""
        self._met += self.kind in kinds
        is_due = self._met >= self.first if self.lasting else self._met == self.first
        fails = self.kind in kinds and is_due and not self._is_mended
        self.came += fails
        return fails

    def mend(self) -> None:
        """From now on everything goes well."""
        self._is_mended = True


class Disk(apsw.VFS):
    """A folder on a disk. `log` is everything that was changed.

    A `deaf` one answers a sync and does nothing; a sync takes `seconds`. With `start`, the folder is that platter's as programs
    see it, and so is what was not synced.
    """

    def __init__(
        self,
        folder: Path,
        *,
        fault: Fault | None = None,
        deaf: bool = False,
        seconds: float = 0,
        start: Platter | None = None,
    ) -> None:
        self.name: Final = f"power-{next(_NUMBERS)}"
        super().__init__(self.name, "unix")
        self.folder: Final = folder
        self.fault: Final = fault
        self.log: Final[list[Change]] = []
        self.is_on = True
        self._deaf: Final = deaf
        self._seconds: Final = seconds
        self._start: Final = start or Platter()
        self._names: Final[dict[str, int]] = dict(self._start.seen_names)
        self._files: Final = itertools.count(max(self._start.seen, default=-1) + 1)
        for name, content in self._start.visible().items():
            (folder / name).write_bytes(content)

    def platter(self) -> Platter:
        """What the disk was before the first change of the log."""
        return self._start.copy()

    def note(self, change: Change) -> None:
        """Records a change, while there is power."""
        if self.is_on:
            self.log.append(change)

    def file(self, name: str) -> int:
        """The file that a name leads to; a new one if there is none."""
        if name not in self._names:
            self.rename(name, next(self._files))
        return self._names[name]

    def rename(self, name: str, file: int | None) -> None:
        """Lets a name lead to another file, or to none."""
        if file is None:
            self._names.pop(name, None)
        else:
            self._names[name] = file
        self.note(Name(name, file))

    def may_write(self, whole: bytes) -> bytes:
        """What of these bytes can still be written."""
        if self.is_on and self.fault is not None and self.fault.hits("full", "short"):
            return whole[: len(whole) // 2] if self.fault.kind == "short" else b""
        return whole

    def sync(self, file: int | None, *, names: bool = False) -> None:
        """Syncs a file, the folder's names, or both. Raises OSError."""
        time.sleep(self._seconds)
        if self.is_on and self.fault is not None and self.fault.hits("sync", "forget"):
            if self.fault.kind == "forget" and file is not None:
                self.note(Forget(file))
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if not self._deaf:
            if file is not None:
                self.note(Sync(file))
            if names:
                self.note(SyncNames())

    def sync_descriptor(self, descriptor: int) -> bool:
        """`os.fsync` of this folder or of a file in it; whether the descriptor is of one."""
        status = os.fstat(descriptor)
        if os.path.samestat(status, self.folder.stat()):
            self.sync(None, names=True)
            return True
        for name, file in self._names.items():
            if (self.folder / name).exists() and os.path.samestat(status, (self.folder / name).stat()):
                self.sync(file)
                return True
        return False

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        """SQLite opens a file; one without a name is gone after a crash anyway."""
        if name is None:
            return apsw.VFSFile("unix", name, flags)
        return _File(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        """SQLite deletes a file."""
        super().xDelete(filename, False)
        self.rename(Path(filename).name, None)
        if syncdir:
            self.sync(None, names=True)


class _File(apsw.VFSFile):
    """An open file of a disk."""

    def __init__(self, disk: Disk, name: str | apsw.URIFilename, flags: list[int]) -> None:
        asked = flags[0]
        super().__init__("unix", name, flags)
        self._disk: Final = disk
        self._file: Final = disk.file(Path(name if isinstance(name, str) else name.filename()).name)
        self._syncs_names = bool(asked & _JOURNALS and asked & apsw.SQLITE_OPEN_CREATE)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        """Writes, as far as there is space."""
        whole = bytes(data)
        part = self._disk.may_write(whole)
        if part:
            super().xWrite(part, offset)
            self._disk.note(Write(self._file, offset, part))
        if len(part) < len(whole):
            raise apsw.exception_for(apsw.SQLITE_FULL)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        """Makes the file smaller."""
        super().xTruncate(newsize)
        self._disk.note(Truncate(self._file, newsize))

    def xSync(self, flags: int) -> None:  # noqa: N802
        """As SQLite's own VFS does: the folder as well, the first time that a journal is synced."""
        try:
            self._disk.sync(self._file, names=self._syncs_names)
        except OSError:
            raise apsw.exception_for(apsw.SQLITE_IOERR_FSYNC) from None
        self._syncs_names = False


class _Cursor:
    """Rows that are all there, as the ledger reads them."""

    def __init__(self, rows: list[Any], inner: apsw.Connection) -> None:
        self._rows: Final = iter(rows)
        self.rowcount: Final = inner.changes()
        self.lastrowid: Final = inner.last_insert_rowid()

    def __iter__(self) -> Iterator[Any]:
        return self._rows

    def fetchone(self) -> Any:
        return next(self._rows, None)

    def fetchall(self) -> list[Any]:
        return list(self._rows)


@dataclass(slots=True)
class _Connection:
    """As much of a `sqlite3.Connection` as the ledger uses, on apsw."""

    inner: apsw.Connection
    synchronous: str
    factory: type[sqlite3.Connection]

    def __getattr__(self, name: str) -> Any:
        """What the ledger's own kind of connection adds to sqlite3's."""
        return getattr(self.factory, name).__get__(self)

    @property
    def in_transaction(self) -> bool:
        return self.inner.in_transaction

    @property
    def total_changes(self) -> int:
        return self.inner.total_changes()

    def execute(self, statement: str, values: Sequence[Any] = ()) -> _Cursor:
        with _as_sqlite3():
            return _Cursor(list(self.inner.execute(self._weakened(statement), values or None)), self.inner)

    def executemany(self, statement: str, values: Iterable[Sequence[Any]]) -> _Cursor:
        with _as_sqlite3():
            return _Cursor(list(self.inner.executemany(statement, values)), self.inner)

    def executescript(self, script: str) -> _Cursor:
        return self.execute(script)

    def close(self) -> None:
        """Never fails, as sqlite3's does not: what the last checkpoint met is nobody's concern."""
        with suppress(apsw.Error):
            self.inner.close()

    def _weakened(self, statement: str) -> str:
        return statement.replace("synchronous = FULL", f"synchronous = {self.synchronous}")


@contextmanager
def _as_sqlite3() -> Iterator[None]:
    try:
        yield
    except apsw.Error as error:
        kind = sqlite3.IntegrityError if isinstance(error, apsw.ConstraintError) else sqlite3.OperationalError
        raised = kind(str(error))
        raised.sqlite_errorcode = getattr(error, "extendedresult", apsw.SQLITE_ERROR)
        raise raised from error


def _connect(disk: Disk, path: Path, checkpoint_pages: int) -> apsw.Connection:
    with _as_sqlite3():
        inner = apsw.Connection(str(path), vfs=disk.name)

    def checkpoint(_: apsw.Connection, schema: str, pages: int) -> int:
        """SQLite's own automatic checkpoint, which keeps its failures to itself; apsw would raise them from the commit."""
        if pages >= checkpoint_pages:
            with suppress(apsw.Error):
                inner.wal_checkpoint(schema, apsw.SQLITE_CHECKPOINT_PASSIVE)
        return apsw.SQLITE_OK

    inner.set_wal_hook(checkpoint)
    return inner


@contextmanager
def plugged_in(disk: Disk, *, synchronous: str = "FULL", checkpoint_pages: int = 12) -> Iterator[None]:
    """While this lasts, ledgers in the disk's folder lie on the disk. `synchronous` replaces what the ledger asks for. In the
    end there is no more power: nothing that is done to the folder afterwards is recorded."""
    connect, link, unlink, fsync = sqlite3.connect, os.link, os.unlink, os.fsync
    opened: list[_Connection] = []

    def connected(database: Any, *arguments: Any, **options: Any) -> Any:
        name = os.fspath(database)
        path = Path(unquote(urlsplit(name).path) if name.startswith("file:") else name)
        if path.parent != disk.folder:
            return connect(database, *arguments, **options)
        inner = _connect(disk, path, checkpoint_pages)
        opened.append(_Connection(inner, synchronous, options.get("factory", sqlite3.Connection)))
        return opened[-1]

    def linked(source: Any, target: Any, **options: Any) -> None:
        link(source, target, **options)
        if Path(target).parent == disk.folder:
            disk.rename(Path(target).name, disk.file(Path(source).name))

    def unlinked(path: Any, **options: Any) -> None:
        unlink(path, **options)
        if Path(path).parent == disk.folder:
            disk.rename(Path(path).name, None)

    def synced(descriptor: Any) -> None:
        if not disk.sync_descriptor(descriptor):
            fsync(descriptor)

    with ExitStack() as stack:
        for place, name, replaced in (
            (sqlite3, "connect", connected),
            (os, "link", linked),
            (os, "unlink", unlinked),
            (os, "fsync", synced),
        ):
            stack.enter_context(mock.patch.object(place, name, replaced))
        try:
            yield
        finally:
            disk.is_on = False
            for each in opened:
                each.close()
            disk.unregister()

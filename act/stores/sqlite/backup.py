"""A copy of a ledger that is in use: whole or not there, and frozen before it has its name.

The copy is as of the moment at which it is begun. Writers go on meanwhile; what they write stands in the write-ahead log until
the copy is made, because its snapshot is still being read.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

from act.errors import StoreFault
from act.stores.sqlite.connection import Connection, named_faults, sync
from act.stores.sqlite.restoration import freeze

__all__ = ["back_up"]

PAGES: Final = 256
"""Copied at a time: a megabyte, so that a signal is heard and progress is seen."""

_BESIDE: Final = ("-wal", "-shm", "-journal")


def back_up(source: Connection, path: Path, at: int, progress: Callable[[int, int], None] | None = None) -> None:
    """Copies what `source` sees, in a transaction that it has begun, to a new file. `at` is what the copy is frozen with.

    `progress` is told how many pages of how many are done. Raises `StoreFault` about the new file: file_exists, store_full,
    store_unavailable; or about a ledger that nobody has written to.
    """
    target, place = path.absolute(), str(path)
    with named_faults(place):
        if source.execute("SELECT 1 FROM ledger").fetchone() is None:
            raise StoreFault(
                "store_unavailable", "ledger", reason="nothing was written to it yet, so there is nothing to back up"
            )
        _require_free(target, place)
        draft = target.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
        try:
            with contextlib.closing(sqlite3.connect(draft, isolation_level=None, factory=Connection)) as copy:
                source.backup(copy, pages=PAGES, progress=_told(progress))
                copy.execute("PRAGMA synchronous = FULL")
                freeze(copy, at)
                copy.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # closing does the same, and tells nobody when it fails
            sync(draft)
            try:
                os.link(draft, target)
            except FileExistsError:
                raise StoreFault("file_exists", place) from None
            sync(target.parent)
        finally:
            for rest in ("", *_BESIDE):
                draft.with_name(f"{draft.name}{rest}").unlink(missing_ok=True)


def _require_free(target: Path, place: str) -> None:
    if not target.parent.is_dir():
        raise StoreFault("store_unavailable", place, reason="there is no such folder")
    if os.path.lexists(target):
        raise StoreFault("file_exists", place)
    for rest in _BESIDE:
        if target.with_name(f"{target.name}{rest}").exists():  # SQLite would play it into the copy
            raise StoreFault("file_exists", f"{place}{rest}", reason="a ledger was here, and its other files still are")


def _told(progress: Callable[[int, int], None] | None) -> Callable[[int, int, int], None] | None:
    """SQLite tells what is left."""
    return None if progress is None else lambda status, left, pages: progress(pages - left, pages)

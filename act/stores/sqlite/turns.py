"""How a process waits for its turn to write a file that others write as well: it looks often, and can be interrupted.

SQLite's own way looks every 100 ms in the end, and whoever writes much then keeps the others out for long. Turns are not fair
this way either: who looks at the right moment is next. But a file is free for some time after most commits, and whoever waits
looks often enough to find it so.
"""

from __future__ import annotations

import sqlite3
import time
from typing import Final

__all__ = ["begin_writing", "primary_code"]

FIRST_PAUSE_SECONDS: Final = 0.000_5
LONGEST_PAUSE_SECONDS: Final = 0.004
_PRIMARY_CODE: Final = 0xFF  # the low byte of an extended result code


def primary_code(error: BaseException) -> int:
    """SQLite's result code without what extends it; 0 for an error that has none."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & _PRIMARY_CODE


def begin_writing(connection: sqlite3.Connection, most_seconds: float) -> None:
    """Begins a transaction that has locked the whole file, once no other connection has. The connection must not wait by itself
    (`PRAGMA busy_timeout = 0`). Raises what SQLite says: SQLITE_BUSY where the file was locked for `most_seconds`."""
    pause, deadline = FIRST_PAUSE_SECONDS, None
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
            return
        except sqlite3.OperationalError as error:
            if primary_code(error) != sqlite3.SQLITE_BUSY:
                raise
            now = time.monotonic()
            deadline = now + most_seconds if deadline is None else deadline
            if now >= deadline:
                raise
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

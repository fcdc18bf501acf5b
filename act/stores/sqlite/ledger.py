"""The ledger in one SQLite file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from act.stores.sql.audit import Audit
from act.stores.sql.ledger import SqlLedger
from act.stores.sqlite.audit import audit_file
from act.stores.sqlite.connection import FileDatabase

__all__ = ["SqliteLedger"]


class SqliteLedger(SqlLedger):
    """An embedded ledger in one file (WAL, synchronous=FULL), for any number of threads and processes of one machine.

    Threads that write at the same time share one commit. With `create` (the default) a missing file is made at the first write:
    what is refused before leaves none. Raises `StoreFault`: store_unavailable, store_read_only, store_unknown_version for a
    file that is no ledger of this version. Open it anew after fork.
    """

    def __init__(self, path: str | os.PathLike[str], *, create: bool = True) -> None:
        super().__init__(FileDatabase(path, create=create))

    @staticmethod
    def audit(path: str | os.PathLike[str], progress: Callable[[int, int], None] | None = None) -> Audit:
        """Folds a file's entries anew and compares everything in it with them; see `act.stores.sql.audit`. It needs no open
        ledger and changes nothing. `progress` is told how many mandates of how many are done. Raises `StoreFault`."""
        return audit_file(Path(path), progress)

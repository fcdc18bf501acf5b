"""`act.stores.sql.audit` of a SQLite file, and the checks that the file itself allows."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from act.errors import StoreFault
from act.stores.sql.audit import Audit, audit_ledger
from act.stores.sqlite.connection import Connection
from act.stores.sqlite.schema import APPLICATION_ID, SCHEMA_VERSION

__all__ = ["audit_file"]


def audit_file(path: Path, progress: Callable[[int, int], None] | None = None) -> Audit:
    """Audits a ledger's file, read as of one moment; changes nothing. Raises `StoreFault` for what is no ledger."""
    with closing(_open(path)) as connection:
        try:
            damage = [f"sqlite: {row[0]}" for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
            damage += [f"sqlite: {row} refers to nothing" for row in connection.execute("PRAGMA foreign_key_check")]
            found = audit_ledger(connection, progress)
        except sqlite3.Error as error:
            return Audit(disagreements=[f"the file cannot be read as a ledger: {error}"])
        found.disagreements[:0] = damage
        return found


def _open(path: Path) -> Connection:
    try:
        address = f"{path.absolute().as_uri()}?mode=ro"
        connection = sqlite3.connect(address, uri=True, isolation_level=None, factory=Connection)
        connection.execute("BEGIN")
        found = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
    except (sqlite3.Error, OSError) as error:
        raise StoreFault("store_unavailable", str(path), reason=str(error)) from None
    if found != [APPLICATION_ID, SCHEMA_VERSION]:
        connection.close()
        raise StoreFault("store_unknown_version", str(path), found_version=found[1], known_version=SCHEMA_VERSION)
    return connection

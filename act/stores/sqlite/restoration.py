"""What a file says of having been restored from a backup."""

from __future__ import annotations

from typing import NamedTuple

from act.stores.sql.transaction import Transaction

__all__ = ["Restoration", "freeze", "restoration_of", "thaw"]


class Restoration(NamedTuple):
    """A backup is frozen from when it was made until it is reconciled; `reconciled_at` is when it last was. Seconds since
    1970, None where that is not so."""

    frozen_at: int | None
    reconciled_at: int | None


def restoration_of(tx: Transaction) -> Restoration | None:
    """None for a file that is no backup and never was one."""
    row = tx.execute("SELECT frozen_at, reconciled_at FROM ledger").fetchone()
    return None if row is None or row == (None, None) else Restoration(*row)


def freeze(tx: Transaction, at: int) -> None:
    """Marks a backup; one of a backup is as old as that."""
    tx.execute("UPDATE ledger SET frozen_at = coalesce(frozen_at, ?)", (at,))


def thaw(tx: Transaction, at: int) -> None:
    """Lets a restored ledger count again."""
    tx.execute("UPDATE ledger SET frozen_at = NULL, reconciled_at = ?", (at,))

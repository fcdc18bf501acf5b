"""The embedded ledger: one SQLite file."""

from act.stores.sqlite.ledger import SqliteLedger

__all__ = ["SqliteLedger"]

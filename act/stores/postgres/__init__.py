"""The ledger for many machines: one schema of a PostgreSQL database (extra `postgres`)."""

from act.stores.postgres.ledger import PostgresLedger

__all__ = ["PostgresLedger"]

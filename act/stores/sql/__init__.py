"""What every SQL store shares: the ledger's statements, in SQL that SQLite and PostgreSQL both understand, and what is done
with them. A store adds how to connect, how a transaction begins and ends, and its tables."""

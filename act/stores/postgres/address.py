"""What a PostgreSQL ledger is called: its place without anything secret, and its schema's name."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict

from act.errors import InvalidCall

__all__ = ["place_of", "quoted", "require_schema_name"]

_EXPECTED: Final = "postgresql://user@host:port/database?schema=name"

_MAX_NAME_BYTES: Final = 63  # of a name's bytes PostgreSQL ignores the rest, and two ledgers would be one


def require_schema_name(name: str) -> None:
    """Raises `InvalidCall` for what PostgreSQL would read as another name, or keeps for itself."""
    if not 0 < len(name.encode()) <= _MAX_NAME_BYTES or not name.isprintable() or name.startswith("pg_"):
        raise InvalidCall(
            "call_invalid", "ledger", reason="a schema has a printable name of 1 to 63 bytes, not beginning with pg_"
        )


def quoted(name: str) -> str:
    """A name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def place_of(address: str, schema: str) -> str:
    """What errors call it: where it is, nothing that opens it. Raises `InvalidCall` for what is no address, and says nothing
    of it: any part of it may be a password's."""
    try:
        parts = conninfo_to_dict(address)
    except (psycopg.Error, ValueError):
        raise InvalidCall("call_invalid", "ledger", reason="it is no PostgreSQL address", expected=_EXPECTED) from None
    host, port, name = (str(parts.get(part) or "") for part in ("host", "port", "dbname"))
    if "@" in host + name or not re.fullmatch(r"[0-9,]*", port):  # what is left of a password that is not percent-encoded
        raise InvalidCall("call_invalid", "ledger", reason="it is no PostgreSQL address", expected=_EXPECTED)
    port = f":{port}" if port else ""
    return f"postgresql://{quote(host, safe=',:[]')}{port}/{quote(name)}?schema={quote(schema)}"

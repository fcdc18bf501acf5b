"""Opening a ledger by its address, wherever it is."""

from __future__ import annotations

import os
from urllib.parse import unquote

from act.errors import InvalidCall, StoreFault
from act.stores.sql.ledger import SqlLedger
from act.stores.sqlite import SqliteLedger

__all__ = ["open_ledger"]

_SCHEMES = ("postgresql://", "postgres://")


def open_ledger(address: str | os.PathLike[str], *, create: bool = True) -> SqlLedger:
    """The ledger at an address: libpq's URL of a PostgreSQL database (extra `postgres`), in which `schema=NAME` may name the
    schema ("act" unless it does); whatever is no such URL is the path of a SQLite file.

    With `create` (the default) a missing ledger is made when it is first used. Raises `InvalidCall` for what is no address, and
    what the stores raise; a missing extra is a `StoreFault`. Errors never show a password.
    """
    text = os.fspath(address)
    if not text.lower().startswith(_SCHEMES):  # libpq knows them in small letters only; no file is meant by the others
        return SqliteLedger(text, create=create)
    try:
        from act.stores.postgres import PostgresLedger  # the extra's: whoever keeps a file needs none of it
    except ImportError as error:
        remedy = "install agentic-commerce-trust[postgres] to keep a ledger in PostgreSQL"
        raise StoreFault("store_unavailable", "ledger", reason=remedy, missing=error.name or "psycopg") from None
    place, schema = _divided(text)
    return PostgresLedger(place, schema=schema, create=create)


def _divided(address: str) -> tuple[str, str]:
    """The address as libpq takes it, and the schema."""
    place, mark, rest = address.rpartition("?")
    if not mark:
        return address, "act"
    parameters = rest.split("&")
    schemas = [each.removeprefix("schema=") for each in parameters if each.startswith("schema=")]
    if len(schemas) > 1:
        raise InvalidCall("call_invalid", "ledger", reason="the address names more than one schema")
    kept = "&".join(each for each in parameters if not each.startswith("schema="))
    return place + mark * bool(kept) + kept, unquote(schemas[0]) if schemas else "act"

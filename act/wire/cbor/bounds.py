"""What CBOR may say here, and how much of it."""

from __future__ import annotations

from typing import Final, TypeAlias

__all__ = ["INT_LIMIT", "MAX_BYTES", "MAX_DEPTH", "MAX_MAP_ENTRIES", "Value"]

Value: TypeAlias = "int | str | bytes | bool | list[Value] | dict[int | str, Value]"
"""What CBOR decodes to here. Integers lie in -2^63 .. 2^63 - 1."""

MAX_BYTES: Final = 65_536
"""Bytes of one input. A mandate takes some hundred; 64 KiB leaves room for long orders and bounds what a stranger can cost."""

MAX_DEPTH: Final = 16
"""Lists and maps inside one another. The profile needs 6; 16 leaves room and stays far from any recursion limit."""

MAX_MAP_ENTRIES: Final = 1_024
"""Entries of one map. Python's hash of an integer is predictable, so a stranger can choose integer keys that collide; a bound
on one map keeps that from costing quadratic time. Maps here have tens of entries; what comes in numbers comes in lists."""

INT_LIMIT: Final = 1 << 63
# Integers are those of 64 bits with a sign, as in SQL columns and most languages: none may change on its way through them.

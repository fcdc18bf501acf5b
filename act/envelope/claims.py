"""Claims, the plain meaning of a signed object, the same whichever envelope carries it.

A claims set is a dict of registered claim names (RFC 8392, RFC 7519) to values, and `act`, the one private claim, which holds
everything else under ACT's own field names. The envelopes translate names; the tables of readers below check what is inside.
Readers raise `Refused` without a place; `read_fields` adds the place on the way out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from act.calendar import LATEST_INSTANT, read_instant
from act.errors import Refused

__all__ = [
    "MAX_LIST",
    "MAX_TEXT",
    "Fields",
    "Reader",
    "TextId",
    "delegation_id_claim",
    "read_delegation_id",
    "read_digest",
    "read_fields",
    "read_id",
    "read_map",
    "read_name",
    "read_raw",
    "read_text",
    "read_texts",
    "uuid_urn",
]

MAX_TEXT: Final = 256
"""Longest identifier or label, in characters: the length A402 gives its identifiers."""

MAX_LIST: Final = 128
"""Most entries in a list of merchants, categories, methods or items."""

Reader = Callable[[Any], Any]
"""Takes a decoded value, returns it checked and in the form used inside, or raises `Refused`."""


class TextId(str):
    """A delegation_id that is no UUID: only JOSE carries one, and no decoder of CBOR makes a value of this type."""

    __slots__ = ()


class Fields:
    """A closed table of fields: which names exist, how each is read, which are mandatory."""

    __slots__ = ("readers", "required")

    def __init__(self, required: Mapping[str, Reader], optional: Mapping[str, Reader] | None = None) -> None:
        self.readers: Final[Mapping[str, Reader]] = {**required, **(optional or {})}
        self.required: Final = frozenset(required)


def read_fields(fields: Fields, value: object, where: str) -> dict[str, Any]:
    """Every field of `value`, checked. Raises claim_unknown for a name outside the table and claim_missing for one not
    there."""
    if type(value) is not dict:
        raise Refused("claim_invalid", where, expected="a map")
    readers = fields.readers
    read = {}
    name: Any = ""
    try:
        for name, raw in value.items():
            try:
                reader = readers[name]
            except KeyError:
                raise Refused("claim_unknown") from None
            if reader is read_text:  # most fields: what `read_text` does, without the call for a plain one
                is_plain = type(raw) is str and raw and raw.isascii() and raw.isprintable() and len(raw) <= MAX_TEXT
                read[name] = raw if is_plain else reader(raw)
            elif (
                reader is read_raw
                or (reader is read_map and type(raw) is dict)
                or (reader is read_instant and type(raw) is int and 0 <= raw <= LATEST_INSTANT)
            ):
                read[name] = raw
            else:
                read[name] = reader(raw)
    except Refused as refusal:
        raise refusal.within(_inside(where, name)) from None
    if len(read) != len(readers) and not read.keys() >= fields.required:  # every name there: nothing can be missing
        raise Refused("claim_missing", _inside(where, min(fields.required - read.keys())))
    return read


def _inside(where: str, name: object) -> str:
    return f"{where}.{name}" if where else str(name)


def read_text(value: object) -> str:
    """An identifier or label: 1 to `MAX_TEXT` characters that can be seen. It is compared byte for byte, never folded.

    Refused are control characters, invisible formatting (bidirectional and zero-width characters among it), private use,
    surrogates and every space but U+0020, from a pinned list: what Unicode assigns later must not make two verifiers disagree.
    """
    # Most texts are ASCII without control characters, which is the same in every version of Unicode.
    if (
        type(value) is not str
        or not 0 < len(value) <= MAX_TEXT
        or (not (value.isascii() and value.isprintable()) and _UNSEEN.search(value))
    ):
        raise Refused("claim_invalid", expected=f"1 to {MAX_TEXT} visible characters")
    return value


_UNSEEN: Final = re.compile(
    "[\x00-\x1f\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f"
    "\u205f-\u206f\u3000\u3164\ud800-\uf8ff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "\U000f0000-\U0010ffff]"
)
_DISPLAY_ONLY: Final = {0x00A0: " ", 0x3000: " ", 0x200C: "", 0x200D: "", 0xFE0E: "", 0xFE0F: ""}


def read_name(value: object) -> str:
    """Display text: as `read_text`, but with the wide and unbreakable spaces of real product names, and with the joiners and
    selectors that scripts and emoji need."""
    if type(value) is not str or len(value) > MAX_TEXT:
        raise Refused("claim_invalid", expected=f"1 to {MAX_TEXT} visible characters")
    read_text(value.translate(_DISPLAY_ONLY))
    return value


def read_texts(value: object) -> tuple[str, ...]:
    """A list of 1 to `MAX_LIST` different texts. An empty list is refused: it would allow nothing, or be read as anything."""
    if type(value) is not list or not 0 < len(value) <= MAX_LIST:
        raise Refused("claim_invalid", expected=f"a list of 1 to {MAX_LIST} texts")
    for text in value:
        if type(text) is not str or not text.isascii() or not text.isprintable() or not 0 < len(text) <= MAX_TEXT:
            read_text(text)  # it may be a text that can be seen all the same
    if len(set(value)) != len(value):
        raise Refused("claim_invalid", expected="different texts")
    return tuple(value)


def read_digest(value: object) -> bytes:
    """A SHA-256 digest: 32 bytes."""
    if type(value) is not bytes or len(value) != 32:
        raise Refused("claim_invalid", expected="32 bytes")
    return value


def read_id(value: object) -> bytes:
    """The 16 bytes of a UUID."""
    if type(value) is not bytes or len(value) != 16:
        raise Refused("claim_invalid", expected="16 bytes")
    return value


def read_map(value: object) -> dict[str, Any]:
    """A map whose own table of fields is applied by the caller."""
    if type(value) is not dict:
        raise Refused("claim_invalid", expected="a map")
    return value


def read_raw(value: Any) -> Any:
    """Left as it is for whoever reads it once more is known, such as the currency of an amount."""
    return value


@lru_cache(4_096)  # a request repeats its mandate's
def uuid_urn(value: bytes) -> str:
    """`urn:uuid:...`, how an id of 16 bytes is written for people and in JSON (RFC 9562)."""
    text = value.hex()
    return f"urn:uuid:{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def read_delegation_id(value: object) -> str:
    """A delegation_id as text: `urn:uuid:` for 16 bytes, and a `TextId` as it is."""
    if type(value) is bytes and len(value) == 16:
        return uuid_urn(value)
    if type(value) is TextId:
        return str(value)
    raise Refused("claim_invalid", expected="16 bytes")


def delegation_id_claim(delegation_id: str) -> bytes | TextId:
    """The neutral value that `read_delegation_id` turns into this text; every other text than a UUID's is a `TextId`."""
    if delegation_id.startswith("urn:uuid:"):
        return bytes.fromhex(delegation_id[9:].replace("-", ""))
    return TextId(delegation_id)

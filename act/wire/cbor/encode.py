"""The encoder: the one deterministic form of every value (RFC 8949 4.2.1)."""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter
from typing import Any, Final

from act.errors import InvalidCall
from act.wire.cbor.bounds import INT_LIMIT, MAX_DEPTH, MAX_MAP_ENTRIES

__all__ = ["encode", "encode_head"]


def encode(value: object) -> bytes:
    """Encode a `Value` in its one deterministic form: shortest heads, keys sorted by their encoded bytes.

    `decode` takes the result whenever it is within the size the reader allows.
    Raises `InvalidCall` for anything else: another type (float, None, tuple, a subclass of int or str), an integer beyond 64
    bits with a sign, a text with a lone surrogate, a map key that is neither integer nor text, too deep, or too many entries.
    """
    parts: list[bytes] = []
    try:
        _encode_item(value, parts, MAX_DEPTH)
    except UnicodeEncodeError:
        raise InvalidCall("call_invalid", expected="text without lone surrogates") from None
    return b"".join(parts)


def _encode_item(value: object, parts: list[bytes], depth: int) -> None:
    # `type(...) is` and no isinstance: a subclass may mean anything.
    if type(value) is str:
        text = value.encode()
        parts += (encode_head(0x60, len(text)), text)
    elif type(value) is int:
        parts.append(_encode_integer(value))
    elif type(value) is bytes:
        parts += (encode_head(0x40, len(value)), value)
    elif type(value) is bool:
        parts.append(b"\xf5" if value else b"\xf4")
    elif type(value) is dict:
        if not depth or len(value) > MAX_MAP_ENTRIES:
            raise InvalidCall("call_invalid", max_depth=MAX_DEPTH, max_entries=MAX_MAP_ENTRIES)
        parts.append(encode_head(0xA0, len(value)))
        _encode_entries(value, parts, depth - 1)
    elif type(value) is list:
        if not depth:
            raise InvalidCall("call_invalid", max_depth=MAX_DEPTH)
        parts.append(encode_head(0x80, len(value)))
        for item in value:
            _encode_item(item, parts, depth - 1)
    else:
        raise InvalidCall("call_invalid", found=type(value).__name__, expected="int, str, bytes, bool, list or dict")


def _encode_entries(entries: dict[Any, Any], parts: list[bytes], depth: int) -> None:
    """The entries of a map. Most are short texts and byte strings: those are not worth a call each."""
    for head, key in _sorted_keys(entries):
        item = entries[key]
        if type(item) is str:
            text = item.encode()
            size = len(text)
            parts += (head, _ONE_BYTE[0x60 + size] if size < 24 else encode_head(0x60, size), text)
        elif type(item) is bytes:
            parts += (head, _DIGEST_HEAD if len(item) == 32 else encode_head(0x40, len(item)), item)
        elif type(item) is int:
            parts += (head, _encode_integer(item))
        else:
            parts.append(head)
            _encode_item(item, parts, depth)


_MAX_SHAPES: Final = 512
_MAX_SHAPE_KEYS: Final = 64
_shapes: dict[tuple[str, ...], tuple[tuple[bytes, Any], ...]] = {}
"""The keys of maps that occur again and again, encoded and sorted. Maps with other keys than texts are not among them: 1 and
True are equal, and only one of them is a key."""


def _sorted_keys(entries: dict[Any, Any]) -> Iterable[tuple[bytes, Any]]:
    """The keys of a map in the order of their bytes, and those bytes."""
    shape = tuple(entries)
    for key in shape:
        if type(key) is not str:
            return sorted([(_encode_key(key), key) for key in shape], key=_encoded_key)
    known = _shapes.get(shape)
    if known is None:
        known = tuple(sorted([(_encode_key(key), key) for key in shape], key=_encoded_key))
        if len(shape) <= _MAX_SHAPE_KEYS and all(len(head) <= _MAX_KEY_SIZE for head, _ in known):
            if len(_shapes) >= _MAX_SHAPES:
                _shapes.clear()
            _shapes[shape] = known
    return known


_encoded_key: Final = itemgetter(0)

_MAX_KEY_SIZE: Final = 32


def _encode_key(key: object) -> bytes:
    """What a map key may be: an integer or a text."""
    if type(key) is str:
        text = key.encode()
        return encode_head(0x60, len(text)) + text
    if type(key) is int:
        return _encode_integer(key)
    raise InvalidCall("call_invalid", found=type(key).__name__, expected="int or str")


def _encode_integer(value: int) -> bytes:
    if 0 <= value < 24:
        return _ONE_BYTE[value]
    if 1 << 16 <= value < 1 << 32:  # an instant
        return b"\x1a" + value.to_bytes(4)
    if 0 <= value < INT_LIMIT:
        return encode_head(0x00, value)
    if -INT_LIMIT <= value < 0:
        return encode_head(0x20, -1 - value)
    raise InvalidCall("call_invalid", expected="an integer of 64 bits with a sign")


_ONE_BYTE: Final = tuple([bytes([value]) for value in range(256)])
_DIGEST_HEAD: Final = b"\x58\x20"


def encode_head(major: int, argument: int) -> bytes:
    """The shortest head for `argument`; `major` is the major type, already in the high three bits."""
    if argument < 24:
        return _ONE_BYTE[major + argument]
    if argument < 1 << 8:
        return bytes((major + 24, argument))
    if argument < 1 << 16:
        return bytes((major + 25,)) + argument.to_bytes(2)
    if argument < 1 << 32:
        return bytes((major + 26,)) + argument.to_bytes(4)
    return bytes((major + 27,)) + argument.to_bytes(8)

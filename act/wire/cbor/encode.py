"""The encoder: the one deterministic form of every value (RFC 8949 4.2.1)."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Final

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
        _encode_item(value, parts.append, MAX_DEPTH)
    except UnicodeEncodeError:
        raise InvalidCall("call_invalid", expected="text without lone surrogates") from None
    return b"".join(parts)


def _encode_item(value: object, write: Callable[[bytes], None], depth: int) -> None:
    kind = type(value)
    if isinstance(value, str) and kind is str:
        text = value.encode()
        write(encode_head(0x60, len(text)))
        write(text)
    elif isinstance(value, int) and kind is int:
        write(_encode_integer(value))
    elif isinstance(value, bytes) and kind is bytes:
        write(encode_head(0x40, len(value)))
        write(value)
    elif isinstance(value, bool):
        write(b"\xf5" if value else b"\xf4")
    elif isinstance(value, dict) and kind is dict:
        if not depth or len(value) > MAX_MAP_ENTRIES:
            raise InvalidCall("call_invalid", max_depth=MAX_DEPTH, max_entries=MAX_MAP_ENTRIES)
        write(encode_head(0xA0, len(value)))
        entries = [(_keys.get(key) if type(key) is str else None, key, item) for key, item in value.items()]
        encoded = [(known or _encode_key(key), item) for known, key, item in entries]
        encoded.sort(key=_encoded_key)
        for head, item in encoded:
            write(head)
            _encode_item(item, write, depth - 1)
    elif isinstance(value, list) and kind is list:
        if not depth:
            raise InvalidCall("call_invalid", max_depth=MAX_DEPTH)
        write(encode_head(0x80, len(value)))
        for item in value:
            _encode_item(item, write, depth - 1)
    else:
        raise InvalidCall("call_invalid", found=kind.__name__, expected="int, str, bytes, bool, list or dict")


_encoded_key: Final = itemgetter(0)

_MAX_KEYS: Final = 512
_MAX_KEY_SIZE: Final = 32
_keys: dict[str, bytes] = {}
"""Keys that are texts, with their bytes: there are some hundred names in this profile, and every object repeats them."""


def _encode_key(key: object) -> bytes:
    """What a map key may be: an integer or a text. Short texts are remembered."""
    if isinstance(key, str) and type(key) is str:
        text = key.encode()
        encoded = encode_head(0x60, len(text)) + text
        if len(encoded) <= _MAX_KEY_SIZE:
            if len(_keys) >= _MAX_KEYS:
                _keys.clear()
            _keys[key] = encoded
        return encoded
    if isinstance(key, int) and type(key) is int:
        return _encode_integer(key)
    raise InvalidCall("call_invalid", found=type(key).__name__, expected="int or str")


def _encode_integer(value: int) -> bytes:
    if 0 <= value < INT_LIMIT:
        return encode_head(0x00, value)
    if -INT_LIMIT <= value < 0:
        return encode_head(0x20, -1 - value)
    raise InvalidCall("call_invalid", expected="an integer of 64 bits with a sign")


_ONE_BYTE: Final = tuple([bytes([value]) for value in range(256)])


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

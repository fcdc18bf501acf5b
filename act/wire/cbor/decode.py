"""The decoder, written out in one pass, so that nothing is ever built, expanded or called back that is not listed here."""

from __future__ import annotations

from typing import Final

from act.errors import InvalidCall, Refused
from act.wire.cbor.bounds import INT_LIMIT, MAX_BYTES, MAX_DEPTH, MAX_MAP_ENTRIES, Value

__all__ = ["decode", "long_argument", "require_input"]

_SHORTEST_FROM: Final = (24, 1 << 8, 1 << 16, 1 << 32)  # the least argument that needs 1, 2, 4, 8 bytes after the head


def decode(data: object, *, max_bytes: int = MAX_BYTES) -> Value:
    """Decode exactly one value; every byte belongs to it, and `encode` gives the same bytes back.

    Raises `Refused`: `input_too_large` (ACT-WIRE-01) beyond `max_bytes` bytes or MAX_MAP_ENTRIES, `input_too_deep`
    (ACT-WIRE-01) beyond MAX_DEPTH, `cbor_invalid` (ACT-WIRE-02) for what is malformed, cut off, followed by more bytes or of a
    type not allowed, `claim_null` (ACT-ENV-08) at its place for a null as a value, `cbor_not_deterministic` (ACT-WIRE-03) for
    another than the one form of RFC 8949 4.2.1.
    Raises `InvalidCall` when `data` is not `bytes`.
    """
    whole = require_input(data, max_bytes)
    try:
        value, end = _decode_item(whole, 0, MAX_DEPTH)
    except (IndexError, UnicodeDecodeError):  # the bytes end inside an item, or a text is not UTF-8
        raise Refused("cbor_invalid") from None
    if end != len(whole):  # more bytes follow, or the last string is cut off: see _decode_item
        raise Refused("cbor_invalid", offset=min(end, len(whole)))
    return value


def require_input(data: object, max_bytes: int) -> bytes:
    """The data itself. Raises `InvalidCall` for another type than `bytes`, `Refused` input_too_large for more of them."""
    if type(data) is not bytes:
        raise InvalidCall("call_invalid", "data", expected="bytes")
    if len(data) > max_bytes:
        raise Refused("input_too_large", bytes=len(data), max_bytes=max_bytes)
    return data


def _decode_item(data: bytes, pos: int, depth: int) -> tuple[Value, int]:
    """Decode the item at `pos`; return it and where it ends. `depth` more lists and maps may open.

    A string that is cut off makes a short slice and an end beyond the data. Positions never go back, so the next read
    raises IndexError or, when nothing is read after it, `decode` sees that the end is not the data's end.
    """
    start = pos
    head = data[pos]
    pos += 1
    if head < 0x18:  # a small integer
        return head, pos
    major = head >> 5
    argument = head & 0x1F
    if major == 5 and argument < 24:
        return _decode_map(data, pos, argument, depth)
    if argument == 24 and major != 7:
        argument = data[pos]
        pos += 1
        if argument < 24:
            raise Refused("cbor_not_deterministic", offset=start)
    elif argument > 24 and major != 7:
        argument, pos = long_argument(data, pos, head)
        if 2 <= major <= 3 and argument > len(data):  # cut off; and no index leaves 64 bits, which compiled code counts with
            argument = len(data)
    if major == 3:
        end = pos + argument
        return data[pos:end].decode(), end
    if major == 2:
        end = pos + argument
        return data[pos:end], end
    if major == 0:
        if argument >= INT_LIMIT:
            raise Refused("cbor_invalid", offset=start)
        return argument, pos
    if major == 5:
        return _decode_map(data, pos, argument, depth)
    if major == 4:
        return _decode_list(data, pos, argument, depth)
    if major == 1:
        if argument >= INT_LIMIT:
            raise Refused("cbor_invalid", offset=start)
        return -1 - argument, pos
    if head == 0xF5 or head == 0xF4:
        return head == 0xF5, pos
    if head == 0xF6:  # null: well-formed, and the one thing here that other encoders write for what is absent
        raise Refused("claim_null", offset=start)
    raise Refused("cbor_invalid", offset=start)  # a tag, a float, undefined, another simple value


def _decode_map(data: bytes, pos: int, count: int, depth: int) -> tuple[Value, int]:
    """Decode `count` entries from `pos`. Keys are compared as encoded: each must come after the one before it."""
    if not depth:
        raise Refused("input_too_deep", offset=pos)
    if count > MAX_MAP_ENTRIES:
        raise Refused("input_too_large", offset=pos, max_entries=MAX_MAP_ENTRIES)
    depth -= 1
    result: dict[int | str, Value] = {}
    last = b""
    for _ in range(count):
        end = pos + _KEY_SIZE[data[pos]]
        encoded = data[pos:end]
        key = _keys.get(encoded)
        if key is None:
            key, end = _read_key(data, pos)
            encoded = data[pos:end]
        if encoded <= last:
            raise Refused("cbor_not_deterministic", offset=pos)
        last = encoded
        head = data[end]
        size = _TEXT_SIZE[head]
        if size:  # many values: a short text
            pos = end + size
            result[key] = data[end + 1 : pos].decode()
        elif head < 0x18:
            pos = end + 1
            result[key] = head
        elif head >= 0x80:
            try:
                if 0xA0 <= head < 0xB8:
                    result[key], pos = _decode_map(data, end + 1, head & 0x1F, depth)
                elif head < 0x98:
                    result[key], pos = _decode_list(data, end + 1, head & 0x1F, depth)
                else:
                    result[key], pos = _decode_item(data, end, depth)
            except Refused as refusal:
                raise _placed(refusal, key) from None
        elif head == 0x58 and data[end + 1] >= 24:  # a digest, a key or an inner object
            pos = end + 2 + data[end + 1]
            result[key] = data[end + 2 : pos]
        elif head == 0x1A and data[end + 1] | data[end + 2]:  # an instant: four bytes, of which two would not have done
            pos = end + 5
            result[key] = int.from_bytes(data[end + 1 : pos])
        else:
            result[key], pos = _decode_item(data, end, depth)
    return result, pos


_TEXT_SIZE: Final = tuple([head - 0x5F if 0x60 <= head < 0x78 else 0 for head in range(256)])
"""By its head, how many bytes a short text takes, the head among them; 0 for everything else."""

_INT_SIZE: Final = {0x18: 2, 0x19: 3, 0x1A: 5, 0x1B: 9, 0x38: 2, 0x39: 3, 0x3A: 5, 0x3B: 9}
_KEY_SIZE: Final = tuple([
    1 if head < 0x18 or 0x20 <= head < 0x38 else _INT_SIZE.get(head, _TEXT_SIZE[head]) for head in range(256)
])  # fmt: skip
"""The same for a key: an integer or a short text; 0 for a longer text and for what is no key."""

_MAX_KEYS: Final = 512
_MAX_KEY_SIZE: Final = 32
_keys: dict[bytes, int | str] = {}
"""Keys by their bytes: there are some hundred names in this profile, and every object repeats them."""


def _read_key(data: bytes, pos: int) -> tuple[int | str, int]:
    """The key at `pos`, and where it ends: a longer text, or one that nobody has seen yet, or has forgotten since."""
    head = data[pos]
    if 0x40 <= head < 0x60 or head >= 0x80:
        raise Refused("cbor_invalid", offset=pos)
    if head == 0x78:
        end = pos + 2 + data[pos + 1]
        known = _keys.get(data[pos:end])
        if known is not None:
            return known, end
    key, end = _decode_item(data, pos, 0)
    assert isinstance(key, int | str)  # noqa: S101 - for the type checker: its head is an integer's or a text's
    if end <= len(data) and end - pos <= _MAX_KEY_SIZE:  # whole, and no stranger's novel
        if len(_keys) >= _MAX_KEYS:
            _keys.clear()
        _keys[data[pos:end]] = key
    return key, end


def _decode_list(data: bytes, pos: int, count: int, depth: int) -> tuple[Value, int]:
    if not depth:
        raise Refused("input_too_deep", offset=pos)
    if count > len(data) - pos:  # an element takes a byte at least
        raise Refused("cbor_invalid", offset=pos)
    depth -= 1
    result: list[Value] = []
    for place in range(count):
        head = data[pos]
        size = _TEXT_SIZE[head]
        if size:  # most entries: a short text
            end = pos + size
            result.append(data[pos + 1 : end].decode())
            pos = end
            continue
        try:
            if 0xA0 <= head < 0xB8:  # or a map
                item, pos = _decode_map(data, pos + 1, head & 0x1F, depth)
            else:
                item, pos = _decode_item(data, pos, depth)
        except Refused as refusal:
            raise _placed(refusal, place) from None
        result.append(item)
    return result, pos


def _placed(refusal: Refused, name: int | str) -> Refused:
    """A null is a fault of one field, and named by it; other faults are of the bytes, and named by their offset alone."""
    return refusal.within(str(name)) if refusal.code == "claim_null" else refusal


def long_argument(data: bytes, pos: int, head: int) -> tuple[int, int]:
    """Read the argument that follows `head` in 1, 2, 4 or 8 bytes at `pos`, and insist that fewer would not have done."""
    form = (head & 0x1F) - 24
    if form == 7 and 2 <= head >> 5 <= 5:  # a string, list or map of indefinite length
        raise Refused("cbor_not_deterministic", offset=pos - 1)
    if form > 3:
        raise Refused("cbor_invalid", offset=pos - 1)
    end = pos + (1 << form)
    if end > len(data):
        raise Refused("cbor_invalid", offset=len(data))
    argument = int.from_bytes(data[pos:end])
    if argument < _SHORTEST_FROM[form]:
        raise Refused("cbor_not_deterministic", offset=pos - 1)
    return argument, end

"""CBOR in its one deterministic form (RFC 8949 4.2.1), and nothing else.

A value is an integer, a text, a byte string, a boolean, a list or a map with integer or text keys. Everything else CBOR can
say (floats, null, undefined, other simple values, tags) has no place in a signed object of this library and is refused, as is
every second way to write the same value: then two different byte strings never mean the same, and what was signed is what is
read. The one tag there is, COSE_Sign1 (RFC 9052 4.2), has functions of its own that split and join the envelope.

The decoder is written out here, in one pass, so that nothing is ever built, expanded or called back that is not listed above.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Final, TypeAlias

from act.errors import InvalidCall, Refused

__all__ = [
    "MAX_BYTES", "MAX_DEPTH", "MAX_MAP_ENTRIES", "Value", "decode", "decode_sign1", "encode", "encode_sign1", "sig_structure",
    "split_sign1",
]  # fmt: skip

Value: TypeAlias = "int | str | bytes | bool | list[Value] | dict[int | str, Value]"
"""What CBOR decodes to here. Integers lie in -2^63 .. 2^63 - 1."""

MAX_BYTES: Final = 65_536
"""Bytes of one input. A mandate takes some hundred; 64 KiB leaves room for long orders and bounds what a stranger can cost."""

MAX_DEPTH: Final = 16
"""Lists and maps inside one another. The profile needs 6; 16 leaves room and stays far from any recursion limit."""

MAX_MAP_ENTRIES: Final = 1_024
"""Entries of one map. Python's hash of an integer is predictable, so a stranger can choose integer keys that collide; a bound
on one map keeps that from costing quadratic time. Maps here have tens of entries; what comes in numbers comes in lists."""

_INT_LIMIT: Final = 1 << 63
# Integers are those of 64 bits with a sign, as in SQL columns and most languages: none may change on its way through them.

_SHORTEST_FROM: Final = (24, 1 << 8, 1 << 16, 1 << 32)  # the least argument that needs 1, 2, 4, 8 bytes after the head
_SIGN1_HEAD: Final = b"\xd2\x84"  # tag 18, list of 4
_SIG_STRUCTURE_HEAD: Final = b"\x84\x6aSignature1"


def decode(data: bytes, *, max_bytes: int = MAX_BYTES) -> Value:
    """Decode exactly one value; every byte belongs to it, and `encode` gives the same bytes back.

    Raises `Refused`: `input_too_large` (ACT-WIRE-01) beyond `max_bytes` bytes or MAX_MAP_ENTRIES, `input_too_deep`
    (ACT-WIRE-01) beyond MAX_DEPTH, `cbor_invalid` (ACT-WIRE-02) for what is malformed, cut off, followed by more bytes or of a
    type not allowed, `claim_null` (ACT-ENV-08) at its place for a null as a value, `cbor_not_deterministic` (ACT-WIRE-03) for
    another than the one form of RFC 8949 4.2.1.
    Raises `InvalidCall` when `data` is not `bytes`.
    """
    _check_input(data, max_bytes)
    try:
        value, end = _decode_item(data, 0, MAX_DEPTH)
    except (IndexError, UnicodeDecodeError):  # the bytes end inside an item, or a text is not UTF-8
        raise Refused("cbor_invalid") from None
    if end != len(data):  # more bytes follow, or the last string is cut off: see _decode_item
        raise Refused("cbor_invalid", offset=min(end, len(data)))
    return value


def _check_input(data: bytes, max_bytes: int) -> None:
    if type(data) is not bytes:
        raise InvalidCall("call_invalid", "data", expected="bytes")
    if len(data) > max_bytes:
        raise Refused("input_too_large", bytes=len(data), max_bytes=max_bytes)


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
    if argument == 24 and major != 7:
        argument = data[pos]
        pos += 1
        if argument < 24:
            raise Refused("cbor_not_deterministic", offset=start)
    elif argument > 24 and major != 7:
        argument, pos = _long_argument(data, pos, head)
    if major == 3:
        end = pos + argument
        return data[pos:end].decode(), end
    if major == 2:
        end = pos + argument
        return data[pos:end], end
    if major == 0:
        if argument >= _INT_LIMIT:
            raise Refused("cbor_invalid", offset=start)
        return argument, pos
    if major == 5:
        return _decode_map(data, pos, argument, depth)
    if major == 4:
        return _decode_list(data, pos, argument, depth)
    if major == 1:
        if argument >= _INT_LIMIT:
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
        head = data[pos]
        if 0x60 <= head < 0x78:  # most keys: a short text
            end = pos + head - 0x5F
            encoded = data[pos:end]
            key: int | str = _texts.get(encoded) or _key(encoded)
        elif head < 0x18:  # or a small integer
            key = head
            end = pos + 1
            encoded = data[pos:end]
        elif head < 0x40 or head >> 5 == 3:
            key, end = _decode_item(data, pos, 0)  # type: ignore[assignment]  # these heads are an integer's or a text's
            encoded = data[pos:end]
        else:
            raise Refused("cbor_invalid", offset=pos)
        if encoded <= last:
            raise Refused("cbor_not_deterministic", offset=pos)
        last = encoded
        head = data[end]
        if 0x60 <= head < 0x78:  # many values: a short text
            pos = end + head - 0x5F
            result[key] = data[end + 1 : pos].decode()
        elif head < 0x18:
            pos = end + 1
            result[key] = head
        elif head == 0x58 and data[end + 1] >= 24:  # a digest, a key or an inner object
            pos = end + 2 + data[end + 1]
            result[key] = data[end + 2 : pos]
        elif head == 0x1A and data[end + 1] | data[end + 2]:  # an instant: four bytes, of which two would not have done
            pos = end + 5
            result[key] = int.from_bytes(data[end + 1 : pos])
        else:
            try:
                if 0x80 <= head < 0x98:
                    result[key], pos = _decode_list(data, end + 1, head & 0x1F, depth)
                elif 0xA0 <= head < 0xB8:
                    result[key], pos = _decode_map(data, end + 1, head & 0x1F, depth)
                else:
                    result[key], pos = _decode_item(data, end, depth)
            except Refused as refusal:
                raise _placed(refusal, key) from None
    return result, pos


_MAX_KEYS: Final = 512
_texts: dict[bytes, str] = {}
"""Keys by their bytes: there are some hundred names in this profile, and every object repeats them."""


def _key(encoded: bytes) -> str:
    text = encoded[1:].decode()
    if len(_texts) < _MAX_KEYS:  # strangers' keys fill what is left and no more
        _texts[encoded] = text
    return text


def _decode_list(data: bytes, pos: int, count: int, depth: int) -> tuple[Value, int]:
    if not depth:
        raise Refused("input_too_deep", offset=pos)
    if count > len(data) - pos:  # an element takes a byte at least
        raise Refused("cbor_invalid", offset=pos)
    depth -= 1
    result: list[Value] = []
    for place in range(count):
        head = data[pos]
        if 0x60 <= head < 0x78:  # most entries: a short text
            end = pos + head - 0x5F
            item: Value = data[pos + 1 : end].decode()
            pos = end
        else:
            try:
                item, pos = _decode_item(data, pos, depth)
            except Refused as refusal:
                raise _placed(refusal, place) from None
        result.append(item)
    return result, pos


def _placed(refusal: Refused, name: int | str) -> Refused:
    """A null is a fault of one field, and named by it; other faults are of the bytes, and named by their offset alone."""
    return refusal.within(str(name)) if refusal.code == "claim_null" else refusal


def _long_argument(data: bytes, pos: int, head: int) -> tuple[int, int]:
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
    if kind is str or kind is int:
        write(_encode_scalar(value))
    elif isinstance(value, bytes) and kind is bytes:
        write(_head(0x40, len(value)))
        write(value)
    elif isinstance(value, bool):
        write(b"\xf5" if value else b"\xf4")
    elif isinstance(value, dict) and kind is dict:
        if not depth or len(value) > MAX_MAP_ENTRIES:
            raise InvalidCall("call_invalid", max_depth=MAX_DEPTH, max_entries=MAX_MAP_ENTRIES)
        write(_head(0xA0, len(value)))
        entries = [(_encode_scalar(key), item) for key, item in value.items()]
        entries.sort(key=_encoded_key)
        for encoded, item in entries:
            write(encoded)
            _encode_item(item, write, depth - 1)
    elif isinstance(value, list) and kind is list:
        if not depth:
            raise InvalidCall("call_invalid", max_depth=MAX_DEPTH)
        write(_head(0x80, len(value)))
        for item in value:
            _encode_item(item, write, depth - 1)
    else:
        raise InvalidCall("call_invalid", found=kind.__name__, expected="int, str, bytes, bool, list or dict")


_encoded_key: Final = itemgetter(0)


def _encode_scalar(value: object) -> bytes:
    """Encode an integer or a text: what a map key may be, and most values are."""
    if isinstance(value, str) and type(value) is str:
        text = value.encode()
        size = len(text)
        return (_SHORT_TEXT[size] if size < 24 else _head(0x60, size)) + text
    if isinstance(value, int) and type(value) is int:
        if 0 <= value < _INT_LIMIT:
            return _head(0x00, value)
        if -_INT_LIMIT <= value < 0:
            return _head(0x20, -1 - value)
        raise InvalidCall("call_invalid", expected="an integer of 64 bits with a sign")
    raise InvalidCall("call_invalid", found=type(value).__name__, expected="int or str")


_SHORT_TEXT: Final = tuple(bytes([0x60 + size]) for size in range(24))


def _head(major: int, argument: int) -> bytes:
    """The shortest head for `argument`; `major` is the major type, already in the high three bits."""
    if argument < 24:
        return bytes((major + argument,))
    if argument < 1 << 8:
        return bytes((major + 24, argument))
    if argument < 1 << 16:
        return bytes((major + 25,)) + argument.to_bytes(2)
    if argument < 1 << 32:
        return bytes((major + 26,)) + argument.to_bytes(4)
    return bytes((major + 27,)) + argument.to_bytes(8)


def decode_sign1(data: bytes, *, max_bytes: int = MAX_BYTES) -> tuple[bytes, bytes, bytes]:
    """Split a tagged COSE_Sign1 (RFC 9052 4.2) into protected header, payload and signature, as the bytes they are.

    The outer bytes are fixed: tag 18, a list of four, byte string, empty map, byte string, byte string, each with the shortest
    head, and nothing after. What is inside the three strings is not looked at: only sizes and the frame are judged here.
    Raises `Refused`: `envelope_invalid` (ACT-ENV-01) for another structure, `header_unknown` (ACT-ENV-02) for an unprotected
    header that is not empty, and `input_too_large`, `cbor_invalid`, `cbor_not_deterministic` as `decode` does.
    Raises `InvalidCall` when `data` is not `bytes`.
    """
    return split_sign1(data, max_bytes=max_bytes)[:3]


def split_sign1(data: bytes, *, max_bytes: int = MAX_BYTES) -> tuple[bytes, bytes, bytes, bytes]:
    """What `decode_sign1` returns, and fourth what `sig_structure` makes of it, cut from the same bytes."""
    _check_input(data, max_bytes)
    try:
        if data[:2] != _SIGN1_HEAD:
            raise _frame_refusal(data)
        protected, unprotected_at = _byte_string(data, 2)
        if data[unprotected_at] != 0xA0:
            raise _unprotected_refusal(data, unprotected_at)
        payload, signature_at = _byte_string(data, unprotected_at + 1)
        signature, end = _byte_string(data, signature_at)
    except IndexError:
        raise Refused("cbor_invalid", offset=len(data)) from None
    if end != len(data):
        raise Refused("cbor_invalid", offset=end)
    covered = _SIG_STRUCTURE_HEAD + data[2:unprotected_at] + b"\x40" + data[unprotected_at + 1 : signature_at]
    return protected, payload, signature, covered


def _byte_string(data: bytes, pos: int) -> tuple[bytes, int]:
    head = data[pos]
    if head == 0x58:  # most of them: 24 to 255 bytes
        start, size = pos + 2, data[pos + 1]
        if size < 24:
            raise Refused("cbor_not_deterministic", offset=pos)
    elif head >> 5 != 2:
        raise Refused("envelope_invalid", offset=pos)
    else:
        start, size = pos + 1, head & 0x1F
        if size >= 24:
            size, start = _long_argument(data, start, head)
    end = start + size
    if end > len(data):
        raise Refused("cbor_invalid", offset=len(data))
    return data[start:end], end


def _frame_refusal(data: bytes) -> Refused:
    """Name what is wrong with the first two heads: a longer way to say them, or another structure."""
    for pos, (major, argument) in enumerate(((6, 18), (4, 4))):
        head = data[pos]
        if head == _SIGN1_HEAD[pos]:
            continue
        if head >> 5 == major and head & 0x1F >= 24:
            _long_argument(data, pos + 1, head)  # refuses a longer form by itself
        return Refused("envelope_invalid", offset=pos, expected_major=major, expected=argument)
    return Refused("envelope_invalid")


def _unprotected_refusal(data: bytes, pos: int) -> Refused:
    head = data[pos]
    if head >> 5 != 5:
        return Refused("envelope_invalid", offset=pos)
    if head & 0x1F >= 24:
        _long_argument(data, pos + 1, head)  # refuses a longer form by itself
    return Refused("header_unknown", "unprotected")


def encode_sign1(protected: bytes, payload: bytes, signature: bytes) -> bytes:
    """Join what `decode_sign1` splits: a tagged COSE_Sign1 with an empty unprotected header."""
    return b"".join((
        _SIGN1_HEAD, _head(0x40, len(protected)), protected, b"\xa0", _head(0x40, len(payload)), payload,
        _head(0x40, len(signature)), signature,
    ))  # fmt: skip


def sig_structure(protected: bytes, payload: bytes) -> bytes:
    """The bytes a COSE_Sign1 signature covers (RFC 9052 4.4): `["Signature1", protected, h'', payload]`, no external data."""
    return b"".join((_SIG_STRUCTURE_HEAD, _head(0x40, len(protected)), protected, b"\x40", _head(0x40, len(payload)), payload))

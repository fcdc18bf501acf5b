"""Strict JSON (RFC 8259, I-JSON of RFC 7493 and more), and its canonical form (JCS, RFC 8785).

A number with a fraction or an exponent becomes a Decimal, never a float, so that nothing is lost on the way in. What two
readers could take for two different things (duplicate names, NaN, lone surrogates, trailing text) is refused.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Final, NoReturn, TypeAlias

from act.errors import InvalidCall, Refused

__all__ = ["MAX_BYTES", "MAX_DEPTH", "MAX_EXACT_INT", "JsonValue", "canonicalize", "decode", "require_no_null"]

JsonValue: TypeAlias = "bool | int | Decimal | str | list[JsonValue] | dict[str, JsonValue] | None"
"""What JSON decodes to here. Integers lie in -2^63 .. 2^63 - 1."""

MAX_BYTES: Final = 65_536
"""Bytes of one input, unless the caller knows better: as for CBOR, ample for what is signed, and a bound on the cost."""

MAX_DEPTH: Final = 32
"""Arrays and objects inside one another. Foreign credentials nest deeper than our own objects; no recursion limit is near."""

MAX_EXACT_INT: Final = (1 << 53) - 1
"""What every JSON reader carries exactly (RFC 7493 2.2)."""

_INT_LIMIT: Final = 1 << 63
_MAX_NUMBER_CHARACTERS: Final = 40  # room for every binary64 in its shortest form, 25 characters, and for 64-bit integers, 20
_MAX_EXACT_DIGITS: Final = 15  # decimals up to here survive binary64 and come back as they were
_MAX_POWER: Final = 307  # and that holds while binary64 has its full precision: 1e-307 .. 9.9e307

# A whole string, closed or not (so that no character is looked at twice), or a bracket outside of strings.
_STRUCTURE: Final = re.compile(r'"(?:[^"\\]|\\.?)*+"?|[\[{]|[\]}]', re.DOTALL)
_ESCAPED_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")


def decode(data: object, *, max_bytes: int = MAX_BYTES, allow_exponents: bool = False) -> JsonValue:
    """Decode one JSON text: UTF-8 without a byte order mark, nothing after it but white space.

    Numbers without fraction and exponent are `int` within 64 bits with a sign; others are `Decimal`, as written. A number with
    an exponent is refused unless `allow_exponents`: signed objects write amounts plainly.
    Raises `Refused`: `input_too_large` (ACT-WIRE-01) beyond `max_bytes` bytes of UTF-8, `input_too_deep` (ACT-WIRE-01) beyond
    MAX_DEPTH, `json_invalid` (ACT-WIRE-04) for everything that is not strict JSON: duplicate names, NaN and infinities,
    numbers out of range or of more than 40 characters, lone surrogates, trailing text.
    Raises `InvalidCall` when `data` is neither `bytes` nor `str`.
    """
    text = _read_text(data, max_bytes)
    _check_depth(text)
    try:
        value = _parse(_WITH_EXPONENTS if allow_exponents else _PLAIN, text)
    except json.JSONDecodeError as error:
        raise Refused("json_invalid", line=error.lineno, column=error.colno) from None
    if "\\" in text and _ESCAPED_SURROGATE.search(text):
        _check_surrogates(value)
    return value


def _parse(decoder: json.JSONDecoder, text: str) -> JsonValue:
    value: JsonValue
    if text.startswith("{"):  # what is signed: without white space around it, there is nothing more to look for
        value, end = decoder.raw_decode(text)
        if end == len(text):
            return value
    value = decoder.decode(text)
    return value


def _read_text(data: object, max_bytes: int) -> str:
    if type(data) is not bytes and type(data) is not str:
        raise InvalidCall("call_invalid", "data", expected="bytes or str")
    if len(data) > max_bytes:  # before any work; a text has at least as many bytes as characters
        raise Refused("input_too_large", max_bytes=max_bytes)
    try:
        if isinstance(data, bytes):
            return data.decode()
        size = len(data.encode())  # finds lone surrogates, too
    except UnicodeError:
        raise Refused("json_invalid") from None
    if size > max_bytes:
        raise Refused("input_too_large", bytes=size, max_bytes=max_bytes)
    return data


def _check_depth(text: str) -> None:
    """Count open brackets before the parser, which recurses, sees them."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for match in _STRUCTURE.finditer(text):
        character = text[match.start()]
        if character in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise Refused("input_too_deep", max_depth=MAX_DEPTH)
        elif character != '"':
            depth -= 1


def _read_object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise Refused("json_invalid", reason="a name stands twice in one object")
    return result


def _read_int(literal: str) -> int:
    if len(literal) <= _MAX_NUMBER_CHARACTERS:
        value = int(literal)
        if -_INT_LIMIT <= value < _INT_LIMIT:
            return value
    raise Refused("json_invalid", reason="an integer beyond 64 bits")


def _read_decimal(literal: str) -> Decimal:
    if len(literal) <= _MAX_NUMBER_CHARACTERS:
        try:
            value = Decimal(literal)
        except ArithmeticError:  # an exponent beyond what Decimal itself holds
            raise Refused("json_invalid", reason="a number out of range") from None
        if not value or abs(value.adjusted()) <= _MAX_POWER:
            return value
    raise Refused("json_invalid", reason="a number out of range")


def _read_plain_decimal(literal: str) -> Decimal:
    if "e" in literal or "E" in literal:
        raise Refused("json_invalid", reason="a number with an exponent")
    return _read_decimal(literal)


def _refuse_constant(name: str) -> NoReturn:
    raise Refused("json_invalid", reason=f"{name} is no JSON")


_PLAIN: Final = json.JSONDecoder(
    object_pairs_hook=_read_object, parse_int=_read_int, parse_float=_read_plain_decimal, parse_constant=_refuse_constant
)
_WITH_EXPONENTS: Final = json.JSONDecoder(
    object_pairs_hook=_read_object, parse_int=_read_int, parse_float=_read_decimal, parse_constant=_refuse_constant
)


def _check_surrogates(value: JsonValue) -> None:
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Refused("json_invalid", reason="half of a surrogate pair") from None
    elif isinstance(value, list):
        for item in value:
            _check_surrogates(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_surrogates(key)
            _check_surrogates(item)


def require_no_null(value: object, where: str = "", depth: int = MAX_DEPTH) -> None:
    """Returns if there is no null in a decoded value: in a mandate, an order or a request, what is absent is left out.

    Raises `Refused`: claim_null (ACT-ENV-08) with the place of the first one, input_too_deep beyond MAX_DEPTH.
    """
    if value is None:
        raise Refused("claim_null", where)
    if not isinstance(value, dict | list):
        return
    if not depth:
        raise Refused("input_too_deep", where, max_depth=MAX_DEPTH)
    for name, item in value.items() if isinstance(value, dict) else enumerate(value):
        require_no_null(item, f"{where}.{name}" if where else str(name), depth - 1)


def canonicalize(value: object) -> bytes:
    """Write a `JsonValue` in its one canonical form (JCS, RFC 8785), as UTF-8.

    Names are sorted by their UTF-16 code units; a number stands as ECMAScript would print it, worked out in decimal.
    Raises `InvalidCall` for what has no such form without loss: another type (a float, a tuple, a subclass), an integer beyond
    2^53 - 1 (or a Decimal that would be written as one), a Decimal of more than 15 significant digits or outside 1e-307 ..
    1e308, a lone surrogate, nesting beyond MAX_DEPTH.
    """
    parts: list[str] = []
    _write(value, parts, MAX_DEPTH)
    try:
        return "".join(parts).encode()
    except UnicodeEncodeError:
        raise InvalidCall("call_invalid", expected="text without lone surrogates") from None


def _write(value: object, parts: list[str], depth: int) -> None:
    kind = type(value)
    if kind is str:
        parts.append(_quote(value))
    elif isinstance(value, dict) and kind is dict:
        _check_room(depth)
        separator = "{"
        for key in sorted(value, key=_name_order):
            parts += (separator, _quote(key), ":")
            _write(value[key], parts, depth - 1)
            separator = ","
        parts.append("}" if value else "{}")
    elif isinstance(value, list) and kind is list:
        _check_room(depth)
        separator = "["
        for item in value:
            parts.append(separator)
            _write(item, parts, depth - 1)
            separator = ","
        parts.append("]" if value else "[]")
    elif value is None or kind is bool:
        parts.append("null" if value is None else "true" if value else "false")
    else:
        parts.append(_format_number(value))


def _check_room(depth: int) -> None:
    if not depth:
        raise InvalidCall("call_invalid", max_depth=MAX_DEPTH)


def _quote(text: object) -> str:
    """The string as JCS writes it: the standard encoder, left to the minimum, escapes just what RFC 8785 3.2.2.2 escapes."""
    return json.dumps(text, ensure_ascii=False)


def _name_order(name: object) -> bytes:
    if type(name) is not str:
        raise InvalidCall("call_invalid", found=type(name).__name__, expected="a str as name")
    return name.encode("utf-16-be", "surrogatepass")  # lone surrogates are refused when the whole is encoded


def _format_number(value: object) -> str:
    if type(value) is int:
        if abs(value) > MAX_EXACT_INT:
            raise InvalidCall("call_invalid", expected="an integer within 2^53 - 1")
        return str(value)
    if isinstance(value, Decimal) and type(value) is Decimal:
        return _format_decimal(value)
    raise InvalidCall("call_invalid", found=type(value).__name__, expected="a value of JSON, numbers as int or Decimal")


def _format_decimal(value: Decimal) -> str:
    """ECMAScript's Number::toString: digits d1..dk and a power n so that the value is 0.d1..dk times 10^n."""
    sign, figures, power = value.as_tuple()
    if not isinstance(power, int):
        raise InvalidCall("call_invalid", expected="a finite number")
    digits = "".join(map(str, figures)).strip("0")
    if not digits:
        return "0"  # a negative zero as well
    n = value.adjusted() + 1
    if len(digits) > _MAX_EXACT_DIGITS or abs(n - 1) > _MAX_POWER:
        raise InvalidCall("call_invalid", expected="at most 15 significant digits, from 1e-307 to below 1e308")
    minus = "-" if sign else ""
    k = len(digits)
    if k <= n <= 21:
        if int(digits) * 10 ** (n - k) > MAX_EXACT_INT:  # it would be read back as an integer
            raise InvalidCall("call_invalid", expected="an integer within 2^53 - 1")
        return minus + digits + "0" * (n - k)
    if 0 < n <= 21:
        return f"{minus}{digits[:n]}.{digits[n:]}"
    if -6 < n <= 0:
        return f"{minus}0.{'0' * -n}{digits}"
    fraction = f".{digits[1:]}" if k > 1 else ""
    return f"{minus}{digits[0]}{fraction}e{n - 1:+d}"

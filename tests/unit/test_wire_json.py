"""act.wire.json and act.wire.base64url: strict on the way in, canonical on the way out."""

from __future__ import annotations

import enum
from decimal import Decimal
from typing import Any

import pytest

from act.errors import InvalidCall, Refused
from act.wire import json
from act.wire.base64url import base64url_decode, base64url_encode


def refused(data: bytes | str, **options: Any) -> str:
    with pytest.raises(Refused) as caught:
        json.decode(data, **options)
    return caught.value.code


def test_every_type_comes_back_as_itself() -> None:
    value = json.decode(b' {"a": [1, -2.50, "x", true, false, null, {}], "\xe6\xb0\xb4": "\\ud83d\\ude00"}\r\n')
    assert value == {"a": [1, Decimal("-2.50"), "x", True, False, None, {}], "\u6c34": "\U0001f600"}
    assert isinstance(value, dict)
    numbers = value["a"]
    assert isinstance(numbers, list)
    assert type(numbers[0]) is int
    assert type(numbers[1]) is Decimal


@pytest.mark.parametrize("text,value", [("200.00", "200.00"), ("0.1", "0.1"), ("1.10", "1.10"), ("-0.0", "-0.0")])
def test_a_fraction_keeps_every_digit(text: str, value: str) -> None:
    assert str(json.decode(text)) == value


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "nul", "True", "'a'", "{", "[1", '"a', "[1,]", '{"a":1,}', "{a:1}", "{1:1}", "[1 2]", "1 2", "{} {}", "[]x",
        "// c\n1", "NaN", "Infinity", "-Infinity", "[NaN]", "+1", "01", "-01", ".5", "1.", "-", "0x10", "1_000",
        "\uff11", "\u0661", "1\u0661", "1.\u0661", '"\n"', '"\t"', '"\x00"', '"\\x41"', '"\\u12"', '"\\\'"', "\ufeff1",
        "1\u00a0", "\x0c1",
        '{"a":1,"a":1}', '{"a":1,"\\u0061":2}', '[{"b":{"a":1,"a":2}}]',
        '"\\ud800"', '"\\udc00"', '"\\uDBFFx"', '["\\ude00\\ud83d"]', '{"\\ud800":1}', '{"a":{"b":["\\udfff"]}}', '"\ud800"',
        "9223372036854775808", "-9223372036854775809", "1" * 5000, "0." + "1" * 39,
        "1e2", "1E2", "1.0e-2", "[2e0]",
    ],
)  # fmt: skip
def test_what_is_not_strict_json_is_refused(text: str) -> None:
    assert refused(text) == "json_invalid"
    if not any("\ud800" <= character <= "\udfff" for character in text):
        assert refused(text.encode()) == "json_invalid"


@pytest.mark.parametrize(
    "data",
    [b"\xef\xbb\xbf1", b'"\xff"', b'"\xc0\x80"', b'"\xed\xa0\x80"', '"a"'.encode("utf-16"), '"a"'.encode("utf-16-le"), b"\xe9"],
)
def test_anything_but_plain_utf_8_is_refused(data: bytes) -> None:
    assert refused(data) == "json_invalid"


def test_integers_reach_the_ends_of_64_bits() -> None:
    assert json.decode("[9223372036854775807, -9223372036854775808]") == [(1 << 63) - 1, -(1 << 63)]


def test_exponents_only_where_they_are_asked_for() -> None:
    assert json.decode("[1e2, 25E-1]", allow_exponents=True) == [Decimal(100), Decimal("2.5")]
    for text in ("1e308", "1e-308", "1e999999999", "1e99999999999999999999", "-1e400"):
        assert refused(text, allow_exponents=True) == "json_invalid"
    assert json.decode("[9e307, 0e999999]", allow_exponents=True) == [Decimal("9e307"), 0]


def test_size_counts_bytes_before_anything_else() -> None:
    assert refused(b"\xff" * 11, max_bytes=10) == "input_too_large"
    assert refused('"\u6c34\u6c34\u6c34"', max_bytes=10) == "input_too_large"
    assert json.decode('"\u6c34\u6c34\u6c34"', max_bytes=11) == "\u6c34" * 3
    assert refused(b" " * (json.MAX_BYTES + 1)) == "input_too_large"


@pytest.mark.parametrize("opening,closing", [("[", "]"), ('{"a":', "}")])
def test_depth_ends_at_its_limit(opening: str, closing: str) -> None:
    depth = json.MAX_DEPTH
    assert json.decode(opening * depth + "1" + closing * depth)
    assert refused(opening * (depth + 1) + "1" + closing * (depth + 1)) == "input_too_deep"
    assert refused(opening * 10_000) == "input_too_deep"


def test_brackets_in_strings_and_side_by_side_are_not_depth() -> None:
    assert json.decode('["' + "[{" * 500 + '\\"[[[\\\\"]') == ["[{" * 500 + '"[[[\\']
    wide = "[" + ",".join(["[[]]", "{}"] * 200) + "]"
    assert json.decode(wide) == [[[]], {}] * 200


@pytest.mark.parametrize("data", [bytearray(b"1"), 1, None, {}, memoryview(b"1")])
def test_only_bytes_and_text_are_decoded(data: Any) -> None:
    with pytest.raises(InvalidCall):
        json.decode(data)


# --- JCS: the examples RFC 8785 publishes ---------------------------------------------------------------------------


def test_published_string_and_literals() -> None:
    value = json.decode(
        '{"numbers": [1E30, 4.50, 2e-3, 0.000000000000000000000000001],'
        ' "string": "\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/", "literals": [null, true, false]}',
        allow_exponents=True,
    )
    assert (
        json.canonicalize(value)
        == (
            '{"literals":[null,true,false],"numbers":[1e+30,4.5,0.002,1e-27],"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
        ).encode()
    )


def test_published_order_of_names() -> None:
    names = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    ordered = json.decode(json.canonicalize(names))
    assert isinstance(ordered, dict)
    assert list(ordered.values()) == [
        "Carriage Return", "One", "Control", "Latin Small Letter O With Diaeresis", "Euro Sign", "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "value,text",
    [
        ("0", "0"),
        ("-0", "0"),
        ("0E+9", "0"),
        ("9007199254740991", "9007199254740991"),  # through int: 16 digits are too many for a Decimal
        ("-9007199254740991", "-9007199254740991"),
        ("1E+15", "1000000000000000"),
        ("9007199254740E+3", "9007199254740000"),
        ("1E+21", "1e+21"),
        ("-1E+21", "-1e+21"),
        ("1E+23", "1e+23"),
        ("1.5E+300", "1.5e+300"),
        ("123456789012345", "123456789012345"),
        ("12345678901234.5", "12345678901234.5"),
        ("200.00", "200"),
        ("19.99", "19.99"),
        ("0.000001", "0.000001"),
        ("0.0000012345", "0.0000012345"),
        ("0.0000001", "1e-7"),
        ("-0.00000012345", "-1.2345e-7"),
        ("1E-307", "1e-307"),
    ],
)
def test_numbers_as_ecmascript_prints_them(value: str, text: str) -> None:
    number: int | Decimal = int(value) if value.lstrip("-").isdigit() else Decimal(value)
    assert json.canonicalize(number) == text.encode()


def test_control_characters_have_one_escape_each() -> None:
    text = "".join(map(chr, range(0x20))) + '"\\/\x7f\u2028'
    assert json.canonicalize(text).decode() == (
        '"\\u0000\\u0001\\u0002\\u0003\\u0004\\u0005\\u0006\\u0007\\b\\t\\n\\u000b\\f\\r\\u000e\\u000f'
        "\\u0010\\u0011\\u0012\\u0013\\u0014\\u0015\\u0016\\u0017\\u0018\\u0019\\u001a\\u001b\\u001c\\u001d\\u001e\\u001f"
        '\\"\\\\/\x7f\u2028"'
    )


class _Word(enum.StrEnum):
    ACT = "act"


class _Number(enum.IntEnum):
    ONE = 1


@pytest.mark.parametrize(
    "value",
    [
        1.0, (1,), {1: 1}, {None: 1}, b"x", 1 << 53, -(1 << 53), Decimal("1234567890123456"), Decimal("0.1234567890123456"),
        Decimal("1E+16"), Decimal("1E+20"), Decimal("9007199254741E+3"), Decimal("1E+308"), Decimal("1E-308"), Decimal("NaN"),
        Decimal("Infinity"), Decimal("1E+999999"), "\ud800", {"\udfff": 1}, [None, 0.5], {"a": {"b": 1.5}},
        _Word.ACT, {_Word.ACT: 1}, _Number.ONE, [_Number.ONE],
    ],
)  # fmt: skip
def test_what_has_no_exact_form_is_no_value(value: Any) -> None:
    with pytest.raises(InvalidCall):
        json.canonicalize(value)


def test_canonicalize_stops_where_decode_does() -> None:
    value: list[Any] = []
    for _ in range(json.MAX_DEPTH - 1):
        value = [value]
    assert json.decode(json.canonicalize(value)) == value
    with pytest.raises(InvalidCall):
        json.canonicalize({"a": value})
    value.append(value)
    with pytest.raises(InvalidCall):
        json.canonicalize(value)


# --- base64url -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data,text", [(b"", ""), (b"f", "Zg"), (b"fo", "Zm8"), (b"foo", "Zm9v"), (b"\xfb\xef\xff", "--__")])
def test_base64url_published_values(data: bytes, text: str) -> None:
    assert base64url_encode(data) == text
    assert base64url_decode(text) == data


@pytest.mark.parametrize(
    "text",
    [
        "Zg==", "Zm8=", "Zg=", "=", "Zh", "Zm9", "Z", "Zm9vZ", " Zg", "Zg\n", "Z g", "Z.", "++//", "Zm+v", "Zm/v", "Zm9\u00e9",
        "\uff21A", "\ud800",
    ],
)  # fmt: skip
def test_base64url_takes_one_text_only(text: str) -> None:
    with pytest.raises(Refused) as caught:
        base64url_decode(text)
    assert caught.value.code == "base64url_invalid"


@pytest.mark.parametrize("text", [b"Zg", None, 1])
def test_base64url_takes_text_only(text: Any) -> None:
    with pytest.raises(InvalidCall):
        base64url_decode(text)

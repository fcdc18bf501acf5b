"""act.wire, for any input: a value or a refusal, one text for each value, and the same value as other readers see."""

from __future__ import annotations

import json as standard_json
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from act.errors import Refused
from act.wire import cbor, json
from act.wire.base64url import base64url_decode, base64url_encode

integers = st.integers(-(1 << 63), (1 << 63) - 1)
texts = st.text(st.characters(exclude_categories=["Cs"]))
cbor_values = st.recursive(
    integers | texts | st.binary() | st.booleans(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(integers | texts, inner, max_size=5),
    max_leaves=20,
)

# Bytes that look like CBOR: random ones rarely get past the first head.
heads = st.sampled_from(bytes.fromhex("0001171820384041606162787f8081829fa0a1a2b8bfc1d2d8f4f5f6f9ff")).map(
    lambda head: bytes([head])
)
cbor_like = st.lists(heads | st.binary(min_size=1, max_size=2), max_size=30).map(b"".join)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A valid encoding with one byte changed, left out or put in."""
    data = bytearray(cbor.encode(draw(cbor_values)))
    at = draw(st.integers(0, len(data) - 1))
    byte = draw(st.integers(0, 255))
    match draw(st.sampled_from(["change", "drop", "insert"])):
        case "change":
            data[at] = byte
        case "drop":
            del data[at]
        case _:
            data.insert(at, byte)
    return bytes(data)


def attempt(call: Callable[[Any], Any], argument: object) -> tuple[Any, str]:
    """What the call returns and "", or None and the code of its refusal; any other error fails the test."""
    try:
        return call(argument), ""
    except Refused as refusal:
        return None, refusal.code


def same(left: Any, right: Any) -> bool:
    """Equal with equal types all the way down: True is not 1 here."""
    if type(left) is not type(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    return bool(left == right)


@given(st.binary(max_size=200) | cbor_like | damaged())
def test_cbor_decodes_any_bytes_to_the_value_of_these_bytes_or_refuses(data: bytes) -> None:
    value, code = attempt(cbor.decode, data)
    if code:
        assert code in {"cbor_invalid", "cbor_not_deterministic", "input_too_large", "input_too_deep", "claim_null"}
        return
    assert cbor.encode(value) == data
    assert same(cbor2.loads(data), value)


@given(cbor_values)
def test_cbor_round_trip(value: Any) -> None:
    data = cbor.encode(value)
    decoded = cbor.decode(data, max_bytes=len(data))
    assert decoded == value
    assert cbor.encode(decoded) == data
    assert same(cbor2.loads(data), decoded)


@given(st.dictionaries(integers | texts, integers, min_size=2, max_size=6).flatmap(lambda d: st.permutations(list(d.items()))))
def test_cbor_accepts_one_order_of_keys_only(entries: list[tuple[Any, int]]) -> None:
    written = bytes([0xA0 + len(entries)]) + b"".join(cbor.encode(key) + cbor.encode(value) for key, value in entries)
    if written == cbor.encode(dict(entries)):
        assert cbor.decode(written) == dict(entries)
    else:
        with pytest.raises(Refused) as caught:
            cbor.decode(written)
        assert caught.value.code == "cbor_not_deterministic"


@given(st.binary(max_size=100) | cbor_like.map(lambda tail: b"\xd2\x84" + tail))
def test_sign1_splits_any_bytes_exactly_or_refuses(data: bytes) -> None:
    parts, code = attempt(cbor.decode_sign1, data)
    if code:
        assert code in {"envelope_invalid", "header_unknown", "cbor_invalid", "cbor_not_deterministic"}
        return
    assert cbor.encode_sign1(*parts) == data


@given(st.binary(max_size=300), st.binary(max_size=300), st.binary(max_size=300))
def test_sign1_round_trip(protected: bytes, payload: bytes, signature: bytes) -> None:
    data = cbor.encode_sign1(protected, payload, signature)
    assert cbor.decode_sign1(data) == (protected, payload, signature)
    tagged = cbor2.loads(data)
    assert (tagged.tag, list(tagged.value)) == (18, [protected, {}, payload, signature])
    assert same(cbor2.loads(cbor.sig_structure(protected, payload)), ["Signature1", protected, b"", payload])


# --- JSON ------------------------------------------------------------------------------------------------------------


def _is_exact(value: Decimal) -> bool:
    """Not written out as an integer that many readers would round: those have no canonical form here."""
    return not (2**53 <= abs(value) < 10**21 and value == value.to_integral_value())


exact_decimals = st.builds(
    lambda digits, power: Decimal(digits).scaleb(power), st.integers(-(10**15) + 1, 10**15 - 1), st.integers(-300, 290)
).filter(_is_exact)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 53) + 1, (1 << 53) - 1) | exact_decimals | texts,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=20,
)
json_like = st.lists(
    st.sampled_from(
        ["{", "}", "[", "]", ",", ":", '"a"', '"b"', '"', "\\", "\\ud800", '"\\ud83d\\ude00"', "0", "-", "1", ".5", "e9", "E-3",
         "true", "null", "NaN", "Infinity", " ", "\n", "\ufeff", "\x00", "\u0661", "01"]
    ),
    max_size=20,
).map("".join)  # fmt: skip


@given(st.binary(max_size=100) | json_like.map(lambda text: text.encode()))
def test_json_decodes_any_bytes_to_what_they_say_or_refuses(data: bytes) -> None:
    value, code = attempt(partial(json.decode, allow_exponents=True), data)
    if code:
        assert code in {"json_invalid", "input_too_deep"}
        return
    assert value == standard_json.loads(data.decode(), parse_float=Decimal)
    _holds_no_float(value)


def _holds_no_float(value: Any) -> None:
    assert type(value) in {type(None), bool, int, Decimal, str, list, dict}
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        for item in value:
            _holds_no_float(item)


@given(json_values)
def test_canonical_json_round_trip(value: Any) -> None:
    data = json.canonicalize(value)
    decoded = json.decode(data, max_bytes=len(data), allow_exponents=True)
    assert decoded == value
    assert json.canonicalize(decoded) == data


@given(exact_decimals)
def test_canonical_numbers_are_the_shortest_binary64_digits(value: Decimal) -> None:
    text = json.canonicalize(value).decode()
    shortest = repr(float(value))  # Python and ECMAScript print the same digits, in another notation
    assert Decimal(text) == Decimal(shortest) == value
    assert float(text) == float(value)


# --- base64url -------------------------------------------------------------------------------------------------------


@given(st.binary())
def test_base64url_round_trip(data: bytes) -> None:
    assert base64url_decode(base64url_encode(data)) == data


@given(st.text(st.sampled_from("ABab01-_+/= \n\u00e9\u0661"), max_size=12))
def test_base64url_has_one_text_for_each_byte_string(text: str) -> None:
    data, code = attempt(base64url_decode, text)
    if code:
        assert code == "base64url_invalid"
        return
    assert base64url_encode(data) == text

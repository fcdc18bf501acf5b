"""act.wire.cbor: one form for each value, and every other form refused."""

from __future__ import annotations

import enum
from typing import Any

import pytest

from act.errors import InvalidCall, Refused
from act.wire import cbor

# RFC 8949 appendix A, the values that exist here.
PUBLISHED: list[tuple[str, Any]] = [
    ("00", 0),
    ("01", 1),
    ("0a", 10),
    ("17", 23),
    ("1818", 24),
    ("1819", 25),
    ("1864", 100),
    ("1903e8", 1000),
    ("1a000f4240", 1000000),
    ("1b000000e8d4a51000", 1000000000000),
    ("20", -1),
    ("29", -10),
    ("3863", -100),
    ("3903e7", -1000),
    ("f4", False),
    ("f5", True),
    ("40", b""),
    ("4401020304", b"\x01\x02\x03\x04"),
    ("60", ""),
    ("6161", "a"),
    ("6449455446", "IETF"),
    ("62225c", '"\\'),
    ("62c3bc", "\u00fc"),
    ("63e6b0b4", "\u6c34"),
    ("64f0908591", "\U00010151"),
    ("80", []),
    ("83010203", [1, 2, 3]),
    ("8301820203820405", [1, [2, 3], [4, 5]]),
    ("98190102030405060708090a0b0c0d0e0f101112131415161718181819", list(range(1, 26))),
    ("a0", {}),
    ("a201020304", {1: 2, 3: 4}),
    ("a26161016162820203", {"a": 1, "b": [2, 3]}),
    ("826161a161626163", ["a", {"b": "c"}]),
    ("a56161614161626142616361436164614461656145", {"a": "A", "b": "B", "c": "C", "d": "D", "e": "E"}),
]

NOT_DETERMINISTIC = {
    "integer in one byte too many": "1817",
    "integer in two bytes, one would do": "1900ff",
    "integer in four bytes, two would do": "1a0000ffff",
    "integer in eight bytes, four would do": "1b00000000ffffffff",
    "negative integer too long": "3817",
    "byte string length too long": "580101",
    "text length too long": "780161",
    "text length in two bytes, one would do": "79001861" + "61" * 23,
    "list length too long": "980101",
    "map length too long": "b8010102",
    "key too long": "a1180102",
    "text key too long": "a178016101",
    "indefinite byte string": "5f4101ff",
    "indefinite text": "7f6161ff",
    "indefinite list": "9fff",
    "indefinite map": "bfff",
    "indefinite list inside": "819f01ff",
    "keys not sorted": "a2020101" + "01",
    "text keys not sorted": "a2616201616101",
    "keys sorted by length first": "a2" + "626161" + "01" + "20" + "01",
    "a text before an integer": "a261610101" + "01",
    "a negative before a positive": "a220010101",
    "duplicate integer keys": "a201010102",
    "duplicate text keys": "a2616101616102",
    "duplicate keys inside": "81a201010102",
}

INVALID = {
    "nothing": "",
    "trailing byte": "0000",
    "trailing item after a map": "a000",
    "undefined": "f7",
    "simple value 0": "e0",
    "simple value 255": "f8ff",
    "false as a longer simple value": "f814",
    "half float": "f93c00",
    "single float": "fa47c35000",
    "double float": "fb3ff199999999999a",
    "infinity": "f97c00",
    "not a number": "f97e00",
    "break alone": "ff",
    "break in a list": "81ff",
    "break as a key": "a1ff01",
    "tag 0, date and time": "c074323031332d30332d32315432303a30343a30305a",
    "tag 1, epoch": "c11a514b67b0",
    "tag 2, big integer": "c249010000000000000000",
    "tag 3, negative big integer": "c349010000000000000000",
    "tag 4, decimal fraction": "c48221196ab3",
    "tag 24, encoded CBOR": "d818456449455446",
    "tag 25, string reference": "d81900",
    "tag 28, shared value": "d81c80",
    "tag 29, shared reference": "d81d00",
    "tag 35, regular expression": "d8236161",
    "tag 256, string reference namespace": "d9010080",
    "tag 55799, self-described": "d9d9f700",
    "tag in a list": "81c100",
    "tag as a key": "a1c10001",
    "list as a key": "a18001",
    "map as a key": "a1a001",
    "byte string as a key": "a1410101",
    "boolean as a key": "a1f501",
    "null as a key": "a1f601",
    "integer 2^63": "1b8000000000000000",
    "integer -2^63 - 1": "3b8000000000000000",
    "key 2^63": "a11b800000000000000000",
    "reserved additional information 28": "1c",
    "reserved additional information 29": "5d",
    "reserved additional information 30": "7e",
    "reserved additional information 30 of a list": "9e",
    "reserved additional information 28 of a simple value": "fc",
    "reserved additional information 28 with bytes to spare": "1c" + "ff" * 20,
    "reserved additional information 30 with bytes to spare": "7e" + "ff" * 80,
    "indefinite integer": "1f",
    "indefinite negative integer": "3f",
    "indefinite tag": "df00",
    "head cut off": "18",
    "long head cut off": "1b00000001000000",
    "byte string cut off": "4201",
    "byte string cut off in a list": "824201",
    "text cut off": "6261",
    "list cut off": "8201",
    "map cut off after a key": "a101",
    "map cut off in a text key": "a16261",
    "map cut off in a text value": "a1016261",
    "map cut off before an entry": "a20101",
    "list of 2^64 - 1": "9bffffffffffffffff",
    "byte string of 2^64 - 1": "5bffffffffffffffff",
    "text not UTF-8": "61ff",
    "text with an overlong form": "62c080",
    "text with a surrogate": "63eda080",
    "text key not UTF-8": "a161ff01",
    "text value not UTF-8": "a10161ff",
}


def refused(data: bytes, **options: int) -> str:
    with pytest.raises(Refused) as caught:
        cbor.decode(data, **options)
    return caught.value.code


@pytest.mark.parametrize("text,value", PUBLISHED)
def test_published_values_both_ways(text: str, value: Any) -> None:
    decoded = cbor.decode(bytes.fromhex(text))
    assert decoded == value
    assert type(decoded) is type(value)
    assert cbor.encode(value).hex() == text


@pytest.mark.parametrize("text", NOT_DETERMINISTIC.values(), ids=NOT_DETERMINISTIC)
def test_another_form_of_a_value_is_refused(text: str) -> None:
    assert refused(bytes.fromhex(text)) == "cbor_not_deterministic"


@pytest.mark.parametrize("text", INVALID.values(), ids=INVALID)
def test_what_is_malformed_or_of_another_type_is_refused(text: str) -> None:
    assert refused(bytes.fromhex(text)) == "cbor_invalid"


@pytest.mark.parametrize("value", [(1 << 63) - 1, -(1 << 63)])
def test_integers_reach_the_ends_of_64_bits(value: int) -> None:
    assert cbor.decode(cbor.encode(value)) == value


@pytest.mark.parametrize("size", [23, 24, 255, 256, 65_535, 65_536])
def test_lengths_at_every_change_of_head(size: int) -> None:
    for value in ("x" * size, b"x" * size, [0] * size, {"k" * size: "v" * size}):
        assert cbor.decode(cbor.encode(value), max_bytes=200_000) == value


def test_keys_sort_by_their_encoded_bytes() -> None:
    keys = [10, 100, -1, "z", "aa"]  # RFC 8949 4.2.1, its example without the types that do not exist here
    encoded = cbor.encode(dict.fromkeys(reversed(keys), True))
    decoded = cbor.decode(encoded)
    assert isinstance(decoded, dict)
    assert list(decoded) == keys


def test_size_is_judged_before_anything_else() -> None:
    assert refused(b"\xff" * (cbor.MAX_BYTES + 1)) == "input_too_large"
    assert refused(b"\x41\x00", max_bytes=1) == "input_too_large"
    assert cbor.decode(b"\x41\x00", max_bytes=2) == b"\x00"


@pytest.mark.parametrize("opening", [b"\x81", b"\xa1\x00"])
def test_depth_ends_at_its_limit(opening: bytes) -> None:
    assert cbor.decode(opening * cbor.MAX_DEPTH + b"\x00")
    assert refused(opening * (cbor.MAX_DEPTH + 1) + b"\x00") == "input_too_deep"
    assert refused(opening * 20_000) == "input_too_deep"


def test_a_map_has_a_bounded_number_of_entries() -> None:
    full = dict.fromkeys(range(cbor.MAX_MAP_ENTRIES), 0)
    assert cbor.decode(cbor.encode(full)) == full
    assert refused(b"\xb9\x04\x01" + b"\x00" * 3000) == "input_too_large"
    with pytest.raises(InvalidCall):
        cbor.encode({**full, -1: 0})


@pytest.mark.parametrize("data", [bytearray(b"\x00"), memoryview(b"\x00"), "00", None, 0])
def test_only_bytes_are_decoded(data: Any) -> None:
    with pytest.raises(InvalidCall):
        cbor.decode(data)
    with pytest.raises(InvalidCall):
        cbor.decode_sign1(data)


class _Label(enum.IntEnum):
    ISS = 1


class _Word(enum.StrEnum):
    ACT = "act"


@pytest.mark.parametrize(
    "value",
    [
        1.0, None, (1, 2), {1}, bytearray(b"x"), object(), 1 << 63, -(1 << 63) - 1, "\ud800", {"\ud800": 1}, [None],
        {True: 1}, {b"k": 1}, {None: 1}, {1.5: 1}, {(1, 2): 1}, {1: 1.5}, _Label.ISS, _Word.ACT, {_Label.ISS: 1},
    ],
)  # fmt: skip
def test_encode_takes_nothing_that_would_not_come_back(value: Any) -> None:
    with pytest.raises(InvalidCall):
        cbor.encode(value)


def test_encode_stops_where_decode_does() -> None:
    value: list[Any] = []
    for _ in range(cbor.MAX_DEPTH - 1):
        value = [value]
    assert cbor.decode(cbor.encode(value)) == value
    with pytest.raises(InvalidCall):
        cbor.encode([value])
    with pytest.raises(InvalidCall):
        cbor.encode({1: value})
    value.append(value)  # a value that contains itself ends, too
    with pytest.raises(InvalidCall):
        cbor.encode(value)


def test_refusals_say_where() -> None:
    with pytest.raises(Refused) as caught:
        cbor.decode(bytes.fromhex("8201f7"))
    assert (caught.value.where, caught.value.facts) == ("", {"offset": 2})


@pytest.mark.parametrize("text, where", [("f6", ""), ("81f6", "0"), ("a101f6", "1"), ("a16161a1208201f6", "a.-1.1")])
def test_a_null_is_a_fault_of_its_field(text: str, where: str) -> None:
    with pytest.raises(Refused) as caught:
        cbor.decode(bytes.fromhex(text))
    assert (caught.value.code, caught.value.where) == ("claim_null", where)


# --- COSE_Sign1 ------------------------------------------------------------------------------------------------------

SIGN1 = bytes.fromhex("d28443a10126a0426869581840" + "00" * 23)


def test_sign1_splits_and_joins() -> None:
    parts = cbor.decode_sign1(SIGN1)
    assert parts == (bytes.fromhex("a10126"), b"hi", b"\x40" + bytes(23))
    assert cbor.encode_sign1(*parts) == SIGN1


@pytest.mark.parametrize(
    "code,text",
    [
        ("envelope_invalid", "8443a10126a04040"),  # no tag
        ("envelope_invalid", "d18443a10126a04040"),  # COSE_Mac0
        ("envelope_invalid", "d83d8443a10126a04040"),  # a CWT tag around it
        ("envelope_invalid", "d28340a040"),  # a list of three
        ("envelope_invalid", "d28540a0404040"),  # a list of five
        ("envelope_invalid", "d2981840a04040"),  # a list of 24
        ("envelope_invalid", "d2a440a04040"),  # a map
        ("envelope_invalid", "d284a0a04040"),  # the protected header as a map
        ("envelope_invalid", "d28460a04040"),  # the protected header as a text
        ("envelope_invalid", "d28440404040"),  # no unprotected header
        ("envelope_invalid", "d28440f64040"),  # null as the unprotected header
        ("envelope_invalid", "d28440a0f640"),  # a detached payload
        ("envelope_invalid", "d28440a06040"),  # a text as the payload
        ("envelope_invalid", "d28440a04080"),  # a list as the signature
        ("header_unknown", "d28440a104414b4040"),  # a key id in the unprotected header
        ("header_unknown", "d28440b8184040"),  # many entries in it
        ("cbor_not_deterministic", "d8128440a04040"),  # tag 18 in two bytes
        ("cbor_not_deterministic", "d9001284"),  # and in three
        ("cbor_not_deterministic", "d2980440a04040"),  # a list of four in two bytes
        ("cbor_not_deterministic", "d29f40a04040ff"),  # an indefinite list
        ("cbor_not_deterministic", "d2845800a04040"),  # a longer head of the protected header
        ("cbor_not_deterministic", "d2845f4100ffa04040"),  # an indefinite protected header
        ("cbor_not_deterministic", "d28440b8004040"),  # the empty map in two bytes
        ("cbor_not_deterministic", "d28440bfff4040"),  # an indefinite empty map
        ("cbor_not_deterministic", "d28440a0580040"),  # a longer head of the payload
        ("cbor_not_deterministic", "d28440a0405800"),  # a longer head of the signature
        ("cbor_invalid", "d28440a0404000"),  # a byte after it
        ("cbor_invalid", "d28440a04041"),  # the signature cut off
    ],
)
def test_any_other_frame_is_refused(code: str, text: str) -> None:
    with pytest.raises(Refused) as caught:
        cbor.decode_sign1(bytes.fromhex(text))
    assert caught.value.code == code


def test_every_cut_of_a_sign1_is_refused() -> None:
    for size in range(len(SIGN1)):
        with pytest.raises(Refused):
            cbor.decode_sign1(SIGN1[:size])


def test_sign1_is_bounded() -> None:
    with pytest.raises(Refused) as caught:
        cbor.decode_sign1(SIGN1, max_bytes=len(SIGN1) - 1)
    assert caught.value.code == "input_too_large"
    assert cbor.decode_sign1(SIGN1, max_bytes=len(SIGN1))


@pytest.mark.parametrize("size", [0, 23, 24, 255, 256, 65_536])
def test_sig_structure_is_the_list_that_is_signed(size: int) -> None:
    protected, payload = bytes.fromhex("a10126"), b"p" * size
    assert cbor.sig_structure(protected, payload) == cbor.encode(["Signature1", protected, b"", payload])
    assert cbor.sig_structure(payload, protected) == cbor.encode(["Signature1", payload, b"", protected])

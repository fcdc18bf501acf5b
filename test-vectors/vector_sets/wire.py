"""Vectors of bytes without meaning: CBOR, strict JSON, base64url, amounts."""

from __future__ import annotations

from typing import Any

from act.wire import cbor
from vector_sets.shape import Vector, accept, diagnostic, refuse, vector_file

_CBOR_RULES = ("ACT-WIRE-02", "ACT-WIRE-03")


def _cbor_accept(name: str, why: str, value: Any, rules: tuple[str, ...] = _CBOR_RULES) -> Vector:
    return accept(f"wire-cbor/{name}", why, rules, input=cbor.encode(value), value=diagnostic(value))


def _accepted() -> list[Vector]:
    integers = (0, 23, 24, 255, 256, 65_535, 65_536, (1 << 32) - 1, 1 << 32, (1 << 63) - 1)
    vectors = [_cbor_accept(f"integer-{n}", "Each width of an integer begins where the one before ends.", n) for n in integers]
    vectors += [
        _cbor_accept(f"integer-minus-{-n}", "Negative integers have the same widths, shifted by one.", n)
        for n in (-1, -24, -25, -256, -257, -(1 << 63))
    ]
    nested: Any = []
    for _ in range(cbor.MAX_DEPTH - 1):
        nested = [nested]
    vectors += [
        _cbor_accept("true", "Booleans are values.", True),
        _cbor_accept("false", "Booleans are values.", False),
        _cbor_accept("empty-text", "A text may be empty here; what a field allows is its own rule.", ""),
        _cbor_accept("empty-bytes", "A byte string may be empty.", b""),
        _cbor_accept("empty-list", "A list may be empty.", []),
        _cbor_accept("empty-map", "A map may be empty.", {}),
        _cbor_accept("text-23", "The longest text whose length fits into its head.", "a" * 23),
        _cbor_accept("text-24", "The shortest text whose length needs one more byte.", "a" * 24),
        _cbor_accept("text-256", "The shortest text whose length needs two more bytes.", "a" * 256),
        _cbor_accept("text-utf8", "Characters of two, three and four bytes.", "\u00fc\u6c34\U0001f375"),
        _cbor_accept("text-not-normalized", "Texts are compared as they are: a decomposed letter stays decomposed.", "u\u0308"),
        _cbor_accept("bytes-24", "The shortest byte string whose length needs one more byte.", bytes(24)),
        _cbor_accept("list-24", "The shortest list whose length needs one more byte.", [0] * 24),
        _cbor_accept("map-mixed-keys", "Keys are sorted by their encoding: 10, 100, -1, \"z\", \"aa\" (RFC 8949 4.2.1).",
                     {10: 0, 100: 1, -1: 2, "z": 3, "aa": 4}),
        _cbor_accept("depth-16", "Sixteen lists inside one another are the most there may be.", nested, ("ACT-WIRE-01",)),
        _cbor_accept("map-1024", "A map of 1,024 entries is the largest there may be.", dict.fromkeys(range(1024), 0),
                     ("ACT-WIRE-01",)),
    ]  # fmt: skip
    return vectors


# id, bytes, why: not well-formed, or of a type that signed objects do not have.
_INVALID = (
    ("empty-input", "", "There is no value."),
    ("trailing-byte", "0000", "Every byte must belong to the one value: what follows could be read by another decoder."),
    ("trailing-after-map", "a000", "The same after a map."),
    ("integer-cut", "19 01", "The integer ends in its middle."),
    ("text-cut", "63 6161", "The text is shorter than its head says."),
    ("bytes-cut", "43 0000", "The byte string is shorter than its head says."),
    (
        "text-cut-beyond-64-bits",
        "82 5b7fffffffffffffff 20 40",
        "The string ends beyond what an index of 64 bits can say.",
    ),
    ("key-cut-beyond-64-bits", "a1 7bffffffffffffffff 01", "The same of a key, whose length is the greatest there is."),
    ("value-cut-beyond-64-bits", "a1 01 82 5bffffffffffffffff 01", "The same deeper inside."),
    ("list-cut", "82 00", "The list has fewer elements than its head says."),
    ("map-cut", "a1 00", "The map ends after a key."),
    (
        "list-huge",
        "9b 7fffffffffffffff",
        "The head promises more elements than there are bytes: nothing may be set aside for them.",
    ),
    ("integer-2-63", "1b 8000000000000000", "2^63 does not fit into 64 bits with a sign."),
    ("integer-2-64-minus-1", "1b ffffffffffffffff", "The largest CBOR integer becomes negative in a signed column."),
    ("integer-below-minus-2-63", "3b 8000000000000000", "-2^63 - 1 does not fit into 64 bits with a sign."),
    ("float-half", "f9 3c00", "1.0 in half precision: there are no floats in signed objects."),
    ("float-single", "fa 47c35000", "100000.0 in single precision."),
    ("float-double", "fb 4069000000000000", "200.0 in double precision: an amount is never a float."),
    ("float-nan", "f9 7e00", "NaN equals nothing, not even itself."),
    ("undefined", "f7", "There is no undefined."),
    ("simple-0", "e0", "Unassigned simple values have no meaning."),
    ("simple-255", "f8 ff", "Unassigned simple values have no meaning."),
    ("simple-false-long", "f8 14", "false in two bytes is not well-formed CBOR (RFC 8949 3.3)."),
    ("break", "ff", "A break outside of anything."),
    ("reserved-28", "1c", "Additional information 28 is reserved."),
    ("reserved-30-map", "be", "Additional information 30 is reserved."),
    ("integer-indefinite", "1f", "An integer has no indefinite length."),
    ("tag-0", "c0 74 323032362d30322d30365430393a30303a30305a", "A tagged date: tags are an open door to meaning."),
    ("tag-2-bignum", "c2 41 01", "1 as a bignum is a second way to write 1."),
    ("tag-4-decimal", "c4 82 21 194e20", "200.00 as a decimal fraction is a second way to write an amount."),
    ("tag-28-shareable", "d8 1c 80", "Shared values build graphs and loops."),
    ("tag-55799", "d9 d9f7 00", "Self-described CBOR: a prefix that many decoders skip."),
    ("utf8-lone-continuation", "61 80", "Not UTF-8."),
    ("utf8-overlong", "62 c0af", "An overlong slash passes filters that look at bytes."),
    ("utf8-surrogate", "63 eda080", "Half of a surrogate pair is no character."),
    ("utf8-beyond-unicode", "64 f4908080", "U+110000 does not exist."),
    ("key-bytes", "a1 41 00 00", "A map key is an integer or a text."),
    ("key-list", "a1 80 00", "A map key is an integer or a text."),
    ("key-boolean", "a1 f5 00", "In some languages true equals 1, and this key would hide that one."),
    ("key-null", "a1 f6 00", "A map key is an integer or a text."),
)

# id, bytes, why: well-formed, but another form of something that has one form.
_NOT_DETERMINISTIC = (
    ("integer-0-long", "18 00", "0 in two bytes."),
    ("integer-23-long", "18 17", "23 in two bytes."),
    ("integer-24-long", "19 0018", "24 in three bytes."),
    ("integer-255-long", "19 00ff", "255 in three bytes."),
    ("integer-256-long", "1a 00000100", "256 in five bytes."),
    ("integer-65536-long", "1b 0000000000010000", "65536 in nine bytes."),
    ("integer-minus-1-long", "38 00", "-1 in two bytes."),
    ("text-length-long", "78 01 61", "The length of a text in two bytes, where one does."),
    ("bytes-length-long", "58 01 00", "The length of a byte string in two bytes."),
    ("list-length-long", "98 01 00", "The length of a list in two bytes."),
    ("map-length-long", "b8 01 00 00", "The length of a map in two bytes."),
    ("text-indefinite", "7f 61 61 ff", "A text in pieces."),
    ("bytes-indefinite", "5f 41 00 ff", "A byte string in pieces."),
    ("list-indefinite", "9f 00 ff", "A list without a length."),
    ("map-indefinite", "bf 00 00 ff", "A map without a length."),
    ("key-twice", "a2 00 00 00 01", "The same key twice: the first reader takes one value, the second the other."),
    ("key-twice-text", "a2 61 61 00 61 61 01", "The same text key twice."),
    ("keys-unsorted", "a2 01 00 00 00", "Keys in another order."),
    ("keys-text-first", "a2 61 7a 00 18 64 00", "Text before integer: the order must be that of the encoded bytes."),
    ("keys-rfc7049", "a3 0a 00 20 00 18 64 00", "RFC 7049's canonical order sorts shorter keys first: -1 before 100."),
    ("key-long", "a1 18 00 00", "A key in two bytes, where one does."),
    ("inner-map-unsorted", "81 a2 01 00 00 00", "The rule holds at every depth."),
)  # fmt: skip


def cbor_file() -> dict[str, Any]:
    """wire-cbor.json."""
    vectors = _accepted()
    for code, rows in (("cbor_invalid", _INVALID), ("cbor_not_deterministic", _NOT_DETERMINISTIC)):
        vectors += [refuse(f"wire-cbor/{name}", why, code, "", input=bytes.fromhex(data)) for name, data, why in rows]
    vectors += [
        refuse("wire-cbor/null-alone", "An absent field is left out, never null.", "claim_null", "", input=b"\xf6"),
        refuse("wire-cbor/null-in-map", "Some encoders write null for what is absent: the field is named.", "claim_null",
               "a.1", input=bytes.fromhex("a1 61 61 82 00 f6")),
        refuse("wire-cbor/depth-17", "Seventeen lists inside one another: depth is bounded before a recursion limit is.",
               "input_too_deep", "", input=b"\x81" * 16 + b"\x80"),
        refuse("wire-cbor/depth-maps", "Maps count as lists do.", "input_too_deep", "", input=b"\xa1\x00" * 16 + b"\xa0"),
        refuse("wire-cbor/map-1025", "The head of a map says 1,025 entries: refused before the first is read.",
               "input_too_large", "", input=bytes.fromhex("b90401")),
    ]  # fmt: skip
    about = "One CBOR value each: accepted only in the one deterministic form, and then encoding it again gives the same bytes."
    return vector_file("wire-cbor", about, vectors)


_JSON_ACCEPTED = (
    ("object", '{"a": 1, "b": [true, false, null, "x"]}', "Plain JSON with white space."),
    ("escapes", r'"\u00fc\n\ud83c\udf75"', "Escapes, a surrogate pair among them."),
    ("decimal", "200.00", "A decimal fraction, kept as written and never as a float."),
    ("integer-2-63-minus-1", "9223372036854775807", "The largest integer of 64 bits with a sign."),
    ("depth-32", "[" * 32 + "]" * 32, "Thirty-two arrays inside one another are the most there may be."),
)
_JSON_REFUSED = (
    ("empty", "", "There is no value."),
    ("name-twice", '{"ledger": "psp-1", "ledger": "psp-2"}', "Which ledger it is depends on the reader."),
    ("name-twice-escaped", r'{"a": 1, "\u0061": 2}', "The same name, once with an escape."),
    ("name-twice-inner", '{"x": {"a": 1, "a": 1}}', "The rule holds at every depth, and for equal values."),
    ("nan", "NaN", "NaN is no JSON."),
    ("infinity", "-Infinity", "Infinity is no JSON."),
    ("exponent", "2e2", "200 in another form: an amount stands plainly."),
    ("integer-2-63", "9223372036854775808", "Beyond 64 bits with a sign."),
    ("number-41", "1." + "0" * 39, "A number of 41 characters: beyond what any number needs."),
    ("leading-zero", "0200", "Octal for some readers."),
    ("plus", "+1", "A plus sign is no JSON."),
    ("trailing-text", "{} {}", "Text after the value."),
    ("trailing-comma", "[1,]", "A trailing comma is no JSON."),
    ("comment", "{} // x", "A comment is no JSON."),
    ("single-quotes", "{'a': 1}", "Single quotes are no JSON."),
    ("control-character", '"a\tb"', "A raw control character in a text."),
    ("lone-surrogate", r'"\ud83c"', "Half of a surrogate pair."),
    ("byte-order-mark", "\ufeff{}", "A byte order mark in front."),
)


def json_file() -> dict[str, Any]:
    """wire-json.json."""
    vectors = [
        accept(f"wire-json/{name}", why, ["ACT-WIRE-01" if name == "depth-32" else "ACT-WIRE-04"], input=text.encode())
        for name, text, why in _JSON_ACCEPTED
    ]
    vectors += [refuse(f"wire-json/{name}", why, "json_invalid", "", input=text.encode()) for name, text, why in _JSON_REFUSED]
    vectors += [
        refuse("wire-json/not-utf-8", "Not UTF-8.", "json_invalid", "", input=b'"\xff"'),
        refuse("wire-json/utf-16", "Another encoding than UTF-8.", "json_invalid", "", input="{}".encode("utf-16-le")),
        refuse("wire-json/depth-33", "One array too many.", "input_too_deep", "", input=b"[" * 33 + b"]" * 33),
    ]
    about = "One JSON text each, as UTF-8 bytes: the strict form in which documents are read. Signed objects here are CBOR."
    return vector_file("wire-json", about, vectors)


_BASE64URL = (
    ("empty", "", ""),
    ("one-byte", "00", "AA"),
    ("two-bytes", "00ff", "AP8"),
    ("three-bytes", "fbefff", "--__"),
    ("32-bytes", bytes(range(32)).hex(), "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"),
)
_BASE64URL_REFUSED = (
    ("padded", "AA==", "Padding is a second way to write the same bytes."),
    ("half-padded", "AA=", "Wrong padding."),
    ("standard-alphabet", "++//", "The alphabet of base64, not of base64url."),
    ("white-space", "A A", "White space."),
    ("line-break", "AAEC\n", "A line break at the end, where a lenient reader stops."),
    ("unused-bits", "AB", "The unused bits are not zero: AA and AB would be the same byte."),
    ("unused-bits-three", "AP9", "The same for two bytes."),
    ("length-1", "A", "No bytes have a text of this length."),
    ("length-5", "AAAAA", "No bytes have a text of this length."),
    ("not-ascii", "\uff21A", "A full-width letter."),
)


def base64url_file() -> dict[str, Any]:
    """wire-base64url.json."""
    vectors = [
        accept(f"wire-base64url/{name}", "The one text of these bytes.", ["ACT-WIRE-05"], input=text.encode(), bytes=data)
        for name, data, text in _BASE64URL
    ]
    vectors += [
        refuse(f"wire-base64url/{name}", why, "base64url_invalid", "", input=text.encode())
        for name, text, why in _BASE64URL_REFUSED
    ]
    about = "One base64url text each (as UTF-8 bytes), as keys in JSON files have it: without padding, one text for each bytes."
    return vector_file("wire-base64url", about, vectors)

"""Vectors of amounts: the decimal string of signed objects and the JSON number of documents."""

from __future__ import annotations

from typing import Any

from vector_sets.shape import Vector, accept, refuse, vector_file

_ACCEPTED = (
    ("cny", "200.00", "CNY", 20_000, "Two decimals."),
    ("cny-least", "0.01", "CNY", 1, "The least amount: one minor unit."),
    ("cny-below-one", "0.50", "CNY", 50, "One zero before the point."),
    ("cny-most", "92233720368547758.07", "CNY", (1 << 63) - 1, "2^63 - 1 minor units are the most there may be."),
    ("jpy", "200", "JPY", 200, "No decimals and no point."),
    ("jpy-most", "9223372036854775807", "JPY", (1 << 63) - 1, "The most, without decimals."),
    ("kwd", "1.000", "KWD", 1_000, "Three decimals."),
    ("clf", "1.0001", "CLF", 10_001, "Four decimals."),
    ("iqd", "0.001", "IQD", 1, "Three decimals by ISO 4217; common locale data say none."),
    ("mga", "1.00", "MGA", 100, "Two decimals by ISO 4217, although the unit is a fifth."),
)
_INVALID = (
    ("digits-missing", "200", "CNY", "Yuan or fen? A unit is never guessed."),
    ("digits-one", "200.0", "CNY", "One decimal where there are two."),
    ("digits-three", "200.000", "CNY", "Three decimals where there are two."),
    ("digits-jpy", "200.00", "JPY", "Decimals where there are none: 200 yen or 20,000?"),
    ("digits-kwd", "1.00", "KWD", "Two decimals where there are three."),
    ("zero", "0.00", "CNY", "An amount is positive."),
    ("zero-jpy", "0", "JPY", "An amount is positive."),
    ("minus", "-1.00", "CNY", "A negative payment gives money to the payer."),
    ("minus-zero", "-0.00", "CNY", "There is no sign."),
    ("plus", "+1.00", "CNY", "There is no sign."),
    ("leading-zero", "01.00", "CNY", "A second way to write the same amount."),
    ("leading-zeros", "00.01", "CNY", "A second way to write the same amount."),
    ("no-whole", ".50", "CNY", "Nothing before the point."),
    ("no-fraction", "200.", "CNY", "Nothing after the point."),
    ("comma", "200,00", "CNY", "A decimal comma."),
    ("thousands", "1,000.00", "CNY", "A separator of thousands."),
    ("underscore", "1_000.00", "CNY", "Some languages read it as 1000.00."),
    ("exponent", "1e2", "JPY", "100 for many readers, nothing for others."),
    ("exponent-cny", "1.00e2", "CNY", "An exponent is no digit."),
    ("full-width", "\uff12\uff10\uff10.\uff10\uff10", "CNY", "Full-width digits are digits for Unicode, not here."),
    ("arabic-indic", "\u0662\u0660\u0660.\u0660\u0660", "CNY", "So are Arabic-Indic ones."),
    ("full-width-point", "200\uff0e00", "CNY", "A full-width point."),
    ("space-before", " 1.00", "CNY", "White space."),
    ("space-after", "1.00 ", "CNY", "White space."),
    ("line-break", "1.00\n", "CNY", "A line break that a careless pattern lets through."),
    ("nul", "1.00\x00", "CNY", "A NUL, where a C string ends."),
    ("empty", "", "CNY", "Nothing."),
    ("point", ".", "CNY", "Only a point."),
    ("hexadecimal", "0x1.00", "CNY", "Hexadecimal."),
    ("infinity", "Infinity", "JPY", "Decimal readers know infinity."),
    ("nan", "NaN", "JPY", "Decimal readers know NaN."),
    ("symbol", "\u00a5200.00", "CNY", "A currency sign."),
    ("too-large", "92233720368547758.08", "CNY", "2^63 minor units do not fit into 64 bits with a sign."),
    ("too-large-jpy", "9223372036854775808", "JPY", "The same without decimals."),
    ("too-long", "1" * 40 + ".00", "CNY", "Length is judged before anything is converted."),
)
_UNKNOWN = (
    ("xxx", "XXX", "No currency."), ("xts", "XTS", "The code for testing."), ("xau", "XAU", "Gold has no minor unit."),
    ("lower-case", "cny", "Codes are compared byte for byte."), ("numeric", "156", "The numeric code."),
    ("currency-empty", "", "No code."), ("padded", "CNY ", "White space."), ("withdrawn", "DEM", "Withdrawn."),
    ("bitcoin", "BTC", "Not in ISO 4217."),
)  # fmt: skip

_NUMBERS = (
    ("number-whole", "200", "CNY", 20_000, "JCS turns 200.00 into 200: as a number both are the same."),
    ("number-decimals", "200.00", "CNY", 20_000, "Both decimals written."),
    ("number-one-decimal", "0.5", "CNY", 50, "Fewer decimals than the currency has."),
    ("number-zeros", "200.000", "CNY", 20_000, "More decimals, all of them zero: exactly expressible."),
    ("number-15-digits", "1234567890123.45", "CNY", 123_456_789_012_345, "Fifteen digits survive every JSON reader."),
    ("number-jpy", "200", "JPY", 200, "No decimals."),
)
_NUMBERS_INVALID = (
    ("number-half-minor", "200.001", "CNY", "A tenth of a fen: never rounded."),
    ("number-half-yen", "0.5", "JPY", "Half a yen."),
    ("number-zero", "0", "CNY", "An amount is positive."),
    ("number-minus", "-1", "CNY", "An amount is positive."),
    ("number-16-digits", "12345678901234.56", "CNY", "Sixteen digits: a reader with binary64 may see another amount."),
    ("number-text", '"200.00"', "CNY", "A text where a number is asked for."),
    ("number-true", "true", "CNY", "true equals 1 in some languages."),
    ("number-null", "null", "CNY", "Nothing is no amount."),
)


def _text(value: str) -> dict[str, str]:
    return {"form": "text", "text": value}


def _number(literal: str) -> dict[str, str]:
    return {"form": "number", "json": literal}


def amounts_file() -> dict[str, Any]:
    """amounts.json."""
    vectors: list[Vector] = []
    for name, text, currency, minor, why in _ACCEPTED:
        rules = ["ACT-MON-01", "ACT-MON-02"]
        vectors.append(accept(f"amounts/{name}", why, rules, **_text(text), currency=currency, minor=minor))
    for name, text, currency, why in _INVALID:
        vectors.append(refuse(f"amounts/{name}", why, "amount_invalid", "", **_text(text), currency=currency))
    for name, currency, why in _UNKNOWN:
        vectors.append(refuse(f"amounts/{name}", why, "currency_unknown", "", **_text("1.00"), currency=currency))
    for name, literal, currency, minor, why in _NUMBERS:
        vectors.append(accept(f"amounts/{name}", why, ["ACT-MON-01"], **_number(literal), currency=currency, minor=minor))
    for name, literal, currency, why in _NUMBERS_INVALID:
        vectors.append(refuse(f"amounts/{name}", why, "amount_invalid", "", **_number(literal), currency=currency))
    about = "Amounts with their currency: as the decimal text of signed objects, and as the JSON number of documents."
    return vector_file("amounts", about, vectors)

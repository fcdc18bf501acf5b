"""act.money, for any amount and any text."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from act.errors import Refused
from act.iso4217 import EXPONENTS
from act.money import MINOR_LIMIT, Amount, format_minor

currencies = st.sampled_from(sorted(EXPONENTS))
amounts = st.builds(Amount, st.integers(1, MINOR_LIMIT - 1), currencies)
almost_amounts = st.text(st.sampled_from("0019.+-_ eE,\u0660\uff11\u00b2\n"), max_size=24)


@given(amounts)
def test_text_round_trip(amount: Amount) -> None:
    assert Amount.parse(amount.text, amount.currency) == amount
    assert Decimal(amount.text).scaleb(EXPONENTS[amount.currency]) == amount.minor


@given(st.integers(0, 10**15 - 1), currencies)
def test_number_round_trip(minor: int, currency: str) -> None:
    number = Decimal(format_minor(minor, currency))
    if minor:
        assert Amount.parse_number(number, currency) == Amount(minor, currency)
    else:
        with pytest.raises(Refused):
            Amount.parse_number(number, currency)


@given(almost_amounts | st.from_regex(r"[0-9]{1,21}(\.[0-9]{0,5})?", fullmatch=True) | st.text(), currencies)
def test_a_text_is_its_amount_or_refused(text: str, currency: str) -> None:
    digits = EXPONENTS[currency]
    grammar = r"(?:0|[1-9][0-9]*)" + (rf"\.[0-9]{{{digits}}}" if digits else "")
    valid = re.fullmatch(grammar, text) is not None and 0 < Decimal(text).scaleb(digits) < MINOR_LIMIT
    if valid:
        assert Amount.parse(text, currency).text == text
        return
    with pytest.raises(Refused) as caught:
        Amount.parse(text, currency)
    assert caught.value.code == "amount_invalid"


@given(st.integers() | st.decimals() | st.decimals(0, 10**13, allow_nan=False, places=3), currencies)
def test_a_number_is_its_exact_amount_or_refused(value: int | Decimal, currency: str) -> None:
    number = Decimal(value)
    digits = number.as_tuple().digits
    valid = number.is_finite() and number > 0 and len(digits) <= 15 and -20 < number.adjusted() < 20
    if valid:
        minor = Fraction(number) * 10 ** EXPONENTS[currency]
        valid = minor.denominator == 1 and minor < MINOR_LIMIT
    if valid:
        assert Decimal(Amount.parse_number(value, currency).text) == value
        return
    with pytest.raises(Refused) as caught:
        Amount.parse_number(value, currency)
    assert caught.value.code == "amount_invalid"


@given(st.integers(1, MINOR_LIMIT - 1), st.integers(1, MINOR_LIMIT - 1), currencies)
def test_order_is_the_order_of_minor_units(left: int, right: int, currency: str) -> None:
    first, second = Amount(left, currency), Amount(right, currency)
    assert (first < second, first <= second, first > second, first >= second, first == second) == (
        left < right, left <= right, left > right, left >= right, left == right,
    )  # fmt: skip

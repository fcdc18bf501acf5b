"""act.money: exact amounts, one text for each, and no comparison across currencies."""

from __future__ import annotations

import copy
import dataclasses
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from act.errors import InvalidCall, Refused
from act.iso4217 import EXPONENTS
from act.money import MINOR_LIMIT, Amount, exponent, format_minor

ROOT = Path(__file__).resolve().parents[2]


def test_the_table_is_what_its_generator_writes() -> None:
    generator = ROOT / "scripts" / "generate_iso4217.py"
    result = subprocess.run([sys.executable, generator, "--check"], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    "currency,digits",
    [("CNY", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("IQD", 3), ("AFN", 2), ("RSD", 2), ("LAK", 2), ("MGA", 2), ("HUF", 2)],
)
def test_exponents(currency: str, digits: int) -> None:
    assert exponent(currency) == EXPONENTS[currency] == digits


@pytest.mark.parametrize(
    "currency", ["XXX", "XAU", "XTS", "XDR", "cny", "CN", "CNYX", "", " CNY", "DEM", "\uff23NY", None, 156, ["CNY"]]
)
def test_codes_without_a_minor_unit_are_refused(currency: Any) -> None:
    calls: list[Any] = [
        lambda: exponent(currency, "order.currency"),
        lambda: Amount.parse("1.00", currency, "order.currency"),
        lambda: Amount.parse_number(1, currency, "order.currency"),
    ]
    for call in calls:
        with pytest.raises(Refused) as caught:
            call()
        assert (caught.value.code, caught.value.where) == ("currency_unknown", "order.currency")


@pytest.mark.parametrize(
    "text,currency,minor",
    [
        ("200.00", "CNY", 20_000),
        ("0.01", "CNY", 1),
        ("0.10", "CNY", 10),
        ("1.00", "CNY", 100),
        ("200", "JPY", 200),
        ("1", "JPY", 1),
        ("1.000", "KWD", 1_000),
        ("0.001", "KWD", 1),
        ("0.0001", "CLF", 1),
        ("92233720368547758.07", "CNY", MINOR_LIMIT - 1),
        ("9223372036854775807", "JPY", MINOR_LIMIT - 1),
        ("9223372036854775.807", "KWD", MINOR_LIMIT - 1),
    ],
)
def test_text_both_ways(text: str, currency: str, minor: int) -> None:
    amount = Amount.parse(text, currency)
    assert amount == Amount(minor, currency)
    assert amount.text == format_minor(minor, currency) == text
    assert str(amount) == f"{currency} {text}"


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "0", "0.00", "00.00", "-0.00", "-1.00", "+1.00", "+1", "1", "1.", "1.0", "1.000", ".00", ".01", "01.00",
        "00.10",
        "1_000.00", "1,000.00", "1 000.00", "1,00", " 1.00", "1.00 ", "1.00\n", "\t1.00", "1e2", "1.0e2", "1e+2", "1E2.00",
        "1.0.0",
        "1..00", "1.-1", "1.+1", "1. 1", "1._1", "\uff11.00", "1.\u0660\u0660", "1\uff0e00", "\u0661.00", "\u00b2.00",
        "1.0\u00b2",
        "NaN", "inf", "Infinity", "0x1.00", "92233720368547758.08", "99999999999999999999.00", "9" * 5_000 + ".00", "--1.00",
        "\ud800.00",
        "\x001.00", "1.00\x00", None, 1, 1.0, True, b"1.00", Decimal("1.00"), ["1.00"],
    ],
)  # fmt: skip
def test_any_other_text_is_refused(text: Any) -> None:
    with pytest.raises(Refused) as caught:
        Amount.parse(text, "CNY", "request.amount")
    assert (caught.value.code, caught.value.where) == ("amount_invalid", "request.amount")


@pytest.mark.parametrize(
    "text,currency",
    [
        ("200.00", "JPY"), ("200.", "JPY"), ("0", "JPY"), ("00", "JPY"), ("01", "JPY"), ("-1", "JPY"), ("9223372036854775808",
        "JPY"),
        ("1.00", "KWD"), ("1", "KWD"), ("0.000", "KWD"), ("9223372036854775.808", "KWD"), ("1.00", "CLF"), ("1.000", "CLF"),
    ],
)  # fmt: skip
def test_digits_of_another_currency_are_refused(text: str, currency: str) -> None:
    with pytest.raises(Refused) as caught:
        Amount.parse(text, currency)
    assert caught.value.code == "amount_invalid"


@pytest.mark.parametrize(
    "value,currency,minor",
    [
        (200, "CNY", 20_000),
        (Decimal("200"), "CNY", 20_000),
        (Decimal("200.0"), "CNY", 20_000),
        (Decimal("200.00"), "CNY", 20_000),
        (Decimal("200.000"), "CNY", 20_000),
        (Decimal("0.01"), "CNY", 1),
        (Decimal("19.99"), "CNY", 1_999),
        (200, "JPY", 200),
        (Decimal("200.0"), "JPY", 200),
        (Decimal("0.001"), "KWD", 1),
        (999_999_999_999_999, "CNY", 99_999_999_999_999_900),
        (922_337_203_685_477, "CLF", 9_223_372_036_854_770_000),
    ],
)
def test_numbers_are_read_exactly(value: int | Decimal, currency: str, minor: int) -> None:
    assert Amount.parse_number(value, currency) == Amount(minor, currency)


@pytest.mark.parametrize(
    "value,currency",
    [
        (0, "CNY"), (-1, "CNY"), (Decimal("0.00"), "CNY"), (Decimal("-0.0"), "CNY"), (Decimal("-1"), "CNY"), (Decimal("0.001"),
        "CNY"),
        (Decimal("1.005"), "CNY"), (Decimal("200.5"), "JPY"), (Decimal("1.00005"), "CLF"), (1_000_000_000_000_000, "CNY"),
        (Decimal("10000000000000.00"), "CNY"), (999_999_999_999_999, "CLF"), (10**30, "JPY"), (Decimal("1E+15"), "CLF"),
        (Decimal("1E+999999999999999999"), "CNY"), (Decimal("1E-999999999999999999"), "CNY"),
        (Decimal("NaN"), "CNY"), (Decimal("sNaN"), "CNY"),
        (Decimal("Infinity"), "CNY"), (True, "CNY"), (False, "CNY"), ("200.00", "CNY"), (None, "CNY"), ([1], "CNY"),
    ],
)  # fmt: skip
def test_numbers_that_are_no_amount_are_refused(value: Any, currency: str) -> None:
    with pytest.raises(Refused) as caught:
        Amount.parse_number(value, currency, "amount")
    assert (caught.value.code, caught.value.where) == ("amount_invalid", "amount")


def test_a_float_is_the_callers_mistake() -> None:
    with pytest.raises(InvalidCall):
        Amount.parse_number(19.99, "CNY")


@pytest.mark.parametrize(
    "minor,currency,text", [(0, "CNY", "0.00"), (0, "JPY", "0"), (5, "KWD", "0.005"), (123_456, "CNY", "1234.56")]
)
def test_what_is_left_may_be_nothing(minor: int, currency: str, text: str) -> None:
    assert format_minor(minor, currency) == text


@pytest.mark.parametrize("minor", [-1, True, 1.0, "1", Decimal(1), None])
def test_only_whole_minor_units_are_shown(minor: Any) -> None:
    with pytest.raises(InvalidCall):
        format_minor(minor, "CNY")


@pytest.mark.parametrize(
    "minor,currency",
    [
        (0, "CNY"),
        (-1, "CNY"),
        (MINOR_LIMIT, "CNY"),
        (True, "CNY"),
        (1.0, "CNY"),
        ("1", "CNY"),
        (1, "XXX"),
        (1, "cny"),
        (1, None),
        (1, []),
    ],
)
def test_no_other_amount_can_be_made(minor: Any, currency: Any) -> None:
    with pytest.raises(InvalidCall):
        Amount(minor, currency)


def test_order_within_one_currency() -> None:
    small, large = Amount(1, "CNY"), Amount(2, "CNY")
    assert small < large
    assert small <= large
    assert small <= Amount(1, "CNY")
    assert large > small
    assert large >= small
    assert not large < small
    assert not small >= large
    assert max(small, large) is large


def test_no_order_across_currencies() -> None:
    yuan, yen = Amount(1, "CNY"), Amount(2, "JPY")
    comparisons: list[Any] = [lambda: yuan < yen, lambda: yuan <= yen, lambda: yuan > yen, lambda: yuan >= yen]
    for compare in comparisons:
        with pytest.raises(Refused) as caught:
            compare()
        assert caught.value.code == "currency_mismatch"
        assert caught.value.facts == {"expected": "CNY", "found": "JPY"}
    assert yuan != Amount(1, "JPY")


def test_an_amount_is_not_a_number() -> None:
    amount: Any = Amount(1, "CNY")
    assert amount != 1
    comparisons: list[Any] = [lambda: amount < 1, lambda: amount <= 1, lambda: amount > 1, lambda: amount >= 1]
    for compare in comparisons:
        with pytest.raises(TypeError):
            compare()


def test_an_amount_is_a_value() -> None:
    amount = Amount.parse("1.00", "CNY")
    with pytest.raises(dataclasses.FrozenInstanceError):
        amount.minor = 2  # type: ignore[misc]  # that it cannot be assigned is the point
    assert {amount, Amount(100, "CNY")} == {amount}
    assert copy.deepcopy(amount) == amount

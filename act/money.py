"""Amounts of money: whole minor units and a currency, exact from the wire to the ledger.

There is no float in here, no rounding and no conversion. How many decimals a currency has is read from the pinned table in
`act.iso4217`, never guessed from the text.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Self

from act.errors import InvalidCall, Refused
from act.iso4217 import EXPONENTS

__all__ = ["MINOR_LIMIT", "Amount", "exponent", "format_minor"]

MINOR_LIMIT: Final = 1 << 63
"""Minor units stay below this: what a signed 64-bit column holds."""

_MAX_DIGITS: Final = 19  # 2^63 has 19 decimal digits; more cannot fit, and nothing longer is converted

_MAX_NUMBER_DIGITS: Final = 15  # what every JSON reader carries exactly, those that read numbers as binary64 included


def exponent(currency: object, where: str = "") -> int:
    """How many decimals the currency's minor unit has: 2 for CNY, 0 for JPY, 3 for KWD, 4 for CLF.

    Raises `Refused`: `currency_unknown` (ACT-MON-02) when it is not an ISO 4217 code, in capitals, with a minor unit.
    """
    if type(currency) is not str or (digits := EXPONENTS.get(currency)) is None:
        raise Refused("currency_unknown", where)
    return digits


def format_minor(minor: int, currency: str) -> str:
    """Write minor units as a decimal with exactly the currency's digits: 20000 CNY is "200.00", 0 CNY is "0.00".

    For amounts shown or signed, zero included (what a budget has left). Raises `Refused`: `currency_unknown` (ACT-MON-02), and
    `InvalidCall` for a negative number or another type than int.
    """
    digits = exponent(currency)
    if type(minor) is not int or minor < 0:
        raise InvalidCall("call_invalid", "minor", expected="an int of at least 0")
    if not digits:
        return str(minor)
    text = str(minor).rjust(digits + 1, "0")
    return f"{text[:-digits]}.{text[-digits:]}"


_MAX_PARSED: Final = 4_096
_parsed: dict[tuple[str, str], Amount] = {}
"""Amounts by their text and currency: few are different, and a credential, its order and its request repeat them."""


@dataclass(frozen=True, slots=True)
class Amount:
    """A positive amount: `minor` in the currency's minor units, 0 < minor < 2^63, and an ISO 4217 code.

    Equal when both fields are equal. Order exists only within one currency: comparing across raises `Refused`
    `currency_mismatch` (ACT-CON-02). Making one with other values raises `InvalidCall`; what arrives goes through `parse` or
    `parse_number`.
    """

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int or not 0 < self.minor < MINOR_LIMIT:
            raise InvalidCall("call_invalid", "minor", expected="an int above 0 and below 2^63")
        if type(self.currency) is not str or self.currency not in EXPONENTS:
            raise InvalidCall("call_invalid", "currency", expected="an ISO 4217 code with a minor unit")

    @classmethod
    def parse(cls, text: object, currency: object, where: str = "") -> Self:
        """Read the decimal string of COSE objects: ASCII digits, no sign, no leading zero, exactly the currency's decimals.

        "200.00" for CNY, "200" for JPY, "1.000" for KWD. Values come as decoded: another type than `str` is refused as well.
        Raises `Refused` at `where`: `currency_unknown` (ACT-MON-02), else `amount_invalid` (ACT-MON-01).
        """
        if type(currency) is str and type(text) is str and (known := _parsed.get((text, currency))) is not None:
            return known  # type: ignore[return-value]  # no class derives from this one
        if type(currency) is not str or (digits := EXPONENTS.get(currency)) is None:
            raise Refused("currency_unknown", where)
        if type(text) is not str:
            raise Refused("amount_invalid", where)
        whole, figures = text, text
        if digits:
            whole = text[: -digits - 1]
            figures = whole + text[-digits:]
            if text[-digits - 1 : -digits] != ".":
                raise Refused("amount_invalid", where)
        if not (figures.isascii() and figures.isdigit()) or not whole or len(figures) > _MAX_DIGITS:
            raise Refused("amount_invalid", where)
        minor = int(figures)
        if (whole[0] == "0" and whole != "0") or not 0 < minor < MINOR_LIMIT:
            raise Refused("amount_invalid", where)
        amount = object.__new__(cls)  # everything `__post_init__` asks has been checked on the way
        object.__setattr__(amount, "minor", minor)
        object.__setattr__(amount, "currency", currency)
        if len(_parsed) >= _MAX_PARSED:
            _parsed.clear()
        _parsed[text, currency] = amount
        return amount

    @classmethod
    def parse_number(cls, value: object, currency: object, where: str = "") -> Self:
        """Read the JSON number of VC-JWT objects, as `act.wire.json` decodes it: an int or a Decimal.

        It must be positive, have at most 15 digits as written and be a whole number of minor units: 200, 200.0 and 200.00 are
        the same CNY, 200.001 is none. The value is never rounded; a boolean or a text is not a number.
        Raises `Refused` at `where`: `currency_unknown` (ACT-MON-02), else `amount_invalid` (ACT-MON-01). Raises `InvalidCall`
        for a float: it no longer is what was signed.
        """
        digits = exponent(currency, where)
        if isinstance(value, float):
            raise InvalidCall("call_invalid", where, expected="an int or a Decimal, never a float")
        if type(value) is int:
            value = Decimal(value)
        if type(value) is not Decimal:
            raise Refused("amount_invalid", where)
        sign, figures, power = value.as_tuple()
        if sign or type(power) is not int or len(figures) > _MAX_NUMBER_DIGITS:  # the power of an infinity or NaN is a letter
            raise Refused("amount_invalid", where)
        shift = power + digits
        if not -_MAX_NUMBER_DIGITS <= shift <= _MAX_DIGITS:  # an extreme power of ten is no amount, and is not worked out
            raise Refused("amount_invalid", where)
        minor, rest = int("".join(map(str, figures))), 0
        if shift < 0:
            minor, rest = divmod(minor, 10**-shift)
        else:
            minor *= 10**shift
        if rest or not 0 < minor < MINOR_LIMIT:
            raise Refused("amount_invalid", where)
        return cls(minor, str(currency))

    @property
    def text(self) -> str:
        """The decimal string with exactly the currency's digits, as `parse` reads it."""
        return format_minor(self.minor, self.currency)

    def __str__(self) -> str:
        return f"{self.currency} {self.text}"

    def _comparable(self, other: Amount) -> int:
        if other.currency != self.currency:
            raise Refused("currency_mismatch", expected=self.currency, found=other.currency)
        return other.minor

    def __lt__(self, other: object) -> bool:
        return self.minor < self._comparable(other) if isinstance(other, Amount) else NotImplemented

    def __le__(self, other: object) -> bool:
        return self.minor <= self._comparable(other) if isinstance(other, Amount) else NotImplemented

    def __gt__(self, other: object) -> bool:
        return self.minor > self._comparable(other) if isinstance(other, Amount) else NotImplemented

    def __ge__(self, other: object) -> bool:
        return self.minor >= self._comparable(other) if isinstance(other, Amount) else NotImplemented

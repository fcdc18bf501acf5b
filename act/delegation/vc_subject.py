"""The fields of an ACT payload that JSON writes otherwise than the neutral claims do: one table, read in both directions.

ACT asks for JSON numbers where COSE has decimal texts, for ISO 8601 where it has seconds, and base64url stands for digests.
What is not in the table is the same in both. Fields of blocks that this version does not know are left to who refuses them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from act.calendar import iso, parse_iso
from act.envelope.forms import DIGEST
from act.errors import Refused
from act.iso4217 import EXPONENTS
from act.money import Amount
from act.wire import json

__all__ = ["read_instant_text", "read_subject", "write_subject"]

# The minor units of an amount stay within what every JSON reader carries exactly (RFC 7493), so receipts' counters do.
_WHOLE_LIMITS: Final = {digits: min(10**15, json.MAX_EXACT_INT // 10**digits) for digits in set(EXPONENTS.values())}
_FRACTIONS: Final = {digits: "." + "0" * digits if digits else "" for digits in set(EXPONENTS.values())}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ISO_LENGTH: Final = 20
_ISO_MARKS, _ISO_MARKED = slice(4, None, 3), "--T::Z"  # what stands between the digits, every third character
_MAX_PERCENT_DECIMALS: Final = 2
_MAX_PERCENT_DIGITS: Final = 15


@dataclass(frozen=True, slots=True)
class _Codec:
    """How one kind of field is read from JSON, given the payload's currency, and written to it."""

    read: Callable[[Any, Any], Any]
    write: Callable[[Any], Any]


def _read_amount(value: Any, currency: Any) -> Any:
    digits = EXPONENTS.get(currency) if type(currency) is str else None
    if digits is None:
        return value  # the currency is refused first, whatever the amount is
    if type(value) is int and 0 < value < _WHOLE_LIMITS[digits]:
        return f"{value}{_FRACTIONS[digits]}"
    amount = Amount.parse_number(value, currency)
    if amount.minor > json.MAX_EXACT_INT:
        raise Refused("amount_invalid")
    return amount.text


def _write_amount(value: Any) -> Any:
    return Decimal(value)


def read_instant_text(value: Any) -> int:
    """Seconds since 1970 from ACT's ISO 8601 text: `parse_iso`, with the standard reader for what has the right shape."""
    if type(value) is not str:
        raise Refused("claim_invalid", expected="YYYY-MM-DDThh:mm:ssZ")
    if len(value) == _ISO_LENGTH and value[_ISO_MARKS] == _ISO_MARKED:
        try:
            elapsed = datetime.fromisoformat(value) - _EPOCH
        except ValueError:
            return parse_iso(value)
        if elapsed.days >= 0:
            return elapsed.days * 86_400 + elapsed.seconds
    return parse_iso(value)


def _read_instant(value: Any, currency: Any) -> int:
    return read_instant_text(value)


def _read_percent(value: Any, currency: Any) -> str:
    """A number of at most two decimals, as the text that has no more digits than it needs."""
    number = Decimal(value) if type(value) is int else value
    if type(number) is not Decimal or len(number.as_tuple().digits) > _MAX_PERCENT_DIGITS:
        raise Refused("claim_invalid", expected="a number")
    if number.adjusted() > _MAX_PERCENT_DIGITS:  # a power of ten is not written out
        raise Refused("claim_invalid", expected="a number")
    text = f"{number:f}"
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0")
    if len(fraction) > _MAX_PERCENT_DECIMALS:
        raise Refused("claim_invalid", expected=f"a number of at most {_MAX_PERCENT_DECIMALS} decimals")
    return f"{whole}.{fraction}" if fraction else whole


_AMOUNT: Final = _Codec(_read_amount, _write_amount)
_INSTANT: Final = _Codec(_read_instant, iso)
_PERCENT: Final = _Codec(_read_percent, _write_amount)
_DIGEST: Final = _Codec(lambda value, currency: DIGEST.read(value), DIGEST.write)

_Table = Mapping[str, "_Codec | _Table | tuple[_Table]"]

_SUBJECT: Final[_Table] = {
    "max_total_amount": _AMOUNT,
    "user_confirmation_timestamp": _INSTANT,
    "source_isr_digest": _DIGEST,
    "supersedes": _DIGEST,
    "conversation_history": {"user_intent_raw_digest": _DIGEST, "user_intent_raw": ({"create_time": _INSTANT},)},
    "ext": {
        "commerce": {"max_single_amount": _AMOUNT, "min_single_amount": _AMOUNT},
        "quota": {"periods": ({"max_amount": _AMOUNT},)},
        "items": ({"max_unit_amount": _AMOUNT, "confirmed_unit_amount": _AMOUNT},),
        "step_up": {"above_amount": _AMOUNT},
        "status": {"max_staleness": ({"above_amount": _AMOUNT},)},
        "agent_behavior": {"price_deviation_tolerance": _PERCENT},
        "fulfillment": {"delivery_address": _DIGEST},
    },
}
"""Field -> codec; a map is a block, a tuple of one map a list of such blocks. A value of another shape is left as it is, and
refused by its own reader."""


def read_subject(subject: Mapping[str, Any], without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """A payload's fields in their neutral form, as a new map that leaves out `without`.

    Raises `Refused` with places from the payload on.
    """
    return _read(subject, _SUBJECT, subject.get("currency"), without)


def _read(fields: Mapping[str, Any], table: _Table, currency: Any, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, raw in fields.items():
        codec = table.get(name)
        if codec is None:
            if name not in without:
                result[name] = raw
            continue
        try:
            if type(codec) is _Codec:
                result[name] = codec.read(raw, currency)
            elif type(codec) is tuple:
                result[name] = _read_list(raw, codec[0], currency) if type(raw) is list else raw
            else:
                result[name] = _read(raw, codec, currency) if type(raw) is dict else raw  # type: ignore[arg-type]  # a table
        except Refused as refusal:
            raise refusal.within(name) from None
    return result


def _read_list(values: list[Any], table: _Table, currency: Any) -> list[Any]:
    result = []
    for place, value in enumerate(values):
        try:
            result.append(_read(value, table, currency) if type(value) is dict else value)
        except Refused as refusal:
            raise refusal.within(str(place)) from None
    return result


def write_subject(body: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that `read_subject` takes back. Raises `InvalidCall` for values that no JSON carries."""
    return _write(body, _SUBJECT)


def _write(fields: Mapping[str, Any], table: _Table) -> dict[str, Any]:
    result = dict(fields)
    for name, value in fields.items():
        codec = table.get(name)
        if isinstance(codec, _Codec):
            result[name] = codec.write(value)
        elif isinstance(codec, tuple):
            if isinstance(value, list):
                result[name] = [_write(each, codec[0]) if isinstance(each, dict) else each for each in value]
        elif codec is not None and isinstance(value, dict):
            result[name] = _write(value, codec)
    return result

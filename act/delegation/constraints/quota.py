"""Constraints on how often and how much per period: `ext.quota`. The names are those of Alipay's API where it has one.

A calendar period starts anew at a local date in a named zone; two of its caps can meet around a boundary. A sliding one has no
boundary: it holds at every instant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

from act.calendar import MAX_PERIOD_COUNT, Period, PeriodUnit, read_date, read_zone, window_at
from act.delegation.constraints.base import Enforcer, Language, widened
from act.delegation.constraints.quota_words import describe_period
from act.delegation.constraints.repeated import Repeated
from act.delegation.limits import UNUSED, Limit, Unit, judge
from act.delegation.purchase import Purchase
from act.envelope.claims import Fields, Reader, read_fields, read_raw
from act.errors import Refused
from act.money import Amount
from act.values import immutable

__all__ = ["MAX_PERIODS", "MAX_SLIDING_SECONDS", "MAX_TIMES", "Periods", "Quota", "RefundRestores", "TimesLimit"]

MAX_PERIODS: Final = 8
"""Most periods in one mandate: each is judged and written in every reservation."""

MAX_SLIDING_SECONDS: Final = 366 * 86_400
"""Longest sliding window: a leap year."""

MAX_TIMES: Final = 1_000_000_000
"""Highest count of payments: whoever needs more needs no count."""


def _whole(most: int) -> Reader:
    def read(value: Any) -> int:
        if type(value) is not int or not 1 <= value <= most:
            raise Refused("claim_invalid", expected=f"a whole number from 1 to {most}")
        return value

    return read


_read_times: Final = _whole(MAX_TIMES)


@dataclass(frozen=True, slots=True)
class TimesLimit:
    """`ext.quota.times_limit`: how many payments there may be in all. A voided one does not count."""

    path: ClassVar[str] = "ext.quota.times_limit"
    rule: ClassVar[str] = "ACT-CON-16"
    enforced_by: ClassVar[Enforcer] = Enforcer.LEDGER
    times: int

    @classmethod
    def read(cls, value: Any, currency: str) -> Self:
        """From a whole number, at least 1."""
        return cls(_read_times(value))

    def encode(self) -> Any:
        """The number."""
        return self.times

    def permits(self, purchase: Purchase) -> None:
        """One payment always fits into an unused count; the ledger judges the rest (ACT-CON-16)."""

    def limits(self, at: int) -> tuple[Limit, ...]:
        """The count."""
        return (Limit(self.path, self.times, "times_limit_exceeded", Unit.TIMES),)

    def narrows(self, parent: Self) -> None:
        """Not more often than the parent's."""
        if self.times > parent.times:
            raise widened(self, link=self.times, parent=parent.times)

    def describe(self, language: Language = "en") -> str:
        """How often."""
        if language == "zh":
            return f"最多支付 {self.times} 次"
        return f"at most {self.times} payment{'' if self.times == 1 else 's'} in total"


@dataclass(frozen=True, slots=True)
class RefundRestores(Repeated):
    """`ext.quota.refund_restores`: whether a refund gives back what the payment took of the limits. It binds the ledger."""

    path: ClassVar[str] = "ext.quota.refund_restores"
    enforced_by: ClassVar[Enforcer] = Enforcer.LEDGER
    restores: bool

    @classmethod
    def read(cls, value: Any, currency: str) -> Self:
        """From true or false."""
        if type(value) is not bool:
            raise Refused("claim_invalid", expected="true or false")
        return cls(value)

    def encode(self) -> Any:
        """True or false."""
        return self.restores

    def describe(self, language: Language = "en") -> str:
        """What a refund does."""
        if language == "zh":
            return "退款后恢复可用额度和次数" if self.restores else "退款后不恢复可用额度和次数"
        return "a refund can be spent again" if self.restores else "a refund cannot be spent again"


@immutable
class Quota:
    """One entry of `periods`: at most `max_amount` and at most `times` payments in each calendar `period`, or in any
    `sliding_seconds`. One of the two windows and at least one of the two caps are there."""

    period: Period | None
    sliding_seconds: int | None
    max_amount: Amount | None
    times: int | None

    def has_window_within(self, parent: Quota) -> bool:
        """Whether whatever the parent's window counts, this one counts as well: the same calendar period, or a sliding window
        at least as long."""
        if self.sliding_seconds is None or parent.sliding_seconds is None:
            return self.period == parent.period
        return self.sliding_seconds >= parent.sliding_seconds


_CALENDAR: Final = ("period_unit", "period_count", "time_zone", "anchor")


_UNITS: Final = {unit.value: unit for unit in PeriodUnit}


def _read_unit(value: Any) -> PeriodUnit:
    unit = _UNITS.get(value) if type(value) is str else None
    if unit is None:
        raise Refused("claim_invalid", expected=" or ".join(PeriodUnit))
    return unit


_PERIOD: Final = Fields(
    {},
    {
        "period_unit": _read_unit,
        "period_count": _whole(MAX_PERIOD_COUNT),
        "time_zone": read_zone,
        "anchor": read_date,
        "sliding_seconds": _whole(MAX_SLIDING_SECONDS),
        "max_amount": read_raw,
        "period_times": _read_times,
    },
)


def _read_quota(raw: Any, currency: str) -> Quota:
    fields = read_fields(_PERIOD, raw, "")
    sliding_seconds, period = fields.get("sliding_seconds"), None
    if sliding_seconds is None:
        try:
            period = Period(fields["period_unit"], fields["period_count"], fields["anchor"], fields["time_zone"])
        except KeyError:
            raise Refused("claim_missing", next(name for name in _CALENDAR if name not in fields)) from None
    elif not fields.keys().isdisjoint(_CALENDAR):
        stated = next(name for name in _CALENDAR if name in fields)
        raise Refused("claim_invalid", stated, expected="either a calendar period or sliding_seconds")
    amount, times = fields.get("max_amount"), fields.get("period_times")
    if amount is not None:
        amount = Amount.parse(amount, currency, "max_amount")
    elif times is None:
        raise Refused("claim_missing", "max_amount", reason="a period has max_amount, period_times or both")
    return Quota(period, sliding_seconds, amount, times)


@immutable
class Periods:
    """`ext.quota.periods`: caps that count anew with each calendar period, or over the last seconds. All of them hold."""

    path: ClassVar[str] = "ext.quota.periods"
    rule: ClassVar[str] = "ACT-CON-17"
    enforced_by: ClassVar[Enforcer] = Enforcer.LEDGER
    quotas: tuple[Quota, ...]

    @classmethod
    def read(cls, value: Any, currency: str) -> Self:
        """From a list of 1 to `MAX_PERIODS` maps; amounts as decimal strings in the mandate's currency.

        Raises `Refused`: claim_missing for a zone, an anchor or a count that is not there, time_zone_unknown, claim_invalid.
        """
        if type(value) is not list or not 0 < len(value) <= MAX_PERIODS:
            raise Refused("claim_invalid", expected=f"a list of 1 to {MAX_PERIODS} periods")
        quotas = []
        for index, raw in enumerate(value):
            try:
                quotas.append(_read_quota(raw, currency))
            except Refused as refusal:
                raise refusal.within(str(index)) from None
        return cls(tuple(quotas))

    def encode(self) -> Any:
        """The list of maps."""
        return [_encoded(quota) for quota in self.quotas]

    @property
    def counted(self) -> int:
        """How many limits there are, at whatever instant."""
        return sum([(quota.max_amount is not None) + (quota.times is not None) for quota in self.quotas])

    @property
    def uses_calendar(self) -> bool:
        """Whether a zone of the database decides anything here."""
        return any(quota.period is not None for quota in self.quotas)

    def permits(self, purchase: Purchase) -> None:
        """Rule ACT-CON-17 for periods in which nothing was spent: what even these refuse needs no ledger."""
        for index, quota in enumerate(self.quotas):
            cap = quota.max_amount
            if cap is None:
                continue
            if purchase.amount.currency != cap.currency:
                asked = purchase.amount.currency
                raise Refused("currency_mismatch", "mandate.currency", mandate=cap.currency, payment=asked)
            if purchase.amount.minor > cap.minor:
                judge(_limit(index, "max_amount", cap.minor, quota, purchase.at), UNUSED, purchase.amount.minor)

    def limits(self, at: int) -> tuple[Limit, ...]:
        """Every cap with the window that the instant falls into: amounts first, then counts, as refusals rank."""
        amounts, times = [], []
        for index, quota in enumerate(self.quotas):
            if quota.max_amount is not None:
                amounts.append(_limit(index, "max_amount", quota.max_amount.minor, quota, at))
            if quota.times is not None:
                times.append(_limit(index, "period_times", quota.times, quota, at))
        return (*amounts, *times)

    def narrows(self, parent: Self) -> None:
        """For each cap of the parent a cap that is not above it, in the same window or a longer sliding one.

        Then every payment that is counted in the parent's window is counted in the child's, whatever happened before.
        """
        for index, held in enumerate(parent.quotas):
            inside = [quota for quota in self.quotas if quota.has_window_within(held)]
            amount, times = held.max_amount, held.times
            if amount is not None and not any(
                quota.max_amount is not None
                and quota.max_amount.currency == amount.currency
                and quota.max_amount.minor <= amount.minor
                for quota in inside
            ):
                raise widened(self, parent=f"{index}.max_amount")
            if times is not None and not any(quota.times is not None and quota.times <= times for quota in inside):
                raise widened(self, parent=f"{index}.period_times")

    def describe(self, language: Language = "en") -> str:
        """Every period in words."""
        parts = [
            describe_period(each.period, each.sliding_seconds, each.max_amount, each.times, language) for each in self.quotas
        ]
        return ("；" if language == "zh" else "; ").join(parts)


def _encoded(quota: Quota) -> dict[str, Any]:
    period = quota.period
    if period is None:
        encoded: dict[str, Any] = {"sliding_seconds": quota.sliding_seconds}
    else:
        encoded = {
            "period_unit": period.unit.value,
            "period_count": period.count,
            "time_zone": period.time_zone,
            "anchor": period.anchor.isoformat(),
        }
    if quota.max_amount is not None:
        encoded["max_amount"] = quota.max_amount.text
    if quota.times is not None:
        encoded["period_times"] = quota.times
    return encoded


_COUNTED: Final = {
    "max_amount": ("period_amount_exceeded", Unit.AMOUNT),
    "period_times": ("period_times_exceeded", Unit.TIMES),
}


def _limit(index: int, field: str, cap: int, quota: Quota, at: int) -> Limit:
    """One cap as it counts at an instant. Its name is the path, and the window's mark or the seconds of a sliding one."""
    code, unit = _COUNTED[field]
    name = f"{Periods.path}.{index}.{field}"
    if quota.period is not None:
        window = window_at(quota.period, at)
        return Limit(f"{name}@{window.mark}", cap, code, unit, window)
    seconds = quota.sliding_seconds or 0
    return Limit(f"{name}~{seconds}", cap, code, unit, None, seconds, at - seconds)

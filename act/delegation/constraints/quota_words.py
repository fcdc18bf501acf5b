"""A period in plain words, English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from act.calendar import Period, PeriodUnit
from act.delegation.constraints.base import Language
from act.money import Amount

__all__ = ["describe_period"]

_EN: Final[Mapping[PeriodUnit, str]] = {
    PeriodUnit.DAY: "day",
    PeriodUnit.WEEK: "week",
    PeriodUnit.MONTH: "month",
    PeriodUnit.QUARTER: "quarter",
    PeriodUnit.HALF_YEAR: "half-year",
    PeriodUnit.YEAR: "year",
}
_ZH_ONE: Final[Mapping[PeriodUnit, str]] = {
    PeriodUnit.DAY: "每天",
    PeriodUnit.WEEK: "每周",
    PeriodUnit.MONTH: "每月",
    PeriodUnit.QUARTER: "每季度",
    PeriodUnit.HALF_YEAR: "每半年",
    PeriodUnit.YEAR: "每年",
}
_ZH_SEVERAL: Final[Mapping[PeriodUnit, str]] = {
    PeriodUnit.DAY: "天",
    PeriodUnit.WEEK: "周",
    PeriodUnit.MONTH: "个月",
    PeriodUnit.QUARTER: "个季度",
    PeriodUnit.HALF_YEAR: "个半年",
    PeriodUnit.YEAR: "年",
}
_SPANS: Final = ((86_400, "day", "天"), (3_600, "hour", "小时"), (60, "minute", "分钟"), (1, "second", "秒"))


def describe_period(
    period: Period | None, sliding_seconds: int | None, amount: Amount | None, times: int | None, language: Language
) -> str:
    """The caps of one period and when it counts. Exactly one of `period` and `sliding_seconds` is given."""
    if language == "zh":
        caps = [f"不超过 {amount}"] if amount is not None else []
        caps += [f"最多 {times} 次"] if times is not None else []
        when = _sliding_zh(sliding_seconds or 0) if period is None else _period_zh(period)
        return f"{when}{'，且'.join(caps)}"
    caps = [str(amount)] if amount is not None else []
    caps += [f"{times} payment{'' if times == 1 else 's'}"] if times is not None else []
    when = _sliding_en(sliding_seconds or 0) if period is None else _period_en(period)
    return f"at most {' and '.join(caps)} {when}"


def _period_en(period: Period) -> str:
    unit = _EN[period.unit]
    every = f"each {unit}" if period.count == 1 else f"every {period.count} {unit}s"
    return f"{every}, counted from {period.anchor.isoformat()} in {period.time_zone}"


def _period_zh(period: Period) -> str:
    every = _ZH_ONE[period.unit] if period.count == 1 else f"每 {period.count} {_ZH_SEVERAL[period.unit]}"
    return f"{every}（自 {period.anchor.isoformat()} 起算，时区 {period.time_zone}）"


def _span(seconds: int) -> tuple[int, str, str]:
    """The longest unit of which the seconds are several: 24 hours, not one day, which could be a calendar's."""
    return next((seconds // size, en, zh) for size, en, zh in _SPANS if (seconds % size == 0 and seconds > size) or size == 1)


def _sliding_en(seconds: int) -> str:
    number, unit, _ = _span(seconds)
    return f"in any {number} {unit}{'' if number == 1 else 's'}"


def _sliding_zh(seconds: int) -> str:
    number, _, unit = _span(seconds)
    return f"任意连续 {number} {unit}内"

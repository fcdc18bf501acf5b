"""Calendar windows: the day, week, month or year in which a payment is counted, in a named zone.

A period is a unit times a count from an anchor date. Window number k begins on the local date anchor + k * count units, counted
from the anchor each time: a month that is too short clamps its own window's start to its last day and no other's. It begins at
the first instant whose local date is that date or later, and ends where the next one begins. So windows tile all of time:
a missing day is a window without an instant, and clocks that go back over midnight do not reopen the day before.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from act.calendar.instants import LATEST_INSTANT
from act.calendar.zones import first_instant
from act.errors import Refused

__all__ = ["MAX_PERIOD_COUNT", "Period", "PeriodUnit", "Window", "read_date", "window_at"]

MAX_PERIOD_COUNT: Final = 400
"""Most units in one period: more than a year of days, and no window starts before the year 1570."""

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
_LAST_ORDINAL: Final = date.max.toordinal()
_DAY: Final = 86_400
_CAPACITY: Final = 1_024


class PeriodUnit(StrEnum):
    """What a period is counted in."""

    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"
    QUARTER = "QUARTER"
    HALF_YEAR = "HALF_YEAR"
    YEAR = "YEAR"


_DAYS: Final = {PeriodUnit.DAY: 1, PeriodUnit.WEEK: 7}
_MONTHS: Final = {PeriodUnit.MONTH: 1, PeriodUnit.QUARTER: 3, PeriodUnit.HALF_YEAR: 6, PeriodUnit.YEAR: 12}


@dataclass(frozen=True, slots=True)
class Period:
    """`count` times `unit` from local date `anchor` on, and back, in a zone that `read_zone` returned. The anchor decides on
    which weekday weeks, on which day months and in which month years begin; nothing of it is guessed."""

    unit: PeriodUnit
    count: int
    anchor: date
    time_zone: str

    def __hash__(self) -> int:
        return hash((self.count, self.anchor, self.time_zone))  # a unit's is worked out in Python, and tells few apart


@dataclass(frozen=True, slots=True)
class Window:
    """One window: instants `start` <= t < `end`, within 1970 to 9999.

    `mark` is the local date on which it starts, such as `2026-02-01`. It names the window for good: a new release of the zone
    database may move the instants, and must not make it another window.
    """

    start: int
    end: int
    mark: str


def read_date(value: Any) -> date:
    """A date in the one form `YYYY-MM-DD`, from 1970 to 9999. Raises `Refused` claim_invalid."""
    return _parse_date(value if type(value) is str else "")


@lru_cache(_CAPACITY)  # anchors repeat
def _parse_date(value: str) -> date:
    if not _DATE.fullmatch(value):
        raise Refused("claim_invalid", expected="YYYY-MM-DD")
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise Refused("claim_invalid", expected="an existing date") from None
    if day.toordinal() < _EPOCH_ORDINAL:
        raise Refused("claim_invalid", expected="a date from 1970 on")
    return day


_latest: dict[Period, Window] = {}
"""The last window asked for, by period: most payments fall into the same one. It changes no answer, and a thread that misses
another's entry works the window out again."""


def window_at(period: Period, at: int) -> Window:
    """The window of an instant from 1970 to 9999: the last one that starts at it or before."""
    known = _latest.get(period)
    if known is not None and known.start <= at < known.end:
        return known
    # In no zone is the local date two days ahead of UTC's, so the search starts behind the window and goes back to it.
    number = _number_before(period, at // _DAY + _EPOCH_ORDINAL + 2)
    end, start = _start(period, number + 1), _start(period, number)
    while start > at:
        number -= 1
        end, start = start, _start(period, number)
    first = _first_day(period, number)
    assert first is not None  # noqa: S101 - for the type checker: it starts at an instant that exists
    window = Window(max(start, 0), min(end, LATEST_INSTANT + 1), date.fromordinal(first).isoformat())
    if len(_latest) >= _CAPACITY:
        _latest.clear()
    _latest[period] = window
    return window


def _number_before(period: Period, day: int) -> int:
    """The number of a window that starts in the month of this day or before, and the next one of which starts after it."""
    days = _DAYS.get(period.unit)
    if days is not None:
        return (day - period.anchor.toordinal()) // (days * period.count)
    shown, anchor = date.fromordinal(min(day, _LAST_ORDINAL)), period.anchor
    months = (shown.year - anchor.year) * 12 + shown.month - anchor.month
    return months // (_MONTHS[period.unit] * period.count)


def _first_day(period: Period, number: int) -> int | None:
    """The local date on which window `number` starts, as an ordinal; None after the year 9999."""
    days = _DAYS.get(period.unit)
    anchor = period.anchor
    if days is not None:
        ordinal = anchor.toordinal() + number * days * period.count
        return ordinal if ordinal <= _LAST_ORDINAL else None
    year, month = divmod(anchor.year * 12 + anchor.month - 1 + number * _MONTHS[period.unit] * period.count, 12)
    if year > date.max.year:
        return None
    return date(year, month + 1, min(anchor.day, calendar.monthrange(year, month + 1)[1])).toordinal()


def _start(period: Period, number: int) -> int:
    """The first instant whose local date is that of the window's start or later."""
    first = _first_day(period, number)
    return LATEST_INSTANT + 1 if first is None else first_instant((first - _EPOCH_ORDINAL) * _DAY, period.time_zone)

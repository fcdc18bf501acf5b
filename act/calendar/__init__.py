"""Time: UTC instants, IANA zones from one pinned source, and the calendar windows in which budgets are counted."""

from act.calendar.instants import (
    FUTURE_TOLERANCE_SECONDS,
    LATEST_INSTANT,
    Clock,
    instant,
    iso,
    parse_iso,
    read_instant,
    system_clock,
)
from act.calendar.windows import MAX_PERIOD_COUNT, Period, PeriodUnit, Window, read_date, window_at
from act.calendar.zones import TZDATA_VERSION, local_seconds, read_zone

__all__ = [
    "FUTURE_TOLERANCE_SECONDS",
    "LATEST_INSTANT",
    "MAX_PERIOD_COUNT",
    "TZDATA_VERSION",
    "Clock",
    "Period",
    "PeriodUnit",
    "Window",
    "instant",
    "iso",
    "local_seconds",
    "parse_iso",
    "read_date",
    "read_instant",
    "read_zone",
    "system_clock",
    "window_at",
]

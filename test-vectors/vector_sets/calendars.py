"""Vectors of calendar windows and schedules. Every edge is written down by hand, in UTC: nothing here asks the library."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final

from vector_sets.shape import Vector, accept, refuse, vector_file

_LAST: Final = 253_402_300_799
_RULES: Final = ["ACT-CON-14", "ACT-CON-17"]


def _at(text: str) -> int:
    return int(datetime.strptime(f"{text}+0000", "%Y-%m-%dT%H:%M:%S%z").astimezone(UTC).timestamp())


def _period(unit: str, count: int, zone: str, anchor: str) -> dict[str, Any]:
    return {"period_unit": unit, "period_count": count, "time_zone": zone, "anchor": anchor, "period_times": 1}


_NEW_YEAR: Final = "2026-01-01"

# Name, why, period, then each window as its mark and its start; the last entry only ends the one before.
_TILED: Final[tuple[tuple[str, str, dict[str, Any], tuple[tuple[str, str], ...]], ...]] = (
    ("new-york-23-hours", "Clocks go forward at two: the day has 23 hours.",
     _period("DAY", 1, "America/New_York", _NEW_YEAR),
     (("2024-03-09", "2024-03-09T05:00:00"), ("2024-03-10", "2024-03-10T05:00:00"), ("2024-03-11", "2024-03-11T04:00:00"),
      ("", "2024-03-12T04:00:00"))),
    ("new-york-25-hours", "Clocks go back at two: the day has 25 hours.",
     _period("DAY", 1, "America/New_York", _NEW_YEAR),
     (("2024-11-02", "2024-11-02T04:00:00"), ("2024-11-03", "2024-11-03T04:00:00"), ("2024-11-04", "2024-11-04T05:00:00"),
      ("", "2024-11-05T05:00:00"))),
    ("london-23-hours", "Clocks go forward at one: the day has 23 hours.",
     _period("DAY", 1, "Europe/London", _NEW_YEAR),
     (("2024-03-30", "2024-03-30T00:00:00"), ("2024-03-31", "2024-03-31T00:00:00"), ("2024-04-01", "2024-03-31T23:00:00"),
      ("", "2024-04-01T23:00:00"))),
    ("london-25-hours", "Clocks go back at two: the day has 25 hours.",
     _period("DAY", 1, "Europe/London", _NEW_YEAR),
     (("2024-10-26", "2024-10-25T23:00:00"), ("2024-10-27", "2024-10-26T23:00:00"), ("2024-10-28", "2024-10-28T00:00:00"),
      ("", "2024-10-29T00:00:00"))),
    ("sao-paulo-no-midnight", "Clocks go forward at midnight: 15 October begins at one.",
     _period("DAY", 1, "America/Sao_Paulo", _NEW_YEAR),
     (("2017-10-14", "2017-10-14T03:00:00"), ("2017-10-15", "2017-10-15T03:00:00"), ("2017-10-16", "2017-10-16T02:00:00"),
      ("", "2017-10-17T02:00:00"))),
    ("sao-paulo-hour-before-midnight", "Clocks go back at midnight: the 24th hour of 17 February comes twice.",
     _period("DAY", 1, "America/Sao_Paulo", _NEW_YEAR),
     (("2018-02-16", "2018-02-16T02:00:00"), ("2018-02-17", "2018-02-17T02:00:00"), ("2018-02-18", "2018-02-18T03:00:00"),
      ("", "2018-02-19T03:00:00"))),
    ("havana-two-midnights", "Clocks go back from one to midnight: the day begins at the first of two midnights.",
     _period("DAY", 1, "America/Havana", _NEW_YEAR),
     (("2024-11-02", "2024-11-02T04:00:00"), ("2024-11-03", "2024-11-03T04:00:00"), ("2024-11-04", "2024-11-04T05:00:00"),
      ("", "2024-11-05T05:00:00"))),
    ("st-johns-back-over-midnight", "Clocks go back a minute after midnight: the day before is not opened again.",
     _period("DAY", 1, "America/St_Johns", _NEW_YEAR),
     (("2010-11-06", "2010-11-06T02:30:00"), ("2010-11-07", "2010-11-07T02:30:00"), ("2010-11-08", "2010-11-08T03:30:00"),
      ("", "2010-11-09T03:30:00"))),
    ("apia-no-day", "30 December 2011 does not exist in Samoa: its window holds no instant.",
     _period("DAY", 1, "Pacific/Apia", _NEW_YEAR),
     (("2011-12-29", "2011-12-29T10:00:00"), ("2011-12-31", "2011-12-30T10:00:00"), ("2012-01-01", "2011-12-31T10:00:00"),
      ("", "2012-01-01T10:00:00"))),
    ("apia-month-from-no-day", "A month that should start on the missing day starts with the next.",
     _period("MONTH", 1, "Pacific/Apia", "2011-10-30"),
     (("2011-11-30", "2011-11-30T10:00:00"), ("2011-12-30", "2011-12-30T10:00:00"), ("2012-01-30", "2012-01-29T10:00:00"),
      ("", "2012-02-28T10:00:00"))),
    ("kathmandu", "An offset of five hours and three quarters.",
     _period("MONTH", 1, "Asia/Kathmandu", _NEW_YEAR),
     (("2026-01-01", "2025-12-31T18:15:00"), ("2026-02-01", "2026-01-31T18:15:00"), ("2026-03-01", "2026-02-28T18:15:00"),
      ("", "2026-03-31T18:15:00"))),
    ("monrovia-seconds", "Until 1972 an offset with seconds.",
     _period("DAY", 1, "Africa/Monrovia", _NEW_YEAR),
     (("1970-01-01", "1970-01-01T00:44:30"), ("1970-01-02", "1970-01-02T00:44:30"), ("", "1970-01-03T00:44:30"))),
    ("february-29", "A year from 29 February: in other years it starts on the 28th, and is the 29th again in 2028.",
     _period("YEAR", 1, "UTC", "2024-02-29"),
     (("2026-02-28", "2026-02-28T00:00:00"), ("2027-02-28", "2027-02-28T00:00:00"), ("2028-02-29", "2028-02-29T00:00:00"),
      ("2029-02-28", "2029-02-28T00:00:00"), ("", "2030-02-28T00:00:00"))),
    ("month-31", "Months from the 31st: a short one starts on its last day, and the next on the 31st again.",
     _period("MONTH", 1, "Asia/Shanghai", "2026-01-31"),
     (("2026-01-31", "2026-01-30T16:00:00"), ("2026-02-28", "2026-02-27T16:00:00"), ("2026-03-31", "2026-03-30T16:00:00"),
      ("2026-04-30", "2026-04-29T16:00:00"), ("", "2026-05-30T16:00:00"))),
    ("month-31-leap", "In a leap year February's last day is the 29th.",
     _period("MONTH", 1, "UTC", "2023-10-31"),
     (("2024-01-31", "2024-01-31T00:00:00"), ("2024-02-29", "2024-02-29T00:00:00"), ("2024-03-31", "2024-03-31T00:00:00"),
      ("", "2024-04-30T00:00:00"))),
    ("week-monday", "The anchor is a Monday, so weeks start on Mondays.",
     _period("WEEK", 1, "Asia/Shanghai", "2026-02-02"),
     (("2026-02-02", "2026-02-01T16:00:00"), ("2026-02-09", "2026-02-08T16:00:00"), ("2026-02-16", "2026-02-15T16:00:00"),
      ("", "2026-02-22T16:00:00"))),
    ("week-sunday", "The anchor is a Sunday, so weeks start on Sundays.",
     _period("WEEK", 1, "America/New_York", "2024-02-04"),
     (("2024-03-03", "2024-03-03T05:00:00"), ("2024-03-10", "2024-03-10T05:00:00"), ("2024-03-17", "2024-03-17T04:00:00"),
      ("", "2024-03-24T04:00:00"))),
    ("quarter", "Three months.", _period("QUARTER", 1, "Europe/London", _NEW_YEAR),
     (("2024-01-01", "2024-01-01T00:00:00"), ("2024-04-01", "2024-03-31T23:00:00"), ("2024-07-01", "2024-06-30T23:00:00"),
      ("2024-10-01", "2024-09-30T23:00:00"), ("", "2025-01-01T00:00:00"))),
    ("half-year", "Six months, from a 31st to a 30th and back.", _period("HALF_YEAR", 1, "UTC", "2026-03-31"),
     (("2026-03-31", "2026-03-31T00:00:00"), ("2026-09-30", "2026-09-30T00:00:00"), ("2027-03-31", "2027-03-31T00:00:00"),
      ("", "2027-09-30T00:00:00"))),
    ("days-10", "Ten days at a time.", _period("DAY", 10, "UTC", "2026-02-21"),
     (("2026-02-11", "2026-02-11T00:00:00"), ("2026-02-21", "2026-02-21T00:00:00"), ("2026-03-03", "2026-03-03T00:00:00"),
      ("", "2026-03-13T00:00:00"))),
    ("weeks-2", "Two weeks at a time, over a change of clocks.", _period("WEEK", 2, "Europe/London", "2024-03-18"),
     (("2024-03-18", "2024-03-18T00:00:00"), ("2024-04-01", "2024-03-31T23:00:00"), ("2024-04-15", "2024-04-14T23:00:00"),
      ("", "2024-04-28T23:00:00"))),
    ("months-5", "Five months at a time, each counted from the anchor.", _period("MONTH", 5, "UTC", "2025-09-30"),
     (("2025-09-30", "2025-09-30T00:00:00"), ("2026-02-28", "2026-02-28T00:00:00"), ("2026-07-30", "2026-07-30T00:00:00"),
      ("", "2026-12-30T00:00:00"))),
    ("before-the-anchor", "Windows go on before the anchor, clamped from it as well.",
     _period("MONTH", 1, "UTC", "2030-05-31"),
     (("2026-01-31", "2026-01-31T00:00:00"), ("2026-02-28", "2026-02-28T00:00:00"), ("2026-03-31", "2026-03-31T00:00:00"),
      ("", "2026-04-30T00:00:00"))),
)  # fmt: skip


def _window(name: str, why: str, period: dict[str, Any], at: int, start: int, end: int, mark: str) -> Vector:
    window = {"start": start, "end": end, "mark": mark}
    return accept(f"calendar/{name}", why, _RULES, op="window", period=period, at=at, window=window)


def _tiled() -> Iterator[Vector]:
    for name, why, period, rows in _TILED:
        windows = [(_at(start), _at(end), mark) for (mark, start), (_, end) in pairwise(rows)]
        for before, after in pairwise(windows):
            for shift, window in ((-1, before), (0, after), (1, after)):
                suffix = {-1: "minus-1", 0: "edge", 1: "plus-1"}[shift]
                yield _window(f"{name}-{after[2]}-{suffix}", why, period, after[0] + shift, *window)


def _single() -> Iterator[Vector]:
    day = _period("DAY", 1, "America/St_Johns", _NEW_YEAR)
    start, end = _at("2010-11-07T02:30:00"), _at("2010-11-08T03:30:00")
    for name, text in (("last-minute", "2010-11-07T02:30:59"), ("again-the-day-before", "2010-11-07T02:31:00"),
                       ("second-midnight", "2010-11-07T03:30:00")):  # fmt: skip
        why = "The wall clock shows 6 November again, and the window of the 7th goes on."
        yield _window(f"st-johns-{name}", why, day, _at(text), start, end, "2010-11-07")
    month = _period("MONTH", 1, "UTC", "2000-01-15")
    yield _window(
        "first-instant", "The first window is cut off at 1970.", month, 0, 0, _at("1970-01-15T00:00:00"), "1969-12-15"
    )
    yield _window("last-instant", "The last window is cut off at the end of 9999.", month, _LAST, _at("9999-12-15T00:00:00"),
                  _LAST + 1, "9999-12-15")  # fmt: skip
    ages = _period("YEAR", 400, "UTC", "2026-01-01")
    yield _window("400-years", "The longest period.", ages, _at("2025-12-31T23:59:59"), 0, _at("2026-01-01T00:00:00"),
                  "1626-01-01")  # fmt: skip


_GOOD: Final = _period("MONTH", 1, "Asia/Shanghai", _NEW_YEAR)
_SLIDING: Final = {"sliding_seconds": 86_400, "period_times": 1}
_ZONES: Final = (
    ("lower-case", "asia/shanghai", "Names are compared byte for byte."),
    ("abbreviation", "CST", "China, Cuba or Chicago?"),
    ("offset", "+08:00", "An offset knows no changes of clocks."),
    ("empty", "", "No zone."),
    ("path", "../zoneinfo/UTC", "A name is no path."),
    ("absolute", "/usr/share/zoneinfo/UTC", "The machine's own files are not asked."),
    ("folder", "Asia", "A folder of names."),
    ("table", "zone.tab", "A file beside the zones."),
    ("space", "Asia/Shanghai ", "White space."),
    ("unknown", "Asia/Peking", "No name of the database."),
)
_BAD: Final[tuple[tuple[str, str, str, str, dict[str, Any]], ...]] = (
    ("zone-null", "A zone that is nothing.", "claim_invalid", "time_zone", _GOOD | {"time_zone": None}),
    ("zone-number", "A zone is a text.", "claim_invalid", "time_zone", _GOOD | {"time_zone": 8}),
    ("count-0", "A period of no length.", "claim_invalid", "period_count", _GOOD | {"period_count": 0}),
    ("count-401", "One more than the longest.", "claim_invalid", "period_count", _GOOD | {"period_count": 401}),
    ("count-true", "true equals 1 in some languages.", "claim_invalid", "period_count", _GOOD | {"period_count": True}),
    ("unit-lower", "Units are compared byte for byte.", "claim_invalid", "period_unit", _GOOD | {"period_unit": "month"}),
    ("unit-hour", "No such unit; hours slide.", "claim_invalid", "period_unit", _GOOD | {"period_unit": "HOUR"}),
    ("anchor-no-day", "There is no 30 February.", "claim_invalid", "anchor", _GOOD | {"anchor": "2026-02-30"}),
    ("anchor-1969", "Before the first instant.", "claim_invalid", "anchor", _GOOD | {"anchor": "1969-12-31"}),
    ("anchor-time", "An anchor is a date.", "claim_invalid", "anchor", _GOOD | {"anchor": "2026-01-01T00:00:00Z"}),
    ("anchor-week", "ISO 8601 has other forms; one is enough.", "claim_invalid", "anchor", _GOOD | {"anchor": "2026-W01-1"}),
    ("anchor-digits", "Full-width digits.", "claim_invalid", "anchor", _GOOD | {"anchor": "\uff12\uff10\uff12\uff16-01-01"}),
    ("both-windows", "A calendar period that slides.", "claim_invalid", "time_zone",
     _SLIDING | {"time_zone": "UTC"}),
    ("sliding-0", "A window of no length.", "claim_invalid", "sliding_seconds", _SLIDING | {"sliding_seconds": 0}),
    ("sliding-too-long", "A second more than 366 days.", "claim_invalid", "sliding_seconds",
     _SLIDING | {"sliding_seconds": 31_622_401}),
    ("no-cap", "A period that limits nothing.", "claim_missing", "max_amount", {"sliding_seconds": 86_400}),
    ("times-0", "A count of none.", "claim_invalid", "period_times", _SLIDING | {"period_times": 0}),
    ("unknown-field", "What is unknown is refused.", "claim_unknown", "week_start", _GOOD | {"week_start": "MON"}),
)  # fmt: skip


def _refused() -> Iterator[Vector]:
    for name in ("period_unit", "period_count", "time_zone", "anchor"):
        period = {field: value for field, value in _GOOD.items() if field != name}
        why = "Nothing of a calendar period is guessed."
        yield _bad(f"missing-{name.replace('_', '-')}", why, "claim_missing", name, period)
    for name, zone, why in _ZONES:
        yield _bad(f"zone-{name}", why, "time_zone_unknown", "time_zone", _GOOD | {"time_zone": zone})
    for name, why, code, where, period in _BAD:
        yield _bad(name, why, code, where, period)


def _bad(name: str, why: str, code: str, where: str, period: dict[str, Any]) -> Vector:
    return refuse(f"calendar/{name}", why, code, where, op="window", period=period, at=0)


def _schedules() -> Iterator[Vector]:
    office: dict[str, Any] = {"time_zone": "America/New_York", "weekdays": ["FRI", "MON"], "hours": ["09:00-17:00"]}
    late: dict[str, Any] = {"time_zone": "Europe/London", "hours": ["22:00-24:00", "00:00-00:30"]}
    night: dict[str, Any] = {"time_zone": "America/New_York", "hours": ["01:30-02:30"]}
    hours, days = "Hours are half-open, by the zone's wall clock.", "The weekday is the zone's own."
    for name, why, schedule, text, is_open in (
        ("winter-before", hours, office, "2026-02-06T13:59:59", False),
        ("winter-first", hours, office, "2026-02-06T14:00:00", True),
        ("winter-last", hours, office, "2026-02-06T21:59:59", True),
        ("winter-after", hours, office, "2026-02-06T22:00:00", False),
        ("summer-first", "In summer the same hour comes earlier in UTC.", office, "2026-07-06T13:00:00", True),
        ("summer-before", "In summer the same hour comes earlier in UTC.", office, "2026-07-06T12:59:59", False),
        ("other-day", days, office, "2026-02-07T15:00:00", False),
        ("sunday-night", days, {"time_zone": "Asia/Shanghai", "weekdays": ["MON"]}, "2026-02-08T16:00:00", True),
        ("sunday-still", days, {"time_zone": "Asia/Shanghai", "weekdays": ["MON"]}, "2026-02-08T15:59:59", False),
        ("until-midnight", "24:00 is the end of the day.", late, "2026-02-06T23:59:59", True),
        ("after-midnight", "The next day has its own stretch.", late, "2026-02-07T00:29:59", True),
        ("after-the-stretch", hours, late, "2026-02-07T00:30:00", False),
        ("hour-comes-once", "01:45 before the clocks go back.", night, "2024-11-03T05:45:00", True),
        ("hour-comes-twice", "01:45 again, an hour later: it counts both times.", night, "2024-11-03T06:45:00", True),
        ("hour-before-the-gap", "01:59:59, the last second before clocks go forward.", night, "2024-03-10T06:59:59", True),
        ("hour-in-the-gap", "A second later it is 03:00: 02:00 to 02:30 does not come.", night, "2024-03-10T07:00:00", False),
    ):
        fields: dict[str, Any] = {"op": "schedule", "schedule": schedule, "at": _at(text)}
        if is_open:
            yield accept(f"calendar/schedule-{name}", why, ["ACT-CON-25"], **fields)
        else:
            yield refuse(f"calendar/schedule-{name}", why, "outside_schedule", "ext.schedule", **fields)
    whole: dict[str, Any] = {"time_zone": "UTC", "weekdays": ["MON"], "hours": ["09:00-17:00"]}
    for name, why, code, where, schedule in (
        ("zone-missing", "Whose Monday?", "claim_missing", "time_zone", {"weekdays": ["MON"]}),
        ("zone-unknown", "No name of the database.", "time_zone_unknown", "time_zone", whole | {"time_zone": "Mars/Olympus"}),
        ("empty", "A schedule that says nothing.", "claim_missing", "weekdays", {"time_zone": "UTC"}),
        ("no-days", "A list of no days.", "claim_invalid", "weekdays", whole | {"weekdays": []}),
        ("day-twice", "The same day twice.", "claim_invalid", "weekdays", whole | {"weekdays": ["MON", "MON"]}),
        ("day-lower", "Days are compared byte for byte.", "claim_invalid", "weekdays", whole | {"weekdays": ["mon"]}),
        ("over-midnight", "Which day would it belong to?", "claim_invalid", "hours", whole | {"hours": ["22:00-02:00"]}),
        ("no-minute", "A stretch without a minute.", "claim_invalid", "hours", whole | {"hours": ["09:00-09:00"]}),
        ("overlap", "Two stretches with a minute in common.", "claim_invalid", "hours",
         whole | {"hours": ["09:00-12:00", "11:59-13:00"]}),
        ("starts-at-24", "24:00 is an end only.", "claim_invalid", "hours", whole | {"hours": ["24:00-24:00"]}),
        ("after-24", "A day ends at 24:00.", "claim_invalid", "hours", whole | {"hours": ["23:00-24:01"]}),
        ("one-digit", "Hours have two digits.", "claim_invalid", "hours", whole | {"hours": ["9:00-17:00"]}),
    ):  # fmt: skip
        yield refuse(f"calendar/schedule-{name}", why, code, where, op="schedule", schedule=schedule, at=0)


def calendar_file() -> dict[str, Any]:
    """calendar.json."""
    about = (
        "Calendar periods and schedules by themselves: the window of an instant, and whether an instant is within a schedule. "
        "The zones are those of the IANA database, 2025a or later. No vector depends on clocks that are still to be changed."
    )
    return vector_file("calendar", about, [*_tiled(), *_single(), *_refused(), *_schedules()])

"""act.calendar and the constraints that use it, for any period, zone and instant.

The oracle walks: it asks for the local date at every change of it, hour by hour and then second by second, and knows nothing of
folds, gaps or transitions.
"""

from __future__ import annotations

import tempfile
from bisect import bisect_left, bisect_right
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from act.calendar import LATEST_INSTANT, Period, PeriodUnit, local_seconds, window_at
from act.calendar.zones import _names, _zone
from act.delegation.constraints import Periods
from act.delegation.constraints.quota import TimesLimit
from act.stores.sqlite import SqliteLedger
from tests.support.choices import built
from tests.support.fold import audit
from tests.support.purchases import fits
from tests.support.reservations import MAKE_RECEIPT, limit, mandate, reservation
from tests.support.strategies import period
from tests.support.world import NOW_SECONDS, PSP

ZONES: Final = sorted(_names())
all_zones = st.sampled_from(ZONES)
_odd_zones = st.sampled_from(
    ["Pacific/Apia", "America/St_Johns", "America/Sao_Paulo", "Asia/Gaza", "Antarctica/Troll", "Africa/Monrovia"]
)
instants = st.integers(0, LATEST_INSTANT) | st.integers(0, 2_000_000_000) | st.sampled_from([0, 1, LATEST_INSTANT])
any_period = st.builds(
    Period,
    st.sampled_from(PeriodUnit),
    st.sampled_from([1, 1, 2, 3, 10]) | st.integers(1, 400),
    st.dates(date(1970, 1, 1)) | st.sampled_from([date(2024, 2, 29), date(2026, 1, 31), date(9999, 12, 31)]),
    all_zones | _odd_zones,
)


@given(any_period, instants)
def test_windows_tile_time(period: Period, at: int) -> None:
    window = window_at(period, at)
    assert 0 <= window.start <= at < window.end <= LATEST_INSTANT + 1
    assert window_at(period, window.start) == window == window_at(period, window.end - 1)
    if window.start > 0:
        before = window_at(period, window.start - 1)
        assert before.end == window.start
        assert before.mark < window.mark
    if window.end <= LATEST_INSTANT:
        after = window_at(period, window.end)
        assert after.start == window.end
        assert window.mark < after.mark


@given(any_period, any_period, instants)
def test_what_was_asked_before_does_not_matter(period: Period, other: Period, at: int) -> None:
    asked = window_at(period, at)
    window_at(other, at)
    for shift in (-86_400, 86_400, 0):
        window_at(period, min(max(at + shift, 0), LATEST_INSTANT))
    assert window_at(period, at) == asked


# --- an oracle that walks ------------------------------------------------------------------------------------------------

FIRST_YEAR, YEARS = 1971, 66


@cache
def _days(zone: str) -> tuple[list[int], list[date]]:
    """Every instant at which the latest local date so far becomes a later one, from FIRST_YEAR on, and that date."""
    info = _zone(zone)  # the same data; none of the arithmetic

    def shown(at: int) -> date:
        return datetime.fromtimestamp(at, UTC).astimezone(info).date()

    starts, dates = [], []
    at = int(datetime(FIRST_YEAR, 1, 1, tzinfo=UTC).timestamp())
    latest = shown(at)
    end = at + YEARS * 366 * 86_400
    while at < end:
        following = at + 12 * 3_600  # no zone changes its date twice in twelve hours
        if shown(following) > latest:
            early, late = at, following
            while late - early > 1:
                middle = (early + late) // 2
                early, late = (early, middle) if shown(middle) > latest else (middle, late)
            latest = shown(late)
            starts.append(late)
            dates.append(latest)
        at = following
    return starts, dates


def _first_date(period: Period, number: int) -> date:
    months = {"MONTH": 1, "QUARTER": 3, "HALF_YEAR": 6, "YEAR": 12}
    if period.unit.value in months:
        year, month = divmod(
            period.anchor.year * 12 + period.anchor.month - 1 + number * period.count * months[period.unit], 12
        )
        return date(year, month + 1, min(period.anchor.day, monthrange(year, month + 1)[1]))
    return period.anchor + timedelta(days=number * period.count * {"DAY": 1, "WEEK": 7}[period.unit.value])


@settings(max_examples=max(100, settings().max_examples // 2))
@given(
    st.builds(
        Period,
        st.sampled_from(PeriodUnit),
        st.integers(1, 4),
        st.dates(date(2000, 1, 1), date(2030, 12, 31)),
        st.sampled_from(
            [*ZONES[::12], "Pacific/Apia", "America/St_Johns", "America/Sao_Paulo", "Asia/Kathmandu", "Africa/Cairo"]
        ),
    ),
    st.data(),
)
def test_windows_are_those_of_somebody_who_walks(period: Period, data: st.DataObject) -> None:
    starts, dates = _days(period.time_zone)
    index = data.draw(st.integers(1_500, len(starts) - 1_500))
    at = data.draw(st.integers(starts[index], starts[index + 1] - 1) | st.sampled_from([starts[index], starts[index] - 1]))
    day = dates[bisect_right(starts, at) - 1]
    number = 0
    while _first_date(period, number) > day:
        number -= 1
    while _first_date(period, number + 1) <= day:
        number += 1
    window = window_at(period, at)
    assert window.mark == _first_date(period, number).isoformat()
    for edge, first in ((window.start, _first_date(period, number)), (window.end, _first_date(period, number + 1))):
        assert edge == starts[bisect_left(dates, first)]


@given(all_zones | _odd_zones, st.integers(0, 2_000_000_000))
def test_local_time_is_what_datetime_says(zone: str, at: int) -> None:
    shown = datetime.fromtimestamp(at, UTC).astimezone(_zone(zone)).replace(tzinfo=UTC)  # what clocks show, as if it were UTC
    assert timedelta(seconds=local_seconds(at, zone)) == shown - datetime(1970, 1, 1, tzinfo=UTC)


# --- the ledger counts what the list counts ------------------------------------------------------------------------------

_HOUR: Final = 3_600
_steps = st.lists(
    st.tuples(
        st.sampled_from(["pay", "pay", "pay", "capture", "void"]),
        st.integers(1, 12),
        st.sampled_from([0, 1, 600, _HOUR - 1, _HOUR, 8 * _HOUR, -600, -8 * _HOUR]),
        st.integers(0, 20),
    ),
    max_size=14,
)


@settings(max_examples=max(40, settings().max_examples // 10))
@given(st.lists(built(period, "CNY", most=20, most_times=5), min_size=1, max_size=3), st.integers(1, 12), _steps)
def test_the_ledger_counts_periods_as_a_list_does(written: list[dict[str, Any]], times: int, steps: list[Any]) -> None:
    constraint, count = Periods.read(written, "CNY"), TimesLimit(times)
    paid: list[list[Any]] = []  # amount now counted, instant, charge id, state
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        with SqliteLedger(path) as ledger:
            ledger.bind(PSP)
            at = NOW_SECONDS
            for number, (kind, minor, pause, pick) in enumerate(steps, 1):
                at += pause
                live = [each for each in paid if each[3] == "HELD"]
                if kind == "pay":
                    history = [(each[0], each[1]) for each in paid if each[3] != "VOIDED"]
                    limits = (limit(10**9), *count.limits(at), *constraint.limits(at))
                    request = reservation(number, minor, limits=limits, at=at)
                    outcome = ledger.reserve(request, mandate(), MAKE_RECEIPT)
                    expected = len(history) < times and fits(constraint.limits(at), history, minor)
                    assert (outcome.charge is not None) == expected
                    if outcome.charge is not None:
                        paid.append([minor, at, outcome.charge.id, "HELD"])
                elif live:
                    chosen = live[pick % len(live)]
                    if kind == "void":
                        ledger.void(chosen[2], at, MAKE_RECEIPT)
                        chosen[3] = "VOIDED"
                    else:
                        chosen[0] = 1 + minor % chosen[0]
                        ledger.capture(chosen[2], chosen[0], at, MAKE_RECEIPT)
                        chosen[3] = "CAPTURED"
        if path.exists():
            audit(path)

"""act.calendar: zones from the package alone, and what the cache of windows may not change."""

from __future__ import annotations

import sys
import threading
import zoneinfo
from datetime import date, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import pytest

from act.calendar import (
    LATEST_INSTANT,
    TZDATA_VERSION,
    Period,
    PeriodUnit,
    local_seconds,
    parse_iso,
    read_date,
    read_zone,
    window_at,
)
from act.calendar import windows as windows_module
from act.calendar.zones import _names, _zone
from tests.support.world import refused


def test_the_version_is_that_of_the_database() -> None:
    assert TZDATA_VERSION[:4].isdigit()
    assert TZDATA_VERSION[4:].isalpha()


def test_every_name_of_the_list_is_a_zone() -> None:
    for name in _names():
        assert local_seconds(1_770_368_400, read_zone(name)) - 1_770_368_400 in range(-14 * 3_600, 14 * 3_600 + 1)


@pytest.mark.parametrize("value", [None, 8, True, b"UTC", ["UTC"]])
def test_a_zone_is_a_text(value: object) -> None:
    with refused("claim_invalid"):
        read_zone(value)


@pytest.mark.parametrize(
    "name", ["", "utc", "CST", "+08:00", "../zoneinfo/UTC", "/etc/localtime", "Asia", "zone.tab", "UTC\0", "A" * 9_999]
)
def test_other_names_are_unknown(name: str) -> None:
    with refused("time_zone_unknown") as caught:
        read_zone(name)
    assert caught.value.facts["tzdata"] == TZDATA_VERSION
    assert len(str(caught.value.facts["named"])) <= 64


def test_the_systems_zones_are_not_asked(tmp_path: Path) -> None:
    """A machine whose file for Kathmandu is wrong."""
    (tmp_path / "Asia").mkdir()
    (tmp_path / "Asia" / "Kathmandu").write_bytes(files("tzdata").joinpath("zoneinfo", "UTC").read_bytes())
    _zone.cache_clear()
    try:
        zoneinfo.reset_tzpath(to=[tmp_path])
        wrong = zoneinfo.ZoneInfo.no_cache("Asia/Kathmandu")
        assert datetime(2026, 1, 1, tzinfo=wrong).utcoffset() == timedelta(0)
        assert local_seconds(1_770_368_400, "Asia/Kathmandu") == 1_770_368_400 + 20_700
    finally:
        zoneinfo.reset_tzpath()


@pytest.mark.parametrize(
    "value", ["2026-02-29", "2026-1-1", "20260101", "1969-12-31", "0000-01-01", "2026-01-01 ", "", 20260101, None]
)
def test_other_dates_are_refused(value: object) -> None:
    with refused("claim_invalid"):
        read_date(value)


def test_dates() -> None:
    assert read_date("1970-01-01") == date(1970, 1, 1)
    assert read_date("9999-12-31") == date(9999, 12, 31)


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Etc/GMT+12"])
@pytest.mark.parametrize("unit", PeriodUnit)
def test_the_ends_of_time(unit: PeriodUnit, zone: str) -> None:
    for count in (1, 400):
        for anchor in (date(1970, 1, 1), date(9999, 12, 31)):
            period = Period(unit, count, anchor, zone)
            first, last = window_at(period, 0), window_at(period, LATEST_INSTANT)
            assert first.start == 0 < first.end
            assert last.start < last.end == LATEST_INSTANT + 1


def test_the_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows_module, "_latest", {})
    monkeypatch.setattr(windows_module, "_CAPACITY", 5)
    for count in range(1, 12):
        period = Period(PeriodUnit.DAY, count, date(2026, 1, 1), "UTC")
        assert window_at(period, 0) == window_at(period, 0)
        assert len(windows_module._latest) <= 5


def test_threads_get_their_own_answers() -> None:
    period = Period(PeriodUnit.DAY, 1, date(2026, 1, 1), "America/New_York")
    start = parse_iso("2026-01-01T12:00:00Z")
    expected = {day: window_at(period, start + day * 86_400) for day in range(60)}
    wrong: list[int] = []

    def ask(first: int) -> None:
        for step in range(3_000):
            day = (first + step * 7) % 60
            if window_at(period, start + day * 86_400) != expected[day]:
                wrong.append(day)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert wrong == []

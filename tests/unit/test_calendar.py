"""act.calendar: instants, written in one way and never guessed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from act.calendar import LATEST_INSTANT, instant, iso, parse_iso, read_instant, system_clock
from act.errors import InvalidCall
from tests.support.world import NOW, NOW_SECONDS, refused


def test_an_instant_is_seconds_since_1970() -> None:
    assert instant(NOW) == NOW_SECONDS
    assert instant(datetime(1970, 1, 1, tzinfo=UTC)) == 0
    assert instant(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)) == LATEST_INSTANT


def test_another_zone_is_the_same_instant() -> None:
    shanghai = timezone(timedelta(hours=8))
    assert instant(datetime(2026, 2, 6, 17, 0, tzinfo=shanghai)) == NOW_SECONDS


@pytest.mark.parametrize("microsecond", [0, 1, 999_999])
def test_a_fraction_is_dropped(microsecond: int) -> None:
    assert instant(NOW.replace(microsecond=microsecond)) == NOW_SECONDS


def test_there_is_no_instant_before_1970() -> None:
    with pytest.raises(InvalidCall):
        instant(datetime(1969, 12, 31, 23, 59, 59, 500_000, tzinfo=UTC))


class _NoOffset(tzinfo):
    """A zone that does not know its offset: as good as none."""

    def utcoffset(self, dt: datetime | None) -> None:
        return None

    def tzname(self, dt: datetime | None) -> None:
        return None

    def dst(self, dt: datetime | None) -> None:
        return None


@pytest.mark.parametrize("at", [NOW.replace(tzinfo=None), NOW.replace(tzinfo=_NoOffset())])
def test_a_zone_is_never_guessed(at: datetime) -> None:
    with pytest.raises(InvalidCall) as caught:
        instant(at)
    assert (caught.value.code, caught.value.where) == ("call_invalid", "at")


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9999, 12, 31, 23, 59, 59)))  # noqa: DTZ001 - made aware
def test_text_round_trip(at: datetime) -> None:
    seconds = instant(at.replace(tzinfo=UTC))
    assert parse_iso(iso(seconds)) == seconds
    assert iso(seconds) == at.strftime(f"{at.year:04d}-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-02-06",
        "2026-02-06T09:00:00",
        "2026-02-06T09:00:00z",
        "2026-02-06t09:00:00Z",
        "2026-02-06 09:00:00Z",
        "2026-02-06T09:00:00.0Z",
        "2026-02-06T09:00:00+00:00",
        "2026-02-06T09:00Z",
        "2026-2-6T09:00:00Z",
        "2026-02-30T09:00:00Z",
        "2026-13-01T09:00:00Z",
        "2026-02-06T24:00:00Z",
        "2026-02-06T23:59:60Z",
        "0000-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "\uff12026-02-06T09:00:00Z",
        "\u0662026-02-06T09:00:00Z",
        " 2026-02-06T09:00:00Z",
        "2026-02-06T09:00:00Z\n",
        "12026-02-06T09:00:00Z",
    ],
)
def test_only_one_form_is_read(text: str) -> None:
    with refused("claim_invalid", "mandate.start"):
        parse_iso(text, "mandate.start")


@pytest.mark.parametrize("seconds", [0, 1, NOW_SECONDS, LATEST_INSTANT])
def test_instants_of_tokens(seconds: int) -> None:
    assert read_instant(seconds) == seconds


@pytest.mark.parametrize("value", [-1, LATEST_INSTANT + 1, True, False, "1770368400", b"", [], {}, 1 << 62])
def test_what_no_instant_is(value: object) -> None:
    with refused("claim_invalid", ""):
        read_instant(value)


def test_the_system_clock_is_aware_and_goes_on() -> None:
    before = system_clock()
    assert before.utcoffset() == timedelta(0)
    assert system_clock() >= before

"""Time zones, from the PyPI package `tzdata` and from nowhere else.

The system's own zone files may be older, newer or absent, and two verifiers must not disagree about when a day begins. So the
package's files are read, its list of names is the list of names, and its version is recorded with what was decided by it.
They are constants that are loaded when first needed, as a module is: no answer depends on anything else on the machine.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any, Final
from zoneinfo import ZoneInfo

import tzdata  # type: ignore[import-untyped]  # the package carries data and no types

from act.calendar.instants import LATEST_INSTANT
from act.errors import Refused

__all__ = ["TZDATA_VERSION", "first_instant", "local_seconds", "read_zone"]

TZDATA_VERSION: Final = str(tzdata.IANA_VERSION)
"""The release of the IANA database used here, such as `2026a`."""

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - a wall clock's reading; the zone is put on where it is used
_DAY: Final = 86_400
_CYCLE_SECONDS: Final = 146_097 * _DAY  # 400 years: the Gregorian calendar with its weekdays repeats


@cache
def _names() -> frozenset[str]:
    return frozenset(files("tzdata").joinpath("zones").read_text(encoding="utf-8").split())


@cache  # of names in the list only, so it stays as small as the list
def _zone(name: str) -> ZoneInfo:
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def read_zone(value: Any) -> str:
    """The name of a zone of the IANA database, byte for byte as the database writes it.

    Raises `Refused` claim_invalid for what is no text, time_zone_unknown (ACT-CON-14) for a name that is not there.
    """
    if type(value) is not str:
        raise Refused("claim_invalid", expected="the name of a time zone")
    if value not in _names():
        raise Refused("time_zone_unknown", named=value[:64], tzdata=TZDATA_VERSION)
    return value


def local_seconds(at: int, zone: str) -> int:
    """What the wall clocks of a zone show at an instant, in seconds since their own 1970-01-01T00:00:00.

    `zone` is a name that `read_zone` returned, `at` an instant from 1970 to 9999.
    """
    return at + _offset(at, _zone(zone))


def _offset(at: int, zone: ZoneInfo) -> int:
    """East of UTC, in seconds, at an instant. In the last day before the year 10000 the local date may not be writable; by
    then a zone follows its standing rule, which is the same 400 years before."""
    if at > LATEST_INSTANT - _DAY:
        at -= _CYCLE_SECONDS
    return _seconds(zone.utcoffset(zone.fromutc(_epoch_in(zone) + timedelta(seconds=at))))


@cache
def _epoch_in(zone: ZoneInfo) -> datetime:
    """1970-01-01T00:00:00 with the zone put on: what `fromutc` counts from. The system's own calendar is not asked."""
    return _EPOCH.replace(tzinfo=zone)


def first_instant(wall: int, zone: str) -> int:
    """The first instant at which the zone's wall clocks show `wall` (seconds since their own 1970) or later.

    Where clocks went back over it, that is its first time; where they were put forward over it, the moment they were.
    """
    info = _zone(zone)
    shown = (_EPOCH + timedelta(seconds=wall)).replace(tzinfo=info)
    before = _seconds(info.utcoffset(shown))
    candidate = wall - before
    if _offset(candidate, info) == before:
        return candidate
    # A gap. Fold 0 counted with the offset before it, so it lies behind us; fold 1 with the one after it, so it lies ahead.
    early, late = wall - _seconds(info.utcoffset(shown.replace(fold=1))) - 1, candidate
    while late - early > 1:
        middle = (early + late) // 2
        if middle + _offset(middle, info) >= wall:
            late = middle
        else:
            early = middle
    return late


def _seconds(offset: timedelta | None) -> int:
    assert offset is not None  # noqa: S101 - for the type checker: a ZoneInfo answers for every date and time
    return offset.days * _DAY + offset.seconds

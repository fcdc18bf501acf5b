"""The constraint on when in the week: `ext.schedule`."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from typing import Any, ClassVar, Final, Self

from act.calendar import local_seconds, read_zone
from act.delegation.constraints.base import Enforcer, Language, widened
from act.delegation.limits import Limit
from act.delegation.purchase import Purchase
from act.envelope.claims import Fields, read_fields
from act.errors import Refused
from act.values import immutable

__all__ = ["MAX_HOURS", "WEEKDAYS", "Schedule"]

WEEKDAYS: Final = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
MAX_HOURS: Final = 24
"""Most stretches of a day."""

_DAY_MINUTES: Final = 24 * 60
_HOURS: Final = re.compile(r"([0-9]{2}):([0-5][0-9])-([0-9]{2}):([0-5][0-9])")
_NAMES_ZH: Final = dict(zip(WEEKDAYS, ("周一", "周二", "周三", "周四", "周五", "周六", "周日"), strict=True))
_EPOCH_WEEKDAY: Final = 3  # 1970-01-01 was a Thursday

Minutes = tuple[int, int]
"""A stretch of the day: its first minute and the one after its last, from 0 to 1440."""


def _read_weekdays(value: Any) -> tuple[str, ...]:
    if type(value) is not list or not value:
        raise Refused("claim_invalid", expected="a list of weekdays")
    for each in value:
        if type(each) is not str or each not in _NAMES_ZH:
            raise _weekday_fault()
    if len(set(value)) != len(value):
        raise _weekday_fault()
    return tuple(value)


def _weekday_fault() -> Refused:
    return Refused("claim_invalid", expected="different days from MON to SUN")


def _read_hours(value: Any) -> tuple[Minutes, ...]:
    if type(value) is not list or not 0 < len(value) <= MAX_HOURS:
        raise Refused("claim_invalid", expected=f"a list of 1 to {MAX_HOURS} times such as 09:00-18:30")
    hours = tuple([_parse_stretch(each if type(each) is str else "") for each in value])
    if len(hours) > 1 and any(later[0] < earlier[1] for earlier, later in pairwise(sorted(hours))):
        raise Refused("claim_invalid", expected="times that do not overlap")
    return hours


@lru_cache(1_024)
def _parse_stretch(text: str) -> Minutes:
    match = _HOURS.fullmatch(text)
    if match is None:
        raise Refused("claim_invalid", expected="HH:MM-HH:MM")
    hour, minute, end_hour, end_minute = map(int, match.groups())
    start, end = hour * 60 + minute, end_hour * 60 + end_minute
    if hour > 23 or not start < end <= _DAY_MINUTES:
        raise Refused("claim_invalid", expected="a start from 00:00 and a later end, at most 24:00")
    return start, end


_FIELDS: Final = Fields({"time_zone": read_zone}, {"weekdays": _read_weekdays, "hours": _read_hours})


@immutable
class Schedule:
    """`ext.schedule`: on these weekdays, at these times of the day, as the wall clocks of a zone show them.

    None stands for every day or the whole day; at least one of the two is there. Days and times keep the signed order.
    """

    path: ClassVar[str] = "ext.schedule"
    rule: ClassVar[str] = "ACT-CON-25"
    enforced_by: ClassVar[Enforcer] = Enforcer.VERIFIER
    time_zone: str
    weekdays: tuple[str, ...] | None
    hours: tuple[Minutes, ...] | None

    @classmethod
    def read(cls, value: Any, currency: str) -> Self:
        """From a map. Raises `Refused`: claim_missing without a zone or with neither days nor times, time_zone_unknown."""
        fields = read_fields(_FIELDS, value, "")
        if len(fields) == 1:
            raise Refused("claim_missing", "weekdays", reason="a schedule has weekdays, hours or both")
        return cls(fields["time_zone"], fields.get("weekdays"), fields.get("hours"))

    def encode(self) -> Any:
        """The map."""
        encoded: dict[str, Any] = {"time_zone": self.time_zone}
        if self.weekdays is not None:
            encoded["weekdays"] = list(self.weekdays)
        if self.hours is not None:
            encoded["hours"] = [_clock(*stretch) for stretch in self.hours]
        return encoded

    def permits(self, purchase: Purchase) -> None:
        """Rule ACT-CON-25."""
        days, minute = divmod(local_seconds(purchase.at, self.time_zone) // 60, _DAY_MINUTES)
        weekday = WEEKDAYS[(days + _EPOCH_WEEKDAY) % 7]
        if self.weekdays is None or weekday in self.weekdays:
            if self.hours is None:
                return
            for start, end in self.hours:
                if start <= minute < end:
                    return
        local = f"{weekday} {minute // 60:02d}:{minute % 60:02d}"
        raise Refused("outside_schedule", self.path, local_time=local, time_zone=self.time_zone)

    def limits(self, at: int) -> tuple[Limit, ...]:
        """Nothing to count."""
        return ()

    def narrows(self, parent: Self) -> None:
        """In the same zone, no minute of the week that the parent does not have.

        Days and times are independent of each other, so each must lie within the parent's.
        """
        if self.time_zone != parent.time_zone:
            raise widened(self, link=self.time_zone, parent=parent.time_zone)
        for day in self.weekdays or WEEKDAYS:
            if parent.weekdays is not None and day not in parent.weekdays:
                raise widened(self, added=day)
        allowed = _joined(parent.hours or ((0, _DAY_MINUTES),))
        for start, end in self.hours or ((0, _DAY_MINUTES),):
            if not any(first <= start and end <= last for first, last in allowed):
                raise widened(self, added=_clock(start, end))

    def describe(self, language: Language = "en") -> str:
        """The days and times."""
        hours = [_clock(*stretch) for stretch in self.hours or ()]
        if language == "zh":
            days = "、".join(_NAMES_ZH[day] for day in self.weekdays) if self.weekdays else "每天"
            return f"仅限{days}{' ' if hours else ''}{'、'.join(hours)}（时区 {self.time_zone}）"
        parts = [f"on {', '.join(day.capitalize() for day in self.weekdays)}"] if self.weekdays else ["every day"]
        parts += [", ".join(hours)] if hours else []
        return f"only {' '.join(parts)} ({self.time_zone} time)"


def _joined(hours: tuple[Minutes, ...]) -> list[Minutes]:
    """The same minutes of the day in as few stretches as possible."""
    joined: list[Minutes] = []
    for start, end in sorted(hours):
        touches = bool(joined) and joined[-1][1] == start
        joined.append((joined.pop()[0] if touches else start, end))
    return joined


def _clock(start: int, end: int) -> str:
    return f"{start // 60:02d}:{start % 60:02d}-{end // 60:02d}:{end % 60:02d}"

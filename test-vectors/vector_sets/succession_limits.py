"""Sequences about the counts and periods of a mandate that replaces another: each goes on, or is counted anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from vector_sets.story import Quota, Story
from vector_sets.succession_story import Succession
from vector_sets.world import NOW, identity, mandate, order, paid, priced, uuid_of

__all__ = ["LIMIT_STORIES", "TOTAL", "pay", "successor_of"]

TOTAL: Final = "act.max_total_amount"
_QUOTA: Final = "act.ext.quota"
_AMOUNT: Final = "ext.quota.periods.0.max_amount"
_TIMES: Final = "ext.quota.times_limit"
_CAP: Final = 20_000
_TURN: Final = NOW + 25_200
"""Midnight in Shanghai: NOW is 17:00 of a Friday."""

_DAYS: Final = ((_TURN - 86_400, _TURN, "2026-02-06"), (_TURN, _TURN + 86_400, "2026-02-07"))
_WEEK: Final = ((_TURN - 2 * 86_400, _TURN + 5 * 86_400, "2026-02-05"),)
"""The seven days that hold NOW, counted from the anchor, a Thursday."""


def _period(unit: str, amount: str) -> dict[str, Any]:
    zone = {"time_zone": "Asia/Shanghai", "anchor": "2026-01-01"}
    return {"periods": [{"period_unit": unit, "period_count": 1, "max_amount": amount} | zone]}


def successor_of(old: bytes, changes: Mapping[str, Any], name: str = "successor") -> bytes:
    """A mandate that replaces another one, with changes, under an id of its own."""
    return mandate({"cti": uuid_of(name), "act.supersedes": identity(old)} | dict(changes))


def pay(root: bytes, number: int, minor: int, *, at: int = NOW, signer: str = "agent", request_id: str | None = None) -> bytes:
    """A payment under a mandate, signed with this key at this instant."""
    locked = {"act.order_no": f"T-{number:04d}", "iat": at - 60, "exp": at + 900}
    sold = order(locked | priced(f"{minor // 100}.{minor % 100:02d}"))
    return paid(root, sold, {"iat": at, "exp": at + 120}, signer=signer, request_id=request_id or str(number))


def _day() -> Story:
    story = Succession(
        "succeed-day", "The day's budget goes on in the same day, and begins anew with the next.", ["ACT-CON-17"]
    )
    old = story.first("old", mandate({_QUOTA: _period("DAY", "30.00")}), _CAP, Quota(_AMOUNT, 3_000, windows=_DAYS))
    more = {_QUOTA: _period("DAY", "40.00")}
    new = story.successor("new", "old", successor_of(old, more), _CAP, Quota(_AMOUNT, 4_000, windows=_DAYS))
    story.payment("payment-1", pay(old, 1, 3_000))
    story.payment("payment-2", pay(new, 2, 1_001))
    story.payment("payment-3", pay(new, 3, 1_000))
    story.payment("payment-4", pay(new, 4, 4_000, at=_TURN))
    story.authorized("payment-1", "old", "charge-1", 3_000)
    story.begins("new")
    story.refused_on_record("payment-2", "new", "period_amount_exceeded", f"{_AMOUNT}@2026-02-06")
    story.authorized("payment-3", "new", "charge-3", 1_000)
    story.captured("charge-1", 2_000, NOW + 10)
    story.authorized("payment-4", "new", "charge-4", 4_000, _TURN)
    story.voided("charge-3", _TURN + 1)
    return story


def _week() -> Story:
    story = Succession("succeed-week", "A week that takes a day's place has what the days of the week had, by the instants "
                       "of the charges.", ["ACT-CON-17"])  # fmt: skip
    old = story.first("old", mandate({_QUOTA: _period("DAY", "30.00")}), _CAP, Quota(_AMOUNT, 3_000, windows=_DAYS))
    more = {_QUOTA: _period("WEEK", "50.00")}
    new = story.successor("new", "old", successor_of(old, more), _CAP, Quota(_AMOUNT, 5_000, windows=_WEEK))
    story.payment("payment-1", pay(old, 1, 3_000))
    story.payment("payment-2", pay(old, 2, 1_000, at=_TURN))
    story.payment("payment-3", pay(new, 3, 1_001, at=_TURN + 10))
    story.payment("payment-4", pay(new, 4, 1_000, at=_TURN + 10))
    story.authorized("payment-1", "old", "charge-1", 3_000)
    story.authorized("payment-2", "old", "charge-2", 1_000, _TURN)
    story.registered("new", _TURN + 10)
    story.refused_on_record("payment-3", "new", "period_amount_exceeded", f"{_AMOUNT}@2026-02-05", _TURN + 10)
    story.authorized("payment-4", "new", "charge-4", 1_000, _TURN + 10)
    story.captured("charge-1", 2_500, _TURN + 20)
    return story


def _sliding() -> Story:
    story = Succession("succeed-sliding", "A sliding hour goes on sliding, and one that is new counts the charges of "
                       "its last seconds.", ["ACT-CON-17"])  # fmt: skip
    hour = {"periods": [{"sliding_seconds": 3_600, "max_amount": "30.00"}]}
    half = {"periods": [{"sliding_seconds": 1_800, "max_amount": "30.00"}]}
    old = story.first("old", mandate({_QUOTA: hour}), _CAP, Quota(_AMOUNT, 3_000, sliding_seconds=3_600))
    same = story.successor("same", "old", successor_of(old, {_QUOTA: hour}), _CAP, Quota(_AMOUNT, 3_000, sliding_seconds=3_600))
    other = story.successor("other", "same", successor_of(same, {_QUOTA: half}, "other"), _CAP,
                            Quota(_AMOUNT, 3_000, sliding_seconds=1_800))  # fmt: skip
    later = NOW + 1_700
    story.payment("payment-1", pay(old, 1, 2_000))
    story.payment("payment-2", pay(same, 2, 1_001, at=later))
    story.payment("payment-3", pay(same, 3, 1_000, at=later))
    story.payment("payment-4", pay(other, 4, 2_001, at=NOW + 1_800))
    story.payment("payment-5", pay(other, 5, 2_000, at=NOW + 1_800))
    story.authorized("payment-1", "old", "charge-1", 2_000)
    story.registered("same", NOW + 10)
    story.refused_on_record("payment-2", "same", "period_amount_exceeded", f"{_AMOUNT}~3600", later)
    story.authorized("payment-3", "same", "charge-3", 1_000, later)
    story.begins("other")
    story.refused_on_record("payment-4", "other", "period_amount_exceeded", f"{_AMOUNT}~1800", NOW + 1_800)
    story.authorized("payment-5", "other", "charge-5", 2_000, NOW + 1_800)
    return story


def _times() -> Story:
    story = Succession("succeed-times", "A count that is new counts the payments before; one that is gone counts no more, "
                       "and has them all when it comes back.", ["ACT-CON-16"])  # fmt: skip
    old = story.first("old", mandate({TOTAL: "200.00"}), _CAP)
    two = story.successor("two", "old", successor_of(old, {_QUOTA: {"times_limit": 2}}), _CAP, Quota(_TIMES, 2, times=True))
    free = story.successor("free", "two", successor_of(two, {TOTAL: "200.00"}, "free"), _CAP)
    four = story.successor("four", "free", successor_of(free, {_QUOTA: {"times_limit": 4}}, "four"), _CAP,
                           Quota(_TIMES, 4, times=True))  # fmt: skip
    for number, root in ((1, old), (2, old), (3, two), (4, free), (5, four), (6, four)):
        story.payment(f"payment-{number}", pay(root, number, 100))
    story.authorized("payment-1", "old", "charge-1", 100)
    story.authorized("payment-2", "old", "charge-2", 100)
    story.begins("two")
    story.refused_on_record("payment-3", "two", "times_limit_exceeded", _TIMES)
    story.begins("free")
    story.authorized("payment-4", "free", "charge-4", 100)
    story.registered("four")
    story.authorized("payment-5", "four", "charge-5", 100)
    story.refused_on_record("payment-6", "four", "times_limit_exceeded", _TIMES)
    story.voided("charge-1")
    return story


LIMIT_STORIES: Final = (_day, _week, _sliding, _times)

"""Sequences of calls under counts and periods: the edge, one beyond, and what a turn of the period changes."""

from __future__ import annotations

from typing import Any, Final

from vector_sets.story import Quota, Story
from vector_sets.world import NOW, mandate, order, paid, priced

__all__ = ["QUOTA_STORIES"]

_PATH: Final = "ext.quota.periods.0"
_DAY: Final = {"period_unit": "DAY", "period_count": 1, "time_zone": "Asia/Shanghai", "anchor": "2026-01-01"}
_TURN: Final = NOW + 25_200
"""Midnight in Shanghai: NOW is 17:00."""

_WINDOWS: Final = ((_TURN - 86_400, _TURN, "2026-02-06"), (_TURN, _TURN + 86_400, "2026-02-07"))


def _pay(root: bytes, number: int, minor: int, at: int = NOW) -> bytes:
    amount = f"{minor // 100}.{minor % 100:02d}"
    locked = {"act.order_no": f"T-{number:04d}", "iat": at - 60, "exp": at + 900}
    return paid(root, order(locked | priced(amount)), {"iat": at, "exp": at + 120}, request_id=str(number))


def _under(story: Story, quota: dict[str, Any], *limits: Quota) -> bytes:
    return story.mandate("mandate", mandate({"act.ext.quota": quota}), 20_000, limits)


def _times() -> Story:
    story = Story("times", "A count counts payments: held and captured ones, not voided ones, whatever their amount.",
                  ["ACT-CON-16"])  # fmt: skip
    root = _under(story, {"times_limit": 2}, Quota("ext.quota.times_limit", 2, times=True))
    refused = ("times_limit_exceeded", "ext.quota.times_limit")
    for number in (1, 2, 3, 4, 5):
        story.payment(f"payment-{number}", _pay(root, number, 100 * number))
    story.authorized("payment-1", "mandate", "charge-1", 100)
    story.captured("charge-1", 50)
    story.authorized("payment-2", "mandate", "charge-2", 200)
    sequence = story.refused_on_record("payment-3", "mandate", *refused)
    story.refused_again("payment-3", sequence, *refused)
    story.voided("charge-2")
    story.authorized("payment-4", "mandate", "charge-4", 400)
    story.refused_on_record("payment-5", "mandate", *refused)
    return story


def _period_amount() -> Story:
    story = Story("period-amount",
                  "What fits exactly into a day fits, a fen more does not, and at midnight in the mandate's zone it does.",
                  ["ACT-CON-17", "ACT-CON-14"])  # fmt: skip
    quota = {"periods": [_DAY | {"max_amount": "30.00"}]}
    root = _under(story, quota, Quota(f"{_PATH}.max_amount", 3_000, windows=_WINDOWS))
    refused = ("period_amount_exceeded", f"{_PATH}.max_amount@2026-02-06")
    for number, minor, at in ((1, 1_800, NOW), (2, 1_201, NOW), (3, 1_200, NOW), (4, 1, _TURN - 1), (5, 3_000, _TURN)):
        story.payment(f"payment-{number}", _pay(root, number, minor, at))
    story.payment("payment-6", _pay(root, 6, 1, _TURN + 1))
    story.authorized("payment-1", "mandate", "charge-1", 1_800)
    sequence = story.refused_on_record("payment-2", "mandate", *refused)
    story.authorized("payment-3", "mandate", "charge-3", 1_200)
    story.refused_on_record("payment-4", "mandate", *refused, _TURN - 1)
    story.authorized("payment-5", "mandate", "charge-5", 3_000, _TURN)
    story.refused_on_record("payment-6", "mandate", "period_amount_exceeded", f"{_PATH}.max_amount@2026-02-07", _TURN + 1)
    story.refused_again("payment-2", sequence, *refused, _TURN + 2)
    return story


def _late_capture() -> Story:
    story = Story("period-late-capture",
                  "A charge belongs to the day of its reservation: captured or voided later, it frees nothing of the next.",
                  ["ACT-CON-17"])  # fmt: skip
    quota = {"periods": [_DAY | {"max_amount": "30.00"}]}
    root = _under(story, quota, Quota(f"{_PATH}.max_amount", 3_000, windows=_WINDOWS))
    for number, minor, at in ((1, 2_000, NOW), (2, 1_000, NOW), (3, 3_000, _TURN), (4, 1, _TURN + 3)):
        story.payment(f"payment-{number}", _pay(root, number, minor, at))
    story.authorized("payment-1", "mandate", "charge-1", 2_000)
    story.authorized("payment-2", "mandate", "charge-2", 1_000)
    story.authorized("payment-3", "mandate", "charge-3", 3_000, _TURN)
    story.captured("charge-1", 500, _TURN + 1)
    story.voided("charge-2", _TURN + 2)
    story.refused_on_record("payment-4", "mandate", "period_amount_exceeded", f"{_PATH}.max_amount@2026-02-07", _TURN + 3)
    return story


def _period_times() -> Story:
    story = Story("period-times", "A period's count begins anew with the period, and its amount is judged before its count.",
                  ["ACT-CON-18"])  # fmt: skip
    quota = {"periods": [_DAY | {"max_amount": "30.00", "period_times": 1}]}
    amount = Quota(f"{_PATH}.max_amount", 3_000, windows=_WINDOWS)
    root = _under(story, quota, amount, Quota(f"{_PATH}.period_times", 1, times=True, windows=_WINDOWS))
    for number, minor, at in ((1, 1_800, NOW), (2, 1_201, NOW), (3, 1_200, NOW), (4, 100, _TURN)):
        story.payment(f"payment-{number}", _pay(root, number, minor, at))
    story.authorized("payment-1", "mandate", "charge-1", 1_800)
    story.refused_on_record("payment-2", "mandate", "period_amount_exceeded", f"{_PATH}.max_amount@2026-02-06")
    story.refused_on_record("payment-3", "mandate", "period_times_exceeded", f"{_PATH}.period_times@2026-02-06")
    story.authorized("payment-4", "mandate", "charge-4", 100, _TURN)
    return story


def _sliding() -> Story:
    story = Story("sliding",
                  "A sliding hour has no boundary: what was reserved counts until an hour later, to the second, and a clock "
                  "that goes back frees nothing.", ["ACT-CON-17"])  # fmt: skip
    quota = {"periods": [{"sliding_seconds": 3_600, "max_amount": "30.00"}]}
    root = _under(story, quota, Quota(f"{_PATH}.max_amount", 3_000, sliding_seconds=3_600))
    refused = ("period_amount_exceeded", f"{_PATH}.max_amount~3600")
    later = NOW + 1_800
    steps = ((1, 2_000, NOW), (2, 1_000, later), (3, 1, NOW + 3_599), (4, 2_000, NOW + 3_600), (5, 1, NOW + 3_601))
    for number, minor, at in steps:
        story.payment(f"payment-{number}", _pay(root, number, minor, at))
    story.payment("payment-6", _pay(root, 6, 1, NOW + 10))
    story.payment("payment-7", _pay(root, 7, 600, NOW + 3_610))
    story.authorized("payment-1", "mandate", "charge-1", 2_000)
    story.authorized("payment-2", "mandate", "charge-2", 1_000, later)
    story.refused_on_record("payment-3", "mandate", *refused, NOW + 3_599)
    story.authorized("payment-4", "mandate", "charge-4", 2_000, NOW + 3_600)
    story.refused_on_record("payment-5", "mandate", *refused, NOW + 3_601)
    story.refused_on_record("payment-6", "mandate", *refused, NOW + 10)
    story.captured("charge-2", 400, NOW + 3_605)
    story.authorized("payment-7", "mandate", "charge-7", 600, NOW + 3_610)
    return story


QUOTA_STORIES: Final = (_times, _period_amount, _late_capture, _period_times, _sliding)

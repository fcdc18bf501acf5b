"""What must be counted: caps, what was used of them, and the one judgement of whether more fits.

Cart pre-check, ledger and wallet all ask `judge`, so that none of them can count differently (PSD-PAY-DEL: the cumulative
check uses the payment service's own record).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from act.calendar import Window
from act.errors import Refused
from act.values import immutable

__all__ = ["UNUSED", "Limit", "Unit", "Usage", "judge"]


class Unit(StrEnum):
    """What a limit counts."""

    AMOUNT = "AMOUNT"  # minor units of the mandate's currency
    TIMES = "TIMES"  # payments: each counts one, whatever its amount


@immutable
class Limit:
    """A cap on something that accumulates; `cap` is in the limit's `unit`, and `code` is its refusal.

    `name` is the counter's key: the constraint's ACT path. A limit that starts anew with each calendar period says in `window`
    which one this is, and its name ends in the window's mark (`...max_amount@2026-02-01`). A sliding limit counts what was
    reserved in the last `sliding_seconds`, after instant `since`, and its name ends in them (`...max_amount~86400`). What was
    reserved later than the question's own instant counts as well: a clock that goes back admits nothing more. Never both.
    """

    name: str
    cap: int
    code: str
    unit: Unit = Unit.AMOUNT
    window: Window | None = None
    sliding_seconds: int | None = None
    since: int | None = None

    def below(self, link: str) -> Limit:
        """The same limit of a link: its counter is named behind the link's own name."""
        return Limit(f"{link}/{self.name}", self.cap, self.code, self.unit, self.window, self.sliding_seconds, self.since)

    def debit(self, amount_minor: int) -> int:
        """What a payment of that amount takes of the limit."""
        return amount_minor if self.unit is Unit.AMOUNT else 1


@immutable
class Usage:
    """How much of a limit is held and how much is captured, in the limit's unit."""

    held: int
    captured: int

    @property
    def total(self) -> int:
        """Held and captured together: what is no longer there to spend."""
        return self.held + self.captured


UNUSED: Final = Usage(0, 0)


def judge(limit: Limit, usage: Usage, amount_minor: int) -> None:
    """Returns if `held + captured + debit <= cap`, the debit being the amount or one time.

    Otherwise raises `Refused` with the limit's code, its name and what is left; of a calendar window also when it turns
    (`turns_at`, seconds since 1970), of a sliding one how long it is: when it will have room depends on what is still captured.
    """
    left = limit.cap - usage.held - usage.captured
    if limit.debit(amount_minor) <= left:
        return
    left = max(left, 0)  # a sliding window behind a clock that went back may hold more than its cap
    facts: dict[str, int | str]
    if limit.unit is Unit.AMOUNT:
        facts = {"cap_minor": limit.cap, "left_minor": left, "asked_minor": amount_minor}
    else:
        facts = {"cap_times": limit.cap, "left_times": left}
    if limit.window is not None:
        facts["turns_at"] = limit.window.end
    if limit.sliding_seconds is not None:
        facts["sliding_seconds"] = limit.sliding_seconds
    raise Refused(limit.code, limit.name, **facts)

"""What must be counted: caps, what was used of them, and the one judgement of whether more fits.

Cart pre-check, ledger and wallet all ask `judge`, so that none of them can count differently (PSD-PAY-DEL: the cumulative
check uses the payment service's own record).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from act.errors import Refused

__all__ = ["UNUSED", "Limit", "Usage", "judge"]


@dataclass(frozen=True, slots=True)
class Limit:
    """A cap on something that accumulates. `name` is the constraint's ACT path and the counter's key; `code` its refusal."""

    name: str
    cap_minor: int
    code: str


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of a limit is held and how much is captured, in minor units."""

    held_minor: int
    captured_minor: int

    @property
    def total_minor(self) -> int:
        """Held and captured together: what is no longer there to spend."""
        return self.held_minor + self.captured_minor


UNUSED: Final = Usage(0, 0)


def judge(limit: Limit, usage: Usage, debit_minor: int) -> None:
    """Returns if `held + captured + debit <= cap`; otherwise raises `Refused` with the limit's code, its place and what is
    left."""
    left_minor = limit.cap_minor - usage.held_minor - usage.captured_minor
    if debit_minor > left_minor:
        raise Refused(limit.code, limit.name, cap_minor=limit.cap_minor, left_minor=left_minor, asked_minor=debit_minor)

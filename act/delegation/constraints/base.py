"""What every constraint is: a closed class with a permanent place in the registry."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar, Final, Literal, Protocol, Self

from act.delegation.limits import Limit
from act.delegation.purchase import Purchase
from act.errors import Refused

__all__ = ["BEHAVIOUR_RULE", "Constraint", "Enforcer", "Language", "widened"]

Language = Literal["en", "zh"]


BEHAVIOUR_RULE: Final = "ACT-CHN-09"
"""The rule of constraints that bind behaviour: they permit every payment; a link repeats its parent's or leaves them out."""


class Enforcer(StrEnum):
    """Who holds a payment to a constraint."""

    VERIFIER = "verifier"  # decidable from the payment alone
    LEDGER = "ledger"  # needs what was spent before
    AGENT = "agent"  # how to behave: permits every payment, and binds who makes it


class Constraint(Protocol):
    """One bound a principal set. Instances are immutable and judge by themselves: no I/O, no clock, no other constraint."""

    path: ClassVar[str]
    """ACT's own name with its block, such as `ext.commerce.max_single_amount`; also the counter's name where it counts."""

    rule: ClassVar[str]
    enforced_by: ClassVar[Enforcer]

    @classmethod
    def read(cls, value: Any, currency: str) -> Self:
        """From the decoded wire value; raises `Refused` (claim_invalid, amount_invalid) without a place."""

    def encode(self) -> Any:
        """The wire value that `read` takes back."""

    def permits(self, purchase: Purchase) -> None:
        """Returns if this constraint allows the purchase; raises `Refused` with its own code otherwise."""

    def limits(self, at: int) -> tuple[Limit, ...]:
        """What the ledger has to count for a payment made at instant `at`."""

    def narrows(self, parent: Self) -> None:
        """Returns if every purchase that this permits, `parent` permits too; raises `Refused` otherwise: link_widens
        (ACT-CHN-07), or a code of its own. It may refuse what it cannot prove; it never returns for something wider."""

    def describe(self, language: Language = "en") -> str:
        """The bound in plain words, for the principal who signs it."""


class _Placed(Protocol):
    path: ClassVar[str]


def widened(constraint: _Placed, **facts: int | str) -> Refused:
    """The refusal of a link whose constraint allows more than its parent's (ACT-CHN-07)."""
    return Refused("link_widens", constraint.path, **facts)

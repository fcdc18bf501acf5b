"""TEMPORARY until the constraints slice is merged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from act.delegation.constraints.base import Enforcer, Language, widened
from act.delegation.limits import Limit
from act.delegation.purchase import Purchase
from act.errors import Refused

MAX_DEPTH = 8


@dataclass(frozen=True, slots=True)
class MaxDepth:
    """d"""

    path: ClassVar[str] = "ext.delegation.max_depth"
    rule: ClassVar[str] = "ACT-PAY-15"
    enforced_by: ClassVar[Enforcer] = Enforcer.VERIFIER
    depth: int

    @classmethod
    def read(cls, value: Any, currency: str) -> Self:
        """d"""
        if type(value) is not int or not 1 <= value <= MAX_DEPTH:
            raise Refused("claim_invalid", expected="1 to 8")
        return cls(value)

    def encode(self) -> Any:
        """d"""
        return self.depth

    def permits(self, purchase: Purchase) -> None:
        """d"""

    def limits(self, at: int) -> tuple[Limit, ...]:
        """d"""
        return ()

    def narrows(self, parent: Self) -> None:
        """d"""
        if self.depth > parent.depth - 1:
            raise widened(self)

    def describe(self, language: Language = "en") -> str:
        """d"""
        return f"最多可再转授 {self.depth} 层" if language == "zh" else f"sub-agents at most {self.depth} deep"

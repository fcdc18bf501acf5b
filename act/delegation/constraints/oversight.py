"""How the principal keeps a hand on a mandate: sub-agents, and the mandate's status. What counts payments is elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

from act.delegation.constraints.base import Enforcer, Language, widened
from act.delegation.constraints.repeated import Choice, PermitsAll
from act.envelope.claims import Fields, read_fields, read_raw
from act.errors import Refused
from act.money import Amount
from act.values import immutable

__all__ = ["HONOR", "MAX_DEPTH", "MAX_STEPS", "VOID", "MaxDepth", "MaxStaleness", "OnRevoke", "StalenessStep"]

MAX_DEPTH: Final = 8
"""Links below one mandate: more hands than any honest errand passes through."""

MAX_STEPS: Final = 8
"""Steps of one `max_staleness`."""

MAX_STALENESS_SECONDS: Final = 31_536_000
"""A year."""

HONOR: Final = "honor"
VOID: Final = "void"


@dataclass(frozen=True, slots=True)
class MaxDepth(PermitsAll):
    """`ext.delegation.max_depth`: how many links may stand below. Absent, there may be none: nobody consented to sub-agents."""

    path: ClassVar[str] = "ext.delegation.max_depth"
    rule: ClassVar[str] = "ACT-PAY-15"
    enforced_by: ClassVar[Enforcer] = Enforcer.VERIFIER
    depth: int

    @classmethod
    def read(cls, value: Any, currency: str) -> Self:
        """From a whole number, 1 to `MAX_DEPTH`."""
        if type(value) is not int or not 0 < value <= MAX_DEPTH:
            raise Refused("claim_invalid", expected=f"a whole number from 1 to {MAX_DEPTH}")
        return cls(value)

    def encode(self) -> Any:
        """The number."""
        return self.depth

    def narrows(self, parent: Self) -> None:
        """At least one less than the parent's: the link itself is one."""
        if self.depth > parent.depth - 1:
            raise widened(self, link=self.depth, parent=parent.depth)

    def describe(self, language: Language = "en") -> str:
        """How far."""
        if language == "zh":
            return f"代理人可转委托,最多 {self.depth} 层"
        return f"the agent may delegate to sub-agents, at most {self.depth} deep"


def _read_seconds(value: object) -> int:
    if type(value) is not int or not 0 <= value <= MAX_STALENESS_SECONDS:
        raise Refused("claim_invalid", expected=f"whole seconds from 0 to {MAX_STALENESS_SECONDS}")
    return value


_STEP: Final = Fields({"seconds": _read_seconds}, {"above_amount": read_raw})


@immutable
class StalenessStep:
    """Payments above an amount (None: all) need a status of at most so many seconds' age."""

    seconds: int
    above_amount: Amount | None

    @property
    def above_minor(self) -> int:
        """The amount in minor units, 0 when all payments are meant."""
        return self.above_amount.minor if self.above_amount is not None else 0


@immutable
class MaxStaleness(PermitsAll):
    """`ext.status.max_staleness`: how old a status may be, by the payment's amount: the more money, the fresher.

    It permits every payment in this version: the ledger reads the status in the very transaction, where its age is 0.
    """

    path: ClassVar[str] = "ext.status.max_staleness"
    rule: ClassVar[str] = "ACT-PAY-16"
    enforced_by: ClassVar[Enforcer] = Enforcer.LEDGER
    steps: tuple[StalenessStep, ...]

    @classmethod
    def read(cls, value: Any, currency: str) -> Self:
        """From a list of 1 to `MAX_STEPS` maps: the first for all payments, each other for those above a larger amount, with
        fewer seconds; raises `Refused` with the place inside the list."""
        if type(value) is not list or not 0 < len(value) <= MAX_STEPS:
            raise Refused("claim_invalid", expected=f"a list of 1 to {MAX_STEPS} steps")
        steps = tuple([_read_step(each, currency, place) for place, each in enumerate(value)])
        before = steps[0]
        for place, after in enumerate(steps[1:], 1):
            if not before.above_minor < after.above_minor:
                raise Refused("claim_invalid", f"{place}.above_amount", expected="more than in the step before")
            if not before.seconds > after.seconds:
                raise Refused("claim_invalid", f"{place}.seconds", expected="less than in the step before")
            before = after
        return cls(steps)

    def encode(self) -> Any:
        """The list."""
        return [
            {"seconds": step.seconds} | ({"above_amount": step.above_amount.text} if step.above_amount is not None else {})
            for step in self.steps
        ]

    def allowed_seconds(self, amount_minor: int) -> int:
        """How old the status may be for a payment of this amount: the last step that it is above."""
        return next(step.seconds for step in reversed(self.steps) if amount_minor > step.above_minor)

    def narrows(self, parent: Self) -> None:
        """At no amount an older status than the parent's allows; the allowance changes just above each step's amount."""
        currencies = {step.above_amount.currency for step in (*self.steps, *parent.steps) if step.above_amount is not None}
        if len(currencies) > 1:
            raise widened(self, reason="another currency")
        for step in (*self.steps, *parent.steps):
            minor = step.above_minor + 1
            link, allowed = self.allowed_seconds(minor), parent.allowed_seconds(minor)
            if link > allowed:
                raise widened(self, above_minor=step.above_minor, link=link, parent=allowed)

    def describe(self, language: Language = "en") -> str:
        """How fresh."""
        return (";" if language == "zh" else "; ").join(_describe_step(step, language) for step in self.steps)


def _read_step(value: Any, currency: str, place: int) -> StalenessStep:
    try:
        fields = read_fields(_STEP, value, "")
        if ("above_amount" in fields) != (place > 0):
            code = "claim_missing" if place else "claim_invalid"
            raise Refused(code, "above_amount", expected="in every step but the first")
        above = Amount.parse(fields["above_amount"], currency, "above_amount") if place else None
    except Refused as refusal:
        raise refusal.within(str(place)) from None
    return StalenessStep(fields["seconds"], above)


def _describe_step(step: StalenessStep, language: Language) -> str:
    if language == "zh":
        scope = "" if step.above_amount is None else f"超过 {step.above_amount} 的支付:"
        return f"{scope}授权状态须在 {step.seconds} 秒内查询过"
    scope = "" if step.above_amount is None else f" for payments above {step.above_amount}"
    return f"the mandate's status is at most {step.seconds} seconds old{scope}"


@dataclass(frozen=True, slots=True)
class OnRevoke(Choice):
    """`ext.status.on_revoke`: what becomes of money that is held when the mandate is revoked. Absent means `honor`."""

    path: ClassVar[str] = "ext.status.on_revoke"
    enforced_by: ClassVar[Enforcer] = Enforcer.LEDGER
    described: ClassVar[Mapping[str, tuple[str, str]]] = {
        HONOR: ("when revoked, money that is held may still be captured", "撤销后,已冻结的金额仍可扣款"),
        VOID: ("when revoked, money that is held is released", "撤销时,尚未扣款的冻结金额全部释放"),
    }

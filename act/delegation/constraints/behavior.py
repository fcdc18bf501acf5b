"""`ext.agent_behavior`: how far a price may move, and what the agent does when it moved further or a payment failed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

from act.delegation.constraints.base import Constraint, Enforcer, Language, widened
from act.delegation.constraints.items import ItemEntry, Items, covers_prices, match_items, require_price
from act.delegation.constraints.repeated import Choice, Repeated
from act.delegation.limits import Limit
from act.delegation.purchase import Purchase
from act.errors import Refused
from act.money import MINOR_LIMIT, Amount

__all__ = [
    "MAX_RETRIES",
    "MaxRetryCount",
    "OnPaymentFailure",
    "PriceDeviationAction",
    "PriceDeviationTolerance",
    "measured_tolerance",
    "require_consistent_behavior",
]

MAX_RETRIES: Final = 100
"""More tries than any honest agent makes of one payment."""

_WHOLE: Final = 10_000  # 100 percent, in hundredths of one
_PERCENT: Final = re.compile(r"(0|[1-9][0-9]?|100)(?:\.([0-9][1-9]|[1-9]))?")


@dataclass(frozen=True, slots=True)
class PriceDeviationTolerance:
    """`ext.agent_behavior.price_deviation_tolerance`: how many percent above the confirmed price an item may cost.

    It is measured from `confirmed_unit_amount` of the mandate's own `ext.items`, whose entries it holds, and from nothing else.
    `percent_hundredths` is the tolerance in hundredths of a percent. A lower price is no deviation.
    """

    path: ClassVar[str] = "ext.agent_behavior.price_deviation_tolerance"
    rule: ClassVar[str] = "ACT-CON-22"
    enforced_by: ClassVar[Enforcer] = Enforcer.VERIFIER
    percent_hundredths: int
    entries: tuple[ItemEntry, ...] = ()

    @classmethod
    def read(cls, value: Any, currency: str) -> Self:
        """From a percentage as text, "0" to "100", with at most two decimals and no zero at their end; the entries come later,
        from `measured_tolerance`."""
        match = _PERCENT.fullmatch(value) if type(value) is str else None
        if match is None:
            raise Refused("claim_invalid", expected="a percentage from 0 to 100 as text, such as 5 or 2.5")
        hundredths = int(match[1]) * 100 + int((match[2] or "").ljust(2, "0"))
        if hundredths > _WHOLE:
            raise Refused("claim_invalid", expected="a percentage of at most 100")
        return cls(hundredths)

    def encode(self) -> Any:
        """The percentage as text."""
        whole, rest = divmod(self.percent_hundredths, 100)
        return f"{whole}.{rest:02d}".rstrip("0") if rest else str(whole)

    def ceiling(self, entry: ItemEntry) -> Amount | None:
        """The most an item of the entry may cost: the confirmed price and its tolerance, whose fraction of a minor unit is
        dropped. None without a confirmed price."""
        confirmed = entry.confirmed_unit_amount
        return None if confirmed is None else Amount(self._most_minor(confirmed.minor), confirmed.currency)

    def _most_minor(self, confirmed_minor: int) -> int:
        return min(confirmed_minor + confirmed_minor * self.percent_hundredths // _WHOLE, MINOR_LIMIT - 1)

    def permits(self, purchase: Purchase) -> None:
        """Rule ACT-CON-22. It judges the mandate's items only: another one is refused as `ext.items` refuses it."""
        if not self.entries:
            return
        matched = match_items(self.entries, purchase)
        for place, entry in enumerate(self.entries):
            confirmed = entry.confirmed_unit_amount
            if confirmed is not None:
                most_minor = self._most_minor(confirmed.minor)
                require_price(entry, place, most_minor, matched[place], "price_deviation_exceeded", self.path)

    def limits(self, at: int) -> tuple[Limit, ...]:
        """Nothing to count."""
        return ()

    def narrows(self, parent: Self) -> None:
        """Whatever the parent lets cost at most so much costs at most so much here: from which price and by how many percent
        each arrives at it does not matter."""
        if self == parent or not parent.entries:
            return
        if not self.entries or any(not any(entry.lies_within(each) for each in parent.entries) for entry in self.entries):
            raise widened(self, reason="an item that the parent does not name")
        for place, each in enumerate(parent.entries):
            most = parent.ceiling(each)
            if most is not None and not covers_prices(self.entries, each, most, self.ceiling):
                raise widened(self, parent_entry=place, parent_amount=str(most))

    def describe(self, language: Language = "en") -> str:
        """The tolerance."""
        percent = self.encode()
        return (
            f"单价最多比确认价高 {percent}%"
            if language == "zh"
            else f"no item more than {percent}% above the price confirmed for it"
        )


@dataclass(frozen=True, slots=True)
class PriceDeviationAction(Choice):
    """`ext.agent_behavior.price_deviation_action`: what the agent does when a price is beyond its tolerance."""

    path: ClassVar[str] = "ext.agent_behavior.price_deviation_action"
    enforced_by: ClassVar[Enforcer] = Enforcer.AGENT
    described: ClassVar[Mapping[str, tuple[str, str]]] = {
        "PAUSE_AND_NOTIFY": ("if a price rises further, the agent pauses and asks", "价格超出容忍范围时,代理人暂停并通知"),
        "AUTO_CANCEL": ("if a price rises further, the agent cancels", "价格超出容忍范围时,代理人自动取消"),
    }


@dataclass(frozen=True, slots=True)
class OnPaymentFailure(Choice):
    """`ext.agent_behavior.on_payment_failure`: what the agent does when a payment failed."""

    path: ClassVar[str] = "ext.agent_behavior.on_payment_failure"
    enforced_by: ClassVar[Enforcer] = Enforcer.AGENT
    described: ClassVar[Mapping[str, tuple[str, str]]] = {
        "AUTO_RETRY": ("if a payment fails, the agent tries again", "支付失败时,代理人自动重试"),
        "CANCEL": ("if a payment fails, the agent gives up", "支付失败时,代理人取消"),
    }


@dataclass(frozen=True, slots=True)
class MaxRetryCount(Repeated):
    """`ext.agent_behavior.max_retry_count`: how often the agent tries a failed payment again."""

    path: ClassVar[str] = "ext.agent_behavior.max_retry_count"
    enforced_by: ClassVar[Enforcer] = Enforcer.AGENT
    count: int

    @classmethod
    def read(cls, value: Any, currency: str) -> Self:
        """From a whole number, 0 to `MAX_RETRIES`."""
        if type(value) is not int or not 0 <= value <= MAX_RETRIES:
            raise Refused("claim_invalid", expected=f"a whole number from 0 to {MAX_RETRIES}")
        return cls(value)

    def encode(self) -> Any:
        """The number."""
        return self.count

    def describe(self, language: Language = "en") -> str:
        """How often."""
        return (
            f"失败后最多重试 {self.count} 次" if language == "zh" else f"at most {self.count} further tries of a failed payment"
        )


def measured_tolerance(items: Constraint | None, tolerance: Constraint | None) -> PriceDeviationTolerance | None:
    """The price tolerance with the entries it is measured from; None where no price was confirmed.

    Confirmed prices without a tolerance have one of 0: what nobody allowed is not allowed. A tolerance without a confirmed
    price is measured from nothing: raises `Refused` constraint_conflict (ACT-CON-12).
    """
    entries = items.entries if isinstance(items, Items) else ()
    percent_hundredths = tolerance.percent_hundredths if isinstance(tolerance, PriceDeviationTolerance) else 0
    for entry in entries:
        if entry.confirmed_unit_amount is not None:
            return PriceDeviationTolerance(percent_hundredths, entries)
    if tolerance is not None:
        raise Refused("constraint_conflict", PriceDeviationTolerance.path, reason="no item has a confirmed price")
    return None


def require_consistent_behavior(constraints: Mapping[str, Constraint]) -> None:
    """Rule ACT-CON-12: an agent that gives up on failure has no tries left; raises `Refused` constraint_conflict."""
    failure, retries = constraints.get(OnPaymentFailure.path), constraints.get(MaxRetryCount.path)
    if not isinstance(failure, OnPaymentFailure) or not isinstance(retries, MaxRetryCount):
        return
    if failure.choice == "CANCEL" and retries.count:
        raise Refused("constraint_conflict", retries.path, on_payment_failure=failure.choice, retries=retries.count)

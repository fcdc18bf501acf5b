"""Constraints on how much: the total, one payment's most and least, and from where on the principal is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from act.delegation.constraints.base import Enforcer, Language, widened
from act.delegation.limits import UNUSED, Limit, judge
from act.delegation.purchase import Purchase
from act.errors import Refused
from act.money import Amount

__all__ = ["AboveAmount", "AmountBound", "MaxSingleAmount", "MaxTotalAmount", "MinSingleAmount"]


@dataclass(frozen=True, slots=True)
class AmountBound:
    """An amount in the mandate's currency. It judges no payment in another one: nothing is ever converted (ACT-CON-02)."""

    path: ClassVar[str]
    amount: Amount

    @classmethod
    def read(cls, value: Any, currency: str) -> Self:
        """From a decimal string with exactly the currency's digits."""
        return cls(Amount.parse(value, currency))

    def encode(self) -> Any:
        """The decimal string."""
        return self.amount.text

    def limits(self, at: int) -> tuple[Limit, ...]:
        """Nothing to count."""
        return ()

    def _in_another_currency(self, purchase: Purchase) -> Refused:
        asked = purchase.amount.currency
        return Refused("currency_mismatch", "mandate.currency", mandate=self.amount.currency, payment=asked)


@dataclass(frozen=True, slots=True)
class _Cap(AmountBound):
    """An amount that a link may lower."""

    def narrows(self, parent: Self) -> None:
        """Not more than the parent's, in the same currency."""
        if self.amount.currency != parent.amount.currency or self.amount.minor > parent.amount.minor:
            raise widened(self, link=str(self.amount), parent=str(parent.amount))


@dataclass(frozen=True, slots=True)
class MaxTotalAmount(_Cap):
    """`max_total_amount`: all payments together, as the one ledger counts them."""

    path: ClassVar[str] = "max_total_amount"
    rule: ClassVar[str] = "ACT-CON-06"
    enforced_by: ClassVar[Enforcer] = Enforcer.LEDGER

    def permits(self, purchase: Purchase) -> None:
        """Rule ACT-CON-06 for a mandate nothing was spent of: what even this refuses needs no ledger."""
        if purchase.amount.currency != self.amount.currency:
            raise self._in_another_currency(purchase)
        if purchase.amount.minor > self.amount.minor:
            judge(self.limits(purchase.at)[0], UNUSED, purchase.amount.minor)

    def limits(self, at: int) -> tuple[Limit, ...]:
        """The total."""
        return (Limit(self.path, self.amount.minor, "total_limit_exceeded"),)

    def describe(self, language: Language = "en") -> str:
        """The total."""
        return f"总计不超过 {self.amount}" if language == "zh" else f"at most {self.amount} in total"


@dataclass(frozen=True, slots=True)
class MaxSingleAmount(_Cap):
    """`ext.commerce.max_single_amount`: one payment at most."""

    path: ClassVar[str] = "ext.commerce.max_single_amount"
    rule: ClassVar[str] = "ACT-CON-03"
    enforced_by: ClassVar[Enforcer] = Enforcer.VERIFIER

    def permits(self, purchase: Purchase) -> None:
        """Rule ACT-CON-03."""
        if purchase.amount.currency != self.amount.currency:
            raise self._in_another_currency(purchase)
        if purchase.amount.minor > self.amount.minor:
            raise Refused("single_limit_exceeded", self.path, cap_minor=self.amount.minor, asked_minor=purchase.amount.minor)

    def describe(self, language: Language = "en") -> str:
        """The most."""
        return f"单笔不超过 {self.amount}" if language == "zh" else f"at most {self.amount} in one payment"


@dataclass(frozen=True, slots=True)
class MinSingleAmount(AmountBound):
    """`ext.commerce.min_single_amount`: one payment at least."""

    path: ClassVar[str] = "ext.commerce.min_single_amount"
    rule: ClassVar[str] = "ACT-CON-04"
    enforced_by: ClassVar[Enforcer] = Enforcer.VERIFIER

    def permits(self, purchase: Purchase) -> None:
        """Rule ACT-CON-04."""
        if purchase.amount.currency != self.amount.currency:
            raise self._in_another_currency(purchase)
        if purchase.amount.minor < self.amount.minor:
            raise Refused("single_minimum_missed", self.path, floor_minor=self.amount.minor, asked_minor=purchase.amount.minor)

    def narrows(self, parent: Self) -> None:
        """Not less than the parent's, in the same currency."""
        if self.amount.currency != parent.amount.currency or self.amount.minor < parent.amount.minor:
            raise widened(self, link=str(self.amount), parent=str(parent.amount))

    def describe(self, language: Language = "en") -> str:
        """The least."""
        return f"单笔不少于 {self.amount}" if language == "zh" else f"at least {self.amount} in one payment"


@dataclass(frozen=True, slots=True)
class AboveAmount(_Cap):
    """`ext.step_up.above_amount`: above it, the principal has to confirm the very payment."""

    path: ClassVar[str] = "ext.step_up.above_amount"
    rule: ClassVar[str] = "ACT-CON-15"
    enforced_by: ClassVar[Enforcer] = Enforcer.VERIFIER

    def permits(self, purchase: Purchase) -> None:
        """Rule ACT-CON-15."""
        if purchase.amount.currency != self.amount.currency:
            raise self._in_another_currency(purchase)
        if purchase.amount.minor > self.amount.minor and not purchase.confirmed:
            asked = purchase.amount.minor
            raise Refused("confirmation_required", self.path, above_minor=self.amount.minor, asked_minor=asked)

    def describe(self, language: Language = "en") -> str:
        """From where on."""
        if language == "zh":
            return f"单笔超过 {self.amount} 时须由委托人逐笔确认"
        return f"above {self.amount} only with the principal's confirmation of that payment"

"""Constraints on where and how: payees, categories, payment methods. Entries are literal; there are no patterns."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from act.delegation.constraints.base import Enforcer, Language, widened
from act.delegation.limits import Limit
from act.delegation.purchase import Purchase
from act.envelope.claims import read_texts
from act.errors import Refused
from act.values import immutable

__all__ = ["AllowedCategories", "AllowedMerchants", "AllowedPaymentMethods", "ForbiddenCategories", "ForbiddenMerchants"]


@immutable
class _Entries:
    """A set of identifiers, kept in the signed order."""

    enforced_by: ClassVar[Enforcer] = Enforcer.VERIFIER
    entries: tuple[str, ...]

    @classmethod
    def read(cls, value: Any, currency: str) -> Self:
        """From a list of different texts."""
        return cls(read_texts(value))

    def encode(self) -> Any:
        """The list."""
        return list(self.entries)

    def limits(self, at: int) -> tuple[Limit, ...]:
        """Nothing to count."""
        return ()

    def _listed(self, language: Language) -> str:
        return ("、" if language == "zh" else ", ").join(self.entries)


@immutable
class AllowedPaymentMethods(_Entries):
    """`allowed_payment_methods`."""

    path: ClassVar[str] = "allowed_payment_methods"
    rule: ClassVar[str] = "ACT-CON-05"

    def permits(self, purchase: Purchase) -> None:
        """Rule ACT-CON-05."""
        if purchase.payment_method not in self.entries:
            raise Refused("payment_method_not_allowed", self.path, asked=purchase.payment_method)

    def narrows(self, parent: Self) -> None:
        """Nothing the parent does not allow."""
        for entry in self.entries:
            if entry not in parent.entries:
                raise widened(self, added=entry)

    def describe(self, language: Language = "en") -> str:
        """The methods."""
        return ("支付方式仅限:" if language == "zh" else "paid only by ") + self._listed(language)


@immutable
class AllowedMerchants(_Entries):
    """`ext.commerce.allowed_merchants`."""

    path: ClassVar[str] = "ext.commerce.allowed_merchants"
    rule: ClassVar[str] = "ACT-CON-07"

    def permits(self, purchase: Purchase) -> None:
        """Rule ACT-CON-07."""
        if purchase.payee not in self.entries:
            raise Refused("payee_not_allowed", self.path, asked=purchase.payee)

    def narrows(self, parent: Self) -> None:
        """Nothing the parent does not allow."""
        for entry in self.entries:
            if entry not in parent.entries:
                raise Refused("link_payee_added", self.path, added=entry)

    def describe(self, language: Language = "en") -> str:
        """The shops."""
        return ("商户仅限:" if language == "zh" else "only at ") + self._listed(language)


@immutable
class ForbiddenMerchants(_Entries):
    """`ext.commerce.forbidden_merchants`."""

    path: ClassVar[str] = "ext.commerce.forbidden_merchants"
    rule: ClassVar[str] = "ACT-CON-08"

    def permits(self, purchase: Purchase) -> None:
        """Rule ACT-CON-08."""
        if purchase.payee in self.entries:
            raise Refused("payee_forbidden", self.path, asked=purchase.payee)

    def narrows(self, parent: Self) -> None:
        """Everything the parent forbids."""
        for entry in parent.entries:
            if entry not in self.entries:
                raise widened(self, dropped=entry)

    def describe(self, language: Language = "en") -> str:
        """The shops."""
        return ("禁止商户:" if language == "zh" else "never at ") + self._listed(language)


@immutable
class AllowedCategories(_Entries):
    """`ext.commerce.allowed_categories`: everything the payee is known to sell, and every label of the order, is allowed."""

    path: ClassVar[str] = "ext.commerce.allowed_categories"
    rule: ClassVar[str] = "ACT-CON-09"

    def permits(self, purchase: Purchase) -> None:
        """Rule ACT-CON-09. A payee without a category on record is refused: nothing says that it sells what is allowed."""
        if not purchase.categories:
            raise Refused("category_not_allowed", self.path, payee_category="none on record")
        for categories in (purchase.categories, purchase.item_categories):
            for category in categories:
                if category not in self.entries:
                    raise Refused("category_not_allowed", self.path, asked=min(categories.difference(self.entries)))

    def narrows(self, parent: Self) -> None:
        """Nothing the parent does not allow."""
        for entry in self.entries:
            if entry not in parent.entries:
                raise widened(self, added=entry)

    def describe(self, language: Language = "en") -> str:
        """The categories."""
        return ("品类仅限:" if language == "zh" else "only for ") + self._listed(language)


@immutable
class ForbiddenCategories(_Entries):
    """`ext.commerce.forbidden_categories`: nothing the payee is known to sell, and no label of the order, is forbidden."""

    path: ClassVar[str] = "ext.commerce.forbidden_categories"
    rule: ClassVar[str] = "ACT-CON-10"

    def permits(self, purchase: Purchase) -> None:
        """Rule ACT-CON-10. A payee without a category on record is refused: nothing says that it sells nothing forbidden."""
        if not purchase.categories:
            raise Refused("category_forbidden", self.path, payee_category="none on record")
        for categories in (purchase.categories, purchase.item_categories):
            if not categories.isdisjoint(self.entries):
                raise Refused("category_forbidden", self.path, asked=min(categories.intersection(self.entries)))

    def narrows(self, parent: Self) -> None:
        """Everything the parent forbids."""
        for entry in parent.entries:
            if entry not in self.entries:
                raise widened(self, dropped=entry)

    def describe(self, language: Language = "en") -> str:
        """The categories."""
        return ("禁止品类:" if language == "zh" else "never for ") + self._listed(language)

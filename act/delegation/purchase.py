"""The facts of one payment that constraints judge. Built by the verifier from authenticated objects only."""

from __future__ import annotations

from dataclasses import dataclass

from act.money import Amount

__all__ = ["Purchase"]


@dataclass(frozen=True, slots=True)
class Purchase:
    """What is about to be paid. Identifiers are compared byte for byte; names are display only and are not here.

    `categories` is what the payment service's merchant record says the payee sells. `item_categories` is how the order labels
    its items: merchants label gift cards "tea", so a label can narrow what the record allows and never widen it.
    """

    payee: str
    categories: frozenset[str]
    item_categories: frozenset[str]
    amount: Amount
    payment_method: str
    scenario: str
    at: int

"""The facts of one payment that constraints judge. Built by the verifier from authenticated objects only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from act.money import Amount

__all__ = ["Purchase", "PurchasedItem"]


class PurchasedItem(Protocol):
    """One line of the order that is paid, as the payee signed it; an order's own lines fit as they are."""

    @property
    def sku(self) -> str:
        """The item's id at the payee."""

    @property
    def category(self) -> str:
        """The payee's own label."""

    @property
    def name(self) -> str:
        """What the payee calls it."""

    @property
    def quantity(self) -> int:
        """How many."""

    @property
    def unit_amount(self) -> Amount:
        """The price of one."""


@dataclass(frozen=True, slots=True)
class Purchase:
    """What is about to be paid. Identifiers are compared byte for byte.

    `categories` is what the payment service's merchant record says the payee sells. `item_categories` is how the order labels
    its items: merchants label gift cards "tea", so a label can narrow what the record allows and never widen it. `items` are
    the order's lines, `ordered_at` when the payee confirmed it, `deliver_by` and `delivery_address` what it promises, if
    anything. `confirmed` says that the principal confirmed this very payment. What is left out permits less, never more.
    """

    payee: str
    categories: frozenset[str]
    item_categories: frozenset[str]
    amount: Amount
    payment_method: str
    scenario: str
    at: int
    items: Sequence[PurchasedItem] = ()
    ordered_at: int = 0
    deliver_by: int | None = None
    delivery_address: bytes | None = None
    confirmed: bool = False

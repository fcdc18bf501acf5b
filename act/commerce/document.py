"""An order as shops write it before they sign it: JSON, with amounts as decimal strings and times in ISO 8601 UTC."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from act.calendar import parse_iso
from act.commerce.cart import MAX_QUANTITY, Item, Order
from act.documents import Document, naming_faults, parse_document
from act.money import Amount, exponent, format_minor

__all__ = ["order_from_json"]


class _Item(Document):
    sku: str
    name: str
    category: str
    quantity: int = Field(default=1, ge=1, le=MAX_QUANTITY)
    unit_amount: str


class _Document(Document):
    payee: str
    agent_id: str
    delegator_identity: str
    order_no: str
    currency: str
    items: list[_Item]
    amount: str | None = None
    expires_at: str


def order_from_json(document: str | bytes | dict[str, Any]) -> Order:
    """An order from its JSON document, given as text or as what `act.wire.json.decode` returns.

    A missing `amount` is what the items add up to. Raises `InvalidCall` draft_invalid with the place and the reason.
    """
    with naming_faults("draft_invalid"):
        return _order(_Document.model_validate(parse_document(document)))


def _order(model: _Document) -> Order:
    exponent(model.currency, "currency")
    items = []
    for place, item in enumerate(model.items):
        unit_amount = Amount.parse(item.unit_amount, model.currency, f"items.{place}.unit_amount")
        items.append(Item(item.sku, item.name, item.category, item.quantity, unit_amount))
    total_minor = sum(item.quantity * item.unit_amount.minor for item in items)
    amount = model.amount if model.amount is not None else format_minor(max(total_minor, 0), model.currency)
    return Order(
        model.payee,
        model.agent_id,
        model.delegator_identity,
        model.order_no,
        tuple(items),
        Amount.parse(amount, model.currency, "amount"),
        parse_iso(model.expires_at, "expires_at"),
    )

"""An order as shops write it before they sign it: JSON, with amounts as decimal strings and times in ISO 8601 UTC."""

from __future__ import annotations

from typing import Any, Final

from pydantic import Field

from act.calendar import parse_iso
from act.documents import Document, digest_of, naming_faults, parse_document
from act.money import Amount, exponent, format_minor

__all__ = ["MAX_QUANTITY", "read_order_document"]

MAX_QUANTITY: Final = 1_000_000
"""Beyond any cart; keeps a line's product far inside what an amount can hold."""


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
    deliver_by: str | None = None
    delivery_address: str | None = None


def read_order_document(document: str | bytes | dict[str, Any]) -> dict[str, Any]:
    """The fields of an `Order` by name (each item a dict of its own), from its JSON document, given as text or decoded.

    A missing `amount` is what the items add up to. Raises `InvalidCall` draft_invalid with the place and the reason.
    """
    with naming_faults("draft_invalid"):
        return _fields(_Document.model_validate(parse_document(document)))


def _fields(model: _Document) -> dict[str, Any]:
    exponent(model.currency, "currency")
    items = []
    for place, item in enumerate(model.items):
        unit_amount = Amount.parse(item.unit_amount, model.currency, f"items.{place}.unit_amount")
        items.append(item.model_dump() | {"unit_amount": unit_amount})
    total_minor = sum(item["quantity"] * item["unit_amount"].minor for item in items)
    amount = model.amount if model.amount is not None else format_minor(total_minor, model.currency)
    return {
        "payee": model.payee,
        "agent_id": model.agent_id,
        "delegator_identity": model.delegator_identity,
        "order_no": model.order_no,
        "items": items,
        "amount": Amount.parse(amount, model.currency, "amount"),
        "expires_at": parse_iso(model.expires_at, "expires_at"),
        "deliver_by": None if model.deliver_by is None else parse_iso(model.deliver_by, "deliver_by"),
        "delivery_address": None if model.delivery_address is None else digest_of(model.delivery_address, "delivery_address"),
    }

"""A mandate as people and wallets write it: JSON under ACT's own field names (ADD-IAC-ISS), before it is signed.

Unknown fields are refused here as they are in a signed mandate. Amounts are decimal strings or JSON numbers; either way they
are exact, and the mandate that is minted writes them, and the currency, out.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final
from uuid import UUID, uuid4

from act.calendar import parse_iso
from act.delegation.constraints import DEFAULT_MODE, REGISTRY, Currency, build_constraints
from act.documents import Document, naming_faults, parse_document
from act.errors import InvalidCall, Refused
from act.money import Amount
from act.wire import cbor

__all__ = ["DEFAULT_CURRENCY", "read_delegation_id", "read_mandate_document", "require_encodable"]

DEFAULT_CURRENCY: Final = "CNY"
"""ADD-IAC-ISS: currency is optional and CNY when absent. What is signed always says it."""

_Number = str | int | Decimal
_AMOUNTS: Final = ("max_total_amount", "ext.commerce.max_single_amount", "ext.commerce.min_single_amount")


class _Commerce(Document):
    max_single_amount: _Number | None = None
    min_single_amount: _Number | None = None
    allowed_categories: list[str] | None = None
    forbidden_categories: list[str] | None = None
    allowed_merchants: list[str] | None = None
    forbidden_merchants: list[str] | None = None


class _Delegation(Document):
    max_depth: int | None = None


class _Ext(Document):
    commerce: _Commerce | None = None
    delegation: _Delegation | None = None
    vendor_private: dict[str, Any] | None = None


class _Document(Document):
    """`issuer` and `ledger` are the envelope's issuer and audience; everything else is ACT's payload."""

    issuer: str
    ledger: str
    delegator_identity: str
    agent_id: str
    intent_id: str
    validity_start_time: str
    validity_end_time: str
    max_total_amount: _Number
    delegation_id: str | None = None
    delegation_mode: str = DEFAULT_MODE
    currency: str = DEFAULT_CURRENCY
    allowed_payment_methods: list[str] | None = None
    user_confirmation_method: str | None = None
    user_confirmation_timestamp: str | None = None
    ext: _Ext = _Ext()


def read_mandate_document(document: str | bytes | dict[str, Any]) -> dict[str, Any]:
    """The fields of a `Mandate` by name, from its JSON document, given as text or as what `act.wire.json.decode` returns.

    A missing `delegation_id` is drawn at random. Raises `InvalidCall` draft_invalid with the place and the reason.
    """
    with naming_faults("draft_invalid"):
        return _fields(_Document.model_validate(parse_document(document)))


def _fields(model: _Document) -> dict[str, Any]:
    stated = model.model_dump(exclude_none=True)
    raw: dict[str, Any] = {path: value for path, value in stated.items() if path in REGISTRY}
    raw |= {f"ext.commerce.{name}": value for name, value in stated["ext"].get("commerce", {}).items()}
    raw |= {f"ext.delegation.{name}": value for name, value in stated["ext"].get("delegation", {}).items()}
    try:
        currency = Currency.read(model.currency, "").code
    except Refused as refusal:
        raise refusal.within("currency") from None
    for path in _AMOUNTS:
        if path in raw and not isinstance(raw[path], str):
            raw[path] = Amount.parse_number(raw[path], currency, path).text
    raw["validity"] = (
        parse_iso(model.validity_start_time, "validity_start_time"),
        parse_iso(model.validity_end_time, "validity_end_time"),
    )
    confirmed_at = model.user_confirmation_timestamp
    if (model.user_confirmation_method is None) != (confirmed_at is None):
        raise Refused("claim_missing", "user_confirmation_timestamp", reason="method and time go together")
    if model.ext.vendor_private is not None:
        require_encodable(model.ext.vendor_private)
    return {
        "delegation_id": read_delegation_id(model.delegation_id),
        "issuer": model.issuer,
        "ledger": model.ledger,
        "delegator_identity": model.delegator_identity,
        "agent_id": model.agent_id,
        "intent_id": model.intent_id,
        "constraints": build_constraints(raw),
        "user_confirmation_method": model.user_confirmation_method,
        "user_confirmation_timestamp": (
            None if confirmed_at is None else parse_iso(confirmed_at, "user_confirmation_timestamp")
        ),
        "vendor_private": model.ext.vendor_private or None,
    }


def require_encodable(vendor_private: dict[str, Any]) -> None:
    """What is carried uninterpreted must still be something both envelopes can carry: no null, no fraction."""
    try:
        cbor.encode(vendor_private)
    except InvalidCall as fault:
        expected = str(fault.facts.get("expected", "values that a mandate can carry"))
        raise Refused("claim_invalid", "ext.vendor_private", expected=expected) from None


def read_delegation_id(text: str | None) -> UUID:
    """`urn:uuid:` and a UUID in its one lower-case form, or the UUID alone."""
    if text is None:
        return uuid4()
    try:
        value = UUID(text)
    except ValueError:
        raise Refused("claim_invalid", "delegation_id", expected="urn:uuid: and a UUID") from None
    if text not in (value.urn, str(value)):
        raise Refused("claim_invalid", "delegation_id", expected="urn:uuid: and a UUID in lower case")
    return value

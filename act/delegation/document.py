"""A mandate as people and wallets write it: JSON under ACT's own field names (ADD-IAC-ISS), before it is signed.

Unknown fields are refused here as they are in a signed mandate. Amounts are decimal strings or JSON numbers; either way they
are exact, and the mandate that is minted writes them, and the currency, out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final
from uuid import UUID, uuid4

from act.calendar import parse_iso
from act.delegation.constraints import DEFAULT_MODE, REGISTRY, Currency, build_constraints, require_purpose
from act.delegation.constraints.payload import read_carried
from act.delegation.conversation import (
    MAX_RAW_BYTES_IN_MANDATE,
    ConversationDocument,
    read_conversation_document,
    read_document_digest,
)
from act.documents import Document, digest_of, naming_faults, parse_document
from act.envelope.claims import read_text
from act.errors import Refused
from act.money import Amount

__all__ = [
    "DEFAULT_CURRENCY",
    "raw_constraints",
    "read_confirmation",
    "read_delegation_id",
    "read_ext",
    "read_mandate_document",
    "require_text",
]

DEFAULT_CURRENCY: Final = "CNY"
"""ADD-IAC-ISS: currency is optional and CNY when absent. What is signed always says it."""

_Number = str | int | Decimal
_TEXTS: Final = (
    "issuer",
    "ledger",
    "delegator_identity",
    "agent_id",
    "intent_id",
    "user_confirmation_method",
    "control_proof_ref",
)
_AMOUNTS: Final = frozenset(
    {
        "max_total_amount",
        "max_single_amount",
        "min_single_amount",
        "max_unit_amount",
        "confirmed_unit_amount",
        "above_amount",
        "max_amount",
    }
)
"""Fields of constraints that are amounts, wherever they stand."""


class _Commerce(Document):
    max_single_amount: _Number | None = None
    min_single_amount: _Number | None = None
    allowed_categories: list[str] | None = None
    forbidden_categories: list[str] | None = None
    allowed_merchants: list[str] | None = None
    forbidden_merchants: list[str] | None = None


class _Period(Document):
    period_unit: str | None = None
    period_count: int | None = None
    time_zone: str | None = None
    anchor: str | None = None
    sliding_seconds: int | None = None
    max_amount: _Number | None = None
    period_times: int | None = None


class _Quota(Document):
    times_limit: int | None = None
    refund_restores: bool | None = None
    periods: list[_Period] | None = None


class _Schedule(Document):
    time_zone: str | None = None
    weekdays: list[str] | None = None
    hours: list[str] | None = None


class _ItemEntry(Document):
    sku: str | None = None
    category: str | None = None
    name: str | None = None
    max_quantity: int | None = None
    max_unit_amount: _Number | None = None
    confirmed_unit_amount: _Number | None = None


class _AgentBehavior(Document):
    price_deviation_tolerance: _Number | None = None
    price_deviation_action: str | None = None
    on_payment_failure: str | None = None
    max_retry_count: int | None = None


class _Fulfillment(Document):
    delivery_time_requirement: str | None = None
    delivery_address: str | None = None


class _StepUp(Document):
    above_amount: _Number


class _Delegation(Document):
    max_depth: int


class _StalenessStep(Document):
    seconds: int
    above_amount: _Number | None = None


class _Status(Document):
    max_staleness: list[_StalenessStep] | None = None
    on_revoke: str | None = None


class _Ext(Document):
    commerce: _Commerce | None = None
    quota: _Quota | None = None
    schedule: _Schedule | None = None
    items: list[_ItemEntry] | None = None
    agent_behavior: _AgentBehavior | None = None
    fulfillment: _Fulfillment | None = None
    step_up: _StepUp | None = None
    delegation: _Delegation | None = None
    status: _Status | None = None
    vendor_private: dict[str, Any] | None = None


class _Document(Document):
    """`issuer` and `ledger` are the envelope's issuer and audience; everything else is ACT's payload."""

    issuer: str
    ledger: str
    delegator_identity: str
    agent_id: str
    intent_id: str | None = None
    conversation_history: ConversationDocument | None = None
    validity_start_time: str
    validity_end_time: str
    max_total_amount: _Number
    delegation_id: str | None = None
    delegation_mode: str = DEFAULT_MODE
    currency: str = DEFAULT_CURRENCY
    allowed_payment_methods: list[str] | None = None
    user_confirmation_method: str | None = None
    user_confirmation_timestamp: str | None = None
    source_isr_digest: str | None = None
    control_proof_ref: str | None = None
    supersedes: str | None = None
    ext: _Ext = _Ext()


def read_mandate_document(document: str | bytes | dict[str, Any]) -> dict[str, Any]:
    """The fields of a `Mandate` by name, from its JSON document, given as text or as what `act.wire.json.decode` returns.

    A missing `delegation_id` is drawn at random. Raises `InvalidCall` draft_invalid with the place and the reason.
    """
    with naming_faults("draft_invalid"):
        return _fields(_Document.model_validate(parse_document(document)))


def _fields(model: _Document) -> dict[str, Any]:
    stated = model.model_dump(exclude_none=True)
    raw = raw_constraints(stated)
    raw["validity"] = (
        parse_iso(model.validity_start_time, "validity_start_time"),
        parse_iso(model.validity_end_time, "validity_end_time"),
    )
    confirmed_at = read_confirmation(stated)
    if model.intent_id is None and model.conversation_history is None:
        raise Refused("claim_missing", "intent_id", reason="an intent_id, or the conversation history")
    for name in _TEXTS:
        if name in stated:
            require_text(stated[name], name)
    history, digest, superseded = model.conversation_history, model.source_isr_digest, model.supersedes
    constraints = build_constraints(raw)
    require_purpose(model.delegation_mode, constraints)
    return {
        "delegation_id": read_delegation_id(model.delegation_id),
        "issuer": model.issuer,
        "ledger": model.ledger,
        "delegator_identity": model.delegator_identity,
        "agent_id": model.agent_id,
        "intent_id": model.intent_id,
        "constraints": constraints,
        "user_confirmation_method": model.user_confirmation_method,
        "user_confirmation_timestamp": confirmed_at,
        "vendor_private": model.ext.vendor_private or None,
        "conversation_history": (None if history is None else read_conversation_document(history, MAX_RAW_BYTES_IN_MANDATE)),
        "source_isr_digest": None if digest is None else read_document_digest(digest, "source_isr_digest"),
        "control_proof_ref": model.control_proof_ref,
        "supersedes": None if superseded is None else read_document_digest(superseded, "supersedes"),
    }


def require_text(value: object, where: str) -> None:
    """Returns if a document's identifier is one that claims can hold; raises `Refused` claim_invalid at `where` otherwise."""
    try:
        read_text(value)
    except Refused as refusal:
        raise refusal.within(where) from None


class _OnlyExt(Document):
    ext: _Ext


def read_ext(ext: object) -> dict[str, Any]:
    """`ext` of an intent record, dumped: it has the blocks that a mandate's document has. Raises pydantic's error."""
    return _OnlyExt.model_validate({"ext": ext}).model_dump(exclude_none=True)


def raw_constraints(stated: Mapping[str, Any]) -> dict[str, Any]:
    """The wire values of a document's constraints by path, for `build_constraints`; its window is not among them.

    `stated` is the dumped document of a mandate or an intent record, `currency` in it. Raises `Refused`.
    """
    raw: dict[str, Any] = {path: value for path, value in stated.items() if path in REGISTRY}
    for block, fields in stated["ext"].items():
        whole = f"ext.{block}"  # vendor_private among them: nothing of it is in the registry
        raw |= {whole: fields} if whole in REGISTRY else {f"{whole}.{name}": value for name, value in fields.items()}
    try:
        currency = Currency.read(stated["currency"], "").code
    except Refused as refusal:
        raise refusal.within("currency") from None
    raw = {path: _exact(value, path.rpartition(".")[2], currency, path) for path, value in raw.items() if path in REGISTRY}
    if "vendor_private" in stated["ext"]:
        read_carried(stated["ext"]["vendor_private"])
    return raw


def read_confirmation(stated: Mapping[str, Any]) -> int | None:
    """When the principal confirmed, in seconds; None where nobody did. Method and time go together, or `Refused`."""
    confirmed_at = stated.get("user_confirmation_timestamp")
    if ("user_confirmation_method" in stated) != (confirmed_at is not None):
        raise Refused("claim_missing", "user_confirmation_timestamp", reason="method and time go together")
    return None if confirmed_at is None else parse_iso(confirmed_at, "user_confirmation_timestamp")


def _exact(value: Any, name: str, currency: str, where: str) -> Any:
    """What a constraint reads: amounts, percentages and digests as a signed mandate has them, at every depth."""
    if isinstance(value, list):
        return [_exact(each, name, currency, f"{where}.{place}") for place, each in enumerate(value)]
    if isinstance(value, dict):
        return {field: _exact(each, field, currency, f"{where}.{field}") for field, each in value.items()}
    if name in _AMOUNTS and not isinstance(value, str):
        return Amount.parse_number(value, currency, where).text
    if name == "price_deviation_tolerance":
        return _percentage(value)
    if name == "delivery_address":
        return digest_of(value, where)
    return value


def _percentage(value: str | int | Decimal) -> str:
    """A number or a text without the zeros that say nothing; what is no percentage is left to its constraint to refuse."""
    text = str(value)
    return text.rstrip("0").removesuffix(".") if _PLAIN_DECIMAL.fullmatch(text) else text


_PLAIN_DECIMAL: Final = re.compile(r"[0-9]{1,3}\.[0-9]{1,2}")


def read_delegation_id(text: str | None) -> str:
    """`urn:uuid:` and a UUID in its one lower-case form, which may be written alone; any other text is an id of its own."""
    if text is None:
        return uuid4().urn
    if type(text) is not str:
        raise Refused("claim_invalid", "delegation_id", expected="a text")
    try:
        value = UUID(text)
    except ValueError:
        if text.lower().startswith("urn:uuid:"):
            raise Refused("claim_invalid", "delegation_id", expected="urn:uuid: and a UUID") from None
        try:
            return read_text(text)
        except Refused as refusal:
            raise refusal.within("delegation_id") from None
    if text not in (value.urn, str(value)):
        raise Refused("claim_invalid", "delegation_id", expected="urn:uuid: and a UUID in lower case")
    return value.urn

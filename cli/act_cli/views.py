"""Objects as JSON documents. A mandate and an order come out as `act mint --from` and `act order --from` take them in."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple

import act
from act_cli.instructions import cause_view, instruction_view
from act_cli.manners import decimal, instant_text

__all__ = [
    "Language",
    "LimitUse",
    "charge_view",
    "isr_view",
    "key_name",
    "limits_view",
    "link_view",
    "mandate_key_view",
    "mandate_view",
    "object_view",
    "order_view",
    "payment_parts",
    "receipt_view",
    "request_view",
    "status_view",
    "terms_view",
]

Language = Literal["en", "zh"]


THUMBPRINT_BYTES: Final = 32


def mandate_view(mandate: act.Mandate) -> dict[str, Any]:
    """A mandate under ACT's own field names, as `act.Mandate.from_json` reads it."""
    document: dict[str, Any] = {
        "delegation_id": mandate.delegation_id,
        "issuer": mandate.issuer,
        "ledger": mandate.ledger,
        "delegator_identity": mandate.delegator_identity,
        "agent_id": mandate.agent_id,
        **_intent_view(mandate),
    }
    terms = terms_view(mandate.constraints, mandate.vendor_private)
    ext = terms.pop("ext", None)
    document |= terms
    if mandate.user_confirmation_method is not None:
        document["user_confirmation_method"] = mandate.user_confirmation_method
    if mandate.user_confirmation_timestamp is not None:
        document["user_confirmation_timestamp"] = instant_text(mandate.user_confirmation_timestamp)
    if mandate.supersedes is not None:
        document["supersedes"] = _digest_text(mandate.supersedes)
    if ext is not None:
        document["ext"] = ext
    return document


def terms_view(constraints: Iterable[Any], vendor_private: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Constraints under ACT's own field names, as mandates and links have them."""
    document: dict[str, Any] = {}
    ext: dict[str, Any] = {}
    for constraint in constraints:
        value = constraint.encode()
        if constraint.path == "validity":
            document["validity_start_time"], document["validity_end_time"] = map(instant_text, value)
        elif constraint.path.startswith("ext."):
            block, _, name = constraint.path.removeprefix("ext.").partition(".")
            if name:
                ext.setdefault(block, {})[name] = _digest_text(value) if isinstance(value, bytes) else value
            else:
                ext[block] = value
        else:
            document[constraint.path] = value
    if vendor_private:
        ext["vendor_private"] = plain(dict(vendor_private))
    if ext:
        document["ext"] = ext
    return document


def _intent_view(mandate: act.Mandate) -> dict[str, Any]:
    """Where the mandate comes from, as far as it says so."""
    digest = mandate.source_isr_digest
    history = mandate.conversation_history
    members = {
        "intent_id": mandate.intent_id,
        "conversation_history": None if history is None else history.to_json(),
        "source_isr_digest": None if digest is None else urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "control_proof_ref": mandate.control_proof_ref,
    }
    return {name: value for name, value in members.items() if value is not None}


def isr_view(record: act.Isr, language: Language) -> dict[str, Any]:
    """An intent record: is it complete and confirmed, and what is the principal shown? The record itself is the file."""
    return {
        "complete": not record.missing,
        "missing": list(record.missing),
        "confirmed": record.is_confirmed,
        "summary": list(record.summary(language)),
        "digest": urlsafe_b64encode(record.digest).rstrip(b"=").decode(),
    }


def link_view(link: Any) -> dict[str, Any]:
    """What a link says of its sub-agent, as `act delegate --from` reads it; its type has no public name. Whatever stands above
    it (issuer, ledger, principal, parent) is none of it: the chain that is given there says so."""
    document = {"delegation_id": link.delegation_id, "agent_id": link.agent_id}
    return document | terms_view(link.constraints, link.vendor_private)


def plain(value: Any) -> Any:
    """A decoded value as JSON can hold it: bytes become hexadecimal text, names of members become text."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {str(plain(name)): plain(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [plain(member) for member in value]
    return value


def order_view(order: act.Order) -> dict[str, Any]:
    """An order, as the order document of `act order --from` has it."""
    return {
        "payee": order.payee,
        "agent_id": order.agent_id,
        "delegator_identity": order.delegator_identity,
        "order_no": order.order_no,
        "currency": order.amount.currency,
        "amount": order.amount.text,
        "items": [
            {
                "sku": item.sku,
                "name": item.name,
                "category": item.category,
                "quantity": item.quantity,
                "unit_amount": item.unit_amount.text,
            }
            for item in order.items
        ],
        "expires_at": instant_text(order.expires_at),
    } | _promised(order)


def _promised(order: act.Order) -> dict[str, str]:
    """When and where the payee promises to deliver, as far as it does."""
    promised = {}
    if order.deliver_by is not None:
        promised["deliver_by"] = instant_text(order.deliver_by)
    if order.delivery_address is not None:
        promised["delivery_address"] = _digest_text(order.delivery_address)
    return promised


def _digest_text(digest: bytes) -> str:
    """A digest as documents write it: base64url without padding."""
    return urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def request_view(request: Any) -> dict[str, Any]:
    """A payment request; its type has no public name."""
    return {
        "request_id": request.request_id.hex(),
        "audience": request.audience,
        "agent_id": request.agent_id,
        "delegator_identity": request.delegator_identity,
        "delegation_id": request.delegation_id,
        "credential": request.credential.hex(),
        "order": request.order.hex(),
        "order_no": request.order_no,
        "payee": request.payee,
        "currency": request.amount.currency,
        "amount": request.amount.text,
        "scenario": request.scenario,
        "payment_method": request.payment_method,
        "payment_tool_reference": request.payment_tool_reference,
        "issued_at": instant_text(request.issued_at),
        "expires_at": instant_text(request.expires_at),
    }


def receipt_view(receipt: act.Receipt) -> dict[str, Any]:
    """A receipt. Fields its kind of entry does not have are left out."""
    currency = receipt.amount.currency if receipt.amount is not None else None
    document = {
        "issuer": receipt.issuer,
        "audience": list(receipt.audience),
        "issued_at": instant_text(receipt.issued_at),
        "state": receipt.kind.value,
        "sequence": receipt.sequence,
        "previous": receipt.previous.hex() if receipt.previous is not None else None,
        "delegator_identity": receipt.delegator_identity,
        "delegation_id": receipt.delegation_id,
        "credential": receipt.credential.hex(),
        "request": receipt.request.hex() if receipt.request is not None else None,
        "order": receipt.order.hex() if receipt.order is not None else None,
        "order_no": receipt.order_no,
        "trade_no": receipt.trade_no,
        "currency": currency,
        "amount": receipt.amount.text if receipt.amount is not None else None,
        "code": receipt.code,
        "hold_expires_at": instant_text(receipt.hold_expires_at) if receipt.hold_expires_at is not None else None,
        "tzdata_version": receipt.tzdata_version,
        "capture_no": receipt.capture_no,
        "refund_no": receipt.refund_no,
    }
    counters = [
        {
            "limit": change.name,
            "unit": change.unit.value,
            "cap": _counted(change.cap, change.unit, currency),
            "held_before": _counted(change.held_before, change.unit, currency),
            "captured_before": _counted(change.captured_before, change.unit, currency),
            "held": _counted(change.held, change.unit, currency),
            "captured": _counted(change.captured, change.unit, currency),
        }
        for change in receipt.counters
    ]
    said = {name: value for name, value in document.items() if value is not None}
    return said | cause_view(receipt) | {"counters": counters}


def _counted(number: int, unit: str, currency: str | None) -> str:
    """An amount, or a number of payments. Without a currency (a revocation's receipt has none) the minor units themselves."""
    if unit == "TIMES":
        return str(number)
    return f"{number} minor units" if currency is None else decimal(number, currency)


def payment_parts(payment: act.Payment) -> list[tuple[str, bytes, Any]]:
    """The parts of a payment, opened: request, mandate, links and order. Raises `Refused`, also for a payment inside a
    payment."""
    credentials = [("link" if place else "mandate", part) for place, part in enumerate(payment.chain)]
    named = [("request", payment.request), *credentials, ("order", payment.order)]
    parts = []
    for name, part in named:
        found = act.recognize(part)
        if found.kind != name:
            raise act.Refused("kind_unexpected", f"payment.{name}", expected=name, found=found.kind)
        parts.append((name, part, found))
    return parts


def key_name(kid: bytes) -> str:
    """A key as its object's header names it: the thumbprint in hexadecimal, or the text that a foreign issuer chose."""
    return kid.hex() if len(kid) == THUMBPRINT_BYTES else kid.decode()


def object_view(data: bytes, found: Any) -> dict[str, Any]:
    """What `act.recognize` made of an object's bytes: its kind, size, identity and key, and its content under its kind."""
    kind = found.kind
    if kind == "payment":
        parts = [object_view(part, opened) for _, part, opened in payment_parts(found)]
        return {"kind": kind, "bytes": len(data), "payment": {"parts": parts}}
    document = {
        "kind": kind,
        "bytes": len(data),
        "identity": found.opened.identity.hex(),
        "format": found.opened.format.value,
        "kid": key_name(found.opened.kid),
        "algorithm": found.opened.algorithm.value,
    }
    if kind == "mandate":
        content = {**mandate_view(found.content.mandate), "holder": found.holder.to_jwk()}
        return document | {"issued_at": instant_text(found.content.issued_at), "mandate": content}
    if kind == "link":
        link = found.content.link
        above = {"parent": link.parent.hex(), "issuer": link.issuer, "ledger": link.ledger}
        above["delegator_identity"] = link.delegator_identity
        content = {**link_view(link), "holder": found.holder.to_jwk()}
        return document | {"issued_at": instant_text(found.content.issued_at), **above, "link": content}
    if kind == "order":
        return document | {"issued_at": instant_text(found.issued_at), "order": order_view(found.order)}
    if kind == "receipt":
        return document | {"receipt": receipt_view(found.receipt)}
    if kind == "instruction":
        return document | {"instruction": instruction_view(found.instruction)}
    return document | {"request": request_view(found.request)}


def mandate_key_view(key: Any) -> dict[str, str]:
    """How a ledger names a mandate; its type has no public name."""
    return {"issuer": key.issuer, "delegator_identity": key.delegator_identity, "delegation_id": key.delegation_id}


def charge_view(charge: act.Charge) -> dict[str, Any]:
    """A charge as `authorize`, `capture` and `void` return it."""
    return {
        "id": charge.id,
        "state": charge.state.value,
        "currency": charge.amount.currency,
        "amount": charge.amount.text,
        "captured": charge.captured.text if charge.captured is not None else None,
        "refunded": charge.refunded.text if charge.refunded is not None else None,
        "payee": charge.payee,
        "order_no": charge.order_no,
        "agent_id": charge.agent_id,
        "mandate": mandate_key_view(charge.mandate),
        "hold_expires_at": instant_text(charge.hold_expires_at),
    }


class LimitUse(NamedTuple):
    """A limit as its ledger counts it: minor units, or payments where `unit` is TIMES. `turns_at` ends its calendar window."""

    name: str
    cap: int
    captured: int
    held: int
    unit: str = "AMOUNT"
    turns_at: int | None = None


def _minor_text(minor: int, charge: Any) -> str | None:
    """An amount in the charge's currency, None for nothing: as `act.Charge` says what was captured and refunded."""
    return decimal(minor, charge.amount.currency) if minor else None


def limits_view(limits: Iterable[LimitUse], currency: str) -> list[dict[str, str | None]]:
    """What limits have left."""
    return [
        {
            "name": limit.name,
            "unit": limit.unit,
            "cap": _counted(limit.cap, limit.unit, currency),
            "captured": _counted(limit.captured, limit.unit, currency),
            "held": _counted(limit.held, limit.unit, currency),
            "left": _counted(max(limit.cap - limit.captured - limit.held, 0), limit.unit, currency),
            "turns_at": instant_text(limit.turns_at) if limit.turns_at is not None else None,
        }
        for limit in limits
    ]


def status_view(state: str, currency: str, limits: Iterable[LimitUse], charges: Iterable[Any]) -> dict[str, Any]:
    """What a mandate has left, and its charges as the ledger records them."""
    return {
        "state": state,
        "currency": currency,
        "limits": limits_view(limits, currency),
        "charges": [
            {
                "id": charge.id,
                "state": charge.state.value,
                "amount": charge.amount.text,
                "captured": _minor_text(charge.captured_minor, charge),
                "refunded": _minor_text(charge.refunded_minor, charge),
                "payee": charge.payee,
                "order_no": charge.order_no,
                "request_id": charge.request.request_id.hex(),
                "reserved_at": instant_text(charge.reserved_at),
                "hold_expires_at": instant_text(charge.hold_expires_at),
            }
            for charge in charges
        ],
    }

"""Objects that have everything their kind may have, for whoever checks descriptions of their form.

COMPLETE_EXT is every block of `ext` with every field, as documents write it. `complete_objects` is a mandate with it, a link
that states it again, and an order and a request that these permit; `complete_receipts` is what the ledger answers to them, one
receipt of every state; `complete_instructions` is one instruction of every action.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal

import act
from act.delegation.credential import open_credential
from act.delegation.lifecycle import Causer, LifecycleAction, MandateState
from act.delegation.mandate import MandateKey
from act.envelope.objects import Format
from act.payment.charge import HOLD_SECONDS, ChargeAction
from act.payment.instruction import sign_instruction
from act.payment.ledger import Entry, EntryKind
from act.payment.receipt import open_receipt, receipt_maker
from act.wire.base64url import base64url_encode
from tests.support.world import ABSENT, PRINCIPAL, PSP, SHOP, SUB_AGENT, WALLET, World, key

ADDRESS: Final = "A" * 43
"""A delivery address, digested, in base64url."""

_LINE: Final = {"sku": "milk-tea-l", "name": "Milk tea, large", "category": "tea", "quantity": 2, "unit_amount": "9.00"}

COMPLETE_EXT: Final[dict[str, Any]] = {
    "commerce": {
        "max_single_amount": "30.00",
        "min_single_amount": "1.00",
        "allowed_categories": ["tea", "cake"],
        "forbidden_categories": ["gift-card"],
        "allowed_merchants": [SHOP],
        "forbidden_merchants": ["casino.example"],
    },
    "quota": {
        "times_limit": 6,
        "refund_restores": False,
        "periods": [
            {
                "period_unit": "DAY",
                "period_count": 1,
                "time_zone": "Asia/Shanghai",
                "anchor": "2026-02-01",
                "max_amount": "90.00",
                "period_times": 5,
            },
            {"sliding_seconds": 3_600, "max_amount": "60.00", "period_times": 2},
        ],
    },
    "schedule": {"time_zone": "Asia/Shanghai", "weekdays": ["FRI", "SAT"], "hours": ["09:00-12:00", "14:00-24:00"]},
    "items": [
        {
            "sku": "milk-tea-l",
            "category": "tea",
            "name": "Milk tea, large",
            "max_quantity": 4,
            "max_unit_amount": "10.00",
            "confirmed_unit_amount": "9.00",
        },
        {"category": "cake"},
    ],
    "agent_behavior": {
        "price_deviation_tolerance": "2.5",
        "price_deviation_action": "PAUSE_AND_NOTIFY",
        "on_payment_failure": "AUTO_RETRY",
        "max_retry_count": 3,
    },
    "fulfillment": {"delivery_time_requirement": "PT2H", "delivery_address": ADDRESS},
    "step_up": {"above_amount": "25.00"},
    "delegation": {"max_depth": 2},
    "status": {
        "max_staleness": [
            {"seconds": 3_600},
            {"seconds": 60, "above_amount": "10.00"},
            {"seconds": 0, "above_amount": "20.00"},
        ],
        "on_revoke": "void",
    },
    "vendor_private": {"note": "x", "list": [1, True, {"deep": -5}]},
}

HISTORY: Final[dict[str, Any]] = {
    "user_intent_raw": [{"role": "USER", "content": "Tea, please.\n", "create_time": "2026-02-06T07:58:10Z"}],
    "input_mode": ["VOICE", "TEXT"],
}
"""A conversation in full."""

DIGESTED: Final[dict[str, Any]] = {"user_intent_raw_digest": "A" * 43, "context_ref": "vault:1"}
"""A conversation whose content is kept elsewhere."""


def complete_document(world: World, **fields: Any) -> dict[str, Any]:
    """A mandate's document that has every member."""
    every: dict[str, Any] = {
        "conversation_history": HISTORY,
        "source_isr_digest": "A" * 43,
        "control_proof_ref": "proof:1",
        "supersedes": "B" * 42 + "A",
        "ext": COMPLETE_EXT,
    }
    return world.document(**every | fields)


def link_fields() -> dict[str, Any]:
    """Every member of a link's document but the agent's: it states again what `complete_document` states."""
    return {
        "delegation_id": "urn:uuid:6d1c6a43-6f0c-4d0b-9c5e-0f6f1f0a7c11",
        "validity_start_time": "2026-02-06T08:00:00Z",
        "validity_end_time": "2026-02-07T00:00:00Z",
        "delegation_mode": "BOUNDED",
        "currency": "CNY",
        "max_total_amount": "120.00",
        "allowed_payment_methods": ["balance"],
        "ext": COMPLETE_EXT | {"delegation": {"max_depth": 1}},
    }


def order_document(order_no: str = "T-0001", agent_id: str = SUB_AGENT) -> dict[str, Any]:
    """An order's document that has every member; the mandate permits it."""
    return {
        "payee": SHOP,
        "agent_id": agent_id,
        "delegator_identity": PRINCIPAL,
        "order_no": order_no,
        "currency": "CNY",
        "items": [_LINE],
        "amount": "18.00",
        "expires_at": "2026-02-06T09:15:00Z",
        "deliver_by": "2026-02-06T10:00:00Z",
        "delivery_address": ADDRESS,
    }


def _order(world: World, order_no: str, agent_id: str = SUB_AGENT) -> bytes:
    order = act.Order.from_json(order_document(order_no, agent_id))
    return act.sign_order(order, signer=key(SHOP), at=world.clock(), format=world.format)


def complete_payment(world: World, mandate: bytes | None = None, link: bytes | None = None) -> act.Payment:
    """A payment under a mandate and a link that state everything; another order each time."""
    root = mandate or world.mint(**complete_document(world))
    below = link or world.link([root], SUB_AGENT, **link_fields())
    return world.payment(chain=[root, below], order=_order(world, f"T-{world.number():04d}"))


def complete_objects(format: Literal["cose", "jose"] = "cose") -> dict[str, bytes]:
    """One object of every kind but the receipt, by the kind's name, and the payment that they are."""
    world = World(format=format)
    payment = complete_payment(world)
    mandate, link = payment.chain
    return {
        "mandate": mandate,
        "link": link,
        "order": payment.order,
        "request": payment.request,
        "payment": payment.to_bytes(),
    }


def complete_receipts(path: Path, format: Literal["cose", "jose"] = "cose") -> dict[str, bytes]:
    """One receipt of every state by its name, with counters of all kinds, those of a link and of counts among them."""
    world = World(format=format)
    service = world.service(path)
    old = world.mint(**complete_document(world, supersedes=ABSENT))
    service.register(old)
    replaced = base64url_encode(open_credential(old).opened.identity)
    first = complete_payment(world, world.mint(**complete_document(world, supersedes=replaced)))
    mandate, link = first.chain
    succeeded = service.register(mandate)
    assert succeeded is not None, "a successor's registration is acknowledged"
    charge = service.authorize(first)
    part = act.Amount(charge.amount.minor - 1, charge.amount.currency)
    receipts = {
        "SUCCEEDED": succeeded.receipt,
        "RESERVED": charge.receipt,
        "PARTIALLY_CAPTURED": service.capture(charge.id, part, capture_no="S-1").receipt,
        "CAPTURED": service.capture(charge.id, act.Amount(1, charge.amount.currency), capture_no="S-2").receipt,
        "REFUNDED": service.refund(charge.id, part, refund_no="R-1").receipt,
    }
    second = service.authorize(complete_payment(world, mandate, link))
    receipts["VOIDED"] = service.void(second.id).receipt
    service.authorize(complete_payment(world, mandate, link))
    try:
        service.authorize(complete_payment(world, mandate, link))
    except act.Refused as refusal:
        assert refusal.receipt is not None, refusal
        receipts["REFUSED"] = refusal.receipt
    later = world.service(path, clock=lambda: world.clock() + timedelta(seconds=HOLD_SECONDS))
    (receipts["EXPIRED"],) = (each.receipt for each in later.expire_holds())
    revoked = service.revoke(mandate).receipt
    return receipts | {"REVOKED": revoked} | _lifecycle_receipts(revoked, format)


def _lifecycle_receipts(revoked: bytes, format: Literal["cose", "jose"]) -> dict[str, bytes]:
    """Receipts that no call makes yet, with the counters and the mandate of a revocation's."""
    last = open_receipt(revoked).receipt
    entry = Entry(
        MandateKey(WALLET, last.delegator_identity, last.delegation_id),
        last.credential,
        last.audience[-1],
        last.sequence + 1,
        last.identity,
        EntryKind.SUSPENDED,
        last.issued_at,
        counters=last.counters,
        format=Format(format),
        instruction=bytes(32),
        caused_by=Causer.PRINCIPAL,
        link=bytes(range(32)),
    )
    resumed = replace(entry, kind=EntryKind.RESUMED, credential_state=MandateState.ACTIVE)
    make = receipt_maker(PSP, WALLET, key(PSP))
    return {each.kind.value: make(each).sign(key(PSP)) for each in (entry, resumed)}


ACTIONS: Final = (*(each.value for each in LifecycleAction), *(each.value for each in ChargeAction))


def complete_instructions(format: Literal["cose", "jose"] = "cose") -> dict[str, bytes]:
    """One instruction of every action by its name, with everything that its action may have."""
    world = World(format=format)
    chain = [world.mint()]
    amount = act.Amount(500, "CNY")
    terms: dict[str, dict[str, Any]] = {
        "capture": {"amount": amount, "capture_no": "S-1", "fulfilment": bytes(range(32))},
        "refund": {"amount": amount, "refund_no": "R-1"},
    }
    instructions = {}
    for action in ACTIONS:
        about: dict[str, Any] = {"chain": chain, "issuer": WALLET, "signer": key(WALLET)}
        if action in list(ChargeAction):
            about = {"trade_no": "ch_1", "issuer": SHOP, "audience": PSP, "signer": key(SHOP)} | terms.get(action, {})
        known: Any = action
        instructions[action] = sign_instruction(known, **about, reason="Tea time", at=world.clock(), format=format)
    return instructions

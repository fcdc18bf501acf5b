"""CID-CART-CFM: the order, a merchant's signed offer to one buyer, with price and stock locked until it expires."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from act.calendar import FUTURE_TOLERANCE_SECONDS, instant, read_instant, system_clock
from act.commerce.document import MAX_QUANTITY, read_order_document
from act.delegation.chain import Chain
from act.delegation.constraints import DelegationMode
from act.delegation.limits import Usage, judge
from act.delegation.purchase import Purchase
from act.envelope.claims import MAX_LIST, Fields, read_digest, read_fields, read_map, read_name, read_text
from act.envelope.kinds import ORDER
from act.envelope.objects import Opened, open_object, read_format, seal
from act.errors import InvalidCall, Refused
from act.keys import Signer
from act.money import Amount
from act.parties import EnrolledKey, Parties, Role
from act.values import immutable

__all__ = ["AuthenticatedOrder", "Item", "Order", "UnverifiedOrder", "open_order", "pre_check", "sign_order", "verify_order"]


@dataclass(frozen=True, slots=True)
class Item:
    """One line: `quantity` times `unit_amount`. `category` is the merchant's own label."""

    sku: str
    name: str
    category: str
    quantity: int
    unit_amount: Amount


@dataclass(frozen=True, slots=True)
class Order:
    """What the payee sells to this agent for this principal, at this price, until `expires_at` (seconds since 1970).

    The items add up to `amount` exactly. `order_no` is unique per payee. `deliver_by` (seconds since 1970) and
    `delivery_address` (a digest, see `act.delegation.constraints.address_digest`) are what the payee promises, if anything.
    """

    payee: str
    agent_id: str
    delegator_identity: str
    order_no: str
    items: tuple[Item, ...]
    amount: Amount
    expires_at: int
    deliver_by: int | None = None
    delivery_address: bytes | None = None

    @classmethod
    def from_json(cls, document: str | bytes | dict[str, Any]) -> Order:
        """An order from its JSON document: amounts are decimal strings, times ISO 8601 UTC, a digest base64url.

        A missing `amount` is what the items add up to. Raises `InvalidCall` draft_invalid with the place and the reason.
        """
        fields = read_order_document(document)
        items = tuple(Item(**item) for item in fields.pop("items"))
        return cls(items=items, **fields)

    def item_categories(self) -> frozenset[str]:
        """Every label on the order."""
        return frozenset([item.category for item in self.items])


@immutable
class UnverifiedOrder:
    """A decoded order that nobody has checked."""

    order: Order
    issued_at: int
    opened: Opened

    @property
    def kind(self) -> str:
        """What this is, in a word."""
        return "order"

    def authenticate(self, parties: Parties) -> AuthenticatedOrder:
        """The order, its payee proven. Raises `Refused`: signer_unknown, signer_mismatch, order_signature_invalid,
        key_compromised."""
        try:
            enrolled = parties.find(self.opened.kid, Role.PAYEE, self.issued_at)
        except Refused as refusal:
            raise refusal.within("order.iss") from None
        if enrolled.party.id != self.order.payee:
            raise Refused("signer_mismatch", "order.iss", key_of=enrolled.party.id, named=self.order.payee)
        self.opened.check_signature(enrolled.public_key, "order_signature_invalid", enrolled.alias)
        if enrolled.compromised_at is not None:  # an order lives for minutes: none is worth keeping a lost key for
            raise Refused("key_compromised", "order.iss", compromised_at=enrolled.compromised_at)
        return AuthenticatedOrder(self.order, self.issued_at, self.opened.identity, enrolled)


@immutable
class AuthenticatedOrder:
    """An order its payee signed, with that payee's enrolled key and merchant record."""

    order: Order
    issued_at: int
    identity: bytes
    payee_key: EnrolledKey

    def require_in_force(self, at: int) -> None:
        """Rules ACT-ORD-02 and -03: the price lock holds at instant `at`; `at == expires_at` is expired."""
        if self.issued_at > at + FUTURE_TOLERANCE_SECONDS:
            raise Refused("order_not_yet_valid", "order.iat", issued_at=self.issued_at)
        if at >= self.order.expires_at:
            raise Refused("order_expired", "order.exp", ended_at=self.order.expires_at)


def _read_quantity(value: Any) -> int:
    if type(value) is not int or not 0 < value <= MAX_QUANTITY:
        raise Refused("claim_invalid", expected=f"a whole number from 1 to {MAX_QUANTITY}")
    return value


def _read_items(value: Any) -> list[Any]:
    if type(value) is not list or not 0 < len(value) <= MAX_LIST:
        raise Refused("claim_invalid", expected=f"a list of 1 to {MAX_LIST} items")
    return value


def _read_amount_text(value: Any) -> str:
    if type(value) is not str:
        raise Refused("amount_invalid")
    return value


_CLAIMS: Final = Fields({"iss": read_text, "sub": read_text, "exp": read_instant, "iat": read_instant, "act": read_map})
_ACT: Final = Fields(
    {
        "delegator_identity": read_text,
        "order_no": read_text,
        "items": _read_items,
        "amount": _read_amount_text,
        "currency": read_text,
    },
    {"deliver_by": read_instant, "delivery_address": read_digest},
)
_ITEM: Final = Fields(
    {"sku": read_text, "name": read_name, "category": read_text, "quantity": _read_quantity, "unit_amount": _read_amount_text}
)


def read_order(claims: dict[str, Any]) -> tuple[Order, int]:
    """The order in an object's claims and when it was signed. Raises `Refused`, order_total_mismatch among them
    (ACT-ORD-01)."""
    head = read_fields(_CLAIMS, claims, "order")
    body = read_fields(_ACT, head["act"], "order.act")
    currency = body["currency"]
    amount = Amount.parse(body["amount"], currency, "order.act.amount")
    items = tuple([_read_item(raw, currency, place) for place, raw in enumerate(body["items"])])
    order = Order(
        head["iss"],
        head["sub"],
        body["delegator_identity"],
        body["order_no"],
        items,
        amount,
        head["exp"],
        body.get("deliver_by"),
        body.get("delivery_address"),
    )
    if order.deliver_by is not None and order.deliver_by <= head["iat"]:
        raise Refused("claim_invalid", "order.act.deliver_by", expected="an instant after the order's iat")
    total_minor = sum([item.quantity * item.unit_amount.minor for item in items])
    if total_minor != amount.minor:
        raise Refused("order_total_mismatch", "order.act.amount", items_minor=total_minor, amount_minor=amount.minor)
    return order, head["iat"]


def _read_item(raw: Any, currency: str, place: int) -> Item:
    try:
        fields = read_fields(_ITEM, raw, "")
        unit_amount = Amount.parse(fields["unit_amount"], currency, "unit_amount")
    except Refused as refusal:
        raise refusal.within(f"order.act.items.{place}") from None
    return Item(fields["sku"], fields["name"], fields["category"], fields["quantity"], unit_amount)


def order_claims(order: Order, issued_at: int) -> dict[str, Any]:
    """The claims that `read_order` takes back."""
    items = [
        {
            "sku": item.sku,
            "name": item.name,
            "category": item.category,
            "quantity": item.quantity,
            "unit_amount": item.unit_amount.text,
        }
        for item in order.items
    ]
    body: dict[str, Any] = {
        "delegator_identity": order.delegator_identity,
        "order_no": order.order_no,
        "items": items,
        "amount": order.amount.text,
        "currency": order.amount.currency,
    }
    promised = {"deliver_by": order.deliver_by, "delivery_address": order.delivery_address}
    body |= {name: value for name, value in promised.items() if value is not None}
    return {"iss": order.payee, "sub": order.agent_id, "exp": order.expires_at, "iat": issued_at, "act": body}


def sign_order(order: Order, *, signer: Signer, at: datetime | None = None, format: Literal["cose", "jose"] = "cose") -> bytes:
    """Signs an order as its payee and returns its bytes. `at` is the time of confirmation (None: the system clock).

    `format` is the envelope; an order may stand in another one than the mandate it is paid under. Raises `Refused` for an order
    no verifier would take: items that do not add up, a lock that has already expired.
    """
    envelope = read_format(format)
    if not isinstance(order, Order):
        raise InvalidCall("call_invalid", "order", expected="an act.Order")
    claims = order_claims(order, instant(at or system_clock()))
    if any(item.unit_amount.currency != order.amount.currency for item in order.items):
        raise Refused("currency_mismatch", "order.items")
    if order.expires_at <= claims["iat"]:
        raise Refused("order_expired", "order.exp")
    read_order(claims)
    return seal(ORDER, claims, signer, envelope)


def open_order(data: bytes) -> UnverifiedOrder:
    """Decodes an order strictly; believes nothing. Raises `Refused`."""
    opened = open_object(data, ORDER)
    order, issued_at = read_order(opened.claims)
    return UnverifiedOrder(order, issued_at, opened)


def verify_order(order: bytes, *, parties: Parties, at: datetime) -> AuthenticatedOrder:
    """An order that is genuine and whose price lock holds at instant `at`. Raises `Refused`: parties_expired, what
    `UnverifiedOrder.authenticate` raises, key_compromised, order_not_yet_valid, order_expired."""
    now = instant(at)
    if now >= parties.expires_at:
        raise Refused("parties_expired", "parties", ended_at=parties.expires_at)
    authenticated = open_order(order).authenticate(parties)
    authenticated.require_in_force(now)
    return authenticated


def purchase_of(authenticated: AuthenticatedOrder, payment_method: str, scenario: str, at: int) -> Purchase:
    """What constraints judge of an order, the payee's merchant record included."""
    order = authenticated.order
    return Purchase(
        order.payee,
        authenticated.payee_key.party.categories,
        order.item_categories(),
        order.amount,
        payment_method,
        scenario,
        at,
        order.items,
        authenticated.issued_at,
        order.deliver_by,
        order.delivery_address,
    )


def pre_check(
    chain: Chain,
    order: AuthenticatedOrder,
    *,
    payment_method: str,
    at: datetime,
    used: Mapping[str, int] | None = None,
) -> None:
    """What an agent asks before it pays: is this order for it, does the mandate permit it, and does it fit into what is left?

    `chain` and `order` are what `verify_mandate` and `verify_order` returned. `used` is what the payment service last
    reported as held and captured together, by limit name: minor units, or times where payments are counted. Returns, or raises
    the `Refused` that the payment service would raise. It reserves nothing: only the payment service's answer counts.
    """
    now, mandate = instant(at), chain.root.mandate
    if order.order.agent_id != chain.agent_id:
        raise Refused("agent_mismatch", "order.sub")
    if order.order.delegator_identity != mandate.delegator_identity:
        raise Refused("principal_mismatch", "order.act.delegator_identity")
    chain.require_in_force(now)
    order.require_in_force(now)
    scenario = mandate.constraint(DelegationMode).scenario
    purchase = purchase_of(order, payment_method, scenario, now)
    findings = []
    try:
        chain.permits(purchase)
    except Refused as refusal:
        findings.append(refusal)
    try:
        for limit in chain.limits(now):
            judge(limit, Usage(0, (used or {}).get(limit.name, 0)), purchase.amount.minor)
    except Refused as refusal:
        findings.append(refusal)
    if findings:  # the cumulative limit ranks before semantics, as at the payment service
        raise min(findings, key=lambda finding: finding.precedence)

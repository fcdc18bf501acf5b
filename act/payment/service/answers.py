"""What a payment service answers, as nobody else can: a charge, or the acknowledgement of a stop or of its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from act.delegation.lifecycle import MandateState
from act.delegation.mandate import MandateKey
from act.money import Amount
from act.payment.charge import ChargeRecord, ChargeState
from act.payment.ledger import EntryKind

__all__ = ["Acknowledgement", "Charge", "charge_of"]


@dataclass(frozen=True, slots=True, init=False)
class Charge:
    """A payment that was verified and reserved. Only a `PaymentService` makes one; it cannot be constructed.

    `id` is ACT's trade_no. `captured` is None until money was captured, `refunded` until some of it was given back.
    `hold_expires_at` is in seconds since 1970, UTC.
    `receipt` is the signed statement of what this call did; with `replayed` it was done by an earlier one and nothing moved
    now.
    """

    id: str
    state: ChargeState
    amount: Amount
    captured: Amount | None
    refunded: Amount | None
    payee: str
    order_no: str
    agent_id: str
    mandate: MandateKey
    hold_expires_at: int
    receipt: bytes
    replayed: bool

    def __init__(self) -> None:
        raise TypeError("a Charge is made by PaymentService.authorize and in no other way")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Charge is not pickled or copied: only its receipt proves anything elsewhere")

    def __setstate__(self, state: object) -> NoReturn:
        raise TypeError("a Charge is made by PaymentService.authorize and in no other way")


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """A payment service's signed word that a credential is suspended, resumed or revoked.

    `kind` is what `receipt` says was done: with `replayed` by an earlier call, and nothing moved now. `state` is how the
    credential stands now, as stored: unless it is Active, no reservation under it commits.
    """

    mandate: MandateKey
    kind: EntryKind
    state: MandateState
    receipt: bytes
    replayed: bool


def charge_of(record: ChargeRecord, receipt: bytes, replayed: bool) -> Charge:
    """The one place where a `Charge` comes into being: from a ledger's outcome."""
    currency = record.amount.currency
    captured, refunded = (Amount(each, currency) if each else None for each in (record.captured_minor, record.refunded_minor))
    charge = object.__new__(Charge)
    for name, value in (
        ("id", record.id),
        ("state", record.state),
        ("amount", record.amount),
        ("captured", captured),
        ("refunded", refunded),
        ("payee", record.payee),
        ("order_no", record.order_no),
        ("agent_id", record.request.agent_id),
        ("mandate", record.request.mandate),
        ("hold_expires_at", record.hold_expires_at),
        ("receipt", receipt),
        ("replayed", replayed),
    ):
        object.__setattr__(charge, name, value)
    return charge

"""The receipt: what the payment service signs about one entry of its ledger, refusals included.

A merchant checks it before it delivers; an auditor follows the chain of a mandate's receipts and sees every counter move.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar, Final

from act.calendar import FUTURE_TOLERANCE_SECONDS, instant, read_instant
from act.commerce.cart import open_order
from act.delegation.lifecycle import Causer, MandateState
from act.delegation.limits import Unit
from act.envelope.claims import (
    Fields,
    delegation_id_claim,
    read_delegation_id,
    read_digest,
    read_fields,
    read_map,
    read_text,
    read_texts,
)
from act.envelope.kinds import RECEIPT
from act.envelope.objects import KeyName, Opened, Unsigned, header, open_object, prepare, require_fitting
from act.envelope.opened import encode_signed
from act.errors import CODES, Refused
from act.keys import SIGNATURE_SIZE, Signer
from act.money import MINOR_LIMIT, Amount
from act.parties import Parties, Role
from act.payment.ledger import CounterChange, Entry, EntryKind

__all__ = ["Receipt", "UnverifiedReceipt", "open_receipt", "receipt_maker", "recorded_receipt", "verify_receipt"]

PAID_KINDS: Final = frozenset({EntryKind.RESERVED, EntryKind.PARTIALLY_CAPTURED, EntryKind.CAPTURED})
"""Receipts on which a merchant may deliver: the money is held for it, or is its own."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt whose signature holds. Fields that its kind of entry does not have are None; amounts are positive.

    `audience` names whom it is for: the payee and the agent, or of a lifecycle entry the issuer and the agent. `instruction`
    is the identity of what was instructed: for whoever signed that, this is the acknowledgement. `supersedes` is the identity
    of the mandate that `credential` replaces from here on.
    """

    issuer: str
    audience: tuple[str, ...]
    issued_at: int
    identity: bytes
    kind: EntryKind
    sequence: int
    previous: bytes | None
    delegator_identity: str
    delegation_id: str
    credential: bytes
    counters: tuple[CounterChange, ...]
    trade_no: str | None
    request: bytes | None
    order: bytes | None
    order_no: str | None
    amount: Amount | None
    code: str | None
    hold_expires_at: int | None
    tzdata_version: str | None = None
    capture_no: str | None = None
    refund_no: str | None = None
    instruction: bytes | None = None
    caused_by: Causer | None = None
    link: bytes | None = None
    credential_state: MandateState | None = None
    supersedes: bytes | None = None


@dataclass(frozen=True, slots=True)
class UnverifiedReceipt:
    """A decoded receipt that nobody has checked."""

    kind: ClassVar[str] = "receipt"
    receipt: Receipt
    opened: Opened

    def authenticate(self, parties: Parties) -> Receipt:
        """The receipt, its payment service proven. Raises `Refused`: signer_unknown, signer_mismatch,
        receipt_signature_invalid (ACT-RCT-01), key_compromised."""
        try:
            enrolled = parties.find(self.opened.kid, Role.PSP, self.receipt.issued_at)
        except Refused as refusal:
            raise refusal.within("receipt.iss") from None
        if enrolled.party.id != self.receipt.issuer:
            raise Refused("signer_mismatch", "receipt.iss", key_of=enrolled.party.id, named=self.receipt.issuer)
        self.opened.check_signature(enrolled.public_key, "receipt_signature_invalid", enrolled.alias)
        if enrolled.compromised_at is not None:
            raise Refused("key_compromised", "receipt.iss", compromised_at=enrolled.compromised_at)
        return self.receipt


def receipt_maker(ledger_id: str, issuer: str, signer: Signer | KeyName) -> Callable[[Entry], Unsigned]:
    """How this payment service turns an entry into a receipt; `issuer` is the mandate's, told of a revocation.

    A receipt stands in the envelope of its mandate. The signer is asked for its algorithm and key id here and for nothing in
    the transaction: it may be far away.
    """
    name = KeyName(signer.alg, signer.kid)

    def make(entry: Entry) -> Unsigned:
        unsigned = prepare(header(RECEIPT, name, entry.format), _claims(ledger_id, issuer, entry))
        require_fitting(unsigned, RECEIPT)  # nothing is committed whose receipt nobody could read
        return unsigned

    return make


def _claims(ledger_id: str, issuer: str, entry: Entry) -> dict[str, Any]:
    optional = {
        "previous": entry.previous,
        "request": entry.request_identity,
        "order": entry.order,
        "order_no": entry.order_no,
        "trade_no": entry.charge_id,
        "amount": entry.amount.text if entry.amount else None,
        "currency": entry.amount.currency if entry.amount else None,
        "code": entry.code,
        "hold_expires_at": entry.hold_expires_at,
        "tzdata_version": entry.tzdata_version,
        "capture_no": entry.capture_no,
        "refund_no": entry.refund_no,
        "instruction": entry.instruction,
        "caused_by": entry.caused_by.value if entry.caused_by else None,
        "link": entry.link,
        "credential_state": entry.credential_state.value if entry.credential_state else None,
        "supersedes": entry.supersedes,
    }
    body = {
        "delegator_identity": entry.mandate.delegator_identity,
        "delegation_id": delegation_id_claim(entry.mandate.delegation_id),
        "credential": entry.credential,
        "sequence": entry.sequence,
        "state": entry.kind.value,
        "counters": [
            {
                "limit": change.name,
                "cap": change.cap,
                "held_before": change.held_before,
                "captured_before": change.captured_before,
                "held": change.held,
                "captured": change.captured,
            }
            | ({} if change.unit is Unit.AMOUNT else {"unit": change.unit.value})
            for change in entry.counters
        ],
    } | {name: value for name, value in optional.items() if value is not None}
    audience = list(dict.fromkeys((entry.payee or issuer, entry.agent_id)))
    return {"iss": ledger_id, "aud": audience, "iat": entry.at, "act": body}


def _read_minor(value: Any) -> int:
    if type(value) is not int or not 0 <= value < MINOR_LIMIT:
        raise Refused("claim_invalid", expected="minor units")
    return value


def _read_unit(value: Any) -> Unit:
    """Written for what counts payments only: there is one way to say that a counter counts money."""
    if value != Unit.TIMES.value:
        raise Refused("claim_invalid", expected="TIMES, or nothing for an amount")
    return Unit.TIMES


def _read_sequence(value: Any) -> int:
    if type(value) is not int or value < 1:
        raise Refused("claim_invalid", expected="a number from 1")
    return value


def _read_kind(value: Any) -> EntryKind:
    try:
        return EntryKind(value)
    except ValueError:
        raise Refused("claim_invalid", expected="a known state") from None


def _read_code(value: Any) -> str:
    if type(value) is not str or value not in CODES:
        raise Refused("claim_invalid", expected="a code of the table")
    return value


def _read_causer(value: Any) -> Causer:
    if value not in _LIFECYCLE_CAUSERS:
        raise Refused("claim_invalid", expected="principal, agent or risk_control")
    return Causer(value)


def _read_credential_state(value: Any) -> MandateState:
    if value not in (MandateState.ACTIVE.value, MandateState.SUSPENDED.value):
        raise Refused("claim_invalid", expected="Active or Suspended")
    return MandateState(value)


def _read_counters(value: Any) -> tuple[CounterChange, ...]:
    if type(value) is not list:
        raise Refused("claim_invalid", expected="a list")
    changes = []
    for index, raw in enumerate(value):
        read = read_fields(_COUNTER, raw, str(index))
        change = CounterChange(*(read[name] for name in _COUNTER_ORDER))
        changes.append(replace(change, unit=read["unit"]) if "unit" in read else change)
    return tuple(changes)


_LIFECYCLE_CAUSERS: Final = (Causer.PRINCIPAL.value, Causer.AGENT.value, Causer.RISK_CONTROL.value)
_COUNTER_ORDER: Final = ("limit", "cap", "held_before", "captured_before", "held", "captured")
_COUNTER: Final = Fields({"limit": read_text} | dict.fromkeys(_COUNTER_ORDER[1:], _read_minor), {"unit": _read_unit})
_CLAIMS: Final = Fields({"iss": read_text, "aud": read_texts, "iat": read_instant, "act": read_map})
_ACT: Final = Fields(
    {
        "delegator_identity": read_text,
        "delegation_id": read_delegation_id,
        "credential": read_digest,
        "sequence": _read_sequence,
        "state": _read_kind,
        "counters": _read_counters,
    },
    {
        "previous": read_digest,
        "request": read_digest,
        "order": read_digest,
        "order_no": read_text,
        "trade_no": read_text,
        "amount": read_text,
        "currency": read_text,
        "code": _read_code,
        "hold_expires_at": read_instant,
        "tzdata_version": read_text,
        "capture_no": read_text,
        "refund_no": read_text,
        "instruction": read_digest,
        "caused_by": _read_causer,
        "link": read_digest,
        "credential_state": _read_credential_state,
        "supersedes": read_digest,
    },
)


def open_receipt(data: bytes) -> UnverifiedReceipt:
    """Decodes a receipt strictly; believes nothing. Raises `Refused`."""
    opened = open_object(data, RECEIPT)
    return UnverifiedReceipt(_read_receipt(opened), opened)


def recorded_receipt(unsigned: Unsigned) -> Receipt:
    """A receipt as its own ledger keeps it, which needs no signature to believe itself."""
    return open_receipt(encode_signed(unsigned, bytes(SIGNATURE_SIZE))).receipt


def _read_receipt(opened: Opened) -> Receipt:
    head = read_fields(_CLAIMS, opened.claims, "receipt")
    body = read_fields(_ACT, head["act"], "receipt.act")
    _require_shape(body)
    amount = Amount.parse(body["amount"], body["currency"], "receipt.act.amount") if "amount" in body else None
    return Receipt(
        head["iss"],
        head["aud"],
        head["iat"],
        opened.identity,
        body["state"],
        body["sequence"],
        body.get("previous"),
        body["delegator_identity"],
        body["delegation_id"],
        body["credential"],
        body["counters"],
        body.get("trade_no"),
        body.get("request"),
        body.get("order"),
        body.get("order_no"),
        amount,
        body.get("code"),
        body.get("hold_expires_at"),
        body.get("tzdata_version"),
        body.get("capture_no"),
        body.get("refund_no"),
        body.get("instruction"),
        body.get("caused_by"),
        body.get("link"),
        body.get("credential_state"),
        body.get("supersedes"),
    )


_OF_PAYMENT: Final = frozenset({"request", "order", "order_no", "amount", "currency"})
_OF_LIFECYCLE: Final = frozenset({"instruction", "caused_by"})
_SHAPES: Final[Mapping[EntryKind, frozenset[str]]] = {
    EntryKind.RESERVED: _OF_PAYMENT | {"trade_no", "hold_expires_at"},
    EntryKind.REFUSED: _OF_PAYMENT | {"code"},
    EntryKind.PARTIALLY_CAPTURED: _OF_PAYMENT | {"trade_no", "capture_no"},
    EntryKind.CAPTURED: _OF_PAYMENT | {"trade_no"},
    EntryKind.VOIDED: _OF_PAYMENT | {"trade_no"},
    EntryKind.EXPIRED: _OF_PAYMENT | {"trade_no"},
    EntryKind.REFUNDED: _OF_PAYMENT | {"trade_no", "refund_no"},
    EntryKind.REVOKED: frozenset(),
    EntryKind.SUSPENDED: _OF_LIFECYCLE,
    EntryKind.RESUMED: _OF_LIFECYCLE | {"credential_state"},
    EntryKind.SUCCEEDED: frozenset({"supersedes"}),
}
"""Which of the optional fields each kind has: exactly these, and what `_OPTIONAL` allows."""

_OPTIONAL: Final[Mapping[EntryKind, frozenset[str]]] = {
    EntryKind.RESERVED: frozenset({"tzdata_version"}),  # where a zone decided anything
    EntryKind.REFUSED: frozenset({"tzdata_version"}),
    EntryKind.PARTIALLY_CAPTURED: frozenset({"instruction"}),  # where the payee signed it
    EntryKind.CAPTURED: frozenset({"capture_no", "instruction"}),  # where the last part had a number, too
    EntryKind.VOIDED: frozenset({"instruction"}),  # of the void, or of the revocation that voided it
    EntryKind.EXPIRED: frozenset(),
    EntryKind.REFUNDED: frozenset({"instruction"}),
    EntryKind.REVOKED: _OF_LIFECYCLE | {"link", "supersedes"},  # of a successor: what it replaces was never seen
    EntryKind.SUSPENDED: frozenset({"link"}),
    EntryKind.RESUMED: frozenset({"link"}),
    EntryKind.SUCCEEDED: frozenset({"tzdata_version"}),
}


def _require_shape(body: dict[str, Any]) -> None:
    if (body["sequence"] == 1) == ("previous" in body):
        raise Refused("claim_invalid", "receipt.act.previous", expected="present from the second receipt on")
    state: EntryKind = body["state"]
    present = body.keys() - _ACT.required - {"previous"}
    unfitting = (present - _OPTIONAL[state]) ^ _SHAPES[state]
    if state is EntryKind.REVOKED and not unfitting and "caused_by" not in body:  # called, not instructed: about a mandate
        unfitting = present - {"supersedes"}
    if unfitting or ("caused_by" in body and "instruction" not in body):
        raise Refused(
            "claim_invalid", "receipt.act", state=state.value, unexpected_or_missing=min(unfitting or {"instruction"})
        )


def verify_receipt(receipt: bytes, *, order: bytes, parties: Parties, at: datetime, ledger: str | None = None) -> Receipt:
    """The merchant's check before it delivers: a receipt of its payment service that this very order is paid.

    Returns the receipt; raises `Refused` if it is not genuine (ACT-RCT-01), about another order or amount (ACT-RCT-02), or does
    not say that money is held or captured (ACT-RCT-03). Any payment service among `parties` may have signed it; a merchant that
    is paid through one of several names it as `ledger`. A captured amount below the order's is the merchant's own doing.
    """
    now = instant(at)
    if now >= parties.expires_at:
        raise Refused("parties_expired", "parties", ended_at=parties.expires_at)
    unverified = open_order(order)
    genuine = open_receipt(receipt).authenticate(parties)
    if genuine.issued_at > now + FUTURE_TOLERANCE_SECONDS:
        raise Refused("receipt_mismatch", "receipt.iat", issued_at=genuine.issued_at)
    if ledger is not None and genuine.issuer != ledger:
        raise Refused("receipt_mismatch", "receipt.iss", named=genuine.issuer, expected=ledger)
    if genuine.order != unverified.opened.identity or unverified.order.payee not in genuine.audience:
        raise Refused("receipt_mismatch", "receipt.act.order")
    if genuine.kind not in PAID_KINDS:
        raise Refused("receipt_not_paid", "receipt.act.state", state=genuine.kind.value)
    if genuine.hold_expires_at is not None and now >= genuine.hold_expires_at:
        raise Refused("receipt_not_paid", "receipt.act.hold_expires_at", ended_at=genuine.hold_expires_at)
    if genuine.kind is EntryKind.RESERVED and genuine.amount != unverified.order.amount:
        raise Refused("receipt_mismatch", "receipt.act.amount")
    return genuine

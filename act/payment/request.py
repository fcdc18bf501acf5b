"""The payment request, which is the agent's proof, and the payment: request, chain and order as one object.

The request binds everything it is about: the payment service, the mandate and the order by identity, the payee, the amount.
It can be sent over any transport and kept as evidence, because its signature does not depend on how it travelled.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final, Literal

from act.calendar import instant, read_instant, system_clock
from act.commerce.cart import open_order
from act.delegation.authority import MAX_LINKS
from act.delegation.chain import open_chain
from act.delegation.constraints import DelegationMode
from act.envelope.claims import (
    Fields,
    delegation_id_claim,
    read_delegation_id,
    read_digest,
    read_fields,
    read_id,
    read_map,
    read_text,
)
from act.envelope.kinds import REQUEST
from act.envelope.objects import MAX_JOSE_BYTES, MAX_OBJECT_BYTES, Format, Opened, open_object, read_format, seal
from act.errors import InvalidCall, Refused
from act.keys import PublicKey, Signer
from act.money import Amount
from act.values import immutable
from act.wire import cbor, json

__all__ = ["Payment", "PaymentRequest", "UnverifiedRequest", "open_request", "sign_payment"]

MAX_LIFETIME_SECONDS: Final = 120
"""How long a request may live: long enough for a slow network, short enough that a stolen copy is soon worthless."""

MAX_CHAIN: Final = 1 + MAX_LINKS
"""One mandate and at most eight links."""

PAYMENT_TYP: Final = "application/act1-payment+cbor"
MAX_PAYMENT_BYTES: Final = MAX_OBJECT_BYTES * (MAX_CHAIN + 2)

JSON_PAYMENT_TYP: Final = "act1-payment+json"
MAX_JSON_PAYMENT_BYTES: Final = MAX_JOSE_BYTES * (MAX_CHAIN + 2)
_JOSE_START: Final = b"e"
_JSON_START: Final = b"{"


@immutable
class PaymentRequest:
    """What the agent signs to pay one order. `request_id` is 16 random bytes, `delegation_id` the mandate's;
    `credential` and `order` are identities (32 bytes).

    `scenario` is ACT's: DEL under a SPECIFIED mandate, AUP under a BOUNDED one. Times are seconds since 1970, UTC.
    """

    request_id: bytes
    audience: str
    agent_id: str
    delegator_identity: str
    delegation_id: str
    credential: bytes
    order: bytes
    order_no: str
    payee: str
    amount: Amount
    scenario: str
    payment_method: str
    payment_tool_reference: str
    issued_at: int
    expires_at: int


@immutable
class UnverifiedRequest:
    """A decoded request whose signature nobody has checked."""

    request: PaymentRequest
    opened: Opened

    @property
    def kind(self) -> str:
        """What this is, in a word."""
        return "request"

    @property
    def identity(self) -> bytes:
        """SHA-256 of the signing input."""
        return self.opened.identity

    def check_signature(self, holder: PublicKey) -> None:
        """Rule ACT-PAY-01: raises `Refused` agent_signature_invalid unless the mandate's agent key signed this."""
        self.opened.check_signature(holder, "agent_signature_invalid")


@dataclass(frozen=True, slots=True)
class Payment:
    """Request, chain (root first) and order as one object, each as the bytes its signer made: what `authorize` takes."""

    kind: ClassVar[str] = "payment"
    request: bytes
    chain: tuple[bytes, ...]
    order: bytes

    def __post_init__(self) -> None:
        parts = (self.request, self.order, *self.chain) if type(self.chain) is tuple else (None,)
        if len(parts) < 3 or len(parts) > 2 + MAX_CHAIN or not all(type(part) is bytes for part in parts):
            raise InvalidCall(
                "call_invalid", "payment", expected=f"bytes, and a tuple of 1 to {MAX_CHAIN} credentials as chain"
            )

    def to_bytes(self) -> bytes:
        """The payment as one map: of JSON texts when every part is a compact JWS, otherwise of CBOR byte strings.

        It is not signed: its parts are, and the request names the others.
        """
        parts = (self.request, self.order, *self.chain)
        if all(part.startswith(_JOSE_START) and part.isascii() for part in parts):
            chain = [part.decode("ascii") for part in self.chain]
            order, request = self.order.decode("ascii"), self.request.decode("ascii")
            return json.canonicalize({"typ": JSON_PAYMENT_TYP, "chain": chain, "order": order, "request": request})
        return cbor.encode({"typ": PAYMENT_TYP, "chain": list(self.chain), "order": self.order, "request": self.request})

    @classmethod
    def from_bytes(cls, data: bytes) -> Payment:
        """Takes a payment of either form apart without opening its parts. Raises `Refused`."""
        value: Any
        if type(data) is bytes and data.startswith(_JSON_START):
            typ, table = JSON_PAYMENT_TYP, _JSON_PAYMENT
            try:
                value = json.decode(data, max_bytes=MAX_JSON_PAYMENT_BYTES)
            except Refused as refusal:
                raise refusal.within("payment") from None
        else:
            value, typ, table = cbor.decode(data, max_bytes=MAX_JSON_PAYMENT_BYTES), PAYMENT_TYP, _PAYMENT
        if type(value) is not dict or value.get("typ") != typ:
            raise Refused("kind_unexpected", "payment", expected="payment")
        fields = read_fields(table, value, "payment")
        return cls(fields["request"], fields["chain"], fields["order"])


def _read_object(value: Any) -> bytes:
    if type(value) is not bytes:
        raise Refused("claim_invalid", expected="bytes")
    return value


def _read_text_object(value: Any) -> bytes:
    if type(value) is not str or not value.isascii():
        raise Refused("claim_invalid", expected="a compact JWS")
    return value.encode("ascii")


def _read_chain(value: Any, read: Callable[[Any], bytes] = _read_object) -> tuple[bytes, ...]:
    if type(value) is not list or not 0 < len(value) <= MAX_CHAIN:
        raise Refused("claim_invalid", expected=f"a list of 1 to {MAX_CHAIN} credentials")
    return tuple(map(read, value))


def _read_text_chain(value: Any) -> tuple[bytes, ...]:
    return _read_chain(value, _read_text_object)


def _read_scenario(value: Any) -> str:
    if value not in ("DEL", "AUP"):
        raise Refused("claim_invalid", expected="DEL or AUP")
    return str(value)


_PAYMENT: Final = Fields({"typ": read_text, "chain": _read_chain, "order": _read_object, "request": _read_object})
_JSON_PAYMENT: Final = Fields(
    {"typ": read_text, "chain": _read_text_chain, "order": _read_text_object, "request": _read_text_object}
)
_CLAIMS: Final = Fields(
    {"iss": read_text, "aud": read_text, "exp": read_instant, "iat": read_instant, "cti": read_id, "act": read_map}
)
_ACT: Final = Fields(
    {
        "delegator_identity": read_text,
        "delegation_id": read_delegation_id,
        "credential": read_digest,
        "order": read_digest,
        "order_no": read_text,
        "payee": read_text,
        "amount": read_text,
        "currency": read_text,
        "scenario": _read_scenario,
        "payment_method": read_text,
        "payment_tool_reference": read_text,
    }
)


def read_request(claims: dict[str, Any]) -> PaymentRequest:
    """The request in an object's claims. Raises `Refused`."""
    head = read_fields(_CLAIMS, claims, "request")
    body = read_fields(_ACT, head["act"], "request.act")
    return PaymentRequest(
        head["cti"],
        head["aud"],
        head["iss"],
        body["delegator_identity"],
        body["delegation_id"],
        body["credential"],
        body["order"],
        body["order_no"],
        body["payee"],
        Amount.parse(body["amount"], body["currency"], "request.act.amount"),
        body["scenario"],
        body["payment_method"],
        body["payment_tool_reference"],
        head["iat"],
        head["exp"],
    )


def request_claims(request: PaymentRequest) -> dict[str, Any]:
    """The claims that `read_request` takes back."""
    body = {
        "delegator_identity": request.delegator_identity,
        "delegation_id": delegation_id_claim(request.delegation_id),
        "credential": request.credential,
        "order": request.order,
        "order_no": request.order_no,
        "payee": request.payee,
        "amount": request.amount.text,
        "currency": request.amount.currency,
        "scenario": request.scenario,
        "payment_method": request.payment_method,
        "payment_tool_reference": request.payment_tool_reference,
    }
    return {
        "iss": request.agent_id,
        "aud": request.audience,
        "exp": request.expires_at,
        "iat": request.issued_at,
        "cti": request.request_id,
        "act": body,
    }


def open_request(data: bytes) -> UnverifiedRequest:
    """Decodes a request strictly; believes nothing. Raises `Refused`."""
    opened = open_object(data, REQUEST)
    return UnverifiedRequest(read_request(opened.claims), opened)


def sign_payment(
    order: bytes,
    *,
    chain: Sequence[bytes],
    audience: str,
    signer: Signer,
    payment_method: str = "balance",
    payment_tool_reference: str = "default",
    request_id: bytes | None = None,
    lifetime_seconds: int = MAX_LIFETIME_SECONDS,
    at: datetime | None = None,
    format: Literal["cose", "jose"] | None = None,
) -> Payment:
    """Signs a request to pay `order` under `chain` at the payment service `audience`, with the chain's leaf key.

    `format` is the request's envelope (None: the chain's). `request_id` (16 bytes) is drawn at random when None; sending the
    same bytes again is always safe. `at` is the time of signing (None: the system clock). Only form is checked here; whether
    the payment is allowed is the payment service's decision, and `pre_check` foretells it.
    """
    if not chain:
        raise InvalidCall("call_invalid", "chain", expected="at least one credential")
    unverified_chain = open_chain(chain)
    envelope = unverified_chain.root.opened.format if format is None else read_format(format)
    unverified = open_order(order)
    terms = unverified.order
    issued_at = instant(at or system_clock())
    mandate = unverified_chain.root.content.mandate
    scenario = mandate.constraint(DelegationMode).scenario  # a link has the mode of its mandate
    request = PaymentRequest(
        secrets.token_bytes(16) if request_id is None else request_id,
        audience,
        unverified_chain.agent_id,
        mandate.delegator_identity,
        unverified_chain.delegation_id,
        unverified_chain.identity,
        unverified.opened.identity,
        terms.order_no,
        terms.payee,
        terms.amount,
        scenario,
        payment_method,
        payment_tool_reference,
        issued_at,
        issued_at + lifetime_seconds,
    )
    claims = request_claims(request)
    read_request(claims)
    if envelope is Format.COSE and type(claims["act"]["delegation_id"]) is not bytes:
        raise InvalidCall("call_invalid", "format", expected="jose: COSE carries no delegation_id that is no UUID")
    return Payment(seal(REQUEST, claims, signer, envelope), tuple(chain), order)

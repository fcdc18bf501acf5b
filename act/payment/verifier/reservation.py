"""What the pure verifier returns: exactly what the ledger would have to debit. It authorizes nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NoReturn

from act.calendar import TZDATA_VERSION
from act.delegation.chain import Chain
from act.delegation.limits import Limit
from act.delegation.mandate import MandateKey
from act.money import Amount
from act.payment.verifier.authenticated import AuthenticatedPayment

__all__ = ["LinkRecord", "RequestKey", "ReservationRequest", "links_of", "request_key"]


@dataclass(frozen=True, slots=True)
class RequestKey:
    """Within what a request id is unique: the root mandate and the agent (ACT-PAY-04). `holder` is the thumbprint of the key
    that signs: two sub-agents may bear one name, and neither may use up the other's ids."""

    mandate: MandateKey
    agent_id: str
    holder: bytes
    request_id: bytes


@dataclass(frozen=True, slots=True)
class LinkRecord:
    """A link to be pinned below its mandate: its id, its identity and its agent."""

    delegation_id: str
    identity: bytes
    agent_id: str


def request_key(payment: AuthenticatedPayment) -> RequestKey:
    """Within what the payment's request id is unique."""
    chain, request = payment.chain, payment.request
    return RequestKey(chain.root.key, request.agent_id, chain.holder.kid, request.request_id)


def links_of(chain: Chain) -> tuple[LinkRecord, ...]:
    """The links of a chain, root first."""
    return tuple([LinkRecord(each.link.delegation_id, each.identity, each.link.agent_id) for each in chain.links])


@dataclass(frozen=True, slots=True)
class ReservationRequest:
    """A payment that every rule and constraint permits, and the limits a ledger must still debit for it, all or none.

    It is not an authorization: no money is held, nothing was recorded, and the same request may be refused a moment later. It
    has no truth value, so that `if verify(...)` cannot pass for a decision. Only `PaymentService.authorize` makes a `Charge`.
    `at` is the instant of the decision, in seconds since 1970, UTC.
    """

    payment: AuthenticatedPayment
    limits: tuple[Limit, ...]
    at: int
    request: RequestKey = field(init=False, repr=False, compare=False)
    """Within what the request id is unique."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "request", request_key(self.payment))

    def __bool__(self) -> NoReturn:
        raise TypeError("a ReservationRequest authorizes nothing and has no truth value; only PaymentService.authorize decides")

    @property
    def request_identity(self) -> bytes:
        """SHA-256 of the request's signing input."""
        return self.payment.request_identity

    @property
    def credential(self) -> bytes:
        """The identity of the mandate the agent pays under."""
        return self.payment.chain.leaf.identity

    @property
    def links(self) -> tuple[LinkRecord, ...]:
        """The links below the mandate, root first: what the ledger pins beside it."""
        return links_of(self.payment.chain)

    @property
    def pinned_before(self) -> int | None:
        """None, or when a signing key was compromised: only a mandate recorded before it may be used (ACT-PAR-05)."""
        return self.payment.pinned_before

    @property
    def payee(self) -> str:
        """Who is paid."""
        return self.payment.request.payee

    @property
    def order_no(self) -> str:
        """The payee's number for what is paid."""
        return self.payment.request.order_no

    @property
    def order(self) -> bytes:
        """The identity of the order that is paid."""
        return self.payment.request.order

    @property
    def amount(self) -> Amount:
        """What every limit is debited that counts money; one that counts payments is debited one."""
        return self.payment.request.amount

    @property
    def tzdata_version(self) -> str | None:
        """The release of the zone database by which this was decided, None where no zone decided anything."""
        return TZDATA_VERSION if self.payment.chain.uses_calendar else None

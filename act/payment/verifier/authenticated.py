"""From a payment's bytes to a payment whose every signature holds. Pure: no I/O, no clock.

What comes out says who signed what. It does not say that the payment is allowed, and it is no longer bytes, so nothing behind
this point can be handed something unverified.
"""

from __future__ import annotations

from dataclasses import dataclass

from act.commerce.cart import AuthenticatedOrder, open_order
from act.delegation.chain import Chain, ChainCache, open_chain
from act.parties import Parties
from act.payment.request import Payment, PaymentRequest, UnverifiedRequest, open_request

__all__ = ["AuthenticatedPayment", "authenticate"]


@dataclass(frozen=True, slots=True)
class AuthenticatedPayment:
    """A payment whose request, chain and order carry good signatures of the right parties.

    `pinned_before` is None, or the instant at which a signing key was compromised: then only a mandate that the ledger had
    recorded before it may still be used (ACT-PAR-05).
    """

    request: PaymentRequest
    request_identity: bytes
    chain: Chain
    order: AuthenticatedOrder
    pinned_before: int | None


def authenticate(payment: Payment, parties: Parties, cache: ChainCache | None = None) -> AuthenticatedPayment:
    """Opens all parts, then checks every signature in ACT's order: agent, mandate, links, order (ACT-PAY-01 to -03).

    A link's signature is rule ACT-CHN-02, and that it narrows its parent ACT-CHN-03 to -09. Raises `Refused`. With a `cache`,
    a chain authenticated before from the same bytes is not verified again; the standing of its issuer's key is.
    """
    version = parties.version  # read first: what they answer afterwards may be newer, and is then not remembered
    request, order = open_request(payment.request), open_order(payment.order)
    chain = cache.find(payment.chain, parties) if cache is not None else None
    if chain is None:
        chain = _authenticate_chain(payment.chain, request, parties, cache, version)
    else:
        request.check_signature(chain.holder)
    compromised_at = chain.root.issuer_key(parties).compromised_at  # asked at every use, whatever was cached
    return AuthenticatedPayment(request.request, request.identity, chain, order.authenticate(parties), compromised_at)


def _authenticate_chain(
    data: tuple[bytes, ...], request: UnverifiedRequest, parties: Parties, cache: ChainCache | None, version: int
) -> Chain:
    """The chain of a request that its leaf signed. Its mandate may be known from other sub-agents' payments."""
    unverified = open_chain(data)
    request.check_signature(unverified.holder)
    if cache is None:
        return unverified.authenticate(parties)
    chain = cache.find(data[:1], parties)
    if chain is None:
        chain = Chain(unverified.root.authenticate(parties))
        cache.keep(data[:1], chain, version)
    if unverified.links:
        chain = chain.extended(unverified.links)
        cache.keep(data, chain, version)
    return chain

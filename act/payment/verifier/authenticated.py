"""From a payment's bytes to a payment whose every signature holds. Pure: no I/O, no clock.

What comes out says who signed what. It does not say that the payment is allowed, and it is no longer bytes, so nothing behind
this point can be handed something unverified.
"""

from __future__ import annotations

from dataclasses import dataclass

from act.commerce.cart import AuthenticatedOrder, open_order
from act.delegation.chain import Chain
from act.delegation.credential import CredentialCache, open_credential
from act.errors import Refused
from act.parties import Parties
from act.payment.request import Payment, PaymentRequest, open_request

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


def authenticate(payment: Payment, parties: Parties, cache: CredentialCache | None = None) -> AuthenticatedPayment:
    """Opens all parts, then checks every signature in ACT's order: agent, mandate, order (ACT-PAY-01, -02, -03).

    Raises `Refused`. With a `cache`, a mandate authenticated before from the same bytes is not verified again; the standing of
    its issuer's key is.
    """
    if len(payment.chain) != 1:
        raise Refused("delegation_not_allowed", "payment.chain", links=len(payment.chain) - 1)
    data = payment.chain[0]
    request, order = open_request(payment.request), open_order(payment.order)
    credential = cache.find(data, parties) if cache is not None else None
    if credential is None:
        unverified = open_credential(data)
        request.check_signature(unverified.holder)
        credential = unverified.authenticate(parties)
        if cache is not None:
            cache.keep(data, credential, parties)
    else:
        request.check_signature(credential.holder)
    compromised_at = credential.issuer_key(parties).compromised_at  # asked at every use, whatever was cached
    return AuthenticatedPayment(
        request.request, request.identity, Chain(credential), order.authenticate(parties), compromised_at
    )

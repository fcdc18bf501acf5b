"""What is enough to be told a stored outcome again, and no more."""

from __future__ import annotations

from act.commerce.cart import open_order
from act.delegation.chain import open_chain
from act.delegation.mandate import MandateKey
from act.errors import Refused
from act.payment.request import Payment, open_request
from act.payment.verifier.reservation import RequestKey

__all__ = ["replay_key"]


def replay_key(payment: Payment) -> tuple[RequestKey, bytes]:
    """The key and the identity under which a ledger may have an outcome of this very payment.

    The agent's signature holds, by the key in the mandate that the request names by identity, and the order is the one it
    names. If a ledger has that identity, all of it was authenticated when it was recorded; so the answer does not depend on
    keys that were enrolled then and are not now. Raises `Refused` otherwise.
    """
    request = open_request(payment.request)
    chain = open_chain(payment.chain)
    request.check_signature(chain.holder)
    if request.request.credential != chain.identity:
        raise Refused("credential_mismatch", "request.act.credential")
    if request.request.order != open_order(payment.order).opened.identity:
        raise Refused("order_mismatch", "request.act.order")
    mandate = chain.root.content.mandate
    key = MandateKey(mandate.issuer, mandate.delegator_identity, mandate.delegation_id)
    return RequestKey(key, request.request.agent_id, chain.holder.kid, request.request.request_id), request.identity

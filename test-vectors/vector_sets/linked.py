"""Links of the vectors, and the payments of whoever stands at the end of a chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

from act.envelope.kinds import LINK, REQUEST
from act.envelope.objects import seal
from act.wire import cbor
from act.wire.base64url import base64url_encode
from vector_sets import world
from vector_sets.world import KEYS, NOW, changed, claims_of, identity, mandate, tea_mandate, uuid_of

__all__ = [
    "DEPTH",
    "ROOT",
    "chain_of",
    "chain_request",
    "limit_of",
    "link",
    "link_claims",
    "name_of",
    "paid_by",
    "root_mandate",
]

DEPTH: Final = "act.ext.delegation.max_depth"
_COMMERCE: Final = "act.ext.commerce."

ROOT: Final[Mapping[str, Any]] = {
    DEPTH: 2,
    f"{_COMMERCE}allowed_categories": ["tea", "coffee"],
    f"{_COMMERCE}forbidden_merchants": ["gifts.example", "bare.example"],
    f"{_COMMERCE}forbidden_categories": ["gift-card", "lottery"],
}
"""What makes the tea mandate the root of these chains: two links may follow, and every list has an entry to spare."""


def root_mandate(changes: Mapping[str, Any] | None = None, *, signer: str = "wallet") -> bytes:
    """The mandate at the root: every constraint of the tea mandate, ROOT and changes."""
    return tea_mandate({**ROOT, **(changes or {})}, signer=signer)


def plain_root(changes: Mapping[str, Any] | None = None) -> bytes:
    """The least mandate that allows two links, with changes: where constraints are not the point."""
    return mandate({DEPTH: 2, **(changes or {})})


def link_claims(parent: bytes, agent: str) -> dict[str, Any]:
    """What an honest agent signs to pass on all it has: the window and the currency are its own, nothing is narrowed."""
    above = claims_of(parent)
    facts = above[-70001]
    return {
        "iss": above[2],
        "sub": f"agent:{agent}",
        "aud": above[3],
        "exp": above[4],
        "nbf": above[5],
        "iat": NOW - 900,
        "cti": uuid_of(f"link {agent}"),
        "cnf": {1: KEYS[agent].public_key.cose_key},
        "act": {
            "delegator_identity": facts["delegator_identity"],
            "parent": identity(parent),
            "currency": facts["currency"],
        },
    }


def link(
    parent: bytes, changes: Mapping[str, Any] | None = None, *, agent: str = "courier", signer: str | None = None
) -> bytes:
    """A link below a credential for the agent of that key, signed with the parent's agent key: an honest one with changes."""
    return seal(LINK, changed(link_claims(parent, agent), changes), KEYS[signer or _holder(parent)])


def _holder(credential: bytes) -> str:
    """The name of the key a credential is for."""
    key = claims_of(credential)[8][1]
    return next(name for name, pair in KEYS.items() if dict(pair.public_key.cose_key) == key)


def chain_of(length: int) -> list[bytes]:
    """A mandate and so many links, each allowing exactly those that follow."""
    chain = [plain_root({DEPTH: length})]
    for place in range(1, length + 1):
        left = length - place
        agent = "courier" if place == 1 else f"courier-{place}"
        chain.append(link(chain[-1], {DEPTH: left} if left else None, agent=agent))
    return chain


def chain_request(
    chain: Sequence[bytes],
    order_bytes: bytes,
    changes: Mapping[str, Any] | None = None,
    *,
    signer: str | None = None,
    request_id: str = "1",
) -> bytes:
    """The request of a chain's last agent: an honest one with changes. The scenario is that of the mandate."""
    mode = claims_of(chain[0])[-70001].get("delegation_mode")
    claims = world.request_claims(chain[-1], order_bytes, request_id)
    claims["act"]["scenario"] = "AUP" if mode == "BOUNDED" else "DEL"
    return seal(REQUEST, changed(claims, changes), KEYS[signer or _holder(chain[-1])])


def paid_by(
    chain: Sequence[bytes],
    order_bytes: bytes,
    changes: Mapping[str, Any] | None = None,
    *,
    signer: str | None = None,
    request_id: str = "1",
) -> bytes:
    """The payment of an order by a chain's last agent, with changes to its request."""
    request = chain_request(chain, order_bytes, changes, signer=signer, request_id=request_id)
    return world.payment(request, chain[0], order_bytes, *chain[1:])


def name_of(link_bytes: bytes) -> str:
    """A link's identity in base64url, which the names of its own limits begin with."""
    protected, payload, _ = cbor.decode_sign1(link_bytes)
    return base64url_encode(sha256(cbor.sig_structure(protected, payload)).digest())


def limit_of(link_bytes: bytes) -> str:
    """The name under which a link's own total is counted."""
    return f"{name_of(link_bytes)}/max_total_amount"

"""The kinds of signed object, told apart by their typ header so that none can be taken for another (RFC 9596, RFC 7515).

The typ carries the profile's major version: an object of another version is another kind, and what is unknown is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from act.envelope.forms import DELEGATION_ID, DIGEST, ID, KEY, Form

__all__ = ["BY_COSE_TYP", "BY_JOSE_TYP", "INSTRUCTION", "KINDS", "LINK", "MANDATE", "ORDER", "RECEIPT", "REQUEST", "Kind"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object: its name here, its typ in both envelopes and who signs it.

    `json_forms` are the fields, by path from the claims on, that are bytes inside and text in JSON. None: the payload has a
    layout of its own, which the kind's own module reads.
    """

    name: str
    cose_typ: str
    jose_typ: str
    signed_by: str
    json_forms: Mapping[str, Form] | None = field(default_factory=dict, compare=False)


MANDATE: Final = Kind("mandate", "application/act1-iac+cwt", "vc+jwt", "the issuer for the principal, or the principal", None)
LINK: Final = Kind(
    "link",
    "application/act1-link+cwt",
    "act1-link+jwt",
    "the agent key its parent names",
    {"cti": DELEGATION_ID, "cnf": KEY, "act.parent": DIGEST, "act.ext.fulfillment.delivery_address": DIGEST},
)
ORDER: Final = Kind("order", "application/act1-order+cwt", "act1-order+jwt", "the payee", {"act.delivery_address": DIGEST})
REQUEST: Final = Kind(
    "request",
    "application/act1-payment+cwt",
    "act1-payment+jwt",
    "the agent key the mandate names",
    {"cti": ID, "act.delegation_id": DELEGATION_ID, "act.credential": DIGEST, "act.order": DIGEST},
)
RECEIPT: Final = Kind(
    "receipt",
    "application/act1-receipt+cwt",
    "act1-receipt+jwt",
    "the payment service",
    {
        "act.delegation_id": DELEGATION_ID,
        "act.credential": DIGEST,
        "act.previous": DIGEST,
        "act.request": DIGEST,
        "act.order": DIGEST,
        "act.instruction": DIGEST,
        "act.link": DIGEST,
        "act.supersedes": DIGEST,
    },
)
INSTRUCTION: Final = Kind(
    "instruction",
    "application/act1-instruction+cwt",
    "act1-instruction+jwt",
    "who may give it: the principal, an agent, the payee or the payment service",
    {"cti": ID, "act.delegation_id": DELEGATION_ID, "act.credential": DIGEST, "act.fulfilment": DIGEST},
)

KINDS: Final = (MANDATE, LINK, ORDER, REQUEST, INSTRUCTION, RECEIPT)
"""Every kind this version opens. Confirmations and status lists join it with the code that judges them."""

BY_COSE_TYP: Final = {kind.cose_typ: kind for kind in KINDS}

BY_JOSE_TYP: Final = {kind.jose_typ: kind for kind in KINDS}

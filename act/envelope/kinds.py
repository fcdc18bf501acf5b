"""The kinds of signed object, told apart by their typ header so that none can be taken for another (RFC 9596, RFC 7515).

The typ carries the profile's major version: an object of another version is another kind, and what is unknown is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["BY_COSE_TYP", "KINDS", "LINK", "MANDATE", "ORDER", "RECEIPT", "REQUEST", "Kind"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object: its name here, its typ in both envelopes and who signs it."""

    name: str
    cose_typ: str
    jose_typ: str
    signed_by: str


MANDATE: Final = Kind("mandate", "application/act1-iac+cwt", "vc+jwt", "the issuer for the principal, or the principal")
LINK: Final = Kind("link", "application/act1-link+cwt", "act1-link+jwt", "the agent key its parent names")
ORDER: Final = Kind("order", "application/act1-order+cwt", "act1-order+jwt", "the payee")
REQUEST: Final = Kind("request", "application/act1-payment+cwt", "act1-payment+jwt", "the agent key the mandate names")
RECEIPT: Final = Kind("receipt", "application/act1-receipt+cwt", "act1-receipt+jwt", "the payment service")

KINDS: Final = (MANDATE, LINK, ORDER, REQUEST, RECEIPT)
"""Every kind this version opens. Confirmations, instructions and status lists join it with the code that judges them."""

BY_COSE_TYP: Final = {kind.cose_typ: kind for kind in KINDS}

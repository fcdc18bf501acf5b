"""The link: a narrower mandate that an agent signs for a sub-agent (open profile; ACT 2.1 has no sub-delegation).

A link states only what it narrows; what it leaves out is inherited from its parent. It names that parent by identity, so it
cannot be cut out and put below another one. It carries no status: its signer, and everybody above, can revoke it at the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from act.delegation.constraints import Constraint, Validity
from act.delegation.constraints.payload import read_constraints, write_constraints
from act.delegation.limits import Unit
from act.delegation.mandate import CREDENTIAL_CLAIMS, read_holder, write_holder
from act.envelope.claims import (
    Fields,
    delegation_id_claim,
    read_digest,
    read_fields,
    read_map,
    read_raw,
    read_text,
)
from act.envelope.kinds import LINK
from act.envelope.objects import Format, Opened, open_object
from act.errors import Refused
from act.keys import PublicKey
from act.values import immutable
from act.wire import json

__all__ = ["Link", "SignedLink", "UnverifiedLink", "link_claims", "open_link", "read_link", "require_countable"]

_CLAIMS: Final = Fields(CREDENTIAL_CLAIMS)
_ACT: Final = Fields(
    {"delegator_identity": read_text, "parent": read_digest, "currency": read_raw},
    {"delegation_mode": read_raw, "max_total_amount": read_raw, "allowed_payment_methods": read_raw, "ext": read_map},
)
_NO_DEFAULTS: Final[Mapping[str, Any]] = {}


@immutable
class Link:
    """What an agent allows a sub-agent, before and after it is signed.

    `issuer` is the parent's agent, `agent_id` the sub-agent, `parent` the parent's identity (32 bytes), `delegator_identity`
    still the principal. `constraints` hold the window, the currency and whatever is narrowed, in the registry's order.
    """

    delegation_id: str
    parent: bytes
    issuer: str
    ledger: str
    delegator_identity: str
    agent_id: str
    constraints: tuple[Constraint, ...]
    vendor_private: Mapping[str, Any] | None = None


@immutable
class SignedLink:
    """A link as it was signed: with the sub-agent's key and the time of signing."""

    link: Link
    holder: PublicKey
    issued_at: int


@immutable
class UnverifiedLink:
    """A decoded link that nobody has checked: only a `Chain` can, because its parent's key signs it."""

    content: SignedLink
    opened: Opened
    data: bytes

    @property
    def kind(self) -> str:
        """What this is, in a word."""
        return "link"

    @property
    def holder(self) -> PublicKey:
        """The sub-agent's key the link claims to be for."""
        return self.content.holder


def read_link(claims: dict[str, Any]) -> SignedLink:
    """The link in an object's claims. Raises `Refused` for whatever this profile does not know or allow."""
    head = read_fields(_CLAIMS, claims, "link")
    holder = read_holder(head["cnf"], "link.cnf")
    body = read_fields(_ACT, head["act"], "link.act")
    constraints, vendor_private = read_constraints(body, (head["nbf"], head["exp"]), _NO_DEFAULTS, "link.act")
    link = Link(
        head["cti"],
        body["parent"],
        head["iss"],
        head["aud"],
        body["delegator_identity"],
        head["sub"],
        constraints,
        vendor_private,
    )
    return SignedLink(link, holder, head["iat"])


def link_claims(link: Link, holder: PublicKey, issued_at: int) -> dict[str, Any]:
    """The claims that `read_link` takes back."""
    window = _window(link)
    body: dict[str, Any] = {"delegator_identity": link.delegator_identity, "parent": link.parent}
    return {
        "iss": link.issuer,
        "sub": link.agent_id,
        "aud": link.ledger,
        "nbf": window.start,
        "exp": window.end,
        "iat": issued_at,
        "cti": delegation_id_claim(link.delegation_id),
        "cnf": write_holder(holder),
        "act": body | write_constraints(link.constraints, link.vendor_private),
    }


def _window(link: Link) -> Validity:
    return next(each for each in link.constraints if isinstance(each, Validity))


def open_link(data: bytes) -> UnverifiedLink:
    """Decodes a link strictly; believes nothing. Raises `Refused`."""
    opened = open_object(data, LINK)
    content = read_link(opened.claims)
    if opened.format is Format.JOSE:
        require_countable(content.link)
    return UnverifiedLink(content, opened, data)


def require_countable(link: Link) -> None:
    """Returns if every amount that is counted is at most 2^53 - 1 minor units; raises `Refused` amount_invalid otherwise.

    A receipt in JOSE writes its counters as JSON integers, which no reader carries exactly beyond that (RFC 7493). A mandate in
    VC-JWT knows the bound for each of its amounts.
    """
    start = _window(link).start  # at any other instant the same limits have other windows
    for constraint in link.constraints:
        if any(limit.unit is Unit.AMOUNT and limit.cap > json.MAX_EXACT_INT for limit in constraint.limits(start)):
            raise Refused("amount_invalid", f"link.act.{constraint.path}")

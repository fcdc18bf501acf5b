"""A link as an agent writes it: JSON that says who the sub-agent is and what is narrowed. Everything else is inherited."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from act.calendar import parse_iso
from act.delegation.authority import Authority
from act.delegation.constraints import Currency, Items, PriceDeviationTolerance, Validity, build_constraints
from act.delegation.document import raw_constraints, read_delegation_id, read_ext, require_text
from act.delegation.link import Link
from act.documents import Document, naming_faults, parse_document
from act.errors import Refused

__all__ = ["read_link_document"]


class _Document(Document):
    """ACT's names, all optional but the sub-agent's: what is absent is inherited."""

    agent_id: str
    ledger: str | None = None
    delegation_id: str | None = None
    validity_start_time: str | None = None
    validity_end_time: str | None = None
    delegation_mode: str | None = None
    currency: str | None = None
    max_total_amount: str | int | Decimal | None = None
    allowed_payment_methods: list[str] | None = None
    ext: dict[str, Any] | None = None


def read_link_document(document: str | bytes | dict[str, Any], parent: Authority) -> Link:
    """The link below `parent` that a JSON document describes, given as text or decoded.

    A missing window is the parent's, a missing `delegation_id` is drawn at random. Raises `InvalidCall` draft_invalid with the
    place and the reason. Whether it narrows is the parent's question.
    """
    with naming_faults("draft_invalid"):
        model = _Document.model_validate(parse_document(document))
        require_text(model.agent_id, "agent_id")
        stated = model.model_dump(exclude_none=True, exclude={"ext"}) | read_ext(model.ext or {})
        raw = raw_constraints({"currency": parent.stated(Currency).code} | stated)
        _inherit_tolerance(raw, parent)
        window = parent.stated(Validity)
        start, end = model.validity_start_time, model.validity_end_time
        raw["validity"] = (
            window.start if start is None else parse_iso(start, "validity_start_time"),
            window.end if end is None else parse_iso(end, "validity_end_time"),
        )
        return Link(
            read_delegation_id(model.delegation_id),
            parent.identity,
            parent.agent_id,
            _ledger(model.ledger, parent),
            parent.delegator_identity,
            model.agent_id,
            build_constraints(raw),
            stated["ext"].get("vendor_private"),
        )


def _ledger(stated: str | None, parent: Authority) -> str:
    """The parent's ledger. A mandate in ACT 2.0's layout may leave it to the parties file; then the document has to say it."""
    if stated is None and not parent.ledger:
        raise Refused("claim_missing", "ledger", reason="the mandate leaves its ledger to the parties file")
    if stated is not None:
        require_text(stated, "ledger")
    return stated or parent.ledger


def _inherit_tolerance(raw: dict[str, Any], parent: Authority) -> None:
    """Who states items anew, and says nothing of a tolerance, means the parent's: without this it would be none."""
    inherited = parent.constraints.get(PriceDeviationTolerance.path)
    if inherited is None or PriceDeviationTolerance.path in raw:
        return
    if any("confirmed_unit_amount" in entry for entry in raw.get(Items.path, ())):
        raw[PriceDeviationTolerance.path] = inherited.encode()

"""A link as an agent writes it: JSON that says who the sub-agent is and what is narrowed. Everything else is inherited."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from act.calendar import parse_iso
from act.delegation.authority import Authority
from act.delegation.constraints import Currency, Validity, build_constraints
from act.delegation.document import raw_constraints, read_delegation_id, read_ext, require_text
from act.delegation.link import Link
from act.documents import Document, naming_faults, parse_document

__all__ = ["read_link_document"]


class _Document(Document):
    """ACT's names, all optional but the sub-agent's: what is absent is inherited."""

    agent_id: str
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
            parent.ledger,
            parent.delegator_identity,
            model.agent_id,
            build_constraints(raw),
            stated["ext"].get("vendor_private"),
        )

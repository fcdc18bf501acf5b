"""What a test calls after every storm: the ledger's own second opinion, which must find nothing."""

from __future__ import annotations

from pathlib import Path

from act.stores.sql.audit import Audit
from tests.support.places import FilePlace, Place

__all__ = ["Audit", "audit", "disagreements"]


def audit(where: Path | Place) -> Audit:
    """The totals of a ledger in which everything agrees; fails with the list of what does not."""
    found = _place(where).audit()
    assert not found.disagreements, "\n".join(found.disagreements)
    return found


def disagreements(where: Path | Place) -> list[str]:
    """Everything in the ledger that is not what its entries say."""
    return _place(where).audit().disagreements


def _place(where: Path | Place) -> Place:
    return FilePlace(where) if isinstance(where, Path) else where

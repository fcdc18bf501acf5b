"""What a test calls after every storm: the ledger's own second opinion, which must find nothing."""

from __future__ import annotations

from pathlib import Path

from act.stores.sql.audit import Audit
from act.stores.sqlite.audit import audit_file

__all__ = ["Audit", "audit", "disagreements"]


def audit(path: Path) -> Audit:
    """The totals of a ledger in which everything agrees; fails with the list of what does not."""
    found = audit_file(path)
    assert not found.disagreements, "\n".join(found.disagreements)
    return found


def disagreements(path: Path) -> list[str]:
    """Everything in the file that is not what its entries say."""
    return audit_file(path).disagreements

"""How a mandate, and each link below it, stands: suspended by whom, revoked or neither. Called inside a transaction, under the
lock of the mandate's row where anything is written or a payment is judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from act.delegation.lifecycle import Causer, LifecycleAction, MandateState, Standing
from act.payment.ledger import LinkStatus
from act.payment.verifier import LinkRecord
from act.stores.sql.mandates import MandateId
from act.stores.sql.transaction import Transaction

__all__ = ["Stops", "keep_stops", "link_states", "links_below", "links_of", "stops_of"]

_STOPS: Final = "principal_stop, risk_control_stop, revocation"
_SUSPENDERS: Final = (Causer.PRINCIPAL, Causer.RISK_CONTROL)
"""Whose suspensions stand in the first columns of `_STOPS`."""


@dataclass(frozen=True, slots=True)
class Stops:
    """The entries that stopped a credential, as far as they stand: a suspension for each causer, and the revocation."""

    suspensions: dict[Causer, int]
    revocation: int | None

    @property
    def standing(self) -> Standing:
        """How the credential stands."""
        return Standing(self.revocation is not None, frozenset(self.suspensions))

    def entry_of(self, action: LifecycleAction, causer: Causer) -> int:
        """The entry of a stop that stands."""
        sequence = self.revocation if action is LifecycleAction.REVOKE else self.suspensions[causer]
        if sequence is None:
            raise ValueError("a credential that is revoked has no entry that says so")
        return sequence

    def after(self, action: LifecycleAction, causer: Causer, sequence: int) -> Stops:
        """What stands once the entry of that sequence has recorded what `causer` did."""
        if action is LifecycleAction.REVOKE:
            return Stops({}, sequence)
        others = {each: entry for each, entry in self.suspensions.items() if each is not causer}
        return Stops(others | ({causer: sequence} if action is LifecycleAction.SUSPEND else {}), self.revocation)


def _stops(row: Sequence[Any]) -> Stops:
    *suspensions, revocation = row
    return Stops({each: entry for each, entry in zip(_SUSPENDERS, suspensions, strict=True) if entry is not None}, revocation)


def stops_of(tx: Transaction, mandate_id: MandateId, link: bytes | None) -> Stops:
    """What stopped a link, or the mandate itself."""
    if link is None:
        row = tx.execute(f"SELECT {_STOPS} FROM mandate WHERE account = ? AND number = ?", mandate_id).fetchone()
    else:
        row = tx.execute(
            f"SELECT {_STOPS} FROM link WHERE account = ? AND mandate = ? AND identity = ?", (*mandate_id, link)
        ).fetchone()
    return _stops(row)


def keep_stops(tx: Transaction, mandate_id: MandateId, link: bytes | None, stops: Stops) -> None:
    """Writes down what now stops a link, or the mandate itself."""
    changes = "SET state = ?, principal_stop = ?, risk_control_stop = ?, revocation = ?"
    values = (stops.standing.state.value, *(stops.suspensions.get(each) for each in _SUSPENDERS), stops.revocation)
    if link is None:
        tx.execute(f"UPDATE mandate {changes} WHERE account = ? AND number = ?", (*values, *mandate_id))
    else:
        tx.execute(f"UPDATE link {changes} WHERE account = ? AND mandate = ? AND identity = ?", (*values, *mandate_id, link))


def link_states(tx: Transaction, mandate_id: MandateId, links: Sequence[LinkRecord]) -> tuple[MandateState, ...]:
    """The states of a chain's links, root first. One that is not known was never stopped."""
    found = [
        tx.execute(
            "SELECT state FROM link WHERE account = ? AND mandate = ? AND identity = ?", (*mandate_id, link.identity)
        ).fetchone()
        for link in links
    ]
    return tuple([MandateState.ACTIVE if row is None else MandateState(row[0]) for row in found])


def links_of(tx: Transaction, mandate_id: MandateId, mandate: bytes) -> tuple[LinkStatus, ...]:
    """Every link below a mandate of that identity that is known; those of what it replaced, or was replaced by, are not its."""
    below = links_below(tx, mandate_id, mandate)
    rows = tx.execute(
        f"SELECT identity, delegation_id, agent_id, {_STOPS} FROM link WHERE account = ? AND mandate = ? ORDER BY identity",
        mandate_id,
    ).fetchall()
    return tuple([LinkStatus(row[0], row[1], row[2], _stops(row[3:]).standing) for row in rows if row[0] in below])


def links_below(tx: Transaction, mandate_id: MandateId, link: bytes) -> set[bytes]:
    """A link, or a mandate, and all links that are known below it: what stops with it."""
    children: dict[bytes, list[bytes]] = {}
    rows = tx.execute("SELECT parent, identity FROM link WHERE account = ? AND mandate = ?", mandate_id)
    for parent, identity in rows.fetchall():
        children.setdefault(parent, []).append(identity)
    below, reached = {link}, [link]
    while reached:
        for child in children.get(reached.pop(), ()):
            if child not in below:
                below.add(child)
                reached.append(child)
    return below

"""ADD-IAC-LCM: the states of a mandate in the ledger, as a table. Nothing leaves a terminal state."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from act.errors import Refused

__all__ = ["TRANSITIONS", "MandateState", "require_usable"]


class MandateState(StrEnum):
    """ACT's states. Expired is not stored: it follows from validity_end_time and the instant of the question."""

    ACTIVE = "Active"
    SUSPENDED = "Suspended"
    REVOKED = "Revoked"
    EXPIRED = "Expired"


TRANSITIONS: Final[dict[MandateState, frozenset[MandateState]]] = {
    MandateState.ACTIVE: frozenset({MandateState.SUSPENDED, MandateState.REVOKED, MandateState.EXPIRED}),
    MandateState.SUSPENDED: frozenset({MandateState.ACTIVE, MandateState.REVOKED, MandateState.EXPIRED}),
    MandateState.REVOKED: frozenset(),
    MandateState.EXPIRED: frozenset(),
}

_REFUSALS: Final = {
    MandateState.SUSPENDED: "credential_suspended",
    MandateState.REVOKED: "credential_revoked",
    MandateState.EXPIRED: "credential_expired",
}


def require_usable(state: MandateState) -> None:
    """Returns in state Active; raises `Refused` with the state's own code otherwise (ACT-LED-02, ACT-LED-03)."""
    code = _REFUSALS.get(state)
    if code is not None:
        raise Refused(code, "mandate")

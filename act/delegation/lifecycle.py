"""ADD-IAC-LCM: the states of a mandate in the ledger, as a table, and who may cause what. Nothing leaves a terminal state.

The same holds for each link below a mandate (open profile): a credential is usable while it and everything above it are Active.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from act.errors import Refused

__all__ = [
    "LIFECYCLE_CAUSERS",
    "TRANSITIONS",
    "Causer",
    "LifecycleAction",
    "MandateState",
    "Standing",
    "place_of",
    "require_may_cause",
    "require_usable",
]


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


def require_usable(*states: MandateState) -> None:
    """Returns if every credential of a chain is Active; `states` has the mandate's first. Raises the `Refused` that ranks
    first otherwise, with the state's own code (ACT-LED-02, ACT-LED-03)."""
    refusals = [Refused(_REFUSALS[state], place_of(place)) for place, state in enumerate(states) if state in _REFUSALS]
    if refusals:
        raise min(refusals, key=lambda refusal: refusal.precedence)


def place_of(credential: int) -> str:
    """Where a refusal says it is: in the mandate (0), or in a link by its number below it."""
    return f"link.{credential}" if credential else "mandate"


class LifecycleAction(StrEnum):
    """What somebody may instruct about a credential. It expires by itself, by time."""

    SUSPEND = "suspend"
    RESUME = "resume"
    REVOKE = "revoke"


class Causer(StrEnum):
    """As whom somebody instructs a payment service: the first three about a credential, the others about a charge."""

    PRINCIPAL = "principal"  # the principal itself, or the wallet that issued its mandate
    AGENT = "agent"  # who holds the key of the credential, or of one above it
    RISK_CONTROL = "risk_control"  # the payment service, about a credential
    PAYEE = "payee"  # who is paid by the charge
    PSP = "psp"  # the payment service, about a charge


LIFECYCLE_CAUSERS: Final[dict[LifecycleAction, frozenset[Causer]]] = {
    LifecycleAction.SUSPEND: frozenset({Causer.PRINCIPAL, Causer.RISK_CONTROL}),
    LifecycleAction.RESUME: frozenset({Causer.PRINCIPAL, Causer.RISK_CONTROL}),
    LifecycleAction.REVOKE: frozenset({Causer.PRINCIPAL, Causer.AGENT}),
}
"""Who may cause what, as ACT has it."""

_LEADS_TO: Final = {
    LifecycleAction.SUSPEND: MandateState.SUSPENDED,
    LifecycleAction.RESUME: MandateState.ACTIVE,
    LifecycleAction.REVOKE: MandateState.REVOKED,
}


def require_may_cause(action: LifecycleAction, causer: Causer) -> None:
    """Returns if the table allows it; raises `Refused` instruction_not_allowed otherwise (ACT-INS-05)."""
    if causer not in LIFECYCLE_CAUSERS[action]:
        raise Refused("instruction_not_allowed", "instruction.act.action", action=action.value, causer=causer.value)


@dataclass(frozen=True, slots=True)
class Standing:
    """What a ledger stores of one credential's state: whether it was revoked, and whose suspensions stand.

    A suspension stands per causer, so that neither the principal nor risk control can undo the other's stop.
    """

    is_revoked: bool = False
    suspended_by: frozenset[Causer] = frozenset()

    @property
    def state(self) -> MandateState:
        """The stored state: Active only while no suspension stands."""
        if self.is_revoked:
            return MandateState.REVOKED
        return MandateState.SUSPENDED if self.suspended_by else MandateState.ACTIVE

    def after(self, action: LifecycleAction, causer: Causer, *, is_expired: bool = False, where: str = "mandate") -> Standing:
        """How it stands once `causer` has done it; the same where that repeats a stop that stands.

        `is_expired` tells that the credential's window has ended, `where` which credential it is. Raises `Refused`
        instruction_not_allowed, and transition_not_allowed (ACT-LED-13) for what would leave a terminal state, or lift a
        suspension of somebody else's.
        """
        require_may_cause(action, causer)
        state = MandateState.EXPIRED if is_expired and not self.is_revoked else self.state
        if action is LifecycleAction.REVOKE and state is MandateState.REVOKED:
            return self
        lifts_nothing = action is LifecycleAction.RESUME and causer not in self.suspended_by
        to = _LEADS_TO[action]
        if lifts_nothing or (to is not state and to not in TRANSITIONS[state]):
            raise Refused("transition_not_allowed", where, state=state.value, action=action.value, causer=causer.value)
        if action is LifecycleAction.REVOKE:
            return Standing(is_revoked=True)
        own = frozenset({causer})
        return Standing(suspended_by=self.suspended_by | own if action is LifecycleAction.SUSPEND else self.suspended_by - own)

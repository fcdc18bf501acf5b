"""One credential and, later, the links below it, root first. All of them judge every payment."""

from __future__ import annotations

from dataclasses import dataclass

from act.delegation.constraints import Constraint, Enforcer, Periods, Schedule
from act.delegation.credential import Credential
from act.delegation.limits import Limit
from act.delegation.purchase import Purchase
from act.keys import PublicKey

__all__ = ["Chain"]


@dataclass(frozen=True, slots=True)
class Chain:
    """Authenticated credentials from the principal to the paying agent. This version knows chains of exactly one."""

    root: Credential

    @property
    def leaf(self) -> Credential:
        """The credential whose holder signs the payment."""
        return self.root

    @property
    def holder(self) -> PublicKey:
        """The paying agent's key."""
        return self.leaf.holder

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        """Every constraint of every credential, in the order of judgement."""
        return self.root.mandate.constraints

    @property
    def uses_calendar(self) -> bool:
        """Whether a time zone decides anything here: then the zone database's version belongs to the decision."""
        return any(
            isinstance(each, Schedule) or (isinstance(each, Periods) and each.uses_calendar) for each in self.constraints
        )

    def permits(self, purchase: Purchase) -> None:
        """Returns if every constraint of every credential permits the purchase; raises the first one's `Refused` otherwise."""
        for constraint in self.constraints:
            constraint.permits(purchase)

    def limits(self, at: int) -> tuple[Limit, ...]:
        """What the ledger has to count for a payment at instant `at`."""
        limits: tuple[Limit, ...] = ()
        for constraint in self.constraints:
            if constraint.enforced_by is Enforcer.LEDGER:  # nothing else counts
                limits += constraint.limits(at)
        return limits

"""One credential and, later, the links below it, root first. All of them judge every payment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from act.delegation.constraints import Constraint, Enforcer
from act.delegation.credential import Credential, UnverifiedCredential
from act.delegation.limits import Limit
from act.delegation.purchase import Purchase
from act.errors import Refused
from act.keys import PublicKey

__all__ = ["Chain", "require_one_envelope"]


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


def require_one_envelope(credentials: Sequence[Credential | UnverifiedCredential]) -> None:
    """Rule ACT-CHN-01: every credential of a chain, root first, stands in the root's envelope; raises `Refused`
    envelope_mixed at the first that does not."""
    formats = [each.format if isinstance(each, Credential) else each.opened.format for each in credentials]
    for place, found in enumerate(formats):
        if found is not formats[0]:
            raise Refused("envelope_mixed", f"payment.chain.{place}", root=formats[0].value, found=found.value)

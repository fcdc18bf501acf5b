"""What a chain gives its last agent: the sum of the mandate and every link below it, and the one test of a further link.

Narrowing is judged path by path against what the chain has stated so far. Because a constraint narrows its parent only if it
permits nothing that the parent refuses, the constraints nearest to the leaf alone permit exactly what all of them permit.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import Final, TypeVar

from act.delegation.constraints import REGISTRY, Constraint, MaxDepth, MaxTotalAmount, Periods
from act.delegation.constraints.base import BEHAVIOUR_RULE
from act.delegation.constraints.quota import TimesLimit
from act.delegation.link import Link, SignedLink
from act.delegation.mandate import SignedMandate
from act.delegation.vc_jwt import UNNAMED_LEDGER
from act.errors import Refused
from act.keys import PublicKey
from act.values import immutable

__all__ = ["MAX_LINKS", "Authority"]

C = TypeVar("C", bound=Constraint)

MAX_LINKS: Final = 8
"""Eight hands between a principal and a shop are more than anybody can follow; and every one of them costs a signature."""


MAX_COUNTED: Final = 48
"""Limits that a ledger counts for one payment, over the whole chain: what a receipt has room to show, with room to spare."""


@immutable
class Authority:
    """What the last credential of a chain stands for. `constraints` holds, per path, the statement nearest to the leaf.

    `ledger` is empty while a mandate in ACT 2.0's layout leaves it to the parties file. `counted` limits are a ledger's.
    `identity` is that credential's; `depth_left` says how many more links may follow. Consent to sub-agents is the one
    statement that is not inherited: `constraints` has it only if the last credential gave it. `agents`, `keys` and
    `delegation_ids` are all of the chain's, so that none stands in it twice.
    """

    identity: bytes
    delegation_id: str
    agent_id: str
    holder: PublicKey
    ledger: str
    delegator_identity: str
    depth_left: int
    constraints: Mapping[str, Constraint]
    agents: tuple[str, ...]
    keys: tuple[bytes, ...]
    delegation_ids: tuple[str, ...]
    counted: int

    @classmethod
    def of_mandate(cls, content: SignedMandate, identity: bytes) -> Authority:
        """What a mandate gives the agent it names."""
        mandate = content.mandate
        stated = dict(zip(map(_path_of, mandate.constraints), mandate.constraints, strict=True))
        return cls(
            identity,
            mandate.delegation_id,
            mandate.agent_id,
            content.holder,
            mandate.ledger,
            mandate.delegator_identity,
            _stated_depth(stated),
            stated,
            (mandate.agent_id,),
            (content.holder.kid,),
            (mandate.delegation_id,),
            _count(stated),
        )

    def narrowed_by(self, content: SignedLink, identity: bytes) -> Authority:
        """What is left below one more link. Raises `Refused` delegation_not_allowed, delegation_too_deep, link_parent_mismatch,
        link_cycle, or what the first constraint that does not narrow raises (ACT-PAY-15, ACT-CHN-03 to -09)."""
        link = content.link
        self._require_depth()
        self._require_parent(link)
        if link.agent_id in self.agents:
            raise Refused("link_cycle", "sub")
        if content.holder.kid in self.keys:
            raise Refused("link_cycle", "cnf")
        if link.delegation_id in self.delegation_ids:  # or two links of one chain would share counters
            raise Refused("link_cycle", "cti")
        nearest = dict(self.constraints)
        nearest.pop(MaxDepth.path, None)  # consent is not inherited
        stated = {}
        for constraint in link.constraints:
            path = constraint.path
            parent = self.constraints.get(path)
            if parent is not None:
                constraint.narrows(parent)
            elif constraint.rule == BEHAVIOUR_RULE:  # what stands nowhere above is a bound of its own, but no behaviour
                raise Refused("link_behaviour_changed", path, parent="absent")
            stated[path] = constraint
        nearest.update(stated)
        counted = self.counted + _count(stated)
        if counted > MAX_COUNTED:
            raise Refused("too_many_limits", "act.ext.quota", limits=counted, most=MAX_COUNTED)
        return Authority(
            identity,
            link.delegation_id,
            link.agent_id,
            content.holder,
            self.ledger or link.ledger,
            self.delegator_identity,
            min(self.depth_left - 1, _stated_depth(stated)),
            nearest,
            (*self.agents, link.agent_id),
            (*self.keys, content.holder.kid),
            (*self.delegation_ids, link.delegation_id),
            counted,
        )

    def _require_depth(self) -> None:
        """Rules ACT-PAY-15 and ACT-CHN-03: nobody consented to sub-agents who did not say so, and not to more than was said."""
        if self.depth_left > 0:
            return
        if len(self.agents) == 1:
            raise Refused("delegation_not_allowed", "ext.delegation.max_depth")
        raise Refused("delegation_too_deep", "ext.delegation.max_depth", links=len(self.agents))

    def _require_parent(self, link: Link) -> None:
        """Rule ACT-CHN-04."""
        if link.parent != self.identity:
            raise Refused("link_parent_mismatch", "act.parent")
        own_names = self.agent_id, self.ledger, self.delegator_identity
        if (link.issuer, link.ledger, link.delegator_identity) == own_names:
            return
        for place, named, own in (
            ("iss", link.issuer, self.agent_id),
            ("aud", link.ledger, self.ledger),
            ("act.delegator_identity", link.delegator_identity, self.delegator_identity),
        ):
            if named != own and own != UNNAMED_LEDGER:
                raise Refused("link_parent_mismatch", place, named=named, parent=own)

    def stated(self, kind: type[C]) -> C:
        """The chain's constraint of a kind that every mandate has."""
        found = self.constraints[kind.path]
        assert isinstance(found, kind)  # noqa: S101 - one path, one class: the registry is closed
        return found

    def effective(self) -> tuple[Constraint, ...]:
        """The constraints that alone permit exactly what the whole chain permits, in the registry's order. Counted limits are
        not among what they replace: every credential's own are debited."""
        return tuple(self.constraints[path] for path in REGISTRY if path in self.constraints)


_path_of: Final = attrgetter("path")


def _stated_depth(stated: Mapping[str, Constraint]) -> int:
    """How many links may follow a credential by its own word; absent means none."""
    found = stated.get(MaxDepth.path)
    return found.depth if isinstance(found, MaxDepth) else 0


def _count(stated: Mapping[str, Constraint]) -> int:
    """How many limits one credential's constraints have the ledger count."""
    periods = stated.get(Periods.path)
    counted = periods.counted if isinstance(periods, Periods) else 0
    return counted + (MaxTotalAmount.path in stated) + (TimesLimit.path in stated)

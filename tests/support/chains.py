"""Generators of whole chains: a mandate and links below it that narrow it, signed in either envelope."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from uuid import UUID

from hypothesis import assume

import act
from act.delegation.chain import Chain, open_chain
from act.delegation.constraints import REGISTRY, Constraint, Currency, Validity, build_constraints
from act.delegation.constraints.payload import write_constraints
from act.delegation.link import Link, link_claims
from act.delegation.purchase import Purchase
from act.delegation.vc_jwt import vc_payload
from act.envelope.kinds import LINK, MANDATE
from act.envelope.objects import Format, seal
from act.money import MINOR_LIMIT
from tests.support.choices import Choices
from tests.support.narrowing import DRAWS, ITEMS, TOLERANCE, is_narrower, stated_by
from tests.support.purchases import purchase_for
from tests.support.strategies import constraints, has_purpose, purposeful
from tests.support.world import (
    AGENT,
    NOW_SECONDS,
    PRINCIPAL,
    PSP,
    WALLET,
    MutableParties,
    World,
    claims_of,
    identity_of,
    key,
)

__all__ = ["DEPTH", "Drawn", "add_link", "chain", "link_of", "purchase_of", "raw_values"]

DEPTH: Final = "ext.delegation.max_depth"
_KEPT: Final = (
    "validity",
    "delegation_mode",
    "currency",
    "max_total_amount",
    "ext.commerce.allowed_merchants",
    ITEMS,
    TOLERANCE,
)
PARTIES: Final = MutableParties()
AGENTS: Final = (AGENT, *(f"agent:{place}" for place in range(1, 10)))


@dataclass(frozen=True, slots=True)
class Drawn:
    """A chain as it was drawn: what each credential states, root first, and what is in force below the last by path."""

    stated: tuple[tuple[Constraint, ...], ...]
    nearest: dict[str, Constraint]
    currency: str

    @property
    def every(self) -> list[Constraint]:
        """What all credentials state."""
        return [each for stated in self.stated for each in stated]

    @property
    def agent_id(self) -> str:
        """The last credential's agent."""
        return AGENTS[len(self.stated) - 1]

    def signed(self, envelope: Format = Format.COSE) -> tuple[tuple[bytes, ...], tuple[Link, ...]]:
        """The credentials' bytes, root first, and the links as they were before they were signed."""
        data, links = [_mint(self.stated[0], envelope)], []
        for place, every in enumerate(self.stated[1:], 1):
            above, agent_id = AGENTS[place - 1 : place + 1]
            delegation_id = UUID(int=1_000 + place, version=4).urn
            link = Link(delegation_id, identity_of(data[-1]), above, PSP, PRINCIPAL, agent_id, every)
            links.append(link)
            data.append(seal(LINK, link_claims(link, key(agent_id).public_key, NOW_SECONDS), key(above), envelope))
        return tuple(data), tuple(links)

    def open(self, envelope: Format = Format.COSE) -> Chain:
        """The chain, as a verifier sees it."""
        return open_chain(self.signed(envelope)[0]).authenticate(PARTIES)


@cache
def _default_claims() -> dict[str, Any]:
    return claims_of(World().mint())


def _mint(every: Sequence[Constraint], envelope: Format) -> bytes:
    window = next(each for each in every if isinstance(each, Validity))
    body = {"delegator_identity": PRINCIPAL, "intent_id": "any"} | write_constraints(every, None)
    claims = _default_claims() | {"nbf": window.start, "exp": window.end, "act": body}
    return seal(MANDATE, claims if envelope is Format.COSE else vc_payload(claims), key(WALLET), envelope)


def raw_values(path: str, value: Any) -> dict[str, Any]:
    """Wire values by path of what was drawn for one path."""
    return dict(value) if path == TOLERANCE else {path: value}


def link_of(drawn: Drawn, raw: Mapping[str, Any]) -> tuple[Constraint, ...]:
    """What a link below a chain states with these raw values: its window is the chain's unless they say otherwise."""
    return build_constraints({"validity": drawn.nearest["validity"].encode(), "currency": drawn.currency} | dict(raw))


def add_link(drawn: Drawn, every: tuple[Constraint, ...]) -> Drawn:
    """The chain with one more link that states this; nobody asks whether it narrows."""
    inherited = {path: each for path, each in drawn.nearest.items() if path != DEPTH}
    return Drawn((*drawn.stated, every), inherited | {each.path: each for each in every}, drawn.currency)


def _root(choices: Choices, most: int, window: tuple[int, int] | None) -> Drawn:
    """A mandate that allows links, with amounts of at most `most` minor units; `window` takes the place of a drawn one."""
    of: tuple[Constraint, ...] = ()
    if choices.index(4):  # of twenty bounds nearly always one refuses
        of = constraints(choices, most, {*_KEPT, *choices.some(_PATHS, 4, least=0)})
    every = {each.path: each for each in (of if of and has_purpose(of) else purposeful(choices, most))}
    currency = every["currency"]
    assert isinstance(currency, Currency)
    every[DEPTH] = REGISTRY[DEPTH].read(choices.whole(1, 8), currency.code)
    if window is not None:
        every["validity"] = Validity(*window)
    nearest = {path: every[path] for path in REGISTRY if path in every}
    return Drawn((tuple(nearest.values()),), nearest, currency.code)


_PATHS: Final = tuple(REGISTRY)
_OF_LINKS: Final = tuple(path for path in REGISTRY if path not in (DEPTH, "currency"))


def _narrowed(choices: Choices, drawn: Drawn, depth: int | None) -> Drawn:
    """The chain with one more link that narrows some things at random. `depth` is what it says of further links."""
    raw: dict[str, Any] = {} if depth is None else {DEPTH: depth}
    for path in sorted(choices.some(_OF_LINKS, 5, least=0)) if choices.coin() else _OF_LINKS:
        parent = drawn.nearest.get(path)
        draws = DRAWS[path]
        if parent is None:
            value = draws.values(choices, drawn.currency)
        else:
            value = draws.near(choices, stated_by(parent), drawn.currency)
        raw |= raw_values(path, value)
    return add_link(drawn, _what_narrows(drawn, raw))


def _what_narrows(drawn: Drawn, raw: dict[str, Any]) -> tuple[Constraint, ...]:
    """What a link may state of these raw values: all that are a link's and do not contradict each other."""
    while True:
        try:
            every = link_of(drawn, raw)
        except act.Refused as refusal:  # a link's own statements may contradict each other
            assert refusal.code == "constraint_conflict"
            del raw[refusal.where]
            continue
        wide = [each.path for each in every if not is_narrower(each, drawn.nearest.get(each.path))]
        if not wide:
            return every
        for path in wide:
            raw.pop(path, None)
            if path == TOLERANCE:  # without one, prices confirmed anew have a tolerance of 0
                raw.pop(ITEMS, None)


def chain(
    choices: Choices, *, more: int = 0, most: int = MINOR_LIMIT - 1, window: tuple[int, int] | None = None, least: int = 1
) -> Drawn:
    """A mandate and up to three links that narrow it; `more` links may still follow. `least` is how many there are at least."""
    drawn = _root(choices, most, window)
    allowed = drawn.nearest[DEPTH].encode()
    assume(allowed >= max(more, least))
    length = choices.whole(0 if more else least, min(3, allowed - more))
    for place in range(length):
        left = length - place - 1 + more
        drawn = _narrowed(choices, drawn, left or None)
    return drawn


def purchase_of(choices: Choices, drawn: Drawn) -> Purchase:
    """A purchase that all credentials of a chain might permit, or all but one."""
    spoiler = choices.index(len(drawn.stated) + 1)
    pleased = [each for place, stated in enumerate(drawn.stated) if place != spoiler for each in stated]
    return purchase_for(choices, drawn.every, pleased, drawn.currency)

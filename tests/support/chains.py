"""Strategies for whole chains: a mandate and links below it that narrow it, signed in either envelope."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from uuid import UUID

from hypothesis import assume
from hypothesis import strategies as st

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
from tests.support.narrowing import DRAWS, ITEMS, TOLERANCE, is_narrower, stated_by
from tests.support.purchases import purchases_for
from tests.support.strategies import has_purpose, purposeful
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

__all__ = ["DEPTH", "Drawn", "add_link", "chains", "link_of", "purchases_of", "raw_values", "roots"]

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


@st.composite
def roots(draw: st.DrawFn, most: int = MINOR_LIMIT - 1, window: tuple[int, int] | None = None) -> Drawn:
    """A mandate that allows links, with amounts of at most `most` minor units; `window` takes the place of a drawn one."""
    every = {each.path: each for each in draw(purposeful(most))}
    if draw(st.integers(0, 3)):  # of twenty bounds nearly always one refuses
        kept = {*_KEPT, *draw(st.lists(st.sampled_from(list(REGISTRY)), max_size=4))}
        fewer = {path: each for path, each in every.items() if path in kept}
        every = fewer if has_purpose(tuple(fewer.values())) else every
    currency = every["currency"]
    assert isinstance(currency, Currency)
    every[DEPTH] = REGISTRY[DEPTH].read(draw(st.integers(1, 8)), currency.code)
    if window is not None:
        every["validity"] = Validity(*window)
    nearest = {path: every[path] for path in REGISTRY if path in every}
    return Drawn((tuple(nearest.values()),), nearest, currency.code)


@st.composite
def narrowed(draw: st.DrawFn, drawn: Drawn, depth: int | None) -> Drawn:
    """The chain with one more link that narrows some things at random. `depth` is what it says of further links."""
    raw: dict[str, Any] = {} if depth is None else {DEPTH: depth}
    paths = [path for path in REGISTRY if path not in (DEPTH, "currency")]
    for path in draw(st.just(paths) | st.lists(st.sampled_from(paths), max_size=5, unique=True).map(sorted)):
        parent = drawn.nearest.get(path)
        draws = DRAWS[path]
        value = draw(draws.values(drawn.currency) if parent is None else draws.near(stated_by(parent), drawn.currency))
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


@st.composite
def chains(
    draw: st.DrawFn, more: int = 0, most: int = MINOR_LIMIT - 1, window: tuple[int, int] | None = None, least: int = 1
) -> Drawn:
    """A mandate and up to three links that narrow it; `more` links may still follow. `least` is how many there are at least."""
    drawn = draw(roots(most, window))
    allowed = drawn.nearest[DEPTH].encode()
    assume(allowed >= max(more, least))
    length = draw(st.integers(0 if more else least, min(3, allowed - more)))
    for place in range(length):
        left = length - place - 1 + more
        drawn = draw(narrowed(drawn, left or None))
    return drawn


@st.composite
def purchases_of(draw: st.DrawFn, drawn: Drawn) -> Purchase:
    """Purchases that all credentials of a chain might permit, or all but one."""
    spoiler = draw(st.integers(0, len(drawn.stated)))
    pleased = [each for place, stated in enumerate(drawn.stated) if place != spoiler for each in stated]
    return draw(purchases_for(drawn.every, pleased, drawn.currency))

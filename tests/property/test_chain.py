"""Chains of any mandate and any links: what narrows permits nothing new, and no tree of credentials overspends."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest
from hypothesis import Phase, assume, find, given, settings
from hypothesis import strategies as st

import act
from act.delegation.chain import Chain, open_chain
from act.delegation.constraints import REGISTRY, Constraint, Currency, Validity, build_constraints
from act.delegation.link import Link, link_claims, open_link
from act.delegation.purchase import Purchase
from act.envelope.kinds import LINK, MANDATE
from act.envelope.objects import seal
from act.errors import Refused
from act.wire.base64url import base64url_encode
from tests.support.fold import audit
from tests.support.narrowing import DRAWS, purchases_for, purchases_near
from tests.support.strategies import constraints, currencies
from tests.support.world import (
    ABSENT,
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

DEPTH: Final = "ext.delegation.max_depth"
PARTIES: Final = MutableParties()
AGENTS: Final = (AGENT, *(f"agent:{place}" for place in range(1, 9)))


def _permits(constraint: Constraint, purchase: Purchase) -> bool:
    try:
        constraint.permits(purchase)
    except Refused:
        return False
    return True


def _refusal(child: Constraint, parent: Constraint) -> Refused | None:
    try:
        child.narrows(parent)
    except Refused as refusal:
        return refusal
    return None


# --- one constraint ------------------------------------------------------------------------------------------------------


@st.composite
def families(draw: st.DrawFn, path: str) -> tuple[Constraint, Constraint, Purchase]:
    """A constraint, another one of its class for a link below it, and a purchase near both."""
    currency = draw(currencies)
    parent_value = draw(DRAWS[path].values(currency))
    child_value = draw(DRAWS[path].near(parent_value, currency) | DRAWS[path].values(currency))
    parent, child = REGISTRY[path].read(parent_value, currency), REGISTRY[path].read(child_value, currency)
    codes = st.just(currency) | st.sampled_from(
        [each.code for each in (child, parent) if isinstance(each, Currency)] or [currency]
    )
    return parent, child, draw(purchases_near([child, parent], draw(codes)))


def test_every_constraint_of_the_registry_can_be_drawn() -> None:
    assert list(DRAWS) == list(REGISTRY)


@pytest.mark.parametrize("path", REGISTRY)
@given(data=st.data())
def test_what_narrows_permits_nothing_its_parent_refuses(path: str, data: st.DataObject) -> None:
    parent, child, purchase = data.draw(families(path))
    if _refusal(child, parent) is None and _permits(child, purchase):
        assert _permits(parent, purchase)


@pytest.mark.parametrize("path", REGISTRY)
@given(data=st.data())
def test_what_is_wider_does_not_narrow(path: str, data: st.DataObject) -> None:
    currency = data.draw(currencies)
    value = data.draw(DRAWS[path].values(currency))
    parent, child = (REGISTRY[path].read(each, currency) for each in (value, data.draw(DRAWS[path].wider(value, currency))))
    refusal = _refusal(child, parent)
    assert refusal is not None
    assert refusal.code.startswith("link_")
    assert path == DEPTH or _refusal(parent, parent) is None


_ONLY_REPEATED: Final = frozenset({"delegation_mode", "currency"})


@pytest.mark.parametrize("path", REGISTRY)
def test_the_search_meets_narrower_constraints_that_permit(path: str) -> None:
    """Or the property above would hold of nothing."""

    def narrower(case: tuple[Constraint, Constraint, Purchase]) -> bool:
        parent, child, purchase = case
        differs = parent != child or path in _ONLY_REPEATED
        return differs and _refusal(child, parent) is None and _permits(child, purchase)

    find(families(path), narrower, settings=settings(max_examples=2_000, phases=[Phase.generate]))


# --- whole chains ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Drawn:
    """A chain as it was drawn: its bytes, root first, what each credential states, and what is in force below the last."""

    data: tuple[bytes, ...]
    links: tuple[Link, ...]
    stated: tuple[tuple[Constraint, ...], ...]
    nearest: dict[str, Constraint]
    currency: str

    def open(self) -> Chain:
        """The chain, as a verifier sees it."""
        return open_chain(self.data).authenticate(PARTIES)


@cache
def _default_claims() -> dict[str, Any]:
    return claims_of(World().mint())


def _mint(every: Sequence[Constraint]) -> bytes:
    window = next(each for each in every if isinstance(each, Validity))
    claims = _default_claims() | {"nbf": window.start, "exp": window.end}
    body: dict[str, Any] = {"delegator_identity": PRINCIPAL, "intent_id": "any"}
    for each in every:
        *blocks, name = each.path.split(".")
        place = body
        for block in blocks:
            place = place.setdefault(block, {})
        if each.path != "validity":
            place[name] = each.encode()
    return seal(MANDATE, claims | {"act": body}, key(WALLET))


def _add_link(drawn: Drawn, raw: dict[str, Any]) -> Drawn:
    """The chain with one more link, signed by its last agent, that states the raw values; nobody asks whether it narrows."""
    window, place = drawn.nearest["validity"], len(drawn.data)
    every = build_constraints({"validity": window.encode(), "currency": drawn.currency} | raw)
    above = AGENTS[place - 1]
    link = Link(
        UUID(int=1_000 + place, version=4).urn,
        identity_of(drawn.data[-1]),
        above,
        PSP,
        PRINCIPAL,
        AGENTS[place],
        every,
    )
    data = seal(LINK, link_claims(link, key(AGENTS[place]).public_key, NOW_SECONDS), key(above))
    inherited = {path: each for path, each in drawn.nearest.items() if path != DEPTH}
    nearest = inherited | {each.path: each for each in every}
    return Drawn((*drawn.data, data), (*drawn.links, link), (*drawn.stated, every), nearest, drawn.currency)


@st.composite
def roots(draw: st.DrawFn) -> Drawn:
    """A mandate that allows links."""
    every = tuple(each for each in draw(constraints()) if each.path != DEPTH)
    currency = next(each.code for each in every if isinstance(each, Currency))
    every += (REGISTRY[DEPTH].read(draw(st.integers(1, 8)), currency),)
    return Drawn((_mint(every),), (), (every,), {each.path: each for each in every}, currency)


@st.composite
def narrowed(draw: st.DrawFn, drawn: Drawn, depth: int | None) -> Drawn:
    """The chain with one more link that narrows some things at random. `depth` is what it says of further links."""
    raw: dict[str, Any] = {} if depth is None else {DEPTH: depth}
    for path, kind in REGISTRY.items():
        parent = drawn.nearest.get(path)
        if path == DEPTH or not draw(st.booleans()):
            continue
        draws = DRAWS[path]
        value = draw(draws.values(drawn.currency) if parent is None else draws.near(parent.encode(), drawn.currency))
        try:
            child = kind.read(value, drawn.currency)
        except Refused:  # two values of one constraint may contradict each other
            continue
        if (parent is None and child.rule != "ACT-CHN-09") or (parent is not None and _refusal(child, parent) is None):
            raw[path] = value
    try:
        return _add_link(drawn, raw)
    except Refused as refusal:  # a link's own statements may contradict each other
        assert refusal.code == "constraint_conflict"
        return _add_link(drawn, {DEPTH: depth} if depth else {})


@st.composite
def chains(draw: st.DrawFn, more: int = 0) -> Drawn:
    """A mandate and up to three links that narrow it; `more` links may still follow."""
    drawn = draw(roots())
    allowed = drawn.nearest[DEPTH].encode()
    assume(allowed >= more)
    length = draw(st.integers(0 if more else 1, min(3, allowed - more)))
    for place in range(length):
        left = length - place - 1 + more
        drawn = draw(narrowed(drawn, left or None))
    return drawn


@st.composite
def _purchases(draw: st.DrawFn, drawn: Drawn) -> Purchase:
    """Purchases that all credentials might permit, or all but one."""
    spoiler = draw(st.integers(0, len(drawn.stated)))
    pleased = [each for place, stated in enumerate(drawn.stated) if place != spoiler for each in stated]
    every = [each for stated in drawn.stated for each in stated]
    return draw(purchases_for(every, pleased, drawn.currency))


def test_the_search_meets_purchases_that_only_a_middle_link_refuses() -> None:
    """Or nobody would notice a chain that asks its ends alone."""

    def middle(case: tuple[Drawn, Purchase]) -> bool:
        verdicts = [all(_permits(each, case[1]) for each in stated) for stated in case[0].stated]
        return len(verdicts) > 2 and verdicts[0] and verdicts[-1] and not all(verdicts)

    cases = chains().flatmap(lambda drawn: st.tuples(st.just(drawn), _purchases(drawn)))
    find(cases, middle, settings=settings(max_examples=5_000, phases=[Phase.generate]))


@given(chains(), st.data())
def test_what_is_effective_permits_exactly_what_the_chain_permits(drawn: Drawn, data: st.DataObject) -> None:
    chain = drawn.open()
    every = [each for stated in drawn.stated for each in stated]
    purchase = data.draw(_purchases(drawn))
    try:
        chain.permits(purchase)
        permitted = True
    except Refused:
        permitted = False
    assert permitted == all(_permits(each, purchase) for each in every)
    assert permitted == all(_permits(each, purchase) for each in chain.effective())
    assert {each.path: each for each in chain.effective()} == drawn.nearest


@given(chains(), st.data())
def test_a_chain_permits_nothing_that_its_mandate_refuses(drawn: Drawn, data: st.DataObject) -> None:
    """Judged by what is effective at its end alone."""
    effective = drawn.open().effective()
    purchase = data.draw(purchases_for(drawn.stated[0], effective, drawn.currency))
    if all(_permits(each, purchase) for each in effective):
        assert all(_permits(each, purchase) for each in drawn.stated[0])


@given(chains(more=1), st.data())
def test_no_chain_with_a_wider_link_is_accepted(drawn: Drawn, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from([each for each in REGISTRY if each in drawn.nearest]))
    parent = drawn.nearest[path]
    value = data.draw(DRAWS[path].wider(parent.encode(), drawn.currency))
    refusal = _refusal(REGISTRY[path].read(value, drawn.currency), parent)
    assert refusal is not None
    place = len(drawn.data)
    wide = _add_link(drawn, {path: value})
    for each in (wide, _add_link(wide, {})) if path == DEPTH else (wide,):
        with pytest.raises(Refused) as caught:
            each.open()
        assert (caught.value.code, caught.value.where) == (refusal.code, f"link.{place}.{path}")


@given(chains())
def test_links_are_read_as_they_were_written(drawn: Drawn) -> None:
    for data, link in zip(drawn.data[1:], drawn.links, strict=True):
        content = open_link(data).content
        assert (content.link, content.issued_at) == (link, NOW_SECONDS)
        assert seal(LINK, link_claims(content.link, content.holder, content.issued_at), key(link.issuer)) == data


# --- the ledger -----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Node:
    """A credential of a tree: the chain that leads to it, its own cap in minor units if it states one, and its charges."""

    chain: tuple[bytes, ...]
    ancestors: tuple[int, ...]
    cap: int | None
    name: str
    held: dict[str, int] = field(default_factory=dict)
    captured: int = 0


def _text(minor: int) -> str:
    return act.Amount(minor, "CNY").text


@st.composite
def trees(draw: st.DrawFn) -> tuple[World, list[Node]]:
    """A mandate with links below it, siblings and cousins, some with totals of their own."""
    world, total = World(), draw(st.integers(2, 40))
    commerce = {"max_single_amount": ABSENT}
    root = world.mint(max_total_amount=_text(total), commerce=commerce, changes={"act.ext.delegation": {"max_depth": 3}})
    nodes = [Node((root,), (0,), total, "max_total_amount")]
    for number in range(1, draw(st.integers(2, 6))):
        parent = nodes[draw(st.sampled_from([place for place, node in enumerate(nodes) if len(node.chain) <= 3]))]
        most = min(cap for place in parent.ancestors if (cap := nodes[place].cap) is not None)
        cap = draw(st.none() | st.integers(1, most))
        fields: dict[str, Any] = {} if cap is None else {"max_total_amount": _text(cap)}
        left = 3 - len(parent.chain)
        fields |= {"ext": {"delegation": {"max_depth": left}}} if left else {}
        link = world.link(parent.chain, f"agent:{number}", **fields)
        chain = (*parent.chain, link)
        name = f"{base64url_encode(open_chain(chain).identity)}/max_total_amount"
        nodes.append(Node(chain, (*parent.ancestors, number), cap, name))
    return world, nodes


def _used(nodes: list[Node], place: int) -> tuple[int, int]:
    """Held and captured below a credential, by adding up its charges and those of everybody below it."""
    below = [node for node in nodes if place in node.ancestors]
    return sum(sum(node.held.values()) for node in below), sum(node.captured for node in below)


def _pay(world: World, service: act.PaymentService, nodes: list[Node], place: int, minor: int) -> None:
    node = nodes[place]
    caps = [(each, cap) for each in node.ancestors if (cap := nodes[each].cap) is not None]
    fits = all(sum(_used(nodes, each)) + minor <= cap for each, cap in caps)
    order = world.order(_text(minor), agent_id=AGENT if place == 0 else f"agent:{place}")
    payment = world.payment(chain=node.chain, order=order)
    try:
        charge = service.authorize(payment)
    except Refused as refusal:
        assert (refusal.code, fits) == ("total_limit_exceeded", False)
        return
    assert fits
    node.held[charge.id] = minor


def _require_counted(service: act.PaymentService, nodes: list[Node]) -> None:
    status = service.status(nodes[0].chain[0])
    counted = {each.name: each for each in status.counters} if status else {}
    for place, node in enumerate(nodes):
        if node.cap is None:
            assert node.name not in counted
            continue
        counter = counted.get(node.name)
        found = (counter.held, counter.captured) if counter else (0, 0)
        assert found == _used(nodes, place)
        assert sum(found) <= node.cap


@settings(max_examples=max(40, settings().max_examples // 100))
@given(trees(), st.data())
def test_no_credential_of_a_tree_is_overspent(tree: tuple[World, list[Node]], data: st.DataObject) -> None:
    world, nodes = tree
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        ledger = act.SqliteLedger(path)
        service = act.PaymentService(PSP, parties=world.parties, ledger=ledger, signer=key(PSP), clock=world.clock)
        for _ in range(data.draw(st.integers(1, 12))):
            holding = [(node, charge_id) for node in nodes for charge_id in node.held]
            if holding and data.draw(st.sampled_from([False, False, True])):
                node, charge_id = data.draw(st.sampled_from(holding))
                held = node.held.pop(charge_id)
                taken = data.draw(st.integers(0, held))
                node.captured += taken
                service.capture(charge_id, act.Amount(taken, "CNY")) if taken else service.void(charge_id)
            else:
                place = data.draw(st.integers(0, len(nodes) - 1))
                _pay(world, service, nodes, place, data.draw(st.integers(1, (nodes[0].cap or 0) // 2 + 1)))
            _require_counted(service, nodes)
        ledger.close()
        if any(node.held or node.captured for node in nodes):
            audit(path)

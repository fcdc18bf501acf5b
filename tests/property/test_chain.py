"""Chains of any mandate and any links: what narrows permits nothing new, and no tree of credentials overspends."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

import act
from act.delegation.chain import open_chain
from act.delegation.constraints import REGISTRY, Constraint
from act.delegation.purchase import Purchase
from act.errors import Refused
from act.wire.base64url import base64url_encode
from tests.support.chains import DEPTH, Drawn, add_link, chain, link_of, purchase_of, raw_values
from tests.support.choices import WAYS, Choices, Way, built, promised
from tests.support.fold import audit
from tests.support.narrowing import DRAWS, refusal_of, stated_by
from tests.support.purchases import Payment, fits, history, permits, purchase_for
from tests.support.world import ABSENT, AGENT, PSP, World, key

# --- whole chains ---------------------------------------------------------------------------------------------------------


def bought(choices: Choices, least: int = 1) -> tuple[Drawn, Purchase]:
    """A chain of at least so many links, and a purchase that it might permit."""
    drawn = chain(choices, least=least)
    return drawn, purchase_of(choices, drawn)


@pytest.mark.parametrize("way", WAYS)
def test_the_search_meets_purchases_that_only_a_middle_link_refuses(way: Way) -> None:
    """Or nobody would notice a chain that asks its ends alone; and the one that is met is refused."""

    def middle(case: tuple[Drawn, Purchase]) -> bool:
        verdicts = [permits(stated, case[1]) for stated in case[0].stated]
        return len(verdicts) > 2 and verdicts[0] and verdicts[-1] and not all(verdicts)

    drawn, purchase = find(way(bought, least=2), middle, settings=settings(max_examples=5_000, phases=[Phase.generate]))
    with pytest.raises(Refused):
        drawn.open().permits(purchase)
    assert not permits(drawn.open().effective(), purchase)


@pytest.mark.parametrize("way", WAYS)
def test_the_search_meets_purchases_that_a_chain_permits(way: Way) -> None:
    permitted = settings(max_examples=5_000, phases=[Phase.generate])
    find(way(bought), lambda case: permits(case[0].every, case[1]), settings=permitted)


@promised
@given(built(bought))
def test_what_is_effective_permits_exactly_what_the_chain_permits(case: tuple[Drawn, Purchase]) -> None:
    drawn, purchase = case
    chain = drawn.open()
    try:
        chain.permits(purchase)
        permitted = True
    except Refused:
        permitted = False
    assert permitted == (not chain.findings(purchase)) == permits(drawn.every, purchase)
    assert permitted == permits(chain.effective(), purchase)
    assert {each.path: each for each in chain.effective()} == drawn.nearest
    assert [each.path for each in chain.effective()] == [path for path in REGISTRY if path in drawn.nearest]


def bought_below(choices: Choices) -> tuple[Drawn, Purchase]:
    """A chain, and a purchase that what is in force below its last link mostly permits."""
    drawn = chain(choices)
    return drawn, purchase_for(choices, drawn.stated[0], list(drawn.nearest.values()), drawn.currency)


@promised
@given(built(bought_below))
def test_a_chain_permits_nothing_that_its_mandate_refuses(case: tuple[Drawn, Purchase]) -> None:
    """Judged by what is effective at its end alone."""
    drawn, purchase = case
    if permits(drawn.open().effective(), purchase):
        assert permits(drawn.stated[0], purchase)


def paid(choices: Choices) -> tuple[Drawn, list[Payment], int]:
    """A chain, what was paid under it, and one more amount, which may be the whole of a cap."""
    drawn, before = chain(choices), history(choices)
    caps = [limit.cap for each in drawn.every for limit in each.limits(before[-1][1])]
    return drawn, before, choices.whole(1, 45) if choices.coin() else choices.pick(caps)


@promised
@given(built(paid))
def test_what_fits_the_limits_in_force_fits_those_of_every_ancestor(case: tuple[Drawn, list[Payment], int]) -> None:
    """With everything debited to all of them; and the chain has every limit debited, those that it inherits too."""
    drawn, before, minor = case
    chain, at = drawn.open(), before[-1][1]
    limits = [limit for each in drawn.nearest.values() for limit in each.limits(at)]
    stated = [limit for each in drawn.every for limit in each.limits(at)]
    assert fits(chain.limits(at), before, minor) == fits(stated, before, minor)
    if fits(limits, before, minor):
        assert fits(chain.limits(at), before, minor)
    assert len({limit.name for limit in chain.limits(at)}) == len(stated) == chain.authority.counted


def widened(choices: Choices) -> tuple[Drawn, str, tuple[Constraint, ...]]:
    """A chain, a path, and what a link states that is wider than the chain there."""
    drawn = chain(choices, more=1)
    path = choices.pick([each for each in REGISTRY if each in drawn.nearest])
    value = DRAWS[path].wider(choices, stated_by(drawn.nearest[path]), drawn.currency)
    return drawn, path, link_of(drawn, raw_values(path, value))


@promised
@given(built(widened))
def test_no_chain_with_a_wider_link_is_accepted(case: tuple[Drawn, str, tuple[Constraint, ...]]) -> None:
    drawn, path, every = case
    refusals = [refusal_of(each, drawn.nearest[each.path]) for each in every if each.path in drawn.nearest]
    refusal = next(each for each in refusals if each is not None)
    place = len(drawn.stated)
    wide = add_link(drawn, every)
    for each in (wide, add_link(wide, link_of(wide, {}))) if path == DEPTH else (wide,):
        with pytest.raises(Refused) as caught:
            each.open()
        assert (caught.value.code, caught.value.where) == (refusal.code, f"link.{place}.{refusal.where}")


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


@settings(max_examples=max(40, promised.max_examples // 100))
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

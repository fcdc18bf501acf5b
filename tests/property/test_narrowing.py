"""What a link may say: whatever `narrows` lets through permits nothing that its parent does not."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import act
from act.commerce.cart import Item
from act.delegation.constraints import Constraint, MaxStaleness, build_constraints
from act.delegation.purchase import Purchase
from tests.property.test_constraints import purchases
from tests.support.strategies import amount_sizes, constraints, staleness


def _permits(constraint: Constraint, purchase: Purchase) -> bool:
    try:
        constraint.permits(purchase)
    except act.Refused:
        return False
    return True


def _narrows(child: Any, parent: Any) -> bool:
    try:
        child.narrows(parent)
    except act.Refused as refusal:
        assert refusal.code in {"link_widens", "link_behaviour_changed", "link_payee_added", "link_outlives_parent"}
        return False
    return True


few_minor = st.integers(1, 4)
few_amounts = few_minor.map(lambda minor: f"0.{minor:02d}")
caps = st.fixed_dictionaries(
    {}, optional={"max_quantity": few_minor, "max_unit_amount": few_amounts, "confirmed_unit_amount": few_amounts}
)
more_selectors = st.fixed_dictionaries({}, optional={"sku": st.sampled_from("ab"), "category": st.sampled_from("xy")})
entries = st.builds(lambda selectors, stated: {"sku": "a"} | selectors | stated, more_selectors, caps) | st.builds(
    lambda label, stated: {"category": label} | stated, st.sampled_from("xy"), caps
)
lines = st.builds(
    Item,
    st.sampled_from("ab"),
    st.just("n"),
    st.sampled_from("xy"),
    st.integers(1, 3),
    few_minor.map(lambda minor: act.Amount(minor, "CNY")),
)


def _of_items(items: list[dict[str, Any]], percent: str) -> list[Constraint]:
    wire: dict[str, Any] = {"validity": (0, 1), "currency": "CNY", "ext.items": items}
    if any("confirmed_unit_amount" in entry for entry in items):
        wire["ext.agent_behavior.price_deviation_tolerance"] = percent
    return [each for each in build_constraints(wire) if each.path.startswith("ext.")]


@st.composite
def _pairs(draw: st.DrawFn) -> tuple[list[Constraint], list[Constraint], Purchase]:
    """A parent, a child made of its entries with more selectors and other caps, and a purchase: few values, so that they
    meet."""
    above = draw(st.lists(entries, min_size=1, max_size=2))
    below = []
    for _ in range(draw(st.integers(1, 3))):
        entry = draw(st.sampled_from(above))
        stated = {name: entry[name] for name in ("sku", "category") if name in entry}
        below.append(draw(more_selectors) | stated | draw(caps))
    percent = st.sampled_from(["0", "25", "50", "100"])
    bought = tuple(draw(st.lists(lines, min_size=1, max_size=3)))
    purchase = Purchase("shop", frozenset(), frozenset(), act.Amount(1, "CNY"), "balance", "AUP", 0, bought)
    return _of_items(above, draw(percent)), _of_items(below, draw(percent)), purchase


@settings(max_examples=max(600, settings.default.max_examples if settings.default else 0))
@given(_pairs())
def test_narrower_items_and_prices_permit_no_more(case: tuple[list[Constraint], list[Constraint], Purchase]) -> None:
    parent, child, purchase = case
    above = {each.path: each for each in parent}
    for each in child:
        if each.path in above and _permits(each, purchase) and not _permits(above[each.path], purchase):
            assert not _narrows(each, above[each.path]), each.path


@given(constraints(), constraints(), st.data())
def test_whatever_narrows_permits_no_more(
    parent: tuple[Constraint, ...], other: tuple[Constraint, ...], data: st.DataObject
) -> None:
    """Of any two mandates: where one constraint narrows the other's, a purchase that it permits the other permits too."""
    above = {each.path: each for each in parent}
    for each in other:
        if each.path in above and each.path != "validity" and _narrows(each, above[each.path]):
            purchase = data.draw(purchases(data.draw(st.sampled_from([parent, other]))))
            if _permits(each, purchase):
                assert _permits(above[each.path], purchase), each.path


@given(constraints())
def test_every_constraint_narrows_itself(every: tuple[Constraint, ...]) -> None:
    """A link may repeat its parent, except for the depth, of which the link itself takes one."""
    for each in every:
        assert _narrows(each, each) == (each.path != "ext.delegation.max_depth")


@given(st.tuples(staleness("CNY"), staleness("CNY")), st.lists(amount_sizes, min_size=1))
def test_a_narrower_staleness_allows_no_older_status(wire: tuple[Any, Any], amounts: list[int]) -> None:
    child, parent = (MaxStaleness.read(each, "CNY") for each in wire)
    if _narrows(child, parent):
        for minor in amounts:
            assert child.allowed_seconds(minor) <= parent.allowed_seconds(minor)
    else:  # nothing is refused that could be proven: some amount really is allowed an older status
        edges = [step.above_minor + 1 for step in (*child.steps, *parent.steps)]
        assert any(child.allowed_seconds(minor) > parent.allowed_seconds(minor) for minor in edges)

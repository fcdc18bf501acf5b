"""What a link may say: whatever `narrows` lets through permits nothing that its parent does not."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import act
from act.delegation.constraints import Constraint, MaxStaleness, build_constraints
from act.delegation.purchase import Purchase
from tests.property.test_constraints import purchases
from tests.support.strategies import amount_sizes, constraints, item_entries, percentages, staleness

PATHS = [
    "ext.step_up.above_amount",
    "ext.items",
    "ext.agent_behavior.price_deviation_tolerance",
    "ext.fulfillment.delivery_time_requirement",
    "ext.fulfillment.delivery_address",
    "ext.agent_behavior.price_deviation_action",
    "ext.agent_behavior.on_payment_failure",
    "ext.agent_behavior.max_retry_count",
    "ext.delegation.max_depth",
    "ext.status.on_revoke",
]


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


def _with(wire: dict[str, Any], items: list[dict[str, Any]], percent: str) -> tuple[Constraint, ...]:
    wire = {path: value for path, value in wire.items() if path not in PATHS[1:3]} | {"ext.items": items}
    if any("confirmed_unit_amount" in entry for entry in items):
        wire["ext.agent_behavior.price_deviation_tolerance"] = percent
    return build_constraints(wire)


@st.composite
def _pairs(draw: st.DrawFn) -> tuple[tuple[Constraint, ...], tuple[Constraint, ...], Purchase]:
    """A parent and a child that is often a little different from it, and a purchase at the edges of either."""
    drawn = draw(constraints())
    wire = {each.path: each.encode() for each in drawn}
    parent_items, currency = draw(item_entries(wire["currency"])), wire["currency"]
    child_items = draw(st.lists(st.sampled_from(parent_items) | item_entries(currency).map(lambda each: each[0]), min_size=1))
    changed = [
        entry | draw(st.dictionaries(st.sampled_from(["sku", "category", "name"]), st.sampled_from(["tea", "cup"]), max_size=2))
        for entry in child_items[:4]
    ]
    parent = _with(wire, parent_items, draw(percentages))
    child = _with(wire, changed, draw(percentages))
    purchase = draw(purchases(draw(st.sampled_from([parent, child]))))
    return parent, child, purchase


@given(_pairs())
def test_a_narrower_list_of_items_permits_no_more(
    case: tuple[tuple[Constraint, ...], tuple[Constraint, ...], Purchase],
) -> None:
    parent, child, purchase = case
    above = {each.path: each for each in parent}
    for each in child:
        if each.path in above and each.path in PATHS and _narrows(each, above[each.path]) and _permits(each, purchase):
            assert _permits(above[each.path], purchase), each.path


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

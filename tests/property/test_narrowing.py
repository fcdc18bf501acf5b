"""What a link may say: whatever `narrows` lets through permits nothing that its parent does not, whatever was paid before."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

import act
from act.delegation.constraints import REGISTRY, Constraint, Currency, Enforcer, MaxStaleness, Periods, Schedule
from act.delegation.purchase import Purchase
from tests.support.chains import DEPTH
from tests.support.choices import WAYS, Choices, Way, built, promised
from tests.support.narrowing import DRAWS, ITEMS, TOLERANCE, is_narrower, read_drawn, refusal_of, stated_by
from tests.support.purchases import Payment, fits, history, permits, purchase_for, purchase_near
from tests.support.strategies import amount_size, constraints, currency_of, period, schedule, staleness


def pair(choices: Choices, path: str) -> tuple[Constraint, Constraint, str]:
    """A constraint, another one of its class for a link below it, and their currency."""
    currency = currency_of(choices)
    draws = DRAWS[path]
    above = draws.values(choices, currency)
    below = draws.values(choices, currency) if choices.rarely(5) else draws.near(choices, above, currency)
    return read_drawn(path, above, currency), read_drawn(path, below, currency), currency


def family(choices: Choices, path: str) -> tuple[Constraint, Constraint, Purchase]:
    """Such a pair, parent first, and a purchase near both, which the child mostly permits in two of three."""
    parent, child, currency = pair(choices, path)
    if isinstance(parent, Currency) and isinstance(child, Currency):
        currency = choices.pick((child.code, parent.code, currency))
    both = [child, parent]
    purchase = purchase_near(choices, both, currency) if choices.rarely(3) else purchase_for(choices, both, [child], currency)
    return parent, child, purchase


pairs: Final = {path: built(pair, path) for path in REGISTRY}
families: Final = {path: built(family, path) for path in REGISTRY}


def test_every_constraint_of_the_registry_can_be_drawn() -> None:
    assert list(DRAWS) == list(REGISTRY)


@pytest.mark.parametrize("path", REGISTRY)
@promised
@given(data=st.data())
def test_what_narrows_permits_nothing_its_parent_refuses(path: str, data: st.DataObject) -> None:
    parent, child, purchase = data.draw(families[path])
    if is_narrower(child, parent) and permits(child, purchase):
        assert permits(parent, purchase)


COUNTED: Final = [path for path, kind in REGISTRY.items() if kind.enforced_by is Enforcer.LEDGER]


def counted(choices: Choices, path: str) -> tuple[Constraint, Constraint, list[Payment], int, str]:
    """Such a pair, a history that both were debited for, and one more amount, which may be the whole cap."""
    parent, child, currency = pair(choices, path)
    paid = history(choices)
    minors = [each.cap + shift for one in (parent, child) for each in one.limits(paid[-1][1]) for shift in (-1, 0, 1)]
    minor = choices.whole(1, 45) if choices.coin() else choices.pick([minor for minor in minors if minor > 0] or [1])
    return parent, child, paid, minor, currency


countings: Final = {path: built(counted, path) for path in COUNTED}


@pytest.mark.parametrize("path", [ITEMS, TOLERANCE])
@settings(max_examples=max(500, promised.max_examples))
@given(data=st.data())
def test_no_entries_of_a_narrower_list_add_up_to_more(path: str, data: st.DataObject) -> None:
    """The same once more, for longer: what entries permit together is the hardest to see."""
    parent, child, purchase = data.draw(families[path])
    if permits(child, purchase) and not permits(parent, purchase):
        assert not is_narrower(child, parent)


@pytest.mark.parametrize("path", COUNTED)
@promised
@given(data=st.data())
def test_what_fits_a_narrower_limit_fits_its_parents_after_any_history(path: str, data: st.DataObject) -> None:
    """Whether those payments were allowed or not: the question is only what is counted."""
    parent, child, history, minor, _ = data.draw(countings[path])
    if is_narrower(child, parent):
        for paid, (each, at) in enumerate([*history, (minor, history[-1][1])]):
            if fits(child.limits(at), history[:paid], each):
                assert fits(parent.limits(at), history[:paid], each)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("path", ["max_total_amount", "ext.quota.times_limit", "ext.quota.periods"])
def test_the_search_meets_narrower_limits_that_still_have_room(path: str, way: Way) -> None:
    """And parents' limits that have none: or the property above would hold of nothing."""

    def has_room(case: tuple[Constraint, Constraint, list[Payment], int, str]) -> bool:
        parent, child, history, minor, _ = case
        return parent != child and is_narrower(child, parent) and fits(child.limits(history[-1][1]), history, minor)

    def is_full(case: tuple[Constraint, Constraint, list[Payment], int, str]) -> bool:
        parent, child, history, minor, _ = case
        at = history[-1][1]
        return parent != child and is_narrower(child, parent) and not fits(parent.limits(at), history, minor)

    for wanted in (has_room, is_full):
        find(way(counted, path), wanted, settings=settings(max_examples=5_000, phases=[Phase.generate]))


def widening(choices: Choices, path: str) -> tuple[Constraint, Constraint]:
    """A constraint, and a wider one of its class."""
    currency = currency_of(choices)
    value = DRAWS[path].values(choices, currency)
    return read_drawn(path, value, currency), read_drawn(path, DRAWS[path].wider(choices, value, currency), currency)


widenings: Final = {path: built(widening, path) for path in REGISTRY}


@pytest.mark.parametrize("path", REGISTRY)
@given(data=st.data())
def test_what_is_wider_does_not_narrow(path: str, data: st.DataObject) -> None:
    parent, child = data.draw(widenings[path])
    refusal = refusal_of(child, parent)
    assert refusal is not None
    assert refusal.code.startswith("link_")
    assert refusal.where == path
    assert path == DEPTH or refusal_of(parent, parent) is None


_ONLY_REPEATED: Final = frozenset(path for path, kind in REGISTRY.items() if kind.rule == "ACT-CHN-09") | {
    "delegation_mode",
    "currency",
    "ext.fulfillment.delivery_address",
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("path", REGISTRY)
def test_the_search_meets_narrower_constraints_that_permit(path: str, way: Way) -> None:
    """Or the property above would hold of nothing."""

    def narrower(case: tuple[Constraint, Constraint, Purchase]) -> bool:
        parent, child, purchase = case
        differs = stated_by(parent) != stated_by(child) or path in _ONLY_REPEATED
        return differs and is_narrower(child, parent) and permits(child, purchase)

    find(way(family, path), narrower, settings=settings(max_examples=5_000, phases=[Phase.generate]))


@promised
@given(built(constraints))
def test_every_constraint_narrows_itself(every: tuple[Constraint, ...]) -> None:
    """A link may repeat its parent, except for the depth, of which the link itself takes one."""
    for each in every:
        assert is_narrower(each, each) == (each.path != DEPTH)


# --- what a single class promises beyond that ---------------------------------------------------------------------------------


@given(st.lists(built(period, "CNY"), min_size=1, max_size=8))
def test_periods_narrow_themselves_in_any_order(written: list[dict[str, Any]]) -> None:
    assert is_narrower(Periods.read(written[::-1], "CNY"), Periods.read(written, "CNY"))


def _at(at: int) -> Purchase:
    return Purchase("shop", frozenset(), frozenset(), act.Amount(1, "CNY"), "m", "AUP", at)


def week_pair(choices: Choices) -> tuple[Schedule, Schedule]:
    """A schedule in UTC and another one for a link below it."""
    written = schedule(choices)
    near = schedule(choices) if choices.rarely(3) else DRAWS["ext.schedule"].near(choices, written, "CNY")
    parent, child = (Schedule.read(each | {"time_zone": "UTC"}, "CNY") for each in (written, near))
    return parent, child


@given(built(week_pair))
def test_a_schedule_is_refused_only_for_a_minute_that_its_parent_lacks(week_of_both: tuple[Schedule, Schedule]) -> None:
    parent, child = week_of_both
    edges = {minute for each in (child, parent) for stretch in each.hours or ((0, 1_440),) for minute in stretch}
    minutes = [day * 1_440 + edge + shift for day in range(1, 8) for edge in edges for shift in (-1, 0)]
    week = [_at(minute * 60) for minute in minutes]  # between two edges nothing changes
    is_inside = all(permits(parent, each) for each in week if permits(child, each))
    assert is_narrower(child, parent) == is_inside


@pytest.mark.parametrize("path", ["ext.quota.times_limit", "max_total_amount", "ext.commerce.max_single_amount"])
@given(data=st.data())
def test_a_bound_narrows_exactly_what_is_not_below_it(path: str, data: st.DataObject) -> None:
    parent, child, _ = data.draw(pairs[path])
    below, above = (each.times if path.endswith("times_limit") else each.amount.minor for each in _any(child, parent))
    assert is_narrower(child, parent) == (below <= above)


def _any(*every: Any) -> tuple[Any, ...]:
    return every


def staleness_pair(choices: Choices) -> tuple[MaxStaleness, MaxStaleness, list[int]]:
    """A bound on a status's age, another one for a link below it, and amounts."""
    above = staleness(choices, "CNY")
    near = staleness(choices, "CNY") if choices.coin() else DRAWS["ext.status.max_staleness"].near(choices, above, "CNY")
    amounts = choices.several(lambda: amount_size(choices), 1, 8)
    return MaxStaleness.read(above, "CNY"), MaxStaleness.read(near, "CNY"), amounts


@given(built(staleness_pair))
def test_a_narrower_staleness_allows_no_older_status(case: tuple[MaxStaleness, MaxStaleness, list[int]]) -> None:
    parent, child, amounts = case
    edges = [step.above_minor + shift for step in (*child.steps, *parent.steps) for shift in (0, 1)]
    older = [
        minor for minor in (*amounts, *edges) if minor > 0 and child.allowed_seconds(minor) > parent.allowed_seconds(minor)
    ]
    assert is_narrower(child, parent) == (not older)  # nothing is refused that could be proven

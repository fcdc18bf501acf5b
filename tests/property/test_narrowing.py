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
from tests.support.narrowing import DRAWS, ITEMS, TOLERANCE, is_narrower, read_drawn, refusal_of, stated_by
from tests.support.purchases import Payment, fits, histories, permits, purchases_near
from tests.support.strategies import amount_sizes, constraints, currencies, periods, schedules, staleness


@st.composite
def pairs(draw: st.DrawFn, path: str) -> tuple[Constraint, Constraint, str]:
    """A constraint, another one of its class for a link below it, and their currency."""
    currency = draw(currencies)
    above = draw(DRAWS[path].values(currency))
    below = draw(DRAWS[path].near(above, currency) | DRAWS[path].near(above, currency) | DRAWS[path].values(currency))
    return read_drawn(path, above, currency), read_drawn(path, below, currency), currency


@st.composite
def families(draw: st.DrawFn, path: str) -> tuple[Constraint, Constraint, Purchase]:
    """Such a pair, parent first, and a purchase near both."""
    parent, child, currency = draw(pairs(path))
    codes = [each.code for each in (child, parent) if isinstance(each, Currency)] or [currency]
    return parent, child, draw(purchases_near([child, parent], draw(st.just(currency) | st.sampled_from(codes))))


def test_every_constraint_of_the_registry_can_be_drawn() -> None:
    assert list(DRAWS) == list(REGISTRY)


@pytest.mark.parametrize("path", REGISTRY)
@given(data=st.data())
def test_what_narrows_permits_nothing_its_parent_refuses(path: str, data: st.DataObject) -> None:
    parent, child, purchase = data.draw(families(path))
    if is_narrower(child, parent) and permits(child, purchase):
        assert permits(parent, purchase)


COUNTED: Final = [path for path, kind in REGISTRY.items() if kind.enforced_by is Enforcer.LEDGER]


@st.composite
def counted(draw: st.DrawFn, path: str) -> tuple[Constraint, Constraint, list[Payment], int, str]:
    """Such a pair, a history that both were debited for, and one more amount, which may be the whole cap."""
    parent, child, currency = draw(pairs(path))
    history = draw(histories())
    minors = [each.cap + shift for one in (parent, child) for each in one.limits(history[-1][1]) for shift in (-1, 0, 1)]
    minor = draw(st.integers(1, 45) | st.sampled_from([minor for minor in minors if minor > 0] or [1]))
    return parent, child, history, minor, currency


@pytest.mark.parametrize("path", [ITEMS, TOLERANCE])
@settings(max_examples=max(500, settings.default.max_examples if settings.default else 0))
@given(data=st.data())
def test_no_entries_of_a_narrower_list_add_up_to_more(path: str, data: st.DataObject) -> None:
    """The same once more, for longer: what entries permit together is the hardest to see."""
    parent, child, purchase = data.draw(families(path))
    if permits(child, purchase) and not permits(parent, purchase):
        assert not is_narrower(child, parent)


@pytest.mark.parametrize("path", COUNTED)
@given(data=st.data())
def test_what_fits_a_narrower_limit_fits_its_parents_after_any_history(path: str, data: st.DataObject) -> None:
    """Whether those payments were allowed or not: the question is only what is counted."""
    parent, child, history, minor, _ = data.draw(counted(path))
    if is_narrower(child, parent):
        for paid, (each, at) in enumerate([*history, (minor, history[-1][1])]):
            if fits(child.limits(at), history[:paid], each):
                assert fits(parent.limits(at), history[:paid], each)


@pytest.mark.parametrize("path", ["max_total_amount", "ext.quota.times_limit", "ext.quota.periods"])
def test_the_search_meets_narrower_limits_that_still_have_room(path: str) -> None:
    """And parents' limits that have none: or the property above would hold of nothing."""

    def has_room(case: tuple[Constraint, Constraint, list[Payment], int, str]) -> bool:
        parent, child, history, minor, _ = case
        return parent != child and is_narrower(child, parent) and fits(child.limits(history[-1][1]), history, minor)

    def is_full(case: tuple[Constraint, Constraint, list[Payment], int, str]) -> bool:
        parent, child, history, minor, _ = case
        at = history[-1][1]
        return parent != child and is_narrower(child, parent) and not fits(parent.limits(at), history, minor)

    for wanted in (has_room, is_full):
        find(counted(path), wanted, settings=settings(max_examples=5_000, phases=[Phase.generate]))


@pytest.mark.parametrize("path", REGISTRY)
@given(data=st.data())
def test_what_is_wider_does_not_narrow(path: str, data: st.DataObject) -> None:
    currency = data.draw(currencies)
    value = data.draw(DRAWS[path].values(currency))
    parent, child = (read_drawn(path, each, currency) for each in (value, data.draw(DRAWS[path].wider(value, currency))))
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


@pytest.mark.parametrize("path", REGISTRY)
def test_the_search_meets_narrower_constraints_that_permit(path: str) -> None:
    """Or the property above would hold of nothing."""

    def narrower(case: tuple[Constraint, Constraint, Purchase]) -> bool:
        parent, child, purchase = case
        differs = stated_by(parent) != stated_by(child) or path in _ONLY_REPEATED
        return differs and is_narrower(child, parent) and permits(child, purchase)

    find(families(path), narrower, settings=settings(max_examples=5_000, phases=[Phase.generate]))


@given(constraints())
def test_every_constraint_narrows_itself(every: tuple[Constraint, ...]) -> None:
    """A link may repeat its parent, except for the depth, of which the link itself takes one."""
    for each in every:
        assert is_narrower(each, each) == (each.path != DEPTH)


# --- what a single class promises beyond that ---------------------------------------------------------------------------------


@given(st.lists(periods("CNY"), min_size=1, max_size=8))
def test_periods_narrow_themselves_in_any_order(written: list[dict[str, Any]]) -> None:
    assert is_narrower(Periods.read(written[::-1], "CNY"), Periods.read(written, "CNY"))


def _at(at: int) -> Purchase:
    return Purchase("shop", frozenset(), frozenset(), act.Amount(1, "CNY"), "m", "AUP", at)


@given(schedules(), st.data())
def test_a_schedule_is_refused_only_for_a_minute_that_its_parent_lacks(written: dict[str, Any], data: st.DataObject) -> None:
    near = data.draw(DRAWS["ext.schedule"].near(written, "CNY") | schedules().map(lambda each: each | {"time_zone": "UTC"}))
    child, parent = (Schedule.read(each | {"time_zone": "UTC"}, "CNY") for each in (near, written))
    edges = {minute for each in (child, parent) for stretch in each.hours or ((0, 1_440),) for minute in stretch}
    minutes = [day * 1_440 + edge + shift for day in range(1, 8) for edge in edges for shift in (-1, 0)]
    week = [_at(minute * 60) for minute in minutes]  # between two edges nothing changes
    is_inside = all(permits(parent, each) for each in week if permits(child, each))
    assert is_narrower(child, parent) == is_inside


@given(st.sampled_from(["ext.quota.times_limit", "max_total_amount", "ext.commerce.max_single_amount"]), st.data())
def test_a_bound_narrows_exactly_what_is_not_below_it(path: str, data: st.DataObject) -> None:
    parent, child, _ = data.draw(pairs(path))
    below, above = (each.times if path.endswith("times_limit") else each.amount.minor for each in _any(child, parent))
    assert is_narrower(child, parent) == (below <= above)


def _any(*every: Any) -> tuple[Any, ...]:
    return every


@st.composite
def _stalenesses(draw: st.DrawFn) -> tuple[Any, Any]:
    parent = draw(staleness("CNY"))
    return draw(DRAWS["ext.status.max_staleness"].near(parent, "CNY") | staleness("CNY")), parent


@given(_stalenesses(), st.lists(amount_sizes, min_size=1))
def test_a_narrower_staleness_allows_no_older_status(wire: tuple[Any, Any], amounts: list[int]) -> None:
    child, parent = (MaxStaleness.read(each, "CNY") for each in wire)
    edges = [step.above_minor + shift for step in (*child.steps, *parent.steps) for shift in (0, 1)]
    older = [
        minor for minor in (*amounts, *edges) if minor > 0 and child.allowed_seconds(minor) > parent.allowed_seconds(minor)
    ]
    assert is_narrower(child, parent) == (not older)  # nothing is refused that could be proven

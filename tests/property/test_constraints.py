"""act.delegation.constraints, for any mandate and any purchase."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from math import floor
from typing import Any, Final

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import act
from act.calendar import LATEST_INSTANT
from act.calendar.zones import _zone
from act.delegation.constraints import REGISTRY, Constraint
from act.delegation.constraints.payload import DEFAULTS, read_constraints, write_constraints
from act.delegation.limits import Limit, Usage, judge
from act.delegation.purchase import Purchase
from act.errors import CODES
from act.money import MINOR_LIMIT
from tests.support.choices import Choices, built
from tests.support.purchases import purchase_for, purchase_near
from tests.support.strategies import cbor_values, constraints, currency_of

_DAY: Final = 86_400
paths = st.sampled_from(list(REGISTRY))


currencies = built(currency_of)


def judged(choices: Choices) -> tuple[tuple[Constraint, ...], Purchase]:
    """A mandate's constraints, and a purchase that they might allow."""
    every = constraints(choices)
    currency = next(each.encode() for each in every if each.path == "currency")
    if choices.rarely(5):
        return every, purchase_near(choices, every, currency_of(choices))
    return every, purchase_for(choices, every, every, currency)


def _permitted(by_path: dict[str, Any], purchase: Purchase) -> bool:
    """What the constraints mean, said once more in another way."""
    window, minor = by_path["validity"], purchase.amount.minor
    sets = {name: set(by_path[f"ext.commerce.{name}"].entries) for name in _LISTS if f"ext.commerce.{name}" in by_path}
    methods = by_path.get("allowed_payment_methods")
    least, most = by_path.get("ext.commerce.min_single_amount"), by_path.get("ext.commerce.max_single_amount")
    sold = purchase.categories | purchase.item_categories
    quotas = by_path["ext.quota.periods"].quotas if "ext.quota.periods" in by_path else ()
    judged = "allowed_categories" in sets or "forbidden_categories" in sets
    return (
        window.start - 10 <= purchase.at < window.end
        and {"SPECIFIED": "DEL", "BOUNDED": "AUP"}[by_path["delegation_mode"].mode] == purchase.scenario
        and by_path["currency"].code == purchase.amount.currency
        and (least.amount.minor if least else 1) <= minor <= (most.amount.minor if most else MINOR_LIMIT)
        and minor <= by_path["max_total_amount"].amount.minor
        and (methods is None or purchase.payment_method in methods.entries)
        and purchase.payee in sets.get("allowed_merchants", {purchase.payee})
        and purchase.payee not in sets.get("forbidden_merchants", set())
        and (not judged or bool(purchase.categories))
        and sold <= sets.get("allowed_categories", sold)
        and not sold & sets.get("forbidden_categories", set())
        and all(quota.max_amount is None or minor <= quota.max_amount.minor for quota in quotas)
        and _scheduled(by_path.get("ext.schedule"), purchase.at)
        and (purchase.confirmed or "ext.step_up.above_amount" not in by_path or minor <= _minor_above(by_path))
        and all(_item_permitted(by_path, purchase, item) for item in purchase.items)
        and _delivered(by_path, purchase)
    )


def _scheduled(schedule: Any, at: int) -> bool:
    """By datetime, which the constraint does not use."""
    if schedule is None:
        return True
    if (
        at > LATEST_INSTANT - _DAY
    ):  # east of Greenwich the year 10000 has begun, which datetime has not; a week ago it was alike
        at -= 7 * _DAY
    local = datetime.fromtimestamp(at, UTC).astimezone(_zone(schedule.time_zone))
    day, minute = local.strftime("%a").upper(), local.hour * 60 + local.minute
    return (schedule.weekdays is None or day in schedule.weekdays) and (
        schedule.hours is None or any(start <= minute < end for start, end in schedule.hours)
    )


def _minor_above(by_path: dict[str, Any]) -> int:
    above: int = by_path["ext.step_up.above_amount"].amount.minor
    return above


def _item_permitted(by_path: dict[str, Any], purchase: Purchase, item: Any) -> bool:
    """From the wire value, line by line: named, not too many with what else its entries match, not too dear."""
    if "ext.items" not in by_path:
        return True
    percent = Fraction(by_path.get("ext.agent_behavior.price_deviation_tolerance", _Zero).encode())
    minor, found = item.unit_amount.minor, False
    for entry in by_path["ext.items"].encode():
        selectors = {name: entry[name] for name in ("sku", "category", "name") if name in entry}
        if any(getattr(item, name) != value for name, value in selectors.items()):
            continue
        found = True
        alike = [each for each in purchase.items if all(getattr(each, name) == value for name, value in selectors.items())]
        if sum(each.quantity for each in alike) > entry.get("max_quantity", 10**9):
            return False
        if minor > _minor_of(entry.get("max_unit_amount"), item) or minor > floor(
            _minor_of(entry.get("confirmed_unit_amount"), item) * (1 + percent / 100)
        ):
            return False
    return found


class _Zero:
    @staticmethod
    def encode() -> str:
        return "0"


def _minor_of(text: str | None, item: Any) -> int:
    return act.Amount.parse(text, item.unit_amount.currency).minor if text is not None else MINOR_LIMIT


def _delivered(by_path: dict[str, Any], purchase: Purchase) -> bool:
    where, when = (by_path.get(f"ext.fulfillment.{name}") for name in ("delivery_address", "delivery_time_requirement"))
    if where is not None and purchase.delivery_address != where.digest:
        return False
    if when is None:
        return True
    seconds = {"PT90S": 90, "PT30M": 1_800, "PT1H": 3_600, "P1D": 86_400}
    fixed = {"1970-01-01T00:30:00Z": 1_800, "2026-02-06T10:00:00Z": 1_770_372_000}
    text = when.encode()
    latest = fixed[text] if text in fixed else purchase.ordered_at + seconds[text]
    return purchase.deliver_by is not None and purchase.deliver_by <= latest


_LISTS = ("allowed_merchants", "forbidden_merchants", "allowed_categories", "forbidden_categories")


@given(built(judged))
def test_a_purchase_is_permitted_exactly_when_every_bound_holds(case: tuple[tuple[Constraint, ...], Purchase]) -> None:
    every, purchase = case
    refusals = []
    for constraint in every:
        try:
            constraint.permits(purchase)
        except act.Refused as refusal:
            refusals.append(refusal)
    assert (not refusals) == _permitted({constraint.path: constraint for constraint in every}, purchase)
    order = list(CODES)
    codes = [refusal.code for refusal in refusals if refusal.code != "currency_mismatch"]
    assert codes == sorted(codes, key=order.index)  # the order of judgement is the order of the table


@given(built(constraints))
def test_what_is_written_is_read_back(every: tuple[Constraint, ...]) -> None:
    window = next(each.encode() for each in every if each.path == "validity")
    assert read_constraints(write_constraints(every, None), window, DEFAULTS, "") == (every, None)
    for constraint in every:
        assert constraint.describe()
        assert constraint.describe("zh") != constraint.describe("en")


_NO_VALUE = {
    "amount_invalid",
    "claim_invalid",
    "claim_missing",
    "claim_unknown",
    "currency_unknown",
    "time_zone_unknown",
}


@given(paths.filter(lambda path: path != "validity"), cbor_values, currencies)
def test_any_value_is_a_constraint_or_refused(path: str, value: object, currency: str) -> None:
    try:
        constraint = REGISTRY[path].read(value, currency)
    except act.Refused as refusal:
        assert refusal.code in _NO_VALUE
        return
    assert constraint.encode() == value


@given(st.integers(1, MINOR_LIMIT - 1), st.lists(st.integers(1, MINOR_LIMIT - 1), max_size=30))
def test_no_series_of_debits_exceeds_a_cap(cap: int, debits: list[int]) -> None:
    limit = Limit("total", cap, "total_limit_exceeded")
    held = 0
    for debit in debits:
        try:
            judge(limit, Usage(held, 0), debit)
        except act.Refused as refusal:
            assert held + debit > cap
            assert refusal.facts["left_minor"] == cap - held
            continue
        held += debit
        assert held <= cap


@given(st.integers(1, MINOR_LIMIT - 1), st.data())
def test_held_and_captured_count_alike(cap: int, data: st.DataObject) -> None:
    used = data.draw(st.integers(0, cap))
    held = data.draw(st.integers(0, used))
    debit = data.draw(st.integers(1, MINOR_LIMIT - 1) | st.sampled_from([cap - used, cap - used + 1]))
    assume(debit > 0)
    limit = Limit("total", cap, "total_limit_exceeded")
    if used + debit <= cap:
        judge(limit, Usage(held, used - held), debit)
    else:
        with pytest.raises(act.Refused):
            judge(limit, Usage(held, used - held), debit)

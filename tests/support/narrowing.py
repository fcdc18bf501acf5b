"""Strategies for links: wire values of every constraint class that are a little narrower or wider than a parent's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, TypeVar

from hypothesis import assume
from hypothesis import strategies as st

import act
from act.calendar import LATEST_INSTANT, iso, parse_iso
from act.delegation.constraints import REGISTRY, Constraint, build_constraints
from act.delegation.constraints.behavior import PriceDeviationTolerance
from act.money import MINOR_LIMIT
from tests.support.strategies import (
    amounts_in,
    currencies,
    delivery_times,
    few_names,
    item_entries,
    names,
    percentages,
    periods,
    schedules,
    staleness,
    weekdays,
    zones,
)

__all__ = ["DRAWS", "ITEMS", "TOLERANCE", "Draws", "is_narrower", "read_drawn", "refusal_of", "stated_by"]

T = TypeVar("T")

ITEMS: Final = "ext.items"
TOLERANCE: Final = "ext.agent_behavior.price_deviation_tolerance"


@dataclass(frozen=True, slots=True)
class Draws:
    """How the wire values of one constraint class are drawn, for a link and for its parent.

    The value of the price tolerance is a map of wire values by path: its own, and that of the items which it is measured from.

    `values(currency)` is any value. `near(parent, currency)` is often a little narrower than the parent's value and sometimes
    wider. `wider(parent, currency)` is always wider, and empty where nothing could be.
    """

    values: Callable[[str], st.SearchStrategy[Any]]
    near: Callable[[Any, str], st.SearchStrategy[Any]]
    wider: Callable[[Any, str], st.SearchStrategy[Any]]


def _minor(text: str, currency: str) -> int:
    return act.Amount.parse(text, currency).minor


def _texts_in(currency: str, least: int = 1, most: int = MINOR_LIMIT - 1) -> st.SearchStrategy[str]:
    """Amounts as they stand on the wire; nothing if there is none between the bounds."""
    least, most = max(least, 1), min(most, MINOR_LIMIT - 1)
    return amounts_in(currency, least, most).map(lambda amount: amount.text) if least <= most else st.nothing()


def _at_most() -> Draws:
    """An upper bound: less is narrower."""
    return Draws(
        _texts_in,
        lambda parent, currency: _texts_in(currency, 1, _minor(parent, currency) + 1),
        lambda parent, currency: _texts_in(currency, least=_minor(parent, currency) + 1),
    )


def _at_least() -> Draws:
    """A lower bound: more is narrower."""
    return Draws(
        _texts_in,
        lambda parent, currency: _texts_in(currency, least=_minor(parent, currency) - 1),
        lambda parent, currency: _texts_in(currency, 1, _minor(parent, currency) - 1),
    )


def _lists() -> st.SearchStrategy[list[str]]:
    return st.lists(few_names | names, min_size=1, max_size=5, unique=True)


def _some_of(entries: list[T]) -> st.SearchStrategy[list[T]]:
    return st.lists(st.sampled_from(entries), min_size=1, unique=True)


def _and_more(entries: list[str]) -> st.SearchStrategy[list[str]]:
    more = st.lists(names.filter(lambda name: name not in entries), min_size=1, max_size=2, unique=True)
    return more.flatmap(lambda added: st.permutations(entries + added))


def _allowed() -> Draws:
    """A list of what is allowed: fewer entries are narrower."""
    return Draws(
        lambda currency: _lists(),
        lambda parent, currency: _some_of(parent) | st.permutations(parent) | _and_more(parent),
        lambda parent, currency: _and_more(parent),
    )


def _forbidden() -> Draws:
    """A list of what is forbidden: more entries are narrower."""
    return Draws(
        lambda currency: _lists(),
        lambda parent, currency: _and_more(parent) | st.permutations(parent) | _some_of(parent),
        lambda parent, currency: (
            _some_of(parent).filter(lambda some: len(some) < len(parent))
            if parent[1:]
            else _lists().filter(lambda other: parent[0] not in other)
        ),
    )


def _same(values: st.SearchStrategy[Any]) -> Draws:
    """One value, which a link only repeats."""
    return Draws(
        lambda currency: values,
        lambda parent, currency: st.just(parent) | values,
        lambda parent, currency: values.filter(lambda other: other != parent),
    )


@st.composite
def _windows(draw: st.DrawFn, earliest: int = 0, latest: int = LATEST_INSTANT) -> tuple[int, int]:
    start = draw(st.integers(earliest, latest - 1))
    return start, draw(st.integers(start + 1, latest))


def _wider_windows(parent: tuple[int, int]) -> st.SearchStrategy[tuple[int, int]]:
    start, end = parent
    earlier = st.integers(0, start - 1) if start > 0 else st.nothing()
    later = st.integers(end + 1, LATEST_INSTANT) if end < LATEST_INSTANT else st.nothing()
    return st.tuples(earlier, st.just(end)) | st.tuples(st.just(start), later) | st.tuples(earlier, later)


def _whole(least: int, most: int) -> st.SearchStrategy[int]:
    return st.integers(least, most) if least <= most else st.nothing()


# --- periods ----------------------------------------------------------------------------------------------------------------

_MOST_TIMES: Final = 10**9
_MOST_SLIDING: Final = 366 * 86_400
_CALENDAR: Final = ("period_unit", "period_count", "time_zone", "anchor")


def _quotas(currency: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    small = periods(currency, most=60, most_times=6)
    return st.lists(small | periods(currency), min_size=1, max_size=3)


@st.composite
def _near_quota(draw: st.DrawFn, written: dict[str, Any], currency: str) -> dict[str, Any]:
    near = dict(written)
    for name in ("max_amount", "period_times", "sliding_seconds", "period_count"):
        if name not in near or draw(st.booleans()):
            continue
        shift = draw(st.sampled_from([-1, 0, 0, 1]))
        if name == "max_amount":
            minor = min(max(_minor(near[name], currency) + shift, 1), MINOR_LIMIT - 1)
            near[name] = act.Amount(minor, currency).text
        else:
            most = {"period_times": _MOST_TIMES, "sliding_seconds": _MOST_SLIDING, "period_count": 400}[name]
            near[name] = min(max(near[name] + shift, 1), most)
    if "max_amount" in near and "period_times" in near and draw(st.integers(0, 5)) == 0:
        del near[draw(st.sampled_from(["max_amount", "period_times"]))]
    return near


@st.composite
def _near_quotas(draw: st.DrawFn, parent: list[dict[str, Any]], currency: str) -> list[dict[str, Any]]:
    """Each of the parent's, changed a little or not at all, and at times one more."""
    child = [draw(_near_quota(each, currency)) for each in parent]
    child += draw(st.lists(periods(currency, most=40), max_size=1))
    return draw(st.permutations(child[:8]))


def _counts_as_much(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether one period counts every payment that the other counts."""
    if "sliding_seconds" in one and "sliding_seconds" in other:
        return bool(one["sliding_seconds"] >= other["sliding_seconds"])
    return [one.get(name) for name in _CALENDAR] == [other.get(name) for name in _CALENDAR] != [None] * 4


@st.composite
def _wider_quotas(draw: st.DrawFn, parent: list[dict[str, Any]], currency: str) -> list[dict[str, Any]]:
    """One cap of the parent's is kept by nobody: all that count what it counts allow more, or count less."""
    held = draw(st.sampled_from(parent))
    name = draw(st.sampled_from([name for name in ("max_amount", "period_times") if name in held]))
    cap = _minor(held[name], currency) if name == "max_amount" else held[name]
    most = MINOR_LIMIT - 1 if name == "max_amount" else _MOST_TIMES
    shifted = date(2001, 2, 3) if held.get("anchor") != "2001-02-03" else date(2001, 2, 4)
    elsewhere = held | ({"anchor": shifted.isoformat()} if "anchor" in held else {"sliding_seconds": 1})
    if draw(st.booleans()) and held.get("sliding_seconds") != 1:
        return [elsewhere]
    assume(cap < most)
    wide = []
    for each in parent:
        if name in each and _counts_as_much(each, held):
            own = _minor(each[name], currency) if name == "max_amount" else each[name]
            raised = max(own, draw(st.integers(cap + 1, most) | st.just(cap + 1)))
            wide.append(each | {name: act.Amount(raised, currency).text if name == "max_amount" else raised})
        else:
            wide.append(each)
    return draw(st.permutations(wide))


# --- the week ---------------------------------------------------------------------------------------------------------------


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _minutes(stretch: str) -> tuple[int, int]:
    start, end = (int(each[:2]) * 60 + int(each[3:]) for each in stretch.split("-"))
    return start, end


@st.composite
def _near_schedules(draw: st.DrawFn, parent: dict[str, Any]) -> dict[str, Any]:
    """In the parent's zone: some of its days, and its times, some left out, some shorter, at times a minute longer."""
    near: dict[str, Any] = {"time_zone": parent["time_zone"]}
    if "weekdays" in parent:
        near["weekdays"] = draw(_some_of(parent["weekdays"]) | _some_of(parent["weekdays"]) | weekdays)
    elif draw(st.booleans()):
        near["weekdays"] = draw(weekdays)
    stretches = [_minutes(each) for each in parent.get("hours", ["00:00-24:00"])]
    if "hours" in parent or "weekdays" not in near or draw(st.booleans()):
        hours, before = [], 0
        for start, end in sorted(draw(_some_of(stretches))):
            first = max(start + draw(st.sampled_from([-1, 0, 0, 0, 1, 30])), before)
            last = min(end + draw(st.sampled_from([-30, -1, 0, 0, 0, 1])), 1_440)
            if first < last:
                hours.append(f"{_clock(first)}-{_clock(last)}")
                before = last
        near |= {"hours": hours} if hours else {"hours": [f"{_clock(stretches[0][0])}-{_clock(stretches[0][1])}"]}
    return near


@st.composite
def _wider_schedules(draw: st.DrawFn, parent: dict[str, Any]) -> dict[str, Any]:
    """In another zone, on a day or at a time that the parent has not."""
    ways = [parent | {"time_zone": draw(zones.filter(lambda zone: zone != parent["time_zone"]))}]
    missing = [day for day in ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN") if day not in parent.get("weekdays", [day])]
    if missing:
        ways.append(parent | {"weekdays": [*parent["weekdays"], draw(st.sampled_from(missing))]})
    if sum(end - start for start, end in map(_minutes, parent.get("hours", ["00:00-24:00"]))) < 1_440:
        ways.append(parent | {"hours": ["00:00-24:00"]})
    return draw(st.sampled_from(ways))


# --- items and their prices -------------------------------------------------------------------------------------------------

_SELECTORS: Final = ("sku", "category", "name")
_PRICES: Final = ("max_unit_amount", "confirmed_unit_amount")


def _entries(currency: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Any entries, or a few with few values, so that those of a link and its parent and an order's lines meet."""
    few_prices = st.integers(1, 4).map(lambda minor: act.Amount(minor, currency).text)
    caps = {"max_quantity": st.integers(1, 4), "max_unit_amount": few_prices, "confirmed_unit_amount": few_prices}
    entry = st.fixed_dictionaries({"sku": few_names}, optional={"category": few_names} | caps)
    entry |= st.fixed_dictionaries({"category": few_names}, optional=caps)
    few = st.lists(entry, min_size=1, max_size=2)
    return few | few | item_entries(currency)


@st.composite
def _near_entry(draw: st.DrawFn, written: dict[str, Any], currency: str) -> dict[str, Any]:
    """The same items or some of them, with caps that are mostly as low or a little lower."""
    near = dict(written)
    for name in _SELECTORS:
        if name not in near and draw(st.integers(0, 3)) == 0:
            near[name] = draw(few_names)
    for name in (*_PRICES, "max_quantity"):
        kind = draw(st.sampled_from(["keep", "keep", "keep", "shift", "drop", "any"]))
        if kind == "drop":
            near.pop(name, None)
        elif kind == "shift" and name in near:
            shift = draw(st.sampled_from([-1, -1, 1]))
            if name == "max_quantity":
                near[name] = max(near[name] + shift, 1) if near[name] < 10**6 else 10**6
            else:
                near[name] = act.Amount(min(max(_minor(near[name], currency) + shift, 1), MINOR_LIMIT - 1), currency).text
        elif kind == "any":
            near[name] = draw(st.integers(1, 5)) if name == "max_quantity" else draw(_texts_in(currency, 1, 300))
    return near


@st.composite
def _divided(draw: st.DrawFn, entry: dict[str, Any]) -> list[dict[str, Any]]:
    """Two kinds of an entry's items, whose quantities together are as many as the entry's, or one more."""
    name = draw(st.sampled_from([name for name in _SELECTORS if name not in entry]))
    part = draw(st.integers(1, entry["max_quantity"] - 1))
    rest = min(entry["max_quantity"] - part + draw(st.sampled_from([0, 1])), 1_000_000)
    return [entry | {name: "tea", "max_quantity": part}, entry | {name: "cup", "max_quantity": rest}]


@st.composite
def _near_entries(draw: st.DrawFn, parent: list[dict[str, Any]], currency: str) -> list[dict[str, Any]]:
    divisible = [each for each in parent if each.get("max_quantity", 1) > 1 and each.keys() & set(_SELECTORS) < set(_SELECTORS)]
    if divisible and draw(st.integers(0, 2)) == 0:
        return draw(_divided(draw(st.sampled_from(divisible))))
    chosen = draw(st.just(parent) | st.lists(st.sampled_from(parent), min_size=1, max_size=3))
    return [draw(_near_entry(each, currency)) for each in chosen]


@st.composite
def _wider_entries(draw: st.DrawFn, parent: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One item that the parent has not, or one without the parent's cap."""
    stranger = next(name for name in "abcdefgh" if all(each.get("sku") != name for each in parent))
    ways = [[*parent, {"sku": stranger}]]
    for each in parent:
        if each.keys() & {"max_quantity", "max_unit_amount"}:
            ways.append([{name: each[name] for name in _SELECTORS if name in each}])
    return draw(st.sampled_from(ways))


def _priced(of: st.SearchStrategy[list[dict[str, Any]]], percent: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    """Items of which at least one has a confirmed price, and the tolerance that is measured from it."""
    items = of.filter(lambda entries: any("confirmed_unit_amount" in entry for entry in entries))
    return st.builds(lambda entries, text: {ITEMS: entries, TOLERANCE: text}, items, percent)


_few_percentages: Final = st.sampled_from(["0", "25", "50", "100"])


@st.composite
def _near_tolerances(draw: st.DrawFn, parent: dict[str, Any], currency: str) -> dict[str, Any]:
    own = st.just(parent[TOLERANCE])
    entries = st.just(parent[ITEMS]) | _near_entries(parent[ITEMS], currency)
    near: dict[str, Any] = draw(_priced(entries, own | _few_percentages | percentages))
    return near


@st.composite
def _wider_tolerances(draw: st.DrawFn, parent: dict[str, Any], currency: str) -> dict[str, Any]:
    """An entry's price is confirmed one minor unit above what the parent lets it cost."""
    entry = draw(st.sampled_from([each for each in parent[ITEMS] if "confirmed_unit_amount" in each]))
    constraint = read_drawn(TOLERANCE, parent, currency)
    assert isinstance(constraint, PriceDeviationTolerance)
    minor = _minor(entry["confirmed_unit_amount"], currency)
    most = minor + minor * constraint.percent_hundredths // 10_000 + 1
    assume(most < MINOR_LIMIT)
    confirmed = {"confirmed_unit_amount": act.Amount(most, currency).text}
    return {ITEMS: [{name: entry[name] for name in _SELECTORS if name in entry} | confirmed], TOLERANCE: "0"}


# --- delivery and status ----------------------------------------------------------------------------------------------------

_SECONDS_IN: Final = {"S": 1, "M": 60, "H": 3_600, "D": 86_400}
_MOST_SECONDS: Final = 999_999_999


def _within_seconds(text: str) -> int | None:
    """Of a duration; None for an instant."""
    return int(text.strip("PTSMHD")) * _SECONDS_IN[text[-1]] if text.startswith("P") else None


def _delivery_times(least: int, most: int, of: str) -> st.SearchStrategy[str]:
    """Of the kind of `of`, between two numbers of seconds."""
    if of.startswith("P"):
        return _whole(max(least, 1), min(most, _MOST_SECONDS)).map(lambda seconds: f"PT{seconds}S")
    return _whole(max(least, 0), min(most, LATEST_INSTANT)).map(iso)


def _near_delivery(parent: str) -> st.SearchStrategy[str]:
    seconds = _within_seconds(parent)
    latest = parse_iso(parent) if seconds is None else seconds
    near = _delivery_times(latest - 2, latest + 1, parent)
    return st.just(parent) | near | _delivery_times(0, latest, parent) | delivery_times


def _wider_delivery(parent: str) -> st.SearchStrategy[str]:
    seconds = _within_seconds(parent)
    latest = parse_iso(parent) if seconds is None else seconds
    return _delivery_times(latest + 1, LATEST_INSTANT, parent)


@st.composite
def _near_staleness(draw: st.DrawFn, parent: list[dict[str, Any]], currency: str) -> list[dict[str, Any]]:
    """The parent's steps, each at times a little fresher or lower; what is no longer a row of steps is left out."""
    near: list[dict[str, Any]] = []
    for each in parent:
        step = dict(each)
        step["seconds"] = max(step["seconds"] + draw(st.sampled_from([0, 0, -1, 1])), 0)
        if "above_amount" in step:
            minor = _minor(step["above_amount"], currency) + draw(st.sampled_from([0, 0, -1, 1]))
            step["above_amount"] = act.Amount(min(max(minor, 1), MINOR_LIMIT - 1), currency).text
        if not near or (step["seconds"] < near[-1]["seconds"] and _above(step, currency) > _above(near[-1], currency)):
            near.append(step)
    return near


def _above(step: dict[str, Any], currency: str) -> int:
    return _minor(step["above_amount"], currency) if "above_amount" in step else 0


DRAWS: Final[Mapping[str, Draws]] = {
    "validity": Draws(
        lambda currency: _windows(),
        lambda parent, currency: (
            st.just(parent) | _windows(*parent) | _windows(max(parent[0] - 1, 0), min(parent[1] + 1, LATEST_INSTANT))
        ),
        lambda parent, currency: _wider_windows(parent),
    ),
    "delegation_mode": _same(st.sampled_from(["SPECIFIED", "BOUNDED"])),
    "currency": _same(currencies),
    "ext.commerce.max_single_amount": _at_most(),
    "ext.commerce.min_single_amount": _at_least(),
    "allowed_payment_methods": _allowed(),
    "ext.step_up.above_amount": _at_most(),
    "max_total_amount": _at_most(),
    "ext.quota.times_limit": Draws(
        lambda currency: st.integers(1, 6) | st.integers(1, _MOST_TIMES),
        lambda parent, currency: st.integers(1, min(parent + 1, _MOST_TIMES)),
        lambda parent, currency: _whole(parent + 1, _MOST_TIMES),
    ),
    "ext.quota.refund_restores": _same(st.booleans()),
    "ext.quota.periods": Draws(_quotas, _near_quotas, _wider_quotas),
    "ext.commerce.allowed_merchants": _allowed(),
    "ext.commerce.forbidden_merchants": _forbidden(),
    "ext.commerce.allowed_categories": _allowed(),
    "ext.commerce.forbidden_categories": _forbidden(),
    ITEMS: Draws(_entries, _near_entries, lambda parent, currency: _wider_entries(parent)),
    TOLERANCE: Draws(
        lambda currency: _priced(_entries(currency), _few_percentages | percentages), _near_tolerances, _wider_tolerances
    ),
    "ext.fulfillment.delivery_time_requirement": Draws(
        lambda currency: delivery_times | st.integers(1, _MOST_SECONDS).map(lambda seconds: f"PT{seconds}S"),
        lambda parent, currency: _near_delivery(parent),
        lambda parent, currency: _wider_delivery(parent),
    ),
    "ext.fulfillment.delivery_address": _same(
        st.sampled_from([bytes(32), bytes(range(32))]) | st.binary(min_size=32, max_size=32)
    ),
    "ext.schedule": Draws(
        lambda currency: schedules(),
        lambda parent, currency: _near_schedules(parent),
        lambda parent, currency: _wider_schedules(parent),
    ),
    "ext.agent_behavior.price_deviation_action": _same(st.sampled_from(["PAUSE_AND_NOTIFY", "AUTO_CANCEL"])),
    "ext.agent_behavior.on_payment_failure": _same(st.sampled_from(["AUTO_RETRY", "CANCEL"])),
    "ext.agent_behavior.max_retry_count": _same(st.integers(0, 100)),
    "ext.delegation.max_depth": Draws(
        lambda currency: st.integers(1, 8),
        lambda parent, currency: st.integers(1, parent),
        lambda parent, currency: st.integers(parent, 8),
    ),
    "ext.status.max_staleness": Draws(
        staleness,
        _near_staleness,
        lambda parent, currency: st.integers(parent[0]["seconds"] + 1, 31_536_000).map(lambda seconds: [{"seconds": seconds}]),
    ),
    "ext.status.on_revoke": _same(st.sampled_from(["honor", "void"])),
}
"""Every constraint of the registry by path; `tests/property/test_narrowing.py` fails for one that is missing here."""


def read_drawn(path: str, value: Any, currency: str) -> Constraint:
    """The constraint that a drawn value states."""
    if path != TOLERANCE:
        return REGISTRY[path].read(value, currency)
    every = build_constraints({"validity": (0, 1), "currency": currency} | value)
    return next(each for each in every if each.path == path)


def stated_by(constraint: Constraint) -> Any:
    """The value that `read_drawn` takes back."""
    if not isinstance(constraint, PriceDeviationTolerance):
        return constraint.encode()
    return {ITEMS: [entry.encode() for entry in constraint.entries], TOLERANCE: constraint.encode()}


def refusal_of(child: Constraint, parent: Constraint) -> act.Refused | None:
    """What `child` is refused for below `parent`."""
    try:
        child.narrows(parent)
    except act.Refused as refusal:
        return refusal
    return None


def is_narrower(child: Constraint, parent: Constraint | None) -> bool:
    """Whether a link may state `child` below `parent`, or where nobody above states anything like it."""
    return refusal_of(child, parent) is None if parent is not None else child.rule != "ACT-CHN-09"

"""Generators for links: wire values of every constraint class that are a little narrower or wider than a parent's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from hypothesis import assume, reject

import act
from act.calendar import LATEST_INSTANT, iso, parse_iso
from act.delegation.constraints import REGISTRY, Constraint, build_constraints
from act.delegation.constraints.behavior import PriceDeviationTolerance
from act.money import MINOR_LIMIT
from tests.support.choices import Choices
from tests.support.strategies import (
    amount_text,
    currency_of,
    delivery_time,
    few_name,
    item_entries,
    name_list,
    percentage,
    period,
    schedule,
    staleness,
    weekdays,
    zone_of,
)

__all__ = ["DRAWS", "ITEMS", "TOLERANCE", "Draws", "is_narrower", "read_drawn", "refusal_of", "stated_by"]

ITEMS: Final = "ext.items"
TOLERANCE: Final = "ext.agent_behavior.price_deviation_tolerance"


@dataclass(frozen=True, slots=True)
class Draws:
    """How the wire values of one constraint class are drawn, for a link and for its parent.

    The value of the price tolerance is a map of wire values by path: its own, and that of the items which it is measured from.

    `values(choices, currency)` is any value. `near(choices, parent, currency)` is often a little narrower than the parent's
    value and sometimes wider. `wider(choices, parent, currency)` is always wider, and no example where nothing could be.
    """

    values: Callable[[Choices, str], Any]
    near: Callable[[Choices, Any, str], Any]
    wider: Callable[[Choices, Any, str], Any]


def _minor(text: str, currency: str) -> int:
    return act.Amount.parse(text, currency).minor


def _whole(choices: Choices, least: int, most: int) -> int:
    return choices.whole(least, most) if least <= most else reject()


def _at_most() -> Draws:
    """An upper bound: less is narrower."""
    return Draws(
        amount_text,
        lambda choices, parent, currency: amount_text(choices, currency, 1, _minor(parent, currency) + 1),
        lambda choices, parent, currency: amount_text(choices, currency, _minor(parent, currency) + 1),
    )


def _at_least() -> Draws:
    """A lower bound: more is narrower."""
    return Draws(
        amount_text,
        lambda choices, parent, currency: amount_text(choices, currency, _minor(parent, currency) - 1),
        lambda choices, parent, currency: amount_text(choices, currency, 1, _minor(parent, currency) - 1),
    )


def _and_more(choices: Choices, entries: list[str]) -> list[str]:
    more = {name: None for _ in range(choices.whole(1, 2)) if (name := choices.name()) not in entries}
    return choices.shuffled([*entries, *more]) if more else reject()


def _near_names(choices: Choices, parent: list[str]) -> list[str]:
    way = choices.index(3)
    return choices.some(parent) if way == 0 else choices.shuffled(parent) if way == 1 else _and_more(choices, parent)


def _fewer(choices: Choices, parent: list[str]) -> list[str]:
    """Not all of what is forbidden; of one entry, what is not it."""
    if parent[1:]:
        return choices.some(parent, len(parent) - 1)
    return [name for name in name_list(choices) if name != parent[0]] or reject()


_ALLOWED: Final = Draws(
    lambda choices, currency: name_list(choices),
    lambda choices, parent, currency: _near_names(choices, parent),
    lambda choices, parent, currency: _and_more(choices, parent),
)
"""A list of what is allowed: fewer entries are narrower."""

_FORBIDDEN: Final = Draws(
    lambda choices, currency: name_list(choices),
    lambda choices, parent, currency: _near_names(choices, parent),
    lambda choices, parent, currency: _fewer(choices, parent),
)
"""A list of what is forbidden: more entries are narrower."""


def _same(value: Callable[[Choices], Any]) -> Draws:
    """One value, which a link only repeats."""

    def other(choices: Choices, parent: Any, currency: str) -> Any:
        for _ in range(3):
            if (drawn := value(choices)) != parent:
                return drawn
        return reject()

    return Draws(
        lambda choices, currency: value(choices),
        lambda choices, parent, currency: value(choices) if choices.rarely(8) else parent,
        other,
    )


def _one_of(*values: Any) -> Draws:
    return _same(lambda choices: choices.pick(values))


def _window(choices: Choices, earliest: int = 0, latest: int = LATEST_INSTANT) -> tuple[int, int]:
    start = choices.whole(earliest, latest - 1)
    return start, choices.whole(start + 1, latest)


def _near_window(choices: Choices, parent: tuple[int, int]) -> tuple[int, int]:
    match choices.index(3):
        case 0:
            return parent
        case 1:
            return _window(choices, *parent)
        case _:
            return _window(choices, max(parent[0] - 1, 0), min(parent[1] + 1, LATEST_INSTANT))


def _wider_window(choices: Choices, parent: tuple[int, int]) -> tuple[int, int]:
    start, end = parent
    way = choices.index(3)
    return (
        start if way == 1 else _whole(choices, 0, start - 1),
        end if way == 0 else _whole(choices, end + 1, LATEST_INSTANT),
    )


# --- periods ----------------------------------------------------------------------------------------------------------------

_MOST_TIMES: Final = 10**9
_MOST_SLIDING: Final = 366 * 86_400
_CALENDAR: Final = ("period_unit", "period_count", "time_zone", "anchor")


def _quotas(choices: Choices, currency: str) -> list[dict[str, Any]]:
    def one() -> dict[str, Any]:
        return period(choices, currency, most=60, most_times=6) if choices.coin() else period(choices, currency)

    return choices.several(one, 1, 3)


def _near_quota(choices: Choices, written: dict[str, Any], currency: str) -> dict[str, Any]:
    near = dict(written)
    for name in ("max_amount", "period_times", "sliding_seconds", "period_count"):
        if name not in near or choices.coin():
            continue
        shift = choices.pick((-1, 0, 0, 1))
        if name == "max_amount":
            minor = min(max(_minor(near[name], currency) + shift, 1), MINOR_LIMIT - 1)
            near[name] = act.Amount(minor, currency).text
        else:
            most = {"period_times": _MOST_TIMES, "sliding_seconds": _MOST_SLIDING, "period_count": 400}[name]
            near[name] = min(max(near[name] + shift, 1), most)
    if "max_amount" in near and "period_times" in near and choices.rarely(6):
        del near[choices.pick(("max_amount", "period_times"))]
    return near


def _near_quotas(choices: Choices, parent: list[dict[str, Any]], currency: str) -> list[dict[str, Any]]:
    """Each of the parent's, changed a little or not at all, and at times one more."""
    child = [_near_quota(choices, each, currency) for each in parent]
    child += choices.several(lambda: period(choices, currency, most=40), 0, 1)
    return choices.shuffled(child[:8])


def _counts_as_much(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether one period counts every payment that the other counts."""
    if "sliding_seconds" in one and "sliding_seconds" in other:
        return bool(one["sliding_seconds"] >= other["sliding_seconds"])
    return [one.get(name) for name in _CALENDAR] == [other.get(name) for name in _CALENDAR] != [None] * 4


def _wider_quotas(choices: Choices, parent: list[dict[str, Any]], currency: str) -> list[dict[str, Any]]:
    """One cap of the parent's is kept by nobody: all that count what it counts allow more, or count less."""
    held = choices.pick(parent)
    name = choices.pick([name for name in ("max_amount", "period_times") if name in held])
    cap = _minor(held[name], currency) if name == "max_amount" else held[name]
    most = MINOR_LIMIT - 1 if name == "max_amount" else _MOST_TIMES
    shifted = date(2001, 2, 3) if held.get("anchor") != "2001-02-03" else date(2001, 2, 4)
    elsewhere = held | ({"anchor": shifted.isoformat()} if "anchor" in held else {"sliding_seconds": 1})
    if choices.coin() and held.get("sliding_seconds") != 1:
        return [elsewhere]
    assume(cap < most)
    wide = []
    for each in parent:
        if name in each and _counts_as_much(each, held):
            own = _minor(each[name], currency) if name == "max_amount" else each[name]
            raised = max(own, choices.whole(cap + 1, most) if choices.coin() else cap + 1)
            wide.append(each | {name: act.Amount(raised, currency).text if name == "max_amount" else raised})
        else:
            wide.append(each)
    return choices.shuffled(wide)


# --- the week ---------------------------------------------------------------------------------------------------------------


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _minutes(stretch: str) -> tuple[int, int]:
    start, end = (int(each[:2]) * 60 + int(each[3:]) for each in stretch.split("-"))
    return start, end


def _near_schedule(choices: Choices, parent: dict[str, Any]) -> dict[str, Any]:
    """Mostly in the parent's zone: some of its days and times, some left out, some shorter, at times a minute longer."""
    near: dict[str, Any] = {"time_zone": zone_of(choices) if choices.rarely(8) else parent["time_zone"]}
    if "weekdays" in parent:
        near["weekdays"] = weekdays(choices) if choices.rarely(3) else choices.some(parent["weekdays"])
    elif choices.coin():
        near["weekdays"] = weekdays(choices)
    stretches = [_minutes(each) for each in parent.get("hours", ["00:00-24:00"])]
    if "hours" in parent or "weekdays" not in near or choices.coin():
        hours, before = [], 0
        for start, end in sorted(choices.some(stretches)):
            first = max(start + choices.pick((0, 0, 0, -1, 1, 30)), before)
            last = min(end + choices.pick((0, 0, 0, -1, 1, -30)), 1_440)
            if first < last:
                hours.append(f"{_clock(first)}-{_clock(last)}")
                before = last
        near |= {"hours": hours} if hours else {"hours": [f"{_clock(stretches[0][0])}-{_clock(stretches[0][1])}"]}
    return near


def _wider_schedule(choices: Choices, parent: dict[str, Any]) -> dict[str, Any]:
    """In another zone, on a day or at a time that the parent has not."""
    zone = zone_of(choices)
    ways = [parent | {"time_zone": zone}] if zone != parent["time_zone"] else []
    missing = [day for day in ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN") if day not in parent.get("weekdays", [day])]
    if missing:
        ways.append(parent | {"weekdays": [*parent["weekdays"], choices.pick(missing)]})
    if sum(end - start for start, end in map(_minutes, parent.get("hours", ["00:00-24:00"]))) < 1_440:
        ways.append(parent | {"hours": ["00:00-24:00"]})
    return choices.pick(ways) if ways else reject()


# --- items and their prices -------------------------------------------------------------------------------------------------

_SELECTORS: Final = ("sku", "category", "name")
_PRICES: Final = ("max_unit_amount", "confirmed_unit_amount")


def _entries(choices: Choices, currency: str) -> list[dict[str, Any]]:
    """Any entries, or a few with few values, so that those of a link and its parent and an order's lines meet."""
    if choices.rarely(3):
        return item_entries(choices, currency)
    return choices.several(lambda: _few_entry(choices, currency), 1, 2)


def _few_entry(choices: Choices, currency: str) -> dict[str, Any]:
    if choices.coin():
        entry: dict[str, Any] = {"category": few_name(choices)}
    else:
        entry = {"sku": few_name(choices)} | ({"category": few_name(choices)} if choices.coin() else {})
    if choices.coin():
        entry["max_quantity"] = choices.whole(1, 4)
    return entry | {name: amount_text(choices, currency, 1, 4) for name in _PRICES if choices.coin()}


_CHANGES: Final = ("keep", "keep", "keep", "shift", "drop", "any")


def _near_entry(choices: Choices, written: dict[str, Any], currency: str) -> dict[str, Any]:
    """The same items or some of them, seldom others, with caps that are mostly as low or a little lower."""
    near = dict(written)
    for name in _SELECTORS:
        if choices.rarely(12 if name in near else 4):
            near[name] = few_name(choices)
    for name in (*_PRICES, "max_quantity"):
        change = choices.pick(_CHANGES)
        if change == "drop":
            near.pop(name, None)
        elif change == "shift" and name in near:
            shift = choices.pick((-1, -1, 1))
            if name == "max_quantity":
                near[name] = max(near[name] + shift, 1) if near[name] < 10**6 else 10**6
            else:
                near[name] = act.Amount(min(max(_minor(near[name], currency) + shift, 1), MINOR_LIMIT - 1), currency).text
        elif change == "any":
            near[name] = choices.whole(1, 5) if name == "max_quantity" else amount_text(choices, currency, 1, 300)
    return near


def _divided(choices: Choices, entry: dict[str, Any]) -> list[dict[str, Any]]:
    """Two kinds of an entry's items, whose quantities together are as many as the entry's, or one more."""
    name = choices.pick([name for name in _SELECTORS if name not in entry])
    part = choices.whole(1, entry["max_quantity"] - 1)
    rest = min(entry["max_quantity"] - part + choices.index(2), 1_000_000)
    return [entry | {name: "tea", "max_quantity": part}, entry | {name: "cup", "max_quantity": rest}]


def _near_entries(choices: Choices, parent: list[dict[str, Any]], currency: str) -> list[dict[str, Any]]:
    divisible = [each for each in parent if each.get("max_quantity", 1) > 1 and each.keys() & set(_SELECTORS) < set(_SELECTORS)]
    if divisible and choices.rarely(3):
        return _divided(choices, choices.pick(divisible))
    chosen = choices.several(lambda: choices.pick(parent), 1, 3) if choices.coin() else parent
    return [_near_entry(choices, each, currency) for each in chosen]


def _wider_entries(choices: Choices, parent: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One item that the parent has not, or one without the parent's cap."""
    stranger = next(name for name in "abcdefgh" if all(each.get("sku") != name for each in parent))
    ways = [[*parent, {"sku": stranger}]]
    for each in parent:
        if each.keys() & {"max_quantity", "max_unit_amount"}:
            ways.append([{name: each[name] for name in _SELECTORS if name in each}])
    return choices.pick(ways)


def _is_priced(entries: Sequence[Mapping[str, Any]]) -> bool:
    return any("confirmed_unit_amount" in entry for entry in entries)


def _few_percentage(choices: Choices) -> str:
    return choices.pick(("0", "25", "50", "100"))


def _tolerance(choices: Choices, currency: str) -> dict[str, Any]:
    """Items of which at least one has a confirmed price, and the tolerance that is measured from it."""
    entries = _entries(choices, currency)
    if not _is_priced(entries):
        choices.pick(entries)["confirmed_unit_amount"] = amount_text(choices, currency, 1, 4)
    return {ITEMS: entries, TOLERANCE: percentage(choices) if choices.coin() else _few_percentage(choices)}


def _near_tolerance(choices: Choices, parent: dict[str, Any], currency: str) -> dict[str, Any]:
    entries = _near_entries(choices, parent[ITEMS], currency) if choices.coin() else parent[ITEMS]
    if not _is_priced(entries):
        entries = parent[ITEMS]
    match choices.index(3):
        case 0:
            percent = parent[TOLERANCE]
        case 1:
            percent = _few_percentage(choices)
        case _:
            percent = percentage(choices)
    return {ITEMS: entries, TOLERANCE: percent}


def _wider_tolerance(choices: Choices, parent: dict[str, Any], currency: str) -> dict[str, Any]:
    """An entry's price is confirmed one minor unit above what the parent lets it cost."""
    entry = choices.pick([each for each in parent[ITEMS] if "confirmed_unit_amount" in each])
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


def _delivery(choices: Choices, least: int, most: int, of: str) -> str:
    """Of the kind of `of`, between two numbers of seconds."""
    if of.startswith("P"):
        return f"PT{_whole(choices, max(least, 1), min(most, _MOST_SECONDS))}S"
    return iso(_whole(choices, max(least, 0), min(most, LATEST_INSTANT)))


def _near_delivery(choices: Choices, parent: str) -> str:
    seconds = _within_seconds(parent)
    latest = parse_iso(parent) if seconds is None else seconds
    match choices.index(4):
        case 0:
            return parent
        case 1:
            return _delivery(choices, latest - 2, latest + 1, parent)
        case 2:
            return _delivery(choices, 0, latest, parent)
        case _:
            return delivery_time(choices)


def _wider_delivery(choices: Choices, parent: str) -> str:
    seconds = _within_seconds(parent)
    latest = parse_iso(parent) if seconds is None else seconds
    return _delivery(choices, latest + 1, LATEST_INSTANT, parent)


def _near_staleness(choices: Choices, parent: list[dict[str, Any]], currency: str) -> list[dict[str, Any]]:
    """The parent's steps, each at times a little fresher or lower; what is no longer a row of steps is left out."""
    near: list[dict[str, Any]] = []
    for each in parent:
        step = dict(each)
        step["seconds"] = max(step["seconds"] + choices.pick((0, 0, -1, 1)), 0)
        if "above_amount" in step:
            minor = _minor(step["above_amount"], currency) + choices.pick((0, 0, -1, 1))
            step["above_amount"] = act.Amount(min(max(minor, 1), MINOR_LIMIT - 1), currency).text
        if not near or (step["seconds"] < near[-1]["seconds"] and _above(step, currency) > _above(near[-1], currency)):
            near.append(step)
    return near


def _above(step: dict[str, Any], currency: str) -> int:
    return _minor(step["above_amount"], currency) if "above_amount" in step else 0


DRAWS: Final[Mapping[str, Draws]] = {
    "validity": Draws(
        lambda choices, currency: _window(choices),
        lambda choices, parent, currency: _near_window(choices, parent),
        lambda choices, parent, currency: _wider_window(choices, parent),
    ),
    "delegation_mode": _one_of("SPECIFIED", "BOUNDED"),
    "currency": _same(currency_of),
    "ext.commerce.max_single_amount": _at_most(),
    "ext.commerce.min_single_amount": _at_least(),
    "allowed_payment_methods": _ALLOWED,
    "ext.step_up.above_amount": _at_most(),
    "max_total_amount": _at_most(),
    "ext.quota.times_limit": Draws(
        lambda choices, currency: choices.whole(1, _MOST_TIMES if choices.coin() else 6),
        lambda choices, parent, currency: choices.whole(1, min(parent + 1, _MOST_TIMES)),
        lambda choices, parent, currency: _whole(choices, parent + 1, _MOST_TIMES),
    ),
    "ext.quota.refund_restores": _one_of(False, True),
    "ext.quota.periods": Draws(_quotas, _near_quotas, _wider_quotas),
    "ext.commerce.allowed_merchants": _ALLOWED,
    "ext.commerce.forbidden_merchants": _FORBIDDEN,
    "ext.commerce.allowed_categories": _ALLOWED,
    "ext.commerce.forbidden_categories": _FORBIDDEN,
    ITEMS: Draws(_entries, _near_entries, lambda choices, parent, currency: _wider_entries(choices, parent)),
    TOLERANCE: Draws(_tolerance, _near_tolerance, _wider_tolerance),
    "ext.fulfillment.delivery_time_requirement": Draws(
        lambda choices, currency: f"PT{choices.whole(1, _MOST_SECONDS)}S" if choices.coin() else delivery_time(choices),
        lambda choices, parent, currency: _near_delivery(choices, parent),
        lambda choices, parent, currency: _wider_delivery(choices, parent),
    ),
    "ext.fulfillment.delivery_address": _same(
        lambda choices: choices.raw(32) if choices.coin() else choices.pick((bytes(32), bytes(range(32))))
    ),
    "ext.schedule": Draws(
        lambda choices, currency: schedule(choices),
        lambda choices, parent, currency: _near_schedule(choices, parent),
        lambda choices, parent, currency: _wider_schedule(choices, parent),
    ),
    "ext.agent_behavior.price_deviation_action": _one_of("PAUSE_AND_NOTIFY", "AUTO_CANCEL"),
    "ext.agent_behavior.on_payment_failure": _one_of("AUTO_RETRY", "CANCEL"),
    "ext.agent_behavior.max_retry_count": _same(lambda choices: choices.whole(0, 100)),
    "ext.delegation.max_depth": Draws(
        lambda choices, currency: choices.whole(1, 8),
        lambda choices, parent, currency: choices.whole(1, parent),
        lambda choices, parent, currency: choices.whole(parent, 8),
    ),
    "ext.status.max_staleness": Draws(
        staleness,
        _near_staleness,
        lambda choices, parent, currency: [{"seconds": choices.whole(parent[0]["seconds"] + 1, 31_536_000)}],
    ),
    "ext.status.on_revoke": _one_of("honor", "void"),
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

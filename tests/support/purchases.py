"""Generators of what constraints judge: purchases that they might just permit or just refuse, and past payments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Final, TypeVar

import act
from act.calendar import LATEST_INSTANT, local_seconds
from act.delegation.constraints import Constraint, DelegationMode, Periods, Schedule, Validity
from act.delegation.constraints.behavior import PriceDeviationTolerance
from act.delegation.constraints.fulfillment import DeliveryAddress, DeliveryTimeRequirement
from act.delegation.constraints.items import ItemEntry, Items
from act.delegation.constraints.scope import (
    AllowedCategories,
    AllowedMerchants,
    AllowedPaymentMethods,
    ForbiddenCategories,
    ForbiddenMerchants,
)
from act.delegation.limits import Limit, Unit
from act.delegation.purchase import Purchase
from act.money import MINOR_LIMIT
from tests.support.choices import Choices
from tests.support.strategies import amount_size, few_name

__all__ = ["Payment", "fits", "history", "permits", "purchase_for", "purchase_near", "refusing"]

T = TypeVar("T")

Payment = tuple[int, int]
"""An amount in minor units, and when."""


def permits(every: Constraint | Iterable[Constraint], purchase: Purchase) -> bool:
    """Whether a constraint, or all of several, permit a purchase."""
    for each in every if isinstance(every, Iterable) else (every,):
        try:
            each.permits(purchase)
        except act.Refused:
            return False
    return True


# --- what was paid before ---------------------------------------------------------------------------------------------------

_PAUSES: Final = [0, 1, 1_800, 43_200, 86_400, 20 * 86_400]


def history(choices: Choices) -> list[Payment]:
    """Payments in order of time, some of them in the same second, others weeks apart."""
    at = choices.whole(0, 10**9)
    paid = []
    for _ in range(choices.whole(1, 12)):
        minor = choices.whole(1, 45)
        at += choices.pick(_PAUSES)
        paid.append((minor, at))
    return paid


def fits(limits: Iterable[Limit], history: Sequence[Payment], minor: int) -> bool:
    """Whether a payment fits into every limit after this history: counted from the list, with nothing of the ledger's."""
    for each in limits:
        if each.window is not None:
            counted = [past for past, when in history if each.window.start <= when < each.window.end]
        else:
            counted = [past for past, when in history if each.since is None or when > each.since]
        used = sum(counted) if each.unit is Unit.AMOUNT else len(counted)
        if used + (minor if each.unit is Unit.AMOUNT else 1) > each.cap:
            return False
    return True


# --- purchases --------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Edges:
    """What constraints speak of: the values at which one of them may change its mind."""

    payees: list[str]
    categories: list[str]
    methods: list[str]
    minors: list[int]
    prices: list[int]
    entries: list[ItemEntry]
    lists: list[tuple[ItemEntry, ...]]
    instants: list[int]
    schedules: list[Schedule]
    modes: list[str]
    deliveries: list[DeliveryTimeRequirement]
    addresses: list[bytes]


def _edges_of(every: Sequence[Constraint]) -> _Edges:
    edges = _Edges([], [], [], [], [], [], [], [], [], [], [], [])
    for each in every:
        if isinstance(each, Items | PriceDeviationTolerance):
            edges.entries += each.entries
            edges.lists += [each.entries[:3]] if each.entries else []
            stated = [price for entry in each.entries for price in (entry.max_unit_amount, entry.confirmed_unit_amount)]
            if isinstance(each, PriceDeviationTolerance):
                stated += [each.ceiling(entry) for entry in each.entries]
            edges.prices += [price.minor for price in stated if price is not None]
        elif isinstance(each, Periods):
            edges.minors += [quota.max_amount.minor for quota in each.quotas if quota.max_amount is not None]
        elif isinstance(each, Validity):
            edges.instants += [each.start - 10, each.start, each.end]
        elif isinstance(each, Schedule):
            edges.schedules.append(each)
        elif isinstance(each, DelegationMode):
            edges.modes.append(each.scenario)
        elif isinstance(each, DeliveryTimeRequirement):
            edges.deliveries.append(each)
        elif isinstance(each, DeliveryAddress):
            edges.addresses.append(each.digest)
        elif hasattr(each, "amount"):
            edges.minors.append(each.amount.minor)
        else:
            edges.payees += each.entries if isinstance(each, AllowedMerchants | ForbiddenMerchants) else ()
            edges.categories += each.entries if isinstance(each, AllowedCategories | ForbiddenCategories) else ()
            edges.methods += each.entries if isinstance(each, AllowedPaymentMethods) else ()
    return edges


def _around(minors: list[int]) -> list[int]:
    return [minor + shift for minor in minors for shift in (-1, 0, 1) if 0 < minor + shift < MINOR_LIMIT]


def _word(choices: Choices, some: list[str]) -> str:
    """One of these, one of a few, or any."""
    match choices.index(4):
        case 0 if some:
            return choices.pick(some)
        case 3:
            return choices.name()
        case _:
            return few_name(choices)


def _instant(choices: Choices, edges: _Edges) -> int:
    """At the ends of a window, at the ends of a day's hours, or at any time."""
    if edges.instants and not choices.coin():
        at = choices.pick(edges.instants) - choices.index(2)
    else:
        at = choices.whole(0, LATEST_INSTANT)
    if edges.schedules and choices.coin():
        schedule = choices.pick(edges.schedules)
        minute = choices.pick([edge for stretch in schedule.hours or ((0, 1_440),) for edge in stretch])
        local = local_seconds(min(max(at, 0), LATEST_INSTANT), schedule.time_zone)
        at += minute * 60 - local % 86_400 - choices.index(2)
    return min(max(at, 0), LATEST_INSTANT)


def _lines(choices: Choices, edges: _Edges, currency: str) -> tuple[act.Item, ...]:
    """Lines of an order: mostly what entries name, at the prices that they speak of and around them."""
    prices = _around(edges.prices)
    is_whole = bool(edges.lists) and choices.index(3) == 0  # as many of everything as one list allows
    of = choices.pick(edges.lists) if is_whole else [None] * choices.whole(1, 3)
    lines = []
    for chosen in of:
        entry = chosen if chosen is not None else _one_or(choices, edges.entries, ItemEntry())
        sku, name, category = (
            stated
            if stated is not None
            else few_name(choices)
            if not edges.categories or choices.coin()
            else choices.pick(edges.categories)
            for stated in (entry.sku, entry.name, entry.category)
        )
        quantity = choices.whole(1, 4)
        if entry.max_quantity is not None and not choices.coin():
            quantity = min(entry.max_quantity + choices.index(2), 1_000_000)
        price = choices.pick(prices) if prices and not choices.coin() else amount_size(choices)
        if chosen is not None:
            quantity, price = entry.max_quantity or quantity, min([*edges.prices, price])
        lines.append(act.Item(sku, name, category, quantity, act.Amount(price, currency)))
    return tuple(lines)


def _one_or(choices: Choices, some: Sequence[T], other: T) -> T:
    return choices.pick(some) if some and not choices.coin() else other


def _promise(choices: Choices, edges: _Edges, ordered_at: int) -> int | None:
    """When an order promises to be delivered."""
    if edges.deliveries and choices.index(3) == 0:
        each = choices.pick(edges.deliveries)
        latest = each.until if each.until is not None else ordered_at + (each.within_seconds or 0)
        return latest + choices.pick((0, -1, 1))
    return choices.whole(0, 10**10) if choices.coin() else None


def _purchase(choices: Choices, edges: _Edges, currency: str) -> Purchase:
    lines = _lines(choices, edges, currency)
    labels = frozenset([line.category for line in lines])
    minors = _around(edges.minors)
    ordered_at = choices.whole(0, 10**9)
    address = _one_or(choices, edges.addresses, None) or choices.pick((None, None, bytes(32), bytes(range(32))))
    return Purchase(
        _word(choices, edges.payees),
        labels if choices.coin() else _labels(choices, edges, 0, 2),
        labels if choices.coin() else _labels(choices, edges, 1, 3),
        act.Amount(choices.pick(minors) if minors and choices.coin() else amount_size(choices), currency),
        _word(choices, edges.methods),
        choices.pick([*edges.modes, *edges.modes, "DEL", "AUP"]),
        _instant(choices, edges),
        lines,
        ordered_at,
        _promise(choices, edges, ordered_at),
        address,
        choices.coin(),
    )


def _labels(choices: Choices, edges: _Edges, least: int, most: int) -> frozenset[str]:
    return frozenset(choices.several(lambda: _word(choices, edges.categories), least, most))


def purchase_near(choices: Choices, every: Sequence[Constraint], currency: str) -> Purchase:
    """A purchase that constraints might just permit or just refuse: of their entries, amounts and instants, and of others."""
    return _purchase(choices, _edges_of(every), currency)


_CANDIDATES: Final = 10
_FIELDS: Final = tuple(field.name for field in fields(Purchase))


def purchase_for(choices: Choices, every: Sequence[Constraint], pleased: Sequence[Constraint], currency: str) -> Purchase:
    """A purchase near all constraints that some of them mostly permit: of several, field by field, what fewest refuse."""
    edges = _edges_of([*pleased, *every])
    best = _purchase(choices, edges, currency)
    fewest = refusing(pleased, best)
    others = [_purchase(choices, edges, currency) for _ in range(_CANDIDATES)] if fewest else []
    for name in _FIELDS:
        for other in others:
            if not fewest:
                return best
            if (value := getattr(other, name)) == getattr(best, name):
                continue
            candidate = replace(best, **{name: value})
            if (count := refusing(pleased, candidate, fewest)) < fewest:
                best, fewest = candidate, count
    return best


def refusing(every: Sequence[Constraint], purchase: Purchase, most: int | None = None) -> int:
    """How many constraints refuse a purchase; nobody asks further than `most`."""
    count = 0
    for each in every:
        if not permits(each, purchase):
            count += 1
            if count == most:
                break
    return count

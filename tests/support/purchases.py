"""What Hypothesis draws for constraints to judge: purchases that they might just permit or just refuse, and past payments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from hypothesis import strategies as st

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
from tests.support.strategies import amount_sizes, amounts_in, few_names, names

__all__ = ["Payment", "fits", "histories", "permits", "purchases_for", "purchases_near", "refusing"]

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


@st.composite
def histories(draw: st.DrawFn) -> list[Payment]:
    """Payments in order of time, some of them in the same second, others weeks apart."""
    at = draw(st.integers(0, 10**9))
    paid = []
    for minor, pause in draw(st.lists(st.tuples(st.integers(1, 45), st.sampled_from(_PAUSES)), min_size=1, max_size=12)):
        at += pause
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


def _or_any(some: list[Any], anything: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.sampled_from(some) | anything if some else anything


def _around(minors: list[int]) -> list[int]:
    return [minor + shift for minor in minors for shift in (-1, 0, 1) if 0 < minor + shift < MINOR_LIMIT]


@st.composite
def _instants(draw: st.DrawFn, edges: _Edges) -> int:
    """At the ends of a window, at the ends of a day's hours, or at any time."""
    around = [edge + shift for edge in edges.instants for shift in (-1, 0)]
    at = int(draw(_or_any(around, st.integers(0, LATEST_INSTANT))))
    moves: bool = draw(st.booleans())
    if edges.schedules and moves:
        schedule = draw(st.sampled_from(edges.schedules))
        minute = draw(st.sampled_from([edge for stretch in schedule.hours or ((0, 1_440),) for edge in stretch]))
        local = local_seconds(min(max(at, 0), LATEST_INSTANT), schedule.time_zone)
        at += minute * 60 - local % 86_400 + draw(st.sampled_from([-1, 0]))
    return min(max(at, 0), LATEST_INSTANT)


@st.composite
def _lines(draw: st.DrawFn, edges: _Edges, currency: str) -> tuple[act.Item, ...]:
    """Lines of an order: mostly what entries name, at the prices that they speak of and around them."""
    prices = _or_any(_around(edges.prices), amount_sizes)
    is_whole = bool(edges.lists) and draw(st.integers(0, 2)) == 0  # as many of everything as one list allows
    of = draw(st.sampled_from(edges.lists)) if is_whole else [None] * draw(st.integers(1, 3))
    lines = []
    for chosen in of:
        entry = chosen if chosen is not None else draw(_or_any(edges.entries, st.just(ItemEntry())))
        sku, name, category = (
            stated if stated is not None else draw(_or_any(edges.categories, few_names))
            for stated in (entry.sku, entry.name, entry.category)
        )
        most = [entry.max_quantity + shift for shift in (0, 1)] if entry.max_quantity is not None else []
        quantity = min(draw(_or_any(most, st.integers(1, 4))), 1_000_000)
        price = draw(prices)
        if chosen is not None:
            quantity, price = entry.max_quantity or quantity, min([*edges.prices, price])
        lines.append(act.Item(sku, name, category, quantity, act.Amount(price, currency)))
    return tuple(lines)


@st.composite
def _promises(draw: st.DrawFn, edges: _Edges, ordered_at: int) -> int | None:
    """When an order promises to be delivered."""
    latest = [each.until if each.until is not None else ordered_at + (each.within_seconds or 0) for each in edges.deliveries]
    around = [each + shift for each in latest for shift in (-1, 0, 1)]
    promised: int | None = draw(_or_any(around, st.none() | st.integers(0, 10**10)))
    return promised


@st.composite
def purchases_near(draw: st.DrawFn, every: Sequence[Constraint], currency: str) -> Purchase:
    """Purchases that constraints might just permit or just refuse: of their entries, amounts and instants, and of others."""
    edges = _edges_of(every)
    categories = _or_any(edges.categories, few_names) | few_names | names
    lines = draw(_lines(edges, currency))
    amounts = _or_any([act.Amount(minor, currency) for minor in _around(edges.minors)], amounts_in(currency))
    ordered_at = draw(st.integers(0, 10**9))
    labels = frozenset([line.category for line in lines])
    return Purchase(
        draw(_or_any(edges.payees, few_names) | few_names | names),
        draw(st.just(labels) | st.frozensets(categories, max_size=2)),
        draw(st.just(labels) | st.frozensets(categories, min_size=1, max_size=3)),
        draw(amounts),
        draw(_or_any(edges.methods, few_names) | few_names | names),
        draw(st.sampled_from([*edges.modes, *edges.modes, "DEL", "AUP"])),
        draw(_instants(edges)),
        lines,
        ordered_at,
        draw(_promises(edges, ordered_at)),
        draw(_or_any(edges.addresses, st.none() | st.sampled_from([bytes(32), bytes(range(32))]))),
        draw(st.booleans()),
    )


@st.composite
def purchases_for(draw: st.DrawFn, every: Sequence[Constraint], pleased: Sequence[Constraint], currency: str) -> Purchase:
    """Purchases near all of the constraints that some of them mostly permit: of several, field by field, what fewest refuse."""
    near = purchases_near([*pleased, *every], currency)
    best, *others = (draw(near) for _ in range(4))
    fewest = refusing(pleased, best)
    for field in fields(Purchase):
        for other in others:
            if not fewest:
                return best
            candidate = replace(best, **{field.name: getattr(other, field.name)})
            if (count := refusing(pleased, candidate)) < fewest:
                best, fewest = candidate, count
    return best


def refusing(every: Sequence[Constraint], purchase: Purchase) -> int:
    """How many constraints refuse a purchase."""
    return sum(not permits(each, purchase) for each in every)

"""Strategies for links: wire values of every constraint class that are a little narrower or wider than a parent's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from hypothesis import strategies as st

import act
from act.calendar import LATEST_INSTANT
from act.delegation.constraints import Constraint, DelegationMode, Validity
from act.delegation.purchase import Purchase
from act.money import MINOR_LIMIT
from tests.support.strategies import amounts_in, currencies, names

__all__ = ["DRAWS", "Draws", "purchases_for", "purchases_near"]


@dataclass(frozen=True, slots=True)
class Draws:
    """How the wire values of one constraint class are drawn, for a link and for its parent.

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
    return st.lists(names, min_size=1, max_size=5, unique=True)


def _some_of(entries: list[str]) -> st.SearchStrategy[list[str]]:
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


def _same(values: st.SearchStrategy[str]) -> Draws:
    """One word, which a link only repeats."""
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


DRAWS: Final[Mapping[str, Draws]] = {
    "validity": Draws(
        lambda currency: _windows(),
        lambda parent, currency: _windows(*parent) | _windows(max(parent[0] - 1, 0), min(parent[1] + 1, LATEST_INSTANT)),
        lambda parent, currency: _wider_windows(parent),
    ),
    "delegation_mode": _same(st.sampled_from(["SPECIFIED", "BOUNDED"])),
    "currency": _same(currencies),
    "ext.commerce.max_single_amount": _at_most(),
    "ext.commerce.min_single_amount": _at_least(),
    "allowed_payment_methods": _allowed(),
    "max_total_amount": _at_most(),
    "ext.commerce.allowed_merchants": _allowed(),
    "ext.commerce.forbidden_merchants": _forbidden(),
    "ext.commerce.allowed_categories": _allowed(),
    "ext.commerce.forbidden_categories": _forbidden(),
    "ext.delegation.max_depth": Draws(
        lambda currency: st.integers(1, 8),
        lambda parent, currency: st.integers(1, parent),
        lambda parent, currency: st.integers(parent, 8),
    ),
}
"""Every constraint of the registry by path; `tests/property/test_chain.py` fails for one that is missing here."""


@st.composite
def purchases_near(draw: st.DrawFn, every: Sequence[Constraint], currency: str) -> Purchase:
    """Purchases that constraints might just permit or just refuse: of their entries, amounts and instants, and of others."""
    listed = st.sampled_from([entry for each in every for entry in getattr(each, "entries", ())] or ["tea"]) | names
    edges = [each.amount.minor + shift for each in every if hasattr(each, "amount") for shift in (-1, 0, 1)]
    amounts = [act.Amount(minor, currency) for minor in edges if 0 < minor < MINOR_LIMIT]
    windows = [each for each in every if isinstance(each, Validity)]
    instants = [edge + shift for each in windows for edge in (each.start - 10, each.start, each.end) for shift in (-1, 0)]
    modes = [each.scenario for each in every if isinstance(each, DelegationMode)]
    return Purchase(
        draw(listed),
        draw(st.frozensets(listed, max_size=3)),
        draw(st.frozensets(listed, min_size=1, max_size=3)),
        draw((st.sampled_from(amounts) if amounts else st.nothing()) | amounts_in(currency)),
        draw(listed),
        draw(st.sampled_from([*modes, *modes, "DEL", "AUP"])),
        draw((st.sampled_from(instants) if instants else st.nothing()) | st.integers(0, LATEST_INSTANT)),
    )


@st.composite
def purchases_for(draw: st.DrawFn, every: Sequence[Constraint], pleased: Sequence[Constraint], currency: str) -> Purchase:
    """Purchases near all of the constraints that some of them mostly permit: of several, field by field, what fewest refuse."""
    best, *others = draw(st.lists(purchases_near([*pleased, *every], currency), min_size=6, max_size=6))
    for field in fields(Purchase):
        for other in others:
            candidate = replace(best, **{field.name: getattr(other, field.name)})
            if _refusing(pleased, candidate) < _refusing(pleased, best):
                best = candidate
    return best


def _refusing(every: Sequence[Constraint], purchase: Purchase) -> int:
    count = 0
    for each in every:
        try:
            each.permits(purchase)
        except act.Refused:
            count += 1
    return count

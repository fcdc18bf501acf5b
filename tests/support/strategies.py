"""What Hypothesis draws: plain values, and claims, orders and mandates that are right."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

import act
from act.calendar import LATEST_INSTANT
from act.delegation.constraints import REGISTRY, Constraint
from act.iso4217 import EXPONENTS
from act.money import MINOR_LIMIT

__all__ = ["amounts_in", "cbor_values", "constraints", "currencies", "json_values", "names", "orders"]

_integers: Final = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, 1, -1, 2**31, 2**63 - 1, LATEST_INSTANT + 1])
_scalars: Final = _integers | st.text(max_size=20) | st.binary(max_size=40) | st.booleans()

cbor_values: Final[st.SearchStrategy[Any]] = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_integers | st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
"""Any value that CBOR carries here."""

json_values: Final[st.SearchStrategy[Any]] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
"""Any value that JSON carries."""

names: Final = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=40).filter(str.isprintable)
"""Identifiers and labels."""

currencies: Final = st.sampled_from(sorted(EXPONENTS))


def amounts_in(currency: str, least: int = 1, most: int = MINOR_LIMIT - 1) -> st.SearchStrategy[act.Amount]:
    """Amounts of one currency, from `least` to `most` minor units."""
    return st.builds(act.Amount, st.integers(least, most), st.just(currency))


@st.composite
def constraints(draw: st.DrawFn, most: int = MINOR_LIMIT - 1) -> tuple[Constraint, ...]:
    """Constraints of one mandate: the mandatory ones always, the others sometimes; none contradicts another.

    Amounts are at most `most` minor units.
    """
    currency = draw(currencies)
    start = draw(st.integers(0, LATEST_INSTANT - 1))
    ladder = sorted(draw(st.lists(st.integers(1, most), min_size=3, max_size=3)))
    lists = st.lists(names, min_size=1, max_size=5, unique=True)
    wire: dict[str, Any] = {
        "validity": (start, draw(st.integers(start + 1, LATEST_INSTANT))),
        "delegation_mode": draw(st.sampled_from(["SPECIFIED", "BOUNDED"])),
        "currency": currency,
        "max_total_amount": act.Amount(ladder[2], currency).text,
    }
    optional: dict[str, st.SearchStrategy[Any]] = {
        "ext.commerce.max_single_amount": st.just(act.Amount(ladder[1], currency).text),
        "ext.commerce.min_single_amount": st.just(act.Amount(ladder[0], currency).text),
        "allowed_payment_methods": lists,
        "ext.commerce.allowed_merchants": lists,
        "ext.commerce.forbidden_merchants": lists,
        "ext.commerce.allowed_categories": lists,
        "ext.commerce.forbidden_categories": lists,
    }
    wire |= {path: draw(values) for path, values in optional.items() if draw(st.booleans())}
    return tuple(kind.read(wire[path], currency) for path, kind in REGISTRY.items() if path in wire)


@st.composite
def orders(draw: st.DrawFn) -> act.Order:
    """Orders that add up."""
    currency = draw(currencies)
    items = tuple(
        act.Item(draw(names), draw(names), draw(names), draw(st.integers(1, 1_000)), draw(amounts_in(currency, most=10**12)))
        for _ in range(draw(st.integers(1, 4)))
    )
    amount = act.Amount(sum(item.quantity * item.unit_amount.minor for item in items), currency)
    return act.Order(draw(names), draw(names), draw(names), draw(names), items, amount, draw(st.integers(1, LATEST_INSTANT)))

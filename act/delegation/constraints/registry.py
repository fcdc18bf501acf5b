"""The closed registry: which constraints there are, and how a mandate's are read together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from act.delegation.constraints.amounts import AboveAmount, AmountBound, MaxSingleAmount, MaxTotalAmount, MinSingleAmount
from act.delegation.constraints.base import Constraint
from act.delegation.constraints.behavior import (
    MaxRetryCount,
    OnPaymentFailure,
    PriceDeviationAction,
    PriceDeviationTolerance,
    measured_tolerance,
    require_consistent_behavior,
)
from act.delegation.constraints.fulfillment import DeliveryAddress, DeliveryTimeRequirement
from act.delegation.constraints.items import Items
from act.delegation.constraints.oversight import MaxDepth, MaxStaleness, OnRevoke
from act.delegation.constraints.quota import Periods, RefundRestores, TimesLimit
from act.delegation.constraints.schedule import Schedule
from act.delegation.constraints.scope import (
    AllowedCategories,
    AllowedMerchants,
    AllowedPaymentMethods,
    ForbiddenCategories,
    ForbiddenMerchants,
)
from act.delegation.constraints.terms import SPECIFIED, Currency, DelegationMode, Validity
from act.errors import Refused
from act.iso4217 import EXPONENTS

__all__ = ["DEFAULT_MODE", "REGISTRY", "build_constraints", "require_purpose", "rules_of"]

DEFAULT_MODE: Final = SPECIFIED
"""ADD-IAC-ISS: delegation_mode is optional and SPECIFIED when absent."""

_CONSTRAINTS: Final[tuple[type[Constraint], ...]] = (
    Validity,
    DelegationMode,
    Currency,
    MaxSingleAmount,
    MinSingleAmount,
    AllowedPaymentMethods,
    AboveAmount,
    MaxTotalAmount,
    TimesLimit,
    RefundRestores,
    Periods,
    AllowedMerchants,
    ForbiddenMerchants,
    AllowedCategories,
    ForbiddenCategories,
    Items,
    PriceDeviationTolerance,
    DeliveryTimeRequirement,
    DeliveryAddress,
    Schedule,
    PriceDeviationAction,
    OnPaymentFailure,
    MaxRetryCount,
    MaxDepth,
    MaxStaleness,
    OnRevoke,
)

REGISTRY: Final[Mapping[str, type[Constraint]]] = MappingProxyType({kind.path: kind for kind in _CONSTRAINTS})
"""Path -> constraint, in the order of judgement. What is not here is not known, and a mandate that carries it is refused."""

_FURTHER_RULES: Final = {
    "validity": ("ACT-PAY-14",),
    "ext.items": ("ACT-CON-20", "ACT-CON-21"),
}

_GOALS: Final = ("ext.commerce.allowed_merchants", "ext.items")
_BOUNDS: Final = frozenset({
    *_GOALS, "ext.commerce.max_single_amount", "ext.commerce.forbidden_merchants", "ext.commerce.allowed_categories",
    "ext.commerce.forbidden_categories", "ext.quota.times_limit", "ext.quota.periods", "ext.schedule",
})  # fmt: skip

_LADDER: Final = (MinSingleAmount.path, MaxSingleAmount.path, MaxTotalAmount.path)
_FEW: Final = 8  # a link states a few: to sort them is quicker than to ask for every constraint there is
_READERS: Final = {path: kind.read for path, kind in REGISTRY.items()}
_ORDER: Final = {path: place for place, path in enumerate(REGISTRY)}
_ITEMS, _TOLERANCE = Items.path, PriceDeviationTolerance.path

_MAX_KNOWN: Final = 4_096
_MAX_KNOWN_TEXT: Final = 32
_known: dict[tuple[str, str | int, str], Constraint] = {}
"""Constraints that are one short text or one number, by path, value and currency: an amount, a choice, a count. Mandates and
links repeat them, and what a value means depends on nothing else. Never a boolean: it would be found as the number
it equals."""


def build_constraints(raw: Mapping[str, Any]) -> tuple[Constraint, ...]:
    """Constraints from wire values by path, checked one by one and against each other (ACT-CON-12). Refusals name the path."""
    currency = raw["currency"]
    if type(currency) is not str or currency not in EXPONENTS:
        try:
            Currency.read(currency, "")
        except Refused as refusal:
            raise refusal.within("currency") from None
    constraints: dict[str, Constraint] = {}
    path = ""
    try:
        for path in _READERS if len(raw) > _FEW else sorted(raw, key=_ORDER.__getitem__):
            if path in raw:
                value = raw[path]
                kind = type(value)
                known = _known.get((path, value, currency)) if kind is str or kind is int else None
                constraints[path] = known or _read(path, value, currency)
    except Refused as refusal:
        raise refusal.within(path) from None
    _require_consistent(constraints)
    if _ITEMS in constraints or _TOLERANCE in constraints:
        tolerance = measured_tolerance(constraints.get(_ITEMS), constraints.get(_TOLERANCE))
        if tolerance is not None:
            is_stated = _TOLERANCE in constraints
            constraints[_TOLERANCE] = tolerance
            if not is_stated:
                return tuple([constraints[path] for path in REGISTRY if path in constraints])
    return tuple(constraints.values())


def _read(path: str, value: Any, currency: str) -> Constraint:
    """One constraint; those that are a short text or a number are remembered."""
    constraint = _READERS[path](value, currency)
    if type(value) is int or (type(value) is str and len(value) <= _MAX_KNOWN_TEXT):
        if len(_known) >= _MAX_KNOWN:
            _known.clear()
        _known[path, value, currency] = constraint
    return constraint


def rules_of(path: str) -> tuple[str, ...]:
    """The ids of every rule that a constraint of the registry stands for, its own `rule` first."""
    return (REGISTRY[path].rule, *_FURTHER_RULES.get(path, ()))


def require_purpose(mode: str, constraints: Iterable[Constraint]) -> None:
    """Rules ACT-IAC-02 and -03: SPECIFIED names its payees or items, BOUNDED has a bound beside its total and window.

    A mandate is asked, not a link, whose parents bound it. Raises `Refused` goal_missing or bounds_missing at delegation_mode.
    """
    sought = _GOALS if mode == SPECIFIED else _BOUNDS
    for constraint in constraints:
        if constraint.path in sought:
            return
    raise Refused("goal_missing" if mode == SPECIFIED else "bounds_missing", "delegation_mode")


def _require_consistent(constraints: Mapping[str, Constraint]) -> None:
    """ADD-INT-ICS: min_single_amount <= max_single_amount <= max_total_amount; no retries after CANCEL."""
    lower: AmountBound | None = None
    for path in _LADDER:
        if path in constraints:
            bound: object = constraints[path]
            if isinstance(bound, AmountBound):
                if lower is not None and lower.amount.minor > bound.amount.minor:
                    raise Refused("constraint_conflict", lower.path, above=bound.path)
                lower = bound
    if MaxRetryCount.path in constraints:
        require_consistent_behavior(constraints)

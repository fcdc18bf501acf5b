"""The closed registry: which constraints there are, and how a mandate's are read together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from act.delegation.constraints.amounts import AboveAmount, MaxSingleAmount, MaxTotalAmount, MinSingleAmount
from act.delegation.constraints.base import Constraint
from act.delegation.constraints.behavior import (
    MaxRetryCount,
    OnPaymentFailure,
    PriceDeviationAction,
    PriceDeviationTolerance,
    require_consistent_behavior,
    with_confirmed_prices,
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
_KINDS: Final = dict(REGISTRY)
_ORDER: Final = {path: place for place, path in enumerate(REGISTRY)}


def build_constraints(raw: Mapping[str, Any]) -> tuple[Constraint, ...]:
    """Constraints from wire values by path, checked one by one and against each other (ACT-CON-12). Refusals name the path."""
    try:
        currency = Currency.read(raw["currency"], "").code
    except Refused as refusal:
        raise refusal.within("currency") from None
    constraints: dict[str, Constraint] = {}
    path = ""
    try:
        for path in _KINDS if len(raw) > _FEW else sorted(raw, key=_ORDER.__getitem__):
            if path in raw:
                constraints[path] = _KINDS[path].read(raw[path], currency)
    except Refused as refusal:
        raise refusal.within(path) from None
    _require_consistent(constraints)
    if Items.path in constraints or PriceDeviationTolerance.path in constraints:
        measured = with_confirmed_prices(constraints)
        return tuple([measured[path] for path in REGISTRY if path in measured])
    return tuple(constraints.values())


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
    lower: MinSingleAmount | MaxSingleAmount | MaxTotalAmount | None = None
    for path in _LADDER:
        bound = constraints.get(path)
        if not isinstance(bound, MinSingleAmount | MaxSingleAmount | MaxTotalAmount):
            continue
        if lower is not None and lower.amount.minor > bound.amount.minor:
            raise Refused("constraint_conflict", lower.path, above=bound.path)
        lower = bound
    require_consistent_behavior(constraints)

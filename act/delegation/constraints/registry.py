"""The closed registry: which constraints there are, and how a mandate's are read together."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Final

from act.delegation.constraints.amounts import MaxSingleAmount, MaxTotalAmount, MinSingleAmount
from act.delegation.constraints.base import Constraint
from act.delegation.constraints.delegation import MaxDepth
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

__all__ = ["DEFAULT_MODE", "REGISTRY", "build_constraints"]

DEFAULT_MODE: Final = SPECIFIED
"""ADD-IAC-ISS: delegation_mode is optional and SPECIFIED when absent."""

_CONSTRAINTS: Final[tuple[type[Constraint], ...]] = (
    Validity,
    DelegationMode,
    Currency,
    MaxSingleAmount,
    MinSingleAmount,
    AllowedPaymentMethods,
    MaxTotalAmount,
    TimesLimit,
    RefundRestores,
    Periods,
    AllowedMerchants,
    ForbiddenMerchants,
    AllowedCategories,
    ForbiddenCategories,
    Schedule,
    MaxDepth,
)

REGISTRY: Final[Mapping[str, type[Constraint]]] = MappingProxyType({kind.path: kind for kind in _CONSTRAINTS})
"""Path -> constraint, in the order of judgement. What is not here is not known, and a mandate that carries it is refused."""

_LADDER: Final = (MinSingleAmount, MaxSingleAmount, MaxTotalAmount)


def build_constraints(raw: Mapping[str, Any]) -> tuple[Constraint, ...]:
    """Constraints from wire values by path, checked one by one and against each other (ACT-CON-12). Refusals name the path."""
    try:
        currency = Currency.read(raw["currency"], "").code
    except Refused as refusal:
        raise refusal.within("currency") from None
    constraints: dict[str, Constraint] = {}
    path = ""
    try:
        for path, kind in REGISTRY.items():
            if path in raw:
                constraints[path] = kind.read(raw[path], currency)
    except Refused as refusal:
        raise refusal.within(path) from None
    _require_consistent(constraints)
    return tuple(constraints.values())


def _require_consistent(constraints: Mapping[str, Constraint]) -> None:
    """ADD-INT-ICS: min_single_amount <= max_single_amount <= max_total_amount."""
    ladder = [bound for kind in _LADDER if isinstance(bound := constraints.get(kind.path), kind)]
    for lower, upper in pairwise(ladder):
        if lower.amount.minor > upper.amount.minor:
            raise Refused("constraint_conflict", lower.path, above=upper.path)

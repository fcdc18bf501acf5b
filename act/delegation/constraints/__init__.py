"""The closed registry of constraints. A payment is allowed only if every constraint of its mandate permits it.

The order is the order of judgement and of reporting: window, mode, money, then semantics (PSD-PAY-DEL).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from act.delegation.constraints.amounts import MaxSingleAmount, MaxTotalAmount, MinSingleAmount
from act.delegation.constraints.base import Constraint, Enforcer, Language
from act.delegation.constraints.scope import (
    AllowedCategories,
    AllowedMerchants,
    AllowedPaymentMethods,
    ForbiddenCategories,
    ForbiddenMerchants,
)
from act.delegation.constraints.terms import BOUNDED, SPECIFIED, Currency, DelegationMode, Validity

__all__ = [
    "BOUNDED",
    "REGISTRY",
    "SPECIFIED",
    "Constraint",
    "Currency",
    "DelegationMode",
    "Enforcer",
    "Language",
    "MaxSingleAmount",
    "MaxTotalAmount",
    "MinSingleAmount",
    "Validity",
]

_CONSTRAINTS: Final[tuple[type[Constraint], ...]] = (
    Validity,
    DelegationMode,
    Currency,
    MaxSingleAmount,
    MinSingleAmount,
    AllowedPaymentMethods,
    MaxTotalAmount,
    AllowedMerchants,
    ForbiddenMerchants,
    AllowedCategories,
    ForbiddenCategories,
)

REGISTRY: Final[Mapping[str, type[Constraint]]] = MappingProxyType({kind.path: kind for kind in _CONSTRAINTS})
"""Path -> constraint, in the order of judgement. What is not here is not known, and a mandate that carries it is refused."""

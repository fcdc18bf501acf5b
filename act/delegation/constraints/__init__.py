"""Constraints: a payment is allowed only if every constraint of its mandate permits it.

The registry's order is the order of judgement and of reporting: window, mode, money, then semantics (PSD-PAY-DEL).
"""

from act.delegation.constraints.amounts import MaxSingleAmount, MaxTotalAmount, MinSingleAmount
from act.delegation.constraints.base import Constraint, Enforcer, Language
from act.delegation.constraints.delegation import MaxDepth
from act.delegation.constraints.quota import Periods
from act.delegation.constraints.registry import DEFAULT_MODE, REGISTRY, build_constraints
from act.delegation.constraints.schedule import Schedule
from act.delegation.constraints.terms import BOUNDED, SPECIFIED, Currency, DelegationMode, Validity

__all__ = [
    "BOUNDED",
    "DEFAULT_MODE",
    "REGISTRY",
    "SPECIFIED",
    "Constraint",
    "Currency",
    "DelegationMode",
    "Enforcer",
    "Language",
    "MaxDepth",
    "MaxSingleAmount",
    "MaxTotalAmount",
    "MinSingleAmount",
    "Periods",
    "Schedule",
    "Validity",
    "build_constraints",
]

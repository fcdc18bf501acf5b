"""Constraints: a payment is allowed only if every constraint of its mandate permits it.

The registry's order is the order of judgement and of reporting: window, mode, money, then semantics (PSD-PAY-DEL).
"""

from act.delegation.constraints.amounts import AboveAmount, MaxSingleAmount, MaxTotalAmount, MinSingleAmount
from act.delegation.constraints.base import Constraint, Enforcer, Language
from act.delegation.constraints.behavior import PriceDeviationTolerance
from act.delegation.constraints.fulfillment import DeliveryAddress, DeliveryTimeRequirement, address_digest
from act.delegation.constraints.items import ItemEntry, Items
from act.delegation.constraints.oversight import HONOR, MAX_DEPTH, VOID, MaxDepth, MaxStaleness, OnRevoke
from act.delegation.constraints.quota import Periods, RefundRestores
from act.delegation.constraints.registry import DEFAULT_MODE, REGISTRY, build_constraints, require_purpose, rules_of
from act.delegation.constraints.schedule import Schedule
from act.delegation.constraints.terms import BOUNDED, SPECIFIED, Currency, DelegationMode, Validity

__all__ = [
    "BOUNDED",
    "DEFAULT_MODE",
    "HONOR",
    "MAX_DEPTH",
    "REGISTRY",
    "SPECIFIED",
    "VOID",
    "AboveAmount",
    "Constraint",
    "Currency",
    "DelegationMode",
    "DeliveryAddress",
    "DeliveryTimeRequirement",
    "Enforcer",
    "ItemEntry",
    "Items",
    "Language",
    "MaxDepth",
    "MaxSingleAmount",
    "MaxStaleness",
    "MaxTotalAmount",
    "MinSingleAmount",
    "OnRevoke",
    "Periods",
    "PriceDeviationTolerance",
    "RefundRestores",
    "Schedule",
    "Validity",
    "address_digest",
    "build_constraints",
    "require_purpose",
    "rules_of",
]

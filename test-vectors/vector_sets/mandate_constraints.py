"""Vectors of mandates: what the constraints of items, behaviour, delivery and status look like, and what they may not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from act.wire import cbor
from vector_sets.shape import Vector
from vector_sets.world import MANDATE_CLAIMS, REMOVED, header, mandate, signed

__all__ = ["vectors"]

_EVERY: Final[dict[str, Any]] = {
    "act.ext.step_up": {"above_amount": "100.00"},
    "act.ext.items": [
        {"sku": "milk-tea-large", "max_quantity": 2, "max_unit_amount": "20.00", "confirmed_unit_amount": "18.00"},
        {"category": "tea", "name": "Milk tea\u3000\u5927"},
    ],
    "act.ext.agent_behavior": {
        "price_deviation_tolerance": "2.5",
        "price_deviation_action": "PAUSE_AND_NOTIFY",
        "on_payment_failure": "AUTO_RETRY",
        "max_retry_count": 3,
    },
    "act.ext.fulfillment": {"delivery_time_requirement": "PT30M", "delivery_address": bytes(range(32))},
    "act.ext.delegation": {"max_depth": 2},
    "act.ext.status": {"max_staleness": [{"seconds": 3600}, {"seconds": 60, "above_amount": "50.00"}], "on_revoke": "void"},
}

_WRONG: Final[tuple[tuple[str, str, str, str, Any], ...]] = (
    ("items-empty", "A list that names nothing.", "claim_invalid", "ext.items", []),
    ("items-map", "Items are a list.", "claim_invalid", "ext.items", {"sku": "a"}),
    ("items-65", "At most 64 entries.", "claim_invalid", "ext.items", [{"sku": f"sku-{n}"} for n in range(65)]),
    ("items-unselective", "An entry that matches everything.", "claim_missing", "ext.items.0.sku", [{"max_quantity": 1}]),
    ("items-unknown", "A field nobody here knows.", "claim_unknown", "ext.items.1.color", [{"sku": "a"}, {"color": "red"}]),
    ("items-quantity-0", "None of it: leave it out instead.", "claim_invalid", "ext.items.0.max_quantity",
     [{"sku": "a", "max_quantity": 0}]),
    ("items-quantity-true", "true is no number.", "claim_invalid", "ext.items.0.max_quantity",
     [{"sku": "a", "max_quantity": True}]),
    ("items-price", "An amount in yuan has two decimals.", "amount_invalid", "ext.items.0.max_unit_amount",
     [{"sku": "a", "max_unit_amount": "18"}]),
    ("tolerance-number", "A percentage is a text: there are no floats.", "claim_invalid",
     "ext.agent_behavior.price_deviation_tolerance", {"price_deviation_tolerance": 5}),
    ("tolerance-101", "At most 100.", "claim_invalid", "ext.agent_behavior.price_deviation_tolerance",
     {"price_deviation_tolerance": "100.01"}),
    ("tolerance-negative", "A price may always be lower.", "claim_invalid", "ext.agent_behavior.price_deviation_tolerance",
     {"price_deviation_tolerance": "-5"}),
    ("tolerance-three-decimals", "At most two decimals.", "claim_invalid", "ext.agent_behavior.price_deviation_tolerance",
     {"price_deviation_tolerance": "2.125"}),
    ("tolerance-trailing-zero", "One value has one form: 2.5.", "claim_invalid",
     "ext.agent_behavior.price_deviation_tolerance", {"price_deviation_tolerance": "2.50"}),
    ("tolerance-baseless", "A tolerance without a confirmed price has nothing to be measured from.", "constraint_conflict",
     "ext.agent_behavior.price_deviation_tolerance", {"price_deviation_tolerance": "5"}),
    ("action-unknown", "A word ACT does not have.", "claim_invalid", "ext.agent_behavior.price_deviation_action",
     {"price_deviation_action": "ASK"}),
    ("failure-lower", "ACT's words are compared byte for byte.", "claim_invalid", "ext.agent_behavior.on_payment_failure",
     {"on_payment_failure": "cancel"}),
    ("retries-101", "At most 100.", "claim_invalid", "ext.agent_behavior.max_retry_count", {"max_retry_count": 101}),
    ("retries-after-cancel", "Who gives up does not try again.", "constraint_conflict", "ext.agent_behavior.max_retry_count",
     {"on_payment_failure": "CANCEL", "max_retry_count": 1}),
    ("delivery-weeks", "A duration in a unit that is not listed.", "claim_invalid",
     "ext.fulfillment.delivery_time_requirement", {"delivery_time_requirement": "P1W"}),
    ("delivery-month", "A month has no length.", "claim_invalid", "ext.fulfillment.delivery_time_requirement",
     {"delivery_time_requirement": "P1M"}),
    ("delivery-zero", "At once is not a time to deliver in.", "claim_invalid", "ext.fulfillment.delivery_time_requirement",
     {"delivery_time_requirement": "PT0S"}),
    ("delivery-no-date", "A day that does not exist.", "claim_invalid", "ext.fulfillment.delivery_time_requirement",
     {"delivery_time_requirement": "2026-02-30T00:00:00Z"}),
    ("address-clear", "An address in clear: the mandate travels, and the address must not.", "claim_invalid",
     "ext.fulfillment.delivery_address", {"delivery_address": "1 Lake Road"}),
    ("address-31", "A digest is 32 bytes.", "claim_invalid", "ext.fulfillment.delivery_address",
     {"delivery_address": bytes(31)}),
    ("step-up-zero", "An amount is positive.", "amount_invalid", "ext.step_up.above_amount", {"above_amount": "0.00"}),
    ("depth-0", "No sub-agents: leave it out instead.", "claim_invalid", "ext.delegation.max_depth", {"max_depth": 0}),
    ("depth-9", "At most 8.", "claim_invalid", "ext.delegation.max_depth", {"max_depth": 9}),
    ("staleness-first-above", "The first step is for all payments.", "claim_invalid",
     "ext.status.max_staleness.0.above_amount", {"max_staleness": [{"seconds": 1, "above_amount": "1.00"}]}),
    ("staleness-second-all", "Every further step says from where on.", "claim_missing",
     "ext.status.max_staleness.1.above_amount", {"max_staleness": [{"seconds": 2}, {"seconds": 1}]}),
    ("staleness-amounts-equal", "Steps rise.", "claim_invalid", "ext.status.max_staleness.2.above_amount",
     {"max_staleness": [{"seconds": 3}, {"seconds": 2, "above_amount": "1.00"}, {"seconds": 1, "above_amount": "1.00"}]}),
    ("staleness-seconds-equal", "More money, fresher status.", "claim_invalid", "ext.status.max_staleness.1.seconds",
     {"max_staleness": [{"seconds": 2}, {"seconds": 2, "above_amount": "1.00"}]}),
    ("staleness-year", "At most a year.", "claim_invalid", "ext.status.max_staleness.0.seconds",
     {"max_staleness": [{"seconds": 31_536_001}]}),
    ("staleness-steps-9", "At most 8 steps.", "claim_invalid", "ext.status.max_staleness",
     {"max_staleness": [{"seconds": 9}, *({"seconds": 9 - n, "above_amount": f"{n}.00"} for n in range(1, 9))]}),
    ("times-0", "No payment at all: then there is nothing to mint.", "claim_invalid", "ext.quota.times_limit",
     {"times_limit": 0}),
    ("times-too-many", "At most 1,000,000,000.", "claim_invalid", "ext.quota.times_limit", {"times_limit": 1_000_000_001}),
    ("times-text", "A count is a number.", "claim_invalid", "ext.quota.times_limit", {"times_limit": "3"}),
    ("refunds-number", "1 equals true in some languages.", "claim_invalid", "ext.quota.refund_restores",
     {"refund_restores": 1}),
    ("hours-25", "At most 24 stretches of a day.", "claim_invalid", "ext.schedule.hours",
     {"time_zone": "UTC", "hours": [f"{n // 2:02d}:{n % 2 * 30:02d}-{n // 2:02d}:{n % 2 * 30 + 29:02d}" for n in range(25)]}),
    ("on-revoke-keep", "A word the profile does not have.", "claim_invalid", "ext.status.on_revoke", {"on_revoke": "keep"}),
)  # fmt: skip


_MOST: Final[dict[str, Any]] = {
    "act.ext.quota": {
        "times_limit": 1_000_000_000,
        "periods": [{"sliding_seconds": 31_622_400 - n, "period_times": 1_000_000_000} for n in range(8)],
    },
    "act.ext.items": [{"sku": "milk-tea-large", "max_quantity": 1_000_000, "confirmed_unit_amount": "18.00"}],
    "act.ext.agent_behavior": {"price_deviation_tolerance": "100", "max_retry_count": 100},
    "act.ext.fulfillment": {"delivery_time_requirement": "P999999999D"},
    "act.ext.schedule": {"time_zone": "UTC", "hours": [f"{n:02d}:00-{n + 1:02d}:00" for n in range(24)]},
    "act.ext.delegation": {"max_depth": 8},
    "act.ext.status": {
        "max_staleness": [
            {"seconds": 31_536_000},
            *({"seconds": 7 - n, "above_amount": f"{n}.00"} for n in range(1, 8)),
        ],
    },
}
"""Every number as high, and every list as long, as it may be."""


def vectors(good: Callable[..., Vector], bad: Callable[..., Vector]) -> list[Vector]:
    """The vectors, made by the makers of mandates.json."""
    entries = [{"sku": f"sku-{n}", "max_quantity": 1_000_000} for n in range(64)]
    every = ["ACT-CON-11", "ACT-CON-12", "ACT-CON-13", "ACT-IAC-03", "ACT-ENV-08"]
    made = [
        good("every-block", "Every constraint that is no ACT commerce field.", every, mandate(_EVERY)),
        good("most", "Every number as high, and every list as long, as it may be.", ["ACT-ENV-07"], mandate(_MOST)),
        good("items-64", "The most entries, each of the most items.", ["ACT-ENV-07"], mandate({"act.ext.items": entries}),
             shown=False),
        good("goal-items", "SPECIFIED with its items.", ["ACT-IAC-02"],
             mandate({"act.delegation_mode": "SPECIFIED", "act.ext": {"items": [{"sku": "milk-tea-large"}]}}), shown=False),
        good("lifetime-400-days", "The longest life that is allowed unless a payment service says otherwise.", ["ACT-IAC-04"],
             mandate({"exp": MANDATE_CLAIMS["nbf"] + 400 * 86_400}), shown=False),
        bad("lifetime-400-days-plus-1", "A second longer.", "credential_lifetime_too_long", "mandate.validity_end_time",
            mandate({"exp": MANDATE_CLAIMS["nbf"] + 400 * 86_400 + 1})),
        bad("goal-missing", "SPECIFIED for anything at all.", "goal_missing", "mandate.act.delegation_mode",
            mandate({"act.delegation_mode": REMOVED, "act.ext": {}})),
        bad("bounds-missing", "BOUNDED by nothing but total and window.", "bounds_missing", "mandate.act.delegation_mode",
            mandate({"act.ext": {}})),
        bad("field-null", "A limit that is null: some would read it as no limit.", "claim_null",
            "mandate.act.ext.commerce.max_single_amount", _with_null()),
    ]  # fmt: skip
    for name, why, code, where, value in _WRONG:
        block = ".".join(where.split(".")[:2])
        made.append(bad(f"wrong-{name}", why, code, f"mandate.act.{where}", mandate({f"act.{block}": value})))
    return made


def _with_null() -> bytes:
    """A signed mandate with a null where an amount was: no encoder of this library writes one."""
    data = mandate({"act.ext.commerce": {"max_single_amount": "30.00"}})
    payload = cbor.decode_sign1(data)[1]
    return signed(cbor.encode(header("wallet")), payload.replace(b"e30.00", b"\xf6"), "wallet")

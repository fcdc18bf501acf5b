"""Vectors of payments under the constraints of items, prices, delivery, confirmation and the mandate itself, at their edges."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final

from act.calendar import iso
from vector_sets.payment_rules import SPECIFIED, edge
from vector_sets.shape import Vector
from vector_sets.world import NOW, ORDER_CLAIMS, REMOVED, item, mandate, order, paid, priced

__all__ = ["behavior", "deliveries", "items", "lifetimes", "prices", "purposes", "step_up"]

_TEA, _STRAW = item("milk-tea-large", "tea", 1, "18.00"), item("straw", "tea", 3, "0.50")
_ITEMS: Final = "ext.items"


def _bought(*lines: dict[str, Any], amount: str) -> bytes:
    return order({"act.items": list(lines), "act.amount": amount})


def _under(entries: Sequence[dict[str, Any]], bought: bytes, **ext: Any) -> bytes:
    return paid(mandate({"act.ext.items": list(entries)} | {f"act.ext.{block}": value for block, value in ext.items()}), bought)


def items() -> list[Vector]:
    """Which items, how many, at which price."""
    both = _bought(_TEA, _STRAW, amount="19.50")
    other, many = ("item_not_allowed", _ITEMS), ("item_quantity_exceeded", _ITEMS)
    dear = ("item_price_exceeded", _ITEMS)
    sku, label, name = {"sku": "milk-tea-large"}, {"category": "tea"}, {"name": "milk tea large"}
    three = _bought(item("milk-tea-large", "tea", 2, "9.00"), item("milk-tea-small", "tea", 1, "6.00"), amount="24.00")
    return [
        edge("items-sku", "The one item that is named.", "ACT-CON-19", None, _under([sku], order())),
        edge("items-name", "By its name, byte for byte.", "ACT-CON-19", None, _under([name], order())),
        edge("items-label", "By the shop's label: both lines have it.", "ACT-CON-19", None, _under([label], both)),
        edge("items-two-entries", "Each item needs one entry that matches it.", "ACT-CON-19", None,
             _under([sku, {"sku": "straw"}], both)),
        edge("items-one-more", "The straw is not named.", "ACT-CON-19", other, _under([sku], both)),
        edge("items-every-selector", "An entry matches when everything it states is so.", "ACT-CON-19", other,
             _under([sku | {"category": "coffee"}], order())),
        edge("items-no-pattern", "Entries are literal.", "ACT-CON-19", other, _under([{"sku": "milk-tea-*"}], order())),
        edge("items-case", "And compared byte for byte.", "ACT-CON-19", other, _under([{"name": "Milk tea large"}], order())),
        edge("items-quantity-3", "Three of the label, on two lines together: exactly its most.", "ACT-CON-20", None,
             _under([label | {"max_quantity": 3}], three)),
        edge("items-quantity-2", "The lines count together: three is one too many.", "ACT-CON-20", many,
             _under([label | {"max_quantity": 2}], three)),
        edge("items-quantity-overlap", "Two entries match, and each holds: the narrower one refuses.", "ACT-CON-20", many,
             _under([label | {"max_quantity": 9}, sku | {"max_quantity": 1}], three)),
        edge("items-price-18.00", "Exactly the most that one may cost.", "ACT-CON-21", None,
             _under([sku | {"max_unit_amount": "18.00"}], order())),
        edge("items-price-17.99", "A fen more than one may cost.", "ACT-CON-21", dear,
             _under([sku | {"max_unit_amount": "17.99"}], order())),
        edge("items-price-overlap", "Every entry that matches judges the price.", "ACT-CON-21", dear,
             _under([sku | {"max_unit_amount": "99.00"}, label | {"max_unit_amount": "17.99"}], order())),
    ]  # fmt: skip


def prices() -> list[Vector]:
    """The tolerance, measured from the price the principal confirmed."""
    tolerance = "ext.agent_behavior.price_deviation_tolerance"
    risen = ("price_deviation_exceeded", tolerance)

    def priced_at(amount: str, confirmed: str, percent: str | None) -> bytes:
        behavior = {} if percent is None else {"agent_behavior": {"price_deviation_tolerance": percent}}
        return _under([{"sku": "milk-tea-large", "confirmed_unit_amount": confirmed}], order(priced(amount)), **behavior)

    return [
        edge("price-18.90", "18.00 and 5 percent: exactly the most.", "ACT-CON-22", None, priced_at("18.90", "18.00", "5")),
        edge("price-18.91", "A fen above 18.00 and 5 percent.", "ACT-CON-22", risen, priced_at("18.91", "18.00", "5")),
        edge("price-floor-10.23", "2.25 percent of 10.01 are 22.5 fen, of which 22 count.", "ACT-CON-22", None,
             priced_at("10.23", "10.01", "2.25")),
        edge("price-floor-10.24", "The half fen is dropped, never rounded up.", "ACT-CON-22", risen,
             priced_at("10.24", "10.01", "2.25")),
        edge("price-lower", "A lower price is no deviation.", "ACT-CON-22", None, priced_at("1.00", "18.00", "0")),
        edge("price-unstated-18.00", "Without a tolerance it is 0: the confirmed price itself.", "ACT-CON-22", None,
             priced_at("18.00", "18.00", None)),
        edge("price-unstated-18.01", "Without a tolerance it is 0: a fen is too much.", "ACT-CON-22", risen,
             priced_at("18.01", "18.00", None)),
        edge("price-100-percent", "The largest tolerance doubles a price.", "ACT-CON-22", None,
             priced_at("36.00", "18.00", "100")),
    ]  # fmt: skip


def behavior() -> list[Vector]:
    """What binds the agent permits every payment."""
    whole = {
        "price_deviation_action": "PAUSE_AND_NOTIFY", "on_payment_failure": "AUTO_RETRY", "max_retry_count": 100,
    }  # fmt: skip
    standing = {
        "act.ext.delegation": {"max_depth": 8},
        "act.ext.status": {"max_staleness": [{"seconds": 3600}, {"seconds": 0, "above_amount": "17.99"}], "on_revoke": "void"},
    }
    return [
        edge("behavior", "How the agent behaves is not the payment service's to judge.", "ACT-CON-12", None,
             paid(mandate({"act.ext.agent_behavior": whole}), order())),
        edge("standing", "What is said of the mandate itself permits every payment of its own agent.", "ACT-PAY-16", None,
             paid(mandate(standing), order())),
    ]  # fmt: skip


def deliveries() -> list[Vector]:
    """When and where it is delivered, as far as the order promises it."""
    late = ("delivery_time_missed", "ext.fulfillment.delivery_time_requirement")
    lost = ("delivery_address_mismatch", "ext.fulfillment.delivery_address")
    confirmed: int = ORDER_CLAIMS["iat"]
    here, there = (sha256(bytes(range(16)) + text).digest() for text in (b"1 Lake Road", b"2 Lake Road"))

    def timed(required: str, deliver_by: object) -> bytes:
        bound = mandate({"act.ext.fulfillment": {"delivery_time_requirement": required}})
        return paid(bound, order({} if deliver_by is None else {"act.deliver_by": deliver_by}))

    def sent(to: bytes | None) -> bytes:
        bound = mandate({"act.ext.fulfillment": {"delivery_address": here}})
        return paid(bound, order({} if to is None else {"act.delivery_address": to}))

    vectors = [
        edge(f"delivery-{name}-{word}", why, "ACT-CON-23", None if not over else late, timed(required, latest + over))
        for name, required, latest, why in (
            ("instant", iso(NOW + 7_200), NOW + 7_200, "Delivered at the instant, or before."),
            ("minutes", "PT30M", confirmed + 1_800, "Thirty minutes from the order's confirmation on, not from its payment."),
            ("seconds", "PT90S", confirmed + 90, "Ninety seconds."),
            ("hours", "PT2H", confirmed + 7_200, "Two hours."),
            ("days", "P3D", confirmed + 3 * 86_400, "Three days of 86,400 seconds."),
        )
        for word, over in (("exact", 0), ("late", 1))
    ]
    return [
        *vectors,
        edge("delivery-unpromised", "An order that promises no time.", "ACT-CON-23", late, timed("PT30M", None)),
        edge("delivery-promised", "A promise nobody required.", "ACT-CON-23", None,
             paid(mandate(), order({"act.deliver_by": NOW + 60, "act.delivery_address": there}))),
        edge("address-here", "The mandate's address.", "ACT-CON-24", None, sent(here)),
        edge("address-there", "Another address.", "ACT-CON-24", lost, sent(there)),
        edge("address-unpromised", "An order that names no address.", "ACT-CON-24", lost, sent(None)),
    ]  # fmt: skip


def step_up() -> list[Vector]:
    """Above an amount the principal has to confirm the very payment."""
    asked = ("confirmation_required", "ext.step_up.above_amount")

    def above(amount: str) -> bytes:
        return paid(mandate({"act.ext.step_up": {"above_amount": "18.00"}}), order(priced(amount)))

    return [
        edge("step-up-18.00", "Exactly the amount: not above it.", "ACT-CON-15", None, above("18.00")),
        edge("step-up-18.01", "A fen above it, and nobody confirmed.", "ACT-CON-15", asked, above("18.01")),
    ]


def purposes() -> list[Vector]:
    """SPECIFIED names its goal, BOUNDED has bounds."""
    where = "mandate.act.delegation_mode"
    none: dict[str, Any] = {"act.ext": {}}
    only_items = none | {"act.ext.items": [{"sku": "milk-tea-large"}]}
    return [
        edge("goal-payees", "A SPECIFIED mandate that names its payees.", "ACT-IAC-02", None,
             paid(mandate(SPECIFIED), order())),
        edge("goal-items", "A SPECIFIED mandate that names its items.", "ACT-IAC-02", None,
             paid(mandate(SPECIFIED | only_items), order())),
        edge("goal-missing", "A SPECIFIED mandate for anything at all.", "ACT-IAC-02", ("goal_missing", where),
             paid(mandate(SPECIFIED | none), order())),
        edge("goal-forbidden-only", "Whom not to pay is no goal.", "ACT-IAC-02", ("goal_missing", where),
             paid(mandate(SPECIFIED | none | {"act.ext.commerce": {"forbidden_merchants": ["gifts.example"]}}), order())),
        edge("goal-mode-absent", "Without delegation_mode it is SPECIFIED, and needs its goal.", "ACT-IAC-02",
             ("goal_missing", where), paid(mandate(none | {"act.delegation_mode": REMOVED}), order())),
        edge("bounds-single", "One payment's most is a bound.", "ACT-IAC-03", None,
             paid(mandate(none | {"act.ext.commerce": {"max_single_amount": "18.00"}}), order())),
        edge("bounds-missing", "A total and a window, and nothing else.", "ACT-IAC-03", ("bounds_missing", where),
             paid(mandate(none), order())),
        edge("bounds-least-only", "A least amount bounds nothing.", "ACT-IAC-03", ("bounds_missing", where),
             paid(mandate(none | {"act.ext.commerce": {"min_single_amount": "5.00"}}), order())),
        edge("bounds-standing-only", "Neither does what is said of the mandate itself.", "ACT-IAC-03",
             ("bounds_missing", where), paid(mandate(none | {"act.ext.delegation": {"max_depth": 1}}), order())),
    ]  # fmt: skip


def lifetimes() -> list[Vector]:
    """A payment service allows windows of 400 days unless it says otherwise."""
    long = ("credential_lifetime_too_long", "mandate.validity_end_time")
    start, days = NOW - 1_800, 86_400
    return [
        edge("lifetime-400-days", "Exactly the longest life.", "ACT-IAC-04", None,
             paid(mandate({"exp": start + 400 * days}), order())),
        edge("lifetime-400-days-plus-1", "A second longer.", "ACT-IAC-04", long,
             paid(mandate({"exp": start + 400 * days + 1}), order())),
        edge("lifetime-2090", "A mandate until 2090: nobody remembers it then.", "ACT-IAC-04", long,
             paid(mandate({"exp": 3_786_912_000}), order())),
    ]  # fmt: skip

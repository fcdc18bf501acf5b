"""What Hypothesis draws: plain values, and claims, orders and mandates that are right."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final, Literal
from uuid import UUID

from hypothesis import strategies as st

import act
from act.calendar import LATEST_INSTANT
from act.delegation.constraints import Constraint, build_constraints, require_purpose
from act.iso4217 import EXPONENTS
from act.money import MINOR_LIMIT
from tests.support.world import key

__all__ = [
    "ENVELOPES",
    "MAX_EXACT",
    "amount_sizes",
    "amounts_in",
    "cbor_values",
    "constraints",
    "currencies",
    "delivery_times",
    "few_names",
    "has_purpose",
    "item_entries",
    "json_values",
    "mandates",
    "names",
    "orders",
    "percentages",
    "periods",
    "private_maps",
    "purposeful",
    "schedules",
    "signers",
    "staleness",
    "uuids",
    "weekdays",
    "zones",
]

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

_FILLERS: Final = "\u115f\u1160\u3164\uffa0"  # letters of Hangul that nobody sees, and that no name may have
_seen: Final = st.characters(categories=("L", "N", "P", "S"), exclude_characters=_FILLERS)
names: Final = st.text(_seen, min_size=1, max_size=40).filter(str.isprintable)
"""Identifiers and labels."""

currencies: Final = st.sampled_from(sorted(EXPONENTS))


def amounts_in(currency: str, least: int = 1, most: int = MINOR_LIMIT - 1) -> st.SearchStrategy[act.Amount]:
    """Amounts of one currency, from `least` to `most` minor units."""
    return st.builds(act.Amount, st.integers(least, most), st.just(currency))


zones: Final = st.sampled_from(
    ["UTC", "Asia/Shanghai", "America/New_York", "Europe/London", "Asia/Kathmandu", "Pacific/Apia", "America/Sao_Paulo"]
)
"""Zones with and without summer time, with a missing midnight, a missing day and an odd offset."""

_UNITS: Final = ["DAY", "WEEK", "MONTH", "QUARTER", "HALF_YEAR", "YEAR"]
_WEEKDAYS: Final = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]
weekdays: Final = st.lists(st.sampled_from(_WEEKDAYS), min_size=1, unique=True)


@st.composite
def periods(draw: st.DrawFn, currency: str, *, most: int = MINOR_LIMIT - 1, most_times: int = 10**9) -> dict[str, Any]:
    """One entry of `ext.quota.periods` as it is written."""
    if draw(st.booleans()):
        written: dict[str, Any] = {"sliding_seconds": draw(st.integers(1, 366 * 86_400) | st.sampled_from([3_600, 86_400]))}
    else:
        written = {
            "period_unit": draw(st.sampled_from(_UNITS)),
            "period_count": draw(st.sampled_from([1, 1, 2, 3, 400])),
            "time_zone": draw(zones),
            "anchor": draw(st.dates(date(1970, 1, 1), date(9999, 12, 31)) | st.sampled_from(_ANCHORS)).isoformat(),
        }
    caps = draw(st.sampled_from(["amount", "times", "both"]))
    if caps != "times":
        written["max_amount"] = draw(amounts_in(currency, most=most)).text
    if caps != "amount":
        written["period_times"] = draw(st.integers(1, most_times))
    return written


_ANCHORS: Final = [date(2024, 2, 29), date(2026, 1, 31), date(2026, 1, 1)]


@st.composite
def schedules(draw: st.DrawFn) -> dict[str, Any]:
    """`ext.schedule` as it is written."""
    written: dict[str, Any] = {"time_zone": draw(zones)}
    parts = draw(st.sampled_from(["weekdays", "hours", "both"]))
    if parts != "hours":
        written["weekdays"] = draw(weekdays)
    if parts != "weekdays":
        edges = sorted(draw(st.lists(st.integers(0, 1_440), min_size=2, max_size=8, unique=True)))
        stretches = list(zip(edges[::2], edges[1::2], strict=False))
        written["hours"] = [f"{a // 60:02d}:{a % 60:02d}-{b // 60:02d}:{b % 60:02d}" for a, b in stretches]
    return written


@st.composite
def constraints(draw: st.DrawFn, most: int = MINOR_LIMIT - 1) -> tuple[Constraint, ...]:
    """Constraints of one mandate: the mandatory ones always, the others sometimes; none contradicts another.

    Amounts are at most `most` minor units.
    """
    currency = draw(currencies)
    start = draw(st.integers(0, LATEST_INSTANT - 1))
    ladder = sorted(draw(st.lists(_sizes(most), min_size=3, max_size=3)))
    lists = st.lists(few_names | names, min_size=1, max_size=5, unique=True)
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
        "ext.quota.times_limit": st.integers(1, 10**9),
        "ext.quota.refund_restores": st.booleans(),
        "ext.quota.periods": st.lists(periods(currency, most=most), min_size=1, max_size=8),
        "ext.schedule": schedules(),
    } | _others(currency, most)
    wire |= {path: draw(values) for path, values in optional.items() if draw(st.booleans())}
    _make_consistent(wire)
    return build_constraints(wire)


def has_purpose(of: Sequence[Constraint]) -> bool:
    """Whether a mandate may have just these constraints."""
    mode = next(each.encode() for each in of if each.path == "delegation_mode")
    try:
        require_purpose(mode, of)
    except act.Refused:
        return False
    return True


def purposeful(most: int = MINOR_LIMIT - 1) -> st.SearchStrategy[tuple[Constraint, ...]]:
    """Constraints that a mandate may have: SPECIFIED names its goal, BOUNDED has bounds."""
    return constraints(most).filter(has_purpose)


def _sizes(most: int) -> st.SearchStrategy[int]:
    return st.integers(1, 300) | st.integers(1, most)


amount_sizes: Final = _sizes(MINOR_LIMIT - 1)
few_names: Final = st.sampled_from(["tea", "cup", "straw"])
"""Names that meet by chance."""


def _texts(currency: str, most: int) -> st.SearchStrategy[str]:
    return _sizes(most).map(lambda minor: act.Amount(minor, currency).text)


def item_entries(currency: str, most: int = MINOR_LIMIT - 1) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Wire values of `ext.items`."""
    selectors = {"sku": few_names, "category": few_names, "name": few_names}
    caps = {
        "max_quantity": st.integers(1, 5) | st.integers(1, 1_000_000),
        "max_unit_amount": _texts(currency, most),
        "confirmed_unit_amount": _texts(currency, most),
    }
    entry = st.fixed_dictionaries({}, optional=selectors | caps).filter(lambda each: bool(each.keys() & selectors))
    return st.lists(entry, min_size=1, max_size=4)


percentages: Final = st.integers(0, 10_000).map(lambda hundredths: format(Decimal(hundredths) / 100, "f"))
delivery_times: Final = st.sampled_from(["PT90S", "PT30M", "PT1H", "P1D", "1970-01-01T00:30:00Z", "2026-02-06T10:00:00Z"])


@st.composite
def staleness(draw: st.DrawFn, currency: str, most: int = MINOR_LIMIT - 1) -> list[dict[str, Any]]:
    """Wire values of `ext.status.max_staleness`."""
    above = sorted(draw(st.sets(_sizes(most), max_size=3)))
    seconds = sorted(draw(st.sets(st.integers(0, 100), min_size=len(above) + 1, max_size=len(above) + 1)), reverse=True)
    rest = [{"seconds": s, "above_amount": act.Amount(a, currency).text} for s, a in zip(seconds[1:], above, strict=True)]
    return [{"seconds": seconds[0]}, *rest]


def _others(currency: str, most: int) -> dict[str, st.SearchStrategy[Any]]:
    """The constraints that are not ACT's commerce ones, by path."""
    return {
        "ext.step_up.above_amount": _texts(currency, most),
        "ext.items": item_entries(currency, most),
        "ext.agent_behavior.price_deviation_tolerance": percentages,
        "ext.agent_behavior.price_deviation_action": st.sampled_from(["PAUSE_AND_NOTIFY", "AUTO_CANCEL"]),
        "ext.agent_behavior.on_payment_failure": st.sampled_from(["AUTO_RETRY", "CANCEL"]),
        "ext.agent_behavior.max_retry_count": st.integers(0, 100),
        "ext.fulfillment.delivery_time_requirement": delivery_times,
        "ext.fulfillment.delivery_address": st.sampled_from([bytes(32), bytes(range(32))]),
        "ext.delegation.max_depth": st.integers(1, 8),
        "ext.status.max_staleness": staleness(currency, most),
        "ext.status.on_revoke": st.sampled_from(["honor", "void"]),
    }


def _make_consistent(wire: dict[str, Any]) -> None:
    """Takes out what contradicts: retries after CANCEL, a tolerance without a confirmed price."""
    if wire.get("ext.agent_behavior.on_payment_failure") == "CANCEL":
        wire.pop("ext.agent_behavior.max_retry_count", None)
    if not any("confirmed_unit_amount" in entry for entry in wire.get("ext.items", ())):
        wire.pop("ext.agent_behavior.price_deviation_tolerance", None)


@st.composite
def orders(draw: st.DrawFn) -> act.Order:
    """Orders that add up."""
    currency = draw(currencies)
    items = tuple(
        act.Item(draw(names), draw(names), draw(names), draw(st.integers(1, 1_000)), draw(amounts_in(currency, most=10**12)))
        for _ in range(draw(st.integers(1, 4)))
    )
    amount = act.Amount(sum(item.quantity * item.unit_amount.minor for item in items), currency)
    expires_at = draw(st.integers(1, LATEST_INSTANT))
    deliver_by = draw(st.none() | st.integers(expires_at, LATEST_INSTANT))
    address = draw(st.none() | st.binary(min_size=32, max_size=32))
    return act.Order(draw(names), draw(names), draw(names), draw(names), items, amount, expires_at, deliver_by, address)


uuids: Final = st.binary(min_size=16, max_size=16).map(lambda raw: UUID(bytes=raw).urn)
"""Ids of credentials that both envelopes carry."""

signers: Final = st.sampled_from([key("a"), key("a", "ES256")])

ENVELOPES: Final[tuple[Literal["cose"], Literal["jose"]]] = ("cose", "jose")
MAX_EXACT: Final = 10**15 - 1
"""What a VC-JWT carries in minor units, whatever the currency's digits."""

_private: Final[st.SearchStrategy[Any]] = st.recursive(
    st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
private_maps: Final = st.none() | st.dictionaries(st.text(max_size=8), _private, min_size=1, max_size=2)
"""What `ext.vendor_private` may hold in both envelopes."""


def mandates(vendor_private: st.SearchStrategy[Any], most: int = MINOR_LIMIT - 1) -> st.SearchStrategy[act.Mandate]:
    """Mandates with any constraints, amounts of at most `most` minor units, and `vendor_private` as it is drawn."""
    of = [names] * 5
    return st.builds(act.Mandate, uuids, *of, purposeful(most), st.none(), st.none(), vendor_private)

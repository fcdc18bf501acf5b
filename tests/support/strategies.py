"""What the properties draw: any plain values, and generators of claims, orders and mandates that are right."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from datetime import date
from decimal import Decimal
from typing import Any, Final, Literal
from uuid import UUID

from hypothesis import reject
from hypothesis import strategies as st

import act
from act.calendar import LATEST_INSTANT
from act.delegation.constraints import Constraint, build_constraints, require_purpose
from act.iso4217 import EXPONENTS
from act.money import MINOR_LIMIT
from tests.support.choices import Choices
from tests.support.world import key

__all__ = [
    "ENVELOPES",
    "MAX_EXACT",
    "amount",
    "amount_size",
    "amount_text",
    "cbor_value",
    "cbor_values",
    "constraints",
    "currency_of",
    "delivery_time",
    "few_name",
    "has_purpose",
    "item_entries",
    "json_values",
    "mandate",
    "name_list",
    "order",
    "percentage",
    "period",
    "private_map",
    "purposeful",
    "schedule",
    "signer_of",
    "staleness",
    "uuid_of",
    "weekdays",
    "zone_of",
]

_integers: Final = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, 1, -1, 2**31, 2**63 - 1, LATEST_INSTANT + 1])
_scalars: Final = _integers | st.text(max_size=20) | st.binary(max_size=40) | st.booleans()

cbor_values: Final[st.SearchStrategy[Any]] = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_integers | st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
"""Any value that CBOR carries here; `cbor_value` makes such values of choices."""

json_values: Final[st.SearchStrategy[Any]] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
"""Any value that JSON carries."""

ENVELOPES: Final[tuple[Literal["cose"], Literal["jose"]]] = ("cose", "jose")
MAX_MINOR: Final = MINOR_LIMIT - 1
MAX_EXACT: Final = 10**15 - 1
"""What a VC-JWT carries in minor units, whatever the currency's digits."""

# --- plain values -----------------------------------------------------------------------------------------------------------

_CURRENCIES: Final = sorted(EXPONENTS)
_SIGNERS: Final = [key("a"), key("a", "ES256")]
_FEW_NAMES: Final = ("tea", "cup", "straw")


def currency_of(choices: Choices) -> str:
    """A currency's code."""
    return choices.pick(_CURRENCIES)


def signer_of(choices: Choices) -> act.KeyPair:
    """A key of either algorithm."""
    return choices.pick(_SIGNERS)


def uuid_of(choices: Choices) -> str:
    """An id of a credential that both envelopes carry."""
    return UUID(bytes=choices.raw(16)).urn


def few_name(choices: Choices) -> str:
    """One of the names that meet by chance."""
    return choices.pick(_FEW_NAMES)


def name_list(choices: Choices) -> list[str]:
    """One to five names, none of them twice."""
    return list(dict.fromkeys(choices.several(lambda: choices.name() if choices.coin() else few_name(choices), 1, 5)))


def amount_size(choices: Choices, most: int = MAX_MINOR) -> int:
    """Minor units, a few or up to that many."""
    return choices.whole(1, most if choices.coin() else 300)


def amount(choices: Choices, currency: str, least: int = 1, most: int = MAX_MINOR) -> act.Amount:
    """An amount of one currency, from `least` to `most` minor units."""
    return act.Amount(choices.whole(least, most), currency)


def amount_text(choices: Choices, currency: str, least: int = 1, most: int = MAX_MINOR) -> str:
    """An amount as it stands on the wire; no example if there is none between the bounds."""
    least, most = max(least, 1), min(most, MAX_MINOR)
    return amount(choices, currency, least, most).text if least <= most else reject()


def _size_text(choices: Choices, currency: str, most: int) -> str:
    return act.Amount(amount_size(choices, most), currency).text


_EDGES: Final = (0, 1, 2**31, 2**63 - 1, LATEST_INSTANT + 1)


def _signed(choices: Choices) -> int:
    number = choices.whole(0, 2**63 - 1) if choices.coin() else choices.pick(_EDGES)
    return -1 - number if choices.rarely(3) else number


def cbor_value(choices: Choices, depth: int = 4) -> Any:
    """Any value that CBOR carries here, nested at most that deep."""
    match choices.index(6 if depth else 4):
        case 0:
            return _signed(choices)
        case 1:
            return choices.text(20)
        case 2:
            return choices.raw(choices.whole(0, 40))
        case 3:
            return choices.coin()
        case 4:
            return choices.several(lambda: cbor_value(choices, depth - 1), 0, 3)
        case _:
            return {
                _signed(choices) if choices.coin() else choices.text(8): cbor_value(choices, depth - 1)
                for _ in range(choices.whole(0, 3))
            }


# --- wire values of constraints ---------------------------------------------------------------------------------------------

# With and without summer time, with a missing midnight, a missing day and an odd offset.
_ZONES: Final = (
    "UTC", "Asia/Shanghai", "America/New_York", "Europe/London", "Asia/Kathmandu", "Pacific/Apia", "America/Sao_Paulo",
)  # fmt: skip
_UNITS: Final = ("DAY", "WEEK", "MONTH", "QUARTER", "HALF_YEAR", "YEAR")
_WEEKDAYS: Final = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_ANCHORS: Final = (date(2024, 2, 29), date(2026, 1, 31), date(2026, 1, 1))
_FIRST_ANCHOR, _LAST_ANCHOR = date(1970, 1, 1).toordinal(), date(9999, 12, 31).toordinal()
_DELIVERY_TIMES: Final = ("PT90S", "PT30M", "PT1H", "P1D", "1970-01-01T00:30:00Z", "2026-02-06T10:00:00Z")


def zone_of(choices: Choices) -> str:
    """A time zone's name."""
    return choices.pick(_ZONES)


def weekdays(choices: Choices) -> list[str]:
    """Some days of the week, in any order."""
    return choices.some(_WEEKDAYS)


def period(choices: Choices, currency: str, *, most: int = MAX_MINOR, most_times: int = 10**9) -> dict[str, Any]:
    """One entry of `ext.quota.periods` as it is written."""
    if choices.coin():
        seconds = choices.pick((3_600, 86_400)) if choices.coin() else choices.whole(1, 366 * 86_400)
        written: dict[str, Any] = {"sliding_seconds": seconds}
    else:
        is_any = choices.coin()
        anchor = date.fromordinal(choices.whole(_FIRST_ANCHOR, _LAST_ANCHOR)) if is_any else choices.pick(_ANCHORS)
        written = {
            "period_unit": choices.pick(_UNITS),
            "period_count": choices.pick((1, 1, 2, 3, 400)),
            "time_zone": zone_of(choices),
            "anchor": anchor.isoformat(),
        }
    caps = choices.pick(("amount", "times", "both"))
    if caps != "times":
        written["max_amount"] = amount(choices, currency, most=most).text
    if caps != "amount":
        written["period_times"] = choices.whole(1, most_times)
    return written


def schedule(choices: Choices) -> dict[str, Any]:
    """`ext.schedule` as it is written."""
    written: dict[str, Any] = {"time_zone": zone_of(choices)}
    parts = choices.pick(("weekdays", "hours", "both"))
    if parts != "hours":
        written["weekdays"] = weekdays(choices)
    if parts != "weekdays":
        edges = sorted({choices.whole(0, 1_440) for _ in range(choices.whole(2, 8))})
        edges = edges if edges[1:] else [0, edges[0] or 1_440]
        stretches = list(zip(edges[::2], edges[1::2], strict=False))
        written["hours"] = [f"{a // 60:02d}:{a % 60:02d}-{b // 60:02d}:{b % 60:02d}" for a, b in stretches]
    return written


def item_entries(choices: Choices, currency: str, most: int = MAX_MINOR) -> list[dict[str, Any]]:
    """Wire values of `ext.items`."""
    return choices.several(lambda: _item_entry(choices, currency, most), 1, 4)


def _item_entry(choices: Choices, currency: str, most: int) -> dict[str, Any]:
    entry: dict[str, Any] = {name: few_name(choices) for name in choices.some(("sku", "category", "name"))}
    if choices.coin():
        entry["max_quantity"] = choices.whole(1, 1_000_000 if choices.coin() else 5)
    for name in ("max_unit_amount", "confirmed_unit_amount"):
        if choices.coin():
            entry[name] = _size_text(choices, currency, most)
    return entry


def percentage(choices: Choices) -> str:
    """A percentage as it is written, from 0 to 100."""
    return format(Decimal(choices.whole(0, 10_000)) / 100, "f")


def delivery_time(choices: Choices) -> str:
    """A duration or an instant."""
    return choices.pick(_DELIVERY_TIMES)


def staleness(choices: Choices, currency: str, most: int = MAX_MINOR) -> list[dict[str, Any]]:
    """Wire values of `ext.status.max_staleness`."""
    above = sorted({amount_size(choices, most) for _ in range(choices.whole(0, 3))})
    seconds = sorted(choices.some(range(101), len(above) + 1, least=len(above) + 1), reverse=True)
    rest = [{"seconds": s, "above_amount": act.Amount(a, currency).text} for s, a in zip(seconds[1:], above, strict=True)]
    return [{"seconds": seconds[0]}, *rest]


# --- mandates and orders ----------------------------------------------------------------------------------------------------

_OPTIONAL: Final[dict[str, Callable[[Choices, str, int], Any]]] = {
    "allowed_payment_methods": lambda choices, currency, most: name_list(choices),
    "ext.commerce.allowed_merchants": lambda choices, currency, most: name_list(choices),
    "ext.commerce.forbidden_merchants": lambda choices, currency, most: name_list(choices),
    "ext.commerce.allowed_categories": lambda choices, currency, most: name_list(choices),
    "ext.commerce.forbidden_categories": lambda choices, currency, most: name_list(choices),
    "ext.quota.times_limit": lambda choices, currency, most: choices.whole(1, 10**9),
    "ext.quota.refund_restores": lambda choices, currency, most: choices.coin(),
    "ext.quota.periods": lambda choices, currency, most: choices.several(lambda: period(choices, currency, most=most), 1, 8),
    "ext.schedule": lambda choices, currency, most: schedule(choices),
    "ext.step_up.above_amount": _size_text,
    "ext.items": item_entries,
    "ext.agent_behavior.price_deviation_tolerance": lambda choices, currency, most: percentage(choices),
    "ext.agent_behavior.price_deviation_action": lambda choices, currency, most: choices.pick(
        ("PAUSE_AND_NOTIFY", "AUTO_CANCEL")
    ),
    "ext.agent_behavior.on_payment_failure": lambda choices, currency, most: choices.pick(("AUTO_RETRY", "CANCEL")),
    "ext.agent_behavior.max_retry_count": lambda choices, currency, most: choices.whole(0, 100),
    "ext.fulfillment.delivery_time_requirement": lambda choices, currency, most: delivery_time(choices),
    "ext.fulfillment.delivery_address": lambda choices, currency, most: choices.pick((bytes(32), bytes(range(32)))),
    "ext.delegation.max_depth": lambda choices, currency, most: choices.whole(1, 8),
    "ext.status.max_staleness": staleness,
    "ext.status.on_revoke": lambda choices, currency, most: choices.pick(("honor", "void")),
}
"""The constraints that a mandate may leave out, but for two whose amounts come from a ladder."""


def constraints(choices: Choices, most: int = MAX_MINOR, of: Set[str] | None = None) -> tuple[Constraint, ...]:
    """Constraints of one mandate: the mandatory ones always, the others sometimes; none contradicts another.

    Amounts are at most `most` minor units. `of` are the paths that may be there if not all may.
    """
    currency = currency_of(choices)
    start = choices.whole(0, LATEST_INSTANT - 1)
    ladder = sorted(amount_size(choices, most) for _ in range(3))
    wire: dict[str, Any] = {
        "validity": (start, choices.whole(start + 1, LATEST_INSTANT)),
        "delegation_mode": choices.pick(("SPECIFIED", "BOUNDED")),
        "currency": currency,
        "max_total_amount": act.Amount(ladder[2], currency).text,
    }
    for place, path in enumerate(("ext.commerce.min_single_amount", "ext.commerce.max_single_amount")):
        if (of is None or path in of) and choices.coin():
            wire[path] = act.Amount(ladder[place], currency).text
    for path, make in _OPTIONAL.items():
        if (of is None or path in of) and choices.coin():
            wire[path] = make(choices, currency, most)
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


def purposeful(choices: Choices, most: int = MAX_MINOR) -> tuple[Constraint, ...]:
    """Constraints that a mandate may have: SPECIFIED names its goal, BOUNDED has bounds."""
    for _ in range(4):
        every = constraints(choices, most)
        if has_purpose(every):
            return every
    return reject()


def _make_consistent(wire: dict[str, Any]) -> None:
    """Takes out what contradicts: retries after CANCEL, a tolerance without a confirmed price."""
    if wire.get("ext.agent_behavior.on_payment_failure") == "CANCEL":
        wire.pop("ext.agent_behavior.max_retry_count", None)
    if not any("confirmed_unit_amount" in entry for entry in wire.get("ext.items", ())):
        wire.pop("ext.agent_behavior.price_deviation_tolerance", None)


def order(choices: Choices) -> act.Order:
    """An order that adds up."""
    currency = currency_of(choices)

    def item() -> act.Item:
        return act.Item(
            choices.name(), choices.name(), choices.name(), choices.whole(1, 1_000), amount(choices, currency, most=10**12)
        )

    items = tuple(choices.several(item, 1, 4))
    total = act.Amount(sum(each.quantity * each.unit_amount.minor for each in items), currency)
    expires_at = choices.whole(1, LATEST_INSTANT)
    deliver_by = choices.whole(expires_at, LATEST_INSTANT) if choices.coin() else None
    address = choices.raw(32) if choices.coin() else None
    payee, agent_id, principal, order_no = (choices.name() for _ in range(4))
    return act.Order(payee, agent_id, principal, order_no, items, total, expires_at, deliver_by, address)


def private_map(choices: Choices) -> dict[str, Any] | None:
    """What `ext.vendor_private` may hold in both envelopes."""
    return {choices.text(8): _private(choices, 4) for _ in range(choices.whole(1, 2))} if choices.coin() else None


def _private(choices: Choices, depth: int) -> Any:
    """A value of `ext.vendor_private`: nested at most that deep."""
    match choices.index(5 if depth else 3):
        case 0:
            return choices.coin()
        case 1:
            return choices.whole(0, 2**53 - 1) * choices.pick((1, -1))
        case 2:
            return choices.text(8)
        case 3:
            return choices.several(lambda: _private(choices, depth - 1), 0, 3)
        case _:
            return {choices.text(8): _private(choices, depth - 1) for _ in range(choices.whole(0, 3))}


def mandate(choices: Choices, most: int = MAX_MINOR) -> act.Mandate:
    """A mandate with any constraints, amounts of at most `most` minor units, and anything in `ext.vendor_private`."""
    delegation_id = uuid_of(choices)
    issuer, ledger, principal, agent_id, intent_id = (choices.name() for _ in range(5))
    of = purposeful(choices, most)
    private = private_map(choices)
    supersedes = choices.raw(32) if choices.coin() else None
    return act.Mandate(
        delegation_id,
        issuer,
        ledger,
        principal,
        agent_id,
        intent_id,
        of,
        vendor_private=private,
        supersedes=supersedes,
    )

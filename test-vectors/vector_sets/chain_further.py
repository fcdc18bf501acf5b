"""The constraints that the tea mandate does not have, each a step to either side of a root's: bounds, counts and behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["BEHAVIOUR", "FURTHER", "FURTHER_LIMITS", "FURTHER_ROOT", "SILENT", "Step"]

_DAY: Final = {"period_unit": "DAY", "period_count": 1, "time_zone": "Asia/Shanghai", "anchor": "2026-01-01"}
_DAILY: Final = _DAY | {"max_amount": "60.00", "period_times": 4}
_SLIDING: Final = {"sliding_seconds": 86_400, "max_amount": "80.00"}
_TEA: Final = {
    "sku": "milk-tea-large", "max_quantity": 2, "max_unit_amount": "20.00", "confirmed_unit_amount": "18.00",
}  # fmt: skip
_STRAWS: Final = {"category": "straw"}
_SCHEDULE: Final = {"time_zone": "Asia/Shanghai", "weekdays": ["MON", "FRI"], "hours": ["09:00-18:00"]}
_STALENESS: Final[list[dict[str, Any]]] = [{"seconds": 3600}, {"seconds": 60, "above_amount": "50.00"}]

FURTHER_ROOT: Final[Mapping[str, Any]] = {
    "act.ext.delegation.max_depth": 2,
    "act.ext.step_up": {"above_amount": "20.00"},
    "act.ext.quota": {"times_limit": 10, "refund_restores": True, "periods": [_DAILY, _SLIDING]},
    "act.ext.items": [_TEA, _STRAWS],
    "act.ext.fulfillment": {"delivery_time_requirement": "PT30M", "delivery_address": bytes(range(32))},
    "act.ext.schedule": _SCHEDULE,
    "act.ext.agent_behavior": {
        "price_deviation_tolerance": "5",
        "price_deviation_action": "PAUSE_AND_NOTIFY",
        "on_payment_failure": "AUTO_RETRY",
        "max_retry_count": 3,
    },
    "act.ext.status": {"max_staleness": _STALENESS, "on_revoke": "void"},
}
"""What makes the least mandate the root of these chains."""

FURTHER_LIMITS: Final = (
    {"limit": "ext.quota.times_limit", "cap": 10, "unit": "TIMES"},
    {"limit": "ext.quota.periods.0.max_amount@2026-02-06", "cap": 6_000},
    {"limit": "ext.quota.periods.1.max_amount~86400", "cap": 8_000},
    {"limit": "ext.quota.periods.0.period_times@2026-02-06", "cap": 4, "unit": "TIMES"},
)
"""What a ledger counts under it beside the total."""


@dataclass(frozen=True)
class Step:
    """What a link states, and what becomes of it: `where` is the constraint it is about, `code` the refusal, if there is one.
    `counted` are the link's own limits, named without its delegation_id."""

    name: str
    why: str
    where: str
    stated: Mapping[str, Any]
    code: str | None = None
    counted: tuple[dict[str, Any], ...] = ()


def _minor(amount: str) -> int:
    return int(amount.replace(".", ""))


def _counted(path: str, value: Any) -> tuple[dict[str, Any], ...]:
    """What a ledger counts for a link that states this."""
    if path == "ext.quota.times_limit":
        return ({"limit": path, "cap": value, "unit": "TIMES"},)
    if path != "ext.quota.periods":
        return ()
    daily, sliding = value
    return (
        {"limit": f"{path}.0.max_amount@2026-02-06", "cap": _minor(daily["max_amount"])},
        {"limit": f"{path}.1.max_amount~{sliding['sliding_seconds']}", "cap": _minor(sliding["max_amount"])},
        {"limit": f"{path}.0.period_times@2026-02-06", "cap": daily["period_times"], "unit": "TIMES"},
    )


def _steps(
    name: str, path: str, why: str, equal: Any, narrower: Mapping[str, Any], wider: Mapping[str, Any], code: str
) -> list[Step]:
    permitted = {"equal": equal} | {f"narrower{each}": value for each, value in narrower.items()}
    made = [
        Step(f"{name}-{side}", why, path, {f"act.{path}": value}, None, _counted(path, value))
        for side, value in permitted.items()
    ]
    side = "changed" if code == "link_behaviour_changed" else "wider"
    return [*made, *(Step(f"{name}-{side}{each}", why, path, {f"act.{path}": value}, code) for each, value in wider.items())]


def _priced() -> list[Step]:
    """A tolerance is measured from confirmed prices, so a link that states the one states the other."""
    path, items = "ext.agent_behavior.price_deviation_tolerance", [_TEA, _STRAWS]
    why = "18.00 and 5 percent are 18.90: what the link's own percentage and price arrive at is compared, in whole fen."
    percent: tuple[tuple[str, str, str | None], ...] = (
        ("equal", "5", None), ("narrower", "4.99", None), ("same-fen", "5.05", None), ("wider", "5.06", "link_widens"),
    )  # fmt: skip
    steps = [
        Step(f"tolerance-{name}", why, path, {f"act.{path}": value, "act.ext.items": items}, code)
        for name, value, code in percent
    ]
    dearer = [_TEA | {"confirmed_unit_amount": "18.91"}, _STRAWS]
    nobody = (
        "A price that only the link confirms is none the principal confirmed: 18.91 is above 18.90, even without tolerance."
    )
    return [*steps, Step("tolerance-other-price", nobody, path, {"act.ext.items": dearer}, "link_widens")]


def _items() -> list[Step]:
    path = "ext.items"

    def about(name: str, why: str, entries: list[dict[str, Any]], code: str | None = None) -> Step:
        return Step(f"items-{name}", why, path, {"act.ext.items": entries}, code)

    widens = "link_widens"
    return [
        about("equal", "The parent's items in another order; without a tolerance of its own, its prices bind exactly.",
              [_STRAWS, _TEA]),
        about("narrower", "One of the two items.", [_TEA]),
        about("wider-uncapped", "A straw with the tea's sku would be bought in any number.", [_STRAWS], widens),
        about("narrower-selector", "An item of the label, by name.", [_TEA, _STRAWS | {"name": "long straw"}]),
        about("wider", "An item that the parent does not name.", [_TEA, _STRAWS, {"sku": "cake"}], widens),
        about("wider-selector", "By its label alone: more items than the one the parent names.", [{"category": "tea"}], widens),
        about("quantity-narrower", "One instead of two.", [_TEA | {"max_quantity": 1}]),
        about("quantity-wider", "Three instead of two.", [_TEA | {"max_quantity": 3}], widens),
        about("price-narrower", "A fen less.", [_TEA | {"max_unit_amount": "19.99"}]),
        about("price-wider", "A fen more.", [_TEA | {"max_unit_amount": "20.01"}], widens),
        about("split-wider", "Two entries of two each for what may be two together.",
              [_TEA | {"name": "a"}, _TEA | {"name": "b"}], widens),
    ]  # fmt: skip


def _bounds() -> list[Step]:
    widens = "link_widens"
    daily, sliding = _DAILY, _SLIDING
    return [
        *_steps("step-up", "ext.step_up.above_amount", "From which amount on the principal confirms: at most the parent's.",
                "20.00", {"": "19.99"}, {"": "20.01"}, widens),
        *_steps("times", "ext.quota.times_limit", "How many payments: at most the parent's.", 10, {"": 9}, {"": 11}, widens),
        *_steps("periods", "ext.quota.periods", "Every cap of the parent's is there, no higher, and counts no less.",
                [daily, sliding],
                {"": [daily | {"max_amount": "59.99"}, sliding], "-times": [daily | {"period_times": 3}, sliding],
                 "-longer": [daily, sliding | {"sliding_seconds": 86_401}]},
                {"": [daily | {"max_amount": "60.01"}, sliding], "-times": [daily | {"period_times": 5}, sliding],
                 "-shorter": [daily, sliding | {"sliding_seconds": 86_399}], "-left-out": [daily],
                 "-zone": [daily | {"time_zone": "Asia/Tokyo"}, sliding],
                 "-anchor": [daily | {"period_count": 2}, sliding]}, widens),
        *_steps("delivery", "ext.fulfillment.delivery_time_requirement", "Delivered no later than the parent asks.",
                "PT1800S", {"": "PT1799S"}, {"": "PT1801S", "-instant": "2026-02-06T09:10:00Z"}, widens),
        *_steps("address", "ext.fulfillment.delivery_address", "The parent's address, and no other.",
                bytes(range(32)), {}, {"": bytes(32)}, widens),
        *_steps("schedule", "ext.schedule", "No minute of the week that the parent does not allow.",
                _SCHEDULE | {"hours": ["12:00-18:00", "09:00-12:00"]},
                {"": _SCHEDULE | {"hours": ["09:01-18:00"]}, "-day": _SCHEDULE | {"weekdays": ["FRI"]}},
                {"": _SCHEDULE | {"hours": ["08:59-18:00"]}, "-day": _SCHEDULE | {"weekdays": ["FRI", "SAT"]},
                 "-zone": _SCHEDULE | {"time_zone": "Asia/Tokyo"}}, widens),
        *_steps("staleness", "ext.status.max_staleness", "At no amount an older status than the parent allows.", _STALENESS,
                {"": [{"seconds": 3599}, _STALENESS[1]], "-amount": [_STALENESS[0], _STALENESS[1] | {"above_amount": "49.99"}]},
                {"": [{"seconds": 3601}, _STALENESS[1]], "-amount": [_STALENESS[0], _STALENESS[1] | {"above_amount": "50.01"}]},
                widens),
    ]  # fmt: skip


_BEHAVIOUR: Final[tuple[tuple[str, str, Any, Any], ...]] = (
    ("refunds", "ext.quota.refund_restores", True, False),
    ("price-action", "ext.agent_behavior.price_deviation_action", "PAUSE_AND_NOTIFY", "AUTO_CANCEL"),
    ("failure", "ext.agent_behavior.on_payment_failure", "AUTO_RETRY", "CANCEL"),
    ("retries", "ext.agent_behavior.max_retry_count", 3, 2),
    ("on-revoke", "ext.status.on_revoke", "void", "honor"),
)


def _behavior() -> list[Step]:
    why = "Behaviour is ordered once, by the principal: a link repeats it, or leaves it out."
    return [
        step
        for name, path, equal, changed in _BEHAVIOUR
        for step in _steps(name, path, why, equal, {}, {"": changed}, "link_behaviour_changed")
    ]


BEHAVIOUR: Final = tuple(path for _, path, *_ in _BEHAVIOUR)
"""Constraints that a link repeats or leaves out."""

FURTHER: Final = (*_bounds(), *_items(), *_priced(), *_behavior())
"""Below a mandate of FURTHER_ROOT."""

SILENT: Final = tuple(
    Step(f"{name}-added", "Where the principal ordered nothing, nobody below does.", path, {f"act.{path}": value},
         "link_behaviour_changed")
    for name, path, value, _ in _BEHAVIOUR
)  # fmt: skip
"""Below a mandate that orders no behaviour."""

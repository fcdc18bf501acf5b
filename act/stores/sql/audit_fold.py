"""What entries add up to: limits and charges, worked out from nothing but receipts, for `act.stores.sql.audit`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["FoldedCharge", "FoldedLimit", "Row", "limit_of", "move", "stand_still", "unlike"]

_ENDS: Final = ("CAPTURED", "VOIDED", "EXPIRED")

Row = dict[str, Any]
"""A row by column."""


@dataclass(slots=True)
class FoldedLimit:
    """A counter. One that slides keeps what each charge stands for now, with the instant at which it was reserved."""

    cap: int
    unit: str = "AMOUNT"
    sliding_seconds: int | None = None
    held: int = 0
    captured: int = 0
    charges: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    carried: int = 0

    def at(self, instant: int) -> tuple[int, int]:
        """Held and captured as they count at an instant: all of it, or what was reserved in the last seconds or later."""
        if self.sliding_seconds is None:
            return self.held, self.captured
        since = instant - self.sliding_seconds
        counted = [(held, captured) for reserved_at, held, captured in self.charges.values() if reserved_at > since]
        return sum(held for held, _ in counted), sum(captured for _, captured in counted)


@dataclass(slots=True)
class FoldedCharge:
    """A charge as its entries left it. `parts` are what the payee named by numbers: kind, number, amount, entry. `names` are
    the limits that it counts in."""

    reserved: Row
    receipt: dict[str, Any]
    restores: bool
    state: str = "HELD"
    captured: int = 0
    refunded: int = 0
    closed: int | None = None
    parts: set[tuple[str, str, int, int]] = field(default_factory=set)
    names: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.names = {change["limit"] for change in self.receipt["counters"]}

    @property
    def held(self) -> int:
        """What may still be captured."""
        return self.reserved["amount_minor"] - self.captured if self.closed is None else 0

    def takes(self, unit: str) -> tuple[int, int]:
        """Held and captured of a limit."""
        given_back = self.refunded if self.restores else 0
        if unit == "AMOUNT":
            return self.held, self.captured - given_back
        if not self.captured:
            return int(self.closed is None), 0
        return 0, int(self.closed is None or given_back < self.captured)


def move(
    entry: Row,
    receipt: dict[str, Any],
    charges: dict[str, FoldedCharge],
    limits: dict[str, FoldedLimit],
    mandate: Row,
    counts_in: Callable[[FoldedCharge, dict[str, Any], dict[str, FoldedLimit]], bool],
) -> Iterator[str]:
    """Applies an entry that moves money; yields what it may not do, or says otherwise than the fold. `counts_in` judges whether
    the limits it moves are those its charge counts in."""
    if entry["kind"] == "RESERVED":
        if entry["charge"] in charges:
            yield "the charge is reserved twice"
        charge = charges[entry["charge"]] = FoldedCharge(entry, receipt, bool(mandate["refund_restores"]))
        took = {"AMOUNT": (0, 0), "TIMES": (0, 0)}
    elif entry["charge"] not in charges:
        yield "no charge to move"
        return
    else:
        charge = charges[entry["charge"]]
        took = {unit: charge.takes(unit) for unit in ("AMOUNT", "TIMES")}
        yield from _close_or_refund(entry, receipt, charge)
    if not receipt["counters"] and entry["kind"] == "RESERVED":
        yield "money moved and no counter did"
    if entry["kind"] != "RESERVED" and not counts_in(charge, receipt, limits):
        yield "other limits than those it was reserved under"
    for change in receipt["counters"]:
        limit = limits.setdefault(change["limit"], limit_of(change))
        if entry["kind"] == "RESERVED" and "@" in change["limit"]:  # a successor may have given the window another cap
            limit.cap = change["cap"]
        was_held, was_captured = limit.at(entry["at"])
        (was, before), (now, after) = took[limit.unit], charge.takes(limit.unit)
        _count(limit, entry, charge, now - was, after - before)
        now_held, now_captured = limit.at(entry["at"])
        said = {"cap": limit.cap, "held_before": was_held, "captured_before": was_captured}
        yield from unlike(change["limit"], said | {"held": now_held, "captured": now_captured}, change)
        if now_held < 0 or (entry["kind"] == "RESERVED" and now_held + now_captured > limit.cap):
            yield f"{change['limit']}: {now_held} held and {now_captured} captured of {limit.cap}"


def _close_or_refund(entry: Row, receipt: dict[str, Any], charge: FoldedCharge) -> Iterator[str]:
    """What an entry after the reservation does to its charge."""
    kind, minor = entry["kind"], entry["amount_minor"]
    number = receipt.get("capture_no") or receipt.get("refund_no")
    if number is not None:
        charge.parts.add(("REFUND" if kind == "REFUNDED" else "CAPTURE", number, minor, entry["sequence"]))
    if kind == "REFUNDED":
        charge.refunded += minor
        if charge.refunded > charge.captured:
            yield f"{charge.refunded} refunded of {charge.captured}"
        return
    if charge.closed is not None:
        yield "no open hold to close"
    left = charge.held
    if minor > left or (kind in ("VOIDED", "EXPIRED") and minor != left) or (kind == "PARTIALLY_CAPTURED" and minor == left):
        yield f"{minor} of a hold of {left}"
    ended = entry["at"] >= charge.receipt["hold_expires_at"]
    if (kind == "EXPIRED" and not ended) or (kind in ("CAPTURED", "PARTIALLY_CAPTURED") and ended):
        yield "captured after its hold ended" if ended else "expired before its hold ended"
    if kind in ("CAPTURED", "PARTIALLY_CAPTURED"):
        charge.captured += minor
        charge.state = kind
    else:
        charge.state = "CAPTURED" if charge.captured else kind
    if kind in _ENDS:
        charge.closed = entry["sequence"]


def limit_of(change: dict[str, Any]) -> FoldedLimit:
    """A counter nothing was counted by yet. A name that ends in seconds is that of a sliding one."""
    _, slides, seconds = change["limit"].partition("~")
    return FoldedLimit(change["cap"], change.get("unit", "AMOUNT"), int(seconds) if slides else None)


def _count(limit: FoldedLimit, entry: Row, charge: FoldedCharge, held: int, captured: int) -> None:
    if limit.sliding_seconds is None:
        limit.held += held
        limit.captured += captured
    else:
        _, was_held, was_captured = limit.charges.get(entry["charge"], (0, 0, 0))
        limit.charges[entry["charge"]] = (charge.reserved["at"], was_held + held, was_captured + captured)


def stand_still(receipt: dict[str, Any], limits: dict[str, FoldedLimit]) -> Iterator[str]:
    """What a receipt that moves no money says of the counters: how they stand, twice."""
    for change in receipt["counters"]:
        limit = limits.get(change["limit"]) or limit_of(change)
        held, captured = limit.at(receipt["iat"])
        stands = {"cap": limit.cap, "held": held, "captured": captured, "held_before": held, "captured_before": captured}
        yield from unlike(change["limit"], stands, change)


def unlike(what: str, expected: dict[str, Any], found: dict[str, Any]) -> Iterator[str]:
    """The fields in which a record is not what it has to be; a field that is None may be absent."""
    for name, value in expected.items():
        if found.get(name) != value:
            yield f"{what}: {name} is {found.get(name)!r}, not {value!r}"

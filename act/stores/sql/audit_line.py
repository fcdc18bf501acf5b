"""What a line of mandates adds up to, each of which replaced the one before, for `act.stores.sql.audit`: whose each entry is,
and what is carried over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from act.calendar import FUTURE_TOLERANCE_SECONDS
from act.envelope.claims import delegation_id_claim
from act.stores.sql.audit_fold import FoldedCharge, FoldedLimit, Row, limit_of, unlike

__all__ = ["FoldedLine"]

_LIVE: Final = ("HELD", "PARTIALLY_CAPTURED", "CAPTURED")


class FoldedLine:
    """The mandates that one row stood for, one after the other. The last is the row's own."""

    def __init__(self, mandate: Row, formers: list[Row]) -> None:
        self._mandate: Final = mandate
        self._formers: Final = sorted(
            (former for former in formers if former["delegation_id"] is not None), key=lambda former: former["ended"]
        )
        self._unseen: Final = {former["identity"]: former["ended"] for former in formers if former["delegation_id"] is None}
        self._revoked: Final[dict[bytes, int]] = {}
        self._taken_over: Final[set[int]] = set()

    @property
    def formers(self) -> set[bytes]:
        """The identities of those that were replaced."""
        return {former["identity"] for former in self._formers} | set(self._unseen)

    def in_force(self, sequence: int) -> Row:
        """The mandate whose the entry of that sequence is."""
        return next((former for former in self._formers if sequence < former["ended"]), self._mandate)

    def named(self, entry: Row, receipt: dict[str, Any]) -> dict[str, Any]:
        """Which mandate the receipt of an entry has to name. What a replaced one is refused names that one."""
        whose = self.in_force(entry["sequence"])
        if entry["kind"] == "REVOKED" and "supersedes" in receipt:
            self._revoked[receipt["supersedes"]] = entry["sequence"]
        if entry["code"] == "credential_superseded":
            if self._unseen.get(receipt["credential"], entry["sequence"]) < entry["sequence"]:
                return {}
            ended = [each for each in self._formers if each["ended"] < entry["sequence"]]
            whose = next((each for each in ended if each["identity"] == receipt["credential"]), whose)
        return {"delegation_id": delegation_id_claim(whose["delegation_id"]), "credential": whose["identity"]}

    def take_over(
        self,
        entry: Row,
        receipt: dict[str, Any],
        charges: Mapping[str, FoldedCharge],
        limits: dict[str, FoldedLimit],
    ) -> Iterator[str]:
        """Applies the entry by which a successor took over; yields what it says otherwise than the fold."""
        sequence, at = entry["sequence"], entry["at"]
        ended = next((former for former in self._formers if former["ended"] == sequence), None)
        self._taken_over.add(sequence)
        if ended is None or receipt["supersedes"] != ended["identity"]:
            yield "it replaces another mandate than the one it ends"
        live = {name: charge for name, charge in charges.items() if charge.state in _LIVE}
        names = {change["limit"] for change in receipt["counters"]}
        for name in [each for each in limits if each not in names and "/" not in each and "@" not in each]:
            del limits[name]
        for change in receipt["counters"]:
            name = change["limit"]
            stood = limits.get(name)
            held, captured = (0, 0) if stood is None else stood.at(at)
            said = {"held_before": held, "captured_before": captured}
            limit = limits[name] = limit_of(change) if stood is None else stood
            limit.cap = change["cap"]
            if "@" in name:  # which charges the window has, the charges' rows say: they are counted in the end
                limit.held, limit.captured = change["held"], change["captured"]
            elif stood is None:
                _count_anew(name, limit, live, at)
            held, captured = limit.at(at)
            limit.carried = 0 if limit.sliding_seconds is not None else held + captured
            yield from unlike(name, said | {"held": held, "captured": captured}, change)

    def rows(self) -> Iterator[str]:
        """What the stored rows say otherwise, when every entry was applied."""
        if self._taken_over != {former["ended"] for former in self._formers} or self._revoked != self._unseen:
            yield "the mandates that were replaced are not those of its entries"

    def debits(self, row: Row, charge: FoldedCharge, limits: Mapping[str, FoldedLimit]) -> bool:
        """Whether a charge's row has the limits that the charge counts in. Where something was replaced, those that no longer
        count may be left, and windows may have been counted anew."""
        stored, folded = set(row["debits"].split("\n")), charge.names
        if not self._formers:
            return stored == folded
        return {name for name in stored ^ folded if name in limits and "@" not in name} == set()

    def moved(self, charge: FoldedCharge, receipt: dict[str, Any], limits: Mapping[str, FoldedLimit]) -> bool:
        """Whether an entry moved the limits that its charge counts in."""
        said = [change["limit"] for change in receipt["counters"]]
        if not self._formers:
            return sorted(said) == sorted(charge.names)
        expected = {name for name in charge.names if name in limits}
        return len(said) == len(set(said)) and {name for name in expected ^ set(said) if "@" not in name} == set()


def _count_anew(name: str, limit: FoldedLimit, live: Mapping[str, FoldedCharge], at: int) -> None:
    """A limit that did not count until now, with what the charges so far take of it."""
    for charge_id, charge in live.items():
        held, captured = charge.takes(limit.unit)
        reserved_at = charge.reserved["at"]
        if limit.sliding_seconds is None:
            limit.held, limit.captured = limit.held + held, limit.captured + captured
        elif reserved_at > at - limit.sliding_seconds - FUTURE_TOLERANCE_SECONDS:  # for a clock that goes back
            limit.charges[charge_id] = (reserved_at, held, captured)
        else:
            charge.names.discard(name)
            continue
        charge.names.add(name)

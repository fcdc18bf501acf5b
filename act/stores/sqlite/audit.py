"""A second opinion on a ledger: folds its entries and their receipts, and finds whatever else in the file disagrees with them.

It shares no code with the store, so that one mistake cannot hide in both. `audit(path)` is what a test calls after every storm;
`disagreements(path)` lists what is wrong instead.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from act.money import Amount
from act.wire import cbor

ACT_CLAIM: Final = -70001
LIVE: Final = ("HELD", "CAPTURED")
MOVES: Final = ("RESERVED", "CAPTURED", "VOIDED")

Row = sqlite3.Row


@dataclass(slots=True)
class Audit:
    """What a clean ledger adds up to, over all its mandates."""

    held_minor: int = 0
    captured_minor: int = 0
    charges: Counter[str] = field(default_factory=Counter)  # by state
    entries: Counter[str] = field(default_factory=Counter)  # by kind


@dataclass(slots=True)
class _Limit:
    """A counter. One that slides keeps what each charge stands for now, with the instant at which it was reserved."""

    cap: int
    unit: str = "AMOUNT"
    sliding_seconds: int | None = None
    held: int = 0
    captured: int = 0
    charges: dict[str, tuple[int, int, int]] = field(default_factory=dict)

    def at(self, instant: int) -> tuple[int, int]:
        """Held and captured as they count at an instant: all of it, or what was reserved in the last seconds or later."""
        if self.sliding_seconds is None:
            return self.held, self.captured
        since = instant - self.sliding_seconds
        counted = [(held, captured) for reserved_at, held, captured in self.charges.values() if reserved_at > since]
        return sum(held for held, _ in counted), sum(captured for _, captured in counted)


@dataclass(slots=True)
class _Charge:
    reserved: Row
    receipt: dict[str, Any]
    state: str = "HELD"
    captured: int = 0
    closed: int | None = None


def audit(path: Path) -> Audit:
    """The totals of a ledger in which everything agrees; fails with the list of what does not."""
    with closing(_open(path)) as connection:
        fold = _Fold(connection)
        found = list(fold.run())
    assert not found, "\n".join(found)
    return fold.audit


def disagreements(path: Path) -> list[str]:
    """Everything in the file that is not what its entries say."""
    with closing(_open(path)) as connection:
        return list(_Fold(connection).run())


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("BEGIN")
    return connection


class _Fold:
    """One pass over the file, mandate by mandate."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.audit = Audit()
        self._all = connection.execute
        self._paid: Counter[tuple[str, str]] = Counter()

    def run(self) -> Iterator[str]:
        """Yields what disagrees, in plain words."""
        yield from (f"sqlite: {row[0]}" for row in self._all("PRAGMA integrity_check") if row[0] != "ok")
        yield from (f"sqlite: {tuple(row)} refers to nothing" for row in self._all("PRAGMA foreign_key_check"))
        mandates = self._all("SELECT * FROM mandate").fetchall()
        for mandate in mandates:
            yield from (f"mandate {mandate['id']}: {problem}" for problem in self._mandate(mandate))
        yield from (f"order {order} is paid {count} times" for order, count in self._paid.items() if count > 1)
        for table in ("entry", "counter", "charge", "request"):
            ids = {row[0] for row in self._all(f"SELECT DISTINCT mandate FROM {table}")}  # noqa: S608 - names of the line above
            if ids - {mandate["id"] for mandate in mandates}:
                yield f"{table} rows without a mandate"

    def _mandate(self, mandate: Row) -> Iterator[str]:
        limits: dict[str, _Limit] = {}
        charges: dict[str, _Charge] = {}
        asked: dict[int, bytes] = {}
        head: bytes | None = None
        revoked = False
        links = self._all("SELECT identity FROM link WHERE mandate = ?", (mandate["id"],)).fetchall()
        credentials = {mandate["identity"], *(row["identity"] for row in links)}
        entries = self._all("SELECT * FROM entry WHERE mandate = ? ORDER BY sequence", (mandate["id"],)).fetchall()
        for number, entry in enumerate(entries, 1):
            receipt = _receipt(entry)
            yield from _unlike(f"entry {number}", _said(entry, mandate, head), receipt)
            if entry["sequence"] != number:
                yield f"entry {entry['sequence']} stands where {number} belongs"
            kind = entry["kind"]
            if receipt["credential"] not in ({mandate["identity"]} if kind == "REVOKED" else credentials):
                yield f"entry {number}: its credential is neither the mandate nor a link below it"
            self.audit.entries[kind] += 1
            if kind == "RESERVED" and revoked:
                yield f"entry {number}: reserved after the revocation"
            if kind == "REVOKED" and mandate["on_revoke"] == "void":
                yield from (f"entry {number}: {name} is still held" for name, each in charges.items() if each.state == "HELD")
            revoked = revoked or kind == "REVOKED"
            if kind in ("RESERVED", "REFUSED"):
                asked[number] = receipt["request"]
            if kind in MOVES:
                yield from (f"entry {number}: {problem}" for problem in _move(entry, receipt, charges, limits))
            else:
                yield from (f"entry {number}: {problem}" for problem in _stand_still(receipt, limits))
            head = _identity(entry)
        stands = {"last_sequence": len(entries), "last_receipt": head, "state": "Revoked" if revoked else "Active"}
        yield from _unlike("row", stands, dict(mandate))
        yield from self._charges(mandate, charges)
        yield from self._counters(mandate, limits)
        yield from self._requests(mandate, entries, asked)

    def _charges(self, mandate: Row, charges: dict[str, _Charge]) -> Iterator[str]:
        rows = {row["id"]: row for row in self._all("SELECT * FROM charge WHERE mandate = ?", (mandate["id"],))}
        links = self._all("SELECT identity FROM link WHERE mandate = ?", (mandate["id"],))
        credentials = {mandate["identity"], *(row["identity"] for row in links)}
        if rows.keys() != charges.keys():
            yield f"charges without entry or entries without charge: {sorted(rows.keys() ^ charges.keys())}"
        for charge_id in rows.keys() & charges.keys():
            row, charge = rows[charge_id], charges[charge_id]
            yield from _unlike(f"charge {charge_id}", _charge_row(charge, mandate), dict(row))
            if row["credential"] not in credentials:
                yield f"charge {charge_id}: paid under no credential of this mandate"
            self.audit.charges[charge.state] += 1
            if row["state"] in LIVE:
                self._paid[row["payee"], row["order_no"]] += 1
            debits = dict(self._all("SELECT name, amount FROM debit WHERE charge = ?", (charge_id,)).fetchall())
            taken = {
                change["limit"]: row["amount_minor"] if change.get("unit", "AMOUNT") == "AMOUNT" else 1
                for change in charge.receipt["counters"]
            }
            if debits != taken:
                yield f"charge {charge_id}: debits {debits}"
        self.audit.held_minor += sum(row["amount_minor"] for row in rows.values() if row["state"] == "HELD")
        self.audit.captured_minor += sum(row["captured_minor"] for row in rows.values())

    def _counters(self, mandate: Row, limits: dict[str, _Limit]) -> Iterator[str]:
        rows = {row["name"]: row for row in self._all("SELECT * FROM counter WHERE mandate = ?", (mandate["id"],))}
        if rows.keys() != limits.keys():
            yield f"counters {sorted(rows)}, entries count {sorted(limits)}"
        for name in rows.keys() & limits.keys():
            row, limit = rows[name], limits[name]
            counted = {"cap": limit.cap, "held": limit.held, "captured": limit.captured}
            kept = {"unit": limit.unit, "sliding_seconds": limit.sliding_seconds}
            yield from _unlike(f"counter {name}", counted | kept, dict(row))
            held, captured = self._all(_TAKEN[limit.unit], (mandate["id"], name)).fetchone()
            if limit.sliding_seconds is None:
                yield from _unlike(f"counter {name}", {"held": held or 0, "captured": captured or 0}, dict(row))
            if row["held"] + row["captured"] > row["cap"]:
                yield f"counter {name} is above its cap"
        slides = {(row["name"], row["charge"]): tuple(row)[2:] for row in self._all(_SLIDES, (mandate["id"],))}
        if slides != {(name, each): stands for name, limit in limits.items() for each, stands in limit.charges.items()}:
            yield f"sliding debits {slides}"

    def _requests(self, mandate: Row, entries: list[Row], asked: dict[int, bytes]) -> Iterator[str]:
        rows = self._all("SELECT * FROM request WHERE mandate = ?", (mandate["id"],)).fetchall()
        if {row["sequence"]: row["identity"] for row in rows} != asked or len(rows) != len(asked):
            yield "requests and the entries that answer them are not the same"
        agents = {row["sequence"]: row["agent_id"] for row in rows}
        for entry in entries:
            if entry["sequence"] in asked and agents.get(entry["sequence"]) not in _claims(entry)[3]:
                yield f"entry {entry['sequence']} answers another agent's request"


# What the charges say that a limit has counted, in each unit.
_TAKEN: Final = {
    "AMOUNT": "SELECT sum(amount_minor) FILTER (WHERE state = 'HELD'), sum(captured_minor) "
    "FROM charge JOIN debit ON debit.charge = charge.id WHERE mandate = ? AND name = ?",
    "TIMES": "SELECT count(*) FILTER (WHERE state = 'HELD'), count(*) FILTER (WHERE state = 'CAPTURED') "
    "FROM charge JOIN debit ON debit.charge = charge.id WHERE mandate = ? AND name = ?",
}
_SLIDES: Final = "SELECT name, charge, at, held, captured FROM sliding_debit WHERE mandate = ?"


def _claims(entry: Row) -> dict[Any, Any]:
    claims = cbor.decode(entry["receipt_payload"])
    assert isinstance(claims, dict)
    return claims


def _receipt(entry: Row) -> dict[str, Any]:
    claims = _claims(entry)
    body: dict[str, Any] = claims[ACT_CLAIM]
    return {"iat": claims[6], **body}


def _identity(entry: Row) -> bytes:
    return sha256(cbor.sig_structure(entry["receipt_protected"], entry["receipt_payload"])).digest()


def _said(entry: Row, mandate: Row, head: bytes | None) -> dict[str, Any]:
    """What an entry's receipt has to say, as far as the entry knows."""
    minor = entry["amount_minor"]
    return {
        "iat": entry["at"],
        "sequence": entry["sequence"],
        "state": entry["kind"],
        "previous": head,
        "delegator_identity": mandate["delegator_identity"],
        "delegation_id": bytes.fromhex(mandate["delegation_id"].removeprefix("urn:uuid:").replace("-", "")),
        "credential": mandate["identity"],
        "trade_no": entry["charge"],
        "amount": None if minor is None else Amount(minor, mandate["currency"]).text,
        "currency": None if minor is None else mandate["currency"],
        "code": entry["code"],
    }


def _charge_row(charge: _Charge, mandate: Row) -> dict[str, Any]:
    """What the row of a charge has to be."""
    receipt = charge.receipt
    return {
        "request_identity": receipt["request"],
        "order_no": receipt["order_no"],
        "order_identity": receipt["order"],
        "currency": mandate["currency"],
        "amount_minor": charge.reserved["amount_minor"],
        "captured_minor": charge.captured,
        "state": charge.state,
        "reserved_at": charge.reserved["at"],
        "hold_expires_at": receipt["hold_expires_at"],
        "closed_sequence": charge.closed,
        "tzdata_version": receipt.get("tzdata_version"),
    }


def _move(entry: Row, receipt: dict[str, Any], charges: dict[str, _Charge], limits: dict[str, _Limit]) -> Iterator[str]:
    """Applies an entry that moves money; yields what it may not do, or says otherwise than the fold."""
    minor = entry["amount_minor"]
    if entry["kind"] == "RESERVED":
        if entry["charge"] in charges:
            yield "the charge is reserved twice"
        charge = charges[entry["charge"]] = _Charge(entry, receipt)
        held, captured = minor, 0
    else:
        if entry["charge"] not in charges or charges[entry["charge"]].state != "HELD":
            yield "no open hold to close"
            return
        charge = charges[entry["charge"]]
        reserved = charge.reserved["amount_minor"]
        captured = minor if entry["kind"] == "CAPTURED" else 0
        if captured > reserved or (not captured and minor != reserved):
            yield f"{minor} of a hold of {reserved}"
        charge.state, charge.captured, charge.closed = entry["kind"], captured, entry["sequence"]
        held = -reserved
    if not receipt["counters"]:
        yield "money moved and no counter did"
    if sorted(change["limit"] for change in receipt["counters"]) != sorted(
        change["limit"] for change in charge.receipt["counters"]
    ):
        yield "other limits than those it was reserved under"
    for change in receipt["counters"]:
        limit = limits.setdefault(change["limit"], _limit(change))
        was_held, was_captured = limit.at(entry["at"])
        if limit.unit == "TIMES":
            _count(limit, entry, charge, (held > 0) - (held < 0), int(captured > 0))
        else:
            _count(limit, entry, charge, held, captured)
        now_held, now_captured = limit.at(entry["at"])
        said = {"cap": limit.cap, "held_before": was_held, "captured_before": was_captured}
        yield from _unlike(change["limit"], said | {"held": now_held, "captured": now_captured}, change)
        if now_held < 0 or (entry["kind"] == "RESERVED" and now_held + now_captured > limit.cap):
            yield f"{change['limit']}: {now_held} held and {now_captured} captured of {limit.cap}"


def _limit(change: dict[str, Any]) -> _Limit:
    """A counter nothing was counted by yet. A name that ends in seconds is that of a sliding one."""
    _, slides, seconds = change["limit"].partition("~")
    return _Limit(change["cap"], change.get("unit", "AMOUNT"), int(seconds) if slides else None)


def _count(limit: _Limit, entry: Row, charge: _Charge, held: int, captured: int) -> None:
    if limit.sliding_seconds is None:
        limit.held += held
        limit.captured += captured
    else:
        _, was_held, was_captured = limit.charges.get(entry["charge"], (0, 0, 0))
        limit.charges[entry["charge"]] = (charge.reserved["at"], was_held + held, was_captured + captured)


def _stand_still(receipt: dict[str, Any], limits: dict[str, _Limit]) -> Iterator[str]:
    """What a receipt that moves no money says of the counters: how they stand, twice."""
    for change in receipt["counters"]:
        limit = limits.get(change["limit"]) or _limit(change)
        held, captured = limit.at(receipt["iat"])
        stands = {"cap": limit.cap, "held": held, "captured": captured, "held_before": held, "captured_before": captured}
        yield from _unlike(change["limit"], stands, change)


def _unlike(what: str, expected: dict[str, Any], found: dict[str, Any]) -> Iterator[str]:
    """The fields in which a record is not what it has to be; a field that is None may be absent."""
    for name, value in expected.items():
        if found.get(name) != value:
            yield f"{what}: {name} is {found.get(name)!r}, not {value!r}"

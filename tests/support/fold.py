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
    cap: int
    held: int = 0
    captured: int = 0


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
        yield from self._charges(mandate, charges, limits)
        yield from self._counters(mandate, limits)
        yield from self._requests(mandate, entries, asked)

    def _charges(self, mandate: Row, charges: dict[str, _Charge], limits: dict[str, _Limit]) -> Iterator[str]:
        rows = {row["id"]: row for row in self._all("SELECT * FROM charge WHERE mandate = ?", (mandate["id"],))}
        if rows.keys() != charges.keys():
            yield f"charges without entry or entries without charge: {sorted(rows.keys() ^ charges.keys())}"
        for charge_id in rows.keys() & charges.keys():
            row, charge = rows[charge_id], charges[charge_id]
            yield from _unlike(f"charge {charge_id}", _charge_row(charge, mandate), dict(row))
            self.audit.charges[charge.state] += 1
            if row["state"] in LIVE:
                self._paid[row["payee"], row["order_no"]] += 1
            debits = dict(self._all("SELECT name, amount_minor FROM debit WHERE charge = ?", (charge_id,)).fetchall())
            if debits != {change["limit"]: row["amount_minor"] for change in charge.receipt["counters"]}:
                yield f"charge {charge_id}: debits {debits}"
        self.audit.held_minor += sum(row["amount_minor"] for row in rows.values() if row["state"] == "HELD")
        self.audit.captured_minor += sum(row["captured_minor"] for row in rows.values())

    def _counters(self, mandate: Row, limits: dict[str, _Limit]) -> Iterator[str]:
        rows = {row["name"]: row for row in self._all("SELECT * FROM counter WHERE mandate = ?", (mandate["id"],))}
        if rows.keys() != limits.keys():
            yield f"counters {sorted(rows)}, entries count {sorted(limits)}"
        for name in rows.keys() & limits.keys():
            row, limit = rows[name], limits[name]
            counted = {"cap_minor": limit.cap, "held_minor": limit.held, "captured_minor": limit.captured}
            yield from _unlike(f"counter {name}", counted, dict(row))
            held, captured = self._all(_TAKEN, (mandate["id"], name)).fetchone()
            yield from _unlike(f"counter {name}", {"held_minor": held or 0, "captured_minor": captured or 0}, dict(row))
            if row["held_minor"] + row["captured_minor"] > row["cap_minor"]:
                yield f"counter {name} is above its cap"

    def _requests(self, mandate: Row, entries: list[Row], asked: dict[int, bytes]) -> Iterator[str]:
        rows = self._all("SELECT * FROM request WHERE mandate = ?", (mandate["id"],)).fetchall()
        if {row["sequence"]: row["identity"] for row in rows} != asked or len(rows) != len(asked):
            yield "requests and the entries that answer them are not the same"
        agents = {row["sequence"]: row["agent_id"] for row in rows}
        for entry in entries:
            if entry["sequence"] in asked and agents.get(entry["sequence"]) not in _claims(entry)[3]:
                yield f"entry {entry['sequence']} answers another agent's request"


# What the charges say that a limit has counted: those under a link alone are not debited to its siblings.
_TAKEN: Final = (
    "SELECT sum(charge.amount_minor) FILTER (WHERE state = 'HELD'), sum(captured_minor) "
    "FROM charge JOIN debit ON debit.charge = charge.id WHERE mandate = ? AND name = ?"
)


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
        "delegation_id": mandate["delegation_id"],
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
        "credential": receipt["credential"],
        "order_no": receipt["order_no"],
        "order_identity": receipt["order"],
        "currency": mandate["currency"],
        "amount_minor": charge.reserved["amount_minor"],
        "captured_minor": charge.captured,
        "state": charge.state,
        "reserved_at": charge.reserved["at"],
        "hold_expires_at": receipt["hold_expires_at"],
        "closed_sequence": charge.closed,
    }


def _move(entry: Row, receipt: dict[str, Any], charges: dict[str, _Charge], limits: dict[str, _Limit]) -> Iterator[str]:
    """Applies an entry that moves money; yields what it may not do, or says otherwise than the fold."""
    minor = entry["amount_minor"]
    if entry["kind"] == "RESERVED":
        if entry["charge"] in charges:
            yield "the charge is reserved twice"
        charges[entry["charge"]] = _Charge(entry, receipt)
        held, captured = minor, 0
    else:
        charge = charges.get(entry["charge"])
        if charge is None or charge.state != "HELD":
            yield "no open hold to close"
            return
        reserved = charge.reserved["amount_minor"]
        captured = minor if entry["kind"] == "CAPTURED" else 0
        if captured > reserved or (not captured and minor != reserved):
            yield f"{minor} of a hold of {reserved}"
        charge.state, charge.captured, charge.closed = entry["kind"], captured, entry["sequence"]
        held = -reserved
    if not receipt["counters"]:
        yield "money moved and no counter did"
    for change in receipt["counters"]:
        limit = limits.setdefault(change["limit"], _Limit(change["cap"]))
        before = {"cap": limit.cap, "held_before": limit.held, "captured_before": limit.captured}
        limit.held += held
        limit.captured += captured
        yield from _unlike(change["limit"], before | {"held": limit.held, "captured": limit.captured}, change)
        if limit.held < 0 or limit.held + limit.captured > limit.cap:
            yield f"{change['limit']}: {limit.held} held and {limit.captured} captured of {limit.cap}"


def _stand_still(receipt: dict[str, Any], limits: dict[str, _Limit]) -> Iterator[str]:
    """What a receipt that moves no money says of the counters: how they stand, twice."""
    for change in receipt["counters"]:
        limit = limits.get(change["limit"], _Limit(change["cap"]))
        stands = {"cap": limit.cap, "held": limit.held, "captured": limit.captured}
        stands |= {"held_before": limit.held, "captured_before": limit.captured}
        yield from _unlike(change["limit"], stands, change)


def _unlike(what: str, expected: dict[str, Any], found: dict[str, Any]) -> Iterator[str]:
    """The fields in which a record is not what it has to be; a field that is None may be absent."""
    for name, value in expected.items():
        if found.get(name) != value:
            yield f"{what}: {name} is {found.get(name)!r}, not {value!r}"

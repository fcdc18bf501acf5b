"""A second opinion on a ledger: folds its entries and their receipts, and finds whatever else in it disagrees with them.

It shares no arithmetic with the store, so that one mistake cannot hide in both: counters are added up from the entries and from
the charges, and compared with what each receipt says of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from act.envelope.kinds import RECEIPT
from act.envelope.objects import open_object, rebuild
from act.envelope.opened import encode_signed
from act.errors import Refused
from act.keys import SIGNATURE_SIZE
from act.money import Amount
from act.stores.sql.audit_fold import FoldedCharge, FoldedLimit, Row, move, stand_still, unlike
from act.stores.sql.audit_line import FoldedLine
from act.stores.sql.audit_standing import FoldedStandings
from act.stores.sql.transaction import Transaction, named_rows

__all__ = ["Audit", "audit_ledger"]

_LIVE: Final = ("HELD", "PARTIALLY_CAPTURED", "CAPTURED")
_MOVES: Final = ("RESERVED", "PARTIALLY_CAPTURED", "CAPTURED", "VOIDED", "EXPIRED", "REFUNDED")


@dataclass(slots=True)
class Audit:
    """What a ledger adds up to, over all its mandates and currencies, and what in it disagrees, in plain words.

    Amounts are minor units. `charges` are counted by state, `entries` by kind.
    """

    mandates: int = 0
    held_minor: int = 0
    captured_minor: int = 0
    refunded_minor: int = 0
    charges: Counter[str] = field(default_factory=Counter)
    entries: Counter[str] = field(default_factory=Counter)
    disagreements: list[str] = field(default_factory=list)


def audit_ledger(tx: Transaction, progress: Callable[[int, int], None] | None = None) -> Audit:
    """Folds the entries of a ledger and compares everything in it with them; changes nothing. `progress` is told how many
    mandates of how many are done."""
    fold = _Fold(tx, progress or (lambda done, of: None))
    try:
        fold.audit.disagreements += fold.run()
    except (LookupError, TypeError, ValueError, Refused) as damage:
        fold.audit.disagreements.append(f"this cannot be read as a ledger: {damage}")
    return fold.audit


class _Fold:
    """One pass over a ledger, mandate by mandate."""

    def __init__(self, tx: Transaction, progress: Callable[[int, int], None]) -> None:
        self.audit = Audit()
        self._progress = progress
        self._tx = tx
        self._paid: Counter[tuple[str, str]] = Counter()
        owner = tx.execute("SELECT ledger_id FROM ledger").fetchone()
        self._owner = None if owner is None else owner[0]

    def _all(self, statement: str, *values: Any) -> list[Row]:
        return named_rows(self._tx.execute(statement, values))

    def run(self) -> Iterator[str]:
        """Yields what disagrees, in plain words."""
        mandates = self._all("SELECT * FROM account JOIN mandate ON mandate.account = account.id")
        self.audit.mandates = len(mandates)
        for done, mandate in enumerate(mandates):
            self._progress(done, len(mandates))
            name = f"{mandate['account']}/{mandate['number']}"
            yield from (f"mandate {name}: {problem}" for problem in self._mandate(mandate))
        both = "mandate.identity = former.identity OR mandate.delegation_id = former.delegation_id"
        twice = f"SELECT number FROM mandate JOIN former_mandate AS former ON mandate.account = former.account AND ({both})"
        yield from (f"mandate {row['number']} pays although it was replaced" for row in self._all(twice))
        yield from (f"charge {row['id']} is not what any entry reserved" for row in self._all(_STRAYS))
        yield from (f"order {order} is paid {count} times" for order, count in self._paid.items() if count > 1)
        for table in ("entry", "counter", "charge", "request", "link", "instruction", "former_mandate"):
            owners = {(row["account"], row["mandate"]) for row in self._all(f"SELECT DISTINCT account, mandate FROM {table}")}
            if owners - {(mandate["account"], mandate["number"]) for mandate in mandates}:
                yield f"{table} rows without a mandate"

    def _mandate(self, mandate: Row) -> Iterator[str]:
        limits: dict[str, FoldedLimit] = {}
        charges: dict[str, FoldedCharge] = {}
        asked: dict[int, tuple[bytes, list[str]]] = {}
        head: bytes | None = None
        number = 0
        line = FoldedLine(mandate, self._under("former_mandate", mandate, "ORDER BY ended"))
        standings = FoldedStandings(mandate, self._under("link", mandate), line)
        rows = {row["id"]: row for row in self._all(_CHARGES, mandate["account"], mandate["number"])}
        paid_under: dict[str, bytes] = {charge_id: row["credential"] for charge_id, row in rows.items()}
        for number, entry in enumerate(self._entries(mandate), 1):
            receipt = _receipt(entry)
            yield from unlike(f"entry {number}", _said(entry, mandate, head) | line.named(entry, receipt), receipt)
            if entry["sequence"] != number:
                yield f"entry {entry['sequence']} stands where {number} belongs"
            if receipt["iss"] != self._owner:
                yield f"entry {number}: a receipt of {receipt['iss']}"
            kind = entry["kind"]
            self.audit.entries[kind] += 1
            if kind == "RESERVED" and entry["charge"] in paid_under and standings.stopped(paid_under[entry["charge"]], number):
                yield f"entry {number}: reserved under what was suspended, revoked or replaced"
            held = ((name, paid_under[name]) for name, each in charges.items() if each.held and name in paid_under)
            yield from (f"entry {number}: {problem}" for problem in standings.record(entry, receipt, held))
            if kind in ("RESERVED", "REFUSED"):
                asked[number] = receipt["request"], receipt["aud"]
            if kind in _MOVES:
                moved = move(entry, receipt, charges, limits, mandate, line.moved)
                yield from (f"entry {number}: {problem}" for problem in moved)
            elif kind == "SUCCEEDED":
                carried = line.take_over(entry, receipt, charges, limits)
                yield from (f"entry {number}: {problem}" for problem in carried)
            else:
                yield from (f"entry {number}: {problem}" for problem in stand_still(receipt, limits))
            head = receipt["identity"]
        yield from unlike("row", {"last_sequence": number, "last_receipt": head}, mandate)
        yield from standings.rows(self._under("instruction", mandate))
        yield from line.rows()
        ends = [each.receipt["hold_expires_at"] for each in charges.values() if each.closed is None]
        if ends and (mandate["first_hold_end"] is None or min(ends) < mandate["first_hold_end"]):
            yield "row: an open hold ends before first_hold_end"
        for charge_id in rows.keys() & charges.keys():
            if not line.debits(rows[charge_id], charges[charge_id], limits):
                yield f"charge {charge_id}: debited to {rows[charge_id]['debits'].split()}"
        yield from self._charges(mandate, charges, rows, standings.credentials)
        yield from self._counters(mandate, limits, list(rows.values()))
        yield from self._requests(mandate, asked)

    def _under(self, table: str, mandate: Row, order: str = "") -> list[Row]:
        of = (mandate["account"], mandate["number"])
        return self._all(f"SELECT * FROM {table} WHERE account = ? AND mandate = ? {order}", *of)

    def _entries(self, mandate: Row) -> Iterator[Row]:
        """One after the other: a mandate may have a million."""
        rows = self._tx.execute(_ENTRIES, (mandate["account"], mandate["number"]))
        names = [column[0] for column in rows.description or ()]
        return (dict(zip(names, row, strict=True)) for row in rows)

    def _charges(
        self, mandate: Row, charges: dict[str, FoldedCharge], rows: dict[str, Row], credentials: set[bytes]
    ) -> Iterator[str]:
        if rows.keys() != charges.keys():
            yield f"charges without entry or entries without charge: {sorted(rows.keys() ^ charges.keys())}"
        for charge_id in rows.keys() & charges.keys():
            row, charge = rows[charge_id], charges[charge_id]
            yield from unlike(f"charge {charge_id}", _charge_row(charge, mandate), row)
            if [row["payee"], row["agent_id"]] != (charge.receipt["aud"] * 2)[:2]:  # one name where both are the same
                yield f"charge {charge_id}: {row['payee']} and {row['agent_id']} are not whom its receipt is for"
            if row["credential"] not in credentials:
                yield f"charge {charge_id}: paid under no credential of this mandate"
            self.audit.charges[charge.state] += 1
            if row["state"] in _LIVE:
                self._paid[row["payee"], row["order_no"]] += 1
            parts = self._all(_PARTS, mandate["account"], charge_id)
            if {tuple(part.values()) for part in parts} != charge.parts:
                yield f"charge {charge_id}: parts are not what its entries say"
        self.audit.held_minor += sum(each.held for each in charges.values())
        self.audit.captured_minor += sum(each.captured for each in charges.values())
        self.audit.refunded_minor += sum(each.refunded for each in charges.values())

    def _counters(self, mandate: Row, limits: dict[str, FoldedLimit], charges: list[Row]) -> Iterator[str]:
        rows = {row["name"]: row for row in self._under("counter", mandate)}
        if rows.keys() != limits.keys():
            yield f"counters {sorted(rows)}, entries count {sorted(limits)}"
        counted_in: dict[str, list[Row]] = {}
        for charge in charges:
            for name in charge["debits"].split("\n"):
                counted_in.setdefault(name, []).append(charge)
        for name in rows.keys() & limits.keys():
            row, limit = rows[name], limits[name]
            counted = {"cap": limit.cap, "held": limit.held, "captured": limit.captured, "carried": limit.carried}
            kept = {"unit": limit.unit, "sliding_seconds": limit.sliding_seconds}
            yield from unlike(f"counter {name}", counted | kept, row)
            if limit.sliding_seconds is None:
                taken = _taken(counted_in.get(name, []), limit.unit, restores=bool(mandate["refund_restores"]))
                yield from unlike(f"counter {name}", taken, row)
            if row["held"] + row["captured"] > max(row["cap"], row["carried"]):
                yield f"counter {name} is above its cap"
        stands = self._under("sliding_debit", mandate)
        slides = {(row["name"], row["charge"]): (row["at"], row["held"], row["captured"]) for row in stands}
        if slides != {(name, each): stands for name, limit in limits.items() for each, stands in limit.charges.items()}:
            yield f"sliding debits {slides}"

    def _requests(self, mandate: Row, asked: dict[int, tuple[bytes, list[str]]]) -> Iterator[str]:
        rows = self._under("request", mandate)
        identities = {sequence: identity for sequence, (identity, _) in asked.items()}
        if {row["sequence"]: row["identity"] for row in rows} != identities or len(rows) != len(asked):
            yield "requests and the entries that answer them are not the same"
        agents = {row["sequence"]: row["agent_id"] for row in rows}
        for sequence, (_, audience) in asked.items():
            if agents.get(sequence) not in audience:
                yield f"entry {sequence} answers another agent's request"


_ENTRIES: Final = "SELECT * FROM entry WHERE account = ? AND mandate = ? ORDER BY sequence"
_CHARGES: Final = (
    "SELECT charge.* FROM entry JOIN charge ON charge.account = entry.account AND charge.id = entry.charge "
    "WHERE entry.account = ? AND entry.mandate = ? AND entry.kind = 'RESERVED'"
)
"""Those that a mandate's entries name. No index leads from a mandate to its charges, and none is needed but for this."""

_STRAYS: Final = (
    "SELECT charge.id FROM charge LEFT JOIN entry ON entry.account = charge.account AND entry.mandate = charge.mandate "
    "AND entry.sequence = charge.sequence AND entry.charge = charge.id WHERE entry.sequence IS NULL"
)
_PARTS: Final = "SELECT kind, number, amount_minor, sequence FROM part WHERE account = ? AND charge = ?"


def _taken(charges: list[Row], unit: str, *, restores: bool) -> dict[str, int]:
    """What the charges say that a limit has counted."""
    if unit == "AMOUNT":
        return {
            "held": sum(row["amount_minor"] - row["captured_minor"] for row in charges if row["closed_sequence"] is None),
            "captured": sum(row["captured_minor"] - restores * row["refunded_minor"] for row in charges),
        }
    captured = [row for row in charges if not (restores and row["refunded_minor"] == row["captured_minor"])]
    return {
        "held": sum(row["state"] == "HELD" for row in charges),
        "captured": sum(row["state"] == "CAPTURED" for row in captured)
        + sum(row["state"] == "PARTIALLY_CAPTURED" for row in charges),
    }


def _receipt(entry: Row) -> dict[str, Any]:
    """What an entry's receipt claims, whichever envelope it stands in, and its identity."""
    unsigned = rebuild(entry["receipt_protected"], entry["receipt_payload"])
    opened = open_object(encode_signed(unsigned, bytes(SIGNATURE_SIZE)), RECEIPT)
    claims = opened.claims
    body: dict[str, Any] = claims["act"]
    return {"iss": claims["iss"], "aud": claims["aud"], "iat": claims["iat"], "identity": opened.identity, **body}


def _said(entry: Row, mandate: Row, head: bytes | None) -> dict[str, Any]:
    """What an entry's receipt has to say, as far as the entry knows."""
    minor = entry["amount_minor"]
    return {
        "iat": entry["at"],
        "sequence": entry["sequence"],
        "state": entry["kind"],
        "previous": head,
        "delegator_identity": mandate["delegator_identity"],
        "trade_no": entry["charge"],
        "amount": None if minor is None else Amount(minor, mandate["currency"]).text,
        "currency": None if minor is None else mandate["currency"],
        "code": entry["code"],
    }


def _charge_row(charge: FoldedCharge, mandate: Row) -> dict[str, Any]:
    """What the row of a charge has to be."""
    receipt = charge.receipt
    return {
        "mandate": mandate["number"],
        "request_identity": receipt["request"],
        "order_no": receipt["order_no"],
        "order_identity": receipt["order"],
        "currency": mandate["currency"],
        "amount_minor": charge.reserved["amount_minor"],
        "captured_minor": charge.captured,
        "refunded_minor": charge.refunded,
        "state": charge.state,
        "sequence": charge.reserved["sequence"],
        "reserved_at": charge.reserved["at"],
        "hold_expires_at": receipt["hold_expires_at"],
        "closed_sequence": charge.closed,
        "tzdata_version": receipt.get("tzdata_version"),
    }

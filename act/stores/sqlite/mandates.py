"""Rows of mandates and their entries. Called inside a transaction; the mandate's row is what serializes everything under it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from act.delegation.lifecycle import MandateState
from act.delegation.mandate import MandateKey
from act.envelope.objects import Format, Unsigned, rebuild
from act.errors import Refused
from act.payment.ledger import Entry, MandateRecord, ReceiptMaker
from act.payment.verifier import LinkRecord
from act.wire import cbor

__all__ = [
    "MandateRow",
    "append",
    "find_mandate",
    "mandate_by_id",
    "pin",
    "record_links",
    "require_pinnable",
    "require_trusted",
    "stored_receipt",
    "stored_receipts",
    "stored_refusal",
]

_COLUMNS: Final = (
    "id, issuer, delegator_identity, delegation_id, identity, agent_id, currency, expires_at, on_revoke, format, "
    "refund_restores, pinned_at, state, last_sequence, last_receipt, first_hold_end"
)


@dataclass(frozen=True, slots=True)
class MandateRow:
    """One mandate as stored. No open hold of it ends before `first_hold_end`; None while nothing was ever held."""

    id: int
    record: MandateRecord
    pinned_at: int
    state: MandateState
    last_sequence: int
    last_receipt: bytes | None
    first_hold_end: int | None = None

    def has_ended_holds(self, at: int) -> bool:
        """Whether it is worth looking for them."""
        return self.first_hold_end is not None and at >= self.first_hold_end


def find_mandate(connection: sqlite3.Connection, key: MandateKey) -> MandateRow | None:
    """The row of a mandate, None if the ledger has never seen it."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM mandate WHERE issuer = ? AND delegator_identity = ? AND delegation_id = ?",
        (key.issuer, key.delegator_identity, key.delegation_id),
    ).fetchone()
    return None if row is None else _mandate(row)


def mandate_by_id(connection: sqlite3.Connection, mandate_id: int) -> MandateRow:
    """The row a foreign key names."""
    return _mandate(connection.execute(f"SELECT {_COLUMNS} FROM mandate WHERE id = ?", (mandate_id,)).fetchone())


def _mandate(row: tuple[Any, ...]) -> MandateRow:
    key = MandateKey(row[1], row[2], row[3])
    record = MandateRecord(key, row[4], row[5], row[6], row[7], row[8], Format(row[9]), bool(row[10]))
    return MandateRow(row[0], record, row[11], MandateState(row[12]), row[13], row[14], row[15])


def require_trusted(found: MandateRow | None, mandate: MandateRecord, pinned_before: int | None) -> None:
    """Rule ACT-PAR-05: raises `Refused` key_compromised when this very mandate was not recorded before its issuer's key was
    compromised."""
    is_recorded = found is not None and found.record.identity == mandate.identity
    if pinned_before is not None and not (found is not None and is_recorded and found.pinned_at < pinned_before):
        raise Refused("key_compromised", "mandate.iss", compromised_at=pinned_before)


def require_pinnable(found: MandateRow | None, mandate: MandateRecord, pinned_before: int | None) -> None:
    """What `require_trusted` asks, and rule ACT-LED-01: raises `Refused` credential_conflict when another identity stands under
    the mandate's key."""
    require_trusted(found, mandate, pinned_before)
    if found is not None and found.record.identity != mandate.identity:
        raise Refused("credential_conflict", "mandate.delegation_id")


def pin(
    connection: sqlite3.Connection, found: MandateRow | None, mandate: MandateRecord, at: int, pinned_before: int | None
) -> MandateRow:
    """The mandate's row, made now if this is its first use. Raises what `require_pinnable` raises."""
    require_pinnable(found, mandate, pinned_before)
    if found is not None:
        return found
    key = mandate.key
    cursor = connection.execute(
        "INSERT INTO mandate (issuer, delegator_identity, delegation_id, identity, agent_id, currency, expires_at, "
        "on_revoke, format, refund_restores, pinned_at, state, last_sequence) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'Active', 0)",
        (
            key.issuer,
            key.delegator_identity,
            key.delegation_id,
            mandate.identity,
            mandate.agent_id,
            mandate.currency,
            mandate.expires_at,
            mandate.on_revoke,
            mandate.format.value,
            int(mandate.refund_restores),
            at,
        ),
    )
    assert cursor.lastrowid is not None  # noqa: S101 - an INSERT that did not raise made a row
    return MandateRow(cursor.lastrowid, mandate, at, MandateState.ACTIVE, 0, None)


def record_links(connection: sqlite3.Connection, mandate_id: int, links: Sequence[LinkRecord], at: int) -> None:
    """Records the links of a chain at their first use. They are known by identity, which is also what their counters are named
    by: whatever id a link gives itself, it cannot take another one's name."""
    for link in links:
        connection.execute(
            "INSERT INTO link (mandate, identity, delegation_id, agent_id, pinned_at) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT DO NOTHING",
            (mandate_id, link.identity, link.delegation_id, link.agent_id, at),
        )


def append(
    connection: sqlite3.Connection,
    row: MandateRow,
    entry: Entry,
    make_receipt: ReceiptMaker,
    *,
    refusal: Refused | None = None,
    state: MandateState | None = None,
) -> Unsigned:
    """Appends an entry, makes its receipt and moves the mandate's head to it (and its lifecycle state, if one is given)."""
    first_hold_end = row.first_hold_end
    if entry.hold_expires_at is not None:
        first_hold_end = entry.hold_expires_at if first_hold_end is None else min(first_hold_end, entry.hold_expires_at)
    receipt = make_receipt(entry)
    connection.execute(
        "INSERT INTO entry "
        "(mandate, sequence, kind, at, charge, amount_minor, code, place, facts, receipt_protected, receipt_payload, "
        "receipt_identity) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            row.id,
            entry.sequence,
            entry.kind.value,
            entry.at,
            entry.charge_id,
            entry.amount.minor if entry.amount else None,
            entry.code,
            refusal.where if refusal else None,
            cbor.encode(dict(refusal.facts)) if refusal else None,
            receipt.protected,
            receipt.payload,
            receipt.identity,
        ),
    )
    connection.execute(
        "UPDATE mandate SET last_sequence = ?, last_receipt = ?, state = ?, first_hold_end = ? WHERE id = ?",
        (entry.sequence, receipt.identity, (state or row.state).value, first_hold_end, row.id),
    )
    return receipt


def stored_receipts(connection: sqlite3.Connection, mandate_id: int) -> tuple[Unsigned, ...]:
    """Every receipt of a mandate, in the order of its entries."""
    (last,) = connection.execute("SELECT last_sequence FROM mandate WHERE id = ?", (mandate_id,)).fetchone()
    return tuple([stored_receipt(connection, mandate_id, sequence) for sequence in range(1, last + 1)])


def stored_receipt(connection: sqlite3.Connection, mandate_id: int, sequence: int) -> Unsigned:
    """The receipt of an entry, as it was made then."""
    protected, payload, identity = connection.execute(
        "SELECT receipt_protected, receipt_payload, receipt_identity FROM entry WHERE mandate = ? AND sequence = ?",
        (mandate_id, sequence),
    ).fetchone()
    try:
        receipt = rebuild(protected, payload)
    except Refused as damage:
        raise ValueError("a stored receipt's header is damaged") from damage
    if receipt.identity != identity:  # nothing damaged is signed, and nobody but the store is to blame
        raise ValueError("a stored receipt is damaged")
    return receipt


def stored_refusal(connection: sqlite3.Connection, mandate_id: int, sequence: int) -> Refused:
    """The refusal of an entry, as it was raised then."""
    code, place, facts = connection.execute(
        "SELECT code, place, facts FROM entry WHERE mandate = ? AND sequence = ?", (mandate_id, sequence)
    ).fetchone()
    try:
        return Refused(code, place, **cbor.decode(facts))  # type: ignore[arg-type]  # written by `append`: texts and integers
    except Refused as damage:
        raise ValueError("the facts of a stored refusal are damaged") from damage  # the store's fault, not the token's

"""Rows of charges. Called inside a transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from act.delegation.mandate import MandateKey
from act.errors import InvalidCall, Refused
from act.money import Amount
from act.payment.charge import ChargeRecord, ChargeState
from act.payment.verifier import RequestKey
from act.stores.sqlite.mandates import mandate_by_id

__all__ = [
    "ChargeRow",
    "Part",
    "charges_of",
    "find_charge",
    "find_paid",
    "find_part",
    "first_hold_end",
    "insert_charge",
    "insert_part",
    "is_numbered",
    "open_holds_of",
    "update_charge",
]

_COLUMNS: Final = (
    "mandate, sequence, closed_sequence, id, agent_id, holder, request_id, request_identity, credential, payee, order_no, "
    "order_identity, amount_minor, currency, captured_minor, state, reserved_at, hold_expires_at, tzdata_version, "
    "refunded_minor"
)


@dataclass(frozen=True, slots=True)
class ChargeRow:
    """One charge as stored. `sequence` is the entry that reserved it, `closed_sequence` the one that closed its hold, None
    while money is held."""

    mandate_id: int
    sequence: int
    closed_sequence: int | None
    record: ChargeRecord

    def has_ended(self, at: int) -> bool:
        """Whether money is held that no longer should be."""
        return self.closed_sequence is None and at >= self.record.hold_expires_at


def _charge(row: Sequence[Any], mandate: MandateKey) -> ChargeRow:
    _, _, _, charge_id, agent_id, holder, request_id, identity, credential, payee, order_no, order, *rest = row
    minor, currency, captured, state, reserved_at, hold_expires_at, tzdata_version, refunded = rest
    try:
        amount = Amount(minor, currency)
    except InvalidCall as damage:
        raise ValueError("a stored amount is damaged") from damage  # the store's fault, not the caller's
    record = ChargeRecord(
        charge_id,
        RequestKey(mandate, agent_id, holder, request_id),
        identity,
        credential,
        payee,
        order_no,
        order,
        amount,
        captured,
        ChargeState(state),
        reserved_at,
        hold_expires_at,
        tzdata_version,
        refunded,
    )
    return ChargeRow(row[0], row[1], row[2], record)


def find_charge(connection: sqlite3.Connection, charge_id: str) -> ChargeRow:
    """The row of a charge. Raises `Refused` charge_unknown."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM charge WHERE id = ?", (charge_id,)).fetchone()
    if row is None:
        raise Refused("charge_unknown", "charge")
    return _charge(row, mandate_by_id(connection, row[0]).record.key)


def charges_of(connection: sqlite3.Connection, mandate_id: int, mandate: MandateKey) -> tuple[ChargeRecord, ...]:
    """Every charge of a mandate, in the order of reservation."""
    columns = ", ".join(f"charge.{name}" for name in _COLUMNS.split(", "))
    rows = connection.execute(
        f"SELECT {columns} FROM entry JOIN charge ON charge.id = entry.charge "
        "WHERE entry.mandate = ? AND entry.kind = 'RESERVED' ORDER BY entry.sequence",
        (mandate_id,),
    )
    return tuple(_charge(row, mandate).record for row in rows)


def open_holds_of(
    connection: sqlite3.Connection, mandate_id: int, mandate: MandateKey, ended_by: int | None = None
) -> tuple[ChargeRow, ...]:
    """Every hold of a mandate that nothing closed yet, in the order of reservation; with `ended_by`, those that have ended by
    then, in the order in which they did."""
    bound, order = ("", "sequence") if ended_by is None else ("AND hold_expires_at <= ?", "hold_expires_at, sequence")
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM charge WHERE mandate = ? AND closed_sequence IS NULL {bound} ORDER BY {order}",
        (mandate_id,) if ended_by is None else (mandate_id, ended_by),
    ).fetchall()
    return tuple(_charge(row, mandate) for row in rows)


def first_hold_end(connection: sqlite3.Connection, mandate_id: int) -> int | None:
    """When the first open hold of a mandate ends."""
    (first,) = connection.execute(
        "SELECT min(hold_expires_at) FROM charge WHERE mandate = ? AND closed_sequence IS NULL", (mandate_id,)
    ).fetchone()
    return None if first is None else int(first)


def find_paid(connection: sqlite3.Connection, payee: str, order_no: str) -> ChargeRow | None:
    """The live or captured charge that an order has, if it has one."""
    row = connection.execute(
        "SELECT id FROM charge WHERE payee = ? AND order_no = ? AND state IN ('HELD', 'PARTIALLY_CAPTURED', 'CAPTURED')",
        (payee, order_no),
    ).fetchone()
    return None if row is None else find_charge(connection, row[0])


def insert_charge(connection: sqlite3.Connection, mandate_id: int, sequence: int, charge: ChargeRecord) -> None:
    """A new charge, reserved by the entry of that sequence. Its counters are `counters.debit`'s business."""
    connection.execute(
        f"INSERT INTO charge ({_COLUMNS}) VALUES (?, ?, NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            mandate_id,
            sequence,
            charge.id,
            charge.request.agent_id,
            charge.request.holder,
            charge.request.request_id,
            charge.request_identity,
            charge.credential,
            charge.payee,
            charge.order_no,
            charge.order,
            charge.amount.minor,
            charge.amount.currency,
            charge.captured_minor,
            charge.state.value,
            charge.reserved_at,
            charge.hold_expires_at,
            charge.tzdata_version,
            charge.refunded_minor,
        ),
    )


def update_charge(connection: sqlite3.Connection, charge: ChargeRecord, closed_sequence: int | None) -> None:
    """How a charge stands now. Its counters are `counters.move`'s business."""
    connection.execute(
        "UPDATE charge SET state = ?, captured_minor = ?, refunded_minor = ?, closed_sequence = ? WHERE id = ?",
        (charge.state.value, charge.captured_minor, charge.refunded_minor, closed_sequence, charge.id),
    )


@dataclass(frozen=True, slots=True)
class Part:
    """What a payee named by a number: how much it was, and the entry that recorded it."""

    amount_minor: int
    sequence: int


def find_part(connection: sqlite3.Connection, charge_id: str, kind: str, number: str) -> Part | None:
    """The part of a charge with that number. `kind` is CAPTURE or REFUND: each has numbers of its own."""
    row = connection.execute(
        "SELECT amount_minor, sequence FROM part WHERE charge = ? AND kind = ? AND number = ?", (charge_id, kind, number)
    ).fetchone()
    return None if row is None else Part(*row)


def is_numbered(connection: sqlite3.Connection, charge_id: str, sequence: int) -> bool:
    """Whether the entry of that sequence was made under a number of the payee's."""
    found = connection.execute("SELECT 1 FROM part WHERE charge = ? AND sequence = ?", (charge_id, sequence)).fetchone()
    return found is not None


def insert_part(connection: sqlite3.Connection, charge_id: str, kind: str, number: str, part: Part) -> None:
    """Remembers a part under its number."""
    connection.execute(
        "INSERT INTO part (charge, kind, number, amount_minor, sequence) VALUES (?, ?, ?, ?, ?)",
        (charge_id, kind, number, part.amount_minor, part.sequence),
    )

"""Rows of charges. Called inside a transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from act.delegation.mandate import MandateKey
from act.errors import InvalidCall, Refused
from act.money import Amount
from act.payment.ledger import ChargeRecord, ChargeState, CounterChange
from act.payment.verifier import RequestKey
from act.stores.sqlite import counters
from act.stores.sqlite.mandates import mandate_by_id

__all__ = [
    "ChargeRow",
    "charges_of",
    "close_charge",
    "find_charge",
    "held_charges_of",
    "insert_charge",
    "require_order_unpaid",
]

_COLUMNS: Final = (
    "mandate, closed_sequence, id, agent_id, holder, request_id, request_identity, credential, payee, order_no, "
    "order_identity, amount_minor, currency, captured_minor, state, reserved_at, hold_expires_at, tzdata_version"
)


@dataclass(frozen=True, slots=True)
class ChargeRow:
    """One charge as stored. `closed_sequence` is the entry that closed it, None while it is held."""

    mandate_id: int
    closed_sequence: int | None
    record: ChargeRecord


def _charge(row: Sequence[Any], mandate: MandateKey) -> ChargeRow:
    _, _, charge_id, agent_id, holder, request_id, identity, credential, payee, order_no, order, *rest = row
    minor, currency, captured, state, reserved_at, hold_expires_at, tzdata_version = rest
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
    )
    return ChargeRow(row[0], row[1], record)


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


def held_charges_of(connection: sqlite3.Connection, mandate_id: int, mandate: MandateKey) -> tuple[ChargeRow, ...]:
    """Every hold of a mandate that nothing closed yet, in the order of reservation."""
    columns = ", ".join(f"charge.{name}" for name in _COLUMNS.split(", "))
    rows = connection.execute(
        f"SELECT {columns} FROM entry JOIN charge ON charge.id = entry.charge "
        "WHERE entry.mandate = ? AND entry.kind = 'RESERVED' AND charge.state = 'HELD' ORDER BY entry.sequence",
        (mandate_id,),
    ).fetchall()
    return tuple(_charge(row, mandate) for row in rows)


def require_order_unpaid(connection: sqlite3.Connection, payee: str, order_no: str) -> None:
    """Ledger rule 6: raises `Refused` order_already_paid if a live or captured charge has this payee and order number."""
    paid = connection.execute(
        "SELECT id FROM charge WHERE payee = ? AND order_no = ? AND state IN ('HELD', 'CAPTURED')", (payee, order_no)
    ).fetchone()
    if paid is not None:
        raise Refused("order_already_paid", "order.act.order_no")


def insert_charge(connection: sqlite3.Connection, mandate_id: int, charge: ChargeRecord) -> None:
    """A new charge. Its counters are `counters.debit`'s business."""
    connection.execute(
        f"INSERT INTO charge ({_COLUMNS}) VALUES (?, NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            mandate_id,
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
        ),
    )


def close_charge(
    connection: sqlite3.Connection, row: ChargeRow, state: ChargeState, captured_minor: int, closed_sequence: int, at: int
) -> tuple[ChargeRecord, tuple[CounterChange, ...]]:
    """Ends a hold at instant `at`: every limit it was debited to gives the hold back and takes what is captured."""
    connection.execute(
        "UPDATE charge SET state = ?, captured_minor = ?, closed_sequence = ? WHERE id = ?",
        (state.value, captured_minor, closed_sequence, row.record.id),
    )
    closed = replace(row.record, state=state, captured_minor=captured_minor)
    return closed, counters.close(connection, row.mandate_id, closed, at)

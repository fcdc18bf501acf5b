"""Rows of charges, their debits and the counters they move. Called inside a transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from act.delegation.limits import Limit, Usage, judge
from act.delegation.mandate import MandateKey
from act.errors import InvalidCall, Refused
from act.money import Amount
from act.payment.ledger import ChargeRecord, ChargeState, Counter, CounterChange
from act.payment.verifier import RequestKey
from act.stores.sqlite.mandates import mandate_by_id

__all__ = [
    "ChargeRow",
    "charges_of",
    "close_charge",
    "counters_of",
    "debit",
    "find_charge",
    "held_charges_of",
    "insert_charge",
    "judge_limits",
    "limits_as_they_stand",
    "require_order_unpaid",
]

_COLUMNS: Final = (
    "mandate, closed_sequence, id, agent_id, request_id, request_identity, credential, payee, order_no, order_identity, "
    "amount_minor, currency, captured_minor, state, reserved_at, hold_expires_at"
)


@dataclass(frozen=True, slots=True)
class ChargeRow:
    """One charge as stored. `closed_sequence` is the entry that closed it, None while it is held."""

    mandate_id: int
    closed_sequence: int | None
    record: ChargeRecord


def _charge(row: Sequence[Any], mandate: MandateKey) -> ChargeRow:
    _, _, charge_id, agent_id, request_id, identity, credential, payee, order_no, order, minor, currency, captured, *rest = row
    state, reserved_at, hold_expires_at = rest
    try:
        amount = Amount(minor, currency)
    except InvalidCall as damage:
        raise ValueError("a stored amount is damaged") from damage  # the store's fault, not the caller's
    record = ChargeRecord(
        charge_id,
        RequestKey(mandate, agent_id, request_id),
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


def judge_limits(
    connection: sqlite3.Connection, mandate_id: int, limits: Sequence[Limit], debit_minor: int
) -> tuple[CounterChange, ...]:
    """What the debit would do to every limit; raises the `Refused` of the first it does not fit into. Writes nothing."""
    changes = []
    for limit in limits:
        held, captured = _used(connection, mandate_id, limit)
        judge(limit, Usage(held, captured), debit_minor)
        changes.append(CounterChange(limit.name, limit.cap_minor, held, captured, held + debit_minor, captured))
    return tuple(changes)


def limits_as_they_stand(connection: sqlite3.Connection, mandate_id: int, limits: Sequence[Limit]) -> tuple[CounterChange, ...]:
    """Every limit before and after something that moves none: what the receipt of a refusal shows."""
    stands = []
    for limit in limits:
        used = _used(connection, mandate_id, limit)
        stands.append(CounterChange(limit.name, limit.cap_minor, *used, *used))
    return tuple(stands)


def _used(connection: sqlite3.Connection, mandate_id: int, limit: Limit) -> tuple[int, int]:
    """Held and captured of a limit; a limit nothing was debited to has no row."""
    row = connection.execute(
        "SELECT held_minor, captured_minor FROM counter WHERE mandate = ? AND name = ?", (mandate_id, limit.name)
    ).fetchone()
    return row or (0, 0)


def debit(
    connection: sqlite3.Connection, mandate_id: int, charge_id: str, amount_minor: int, changes: Sequence[CounterChange]
) -> None:
    """Writes what `judge_limits` found to fit: the counters and, per limit, what the charge took."""
    connection.executemany(
        "INSERT INTO counter (mandate, name, cap_minor, held_minor, captured_minor) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET held_minor = excluded.held_minor, captured_minor = excluded.captured_minor",
        [(mandate_id, change.name, change.cap_minor, change.held_minor, change.captured_minor) for change in changes],
    )
    connection.executemany(
        "INSERT INTO debit (charge, name, amount_minor) VALUES (?, ?, ?)",
        [(charge_id, change.name, amount_minor) for change in changes],
    )


def insert_charge(connection: sqlite3.Connection, mandate_id: int, charge: ChargeRecord) -> None:
    """A new charge. Its counters are `debit`'s business."""
    connection.execute(
        f"INSERT INTO charge ({_COLUMNS}) VALUES (?, NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            mandate_id,
            charge.id,
            charge.request.agent_id,
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
        ),
    )


def close_charge(
    connection: sqlite3.Connection, row: ChargeRow, state: ChargeState, captured_minor: int, closed_sequence: int
) -> tuple[ChargeRecord, tuple[CounterChange, ...]]:
    """Ends a hold: every limit it was debited to gives the hold back and takes what is captured."""
    charge_id = row.record.id
    connection.execute(
        "UPDATE charge SET state = ?, captured_minor = ?, closed_sequence = ? WHERE id = ?",
        (state.value, captured_minor, closed_sequence, charge_id),
    )
    changes = []
    for name, amount_minor, cap, held, captured in connection.execute(
        "SELECT counter.name, debit.amount_minor, cap_minor, held_minor, counter.captured_minor FROM debit "
        "JOIN counter ON counter.mandate = ? AND counter.name = debit.name WHERE debit.charge = ?",
        (row.mandate_id, charge_id),
    ).fetchall():
        change = CounterChange(name, cap, held, captured, held - amount_minor, captured + captured_minor)
        connection.execute(
            "UPDATE counter SET held_minor = ?, captured_minor = ? WHERE mandate = ? AND name = ?",
            (change.held_minor, change.captured_minor, row.mandate_id, name),
        )
        changes.append(change)
    return replace(row.record, state=state, captured_minor=captured_minor), tuple(changes)


def counters_of(connection: sqlite3.Connection, mandate_id: int) -> tuple[Counter, ...]:
    """Every counter of a mandate."""
    rows = connection.execute(
        "SELECT name, cap_minor, held_minor, captured_minor FROM counter WHERE mandate = ? ORDER BY name", (mandate_id,)
    )
    return tuple(Counter(*row) for row in rows)

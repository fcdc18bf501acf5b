"""Rows of charges. Called inside a transaction."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from act.delegation.mandate import MandateKey
from act.errors import InvalidCall, Refused
from act.money import Amount
from act.payment.charge import ChargeRecord, ChargeState
from act.payment.verifier import RequestKey
from act.stores.sql.mandates import MandateId, lock_mandate, mandate_by_id
from act.stores.sql.transaction import Transaction
from act.values import immutable

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
    "live_since",
    "lock_charge",
    "new_id",
    "open_holds_of",
    "owner_of",
    "recount",
    "update_charge",
]

_COLUMNS: Final = (
    "account, mandate, sequence, closed_sequence, id, agent_id, holder, request_id, request_identity, credential, payee, "
    "order_no, order_identity, amount_minor, currency, captured_minor, state, reserved_at, hold_expires_at, tzdata_version, "
    "refunded_minor, debits"
)

_BETWEEN: Final = "\n"
"""Between the names of limits, which are printable."""


@immutable
class ChargeRow:
    """One charge as stored. `sequence` is the entry that reserved it, `closed_sequence` the one that closed its hold, None
    while money is held. `debits` are the names of the limits that it counts in."""

    mandate_id: MandateId
    sequence: int
    closed_sequence: int | None
    record: ChargeRecord
    debits: tuple[str, ...]

    def has_ended(self, at: int) -> bool:
        """Whether money is held that no longer should be."""
        return self.closed_sequence is None and at >= self.record.hold_expires_at


def _charge(row: Sequence[Any], mandate: MandateKey) -> ChargeRow:
    account, number, sequence, closed_sequence, charge_id, agent_id, holder, request_id, identity, credential, *rest = row
    payee, order_no, order, minor, currency, captured, state, reserved_at, hold_expires_at, *rest = rest
    tzdata_version, refunded, debits = rest
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
    return ChargeRow(MandateId(account, number), sequence, closed_sequence, record, tuple(debits.split(_BETWEEN)))


def find_charge(tx: Transaction, charge_id: str) -> ChargeRow:
    """The row of a charge. Raises `Refused` charge_unknown."""
    row = tx.execute(f"SELECT {_COLUMNS} FROM charge WHERE id = ?", (charge_id,)).fetchone()
    if row is None:
        raise Refused("charge_unknown", "charge")
    return _charge(row, mandate_by_id(tx, MandateId(*row[:2])).record.key)


def owner_of(tx: Transaction, charge_id: str) -> MandateId | None:
    """The mandate under which a charge was made; None for a charge that is not known."""
    owner = tx.execute("SELECT account, mandate FROM charge WHERE id = ?", (charge_id,)).fetchone()
    return None if owner is None else MandateId(*owner)


def lock_charge(tx: Transaction, charge_id: str) -> ChargeRow:
    """The row of a charge, under the lock of its mandate. Raises `Refused` charge_unknown."""
    owner = owner_of(tx, charge_id)
    if owner is not None:
        lock_mandate(tx, owner)
    return find_charge(tx, charge_id)


def charges_of(
    tx: Transaction, mandate_id: MandateId, mandate: MandateKey, ended: int | None = None
) -> tuple[ChargeRecord, ...]:
    """Every charge of a mandate, in the order of reservation; with `ended`, those that were reserved before that entry."""
    columns = ", ".join(f"charge.{name}" for name in _COLUMNS.split(", "))
    rows = tx.execute(
        f"SELECT {columns} FROM entry JOIN charge ON charge.account = entry.account AND charge.id = entry.charge "
        "WHERE entry.account = ? AND entry.mandate = ? AND entry.kind = 'RESERVED' "
        f"{'' if ended is None else 'AND entry.sequence < ? '}ORDER BY entry.sequence",
        mandate_id if ended is None else (*mandate_id, ended),
    )
    return tuple(_charge(row, mandate).record for row in rows)


def open_holds_of(
    tx: Transaction, mandate_id: MandateId, mandate: MandateKey, ended_by: int | None = None
) -> tuple[ChargeRow, ...]:
    """Every hold of a mandate that nothing closed yet, in the order of reservation; with `ended_by`, those that have ended by
    then, in the order in which they did."""
    bound, order = ("", "sequence") if ended_by is None else ("AND hold_expires_at <= ?", "hold_expires_at, sequence")
    rows = tx.execute(
        f"SELECT {_COLUMNS} FROM charge WHERE account = ? AND mandate = ? AND closed_sequence IS NULL {bound} ORDER BY {order}",
        mandate_id if ended_by is None else (*mandate_id, ended_by),
    ).fetchall()
    return tuple(_charge(row, mandate) for row in rows)


def new_id(at: int) -> str:
    """An id for a charge reserved at that instant. Ids are in the order of time, and not to be guessed.

    Within a second each is above the one before it by a random number of 64 bits (RFC 9562 6.2, method 2), so that charges that
    are made together stand together: spread over a second, each would touch a page of its own.
    """
    global _last  # noqa: PLW0603 - it brings ids together, and no more: threads and processes need not agree on it
    drawn = secrets.randbits(_RANDOM_BITS)
    second, number = _last
    number += 1 + (drawn >> _RANDOM_BITS - _STEP_BITS)
    if second != at or number >> _RANDOM_BITS:
        number = drawn >> 1  # which leaves room for as many again
    _last = at, number
    return f"{_id_from(at)}{number:022x}"


_RANDOM_BITS: Final = 88
_STEP_BITS: Final = 64
_last: tuple[int, int] = (-1, 0)


def _id_from(at: int) -> str:
    return f"ch_{at:010x}"


def live_since(tx: Transaction, mandate_id: MandateId, mandate: MandateKey, at: int) -> tuple[ChargeRow, ...]:
    """The live and captured charges of a mandate that were reserved at that instant or later."""
    rows = tx.execute(
        f"SELECT {_COLUMNS} FROM charge WHERE account = ? AND mandate = ? AND id >= ? "
        "AND state IN ('HELD', 'PARTIALLY_CAPTURED', 'CAPTURED') ORDER BY id",
        (*mandate_id, _id_from(max(at, 0))),
    ).fetchall()
    return tuple(_charge(row, mandate) for row in rows)


def recount(tx: Transaction, row: ChargeRow, name: str, *, counts: bool) -> None:
    """Has a charge count in one limit more, or in one less. Counting is the caller's business."""
    debits = sorted({*row.debits, name} if counts else {*row.debits} - {name})
    tx.execute(
        "UPDATE charge SET debits = ? WHERE account = ? AND id = ?",
        (_BETWEEN.join(debits), row.mandate_id.account, row.record.id),
    )


def first_hold_end(tx: Transaction, mandate_id: MandateId) -> int | None:
    """When the first open hold of a mandate ends."""
    (first,) = tx.execute(
        "SELECT min(hold_expires_at) FROM charge WHERE account = ? AND mandate = ? AND closed_sequence IS NULL", mandate_id
    ).fetchone()
    return None if first is None else int(first)


def find_paid(tx: Transaction, payee: str, order_no: str) -> ChargeRow | None:
    """The live or captured charge that an order has, if it has one."""
    row = tx.execute(
        "SELECT id FROM charge WHERE payee = ? AND order_no = ? AND state IN ('HELD', 'PARTIALLY_CAPTURED', 'CAPTURED')",
        (payee, order_no),
    ).fetchone()
    return None if row is None else find_charge(tx, row[0])


def insert_charge(tx: Transaction, mandate_id: MandateId, sequence: int, charge: ChargeRecord, debits: Sequence[str]) -> None:
    """A new charge, reserved by the entry of that sequence, and the limits that it counts in. Counting is `counters.debit`'s
    business."""
    tx.execute(
        f"INSERT INTO charge ({_COLUMNS}) VALUES (?, ?, ?, NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *mandate_id,
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
            _BETWEEN.join(debits),
        ),
    )


def update_charge(tx: Transaction, mandate_id: MandateId, charge: ChargeRecord, closed_sequence: int | None) -> None:
    """How a charge stands now. Its counters are `counters.move`'s business."""
    tx.execute(
        "UPDATE charge SET state = ?, captured_minor = ?, refunded_minor = ?, closed_sequence = ? WHERE account = ? AND id = ?",
        (charge.state.value, charge.captured_minor, charge.refunded_minor, closed_sequence, mandate_id.account, charge.id),
    )


@dataclass(frozen=True, slots=True)
class Part:
    """What a payee named by a number: how much it was, and the entry that recorded it."""

    amount_minor: int
    sequence: int


def find_part(tx: Transaction, row: ChargeRow, kind: str, number: str) -> Part | None:
    """The part of a charge with that number. `kind` is CAPTURE or REFUND: each has numbers of its own."""
    found = tx.execute(
        "SELECT amount_minor, sequence FROM part WHERE account = ? AND charge = ? AND kind = ? AND number = ?",
        (row.mandate_id.account, row.record.id, kind, number),
    ).fetchone()
    return None if found is None else Part(*found)


def is_numbered(tx: Transaction, row: ChargeRow, sequence: int) -> bool:
    """Whether the entry of that sequence was made under a number of the payee's."""
    found = tx.execute(
        "SELECT 1 FROM part WHERE account = ? AND charge = ? AND sequence = ?",
        (row.mandate_id.account, row.record.id, sequence),
    ).fetchone()
    return found is not None


def insert_part(tx: Transaction, row: ChargeRow, kind: str, number: str, part: Part) -> None:
    """Remembers a part under its number."""
    tx.execute(
        "INSERT INTO part (account, charge, kind, number, amount_minor, sequence) VALUES (?, ?, ?, ?, ?, ?)",
        (row.mandate_id.account, row.record.id, kind, number, part.amount_minor, part.sequence),
    )

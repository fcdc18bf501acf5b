"""What becomes of a charge after it was reserved: captured, whole or in parts, voided, expired, refunded.

Each function is called inside a transaction, and appends one entry for each charge it moves. Its counters move with it. `cause`
is the identity of the instruction that asked for it, where one did.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from act.errors import Refused, StoreFault
from act.money import Amount
from act.payment.charge import ChargeRecord, ChargeState, released, require_transition
from act.payment.ledger import Entry, EntryKind, Outcome, ReceiptMaker
from act.stores.sql import charges, counters, mandates
from act.stores.sql.charges import ChargeRow, Part
from act.stores.sql.mandates import MandateId, MandateRow
from act.stores.sql.transaction import StaleRead, Transaction

__all__ = [
    "capture",
    "close_ended_holds",
    "closing_outcome",
    "expire",
    "find_payment",
    "refund",
    "require_order_unpaid",
    "void",
]

_RELEASES: Final = {EntryKind.VOIDED: ChargeState.VOIDED, EntryKind.EXPIRED: ChargeState.EXPIRED}


def capture(
    tx: Transaction,
    row: ChargeRow,
    amount_minor: int,
    capture_no: str | None,
    at: int,
    make_receipt: ReceiptMaker,
    cause: bytes | None = None,
) -> Outcome:
    """Takes a part under a number, or the last part; rules ACT-LED-06 to -09."""
    charge, amount_minor = row.record, Amount(amount_minor, row.record.amount.currency).minor
    if capture_no is not None:
        part = charges.find_part(tx, row, "CAPTURE", capture_no)
        if part is not None:
            return _repeated(tx, row, part, amount_minor, "duplicate_capture")
    elif _was_the_end(tx, row, amount_minor):
        return closing_outcome(tx, row)
    require_transition(charge, ChargeState.CAPTURED)
    held_minor = charge.held_minor
    if amount_minor > held_minor:
        raise Refused("capture_exceeds_hold", "amount", held_minor=held_minor, asked_minor=amount_minor)
    if at >= charge.hold_expires_at:
        raise Refused("hold_expired", "charge", ended_at=charge.hold_expires_at)
    is_last = capture_no is None or amount_minor == held_minor
    state = ChargeState.CAPTURED if is_last else ChargeState.PARTIALLY_CAPTURED
    after = replace(charge, state=state, captured_minor=charge.captured_minor + amount_minor)
    outcome, sequence = _append(
        tx, row, after, EntryKind(state.value), amount_minor, at, make_receipt, cause, capture_no=capture_no
    )
    if capture_no is not None:
        charges.insert_part(tx, row, "CAPTURE", capture_no, Part(amount_minor, sequence))
    return outcome


def void(tx: Transaction, row: ChargeRow, at: int, make_receipt: ReceiptMaker, cause: bytes | None = None) -> Outcome:
    """Releases what is left of a hold; rule ACT-LED-06."""
    if row.closed_sequence is not None and _closed_by(tx, row)[0] is EntryKind.VOIDED:
        return closing_outcome(tx, row)
    require_transition(row.record, ChargeState.CAPTURED)
    return _release(tx, row, EntryKind.VOIDED, at, make_receipt, cause)


def expire(tx: Transaction, row: ChargeRow, at: int, make_receipt: ReceiptMaker) -> Outcome:
    """Releases what is left of a hold that has ended."""
    return _release(tx, row, EntryKind.EXPIRED, at, make_receipt)


def close_ended_holds(
    tx: Transaction, mandate: MandateRow, at: int, make_receipt: ReceiptMaker, most: int | None = None
) -> tuple[MandateRow, tuple[Outcome, ...]]:
    """Expires the holds of a mandate that have ended, in the order in which they did.

    Returns the mandate as it then stands. Nearly always there are none, and the mandate's own row says so.
    """
    if not mandate.has_ended_holds(at):
        return mandate, ()
    ended = charges.open_holds_of(tx, mandate.id, mandate.record.key, at)[:most]
    outcomes = tuple([expire(tx, row, at, make_receipt) for row in ended])
    first = charges.first_hold_end(tx, mandate.id)
    tx.execute("UPDATE mandate SET first_hold_end = ? WHERE account = ? AND number = ?", (first, *mandate.id))
    return mandates.mandate_by_id(tx, mandate.id), outcomes


def require_order_unpaid(
    tx: Transaction, payee: str, order_no: str, at: int, make_receipt: ReceiptMaker, also_locked: MandateId | None
) -> None:
    """Rule ACT-LED-04: raises `Refused` order_already_paid if a live or captured charge has this payee and order number. A hold
    under another mandate that has ended, and of which nothing was captured, is closed instead: one under `also_locked`, where
    rows are locked."""
    paid = find_payment(tx, payee, order_no, at)
    if paid is None:
        return
    if tx.locking("mandate") and paid.mandate_id != also_locked:  # it got the order since, and is not to be waited for now
        raise StaleRead
    expire(tx, paid, at, make_receipt)


def find_payment(tx: Transaction, payee: str, order_no: str, at: int) -> ChargeRow | None:
    """The hold that an order still has though it has ended, if that is all that stands against paying it. Raises `Refused`
    order_already_paid."""
    paid = charges.find_paid(tx, payee, order_no)
    if paid is not None and (not paid.has_ended(at) or paid.record.captured_minor):
        raise Refused("order_already_paid", "order.act.order_no")
    return paid


def refund(
    tx: Transaction,
    row: ChargeRow,
    amount_minor: int,
    refund_no: str,
    at: int,
    make_receipt: ReceiptMaker,
    cause: bytes | None = None,
) -> Outcome:
    """Gives back a part of what was captured; rules ACT-LED-10 and -11."""
    charge, amount_minor = row.record, Amount(amount_minor, row.record.amount.currency).minor
    part = charges.find_part(tx, row, "REFUND", refund_no)
    if part is not None:
        return _repeated(tx, row, part, amount_minor, "duplicate_refund")
    if amount_minor > charge.refundable_minor:
        left_minor = charge.refundable_minor
        raise Refused("refund_exceeds_captured", "amount", left_minor=left_minor, asked_minor=amount_minor)
    after = replace(charge, refunded_minor=charge.refunded_minor + amount_minor)
    outcome, sequence = _append(tx, row, after, EntryKind.REFUNDED, amount_minor, at, make_receipt, cause, refund_no=refund_no)
    charges.insert_part(tx, row, "REFUND", refund_no, Part(amount_minor, sequence))
    return outcome


def closing_outcome(tx: Transaction, row: ChargeRow) -> Outcome:
    """What was answered when the charge's hold was closed."""
    if row.closed_sequence is None:
        raise StoreFault("store_unavailable", "charge", reason="a closed charge has no closing entry")
    return Outcome(mandates.stored_receipt(tx, row.mandate_id, row.closed_sequence), row.record, replayed=True)


def _release(
    tx: Transaction, row: ChargeRow, kind: EntryKind, at: int, make_receipt: ReceiptMaker, cause: bytes | None = None
) -> Outcome:
    charge = row.record
    return _append(tx, row, released(charge, _RELEASES[kind]), kind, charge.held_minor, at, make_receipt, cause)[0]


def _was_the_end(tx: Transaction, row: ChargeRow, amount_minor: int) -> bool:
    """Whether a capture of this amount, without a number, is what closed the hold."""
    if row.closed_sequence is None or charges.is_numbered(tx, row, row.closed_sequence):
        return False
    return _closed_by(tx, row) == (EntryKind.CAPTURED, amount_minor)


def _closed_by(tx: Transaction, row: ChargeRow) -> tuple[EntryKind, int]:
    """By which kind of entry a charge's hold was closed, and the amount that this one moved."""
    kind, amount_minor = tx.execute(
        "SELECT kind, amount_minor FROM entry WHERE account = ? AND mandate = ? AND sequence = ?",
        (*row.mandate_id, row.closed_sequence),
    ).fetchone()
    return EntryKind(kind), amount_minor


def _repeated(tx: Transaction, row: ChargeRow, part: Part, amount_minor: int, code: str) -> Outcome:
    if part.amount_minor != amount_minor:
        raise Refused(code, "amount", recorded_minor=part.amount_minor, asked_minor=amount_minor)
    return Outcome(mandates.stored_receipt(tx, row.mandate_id, part.sequence), row.record, replayed=True)


def _append(
    tx: Transaction,
    row: ChargeRow,
    after: ChargeRecord,
    kind: EntryKind,
    amount_minor: int,
    at: int,
    make_receipt: ReceiptMaker,
    cause: bytes | None,
    *,
    capture_no: str | None = None,
    refund_no: str | None = None,
) -> tuple[Outcome, int]:
    """Moves a charge and its counters, and appends the entry that says so. Returns the outcome and the entry's sequence."""
    before, mandate = row.record, mandates.mandate_by_id(tx, row.mandate_id)
    sequence = mandate.last_sequence + 1
    closes = before.held_minor > 0 and after.held_minor == 0
    charges.update_charge(tx, row.mandate_id, after, sequence if closes else row.closed_sequence)
    restores = mandate.record.refund_restores
    changes = counters.move(tx, row, after, at, refund_restores=restores)
    entry = Entry(
        mandate.record.key,
        mandate.record.identity,
        after.request.agent_id,
        sequence,
        mandate.last_receipt,
        kind,
        at,
        after.request_identity,
        after.payee,
        after.order_no,
        after.order,
        after.id,
        Amount(amount_minor, after.amount.currency),
        counters=changes,
        format=mandate.record.format,
        capture_no=capture_no,
        refund_no=refund_no,
        instruction=cause,
    )
    return Outcome(mandates.append(tx, mandate, entry, make_receipt), after), sequence

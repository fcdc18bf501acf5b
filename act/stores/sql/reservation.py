"""Reserving: replay, pin, ended holds, lifecycle, order, limits, and the records of what came of it. Called inside a
transaction."""

from __future__ import annotations

from typing import Final

from act.calendar import LATEST_INSTANT
from act.delegation.lifecycle import require_usable
from act.errors import Refused
from act.payment.charge import HOLD_SECONDS, LIVE_STATES, ChargeRecord, ChargeState
from act.payment.ledger import CounterChange, Entry, EntryKind, MandateRecord, Outcome, ReceiptMaker
from act.payment.verifier import RequestKey, ReservationRequest
from act.stores.sql import charges, counters, mandates, moves, standings, succession
from act.stores.sql.mandates import MandateId, MandateRow
from act.stores.sql.transaction import Transaction

__all__ = ["RECORDED_REFUSALS", "debits_of", "new_charge", "reserve", "reserved_entry", "stored_outcome"]

RECORDED_REFUSALS: Final = frozenset(
    {
        "credential_superseded",
        "credential_revoked",
        "credential_suspended",
        "total_limit_exceeded",
        "times_limit_exceeded",
        "period_amount_exceeded",
        "period_times_exceeded",
    }
)
"""Refusals by money or lifecycle: what the request was told stays told."""


def reserve(tx: Transaction, request: ReservationRequest, mandate: MandateRecord, make_receipt: ReceiptMaker) -> Outcome:
    """See `Ledger.reserve`."""
    found, also_locked = _lock(tx, request, mandate)
    if found is not None:
        try:
            stored = stored_outcome(tx, found, request.request, request.request_identity)
        except Refused:  # a taken id is told to the agent of a trusted mandate only
            mandates.require_trusted(found, mandate, request.pinned_before)
            raise
        if stored is not None:
            return stored
    row = succession.pin(tx, found, mandate, request.at, make_receipt, request.pinned_before)
    if row.successor is not None:
        return _refuse_superseded(tx, row, request, make_receipt)
    mandates.record_links(tx, row, request.links, request.at)
    row, _ = moves.close_ended_holds(tx, row, request.at, make_receipt)
    try:
        require_usable(row.state, *standings.link_states(tx, row.id, request.links))
        moves.require_order_unpaid(tx, request.payee, request.order_no, request.at, make_receipt, also_locked)
        changes = counters.judge_limits(tx, row.id, request.limits, request.amount.minor)
    except Refused as refusal:
        if refusal.code not in RECORDED_REFUSALS:
            raise
        stands = counters.limits_as_they_stand(tx, row.id, request.limits)
        return _record_refusal(tx, row, request, refusal, stands, make_receipt)
    return _record_reservation(tx, row, request, changes, make_receipt)


def _lock(tx: Transaction, request: ReservationRequest, mandate: MandateRecord) -> tuple[MandateRow | None, MandateId | None]:
    """The mandate's row, locked; and what other mandate was locked as well, because its hold on the order has ended and is to
    be closed. The lower of the two comes first, and a mandate that is not yet there last: two reservations that each pay what
    the other's mandate still holds would wait for each other for ever."""
    also = None
    if tx.locking("mandate"):  # otherwise the whole store is locked
        paid = charges.find_paid(tx, request.payee, request.order_no)
        if paid is not None and paid.has_ended(request.at):
            also = paid.mandate_id
            own = succession.find_line(tx, mandate)
            if own is not None and own.id < also:
                mandates.lock_mandate(tx, own.id)
            mandates.lock_mandate(tx, also)
    return succession.find(tx, mandate, lock=True), also


def stored_outcome(tx: Transaction, row: MandateRow, request: RequestKey, identity: bytes) -> Outcome | None:
    """What a request was answered, as it now stands; None if it is unknown. Raises `Refused` duplicate_request."""
    stored = tx.execute(
        "SELECT identity, sequence FROM request "
        "WHERE account = ? AND mandate = ? AND agent_id = ? AND holder = ? AND request_id = ?",
        (*row.id, request.agent_id, request.holder, request.request_id),
    ).fetchone()
    if stored is None:
        return None
    if stored[0] != identity:
        raise Refused("duplicate_request", "request.cti")
    sequence = stored[1]
    receipt = mandates.stored_receipt(tx, row.id, sequence)
    (charge_id,) = tx.execute(
        "SELECT charge FROM entry WHERE account = ? AND mandate = ? AND sequence = ?", (*row.id, sequence)
    ).fetchone()
    if charge_id is None:
        return Outcome(receipt, refusal=mandates.stored_refusal(tx, row.id, sequence), replayed=True)
    charge = charges.find_charge(tx, charge_id)
    if charge.record.state not in LIVE_STATES:  # a receipt that money is held would no longer be true
        return moves.closing_outcome(tx, charge)
    return Outcome(receipt, charge.record, replayed=True)


def _refuse_superseded(tx: Transaction, row: MandateRow, request: ReservationRequest, make_receipt: ReceiptMaker) -> Outcome:
    """What a mandate that was replaced is told: its limits count no more, so none is shown."""
    try:
        succession.require_current(row)
    except Refused as refusal:
        return _record_refusal(tx, row, request, refusal, (), make_receipt)
    raise ValueError("a mandate without a successor is not superseded")


def _record_refusal(
    tx: Transaction,
    row: MandateRow,
    request: ReservationRequest,
    refusal: Refused,
    stands: tuple[CounterChange, ...],
    make_receipt: ReceiptMaker,
) -> Outcome:
    entry = _entry_of(
        row.record,
        request,
        EntryKind.REFUSED,
        sequence=row.last_sequence + 1,
        previous=row.last_receipt,
        code=refusal.code,
        counters=stands,
        tzdata_version=request.tzdata_version,
    )
    receipt = mandates.append(tx, row, entry, make_receipt, refusal=refusal)
    _remember(tx, row, request)
    return Outcome(receipt, refusal=refusal)


def _record_reservation(
    tx: Transaction,
    row: MandateRow,
    request: ReservationRequest,
    changes: tuple[CounterChange, ...],
    make_receipt: ReceiptMaker,
) -> Outcome:
    charge = new_charge(request)
    charges.insert_charge(tx, row.id, row.last_sequence + 1, charge, debits_of(request))
    counters.debit(tx, row.id, charge, request.limits, changes)
    entry = reserved_entry(row.record, request, charge, row.last_sequence + 1, row.last_receipt, changes)
    receipt = mandates.append(tx, row, entry, make_receipt)
    _remember(tx, row, request)
    return Outcome(receipt, charge)


def _remember(tx: Transaction, row: MandateRow, request: ReservationRequest) -> None:
    """Records the request id last, beside the outcome it now stands for: the entry just appended."""
    key = request.request
    tx.execute(
        "INSERT INTO request (account, mandate, agent_id, holder, request_id, identity, sequence) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (*row.id, key.agent_id, key.holder, key.request_id, request.request_identity, row.last_sequence + 1),
    )


def new_charge(request: ReservationRequest) -> ChargeRecord:
    """The charge that a request gets if everything has room."""
    return ChargeRecord(
        charges.new_id(request.at),
        request.request,
        request.request_identity,
        request.credential,
        request.payee,
        request.order_no,
        request.order,
        request.amount,
        0,
        ChargeState.HELD,
        request.at,
        min(request.at + HOLD_SECONDS, LATEST_INSTANT),
        request.tzdata_version,
    )


def debits_of(request: ReservationRequest) -> list[str]:
    """The names of the limits that its charge counts in, in the order in which they are kept."""
    return sorted([limit.name for limit in request.limits])


def reserved_entry(
    mandate: MandateRecord,
    request: ReservationRequest,
    charge: ChargeRecord,
    sequence: int,
    previous: bytes | None,
    changes: tuple[CounterChange, ...],
) -> Entry:
    """The entry of a reservation. The last three are what only the mandate's row knows."""
    return _entry_of(
        mandate,
        request,
        EntryKind.RESERVED,
        sequence=sequence,
        previous=previous,
        charge_id=charge.id,
        hold_expires_at=charge.hold_expires_at,
        counters=changes,
        tzdata_version=charge.tzdata_version,
    )


def _entry_of(
    mandate: MandateRecord,
    request: ReservationRequest,
    kind: EntryKind,
    *,
    sequence: int,
    previous: bytes | None,
    counters: tuple[CounterChange, ...],
    tzdata_version: str | None,
    charge_id: str | None = None,
    code: str | None = None,
    hold_expires_at: int | None = None,
) -> Entry:
    return Entry(
        mandate.key,
        mandate.identity,
        request.request.agent_id,
        sequence,
        previous,
        kind,
        request.at,
        request.request_identity,
        request.payee,
        request.order_no,
        request.order,
        charge_id,
        request.amount,
        code,
        hold_expires_at,
        counters,
        tzdata_version,
        mandate.format,
    )

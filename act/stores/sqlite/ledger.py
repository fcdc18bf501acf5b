"""The ledger on SQLite: every promise of `act.payment.ledger.Ledger`, each method one transaction."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final, Self

from act.calendar import LATEST_INSTANT
from act.delegation.constraints import VOID
from act.delegation.lifecycle import TRANSITIONS, MandateState, require_usable
from act.delegation.limits import Limit
from act.delegation.mandate import MandateKey
from act.envelope.objects import Unsigned
from act.errors import Refused, StoreFault
from act.payment.charge import HOLD_SECONDS, LIVE_STATES, ChargeRecord, ChargeState, released
from act.payment.ledger import CounterChange, Entry, EntryKind, MandateRecord, MandateStatus, Outcome, ReceiptMaker
from act.payment.verifier import AuthenticatedPayment, RequestKey, ReservationRequest
from act.stores.sqlite import charges, counters, mandates, moves
from act.stores.sqlite.audit import Audit, audit_ledger
from act.stores.sqlite.charges import ChargeRow
from act.stores.sqlite.connection import Database
from act.stores.sqlite.mandates import MandateRow

__all__ = ["SqliteLedger"]


class SqliteLedger:
    """An embedded ledger in one file (WAL, synchronous=FULL), for any number of threads and processes of one machine.

    With `create` (the default) a missing file is made at the first write: what is refused before leaves none. Raises
    `StoreFault`: store_unavailable, store_read_only, store_unknown_version for a file that is no ledger of this version. Open
    it anew after fork.
    """

    def __init__(self, path: str | os.PathLike[str], *, create: bool = True) -> None:
        self._database: Final = Database(path, create=create)
        self._owner: str | None = None  # who it was bound to never changes

    def close(self) -> None:
        """Closes the file; the ledger cannot be used afterwards."""
        self._owner = None
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @staticmethod
    def audit(path: str | os.PathLike[str], progress: Callable[[int, int], None] | None = None) -> Audit:
        """Folds a file's entries anew and compares everything in it with them; see `act.stores.sqlite.audit`. It needs no open
        ledger and changes nothing. `progress` is told how many mandates of how many are done. Raises `StoreFault`."""
        return audit_ledger(Path(path), progress)

    def owner(self) -> str | None:
        """See `Ledger.owner`."""
        if self._owner is None:
            with self._database.snapshot() as connection:
                row = connection.execute("SELECT ledger_id FROM ledger").fetchone()
            self._owner = None if row is None else str(row[0])
        return self._owner

    def bind(self, ledger_id: str) -> None:
        """See `Ledger.bind`."""
        owner = self.owner()
        if owner is None:
            with self._database.transaction() as connection:
                connection.execute("INSERT INTO ledger (only, ledger_id) VALUES (1, ?) ON CONFLICT DO NOTHING", (ledger_id,))
            owner = self.owner()
        if owner != ledger_id:
            raise StoreFault("store_wrong_ledger", str(self._database.path), belongs_to=owner or "", asked=ledger_id)

    def find(self, request: RequestKey, identity: bytes) -> Outcome | None:
        """See `Ledger.find`."""
        with self._database.snapshot() as connection:
            row = mandates.find_mandate(connection, request.mandate)
            return None if row is None else _stored_outcome(connection, row, request, identity)

    def reserve(self, request: ReservationRequest, mandate: MandateRecord, make_receipt: ReceiptMaker) -> Outcome:
        """See `Ledger.reserve`: replay, pin, ended holds, lifecycle, order, limits, in this order."""
        with self._database.transaction() as connection:
            found = mandates.find_mandate(connection, mandate.key)
            if found is not None:
                try:
                    stored = _stored_outcome(connection, found, request.request, request.request_identity)
                except Refused:  # a taken id is told to the agent of a trusted mandate only
                    mandates.require_trusted(found, mandate, request.pinned_before)
                    raise
                if stored is not None:
                    return stored
            row = mandates.pin(connection, found, mandate, request.at, request.pinned_before)
            mandates.record_links(connection, row.id, request.links, request.at)
            row, _ = moves.close_ended_holds(connection, row, request.at, make_receipt)
            try:
                require_usable(row.state)
                moves.require_order_unpaid(connection, request.payee, request.order_no, request.at, make_receipt)
                changes = counters.judge_limits(connection, row.id, request.limits, request.amount.minor)
            except Refused as refusal:
                if refusal.code not in RECORDED_REFUSALS:
                    raise
                return _record_refusal(connection, row, request, refusal, make_receipt)
            return _record_reservation(connection, row, request, changes, make_receipt)

    def capture(
        self, charge_id: str, amount_minor: int, at: int, make_receipt: ReceiptMaker, *, capture_no: str | None = None
    ) -> Outcome:
        """See `Ledger.capture`. The same capture again gives the stored outcome."""
        with self._database.transaction() as connection:
            row = charges.find_charge(connection, charge_id)
            return moves.capture(connection, row, amount_minor, capture_no, at, make_receipt)

    def void(self, charge_id: str, at: int, make_receipt: ReceiptMaker) -> Outcome:
        """See `Ledger.void`. The same void again gives the stored outcome."""
        with self._database.transaction() as connection:
            return moves.void(connection, charges.find_charge(connection, charge_id), at, make_receipt)

    def refund(self, charge_id: str, amount_minor: int, refund_no: str, at: int, make_receipt: ReceiptMaker) -> Outcome:
        """See `Ledger.refund`. The same refund again gives the stored outcome."""
        with self._database.transaction() as connection:
            row = charges.find_charge(connection, charge_id)
            return moves.refund(connection, row, amount_minor, refund_no, at, make_receipt)

    def expire(self, at: int, most: int, make_receipt: ReceiptMaker) -> tuple[Outcome, ...]:
        """See `Ledger.expire`. Each mandate's holds are one transaction."""
        expired: list[Outcome] = []
        with self._database.snapshot() as connection:
            due = connection.execute("SELECT id FROM mandate WHERE first_hold_end <= ? ORDER BY id", (at,)).fetchall()
        for (mandate_id,) in due:
            if len(expired) >= most:
                break
            with self._database.transaction() as connection:
                row = mandates.mandate_by_id(connection, mandate_id)
                expired += moves.close_ended_holds(connection, row, at, make_receipt, most - len(expired))[1]
        return tuple(expired)

    def foresee(self, mandate: MandateRecord, payment: AuthenticatedPayment, limits: tuple[Limit, ...], at: int) -> None:
        """See `Ledger.foresee`."""
        with self._database.snapshot() as connection:
            found = mandates.find_mandate(connection, mandate.key)
            mandates.require_pinnable(found, mandate, payment.pinned_before)
            if found is not None:
                require_usable(found.state)
            moves.find_payment(connection, payment.request.payee, payment.request.order_no, at)
            if found is not None:
                given_back = counters.given_back(connection, found, _ended(connection, found, at), at)
                counters.judge_limits(connection, found.id, limits, payment.request.amount.minor, given_back)

    def revoke(
        self, mandate: MandateRecord, at: int, make_receipt: ReceiptMaker, *, pinned_before: int | None = None
    ) -> Outcome:
        """See `Ledger.revoke`. Revoking again gives the stored outcome."""
        with self._database.transaction() as connection:
            found = mandates.find_mandate(connection, mandate.key)
            row = mandates.pin(connection, found, mandate, at, pinned_before)
            if MandateState.REVOKED not in TRANSITIONS[row.state]:
                (sequence,) = connection.execute(
                    "SELECT sequence FROM entry WHERE mandate = ? AND kind = 'REVOKED'", (row.id,)
                ).fetchone()
                return Outcome(mandates.stored_receipt(connection, row.id, sequence), replayed=True)
            row, _ = moves.close_ended_holds(connection, row, at, make_receipt)
            if row.record.on_revoke == VOID:
                for held in charges.open_holds_of(connection, row.id, mandate.key):
                    moves.void(connection, held, at, make_receipt)
                row = mandates.mandate_by_id(connection, row.id)  # every void has moved its head
            entry = Entry(
                mandate.key,
                mandate.identity,
                mandate.agent_id,
                row.last_sequence + 1,
                row.last_receipt,
                EntryKind.REVOKED,
                at,
                counters=tuple(
                    CounterChange(each.name, each.cap, *(each.held, each.captured) * 2, each.unit)
                    for each in counters.counters_of(connection, row.id, at)
                    if "/" not in each.name  # its links' counters may be thousands; their own receipts show them
                ),
                format=row.record.format,
            )
            return Outcome(mandates.append(connection, row, entry, make_receipt, state=MandateState.REVOKED))

    def receipts(self, mandate: MandateKey) -> tuple[Unsigned, ...]:
        """See `Ledger.receipts`."""
        with self._database.snapshot() as connection:
            row = mandates.find_mandate(connection, mandate)
            return () if row is None else mandates.stored_receipts(connection, row.id)

    def charge(self, charge_id: str) -> ChargeRecord:
        """See `Ledger.charge`."""
        with self._database.snapshot() as connection:
            return charges.find_charge(connection, charge_id).record

    def status(self, mandate: MandateKey, at: int | None = None) -> MandateStatus | None:
        """See `Ledger.status`."""
        with self._database.snapshot() as connection:
            row = mandates.find_mandate(connection, mandate)
            if row is None:
                return None
            record, ended = row.record, _ended(connection, row, at)
            given_back = counters.given_back(connection, row, ended, at)
            ids = {each.record.id for each in ended}
            return MandateStatus(
                mandate,
                record.identity,
                row.state,
                record.currency,
                record.expires_at,
                counters.counters_of(connection, row.id, at, given_back),
                tuple(
                    released(each, ChargeState.EXPIRED) if each.id in ids else each
                    for each in charges.charges_of(connection, row.id, mandate)
                ),
            )


def _ended(connection: sqlite3.Connection, row: MandateRow, at: int | None) -> tuple[ChargeRow, ...]:
    """Holds that have ended by an instant, though nothing closed them yet: whoever asks is answered as if it had."""
    if at is None or not row.has_ended_holds(at):
        return ()
    return charges.open_holds_of(connection, row.id, row.record.key, at)


RECORDED_REFUSALS: Final = frozenset(
    {
        "credential_revoked",
        "credential_suspended",
        "total_limit_exceeded",
        "times_limit_exceeded",
        "period_amount_exceeded",
        "period_times_exceeded",
    }
)
"""Refusals by money or lifecycle: what the request was told stays told."""


def _stored_outcome(connection: sqlite3.Connection, row: MandateRow, request: RequestKey, identity: bytes) -> Outcome | None:
    stored = connection.execute(
        "SELECT identity, sequence FROM request WHERE mandate = ? AND agent_id = ? AND holder = ? AND request_id = ?",
        (row.id, request.agent_id, request.holder, request.request_id),
    ).fetchone()
    if stored is None:
        return None
    if stored[0] != identity:
        raise Refused("duplicate_request", "request.cti")
    sequence = stored[1]
    receipt = mandates.stored_receipt(connection, row.id, sequence)
    (charge_id,) = connection.execute(
        "SELECT charge FROM entry WHERE mandate = ? AND sequence = ?", (row.id, sequence)
    ).fetchone()
    if charge_id is None:
        return Outcome(receipt, refusal=mandates.stored_refusal(connection, row.id, sequence), replayed=True)
    charge = charges.find_charge(connection, charge_id)
    if charge.record.state not in LIVE_STATES:  # a receipt that money is held would no longer be true
        return moves.closing_outcome(connection, charge)
    return Outcome(receipt, charge.record, replayed=True)


def _record_refusal(
    connection: sqlite3.Connection, row: MandateRow, request: ReservationRequest, refusal: Refused, make_receipt: ReceiptMaker
) -> Outcome:
    stands = counters.limits_as_they_stand(connection, row.id, request.limits)
    entry = replace(
        _entry_of(row, request, EntryKind.REFUSED),
        code=refusal.code,
        counters=stands,
        tzdata_version=request.tzdata_version,
    )
    receipt = mandates.append(connection, row, entry, make_receipt, refusal=refusal)
    _remember(connection, row, request)
    return Outcome(receipt, refusal=refusal)


def _record_reservation(
    connection: sqlite3.Connection,
    row: MandateRow,
    request: ReservationRequest,
    changes: tuple[CounterChange, ...],
    make_receipt: ReceiptMaker,
) -> Outcome:
    charge = ChargeRecord(
        f"ch_{secrets.token_hex(16)}",
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
    charges.insert_charge(connection, row.id, row.last_sequence + 1, charge)
    counters.debit(connection, row.id, charge, request.limits, changes)
    entry = replace(
        _entry_of(row, request, EntryKind.RESERVED),
        charge_id=charge.id,
        hold_expires_at=charge.hold_expires_at,
        counters=changes,
        tzdata_version=charge.tzdata_version,
    )
    receipt = mandates.append(connection, row, entry, make_receipt)
    _remember(connection, row, request)
    return Outcome(receipt, charge)


def _remember(connection: sqlite3.Connection, row: MandateRow, request: ReservationRequest) -> None:
    """Records the request id last, beside the outcome it now stands for: the entry just appended."""
    key = request.request
    connection.execute(
        "INSERT INTO request (mandate, agent_id, holder, request_id, identity, sequence) VALUES (?, ?, ?, ?, ?, ?)",
        (row.id, key.agent_id, key.holder, key.request_id, request.request_identity, row.last_sequence + 1),
    )


def _entry_of(row: MandateRow, request: ReservationRequest, kind: EntryKind) -> Entry:
    return Entry(
        row.record.key,
        row.record.identity,
        request.request.agent_id,
        row.last_sequence + 1,
        row.last_receipt,
        kind,
        request.at,
        request.request_identity,
        request.payee,
        request.order_no,
        request.order,
        amount=request.amount,
        format=row.record.format,
    )

"""Instructions that a ledger obeys once: what it remembers of them, and what becomes of a credential that one is about. Called
inside a transaction, under the lock of the mandate's row where anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from act.delegation.constraints import VOID
from act.delegation.lifecycle import Causer, LifecycleAction, Standing, place_of
from act.errors import Refused
from act.payment.ledger import Cause, CounterChange, Entry, EntryKind, MandateRecord, Outcome, ReceiptMaker
from act.payment.receipt import recorded_receipt
from act.payment.verifier import LinkRecord
from act.stores.sql import charges, counters, mandates, moves, standings, succession
from act.stores.sql.mandates import MandateId, MandateRow
from act.stores.sql.transaction import StaleRead, Transaction

__all__ = ["change", "obeyed", "remember", "stored_outcome"]

_KINDS: Final = {
    LifecycleAction.SUSPEND: EntryKind.SUSPENDED,
    LifecycleAction.RESUME: EntryKind.RESUMED,
    LifecycleAction.REVOKE: EntryKind.REVOKED,
}


def stored_outcome(tx: Transaction, mandate_id: MandateId, cause: Cause) -> Outcome | None:
    """What an instruction was answered, as it now stands; None if it is unknown. Raises `Refused` duplicate_instruction
    (ACT-LED-12)."""
    stored = _stored(tx, mandate_id, cause.kid, cause.instruction_id)
    if stored is None:
        return _replayed_outcome(tx, mandate_id, cause)
    identity, sequence = stored
    if identity != cause.identity:
        raise Refused("duplicate_instruction", "instruction.cti")
    return _answer_of(tx, mandate_id, sequence)


def _stored(tx: Transaction, mandate_id: MandateId, signer: bytes, instruction_id: bytes) -> tuple[bytes, int] | None:
    found = tx.execute(
        "SELECT identity, sequence FROM instruction WHERE account = ? AND mandate = ? AND signer = ? AND instruction_id = ?",
        (*mandate_id, signer, instruction_id),
    ).fetchone()
    return None if found is None else (found[0], found[1])


def _replayed_outcome(tx: Transaction, mandate_id: MandateId, cause: Cause) -> Outcome | None:
    """What an instruction was answered of which only the identity is known, from its receipt."""
    stored = _stored(tx, mandate_id, b"", cause.identity)
    if stored is None:
        return None
    outcome = _answer_of(tx, mandate_id, stored[1])
    is_about_a_charge = cause.causer in (Causer.PAYEE, Causer.PSP)
    return outcome if (outcome.charge is not None) == is_about_a_charge else None  # of a revocation only its voids are here


def _answer_of(tx: Transaction, mandate_id: MandateId, sequence: int) -> Outcome:
    """An entry's receipt, with its charge or its credential as that now stands."""
    receipt = mandates.stored_receipt(tx, mandate_id, sequence)
    (charge_id,) = tx.execute(
        "SELECT charge FROM entry WHERE account = ? AND mandate = ? AND sequence = ?", (*mandate_id, sequence)
    ).fetchone()
    if charge_id is not None:
        return Outcome(receipt, charges.find_charge(tx, charge_id).record, replayed=True)
    said = recorded_receipt(receipt)
    if said.kind is EntryKind.SUCCEEDED:  # it was about the mandate that was replaced then
        return Outcome(receipt, replayed=True, standing=Standing(is_revoked=True))
    return Outcome(receipt, replayed=True, standing=standings.stops_of(tx, mandate_id, said.link).standing)


def obeyed(tx: Transaction, mandate_id: MandateId, cause: Cause | None, outcome: Outcome) -> Outcome:
    """The outcome of what an instruction about a charge asked for, remembered under its id, if one did."""
    if cause is not None:
        remember(tx, mandate_id, cause, recorded_receipt(outcome.receipt).sequence)
    return outcome


def remember(tx: Transaction, mandate_id: MandateId, cause: Cause, sequence: int) -> None:
    """Records an instruction's id last, beside the entry that answers it. One of which only the voids were replayed is known
    by its id from now on."""
    known = tx.execute(
        "UPDATE instruction SET signer = ?, instruction_id = ?, sequence = ? "
        "WHERE account = ? AND mandate = ? AND signer = ? AND instruction_id = ? RETURNING sequence",
        (cause.kid, cause.instruction_id, sequence, *mandate_id, b"", cause.identity),
    ).fetchone()
    if known is not None:
        return
    tx.execute(
        "INSERT INTO instruction (account, mandate, signer, instruction_id, identity, sequence) VALUES (?, ?, ?, ?, ?, ?)",
        (*mandate_id, cause.kid, cause.instruction_id, cause.identity, sequence),
    )


def change(
    tx: Transaction,
    mandate: MandateRecord,
    links: Sequence[LinkRecord],
    action: LifecycleAction,
    cause: Cause | None,
    at: int,
    make_receipt: ReceiptMaker,
    *,
    is_expired: bool,
    pinned_before: int | None,
) -> Outcome:
    """See `Ledger.change`. Without a cause it is the payment service's own word, which can only be a revocation."""
    found = succession.find(tx, mandate, lock=True)
    if found is not None and cause is not None:
        stored = stored_outcome(tx, found.id, cause)
        if stored is not None:
            return stored
    may_stand_alone = action is LifecycleAction.REVOKE and not links
    row, unseen = _pin(tx, found, mandate, at, make_receipt, pinned_before, may_stand_alone=may_stand_alone)
    mandates.record_links(tx, row, links, at)
    link = links[-1].identity if links else None
    if row.successor is not None:
        if link is None:
            return _change_former(tx, row, action, cause)
        row = mandates.mandate_by_id(tx, row.id)  # what a link still holds stands below the successor
    stops = standings.stops_of(tx, row.id, link)
    before = stops.standing
    if cause is None:
        after, causer = Standing(is_revoked=True), Causer.RISK_CONTROL
    else:
        after, causer = before.after(action, cause.causer, is_expired=is_expired, where=place_of(len(links))), cause.causer
    if after == before:
        sequence = stops.entry_of(action, causer)
        outcome = _answer_of(tx, row.id, sequence)
    else:
        row, _ = moves.close_ended_holds(tx, row, at, make_receipt)
        if action is LifecycleAction.REVOKE and row.record.on_revoke == VOID:
            row = _void_holds(tx, row, link, cause, at, make_receipt)
        sequence = row.last_sequence + 1
        entry = _entry(tx, row, action, link, cause, after, at, unseen)
        outcome = Outcome(mandates.append(tx, row, entry, make_receipt), standing=after)
        standings.keep_stops(tx, row.id, link, stops.after(action, causer, sequence))
        if unseen is not None:
            succession.remember_unseen(tx, row, unseen, sequence)
    if cause is not None and not (after == before and _stored(tx, row.id, b"", cause.identity)):  # its voids are its answer
        remember(tx, row.id, cause, sequence)
    return outcome


def _pin(
    tx: Transaction,
    found: MandateRow | None,
    mandate: MandateRecord,
    at: int,
    make_receipt: ReceiptMaker,
    pinned_before: int | None,
    *,
    may_stand_alone: bool,
) -> tuple[MandateRow, bytes | None]:
    """The mandate's row. A successor that may not take over can be revoked all the same: then it stands alone, and the identity
    of what it would have replaced comes with it if that was never seen here."""
    try:
        return succession.pin(tx, found, mandate, at, make_receipt, pinned_before), None
    except Refused as refusal:
        if not may_stand_alone or refusal.where != succession.PLACE:
            raise
        code = refusal.code
    row = mandates.pin(tx, found, mandate, at, pinned_before)
    if code != "predecessor_unknown" or mandate.supersedes is None:
        return row, None
    if mandates.find_identity(tx, mandate.key, mandate.supersedes) is not None:  # it was recorded since
        raise StaleRead
    return row, mandate.supersedes


def _change_former(tx: Transaction, row: MandateRow, action: LifecycleAction, cause: Cause | None) -> Outcome:
    """Of a mandate that was replaced: it is revoked, since its successor took over, and nothing leaves that."""
    if row.ended is None:
        raise ValueError("a mandate without a successor was not replaced")
    revoked = Standing(is_revoked=True)
    if cause is not None:
        revoked.after(action, cause.causer)
        remember(tx, row.id, cause, row.ended)
    return Outcome(mandates.stored_receipt(tx, row.id, row.ended), replayed=True, standing=revoked)


def _void_holds(
    tx: Transaction, row: MandateRow, link: bytes | None, cause: Cause | None, at: int, make_receipt: ReceiptMaker
) -> MandateRow:
    """Releases what is held under a credential that is being revoked. Returns the mandate as it then stands."""
    below = None if link is None else standings.links_below(tx, row.id, link)
    for held in charges.open_holds_of(tx, row.id, row.record.key):
        if below is None or held.record.credential in below:
            moves.void(tx, held, at, make_receipt, None if cause is None else cause.identity)
    return mandates.mandate_by_id(tx, row.id)  # every void has moved its head


def _entry(
    tx: Transaction,
    row: MandateRow,
    action: LifecycleAction,
    link: bytes | None,
    cause: Cause | None,
    after: Standing,
    at: int,
    unseen: bytes | None,
) -> Entry:
    record = row.record
    return Entry(
        record.key,
        record.identity,
        record.agent_id,
        row.last_sequence + 1,
        row.last_receipt,
        _KINDS[action],
        at,
        counters=tuple(
            CounterChange(each.name, each.cap, *(each.held, each.captured) * 2, each.unit)
            for each in counters.counters_of(tx, row.id, at)
            if "/" not in each.name  # its links' counters may be thousands; their own receipts show them
        ),
        format=record.format,
        instruction=None if cause is None else cause.identity,
        caused_by=None if cause is None else cause.causer,
        link=link,
        credential_state=after.state if action is LifecycleAction.RESUME else None,
        supersedes=unseen,
    )

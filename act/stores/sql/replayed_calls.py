"""The call behind each kind of receipt, made once more at the receipt's own instant.

Three things stand in no receipt. The id of a request or an instruction and the key that signed it: an entry made again keeps
it by its identity (`replayed_request`, `remember_replayed`), which nothing else can have. The link that paid: the
charge is kept under the mandate itself.
And the end of a calendar window that begins after the backup: its counter is shown until a payment in it says when it ends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from act.calendar import Window
from act.delegation.lifecycle import Causer, LifecycleAction, Standing, require_usable
from act.delegation.limits import Limit
from act.delegation.mandate import MandateKey
from act.errors import Refused
from act.payment.charge import ChargeRecord, ChargeState
from act.payment.ledger import CounterChange, Entry, EntryKind, ReceiptMaker
from act.payment.receipt import Receipt
from act.payment.verifier import RequestKey
from act.stores.sql import charges, counters, mandates, moves, reservation, standings, succession
from act.stores.sql.charges import ChargeRow
from act.stores.sql.mandates import MandateId, MandateRow
from act.stores.sql.transaction import Transaction

__all__ = ["CALLS", "is_known_link", "remember_replayed", "replayed_request"]

_ANY_CODE: Final = "total_limit_exceeded"  # of a limit whose constraint nobody has here; it is never told

_ACTIONS: Final = {
    EntryKind.SUSPENDED: LifecycleAction.SUSPEND,
    EntryKind.RESUMED: LifecycleAction.RESUME,
    EntryKind.REVOKED: LifecycleAction.REVOKE,
}


def replayed_request(mandate: MandateKey, agent_id: str, identity: bytes) -> RequestKey:
    """Under what a request is kept of which only the identity is known. No request can claim that: a key's thumbprint has 32
    bytes and a request's id 16."""
    return RequestKey(mandate, agent_id, b"", identity)


def remember_replayed(tx: Transaction, mandate_id: MandateId, identity: bytes, sequence: int) -> None:
    """Records an instruction of which only the identity is known: it stands in the id's place, and no thumbprint in the
    signer's. No instruction can claim that. A revocation that voided holds stands at its own entry, the last of them. Raises
    `Refused` duplicate_instruction for one that was obeyed before."""
    known = tx.execute(
        "SELECT entry.kind FROM instruction JOIN entry ON entry.account = instruction.account "
        "AND entry.mandate = instruction.mandate AND entry.sequence = instruction.sequence "
        "WHERE instruction.account = ? AND instruction.mandate = ? AND instruction.identity = ?",
        (*mandate_id, identity),
    ).fetchone()
    if known is not None and known[0] != EntryKind.VOIDED.value:
        raise Refused("duplicate_instruction", "instruction.cti")
    tx.execute(
        "INSERT INTO instruction (account, mandate, signer, instruction_id, identity, sequence) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (account, mandate, signer, instruction_id) DO UPDATE SET sequence = excluded.sequence",
        (*mandate_id, b"", identity, identity, sequence),
    )


def is_known_link(tx: Transaction, row: MandateRow, link: bytes) -> bool:
    """Whether a link was paid under or stopped before."""
    found = tx.execute("SELECT 1 FROM link WHERE account = ? AND mandate = ? AND identity = ?", (*row.id, link)).fetchone()
    return found is not None


def _limits(tx: Transaction, row: MandateRow, receipt: Receipt) -> tuple[Limit, ...]:
    """The limits that a receipt shows, as they were judged."""
    return tuple([_limit(tx, row, change, receipt.issued_at) for change in receipt.counters])


def _limit(tx: Transaction, row: MandateRow, change: CounterChange, at: int) -> Limit:
    _, slides, seconds = change.name.partition("~")
    if slides:
        return Limit(change.name, change.cap, _ANY_CODE, change.unit, None, int(seconds), at - int(seconds))
    window = None
    if "@" in change.name:
        known = tx.execute(
            "SELECT turns_at FROM counter WHERE account = ? AND mandate = ? AND name = ?", (*row.id, change.name)
        ).fetchone()
        window = Window(at, row.record.expires_at if known is None else known[0], change.name.partition("@")[2])
    return Limit(change.name, change.cap, _ANY_CODE, change.unit, window)


def _reserve(tx: Transaction, row: MandateRow, receipt: Receipt, make: ReceiptMaker) -> None:
    payee, agent_id = receipt.audience[0], receipt.audience[-1]
    require_usable(row.state)
    if (
        receipt.amount is None
        or receipt.hold_expires_at is None
        or tx.execute("SELECT 1 FROM charge WHERE id = ?", (receipt.trade_no,)).fetchone()
    ):
        raise Refused("charge_closed")
    limits = _limits(tx, row, receipt)
    changes = counters.judge_limits(tx, row.id, limits, receipt.amount.minor)
    charge = ChargeRecord(
        receipt.trade_no or "",
        replayed_request(row.record.key, agent_id, receipt.request or b""),
        receipt.request or b"",
        row.record.identity,
        payee,
        receipt.order_no or "",
        receipt.order or b"",
        receipt.amount,
        0,
        ChargeState.HELD,
        receipt.issued_at,
        receipt.hold_expires_at,
        receipt.tzdata_version,
    )
    charges.insert_charge(tx, row.id, receipt.sequence, charge, sorted(limit.name for limit in limits))
    counters.debit(tx, row.id, charge, limits, changes)
    _append_asked(tx, row, receipt, changes, make)


def _refuse(tx: Transaction, row: MandateRow, receipt: Receipt, make: ReceiptMaker) -> None:
    """Where the refusal was found and its facts stand in no receipt."""
    if receipt.code not in reservation.RECORDED_REFUSALS:
        raise Refused("claim_invalid")
    if receipt.credential != row.record.identity:  # what a mandate was told that had been replaced
        replaced = mandates.find_identity(tx, row.record.key, receipt.credential)
        if replaced is None or replaced.id != row.id or receipt.code != "credential_superseded":
            raise Refused("credential_superseded")
        key = replace(row.record.key, delegation_id=receipt.delegation_id)
        row = replace(replaced, record=replace(replaced.record, key=key))
    stands = counters.limits_as_they_stand(tx, row.id, _limits(tx, row, receipt))
    _append_asked(tx, row, receipt, stands, make, Refused(receipt.code))


def _append_asked(
    tx: Transaction,
    row: MandateRow,
    receipt: Receipt,
    changes: tuple[CounterChange, ...],
    make: ReceiptMaker,
    refusal: Refused | None = None,
) -> None:
    """The entry that answers a request, and the request it answers."""
    payee, agent_id = receipt.audience[0], receipt.audience[-1]
    entry = Entry(
        row.record.key,
        row.record.identity,
        agent_id,
        receipt.sequence,
        row.last_receipt,
        receipt.kind,
        receipt.issued_at,
        receipt.request,
        payee,
        receipt.order_no,
        receipt.order,
        receipt.trade_no,
        receipt.amount,
        receipt.code,
        receipt.hold_expires_at,
        changes,
        receipt.tzdata_version,
        row.record.format,
    )
    mandates.append(tx, row, entry, make, refusal=refusal)
    key = replayed_request(row.record.key, agent_id, receipt.request or b"")
    made = tx.execute(
        "INSERT INTO request (account, mandate, agent_id, holder, request_id, identity, sequence) VALUES (?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT DO NOTHING RETURNING sequence",
        (*row.id, agent_id, key.holder, key.request_id, receipt.request, receipt.sequence),
    ).fetchone()
    if made is None:
        raise Refused("duplicate_request")


def _charge_of(tx: Transaction, row: MandateRow, receipt: Receipt) -> ChargeRow:
    found = charges.find_charge(tx, receipt.trade_no or "")
    if found.mandate_id != row.id:
        raise Refused("charge_unknown")
    return found


def _minor(receipt: Receipt) -> int:
    return 0 if receipt.amount is None else receipt.amount.minor


def _capture(tx: Transaction, row: MandateRow, receipt: Receipt, make: ReceiptMaker) -> None:
    moves.capture(
        tx, _charge_of(tx, row, receipt), _minor(receipt), receipt.capture_no, receipt.issued_at, make, receipt.instruction
    )


def _void(tx: Transaction, row: MandateRow, receipt: Receipt, make: ReceiptMaker) -> None:
    moves.void(tx, _charge_of(tx, row, receipt), receipt.issued_at, make, receipt.instruction)


def _expire(tx: Transaction, row: MandateRow, receipt: Receipt, make: ReceiptMaker) -> None:
    held = _charge_of(tx, row, receipt)
    if not held.has_ended(receipt.issued_at):
        raise Refused("charge_closed")
    moves.expire(tx, held, receipt.issued_at, make)


def _refund(tx: Transaction, row: MandateRow, receipt: Receipt, make: ReceiptMaker) -> None:
    charge = _charge_of(tx, row, receipt)
    moves.refund(tx, charge, _minor(receipt), receipt.refund_no or "", receipt.issued_at, make, receipt.instruction)


def _change(tx: Transaction, row: MandateRow, receipt: Receipt, make: ReceiptMaker) -> None:
    """A suspension, its end, or a revocation; what became of holds has receipts of its own."""
    action, causer = _ACTIONS[receipt.kind], receipt.caused_by
    stops = standings.stops_of(tx, row.id, receipt.link)
    if causer is None:  # the payment service's own word
        after, causer = Standing(is_revoked=True), Causer.RISK_CONTROL
    else:
        after = stops.standing.after(action, causer)
    if after == stops.standing:
        raise Refused("transition_not_allowed")
    entry = Entry(
        row.record.key,
        row.record.identity,
        row.record.agent_id,
        receipt.sequence,
        row.last_receipt,
        receipt.kind,
        receipt.issued_at,
        counters=counters.limits_as_they_stand(tx, row.id, _limits(tx, row, receipt)),
        format=row.record.format,
        instruction=receipt.instruction,
        caused_by=receipt.caused_by,
        link=receipt.link,
        credential_state=after.state if action is LifecycleAction.RESUME else None,
        supersedes=receipt.supersedes,
    )
    mandates.append(tx, row, entry, make)
    if receipt.supersedes is not None:
        succession.remember_unseen(tx, row, receipt.supersedes, receipt.sequence)
    standings.keep_stops(tx, row.id, receipt.link, stops.after(action, causer, receipt.sequence))


CALLS: Final[dict[EntryKind, Callable[[Transaction, MandateRow, Receipt, ReceiptMaker], None]]] = {
    EntryKind.RESERVED: _reserve,
    EntryKind.REFUSED: _refuse,
    EntryKind.PARTIALLY_CAPTURED: _capture,
    EntryKind.CAPTURED: _capture,
    EntryKind.VOIDED: _void,
    EntryKind.EXPIRED: _expire,
    EntryKind.REFUNDED: _refund,
    EntryKind.REVOKED: _change,
    EntryKind.SUSPENDED: _change,
    EntryKind.RESUMED: _change,
}

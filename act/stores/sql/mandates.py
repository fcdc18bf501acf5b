"""Rows of accounts, mandates and their entries. Called inside a transaction; a mandate's row is locked before anything under
it is read or written, which is what serializes everything under it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from act.delegation.lifecycle import MandateState
from act.delegation.mandate import MandateKey
from act.envelope.objects import Format, Unsigned, rebuild
from act.errors import Refused
from act.payment.ledger import Entry, MandateRecord, ReceiptMaker
from act.payment.verifier import LinkRecord
from act.stores.sql.transaction import StaleRead, Transaction
from act.values import immutable
from act.wire import cbor

__all__ = [
    "MandateId",
    "MandateRow",
    "append",
    "find_identity",
    "find_mandate",
    "lock_account",
    "lock_mandate",
    "mandate_by_id",
    "pin",
    "record_links",
    "require_pinnable",
    "require_trusted",
    "stored_receipt",
    "stored_receipts",
    "stored_refusal",
]

_SELECT: Final = (
    "SELECT account, number, issuer, delegator_identity, delegation_id, identity, agent_id, currency, expires_at, on_revoke, "
    "format, refund_restores, pinned_at, state, last_sequence, last_receipt, first_hold_end "
    "FROM account JOIN mandate ON mandate.account = account.id "
)
_SELECT_FORMER: Final = (
    "SELECT mandate.account, number, issuer, delegator_identity, former.delegation_id, former.identity, "
    "coalesce(former.agent_id, ''), currency, coalesce(former.expires_at, mandate.expires_at), "
    "coalesce(former.on_revoke, 'honor'), format, refund_restores, coalesce(former.pinned_at, 0), "
    "'Revoked', last_sequence, last_receipt, first_hold_end, mandate.identity, former.ended FROM account "
    "JOIN former_mandate AS former ON former.account = account.id "
    "JOIN mandate ON mandate.account = former.account AND mandate.number = former.mandate "
)


class MandateId(NamedTuple):
    """What every row under a mandate begins with: the funding account that owns it, and its number there."""

    account: int
    number: int


@immutable
class MandateRow:
    """One mandate as stored. No open hold of it ends before `first_hold_end`; None while nothing was ever held.

    One that was replaced shares its id, and with it every row below, with the mandate that did: `successor` is the identity of
    that, and `ended` the entry by which the first took over. Nothing is written for the key of such a one but its refusals.
    """

    id: MandateId
    record: MandateRecord
    pinned_at: int
    state: MandateState
    last_sequence: int
    last_receipt: bytes | None
    first_hold_end: int | None = None
    successor: bytes | None = None
    ended: int | None = None

    @property
    def is_unseen(self) -> bool:
        """Whether nothing is known of it but that its successor was revoked before it was ever seen."""
        return self.ended is not None and not self.record.agent_id

    def has_ended_holds(self, at: int) -> bool:
        """Whether it is worth looking for them."""
        return self.first_hold_end is not None and at >= self.first_hold_end


def find_mandate(tx: Transaction, key: MandateKey, *, identity: bytes | None = None, lock: bool = False) -> MandateRow | None:
    """The row of a mandate, also of one that was replaced; None if the ledger has never seen it. With its `identity` that of
    one is found, too, of which nothing else is known. With `lock`, nobody else changes anything under it before this
    transaction ends."""
    locking = tx.locking("mandate") if lock else ""
    values = (key.issuer, key.delegator_identity, key.delegation_id)
    row = tx.execute(
        f"{_SELECT} WHERE issuer = ? AND delegator_identity = ? AND mandate.delegation_id = ?{locking}", values
    ).fetchone()
    return _find_former(tx, key, identity, locking) if row is None else _mandate(row)


def find_identity(tx: Transaction, owner: MandateKey, identity: bytes, *, lock: bool = False) -> MandateRow | None:
    """The row of the mandate that has this identity and the owner's issuer and principal, as `find_mandate` gives it."""
    locking = tx.locking("mandate") if lock else ""
    row = tx.execute(
        f"{_SELECT} WHERE issuer = ? AND delegator_identity = ? AND mandate.identity = ?{locking}",
        (owner.issuer, owner.delegator_identity, identity),
    ).fetchone()
    return _find_former(tx, owner, identity, locking, by_id=False) if row is None else _mandate(row)


def _find_former(
    tx: Transaction, key: MandateKey, identity: bytes | None, locking: str, *, by_id: bool = True
) -> MandateRow | None:
    row = tx.execute(
        f"{_SELECT_FORMER} WHERE issuer = ? AND delegator_identity = ? AND (former.identity = ? OR former.delegation_id = ?)"
        f"{locking}",
        (key.issuer, key.delegator_identity, identity or b"", key.delegation_id if by_id else ""),
    ).fetchone()
    return None if row is None else _mandate(row)


def mandate_by_id(tx: Transaction, mandate_id: MandateId) -> MandateRow:
    """The row a foreign key names."""
    return _mandate(tx.execute(f"{_SELECT} WHERE account = ? AND number = ?", mandate_id).fetchone())


def lock_mandate(tx: Transaction, mandate_id: MandateId) -> MandateRow:
    """The row a foreign key names, locked."""
    return _mandate(tx.execute(f"{_SELECT} WHERE account = ? AND number = ?{tx.locking('mandate')}", mandate_id).fetchone())


def _mandate(row: Sequence[Any]) -> MandateRow:
    account, number, issuer, delegator_identity, delegation_id, *rest = row
    identity, agent_id, currency, expires_at, on_revoke, format, refund_restores, *stands = rest
    pinned_at, state, *head = stands
    key = MandateKey(issuer, delegator_identity, delegation_id)
    record = MandateRecord(
        key, identity, agent_id, currency, expires_at, on_revoke, _FORMATS[format], refund_restores=bool(refund_restores)
    )
    mandate_id = MandateId(account, number)
    return MandateRow(mandate_id, record, pinned_at, _STATES[state], *head)


_FORMATS: Final = {format.value: format for format in Format}
_STATES: Final = {state.value: state for state in MandateState}


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


def pin(tx: Transaction, found: MandateRow | None, mandate: MandateRecord, at: int, pinned_before: int | None) -> MandateRow:
    """The mandate's row, made now if this is its first use. Raises what `require_pinnable` raises."""
    require_pinnable(found, mandate, pinned_before)
    if found is not None:
        return found
    key = mandate.key
    owner = (key.issuer, key.delegator_identity)
    tx.execute("INSERT INTO account (issuer, delegator_identity) VALUES (?, ?) ON CONFLICT DO NOTHING", owner)
    own = f"SELECT id FROM account WHERE issuer = ? AND delegator_identity = ?{tx.locking('account')}"
    (account,) = tx.execute(own, owner).fetchone()
    if _was_replaced(tx, account, mandate):  # since it was looked for
        raise StaleRead
    (last,) = tx.execute("SELECT coalesce(max(number), 0) FROM mandate WHERE account = ?", (account,)).fetchone()
    made = tx.execute(
        "INSERT INTO mandate (account, number, delegation_id, identity, agent_id, currency, expires_at, on_revoke, format, "
        "refund_restores, pinned_at, state, last_sequence) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'Active', 0) "
        "ON CONFLICT DO NOTHING RETURNING number",
        (
            account,
            last + 1,
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
    ).fetchone()
    if made is None:  # somebody pinned it since it was looked for
        raise StaleRead
    return MandateRow(MandateId(account, last + 1), mandate, at, MandateState.ACTIVE, 0, None)


def _was_replaced(tx: Transaction, account: int, mandate: MandateRecord) -> bool:
    found = tx.execute(
        "SELECT 1 FROM former_mandate WHERE account = ? AND (identity = ? OR delegation_id = ?)",
        (account, mandate.identity, mandate.key.delegation_id),
    ).fetchone()
    return found is not None


def lock_account(tx: Transaction, account: int) -> None:
    """Has nobody record a mandate of that account, or replace one, before this transaction ends."""
    tx.execute(f"SELECT id FROM account WHERE id = ?{tx.locking('account')}", (account,)).fetchone()


def record_links(tx: Transaction, row: MandateRow, links: Sequence[LinkRecord], at: int) -> None:
    """Records the links of a chain at their first use. They are known by identity, which is also what their counters are named
    by: whatever id a link gives itself, it cannot take another one's name."""
    parent = row.record.identity
    for link in links:
        tx.execute(
            "INSERT INTO link (account, mandate, identity, delegation_id, agent_id, parent, pinned_at, state) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, 'Active') ON CONFLICT DO NOTHING",
            (*row.id, link.identity, link.delegation_id, link.agent_id, parent, at),
        )
        parent = link.identity


def append(
    tx: Transaction,
    row: MandateRow,
    entry: Entry,
    make_receipt: ReceiptMaker,
    *,
    refusal: Refused | None = None,
) -> Unsigned:
    """Appends an entry, makes its receipt and moves the mandate's head to it."""
    first_hold_end = row.first_hold_end
    if entry.hold_expires_at is not None:
        first_hold_end = entry.hold_expires_at if first_hold_end is None else min(first_hold_end, entry.hold_expires_at)
    receipt = make_receipt(entry)
    tx.execute(
        "INSERT INTO entry "
        "(account, mandate, sequence, kind, at, charge, amount_minor, code, place, facts, receipt_protected, receipt_payload, "
        "receipt_identity) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *row.id,
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
    tx.execute(
        "UPDATE mandate SET last_sequence = ?, last_receipt = ?, first_hold_end = ? WHERE account = ? AND number = ?",
        (entry.sequence, receipt.identity, first_hold_end, *row.id),
    )
    return receipt


def stored_receipts(tx: Transaction, mandate_id: MandateId) -> tuple[Unsigned, ...]:
    """Every receipt of a mandate, in the order of its entries."""
    (last,) = tx.execute("SELECT last_sequence FROM mandate WHERE account = ? AND number = ?", mandate_id).fetchone()
    return tuple([stored_receipt(tx, mandate_id, sequence) for sequence in range(1, last + 1)])


def stored_receipt(tx: Transaction, mandate_id: MandateId, sequence: int) -> Unsigned:
    """The receipt of an entry, as it was made then."""
    protected, payload, identity = tx.execute(
        "SELECT receipt_protected, receipt_payload, receipt_identity FROM entry "
        "WHERE account = ? AND mandate = ? AND sequence = ?",
        (*mandate_id, sequence),
    ).fetchone()
    try:
        receipt = rebuild(protected, payload)
    except Refused as damage:
        raise ValueError("a stored receipt's header is damaged") from damage
    if receipt.identity != identity:  # nothing damaged is signed, and nobody but the store is to blame
        raise ValueError("a stored receipt is damaged")
    return receipt


def stored_refusal(tx: Transaction, mandate_id: MandateId, sequence: int) -> Refused:
    """The refusal of an entry, as it was raised then."""
    code, place, facts = tx.execute(
        "SELECT code, place, facts FROM entry WHERE account = ? AND mandate = ? AND sequence = ?",
        (*mandate_id, sequence),
    ).fetchone()
    try:
        return Refused(code, place, **cbor.decode(facts))  # type: ignore[arg-type]  # written by `append`: texts and integers
    except Refused as damage:
        raise ValueError("the facts of a stored refusal are damaged") from damage  # the store's fault, not the token's

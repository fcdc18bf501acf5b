"""A mandate that replaces another: one transaction closes the old one and carries over what was spent under it. Called inside a
transaction.

The successor takes the old mandate's row, and with it everything that stands below: its charges, its counters, its chain of
receipts. So a budget that was amended, or whose agent's key was changed, is one budget, and whatever becomes of an old charge
later moves the counters in force. The old mandate's name is kept, for whoever still presents it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from act.calendar import FUTURE_TOLERANCE_SECONDS, LATEST_INSTANT, TZDATA_VERSION
from act.delegation.lifecycle import MandateState, require_usable
from act.delegation.limits import UNUSED, Limit, Usage
from act.errors import Refused
from act.payment.charge import usage_of
from act.payment.ledger import CounterChange, Entry, EntryKind, MandateRecord, Outcome, ReceiptMaker
from act.stores.sql import charges, counters, mandates, moves, standings
from act.stores.sql.mandates import MandateRow
from act.stores.sql.transaction import StaleRead, Transaction

__all__ = [
    "PLACE",
    "find",
    "find_line",
    "pin",
    "predecessors",
    "register",
    "remember_unseen",
    "require_current",
    "require_replaceable",
    "take_over",
]

PLACE: Final = "mandate.supersedes"
"""Where a refusal says that it is about the mandate to be replaced."""

_MARGIN_SECONDS: Final = 2 * 86_400
"""Two windows of one name start on the same local date, so in whatever zones never that far from each other."""


def pin(
    tx: Transaction,
    found: MandateRow | None,
    mandate: MandateRecord,
    at: int,
    make_receipt: ReceiptMaker,
    pinned_before: int | None,
) -> MandateRow:
    """The mandate's row, made now if this is its first use; a successor takes over then. Raises `Refused`: what
    `mandates.require_pinnable` raises, and what `take_over` does."""
    if found is not None or mandate.supersedes is None:
        return mandates.pin(tx, found, mandate, at, pinned_before)
    mandates.require_trusted(None, mandate, pinned_before)
    if at + FUTURE_TOLERANCE_SECONDS < mandate.new_since:
        raise Refused("credential_not_yet_valid", PLACE, starts_at=mandate.new_since)
    return take_over(tx, _predecessor(tx, mandate, mandate.supersedes), mandate, at, make_receipt)


def find(tx: Transaction, mandate: MandateRecord, *, lock: bool = False) -> MandateRow | None:
    """The row of a mandate that is presented, as `mandates.find_mandate` gives it; also where nothing is known of it but that
    its successor was revoked."""
    found = mandates.find_mandate(tx, mandate.key, identity=mandate.identity, lock=lock)
    if found is not None and found.is_unseen:  # its receipts are those of its successor's chain, in one envelope
        return replace(found, record=replace(mandate, format=found.record.format))
    return found


def remember_unseen(tx: Transaction, successor: MandateRow, identity: bytes, sequence: int) -> None:
    """A successor was revoked before the mandate that it replaces was ever seen here: whoever holds that one shall not pay with
    it then."""
    tx.execute(
        "INSERT INTO former_mandate (account, identity, mandate, ended) VALUES (?, ?, ?, ?)",
        (successor.id.account, identity, successor.id.number, sequence),
    )


def find_line(tx: Transaction, mandate: MandateRecord) -> MandateRow | None:
    """The row that a mandate has, or is about to take over."""
    found = find(tx, mandate)
    if found is None and mandate.supersedes is not None:
        return mandates.find_identity(tx, mandate.key, mandate.supersedes)
    return found


def require_current(row: MandateRow) -> None:
    """Rule ACT-LED-15: raises `Refused` credential_superseded for a mandate that was replaced."""
    if row.successor is not None:
        raise Refused("credential_superseded", "mandate", successor=row.successor.hex())


def register(
    tx: Transaction, mandate: MandateRecord, at: int, make_receipt: ReceiptMaker, pinned_before: int | None
) -> Outcome | None:
    """See `Ledger.register`."""
    found = find(tx, mandate, lock=True)
    row = pin(tx, found, mandate, at, make_receipt, pinned_before)
    require_current(row)
    if row.state is MandateState.REVOKED:
        raise Refused("credential_revoked", "mandate")
    began = _began(tx, row)
    if began is None:
        return None
    standing = standings.stops_of(tx, row.id, None).standing
    return Outcome(mandates.stored_receipt(tx, row.id, began), replayed=found is not None, standing=standing)


def predecessors(tx: Transaction, row: MandateRow) -> tuple[bytes, ...]:
    """The identities of the mandates that one has replaced, the oldest first."""
    before = "" if row.ended is None else "AND ended < ?"
    rows = tx.execute(
        f"SELECT identity FROM former_mandate WHERE account = ? AND mandate = ? {before} ORDER BY ended",
        row.id if row.ended is None else (*row.id, row.ended),
    ).fetchall()
    return tuple([identity for (identity,) in rows])


def _began(tx: Transaction, row: MandateRow) -> int | None:
    """The entry by which a mandate that pays took over from another one."""
    (began,) = tx.execute("SELECT max(ended) FROM former_mandate WHERE account = ? AND mandate = ?", row.id).fetchone()
    return None if began is None else int(began)


def _predecessor(tx: Transaction, mandate: MandateRecord, supersedes: bytes) -> MandateRow:
    """The mandate to be replaced, locked. Raises what `require_replaceable` raises."""
    old = mandates.find_identity(tx, mandate.key, supersedes, lock=True)
    if mandates.find_mandate(tx, mandate.key) is not None:  # it took over while this waited for the lock
        raise StaleRead
    return require_replaceable(old, mandate)


def require_replaceable(old: MandateRow | None, mandate: MandateRecord) -> MandateRow:
    """Rules ACT-LED-02, -03, and -15 to -17 of a mandate that is to be replaced: returns it if it may be, and raises `Refused`
    otherwise. One that has expired may."""
    if old is None:
        raise Refused("predecessor_unknown", PLACE)
    for field, was, now in (
        ("currency", old.record.currency, mandate.currency),
        ("refund_restores", int(old.record.refund_restores), int(mandate.refund_restores)),
        ("envelope", old.record.format.value, mandate.format.value),
    ):
        if was != now:
            raise Refused("successor_mismatch", PLACE, field=field, predecessor=was, successor=now)
    try:
        require_current(old)
        require_usable(old.state)
    except Refused as refusal:
        raise Refused(refusal.code, PLACE, **refusal.facts) from None
    return old


def take_over(
    tx: Transaction,
    old: MandateRow,
    mandate: MandateRecord,
    at: int,
    make_receipt: ReceiptMaker,
    tzdata_version: str | None = TZDATA_VERSION,
) -> MandateRow:
    """Closes the old mandate's ended holds, makes its row the successor's, and carries over what counts in the limits of the
    successor. Returns the successor's row. By `tzdata_version` its calendar windows were found."""
    limits = _limits_around(mandate, at)
    mandates.lock_account(tx, old.id.account)
    old, _ = moves.close_ended_holds(tx, old, at, make_receipt)
    record, sequence = old.record, old.last_sequence + 1
    tx.execute(
        "INSERT INTO former_mandate "
        "(account, identity, delegation_id, agent_id, expires_at, on_revoke, pinned_at, mandate, ended) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            old.id.account,
            record.identity,
            record.key.delegation_id,
            record.agent_id,
            record.expires_at,
            record.on_revoke,
            old.pinned_at,
            old.id.number,
            sequence,
        ),
    )
    tx.execute(
        "UPDATE mandate SET delegation_id = ?, identity = ?, agent_id = ?, expires_at = ?, on_revoke = ?, pinned_at = ? "
        "WHERE account = ? AND number = ?",
        (
            mandate.key.delegation_id,
            mandate.identity,
            mandate.agent_id,
            mandate.expires_at,
            mandate.on_revoke,
            at,
            *old.id,
        ),
    )
    entry = Entry(
        mandate.key,
        mandate.identity,
        mandate.agent_id,
        sequence,
        old.last_receipt,
        EntryKind.SUCCEEDED,
        at,
        counters=_carry(tx, old, limits, at),
        tzdata_version=tzdata_version if any(limit.window is not None for limit in limits) else None,
        format=mandate.format,
        supersedes=record.identity,
    )
    row = MandateRow(old.id, mandate, at, MandateState.ACTIVE, old.last_sequence, old.last_receipt, old.first_hold_end)
    mandates.append(tx, row, entry, make_receipt)
    return mandates.mandate_by_id(tx, old.id)


def _limits_around(mandate: MandateRecord, at: int) -> list[Limit]:
    """A successor's limits; where a calendar window turns about now, by the clock of somebody or other, both."""
    limits = {limit.name: limit for limit in mandate.own_limits(at)}
    for instant in (max(at - FUTURE_TOLERANCE_SECONDS, 0), min(at + FUTURE_TOLERANCE_SECONDS, LATEST_INSTANT)):
        for limit in mandate.own_limits(instant):
            if limit.window is not None:
                limits.setdefault(limit.name, limit)
    return list(limits.values())


def _carry(tx: Transaction, mandate: MandateRow, limits: Sequence[Limit], at: int) -> tuple[CounterChange, ...]:
    """Makes the counters those of a successor: each of its limits has what the charges so far take of it, and a limit that it
    does not have counts no more. Other calendar windows, and the counters of links, stay as they are: clocks may differ."""
    names = {limit.name for limit in limits}
    stood = {}
    for name, held, captured, sliding_seconds in tx.execute(
        "SELECT name, held, captured, sliding_seconds FROM counter WHERE account = ? AND mandate = ?", mandate.id
    ).fetchall():
        if name in names:
            stood[name] = Usage(held, captured)
            if sliding_seconds is not None:
                stood[name] = Usage(*counters.slid(tx, mandate.id, name, at - sliding_seconds))
        elif "/" not in name and "@" not in name:
            tx.execute("DELETE FROM sliding_debit WHERE account = ? AND mandate = ? AND name = ?", (*mandate.id, name))
            tx.execute("DELETE FROM counter WHERE account = ? AND mandate = ? AND name = ?", (*mandate.id, name))
    return tuple([_carry_one(tx, mandate, limit, stood.get(limit.name)) for limit in limits])


def _carry_one(tx: Transaction, mandate: MandateRow, limit: Limit, stood: Usage | None) -> CounterChange:
    """The counter of one limit. One that has counted every charge until now, or slides as before, needs no counting anew; of a
    window the name may have meant another one."""
    used = stood if stood is not None and limit.window is None else _count(tx, mandate, limit)
    held, captured = (0, 0) if limit.since is not None else (used.held, used.captured)
    turns_at = limit.window.end if limit.window is not None else None
    tx.execute(
        "INSERT INTO counter (account, mandate, name, cap, held, captured, unit, turns_at, sliding_seconds, carried) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (account, mandate, name) DO UPDATE SET cap = excluded.cap, held = excluded.held, "
        "captured = excluded.captured, turns_at = excluded.turns_at, carried = excluded.carried",
        (
            *mandate.id,
            limit.name,
            limit.cap,
            held,
            captured,
            limit.unit.value,
            turns_at,
            limit.sliding_seconds,
            held + captured,
        ),
    )
    before = stood or UNUSED
    return CounterChange(limit.name, limit.cap, before.held, before.captured, used.held, used.captured, limit.unit)


def _count(tx: Transaction, mandate: MandateRow, limit: Limit) -> Usage:
    """What the charges so far take of a limit; each that does counts in it from now on, and no other."""
    since = 0 if limit.window is None else limit.window.start - _MARGIN_SECONDS
    restores = mandate.record.refund_restores
    held = captured = 0
    for row in charges.live_since(tx, mandate.id, mandate.record.key, since):
        counts = _counts_in(limit, row.record.reserved_at)
        if counts != (limit.name in row.debits):
            charges.recount(tx, row, limit.name, counts=counts)
        if counts:
            takes = usage_of(row.record, limit.unit, refund_restores=restores)
            held, captured = held + takes.held, captured + takes.captured
            if limit.since is not None:
                counters.insert_slide(tx, mandate.id, limit.name, row.record, takes)
    return Usage(held, captured) if limit.since is None else Usage(*counters.slid(tx, mandate.id, limit.name, limit.since))


def _counts_in(limit: Limit, reserved_at: int) -> bool:
    if limit.window is not None:
        return limit.window.start <= reserved_at < limit.window.end
    return limit.since is None or reserved_at > limit.since - FUTURE_TOLERANCE_SECONDS  # for a clock that goes back

"""Rows of counters and of what charges took of them. Called inside a transaction.

A counter is a row that holds the sum, except where it slides: then its sum at an instant is worked out from the debits since,
which stand in the order of their time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from act.delegation.limits import UNUSED, Limit, Unit, Usage, judge
from act.payment.charge import ChargeRecord, ChargeState, released, usage_of
from act.payment.ledger import Counter, CounterChange
from act.stores.sql.charges import ChargeRow
from act.stores.sql.mandates import MandateId, MandateRow
from act.stores.sql.transaction import Transaction

__all__ = ["counters_of", "debit", "given_back", "insert_slide", "judge_limits", "limits_as_they_stand", "move", "slid"]

_NOTHING: Final[Mapping[str, Usage]] = {}


def judge_limits(
    tx: Transaction,
    mandate_id: MandateId,
    limits: Sequence[Limit],
    amount_minor: int,
    given_back: Mapping[str, Usage] = _NOTHING,
) -> tuple[CounterChange, ...]:
    """What a payment would do to every limit; raises the `Refused` of the first it does not fit into. Writes nothing.

    `given_back`, by limit, no longer counts.
    """
    changes = []
    for limit in limits:
        held, captured = _without(_used(tx, mandate_id, limit), given_back.get(limit.name))
        judge(limit, Usage(held, captured), amount_minor)
        taken = held + limit.debit(amount_minor)
        changes.append(CounterChange(limit.name, limit.cap, held, captured, taken, captured, limit.unit))
    return tuple(changes)


def limits_as_they_stand(tx: Transaction, mandate_id: MandateId, limits: Sequence[Limit]) -> tuple[CounterChange, ...]:
    """Every limit before and after something that moves none: what the receipt of a refusal shows."""
    stands = []
    for limit in limits:
        used = _used(tx, mandate_id, limit)
        stands.append(CounterChange(limit.name, limit.cap, *used, *used, limit.unit))
    return tuple(stands)


def _used(tx: Transaction, mandate_id: MandateId, limit: Limit) -> tuple[int, int]:
    """Held and captured of a limit; a limit nothing was debited to has no row."""
    if limit.since is not None:
        return slid(tx, mandate_id, limit.name, limit.since)
    row = tx.execute(
        "SELECT held, captured FROM counter WHERE account = ? AND mandate = ? AND name = ?", (*mandate_id, limit.name)
    ).fetchone()
    return row or (0, 0)


def slid(tx: Transaction, mandate_id: MandateId, name: str, since: int) -> tuple[int, int]:
    """Held and captured of what was reserved after `since`, whatever the clock says now: one that went back frees nothing."""
    # The mandate's total keeps the sums within 64 bits; beyond them sum() raises, and nothing is reserved.
    held, captured = tx.execute(
        "SELECT CAST(coalesce(sum(held), 0) AS BIGINT), CAST(coalesce(sum(captured), 0) AS BIGINT) FROM sliding_debit "
        "WHERE account = ? AND mandate = ? AND name = ? AND at > ?",
        (*mandate_id, name, since),
    ).fetchone()
    return held, captured


def debit(
    tx: Transaction,
    mandate_id: MandateId,
    charge: ChargeRecord,
    limits: Sequence[Limit],
    changes: Sequence[CounterChange],
) -> None:
    """Writes what `judge_limits` found to fit: the counters and, per limit, what the new charge took."""
    slides = []
    counters: list[tuple[int | str | None, ...]] = []
    for limit, change in zip(limits, changes, strict=True):
        taken = limit.debit(charge.amount.minor)
        turns_at = limit.window.end if limit.window is not None else None
        held, captured = change.held, change.captured
        if limit.since is not None:
            held, captured = 0, 0
            slides.append((*mandate_id, limit.name, charge.reserved_at, charge.id, taken))
        unit = limit.unit.value
        counters.append((*mandate_id, limit.name, limit.cap, held, captured, unit, turns_at, limit.sliding_seconds))
    tx.executemany(
        "INSERT INTO counter (account, mandate, name, cap, held, captured, unit, turns_at, sliding_seconds) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (account, mandate, name) "
        "DO UPDATE SET cap = CASE WHEN excluded.turns_at IS NULL THEN counter.cap ELSE excluded.cap END, "
        "held = excluded.held, captured = excluded.captured, turns_at = excluded.turns_at",
        counters,
    )
    if slides:
        tx.executemany(
            "INSERT INTO sliding_debit (account, mandate, name, at, charge, held, captured) VALUES (?, ?, ?, ?, ?, ?, 0)",
            slides,
        )


def insert_slide(tx: Transaction, mandate_id: MandateId, name: str, charge: ChargeRecord, takes: Usage) -> None:
    """What a charge takes of a sliding limit in which it counts only now."""
    tx.execute(
        "INSERT INTO sliding_debit (account, mandate, name, at, charge, held, captured) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (*mandate_id, name, charge.reserved_at, charge.id, takes.held, takes.captured),
    )


def move(tx: Transaction, row: ChargeRow, after: ChargeRecord, at: int, *, refund_restores: bool) -> tuple[CounterChange, ...]:
    """Moves what a charge takes of every limit it was debited to, from how it stood to how it stands.

    It moves in the windows it was reserved in, whether or not they have turned since. A limit that a successor does not have
    counts no more.
    """
    changes = []
    mandate_id, before = row.mandate_id, row.record
    for name, cap, unit, sliding_seconds, held, captured in _debited(tx, row):
        was = usage_of(before, Unit(unit), refund_restores=refund_restores)
        now = usage_of(after, Unit(unit), refund_restores=refund_restores)
        if sliding_seconds is None:
            stood, stands = (held, captured), (held - was.held + now.held, captured - was.captured + now.captured)
            tx.execute(
                "UPDATE counter SET held = ?, captured = ? WHERE account = ? AND mandate = ? AND name = ?",
                (*stands, *mandate_id, name),
            )
        else:
            stood = slid(tx, mandate_id, name, at - sliding_seconds)
            tx.execute(
                "UPDATE sliding_debit SET held = ?, captured = ? "
                "WHERE account = ? AND mandate = ? AND name = ? AND at = ? AND charge = ?",
                (now.held, now.captured, *mandate_id, name, before.reserved_at, before.id),
            )
            stands = slid(tx, mandate_id, name, at - sliding_seconds)
        changes.append(CounterChange(name, cap, *stood, *stands, Unit(unit)))
    return tuple(changes)


def given_back(tx: Transaction, mandate: MandateRow, ended: Sequence[ChargeRow], at: int | None) -> dict[str, Usage]:
    """What closing holds that have ended will give back to each limit, as it counts at instant `at`."""
    back: dict[str, Usage] = {}
    restores = mandate.record.refund_restores
    for row in ended:
        for name, _, unit, sliding_seconds, _, _ in _debited(tx, row):
            if sliding_seconds is None or (at is not None and row.record.reserved_at > at - sliding_seconds):
                was = usage_of(row.record, Unit(unit), refund_restores=restores)
                closed = released(row.record, ChargeState.EXPIRED)
                now = usage_of(closed, Unit(unit), refund_restores=restores)
                before = back.get(name, UNUSED)
                back[name] = Usage(before.held + was.held - now.held, before.captured + was.captured - now.captured)
    return back


def _debited(tx: Transaction, row: ChargeRow) -> list[tuple[Any, ...]]:
    """The counters a charge was debited to, as far as they still count: name, cap, unit, sliding_seconds, held, captured."""
    found = [
        tx.execute(
            "SELECT name, cap, unit, sliding_seconds, held, captured FROM counter "
            "WHERE account = ? AND mandate = ? AND name = ?",
            (*row.mandate_id, name),
        ).fetchone()
        for name in row.debits
    ]
    return [each for each in found if each is not None]


def _without(used: tuple[int, int], given_back: Usage | None) -> tuple[int, int]:
    return used if given_back is None else (used[0] - given_back.held, used[1] - given_back.captured)


def counters_of(
    tx: Transaction, mandate_id: MandateId, at: int | None, given_back: Mapping[str, Usage] = _NOTHING
) -> tuple[Counter, ...]:
    """The counters of a mandate whose windows have not turned at instant `at`, sliding ones as they stand then; without an
    instant those of every window there was, and no sliding ones. `given_back`, by limit, no longer counts."""
    found = []
    for name, cap, held, captured, unit, turns_at, sliding_seconds in tx.execute(
        "SELECT name, cap, held, captured, unit, turns_at, sliding_seconds FROM counter "
        "WHERE account = ? AND mandate = ? ORDER BY name",
        mandate_id,
    ).fetchall():
        if sliding_seconds is not None:
            if at is not None:
                used = _without(slid(tx, mandate_id, name, at - sliding_seconds), given_back.get(name))
                found.append(Counter(name, cap, *used, Unit(unit)))
        elif at is None or turns_at is None or at < turns_at:
            found.append(Counter(name, cap, *_without((held, captured), given_back.get(name)), Unit(unit), turns_at))
    return tuple(found)

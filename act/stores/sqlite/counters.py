"""Rows of counters and of what charges took of them. Called inside a transaction.

A counter is a row that holds the sum, except where it slides: then its sum at an instant is worked out from the debits since,
which stand in the order of their time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from act.delegation.limits import Limit, Unit, Usage, judge
from act.payment.ledger import ChargeRecord, ChargeState, Counter, CounterChange

__all__ = ["close", "counters_of", "debit", "judge_limits", "limits_as_they_stand"]


def judge_limits(
    connection: sqlite3.Connection, mandate_id: int, limits: Sequence[Limit], amount_minor: int
) -> tuple[CounterChange, ...]:
    """What a payment would do to every limit; raises the `Refused` of the first it does not fit into. Writes nothing."""
    changes = []
    for limit in limits:
        held, captured = _used(connection, mandate_id, limit)
        judge(limit, Usage(held, captured), amount_minor)
        taken = held + limit.debit(amount_minor)
        changes.append(CounterChange(limit.name, limit.cap, held, captured, taken, captured, limit.unit))
    return tuple(changes)


def limits_as_they_stand(connection: sqlite3.Connection, mandate_id: int, limits: Sequence[Limit]) -> tuple[CounterChange, ...]:
    """Every limit before and after something that moves none: what the receipt of a refusal shows."""
    stands = []
    for limit in limits:
        used = _used(connection, mandate_id, limit)
        stands.append(CounterChange(limit.name, limit.cap, *used, *used, limit.unit))
    return tuple(stands)


def _used(connection: sqlite3.Connection, mandate_id: int, limit: Limit) -> tuple[int, int]:
    """Held and captured of a limit; a limit nothing was debited to has no row."""
    if limit.since is not None:
        return _slid(connection, mandate_id, limit.name, limit.since)
    row = connection.execute(
        "SELECT held, captured FROM counter WHERE mandate = ? AND name = ?", (mandate_id, limit.name)
    ).fetchone()
    return row or (0, 0)


def _slid(connection: sqlite3.Connection, mandate_id: int, name: str, since: int) -> tuple[int, int]:
    """Held and captured of what was reserved after `since`, whatever the clock says now: one that went back frees nothing."""
    # The mandate's total keeps the sums within 64 bits; beyond them sum() raises, and nothing is reserved.
    held, captured = connection.execute(
        "SELECT coalesce(sum(held), 0), coalesce(sum(captured), 0) FROM sliding_debit "
        "WHERE mandate = ? AND name = ? AND at > ?",
        (mandate_id, name, since),
    ).fetchone()
    return held, captured


def debit(
    connection: sqlite3.Connection,
    mandate_id: int,
    charge: ChargeRecord,
    limits: Sequence[Limit],
    changes: Sequence[CounterChange],
) -> None:
    """Writes what `judge_limits` found to fit: the counters and, per limit, what the new charge took."""
    debits, slides = [], []
    counters: list[tuple[int | str | None, ...]] = []
    for limit, change in zip(limits, changes, strict=True):
        taken = limit.debit(charge.amount.minor)
        debits.append((charge.id, limit.name, taken))
        turns_at = limit.window.end if limit.window is not None else None
        held, captured = change.held, change.captured
        if limit.since is not None:
            held, captured = 0, 0
            slides.append((mandate_id, limit.name, charge.reserved_at, charge.id, taken))
        unit = limit.unit.value
        counters.append((mandate_id, limit.name, limit.cap, held, captured, unit, turns_at, limit.sliding_seconds))
    connection.executemany(
        "INSERT INTO counter (mandate, name, cap, held, captured, unit, turns_at, sliding_seconds) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET held = excluded.held, captured = excluded.captured, turns_at = excluded.turns_at",
        counters,
    )
    connection.executemany("INSERT INTO debit (charge, name, amount) VALUES (?, ?, ?)", debits)
    if slides:
        connection.executemany(
            "INSERT INTO sliding_debit (mandate, name, at, charge, held, captured) VALUES (?, ?, ?, ?, ?, 0)", slides
        )


def close(connection: sqlite3.Connection, mandate_id: int, charge: ChargeRecord, at: int) -> tuple[CounterChange, ...]:
    """Moves what a charge took, now that it is closed: the hold ends, and what was captured counts as captured.

    It moves in the windows it was reserved in, whether or not they have turned since.
    """
    changes = []
    for name, taken, cap, unit, sliding_seconds, held, captured in connection.execute(
        "SELECT counter.name, debit.amount, cap, unit, sliding_seconds, held, captured FROM debit "
        "JOIN counter ON counter.mandate = ? AND counter.name = debit.name WHERE debit.charge = ?",
        (mandate_id, charge.id),
    ).fetchall():
        kept = charge.captured_minor if unit == Unit.AMOUNT.value else int(charge.state is ChargeState.CAPTURED)
        if sliding_seconds is None:
            before, after = (held, captured), (held - taken, captured + kept)
            connection.execute(
                "UPDATE counter SET held = ?, captured = ? WHERE mandate = ? AND name = ?", (*after, mandate_id, name)
            )
        else:
            before = _slid(connection, mandate_id, name, at - sliding_seconds)
            connection.execute(
                "UPDATE sliding_debit SET held = 0, captured = ? WHERE mandate = ? AND name = ? AND at = ? AND charge = ?",
                (kept, mandate_id, name, charge.reserved_at, charge.id),
            )
            after = _slid(connection, mandate_id, name, at - sliding_seconds)
        changes.append(CounterChange(name, cap, *before, *after, Unit(unit)))
    return tuple(changes)


def counters_of(connection: sqlite3.Connection, mandate_id: int, at: int | None) -> tuple[Counter, ...]:
    """The counters of a mandate whose windows have not turned at instant `at`, sliding ones as they stand then; without an
    instant those of every window there was, and no sliding ones."""
    found = []
    for name, cap, held, captured, unit, turns_at, sliding_seconds in connection.execute(
        "SELECT name, cap, held, captured, unit, turns_at, sliding_seconds FROM counter WHERE mandate = ? ORDER BY name",
        (mandate_id,),
    ).fetchall():
        if sliding_seconds is not None:
            if at is not None:
                slid = _slid(connection, mandate_id, name, at - sliding_seconds)
                found.append(Counter(name, cap, *slid, Unit(unit)))
        elif at is None or turns_at is None or at < turns_at:
            found.append(Counter(name, cap, held, captured, Unit(unit), turns_at))
    return tuple(found)

"""Rows of counters and of what charges took of them. Called inside a transaction.

A counter is a row that holds the sum, except where it slides: then its sum at an instant is worked out from the debits since,
which stand in the order of their time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Final

from act.delegation.limits import UNUSED, Limit, Unit, Usage, judge
from act.payment.charge import ChargeRecord, ChargeState, released, usage_of
from act.payment.ledger import Counter, CounterChange
from act.stores.sqlite.charges import ChargeRow
from act.stores.sqlite.mandates import MandateRow

__all__ = ["counters_of", "debit", "given_back", "judge_limits", "limits_as_they_stand", "move"]

_NOTHING: Final[Mapping[str, Usage]] = {}


def judge_limits(
    connection: sqlite3.Connection,
    mandate_id: int,
    limits: Sequence[Limit],
    amount_minor: int,
    given_back: Mapping[str, Usage] = _NOTHING,
) -> tuple[CounterChange, ...]:
    """What a payment would do to every limit; raises the `Refused` of the first it does not fit into. Writes nothing.

    `given_back`, by limit, no longer counts.
    """
    changes = []
    for limit in limits:
        held, captured = _without(_used(connection, mandate_id, limit), given_back.get(limit.name))
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


def move(
    connection: sqlite3.Connection,
    mandate_id: int,
    before: ChargeRecord,
    after: ChargeRecord,
    at: int,
    *,
    refund_restores: bool,
) -> tuple[CounterChange, ...]:
    """Moves what a charge takes of every limit it was debited to, from how it stood to how it stands.

    It moves in the windows it was reserved in, whether or not they have turned since.
    """
    changes = []
    for name, cap, unit, sliding_seconds, held, captured in _debited(connection, mandate_id, before.id):
        was = usage_of(before, Unit(unit), refund_restores=refund_restores)
        now = usage_of(after, Unit(unit), refund_restores=refund_restores)
        if sliding_seconds is None:
            stood, stands = (held, captured), (held - was.held + now.held, captured - was.captured + now.captured)
            connection.execute(
                "UPDATE counter SET held = ?, captured = ? WHERE mandate = ? AND name = ?", (*stands, mandate_id, name)
            )
        else:
            stood = _slid(connection, mandate_id, name, at - sliding_seconds)
            connection.execute(
                "UPDATE sliding_debit SET held = ?, captured = ? WHERE mandate = ? AND name = ? AND at = ? AND charge = ?",
                (now.held, now.captured, mandate_id, name, before.reserved_at, before.id),
            )
            stands = _slid(connection, mandate_id, name, at - sliding_seconds)
        changes.append(CounterChange(name, cap, *stood, *stands, Unit(unit)))
    return tuple(changes)


def given_back(
    connection: sqlite3.Connection, mandate: MandateRow, ended: Sequence[ChargeRow], at: int | None
) -> dict[str, Usage]:
    """What closing holds that have ended will give back to each limit, as it counts at instant `at`."""
    back: dict[str, Usage] = {}
    restores = mandate.record.refund_restores
    for row in ended:
        for name, _, unit, sliding_seconds, _, _ in _debited(connection, mandate.id, row.record.id):
            if sliding_seconds is None or (at is not None and row.record.reserved_at > at - sliding_seconds):
                was = usage_of(row.record, Unit(unit), refund_restores=restores)
                closed = released(row.record, ChargeState.EXPIRED)
                now = usage_of(closed, Unit(unit), refund_restores=restores)
                before = back.get(name, UNUSED)
                back[name] = Usage(before.held + was.held - now.held, before.captured + was.captured - now.captured)
    return back


def _debited(connection: sqlite3.Connection, mandate_id: int, charge_id: str) -> list[tuple[Any, ...]]:
    """The counters a charge was debited to: name, cap, unit, sliding_seconds, held, captured."""
    return connection.execute(
        "SELECT counter.name, cap, unit, sliding_seconds, held, captured FROM debit "
        "JOIN counter ON counter.mandate = ? AND counter.name = debit.name WHERE debit.charge = ?",
        (mandate_id, charge_id),
    ).fetchall()


def _without(used: tuple[int, int], given_back: Usage | None) -> tuple[int, int]:
    return used if given_back is None else (used[0] - given_back.held, used[1] - given_back.captured)


def counters_of(
    connection: sqlite3.Connection, mandate_id: int, at: int | None, given_back: Mapping[str, Usage] = _NOTHING
) -> tuple[Counter, ...]:
    """The counters of a mandate whose windows have not turned at instant `at`, sliding ones as they stand then; without an
    instant those of every window there was, and no sliding ones. `given_back`, by limit, no longer counts."""
    found = []
    for name, cap, held, captured, unit, turns_at, sliding_seconds in connection.execute(
        "SELECT name, cap, held, captured, unit, turns_at, sliding_seconds FROM counter WHERE mandate = ? ORDER BY name",
        (mandate_id,),
    ).fetchall():
        if sliding_seconds is not None:
            if at is not None:
                slid = _without(_slid(connection, mandate_id, name, at - sliding_seconds), given_back.get(name))
                found.append(Counter(name, cap, *slid, Unit(unit)))
        elif at is None or turns_at is None or at < turns_at:
            found.append(Counter(name, cap, *_without((held, captured), given_back.get(name)), Unit(unit), turns_at))
    return tuple(found)

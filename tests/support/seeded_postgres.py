"""Defects that only the PostgreSQL store can have: in the function that reserves, in the locks of rows, in what a call shares.

A defect of the function is a change of its text, made before the schema is. Where two of its calls have to meet, the changed
function waits a moment between what it reads and what it locks. Each docstring says what is wrong.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import psycopg
import pytest

import act.stores.postgres.connection as connection_module
import act.stores.postgres.ledger as ledger_module
import act.stores.sql.charges as charge_rows
from act.stores.postgres.connection import PostgresDatabase, PostgresTransaction
from act.stores.postgres.reserving import reserve_batch
from act.stores.postgres.schema import MIGRATIONS
from act.stores.sql.ledger import SqlLedger
from tests.support.seeded import Defect, Pause, pause_before_writing, tell_when_served

__all__ = [
    "OF_ONE_LEDGER",
    "OF_POSTGRES",
    "STOPPED_BY_THE_TABLES",
    "UNSEEN",
    "Stopped",
    "broken_rules",
    "wait_around_the_lock",
]

# What the changed function is cut at. Each has to be there.
_BEGIN: Final = "    numbers BIGINT[];\nBEGIN\n"
_LOCK: Final = " ORDER BY account, number FOR UPDATE;\n"
_LOCK_EACH: Final = "        FOR UPDATE OF mandate SKIP LOCKED;"
_STATE: Final = "m.state <> 'Active'"
_IDENTITY: Final = "m.identity <> decode(r.identity, 'hex')"
_ENDED: Final = "            OR m.first_hold_end <= r.at;\n"
_REQUEST: Final = "SELECT FROM request WHERE"
_ORDER: Final = "SELECT FROM charge WHERE"
_COUNTER: Final = "SELECT held, captured INTO stands FROM counter\n"
_SLID: Final = "INTO stands FROM sliding_debit\n"
_JUDGED: Final = "r.caps[i] - was_held - was_captured < r.taken[i]"
_DECIDED: Final = "        EXIT WHEN cardinality(numbers) < 4 * cardinality(r.names);\n"
_DEBIT: Final = "CASE WHEN slides THEN 0 ELSE numbers[4 * i - 3] END"
_SLIDES: Final = "                VALUES (m.account, m.number, r.names[i], r.at, r.charge, r.taken[i], 0);\n"
_NUMBER: Final = "        new_sequence := m.last_sequence + 1;\n"
_REMEMBERED: Final = "            decode(r.request_identity, 'hex'), new_sequence);\n"
_INDEX: Final = "CREATE UNIQUE INDEX one_charge_per_order"
_NO_RULE: Final = "CREATE INDEX one_charge_per_order"

_MOMENT: Final = "        PERFORM pg_sleep(0.005);\n"
"""Wider than most calls take, so that others get between."""


def _change(patch: pytest.MonkeyPatch, *changes: tuple[str, str]) -> None:
    """Has every schema that is made from now on made of changed scripts."""
    scripts = ["\0".join(each) for each in MIGRATIONS]
    for old, new in changes:
        assert any(old in each for each in scripts), old
        scripts = [each.replace(old, new) for each in scripts]
    patch.setattr(connection_module, "MIGRATIONS", tuple(tuple(each.split("\0")) for each in scripts))


_COLUMNS: Final = {
    "charge": "payee TEXT, order_no TEXT, state TEXT",
    "counter": "account BIGINT, mandate BIGINT, name TEXT, held BIGINT, captured BIGINT",
    "mandate": "account BIGINT, number BIGINT, state TEXT",
    "sliding_debit": "account BIGINT, mandate BIGINT, name TEXT, at BIGINT, held BIGINT, captured BIGINT",
}


def _read_early(patch: pytest.MonkeyPatch, table: str, read: str, *changes: tuple[str, str]) -> None:
    """Has the function remember a table before it locks anything, and read it from memory where its text says `read`."""
    remember = f"    early JSONB := (SELECT jsonb_agg(to_jsonb(each)) FROM {table} AS each);\nBEGIN\n{_MOMENT}"  # noqa: S608 - own names
    memory = f"FROM jsonb_to_recordset(early) AS {table} ({_COLUMNS[table]})"
    _change(patch, (_BEGIN, _BEGIN.replace("BEGIN\n", remember)), *changes, (read, read.replace(f"FROM {table}", memory)))


def wait_around_the_lock(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """No defect: the function waits before it locks and after it has decided, and clients wait for each other."""
    _change(patch, (_BEGIN, _BEGIN + _MOMENT), (_DECIDED, _DECIDED + _MOMENT))
    pause_before_writing(patch, pause, "capture", "void", "refund", "status")


# --- the function: what it reads before its lock ------------------------------------------------------------------------------


def decided_before_the_lock(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve: the mandate's row is locked only when everything is decided, to write it"""
    late = "        SELECT * INTO m FROM mandate WHERE account = m.account AND number = m.number FOR UPDATE;\n"
    unlocked = (_LOCK, _LOCK.replace(" FOR UPDATE", "")), (_LOCK_EACH, "        ;")
    _change(patch, *unlocked, (_DECIDED, _DECIDED + _MOMENT + late))


def counters_read_before_the_lock(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve: the counters are read before the lock"""
    _read_early(patch, "counter", _COUNTER)


def window_read_before_the_lock(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve: only the sliding window is read before the lock"""
    _read_early(patch, "sliding_debit", _SLID)


def revocation_read_before_the_lock(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve: whether the mandate is revoked is read before the lock"""
    read = "FROM mandate WHERE account = m.account AND number = m.number AND state <> 'Active'"
    _read_early(patch, "mandate", read, (_STATE, f"EXISTS (SELECT {read})"))


def order_read_before_the_lock(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve: whether the order is paid is read before the lock; the unique index is gone"""
    _read_early(patch, "charge", _ORDER, (_INDEX, _NO_RULE))


# --- the function: what it does not look at, or writes wrongly ----------------------------------------------------------------


def order_not_looked_at(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve: whether the order is paid does not matter; the unique index is gone"""
    _change(patch, (_ORDER, f"{_ORDER} false AND"), (_INDEX, _NO_RULE))


def replay_not_looked_at(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve: a request that was answered is a new one, and is not remembered twice"""
    again = _REMEMBERED.replace(";", " ON CONFLICT DO NOTHING;")
    _change(patch, (_REQUEST, f"{_REQUEST} false AND"), (_REMEMBERED, again))


def revocation_not_looked_at(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve: a revoked mandate pays"""
    _change(patch, (_STATE, "false"))


def forgery_not_looked_at(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve: another mandate under the same id pays"""
    _change(patch, (_IDENTITY, "false"))


def ended_holds_left(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve: holds that have ended are not closed where everything else has room"""
    _change(patch, (_ENDED, "            OR false;\n"))


def window_exceeded_in_the_function(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve: a sliding limit is judged before the payment is added to it"""
    _change(patch, (_JUDGED, _JUDGED.replace("r.taken[i]", "CASE WHEN r.slides[i] IS NULL THEN r.taken[i] ELSE 1 END")))


def second_limit_not_debited_in_the_function(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve: of the limits that do not slide only the first is debited"""
    _change(patch, (_DEBIT, _DEBIT.replace("WHEN slides THEN 0", "WHEN slides THEN 0 WHEN i > 1 THEN numbers[4 * i - 1]")))


def window_debited_twice(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve: what a payment takes of a sliding limit is written twice as large"""
    _change(patch, (_SLIDES, _SLIDES.replace("r.taken[i]", "2 * r.taken[i]")))


# --- locks, commits, shared calls ---------------------------------------------------------------------------------------------


def _unlocked(patch: pytest.MonkeyPatch, pause: Pause, method: str) -> None:
    """Has a method read its charge without locking the mandate, and others be served before it writes."""
    here = threading.local()
    tell_when_served(patch, pause)
    real, lock_charge, locking = getattr(SqlLedger, method), charge_rows.lock_charge, PostgresTransaction.locking

    def marked(self: SqlLedger, *args: Any, **more: Any) -> Any:
        here.is_unlocked = True
        try:
            return real(self, *args, **more)
        finally:
            here.is_unlocked = False

    def read_only(tx: Any, charge_id: str) -> Any:
        row = lock_charge(tx, charge_id)
        if getattr(here, "is_unlocked", False):
            pause.wait(2)
        return row

    def not_locking(self: PostgresTransaction, table: str, /) -> str:
        return "" if getattr(here, "is_unlocked", False) else locking(self, table)

    patch.setattr(SqlLedger, method, marked)
    patch.setattr(charge_rows, "lock_charge", read_only)
    patch.setattr(PostgresTransaction, "locking", not_locking)


def capture_unlocked(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """capture: the mandate is not locked while the charge is looked at, so that it is captured twice"""
    _unlocked(patch, pause, "capture")


def void_unlocked(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """void: the mandate is not locked while the charge is looked at, so that what was captured is voided"""
    _unlocked(patch, pause, "void")


def refund_unlocked(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """refund: the mandate is not locked while the charge is looked at, so that more is refunded than was captured"""
    _unlocked(patch, pause, "refund")


def rolled_back_after_acknowledging(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """every call: acknowledged before the commit, and one commit in twelve does not come"""
    real, luck = PostgresDatabase.run, iter(range(10**9))

    def run(self: PostgresDatabase, work: Callable[[Any], Any]) -> Any:
        def undone(connection: Any) -> Any:
            return work(_Forgetful(connection) if next(luck) % 12 == 11 else connection)

        return real(self, undone)

    patch.setattr(PostgresDatabase, "run", run)


class _Forgetful:
    """A connection that rolls back where it should commit, whether a transaction was begun or a statement is its own."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, statement: Any, values: Any = None) -> Any:
        if statement == "COMMIT":
            statement = "ROLLBACK"
        if self._connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE and "reserve(" in statement:
            with self._connection.transaction(force_rollback=True):
                return self._connection.execute(statement, values)
        return self._connection.execute(statement, values)


def answers_mixed_up(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve: those who share a call get each other's answers"""
    patch.setattr(ledger_module, "reserve_batch", lambda connection, batch: reserve_batch(connection, batch)[::-1])


def rest_of_a_batch_given_up(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve: an error of one is told to all who share its call, though what was called before it is committed"""
    real = ledger_module.PostgresLedger._reserve_alone

    def reserve_alone(self: Any, ticket: Any) -> None:
        real(self, ticket)
        if ticket.error is not None:
            raise ticket.error

    def reserve_all(self: Any, batch: list[Any]) -> None:
        try:
            real_all(self, batch)
        except Exception as error:  # noqa: BLE001 - the defect
            for ticket in batch:
                ticket.fail(error)

    real_all = ledger_module.PostgresLedger._reserve_all
    patch.setattr(ledger_module.PostgresLedger, "_reserve_alone", reserve_alone)
    patch.setattr(ledger_module.PostgresLedger, "_reserve_all", reserve_all)


OF_POSTGRES: Final[tuple[Defect, ...]] = (
    decided_before_the_lock,
    counters_read_before_the_lock,
    window_read_before_the_lock,
    revocation_read_before_the_lock,
    order_read_before_the_lock,
    order_not_looked_at,
    replay_not_looked_at,
    revocation_not_looked_at,
    forgery_not_looked_at,
    ended_holds_left,
    window_exceeded_in_the_function,
    second_limit_not_debited_in_the_function,
    window_debited_twice,
    rolled_back_after_acknowledging,
)
"""What a checker has to find in the PostgreSQL store when several ledger objects use it."""

OF_ONE_LEDGER: Final[tuple[Defect, ...]] = (
    capture_unlocked,
    void_unlocked,
    refund_unlocked,
    answers_mixed_up,
    rest_of_a_batch_given_up,
)
"""What it has to find when the threads of one object use it, and share calls."""


# --- what the tables stop -----------------------------------------------------------------------------------------------------


def lock_dropped(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve: the function locks nothing: its entry's sequence is taken"""
    _change(patch, (_LOCK, _LOCK.replace(" FOR UPDATE", "")), (_LOCK_EACH, "        ;"), (_DECIDED, _DECIDED + _MOMENT))


def request_not_looked_at(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve: a request that was answered is a new one: it is remembered already"""
    _change(patch, (_REQUEST, f"{_REQUEST} false AND"))


def one_too_many_fits_in_the_function(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve: a limit that does not slide is judged before the payment is added to it: it would be above its cap"""
    _change(patch, (_JUDGED, _JUDGED.replace("r.taken[i]", "CASE WHEN r.slides[i] IS NULL THEN 1 ELSE r.taken[i] END")))


class Stopped(NamedTuple):
    """A defect, and the rule of the tables that gives it up."""

    defect: Defect
    rule: str


STOPPED_BY_THE_TABLES: Final = (
    Stopped(lock_dropped, "entry_pkey"),
    Stopped(request_not_looked_at, "request_pkey"),
    Stopped(one_too_many_fits_in_the_function, "counter_check"),
)
"""What histories hardly show: the transaction is given up, and a repetition of it that meets nobody is right."""


def sequence_skipped(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve: an entry leaves a gap before it"""
    _change(patch, (_NUMBER, _NUMBER.replace("+ 1", "+ 2")))


UNSEEN: Final[tuple[Defect, ...]] = (sequence_skipped,)
"""What no client is told, so that no history shows it: the audit does."""


@contextmanager
def broken_rules() -> Iterator[list[str]]:
    """The rules of the tables that transactions broke in this block, whether or not they were run again."""
    broken: list[str] = []
    real = PostgresDatabase.run

    def run(self: PostgresDatabase, work: Callable[[Any], Any]) -> Any:
        def noted(connection: Any) -> Any:
            try:
                return work(connection)
            except psycopg.IntegrityError as error:
                broken.append(error.diag.constraint_name or "")
                raise

        return real(self, noted)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PostgresDatabase, "run", run)
        yield broken

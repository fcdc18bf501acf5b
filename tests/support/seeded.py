"""Defects to put into a ledger on purpose, so that it is seen that a checker of histories finds them.

Each is a function that breaks the store while a `pytest.MonkeyPatch` is in force; its docstring says how. Where a race has to
be met, the broken place waits at a `Pause` until others were served. The stores' modules are named at the top only. What only
PostgreSQL can get wrong is in `tests.support.seeded_postgres`.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pytest

import act.stores.sql.charges as charge_rows
import act.stores.sql.counters as counter_rows
import act.stores.sql.mandates as mandate_rows
import act.stores.sql.moves as move_rows
import act.stores.sql.reservation as reservation_module
import act.stores.sqlite.connection as connection_module
import act.stores.sqlite.group_commit as group_module
from act.delegation.lifecycle import MandateState, require_usable
from act.delegation.limits import Limit, Usage, judge
from act.errors import Refused, StoreFault
from act.payment.charge import OPEN_STATES, ChargeState, released
from act.payment.ledger import Outcome
from act.stores.postgres import PostgresLedger
from act.stores.postgres.connection import PostgresDatabase
from act.stores.sql.ledger import SqlLedger
from act.stores.sqlite import SqliteLedger
from act.stores.sqlite.connection import Connection, FileDatabase
from act.stores.sqlite.group_commit import GroupCommit
from act.stores.sqlite.schema import SCHEMA

__all__ = [
    "OF_EVERY_STORE",
    "OF_SQLITE",
    "STOPPED_BY_THE_SCHEMA",
    "Defect",
    "Pause",
    "pause_before_writing",
    "tell_when_served",
    "wrap_method",
]


@dataclass(slots=True)
class Pause:
    """Where a client waits until others were served so many times, or all of them wait here."""

    _changed: threading.Condition = field(default_factory=threading.Condition)
    _clients: int = 0
    _waiting: int = 0
    _served: int = 0

    @contextmanager
    def client(self) -> Iterator[None]:
        """What a client does in this block it is waited for."""
        with self._changed:
            self._clients += 1
        try:
            yield
        finally:
            with self._changed:
                self._clients -= 1
                self._changed.notify_all()

    def wait(self, times: int = 1) -> None:
        """Waits."""
        with self._changed:
            until, self._waiting = self._served + times, self._waiting + 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._served >= until or self._waiting >= self._clients)
            self._waiting -= 1

    def served(self) -> None:
        """A client was served."""
        with self._changed:
            self._served += 1
            self._changed.notify_all()


Defect = Callable[[pytest.MonkeyPatch, Pause], None]

_NO_RECEIPT: Final[Any] = None
"""A defect that writes nothing has nothing to make a receipt of; no client looks at one."""


Method = Callable[..., Any]
_WRITES: Final = ("reserve", "capture", "void", "refund", "expire", "revoke")
_READS: Final = ("find", "status", "charge")


def wrap_method(patch: pytest.MonkeyPatch, name: str, wrap: Callable[[Method], Method]) -> None:
    """Puts something around a method of every store's ledger."""
    for owner in (SqlLedger, SqliteLedger, PostgresLedger):
        if name in vars(owner):
            patch.setattr(owner, name, wrap(vars(owner)[name]))


def pause_before_writing(patch: pytest.MonkeyPatch, pause: Pause, *methods: str) -> None:
    """No defect: clients only wait for each other before these methods begin."""
    tell_when_served(patch, pause)
    for method in methods:
        wrap_method(patch, method, lambda real: _after_pause(real, pause))


def _after_pause(real: Method, pause: Pause) -> Method:
    def paused(self: SqlLedger, *args: Any, **more: Any) -> Any:
        pause.wait()
        return real(self, *args, **more)

    return paused


def tell_when_served(patch: pytest.MonkeyPatch, pause: Pause, methods: Sequence[str] = _WRITES) -> None:
    """Has `pause` told when these methods are done: by default those that write."""
    for method in methods:
        wrap_method(patch, method, lambda real: _telling(real, pause))


def _telling(real: Method, pause: Pause) -> Method:
    def telling(self: SqlLedger, *args: Any, **more: Any) -> Any:
        try:
            return real(self, *args, **more)
        finally:
            pause.served()

    return telling


# --- read before the transaction ----------------------------------------------------------------------------------------------


class _Early(threading.local):
    """What a client sees of the ledger as it was before its transaction began, in whichever thread that runs."""

    connection: Connection | None = None
    asked: tuple[Any, ...] = ()


def _read_early(patch: pytest.MonkeyPatch, pause: Pause, method: str, *reads: tuple[Any, str], times: int = 1) -> _Early:
    """Has these functions, where `method` calls them, read what was there before its transaction."""
    early = _Early()
    tell_when_served(patch, pause)
    real = getattr(SqliteLedger, method)

    def begun_early(self: SqlLedger, *args: Any, **more: Any) -> Any:
        assert isinstance(self._database, FileDatabase)
        path = self._database.path
        with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Connection)) as connection:
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM mandate").fetchone()  # from here on it sees nothing new
            early.connection, early.asked = connection, args
            pause.wait(times)
            try:
                return real(self, *args, **more)
            finally:
                early.connection = None

    patch.setattr(SqliteLedger, method, begun_early)
    _lead_with(patch, early)
    for owner, name in reads:
        patch.setattr(owner, name, _reading(early, getattr(owner, name)))
    return early


def _lead_with(patch: pytest.MonkeyPatch, early: _Early) -> None:
    """Whoever leads a batch sees in each work what the client sees who asked for it."""
    real = FileDatabase.write

    def write(self: FileDatabase, work: Callable[[Any], Any], **how: Any) -> Any:
        mine = early.connection, early.asked

        def as_its_client(tx: Any) -> Any:
            own = early.connection, early.asked
            early.connection, early.asked = mine
            try:
                return work(tx)
            finally:
                early.connection, early.asked = own

        return real(self, as_its_client, **how)

    patch.setattr(FileDatabase, "write", write)


def _reading(early: _Early, real: Callable[..., Any]) -> Callable[..., Any]:
    def read(connection: Connection, *args: Any, **more: Any) -> Any:
        return real(early.connection or connection, *args, **more)

    return read


def _read_state_early(patch: pytest.MonkeyPatch, early: _Early) -> None:
    real = require_usable

    def usable_then(state: MandateState) -> None:
        if early.connection is not None:
            found = mandate_rows.find_mandate(early.connection, early.asked[1].key)
            state = MandateState.ACTIVE if found is None else found.state
        real(state)

    patch.setattr(reservation_module, "require_usable", usable_then)


def _find_order_early(patch: pytest.MonkeyPatch, early: _Early) -> None:
    """Only looks early: an ended hold of the order is still closed where it may be written."""
    patch.setattr(move_rows, "find_payment", _reading(early, move_rows.find_payment))


def lock_dropped(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve: everything is decided in one transaction and written in another"""
    reads = (reservation_module, "stored_outcome"), (counter_rows, "_used")
    early = _read_early(patch, pause, "reserve", *reads)
    _read_state_early(patch, early)
    _find_order_early(patch, early)


def counters_read_early(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve: the counters are read before the transaction"""
    _read_early(patch, pause, "reserve", (counter_rows, "_used"))


def window_read_early(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve: only the sliding window is summed up before the transaction"""
    _read_early(patch, pause, "reserve", (counter_rows, "slid"))


def revocation_read_early(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve: whether the mandate is revoked is read before the transaction"""
    _read_state_early(patch, _read_early(patch, pause, "reserve", times=4))  # for one that revokes, and one that is told so
    tell_when_served(patch, pause, _READS)


def order_read_early(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve: whether the order is paid is read before the transaction; the unique index is gone"""
    schema = "\n".join(line for line in SCHEMA.splitlines() if "one_charge_per_order" not in line)
    patch.setattr(connection_module, "SCHEMA", schema)
    _find_order_early(patch, _read_early(patch, pause, "reserve"))


def replay_read_early(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve: the request id is looked up before the transaction"""
    _read_early(patch, pause, "reserve", (reservation_module, "stored_outcome"))


def captured_charge_read_early(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """capture: the charge is read before the transaction, so that it is captured twice"""
    _read_early(patch, pause, "capture", (charge_rows, "find_charge"))


def voided_charge_read_early(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """void: the charge is read before the transaction, so that what was captured is voided"""
    _read_early(patch, pause, "void", (charge_rows, "find_charge"))


def refunded_charge_read_early(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """refund: the charge is read before the transaction, so that more is refunded than was captured"""
    _read_early(patch, pause, "refund", (charge_rows, "find_charge"))


def status_torn(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """status: charges and counters are read at two moments"""
    tell_when_served(patch, pause)
    real = SqlLedger.status

    def status(self: SqlLedger, *args: Any) -> Any:
        first = real(self, *args)
        pause.wait()
        second = real(self, *args)
        return first if first is None or second is None else replace(first, counters=second.counters)

    patch.setattr(SqlLedger, "status", status)


# --- acknowledged and not written ---------------------------------------------------------------------------------------------


def void_lost(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """void: acknowledged, and nothing is written"""
    real = SqlLedger.void

    def void(self: SqlLedger, charge_id: str, *args: Any) -> Outcome:
        record = self.charge(charge_id)
        if record.state not in OPEN_STATES:
            return real(self, charge_id, *args)
        return Outcome(_NO_RECEIPT, released(record, ChargeState.VOIDED))

    patch.setattr(SqlLedger, "void", void)


def capture_lost(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """capture: the last one is acknowledged, and nothing is written"""
    real = SqlLedger.capture

    def capture(self: SqlLedger, charge_id: str, amount: int, at: int, *args: Any, capture_no: str | None = None) -> Outcome:
        record = self.charge(charge_id)
        if capture_no is not None or amount > record.held_minor or at >= record.hold_expires_at:
            return real(self, charge_id, amount, at, *args, capture_no=capture_no)
        captured = record.captured_minor + amount
        return Outcome(_NO_RECEIPT, replace(record, state=ChargeState.CAPTURED, captured_minor=captured))

    patch.setattr(SqlLedger, "capture", capture)


def revoked_later(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """revoke: acknowledged first, and written when another client has reserved something"""
    tell_when_served(patch, pause)
    real = SqlLedger.revoke
    late: list[threading.Thread] = []

    def revoke(self: SqlLedger, *args: Any) -> Outcome:
        def write() -> None:
            pause.wait()
            with suppress(Refused, StoreFault):
                real(self, *args)

        late.append(threading.Thread(target=write))
        late[-1].start()
        return Outcome(_NO_RECEIPT)

    def close(self: SqlLedger) -> None:
        for thread in late:
            thread.join()
        closed(self)

    closed = SqlLedger.close
    patch.setattr(SqlLedger, "close", close)
    patch.setattr(SqlLedger, "revoke", revoke)


def refusal_committed(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """every call: a refusal commits what was written on the way to it"""
    for owner in (FileDatabase, PostgresDatabase):
        patch.setattr(owner, "write", _committing_refusals(vars(owner)["write"]))


def _committing_refusals(real: Method) -> Method:
    def write(self: Any, work: Callable[[Any], Any], **how: Any) -> Any:
        def worked(tx: Any) -> Any:
            try:
                return work(tx)
            except Refused as refusal:
                return refusal

        result = real(self, worked, **how)
        if isinstance(result, Refused):
            raise result
        return result

    return write


# --- a commit that several share ----------------------------------------------------------------------------------------------


def _gathering(patch: pytest.MonkeyPatch) -> None:
    """Has batches take their time, so that more than one work waits for the next."""
    real = FileDatabase._begin

    def begin(self: FileDatabase) -> Connection:
        time.sleep(0.001)
        return real(self)

    patch.setattr(FileDatabase, "_begin", begin)


class _Unlucky:
    """A connection one of whose commits in so many fails."""

    def __init__(self, connection: Connection, luck: Iterator[int], every: int) -> None:
        self._connection, self._luck, self._every = connection, luck, every

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Any:
        if statement == "COMMIT" and next(self._luck) % self._every == self._every - 1:
            raise sqlite3.OperationalError("disk I/O error")
        return self._connection.execute(statement, values)


def _failing_commits(patch: pytest.MonkeyPatch, every: int) -> None:
    luck, real = iter(range(10**9)), FileDatabase._begin
    patch.setattr(FileDatabase, "_begin", lambda self: _Unlucky(real(self), luck, every))


def failed_commit_acknowledged(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """every call: one commit in twelve fails, and its works are acknowledged as done"""
    _failing_commits(patch, 12)
    real = GroupCommit._commit

    def commit(self: GroupCommit[Any], batch: list[Any]) -> None:
        real(self, batch)
        for ticket in batch:
            if isinstance(ticket.error, sqlite3.Error) and ticket.result is not None:  # a refusal has no other answer
                ticket.error = None

    patch.setattr(GroupCommit, "_commit", commit)


def follower_answered_before_the_commit(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """every call: who follows in a batch is answered before the commit; one commit in four fails, and its leader hears of it"""
    _gathering(patch)
    _failing_commits(patch, 4)
    real = GroupCommit._commit

    def commit(self: GroupCommit[Any], batch: list[Any]) -> None:
        real(self, batch)
        for ticket in batch[1:]:
            if isinstance(ticket.error, sqlite3.Error) and ticket.result is not None:  # a refusal has no other answer
                ticket.error = None

    patch.setattr(GroupCommit, "_commit", commit)


def refused_work_left_in_the_batch(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """every call: a work that is refused keeps its savepoint, and the others of its batch commit it"""
    _gathering(patch)
    patch.setattr(group_module, "_UNDO_ONE", "SELECT 1")


def refusal_undoes_its_batch(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """every call: a refusal takes back what was done before it in its batch, too"""
    _gathering(patch)

    def run_together(connection: Connection, batch: Sequence[Any]) -> bool:
        for ticket in batch:
            try:
                ticket.succeed(ticket.asked(connection))
            except Refused as refusal:
                ticket.error = refusal
                connection.execute("ROLLBACK")
                connection.execute("BEGIN IMMEDIATE")
        return True

    patch.setattr(group_module, "_run_together", run_together)


# --- wrongly counted, wrongly answered ----------------------------------------------------------------------------------------


def void_counted_twice(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """void: what was held is given back twice"""
    real = counter_rows.move

    def move(tx: Any, row: Any, after: Any, *args: Any, **more: Any) -> Any:
        changes = real(tx, row, after, *args, **more)
        if after.state is ChargeState.VOIDED:
            real(tx, row, after, *args, **more)
        return changes

    patch.setattr(counter_rows, "move", move)


def captured_part_given_back(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """expire: gives back what was captured of a hold, too"""
    real = move_rows.expire

    def expire(tx: Any, row: Any, *args: Any) -> Outcome:
        outcome = real(tx, row, *args)
        for name in row.debits:
            tx.execute(
                "UPDATE counter SET captured = captured - ? WHERE account = ? AND mandate = ? AND name = ? "
                "AND unit = 'AMOUNT' AND sliding_seconds IS NULL",
                (row.record.captured_minor, *row.mandate_id, name),
            )
        return outcome

    patch.setattr(move_rows, "expire", expire)


def exact_fit_refused(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve: a payment that fits into a limit exactly is refused"""

    def misjudge(limit: Limit, used: Usage, amount: int) -> None:
        judge(limit, Usage(used.held + 1, used.captured), amount)

    patch.setattr(counter_rows, "judge", misjudge)


def window_exceeded_by_a_payment(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve: a sliding limit is judged before the payment is added to it"""

    def misjudge(limit: Limit, used: Usage, amount: int) -> None:
        judge(limit, used, 1 if limit.sliding_seconds else amount)

    patch.setattr(counter_rows, "judge", misjudge)


def second_limit_not_debited(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve: only the first limit of a chain is debited"""
    real = counter_rows.debit

    def debit(tx: Any, mandate_id: Any, charge: Any, limits: Sequence[Any], changes: Sequence[Any]) -> None:
        real(tx, mandate_id, charge, limits[:1], changes[:1])

    patch.setattr(counter_rows, "debit", debit)


def another_charge_replayed(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve, find: a repeated request is answered with the mandate's newest charge"""
    real = reservation_module.stored_outcome

    def stored(tx: Any, row: Any, *args: Any) -> Outcome | None:
        outcome = real(tx, row, *args)
        if outcome is None or outcome.charge is None:
            return outcome
        return replace(outcome, charge=charge_rows.charges_of(tx, row.id, row.record.key)[-1])

    patch.setattr(reservation_module, "stored_outcome", stored)


def status_remembered(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """status: what one client asked and another changed is answered from memory"""
    real = SqlLedger.status
    memory: dict[Any, Any] = {}

    def status(self: SqlLedger, *args: Any) -> Any:
        name = (threading.get_ident(), id(self), args)
        known = memory.pop(name, None)
        if known is None:
            known = memory[name] = real(self, *args)
        return known

    patch.setattr(SqlLedger, "status", status)


# --- what the tables stop before it is written: the call fails with a `StoreFault` -------------------------------------------


def head_read_early(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve: the mandate's row is read before the transaction, if it is there: its entry's sequence is taken"""
    early, real = _read_early(patch, pause, "reserve"), mandate_rows.find_mandate

    def find_mandate(tx: Any, *args: Any, **more: Any) -> Any:
        return real(early.connection or tx, *args, **more) or real(tx, *args, **more)

    patch.setattr(mandate_rows, "find_mandate", find_mandate)


def order_read_early_with_index(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve: whether the order is paid is read before the transaction: the index has it already"""
    _find_order_early(patch, _read_early(patch, pause, "reserve"))


def part_read_early(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """capture: whether a part's number is taken is read before the transaction: the part is there already"""
    _read_early(patch, pause, "capture", (charge_rows, "find_part"))


def one_too_many_fits(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve: a limit that does not slide is judged before the payment is added to it: the counter would be above its cap"""

    def misjudge(limit: Limit, used: Usage, amount: int) -> None:
        judge(limit, used, amount if limit.sliding_seconds else 1)

    patch.setattr(counter_rows, "judge", misjudge)


OF_EVERY_STORE: Final[tuple[Defect, ...]] = (
    status_torn,
    void_lost,
    capture_lost,
    revoked_later,
    refusal_committed,
    void_counted_twice,
    captured_part_given_back,
    another_charge_replayed,
    status_remembered,
)
"""What a checker of histories has to find, whichever store it is in."""

OF_SQLITE: Final[tuple[Defect, ...]] = (
    lock_dropped,
    counters_read_early,
    window_read_early,
    revocation_read_early,
    order_read_early,
    replay_read_early,
    captured_charge_read_early,
    voided_charge_read_early,
    refunded_charge_read_early,
    failed_commit_acknowledged,
    follower_answered_before_the_commit,
    refused_work_left_in_the_batch,
    refusal_undoes_its_batch,
    exact_fit_refused,
    window_exceeded_by_a_payment,
    second_limit_not_debited,
    part_read_early,
)
"""What a checker has to find in the SQLite store: at the edge of its transaction, in the commit that several share, and in what
PostgreSQL's function decides and writes by itself."""

STOPPED_BY_THE_SCHEMA: Final[tuple[Defect, ...]] = (head_read_early, order_read_early_with_index, one_too_many_fits)
"""What histories of the SQLite store hardly show: the tables refuse to write it, and hardly a wrong answer is ever heard."""

"""Defects to put into a ledger on purpose, so that it is seen that a checker of histories finds them.

Each is a function that breaks the SQLite ledger while a `pytest.MonkeyPatch` is in force; its docstring says how. Where a race
has to be met, the broken place waits at a `Pause` until others were served. The store's modules are named at the top only.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pytest

import act.stores.sqlite.charges as charge_rows
import act.stores.sqlite.connection as connection_module
import act.stores.sqlite.counters as counter_rows
import act.stores.sqlite.ledger as ledger_module
import act.stores.sqlite.mandates as mandate_rows
import act.stores.sqlite.moves as move_rows
from act.delegation.lifecycle import MandateState, require_usable
from act.delegation.limits import Limit, Usage, judge
from act.errors import Refused, StoreFault
from act.payment.charge import OPEN_STATES, ChargeState, released
from act.payment.ledger import Outcome
from act.stores.sqlite import SqliteLedger
from act.stores.sqlite.schema import SCHEMA

__all__ = ["DEFECTS", "STOPPED_BY_THE_SCHEMA", "Defect", "Pause", "pause_before_writing"]


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


def pause_before_writing(patch: pytest.MonkeyPatch, pause: Pause, *methods: str) -> None:
    """No defect: clients only wait for each other before these methods begin."""
    _tell_when_served(patch, pause)
    for method in methods:
        patch.setattr(SqliteLedger, method, _after_pause(getattr(SqliteLedger, method), pause))


def _after_pause(real: Callable[..., Any], pause: Pause) -> Callable[..., Any]:
    def paused(self: SqliteLedger, *args: Any, **more: Any) -> Any:
        pause.wait()
        return real(self, *args, **more)

    return paused


def _tell_when_served(patch: pytest.MonkeyPatch, pause: Pause, *kinds: str) -> None:
    """Has `pause` told of every transaction, and of every snapshot if these kinds are named."""
    for kind in kinds or ("transaction",):
        patch.setattr(connection_module.Database, kind, _telling(getattr(connection_module.Database, kind), pause))


def _telling(real: Callable[..., Any], pause: Pause) -> Callable[..., Any]:
    @contextmanager
    def telling(self: connection_module.Database) -> Iterator[sqlite3.Connection]:
        try:
            with real(self) as connection:
                yield connection
        finally:
            pause.served()

    return telling


# --- read before the transaction ----------------------------------------------------------------------------------------------


class _Early(threading.local):
    """What a client's thread sees of the ledger as it was before its transaction began."""

    connection: sqlite3.Connection | None = None
    asked: tuple[Any, ...] = ()


def _read_early(patch: pytest.MonkeyPatch, pause: Pause, method: str, *reads: tuple[Any, str], times: int = 1) -> _Early:
    """Has these functions, where `method` calls them, read what was there before its transaction."""
    early, real = _Early(), getattr(SqliteLedger, method)
    _tell_when_served(patch, pause)

    def begun_early(self: SqliteLedger, *args: Any, **more: Any) -> Any:
        with closing(sqlite3.connect(self._database.path, isolation_level=None)) as connection:
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM mandate").fetchone()  # from here on it sees nothing new
            early.connection, early.asked = connection, args
            pause.wait(times)
            try:
                return real(self, *args, **more)
            finally:
                early.connection = None

    patch.setattr(SqliteLedger, method, begun_early)
    for owner, name in reads:
        patch.setattr(owner, name, _reading(early, getattr(owner, name)))
    return early


def _reading(early: _Early, real: Callable[..., Any]) -> Callable[..., Any]:
    def read(connection: sqlite3.Connection, *args: Any, **more: Any) -> Any:
        return real(early.connection or connection, *args, **more)

    return read


def _read_state_early(patch: pytest.MonkeyPatch, early: _Early) -> None:
    real = require_usable

    def usable_then(state: MandateState) -> None:
        if early.connection is not None:
            found = mandate_rows.find_mandate(early.connection, early.asked[1].key)
            state = MandateState.ACTIVE if found is None else found.state
        real(state)

    patch.setattr(ledger_module, "require_usable", usable_then)


def _find_order_early(patch: pytest.MonkeyPatch, early: _Early) -> None:
    """Only looks early: an ended hold of the order is still closed where it may be written."""
    patch.setattr(move_rows, "find_payment", _reading(early, move_rows.find_payment))


def lock_dropped(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve: everything is decided in one transaction and written in another"""
    reads = (ledger_module, "_stored_outcome"), (counter_rows, "_used")
    early = _read_early(patch, pause, "reserve", *reads)
    _read_state_early(patch, early)
    _find_order_early(patch, early)


def counters_read_early(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve: the counters are read before the transaction"""
    _read_early(patch, pause, "reserve", (counter_rows, "_used"))


def window_read_early(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve: only the sliding window is summed up before the transaction"""
    _read_early(patch, pause, "reserve", (counter_rows, "_slid"))


def revocation_read_early(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve: whether the mandate is revoked is read before the transaction"""
    _read_state_early(patch, _read_early(patch, pause, "reserve", times=4))  # for one that revokes, and one that is told so
    _tell_when_served(patch, pause, "snapshot")


def order_read_early(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve: whether the order is paid is read before the transaction; the unique index is gone"""
    schema = "\n".join(line for line in SCHEMA.splitlines() if "one_charge_per_order" not in line)
    patch.setattr(connection_module, "SCHEMA", schema)
    _find_order_early(patch, _read_early(patch, pause, "reserve"))


def replay_read_early(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve: the request id is looked up before the transaction"""
    _read_early(patch, pause, "reserve", (ledger_module, "_stored_outcome"))


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
    real = SqliteLedger.status
    _tell_when_served(patch, pause)

    def status(self: SqliteLedger, *args: Any) -> Any:
        first = real(self, *args)
        pause.wait()
        second = real(self, *args)
        return first if first is None or second is None else replace(first, counters=second.counters)

    patch.setattr(SqliteLedger, "status", status)


# --- acknowledged and not written ---------------------------------------------------------------------------------------------


def void_lost(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """void: acknowledged, and nothing is written"""
    real = SqliteLedger.void

    def void(self: SqliteLedger, charge_id: str, *args: Any) -> Outcome:
        record = self.charge(charge_id)
        if record.state not in OPEN_STATES:
            return real(self, charge_id, *args)
        return Outcome(_NO_RECEIPT, released(record, ChargeState.VOIDED))

    patch.setattr(SqliteLedger, "void", void)


def capture_lost(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """capture: the last one is acknowledged, and nothing is written"""
    real = SqliteLedger.capture

    def capture(self: SqliteLedger, charge_id: str, amount: int, at: int, *args: Any, capture_no: str | None = None) -> Outcome:
        record = self.charge(charge_id)
        if capture_no is not None or amount > record.held_minor or at >= record.hold_expires_at:
            return real(self, charge_id, amount, at, *args, capture_no=capture_no)
        captured = record.captured_minor + amount
        return Outcome(_NO_RECEIPT, replace(record, state=ChargeState.CAPTURED, captured_minor=captured))

    patch.setattr(SqliteLedger, "capture", capture)


def rolled_back_after_acknowledging(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """every call: acknowledged before the commit, and one commit in twelve fails"""
    real, numbers = connection_module.Database.transaction, iter(range(10**9))

    @contextmanager
    def transaction(self: connection_module.Database) -> Iterator[sqlite3.Connection]:
        with real(self) as connection:
            yield connection
            if next(numbers) % 12 == 11:
                connection.execute("ROLLBACK")
                connection.execute("BEGIN")  # there is nothing left to commit

    patch.setattr(connection_module.Database, "transaction", transaction)


def revoked_later(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """revoke: acknowledged first, and written when another client has reserved something"""
    real = SqliteLedger.revoke
    _tell_when_served(patch, pause)
    late: list[threading.Thread] = []

    def revoke(self: SqliteLedger, *args: Any) -> Outcome:
        def write() -> None:
            pause.wait()
            with suppress(Refused, StoreFault):
                real(self, *args)

        late.append(threading.Thread(target=write))
        late[-1].start()
        return Outcome(_NO_RECEIPT)

    def close(self: SqliteLedger) -> None:
        for thread in late:
            thread.join()
        closed(self)

    closed = SqliteLedger.close
    patch.setattr(SqliteLedger, "close", close)
    patch.setattr(SqliteLedger, "revoke", revoke)


def refusal_committed(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """every call: a refusal commits what was written on the way to it"""
    real = connection_module.Database.transaction

    @contextmanager
    def transaction(self: connection_module.Database) -> Iterator[sqlite3.Connection]:
        raised: Refused | None = None
        with real(self) as connection:
            try:
                yield connection
            except Refused as refusal:
                raised = refusal
        if raised is not None:
            raise raised

    patch.setattr(connection_module.Database, "transaction", transaction)


# --- wrongly counted, wrongly answered ----------------------------------------------------------------------------------------


def void_counted_twice(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """void: what was held is given back twice"""
    real = counter_rows.move

    def move(connection: Any, mandate_id: int, before: Any, after: Any, *args: Any, **more: Any) -> Any:
        changes = real(connection, mandate_id, before, after, *args, **more)
        if after.state is ChargeState.VOIDED:
            real(connection, mandate_id, before, after, *args, **more)
        return changes

    patch.setattr(counter_rows, "move", move)


def captured_part_given_back(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """expire: gives back what was captured of a hold, too"""
    real = move_rows.expire

    def expire(connection: sqlite3.Connection, row: Any, *args: Any) -> Outcome:
        outcome = real(connection, row, *args)
        connection.execute(
            "UPDATE counter SET captured = captured - ? WHERE mandate = ? AND unit = 'AMOUNT' AND sliding_seconds IS NULL "
            "AND name IN (SELECT name FROM debit WHERE charge = ?)",
            (row.record.captured_minor, row.mandate_id, row.record.id),
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

    def debit(connection: Any, mandate_id: int, charge: Any, limits: Sequence[Any], changes: Sequence[Any]) -> None:
        real(connection, mandate_id, charge, limits[:1], changes[:1])

    patch.setattr(counter_rows, "debit", debit)


def another_charge_replayed(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve, find: a repeated request is answered with the mandate's newest charge"""
    real = ledger_module._stored_outcome

    def stored(connection: sqlite3.Connection, row: Any, *args: Any) -> Outcome | None:
        outcome = real(connection, row, *args)
        if outcome is None or outcome.charge is None:
            return outcome
        return replace(outcome, charge=charge_rows.charges_of(connection, row.id, row.record.key)[-1])

    patch.setattr(ledger_module, "_stored_outcome", stored)


def status_remembered(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """status: what one client asked and another changed is answered from memory"""
    real = SqliteLedger.status
    memory: dict[Any, Any] = {}

    def status(self: SqliteLedger, *args: Any) -> Any:
        name = (threading.get_ident(), id(self), args)
        known = memory.pop(name, None)
        if known is None:
            known = memory[name] = real(self, *args)
        return known

    patch.setattr(SqliteLedger, "status", status)


# --- what the tables stop before it is written: the call fails with a `StoreFault` -------------------------------------------


def head_read_early(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    """reserve: the mandate's row is read before the transaction: its entry's sequence is taken"""
    _read_early(patch, pause, "reserve", (mandate_rows, "find_mandate"))


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


DEFECTS: Final[tuple[Defect, ...]] = (
    lock_dropped,
    counters_read_early,
    window_read_early,
    revocation_read_early,
    order_read_early,
    replay_read_early,
    captured_charge_read_early,
    voided_charge_read_early,
    refunded_charge_read_early,
    status_torn,
    void_lost,
    capture_lost,
    rolled_back_after_acknowledging,
    revoked_later,
    refusal_committed,
    void_counted_twice,
    captured_part_given_back,
    exact_fit_refused,
    window_exceeded_by_a_payment,
    second_limit_not_debited,
    another_charge_replayed,
    status_remembered,
    part_read_early,
)
"""What a checker of histories has to find."""

STOPPED_BY_THE_SCHEMA: Final[tuple[Defect, ...]] = (head_read_early, order_read_early_with_index, one_too_many_fits)
"""What histories hardly show: the tables refuse to write it, so that hardly a wrong answer is ever heard."""

"""act.stores.sqlite.turns: a process that waits to write looks often, gives up in time, and can be interrupted."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from act.errors import StoreFault
from act.stores.sqlite import SqliteLedger, turns
from act.stores.sqlite.turns import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, begin_writing
from tests.support.reservations import MAKE_RECEIPT, mandate, reservation
from tests.support.world import PSP, nothing_moves


class Clock:
    """Time that passes in pauses only; `at_pause`, if there is one, is called in each."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.pauses: list[float] = []
        self.at_pause: Any = None

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds
        assert self.now < 1_100, "it would wait for ever"
        if self.at_pause is not None:
            self.at_pause()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(turns, "time", clock)
    return clock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "any.db"


@pytest.fixture
def writer(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        yield connection


@pytest.fixture
def other(path: Path, writer: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Another connection, which has locked the file."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection


class Refusing:
    """A connection that ends every statement with an error of that code."""

    def __init__(self, code: int | None) -> None:
        self.asked = 0
        self.error = sqlite3.OperationalError("no")
        if code is not None:
            self.error.sqlite_errorcode = code

    def execute(self, statement: str) -> None:
        assert statement == "BEGIN IMMEDIATE"
        self.asked += 1
        raise self.error


def test_a_file_that_nobody_writes_is_locked_at_once(writer: sqlite3.Connection, clock: Clock) -> None:
    begin_writing(writer, 30)
    assert writer.in_transaction
    assert clock.pauses == []


def test_whoever_waits_begins_as_soon_as_it_looks_again(
    writer: sqlite3.Connection, other: sqlite3.Connection, clock: Clock
) -> None:
    clock.at_pause = lambda: other.execute("COMMIT") if len(clock.pauses) == 5 else None
    begin_writing(writer, 30)
    assert writer.in_transaction
    assert clock.pauses == [FIRST_PAUSE_SECONDS, 0.001, 0.002, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS]


def test_a_file_that_stays_locked_is_busy(writer: sqlite3.Connection, other: sqlite3.Connection, clock: Clock) -> None:
    assert other.in_transaction
    with pytest.raises(sqlite3.OperationalError) as caught:
        begin_writing(writer, 2)
    assert caught.value.sqlite_errorcode == sqlite3.SQLITE_BUSY
    assert 1_002 <= clock.now < 1_002 + LONGEST_PAUSE_SECONDS
    assert not writer.in_transaction


@pytest.mark.parametrize("code", [sqlite3.SQLITE_BUSY_RECOVERY, sqlite3.SQLITE_BUSY_SNAPSHOT])
def test_every_kind_of_busy_is_waited_for(clock: Clock, code: int) -> None:
    connection: Any = Refusing(code)
    with pytest.raises(sqlite3.OperationalError):
        begin_writing(connection, 0.01)
    assert connection.asked == len(clock.pauses) + 1 > 3


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_LOCKED, None])
def test_nothing_else_is_waited_for(clock: Clock, code: int | None) -> None:
    connection: Any = Refusing(code)
    with pytest.raises(sqlite3.OperationalError) as caught:
        begin_writing(connection, 30)
    assert caught.value is connection.error
    assert (connection.asked, clock.pauses) == (1, [])


def test_a_ledger_gives_up_after_thirty_seconds_and_goes_on_afterwards(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "ledger.db"
    with closing(SqliteLedger(path)) as ledger:
        ledger.bind(PSP)
        with closing(sqlite3.connect(path, isolation_level=None)) as other, nothing_moves(path):
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreFault) as caught:
                ledger.reserve(reservation(1), mandate(), MAKE_RECEIPT)
        assert caught.value.code == "store_busy"
        assert 30 <= sum(clock.pauses) < 30.1
        assert ledger.reserve(reservation(1), mandate(), MAKE_RECEIPT).charge is not None


def test_a_ledger_that_waits_can_be_interrupted(tmp_path: Path, clock: Clock) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    path = tmp_path / "ledger.db"
    with closing(SqliteLedger(path)) as ledger:
        ledger.bind(PSP)
        with closing(sqlite3.connect(path, isolation_level=None)) as other, nothing_moves(path):
            other.execute("BEGIN IMMEDIATE")
            clock.at_pause = interrupt
            with pytest.raises(KeyboardInterrupt):
                ledger.reserve(reservation(1), mandate(), MAKE_RECEIPT)
        assert ledger.reserve(reservation(1), mandate(), MAKE_RECEIPT).charge is not None

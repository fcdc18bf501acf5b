"""act.stores.sqlite.connection: a ledger file is whole or not there, and every failure of it has a name."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from act.errors import ActError, StoreFault
from act.payment.charge import ChargeState
from act.payment.ledger import Outcome
from act.stores.sqlite import SqliteLedger, connection
from act.stores.sqlite.schema import APPLICATION_ID, SCHEMA_VERSION
from tests.support.fold import audit
from tests.support.reservations import MAKE_RECEIPT, mandate, reservation
from tests.support.world import NOW_SECONDS, PSP, nothing_moves, snapshot

ROOT = Path(__file__).resolve().parents[2]
LATER = NOW_SECONDS + 60


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[SqliteLedger]:
    ledger = opened(path)
    yield ledger
    ledger.close()


def opened(path: Path, **options: Any) -> SqliteLedger:
    ledger = SqliteLedger(path, **options)
    ledger.bind(PSP)
    return ledger


def reserve(ledger: SqliteLedger, number: int = 1, amount_minor: int = 1_800) -> Outcome:
    return ledger.reserve(reservation(number, amount_minor), mandate(), MAKE_RECEIPT)


def fault(action: Callable[[], object]) -> str:
    """The code of the `StoreFault` that the action has to end with."""
    with pytest.raises(StoreFault) as caught:
        action()
    assert caught.value.where
    return caught.value.code


# --- a file is made whole, and taken only if it is a ledger -------------------------------------------------------------


def test_a_new_ledger_is_durable_and_alone_in_its_folder(path: Path) -> None:
    ledger = opened(path)
    inside = _inside(ledger)
    settings = ("journal_mode", "synchronous", "foreign_keys", "trusted_schema", "application_id", "user_version")
    found = [inside.execute(f"PRAGMA {name}").fetchone()[0] for name in settings]
    assert found == ["wal", 2, 1, 0, APPLICATION_ID, SCHEMA_VERSION]
    ledger.close()
    assert os.listdir(path.parent) == [path.name]


def test_who_writes_waits_by_itself_and_who_reads_as_sqlite_does(path: Path) -> None:
    """The first ledger makes the file, the second finds it."""
    for _ in range(2):
        ledger = opened(path)
        reserve(ledger)
        assert ledger.status(mandate().key) is not None
        database: Any = ledger._database
        waits = [each.execute("PRAGMA busy_timeout").fetchone() for each in (database._writer, database._reader)]
        assert waits == [(0,), (30_000,)]
        ledger.close()


def test_a_copy_in_another_journal_mode_is_put_into_wal(path: Path, tmp_path: Path) -> None:
    """In the mode of a copy that SQLite makes, whoever reads would hold up whoever commits."""
    ledger = opened(path)
    reserve(ledger)
    copy = tmp_path / "copy.db"
    _inside(ledger).execute("VACUUM INTO ?", (str(copy),))
    ledger.close()
    again = opened(copy)
    with closing(sqlite3.connect(copy, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM ledger").fetchall()
        assert not reserve(again, 2).replayed
    assert _inside(again).execute("PRAGMA journal_mode").fetchone() == ("wal",)
    again.close()
    assert audit(copy).charges == {"HELD": 2}


def test_a_file_that_cannot_be_in_wal_is_no_ledger_to_write(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(path).close()
    closed: list[str] = []

    class Stubborn(connection.Connection):
        def execute(self, statement: str, values: Any = (), /) -> sqlite3.Cursor:
            return super().execute("SELECT 'delete'" if statement == "PRAGMA journal_mode = WAL" else statement, values)

        def close(self) -> None:
            closed.append("closed")
            super().close()

    monkeypatch.setattr(connection, "Connection", Stubborn)
    assert fault(lambda: SqliteLedger(path)) == "store_unavailable"
    assert closed == ["closed"]


def test_what_was_written_is_there_when_opened_again(path: Path) -> None:
    first = opened(path)
    outcome = reserve(first)
    first.close()
    before = snapshot(path)
    again = opened(path, create=False)
    assert reserve(again) == Outcome(outcome.receipt, outcome.charge, replayed=True)
    again.close()
    assert snapshot(path) == before


def test_any_name_is_only_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = [":memory:", "file:x?mode=memory", "100%41.db", "a#b?c.db", "茶.db"]
    for name in names:
        with closing(opened(Path(name))) as ledger:
            reserve(ledger)
    assert sorted(os.listdir()) == sorted(names)
    for name in names:
        assert audit(tmp_path / name).charges == {"HELD": 1}


@pytest.mark.parametrize("create", [False, True])
def test_a_ledger_that_cannot_be_there_is_not_made(tmp_path: Path, create: bool) -> None:
    (tmp_path / "folder").mkdir()
    places = [tmp_path / "nowhere" / "ledger.db", tmp_path / "folder", tmp_path / "folder" / ("x" * 300)]
    if not create:
        places.append(tmp_path / "ledger.db")
    for place in places:
        assert fault(partial(SqliteLedger, place, create=create)) == "store_unavailable"
    assert sorted(str(each.relative_to(tmp_path)) for each in tmp_path.rglob("*")) == ["folder"]


def _make(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as made:
        made.executescript(script)


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"not a ledger, and long enough to be looked at " * 100),
        lambda path: path.write_bytes(b"SQLite format 3\x00" + bytes(4_000)),
        lambda path: _make(path, "CREATE TABLE charge (id TEXT); INSERT INTO charge VALUES ('ch_1');"),
        lambda path: _make(path, f"CREATE TABLE t (x); PRAGMA application_id = 1; PRAGMA user_version = {SCHEMA_VERSION};"),
        lambda path: _make(path, f"CREATE TABLE t (x); PRAGMA application_id = {APPLICATION_ID};"),
    ],
    ids=["empty", "text", "header only", "another database", "another application", "version 0"],
)
def test_a_file_that_is_no_ledger_is_left_as_it_is(path: Path, make: Callable[[Path], object]) -> None:
    make(path)
    before = path.read_bytes()
    assert fault(lambda: SqliteLedger(path)) == "store_unknown_version"
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_a_newer_ledger_is_left_to_newer_programs(path: Path) -> None:
    opened(path).close()
    _make(path, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(StoreFault) as caught:
        SqliteLedger(path)
    assert caught.value.code == "store_unknown_version"
    assert caught.value.facts == {"found_version": SCHEMA_VERSION + 1, "known_version": SCHEMA_VERSION}


def test_a_cut_off_ledger_is_not_taken(path: Path) -> None:
    ledger = opened(path)
    reserve(ledger)
    ledger.close()
    whole = path.read_bytes()
    for size in (1, 99, 100, 1_000, 4_096, len(whole) // 2):
        path.write_bytes(whole[:size])
        code = fault(lambda: reserve(opened(path)))
        assert code in {"store_unknown_version", "store_unavailable"}
        for rest in ("-wal", "-shm"):
            path.with_name(path.name + rest).unlink(missing_ok=True)


# --- using it wrongly, and other users ----------------------------------------------------------------------------------


def test_a_closed_ledger_says_so(ledger: SqliteLedger) -> None:
    ledger.close()
    ledger.close()
    request = reservation()
    actions: tuple[Callable[[], object], ...] = (
        lambda: ledger.bind(PSP),
        lambda: ledger.find(request.request, request.request_identity),
        lambda: ledger.reserve(request, mandate(), MAKE_RECEIPT),
        lambda: ledger.capture("ch_0", 1, LATER, MAKE_RECEIPT),
        lambda: ledger.void("ch_0", LATER, MAKE_RECEIPT),
        lambda: ledger.revoke(mandate(), LATER, MAKE_RECEIPT),
        lambda: ledger.charge("ch_0"),
        lambda: ledger.status(mandate().key),
    )
    assert {fault(action) for action in actions} == {"store_unavailable"}


def test_two_ledgers_on_one_file_see_each_other(path: Path, ledger: SqliteLedger) -> None:
    other = opened(path)
    first = reserve(ledger)
    assert reserve(other) == Outcome(first.receipt, first.charge, replayed=True)
    assert first.charge is not None
    other.void(first.charge.id, LATER, MAKE_RECEIPT)
    assert ledger.charge(first.charge.id).state is ChargeState.VOIDED
    other.close()


def test_threads_share_a_ledger(path: Path, ledger: SqliteLedger) -> None:
    outcomes: list[Outcome] = []
    start = threading.Barrier(8)

    def pay() -> None:
        start.wait()
        outcomes.extend(reserve(ledger, number, 500) for number in range(60))

    threads = [threading.Thread(target=pay) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 8 * 60
    assert len({each.charge.id for each in outcomes if each.charge}) == 40
    found = audit(path)
    assert (found.entries["RESERVED"], found.entries["REFUSED"], found.held_minor) == (40, 20, 20_000)


_FORK = """
import os, sys
from act.errors import InvalidCall
from tests.unit.test_stores_sqlite_connection import Path, opened, reserve
ledger = opened(Path(sys.argv[1]))
reserve(ledger, 1)
child = os.fork()
if child == 0:
    try:
        reserve(ledger, 2)
    except InvalidCall as error:
        ledger.close()
        fresh = opened(Path(sys.argv[1]))
        reserve(fresh, 2)
        fresh.close()
        os._exit(7 if error.code == "call_invalid" else 1)
    os._exit(0)
_, status = os.waitpid(child, 0)
reserve(ledger, 3)
print(os.waitstatus_to_exitcode(status))
"""


def test_a_ledger_is_opened_anew_after_fork(path: Path) -> None:
    run = subprocess.run([sys.executable, "-c", _FORK, path], capture_output=True, text=True, cwd=ROOT)
    assert (run.stdout, run.stderr) == ("7\n", "")
    assert audit(path).charges == {"HELD": 3}


def test_a_ledger_locked_for_too_long_is_busy(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BUSY_SECONDS", 0)
    ledger = opened(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with nothing_moves(path):
            assert fault(lambda: reserve(ledger)) == "store_busy"
            assert ledger.status(mandate().key) is None  # reading goes on
        other.execute("ROLLBACK")
    assert reserve(ledger).charge is not None
    ledger.close()


# --- failures in the middle ----------------------------------------------------------------------------------------------


def test_a_full_ledger_takes_nothing_and_goes_on_when_there_is_space(path: Path, ledger: SqliteLedger) -> None:
    inside = _inside(ledger)
    (pages,) = inside.execute("PRAGMA page_count").fetchone()
    inside.execute(f"PRAGMA max_page_count = {pages}")
    fits = 0
    with suppress(StoreFault):
        while reserve(ledger, fits + 1, 1).charge:
            fits += 1
    number = fits + 1
    with nothing_moves(path):
        assert fault(lambda: reserve(ledger, number, 1)) == "store_full"
    assert ledger.status(mandate().key) is not None
    inside.execute("PRAGMA max_page_count = 1000000")
    outcome = reserve(ledger, number, 1)
    assert outcome.charge is not None
    assert not outcome.replayed
    assert audit(path).held_minor == number


def _inside(ledger: SqliteLedger) -> sqlite3.Connection:
    """The connection of a ledger whose file exists."""
    database: Any = ledger._database
    inside: sqlite3.Connection = database._writer
    return inside


class _Failing:
    """A connection one of whose statements fails, before or after SQLite has run it."""

    def __init__(self, inside: sqlite3.Connection, statement: str, *, ran: bool) -> None:
        self._inside, self._statement, self._ran = inside, statement, ran

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inside, name)

    def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
        if statement.startswith(self._statement):
            if self._ran:
                self._inside.execute(statement, *parameters)
            raise sqlite3.OperationalError("disk I/O error")
        return self._inside.execute(statement, *parameters)


@pytest.mark.parametrize("statement", ["BEGIN", "INSERT INTO charge", "INSERT INTO entry", "UPDATE mandate", "COMMIT"])
def test_a_reservation_that_fails_anywhere_is_not_acknowledged(
    path: Path, ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    reserve(ledger, 1)
    with monkeypatch.context() as broken, nothing_moves(path):
        broken.setattr(ledger._database, "_writer", _Failing(_inside(ledger), statement, ran=False))
        assert fault(lambda: reserve(ledger, 2)) == "store_unavailable"
    assert not reserve(ledger, 2).replayed


def test_a_commit_whose_success_was_not_heard_of_is_found_on_retry(
    path: Path, ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(ledger._database, "_writer", _Failing(_inside(ledger), "COMMIT", ran=True))
        assert fault(lambda: reserve(ledger)) == "store_unavailable"
    assert reserve(ledger).replayed
    assert audit(path).charges == {"HELD": 1}


def test_a_transaction_that_was_begun_and_not_heard_of_holds_up_nobody(
    path: Path, ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a signal comes while it waits for the file."""
    with monkeypatch.context() as broken, nothing_moves(path):
        broken.setattr(ledger._database, "_writer", _Failing(_inside(ledger), "BEGIN", ran=True))
        assert fault(lambda: reserve(ledger)) == "store_unavailable"
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as other:
        other.execute("BEGIN IMMEDIATE")
    assert not reserve(ledger).replayed


def test_a_transaction_that_was_left_behind_is_undone_before_the_next(path: Path, ledger: SqliteLedger) -> None:
    reserve(ledger, 1)
    with nothing_moves(path):
        inside = _inside(ledger)
        inside.execute("BEGIN IMMEDIATE")
        inside.execute("UPDATE counter SET held = 0")
    assert not reserve(ledger, 2).replayed
    assert audit(path).held_minor == 3_600


@pytest.mark.parametrize("statement", ["BEGIN", "SELECT"])
def test_a_reading_that_fails_does_not_block_the_next_one(
    ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    reserve(ledger)
    assert ledger.status(mandate().key) is not None
    database: Any = ledger._database
    with monkeypatch.context() as broken:
        broken.setattr(database, "_reader", _Failing(database._reader, statement, ran=True))
        assert fault(lambda: ledger.status(mandate().key)) == "store_unavailable"
    assert ledger.status(mandate().key) is not None


# --- damage --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with charges in every state, refusals and a revocation, closed."""
    path = tmp_path_factory.mktemp("used") / "ledger.db"
    ledger = opened(path)
    for number in range(1, 13):
        charge = reserve(ledger, number, 2_000).charge
        if charge and number % 3 == 0:
            ledger.capture(charge.id, 1_500, LATER, MAKE_RECEIPT)
        elif charge and number % 3 == 1:
            ledger.void(charge.id, LATER, MAKE_RECEIPT)
    reserve(ledger, 13, 20_000)
    ledger.revoke(mandate(2), LATER, MAKE_RECEIPT)
    ledger.close()
    return path


def _use_everything(path: Path) -> None:
    """Asks a ledger everything there is to ask; an answer or an error of ours, nothing else."""
    with closing(opened(path, create=False)) as ledger:
        for number in range(1, 15):
            with suppress(ActError):
                charge = reserve(ledger, number, 2_000).charge
                if charge is not None:
                    ledger.capture(charge.id, 1_000, LATER, MAKE_RECEIPT)
        for number in (1, 2):
            with suppress(ActError):
                status = ledger.status(mandate(number).key)
                for each in status.charges if status else ():
                    ledger.void(each.id, LATER, MAKE_RECEIPT)
            with suppress(ActError):
                ledger.revoke(mandate(number), LATER, MAKE_RECEIPT)


def test_a_destroyed_page_is_a_store_fault(used: Path, tmp_path: Path) -> None:
    whole = used.read_bytes()
    codes = set()
    for page in range(len(whole) // 4_096):
        path = tmp_path / f"{page}.db"
        path.write_bytes(whole[: page * 4_096] + b"\xff" * 4_096 + whole[(page + 1) * 4_096 :])
        try:
            with closing(opened(path, create=False)) as ledger:
                for number in range(1, 13):
                    reserve(ledger, number, 2_000)
        except StoreFault as error:
            codes.add(error.code)
    assert codes == {"store_unavailable", "store_unknown_version"}


def test_damaged_bytes_never_end_in_anything_but_an_answer_or_an_error(used: Path, tmp_path: Path) -> None:
    whole = bytearray(used.read_bytes())
    draw = random.Random(2)
    filled = [at for at in range(len(whole)) if whole[at]]
    for attempt in range(300):
        at = draw.choice(filled)
        path = tmp_path / f"{attempt}.db"
        shutil.copyfile(used, path)
        with path.open("r+b") as file:
            file.seek(at)
            file.write(bytes([whole[at] ^ 1 << draw.randrange(8)]))
        with suppress(ActError):
            _use_everything(path)
        path.unlink()


@pytest.mark.parametrize("replaced", [False, True], ids=["deleted", "replaced"])
def test_a_ledger_whose_file_is_gone_counts_no_more(path: Path, ledger: SqliteLedger, replaced: bool) -> None:
    """Whoever opens the path now would count from zero: two ledgers would spend one mandate twice."""
    reserve(ledger)
    for rest in ("", "-wal", "-shm"):
        path.with_name(f"{path.name}{rest}").unlink(missing_ok=True)
    if replaced:
        opened(path).close()
    assert fault(lambda: reserve(ledger)) == "store_unavailable"


def test_a_ledger_nobody_wrote_to_reads_as_empty_and_makes_no_file(path: Path) -> None:
    with closing(SqliteLedger(path)) as ledger:
        assert ledger.owner() is None
        assert ledger.status(mandate().key) is None
        assert not path.exists()
        ledger.bind(PSP)
        assert ledger.owner() == PSP
    assert path.is_file()


def test_a_change_of_folder_does_not_lead_to_another_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(tmp_path)
    with closing(SqliteLedger("ledger.db")) as ledger:
        monkeypatch.chdir(elsewhere)
        ledger.bind(PSP)
        assert reserve(ledger).charge is not None
    assert os.listdir(elsewhere) == []
    assert (tmp_path / "ledger.db").is_file()


@pytest.mark.parametrize("rest", ["-wal", "-shm", "-journal"])
def test_no_new_ledger_is_made_beside_the_remains_of_another(path: Path, rest: str) -> None:
    path.with_name(f"{path.name}{rest}").write_bytes(b"what is left of a ledger")
    with closing(SqliteLedger(path)) as ledger:
        assert fault(lambda: ledger.bind(PSP)) == "store_unavailable"
    assert not path.exists()

"""act.stores.postgres: what the server refuses by itself, what is run again, and a name for every failure."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from act.errors import InvalidCall, StoreFault
from act.payment.ledger import Entry, EntryKind, Outcome
from act.payment.receipt import recorded_receipt
from act.stores.postgres import PostgresLedger, connection
from act.stores.postgres.reserving import prepare
from act.stores.postgres.schema import MIGRATIONS
from act.stores.sql.batches import Ticket
from act.stores.sql.transaction import StaleRead, Transaction
from tests.support.fold import audit
from tests.support.places import Place, SchemaPlace
from tests.support.postgres import PostgresServer
from tests.support.reservations import MAKE_RECEIPT, mandate, reservation
from tests.support.world import NOW_SECONDS, PSP, nothing_moves, refused

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def schema(postgres: PostgresServer) -> Iterator[SchemaPlace]:
    place = SchemaPlace(postgres)
    yield place
    place.drop()


@pytest.fixture
def place(schema: SchemaPlace) -> Place:
    return schema


def reserve(ledger: PostgresLedger, number: int = 1, **more: Any) -> Outcome:
    return ledger.reserve(reservation(number, **more), more.get("of") or mandate(), MAKE_RECEIPT)


def fault(action: Callable[[], object]) -> str:
    """The code of the `StoreFault` that the action has to end with."""
    with pytest.raises(StoreFault) as caught:
        action()
    assert caught.value.where.startswith("postgresql://")
    return caught.value.code


def until(true: Callable[[], bool]) -> None:
    """Looks until it is so."""
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def waiting(place: SchemaPlace) -> int:
    """How many connections wait for another one's lock."""
    ask = "SELECT count(*) FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0"
    with place.connect() as connection:
        (found,) = connection.execute(ask).fetchone() or (0,)
        return int(found)


# --- what a defective program writes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement, error",
    [
        ("UPDATE entry SET at = 0", psycopg.errors.RaiseException),
        ("DELETE FROM entry", psycopg.errors.RaiseException),
        ("TRUNCATE entry CASCADE", psycopg.errors.RaiseException),
        ("INSERT INTO entry SELECT * FROM entry", psycopg.errors.UniqueViolation),
        ("UPDATE counter SET held = cap + 1 - captured", psycopg.errors.CheckViolation),
        ("UPDATE counter SET held = -1", psycopg.errors.CheckViolation),
        ("UPDATE counter SET captured = -1", psycopg.errors.CheckViolation),
        ("UPDATE charge SET captured_minor = amount_minor + 1", psycopg.errors.CheckViolation),
        ("UPDATE charge SET state = 'PAID'", psycopg.errors.CheckViolation),
        ("UPDATE charge SET order_no = 'T-0002' WHERE order_no = 'T-0001'", psycopg.errors.UniqueViolation),
        ("UPDATE mandate SET state = 'Expired'", psycopg.errors.CheckViolation),
        ("INSERT INTO ledger VALUES (2, 'psp-2')", psycopg.errors.CheckViolation),
        ("INSERT INTO request SELECT * FROM request", psycopg.errors.UniqueViolation),
    ],
)
def test_the_database_itself_refuses(
    ledger: PostgresLedger, schema: SchemaPlace, statement: str, error: type[psycopg.Error]
) -> None:
    for number in (1, 2, 3):  # the first by the shared transaction, the others by the function
        reserve(ledger, number)
    with nothing_moves(schema), pytest.raises(error):
        schema.write(statement)


# --- what is run again --------------------------------------------------------------------------------------------------


def given_up(times: int, code: str) -> tuple[Callable[[Transaction], int], list[int]]:
    """A transaction that writes, and that the database then gives up so many times."""
    tries: list[int] = []

    def work(tx: Transaction) -> int:
        tries.append(len(tries))
        tx.execute("INSERT INTO account (issuer, delegator_identity) VALUES (?, ?)", ("wallet", f"user:{len(tries)}"))
        if len(tries) <= times and code == "stale":
            raise StaleRead
        if len(tries) <= times:
            tx.execute(f"DO $$ BEGIN RAISE EXCEPTION 'given up' USING ERRCODE = '{code}'; END $$")
        return len(tries)

    return work, tries


@pytest.mark.parametrize("code", ["40001", "40P01", "23505", "stale"])
def test_what_was_given_up_is_run_again_as_a_whole(ledger: PostgresLedger, schema: SchemaPlace, code: str) -> None:
    work, tries = given_up(3, code)
    assert ledger._database.write(work) == len(tries) == 4
    assert [user for _, _, user in schema.snapshot()["account"]] == ["user:4"]
    schema.write("DELETE FROM account")


@pytest.mark.parametrize("code", ["40001", "40P01", "23505", "stale"])
def test_what_is_given_up_again_and_again_is_busy(ledger: PostgresLedger, schema: SchemaPlace, code: str) -> None:
    work, tries = given_up(1_000, code)
    with nothing_moves(schema):
        assert fault(lambda: ledger._database.write(work)) == "store_busy"
    assert len(tries) == connection.ATTEMPTS


def test_a_real_deadlock_is_run_again(ledger: PostgresLedger, schema: SchemaPlace) -> None:
    for number in (1, 2):
        reserve(ledger, number, of=mandate(number))
    both = threading.Barrier(2)

    def lock(first: int, second: int) -> int:
        tries: list[int] = []

        def work(tx: Transaction) -> int:
            for number in (first, second):
                tx.execute("SELECT 1 FROM mandate WHERE number = ? FOR UPDATE", (number,))
                if not tries:
                    tries.append(1)
                    both.wait(20)
            tries.append(1)
            return len(tries)

        return ledger._database.write(work)

    with ThreadPoolExecutor(2) as pool:
        found = [pool.submit(lock, 1, 2), pool.submit(lock, 2, 1)]
        assert [each.result(30) for each in found] == [2, 2]


class Paused:
    """Makes receipts, and waits in the middle of the transaction: from its second one on, the first only shows its form."""

    def __init__(self) -> None:
        self.made = 0
        self.inside, self.goes_on = threading.Event(), threading.Event()

    def __call__(self, entry: Entry) -> Any:
        self.made += 1
        if self.made == 2:
            self.inside.set()
            assert self.goes_on.wait(20)
        return MAKE_RECEIPT(entry)


def race(schema: SchemaPlace, first: dict[str, Any], second: dict[str, Any]) -> tuple[Outcome, Future[Outcome]]:
    """Two processes' reservations: the second begins while the first has written but not committed, and waits for it."""
    pause = Paused()
    with schema.open() as one, schema.open() as two, ThreadPoolExecutor(2) as pool:
        two.owner()
        early = pool.submit(one.reserve, reservation(**first), first["of"], pause)
        assert pause.inside.wait(20)
        late = pool.submit(two.reserve, reservation(**second), second["of"], MAKE_RECEIPT)
        until(lambda: waiting(schema) == 1)
        pause.goes_on.set()
        late.exception(30)
        return early.result(30), late


@pytest.mark.parametrize("where", ["new mandate", "function", "shared transaction"])
def test_one_order_reserved_at_once_is_paid_once(ledger: PostgresLedger, schema: SchemaPlace, where: str) -> None:
    """The later one waits for the account's row, or for the index: in the function, or in the transaction behind it."""
    reserve(ledger, 8, of=mandate(8))  # the account is known to both
    if where != "new mandate":
        reserve(ledger, 9, of=mandate(2))
    more = {"pinned_before": NOW_SECONDS + 1} if where == "shared transaction" else {}
    early, late = race(schema, {"number": 1, "of": mandate(1)}, {"number": 1, "of": mandate(2), **more})
    assert early.charge is not None
    with refused("order_already_paid"):
        late.result()


def test_one_mandate_pinned_at_once_is_one_mandate(ledger: PostgresLedger, schema: SchemaPlace) -> None:
    early, late = race(schema, {"number": 1, "of": mandate(1)}, {"number": 2, "of": mandate(1)})
    assert early.charge is not None
    assert late.result().charge is not None
    assert len(schema.snapshot()["mandate"]) == 1


def test_two_mandates_of_a_new_account_pinned_at_once(ledger: PostgresLedger, schema: SchemaPlace) -> None:
    early, late = race(schema, {"number": 1, "of": mandate(1)}, {"number": 2, "of": mandate(2)})
    assert early.charge is not None
    assert late.result().charge is not None
    assert sorted(row[1] for row in schema.snapshot()["mandate"]) == [1, 2]


def test_what_was_pinned_meanwhile_is_locked_before_it_is_reserved_under(ledger: PostgresLedger, schema: SchemaPlace) -> None:
    """The function locks the mandates that it finds at its beginning. One that is pinned after that is not among them, and is
    locked when it is met: its revocation waits."""
    reserve(ledger, 1, of=mandate(1))
    with schema.connect() as first, schema.connect() as second, schema.open() as other, ThreadPoolExecutor(2) as pool:
        first.execute("BEGIN")
        first.execute("SELECT 1 FROM mandate FOR UPDATE")
        tickets = [
            Ticket(prepare(reservation(2, of=mandate(2), order_no="T-0"), mandate(2), MAKE_RECEIPT)),
            Ticket(prepare(reservation(3, of=mandate(1)), mandate(1), MAKE_RECEIPT)),
        ]
        done = pool.submit(other._reserve_all, list(tickets))
        until(lambda: waiting(schema) == 1)
        reserve(ledger, 4, of=mandate(2))  # it is pinned now
        second.execute("BEGIN")
        second.execute("LOCK TABLE charge IN SHARE MODE")
        first.execute("ROLLBACK")
        until(lambda: waiting(schema) == 1)  # the function has read the mandate, and waits to write the charge
        revoked = pool.submit(ledger.revoke, mandate(2), NOW_SECONDS, MAKE_RECEIPT)
        until(lambda: waiting(schema) == 2)
        second.execute("ROLLBACK")
        done.result(30)
        revoked.result(30)
    assert all(ticket.result.charge is not None for ticket in tickets)
    kinds = [recorded_receipt(each).kind for each in ledger.receipts(mandate(2).key)]
    assert kinds == [EntryKind.RESERVED, EntryKind.RESERVED, EntryKind.REVOKED]


# --- opening ------------------------------------------------------------------------------------------------------------


def test_a_server_that_would_lose_what_it_acknowledged_is_refused() -> None:
    server = PostgresServer(fsync="off")
    try:
        for settings in ({"fsync": "off"}, {"full_page_writes": "off"}):
            server.restart(**settings)
            with PostgresLedger(server.address, schema="unsafe") as ledger:
                assert fault(ledger.owner) == "store_unavailable"
            with psycopg.connect(server.address) as found:
                assert found.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'unsafe'").fetchone() is None
        server.restart()
        with PostgresLedger(server.address, schema="safe") as ledger:
            assert ledger.owner() is None
    finally:
        server.stop()


def test_a_role_that_does_not_wait_for_the_disk_is_refused(postgres: PostgresServer, schema: SchemaPlace) -> None:
    role(postgres, "hasty", "ALTER ROLE hasty SET synchronous_commit = off")
    with PostgresLedger(f"{postgres.address} user=hasty", schema=schema.schema) as ledger:
        assert fault(ledger.owner) == "store_unavailable"
    with schema.open() as ledger:
        ledger.owner()


def role(server: PostgresServer, name: str, *statements: str) -> None:
    """Makes a role, once for a server."""
    with psycopg.connect(server.address, autocommit=True) as found:
        if found.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone() is None:
            found.execute(f"CREATE ROLE {name} LOGIN")
        for statement in statements:
            found.execute(statement)


def test_a_newer_ledger_is_left_to_newer_programs(ledger: PostgresLedger, schema: SchemaPlace) -> None:
    reserve(ledger)
    schema.write("UPDATE schema_version SET version = version + 1")
    with nothing_moves(schema), schema.open() as old:
        assert fault(old.owner) == "store_unknown_version"
    schema.write("UPDATE schema_version SET version = version - 1")


@pytest.fixture
def second_version(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """This program as one that knows another version."""

    def know(*scripts: str) -> None:
        monkeypatch.setattr(connection, "MIGRATIONS", (*MIGRATIONS, scripts))
        monkeypatch.setattr(connection, "SCHEMA_VERSION", len(MIGRATIONS) + 1)

    return know


def version(place: SchemaPlace) -> tuple[Any, ...] | None:
    with place.connect() as found:
        return found.execute("SELECT version, to_regclass('extra') IS NOT NULL FROM schema_version").fetchone()


def test_an_older_ledger_is_brought_up(
    ledger: PostgresLedger, schema: SchemaPlace, second_version: Callable[..., None]
) -> None:
    reserve(ledger)
    second_version("CREATE TABLE extra (x BIGINT)", "INSERT INTO extra VALUES (1)")
    with PostgresLedger(schema.address, schema=schema.schema, create=False) as reader:
        assert fault(reader.owner) == "store_unknown_version"
    with ThreadPoolExecutor(4) as pool:
        owners = [pool.submit(owner_of, schema) for _ in range(4)]
        assert [each.result(30) for each in owners] == [PSP] * 4
    assert version(schema) == (2, True)
    with schema.connect() as found:
        assert found.execute("SELECT count(*) FROM extra").fetchone() == (1,)
    schema.write("UPDATE schema_version SET version = 1")


def owner_of(place: SchemaPlace) -> str | None:
    with place.open() as ledger:
        return ledger.owner()


def test_a_migration_that_fails_leaves_the_old_version(
    ledger: PostgresLedger, schema: SchemaPlace, second_version: Callable[..., None]
) -> None:
    reserve(ledger)
    second_version("CREATE TABLE extra (x BIGINT)", "SELECT no_such_function()")
    with schema.open() as new:
        assert fault(new.owner) == "store_unavailable"
    assert version(schema) == (1, False)


def test_an_older_program_does_not_undo_what_a_newer_one_did_meanwhile(
    ledger: PostgresLedger, schema: SchemaPlace, second_version: Callable[..., None]
) -> None:
    """The version is read again under the lock."""
    ledger.owner()
    second_version("CREATE TABLE extra (x BIGINT)")
    with schema.connect() as newest, schema.open() as old, ThreadPoolExecutor(1) as pool:
        newest.execute("BEGIN")
        newest.execute("LOCK TABLE schema_version IN EXCLUSIVE MODE")  # others still read it
        opening = pool.submit(old.owner)
        until(lambda: waiting(schema) == 1)
        newest.execute("UPDATE schema_version SET version = 3")
        newest.execute("COMMIT")
        assert fault(lambda: opening.result(30)) == "store_unknown_version"
    assert version(schema) == (3, False)
    schema.write("UPDATE schema_version SET version = 1")


def test_openers_at_once_make_one_schema(schema: SchemaPlace) -> None:
    with ThreadPoolExecutor(6) as pool:
        owners = [pool.submit(owner_of, schema) for _ in range(6)]
        assert [each.result(30) for each in owners] == [None] * 6
    assert version(schema) == (1, False)


def test_without_create_nothing_is_made(postgres: PostgresServer) -> None:
    name = postgres.fresh_schema()
    with PostgresLedger(postgres.address, schema=name, create=False) as ledger:
        assert fault(ledger.owner) == "store_unavailable"
    with psycopg.connect(postgres.address) as found:
        assert found.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (name,)).fetchone() is None


def test_who_may_only_read_reads(ledger: PostgresLedger, schema: SchemaPlace, postgres: PostgresServer) -> None:
    for number in (1, 2):
        reserve(ledger, number)
    name = schema.schema
    role(
        postgres, "reader", f"GRANT USAGE ON SCHEMA {name} TO reader", f"GRANT SELECT ON ALL TABLES IN SCHEMA {name} TO reader"
    )
    with nothing_moves(schema), PostgresLedger(f"{schema.address} user=reader", schema=name, create=False) as reader:
        assert reader.owner() == PSP
        assert reader.status(mandate().key) is not None
        assert reader.audit().disagreements == []
        for number in (1, 2):  # a known mandate, and a new one
            assert fault(partial(reserve, reader, 9, of=mandate(number))) == "store_read_only"
    with psycopg.connect(postgres.address) as found:
        found.execute("DROP OWNED BY reader")


def test_who_pays_need_not_own_the_schema(ledger: PostgresLedger, schema: SchemaPlace, postgres: PostgresServer) -> None:
    reserve(ledger)
    role(postgres, "payer", f"GRANT USAGE ON SCHEMA {schema.schema} TO payer")
    role(postgres, "payer", f"GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA {schema.schema} TO payer")
    with PostgresLedger(f"{schema.address} user=payer", schema=schema.schema) as payer:
        for number in (1, 2, 4):  # a known mandate, and new ones
            charge = reserve(payer, 1 + number, of=mandate(number)).charge
            assert charge is not None
            payer.capture(charge.id, 100, NOW_SECONDS, MAKE_RECEIPT)
            payer.refund(charge.id, 50, "R-1", NOW_SECONDS, MAKE_RECEIPT)
        payer.revoke(mandate(1), NOW_SECONDS, MAKE_RECEIPT)
        payer.expire(NOW_SECONDS + 9_000_000, 10, MAKE_RECEIPT)
    with psycopg.connect(postgres.address) as found:
        found.execute("DROP OWNED BY payer")


# --- connections that end --------------------------------------------------------------------------------------------


def end_all(place: SchemaPlace, *, idle: bool = True) -> int:
    """Ends the ledger's connections from the server's side, and returns how many there were."""
    ask = (
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
        "WHERE pid <> pg_backend_pid() AND state LIKE %s AND datname IS NOT NULL"
    )
    with place.connect() as connection:
        return len(connection.execute(ask, ("idle" if idle else "idle in%",)).fetchall())


def test_a_connection_that_was_ended_does_not_fail_the_next_call(ledger: PostgresLedger, schema: SchemaPlace) -> None:
    reserve(ledger, 1)
    for number in (2, 3):
        assert end_all(schema) > 0
        assert reserve(ledger, number).charge is not None
        assert end_all(schema) > 0
        assert ledger.status(mandate().key) is not None


def test_one_that_ends_before_anything_is_asked_is_replaced(
    ledger: PostgresLedger, schema: SchemaPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where looking at it found nothing yet."""
    reserve(ledger, 1)
    monkeypatch.setattr("act.stores.postgres.pool._answers", lambda connection: True)
    assert end_all(schema) > 0
    assert ledger.status(mandate().key) is not None


def test_a_commit_that_is_not_heard_of_is_a_fault(ledger: PostgresLedger, schema: SchemaPlace) -> None:
    def work(tx: Transaction) -> None:
        tx.execute("INSERT INTO account (issuer, delegator_identity) VALUES ('a', 'b')")
        assert end_all(schema, idle=False) == 1

    with nothing_moves(schema):
        assert fault(lambda: ledger._database.write(work)) == "store_unavailable"
    assert reserve(ledger).charge is not None


def test_a_closed_ledger_says_so(ledger: PostgresLedger, schema: SchemaPlace) -> None:
    reserve(ledger)
    with schema.open() as other:
        other.owner()
        other.close()
        for action in (other.owner, lambda: reserve(other), lambda: other.status(mandate().key)):
            assert fault(action) == "store_unavailable"


def test_every_connection_in_use_is_busy(ledger: PostgresLedger, schema: SchemaPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BUSY_SECONDS", 1)
    with PostgresLedger(schema.address, schema=schema.schema, connections=1) as narrow:
        assert fault(lambda: narrow._database.read(lambda tx: narrow.status(mandate().key))) == "store_busy"
        assert narrow.status(mandate().key) is None


def test_a_lock_held_for_too_long_is_busy(ledger: PostgresLedger, schema: SchemaPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    reserve(ledger)
    with schema.connect() as other:
        monkeypatch.setattr(connection, "BUSY_SECONDS", 1)
        hasty = schema.open()
        other.execute("BEGIN")
        other.execute("SELECT 1 FROM mandate FOR UPDATE")
        with nothing_moves(schema):
            assert fault(lambda: reserve(hasty, 2)) == "store_busy"
            assert fault(lambda: hasty.revoke(mandate(), NOW_SECONDS, MAKE_RECEIPT)) == "store_busy"
            assert hasty.status(mandate().key) is not None  # reading goes on
        other.execute("ROLLBACK")
        assert reserve(hasty, 2).charge is not None
        hasty.close()


_FORK = """
import os, sys
from act.errors import InvalidCall
from act.stores.postgres import PostgresLedger
from tests.unit.test_stores_postgres import reserve
from tests.support.world import PSP

def opened():
    return PostgresLedger(sys.argv[1], schema=sys.argv[2])

ledger = opened()
ledger.bind(PSP)
reserve(ledger, 1)
ask = lambda: ledger._database.read(lambda tx: tx.execute("SELECT pg_backend_pid()").fetchone())
backend = ask()
child = os.fork()
if child == 0:
    try:
        reserve(ledger, 2)
    except InvalidCall as error:
        ledger.close()
        fresh = opened()
        reserve(fresh, 2)
        fresh.close()
        os._exit(7 if error.code == "call_invalid" else 1)
    os._exit(0)
_, status = os.waitpid(child, 0)
assert ask() == backend
reserve(ledger, 3)
ledger.close()
print(os.waitstatus_to_exitcode(status))
"""


def test_a_ledger_is_opened_anew_after_fork(schema: SchemaPlace) -> None:
    """Closing it in the child does not end the parent's connections."""
    command = [sys.executable, "-c", _FORK, schema.address, schema.schema]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT}/cli"}
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert (run.stdout, run.stderr) == ("7\n", "")
    assert audit(schema).charges == {"HELD": 3}


@pytest.mark.parametrize("name", ["", "pg_x", "x" * 64, "a\0b", "a\nb"])
def test_a_name_that_postgresql_reads_otherwise_is_refused(postgres: PostgresServer, name: str) -> None:
    with pytest.raises(InvalidCall):
        PostgresLedger(postgres.address, schema=name)


def test_a_version_that_somebody_emptied_is_not_guessed(ledger: PostgresLedger, schema: SchemaPlace) -> None:
    reserve(ledger)
    schema.write("DELETE FROM schema_version")
    with schema.open() as other:
        assert fault(other.owner) == "store_unavailable"
    schema.write("INSERT INTO schema_version VALUES (1, 1)")

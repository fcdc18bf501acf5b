"""Every statement that the shared rooms run is one that both databases understand, and that an engine which divides a ledger
by accounts could run as well."""

from __future__ import annotations

import ast
import re
import sqlite3
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import pytest

import act.stores.sql
from act.calendar import Window
from act.delegation.lifecycle import Causer, LifecycleAction
from act.delegation.limits import Limit
from act.errors import Refused
from act.payment.charge import HOLD_SECONDS
from act.payment.ledger import MandateRecord, Outcome
from act.payment.verifier import LinkRecord, ReservationRequest
from act.stores.postgres import schema as postgres_schema
from act.stores.postgres.connection import PostgresDatabase
from act.stores.sql.ledger import SqlLedger
from act.stores.sql.transaction import Database, Rows, Transaction
from act.stores.sqlite.connection import FileDatabase
from act.stores.sqlite.schema import SCHEMA
from tests.support.places import SchemaPlace
from tests.support.postgres import PostgresServer
from tests.support.reservations import MAKE_RECEIPT, cause, digest, limit, mandate, reservation
from tests.support.world import AGENT, NOW_SECONDS, PSP

T = TypeVar("T")
ROOMS = Path(act.stores.sql.__path__[0])
Run = set[tuple[str, int, str]]
"""Where a statement was run, file and line, and the statement."""

SQLITE_ONLY = {"reconcile.py", "replay.py", "replayed_calls.py"}
"""What restores a ledger from its receipts, which only a file's can be."""

FUNCTIONS = {"CAST", "COALESCE", "COUNT", "MAX", "MIN", "SUM"}
FORBIDDEN = re.compile(
    r"/|\b(nextval|setval|currval|(small|big)?serial|generated|advisory\w*|pg_\w+|listen|notify|rowid|autoincrement)\b"
    r"|INSERT OR|REPLACE INTO|::|\$\d",
    re.IGNORECASE,
)


class Traced:
    """A transaction that notes what is run in it, and where."""

    def __init__(self, inner: Transaction, run: Run) -> None:
        self.inner, self.run = inner, run

    def locking(self, table: str, /) -> str:
        return self.inner.locking(table)

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> Rows:
        self._note(statement)
        return self.inner.execute(statement, values)

    def executemany(self, statement: str, values: Iterable[Sequence[Any]], /) -> None:
        self._note(statement)
        self.inner.executemany(statement, values)

    def _note(self, statement: str) -> None:
        frame = sys._getframe(2)
        self.run.add((Path(frame.f_code.co_filename).name, frame.f_lineno, statement))


class TracedDatabase:
    """A database whose transactions are traced."""

    def __init__(self, inner: Database, run: Run) -> None:
        self.inner, self.run = inner, run
        self.place = inner.place

    def write(self, work: Callable[[Transaction], T], /) -> T:
        return self.inner.write(lambda tx: work(Traced(tx, self.run)))

    def read(self, work: Callable[[Transaction], T], /) -> T:
        return self.inner.read(lambda tx: work(Traced(tx, self.run)))

    def close(self) -> None:
        self.inner.close()


def everything(database: Database) -> Run:
    """Runs a life in which every statement is needed, and returns what was run."""
    run: Run = set()
    with SqlLedger(TracedDatabase(database, run)) as ledger:
        ledger.bind(PSP)
        window = Window(NOW_SECONDS - 60, NOW_SECONDS + 60, "2026-02-06")
        limits = [
            limit(20_000),
            Limit("ext.quota.day", 9_000, "period_amount_exceeded", window=window),
            Limit("ext.quota~600", 9_000, "period_amount_exceeded", sliding_seconds=600, since=NOW_SECONDS - 600),
        ]
        one = reserve(ledger, 1, mandate(1), limits, NOW_SECONDS)
        assert one.charge is not None
        assert reserve(ledger, 1, mandate(1), limits, NOW_SECONDS).replayed
        reserve(ledger, 2, mandate(1), limits, NOW_SECONDS, amount=9_001)  # a recorded refusal
        assert reserve(ledger, 2, mandate(1), limits, NOW_SECONDS, amount=9_001).replayed
        ledger.capture(one.charge.id, 100, NOW_SECONDS, MAKE_RECEIPT, capture_no="S-1")
        ledger.capture(one.charge.id, 100, NOW_SECONDS, MAKE_RECEIPT, capture_no="S-1")
        ledger.capture(one.charge.id, 50, NOW_SECONDS, MAKE_RECEIPT)
        ledger.capture(one.charge.id, 50, NOW_SECONDS, MAKE_RECEIPT)
        ledger.refund(one.charge.id, 10, "R-1", NOW_SECONDS, MAKE_RECEIPT)
        ledger.refund(one.charge.id, 10, "R-1", NOW_SECONDS, MAKE_RECEIPT)
        two = reserve(ledger, 3, mandate(1), limits, NOW_SECONDS)
        assert two.charge is not None
        for _ in range(2):
            ledger.void(two.charge.id, NOW_SECONDS, MAKE_RECEIPT)
        assert reserve(ledger, 3, mandate(1), limits, NOW_SECONDS).replayed  # the receipt of its end
        ended = NOW_SECONDS - HOLD_SECONDS
        for number in (4, 5, 6):
            reserve(ledger, number, mandate(number), limits, ended)
        reserve(ledger, 14, mandate(4), limits, NOW_SECONDS)  # closes its mandate's first
        with pytest.raises(Refused):
            reserve(ledger, 7, mandate(1), limits, NOW_SECONDS, order_no="T-0014")
        ledger.status(mandate(5).key, NOW_SECONDS)
        payment = SimpleNamespace(
            pinned_before=None,
            request=SimpleNamespace(payee="x", order_no="y", amount=SimpleNamespace(minor=1)),
            chain=SimpleNamespace(links=()),
        )
        ledger.foresee(mandate(5), cast(Any, payment), tuple(limits), NOW_SECONDS)
        reserve(ledger, 8, mandate(1), limits, NOW_SECONDS, order_no="T-0005")  # closes another mandate's
        ledger.expire(NOW_SECONDS, 10, MAKE_RECEIPT)
        record = replace(mandate(9), on_revoke="void")
        reserve(ledger, 9, record, limits, NOW_SECONDS)
        for _ in range(2):
            ledger.revoke(record, NOW_SECONDS, MAKE_RECEIPT)
        instruct(ledger, two.charge.id)
        succeed(ledger)
        ledger.receipts(mandate(1).key)
        ledger.charge(one.charge.id)
        ledger.find(reservation(1).request, reservation(1).request_identity)
        assert ledger.audit().disagreements == []
    return run


def instruct(ledger: SqlLedger, charge_id: str) -> None:
    """What instructions do, about a mandate whose holds are voided, a link below it, and a charge."""
    of = replace(mandate(10), on_revoke="void")
    reserve(ledger, 10, of, [limit(20_000)], NOW_SECONDS)
    link = LinkRecord("link", digest("link"), AGENT)
    suspend, resume, revoke = LifecycleAction
    for number, links, action in ((1, (), suspend), (2, (), resume), (3, (link,), suspend), (4, (link,), revoke)):
        for _ in range(2):
            ledger.change(of, links, action, cause(number), NOW_SECONDS, MAKE_RECEIPT)
    by_payee = cause(5, Causer.PAYEE)
    ledger.void(charge_id, NOW_SECONDS, MAKE_RECEIPT, cause=by_payee)
    assert ledger.find_instruction(charge_id, by_payee)


def succeed(ledger: SqlLedger) -> None:
    """What replacing a mandate does, twice: a limit that is new, one that is gone, a window that is counted anew."""
    window = Window(NOW_SECONDS - 10, NOW_SECONDS + 10, "2026-02-06")
    day = Limit("ext.quota.day@2026-02-06", 9_000, "period_amount_exceeded", window=window)
    slides = Limit("ext.quota~60", 9_000, "period_amount_exceeded", sliding_seconds=60, since=NOW_SECONDS - 60)
    terms = ((limit(20_000), slides), (limit(20_000), day), (day, slides))
    line: list[MandateRecord] = []
    for place, limits in enumerate(terms):
        before = line[-1].identity if line else None
        line.append(replace(mandate(21 + 2 * place), supersedes=before, own_limits=partial(_given, limits)))
        ledger.register(line[-1], NOW_SECONDS, MAKE_RECEIPT)
        reserve(ledger, 30 + place, line[-1], list(limits), NOW_SECONDS)
    ledger.register(line[-1], NOW_SECONDS, MAKE_RECEIPT)
    reserve(ledger, 40, line[0], [limit(20_000)], NOW_SECONDS)
    for each in (line[1], line[-1]):
        ledger.status(each.key, NOW_SECONDS)
    ledger.revoke(replace(mandate(27), supersedes=digest("unseen")), NOW_SECONDS, MAKE_RECEIPT)


def _given(limits: tuple[Limit, ...], at: int) -> tuple[Limit, ...]:
    return limits


def reserve(
    ledger: SqlLedger, number: int, record: MandateRecord, limits: list[Limit], at: int, amount: int = 1_800, **more: Any
) -> Outcome:
    asked = reservation(number, amount, of=record, limits=limits, at=at, **more)
    linked = replace(cast(Any, asked), links=(LinkRecord("link", digest("link"), AGENT),))
    return ledger.reserve(cast(ReservationRequest, linked), record, MAKE_RECEIPT)


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return everything(FileDatabase(tmp_path_factory.mktemp("statements") / "ledger.db", create=True))


@pytest.fixture(scope="module")
def schema(postgres: PostgresServer) -> SchemaPlace:
    return SchemaPlace(postgres)


@pytest.fixture(scope="module")
def on_postgres(schema: SchemaPlace) -> Run:
    return everything(PostgresDatabase(schema.address, schema.schema, create=True, connections=2))


def texts(run: Run) -> set[str]:
    return {statement for _, _, statement in run}


def call_sites() -> set[tuple[str, int, int]]:
    """Every call of `execute` and `executemany` in the shared rooms: file, first line, last line."""
    return {
        (path.name, node.lineno, node.end_lineno or node.lineno)
        for path in ROOMS.glob("*.py")
        if path.name not in SQLITE_ONLY
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in {"execute", "executemany"}
    }


def test_every_call_was_traced(on_sqlite: Run, on_postgres: Run) -> None:
    """Otherwise the tests below would say nothing of the statements that were never run."""
    sites = call_sites()
    assert len(sites) > 30
    for run in (on_sqlite, on_postgres):
        found = {(name, line) for name, line, _ in run}
        assert {site for site in sites if not any((site[0], line) in found for line in range(site[1], site[2] + 1))} == set()


def test_both_stores_run_the_same_but_for_locks(on_sqlite: Run, on_postgres: Run) -> None:
    assert {re.sub(r" FOR (NO KEY )?UPDATE OF \w+$", "", each) for each in texts(on_postgres)} == texts(on_sqlite)


def test_nothing_is_one_dialects_own(on_sqlite: Run) -> None:
    for statement in texts(on_sqlite):
        assert FORBIDDEN.search(bare(statement)) is None, statement
        assert {each.upper() for each in calls(statement)} <= FUNCTIONS, statement


def bare(statement: str) -> str:
    """Without what stands in quotes."""
    return re.sub(r"'[^']*'", "''", statement)


def calls(statement: str) -> list[str]:
    """What is called: a name before a parenthesis that is no table's with its columns, and no keyword."""
    text = re.sub(
        r"(INSERT INTO \w+|ON CONFLICT|VALUES|\bIN|\bAND|\bOR|\bNOT|\bAS|\bFROM|\bWHERE)\s*\(", "; (", bare(statement)
    )
    return re.findall(r"(\w+)\s*\(", text)


@pytest.mark.parametrize(
    "statement",
    ["SELECT a / 2", "SELECT nextval('x')", "SELECT a::bigint", "INSERT OR REPLACE INTO x VALUES (1)", "SELECT pg_sleep(1)"],
)
def test_what_must_not_stand_there_is_found(statement: str) -> None:
    assert FORBIDDEN.search(bare(statement))


def test_what_is_called_is_found() -> None:
    assert calls("INSERT INTO x (a) VALUES (ifnull(1, 2)) ON CONFLICT (a) DO NOTHING") == ["ifnull"]


def test_postgresql_prepares_every_statement(on_sqlite: Run, on_postgres: Run, schema: SchemaPlace) -> None:
    with schema.connect() as connection:
        for number, statement in enumerate(sorted(texts(on_sqlite) | texts(on_postgres))):
            parts = statement.split("?")
            numbered = "".join(f"{part}${at}" for at, part in enumerate(parts[:-1], 1)) + parts[-1]
            connection.execute(f"PREPARE s{number} AS {numbered}".encode())


def test_sqlite_explains_every_statement(on_sqlite: Run) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(SCHEMA)
        for statement in texts(on_sqlite):
            connection.execute(f"EXPLAIN {statement}", [None] * statement.count("?"))


def test_no_statement_about_something_reads_a_whole_table(on_sqlite: Run) -> None:
    """With a million payments each of these would take seconds, and an audit asks some of them for each mandate."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(SCHEMA)
        for statement in texts(on_sqlite):
            if "?" not in statement or "first_hold_end <= ?" in statement:  # what is due is sought among all mandates
                continue
            values = [None] * statement.count("?")
            plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
            assert not [step for step in plan if step.startswith("SCAN")], (statement, plan)
            if "mandate = ?" in statement:
                assert not [step for step in plan if step.endswith("(account=?)")], (statement, plan)


def test_the_schema_draws_nothing_from_a_sequence_and_takes_no_advisory_lock() -> None:
    """An engine that divides a ledger has no cheap sequence, and a lock that is no row's would not be where the row is."""
    written = "\n".join(script for scripts in postgres_schema.MIGRATIONS for script in scripts)
    code = re.sub(r"E?'[^']*'|--[^\n]*", "''", written)
    forbidden = r"\b(nextval|serial|bigserial|generated|advisory\w*|pg_advisory\w*|listen|notify)\b|/"
    assert re.search(forbidden, code, re.IGNORECASE) is None
    assert "FOR UPDATE" in code


def test_keys_lead_with_the_account() -> None:
    """What belongs to a mandate is found by its funding account first; a ledger has one row, an account is its own key."""
    written = "\n".join(script for scripts in postgres_schema.MIGRATIONS for script in scripts)
    tables = dict(re.findall(r"CREATE TABLE (\w+) \((.*?)\n\)", written, re.DOTALL))
    keys = {name: re.findall(r"(?:PRIMARY KEY|UNIQUE) \((\w+)", body) for name, body in tables.items()}
    assert {name for name, leads in keys.items() if leads and set(leads) == {"account"}} == set(tables) - {"ledger", "account"}

"""No reservation commits after a revocation, whoever is paused where: two processes, and a lock holder that stops or dies."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from act.stores.sql.ledger import SqlLedger
from tests.support.fold import audit
from tests.support.places import Place, SchemaPlace
from tests.support.postgres import PostgresServer
from tests.support.rivals import REVOKED, Rival, reserve, revoke
from tests.support.world import PSP

KINDS = "SELECT kind FROM entry WHERE sequence > 1 ORDER BY sequence"


@pytest.fixture
def ledger(place: Place) -> Iterator[SqlLedger]:
    """A ledger with one mandate that was used once."""
    with place.open() as ledger:
        ledger.bind(PSP)
        assert reserve(ledger, 1, 1)[0] == "reserved"
        yield ledger
    audit(place)


@pytest.fixture
def rivals(ledger: SqlLedger, place: Place) -> Iterator[tuple[Rival, Rival]]:
    with Rival(place) as one, Rival(place) as other:
        yield one, other


def kinds(place: Place) -> list[str]:
    """What happened after the first reservation, in the order of the entries."""
    return [kind for (kind,) in place.rows(KINDS)]


def test_a_revocation_waits_for_the_reservation_that_was_first(
    ledger: SqlLedger, place: Place, rivals: tuple[Rival, Rival]
) -> None:
    one, other = rivals
    one.ask("reserve", 2, 1, pause=True)
    assert one.hear() == "inside"
    one.signal(signal.SIGSTOP)
    one.go_on()
    other.ask("revoke", 1)
    assert other.is_silent()
    one.signal(signal.SIGCONT)
    assert one.hear()[0] == "reserved"
    assert other.hear()[0] == "revoked"
    assert reserve(ledger, 3, 1)[0] == REVOKED
    assert kinds(place) == ["RESERVED", "REVOKED", "REFUSED"]


def test_a_reservation_waits_for_the_revocation_that_was_first(
    ledger: SqlLedger, place: Place, rivals: tuple[Rival, Rival]
) -> None:
    one, other = rivals
    one.ask("revoke", 1, pause=True)
    assert one.hear() == "inside"
    one.signal(signal.SIGSTOP)
    one.go_on()
    other.ask("reserve", 2, 1)
    assert other.is_silent()
    one.signal(signal.SIGCONT)
    assert one.hear()[0] == "revoked"
    assert other.hear()[0] == REVOKED
    assert kinds(place) == ["REVOKED", "REFUSED"]


@pytest.mark.parametrize("what, left", [("reserve", "REVOKED"), ("revoke", "RESERVED")])
def test_a_lock_holder_that_dies_has_done_nothing(
    ledger: SqlLedger, place: Place, rivals: tuple[Rival, Rival], what: str, left: str
) -> None:
    one, other = rivals
    one.ask(what, *((2, 1) if what == "reserve" else (1,)), pause=True)
    assert one.hear() == "inside"
    other.ask(*(("revoke", 1) if what == "reserve" else ("reserve", 3, 1)))
    assert other.is_silent()
    one.signal(signal.SIGKILL)
    assert other.hear()[0] == left.lower()
    assert kinds(place) == [left]


@pytest.mark.parametrize("rounds", [5, pytest.param(300, marks=pytest.mark.slow)])
def test_whoever_asks_after_the_answer_is_refused(place: Place, rounds: int) -> None:
    draw = random.Random(12)
    overlapped = 0
    with place.open() as ledger, Rival(place) as one, Rival(place) as other:
        ledger.bind(PSP)
        for of in range(1, rounds + 1):
            reserve(ledger, of << 32, of)
            one.ask("repeat", (of << 32) + 1, of)
            other.ask("repeat", (of << 32) + (1 << 20), of)
            for _ in range(draw.randrange(100_000)):  # some transactions' time
                pass
            assert revoke(ledger, of)[0] == "revoked"
            answered_at = time.monotonic_ns()
            assert reserve(ledger, (of << 32) + (1 << 21), of)[0] == REVOKED
            answers = one.hear() + other.hear()
            assert all(asked_at < answered_at for code, asked_at in answers if code == "reserved")
            assert {code for code, asked_at in answers if asked_at > answered_at} <= {REVOKED}
            overlapped += any(code == "reserved" for code, _ in answers)
    assert overlapped
    found = audit(place)  # which would find a reservation behind the revocation
    assert found.entries["REVOKED"] == rounds


# --- where the database itself reserves ---------------------------------------------------------------------------------------


@pytest.fixture
def schema(postgres: PostgresServer) -> SchemaPlace:
    place = SchemaPlace(postgres)
    with place.open() as ledger:
        ledger.bind(PSP)
        assert reserve(ledger, 1, 1)[0] == "reserved"
    return place


@pytest.mark.parametrize("first", ["reserve", "revoke"])
def test_who_waits_for_the_mandates_row_comes_in_turn(schema: SchemaPlace, first: str) -> None:
    """The function waits for the row, and looks at nothing before it has it: a revocation that was first is seen."""
    with schema.open() as one, schema.open() as other, schema.connect() as keeper, ThreadPoolExecutor(2) as threads:
        assert one.owner() == other.owner() == PSP
        keeper.execute("BEGIN")
        keeper.execute("SELECT FROM mandate FOR UPDATE")
        calls = [lambda: reserve(one, 2, 1), lambda: revoke(other, 1)]
        waiting = []
        for call in calls if first == "reserve" else reversed(calls):
            waiting.append(threads.submit(call))
            schema.until_waiting(len(waiting))
        keeper.execute("ROLLBACK")
        came_out = [each.result()[0] for each in waiting]
    assert came_out == (["reserved", "revoked"] if first == "reserve" else ["revoked", REVOKED])
    assert kinds(schema) == (["RESERVED", "REVOKED"] if first == "reserve" else ["REVOKED", "REFUSED"])
    audit(schema)


def test_a_revocation_waits_for_a_reservation_that_the_database_is_writing(schema: SchemaPlace) -> None:
    """The function stops between its checks and its entry, and holds the mandate's row meanwhile."""
    schema.write("CREATE TABLE gate (open SMALLINT); INSERT INTO gate VALUES (1)")
    schema.write(
        "CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM FROM gate FOR UPDATE; RETURN NEW; END $$;"
        "CREATE TRIGGER pass BEFORE INSERT ON charge FOR EACH ROW EXECUTE FUNCTION pass()"
    )
    with schema.open() as one, schema.open() as other, schema.connect() as keeper, ThreadPoolExecutor(2) as threads:
        assert one.owner() == other.owner() == PSP
        keeper.execute("BEGIN")
        keeper.execute("SELECT FROM gate FOR UPDATE")
        reserving = threads.submit(reserve, one, 2, 1)
        schema.until_waiting(1)
        revoking = threads.submit(revoke, other, 1)
        schema.until_waiting(2)
        keeper.execute("ROLLBACK")
        assert reserving.result()[0] == "reserved"
        assert revoking.result()[0] == "revoked"
        assert reserve(one, 3, 1)[0] == REVOKED
    assert kinds(schema) == ["RESERVED", "REVOKED", "REFUSED"]
    audit(schema)

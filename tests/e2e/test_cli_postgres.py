"""The command on a ledger in PostgreSQL: the same commands say the same, and whatever is wrong with the server is one line."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

import act
from tests.support.command import AT, Desk, Done, one_line
from tests.support.fold import audit
from tests.support.places import SchemaPlace
from tests.support.postgres import PostgresServer
from tests.support.world import NOW, PSP, key

PARTIES = ("--parties", "parties.json")
SECRET = "s3cret-pass"


@pytest.fixture
def schema(postgres: PostgresServer) -> Iterator[SchemaPlace]:
    """A schema that agrees when the test is done, and is forgotten then."""
    place = SchemaPlace(postgres)
    yield place
    audit(place)
    place.drop()


@pytest.fixture
def desk(tmp_path: Path, schema: SchemaPlace) -> Desk:
    return Desk(tmp_path / "desk", ledger=schema.url)


def held(desk: Desk) -> str:
    """The id of a charge of 18.00 that is held."""
    done = desk.authorize("payment.cbor", "--json")
    assert done.code == 0, done.err
    return str(done.document["charge"]["id"])


def second(desk: Desk) -> str:
    """Another payment under the desk's mandate."""
    return desk.write("second.cbor", desk.world.payment(iac=desk.mandate).to_bytes())


# --- the life of a charge ------------------------------------------------------------------------------------------------


def test_processes_pay_capture_refund_and_revoke(desk: Desk) -> None:
    options = (*desk.service_options, "--json")
    done = desk.spawn("authorize", "payment.cbor", *options, "--at", AT, "--receipt-out", "r.cbor")
    assert (done.code, done.document["ledger_created"]) == (0, True), done.err
    charge = done.document["charge"]["id"]
    checked = desk.spawn("verify", "r.cbor", "--order", "order.cbor", *PARTIES, "--at", AT)
    assert checked.code == 0, checked.err
    again = desk.authorize("payment.cbor", "--json")
    assert (again.document["replayed"], again.document["ledger_created"]) == (True, False)
    late = desk.spawn("capture", charge, "15.00", *options)  # today, when the hold has long ended
    assert (late.code, late.document["code"]) == (1, "hold_expired")
    with contextlib.closing(act.open_ledger(desk.ledger)) as ledger:  # the command's own clock is today's
        service = act.PaymentService(PSP, parties=desk.world.parties, ledger=ledger, signer=key(PSP), clock=lambda: NOW)
        service.capture(charge, act.Amount.parse("15.00", "CNY"))
    done = desk.call("refund", charge, "4.00", "--refund-no", "R-1", *options)
    assert (done.code, done.document["charge"]["refunded"]) == (0, "4.00")
    assert desk.spawn("revoke", "mandate.cbor", *options).code == 0
    refused = desk.authorize(second(desk), "--json")
    assert (refused.code, refused.document["code"]) == (1, "credential_revoked")


def test_void_releases_and_frees_the_order(desk: Desk) -> None:
    charge = held(desk)
    for replayed in (False, True):
        done = desk.call("void", charge, *desk.service_options, "--json")
        assert (done.code, done.document["replayed"], done.document["charge"]["state"]) == (0, replayed, "VOIDED")
    unknown = desk.call("void", "ch_none", *desk.service_options)
    assert unknown.code == 1
    assert "charge_unknown" in unknown.err


def test_the_sweep_closes_what_has_ended(desk: Desk) -> None:
    charge = held(desk)
    done = desk.call("ledger", "expire", *desk.service_options, "--json")
    assert [(each["id"], each["state"]) for each in done.document["charges"]] == [(charge, "EXPIRED")]


def test_status_statement_and_check_say_what_they_say_of_a_file(desk: Desk, tmp_path: Path) -> None:
    """One world, two ledgers: but for ids and what is drawn at random, every answer is the same."""
    file = Desk(tmp_path / "file", desk.world)
    for each in (desk, file):
        for name in ("mandate.cbor", "payment.cbor"):
            each.write(name, (desk.folder / name).read_bytes())
    answers = []
    for each in (desk, file):
        charge = held(each)
        where = ("--ledger", each.ledger)
        shown = [
            each.call("status", "mandate.cbor", *where, *PARTIES, "--at", AT),
            each.call("statement", "mandate.cbor", *where, *PARTIES),
            each.call("ledger", "check", each.ledger),
            each.call("ledger", "check", each.ledger, "--json"),
        ]
        assert [done.code for done in shown] == [0] * 4, [done.err for done in shown]
        answers.append([done.out.replace(charge, "CHARGE").replace(charge[-8:], "CHARGE") for done in shown])
    assert answers[0] == answers[1]
    assert answers[0][2].startswith(" AGREES\n")


def test_check_finds_what_was_changed(tmp_path: Path, postgres: PostgresServer) -> None:
    place = SchemaPlace(postgres)
    desk = Desk(tmp_path / "desk", ledger=place.url)
    held(desk)
    place.write("UPDATE counter SET held = held - 1")
    done = desk.call("ledger", "check", desk.ledger)
    assert done.code == 1
    assert done.out.startswith(" DISAGREES\n")
    place.drop()


def test_both_schemes_and_the_usual_schema(tmp_path: Path, postgres: PostgresServer) -> None:
    url = postgres.url("x").partition("&schema=")[0].replace("postgresql://", "postgres://")
    desk = Desk(tmp_path / "desk", ledger=url)
    held(desk)
    assert desk.call("ledger", "check", postgres.url("act")).code == 0
    with psycopg.connect(postgres.address) as connection:
        connection.execute("DROP SCHEMA act CASCADE")


@pytest.mark.parametrize("name", ['a b"c', "back\\slash", "müller", "x" * 63, "a,b"])
def test_any_printable_name_is_a_schema(tmp_path: Path, postgres: PostgresServer, name: str) -> None:
    desk = Desk(tmp_path / "desk", ledger=postgres.url(quote(name)))
    held(desk)
    with psycopg.connect(postgres.address) as connection:
        found = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname = %s", (name,)).fetchone()
        assert found == (name,)
        connection.execute(psycopg.sql.SQL("DROP SCHEMA {} CASCADE").format(psycopg.sql.Identifier(name)))


# --- what is wrong with the address or the server --------------------------------------------------------------------


def commands(desk: Desk, ledger: str) -> Iterator[Done]:
    """Every kind of command on a ledger."""
    options = ("--ledger", ledger, "--ledger-id", PSP, "--key", "psp.pem", *PARTIES)
    yield desk.call("authorize", "payment.cbor", *options, "--at", AT)
    yield from existing_only(desk, ledger)


def existing_only(desk: Desk, ledger: str) -> Iterator[Done]:
    """Every kind of command that makes no ledger."""
    options = ("--ledger", ledger, "--ledger-id", PSP, "--key", "psp.pem", *PARTIES)
    yield desk.call("capture", "ch_1", "--all", *options)
    yield desk.call("void", "ch_1", *options)
    yield desk.call("refund", "ch_1", "--all", "--refund-no", "R", *options)
    yield desk.call("revoke", "mandate.cbor", *options)
    yield desk.call("ledger", "expire", *options)
    yield desk.call("status", "mandate.cbor", "--ledger", ledger, *PARTIES, "--at", AT)
    yield desk.call("statement", "mandate.cbor", "--ledger", ledger, *PARTIES)
    yield desk.call("ledger", "check", ledger)


def test_a_server_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "desk")
    nowhere = (
        f"postgresql://act:{SECRET}@127.0.0.1:1/db?schema=a",
        f"postgresql://act:{SECRET}@host.invalid/db",
        f"postgresql://act:{SECRET}@/db?host={tmp_path}/none",
    )
    for ledger in nowhere:
        for done in commands(desk, ledger):
            assert done.code == 3, (ledger, done)
            said = one_line(done)
            assert "error: store_unavailable" in said
            assert SECRET not in said
    assert not (desk.folder / "ledger.db").exists()


@pytest.mark.parametrize(
    "ledger",
    [
        f"postgresql://act:{SECRET}%@h/db",
        f"postgresql://act:{SECRET}/x@h/db",
        f"postgresql://act:12/{SECRET}@h/db",
        f"postgresql://act:x@{SECRET}@h/db",
        f"postgresql://act:{SECRET}@h/db?nosuch=1",
        f"postgresql://act:{SECRET}@h:port/db",
        f"PostgreSQL://act:{SECRET}@h/db",
        f"postgresql://act:{SECRET}@h/db?schema=a&schema=b",
        f"postgresql://act:{SECRET}@h/db?schema=",
        f"postgresql://act:{SECRET}@h/db?schema=pg_x",
        f"postgresql://act:{SECRET}@h/db?schema=" + "x" * 64,
        f"postgresql://act:{SECRET}@h/db?schema=a%00b",
    ],
)
def test_what_is_no_address_is_a_wrong_command_line_that_shows_no_password(tmp_path: Path, ledger: str) -> None:
    desk = Desk(tmp_path / "desk")
    for done in commands(desk, ledger):
        assert done.code == 2, done
        assert SECRET not in one_line(done)


def test_a_wrong_password_is_one_line_that_does_not_show_it(desk: Desk, schema: SchemaPlace, postgres: PostgresServer) -> None:
    held(desk)
    role = "DO $$ BEGIN CREATE ROLE guarded LOGIN PASSWORD 'right'; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
    schema.write(role)
    before = schema.snapshot()
    for done in commands(desk, postgres.url(schema.schema, f"guarded:{SECRET}")):
        assert done.code == 3
        said = one_line(done)
        assert "password authentication failed" in said
        assert SECRET not in said
    assert schema.snapshot() == before


def test_only_authorize_makes_a_schema(tmp_path: Path, postgres: PostgresServer) -> None:
    desk = Desk(tmp_path / "desk", ledger=postgres.url("none"))
    for done in existing_only(desk, desk.ledger):
        assert done.code == 3
        assert "there is no such ledger" in one_line(done)
    with psycopg.connect(postgres.address) as connection:
        assert connection.execute("SELECT FROM pg_namespace WHERE nspname = 'none'").fetchone() is None


def test_a_server_that_stopped_is_one_line_and_nothing_is_half_written(tmp_path: Path) -> None:
    server = PostgresServer()
    try:
        place = SchemaPlace(server)
        desk = Desk(tmp_path / "desk", ledger=place.url)
        charge = held(desk)
        before = place.snapshot()
        server.kill()
        for done in commands(desk, desk.ledger):
            assert done.code == 3
            assert "error: store_unavailable" in one_line(done)
        server.start()
        assert place.snapshot() == before
        assert desk.call("void", charge, *desk.service_options).code == 0
        audit(place)
    finally:
        server.stop()


def test_a_ledger_of_another_service_is_refused(desk: Desk) -> None:
    held(desk)
    options = ("--ledger", desk.ledger, "--ledger-id", "psp-2", "--key", "psp.pem", *PARTIES)
    done = desk.call("ledger", "expire", *options)
    assert done.code != 0
    assert desk.call("statement", "mandate.cbor", "--ledger", desk.ledger, *PARTIES).code == 0


def test_without_the_extra_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("act.stores.postgres")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    desk = Desk(tmp_path / "desk")
    for done in commands(desk, f"postgresql://act:{SECRET}@h/db"):
        assert done.code == 3
        said = one_line(done)
        assert "agentic-commerce-trust[postgres]" in said
        assert SECRET not in said
    assert held(desk)


def test_a_file_needs_no_psycopg() -> None:
    code = "import sys, act; act.open_ledger('/nonexistent.db', create=True).close(); sys.exit('psycopg' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0

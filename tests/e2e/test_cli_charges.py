"""The command on what becomes of a charge: parts, refunds, ended holds, the statement of a mandate, the check of a ledger."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

import act
from act.payment.charge import HOLD_SECONDS
from tests.support.command import AT, Desk, Done, one_line
from tests.support.fold import audit
from tests.support.world import NOW, PSP, key, nothing_moves

PARTIES = ("--parties", "parties.json")
LEDGER = ("--ledger", "ledger.db")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "desk")
    yield desk
    if (desk.folder / "ledger.db").exists():
        audit(desk.folder / "ledger.db")


def held(desk: Desk) -> str:
    """The id of a charge of 18.00 that is held."""
    done = desk.authorize("payment.cbor", "--json")
    assert done.code == 0, done.err
    return str(done.document["charge"]["id"])


def service_at(desk: Desk, seconds: int = 0) -> act.PaymentService:
    """The payment service in this process, so many seconds after the desk's instant: the command's own clock is today's."""
    ledger = act.SqliteLedger(desk.folder / "ledger.db")
    clock = lambda: NOW + timedelta(seconds=seconds)  # noqa: E731 - one expression with a name
    return act.PaymentService(PSP, parties=desk.world.parties, ledger=ledger, signer=key(PSP), clock=clock)


def yuan(text: str) -> act.Amount:
    return act.Amount.parse(text, "CNY")


def captured(desk: Desk) -> str:
    """A charge of which 5.00 and then 10.00 of 18.00 were captured."""
    charge, service = held(desk), service_at(desk)
    service.capture(charge, yuan("5.00"), capture_no="S-1")
    service.capture(charge, yuan("10.00"))
    return charge


def refund(desk: Desk, *arguments: str) -> Done:
    return desk.call("refund", *arguments, *desk.service_options)


# --- captures in parts -------------------------------------------------------------------------------------------------


def test_a_part_again_says_the_same(desk: Desk) -> None:
    charge = captured(desk)
    with nothing_moves(desk.folder / "ledger.db"):
        again = desk.call("capture", charge, "5.00", "--part", "S-1", *desk.service_options, "--json")
        assert (again.code, again.document["replayed"], again.document["charge"]["captured"]) == (0, True, "15.00")
        other = desk.call("capture", charge, "6.00", "--part", "S-1", *desk.service_options)
    assert other.code == 1
    assert other.err.startswith("error: duplicate_capture: ")
    assert "recorded CNY 5.00, asked CNY 6.00" in other.err


def test_a_part_must_have_a_printable_number(desk: Desk) -> None:
    charge = held(desk)
    with nothing_moves(desk.folder / "ledger.db"):
        assert desk.call("capture", charge, "5.00", "--part", "", *desk.service_options).code == 2


# --- refunds -----------------------------------------------------------------------------------------------------------


def test_a_refund_is_reported_with_its_receipt(desk: Desk) -> None:
    charge = captured(desk)
    done = refund(desk, charge, "4.00", "--refund-no", "R-1", "--receipt-out", "r.cbor", "--json")
    assert done.code == 0, done.err
    shown = done.document["charge"]
    assert (shown["state"], shown["captured"], shown["refunded"]) == ("CAPTURED", "15.00", "4.00")
    receipt = desk.call("inspect", "r.cbor", "--json").document["receipt"]
    assert (receipt["state"], receipt["amount"], receipt["refund_no"]) == ("REFUNDED", "4.00", "R-1")
    with nothing_moves(desk.folder / "ledger.db"):
        again = refund(desk, charge, "4.00", "--refund-no", "R-1", "--json")
        assert (again.code, again.document["replayed"]) == (0, True)
        refused = refund(desk, charge, "11.01", "--refund-no", "R-2")
    assert refused.code == 1
    assert "left CNY 11.00, asked CNY 11.01" in refused.err
    rest = refund(desk, charge, "--all", "--refund-no", "R-2", "--json")
    assert rest.document["charge"]["refunded"] == "15.00"
    table = desk.call("status", "mandate.cbor", *LEDGER, *PARTIES, "--at", AT).out
    assert "15.00/18.00 -15.00" in table


UNCLEAR = [("18.00",), ("18.00", "--all", "--refund-no", "R"), ("--refund-no", "R"), ("x", "--refund-no", "R")]


@pytest.mark.parametrize("arguments", UNCLEAR)
def test_a_refund_that_is_not_clear_is_a_wrong_command_line(desk: Desk, arguments: tuple[str, ...]) -> None:
    charge = captured(desk)
    with nothing_moves(desk.folder / "ledger.db"):
        assert refund(desk, charge, *arguments).code == 2


# --- holds that have ended -----------------------------------------------------------------------------------------------


def test_the_sweep_closes_what_has_ended(desk: Desk) -> None:
    charge = held(desk)
    future = desk.call("ledger", "expire", *desk.service_options, "--at", "2999-01-01T00:00:00Z")
    assert future.code == 2
    stranger = desk.call("ledger", "expire", *LEDGER, "--ledger-id", PSP, "--key", "thief.pem", *PARTIES)
    assert stranger.code == 2
    assert "--key thief.pem" in one_line(stranger)
    early = desk.call("ledger", "expire", *desk.service_options, "--at", AT, "--json")
    assert (early.code, early.document["charges"]) == (0, [])
    done = desk.call("ledger", "expire", *desk.service_options, "--json")
    assert done.code == 0, done.err
    assert [(each["id"], each["state"]) for each in done.document["charges"]] == [(charge, "EXPIRED")]
    assert "0 holds had ended" in desk.call("ledger", "expire", *desk.service_options).out
    again = desk.authorize("payment.cbor", "--json")
    assert (again.code, again.document["code"]) == (1, "charge_closed")


def test_the_status_leaves_ended_holds_out_and_says_so_at_any_instant(desk: Desk) -> None:
    held(desk)
    late = (NOW + timedelta(seconds=HOLD_SECONDS)).strftime("%Y-%m-%dT%H:%M:%SZ")
    with nothing_moves(desk.folder / "ledger.db"):
        for at, amount, state in ((AT, "18.00", "HELD"), (late, "0.00", "EXPIRED")):
            document = desk.call("status", "mandate.cbor", *LEDGER, *PARTIES, "--at", at, "--json").document
            assert (document["limits"][0]["held"], document["charges"][0]["state"]) == (amount, state)


# --- statement -----------------------------------------------------------------------------------------------------------


def test_a_statement_says_everything_that_happened(desk: Desk) -> None:
    charge = captured(desk)
    refund(desk, charge, "4.00", "--refund-no", "R-1")
    desk.call("revoke", "mandate.cbor", *desk.service_options)
    desk.write("second.cbor", desk.world.payment(iac=desk.mandate).to_bytes())
    desk.authorize("second.cbor")
    with nothing_moves(desk.folder / "ledger.db"):
        done = desk.call("statement", "mandate.cbor", *LEDGER, *PARTIES)
        document = desk.call("statement", "mandate.cbor", *LEDGER, *PARTIES, "--json").document
    assert done.code == 0, done.err
    assert [each["state"] for each in document["entries"]] == [
        "RESERVED", "PARTIALLY_CAPTURED", "CAPTURED", "REFUNDED", "REVOKED", "REFUSED",
    ]  # fmt: skip
    assert [each["sequence"] for each in document["entries"]] == [1, 2, 3, 4, 5, 6]
    lines = done.out.splitlines()
    assert lines[0].startswith("6 entries of mandate ")
    shown = [line.split()[1] for line in lines if line.startswith("20")]
    assert shown == [each["state"] for each in document["entries"]]
    assert "credential_revoked" in done.out
    assert "S-1" in done.out
    assert max(map(len, lines)) <= 80


def test_a_statement_of_an_unused_mandate_is_empty(desk: Desk) -> None:
    held(desk)
    desk.write("unused.cbor", desk.world.mint())
    done = desk.call("statement", "unused.cbor", *LEDGER, *PARTIES, "--json")
    assert (done.code, done.document["entries"]) == (0, [])


def test_a_statement_is_for_a_genuine_mandate_of_this_ledger(desk: Desk) -> None:
    held(desk)
    desk.write("bad.cbor", desk.mandate[:-1] + bytes([desk.mandate[-1] ^ 1]))
    assert desk.call("statement", "bad.cbor", *LEDGER, *PARTIES).code == 1
    assert desk.call("statement", "mandate.cbor", "--ledger", "none.db", *PARTIES).code == 3


# --- the check of a ledger -----------------------------------------------------------------------------------------------


def test_a_ledger_that_agrees_is_said_to_agree(desk: Desk) -> None:
    charge = captured(desk)
    refund(desk, charge, "4.00", "--refund-no", "R-1")
    with nothing_moves(desk.folder / "ledger.db"):
        done = desk.call("ledger", "check", "ledger.db")
        document = desk.call("ledger", "check", "ledger.db", "--json").document
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(" AGREES\n")
    assert document["charges"] == {"CAPTURED": 1}
    assert document["entries"] == {"CAPTURED": 1, "PARTIALLY_CAPTURED": 1, "REFUNDED": 1, "RESERVED": 1}
    assert (document["mandates"], document["disagreements"]) == (1, [])


def test_a_ledger_that_was_changed_is_found_out(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "desk")
    captured(desk)
    with closing(sqlite3.connect(desk.folder / "ledger.db")) as connection, connection:
        connection.execute("UPDATE counter SET captured = captured - 1")
    done = desk.call("ledger", "check", "ledger.db")
    assert done.code == 1
    assert done.out.startswith(" DISAGREES\n")
    assert "captured is" in done.out
    assert desk.call("ledger", "check", "ledger.db", "--json").document["outcome"] == "refused"


def test_what_is_no_ledger_is_no_ledger(desk: Desk) -> None:
    for name, data in (("none.db", None), ("text.db", b"not a database, and not a short one either" * 9), ("empty.db", b"")):
        if data is not None:
            desk.write(name, data)
        done = desk.call("ledger", "check", name)
        assert done.code == 3, name
        assert name in one_line(done)

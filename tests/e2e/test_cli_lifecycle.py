"""`act suspend`, `resume`, `revoke` and `instruct`: who signs, who obeys, and what is said before and after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import act
from act.payment.instruction import open_instruction
from act.payment.receipt import open_receipt
from tests.support.command import AT, Desk, Done, one_line
from tests.support.fold import audit
from tests.support.world import AGENT, PSP, SHOP, SUB_AGENT, WALLET, identity_of, key, nothing_moves

PARTIES = ("--parties", "parties.json")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A desk with a link below root.cbor, and a payment that was authorized."""
    desk = Desk(tmp_path / "desk")
    root = desk.world.mint(
        ext={"delegation": {"max_depth": 1}, **desk.world.document()["ext"]},
        validity_start_time="2026-02-06T08:00:00Z",
        validity_end_time="2099-01-06T08:00:00Z",
    )
    desk.write("root.cbor", root)
    desk.write("link.cbor", desk.world.link([root], SUB_AGENT))
    act.save_private(key(SUB_AGENT), desk.folder / "courier.pem")
    assert desk.authorize().code == 0
    return desk


def sign(desk: Desk, action: str, *arguments: str, out: str = "order.sig") -> Done:
    done = desk.call(action, *arguments, "--out", out, "--json", "--force")
    assert done.code == 0, done.err
    return done


def obey(desk: Desk, *arguments: str) -> Done:
    return desk.call("instruct", *arguments, *desk.service_options, "--receipt-out", "ack.cbor", "--force", "--json")


def status(desk: Desk, *arguments: str) -> dict[str, Any]:
    done = desk.call("status", *arguments, "--ledger", "ledger.db", *PARTIES, "--json")
    assert done.code == 0, done.err
    return done.document


def test_nothing_is_said_to_be_stopped_before_it_is_acknowledged(desk: Desk) -> None:
    done = desk.call("revoke", "root.cbor", "--key", "wallet.pem", "--reason", "phone lost", "--out", "revoke.cbor")
    assert done.code == 0
    assert f"instruction of {WALLET} to revoke the credential" in done.err
    assert f"nothing is stopped yet: without a receipt of {PSP} payments may go on until 2099-01-06T08:00:00Z" in done.err
    assert "STOPPED" not in done.out + done.err
    document = sign(desk, "revoke", "root.cbor", "--key", "wallet.pem").document
    assert (document["acknowledged"], document["goes_on_until"]) == (False, "2099-01-06T08:00:00Z")
    obeyed = desk.call("instruct", "revoke.cbor", "root.cbor", *desk.service_options, "--receipt-out", "ack.cbor")
    assert obeyed.code == 0
    assert "STOPPED  mandate" in obeyed.out
    data = desk.folder.joinpath("revoke.cbor").read_bytes()
    receipt = open_receipt(desk.folder.joinpath("ack.cbor").read_bytes()).authenticate(desk.world.parties)
    assert receipt.instruction == open_instruction(data).identity
    shown = desk.call("inspect", "ack.cbor")
    assert open_instruction(data).identity.hex() in shown.out.replace("\n", "").replace(" ", "")
    again = obey(desk, "revoke.cbor", "root.cbor")
    assert (again.code, again.document["replayed"], again.document["state"]) == (0, True, "Revoked")
    audit(desk.folder / "ledger.db")


def test_a_link_is_ended_by_its_parents_agent_and_by_its_own(desk: Desk) -> None:
    for pem, issuer in (("agent.pem", AGENT), ("courier.pem", SUB_AGENT)):
        sign(desk, "revoke", "root.cbor", "link.cbor", "--key", pem)
        assert open_instruction(desk.folder.joinpath("order.sig").read_bytes()).instruction.issuer == issuer
        done = obey(desk, "order.sig", "root.cbor", "link.cbor")
        assert (done.code, done.document["kind"], done.document["replayed"]) == (0, "REVOKED", issuer == SUB_AGENT)
    (link,) = status(desk, "root.cbor", "--link", "link.cbor")["links"]
    assert (link["state"], link["agent_id"]) == ("Revoked", SUB_AGENT)
    text = desk.call("status", "root.cbor", "--link", "link.cbor", "--ledger", "ledger.db", *PARTIES).out
    assert f"for {SUB_AGENT}: Revoked" in text
    assert f"can still spend nothing: the link for {SUB_AGENT} is Revoked" in text
    (unnamed,) = status(desk, "root.cbor")["links"]
    assert unnamed["state"] == "Revoked"


def test_who_suspended_what_is_shown(desk: Desk) -> None:
    sign(desk, "suspend", "root.cbor", "--key", "wallet.pem")
    assert obey(desk, "order.sig", "root.cbor").document["state"] == "Suspended"
    own = desk.call("suspend", "root.cbor", *desk.service_options, "--receipt-out", "own.cbor", "--json")
    assert (own.code, own.document["kind"], own.document["state"]) == (0, "SUSPENDED", "Suspended")
    assert desk.call("suspend", "root.cbor", "link.cbor", *desk.service_options).code == 0
    shown = status(desk, "root.cbor", "--link", "link.cbor", "--at", AT)
    assert (shown["state"], shown["suspended_by"]) == ("Suspended", ["principal", "risk_control"])
    assert [(each["state"], each["suspended_by"]) for each in shown["links"]] == [("Suspended", ["risk_control"])]
    text = desk.call("status", "root.cbor", "--ledger", "ledger.db", *PARTIES).out
    assert "principal and risk control" in text
    assert "Suspended by risk control" in " ".join(text.split())
    lifted = desk.call("resume", "root.cbor", *desk.service_options)
    assert "RESUMED" in lifted.out
    assert "until every suspension is lifted" in " ".join(lifted.out.split())
    with nothing_moves(desk.folder / "ledger.db"):
        again = desk.call("resume", "root.cbor", *desk.service_options)
    assert (again.code, again.err.partition(":")[2].split(":")[0].strip()) == (1, "transition_not_allowed")
    sign(desk, "resume", "root.cbor", "--key", "wallet.pem", out="resume.cbor")
    assert obey(desk, "resume.cbor", "root.cbor").document["state"] == "Active"
    assert status(desk, "root.cbor")["suspended_by"] == []


def test_a_hold_is_let_go_by_its_payees_instruction(desk: Desk) -> None:
    (charge,) = status(desk, "mandate.cbor")["charges"]
    signed = act.sign_instruction("void", signer=key(SHOP), issuer=SHOP, audience=PSP, trade_no=charge["id"])
    desk.write("void.cbor", signed)
    done = obey(desk, "void.cbor")
    assert (done.code, done.document["charge"]["state"]) == (0, "VOIDED")
    assert obey(desk, "void.cbor").document["replayed"]
    assert obey(desk, "void.cbor", "mandate.cbor").code == 2
    again = desk.call("void", "--instruction", "void.cbor", *desk.service_options, "--json")
    assert (again.code, again.document["replayed"]) == (0, True)
    with nothing_moves(desk.folder / "ledger.db"):
        for wrong in (("capture",), ("refund",), ("void", charge["id"])):
            assert desk.call(*wrong, "--instruction", "void.cbor", *desk.service_options).code == 2
        for missing in (("void",), ("refund", charge["id"], "1.00"), ("capture",)):
            assert "Missing" in one_line(desk.call(*missing, *desk.service_options))


@pytest.mark.parametrize(
    "arguments, said",
    [
        (("revoke", "root.cbor", "--key", "wallet.pem"), "Give --out FILE"),
        (("suspend", "root.cbor", "--key", "wallet.pem", "--out", "x", *PARTIES), "--parties needs --ledger"),
        (("resume", "root.cbor", "--key", "psp.pem", "--ledger", "ledger.db", *PARTIES), "Missing option '--ledger-id'"),
        (("suspend", "root.cbor", "--key", "psp.pem", "--ledger", "ledger.db", "--out", "x"), "--out and --ledger exclude"),
    ],
)
def test_each_side_says_what_it_needs(desk: Desk, arguments: tuple[str, ...], said: str) -> None:
    with nothing_moves(desk.folder / "ledger.db"):
        done = desk.call(*arguments)
    assert done.code == 2
    assert said in one_line(done)


def test_what_is_not_allowed_is_refused(desk: Desk) -> None:
    with nothing_moves(desk.folder / "ledger.db"):
        assert desk.call("revoke", "root.cbor", "link.cbor", *desk.service_options).code == 2
        sign(desk, "suspend", "root.cbor", "--key", "agent.pem")
        done = obey(desk, "order.sig", "root.cbor")
        assert (done.code, done.document["code"]) == (1, "instruction_not_allowed")
        sign(desk, "revoke", "root.cbor", "--key", "thief.pem")
        assert obey(desk, "order.sig", "root.cbor").document["code"] == "signer_unknown"
        sign(desk, "revoke", "root.cbor", "link.cbor", "--key", "agent.pem")
        assert obey(desk, "order.sig", "root.cbor").document["code"] == "instruction_mismatch"
        assert desk.call("instruct", "order.sig", *desk.service_options).code == 2
        assert desk.call("revoke", "root.cbor", "--key", "wallet.pem", "--out", "link.cbor").code == 3
    assert identity_of(desk.folder.joinpath("link.cbor").read_bytes())

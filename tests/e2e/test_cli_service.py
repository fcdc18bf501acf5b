"""The payment service's commands: which key they take, what they say when a receipt or an answer cannot be written."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import act
from act.parties import Role
from tests.support.command import AT, Desk, Done, listing, one_line, parties_document
from tests.support.world import OTHER_PSP, PSP, enrolled, key, nothing_moves

PARTIES = ("--parties", "parties.json")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "desk")


def charge_of(desk: Desk) -> str:
    """The one charge of the desk's payment, HELD."""
    return str(desk.authorize("payment.cbor", "--json").document["charge"]["id"])


# --- whose key -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["authorize", "capture", "void", "revoke"])
def test_nothing_moves_under_a_key_that_is_not_enrolled_for_the_service(desk: Desk, command: str) -> None:
    charge = charge_of(desk)
    second = desk.write("second.cbor", desk.world.payment(iac=desk.mandate).to_bytes())
    arguments = {
        "authorize": (second, "--at", AT),
        "capture": (charge, "--all"),
        "void": (charge,),
        "revoke": ("mandate.cbor",),
    }[command]
    service = ("--ledger", "ledger.db", "--ledger-id", PSP, *PARTIES)
    with nothing_moves(desk.folder / "ledger.db"):
        done = desk.call(command, *arguments, *service, "--key", "thief.pem")
        assert done.code == 2
        assert "--key thief.pem: the parties file does not enrol this key as psp for psp-1" in one_line(done)
        assert desk.call(command, *arguments, *service[:4], "--key", "psp.pem").code == 2  # without --parties


def test_a_retired_key_repeats_the_receipts_it_made(desk: Desk) -> None:
    charge = charge_of(desk)
    assert desk.call("void", charge, *desk.service_options, "--receipt-out", "r.cbor").code == 0
    act.save_private(key("new"), desk.folder / "new.pem")
    desk.world.parties.add(enrolled(PSP, Role.PSP, key_pair=key("new")))
    desk.write("parties.json", json.dumps(merged(parties_document(desk.world.parties))).encode())
    service = ("--ledger", "ledger.db", "--ledger-id", PSP, *PARTIES, "--key", "new.pem")
    for command in (("void", charge), ("authorize", "payment.cbor", "--at", AT)):
        done = desk.call(*command, *service)
        assert done.code == 2
        assert "--retired-key" in one_line(done)
        assert key(PSP).kid.hex() in done.err
    again = desk.call("void", charge, *service, "--retired-key", "psp.pem", "--receipt-out", "again.cbor", "--json")
    assert (again.code, again.document["replayed"]) == (0, True)
    assert desk.folder.joinpath("again.cbor").read_bytes() == desk.folder.joinpath("r.cbor").read_bytes()
    both = ("--retired-key", "wallet.pem", "--retired-key", "psp.pem")
    assert "charge_closed" in desk.call("authorize", "payment.cbor", "--at", AT, *service, *both).err


def test_an_encrypted_retired_key_has_the_passphrase_of_the_key(desk: Desk) -> None:
    act.save_private(key("old"), desk.folder / "old.pem", b"secret")
    desk.write("pass", b"secret\n")
    act.save_private(key(PSP), desk.folder / "locked.pem", b"secret")
    service = ("--ledger", "ledger.db", "--ledger-id", PSP, *PARTIES, "--key", "locked.pem", "--retired-key", "old.pem")
    assert desk.call("authorize", "payment.cbor", "--at", AT, *service, "--passphrase-file", "pass").code == 0
    failed = desk.call("authorize", "payment.cbor", "--at", AT, *desk.service_options, "--retired-key", "old.pem")
    assert failed.code == 3
    assert "old.pem" in one_line(failed)


def merged(document: dict[str, object]) -> dict[str, object]:
    """The parties of a document, each once with all of its keys."""
    parties: dict[str, dict[str, list[object]]] = {}
    for entry in document["parties"]:  # type: ignore[attr-defined]  # it is the list that `parties_document` made
        parties.setdefault(entry["id"], entry | {"keys": []})["keys"].extend(entry["keys"])
    return document | {"parties": list(parties.values())}


# --- a new ledger ------------------------------------------------------------------------------------------------------------


def test_a_new_ledger_is_announced_once_it_is_there(desk: Desk) -> None:
    stolen = desk.world.payment(iac=desk.mandate, signer=act.load_private(desk.folder / "thief.pem"))
    desk.write("stolen.cbor", stolen.to_bytes())
    before = listing(desk.folder)
    text, document = desk.authorize("stolen.cbor"), desk.authorize("stolen.cbor", "--json")
    assert (text.code, document.code, document.document["ledger_created"]) == (1, 1, False)
    assert "new ledger" not in text.err + document.err
    assert desk.call("authorize", "payment.cbor", *desk.service_options[:-4], "--key", "thief.pem", *PARTIES).code == 2
    assert listing(desk.folder) == before
    for created in (True, False):
        done = desk.authorize("payment.cbor", "--json")
        assert (done.code, done.document["ledger_created"]) == (0, created)
        assert done.err == ("ledger.db: new ledger of psp-1\n" if created else "")


def test_a_ledger_of_another_service_is_named(desk: Desk) -> None:
    charge_of(desk)
    done = desk.call("void", "ch_1", "--ledger", "ledger.db", "--ledger-id", OTHER_PSP, "--key", "psp.pem", *PARTIES)
    assert done.code == 3
    assert "(ledger.db: belongs to psp-1" in one_line(done)


def test_a_payment_whose_charge_was_voided_is_closed_and_has_its_receipt(desk: Desk) -> None:
    charge = charge_of(desk)
    voided = desk.call("void", charge, *desk.service_options, "--receipt-out", "void.cbor", "--json")
    assert (voided.code, voided.document["charge"]["captured"]) == (0, None)
    done = desk.authorize("payment.cbor", "--receipt-out", "again.cbor", "--json")
    assert (done.code, done.document["code"], done.document["replayed"]) == (1, "charge_closed", True)
    assert desk.folder.joinpath("again.cbor").read_bytes() == desk.folder.joinpath("void.cbor").read_bytes()
    status = desk.call("status", "mandate.cbor", "--ledger", "ledger.db", *PARTIES, "--json").document
    assert [(each["state"], each["captured"]) for each in status["charges"]] == [("VOIDED", None)]


# --- what cannot be written -------------------------------------------------------------------------------------------


@pytest.fixture
def refusing(desk: Desk) -> Desk:
    """A desk whose second.cbor is refused, with a receipt: the mandate is revoked."""
    desk.authorize()
    assert desk.call("revoke", "mandate.cbor", *desk.service_options).code == 0
    desk.write("second.cbor", desk.world.payment(iac=desk.mandate).to_bytes())
    return desk


def no_space(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise act.StoreFault("file_unwritable", "r.cbor", reason="No space left on device")

    monkeypatch.setattr("act_cli.answers.write_output", fail)


def test_a_refusal_comes_before_its_unwritable_receipt(refusing: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    no_space(monkeypatch)
    done = refusing.authorize("second.cbor", "--receipt-out", "r.cbor")
    assert done.code == 1
    first, *_, last = done.err.splitlines()
    assert first.startswith("error: credential_revoked")
    assert last.startswith("warning: the receipt of this refusal was not written: file_unwritable (r.cbor: No space left")
    done = refusing.authorize("second.cbor", "--receipt-out", "r.cbor", "--json")
    assert (done.code, done.document["code"], done.document["receipt_file"]) == (1, "credential_revoked", None)
    assert done.document["receipt_error"]["code"] == "file_unwritable"


def on_full_stdout(desk: Desk, *arguments: str) -> Done:
    with open("/dev/full", "wb") as full:
        return desk.spawn(*arguments, stdout=full.fileno())


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has /dev/full")
@pytest.mark.parametrize("options", [("--receipt-out", "-"), (), ("--json",)], ids=["receipt", "text", "json"])
def test_money_that_is_held_is_said_to_be_held_wherever_the_output_goes(desk: Desk, options: tuple[str, ...]) -> None:
    done = on_full_stdout(desk, "authorize", "payment.cbor", *desk.service_options, "--at", AT, *options)
    assert done.code == 3
    charge = charge_of(desk)
    assert f"charge {charge} is HELD, and the same command again gives the receipt" in done.err
    assert "standard output" in done.err
    assert done.err.splitlines()[1:] == [line for line in done.err.splitlines() if line.startswith("error: ")]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has /dev/full")
def test_a_refusal_is_said_when_stdout_cannot_take_its_receipt(refusing: Desk) -> None:
    done = on_full_stdout(refusing, "authorize", "second.cbor", *refusing.service_options, "--at", AT, "--receipt-out", "-")
    assert done.code == 1
    assert done.err.startswith("error: credential_revoked")
    assert "standard output: No space left on device" in done.err.splitlines()[-1]


def test_money_that_is_held_is_said_to_be_held_to_a_reader_who_left(desk: Desk) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    arguments = ("authorize", "payment.cbor", *desk.service_options, "--at", AT, "--receipt-out", "-")
    done = desk.spawn(*arguments, stdout=writing)
    os.close(writing)
    assert done.code == 141
    assert f"charge {charge_of(desk)} is HELD" in done.err

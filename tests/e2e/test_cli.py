"""The commands on real files: the whole path as processes, then each command's promises one by one."""

from __future__ import annotations

import json
import os
import pty
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import act
from tests.support.command import AT, Desk, Done, clean_environment, listing
from tests.support.world import AGENT, OTHER_PSP, PRINCIPAL, PSP, SHOP, WALLET, nothing_moves

ERROR_KEYS = {"outcome", "code", "rule", "where", "meaning", "remedy", "facts", "replayed"}
PARTIES = ("--parties", "parties.json")
NEW_LEDGER = f"ledger.db: new ledger of {PSP}\n"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "desk")


def accepted(done: Done) -> dict[str, Any]:
    assert (done.code, done.err.removeprefix(NEW_LEDGER)) == (0, "")
    assert done.document["outcome"] == "accepted"
    return done.document


# --- the whole path, as processes --------------------------------------------------------------------------------------


def _enrol(desk: Desk, party: str, role: str, **more: object) -> dict[str, object]:
    """A party as `act keys show` gives its key for a parties file."""
    shown = accepted(desk.spawn("keys", "show", f"{party}.pub.pem", "--json"))
    now = datetime.now(UTC)
    window = {
        "not_before": (now - timedelta(days=1)).strftime("%Y-%m-%dT00:00:00Z"),
        "not_after": (now + timedelta(days=2)).strftime("%Y-%m-%dT00:00:00Z"),
    }
    return {"id": party, "name": party, "roles": [role], "keys": [{"jwk": shown["key"]["jwk"]} | window], **more}


def _capture_and_refund(desk: Desk, charge: str, service: tuple[str, ...], who: tuple[str, ...]) -> None:
    """Of the 18.00 that are held, 5.00 and then 10.00; and 1.00 back."""
    part = accepted(desk.spawn("capture", charge, "5.00", "--part", "S-1", *service, "--json"))["charge"]
    assert (part["state"], part["captured"]) == ("PARTIALLY_CAPTURED", "5.00")
    captured = desk.spawn("capture", charge, "10.00", *service, "--receipt-out", "captured.cbor")
    assert captured.code == 0, captured.err
    refunded = desk.spawn("refund", charge, "1.00", "--refund-no", "R-1", *service, "--receipt-out", "refunded.cbor")
    assert refunded.code == 0, refunded.err
    assert desk.spawn("verify", "refunded.cbor", *who).code == 0
    assert desk.spawn("verify", "captured.cbor", "held.cbor", "--order", "o.cbor", *who).code == 0


def test_the_whole_path(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "desk")
    run = desk.spawn
    for name, alg in (("wallet.example", "ed25519"), ("cup", "es256"), ("teashop.example", "es256"), ("psp-9", "ed25519")):
        assert run("keys", "new", "--out", f"{name}.pem", "--alg", alg).code == 0
        assert stat.S_IMODE(desk.folder.joinpath(f"{name}.pem").stat().st_mode) == 0o600
    parties = [
        _enrol(desk, "wallet.example", "issuer", delegator_namespaces=["user:"]),
        _enrol(desk, "teashop.example", "payee", categories=["tea"]),
        _enrol(desk, "psp-9", "psp"),
    ]
    expires = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    desk.write(
        "who.json", json.dumps({"format": "act1-parties", "version": 1, "expires": expires, "parties": parties}).encode()
    )
    who = "--parties", "who.json"
    service = "--ledger", "new.db", "--ledger-id", "psp-9", "--key", "psp-9.pem"
    minted = run(
        *("mint", "--issuer", "wallet.example", "--ledger-id", "psp-9", "--principal", "user:lin", "--agent", "agent:cup"),
        *("--intent-id", "tea", "--max-total", "200.00", "--max-single", "30.00", "--merchant", "teashop.example"),
        *("--category", "tea", "--method", "balance", "--mode", "BOUNDED", "--valid-for", "8", "--confirmed-by", "passkey"),
        *("--key", "wallet.example.pem", "--holder", "cup.pub.pem", "--out", "m.cbor"),
    )
    assert (minted.code, minted.out) == (0, "")
    assert "bytes to m.cbor" in minted.err
    item = "sku=o,name=Milk tea, large,category=tea,quantity=2,unit_amount=9.00"
    ordered = run(
        *("order", "--payee", "teashop.example", "--agent", "agent:cup", "--principal", "user:lin", "--order-no", "T-1"),
        *("--item", item, "--key", "teashop.example.pem", "--out", "o.cbor"),
    )
    assert ordered.code == 0, ordered.err
    paid = run("pay", "o.cbor", "--mandate", "m.cbor", "--key", "cup.pem", "--out", "p.cbor")
    assert paid.code == 0, paid.err
    assert run("verify", "m.cbor", "o.cbor", "p.cbor", *who).code == 0
    held = run("authorize", "p.cbor", *service, *who, "--receipt-out", "held.cbor")
    assert held.code == 0, held.err
    assert held.err == "new.db: new ledger of psp-9\n"
    again = accepted(run("authorize", "p.cbor", *service, *who, "--json"))
    assert again["replayed"] is True
    charge = again["charge"]
    assert (charge["state"], charge["amount"], charge["currency"]) == ("HELD", "18.00", "CNY")
    _capture_and_refund(desk, charge["id"], (*service, *who), who)
    status = run("status", "m.cbor", "--ledger", "new.db", *who)
    assert status.code == 0
    assert "captured CNY 15.00" in status.out
    assert "left CNY 185.00" in status.out
    assert charge["id"] in status.out
    assert run("revoke", "m.cbor", *service, *who, "--receipt-out", "stopped.cbor").code == 0
    assert run("verify", "stopped.cbor", *who).code == 0
    ordered = run(
        "order", "--from", desk.write("o2.json", _order_document()), "--key", "teashop.example.pem", "--out", "o2.cbor"
    )
    assert ordered.code == 0, ordered.err
    paid = run("pay", "o2.cbor", "--mandate", "m.cbor", "--key", "cup.pem", "--out", "-")
    refused = run("authorize", "-", *service, *who, stdin=paid.raw)
    assert refused.code == 1
    assert refused.err.splitlines() == [
        "error: credential_revoked: the mandate, or a link below it, is revoked (standard input: mandate)",
        "  ask whoever signed it for a new one",
    ]
    assert json.loads(run("status", "m.cbor", "--ledger", "new.db", *who, "--json").raw)["state"] == "Revoked"
    assert "6 entries" in run("statement", "m.cbor", "--ledger", "new.db", *who).out
    assert run("ledger", "check", "new.db").code == 0


def _order_document() -> bytes:
    until = (datetime.now(UTC) + timedelta(minutes=10)).strftime("%Y-%m-%dT%H:%M:%SZ")
    document = {"payee": "teashop.example", "agent_id": "agent:cup", "delegator_identity": "user:lin", "order_no": "T-2"}
    item = {"sku": "o", "name": "Oolong", "category": "tea", "unit_amount": "9.00"}
    return json.dumps(document | {"currency": "CNY", "items": [item], "expires_at": until}).encode()


# --- keys ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alg, name", [("ed25519", "Ed25519"), ("es256", "ES256")])
def test_keys_show_gives_the_same_public_half_of_both_files(desk: Desk, alg: str, name: str) -> None:
    made = accepted(desk.call("keys", "new", "--out", "k.pem", "--alg", alg, "--json"))
    shown = [accepted(desk.call("keys", "show", file, "--json"))["key"] for file in ("k.pem", "k.pub.pem")]
    assert shown == [made["key"]] * 2
    assert shown[0]["alg"] == name
    assert shown[0]["pem"].encode() == desk.folder.joinpath("k.pub.pem").read_bytes()
    assert shown[0]["kid"] == act.load_private(desk.folder / "k.pem").kid.hex()
    secret = desk.folder.joinpath("k.pem").read_text().splitlines()[1]
    assert secret not in desk.call("keys", "show", "k.pem").out + json.dumps(made)


def test_an_encrypted_key_needs_its_passphrase_from_a_file(desk: Desk) -> None:
    desk.write("pass", b"correct horse\nnot this\n")
    desk.write("wrong", b"incorrect\n")
    assert desk.call("keys", "new", "--out", "k.pem", "--passphrase-file", "pass").code == 0
    assert b"ENCRYPTED" in desk.folder.joinpath("k.pem").read_bytes()
    act.load_private(desk.folder / "k.pem", b"correct horse")
    mint = "mint", "--from", desk.write("m.json", json.dumps(_draft()).encode()), "--holder", "agent.pub.pem", "--key", "k.pem"
    assert desk.call(*mint, "--out", "m.cbor", "--passphrase-file", "pass").code == 0
    for options, reason in (((), "--passphrase-file"), (("--passphrase-file", "wrong"), "the passphrase is wrong")):
        failed = desk.call(*mint, "--out", "n.cbor", *options)
        assert failed.code == 3
        assert reason in failed.err
    assert not desk.folder.joinpath("n.cbor").exists()


def test_half_a_key_pair_is_not_left_behind(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise act.StoreFault("file_unwritable", "k.pub.pem", reason="ENOSPC")

    monkeypatch.setattr(act, "save_public", fail)
    before = listing(desk.folder)
    assert desk.call("keys", "new", "--out", "k.pem").code == 3
    assert listing(desk.folder) == before


def test_a_key_that_others_can_read_is_used_with_a_warning(desk: Desk) -> None:
    desk.folder.joinpath("psp.pem").chmod(0o644)
    done = desk.authorize()
    assert done.code == 0
    assert done.err.count("warning: key_file_exposed") == 1
    assert "mode 0600" in done.err


# --- mint, order, pay: options and documents -------------------------------------------------------------------------------


def _draft(**changes: object) -> dict[str, object]:
    now = datetime.now(UTC)
    return {
        "issuer": WALLET,
        "ledger": PSP,
        "delegator_identity": PRINCIPAL,
        "agent_id": AGENT,
        "intent_id": "tea",
        "max_total_amount": "200.00",
        "validity_start_time": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "validity_end_time": (now + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "ext": {"commerce": {"allowed_merchants": [SHOP]}},
    } | changes


SIGN = "--key", "wallet.pem", "--holder", "agent.pub.pem"
WHO = "--issuer", WALLET, "--ledger-id", PSP, "--principal", PRINCIPAL, "--agent", AGENT, "--intent-id", "tea"


def test_mint_takes_every_limit_from_options(desk: Desk) -> None:
    done = desk.call(
        *("mint", *WHO, "--max-total", "200", "--currency", "JPY", "--max-single", "30", "--min-single", "2"),
        *("--merchant", "a", "--merchant", "b", "--forbid-merchant", "c", "--category", "tea", "--forbid-category", "gift"),
        *("--method", "balance", "--method", "card", "--mode", "BOUNDED", "--confirmed-by", "passkey"),
        *("--from-time", "2026-01-01T08:00:00+08:00", "--until", "2099-01-01T00:00:00Z", *SIGN, "--out", "m.cbor", "--json"),
    )
    mandate = accepted(done)["mandate"]
    commerce = {
        "max_single_amount": "30",
        "min_single_amount": "2",
        "allowed_merchants": ["a", "b"],
        "forbidden_merchants": ["c"],
        "allowed_categories": ["tea"],
        "forbidden_categories": ["gift"],
    }
    assert mandate["ext"] == {"commerce": commerce}
    assert (mandate["max_total_amount"], mandate["currency"], mandate["delegation_mode"]) == ("200", "JPY", "BOUNDED")
    assert mandate["allowed_payment_methods"] == ["balance", "card"]
    assert (mandate["validity_start_time"], mandate["validity_end_time"]) == ("2026-01-01T00:00:00Z", "2099-01-01T00:00:00Z")
    assert mandate["user_confirmation_method"] == "passkey"


def test_what_inspect_shows_of_a_mandate_can_be_minted_again(desk: Desk) -> None:
    shown = desk.call("inspect", "mandate.cbor", "--json").document["mandate"]
    holder = shown.pop("holder")
    assert holder == act.load_public(desk.folder / "agent.pub.pem").to_jwk()
    shown |= {"validity_end_time": "2099-01-01T00:00:00Z"}
    desk.write("again.json", json.dumps(shown).encode())
    again = accepted(desk.call("mint", "--from", "again.json", *SIGN, "--out", "again.cbor", "--json"))
    assert {name: value for name, value in again["mandate"].items() if name != "holder"} == shown


def test_every_block_that_inspect_shows_can_be_minted_again(desk: Desk) -> None:
    ext = {
        "items": [{"sku": "tea", "max_quantity": 2, "confirmed_unit_amount": "18.00"}],
        "agent_behavior": {"price_deviation_tolerance": "2.5", "max_retry_count": 1},
        "fulfillment": {"delivery_time_requirement": "PT30M", "delivery_address": "A" * 43},
        "step_up": {"above_amount": "50.00"},
        "delegation": {"max_depth": 1},
        "status": {"max_staleness": [{"seconds": 60}, {"seconds": 0, "above_amount": "50.00"}], "on_revoke": "void"},
    }
    desk.write("draft.json", json.dumps(_draft(ext=ext)).encode())
    assert accepted(desk.call("mint", "--from", "draft.json", *SIGN, "--out", "all.cbor", "--json"))["mandate"]["ext"] == ext
    shown = desk.call("inspect", "all.cbor", "--json").document["mandate"]
    assert shown["ext"] == ext
    desk.write("again.json", json.dumps({name: value for name, value in shown.items() if name != "holder"}).encode())
    again = accepted(desk.call("mint", "--from", "again.json", *SIGN, "--out", "again.cbor", "--json"))
    assert again["mandate"] == shown


@pytest.mark.parametrize("shape", ["whole", "member"])
@pytest.mark.parametrize("kind", ["mandate", "order"])
def test_what_inspect_shows_can_be_signed_again_as_it_is(desk: Desk, kind: str, shape: str) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    end = {"mandate": "validity_end_time", "order": "expires_at"}[kind]
    whole = desk.call("inspect", f"{kind}.cbor", "--json").document
    whole[kind][end] = later.strftime("%Y-%m-%dT%H:%M:%SZ")
    desk.write("shown.json", json.dumps(whole if shape == "whole" else whole[kind]).encode())
    sign = {"mandate": ("mint", *SIGN), "order": ("order", "--key", "shop.pem")}[kind]
    again = accepted(desk.call(*sign, "--from", "shown.json", "--out", "again.cbor", "--json"))
    assert again[kind] == whole[kind]


def test_a_name_that_stands_twice_in_what_was_shown_is_still_a_mistake(desk: Desk) -> None:
    shown = desk.call("inspect", "mandate.cbor", "--json").raw.replace(b'"issuer":', b'"issuer": "a", "issuer":', 1)
    desk.write("twice.json", shown)
    assert desk.call("mint", "--from", "twice.json", *SIGN, "--out", "again.cbor").code == 3


def test_documents_come_from_stdin_and_objects_go_to_stdout(desk: Desk) -> None:
    done = desk.spawn("mint", "--from", "-", *SIGN, "--out", "-", stdin=json.dumps(_draft()).encode())
    assert done.code == 0
    assert act.recognize(done.raw).kind == "mandate"
    assert "bytes to standard output" in done.err
    inspected = desk.spawn("inspect", "-", stdin=done.raw)
    assert inspected.code == 0
    assert "at most CNY 200.00 in total" in inspected.out


def test_an_order_adds_up_its_items(desk: Desk) -> None:
    items = (
        "--item",
        "sku=a,name=A,category=tea,quantity=3,unit_amount=1.500",
        "--item",
        "sku=b,name=B,category=tea,unit_amount=0.001",
    )
    who = "--payee", SHOP, "--agent", AGENT, "--principal", PRINCIPAL, "--order-no", "1", "--currency", "KWD"
    done = accepted(desk.call("order", *who, *items, "--key", "shop.pem", "--out", "o.cbor", "--json", "--lock-minutes", "1"))
    assert (done["order"]["amount"], done["order"]["currency"]) == ("4.501", "KWD")


def test_pay_takes_ledger_method_tool_and_id(desk: Desk) -> None:
    request_id = "00112233445566778899aabbccddeeff"
    options = "--ledger-id", OTHER_PSP, "--method", "card", "--tool", "card-1", "--request-id", request_id
    done = accepted(
        desk.call("pay", "order.cbor", "--mandate", "mandate.cbor", "--key", "agent.pem", *options, "--out", "p.cbor", "--json")
    )
    request = done["payment"]["parts"][0]["request"]
    assert (request["audience"], request["payment_method"], request["payment_tool_reference"]) == (OTHER_PSP, "card", "card-1")
    assert request["request_id"] == request_id


def test_force_replaces_an_object_and_never_a_key(desk: Desk) -> None:
    pay = "pay", "order.cbor", "--mandate", "mandate.cbor", "--key", "agent.pem", "--out", "payment.cbor"
    before = desk.folder.joinpath("payment.cbor").read_bytes()
    refused = desk.call(*pay)
    assert refused.code == 3
    assert "file_exists" in refused.err
    assert desk.folder.joinpath("payment.cbor").read_bytes() == before
    assert desk.call(*pay, "--force").code == 0
    assert desk.folder.joinpath("payment.cbor").read_bytes() != before
    assert desk.call("keys", "new", "--out", "wallet.pem", "--force").code == 2  # there is no such option


def test_force_never_replaces_a_private_key_or_a_ledger(desk: Desk) -> None:
    assert desk.authorize().code == 0
    before = listing(desk.folder)
    pay = "pay", "order.cbor", "--mandate", "mandate.cbor", "--key", "agent.pem", "--force", "--out"
    for name, what in (("wallet.pem", "a private key is never replaced"), ("ledger.db", "a ledger is never replaced")):
        for done in (desk.call(*pay, name), desk.authorize("payment.cbor", "--force", "--receipt-out", name)):
            assert done.code == 3
            assert what in done.err
    assert listing(desk.folder) == before


def test_a_private_key_is_never_written_to_stdout(desk: Desk) -> None:
    before = listing(desk.folder)
    for out in (("--out", "-"), ("--out", "k.pem", "--public-out", "-")):
        done = desk.call("keys", "new", *out)
        assert (done.code, done.out) == (2, "")
    assert listing(desk.folder) == before


def test_one_name_for_both_halves_of_a_key_makes_none(desk: Desk) -> None:
    before = listing(desk.folder)
    for other in ("k.pem", "./k.pem"):
        done = desk.call("keys", "new", "--out", "k.pem", "--public-out", other)
        assert done.code == 2
        assert "--out and --public-out both name k.pem" in done.err
    assert listing(desk.folder) == before


# --- inspect ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mandate", "order", "request", "payment", "receipt"])
def test_inspect_shows_every_kind_and_never_vouches_for_it(desk: Desk, name: str) -> None:
    if name == "receipt":
        desk.authorize("payment.cbor", "--receipt-out", "receipt.cbor")
    done = desk.call("inspect", f"{name}.cbor")
    assert done.code == 0
    assert done.out.startswith(f" NOT VERIFIED  {name} ")
    assert "Nothing of this was verified" in done.out
    assert f"{desk.folder.joinpath(f'{name}.cbor').stat().st_size:,} bytes" in done.out
    document = desk.call("inspect", f"{name}.cbor", "--json").document
    assert (document["outcome"], document["verified"], document["kind"]) == ("unverified", False, name)
    assert name in document


def test_inspect_needs_no_good_signature(desk: Desk) -> None:
    desk.write("bad.cbor", desk.mandate[:-1] + bytes([desk.mandate[-1] ^ 1]))
    assert desk.call("inspect", "bad.cbor").code == 0
    assert desk.call("verify", "bad.cbor", *PARTIES, "--at", AT).code == 1


def test_inspect_speaks_chinese(desk: Desk) -> None:
    assert "总计不超过 CNY 200.00" in desk.call("inspect", "mandate.cbor", "--lang", "zh").out


# --- authorize and what follows ----------------------------------------------------------------------------------------------


def test_a_refusal_that_was_recorded_has_a_receipt_and_comes_back_the_same(desk: Desk) -> None:
    desk.authorize()
    assert desk.call("revoke", "mandate.cbor", *desk.service_options).code == 0
    second = desk.world.payment(iac=desk.mandate)
    desk.write("second.cbor", second.to_bytes())
    first = desk.authorize("second.cbor", "--receipt-out", "r1.cbor", "--json")
    with nothing_moves(desk.folder / "ledger.db"):
        again = desk.authorize("second.cbor", "--receipt-out", "r2.cbor", "--json")
    for done, replayed in ((first, False), (again, True)):
        assert done.code == 1
        assert done.document.keys() >= ERROR_KEYS
        assert (done.document["code"], done.document["replayed"]) == ("credential_revoked", replayed)
    assert desk.folder.joinpath("r1.cbor").read_bytes() == desk.folder.joinpath("r2.cbor").read_bytes()
    assert again.document["receipt_file"] == "r2.cbor"


def test_a_refusal_that_was_not_recorded_has_none(desk: Desk) -> None:
    stolen = desk.world.payment(iac=desk.mandate, signer=act.load_private(desk.folder / "thief.pem"))
    desk.write("stolen.cbor", stolen.to_bytes())
    done = desk.authorize("stolen.cbor", "--receipt-out", "r.cbor", "--json")
    assert (done.code, done.document["code"], done.document["receipt_file"]) == (1, "agent_signature_invalid", None)
    assert not desk.folder.joinpath("r.cbor").exists()


def test_money_in_a_refusal_is_money_with_a_currency(desk: Desk) -> None:
    desk.write("dear.cbor", desk.world.payment(iac=desk.mandate, order=desk.world.order("30.01")).to_bytes())
    done = desk.authorize("dear.cbor")
    assert done.err.splitlines()[-2:] == ["  cap CNY 30.00, asked CNY 30.01", "  pay less"]
    assert desk.authorize("dear.cbor", "--json").document["facts"] == {
        "cap_minor": 3000,
        "asked_minor": 3001,
        "currency": "CNY",
    }


def test_capture_and_void_close_a_hold_once(desk: Desk) -> None:
    charge = accepted(desk.authorize("payment.cbor", "--json"))["charge"]["id"]
    voided = accepted(desk.call("void", charge, *desk.service_options, "--json"))
    assert voided["charge"]["state"] == "VOIDED"
    assert accepted(desk.call("void", charge, *desk.service_options, "--json"))["replayed"] is True
    with nothing_moves(desk.folder / "ledger.db"):
        for amount in ("18.00", "--all"):
            done = desk.call("capture", charge, amount, *desk.service_options, "--json")
            assert (done.code, done.document["code"]) == (1, "charge_closed")
    status = accepted(desk.call("status", "mandate.cbor", "--ledger", "ledger.db", *PARTIES, "--json"))
    assert status["limits"] == [
        {
            "name": "max_total_amount",
            "unit": "AMOUNT",
            "cap": "200.00",
            "captured": "0.00",
            "held": "0.00",
            "left": "200.00",
            "turns_at": None,
        }
    ]


def test_capture_reads_its_amount_in_the_currency_of_the_charge(desk: Desk) -> None:
    charge = accepted(desk.authorize("payment.cbor", "--json"))["charge"]["id"]
    with nothing_moves(desk.folder / "ledger.db"):
        for amount in ("18", "18.0", "1e1", "18.000", "\uff11\uff18.00"):
            assert desk.call("capture", charge, amount, *desk.service_options).code == 2
        for arguments in ((charge,), (charge, "1.00", "--all")):
            assert desk.call("capture", *arguments, *desk.service_options).code == 2


def test_an_amount_that_looks_like_an_option_is_no_amount(desk: Desk) -> None:
    charge = accepted(desk.authorize("payment.cbor", "--json"))["charge"]["id"]
    assert desk.call("capture", charge, "-18.00", *desk.service_options).code == 2


@pytest.mark.parametrize("command", ["capture", "void", "revoke", "status"])
def test_only_authorize_makes_a_ledger(desk: Desk, command: str) -> None:
    arguments = {
        "capture": ("ch_1", "--all", *desk.service_options),
        "void": ("ch_1", *desk.service_options),
        "revoke": ("mandate.cbor", *desk.service_options),
        "status": ("mandate.cbor", "--ledger", "ledger.db", *PARTIES),
    }[command]
    done = desk.call(command, *arguments)
    assert done.code == 3
    assert "there is no such ledger" in done.err
    assert not desk.folder.joinpath("ledger.db").exists()


def test_a_malformed_payment_makes_no_ledger(desk: Desk) -> None:
    desk.write("bad.cbor", b"\xa0")
    assert desk.authorize("bad.cbor").code == 1
    assert not desk.folder.joinpath("ledger.db").exists()


def test_a_receipt_that_cannot_be_written_stops_before_anything_is_decided(desk: Desk) -> None:
    desk.write("there", b"")
    assert desk.authorize("payment.cbor", "--receipt-out", "there").code == 3
    assert not desk.folder.joinpath("ledger.db").exists()


def test_a_receipt_lost_on_the_way_is_there_on_the_next_run(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise act.StoreFault("file_unwritable", "r.cbor", reason="No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("act_cli.answers.write_output", fail)
        done = desk.authorize("payment.cbor", "--receipt-out", "r.cbor")
    assert done.code == 3
    assert "is HELD, and the same command again gives the receipt" in done.err
    assert desk.authorize("payment.cbor", "--receipt-out", "r.cbor").code == 0
    assert desk.call("verify", "r.cbor", "--order", "order.cbor", *PARTIES, "--at", AT).code == 0


def test_status_of_a_mandate_that_was_never_used_has_everything_left(desk: Desk) -> None:
    desk.authorize()
    desk.write("new.cbor", desk.world.mint(max_total_amount="50.00"))
    document = accepted(desk.call("status", "new.cbor", "--ledger", "ledger.db", *PARTIES, "--json"))
    assert document["known"] is False
    assert document["limits"] == [
        {
            "name": "max_total_amount",
            "unit": "AMOUNT",
            "cap": "50.00",
            "captured": "0.00",
            "held": "0.00",
            "left": "50.00",
            "turns_at": None,
        }
    ]
    assert document["charges"] == []


def test_a_mandate_is_shown_as_expired_once_it_is(desk: Desk) -> None:
    desk.authorize()
    document = accepted(desk.call("status", "mandate.cbor", "--ledger", "ledger.db", *PARTIES, "--json"))
    assert document["state"] == "Expired"  # the world's mandate ended on 7 February 2026


def test_the_receipt_on_stdout_is_nothing_but_the_receipt(desk: Desk) -> None:
    done = desk.authorize("payment.cbor", "--receipt-out", "-")
    assert done.code == 0
    assert act.recognize(done.raw).kind == "receipt"
    assert "the receipt is on standard output" in done.err
    assert desk.authorize("payment.cbor", "--receipt-out", "-", "--json").code == 2


# --- colours, terminals, pipes ---------------------------------------------------------------------------------------------


def _on_a_terminal(desk: Desk, *arguments: str, **environment: str) -> str:
    """What a command writes to a terminal of its own."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "act_cli", *arguments],
        cwd=desk.folder,
        env=clean_environment() | {"TERM": "xterm-256color"} | environment,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        read = bytearray()
        while True:
            try:
                data = os.read(ours, 65_536)
            except OSError:  # the last one who had the terminal open is gone
                break
            if not data:
                break
            read += data
        os.close(ours)
    assert process.returncode in (0, 2, 3)
    return read.decode()


def test_colours_are_for_terminals_that_want_them(desk: Desk) -> None:
    inspect = "inspect", "mandate.cbor"
    assert "\x1b[" in _on_a_terminal(desk, *inspect)
    assert "\x1b[" not in _on_a_terminal(desk, *inspect, NO_COLOR="1")
    assert "\x1b[" not in _on_a_terminal(desk, *inspect, TERM="dumb")
    assert "\x1b[" not in desk.spawn(*inspect, environment={"FORCE_COLOR": "1", "TERM": "xterm"}).out
    assert "\x1b[1;31merror:\x1b[0m" in _on_a_terminal(desk, "inspect", "missing")
    assert _on_a_terminal(desk, "inspect", "missing", NO_COLOR="1").startswith("error:")


def test_bytes_are_not_poured_over_a_terminal(desk: Desk) -> None:
    pay = "pay", "order.cbor", "--mandate", "mandate.cbor", "--key", "agent.pem", "--out", "-"
    assert "would write bytes to the terminal" in _on_a_terminal(desk, *pay)


def test_an_encoding_that_cannot_write_a_sign_gets_it_written_out(desk: Desk) -> None:
    done = desk.spawn("inspect", "mandate.cbor", "--lang", "zh", environment={"PYTHONIOENCODING": "ascii"})
    assert done.code == 0
    assert done.raw.isascii()


def test_any_columns_will_do(desk: Desk) -> None:
    for columns in ("9" * 5000, "\u00b2", "-7", "x"):
        done = desk.spawn("inspect", "mandate.cbor", environment={"COLUMNS": columns, "LINES": columns})
        assert (done.code, done.err) == (0, "")
        assert "9" * 50 not in _on_a_terminal(desk, "inspect", "mandate.cbor", COLUMNS=columns)


def test_json_may_stand_before_the_command(desk: Desk) -> None:
    assert desk.call("--json", "inspect", "mandate.cbor").document["kind"] == "mandate"
    assert desk.call("keys", "--json", "show", "wallet.pem").document["outcome"] == "accepted"


def test_a_reader_who_leaves_is_no_error(desk: Desk) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = desk.spawn("inspect", "mandate.cbor", stdout=writing)
    os.close(writing)
    assert (done.code, done.err) == (141, "")


def test_interrupting_is_quiet(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(path: str) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr("act_cli.commands.inspect.read_signed", interrupt)
    done = desk.call("inspect", "mandate.cbor")
    assert (done.code, done.out, done.err) == (130, "", "")

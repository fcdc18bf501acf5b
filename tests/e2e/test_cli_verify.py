"""`act verify`: every kind of object, what it says to be proven, and every fault by its own code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import act
from tests.support.command import AT, Desk, Done, parties_document
from tests.support.faults import FAULTS, Draft
from tests.support.world import OTHER_PSP, PSP, World

PARTIES = ("--parties", "parties.json")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "desk")


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """One desk for all the faults: only payment.cbor and parties.json change."""
    return Desk(tmp_path_factory.mktemp("faulty") / "desk")


def verify(desk: Desk, *arguments: str) -> Done:
    return desk.call("verify", *arguments, *PARTIES, "--at", AT)


def test_each_file_is_judged_for_what_it_is(desk: Desk) -> None:
    done = verify(desk, "mandate.cbor", "order.cbor", "payment.cbor", "--json")
    assert (done.code, done.err) == (0, "")
    assert done.document["outcome"] == "accepted"
    results = done.document["results"]
    assert [(each["file"], each["kind"], each["outcome"]) for each in results] == [
        ("mandate.cbor", "mandate", "accepted"),
        ("order.cbor", "order", "accepted"),
        ("payment.cbor", "payment", "accepted"),
    ]
    for each in results:
        assert list(each) == ["file", "kind", "outcome", "proven", "not_proven", "findings", "needs"]
        assert each["proven"]
        assert each["not_proven"]
        assert each["findings"] == []


def test_what_only_the_ledger_knows_is_said_to_be_unknown(desk: Desk) -> None:
    (payment,) = verify(desk, "payment.cbor", "--json").document["results"]
    unproven = " ".join(payment["not_proven"])
    assert "replay" in unproven
    assert "revoked" in unproven
    assert "has left" in unproven
    assert PSP in unproven
    shown = verify(desk, "payment.cbor").out
    assert shown.startswith(" ACCEPTED  payment ")
    assert shown.index("  proven\n") < shown.index("  not proven\n")


def test_without_a_ledger_id_the_one_of_the_mandate_is_assumed_and_said(desk: Desk) -> None:
    assert "as no --ledger-id was given" in verify(desk, "payment.cbor", "--json").out
    assert "as no --ledger-id was given" not in verify(desk, "payment.cbor", "--ledger-id", PSP, "--json").out
    for name in ("payment.cbor", "mandate.cbor"):
        done = verify(desk, name, "--ledger-id", OTHER_PSP, "--json")
        assert done.code == 1
        assert done.document["results"][0]["findings"][0]["code"] == "wrong_ledger"


def test_one_refused_file_is_enough(desk: Desk) -> None:
    desk.write("junk.cbor", b"\xd2junk")
    done = verify(desk, "mandate.cbor", "junk.cbor", "request.cbor", "--json")
    assert (done.code, done.document["outcome"]) == (1, "refused")
    assert [each["outcome"] for each in done.document["results"]] == ["accepted", "refused", "incomplete"]


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_is_found_and_nothing_is_reserved(faulty: Desk, name: str) -> None:
    """Verify lists the fault; authorize refuses with its code."""
    draft = Draft()
    FAULTS[name].apply(draft)
    faulty.write("payment.cbor", draft.build().to_bytes())
    faulty.write("parties.json", json.dumps(parties_document(draft.world.parties)).encode())
    done = verify(faulty, "payment.cbor", "--ledger-id", PSP, "--json")
    assert (done.code, done.document["outcome"]) == (1, "refused")
    first = done.document["results"][0]["findings"][0]
    assert (first["code"], first["where"]) == (FAULTS[name].code, FAULTS[name].where)
    assert verify(faulty, "payment.cbor", "--ledger-id", PSP).code == 1
    refused = faulty.authorize("payment.cbor", "--json")
    assert (refused.code, refused.document["code"]) == (1, FAULTS[name].code)
    ledger = act.SqliteLedger(faulty.folder / "ledger.db") if faulty.folder.joinpath("ledger.db").exists() else None
    if ledger is not None:
        ledger.close()


def test_all_findings_are_listed_with_their_money(desk: Desk) -> None:
    world = World()
    order = world.order("31.00", payee="boba.example", signer=act.load_private(desk.folder / "shop.pem"))
    document = parties_document(world.parties)
    document["parties"][2]["id"] = "boba.example"
    desk.write("parties.json", json.dumps(document).encode())
    desk.write("p.cbor", world.payment(order=order).to_bytes())
    done = verify(desk, "p.cbor", "--json")
    assert [each["code"] for each in done.document["results"][0]["findings"]] == ["single_limit_exceeded", "payee_not_allowed"]
    shown = verify(desk, "p.cbor").out
    assert "cap CNY 30.00, asked CNY 31.00" in shown
    assert "payee_not_allowed" in shown


# --- requests and receipts ---------------------------------------------------------------------------------------------------


def test_a_request_alone_says_what_is_missing(desk: Desk) -> None:
    done = verify(desk, "request.cbor", "--json")
    (result,) = done.document["results"]
    assert (done.code, done.document["outcome"], result["outcome"]) == (3, "incomplete", "incomplete")
    assert "payment" in result["needs"]
    assert result["proven"] == []


@pytest.fixture
def paid(desk: Desk) -> Desk:
    assert desk.authorize("payment.cbor", "--receipt-out", "receipt.cbor").code == 0
    return desk


@pytest.mark.parametrize("companions", [("--order", "order.cbor"), ("order.cbor",), ("payment.cbor",)])
def test_a_receipt_is_judged_with_its_order(paid: Desk, companions: tuple[str, ...]) -> None:
    done = verify(paid, "receipt.cbor", *companions, "--json")
    assert (done.code, done.document["results"][0]["outcome"]) == (0, "accepted")
    assert "CNY 18.00 RESERVED" in done.document["results"][0]["proven"][0]


def test_a_receipt_without_its_order_is_not_enough_to_deliver_on(paid: Desk) -> None:
    paid.write("other.cbor", paid.world.order())
    for companions in ((), ("other.cbor",)):
        done = verify(paid, "receipt.cbor", *companions, "--json")
        assert done.code == 3
        result = done.document["results"][0]
        assert result["outcome"] == "incomplete"
        assert "--order" in result["needs"]


def test_a_receipt_for_another_order_is_refused(paid: Desk) -> None:
    paid.write("other.cbor", paid.world.order())
    done = verify(paid, "receipt.cbor", "--order", "other.cbor", "--json")
    assert (done.code, done.document["results"][0]["findings"][0]["code"]) == (1, "receipt_mismatch")


def test_a_receipt_of_another_ledger_is_refused(paid: Desk) -> None:
    done = verify(paid, "receipt.cbor", "order.cbor", "--ledger-id", OTHER_PSP, "--json")
    assert (done.code, done.document["results"][0]["findings"][0]["code"]) == (1, "receipt_mismatch")


def test_a_receipt_from_the_future_is_refused(desk: Desk) -> None:
    desk.authorize()
    assert desk.call("revoke", "mandate.cbor", *desk.service_options, "--receipt-out", "stop.cbor").code == 0
    done = verify(desk, "stop.cbor", "--json")  # the revocation has the machine's own time, long after AT
    assert (done.code, done.document["results"][0]["findings"][0]["where"]) == (1, "receipt.iat")


def test_a_receipt_can_be_judged_to_the_last_second_of_the_calendar(paid: Desk) -> None:
    assert paid.call("revoke", "mandate.cbor", *paid.service_options, "--receipt-out", "stop.cbor").code == 0
    for companions in ((), ("--order", "order.cbor")):
        done = paid.call("verify", "stop.cbor", *companions, *PARTIES, "--at", "9999-12-31T23:59:55Z", "--json")
        assert (done.code, done.document["results"][0]["findings"][0]["code"]) == (1, "parties_expired")
    desk_document = parties_document(paid.world.parties) | {"expires": "9999-12-31T23:59:59Z"}
    paid.write("parties.json", json.dumps(desk_document).encode())
    done = paid.call("verify", "stop.cbor", *PARTIES, "--at", "9999-12-31T23:59:55Z", "--json")
    assert (done.code, done.document["outcome"]) == (0, "accepted")


def test_what_is_no_object_is_said_in_words(desk: Desk) -> None:
    done = verify(desk, "parties.json")
    assert done.code == 1
    assert "it looks like JSON" in done.out
    assert "encode it again" not in done.out


def test_a_tampered_receipt_is_refused_with_and_without_its_order(paid: Desk) -> None:
    data = paid.folder.joinpath("receipt.cbor").read_bytes()
    paid.write("bad.cbor", data[:-1] + bytes([data[-1] ^ 1]))
    for companions in ((), ("--order", "order.cbor")):
        done = verify(paid, "bad.cbor", *companions, "--json")
        assert (done.code, done.document["results"][0]["findings"][0]["code"]) == (1, "receipt_signature_invalid")


def test_a_refusal_is_a_genuine_statement_and_no_payment(desk: Desk) -> None:
    desk.authorize()
    assert desk.call("revoke", "mandate.cbor", *desk.service_options, "--receipt-out", "stop.cbor").code == 0
    order = desk.world.order()
    desk.write("o.cbor", order)
    desk.write("p.cbor", desk.world.payment(iac=desk.mandate, order=order).to_bytes())
    assert desk.authorize("p.cbor", "--receipt-out", "no.cbor").code == 1
    far = "2030-01-01T00:00:00Z"  # the revocation has the machine's own time
    for name, said in (("no.cbor", "REFUSED (credential_revoked)"), ("stop.cbor", "REVOKED")):
        done = desk.call("verify", name, *PARTIES, "--at", far, "--json")
        (result,) = done.document["results"]
        assert (done.code, result["outcome"]) == (0, "accepted")
        assert said in result["proven"][0]
        assert "nothing is" in result["not_proven"][0]
    asked = desk.call("verify", "no.cbor", "--order", "o.cbor", *PARTIES, "--at", far, "--json")
    assert (asked.code, asked.document["results"][0]["findings"][0]["code"]) == (1, "receipt_not_paid")


def test_an_order_for_no_receipt_is_a_mistake(desk: Desk) -> None:
    assert verify(desk, "mandate.cbor", "--order", "order.cbor").code == 2


def test_judging_is_done_as_of_the_instant_that_is_asked_for(desk: Desk) -> None:
    for at, code in (("2026-02-06T09:00:00Z", 0), ("2026-02-06T17:00:00+08:00", 0), ("2026-02-06T09:02:00Z", 1)):
        assert desk.call("verify", "payment.cbor", *PARTIES, "--at", at).code == code
    assert desk.call("verify", "payment.cbor", *PARTIES).code == 1  # now

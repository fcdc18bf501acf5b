"""The command with JOSE objects: every command takes both envelopes, and texts end in one line end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.command import AT, Desk, one_line
from tests.support.world import AGENT, PRINCIPAL, PSP, SHOP, WALLET, World

MINT = (
    *("mint", "--issuer", WALLET, "--principal", PRINCIPAL, "--agent", AGENT, "--ledger-id", PSP, "--intent-id", "tea"),
    *(
        "--max-total",
        "200.00",
        "--max-single",
        "30.00",
        "--mode",
        "BOUNDED",
        "--valid-for",
        "8",
        "--key",
        "wallet.pem",
        "--holder",
        "agent.pub.pem",
    ),
)
ORDER = (
    *("order", "--payee", SHOP, "--agent", AGENT, "--principal", PRINCIPAL, "--order-no", "T-1", "--key", "shop.pem"),
    *("--item", "sku=a,name=Tea,category=tea,quantity=1,unit_amount=18.00"),
)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, World(format="jose"))


def test_a_payment_from_mandate_to_receipt(desk: Desk) -> None:
    """At the real time, because what the command signs says it."""
    assert desk.call(*MINT, "--format", "jose", "--out", "m.jwt").code == 0
    assert desk.call(*ORDER, "--format", "jose", "--out", "o.jwt").code == 0
    assert desk.call("pay", "o.jwt", "--mandate", "m.jwt", "--key", "agent.pem", "--out", "p.json").code == 0
    for name, start in (("m.jwt", b"eyJ"), ("o.jwt", b"eyJ"), ("p.json", b'{"chain":["eyJ')):
        data = desk.folder.joinpath(name).read_bytes()
        assert data.startswith(start)
        assert data.count(b"\n") == 1
        assert data.endswith(b"\n")
    assert desk.call("verify", "m.jwt", "o.jwt", "p.json", "--parties", "parties.json").code == 0
    done = desk.call("authorize", "p.json", *desk.service_options, "--receipt-out", "r.jwt")
    assert done.code == 0, done.err
    assert desk.call("verify", "r.jwt", "--order", "o.jwt", "--parties", "parties.json").code == 0
    assert desk.call("status", "m.jwt", "--ledger", "ledger.db", "--parties", "parties.json").code == 0
    assert desk.call("revoke", "m.jwt", *desk.service_options).code == 0


@pytest.mark.parametrize("mandate, order, asked", [("jose", "cose", None), ("cose", "jose", None), ("cose", "cose", "jose")])
def test_order_and_request_may_stand_in_another_envelope(desk: Desk, mandate: str, order: str, asked: str | None) -> None:
    desk.call(*MINT, "--format", mandate, "--out", "m")
    desk.call(*ORDER, "--format", order, "--out", "o")
    chosen = () if asked is None else ("--format", asked)
    assert desk.call("pay", "o", "--mandate", "m", "--key", "agent.pem", "--out", "p", *chosen).code == 0
    parts = desk.call("inspect", "p", "--json").document["payment"]["parts"]
    assert {part["kind"]: part["format"] for part in parts} == {
        "request": asked or mandate,
        "mandate": mandate,
        "order": order,
    }
    assert desk.call("authorize", "p", *desk.service_options).code == 0


def test_inspect_says_which_envelope(desk: Desk) -> None:
    assert desk.call("inspect", "mandate.cbor", "--json").document["format"] == "jose"
    assert "jose" in desk.call("inspect", "mandate.cbor").out


def test_what_inspect_shows_can_be_minted_in_either_envelope(desk: Desk) -> None:
    shown = desk.call("inspect", "mandate.cbor", "--json")
    desk.write("shown.json", shown.raw)
    end = json.loads(shown.raw)["mandate"]["validity_end_time"]
    document = json.loads(shown.raw)["mandate"] | {"validity_end_time": end.replace("2026", "2126")}
    document.pop("holder")
    desk.write("draft.json", json.dumps(document).encode())
    for each in ("cose", "jose"):
        options = ("--key", "wallet.pem", "--holder", "agent.pub.pem", "--format", each, "--out", each)
        assert desk.call("mint", "--from", "draft.json", *options).code == 0
        assert desk.call("inspect", each, "--json").document["mandate"]["delegation_id"] == document["delegation_id"]


@pytest.mark.parametrize("ending", [b"", b"\n"])
def test_one_line_end_is_no_part_of_a_text(desk: Desk, ending: bytes) -> None:
    desk.write("m.jwt", desk.mandate + ending)
    assert desk.call("verify", "m.jwt", "--parties", "parties.json", "--at", AT).code == 0


@pytest.mark.parametrize("ending", [b"\n\n", b"\r\n", b" ", b"=\n", b"\x00"])
def test_anything_else_after_it_is_refused(desk: Desk, ending: bytes) -> None:
    desk.write("m.jwt", desk.mandate + ending)
    done = desk.call("verify", "m.jwt", "--parties", "parties.json", "--at", AT, "--json")
    assert done.code == 1
    assert done.document["results"][0]["findings"][0]["code"] in {"base64url_invalid", "envelope_invalid"}


def test_an_id_that_is_no_uuid_needs_jose(desk: Desk) -> None:
    document = desk.world.document(delegation_id="D-1", validity_end_time="2126-02-07T00:00:00Z")
    desk.write("draft.json", json.dumps(document).encode())
    options = ("mint", "--from", "draft.json", "--key", "wallet.pem", "--holder", "agent.pub.pem")
    refused = desk.call(*options, "--out", "m.cbor")
    assert "delegation_id" in one_line(refused)
    assert not desk.folder.joinpath("m.cbor").exists()
    assert desk.call(*options, "--format", "jose", "--out", "m.jwt").code == 0


def test_another_format_is_a_usage_error(desk: Desk) -> None:
    assert desk.call(*MINT, "--format", "jwt", "--out", "m").code == 2

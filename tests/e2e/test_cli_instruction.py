"""`act inspect` and `act verify` on an instruction, and on the receipt that acknowledges one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import act
from act.payment.instruction import sign_instruction
from tests.support.command import AT, Desk, Done
from tests.support.complete import complete_instructions, complete_receipts
from tests.support.world import AGENT, OTHER_PSP, PSP, SHOP, SUB_AGENT, WALLET, World, identity_of, key, reseal

CHARGE = "ch_00000000000000000000000000000001"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "desk")


def verify(desk: Desk, *arguments: str) -> Done:
    return desk.call("verify", *arguments, "--parties", "parties.json", "--at", AT, "--json")


def _revoke(desk: Desk, chain: list[bytes] | None = None, issuer: str = WALLET, action: Any = "revoke") -> bytes:
    return sign_instruction(
        action, chain=chain or [desk.mandate], issuer=issuer, signer=key(issuer), at=desk.world.clock(), reason="phone lost"
    )


def _charge(desk: Desk, action: Any, issuer: str = SHOP, **terms: Any) -> bytes:
    return sign_instruction(
        action, trade_no=CHARGE, issuer=issuer, audience=PSP, signer=key(issuer), at=desk.world.clock(), **terms
    )


def test_an_instruction_is_judged_with_the_mandate_it_is_about(desk: Desk) -> None:
    desk.write("revoke.cbor", _revoke(desk))
    done = verify(desk, "mandate.cbor", "revoke.cbor")
    assert (done.code, done.err) == (0, "")
    judged = done.document["results"][1]
    assert (judged["kind"], judged["outcome"], judged["findings"]) == ("instruction", "accepted", [])
    assert judged["proven"][0] == f"{WALLET} signed it, for the principal, and may give it"
    assert identity_of(desk.mandate).hex()[:16] in judged["proven"][1]
    assert f"only a receipt of {PSP} says so" in judged["not_proven"][-1]


def test_alone_it_says_what_is_missing(desk: Desk) -> None:
    desk.write("revoke.cbor", _revoke(desk))
    done = verify(desk, "revoke.cbor")
    assert (done.code, done.document["outcome"]) == (3, "incomplete")
    assert identity_of(desk.mandate).hex() in done.document["results"][0]["needs"]


def test_a_link_is_ended_by_the_agent_that_signed_it(desk: Desk) -> None:
    root = desk.world.mint(ext={"delegation": {"max_depth": 1}, **desk.world.document()["ext"]})
    link = desk.world.link([root], SUB_AGENT)
    desk.write("root.cbor", root)
    desk.write("link.cbor", link)
    desk.write("end.cbor", _revoke(desk, [root, link], AGENT))
    done = verify(desk, "root.cbor", "link.cbor", "end.cbor")
    assert done.code == 0
    assert "as an agent that holds the credential or stands above it" in done.document["results"][2]["proven"][0]
    desk.write("end.cbor", _revoke(desk, [root], SUB_AGENT))
    done = verify(desk, "root.cbor", "end.cbor")
    assert (done.code, done.document["results"][1]["findings"][0]["code"]) == (1, "instruction_not_allowed")


@pytest.mark.parametrize(
    "action, issuer, terms, said",
    [
        ("capture", SHOP, {"amount": act.Amount(1_800, "CNY")}, "capture CNY 18.00 of the charge ch_"),
        ("capture", SHOP, {"amount": act.Amount(500, "CNY"), "capture_no": "S-1"}, "as part S-1; the rest stays held"),
        ("refund", SHOP, {"amount": act.Amount(500, "CNY"), "refund_no": "R-1"}, "under number R-1"),
        ("void", SHOP, {}, "let go of what is still held"),
        ("void", PSP, {}, "let go of what is still held"),
    ],
)
def test_whose_charge_it_is_only_the_ledger_knows(
    desk: Desk, action: str, issuer: str, terms: dict[str, Any], said: str
) -> None:
    desk.write("it.cbor", _charge(desk, action, issuer, **terms))
    done = verify(desk, "it.cbor")
    (judged,) = done.document["results"]
    assert (done.code, judged["outcome"]) == (0, "accepted")
    assert said in judged["proven"][1]
    assert "may give it" not in judged["proven"][0]
    assert judged["not_proven"][0].startswith("whether there is such a charge")
    assert (SHOP in judged["not_proven"][0]) == (issuer == SHOP)


def test_what_speaks_against_it_is_said(desk: Desk) -> None:
    desk.write("it.cbor", _charge(desk, "void"))
    for options, code in (
        (("--ledger-id", OTHER_PSP), "wrong_ledger"),
        (("--at", "2026-02-07T09:00:00Z"), "instruction_expired"),
        (("--at", "2100-01-01T00:00:00Z"), "parties_expired"),
    ):
        at = () if "--at" in options else ("--at", AT)
        done = desk.call("verify", "it.cbor", "--parties", "parties.json", "--json", *at, *options)
        assert (done.code, done.document["results"][0]["findings"][0]["code"]) == (1, code)
    desk.write("it.cbor", reseal(_charge(desk, "void"), key("thief")))
    assert verify(desk, "it.cbor").document["results"][0]["findings"][0]["code"] == "signer_unknown"


@pytest.mark.parametrize("format", ["cose", "jose"])
@pytest.mark.parametrize("action", ["suspend", "resume", "revoke", "capture", "void", "refund"])
def test_inspecting_shows_every_field(desk: Desk, action: str, format: Any) -> None:
    desk.write("it", complete_instructions(format)[action])
    done = desk.call("inspect", "it", "--json")
    shown = done.document
    assert (done.code, shown["kind"], shown["verified"], shown["format"]) == (0, "instruction", False, format)
    fields = {"instruction_id", "issuer", "audience", "action", "reason", "issued_at", "expires_at"}
    about = {
        "capture": {"trade_no", "currency", "amount", "capture_no", "fulfilment"},
        "void": {"trade_no"},
        "refund": {"trade_no", "currency", "amount", "refund_no"},
    }
    assert shown["instruction"].keys() == fields | about.get(action, {"delegator_identity", "delegation_id", "credential"})
    text = desk.call("inspect", "it").out
    assert "NOT VERIFIED" in text
    assert action in text
    assert "Tea time" in text
    assert "act verify [MANDATE [LINK...]] it --parties PARTIES" in text


@pytest.mark.parametrize("state", ["SUSPENDED", "RESUMED"])
def test_an_acknowledgement_says_who_instructed_what(desk: Desk, tmp_path: Path, state: str) -> None:
    desk.write("receipt.cbor", complete_receipts(tmp_path / "other.db")[state])
    shown = desk.call("inspect", "receipt.cbor", "--json").document["receipt"]
    assert (shown["instruction"], shown["caused_by"], shown["link"]) == ("00" * 32, "principal", bytes(range(32)).hex())
    assert shown.get("credential_state") == ("Active" if state == "RESUMED" else None)
    text = desk.call("inspect", "receipt.cbor").out
    assert "for the principal" in text
    assert state in text
    done = desk.call("verify", "receipt.cbor", "--parties", "parties.json", "--at", "2026-02-14T00:00:00Z", "--json")
    assert (done.code, done.document["results"][0]["outcome"]) == (0, "accepted")


def test_both_envelopes_are_judged_alike(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "jose", World(format="jose"))
    desk.write("suspend.jwt", _revoke(desk, action="suspend", issuer=PSP) + b"\n")
    done = verify(desk, "mandate.cbor", "suspend.jwt")
    assert (done.code, done.document["results"][1]["outcome"]) == (0, "accepted")
    assert "as the payment service's risk control" in done.document["results"][1]["proven"][0]

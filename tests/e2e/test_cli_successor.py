"""`act mint --supersedes`: a mandate in place of another one, as wallets amend and rotate them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import pytest

import act
from act.delegation.credential import open_credential
from act.payment.service.keeper import mandate_record
from act.wire.base64url import base64url_encode
from act_cli.objects import read_signed
from tests.support.command import Desk, Done, listing, one_line
from tests.support.world import (
    ABSENT,
    AGENT,
    OTHER_PRINCIPAL,
    OTHER_PSP,
    OTHER_WALLET,
    PRINCIPAL,
    PSP,
    SHOP,
    WALLET,
    identity_of,
    key,
    reseal,
)

ENVELOPES: tuple[Literal["cose", "jose"], ...] = ("cose", "jose")
SIGN = ("--key", "wallet.pem", "--holder", "agent.pub.pem", "--out", "new.act")
NAMES = ("--issuer", WALLET, "--ledger-id", PSP, "--principal", PRINCIPAL)
TERMS = ("--agent", AGENT, "--intent-id", "tea", "--max-total", "300.00", "--merchant", SHOP, "--valid-for", "8")
LATER: dict[str, Any] = {"validity_end_time": "2099-01-01T00:00:00Z"}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "desk")


def _draft(desk: Desk, **changes: Any) -> str:
    return desk.write("draft.json", json.dumps(desk.world.document(**LATER | changes)).encode())


def _minted(desk: Desk) -> act.Mandate:
    return open_credential(read_signed(str(desk.folder / "new.act"))).content.mandate


def _instead(desk: Desk, *options: str) -> Done:
    return desk.call("mint", *options, "--supersedes", "mandate.cbor", *SIGN)


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("old", ENVELOPES)
def test_a_successor_names_the_old_mandate_as_its_ledger_does(desk: Desk, old: Any, *, told: bool) -> None:
    """And it has the old mandate's envelope, whether or not it is told so."""
    data = desk.world.mint(format=old)
    desk.write("old.act", data + (b"\n" if old == "jose" else b""))
    done = desk.call("mint", *NAMES, *TERMS, "--supersedes", "old.act", *(("--format", old) if told else ()), *SIGN)
    assert done.code == 0, done.err
    known = mandate_record(open_credential(data).authenticate(desk.world.parties))
    mandate = _minted(desk)
    assert mandate.supersedes == known.identity
    assert open_credential(read_signed(str(desk.folder / "new.act"))).opened.format.value == old
    assert mandate.delegation_id != known.key.delegation_id
    assert "which replaces" in done.err
    assert desk.call("verify", "new.act", "--parties", "parties.json").code == 0


def test_a_successor_in_another_envelope_is_not_signed(desk: Desk) -> None:
    before = listing(desk.folder)
    done = _instead(desk, *NAMES, *TERMS, "--format", "jose")
    assert (done.code, "has another envelope" in done.err) == (3, True)
    assert listing(desk.folder) == before


def test_inspect_shows_what_a_mandate_replaces(desk: Desk) -> None:
    assert _instead(desk, *NAMES, *TERMS).code == 0
    named = identity_of(desk.mandate)
    old, new = (desk.call("inspect", name).out for name in ("mandate.cbor", "new.act"))
    assert "replaces" not in old
    assert named.hex() in old
    assert [line.split() for line in new.splitlines() if "replaces" in line] == [["replaces", named.hex()]]
    assert max(map(len, new.splitlines())) <= 80
    document = desk.call("inspect", "new.act", "--json")
    assert document.document["mandate"]["supersedes"] == base64url_encode(named)
    desk.write("shown.json", document.raw)
    assert desk.call("mint", "--from", "shown.json", *SIGN, "--force").code == 0
    assert _minted(desk).supersedes == named


def test_a_document_may_name_the_same_mandate_or_leave_it_to_the_option(desk: Desk) -> None:
    named = identity_of(desk.mandate)
    for member in (ABSENT, base64url_encode(named)):
        done = _instead(desk, "--from", _draft(desk, supersedes=member), "--force")
        assert done.code == 0, done.err
        assert _minted(desk).supersedes == named


def test_a_record_makes_a_successor_as_well(desk: Desk) -> None:
    members: dict[str, Any] = dict.fromkeys(("issuer", "ledger", "delegator_identity", "delegation_id"), ABSENT)
    members |= LATER | {"conversation_history": {"user_intent_raw": "tea", "input_mode": ["TEXT"]}}
    desk.write("isr.json", json.dumps(desk.world.document(**members)).encode())
    done = _instead(desk, "--isr", "isr.json", *NAMES)
    assert done.code == 0, done.err
    assert _minted(desk).supersedes == identity_of(desk.mandate)


def test_the_ledger_may_stand_in_the_parties_file_only(desk: Desk) -> None:
    jose = desk.world.mint(format="jose")
    inside = ("@context", "type", "issuer", "credentialSubject")
    claims = open_credential(jose).opened.claims
    vc = {"type": claims["type"], "credentialSubject": claims["credentialSubject"]}
    data = reseal(jose, key(WALLET), {**dict.fromkeys(inside, ABSENT), "vc": vc, "aud": ABSENT, "status": ABSENT})
    desk.write("old.jwt", data)
    done = desk.call("mint", *NAMES, *TERMS, "--supersedes", "old.jwt", *SIGN)
    assert done.code == 0, done.err
    assert _minted(desk).supersedes == identity_of(data)


# --- what makes no sense -----------------------------------------------------------------------------------------------

OTHERS: dict[str, tuple[dict[str, Any], str]] = {
    "issuer": ({"issuer": OTHER_WALLET}, WALLET),
    "delegator_identity": ({"delegator_identity": OTHER_PRINCIPAL}, PRINCIPAL),
    "ledger": ({"ledger": OTHER_PSP}, PSP),
    "currency": ({"currency": "EUR"}, "CNY"),
    "ext.quota.refund_restores": (
        {"ext": {"commerce": {"max_single_amount": "30.00"}, "quota": {"refund_restores": True}}},
        "another",
    ),
    "supersedes": ({"supersedes": "A" * 43}, "another mandate than --supersedes names"),
}


@pytest.mark.parametrize("field", OTHERS)
def test_what_no_ledger_takes_as_a_successor_is_not_signed(desk: Desk, field: str) -> None:
    change, words = OTHERS[field]
    draft = _draft(desk, **change)
    before = listing(desk.folder)
    done = _instead(desk, "--from", draft)
    line = one_line(done)
    assert (done.code, listing(desk.folder)) == (3, before)
    assert "draft_invalid" in line
    assert f"draft.json: {field}" in line
    assert words in line


def test_the_id_of_the_old_mandate_is_taken(desk: Desk) -> None:
    draft = _draft(desk, delegation_id=open_credential(desk.mandate).content.mandate.delegation_id)
    done = _instead(desk, "--from", draft)
    assert done.code == 3
    assert "draft.json: delegation_id" in one_line(done)
    done = _instead(desk, "--from", _draft(desk, delegation_id=ABSENT))
    assert done.code == 0, done.err


def test_options_are_compared_as_documents_are(desk: Desk) -> None:
    done = _instead(desk, *NAMES, *TERMS, "--currency", "USD")
    assert done.code == 3
    assert "(currency: " in one_line(done)
    refused = desk.call("mint", *NAMES, *TERMS, "--currency", "USD", "--supersedes", "mandate.cbor", *SIGN, "--json")
    assert (refused.document["code"], refused.document["where"]) == ("draft_invalid", "currency")


@pytest.mark.parametrize(
    "name, code, words",
    [
        ("missing", 3, "file_unreadable"),
        ("order.cbor", 1, "kind_unexpected"),
        ("payment.cbor", 1, "kind_unexpected"),
        ("parties.json", 1, "JSON"),
        ("wallet.pem", 1, "a PEM file, such as a key"),
    ],
)
def test_what_holds_no_mandate_is_named(desk: Desk, name: str, code: int, words: str) -> None:
    done = desk.call("mint", *NAMES, *TERMS, "--supersedes", name, *SIGN)
    assert done.code == code
    assert name in done.err
    assert words in done.err
    assert not desk.folder.joinpath("new.act").exists()


def test_standard_input_is_read_once(desk: Desk) -> None:
    done = desk.call("mint", "--from", "-", "--supersedes", "-", *SIGN, stdin=desk.mandate)
    assert done.code == 2
    assert "can be standard input" in done.err
    assert desk.call("mint", *NAMES, *TERMS, "--supersedes", "-", *SIGN, stdin=desk.mandate).code == 0

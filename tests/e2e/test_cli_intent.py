"""`act intent`, and `act mint --isr`: from what a principal said to a mandate, as people and programs do it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from base64 import urlsafe_b64decode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import act
from act.delegation.credential import open_credential
from tests.support.command import Desk, Done, clean_environment, listing, one_line
from tests.support.world import AGENT, PRINCIPAL, PSP, SHOP, WALLET


def _iso(days: int, minutes: int = 0) -> str:
    """An instant that many days from today, for mandates that the command's own clock has to find in force."""
    return (datetime.now(UTC) + timedelta(days=days, minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


START, ENDED, AT, END = _iso(-2), _iso(-2, 30), _iso(-1), _iso(300)
TEXT = "Milk tea for the team,\nat most 200 yuan."
DRAFT: dict[str, Any] = {
    "conversation_history": {"user_intent_raw": TEXT, "input_mode": ["VOICE", "TEXT"]},
    "intent_id": "intent-1",
    "delegation_mode": "BOUNDED",
    "validity_start_time": START,
    "validity_end_time": END,
    "max_total_amount": "200.00",
    "currency": "CNY",
    "allowed_payment_methods": ["balance"],
    "agent_id": AGENT,
    "ext": {"commerce": {"max_single_amount": "30.00", "allowed_merchants": [SHOP]}},
}
CONFIRM = ("--method", "passkey", "--at", AT)
NAMES = ("--issuer", WALLET, "--ledger-id", PSP, "--principal", PRINCIPAL)
SIGN = ("--key", "wallet.pem", "--holder", "agent.pub.pem", "--out", "m.cbor")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    for name in ("LANG", "LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    desk = Desk(tmp_path / "desk")
    put(desk, "draft.json")
    return desk


def put(desk: Desk, name: str, **changes: Any) -> str:
    """A draft on the desk, with changes; None takes a member out."""
    document = {member: value for member, value in (DRAFT | changes).items() if value is not None}
    return desk.write(name, json.dumps(document).encode())


def confirmed(desk: Desk, name: str = "isr.json", **changes: Any) -> str:
    """A confirmed record on the desk."""
    put(desk, "draft.json", **changes)
    assert desk.call("intent", "confirm", "draft.json", *CONFIRM, "--yes", "--out", name).code == 0
    return name


# --- draft -------------------------------------------------------------------------------------------------------------


def test_a_draft_is_shown_in_plain_words(desk: Desk) -> None:
    done = desk.call("intent", "draft", "draft.json")
    assert (done.code, done.err) == (0, "")
    assert "at most CNY 200.00 in total" in done.out
    assert "Still missing" not in done.out


@pytest.mark.parametrize(
    "environment, options, words",
    [
        ({"LANG": "zh_CN.UTF-8"}, (), "总计不超过 CNY 200.00"),
        ({"LANG": "de_DE.UTF-8"}, (), "at most CNY 200.00 in total"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, (), "at most CNY 200.00 in total"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_TW"}, (), "总计不超过 CNY 200.00"),
        ({"LANG": "zh_CN.UTF-8"}, ("--language", "en"), "at most CNY 200.00 in total"),
        ({}, ("--lang", "zh"), "总计不超过 CNY 200.00"),
    ],
)
def test_the_language_is_the_locales_or_the_one_asked_for(
    desk: Desk, environment: dict[str, str], options: tuple[str, ...], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert words in desk.call("intent", "draft", "draft.json", *options).out


def test_what_is_missing_is_named(desk: Desk) -> None:
    put(desk, "draft.json", agent_id=None, currency=None)
    done = desk.call("intent", "draft", "draft.json")
    assert done.code == 0
    assert "Still missing:" in done.out
    document = desk.call("intent", "draft", "draft.json", "--json").document
    assert (document["complete"], document["missing"], document["confirmed"]) == (False, ["currency", "agent_id"], False)
    assert "还缺少：" in desk.call("intent", "draft", "draft.json", "--language", "zh").out


def test_a_draft_from_stdin_and_to_a_file(desk: Desk) -> None:
    data = desk.folder.joinpath("draft.json").read_bytes()
    assert desk.call("intent", "draft", "-", stdin=data).code == 0
    assert desk.call("intent", "draft", "-", "--out", "checked.json", stdin=data).code == 0
    checked = desk.folder.joinpath("checked.json").read_bytes()
    assert json.loads(checked) == DRAFT
    assert checked == act.Isr.from_json(checked).canonical + b"\n"
    assert desk.call("intent", "draft", "draft.json", "--out", "-").raw == checked


# --- confirm -----------------------------------------------------------------------------------------------------------


def test_a_program_confirms_with_yes(desk: Desk) -> None:
    done = desk.call("intent", "confirm", "draft.json", *CONFIRM, "--yes", "--out", "isr.json", "--json")
    record = act.Isr.from_json(desk.folder.joinpath("isr.json").read_bytes())
    assert (done.code, done.document["confirmed"], done.document["summary"]) == (0, True, list(record.summary()))
    assert (record.user_confirmation_method, record.is_confirmed) == ("passkey", True)
    assert urlsafe_b64decode(done.document["digest"] + "=") == record.digest
    again = desk.call("intent", "confirm", "isr.json", *CONFIRM, "--yes", "--out", "again.json")
    assert again.code == 3
    assert "confirmed already" in one_line(again)
    assert not desk.folder.joinpath("again.json").exists()


def answered(desk: Desk, answer: str, *options: str) -> Done:
    """`act intent confirm` at a terminal where somebody types this line."""
    ours, theirs = os.openpty()
    try:
        os.write(ours, answer.encode())
        command = [sys.executable, "-m", "act_cli", "intent", "confirm", "draft.json", *CONFIRM, "--out", "isr.json", *options]
        done = subprocess.run(
            command,
            cwd=desk.folder,
            env=clean_environment() | {"LANG": "C.UTF-8"},
            stdin=theirs,
            capture_output=True,
            timeout=60,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    return Done(done.returncode, done.stdout, done.stderr.decode())


@pytest.mark.parametrize(
    "answer, is_confirmed", [("y\n", True), ("YES\n", True), ("是\n", True), ("n\n", False), ("\n", False)]
)
def test_at_a_terminal_the_principal_is_shown_the_summary_and_asked(desk: Desk, answer: str, is_confirmed: bool) -> None:
    done = answered(desk, f"{answer}\n")
    assert "at most CNY 200.00 in total" in done.err
    assert "Do you confirm this?" in done.err
    assert done.raw == b""
    assert (done.code, desk.folder.joinpath("isr.json").exists()) == ((0, True) if is_confirmed else (1, False))
    assert ("nothing was written" in done.err) is not is_confirmed


def test_the_question_is_in_the_language_of_the_summary(desk: Desk) -> None:
    done = answered(desk, "\n", "--language", "zh")
    assert "是否确认？" in done.err
    assert "总计不超过 CNY 200.00" in done.err


def test_nobody_is_asked_what_cannot_be_confirmed(desk: Desk) -> None:
    put(desk, "draft.json", agent_id=None)
    done = answered(desk, "y\n")
    assert done.code == 3
    assert "agent_id" in one_line(done)


# --- mint --isr --------------------------------------------------------------------------------------------------------


def test_a_mandate_is_selected_from_the_record(desk: Desk) -> None:
    confirmed(desk)
    done = desk.call("mint", "--isr", "isr.json", *NAMES, *SIGN)
    assert done.code == 0, done.err
    data = desk.folder.joinpath("m.cbor").read_bytes()
    mandate = open_credential(data).content.mandate
    record = act.Isr.from_json(desk.folder.joinpath("isr.json").read_bytes())
    assert (mandate.issuer, mandate.ledger, mandate.delegator_identity) == (WALLET, PSP, PRINCIPAL)
    assert (mandate.source_isr_digest, mandate.constraints) == (record.digest, record.constraints)
    assert b"Milk tea" not in data
    shown = desk.call("inspect", "m.cbor").out
    assert record.digest.hex() in shown
    assert "intent-1" in shown
    assert "said" not in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert desk.call("verify", "m.cbor", "--parties", "parties.json").code == 0


@pytest.mark.parametrize("form", ["text", "messages", "digest"])
def test_inspect_says_what_was_said_or_that_only_a_digest_is_inside(desk: Desk, form: str) -> None:
    digest = "q7tKNl3cUJ8G4rXTqrMZ4ZL0lm0z4HyFZ9xJ8m7sYdQ"
    histories: dict[str, tuple[dict[str, Any], str]] = {
        "text": ({"user_intent_raw": TEXT}, "raw intent inside"),
        "messages": (
            {"user_intent_raw": [{"role": "USER", "content": TEXT, "create_time": "2026-02-06T08:00:00Z"}]},
            "1 message (raw intent inside)",
        ),
        "digest": ({"user_intent_raw_digest": digest, "context_ref": "wallet/1"}, "digest only"),
    }
    history, words = histories[form]
    confirmed(desk, intent_id=None, conversation_history=history | {"input_mode": ["VOICE", "TEXT"]})
    assert desk.call("mint", "--isr", "isr.json", *NAMES, *SIGN).code == 0
    shown = desk.call("inspect", "m.cbor").out
    assert words in shown
    assert "VOICE, TEXT" in shown
    assert ("Milk tea for the team,\\nat most" in shown) is (form != "digest")
    assert ("wallet/1" in shown) is (form == "digest")
    document = desk.call("inspect", "m.cbor", "--json").raw
    desk.write("shown.json", document)
    inside = json.loads(document)["mandate"]
    assert inside["conversation_history"] == history | {"input_mode": ["VOICE", "TEXT"]}
    isr = desk.folder.joinpath("isr.json").read_bytes().strip()
    assert urlsafe_b64decode(inside["source_isr_digest"] + "=") == hashlib.sha256(isr).digest()
    again = desk.call("mint", "--from", "shown.json", *SIGN[:-1], "again.cbor")
    assert again.code == 0, again.err
    first, second = (open_credential(desk.folder.joinpath(name).read_bytes()) for name in ("m.cbor", "again.cbor"))
    assert first.content.mandate == second.content.mandate


# --- bad input ---------------------------------------------------------------------------------------------------------

SIGNED = (*NAMES, *SIGN)
BAD: dict[str, tuple[tuple[str, ...], int, str]] = {
    "missing draft": (("intent", "draft", "missing"), 3, "file_unreadable"),
    "too large a draft": (("intent", "draft", "large"), 3, "draft_invalid"),
    "no JSON": (("intent", "draft", "mandate.cbor"), 3, "draft_invalid"),
    "conflict": (("intent", "draft", "conflict.json"), 3, "ext.commerce.max_single_amount: constraint_conflict"),
    "unknown field": (("intent", "draft", "unknown.json"), 3, "unknown.json: wish"),
    "altered": (("intent", "draft", "altered.json"), 3, "intent_digest_mismatch"),
    "output that is there": (("intent", "draft", "draft.json", "--out", "order.cbor"), 3, "file_exists"),
    "json to stdout twice": (("intent", "draft", "draft.json", "--out", "-"), 2, "--out -"),
    "unknown language": (("intent", "draft", "draft.json", "--language", "fr"), 2, "--language"),
    "incomplete": (("intent", "confirm", "short.json", *CONFIRM, "--yes", "--out", "o"), 3, "short.json: agent_id"),
    "no method": (("intent", "confirm", "draft.json", "--yes", "--out", "o"), 2, "--method"),
    "no output": (("intent", "confirm", "draft.json", *CONFIRM, "--yes"), 2, "--out"),
    "nobody to ask": (("intent", "confirm", "draft.json", *CONFIRM, "--out", "o"), 2, "--yes"),
    "after its window": (
        ("intent", "confirm", "past.json", "--method", "pin", "--at", AT, "--yes", "--out", "o"),
        3,
        "past.json: user_confirmation_timestamp",
    ),
    "output there": (("intent", "confirm", "draft.json", *CONFIRM, "--yes", "--out", "order.cbor"), 3, "file_exists"),
    "mint from a draft": (("mint", "--isr", "draft.json", *SIGNED), 3, "draft.json: user_confirmation_timestamp"),
    "mint from nothing": (("mint", "--isr", "missing", *SIGNED), 3, "file_unreadable"),
    "mint from a mandate's document": (("mint", "--isr", "mandate.json", *SIGNED), 3, "mandate.json: "),
    "mint with both": (("mint", "--isr", "isr.json", "--from", "isr.json", *SIGNED), 2, "exclude each other"),
    "mint with a bound beside": (("mint", "--isr", "isr.json", "--max-total", "1.00", *SIGNED), 2, "--max-total"),
    "mint without an issuer": (("mint", "--isr", "isr.json", *NAMES[2:], *SIGN), 2, "--issuer"),
    "mint for nobody": (("mint", "--isr", "isr.json", *NAMES[:-1], "", *SIGN), 2, "delegator_identity"),
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """One desk for every case; each of them shows that it changed nothing."""
    desk = Desk(tmp_path_factory.mktemp("intent") / "desk")
    put(desk, "conflict.json", ext={"commerce": {"max_single_amount": "300.00"}})
    put(desk, "unknown.json", wish="x")
    digest = {"user_intent_raw": "x", "user_intent_raw_digest": "A" * 43, "context_ref": "wallet/1"}
    put(desk, "altered.json", conversation_history=digest)
    put(desk, "short.json", agent_id=None)
    put(desk, "past.json", validity_end_time=ENDED)
    desk.write("large", bytes(300_000))
    desk.write("mandate.json", json.dumps(desk.world.document()).encode())
    confirmed(desk)
    return desk


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_clear_line_and_changes_nothing(prepared: Desk, name: str) -> None:
    arguments, code, words = BAD[name]
    before = listing(prepared.folder)
    if name != "json to stdout twice":
        done = prepared.call(*arguments)
        assert done.code == code
        assert words in one_line(done)
    as_json = prepared.call(*arguments, "--json")
    assert (as_json.code, as_json.err) == (code, "")
    assert words.split(":")[0] in json.dumps(as_json.document)
    assert listing(prepared.folder) == before


def test_what_was_said_cannot_steer_the_terminal(desk: Desk) -> None:
    hostile = "\x1b]0;title\x07tea\u202e\r"
    confirmed(desk, intent_id=None, conversation_history={"user_intent_raw": hostile})
    assert desk.call("mint", "--isr", "isr.json", *NAMES, *SIGN).code == 0
    for options in ((), ("--json",)):
        done = desk.call("inspect", "m.cbor", *options)
        assert done.code == 0
        assert all(line.isprintable() for line in done.out.split("\n"))

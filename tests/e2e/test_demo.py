"""The demo: every code in its order, money that adds up, a folder that stays, and lines that work when they are pasted."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import act
from act.money import format_minor
from act_cli.demo import afternoon
from act_cli.demo.afternoon import COURIERED, CUPS, REFUSALS, TOO_MANY
from act_cli.demo.cast import COURIER, COURIER_CAP
from tests.support.command import Desk, Done, clean_environment, listing, one_line
from tests.support.fold import audit
from tests.support.world import PSP

CODES_OF_THE_ISSUES = [
    "total_limit_exceeded",  # until the next no longer fits
    "single_limit_exceeded",  # too dear
    "payee_not_allowed",  # wrong shop
    "agent_signature_invalid",  # another agent's key
    "duplicate_request",  # its id with another amount
    "order_already_paid",  # the same order again with a new id
    "credential_signature_invalid",  # a tampered byte
    "request_expired",  # an expired request
    "wrong_ledger",  # another payment service
    "total_limit_exceeded",  # the courier, beyond its own link
    "payee_not_allowed",  # the courier, where only its agent may buy
    "link_payee_added",  # a link with a shop that the mandate does not list
    "credential_revoked",  # a revoked mandate
]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Desk, Done]:
    """One afternoon, played by a process of its own."""
    desk = Desk(tmp_path_factory.mktemp("demo") / "desk")
    return desk, desk.spawn("demo")


def folder_of(played: tuple[Desk, Done]) -> Path:
    return played[0].folder / "act-demo"


def test_every_refusal_comes_with_its_code_in_the_order_of_the_issues(played: tuple[Desk, Done]) -> None:
    _, done = played
    assert (done.code, done.err) == (0, "")
    found = [word for word in re.findall(r"[a-z_]+", done.out) if word in act.CODES]
    assert found == CODES_OF_THE_ISSUES == list(REFUSALS)


def test_it_fits_80_columns_except_for_what_is_to_be_copied(played: tuple[Desk, Done]) -> None:
    lines = [line for line in played[1].out.splitlines() if " -m act_cli " not in line]
    assert max(map(len, lines)) <= 80
    assert all(line.isprintable() for line in lines)


def test_it_ends_with_what_was_spent_held_and_left(played: tuple[Desk, Done]) -> None:
    assert "captured CNY 163.00   ▓ held CNY 27.00   ░ left CNY 10.00   of CNY 200.00" in played[1].out
    captured = sum(act.Amount.parse(price, "CNY").minor for _, _, price in CUPS[:-1])
    held = act.Amount.parse(CUPS[-1][2], "CNY").minor
    assert (captured, held) == (15_400, 2_700)
    assert 20_000 - captured - held < act.Amount.parse(TOO_MANY[2], "CNY").minor <= 3_000  # it is the total that stops it
    couriered = act.Amount.parse(COURIERED[2], "CNY").minor
    assert (couriered, 2 * couriered <= 20_000 - captured - held) == (900, True)  # and the courier only its own
    assert couriered <= act.Amount.parse(COURIER_CAP, "CNY").minor < 2 * couriered


def test_it_draws_who_gave_what_to_whom(played: tuple[Desk, Done]) -> None:
    drawn = played[1].out.split("Who gave what to whom")[1].split("Try next")[0]
    assert "└── mandate · agent:tea-runner" in drawn
    assert f"    └── link · {COURIER}" in drawn
    assert "at most CNY 15.00 in total (was CNY 200.00)" in drawn
    assert "only at teashop.example (was teashop.example, cha.example)" in drawn


def test_its_ledger_is_what_it_says(played: tuple[Desk, Done]) -> None:
    folder = folder_of(played)
    parties = act.PartiesFile(folder / "parties.json")
    with closing(act.SqliteLedger(folder / "ledger.db", create=False)) as ledger:
        service = act.PaymentService(PSP, parties=parties, ledger=ledger, signer=act.load_private(folder / "keys/psp-1.pem"))
        status = service.status(folder.joinpath("mandate.cbor").read_bytes())
    assert status is not None
    counted = sorted((c.cap, c.captured, c.held) for c in status.counters)
    assert counted == [(1_500, 900, 0), (20_000, 16_300, 2_700)]
    assert [charge.state.value for charge in status.charges] == ["CAPTURED"] * 7 + ["HELD", "CAPTURED"]
    assert status.state.value == "Revoked"
    assert audit(folder / "ledger.db").charges == {"CAPTURED": 8, "HELD": 1}


def test_every_object_is_a_file_of_its_kind(played: tuple[Desk, Done]) -> None:
    folder = folder_of(played)
    kinds: dict[str, int] = {}
    for path in folder.glob("*.cbor"):
        if path.name != "payment-0015.cbor":  # the one with the changed byte can be read, and is looked at below
            found = act.recognize(path.read_bytes())
            kind = found.kind
            kinds[kind] = kinds.get(kind, 0) + 1
            assert path.name.startswith(kind)
    assert kinds == {"mandate": 1, "link": 1, "order": 20, "payment": 20, "receipt": 13}
    for path in folder.joinpath("keys").glob("*.pem"):
        assert (path.stat().st_mode & 0o777 == 0o600) is (not path.name.endswith(".pub.pem"))


def test_one_byte_of_the_tampered_mandate_differs(played: tuple[Desk, Done]) -> None:
    folder = folder_of(played)
    (tampered,) = act.Payment.from_bytes(folder.joinpath("payment-0015.cbor").read_bytes()).chain
    honest = folder.joinpath("mandate.cbor").read_bytes()
    assert len(tampered) == len(honest)
    assert [(a, b) for a, b in zip(honest, tampered, strict=True) if a != b] == [(ord("2"), ord("9"))]


def test_sizes_are_what_was_promised(played: tuple[Desk, Done]) -> None:
    folder = folder_of(played)
    payment = act.Payment.from_bytes(folder.joinpath("payment-0001.cbor").read_bytes())
    assert len(payment.chain[0]) <= 700
    assert sum(map(len, (*payment.chain, payment.order, payment.request))) <= 1_800


def objects_of(played: tuple[Desk, Done]) -> dict[str, bytes]:
    """Everything but the ledgers, whose companion files come and go with whoever has them open."""
    return {name: data for name, data in listing(folder_of(played)).items() if not name.startswith("ledger")}


def suggested(done: Done) -> list[str]:
    return [line.strip() for line in done.out.split("Try next")[1].splitlines() if " -m act_cli " in line]


@pytest.mark.parametrize(
    "number, code, shown",
    [
        (0, 0, "at most CNY 30.00 in one payment"),
        (1, 0, "what the merchant signed"),
        (2, 0, "CNY 18.00 CAPTURED for order T-0001"),
        (3, 1, "single_limit_exceeded"),
        (4, 0, "What agent:courier can really do"),
        (5, 0, "left CNY 10.00"),
        (5, 0, "left CNY 6.00"),
    ],
)
def test_the_lines_to_try_next_work(played: tuple[Desk, Done], number: int, code: int, shown: str) -> None:
    desk, done = played
    lines = suggested(done)
    assert len(lines) == 6
    before = objects_of(played)
    shell = ["sh", "-c", lines[number]]
    result = subprocess.run(shell, cwd=desk.folder, env=clean_environment(), capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (code, "")
    assert shown in result.stdout
    assert objects_of(played) == before


def test_the_lines_still_work_long_after_the_requests_expired(played: tuple[Desk, Done]) -> None:
    _, done = played
    at = re.search(r"--at (\S+)", suggested(done)[2])
    assert at is not None
    signed = act.recognize(act.Payment.from_bytes(folder_of(played).joinpath("payment-0001.cbor").read_bytes()).request)
    expires = signed.request.expires_at  # type: ignore[union-attr]  # it is a request
    assert datetime.fromisoformat(at[1]) < datetime.fromtimestamp(expires, UTC)


@pytest.mark.parametrize("columns", ["60", "66", "77"])
def test_on_a_narrow_screen_the_bar_shrinks_and_no_number_does(tmp_path: Path, columns: str) -> None:
    done = Desk(tmp_path / "desk").spawn("demo", environment={"COLUMNS": columns})
    assert done.code == 0
    lines = [line for line in done.out.splitlines() if " -m act_cli " not in line and "every object" not in line]
    assert max(map(len, lines)) <= int(columns)
    left = 20_000
    for number, (_, cup, price) in enumerate(CUPS, start=1):
        left -= act.Amount.parse(price, "CNY").minor
        (line,) = (line for line in lines if f" {cup} " in line)
        assert line.split()[:2] == [str(number), price]
        assert format_minor(left, "CNY") in line.split()
    for part in ("captured CNY 163.00", "held CNY 27.00", "left CNY 10.00", "of CNY 200.00"):
        assert part in done.out


# --- folders, JSON, failures -------------------------------------------------------------------------------------------


def test_each_run_has_a_folder_of_its_own(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "desk")
    folders = [desk.call("demo", "--json").document["folder"] for _ in range(3)]
    assert folders == ["act-demo", "act-demo-2", "act-demo-3"]
    assert desk.call("demo", "--dir", "mine", "--json").document["folder"] == "mine"
    assert len(listing(desk.folder / "mine")) == len(listing(desk.folder / "act-demo"))


def test_json_tells_every_step(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "desk")
    document = desk.call("demo", "--dir", "a folder", "--json").document
    assert (document["outcome"], document["currency"]) == ("accepted", "CNY")
    assert (document["captured"], document["held"], document["left"]) == ("163.00", "27.00", "10.00")
    steps = document["steps"]
    outcomes = [step["outcome"] for step in steps]
    assert outcomes[:9] == ["captured"] * 7 + ["held", "refused"]
    assert (outcomes.count("repeated"), outcomes.count("revoked"), outcomes.count("refused")) == (1, 1, 13)
    assert (outcomes.count("delegated"), outcomes.count("captured"), len(outcomes)) == (1, 8, 25)
    assert [step["refusal"]["code"] for step in steps if step["refusal"]] == CODES_OF_THE_ISSUES
    for step in steps:
        assert all(desk.folder.joinpath("a folder", name).is_file() for name in step["files"])
    for before, after in itertools.pairwise(steps):
        if after["outcome"] not in ("captured", "held"):
            assert [after[name] for name in ("captured", "held", "left", "charges")] == [
                before[name] for name in ("captured", "held", "left", "charges")
            ]
    assert len(document["next"]) == 6
    assert all("'a folder'" in line for line in document["next"])


def test_a_refusal_with_another_code_fails_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(afternoon, "REFUSALS", ("total_limit_exceeded", "payee_forbidden", *REFUSALS[2:]))
    done = Desk(tmp_path / "desk").call("demo")
    assert done.code == 70
    assert "too dear: refused with single_limit_exceeded instead of payee_forbidden" in done.err
    assert len(done.err.splitlines()) == 1


def test_an_acceptance_that_had_to_be_a_refusal_fails_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(afternoon, "TOO_MANY", (*TOO_MANY[:2], "19.00"))
    done = Desk(tmp_path / "desk").call("demo", "--json")
    assert (done.code, done.document["outcome"]) == (70, "internal")
    assert "accepted, where it had to be refused with total_limit_exceeded" in done.document["meaning"]


def test_money_that_moved_when_it_must_not_fails_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A payment service that holds money for what it then refuses."""
    honest = act.PaymentService.authorize

    def careless(service: act.PaymentService, payment: act.Payment | bytes) -> act.Charge:
        try:
            return honest(service, payment)
        except act.Refused as refusal:
            if refusal.code == "single_limit_exceeded":
                (held,) = [charge for charge in _status(service, payment).charges if charge.state.value == "HELD"]
                service.void(held.id)
            raise

    def _status(service: act.PaymentService, payment: act.Payment | bytes) -> act.MandateStatus:
        assert isinstance(payment, act.Payment)
        status = service.status(payment.chain[0])
        assert status is not None
        return status

    monkeypatch.setattr(act.PaymentService, "authorize", careless)
    done = Desk(tmp_path / "desk").call("demo")
    assert done.code == 70
    assert "too dear: the ledger counts" in done.err


def test_where_nothing_can_be_made_nothing_is_played(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "desk")
    desk.write("taken", b"")
    before = listing(desk.folder)
    done = desk.call("demo", "--dir", "taken")
    assert done.code == 3
    assert "file_exists" in one_line(done)
    assert listing(desk.folder) == before


def test_it_names_itself_as_it_was_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path / "desk")
    program = desk.folder / "bin" / "act"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for argv, path, name in (
        (".venv/bin/act", os.defpath, ".venv/bin/act"),
        (str(program), str(program.parent), "act"),
        (str(program), os.defpath, str(program)),
    ):
        monkeypatch.setattr("sys.argv", [argv])
        monkeypatch.setenv("PATH", path)
        lines = desk.call("demo", "--json").document["next"]
        assert all(line.startswith(f"{name} ") for line in lines)


def test_the_json_of_the_demo_is_the_same_story_as_its_text(played: tuple[Desk, Done], tmp_path: Path) -> None:
    document = json.loads(Desk(tmp_path / "desk").spawn("demo", "--json").raw)
    for step in document["steps"]:
        if step["outcome"] != "refused" or step["title"] != "one too many":
            assert step["title"] in played[1].out
            assert step["story"] in played[1].out


def test_a_link_that_is_signed_although_it_adds_a_shop_fails_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = act.delegate

    def careless(document: dict[str, object], **rest: Any) -> bytes:
        return honest({**document, "ext": {"commerce": {"allowed_merchants": ["teashop.example"]}}}, **rest)

    monkeypatch.setattr(act, "delegate", careless)
    done = Desk(tmp_path / "desk").call("demo")
    assert done.code == 70
    assert "a shop is added: signed, where it had to be refused with link_payee_added" in done.err

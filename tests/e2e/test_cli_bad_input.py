"""Bad input: one clear line on stderr, the right exit code, no traceback, and nothing half written."""

from __future__ import annotations

import json
import os
import resource
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

import act
from act_cli.main import run
from tests.support.command import AT, Desk, Done, listing, one_line, parties_document
from tests.support.world import OTHER_PSP, PSP, SHOP, WALLET, key, reseal

PARTIES = ("--parties", "parties.json")
SIGN = ("--key", "wallet.pem", "--holder", "agent.pub.pem", "--out", "out.cbor")
PAY = ("--mandate", "mandate.cbor", "--key", "agent.pem", "--out", "out.cbor")
SERVICE = ("--ledger", "ledger.db", "--ledger-id", PSP, "--key", "psp.pem")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "desk")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """One desk for all the cases below, and what they are wrong with: each of them shows that it changed nothing."""
    desk = Desk(tmp_path_factory.mktemp("bad") / "desk")
    draft = desk.world.document()
    desk.write("unknown.json", json.dumps(draft | {"max_daily_amount": "1.00"}).encode())
    desk.write("float.json", json.dumps(draft | {"max_total_amount": 2e2}).replace("200.0", "2e2").encode())
    desk.write("twice.json", b'{"issuer": "a", "issuer": "b"}')
    desk.write("broken.json", b'{"issuer": ')
    desk.write("list.json", b"[]")
    desk.write("empty", b"")
    desk.write("shown-order.json", desk.call("inspect", "order.cbor", "--json").raw)
    desk.write("junk", bytes(range(256)))
    desk.write("large", bytes(400_000))
    desk.write("words.txt", b"just text")
    desk.write("parties2.json", json.dumps(parties_document(desk.world.parties) | {"version": 0}).encode())
    desk.write("nodb.db", b"this is no database, whatever its name may say" * 100)
    desk.write("there", b"old")
    desk.folder.joinpath("folder").mkdir()
    with closing(act.SqliteLedger(desk.folder / "other.db")) as ledger:
        parties = desk.world.parties
        service = act.PaymentService(OTHER_PSP, parties=parties, ledger=ledger, signer=key(OTHER_PSP))
        service.revoke(desk.world.mint(ledger=OTHER_PSP))
    return desk


CASES: dict[str, tuple[tuple[str, ...], int, str]] = {
    "missing object": (("inspect", "missing"), 3, "file_unreadable"),
    "folder for an object": (("inspect", "folder"), 3, "file_unreadable"),
    "empty object": (("inspect", "empty"), 1, "cbor_invalid"),
    "junk": (("inspect", "junk"), 1, "cbor_invalid"),
    "too large": (("inspect", "large"), 1, "input_too_large"),
    "JSON for an object": (("inspect", "parties.json"), 1, "JSON"),
    "PEM for an object": (("inspect", "wallet.pub.pem"), 1, "a PEM file, such as a key"),
    "empty file for an object": (("authorize", "empty", *SERVICE, *PARTIES), 1, "an empty file"),
    "text for an object": (("status", "words.txt", "--ledger", "ledger.db", *PARTIES), 1, "text"),
    "ledger for an object": (("revoke", "other.db", *SERVICE, *PARTIES), 1, "a ledger"),
    "mandate for a payment": (("authorize", "mandate.cbor", *SERVICE, *PARTIES), 1, "mandate.cbor"),
    "payment for a mandate": (("revoke", "payment.cbor", *SERVICE, *PARTIES), 1, "kind_unexpected"),
    "mandate for a receipt's order": (("verify", "order.cbor", "--order", "mandate.cbor", *PARTIES), 1, "mandate.cbor"),
    "junk for an order": (("pay", "junk", *PAY), 1, "junk"),
    "another agent's key": (
        ("pay", "order.cbor", "--mandate", "mandate.cbor", "--key", "thief.pem", "--out", "o"),
        3,
        key("thief").kid.hex(),
    ),
    "too large a draft of a mandate": (("mint", "--from", "large", *SIGN), 3, "draft_invalid"),
    "too large a draft of an order": (("order", "--from", "large", "--key", "shop.pem", "--out", "o"), 3, "draft_invalid"),
    "too large a passphrase": (("keys", "show", "wallet.pem", "--passphrase-file", "large"), 3, "key_unusable"),
    "order's whole document for a mandate": (("mint", "--from", "shown-order.json", *SIGN), 3, "shown-order.json"),
    "missing mandate.json": (("mint", "--from", "missing", *SIGN), 3, "file_unreadable"),
    "unknown field": (("mint", "--from", "unknown.json", *SIGN), 3, "unknown.json: max_daily_amount"),
    "amount with an exponent": (("mint", "--from", "float.json", *SIGN), 3, "draft_invalid"),
    "name that stands twice": (("mint", "--from", "twice.json", *SIGN), 3, "draft_invalid"),
    "broken mandate.json": (("mint", "--from", "broken.json", *SIGN), 3, "draft_invalid"),
    "list for a mandate": (("mint", "--from", "list.json", *SIGN), 3, "draft_invalid"),
    "object for a mandate.json": (("mint", "--from", "order.cbor", *SIGN), 3, "draft_invalid"),
    "unknown field of an order": (
        ("order", "--from", "unknown.json", "--key", "shop.pem", "--out", "out.cbor"),
        3,
        "draft_invalid",
    ),
    "mandate for an order": (("pay", "mandate.cbor", *PAY), 1, "kind_unexpected"),
    "order for a mandate": (("status", "order.cbor", "--ledger", "ledger.db", *PARTIES), 1, "kind_unexpected"),
    "payment for an order": (("pay", "payment.cbor", *PAY), 1, "kind_unexpected"),
    "order for a payment": (("authorize", "order.cbor", *SERVICE, *PARTIES), 1, "kind_unexpected"),
    "missing parties file": (("verify", "mandate.cbor", "--parties", "missing"), 3, "file_unreadable"),
    "broken parties file": (("verify", "mandate.cbor", "--parties", "broken.json"), 3, "broken.json"),
    "invalid parties file": (("verify", "mandate.cbor", "--parties", "parties2.json"), 3, "parties2.json: version"),
    "folder for a parties file": (("authorize", "payment.cbor", *SERVICE, "--parties", "folder"), 3, "file_unreadable"),
    "missing key": (("pay", "order.cbor", "--mandate", "mandate.cbor", "--key", "missing", "--out", "o"), 3, "file_unreadable"),
    "public key to sign with": (
        ("pay", "order.cbor", "--mandate", "mandate.cbor", "--key", "agent.pub.pem", "--out", "o"),
        3,
        "agent.pub.pem",
    ),
    "junk for a key": (("keys", "show", "junk"), 3, "key_unusable"),
    "private key for the agent's": (
        ("mint", "--from", "unknown.json", "--key", "wallet.pem", "--holder", "agent.pem", "--out", "o"),
        3,
        "draft_invalid",
    ),
    "passphrase for a plain key": (("keys", "show", "wallet.pem", "--passphrase-file", "there"), 3, "key_unusable"),
    "empty passphrase": (("keys", "new", "--out", "k.pem", "--passphrase-file", "empty"), 3, "key_unusable"),
    "output that is there": (("pay", "order.cbor", *PAY[:-1], "there"), 3, "file_exists"),
    "folder for an output": (("pay", "order.cbor", *PAY[:-1], "folder", "--force"), 3, "no regular file"),
    "device for an output": (("pay", "order.cbor", *PAY[:-1], "/dev/null", "--force"), 3, "no regular file"),
    "output in no folder": (("pay", "order.cbor", *PAY[:-1], "missing/out"), 3, "no such folder"),
    "key that is there": (("keys", "new", "--out", "wallet.pem"), 3, "file_exists"),
    "public key that is there": (("keys", "new", "--out", "k.pem", "--public-out", "there"), 3, "file_exists"),
    "missing ledger": (("status", "mandate.cbor", "--ledger", "missing.db", *PARTIES), 3, "there is no such ledger"),
    "no ledger at all": (("authorize", "payment.cbor", "--ledger", "nodb.db", *SERVICE[2:], *PARTIES), 3, "nodb.db"),
    "folder for a ledger": (("authorize", "payment.cbor", "--ledger", "folder", *SERVICE[2:], *PARTIES), 3, "store_"),
    "another's ledger": (
        ("authorize", "payment.cbor", "--ledger", "other.db", *SERVICE[2:], *PARTIES),
        3,
        "store_wrong_ledger",
    ),
    "demo where something is": (("demo", "--dir", "folder"), 3, "file_exists"),
    "demo in no folder": (("demo", "--dir", "missing/demo"), 3, "file_unwritable"),
    "no command": (("pray",), 2, "usage"),
    "no option": (("mint", "--free"), 2, "act mint --help"),
    "nothing required": (("authorize",), 2, "usage"),
    "both a file and options": (("mint", "--from", "unknown.json", "--issuer", "a", *SIGN), 2, "exclude each other"),
    "both a file and a lock": (
        ("order", "--from", "unknown.json", "--lock-minutes", "3", "--key", "shop.pem", "--out", "o"),
        2,
        "exclude each other",
    ),
    "instant without a zone": (("verify", "mandate.cbor", *PARTIES, "--at", "2026-02-06T09:00:00"), 2, "--at"),
    "instant that does not exist": (("verify", "mandate.cbor", *PARTIES, "--at", "2026-02-30T09:00:00Z"), 2, "--at"),
    "instant before time": (("verify", "mandate.cbor", *PARTIES, "--at", "1969-12-31T23:59:59Z"), 2, "--at"),
    "instant out of the calendar": (("verify", "mandate.cbor", *PARTIES, "--at", "0001-01-01T00:00:00+23:59"), 2, "--at"),
    "request id too short": (("pay", "order.cbor", *PAY, "--request-id", "00"), 2, "--request-id"),
    "stdin twice": (("pay", "-", "--mandate", "-", "--key", "agent.pem", "--out", "o"), 2, "standard input"),
    "item without a price": (
        (
            "order",
            "--payee",
            "a",
            "--agent",
            "b",
            "--principal",
            "c",
            "--order-no",
            "1",
            "--item",
            "sku=a,name=b",
            "--key",
            "shop.pem",
            "--out",
            "o",
        ),
        2,
        "--item",
    ),
    "item with something unknown": (
        (
            "order",
            "--payee",
            "a",
            "--agent",
            "b",
            "--principal",
            "c",
            "--order-no",
            "1",
            "--item",
            "sku=a,price=2",
            "--key",
            "shop.pem",
            "--out",
            "o",
        ),
        2,
        "--item",
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_bad_input(prepared: Desk, name: str, as_json: bool) -> None:
    desk = prepared
    arguments, code, expected = CASES[name]
    before = listing(desk.folder)
    if as_json:
        done = desk.call(*arguments, "--json")
        assert done.err == ""
        assert expected in done.out
        assert list(done.document)[:8] == ["outcome", "code", "rule", "where", "meaning", "remedy", "facts", "replayed"]
    else:
        done = desk.call(*arguments)
        line = one_line(done)
        assert line.isprintable()
        assert expected in line
    assert done.code == code
    assert listing(desk.folder) == before


MINT = ("mint", "--issuer", WALLET, "--ledger-id", PSP, "--principal", "user:lin", "--agent", "a", "--intent-id", "i")


@pytest.mark.parametrize(
    "options, expected",
    [
        (("--max-total", "1_000.00", "--valid-for", "1"), "--max-total"),
        (("--max-total", "1e2", "--valid-for", "1"), "--max-total"),
        (("--max-total", "-0.00", "--valid-for", "1"), "--max-total"),
        (("--max-total", "\uff1200.00", "--valid-for", "1"), "--max-total"),
        (("--max-total", "200", "--valid-for", "1"), "--max-total"),
        (("--max-total", "200.00", "--currency", "XXX", "--valid-for", "1"), "Invalid value for --currency"),
        (("--max-total", "200.00", "--from-time", "9999-12-31T00:00:00Z", "--valid-for", "87600"), "--valid-for"),
        (("--max-total", "200.00", "--max-single", "30", "--valid-for", "1"), "--max-single"),
        (("--max-total", "20.00", "--max-single", "30.00", "--valid-for", "1"), "constraint_conflict"),
        (("--max-total", "200.00"), "--until or --valid-for"),
        (("--max-total", "200.00", "--until", "2099-01-01T00:00:00Z", "--valid-for", "1"), "--until or --valid-for"),
        (("--max-total", "200.00", "--valid-for", "0"), "--valid-for"),
        (("--max-total", "200.00", "--from-time", "2099-01-01T00:00:00Z", "--until", "2098-01-01T00:00:00Z"), "validity"),
        (("--valid-for", "1"), "--max-total"),
    ],
)
def test_options_of_a_mandate_that_make_no_mandate(prepared: Desk, options: tuple[str, ...], expected: str) -> None:
    before = listing(prepared.folder)
    done = prepared.call(*MINT, *options, *SIGN)
    assert done.code == 2
    assert expected in one_line(done)
    assert listing(prepared.folder) == before


def test_stdout_holds_an_object_or_a_document_and_never_both(desk: Desk) -> None:
    done = desk.call("pay", "order.cbor", *PAY[:-1], "-", "--json")
    assert done.code == 2
    assert "exclude each other" in done.document["meaning"]


def test_a_usage_error_is_json_when_json_is_wanted(desk: Desk) -> None:
    done = desk.call("mint", "--json", "--free")
    assert (done.code, done.err) == (2, "")
    assert (done.document["outcome"], done.document["where"]) == ("usage", "act mint")


@pytest.mark.parametrize(
    "arguments, where", [(("--json",), "act"), (("keys", "--json"), "act keys"), (("intent", "--json"), "act intent")]
)
def test_json_without_a_command_is_a_document_that_says_so(desk: Desk, arguments: tuple[str, ...], where: str) -> None:
    done = desk.call(*arguments)
    assert (done.code, done.err) == (2, "")
    assert (done.document["where"], done.document["meaning"]) == (where, "Missing command")


def test_a_defect_is_one_line_and_code_70(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: str) -> bytes:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("act_cli.commands.inspect.read_signed", fail)
    monkeypatch.delenv("ACT_DEBUG", raising=False)
    done = desk.call("inspect", "mandate.cbor")
    assert done.code == 70
    assert "ZeroDivisionError" in one_line(done)
    assert desk.call("inspect", "mandate.cbor", "--json").document["outcome"] == "internal"


# --- foreign text ------------------------------------------------------------------------------------------------------

HOSTILE = "Tea\u202eShop\x9b31m\u2066"


def harmless(done: Done) -> str:
    """What a command wrote, if no terminal could be steered by it."""
    text = done.out + done.err
    assert all(line.isprintable() for line in text.split("\n")), ascii(text)
    return text


def test_a_merchant_whose_name_turns_the_line_around_is_not_enrolled(desk: Desk) -> None:
    document = parties_document(desk.world.parties)
    document["parties"][2]["name"] = HOSTILE
    desk.write("parties.json", json.dumps(document).encode())
    for options in ((), ("--json",)):
        done = desk.call("verify", "order.cbor", *PARTIES, "--at", AT, *options)
        assert done.code == 3
        assert "parties.2.name" in harmless(done)


def test_private_data_of_a_mandate_cannot_steer_the_terminal(desk: Desk) -> None:
    ext = {
        "commerce": {"max_single_amount": "30.00"},
        "vendor_private": {"\x1b]0;title\x07": "\x1b[2J\u202e", "n": ["\x00", 1]},
    }
    desk.write("m.cbor", desk.world.mint(ext=ext))
    for options in ((), ("--json",), ("--lang", "zh")):
        done = desk.call("inspect", "m.cbor", *options)
        assert done.code == 0
        assert "\\u001b" in harmless(done) or "\\x1b" in harmless(done)


def test_an_unknown_claim_cannot_steer_the_terminal(desk: Desk) -> None:
    hostile = reseal(desk.order, key(SHOP), {"act.\x1b[31m\u202eprice": "1"})
    desk.write("o.cbor", hostile)
    for command in (("inspect", "o.cbor"), ("verify", "o.cbor", *PARTIES), ("pay", "o.cbor", *PAY)):
        for options in ((), ("--json",)):
            done = desk.call(*command, *options)
            assert done.code == 1
            assert "claim_unknown" in harmless(done)


def test_names_on_the_command_line_cannot_steer_the_terminal(desk: Desk) -> None:
    hostile = "\x1b[31mfile\u202e\nsecond line"
    for command in (
        ("inspect", hostile),
        (hostile,),
        ("mint", hostile),
        ("keys", "show", hostile),
        ("verify", hostile, *PARTIES),
    ):
        assert len(harmless(desk.call(*command)).splitlines()) == 1
    desk.write(hostile, desk.mandate)
    harmless(desk.call("inspect", hostile))
    harmless(desk.call("verify", hostile, *PARTIES))


def test_a_draft_with_such_a_name_is_not_signed(desk: Desk) -> None:
    item = f"sku=a,name={HOSTILE},category=tea,unit_amount=1.00"
    who = "--payee", SHOP, "--agent", "a", "--principal", "p", "--order-no", "1"
    done = desk.call("order", *who, "--item", item, "--key", "shop.pem", "--out", "o.cbor")
    assert done.code == 1
    assert "claim_invalid" in harmless(done)
    assert not desk.folder.joinpath("o.cbor").exists()


def test_markup_of_the_renderer_in_foreign_text_is_text(desk: Desk) -> None:
    desk.write("o.cbor", desk.world.order(order_no="[red]1[/red]:tea:"))
    assert "[red]1[/red]:tea:" in desk.call("inspect", "o.cbor").out


def test_a_folder_whose_name_would_steer_the_terminal(desk: Desk) -> None:
    for options in ((), ("--json",)):
        assert desk.call("demo", "--dir", f"\x1b[31mdd\u3164{len(options)}", *options).code == 0
    done = desk.call("demo", "--dir", "\x1b[31mdd")
    assert done.code == 0
    assert "\\x1b[31mdd" in harmless(done)


# --- permissions, disks, pipes: as processes ----------------------------------------------------------------------------


@pytest.fixture
def shared_desk() -> Iterator[Desk]:
    """A desk in a folder that everybody may look into, whatever the folders of pytest allow."""
    folder = Path(tempfile.mkdtemp(prefix="act-"))
    folder.chmod(0o755)
    desk = Desk(folder / "desk")
    for path in desk.folder.iterdir():
        path.chmod(0o644)
    yield desk
    for path in (desk.folder, *desk.folder.iterdir()):
        path.chmod(0o700)
    shutil.rmtree(folder)


def _seal(desk: Desk) -> None:
    """Nobody but root may write here."""
    for path in desk.folder.iterdir():
        path.chmod(0o444)
    desk.folder.chmod(0o555)


def without_key_warnings(done: Done) -> Done:
    """The keys of a shared desk can be read by everybody, on purpose."""
    lines = [line for line in done.err.splitlines(keepends=True) if not line.startswith("warning: key_file_exposed")]
    return Done(done.code, done.raw, "".join(lines))


def test_a_file_that_may_not_be_read(shared_desk: Desk) -> None:
    shared_desk.folder.joinpath("mandate.cbor").chmod(0 if os.geteuid() else 0o600)
    done = shared_desk.spawn_as_nobody("inspect", "mandate.cbor")
    assert done.code == 3
    assert "file_unreadable" in one_line(done)
    assert "Permission denied" in done.err


def test_a_folder_that_may_not_be_written(shared_desk: Desk) -> None:
    _seal(shared_desk)
    before = listing(shared_desk.folder)
    for command in (
        ("pay", "order.cbor", *PAY),
        ("keys", "new", "--out", "k.pem"),
        ("demo",),
        ("authorize", "payment.cbor", *SERVICE, *PARTIES, "--at", AT),
    ):
        done = without_key_warnings(shared_desk.spawn_as_nobody(*command))
        assert done.code == 3, command
        assert any(code in one_line(done) for code in ("file_unwritable", "store_unavailable"))
    assert listing(shared_desk.folder) == before


def test_a_folder_that_may_be_written_but_not_read(shared_desk: Desk) -> None:
    """The new name could not be synced there, so none is made."""
    shared_desk.folder.chmod(0o333)
    before = listing(shared_desk.folder) if os.geteuid() == 0 else None
    for command in (("pay", "order.cbor", *PAY), ("pay", "order.cbor", *PAY[:-1], "request.cbor", "--force")):
        done = without_key_warnings(shared_desk.spawn_as_nobody(*command))
        assert done.code == 3
        assert "file_unwritable" in one_line(done)
    shared_desk.folder.chmod(0o755)
    assert before in (None, listing(shared_desk.folder))
    assert not shared_desk.folder.joinpath("out.cbor").exists()


def test_status_needs_no_right_to_write_the_ledger(shared_desk: Desk) -> None:
    assert shared_desk.authorize().code == 0
    ledger = shared_desk.folder / "ledger.db"
    ledger.chmod(0o444)
    shared_desk.folder.chmod(0o777)  # SQLite keeps its two companion files beside a ledger while it is read
    before = ledger.read_bytes()
    done = shared_desk.spawn_as_nobody("status", "mandate.cbor", "--ledger", "ledger.db", *PARTIES, "--at", AT, "--json")
    assert (done.code, done.err) == (0, "")
    assert done.document["limits"][0]["held"] == "18.00"
    assert ledger.read_bytes() == before


def test_a_ledger_that_may_only_be_read(shared_desk: Desk) -> None:
    assert shared_desk.authorize().code == 0
    second = shared_desk.world.payment(iac=shared_desk.mandate)
    shared_desk.write("second.cbor", second.to_bytes())
    _seal(shared_desk)
    before = listing(shared_desk.folder)
    for command in (
        ("authorize", "second.cbor", *SERVICE, *PARTIES, "--at", AT),
        ("revoke", "mandate.cbor", *SERVICE, *PARTIES),
    ):
        done = without_key_warnings(shared_desk.spawn_as_nobody(*command))
        assert done.code == 3, command
        assert "store_read_only" in one_line(done)
    assert listing(shared_desk.folder) == before


def _limit(size: int) -> Callable[[], None]:
    """No file grows beyond `size` bytes, as on a disk that is full: the write fails in the middle."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize(
    "command",
    [
        ("pay", "order.cbor", *PAY),
        ("keys", "new", "--out", "k.pem"),
        ("authorize", "payment.cbor", *SERVICE, *PARTIES, "--at", AT),
        ("demo",),
    ],
    ids=lambda command: command[0],
)
def test_a_full_disk_leaves_nothing_half_written(desk: Desk, command: tuple[str, ...]) -> None:
    before = listing(desk.folder)
    done = desk.spawn(*command, before=_limit(64 if command[0] != "authorize" else 1024))
    assert done.code == 3
    assert any(code in one_line(done) for code in ("file_unwritable", "store_unavailable", "store_full"))
    after = listing(desk.folder)
    if command[0] == "demo":  # its folder stays, with whole files only
        after = {name: data for name, data in after.items() if not name.startswith("act-demo")}
    assert after == before


def test_a_full_disk_in_the_ledger_holds_nothing(desk: Desk) -> None:
    assert desk.authorize().code == 0
    second = desk.world.payment(iac=desk.mandate)
    desk.write("second.cbor", second.to_bytes())
    size = desk.folder.joinpath("ledger.db").stat().st_size
    arguments = ("authorize", "second.cbor", *SERVICE, *PARTIES, "--at", AT)
    done = desk.spawn(*arguments, before=_limit(min(size, 4096)))
    assert done.code == 3
    assert any(code in one_line(done) for code in ("store_full", "store_unavailable"))
    again = desk.authorize("second.cbor", "--json")
    assert (again.code, again.document["replayed"]) == (0, False)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has /dev/full")
@pytest.mark.parametrize("command", [("inspect", "mandate.cbor"), ("keys", "show", "wallet.pem", "--json"), ("--help",)])
def test_output_onto_a_full_disk(desk: Desk, command: tuple[str, ...]) -> None:
    with open("/dev/full", "wb") as full:
        done = desk.spawn(*command, stdout=full.fileno())
    assert done.code == 3
    assert "standard output" in one_line(done)


def test_the_boundary_lets_nothing_through(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a command line holds, there is an exit code and no exception."""
    monkeypatch.chdir(desk.folder)
    for arguments in (
        ["\udcff"],
        ["inspect", "\udcff"],
        ["verify", "", *PARTIES],
        [""],
        ["--"],
        ["inspect", "--", "-x"],
        ["-x"],
    ):
        assert run(arguments) in (1, 2, 3)

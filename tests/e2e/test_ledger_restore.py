"""A ledger is lost and restored: the real command, writers that do not stop for a backup, and backups that are killed."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Thread

import pytest

import act
from tests.support.command import AT, Desk, Done, clean_environment, one_line
from tests.support.fold import audit
from tests.support.payer import Payer, tea_scene
from tests.support.restoring import signed_receipts
from tests.support.world import World, nothing_moves

KEYS = ("--key", "psp.pem", "--parties", "parties.json")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "desk")
    yield desk
    for path in desk.folder.glob("*.db"):
        audit(path)


def pay(desk: Desk, name: str, amount: str, *more: str, iac: bytes | None = None) -> Done:
    """One more payment of the desk's mandate; its receipt goes to the folder of receipts."""
    payment = desk.world.payment(iac=iac or desk.mandate, order=desk.world.order(amount))
    desk.write(f"{name}.cbor", payment.to_bytes())
    (desk.folder / "receipts").mkdir(exist_ok=True)
    return desk.authorize(f"{name}.cbor", "--receipt-out", f"receipts/{name}", "--json", *more)


def reconcile(desk: Desk, *arguments: str) -> Done:
    return desk.call("ledger", "reconcile", "ledger.db", *arguments, *KEYS)


def lost_and_restored(desk: Desk) -> None:
    """The ledger's disk is gone, and the backup takes its place."""
    for path in desk.folder.glob("ledger.db*"):
        path.unlink()
    (desk.folder / "copy.db").rename(desk.folder / "ledger.db")


def left(desk: Desk) -> str:
    done = desk.call("status", "mandate.cbor", "--ledger", "ledger.db", "--parties", "parties.json", "--at", AT, "--json")
    assert done.code == 0, done.err
    return str(next(each["left"] for each in done.document["limits"] if each["name"] == "max_total_amount"))


def test_an_afternoon_with_a_lost_ledger(desk: Desk) -> None:
    """The user's 200.00 stay 200.00, though the ledger that is left has seen 18.00 of it only."""
    first = desk.authorize("payment.cbor", "--json").document["charge"]["id"]
    copied = desk.spawn("ledger", "backup", "ledger.db", "copy.db")
    assert (copied.code, copied.err) == (0, "")
    assert "frozen until reconciled" in copied.out
    for number in range(6):
        assert pay(desk, f"after-{number}", "28.00").code == 0
    assert pay(desk, "too-much", "20.00").code == 1
    desk.call("void", first, *desk.service_options, "--receipt-out", "receipts/void")
    before = left(desk)
    lost_and_restored(desk)

    frozen = one_line(desk.authorize("after-0.cbor"))
    assert "store_frozen" in frozen
    assert "act ledger reconcile" in frozen
    for command in (("capture", first, "--all"), ("void", first), ("refund", first, "--all", "--refund-no", "1")):
        assert desk.call(*command, *desk.service_options).code == 3
    assert desk.call("ledger", "expire", *desk.service_options).code == 3
    assert desk.call("statement", "mandate.cbor", "--ledger", "ledger.db", "--parties", "parties.json").code == 0
    assert desk.call("ledger", "check", "ledger.db").code == 0

    with nothing_moves(desk.folder / "ledger.db"):
        told = reconcile(desk, "receipts", "--complete", "--dry-run")
        assert told.code == 0, told.err
        assert "WOULD RECONCILE" in told.out
        gap = reconcile(desk, "receipts/after-3", "--complete")
        assert gap.code == 1
        assert "(receipts/after-3: receipt.act.sequence)" in gap.err
        assert "2 is missing" in gap.err
    done = desk.spawn("ledger", "reconcile", "ledger.db", "receipts", "--complete", *KEYS, "--json")
    assert done.code == 0, done.err
    assert done.document["entries"] == {"replayed": 8, "filled": 0}
    assert done.document["retired"] == []
    assert left(desk) == before == "32.00"
    again = desk.authorize("after-0.cbor", "--json")
    assert again.document["replayed"] is True
    assert pay(desk, "last", "30.00").code == 0
    assert pay(desk, "over", "2.01").code == 1
    assert reconcile(desk, "--complete").code == 2


def test_without_an_attestation_the_mandate_ends(desk: Desk) -> None:
    desk.authorize()
    desk.call("ledger", "backup", "ledger.db", "copy.db")
    lost_and_restored(desk)
    future = reconcile(desk, "--at", "2999-01-01T00:00:00Z")
    assert future.code == 2
    done = reconcile(desk, "--at", AT)
    assert done.code == 0, done.err
    assert "1 of 1 revoked" in done.out
    refusal = pay(desk, "more", "1.00")
    assert (refusal.code, refusal.document["code"]) == (1, "credential_revoked")
    assert desk.call("revoke", "mandate.cbor", *desk.service_options, "--json").document["replayed"] is True


def test_a_mandate_the_backup_never_saw(desk: Desk) -> None:
    """With all of its receipts and itself it is known; otherwise it is refused from then on."""
    desk.authorize()
    desk.call("ledger", "backup", "ledger.db", "copy.db")
    other = desk.world.mint()
    desk.write("other.cbor", other)
    assert pay(desk, "one", "28.00", iac=other).code == 0
    assert pay(desk, "two", "28.00", iac=other).code == 0
    lost_and_restored(desk)
    desk.write("second.db", (desk.folder / "ledger.db").read_bytes())
    done = reconcile(desk, "receipts", "--mandate", "other.cbor", "--complete", "--json")
    assert done.code == 0, done.err
    assert done.document["mandates"] == 2
    assert done.document["entries"]["replayed"] == 2
    forgotten = desk.call("ledger", "reconcile", "second.db", "receipts", "--complete", *KEYS, "--json")
    assert forgotten.document["receipts"]["unknown"] == 2
    payment = desk.world.payment(iac=other, order=desk.world.order("1.00"))
    desk.write("three.cbor", payment.to_bytes())
    options = ("--ledger", "second.db", *desk.service_options[2:], "--at", AT)
    refusal = desk.call("authorize", "three.cbor", *options, "--json")
    assert (refusal.code, refusal.document["code"]) == (1, "credential_forgotten")
    assert desk.authorize("three.cbor").code == 0


@pytest.mark.parametrize("name", ["wallet.pem", "missing.pem"])
def test_who_may_not_reconcile(desk: Desk, name: str) -> None:
    desk.authorize()
    desk.call("ledger", "backup", "ledger.db", "copy.db")
    with nothing_moves(desk.folder / "copy.db"):
        done = desk.call("ledger", "reconcile", "copy.db", "--complete", "--key", name, "--parties", "parties.json")
    assert done.code == (2 if name == "wallet.pem" else 3)
    assert name in one_line(done)


def test_a_copy_overwrites_nothing(desk: Desk) -> None:
    desk.authorize()
    for there in ("ledger.db", "order.cbor"):
        before = (desk.folder / there).read_bytes()
        done = desk.call("ledger", "backup", "ledger.db", there)
        assert done.code == 3
        assert "file_exists" in one_line(done)
        assert (desk.folder / there).read_bytes() == before
    assert desk.call("ledger", "backup", "none.db", "copy.db").code == 3
    assert desk.call("ledger", "backup", "ledger.db", "none/copy.db").code == 3


@pytest.mark.parametrize("command", [("backup", "copy.db"), ("reconcile", *KEYS)], ids=lambda each: str(each[0]))
def test_a_database_is_left_to_its_own_means(desk: Desk, command: tuple[str, ...]) -> None:
    done = desk.call("ledger", command[0], "PostgreSQL://user:word@nowhere.test/acts", *command[1:])
    assert done.code == 2
    assert "in PostgreSQL is backed up by the database's own means" in one_line(done)
    assert "word" not in done.err


# --- in a storm -------------------------------------------------------------------------------------------------------------


def test_copies_made_in_a_storm_are_beginnings_of_its_history(tmp_path: Path) -> None:
    """Four processes pay while copies are made; each copy is whole, agrees, and has what the original had by then."""
    place = tea_scene(tmp_path)
    world = World()
    draw = random.Random(4)
    iac = world.mint(max_total_amount="90000.00")
    payments = [world.payment(iac=iac, order=world.order("18.00")) for _ in range(400)]
    copies: list[Path] = []
    with ExitStack() as stack:
        payers = []
        for number in range(4):
            steps = [(each, draw.choice(["", "capture", "part", "void"])) for each in range(number, 400, 4)]
            place.plan(f"plan-{number}.json", payments, steps)
            payers.append(stack.enter_context(Payer("pay", tmp_path, f"plan-{number}.json")))
        for payer in payers:
            payer.ready()
        for payer in payers:
            payer.go()
        listeners = [Thread(target=lambda p=payer: list(p.lines())) for payer in payers]
        for listener in listeners:
            listener.start()
        while any(listener.is_alive() for listener in listeners):
            if place.ledger.exists():
                copy = tmp_path / f"copy-{len(copies)}.db"
                with act.SqliteLedger(place.ledger, create=False) as ledger:
                    if ledger.owner() is not None:
                        ledger.backup(copy, at=world.clock())
                        copies.append(copy)
            time.sleep(0.05)
        for listener in listeners:
            listener.join()
        assert [payer.process.wait() for payer in payers] == [0] * 4
    assert audit(place.ledger).charges.total() == 400
    history = _entries(place.ledger)
    lengths = []
    for copy in copies:
        audit(copy)
        entries = _entries(copy)
        assert entries == history[: len(entries)]
        lengths.append(len(entries))
    assert lengths == sorted(lengths)
    assert len(set(lengths)) > 2  # some were made in its midst
    middle = copies[len(copies) // 2]
    with act.SqliteLedger(place.ledger) as ledger, act.SqliteLedger(middle, create=False) as restored:
        (mandate,) = {ledger.charge(charge).request.mandate for charge in _charges(place.ledger)}
        receipts = signed_receipts(ledger, mandate)
        draw.shuffle(receipts)
        tools = place.tools()
        done = restored.reconcile(receipts, parties=tools["parties"], signer=tools["signer"], at=world.clock(), complete=True)
    assert done.replayed == len(history) - lengths[len(copies) // 2]
    assert audit(middle).charges == audit(place.ledger).charges
    assert _entries(middle) == history


def _entries(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        found = "SELECT account, mandate, sequence, receipt_identity FROM entry ORDER BY account, mandate, sequence"
        return connection.execute(found).fetchall()


def _charges(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute("SELECT id FROM charge")]


def test_a_killed_backup_leaves_no_half(tmp_path: Path) -> None:
    """Killed at any moment, the copy is there as a whole and frozen, or not at all; and the next one can be made."""
    place = tea_scene(tmp_path)
    world = World()
    with act.SqliteLedger(place.ledger) as ledger:
        service = place.service(ledger)
        for _ in range(40):
            service.authorize(world.payment(order=world.order("18.00")))
    with closing(sqlite3.connect(place.ledger)) as connection:  # pages enough to be killed between
        connection.execute("CREATE TABLE ballast (data BLOB)")
        connection.execute("INSERT INTO ballast VALUES (zeroblob(40000000))")
        connection.commit()
    program = (
        "import sys, act; from datetime import UTC, datetime\n"
        "ledger = act.SqliteLedger('ledger.db', create=False)\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "ledger.backup(sys.argv[1], at=datetime.now(UTC), progress=lambda done, of: print(done, flush=True))\n"
        "print('done', flush=True)\n"
    )
    draw, outcomes = random.Random(9), []
    for number in range(12):
        copy = tmp_path / f"copy-{number}.db"
        process = subprocess.Popen(
            [sys.executable, "-c", program, copy.name],
            cwd=tmp_path,
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.stdin.write(b"\n")  # type: ignore[union-attr]
        process.stdin.flush()  # type: ignore[union-attr]
        for _ in range(draw.randrange(42) if number else 1_000):
            process.stdout.readline()
        time.sleep(draw.random() * 0.02)
        process.kill()
        process.communicate()
        outcomes.append(copy.exists())
        if copy.exists():
            with closing(sqlite3.connect(copy)) as connection:
                assert connection.execute("SELECT frozen_at IS NOT NULL FROM ledger").fetchone() == (1,)
                connection.execute("DROP TABLE ballast")
            assert audit(copy).entries.total() == 40
        for draft in tmp_path.glob(".copy-*"):
            draft.unlink()
    assert outcomes[0]
    assert not all(outcomes)
    with act.SqliteLedger(place.ledger) as ledger:
        ledger.backup(tmp_path / "copy-last.db", at=world.clock())

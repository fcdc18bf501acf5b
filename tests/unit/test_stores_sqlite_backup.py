"""act.stores.sqlite.backup, and what a frozen ledger still does. Each test ends with an audit of both files."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from act.delegation.lifecycle import MandateState
from act.errors import StoreFault
from act.payment.charge import HOLD_SECONDS
from act.payment.ledger import MandateRecord
from act.stores.sqlite import SqliteLedger, backup
from act.stores.sqlite.connection import sync
from tests.support.fold import audit
from tests.support.places import FilePlace, Place
from tests.support.reservations import MAKE_RECEIPT, mandate, reservation
from tests.support.restoring import Restored
from tests.support.world import NOW, NOW_SECONDS, PSP, nothing_moves


@pytest.fixture
def place(path: Path) -> Place:
    return FilePlace(path)


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "copy.db"
    yield path
    if path.exists():
        audit(path)


def reserve(ledger: SqliteLedger, number: int = 1, of: MandateRecord | None = None, at: int = NOW_SECONDS) -> str:
    """The id of a new charge."""
    record = of or mandate()
    outcome = ledger.reserve(reservation(number, of=record, at=at), record, MAKE_RECEIPT)
    assert outcome.charge is not None
    return outcome.charge.id


def fault(call: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(StoreFault) as caught:
        call()
    return caught.value.code, caught.value.where


def test_a_copy_has_every_row_and_is_frozen(ledger: SqliteLedger, path: Path, copy: Path) -> None:
    reserve(ledger)
    ledger.capture(reserve(ledger, 2), 300, NOW_SECONDS, MAKE_RECEIPT)
    told: list[tuple[int, int]] = []
    with nothing_moves(path):
        ledger.backup(copy, at=NOW, progress=lambda done, of: told.append((done, of)))
    rows = FilePlace(copy).snapshot()
    assert rows.pop("ledger") == [(1, PSP, NOW_SECONDS, None)]
    original = FilePlace(path).snapshot()
    assert original.pop("ledger") == [(1, PSP, None, None)]
    assert rows == original
    assert told[-1][0] == told[-1][1] > 0
    assert sorted(each.name for each in copy.parent.iterdir() if "copy" in each.name) == ["copy.db"]


def test_the_original_goes_on_and_its_copy_does_not(ledger: SqliteLedger, copy: Path) -> None:
    reserve(ledger)
    ledger.backup(copy, at=NOW)
    reserve(ledger, 2)
    with SqliteLedger(copy) as frozen:
        status = frozen.status(mandate().key)
        assert status is not None
        assert len(status.charges) == 1


def test_a_copy_of_a_copy_is_as_old_as_that(ledger: SqliteLedger, copy: Path, tmp_path: Path) -> None:
    reserve(ledger)
    restored = Restored.of(ledger, copy)
    with restored.open() as frozen:
        Restored.of(frozen, tmp_path / "second.db", NOW_SECONDS + 50)
    assert FilePlace(tmp_path / "second.db").snapshot()["ledger"] == [(1, PSP, NOW_SECONDS, None)]


@pytest.mark.parametrize("name", ["copy.db", "copy.db-wal", "copy.db-shm", "copy.db-journal"])
def test_what_is_there_is_not_overwritten(ledger: SqliteLedger, copy: Path, name: str) -> None:
    reserve(ledger)
    there = copy.with_name(name)
    there.write_bytes(b"precious")
    assert fault(lambda: ledger.backup(copy, at=NOW)) == ("file_exists", str(there))
    assert there.read_bytes() == b"precious"
    there.unlink()
    assert not copy.exists()


def test_whoever_is_first_keeps_the_name(ledger: SqliteLedger, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reserve(ledger)
    link = os.link

    def late(*names: Any, **options: Any) -> None:
        copy.write_bytes(b"precious")
        link(*names, **options)

    monkeypatch.setattr(os, "link", late)
    assert fault(lambda: ledger.backup(copy, at=NOW)) == ("file_exists", str(copy))
    assert copy.read_bytes() == b"precious"
    copy.unlink()
    assert not [each for each in copy.parent.iterdir() if "copy" in each.name]


def test_there_is_nothing_to_copy_before_the_first_write(path: Path, copy: Path) -> None:
    with SqliteLedger(path) as ledger:
        assert fault(lambda: ledger.backup(copy, at=NOW))[0] == "store_unavailable"
        ledger._database.write(lambda tx: None)  # an empty file
        assert fault(lambda: ledger.backup(copy, at=NOW)) == ("store_unavailable", "ledger")
    assert not copy.exists()


def test_a_folder_that_is_not_there(ledger: SqliteLedger, tmp_path: Path) -> None:
    path = tmp_path / "none" / "copy.db"
    assert fault(lambda: ledger.backup(path, at=NOW)) == ("store_unavailable", str(path))


def test_an_error_on_the_way_leaves_nothing(ledger: SqliteLedger, copy: Path) -> None:
    reserve(ledger)

    def stop(done: int, of: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ledger.backup(copy, at=NOW, progress=stop)
    assert not [each for each in copy.parent.iterdir() if "copy" in each.name]
    reserve(ledger, 2)


def test_a_copy_is_of_one_moment_though_others_write_on(
    ledger: SqliteLedger, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy takes many steps, and between any two of them somebody pays."""
    monkeypatch.setattr("act.stores.sqlite.backup.PAGES", 4)
    for number in range(1, 40):
        reserve(ledger, number, mandate(number))
    numbers = iter(range(40, 10_000))

    def pay(done: int, of: int) -> None:
        number = next(numbers)
        reserve(ledger, number, mandate(number))

    ledger.backup(copy, at=NOW, progress=pay)
    assert next(numbers) > 45
    assert audit(copy).entries["RESERVED"] == 39


# --- frozen -----------------------------------------------------------------------------------------------------------------


def test_what_a_frozen_ledger_refuses(ledger: SqliteLedger, copy: Path) -> None:
    charge = reserve(ledger)
    captured = reserve(ledger, 2)
    ledger.capture(captured, 300, NOW_SECONDS, MAKE_RECEIPT)
    restored = Restored.of(ledger, copy)
    later = NOW_SECONDS + HOLD_SECONDS
    with restored.open() as frozen, nothing_moves(copy):
        calls: list[Callable[[], object]] = [
            lambda: frozen.reserve(reservation(3), mandate(), MAKE_RECEIPT),
            lambda: frozen.reserve(reservation(1), mandate(), MAKE_RECEIPT),  # its outcome may be another one by now
            lambda: frozen.reserve(reservation(4, of=mandate(2)), mandate(2), MAKE_RECEIPT),
            lambda: frozen.capture(charge, 100, NOW_SECONDS, MAKE_RECEIPT),
            lambda: frozen.capture(charge, 100, NOW_SECONDS, MAKE_RECEIPT, capture_no="1"),
            lambda: frozen.void(charge, NOW_SECONDS, MAKE_RECEIPT),
            lambda: frozen.refund(captured, 100, "R", NOW_SECONDS, MAKE_RECEIPT),
            lambda: frozen.expire(later, 10, MAKE_RECEIPT),
            lambda: frozen.expire(0, 10, MAKE_RECEIPT),
        ]
        for call in calls:
            assert fault(call) == ("store_frozen", str(copy))


def test_what_a_frozen_ledger_still_answers(ledger: SqliteLedger, copy: Path) -> None:
    charge = reserve(ledger)
    restored = Restored.of(ledger, copy)
    asked = reservation(1)
    with restored.open() as frozen, nothing_moves(copy):
        assert frozen.owner() == PSP
        frozen.bind(PSP)
        assert frozen.charge(charge).amount.minor == 1_800
        assert frozen.status(mandate().key) == ledger.status(mandate().key)
        assert frozen.receipts(mandate().key) == ledger.receipts(mandate().key)
        found = frozen.find(asked.request, asked.request_identity)
        assert found is not None
        assert found.replayed


@pytest.mark.parametrize("number", [1, 2], ids=["known", "unknown"])
def test_a_frozen_ledger_revokes(ledger: SqliteLedger, copy: Path, number: int) -> None:
    reserve(ledger)
    restored = Restored.of(ledger, copy)
    with restored.open() as frozen:
        outcome = frozen.revoke(mandate(number), NOW_SECONDS + 5, MAKE_RECEIPT)
        assert not outcome.replayed
        status = frozen.status(mandate(number).key)
        assert status is not None
        assert status.state is MandateState.REVOKED
        assert fault(lambda: frozen.reserve(reservation(3), mandate(), MAKE_RECEIPT))[0] == "store_frozen"


def test_a_file_that_is_put_where_none_was_is_seen_to_be_frozen(path: Path, ledger: SqliteLedger, tmp_path: Path) -> None:
    """Opened before it was there: what a file says of itself is read when it is opened."""
    reserve(ledger)
    there = tmp_path / "there.db"
    with SqliteLedger(there) as early:
        Restored.of(ledger, there)
        assert fault(lambda: early.reserve(reservation(3), mandate(), MAKE_RECEIPT)) == ("store_frozen", str(there))


def test_a_ledger_that_never_was_a_backup_is_not_asked_again(ledger: SqliteLedger, path: Path) -> None:
    """Its hot path pays nothing for those that were."""
    reserve(ledger)
    statements: list[str] = []
    ledger._file._writer.set_trace_callback(statements.append)  # type: ignore[union-attr]
    reserve(ledger, 2)
    assert not [each for each in statements if "frozen" in each]


def test_a_reader_does_not_make_a_replaced_file_the_ledgers_own(path: Path, tmp_path: Path) -> None:
    """The file is replaced under an open writer, and only then read for the first time."""
    with closing(SqliteLedger(tmp_path / "other.db")) as other:
        other.bind(PSP)
    with closing(SqliteLedger(path)) as ledger:
        ledger._database.write(lambda tx: tx.execute("INSERT INTO ledger (single, ledger_id) VALUES (1, ?)", (PSP,)))
        for rest in ("-wal", "-shm"):
            path.with_name(f"{path.name}{rest}").unlink(missing_ok=True)
        os.replace(tmp_path / "other.db", path)
        assert fault(lambda: ledger.status(mandate().key))[0] == "store_unavailable"
        assert fault(lambda: reserve(ledger))[0] == "store_unavailable"


def test_a_copy_has_its_name_once_it_is_on_the_disk(ledger: SqliteLedger, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Synced, then named; then the name is synced. Nothing of it is left in a log beside it."""
    reserve(ledger)
    steps: list[str] = []
    link = os.link

    def note_link(*names: Any, **options: Any) -> None:
        steps.append("linked")
        link(*names, **options)

    def note_sync(path: Path) -> None:
        steps.append("folder" if path.is_dir() else "file")
        assert path.is_dir() or not path.with_name(f"{path.name}-wal").exists()
        sync(path)

    monkeypatch.setattr(os, "link", note_link)
    monkeypatch.setattr(backup, "sync", note_sync)
    ledger.backup(copy, at=NOW)
    assert steps == ["file", "linked", "folder"]
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)

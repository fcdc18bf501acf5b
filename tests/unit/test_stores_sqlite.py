"""act.stores.sqlite: what a ledger's file refuses by itself. Each test ends with an audit of that file."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from act.stores.sqlite import SqliteLedger
from tests.support.places import FilePlace, Place
from tests.support.reservations import MAKE_RECEIPT, mandate, reservation
from tests.support.world import nothing_moves, write_ledger


@pytest.fixture
def place(path: Path) -> Place:
    return FilePlace(path)


@pytest.mark.parametrize(
    "statement, reason",
    [
        ("UPDATE entry SET at = 0", "append-only"),
        ("DELETE FROM entry", "append-only"),
        ("INSERT OR REPLACE INTO entry SELECT * FROM entry", "append-only"),
        ("UPDATE counter SET held = cap + 1 - captured", "CHECK constraint failed"),
        ("UPDATE counter SET held = -1", "CHECK constraint failed"),
        ("UPDATE counter SET captured = -1", "CHECK constraint failed"),
        ("UPDATE counter SET held = '18.5'", "cannot store REAL"),
        ("UPDATE charge SET captured_minor = amount_minor + 1", "CHECK constraint failed"),
        ("UPDATE charge SET state = 'PAID'", "CHECK constraint failed"),
        ("UPDATE charge SET order_no = 'T-0002' WHERE order_no = 'T-0001'", "UNIQUE constraint failed"),
        ("UPDATE mandate SET state = 'Expired'", "CHECK constraint failed"),
        ("INSERT INTO ledger (single, ledger_id) VALUES (2, 'psp-2')", "CHECK constraint failed"),
        (
            "INSERT INTO request SELECT account, mandate, agent_id, holder, request_id, x'00', sequence FROM request",
            "UNIQUE constraint failed",
        ),
    ],
)
def test_the_file_itself_refuses(ledger: SqliteLedger, path: Path, statement: str, reason: str) -> None:
    for number in (1, 2):
        ledger.reserve(reservation(number), mandate(), MAKE_RECEIPT)
    with nothing_moves(path), pytest.raises(sqlite3.IntegrityError, match=reason):
        write_ledger(path, statement)

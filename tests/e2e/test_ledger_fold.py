"""The audit that other tests rely on finds every kind of wrong total, missing row and broken chain."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from act.stores.sqlite import SqliteLedger
from tests.support.fold import audit, disagreements
from tests.support.reservations import MAKE_RECEIPT, limit, mandate, reservation
from tests.support.world import NOW_SECONDS, PSP


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger with a captured, a voided and a held charge, a refusal and a revocation."""
    path = tmp_path / "ledger.db"
    with closing(SqliteLedger(path)) as ledger:
        ledger.bind(PSP)
        for number in (1, 2, 3):
            limits = [limit(20_000), limit(9_000, "ext.quota.day")]
            charge = ledger.reserve(reservation(number, number * 1_000, limits=limits), mandate(), MAKE_RECEIPT).charge
            assert charge is not None
            if number == 1:
                ledger.capture(charge.id, 400, NOW_SECONDS, MAKE_RECEIPT)
            if number == 2:
                ledger.void(charge.id, NOW_SECONDS, MAKE_RECEIPT)
        ledger.reserve(reservation(4, 20_000, limits=[limit(20_000)]), mandate(), MAKE_RECEIPT)
        ledger.reserve(reservation(5, of=mandate(2)), mandate(2), MAKE_RECEIPT)
        ledger.revoke(mandate(2), NOW_SECONDS, MAKE_RECEIPT)
    return path


def test_a_ledger_that_was_only_used_agrees_with_itself(path: Path) -> None:
    found = audit(path)
    assert (found.held_minor, found.captured_minor) == (3_000 + 1_800, 400)
    assert found.charges == {"CAPTURED": 1, "VOIDED": 1, "HELD": 2}
    assert found.entries == {"RESERVED": 4, "CAPTURED": 1, "VOIDED": 1, "REFUSED": 1, "REVOKED": 1}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE counter SET held = held - 1 WHERE mandate = 1 AND name = 'max_total_amount'",
        "UPDATE counter SET captured = captured + 1 WHERE mandate = 1 AND name = 'ext.quota.day'",
        "UPDATE counter SET cap = cap + 1 WHERE mandate = 2",
        "DELETE FROM counter WHERE mandate = 1 AND name = 'ext.quota.day'",
        "INSERT INTO counter VALUES (2, 'ext.quota.day', 10, 0, 0, 'AMOUNT', NULL, NULL)",
        "UPDATE charge SET amount_minor = amount_minor + 1 WHERE state = 'HELD' AND mandate = 1",
        "UPDATE charge SET captured_minor = captured_minor - 1 WHERE state = 'CAPTURED'",
        "UPDATE charge SET state = 'HELD' WHERE state = 'VOIDED'",
        "UPDATE charge SET state = 'VOIDED', captured_minor = 0 WHERE state = 'CAPTURED'",
        "UPDATE charge SET closed_sequence = 1 WHERE state = 'CAPTURED'",
        "UPDATE charge SET closed_sequence = NULL WHERE state = 'VOIDED'",
        "UPDATE charge SET order_no = 'T-9999' WHERE state = 'CAPTURED'",
        "UPDATE charge SET hold_expires_at = hold_expires_at + 1 WHERE state = 'HELD'",
        "UPDATE charge SET request_identity = zeroblob(32) WHERE state = 'HELD'",
        "DELETE FROM charge WHERE state = 'VOIDED'",
        "DELETE FROM debit WHERE name = 'ext.quota.day'",
        "UPDATE debit SET amount = amount + 1",
        "UPDATE entry SET at = at + 1 WHERE sequence = 2",
        "UPDATE entry SET amount_minor = amount_minor - 1 WHERE kind = 'CAPTURED'",
        "UPDATE entry SET code = 'credential_revoked' WHERE kind = 'REFUSED'",
        "UPDATE entry SET kind = 'VOIDED' WHERE kind = 'CAPTURED'",
        "UPDATE entry SET receipt_protected = x'a0' WHERE sequence = 1",
        "UPDATE entry SET receipt_payload = (SELECT receipt_payload FROM entry WHERE sequence = 3) WHERE sequence = 1",
        "UPDATE entry SET sequence = 99 WHERE kind = 'REVOKED'",
        "DELETE FROM entry WHERE kind = 'REFUSED'",
        "DELETE FROM entry WHERE kind = 'REVOKED'",
        "UPDATE mandate SET last_sequence = last_sequence + 1",
        "UPDATE mandate SET last_receipt = zeroblob(32)",
        "UPDATE mandate SET state = 'Active'",
        "UPDATE mandate SET state = 'Revoked'",
        "UPDATE mandate SET identity = zeroblob(32) WHERE id = 2",
        "UPDATE mandate SET delegator_identity = 'user:wu' WHERE id = 2",
        "DELETE FROM mandate WHERE id = 2",
        "DELETE FROM request WHERE mandate = 2",
        "UPDATE request SET identity = zeroblob(32) WHERE mandate = 2",
        "UPDATE request SET sequence = 1 WHERE sequence = 3",
        "UPDATE request SET agent_id = 'agent:other' WHERE mandate = 2",
        "INSERT INTO request VALUES (1, 'agent:tea-runner', zeroblob(32), zeroblob(16), zeroblob(32), 1)",
    ],
)
def test_whatever_is_changed_afterwards_is_found(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for trigger in ("changed", "deleted", "replaced"):
            connection.execute(f"DROP TRIGGER entry_is_never_{trigger}")
        assert connection.execute(statement).rowcount > 0
    assert disagreements(path)


def test_an_order_paid_twice_is_found(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP INDEX one_charge_per_order")
    with closing(SqliteLedger(path)) as ledger:
        ledger.reserve(reservation(6, 1, order_no="T-0099", of=mandate(3)), mandate(3), MAKE_RECEIPT)
        ledger.reserve(reservation(7, 1, order_no="T-0098", of=mandate(3)), mandate(3), MAKE_RECEIPT)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE charge SET order_no = 'T-0099' WHERE order_no = 'T-0098'")
    assert any("paid 2 times" in line for line in disagreements(path))

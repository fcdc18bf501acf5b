"""The audit that other tests rely on finds every kind of wrong total, missing row and broken chain."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from act.delegation.constraints import VOID
from act.delegation.lifecycle import Causer, LifecycleAction
from act.delegation.limits import Limit
from act.payment.charge import HOLD_SECONDS
from act.payment.ledger import MandateRecord
from act.payment.verifier import LinkRecord
from act.stores.postgres.connection import PostgresTransaction
from act.stores.sql.audit import audit_ledger
from act.stores.sql.ledger import SqlLedger
from tests.support.fold import audit, disagreements
from tests.support.places import FilePlace, Place, SchemaPlace
from tests.support.reservations import MAKE_RECEIPT, cause, limit, links_to, mandate, reservation
from tests.support.world import NOW_SECONDS, PSP

BEFORE = NOW_SECONDS - HOLD_SECONDS


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def used(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A ledger with charges in every state, a refund, a refusal and a revocation, in a file or a schema. No test changes it."""
    schema = None
    if request.param == "postgres":
        schema = SchemaPlace(request.getfixturevalue("postgres"))
    place: Place = schema or FilePlace(tmp_path_factory.mktemp("fold") / "ledger.db")
    use(place)
    yield place
    if schema is not None:
        schema.drop()


def use(place: Place) -> None:
    """Everything that the audit has to tell apart."""
    with place.open() as ledger:
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
        for number, part in ((6, 300), (7, None)):  # a week ago: the rest of one, and the other, have ended
            asked = reservation(number, 900, of=mandate(number), at=BEFORE)
            charge = ledger.reserve(asked, mandate(number), MAKE_RECEIPT).charge
            assert charge is not None
            if part is not None:
                ledger.capture(charge.id, part, BEFORE, MAKE_RECEIPT, capture_no="S-1")
                ledger.refund(charge.id, 100, "R-1", BEFORE, MAKE_RECEIPT)
        ledger.expire(NOW_SECONDS, 10, MAKE_RECEIPT)
        charge = ledger.reserve(reservation(8, 900, of=mandate(8)), mandate(8), MAKE_RECEIPT).charge
        assert charge is not None
        ledger.capture(charge.id, 250, NOW_SECONDS, MAKE_RECEIPT, capture_no="S-1")
        ledger.reserve(reservation(5, of=mandate(2)), mandate(2), MAKE_RECEIPT)
        ledger.revoke(mandate(2), NOW_SECONDS, MAKE_RECEIPT)
        instruct(ledger)
        succeed(ledger)


def succeed(ledger: SqlLedger) -> None:
    """Under yet another, two successors with other limits, and a payment that came too late."""
    every = (limit(20_000), Limit("ext.quota.periods.0.max_amount~600", 9_000, "period_amount_exceeded", sliding_seconds=600))
    line: list[MandateRecord] = []
    for number, limits in ((11, every[:1]), (13, every), (15, every[1:])):
        slid = [replace(each, since=NOW_SECONDS - 600) if each.sliding_seconds else each for each in limits]
        own = partial(_given, tuple(slid))
        line.append(replace(mandate(number), supersedes=line[-1].identity if line else None, own_limits=own))
        for request in (number + 10, number + 11):
            ledger.reserve(reservation(request, 900, of=line[-1], limits=slid), line[-1], MAKE_RECEIPT)
    (first, *_) = ledger.status(line[-1].key).charges  # type: ignore[union-attr]  # it was just used
    ledger.capture(first.id, 500, NOW_SECONDS, MAKE_RECEIPT, capture_no="S-1")
    ledger.reserve(reservation(40, 900, of=line[0]), line[0], MAKE_RECEIPT)
    ledger.change(line[0], (), LifecycleAction.REVOKE, cause(20), NOW_SECONDS, MAKE_RECEIPT)


def _given(limits: tuple[Limit, ...], at: int) -> tuple[Limit, ...]:
    return limits


def instruct(ledger: SqlLedger) -> None:
    """Under one more mandate, credentials that were suspended, resumed and revoked, and a charge captured by instruction."""
    record, chain = replace(mandate(9), on_revoke=VOID), links_to(1, 2)
    for number, links in ((9, chain), (10, chain[:1]), (11, ())):
        ledger.reserve(reservation(number, 900, of=record, links=links), record, MAKE_RECEIPT)
    (*_, last) = ledger.status(record.key).charges  # type: ignore[union-attr]  # it was just used
    ledger.capture(last.id, 900, NOW_SECONDS, MAKE_RECEIPT, cause=cause(1, Causer.PAYEE))
    stops: list[tuple[LifecycleAction, Causer, tuple[LinkRecord, ...]]] = [
        (LifecycleAction.SUSPEND, Causer.PRINCIPAL, ()),
        (LifecycleAction.SUSPEND, Causer.RISK_CONTROL, ()),
        (LifecycleAction.RESUME, Causer.PRINCIPAL, ()),
        (LifecycleAction.SUSPEND, Causer.RISK_CONTROL, ()),
        (LifecycleAction.SUSPEND, Causer.PRINCIPAL, chain[:1]),
        (LifecycleAction.REVOKE, Causer.AGENT, chain),
    ]
    for number, (action, causer, links) in enumerate(stops, 2):
        ledger.change(record, links, action, cause(number, causer), NOW_SECONDS, MAKE_RECEIPT)


def test_a_ledger_that_was_only_used_agrees_with_itself(used: Place) -> None:
    found = audit(used)
    assert (found.held_minor, found.captured_minor, found.refunded_minor) == (
        3_000 + 1_800 + 650 + 900 + 4_900,
        400 + 300 + 250 + 900 + 500,
        100,
    )
    assert found.charges == {"CAPTURED": 3, "VOIDED": 2, "EXPIRED": 1, "HELD": 8, "PARTIALLY_CAPTURED": 2}
    assert found.entries == {
        "RESERVED": 16,
        "PARTIALLY_CAPTURED": 3,
        "CAPTURED": 2,
        "VOIDED": 2,
        "EXPIRED": 2,
        "REFUNDED": 1,
        "REFUSED": 2,
        "REVOKED": 2,
        "SUSPENDED": 3,
        "RESUMED": 1,
        "SUCCEEDED": 2,
    }


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE counter SET held = held - 1 WHERE mandate = 1 AND name = 'max_total_amount'",
        "UPDATE counter SET captured = captured + 1 WHERE mandate = 1 AND name = 'ext.quota.day'",
        "UPDATE counter SET cap = cap + 1 WHERE mandate = 2",
        "DELETE FROM counter WHERE mandate = 1 AND name = 'ext.quota.day'",
        "INSERT INTO counter SELECT account, 2, 'ext.quota.day', 10, 0, 0, 'AMOUNT', NULL, NULL, 0 FROM mandate LIMIT 1",
        "UPDATE charge SET amount_minor = amount_minor + 1 WHERE state = 'HELD' AND mandate = 1",
        "UPDATE charge SET captured_minor = captured_minor - 1 WHERE state = 'CAPTURED'",
        "UPDATE charge SET state = 'HELD', closed_sequence = NULL WHERE state = 'VOIDED'",
        "UPDATE charge SET state = 'EXPIRED' WHERE state = 'VOIDED'",
        "UPDATE charge SET refunded_minor = refunded_minor - 1 WHERE refunded_minor > 0",
        "UPDATE charge SET sequence = sequence + 1 WHERE state = 'HELD'",
        "UPDATE part SET number = 'S-2' WHERE kind = 'CAPTURE'",
        "UPDATE part SET amount_minor = amount_minor - 1 WHERE kind = 'REFUND'",
        "DELETE FROM part WHERE kind = 'REFUND'",
        "UPDATE charge SET payee = 'cha.example' WHERE state = 'HELD'",
        "UPDATE charge SET agent_id = 'agent:other' WHERE state = 'HELD'",
        "UPDATE ledger SET ledger_id = 'psp-2'",
        "UPDATE mandate SET first_hold_end = NULL WHERE number = 1",
        "UPDATE mandate SET refund_restores = 1",
        "UPDATE charge SET state = 'VOIDED', captured_minor = 0 WHERE state = 'CAPTURED' AND refunded_minor = 0",
        "UPDATE charge SET closed_sequence = 1 WHERE state = 'CAPTURED'",
        "UPDATE charge SET order_no = 'T-9999' WHERE state = 'CAPTURED' AND mandate = 1",
        "UPDATE charge SET hold_expires_at = hold_expires_at + 1 WHERE state = 'HELD'",
        "UPDATE charge SET request_identity = zeroblob(32) WHERE state = 'HELD'",
        "DELETE FROM charge WHERE state = 'VOIDED'",
        "UPDATE charge SET debits = 'max_total_amount'",
        "UPDATE charge SET debits = 'ext.quota.day'",
        "UPDATE entry SET at = at + 1 WHERE sequence = 2",
        "UPDATE entry SET amount_minor = amount_minor - 1 WHERE kind = 'CAPTURED'",
        "UPDATE entry SET code = 'credential_revoked' WHERE kind = 'REFUSED'",
        "UPDATE entry SET kind = 'VOIDED' WHERE kind = 'CAPTURED'",
        "UPDATE entry SET receipt_protected = x'a0' WHERE sequence = 1",
        "UPDATE entry SET receipt_payload = (SELECT last_receipt FROM mandate WHERE number = 2) WHERE sequence = 1",
        "UPDATE entry SET sequence = 99 WHERE kind = 'REVOKED'",
        "DELETE FROM entry WHERE kind = 'REFUSED'",
        "DELETE FROM entry WHERE kind = 'REVOKED'",
        "UPDATE mandate SET last_sequence = last_sequence + 1",
        "UPDATE mandate SET last_receipt = zeroblob(32)",
        "UPDATE mandate SET state = 'Active'",
        "UPDATE mandate SET state = 'Revoked'",
        "UPDATE mandate SET state = 'Active', revocation = NULL WHERE state = 'Revoked'",
        "UPDATE mandate SET state = 'Active', risk_control_stop = NULL WHERE state = 'Suspended'",
        "UPDATE mandate SET principal_stop = risk_control_stop, risk_control_stop = NULL WHERE state = 'Suspended'",
        "UPDATE mandate SET risk_control_stop = risk_control_stop - 1 WHERE state = 'Suspended'",
        "UPDATE mandate SET on_revoke = 'void' WHERE state = 'Revoked'",
        "UPDATE link SET state = 'Active', principal_stop = NULL WHERE state = 'Suspended'",
        "UPDATE link SET state = 'Active', revocation = NULL WHERE state = 'Revoked'",
        "UPDATE link SET revocation = revocation - 1 WHERE state = 'Revoked'",
        "UPDATE link SET parent = zeroblob(32) WHERE state = 'Revoked'",
        "UPDATE link SET parent = identity WHERE state = 'Suspended'",
        "UPDATE link SET identity = zeroblob(32) WHERE state = 'Revoked'",
        "DELETE FROM link WHERE state = 'Suspended'",
        "UPDATE charge SET credential = (SELECT identity FROM link WHERE state = 'Revoked') WHERE order_no = 'T-0010'",
        "DELETE FROM instruction WHERE sequence = 4",
        "UPDATE instruction SET identity = zeroblob(32) WHERE sequence = 5",
        "UPDATE instruction SET sequence = 7 WHERE sequence = 5",
        "UPDATE instruction SET sequence = 1 WHERE identity NOT IN (SELECT max(identity) FROM instruction GROUP BY sequence)",
        "INSERT INTO instruction SELECT id, 6, zeroblob(32), zeroblob(16), zeroblob(32), 7 FROM account",
        "UPDATE instruction SET mandate = 1",
        "UPDATE entry SET kind = 'RESUMED' WHERE kind = 'SUSPENDED'",
        "UPDATE mandate SET identity = zeroblob(32) WHERE number = 2",
        "UPDATE account SET delegator_identity = 'user:wu'",
        "DELETE FROM mandate WHERE number = 2",
        "DELETE FROM request WHERE mandate = 2",
        "UPDATE request SET identity = zeroblob(32) WHERE mandate = 2",
        "UPDATE request SET sequence = 1 WHERE sequence = 3",
        "UPDATE request SET agent_id = 'agent:other' WHERE mandate = 2",
        "UPDATE former_mandate SET identity = zeroblob(32) WHERE ended = 3",
        "UPDATE former_mandate SET delegation_id = 'urn:uuid:0' WHERE ended = 6",
        "UPDATE former_mandate SET ended = ended + 1",
        "UPDATE counter SET carried = carried + 1",
        "DELETE FROM former_mandate WHERE ended = 3",
        "DELETE FROM former_mandate WHERE ended = 6",
        "INSERT INTO former_mandate SELECT id, zeroblob(32), 'urn:uuid:0', 'agent:x', 1, 'honor', 1, 1, 2 FROM account",
        "UPDATE entry SET kind = 'REVOKED' WHERE kind = 'SUCCEEDED'",
        "UPDATE entry SET at = at + 1 WHERE kind = 'SUCCEEDED'",
        "DELETE FROM sliding_debit",
        "UPDATE sliding_debit SET at = at - 1",
        "UPDATE sliding_debit SET held = held - 1 WHERE captured > 0",
        "UPDATE charge SET debits = 'max_total_amount' WHERE order_no = 'T-0021'",
        "INSERT INTO request SELECT id, 1, 'agent:tea-runner', zeroblob(32), zeroblob(16), zeroblob(32), 1 FROM account",
    ],
)
def test_whatever_is_changed_afterwards_is_found(used: Place, statement: str, tmp_path: Path) -> None:
    found = after(used, [statement], tmp_path / "copy.db")
    assert found


def test_an_order_paid_twice_is_found(used: Place, tmp_path: Path) -> None:
    second = "UPDATE charge SET order_no = 'T-0003' WHERE order_no = 'T-0008'"
    found = after(used, ["DROP INDEX one_charge_per_order", second], tmp_path / "copy.db")
    assert any("paid 2 times" in line for line in found), found


def after(used: Place, statements: Sequence[str], copy: Path) -> list[str]:
    """What the audit finds once somebody changed a ledger behind its back: in a copy of the file, in a transaction that is
    undone. Fails if nothing was changed."""
    if isinstance(used, SchemaPlace):
        return _after_in_postgresql(used, statements)
    assert isinstance(used, FilePlace)
    with closing(sqlite3.connect(used.path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    place = FilePlace(copy)
    for trigger in ("changed", "deleted", "replaced"):
        place.write(f"DROP TRIGGER entry_is_never_{trigger}")
    before = place.snapshot()
    for statement in statements:
        place.write(f"PRAGMA ignore_check_constraints = ON; {statement}")
    assert place.snapshot() != before
    return disagreements(place)


def _after_in_postgresql(used: SchemaPlace, statements: Sequence[str]) -> list[str]:
    with used.connect() as connection:
        connection.autocommit = False
        connection.execute("DROP TRIGGER entry_is_never_changed ON entry")
        for table in ("mandate", "link", "instruction", "former_mandate"):
            constraints = connection.execute(
                "SELECT conname FROM pg_constraint WHERE contype IN ('c', 'f') AND conrelid = to_regclass(%s)", (table,)
            ).fetchall()
            for (name,) in constraints:
                connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        changed = 0
        for statement in statements:
            zeros = re.sub(r"zeroblob\((\d+)\)", r"decode(repeat('00', \1), 'hex')", statement)
            changed += max(connection.execute(re.sub(r"x'(\w+)'", r"decode('\1', 'hex')", zeros)).rowcount, 0)
        assert changed
        found = audit_ledger(PostgresTransaction(connection)).disagreements
        connection.rollback()
        return found

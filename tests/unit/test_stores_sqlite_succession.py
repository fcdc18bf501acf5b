"""A ledger restored from before a mandate was replaced: the successor itself and its receipts make it whole. Real mandates,
through the payment service."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

import act
from act.delegation.credential import open_credential
from act.delegation.lifecycle import MandateState
from act.payment.ledger import EntryKind
from act.payment.receipt import open_receipt
from act.stores.sqlite.reconciliation import Reconciliation
from act.wire.base64url import base64url_encode
from tests.support.fold import audit
from tests.support.world import PSP, WALLET, World, key, nothing_moves, refused

IDS = ("3f1b2c4d-5e6f-4a7b-8c9d-0e1f2a3b4c5d", "4f1b2c4d-5e6f-4a7b-8c9d-0e1f2a3b4c5d", "5f1b2c4d-5e6f-4a7b-8c9d-0e1f2a3b4c5d")


@dataclass
class Desk:
    """A payment service, a line of three mandates, and every receipt that it has handed out."""

    world: World
    path: Path
    copy: Path
    mandates: list[bytes]
    receipts: list[bytes]

    def __post_init__(self) -> None:
        self.service = self.world.service(self.path)

    def pay(self, iac: bytes, amount: str = "18.00") -> str:
        """The code of the refusal, or nothing."""
        try:
            charge = self.service.authorize(self.world.payment(iac=iac, order=self.world.order(amount)))
        except act.Refused as refusal:
            if refusal.receipt is not None:
                self.receipts.append(refusal.receipt)
            return refusal.code
        self.receipts.append(charge.receipt)
        return ""

    def back_up(self) -> None:
        with act.SqliteLedger(self.path) as ledger:
            ledger.backup(self.copy, at=self.world.clock())

    def reconcile(self, *, mandates: list[bytes], complete: bool = True, receipts: list[bytes] | None = None) -> Reconciliation:
        """Of the copy."""
        with act.SqliteLedger(self.copy) as ledger:
            return ledger.reconcile(
                self.receipts if receipts is None else receipts,
                parties=self.world.parties,
                signer=key(PSP),
                at=self.world.clock(),
                mandates=mandates,
                complete=complete,
            )


@pytest.fixture(params=["cose", "jose"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    world = World(format=request.param)
    first = world.mint(delegation_id=IDS[0])
    line = [first]
    for delegation_id, total in ((IDS[1], "60.00"), (IDS[2], "90.00")):
        named = base64url_encode(open_credential(line[-1]).opened.identity)
        line.append(world.mint(delegation_id=delegation_id, max_total_amount=total, supersedes=named))
    desk = Desk(world, tmp_path / "ledger.db", tmp_path / "copy.db", line, [])
    yield desk
    audit(desk.path)
    audit(desk.copy)


def total(path: Path, desk: Desk, iac: bytes) -> tuple[int, int]:
    """The cap, and what of it is used."""
    status = desk.world.service(path).status(iac)
    assert status is not None
    (counter,) = [each for each in status.counters if each.name == "max_total_amount"]
    return counter.cap, counter.held + counter.captured


def test_a_succession_comes_back_byte_for_byte(desk: Desk) -> None:
    old, new, newest = desk.mandates
    assert desk.pay(old) == ""
    desk.back_up()
    assert desk.pay(old, "20.00") == ""
    took_over = desk.service.register(new)
    assert took_over is not None
    assert took_over.kind is EntryKind.SUCCEEDED
    desk.receipts.append(took_over.receipt)
    assert desk.pay(new, "30.00") == "total_limit_exceeded"
    assert desk.pay(old) == "credential_superseded"
    assert desk.pay(newest, "29.00") == ""
    registered = desk.service.register(newest)
    assert registered is not None
    desk.receipts.append(registered.receipt)
    found = desk.reconcile(mandates=[new, newest])
    assert (found.filled, found.retired, found.unknown) == (0, (), 0)
    assert total(desk.copy, desk, newest) == total(desk.path, desk, newest) == (9_000, 6_700)
    with act.SqliteLedger(desk.copy) as copy, act.SqliteLedger(desk.path) as ledger:
        mandate = open_credential(newest).authenticate(desk.world.parties).key
        assert copy.receipts(mandate) == ledger.receipts(mandate)
    again = desk.world.service(desk.copy)
    assert again.status(old).state is MandateState.REVOKED  # type: ignore[union-attr]  # it is known


def test_a_line_that_began_after_the_backup_comes_back(desk: Desk) -> None:
    old, new, newest = desk.mandates
    other = desk.world.mint(delegation_id="6f1b2c4d-5e6f-4a7b-8c9d-0e1f2a3b4c5d")
    assert desk.pay(other) == ""
    desk.back_up()
    for iac in (old, new, newest):
        assert desk.pay(iac) == ""
    assert [open_receipt(each).receipt.kind for each in desk.receipts[1:]] == [EntryKind.RESERVED] * 3
    found = desk.reconcile(mandates=[newest, old, new])
    assert (found.unknown, found.filled, found.retired) == (0, 2, ())  # nobody was told that they took over
    assert total(desk.copy, desk, newest) == (9_000, 5_400)


def test_a_successor_that_is_not_given_is_asked_for(desk: Desk) -> None:
    old, new, _ = desk.mandates
    assert desk.pay(old) == ""
    desk.back_up()
    acknowledged = desk.service.register(new)
    assert acknowledged is not None
    desk.receipts.append(acknowledged.receipt)
    assert desk.pay(new) == ""
    with nothing_moves(desk.copy), refused("receipt_out_of_chain") as caught:
        desk.reconcile(mandates=[])
    assert "the mandate that took over is not given" in str(caught.value)
    desk.reconcile(mandates=[new])


def test_without_the_receipt_of_the_succession_nothing_goes_on(desk: Desk) -> None:
    """Somebody who answers for all receipts, and does not have that one, is told so."""
    old, new, _ = desk.mandates
    assert desk.pay(old) == ""
    desk.back_up()
    assert desk.pay(new) == ""
    assert [open_receipt(each).receipt.kind for each in desk.receipts] == [EntryKind.RESERVED] * 2
    found = desk.reconcile(mandates=[new], receipts=desk.receipts[:1], complete=False)
    assert len(found.retired) == 1
    assert desk.world.service(desk.copy).status(old).state is MandateState.REVOKED  # type: ignore[union-attr]  # it is known
    with refused("credential_forgotten"):
        desk.world.service(desk.copy).authorize(desk.world.payment(iac=new))


def test_a_successor_that_was_revoked_alone_is_a_chain_of_its_own(desk: Desk) -> None:
    """Its predecessor was suspended, and went on afterwards."""
    old, new, _ = desk.mandates
    assert desk.pay(old) == ""
    desk.back_up()
    stop = partial(act.sign_instruction, signer=key(WALLET), issuer=WALLET, audience=PSP, at=desk.world.clock())
    suspend, resume = (stop(action, chain=[old], format=desk.world.format) for action in ("suspend", "resume"))
    desk.receipts.append(desk.service.instruct(suspend, chain=[old]).receipt)
    desk.receipts.append(desk.service.revoke(new).receipt)
    desk.receipts.append(desk.service.instruct(resume, chain=[old]).receipt)
    assert desk.pay(old) == ""
    assert desk.pay(new) == "credential_revoked"
    found = desk.reconcile(mandates=[old, new])
    assert (found.unknown, found.left_out, found.retired) == (0, 0, ())
    assert total(desk.copy, desk, old) == total(desk.path, desk, old)


@pytest.mark.parametrize("is_before", [False, True])
def test_what_a_revoked_successor_stopped_unseen_stays_stopped(desk: Desk, *, is_before: bool) -> None:
    """Revoked before the backup or after; what the unseen one was refused since stands in its chain."""
    old, new, _ = desk.mandates
    other = desk.world.mint(delegation_id="6f1b2c4d-5e6f-4a7b-8c9d-0e1f2a3b4c5d")
    assert desk.pay(other) == ""
    if not is_before:
        desk.back_up()
    revoked = desk.service.revoke(new).receipt
    desk.receipts.append(revoked)
    if is_before:
        desk.back_up()
    assert desk.pay(old) == "credential_superseded"
    assert desk.pay(new) == "credential_revoked"
    found = desk.reconcile(mandates=[new, old])
    assert (found.unknown, found.left_out) == (0, 0)
    with refused("credential_superseded"):
        desk.world.service(desk.copy).authorize(desk.world.payment(iac=old, order=desk.world.order("1.00")))


def test_a_window_that_turned_before_the_succession_is_replayed_as_it_was(desk: Desk) -> None:
    """Its end stands in no receipt, and nothing that is carried over depends on it."""
    day = {"period_unit": "DAY", "period_count": 1, "time_zone": "UTC", "anchor": "2026-02-01", "max_amount": "40.00"}
    ext = {"commerce": {"max_single_amount": "30.00"}, "quota": {"periods": [day]}}
    old = desk.world.mint(delegation_id=IDS[0], ext=ext, validity_end_time="2026-02-20T00:00:00Z")
    named = base64url_encode(open_credential(old).opened.identity)
    new = desk.world.mint(delegation_id=IDS[1], ext=ext, supersedes=named, validity_end_time="2026-02-20T00:00:00Z")
    assert desk.pay(old, "1.00") == ""
    desk.back_up()
    desk.world.clock.advance(86_400)
    charge = desk.service.authorize(desk.world.payment(iac=old, order=desk.world.order("18.00")))
    desk.receipts.append(charge.receipt)
    desk.world.clock.advance(86_400)
    assert desk.pay(new, "30.00") == ""
    desk.receipts.append(desk.service.capture(charge.id, act.Amount(1_800, "CNY")).receipt)
    found = desk.reconcile(mandates=[new])
    assert (found.unknown, found.filled) == (0, 1)
    assert total(desk.copy, desk, new) == total(desk.path, desk, new)

"""act.payment.receipt: what the payment service signs, what a merchant checks, and the chain an auditor follows."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import act
from act.errors import InvalidCall
from act.parties import Role
from act.payment.charge import HOLD_SECONDS
from act.payment.ledger import CounterChange, EntryKind
from act.payment.receipt import open_receipt
from act.payment.service import PaymentService
from tests.support.world import (
    ABSENT,
    AGENT,
    NOW_SECONDS,
    OTHER_PSP,
    OTHER_SHOP,
    PRINCIPAL,
    PSP,
    SHOP,
    WALLET,
    World,
    claims_of,
    enrolled,
    identity_of,
    key,
    moment,
    refused,
    reseal,
    twin,
)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def service(world: World, tmp_path: Path) -> PaymentService:
    return world.service(tmp_path / "ledger.db")


def _verify(world: World, receipt: bytes, order: bytes, at: int | None = None) -> act.Receipt:
    when = world.clock() if at is None else moment(at)
    return act.verify_receipt(receipt, order=order, parties=world.parties, at=when)


# --- what it says -------------------------------------------------------------------------------------------------------


def test_a_reservations_receipt_says_everything_once(world: World, service: PaymentService) -> None:
    iac, order = world.mint(), world.order(order_no="T-1")
    payment = world.payment(iac=iac, order=order)
    charge = service.authorize(payment)
    assert claims_of(charge.receipt) == {
        "iss": PSP,
        "aud": [SHOP, AGENT],
        "iat": NOW_SECONDS,
        "act": {
            "delegator_identity": PRINCIPAL,
            "delegation_id": claims_of(iac)["cti"],
            "credential": identity_of(iac),
            "sequence": 1,
            "state": "RESERVED",
            "counters": [
                {
                    "limit": "max_total_amount",
                    "cap": 20_000,
                    "held_before": 0,
                    "captured_before": 0,
                    "held": 1_800,
                    "captured": 0,
                }
            ],
            "request": identity_of(payment.request),
            "order": identity_of(order),
            "order_no": "T-1",
            "trade_no": charge.id,
            "amount": "18.00",
            "currency": "CNY",
            "hold_expires_at": NOW_SECONDS + HOLD_SECONDS,
        },
    }


def test_signing_again_gives_the_same_object(reserved: bytes) -> None:
    assert reseal(reserved, key(PSP)) == reserved


# --- the merchant's check -----------------------------------------------------------------------------------------------


def test_the_shop_delivers_on_a_hold_and_on_a_capture(world: World, service: PaymentService) -> None:
    order = world.order()
    held = service.authorize(world.payment(order=order))
    assert _verify(world, held.receipt, order).kind is EntryKind.RESERVED
    captured = service.capture(held.id, held.amount)
    receipt = _verify(world, captured.receipt, order)
    assert (receipt.kind, receipt.amount, receipt.trade_no) == (EntryKind.CAPTURED, held.amount, held.id)
    assert (receipt.issuer, receipt.audience) == (PSP, (SHOP, AGENT))


def test_a_receipt_of_another_order_pays_nothing(world: World, service: PaymentService) -> None:
    order = world.order(order_no="T-1")
    receipt = service.authorize(world.payment(order=order)).receipt
    for other in (
        world.order(order_no="T-2"),
        world.order("18.01", order_no="T-1"),
        world.order(order_no="T-1", lock_seconds=901),
        world.order(order_no="T-1", payee=OTHER_SHOP),
    ):
        with refused("receipt_mismatch", "receipt.act.order"):
            _verify(world, receipt, other)


def test_what_is_not_paid(world: World, service: PaymentService) -> None:
    iac = world.mint(max_total_amount="30.00")
    order, dear = world.order(), world.order("30.00")
    held = service.authorize(world.payment(iac=iac, order=order))
    voided = service.void(held.id)
    with refused("receipt_not_paid", "receipt.act.state"):
        _verify(world, voided.receipt, order)
    service.authorize(world.payment(iac=iac, order=world.order()))
    with pytest.raises(act.Refused) as caught:
        service.authorize(world.payment(iac=iac, order=dear))
    assert caught.value.receipt is not None
    with refused("receipt_not_paid", "receipt.act.state"):
        _verify(world, caught.value.receipt, dear)
    with refused("receipt_mismatch", "receipt.act.order"):
        _verify(world, service.revoke(iac).receipt, order)


@pytest.mark.parametrize("elapsed, paid", [(HOLD_SECONDS - 1, True), (HOLD_SECONDS, False), (HOLD_SECONDS + 1, False)])
def test_a_hold_pays_until_it_expires(elapsed: int, paid: bool, world: World, service: PaymentService) -> None:
    order = world.order()
    receipt = service.authorize(world.payment(order=order)).receipt
    if paid:
        assert _verify(world, receipt, order, NOW_SECONDS + elapsed).hold_expires_at == NOW_SECONDS + HOLD_SECONDS
    else:
        with refused("receipt_not_paid", "receipt.act.hold_expires_at"):
            _verify(world, receipt, order, NOW_SECONDS + elapsed)


def test_a_capture_pays_for_good(world: World, service: PaymentService) -> None:
    order = world.order()
    held = service.authorize(world.payment(order=order))
    receipt = service.capture(held.id, held.amount).receipt
    assert _verify(world, receipt, order, NOW_SECONDS + 10 * HOLD_SECONDS).kind is EntryKind.CAPTURED


@pytest.mark.parametrize("ahead, accepted", [(10, True), (11, False)])
def test_a_receipt_from_the_future(ahead: int, accepted: bool, world: World, service: PaymentService) -> None:
    order = world.order()
    receipt = service.authorize(world.payment(order=order)).receipt
    if accepted:
        assert _verify(world, receipt, order, NOW_SECONDS - ahead).issued_at == NOW_SECONDS
    else:
        with refused("receipt_mismatch", "receipt.iat"):
            _verify(world, receipt, order, NOW_SECONDS - ahead)


def test_only_a_payment_service_signs_receipts(world: World, service: PaymentService) -> None:
    order = world.order()
    receipt = service.authorize(world.payment(order=order)).receipt
    for signer, code, where in (
        (key("stranger"), "signer_unknown", "receipt.iss"),
        (key(SHOP), "signer_unknown", "receipt.iss"),
        (key(OTHER_PSP), "signer_mismatch", "receipt.iss"),
    ):
        with refused(code, where):
            _verify(world, reseal(receipt, signer), order)
    with refused("receipt_signature_invalid", "receipt"):
        _verify(world, reseal(receipt, key("stranger"), header={4: key(PSP).kid}), order)
    with refused("receipt_signature_invalid", "receipt"):
        _verify(world, receipt[:-1] + bytes([receipt[-1] ^ 1]), order)
    with refused("kind_unexpected", "receipt"):
        _verify(world, order, order)
    with refused("kind_unexpected", "order"):
        _verify(world, receipt, receipt)


def test_keys_and_parties_at_a_receipt(world: World, service: PaymentService) -> None:
    order = world.order()
    receipt = service.authorize(world.payment(order=order)).receipt
    world.parties.change(PSP, not_after=NOW_SECONDS + 1)
    assert _verify(world, receipt, order).issuer == PSP
    world.parties.change(PSP, not_after=NOW_SECONDS)
    with refused("signer_unknown", "receipt.iss"):
        _verify(world, receipt, order)
    world.parties.change(PSP, not_after=NOW_SECONDS + 1, compromised_at=NOW_SECONDS + 1)
    with refused("key_compromised", "receipt.iss"):
        _verify(world, receipt, order)
    world.parties.expires_at = NOW_SECONDS
    with refused("parties_expired", "parties"):
        _verify(world, receipt, order)
    with pytest.raises(InvalidCall):
        act.verify_receipt(receipt, order=order, parties=world.parties, at=datetime(2026, 2, 6))  # noqa: DTZ001 - the test


def test_a_twin_of_an_es256_receipt_is_the_same_receipt(world: World, tmp_path: Path) -> None:
    world.parties.remove(PSP)
    psp = key(PSP, "ES256")
    world.parties.add(enrolled(PSP, Role.PSP, key_pair=psp))
    order = world.order()
    receipt = world.service(tmp_path / "es256.db", signer=psp).authorize(world.payment(order=order)).receipt
    assert twin(receipt) != receipt
    assert _verify(world, twin(receipt), order) == _verify(world, receipt, order)


def test_every_bit_of_a_receipt_counts(world: World, service: PaymentService) -> None:
    order = world.order()
    receipt = service.authorize(world.payment(order=order)).receipt
    for bit in range(len(receipt) * 8):
        flipped = bytearray(receipt)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(act.Refused):
            _verify(world, bytes(flipped), order)


# --- form ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reserved(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    world = World()
    return world.service(tmp_path_factory.mktemp("reserved") / "ledger.db").authorize(world.payment()).receipt


CHANGES: list[tuple[dict[str, Any], str, str]] = [
    *[({claim: ABSENT}, "claim_missing", f"receipt.{claim}") for claim in ("iss", "aud", "iat", "act")],
    *[
        ({f"act.{field}": ABSENT}, "claim_missing", f"receipt.act.{field}")
        for field in ("delegator_identity", "delegation_id", "credential", "sequence", "state", "counters")
    ],
    *[
        ({f"act.{field}": ABSENT}, "claim_invalid", "receipt.act")
        for field in ("request", "order", "order_no", "trade_no", "amount", "currency", "hold_expires_at")
    ],
    ({"act.code": "wrong_ledger"}, "claim_invalid", "receipt.act"),
    ({"act.code": "invented"}, "claim_invalid", "receipt.act.code"),
    ({"act.code": []}, "claim_invalid", "receipt.act.code"),
    ({"act.code": {}}, "claim_invalid", "receipt.act.code"),
    ({"act.note": "x"}, "claim_unknown", "receipt.act.note"),
    ({"exp": 1}, "claim_unknown", "receipt.exp"),
    ({"aud": SHOP}, "claim_invalid", "receipt.aud"),
    ({"aud": []}, "claim_invalid", "receipt.aud"),
    ({"act.state": "PAID"}, "claim_invalid", "receipt.act.state"),
    ({"act.state": ["RESERVED"]}, "claim_invalid", "receipt.act.state"),
    ({"act.state": 1}, "claim_invalid", "receipt.act.state"),
    ({"act.state": "CAPTURED"}, "claim_invalid", "receipt.act"),
    ({"act.state": "REVOKED"}, "claim_invalid", "receipt.act"),
    ({"act.sequence": 0}, "claim_invalid", "receipt.act.sequence"),
    ({"act.sequence": True}, "claim_invalid", "receipt.act.sequence"),
    ({"act.sequence": 2}, "claim_invalid", "receipt.act.previous"),
    ({"act.previous": bytes(32)}, "claim_invalid", "receipt.act.previous"),
    ({"act.amount": "18"}, "amount_invalid", "receipt.act.amount"),
    ({"act.currency": "XXX"}, "currency_unknown", "receipt.act.amount"),
    ({"act.counters": {}}, "claim_invalid", "receipt.act.counters"),
    ({"act.counters.0": []}, "claim_invalid", "receipt.act.counters"),
    ({"act.counters.0.held": -1}, "claim_invalid", "receipt.act.counters"),
    ({"act.counters.0.cap": True}, "claim_invalid", "receipt.act.counters"),
    ({"act.counters.0.held": ABSENT}, "claim_missing", "receipt.act.counters"),
    ({"act.counters.0.more": 1}, "claim_unknown", "receipt.act.counters"),
]


@pytest.mark.parametrize("changes, code, where", CHANGES, ids=lambda value: str(value)[:50])
def test_a_receipt_has_exactly_the_form_of_its_kind(changes: dict[str, Any], code: str, where: str, reserved: bytes) -> None:
    with pytest.raises(act.Refused) as caught:
        open_receipt(reseal(reserved, key(PSP), changes))
    assert caught.value.code == code
    assert caught.value.where.startswith(where)


# --- the chain ----------------------------------------------------------------------------------------------------------


def test_receipts_of_a_mandate_form_a_chain(world: World, service: PaymentService) -> None:
    iac = world.mint(max_total_amount="50.00")
    receipts = []
    first = service.authorize(world.payment(iac=iac, order=world.order("20.00")))
    second = service.authorize(world.payment(iac=iac, order=world.order("18.00")))
    receipts += [first.receipt, second.receipt]
    with refused("total_limit_exceeded") as caught:
        service.authorize(world.payment(iac=iac, order=world.order("12.01")))
    assert caught.value.receipt is not None
    receipts.append(caught.value.receipt)
    receipts.append(service.capture(first.id, act.Amount(1_500, "CNY")).receipt)
    receipts.append(service.void(second.id).receipt)
    third = service.authorize(world.payment(iac=iac, order=world.order("30.00")))
    receipts.append(third.receipt)
    receipts.append(service.revoke(iac).receipt)
    with refused("credential_revoked") as caught:
        service.authorize(world.payment(iac=iac, order=world.order("1.00")))
    assert caught.value.receipt is not None
    receipts.append(caught.value.receipt)
    receipts.append(service.capture(third.id, third.amount).receipt)

    read = [open_receipt(receipt).authenticate(world.parties) for receipt in receipts]
    assert [receipt.kind.value for receipt in read] == [
        "RESERVED",
        "RESERVED",
        "REFUSED",
        "CAPTURED",
        "VOIDED",
        "RESERVED",
        "REVOKED",
        "REFUSED",
        "CAPTURED",
    ]
    assert [receipt.sequence for receipt in read] == list(range(1, 10))
    assert [receipt.previous for receipt in read] == [None, *[receipt.identity for receipt in read[:-1]]]
    assert {receipt.credential for receipt in read} == {identity_of(iac)}
    assert read[2].code == "total_limit_exceeded"
    assert read[7].code == "credential_revoked"
    assert read[6].audience == (WALLET, AGENT)
    _require_counters_to_link([receipt.counters for receipt in read])


def _require_counters_to_link(changes: list[tuple[CounterChange, ...]]) -> None:
    """Every entry starts from what the one before left: nothing is counted twice or dropped between two receipts."""
    held, captured = 0, 0
    for (change,) in changes:
        assert (change.held_before, change.captured_before) == (held, captured)
        assert (change.name, change.cap) == ("max_total_amount", 5_000)
        held, captured = change.held, change.captured
        assert 0 <= held + captured <= change.cap
    assert (held, captured) == (0, 4_500)


def test_a_receipt_of_a_recorded_refusal_shows_what_was_left(world: World, service: PaymentService) -> None:
    iac = world.mint(max_total_amount="30.00")
    service.authorize(world.payment(iac=iac, order=world.order("20.00")))
    with refused("total_limit_exceeded") as caught:
        service.authorize(world.payment(iac=iac, order=world.order("10.01")))
    assert caught.value.receipt is not None
    refusal = open_receipt(caught.value.receipt).authenticate(world.parties)
    assert refusal.counters == (CounterChange("max_total_amount", 3_000, 2_000, 0, 2_000, 0),)


def test_a_merchant_that_names_its_payment_service_takes_no_other(world: World, tmp_path: Path) -> None:
    order = world.order()
    charge = world.service(tmp_path.joinpath("ledger.db")).authorize(world.payment(order=order))
    at = world.clock()
    assert act.verify_receipt(charge.receipt, order=order, parties=world.parties, at=at, ledger=PSP).trade_no == charge.id
    with refused("receipt_mismatch", "receipt.iss"):
        act.verify_receipt(charge.receipt, order=order, parties=world.parties, at=at, ledger=OTHER_PSP)

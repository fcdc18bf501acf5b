"""act.payment.service: what a mandate says beside its limits, as the payment service and its ledger live up to it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import act
from act.delegation.lifecycle import MandateState
from act.errors import InvalidCall
from act.payment.charge import ChargeState
from act.payment.ledger import EntryKind
from act.payment.service import PaymentService
from tests.support.fold import audit, disagreements
from tests.support.world import NOW_SECONDS, SHOP, World, key, nothing_moves, refused, write_ledger

COMMERCE = {"allowed_merchants": [SHOP]}


def _three_charges(world: World, service: PaymentService, iac: bytes) -> list[str]:
    """One captured, two held."""
    charges = [service.authorize(world.payment(iac=iac, order=world.order("10.00"))) for _ in range(3)]
    service.capture(charges[1].id, act.Amount(400, "CNY"))
    return [charge.id for charge in charges]


def test_a_revocation_takes_the_holds_with_it_where_the_mandate_says_so(
    world: World, service: PaymentService, path: Path
) -> None:
    iac = world.mint(ext={"commerce": COMMERCE, "status": {"on_revoke": "void"}})
    other = world.mint(ext={"commerce": COMMERCE, "status": {"on_revoke": "void"}})
    held, captured, also_held = _three_charges(world, service, iac)
    elsewhere = service.authorize(world.payment(iac=other))
    revocation = service.revoke(iac)
    status = service.status(iac)
    assert status is not None
    assert status.state is MandateState.REVOKED
    assert [charge.state for charge in status.charges] == [ChargeState.VOIDED, ChargeState.CAPTURED, ChargeState.VOIDED]
    assert [(each.held, each.captured) for each in status.counters] == [(0, 400)]
    assert service.capture(elsewhere.id, elsewhere.amount).state is ChargeState.CAPTURED  # another mandate's hold stays
    found = audit(path)
    assert (found.held_minor, found.captured_minor) == (0, 2_200)
    receipts = [act.recognize(service.void(each).receipt).receipt for each in (held, also_held)]  # type: ignore[union-attr]  # a receipt
    last = act.recognize(revocation.receipt).receipt  # type: ignore[union-attr]  # a receipt
    assert [(each.kind, each.sequence) for each in (*receipts, last)] == [
        (EntryKind.VOIDED, 5),
        (EntryKind.VOIDED, 6),
        (EntryKind.REVOKED, 7),
    ]
    for charge in (held, also_held):
        with nothing_moves(path), refused("charge_closed", "charge"):
            service.capture(charge, act.Amount(1_000, "CNY"))
    with nothing_moves(path):
        assert service.revoke(iac).replayed
        assert service.capture(captured, act.Amount(400, "CNY")).replayed


@pytest.mark.parametrize("status", [{}, {"status": {"on_revoke": "honor"}}])
def test_otherwise_what_is_held_stays_held(status: dict[str, Any], world: World, service: PaymentService, path: Path) -> None:
    iac = world.mint(ext={"commerce": COMMERCE} | status)
    held, _, _ = _three_charges(world, service, iac)
    service.revoke(iac)
    assert audit(path).held_minor == 2_000
    assert service.capture(held, act.Amount(1_000, "CNY")).state is ChargeState.CAPTURED


def test_an_unused_mandate_has_no_holds_to_take(world: World, service: PaymentService, path: Path) -> None:
    iac = world.mint(ext={"commerce": COMMERCE, "status": {"on_revoke": "void"}})
    assert not service.revoke(iac).replayed
    assert audit(path).entries == {"REVOKED": 1}


def test_the_audit_sees_a_hold_that_should_have_gone(world: World, service: PaymentService, path: Path) -> None:
    iac = world.mint(ext={"commerce": COMMERCE})
    service.authorize(world.payment(iac=iac))
    service.revoke(iac)
    write_ledger(path, "UPDATE mandate SET on_revoke = 'void'")
    assert any("is still held" in problem for problem in disagreements(path))


@pytest.mark.parametrize(
    "end, code", [("2027-03-13T08:00:00Z", None), ("2027-03-13T08:00:01Z", "credential_lifetime_too_long")]
)
def test_a_mandate_lives_at_most_400_days(
    end: str, code: str | None, world: World, service: PaymentService, path: Path
) -> None:
    iac = world.mint(validity_end_time=end)
    payment = world.payment(iac=iac)
    if code is None:
        world.verify(payment)
        act.verify_mandate(iac, parties=world.parties, at=world.clock())
        service.authorize(payment)
        return
    where = "mandate.validity_end_time"
    with nothing_moves(path), refused(code, where):
        service.authorize(payment)
    with refused(code, where):
        world.verify(payment)
    with refused(code, where):
        act.verify_mandate(iac, parties=world.parties, at=world.clock())
    assert [finding.code for finding in world.explain(payment)] == [code]


def test_a_payment_service_may_allow_less_or_more(world: World, path: Path) -> None:
    iac, year_2090 = world.mint(), world.mint(validity_end_time="2090-01-01T00:00:00Z")
    for seconds, mandate, code in (
        (57_600, iac, None),  # 16 hours, exactly its window
        (57_599, iac, "credential_lifetime_too_long"),
        (400 * 86_400, year_2090, "credential_lifetime_too_long"),
        (100 * 366 * 86_400, year_2090, None),
    ):
        service = world.service(path, max_mandate_seconds=seconds)
        verify = {"parties": world.parties, "at": world.clock(), "max_mandate_seconds": seconds}
        payment = world.payment(iac=mandate)
        if code is None:
            service.authorize(payment)
            act.verify_mandate(mandate, **verify)
            act.verify_payment(payment, ledger="psp-1", **verify)
            assert act.explain(payment, ledger="psp-1", **verify) == ()
        else:
            with nothing_moves(path), refused(code):
                service.authorize(payment)
            with refused(code):
                act.verify_mandate(mandate, **verify)
            with refused(code):
                act.verify_payment(payment, ledger="psp-1", **verify)


@pytest.mark.parametrize("seconds", [0, -1, True, "1", None])
def test_what_is_no_longest_life(seconds: Any, world: World, path: Path) -> None:
    with pytest.raises(InvalidCall) as caught:
        world.service(path, max_mandate_seconds=seconds)
    assert caught.value.where == "max_mandate_seconds"


def _order(world: World, **changes: object) -> bytes:
    return world.order(changes={f"act.{name}": value for name, value in changes.items()})


@pytest.mark.parametrize(
    "ext, changes, code, where",
    [
        ({"items": [{"sku": "milk-tea-l", "max_quantity": 1, "max_unit_amount": 18}]}, {}, None, ""),
        ({"items": [{"sku": "coffee"}]}, {}, "item_not_allowed", "ext.items"),
        (
            {"items": [{"name": "Milk tea, large", "confirmed_unit_amount": "17.00"}]},
            {},
            "price_deviation_exceeded",
            "ext.agent_behavior.price_deviation_tolerance",
        ),
        (
            {"items": [{"sku": "milk-tea-l", "confirmed_unit_amount": "17.00"}],
             "agent_behavior": {"price_deviation_tolerance": 6}},
            {},
            None,
            "",
        ),
        ({"fulfillment": {"delivery_time_requirement": "PT30M"}}, {"deliver_by": NOW_SECONDS + 1_800}, None, ""),
        (
            {"fulfillment": {"delivery_time_requirement": "PT30M"}},
            {"deliver_by": NOW_SECONDS + 1_801},
            "delivery_time_missed",
            "ext.fulfillment.delivery_time_requirement",
        ),
        ({"step_up": {"above_amount": "17.00"}}, {}, "confirmation_required", "ext.step_up.above_amount"),
    ],
)  # fmt: skip
def test_the_pre_check_and_the_service_judge_the_same_facts(
    ext: dict[str, Any],
    changes: dict[str, Any],
    code: str | None,
    where: str,
    world: World,
    service: PaymentService,
    path: Path,
) -> None:
    iac, order = world.mint(ext={"commerce": COMMERCE} | ext), _order(world, **changes)
    credential = act.verify_mandate(iac, parties=world.parties, at=world.clock())
    offered = act.verify_order(order, parties=world.parties, at=world.clock())
    if code is None:
        act.pre_check(credential, offered, payment_method="balance", at=world.clock())
        assert service.authorize(world.payment(iac=iac, order=order)).state is ChargeState.HELD
        return
    with refused(code, where):
        act.pre_check(credential, offered, payment_method="balance", at=world.clock())
    with nothing_moves(path), refused(code, where):
        service.authorize(world.payment(iac=iac, order=order))


def test_the_address_of_the_mandate_is_the_order_documents(world: World, service: PaymentService) -> None:
    text = act.KeyPair.unsafe_from_seed(bytes(32)).public_key.to_jwk()["x"]  # 32 bytes as base64url, whatever they are
    fulfillment = {"delivery_address": text}
    iac = world.mint(ext={"commerce": COMMERCE, "fulfillment": fulfillment})
    document = {
        "payee": SHOP,
        "agent_id": "agent:tea-runner",
        "delegator_identity": "user:lin",
        "order_no": "A-1",
        "currency": "CNY",
        "items": [{"sku": "a", "name": "Tea", "category": "tea", "unit_amount": "18.00"}],
        "expires_at": "2026-02-06T09:10:00Z",
        "deliver_by": "2026-02-06T09:30:00Z",
    }
    order = act.Order.from_json(document | fulfillment)
    assert (order.deliver_by, len(order.delivery_address or b"")) == (NOW_SECONDS + 1_800, 32)
    signed = act.sign_order(order, signer=key(SHOP), at=world.clock())
    assert service.authorize(world.payment(iac=iac, order=signed)).state is ChargeState.HELD
    for wrong in (text + "=", text[:-1], text[:20], "1 Lake Road"):
        with pytest.raises(InvalidCall) as caught:
            act.Order.from_json(document | {"delivery_address": wrong})
        assert caught.value.where == "delivery_address"
        with pytest.raises(InvalidCall) as caught:
            world.mint(ext={"commerce": COMMERCE, "fulfillment": {"delivery_address": wrong}})
        assert caught.value.where == "ext.fulfillment.delivery_address"


def test_an_order_is_delivered_after_it_was_confirmed(world: World) -> None:
    at: datetime = world.clock()
    with refused("claim_invalid", "order.act.deliver_by"):
        act.verify_order(_order(world, deliver_by=NOW_SECONDS), parties=world.parties, at=at)
    offered = act.verify_order(_order(world, deliver_by=NOW_SECONDS + 1), parties=world.parties, at=at)
    assert offered.order.deliver_by == NOW_SECONDS + 1

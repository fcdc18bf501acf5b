"""act.payment.service: the same payment again, and mandates whose keys changed under them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

import act
from act.parties import Role
from act.payment.charge import ChargeState
from act.payment.service import PaymentService
from tests.support.world import (
    END_SECONDS,
    NOW_SECONDS,
    SHOP,
    WALLET,
    World,
    enrolled,
    key,
    nothing_moves,
    refused,
    spent,
    twin,
)

# --- the same again -----------------------------------------------------------------------------------------------------


def _nothing(world: World, service: PaymentService, iac: bytes) -> None:
    pass


def _revoked(world: World, service: PaymentService, iac: bytes) -> None:
    service.revoke(iac)


def _at(seconds: int) -> Callable[[World, PaymentService, bytes], None]:
    return lambda world, service, iac: world.clock.set(seconds)


def _used_up(world: World, service: PaymentService, iac: bytes) -> None:
    for _ in range(6):
        service.authorize(world.payment(iac=iac, order=world.order("30.00")))


def _parties_expired(world: World, service: PaymentService, iac: bytes) -> None:
    world.parties.expires_at = NOW_SECONDS


def _issuer_compromised(world: World, service: PaymentService, iac: bytes) -> None:
    world.parties.change(WALLET, compromised_at=NOW_SECONDS - 3_600)


LATER: dict[str, Callable[[World, PaymentService, bytes], None]] = {
    "at once": _nothing,
    "when the request expired": _at(NOW_SECONDS + 121),
    "when the order expired": _at(NOW_SECONDS + 901),
    "when the mandate expired": _at(END_SECONDS + 1),
    "before it was signed": _at(NOW_SECONDS - 3_600),
    "after revocation": _revoked,
    "when nothing is left": _used_up,
    "when the parties file expired": _parties_expired,
    "when the wallet's key was compromised": _issuer_compromised,
}


@pytest.mark.parametrize("name", LATER)
def test_the_same_payment_again_is_the_same_charge(name: str, world: World, service: PaymentService, path: Path) -> None:
    iac = world.mint()
    payment = world.payment(iac=iac, order=world.order())
    first = service.authorize(payment)
    LATER[name](world, service, iac)
    with nothing_moves(path):
        again = service.authorize(payment)
    fields = {field.name: getattr(first, field.name) for field in dataclasses.fields(first)}
    assert {name: getattr(again, name) for name in fields} == fields | {"replayed": True}


def test_a_charge_is_repeated_as_it_now_stands(world: World, service: PaymentService, path: Path) -> None:
    payment = world.payment()
    first = service.authorize(payment)
    captured = service.capture(first.id, act.Amount(1_700, "CNY"))
    with nothing_moves(path):
        again = service.authorize(payment)
    assert (again.state, again.captured, again.replayed) == (ChargeState.CAPTURED, act.Amount(1_700, "CNY"), True)
    assert again.receipt == first.receipt != captured.receipt


@pytest.mark.parametrize(
    "changes",
    [
        {"act.payment_tool_reference": "other"},
        {"exp": NOW_SECONDS + 119},
        {"iat": NOW_SECONDS - 1, "exp": NOW_SECONDS + 60},
        {"act.payment_method": "balance", "act.payment_tool_reference": "default "},
    ],
)
def test_the_same_id_with_other_content_is_a_duplicate(
    changes: dict[str, object], world: World, service: PaymentService, path: Path
) -> None:
    payment = world.payment(request_id=bytes(16))
    service.authorize(payment)
    other = world.payment(iac=payment.chain[0], order=payment.order, request_id=bytes(16), changes=changes)
    with nothing_moves(path), refused("duplicate_request", "request.cti"):
        service.authorize(other)
    assert service.authorize(payment).replayed is True


def test_a_used_id_with_another_amount_is_a_duplicate_even_when_a_rule_forbids_it(
    world: World, service: PaymentService, path: Path
) -> None:
    payment = world.payment(request_id=bytes(16))
    service.authorize(payment)
    dearer = world.payment(iac=payment.chain[0], order=world.order("99.00"), request_id=bytes(16))
    with nothing_moves(path), refused("duplicate_request", "request.cti"):
        service.authorize(dearer)


def test_a_twin_of_an_es256_request_is_the_same_payment_and_no_second_charge(tmp_path: Path) -> None:
    world = World(alg="ES256")
    path = tmp_path / "ledger.db"
    service = world.service(path)
    payment = world.payment()
    first = service.authorize(payment)
    other = dataclasses.replace(payment, request=twin(payment.request))
    assert other.to_bytes() != payment.to_bytes()
    with nothing_moves(path):
        again = service.authorize(other)
    assert (again.id, again.replayed) == (first.id, True)


def test_twins_of_an_es256_mandate_and_order_are_the_same_mandate_and_order(tmp_path: Path) -> None:
    world = World()
    world.parties.remove(WALLET)
    world.parties.remove(SHOP)
    wallet, shop = key(WALLET, "ES256"), key(SHOP, "ES256")
    world.parties.add(
        enrolled(WALLET, Role.ISSUER, key_pair=wallet, namespaces=["user:"]),
        enrolled(SHOP, Role.PAYEE, key_pair=shop, categories=["tea"]),
    )
    service = world.service(tmp_path / "ledger.db")
    iac, order = world.mint(signer=wallet), world.order(signer=shop)
    first = service.authorize(world.payment(iac=iac, order=order))
    with refused("order_already_paid", "order.act.order_no"):
        service.authorize(world.payment(iac=twin(iac), order=twin(order)))
    service.authorize(world.payment(iac=twin(iac), order=world.order(signer=shop)))
    status = service.status(iac)
    assert status is not None
    assert status.charges[0].id == first.id
    assert spent(service, iac) == (3_600, 0)


def test_a_refusal_by_money_is_remembered_with_its_receipt(world: World, service: PaymentService, path: Path) -> None:
    iac = world.mint(max_total_amount="30.00")
    first = service.authorize(world.payment(iac=iac, order=world.order("30.00")))
    payment = world.payment(iac=iac, order=world.order("1.00"))
    with refused("total_limit_exceeded", "max_total_amount") as caught:
        service.authorize(payment)
    assert caught.value.facts == {"cap_minor": 3_000, "left_minor": 0, "asked_minor": 100}
    assert caught.value.replayed is False
    service.void(first.id)  # now it would fit: but what the request was told stays told
    with nothing_moves(path), refused("total_limit_exceeded", "max_total_amount") as again:
        service.authorize(payment)
    assert (again.value.replayed, again.value.receipt) == (True, caught.value.receipt)
    assert again.value.facts == caught.value.facts
    anew = world.payment(iac=iac, order=payment.order)
    assert service.authorize(anew).replayed is False


# --- keys over time -----------------------------------------------------------------------------------------------------


def test_a_mandate_recorded_before_the_compromise_stays_payable(world: World, service: PaymentService) -> None:
    known, unknown = world.mint(), world.mint()
    service.authorize(world.payment(iac=known))
    world.clock.advance(100)
    world.parties.change(WALLET, compromised_at=NOW_SECONDS + 50)
    assert service.authorize(world.payment(iac=known, order=world.order())).replayed is False
    with refused("key_compromised", "mandate.iss"):
        service.authorize(world.payment(iac=unknown, order=world.order()))


@pytest.mark.parametrize("compromised, accepted", [(NOW_SECONDS - 1, False), (NOW_SECONDS, False), (NOW_SECONDS + 1, True)])
def test_recorded_means_strictly_before(compromised: int, accepted: bool, world: World, service: PaymentService) -> None:
    iac = world.mint()
    service.authorize(world.payment(iac=iac))  # recorded at NOW
    world.parties.change(WALLET, compromised_at=compromised)
    payment = world.payment(iac=iac, order=world.order())
    if accepted:
        assert service.authorize(payment).replayed is False
    else:
        with refused("key_compromised", "mandate.iss"):
            service.authorize(payment)


def test_an_unrecorded_mandate_of_a_compromised_key_leaves_no_trace(world: World, service: PaymentService, path: Path) -> None:
    world.parties.change(WALLET, compromised_at=NOW_SECONDS + 10**6)
    with nothing_moves(path), refused("key_compromised", "mandate.iss"):
        service.authorize(world.payment())


@pytest.mark.parametrize("new_version", [True, False])
def test_no_cache_hides_a_later_compromise_or_end(new_version: bool, world: World, service: PaymentService) -> None:
    iac = world.mint()
    service.authorize(world.payment(iac=iac))  # now it is cached
    world.parties.change(WALLET, new_version=new_version, compromised_at=NOW_SECONDS - 1)
    with refused("key_compromised", "mandate.iss"):
        service.authorize(world.payment(iac=iac, order=world.order()))
    world.parties.change(WALLET, new_version=new_version, compromised_at=None, not_after=NOW_SECONDS)
    with refused("signer_unknown", "mandate.iss"):
        service.authorize(world.payment(iac=iac, order=world.order()))
    world.parties.remove(WALLET)
    with refused("signer_unknown", "mandate.iss"):
        service.authorize(world.payment(iac=iac, order=world.order()))


def test_no_cache_hides_that_a_wallet_lost_its_namespace(world: World, service: PaymentService) -> None:
    iac = world.mint()
    service.authorize(world.payment(iac=iac))
    world.parties.add(enrolled(WALLET, Role.ISSUER, namespaces=["client:"]))
    with refused("delegator_not_allowed", "mandate.act.delegator_identity"):
        service.authorize(world.payment(iac=iac, order=world.order()))


def test_no_cache_hides_time(world: World, service: PaymentService) -> None:
    iac = world.mint()
    service.authorize(world.payment(iac=iac))
    world.clock.set(END_SECONDS)
    with refused("credential_expired"):
        service.authorize(world.payment(iac=iac, order=world.order()))


def test_a_cached_mandate_does_not_vouch_for_a_changed_copy(world: World, service: PaymentService, path: Path) -> None:
    payment = world.payment()
    service.authorize(payment)
    changed = payment.chain[0][:-1] + bytes([payment.chain[0][-1] ^ 1])
    again = world.payment(iac=payment.chain[0], order=world.order())
    with nothing_moves(path), refused("credential_signature_invalid", "mandate"):
        service.authorize(dataclasses.replace(again, chain=(changed,)))


def test_a_key_that_ended_leaves_its_mandates_payable(world: World, service: PaymentService) -> None:
    iac = world.mint(at=NOW_SECONDS - 1)
    world.parties.change(WALLET, not_after=NOW_SECONDS)
    assert service.authorize(world.payment(iac=iac)).replayed is False
    with refused("signer_unknown", "mandate.iss"):
        service.authorize(world.payment(iac=world.mint()))

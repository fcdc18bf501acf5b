"""act.payment.service: whose key, whose ledger, which moment; and what is told of what was decided before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import act
from act.delegation.lifecycle import MandateState
from act.errors import InvalidCall, StoreFault
from act.payment.charge import ChargeState
from act.payment.service import PaymentService
from tests.support.world import (
    AGENT,
    END_SECONDS,
    NOW_SECONDS,
    OTHER_PSP,
    PSP,
    SHOP,
    WALLET,
    World,
    key,
    nothing_moves,
    refused,
    reseal,
    write_ledger,
)


@pytest.mark.parametrize(
    "signer", [key("stranger"), key(WALLET), key(OTHER_PSP)], ids=["unknown", "a wallet", "another service"]
)
def test_no_money_is_held_under_a_key_whose_receipts_nobody_could_verify(signer: act.KeyPair, world: World, path: Path) -> None:
    service = world.service(path, signer=signer)
    with nothing_moves(path), pytest.raises(InvalidCall) as caught:
        service.authorize(world.payment())
    assert (caught.value.code, caught.value.where) == ("call_invalid", "signer")


def test_the_state_of_a_mandate_is_reported_before_money(world: World, service: PaymentService, path: Path) -> None:
    iac = world.mint()
    too_dear = world.payment(iac=iac, order=world.order("38.00"))
    with nothing_moves(path), refused("single_limit_exceeded"):
        service.authorize(too_dear)
    service.revoke(iac)
    with nothing_moves(path), refused("credential_revoked", "mandate") as caught:
        service.authorize(too_dear)
    assert caught.value.receipt is None  # a rule refused it as well, so it is not recorded


def test_a_fault_that_ranks_above_the_state_is_reported_first(world: World, service: PaymentService, path: Path) -> None:
    iac = world.mint()
    payment = world.payment(iac=iac)
    service.revoke(iac)
    world.clock.advance(121)
    with nothing_moves(path), refused("request_expired"):
        service.authorize(payment)


def test_a_stolen_wallet_key_cannot_claim_a_delegation_id_by_revoking(
    world: World, service: PaymentService, path: Path
) -> None:
    genuine = world.mint(delegation_id="urn:uuid:00000000-0000-4000-8000-0000000000aa")
    forged = world.mint(delegation_id="urn:uuid:00000000-0000-4000-8000-0000000000aa", max_total_amount="100.00")
    service.authorize(world.payment(iac=genuine))
    world.parties.change(WALLET, compromised_at=NOW_SECONDS + 60)
    world.clock.advance(120)
    for stranger in (forged, world.mint()):
        with nothing_moves(path), refused("key_compromised", "mandate.iss"):
            service.revoke(stranger)
    assert service.revoke(genuine).replayed is False


def test_a_compromised_key_of_its_own_holds_no_money(world: World, service: PaymentService, path: Path) -> None:
    world.parties.change(PSP, compromised_at=NOW_SECONDS + 60)
    with nothing_moves(path), pytest.raises(InvalidCall) as caught:
        service.authorize(world.payment())
    assert caught.value.where == "signer"


def test_a_used_up_total_is_reported_before_semantics(world: World, service: PaymentService, path: Path) -> None:
    iac = world.mint(max_total_amount="40.00")
    service.authorize(world.payment(iac=iac, order=world.order("30.00")))
    wrong_label = world.payment(iac=iac, order=world.order("18.00", category="gift_card"))
    with nothing_moves(path), refused("total_limit_exceeded", "max_total_amount"):
        service.authorize(wrong_label)
    with nothing_moves(path), refused("category_not_allowed"):
        service.authorize(world.payment(iac=iac, order=world.order("9.00", category="gift_card")))


@pytest.mark.parametrize("party", [SHOP, WALLET])
@pytest.mark.parametrize("change", ["compromised", "removed"])
def test_a_stored_outcome_outlives_the_keys_it_was_made_with(
    party: str, change: str, world: World, service: PaymentService, path: Path
) -> None:
    payment = world.payment()
    first = service.authorize(payment)
    if change == "compromised":
        world.parties.change(party, compromised_at=NOW_SECONDS - 60)
    else:
        world.parties.remove(party)
    with nothing_moves(path):
        again = service.authorize(payment)
    assert (again.id, again.receipt, again.replayed) == (first.id, first.receipt, True)


def test_a_forged_mandate_learns_nothing_about_a_used_request_id(world: World, service: PaymentService, path: Path) -> None:
    """Its claims name the genuine mandate, its holder key is the thief's: no stored outcome, and no duplicate_request."""
    genuine = world.payment()
    service.authorize(genuine)
    used: Any = act.recognize(genuine.request)
    thief = key("thief")
    claims = {"cnf": {1: thief.public_key.cose_key}}
    forged = reseal(genuine.chain[0], key("stranger"), claims)
    order = world.order()
    stolen = act.sign_payment(
        order, chain=[forged], audience=PSP, signer=thief, request_id=used.request.request_id, at=world.clock()
    )
    with nothing_moves(path), refused("signer_unknown", "mandate.iss"):
        service.authorize(stolen)


@pytest.mark.parametrize("wrong", [None, 7, "text", bytearray(b"x"), object()])
def test_what_is_no_payment_is_an_invalid_call(wrong: Any, service: PaymentService, path: Path) -> None:
    with nothing_moves(path), pytest.raises(InvalidCall):
        service.authorize(wrong)
    with nothing_moves(path), pytest.raises(InvalidCall):
        service.capture("ch_0", wrong)
    for taking_bytes in (service.revoke, service.status):
        with nothing_moves(path), pytest.raises(InvalidCall):
            taking_bytes(wrong)


def test_status_is_of_this_ledger_this_mandate_and_this_moment(world: World, service: PaymentService, path: Path) -> None:
    with refused("wrong_ledger", "mandate.aud"):
        service.status(world.mint(ledger=OTHER_PSP))
    same_id = "urn:uuid:00000000-0000-4000-8000-0000000000bb"
    iac = world.mint(delegation_id=same_id)
    assert service.status(iac) is None
    service.authorize(world.payment(iac=iac))
    with refused("credential_conflict"):
        service.status(world.mint(delegation_id=same_id, max_total_amount="100.00"))
    for at, state in ((END_SECONDS - 1, MandateState.ACTIVE), (END_SECONDS, MandateState.EXPIRED)):
        world.clock.set(at)
        status = service.status(iac)
        assert status is not None
        assert status.state is state


def test_a_payment_whose_charge_was_voided_is_refused_and_not_made_again(
    world: World, service: PaymentService, path: Path
) -> None:
    payment = world.payment()
    voided = service.void(service.authorize(payment).id)
    with nothing_moves(path), refused("charge_closed", "charge") as caught:
        service.authorize(payment)
    assert caught.value.replayed is True
    assert caught.value.receipt == voided.receipt
    assert caught.value.facts == {"state": "VOIDED", "charge": voided.id}


def test_a_payment_whose_charge_was_captured_is_answered_with_it(world: World, service: PaymentService, path: Path) -> None:
    payment = world.payment()
    held = service.authorize(payment)
    service.capture(held.id, held.amount)
    with nothing_moves(path):
        again = service.authorize(payment)
    assert (again.id, again.state, again.receipt, again.replayed) == (held.id, ChargeState.CAPTURED, held.receipt, True)


@pytest.mark.parametrize("signer", [key("stranger"), key(AGENT), key(SHOP)], ids=["unknown", "agent", "shop"])
def test_nothing_moves_under_a_key_whose_receipts_nobody_could_verify(
    signer: act.KeyPair, world: World, service: PaymentService, path: Path
) -> None:
    iac = world.mint()
    charge = service.authorize(world.payment(iac=iac))
    wrong = world.service(path, signer=signer)
    calls: list[Callable[[], object]] = [
        lambda: wrong.capture(charge.id, charge.amount),
        lambda: wrong.void(charge.id),
        lambda: wrong.revoke(iac),
    ]
    for call in calls:
        with nothing_moves(path), pytest.raises(InvalidCall) as caught:
            call()
        assert (caught.value.code, caught.value.where) == ("call_invalid", "signer")
    assert service.capture(charge.id, charge.amount).state is ChargeState.CAPTURED


@pytest.mark.parametrize("signature", [b"", bytes(63), bytes(65), None, "x" * 64])
def test_a_signer_that_returns_no_signature_is_named(signature: Any, world: World, path: Path) -> None:
    class Faulty:
        """A signer that answers with something else."""

        alg, kid = key(PSP).alg, key(PSP).kid

        def sign(self, message: bytes) -> Any:
            return signature

    payment = world.payment()
    with pytest.raises(InvalidCall) as caught:
        world.service(path, signer=Faulty()).authorize(payment)
    assert caught.value.where == "signer"
    assert world.service(path).authorize(payment).replayed is True  # what was held is found again


def test_a_refused_first_payment_leaves_no_ledger(world: World, tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    service = PaymentService(PSP, parties=world.parties, ledger=act.SqliteLedger(path), signer=key(PSP), clock=world.clock)
    with refused("single_limit_exceeded"):
        service.authorize(world.payment(order=world.order("38.00")))
    assert service.status(world.mint()) is None
    assert list(tmp_path.iterdir()) == []
    assert service.authorize(world.payment()).replayed is False
    assert path.is_file()


def test_reading_binds_a_ledger_to_nobody(world: World, tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    PaymentService(PSP, parties=world.parties, ledger=act.SqliteLedger(path), signer=key(PSP), clock=world.clock)
    reader = PaymentService(OTHER_PSP, parties=world.parties, ledger=act.SqliteLedger(path), signer=key(OTHER_PSP))
    assert reader.status(world.mint(ledger=OTHER_PSP)) is None
    assert world.service(path).authorize(world.payment()).replayed is False


def test_another_service_touches_nothing_in_a_ledger_bound_since(world: World, tmp_path: Path) -> None:
    """Both were made on a file that was nobody's; then one of them wrote to it."""
    path = tmp_path / "new.db"

    def service_of(ledger_id: str) -> PaymentService:
        ledger = act.SqliteLedger(path)
        return PaymentService(ledger_id, parties=world.parties, ledger=ledger, signer=key(ledger_id), clock=world.clock)

    mine, foreign = service_of(PSP), service_of(OTHER_PSP)
    with refused("charge_unknown", "charge"):
        foreign.void("ch_0")
    iac = world.mint()
    payment = world.payment(iac=iac)
    charge = mine.authorize(payment)
    calls: list[Callable[[], object]] = [
        lambda: foreign.authorize(payment),
        lambda: foreign.capture(charge.id, charge.amount),
        lambda: foreign.void(charge.id),
        lambda: foreign.revoke(iac),
        lambda: foreign.status(iac),
    ]
    for call in calls:
        with nothing_moves(path), pytest.raises(StoreFault) as caught:
            call()
        assert caught.value.code == "store_wrong_ledger"
    assert mine.capture(charge.id, charge.amount).state is ChargeState.CAPTURED


def test_a_thief_of_a_wallet_key_is_not_told_which_ids_are_taken(world: World, service: PaymentService, path: Path) -> None:
    same_id = "urn:uuid:00000000-0000-4000-8000-0000000000cc"
    genuine = world.payment(iac=world.mint(delegation_id=same_id))
    service.authorize(genuine)
    used: Any = act.recognize(genuine.request)
    world.parties.change(WALLET, compromised_at=NOW_SECONDS + 60)
    world.clock.advance(30)
    thief = key("thief")
    forged = world.mint(delegation_id=same_id, holder=thief.public_key, max_total_amount="100.00")
    for request_id in (used.request.request_id, bytes(16)):
        stolen = act.sign_payment(
            world.order(), chain=[forged], audience=PSP, signer=thief, request_id=request_id, at=world.clock()
        )
        with nothing_moves(path), refused("key_compromised", "mandate.iss"):
            service.authorize(stolen)


@pytest.mark.parametrize("charge_id", [None, 7, object(), b"ch_0"])
def test_what_is_no_charge_id_is_an_invalid_call(charge_id: Any, service: PaymentService) -> None:
    with pytest.raises(InvalidCall):
        service.void(charge_id)
    with refused("charge_unknown", "charge"):
        service.void("ch_\ud800")


def test_a_damaged_receipt_is_the_stores_fault_and_is_not_signed(world: World, service: PaymentService, path: Path) -> None:
    payment = world.payment()
    service.authorize(payment)
    for column in ("receipt_protected", "receipt_payload"):
        write_ledger(path, "DROP TRIGGER IF EXISTS entry_is_never_changed")
        write_ledger(path, f"UPDATE entry SET {column} = x'ff'")  # noqa: S608 - two constants
        with pytest.raises(StoreFault):
            service.authorize(payment)

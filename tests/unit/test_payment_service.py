"""act.payment.service: one call decides and reserves; the same call again changes nothing."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import act
from act.delegation.credential import open_credential
from act.delegation.lifecycle import MandateState
from act.errors import InvalidCall, StoreFault
from act.parties import Role
from act.payment.charge import HOLD_SECONDS, ChargeRecord, ChargeState
from act.payment.ledger import Counter, Ledger, MandateRecord, Outcome
from act.payment.receipt import receipt_maker
from act.payment.service import Charge, PaymentService
from tests.support.fold import audit
from tests.support.places import Place
from tests.support.world import (
    ABSENT,
    AGENT,
    END_SECONDS,
    NOW_SECONDS,
    OTHER_PRINCIPAL,
    OTHER_PSP,
    OTHER_SHOP,
    PSP,
    SHOP,
    WALLET,
    World,
    enrolled,
    key,
    nothing_moves,
    refused,
    snapshot,
    spent,
)

# --- a charge -----------------------------------------------------------------------------------------------------------


def test_a_good_payment_is_reserved(world: World, service: PaymentService) -> None:
    iac = world.mint()
    charge = service.authorize(world.payment(iac=iac, order=world.order(order_no="T-1")))
    assert (charge.state, charge.amount, charge.captured) == (ChargeState.HELD, act.Amount(1_800, "CNY"), None)
    assert (charge.payee, charge.order_no, charge.agent_id, charge.replayed) == (SHOP, "T-1", AGENT, False)
    assert charge.hold_expires_at == NOW_SECONDS + HOLD_SECONDS
    assert charge.mandate.issuer == WALLET
    assert spent(service, iac) == (1_800, 0)


def test_a_payment_as_bytes_is_the_same_payment(world: World, service: PaymentService) -> None:
    payment = world.payment()
    first, second = service.authorize(payment.to_bytes()), service.authorize(payment)
    assert (second.id, second.replayed) == (first.id, True)


def test_only_the_service_makes_a_charge(world: World, service: PaymentService) -> None:
    charge = service.authorize(world.payment())
    fields = {field.name: getattr(charge, field.name) for field in dataclasses.fields(charge)}
    makers: list[Callable[[], object]] = [
        Charge,
        lambda: Charge(**fields),
        lambda: Charge(*fields.values()),
        lambda: dataclasses.replace(charge, amount=act.Amount(1, "CNY")),
        lambda: dataclasses.replace(charge),
    ]
    for make in makers:
        with pytest.raises(TypeError, match=r"Charge is made by|takes 1 positional|unexpected keyword"):
            make()
    with pytest.raises(dataclasses.FrozenInstanceError):
        charge.amount = act.Amount(1, "CNY")  # type: ignore[misc]  # that is what is tested
    for way in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="not pickled or copied"):
            way(charge)
    with pytest.raises(TypeError, match="Charge is made by"):
        object.__new__(Charge).__setstate__(["ch_fake"])


def test_a_reservation_request_is_no_charge_and_buys_nothing(world: World, service: PaymentService, path: Path) -> None:
    request: Any = world.verify(world.payment())
    assert not isinstance(request, Charge)
    with nothing_moves(path), pytest.raises(InvalidCall):
        service.authorize(request)
    with nothing_moves(path), pytest.raises(act.ActError):
        service.capture(request, act.Amount(1_800, "CNY"))
    taking = [
        name
        for name, method in inspect.getmembers(PaymentService, inspect.isfunction)
        if not name.startswith("_") and "ReservationRequest" in str(inspect.signature(method))
    ]
    assert taking == []


def test_a_ledger_gives_an_outcome_and_no_charge(world: World, tmp_path: Path) -> None:
    ledger = act.SqliteLedger(tmp_path / "own.db")
    ledger.bind(PSP)
    payment = world.payment()
    credential = open_credential(payment.chain[0]).authenticate(world.parties)
    record = MandateRecord(credential.key, credential.identity, AGENT, "CNY", END_SECONDS)
    outcome: Any = ledger.reserve(world.verify(payment), record, receipt_maker(PSP, WALLET, key(PSP)))
    assert type(outcome) is Outcome
    assert type(outcome.charge) is ChargeRecord


# --- limits -------------------------------------------------------------------------------------------------------------


def test_payments_fit_until_they_do_not(world: World, service: PaymentService) -> None:
    iac = world.mint()  # 200.00
    for _ in range(11):
        service.authorize(world.payment(iac=iac, order=world.order("18.00")))
    assert spent(service, iac) == (19_800, 0)
    with refused("total_limit_exceeded") as caught:
        service.authorize(world.payment(iac=iac, order=world.order("2.01")))
    assert caught.value.facts["left_minor"] == 200
    service.authorize(world.payment(iac=iac, order=world.order("2.00")))
    assert spent(service, iac) == (20_000, 0)
    with refused("total_limit_exceeded"):
        service.authorize(world.payment(iac=iac, order=world.order("0.01")))


def test_mandates_do_not_share_a_total(world: World, service: PaymentService) -> None:
    iacs = [world.mint(max_total_amount="30.00"), world.mint(max_total_amount="30.00", delegator_identity=OTHER_PRINCIPAL)]
    for iac, principal in zip(iacs, ("user:lin", OTHER_PRINCIPAL), strict=True):
        service.authorize(world.payment(iac=iac, order=world.order("30.00", principal=principal)))
    assert [spent(service, iac) for iac in iacs] == [(3_000, 0), (3_000, 0)]


def test_one_delegation_id_of_two_delegators_is_two_mandates(world: World, service: PaymentService) -> None:
    delegation_id = "urn:uuid:00010203-0405-4607-8809-0a0b0c0d0e0f"
    for principal in ("user:lin", OTHER_PRINCIPAL):
        iac = world.mint(delegation_id=delegation_id, delegator_identity=principal)
        service.authorize(world.payment(iac=iac, order=world.order(principal=principal)))
        assert spent(service, iac) == (1_800, 0)


def test_a_second_mandate_under_a_used_id_is_refused(world: World, service: PaymentService, path: Path) -> None:
    first = world.mint(delegation_id="urn:uuid:00010203-0405-4607-8809-0a0b0c0d0e0f")
    second = world.mint(delegation_id="urn:uuid:00010203-0405-4607-8809-0a0b0c0d0e0f", max_total_amount="999.00")
    service.authorize(world.payment(iac=first))
    with nothing_moves(path), refused("credential_conflict", "mandate.delegation_id"):
        service.authorize(world.payment(iac=second))
    with nothing_moves(path), refused("credential_conflict", "mandate.delegation_id"):
        service.revoke(second)
    assert service.authorize(world.payment(iac=first)).replayed is False


def test_an_order_is_paid_once_by_anyone(world: World, service: PaymentService, path: Path) -> None:
    order = world.order(order_no="T-1")
    service.authorize(world.payment(order=order))
    with nothing_moves(path), refused("order_already_paid", "order.act.order_no"):
        service.authorize(world.payment(order=order))  # another mandate, another request
    with nothing_moves(path), refused("order_already_paid"):
        service.authorize(world.payment(order=world.order("17.00", order_no="T-1")))
    other_shop = world.order(order_no="T-1", payee=OTHER_SHOP)
    assert service.authorize(world.payment(order=other_shop)).payee == OTHER_SHOP


def test_a_voided_order_may_be_paid_again_and_a_captured_one_not(world: World, service: PaymentService) -> None:
    order = world.order()
    charge = service.authorize(world.payment(order=order))
    service.void(charge.id)
    second = service.authorize(world.payment(order=order))
    service.capture(second.id, act.Amount(1, "CNY"))
    with refused("order_already_paid"):
        service.authorize(world.payment(order=order))


MONEY = {
    "JPY": ("20000", "3000", "1500", 1_500),
    "CNY": ("200.00", "30.00", "18.00", 1_800),
    "KWD": ("20.000", "3.000", "1.234", 1_234),
    "CLF": ("2.0000", "0.3000", "0.0001", 1),
}


@pytest.mark.parametrize("currency", MONEY)
def test_money_is_exact_in_every_currency(currency: str, world: World, service: PaymentService) -> None:
    total, single, amount, minor = MONEY[currency]
    iac = world.mint(currency=currency, max_total_amount=total, commerce={"max_single_amount": single})
    charge = service.authorize(world.payment(iac=iac, order=world.order(amount, currency=currency)))
    assert (charge.amount.minor, charge.amount.text) == (minor, amount)
    assert spent(service, iac) == (minor, 0)
    captured = service.capture(charge.id, act.Amount(minor, currency))
    assert captured.captured == act.Amount(minor, currency)
    assert spent(service, iac) == (0, minor)
    with refused("single_limit_exceeded"):
        service.authorize(world.payment(iac=iac, order=world.order(single[:-1] + "1", currency=currency)))


def test_the_largest_amount_is_counted_exactly(world: World, service: PaymentService) -> None:
    most = "92233720368547758.07"
    iac = world.mint(max_total_amount=most, commerce={"max_single_amount": ABSENT})
    charge = service.authorize(world.payment(iac=iac, order=world.order(most)))
    assert charge.amount.minor == 2**63 - 1
    with refused("total_limit_exceeded") as caught:
        service.authorize(world.payment(iac=iac, order=world.order("0.01")))
    assert caught.value.facts["left_minor"] == 0
    service.capture(charge.id, act.Amount(2**63 - 1, "CNY"))
    assert spent(service, iac) == (0, 2**63 - 1)
    with refused("total_limit_exceeded"):
        service.authorize(world.payment(iac=iac, order=world.order(most)))


# --- capture, void, revoke, status --------------------------------------------------------------------------------------


def test_a_capture_is_final_and_releases_the_rest(world: World, service: PaymentService, path: Path) -> None:
    iac = world.mint()
    held = service.authorize(world.payment(iac=iac))
    captured = service.capture(held.id, act.Amount(1_500, "CNY"))
    assert (captured.state, captured.captured, captured.replayed) == (
        ChargeState.CAPTURED,
        act.Amount(1_500, "CNY"),
        False,
    )
    assert spent(service, iac) == (0, 1_500)
    with nothing_moves(path):
        again = service.capture(held.id, act.Amount(1_500, "CNY"))
    assert (again.replayed, again.receipt) == (True, captured.receipt)
    with nothing_moves(path), refused("charge_closed", "charge"):
        service.capture(held.id, act.Amount(300, "CNY"))
    with nothing_moves(path), refused("charge_closed", "charge"):
        service.void(held.id)


def test_a_void_gives_everything_back(world: World, service: PaymentService, path: Path) -> None:
    iac = world.mint()
    held = service.authorize(world.payment(iac=iac))
    voided = service.void(held.id)
    assert (voided.state, voided.captured, voided.replayed) == (ChargeState.VOIDED, None, False)
    assert spent(service, iac) == (0, 0)
    with nothing_moves(path):
        again = service.void(held.id)
    assert (again.replayed, again.receipt) == (True, voided.receipt)
    with nothing_moves(path), refused("charge_closed", "charge"):
        service.capture(held.id, act.Amount(1, "CNY"))


@pytest.mark.parametrize("minor, fits", [(1, True), (1_799, True), (1_800, True), (1_801, False), (2**63 - 1, False)])
def test_no_more_is_captured_than_is_held(minor: int, fits: bool, world: World, service: PaymentService, path: Path) -> None:
    held = service.authorize(world.payment())
    if fits:
        assert service.capture(held.id, act.Amount(minor, "CNY")).captured == act.Amount(minor, "CNY")
    else:
        with nothing_moves(path), refused("capture_exceeds_hold", "amount"):
            service.capture(held.id, act.Amount(minor, "CNY"))


def test_captures_that_cannot_be(world: World, service: PaymentService, path: Path) -> None:
    held = service.authorize(world.payment())
    with nothing_moves(path), refused("currency_mismatch", "amount"):
        service.capture(held.id, act.Amount(1_800, "JPY"))
    with nothing_moves(path), refused("charge_unknown", "charge"):
        service.capture("ch_unknown", act.Amount(1, "CNY"))
    with nothing_moves(path), refused("charge_unknown", "charge"):
        service.void("ch_unknown")


@pytest.mark.parametrize("elapsed, open_still", [(HOLD_SECONDS - 1, True), (HOLD_SECONDS, False), (HOLD_SECONDS + 1, False)])
def test_a_hold_ends(elapsed: int, open_still: bool, world: World, service: PaymentService, path: Path) -> None:
    iac = world.mint()
    held = service.authorize(world.payment(iac=iac))
    world.clock.advance(elapsed)
    if open_still:
        assert service.capture(held.id, held.amount).state is ChargeState.CAPTURED
        return
    with nothing_moves(path), refused("hold_expired", "charge"):
        service.capture(held.id, held.amount)
    service.void(held.id)
    assert spent(service, iac) == (0, 0)


def test_captures_survive_revocation_expiry_and_lost_keys(world: World, service: PaymentService) -> None:
    """Holds are honoured: a capture never fails for budget reasons."""
    iac = world.mint()
    held = [service.authorize(world.payment(iac=iac, order=world.order("30.00"))) for _ in range(6)]
    service.revoke(iac)
    world.clock.set(END_SECONDS + 1)
    world.parties.remove(WALLET)
    world.parties.remove(SHOP)
    for charge in held:
        assert service.capture(charge.id, charge.amount).state is ChargeState.CAPTURED


def test_revocation_stops_a_mandate_for_good(world: World, service: PaymentService, path: Path) -> None:
    iac = world.mint()
    held = service.authorize(world.payment(iac=iac))
    revocation = service.revoke(iac)
    assert (revocation.replayed, revocation.mandate) == (False, held.mandate)
    with nothing_moves(path):
        again = service.revoke(iac)
    assert (again.replayed, again.receipt) == (True, revocation.receipt)
    with refused("credential_revoked", "mandate"):
        service.authorize(world.payment(iac=iac, order=world.order()))
    status = service.status(iac)
    assert status is not None
    assert status.state is MandateState.REVOKED
    assert spent(service, iac) == (1_800, 0)


def test_a_mandate_never_used_can_be_revoked(world: World, service: PaymentService) -> None:
    iac = world.mint()
    assert service.status(iac) is None
    assert service.revoke(iac).replayed is False
    with refused("credential_revoked", "mandate"):
        service.authorize(world.payment(iac=iac))
    other = world.mint()
    assert service.authorize(world.payment(iac=other)).replayed is False


def test_what_cannot_be_revoked(world: World, service: PaymentService, path: Path) -> None:
    with nothing_moves(path), refused("signer_unknown", "mandate.iss"):
        service.revoke(world.mint(signer=key("stranger")))
    with nothing_moves(path), refused("wrong_ledger", "mandate.aud"):
        service.revoke(world.mint(ledger=OTHER_PSP))
    with nothing_moves(path), refused("kind_unexpected", "mandate"):
        service.revoke(world.order())


def test_status_tells_counters_and_charges(world: World, service: PaymentService) -> None:
    iac = world.mint()
    first = service.authorize(world.payment(iac=iac))
    second = service.authorize(world.payment(iac=iac, order=world.order("20.00")))
    service.capture(first.id, act.Amount(1_000, "CNY"))
    status = service.status(iac)
    assert status is not None
    assert status.counters == (Counter("max_total_amount", 20_000, 2_000, 1_000),)
    assert [charge.id for charge in status.charges] == [first.id, second.id]
    assert (status.state, status.currency, status.expires_at) == (MandateState.ACTIVE, "CNY", END_SECONDS)
    with refused("signer_unknown", "mandate.iss"):
        service.status(world.mint(signer=key("stranger")))


# --- the service and its ledger -----------------------------------------------------------------------------------------


def test_a_ledger_belongs_to_one_service(world: World, path: Path) -> None:
    world.service(path)
    world.service(path)
    with pytest.raises(StoreFault) as caught:
        world.service(path, ledger_id=OTHER_PSP)
    assert caught.value.code == "store_wrong_ledger"


def test_a_mandate_has_one_ledger_and_every_other_one_refuses_it(world: World, place: Place, other: Place) -> None:
    def service_on(ledger: Ledger, name: str) -> PaymentService:
        return PaymentService(name, parties=world.parties, ledger=ledger, signer=key(name), clock=world.clock)

    with place.open() as ledger, other.open() as others:
        service, second = service_on(ledger, PSP), service_on(others, OTHER_PSP)
        iac, elsewhere = world.mint(), world.mint(ledger=OTHER_PSP)
        charge = service.authorize(world.payment(iac=iac))
        second.authorize(world.payment(iac=elsewhere, audience=OTHER_PSP))
        with nothing_moves(place), nothing_moves(other):
            with refused("wrong_ledger", "request.aud"):  # the very bytes that the first one has taken
                second.authorize(world.payment(iac=iac))
            with refused("wrong_ledger", "mandate.aud"):  # addressed to it, under a mandate that is not
                second.authorize(world.payment(iac=iac, audience=OTHER_PSP))
            with refused("wrong_ledger", "mandate.aud"):
                second.revoke(iac)
            with pytest.raises(StoreFault) as caught:  # and it cannot use the first one's ledger as its own
                service_on(ledger, OTHER_PSP)
            assert caught.value.code == "store_wrong_ledger"
        assert service.capture(charge.id, charge.amount).state is ChargeState.CAPTURED
    audit(place)
    audit(other)


def test_a_restarted_service_repeats_what_the_first_one_said(world: World, path: Path) -> None:
    payment = world.payment()
    first = world.service(path).authorize(payment)
    again = world.service(path).authorize(payment)
    assert (again.id, again.receipt, again.replayed) == (first.id, first.receipt, True)


def test_receipts_of_a_retired_key_are_repeated_with_that_key(world: World, path: Path) -> None:
    payment = world.payment()
    first = world.service(path).authorize(payment)
    world.parties.add(enrolled(PSP, Role.PSP, key_pair=key("psp key 2")))
    without = world.service(path, signer=key("psp key 2"))
    with pytest.raises(InvalidCall) as caught:
        without.authorize(payment)
    assert (caught.value.code, caught.value.where) == ("call_invalid", "retired_signers")
    rotated = world.service(path, signer=key("psp key 2"), retired_signers=[key(PSP)])
    assert rotated.authorize(payment).receipt == first.receipt
    fresh = rotated.authorize(world.payment(order=world.order()))
    assert _kid_of(fresh.receipt) == key("psp key 2").kid


def _kid_of(receipt: bytes) -> bytes:
    opened: Any = act.recognize(receipt)
    return bytes(opened.opened.kid)


def test_a_signer_that_fails_after_the_commit_loses_nothing(world: World, path: Path) -> None:
    class Broken:
        """A KMS that is down when the receipt is to be signed."""

        alg, kid = key(PSP).alg, key(PSP).kid

        def sign(self, message: bytes) -> bytes:
            raise TimeoutError

    payment = world.payment()
    with pytest.raises(TimeoutError):
        world.service(path, signer=Broken()).authorize(payment)
    charge = world.service(path).authorize(payment)
    assert charge.replayed is True
    assert len(snapshot(path)["charge"]) == 1


@pytest.mark.parametrize("payment", [None, "text", 1, [], {}])
def test_what_is_no_payment_at_all(payment: Any, service: PaymentService, path: Path) -> None:
    with nothing_moves(path), pytest.raises((TypeError, AttributeError, InvalidCall)):
        service.authorize(payment)


# --- threads ------------------------------------------------------------------------------------------------------------


def test_eight_threads_never_exceed_one_mandate(world: World, service: PaymentService) -> None:
    iac = world.mint(max_total_amount="30.00")
    payments = [world.payment(iac=iac, order=world.order("1.00")) for _ in range(64)]
    start = threading.Barrier(8)

    def pay(share: list[act.Payment]) -> list[str]:
        start.wait()
        outcomes = []
        for payment in share:
            try:
                outcomes.append(service.authorize(payment).id)
            except act.Refused as refusal:
                outcomes.append(refusal.code)
        return outcomes

    with ThreadPoolExecutor(8) as pool:
        results = [code for codes in pool.map(pay, [payments[index::8] for index in range(8)]) for code in codes]
    charges = {result for result in results if result.startswith("ch_")}
    assert len(charges) == 30
    assert results.count("total_limit_exceeded") == 34
    assert spent(service, iac) == (3_000, 0)


def test_eight_threads_with_the_same_payment_make_one_charge(world: World, service: PaymentService) -> None:
    iac = world.mint()
    payment = world.payment(iac=iac)
    start = threading.Barrier(8)

    def pay(_: int) -> Charge:
        start.wait()
        return service.authorize(payment)

    with ThreadPoolExecutor(8) as pool:
        charges = list(pool.map(pay, range(8)))
    assert len({charge.id for charge in charges}) == 1
    assert len({charge.receipt for charge in charges}) == 1
    assert [charge.replayed for charge in charges].count(False) == 1
    assert spent(service, iac) == (1_800, 0)

"""act.payment.service: what arrived together is decided together, each payment as if it were alone."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import act
from act.errors import InvalidCall, StoreFault
from act.parties import Role
from act.payment.service import PaymentService
from tests.support.world import PSP, World, enrolled, key, nothing_moves, snapshot, spent


def codes(answers: tuple[Any, ...]) -> list[str]:
    return [each.code if isinstance(each, act.ActError) else each.state.value for each in answers]


def test_each_payment_has_its_own_answer(world: World, service: PaymentService) -> None:
    iac = world.mint(max_total_amount="50.00")
    paid, revoked = world.payment(iac=iac), world.mint()
    service.authorize(paid)
    service.revoke(revoked)
    fresh = world.payment(iac=iac)
    answers = service.authorize_all([
        paid,
        fresh.to_bytes(),
        world.payment(iac=iac),
        world.payment(iac=revoked),
        world.payment(order=world.order("38.00")),
        b"no payment",
        world.payment(),
    ])  # fmt: skip
    expected = [
        "HELD", "HELD", "total_limit_exceeded", "credential_revoked", "single_limit_exceeded", "cbor_invalid", "HELD",
    ]  # fmt: skip
    assert codes(answers) == expected
    first, second, third = answers[:3]
    assert isinstance(first, act.Charge)
    assert first.replayed
    assert isinstance(second, act.Charge)
    assert not second.replayed
    assert isinstance(third, act.Refused)
    assert third.receipt is not None
    assert spent(service, iac) == (3_600, 0)
    assert service.authorize(fresh).id == second.id


def test_what_is_refused_before_the_ledger_moves_nothing(world: World, service: PaymentService, path: Path) -> None:
    service.authorize(world.payment())
    with nothing_moves(path):
        answers = service.authorize_all([b"", world.payment(order=world.order("38.00"))])
    assert codes(answers) == ["cbor_invalid", "single_limit_exceeded"]


@pytest.mark.parametrize("wrong", [None, 7, "payment", [], bytearray(b"x")])
def test_what_is_no_payment_is_the_callers_mistake_and_nothing_is_decided(
    wrong: Any, world: World, service: PaymentService, path: Path
) -> None:
    service.authorize(world.payment())
    with nothing_moves(path), pytest.raises(InvalidCall) as caught:
        service.authorize_all([world.payment(), wrong])
    assert (caught.value.code, caught.value.where) == ("call_invalid", "payments")


def test_no_money_is_held_under_a_key_whose_receipts_nobody_could_verify(world: World, path: Path) -> None:
    service = world.service(path, signer=key("stranger"))
    with nothing_moves(path), pytest.raises(InvalidCall):
        service.authorize_all([world.payment()])


def test_no_payments_are_no_answers(service: PaymentService, path: Path) -> None:
    with nothing_moves(path):
        assert service.authorize_all([]) == ()


def test_a_payment_that_was_voided_since_is_not_answered_as_money_held(world: World, service: PaymentService) -> None:
    payment = world.payment()
    service.void(service.authorize(payment).id)
    assert codes(service.authorize_all([payment, payment])) == ["charge_closed", "charge_closed"]


def test_a_fault_of_the_store_stands_at_the_place_of_each(world: World, service: PaymentService, path: Path) -> None:
    service.authorize(world.payment())
    payments, away = [world.payment(), world.payment()], path.with_name("away.db")
    path.rename(away)
    answers = service.authorize_all([payments[0], b"no payment", payments[1]])
    assert codes(answers) == ["store_unavailable", "cbor_invalid", "store_unavailable"]
    assert isinstance(answers[0], StoreFault)
    away.rename(path)
    assert codes(service.authorize_all(payments)) == ["HELD", "HELD"]


def test_a_signer_that_fails_for_one_receipt_takes_no_answer_from_the_others(world: World, path: Path) -> None:
    class Faltering:
        """A KMS that is down for a moment."""

        alg, kid = key(PSP).alg, key(PSP).kid
        calls = 0

        def sign(self, message: bytes) -> bytes:
            self.calls += 1
            if self.calls == 2:
                raise TimeoutError
            return key(PSP).sign(message)

    payments = [world.payment() for _ in range(3)]
    answers = world.service(path, signer=Faltering()).authorize_all(payments)
    assert [type(each) for each in answers] == [act.Charge, TimeoutError, act.Charge]
    charge = world.service(path).authorize(payments[1])
    assert charge.replayed
    assert len(snapshot(path)["charge"]) == 3


def test_a_receipt_of_a_retired_key_that_is_missing_takes_no_answer_from_the_others(world: World, path: Path) -> None:
    old, new = world.payment(), world.payment()
    world.service(path).authorize(old)
    world.parties.add(enrolled(PSP, Role.PSP, key_pair=key("psp key 2")))
    answers = world.service(path, signer=key("psp key 2")).authorize_all([new, old])
    assert isinstance(answers[0], act.Charge)
    assert not answers[0].replayed
    assert isinstance(answers[1], InvalidCall)
    assert answers[1].where == "retired_signers"


def test_the_clock_is_asked_once(world: World, path: Path) -> None:
    asked: list[datetime] = []

    def clock() -> datetime:
        asked.append(world.clock())
        return asked[-1]

    service = world.service(path, clock=clock)
    service.authorize_all([world.payment() for _ in range(5)])
    assert len(asked) == 1


def test_whatever_gives_payments_one_by_one_is_taken(world: World, service: PaymentService) -> None:
    payments = [world.payment(), world.payment()]
    assert codes(service.authorize_all(iter(payments))) == ["HELD", "HELD"]  # type: ignore[arg-type]

"""act.payment.service: what it does because somebody who may signed for it, and what it answers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import act
from act.delegation.lifecycle import Causer, MandateState
from act.errors import InvalidCall
from act.parties import Role
from act.payment.charge import ChargeState
from act.payment.instruction import open_instruction
from act.payment.ledger import EntryKind
from act.payment.receipt import open_receipt
from act.payment.service import Acknowledgement, Charge, PaymentService
from tests.support.fold import audit
from tests.support.world import (
    AGENT,
    END_SECONDS,
    NOW_SECONDS,
    OTHER_PSP,
    OTHER_SHOP,
    PRINCIPAL,
    PSP,
    SHOP,
    SUB_AGENT,
    SUB_SUB_AGENT,
    WALLET,
    World,
    enrolled,
    identity_of,
    key,
    nothing_moves,
    refused,
)

DAY = 86_400


@pytest.fixture(params=["cose", "jose"])
def world(request: pytest.FixtureRequest) -> World:
    world = World(format=request.param)
    world.parties.add(enrolled(PRINCIPAL, Role.PRINCIPAL))
    return world


def chain_of(world: World, **ext: Any) -> list[bytes]:
    """A mandate and two links."""
    extended = {"delegation": {"max_depth": 2}, **world.document()["ext"], **ext}
    root = world.mint(ext=extended)
    link = world.link([root], SUB_AGENT, ext={"delegation": {"max_depth": 1}})
    return [root, link, world.link([root, link], SUB_SUB_AGENT)]


def sign(world: World, action: Any, chain: list[bytes], issuer: str = WALLET, **more: Any) -> bytes:
    settings: dict[str, Any] = {"signer": key(issuer), "issuer": issuer, "at": world.clock()}
    return act.sign_instruction(action, chain=chain, **settings | more)


def sign_charge(world: World, action: Any, charge: Charge, issuer: str = SHOP, **terms: Any) -> bytes:
    settings: dict[str, Any] = {"signer": key(issuer), "issuer": issuer, "audience": PSP, "at": world.clock()}
    return act.sign_instruction(action, trade_no=charge.id, format=world.format, **settings | terms)


def obeyed(service: PaymentService, world: World, action: Any, chain: list[bytes], *issuer: str) -> Acknowledgement:
    answer = service.instruct(sign(world, action, chain, *issuer), chain=chain)
    assert isinstance(answer, Acknowledgement)
    return answer


def pay(service: PaymentService, world: World, chain: list[bytes], amount: str = "1.00") -> Charge:
    agent_id = {1: AGENT, 2: SUB_AGENT, 3: SUB_SUB_AGENT}[len(chain)]
    return service.authorize(world.payment(chain=chain, order=world.order(amount, agent_id=agent_id)))


# --- about a credential --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "action, issuer, causer, state",
    [
        ("suspend", WALLET, Causer.PRINCIPAL, MandateState.SUSPENDED),
        ("suspend", PRINCIPAL, Causer.PRINCIPAL, MandateState.SUSPENDED),
        ("suspend", PSP, Causer.RISK_CONTROL, MandateState.SUSPENDED),
        ("revoke", WALLET, Causer.PRINCIPAL, MandateState.REVOKED),
        ("revoke", AGENT, Causer.AGENT, MandateState.REVOKED),
    ],
)
def test_the_receipt_is_the_acknowledgement(
    world: World, service: PaymentService, path: Path, action: Any, issuer: str, causer: Causer, state: MandateState
) -> None:
    iac = world.mint()
    data = sign(world, action, [iac], issuer)
    answer = service.instruct(data, chain=[iac])
    assert isinstance(answer, Acknowledgement)
    assert (answer.state, answer.replayed, answer.mandate.delegator_identity) == (state, False, PRINCIPAL)
    receipt = open_receipt(answer.receipt).authenticate(world.parties)
    assert (receipt.kind, receipt.caused_by, receipt.instruction) == (answer.kind, causer, open_instruction(data).identity)
    assert open_receipt(answer.receipt).opened.format == world.format
    code = "credential_suspended" if state is MandateState.SUSPENDED else "credential_revoked"
    with refused(code, "mandate"):
        pay(service, world, [iac])
    with nothing_moves(path):
        again = service.instruct(data, chain=[iac])
        assert again == Acknowledgement(answer.mandate, answer.kind, state, answer.receipt, replayed=True)
        world.clock.advance(DAY + 1)
        assert service.instruct(data, chain=[iac]) == again
    audit(path)


def test_a_resume_lifts_only_ones_own_stop(world: World, service: PaymentService, path: Path) -> None:
    chain = chain_of(world)
    obeyed(service, world, "suspend", chain[:1])
    assert service.suspend(chain[0]).state is MandateState.SUSPENDED
    lifted = obeyed(service, world, "resume", chain[:1])
    assert (lifted.kind, lifted.state) == (EntryKind.RESUMED, MandateState.SUSPENDED)
    with refused("credential_suspended", "mandate"):
        pay(service, world, chain)
    with nothing_moves(path), refused("transition_not_allowed", "mandate"):
        obeyed(service, world, "resume", chain[:1])
    assert service.resume(chain[0]).state is MandateState.ACTIVE
    pay(service, world, chain)
    with nothing_moves(path), refused("transition_not_allowed", "mandate"):
        service.resume(chain[0])


@pytest.mark.parametrize("depth", [2, 3])
def test_a_link_that_is_stopped_stops_what_is_below_it(world: World, service: PaymentService, path: Path, depth: int) -> None:
    chain = chain_of(world)
    charge = pay(service, world, chain)
    ended = obeyed(service, world, "revoke", chain[:depth], {2: AGENT, 3: SUB_SUB_AGENT}[depth])
    assert open_receipt(ended.receipt).receipt.link == identity_of(chain[depth - 1])
    for length in range(depth, 4):
        with refused("credential_revoked", f"link.{depth - 1}"):
            pay(service, world, chain[:length])
    for length in range(1, depth):
        pay(service, world, chain[:length])
    assert service.capture(charge.id, charge.amount).state is ChargeState.CAPTURED
    audit(path)


def test_the_holds_of_a_revoked_link_are_voided_where_the_mandate_says_so(world: World, service: PaymentService) -> None:
    chain = chain_of(world, status={"on_revoke": "void"})
    above, below = pay(service, world, chain[:1]), pay(service, world, chain)
    obeyed(service, world, "revoke", chain[:2])
    with refused("charge_closed"):
        service.capture(below.id, below.amount)
    service.capture(above.id, above.amount)


def test_risk_control_stops_on_its_own_word(world: World, service: PaymentService, path: Path) -> None:
    chain = chain_of(world)
    stopped = service.suspend(chain[0], links=chain[1:2])
    assert (stopped.kind, stopped.state, stopped.replayed) == (EntryKind.SUSPENDED, MandateState.SUSPENDED, False)
    receipt = open_receipt(stopped.receipt).authenticate(world.parties)
    assert (receipt.caused_by, receipt.link) == (Causer.RISK_CONTROL, identity_of(chain[1]))
    again = service.suspend(chain[0], links=chain[1:2])
    assert (again.receipt, again.replayed) == (stopped.receipt, True)
    with refused("credential_suspended", "link.1"):
        pay(service, world, chain)
    status = service.status(chain[0], links=chain[1:])
    assert status is not None
    assert [each.standing.suspended_by for each in status.links] == [frozenset({Causer.RISK_CONTROL}), frozenset()]
    assert [each.agent_id for each in status.links] == [SUB_AGENT, SUB_SUB_AGENT]
    assert status.standing.suspended_by == frozenset()
    service.resume(chain[0], links=chain[1:2])
    pay(service, world, chain)
    for call in (service.suspend, service.resume):
        with refused("wrong_ledger", "mandate.aud"):
            call(world.mint(ledger=OTHER_PSP))
        with nothing_moves(path), refused("signer_unknown"):
            call(world.mint(signer=key("stranger")))


def test_an_instruction_takes_its_chain(world: World, service: PaymentService, path: Path) -> None:
    chain = chain_of(world)
    data = sign(world, "suspend", chain[:2])
    with nothing_moves(path):
        for wrong in (chain, chain[:1]):
            with refused("instruction_mismatch", "instruction.act.credential"):
                service.instruct(data, chain=wrong)
        with pytest.raises(InvalidCall):
            service.instruct(data)
        with refused("instruction_not_allowed"):
            service.instruct(sign(world, "suspend", chain[:2], SHOP), chain=chain[:2])
        with refused("wrong_ledger", "instruction.aud"):
            service.instruct(sign(world, "suspend", chain[:2], audience=OTHER_PSP), chain=chain[:2])


def test_an_instruction_is_obeyed_in_its_time(world: World, service: PaymentService, path: Path) -> None:
    iac = world.mint()
    data = sign(world, "revoke", [iac], lifetime_seconds=60)
    world.clock.advance(60)
    with nothing_moves(path), refused("instruction_expired"):
        service.instruct(data, chain=[iac])
    early = sign(world, "revoke", [iac], at=world.clock())
    world.clock.advance(-11)
    with nothing_moves(path), refused("instruction_not_yet_valid"):
        service.instruct(early, chain=[iac])


def test_an_id_stands_for_one_instruction(world: World, service: PaymentService, path: Path) -> None:
    iac = world.mint()
    same = bytes(16)
    service.instruct(sign(world, "suspend", [iac], instruction_id=same), chain=[iac])
    with nothing_moves(path), refused("duplicate_instruction", "instruction.cti"):
        service.instruct(sign(world, "resume", [iac], instruction_id=same), chain=[iac])
    service.instruct(sign(world, "suspend", [iac], PSP, instruction_id=same), chain=[iac])
    other = world.mint()
    service.instruct(sign(world, "suspend", [other], instruction_id=same), chain=[other])


@pytest.mark.parametrize("action", ["suspend", "resume", "revoke"])
def test_nothing_leaves_expired(world: World, service: PaymentService, path: Path, action: Any) -> None:
    chain = chain_of(world)
    obeyed(service, world, "suspend", chain[:2])
    world.clock.set(END_SECONDS)
    with nothing_moves(path):
        for length in (1, 2):
            with refused("transition_not_allowed") as caught:
                obeyed(service, world, action, chain[:length])
            assert caught.value.facts["state"] == "Expired"
    assert service.revoke(chain[0]).state is MandateState.REVOKED


def test_a_link_ends_before_its_mandate_does(world: World, service: PaymentService, path: Path) -> None:
    root = world.mint(ext={"delegation": {"max_depth": 1}, **world.document()["ext"]})
    link = world.link([root], SUB_AGENT, validity_end_time="2026-02-06T10:00:00Z")
    world.clock.set(END_SECONDS - 1)
    with nothing_moves(path), refused("transition_not_allowed", "link.1"):
        obeyed(service, world, "suspend", [root, link])
    obeyed(service, world, "suspend", [root])


def test_a_compromised_issuers_mandate_is_stopped_only_if_it_was_recorded(
    world: World, service: PaymentService, path: Path
) -> None:
    used, unused = world.mint(), world.mint()
    pay(service, world, [used])
    world.clock.advance(10)
    world.parties.change(WALLET, compromised_at=NOW_SECONDS + 10)
    with nothing_moves(path):
        with refused("key_compromised", "instruction.iss"):
            obeyed(service, world, "suspend", [used])
        with refused("key_compromised", "mandate.iss"):
            obeyed(service, world, "suspend", [unused], PRINCIPAL)
    obeyed(service, world, "revoke", [used], AGENT)


# --- about a charge ------------------------------------------------------------------------------------------------------


def test_a_payee_instructs_about_its_own_charges(world: World, service: PaymentService, path: Path) -> None:
    charge = pay(service, world, [world.mint()], "5.00")
    asked = [
        sign_charge(world, "capture", charge, amount=act.Amount(100, "CNY"), capture_no="S-1", fulfilment=bytes(32)),
        sign_charge(world, "capture", charge, amount=act.Amount(200, "CNY")),
        sign_charge(world, "refund", charge, amount=act.Amount(50, "CNY"), refund_no="R-1"),
    ]
    states = [ChargeState.PARTIALLY_CAPTURED, ChargeState.CAPTURED, ChargeState.CAPTURED]
    receipts = []
    for data, state in zip(asked, states, strict=True):
        answer = service.instruct(data)
        assert isinstance(answer, Charge)
        assert (answer.state, answer.replayed) == (state, False)
        assert open_receipt(answer.receipt).receipt.instruction == open_instruction(data).identity
        receipts.append(answer.receipt)
    with nothing_moves(path):
        world.clock.advance(DAY)
        for data, receipt in zip(asked, receipts, strict=True):
            again = service.instruct(data)
            assert isinstance(again, Charge)
            assert (again.receipt, again.replayed, again.state) == (receipt, True, ChargeState.CAPTURED)
    audit(path)


@pytest.mark.parametrize("issuer", [SHOP, PSP])
def test_a_hold_is_let_go_by_its_payee_or_the_payment_service(world: World, service: PaymentService, issuer: str) -> None:
    charge = pay(service, world, [world.mint()])
    answer = service.instruct(sign_charge(world, "void", charge, issuer))
    assert isinstance(answer, Charge)
    assert answer.state is ChargeState.VOIDED


def test_nobody_moves_anothers_charge(world: World, service: PaymentService, path: Path) -> None:
    charge = pay(service, world, [world.mint()])
    amount: dict[str, Any] = {"amount": charge.amount}
    with nothing_moves(path):
        with refused("instruction_not_allowed", "instruction.iss"):
            service.instruct(sign_charge(world, "capture", charge, OTHER_SHOP, **amount))
        with refused("instruction_not_allowed", "instruction.act.action"):
            service.instruct(sign_charge(world, "capture", charge, PSP, **amount))
        with refused("signer_unknown"):
            service.instruct(sign_charge(world, "void", charge, AGENT))
        with refused("currency_mismatch", "amount"):
            service.instruct(sign_charge(world, "capture", charge, amount=act.Amount(1, "USD")))
        with refused("capture_exceeds_hold", "amount"):
            service.instruct(sign_charge(world, "capture", charge, amount=act.Amount(101, "CNY")))
        with refused("refund_exceeds_captured", "amount"):
            service.instruct(sign_charge(world, "refund", charge, refund_no="R", **amount))
        with refused("charge_unknown", "charge"):
            service.instruct(
                act.sign_instruction("void", signer=key(SHOP), issuer=SHOP, audience=PSP, trade_no="茶", at=world.clock())
            )
        with refused("wrong_ledger", "instruction.aud"):
            service.instruct(sign_charge(world, "void", charge, audience=OTHER_PSP))
        with refused("parties_expired"):
            world.parties.expires_at = int(world.clock().timestamp())
            service.instruct(sign_charge(world, "void", charge))


def test_the_same_instruction_many_times_at_once_is_obeyed_once(world: World, service: PaymentService, path: Path) -> None:
    charge = pay(service, world, [world.mint()], "5.00")
    captured = sign_charge(world, "capture", charge, amount=act.Amount(100, "CNY"), capture_no="S-1")
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: service.instruct(captured), range(16)))
    assert sorted(each.replayed for each in answers) == [False, *[True] * 15]
    assert len({each.receipt for each in answers}) == 1
    audit(path)

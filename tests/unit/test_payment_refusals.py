"""PaymentService.authorize refuses every fault with its own code, and its ledger does not move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import act
from act.errors import CODES
from tests.support.faults import FAULTS, LEDGER_FAULTS, Draft, Fault, LedgerFault, request_id_of
from tests.support.world import AGENT, SHOP, key, nothing_moves, refused, resign, snapshot

PRECEDENCE = list(CODES)
BEFORE_REPLAY = frozenset(PRECEDENCE[: PRECEDENCE.index("duplicate_request")])
MANDATE_STATE = frozenset({"credential_conflict", "credential_revoked", "credential_suspended"})


def _built(*faults: Fault | LedgerFault) -> tuple[Draft, act.Payment]:
    draft = Draft()
    for fault in faults:
        fault.apply(draft)
    return draft, draft.build()


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_refused_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    path, fault = tmp_path / "ledger.db", FAULTS[name]
    draft, payment = _built(fault)
    service = draft.world.service(path)
    for each in (payment, payment.to_bytes()):
        with nothing_moves(path), refused(fault.code, fault.where) as caught:
            service.authorize(each)
        assert caught.value.receipt is None
        assert caught.value.replayed is False
    assert snapshot(path)["mandate"] == []


@pytest.mark.parametrize("name", LEDGER_FAULTS)
def test_a_fault_only_the_ledger_knows(name: str, tmp_path: Path) -> None:
    path, fault = tmp_path / "ledger.db", LEDGER_FAULTS[name]
    draft, payment = _built(fault)
    service = draft.world.service(path)
    fault.prepare(service, path, draft, payment)
    before = snapshot(path)
    with refused(fault.code, fault.where) as caught:
        service.authorize(payment)
    after = snapshot(path)
    if not fault.recorded:
        assert after == before
        assert caught.value.receipt is None
        return
    # Ledger rule 5: refusals by money and lifecycle are recorded, and no counter and no charge moves.
    moved = {table for table in before if before[table] != after[table]}
    assert moved == {"entry", "mandate", "request"}
    assert len(after["entry"]) == len(before["entry"]) + 1
    assert len(after["request"]) == len(before["request"]) + 1
    assert caught.value.receipt is not None

    with nothing_moves(path), refused(fault.code, fault.where) as again:
        service.authorize(payment)
    assert again.value.replayed is True
    assert again.value.receipt == caught.value.receipt
    assert again.value.facts == caught.value.facts


@pytest.mark.parametrize("ledger_name", LEDGER_FAULTS)
def test_two_faults_one_of_them_in_the_ledger(ledger_name: str, tmp_path: Path) -> None:
    """Before replay the verifier's code, then what a replay says, then the one that ranks first; and nothing moves."""
    tried = 0
    for number, (name, fault) in enumerate(FAULTS.items()):
        known = LEDGER_FAULTS[ledger_name]
        touches_mandate = any(slot.split(".")[0] in {"mandate", "wallet", "parties"} for slot in fault.slots)
        if fault.slots & known.slots or touches_mandate or fault.code == "key_compromised":
            continue  # the ledger has to be prepared with this very mandate, which has to be good
        path = tmp_path / f"{number}.db"
        draft, payment = _built(fault, known)
        service = draft.world.service(path)
        try:
            known.prepare(service, path, draft, payment)
        except act.Refused:
            continue  # what is wrong with the order or its shop is in the way
        tried += 1
        with nothing_moves(path), pytest.raises(act.Refused) as caught:
            service.authorize(payment)
        assert caught.value.code in {fault.code, known.code}, name
        if fault.code in BEFORE_REPLAY:
            assert caught.value.code == fault.code, name
        elif known.code == "duplicate_request" and name != "request by another agent":  # whose ids are others
            assert caught.value.code == "duplicate_request", name
        elif known.code in MANDATE_STATE:  # ACT reports the mandate's state before money
            assert caught.value.code == min(fault.code, known.code, key=PRECEDENCE.index), name
    assert tried > 15


# --- what a stranger may learn and burn ---------------------------------------------------------------------------------

Forge = Callable[[act.Payment], act.Payment]
STRANGERS: dict[str, Forge] = {
    "no signature": lambda payment: replace(payment, request=resign(payment.request, b"")),
    "zeros": lambda payment: replace(payment, request=resign(payment.request, bytes(64))),
    "one bit": lambda payment: replace(payment, request=payment.request[:-1] + bytes([payment.request[-1] ^ 1])),
}


@pytest.mark.parametrize("forge", STRANGERS.values(), ids=STRANGERS.keys())
def test_an_unsigned_copy_learns_nothing_of_a_used_id(forge: Forge, tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    draft, payment = _built()
    service = draft.world.service(path)
    service.authorize(payment)
    other = draft.world.payment(iac=payment.chain[0], order=payment.order, request_id=request_id_of(payment))
    for copy in (forge(payment), forge(other)):
        with nothing_moves(path), refused("agent_signature_invalid", "request"):
            service.authorize(copy)


@pytest.mark.parametrize("forge", STRANGERS.values(), ids=STRANGERS.keys())
def test_an_unsigned_copy_does_not_burn_an_id(forge: Forge, tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    draft, payment = _built()
    service = draft.world.service(path)
    with nothing_moves(path), refused("agent_signature_invalid", "request"):
        service.authorize(forge(payment))
    charge = service.authorize(payment)
    assert charge.replayed is False


def test_a_thiefs_request_with_a_used_id_learns_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    draft, payment = _built()
    service = draft.world.service(path)
    service.authorize(payment)
    request_id = request_id_of(payment)
    stolen = draft.world.payment(iac=payment.chain[0], order=payment.order, request_id=request_id, signer=key("thief"))
    with nothing_moves(path), refused("agent_signature_invalid", "request"):
        service.authorize(stolen)


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault.code not in BEFORE_REPLAY])
def test_a_request_refused_by_a_rule_may_come_again(name: str, tmp_path: Path) -> None:
    """What failed must not burn its id: the same id, in a request that is right, is charged."""
    path = tmp_path / "ledger.db"
    draft, payment = _built(FAULTS[name])
    service = draft.world.service(path)
    request_id = request_id_of(payment)
    with refused(FAULTS[name].code):
        service.authorize(payment)
    right = Draft()
    good = right.world.payment(iac=right.world.mint(), order=right.world.order(), request_id=request_id)
    draft.world.parties.expires_at = right.world.parties.expires_at
    assert service.authorize(good).replayed is False


def test_the_very_request_refused_by_a_rule_is_charged_once_it_is_right(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    draft = Draft()
    world = draft.world
    payment = world.payment(iac=world.mint(), order=world.order(at=world.clock()), at=world.clock())
    service = world.service(path)
    world.clock.advance(-11)
    with nothing_moves(path), refused("request_not_yet_valid", "request.iat"):
        service.authorize(payment)
    world.clock.advance(11)
    assert service.authorize(payment).replayed is False


def test_an_id_is_unique_within_a_mandate_and_an_agent(tmp_path: Path) -> None:
    """Ledger rule 5: the same id under another mandate is another id."""
    world = Draft().world
    service = world.service(tmp_path / "ledger.db")
    request_id = bytes(16)
    charges = [service.authorize(world.payment(iac=world.mint(), order=world.order(), request_id=request_id)) for _ in range(3)]
    assert len({charge.id for charge in charges}) == 3
    assert {charge.agent_id for charge in charges} == {AGENT}
    assert {charge.payee for charge in charges} == {SHOP}

"""act.delegation.vc_jwt: ACT's payload in JSON means exactly what the COSE mandate means."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import act
from act.delegation.credential import open_credential
from act.delegation.vc_jwt import neutral_claims, vc_payload
from act.delegation.vc_subject import read_subject, write_subject
from act.parties import PartiesTable, Role
from act.payment.receipt import open_receipt
from act.wire.base64url import base64url_encode
from tests.support.world import (
    ABSENT,
    AGENT,
    NOW_SECONDS,
    PSP,
    SHOP,
    WALLET,
    World,
    claims_of,
    enrolled,
    key,
    nothing_moves,
    payload_of,
    refused,
    reseal,
    spent,
)

DIGEST = bytes(range(32))


@pytest.fixture
def world() -> World:
    return World(format="jose")


def _changed(world: World, changes: dict[str, object]) -> bytes:
    return reseal(world.mint(), key(WALLET), changes)


def test_both_envelopes_hold_equal_mandates(world: World) -> None:
    mandate = world.mandate()
    holder = world.agent.public_key
    opened = {
        each: open_credential(act.mint(mandate, signer=key(WALLET), holder=holder, at=world.clock(), format=each))
        for each in ("cose", "jose")
    }
    assert opened["cose"].content == opened["jose"].content
    assert opened["cose"].content.mandate == mandate


def test_the_payload_is_what_the_neutral_claims_say(world: World) -> None:
    claims = claims_of(world.mint(format="cose"))
    payload = vc_payload(claims)
    assert neutral_claims(payload) == claims
    assert payload["credentialSubject"]["max_total_amount"] == Decimal("200.00")


BLOCKS: dict[str, tuple[Any, Any]] = {
    "source_isr_digest": (DIGEST, base64url_encode(DIGEST)),
    "supersedes": (DIGEST, base64url_encode(DIGEST)),
    "conversation_history": (
        {"user_intent_raw_digest": DIGEST, "user_intent_raw": [{"role": "USER", "content": "tea", "create_time": NOW_SECONDS}]},
        {
            "user_intent_raw_digest": base64url_encode(DIGEST),
            "user_intent_raw": [{"role": "USER", "content": "tea", "create_time": "2026-02-06T09:00:00Z"}],
        },
    ),
    "ext": (
        {
            "quota": {"times_limit": 3, "periods": [{"period_unit": "DAY", "max_amount": "50.00"}]},
            "items": [{"sku": "a", "max_unit_amount": "9.90", "confirmed_unit_amount": "9.00"}],
            "step_up": {"above_amount": "20.00"},
            "status": {"max_staleness": [{"above_amount": "0.01", "seconds": 60}]},
            "agent_behavior": {"price_deviation_tolerance": "2.5", "max_retry_count": 1},
            "fulfillment": {"delivery_address": DIGEST},
        },
        {
            "quota": {"times_limit": 3, "periods": [{"period_unit": "DAY", "max_amount": Decimal("50.00")}]},
            "items": [{"sku": "a", "max_unit_amount": Decimal("9.90"), "confirmed_unit_amount": Decimal("9.00")}],
            "step_up": {"above_amount": Decimal("20.00")},
            "status": {"max_staleness": [{"above_amount": Decimal("0.01"), "seconds": 60}]},
            "agent_behavior": {"price_deviation_tolerance": Decimal("2.5"), "max_retry_count": 1},
            "fulfillment": {"delivery_address": base64url_encode(DIGEST)},
        },
    ),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_every_field_of_the_table_goes_both_ways(name: str) -> None:
    """Blocks that this version does not judge are written and read all the same: the registry refuses them, not the table."""
    neutral, written = BLOCKS[name]
    assert write_subject({name: neutral}) == {name: written}
    assert read_subject({"currency": "CNY", name: written})[name] == neutral


@pytest.mark.parametrize("value", ["2.5", None, True, Decimal("2.555"), Decimal("1E+30"), []])
def test_a_tolerance_is_a_number_of_two_decimals(value: object) -> None:
    with refused("claim_invalid", "ext.agent_behavior.price_deviation_tolerance"):
        read_subject({"ext": {"agent_behavior": {"price_deviation_tolerance": value}}})


@pytest.mark.parametrize(
    "value, text", [(5, "5"), (Decimal("5.0"), "5"), (Decimal("0.50"), "0.5"), (Decimal("12.25"), "12.25")]
)
def test_a_tolerance_has_one_text(value: object, text: str) -> None:
    read = read_subject({"ext": {"agent_behavior": {"price_deviation_tolerance": value}}})
    assert read["ext"]["agent_behavior"]["price_deviation_tolerance"] == text


@pytest.mark.parametrize("currency, total", [("JPY", "20000"), ("CNY", "199.99"), ("KWD", "20.001"), ("CLF", "1.0001")])
def test_amounts_of_any_currency_are_exact(world: World, currency: str, total: str) -> None:
    mandate = world.mandate(currency=currency, max_total_amount=total, commerce={"max_single_amount": ABSENT})
    iac = act.mint(mandate, signer=key(WALLET), holder=world.agent.public_key, at=world.clock(), format="jose")
    assert open_credential(iac).content.mandate == mandate


@pytest.mark.parametrize(
    "total, carried", [("90071992547409.91", False), ("9999999999999.99", True), ("90071992547409.92", False)]
)
def test_what_json_does_not_carry_exactly_is_not_signed(world: World, total: str, carried: bool) -> None:
    mandate = world.mandate(max_total_amount=total)
    assert open_credential(world.mint(max_total_amount=total, format="cose")).content.mandate.constraints == mandate.constraints
    if carried:
        assert open_credential(world.mint(max_total_amount=total)).content.mandate.constraints == mandate.constraints
    else:
        with pytest.raises((act.InvalidCall, act.Refused)):
            world.mint(max_total_amount=total)


def test_an_id_of_the_wallets_own_making_is_paid_under(world: World, tmp_path: Path) -> None:
    iac = world.mint(delegation_id="D-2026-0001")
    with pytest.raises(act.InvalidCall) as caught:
        world.mint(delegation_id="D-2026-0001", format="cose")
    assert caught.value.where == "mandate.delegation_id"
    payment = world.payment(iac=iac)
    with pytest.raises(act.InvalidCall):
        world.payment(iac=iac, format="cose")
    charge = world.service(tmp_path / "ledger.db").authorize(payment)
    assert charge.mandate.delegation_id == "D-2026-0001"
    assert open_receipt(charge.receipt).receipt.delegation_id == "D-2026-0001"


def test_receipts_stand_in_the_envelope_of_their_mandate(world: World, tmp_path: Path) -> None:
    service = world.service(tmp_path / "ledger.db")
    payments = {each: world.payment(iac=world.mint(format=each)) for each in ("cose", "jose")}
    for each, payment in payments.items():
        charge = service.authorize(payment)
        captured = service.capture(charge.id, charge.amount)
        for receipt in (charge.receipt, captured.receipt, service.authorize(payment).receipt):
            assert open_receipt(receipt).opened.format == each
        assert open_receipt(captured.receipt).receipt.previous == open_receipt(charge.receipt).opened.identity
        assert open_receipt(service.revoke(payment.chain[0]).receipt).opened.format == each


def test_a_replay_gives_the_same_receipt(world: World, tmp_path: Path) -> None:
    service = world.service(tmp_path / "ledger.db")
    payment = world.payment()
    first = service.authorize(payment)
    with nothing_moves(tmp_path / "ledger.db"):
        again = service.authorize(payment.to_bytes())
    assert (again.receipt, again.replayed) == (first.receipt, True)


def test_the_same_delegation_in_the_other_envelope_is_another_mandate(world: World, tmp_path: Path) -> None:
    """One object, one envelope: nothing was converted, so the second one is a second credential under the same id."""
    service = world.service(tmp_path / "ledger.db")
    same = "urn:uuid:00000000-0000-4000-8000-0000000000aa"
    first = world.mint(delegation_id=same)
    service.authorize(world.payment(iac=first))
    second = world.payment(iac=world.mint(format="cose", delegation_id=same))
    with nothing_moves(tmp_path / "ledger.db"), refused("credential_conflict"):
        service.authorize(second)
    assert spent(service, first) == (1_800, 0)


def test_a_refused_jose_payment_moves_nothing(world: World, tmp_path: Path) -> None:
    service = world.service(tmp_path / "ledger.db")
    iac = _changed(world, {"issuer": "bank.example"})
    payment = world.payment()
    with nothing_moves(tmp_path / "ledger.db"), refused("claim_conflict", "mandate.issuer"):
        service.authorize(act.Payment(payment.request, (iac,), payment.order))


def _act_2_0(world: World, **changes: object) -> bytes:
    iac = world.mint()
    payload = payload_of(iac)
    vc = {"type": payload["type"], "credentialSubject": payload["credentialSubject"]}
    moved = dict.fromkeys(("@context", "type", "issuer", "credentialSubject"), ABSENT)
    return reseal(iac, key(WALLET), {**moved, "vc": vc, **changes})


def test_act_2_0_is_paid_under_where_the_parties_name_the_ledger(world: World, tmp_path: Path) -> None:
    wallet = enrolled(WALLET, Role.ISSUER, namespaces=["user:"])
    named = act.parties.Party(**{name: getattr(wallet.party, name) for name in wallet.party.__slots__} | {"ledger": PSP})
    others = [each for each in world.parties.keys.values() if each.party.id != WALLET]
    enrolled_wallet = type(wallet)(named, wallet.public_key, wallet.not_before, wallet.not_after, None)
    iac = _act_2_0(world, aud=ABSENT, status=ABSENT, nbf=ABSENT)
    with refused("claim_missing", "mandate.aud"):
        open_credential(iac).authenticate(world.parties)
    parties = PartiesTable([enrolled_wallet, *others])
    credential = act.verify_mandate(iac, parties=parties, at=world.clock()).root
    assert credential.mandate.ledger == PSP
    payment = world.payment(iac=iac)
    service = world.service(tmp_path / "ledger.db", parties=parties)
    assert service.authorize(payment).amount == act.Amount(1_800, "CNY")
    assert act.verify_payment(payment, parties=parties, ledger=PSP, at=world.clock()).payee == SHOP
    assert credential.mandate.agent_id == AGENT


def test_an_unnamed_ledger_is_never_signed(world: World) -> None:
    mandate = open_credential(_act_2_0(world, aud=ABSENT, status=ABSENT)).content.mandate
    for each in ("cose", "jose"):
        with pytest.raises((act.InvalidCall, act.Refused)):
            act.mint(mandate, signer=key(WALLET), holder=world.agent.public_key, at=world.clock(), format=each)


@pytest.mark.parametrize("name", ["aud", "status", "nbf"])
def test_in_our_own_layout_nothing_may_be_left_to_others(world: World, name: str) -> None:
    with refused("claim_missing", f"mandate.{name}"):
        open_credential(_changed(world, {name: ABSENT}))

"""act.payment.instruction: what is signed, who may sign it, and how it is made."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import act
from act.delegation.lifecycle import LIFECYCLE_CAUSERS, Causer, LifecycleAction
from act.errors import InvalidCall
from act.parties import Role
from act.payment.charge import ChargeAction
from act.payment.instruction import (
    AuthenticatedInstruction,
    ChargeTerms,
    CredentialName,
    Instruction,
    open_instruction,
    sign_instruction,
    verify_instruction,
)
from tests.support.world import (
    ABSENT,
    AGENT,
    NOW_SECONDS,
    OTHER_AGENT,
    OTHER_PSP,
    OTHER_SHOP,
    OTHER_WALLET,
    PRINCIPAL,
    PSP,
    SHOP,
    SUB_AGENT,
    SUB_SUB_AGENT,
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

ID = bytes(range(16))
DAY = 86_400
CHARGE = "ch_1"
TERMS: dict[str, dict[str, Any]] = {
    "capture": {"amount": act.Amount(1_800, "CNY")},
    "void": {},
    "refund": {"amount": act.Amount(500, "CNY"), "refund_no": "R-1"},
}


def _world(**settings: Any) -> World:
    world = World(**settings)
    world.parties.add(enrolled(PRINCIPAL, Role.PRINCIPAL))
    return world


WORLD = _world()
IAC = WORLD.mint(
    delegation_id="urn:uuid:6d1c6a43-6f0c-4d0b-9c5e-0f6f1f0a7c11",
    ext={"delegation": {"max_depth": 2}, **WORLD.document()["ext"]},
)
LINK = WORLD.link([IAC], SUB_AGENT, ext={"delegation": {"max_depth": 1}})
BELOW = WORLD.link([IAC, LINK], SUB_SUB_AGENT)


def _about_credential(action: Any, issuer: str = WALLET, chain: tuple[bytes, ...] = (IAC,), **more: Any) -> bytes:
    settings: dict[str, Any] = {"signer": key(issuer), "issuer": issuer, "instruction_id": ID, "at": WORLD.clock()}
    return sign_instruction(action, chain=chain, **settings | more)


def _about_charge(action: Any, issuer: str = SHOP, **more: Any) -> bytes:
    settings: dict[str, Any] = {"signer": key(issuer), "issuer": issuer, "audience": PSP, "trade_no": CHARGE}
    settings |= {"instruction_id": ID, "at": WORLD.clock()}
    return sign_instruction(action, **settings | TERMS[action] | more)


def _verify(data: bytes, *chain: bytes, world: World = WORLD, **more: Any) -> AuthenticatedInstruction:
    settings: dict[str, Any] = {"parties": world.parties, "ledger": PSP, "at": world.clock(), "chain": chain}
    return verify_instruction(data, **settings | more)


# --- what is signed -----------------------------------------------------------------------------------------------------


def test_every_fact_about_a_credential_stands_once() -> None:
    assert claims_of(_about_credential("suspend", chain=(IAC, LINK), reason="lost")) == {
        "iss": WALLET,
        "aud": PSP,
        "exp": NOW_SECONDS + DAY,
        "iat": NOW_SECONDS,
        "cti": ID,
        "act": {
            "action": "suspend",
            "delegator_identity": PRINCIPAL,
            "delegation_id": claims_of(IAC)["cti"],
            "credential": identity_of(LINK),
            "reason": "lost",
        },
    }


def test_every_fact_about_a_charge_stands_once() -> None:
    capture = claims_of(_about_charge("capture", capture_no="S-1", fulfilment=bytes(32)))
    assert (capture["iss"], capture["aud"], capture["act"]) == (
        SHOP,
        PSP,
        {
            "action": "capture",
            "trade_no": CHARGE,
            "amount": "18.00",
            "currency": "CNY",
            "capture_no": "S-1",
            "fulfilment": bytes(32),
        },
    )
    assert claims_of(_about_charge("void"))["act"] == {"action": "void", "trade_no": CHARGE}
    refund = {"action": "refund", "trade_no": CHARGE, "amount": "5.00", "currency": "CNY", "refund_no": "R-1"}
    assert claims_of(_about_charge("refund"))["act"] == refund


@pytest.mark.parametrize("format", ["cose", "jose"])
def test_what_was_signed_is_read_back(format: Any) -> None:
    world = World(format=format)
    iac = world.mint()
    data = _about_credential("revoke", chain=(iac,), reason="茶 is over")
    found = open_instruction(data)
    assert found.opened.format == format
    mandate = act.recognize([iac]).root.content.mandate
    about = CredentialName(PRINCIPAL, mandate.delegation_id, identity_of(iac))
    expected = Instruction(ID, WALLET, PSP, LifecycleAction.REVOKE, about, NOW_SECONDS, NOW_SECONDS + DAY, "茶 is over")
    assert found.instruction == expected
    terms = ChargeTerms(CHARGE, act.Amount(500, "CNY"), refund_no="R-1")
    refund = open_instruction(_about_charge("refund", format=format)).instruction
    assert (refund.action, refund.about, refund.reason) == (ChargeAction.REFUND, terms, None)


def test_ids_are_drawn_at_random_and_signing_again_is_the_same() -> None:
    first, second = (open_instruction(_about_charge("void", instruction_id=None)).instruction for _ in range(2))
    assert first.instruction_id != second.instruction_id
    assert _about_charge("void") == _about_charge("void")


def test_a_recognized_file_is_an_instruction() -> None:
    found: Any = act.recognize(_about_charge("void"))
    assert (found.kind, found.identity) == ("instruction", identity_of(_about_charge("void")))


# --- who may ------------------------------------------------------------------------------------------------------------

CAUSERS = {
    WALLET: Causer.PRINCIPAL,
    PRINCIPAL: Causer.PRINCIPAL,
    PSP: Causer.RISK_CONTROL,
    AGENT: Causer.AGENT,
    SUB_AGENT: Causer.AGENT,
}


@pytest.mark.parametrize("action", LifecycleAction)
@pytest.mark.parametrize("issuer", CAUSERS)
def test_who_may_cause_what(issuer: str, action: LifecycleAction) -> None:
    data = _about_credential(action.value, issuer, (IAC, LINK))
    if CAUSERS[issuer] in LIFECYCLE_CAUSERS[action]:
        found = _verify(data, IAC, LINK)
        assert (found.causer, found.identity, found.kid) == (CAUSERS[issuer], identity_of(data), key(issuer).kid)
        assert found.chain is not None
        return
    with refused("instruction_not_allowed", "instruction.act.action") as caught:
        _verify(data, IAC, LINK)
    assert caught.value.facts == {"action": action.value, "causer": CAUSERS[issuer].value}


@pytest.mark.parametrize("issuer", [AGENT, SUB_AGENT, SUB_SUB_AGENT])
def test_any_agent_above_ends_a_link(issuer: str) -> None:
    chain = (IAC, LINK, BELOW)
    assert _verify(_about_credential("revoke", issuer, chain), *chain).causer is Causer.AGENT


@pytest.mark.parametrize("issuer", [SUB_AGENT, SUB_SUB_AGENT, OTHER_AGENT, OTHER_WALLET, OTHER_PSP, SHOP, "stranger"])
def test_nobody_else_ends_a_mandate(issuer: str) -> None:
    with refused("instruction_not_allowed", "instruction.iss"):
        _verify(_about_credential("revoke", issuer), IAC)


@pytest.mark.parametrize("name, signer", [(AGENT, SUB_AGENT), (AGENT, WALLET), (SUB_AGENT, AGENT)])
def test_an_agent_is_proven_by_its_own_key(name: str, signer: str) -> None:
    data = _about_credential("revoke", name, (IAC, LINK), signer=key(signer))
    with refused("instruction_signature_invalid", "instruction"):
        _verify(data, IAC, LINK)


@pytest.mark.parametrize(
    "name, signer, code",
    [
        (WALLET, AGENT, "signer_unknown"),
        (WALLET, PSP, "signer_unknown"),
        (WALLET, PRINCIPAL, "signer_unknown"),
        (WALLET, OTHER_WALLET, "signer_mismatch"),
        (PRINCIPAL, WALLET, "signer_unknown"),
        (PSP, OTHER_PSP, "signer_mismatch"),
        (PSP, SHOP, "signer_unknown"),
    ],
)
def test_a_party_is_proven_by_its_own_key_in_its_role(name: str, signer: str, code: str) -> None:
    with refused(code, "instruction.iss"):
        _verify(_about_credential("suspend", name, signer=key(signer)), IAC)


@pytest.mark.parametrize("issuer", [WALLET, PRINCIPAL, PSP])
def test_a_compromised_key_instructs_nothing(issuer: str) -> None:
    world = _world()
    world.parties.change(issuer, compromised_at=NOW_SECONDS + 1)
    with refused("key_compromised", "instruction.iss"):
        _verify(_about_credential("suspend", issuer), IAC, world=world)


def test_a_key_signs_while_it_is_in_force_and_is_believed_afterwards() -> None:
    world = _world()
    world.parties.change(SHOP, not_before=NOW_SECONDS, not_after=NOW_SECONDS + 1)
    world.clock.advance(60)
    assert _verify(_about_charge("void"), world=world).causer is Causer.PAYEE
    with refused("signer_unknown", "instruction.iss"):
        _verify(_about_charge("void", at=world.clock()), world=world)


def test_a_principal_that_issues_its_own_mandates_is_the_principal() -> None:
    own = WORLD.mint(issuer=PRINCIPAL, signer=key(PRINCIPAL))
    assert _verify(_about_credential("revoke", PRINCIPAL, (own,)), own).causer is Causer.PRINCIPAL


def test_a_wallet_speaks_for_its_own_delegators_only() -> None:
    """Whatever it was allowed when it signed the mandate: the namespace is asked for again, of the instruction's own key."""
    world = _world()
    before = act.recognize([IAC]).authenticate(world.parties)
    wallet = enrolled(WALLET, Role.ISSUER, namespaces=["guest:"])
    world.parties.change(WALLET, party=wallet.party)
    with refused("delegator_not_allowed", "instruction.act.delegator_identity"):
        open_instruction(_about_credential("suspend")).authenticate(world.parties, before)


def test_a_wallet_that_is_its_own_ledger_speaks_for_the_principal() -> None:
    world = _world()
    both = enrolled(WALLET, Role.ISSUER, namespaces=["user:"]).party
    world.parties.change(WALLET, party=replace(both, roles=(Role.ISSUER, Role.PSP)))
    iac = world.mint(ledger=WALLET)
    for action in LifecycleAction:
        data = _about_credential(action.value, chain=(iac,))
        assert _verify(data, iac, world=world, ledger=WALLET).causer is Causer.PRINCIPAL


def test_an_agent_with_a_wallets_name_is_told_apart_by_its_key() -> None:
    agents = act.KeyPair.generate()
    iac = WORLD.mint(agent_id=WALLET, holder=agents.public_key)
    assert _verify(_about_credential("revoke", WALLET, (iac,), signer=agents), iac).causer is Causer.AGENT
    assert _verify(_about_credential("suspend", WALLET, (iac,)), iac).causer is Causer.PRINCIPAL
    with refused("instruction_not_allowed", "instruction.act.action"):
        _verify(_about_credential("suspend", WALLET, (iac,), signer=agents), iac)


# --- charges ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", TERMS)
def test_the_payee_instructs_about_its_own_charges(action: str) -> None:
    data = _about_charge(action)
    found = _verify(data, payee=SHOP)
    assert (found.causer, found.kid, found.chain) == (Causer.PAYEE, key(SHOP).kid, None)
    assert _verify(data).causer is Causer.PAYEE  # whose the charge is, nobody said
    with refused("instruction_not_allowed", "instruction.iss"):
        _verify(data, payee=OTHER_SHOP)


@pytest.mark.parametrize("action", TERMS)
def test_the_payment_service_voids_and_nothing_else(action: str) -> None:
    data = _about_charge(action, PSP)
    if action == "void":
        assert _verify(data, payee=SHOP).causer is Causer.PSP
        return
    with refused("instruction_not_allowed", "instruction.act.action"):
        _verify(data)


@pytest.mark.parametrize("issuer", [WALLET, PRINCIPAL, AGENT, OTHER_PSP, "stranger"])
def test_nobody_else_moves_a_charge(issuer: str) -> None:
    with refused("signer_unknown", "instruction.iss"):
        _verify(_about_charge("void", issuer))


# --- what it is about, for whom, and when -------------------------------------------------------------------------------


def test_it_is_about_the_credential_it_names() -> None:
    other = WORLD.mint()
    with refused("instruction_mismatch", "instruction.act.delegation_id"):
        _verify(_about_credential("revoke"), other)
    with refused("instruction_mismatch", "instruction.act.credential"):
        _verify(_about_credential("revoke", AGENT), IAC, LINK)
    with refused("instruction_mismatch", "instruction.act.credential"):
        _verify(_about_credential("revoke", AGENT, (IAC, LINK)), IAC)
    with refused("instruction_mismatch", "instruction.act.delegator_identity"):
        _verify(reseal(_about_credential("revoke"), key(WALLET), {"act.delegator_identity": "user:wu"}), IAC)


def test_it_is_for_one_payment_service() -> None:
    with refused("wrong_ledger", "instruction.aud"):
        _verify(_about_charge("void", audience=OTHER_PSP))
    elsewhere = WORLD.mint(ledger=OTHER_PSP)
    with refused("wrong_ledger", "mandate.aud"):
        _verify(_about_credential("revoke", chain=(elsewhere,), audience=PSP), elsewhere)
    assert open_instruction(_about_credential("revoke", chain=(elsewhere,))).instruction.audience == OTHER_PSP


@pytest.mark.parametrize(
    "seconds, code, place",
    [(-11, "instruction_not_yet_valid", "iat"), (-10, None, ""), (DAY - 1, None, ""), (DAY, "instruction_expired", "exp")],
)
def test_it_is_in_time(seconds: int, code: str | None, place: str) -> None:
    at = moment(NOW_SECONDS + seconds)
    if code is None:
        assert _verify(_about_charge("void"), at=at).causer is Causer.PAYEE
        return
    with refused(code, f"instruction.{place}"):
        _verify(_about_charge("void"), at=at)


@pytest.mark.parametrize("seconds", [0, -1, DAY + 1])
def test_its_life_is_bounded(seconds: int) -> None:
    with refused("instruction_lifetime_too_long", "instruction.exp"):
        _about_charge("void", lifetime_seconds=seconds)
    made = reseal(_about_charge("void"), key(SHOP), {"iat": NOW_SECONDS + 5, "exp": NOW_SECONDS + 5 + seconds})
    if seconds > 0:
        with refused("instruction_lifetime_too_long", "instruction.exp"):
            _verify(made)


def test_parties_that_have_ended_prove_nothing() -> None:
    world = _world()
    world.parties.expires_at = NOW_SECONDS
    with refused("parties_expired", "parties"):
        _verify(_about_charge("void"), world=world)


def test_the_other_signature_of_an_es256_key_is_the_same_instruction() -> None:
    shop = act.KeyPair.unsafe_from_seed(bytes(range(1, 33)), "ES256")
    world = _world()
    world.parties.change(SHOP, public_key=shop.public_key)
    world.parties.keys = {each.public_key.kid: each for each in world.parties.keys.values()}
    data = _about_charge("void", signer=shop)
    assert _verify(twin(data), world=world) == _verify(data, world=world)


# --- form ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("claim", ["iss", "aud", "exp", "iat", "cti", "act", "act.action", "act.trade_no"])
def test_mandatory_claims(claim: str) -> None:
    with refused("claim_missing", f"instruction.{claim}"):
        open_instruction(reseal(_about_charge("void"), key(SHOP), {claim: ABSENT}))


@pytest.mark.parametrize("field", ["credential", "refund_no", "fulfilment", "amount", "note"])
def test_fields_of_another_action_are_refused(field: str) -> None:
    with refused("claim_unknown", f"instruction.act.{field}"):
        open_instruction(reseal(_about_charge("void"), key(SHOP), {f"act.{field}": bytes(32)}))


@pytest.mark.parametrize("action", ["", "PAY", "Void", 1, [], {}, b"void", True])
def test_actions_are_few(action: object) -> None:
    with refused("claim_invalid", "instruction.act.action"):
        open_instruction(reseal(_about_charge("void"), key(SHOP), {"act.action": action}))


# --- how it is made -----------------------------------------------------------------------------------------------------


def test_an_agents_key_tells_its_name_and_a_mandate_its_payment_service() -> None:
    data = sign_instruction("revoke", chain=[IAC, LINK], signer=key(SUB_AGENT), at=WORLD.clock())
    assert (open_instruction(data).instruction.issuer, open_instruction(data).instruction.audience) == (SUB_AGENT, PSP)


@pytest.mark.parametrize(
    "action, changes, where",
    [
        ("pause", {}, "action"),
        ("revoke", {"chain": ()}, "chain"),
        ("revoke", {"issuer": None}, "issuer"),
        ("revoke", {"trade_no": CHARGE}, "trade_no"),
        ("revoke", {"amount": act.Amount(1, "CNY")}, "amount"),
        ("void", {"audience": None}, "audience"),
        ("void", {"issuer": None}, "issuer"),
        ("void", {"trade_no": None}, "trade_no"),
        ("void", {"chain": (IAC,)}, "chain"),
        ("void", {"amount": act.Amount(1, "CNY")}, "amount"),
        ("void", {"capture_no": "S-1"}, "capture_no"),
        ("capture", {"refund_no": "R-1"}, "refund_no"),
        ("capture", {"amount": "18.00"}, "amount"),
        ("refund", {"fulfilment": bytes(32)}, "fulfilment"),
        ("void", {"format": "xml"}, "format"),
    ],
)
def test_calls_that_cannot_be_right(action: str, changes: dict[str, Any], where: str) -> None:
    make = _about_charge if action in TERMS else _about_credential
    with pytest.raises(InvalidCall) as caught:
        make(action, **changes)
    assert caught.value.where == where


def test_an_instruction_that_nobody_would_take_is_not_signed() -> None:
    with refused("claim_missing", "instruction.act.refund_no"):
        _about_charge("refund", refund_no=None)
    with refused("claim_missing", "instruction.act.amount"):
        _about_charge("capture", amount=None)
    with refused("claim_invalid", "instruction.act.reason"):
        _about_charge("void", reason="\u202e")
    with refused("claim_invalid", "instruction.cti"):
        _about_charge("void", instruction_id=bytes(15))


def test_cose_carries_no_delegation_id_that_is_no_uuid() -> None:
    world = World(format="jose")
    iac = world.mint(delegation_id="tea-2026-02-06")
    assert open_instruction(_about_credential("revoke", chain=(iac,))).opened.format == "jose"
    with pytest.raises(InvalidCall):
        _about_credential("revoke", chain=(iac,), format="cose")


def test_a_chain_is_for_credentials_and_only_for_them() -> None:
    chain = act.recognize([IAC]).authenticate(WORLD.parties)
    with pytest.raises(InvalidCall):
        open_instruction(_about_credential("revoke")).authenticate(WORLD.parties)
    with pytest.raises(InvalidCall):
        open_instruction(_about_charge("void")).authenticate(WORLD.parties, chain)
    with pytest.raises(InvalidCall):
        open_instruction(_about_credential("revoke")).authenticate(WORLD.parties, IAC)  # type: ignore[arg-type]  # unproven

"""act.delegation.credential: who signed a mandate, with which key, and whether that still counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

import act
from act.delegation.constraints import MaxTotalAmount
from act.delegation.credential import Credential, open_credential
from act.errors import InvalidCall
from act.parties import PartiesTable, Party, Role
from tests.support.world import (
    AGENT,
    END_SECONDS,
    FAR_SECONDS,
    NOW,
    NOW_SECONDS,
    OTHER_WALLET,
    PRINCIPAL,
    START_SECONDS,
    WALLET,
    MutableParties,
    World,
    claims_of,
    default_keys,
    enrolled,
    key,
    moment,
    refused,
    reseal,
    twin,
)

HOLDER = key(AGENT).public_key


def _verify(world: World, iac: bytes, at: datetime | int | None = None) -> Credential:
    return act.verify_mandate(iac, parties=world.parties, at=world.clock() if at is None else moment(at)).root


# --- minting ------------------------------------------------------------------------------------------------------------


def test_a_minted_mandate_verifies() -> None:
    world = World()
    mandate = world.mandate()
    iac = act.mint(mandate, signer=key(WALLET), holder=HOLDER, at=world.clock())
    credential = _verify(world, iac)
    assert (credential.mandate, credential.holder, credential.issued_at) == (mandate, HOLDER, NOW_SECONDS)
    assert credential.kid == key(WALLET).kid
    assert credential.identity == open_credential(iac).opened.identity
    assert (credential.key.issuer, credential.key.delegator_identity) == (WALLET, PRINCIPAL)
    assert credential.key.delegation_id == mandate.delegation_id


@pytest.mark.parametrize("holder_alg", ["Ed25519", "ES256"])
@pytest.mark.parametrize("signer_alg", ["Ed25519", "ES256"])
def test_every_pair_of_algorithms(signer_alg: str, holder_alg: str) -> None:
    signer, holder = key("w", signer_alg), key("a", holder_alg)
    world = World(PartiesTable([enrolled(WALLET, Role.ISSUER, key_pair=signer, namespaces=["user:"])]))
    credential = _verify(world, world.mint(signer=signer, holder=holder.public_key))
    assert credential.holder == holder.public_key


def test_the_system_clock_is_used_when_no_time_is_given() -> None:
    world = World()
    iac = act.mint(world.mandate(validity_end_time="2099-01-01T00:00:00Z"), signer=key(WALLET), holder=HOLDER)
    assert claims_of(iac)["iat"] > 1_700_000_000


def test_what_no_verifier_would_take_is_not_signed() -> None:
    world = World()
    with refused("claim_invalid", "mandate.iss"):
        act.mint(replace(world.mandate(), issuer=""), signer=key(WALLET), holder=HOLDER, at=world.clock())
    with refused("claim_invalid", "mandate.sub"):
        act.mint(replace(world.mandate(), agent_id="a\u202eb"), signer=key(WALLET), holder=HOLDER, at=world.clock())
    with refused("credential_expired", "mandate.validity_end_time"):
        act.mint(world.mandate(), signer=key(WALLET), holder=HOLDER, at=moment(END_SECONDS))


@pytest.mark.parametrize("mandate", [None, {}, "mandate", b"iac"])
def test_only_a_mandate_is_minted(mandate: Any) -> None:
    with pytest.raises(InvalidCall):
        act.mint(mandate, signer=key(WALLET), holder=HOLDER)


def test_a_naive_time_is_an_invalid_call() -> None:
    world, naive = World(), datetime(2026, 2, 6, 9, 0)  # noqa: DTZ001 - that is what is tested
    with pytest.raises(InvalidCall):
        act.mint(world.mandate(), signer=key(WALLET), holder=HOLDER, at=naive)
    with pytest.raises(InvalidCall):
        _verify(world, world.mint(), naive)


# --- the issuer ---------------------------------------------------------------------------------------------------------


def test_a_stranger_is_no_issuer() -> None:
    world = World()
    with refused("signer_unknown", "mandate.iss"):
        _verify(world, world.mint(signer=key("stranger")))


@pytest.mark.parametrize("party", ["teashop.example", "psp-1"])
def test_a_party_of_another_role_is_no_issuer(party: str) -> None:
    world = World()
    with refused("signer_unknown", "mandate.iss"):
        _verify(world, world.mint(issuer=party))


def test_another_wallets_key_signs_only_for_itself() -> None:
    world = World()
    with refused("signer_mismatch", "mandate.iss"):
        _verify(world, world.mint(signer=key(OTHER_WALLET)))


def test_a_wallet_speaks_only_for_its_namespaces() -> None:
    world = World()
    with refused("delegator_not_allowed", "mandate.act.delegator_identity"):
        _verify(world, world.mint(delegator_identity="client:lin"))
    assert _verify(world, world.mint(issuer=OTHER_WALLET, delegator_identity="client:lin")).mandate.issuer == OTHER_WALLET


def test_a_principal_signs_for_itself_and_for_nobody_else() -> None:
    keys = [*default_keys(), enrolled("user:lin", Role.PRINCIPAL), enrolled("user:wu", Role.PRINCIPAL)]
    world = World(PartiesTable(keys))
    assert _verify(world, world.mint(issuer="user:lin", delegator_identity="user:lin")).mandate.issuer == "user:lin"
    with refused("signer_unknown", "mandate.iss"):  # a principal is no issuer for others
        _verify(world, world.mint(issuer="user:lin", delegator_identity="user:wu"))
    with refused("signer_mismatch", "mandate.iss"):
        _verify(world, world.mint(issuer="user:lin", delegator_identity="user:lin", signer=key("user:wu")))


def test_a_wallet_cannot_pose_as_the_principal_itself() -> None:
    """iss = delegator asks for the role principal: being an issuer, even with the namespace, is not enough."""
    world = World(PartiesTable([enrolled("user:lin", Role.ISSUER, namespaces=["user:"])]))
    with refused("signer_unknown", "mandate.iss"):
        _verify(world, world.mint(issuer="user:lin", delegator_identity="user:lin"))


def test_an_issuer_without_a_namespace_speaks_for_nobody() -> None:
    world = World(PartiesTable([enrolled(WALLET, Role.ISSUER)]))
    with refused("delegator_not_allowed", "mandate.act.delegator_identity"):
        _verify(world, world.mint())


def test_a_changed_claim_breaks_the_signature() -> None:
    world = World()
    iac = world.mint()
    forged = reseal(iac, key("stranger"), {"act.max_total_amount": "999.00"}, header={4: key(WALLET).kid})
    with refused("credential_signature_invalid", "mandate"):
        _verify(world, forged)


# --- time ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "at, code",
    [
        (START_SECONDS - 11, "credential_not_yet_valid"),
        (START_SECONDS - 10, None),
        (START_SECONDS - 9, None),
        (END_SECONDS - 1, None),
        (END_SECONDS, "credential_expired"),
        (END_SECONDS + 1, "credential_expired"),
    ],
)
def test_the_window_with_ten_seconds_before_it_and_none_after(at: int, code: str | None) -> None:
    world = World()
    iac = world.mint(at=START_SECONDS - 60)
    if code is None:
        assert _verify(world, iac, at).issued_at == START_SECONDS - 60
    else:
        with refused(code):
            _verify(world, iac, at)


@pytest.mark.parametrize("ahead, accepted", [(9, True), (10, True), (11, False)])
def test_a_mandate_signed_ahead_of_this_clock(ahead: int, accepted: bool) -> None:
    world = World()
    iac = world.mint(at=NOW_SECONDS + ahead)
    if accepted:
        assert _verify(world, iac).kid == key(WALLET).kid
    else:
        with refused("credential_not_yet_valid", "mandate.iat"):
            _verify(world, iac)


@pytest.mark.parametrize("shift, accepted", [(-1, True), (0, False), (1, False)])
def test_nothing_is_decided_with_expired_parties(shift: int, accepted: bool) -> None:
    world = World(MutableParties(expires_at=NOW_SECONDS - shift))
    iac = world.mint()
    if accepted:
        assert _verify(world, iac).kid == key(WALLET).kid
    else:
        with refused("parties_expired", "parties"):
            _verify(world, iac)


# --- keys ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "issued_at, accepted",
    [(NOW_SECONDS - 2, True), (NOW_SECONDS - 1, True), (NOW_SECONDS, False), (NOW_SECONDS + 1, False)],
)
def test_ending_a_key_ends_signing_and_leaves_what_was_signed(issued_at: int, accepted: bool) -> None:
    world = World()
    world.parties.change(WALLET, not_after=NOW_SECONDS)
    iac = world.mint(at=issued_at)
    if accepted:
        assert _verify(world, iac, NOW_SECONDS + 3_600).issued_at == issued_at
    else:
        with refused("signer_unknown", "mandate.iss"):
            _verify(world, iac, NOW_SECONDS + 3_600)


@pytest.mark.parametrize("issued_at, accepted", [(NOW_SECONDS - 1, False), (NOW_SECONDS, True), (NOW_SECONDS + 1, True)])
def test_a_key_signs_from_its_start(issued_at: int, accepted: bool) -> None:
    world = World()
    world.parties.change(WALLET, not_before=NOW_SECONDS)
    iac = world.mint(at=issued_at)
    if accepted:
        assert _verify(world, iac, NOW_SECONDS + 60).issued_at == issued_at
    else:
        with refused("signer_unknown", "mandate.iss"):
            _verify(world, iac, NOW_SECONDS + 60)


def test_keys_rotate_under_live_mandates() -> None:
    wallet = Party(WALLET, WALLET, (Role.ISSUER,), ("user:",), frozenset())
    old = enrolled(WALLET, Role.ISSUER, key_pair=key("old"), namespaces=["user:"], not_after=NOW_SECONDS)
    new = enrolled(WALLET, Role.ISSUER, key_pair=key("new"), namespaces=["user:"], not_before=NOW_SECONDS - 60)
    assert old.party == new.party == wallet
    world = World(PartiesTable([old, new]))
    for name, issued_at in (("old", NOW_SECONDS - 1), ("new", NOW_SECONDS - 1), ("new", NOW_SECONDS)):
        assert _verify(world, world.mint(signer=key(name), at=issued_at)).kid == key(name).kid
    with refused("signer_unknown", "mandate.iss"):
        _verify(world, world.mint(signer=key("old")))


@pytest.mark.parametrize("compromised_at", [0, NOW_SECONDS - 1, NOW_SECONDS, NOW_SECONDS + 10**6])
def test_without_a_record_a_compromised_key_vouches_for_nothing(compromised_at: int) -> None:
    """When the thief got the key is not known from a token: its iat is the thief's word."""
    world = World()
    iac = world.mint(at=NOW_SECONDS - 3_600)
    world.parties.change(WALLET, compromised_at=compromised_at)
    with refused("key_compromised", "mandate.iss"):
        _verify(world, iac)


def test_a_twin_of_an_es256_mandate_is_the_same_mandate() -> None:
    wallet = key(WALLET, "ES256")
    world = World(PartiesTable([enrolled(WALLET, Role.ISSUER, key_pair=wallet, namespaces=["user:"], not_after=FAR_SECONDS)]))
    iac = world.mint(signer=wallet)
    first, second = _verify(world, iac), _verify(world, twin(iac))
    assert twin(iac) != iac
    assert first == second


def test_a_mandate_whose_parts_do_not_belong_together_is_never_signed() -> None:
    """A total in another currency would be signed as the same number of the mandate's own."""
    world = World()
    mandate = world.mandate()
    constraints = tuple(
        MaxTotalAmount(act.Amount(20_000, "USD")) if isinstance(each, MaxTotalAmount) else each for each in mandate.constraints
    )
    with pytest.raises(InvalidCall) as caught:
        act.mint(replace(mandate, constraints=constraints), signer=key(WALLET), holder=world.agent.public_key, at=NOW)
    assert (caught.value.code, caught.value.where) == ("call_invalid", "mandate")

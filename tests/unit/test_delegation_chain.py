"""Chains: who may sign a link, what it may say, and what is left below it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

import act
from act.delegation.authority import MAX_LINKS
from act.delegation.chain import Chain, ChainCache, open_chain
from act.envelope.kinds import ORDER
from act.errors import InvalidCall
from tests.support.world import (
    ABSENT,
    AGENT,
    END_SECONDS,
    NOW,
    NOW_SECONDS,
    OTHER_AGENT,
    OTHER_PRINCIPAL,
    OTHER_PSP,
    OTHER_SHOP,
    PSP,
    SHOP,
    START_SECONDS,
    SUB_AGENT,
    SUB_SUB_AGENT,
    World,
    identity_of,
    key,
    refused,
    reseal,
)


def _root(world: World, depth: int = 2, **fields: Any) -> bytes:
    return world.mint(changes={"act.ext.delegation": {"max_depth": depth}}, **fields)


def _chain(world: World, *links: bytes, root: bytes) -> Chain:
    return open_chain((root, *links)).authenticate(world.parties)


def test_a_link_gives_a_sub_agent_what_its_parent_has() -> None:
    world = World()
    root = _root(world)
    chain = _chain(world, world.link([root]), root=root)
    assert (chain.agent_id, chain.holder) == (SUB_AGENT, key(SUB_AGENT).public_key)
    assert chain.leaf.identity == identity_of(world.link([root], changes={"cti": UUID(chain.delegation_id).bytes}))
    paths = {each.path for each in chain.effective()}
    assert paths == {each.path for each in chain.root.mandate.constraints} - {"ext.delegation.max_depth"}  # not inherited
    chain.require_in_force(NOW_SECONDS)


@pytest.mark.parametrize(
    "fields, paths",
    [
        ({"max_total_amount": "50.00"}, ["max_total_amount"]),
        ({"max_total_amount": "200.00"}, ["max_total_amount"]),
        ({"ext": {"commerce": {"allowed_merchants": [SHOP]}}}, ["ext.commerce.allowed_merchants"]),
        ({"ext": {"commerce": {"forbidden_merchants": [SHOP]}}}, ["ext.commerce.forbidden_merchants"]),
        ({"ext": {"commerce": {"max_single_amount": "30.00"}}}, ["ext.commerce.max_single_amount"]),
        ({"validity_end_time": "2026-02-06T10:00:00Z"}, []),
        ({"delegation_mode": "BOUNDED"}, ["delegation_mode"]),
        ({"ext": {"vendor_private": {"note": "x"}}}, []),
    ],
)
def test_what_a_link_may_say(fields: dict[str, Any], paths: list[str]) -> None:
    world = World()
    root = _root(world)
    chain = _chain(world, world.link([root], **fields), root=root)
    stated = [each.path for each in chain.links[0].link.constraints]
    assert sorted(stated) == sorted(["validity", "currency", *paths])


@pytest.mark.parametrize(
    "changes, code, where",
    [
        ({"act.max_total_amount": "200.01"}, "link_widens", "link.1.max_total_amount"),
        ({"act.ext": {"commerce": {"max_single_amount": "30.01"}}}, "link_widens", "link.1.ext.commerce.max_single_amount"),
        (
            {"act.ext": {"commerce": {"allowed_merchants": [SHOP, "evil.example"]}}},
            "link_payee_added",
            "link.1.ext.commerce.allowed_merchants",
        ),
        ({"act.ext": {"commerce": {"allowed_categories": ["wine"]}}}, "link_widens", "link.1.ext.commerce.allowed_categories"),
        ({"act.allowed_payment_methods": ["card"]}, "link_widens", "link.1.allowed_payment_methods"),
        ({"act.delegation_mode": "SPECIFIED"}, "link_widens", "link.1.delegation_mode"),
        ({"act.currency": "USD"}, "link_widens", "link.1.currency"),
        ({"exp": END_SECONDS + 1}, "link_outlives_parent", "link.1.validity"),
        ({"nbf": START_SECONDS - 1}, "link_outlives_parent", "link.1.validity"),
        ({"act.ext": {"delegation": {"max_depth": 2}}}, "link_widens", "link.1.ext.delegation.max_depth"),
        ({"act.parent": bytes(32)}, "link_parent_mismatch", "link.1.act.parent"),
        ({"iss": OTHER_AGENT}, "link_parent_mismatch", "link.1.iss"),
        ({"aud": OTHER_PSP}, "link_parent_mismatch", "link.1.aud"),
        ({"act.delegator_identity": OTHER_PRINCIPAL}, "link_parent_mismatch", "link.1.act.delegator_identity"),
        ({"sub": AGENT}, "link_cycle", "link.1.sub"),
    ],
)
def test_a_link_that_is_wider_or_lies_is_refused(changes: dict[str, Any], code: str, where: str) -> None:
    world = World()
    root = _root(world)
    link = world.link([root], changes=changes)
    with refused(code, where):
        _chain(world, link, root=root)


def test_the_edges_of_the_parents_window_are_inside() -> None:
    world = World()
    root = _root(world)
    _chain(world, world.link([root], changes={"exp": END_SECONDS, "nbf": START_SECONDS}), root=root)


def test_a_key_stands_once_in_a_chain() -> None:
    world = World()
    root = _root(world)
    own_key = key(AGENT).public_key
    link = reseal(world.link([root]), key(AGENT), {"cnf": {1: own_key.cose_key}})
    with refused("link_cycle", "link.1.cnf"):
        _chain(world, link, root=root)
    first = world.link([root], ext={"delegation": {"max_depth": 1}})
    second = world.link([root, first], SUB_SUB_AGENT)
    back = reseal(second, key(SUB_AGENT), {"sub": AGENT})
    with refused("link_cycle", "link.2.sub"):
        _chain(world, first, back, root=root)


@pytest.mark.parametrize("of", ["the mandate", "the first link"])
def test_a_delegation_id_stands_once_in_a_chain(of: str) -> None:
    """Two links under one id would be counted under one name."""
    world = World()
    root = _root(world)
    first = world.link([root], ext={"delegation": {"max_depth": 1}})
    taken = open_chain((root,) if of == "the mandate" else (root, first)).delegation_id
    second = world.link([root, first], SUB_SUB_AGENT, changes={"cti": UUID(taken).bytes})
    with refused("link_cycle", "link.2.cti"):
        _chain(world, first, second, root=root)


def test_what_is_effective_allows_no_sub_agents_that_the_last_link_does_not() -> None:
    world = World()
    root = _root(world, 8)
    allowing = world.link([root], ext={"delegation": {"max_depth": 3}})
    silent = world.link([root, allowing], SUB_SUB_AGENT)
    effective = {each.path: each.encode() for each in _chain(world, allowing, root=root).effective()}
    assert effective["ext.delegation.max_depth"] == 3
    assert "ext.delegation.max_depth" not in {each.path for each in _chain(world, allowing, silent, root=root).effective()}


def test_nobody_delegates_who_was_not_allowed_to() -> None:
    world = World()
    root, other = world.mint(), _root(world)
    link = reseal(world.link([other]), key(AGENT), {"act.parent": identity_of(root)})
    with refused("delegation_not_allowed", "link.1.ext.delegation.max_depth"):
        _chain(world, link, root=root)


def test_a_link_that_allows_none_has_none_below() -> None:
    world = World()
    root = _root(world, 2)
    allowing = world.link([root], ext={"delegation": {"max_depth": 1}})
    second = world.link([root, allowing], SUB_SUB_AGENT)
    assert _chain(world, allowing, second, root=root).agent_id == SUB_SUB_AGENT
    silent = reseal(allowing, key(AGENT), {"act.ext": ABSENT})
    moved = reseal(second, key(SUB_AGENT), {"act.parent": identity_of(silent)})
    with refused("delegation_too_deep", "link.2.ext.delegation.max_depth"):
        _chain(world, silent, moved, root=root)


def test_eight_links_and_no_more() -> None:
    world = World()
    chain = [_root(world, MAX_LINKS)]
    for place in range(1, MAX_LINKS + 1):
        left = MAX_LINKS - place
        ext: dict[str, Any] = {"ext": {"delegation": {"max_depth": left}}} if left else {}
        chain.append(world.link(chain, f"agent:{place}", **ext))
    assert len(open_chain(chain).authenticate(world.parties).links) == MAX_LINKS
    with pytest.raises(act.Refused) as caught:
        world.link(chain, "agent:9")
    assert caught.value.code == "delegation_too_deep"


def test_a_middle_link_that_widens_is_refused() -> None:
    """A hop between two honest ones may not give more than it got, though the last one would fit under the root."""
    world = World()
    root = _root(world)
    middle = world.link([root], max_total_amount="10.00", ext={"delegation": {"max_depth": 1}})
    wide = reseal(middle, key(AGENT), {"act.max_total_amount": "500.00"})
    last = world.link([root, middle], SUB_SUB_AGENT, max_total_amount="10.00")
    moved = reseal(last, key(SUB_AGENT), {"act.parent": identity_of(wide)})
    with refused("link_widens", "link.1.max_total_amount"):
        _chain(world, wide, moved, root=root)


def test_what_a_middle_link_narrowed_stays_narrow_below() -> None:
    world = World()
    root = _root(world)
    middle = world.link([root], max_total_amount="10.00", ext={"delegation": {"max_depth": 1}})
    last = world.link([root, middle], SUB_SUB_AGENT)
    wide = reseal(last, key(SUB_AGENT), {"act.max_total_amount": "10.01"})
    with refused("link_widens", "link.2.max_total_amount"):
        _chain(world, middle, wide, root=root)


def test_a_link_is_not_spliced_below_another_mandate() -> None:
    world = World()
    root, other = _root(world), _root(world)
    link = world.link([root])
    with refused("link_parent_mismatch", "link.1.act.parent"):
        _chain(world, link, root=other)


def test_a_link_is_not_skipped() -> None:
    world = World()
    root = _root(world)
    first = world.link([root], ext={"delegation": {"max_depth": 1}})
    second = world.link([root, first], SUB_SUB_AGENT)
    with refused("link_signature_invalid", "link.1"):
        _chain(world, second, root=root)


@pytest.mark.parametrize("signer", [SUB_AGENT, OTHER_AGENT, "wallet.example"])
def test_only_the_parents_agent_signs_a_link(signer: str) -> None:
    world = World()
    root = _root(world)
    with refused("link_signature_invalid", "link.1"):
        _chain(world, reseal(world.link([root]), key(signer)), root=root)


def test_a_link_is_no_mandate_and_a_mandate_no_link() -> None:
    world = World()
    root = _root(world)
    link = world.link([root])
    with refused("kind_unexpected", "mandate"):
        open_chain((link,))
    with refused("kind_unexpected", "link"):
        open_chain((root, root))
    with refused("kind_unexpected", "link"):
        open_chain((root, reseal(link, key(AGENT), kind=ORDER)))


@pytest.mark.parametrize(
    "changes, code, where",
    [
        ({"status": {"ledger": PSP}}, "claim_unknown", "link.status"),
        ({"act.intent_id": "x"}, "claim_unknown", "link.act.intent_id"),
        ({"act.parent": b"short"}, "claim_invalid", "link.act.parent"),
        ({"act.parent": ABSENT}, "claim_missing", "link.act.parent"),
        ({"act.currency": ABSENT}, "claim_missing", "link.act.currency"),
        ({"exp": ABSENT}, "claim_missing", "link.exp"),
        ({"cnf": ABSENT}, "claim_missing", "link.cnf"),
        ({"aud": ABSENT}, "claim_missing", "link.aud"),
        ({"exp": START_SECONDS}, "credential_lifetime_invalid", "link.act.validity"),
        ({"act.ext": {"magic": {"x": 1}}}, "extension_unknown", "link.act.ext.magic"),
        ({"act.ext": {"commerce": {"magic": 1}}}, "constraint_unknown", "link.act.ext.commerce.magic"),
        ({"act.max_total_amount": "0.00"}, "amount_invalid", "link.act.max_total_amount"),
        ({"act.max_total_amount": "-1.00"}, "amount_invalid", "link.act.max_total_amount"),
    ],
)
def test_the_form_of_a_link(changes: dict[str, Any], code: str, where: str) -> None:
    world = World()
    root = _root(world)
    with refused(code, where):
        open_chain((root, world.link([root], changes=changes)))


@pytest.mark.parametrize("at, code", [(END_SECONDS - 1, None), (END_SECONDS, "credential_expired")])
def test_a_link_ends_with_its_own_window(at: int, code: str | None) -> None:
    world = World()
    root = world.mint(changes={"act.ext.delegation": {"max_depth": 1}, "exp": END_SECONDS + 60})
    link = world.link([root], changes={"exp": END_SECONDS})
    chain = _chain(world, link, root=root)
    if code is None:
        chain.require_in_force(at)
    else:
        with refused(code, "link.1.validity_end_time"):
            chain.require_in_force(at)


def test_a_link_from_the_future_is_not_in_force() -> None:
    world = World()
    root = _root(world)
    link = world.link([root], changes={"iat": NOW_SECONDS + 11})
    with refused("credential_not_yet_valid", "link.1.iat"):
        _chain(world, link, root=root).require_in_force(NOW_SECONDS)


# --- delegate ------------------------------------------------------------------------------------------------------------


def test_delegate_never_signs_what_no_verifier_takes() -> None:
    world = World()
    root = _root(world)
    with refused("link_widens", "link.1.max_total_amount"):
        world.link([root], max_total_amount="200.01")
    with refused("credential_expired"):
        world.link([root], at=END_SECONDS)
    with refused("link_cycle", "link.1.sub"):
        world.link([root], AGENT, holder=key(SUB_AGENT).public_key)
    with refused("delegation_not_allowed"):
        world.link([world.mint()])


@pytest.mark.parametrize(
    "fields, where",
    [
        ({"max_total_amount": None}, "max_total_amount"),
        ({"max_total": "1.00"}, "max_total"),
        ({"delegation_id": "7"}, "delegation_id"),
        ({"validity_end_time": "tomorrow"}, "validity_end_time"),
        ({"ext": {"magic": {}}}, "ext.magic"),
    ],
)
def test_a_wrong_document_is_the_callers_fault(fields: dict[str, Any], where: str) -> None:
    world = World()
    root = _root(world)
    with pytest.raises(InvalidCall) as caught:
        world.link([root], **fields)
    assert (caught.value.code, caught.value.where) == ("draft_invalid", where)


def test_a_wrong_call_is_the_callers_fault() -> None:
    world = World()
    root = _root(world)
    with pytest.raises(InvalidCall):
        world.link([root], signer=key(SUB_AGENT))
    with pytest.raises(InvalidCall):
        act.delegate({"agent_id": "x"}, chain=[], signer=key(AGENT), holder=key(SUB_AGENT).public_key, at=NOW)
    with pytest.raises(InvalidCall):
        act.delegate({"agent_id": "x"}, chain=[root], signer=key(AGENT), holder="key", at=NOW)  # type: ignore[arg-type]  # on purpose


def test_delegate_signs_no_link_that_has_ended() -> None:
    world = World()
    root = _root(world)
    with refused("credential_expired", "link.1.validity_end_time"):
        world.link([root], validity_end_time="2026-02-06T08:30:00Z")


def test_who_states_items_anew_keeps_the_inherited_tolerance() -> None:
    world = World()
    items = [{"category": "tea", "confirmed_unit_amount": "18.00"}]
    behaviour = {"agent_behavior": {"price_deviation_tolerance": "20"}}
    root = world.mint(ext={"items": items, "delegation": {"max_depth": 1}, **behaviour})
    chain = _chain(world, world.link([root], ext={"items": items}), root=root)
    stated = {each.path: each.encode() for each in chain.links[0].link.constraints}
    assert stated["ext.agent_behavior.price_deviation_tolerance"] == "20"


def _many_periods(count: int) -> dict[str, Any]:
    both = {"max_amount": "10.00", "period_times": 5}
    return {"quota": {"periods": [{"sliding_seconds": 60 + each, **both} for each in range(count)]}}


def test_a_chain_has_no_more_limits_than_a_receipt_can_show() -> None:
    world = World()
    chain = [world.mint(ext={"delegation": {"max_depth": 8}, **_many_periods(8)})]
    chain.append(world.link(chain, "agent:1", ext={"delegation": {"max_depth": 7}, **_many_periods(8)}))
    with refused("too_many_limits", "link.2.act.ext.quota"):
        world.link(chain, "agent:2", ext=_many_periods(8))
    chain.append(world.link(chain, "agent:2"))
    assert len(open_chain(chain).authenticate(world.parties).limits(NOW_SECONDS)) == 1 + 16 + 16


def test_a_chain_that_is_too_long_is_not_even_decoded() -> None:
    world = World()
    with refused("delegation_too_deep", "chain"):
        open_chain([world.mint()] + [b"no link"] * 9)


# --- limits --------------------------------------------------------------------------------------------------------------


def test_every_credentials_limits_are_counted_under_its_own_name() -> None:
    world = World()
    root = _root(world)
    first = world.link([root], max_total_amount="50.00", ext={"delegation": {"max_depth": 1}})
    second = world.link([root, first], SUB_SUB_AGENT)
    third = world.link([root, first], OTHER_AGENT, max_total_amount="20.00")
    name = _chain(world, first, root=root).links[0].name
    caps = {each.name: each.cap for each in _chain(world, first, second, root=root).limits(NOW_SECONDS)}
    assert caps == {"max_total_amount": 20_000, f"{name}/max_total_amount": 5_000}
    assert [each.cap for each in _chain(world, first, third, root=root).limits(NOW_SECONDS)] == [20_000, 5_000, 2_000]


# --- the cache -----------------------------------------------------------------------------------------------------------


def _one(world: World) -> tuple[tuple[bytes, ...], Chain]:
    data = (world.mint(),)
    return data, open_chain(data).authenticate(world.parties)


def test_the_cache_knows_bytes_it_was_given_and_no_others() -> None:
    world = World()
    data, chain = _one(world)
    cache = ChainCache()
    assert cache.find(data, world.parties) is None
    cache.keep(data, chain, world.parties.version)
    assert cache.find(data, world.parties) is chain
    assert cache.find((data[0][:-1] + bytes([data[0][-1] ^ 1]),), world.parties) is None
    assert cache.find((world.mint(),), world.parties) is None
    assert cache.find((*data, *data), world.parties) is None


def test_the_cache_forgets_with_every_version_of_the_parties() -> None:
    world = World()
    data, chain = _one(world)
    cache = ChainCache()
    cache.keep(data, chain, world.parties.version)
    world.parties.version += 1
    assert cache.find(data, world.parties) is None
    world.parties.version -= 1
    assert cache.find(data, world.parties) is not None


def test_what_older_parties_said_is_not_kept_for_newer_ones() -> None:
    """The parties may change while a payment is being verified: what was proven by the old ones does not outlive them."""
    world = World()
    data, chain = _one(world)
    cache, version = ChainCache(), world.parties.version
    world.parties.version += 1
    cache.keep(data, chain, version)
    assert cache.find(data, world.parties) is None
    cache.keep(data, chain, world.parties.version)
    cache.keep((world.mint(),), chain, version)
    assert cache.find(data, world.parties) is chain


def test_the_cache_is_bounded() -> None:
    world = World()
    chains = [_one(world) for _ in range(7)]
    cache = ChainCache(capacity_bytes=3 * len(chains[0][0][0]))
    for data, chain in chains:
        cache.keep(data, chain, world.parties.version)
        assert cache.find(data, world.parties) is not None
    assert sum(cache.find(data, world.parties) is not None for data, _ in chains) <= 3


def test_other_shops_stay_outside() -> None:
    """The chain judges with every credential: a link that forbids is heard although the root allows."""
    world = World()
    root = _root(world)
    link = world.link([root], ext={"commerce": {"allowed_merchants": [SHOP]}})
    payment = world.payment(chain=[root, link], order=world.order(payee=OTHER_SHOP, agent_id=SUB_AGENT))
    with refused("payee_not_allowed", "link.1.ext.commerce.allowed_merchants"):
        world.verify(payment)

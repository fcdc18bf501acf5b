"""Payments under links: who is debited, what is refused, and that a refusal moves nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

import act
from act.delegation.chain import open_chain
from act.payment.receipt import open_receipt
from act.wire.base64url import base64url_encode
from tests.support.fold import audit
from tests.support.world import (
    AGENT,
    END_SECONDS,
    OTHER_AGENT,
    SHOP,
    SUB_AGENT,
    SUB_SUB_AGENT,
    World,
    identity_of,
    key,
    nothing_moves,
    refused,
    reseal,
)


def _root(world: World, depth: int = 2, **fields: Any) -> bytes:
    return world.mint(changes={"act.ext.delegation": {"max_depth": depth}}, **fields)


def _counters(service: act.PaymentService, iac: bytes) -> dict[str, tuple[int, int]]:
    status = service.status(iac)
    assert status is not None
    return {each.name: (each.held, each.captured) for each in status.counters}


def _name(*chain: bytes) -> str:
    return f"{base64url_encode(open_chain(chain).identity)}/max_total_amount"


def test_every_ancestor_is_debited(world: World, path: Path, service: act.PaymentService) -> None:
    root = _root(world)
    first = world.link([root], max_total_amount="50.00", ext={"delegation": {"max_depth": 1}})
    second = world.link([root, first], SUB_SUB_AGENT, max_total_amount="20.00")
    charge = service.authorize(world.payment(chain=[root, first, second]))
    assert (charge.agent_id, charge.amount.minor) == (SUB_SUB_AGENT, 1_800)
    held = dict.fromkeys(["max_total_amount", _name(root, first), _name(root, first, second)], (1_800, 0))
    assert _counters(service, root) == held
    service.capture(charge.id, act.Amount(1_000, "CNY"))
    assert set(_counters(service, root).values()) == {(0, 1_000)}
    other = service.authorize(world.payment(chain=[root, first]))
    service.void(other.id)
    assert set(_counters(service, root).values()) == {(0, 1_000)}


def test_a_links_own_total_is_a_limit(world: World, path: Path, service: act.PaymentService) -> None:
    root = _root(world)
    link = world.link([root], max_total_amount="20.00")
    service.authorize(world.payment(chain=[root, link]))
    before = _counters(service, root)
    with refused("total_limit_exceeded", _name(root, link)) as caught:
        service.authorize(world.payment(chain=[root, link], order=world.order("2.01", agent_id=SUB_AGENT)))
    assert caught.value.facts["left_minor"] == 200
    assert _counters(service, root) == before
    service.authorize(world.payment(chain=[root, link], order=world.order("2.00", agent_id=SUB_AGENT)))


def test_siblings_share_what_their_parent_has(world: World, path: Path, service: act.PaymentService) -> None:
    root = _root(world, max_total_amount="40.00")
    one, two = world.link([root]), world.link([root], OTHER_AGENT)
    service.authorize(world.payment(chain=[root, one]))
    service.authorize(world.payment(chain=[root, two]))
    before = _counters(service, root)
    with refused("total_limit_exceeded", "max_total_amount"):
        service.authorize(world.payment(chain=[root, one]))
    assert _counters(service, root) == before


def test_what_the_sub_agent_spent_is_gone_for_its_parent(world: World, path: Path, service: act.PaymentService) -> None:
    root = _root(world, max_total_amount="30.00")
    service.authorize(world.payment(chain=[root, world.link([root])]))
    with refused("total_limit_exceeded", "max_total_amount"):
        service.authorize(world.payment(iac=root))


def test_a_link_cannot_take_anothers_name(world: World, path: Path, service: act.PaymentService) -> None:
    """Links are known by identity: one that copies another's delegation_id has counters of its own, and shuts nobody out."""
    root = _root(world)
    victim = world.link([root], max_total_amount="20.00")
    evil = world.link([root], OTHER_AGENT, changes={"cti": UUID(open_chain((root, victim)).delegation_id).bytes})
    service.authorize(world.payment(chain=[root, evil]))
    service.authorize(world.payment(chain=[root, victim]))
    assert _counters(service, root) == {"max_total_amount": (3_600, 0), _name(root, victim): (1_800, 0)}


def test_two_agents_of_one_name_do_not_share_request_ids(world: World, path: Path, service: act.PaymentService) -> None:
    root = _root(world)
    ours, theirs = world.link([root]), world.link([root], SUB_AGENT, holder=key(OTHER_AGENT).public_key)
    request_id = bytes(range(16))
    first = service.authorize(world.payment(chain=[root, theirs], signer=key(OTHER_AGENT), request_id=request_id))
    second = service.authorize(world.payment(chain=[root, ours], request_id=request_id))
    assert first.id != second.id
    assert not second.replayed


def test_a_revocation_is_acknowledged_however_many_links_there_are(
    world: World, path: Path, service: act.PaymentService
) -> None:
    root = world.mint(max_total_amount="20000.00", changes={"act.ext.delegation": {"max_depth": 1}})
    for number in range(130):
        link = world.link([root], f"agent:{number}", max_total_amount="20.00")
        service.authorize(world.payment(chain=[root, link]))
    receipt = act.recognize(service.revoke(root).receipt).receipt  # type: ignore[union-attr]  # a receipt
    assert [each.name for each in receipt.counters] == ["max_total_amount"]


def test_of_two_credentials_that_refuse_the_weightier_reason_is_told(
    world: World, path: Path, service: act.PaymentService
) -> None:
    """Money ranks before semantics, whichever credential it stands in."""
    root = _root(world, commerce={"allowed_merchants": ["cha.example"]})
    link = world.link([root], ext={"commerce": {"max_single_amount": "1.00"}})
    payment = world.payment(chain=[root, link])
    with nothing_moves(path), refused("single_limit_exceeded", "link.1.ext.commerce.max_single_amount"):
        service.authorize(payment)
    assert [each.code for each in world.explain(payment)] == ["single_limit_exceeded", "payee_not_allowed"]


def test_a_jose_links_caps_are_what_its_receipts_can_count(tmp_path: Path) -> None:
    world = World(format="jose")
    root = world.mint(ext={"commerce": {"max_single_amount": "30.00"}, "delegation": {"max_depth": 1}})
    period = {"sliding_seconds": 3_600, "max_amount": "90071992547409.91"}
    service = world.service(tmp_path / "ledger.db")
    most = world.link([root], ext={"quota": {"periods": [period]}})
    charge = service.authorize(world.payment(chain=[root, most]))
    assert act.recognize(charge.receipt).receipt.counters[1].cap == (1 << 53) - 1  # type: ignore[union-attr]  # a receipt
    with refused("amount_invalid", "link.act.ext.quota.periods"):
        world.link([root], ext={"quota": {"periods": [period | {"max_amount": "90071992547409.92"}]}})
    wider = reseal(most, key(AGENT), {"act.ext.quota.periods.0.max_amount": "90071992547409.92"})
    with refused("amount_invalid", "link.act.ext.quota.periods"):
        open_chain((root, wider))


def test_a_long_link_id_leaves_its_receipts_readable(tmp_path: Path) -> None:
    world = World(format="jose")
    root = world.mint(ext={"commerce": {"max_single_amount": "30.00"}, "delegation": {"max_depth": 1}})
    link = world.link([root], delegation_id="d" * 256, max_total_amount="50.00")
    order = world.order(agent_id=SUB_AGENT)
    charge = world.service(tmp_path / "ledger.db").authorize(world.payment(chain=[root, link], order=order))
    act.verify_receipt(charge.receipt, order=order, parties=world.parties, at=world.clock())


def test_a_payment_has_a_chain(world: World) -> None:
    payment = world.payment()
    for chain in ((), payment.chain * 10):
        with pytest.raises(act.InvalidCall):
            act.Payment(payment.request, chain, payment.order)


def test_revoking_the_root_stops_every_link(world: World, path: Path, service: act.PaymentService) -> None:
    root = _root(world)
    link = world.link([root])
    payment = world.payment(chain=[root, link])
    first = service.authorize(payment)
    service.revoke(root)
    with refused("credential_revoked"):
        service.authorize(world.payment(chain=[root, link]))
    assert service.authorize(payment).id == first.id


def test_the_stored_outcome_comes_back(world: World, path: Path, service: act.PaymentService) -> None:
    root = _root(world)
    payment = world.payment(chain=[root, world.link([root])])
    first = service.authorize(payment)
    world.clock.set(END_SECONDS + 1)
    with nothing_moves(path):
        again = service.authorize(payment)
    assert (again.id, again.replayed) == (first.id, True)


def test_the_leafs_agent_signs_and_nobody_else(world: World, path: Path, service: act.PaymentService) -> None:
    root = _root(world)
    link = world.link([root])
    genuine = world.payment(chain=[root, link])
    for signer in (AGENT, OTHER_AGENT, SHOP):
        with nothing_moves(path), refused("agent_signature_invalid", "request"):
            service.authorize(replace(genuine, request=reseal(genuine.request, key(signer))))


def test_a_chain_is_not_shortened_or_lengthened(world: World, path: Path, service: act.PaymentService) -> None:
    root = _root(world)
    first = world.link([root], ext={"delegation": {"max_depth": 1}})
    second = world.link([root, first], SUB_SUB_AGENT)
    long, short = world.payment(chain=[root, first, second]), world.payment(chain=[root, first])
    for payment, chain, code in (
        (long, (root, first), "agent_signature_invalid"),
        (long, (root,), "agent_signature_invalid"),
        (long, (root, second), "link_signature_invalid"),
        (short, (root, first, second), "agent_signature_invalid"),
    ):
        with nothing_moves(path), refused(code):
            service.authorize(replace(payment, chain=chain))


def test_the_request_names_its_leaf(world: World, path: Path, service: act.PaymentService) -> None:
    root = _root(world)
    link = world.link([root])
    payment = world.payment(chain=[root, link], changes={"act.credential": identity_of(root)})
    with nothing_moves(path), refused("credential_mismatch", "request.act.credential"):
        service.authorize(payment)
    payment = world.payment(chain=[root, link], changes={"act.delegation_id": bytes(16)})
    with nothing_moves(path), refused("credential_mismatch", "request.act.delegation_id"):
        service.authorize(payment)


@pytest.mark.parametrize("at", [END_SECONDS - 60, END_SECONDS - 61])
def test_a_link_that_ended_pays_nothing(world: World, path: Path, service: act.PaymentService, at: int) -> None:
    root = _root(world)
    link = world.link([root], changes={"exp": END_SECONDS - 60})
    world.clock.set(at)
    payment = world.payment(chain=[root, link])
    if at < END_SECONDS - 60:
        service.authorize(payment)
        return
    with nothing_moves(path), refused("credential_expired", "link.1.validity_end_time"):
        service.authorize(payment)


def test_explain_names_every_link_that_refuses(world: World) -> None:
    root = _root(world)
    link = world.link([root], ext={"commerce": {"max_single_amount": "10.00", "allowed_merchants": ["cha.example"]}})
    found = [(each.code, each.where) for each in world.explain(world.payment(chain=[root, link]))]
    assert found == [
        ("single_limit_exceeded", "link.1.ext.commerce.max_single_amount"),
        ("payee_not_allowed", "link.1.ext.commerce.allowed_merchants"),
    ]


def test_the_receipt_is_for_the_payee_and_the_paying_agent(world: World, service: act.PaymentService) -> None:
    root = _root(world)
    order = world.order(agent_id=SUB_AGENT)
    charge = service.authorize(world.payment(chain=[root, world.link([root])], order=order))
    receipt = act.verify_receipt(charge.receipt, order=order, parties=world.parties, at=world.clock())
    assert receipt.audience == (SHOP, SUB_AGENT)
    assert len(receipt.counters) == 1


def test_the_receipts_of_a_mandate_are_one_chain_whoever_pays(world: World, path: Path, service: act.PaymentService) -> None:
    root = _root(world)
    link = world.link([root], max_total_amount="20.00")
    first = service.authorize(world.payment(iac=root))
    second = service.authorize(world.payment(chain=[root, link]))
    third = service.capture(second.id, second.amount)
    with refused("total_limit_exceeded", _name(root, link)) as caught:
        service.authorize(world.payment(chain=[root, link]))
    answers = (first.receipt, second.receipt, third.receipt, caught.value.receipt)
    receipts = [open_receipt(each or b"").receipt for each in answers]
    assert [(each.credential, each.sequence) for each in receipts] == [(identity_of(root), place) for place in range(1, 5)]
    assert [each.previous for each in receipts[1:]] == [each.identity for each in receipts[:-1]]
    assert audit(path).charges == {"HELD": 1, "CAPTURED": 1}


def test_a_known_chain_is_not_verified_again(
    world: World, service: act.PaymentService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache remembers chains by their bytes; another link below the same mandate is judged on its own."""
    root = _root(world)
    link, wide = world.link([root]), world.link([root], OTHER_AGENT)
    service.authorize(world.payment(chain=[root, link]))
    service.authorize(world.payment(chain=[root, link]))
    forged = reseal(wide, key(AGENT), {"act.max_total_amount": "999.00"})
    with refused("link_widens", "link.1.max_total_amount"):
        service.authorize(world.payment(chain=[root, forged]))


def test_links_of_one_chain_do_not_share_an_id(world: World, path: Path, service: act.PaymentService) -> None:
    """The token is to blame, not the store: a store that stumbles over it would be asked again and again."""
    root = _root(world)
    first = world.link([root], ext={"delegation": {"max_depth": 1}})
    second = world.link([root, first], SUB_SUB_AGENT)
    same = reseal(second, key(SUB_AGENT), {"cti": UUID(open_chain((root, first)).delegation_id).bytes})
    payment = world.payment(chain=[root, first, same])
    with nothing_moves(path), refused("link_cycle", "link.2.cti"):
        service.authorize(payment)

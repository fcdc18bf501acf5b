"""Every single bit of a mandate and of a payment counts: no flip verifies as anything else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

import act
from act.parties import PartiesTable, Role
from act.payment.verifier import ReservationRequest
from tests.support.world import PSP, SHOP, WALLET, World, enrolled, key, nothing_moves, twin

ALGORITHMS = ["Ed25519", "ES256"]
FORMATS: list[Literal["cose", "jose"]] = ["cose", "jose"]


def _world(alg: str, format: Literal["cose", "jose"] = "cose") -> World:
    """A world in which everybody signs with one algorithm."""
    return World(
        PartiesTable(
            [
                enrolled(WALLET, Role.ISSUER, key_pair=key(WALLET, alg), namespaces=["user:"]),
                enrolled(SHOP, Role.PAYEE, key_pair=key(SHOP, alg), categories=["tea"]),
                enrolled(PSP, Role.PSP, key_pair=key(PSP, alg)),
            ]
        ),
        alg=alg,
        format=format,
    )


def _payment(world: World, alg: str) -> act.Payment:
    return world.payment(iac=world.mint(signer=key(WALLET, alg)), order=world.order(signer=key(SHOP, alg)))


def _flips(data: bytes) -> Iterator[tuple[int, bytes]]:
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 0x80 >> bit % 8
        yield bit, bytes(flipped)


@pytest.mark.parametrize("alg", ALGORITHMS)
@pytest.mark.parametrize("format", FORMATS)
def test_every_bit_of_a_mandate(alg: str, format: Literal["cose", "jose"]) -> None:
    world = _world(alg, format)
    iac = world.mint(signer=key(WALLET, alg))
    verified = act.verify_mandate(iac, parties=world.parties, at=world.clock())
    accepted = []
    for bit, flipped in _flips(iac):
        try:
            accepted.append((bit, act.verify_mandate(flipped, parties=world.parties, at=world.clock()).identity))
        except act.Refused:
            continue
    assert accepted == []
    assert verified.root.mandate.issuer == WALLET


@pytest.mark.parametrize("alg", ALGORITHMS)
@pytest.mark.parametrize("format", FORMATS)
def test_every_bit_of_a_payment(alg: str, format: Literal["cose", "jose"]) -> None:
    """The whole container, and with it every bit of request, mandate and order."""
    world = _world(alg, format)
    data = _payment(world, alg).to_bytes()
    assert isinstance(world.verify(data), ReservationRequest)
    accepted = []
    for bit, flipped in _flips(data):
        try:
            accepted.append((bit, world.verify(flipped)))
        except act.Refused:
            continue
    assert accepted == []


def test_every_bit_of_a_request_that_was_charged(tmp_path: Path) -> None:
    """At the service, where mandate and outcome are known already."""
    world = World()
    service = world.service(tmp_path / "ledger.db")
    payment = world.payment()
    service.authorize(payment)
    codes = set()
    with nothing_moves(tmp_path / "ledger.db"):
        for _, flipped in _flips(payment.request):
            with pytest.raises(act.Refused) as caught:
                service.authorize(replace(payment, request=flipped))
            codes.add(caught.value.code)
    assert "agent_signature_invalid" in codes
    assert not codes & {"duplicate_request", "credential_revoked", "total_limit_exceeded"}


@pytest.mark.parametrize("format", FORMATS)
def test_twins_are_the_only_other_bytes_and_mean_the_same(format: Literal["cose", "jose"]) -> None:
    world = _world("ES256", format)
    payment = _payment(world, "ES256")
    verified = world.verify(payment)
    for other in (
        replace(payment, request=twin(payment.request)),
        replace(payment, chain=(twin(payment.chain[0]),)),
        replace(payment, order=twin(payment.order)),
        act.Payment(twin(payment.request), (twin(payment.chain[0]),), twin(payment.order)),
    ):
        assert other != payment
        assert world.verify(other) == verified


def _with_request(payment: act.Payment, data: bytes) -> act.Payment:
    return replace(payment, request=data)


def _with_mandate(payment: act.Payment, data: bytes) -> act.Payment:
    return replace(payment, chain=(data,))


def _with_order(payment: act.Payment, data: bytes) -> act.Payment:
    return replace(payment, order=data)


@pytest.mark.parametrize("alg", ALGORITHMS)
@pytest.mark.parametrize("part, change", list(enumerate([_with_request, _with_mandate, _with_order])))
@pytest.mark.parametrize("format", FORMATS)
def test_bytes_removed_doubled_or_added(
    part: int, change: Callable[[act.Payment, bytes], act.Payment], alg: str, format: Literal["cose", "jose"]
) -> None:
    world = _world(alg, format)
    payment = _payment(world, alg)
    data = (payment.request, payment.chain[0], payment.order)[part]
    changed = [data[:at] + data[at + 1 :] for at in range(len(data))]
    changed += [data[:at] + data[at : at + 1] + data[at:] for at in range(len(data))]
    changed += [data + b"\x00", b"\x00" + data, data + data, b""]
    for wrong in changed:
        with pytest.raises(act.Refused):
            world.verify(change(payment, wrong))

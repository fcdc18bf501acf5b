"""The CDDL of `spec/cddl`: what the vectors accept is within it, and what is outside of it no reader takes."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pycddl
import pytest

import act
from act.envelope.kinds import KINDS
from act.wire import cbor
from tests.support.world import World

CDDL = Path(__file__).resolve().parents[2] / "spec" / "cddl" / "act1.cddl"


@cache
def schema(rule: str) -> Any:
    """A validator that begins at one rule of the file."""
    return pycddl.Schema(f"start = {rule}\n{CDDL.read_text(encoding='utf-8')}")


def fits(rule: str, data: bytes) -> bool:
    """Whether CBOR bytes are what a rule describes."""
    try:
        schema(rule).validate_cbor(data)
    except pycddl.ValidationError:
        return False
    return True


@cache
def objects() -> dict[str, bytes]:
    """One object of every kind, and a payment, each with most of what its kind may have."""
    world = World()
    root = world.mint(ext=_EXT | {"commerce": {"allowed_merchants": ["teashop.example"], "max_single_amount": "30.00"}})
    link = world.link([root], max_total_amount="50.00", ext={"commerce": {"min_single_amount": "1.00"}})
    payment = world.payment(chain=[root, link])
    return {"mandate": root, "link": link, "order": payment.order, "request": payment.request, "payment": payment.to_bytes()}


_EXT: dict[str, Any] = {"delegation": {"max_depth": 2}, "vendor_private": {"note": "x", "list": [1, True]}}
SIGNED = [kind.name for kind in KINDS if kind.name != "receipt"]


def test_every_kind_has_a_rule() -> None:
    text = CDDL.read_text(encoding="utf-8")
    for kind in KINDS:
        assert f"\n{kind.name} = {{" in text
        assert f'"{kind.cose_typ}"' in text


@pytest.mark.parametrize("name", SIGNED)
def test_objects_fit(name: str) -> None:
    protected, payload, _ = cbor.decode_sign1(objects()[name])
    assert fits("signed-object", objects()[name])
    assert fits("header", protected)
    assert fits(name, payload)


def test_a_payment_fits() -> None:
    assert fits("payment", objects()["payment"])


def test_receipts_fit(tmp_path: Path) -> None:
    world = World()
    service = world.service(tmp_path / "ledger.db")
    iac = world.mint()
    charge = service.authorize(world.payment(iac=iac))
    receipts = [charge.receipt, service.capture(charge.id, charge.amount).receipt]
    receipts.append(service.void(service.authorize(world.payment(iac=iac)).id).receipt)
    receipts.append(service.revoke(iac).receipt)
    for receipt in receipts:
        assert fits("receipt", cbor.decode_sign1(receipt)[1])


def _changed(name: str) -> Iterator[tuple[str, dict[Any, Any]]]:
    """The claims of an object, each time with one thing wrong in form: a claim or field missing, unknown or of another type."""
    claims: dict[Any, Any] = cbor.decode(cbor.decode_sign1(objects()[name])[1])  # type: ignore[assignment]  # a map: it was read
    for place in (claims, claims[-70001]):
        inside = place is not claims
        for field in list(place):
            for how in ("missing", "a list of nothing", "negative"):
                other = copy.deepcopy(claims)
                target = other[-70001] if inside else other
                if how == "missing":
                    del target[field]
                else:
                    target[field] = [] if how == "a list of nothing" else -1
                yield f"{field} {how}", other
        other = copy.deepcopy(claims)
        (other[-70001] if inside else other)["tip" if inside else -70002] = 1
        yield f"{'act' if inside else 'claims'} with more", other


@pytest.mark.parametrize("name", SIGNED)
def test_what_does_not_fit_is_refused(name: str) -> None:
    """CDDL and the reader agree on form: what falls outside of the CDDL is refused, and what the reader takes is inside."""
    outside = 0
    for why, claims in _changed(name):
        payload = cbor.encode(claims)
        protected, _, signature = cbor.decode_sign1(objects()[name])
        data = cbor.encode_sign1(protected, payload, signature)
        try:
            act.recognize(data)
            is_read = True
        except act.Refused:
            is_read = False
        if is_read:
            assert fits(name, payload), why
        if not fits(name, payload):
            outside += 1
            assert not is_read, why
    assert outside > 20

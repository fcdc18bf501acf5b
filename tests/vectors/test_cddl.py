"""The CDDL of `spec/cddl`: what is accepted is within it, and what is outside of it no reader takes.

`pycddl` judges. It searches a text for a .regexp, where RFC 8610 matches the whole text; so the expressions are anchored for
it. Of a choice between maps inside a list it takes more than RFC 8610 does; so it never proves that something is refused.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pycddl
import pytest

import act
from act.envelope.kinds import KINDS
from act.payment.ledger import EntryKind
from act.wire import cbor
from tests.support import complete
from tests.support.mutations import mutations
from tests.support.world import World

SPEC = Path(__file__).resolve().parents[2] / "spec"
VECTORS = SPEC.parent / "test-vectors"
CDDL = SPEC / "cddl" / "act1.cddl"
SIGNED = [kind.name for kind in KINDS if kind.name not in ("instruction", "receipt")]
STATES = [kind.value for kind in EntryKind]
PRIVATE = -70001


@cache
def text() -> str:
    """The file, with every expression anchored."""
    return re.sub(r'\.regexp "([^"]*)"', r'.regexp "^(\1)$"', CDDL.read_text(encoding="utf-8"))


@cache
def schema(rule: str) -> Any:
    """A validator that begins at one rule of the file."""
    return pycddl.Schema(f"start = {rule}\n{text()}")


def fits(rule: str, data: bytes) -> bool:
    """Whether CBOR bytes are what a rule describes."""
    try:
        schema(rule).validate_cbor(data)
    except pycddl.ValidationError:
        return False
    return True


def object_fits(data: bytes) -> str:
    """The kind of a signed object, which fits its rules."""
    protected, payload, _ = cbor.decode_sign1(data)
    kind = act.recognize(data).kind
    assert fits("signed-object", data)
    assert fits("header", protected)
    assert fits(kind, payload), kind
    return kind


@cache
def objects() -> dict[str, bytes]:
    """One object of every kind with everything that its kind may have, and the payment that they are."""
    return complete.complete_objects()


@pytest.fixture(scope="module")
def receipts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """One receipt of every state."""
    return complete.complete_receipts(tmp_path_factory.mktemp("cddl") / "ledger.db")


def test_every_kind_has_a_rule() -> None:
    for kind in KINDS:
        assert f"\n{kind.name} = {{" in text()
        assert f'"{kind.cose_typ}"' in text()


# --- what is accepted fits ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alg", ["Ed25519", "ES256"])
def test_objects_fit(alg: str) -> None:
    world = World(alg=alg)
    mandate = world.mint(**complete.complete_document(world, conversation_history=complete.DIGESTED))
    assert object_fits(mandate) == "mandate"
    assert object_fits(world.payment(iac=mandate).request) == "request"


@pytest.mark.parametrize("name", SIGNED)
def test_complete_objects_fit(name: str) -> None:
    assert object_fits(objects()[name]) == name


def test_a_payment_fits() -> None:
    assert fits("payment", objects()["payment"])


@pytest.mark.parametrize("action", complete.ACTIONS)
def test_instructions_fit(action: str) -> None:
    assert object_fits(complete.complete_instructions()[action]) == "instruction"


@pytest.mark.parametrize("state", STATES)
def test_receipts_fit(receipts: dict[str, bytes], state: str) -> None:
    data = receipts[state]
    assert object_fits(data) == "receipt"
    claims: Any = cbor.decode(cbor.decode_sign1(data)[1])
    counters = claims[PRIVATE]["counters"]
    assert claims[PRIVATE]["state"] == state
    if state == "RESERVED":
        assert any("unit" in counter for counter in counters)
        assert any("~" in counter["limit"] for counter in counters)
        assert any("@" in counter["limit"] for counter in counters)
        assert any("/" in counter["limit"] for counter in counters)


def _accepted(kind: str) -> list[dict[str, Any]]:
    found = json.loads((VECTORS / f"{kind}.json").read_text(encoding="utf-8"))["vectors"]
    return [vector for vector in found if vector["expect"] == "accept"]


def _payment_fits(data: bytes) -> list[str]:
    payment = act.Payment.from_bytes(data)
    assert fits("payment", data)
    return [object_fits(part) for part in (*payment.chain, payment.order, payment.request)]


def test_every_accepted_vector_fits() -> None:
    kinds: list[str] = []
    for kind in ("envelopes", "mandates", "orders", "instructions", "receipts"):
        kinds += [object_fits(bytes.fromhex(vector["input"])) for vector in _accepted(kind)]
    for vector in _accepted("chains"):
        kinds += [object_fits(bytes.fromhex(each)) for each in (vector["input"], *vector["links"]) if not each.startswith("65")]
    for vector in _accepted("payments"):
        data = bytes.fromhex(vector["input"])
        if not data.startswith(b"{") and all(not part.startswith(b"e") for part in _signed_parts(data)):
            kinds += _payment_fits(data)
    for name, count in {"mandate": 50, "link": 30, "order": 50, "request": 40, "instruction": 25, "receipt": 5}.items():
        assert kinds.count(name) >= count, (name, kinds.count(name))


def _signed_parts(data: bytes) -> tuple[bytes, ...]:
    payment = act.Payment.from_bytes(data)
    return (*payment.chain, payment.order, payment.request)


# --- what does not fit is refused --------------------------------------------------------------------------------------


def _is_read(data: bytes) -> bool:
    try:
        act.recognize(data)
    except act.Refused:
        return False
    return True


def _agree(name: str, data: bytes, claims: dict[Any, Any], within: tuple[Any, ...]) -> tuple[int, int]:
    """How many changes the reader refuses, and how many of them lie outside of the CDDL. What is read is always inside."""
    protected, _, signature = cbor.decode_sign1(data)
    refused = outside = 0
    for why, changed in mutations(claims, within=within, opaque=frozenset({"vendor_private"})):
        try:
            payload = cbor.encode(changed)
        except act.InvalidCall:
            continue  # a null, or a fraction: no CBOR of ours has one
        if _is_read(cbor.encode_sign1(protected, payload, signature)):
            assert fits(name, payload), f"{name}: only the CDDL refuses {why}"
        else:
            refused += 1
            outside += not fits(name, payload)
    return refused, outside


def _claims(data: bytes) -> dict[Any, Any]:
    claims: dict[Any, Any] = cbor.decode(cbor.decode_sign1(data)[1])  # type: ignore[assignment]  # a map: it was read
    return claims


@pytest.mark.parametrize("name", SIGNED)
def test_what_does_not_fit_is_refused(name: str) -> None:
    """Outside of `ext`. Most of what is refused for its form, the CDDL says."""
    data = objects()[name]
    claims = _claims(data)
    if "ext" in claims[PRIVATE]:
        claims[PRIVATE]["ext"] = {"commerce": claims[PRIVATE]["ext"]["commerce"]}
    refused, outside = _agree(name, data, claims, ())
    assert outside > 60
    assert outside * 5 > refused * 4  # what it cannot say is visible characters, and what repeats


@pytest.mark.parametrize("block", [block for block in complete.COMPLETE_EXT if block != "commerce"])
@pytest.mark.parametrize("name", ["mandate", "link"])
def test_what_does_not_fit_inside_a_block_is_refused(name: str, block: str) -> None:
    data = objects()[name]
    claims = _claims(data)
    ext = claims[PRIVATE]["ext"]
    needed = {"agent_behavior": ("items",)}.get(block, ())
    claims[PRIVATE]["ext"] = {each: ext[each] for each in ("commerce", block, *needed)}
    refused, outside = _agree(name, data, claims, (PRIVATE, "ext", block))
    assert outside >= min(refused, 5)


@pytest.mark.parametrize("action", complete.ACTIONS)
def test_instructions_that_do_not_fit_are_refused(action: str) -> None:
    data = complete.complete_instructions()[action]
    refused, outside = _agree("instruction", data, _claims(data), ())
    assert outside > 40
    assert outside * 5 > refused * 4


@pytest.mark.parametrize("state", STATES)
def test_receipts_that_do_not_fit_are_refused(receipts: dict[str, bytes], state: str) -> None:
    data = receipts[state]
    claims = _claims(data)
    claims[PRIVATE]["counters"] = claims[PRIVATE]["counters"][:1] + claims[PRIVATE]["counters"][-1:]
    _, outside = _agree("receipt", data, claims, ())
    assert outside > 60

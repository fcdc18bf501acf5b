"""Whatever is presented, the answer is a value or a refusal: for any bytes, and for objects that are almost right."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import act
from act.calendar import LATEST_INSTANT
from act.commerce.cart import open_order
from act.delegation.credential import open_credential
from act.errors import InvalidCall
from act.parties import PartiesTable, parse_parties
from act.payment.receipt import open_receipt
from act.payment.request import open_request
from act.payment.verifier import ReservationRequest
from act.wire import cbor
from tests.support.choices import Choices, built, promised
from tests.support.strategies import cbor_values, json_values, mandate, order, signer_of
from tests.support.world import PSP, World, claims_of, identity_of, key, moment, reseal

WORLD = World()
IAC, ORDER = WORLD.mint(ext={"vendor_private": {"a": 1}, "commerce": {"max_single_amount": "30.00"}}), WORLD.order()
PAYMENT = WORLD.payment(iac=IAC, order=ORDER)


@pytest.fixture(scope="module")
def receipt(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return WORLD.service(tmp_path_factory.mktemp("ledger") / "ledger.db").authorize(PAYMENT).receipt


def _verify_mandate(data: bytes) -> object:
    return act.verify_mandate(data, parties=WORLD.parties, at=WORLD.clock())


def _verify_order(data: bytes) -> object:
    return act.verify_order(data, parties=WORLD.parties, at=WORLD.clock())


def _verify_receipt(data: bytes) -> object:
    return act.verify_receipt(data, order=ORDER, parties=WORLD.parties, at=WORLD.clock())


def _as_request(data: bytes) -> object:
    return WORLD.verify(act.Payment(data, (IAC,), ORDER))


def _as_mandate(data: bytes) -> object:
    return WORLD.verify(act.Payment(PAYMENT.request, (data,), ORDER))


def _as_order(data: bytes) -> object:
    return WORLD.verify(act.Payment(PAYMENT.request, (IAC,), data))


def _explained(data: bytes) -> object:
    return WORLD.explain(data)


Reader = Callable[[bytes], object]
READERS: list[Reader] = [
    act.recognize,
    open_credential,
    open_order,
    open_request,
    open_receipt,
    act.Payment.from_bytes,
    WORLD.verify,
    _verify_mandate,
    _verify_order,
    _verify_receipt,
    _as_request,
    _as_mandate,
    _as_order,
]


def _read(reader: Reader, data: bytes) -> object:
    """A value or None for a refusal; anything else is raised."""
    try:
        return reader(data)
    except act.Refused:
        return None


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda rest: b"\xd2\x84" + rest))
def test_any_bytes(reader: Reader, data: bytes) -> None:
    assert _read(reader, data) is None or reader in (act.recognize, act.Payment.from_bytes)
    assert all(isinstance(finding, act.Refused) for finding in WORLD.explain(data))


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
@given(st.data())
def test_edited_bytes_of_good_objects(reader: Reader, receipt: bytes, data: st.DataObject) -> None:
    """A piece cut out, put in, overwritten or taken from another object."""
    good = data.draw(st.sampled_from([IAC, ORDER, PAYMENT.request, receipt, PAYMENT.to_bytes()]))
    other = data.draw(st.sampled_from([IAC, ORDER, PAYMENT.request, receipt]) | st.binary(max_size=20))
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(good))] * 2)))
    piece = other[: data.draw(st.integers(0, len(other)))]
    edited = good[:start] + piece + good[end:]
    value = _read(reader, edited)
    if value is not None and edited != good and reader not in (act.recognize, act.Payment.from_bytes):
        # Unverified readers take any well-formed object; verifying ones only what was signed.
        assert reader in (open_credential, open_order, open_request, open_receipt)


def _paths(value: Any, path: str = "") -> list[str]:
    """Every place in claims, as reseal names it."""
    found = []
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, child in children:
        place = f"{path}.{name}" if path else str(name)
        found += [place, *_paths(child, place)]
    return found


@given(st.data())
def test_any_one_claim_of_a_mandate_with_any_value(data: st.DataObject) -> None:
    path, value = data.draw(st.sampled_from(_paths(claims_of(IAC)))), data.draw(cbor_values)
    changed = reseal(IAC, key("wallet.example"), {path: value})
    _read(act.recognize, changed)
    _read(_verify_mandate, changed)
    accepted = _read(_as_mandate, changed)
    assert accepted is None or identity_of(changed) == identity_of(IAC)


@given(st.data())
def test_any_one_claim_of_an_order_with_any_value(data: st.DataObject) -> None:
    path, value = data.draw(st.sampled_from(_paths(claims_of(ORDER)))), data.draw(cbor_values)
    changed = reseal(ORDER, key("teashop.example"), {path: value})
    _read(act.recognize, changed)
    _read(_verify_order, changed)
    accepted = _read(_as_order, changed)
    assert accepted is None or identity_of(changed) == identity_of(ORDER)


@given(st.data())
def test_any_one_claim_of_a_request_with_any_value(data: st.DataObject) -> None:
    """What the agent signs is its own: a request may be another good one, and then it says what is reserved."""
    path, value = data.draw(st.sampled_from(_paths(claims_of(PAYMENT.request)))), data.draw(cbor_values)
    changed = reseal(PAYMENT.request, WORLD.agent, {path: value})
    _read(act.recognize, changed)
    accepted = _read(_as_request, changed)
    if accepted is not None:
        assert isinstance(accepted, ReservationRequest)
        assert (accepted.amount, accepted.payee, accepted.order) == (
            act.Amount(1_800, "CNY"),
            "teashop.example",
            identity_of(ORDER),
        )
    for finding in WORLD.explain(act.Payment(changed, (IAC,), ORDER)):
        assert isinstance(finding, act.Refused)


@given(st.data())
def test_any_one_claim_of_a_receipt_with_any_value(receipt: bytes, data: st.DataObject) -> None:
    path, value = data.draw(st.sampled_from(_paths(claims_of(receipt)))), data.draw(cbor_values)
    changed = reseal(receipt, key(PSP), {path: value})
    if _read(_verify_receipt, changed) is not None:
        assert _read(act.recognize, changed) is not None


@given(st.dictionaries(st.sampled_from(["typ", "chain", "order", "request", "more"]), cbor_values))
def test_any_parts_of_a_payment(parts: dict[str, Any]) -> None:
    known = {"typ": "application/act1-payment+cbor", "chain": [IAC], "order": ORDER, "request": PAYMENT.request}
    for whole in (parts, known | parts):
        data = cbor.encode(whole)
        assert (_read(WORLD.verify, data) is not None) == (whole == known)
        _read(act.recognize, data)  # it believes nothing, and may take more; but it raises nothing else


# --- JSON documents -----------------------------------------------------------------------------------------------------


def _document(value: object) -> str:
    return json.dumps(value)  # NaN and Infinity included: what is no JSON has to be refused as well


@given(json_values | st.text(max_size=50))
def test_any_json_is_no_mandate_and_no_parties_file(value: object) -> None:
    text = value if isinstance(value, str) else _document(value)
    with pytest.raises(InvalidCall):
        act.Mandate.from_json(text)
    with pytest.raises(InvalidCall):
        parse_parties(text.encode("utf-8", "surrogatepass"))


@given(st.data())
def test_any_one_field_of_a_mandates_document_with_any_value(data: st.DataObject) -> None:
    document = WORLD.document(commerce={"min_single_amount": "1.00"})
    path = data.draw(st.sampled_from(_paths(document)))
    text = _document(_replaced(document, path, data.draw(json_values)))
    try:
        mandate = act.Mandate.from_json(text)
    except InvalidCall as error:
        assert error.code == "draft_invalid"
        return
    try:
        act.mint(mandate, signer=WORLD.agent, holder=WORLD.agent.public_key, at=WORLD.clock())
    except act.Refused as refusal:
        assert refusal.where.startswith("mandate")
    except InvalidCall as error:  # an id that only JOSE carries
        assert (path, error.code, error.where) == ("delegation_id", "call_invalid", "mandate.delegation_id")


@given(st.data())
def test_any_one_field_of_a_parties_file_with_any_value(data: st.DataObject) -> None:
    document = {
        "format": "act1-parties",
        "version": 1,
        "expires": "2027-01-01T00:00:00Z",
        "parties": [
            {
                "id": "shop",
                "name": "Shop",
                "roles": ["payee"],
                "delegator_namespaces": ["user:"],
                "categories": ["tea"],
                "keys": [
                    {
                        "jwk": key("shop").public_key.to_jwk(),
                        "not_before": "2026-01-01T00:00:00Z",
                        "not_after": "2027-01-01T00:00:00Z",
                        "compromised_at": "2026-06-01T00:00:00Z",
                    }
                ],
            }
        ],
    }
    assert isinstance(parse_parties(_document(document).encode()), PartiesTable)
    path = data.draw(st.sampled_from(_paths(document)))
    try:
        parse_parties(_document(_replaced(document, path, data.draw(json_values))).encode())
    except InvalidCall as error:
        assert error.code == "parties_invalid"


def _replaced(document: Any, path: str, value: object) -> Any:
    copied = json.loads(json.dumps(document))
    *parents, last = path.split(".")
    place = copied
    for part in parents:
        place = place[int(part) if isinstance(place, list) else part]
    place[int(last) if isinstance(place, list) else last] = value
    return copied


# --- round trips --------------------------------------------------------------------------------------------------------

mandates, signers = built(mandate), built(signer_of)


@promised
@given(mandates, signers, signers)
def test_any_mandate_is_read_back(mandate: act.Mandate, signer: act.KeyPair, holder: act.KeyPair) -> None:
    window: Any = mandate.constraints[0]
    iac = act.mint(mandate, signer=signer, holder=holder.public_key, at=moment(window.start))
    opened = open_credential(iac)
    assert opened.content.mandate == mandate
    assert (opened.content.holder, opened.content.issued_at) == (holder.public_key, window.start)
    assert act.mint(opened.content.mandate, signer=signer, holder=holder.public_key, at=moment(window.start)) == iac


@promised
@given(built(order), signers)
def test_any_order_is_read_back(order: act.Order, signer: act.KeyPair) -> None:
    signed = act.sign_order(order, signer=signer, at=moment(order.expires_at - 1))
    assert open_order(signed).order == order


def request_terms(choices: Choices) -> dict[str, Any]:
    """What an agent may say of a payment beside what it pays."""
    return {
        "audience": choices.name(),
        "payment_method": choices.name(),
        "request_id": choices.raw(16),
        "lifetime_seconds": choices.whole(0, 120),
    }


@promised
@given(mandates, built(order), signers, built(request_terms))
def test_any_request_is_read_back(mandate: act.Mandate, order: act.Order, signer: act.KeyPair, terms: dict[str, Any]) -> None:
    window: Any = mandate.constraints[0]
    iac = act.mint(mandate, signer=signer, holder=signer.public_key, at=moment(window.start))
    signed_order = act.sign_order(order, signer=signer, at=moment(order.expires_at - 1))
    issued_at = LATEST_INSTANT - 120
    payment = act.sign_payment(signed_order, chain=[iac], signer=signer, at=moment(issued_at), **terms)
    request = open_request(payment.request).request
    assert (request.request_id, request.audience) == (terms["request_id"], terms["audience"])
    assert (request.payment_method, request.issued_at) == (terms["payment_method"], issued_at)
    assert (request.agent_id, request.delegator_identity) == (mandate.agent_id, mandate.delegator_identity)
    assert (request.credential, request.order) == (identity_of(iac), identity_of(signed_order))
    assert (request.order_no, request.payee, request.amount) == (order.order_no, order.payee, order.amount)
    assert request.expires_at == issued_at + terms["lifetime_seconds"]
    assert act.Payment.from_bytes(payment.to_bytes()) == payment

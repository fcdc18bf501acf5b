"""act.payment.request: what an agent signs, and the payment that carries it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import act
from act.envelope.claims import uuid_urn
from act.envelope.kinds import MANDATE, ORDER
from act.errors import InvalidCall
from act.payment.request import MAX_CHAIN, MAX_JSON_PAYMENT_BYTES, PAYMENT_TYP, PaymentRequest, open_request
from act.wire import cbor
from tests.support.world import (
    ABSENT,
    AGENT,
    NOW_SECONDS,
    PRINCIPAL,
    PSP,
    SHOP,
    SUB_AGENT,
    World,
    claims_of,
    identity_of,
    key,
    moment,
    refused,
    reseal,
    twin,
)

WORLD = World()
IAC, ORDER_BYTES = WORLD.mint(), WORLD.order(order_no="T-1")
REQUEST_ID = bytes(range(16))
PAYMENT = WORLD.payment(iac=IAC, order=ORDER_BYTES, request_id=REQUEST_ID)


def _open(changes: dict[str, object]) -> PaymentRequest:
    return open_request(reseal(PAYMENT.request, key(AGENT), changes)).request


# --- the request --------------------------------------------------------------------------------------------------------


def test_every_fact_stands_once() -> None:
    mandate = claims_of(IAC)
    assert claims_of(PAYMENT.request) == {
        "iss": AGENT,
        "aud": PSP,
        "exp": NOW_SECONDS + 120,
        "iat": NOW_SECONDS,
        "cti": REQUEST_ID,
        "act": {
            "delegator_identity": PRINCIPAL,
            "delegation_id": mandate["cti"],
            "credential": identity_of(IAC),
            "order": identity_of(ORDER_BYTES),
            "order_no": "T-1",
            "payee": SHOP,
            "amount": "18.00",
            "currency": "CNY",
            "scenario": "AUP",
            "payment_method": "balance",
            "payment_tool_reference": "default",
        },
    }


def test_what_was_signed_is_read_back() -> None:
    request = _open({})
    assert (request.request_id, request.audience, request.agent_id) == (REQUEST_ID, PSP, AGENT)
    assert (request.payee, request.order_no, request.amount) == (SHOP, "T-1", act.Amount(1_800, "CNY"))
    assert (request.issued_at, request.expires_at) == (NOW_SECONDS, NOW_SECONDS + 120)
    assert request.delegation_id == uuid_urn(claims_of(IAC)["cti"])


@pytest.mark.parametrize("mode, scenario", [("SPECIFIED", "DEL"), ("BOUNDED", "AUP")])
def test_the_scenario_follows_the_mandates_mode(mode: str, scenario: str) -> None:
    payment = WORLD.payment(iac=WORLD.mint(delegation_mode=mode))
    assert open_request(payment.request).request.scenario == scenario


@pytest.mark.parametrize("claim", ["iss", "aud", "exp", "iat", "cti", "act"])
def test_mandatory_claims(claim: str) -> None:
    with refused("claim_missing", f"request.{claim}"):
        _open({claim: ABSENT})


FIELDS = [
    "delegator_identity",
    "delegation_id",
    "credential",
    "order",
    "order_no",
    "payee",
    "amount",
    "currency",
    "scenario",
    "payment_method",
    "payment_tool_reference",
]


@pytest.mark.parametrize("field", FIELDS)
def test_mandatory_fields(field: str) -> None:
    with refused("claim_missing", f"request.act.{field}"):
        _open({f"act.{field}": ABSENT})


@pytest.mark.parametrize("path", ["act.tip", "act.ext", "sub", "nbf", "cnf", "status"])
def test_unknown_fields(path: str) -> None:
    with refused("claim_unknown", f"request.{path}"):
        _open({path: 1})


TEXTS = ("delegator_identity", "order_no", "payee", "payment_method", "payment_tool_reference", "currency", "amount")
NO_TEXT: tuple[Any, ...] = ("", 1, True, b"x", [], {}, "\u202e", "x" * 257)
NO_DIGEST: tuple[Any, ...] = (*NO_TEXT, bytes(31), bytes(33), "x" * 32)
NO_MAP: tuple[Any, ...] = ("", 1, [], b"x")
NO_SCENARIO: tuple[Any, ...] = (*NO_TEXT, "INS", "aup", "DEL ")
NO_ID: tuple[Any, ...] = (*NO_TEXT, bytes(15), bytes(17), "x" * 16)
WRONG: list[tuple[str, Any]] = [
    *[(path, value) for path in ("iss", "aud", *[f"act.{name}" for name in TEXTS]) for value in NO_TEXT],
    *[(path, value) for path in ("exp", "iat") for value in NO_TEXT if value != 1],
    *[(path, value) for path in ("cti", "act.delegation_id") for value in NO_ID],
    *[(path, value) for path in ("act.credential", "act.order") for value in NO_DIGEST],
    *[("act.scenario", value) for value in NO_SCENARIO],
    *[("act", value) for value in NO_MAP],
]


@pytest.mark.parametrize("path, value", WRONG, ids=lambda value: repr(value)[:30])
def test_wrong_values(path: str, value: object) -> None:
    with refused("claim_invalid", f"request.{path}"):
        _open({path: value})


NO_AMOUNTS = [("18", "CNY"), ("1e1", "CNY"), ("0.00", "CNY"), ("18.00", "JPY")]


@pytest.mark.parametrize(
    "amount, currency, code", [*[(*each, "amount_invalid") for each in NO_AMOUNTS], ("1", "XXX", "currency_unknown")]
)
def test_amounts(amount: str, currency: str, code: str) -> None:
    with refused(code, "request.act.amount"):
        _open({"act.amount": amount, "act.currency": currency})


# --- signing ------------------------------------------------------------------------------------------------------------


def test_request_ids_are_drawn_anew() -> None:
    drawn = {
        claims_of(act.sign_payment(ORDER_BYTES, chain=[IAC], audience=PSP, signer=key(AGENT)).request)["cti"] for _ in range(50)
    }
    assert len(drawn) == 50
    assert {len(each) for each in drawn} == {16}


def test_what_no_verifier_could_read_is_not_signed() -> None:
    sign: dict[str, Any] = {"chain": [IAC], "audience": PSP, "signer": key(AGENT), "at": moment(NOW_SECONDS)}
    with pytest.raises(InvalidCall):
        act.sign_payment(ORDER_BYTES, **sign | {"chain": []})
    with refused("kind_unexpected", "mandate"):
        act.sign_payment(ORDER_BYTES, **sign | {"chain": [ORDER_BYTES]})
    with refused("kind_unexpected", "order"):
        act.sign_payment(IAC, **sign)
    with refused("claim_invalid", "request.cti"):
        act.sign_payment(ORDER_BYTES, **sign, request_id=b"short")
    with refused("claim_invalid", "request.aud"):
        act.sign_payment(ORDER_BYTES, **sign | {"audience": ""})
    with refused("claim_invalid", "request.act.payment_method"):
        act.sign_payment(ORDER_BYTES, **sign, payment_method="a\nb")
    with refused("claim_invalid", "request.exp"):
        act.sign_payment(ORDER_BYTES, **sign, lifetime_seconds=10**12)
    with pytest.raises(InvalidCall):
        act.sign_payment(ORDER_BYTES, **sign | {"at": moment(NOW_SECONDS).replace(tzinfo=None)})


# --- the payment --------------------------------------------------------------------------------------------------------


def test_a_payment_travels_as_one_object() -> None:
    data = PAYMENT.to_bytes()
    assert act.Payment.from_bytes(data) == PAYMENT
    assert cbor.decode(data) == {
        "typ": PAYMENT_TYP,
        "chain": [IAC],
        "order": ORDER_BYTES,
        "request": PAYMENT.request,
    }
    assert WORLD.verify(data).amount == act.Amount(1_800, "CNY")


PARTS: dict[str, Any] = {"typ": PAYMENT_TYP, "chain": [IAC], "order": ORDER_BYTES, "request": PAYMENT.request}


@pytest.mark.parametrize(
    "change, code, where",
    [
        ({"typ": "application/act2-payment+cbor"}, "kind_unexpected", "payment"),
        ({"typ": 1}, "kind_unexpected", "payment"),
        ({"typ": [1]}, "kind_unexpected", "payment"),
        ({"typ": ABSENT}, "kind_unexpected", "payment"),
        ({"chain": ABSENT}, "claim_missing", "payment.chain"),
        ({"order": ABSENT}, "claim_missing", "payment.order"),
        ({"request": ABSENT}, "claim_missing", "payment.request"),
        ({"confirmation": b"x"}, "claim_unknown", "payment.confirmation"),
        ({1: b"x"}, "claim_unknown", "payment.1"),
        ({"chain": []}, "claim_invalid", "payment.chain"),
        ({"chain": IAC}, "claim_invalid", "payment.chain"),
        ({"chain": ["x"]}, "claim_invalid", "payment.chain"),
        ({"chain": [IAC] * (MAX_CHAIN + 1)}, "claim_invalid", "payment.chain"),
        ({"order": "x"}, "claim_invalid", "payment.order"),
        ({"request": [b"x"]}, "claim_invalid", "payment.request"),
    ],
)
def test_a_payment_has_exactly_its_parts(change: dict[Any, object], code: str, where: str) -> None:
    parts = {name: value for name, value in (PARTS | change).items() if value is not ABSENT}
    with refused(code, where):
        act.Payment.from_bytes(cbor.encode(parts))


@pytest.mark.parametrize("value", [[], 1, "x", b"x", True, {}])
def test_what_no_payment_is(value: object) -> None:
    with refused("kind_unexpected", "payment"):
        act.Payment.from_bytes(cbor.encode(value))


def test_sizes_of_a_payment() -> None:
    with refused("input_too_large"):
        act.Payment.from_bytes(bytes(MAX_JSON_PAYMENT_BYTES + 1))
    with refused("cbor_invalid"):
        act.Payment.from_bytes(PAYMENT.to_bytes() + b"\x00")
    with refused("cbor_invalid"):
        act.Payment.from_bytes(b"")


def test_the_demo_sizes() -> None:
    assert len(IAC) <= 700
    assert len(IAC) + len(ORDER_BYTES) + len(PAYMENT.request) <= 1_800


# --- recognizing --------------------------------------------------------------------------------------------------------


def test_every_kind_is_recognized_by_its_bytes_alone() -> None:
    recognized = [act.recognize(data) for data in (IAC, ORDER_BYTES, PAYMENT.request, PAYMENT.to_bytes())]
    assert [type(each).__name__ for each in recognized] == [
        "UnverifiedCredential",
        "UnverifiedOrder",
        "UnverifiedRequest",
        "Payment",
    ]
    assert recognized[3] == PAYMENT


@pytest.mark.parametrize("data", [b"", b"{}", b"\xd2", b"\x00", b"hello", b"\xa0", b"\xd2\x84\x40\xa0\x40\x40"])
def test_everything_else_is_refused(data: bytes) -> None:
    with pytest.raises(act.Refused):
        act.recognize(data)


@pytest.mark.parametrize("data", [None, "text", bytearray(b"x"), 1, ["x"]])
def test_only_bytes_are_recognized(data: Any) -> None:
    with pytest.raises(InvalidCall):
        act.recognize(data)


def test_a_mandate_under_an_orders_type_is_read_as_an_order_and_refused() -> None:
    with pytest.raises(act.Refused) as caught:
        act.recognize(reseal(IAC, key(AGENT), kind=ORDER))
    assert caught.value.code == "claim_unknown"
    with pytest.raises(act.Refused) as caught:
        act.recognize(reseal(ORDER_BYTES, key(AGENT), kind=MANDATE))
    assert caught.value.code == "claim_missing"


def test_a_twin_of_a_request_is_the_same_request() -> None:
    world = World(alg="ES256")
    payment = world.payment(iac=world.mint(), order=world.order())
    other = replace(payment, request=twin(payment.request))
    assert other != payment
    assert world.verify(other) == world.verify(payment)


def test_credentials_together_are_a_chain() -> None:
    world = World()
    root = world.mint(changes={"act.ext.delegation": {"max_depth": 1}})
    link = world.link([root])
    for data in ([root, link], (root, link)):
        chain = act.recognize(data)
        assert (chain.kind, chain.agent_id, len(chain.links)) == ("chain", SUB_AGENT, 1)
        assert chain.authority().agent_id == SUB_AGENT
    assert act.recognize([root]).links == ()
    for wrong in ([link], [root, root], [link, root]):
        with pytest.raises(act.Refused) as caught:
            act.recognize(wrong)
        assert caught.value.code == "kind_unexpected"
    with pytest.raises(InvalidCall):
        act.recognize([])

"""One meaning in two envelopes: what is sealed in both opens to equal values and is decided alike."""

from __future__ import annotations

from typing import Any, Final, Literal
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

import act
from act.calendar import LATEST_INSTANT
from act.commerce.cart import open_order
from act.delegation.credential import open_credential
from act.envelope.objects import Format, open_object
from act.payment.request import open_request
from tests.support.strategies import constraints, names, orders
from tests.support.world import ABSENT, AGENT, NOW_SECONDS, OTHER_AGENT, OTHER_SHOP, PSP, SHOP, World, key, moment

COSE: Final[Literal["cose"]] = "cose"
JOSE: Final[Literal["jose"]] = "jose"
MAX_EXACT: Final = 10**15 - 1
"""What a VC-JWT carries in minor units, whatever the currency's digits."""

keys = st.sampled_from([key("a"), key("a", "ES256")])
uuids = st.binary(min_size=16, max_size=16).map(lambda raw: UUID(bytes=raw).urn)
private = st.recursive(
    st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
mandates = st.builds(
    act.Mandate,
    uuids,
    names,
    names,
    names,
    names,
    names,
    constraints(most=MAX_EXACT),
    st.none(),
    st.none(),
    st.none() | st.dictionaries(st.text(max_size=8), private, min_size=1, max_size=2),
)


def _ends(mandate: act.Mandate) -> tuple[int, int]:
    window: Any = mandate.constraints[0]
    return window.start, window.end


@given(mandates, keys, keys)
def test_mandates_open_to_equal_values(mandate: act.Mandate, signer: act.KeyPair, holder: act.KeyPair) -> None:
    at = moment(_ends(mandate)[0])
    cose = act.mint(mandate, signer=signer, holder=holder.public_key, at=at, format=COSE)
    jose = act.mint(mandate, signer=signer, holder=holder.public_key, at=at, format=JOSE)
    opened = open_credential(jose)
    assert opened.content == open_credential(cose).content
    assert opened.content.mandate == mandate
    assert act.mint(mandate, signer=signer, holder=holder.public_key, at=at, format=JOSE) == jose
    opened.opened.check_signature(signer.public_key, "credential_signature_invalid")


@given(orders(), keys)
def test_orders_open_to_equal_values(order: act.Order, signer: act.KeyPair) -> None:
    at = moment(order.expires_at - 1)
    cose, jose = (act.sign_order(order, signer=signer, at=at, format=each) for each in (COSE, JOSE))
    assert open_order(jose).order == open_order(cose).order == order
    assert open_object(jose).format is Format.JOSE


@given(mandates, orders(), keys, names, st.integers(0, 120), st.binary(min_size=16, max_size=16))
def test_requests_open_to_equal_values(
    mandate: act.Mandate, order: act.Order, signer: act.KeyPair, audience: str, lifetime: int, request_id: bytes
) -> None:
    """Under one mandate for one order: only the request's own envelope differs."""
    iac = act.mint(mandate, signer=signer, holder=signer.public_key, at=moment(_ends(mandate)[0]), format=JOSE)
    signed_order = act.sign_order(order, signer=signer, at=moment(order.expires_at - 1))
    terms: dict[str, Any] = {
        "chain": [iac],
        "audience": audience,
        "signer": signer,
        "request_id": request_id,
        "lifetime_seconds": lifetime,
        "at": moment(LATEST_INSTANT - 120),
    }
    cose, jose = (act.sign_payment(signed_order, format=each, **terms) for each in (COSE, JOSE))
    assert open_request(jose.request).request == open_request(cose.request).request
    assert act.Payment.from_bytes(jose.to_bytes()) == jose
    assert act.sign_payment(signed_order, **terms) == jose  # without a format: the chain's


commerce = st.fixed_dictionaries(
    {
        "max_single_amount": st.sampled_from([ABSENT, "5.00", "30.00"]),
        "min_single_amount": st.sampled_from([ABSENT, "2.00"]),
        "allowed_merchants": st.sampled_from([ABSENT, [SHOP], [OTHER_SHOP], [SHOP, OTHER_SHOP]]),
        "forbidden_merchants": st.sampled_from([ABSENT, [SHOP]]),
        "allowed_categories": st.sampled_from([ABSENT, ["tea"], ["books"]]),
        "forbidden_categories": st.sampled_from([ABSENT, ["tea"]]),
    }
)
fields = st.fixed_dictionaries(
    {
        "max_total_amount": st.sampled_from(["30.00", "200.00"]),
        "delegation_mode": st.sampled_from(["BOUNDED", "SPECIFIED"]),
        "allowed_payment_methods": st.sampled_from([ABSENT, ["balance"], ["card"]]),
        "validity_end_time": st.sampled_from(["2026-02-06T09:00:00Z", "2026-02-07T00:00:00Z"]),
    }
)
bought = st.fixed_dictionaries(
    {
        "amount": st.sampled_from(["1.00", "4.99", "5.00", "18.00", "30.01", "200.00", "200.01"]),
        "payee": st.sampled_from([SHOP, OTHER_SHOP]),
        "category": st.sampled_from(["tea", "gift-card"]),
        "agent_id": st.sampled_from([AGENT, OTHER_AGENT]),
        "lock_seconds": st.sampled_from([1, 900]),
    }
)
asked = st.fixed_dictionaries(
    {
        "audience": st.sampled_from([PSP, "psp-2"]),
        "payment_method": st.sampled_from(["balance", "card"]),
        "lifetime_seconds": st.sampled_from([0, 1, 120, 121]),
        "at": st.sampled_from([NOW_SECONDS, NOW_SECONDS + 11]),
    }
)


def _decided(
    envelope: Literal["cose", "jose"],
    limits: dict[str, Any],
    terms: dict[str, Any],
    order: dict[str, Any],
    request: dict[str, Any],
    instant: int,
) -> tuple[object, ...]:
    world = World(format=envelope)
    iac = world.mint(commerce=limits, at=NOW_SECONDS - 60, **terms)
    payment = world.payment(iac=iac, order=world.order(**order), **request)
    world.clock.set(instant)
    findings = [(each.code, each.where, each.facts) for each in world.explain(payment.to_bytes())]
    try:
        verified = world.verify(payment.to_bytes())
    except act.Refused as refusal:
        return refusal.code, refusal.where, refusal.facts, findings
    return verified.limits, verified.amount, verified.payee, verified.order_no, verified.request, findings


@given(commerce, fields, bought, asked, st.sampled_from([NOW_SECONDS, NOW_SECONDS + 120, NOW_SECONDS + 60_000]))
def test_the_same_payment_is_decided_alike(
    limits: dict[str, Any], terms: dict[str, Any], order: dict[str, Any], request: dict[str, Any], instant: int
) -> None:
    given_alike = limits, terms, order, request, instant
    assert _decided(COSE, *given_alike) == _decided(JOSE, *given_alike)


@given(st.binary(max_size=200) | st.from_regex(rb"\AeyJ[A-Za-z0-9_.=-]{0,120}\Z"))
def test_any_text_is_opened_or_refused(data: bytes) -> None:
    for wrong in (data, b"e" + data, b"eyJ9." + data):
        try:
            open_object(wrong)
        except act.Refused as refusal:
            assert refusal.where.startswith("object") or refusal.where == ""

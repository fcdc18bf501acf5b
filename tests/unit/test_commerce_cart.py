"""act.commerce.cart: the order a merchant signs, and what an agent checks before it pays."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import act
from act.commerce.cart import AuthenticatedOrder, open_order
from act.commerce.document import MAX_QUANTITY
from act.delegation.chain import open_chain
from act.errors import InvalidCall
from act.parties import Role
from tests.support.world import (
    ABSENT,
    AGENT,
    NOW_SECONDS,
    OTHER_AGENT,
    OTHER_PRINCIPAL,
    OTHER_SHOP,
    PRINCIPAL,
    SHOP,
    WALLET,
    Line,
    MutableParties,
    World,
    claims_of,
    default_keys,
    enrolled,
    key,
    moment,
    refused,
    reseal,
)

WORLD = World()
ORDER = WORLD.order("41.00", order_no="T-1", lines=[Line("18.00", 2), Line("5.00", category="snack", sku="s", name="Sesame")])


def _open(changes: dict[str, object]) -> act.Order:
    return open_order(reseal(ORDER, key(SHOP), changes)).order


def _verify(world: World, order: bytes, at: int = NOW_SECONDS) -> AuthenticatedOrder:
    return act.verify_order(order, parties=world.parties, at=moment(at))


# --- the object ---------------------------------------------------------------------------------------------------------


def test_every_fact_stands_once() -> None:
    assert claims_of(ORDER) == {
        "iss": SHOP,
        "sub": AGENT,
        "exp": NOW_SECONDS + 900,
        "iat": NOW_SECONDS,
        "act": {
            "delegator_identity": PRINCIPAL,
            "order_no": "T-1",
            "items": [
                {"sku": "milk-tea-l", "name": "Milk tea, large", "category": "tea", "quantity": 2, "unit_amount": "18.00"},
                {"sku": "s", "name": "Sesame", "category": "snack", "quantity": 1, "unit_amount": "5.00"},
            ],
            "amount": "41.00",
            "currency": "CNY",
        },
    }


def test_what_was_signed_is_read_back() -> None:
    order = _open({})
    assert (order.payee, order.agent_id, order.delegator_identity, order.order_no) == (SHOP, AGENT, PRINCIPAL, "T-1")
    assert order.amount == act.Amount(4_100, "CNY")
    assert order.item_categories() == {"tea", "snack"}
    assert act.sign_order(order, signer=key(SHOP), at=moment(NOW_SECONDS)) == ORDER


@pytest.mark.parametrize("claim", ["iss", "sub", "exp", "iat", "act"])
def test_mandatory_claims(claim: str) -> None:
    with refused("claim_missing", f"order.{claim}"):
        _open({claim: ABSENT})


@pytest.mark.parametrize("field", ["delegator_identity", "order_no", "items", "amount", "currency"])
def test_mandatory_fields(field: str) -> None:
    with refused("claim_missing", f"order.act.{field}"):
        _open({f"act.{field}": ABSENT})


@pytest.mark.parametrize("field", ["sku", "name", "category", "quantity", "unit_amount"])
def test_mandatory_fields_of_an_item(field: str) -> None:
    with refused("claim_missing", f"order.act.items.1.{field}"):
        _open({f"act.items.1.{field}": ABSENT})


@pytest.mark.parametrize(
    "path, code", [("act.discount", "claim_unknown"), ("act.items.0.discount", "claim_unknown"), ("aud", "claim_unknown")]
)
def test_unknown_fields(path: str, code: str) -> None:
    with refused(code, f"order.{path}"):
        _open({path: "x"})


AnyValues = tuple[Any, ...]
NO_IDENTIFIER: AnyValues = ("", 1, True, b"x", "a\n", "x" * 257)
NO_INSTANT: AnyValues = (-1, True, "1", 253_402_300_800)
NO_TOTAL: AnyValues = ("41", "-0.00", 4100, True, "1_000.00", "\uff14\uff11.00", "041.00")
WRONG_BY_PATH: dict[str, tuple[str, AnyValues]] = {
    "iss": ("claim_invalid", NO_IDENTIFIER),
    "sub": ("claim_invalid", NO_IDENTIFIER),
    "exp": ("claim_invalid", NO_INSTANT),
    "iat": ("claim_invalid", NO_INSTANT),
    "act.order_no": ("claim_invalid", NO_IDENTIFIER),
    "act.delegator_identity": ("claim_invalid", NO_IDENTIFIER),
    "act.items": ("claim_invalid", ([], {}, "x", [{}] * 129)),
    "act.items.0": ("claim_invalid", ([], "x", 1)),
    "act.items.0.quantity": ("claim_invalid", (0, -1, True, "2", MAX_QUANTITY + 1, 2**62)),
    "act.items.0.category": ("claim_invalid", NO_IDENTIFIER),
    "act.items.0.unit_amount": ("amount_invalid", ("18", "0.00", "-1.00", 1800, True, "1e1", "18.000")),
    "act.amount": ("amount_invalid", NO_TOTAL),
}
WRONG = [(path, value, code) for path, (code, values) in WRONG_BY_PATH.items() for value in values]


@pytest.mark.parametrize("path, value, code", WRONG, ids=lambda value: repr(value)[:30])
def test_wrong_values(path: str, value: object, code: str) -> None:
    with refused(code, f"order.{path}"):
        _open({path: value})


@pytest.mark.parametrize("currency, code", [("XXX", "currency_unknown"), ("cny", "currency_unknown"), (156, "claim_invalid")])
def test_currencies(currency: object, code: str) -> None:
    with refused(code):
        _open({"act.currency": currency})


@pytest.mark.parametrize("amount", ["40.99", "41.01", "23.00", "4100.00"])
def test_items_add_up_to_the_amount(amount: str) -> None:
    with refused("order_total_mismatch", "order.act.amount"):
        _open({"act.amount": amount})


def test_a_changed_quantity_does_not_add_up_either() -> None:
    with refused("order_total_mismatch", "order.act.amount"):
        _open({"act.items.0.quantity": 3})


def test_huge_lines_add_up_exactly_and_do_not_wrap() -> None:
    """2^63 minor units and more in one line: the sum is exact, so it cannot wrap around to a small amount."""
    unit = "92233720368547758.07"  # 2^63 - 1 minor units
    with refused("order_total_mismatch", "order.act.amount") as caught:
        _open({"act.items": [_item(unit, MAX_QUANTITY)], "act.amount": unit})
    assert caught.value.facts["items_minor"] == (2**63 - 1) * MAX_QUANTITY
    with refused("order_total_mismatch", "order.act.amount"):  # 2 * (2^63 - 1) + 4 = 2 modulo 2^64
        _open({"act.items": [_item(unit, 2), _item("0.04", 1)], "act.amount": "0.02"})
    assert _open({"act.items": [_item(unit, 1)], "act.amount": unit}).amount.minor == 2**63 - 1


def _item(unit: str, quantity: int) -> dict[str, object]:
    return {"sku": "s", "name": "n", "category": "tea", "quantity": quantity, "unit_amount": unit}


@pytest.mark.parametrize(
    "amount, currency, minor",
    [("1500", "JPY", 1_500), ("18.00", "CNY", 1_800), ("1.234", "KWD", 1_234), ("0.0001", "CLF", 1), ("0.01", "CNY", 1)],
)
def test_each_currency_has_its_own_digits(amount: str, currency: str, minor: int) -> None:
    assert open_order(WORLD.order(amount, currency=currency)).order.amount == act.Amount(minor, currency)


# --- signing ------------------------------------------------------------------------------------------------------------


def test_what_no_verifier_would_take_is_not_signed() -> None:
    order = _open({})
    with refused("order_total_mismatch", "order.act.amount"):
        _sign(replace(order, amount=act.Amount(4_101, "CNY")))
    with refused("claim_invalid", "order.act.items"):
        _sign(replace(order, items=()))
    with refused("claim_invalid", "order.act.order_no"):
        _sign(replace(order, order_no=""))
    with refused("currency_mismatch", "order.items"):
        _sign(replace(order, items=(replace(order.items[0], unit_amount=act.Amount(1_800, "USD")), order.items[1])))
    with refused("order_expired", "order.exp"):
        _sign(replace(order, expires_at=NOW_SECONDS))
    many = tuple(replace(order.items[0], name="n" * 250, quantity=1) for _ in range(128))
    with refused("input_too_large", "order"):
        _sign(replace(order, items=many, amount=act.Amount(1_800 * 128, "CNY")))
    with pytest.raises(InvalidCall):
        act.sign_order({"payee": SHOP}, signer=key(SHOP))  # type: ignore[arg-type]  # that is what is tested


def _sign(order: act.Order) -> bytes:
    return act.sign_order(order, signer=key(SHOP), at=moment(NOW_SECONDS))


def test_the_system_clock_is_used_when_no_time_is_given() -> None:
    order = replace(_open({}), expires_at=4_000_000_000)
    assert claims_of(act.sign_order(order, signer=key(SHOP)))["iat"] > 1_700_000_000


# --- verifying ----------------------------------------------------------------------------------------------------------


def test_a_genuine_order_verifies() -> None:
    verified = _verify(WORLD, ORDER)
    assert verified.order == _open({})
    assert verified.payee_key.party.categories == {"tea"}


def test_only_the_payee_signs_its_orders() -> None:
    with refused("signer_unknown", "order.iss"):
        _verify(WORLD, WORLD.order(signer=key("stranger")))
    with refused("signer_unknown", "order.iss"):  # a wallet is no payee
        _verify(WORLD, WORLD.order(signer=key(WALLET)))
    with refused("signer_mismatch", "order.iss"):
        _verify(WORLD, WORLD.order(signer=key(OTHER_SHOP)))
    with refused("order_signature_invalid", "order"):
        _verify(WORLD, ORDER[:-1] + bytes([ORDER[-1] ^ 1]))


@pytest.mark.parametrize(
    "at, code",
    [
        (NOW_SECONDS - 11, "order_not_yet_valid"),
        (NOW_SECONDS - 10, None),
        (NOW_SECONDS - 9, None),
        (NOW_SECONDS + 899, None),
        (NOW_SECONDS + 900, "order_expired"),
        (NOW_SECONDS + 901, "order_expired"),
    ],
)
def test_the_price_lock(at: int, code: str | None) -> None:
    if code is None:
        assert _verify(WORLD, ORDER, at).issued_at == NOW_SECONDS
    else:
        with refused(code):
            _verify(WORLD, ORDER, at)


def test_parties_and_keys_at_an_order() -> None:
    expired = World(MutableParties(expires_at=NOW_SECONDS))
    with refused("parties_expired", "parties"):
        _verify(expired, ORDER)
    world = World()
    world.parties.change(SHOP, compromised_at=NOW_SECONDS + 10**6)
    with refused("key_compromised", "order.iss"):
        _verify(world, ORDER)
    for edge, accepted in ((NOW_SECONDS, False), (NOW_SECONDS + 1, True)):
        world = World()
        world.parties.change(SHOP, not_after=edge)
        if accepted:
            assert _verify(world, ORDER, NOW_SECONDS + 60).issued_at == NOW_SECONDS
        else:
            with refused("signer_unknown", "order.iss"):
                _verify(world, ORDER, NOW_SECONDS + 60)


def test_a_naive_time_is_an_invalid_call() -> None:
    with pytest.raises(InvalidCall):
        act.verify_order(ORDER, parties=WORLD.parties, at=datetime(2026, 2, 6))  # noqa: DTZ001 - that is what is tested


# --- pre-check ----------------------------------------------------------------------------------------------------------


def _pre_check(
    world: World, iac: bytes, order: bytes, used: dict[str, int] | None = None, payment_method: str = "balance"
) -> None:
    chain = open_chain((iac,)).authenticate(world.parties)
    authenticated = open_order(order).authenticate(world.parties)
    act.pre_check(chain, authenticated, at=world.clock(), used=used, payment_method=payment_method)


def test_a_good_order_passes() -> None:
    world = World()
    _pre_check(world, world.mint(), world.order("30.00"))
    _pre_check(world, world.mint(), world.order("30.00"), {"max_total_amount": 17_000})


def test_what_is_left_counts() -> None:
    world = World()
    with refused("total_limit_exceeded", "max_total_amount") as caught:
        _pre_check(world, world.mint(), world.order("30.00"), {"max_total_amount": 17_001})
    assert caught.value.facts == {"cap_minor": 20_000, "left_minor": 2_999, "asked_minor": 3_000}


PRE_CHECKED: dict[str, dict[str, Any]] = {
    "too dear": {"order": {"amount": "30.01"}},
    "too cheap": {"commerce": {"min_single_amount": "18.01"}},
    "another currency": {"order": {"amount": "1500", "currency": "JPY"}},
    "another method": {"how": {"payment_method": "card"}},
    "shop not listed": {"commerce": {"allowed_merchants": [OTHER_SHOP]}},
    "shop forbidden": {"commerce": {"forbidden_merchants": [SHOP]}},
    "label not listed": {"order": {"category": "gift_card"}},
    "category forbidden": {"commerce": {"forbidden_categories": ["tea"]}},
    "another agent's order": {"order": {"agent_id": OTHER_AGENT}},
    "another principal's order": {"order": {"principal": OTHER_PRINCIPAL}},
    "order expired": {"order": {"at": NOW_SECONDS - 900}},
    "order from the future": {"order": {"at": NOW_SECONDS + 11}},
    "mandate expired": {"mandate": {"validity_end_time": "2026-02-06T09:00:00Z", "at": NOW_SECONDS - 60}},
    "mandate signed in the future": {"mandate": {"at": NOW_SECONDS + 11}},
    "mandate and order expired": {
        "mandate": {"validity_end_time": "2026-02-06T09:00:00Z", "at": NOW_SECONDS - 60},
        "order": {"at": NOW_SECONDS - 900},
    },
    "used up": {"used": "12.01", "mandate": {"max_total_amount": "30.00"}},
    "used up, and a wrong label": {
        "used": "12.01",
        "mandate": {"max_total_amount": "30.00"},
        "order": {"category": "gift_card"},
    },
    "right": {},
}


@pytest.mark.parametrize("name", PRE_CHECKED)
def test_the_pre_check_foretells_the_payment_service(name: str, tmp_path: Path) -> None:
    case = PRE_CHECKED[name]
    world = World()
    iac = world.mint(commerce=case.get("commerce"), **case.get("mandate", {}))
    service = world.service(tmp_path / "ledger.db")
    if "used" in case:
        service.authorize(world.payment(iac=iac, order=world.order(case["used"])))
    status = service.status(iac)
    used = {each.name: each.held + each.captured for each in status.counters} if status else None
    order = world.order(**case.get("order", {}))
    how = case.get("how", {})

    foretold: tuple[str, str] | None = None
    try:
        _pre_check(world, iac, order, used, **how)
    except act.Refused as refusal:
        foretold = refusal.code, refusal.where
    decided: tuple[str, str] | None = None
    try:
        service.authorize(world.payment(iac=iac, order=order, **how))
    except act.Refused as refusal:
        decided = refusal.code, refusal.where
    assert foretold == decided
    assert (decided is None) == (name == "right")


def test_a_shop_without_a_record_sells_nothing_in_any_category() -> None:
    keys = [each for each in default_keys() if each.party.id != SHOP] + [enrolled(SHOP, Role.PAYEE)]
    world = World(MutableParties(keys))
    with refused("category_not_allowed", "ext.commerce.allowed_categories"):
        _pre_check(world, world.mint(), world.order())
    _pre_check(world, world.mint(commerce={"allowed_categories": ABSENT}), world.order())

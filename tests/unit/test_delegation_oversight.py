"""Delivery, confirmation, sub-agents, status, purpose and lifetime: what a mandate says beside how much and what."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

import act
from act.delegation.constraints import REGISTRY, MaxStaleness, address_digest, build_constraints, require_purpose
from act.delegation.purchase import Purchase
from act.errors import InvalidCall
from act.money import Amount
from tests.support.world import END_SECONDS, NOW_SECONDS, SHOP, START_SECONDS, refused

ORDERED = NOW_SECONDS - 60
PURCHASE = Purchase(SHOP, frozenset(), frozenset(), Amount(1_800, "CNY"), "balance", "AUP", NOW_SECONDS, (), ORDERED)
TIME, ADDRESS = "ext.fulfillment.delivery_time_requirement", "ext.fulfillment.delivery_address"


def _read(path: str, value: object) -> Any:
    return REGISTRY[path].read(value, "CNY")


@pytest.mark.parametrize(
    "text, latest",
    [
        ("2026-02-06T10:00:00Z", NOW_SECONDS + 3_600),
        ("PT1S", ORDERED + 1),
        ("PT30M", ORDERED + 1_800),
        ("PT36H", ORDERED + 129_600),
        ("P7D", ORDERED + 604_800),
    ],
)
def test_delivery_is_promised_in_time(text: str, latest: int) -> None:
    required = _read(TIME, text)
    required.permits(replace(PURCHASE, deliver_by=latest))
    for promised in (latest + 1, None):
        with refused("delivery_time_missed", TIME):
            required.permits(replace(PURCHASE, deliver_by=promised))


@pytest.mark.parametrize(
    "value",
    ["", "PT", "P", "PT0S", "PT05M", "P1W", "P1M", "P1Y", "PT1H30M", "PT1.5H", "-PT1H", "pt1h", "2026-02-06", 60, b"PT1H",
     "PT1000000000S", "2026-02-30T00:00:00Z"],
)  # fmt: skip
def test_what_is_no_delivery_time(value: object) -> None:
    with refused("claim_invalid", ""):
        _read(TIME, value)


@pytest.mark.parametrize(
    "link, parent, narrower",
    [
        ("PT30M", "PT30M", True),
        ("PT1800S", "PT30M", True),
        ("PT1801S", "PT30M", False),
        ("PT23H", "P1D", True),
        ("2026-02-06T10:00:00Z", "2026-02-06T10:00:00Z", True),
        ("2026-02-06T10:00:01Z", "2026-02-06T10:00:00Z", False),
        ("PT1S", "2026-02-06T10:00:00Z", False),  # an instant and a duration cannot be compared before the order
        ("1970-01-01T00:00:01Z", "PT30M", False),
    ],
)
def test_a_link_is_not_delivered_later(link: str, parent: str, narrower: bool) -> None:
    if narrower:
        _read(TIME, link).narrows(_read(TIME, parent))
    else:
        with refused("link_widens", TIME):
            _read(TIME, link).narrows(_read(TIME, parent))


def test_one_address() -> None:
    here, there = (address_digest(text, bytes(16)) for text in ("1 Lake Road", "2 Lake Road"))
    required = _read(ADDRESS, here)
    required.permits(replace(PURCHASE, delivery_address=here))
    for promised in (there, None):
        with refused("delivery_address_mismatch", ADDRESS):
            required.permits(replace(PURCHASE, delivery_address=promised))
    required.narrows(_read(ADDRESS, here))
    with refused("link_widens", ADDRESS):
        required.narrows(_read(ADDRESS, there))
    for value in (here[:-1], here.hex(), "1 Lake Road"):
        with refused("claim_invalid", ""):
            _read(ADDRESS, value)


def test_an_address_is_hashed_with_its_salt_in_front() -> None:
    salt = bytes(range(16))
    assert address_digest("西湖路1号", salt) == sha256(salt + "西湖路1号".encode()).digest()
    assert address_digest("西湖路1号", bytes(16)) != address_digest("西湖路1号", salt)


@pytest.mark.parametrize(
    "address, salt", [("", bytes(16)), ("x", bytes(15)), ("x", "0" * 16), (b"x", bytes(16)), ("\ud800", bytes(16))]
)
def test_an_address_needs_its_salt(address: Any, salt: Any) -> None:
    with pytest.raises(InvalidCall):
        address_digest(address, salt)


@pytest.mark.parametrize("minor, confirmed, permitted", [(1_800, False, True), (1_801, False, False), (1_801, True, True)])
def test_above_an_amount_the_principal_confirms(minor: int, confirmed: bool, permitted: bool) -> None:
    path = "ext.step_up.above_amount"
    purchase = replace(PURCHASE, amount=Amount(minor, "CNY"), confirmed=confirmed)
    if permitted:
        _read(path, "18.00").permits(purchase)
    else:
        with refused("confirmation_required", path):
            _read(path, "18.00").permits(purchase)
    with refused("link_widens", path):
        _read(path, "18.01").narrows(_read(path, "18.00"))


@pytest.mark.parametrize("link, parent, narrower", [(1, 2, True), (2, 2, False), (1, 1, False), (7, 8, True)])
def test_a_link_takes_one_of_the_depth(link: int, parent: int, narrower: bool) -> None:
    path = "ext.delegation.max_depth"
    if narrower:
        _read(path, link).narrows(_read(path, parent))
    else:
        with refused("link_widens", path):
            _read(path, link).narrows(_read(path, parent))


@pytest.mark.parametrize("value", [0, 9, -1, True, "1", [1]])
def test_what_is_no_depth(value: object) -> None:
    with refused("claim_invalid", ""):
        _read("ext.delegation.max_depth", value)


STEPS = [{"seconds": 3_600}, {"seconds": 60, "above_amount": "50.00"}, {"seconds": 0, "above_amount": "100.00"}]


@pytest.mark.parametrize("minor, seconds", [(1, 3_600), (5_000, 3_600), (5_001, 60), (10_000, 60), (10_001, 0), (2**62, 0)])
def test_the_more_money_the_fresher(minor: int, seconds: int) -> None:
    assert MaxStaleness.read(STEPS, "CNY").allowed_seconds(minor) == seconds


@pytest.mark.parametrize(
    "link, narrower",
    [
        (STEPS, True),
        ([{"seconds": 0}], True),
        ([{"seconds": 60}, {"seconds": 0, "above_amount": "100.00"}], True),
        ([{"seconds": 60}, {"seconds": 0, "above_amount": "100.01"}], False),
        ([{"seconds": 3_600}, {"seconds": 0, "above_amount": "50.00"}], True),
        ([{"seconds": 3_601}, {"seconds": 0, "above_amount": "1.00"}], False),
        ([{"seconds": 1}], False),
    ],
)
def test_a_link_allows_no_older_status(link: Any, narrower: bool) -> None:
    child, parent = MaxStaleness.read(link, "CNY"), MaxStaleness.read(STEPS, "CNY")
    if narrower:
        child.narrows(parent)
    else:
        with refused("link_widens", "ext.status.max_staleness"):
            child.narrows(parent)


def test_a_link_revokes_as_its_parent() -> None:
    path = "ext.status.on_revoke"
    _read(path, "void").narrows(_read(path, "void"))
    for link, parent in (("void", "honor"), ("honor", "void")):
        with refused("link_behaviour_changed", path):
            _read(path, link).narrows(_read(path, parent))


# --- purpose ------------------------------------------------------------------------------------------------------------

BASE = {"validity": (START_SECONDS, END_SECONDS), "currency": "CNY", "max_total_amount": "200.00"}
GOALS = {"ext.commerce.allowed_merchants": [SHOP], "ext.items": [{"sku": "a"}]}
BOUNDS = GOALS | {
    "ext.commerce.max_single_amount": "1.00",
    "ext.commerce.forbidden_merchants": [SHOP],
    "ext.commerce.allowed_categories": ["tea"],
    "ext.commerce.forbidden_categories": ["tea"],
}
NEITHER = {
    "allowed_payment_methods": ["balance"],
    "ext.commerce.min_single_amount": "1.00",
    "ext.step_up.above_amount": "1.00",
    ADDRESS: bytes(32),
    "ext.delegation.max_depth": 1,
    "ext.status.on_revoke": "void",
}


@pytest.mark.parametrize("path", BOUNDS | NEITHER)
def test_a_goal_or_a_bound(path: str) -> None:
    constraints = build_constraints(BASE | {path: (BOUNDS | NEITHER)[path]})
    for mode, enough, code in (("SPECIFIED", GOALS, "goal_missing"), ("BOUNDED", BOUNDS, "bounds_missing")):
        if path in enough:
            require_purpose(mode, constraints)
        else:
            with refused(code, "delegation_mode"):
                require_purpose(mode, constraints)


def test_null_in_a_document_is_no_absent_field() -> None:
    for path in ("delegation_id", "ext", "allowed_payment_methods"):
        with pytest.raises(InvalidCall) as caught:
            act.Mandate.from_json({path: None})
        assert (caught.value.where, str(caught.value.facts["reason"])[:10]) == (path, "claim_null")
    with pytest.raises(InvalidCall) as caught:
        act.Mandate.from_json('{"ext": {"items": [{"sku": "a"}, {"sku": null}]}}')
    assert caught.value.where == "ext.items.1.sku"
    with pytest.raises(InvalidCall) as caught:
        act.Order.from_json('{"deliver_by": null}')
    assert caught.value.where == "deliver_by"

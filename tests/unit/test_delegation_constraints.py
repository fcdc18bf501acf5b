"""act.delegation.constraints: each bound at its edge, the closed registry, and the words for people."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from act.delegation.constraints import REGISTRY, Constraint
from act.delegation.purchase import Purchase
from act.errors import CODES
from act.money import Amount
from tests.support.world import END_SECONDS, NOW_SECONDS, OTHER_SHOP, SHOP, START_SECONDS, refused

PURCHASE = Purchase(SHOP, frozenset({"tea"}), frozenset({"tea"}), Amount(1_800, "CNY"), "balance", "AUP", NOW_SECONDS)

WIRE: dict[str, Any] = {
    "validity": (START_SECONDS, END_SECONDS),
    "delegation_mode": "BOUNDED",
    "currency": "CNY",
    "ext.commerce.max_single_amount": "30.00",
    "ext.commerce.min_single_amount": "10.00",
    "allowed_payment_methods": ["balance", "card"],
    "max_total_amount": "200.00",
    "ext.commerce.allowed_merchants": [SHOP, OTHER_SHOP],
    "ext.commerce.forbidden_merchants": ["casino.example"],
    "ext.commerce.allowed_categories": ["tea", "coffee"],
    "ext.commerce.forbidden_categories": ["gift_card"],
    "ext.delegation.max_depth": 2,
}


def _constraint(path: str, value: Any = None) -> Constraint:
    return REGISTRY[path].read(WIRE[path] if value is None else value, "CNY")


def _paying(minor: int, currency: str = "CNY") -> Purchase:
    return replace(PURCHASE, amount=Amount(minor, currency))


def test_the_registry_is_closed_and_in_the_order_of_judgement() -> None:
    assert list(REGISTRY) == list(WIRE)
    with pytest.raises(TypeError):
        REGISTRY["ext.quota"] = REGISTRY["currency"]  # type: ignore[index]  # that is what is tested


@pytest.mark.parametrize("path", REGISTRY)
def test_every_constraint_permits_what_is_right_and_names_its_rule(path: str) -> None:
    constraint = _constraint(path)
    constraint.permits(PURCHASE)
    assert constraint.path == path
    assert constraint.rule in {row.rule for row in CODES.values()}


@pytest.mark.parametrize("path", REGISTRY)
def test_every_constraint_is_written_as_it_was_read(path: str) -> None:
    constraint = _constraint(path)
    assert constraint.encode() == WIRE[path]
    assert REGISTRY[path].read(constraint.encode(), "CNY") == constraint


@pytest.mark.parametrize("path", REGISTRY)
def test_every_constraint_says_itself_in_both_languages(path: str) -> None:
    constraint = _constraint(path)
    english, chinese = constraint.describe(), constraint.describe("zh")
    assert english == constraint.describe("en")
    assert english.isascii()
    assert not chinese.isascii()
    values = WIRE[path] if isinstance(WIRE[path], list) else [WIRE[path]] if path != "validity" else ["2026-02-06T08:00:00Z"]
    if path != "delegation_mode":
        assert all(str(value) in english and str(value) in chinese for value in values)


def test_both_modes_have_words() -> None:
    described = {
        _constraint("delegation_mode", mode).describe(lang) for mode in ("SPECIFIED", "BOUNDED") for lang in ("en", "zh")
    }
    assert len(described) == 4


@pytest.mark.parametrize("path", [path for path in REGISTRY if path != "max_total_amount"])
def test_only_the_total_is_counted(path: str) -> None:
    assert _constraint(path).limits(NOW_SECONDS) == ()


def test_the_total_is_one_limit() -> None:
    (limit,) = _constraint("max_total_amount").limits(NOW_SECONDS)
    assert (limit.name, limit.cap_minor, limit.code) == ("max_total_amount", 20_000, "total_limit_exceeded")


# --- edges --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "at, code",
    [
        (START_SECONDS - 11, "credential_not_yet_valid"),
        (START_SECONDS - 10, None),
        (END_SECONDS - 1, None),
        (END_SECONDS, "credential_expired"),
    ],
)
def test_validity(at: int, code: str | None) -> None:
    purchase = replace(PURCHASE, at=at)
    if code is None:
        _constraint("validity").permits(purchase)
    else:
        with refused(code):
            _constraint("validity").permits(purchase)


@pytest.mark.parametrize("mode, scenario", [("SPECIFIED", "DEL"), ("BOUNDED", "AUP")])
def test_the_mode_fits_one_scenario(mode: str, scenario: str) -> None:
    _constraint("delegation_mode", mode).permits(replace(PURCHASE, scenario=scenario))
    for other in {"DEL", "AUP", "INS", ""} - {scenario}:
        with refused("mode_mismatch", "mandate.delegation_mode"):
            _constraint("delegation_mode", mode).permits(replace(PURCHASE, scenario=other))


@pytest.mark.parametrize("minor, permitted", [(2_999, True), (3_000, True), (3_001, False), (2**63 - 1, False)])
def test_most_of_one_payment(minor: int, permitted: bool) -> None:
    constraint = _constraint("ext.commerce.max_single_amount")
    if permitted:
        constraint.permits(_paying(minor))
    else:
        with refused("single_limit_exceeded", "ext.commerce.max_single_amount") as caught:
            constraint.permits(_paying(minor))
        assert caught.value.facts == {"cap_minor": 3_000, "asked_minor": minor}


@pytest.mark.parametrize("minor, permitted", [(1, False), (999, False), (1_000, True), (1_001, True)])
def test_least_of_one_payment(minor: int, permitted: bool) -> None:
    constraint = _constraint("ext.commerce.min_single_amount")
    if permitted:
        constraint.permits(_paying(minor))
    else:
        with refused("single_minimum_missed", "ext.commerce.min_single_amount") as caught:
            constraint.permits(_paying(minor))
        assert caught.value.facts == {"floor_minor": 1_000, "asked_minor": minor}


@pytest.mark.parametrize("minor, permitted", [(19_999, True), (20_000, True), (20_001, False)])
def test_more_than_the_whole_total_needs_no_ledger(minor: int, permitted: bool) -> None:
    constraint = _constraint("max_total_amount")
    if permitted:
        constraint.permits(_paying(minor))
    else:
        with refused("total_limit_exceeded", "max_total_amount") as caught:
            constraint.permits(_paying(minor))
        assert caught.value.facts == {"cap_minor": 20_000, "left_minor": 20_000, "asked_minor": minor}


@pytest.mark.parametrize(
    "path", ["currency", "max_total_amount", "ext.commerce.max_single_amount", "ext.commerce.min_single_amount"]
)
def test_no_amount_is_judged_in_another_currency(path: str) -> None:
    """JPY 1500 is neither more nor less than CNY 30.00: whoever compares the minor units is wrong in both directions."""
    for minor in (1, 1_500, 10**6):
        with refused("currency_mismatch", "mandate.currency"):
            _constraint(path).permits(_paying(minor, "JPY"))


@pytest.mark.parametrize(
    "method, permitted", [("balance", True), ("card", True), ("Balance", False), ("balance ", False), ("", False)]
)
def test_payment_methods(method: str, permitted: bool) -> None:
    purchase = replace(PURCHASE, payment_method=method)
    if permitted:
        _constraint("allowed_payment_methods").permits(purchase)
    else:
        with refused("payment_method_not_allowed", "allowed_payment_methods"):
            _constraint("allowed_payment_methods").permits(purchase)


LOOK_ALIKES = [
    "Teashop.example",
    "teashop.example.",
    "teashop.example/",
    "teashop.examp1e",
    "t\u0435ashop.example",  # a Cyrillic ie
    "evil.teashop.example",
]


@pytest.mark.parametrize("payee", [*LOOK_ALIKES, "*", "", "casino.example"])
def test_only_listed_payees(payee: str) -> None:
    with refused("payee_not_allowed", "ext.commerce.allowed_merchants"):
        _constraint("ext.commerce.allowed_merchants").permits(replace(PURCHASE, payee=payee))


def test_entries_are_no_patterns() -> None:
    for pattern in ("*", "*.example", "teashop.*", "teashop"):
        with refused("payee_not_allowed"):
            _constraint("ext.commerce.allowed_merchants", [pattern]).permits(PURCHASE)


def test_forbidden_payees() -> None:
    with refused("payee_forbidden", "ext.commerce.forbidden_merchants"):
        _constraint("ext.commerce.forbidden_merchants").permits(replace(PURCHASE, payee="casino.example"))
    with refused("payee_forbidden", "ext.commerce.forbidden_merchants"):
        _constraint("ext.commerce.forbidden_merchants", [OTHER_SHOP, SHOP]).permits(PURCHASE)


def _selling(record: set[str], labels: set[str]) -> Purchase:
    return replace(PURCHASE, categories=frozenset(record), item_categories=frozenset(labels))


@pytest.mark.parametrize(
    "record, labels, permitted",
    [
        ({"tea"}, {"tea"}, True),
        ({"tea"}, {"coffee"}, True),
        ({"tea", "coffee"}, {"tea", "coffee"}, True),
        ({"gift_card"}, {"tea"}, False),  # labelled "tea" by a shop that sells gift cards
        ({"tea", "gift_card"}, {"tea"}, False),  # nothing but the label says which of the two it is
        ({"tea"}, {"gift_card"}, False),
        ({"tea"}, {"tea", "gift_card"}, False),
        (set(), {"tea"}, False),  # nothing on record
        ({"Tea"}, {"tea"}, False),
    ],
)
def test_allowed_categories(record: set[str], labels: set[str], permitted: bool) -> None:
    constraint = _constraint("ext.commerce.allowed_categories")
    if permitted:
        constraint.permits(_selling(record, labels))
    else:
        with refused("category_not_allowed", "ext.commerce.allowed_categories"):
            constraint.permits(_selling(record, labels))


@pytest.mark.parametrize(
    "record, labels, permitted",
    [
        ({"tea"}, {"tea"}, True),
        ({"gift_card"}, {"tea"}, False),
        ({"tea", "gift_card"}, {"tea"}, False),
        ({"tea"}, {"gift_card"}, False),
        ({"tea"}, {"tea", "gift_card"}, False),
        (set(), {"tea"}, False),
    ],
)
def test_forbidden_categories(record: set[str], labels: set[str], permitted: bool) -> None:
    constraint = _constraint("ext.commerce.forbidden_categories")
    if permitted:
        constraint.permits(_selling(record, labels))
    else:
        with refused("category_forbidden", "ext.commerce.forbidden_categories"):
            constraint.permits(_selling(record, labels))

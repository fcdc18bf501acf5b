"""act.delegation.constraints.items and behavior: what is named, how many, how dear; and what a link may make of it."""

from __future__ import annotations

from typing import Any

import pytest

from act.commerce.cart import Item
from act.delegation.constraints import Items, PriceDeviationTolerance, build_constraints
from act.delegation.purchase import Purchase
from act.errors import Refused
from act.money import Amount
from tests.support.world import END_SECONDS, NOW_SECONDS, SHOP, START_SECONDS, refused

TOLERANCE = "ext.agent_behavior.price_deviation_tolerance"


def _bought(*items: tuple[str, str, str, int, int], currency: str = "CNY") -> Purchase:
    lines = tuple(Item(sku, name, label, count, Amount(minor, currency)) for sku, label, name, count, minor in items)
    total = Amount(sum(line.quantity * line.unit_amount.minor for line in lines) or 1, currency)
    return Purchase(SHOP, frozenset({"tea"}), frozenset({"tea"}), total, "balance", "AUP", NOW_SECONDS, lines)


def _items(*entries: dict[str, Any]) -> Items:
    return Items.read(list(entries), "CNY")


def _built(*entries: dict[str, Any], percent: str | None = None) -> dict[str, Any]:
    wire: dict[str, Any] = {
        "validity": (START_SECONDS, END_SECONDS),
        "delegation_mode": "BOUNDED",
        "currency": "CNY",
        "max_total_amount": "200.00",
        "ext.items": list(entries),
    }
    return {each.path: each for each in build_constraints(wire if percent is None else wire | {TOLERANCE: percent})}


TEA = ("tea-l", "tea", "Milk tea", 1, 1_800)
CUP = ("cup", "ware", "Cup", 1, 500)


@pytest.mark.parametrize(
    "entries, purchase, code",
    [
        ([{"sku": "tea-l"}], _bought(TEA), None),
        ([{"sku": "tea-l"}], _bought(TEA, CUP), "item_not_allowed"),
        ([{"sku": "tea-l"}, {"category": "ware"}], _bought(TEA, CUP), None),
        ([{"sku": "tea-l", "name": "milk tea"}], _bought(TEA), "item_not_allowed"),
        ([{"sku": "tea-l"}], _bought(), "item_not_allowed"),  # a purchase that shows no items
        ([{"category": "tea", "max_quantity": 2}], _bought(TEA, TEA), None),
        ([{"category": "tea", "max_quantity": 2}], _bought(TEA, TEA, TEA), "item_quantity_exceeded"),
        ([{"category": "tea"}, {"sku": "tea-l", "max_quantity": 2}], _bought(TEA, TEA, TEA), "item_quantity_exceeded"),
        ([{"category": "tea", "max_unit_amount": "18.00"}], _bought(TEA), None),
        ([{"category": "tea", "max_unit_amount": "17.99"}], _bought(TEA), "item_price_exceeded"),
        ([{"category": "ware", "max_unit_amount": "1.00"}, {"sku": "tea-l"}], _bought(TEA), None),
        ([{"sku": "tea-l", "max_quantity": 1, "max_unit_amount": "1.00"}], _bought(TEA, TEA), "item_quantity_exceeded"),
        ([{"sku": "cup", "max_unit_amount": "1.00"}], _bought(CUP, TEA), "item_not_allowed"),
    ],
)
def test_what_items_permit(entries: list[dict[str, Any]], purchase: Purchase, code: str | None) -> None:
    if code is None:
        _items(*entries).permits(purchase)
    else:
        with refused(code, "ext.items"):
            _items(*entries).permits(purchase)


def test_no_item_is_judged_in_another_currency() -> None:
    for entry in ({"sku": "tea-l", "max_unit_amount": "99.00"}, {"sku": "tea-l", "confirmed_unit_amount": "99.00"}):
        yen = _bought(("tea-l", "tea", "Milk tea", 1, 1), currency="JPY")
        with refused("currency_mismatch", "mandate.currency"):
            for each in _built(entry).values():
                if each.path in ("ext.items", TOLERANCE):
                    each.permits(yen)


@pytest.mark.parametrize(
    "child, parent, narrower",
    [
        ([{"sku": "a", "category": "tea"}], [{"category": "tea"}], True),
        ([{"sku": "a"}], [{"category": "tea"}], False),  # an "a" that is no tea
        ([{"category": "tea"}], [{"sku": "a", "category": "tea"}], False),
        ([{"sku": "a"}, {"sku": "b"}], [{"sku": "a"}], False),
        ([{"sku": "a", "max_quantity": 2}], [{"sku": "a", "max_quantity": 2}], True),
        ([{"sku": "a", "max_quantity": 3}], [{"sku": "a", "max_quantity": 2}], False),
        ([{"sku": "a"}], [{"sku": "a", "max_quantity": 2}], False),
        ([{"sku": "a"}, {"sku": "a", "max_quantity": 1}], [{"sku": "a", "max_quantity": 2}], True),  # one that covers is enough
        (  # together not more than the parent's
            [{"sku": "a", "category": "tea", "max_quantity": 1}, {"sku": "b", "category": "tea", "max_quantity": 2}],
            [{"category": "tea", "max_quantity": 3}],
            True,
        ),
        (
            [{"sku": "a", "category": "tea", "max_quantity": 2}, {"sku": "b", "category": "tea", "max_quantity": 2}],
            [{"category": "tea", "max_quantity": 3}],
            False,
        ),
        (  # another item of the parent's needs no cap
            [{"sku": "a", "category": "tea", "max_quantity": 1}, {"category": "ware"}],
            [{"category": "tea", "max_quantity": 3}, {"category": "ware"}],
            True,
        ),
        (  # an entry by name could meet the capped label
            [{"category": "tea", "sku": "a", "max_quantity": 1}, {"name": "Cup"}],
            [{"category": "tea", "max_quantity": 3}, {"name": "Cup"}],
            False,
        ),
        ([{"sku": "a", "max_unit_amount": "1.00"}], [{"sku": "a", "max_unit_amount": "1.00"}], True),
        ([{"sku": "a", "max_unit_amount": "1.01"}], [{"sku": "a", "max_unit_amount": "1.00"}], False),
        ([{"sku": "a", "name": "x", "max_unit_amount": "0.99"}], [{"sku": "a", "max_unit_amount": "1.00"}], True),
        ([{"sku": "a", "name": "x"}], [{"sku": "a", "max_unit_amount": "1.00"}], False),
        ([{"sku": "a", "max_quantity": 1}], [{"sku": "a"}], True),
    ],
)
def test_which_items_are_narrower(child: list[dict[str, Any]], parent: list[dict[str, Any]], narrower: bool) -> None:
    if narrower:
        _items(*child).narrows(_items(*parent))
    else:
        with refused("link_widens", "ext.items"):
            _items(*child).narrows(_items(*parent))


@pytest.mark.parametrize("percent, hundredths", [("0", 0), ("100", 10_000), ("2.5", 250), ("0.01", 1), ("99.99", 9_999)])
def test_percentages(percent: str, hundredths: int) -> None:
    tolerance = PriceDeviationTolerance.read(percent, "CNY")
    assert (tolerance.percent_hundredths, tolerance.encode()) == (hundredths, percent)


@pytest.mark.parametrize(
    "value", ["", "-1", "5%", "05", "5.", "5.0", "2.50", "2.125", "100.01", "101", "1e1", "\uff15", 5, True]
)
def test_what_is_no_percentage(value: object) -> None:
    with refused("claim_invalid", ""):
        PriceDeviationTolerance.read(value, "CNY")


@pytest.mark.parametrize(
    "confirmed, percent, most", [("18.00", "5", 1_890), ("10.01", "2.25", 1_023), ("0.01", "99.99", 1), ("18.00", None, 1_800)]
)
def test_the_tolerance_is_rounded_down(confirmed: str, percent: str | None, most: int) -> None:
    tolerance = _built({"sku": "tea-l", "confirmed_unit_amount": confirmed}, percent=percent)[TOLERANCE]
    tolerance.permits(_bought(("tea-l", "tea", "Milk tea", 1, 1)))
    tolerance.permits(_bought(("tea-l", "tea", "Milk tea", 9, most)))
    with refused("price_deviation_exceeded", TOLERANCE) as caught:
        tolerance.permits(_bought(("tea-l", "tea", "Milk tea", 1, most + 1)))
    assert caught.value.facts == {"entry": 0, "most_minor": most, "asked_minor": most + 1}


def test_confirmed_prices_without_a_tolerance_have_one_of_0_that_is_written_out() -> None:
    built = _built({"sku": "tea-l", "confirmed_unit_amount": "18.00"})
    assert built[TOLERANCE].encode() == "0"
    assert list(built)[-2:] == ["ext.items", TOLERANCE]  # in its place among the others


def test_a_tolerance_of_nothing_contradicts_itself() -> None:
    with refused("constraint_conflict", TOLERANCE):
        _built({"sku": "tea-l"}, percent="5")


@pytest.mark.parametrize(
    "child, child_percent, parent, parent_percent, narrower",
    [
        ("18.00", "5", "18.00", "5", True),
        ("18.00", "5.05", "18.00", "5", True),  # half a fen more is none
        ("18.00", "5.06", "18.00", "5", False),
        ("18.01", "5", "18.00", "5", False),  # a higher base is a higher ceiling
        ("17.00", "11", "18.00", "5", True),  # 18.87 is not above 18.90
        ("17.00", "12", "18.00", "5", False),  # 19.04 is
    ],
)
def test_a_narrower_tolerance_has_no_higher_ceiling(
    child: str, child_percent: str, parent: str, parent_percent: str, narrower: bool
) -> None:
    below = _built({"sku": "a", "name": "x", "confirmed_unit_amount": child}, percent=child_percent)[TOLERANCE]
    above = _built({"sku": "a", "confirmed_unit_amount": parent}, percent=parent_percent)[TOLERANCE]
    if narrower:
        below.narrows(above)
    else:
        with refused("link_widens", TOLERANCE):
            below.narrows(above)


def test_a_huge_price_and_its_tolerance_stay_an_amount() -> None:
    huge = "92233720368547758.07"
    built = _built({"sku": "a", "confirmed_unit_amount": huge}, percent="100")
    built[TOLERANCE].permits(_bought(("a", "tea", "x", 1, 2**63 - 1)))
    built[TOLERANCE].narrows(_built({"sku": "a", "confirmed_unit_amount": huge}, percent="99")[TOLERANCE])


@pytest.mark.parametrize("failure, retries, allowed", [("CANCEL", 0, True), ("CANCEL", 1, False), ("AUTO_RETRY", 100, True)])
def test_who_gives_up_has_no_tries_left(failure: str, retries: int, allowed: bool) -> None:
    wire = {
        "validity": (START_SECONDS, END_SECONDS),
        "currency": "CNY",
        "ext.agent_behavior.on_payment_failure": failure,
        "ext.agent_behavior.max_retry_count": retries,
    }
    if allowed:
        assert len(build_constraints(wire)) == 4
    else:
        with refused("constraint_conflict", "ext.agent_behavior.max_retry_count"):
            build_constraints(wire)


@pytest.mark.parametrize(
    "path, value, other",
    [
        ("price_deviation_action", "AUTO_CANCEL", "PAUSE_AND_NOTIFY"),
        ("on_payment_failure", "AUTO_RETRY", "CANCEL"),
        ("max_retry_count", 2, 1),
    ],
)
def test_a_link_repeats_the_behavior(path: str, value: object, other: object) -> None:
    def behavior(stated: object) -> Any:
        wire = {"validity": (START_SECONDS, END_SECONDS), "currency": "CNY", f"ext.agent_behavior.{path}": stated}
        return build_constraints(wire)[-1]

    behavior(value).narrows(behavior(value))
    with refused("link_behaviour_changed", f"ext.agent_behavior.{path}"):
        behavior(other).narrows(behavior(value))


@pytest.mark.parametrize(
    "value, where, code",
    [
        ([], "", "claim_invalid"),
        ({"sku": "a"}, "", "claim_invalid"),
        ([{"sku": "a"}] * 65, "", "claim_invalid"),
        (["a"], "0", "claim_invalid"),
        ([{}], "0.sku", "claim_missing"),
        ([{"sku": "a"}, {"sku": ""}], "1.sku", "claim_invalid"),
        ([{"sku": "a", "max_quantity": 0}], "0.max_quantity", "claim_invalid"),
        ([{"sku": "a", "max_quantity": 1_000_001}], "0.max_quantity", "claim_invalid"),
        ([{"sku": "a", "confirmed_unit_amount": 18}], "0.confirmed_unit_amount", "amount_invalid"),
        ([{"sku": "a", "price": "1.00"}], "0.price", "claim_unknown"),
    ],
)
def test_what_is_no_list_of_items(value: Any, where: str, code: str) -> None:
    with pytest.raises(Refused) as caught:
        Items.read(value, "CNY")
    assert (caught.value.code, caught.value.where) == (code, where)

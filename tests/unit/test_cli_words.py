"""Bars and words: to scale, honest at both ends, and legible without colours or Unicode."""

from __future__ import annotations

import io
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, RenderableType

import act
from act_cli import views, words
from tests.support.world import World


@pytest.fixture(autouse=True)
def _utf_8(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "utf-8"))


def rendered(*renderables: RenderableType, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None, markup=False, emoji=False, highlight=False)
    with console.capture() as capture:
        for renderable in renderables:
            console.print(renderable)
    return capture.get()


@pytest.mark.parametrize(
    "captured, held, bar",
    [
        (0, 0, "░░░░░░░░░░"),
        (1, 0, "█░░░░░░░░░"),  # something is something
        (5000, 2500, "█████▓▓▓░░"),
        (0, 1, "▓░░░░░░░░░"),
        (9999, 0, "█████████░"),  # and all but something is not all
        (9998, 1, "████████▓░"),
        (10000, 0, "██████████"),
        (9999, 1, "█████████▓"),
        (1, 9999, "█▓▓▓▓▓▓▓▓▓"),
        (0, 10000, "▓▓▓▓▓▓▓▓▓▓"),
    ],
)
def test_bar(captured: int, held: int, bar: str) -> None:
    assert words.bar(captured, held, 10000, 10).plain == bar


@given(st.data(), st.integers(1, 1 << 62), st.integers(3, 100))
def test_a_bar_is_as_wide_as_it_should_be_and_shows_whatever_there_is(data: st.DataObject, cap: int, width: int) -> None:
    captured = data.draw(st.integers(0, cap))
    held = data.draw(st.integers(0, cap - captured))
    bar = words.bar(captured, held, cap, width).plain
    assert len(bar) == width
    assert ("█" in bar, "▓" in bar, "░" in bar) == (captured > 0, held > 0, captured + held < cap)
    assert bar == "".join(sorted(bar, key="█▓░".index))


def test_without_unicode_the_signs_are_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "iso-8859-1"))
    assert words.bar(5000, 2500, 10000, 8).plain == "####++.."
    assert all(part.plain.isascii() for part in words.Legend(1, 2, 4, "JPY").parts())


def test_the_legend_says_the_numbers_exactly() -> None:
    parts = [part.plain for part in words.Legend(15400, 2700, 20000, "CNY").parts()]
    assert parts == ["█ captured CNY 154.00", "▓ held CNY 27.00", "░ left CNY 19.00", "of CNY 200.00"]


@pytest.mark.parametrize("width", [60, 70, 76, 77, 80, 100])
def test_where_the_line_is_short_the_bar_gives_way_and_every_number_is_whole(width: int) -> None:
    lines = rendered(words.usage_bar(15400, 2700, 20000, "CNY", 70), width=width).splitlines()
    assert max(map(len, lines)) <= width
    bar, *numbers = lines
    assert len(bar.rstrip()) == 2 + min(70, width - 2)
    assert len(numbers) == (1 if width >= 77 else 4)
    parts = [part.plain for part in words.Legend(15400, 2700, 20000, "CNY").parts()]
    assert re.split(r"  +", " ".join(line.strip() + "  " for line in numbers).strip()) == parts


@pytest.mark.parametrize("language, line", [("en", "at most CNY 200.00 in total"), ("zh", "总计不超过 CNY 200.00")])
def test_a_mandate_is_told_constraint_by_constraint(language: words.Language, line: str) -> None:
    mandate = World().mandate()
    lines = words.mandate_words(mandate, language)
    assert line in lines
    assert len(lines) == len(mandate.constraints)


def test_markup_in_foreign_text_is_text() -> None:
    assert "[bold]x[/bold] :tea:" in rendered(words.facts(("name", "[bold]x[/bold] :tea:")), words.dim("[red]"))


def test_facts_without_a_value_are_left_out() -> None:
    assert rendered(words.facts(("there", "1"), ("not there", None))) == "  there  1\n"


def test_identities_are_whole_in_80_columns() -> None:
    payment = World().payment()
    shown = rendered(*words.object_words(payment.to_bytes(), payment, "payment.cbor"))
    for part in (payment.request, payment.chain[0], payment.order):
        assert act.recognize(part).opened.identity.hex() in shown  # type: ignore[union-attr]  # none of them is a payment


def test_a_payment_inside_a_payment_is_refused_and_not_followed() -> None:
    world = World()
    payment = world.payment()
    for _ in range(50):
        payment = act.Payment(payment.request, (payment.to_bytes(),), payment.order)
    with pytest.raises(act.Refused) as caught:
        views.object_view(payment.to_bytes(), payment)
    assert caught.value.code == "kind_unexpected"


def test_what_is_shown_as_json_can_be_minted_and_ordered_again() -> None:
    world = World()
    mandate = world.mandate(ext={"commerce": {"max_single_amount": "30.00"}, "vendor_private": {"note": "x"}})
    assert act.Mandate.from_json(views.mandate_view(mandate)) == mandate
    order = act.recognize(world.order()).order  # type: ignore[union-attr]  # it is an order
    assert isinstance(order, act.Order)
    assert act.Order.from_json(views.order_view(order)) == order


def test_bytes_in_private_data_become_text() -> None:
    assert views.plain({"a": [b"\x01\xff", {b"\x00": True}]}) == {"a": ["01ff", {"00": True}]}

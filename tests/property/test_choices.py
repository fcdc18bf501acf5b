"""The choices that generators are made of: within their bounds, and up to them, whoever makes them."""

from __future__ import annotations

from functools import partial
from operator import eq

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from tests.support.choices import WAYS, Choices, Way

MOST = 2**63 - 1
bounds = st.tuples(st.integers(-(2**63), MOST), st.integers(0, 2**70) | st.integers(0, 5)).map(
    lambda pair: (pair[0], sum(pair))
)


def _all(choices: Choices, least: int, most: int, size: int) -> None:
    assert least <= choices.whole(least, most) <= most
    assert 0 <= choices.index(size) < size
    assert choices.name().isprintable()
    assert 1 <= len(choices.name()) <= 40
    assert len(choices.text(size)) <= size
    choices.text(500).encode()  # or it has half of a surrogate pair
    assert len(choices.raw(size)) == size
    few, every = choices.some(range(size), 3), choices.shuffled(range(size))
    assert 1 <= len(few) == len(set(few)) <= min(3, size)
    assert sorted(every) == list(range(size))
    assert 2 <= len(choices.several(choices.coin, 2, 4)) <= 4


@pytest.mark.parametrize("way", WAYS)
@given(bounds=bounds, size=st.integers(1, 9), data=st.data())
def test_every_choice_is_within_its_bounds(way: Way, bounds: tuple[int, int], size: int, data: st.DataObject) -> None:
    data.draw(way(_all, *bounds, size))


def _whole(choices: Choices, most: int) -> int:
    return choices.whole(0, most)


def _name(choices: Choices) -> str:
    return choices.name()


@pytest.mark.parametrize("way", WAYS)
def test_the_search_meets_the_ends_of_a_range_and_what_lies_between(way: Way) -> None:
    generate = settings(max_examples=5_000, phases=[Phase.generate])
    for most in (1, 40, 2_000, MOST):
        for wanted in (0, 1, most):
            assert find(way(_whole, most), partial(eq, wanted), settings=generate) == wanted
    assert find(way(_whole, MOST), lambda number: number > MOST // 2, settings=generate)
    assert find(way(_whole, MOST), lambda number: 2**30 < number < 2**40, settings=generate)


@pytest.mark.parametrize("way", WAYS)
def test_the_search_meets_names_of_every_kind(way: Way) -> None:
    generate = settings(max_examples=5_000, phases=[Phase.generate])
    for is_wanted in (
        str.isascii,
        lambda name: len(name) == 40,
        lambda name: len(name) == 1,
        lambda name: max(name) > "\uffff",
    ):
        find(way(_name), is_wanted, settings=generate)

"""The checker of histories agrees with trying every order, and shows the shortest history that fails."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.linearize import Event, Undecided, find_violation, is_linearizable

Write = tuple[str, int]
"""("write", value) or ("read", 0), asked of one number that is 0 at first; a write answers with None."""


def step(state: int, call: Write) -> tuple[int, Any]:
    return (call[1], "done") if call[0] == "write" else (state, state)


def event(kind: str, value: int, start: int, end: int | None, client: int = 0) -> Event[Write]:
    """A write of the value, or a read that answered with it."""
    answer = None if end is None else ("done" if kind == "write" else value)
    return Event(client, (kind, value if kind == "write" else 0), answer, start, end)


def is_linearizable_by_trial(events: Sequence[Event[Write]]) -> bool:
    """Every order of every choice of the calls whose answer was not heard."""
    heard = [each for each in events if each.end is not None]
    unheard = [each for each in events if each.end is None]
    for choice in range(2 ** len(unheard)):
        chosen = heard + [each for number, each in enumerate(unheard) if choice >> number & 1]
        if any(_fits(order) for order in permutations(chosen)):
            return True
    return False


def _fits(order: Sequence[Event[Write]]) -> bool:
    state = 0
    for place, each in enumerate(order):
        if any(later.end is not None and later.end < each.start for later in order[place:]):
            return False
        state, answer = step(state, each.call)
        if each.end is not None and answer != each.answer:
            return False
    return True


events = st.builds(
    lambda kind, value, start, length: event(kind, value, start, None if length is None else start + length),
    st.sampled_from(["write", "read"]),
    st.integers(0, 2),
    st.integers(0, 8),
    st.none() | st.integers(0, 5),
)


@given(st.lists(events, max_size=5))
def test_it_agrees_with_trying_every_order(history: list[Event[Write]]) -> None:
    expected = is_linearizable_by_trial(history)
    assert is_linearizable(history, step, 0, time.monotonic() + 60) == expected
    found = find_violation(history, step, 0, 60)
    assert (found is None) == expected
    if found is not None:  # and one answer less would fit
        last = max(each.end for each in found.events if each.end is not None)
        less = [each.unheard() if each.end == last else each for each in found.events]
        assert is_linearizable_by_trial(less)
        assert not is_linearizable_by_trial(found.events)


@pytest.mark.parametrize(
    "history",
    [
        [event("write", 1, 0, 9), event("read", 1, 1, 2), event("read", 1, 3, 4)],
        [event("write", 1, 0, 9), event("read", 0, 1, 2), event("read", 1, 3, 4)],
        [event("write", 1, 0, None), event("read", 0, 1, 2), event("read", 1, 3, 4)],  # it took effect late
        [event("write", 1, 0, None), event("read", 0, 1, 2)],  # or never
        [event("write", 1, 0, 1), event("read", 0, 1, 2)],  # they touch
    ],
)
def test_what_fits(history: list[Event[Write]]) -> None:
    assert find_violation(history, step, 0, 60) is None


@pytest.mark.parametrize(
    "history",
    [
        [event("write", 1, 0, 9), event("read", 1, 1, 2), event("read", 0, 3, 4)],  # back in time
        [event("write", 1, 0, 1), event("read", 0, 2, 3)],  # stale
        [event("write", 1, 2, None), event("read", 1, 0, 1)],  # before it was asked
        [event("read", 2, 0, 1)],  # from nowhere
    ],
)
def test_what_does_not_fit(history: list[Event[Write]]) -> None:
    assert find_violation(history, step, 0, 60) is not None


def test_the_violation_is_the_shortest_beginning() -> None:
    good = [event("write", 1, 0, 1), event("read", 1, 2, 3), event("write", 2, 4, 9, client=1)]
    bad = event("read", 0, 5, 6, client=2)
    found = find_violation([*good, bad, event("write", 3, 7, 8), event("read", 0, 10, 11)], step, 0, 60)
    assert found is not None
    assert found.events == (*good[:2], good[2].unheard(), bad)
    assert str(found).splitlines() == [
        "not linearizable: no order fits these 4 calls (start - end, client, call, answer)",
        "   0  [0 - 1]  client 0  ('write', 1)",
        "               -> done",
        "   1  [2 - 3]  client 0  ('read', 0)",
        "               -> 1",
        "   2  [4 - ?]  client 1  ('write', 2)",
        "               -> no answer heard",
        "   3  [5 - 6]  client 2  ('read', 0)",
        "               -> 0",
        "the longest order that fits: 0 1 2",
        "  then 3 would be told 2",
    ]


def test_a_search_ends_when_its_time_is_up() -> None:
    history = [event("write", number, 0, None) for number in range(18)]
    history.append(event("read", 99, 1, 2))
    with pytest.raises(Undecided):
        find_violation(history, step, 0, 0)

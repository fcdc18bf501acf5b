"""Checks histories: is there one order of the calls, each taking effect at one moment between its start and its end, in which a
sequential model gives the answers that were heard?

The search is Wing and Gong's, with Lowe's memory of (calls already placed, state), and it ends at an instant that the caller
sets. A call without an end is one whose outcome nobody heard: it may have taken effect at any moment after its start, or never.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final, Generic, NamedTuple, TypeVar

__all__ = ["Event", "Undecided", "Violation", "find_violation", "is_linearizable"]

S = TypeVar("S", bound=Hashable)
C = TypeVar("C")
Step = Callable[[S, C], tuple[S, Any]]

CHECK_EVERY: Final = 256
"""Steps of a search between two looks at the clock."""


class Event(NamedTuple, Generic[C]):
    """One call of one client, on a clock that all clients share. `end` is None where no answer was heard."""

    client: int
    call: C
    answer: Any
    start: int
    end: int | None

    def unheard(self) -> Event[C]:
        """The call while its answer is not there yet."""
        return self._replace(answer=None, end=None)


class Undecided(Exception):
    """The time was up before the search was."""


@dataclass(frozen=True, slots=True)
class _Search(Generic[S]):
    """How far a search got: the longest order that fits, and the state it leads to."""

    fits: bool
    order: tuple[int, ...]
    state: S


@dataclass(frozen=True, slots=True)
class Violation(Generic[S, C]):
    """The shortest beginning of a history that fits no order, and the longest order that fits a part of it."""

    events: tuple[Event[C], ...]
    order: tuple[int, ...]
    state: S
    step: Step[S, C]

    def __str__(self) -> str:
        moments = sorted({each.start for each in self.events} | {each.end for each in self.events if each.end is not None})
        rank = {moment: number for number, moment in enumerate(moments)}
        width = len(str(len(moments)))
        lines = [f"not linearizable: no order fits these {len(self.events)} calls (start - end, client, call, answer)"]
        for number, each in enumerate(self.events):
            end = "?" * width if each.end is None else f"{rank[each.end]:{width}}"
            heard = "no answer heard" if each.end is None else each.answer
            lines.append(f"{number:4}  [{rank[each.start]:{width}} - {end}]  client {each.client}  {_shown(each.call)}")
            lines.append(f"      {'':{2 * width + 5}}  -> {heard}")
        lines.append(f"the longest order that fits: {' '.join(map(str, self.order)) or 'none'}")
        for number, each in enumerate(self.events):
            if each.end is not None and number not in self.order:
                lines.append(f"  then {number} would be told {self.step(self.state, each.call)[1]}")
        return "\n".join(lines)


def is_linearizable(events: Sequence[Event[C]], step: Step[S, C], initial: S, until: float) -> bool:
    """Whether some order fits. Raises `Undecided` when `time.monotonic()` passes `until` first."""
    return _search(events, step, initial, until).fits


def find_violation(events: Sequence[Event[C]], step: Step[S, C], initial: S, seconds: float) -> Violation[S, C] | None:
    """None if some order fits; otherwise the shortest beginning of the history that none does. Raises `Undecided`."""
    until = time.monotonic() + seconds
    if is_linearizable(events, step, initial, until):
        return None
    ends = sorted(each.end for each in events if each.end is not None)
    fits, fails = 0, len(ends)  # what begins a history that fits, fits: so the first answer too many can be halved for
    while fails - fits > 1:
        middle = (fits + fails) // 2
        if is_linearizable(_beginning(events, ends[middle - 1]), step, initial, until):
            fits = middle
        else:
            fails = middle
    shortest = _beginning(events, ends[fails - 1])
    found = _search(shortest, step, initial, until)
    return Violation(tuple(shortest), found.order, found.state, step)


def _beginning(events: Sequence[Event[C]], last: int) -> list[Event[C]]:
    """What was called and heard by an instant."""
    begun = sorted((each for each in events if each.start <= last), key=attrgetter("start"))
    return [each if each.end is not None and each.end <= last else each.unheard() for each in begun]


class _Timeline:
    """The starts and ends of calls in the order of time, as a list from which a call can be taken and put back."""

    def __init__(self, events: Sequence[Event[Any]]) -> None:
        # A start goes before an end of the same instant: calls that touch are taken to overlap.
        moments = [(each.start, False, number) for number, each in enumerate(events)]
        moments += [(each.end, True, number) for number, each in enumerate(events) if each.end is not None]
        moments.sort()
        self.calls: Final = [-1, *(-1 if is_end else number for _, is_end, number in moments), -1]  # -1: no start
        self._at: Final[list[list[int]]] = [[] for _ in events]
        for place, (_, _, number) in enumerate(moments, 1):
            self._at[number].append(place)
        self.next: Final = [*range(1, len(moments) + 2), 0]
        self._previous: Final = [0, *range(len(moments) + 1)]

    def take(self, number: int) -> None:
        """Takes a call out."""
        for place in self._at[number]:
            before, after = self._previous[place], self.next[place]
            self.next[before], self._previous[after] = after, before

    def put_back(self, number: int) -> None:
        """Puts back the call that was taken last."""
        for place in reversed(self._at[number]):
            self.next[self._previous[place]] = self._previous[self.next[place]] = place


def _search(events: Sequence[Event[C]], step: Step[S, C], initial: S, until: float) -> _Search[S]:
    timeline = _Timeline(events)
    awaited = sum(each.end is not None for each in events)
    state, placed, steps = initial, 0, 0
    stack: list[tuple[int, int, S]] = []
    seen: set[tuple[int, S]] = set()
    best: tuple[tuple[int, ...], S] = ((), initial)
    place = timeline.next[0]
    while awaited:
        number = timeline.calls[place]
        if number >= 0:
            steps += 1
            if steps % CHECK_EVERY == 0 and time.monotonic() > until:
                raise Undecided(f"{steps} steps, {len(seen)} states")
            event = events[number]
            after, answer = step(state, event.call)
            # One whose answer nobody heard and that changes nothing need not be placed.
            fits = after != state if event.end is None else answer == event.answer
            if fits and (placed | 1 << number, after) not in seen:
                seen.add((placed | 1 << number, after))
                stack.append((place, number, state))
                state, placed, awaited = after, placed | 1 << number, awaited - (event.end is not None)
                timeline.take(number)
                if len(stack) > len(best[0]):
                    best = tuple([each[1] for each in stack]), state
                place = timeline.next[0]
            else:
                place = timeline.next[place]
            continue
        # An answer was heard before its call was placed: the last choice was wrong. Where that call changed nothing it was no
        # choice: placed later it would have changed nothing either, and every order in which it comes later is as good now.
        is_choice = False
        while stack and not is_choice:
            after = state
            place, number, state = stack.pop()
            is_choice = after != state
            placed, awaited = placed & ~(1 << number), awaited + (events[number].end is not None)
            timeline.put_back(number)
        if not is_choice:
            return _Search(False, *best)
        place = timeline.next[place]
    return _Search(True, tuple([each[1] for each in stack]), state)


def _shown(call: Any) -> str:
    if not hasattr(call, "_asdict"):
        return str(call)
    return f"{type(call).__name__}({', '.join(f'{name}={_short(value)}' for name, value in call._asdict().items())})"


def _short(value: object) -> str:
    """A value without what says little to a reader: the bytes of identities, and everything but the head of a tuple's parts."""
    if isinstance(value, bytes):
        return value.hex()[:6]
    if isinstance(value, tuple):
        return f"({' '.join('/'.join(map(_short, each[:2])) if isinstance(each, tuple) else _short(each) for each in value)})"
    return str(value)

"""Works measured side by side, in turns, so that a noisy machine is equally noisy to all of them."""

from __future__ import annotations

import contextlib
import gc
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from time import perf_counter_ns
from typing import TypeVar

__all__ = ["Effort", "Timings", "each", "interleaved", "undisturbed"]

Work = Callable[[], object]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure: `rounds` of `turns`, each turn a small batch of `calls` of every work."""

    rounds: int
    turns: int
    calls: int

    @property
    def calls_in_all(self) -> int:
        """How often every work is called while it is measured."""
        return self.rounds * self.turns * self.calls


@dataclass(frozen=True, slots=True)
class Timings:
    """Nanoseconds per call, one figure for each round and work."""

    per_round: Mapping[str, tuple[float, ...]]

    def median_us(self, name: str) -> float:
        """The median round of a work, in microseconds per call."""
        return median(self.per_round[name]) / 1_000

    def ratio(self, name: str, yardstick: str, times: int = 1) -> float:
        """The median of the rounds' ratios to `times` calls of the yardstick, each taken within one round."""
        pairs = zip(self.per_round[name], self.per_round[yardstick], strict=True)
        return median(work / (times * raw) for work, raw in pairs)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Without the cyclic garbage collector, which would charge one work for another's garbage."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def interleaved(works: Mapping[str, Work], effort: Effort) -> Timings:
    """Calls the works in turns and returns what each took, by round."""
    per_round: dict[str, list[float]] = {name: [] for name in works}
    with undisturbed():
        for _ in range(effort.rounds):
            spent = dict.fromkeys(works, 0)
            for _ in range(effort.turns):
                for name, work in works.items():
                    spent[name] += _batch(work, effort.calls)
            for name, total in spent.items():
                per_round[name].append(total / (effort.turns * effort.calls))
    return Timings({name: tuple(times) for name, times in per_round.items()})


def _batch(work: Work, calls: int) -> int:
    repeat = itertools.repeat(None, calls)
    start = perf_counter_ns()
    for _ in repeat:
        work()
    return perf_counter_ns() - start


def each(work: Callable[[T], object], inputs: Iterable[T]) -> Work:
    """The work done on the next of the inputs at every call."""
    take = iter(inputs).__next__
    return lambda: work(take())

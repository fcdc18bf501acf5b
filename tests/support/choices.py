"""Where generators take their choices from: a generator is a plain function whose first argument is a `Choices`.

    def pair(choices: Choices, most: int) -> tuple[int, int]: ...

    @given(built(pair, 100))

By default Hypothesis makes every choice (`searched`), so that it can shrink each of them. Under the slow profile it draws one
seed for all of them (`seeded`): it then reports a failing value as large as it found it, but makes ten to twenty times as many
in the same time. What a generator can reach is the same, because it is the same function.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from random import Random
from typing import Any, Concatenate, Final, ParamSpec, TypeVar
from unicodedata import category

from hypothesis import settings
from hypothesis import strategies as st

__all__ = ["WAYS", "Choices", "Way", "built", "names", "promised", "searched", "seeded"]

P = ParamSpec("P")
T = TypeVar("T")

_CATEGORIES: Final = ("L", "N", "P", "S")
_FILLERS: Final = "\u115f\u1160\u3164\uffa0"  # letters of Hangul that nobody sees, and that no name may have
_LONGEST_NAME: Final = 40
_seen: Final = st.characters(categories=_CATEGORIES, exclude_characters=_FILLERS)
names: Final = st.text(_seen, min_size=1, max_size=_LONGEST_NAME).filter(str.isprintable)
"""Identifiers and labels."""


class Choices(ABC):
    """What a generator asks for. The first of several answers is the one that shrinking tends to."""

    __slots__ = ()

    @abstractmethod
    def whole(self, least: int, most: int) -> int:
        """An integer from `least` to `most`; in a wide range small ones come more often than others."""

    @abstractmethod
    def index(self, count: int) -> int:
        """An integer from 0 to below `count`, each as often as another."""

    @abstractmethod
    def name(self) -> str:
        """An identifier or a label."""

    @abstractmethod
    def text(self, most: int) -> str:
        """Any text of at most that many characters."""

    @abstractmethod
    def raw(self, size: int) -> bytes:
        """That many bytes."""

    def coin(self) -> bool:
        """Yes or no."""
        return self.index(2) == 1

    def rarely(self, times: int) -> bool:
        """Yes once in so many times."""
        return self.index(times) == times - 1

    def pick(self, values: Sequence[T]) -> T:
        """One of the values."""
        return values[self.index(len(values))]

    def shuffled(self, values: Sequence[T]) -> list[T]:
        """All of the values in any order."""
        return self._first(values, len(values))

    def some(self, values: Sequence[T], most: int | None = None, *, least: int = 1) -> list[T]:
        """Some of the values in any order, none of them twice."""
        return self._first(values, self.whole(least, len(values) if most is None else min(most, len(values))))

    def several(self, make: Callable[[], T], least: int, most: int) -> list[T]:
        """As many as `least` to `most` of what is made."""
        return [make() for _ in range(self.whole(least, most))]

    def _first(self, values: Sequence[T], count: int) -> list[T]:
        left = list(values)
        return [left.pop(self.index(len(left))) for _ in range(count)]


# --- by Hypothesis, one by one ------------------------------------------------------------------------------------------------

_integers: Final = lru_cache(maxsize=4_096)(st.integers)  # to make a strategy takes longer than to draw from it
_texts: Final = cache(lambda most: st.text(max_size=most))
_raws: Final = cache(lambda size: st.binary(min_size=size, max_size=size))


class _Searched(Choices):
    """Every choice is one of Hypothesis's."""

    __slots__ = ("_draw",)

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def whole(self, least: int, most: int) -> int:
        return self._draw(_integers(least, most)) if least < most else least

    def index(self, count: int) -> int:
        return self._draw(_integers(0, count - 1)) if count > 1 else 0

    def name(self) -> str:
        return self._draw(names)

    def text(self, most: int) -> str:
        text: str = self._draw(_texts(most))
        return text

    def raw(self, size: int) -> bytes:
        data: bytes = self._draw(_raws(size))
        return data


# --- from one seed ------------------------------------------------------------------------------------------------------------

_seeds: Final = st.binary(min_size=8, max_size=8)  # not integers: of those Hypothesis draws small ones again and again
_WIDE: Final = 1 << 10
_ASCII: Final = "".join(map(chr, range(0x21, 0x7F)))


@cache
def _letters() -> str:
    """Every character that a name may have."""
    every = map(chr, range(sys.maxunicode + 1))
    return "".join(each for each in every if category(each)[0] in _CATEGORIES and each not in _FILLERS)


class _Seeded(Choices):
    """Every choice follows from one number."""

    __slots__ = ("_bits", "_random")

    def __init__(self, seed: bytes) -> None:
        self._random = Random(int.from_bytes(seed))
        self._bits = self._random.getrandbits

    def _below(self, count: int) -> int:
        """As `randrange`, which spends most of its time on its arguments."""
        size = count.bit_length()
        number = self._bits(size)
        while number >= count:
            number = self._bits(size)
        return number

    def whole(self, least: int, most: int) -> int:
        span = most - least
        if span < _WIDE:
            return least + self._below(span + 1)
        way = self._below(16)
        if way == 0:
            return least + self._below(4)
        if way == 1:
            return most - self._below(4)
        if way < 6:
            return least + self._below(span + 1)
        return least + min(self._bits(1 + self._below(span.bit_length())), span)

    def index(self, count: int) -> int:
        return self._below(count)

    def name(self) -> str:
        return self._text(self._length(1, _LONGEST_NAME), _letters())

    def text(self, most: int) -> str:
        plain = self._text(self._length(0, most), "")
        return "".join(each for each in plain if not "\ud800" <= each <= "\udfff")

    def raw(self, size: int) -> bytes:
        return self._random.randbytes(size)

    def _length(self, least: int, most: int) -> int:
        return self.whole(least, min(most, least + 7) if self._below(4) else most)

    def _text(self, size: int, of: str) -> str:
        """Of ASCII alone, or of all of these characters; of any at all if none are given."""
        if self._below(2):
            return "".join([_ASCII[self._below(len(_ASCII))] for _ in range(size)])
        if of:
            return "".join([of[self._below(len(of))] for _ in range(size)])
        return "".join([chr(self.whole(0, sys.maxunicode)) for _ in range(size)])


# --- strategies ---------------------------------------------------------------------------------------------------------------


def searched(make: Callable[Concatenate[Choices, P], T], *args: P.args, **kwargs: P.kwargs) -> st.SearchStrategy[T]:
    """What a generator makes of choices that Hypothesis makes one by one."""

    @st.composite
    def drawn(draw: st.DrawFn) -> T:
        return make(_Searched(draw), *args, **kwargs)

    return drawn()


def seeded(make: Callable[Concatenate[Choices, P], T], *args: P.args, **kwargs: P.kwargs) -> st.SearchStrategy[T]:
    """What a generator makes of one seed."""

    @st.composite
    def drawn(draw: st.DrawFn) -> T:
        return make(_Seeded(draw(_seeds)), *args, **kwargs)

    return drawn()


Way = Callable[..., st.SearchStrategy[Any]]
WAYS: Final[tuple[Way, ...]] = (searched, seeded)
"""For tests of what the search meets: it has to meet it in both ways."""

_IS_SLOW: Final = settings.get_current_profile_name() == "slow"


def built(make: Callable[Concatenate[Choices, P], T], *args: P.args, **kwargs: P.kwargs) -> st.SearchStrategy[T]:
    """What a generator makes, in the way of the profile that is in force."""
    return (seeded if _IS_SLOW else searched)(make, *args, **kwargs)


promised: Final = settings(max_examples=100_000) if _IS_SLOW else settings()
"""How long the search for counterexamples to the properties is that the project stands on: what narrows permits nothing more,
a chain permits what its parts permit, what is sealed opens to what it was, and both envelopes mean the same."""

"""What constraints share that permit every payment, and those among them that a link can only repeat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from act.delegation.constraints.base import BEHAVIOUR_RULE, Language
from act.delegation.limits import Limit
from act.delegation.purchase import Purchase
from act.errors import Refused

__all__ = ["Choice", "PermitsAll", "Repeated"]


class PermitsAll:
    """It binds whoever pays or counts, or something else than the payment is judged by it."""

    __slots__ = ()

    def permits(self, purchase: Purchase) -> None:
        """Every purchase."""

    def limits(self, at: int) -> tuple[Limit, ...]:
        """Nothing to count."""
        return ()


class Repeated(PermitsAll):
    """How somebody behaves (ACT-CHN-09): nothing is narrower or wider than anything else, so a link repeats its parent's."""

    __slots__ = ()
    path: ClassVar[str]
    rule: ClassVar[str] = BEHAVIOUR_RULE

    def encode(self) -> Any:
        """The wire value."""
        raise NotImplementedError

    def narrows(self, parent: Self) -> None:
        """The same; raises `Refused` link_behaviour_changed (ACT-CHN-09)."""
        if self != parent:
            raise Refused("link_behaviour_changed", self.path, link=_fact(self.encode()), parent=_fact(parent.encode()))


def _fact(value: object) -> int | str:
    """A wire value as a fact: as JSON writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, int) else str(value)


@dataclass(frozen=True, slots=True)
class Choice(Repeated):
    """One of a few words, each with what it means in English and in Chinese."""

    described: ClassVar[Mapping[str, tuple[str, str]]]
    choice: str

    @classmethod
    def read(cls, value: Any, currency: str) -> Self:
        """From one of the words."""
        if type(value) is not str or value not in cls.described:
            raise Refused("claim_invalid", expected=" or ".join(cls.described))
        return cls(value)

    def encode(self) -> Any:
        """The word."""
        return self.choice

    def describe(self, language: Language = "en") -> str:
        """What it means."""
        return self.described[self.choice][language == "zh"]

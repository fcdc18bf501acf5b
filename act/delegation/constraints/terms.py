"""Constraints every mandate has: its window, its mode, its currency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

from act.calendar import FUTURE_TOLERANCE_SECONDS, iso
from act.delegation.constraints.base import Enforcer, Language, widened
from act.delegation.limits import Limit
from act.delegation.purchase import Purchase
from act.errors import Refused
from act.money import exponent
from act.values import immutable

__all__ = ["BOUNDED", "SPECIFIED", "Currency", "DelegationMode", "Validity"]

SPECIFIED: Final = "SPECIFIED"
BOUNDED: Final = "BOUNDED"

_SCENARIOS: Final = {SPECIFIED: "DEL", BOUNDED: "AUP"}
"""PSD-PAY-DEL runs on a SPECIFIED mandate, PSD-PAY-AUP on a BOUNDED one."""


@immutable
class Validity:
    """`validity_start_time` <= instant < `validity_end_time`; only the start has a tolerance for clocks that differ."""

    path: ClassVar[str] = "validity"
    rule: ClassVar[str] = "ACT-PAY-13"
    enforced_by: ClassVar[Enforcer] = Enforcer.VERIFIER
    start: int
    end: int

    @classmethod
    def read(cls, value: Any, currency: str) -> Self:
        """From (start, end) in seconds, both read before; raises `Refused` credential_lifetime_invalid (ACT-IAC-01)."""
        start, end = value
        if not start < end:
            raise Refused("credential_lifetime_invalid")
        return cls(start, end)

    def encode(self) -> Any:
        """(start, end): the envelope writes them as nbf and exp."""
        return self.start, self.end

    def permits(self, purchase: Purchase) -> None:
        """Rules ACT-PAY-13 and ACT-PAY-14."""
        self.require_in_force(purchase.at)

    def require_in_force(self, at: int) -> None:
        """Returns if the window is open at instant `at`; raises `Refused` credential_expired or credential_not_yet_valid."""
        if at >= self.end:
            raise Refused("credential_expired", "mandate.validity_end_time", ended_at=self.end)
        if at + FUTURE_TOLERANCE_SECONDS < self.start:
            raise Refused("credential_not_yet_valid", "mandate.validity_start_time", starts_at=self.start)

    def limits(self, at: int) -> tuple[Limit, ...]:
        """Nothing to count."""
        return ()

    def narrows(self, parent: Self) -> None:
        """A window inside the parent's; raises `Refused` link_outlives_parent (ACT-CHN-06)."""
        if self.end > parent.end or self.start < parent.start:
            raise Refused("link_outlives_parent", self.path, starts_at=self.start, ends_at=self.end, parent_ends_at=parent.end)

    def describe(self, language: Language = "en") -> str:
        """When it may be used."""
        if language == "zh":
            return f"有效期:{iso(self.start)} 起,{iso(self.end)} 前"
        return f"from {iso(self.start)} until just before {iso(self.end)}"


@dataclass(frozen=True, slots=True)
class DelegationMode:
    """`delegation_mode`: SPECIFIED payments are executed (DEL), BOUNDED ones are the agent's own decisions (AUP)."""

    path: ClassVar[str] = "delegation_mode"
    rule: ClassVar[str] = "ACT-CON-01"
    enforced_by: ClassVar[Enforcer] = Enforcer.VERIFIER
    mode: str

    @classmethod
    def read(cls, value: Any, currency: str) -> Self:
        """From ACT's words."""
        if value not in (SPECIFIED, BOUNDED):
            raise Refused("claim_invalid", expected="SPECIFIED or BOUNDED")
        return cls(value)

    def encode(self) -> Any:
        """ACT's word."""
        return self.mode

    @property
    def scenario(self) -> str:
        """ACT's payment component for this mode: DEL or AUP."""
        return _SCENARIOS[self.mode]

    def permits(self, purchase: Purchase) -> None:
        """Rule ACT-CON-01."""
        if purchase.scenario != _SCENARIOS[self.mode]:
            raise Refused("mode_mismatch", "mandate.delegation_mode", mode=self.mode, scenario=purchase.scenario)

    def limits(self, at: int) -> tuple[Limit, ...]:
        """Nothing to count."""
        return ()

    def narrows(self, parent: Self) -> None:
        """The same mode: one payment has one scenario, and every credential judges it."""
        if self.mode != parent.mode:
            raise widened(self, link=self.mode, parent=parent.mode)

    def describe(self, language: Language = "en") -> str:
        """Who decides."""
        if self.mode == BOUNDED:
            return "代理人可在以下范围内自行决定" if language == "zh" else "the agent decides by itself, within these bounds"
        return "代理人执行委托人指定的事项" if language == "zh" else "the agent carries out what the principal specified"


@dataclass(frozen=True, slots=True)
class Currency:
    """`currency`: every amount of the mandate, and every payment under it, is in this one. Nothing is ever converted."""

    path: ClassVar[str] = "currency"
    rule: ClassVar[str] = "ACT-CON-02"
    enforced_by: ClassVar[Enforcer] = Enforcer.VERIFIER
    code: str

    @classmethod
    def read(cls, value: Any, currency: str) -> Self:
        """From an ISO 4217 code with a minor unit; raises `Refused` currency_unknown."""
        if type(value) is not str:
            raise Refused("claim_invalid", expected="an ISO 4217 code")
        exponent(value)
        return cls(value)

    def encode(self) -> Any:
        """The code."""
        return self.code

    def permits(self, purchase: Purchase) -> None:
        """Rule ACT-CON-02."""
        if purchase.amount.currency != self.code:
            raise Refused("currency_mismatch", "mandate.currency", mandate=self.code, payment=purchase.amount.currency)

    def limits(self, at: int) -> tuple[Limit, ...]:
        """Nothing to count."""
        return ()

    def narrows(self, parent: Self) -> None:
        """The same currency."""
        if self.code != parent.code:
            raise widened(self, link=self.code, parent=parent.code)

    def describe(self, language: Language = "en") -> str:
        """The currency."""
        return f"仅限 {self.code}" if language == "zh" else f"in {self.code} only"

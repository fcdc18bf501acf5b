"""`ext.fulfillment`: when and where the order is delivered. The order has to promise it; whether it is kept shows later."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, ClassVar, Final, Self

from act.calendar import iso, parse_iso
from act.delegation.constraints.base import Enforcer, Language, widened
from act.delegation.limits import Limit
from act.delegation.purchase import Purchase
from act.envelope.claims import read_digest
from act.errors import InvalidCall, Refused
from act.values import immutable

__all__ = ["MIN_SALT_BYTES", "DeliveryAddress", "DeliveryTimeRequirement", "address_digest"]

MIN_SALT_BYTES: Final = 16
"""Addresses are few enough to be tried one by one; what cannot be tried is the salt."""

_DURATION: Final = re.compile(r"P(?:T([1-9][0-9]{0,8})([SMH])|([1-9][0-9]{0,8})D)")
_UNIT_SECONDS: Final = {"S": 1, "M": 60, "H": 3_600, "D": 86_400}
_UNIT_WORDS: Final = {"S": ("seconds", "秒"), "M": ("minutes", "分钟"), "H": ("hours", "小时"), "D": ("days", "天")}


@dataclass(frozen=True, slots=True)
class DeliveryTimeRequirement:
    """`ext.fulfillment.delivery_time_requirement`: delivered at or before an instant, or within a time from the order on.

    `text` is as signed. `until` is the instant, in seconds since 1970, UTC; `within_seconds` the time from the order's
    confirmation; one of the two is None.
    """

    path: ClassVar[str] = "ext.fulfillment.delivery_time_requirement"
    rule: ClassVar[str] = "ACT-CON-23"
    enforced_by: ClassVar[Enforcer] = Enforcer.VERIFIER
    text: str
    until: int | None
    within_seconds: int | None

    @classmethod
    def read(cls, value: Any, currency: str) -> Self:
        """From `YYYY-MM-DDThh:mm:ssZ`, or from `PT<n>S`, `PT<n>M`, `PT<n>H` or `P<n>D` (ISO 8601)."""
        if type(value) is not str:
            raise Refused("claim_invalid", expected="an instant or a duration as text")
        match = _DURATION.fullmatch(value)
        if match is None:
            return cls(value, parse_iso(value), None)
        number, unit = _parts(match)
        return cls(value, None, number * _UNIT_SECONDS[unit])

    def encode(self) -> Any:
        """The text."""
        return self.text

    def permits(self, purchase: Purchase) -> None:
        """Rule ACT-CON-23. An order that promises no time is refused: nothing says that it comes in time."""
        latest = self.until if self.until is not None else purchase.ordered_at + (self.within_seconds or 0)
        if purchase.deliver_by is None:
            raise Refused("delivery_time_missed", self.path, latest=latest, deliver_by="not promised")
        if purchase.deliver_by > latest:
            raise Refused("delivery_time_missed", self.path, latest=latest, deliver_by=purchase.deliver_by)

    def limits(self, at: int) -> tuple[Limit, ...]:
        """Nothing to count."""
        return ()

    def narrows(self, parent: Self) -> None:
        """The same kind of requirement, and not later: an instant and a duration cannot be compared before the order."""
        is_earlier = (
            self.until <= parent.until
            if self.until is not None and parent.until is not None
            else self.within_seconds is not None
            and parent.within_seconds is not None
            and self.within_seconds <= parent.within_seconds
        )
        if not is_earlier:
            raise widened(self, link=self.text, parent=parent.text)

    def describe(self, language: Language = "en") -> str:
        """Until when."""
        match = _DURATION.fullmatch(self.text)
        if match is None:
            latest = iso(self.until or 0)
            return f"须在 {latest} 或之前送达" if language == "zh" else f"delivered at or before {latest}"
        number, unit = _parts(match)
        english, chinese = _UNIT_WORDS[unit]
        return f"下单后 {number} {chinese}内送达" if language == "zh" else f"delivered within {number} {english} of the order"


def _parts(match: re.Match[str]) -> tuple[int, str]:
    return (int(match[1]), match[2]) if match[1] else (int(match[3]), "D")


@immutable
class DeliveryAddress:
    """`ext.fulfillment.delivery_address`: the one address, as `address_digest` makes it. A mandate never holds it in clear."""

    path: ClassVar[str] = "ext.fulfillment.delivery_address"
    rule: ClassVar[str] = "ACT-CON-24"
    enforced_by: ClassVar[Enforcer] = Enforcer.VERIFIER
    digest: bytes

    @classmethod
    def read(cls, value: Any, currency: str) -> Self:
        """From 32 bytes."""
        return cls(read_digest(value))

    def encode(self) -> Any:
        """The 32 bytes."""
        return self.digest

    def permits(self, purchase: Purchase) -> None:
        """Rule ACT-CON-24. An order that promises no address is refused: nothing says where it goes."""
        if purchase.delivery_address != self.digest:
            promised = purchase.delivery_address.hex() if purchase.delivery_address is not None else "not promised"
            raise Refused("delivery_address_mismatch", self.path, delivery_address=promised)

    def limits(self, at: int) -> tuple[Limit, ...]:
        """Nothing to count."""
        return ()

    def narrows(self, parent: Self) -> None:
        """The same address."""
        if self.digest != parent.digest:
            raise widened(self, link=self.digest.hex(), parent=parent.digest.hex())

    def describe(self, language: Language = "en") -> str:
        """By its first digits: who has the address and the salt can tell."""
        mark = self.digest.hex()[:16]
        return (
            f"仅送至指定地址(摘要 {mark}…)" if language == "zh" else f"delivered only to the chosen address (digest {mark}...)"
        )


def address_digest(address: str, salt: bytes) -> bytes:
    """SHA-256 over the salt and then the address in UTF-8: 32 bytes that only those who have both can recognize.

    Principal and payee use the same salt, at least `MIN_SALT_BYTES` random bytes. Raises `InvalidCall` for an empty address or
    a shorter salt.
    """
    if type(address) is not str or not address:
        raise InvalidCall("call_invalid", "address", expected="a text that is not empty")
    if type(salt) is not bytes or len(salt) < MIN_SALT_BYTES:
        raise InvalidCall("call_invalid", "salt", expected=f"at least {MIN_SALT_BYTES} bytes")
    try:
        return sha256(salt + address.encode()).digest()
    except UnicodeEncodeError:
        raise InvalidCall("call_invalid", "address", expected="text without lone surrogates") from None

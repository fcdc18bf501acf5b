"""UTC instants. Inside, an instant is an integer: whole seconds since 1970-01-01T00:00:00Z, as CWT and JWT write it.

Callers pass aware datetimes. Dropping the fraction of a second is exact for every comparison made here, because both
tolerances and the instants inside tokens are whole seconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from act.errors import InvalidCall, Refused

__all__ = ["FUTURE_TOLERANCE_SECONDS", "LATEST_INSTANT", "Clock", "instant", "iso", "parse_iso", "read_instant", "system_clock"]

Clock = Callable[[], datetime]
"""What a service asks for the time: returns an aware datetime."""

FUTURE_TOLERANCE_SECONDS: Final = 10
"""How far nbf or iat may lie ahead of the verifier's clock (two clocks kept by NTP differ by less). Expiry has no tolerance."""

LATEST_INSTANT: Final = 253_402_300_799
"""9999-12-31T23:59:59Z, the last instant that ISO 8601's four-digit year can write."""

_ISO = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})Z")


def system_clock() -> datetime:
    """The machine's clock, for services and signers that were given no other."""
    return datetime.now(UTC)


def instant(at: datetime) -> int:
    """Seconds since the epoch of an aware datetime. A naive one is an `InvalidCall`: a zone is never guessed."""
    if not hasattr(at, "utcoffset") or at.utcoffset() is None:
        raise InvalidCall("call_invalid", "at", expected="an aware datetime")
    elapsed = at - _EPOCH
    if elapsed.days < 0:
        raise InvalidCall("call_invalid", "at", expected="an instant from 1970 on")
    return elapsed.days * 86_400 + elapsed.seconds


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso(seconds: int) -> str:
    """`2026-02-06T09:00:00Z` for an instant inside."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds >= 0 else str(seconds)


def parse_iso(text: str, where: str = "") -> int:
    """An instant from ISO 8601 UTC in the one form `YYYY-MM-DDThh:mm:ssZ` (ADD-INT-ICS). Raises `Refused` claim_invalid."""
    match = _ISO.fullmatch(text)
    if match is None:
        raise Refused("claim_invalid", where, expected="YYYY-MM-DDThh:mm:ssZ")
    year, month, day, hour, minute, second = (int(part) for part in match.groups())
    try:
        return read_instant(instant(datetime(year, month, day, hour, minute, second, tzinfo=UTC)))
    except ValueError as error:
        raise Refused("claim_invalid", where, expected="an existing date and time") from error
    except Refused as refusal:  # before 1970
        raise refusal.within(where) from None


def read_instant(value: object) -> int:
    """A NumericDate claim: an integer (never a bool) between 1970 and 9999. Raises `Refused` claim_invalid."""
    if type(value) is not int or not 0 <= value <= LATEST_INSTANT:
        raise Refused("claim_invalid", expected="whole seconds since 1970")
    return value

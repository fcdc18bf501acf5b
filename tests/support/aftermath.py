"""What must be true after a storm: everything that was acknowledged is there, nothing is above a cap, and the fold agrees.

The sums are added up from the charges here, beside the store's own counters and beside the audit's fold. What no charge shows
any more, such as a cap exceeded for a moment, the fold finds: it looks at the counters behind every single entry.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from act.stores.sql.audit import Audit
from tests.support.places import Place
from tests.support.storm import Told
from tests.support.weather import Weather

__all__ = ["Aftermath", "aftermath"]

_OUTCOMES = (
    "SELECT request.request_id, entry.kind, entry.charge, entry.code FROM request JOIN entry "
    "ON entry.account = request.account AND entry.mandate = request.mandate AND entry.sequence = request.sequence"
)
_CHARGES = (
    "SELECT account, mandate, amount_minor, captured_minor, refunded_minor, closed_sequence, reserved_at, debits FROM charge"
)
_CLOSED = "SELECT kind, charge, amount_minor FROM entry WHERE kind IN ('CAPTURED', 'VOIDED')"


@dataclass(slots=True)
class Aftermath:
    """What is wrong, in plain words; by how many minor units (or times) limits are exceeded in all; the audit."""

    audit: Audit
    over_limit: int = 0
    wrong: list[str] = field(default_factory=list)


def aftermath(place: Place, weather: Weather, told: Told) -> Aftermath:
    """Looks at everything."""
    found = Aftermath(place.audit())
    found.wrong += told.wrong
    found.wrong += found.audit.disagreements
    found.wrong += _lost_answers(place, told)
    found.wrong += _lost_moves(place, told)
    found.wrong += _lost_revocations(place, weather, told)
    for name, over in _above_caps(place, weather):
        found.over_limit += over
        found.wrong.append(f"{name} is exceeded by {over}")
    return found


def _lost_answers(place: Place, told: Told) -> Iterator[str]:
    """Every outcome that was acknowledged is there; without faults there is no other."""
    left = dict(told.answers)
    for request_id, kind, charge, code in place.rows(_OUTCOMES):
        number = int.from_bytes(request_id)
        answer = left.pop(number, None)
        if answer is None:
            yield f"request {number} is there ({kind}), and nobody was told"
        elif answer != (charge if kind == "RESERVED" else f"!{code}"):
            yield f"request {number} was answered {answer}, and {charge or code} is there"
    yield from (f"request {number} was answered {answer}, and is not there" for number, answer in left.items())
    if not told.faults and told.answers.keys() != told.first:
        yield f"{len(told.answers.keys() ^ told.first)} outcomes were never told as new"


def _lost_moves(place: Place, told: Told) -> Iterator[str]:
    there = {("CLOSE" if kind == "CAPTURED" else "VOID", charge, "", minor) for kind, charge, minor in place.rows(_CLOSED)}
    there |= {("VOID", charge, "", 0) for kind, charge, *_ in there if kind == "VOID"}
    there |= {
        (kind, charge, number, minor)
        for kind, charge, number, minor in place.rows("SELECT kind, charge, number, amount_minor FROM part")
    }
    yield from (f"{move} was acknowledged, and is not there" for move in told.moves - there)


def _lost_revocations(place: Place, weather: Weather, told: Told) -> Iterator[str]:
    revoked = {name for (name,) in place.rows("SELECT delegation_id FROM mandate WHERE state = 'Revoked'")}
    if revoked != {weather.mandate(number).key.delegation_id for number in told.revoked}:
        yield "the mandates that are revoked are not those of which it was acknowledged"


def _above_caps(place: Place, weather: Weather) -> Iterator[tuple[str, int]]:
    """Every limit that is exceeded, and by how much; one whose cap is not the mandate's counts as a whole."""
    mandates = {
        (account, number): (weather.caps(weather.number_of(delegation_id)), restores)
        for account, number, delegation_id, restores in place.rows(
            "SELECT account, number, delegation_id, refund_restores FROM mandate"
        )
    }
    sums: dict[tuple[int, int, str], int] = defaultdict(int)
    slides: dict[tuple[int, int, str], list[tuple[int, int]]] = defaultdict(list)
    for account, mandate, *charge, at, debits in place.rows(_CHARGES):
        _, restores = mandates[account, mandate]
        for name in debits.split("\n"):
            taken = _taken(name, *charge, restores=restores)
            sums[account, mandate, name] += taken
            if "~" in name:
                slides[account, mandate, name].append((at, taken))
    for key, added in sums.items():
        account, mandate, name = key
        cap = mandates[account, mandate][0].get(name.partition("@")[0].partition("~")[0], 0)
        taken = _most_within(slides[key], int(name.partition("~")[2])) if "~" in name else added
        if taken > cap:
            yield f"{name} of mandate {account}/{mandate}", taken - cap


def _taken(name: str, amount: int, captured: int, refunded: int, closed: Any, *, restores: int) -> int:
    """What a charge takes of a limit, whose name says what it counts."""
    if "times" in name:
        return int(closed is None or (captured > 0 and not (restores and refunded == captured)))
    return (amount if closed is None else captured) - restores * refunded


def _most_within(taken: list[tuple[int, int]], seconds: int) -> int:
    """The largest sum within a window of so many seconds, wherever it begins."""
    most = running = begin = 0
    taken.sort()
    for at, minor in taken:
        running += minor
        while taken[begin][0] <= at - seconds:
            running -= taken[begin][1]
            begin += 1
        most = max(most, running)
    return most

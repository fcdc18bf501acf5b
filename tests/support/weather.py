"""What a storm asks of a ledger: hot and cold mandates with every kind of limit, and requests that anybody can make again.

A request is a function of its number, so that another client, or the same one after a failure, sends the very same. Time goes
by in generations: each has hot mandates of its own, whose caps run out, and half-way through some of them are revoked.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID

from act.calendar.windows import Window
from act.delegation.constraints import VOID
from act.delegation.limits import Limit, Unit
from act.delegation.mandate import MandateKey
from act.envelope.objects import Format
from act.payment.charge import HOLD_SECONDS
from act.payment.ledger import MandateRecord
from act.payment.verifier import LinkRecord, ReservationRequest
from tests.support.reservations import TOTAL, digest, limit, reservation
from tests.support.world import AGENT, END_SECONDS, NOW_SECONDS, SUB_AGENT, WALLET

__all__ = ["REVOCABLE", "Asked", "Weather"]

DAY: Final = 86_400
MOST_MINOR: Final = 3_000
TIMES, PERIOD = "ext.quota.times_limit", "ext.quota.periods[0].max_amount"
HOT: Final = 8
"""Kinds of hot mandates; a generation has one of each."""

TOTALS, TIMED, DAILY, SLIDING, CHAINED, VOIDING, RESTORING, HONORING = range(HOT)
REVOCABLE: Final = (VOIDING, HONORING)

_OWN_BITS: Final = 32  # of a request's number: a client's turn; the client stands above it
_SHARED: Final = 1 << 60  # what several clients send
_COLD: Final = 1 << 40
_EVER: Final = 1 << 100
"""Where the mandates' numbers begin; a hot one's is its generation and kind."""


class Asked(NamedTuple):
    """What a ledger's `reserve` is given, but for the maker of receipts."""

    request: ReservationRequest
    mandate: MandateRecord


@dataclass(frozen=True, slots=True)
class Weather:
    """How strong a storm is. `turns` is how often each client asks for a reservation."""

    seed: int
    clients: int
    turns: int

    @property
    def generations(self) -> int:
        """So many that a generation's mandates see some thousands of requests, and at least four."""
        return max(4, self.turns * self.clients // 6_400)

    def generation(self, turn: int) -> int:
        """Whose hot mandates a turn is about."""
        return turn * self.generations // self.turns

    def at(self, turn: int) -> int:
        """The instant of a turn: four in each generation, so that windows turn, and over more than two lives of a hold."""
        quarters = 4 * self.generations
        step = max(DAY // 4, 2 * HOLD_SECONDS // quarters)
        return NOW_SECONDS + step * (turn * quarters // self.turns)

    # --- mandates -----------------------------------------------------------------------------------------------------------

    def hot(self, generation: int, kind: int) -> int:
        """The number of a generation's mandate."""
        return generation * HOT + kind

    def mandate(self, number: int) -> MandateRecord:
        """A mandate. Cold ones have principals of their own, hot ones share a few."""
        kind = number % HOT if number < _COLD else TOTALS
        principal = f"user:{number % 5 if number < _COLD else number}"
        return MandateRecord(
            MandateKey(WALLET, principal, UUID(int=number + 1, version=4).urn),
            digest("mandate", number),
            AGENT,
            "CNY",
            END_SECONDS,
            on_revoke=VOID if kind == VOIDING else "honor",
            format=Format.COSE if number // HOT % 2 else Format.JOSE,
            refund_restores=kind == RESTORING,
        )

    def number_of(self, delegation_id: str) -> int:
        """The number of the mandate that is called so."""
        bits = UUID(delegation_id).int
        return (bits & _EVER) + (bits & (1 << 62) - 1) - 1

    def link(self, number: int) -> LinkRecord:
        """The link below a mandate that is used through one."""
        return LinkRecord(UUID(int=number + 1, version=4).urn, digest("link", number), SUB_AGENT)

    def caps(self, number: int) -> dict[str, int]:
        """The caps of a mandate, by the names of its limits without their windows."""
        if number >= _EVER:
            return {TOTAL: self.clients * self.turns * MOST_MINOR // 40}
        if number >= _COLD:
            return {TOTAL: 3 * MOST_MINOR}
        times = max(2, self.clients * self.turns // (self.generations * HOT * 4))  # half of what is asked
        total = times * MOST_MINOR // 2
        more = {
            TIMED: {TIMES: times},
            DAILY: {PERIOD: total // 3},
            SLIDING: {PERIOD: total // 3},
            CHAINED: {f"{self.link(number).identity.hex()}/{TOTAL}": total // 2},
            RESTORING: {TIMES: times},
        }
        return {TOTAL: total} | more.get(number % HOT, {})

    def limits(self, number: int, at: int) -> tuple[Limit, ...]:
        """What is counted of a payment under a mandate at an instant."""
        (_, total), *more = self.caps(number).items()
        limits = [limit(total)]
        for name, cap in more:
            if name == TIMES:
                limits.append(Limit(TIMES, cap, "times_limit_exceeded", Unit.TIMES))
            elif name != PERIOD:
                limits.append(limit(cap, name))
            elif number % HOT == DAILY:
                start = at - at % DAY
                mark = f"{1 + start // DAY:010d}"
                window = Window(start, start + DAY, mark)
                limits.append(Limit(f"{PERIOD}@{mark}", cap, "period_amount_exceeded", window=window))
            else:
                slides = Limit(f"{PERIOD}~{DAY}", cap, "period_amount_exceeded", sliding_seconds=DAY, since=at - DAY)
                limits.append(slides)
        return tuple(limits)

    # --- requests -----------------------------------------------------------------------------------------------------------

    def own(self, client: int, turn: int) -> int:
        """The number of a request that one client makes."""
        return client << _OWN_BITS | turn

    def shared(self, generation: int, which: int) -> int:
        """The number of a request that several clients make."""
        return _SHARED | generation << _OWN_BITS | which

    def asked(self, number: int, at: int) -> Asked:
        """A request, as it is asked at an instant. What it says is the same at every instant."""
        draw = random.Random(f"{self.seed}/{number}")
        high, low = number >> _OWN_BITS, number & ((1 << _OWN_BITS) - 1)
        is_shared = number >= _SHARED
        generation = high - (_SHARED >> _OWN_BITS) if is_shared else self.generation(low)
        chance = draw.randrange(100)
        if chance < 10:
            of = _EVER
        elif chance < 65:
            of = self.hot(generation, draw.randrange(HOT))
        else:  # four requests to each cold mandate; those of shared requests are first used by many at once
            of = _COLD + (high << 24 | low // 4)
        record = self.mandate(of)
        is_chained = of < _COLD and of % HOT == CHAINED
        is_contested = draw.randrange(100) < 8
        request = reservation(
            number,
            draw.randint(1, MOST_MINOR),
            of=record,
            limits=self.limits(of, at),
            order_no=f"C-{generation}-{draw.randrange(60)}" if is_contested else None,
            agent_id=SUB_AGENT if is_chained else AGENT,
            at=at,
            links=[self.link(of)] if is_chained else (),
        )
        return Asked(request, record)

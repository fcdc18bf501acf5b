"""Many clients at one ledger at once: processes of threads, each of which keeps what it was told.

They reserve, send again what they or others sent, capture whole or in parts, void, refund, revoke, and close ended holds. A
client that meets a store fault asks again, as the protocol allows. What must be true afterwards `tests.support.aftermath` says.
"""

from __future__ import annotations

import itertools
import multiprocessing
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from act.errors import Refused, StoreFault
from act.payment.charge import ChargeRecord
from act.payment.ledger import Outcome
from act.stores.sql.ledger import SqlLedger
from tests.support.places import Place
from tests.support.reservations import MAKE_RECEIPT
from tests.support.weather import REVOCABLE, Weather
from tests.support.world import PSP

__all__ = ["Move", "Told", "raise_storm"]

Move = tuple[str, str, str, int]
"""What was acknowledged of a charge: CAPTURE, CLOSE, VOID or REFUND, its id, the payee's number, the amount in minor units."""

T = TypeVar("T")

ORDER_PAID: Final = "order_already_paid"
_TRIES: Final = 20
_KEPT: Final = 40  # of a client's charges and requests: what it may still do something with
_OTHERS: Final = 6  # requests of a generation that all clients know
_MOVES_REFUSED: Final = frozenset(
    {"charge_closed", "capture_exceeds_hold", "hold_expired", "refund_exceeds_captured", "duplicate_capture"}
)


@dataclass(slots=True)
class Told:
    """What clients were told. `answers`: of each request its charge, or behind `!` the code it was refused with for good.
    `first`: those of them that were decided then and not before."""

    answers: dict[int, str] = field(default_factory=dict)
    first: set[int] = field(default_factory=set)
    moves: set[Move] = field(default_factory=set)
    revoked: set[int] = field(default_factory=set)
    attempts: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    seconds: int = 0

    def note(self, number: int, answer: str, *, replayed: bool) -> None:
        """What a request was answered, and whether that was said to be decided earlier."""
        if self.answers.setdefault(number, answer) != answer:
            self.wrong.append(f"request {number} was answered {self.answers[number]}, and {answer}")
        if not replayed:
            if number in self.first:
                self.wrong.append(f"request {number} was decided twice")
            self.first.add(number)

    def add(self, other: Told) -> None:
        """What others were told as well."""
        for number, answer in other.answers.items():
            self.note(number, answer, replayed=number not in other.first)
        self.moves |= other.moves
        self.revoked |= other.revoked
        self.attempts += other.attempts
        self.codes += other.codes
        self.faults += other.faults
        self.wrong += other.wrong


class _Client:
    """One of those who are out in the storm."""

    def __init__(self, weather: Weather, number: int, ledger: SqlLedger) -> None:
        self.told = Told()
        self._weather = weather
        self._number = number
        self._ledger = ledger
        self._draw = random.Random(f"{weather.seed}/client/{number}")
        self._sent: deque[int] = deque(maxlen=_KEPT)
        self._charges: deque[ChargeRecord] = deque(maxlen=_KEPT)

    def run(self, tick: Callable[[], None]) -> Told:
        """Asks as often as the weather says."""
        weather = self._weather
        for turn in range(weather.turns):
            at, generation = weather.at(turn), weather.generation(turn)
            self._reserve(turn, generation, at)
            chance = self._draw.randrange(1_000)
            if chance < 400 and self._charges:
                self._move(self._draw.choice(self._charges), at)
            elif chance < 410:
                self._try(lambda at=at: self._ledger.expire(at, 10, MAKE_RECEIPT))  # type: ignore[misc]  # bound for this turn
            elif chance < 430 and turn * weather.generations % weather.turns * 2 > weather.turns:
                self._revoke(weather.hot(generation, self._draw.choice(REVOCABLE)), at)
            tick()
        return self.told

    def _try(self, call: Callable[[], T]) -> tuple[T, bool]:
        """What the ledger answers, and whether it failed before."""
        for tried in itertools.count():
            try:
                return call(), tried > 0
            except StoreFault as fault:
                self.told.faults[fault.code] += 1
                if tried == _TRIES:
                    raise
        raise AssertionError

    def _reserve(self, turn: int, generation: int, at: int) -> None:
        chance = self._draw.randrange(100)
        if chance < 10 and self._sent:
            number = self._draw.choice(self._sent)
        elif chance < 20:
            number = self._weather.shared(generation, self._draw.randrange(_OTHERS))
        else:
            number = self._weather.own(self._number, turn)
            self._sent.append(number)
        request, mandate = self._weather.asked(number, at)
        self.told.attempts += 1
        try:
            outcome, failed = self._try(lambda: self._ledger.reserve(request, mandate, MAKE_RECEIPT))
        except Refused as refusal:
            self.told.codes[refusal.code] += 1
            if refusal.code != ORDER_PAID:
                self.told.wrong.append(f"request {number} was refused: {refusal.code}")
            return
        if outcome.charge is None:
            assert outcome.refusal is not None
            answer, code = f"!{outcome.refusal.code}", outcome.refusal.code
        else:
            answer, code = outcome.charge.id, "reserved"
            self._charges.append(outcome.charge)
        self.told.codes[f"{code}, again" if outcome.replayed else code] += 1
        self.told.note(number, answer, replayed=outcome.replayed or failed)

    def _move(self, charge: ChargeRecord, at: int) -> None:
        """Whoever knows a charge does the same things with it, so that the same capture comes from several clients."""
        kind, number, minor, call = self._drawn_move(charge, at)
        try:
            self._try(call)
        except Refused as refusal:
            self.told.codes[f"{kind.lower()}: {refusal.code}"] += 1
            if refusal.code not in _MOVES_REFUSED:
                self.told.wrong.append(f"{kind} of {charge.id} was refused: {refusal.code}")
        else:
            self.told.codes[kind.lower()] += 1
            self.told.moves.add((kind, charge.id, number, minor))

    def _drawn_move(self, charge: ChargeRecord, at: int) -> tuple[str, str, int, Callable[[], Outcome]]:
        ledger, minor = self._ledger, charge.amount.minor
        third = (minor + 2) // 3
        chance, which = self._draw.randrange(100), str(self._draw.randrange(3))
        if chance < 30:
            return "CAPTURE", which, third, lambda: ledger.capture(charge.id, third, at, MAKE_RECEIPT, capture_no=which)
        if chance < 50:
            return "CLOSE", "", third, lambda: ledger.capture(charge.id, third, at, MAKE_RECEIPT)
        if chance < 80:
            return "REFUND", which, third, lambda: ledger.refund(charge.id, third, which, at, MAKE_RECEIPT)
        return "VOID", "", 0, lambda: ledger.void(charge.id, at, MAKE_RECEIPT)

    def _revoke(self, number: int, at: int) -> None:
        self._try(lambda: self._ledger.revoke(self._weather.mandate(number), at, MAKE_RECEIPT))
        self.told.revoked.add(number)
        self.told.codes["revoke"] += 1


# --- processes --------------------------------------------------------------------------------------------------------------

_BEGIN: Any = None
_DONE: Any = None


def _prepare(begin: Any, done: Any) -> None:
    global _BEGIN, _DONE
    _BEGIN, _DONE = begin, done


def _send_out(weather: Weather, place: Place, numbers: Iterable[int]) -> Told:
    """What one process does: its clients begin when those of every process are ready."""
    told = Told()

    def tick() -> None:
        if _DONE is not None:
            with _DONE.get_lock():
                _DONE.value += 1

    with place.open() as ledger:
        clients = [_Client(weather, number, ledger) for number in numbers]
        with ThreadPoolExecutor(len(clients)) as threads:
            _BEGIN.wait()
            for future in [threads.submit(client.run, tick) for client in clients]:
                told.add(future.result())
    return told


def raise_storm(place: Place, weather: Weather, processes: int, progress: Callable[[int, int], None] | None = None) -> Told:
    """Sends the clients out, in so many processes; what they were told. `progress` is told how many turns of how many are
    done, about once a second."""
    with place.open() as ledger:
        ledger.bind(PSP)
    context = multiprocessing.get_context("spawn")
    begin, done = context.Barrier(processes), context.Value("q", 0)
    told = Told()
    with ProcessPoolExecutor(processes, context, _prepare, (begin, done)) as pool:
        began = time.monotonic()
        futures = {
            pool.submit(_send_out, weather, place, range(process, weather.clients, processes)) for process in range(processes)
        }
        waiting = set(futures)
        while waiting:
            _, waiting = wait(waiting, timeout=1)
            if progress is not None:
                progress(done.value, weather.clients * weather.turns)
        told.seconds = round(time.monotonic() - began)
        for future in futures:
            told.add(future.result())
    return told

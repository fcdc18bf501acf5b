"""Clients of one ledger, as threads and as processes, and the history of what they asked and heard.

A `Plan` is drawn from a seed: a few mandates whose limits are nearly used up, requests that several clients send, orders that
several mandates pay, a revocation in the middle. Clients share nothing but the plan: which charge a request got they ask of the
ledger. Some answers get lost on the way, as a broken connection loses them, and the client asks again.
"""

from __future__ import annotations

import contextlib
import random
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Barrier, Lock, Thread
from typing import Any, Final, NamedTuple

from act.calendar import Window
from act.delegation.constraints import HONOR, VOID
from act.delegation.lifecycle import Causer, LifecycleAction
from act.delegation.limits import Limit, Unit
from act.errors import Refused, StoreFault
from act.payment.charge import ChargeRecord
from act.payment.ledger import Ledger, MandateRecord, MandateStatus, Outcome
from tests.support import model
from tests.support.linearize import Event, Violation, find_violation
from tests.support.model import HOLD, Call, Cap, Mandate, Reserve, State
from tests.support.reservations import MAKE_RECEIPT, TOTAL, cause, digest, mandate, reservation
from tests.support.world import AGENT, NOW_SECONDS, OTHER_AGENT, OTHER_SHOP, SHOP

__all__ = [
    "CLIENTS",
    "Client",
    "History",
    "Plan",
    "ask",
    "draw_plan",
    "record_of",
    "request_of",
    "run_threads",
    "status_told",
    "told",
]

CLIENTS: Final = 4
SECONDS_TO_CHECK: Final = 60
LOST: Final = 25
"""One answer in so many gets lost."""

DAY: Final = 86_400
_NOON: Final = NOW_SECONDS - NOW_SECONDS % DAY + DAY // 2  # so that a history of some minutes stays within one day

Answer = tuple[Any, ...]


# --- a call of the model, asked of a ledger -----------------------------------------------------------------------------------


def _limits_of(caps: Sequence[Cap], at: int) -> list[Limit]:
    """The limits that a verifier would derive at an instant."""
    limits = []
    for cap in caps:
        unit = Unit.TIMES if cap.counts_payments else Unit.AMOUNT
        window = None if cap.turns_at is None else Window(cap.turns_at - DAY, cap.turns_at, cap.name.rpartition("@")[2])
        since = None if cap.sliding is None else at - cap.sliding
        limits.append(Limit(cap.name, cap.most, cap.code, unit, window, cap.sliding, since))
    return limits


def record_of(of: Mandate) -> MandateRecord:
    """A mandate as the verifier names it."""
    plain = mandate(of.number, identity=of.identity)
    terms = VOID if of.voids else HONOR, plain.format, of.restores
    return MandateRecord(plain.key, plain.identity, plain.agent_id, plain.currency, plain.expires_at, *terms)


def request_of(call: Reserve) -> Any:
    """A request to reserve as the verifier returns it."""
    payee, order_no = call.order
    return reservation(
        call.number,
        call.amount,
        of=record_of(call.mandate),
        limits=_limits_of(call.caps, call.at),
        order_no=order_no,
        payee=payee,
        agent_id=call.agent,
        identity=call.identity,
        at=call.at,
    )


def ask(ledger: Ledger, call: Call) -> Answer:
    """The ledger's answer to a call, as the model would put it. Raises `StoreFault`."""
    try:
        return _ask(ledger, call)
    except Refused as refusal:
        return "refused", refusal.code, refusal.where, False


def _ask(ledger: Ledger, call: Call) -> Answer:
    match call:
        case model.Reserve():
            return told(ledger.reserve(request_of(call), record_of(call.mandate), MAKE_RECEIPT))
        case model.Find():
            key = reservation(call.number, of=record_of(call.mandate), agent_id=call.agent).request
            found = ledger.find(key, call.identity)
            return ("unknown",) if found is None else told(found)
        case model.Capture():
            return told(ledger.capture(call.charge, call.amount, call.at, MAKE_RECEIPT, capture_no=call.part))
        case model.Void():
            return told(ledger.void(call.charge, call.at, MAKE_RECEIPT))
        case model.Refund():
            return told(ledger.refund(call.charge, call.amount, call.part, call.at, MAKE_RECEIPT))
        case model.Expire():
            swept = ledger.expire(call.at, call.most, MAKE_RECEIPT)
            closed = [outcome.charge for outcome in swept if outcome.charge is not None]
            return "swept", tuple([(_NUMBERS[each.request.mandate], each.id) for each in closed])
        case model.Revoke():
            return "revoked", ledger.revoke(record_of(call.mandate), call.at, MAKE_RECEIPT).replayed
        case model.Change():
            return _change(ledger, call)
        case model.Status():
            return status_told(ledger.status(mandate(call.mandate).key, call.at))
        case model.Look():
            return "charge", *_stands(ledger.charge(call.charge)), False


def _change(ledger: Ledger, call: model.Change) -> Answer:
    action = LifecycleAction.RESUME if call.resumes else LifecycleAction.SUSPEND
    by = cause(secrets.randbits(64), Causer(call.causer))
    outcome = ledger.change(record_of(call.mandate), (), action, by, call.at, MAKE_RECEIPT)
    assert outcome.standing is not None
    return "standing", tuple(sorted(each.value for each in outcome.standing.suspended_by)), outcome.replayed


_NUMBERS: Final = {mandate(number).key: number for number in range(1, 8)}


def status_told(status: MandateStatus | None) -> Answer:
    """What is known of a mandate as the model would put it."""
    if status is None:
        return ("unknown",)
    counters = tuple(sorted([(each.name, each.cap, each.held, each.captured) for each in status.counters]))
    return "status", status.state.value, counters, tuple([_stands(each) for each in status.charges])


def told(outcome: Outcome) -> Answer:
    """An outcome as the model would put it."""
    if outcome.charge is not None:
        return "charge", *_stands(outcome.charge), outcome.replayed
    assert outcome.refusal is not None
    return "refused", outcome.refusal.code, outcome.refusal.where, outcome.replayed


def _stands(charge: ChargeRecord) -> tuple[str, str, int, int]:
    return charge.id, charge.state.value, charge.captured_minor, charge.refunded_minor


# --- plans --------------------------------------------------------------------------------------------------------------------


class Step(NamedTuple):
    """What a client means to do: `of` is the number of a request or mandate in its plan."""

    kind: str
    of: int
    at: int
    part: str | None = None
    share: int = 1  # of the amount, as a divisor


class Plan(NamedTuple):
    """What the clients of one history will do."""

    seed: int
    requests: tuple[Reserve, ...]
    steps: tuple[tuple[Step, ...], ...]


_SHARED: Final = tuple([(payee, f"T-{number}") for payee in (SHOP, OTHER_SHOP) for number in range(8)])
_OWN: Final = tuple([(SHOP, f"T-3-{number}") for number in range(5)])
_LINK: Final = digest("link").hex()[:16]


def _caps(number: int, agent: str) -> tuple[Cap, ...]:
    """What is counted for an agent's payment: the mandate's own limits and, for a sub-agent's, its link's."""
    if number == 1:
        noon = Cap("ext.quota.periods[0].max_amount@2026-02-06", 900, "period_amount_exceeded", turns_at=_NOON + DAY // 2)
        caps = (Cap(TOTAL, 1_500), noon)
        return caps if agent == AGENT else (*caps, Cap(f"{_LINK}/{TOTAL}", 500))
    if number == 2:
        times = Cap("ext.quota.times_limit", 3, "times_limit_exceeded", counts_payments=True)
        hour = Cap("ext.quota.periods[0].max_amount~3600", 400, "period_amount_exceeded", sliding=3_600)
        return Cap(TOTAL, 1_200), hour, times
    return (Cap(TOTAL, 600),)


def draw_plan(seed: int, calls: int = 60, clients: int = CLIENTS) -> Plan:
    """The plan of a seed: the same one every time, so that a process needs no more than the seed."""
    draw = random.Random(seed)
    mandates = [Mandate(each, digest("mandate", each), voids=each == 2, restores=each == 2) for each in (1, 2, 3)]
    requests: list[Reserve] = []
    for number in range(1, calls // 3 + 1):
        of, agent = draw.choice([*mandates, *mandates[:2]]), draw.choice([AGENT, OTHER_AGENT])
        order = draw.choice(_OWN if of.number == 3 else _SHARED)
        requests.append(_request(of, agent, number, order, draw.choice([50, 100, 150, 200, 300]), _caps(of.number, agent)))
        if draw.random() < 0.1:  # the same id for something else
            last = requests[-1]
            requests.append(_request(of, agent, number, order, last.amount + 50, last.caps))
        if draw.random() < 0.02:  # the same mandate's id, and another mandate
            forged = of._replace(identity=digest("forged", of.number))
            requests.append(_request(forged, agent, 100 + number, order, 50, _caps(of.number, agent)))
    pace = draw.choice([1, 300, HOLD // 4])
    turns = calls // clients
    steps = []
    for _ in range(clients):
        around = [turn * len(requests) // turns for turn in range(turns)]
        steps.append([_draw_step(draw, around[turn], len(requests), _NOON + turn * pace) for turn in range(turns)])
    if draw.random() < 0.7:
        turn = draw.randrange(turns // 3, turns)
        revoked = draw.choice([1, 2, 3])
        for each in draw.sample(steps, draw.choice([1, 2])):
            each[turn] = Step("revoke", revoked, _NOON + turn * pace)
            each[turn + 1 : turn + 3] = [Step("status", revoked, 0)] * len(each[turn + 1 : turn + 3])
    return Plan(seed, tuple(requests), tuple(map(tuple, steps)))


def _request(of: Mandate, agent: str, number: int, order: tuple[str, str], amount: int, caps: tuple[Cap, ...]) -> Reserve:
    return Reserve(of, agent, number, digest("request", of, agent, number, order, amount), order, amount, caps, 0)


_PARTS: Final[dict[str, tuple[str | None, ...]]] = {"capture": (None, "C-1", "C-1", "C-2"), "refund": ("R-1", "R-2")}


def _draw_step(draw: random.Random, around: int, requests: int, at: int) -> Step:
    """One step; all clients are about at the same requests at the same time, or a while behind."""
    kind = draw.choices(
        ["reserve", "capture", "void", "refund", "expire", "status", "find", "look"], [36, 24, 12, 10, 4, 10, 2, 2]
    )[0]
    of = draw.randint(1, 3) if kind == "status" else max(0, min(requests - 1, around + draw.randint(-4, 2)))
    if kind != "status" and draw.random() < 0.1:
        of = draw.randrange(requests)
    part = draw.choice(_PARTS.get(kind, (None,)))
    if kind == "status":
        at = draw.choice([0, at])  # 0: as it is stored
    return Step(kind, of, at, part, draw.choice([1, 1, 2, 3]))


# --- clients ------------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Client:
    """One client and its memory. `begun` is told of every call before it is made, `heard` of every answer that arrives."""

    number: int
    plan: Plan
    ledger: Ledger
    begun: Callable[[Call, int], None]
    heard: Callable[[Answer, int], None]
    charges: dict[int, str] = field(default_factory=dict)
    captured: dict[int, int] = field(default_factory=dict)
    faults: int = 0

    def run(self) -> None:
        """Follows the plan to its end."""
        draw = random.Random(self.plan.seed * 100 + self.number)
        for each in self.plan.steps[self.number]:
            for _ in range(3):
                is_lost = draw.randrange(LOST) == 0
                if self._do(each, is_lost=is_lost) or not is_lost:
                    break

    def _do(self, step: Step, *, is_lost: bool) -> bool:
        """Does one step, and says whether an answer was heard."""
        if step.kind in ("revoke", "status", "expire"):
            return self._call(_whole(step), is_lost=is_lost) is not None
        if step.kind == "refund" and self.captured:  # the last that is known to have something to refund
            step = step._replace(of=next(reversed(self.captured)))
        request = self.plan.requests[step.of]
        asked = model.Find(request.mandate, request.agent, request.number, request.identity)
        charge = self.charges.get(step.of)
        if step.kind == "find" or (charge is None and step.kind != "reserve"):
            answer = self._call(asked, is_lost=is_lost and step.kind == "find")
            charge = self._learn(step.of, answer)
        if charge is None or step.kind == "reserve":
            if step.kind == "find":
                return True
            answer = self._call(request._replace(at=step.at), is_lost=is_lost)
            charge = self._learn(step.of, answer)
            return answer is not None
        amount, number = -(-request.amount // step.share), request.mandate.number
        match step.kind:
            case "capture":
                call: Call = model.Capture(number, charge, amount, step.part, step.at)
            case "void":
                call = model.Void(number, charge, step.at)
            case "refund":
                captured = self.captured.get(step.of, request.amount)
                call = model.Refund(number, charge, -(-captured // step.share), step.part or "R", step.at)
            case _:
                call = model.Look(number, charge)
        answer = self._call(call, is_lost=is_lost)
        self._learn(step.of, answer)
        return answer is not None

    def _learn(self, of: int, answer: Answer | None) -> str | None:
        if answer is not None and answer[0] == "charge":
            self.charges[of] = str(answer[1])
            if answer[3]:
                self.captured[of] = answer[3]
        return self.charges.get(of)

    def _call(self, call: Call, *, is_lost: bool) -> Answer | None:
        """Asks, and returns what was heard."""
        self.begun(call, time.monotonic_ns())
        try:
            answer = ask(self.ledger, call)
        except StoreFault:
            self.faults += 1
            return None
        if is_lost:
            return None
        self.heard(answer, time.monotonic_ns())
        return answer


def _whole(step: Step) -> Call:
    """A call that is not about one request."""
    if step.kind == "revoke":
        of = Mandate(step.of, digest("mandate", step.of), voids=step.of == 2, restores=step.of == 2)
        return model.Revoke(of, step.at)
    if step.kind == "status":
        return model.Status(step.of, step.at or None)
    return model.Expire(0, 1 + step.share, step.at)


# --- histories ----------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class History:
    """What all clients of one ledger asked and heard, and how many of their calls the store failed."""

    events: list[Event[Call]] = field(default_factory=list)
    faults: int = 0
    _lock: Lock = field(default_factory=Lock)

    def client(self, number: int) -> tuple[Callable[[Call, int], None], Callable[[Answer, int], None]]:
        """How a client says what it does: `begun` and `heard`."""
        open_at = -1

        def begun(call: Call, start: int) -> None:
            nonlocal open_at
            with self._lock:
                open_at = len(self.events)
                self.events.append(Event(number, call, None, start, None))

        def heard(answer: Answer, end: int) -> None:
            with self._lock:
                self.events[open_at] = self.events[open_at]._replace(answer=answer, end=end)

        return begun, heard

    def settle(self, ledger: Ledger) -> None:
        """Asks, once all clients have gone, how everything stands and what became of payments whose answer nobody heard."""
        begun, heard = self.client(1 + max(each.client for each in self.events))
        asked: list[Call] = [model.Status(number) for number in sorted({_mandate_of(each.call) for each in self.events} - {0})]
        unheard = [each.call for each in self.events if each.end is None and isinstance(each.call, Reserve)]
        asked += [model.Find(each.mandate, each.agent, each.number, each.identity) for each in unheard]
        for call in asked:
            begun(call, time.monotonic_ns())
            heard(ask(ledger, call), time.monotonic_ns())

    def parts(self) -> list[list[Event[Call]]]:
        """The history cut into what does not touch each other: mandates meet only where they pay the same orders."""
        events = _named(list(_cut(self.events)))
        group: dict[int, int] = {}
        payers: dict[tuple[str, str], int] = {}

        def root(number: int) -> int:
            while group.setdefault(number, number) != number:
                number = group[number]
            return number

        for each in events:
            if isinstance(each.call, Reserve):
                group[root(_mandate_of(each.call))] = root(payers.setdefault(each.call.order, _mandate_of(each.call)))
        found: dict[int, list[Event[Call]]] = {}
        for each in events:
            found.setdefault(root(_mandate_of(each.call)), []).append(each)
        return list(found.values())

    def violation(self, seconds: int = SECONDS_TO_CHECK) -> Violation[State, Call] | None:
        """The first part that fits no order, if there is one. Raises `Undecided` when a part takes longer."""
        for part in self.parts():
            found = find_violation(part, model.step, State(), seconds)
            if found is not None:
                return found
        return None


def _mandate_of(call: Call) -> int:
    return call.mandate.number if isinstance(call.mandate, Mandate) else call.mandate


def _cut(events: Sequence[Event[Call]]) -> Iterator[Event[Call]]:
    """The events, each sweep cut into what it was for every mandate: they are swept one after the other.

    A sweep that had closed as many as it may did not look at the others any more.
    """
    numbers = {_mandate_of(each.call) for each in events} - {0}
    for each in events:
        if not isinstance(each.call, model.Expire):
            yield each
            continue
        if each.end is None:
            for number in numbers:  # it closed so many here if it did not close them elsewhere
                yield from [each._replace(call=each.call._replace(mandate=number, most=1))] * each.call.most
            continue
        closed: tuple[tuple[int, str], ...] = each.answer[1]
        swept = list(dict.fromkeys(number for number, _ in closed))  # in the ledger's own order
        for number in swept if len(closed) >= each.call.most else (*swept, *numbers - set(swept)):
            charges = [charge for of, charge in closed if of == number]
            before = [of for of, _ in closed[: [of for of, _ in closed].index(number)]] if charges else []
            call = each.call._replace(mandate=number, most=each.call.most - len(before))
            yield each._replace(call=call, answer=("expired", *charges))


def _named(events: list[Event[Call]]) -> list[Event[Call]]:
    """The events, each reservation with the id of the charge it got, or would have got had its answer been heard."""
    heard: dict[Any, str] = {}
    for each in events:
        if isinstance(each.call, Reserve | model.Find) and each.end is not None and each.answer[0] == "charge":
            heard.setdefault(_request_name(each.call), each.answer[1])
    named = []
    for number, each in enumerate(events):
        if isinstance(each.call, Reserve):
            is_own = each.end is not None and each.answer[0] == "charge"
            charge = each.answer[1] if is_own else heard.get(_request_name(each.call), f"unheard-{number}")
            each = each._replace(call=each.call._replace(charge=charge))  # noqa: PLW2901 - the same event, completed
        named.append(each)
    return named


def _request_name(call: Reserve | model.Find) -> tuple[Mandate, str, int, bytes]:
    return call.mandate, call.agent, call.number, call.identity


def run_threads(plan: Plan, ledgers: Sequence[Ledger], around: Callable[[], Any] = contextlib.nullcontext) -> History:
    """Lets every client of a plan run in a thread: all on one ledger object, or each on its own."""
    history = History()
    failures: list[BaseException] = []
    start = Barrier(len(plan.steps))

    def work(client: Client) -> None:
        try:
            start.wait()
            with around():
                client.run()
        except BaseException as failure:  # noqa: BLE001 - it is raised again in the test's own thread
            failures.append(failure)

    clients = [Client(each, plan, ledgers[each % len(ledgers)], *history.client(each)) for each in range(len(plan.steps))]
    threads = [Thread(target=work, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    history.faults = sum(client.faults for client in clients)
    history.settle(ledgers[0])
    return history

"""What a ledger promises, as arithmetic on values: `step(state, call)` gives the next state and the answer.

The model knows nothing of files, transactions, locks or receipts, and shares no code with the stores. States compare and hash
by value, so that a search can remember the ones it has seen. Answers are small tuples:

    ("charge", id, state, captured, refunded, replayed)
    ("refused", code, where, replayed)
    ("revoked", replayed), ("standing", suspended by, replayed), ("expired", id, ...), ("unknown",)
    ("status", state, ((limit, cap, held, captured), ...), ((id, state, captured, refunded), ...))
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

__all__ = [
    "HOLD",
    "Call",
    "Cap",
    "Capture",
    "Change",
    "Charge",
    "Expire",
    "Find",
    "Look",
    "Mandate",
    "Refund",
    "Reserve",
    "Revoke",
    "State",
    "Status",
    "Void",
    "step",
    "usage",
]

HOLD: Final = 7 * 86_400
"""Ledger rule 8: how long money stays held, in seconds."""

Answer = tuple[Any, ...]
Order = tuple[str, str]
Asked = tuple[int, str, int]
"""Within what a request id is unique, and the id: mandate, agent, number."""


class Cap(NamedTuple):
    """A limit: of a total, of the calendar window that ends at `turns_at`, or of the last `sliding` seconds."""

    name: str
    most: int
    code: str = "total_limit_exceeded"
    counts_payments: bool = False
    turns_at: int | None = None
    sliding: int | None = None


class Mandate(NamedTuple):
    """A mandate and its terms: `voids` its holds when it is revoked; a refund `restores` what was spent."""

    number: int
    identity: bytes
    voids: bool = False
    restores: bool = False


class Charge(NamedTuple):
    """`closed` is how the hold was closed and what that moved, `parts` what the payee named: (kind, number, amount)."""

    id: str
    mandate: int
    order: Order
    amount: int
    caps: tuple[Cap, ...]
    reserved_at: int
    captured: int = 0
    refunded: int = 0
    closed: tuple[str, int] | None = None
    parts: frozenset[tuple[str, str, int]] = frozenset()

    @property
    def held(self) -> int:
        """What may still be captured."""
        return self.amount - self.captured if self.closed is None else 0

    @property
    def state(self) -> str:
        """The protocol's name for where it stands."""
        if self.closed is None:
            return "PARTIALLY_CAPTURED" if self.captured else "HELD"
        return "CAPTURED" if self.captured else self.closed[0]

    def has_ended(self, at: int) -> bool:
        """Whether it holds money that it no longer should."""
        return self.closed is None and at >= self.reserved_at + HOLD

    def released(self, how: str) -> Charge:
        """It with its hold closed, and what was left of it given back."""
        return self._replace(closed=(how, self.held))


class State(NamedTuple):
    """Everything a ledger knows. `stops` are the suspensions that stand, each with who caused it. Charges stand in the order of
    reservation, mandate by mandate."""

    mandates: frozenset[Mandate] = frozenset()
    revoked: frozenset[int] = frozenset()
    stops: frozenset[tuple[int, str]] = frozenset()
    answers: frozenset[tuple[Asked, bytes, Answer]] = frozenset()
    charges: tuple[Charge, ...] = ()

    def stands(self, number: int) -> str:
        """A mandate's lifecycle state."""
        if number in self.revoked:
            return "Revoked"
        return "Suspended" if any(each == number for each, _ in self.stops) else "Active"

    def mandate(self, number: int) -> Mandate | None:
        """The mandate that is pinned under a number."""
        return next((each for each in self.mandates if each.number == number), None)

    def charge(self, charge_id: str) -> Charge | None:
        """A charge by its id."""
        return next((each for each in self.charges if each.id == charge_id), None)

    def of(self, number: int) -> tuple[Charge, ...]:
        """The charges of a mandate."""
        return tuple([each for each in self.charges if each.mandate == number])

    def with_charge(self, charge: Charge) -> State:
        """The state in which this charge stands so."""
        if self.charge(charge.id) is None:
            place = sum(each.mandate <= charge.mandate for each in self.charges)
            return self._replace(charges=(*self.charges[:place], charge, *self.charges[place:]))
        return self._replace(charges=tuple([charge if each.id == charge.id else each for each in self.charges]))

    def released(self, charges: Iterable[Charge], how: str) -> State:
        """The state once these holds are closed."""
        state = self
        for each in charges:
            state = state.with_charge(each.released(how))
        return state


def usage(charges: Iterable[Charge], cap: Cap, restores: bool) -> tuple[int, int]:
    """How much of a limit these charges hold, and how much they captured."""
    held = captured = 0
    for each in charges:
        if all(name.name != cap.name for name in each.caps):
            continue
        restored = each.refunded if restores else 0
        if not cap.counts_payments:
            held, captured = held + each.held, captured + each.captured - restored
        elif each.captured:
            captured += each.closed is None or restored < each.captured
        else:
            held += each.closed is None
    return held, captured


def _counting(charges: Iterable[Charge], cap: Cap, at: int) -> list[Charge]:
    """The charges that a limit counts at an instant."""
    return [each for each in charges if cap.sliding is None or each.reserved_at > at - cap.sliding]


# --- calls ------------------------------------------------------------------------------------------------------------------


class Reserve(NamedTuple):
    """`charge` is the id of the charge that it gets if it gets a new one: the ledger draws it."""

    mandate: Mandate
    agent: str
    number: int
    identity: bytes
    order: Order
    amount: int
    caps: tuple[Cap, ...]
    at: int
    charge: str = ""

    def run(self, state: State) -> tuple[State, Answer]:
        """Replay, pin, ended holds, lifecycle, order, limits."""
        number, asked = self.mandate.number, (self.mandate.number, self.agent, self.number)
        stored = _stored(state, asked, self.identity)
        if stored is not None:
            return state, stored
        pinned = state.mandate(number) or self.mandate
        if pinned.identity != self.mandate.identity:
            return state, _refused("credential_conflict", "mandate.delegation_id")
        opened = _expire(state._replace(mandates=state.mandates | {pinned}), number, self.at)
        refusal = None if state.stands(number) == "Active" else (f"credential_{state.stands(number).lower()}", "mandate")
        if refusal is None:
            standing = [each for each in opened.charges if each.order == self.order and (each.held or each.captured)]
            if any(each.captured or not each.has_ended(self.at) for each in standing):
                return state, _refused("order_already_paid", "order.act.order_no")
            opened = opened.released(standing, "EXPIRED")
            refusal = self._over(opened, pinned)
        answer: Answer
        if refusal is not None:
            answer = _refused(*refusal)
        elif opened.charge(self.charge) is not None:
            return state, ("charge", "of another payment")  # no ledger gives one id to two charges
        else:
            charge = Charge(self.charge, number, self.order, self.amount, self.caps, self.at)
            opened, answer = opened.with_charge(charge), _charged(charge)
        stored = answer if refusal is not None else ("charge", self.charge)
        return opened._replace(answers=opened.answers | {(asked, self.identity, stored)}), answer

    def _over(self, state: State, pinned: Mandate) -> tuple[str, str] | None:
        """The first limit that it does not fit into."""
        for cap in self.caps:
            charges = _counting(state.of(pinned.number), cap, self.at)
            if sum(usage(charges, cap, pinned.restores)) + (1 if cap.counts_payments else self.amount) > cap.most:
                return cap.code, cap.name
        return None


class Find(NamedTuple):
    """The stored outcome of a request."""

    mandate: Mandate
    agent: str
    number: int
    identity: bytes

    def run(self, state: State) -> tuple[State, Answer]:
        """What `Reserve` would replay."""
        asked = self.mandate.number, self.agent, self.number
        return state, _stored(state, asked, self.identity) or ("unknown",)


class Capture(NamedTuple):
    """Takes a part under a number, or the last part. `mandate` is the number of the charge's."""

    mandate: int
    charge: str
    amount: int
    part: str | None
    at: int

    def run(self, state: State) -> tuple[State, Answer]:
        """Ledger rules 2 and 5."""
        charge = state.charge(self.charge)
        if charge is None:
            return state, _refused("charge_unknown", "charge")
        known = _part(charge, "CAPTURE", self.part)
        if known is not None:
            return state, _charged(charge, True) if known == self.amount else _refused("duplicate_capture", "amount")
        if self.part is None and charge.closed == ("CAPTURED", self.amount):
            return state, _charged(charge, True)
        if charge.closed is not None:
            return state, _refused("charge_closed", "charge")
        if self.amount > charge.held:
            return state, _refused("capture_exceeds_hold", "amount")
        if charge.has_ended(self.at):
            return state, _refused("hold_expired", "charge")
        closed = charge.closed
        if self.part is None:
            closed = ("CAPTURED", self.amount)
        elif self.amount == charge.held:
            closed = ("LAST PART", self.amount)
        parts = charge.parts if self.part is None else charge.parts | {("CAPTURE", self.part, self.amount)}
        after = charge._replace(captured=charge.captured + self.amount, closed=closed, parts=parts)
        return state.with_charge(after), _charged(after)


class Void(NamedTuple):
    """Closes a hold and gives back what is left of it."""

    mandate: int
    charge: str
    at: int

    def run(self, state: State) -> tuple[State, Answer]:
        """Ledger rules 3 and 5."""
        charge = state.charge(self.charge)
        if charge is None:
            return state, _refused("charge_unknown", "charge")
        if charge.closed is not None:
            return state, _charged(charge, True) if charge.closed[0] == "VOIDED" else _refused("charge_closed", "charge")
        after = charge.released("VOIDED")
        return state.with_charge(after), _charged(after)


class Refund(NamedTuple):
    """Gives back a part of what was captured."""

    mandate: int
    charge: str
    amount: int
    part: str
    at: int

    def run(self, state: State) -> tuple[State, Answer]:
        """Ledger rules 3 and 5."""
        charge = state.charge(self.charge)
        if charge is None:
            return state, _refused("charge_unknown", "charge")
        known = _part(charge, "REFUND", self.part)
        if known is not None:
            return state, _charged(charge, True) if known == self.amount else _refused("duplicate_refund", "amount")
        if self.amount > charge.captured - charge.refunded:
            return state, _refused("refund_exceeds_captured", "amount")
        parts = charge.parts | {("REFUND", self.part, self.amount)}
        after = charge._replace(refunded=charge.refunded + self.amount, parts=parts)
        return state.with_charge(after), _charged(after)


class Expire(NamedTuple):
    """The sweep as one mandate sees it: closes at most so many of its holds that have ended."""

    mandate: int
    most: int
    at: int

    def run(self, state: State) -> tuple[State, Answer]:
        """In the order in which they ended."""
        ended = sorted((each for each in state.of(self.mandate) if each.has_ended(self.at)), key=lambda each: each.reserved_at)
        closed = ended[: self.most]
        return state.released(closed, "EXPIRED"), ("expired", *(each.id for each in closed))


class Revoke(NamedTuple):
    """Ends a mandate."""

    mandate: Mandate
    at: int

    def run(self, state: State) -> tuple[State, Answer]:
        """Ledger rule 7."""
        pinned = state.mandate(self.mandate.number) or self.mandate
        if pinned.identity != self.mandate.identity:
            return state, _refused("credential_conflict", "mandate.delegation_id")
        if pinned.number in state.revoked:
            return state, ("revoked", True)
        state = state._replace(mandates=state.mandates | {pinned}, revoked=state.revoked | {pinned.number})
        state = _expire(state, pinned.number, self.at)
        if pinned.voids:
            state = state.released([each for each in state.of(pinned.number) if each.closed is None], "VOIDED")
        return state, ("revoked", False)


class Change(NamedTuple):
    """Suspends a mandate, or `resumes` it: each causer's suspension stands for itself."""

    mandate: Mandate
    resumes: bool
    causer: str
    at: int

    def run(self, state: State) -> tuple[State, Answer]:
        """A repeated suspension moves nothing; what was not suspended by the same causer cannot be resumed by it."""
        number, stop = self.mandate.number, (self.mandate.number, self.causer)
        if number in state.revoked or (self.resumes and stop not in state.stops):
            return state, _refused("transition_not_allowed", "mandate")
        is_repeated = not self.resumes and stop in state.stops
        if not is_repeated:
            stops = state.stops - {stop} if self.resumes else state.stops | {stop}
            pinned = state.mandate(number) or self.mandate
            state = _expire(state._replace(mandates=state.mandates | {pinned}, stops=stops), number, self.at)
        return state, ("standing", tuple(sorted(causer for each, causer in state.stops if each == number)), is_repeated)


class Status(NamedTuple):
    """What is known of a mandate: as it is stored, or as it stands at an instant."""

    mandate: int
    at: int | None = None

    def run(self, state: State) -> tuple[State, Answer]:
        """Its state, the counters of windows that have not turned, its charges."""
        pinned = state.mandate(self.mandate)
        if pinned is None:
            return state, ("unknown",)
        charges = _expire(state, self.mandate, self.at).of(self.mandate)
        counters = []
        for cap in sorted({each.name: each for charge in charges for each in charge.caps}.values()):
            is_hidden = cap.sliding is not None if self.at is None else cap.turns_at is not None and self.at >= cap.turns_at
            if not is_hidden:
                used = usage(_counting(charges, cap, self.at or 0), cap, pinned.restores)
                counters.append((cap.name, cap.most, *used))
        stand = tuple([(each.id, each.state, each.captured, each.refunded) for each in charges])
        return state, ("status", state.stands(self.mandate), tuple(counters), stand)


class Look(NamedTuple):
    """One charge."""

    mandate: int
    charge: str

    def run(self, state: State) -> tuple[State, Answer]:
        """As it is stored."""
        charge = state.charge(self.charge)
        return state, _refused("charge_unknown", "charge") if charge is None else _charged(charge)


Call = Reserve | Find | Capture | Void | Refund | Expire | Revoke | Change | Status | Look


def step(state: State, call: Call) -> tuple[State, Answer]:
    """The state after a call, and its answer."""
    return call.run(state)


def _expire(state: State, number: int, at: int | None) -> State:
    ended = [each for each in state.of(number) if at is not None and each.has_ended(at)]
    return state.released(ended, "EXPIRED")


def _stored(state: State, asked: Asked, identity: bytes) -> Answer | None:
    """What a request was told, as it stands now."""
    found = next((each for each in state.answers if each[0] == asked), None)
    if found is None:
        return None
    _, known, answer = found
    if known != identity:
        return _refused("duplicate_request", "request.cti")
    if answer[0] == "refused":
        return (*answer[:3], True)
    charge = state.charge(answer[1])
    assert charge is not None
    return _charged(charge, True)


def _part(charge: Charge, kind: str, number: str | None) -> int | None:
    """The amount that the payee named by that number."""
    return next((amount for of, name, amount in charge.parts if (of, name) == (kind, number)), None)


def _charged(charge: Charge, replayed: bool = False) -> Answer:
    return "charge", charge.id, charge.state, charge.captured, charge.refunded, replayed


def _refused(code: str, where: str) -> Answer:
    return "refused", code, where, False

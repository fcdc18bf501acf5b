"""A ledger and a few lines of arithmetic agree, whatever is asked of both in whatever order.

The oracle keeps its state in dicts and knows nothing of files, transactions or receipts. After every step the counters are the
oracle's, no limit is exceeded, and a call that was refused or repeated has changed nothing but what ledger rule 5 says.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from act.delegation.lifecycle import Causer, LifecycleAction, Standing
from act.errors import Refused
from act.payment.charge import HOLD_SECONDS, ChargeRecord, ChargeState
from act.payment.ledger import EntryKind, MandateRecord, Outcome
from act.payment.receipt import recorded_receipt
from tests.support.fold import audit
from tests.support.places import FilePlace, Place, SchemaPlace
from tests.support.postgres import PostgresServer
from tests.support.reservations import MAKE_RECEIPT, TOTAL, cause, digest, limit, mandate, reservation
from tests.support.world import AGENT, NOW_SECONDS, OTHER_AGENT, OTHER_SHOP, PSP, SHOP, refused, snapshot

STEPS: Final = 40
DAY: Final = "ext.quota.day"
CAPS: Final = {1: {TOTAL: 10_000}, 2: {TOTAL: 5_000, DAY: 3_000}, 3: {TOTAL: 2**63 - 1}}
RESTORING: Final = (2,)
"""Mandates whose refunds can be spent again."""

amounts = st.integers(1, 3_001) | st.sampled_from([1, 3_000, 5_000, 5_001, 10_000, 10_001, 2**63 - 1])
Answer = tuple[str, ...]
"""("charge", id) or ("refusal", code, where)."""


@dataclass
class Charge:
    """`last` is how its hold was closed and what that moved, `parts` the amounts under the payee's numbers."""

    mandate: int
    order: tuple[str, str]
    amount: int
    hold_expires_at: int
    state: ChargeState = ChargeState.HELD
    captured: int = 0
    refunded: int = 0
    last: tuple[str, int] | None = None
    parts: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def held(self) -> int:
        return self.amount - self.captured if self.last is None else 0

    @property
    def is_live(self) -> bool:
        return self.last is None or self.captured > 0

    def release(self, how: ChargeState) -> None:
        self.last = (how.value, self.held)
        self.state = ChargeState.CAPTURED if self.captured else how


@dataclass
class Oracle:
    """What the ledger promises, as arithmetic. Every method answers with an `Answer`, and whether it is a repeated one."""

    pinned: dict[int, bytes] = field(default_factory=dict)
    revoked: set[int] = field(default_factory=set)
    suspended: dict[int, set[Causer]] = field(default_factory=dict)
    answers: dict[tuple[int, str, int], tuple[bytes, Answer]] = field(default_factory=dict)
    charges: dict[str, Charge] = field(default_factory=dict)

    def used(self, number: int) -> tuple[int, int]:
        """What is held and captured under a mandate, by adding up its charges."""
        mine = [charge for charge in self.charges.values() if charge.mandate == number]
        restored = sum(c.refunded for c in mine) if number in RESTORING else 0
        return sum(c.held for c in mine), sum(c.captured for c in mine) - restored

    def expire(self, at: int, numbers: Sequence[int] = (), order: tuple[str, str] | None = None) -> list[str]:
        """Closes the ended holds of some mandates, or that of an order, and returns their charges."""
        ended = [key for key, c in self.charges.items() if c.held and at >= c.hold_expires_at]
        ended = [key for key in ended if self.charges[key].mandate in numbers or self.charges[key].order == order]
        for key in ended:
            self.charges[key].release(ChargeState.EXPIRED)
        return ended

    def reserve(self, asked: dict[str, Any], request_identity: bytes, at: int) -> tuple[Answer, bool]:
        """The answer to a request; ("charge",) for one that has to get a charge, whose id the ledger chooses."""
        number = asked["number"]
        known = self.answers.get((number, asked["agent_id"], asked["request"]))
        if known is not None:
            return (
                (known[1], True) if known[0] == request_identity else (("refusal", "duplicate_request", "request.cti"), False)
            )
        if self.pinned.get(number, asked["identity"]) != asked["identity"]:
            return ("refusal", "credential_conflict", "mandate.delegation_id"), False
        kept = deepcopy(self.charges)
        self.expire(at, [number])
        answer = self._judge(number, asked, at)
        if answer[1:2] != ("order_already_paid",):
            self.pinned[number] = asked["identity"]
        else:
            self.charges = kept
        return answer, False

    def _judge(self, number: int, asked: dict[str, Any], at: int) -> Answer:
        if number in self.revoked:
            return "refusal", "credential_revoked", "mandate"
        if self.suspended.get(number):
            return "refusal", "credential_suspended", "mandate"
        if any(c.order == asked["order"] and c.captured for c in self.charges.values()):
            return "refusal", "order_already_paid", "order.act.order_no"
        self.expire(at, order=asked["order"])
        if any(c.order == asked["order"] and c.is_live for c in self.charges.values()):
            return "refusal", "order_already_paid", "order.act.order_no"
        for name, cap in CAPS[number].items():
            if sum(self.used(number)) + asked["amount"] > cap:
                return "refusal", "total_limit_exceeded", name
        return ("charge",)

    def capture(self, charge_id: str, amount: int, number: str | None, at: int) -> tuple[Answer, bool]:
        """The answer to a capture: a part under a number, or the last one."""
        charge = self.charges[charge_id]
        if number is not None and ("CAPTURE", number) in charge.parts:
            if charge.parts["CAPTURE", number] == amount:
                return ("charge", charge_id), True
            return ("refusal", "duplicate_capture", "amount"), False
        if number is None and charge.last == ("CAPTURED", amount):
            return ("charge", charge_id), True
        if charge.last is not None:
            return ("refusal", "charge_closed", "charge"), False
        if amount > charge.held:
            return ("refusal", "capture_exceeds_hold", "amount"), False
        if at >= charge.hold_expires_at:
            return ("refusal", "hold_expired", "charge"), False
        is_last = number is None or amount == charge.held
        charge.captured += amount
        charge.state = ChargeState.CAPTURED if is_last else ChargeState.PARTIALLY_CAPTURED
        charge.last = ("CAPTURED" if number is None else "LAST PART", amount) if is_last else None
        if number is not None:
            charge.parts["CAPTURE", number] = amount
        return ("charge", charge_id), False

    def void(self, charge_id: str) -> tuple[Answer, bool]:
        """The answer to a void."""
        charge = self.charges[charge_id]
        if charge.last is not None and charge.last[0] == "VOIDED":
            return ("charge", charge_id), True
        if charge.last is not None:
            return ("refusal", "charge_closed", "charge"), False
        charge.release(ChargeState.VOIDED)
        return ("charge", charge_id), False

    def refund(self, charge_id: str, amount: int, number: str) -> tuple[Answer, bool]:
        """The answer to a refund."""
        charge = self.charges[charge_id]
        if ("REFUND", number) in charge.parts:
            if charge.parts["REFUND", number] == amount:
                return ("charge", charge_id), True
            return ("refusal", "duplicate_refund", "amount"), False
        if amount > charge.captured - charge.refunded:
            return ("refusal", "refund_exceeds_captured", "amount"), False
        charge.refunded += amount
        charge.parts["REFUND", number] = amount
        return ("charge", charge_id), False


def _record(number: int, identity: bytes) -> MandateRecord:
    return replace(mandate(number, identity=identity), refund_restores=number in RESTORING)


def _answer(outcome: Outcome) -> Answer:
    if outcome.charge is not None:
        return "charge", outcome.charge.id
    assert outcome.refusal is not None
    return "refusal", outcome.refusal.code, outcome.refusal.where


class LedgerMachine(RuleBasedStateMachine):
    """One file, one oracle, one clock."""

    place: Place

    @initialize()
    def open(self) -> None:
        self.place = self.new_place()
        self.ledger = self.place.open()
        self.ledger.bind(PSP)
        self.oracle = Oracle()
        self.at, self.instructions = NOW_SECONDS, 0
        self.asked: list[dict[str, Any]] = []
        self.receipts: dict[bytes, Any] = {}
        self.expired: set[str] = set()
        self.rows = snapshot(self.place)

    def new_place(self) -> Place:
        """An empty one for each history."""
        self._folder = tempfile.TemporaryDirectory()
        return FilePlace(Path(self._folder.name) / "ledger.db")

    def forget_place(self) -> None:
        """Nothing of it is needed any more."""
        self._folder.cleanup()

    def teardown(self) -> None:
        if hasattr(self, "ledger"):
            self.ledger.close()
            audit(self.place)
            self.forget_place()

    @rule(
        number=st.sampled_from([1, 1, 2, 2, 3]),
        request=st.integers(1, 12),
        amount=amounts,
        order=st.tuples(st.sampled_from([SHOP, OTHER_SHOP]), st.sampled_from([f"T-{n}" for n in range(8)])),
        agent_id=st.sampled_from([AGENT, AGENT, OTHER_AGENT]),
        forged=st.sampled_from([False] * 9 + [True]),
    )
    def reserve(self, number: int, request: int, amount: int, order: tuple[str, str], agent_id: str, forged: bool) -> None:
        identity = digest("forged" if forged else "genuine", number)
        asked = {
            "number": number,
            "request": request,
            "amount": amount,
            "order": order,
            "agent_id": agent_id,
            "identity": identity,
        }
        self.asked.append(asked)
        self._reserve(asked)

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """The same bytes again: after success, refusal, capture, void, revocation or a week."""
        self._reserve(data.draw(st.sampled_from(self.asked)))

    def _reserve(self, asked: dict[str, Any]) -> None:
        record = _record(asked["number"], asked["identity"])
        payee, order_no = asked["order"]
        limits = [limit(cap, name) for name, cap in CAPS[asked["number"]].items()]
        request = reservation(
            asked["request"],
            asked["amount"],
            of=record,
            limits=limits,
            order_no=order_no,
            payee=payee,
            agent_id=asked["agent_id"],
            at=self.at,
        )
        expected, replayed = self.oracle.reserve(asked, request.request_identity, self.at)
        try:
            outcome = self.ledger.reserve(request, record, MAKE_RECEIPT)
        except Refused as refusal:
            assert (("refusal", refusal.code, refusal.where), False) == (expected, replayed)
            self._nothing_moved()
            return
        found = _answer(outcome)
        assert outcome.replayed == replayed
        assert found == expected or (expected == ("charge",) == found[:1] and outcome.charge is not None)
        if replayed:
            assert outcome.receipt == self.receipts[request.request_identity]
            self._nothing_moved()
            return
        self.receipts[request.request_identity] = outcome.receipt
        self.oracle.answers[asked["number"], asked["agent_id"], asked["request"]] = (request.request_identity, found)
        if outcome.charge is not None:
            held = Charge(asked["number"], asked["order"], asked["amount"], self.at + HOLD_SECONDS)
            assert outcome.charge.id not in self.oracle.charges
            self.oracle.charges[outcome.charge.id] = held
            self._moved({"mandate", "entry", "request", "charge"}, among={"account", "counter"})  # one hold may replace another
        else:
            self._moved({"mandate", "entry", "request"}, among={"account", "charge", "counter"})
        self._learn_expiries()

    @precondition(lambda self: self.oracle.charges)
    @rule(data=st.data(), number=st.sampled_from([None, None, "S-1", "S-2"]))
    def capture(self, data: st.DataObject, number: str | None) -> None:
        charge_id = data.draw(st.sampled_from(list(self.oracle.charges)))
        held = self.oracle.charges[charge_id].held or self.oracle.charges[charge_id].amount
        amount = data.draw(st.sampled_from([held, held, 1, (held + 1) // 2, min(held + 1, 2**63 - 1)]))
        expected = self.oracle.capture(charge_id, amount, number, self.at)
        self._step(expected, lambda: self.ledger.capture(charge_id, amount, self.at, MAKE_RECEIPT, capture_no=number))

    @precondition(lambda self: self.oracle.charges)
    @rule(data=st.data())
    def void(self, data: st.DataObject) -> None:
        charge_id = data.draw(st.sampled_from(list(self.oracle.charges)))
        self._step(self.oracle.void(charge_id), lambda: self.ledger.void(charge_id, self.at, MAKE_RECEIPT))

    @precondition(lambda self: self.oracle.charges)
    @rule(data=st.data(), number=st.sampled_from(["R-1", "R-2", "R-3"]))
    def refund(self, data: st.DataObject, number: str) -> None:
        charge_id = data.draw(st.sampled_from(list(self.oracle.charges)))
        charge = self.oracle.charges[charge_id]
        left = charge.captured - charge.refunded or 1
        amount = data.draw(st.sampled_from([left, (left + 1) // 2, min(left + 1, 2**63 - 1)]))
        expected = self.oracle.refund(charge_id, amount, number)
        self._step(expected, lambda: self.ledger.refund(charge_id, amount, number, self.at, MAKE_RECEIPT))

    def _step(self, expected: tuple[Answer, bool], call: Callable[[], Outcome]) -> None:
        """Something that happens to one charge: it moves as the oracle says, or nothing does."""
        try:
            outcome = call()
        except Refused as refusal:
            assert (("refusal", refusal.code, refusal.where), False) == expected
            self._nothing_moved()
            return
        assert (_answer(outcome), outcome.replayed) == expected
        if outcome.replayed:
            self._nothing_moved()
            return
        self._moved({"mandate", "entry", "charge"}, among={"counter", "part"})
        assert outcome.charge is not None
        if outcome.charge.state is ChargeState.VOIDED:  # from now on a repetition is told of the void
            self.receipts[outcome.charge.request_identity] = outcome.receipt

    @rule(most=st.integers(1, 3))
    def expire(self, most: int) -> None:
        """The sweep: mandate by mandate, of which it may take the last one's holds in part."""
        ended = {key for key, c in self.oracle.charges.items() if c.held and self.at >= c.hold_expires_at}
        outcomes = self.ledger.expire(self.at, most, MAKE_RECEIPT)
        found = [outcome.charge.id for outcome in outcomes if outcome.charge is not None]
        assert len(found) == len(set(found)) == min(most, len(ended))
        assert ended.issuperset(found)
        for charge_id, outcome in zip(found, outcomes, strict=True):
            self.oracle.charges[charge_id].release(ChargeState.EXPIRED)
            if self.oracle.charges[charge_id].state is ChargeState.EXPIRED:
                assert outcome.charge is not None
                self.receipts[outcome.charge.request_identity] = outcome.receipt
        self.rows = snapshot(self.place)

    def _learn_expiries(self) -> None:
        """A payment may have closed holds on its way: from now on a repetition of theirs is told so."""
        expired = {key: c.mandate for key, c in self.oracle.charges.items() if c.state is ChargeState.EXPIRED}
        unknown = expired.keys() - self.expired
        for number in {expired[key] for key in unknown}:
            stored = self.ledger.receipts(mandate(number).key)
            for receipt, each in zip(stored, map(recorded_receipt, stored), strict=True):
                if each.kind is EntryKind.EXPIRED and each.trade_no in unknown and each.request is not None:
                    self.receipts[each.request] = receipt
        self.expired |= unknown

    @rule(number=st.sampled_from([1, 2, 3]), chance=st.integers(0, 3))
    def revoke(self, number: int, chance: int) -> None:
        if chance:  # seldom, or there would be little left to do
            return
        identity = self.oracle.pinned.setdefault(number, digest("genuine", number))
        outcome = self.ledger.revoke(_record(number, identity), self.at, MAKE_RECEIPT)
        assert outcome.replayed == (number in self.oracle.revoked)
        self.oracle.revoked.add(number)
        if outcome.replayed:
            self._nothing_moved()
        else:
            self.oracle.expire(self.at, [number])
            self._moved({"mandate", "entry"}, among={"account", "charge", "counter"})
            self._learn_expiries()

    @rule(
        number=st.sampled_from([1, 2, 3]),
        action=st.sampled_from([LifecycleAction.SUSPEND, *[LifecycleAction.RESUME] * 3]),  # or there would be little left to do
        causer=st.sampled_from([Causer.PRINCIPAL, Causer.RISK_CONTROL]),
    )
    def change(self, number: int, action: LifecycleAction, causer: Causer) -> None:
        stops, is_stop = self.oracle.suspended.setdefault(number, set()), action is LifecycleAction.SUSPEND
        record = _record(number, self.oracle.pinned.get(number, digest("genuine", number)))
        self.instructions += 1
        by = cause(self.instructions, causer)
        if number in self.oracle.revoked or (causer not in stops and not is_stop):
            with refused("transition_not_allowed", "mandate"):
                self.ledger.change(record, (), action, by, self.at, MAKE_RECEIPT)
            self._nothing_moved()
            return
        outcome = self.ledger.change(record, (), action, by, self.at, MAKE_RECEIPT)
        assert outcome.replayed == (is_stop and causer in stops)
        self.oracle.pinned[number] = record.identity
        (stops.add if is_stop else stops.discard)(causer)
        assert outcome.standing == Standing(suspended_by=frozenset(stops))
        if outcome.replayed:
            self._moved({"instruction"}, among=set())
        else:
            self.oracle.expire(self.at, [number])
            self._moved({"mandate", "entry", "instruction"}, among={"account", "charge", "counter"})
            self._learn_expiries()
        assert self.ledger.change(record, (), action, by, self.at, MAKE_RECEIPT) == replace(outcome, replayed=True)
        self._nothing_moved()

    @rule(seconds=st.sampled_from([1, 3_600, HOLD_SECONDS // 2, HOLD_SECONDS - 1]))
    def pass_time(self, seconds: int) -> None:
        self.at += seconds

    def _nothing_moved(self) -> None:
        assert snapshot(self.place) == self.rows

    def _moved(self, tables: set[str], among: set[str]) -> None:
        """These tables moved, and `among` others at most: an expiry on the way moves charges and counters, too."""
        rows = snapshot(self.place)
        moved = {name for name in rows if rows[name] != self.rows[name]}
        assert tables <= moved <= tables | among
        assert len(rows["request"]) == len(self.rows["request"]) + ("request" in tables)
        self.rows = rows

    @invariant()
    def counters_are_the_oracles_and_within_their_caps(self) -> None:
        for number, caps in CAPS.items():
            status = self.ledger.status(mandate(number).key)  # as it is stored, ended holds and all
            if status is None:
                assert number not in self.oracle.pinned
                continue
            mine = {key: charge for key, charge in self.oracle.charges.items() if charge.mandate == number}
            held, captured = self.oracle.used(number)
            counted = {each.name: (each.cap, each.held, each.captured) for each in status.counters}
            assert counted == ({name: (cap, held, captured) for name, cap in caps.items()} if mine else {})
            assert all(held + captured <= cap for cap in caps.values())
            assert {each.id: _stands(each) for each in status.charges} == {
                key: (charge.state, charge.amount, charge.captured, charge.refunded, charge.order)
                for key, charge in mine.items()
            }


def _stands(charge: ChargeRecord) -> tuple[ChargeState, int, int, int, tuple[str, str]]:
    return charge.state, charge.amount.minor, charge.captured_minor, charge.refunded_minor, (charge.payee, charge.order_no)


class PostgresMachine(LedgerMachine):
    """The same, of a schema on a server."""

    server: ClassVar[PostgresServer]

    def new_place(self) -> Place:
        """See `LedgerMachine.new_place`."""
        return SchemaPlace(self.server)

    def forget_place(self) -> None:
        """See `LedgerMachine.forget_place`."""
        assert isinstance(self.place, SchemaPlace)
        self.place.drop()


def _settings(fewest: int) -> settings:
    """An example here is a whole history of steps: 200,000 of them where other properties have 100,000 examples."""
    examples = max(fewest, settings().max_examples * 2 // STEPS) if settings().max_examples > 1_000 else fewest
    return settings(max_examples=examples, stateful_step_count=STEPS)


LedgerMachine.TestCase.settings = _settings(200)
test_the_ledger_and_the_oracle_agree = LedgerMachine.TestCase


def test_postgresql_and_the_oracle_agree(postgres: PostgresServer) -> None:
    PostgresMachine.server = postgres
    run_state_machine_as_test(PostgresMachine, settings=_settings(25))

"""A ledger and a few lines of arithmetic agree, whatever is asked of both in whatever order.

The oracle keeps its state in dicts and knows nothing of files, transactions or receipts. After every step the counters are the
oracle's, no limit is exceeded, and a call that was refused or repeated has changed nothing but what ledger rule 5 says.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from act.errors import Refused
from act.payment.ledger import HOLD_SECONDS, ChargeRecord, ChargeState, Outcome
from act.stores.sqlite import SqliteLedger
from tests.support.fold import audit
from tests.support.reservations import MAKE_RECEIPT, TOTAL, digest, limit, mandate, reservation
from tests.support.world import AGENT, NOW_SECONDS, OTHER_AGENT, OTHER_SHOP, PSP, SHOP, snapshot

STEPS: Final = 40
DAY: Final = "ext.quota.day"
CAPS: Final = {1: {TOTAL: 10_000}, 2: {TOTAL: 5_000, DAY: 3_000}, 3: {TOTAL: 2**63 - 1}}

amounts = st.integers(1, 3_001) | st.sampled_from([1, 3_000, 5_000, 5_001, 10_000, 10_001, 2**63 - 1])
Answer = tuple[str, ...]
"""("charge", id) or ("refusal", code, where)."""


@dataclass
class Charge:
    mandate: int
    order: tuple[str, str]
    amount: int
    hold_expires_at: int
    state: ChargeState = ChargeState.HELD
    captured: int = 0


@dataclass
class Oracle:
    """What the ledger promises, as arithmetic. Every method answers with an `Answer`, and whether it is a repeated one."""

    pinned: dict[int, bytes] = field(default_factory=dict)
    revoked: set[int] = field(default_factory=set)
    answers: dict[tuple[int, str, int], tuple[bytes, Answer]] = field(default_factory=dict)
    charges: dict[str, Charge] = field(default_factory=dict)

    def used(self, number: int) -> tuple[int, int]:
        """What is held and captured under a mandate, by adding up its charges."""
        mine = [charge for charge in self.charges.values() if charge.mandate == number]
        return sum(c.amount for c in mine if c.state is ChargeState.HELD), sum(c.captured for c in mine)

    def reserve(self, asked: dict[str, Any], request_identity: bytes) -> tuple[Answer, bool]:
        """The answer to a request; ("charge",) for one that has to get a charge, whose id the ledger chooses."""
        number = asked["number"]
        known = self.answers.get((number, asked["agent_id"], asked["request"]))
        if known is not None:
            return (
                (known[1], True) if known[0] == request_identity else (("refusal", "duplicate_request", "request.cti"), False)
            )
        if self.pinned.get(number, asked["identity"]) != asked["identity"]:
            return ("refusal", "credential_conflict", "mandate.delegation_id"), False
        answer = self._judge(number, asked)
        if answer[1:2] != ("order_already_paid",):
            self.pinned[number] = asked["identity"]
        return answer, False

    def _judge(self, number: int, asked: dict[str, Any]) -> Answer:
        if number in self.revoked:
            return "refusal", "credential_revoked", "mandate"
        if any(c.order == asked["order"] and c.state is not ChargeState.VOIDED for c in self.charges.values()):
            return "refusal", "order_already_paid", "order.act.order_no"
        for name, cap in CAPS[number].items():
            if sum(self.used(number)) + asked["amount"] > cap:
                return "refusal", "total_limit_exceeded", name
        return ("charge",)

    def close(self, charge_id: str, to: ChargeState, amount: int, at: int) -> tuple[Answer, bool]:
        """The answer to a capture (of an amount) or a void (of 0)."""
        charge = self.charges[charge_id]
        if charge.state is to and charge.captured == amount:
            return ("charge", charge_id), True
        if charge.state is not ChargeState.HELD:
            return ("refusal", "charge_closed", "charge"), False
        if amount > charge.amount:
            return ("refusal", "capture_exceeds_hold", "amount"), False
        if amount and at >= charge.hold_expires_at:
            return ("refusal", "hold_expired", "charge"), False
        charge.state, charge.captured = to, amount
        return ("charge", charge_id), False


def _answer(outcome: Outcome) -> Answer:
    if outcome.charge is not None:
        return "charge", outcome.charge.id
    assert outcome.refusal is not None
    return "refusal", outcome.refusal.code, outcome.refusal.where


class LedgerMachine(RuleBasedStateMachine):
    """One file, one oracle, one clock."""

    @initialize()
    def open(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.path = Path(self._folder.name) / "ledger.db"
        self.ledger = SqliteLedger(self.path)
        self.ledger.bind(PSP)
        self.oracle = Oracle()
        self.at = NOW_SECONDS
        self.asked: list[dict[str, Any]] = []
        self.receipts: dict[bytes, Any] = {}
        self.rows = snapshot(self.path)

    def teardown(self) -> None:
        if hasattr(self, "ledger"):
            self.ledger.close()
            audit(self.path)
            self._folder.cleanup()

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
        record = mandate(asked["number"], identity=asked["identity"])
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
        expected, replayed = self.oracle.reserve(asked, request.request_identity)
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
            self._moved({"mandate", "entry", "request", "charge", "debit", "counter"})
        else:
            self._moved({"mandate", "entry", "request"})

    @precondition(lambda self: self.oracle.charges)
    @rule(data=st.data(), to=st.sampled_from([ChargeState.CAPTURED, ChargeState.VOIDED]))
    def close(self, data: st.DataObject, to: ChargeState) -> None:
        charge_id = data.draw(st.sampled_from(list(self.oracle.charges)))
        held = self.oracle.charges[charge_id].amount
        amount = data.draw(st.sampled_from([held, held, 1, (held + 1) // 2, held + 1])) if to is ChargeState.CAPTURED else 0
        expected, replayed = self.oracle.close(charge_id, to, amount, self.at)
        try:
            if to is ChargeState.CAPTURED:
                outcome = self.ledger.capture(charge_id, amount, self.at, MAKE_RECEIPT)
            else:
                outcome = self.ledger.void(charge_id, self.at, MAKE_RECEIPT)
        except Refused as refusal:
            assert (("refusal", refusal.code, refusal.where), False) == (expected, replayed)
            self._nothing_moved()
            return
        assert (_answer(outcome), outcome.replayed) == (expected, replayed)
        if replayed:
            self._nothing_moved()
        else:
            self._moved({"mandate", "entry", "charge", "counter"})
            if outcome.charge is not None and to is ChargeState.VOIDED:  # from now on a repetition is told of the void
                self.receipts[outcome.charge.request_identity] = outcome.receipt

    @rule(number=st.sampled_from([1, 2, 3]), chance=st.integers(0, 3))
    def revoke(self, number: int, chance: int) -> None:
        if chance:  # seldom, or there would be little left to do
            return
        identity = self.oracle.pinned.setdefault(number, digest("genuine", number))
        outcome = self.ledger.revoke(mandate(number, identity=identity), self.at, MAKE_RECEIPT)
        assert outcome.replayed == (number in self.oracle.revoked)
        self.oracle.revoked.add(number)
        if outcome.replayed:
            self._nothing_moved()
        else:
            self._moved({"mandate", "entry"})

    @rule(seconds=st.sampled_from([1, 3_600, HOLD_SECONDS // 2, HOLD_SECONDS - 1]))
    def pass_time(self, seconds: int) -> None:
        self.at += seconds

    def _nothing_moved(self) -> None:
        assert snapshot(self.path) == self.rows

    def _moved(self, tables: set[str]) -> None:
        rows = snapshot(self.path)
        assert {name for name in rows if rows[name] != self.rows[name]} == tables
        assert len(rows["entry"]) == len(self.rows["entry"]) + 1
        assert len(rows["request"]) == len(self.rows["request"]) + ("request" in tables)
        self.rows = rows

    @invariant()
    def counters_are_the_oracles_and_within_their_caps(self) -> None:
        for number, caps in CAPS.items():
            status = self.ledger.status(mandate(number).key)
            if status is None:
                assert number not in self.oracle.pinned
                continue
            mine = {key: charge for key, charge in self.oracle.charges.items() if charge.mandate == number}
            held, captured = self.oracle.used(number)
            counted = {each.name: (each.cap, each.held, each.captured) for each in status.counters}
            assert counted == ({name: (cap, held, captured) for name, cap in caps.items()} if mine else {})
            assert all(held + captured <= cap for cap in caps.values())
            assert {each.id: _stands(each) for each in status.charges} == {
                key: (charge.state, charge.amount, charge.captured, charge.order) for key, charge in mine.items()
            }


def _stands(charge: ChargeRecord) -> tuple[ChargeState, int, int, tuple[str, str]]:
    return charge.state, charge.amount.minor, charge.captured_minor, (charge.payee, charge.order_no)


# An example here is a whole history of steps, so fewer of them are as many as other properties have.
LedgerMachine.TestCase.settings = settings(max_examples=max(200, settings().max_examples // STEPS), stateful_step_count=STEPS)
test_the_ledger_and_the_oracle_agree = LedgerMachine.TestCase

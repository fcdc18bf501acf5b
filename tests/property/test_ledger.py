"""A ledger and a few lines of arithmetic agree, whatever is asked of both in whatever order.

After every step everything that can be read is what `tests.support.model` says, no limit is exceeded, and a call that was
refused or repeated has changed nothing but what ledger rule 5 says.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
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

from act.delegation.lifecycle import Causer, LifecycleAction
from act.errors import Refused
from act.payment.charge import HOLD_SECONDS
from act.payment.ledger import EntryKind, Outcome
from act.payment.receipt import recorded_receipt
from tests.support.choices import promised
from tests.support.fold import audit
from tests.support.ledger_clients import ask, record_of, request_of, status_told, told
from tests.support.model import (
    Call,
    Cap,
    Capture,
    Change,
    Charge,
    Expire,
    Mandate,
    Refund,
    Reserve,
    Revoke,
    State,
    Status,
    Void,
    step,
)
from tests.support.places import FilePlace, Place, SchemaPlace
from tests.support.postgres import PostgresServer
from tests.support.reservations import MAKE_RECEIPT, TOTAL, cause, digest, mandate
from tests.support.world import AGENT, NOW_SECONDS, OTHER_AGENT, OTHER_SHOP, PSP, SHOP, snapshot

STEPS: Final = 40
DAY: Final = "ext.quota.day"
CAPS: Final = {
    1: (Cap(TOTAL, 10_000),),
    2: (Cap(TOTAL, 5_000), Cap(DAY, 3_000)),
    3: (Cap(TOTAL, 2**63 - 1),),
}
RESTORING: Final = (2,)
"""Mandates whose refunds can be spent again."""

amounts = st.integers(1, 3_001) | st.sampled_from([1, 3_000, 5_000, 5_001, 10_000, 10_001, 2**63 - 1])


def _mandate(number: int, identity: bytes) -> Mandate:
    return Mandate(number, identity, restores=number in RESTORING)


class LedgerMachine(RuleBasedStateMachine):
    """One file, one model, one clock."""

    place: Place

    @initialize()
    def open(self) -> None:
        self.place = self.new_place()
        self.ledger = self.place.open()
        self.ledger.bind(PSP)
        self.state = State()
        self.at, self.instructions = NOW_SECONDS, 0
        self.asked: list[Reserve] = []
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
        of = _mandate(number, digest("forged" if forged else "genuine", number))
        identity = digest("request", of.identity, agent_id, request, amount, order)
        self.asked.append(Reserve(of, agent_id, request, identity, order, amount, CAPS[number], self.at))
        self._reserve(self.asked[-1])

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """The same bytes again: after success, refusal, capture, void, revocation or a week."""
        self._reserve(data.draw(st.sampled_from(self.asked)))

    def _reserve(self, asked: Reserve) -> None:
        asked = asked._replace(at=self.at)
        try:
            outcome = self.ledger.reserve(request_of(asked), record_of(asked.mandate), MAKE_RECEIPT)
        except Refused as refusal:
            self._agree(asked, ("refused", refusal.code, refusal.where, False))
            self._nothing_moved()
            return
        self._agree(asked._replace(charge=outcome.charge.id if outcome.charge else ""), told(outcome))
        if outcome.replayed:
            assert outcome.receipt == self.receipts[asked.identity]
            self._nothing_moved()
            return
        self.receipts[asked.identity] = outcome.receipt
        if outcome.charge is not None:
            self._moved({"mandate", "entry", "request", "charge"}, among={"account", "counter"})  # one hold may replace another
        else:
            self._moved({"mandate", "entry", "request"}, among={"account", "charge", "counter"})
        self._learn_expiries()

    @precondition(lambda self: self.state.charges)
    @rule(data=st.data(), number=st.sampled_from([None, None, "S-1", "S-2"]))
    def capture(self, data: st.DataObject, number: str | None) -> None:
        charge = self._draw_charge(data)
        held = charge.held or charge.amount
        amount = data.draw(st.sampled_from([held, (held + 1) // 2, min(held + 1, 2**63 - 1)]))
        call = Capture(charge.mandate, charge.id, amount, number, self.at)
        self._step(call, lambda: self.ledger.capture(charge.id, amount, self.at, MAKE_RECEIPT, capture_no=number))

    @precondition(lambda self: self.state.charges)
    @rule(data=st.data())
    def void(self, data: st.DataObject) -> None:
        charge = self._draw_charge(data)
        call = Void(charge.mandate, charge.id, self.at)
        self._step(call, lambda: self.ledger.void(charge.id, self.at, MAKE_RECEIPT))

    @precondition(lambda self: self.state.charges)
    @rule(data=st.data(), number=st.sampled_from(["R-1", "R-2", "R-3"]))
    def refund(self, data: st.DataObject, number: str) -> None:
        charge = self._draw_charge(data)
        left = charge.captured - charge.refunded or 1
        amount = data.draw(st.sampled_from([left, (left + 1) // 2, min(left + 1, 2**63 - 1)]))
        call = Refund(charge.mandate, charge.id, amount, number, self.at)
        self._step(call, lambda: self.ledger.refund(charge.id, amount, number, self.at, MAKE_RECEIPT))

    def _draw_charge(self, data: st.DataObject) -> Charge:
        return data.draw(st.sampled_from(self.state.charges))

    def _step(self, call: Call, do: Callable[[], Outcome]) -> None:
        """Something that happens to one charge: it moves as the model says, or nothing does."""
        try:
            outcome = do()
        except Refused as refusal:
            self._agree(call, ("refused", refusal.code, refusal.where, False))
            self._nothing_moved()
            return
        self._agree(call, told(outcome))
        if outcome.replayed:
            self._nothing_moved()
            return
        self._moved({"mandate", "entry", "charge"}, among={"counter", "part"})
        assert outcome.charge is not None
        if outcome.charge.state == "VOIDED":  # from now on a repetition is told of the void
            self.receipts[outcome.charge.request_identity] = outcome.receipt

    @rule(most=st.integers(1, 3))
    def expire(self, most: int) -> None:
        """The sweep: mandate by mandate, of which it may take the last one's holds in part."""
        ended = {each.id: each.mandate for each in self.state.charges if each.has_ended(self.at)}
        outcomes = self.ledger.expire(self.at, most, MAKE_RECEIPT)
        found = [outcome.charge.id for outcome in outcomes if outcome.charge is not None]
        assert len(found) == min(most, len(ended))
        while found:
            number = ended[found[0]]
            closed = [each for each in found if ended[each] == number]
            self._agree(Expire(number, most, self.at), ("expired", *closed))
            found, most = found[len(closed) :], most - len(closed)
        for outcome in outcomes:
            if outcome.charge is not None and outcome.charge.state == "EXPIRED":
                self.receipts[outcome.charge.request_identity] = outcome.receipt
        self.rows = snapshot(self.place)

    def _learn_expiries(self) -> None:
        """A payment may have closed holds on its way: from now on a repetition of theirs is told so."""
        expired = {each.id: each.mandate for each in self.state.charges if each.state == "EXPIRED"}
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
        of = self.state.mandate(number) or _mandate(number, digest("genuine", number))
        outcome = self.ledger.revoke(record_of(of), self.at, MAKE_RECEIPT)
        self._agree(Revoke(of, self.at), ("revoked", outcome.replayed))
        if outcome.replayed:
            self._nothing_moved()
        else:
            self._moved({"mandate", "entry"}, among={"account", "charge", "counter"})
            self._learn_expiries()

    @rule(
        number=st.sampled_from([1, 2, 3]),
        action=st.sampled_from([LifecycleAction.SUSPEND, *[LifecycleAction.RESUME] * 3]),  # or there would be little left to do
        causer=st.sampled_from([Causer.PRINCIPAL, Causer.RISK_CONTROL]),
    )
    def change(self, number: int, action: LifecycleAction, causer: Causer) -> None:
        of = self.state.mandate(number) or _mandate(number, digest("genuine", number))
        call = Change(of, action is LifecycleAction.RESUME, causer.value, self.at)
        self.instructions += 1
        by = cause(self.instructions, causer)
        try:
            outcome = self.ledger.change(record_of(of), (), action, by, self.at, MAKE_RECEIPT)
        except Refused as refusal:
            self._agree(call, ("refused", refusal.code, refusal.where, False))
            self._nothing_moved()
            return
        assert outcome.standing is not None
        self._agree(call, ("standing", tuple(sorted(each.value for each in outcome.standing.suspended_by)), outcome.replayed))
        if outcome.replayed:
            self._moved({"instruction"}, among=set())
        else:
            self._moved({"mandate", "entry", "instruction"}, among={"account", "charge", "counter"})
            self._learn_expiries()
        assert self.ledger.change(record_of(of), (), action, by, self.at, MAKE_RECEIPT) == replace(outcome, replayed=True)
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

    def _agree(self, call: Call, answer: tuple[Any, ...]) -> None:
        self.state, expected = step(self.state, call)
        assert answer == expected

    @invariant()
    def what_is_known_is_the_models_and_within_the_caps(self) -> None:
        for number in CAPS:
            assert ask(self.ledger, Status(number, self.at)) == step(self.state, Status(number, self.at))[1]
            status = self.ledger.status(mandate(number).key)  # as it is stored, ended holds and all
            assert status_told(status) == step(self.state, Status(number))[1]
            if status is not None:
                assert all(each.held + each.captured <= each.cap for each in status.counters)
                orders = [(each.id, each.amount.minor, (each.payee, each.order_no)) for each in status.charges]
                assert orders == [(each.id, each.amount, each.order) for each in self.state.of(number)]


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
    examples = promised.max_examples * 2 // STEPS if promised.max_examples > 1_000 else fewest
    return settings(max_examples=examples, stateful_step_count=STEPS)


LedgerMachine.TestCase.settings = _settings(200)
test_the_ledger_and_the_oracle_agree = LedgerMachine.TestCase


def test_postgresql_and_the_oracle_agree(postgres: PostgresServer) -> None:
    PostgresMachine.server = postgres
    run_state_machine_as_test(PostgresMachine, settings=_settings(25))

"""act.stores.sql.batches: one thread leads, the others are woken once, and nobody is waited for who was interrupted.

CPython looks for signals where a function begins, after a call and where a loop goes round. The tests of interruptions raise
one at each of these places in turn, which is every place at which a thread can be interrupted.
"""

from __future__ import annotations

import dis
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

import pytest

import act.stores.sql.batches as module
from act.stores.sql.batches import Batches, Ticket

PATIENCE_SECONDS: Final = 20
_BEGIN: Final = dis.opmap["RESUME"]
_ROUND: Final = {code for name, code in dis.opmap.items() if name.startswith("JUMP_BACKWARD")}
_CALL: Final = {dis.opmap[name] for name in ("CALL", "CALL_FUNCTION_EX")}


class Interruption(BaseException):
    """What a signal's handler raises."""


class Interrupted:
    """Calls something in a thread of its own and interrupts it at the n-th place; `was` says whether there were so many."""

    def __init__(self, call: Callable[[], object], place: int) -> None:
        self._call, self._left, self.was = call, place, False
        self._before: dict[int, int] = {}
        self.raised: BaseException | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        sys.settrace(self._trace)
        try:
            self._call()
        except BaseException as error:  # noqa: BLE001 - looked at by the test
            self.raised = error
        finally:
            sys.settrace(None)

    def _trace(self, frame: FrameType, event: str, argument: object) -> Any:
        if frame.f_code.co_filename not in {module.__file__, threading.__file__}:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode":
            operation, before = frame.f_code.co_code[frame.f_lasti], self._before.get(id(frame))
            self._before[id(frame)] = operation
            if operation == _BEGIN or operation in _ROUND or before in _CALL:
                self._left -= 1
                if not self._left:
                    self.was = True
                    sys.settrace(None)
                    raise Interruption
        return self._trace


class Desk:
    """Batches of up to eight that answer with what was asked; the first waits for the gate."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.batches: Batches[Any] = Batches(self._process, 8)
        self.answers: dict[Any, Any] = {}
        self.threads: list[threading.Thread] = []

    def _process(self, batch: list[Ticket[Any]]) -> None:
        if batch[0].asked == "first":
            assert self.gate.wait(PATIENCE_SECONDS)
        for ticket in batch:
            ticket.succeed(ticket.asked)

    def ask(self, what: Any) -> threading.Thread:
        def run() -> None:
            self.answers[what] = self.batches.run(what)

        self.threads.append(threading.Thread(target=run, daemon=True))
        self.threads[-1].start()
        return self.threads[-1]

    def begin(self) -> None:
        """One is under way until the gate opens."""
        self.ask("first")
        until(lambda: self.batches._leader is not None)

    def queued(self) -> set[Any]:
        return {ticket.asked for ticket in self.batches._queue}

    def end(self, *others: threading.Thread) -> None:
        """Opens the gate: everybody comes through, and whoever comes later as well."""
        self.gate.set()
        for thread in (*self.threads, *others):
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive(), "somebody waits for ever"
        last = self.ask("last")
        last.join(PATIENCE_SECONDS)
        assert not last.is_alive(), "whoever comes later waits for ever"
        assert all(asked == answer for asked, answer in self.answers.items())
        assert len(self.answers) == len(self.threads)
        assert not self.batches._queue
        assert self.batches._leader is None


def until(is_so: Callable[[], bool]) -> None:
    patience = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < patience
        time.sleep(0)


def alone(desk: Desk, place: int) -> Interrupted:
    interrupted = Interrupted(lambda: desk.batches.run("own"), place)
    interrupted.thread.join(PATIENCE_SECONDS)
    desk.end(interrupted.thread)
    return interrupted


def waiting(desk: Desk, place: int) -> Interrupted:
    """It comes while another one is under way, others come after it, and it leads them."""
    desk.begin()
    interrupted = Interrupted(lambda: desk.batches.run_all(["own", "own as well"]), place)
    until(lambda: "own" in desk.queued() or not interrupted.thread.is_alive())
    desk.ask(1)
    desk.ask(2)
    until(lambda: desk.queued() >= {1, 2})
    desk.end(interrupted.thread)
    return interrupted


def pausing(desk: Desk, place: int) -> Interrupted:
    """It pauses while one is under way and others wait."""
    desk.begin()

    def pause() -> None:
        with desk.batches.paused():
            assert not desk.batches._under_way

    interrupted = Interrupted(pause, place)
    until(lambda: bool(desk.batches._pausing) or not interrupted.thread.is_alive())
    desk.ask(1)
    until(lambda: desk.queued() >= {1})
    desk.end(interrupted.thread)
    return interrupted


@pytest.mark.parametrize(("scene", "least"), [(alone, 15), (waiting, 20), (pausing, 10)])
def test_nobody_hangs_wherever_a_thread_is_interrupted(scene: Callable[[Desk, int], Interrupted], least: int) -> None:
    place = 1
    while True:
        found = scene(Desk(), place)
        if not found.was:
            assert found.raised is None
            break
        assert isinstance(found.raised, Interruption), place
        place += 1
    assert place > least  # so many places were found


def test_what_waits_is_done_together_and_in_the_order_of_coming() -> None:
    desk, seen = Desk(), []
    process = desk.batches._process

    def note(batch: list[Ticket[Any]]) -> None:
        seen.append([ticket.asked for ticket in batch])
        process(batch)

    desk.batches._process = note  # type: ignore[misc]
    desk.begin()
    for number in range(10):
        desk.ask(number)
        until(lambda number=number: number in desk.queued())  # type: ignore[misc]
    desk.end()
    assert seen == [["first"], list(range(8)), [8, 9], ["last"]]


def test_a_result_of_a_turn_that_was_interrupted_is_forgotten() -> None:
    """Two wait; the leader is interrupted after the other was told no, which then was never so."""
    desk = Desk()
    process, is_first = desk.batches._process, [True]

    def refuse_then_stop(batch: list[Ticket[Any]]) -> None:
        if batch[0].asked == "leader" and is_first.pop():
            batch[1].fail(KeyError("no"))
            raise Interruption
        process(batch)

    desk.batches._process = refuse_then_stop  # type: ignore[misc]
    desk.begin()
    raised: list[BaseException] = []

    def lead() -> None:
        try:
            desk.batches.run("leader")
        except Interruption as error:
            raised.append(error)

    leader = threading.Thread(target=lead, daemon=True)
    leader.start()
    until(lambda: "leader" in desk.queued())
    desk.ask(1)
    until(lambda: 1 in desk.queued())
    desk.end(leader)
    assert len(raised) == 1
    assert desk.answers[1] == 1


def test_what_is_done_for_good_is_not_done_again_when_the_leader_is_interrupted() -> None:
    desk, seen = Desk(), []
    process = desk.batches._process

    def stop_when_done(batch: list[Ticket[Any]]) -> None:
        seen.append([ticket.asked for ticket in batch])
        process(batch)
        if batch[0].asked == "leader":
            for ticket in batch[:2]:
                ticket.is_done = True
            raise Interruption

    desk.batches._process = stop_when_done  # type: ignore[misc]
    desk.begin()
    leader = Interrupted(lambda: desk.batches.run("leader"), 1_000_000)
    until(lambda: "leader" in desk.queued())
    for number in (1, 2):
        desk.ask(number)
        until(lambda number=number: number in desk.queued())  # type: ignore[misc]
    desk.end(leader.thread)
    assert isinstance(leader.raised, Interruption)
    assert seen == [["first"], ["leader", 1, 2], [2], ["last"]]


def test_whoever_went_is_not_given_the_turn_when_a_batch_is_taken_up_again() -> None:
    """Its thread was interrupted while its work was under way; then the leader was, too."""
    desk, lead_on = Desk(), threading.Event()
    process, gone = desk.batches._process, Ticket[Any]("gone")

    def stop(batch: list[Ticket[Any]]) -> None:
        if batch[0].asked == "leader":
            assert lead_on.wait(PATIENCE_SECONDS)
            raise Interruption
        process(batch)

    desk.batches._process = stop  # type: ignore[misc]
    desk.begin()
    leader = Interrupted(lambda: desk.batches.run("leader"), 1_000_000)
    until(lambda: "leader" in desk.queued())
    desk.batches._queue.append(gone)
    desk.ask(1)
    until(lambda: 1 in desk.queued())
    desk.gate.set()
    until(lambda: len(desk.batches._under_way) == 3)
    desk.batches._leave([gone])
    lead_on.set()
    desk.end(leader.thread)
    assert not gone.is_done


def test_two_who_pause_take_turns_before_those_who_wait() -> None:
    desk, order = Desk(), []
    desk.begin()

    def pause(name: str) -> None:
        with desk.batches.paused():
            order.append(name)
            assert not desk.answers.get(1)

    pausers = [threading.Thread(target=pause, args=(name,), daemon=True) for name in "ab"]
    for count, thread in enumerate(pausers, 1):
        thread.start()
        until(lambda count=count: len(desk.batches._pausing) == count)  # type: ignore[misc]
    desk.ask(1)
    until(lambda: 1 in desk.queued())
    desk.end(*pausers)
    assert sorted(order) == ["a", "b"]


def test_nothing_asked_takes_no_turn() -> None:
    assert Desk().batches.run_all([]) == []

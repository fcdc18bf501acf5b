"""Clients of one ledger in processes of their own, any of which may be killed in the middle of a call.

Workers are forked from a process that has loaded everything, so that killing one costs little. What a client begins and what it
hears goes down a pipe at once; whatever its last call was when it was killed stays without an answer.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from multiprocessing.connection import Connection, wait
from typing import Any, Final, NamedTuple

from act.payment.ledger import Ledger
from act.stores.postgres import PostgresLedger
from act.stores.sqlite import SqliteLedger
from tests.support.ledger_clients import CLIENTS, Client, History, Plan, draw_plan

__all__ = ["STORES", "Workers"]


def _open_schema(place: str) -> PostgresLedger:
    address, _, schema = place.rpartition("#")
    return PostgresLedger(address, schema=schema)


STORES: Final[dict[str, Callable[[str], Any]]] = {"sqlite": SqliteLedger, "postgres": _open_schema}
"""How a process opens a ledger, by the name of its store: what is opened is a `Ledger` with `close`. A place is a path, or a
server's address, `#` and a schema."""

_START: Final = multiprocessing.get_context("forkserver")
_START.set_forkserver_preload([__name__])


class _Task(NamedTuple):
    """What a worker shall do: be client `number` of the plan of `seed`, on the ledger at `place`."""

    store: str
    place: str
    seed: int
    calls: int
    number: int


class Workers:
    """As many processes as a plan has clients. Leaving the block ends them."""

    def __init__(self, store: str, count: int = CLIENTS) -> None:
        self._store = store
        self._workers = [_Worker() for _ in range(count)]

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *exception: object) -> None:
        for worker in self._workers:
            worker.kill()

    def run(self, place: str, seed: int, calls: int = 60, *, kill: random.Random | None = None) -> History:
        """The history of a plan on the ledger at `place`. With `kill`, one client is killed somewhere on its way."""
        plan = draw_plan(seed, calls, len(self._workers))
        for number, worker in enumerate(self._workers):
            worker.pipe.send(_Task(self._store, place, seed, calls, number))
        for worker in self._workers:
            assert worker.pipe.recv() == "ready"
        for worker in self._workers:
            worker.pipe.send("go")
        victim, after = None, 0
        if kill is not None:
            victim, after = self._workers[kill.randrange(len(self._workers))], kill.randrange(1, calls // 3)
        history = self._listen(plan, victim, after)
        self._workers = [_Worker() if worker.is_dead else worker for worker in self._workers]
        return history

    def _listen(self, plan: Plan, victim: _Worker | None, after: int) -> History:
        """Hears every client out."""
        history = History()
        say = {worker.pipe: history.client(number) for number, worker in enumerate(self._workers)}
        while say:
            for pipe in wait(list(say)):
                assert isinstance(pipe, Connection)
                try:
                    word = pipe.recv()
                except (EOFError, OSError):  # it was killed
                    word = ("done", 0)
                if word[0] == "done":
                    assert isinstance(word[1], int), word[1]
                    history.faults += word[1]
                    del say[pipe]
                    continue
                say[pipe][word[0] == "heard"](*word[1:])
                if victim is not None and pipe is victim.pipe:
                    after -= 1
                    if after == 0:
                        victim.kill()
        assert len(plan.steps) == len(self._workers)
        return history


class _Worker:
    """One process and the pipe to it."""

    def __init__(self) -> None:
        self.pipe, theirs = _START.Pipe()
        self.process = _START.Process(target=_work, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()
        self.is_dead = False

    def kill(self) -> None:
        """Ends it with SIGKILL, if it has not ended yet. What it had said can still be read."""
        if self.is_dead:
            return
        assert self.process.pid is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.join()
        self.is_dead = True


def _work(pipe: Connection) -> None:
    """What runs in the process: one task after the other, until it is killed."""
    while True:
        task: _Task = pipe.recv()
        with _opened(task) as ledger:
            pipe.send("ready")
            assert pipe.recv() == "go"
            client = Client(
                task.number,
                draw_plan(task.seed, task.calls),
                ledger,
                lambda call, start: pipe.send(("begun", call, start)),
                lambda answer, end: pipe.send(("heard", answer, end)),
            )
            try:
                client.run()
            except Exception as failure:  # noqa: BLE001 - the test shall see it, not only this process
                pipe.send(("done", repr(failure)))
            else:
                pipe.send(("done", client.faults))


@contextmanager
def _opened(task: _Task) -> Iterator[Ledger]:
    with ExitStack() as stack:
        yield stack.enter_context(closing(STORES[task.store](task.place)))

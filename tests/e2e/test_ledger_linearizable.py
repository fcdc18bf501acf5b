"""Whatever clients of a ledger ask at the same time, their answers are those of one client after the other.

The histories are drawn from seeds, run by threads and by processes, and compared with `tests.support.model`. That this can fail
is shown with defects put into the store, each of which has to be found by nothing but what the clients were told.
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from tests.support import seeded
from tests.support.ledger_clients import History, draw_plan, run_threads
from tests.support.ledger_workers import STORES, Workers
from tests.support.linearize import Undecided, Violation
from tests.support.model import Call, State
from tests.support.seeded import Defect, Pause
from tests.support.world import PSP

FEW: Final = 50
MANY: Final = 2_000
MOST_HUNTED: Final = 500
"""In how many histories a defect has to show. The rarest shows in one of fifteen."""


MEMORY: Final = Path("/dev/shm")


@contextmanager
def _file() -> Iterator[str]:
    # What the power cannot take is another test's question: here a disk would only set the pace.
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield str(Path(folder) / "ledger.db")


class Store(NamedTuple):
    """A store by its name in `STORES`, and where it makes new ledgers."""

    name: str
    place: Callable[[], AbstractContextManager[str]]


@pytest.fixture(params=[Store("sqlite", _file)], ids=lambda store: store.name)
def store(request: pytest.FixtureRequest) -> Store:
    found: Store = request.param
    return found


@contextmanager
def opened(store: Store, place: str, count: int = 1) -> Iterator[list[Any]]:
    """So many ledger objects at one place, bound."""
    with ExitStack() as stack:
        ledgers = [stack.enter_context(closing(STORES[store.name](place))) for _ in range(count)]
        ledgers[0].bind(PSP)
        yield ledgers


def of_threads(store: Store, seed: int, objects: int = 1, pause: Pause | None = None) -> History:
    """The history of a seed, run by threads."""
    with store.place() as place, opened(store, place, objects) as ledgers:
        return run_threads(draw_plan(seed), ledgers, (pause or Pause()).client)


def require_linearizable(histories: Iterable[History]) -> None:
    """Fails with the first history that is not, in readable form; and on any call that the store failed."""
    for history in histories:
        found = history.violation()
        assert found is None, str(found)
        assert not history.faults


def seeds(few: int, many: int) -> pytest.MarkDecorator:
    """A few for everyone who runs the tests, many others for the slow ones."""
    return pytest.mark.parametrize("seeds", [range(few), pytest.param(range(few, few + many), marks=pytest.mark.slow)], ids=len)


@seeds(FEW, MANY)
def test_threads_of_one_ledger(store: Store, seeds: range) -> None:
    require_linearizable(of_threads(store, seed) for seed in seeds)


@seeds(FEW // 5, MANY // 5)
def test_threads_with_a_ledger_each(store: Store, seeds: range) -> None:
    require_linearizable(of_threads(store, seed, objects=4) for seed in seeds)


@seeds(FEW // 5, MANY // 5)
def test_processes(store: Store, seeds: range) -> None:
    require_linearizable(_of_processes(store, seeds, None))


@seeds(FEW // 5, MANY // 5)
def test_processes_of_which_one_is_killed(store: Store, seeds: range) -> None:
    require_linearizable(_of_processes(store, seeds, random.Random(seeds[0])))


def _of_processes(store: Store, seeds: range, kill: random.Random | None) -> Iterator[History]:
    with Workers(store.name) as workers:
        for seed in seeds:
            with store.place() as place:
                with opened(store, place) as (ledger,):
                    history = workers.run(place, seed, kill=kill)
                    history.settle(ledger)
                yield history


def hunt(defect: Defect, most: int) -> Iterator[History]:
    """Histories of the SQLite ledger with a defect in it."""
    for seed in range(most):
        pause = Pause()
        with pytest.MonkeyPatch.context() as patch:
            defect(patch, pause)
            history = of_threads(Store("sqlite", _file), seed, pause=pause)
        yield history


def _found(history: History) -> Violation[State, Call] | None:
    """What is wrong with a history of a defective ledger. One that is hard to decide is left for an easier one."""
    with suppress(Undecided):
        return history.violation(seconds=5)
    return None


@pytest.mark.parametrize("defect", [*seeded.OF_EVERY_STORE, *seeded.OF_SQLITE], ids=lambda defect: defect.__name__)
def test_a_defect_is_found(defect: Defect) -> None:
    found = next(filter(None, map(_found, hunt(defect, MOST_HUNTED))), None)
    assert found is not None, defect.__doc__
    assert str(found).startswith(f"not linearizable: no order fits these {len(found.events)} calls")


@pytest.mark.parametrize("defect", seeded.STOPPED_BY_THE_SCHEMA, ids=lambda defect: defect.__name__)
def test_a_defect_is_stopped_by_the_tables(defect: Defect) -> None:
    assert any(history.faults for history in hunt(defect, FEW))


def test_without_a_defect_the_same_waiting_finds_nothing() -> None:
    def waiting(patch: pytest.MonkeyPatch, pause: Pause) -> None:
        seeded.pause_before_writing(patch, pause, "reserve", "capture", "void", "refund", "status")

    require_linearizable(hunt(waiting, FEW))


def test_histories_meet_what_they_are_for(store: Store) -> None:
    events = [each for seed in range(FEW) for each in sorted(of_threads(store, seed).events, key=lambda each: each.start)]
    heard = Counter((type(each.call).__name__, *_essence(each.answer)) for each in events if each.end is not None)
    assert {name for name, count in heard.items() if count >= 3} >= MET
    meet = sum(one.end is None or one.end > other.start for one, other in pairwise(events))
    assert meet > len(events) // 10
    assert sum(each.end is None for each in events) > FEW


def _essence(answer: tuple[Any, ...]) -> tuple[Any, ...]:
    """A charge's state and whether it was told again, a refusal's code, a revocation's being told again."""
    return {"charge": (answer[2:3] + answer[-1:]), "refused": answer[1:2], "revoked": answer[1:]}.get(answer[0], ())


MET: Final = {
    ("Reserve", "HELD", False),
    ("Reserve", "HELD", True),
    ("Reserve", "CAPTURED", True),
    ("Reserve", "VOIDED", True),
    ("Reserve", "total_limit_exceeded"),
    ("Reserve", "period_amount_exceeded"),
    ("Reserve", "times_limit_exceeded"),
    ("Reserve", "order_already_paid"),
    ("Reserve", "duplicate_request"),
    ("Reserve", "credential_conflict"),
    ("Reserve", "credential_revoked"),
    ("Capture", "PARTIALLY_CAPTURED", False),
    ("Capture", "CAPTURED", False),
    ("Capture", "charge_closed"),
    ("Void", "VOIDED", False),
    ("Void", "charge_closed"),
    ("Refund", "CAPTURED", False),
    ("Refund", "refund_exceeds_captured"),
    ("Revoke", False),
    ("Revoke", True),
    ("Status",),
    ("Expire",),
}
"""What some fifty histories have to have met."""

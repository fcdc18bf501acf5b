"""Whatever clients of a ledger ask at the same time, their answers are those of one client after the other.

The histories are drawn from seeds, run by threads and by processes, and compared with `tests.support.model`. That this can fail
is shown with defects put into the store, each of which has to be found by nothing but what the clients were told.
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Protocol

import pytest

from tests.support import seeded, seeded_postgres
from tests.support.ledger_clients import History, draw_plan, run_threads
from tests.support.ledger_workers import STORES, Workers
from tests.support.linearize import Undecided, Violation
from tests.support.model import Call, State
from tests.support.places import SchemaPlace
from tests.support.postgres import PostgresServer
from tests.support.seeded import Defect, Pause
from tests.support.seeded_postgres import Stopped
from tests.support.world import PSP

MOST_HUNTED: Final = 500
"""In how many histories a defect has to show. The rarest shows in one of some thirty."""


MEMORY: Final = Path("/dev/shm")


class Store(Protocol):
    """A store by its name in `STORES`: where it makes new ledgers, and how many histories a test of everybody's and a slow one
    take of it."""

    name: str
    few: int
    many: int

    def place(self) -> AbstractContextManager[str]:
        """A new ledger's place, which is gone afterwards."""


class Files:
    """SQLite."""

    name, few, many = "sqlite", 50, 2_000

    @contextmanager
    def place(self) -> Iterator[str]:
        """See `Store.place`."""
        # What the power cannot take is another test's question: here a disk would only set the pace.
        with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
            yield str(Path(folder) / "ledger.db")


class Schemas:
    """PostgreSQL: every history in a schema of its own."""

    name, few, many = "postgres", 6, 300

    def __init__(self, server: PostgresServer) -> None:
        self._server = server

    @contextmanager
    def place(self) -> Iterator[str]:
        """See `Store.place`."""
        schema = SchemaPlace(self._server)
        yield f"{schema.address}#{schema.schema}"
        schema.drop()


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest) -> Store:
    return Files() if request.param == "sqlite" else Schemas(request.getfixturevalue("postgres"))


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


@pytest.fixture(params=["few", pytest.param("many", marks=pytest.mark.slow)])
def is_slow(request: pytest.FixtureRequest) -> bool:
    """A few histories for everyone who runs the tests, many others for the slow ones."""
    return bool(request.param == "many")


def seeds(store: Store, is_slow: bool, share: int = 1) -> range:
    """Which histories a test takes, or one of so many of them."""
    few, many = max(1, store.few // share), store.many // share
    return range(few, few + many) if is_slow else range(few)


def test_threads_of_one_ledger(store: Store, is_slow: bool) -> None:
    require_linearizable(of_threads(store, seed) for seed in seeds(store, is_slow))


def test_threads_with_a_ledger_each(store: Store, is_slow: bool) -> None:
    require_linearizable(of_threads(store, seed, objects=4) for seed in seeds(store, is_slow, 5))


def test_processes(store: Store, is_slow: bool) -> None:
    require_linearizable(_of_processes(store, seeds(store, is_slow, 5), None))


def test_processes_of_which_one_is_killed(store: Store, is_slow: bool) -> None:
    drawn = seeds(store, is_slow, 5)
    require_linearizable(_of_processes(store, drawn, random.Random(drawn[0])))


def _of_processes(store: Store, seeds: range, kill: random.Random | None) -> Iterator[History]:
    with Workers(store.name) as workers:
        for seed in seeds:
            with store.place() as place:
                with opened(store, place) as (ledger,):
                    history = workers.run(place, seed, kill=kill)
                    history.settle(ledger)
                yield history


def hunt(store: Store, defect: Defect, most: int, objects: int = 1) -> Iterator[History]:
    """Histories of a ledger with a defect in it."""
    for seed in range(most):
        pause = Pause()
        with pytest.MonkeyPatch.context() as patch:
            defect(patch, pause)
            history = of_threads(store, seed, objects, pause)
        yield history


def _found(history: History) -> Violation[State, Call] | None:
    """What is wrong with a history of a defective ledger. One that is hard to decide is left for an easier one."""
    with suppress(Undecided):
        return history.violation(seconds=5)
    return None


def _require_found(histories: Iterator[History], defect: Defect) -> None:
    found = next(filter(None, map(_found, histories)), None)
    assert found is not None, defect.__doc__
    assert str(found).startswith(f"not linearizable: no order fits these {len(found.events)} calls")


def _each(defects: Iterable[Defect], of_everybody: Iterable[Defect] = ()) -> pytest.MarkDecorator:
    """Each defect; slow ones are those that are not `of_everybody`."""
    everybody = set(of_everybody)
    marked = [pytest.param(each, id=each.__name__, marks=[] if each in everybody else [pytest.mark.slow]) for each in defects]
    return pytest.mark.parametrize("defect", marked)


IN_FILES: Final = (*seeded.OF_EVERY_STORE, *seeded.OF_SQLITE)
IN_SCHEMAS: Final = (*seeded.OF_EVERY_STORE, *seeded_postgres.OF_ONE_LEDGER, *seeded_postgres.OF_POSTGRES)
QUICKLY_FOUND: Final = (
    seeded.void_lost,
    seeded_postgres.decided_before_the_lock,
    seeded_postgres.order_not_looked_at,
    seeded_postgres.second_limit_not_debited_in_the_function,
)
"""In PostgreSQL, where a history takes half a second."""


@_each(IN_FILES, IN_FILES)
def test_a_defect_is_found_in_sqlite(defect: Defect) -> None:
    _require_found(hunt(Files(), defect, MOST_HUNTED), defect)


@_each(IN_SCHEMAS, QUICKLY_FOUND)
def test_a_defect_is_found_in_postgresql(postgres: PostgresServer, defect: Defect) -> None:
    objects = 4 if defect in seeded_postgres.OF_POSTGRES else 1
    _require_found(hunt(Schemas(postgres), defect, MOST_HUNTED, objects), defect)


@_each(seeded.STOPPED_BY_THE_SCHEMA, seeded.STOPPED_BY_THE_SCHEMA)
def test_a_defect_is_stopped_by_the_tables_of_sqlite(defect: Defect) -> None:
    assert any(history.faults for history in hunt(Files(), defect, Files.few))


@pytest.mark.slow
@pytest.mark.parametrize("stopped", seeded_postgres.STOPPED_BY_THE_TABLES, ids=lambda stopped: stopped.defect.__name__)
def test_a_defect_is_stopped_by_the_tables_of_postgresql(postgres: PostgresServer, stopped: Stopped) -> None:
    with seeded_postgres.broken_rules() as rules:
        for history in hunt(Schemas(postgres), stopped.defect, 50, objects=4):
            assert history.violation() is None
            if stopped.rule in rules:
                return
    pytest.fail(f"{stopped.rule} stopped nothing")


@pytest.mark.slow
@_each(seeded_postgres.UNSEEN, seeded_postgres.UNSEEN)
def test_a_defect_that_no_client_sees_is_found_by_the_audit(postgres: PostgresServer, defect: Defect) -> None:
    place = SchemaPlace(postgres)
    with pytest.MonkeyPatch.context() as patch:
        defect(patch, Pause())
        with closing(place.open()) as ledger:
            ledger.bind(PSP)
            assert run_threads(draw_plan(0), [ledger]).violation() is None
    assert place.audit().disagreements
    place.drop()


def _waiting(patch: pytest.MonkeyPatch, pause: Pause) -> None:
    seeded.pause_before_writing(patch, pause, "reserve", "capture", "void", "refund", "status")


def test_without_a_defect_the_same_waiting_finds_nothing(store: Store, is_slow: bool) -> None:
    waiting, objects = (_waiting, 1) if store.name == "sqlite" else (seeded_postgres.wait_around_the_lock, 4)
    require_linearizable(hunt(store, waiting, len(seeds(store, is_slow, 2)), objects))


@pytest.mark.parametrize("store", ["sqlite", pytest.param("postgres", marks=pytest.mark.slow)], indirect=True)
def test_histories_meet_what_they_are_for(store: Store) -> None:
    histories = [of_threads(store, seed) for seed in range(50)]
    events = [each for history in histories for each in sorted(history.events, key=lambda each: each.start)]
    heard = Counter((type(each.call).__name__, *_essence(each.answer)) for each in events if each.end is not None)
    assert {name for name, count in heard.items() if count >= 3} >= MET
    meet = sum(one.end is None or one.end > other.start for one, other in pairwise(events))
    assert meet > len(events) // 10
    assert sum(each.end is None for each in events) > len(histories)


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

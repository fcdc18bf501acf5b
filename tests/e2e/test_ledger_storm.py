"""Storms on both stores: no limit is ever exceeded, nothing is held twice, and everything that was acknowledged is there.

`python -m scripts.storm --store sqlite` (or `postgres`) is the whole storm: 64 clients, a million attempts.
"""

from __future__ import annotations

import os
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Final

import pytest

import act
from act.money import format_minor
from tests.support.aftermath import aftermath
from tests.support.fold import Audit, audit
from tests.support.payer import Payer, Scene, tea_scene
from tests.support.places import FilePlace, Place, SchemaPlace
from tests.support.storm import Told, raise_storm
from tests.support.weather import Weather
from tests.support.world import World, refused

PROCESSES: Final = 8
CLIENTS: Final = 64

STATES: Final = {"held": "HELD", "capture": "CAPTURED", "part": "CAPTURED", "void": "VOIDED"}

Said = tuple[str, str]
"""charge and its id, or refused and its code."""


def attempts(few: int, many: int) -> pytest.MarkDecorator:
    """A few for everyone who runs the tests, many for the slow ones."""
    return pytest.mark.parametrize("attempts", [few, pytest.param(many, marks=pytest.mark.slow)])


# --- at the ledger ----------------------------------------------------------------------------------------------------------


@attempts(1_024, 100_000)
def test_sixty_four_clients_exceed_no_limit_and_lose_nothing(place: Place, attempts: int) -> None:
    weather = Weather(64, CLIENTS, attempts // CLIENTS)
    told = raise_storm(place, weather, 4)
    found = aftermath(place, weather, told)
    assert found.wrong == []
    assert found.over_limit == 0
    assert not told.faults
    assert told.attempts == attempts // CLIENTS * CLIENTS
    # It was a storm: limits of every kind ran out, orders were contested, answers repeated, charges moved every way.
    happened = {"reserved", "reserved, again", "total_limit_exceeded", "period_amount_exceeded", "order_already_paid"}
    assert happened | {"capture", "close", "void", "refund", "revoke", "credential_revoked"} <= told.codes.keys()


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, Weather, Told]:
    """A little storm, for the tests of what looks at storms."""
    place, weather = FilePlace(tmp_path_factory.mktemp("calm") / "ledger.db"), Weather(5, 4, 200)
    return place, weather, raise_storm(place, weather, 1)


def test_an_outcome_that_got_lost_is_noticed(calm: tuple[Place, Weather, Told]) -> None:
    place, weather, told = calm
    assert aftermath(place, weather, told).wrong == []
    number = next(iter(told.answers))
    lost = replace(told, answers=told.answers | {1 << 70: "ch_lost"}, moves=told.moves | {("VOID", "ch_lost", "", 0)})
    assert len(aftermath(place, weather, lost).wrong) == 3  # once more as told in no way as new
    other = replace(told, answers=told.answers | {number: "ch_other"})
    assert len(aftermath(place, weather, other).wrong) == 1
    assert len(aftermath(place, weather, replace(told, revoked=set())).wrong) == 1


def test_an_exceeded_limit_is_noticed(calm: tuple[Place, Weather, Told], monkeypatch: pytest.MonkeyPatch) -> None:
    place, weather, told = calm
    caps = Weather.caps
    monkeypatch.setattr(Weather, "caps", lambda self, number: {name: cap // 2 for name, cap in caps(self, number).items()})
    found = aftermath(place, weather, told)
    assert found.over_limit > 0
    exceeded = {re.split("[~@ ]", line)[0] for line in found.wrong}
    assert exceeded >= {"max_total_amount", "ext.quota.times_limit", "ext.quota.periods[0].max_amount"}


# --- at the payment service, with everything signed ---------------------------------------------------------------------------


def run(place: Scene, payments: list[act.Payment], plans: list[list[tuple[int, str]]]) -> list[list[list[str]]]:
    """Lets as many processes as there are plans begin at once; returns what each of them said."""
    said: list[list[list[str]]] = [[] for _ in plans]
    with ExitStack() as stack:
        payers = []
        for number, plan in enumerate(plans):
            place.plan(f"plan-{number}.json", payments, plan)
            payers.append(stack.enter_context(Payer("pay", place.folder, f"plan-{number}.json")))
        for payer in payers:
            payer.ready()
        # Each is listened to by a thread of its own, so that none of them waits for its pipe to be read.
        threads = [
            Thread(target=lambda p=payer, s=lines: s.extend(p.lines())) for payer, lines in zip(payers, said, strict=True)
        ]
        for payer in payers:
            payer.go()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [payer.process.wait() for payer in payers] == [0] * len(payers)
    return said


def answers(said: list[list[list[str]]]) -> Iterator[tuple[int, Said, bool]]:
    """Of every payment sent: its number, the answer, and whether that was said to be a repeated one."""
    for lines in said:
        for number, kind, answer, replayed in (line for line in lines if line[0].isdigit()):
            yield int(number), (kind, answer), replayed == "1"


def storm(
    draw: random.Random, world: World, processes: int, attempts: int, cap_minor: int
) -> tuple[list[act.Payment], list[list[tuple[int, str]]]]:
    """Payments under one mandate, and what each process sends and then does with the charge.

    Every fifth payment is sent by all processes, as the same bytes at the same turn. Some pay the order of the process before.
    """
    iac = world.mint(max_total_amount=format_minor(cap_minor, "CNY"))
    payments: list[act.Payment] = []
    plans: list[list[tuple[int, str]]] = [[] for _ in range(processes)]
    order = b""
    for turn in range(attempts // processes):
        for process, plan in enumerate(plans):
            if process == 0 or turn % 5:
                if process % 2 == 0 or turn % 20 != 1:
                    order = world.order(format_minor(draw.randint(1, 3_000), "CNY"))
                payments.append(world.payment(iac=iac, order=order))
            plan.append((len(payments) - 1, draw.choice(["", "", "", "", "capture", "part", "void"])))
    return payments, plans


def scene_at(folder: Path, place: Place) -> Scene:
    """The scene, with its ledger at that place."""
    scene = tea_scene(folder)
    if isinstance(place, SchemaPlace):
        scene.put(place)
    return scene


@attempts(600, 10_000)
def test_services_of_their_own_processes_never_exceed_a_limit(tmp_path: Path, place: Place, attempts: int) -> None:
    cap_minor = attempts * 600
    payments, plans = storm(random.Random(8), World(), PROCESSES if attempts > 1_000 else 3, attempts, cap_minor)
    scene = scene_at(tmp_path, place)
    said = run(scene, payments, plans)

    heard: dict[int, list[tuple[Said, bool]]] = defaultdict(list)
    for number, answer, replayed in answers(said):
        heard[number].append((answer, replayed))
    assert sum(map(len, heard.values())) == attempts
    for outcomes in heard.values():  # whoever sends the same bytes gets the same answer, and one of them alone got it first
        assert len({answer for answer, _ in outcomes}) == 1
        assert [replayed for _, replayed in outcomes].count(False) == 1

    first = [answer for outcomes in heard.values() for answer, replayed in outcomes if not replayed]
    kinds = Counter("charge" if kind == "charge" else answer for kind, answer in first)
    assert kinds.keys() == {"charge", "total_limit_exceeded", "order_already_paid"}
    assert min(kinds.values()) > attempts // 200
    assert len({answer for kind, answer in first if kind == "charge"}) == kinds["charge"]
    found = audit(place)
    assert found.charges.total() == found.entries["RESERVED"] == kinds["charge"]
    assert found.entries["REFUSED"] == kinds["total_limit_exceeded"]
    assert cap_minor - 100_000 < found.held_minor + found.captured_minor <= cap_minor
    with closing(scene.open()) as ledger:
        states = {answer: str(ledger.charge(answer).state) for kind, answer in first if kind == "charge"}
    closed = {line[0]: STATES[line[1]] for lines in said for line in lines if len(line) == 2 and line[1] != "held"}
    assert states == {charge: closed.get(charge, "HELD") for charge in states}


def test_nothing_is_reserved_once_a_revocation_returned(tmp_path: Path, place: Place) -> None:
    world = World()
    iac = world.mint(max_total_amount="60000.00")
    payments = [world.payment(iac=iac) for _ in range(1_601)]
    scene = scene_at(tmp_path, place)
    with ExitStack() as stack:
        payers = []
        for number in range(4):
            scene.plan(f"plan-{number}.json", payments, [(index, "") for index in range(number, 1_600, 4)])
            payers.append(stack.enter_context(Payer("pay", scene.folder, f"plan-{number}.json")))
        service = scene.service(stack.enter_context(closing(scene.open())))
        for payer in payers:
            payer.ready()
        for payer in payers:
            payer.go()
        before = [payers[0].line() for _ in range(20)]
        assert not service.revoke(iac).replayed
        with refused("credential_revoked"):
            service.authorize(payments[1_600])
        status = service.status(iac)
        after = [line for payer in payers for line in payer.lines()]
        assert service.status(iac) == status
    kinds = Counter(line[2] if line[1] == "refused" else "charge" for line in before + after if line[0].isdigit())
    assert kinds.keys() == {"charge", "credential_revoked"}
    found = audit(place)  # which would find a reservation behind the revocation
    assert (found.entries["RESERVED"], found.entries["REFUSED"]) == (kinds["charge"], kinds["credential_revoked"] + 1)


def test_eight_processes_make_one_ledger(tmp_path: Path) -> None:
    tea_scene(tmp_path)
    with ExitStack() as stack:
        payers = [stack.enter_context(Payer("create", tmp_path)) for _ in range(PROCESSES)]
        for payer in payers:
            payer.ready()
        for turn in range(25):
            folder = tmp_path / str(turn)
            folder.mkdir()
            path = folder / "ledger.db"
            for payer in payers:
                payer.go(str(path))
            assert [payer.line() for payer in payers] == [["made", str(path)]] * PROCESSES
            assert audit(path) == Audit()
            # When all of them close at once, SQLite may leave its own two files to whoever closes next; no draft is left.
            act.SqliteLedger(path).close()
            assert os.listdir(folder) == ["ledger.db"]

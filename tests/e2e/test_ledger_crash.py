"""kill -9 at any moment: what was acknowledged is there, what was not is there as a whole or not at all."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Condition, Thread
from typing import Final

import pytest

import act
from tests.support.fold import Audit, audit
from tests.support.payer import Payer, Scene, refused_words, tea_scene
from tests.support.places import SchemaPlace
from tests.support.postgres import PostgresServer
from tests.support.world import World

TILLS: Final = 4
PAYMENTS: Final = 64  # of one cycle: more than a process sends before it is killed
STATES: Final = {"held": "HELD", "capture": "CAPTURED", "void": "VOIDED"}


def cycles(few: int, many: int) -> pytest.MarkDecorator:
    """A few for everyone who runs the tests, many for the slow ones."""
    return pytest.mark.parametrize("count", [few, pytest.param(many, marks=pytest.mark.slow)])


def _killed(payer: Payer, draw: random.Random, after: int, turns: int = 200_000) -> list[list[str]]:
    """Everything that a process said, having been killed some time (up to so many turns) after it had said that much."""
    payer.ready()
    payer.go()
    said = [payer.line() for _ in range(after)]
    for _ in range(draw.randrange(turns)):  # 200,000 turns take about as long as ten transactions
        pass
    said += payer.kill()
    assert payer.process.wait() == -9
    return said


def _retry(place: Scene, payments: list[act.Payment], said: list[list[str]]) -> list[str]:
    """Sends everything again; checks it against what was acknowledged, and tells how the other payments come out."""
    acknowledged = {int(line[0]): line for line in said if line[0].isdigit()}
    closed = {line[0]: STATES[line[1]] for line in said if len(line) == 2}
    others = []
    with closing(place.open()) as ledger:
        service = place.service(ledger)
        for number, payment in enumerate(payments):
            try:
                charge = service.authorize(payment)
                found = ["charge", charge.id, str(int(charge.replayed))]
            except act.Refused as refusal:
                found = [str(word) for word in refused_words(refusal)]
            if number in acknowledged:
                assert found == [*acknowledged[number][1:3], "1"]
                if found[1] in closed:
                    assert ledger.charge(found[1]).state == closed[found[1]]
            else:
                others.append("found" if found[2] == "1" else "new")
    return others


def _scene_with_ledger(folder: Path, server: PostgresServer | None) -> Scene:
    """A scene whose ledger is there before anybody is killed: the first payment would make it."""
    folder.mkdir()
    place = tea_scene(folder)
    if server is not None:
        place.put(SchemaPlace(server))
    with closing(place.open()) as ledger:
        ledger.bind("psp-1")
    return place


@pytest.fixture(params=["sqlite", "postgres"])
def server(request: pytest.FixtureRequest) -> PostgresServer | None:
    """Where PostgreSQL is; None where the ledger is a file."""
    return None if request.param == "sqlite" else request.getfixturevalue("postgres")


@cycles(4, 200)
def test_a_killed_writer_loses_nothing_it_acknowledged(tmp_path: Path, server: PostgresServer | None, count: int) -> None:
    draw, world = random.Random(9), World()
    others: Counter[str] = Counter()
    place, charges = _scene_with_ledger(tmp_path / "0", server), 0
    for cycle in range(1, count + 1):
        if cycle % 25 == 0:  # another ledger, or auditing a long one would be what takes the time
            place, charges = _scene_with_ledger(tmp_path / str(cycle), server), 0
        iac = world.mint(max_total_amount=f"{draw.choice([200, 900])}.00")
        payments = [world.payment(iac=iac) for _ in range(PAYMENTS)]
        steps = [(number, draw.choice(["", "capture", "void"])) for number in range(PAYMENTS)]
        lag = draw.choice([1, 8, 1_000])  # with the last, nothing is ever acknowledged: all that was written has to be found
        place.plan("plan.json", payments, steps, lag=lag, stay=1)
        with Payer("pay", place.folder, "plan.json") as payer:
            said = _killed(payer, draw, draw.randrange(30)) if lag < PAYMENTS else _killed(payer, draw, 0, 1_000_000)
        assert audit(place.place).charges.total() - charges >= sum(line[1] == "charge" for line in said)
        came_out = _retry(place, payments, said)
        assert came_out == sorted(came_out)  # first those that were written and not acknowledged, then those that were not
        others.update(came_out)
        charges = audit(place.place).charges.total()
    # Kills hit behind commits that nobody had heard of, and before others.
    assert others.keys() == {"found", "new"} or count < 200, others


@cycles(12, 100)
def test_a_killed_creator_leaves_a_whole_ledger_or_none(tmp_path: Path, count: int) -> None:
    draw = random.Random(10)
    for cycle in range(count):
        folder = tmp_path / str(cycle)
        folder.mkdir()
        tea_scene(folder)
        with Payer("create-many", folder) as payer:
            said = _killed(payer, draw, draw.randrange(6))
        made = sorted(folder.glob("[0-9]*.db"), key=lambda path: int(path.stem))
        assert {line[1] for line in said} <= {str(path) for path in made}
        assert len(made) - len(said) <= 1
        for path in (*made, folder / f"{len(made)}.db"):
            with closing(act.SqliteLedger(path)) as ledger:
                ledger.bind("psp-1")
            assert audit(path) == Audit()


class _Tills:
    """Services that pay at once until the server is gone; each keeps what it was told."""

    def __init__(self, scene: Scene, payments: list[act.Payment], draw: random.Random) -> None:
        self.told: dict[int, tuple[str, str]] = {}
        self.in_doubt: set[int] = set()
        self._is_over = False
        self._news = Condition()
        steps = [draw.choice(["", "capture", "void"]) for _ in payments]
        self._threads = [
            Thread(target=self._pay, args=(scene, payments, steps, range(first, len(payments), TILLS)))
            for first in range(TILLS)
        ]

    def _pay(self, scene: Scene, payments: list[act.Payment], steps: list[str], numbers: range) -> None:
        with closing(scene.open()) as ledger:
            service = scene.service(ledger)
            for number in numbers:
                if self._is_over:
                    return
                try:
                    self._send(service, payments[number], number, steps[number])
                except act.StoreFault:
                    self.in_doubt.add(number)
                    return

    def _send(self, service: act.PaymentService, payment: act.Payment, number: int, then: str) -> None:
        charge = service.authorize(payment)
        self._tell(number, charge.id, "HELD")
        if then == "capture":
            service.capture(charge.id, charge.amount)
        elif then == "void":
            service.void(charge.id)
        if then:
            self._tell(number, charge.id, STATES[then])

    def _tell(self, number: int, charge_id: str, state: str) -> None:
        with self._news:
            self.told[number] = charge_id, state
            self._news.notify()

    def run(self, server: PostgresServer, after: int) -> None:
        """Lets them pay, and kills and starts the server once so much was acknowledged."""
        for thread in self._threads:
            thread.start()
        with self._news:
            assert self._news.wait_for(lambda: len(self.told) >= after, 60)
        server.kill()
        self._is_over = True
        server.start()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def mortal() -> Iterator[PostgresServer]:
    """A server that nobody else needs."""
    server = PostgresServer()
    yield server
    server.stop()


@cycles(4, 200)
def test_a_killed_server_loses_nothing_it_acknowledged(tmp_path: Path, mortal: PostgresServer, count: int) -> None:
    draw, world = random.Random(11), World()
    outcomes: Counter[str] = Counter()
    scene = _scene_with_ledger(tmp_path / "0", mortal)
    for cycle in range(1, count + 1):
        if cycle % 25 == 0:
            audit(scene.place)
            scene = _scene_with_ledger(tmp_path / str(cycle), mortal)
        iac = world.mint(max_total_amount="9000.00")
        payments = [world.payment(iac=iac) for _ in range(PAYMENTS)]
        tills = _Tills(scene, payments, draw)
        tills.run(mortal, draw.randrange(1, 24))
        outcomes += _settled(scene, payments, tills)
        if cycle % 5 == 0:
            audit(scene.place)
    audit(scene.place)
    assert outcomes["acknowledged"]
    assert outcomes.keys() >= {"in doubt: found", "in doubt: new"} or count < 200, outcomes


def _settled(scene: Scene, payments: list[act.Payment], tills: _Tills) -> Counter[str]:
    """Sends everything again, twice, through a ledger that was opened after the restart."""
    outcomes: Counter[str] = Counter()
    with closing(scene.open()) as ledger:
        service = scene.service(ledger)
        charges = set()
        for number, payment in enumerate(payments):
            first, again = (_answer(service, payment) for _ in range(2))
            assert first[0] == again[0]
            assert again[1], "the second answer has to be a repeated one"
            charges.add(first[0])
            if number in tills.told:
                charge_id, state = tills.told[number]
                assert first == (charge_id, True)
                if number not in tills.in_doubt:  # then whether it was captured or voided was not answered
                    assert ledger.charge(charge_id).state == state
                outcomes["acknowledged"] += 1
            else:
                outcomes[f"{'in doubt' if number in tills.in_doubt else 'not sent'}: {'found' if first[1] else 'new'}"] += 1
        assert len(charges) == len(payments)  # each is one charge, and has its own
    assert not outcomes["not sent: found"]
    return outcomes


def _answer(service: act.PaymentService, payment: act.Payment) -> tuple[str, bool]:
    """The charge of a payment, and whether the answer was a repeated one."""
    try:
        charge = service.authorize(payment)
    except act.Refused as refusal:
        assert refusal.code == "charge_closed"
        return str(refusal.facts["charge"]), refusal.replayed
    return charge.id, charge.replayed

"""kill -9 at any moment: what was acknowledged is there, what was not is there as a whole or not at all."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

import act
from tests.support.fold import Audit, audit
from tests.support.payer import Payer, Scene, refused_words, tea_scene
from tests.support.world import World

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
    with closing(act.SqliteLedger(place.ledger, create=False)) as ledger:
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


def _scene_with_ledger(folder: Path) -> Scene:
    """A scene whose ledger is there before anybody is killed: the first payment would make it."""
    place = tea_scene(folder)
    with closing(act.SqliteLedger(place.ledger)) as ledger:
        ledger.bind("psp-1")
    return place


@cycles(25, 200)
def test_a_killed_writer_loses_nothing_it_acknowledged(tmp_path: Path, count: int) -> None:
    draw, world = random.Random(9), World()
    others: Counter[str] = Counter()
    place, charges = _scene_with_ledger(tmp_path), 0
    for cycle in range(1, count + 1):
        if cycle % 25 == 0:  # another ledger, or auditing a long one would be what takes the time
            folder = tmp_path / str(cycle)
            folder.mkdir()
            place, charges = _scene_with_ledger(folder), 0
        iac = world.mint(max_total_amount=f"{draw.choice([200, 900])}.00")
        payments = [world.payment(iac=iac) for _ in range(PAYMENTS)]
        steps = [(number, draw.choice(["", "capture", "void"])) for number in range(PAYMENTS)]
        lag = draw.choice([1, 8, 1_000])  # with the last, nothing is ever acknowledged: all that was written has to be found
        place.plan("plan.json", payments, steps, lag=lag, stay=1)
        with Payer("pay", place.folder, "plan.json") as payer:
            said = _killed(payer, draw, draw.randrange(30)) if lag < PAYMENTS else _killed(payer, draw, 0, 1_000_000)
        assert audit(place.ledger).charges.total() - charges >= sum(line[1] == "charge" for line in said)
        came_out = _retry(place, payments, said)
        assert came_out == sorted(came_out)  # first those that were written and not acknowledged, then those that were not
        others.update(came_out)
        charges = audit(place.ledger).charges.total()
    assert others.keys() == {"found", "new"}, others  # kills hit behind commits that nobody had heard of, and before others


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

"""Eight processes on one ledger: no limit is ever exceeded, nothing is held twice, and every counter has its charges."""

from __future__ import annotations

import os
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Thread
from typing import Final

import act
from act.money import format_minor
from tests.support.fold import Audit, audit
from tests.support.payer import Payer, Scene, tea_scene
from tests.support.world import World, refused

PROCESSES: Final = 8
ATTEMPTS: Final = 10_000
CAP_MINOR: Final = 6_000_000

STATES: Final = {"held": "HELD", "capture": "CAPTURED", "part": "CAPTURED", "void": "VOIDED"}

Said = tuple[str, str]
"""charge and its id, or refused and its code."""


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


def _listen(payer: Payer, lines: list[list[str]]) -> None:
    lines.extend(payer.lines())


def answers(said: list[list[list[str]]]) -> Iterator[tuple[int, Said, bool]]:
    """Of every payment sent: its number, the answer, and whether that was said to be a repeated one."""
    for lines in said:
        for number, kind, answer, replayed in (line for line in lines if line[0].isdigit()):
            yield int(number), (kind, answer), replayed == "1"


def storm(draw: random.Random, world: World) -> tuple[list[act.Payment], list[list[tuple[int, str]]]]:
    """Payments under one mandate, and what each process sends and then does with the charge.

    Every fifth payment is sent by all processes, as the same bytes at the same turn. Some pay the order of the process before.
    """
    iac = world.mint(max_total_amount=format_minor(CAP_MINOR, "CNY"))
    payments: list[act.Payment] = []
    plans: list[list[tuple[int, str]]] = [[] for _ in range(PROCESSES)]
    order = b""
    for turn in range(ATTEMPTS // PROCESSES):
        for process, plan in enumerate(plans):
            if process == 0 or turn % 5:
                if process % 2 == 0 or turn % 20 != 1:
                    order = world.order(format_minor(draw.randint(1, 3_000), "CNY"))
                payments.append(world.payment(iac=iac, order=order))
            plan.append((len(payments) - 1, draw.choice(["", "", "", "", "capture", "part", "void"])))
    return payments, plans


def test_eight_processes_never_exceed_a_limit_in_ten_thousand_attempts(tmp_path: Path) -> None:
    payments, plans = storm(random.Random(8), World())
    place = tea_scene(tmp_path)
    said = run(place, payments, plans)

    heard: dict[int, list[tuple[Said, bool]]] = defaultdict(list)
    for number, answer, replayed in answers(said):
        heard[number].append((answer, replayed))
    assert sum(map(len, heard.values())) == ATTEMPTS
    for outcomes in heard.values():  # whoever sends the same bytes gets the same answer, and one of them alone got it first
        assert len({answer for answer, _ in outcomes}) == 1
        assert [replayed for _, replayed in outcomes].count(False) == 1

    first = [answer for outcomes in heard.values() for answer, replayed in outcomes if not replayed]
    kinds = Counter("charge" if kind == "charge" else answer for kind, answer in first)
    assert kinds.keys() == {"charge", "total_limit_exceeded", "order_already_paid"}
    assert min(kinds.values()) > 50
    assert len({answer for kind, answer in first if kind == "charge"}) == kinds["charge"]
    found = audit(place.ledger)
    assert found.charges.total() == found.entries["RESERVED"] == kinds["charge"]
    assert found.entries["REFUSED"] == kinds["total_limit_exceeded"]
    assert CAP_MINOR - 100_000 < found.held_minor + found.captured_minor <= CAP_MINOR
    with closing(act.SqliteLedger(place.ledger)) as ledger:
        states = {answer: str(ledger.charge(answer).state) for kind, answer in first if kind == "charge"}
    closed = {line[0]: STATES[line[1]] for lines in said for line in lines if len(line) == 2 and line[1] != "held"}
    assert states == {charge: closed.get(charge, "HELD") for charge in states}


def test_nothing_is_reserved_once_a_revocation_returned(tmp_path: Path) -> None:
    world = World()
    iac = world.mint(max_total_amount="60000.00")
    payments = [world.payment(iac=iac) for _ in range(1_201)]
    place = tea_scene(tmp_path)
    with ExitStack() as stack:
        payers = []
        for number in range(4):
            place.plan(f"plan-{number}.json", payments, [(index, "") for index in range(number, 1_200, 4)])
            payers.append(stack.enter_context(Payer("pay", tmp_path, f"plan-{number}.json")))
        service = place.service(stack.enter_context(closing(act.SqliteLedger(place.ledger))))
        for payer in payers:
            payer.ready()
        for payer in payers:
            payer.go()
        before = [payers[0].line() for _ in range(20)]
        assert not service.revoke(iac).replayed
        with refused("credential_revoked"):
            service.authorize(payments[1_200])
        status = service.status(iac)
        after = [line for payer in payers for line in payer.lines()]
        assert service.status(iac) == status
    kinds = Counter(line[2] if line[1] == "refused" else "charge" for line in before + after if line[0].isdigit())
    assert kinds.keys() == {"charge", "credential_revoked"}
    found = audit(place.ledger)  # which would find a reservation behind the revocation
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

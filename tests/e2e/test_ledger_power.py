"""The power fails, the disk is full, a sync fails, at any moment: what was acknowledged is there, the rest can be asked again.

A fixed day of requests runs on a disk that records every change. Then the folder is laid out as it may look after a power
failure at any of these moments, and the real ledger opens it, on the interpreter's own SQLite.

What no test asks for: a sync that failed and lost its data, then kill -9 before the next write, then a restart, then a power
failure. The restarted process reads from the system's memory a commit that will never be on the disk.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

import act
from act.payment.ledger import Outcome
from tests.support.fold import audit
from tests.support.platter import EVERYTHING, NOTHING, Change, Platter, Sync, SyncNames
from tests.support.power import Disk, Fault, plugged_in
from tests.support.reservations import MAKE_RECEIPT, limit, mandate, reservation
from tests.support.till import DAY, LEDGER, Answer, Contents, Till, contents, is_question, is_replayed
from tests.support.world import PSP

QUESTIONS: Final = frozenset(number for number in range(len(DAY)) if is_question(number))
CODES: Final = {"full": "store_full", "short": "store_full", "sync": "store_unavailable", "forget": "store_unavailable"}
THREADED: Final = 48  # requests of eight threads
SELDOM: Final = 1_000
"""Pages after which SQLite makes a checkpoint by itself: its default, more than the day writes. The day is told a dozen."""


@dataclass(slots=True)
class Recorded:
    """A day as it went: every change, how many there had been when each request was answered, and for every number of requests
    what then stood in the file and what each was answered when it was repeated."""

    start: Platter
    log: list[Change]
    answered: list[int] = field(default_factory=list)
    contents: list[Contents | None] = field(default_factory=lambda: [None])
    repeats: list[dict[int, Answer]] = field(default_factory=lambda: [{}])

    def moments(self) -> Iterator[tuple[int, Platter, int]]:
        """After each number of changes: the disk (always the same object, going on), and how many requests may by then have
        been acknowledged."""
        for changes, platter in _going_on(self.start, self.log):
            yield changes, platter, sum(position <= changes for position in self.answered)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in memory where there is one: a test that syncs ten thousand files would measure the disk."""
    memory = Path("/dev/shm")
    made = Path(tempfile.mkdtemp(prefix="act-power-", dir=memory if memory.is_dir() else None))
    yield made
    shutil.rmtree(made)


def often(name: str, few: int, many: int) -> pytest.MarkDecorator:
    """One number for everyone who runs the tests, another for the slow ones."""
    return pytest.mark.parametrize(name, [few, pytest.param(many, marks=pytest.mark.slow)])


def _going_on(start: Platter, log: list[Change]) -> Iterator[tuple[int, Platter]]:
    platter = start.copy()
    yield 0, platter
    for number, change in enumerate(log, 1):
        platter.apply(change)
        yield number, platter


def _lay(files: Mapping[str, bytes], folder: Path) -> Path:
    """A folder with exactly these files."""
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def _record(folder: Path, *, synchronous: str = "FULL", deaf: bool = False) -> Recorded:
    """Runs the day once, undisturbed."""
    disk = Disk(_lay({}, folder / "live"), deaf=deaf)
    recorded = Recorded(disk.platter(), disk.log)
    seen, done = disk.platter(), 0
    with plugged_in(disk, synchronous=synchronous), closing(Till(disk.folder)) as till:
        for number in range(len(DAY)):
            till.ask(number)
            recorded.answered.append(len(disk.log))
            for change in disk.log[done:]:
                seen.apply(change)
            done = len(disk.log)
            recorded.contents.append(contents(_lay(seen.visible(), folder / "copy")))
            recorded.repeats.append({each: till.ask(each) for each in sorted(QUESTIONS) if each <= number})
            assert all(isinstance(change, Sync | SyncNames) for change in disk.log[done:])  # who repeats writes nothing
    return recorded


def _count_done(folder: Path, acknowledged: int, day: Recorded) -> int | None:
    """How many requests a file has the outcomes of; None if it is no state that there ever was."""
    found = contents(folder) or None  # a file to which nothing was written yet is as good as none
    if found == day.contents[acknowledged]:
        return acknowledged
    return day.contents.index(found) if found in day.contents else None


def _check(files: Mapping[str, bytes], folder: Path, acknowledged: int, day: Recorded) -> None:
    """Opens these files with the real ledger. Everything acknowledged is there, at most the next request beside it and then as
    a whole; repeated, each is answered as before; the next one is settled by asking again, and everything adds up."""
    with closing(Till(_lay(files, folder / "copy"))) as till:
        done = _count_done(folder / "copy", acknowledged, day)
        assert done is not None, "something is half done"
        assert acknowledged <= done <= acknowledged + 1, f"{done} are there, {acknowledged} were acknowledged"
        assert {number: till.ask(number) for number in day.repeats[done]} == day.repeats[done]
        if acknowledged in QUESTIONS:
            assert is_replayed(till.ask(acknowledged)) in (None, done > acknowledged)
            done = acknowledged + 1
            assert till.ask(acknowledged) == day.repeats[done][acknowledged]
        assert (contents(folder / "copy") or None) == day.contents[done]
    if done:
        audit(folder / "copy" / LEDGER)


@often("count", 1, 64)
def test_the_power_may_fail_at_any_moment(folder: Path, count: int) -> None:
    day, points, seen = _record(folder), 0, set()
    for changes, platter, acknowledged in day.moments():
        for number in range(count):
            seed = number if number in (NOTHING, EVERYTHING) and changes % 4 == 0 else 2 + changes * count + number
            files = platter.after_power_loss(seed)
            points += 1
            left = hash((acknowledged, *sorted(files.items())))
            if left not in seen:  # the same files again would be judged the same
                seen.add(left)
                _check(files, folder, acknowledged, day)
    assert points > 450 * count
    assert len(seen) > (10_000 if count > 1 else 250)


@pytest.mark.parametrize(
    "synchronous, deaf", [("OFF", False), ("NORMAL", False), ("FULL", True)], ids=["off", "normal", "deaf disk"]
)
def test_what_does_not_sync_is_caught_losing(folder: Path, synchronous: str, deaf: bool) -> None:
    day, found = _record(folder, synchronous=synchronous, deaf=deaf), Counter[str]()
    for changes, platter, acknowledged in day.moments():
        for seed in (NOTHING, 2 + changes):
            copy = _lay(platter.after_power_loss(seed), folder / "copy")
            try:
                with closing(Till(copy)):
                    done = _count_done(copy, acknowledged, day)
            except (act.StoreFault, sqlite3.DatabaseError):
                done = None
            found["damaged" if done is None else "lost" if done < acknowledged else "kept"] += 1
    assert found["lost"] > 50
    assert (found["damaged"] > 0) == (synchronous == "OFF" or deaf)


@often("step", 3, 1)
def test_the_power_may_fail_after_a_killed_process_was_restarted(folder: Path, step: int) -> None:
    """What the killed one had written and not synced the next one can read, and must not answer with before it lasts."""
    day = _record(folder)
    for changes, platter, acknowledged in day.moments():
        if changes % step == 0 and acknowledged < len(DAY):
            disk = Disk(_lay({}, folder / "live"), start=platter)
            with plugged_in(disk), closing(Till(disk.folder)) as till:
                till.ask(acknowledged)
                disk.is_on = False
            *_, (_, left) = _going_on(disk.platter(), disk.log)
            _check(left.after_power_loss(NOTHING), folder, acknowledged + 1, day)


@often("count", 12, 60)
def test_the_power_may_fail_again_while_the_ledger_recovers(folder: Path, count: int) -> None:
    day = _record(folder)
    for changes, platter, acknowledged in day.moments():
        if acknowledged == len(DAY) or changes % (len(day.log) // count):
            continue
        disk = Disk(_lay({}, folder / "live"), start=Platter.of(platter.after_power_loss(EVERYTHING + changes)))
        with plugged_in(disk), closing(Till(disk.folder)) as till:
            till.ask(acknowledged)
            answered = len(disk.log)
        for number, again in _going_on(disk.platter(), disk.log):
            files = again.after_power_loss((NOTHING, EVERYTHING, 2 + number)[number % 3])
            _check(files, folder, acknowledged + (number >= answered), day)


def _reserve(ledger: act.SqliteLedger, number: int) -> Outcome:
    of = mandate(number % 3 + 1)
    return ledger.reserve(reservation(number, 100 + number, of=of, limits=[limit(20_000)]), of, MAKE_RECEIPT)


@often("step", 8, 1)
def test_the_power_may_fail_while_threads_share_a_commit(folder: Path, step: int) -> None:
    disk = Disk(_lay({}, folder / "live"), seconds=0.002)  # long enough for the other threads to gather
    answers: list[tuple[int, int, bytes]] = []
    with plugged_in(disk, checkpoint_pages=40), closing(act.SqliteLedger(disk.folder / LEDGER)) as ledger:
        ledger.bind(PSP)
        bound = len(disk.log)

        def serve(number: int) -> None:
            receipt = _reserve(ledger, number).receipt
            answers.append((len(disk.log), number, receipt.identity))

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(serve, range(THREADED)))
        disk.is_on = False
    assert sum(isinstance(change, Sync) for change in disk.log[bound:]) < THREADED  # each commit is one at least
    for changes, platter in _going_on(disk.platter(), disk.log):
        if changes % step == 0 and changes >= bound:
            copy = _lay(platter.after_power_loss(NOTHING if changes % 3 else 2 + changes), folder / "copy")
            with closing(act.SqliteLedger(copy / LEDGER)) as ledger:
                for position, number, identity in answers:
                    if position <= changes:
                        again = _reserve(ledger, number)
                        assert (again.replayed, again.receipt.identity) == (True, identity)
            audit(copy / LEDGER)


def _endure(
    live: Path, fault: Fault, day: Recorded, *, requests: int = len(DAY), pages: int = 12, restarts: bool = False
) -> tuple[Disk, dict[int, int]]:
    """Runs the day, or the start of it, on a faulty disk, asking again what failed, if so told after a restart. Returns the
    disk, and how many requests had been acknowledged after how many changes: at a failure, after the answer that came in spite
    of it, in the end."""
    disk, moments = Disk(_lay({}, live), fault=fault), dict[int, int]()
    till: Till | None = None
    with plugged_in(disk, checkpoint_pages=pages):
        for number in range(requests):
            try:
                till = till or Till(live)
                till.ask(number)
            except act.StoreFault as failure:
                assert failure.code == CODES[fault.kind]
                fault.mend()
                moments[len(disk.log)] = number
                if till is not None and restarts:
                    till.reopen()
                till = till or Till(live)
                till.ask(number)
                moments[len(disk.log)] = number + 1
            if number in QUESTIONS:
                assert till.ask(number) == day.repeats[number + 1][number]
        disk.is_on = False
    return disk, moments | {len(disk.log): requests}


def _check_faults(folder: Path, kind: str, first: range, *, lasting: bool = False, **run: Any) -> tuple[int, int]:
    """Runs the day with each of these faults, as far as there are such writes or syncs. Returns how many came, and how many of
    them a request reported; the others did not concern what was asked."""
    day, came, reported = _record(folder), 0, 0
    for number in first:
        fault = Fault(kind, number, lasting)
        disk, moments = _endure(folder / "live", fault, day, **run)
        if not fault.came:
            break
        came, reported = came + 1, reported + (len(moments) > 1)
        for changes, platter in _going_on(disk.platter(), disk.log):
            if changes in moments:
                for seed in (NOTHING, EVERYTHING, 2 + number):
                    _check(platter.after_power_loss(seed), folder, moments[changes], day)
    return came, reported


@pytest.mark.parametrize("kind, lasting", [("full", False), ("short", True)], ids=["once", "amid a write and on"])
@often("step", 40, 1)
def test_a_full_disk_at_any_write(folder: Path, kind: str, lasting: bool, step: int) -> None:
    came, reported = _check_faults(folder, kind, range(1, 1_000, step), lasting=lasting)
    assert came > 390 // step
    assert 250 // step < reported <= came


@pytest.mark.parametrize("kind, lasting", [("sync", False), ("sync", True), ("forget", False), ("forget", True)])
@often("step", 5, 1)
def test_a_failing_sync_at_any_sync(folder: Path, kind: str, lasting: bool, step: int) -> None:
    came, reported = _check_faults(folder, kind, range(1, 1_000, step), lasting=lasting)
    assert came > 50 // step
    assert 20 // step < reported <= came  # the others came where nobody waited for them


@pytest.mark.parametrize("kind", ["sync", "forget"])
@often("step", 7, 1)
def test_a_failing_sync_and_a_restart(folder: Path, kind: str, step: int) -> None:
    """Closing the file leaves nothing of the failed commit that the next process could take for one."""
    came, _ = _check_faults(folder, kind, range(1, 1_000, step), restarts=True)
    assert came > 50 // step


@pytest.mark.parametrize("kind", list(CODES))
def test_a_fault_while_the_file_is_made(folder: Path, kind: str) -> None:
    """Nothing half made is left to stand in the way of the next attempt, or for good."""
    came, reported = _check_faults(folder, kind, range(1, 1_000), requests=1, pages=SELDOM)
    assert came >= reported > (10 if kind in ("sync", "forget") else 50)

"""benchmarks: the programs run and their arithmetic is right. How fast anything is, no test asks; how large, one does."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from act import SqliteLedger
from benchmarks.__main__ import PROGRAMS, main
from benchmarks.measure import Effort, Timings, each, interleaved
from benchmarks.processes import elapsed_seconds
from benchmarks.replay import recorded, replayed
from benchmarks.size import report as size_report
from benchmarks.size import sizes
from benchmarks.store import BARE_TRANSACTION
from benchmarks.table import render, verdict
from tests.support.reservations import MAKE_RECEIPT, mandate, reservation
from tests.support.world import PSP, snapshot

ROOT = Path(__file__).resolve().parents[2]


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "benchmarks", *arguments], capture_output=True, text=True, cwd=ROOT)


def test_every_program_prints_its_table() -> None:
    run = _run("--quick")
    assert (run.returncode, run.stderr) == (0, "")
    titles = [line.split(":")[0] for line in run.stdout.split("\n") if line.startswith(tuple(f"{name}: " for name in PROGRAMS))]
    assert titles == list(PROGRAMS)
    for words in (
        "raw verification ",
        "open the mandate, new keys",
        "whole decision, mandate known",
        "bare transaction ",
        "bare transaction, the ledger's records",
        "receipt",
    ):
        assert words in run.stdout
    for statement in BARE_TRANSACTION:
        assert f"\n    {statement};" in run.stdout


def test_a_program_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    main(["size"])
    assert size_report() in capsys.readouterr().out
    with pytest.raises(SystemExit) as caught:
        main(["speed"])
    assert caught.value.code == 2
    assert "choose from decision, chains, store, groups, growth, postgres, size" in capsys.readouterr().err


def test_the_objects_of_the_demo_are_small() -> None:
    found = sizes()
    assert found["mandate"] <= 700
    assert found["mandate + order + request"] <= 1_800


def test_works_take_turns_and_are_called_equally_often() -> None:
    calls: list[str] = []
    effort = Effort(rounds=3, turns=2, calls=4)
    timings = interleaved({"a": lambda: calls.append("a"), "b": each(calls.append, ["b"] * effort.calls_in_all)}, effort)
    assert calls == (["a"] * 4 + ["b"] * 4) * 6
    assert {name: len(times) for name, times in timings.per_round.items()} == {"a": 3, "b": 3}
    assert all(time > 0 for times in timings.per_round.values() for time in times)


def test_a_ratio_is_taken_within_each_round() -> None:
    timings = Timings({"work": (6_000.0, 60_000.0, 9_000.0), "raw": (2_000.0, 10_000.0, 3_000.0)})
    assert timings.median_us("work") == 9.0
    assert timings.ratio("work", "raw") == 3.0  # of 3, 6 and 3; the ratio of the medians happens to be the same
    assert timings.ratio("work", "raw", 2) == 1.5
    noisy = Timings({"work": (1.0, 20.0, 300.0), "raw": (1.0, 10.0, 100.0)})
    assert noisy.ratio("work", "raw") == 2.0


def test_a_table_is_aligned_and_says_what_was_met() -> None:
    table = render("title", ("work", "us"), [("one", "1.0"), ("twenty", "20.0")], ["note"])
    assert table == "title\n\nwork      us\n------  ----\none      1.0\ntwenty  20.0\n\nnote"
    assert (verdict(2.0, 2.0), verdict(2.001, 2.0)) == ("yes", "NO")


@pytest.mark.parametrize("processes", [1, 2])
def test_processes_work_once_all_are_prepared_and_only_the_work_is_timed(tmp_path: Path, processes: int) -> None:
    """Every one sees, when it works, that all were prepared."""

    @contextmanager
    def prepared(number: int) -> Iterator[Callable[[], None]]:
        (tmp_path / f"prepared-{number}").touch()

        def work() -> None:
            (tmp_path / f"worked-{number}-{len([*tmp_path.glob('prepared-*')])}").touch()

        yield work

    assert elapsed_seconds(processes, prepared) > 0
    assert sorted(each.name for each in tmp_path.glob("worked-*")) == [f"worked-{n}-{processes}" for n in range(processes)]


def test_a_process_that_dies_is_no_result(tmp_path: Path) -> None:
    @contextmanager
    def prepared(number: int) -> Iterator[Callable[[], None]]:
        yield lambda: os._exit(1) if number else (tmp_path / "worked").touch()

    with pytest.raises(EOFError):
        elapsed_seconds(2, prepared)
    assert (tmp_path / "worked").exists()


def test_what_is_replayed_writes_what_the_ledger_wrote(tmp_path: Path) -> None:
    paths = tmp_path / "recorded.db", tmp_path / "replayed.db"
    with recorded() as statements, closing(SqliteLedger(paths[0])) as ledger, closing(SqliteLedger(paths[1])) as empty:
        ledger.bind(PSP)
        empty.bind(PSP)
        statements.clear()
        for number in range(1, 4):
            assert ledger.reserve(reservation(number), mandate(), MAKE_RECEIPT).charge
    with closing(sqlite3.connect(paths[1], isolation_level=None)) as connection:
        execute_next = replayed(connection, statements)
        for _ in range(3):
            execute_next()
        with pytest.raises(StopIteration):
            execute_next()
    assert snapshot(paths[1]) == snapshot(paths[0])

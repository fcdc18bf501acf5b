"""README: what it shows runs, and what it names is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = ROOT.joinpath("README.md").read_text(encoding="utf-8")


def test_the_example_runs(tmp_path: Path) -> None:
    program = [sys.executable, str(ROOT.joinpath("examples", "one_payment.py"))]
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "CAPTURED CNY 18.00\n", "")


def test_its_commands_are_verbs_of_the_makefile() -> None:
    verbs = set(re.findall(r"^([a-z-]+):", ROOT.joinpath("Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:\$ |`)make ([a-z-]+)", README))
    assert {"demo", "test"} <= named <= verbs


def test_both_commands_and_the_disclaimer_stand_on_the_first_screen() -> None:
    screen = "\n".join(README.splitlines()[:40])
    assert "$ make demo" in screen
    assert re.search(r"\$ make test\n\d+ passed in ", screen)
    assert "not certified by and not affiliated with Ant Group" in screen


def test_every_file_it_links_to_is_there() -> None:
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in target]
    assert len(targets) > 8
    assert [target for target in targets if not ROOT.joinpath(target).exists()] == []

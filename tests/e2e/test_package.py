"""The wheel, as a stranger gets it: what is in it, and that it runs where nothing else of this repository is."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WITHOUT_EXTRAS = """
import sys
from importlib.abc import MetaPathFinder

class Missing(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"click", "rich", "psycopg", "cbor2"}:
            raise ImportError(f"{name} is not installed", name=name)

sys.meta_path.insert(0, Missing())
"""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's contents in a folder of their own."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, text=True)
    (wheel,) = folder.glob("*.whl")
    unpacked = folder.joinpath("unpacked")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    return unpacked


def run(code: str, unpacked: Path, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(unpacked), "COLUMNS": "80"}
    return subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)


def test_the_wheel_holds_the_two_packages_and_nothing_else(unpacked: Path) -> None:
    names = {entry.name for entry in unpacked.iterdir() if not entry.name.endswith(".dist-info")}
    assert names == {"act", "act_cli"}
    assert unpacked.joinpath("act", "py.typed").is_file()


def test_it_is_the_wheel_that_is_imported(unpacked: Path, tmp_path: Path) -> None:
    done = run("import act, act_cli; print(act.__file__); print(act_cli.__file__)", unpacked, tmp_path)
    assert [Path(line).parents[1] for line in done.stdout.split()] == [unpacked, unpacked], done.stderr


def test_importing_act_needs_no_extra(unpacked: Path, tmp_path: Path) -> None:
    done = run(WITHOUT_EXTRAS + "import act; print(len(act.__all__) > 0)", unpacked, tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, "True"), done.stderr


@pytest.mark.parametrize("arguments", [["--help"], []])
def test_help_answers_without_the_cli_extra(arguments: list[str], unpacked: Path, tmp_path: Path) -> None:
    code = (
        f"{WITHOUT_EXTRAS}\nimport runpy\nsys.argv = ['act', *{arguments!r}]\nrunpy.run_module('act_cli', run_name='__main__')"
    )
    done = run(code, unpacked, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "authorize" in done.stdout
    assert "agentic-commerce-trust[cli]" in done.stdout


def test_a_command_without_the_cli_extra_says_what_is_missing(unpacked: Path, tmp_path: Path) -> None:
    code = f"{WITHOUT_EXTRAS}\nimport runpy\nsys.argv = ['act', 'demo']\nrunpy.run_module('act_cli', run_name='__main__')"
    done = run(code, unpacked, tmp_path)
    assert done.returncode == 3
    assert done.stdout == ""
    assert "agentic-commerce-trust[cli]" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_is_the_same_through_the_module_and_the_script(unpacked: Path, tmp_path: Path) -> None:
    module = run(
        "import sys, runpy; sys.argv = ['act', '--help']; runpy.run_module('act_cli', run_name='__main__')", unpacked, tmp_path
    )
    script = run("import sys; sys.argv = ['act', '--help']; from act_cli.main import main; main()", unpacked, tmp_path)
    assert module.returncode == script.returncode == 0, module.stderr
    assert module.stdout == script.stdout != ""

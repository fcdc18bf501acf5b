"""The house rules as tests: sizes, names, no floats near money, no clock in what decides, one door into the SDK."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

import act
from scripts import public_api
from tests.style import rules
from tests.style.rules import Source

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("act", "cli", "benchmarks", "scripts", "spec", "test-vectors", "tests")
MONEY_PATH = ("act/money.py", "act/delegation", "act/commerce", "act/payment", "act/stores")
WAITING = "act/stores/sqlite/turns.py"
"""In the path of money without knowing any: `time.sleep` wants its pauses in seconds."""
DECIDING = ("act/delegation", "act/commerce", "act/payment/verifier*")
MAX_PUBLIC_NAMES = 40


@cache
def sources(*places: str) -> tuple[Source, ...]:
    """Every module in these folders and files, read once."""
    paths = [path for place in places for found in ROOT.glob(place) for path in _modules(found)]
    return tuple(Source.parse(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT))) for path in sorted(paths))


def _modules(place: Path) -> Iterator[Path]:
    return iter([place]) if place.is_file() else place.rglob("*.py")


def _found(rule: Callable[[Source], Iterator[str]], *places: str) -> list[str]:
    modules = sources(*places)
    assert modules, f"nothing to look at in {places}"
    return [finding for module in modules for finding in rule(module)]


def test_modules_are_short() -> None:
    assert _found(rules.long_module, *FOLDERS) == []


def test_functions_are_short() -> None:
    assert _found(rules.long_functions, *FOLDERS) == []


def test_module_names_say_what_is_inside() -> None:
    assert _found(rules.empty_name, *FOLDERS) == []


@pytest.mark.parametrize("place", MONEY_PATH)
def test_no_float_near_money(place: str) -> None:
    assert [found for found in _found(rules.floats, place) if not found.startswith(f"{WAITING}:")] == []


@pytest.mark.parametrize("place", DECIDING)
def test_what_decides_reads_no_clock(place: str) -> None:
    assert _found(rules.clock_readings, place) == []


def test_the_command_uses_only_public_names() -> None:
    public = {*act.__all__, "__version__"}
    assert _found(lambda source: rules.private_imports(source, public), "cli/act_cli") == []


def test_public_names_are_few_and_exist() -> None:
    assert len(act.__all__) <= MAX_PUBLIC_NAMES
    assert sorted(set(act.__all__)) == sorted(act.__all__)
    assert [name for name in act.__all__ if not hasattr(act, name)] == []


def test_public_names_say_what_they_promise() -> None:
    assert [name for name in act.__all__ if not _has_docstring(getattr(act, name))] == []


def _has_docstring(thing: object) -> bool:
    if isinstance(thing, type):
        written = thing.__dict__.get("__doc__")
        # A dataclass without a docstring gets its own signature as one.
        return bool(written) and not str(written).startswith(f"{thing.__name__}(")
    if inspect.isroutine(thing) or inspect.ismodule(thing):
        return bool(thing.__doc__)
    return True  # a constant has no docstring of its own


def test_public_interface_is_the_recorded_one() -> None:
    recorded = public_api.RECORD.read_text(encoding="utf-8")
    assert public_api.rendered() == recorded, (
        "if the change is meant, run `python -m scripts.public_api` and say so in CHANGELOG"
    )


# --- the rules themselves: each finds what it is there to find, and only that ------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["x = 1.5", "x = 1e2", "x = 2j", "x = a / b", "x /= 2", "x = float('1')", "x = d.total_seconds()", "f = operator.truediv"],
)
def test_float_rule_finds(text: str) -> None:
    assert len(list(rules.floats(Source.parse(text)))) == 1


@pytest.mark.parametrize("text", ["x = 15", "x = a // b", "x = '1.5'", "x = Decimal('1.5')", "ok = isinstance(x, float)"])
def test_float_rule_passes(text: str) -> None:
    assert list(rules.floats(Source.parse(text))) == []


@pytest.mark.parametrize(
    "text",
    [
        "datetime.now(UTC)",
        "datetime.datetime.now()",
        "date.today()",
        "time.time()",
        "time.monotonic()",
        "from time import time_ns",
    ],
)
def test_clock_rule_finds(text: str) -> None:
    assert len(list(rules.clock_readings(Source.parse(text)))) == 1


@pytest.mark.parametrize("text", ["clock.now()", "datetime.fromtimestamp(at, UTC)", "from datetime import time", "at.time()"])
def test_clock_rule_passes(text: str) -> None:
    assert list(rules.clock_readings(Source.parse(text))) == []


@pytest.mark.parametrize(
    "text",
    ["import act.errors", "from act.errors import Refused", "from act import errors", "act.errors", "import act as sdk"],
)
def test_import_rule_finds(text: str) -> None:
    assert len(list(rules.private_imports(Source.parse(text), {"Refused"}))) == 1


@pytest.mark.parametrize(
    "text", ["import act", "from act import Refused", "raise act.Refused", "import act_cli.main", "from . import x"]
)
def test_import_rule_passes(text: str) -> None:
    assert list(rules.private_imports(Source.parse(text), {"Refused"})) == []


def test_size_rules_find_one_line_too_many() -> None:
    body = "    x = 1\n" * (rules.FUNCTION_LINES_BELOW - 2)
    assert list(rules.long_functions(Source.parse(f"def f():\n{body}"))) == []
    assert len(list(rules.long_functions(Source.parse(f"async def f():\n{body}    x = 1\n")))) == 1
    module = Source(Path("act/money.py"), "\n" * rules.MAX_MODULE_LINES, ast.Module([], []))
    assert list(rules.long_module(module)) == []
    assert len(list(rules.long_module(Source(module.path, module.text + "\n", module.tree)))) == 1


@pytest.mark.parametrize(
    "path, count", [("act/utils.py", 1), ("act/key_manager.py", 1), ("act/common/x.py", 1), ("act/keys.py", 0)]
)
def test_name_rule(path: str, count: int) -> None:
    assert len(list(rules.empty_name(Source.parse("", path)))) == count

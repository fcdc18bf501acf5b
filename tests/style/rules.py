"""The house rules that no linter knows, each a function from one parsed module to what breaks it."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

MAX_MODULE_LINES = 400
MAX_TEST_MODULE_LINES = 700
FUNCTION_LINES_BELOW = 70

# A name that says nothing collects everything.
EMPTY_NAMES = frozenset({"common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"})

# What reads a clock, by the module it comes from. The deciding code is told the instant instead.
CLOCKS = {
    "datetime": frozenset({"now", "today", "utcnow"}),
    "time": frozenset({"clock_gettime", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "time", "time_ns"}),
}

# Methods that answer with a float although nothing in the call says so.
FLOAT_METHODS = frozenset({"timestamp", "total_seconds"})


@dataclass(frozen=True, slots=True)
class Source:
    """One module of the repository: its path from the top folder, its text and its syntax tree."""

    path: Path
    text: str
    tree: ast.Module

    @classmethod
    def parse(cls, text: str, path: str = "act/money.py") -> Source:
        """Read a module from its text."""
        return cls(Path(path), text, ast.parse(text, filename=path))


def long_module(source: Source) -> Iterator[str]:
    """Yield the module when it is longer than a module may be."""
    limit = MAX_TEST_MODULE_LINES if source.path.parts[0] == "tests" else MAX_MODULE_LINES
    lines = len(source.text.splitlines())
    if lines > limit:
        yield f"{source.path}: {lines} lines, at most {limit}; make it a package of the same name"


def long_functions(source: Source) -> Iterator[str]:
    """Yield every function that is too long to be read at once."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines >= FUNCTION_LINES_BELOW:
                yield f"{source.path}:{node.lineno}: {node.name} has {lines} lines, must stay under {FUNCTION_LINES_BELOW}"


def empty_name(source: Source) -> Iterator[str]:
    """Yield the module when some part of its path says nothing about what it holds."""
    for part in source.path.with_suffix("").parts:
        if EMPTY_NAMES & set(part.split("_")):
            yield f"{source.path}: {part!r} does not say what is in it"


def floats(source: Source) -> Iterator[str]:
    """Yield every float literal, float(), true division and float-valued method: money is integers and decimals."""
    for node in ast.walk(source.tree):
        match node:
            case ast.Constant(value=float() | complex()):
                found = f"the literal {node.value!r}"
            case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
                found = "a true division; use // with a stated rounding, or joinpath for paths"
            case ast.Call(func=ast.Name(id="float" | "complex" as name)):
                found = f"{name}()"
            case ast.Call(func=ast.Attribute(attr=method)) if method in FLOAT_METHODS:
                found = f".{method}(), which answers with a float"
            case ast.Attribute(value=ast.Name(id="operator"), attr="truediv"):
                found = "operator.truediv"
            case _:
                continue
        assert isinstance(node, ast.expr | ast.stmt)
        yield f"{source.path}:{node.lineno}: {found}"


def clock_readings(source: Source) -> Iterator[str]:
    """Yield every place that reads a clock or imports what does."""
    for node in ast.walk(source.tree):
        match node:
            case ast.Attribute(value=ast.Name(id="datetime" | "date"), attr=attr) if attr in CLOCKS["datetime"]:
                yield f"{source.path}:{node.lineno}: {attr}"
            case ast.Attribute(value=ast.Attribute(attr="datetime" | "date"), attr=attr) if attr in CLOCKS["datetime"]:
                yield f"{source.path}:{node.lineno}: {attr}"
            case ast.Attribute(value=ast.Name(id="time"), attr=attr) if attr in CLOCKS["time"]:
                yield f"{source.path}:{node.lineno}: time.{attr}"
            case ast.ImportFrom(module="time", names=names):
                yield from (f"{source.path}:{node.lineno}: time.{a.name}" for a in names if a.name in CLOCKS["time"])
            case _:
                pass


def private_imports(source: Source, public: Collection[str]) -> Iterator[str]:
    """Yield every use of the SDK that goes past its public names: `import act` and `from act import X` are the ways in."""
    for node in ast.walk(source.tree):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    if alias.name.startswith("act."):
                        yield f"{source.path}:{node.lineno}: import {alias.name}"
                    elif alias.name == "act" and alias.asname is not None:
                        yield f"{source.path}:{node.lineno}: act imported under another name"
            case ast.ImportFrom(module=str(module)) if module.startswith("act."):
                yield f"{source.path}:{node.lineno}: from {module}"
            case ast.ImportFrom(module="act", names=names):
                yield from (f"{source.path}:{node.lineno}: act.{a.name}" for a in names if a.name not in public)
            case ast.Attribute(value=ast.Name(id="act"), attr=attr) if attr not in public:
                yield f"{source.path}:{node.lineno}: act.{attr}"
            case _:
                pass

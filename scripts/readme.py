"""Writes the parts of README that show what programs print and what the example says; `--check` fails if they are not current.

A part stands between `<!-- generated: name -->` and `<!-- end -->`. What differs from run to run (ids, instants, sizes of
ES256 objects) is left as it was when nothing else changed.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
README: Final = ROOT.joinpath("README.md")
_BLOCK: Final = re.compile(r"(<!-- generated: (?P<name>[a-z-]+) -->\n)(?P<body>.*?)(<!-- end -->)", re.DOTALL)
_VARIABLE: Final = (
    (re.compile(r"\bch_[0-9a-f]+"), "ch_…"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "an instant"),
    (re.compile(r"\b[0-9a-f]{8,64}\b"), "an id"),
)


def _act(*arguments: str, folder: str) -> str:
    """What the command prints on a pipe of 100 columns."""
    environment = {"PATH": "/usr/bin:/bin", "COLUMNS": "100", "PYTHONPATH": f"{ROOT}:{ROOT.joinpath('cli')}", "NO_COLOR": "1"}
    program = [sys.executable, "-m", "act_cli", *arguments]
    shown = subprocess.run(program, cwd=folder, env=environment, check=True, capture_output=True, text=True).stdout
    lines = shown.replace(f"{sys.executable} -m act_cli", ".venv/bin/act").strip("\n").splitlines()
    return "\n".join(line.rstrip() for line in lines)


def _demo() -> str:
    with tempfile.TemporaryDirectory() as folder:
        return f"```console\n$ make demo\n{_act('demo', folder=folder)}\n```\n"


def _help() -> str:
    return f"```console\n$ act --help\n{_act('--help', folder=str(ROOT))}\n```\n"


def _one_call() -> str:
    text = ROOT.joinpath("examples", "one_payment.py").read_text(encoding="utf-8")
    shown = text.split("    # What README shows begins here.\n")[1].split("    # What README shows ends here.\n")[0]
    return "```python\n" + "".join(line[4:] or "\n" for line in shown.splitlines(keepends=True)) + "```\n"


_PARTS: Final[dict[str, Callable[[], str]]] = {"demo": _demo, "help": _help, "one-call": _one_call}


def _constant(text: str) -> str:
    """The text without what differs from run to run."""
    for pattern, word in _VARIABLE:
        text = pattern.sub(word, text)
    return text


def _renewed(block: re.Match[str]) -> str:
    fresh = _PARTS[block["name"]]()
    body = block["body"] if _constant(block["body"]) == _constant(fresh) else fresh
    return f"{block[1]}{body}{block[4]}"


def main(arguments: list[str]) -> int:
    """Writes README, or with `--check` says whether it is current."""
    now = README.read_text(encoding="utf-8")
    renewed = _BLOCK.sub(_renewed, now)
    if arguments == ["--check"]:
        if renewed != now:
            print("README.md is not current: run `make vectors`", file=sys.stderr)
            return 1
        return 0
    README.write_text(renewed, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Help: the same for every command, legible in 80 columns, and true."""

from __future__ import annotations

import shlex
import subprocess
import sys

import click
import pytest

from act_cli import catalog, main
from act_cli.help_text import commands, help_text
from act_cli.manners import Exit
from act_cli.program import program
from tests.support.command import ROOT, clean_environment

CONTEXTS = {context.command_path: context for context in commands()}
LEAVES = [path for path, context in CONTEXTS.items() if not isinstance(context.command, click.Group)]


def test_every_command_of_the_issue_is_there() -> None:
    names = ["demo", "keys new", "keys show", "intent draft", "intent confirm", "mint", "delegate", "inspect", "order", "pay"]
    names += ["verify"]
    names += [
        "authorize",
        "capture",
        "void",
        "refund",
        "register",
        "suspend",
        "resume",
        "revoke",
        "instruct",
        "status",
        "statement",
        "ledger check",
        "ledger expire",
        "ledger backup",
        "ledger reconcile",
    ]
    assert [f"act {name}" for name in names] == LEAVES


@pytest.mark.parametrize("path", CONTEXTS)
def test_help_fits_80_columns_and_begins_with_an_example(path: str) -> None:
    lines = CONTEXTS[path].get_help().splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith(f"Usage: {path}")
    assert lines[1:3] == ["", "Example:"]
    assert lines[3].startswith("  act ")


@pytest.mark.parametrize("path", LEAVES)
def test_examples_are_command_lines_the_command_takes(path: str) -> None:
    """Every option of an example exists and gets a value that its type takes; nothing required is missing."""
    context = CONTEXTS[path]
    text = str(getattr(context.command.callback, "example", ""))
    examples = [shlex.split(line) for line in text.replace("\\\n", " ").strip().splitlines()]
    assert examples
    words = path.split()
    for example in examples:
        assert example[: len(words)] == words
        made = context.command.make_context(path, example[len(words) :], parent=context.parent)
        assert made.params


@pytest.mark.parametrize("path", LEAVES)
def test_every_command_takes_json_and_every_option_says_what_it_is(path: str) -> None:
    options = [each for each in CONTEXTS[path].command.params if isinstance(each, click.Option)]
    assert any("--json" in option.opts for option in options)
    assert [option.name for option in options if not option.help] == []


def test_the_catalog_says_what_the_commands_say() -> None:
    said = {name: program.get_command(click.Context(program), name) for name in program.list_commands(click.Context(program))}
    summaries = {name: command.get_short_help_str(limit=100) for name, command in said.items() if command is not None}
    assert summaries == {entry.name: entry.summary for entry in catalog.COMMANDS}


def test_the_help_of_everything_is_one_text() -> None:
    text = help_text()
    assert all(f"$ {path} --help\n" in text for path in CONTEXTS)
    assert text == help_text()


def test_help_needs_neither_the_library_nor_any_command() -> None:
    code = (
        "import sys; from act_cli.main import run; code = run(['--help'])\n"
        "loaded = [name for name in sys.modules if name.split('.')[0] in ('act', 'rich', 'pydantic') or '.commands.' in name]\n"
        "sys.exit(code or loaded or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=clean_environment(), cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: act ")


def test_the_plain_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    text = catalog.plain_help()
    assert all(f"  {entry.name} " in text and entry.summary in text for entry in catalog.COMMANDS)
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    "arguments, code", [([], 0), (["--help"], 0), (["-h"], 0), (["help"], 0), (["demo"], 3), (["mint", "--help"], 3)]
)
def test_without_click_there_is_help_or_one_line(
    arguments: list[str], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "click", None)
    monkeypatch.delitem(sys.modules, "act_cli.program", raising=False)
    assert main.run(arguments) == code
    out, err = capsys.readouterr()
    assert (out if code == 0 else err).count("agentic-commerce-trust[cli]") == 1
    assert (err if code == 0 else out) == ""
    assert code == 0 or len(err.splitlines()) == 1


def test_with_click_but_without_rich_a_command_says_what_is_missing() -> None:
    code = "import sys; sys.modules['rich'] = None; from act_cli.main import run; sys.exit(run(sys.argv[1:]))"
    for arguments, expected in ((["inspect", "mandate.cbor"], 3), (["--help"], 0)):
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(command, env=clean_environment(), cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == expected
        assert ("agentic-commerce-trust[cli]" in done.stderr) is (expected == 3)


def test_closed_streams_are_no_defect() -> None:
    code = "import sys; sys.stdout = sys.stderr = None; sys.argv = ['act', *{0}]; from act_cli.main import main; main()"
    for arguments, expected in ((["--help"], 0), (["inspect", "missing"], 3), (["keys"], 2)):
        command = [sys.executable, "-c", code.format(arguments)]
        assert subprocess.run(command, env=clean_environment(), cwd=ROOT, capture_output=True).returncode == expected


def test_without_a_command_the_help_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["keys"]):
        assert main.run(arguments) == Exit.USAGE
        out, err = capsys.readouterr()
        assert out == ""
        assert "Commands:" in err

"""Every help text of the command as one text, the same on every machine: `python -m act_cli.help_text`."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from act_cli.program import program

__all__ = ["commands", "help_text"]


def commands() -> Iterator[click.Context]:
    """A context for the command itself and for everything below it, in the order of the help."""
    return _below(click.Context(program, info_name="act", **program.context_settings))


def _below(context: click.Context) -> Iterator[click.Context]:
    yield context
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            command = context.command.get_command(context, name)
            if command is not None:
                yield from _below(click.Context(command, info_name=name, parent=context, **command.context_settings))


def help_text() -> str:
    """`$ act ... --help` and what it prints, for every command."""
    parts = []
    for context in commands():
        parts.append(f"$ {context.command_path} --help\n{context.get_help().rstrip()}\n")
    return "\n".join(parts)


if __name__ == "__main__":
    sys.stdout.write(help_text())

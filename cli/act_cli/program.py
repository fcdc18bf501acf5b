"""The command line as click sees it: commands are loaded only when they are called, and help leads with an example."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import click

import act_cli.catalog as catalog
from act_cli.manners import Exit, Manners

__all__ = ["HELP_WIDTH", "Command", "Group", "Program", "example", "invoke", "program"]

HELP_WIDTH: Final = 80

_SETTINGS: Final[dict[str, Any]] = {"help_option_names": ["-h", "--help"], "terminal_width": HELP_WIDTH}

F = TypeVar("F", bound=Callable[..., Any])


def example(text: str) -> Callable[[F], F]:
    """Gives a command the example its help begins with; a trailing backslash continues a line, as in a shell."""

    def keep(function: F) -> F:
        function.__dict__["example"] = text
        return function

    return keep


class Command(click.Command):
    """A command whose help shows an example first, then what it does, then its options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["context_settings"] = _SETTINGS | (kwargs.get("context_settings") or {})
        super().__init__(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command. What the library refuses or cannot do is reported here, and its exit code returned."""
        import act  # commands need it anyway; help does not

        try:
            return super().invoke(ctx)
        except act.ActError as error:
            return ctx.find_object(Manners).fail(error)  # type: ignore[union-attr]  # `invoke` below has put it there

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """See `click.Command`."""
        _write_example(str(getattr(self.callback, "example", "")), formatter)
        super().format_help_text(ctx, formatter)


@click.pass_context
def _require_command(ctx: click.Context) -> None:
    """A group alone: the help goes to stderr, and the exit code says that something is missing."""
    if ctx.invoked_subcommand is None:
        manners = ctx.find_object(Manners)
        if manners is not None and manners.as_json:
            ctx.exit(manners.fail_usage("Missing command", ctx.command_path))
        click.echo(ctx.get_help(), err=True)
        ctx.exit(Exit.USAGE)


class Group(click.Group):
    """A group of such commands, whose help shows an example first, too."""

    command_class = Command

    def __init__(self, example: str = "", **kwargs: Any) -> None:
        kwargs |= {
            "context_settings": _SETTINGS,
            "no_args_is_help": False,
            "invoke_without_command": True,
            "subcommand_metavar": "COMMAND [ARGS]...",
        }
        # Read by `Manners`; here so that it may stand before the command's name, too.
        as_json = click.Option(["--json"], is_flag=True, expose_value=False, help="As --json of the command that follows.")
        kwargs["params"] = [as_json, *kwargs.get("params", ())]
        super().__init__(callback=_require_command, **kwargs)
        self.example: Final = example

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of definition."""
        return list(self.commands)

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """See `click.Command`."""
        _write_example(self.example, formatter)
        super().format_help_text(ctx, formatter)


class Program(Group):
    """The outermost group. What its help lists comes from the catalog, so that no command is loaded for it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of a payment's life."""
        return [entry.name for entry in catalog.COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Loads the module of a command."""
        for entry in catalog.COMMANDS:
            if entry.name == cmd_name:
                module = importlib.import_module(f"act_cli.commands.{entry.module}")
                command: click.Command = getattr(module, entry.variable)
                return command
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """See `click.Group`."""
        with formatter.section("Commands"):
            formatter.write_dl([(entry.name, entry.summary) for entry in catalog.COMMANDS])


def _write_example(text: str, formatter: click.HelpFormatter) -> None:
    if text:
        with formatter.section("Example"):
            for line in text.strip("\n").splitlines():
                formatter.write(f"  {line}\n")


def _show_version(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        import act

        click.echo(f"act {act.__version__}")
        ctx.exit()


program: Final = Program(
    name="act",
    help=f"{catalog.INTRODUCTION}\n\nEvery command takes --json. Exit codes: 0 accepted, 1 refused, 2 wrong command line, "
    "3 a file, key or ledger cannot be used, 70 a defect of this program.",
    example="act demo",
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_show_version,
            help="Print the version and exit.",
        )
    ],
)


def _path_of(error: click.UsageError, arguments: Sequence[str]) -> str:
    """The words of the command that was meant; click does not always know."""
    if error.ctx is not None:
        return error.ctx.command_path
    words = list(itertools.takewhile(lambda word: not word.startswith("-"), arguments))[:2]
    if not words or words[0] not in program.list_commands(click.Context(program)):
        return "act"
    return f"act {' '.join(words if words[0] == 'keys' else words[:1])}"


def invoke(arguments: Sequence[str], manners: Manners) -> int:
    """Runs a command line: returns the exit code that the command, or what it raised, stands for."""
    try:
        with program.make_context("act", list(arguments), obj=manners) as context:
            result = program.invoke(context)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.UsageError as error:
        return manners.fail_usage(error.format_message(), _path_of(error, arguments))
    except click.Abort:
        raise KeyboardInterrupt from None
    return result if isinstance(result, int) else Exit.ACCEPTED

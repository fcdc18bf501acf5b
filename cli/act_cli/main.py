"""Where the command begins and ends: one boundary that turns whatever happens into an exit code and, at most, clear lines.

click and rich come with the extra `cli`. Without them `--help` still answers, and everything else says what is missing.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Final, NoReturn

from act_cli import catalog
from act_cli.manners import Exit, Manners, WarningHandler, discard_stdout

__all__ = ["main", "run"]

_EXTRA: Final = frozenset({"click", "rich"})


def main() -> NoReturn:
    """The entry point: runs the process's own arguments and exits."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started the process: what is written is lost, as they wished
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - lives as long as the process
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Runs one command line and returns its exit code. Never raises, except for what is not an `Exception`."""
    manners = Manners(arguments)
    try:
        with _warnings_shown(manners):
            code = _attempt(arguments, manners)
        sys.stdout.flush()
    except BrokenPipeError:
        return _discard_stdout(Exit.PIPE_CLOSED)
    except KeyboardInterrupt:
        return _discard_stdout(Exit.INTERRUPTED)
    except OSError as error:
        sys.stderr.write(f"error: file_unwritable: standard output cannot be written: {error.strerror}\n")
        return _discard_stdout(Exit.INPUT)
    return code


def _attempt(arguments: Sequence[str], manners: Manners) -> int:
    try:
        from act_cli.program import invoke

        return invoke(arguments, manners)
    except ImportError as error:
        if (error.name or "").partition(".")[0] in _EXTRA:
            return _without_extra(arguments)
        return manners.fail_internally(error)
    except OSError as error:
        if error.filename is None:  # the output stream: files are read and written where their errors get a name
            raise
        return manners.fail_internally(error)
    except Exception as error:  # noqa: BLE001 - the boundary: a defect becomes one line and exit code 70, never a traceback
        return manners.fail_internally(error)


def _without_extra(arguments: Sequence[str]) -> int:
    if list(arguments) in ([], ["--help"], ["-h"], ["help"]):
        sys.stdout.write(catalog.plain_help())
        return Exit.ACCEPTED
    sys.stderr.write(f"error: {catalog.WITHOUT_EXTRA}\n")
    return Exit.INPUT


@contextlib.contextmanager
def _warnings_shown(manners: Manners) -> Iterator[None]:
    logger, handler = logging.getLogger("act"), WarningHandler(manners)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def _discard_stdout(code: Exit) -> Exit:
    discard_stdout()
    return code

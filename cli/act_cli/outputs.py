"""What signing commands have in common: an object goes to a file or to stdout, and a report of it to the other side."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import click

import act
from act_cli import views
from act_cli.files import STANDARD, require_free, write_output
from act_cli.manners import Manners
from act_cli.objects import as_file

__all__ = ["deliver", "require_output"]


def require_output(manners: Manners, path: str | None, option: str, *, force: bool) -> None:
    """Finds out, before anything is signed or decided, whether the output can go where `option` says.

    Raises `click.UsageError` where stdout cannot take an object, and `StoreFault` as `require_free` does.
    """
    if path == STANDARD and manners.as_json:
        raise click.UsageError(f"--json and {option} - exclude each other: both would write to standard output")
    if path == STANDARD and sys.stdout.isatty():
        raise click.UsageError(f"{option} - would write bytes to the terminal; name a file, or redirect")
    require_free(path, force=force)


def deliver(
    manners: Manners, path: str, data: bytes, what: str, *, force: bool, more: Mapping[str, object] | None = None
) -> None:
    """Writes a signed object and says so: as JSON on stdout, with `more` members, or in one line on stderr."""
    write_output(path, as_file(data), force=force)
    if path != STANDARD:
        shown = views.object_view(data, act.recognize(data)) | dict(more or {})
        manners.answer({"outcome": "accepted", "file": path, **shown})
    manners.note(f"{what}: {len(data):,} bytes to {'standard output' if path == STANDARD else path}")

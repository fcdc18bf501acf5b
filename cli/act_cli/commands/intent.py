"""`act intent`: the principal's side before any mandate. A draft is checked, shown in plain words, and confirmed once."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from typing import Any, cast

import click

import act
from act_cli import options, views, words
from act_cli.drafts import read_isr
from act_cli.files import STANDARD, in_file, require_free, write_output
from act_cli.manners import Exit, Manners, visible
from act_cli.program import Command, Group, example

__all__ = ["intent"]

intent = Group(
    name="intent",
    help="Check and confirm what a principal wants, before a mandate.",
    example="act intent confirm draft.json --method passkey --out isr.json",
)

_HEADINGS = {
    "en": ("What your agent will be allowed to do:", "Still missing:", "Do you confirm this?"),
    "zh": ("您的代理人将获准：", "还缺少：", "是否确认？"),
}


def _language_of_locale() -> str:
    """What LC_ALL, LC_MESSAGES or LANG asks for, in this order as everywhere; English for what there are no texts in."""
    chosen = next((value for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (value := os.environ.get(name))), "")
    return "zh" if chosen.lower().startswith("zh") else "en"


_language = click.option(
    "--language",
    "--lang",
    "language",
    type=click.Choice(["en", "zh"]),
    help="Language of the summary [default: as LANG says, or en].",
)


@intent.command(name="draft", cls=Command)
@click.argument("path", metavar="FILE")
@_language
@click.option("--out", "out_path", metavar="FILE", help="File to write the checked draft to, in its canonical form.")
@options.force
@options.json_flag
@click.pass_obj
@example("act intent draft draft.json --language zh")
def draft(manners: Manners, path: str, language: str | None, out_path: str | None, force: bool) -> None:
    """Check an intent record, and say what is missing.

    FILE is a JSON document with ACT's field names (spec/intent.md); '-' is standard input. A draft may be incomplete, and says
    so; one that contradicts itself is an error. The summary is made from the very bounds that will be enforced.
    """
    _require_json_output(manners, out_path, force=force)
    record = read_isr(path)
    chosen = _chosen(language)
    if out_path is not None:
        write_output(out_path, record.to_json().encode() + b"\n", force=force)
    if out_path == STANDARD:
        return
    document = {"outcome": "accepted", "file": out_path or path, **views.isr_view(record, chosen)}
    manners.answer(document, _shown(record, chosen))
    if out_path is not None:
        manners.note(f"checked draft, to {out_path}")


@intent.command(name="confirm", cls=Command)
@click.argument("path", metavar="DRAFT")
@click.option("--method", metavar="NAME", required=True, help="How the principal confirms, such as passkey.")
@options.at("When the principal confirmed [default: now].")
@_language
@click.option("--yes", is_flag=True, help="Do not ask: the principal was shown the summary and confirmed elsewhere.")
@options.out
@options.json_flag
@click.pass_obj
@example("act intent confirm draft.json --method passkey --out isr.json")
def confirm(
    manners: Manners,
    path: str,
    method: str,
    at: datetime | None,
    language: str | None,
    yes: bool,
    out_path: str,
    force: bool,
) -> int | None:
    """Confirm a complete draft: the principal's word, once.

    Shows the summary and asks. Programs that have asked the principal themselves say --yes. The record that is written stays
    with the wallet; 'act mint --isr' selects a mandate from it.
    """
    _require_json_output(manners, out_path, force=force)
    chosen = _chosen(language)
    record = read_isr(path)
    try:
        final = record.confirm(method=method, at=at or datetime.now(UTC))  # before asking: nobody confirms what cannot be
    except act.InvalidCall as error:
        raise in_file(path, error) from None
    if not yes and not _agreed(manners, record, chosen):
        manners.note("not confirmed; nothing was written", always=True)
        return Exit.REFUSED
    write_output(out_path, final.to_json().encode() + b"\n", force=force)
    if out_path != STANDARD:
        document = {"outcome": "accepted", "file": out_path, **views.isr_view(final, chosen)}
        manners.answer(document, _shown(final, chosen) if yes else ())
    manners.note(f"intent record confirmed, to {'standard output' if out_path == STANDARD else out_path}")
    return None


def _chosen(language: str | None) -> views.Language:
    return cast(views.Language, language or _language_of_locale())


def _require_json_output(manners: Manners, path: str | None, *, force: bool) -> None:
    """Before anything is asked: whether the record can be written where --out says. A terminal takes a record: it is text."""
    if path == STANDARD and manners.as_json:
        raise click.UsageError("--json and --out - exclude each other: both would write to standard output")
    require_free(path, force=force)


def _shown(record: act.Isr, language: views.Language) -> list[Any]:
    title, missing, _ = _HEADINGS[language]
    shown: list[Any] = [title, words.bullets(record.summary(language), "green")]
    if record.missing:
        shown += [words.blank(), missing, words.bullets(record.missing, "yellow")]
    return shown


def _agreed(manners: Manners, record: act.Isr, language: views.Language) -> bool:
    """Shows the summary on stderr, because stdout may be the record's, and asks. Nobody there to ask is a usage error."""
    if manners.as_json or not sys.stdin.isatty():
        raise click.UsageError("Nobody can be asked here; show the summary to the principal, then give --yes")
    title, _, question = _HEADINGS[language]
    for line in (title, *(f"  {words.glyphs().bullet} {line}" for line in record.summary(language))):
        sys.stderr.write(visible(line) + "\n")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes", "是")

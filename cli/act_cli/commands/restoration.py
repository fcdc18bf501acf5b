"""`act ledger backup` and `act ledger reconcile`: a copy of a ledger in use, and how a restored one counts again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import RenderableType
from rich.text import Text

import act
from act_cli import options, views, words
from act_cli.files import STANDARD, load_parties
from act_cli.manners import Exit, Manners, instant_text, visible
from act_cli.objects import read_object
from act_cli.program import Command, example
from act_cli.service import opened_ledger

__all__ = ["backup", "reconcile"]


@click.command(cls=Command)
@click.argument("path", metavar="LEDGER")
@click.argument("copy", metavar="COPY")
@options.json_flag
@click.pass_obj
@example("act ledger backup ledger.db ledger-2026-02-06.db")
def backup(manners: Manners, path: str, copy: str) -> Exit:
    """Copy a ledger that is in use.

    COPY is a new file; it is the ledger as of one moment, and nobody has to stop for it. It is frozen, because it does not know
    what is spent from then on: it answers, suspends and revokes, and refuses anything else until 'act ledger reconcile'.
    """
    _require_file(path)
    with opened_ledger(path) as ledger, manners.progress("pages") as advance:
        ledger.backup(copy, at=datetime.now(UTC), progress=advance)
    size = Path(copy).stat().st_size
    shown = Text.assemble((" COPIED ", "bold black on green"), f" {visible(copy)}: {size:,} bytes, frozen until reconciled")
    manners.answer({"outcome": "accepted", "file": copy, "bytes": size}, [shown])
    return Exit.ACCEPTED


@click.command(cls=Command)
@click.argument("path", metavar="LEDGER")
@click.argument("receipt_paths", metavar="[RECEIPT]...", nargs=-1)
@options.signing_key("the payment service")
@options.parties
@click.option(
    "--mandate",
    "mandate_paths",
    metavar="FILE",
    multiple=True,
    help="A mandate first used after the backup, all of whose receipts are given; repeat for more.",
)
@click.option(
    "--complete", is_flag=True, help="You answer for it that these are all receipts since the backup. Nothing is retired then."
)
@options.at("Reconcile as of this instant [default: now].")
@click.option("--dry-run", is_flag=True, help="Show what would be done, and write nothing.")
@options.json_flag
@click.pass_obj
@example("""
act ledger reconcile ledger.db receipts/ --key psp.pem \\
  --parties parties.json --dry-run
act ledger reconcile ledger.db receipts/ --key psp.pem \\
  --parties parties.json --complete
""")
def reconcile(
    manners: Manners,
    path: str,
    receipt_paths: tuple[str, ...],
    key_path: str,
    passphrase_path: str | None,
    parties_path: str,
    mandate_paths: tuple[str, ...],
    complete: bool,
    dry_run: bool,
    at: datetime | None,
) -> Exit:
    """Make a restored ledger count again.

    RECEIPT is a signed receipt of this payment service, or a folder of them, in any order. Each becomes the entry that it was
    made of. Without --complete every mandate that could still be paid under is then revoked, because what was spent under it
    since cannot be known. Mandates that the ledger does not know and that are no newer are refused from then on.
    """
    if at is not None and at > datetime.now(UTC):
        raise click.UsageError("--at must not lie in the future: what would have ended by then could still be paid under")
    files = {"receipts": _files(receipt_paths), "mandates": list(mandate_paths)}
    if (*files["receipts"], *mandate_paths).count(STANDARD) > 1:
        raise click.UsageError("Only one file can be standard input")
    _require_file(path)
    parties = load_parties(parties_path)
    signer = options.load_signer(key_path, passphrase_path)
    receipts = [read_object(manners, each, "receipt")[0] for each in files["receipts"]]
    mandates = [read_object(manners, each, "mandate")[0] for each in mandate_paths]
    manners.subject = ""
    try:
        with opened_ledger(path) as ledger:
            done = ledger.reconcile(
                receipts,
                parties=parties,
                signer=signer,
                at=at or datetime.now(UTC),
                mandates=mandates,
                complete=complete,
                dry_run=dry_run,
            )
    except act.Refused as refusal:
        raise _in_file(files, refusal) from None
    except act.InvalidCall as error:
        place = f"--key {key_path}" if error.where == "signer" else error.where
        raise act.InvalidCall(error.code, place, **error.facts) from None
    manners.answer(_document(done), _shown(done))
    return Exit.ACCEPTED


def _require_file(address: str) -> None:
    """A database is copied and restored by its own means, and the mark that freezes a copy is the file's. Its address, which
    may hold a password, is not shown."""
    if re.match("postgres(ql)?://", address, re.IGNORECASE):
        reason = "a ledger in PostgreSQL is backed up by the database's own means; this is for ledgers in a file"
        raise act.InvalidCall("call_invalid", "LEDGER", reason=reason)


def _files(paths: Sequence[str]) -> list[str]:
    """The files that are named, and those of the folders that are, hidden ones left out."""
    files: list[str] = []
    for each in paths:
        if each == STANDARD or not Path(each).is_dir():
            files.append(each)
            continue
        try:
            files += sorted(str(file) for file in Path(each).iterdir() if file.is_file() and not file.name.startswith("."))
        except OSError as error:
            raise act.StoreFault("file_unreadable", each, reason=error.strerror or "not a usable folder") from None
    return files


def _in_file(files: dict[str, list[str]], refusal: act.Refused) -> act.Refused:
    """A refusal that names the file it is about."""
    found = re.fullmatch(r"(receipts|mandates)\.([0-9]+)\.(.*)", refusal.where)
    if found is None:
        return refusal
    facts = dict(refusal.facts)
    other = re.fullmatch(r"(another receipt has it, too: )receipts\.([0-9]+)", str(facts.get("reason", "")))
    if other is not None:
        facts["reason"] = other[1] + files["receipts"][int(other[2])]
    return act.Refused(refusal.code, f"{files[found[1]][int(found[2])]}: {found[3]}", **facts)


def _document(done: Any) -> dict[str, object]:
    return {
        "outcome": "accepted",
        "dry_run": done.is_dry_run,
        "complete": done.is_complete,
        "frozen_at": instant_text(done.frozen_at),
        "reconciled_at": instant_text(done.reconciled_at),
        "entries": {"replayed": done.replayed, "filled": done.filled},
        "receipts": {"repeated": done.repeated, "left_out": done.left_out, "unknown": done.unknown},
        "mandates": done.mandates,
        "continued": [views.mandate_key_view(each) for each in done.continued],
        "retired": [views.mandate_key_view(each) for each in done.retired],
    }


def _shown(done: Any) -> list[RenderableType]:
    """What was done, in plain words; what is zero is left out."""
    heading = (" WOULD RECONCILE ", "bold black on yellow") if done.is_dry_run else (" RECONCILED ", "bold black on green")
    counted = (
        ("made again", done.replayed, "entries, each from its receipt"),
        ("made again", done.filled, "entries without a receipt, as the next ones prove"),
        ("known", done.repeated, "receipts that the backup has"),
        ("left out", done.left_out, "receipts of mandates that were stopped since the ledger was restored"),
        ("left out", done.unknown, "receipts of mandates that the backup does not have; they are refused from now on"),
    )
    facts = [(name, f"{count:,} {what}") for name, count, what in counted if count]
    retired = "revoked, because what was spent under them is not known"
    standing = f"{len(done.retired):,} of {done.mandates:,} {retired}" if done.retired else f"{done.mandates:,}, none retired"
    shown: list[RenderableType] = [
        Text.assemble(heading, f" backup of {instant_text(done.frozen_at)}"),
        words.facts(
            *facts, ("mandates", standing), ("refused", f"mandates not known, up to {instant_text(done.reconciled_at)}")
        ),
    ]
    if done.retired:
        names = [words.mandate_id(each.delegation_id) for each in done.retired]
        shown += [words.blank(), Text("retired", style="bold"), words.bullets(names)]
    return shown

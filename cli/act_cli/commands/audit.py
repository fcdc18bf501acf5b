"""What an auditor or an operator asks of a ledger: what happened under a mandate, and whether everything in the file agrees."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

import act
from act_cli import options, views, words
from act_cli.commands.restoration import backup, reconcile
from act_cli.files import load_parties
from act_cli.instructions import short_identity
from act_cli.manners import Exit, Manners, instant_text, money, visible
from act_cli.objects import read_object
from act_cli.program import Command, Group, example
from act_cli.service import opened_ledger, reading_service, signing_service

__all__ = ["ledger", "statement"]

_STYLES = {"REFUSED": "bold red", "REVOKED": "bold red", "CAPTURED": "bold green", "PARTIALLY_CAPTURED": "green"}


@click.command(cls=Command)
@click.argument("mandate_path", metavar="MANDATE")
@options.ledger
@options.parties
@options.json_flag
@click.pass_obj
@example("act statement mandate.cbor --ledger ledger.db --parties parties.json")
def statement(manners: Manners, mandate_path: str, ledger_path: str, parties_path: str) -> Exit:
    """Show everything that happened under a mandate.

    One line for each entry of the ledger, refusals included, oldest first; a mandate and its successors have one statement. The
    mandate must be genuine, and the ledger must be the one it names. With --json each entry is the receipt that was made of it.
    """
    data, found = read_object(manners, mandate_path, "mandate")
    parties = load_parties(parties_path)
    with reading_service(ledger_path, found.content.mandate.ledger, parties) as service:
        entries = service.statement(data)
    key = views.mandate_key_view(found.content.mandate)
    title = f"{len(entries)} entries of mandate {words.mandate_id(key['delegation_id'])}"
    if any(each.supersedes is not None for each in entries):
        title += " and of those that it replaced or that replaced it"
    shown: list[RenderableType] = [Text(title, style="bold")]
    if entries:
        shown += [words.blank(), _entries(entries)]
    manners.answer({"outcome": "accepted", "mandate": key, "entries": [views.receipt_view(each) for each in entries]}, shown)
    return Exit.ACCEPTED


def _entries(entries: tuple[act.Receipt, ...]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), show_edge=False, header_style="dim")
    table.add_column("when", no_wrap=True)
    table.add_column("what", no_wrap=True)
    table.add_column("amount", justify="right", no_wrap=True)
    table.add_column("payee and order", overflow="fold")
    for each in entries:
        what, why = each.kind.value, each.code or each.capture_no or each.refund_no or ""
        if each.supersedes is not None:
            why = f"mandate {words.mandate_id(each.delegation_id)} replaces {short_identity(each.supersedes)}"
        amount = each.amount.text if each.amount is not None else ""
        about = " ".join(filter(None, (each.audience[0] if each.order_no else "", each.order_no, why)))
        table.add_row(instant_text(each.issued_at), Text(what, style=_STYLES.get(what, "")), amount, Text(visible(about)))
    return table


ledger = Group(
    name="ledger",
    help="Check, copy or restore a whole ledger; close ended holds.",
    example="act ledger check ledger.db",
)


@ledger.command(name="check", cls=Command)
@click.argument("path", metavar="LEDGER")
@options.json_flag
@click.pass_obj
@example("act ledger check ledger.db")
def check(manners: Manners, path: str) -> Exit:
    """Prove that everything in a ledger agrees.

    LEDGER is its file or its postgresql:// address. Folds its entries anew and compares counters, charges, requests and
    receipts with what they add up to. It reads everything as of one moment and changes nothing; nobody has to stop for it. Exit
    code 1 if anything disagrees.
    """
    with opened_ledger(path) as opened, manners.progress("mandates") as advance:
        audit = opened.audit(advance)
    document: dict[str, Any] = {
        "mandates": audit.mandates,
        "entries": dict(sorted(audit.entries.items())),
        "charges": dict(sorted(audit.charges.items())),
        "disagreements": audit.disagreements,
    }
    if audit.disagreements:
        shown: list[RenderableType] = [Text(" DISAGREES ", style="bold white on red"), words.blank()]
        shown += [Text(visible(each)) for each in audit.disagreements]
        manners.answer({"outcome": "refused", **document}, shown)
        return Exit.REFUSED
    counted = (f"{sum(found.values())} {name}" for name, found in (("entries", audit.entries), ("charges", audit.charges)))
    facts = words.facts(("mandates", str(audit.mandates)), *(("counted", each) for each in counted))
    manners.answer({"outcome": "accepted", **document}, [Text(" AGREES ", style="bold black on green"), facts])
    return Exit.ACCEPTED


@ledger.command(name="expire", cls=Command)
@options.payment_service
@options.at("Close what has ended by this instant [default: now].")
@options.json_flag
@click.pass_obj
@example("""
act ledger expire --ledger ledger.db --ledger-id psp-1 \\
  --parties parties.json --key psp.pem
""")
def expire(manners: Manners, /, at: datetime | None, **given: Any) -> Exit:
    """Close the holds that have ended, and release them.

    No budget waits for it: a payment closes the ended holds of its own mandate first. What is closed here is listed, so that
    payees can be told.
    """
    if at is not None and at > datetime.now(UTC):
        raise click.UsageError("--at must not lie in the future: what it closes stays closed")
    expired: list[act.Charge] = []
    with signing_service(**given, at=at) as (service, _):
        while some := service.expire_holds():
            expired += some
    lines = [Text(visible(f"{each.id} {money(each.amount.minor, each.amount.currency)} {each.payee}")) for each in expired]
    manners.answer(
        {"outcome": "accepted", "charges": [views.charge_view(each) for each in expired]},
        [Text(f"{len(expired)} holds had ended", style="bold"), *lines],
    )
    return Exit.ACCEPTED


ledger.add_command(backup)
ledger.add_command(reconcile)

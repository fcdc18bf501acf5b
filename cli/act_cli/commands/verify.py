"""`act verify`: objects judged offline, each for what it is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click
from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

import act
from act_cli import options, words
from act_cli.files import STANDARD, load_parties
from act_cli.judgement import Question, Verdict, judge, verdict_view
from act_cli.manners import Exit, Manners, facts_in_words, remedy_of, visible
from act_cli.objects import read_object, read_signed
from act_cli.program import Command, example

__all__ = ["verify"]

_STYLES = {"accepted": "bold black on green", "refused": "bold white on red", "incomplete": "bold black on yellow"}


@click.command(cls=Command)
@click.argument("paths", metavar="FILE...", nargs=-1, required=True)
@options.parties
@options.at("Judge as of this instant [default: now].")
@click.option("--ledger-id", metavar="ID", help="The payment service to judge for [default: the one the mandate names].")
@click.option("--order", "order_path", metavar="FILE", help="The order that a receipt must be for.")
@options.json_flag
@click.pass_obj
@example("""
act verify mandate.cbor order.cbor payment.cbor --parties parties.json
act verify mandate.cbor courier.cbor --parties parties.json
act verify receipt.cbor --order order.cbor --parties parties.json
""")
def verify(
    manners: Manners,
    paths: tuple[str, ...],
    parties_path: str,
    at: datetime | None,
    ledger_id: str | None,
    order_path: str | None,
) -> Exit:
    """Verify objects offline: what is proven, and what is not.

    Recognises mandates, links, orders, payments, instructions and receipts. A link, and an instruction about a credential, are
    judged with the mandate and the links before them among the files. A receipt is judged with its order, given by --order or
    among the files.
    Exit code 0 if all are accepted, 1 if any is refused, 3 if one cannot be judged alone.
    """
    if paths.count(STANDARD) + (order_path == STANDARD) > 1:
        raise click.UsageError("Standard input can be read only once")
    parties = load_parties(parties_path)
    inputs = [(path, read_signed(path)) for path in paths]
    order = read_object(manners, order_path, "order")[0] if order_path is not None else None
    question = Question(parties, at or datetime.now(UTC), ledger_id, order, _orders(inputs), _chains(inputs))
    verdicts = [(path, judge(data, question)) for path, data in inputs]
    if order is not None and not any(verdict.kind == "receipt" for _, verdict in verdicts):
        raise click.UsageError("--order is for a receipt, and there is none among the files")
    outcomes = {verdict.outcome for _, verdict in verdicts}
    worst = next((outcome for outcome in ("refused", "incomplete") if outcome in outcomes), "accepted")
    shown: list[RenderableType] = []
    for path, verdict in verdicts:
        shown += [*([words.blank()] if shown else []), *_shown(path, verdict)]
    manners.answer({"outcome": worst, "results": [verdict_view(path, verdict) for path, verdict in verdicts]}, shown)
    return {"accepted": Exit.ACCEPTED, "refused": Exit.REFUSED, "incomplete": Exit.INPUT}[worst]


def _orders(inputs: list[tuple[str, bytes]]) -> dict[bytes, bytes]:
    """The orders among the files and inside the payments among them, by identity. Nothing here is believed."""
    orders: dict[bytes, bytes] = {}
    for _, data in inputs:
        try:
            found: Any = act.recognize(data)
            offered = data
            if found.kind == "payment":
                found = act.recognize(offered := found.order)
        except act.Refused:
            continue  # its own verdict says so
        if found.kind == "order":
            orders[found.opened.identity] = offered
    return orders


def _chains(inputs: list[tuple[str, bytes]]) -> dict[bytes, tuple[bytes, ...]]:
    """The credentials among the files with what stands above them, root first, by identity. A parent counts only if it comes
    before its link. Nothing here is believed."""
    chains: dict[bytes, tuple[bytes, ...]] = {}
    for _, data in inputs:
        try:
            found: Any = act.recognize(data)
        except act.Refused:
            continue  # its own verdict says so
        if found.kind == "mandate":
            chains[found.opened.identity] = (data,)
        elif found.kind == "link" and found.content.link.parent in chains:
            chains[found.opened.identity] = (*chains[found.content.link.parent], data)
    return chains


def _shown(path: str, verdict: Verdict) -> list[RenderableType]:
    marks = words.glyphs()
    name = "standard input" if path == STANDARD else path
    shown: list[RenderableType] = [
        Text.assemble(
            (f" {verdict.outcome.upper()} ", _STYLES[verdict.outcome]),
            " ",
            (verdict.kind, "bold"),
            f" {marks.bullet} {visible(name)}",
        )
    ]
    for title, lines, mark, style in (
        ("proven", verdict.proven, marks.yes, "green"),
        ("not proven", verdict.not_proven, "?", "yellow"),
    ):
        if lines:
            shown += [words.dim(f"  {title}"), words.bullets(lines, style, mark)]
    for finding in verdict.findings:
        place = f" ({finding.where})" if finding.where else ""
        shown.append(words.bullets([f"{finding.code}: {finding.meaning}{place}"], "red", marks.no))
        facts = facts_in_words(finding.facts, verdict.bound_currency or verdict.currency, verdict.currency)
        for line in filter(None, (facts, remedy_of(finding))):
            shown.append(Padding.indent(words.dim(line), 4))
    if verdict.needs:
        shown += [words.dim("  to judge it, give"), words.bullets([verdict.needs], "yellow")]
    return shown

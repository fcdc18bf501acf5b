"""The afternoon as it is shown: one line for a cup, two for a refusal, and at the end a bar and the lines to try next."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from datetime import UTC
from pathlib import Path
from typing import Any, Final

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

import act
from act_cli import lineage, words
from act_cli.demo.afternoon import Step, Usage
from act_cli.demo.cast import AGENT, CAP, CURRENCY, LEDGER_ID, PRINCIPAL, SHOPS, WALLET, WRONG_SHOP, Cast
from act_cli.manners import decimal, error_document, facts_in_words, visible

__all__ = ["called_as", "closing", "next_lines", "opening", "shown", "step_view"]

CAP_MINOR: Final = act.Amount.parse(CAP, CURRENCY).minor
TITLE_WIDTH: Final = 22
BAR_WIDTH: Final = 24


def opening(cast: Cast) -> list[RenderableType]:
    """Who takes part, and what the principal signed."""
    folder = f"{cast.folder}{os.sep}"
    return [
        words.blank(),
        Text.assemble(("The milk-tea afternoon", "bold"), (f"   every object is a file in {visible(folder)}", "dim")),
        words.blank(),
        Text("Lin's wallet signs what Lin's agent may do", style="bold"),
        words.bullets(words.mandate_words(cast.mandate), "green"),
        words.blank(),
        words.facts(
            ("agent", f"{AGENT} signs payments with the key the mandate names"),
            ("shops", f"{', '.join(SHOPS)}; and {WRONG_SHOP}, which Lin did not list"),
            ("ledger", f"{LEDGER_ID} decides every payment and counts it in ledger.db"),
            ("size", f"mandate.cbor, {len(cast.credential)} bytes"),
        ),
        words.blank(),
        Text("The agent buys tea", style="bold"),
        _cup_header(),
    ]


def shown(step: Step, number: int) -> list[RenderableType]:
    """A step. `number` counts the cups; the cup that no longer fits ends the buying."""
    if step.outcome in ("captured", "held") and step.shop:
        return [_cup(step, Text(str(number), style="dim"))]
    if step.refusal is not None and step.shop:
        refused = _cup(step, Text(words.glyphs().no, style="red"))
        return [refused, _code(step.refusal, 3), words.blank(), Text("What else is tried, and what it meets", style="bold")]
    if step.outcome in _HEADINGS:
        return [words.blank(), Text(_HEADINGS[step.outcome], style="bold"), *_attempt(step)]
    return _attempt(step)


_HEADINGS: Final = {"delegated": "The agent sends a courier", "revoked": "Lin changes her mind"}
"""What begins another part of the afternoon."""


def _cup_table() -> Table:
    grid = Table.grid(padding=(0, 1, 0, 0))
    for width, right in ((2, True), (6, True), (15, False), (17, False), (None, False), (6, True), (4, False)):
        # The bar alone has no fixed width: where the line is short it shrinks, and every number stays whole.
        grid.add_column(width=width, justify="right" if right else "left", no_wrap=width is not None)
    return grid


def _cup_header() -> Table:
    grid = _cup_table()
    grid.add_row("", *(Text(title, style="dim") for title in (CURRENCY, "shop", "cup")), _Signs(), Text("left", style="dim"))
    return grid


class _Signs:
    """What the bar's signs mean, over the bar; nothing where the bar had to shrink: the closing legend says it, too."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        marks = words.glyphs()
        signs = Text.assemble(
            (marks.captured, words.CAPTURED_STYLE),
            (" captured ", "dim"),
            (marks.held, words.HELD_STYLE),
            (" held ", "dim"),
            (marks.left, words.LEFT_STYLE),
            (" left", "dim"),
        )
        yield signs if signs.cell_len <= options.max_width else Text("")

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(words.MIN_BAR_WIDTH, BAR_WIDTH)


def _cup(step: Step, mark: Text) -> RenderableType:
    usage = step.usage
    left = decimal(CAP_MINOR - usage.captured_minor - usage.held_minor, CURRENCY)
    bar = words.FlexibleBar(usage.captured_minor, usage.held_minor, CAP_MINOR, BAR_WIDTH)
    amount = step.amount.text if step.amount is not None else ""
    state = Text("held", style=words.HELD_STYLE) if step.outcome == "held" else ""
    grid = _cup_table()
    grid.add_row(mark, amount, step.shop, step.title, bar, left, state)
    return grid


def _code(refusal: act.Refused, indent: int) -> RenderableType:
    facts = facts_in_words(refusal.facts, CURRENCY)
    parts = [(refusal.code, "bold red"), *([(f" {words.glyphs().bullet} {facts}", "dim")] if facts else [])]
    return Padding.indent(Text.assemble(*parts), indent)


def _attempt(step: Step) -> list[RenderableType]:
    marks = words.glyphs()
    mark, style = (marks.no, "red") if step.refusal is not None else (marks.yes, "green")
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=2, justify="right", no_wrap=True)
    grid.add_column(width=TITLE_WIDTH, no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(Text(mark, style=style), Text(step.title, style="bold"), Text(step.story))
    return [grid] if step.refusal is None else [grid, _code(step.refusal, TITLE_WIDTH + 4)]


def closing(cast: Cast, link: bytes, usage: Usage, lines: list[tuple[str, str]]) -> list[RenderableType]:
    """What was spent, held and left, who might do what, and what to try next. The commands are texts, so that they can be
    copied whole."""
    tree = Tree(Text(f"{PRINCIPAL} through {WALLET}"), guide_style="dim")
    lineage.grow(tree, lineage.lineage_of((cast.credential, link)), brief=True)
    result: list[RenderableType] = [
        words.blank(),
        Text("At the end of the afternoon", style="bold"),
        words.usage_bar(usage.captured_minor, usage.held_minor, CAP_MINOR, CURRENCY, 70),
        words.blank(),
        Text("Who gave what to whom", style="bold"),
        Padding.indent(tree, 2),
        words.blank(),
        Text("Try next", style="bold"),
    ]
    for title, line in lines:
        result += [words.dim(f"  {title}"), f"  {line}"]
    return [*result, words.blank()]


def called_as() -> str:
    """How the command was called, as a shell takes it again from the current folder."""
    path = sys.argv[0] if sys.argv else "act"
    if Path(path).name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m act_cli"
    found = shutil.which(Path(path).name)
    if found is not None and Path(path).exists() and Path(found).samefile(path):
        return shlex.quote(Path(path).name)
    return shlex.quote(path)


def next_lines(cast: Cast, steps: list[Step]) -> list[tuple[str, str]]:
    """What each line shows, and the line. They stay true for a year: `--at` is the instant at which the step was decided."""
    command, folder = called_as(), shlex.quote(str(cast.folder))
    bought = steps[0]
    dear = next(step for step in steps if step.refusal is not None and step.refusal.code == "single_limit_exceeded")
    parties = f"--parties {folder}/parties.json"
    return [
        ("what the agent may do, in plain words", f"{command} inspect {folder}/mandate.cbor"),
        ("a payment and the three objects in it", f"{command} inspect {folder}/{bought.files[0]}"),
        (
            "the first cup, as a stranger verifies it offline",
            f"{command} verify {folder}/mandate.cbor {folder}/*-0001.cbor {parties} --at {_iso(bought)}",
        ),
        (
            "why a payment is refused (exit code 1)",
            f"{command} verify {folder}/{dear.files[0]} {parties} --at {_iso(dear)}",
        ),
        (
            "what the courier's link narrowed, and what the courier can really do",
            f"{command} inspect {folder}/mandate.cbor {folder}/link-courier.cbor",
        ),
        (
            "what is left, and every charge",
            f"{command} status {folder}/mandate.cbor --link {folder}/link-courier.cbor --ledger {folder}/ledger.db {parties}",
        ),
    ]


def _iso(step: Step) -> str:
    return step.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def step_view(step: Step) -> dict[str, Any]:
    """A step as JSON."""
    return {
        "outcome": step.outcome,
        "title": step.title,
        "story": step.story,
        "at": _iso(step),
        "amount": step.amount.text if step.amount is not None else None,
        "refusal": error_document(step.refusal, CURRENCY) if step.refusal is not None else None,
        "files": list(step.files),
        "captured": decimal(step.usage.captured_minor, CURRENCY),
        "held": decimal(step.usage.held_minor, CURRENCY),
        "left": decimal(CAP_MINOR - step.usage.captured_minor - step.usage.held_minor, CURRENCY),
        "charges": step.usage.charges,
    }

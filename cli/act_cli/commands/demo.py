"""`act demo`: the whole path on one afternoon, checked as it is played."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import click

import act
from act_cli import options
from act_cli.demo import stage
from act_cli.demo.afternoon import Afternoon, Step
from act_cli.demo.cast import CAP, CURRENCY, fresh_folder, prepare
from act_cli.manners import Manners, decimal
from act_cli.program import Command, example

__all__ = ["demo"]


@click.command(cls=Command)
@click.option("--dir", "folder_path", metavar="DIR", help="New folder for all files [default: act-demo, or act-demo-2, ...].")
@options.json_flag
@click.pass_obj
@example("act demo")
def demo(manners: Manners, folder_path: str | None) -> None:
    """Play an afternoon of payments with real keys, files and a ledger.

    Lin allows an agent tea for CNY 200.00. The agent buys until the next cup no longer fits; then everything is tried that must
    not work, and a courier is sent with less. Each refusal is checked, and so is that no money moved. The folder stays, with
    every object as a file.
    """
    folder = fresh_folder(folder_path)
    cast = prepare(folder, datetime.now(UTC))
    manners.show(*stage.opening(cast))
    steps: list[Step] = []
    with contextlib.closing(Afternoon(cast)) as afternoon:
        for step in afternoon.steps():
            steps.append(step)
            manners.show(*stage.shown(step, len(steps)))
        usage, link = afternoon.usage, afternoon.link
    lines = stage.next_lines(cast, steps)
    left = act.Amount.parse(CAP, CURRENCY).minor - usage.captured_minor - usage.held_minor
    document = {
        "outcome": "accepted",
        "folder": str(folder),
        "steps": [stage.step_view(step) for step in steps],
        "currency": CURRENCY,
        "captured": decimal(usage.captured_minor, CURRENCY),
        "held": decimal(usage.held_minor, CURRENCY),
        "left": decimal(left, CURRENCY),
        "next": [line for _, line in lines],
    }
    manners.answer(document, stage.closing(cast, link, usage, lines))

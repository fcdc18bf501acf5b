"""`act inspect`: what an object says, for people. It verifies nothing, and says so."""

from __future__ import annotations

import shlex
from typing import Any, cast

import click

from act_cli import options, views, words
from act_cli.files import STANDARD
from act_cli.manners import Manners
from act_cli.objects import read_signed, recognized
from act_cli.program import Command, example

__all__ = ["inspect"]


@click.command(cls=Command)
@click.argument("path", metavar="FILE")
@click.option("--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="Language of the constraints.")
@options.json_flag
@click.pass_obj
@example("act inspect mandate.cbor")
def inspect(manners: Manners, path: str, lang: str) -> None:
    """Show any object in plain words, without verifying it.

    FILE is a mandate, an order, a payment request, a payment or a receipt; '-' is standard input. Anyone can write such a
    file: what it says is worth something only once 'act verify' has accepted it.
    """
    data = read_signed(path)
    manners.subject = path
    found = recognized(data)
    document = views.object_view(data, found)
    shown = words.object_words(data, found, "" if path == STANDARD else path, cast(words.Language, lang))
    name = "FILE" if path == STANDARD else path
    manners.answer(
        {"outcome": "unverified", "verified": False, "file": path, **document},
        [*shown, words.blank(), words.warning("Nothing of this was verified. To verify it:"), f"  {_advice(document, name)}"],
    )


_ADVICE = {
    "request": "act verify PAYMENT --parties PARTIES   (the payment that 'act pay' wrote)",
    "receipt": "act verify {name} --order ORDER --parties PARTIES",
}


def _advice(document: dict[str, Any], name: str) -> str:
    return _ADVICE.get(document["kind"], "act verify {name} --parties PARTIES").format(name=shlex.quote(name))

"""`act inspect`: what an object says, for people. It verifies nothing, and says so."""

from __future__ import annotations

import shlex
from typing import Any, cast

import click
from rich.console import RenderableType

from act_cli import lineage, options, views, words
from act_cli.files import STANDARD
from act_cli.manners import Manners
from act_cli.objects import read_object, read_signed, recognized
from act_cli.program import Command, example

__all__ = ["inspect"]


@click.command(cls=Command)
@click.argument("paths", metavar="FILE...", nargs=-1, required=True)
@click.option("--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="Language of the constraints.")
@options.json_flag
@click.pass_obj
@example("""
act inspect mandate.cbor
act inspect mandate.cbor courier.cbor
""")
def inspect(manners: Manners, paths: tuple[str, ...], lang: str) -> None:
    """Show any object in plain words, without verifying it.

    FILE is a mandate, a link, an order, a payment request, a payment, an instruction or a receipt; '-' is standard input.
    Several files are one chain, a mandate and the links below it: a tree shows what each link narrowed, and then what the last
    agent can really do. Anyone can write such files: what they say is worth something only once 'act verify' has accepted it.
    """
    if len(paths) > 1:
        _inspect_chain(manners, paths, cast(words.Language, lang))
        return
    (path,) = paths
    data = read_signed(path)
    manners.subject = path
    found = recognized(data)
    document = views.object_view(data, found)
    shown = _shown(data, found, "" if path == STANDARD else path, cast(words.Language, lang))
    if found.kind == "payment" and len(found.chain) > 1:
        document["payment"] |= {"chain": lineage.lineage_view(lineage.lineage_of(found.chain), cast(words.Language, lang))}
    name = "FILE" if path == STANDARD else path
    manners.answer(
        {"outcome": "unverified", "verified": False, "file": path, **document},
        [*shown, words.blank(), words.warning("Nothing of this was verified. To verify it:"), f"  {_advice(document, name)}"],
    )


def _shown(data: bytes, found: Any, name: str, language: words.Language) -> list[RenderableType]:
    if found.kind == "link":
        return lineage.link_words(data, found, name, language)
    if found.kind == "payment" and len(found.chain) > 1:
        return lineage.payment_words(data, found, name, language)
    return words.object_words(data, found, name, language)


def _inspect_chain(manners: Manners, paths: tuple[str, ...], language: words.Language) -> None:
    """A mandate and links, also where no verifier would take them together: then the tree shows which link breaks the chain."""
    if paths.count(STANDARD) > 1:
        raise click.UsageError("Standard input can be read only once")
    chain = [read_object(manners, path, "link" if place else "mandate")[0] for place, path in enumerate(paths)]
    manners.subject = ""
    names = ["standard input" if path == STANDARD else path for path in paths]
    found = lineage.lineage_of(chain, names)
    document = {"kind": "chain", "bytes": sum(map(len, chain)), **lineage.lineage_view(found, language)}
    files = " ".join("FILE" if path == STANDARD else shlex.quote(path) for path in paths)
    advice = f"  act verify {files} --parties PARTIES"
    manners.answer(
        {"outcome": "unverified", "verified": False, "files": list(paths), **document},
        [
            *lineage.chain_words(found, language),
            words.blank(),
            words.warning("Nothing of this was verified. To verify it:"),
            advice,
        ],
    )


_ADVICE = {
    "link": "act verify MANDATE [LINK...] {name} --parties PARTIES   (with everything above it, root first)",
    "request": "act verify PAYMENT --parties PARTIES   (the payment that 'act pay' wrote)",
    "instruction": "act verify [MANDATE [LINK...]] {name} --parties PARTIES   (with the credential it is about, if it is one)",
    "receipt": "act verify {name} --order ORDER --parties PARTIES",
}


def _advice(document: dict[str, Any], name: str) -> str:
    return _ADVICE.get(document["kind"], "act verify {name} --parties PARTIES").format(name=shlex.quote(name))

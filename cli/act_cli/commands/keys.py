"""`act keys`: make a key pair, show the public half of one."""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any

import click

import act
from act_cli import options, words
from act_cli.files import STANDARD, read_passphrase, require_free
from act_cli.manners import Manners
from act_cli.program import Command, Group, example

__all__ = ["keys"]

keys = Group(name="keys", help="Make and show keys.", example="act keys new --out wallet.pem")

_ALGORITHMS = {"ed25519": "Ed25519", "es256": "ES256"}


@keys.command(name="new", cls=Command)
@click.option("--out", "out_path", metavar="PEM", required=True, help="File for the private key, made with mode 0600.")
@click.option("--public-out", metavar="PEM", help="File for the public key [default: NAME.pub.pem for NAME.pem].")
@click.option("--alg", type=click.Choice(sorted(_ALGORITHMS)), default="ed25519", show_default=True, help="Algorithm.")
@options.passphrase_file("Encrypt the private key with the first line of this file.")
@options.json_flag
@click.pass_obj
@example("act keys new --out wallet.pem")
def new(manners: Manners, out_path: str, public_out: str | None, alg: str, passphrase_path: str | None) -> None:
    """Make a key pair: a private key file and a public one.

    Key files are never overwritten. Both are PEM files that openssl reads.
    """
    if STANDARD in (out_path, public_out):
        raise click.UsageError("Keys go to files, never to standard output")
    public_path = public_out or f"{out_path.removesuffix('.pem')}.pub.pem"
    if os.path.realpath(out_path) == os.path.realpath(public_path):
        raise click.UsageError(f"--out and --public-out both name {out_path}; the two keys need a file each")
    for path in (out_path, public_path):
        require_free(path)
    passphrase = read_passphrase(passphrase_path)
    pair = act.KeyPair.generate(_ALGORITHMS[alg])
    act.save_private(pair, out_path, passphrase)
    try:
        act.save_public(pair.public_key, public_path)
    except act.ActError:
        with contextlib.suppress(OSError):
            os.unlink(out_path)  # nobody has seen this key yet, and half a pair would only be in the way
        raise
    manners.answer(
        {"outcome": "accepted", "private_file": out_path, "public_file": public_path, "key": _document(pair.public_key)},
        [
            words.facts(
                ("private key", f"{out_path}  (mode 0600; keep it secret)"),
                ("public key", public_path),
                ("algorithm", pair.alg.value),
                ("kid", pair.kid.hex()),
            )
        ],
    )


@keys.command(name="show", cls=Command)
@click.argument("path", metavar="KEY.pem")
@options.passphrase_file("The passphrase of an encrypted private key: the first line of this file.")
@options.json_flag
@click.pass_obj
@example("act keys show wallet.pub.pem")
def show(manners: Manners, path: str, passphrase_path: str | None) -> None:
    """Show the public half of a key: its id, algorithm, PEM and JWK.

    Takes a private or a public key file. The secret is never shown.
    """
    key = _load(path, read_passphrase(passphrase_path))
    document = _document(key)
    manners.answer(
        {"outcome": "accepted", "key": document},
        [
            words.facts(("algorithm", document["alg"]), ("kid", document["kid"])),
            words.blank(),
            *document["pem"].splitlines(),
            words.blank(),
            words.dim('For a parties file, as the "jwk" of a key:'),
            json.dumps(document["jwk"]),
        ],
    )


def _load(path: str, passphrase: bytes | None) -> act.PublicKey:
    """The public key in a file that holds it or the private one."""
    try:
        return act.load_public(path)
    except act.InvalidCall as error:
        if error.facts.get("reason") != "label_unexpected":
            raise
    return act.load_private(path, passphrase).public_key


def _document(key: act.PublicKey) -> dict[str, Any]:
    return {"kid": key.kid.hex(), "alg": key.alg.value, "pem": key.pem, "jwk": key.to_jwk()}

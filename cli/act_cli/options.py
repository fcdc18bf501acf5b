"""Options that several commands share, and the types of their values."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

import click

import act
from act_cli.files import STANDARD, read_passphrase

__all__ = [
    "Envelope",
    "at",
    "envelope",
    "force",
    "json_flag",
    "ledger",
    "ledger_id",
    "links",
    "load_retired",
    "load_signer",
    "out",
    "parse_instant",
    "parties",
    "passphrase_file",
    "payment_service",
    "read_amount",
    "read_instant",
    "read_request_id",
    "receipt_out",
    "require_holder",
    "retired_keys",
    "signing_key",
    "under",
]

F = TypeVar("F", bound=Callable[..., Any])
Option = Callable[[F], F]
Envelope = Literal["cose", "jose"]
"""Both mean the same; every command takes both."""


def parse_instant(text: str) -> datetime:
    """An ISO 8601 instant with its offset (`Z`, `+08:00`) as an aware UTC datetime. Without one: ValueError, never a guess."""
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})", text):
        raise ValueError
    try:
        instant = datetime.fromisoformat(text).astimezone(UTC)
    except OverflowError:
        raise ValueError from None
    if instant.year < 1970:
        raise ValueError
    return instant


def read_instant(ctx: click.Context, parameter: click.Parameter, value: str | None) -> datetime | None:
    """The value of an option that takes an instant."""
    try:
        return None if value is None else parse_instant(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is not an instant such as 2026-02-06T09:00:00Z") from None


def read_request_id(ctx: click.Context, parameter: click.Parameter, value: str | None) -> bytes | None:
    """The value of an option that takes 16 bytes as hexadecimal digits."""
    if value is not None and not re.fullmatch(r"[0-9a-fA-F]{32}", value):
        raise click.BadParameter(f"{value!r} is not 32 hexadecimal digits")
    return None if value is None else bytes.fromhex(value)


def json_flag(function: F) -> F:
    """--json. Its value is read from the command line by `Manners`, before any command runs."""
    option: Option[F] = click.option(
        "--json", is_flag=True, expose_value=False, help="Print one JSON document to stdout, an error's included."
    )
    return option(function)


def parties(function: F) -> F:
    """--parties."""
    option: Option[F] = click.option(
        "--parties",
        "parties_path",
        metavar="FILE",
        required=True,
        help="Who may sign as what, and when: a JSON file, described in spec/parties.md. 'act demo' writes a sample: "
        "act-demo/parties.json.",
    )
    return option(function)


def signing_key(whose: str) -> Callable[[F], F]:
    """--key and --passphrase-file. `whose` says who signs with it."""

    def add(function: F) -> F:
        key: Option[F] = click.option("--key", "key_path", metavar="PEM", required=True, help=f"Private key of {whose}.")
        return key(passphrase_file("Its passphrase: the first line of this file.")(function))

    return add


def envelope(what: str, default: Envelope | None = "cose", usual: str | None = None) -> Callable[[F], F]:
    """--format. Without a default it is what `usual` says."""

    def add(function: F) -> F:
        option: Option[F] = click.option(
            "--format",
            type=click.Choice(["cose", "jose"]),
            default=default,
            help=f"Envelope of {what}: COSE (compact) or JOSE (text) [default: {usual or default}].",
        )
        return option(function)

    return add


def retired_keys(function: F) -> F:
    """--retired-key, repeatable."""
    option: Option[F] = click.option(
        "--retired-key",
        "retired_paths",
        metavar="PEM",
        multiple=True,
        help="Private key the payment service signed with before, to repeat the receipts it made; repeat for more.",
    )
    return option(function)


def passphrase_file(help_text: str) -> Callable[[F], F]:
    """--passphrase-file, because a secret is never an option's value."""

    def add(function: F) -> F:
        option: Option[F] = click.option("--passphrase-file", "passphrase_path", metavar="FILE", help=help_text)
        return option(function)

    return add


def out(function: F) -> F:
    """--out and --force."""
    option: Option[F] = click.option(
        "--out", "out_path", metavar="FILE", required=True, help="File to write; '-' is standard output."
    )
    return option(force(function))


def force(function: F) -> F:
    """--force."""
    option: Option[F] = click.option("--force", is_flag=True, help="Replace the output file if it is there.")
    return option(function)


def receipt_out(function: F) -> F:
    """--receipt-out and --force."""
    option: Option[F] = click.option(
        "--receipt-out", "receipt_path", metavar="FILE", help="File to write the signed receipt to; '-' is standard output."
    )
    return option(force(function))


def ledger(function: F) -> F:
    """--ledger."""
    option: Option[F] = click.option(
        "--ledger", "ledger_path", metavar="FILE|URL", required=True, help="The ledger's file, or postgresql:// address."
    )
    return option(function)


def ledger_id(function: F) -> F:
    """--ledger-id, required."""
    option: Option[F] = click.option(
        "--ledger-id", metavar="ID", required=True, help="The payment service's id, as mandates name it."
    )
    return option(function)


def links(function: F) -> F:
    """--link, repeatable."""
    option: Option[F] = click.option(
        "--link",
        "link_paths",
        metavar="FILE",
        multiple=True,
        help="A link below the mandate; repeat for more, each below the one before.",
    )
    return option(function)


def require_holder(chain: Any, signer: act.KeyPair, key_path: str) -> None:
    """Returns if the key is the one that the last credential names; `chain` is what `act.recognize` made of the credentials.

    Raises `InvalidCall` draft_invalid.
    """
    if signer.kid != chain.holder.kid:
        named = {"link_key" if chain.links else "agent_key": chain.holder.kid.hex()}
        raise act.InvalidCall("draft_invalid", key_path, **named, this=signer.kid.hex())


def payment_service(function: F) -> F:
    """What every command of a payment service says of it: --ledger, --ledger-id, --parties, --key, --retired-key."""
    for option in (retired_keys, signing_key("the payment service"), parties, ledger_id, ledger):
        function = option(function)
    return function


def at(help_text: str) -> Callable[[F], F]:
    """--at."""

    def add(function: F) -> F:
        option: Option[F] = click.option("--at", callback=read_instant, metavar="INSTANT", help=help_text)
        return option(function)

    return add


def load_signer(key_path: str, passphrase_path: str | None) -> act.KeyPair:
    """The key pair that --key and --passphrase-file name. Raises `StoreFault` file_unreadable, `InvalidCall` key_unusable."""
    return act.load_private(key_path, read_passphrase(passphrase_path))


def load_retired(paths: Sequence[str], passphrase_path: str | None) -> list[act.KeyPair]:
    """The key pairs that --retired-key names; those that are encrypted have the passphrase of --key.

    Raises `StoreFault` file_unreadable, `InvalidCall` key_unusable.
    """
    pairs = []
    for path in paths:
        try:
            pairs.append(act.load_private(path))
        except act.InvalidCall as error:
            if error.facts.get("reason") != "passphrase_needed" or passphrase_path in (None, STANDARD):
                raise
            pairs.append(act.load_private(path, read_passphrase(passphrase_path)))
    return pairs


def read_amount(text: str, currency: str, option: str) -> act.Amount:
    """An amount from the command line; raises `click.BadParameter` that names the option."""
    try:
        return act.Amount.parse(text, currency)
    except act.Refused as refusal:
        raise under("--currency" if refusal.code == "currency_unknown" else option, refusal) from None


def under(option: str, error: act.ActError) -> click.BadParameter:
    """An error of the library about an option's value, as a usage error that names the option."""
    place = f" at {error.where}" if error.where else ""
    return click.BadParameter(f"{error.meaning}{place} ({error.code}); {error.remedy}", param_hint=option)

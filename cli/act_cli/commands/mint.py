"""`act mint`: the wallet's side. A mandate from options or a JSON document, signed for one agent's key."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import click

import act
from act_cli import options, words
from act_cli.drafts import read_draft, read_isr
from act_cli.files import STANDARD, in_file
from act_cli.manners import Manners
from act_cli.objects import read_object
from act_cli.outputs import deliver, require_output
from act_cli.program import Command, example

__all__ = ["mint"]

_RESTORES = "ext.quota.refund_restores"
_REQUIRED = {
    "issuer": "--issuer",
    "ledger_id": "--ledger-id",
    "principal": "--principal",
    "agent": "--agent",
    "intent_id": "--intent-id",
    "max_total": "--max-total",
}
_SINGLE = {"max_single": "max_single_amount", "min_single": "min_single_amount"}
_LISTS = {
    "merchant": "allowed_merchants",
    "category": "allowed_categories",
    "forbid_merchant": "forbidden_merchants",
    "forbid_category": "forbidden_categories",
}


@click.command(cls=Command)
@click.option("--from", "from_path", metavar="FILE", help="The mandate as a JSON document, instead of the options below.")
@click.option(
    "--isr",
    "isr_path",
    metavar="FILE",
    help="The confirmed intent record to select the mandate from, with --issuer, --ledger-id and --principal.",
)
@click.option(
    "--supersedes",
    "old_path",
    metavar="FILE",
    help="The mandate that this one replaces: the ledger closes it and carries over what was spent.",
)
@click.option("--issuer", metavar="ID", help="Who signs: the wallet, or the principal.")
@click.option("--ledger-id", metavar="ID", help="The one payment service that counts what is spent.")
@click.option("--principal", metavar="ID", help="For whom the agent acts (delegator_identity).")
@click.option("--agent", metavar="ID", help="The agent that may pay.")
@click.option("--intent-id", metavar="ID", help="The intent this mandate comes from.")
@click.option("--max-total", metavar="AMOUNT", help="At most this in total, such as 200.00.")
@click.option("--currency", metavar="CODE", help="Currency of every amount [default: CNY].")
@click.option("--max-single", metavar="AMOUNT", help="At most this in one payment.")
@click.option("--min-single", metavar="AMOUNT", help="At least this in one payment.")
@click.option("--merchant", metavar="ID", multiple=True, help="Allow only this merchant; repeat for more.")
@click.option("--category", metavar="NAME", multiple=True, help="Allow only this category; repeat for more.")
@click.option("--forbid-merchant", metavar="ID", multiple=True, help="Forbid this merchant; repeat for more.")
@click.option("--forbid-category", metavar="NAME", multiple=True, help="Forbid this category; repeat for more.")
@click.option("--method", metavar="NAME", multiple=True, help="Allow only this payment method; repeat for more.")
@click.option(
    "--mode",
    type=click.Choice(["SPECIFIED", "BOUNDED"]),
    help="SPECIFIED: the agent carries out an order; BOUNDED: it decides by itself [default: SPECIFIED].",
)
@click.option("--from-time", callback=options.read_instant, metavar="INSTANT", help="Valid from here on [default: now].")
@click.option("--until", callback=options.read_instant, metavar="INSTANT", help="Valid until just before this.")
@click.option("--valid-for", type=click.IntRange(min=1, max=87_600), metavar="HOURS", help="Valid for so many hours.")
@click.option("--max-depth", type=click.IntRange(1, 8), metavar="N", help="Allow sub-agents, so many below one another.")
@click.option("--confirmed-by", metavar="METHOD", help="How the principal confirmed it now, such as passkey.")
@options.envelope("the mandate", default=None, usual="cose, or that of the mandate to be replaced")
@options.signing_key("the issuer")
@click.option("--holder", "holder_path", metavar="PEM", required=True, help="Public key of the agent.")
@options.out
@options.json_flag
@click.pass_obj
@example("""
act mint --issuer wallet.example --principal user:lin --agent agent:tea \\
  --ledger-id psp-1 --intent-id tea --max-total 200.00 --max-single 30.00 \\
  --merchant teashop.example --category tea --mode BOUNDED --valid-for 8 \\
  --key wallet.pem --holder agent.pub.pem --out mandate.cbor
act mint --from mandate.json --key wallet.pem --holder agent.pub.pem \\
  --out mandate.cbor
act mint --isr isr.json --issuer wallet.example --principal user:lin \\
  --ledger-id psp-1 --key wallet.pem --holder agent.pub.pem --out mandate.cbor
act mint --from more.json --supersedes mandate.cbor --key wallet.pem \\
  --holder agent.pub.pem --out successor.cbor
""")
def mint(
    manners: Manners,
    /,
    from_path: str | None,
    isr_path: str | None,
    old_path: str | None,
    key_path: str,
    passphrase_path: str | None,
    holder_path: str,
    out_path: str,
    force: bool,
    format: options.Envelope | None,
    **given: Any,
) -> None:
    """Sign a mandate: what an agent may spend, and where.

    Everything a mandate does not allow is refused, sub-agents included: see --max-depth. The JSON document has ACT's field
    names. What 'act inspect --json' shows of a mandate will do, whole or its member "mandate"; the agent's key in it is left
    out, because --holder names it.
    From an intent record the mandate takes what it needs, and the record's digest; what was said stays with the record.
    With --supersedes it replaces a mandate of the same issuer, principal, ledger and currency, under an id of its own and in
    the same envelope.
    """
    require_output(manners, out_path, "--out", force=force)
    if (from_path, isr_path, old_path).count(STANDARD) > 1:
        raise click.UsageError("Only one of --from, --isr and --supersedes can be standard input")
    if from_path is not None and isr_path is not None:
        raise click.UsageError("--from and --isr exclude each other")
    if isr_path is not None:
        mandate = _from_isr(isr_path, given)
    else:
        mandate = _from_options(given) if from_path is None else _from_file(from_path, given)
    what = f"mandate {words.mandate_id(mandate.delegation_id)}"
    if old_path is not None:
        _, old = read_object(manners, old_path, "mandate")
        manners.subject = ""
        try:
            mandate = _successor(mandate, old, format or old.opened.format.value)
        except act.InvalidCall as error:
            raise error if from_path is None else in_file(from_path, error) from None
        format = old.opened.format.value
        what += f", which replaces {words.mandate_id(old.content.mandate.delegation_id)}"
    signer = options.load_signer(key_path, passphrase_path)
    data = act.mint(mandate, signer=signer, holder=act.load_public(holder_path), format=format or "cose")
    deliver(manners, out_path, data, what, force=force)


def _successor(mandate: act.Mandate, found: Any, format: str) -> act.Mandate:
    """The mandate with the identity of the one that was found; raises `InvalidCall` where no ledger would let it replace that
    (ACT-LED-16, ACT-LED-17).

    A ledger looks for it only among those of the same issuer and principal, and counts on only in the same way.
    """
    old, identity = found.content.mandate, found.opened.identity
    if format != found.opened.format.value:
        reason = "the mandate to be replaced has another envelope"
        raise act.InvalidCall("draft_invalid", "format", reason=reason, replaced=found.opened.format.value)
    if mandate.supersedes not in (None, identity):
        reason = "another mandate than --supersedes names; leave one of them out"
        raise act.InvalidCall("draft_invalid", "supersedes", reason=reason, named=identity.hex())
    if mandate.delegation_id == old.delegation_id:
        reason = "the mandate to be replaced has it; one is drawn where none is given"
        raise act.InvalidCall("draft_invalid", "delegation_id", reason=reason)
    lasting = _lasting(mandate)
    for name, before in _lasting(old).items():
        if before != lasting[name] and before != "":  # ACT 2.0's layout may leave the ledger to the parties file
            facts = {} if type(before) is bool else {"replaced": before}
            raise act.InvalidCall("draft_invalid", name, reason="the mandate to be replaced has another", **facts)
    return replace(mandate, supersedes=identity)


def _lasting(mandate: act.Mandate) -> dict[str, Any]:
    """What a mandate has in common with the one it replaces, by field."""
    return {
        "issuer": mandate.issuer,
        "delegator_identity": mandate.delegator_identity,
        "ledger": mandate.ledger,
        "currency": next(each.encode() for each in mandate.constraints if each.path == "currency"),
        _RESTORES: any(each.path == _RESTORES and each.encode() for each in mandate.constraints),
    }


def _from_isr(path: str, given: dict[str, Any]) -> act.Mandate:
    names = {"issuer": "issuer", "ledger_id": "ledger", "principal": "delegator_identity"}
    stray = [name for name, value in given.items() if name not in names and value not in (None, ())]
    if stray:
        raise click.UsageError(f"--isr and --{stray[0].replace('_', '-')} exclude each other: the intent record says it")
    for name in names:
        if given[name] is None:
            raise click.UsageError(f"Missing option '{_REQUIRED[name]}', which no intent record says")
    record = read_isr(path)
    try:
        return record.select_mandate(**{field: given[name] for name, field in names.items()})
    except act.InvalidCall as error:
        if error.where in names.values():  # an option's value, and not the file's
            raise click.UsageError(f"{error.where}: {error.facts.get('reason', error.meaning)}") from None
        raise in_file(path, error) from None


def _from_file(path: str, given: dict[str, Any]) -> act.Mandate:
    stray = [name for name, value in given.items() if value not in (None, ())]
    if stray:
        raise click.UsageError(f"--from and --{stray[0].replace('_', '-')} exclude each other")
    try:
        return act.Mandate.from_json(read_draft(path, "mandate"))
    except act.InvalidCall as error:
        raise in_file(path, error) from None


def _from_options(given: dict[str, Any]) -> act.Mandate:
    missing = [option for name, option in _REQUIRED.items() if given[name] is None]
    if missing:
        raise click.UsageError(f"Missing option '{missing[0]}' (or --from FILE)")
    now = datetime.now(UTC)
    document = _document(given, now)
    for name in ("max_total", *_SINGLE):
        if given[name] is not None:
            options.read_amount(given[name], document["currency"], f"--{name.replace('_', '-')}")
    try:
        return act.Mandate.from_json(document)
    except act.InvalidCall as error:
        raise click.UsageError(f"{error.where}: {error.facts.get('reason', error.meaning)}") from None


def _document(given: dict[str, Any], now: datetime) -> dict[str, Any]:
    """The document that the options describe."""
    start = given["from_time"] or now
    if (given["until"] is None) == (given["valid_for"] is None):
        raise click.UsageError("Give either --until or --valid-for")
    try:
        end = given["until"] or start + timedelta(hours=given["valid_for"])
    except OverflowError:
        raise click.BadParameter("the mandate would end after the year 9999", param_hint="--valid-for") from None
    document: dict[str, Any] = {
        "issuer": given["issuer"],
        "ledger": given["ledger_id"],
        "delegator_identity": given["principal"],
        "agent_id": given["agent"],
        "intent_id": given["intent_id"],
        "max_total_amount": given["max_total"],
        "currency": given["currency"] or "CNY",
        "delegation_mode": given["mode"] or "SPECIFIED",
        "validity_start_time": _iso(start),
        "validity_end_time": _iso(end),
    }
    commerce = {field: given[name] for name, field in _SINGLE.items() if given[name] is not None}
    commerce |= {field: list(given[name]) for name, field in _LISTS.items() if given[name]}
    if commerce:
        document["ext"] = {"commerce": commerce}
    if given["max_depth"] is not None:
        document.setdefault("ext", {})["delegation"] = {"max_depth": given["max_depth"]}
    if given["method"]:
        document["allowed_payment_methods"] = list(given["method"])
    if given["confirmed_by"] is not None:
        document |= {"user_confirmation_method": given["confirmed_by"], "user_confirmation_timestamp": _iso(now)}
    return document


def _iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")

"""`act delegate`: an agent's side. A link from options or a JSON document, signed for one sub-agent's key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click

import act
from act_cli import options
from act_cli.drafts import read_draft
from act_cli.files import STANDARD, in_file
from act_cli.manners import Manners
from act_cli.objects import read_chain
from act_cli.outputs import deliver, require_output
from act_cli.program import Command, example

__all__ = ["delegate"]

_AMOUNTS: Final = {"max_single": "max_single_amount", "min_single": "min_single_amount"}
_LISTS: Final = {"merchant": "allowed_merchants", "category": "allowed_categories"}
_MORE: Final = {"forbid_merchant": "forbidden_merchants", "forbid_category": "forbidden_categories"}


@click.command(cls=Command)
@click.argument("mandate_path", metavar="MANDATE")
@options.links
@click.option("--from", "from_path", metavar="FILE", help="The link as a JSON document, instead of the options below.")
@click.option("--agent", metavar="ID", help="The sub-agent that may pay.")
@click.option("--max-total", metavar="AMOUNT", help="At most this in total.")
@click.option("--max-single", metavar="AMOUNT", help="At most this in one payment.")
@click.option("--min-single", metavar="AMOUNT", help="At least this in one payment.")
@click.option("--merchant", metavar="ID", multiple=True, help="Allow only this merchant; repeat for more.")
@click.option("--category", metavar="NAME", multiple=True, help="Allow only this category; repeat for more.")
@click.option("--forbid-merchant", metavar="ID", multiple=True, help="Forbid this merchant, too; repeat for more.")
@click.option("--forbid-category", metavar="NAME", multiple=True, help="Forbid this category, too; repeat for more.")
@click.option("--method", metavar="NAME", multiple=True, help="Allow only this payment method; repeat for more.")
@click.option("--from-time", callback=options.read_instant, metavar="INSTANT", help="Valid from here on.")
@click.option("--until", callback=options.read_instant, metavar="INSTANT", help="Valid until just before this.")
@click.option("--valid-for", type=click.IntRange(min=1, max=87_600), metavar="HOURS", help="Valid for so many hours.")
@click.option("--max-depth", type=click.IntRange(1, 8), metavar="N", help="Allow sub-agents of its own, N deep.")
@options.signing_key("the agent that delegates: the last credential's")
@click.option("--holder", "holder_path", metavar="PEM", required=True, help="Public key of the sub-agent.")
@options.out
@options.json_flag
@click.pass_obj
@example("""
act delegate mandate.cbor --agent agent:courier --max-total 50.00 \\
  --merchant teashop.example --valid-for 2 \\
  --key agent.pem --holder courier.pub.pem --out courier.cbor
act delegate mandate.cbor --link courier.cbor --from link.json \\
  --key courier.pem --holder bike.pub.pem --out bike.cbor
""")
def delegate(
    manners: Manners,
    /,
    mandate_path: str,
    link_paths: tuple[str, ...],
    from_path: str | None,
    key_path: str,
    passphrase_path: str | None,
    holder_path: str,
    out_path: str,
    force: bool,
    **given: Any,
) -> None:
    """Sign a link: what a sub-agent may spend, and where.

    A link is a narrower mandate, signed by the agent of the mandate or of the last --link. What it leaves out is as it stands
    above; what is wider is never signed. Every payment under it counts above it as well. The mandate must allow sub-agents
    ('act mint --max-depth'). The JSON document has ACT's field names and is what 'act inspect --json' shows of a link.
    """
    require_output(manners, out_path, "--out", force=force)
    if (mandate_path, *link_paths, from_path).count(STANDARD) > 1:
        raise click.UsageError("Only one of MANDATE, --link and --from can be standard input")
    chain, found = read_chain(manners, mandate_path, link_paths)
    signer = options.load_signer(key_path, passphrase_path)
    options.require_holder(found, signer, key_path)
    above = {path: constraint.encode() for path, constraint in found.authority().constraints.items()}
    manners.currency = above["currency"]
    document = _from_options(given, above) if from_path is None else _from_file(from_path, given)
    holder = act.load_public(holder_path)
    try:
        data = act.delegate(document, chain=chain, signer=signer, holder=holder)
    except act.InvalidCall as error:
        if error.code != "draft_invalid":
            raise
        if from_path is not None:
            raise in_file(from_path, error) from None
        raise click.UsageError(f"{error.where}: {error.facts.get('reason', error.meaning)}") from None
    link: Any = act.recognize(data)
    named = link.content.link
    deliver(manners, out_path, data, f"link {named.delegation_id} for {named.agent_id}", force=force)


def _from_file(path: str, given: dict[str, Any]) -> bytes | dict[str, Any]:
    stray = [name for name, value in given.items() if value not in (None, ())]
    if stray:
        raise click.UsageError(f"--from and --{stray[0].replace('_', '-')} exclude each other")
    return read_draft(path, "link")


def _from_options(given: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """The document that the options describe; `above` is what the chain states, by path."""
    if given["agent"] is None:
        raise click.UsageError("Missing option '--agent' (or --from FILE)")
    for name in ("max_total", *_AMOUNTS):
        if given[name] is not None:
            options.read_amount(given[name], above["currency"], f"--{name.replace('_', '-')}")
    document: dict[str, Any] = {"agent_id": given["agent"], **_window(given)}
    if given["max_total"] is not None:
        document["max_total_amount"] = given["max_total"]
    if given["method"]:
        document["allowed_payment_methods"] = list(given["method"])
    commerce: dict[str, Any] = {field: given[name] for name, field in _AMOUNTS.items() if given[name] is not None}
    commerce |= {field: list(given[name]) for name, field in _LISTS.items() if given[name]}
    for name, field in _MORE.items():
        if given[name]:  # what stands above stays forbidden: a link without it would be wider
            forbidden = above.get(f"ext.commerce.{field}", [])
            commerce[field] = [*forbidden, *(each for each in given[name] if each not in forbidden)]
    ext = {"commerce": commerce} if commerce else {}
    if given["max_depth"] is not None:
        ext["delegation"] = {"max_depth": given["max_depth"]}
    return document | ({"ext": ext} if ext else {})


def _window(given: dict[str, Any]) -> dict[str, str]:
    """The window's two ends, as far as the options name them: the rest is inherited. Hours count from now, or from the start
    that is given."""
    if given["until"] is not None and given["valid_for"] is not None:
        raise click.UsageError("Give only one of --until and --valid-for")
    start, end = given["from_time"], given["until"]
    if given["valid_for"] is not None:
        try:
            end = (start or datetime.now(UTC)) + timedelta(hours=given["valid_for"])
        except OverflowError:
            raise click.BadParameter("the link would end after the year 9999", param_hint="--valid-for") from None
    ends = {"validity_start_time": start, "validity_end_time": end}
    return {name: at.strftime("%Y-%m-%dT%H:%M:%SZ") for name, at in ends.items() if at is not None}

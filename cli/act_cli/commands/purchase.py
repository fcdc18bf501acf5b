"""`act order` and `act pay`: the merchant's signed offer, and the agent's signed request to pay it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click

import act
from act_cli import options
from act_cli.drafts import read_draft
from act_cli.files import STANDARD, in_file
from act_cli.manners import Manners
from act_cli.objects import read_chain, read_object
from act_cli.outputs import deliver, require_output
from act_cli.program import Command, example

__all__ = ["order", "pay"]

_GIVEN: Final = {
    "payee": "--payee",
    "agent": "--agent",
    "principal": "--principal",
    "order_no": "--order-no",
    "items": "--item",
    "currency": "--currency",
    "lock_minutes": "--lock-minutes",
}
_REQUIRED: Final = ("payee", "agent", "principal", "order_no", "items")


@click.command(cls=Command)
@click.option("--from", "from_path", metavar="FILE", help="The order as a JSON document, instead of the options below.")
@click.option("--payee", metavar="ID", help="The merchant that signs.")
@click.option("--agent", metavar="ID", help="The agent that may buy.")
@click.option("--principal", metavar="ID", help="For whom the agent buys.")
@click.option("--order-no", metavar="NO", help="The merchant's own number of this order.")
@click.option("--item", "items", metavar="ITEM", multiple=True, help="One line of the order, as above; repeat for more.")
@click.option("--currency", metavar="CODE", help="Currency of every amount [default: CNY].")
@click.option(
    "--lock-minutes",
    type=click.IntRange(1, 44_640),
    metavar="N",
    help="How long the price holds [default: 15].",
)
@options.envelope("the order")
@options.signing_key("the merchant")
@options.out
@options.json_flag
@click.pass_obj
@example("""
act order --payee teashop.example --agent agent:tea --principal user:lin \\
  --order-no T-0001 --key teashop.pem --out order.cbor --item \\
  'sku=oolong-l,name=Oolong,category=tea,quantity=1,unit_amount=18.00'
act order --from order.json --key teashop.pem --out order.cbor
""")
def order(
    manners: Manners,
    /,
    from_path: str | None,
    key_path: str,
    passphrase_path: str | None,
    out_path: str,
    force: bool,
    format: options.Envelope,
    **given: Any,
) -> None:
    """Sign an order, as its merchant.

    It says what is sold to one agent, at what price, and for how long the price holds. The amount is what the items add up
    to. The JSON document is what 'act inspect --json' shows of an order, whole or its member "order".
    """
    require_output(manners, out_path, "--out", force=force)
    terms = _from_options(given) if from_path is None else _from_file(from_path, given)
    manners.currency = terms.amount.currency
    data = act.sign_order(terms, signer=options.load_signer(key_path, passphrase_path), format=format)
    deliver(manners, out_path, data, f"order {terms.order_no} over {terms.amount}", force=force)


def _from_file(path: str, given: dict[str, Any]) -> act.Order:
    stray = [option for name, option in _GIVEN.items() if given[name] not in (None, ())]
    if stray:
        raise click.UsageError(f"--from and {stray[0]} exclude each other")
    try:
        return act.Order.from_json(read_draft(path, "order"))
    except act.InvalidCall as error:
        raise in_file(path, error) from None


def _from_options(given: dict[str, Any]) -> act.Order:
    missing = [name for name in _REQUIRED if not given[name]]
    if missing:
        raise click.UsageError(f"Missing option '{_GIVEN[missing[0]]}' (or --from FILE)")
    until = datetime.now(UTC) + timedelta(minutes=given["lock_minutes"] or 15)
    document = {
        "payee": given["payee"],
        "agent_id": given["agent"],
        "delegator_identity": given["principal"],
        "order_no": given["order_no"],
        "currency": given["currency"] or "CNY",
        "items": [_item(text) for text in given["items"]],
        "expires_at": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    try:
        return act.Order.from_json(document)
    except act.InvalidCall as error:
        hint = "--item" if error.where.startswith("items") else "--currency" if error.where == "currency" else None
        raise click.BadParameter(f"{error.where}: {error.facts.get('reason', error.meaning)}", param_hint=hint) from None


_ITEM: Final = ("sku", "name", "category", "quantity", "unit_amount")
_MEMBER: Final = re.compile(r",\s*(?=[a-z_]+=)")


def _item(text: str) -> dict[str, str | int]:
    """The members of `sku=...,name=...,category=...,quantity=1,unit_amount=18.00`; a comma inside a value is fine."""
    fields: dict[str, str | int] = {}
    for member in _MEMBER.split(text):
        name, separator, value = member.partition("=")
        if not separator or name not in _ITEM or name in fields:
            raise click.BadParameter(f"{member!r}: an item has {', '.join(_ITEM)}, each once", param_hint="--item")
        fields[name] = value
    quantity = str(fields.get("quantity", "1"))
    if not re.fullmatch(r"[1-9][0-9]{0,8}", quantity):
        raise click.BadParameter(f"quantity {quantity!r} is no whole number from 1", param_hint="--item")
    return fields | {"quantity": int(quantity)}


@click.command(cls=Command)
@click.argument("order_path", metavar="ORDER")
@click.option("--mandate", "mandate_path", metavar="FILE", required=True, help="The mandate to pay under.")
@options.links
@click.option("--ledger-id", metavar="ID", help="The payment service to pay at [default: the one the mandate names].")
@options.envelope("the request", default=None, usual="the mandate's")
@options.signing_key("the agent")
@click.option("--method", metavar="NAME", default="balance", show_default=True, help="Payment method.")
@click.option("--tool", metavar="REF", default="default", show_default=True, help="Reference of the payment tool.")
@click.option("--request-id", callback=options.read_request_id, metavar="HEX", help="16 bytes [default: drawn at random].")
@options.out
@options.json_flag
@click.pass_obj
@example("""
act pay order.cbor --mandate mandate.cbor --key agent.pem --out payment.cbor
act pay order.cbor --mandate mandate.cbor --link courier.cbor \\
  --key courier.pem --out payment.cbor
""")
def pay(
    manners: Manners,
    order_path: str,
    mandate_path: str,
    link_paths: tuple[str, ...],
    ledger_id: str | None,
    key_path: str,
    passphrase_path: str | None,
    method: str,
    tool: str,
    request_id: bytes | None,
    format: options.Envelope | None,
    out_path: str,
    force: bool,
) -> None:
    """Sign a payment for an order, as the agent.

    The payment holds the request, the mandate and the order, and lives for 120 seconds. A sub-agent adds the links from the
    mandate down to its own, and signs with the key that the last one names. Signing decides nothing: whether it
    is allowed, and whether the money is there, 'act authorize' answers; 'act verify' foretells what can be told without the
    ledger. Sending the same payment again is always safe.
    """
    require_output(manners, out_path, "--out", force=force)
    if (order_path, mandate_path, *link_paths).count(STANDARD) > 1:
        raise click.UsageError("Only one of ORDER, --mandate and --link can be standard input")
    terms, offered = read_object(manners, order_path, "order")
    chain, found = read_chain(manners, mandate_path, link_paths)
    if ledger_id is None:
        ledger_id = str(found.root.content.mandate.ledger)  # believed without proof: the payment service will check it
    signer = options.load_signer(key_path, passphrase_path)
    options.require_holder(found, signer, key_path)
    if link_paths and offered.order.agent_id != found.agent_id:
        manners.subject = order_path
        raise act.Refused("agent_mismatch", "order.agent_id", named=offered.order.agent_id, last_agent=found.agent_id)
    payment = act.sign_payment(
        terms,
        chain=chain,
        audience=ledger_id,
        signer=signer,
        payment_method=method,
        payment_tool_reference=tool,
        request_id=request_id,
        format=format,
    )
    deliver(manners, out_path, payment.to_bytes(), f"payment at {ledger_id}", force=force)

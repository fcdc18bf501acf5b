"""`act status`: what a mandate has left. It reads the ledger and changes nothing."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import click
from rich.console import RenderableType
from rich.text import Text

import act
from act_cli import options, views, words
from act_cli.files import load_parties
from act_cli.manners import Exit, Manners, instant_text
from act_cli.objects import read_object
from act_cli.program import Command, example

__all__ = ["status"]


@click.command(cls=Command)
@click.argument("mandate_path", metavar="MANDATE")
@options.ledger
@options.parties
@options.json_flag
@click.pass_obj
@example("act status mandate.cbor --ledger ledger.db --parties parties.json")
def status(manners: Manners, mandate_path: str, ledger_path: str, parties_path: str) -> Exit:
    """Show what a mandate has left, and its charges.

    The mandate must be genuine, and the ledger must be the one it names.
    """
    data, found = read_object(manners, mandate_path, "mandate")
    mandate: act.Mandate = found.content.mandate
    parties = load_parties(parties_path)
    known = _known(ledger_path, mandate.ledger, parties, data)
    terms = {constraint.path: constraint for constraint in mandate.constraints}
    currency, (_, end) = terms["currency"].encode(), terms["validity"].encode()
    state = known.state.value if known is not None else "Active"
    now = int(datetime.now(UTC).timestamp())
    if state == "Active" and now >= end:
        state = "Expired"
    counters = known.counters if known is not None else ()
    limits = [views.LimitUse(each.name, each.cap, each.captured, each.held, each.unit, each.turns_at) for each in counters]
    if not limits:  # nothing was charged yet, so every limit is untouched
        limits = _untouched(mandate, now)
    charges = known.charges if known is not None else ()
    shown: list[RenderableType] = [
        Text(f" {state.upper()} ", style="bold black on green" if state == "Active" else "bold white on red"),
        words.facts(
            ("mandate id", words.mandate_id(mandate.delegation_id)),
            ("principal", mandate.delegator_identity),
            ("agent", mandate.agent_id),
            ("ledger", mandate.ledger),
            ("valid", f"until just before {instant_text(end)}"),
            ("used", None if known is not None else "never at this ledger"),
        ),
    ]
    for limit in limits:
        bar = words.usage_bar(limit.captured, limit.held, limit.cap, currency if limit.unit == "AMOUNT" else None)
        shown += [words.blank(), words.dim(f"  {words.limit_title(limit.name, limit.turns_at)}"), bar]
    if charges:
        shown += [words.blank(), words.charge_table(charges)]
    key = views.mandate_key_view(mandate)
    view = views.status_view(state, currency, limits, charges)
    manners.answer({"outcome": "accepted", "mandate": key, "known": known is not None, **view}, shown)
    return Exit.ACCEPTED


def _untouched(mandate: act.Mandate, now: int) -> list[views.LimitUse]:
    """Every limit of a mandate nothing was charged to, in the windows that are open now."""
    return [
        views.LimitUse(limit.name, limit.cap, 0, 0, limit.unit, limit.window.end if limit.window is not None else None)
        for constraint in mandate.constraints
        for limit in constraint.limits(now)
    ]


def _known(path: str, ledger_id: str, parties: act.Parties, mandate: bytes) -> act.MandateStatus | None:
    """What the ledger knows of the mandate. Nothing is signed here, so the service's own key is not needed."""
    try:
        with contextlib.closing(act.SqliteLedger(path, create=False)) as ledger:
            service = act.PaymentService(ledger_id, parties=parties, ledger=ledger, signer=act.KeyPair.generate())
            return service.status(mandate)
    except act.StoreFault as error:
        raise options.in_ledger(path, error) from None

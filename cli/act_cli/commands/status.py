"""`act status`: what a mandate has left. It reads the ledger and changes nothing."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

import act
from act_cli import options, views, words
from act_cli.files import STANDARD, load_parties
from act_cli.instructions import short_identity
from act_cli.manners import Exit, Manners, decimal, instant_text, money, visible
from act_cli.objects import read_chain
from act_cli.program import Command, example
from act_cli.service import reading_service

__all__ = ["status"]


@click.command(cls=Command)
@click.argument("mandate_path", metavar="MANDATE")
@options.links
@options.ledger
@options.parties
@options.at("Show what is left at this instant [default: now].")
@options.json_flag
@click.pass_obj
@example("""
act status mandate.cbor --ledger ledger.db --parties parties.json
act status mandate.cbor --link courier.cbor \\
  --ledger ledger.db --parties parties.json
""")
def status(
    manners: Manners,
    mandate_path: str,
    link_paths: tuple[str, ...],
    ledger_path: str,
    parties_path: str,
    at: datetime | None,
) -> Exit:
    """Show what a mandate has left, and its charges.

    The mandate must be genuine, and the ledger must be the one it names. Every link that was paid under is shown with what it
    has left; with --link also what its agent can really still spend, which is the least that it and all above it have left. The
    charges of the mandates that it replaced are its own.
    """
    if (mandate_path, *link_paths).count(STANDARD) > 1:
        raise click.UsageError("Only one of MANDATE and --link can be standard input")
    credentials, found = read_chain(manners, mandate_path, link_paths)
    mandate: act.Mandate = found.root.content.mandate
    parties = load_parties(parties_path)
    moment = at or datetime.now(UTC)
    with reading_service(ledger_path, mandate.ledger, parties, moment) as service:
        known = service.status(credentials[0], links=credentials[1:])
    chain: act.Chain = found.authenticate(parties)
    terms = {constraint.path: constraint for constraint in mandate.constraints}
    currency, (_, end) = terms["currency"].encode(), terms["validity"].encode()
    state = known.state.value if known is not None else "Active"
    now = int(moment.timestamp())
    if state == "Active" and now >= end:
        state = "Expired"
    counters = known.counters if known is not None else ()
    limits = [views.LimitUse(each.name, each.cap, each.captured, each.held, each.unit, each.turns_at) for each in counters]
    is_replaced = known is not None and known.successor is not None
    if not limits and not is_replaced:  # nothing was charged yet, so every limit is untouched
        limits = _untouched(mandate, now)
    own, below = _by_credential(limits, chain, now)
    if is_replaced:  # its limits count no more
        own = []
    standings = {_name_of(each.identity): each.standing for each in known.links} if known is not None else {}
    below |= {name: [] for name in standings if name not in below and _is_stopped(standings[name])}
    charges = known.charges if known is not None else ()
    shown = _mandate_shown(mandate, state, end, known)
    for limit in own:
        bar = words.usage_bar(limit.captured, limit.held, limit.cap, currency if limit.unit == "AMOUNT" else None)
        shown += [words.blank(), words.dim(f"  {words.limit_title(limit.name, limit.turns_at)}"), bar]
    given = {each.name: each.link for each in chain.links}
    for link, uses in below.items():
        shown += _link_shown(link, given.get(link), standings.get(link), uses, currency)
    leaf = None
    if chain.links:
        leaf, line = _leaf(
            chain, _stopped(chain, state, standings), [*own, *(use for link in given for use in below[link])], currency, now
        )
        shown += [words.blank(), line]
    if charges:
        shown += [words.blank(), words.charge_table(charges)]
    key = views.mandate_key_view(mandate)
    view = views.status_view(state, currency, own, charges)
    view["links"] = [_link_view(link, given.get(link), standings.get(link), uses, currency) for link, uses in below.items()]
    view["suspended_by"] = _standing_view(known.standing if known is not None else None)["suspended_by"]
    if leaf is not None:
        view["leaf"] = leaf
    view |= _line_view(known)
    manners.answer({"outcome": "accepted", "mandate": key, "known": known is not None, **view}, shown)
    return Exit.ACCEPTED


def _mandate_shown(mandate: act.Mandate, state: str, end: int, known: act.MandateStatus | None) -> list[RenderableType]:
    """Whose mandate it is, and how it stands."""
    stands = "REPLACED" if known is not None and known.successor is not None else state.upper()
    return [
        Text(f" {stands} ", style="bold black on green" if state == "Active" else "bold white on red"),
        words.facts(
            ("mandate id", words.mandate_id(mandate.delegation_id)),
            ("principal", mandate.delegator_identity),
            ("agent", mandate.agent_id),
            ("ledger", mandate.ledger),
            ("valid", f"until just before {instant_text(end)}"),
            ("suspended by", _causers(known.standing) if known is not None else None),
            ("used", None if known is not None else "never at this ledger"),
            *_line_facts(mandate, known),
        ),
    ]


def _line_facts(mandate: act.Mandate, known: act.MandateStatus | None) -> list[words.Fact]:
    """Which mandates it replaced, and which one has replaced it."""
    if known is None:
        if mandate.supersedes is None:
            return []
        what = "from its first payment on; what was spent under that one will count here"
        return [("replaces", f"{short_identity(mandate.supersedes)} {what}")]
    replaced = ", ".join(short_identity(each) for each in reversed(known.predecessors))
    successor = known.successor.hex() if known.successor is not None else None
    return [("replaces", replaced or None), ("replaced by", successor)]


def _line_view(known: act.MandateStatus | None) -> dict[str, Any]:
    """The same as JSON, the oldest first."""
    return {
        "predecessors": [each.hex() for each in known.predecessors] if known is not None else [],
        "successor": known.successor.hex() if known is not None and known.successor is not None else None,
    }


def _untouched(mandate: act.Mandate, now: int) -> list[views.LimitUse]:
    """Every limit of a mandate nothing was charged to, in the windows that are open now."""
    return [_unused(limit) for constraint in mandate.constraints for limit in constraint.limits(now)]


def _unused(limit: Any) -> views.LimitUse:
    return views.LimitUse(limit.name, limit.cap, 0, 0, limit.unit, limit.window.end if limit.window is not None else None)


def _by_credential(
    limits: list[views.LimitUse], chain: act.Chain, now: int
) -> tuple[list[views.LimitUse], dict[str, list[views.LimitUse]]]:
    """The mandate's own limits, and those of each link by its name (its identity): first the links that were given, root first,
    used or not, then whatever else was paid under."""
    counted = {each.name for each in limits}
    unused = [_unused(each) for each in chain.limits(now) if each.name not in counted]
    own: list[views.LimitUse] = []
    below: dict[str, list[views.LimitUse]] = {each.name: [] for each in chain.links}
    for use in (*limits, *unused):
        link = use.name.rpartition("/")[0]
        (below.setdefault(link, []) if link else own).append(use)
    return own, below


def _link_names(link: Any) -> dict[str, str | None]:
    """How a link calls itself; only one that was given says so."""
    names = ("delegation_id", "agent_id")
    return {name: getattr(link, name, None) for name in names}


def _name_of(identity: bytes) -> str:
    """A link's name in a ledger: its identity in base64url."""
    return base64.urlsafe_b64encode(identity).rstrip(b"=").decode()


def _is_stopped(standing: Any) -> bool:
    return str(_standing_view(standing)["state"]) != "Active"


def _link_view(name: str, link: Any, standing: Any, uses: list[views.LimitUse], currency: str) -> dict[str, Any]:
    """A link as JSON: how it stands, and what is left of it."""
    return {"link": name, **_link_names(link), **_standing_view(standing), "limits": views.limits_view(uses, currency)}


def _standing_view(standing: Any) -> dict[str, Any]:
    """How a credential stands, whether or not its window is open, and by whose doing."""
    if standing is None:
        return {"state": "Active", "suspended_by": []}
    return {"state": standing.state.value, "suspended_by": sorted(each.value for each in standing.suspended_by)}


def _causers(standing: Any) -> str | None:
    """Who suspended a credential, in words."""
    causers = [each.replace("_", " ") for each in _standing_view(standing)["suspended_by"]]
    return " and ".join(causers) or None


def _stopped(chain: act.Chain, state: str, standings: Mapping[str, Any]) -> str | None:
    """What in a chain is not Active, in words; the mandate comes first."""
    if state != "Active":
        return f"the mandate is {state}"
    found = [(each, _standing_view(standings.get(each.name))["state"]) for each in chain.links]
    return next(
        (f"the link for {visible(each.link.agent_id)} is {stands}" for each, stands in found if stands != "Active"), None
    )


def _link_shown(name: str, link: Any, standing: Any, uses: list[views.LimitUse], currency: str) -> list[RenderableType]:
    """A link's limits under its own heading. Whose it is only the link itself says, not the ledger."""
    title = f"link {name} that was not given"
    if link is not None:
        title = f"link {words.mandate_id(link.delegation_id)} for {link.agent_id}"
    stands = _standing_view(standing)["state"]
    if stands != "Active":
        title = f"{title}: {stands}" + (f" by {_causers(standing)}" if stands == "Suspended" else "")
    shown: list[RenderableType] = [words.blank(), words.dim(f"  {title}")]
    if not uses:
        shown.append(Padding.indent(words.dim("no limit of its own is counted"), 4))
    for use in uses:
        bar = words.usage_bar(use.captured, use.held, use.cap, currency if use.unit == "AMOUNT" else None)
        shown += [
            Padding.indent(words.dim(words.limit_title(use.name.rpartition("/")[2], use.turns_at)), 4),
            Padding.indent(bar, 2),
        ]
    return shown


def _leaf(
    chain: act.Chain, stopped: str | None, uses: list[views.LimitUse], currency: str, now: int
) -> tuple[dict[str, str | None], RenderableType]:
    """What the last agent can still spend: the least that is left in its chain, and nothing unless the chain is in force."""
    title = f"{visible(chain.agent_id)} can still spend "
    _, end = next(each.encode() for each in chain.effective() if each.path == "validity")
    ended = "its link has ended" if now >= end else ""
    over = stopped or ended
    document: dict[str, str | None] = {"agent_id": chain.agent_id, "left": decimal(0, currency), "limit": None}
    if over:
        return document, Text.assemble(title, ("nothing", "bold"), f": {over}")
    least = min((use for use in uses if use.unit == "AMOUNT"), key=_left)
    document |= {"left": decimal(_left(least), currency), "limit": least.name}
    link, _, name = least.name.rpartition("/")
    bound = f"{name} of {_called(chain, link)}" if link else f"{name} of the mandate"
    return document, Text.assemble(title, (money(_left(least), currency), "bold"), f": {bound}")


def _called(chain: act.Chain, name: str) -> str:
    return next(f"the link for {each.link.agent_id}" for each in chain.links if each.name == name)


def _left(use: views.LimitUse) -> int:
    return max(use.cap - use.captured - use.held, 0)

"""A chain as people see it, and a link alone: who gave what to whom, what each link narrowed, what its last agent can do.

Nothing here is verified. Where a chain does not hold together, the link that breaks it is shown with the reason, and nothing is
said of what its last agent could do: no verifier takes such a chain.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.text import Text
from rich.tree import Tree

import act
from act_cli import words
from act_cli.manners import error_document, facts_in_words, instant_text, visible
from act_cli.views import object_view, payment_parts, plain, terms_view

__all__ = [
    "Lineage",
    "Rung",
    "chain_words",
    "grow",
    "lineage_of",
    "lineage_view",
    "link_words",
    "payment_words",
    "power_words",
]

_DEPTH: Final = "ext.delegation.max_depth"
_NO_LIMIT_ABOVE: Final = {"en": "no such limit above", "zh": "上级未作限制"}
_WAS: Final = {"en": "was", "zh": "原为"}


@dataclass(frozen=True, slots=True)
class Rung:
    """One credential of a chain: what it states, and beside it what stood above (None: nothing did).

    `depth_left` is how many more links may follow; None where the chain is broken here or above, and where it breaks, `refusal`
    says why.
    """

    name: str
    data: bytes
    found: Any
    narrowed: tuple[tuple[Any, Any], ...]
    depth_left: int | None
    refusal: act.Refused | None = None

    @property
    def kind(self) -> str:
        """`mandate` or `link`."""
        return str(self.found.kind)

    @property
    def stated(self) -> Any:
        """The mandate or the link itself."""
        return self.found.content.mandate if self.kind == "mandate" else self.found.content.link

    @property
    def end(self) -> int:
        """The end of its window, in seconds since 1970."""
        return next(int(each.encode()[1]) for each in self.stated.constraints if each.path == "validity")


@dataclass(frozen=True, slots=True)
class Lineage:
    """A chain, root first; `effective` is None if it does not hold together."""

    rungs: tuple[Rung, ...]
    effective: tuple[Any, ...] | None

    @property
    def leaf(self) -> Rung:
        """The last credential: its agent pays."""
        return self.rungs[-1]

    @property
    def currency(self) -> str:
        """The root's."""
        return next(str(each.encode()) for each in self.rungs[0].stated.constraints if each.path == "currency")


def lineage_of(chain: Sequence[bytes], names: Sequence[str] = ()) -> Lineage:
    """The lineage of a mandate and the links below it, root first; `names` are their files. Raises `Refused` for what is no
    credential, and kind_unexpected for a mandate or a link in the other's place."""
    whole: Any = act.recognize(tuple(chain))
    above: dict[str, Any] = {}
    rungs: list[Rung] = []
    authority: Any = None
    broken = False
    for place, (data, found) in enumerate(zip(chain, (whole.root, *whole.links), strict=True)):
        stated = found.content.link if place else found.content.mandate
        narrowed = [(each, above.get(each.path)) for each in stated.constraints if each != above.get(each.path)]
        above |= {each.path: each for each in stated.constraints}
        refusal = None
        if not broken:
            try:
                authority = act.recognize(tuple(chain[: place + 1])).authority()
            except act.Refused as reason:
                refusal, broken = reason, True
        name = names[place] if place < len(names) else ""
        kept = tuple(pair for pair in narrowed if pair[0].path != _DEPTH)
        rungs.append(Rung(name, data, found, kept, None if broken else authority.depth_left, refusal))
    effective = None if broken else tuple(each for each in authority.effective() if each.path != _DEPTH)
    return Lineage(tuple(rungs), effective)


def lineage_view(lineage: Lineage, language: words.Language = "en") -> dict[str, Any]:
    """A chain as JSON: every credential as it is shown alone, with what it narrowed, and what the last agent can do."""
    credentials = []
    for rung in lineage.rungs:
        document = object_view(rung.data, rung.found)
        if rung.kind == "link":
            document["narrowed"] = [
                {"field": each.path, "words": each.describe(language), "was": above.describe(language) if above else None}
                for each, above in rung.narrowed
            ]
        document |= {"depth_left": rung.depth_left}
        if rung.refusal is not None:
            document["refusal"] = error_document(rung.refusal, lineage.currency)
        credentials.append(({"file": rung.name} if rung.name else {}) | document)
    effective = None
    if lineage.effective is not None:
        effective = {
            "agent_id": lineage.leaf.stated.agent_id,
            "depth_left": lineage.leaf.depth_left,
            "terms": terms_view(lineage.effective),
            "words": [each.describe(language) for each in lineage.effective],
        }
    return {"credentials": credentials, "effective": effective}


def grow(tree: Tree, lineage: Lineage, language: words.Language = "en", *, brief: bool = False) -> None:
    """Hangs the chain into a tree, root first, each link below its parent; `brief` leaves out keys, ids and instants."""
    for rung in lineage.rungs:
        tree = tree.add(Group(*_rung(rung, lineage.currency, language, brief=brief)))


def _rung(rung: Rung, currency: str, language: words.Language, *, brief: bool) -> list[RenderableType]:
    separator = f" {words.glyphs().bullet} "
    size = "" if brief else f"{len(rung.data):,} bytes"
    about = "".join(f"{separator}{visible(part)}" for part in (rung.stated.agent_id, rung.name, size) if part)
    shown: list[RenderableType] = [Text.assemble((rung.kind, "bold"), about)]
    lines = [_line(each, above, rung.kind, language) for each, above in rung.narrowed]
    if lines:
        shown.append(words.bullets(lines, "green"))
    elif rung.kind == "link":
        shown.append(words.dim("  narrows nothing: everything that its parent may"))
    if rung.refusal is not None:
        facts = facts_in_words(rung.refusal.facts, currency)
        detail = f"; {facts}" if facts else ""
        broken = f"no verifier takes it here: {rung.refusal.code}: {rung.refusal.meaning} ({rung.refusal.where}{detail})"
        shown.append(words.bullets([broken], "red", words.glyphs().no))
    if brief:
        return [*shown, words.dim(f"  {_depth_words(rung.depth_left, language)}")] if rung.depth_left is not None else shown
    return [
        *shown,
        words.facts(
            ("signed by", f"{rung.stated.issuer}, key {rung.found.opened.kid.hex()[:16]}…"),
            ("for", f"{rung.stated.agent_id}, key {rung.found.holder.kid.hex()[:16]}…"),
            ("valid", f"until just before {instant_text(rung.end)}"),
            ("sub-agents", _depth_words(rung.depth_left, language) if rung.depth_left is not None else None),
        ),
        words.blank(),
    ]


def _line(constraint: Any, above: Any, kind: str, language: words.Language) -> str:
    """A constraint in words, in a link with what stood above."""
    told = str(constraint.describe(language))
    if kind == "mandate":
        return told
    if above is None:
        return f"{told} ({_NO_LIMIT_ABOVE[language]})"
    return f"{told} ({_WAS[language]} {_value(above, constraint, language)})"


def _value(above: Any, below: Any, language: words.Language) -> str:
    """What stood above, as short as it is clear: the amount, the entries or the instant alone, otherwise all its words."""
    if hasattr(above, "amount"):
        return str(above.amount)
    if hasattr(above, "entries"):
        return ("、" if language == "zh" else ", ").join(above.entries)
    if above.path == "validity" and above.encode()[0] == below.encode()[0]:
        return instant_text(above.encode()[1])
    return str(above.describe(language))


def _depth_words(depth_left: int, language: words.Language) -> str:
    """How far below itself an agent may delegate."""
    if depth_left == 0:
        return "不得再委托其他代理人" if language == "zh" else "may appoint no sub-agent"
    if language == "zh":
        return f"可再委托其他代理人,最多 {depth_left} 级"
    return "may appoint sub-agents" + (f", {depth_left} deep" if depth_left > 1 else "")


def power_words(lineage: Lineage, language: words.Language = "en") -> list[RenderableType]:
    """What the last agent can really do, as its chain says: empty if no verifier takes the chain."""
    if lineage.effective is None or lineage.leaf.depth_left is None:
        return []
    lines = [str(each.describe(language)) for each in lineage.effective]
    agent = visible(lineage.leaf.stated.agent_id)
    return [
        Text(f"What {agent} can really do", style="bold"),
        words.bullets([*lines, _depth_words(lineage.leaf.depth_left, language)], "green"),
        words.dim("  and of every total only what is left above it as well: 'act status' knows"),
    ]


def chain_words(lineage: Lineage, language: words.Language = "en") -> list[RenderableType]:
    """A chain as a tree, and what its last agent can really do."""
    links = len(lineage.rungs) - 1
    title = f"a mandate and {links} link{'' if links == 1 else 's'}"
    tree = Tree(words.heading("chain", title, sum(len(rung.data) for rung in lineage.rungs)), guide_style="dim")
    grow(tree, lineage, language)
    return [tree, *power_words(lineage, language)]


def payment_words(data: bytes, payment: act.Payment, name: str, language: words.Language = "en") -> list[RenderableType]:
    """A payment under links: its request, its chain as a tree, its order, and what its agent can really do."""
    lineage = lineage_of(payment.chain)
    tree = Tree(words.heading("payment", name, len(data)), guide_style="dim")
    (_, request, asked), *_, (_, order, offered) = payment_parts(payment)
    bullet = words.glyphs().bullet
    title = Text.assemble(("request", "bold"), f": what the agent signed {bullet} {len(request):,} bytes")
    tree.add(Group(title, *words.content(asked, "request", language, indent=0), words.blank()))
    grow(tree, lineage, language)
    title = Text.assemble(("order", "bold"), f": what the merchant signed {bullet} {len(order):,} bytes")
    tree.add(Group(title, *words.content(offered, "order", language, indent=0)))
    return [tree, words.blank(), *power_words(lineage, language)]


def link_words(data: bytes, found: Any, name: str, language: words.Language = "en") -> list[RenderableType]:
    """A link alone: what it states. What it narrowed only the chain above it tells."""
    link = found.content.link
    private = json.dumps(plain(dict(link.vendor_private)), ensure_ascii=False) if link.vendor_private else None
    return [
        words.heading("link", name, len(data)),
        words.blank(),
        words.bullets([str(each.describe(language)) for each in link.constraints], "green"),
        words.dim("  everything else is inherited: inspect it with what stands above it"),
        words.blank(),
        words.facts(
            ("issuer", f"{link.issuer}, the parent's agent"),
            ("sub-agent", link.agent_id),
            ("agent key", found.holder.kid.hex()),
            ("principal", link.delegator_identity),
            ("ledger", link.ledger),
            ("link id", str(link.delegation_id)),
            ("parent", link.parent.hex()),
            ("private", private),
            ("signed at", instant_text(found.content.issued_at)),
            *words.signature_facts(found),
        ),
    ]

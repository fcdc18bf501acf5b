"""Objects in plain words, as rich renderables. Whatever comes from a file or a ledger passes `visible` before it is shown."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

import act
from act_cli.instructions import cause_facts, instruction_facts
from act_cli.manners import decimal, instant_text, money, visible
from act_cli.views import Language, key_name, payment_parts, plain

__all__ = [
    "MIN_BAR_WIDTH",
    "FlexibleBar",
    "Glyphs",
    "Language",
    "Legend",
    "bar",
    "blank",
    "bullets",
    "charge_table",
    "content",
    "dim",
    "facts",
    "glyphs",
    "heading",
    "limit_title",
    "mandate_id",
    "mandate_words",
    "object_words",
    "signature_facts",
    "usage_bar",
    "warning",
]

Fact = tuple[str, str | Text | None]
"""A name and its value; None: there is nothing to say."""

CAPTURED_STYLE: Final = "green"
HELD_STYLE: Final = "yellow"
LEFT_STYLE: Final = "bright_black"

MIN_BAR_WIDTH: Final = 4


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The signs that are not letters; every meaning they carry is also there in words or without colour."""

    captured: str
    held: str
    left: str
    bullet: str
    yes: str
    no: str
    arrow: str
    times: str


UNICODE: Final = Glyphs("█", "▓", "░", "·", "✓", "✗", "→", "×")
ASCII: Final = Glyphs("#", "+", ".", "-", "ok", "no", "->", "x")


def glyphs() -> Glyphs:
    """What stdout's encoding can write."""
    return UNICODE if "utf" in (getattr(sys.stdout, "encoding", None) or "").lower() else ASCII


def blank() -> Text:
    """An empty line."""
    return Text("")


def dim(text: str) -> Text:
    """A line of lesser weight."""
    return Text(visible(text), style="dim")


def warning(text: str) -> Text:
    """A line nobody should overlook."""
    return Text(visible(text), style="yellow")


def facts(*pairs: Fact, indent: int = 2) -> RenderableType:
    """Names and values in two columns. A text is escaped; a pair without a value is left out."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in pairs:
        if value is not None:
            grid.add_row(name, Text(visible(value)) if isinstance(value, str) else value)
    return Padding.indent(grid, indent)


def bullets(lines: Iterable[str], style: str = "", mark: str | None = None) -> RenderableType:
    """A list. The lines are escaped."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True, style=style)
    grid.add_column(overflow="fold")
    for line in lines:
        grid.add_row(mark or glyphs().bullet, Text(visible(line)))
    return Padding.indent(grid, 2)


def heading(kind: str, name: str, size: int, badge: str = "NOT VERIFIED") -> Text:
    """One line over an object: what it is and, first of all, what it is worth."""
    separator = f" {glyphs().bullet} "
    return Text.assemble(
        (f" {badge} ", "bold black on yellow"),
        " ",
        (kind, "bold"),
        *(f"{separator}{visible(part)}" for part in (name, f"{size:,} bytes") if part),
    )


def bar(captured: int, held: int, cap: int, width: int) -> Text:
    """What was taken, what is held and what is left of a cap, in minor units, to scale. What is not nothing shows a cell."""
    marks = glyphs()
    has_held, has_left = held > 0, captured + held < cap
    busy, full = width, _cells(captured, cap, width)
    if has_left:
        busy = max(min(_cells(captured + held, cap, width), width - 1), (captured > 0) + has_held)
    full = min(max(full, captured > 0), busy - 1) if has_held else busy
    return Text.assemble(
        (marks.captured * full, CAPTURED_STYLE),
        (marks.held * (busy - full), HELD_STYLE),
        (marks.left * (width - busy), LEFT_STYLE),
    )


def _cells(part: int, whole: int, width: int) -> int:
    """`part` of `whole` on `width` cells, rounded half up."""
    return (2 * part * width + whole) // (2 * whole)


@dataclass(frozen=True, slots=True)
class FlexibleBar:
    """A bar of at most `width` cells: where the line is short it gives way, because numbers must not."""

    captured: int
    held: int
    cap: int
    width: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield bar(self.captured, self.held, self.cap, max(min(self.width, options.max_width), MIN_BAR_WIDTH))

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(min(MIN_BAR_WIDTH, self.width), self.width)


@dataclass(frozen=True, slots=True)
class Legend:
    """A bar's numbers with its signs, in one line or, where that is too long, in one line each."""

    captured: int
    held: int
    cap: int
    currency: str | None
    """None where payments are counted."""

    def parts(self) -> tuple[Text, ...]:
        """Each number with its sign and what it is."""
        marks, left = glyphs(), max(self.cap - self.captured - self.held, 0)
        captured, held, rest, cap = (self._number(each) for each in (self.captured, self.held, left, self.cap))
        return (
            Text.assemble((marks.captured, CAPTURED_STYLE), f" captured {captured}"),
            Text.assemble((marks.held, HELD_STYLE), f" held {held}"),
            Text.assemble((marks.left, LEFT_STYLE), f" left {rest}"),
            Text(f"of {cap}" if self.currency is not None else f"of {cap} payment{'' if self.cap == 1 else 's'}"),
        )

    def _number(self, number: int) -> str:
        return str(number) if self.currency is None else money(number, self.currency)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        line = Text("   ").join(self.parts())
        yield from [line] if line.cell_len <= options.max_width else self.parts()


def limit_title(name: str, turns_at: int | None = None) -> str:
    """A limit's name with the window it counts: a calendar period's first day and its end, or the length of a sliding one."""
    path, day, start = name.partition("@")
    if day:
        return f"{path} from {start}" + (f" to {instant_text(turns_at)}" if turns_at is not None else "")
    path, slides, seconds = name.partition("~")
    return f"{path} over the last {seconds} seconds" if slides else name


def usage_bar(captured: int, held: int, cap: int, currency: str | None, width: int = 60) -> RenderableType:
    """A bar over its legend; without a currency, payments are counted."""
    shown = Group(FlexibleBar(captured, held, cap, width), Legend(captured, held, cap, currency))
    return Padding.indent(shown, 2)


def mandate_id(delegation_id: str) -> str:
    """A delegation_id as people read it: a UUID without its prefix, any other as it is."""
    return delegation_id.removeprefix("urn:uuid:")


def mandate_words(mandate: act.Mandate, language: Language = "en") -> list[str]:
    """What the mandate allows, one line per constraint, in the order of judgement. Not yet escaped."""
    return [constraint.describe(language) for constraint in mandate.constraints]


def object_words(data: bytes, found: Any, name: str, language: Language = "en") -> list[RenderableType]:
    """An unverified object, as `act.recognize` returned it, for people: a heading and what it says."""
    kind = found.kind
    if kind == "payment":
        return _payment(data, found, name, language)
    return [heading(kind, name, len(data)), blank(), *content(found, kind, language)]


def content(found: Any, kind: str, language: Language, indent: int = 2) -> list[RenderableType]:
    """What an unverified object says, without its heading; links and chains are told by `lineage`."""
    signature = signature_facts(found)
    if kind == "mandate":
        allowed = bullets(mandate_words(found.content.mandate, language), "green")
        return [allowed, blank(), facts(*_mandate_facts(found), *signature, indent=indent)]
    if kind == "order":
        return [_items(found.order), blank(), facts(*_order_facts(found.order, found.issued_at), *signature, indent=indent)]
    if kind == "receipt":
        return [facts(*_receipt_facts(found.receipt), *signature, indent=indent), *_counters(found.receipt)]
    if kind == "instruction":
        return [facts(*instruction_facts(found.instruction), *signature, indent=indent)]
    return [facts(*_request_facts(found.request), *signature, indent=indent)]


def signature_facts(found: Any) -> list[Fact]:
    """What every signed object has."""
    return [
        ("envelope", found.opened.format.value),
        ("algorithm", found.opened.algorithm.value),
        ("signed by", key_name(found.opened.kid)),
        ("identity", found.opened.identity.hex()),
    ]


def _mandate_facts(found: Any) -> list[Fact]:
    mandate: act.Mandate = found.content.mandate
    confirmed = None
    if mandate.user_confirmation_method is not None and mandate.user_confirmation_timestamp is not None:
        confirmed = f"by {mandate.user_confirmation_method} at {instant_text(mandate.user_confirmation_timestamp)}"
    private = json.dumps(plain(dict(mandate.vendor_private)), ensure_ascii=False) if mandate.vendor_private else None
    return [
        ("principal", mandate.delegator_identity),
        ("confirmed", confirmed),
        ("issuer", mandate.issuer),
        ("agent", mandate.agent_id),
        ("agent key", found.holder.kid.hex()),
        ("ledger", mandate.ledger),
        ("intent", mandate.intent_id),
        *_intent_facts(mandate),
        ("mandate id", mandate_id(mandate.delegation_id)),
        ("replaces", mandate.supersedes.hex() if mandate.supersedes is not None else None),
        ("private", private),
        ("signed at", instant_text(found.content.issued_at)),
    ]


def _intent_facts(mandate: act.Mandate) -> list[Fact]:
    """What the mandate holds of what was said, and the record it was selected from."""
    digest = mandate.source_isr_digest
    facts_of_record: list[Fact] = [
        ("ISR digest", digest.hex() if digest is not None else None),
        ("key proof", mandate.control_proof_ref),
    ]
    history = mandate.conversation_history
    if history is None:
        return facts_of_record
    raw = history.user_intent_raw
    said = "digest only" if raw is None else f'"{raw}"' if isinstance(raw, str) else f"{len(raw)} message{'s' * (len(raw) > 1)}"
    shown: list[Fact] = [
        ("said", said if raw is None else f"{said} (raw intent inside)"),
        ("input", ", ".join(history.input_mode) or None),
        ("digest", history.user_intent_raw_digest.hex() if history.user_intent_raw_digest is not None else None),
        ("content at", history.context_ref),
    ]
    if not isinstance(raw, str | None):
        shown += [(each.role.lower(), each.content) for each in raw]
    return shown + facts_of_record


def _items(order: act.Order) -> RenderableType:
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, header_style="dim")
    for title in ("qty", "item", "category", "sku", "each"):
        is_number = title in ("qty", "each")
        table.add_column(title, justify="right" if is_number else "left", no_wrap=is_number, overflow="fold")
    for item in order.items:
        cells = (str(item.quantity), item.name, item.category, item.sku, item.unit_amount.text)
        table.add_row(*(Text(visible(cell)) for cell in cells))
    return Padding.indent(table, 2)


def _order_facts(order: act.Order, issued_at: int) -> list[Fact]:
    return [
        ("amount", Text(str(order.amount), style="bold")),
        ("payee", order.payee),
        ("order", order.order_no),
        ("for agent", order.agent_id),
        ("principal", order.delegator_identity),
        ("price", f"locked until just before {instant_text(order.expires_at)}"),
        ("signed at", instant_text(issued_at)),
    ]


def _request_facts(request: Any) -> list[Fact]:
    return [
        ("pays", Text(str(request.amount), style="bold")),
        ("to", request.payee),
        ("for order", request.order_no),
        ("from", f"{request.payment_method} ({request.payment_tool_reference})"),
        ("agent", request.agent_id),
        ("principal", request.delegator_identity),
        ("ledger", request.audience),
        ("scenario", request.scenario),
        ("request id", request.request_id.hex()),
        ("mandate id", mandate_id(request.delegation_id)),
        ("expires", instant_text(request.expires_at)),
        ("signed at", instant_text(request.issued_at)),
    ]


def _receipt_facts(receipt: act.Receipt) -> list[Fact]:
    return [
        ("states", Text(receipt.kind.value, style="bold")),
        ("because", f"{receipt.code}: {act.CODES[receipt.code].meaning}" if receipt.code is not None else None),
        ("amount", str(receipt.amount) if receipt.amount is not None else None),
        ("order", receipt.order_no),
        ("charge", receipt.trade_no),
        ("part", receipt.capture_no),
        ("refund", receipt.refund_no),
        *cause_facts(receipt),
        ("held until", instant_text(receipt.hold_expires_at) if receipt.hold_expires_at is not None else None),
        ("ledger", receipt.issuer),
        ("for", ", ".join(receipt.audience)),
        ("principal", receipt.delegator_identity),
        ("mandate id", mandate_id(receipt.delegation_id)),
        ("number", f"{receipt.sequence} of this mandate's receipts"),
        ("zones", f"IANA database {receipt.tzdata_version}" if receipt.tzdata_version is not None else None),
        ("previous", receipt.previous.hex() if receipt.previous is not None else None),
        ("signed at", instant_text(receipt.issued_at)),
    ]


def _counters(receipt: act.Receipt) -> list[RenderableType]:
    """Each limit before and after, as bars."""
    shown: list[RenderableType] = []
    for change in receipt.counters if receipt.amount is not None else ():
        currency = receipt.amount.currency if receipt.amount is not None and change.unit == "AMOUNT" else None
        grid = Table.grid(padding=(0, 2, 0, 0))
        before = change.captured_before, change.held_before
        for label, (captured, held) in (("before", before), ("after", (change.captured, change.held))):
            grid.add_row(Text(label, style="dim"), FlexibleBar(captured, held, change.cap, 50))
        numbers = Legend(change.captured, change.held, change.cap, currency)
        shown += [blank(), dim(f"  {limit_title(change.name)}"), Padding.indent(grid, 2), Padding.indent(numbers, 2)]
    return shown


def _payment(data: bytes, payment: act.Payment, name: str, language: Language) -> list[RenderableType]:
    tree = Tree(heading("payment", name, len(data)), guide_style="dim")
    titles = {"request": "what the agent signed", "mandate": "what the agent may do", "order": "what the merchant signed"}
    for kind, part, found in payment_parts(payment):
        line = Text.assemble((kind, "bold"), f": {titles[kind]} {glyphs().bullet} {len(part):,} bytes")
        # The tree indents by itself; with more, an identity would not fit into 80 columns.
        tree.add(Group(line, *content(found, kind, language, indent=0), *([] if kind == "order" else [blank()])))
    return [tree]


def charge_table(charges: Iterable[Any]) -> Table:
    """The ledger's charge records; 15.00/18.00 is 15.00 captured of 18.00, -5.00 refunded of it. Ids are whole: other commands
    take them."""
    table = Table(box=None, padding=(0, 1, 0, 0), show_edge=False, header_style="dim")
    table.add_column("state", no_wrap=True)
    table.add_column("amount", justify="right", no_wrap=True)
    table.add_column("payee", overflow="fold")
    table.add_column("order", overflow="fold")
    table.add_column("charge", no_wrap=True)
    styles = {"HELD": HELD_STYLE, "CAPTURED": CAPTURED_STYLE, "VOIDED": LEFT_STYLE, "EXPIRED": LEFT_STYLE}
    for charge in charges:
        state, amount, currency = charge.state.value, charge.amount.text, charge.amount.currency
        if charge.captured_minor and charge.captured_minor != charge.amount.minor:
            amount = f"{decimal(charge.captured_minor, currency)}/{amount}"
        if charge.refunded_minor:
            amount = f"{amount} -{decimal(charge.refunded_minor, currency)}"
        cells = (amount, charge.payee, charge.order_no, charge.id)
        table.add_row(Text(state, style=styles.get(state, "")), *(Text(visible(cell)) for cell in cells))
    return table

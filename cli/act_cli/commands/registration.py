"""`act register`: mandates that the payment service records without a payment, so that a successor takes over at once."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import click
from rich.console import RenderableType
from rich.text import Text

import act
from act_cli import options, views, words
from act_cli.answers import saying, write_receipt
from act_cli.files import STANDARD
from act_cli.instructions import short_identity
from act_cli.manners import Exit, Manners, money
from act_cli.objects import read_object
from act_cli.outputs import require_output
from act_cli.program import Command, example
from act_cli.service import signing_service

__all__ = ["register"]


class _Recorded(NamedTuple):
    """A mandate that is recorded now; `done` is None where it has taken over from nothing."""

    path: str
    mandate: act.Mandate
    done: act.Acknowledgement | None
    state: str

    @property
    def currency(self) -> str:
        return next(str(each.encode()) for each in self.mandate.constraints if each.path == "currency")

    @property
    def receipt(self) -> Any:
        """What the payment service says of it, or None."""
        return None if self.done is None else act.recognize(self.done.receipt).receipt  # type: ignore[union-attr]  # our own

    def view(self) -> dict[str, Any]:
        """As JSON."""
        key = views.mandate_key_view(self.mandate)
        document: dict[str, Any] = {"file": self.path, "mandate": key, "state": self.state, "kind": None}
        if self.done is None:
            return document
        said = self.receipt
        limits = [views.LimitUse(each.name, each.cap, each.captured, each.held, each.unit) for each in said.counters]
        return document | {
            "kind": self.done.kind.value,
            "replayed": self.done.replayed,
            "supersedes": said.supersedes.hex(),
            "carried": views.limits_view(limits, self.currency),
        }

    def shown(self) -> list[RenderableType]:
        """For people: what it takes over, and how each of its limits stands then."""
        named = f" mandate {words.mandate_id(self.mandate.delegation_id)}"
        state = None if self.state == "Active" else self.state
        if self.done is None:
            kept = "it takes over from no other mandate, so no receipt is made of it"
            heading = Text.assemble((" RECORDED ", "bold black on green"), named)
            return [heading, words.facts(("means", kept), ("state", state))]
        said = self.receipt
        shown: list[RenderableType] = [
            Text.assemble((" TAKES OVER ", "bold black on green"), named),
            words.facts(
                ("from", f"{short_identity(said.supersedes)}, {self._carried(said)} carried"),
                ("state", state),
                ("replayed", "yes: it took over before, and nothing changed now" if self.done.replayed else None),
            ),
        ]
        for each in said.counters if not self.done.replayed else ():
            currency = self.currency if each.unit == "AMOUNT" else None
            shown += [words.blank(), words.dim(f"  {words.limit_title(each.name)}")]
            shown.append(words.usage_bar(each.captured, each.held, each.cap, currency))
        return shown

    def _carried(self, said: Any) -> str:
        """All that was spent in the line, as the total has it."""
        total = next(each for each in said.counters if each.name == "max_total_amount")
        return money(total.held + total.captured, self.currency)


@click.command(cls=Command)
@click.argument("mandate_paths", metavar="MANDATE...", nargs=-1, required=True)
@options.payment_service
@options.receipt_out
@options.at("Record as of this instant [default: now].")
@options.json_flag
@click.pass_obj
@example("""
act register successor.cbor --ledger ledger.db --ledger-id psp-1 \\
  --parties parties.json --key psp.pem --receipt-out receipt.cbor
act register mandate.cbor successor.cbor --ledger ledger.db \\
  --ledger-id psp-1 --parties parties.json --key psp.pem
""")
def register(
    manners: Manners,
    /,
    mandate_paths: tuple[str, ...],
    receipt_path: str | None,
    force: bool,
    at: datetime | None,
    **given: Any,
) -> Exit:
    """Record mandates without a payment; a successor takes over at once.

    The mandate that a successor replaces pays no more, and what was spent under it counts in the successor's limits. Without
    this command it takes over at its first payment. A successor of a mandate that the ledger never saw is refused: register
    that one as well. They are recorded in the given order, up to the first that is refused. A ledger that is not there yet is
    made.
    """
    if mandate_paths.count(STANDARD) > 1:
        raise click.UsageError("Only one MANDATE can be standard input")
    if receipt_path is not None and len(mandate_paths) > 1:
        raise click.UsageError("--receipt-out takes the receipt of one MANDATE; register the others without it")
    require_output(manners, receipt_path, "--receipt-out", force=force)
    objects = [(path, *read_object(manners, path, "mandate")) for path in mandate_paths]
    recorded: list[_Recorded] = []
    failed: act.ActError | None = None
    created, place = False, ""
    try:
        with signing_service(**given, create=True, at=at) as (service, ledger):
            is_new, place = ledger.owner() is None, ledger.place
            try:
                for path, data, found in objects:
                    manners.subject = path
                    recorded.append(_record(service, path, data, found.content.mandate))
            except act.Refused as refusal:
                failed = refusal
            created = is_new and ledger.owner() is not None
    except act.StoreFault as error:
        if not recorded:
            raise
        failed = error
    if created:
        manners.note(f"{place}: new ledger of {given['ledger_id']}", always=True)
    if failed is not None:
        return _stopped(manners, failed, recorded, created=created)
    manners.subject = ""
    return _answer(manners, recorded, receipt_path, force=force, created=created)


def _record(service: act.PaymentService, path: str, data: bytes, mandate: act.Mandate) -> _Recorded:
    done = service.register(data)
    known = service.status(data)
    return _Recorded(path, mandate, done, known.state.value if known is not None else "Active")


def _stopped(manners: Manners, error: act.ActError, recorded: list[_Recorded], *, created: bool) -> Exit:
    """The first that was refused; what was recorded before it stays so."""
    code = manners.fail(error, recorded=[each.view() for each in recorded], ledger_created=created)
    for each in recorded:
        what = "is recorded" if each.done is None else "is recorded, and has taken over"
        manners.note(f"{each.path}: {what}")
    return code


def _answer(manners: Manners, recorded: list[_Recorded], receipt_path: str | None, *, force: bool, created: bool) -> Exit:
    last = recorded[-1]
    with saying(manners, "the mandates are recorded" if len(recorded) > 1 else "the mandate is recorded"):
        written = receipt_path if last.done is not None else None
        if last.done is not None:
            write_receipt(receipt_path, last.done.receipt, force=force)
        elif receipt_path is not None:
            manners.warn("no receipt is written: the mandate takes over from no other, and so none is made of it")
        if written == STANDARD:
            manners.note(f"{last.path}: TAKES OVER; the receipt is on standard output")
            return Exit.ACCEPTED
        shown: list[RenderableType] = []
        for each in recorded:
            shown += [*([words.blank()] if shown else []), *each.shown()]
        if written is not None:
            shown += [words.blank(), words.facts(("receipt", written))]
        document = {"recorded": [each.view() for each in recorded], "receipt_file": written, "ledger_created": created}
        manners.answer({"outcome": "accepted", **document}, shown)
    return Exit.ACCEPTED

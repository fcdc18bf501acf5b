"""What the payment service does with its ledger: authorize, capture, void, refund, revoke. What is done is always said."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import click
from rich.text import Text

import act
from act_cli import options, views, words
from act_cli.files import STANDARD, write_output
from act_cli.manners import Exit, Manners, discard_stdout, error_document, facts_in_words, instant_text
from act_cli.objects import as_file, read_object
from act_cli.outputs import require_output
from act_cli.program import Command, example
from act_cli.service import signing_service

__all__ = ["authorize", "capture", "refund", "revoke", "void"]


@click.command(cls=Command)
@click.argument("payment_path", metavar="PAYMENT")
@options.payment_service
@options.receipt_out
@options.at("Decide as of this instant [default: now].")
@options.json_flag
@click.pass_obj
@example("""
act authorize payment.cbor --ledger ledger.db --ledger-id psp-1 \\
  --parties parties.json --key psp.pem --receipt-out receipt.cbor
""")
def authorize(
    manners: Manners, /, payment_path: str, receipt_path: str | None, force: bool, at: datetime | None, **given: Any
) -> Exit:
    """Decide a payment and hold its money in the ledger.

    Both happen in one step. The same payment again gives the same answer and holds nothing twice. A refusal that the ledger
    recorded has a receipt, too. A ledger that is not there yet is made with the first payment that is recorded in it.
    """
    require_output(manners, receipt_path, "--receipt-out", force=force)
    _, payment = read_object(manners, payment_path, "payment")
    manners.currency = _currency_of(payment)
    with signing_service(**given, create=True, at=at) as (service, ledger):
        is_new = ledger.owner() is None
        decided: act.Charge | act.Refused
        try:
            decided = service.authorize(payment)
        except act.Refused as refusal:
            decided = refusal
        created = is_new and ledger.owner() is not None
    if created:
        manners.note(f"{ledger.place}: new ledger of {given['ledger_id']}", always=True)
    if isinstance(decided, act.Refused):
        return _refuse(manners, decided, receipt_path, force=force, ledger_created=created)
    return _report(manners, decided, receipt_path, force=force, ledger_created=created)


@click.command(cls=Command)
@click.argument("charge_id", metavar="CHARGE")
@click.argument("amount", metavar="[AMOUNT]", required=False)
@click.option("--all", "everything", is_flag=True, help="Take all that is held.")
@click.option("--part", "capture_no", metavar="NO", help="Take a part, known by this number; the rest stays held.")
@options.payment_service
@options.receipt_out
@options.json_flag
@click.pass_obj
@example("""
act capture CHARGE 18.00 --ledger ledger.db --ledger-id psp-1 \\
  --parties parties.json --key psp.pem
act capture CHARGE --all --ledger ledger.db --ledger-id psp-1 \\
  --parties parties.json --key psp.pem
""")
def capture(
    manners: Manners,
    /,
    charge_id: str,
    amount: str | None,
    everything: bool,
    capture_no: str | None,
    receipt_path: str | None,
    force: bool,
    **given: Any,
) -> Exit:
    """Take what is held for a charge, and release the rest.

    AMOUNT is at most what is held, in the charge's currency. A hold closes once; the same capture again changes nothing. With
    --part the hold stays open for further parts, each with a number of its own, such as that of a shipment.
    """
    if (amount is None) is not everything:
        raise click.UsageError("Give either AMOUNT or --all")
    require_output(manners, receipt_path, "--receipt-out", force=force)
    with signing_service(**given) as (service, ledger):
        known = ledger.charge(charge_id)
        manners.currency = known.amount.currency
        charge = service.capture(charge_id, _asked(amount, known, known.held_minor), capture_no=capture_no)
    return _report(manners, charge, receipt_path, force=force)


@click.command(cls=Command)
@click.argument("charge_id", metavar="CHARGE")
@options.payment_service
@options.receipt_out
@options.json_flag
@click.pass_obj
@example("""
act void CHARGE --ledger ledger.db --ledger-id psp-1 \\
  --parties parties.json --key psp.pem
""")
def void(manners: Manners, /, charge_id: str, receipt_path: str | None, force: bool, **given: Any) -> Exit:
    """Release what is held for a charge.

    The mandate has it left again. A hold closes once; the same void again changes nothing.
    """
    require_output(manners, receipt_path, "--receipt-out", force=force)
    with signing_service(**given) as (service, _):
        charge = service.void(charge_id)
    return _report(manners, charge, receipt_path, force=force)


@click.command(cls=Command)
@click.argument("charge_id", metavar="CHARGE")
@click.argument("amount", metavar="[AMOUNT]", required=False)
@click.option("--all", "everything", is_flag=True, help="Give back all that was captured and not refunded yet.")
@click.option("--refund-no", metavar="NO", required=True, help="The payee's number for this refund.")
@options.payment_service
@options.receipt_out
@options.json_flag
@click.pass_obj
@example("""
act refund CHARGE 5.00 --refund-no R-1 --ledger ledger.db \\
  --ledger-id psp-1 --parties parties.json --key psp.pem
""")
def refund(
    manners: Manners,
    /,
    charge_id: str,
    amount: str | None,
    everything: bool,
    refund_no: str,
    receipt_path: str | None,
    force: bool,
    **given: Any,
) -> Exit:
    """Give back what was captured, or a part of it.

    Refunds are together at most what was captured. The mandate has it left again only if it says so itself
    (ext.quota.refund_restores). The same number and amount again change nothing.
    """
    if (amount is None) is not everything:
        raise click.UsageError("Give either AMOUNT or --all")
    require_output(manners, receipt_path, "--receipt-out", force=force)
    with signing_service(**given) as (service, ledger):
        known = ledger.charge(charge_id)
        manners.currency = known.amount.currency
        charge = service.refund(charge_id, _asked(amount, known, known.refundable_minor), refund_no=refund_no)
    return _report(manners, charge, receipt_path, force=force)


def _asked(amount: str | None, charge: Any, left_minor: int) -> act.Amount:
    """The amount that was typed; with --all what is left, or, where nothing is, everything that was captured: that repeats a
    call that took all at once, and is refused otherwise."""
    if amount is not None:
        return options.read_amount(amount, charge.amount.currency, "AMOUNT")
    return act.Amount(left_minor or charge.captured_minor or charge.amount.minor, charge.amount.currency)


@click.command(cls=Command)
@click.argument("mandate_path", metavar="MANDATE")
@options.payment_service
@options.receipt_out
@options.json_flag
@click.pass_obj
@example("""
act revoke mandate.cbor --ledger ledger.db --ledger-id psp-1 \\
  --parties parties.json --key psp.pem
""")
def revoke(manners: Manners, /, mandate_path: str, receipt_path: str | None, force: bool, **given: Any) -> Exit:
    """Stop a mandate for good. What is already held stays held, unless the mandate says otherwise.

    The ledger must be there: a revocation in a new file would stop nothing.
    """
    require_output(manners, receipt_path, "--receipt-out", force=force)
    data, _ = read_object(manners, mandate_path, "mandate")
    with signing_service(**given) as (service, _):
        revocation = service.revoke(data)
    key = revocation.mandate
    with _saying(manners, f"the mandate {words.mandate_id(key.delegation_id)} is stopped"):
        _write_receipt(receipt_path, revocation.receipt, force=force)
        return _answer(
            manners,
            receipt_path,
            {"mandate": views.mandate_key_view(key), "replayed": revocation.replayed},
            Text.assemble((" STOPPED ", "bold black on green"), f" mandate {words.mandate_id(key.delegation_id)}"),
            ("means", f"no payment under it is authorized by {given['ledger_id']} any more; what is held stays held"),
            ("replayed", "yes: it was stopped before, and nothing changed now" if revocation.replayed else None),
        )


def _currency_of(payment: act.Payment) -> str | None:
    """The currency the payment's order says, so that a refusal can name its money; whether it is right is decided elsewhere."""
    try:
        found: Any = act.recognize(payment.order)
    except act.Refused:
        return None
    return str(found.order.amount.currency) if found.kind == "order" else None


def _write_receipt(path: str | None, receipt: bytes, *, force: bool) -> None:
    if path is not None:
        write_output(path, as_file(receipt), force=force)


@contextlib.contextmanager
def _saying(manners: Manners, done: str) -> Iterator[None]:
    """While a receipt and an answer are written: if that fails, the error says what is done all the same."""
    done = f"{done}, and the same command again gives the receipt"
    try:
        yield
        sys.stdout.flush()
    except act.StoreFault as error:
        raise act.StoreFault(error.code, error.where, reason=f"{error.facts.get('reason', error.meaning)}; {done}") from None
    except BrokenPipeError:
        manners.warn(f"nobody reads standard output any more; {done}")
        raise
    except OSError as error:
        discard_stdout()
        manners.stdout_lost = True
        raise act.StoreFault("file_unwritable", "standard output", reason=f"{error.strerror}; {done}") from None


def _refuse(manners: Manners, refusal: act.Refused, receipt_path: str | None, *, force: bool, ledger_created: bool) -> Exit:
    """A refusal comes first, whatever becomes of its receipt."""
    lost: act.StoreFault | None = None
    receipt_file = receipt_path if refusal.receipt is not None else None
    try:
        if refusal.receipt is not None:
            _write_receipt(receipt_path, refusal.receipt, force=force)
    except act.StoreFault as error:
        lost = error
    except BrokenPipeError:
        discard_stdout()
        lost = act.StoreFault("file_unwritable", "standard output", reason="nobody reads it any more")
    code = manners.fail(
        refusal,
        receipt_file=receipt_file if lost is None else None,
        receipt_error=error_document(lost) if lost is not None else None,
        ledger_created=ledger_created,
    )
    if lost is not None:
        why = facts_in_words(lost.facts, None) or lost.meaning
        manners.warn(f"the receipt of this refusal was not written: {lost.code} ({lost.where}: {why})")
    return code


def _report(manners: Manners, charge: act.Charge, receipt_path: str | None, *, force: bool, **more: object) -> Exit:
    """What became of a charge."""
    taken = charge.captured if charge.captured is not None else charge.amount
    is_open = charge.state.value in ("HELD", "PARTIALLY_CAPTURED")
    document = {"charge": views.charge_view(charge), "replayed": charge.replayed, **more}
    heading = Text.assemble((f" {charge.state.value} ", "bold black on green"), f" {taken}")
    with _saying(manners, f"charge {charge.id} is {charge.state.value}"):
        _write_receipt(receipt_path, charge.receipt, force=force)
        return _answer(
            manners,
            receipt_path,
            document,
            heading,
            ("charge", charge.id),
            ("payee", charge.payee),
            ("order", charge.order_no),
            ("refunded", str(charge.refunded) if charge.refunded is not None else None),
            ("held until", instant_text(charge.hold_expires_at) if is_open else None),
            ("replayed", "yes: it was decided before, and nothing moved now" if charge.replayed else None),
        )


def _answer(manners: Manners, receipt_path: str | None, document: dict[str, object], heading: Text, *facts: words.Fact) -> Exit:
    """The result on stdout, unless the receipt is there; then the person at the terminal gets one line."""
    if receipt_path == STANDARD:
        manners.note(f"{heading.plain.strip()}; the receipt is on standard output")
    else:
        shown = [heading, words.facts(*facts, ("receipt", receipt_path))]
        manners.answer({"outcome": "accepted", **document, "receipt_file": receipt_path}, shown)
    return Exit.ACCEPTED

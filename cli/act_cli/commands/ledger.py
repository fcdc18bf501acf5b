"""What the payment service does with payments and charges: authorize, capture, void, refund. What is done is always said."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click

import act
from act_cli import options
from act_cli.answers import refuse, report
from act_cli.instructions import sentence
from act_cli.manners import Exit, Manners
from act_cli.objects import read_object
from act_cli.outputs import require_output
from act_cli.program import Command, example
from act_cli.service import signing_service

__all__ = ["authorize", "capture", "refund", "void"]

_instruction = click.option(
    "--instruction", "instruction_path", metavar="FILE", help="Do what the payee signed, instead of CHARGE and the rest."
)


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
        return refuse(manners, decided, receipt_path, force=force, ledger_created=created)
    return report(manners, decided, receipt_path, force=force, ledger_created=created)


@click.command(cls=Command)
@click.argument("charge_id", metavar="[CHARGE]", required=False)
@click.argument("amount", metavar="[AMOUNT]", required=False)
@click.option("--all", "everything", is_flag=True, help="Take all that is held.")
@click.option("--part", "capture_no", metavar="NO", help="Take a part, known by this number; the rest stays held.")
@_instruction
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
    charge_id: str | None,
    amount: str | None,
    everything: bool,
    capture_no: str | None,
    instruction_path: str | None,
    receipt_path: str | None,
    force: bool,
    **given: Any,
) -> Exit:
    """Take what is held for a charge, and release the rest.

    AMOUNT is at most what is held, in the charge's currency. A hold closes once; the same capture again changes nothing. With
    --part the hold stays open for further parts, each with a number of its own, such as that of a shipment.
    """
    if instruction_path is not None:
        typed = [charge_id, amount, everything or None, capture_no]
        return _obey(manners, "capture", instruction_path, typed, receipt_path, force=force, **given)
    charge_id = _named(charge_id)
    if (amount is None) is not everything:
        raise click.UsageError("Give either AMOUNT or --all")
    require_output(manners, receipt_path, "--receipt-out", force=force)
    with signing_service(**given) as (service, ledger):
        known = ledger.charge(charge_id)
        manners.currency = known.amount.currency
        charge = service.capture(charge_id, _asked(amount, known, known.held_minor), capture_no=capture_no)
    return report(manners, charge, receipt_path, force=force)


@click.command(cls=Command)
@click.argument("charge_id", metavar="[CHARGE]", required=False)
@_instruction
@options.payment_service
@options.receipt_out
@options.json_flag
@click.pass_obj
@example("""
act void CHARGE --ledger ledger.db --ledger-id psp-1 \\
  --parties parties.json --key psp.pem
""")
def void(
    manners: Manners,
    /,
    charge_id: str | None,
    instruction_path: str | None,
    receipt_path: str | None,
    force: bool,
    **given: Any,
) -> Exit:
    """Release what is held for a charge.

    The mandate has it left again. A hold closes once; the same void again changes nothing.
    """
    if instruction_path is not None:
        return _obey(manners, "void", instruction_path, [charge_id], receipt_path, force=force, **given)
    charge_id = _named(charge_id)
    require_output(manners, receipt_path, "--receipt-out", force=force)
    with signing_service(**given) as (service, _):
        charge = service.void(charge_id)
    return report(manners, charge, receipt_path, force=force)


@click.command(cls=Command)
@click.argument("charge_id", metavar="[CHARGE]", required=False)
@click.argument("amount", metavar="[AMOUNT]", required=False)
@click.option("--all", "everything", is_flag=True, help="Give back all that was captured and not refunded yet.")
@click.option("--refund-no", metavar="NO", help="The payee's number for this refund.")
@_instruction
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
    charge_id: str | None,
    amount: str | None,
    everything: bool,
    refund_no: str | None,
    instruction_path: str | None,
    receipt_path: str | None,
    force: bool,
    **given: Any,
) -> Exit:
    """Give back what was captured, or a part of it.

    Refunds are together at most what was captured. The mandate has it left again only if it says so itself
    (ext.quota.refund_restores). The same number and amount again change nothing.
    """
    if instruction_path is not None:
        typed = [charge_id, amount, everything or None, refund_no]
        return _obey(manners, "refund", instruction_path, typed, receipt_path, force=force, **given)
    charge_id = _named(charge_id)
    if refund_no is None:
        raise click.UsageError("Missing option '--refund-no'")
    if (amount is None) is not everything:
        raise click.UsageError("Give either AMOUNT or --all")
    require_output(manners, receipt_path, "--receipt-out", force=force)
    with signing_service(**given) as (service, ledger):
        known = ledger.charge(charge_id)
        manners.currency = known.amount.currency
        charge = service.refund(charge_id, _asked(amount, known, known.refundable_minor), refund_no=refund_no)
    return report(manners, charge, receipt_path, force=force)


def _named(charge_id: str | None) -> str:
    if charge_id is None:
        raise click.UsageError("Missing argument 'CHARGE' (or --instruction FILE)")
    return charge_id


def _obey(
    manners: Manners,
    action: str,
    path: str,
    typed: Sequence[object],
    receipt_path: str | None,
    *,
    force: bool,
    **given: Any,
) -> Exit:
    """Does what a payee signed. Whatever could be typed instead stands in the instruction."""
    if any(each is not None for each in typed):
        raise click.UsageError("--instruction says which charge and how much: leave out the rest")
    require_output(manners, receipt_path, "--receipt-out", force=force)
    data, found = read_object(manners, path, "instruction")
    said = found.instruction
    if said.action.value != action:
        raise click.UsageError(f"The instruction is to {sentence(said)}: 'act instruct' obeys any")
    manners.currency = said.about.amount.currency if said.about.amount is not None else None
    with signing_service(**given) as (service, _):
        done = service.instruct(data)
    if not isinstance(done, act.Charge):
        raise TypeError("an instruction about a charge was answered with none")
    return report(manners, done, receipt_path, force=force)


def _asked(amount: str | None, charge: Any, left_minor: int) -> act.Amount:
    """The amount that was typed; with --all what is left, or, where nothing is, everything that was captured: that repeats a
    call that took all at once, and is refused otherwise."""
    if amount is not None:
        return options.read_amount(amount, charge.amount.currency, "AMOUNT")
    return act.Amount(left_minor or charge.captured_minor or charge.amount.minor, charge.amount.currency)


def _currency_of(payment: act.Payment) -> str | None:
    """The currency the payment's order says, so that a refusal can name its money; whether it is right is decided elsewhere."""
    try:
        found: Any = act.recognize(payment.order)
    except act.Refused:
        return None
    return str(found.order.amount.currency) if found.kind == "order" else None

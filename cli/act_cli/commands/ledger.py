"""What the payment service does with its ledger: authorize, capture, void, revoke, and status."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import RenderableType
from rich.text import Text

import act
from act_cli import options, views, words
from act_cli.files import STANDARD, load_parties, read_input, write_output
from act_cli.manners import Exit, Manners, instant_text
from act_cli.outputs import require_output
from act_cli.program import Command, example

__all__ = ["authorize", "capture", "revoke", "status", "void"]


@click.command(cls=Command)
@click.argument("payment_path", metavar="PAYMENT")
@options.ledger
@options.ledger_id
@options.parties
@options.signing_key("the payment service")
@options.receipt_out
@options.at("Decide as of this instant [default: now].")
@options.json_flag
@click.pass_obj
@example("""
act authorize payment.cbor --ledger ledger.db --ledger-id psp-1 \\
  --parties parties.json --key psp.pem --receipt-out receipt.cbor
""")
def authorize(
    manners: Manners,
    payment_path: str,
    ledger_path: str,
    ledger_id: str,
    parties_path: str,
    key_path: str,
    passphrase_path: str | None,
    receipt_path: str | None,
    force: bool,
    at: datetime | None,
) -> Exit:
    """Decide a payment and hold its money in the ledger.

    Both happen in one step. The same payment again gives the same answer and holds nothing twice. A refusal that the ledger
    recorded has a receipt, too. A ledger that is not there yet is made.
    """
    require_output(manners, receipt_path, "--receipt-out", force=force)
    manners.subject = payment_path
    payment = act.Payment.from_bytes(read_input(payment_path))
    manners.currency = _currency_of(payment)
    parties = load_parties(parties_path)
    signer = options.load_signer(key_path, passphrase_path)
    is_new = not Path(ledger_path).exists()
    with _ledger(ledger_path, create=True) as ledger:
        service = act.PaymentService(ledger_id, parties=parties, ledger=ledger, signer=signer, clock=_clock(at))
        if is_new:
            manners.note(f"{ledger_path}: new ledger of {ledger_id}")
        try:
            charge = service.authorize(payment)
        except act.Refused as refusal:
            written = refusal.receipt is not None and receipt_path is not None
            if refusal.receipt is not None and receipt_path is not None:
                write_output(receipt_path, refusal.receipt, force=force)
            return manners.fail(refusal, receipt_file=receipt_path if written else None)
    return _report(manners, charge, receipt_path, force=force)


@click.command(cls=Command)
@click.argument("charge_id", metavar="CHARGE")
@click.argument("amount", metavar="[AMOUNT]", required=False)
@click.option("--all", "everything", is_flag=True, help="Take all that is held.")
@options.ledger
@options.ledger_id
@options.signing_key("the payment service")
@options.receipt_out
@options.json_flag
@click.pass_obj
@example("""
act capture CHARGE 18.00 --ledger ledger.db --ledger-id psp-1 --key psp.pem
act capture CHARGE --all --ledger ledger.db --ledger-id psp-1 --key psp.pem
""")
def capture(
    manners: Manners,
    charge_id: str,
    amount: str | None,
    everything: bool,
    ledger_path: str,
    ledger_id: str,
    key_path: str,
    passphrase_path: str | None,
    receipt_path: str | None,
    force: bool,
) -> Exit:
    """Take what is held for a charge, and release the rest.

    AMOUNT is at most what is held, in the charge's currency. A hold closes once; the same capture again changes nothing.
    """
    if (amount is None) is not everything:
        raise click.UsageError("Give either AMOUNT or --all")
    require_output(manners, receipt_path, "--receipt-out", force=force)
    signer = options.load_signer(key_path, passphrase_path)
    with _ledger(ledger_path) as ledger:
        service = _service_of(ledger, ledger_id, signer)
        held = ledger.charge(charge_id).amount
        manners.currency = held.currency
        taken = held if amount is None else options.read_amount(amount, held.currency, "AMOUNT")
        charge = service.capture(charge_id, taken)
    return _report(manners, charge, receipt_path, force=force)


@click.command(cls=Command)
@click.argument("charge_id", metavar="CHARGE")
@options.ledger
@options.ledger_id
@options.signing_key("the payment service")
@options.receipt_out
@options.json_flag
@click.pass_obj
@example("act void CHARGE --ledger ledger.db --ledger-id psp-1 --key psp.pem")
def void(
    manners: Manners,
    charge_id: str,
    ledger_path: str,
    ledger_id: str,
    key_path: str,
    passphrase_path: str | None,
    receipt_path: str | None,
    force: bool,
) -> Exit:
    """Release what is held for a charge.

    The mandate has it left again. A hold closes once; the same void again changes nothing.
    """
    require_output(manners, receipt_path, "--receipt-out", force=force)
    signer = options.load_signer(key_path, passphrase_path)
    with _ledger(ledger_path) as ledger:
        charge = _service_of(ledger, ledger_id, signer).void(charge_id)
    return _report(manners, charge, receipt_path, force=force)


@click.command(cls=Command)
@click.argument("mandate_path", metavar="MANDATE")
@options.ledger
@options.ledger_id
@options.parties
@options.signing_key("the payment service")
@options.receipt_out
@options.json_flag
@click.pass_obj
@example("""
act revoke mandate.cbor --ledger ledger.db --ledger-id psp-1 \\
  --parties parties.json --key psp.pem
""")
def revoke(
    manners: Manners,
    mandate_path: str,
    ledger_path: str,
    ledger_id: str,
    parties_path: str,
    key_path: str,
    passphrase_path: str | None,
    receipt_path: str | None,
    force: bool,
) -> Exit:
    """Stop a mandate for good. What is already held stays held.

    The ledger must be there: a revocation in a new file would stop nothing.
    """
    require_output(manners, receipt_path, "--receipt-out", force=force)
    manners.subject = mandate_path
    data = read_input(mandate_path)
    parties = load_parties(parties_path)
    signer = options.load_signer(key_path, passphrase_path)
    with _ledger(ledger_path) as ledger:
        revocation = act.PaymentService(ledger_id, parties=parties, ledger=ledger, signer=signer).revoke(data)
    _write_receipt(receipt_path, revocation.receipt, force, "the mandate is stopped")
    key = revocation.mandate
    return _answer(
        manners,
        receipt_path,
        {"mandate": views.mandate_key_view(key), "replayed": revocation.replayed},
        Text.assemble((" STOPPED ", "bold black on green"), f" mandate {key.delegation_id}"),
        ("means", f"no payment under it is authorized by {ledger_id} any more; what is held stays held"),
        ("replayed", "yes: it was stopped before, and nothing changed now" if revocation.replayed else None),
    )


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
    manners.subject = mandate_path
    data = read_input(mandate_path)
    found = act.recognize(data)
    if isinstance(found, act.Payment) or not hasattr(found, "content"):
        raise act.Refused("kind_unexpected", "mandate", expected="mandate")
    mandate: act.Mandate = found.content.mandate
    parties = load_parties(parties_path)
    with _ledger(ledger_path) as ledger:
        # Nothing is signed here, so the service's own key is not needed.
        service = act.PaymentService(mandate.ledger, parties=parties, ledger=ledger, signer=act.KeyPair.generate())
        known = service.status(data)
    terms = {constraint.path: constraint for constraint in mandate.constraints}
    currency, (_, end) = terms["currency"].encode(), terms["validity"].encode()
    state = known.state.value if known is not None else "Active"
    if state == "Active" and datetime.now(UTC) >= datetime.fromtimestamp(end, UTC):
        state = "Expired"
    counters = known.counters if known is not None else ()
    limits = [views.LimitUse(each.name, each.cap_minor, each.captured_minor, each.held_minor) for each in counters]
    if not limits:  # nothing was charged yet, so the total is untouched
        total = terms["max_total_amount"]
        limits = [views.LimitUse(total.path, act.Amount.parse(total.encode(), currency).minor, 0, 0)]
    charges = known.charges if known is not None else ()
    shown: list[RenderableType] = [
        Text(f" {state.upper()} ", style="bold black on green" if state == "Active" else "bold white on red"),
        words.facts(
            ("mandate id", str(mandate.delegation_id)),
            ("principal", mandate.delegator_identity),
            ("agent", mandate.agent_id),
            ("ledger", mandate.ledger),
            ("valid", f"until just before {instant_text(end)}"),
            ("used", None if known is not None else "never at this ledger"),
        ),
    ]
    for limit in limits:
        bar = words.usage_bar(limit.captured_minor, limit.held_minor, limit.cap_minor, currency)
        shown += [words.blank(), words.dim(f"  {limit.name}"), bar]
    if charges:
        shown += [words.blank(), words.charge_table(charges)]
    key = views.mandate_key_view(mandate)
    view = views.status_view(state, currency, limits, charges)
    manners.answer({"outcome": "accepted", "mandate": key, "known": known is not None, **view}, shown)
    return Exit.ACCEPTED


@contextlib.contextmanager
def _ledger(path: str, *, create: bool = False) -> Iterator[act.SqliteLedger]:
    with contextlib.closing(act.SqliteLedger(path, create=create)) as ledger:
        yield ledger


def _service_of(ledger: act.SqliteLedger, ledger_id: str, signer: act.Signer) -> act.PaymentService:
    """A service for what concerns charges only: no mandate is verified, so no parties are needed."""
    return act.PaymentService(ledger_id, parties=act.PartiesTable([]), ledger=ledger, signer=signer)


def _clock(at: datetime | None) -> Callable[[], datetime]:
    return (lambda: datetime.now(UTC)) if at is None else (lambda: at)


def _currency_of(payment: act.Payment) -> str | None:
    """The currency the payment's order says, so that a refusal can name its money; whether it is right is decided elsewhere."""
    try:
        found = act.recognize(payment.order)
    except act.Refused:
        return None
    if isinstance(found, act.Payment) or found.opened.kind.name != "order" or not hasattr(found, "order"):
        return None
    return str(found.order.amount.currency)


def _write_receipt(path: str | None, receipt: bytes, force: bool, done: str) -> None:
    """Writes a receipt of what is done already. If that fails, the error says that it is done and how to get the receipt."""
    if path is None:
        return
    try:
        write_output(path, receipt, force=force)
    except act.StoreFault as error:
        reason = f"{error.facts.get('reason', error.meaning)}; {done}, and the same command again gives the receipt"
        raise act.StoreFault(error.code, error.where, reason=reason) from None


def _report(manners: Manners, charge: act.Charge, receipt_path: str | None, *, force: bool) -> Exit:
    """What became of a charge."""
    _write_receipt(receipt_path, charge.receipt, force, f"charge {charge.id} is {charge.state.value}")
    taken = charge.captured if charge.captured is not None else charge.amount
    document = {"charge": views.charge_view(charge), "replayed": charge.replayed}
    heading = Text.assemble((f" {charge.state.value} ", "bold black on green"), f" {taken}")
    return _answer(
        manners,
        receipt_path,
        document,
        heading,
        ("charge", charge.id),
        ("payee", charge.payee),
        ("order", charge.order_no),
        ("held until", instant_text(charge.hold_expires_at) if charge.state.value == "HELD" else None),
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

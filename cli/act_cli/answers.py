"""What a command of the payment service says once something is done or refused, and where the receipt goes."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from rich.text import Text

import act
from act_cli import views, words
from act_cli.files import STANDARD, write_output
from act_cli.manners import Exit, Manners, discard_stdout, error_document, facts_in_words, instant_text
from act_cli.objects import as_file

__all__ = ["answer_with_receipt", "refuse", "report", "saying", "write_receipt"]


def write_receipt(path: str | None, receipt: bytes, *, force: bool) -> None:
    """Writes a receipt where it was asked for."""
    if path is not None:
        write_output(path, as_file(receipt), force=force)


@contextlib.contextmanager
def saying(manners: Manners, done: str) -> Iterator[None]:
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


def refuse(manners: Manners, refusal: act.Refused, receipt_path: str | None, *, force: bool, ledger_created: bool) -> Exit:
    """A refusal comes first, whatever becomes of its receipt."""
    lost: act.StoreFault | None = None
    receipt_file = receipt_path if refusal.receipt is not None else None
    try:
        if refusal.receipt is not None:
            write_receipt(receipt_path, refusal.receipt, force=force)
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


def report(manners: Manners, charge: act.Charge, receipt_path: str | None, *, force: bool, **more: object) -> Exit:
    """What became of a charge."""
    taken = charge.captured if charge.captured is not None else charge.amount
    is_open = charge.state.value in ("HELD", "PARTIALLY_CAPTURED")
    document = {"charge": views.charge_view(charge), "replayed": charge.replayed, **more}
    heading = Text.assemble((f" {charge.state.value} ", "bold black on green"), f" {taken}")
    with saying(manners, f"charge {charge.id} is {charge.state.value}"):
        write_receipt(receipt_path, charge.receipt, force=force)
        return answer_with_receipt(
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


def answer_with_receipt(
    manners: Manners, receipt_path: str | None, document: dict[str, object], heading: Text, *facts: words.Fact
) -> Exit:
    """The result on stdout, unless the receipt is there; then the person at the terminal gets one line."""
    if receipt_path == STANDARD:
        manners.note(f"{heading.plain.strip()}; the receipt is on standard output")
    else:
        shown = [heading, words.facts(*facts, ("receipt", receipt_path))]
        manners.answer({"outcome": "accepted", **document, "receipt_file": receipt_path}, shown)
    return Exit.ACCEPTED

"""The payment service that the options of a command describe, and its ledger."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import act
from act_cli import options
from act_cli.files import load_parties

__all__ = ["opened_ledger", "reading_service", "signing_service"]


@contextlib.contextmanager
def opened_ledger(address: str, *, create: bool = False) -> Iterator[Any]:
    """The ledger at an address, closed in the end. A fault names its place, also where only the service knew what was wrong;
    the address itself may hold a password, and is shown nowhere."""
    place = "--ledger"
    try:
        with contextlib.closing(act.open_ledger(address, create=create)) as ledger:
            place = ledger.place
            yield ledger
    except act.StoreFault as error:
        raise act.StoreFault(error.code, place if error.where == "ledger" else error.where, **error.facts) from None
    except act.InvalidCall as error:
        raise act.InvalidCall(error.code, place if error.where == "ledger" else error.where, **error.facts) from None


@contextlib.contextmanager
def signing_service(
    *,
    ledger_path: str,
    ledger_id: str,
    parties_path: str,
    key_path: str,
    passphrase_path: str | None,
    retired_paths: tuple[str, ...],
    create: bool = False,
    at: datetime | None = None,
) -> Iterator[tuple[act.PaymentService, Any]]:
    """The payment service that the options describe, and its ledger; what is wrong with it is said of the option or file."""
    parties = load_parties(parties_path)
    signer = options.load_signer(key_path, passphrase_path)
    retired = options.load_retired(retired_paths, passphrase_path)
    try:
        with opened_ledger(ledger_path, create=create) as ledger:
            yield (
                act.PaymentService(
                    ledger_id, parties=parties, ledger=ledger, signer=signer, retired_signers=retired, clock=_clock(at)
                ),
                ledger,
            )
    except act.InvalidCall as error:
        if error.where == "signer":
            reason = f"the parties file does not enrol this key as psp for {ledger_id}, or not at this time"
            raise act.InvalidCall(error.code, f"--key {key_path}", reason=reason) from None
        if error.where == "retired_signers":
            kid = error.facts.get("kid", "")
            reason = f"the receipt of what was done before was made with the key {kid}: give that key with --retired-key"
            raise act.InvalidCall(error.code, "--retired-key", reason=reason) from None
        raise


def _clock(at: datetime | None) -> Callable[[], datetime]:
    return (lambda: datetime.now(UTC)) if at is None else (lambda: at)


@contextlib.contextmanager
def reading_service(
    ledger_path: str, ledger_id: str, parties: act.Parties, at: datetime | None = None
) -> Iterator[act.PaymentService]:
    """A service that only answers questions. Nothing is signed by it, so its own key is not needed."""
    with opened_ledger(ledger_path) as ledger:
        signer = act.KeyPair.generate()
        yield act.PaymentService(ledger_id, parties=parties, ledger=ledger, signer=signer, clock=_clock(at))

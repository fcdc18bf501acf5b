"""A ledger that goes on after it was backed up, and what is then known of it: its signed receipts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from act.delegation.mandate import MandateKey
from act.payment.ledger import MandateRecord
from act.stores.sql.ledger import SqlLedger
from act.stores.sqlite import SqliteLedger
from act.stores.sqlite.reconciliation import Reconciliation
from tests.support.world import NOW_SECONDS, PSP, MutableParties, key, moment

__all__ = ["Restored", "signed_receipts"]


def signed_receipts(ledger: SqlLedger, mandate: MandateRecord | MandateKey) -> list[bytes]:
    """Every receipt of a mandate, as the payment service hands it out."""
    of = mandate.key if isinstance(mandate, MandateRecord) else mandate
    return [each.sign(key(PSP)) for each in ledger.receipts(of)]


@dataclass
class Restored:
    """A backup of a ledger, to be reconciled at an instant after everything that happens in these tests."""

    path: Path
    parties: MutableParties

    @classmethod
    def of(cls, ledger: SqliteLedger, path: Path, at: int = NOW_SECONDS) -> Restored:
        """Makes the backup."""
        ledger.backup(path, at=moment(at))
        return cls(path, MutableParties())

    def open(self) -> SqliteLedger:
        """The copy, as a program opens it."""
        return SqliteLedger(self.path, create=False)

    def reconcile(
        self,
        receipts: Iterable[bytes] = (),
        *,
        at: int | datetime = NOW_SECONDS + 600,
        complete: bool = False,
        dry_run: bool = False,
        mandates: Iterable[bytes] = (),
    ) -> Reconciliation:
        """Reconciles it as its own payment service."""
        with self.open() as ledger:
            return ledger.reconcile(
                receipts,
                parties=self.parties,
                signer=key(PSP),
                at=moment(at),
                complete=complete,
                dry_run=dry_run,
                mandates=mandates,
            )

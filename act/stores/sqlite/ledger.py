"""The ledger in one SQLite file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

from act.calendar import FUTURE_TOLERANCE_SECONDS, instant
from act.delegation.limits import Limit
from act.errors import Refused
from act.keys import Signer
from act.parties import Parties
from act.payment.ledger import Asked, MandateRecord, Outcome, ReceiptMaker
from act.payment.verifier import AuthenticatedPayment, RequestKey, ReservationRequest
from act.stores.sql import mandates, reservation
from act.stores.sql.audit import Audit
from act.stores.sql.ledger import SqlLedger
from act.stores.sql.replayed_calls import replayed_request
from act.stores.sql.transaction import Transaction
from act.stores.sqlite.audit import audit_file
from act.stores.sqlite.backup import back_up
from act.stores.sqlite.connection import FileDatabase
from act.stores.sqlite.reconciliation import Reconciliation, reconcile_file

__all__ = ["SqliteLedger"]

T = TypeVar("T")


class SqliteLedger(SqlLedger):
    """An embedded ledger in one file (WAL, synchronous=FULL), for any number of threads and processes of one machine.

    Threads that write at the same time share one commit. With `create` (the default) a missing file is made at the first write:
    what is refused before leaves none. Raises `StoreFault`: store_unavailable, store_read_only, store_unknown_version for a
    file that is no ledger of this version. Open it anew after fork.

    A backup opens frozen: it answers, suspends and revokes, and anything else is `StoreFault` store_frozen until it was
    reconciled.
    """

    def __init__(self, path: str | os.PathLike[str], *, create: bool = True) -> None:
        self._file: Final = FileDatabase(path, create=create)
        super().__init__(self._file)

    def audit(self, progress: Callable[[int, int], None] | None = None) -> Audit:
        """See `SqlLedger.audit`; the file's own checks as well."""
        return audit_file(self._file.path, progress)

    def backup(self, path: str | os.PathLike[str], *, at: datetime, progress: Callable[[int, int], None] | None = None) -> None:
        """Copies the ledger, as it stands at one moment, to a new file; whoever uses it reads and writes on meanwhile.

        The copy is frozen, as of instant `at`: it does not know what is spent from now on. It has its name once it is whole and
        on the disk. `progress` is told how many pages of how many are done. Raises `StoreFault`: file_exists, store_full,
        store_unavailable.
        """
        frozen_at = instant(at)
        with self._file.snapshot() as source:
            back_up(source, Path(path), frozen_at, progress)

    def reconcile(
        self,
        receipts: Iterable[bytes] = (),
        *,
        parties: Parties,
        signer: Signer,
        at: datetime,
        mandates: Iterable[bytes] = (),
        complete: bool = False,
        dry_run: bool = False,
    ) -> Reconciliation:
        """Makes a frozen ledger count again, at instant `at`, in one transaction or not at all.

        `receipts` are this payment service's own since the backup, in any order; each becomes the entry that it was made of.
        Unless the caller answers for it that they are `complete`, every mandate that could still be paid under is revoked with
        `signer`'s receipt; one of which receipts are left out, because it was suspended meanwhile, is revoked anyhow. A mandate
        that the ledger does not know then, and that is no newer, is refused ever after (ACT-LED-14); one that was first used
        after the backup is known if its bytes are among `mandates` and its receipts begin with the first. With `dry_run`
        nothing is written.

        Raises `Refused`, with the place `receipts.N` or `mandates.N`, for what is not genuine, or not this service's, or does
        not continue the ledger's chains (ACT-RCT-04); `InvalidCall` for a ledger that is not frozen, and for a signer that
        the parties do not enrol.
        """
        return reconcile_file(
            self._file, receipts, mandates, parties, signer, instant(at), is_complete=complete, dry_run=dry_run
        )

    def find(self, request: RequestKey, identity: bytes) -> Outcome | None:
        """See `Ledger.find`."""
        found = super().find(request, identity)
        if found is None and self._file.is_restored:
            found = super().find(replayed_request(request.mandate, request.agent_id, identity), identity)
        return found

    def reserve(self, request: ReservationRequest, mandate: MandateRecord, make_receipt: ReceiptMaker) -> Outcome:
        """See `Ledger.reserve`; in a restored ledger a request may be known by its identity only."""
        return self._file.write(self._deciding(request, mandate, make_receipt))

    def reserve_all(self, asked: Sequence[Asked]) -> list[Outcome | Exception]:
        """See `Ledger.reserve_all`: all of them in one commit, or in as few as it takes."""
        return self._file.write_all([self._deciding(*each) for each in asked])

    def _deciding(
        self, request: ReservationRequest, mandate: MandateRecord, make_receipt: ReceiptMaker
    ) -> Callable[[Transaction], Outcome]:
        def decide(tx: Transaction) -> Outcome:
            if self._file.is_restored:
                found = mandates.find_mandate(tx, mandate.key, identity=mandate.identity)
                self._require_remembered(tx, mandate, request.pinned_before)
                asked, identity = request.request, request.request_identity
                key = replayed_request(mandate.key, asked.agent_id, identity)
                stored = None if found is None else reservation.stored_outcome(tx, found, key, identity)
                if stored is not None:
                    return stored
            return reservation.reserve(tx, request, mandate, make_receipt)

        return decide

    def expire(self, at: int, most: int, make_receipt: ReceiptMaker) -> tuple[Outcome, ...]:
        """See `Ledger.expire`."""
        self._file.require_thawed()
        return super().expire(at, most, make_receipt)

    def foresee(self, mandate: MandateRecord, payment: AuthenticatedPayment, limits: tuple[Limit, ...], at: int) -> None:
        """See `Ledger.foresee`."""
        if self._file.is_restored:
            self._file.read(lambda tx: self._require_remembered(tx, mandate, payment.pinned_before))
        super().foresee(mandate, payment, limits, at)

    def _require_remembered(self, tx: Transaction, mandate: MandateRecord, pinned_before: int | None) -> None:
        """Rule ACT-LED-14: a ledger that forgot may have forgotten any mandate that it does not know and that was there before.
        A clock that was ahead may have used it a little early."""
        found = self._file.restoration(tx) if self._file.is_restored else None
        if found is None or found.reconciled_at is None:
            return
        if mandates.find_mandate(tx, mandate.key, identity=mandate.identity) is not None:
            return
        mandates.require_trusted(None, mandate, pinned_before)
        if mandate.new_since <= found.reconciled_at + FUTURE_TOLERANCE_SECONDS:
            raise Refused("credential_forgotten", "mandate", reconciled_at=found.reconciled_at)

    def _write_stop(self, work: Callable[[Transaction], T]) -> T:
        """A suspension or a revocation is recorded while frozen, too."""
        return self._file.write(work, while_frozen=True)

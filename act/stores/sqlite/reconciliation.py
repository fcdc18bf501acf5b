"""`act.stores.sql.reconcile` of a SQLite file: what is given is proven genuine first, and the file thaws in the transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from act.delegation.credential import open_credential
from act.delegation.mandate import MandateKey
from act.errors import InvalidCall, Refused
from act.keys import Signer
from act.parties import Parties, Role
from act.payment.ledger import MandateRecord
from act.payment.receipt import receipt_maker
from act.payment.service.keeper import mandate_record
from act.stores.sql.reconcile import Reconciled, reconcile
from act.stores.sql.replay import read_receipts
from act.stores.sql.transaction import Transaction
from act.stores.sqlite.connection import FileDatabase
from act.stores.sqlite.restoration import thaw

__all__ = ["Reconciliation", "reconcile_file"]


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What a reconciliation did, or with `is_dry_run` would do.

    `replayed` entries were made from receipts; `filled` ones had none, and what follows proves them. `repeated` receipts were
    in the backup already. `left_out` receipts are of mandates that were stopped while the ledger was frozen, `unknown` ones of
    mandates that the backup does not have: nothing more can be paid under either. `continued` mandates have new entries;
    `retired` ones were revoked, which the signed `receipts` say, in the same order. It knows `mandates` by number, and takes no
    other that is as old as `reconciled_at`. Instants are seconds since 1970, UTC.
    """

    frozen_at: int
    reconciled_at: int
    is_complete: bool
    is_dry_run: bool
    replayed: int
    filled: int
    repeated: int
    left_out: int
    unknown: int
    mandates: int
    continued: tuple[MandateKey, ...]
    retired: tuple[MandateKey, ...]
    receipts: tuple[bytes, ...]


class _UndoneError(Exception):
    """Ends the transaction of a dry run, and carries out what it found."""

    def __init__(self, done: tuple[int, Reconciled]) -> None:
        super().__init__()
        self.done = done


def reconcile_file(
    file: FileDatabase,
    receipts: Iterable[bytes],
    mandates: Iterable[bytes],
    parties: Parties,
    signer: Signer,
    at: int,
    *,
    is_complete: bool,
    dry_run: bool,
) -> Reconciliation:
    """See `SqliteLedger.reconcile`."""
    frozen_at, ledger_id = file.read(lambda tx: _frozen(file, tx))
    _require_enrolled(signer, ledger_id, parties, at)
    given = read_receipts(receipts, ledger_id, parties)
    known = _known(mandates, ledger_id, parties)

    def work(tx: Transaction) -> tuple[int, Reconciled]:
        _frozen(file, tx)  # nobody else has reconciled it since
        found = reconcile(
            tx,
            ledger_id,
            frozen_at,
            at,
            given,
            known,
            lambda issuer: receipt_maker(ledger_id, issuer, signer),
            is_complete=is_complete,
        )
        thaw(tx, found.latest)
        if dry_run:
            raise _UndoneError((found.latest, found))
        return found.latest, found

    try:
        reconciled_at, found = file.write(work, while_frozen=True)
    except _UndoneError as undone:
        reconciled_at, found = undone.done
    return Reconciliation(
        frozen_at,
        reconciled_at,
        is_complete,
        dry_run,
        found.replayed,
        found.filled,
        found.repeated,
        found.left_out,
        found.unknown,
        found.mandates,
        found.continued,
        tuple(key for key, _ in found.retired),
        () if dry_run else tuple(unsigned.sign(signer) for _, unsigned in found.retired),
    )


def _frozen(file: FileDatabase, tx: Transaction) -> tuple[int, str]:
    """Since when the ledger is frozen, and whose it is. Raises `InvalidCall` unless it is."""
    found = file.restoration(tx)
    if found is None or found.frozen_at is None:
        raise InvalidCall("call_invalid", "ledger", reason="it is not frozen, so there is nothing to reconcile")
    return found.frozen_at, tx.execute("SELECT ledger_id FROM ledger").fetchone()[0]


def _require_enrolled(signer: Signer, ledger_id: str, parties: Parties, at: int) -> None:
    """No entry is made under a key whose receipts nobody could verify."""
    try:
        enrolled = parties.find(signer.kid, Role.PSP, at)
    except Refused:
        enrolled = None
    if enrolled is None or enrolled.party.id != ledger_id or enrolled.compromised_at is not None:
        raise InvalidCall("call_invalid", "signer", reason="the parties file does not enrol this key for this service")


def _known(data: Iterable[bytes], ledger_id: str, parties: Parties) -> Mapping[bytes, MandateRecord]:
    """Genuine mandates of this service, by identity."""
    known = {}
    for number, each in enumerate(data):
        try:
            credential = open_credential(each).authenticate(parties)
            if credential.mandate.ledger != ledger_id:
                raise Refused("wrong_ledger", "mandate.aud", named=credential.mandate.ledger, this=ledger_id)
            compromised_at = credential.issuer_key(parties).compromised_at
            if compromised_at is not None:
                raise Refused("key_compromised", "mandate.iss", compromised_at=compromised_at)
        except Refused as refusal:
            raise refusal.within(f"mandates.{number}") from None
        known[credential.identity] = mandate_record(credential)
    return known

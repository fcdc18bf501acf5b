"""The ledger on any SQL store: every promise of `act.payment.ledger.Ledger`, each method one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Self, TypeVar

from act.delegation.lifecycle import LifecycleAction, Standing, require_usable
from act.delegation.limits import Limit
from act.delegation.mandate import MandateKey
from act.envelope.objects import Unsigned
from act.errors import StoreFault
from act.payment.charge import ChargeRecord, ChargeState, released
from act.payment.ledger import Asked, Cause, MandateRecord, MandateStatus, Outcome, ReceiptMaker
from act.payment.verifier import AuthenticatedPayment, LinkRecord, RequestKey, ReservationRequest, links_of
from act.stores.sql import charges, counters, instructions, mandates, moves, reservation, standings, succession
from act.stores.sql.audit import Audit, audit_ledger
from act.stores.sql.charges import ChargeRow
from act.stores.sql.mandates import MandateId, MandateRow
from act.stores.sql.transaction import Database, Transaction

__all__ = ["SqlLedger"]

T = TypeVar("T")


class SqlLedger:
    """What `SqliteLedger` and `PostgresLedger` share: all but how a transaction comes about."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database
        self._owner: str | None = None  # who it was bound to never changes

    @property
    def place(self) -> str:
        """What errors call it: its path, or its address without anything secret."""
        return self._database.place

    def close(self) -> None:
        """Ends every connection; the ledger cannot be used afterwards."""
        self._owner = None
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def owner(self) -> str | None:
        """See `Ledger.owner`."""
        if self._owner is None:
            row = self._database.read(lambda tx: tx.execute("SELECT ledger_id FROM ledger").fetchone())
            self._owner = None if row is None else str(row[0])
        return self._owner

    def bind(self, ledger_id: str) -> None:
        """See `Ledger.bind`."""
        owner = self.owner()
        if owner is None:
            claim = "INSERT INTO ledger (single, ledger_id) VALUES (1, ?) ON CONFLICT DO NOTHING"
            self._database.write(lambda tx: tx.execute(claim, (ledger_id,)))
            owner = self.owner()
        if owner != ledger_id:
            raise StoreFault("store_wrong_ledger", self._database.place, belongs_to=owner or "", asked=ledger_id)

    def find(self, request: RequestKey, identity: bytes) -> Outcome | None:
        """See `Ledger.find`."""

        def look(tx: Transaction) -> Outcome | None:
            row = mandates.find_mandate(tx, request.mandate)
            return None if row is None else reservation.stored_outcome(tx, row, request, identity)

        return self._database.read(look)

    def reserve(self, request: ReservationRequest, mandate: MandateRecord, make_receipt: ReceiptMaker) -> Outcome:
        """See `Ledger.reserve`: replay, pin, ended holds, lifecycle, order, limits, in this order."""
        return self._database.write(lambda tx: reservation.reserve(tx, request, mandate, make_receipt))

    def reserve_all(self, asked: Sequence[Asked]) -> list[Outcome | Exception]:
        """See `Ledger.reserve_all`."""
        found: list[Outcome | Exception] = []
        for each in asked:
            try:
                found.append(self.reserve(*each))
            except Exception as error:  # noqa: BLE001 - it is the answer to this one
                found.append(error)
        return found

    def register(
        self, mandate: MandateRecord, at: int, make_receipt: ReceiptMaker, *, pinned_before: int | None = None
    ) -> Outcome | None:
        """See `Ledger.register`."""

        def record(tx: Transaction) -> Outcome | None:
            self._require_remembered(tx, mandate, pinned_before)
            return succession.register(tx, mandate, at, make_receipt, pinned_before)

        return self._database.write(record)

    def find_instruction(self, about: MandateKey | str, cause: Cause) -> Outcome | None:
        """See `Ledger.find_instruction`."""

        def look(tx: Transaction) -> Outcome | None:
            if isinstance(about, MandateKey):
                row = mandates.find_mandate(tx, about)
                mandate_id = None if row is None else row.id
            else:
                mandate_id = charges.owner_of(tx, about)
            return None if mandate_id is None else instructions.stored_outcome(tx, mandate_id, cause)

        return self._database.read(look)

    def capture(
        self,
        charge_id: str,
        amount_minor: int,
        at: int,
        make_receipt: ReceiptMaker,
        *,
        capture_no: str | None = None,
        cause: Cause | None = None,
    ) -> Outcome:
        """See `Ledger.capture`. The same capture again gives the stored outcome."""

        def take(tx: Transaction, row: ChargeRow, instruction: bytes | None) -> Outcome:
            return moves.capture(tx, row, amount_minor, capture_no, at, make_receipt, instruction)

        return self._move(charge_id, cause, take)

    def void(self, charge_id: str, at: int, make_receipt: ReceiptMaker, *, cause: Cause | None = None) -> Outcome:
        """See `Ledger.void`. The same void again gives the stored outcome."""
        return self._move(charge_id, cause, lambda tx, row, instruction: moves.void(tx, row, at, make_receipt, instruction))

    def refund(
        self,
        charge_id: str,
        amount_minor: int,
        refund_no: str,
        at: int,
        make_receipt: ReceiptMaker,
        *,
        cause: Cause | None = None,
    ) -> Outcome:
        """See `Ledger.refund`. The same refund again gives the stored outcome."""

        def give_back(tx: Transaction, row: ChargeRow, instruction: bytes | None) -> Outcome:
            return moves.refund(tx, row, amount_minor, refund_no, at, make_receipt, instruction)

        return self._move(charge_id, cause, give_back)

    def _move(
        self, charge_id: str, cause: Cause | None, move: Callable[[Transaction, ChargeRow, bytes | None], Outcome]
    ) -> Outcome:
        """Moves a charge under the lock of its mandate; an instruction that was obeyed before has its outcome."""

        def judge(tx: Transaction) -> Outcome:
            row = charges.lock_charge(tx, charge_id)
            if cause is None:
                return move(tx, row, None)
            stored = instructions.stored_outcome(tx, row.mandate_id, cause)
            return stored or instructions.obeyed(tx, row.mandate_id, cause, move(tx, row, cause.identity))

        return self._database.write(judge)

    def expire(self, at: int, most: int, make_receipt: ReceiptMaker) -> tuple[Outcome, ...]:
        """See `Ledger.expire`. Each mandate's holds are one transaction."""
        due = "SELECT account, number FROM mandate WHERE first_hold_end <= ? ORDER BY account, number"
        expired: list[Outcome] = []
        for found in self._database.read(lambda tx: tx.execute(due, (at,)).fetchall()):
            if len(expired) >= most:
                break
            expired += self._expire(MandateId(*found), at, most - len(expired), make_receipt)
        return tuple(expired)

    def _expire(self, mandate_id: MandateId, at: int, most: int, make_receipt: ReceiptMaker) -> tuple[Outcome, ...]:
        def close(tx: Transaction) -> tuple[Outcome, ...]:
            return moves.close_ended_holds(tx, mandates.lock_mandate(tx, mandate_id), at, make_receipt, most)[1]

        return self._database.write(close)

    def foresee(self, mandate: MandateRecord, payment: AuthenticatedPayment, limits: tuple[Limit, ...], at: int) -> None:
        """See `Ledger.foresee`."""

        def judge(tx: Transaction) -> None:
            found = succession.find(tx, mandate)
            mandates.require_pinnable(found, mandate, payment.pinned_before)
            if found is None and mandate.supersedes is not None:
                old = mandates.find_identity(tx, mandate.key, mandate.supersedes)
                succession.require_replaceable(old, mandate)
            if found is not None:
                succession.require_current(found)
                require_usable(found.state, *standings.link_states(tx, found.id, links_of(payment.chain)))
            moves.find_payment(tx, payment.request.payee, payment.request.order_no, at)
            if found is not None:
                given_back = counters.given_back(tx, found, _ended(tx, found, at), at)
                counters.judge_limits(tx, found.id, limits, payment.request.amount.minor, given_back)

        self._database.read(judge)

    def change(
        self,
        mandate: MandateRecord,
        links: Sequence[LinkRecord],
        action: LifecycleAction,
        cause: Cause,
        at: int,
        make_receipt: ReceiptMaker,
        *,
        is_expired: bool = False,
        pinned_before: int | None = None,
    ) -> Outcome:
        """See `Ledger.change`."""

        def obey(tx: Transaction) -> Outcome:
            if links or action is not LifecycleAction.REVOKE:  # after which it would be known, and could be paid under
                self._require_remembered(tx, mandate, pinned_before)
            return instructions.change(
                tx, mandate, links, action, cause, at, make_receipt, is_expired=is_expired, pinned_before=pinned_before
            )

        return self._database.write(obey) if action is LifecycleAction.RESUME else self._write_stop(obey)

    def revoke(
        self, mandate: MandateRecord, at: int, make_receipt: ReceiptMaker, *, pinned_before: int | None = None
    ) -> Outcome:
        """See `Ledger.revoke`. Revoking again gives the stored outcome."""
        return self._write_stop(
            lambda tx: instructions.change(
                tx, mandate, (), LifecycleAction.REVOKE, None, at, make_receipt, is_expired=False, pinned_before=pinned_before
            )
        )

    def _require_remembered(self, tx: Transaction, mandate: MandateRecord, pinned_before: int | None) -> None:
        """Raises `Refused` where a mandate that is not known may have been used before all the same: in no store but one that
        can be restored from an older copy of itself."""

    def _write_stop(self, work: Callable[[Transaction], T]) -> T:
        """A write after which less may be spent than before, which a store allows where it allows no other."""
        return self._database.write(work)

    def receipts(self, mandate: MandateKey) -> tuple[Unsigned, ...]:
        """See `Ledger.receipts`."""

        def look(tx: Transaction) -> tuple[Unsigned, ...]:
            row = mandates.find_mandate(tx, mandate)
            return () if row is None else mandates.stored_receipts(tx, row.id)

        return self._database.read(look)

    def charge(self, charge_id: str) -> ChargeRecord:
        """See `Ledger.charge`."""
        return self._database.read(lambda tx: charges.find_charge(tx, charge_id).record)

    def status(self, mandate: MandateKey, at: int | None = None, *, identity: bytes | None = None) -> MandateStatus | None:
        """See `Ledger.status`."""
        return self._database.read(lambda tx: _status(tx, mandate, at, identity))

    def audit(self, progress: Callable[[int, int], None] | None = None) -> Audit:
        """Folds the entries anew and compares everything that is stored with them; see `act.stores.sql.audit`. It changes
        nothing. `progress` is told how many mandates of how many are done."""
        return self._database.read(lambda tx: audit_ledger(tx, progress))


def _status(tx: Transaction, mandate: MandateKey, at: int | None, identity: bytes | None) -> MandateStatus | None:
    row = mandates.find_mandate(tx, mandate, identity=identity)
    if row is None:
        return None
    record, ended = row.record, _ended(tx, row, at)
    given_back = counters.given_back(tx, row, ended, at)
    ids = {each.record.id for each in ended}
    return MandateStatus(
        mandate,
        record.identity,
        row.state,
        record.currency,
        record.expires_at,
        () if row.successor is not None else counters.counters_of(tx, row.id, at, given_back),
        tuple(
            released(each, ChargeState.EXPIRED) if each.id in ids else each
            for each in charges.charges_of(tx, row.id, mandate, row.ended)
        ),
        Standing(is_revoked=True) if row.successor is not None else standings.stops_of(tx, row.id, None).standing,
        standings.links_of(tx, row.id, record.identity),
        succession.predecessors(tx, row),
        row.successor,
    )


def _ended(tx: Transaction, row: MandateRow, at: int | None) -> tuple[ChargeRow, ...]:
    """Holds that have ended by an instant, though nothing closed them yet: whoever asks is answered as if it had."""
    if at is None or not row.has_ended_holds(at):
        return ()
    return charges.open_holds_of(tx, row.id, row.record.key, at)

"""Entries made again from their signed receipts: what was acknowledged after a backup was made is what has to be counted.

A receipt is never believed to add up. Each is turned back into the call that made it, that call is made at the receipt's own
instant, and the receipt it makes must have the identity of the one that was given: then every byte is the same. A receipt that
is missing is made too, where the call that follows would have made it (holds that had ended, or that a revocation voided), and
what follows proves it: it names it by identity.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from act.calendar import TZDATA_VERSION
from act.envelope.objects import KeyName, Unsigned
from act.errors import Refused
from act.parties import Parties
from act.payment.ledger import Entry, EntryKind, MandateRecord, ReceiptMaker
from act.payment.receipt import Receipt, open_receipt, receipt_maker
from act.stores.sql import charges, mandates, moves, standings, succession
from act.stores.sql.mandates import MandateId, MandateRow
from act.stores.sql.replayed_calls import CALLS, is_known_link, remember_replayed
from act.stores.sql.transaction import Transaction

__all__ = ["Chain", "GivenReceipt", "Replay", "read_receipts"]

_ORDER: Final = "receipt.act.order_no"
_FREES: Final = (EntryKind.VOIDED, EntryKind.EXPIRED)


@dataclass(frozen=True, slots=True)
class GivenReceipt:
    """A receipt of this payment service, its signature checked, and its place among those that were given."""

    receipt: Receipt
    name: KeyName
    place: str

    def out_of_chain(self, where: str, **facts: int | str) -> Refused:
        """Rule ACT-RCT-04, said of this receipt."""
        return Refused("receipt_out_of_chain", f"{self.place}.{where}", sequence=self.receipt.sequence, **facts)


@dataclass(slots=True)
class Chain:
    """The receipts given of one mandate, in the order of their sequences, and the first that was not looked at (`next`).

    `had` is how many entries it had before, `stop` the first entry of a suspension or a revocation that was made while the
    ledger was frozen, `freed` the charges that a receipt closes. Where receipts were left out, `is_unproven`.
    """

    mandate_id: MandateId
    receipts: list[GivenReceipt]
    had: int = 0
    stop: int | None = None
    freed: frozenset[str | None] = frozenset()
    next: int = 0
    appended: int = 0
    is_unproven: bool = False


def read_receipts(data: Iterable[bytes], ledger_id: str, parties: Parties) -> dict[bytes, list[GivenReceipt]]:
    """Receipts by the identity of their mandate, each once, in the order of their sequences.

    Raises `Refused` with the place `receipts.N`: what `UnverifiedReceipt.authenticate` raises, wrong_ledger for another payment
    service's, receipt_out_of_chain for two with one sequence.
    """
    found: dict[bytes, dict[int, GivenReceipt]] = {}
    for number, each in enumerate(data):
        place = f"receipts.{number}"
        try:
            unverified = open_receipt(each)
            receipt = unverified.authenticate(parties)
        except Refused as refusal:
            raise refusal.within(place) from None
        if receipt.issuer != ledger_id:
            raise Refused("wrong_ledger", f"{place}.receipt.iss", named=receipt.issuer, this=ledger_id)
        given = GivenReceipt(receipt, KeyName(unverified.opened.algorithm, unverified.opened.kid), place)
        known = found.setdefault(receipt.credential, {}).setdefault(receipt.sequence, given)
        if known.receipt.identity != receipt.identity:
            raise given.out_of_chain("receipt.act.sequence", reason=f"another receipt has it, too: {known.place}")
    return {credential: [of[sequence] for sequence in sorted(of)] for credential, of in found.items()}


class Replay:
    """One reconciliation's receipts, played into one transaction. A `Refused` that comes out of it has to undo it all."""

    def __init__(self, tx: Transaction, ledger_id: str, frozen_at: int, known: Mapping[bytes, MandateRecord]) -> None:
        self._tx = tx
        self._known = known
        self._ledger_id = ledger_id
        self._frozen_at = frozen_at
        self.replayed = 0
        self.filled = 0
        self.repeated = 0
        self.left_out = 0

    def run(self, chains: Iterable[Chain]) -> None:
        """Plays every chain to its end, all of them together in the order of time: an order can be paid again once its first
        charge was closed, by a receipt of another chain perhaps.

        A chain waits where an order is still paid, or where an entry is missing that only another chain's payment explains.
        Raises `Refused` receipt_out_of_chain where nothing explains it.
        """
        waiting = list(chains)
        for chain in waiting:
            chain.had = mandates.mandate_by_id(self._tx, chain.mandate_id).last_sequence
            chain.stop = self._stop_made_here(chain.mandate_id)
            chain.freed = frozenset(each.receipt.trade_no for each in chain.receipts if each.receipt.kind in _FREES)
        while waiting:
            stands = [chain.next for chain in waiting]
            reasons = self._run_together(waiting)
            waiting = [chain for chain, _ in reasons]
            if waiting and [chain.next for chain in waiting] == stands:
                self._free_an_order(reasons)

    def _run_together(self, chains: list[Chain]) -> list[tuple[Chain, Refused]]:
        """Plays chains as far as they go; returns those that wait, and why."""
        queue = [(*self._turn(chain), number, chain) for number, chain in enumerate(chains)]
        heapq.heapify(queue)
        waiting: dict[int, tuple[Chain, Refused]] = {}
        while queue:
            _, _, number, chain = heapq.heappop(queue)
            given = chain.receipts[chain.next]
            reason = self._play(chain, given)
            if reason is not None:
                waiting[number] = chain, reason
            elif chain.next < len(chain.receipts):
                heapq.heappush(queue, (*self._turn(chain), number, chain))
            if reason is None and given.receipt.kind is not EntryKind.RESERVED:  # it may have freed an order
                for each, (blocked, why) in list(waiting.items()):
                    if why.where.endswith(_ORDER):
                        heapq.heappush(queue, (*self._turn(blocked), each, blocked))
                        del waiting[each]
        return [waiting[number] for number in sorted(waiting)]

    def _turn(self, chain: Chain) -> tuple[int, int]:
        """When a chain's next receipt has its turn. Within one second: what frees an order, then what takes one for a while."""
        receipt = chain.receipts[chain.next].receipt
        if receipt.kind is not EntryKind.RESERVED or receipt.sequence <= chain.had:
            return receipt.issued_at, 0
        return receipt.issued_at, 1 if receipt.trade_no in chain.freed else 2

    def _play(self, chain: Chain, given: GivenReceipt) -> Refused | None:
        """Plays the next receipt of a chain; returns why it has to wait, None if it had its turn."""
        receipt, row = given.receipt, mandates.mandate_by_id(self._tx, chain.mandate_id)
        if receipt.sequence > row.last_sequence + 1 and chain.stop is None:
            row = self._fill(row, given)
        reason = self._break(row, receipt)
        if reason is not None:
            if chain.stop is not None and receipt.sequence >= chain.stop:
                self.left_out += len(chain.receipts) - chain.next
                chain.is_unproven = True
                chain.next = len(chain.receipts)
                return None
            broken = given.out_of_chain("receipt.act.sequence", reason=reason)
            if receipt.sequence > row.last_sequence + 1:
                return broken
            raise broken
        if receipt.sequence <= row.last_sequence:
            self.repeated += 1
        elif receipt.kind is EntryKind.RESERVED and self._is_paid(receipt):
            return given.out_of_chain(_ORDER, reason="another charge of this order is not closed yet")
        else:
            self._append(row, given)
            chain.appended += 1
            self.replayed += 1
        chain.next += 1
        return None

    def _break(self, row: MandateRow, receipt: Receipt) -> str | None:
        """Why a receipt neither stands in the chain nor is the next one; None if it does or is."""
        if receipt.sequence <= row.last_sequence:
            stands = mandates.stored_receipt(self._tx, row.id, receipt.sequence).identity == receipt.identity
            return None if stands else "the ledger has another entry there"
        if receipt.sequence > row.last_sequence + 1:
            return f"{row.last_sequence + 1} is missing"
        return None if receipt.previous == row.last_receipt else "the entry before is another one than it names"

    def _stop_made_here(self, mandate_id: MandateId) -> int | None:
        """The first entry of the suspension or revocation by which the mandate, or a link below it, was stopped while the
        ledger was frozen. It was told, so it stays; what the other history says after it is left out."""
        stopped = self._tx.execute(
            "SELECT at, sequence FROM entry WHERE account = ? AND mandate = ? AND kind IN ('SUSPENDED', 'REVOKED') AND at >= ? "
            "ORDER BY sequence",
            (*mandate_id, self._frozen_at),
        ).fetchone()
        if stopped is None:
            return None
        at, sequence = stopped
        (before,) = self._tx.execute(
            "SELECT coalesce(max(sequence), 0) FROM entry WHERE account = ? AND mandate = ? AND at <> ? AND sequence < ?",
            (*mandate_id, at, sequence),
        ).fetchone()
        return int(before) + 1

    def _is_paid(self, receipt: Receipt) -> bool:
        return charges.find_paid(self._tx, receipt.audience[0], receipt.order_no or "") is not None

    def _fill(self, row: MandateRow, given: GivenReceipt) -> MandateRow:
        """Makes the entries that the call behind a receipt made before its own, if that is what it then names as the one
        before. Returns the mandate as it then stands."""
        receipt = given.receipt
        make = self._maker(row, given, exactly=False)
        self._tx.execute("SAVEPOINT fill")
        missing = receipt.sequence - row.last_sequence - 1
        held, closed = moves.close_ended_holds(self._tx, row, receipt.issued_at, make, missing)
        made, successor = len(closed), self._known.get(receipt.credential)
        if made < missing and successor is not None and successor.supersedes == row.record.identity:
            succession.require_replaceable(held, successor)
            tzdata_version = receipt.tzdata_version or TZDATA_VERSION
            succession.take_over(self._tx, held, successor, receipt.issued_at, make, tzdata_version)
            made += 1
        if receipt.kind in (EntryKind.REVOKED, EntryKind.VOIDED):
            self._void(row, receipt, missing - made, make)
        filled = mandates.mandate_by_id(self._tx, row.id)
        if self._break(filled, receipt) is None:
            self.filled += missing
        else:
            self._tx.execute("ROLLBACK TO fill")
            filled = row
        self._tx.execute("RELEASE fill")
        return filled

    def _void(self, row: MandateRow, receipt: Receipt, most: int, make: ReceiptMaker) -> None:
        """Releases the first holds that a revocation voided: the receipt is its own, or that of a later one."""
        below = None if receipt.link is None else standings.links_below(self._tx, row.id, receipt.link)
        holds = charges.open_holds_of(self._tx, row.id, row.record.key)
        for held in [each for each in holds if below is None or each.record.credential in below][:most]:
            moves.void(self._tx, held, receipt.issued_at, make, receipt.instruction)

    def _free_an_order(self, reasons: list[tuple[Chain, Refused]]) -> None:
        """Where no chain can go on, a payment closed a hold of the same order that had ended, under another mandate. Raises the
        first reason where none did."""
        heads = [chain.receipts[chain.next] for chain, reason in reasons if reason.where.endswith(_ORDER)]
        for given in sorted(heads, key=lambda each: each.receipt.issued_at):
            receipt = given.receipt
            payee, order_no = receipt.audience[0], receipt.order_no or ""
            make = self._maker(None, given, exactly=False)
            try:
                moves.require_order_unpaid(self._tx, payee, order_no, receipt.issued_at, make, None)
            except Refused:
                continue
            self.filled += 1
            return
        raise reasons[0][1]

    def _maker(self, row: MandateRow | None, given: GivenReceipt, *, exactly: bool) -> ReceiptMaker:
        """How the payment service made receipts then; `exactly` refuses to make another one than was given."""
        issuer = "" if row is None else row.record.key.issuer
        make = receipt_maker(self._ledger_id, issuer, given.name)

        def make_again(entry: Entry) -> Unsigned:
            made = make(entry)
            if exactly and made.identity != given.receipt.identity:
                raise given.out_of_chain("receipt.act", reason="it says otherwise than what the ledger adds up to")
            return made

        return make_again

    def _append(self, row: MandateRow, given: GivenReceipt) -> None:
        """Makes the entry of a receipt."""
        if given.receipt.link is not None and not is_known_link(self._tx, row, given.receipt.link):
            raise given.out_of_chain("receipt.act.link", reason="the backup does not know that link, nor what is above it")
        make = self._maker(row, given, exactly=True)
        try:
            if given.receipt.kind is EntryKind.SUCCEEDED:
                self._take_over(row, given, make)
            else:
                self._act(row, given.receipt, make)
        except Refused as refusal:
            if refusal.code == "receipt_out_of_chain":
                raise
            raise given.out_of_chain("receipt.act", reason=f"the ledger would not have done it: {refusal.code}") from None
        if mandates.mandate_by_id(self._tx, row.id).last_receipt != given.receipt.identity:
            raise given.out_of_chain("receipt.act", reason="the ledger has done that already")

    def _take_over(self, row: MandateRow, given: GivenReceipt, make: ReceiptMaker) -> None:
        """A successor takes over once more: what it may do stands in itself and in no receipt, so it has to be among the known
        mandates."""
        receipt = given.receipt
        successor = self._known.get(receipt.credential)
        if successor is None:
            raise given.out_of_chain("receipt.act.credential", reason="the mandate that took over is not given")
        if not successor.supersedes == receipt.supersedes == row.record.identity:
            raise given.out_of_chain("receipt.act.supersedes", reason="that mandate replaces another one")
        succession.require_replaceable(row, successor)
        succession.take_over(self._tx, row, successor, receipt.issued_at, make, receipt.tzdata_version)

    def _act(self, row: MandateRow, receipt: Receipt, make: ReceiptMaker) -> None:
        """The call behind a receipt, once more."""
        CALLS[receipt.kind](self._tx, row, receipt, make)
        if receipt.instruction is not None:
            remember_replayed(self._tx, row.id, receipt.instruction, receipt.sequence)

"""What makes a restored ledger count again: receipts since the backup are replayed, and what may have been spent without one is
given up. Called inside one transaction, which is undone by whatever is raised."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from act.delegation.lifecycle import LifecycleAction, MandateState
from act.delegation.mandate import MandateKey
from act.envelope.objects import Unsigned
from act.payment.ledger import EntryKind, MandateRecord, ReceiptMaker
from act.stores.sql import instructions, mandates
from act.stores.sql.mandates import MandateId
from act.stores.sql.replay import Chain, GivenReceipt, Replay
from act.stores.sql.transaction import Transaction

__all__ = ["Reconciled", "reconcile"]


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What was done. `replayed` entries were made from receipts, `filled` ones are proven by what follows them; `repeated`
    receipts were in the backup. Receipts are `left_out` of a mandate that was stopped since the restoration, and `unknown` of
    one that the backup does not have. `continued` mandates have entries again, `retired` ones were revoked."""

    replayed: int
    filled: int
    repeated: int
    left_out: int
    unknown: int
    mandates: int
    continued: tuple[MandateKey, ...]
    retired: tuple[tuple[MandateKey, Unsigned], ...]
    latest: int


def reconcile(
    tx: Transaction,
    ledger_id: str,
    frozen_at: int,
    at: int,
    receipts: Mapping[bytes, Sequence[GivenReceipt]],
    known: Mapping[bytes, MandateRecord],
    make_receipts: Callable[[str], ReceiptMaker],
    *,
    is_complete: bool,
) -> Reconciled:
    """Replays receipts, by mandate, and unless they are all there were, revokes every mandate under which more may have been
    spent; in any case those of which some had to be left out. `known` mandates, by identity, need not be in the backup.
    `latest` is the latest instant that anything speaks of.

    Raises `Refused` receipt_out_of_chain, and credential_conflict for a known mandate that is another one.
    """
    every = "SELECT identity, account, number FROM mandate UNION ALL SELECT identity, account, mandate FROM former_mandate"
    ids = {identity: MandateId(*found) for identity, *found in tx.execute(every)}
    stored = set(ids.values())
    lines, unknown, latest = dict[MandateId, list[GivenReceipt]](), 0, max(frozen_at, at)
    for identity, given in _lines(receipts, ids, known).items():
        latest = max(latest, *(each.receipt.issued_at for each in given))
        if identity not in ids and identity in known:
            record = known[identity]
            row = mandates.pin(tx, mandates.find_mandate(tx, record.key), record, given[0].receipt.issued_at, None)
            ids[identity] = row.id
            stored.add(row.id)
        if identity in ids:
            lines.setdefault(ids[identity], []).extend(given)
        else:
            unknown += len(given)
    chains = [Chain(mandate_id, sorted(given, key=lambda each: each.receipt.sequence)) for mandate_id, given in lines.items()]
    replay = Replay(tx, ledger_id, frozen_at, known)
    replay.run(chains)
    unproven = [chain.mandate_id for chain in chains if chain.is_unproven] if is_complete else stored
    retired = tuple(_retire(tx, unproven, at, make_receipts))
    continued = tuple(mandates.mandate_by_id(tx, chain.mandate_id).record.key for chain in chains if chain.appended)
    return Reconciled(
        replay.replayed, replay.filled, replay.repeated, replay.left_out, unknown, len(stored), continued, retired, latest
    )


def _lines(
    receipts: Mapping[bytes, Sequence[GivenReceipt]], stored: Container[bytes], known: Mapping[bytes, MandateRecord]
) -> dict[bytes, list[GivenReceipt]]:
    """The receipts of each mandate with those of every successor, in the order of their sequences: by the first of the line
    that is stored, or else that anybody knows. A successor whose receipts begin with another entry than its taking over stands
    alone; if it was revoked before its predecessor was seen, what that one was refused since is in its chain."""
    replaced = {identity: record.supersedes for identity, record in known.items() if record.supersedes is not None}
    for identity, chain in receipts.items():
        for receipt in (each.receipt for each in chain):
            if receipt.kind is EntryKind.SUCCEEDED and receipt.supersedes is not None:
                replaced[identity] = receipt.supersedes
            elif receipt.sequence == 1:
                replaced.pop(identity, None)
    for identity, chain in receipts.items():
        for receipt in (each.receipt for each in chain):
            if receipt.kind is EntryKind.REVOKED and receipt.supersedes is not None:
                replaced[receipt.supersedes] = identity
    lines: dict[bytes, list[GivenReceipt]] = {}
    for identity, chain in receipts.items():
        first, passed = identity, set[bytes]()
        while first not in stored and first in replaced and first not in passed:
            passed.add(first)
            first = replaced[first]
        lines.setdefault(first, []).extend(chain)
    return {first: sorted(line, key=lambda given: given.receipt.sequence) for first, line in lines.items()}


def _retire(
    tx: Transaction, ids: Iterable[MandateId], at: int, make_receipts: Callable[[str], ReceiptMaker]
) -> list[tuple[MandateKey, Unsigned]]:
    """Revokes what could still be paid under."""
    retired = []
    for mandate_id in sorted(ids):
        row = mandates.mandate_by_id(tx, mandate_id)
        if row.state is not MandateState.REVOKED and at < row.record.expires_at:
            make = make_receipts(row.record.key.issuer)
            revoke = LifecycleAction.REVOKE
            outcome = instructions.change(tx, row.record, (), revoke, None, at, make, is_expired=False, pinned_before=None)
            retired.append((row.record.key, outcome.receipt))
    return retired

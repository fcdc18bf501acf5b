"""What a ledger keeps and promises, whichever store keeps it: states as tables, entries, and the `Ledger` protocol.

The state of a ledger is the fold of its entries, which are only ever appended. Each entry becomes one receipt; the receipts
of a mandate form a chain (sequence, identity of the one before, counters before and after), so that a payment service can
neither overcount nor undercount unnoticed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol

from act.delegation.constraints import HONOR
from act.delegation.lifecycle import Causer, LifecycleAction, MandateState, Standing
from act.delegation.limits import Limit, Unit
from act.delegation.mandate import MandateKey
from act.envelope.objects import Format, Unsigned
from act.errors import Refused
from act.money import Amount
from act.payment.charge import ChargeRecord
from act.payment.verifier import AuthenticatedPayment, LinkRecord, RequestKey, ReservationRequest
from act.values import immutable

__all__ = [
    "Asked",
    "Cause",
    "Counter",
    "CounterChange",
    "Entry",
    "EntryKind",
    "Ledger",
    "LinkStatus",
    "MandateRecord",
    "MandateStatus",
    "Outcome",
    "ReceiptMaker",
]


class EntryKind(StrEnum):
    """What an entry records."""

    RESERVED = "RESERVED"
    REFUSED = "REFUSED"
    PARTIALLY_CAPTURED = "PARTIALLY_CAPTURED"
    CAPTURED = "CAPTURED"
    VOIDED = "VOIDED"
    EXPIRED = "EXPIRED"
    REFUNDED = "REFUNDED"
    REVOKED = "REVOKED"
    SUSPENDED = "SUSPENDED"
    RESUMED = "RESUMED"
    SUCCEEDED = "SUCCEEDED"  # a mandate took over from the one it replaces


def _no_limits(at: int) -> tuple[Limit, ...]:
    return ()


@immutable
class MandateRecord:
    """A mandate to be pinned: its key, its identity, its agent, what it may still be recorded for, and its envelope, which its
    receipts share.

    `on_revoke` is `honor` or `void`: what becomes of its holds when it is revoked. With `refund_restores` a refund gives back
    what the payment took of the limits. `new_since` is when it was issued or when its window starts, whichever is later: it was
    used nowhere before (ACT-LED-14). `supersedes` is the identity of the mandate that it replaces, and `own_limits` are its
    limits at an instant, without those of any link: what is carried over is counted in them.
    """

    key: MandateKey
    identity: bytes
    agent_id: str
    currency: str
    expires_at: int
    on_revoke: str = HONOR
    format: Format = Format.COSE
    refund_restores: bool = False
    new_since: int = 0
    supersedes: bytes | None = None
    own_limits: Callable[[int], tuple[Limit, ...]] = field(default=_no_limits, compare=False, repr=False)


@immutable
class CounterChange:
    """One limit before and after an entry, in the limit's unit. A sliding limit stands as it does at the entry's instant."""

    name: str
    cap: int
    held_before: int
    captured_before: int
    held: int
    captured: int
    unit: Unit = Unit.AMOUNT


@immutable
class Entry:
    """One thing that happened under a mandate; `sequence` counts from 1, `previous` is the receipt identity before it.

    `format` is the mandate's envelope, in which the receipt is written.
    `credential` is the mandate's identity, whoever paid: the receipts of one mandate are one chain. Which link was used is what
    the request signs. `amount` is what this entry moved. `capture_no` and `refund_no` are the payee's numbers for
    a part that it captured and for a refund.
    `instruction` is the identity of the instruction that caused it. Of a lifecycle entry `caused_by` says as whom it was
    given, `link` is the identity of the link it is about (None: the mandate), and `credential_state` how that stands after a
    suspension was lifted. `supersedes` is the identity of the mandate that was replaced: what follows is the successor's.
    """

    mandate: MandateKey
    credential: bytes
    agent_id: str
    sequence: int
    previous: bytes | None
    kind: EntryKind
    at: int
    request_identity: bytes | None = None
    payee: str | None = None
    order_no: str | None = None
    order: bytes | None = None
    charge_id: str | None = None
    amount: Amount | None = None
    code: str | None = None
    hold_expires_at: int | None = None
    counters: tuple[CounterChange, ...] = ()
    tzdata_version: str | None = None
    format: Format = Format.COSE
    capture_no: str | None = None
    refund_no: str | None = None
    instruction: bytes | None = None
    caused_by: Causer | None = None
    link: bytes | None = None
    credential_state: MandateState | None = None
    supersedes: bytes | None = None


@dataclass(frozen=True, slots=True)
class Cause:
    """The instruction that makes a ledger do something: the thumbprint of the key that signed it, its id, its identity, and as
    whom it was given. Of one key's instructions below one mandate, each id stands for one identity (ACT-LED-12)."""

    kid: bytes
    instruction_id: bytes
    identity: bytes
    causer: Causer


@immutable
class Outcome:
    """What a ledger answers: the charge as it now stands, or the recorded refusal, and the receipt to sign.

    `replayed` tells that it was decided earlier and nothing moved now. It is not a `Charge`: the service makes that.
    Of a lifecycle entry `standing` tells how the credential now stands.
    """

    receipt: Unsigned
    charge: ChargeRecord | None = None
    refusal: Refused | None = None
    replayed: bool = False
    standing: Standing | None = None


@dataclass(frozen=True, slots=True)
class Counter:
    """One limit as it stands, in its unit. `turns_at` is the end of its calendar window, in seconds since 1970."""

    name: str
    cap: int
    held: int
    captured: int
    unit: Unit = Unit.AMOUNT
    turns_at: int | None = None


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """What a ledger knows of a link below a mandate. `delegation_id` and `agent_id` are what it calls itself."""

    identity: bytes
    delegation_id: str
    agent_id: str
    standing: Standing


@dataclass(frozen=True, slots=True)
class MandateStatus:
    """What a ledger knows of a mandate: its stored state, its counters (none before the first charge), its charges, how it
    stands, and the links below it that were paid under or stopped, in no order.

    `predecessors` are the identities of the mandates that it replaced, the oldest first: their charges and their counters are
    its own now. `successor` is the identity of the mandate that has replaced it, in the end: then it is Revoked, counts
    nothing, and its charges are those that were reserved before.
    """

    key: MandateKey
    identity: bytes
    state: MandateState
    currency: str
    expires_at: int
    counters: tuple[Counter, ...]
    charges: tuple[ChargeRecord, ...]
    standing: Standing
    links: tuple[LinkStatus, ...]
    predecessors: tuple[bytes, ...] = ()
    successor: bytes | None = None


ReceiptMaker = Callable[[Entry], Unsigned]

"""Turns an entry into the receipt to be signed: pure, called inside the transaction so that the chain is settled with it."""


class Asked(NamedTuple):
    """What `Ledger.reserve` is asked."""

    request: ReservationRequest
    mandate: MandateRecord
    make_receipt: ReceiptMaker


class Ledger(Protocol):
    """A store that keeps the ledger's promises. Every method is one atomic step (`expire`: one for each mandate); what it
    acknowledged survives a crash.

    `at` is the payment service's instant, never the store's clock. Raises `StoreFault` when the store fails: then nothing was
    acknowledged, and the same call may be made again.
    """

    def owner(self) -> str | None:
        """Whose ledger it is; None while nothing was written to it. Writes nothing."""

    def bind(self, ledger_id: str) -> None:
        """Makes the store this payment service's for good. Raises `StoreFault` store_wrong_ledger if it is another's."""

    def find(self, request: RequestKey, identity: bytes) -> Outcome | None:
        """The stored outcome of a request, None if it is unknown; raises `Refused` duplicate_request for another identity.

        It is the charge as it now stands with the receipt of its reservation, or of its end if nothing was captured of it.
        """

    def reserve(self, request: ReservationRequest, mandate: MandateRecord, make_receipt: ReceiptMaker) -> Outcome:
        """Checks replay, pin, lifecycle, order and every limit, and holds the money, all in one transaction, or nothing.

        Refusals by money or lifecycle are recorded and come back as an outcome; every other refusal is raised, and no state
        moved.
        """

    def reserve_all(self, asked: Sequence[Asked]) -> Sequence[Outcome | Exception]:
        """What `reserve` would return or raise for each of some reservations, at its place.

        Each is judged on its own, as if they came one after the other, in whatever order; none is acknowledged before it lasts.
        They may share their transactions.
        """

    def register(
        self, mandate: MandateRecord, at: int, make_receipt: ReceiptMaker, *, pinned_before: int | None = None
    ) -> Outcome | None:
        """Records a mandate without a payment; one that replaces another takes over here and now, as it does in `reserve`.

        Returns the outcome of its taking over, None where it replaces nothing. Raises `Refused` credential_conflict,
        key_compromised, and what a successor may be refused for: predecessor_unknown, successor_mismatch, and
        credential_superseded, credential_revoked or credential_suspended of its predecessor.
        """

    def find_instruction(self, about: MandateKey | str, cause: Cause) -> Outcome | None:
        """The stored outcome of an instruction about a mandate, a link below it or the charge of that id; None if it is
        unknown. Raises `Refused` duplicate_instruction where its id stands for another one.

        It is the charge, or the credential, as it now stands, with the receipt of then.
        """

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
        """Takes `amount_minor` of what is held. Without a number the hold closes and the rest is released; with one it is a
        part, known by that number within its charge, and the rest stays held. Raises `Refused` charge_unknown, charge_closed,
        capture_exceeds_hold, hold_expired, and duplicate_capture for another amount under the same number.

        With a `cause` that was obeyed before, here and below, the stored outcome; raises duplicate_instruction as
        `find_instruction` does. Otherwise it is remembered in the same transaction, and named by the receipt.
        """

    def void(self, charge_id: str, at: int, make_receipt: ReceiptMaker, *, cause: Cause | None = None) -> Outcome:
        """Closes a hold and releases what is left of it. Raises `Refused` charge_unknown, charge_closed."""

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
        """Gives back a part of what was captured, known by its number within its charge. Raises `Refused` charge_unknown,
        refund_exceeds_captured, and duplicate_refund for another amount under the same number."""

    def expire(self, at: int, most: int, make_receipt: ReceiptMaker) -> tuple[Outcome, ...]:
        """Closes at most `most` holds that have ended by instant `at`, of whatever mandate, and releases them.

        `reserve`, `change` and `revoke` close a mandate's ended holds first, so that no budget waits for this call.
        """

    def foresee(self, mandate: MandateRecord, payment: AuthenticatedPayment, limits: tuple[Limit, ...], at: int) -> None:
        """Raises the `Refused` that `reserve` would meet at instant `at`, after replay: pin, lifecycle, order, limits. It
        writes nothing and decides nothing: it lets a refused payment be refused for the reason that ranks first."""

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
        """Suspends, resumes or revokes the last of `links`, or the mandate without any, used before or not. No reservation
        under it commits after a suspension or a revocation.

        If a revoked mandate's `on_revoke` is `void`, every hold under the credential is voided first, in the same transaction,
        with an entry of its own. A stop that stands moves nothing, and gives the outcome of then; its `cause` is remembered
        all the same, so that it cannot be sent once more after a resume. `is_expired` tells that the credential's window has
        ended. Raises `Refused` duplicate_instruction, instruction_not_allowed, transition_not_allowed. With `pinned_before`,
        only a mandate recorded before that instant (ACT-PAR-05): a stolen key must not claim a delegation_id here.
        """

    def revoke(
        self, mandate: MandateRecord, at: int, make_receipt: ReceiptMaker, *, pinned_before: int | None = None
    ) -> Outcome:
        """Revokes a mandate as `change` does, on the payment service's own word, whether or not its window has ended."""

    def charge(self, charge_id: str) -> ChargeRecord:
        """One charge. Raises `Refused` charge_unknown."""

    def receipts(self, mandate: MandateKey) -> tuple[Unsigned, ...]:
        """Every receipt of a mandate from the first on, as it was made then; none for a mandate that is not known."""

    def status(self, mandate: MandateKey, at: int | None = None, *, identity: bytes | None = None) -> MandateStatus | None:
        """What is known of a mandate; None if nothing is. At instant `at` its counters are those of the windows that have not
        turned, sliding ones among them; without an instant those of every window there was, and no sliding ones. With its
        `identity` a mandate is known, too, that was never seen but whose successor was revoked."""

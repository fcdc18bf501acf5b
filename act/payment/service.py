"""One call decides and reserves: the payment service's side of PSD-PAY-DEL and PSD-PAY-AUP.

`authorize` is the only way to a new `Charge`. It checks every signature, every rule and constraint, and then, in one
transaction of the ledger, replay, lifecycle, the order and every limit, and holds the money. There is no option that leaves
any of it out.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, NoReturn

from act.calendar import Clock, instant, system_clock
from act.delegation.chain import Chain, ChainCache
from act.delegation.constraints import HONOR, Currency, OnRevoke, RefundRestores, Validity
from act.delegation.credential import MAX_MANDATE_SECONDS, Credential, open_credential
from act.delegation.lifecycle import MandateState
from act.delegation.limits import Limit
from act.delegation.mandate import MandateKey
from act.envelope.claims import MAX_TEXT, read_text
from act.envelope.objects import Unsigned
from act.errors import InvalidCall, Refused, StoreFault
from act.keys import Signer
from act.money import Amount
from act.parties import Parties, Role
from act.payment.charge import LIVE_STATES, ChargeRecord, ChargeState
from act.payment.ledger import Counter, Ledger, MandateRecord, MandateStatus, Outcome, ReceiptMaker
from act.payment.receipt import Receipt, receipt_maker, recorded_receipt
from act.payment.request import Payment
from act.payment.verifier import AuthenticatedPayment, Question, authenticate, decide, replay_key, request_key

__all__ = ["Charge", "PaymentService", "Revocation", "record_of"]

_LOGGER: Final = logging.getLogger("act")


@dataclass(frozen=True, slots=True, init=False)
class Charge:
    """A payment that was verified and reserved. Only a `PaymentService` makes one; it cannot be constructed.

    `id` is ACT's trade_no. `captured` is None until money was captured, `refunded` until some of it was given back.
    `hold_expires_at` is in seconds since 1970, UTC.
    `receipt` is the signed statement of what this call did; with `replayed` it was done by an earlier one and nothing moved
    now.
    """

    id: str
    state: ChargeState
    amount: Amount
    captured: Amount | None
    refunded: Amount | None
    payee: str
    order_no: str
    agent_id: str
    mandate: MandateKey
    hold_expires_at: int
    receipt: bytes
    replayed: bool

    def __init__(self) -> None:
        raise TypeError("a Charge is made by PaymentService.authorize and in no other way")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Charge is not pickled or copied: only its receipt proves anything elsewhere")

    def __setstate__(self, state: object) -> NoReturn:
        raise TypeError("a Charge is made by PaymentService.authorize and in no other way")


@dataclass(frozen=True, slots=True)
class Revocation:
    """The payment service's acknowledgement that a mandate is stopped: no reservation commits after it."""

    mandate: MandateKey
    receipt: bytes
    replayed: bool


class PaymentService:
    """The one ledger of the mandates that name `ledger_id`, and the one place where payments under them are decided.

    `signer` signs receipts; `retired_signers` are its predecessors, still needed to repeat the receipts they made. `clock` is
    asked once per call. `max_mandate_seconds` is the longest window of a mandate that the service allows (ACT-IAC-04).
    Thread-safe as far as `parties`, `ledger` and the signers are. Raises `StoreFault` store_wrong_ledger for a ledger that
    belongs to another service.
    """

    def __init__(
        self,
        ledger_id: str,
        *,
        parties: Parties,
        ledger: Ledger,
        signer: Signer,
        retired_signers: Sequence[Signer] = (),
        clock: Clock = system_clock,
        max_mandate_seconds: int = MAX_MANDATE_SECONDS,
    ) -> None:
        if type(max_mandate_seconds) is not int or max_mandate_seconds <= 0:
            raise InvalidCall("call_invalid", "max_mandate_seconds", expected="whole seconds above 0")
        self.ledger_id: Final = ledger_id
        self._parties: Final = parties
        self._ledger: Final = ledger
        self._signer: Final = signer
        self._signers: Final = {each.kid: each for each in (*retired_signers, signer)}
        self._clock: Final = clock
        self._max_mandate_seconds: Final = max_mandate_seconds
        self._cache: Final = ChainCache()
        self._is_mine()

    def authorize(self, payment: Payment | bytes) -> Charge:
        """Verifies a payment and reserves its amount, or raises `Refused` and leaves every counter as it was.

        The same payment again returns the same charge (or raises the same recorded refusal) with `replayed`, even after the
        request expired, the mandate was revoked or a key left the parties file; if the charge was voided or expired since, it
        raises `Refused` charge_closed. Raises `InvalidCall` when the parties do not enrol the signer's key for this service:
        nobody could verify its receipts. Raises `StoreFault` when the ledger fails; then send the same payment again.
        """
        if isinstance(payment, bytes):
            payment = Payment.from_bytes(payment)
        if not isinstance(payment, Payment):
            raise InvalidCall("call_invalid", "payment", expected="an act.Payment or its bytes")
        question = Question(self.ledger_id, self._now(), self._parties.expires_at, self._max_mandate_seconds)
        authenticated = None
        try:
            authenticated = authenticate(payment, self._parties, self._cache)
            request = decide(authenticated, question)
        except Refused as refusal:
            return self._standing(self._stored(payment, authenticated, question, refusal))
        root = authenticated.chain.root
        self._require_known(authenticated.pinned_before)
        self._ledger.bind(self.ledger_id)
        return self._standing(self._ledger.reserve(request, record_of(root), self._receipts(root.mandate.issuer)))

    def _standing(self, outcome: Outcome) -> Charge:
        """The answer to a payment: no charge that was voided or expired since, because its money is no longer reserved."""
        if outcome.charge is not None and outcome.charge.state not in LIVE_STATES:
            refusal = Refused("charge_closed", "charge", state=outcome.charge.state.value, charge=outcome.charge.id)
            outcome = replace(outcome, charge=None, refusal=refusal)
        return self._answer(outcome)

    def _now(self) -> int:
        """The instant of a call that may move something; raises `InvalidCall` unless the signer's key is enrolled as this
        service's.

        No money moves under a key whose receipts nobody could verify.
        """
        at = instant(self._clock())
        self._is_mine()
        try:
            enrolled = self._parties.find(self._signer.kid, Role.PSP, at)
        except Refused:
            enrolled = None
        if enrolled is None or enrolled.party.id != self.ledger_id or enrolled.compromised_at is not None:
            raise InvalidCall("call_invalid", "signer", reason="the parties file does not enrol this key for this service")
        return at

    def _require_known(self, compromised_at: int | None) -> None:
        """Rule ACT-PAR-05 where nothing was ever recorded: a lost key makes no ledger."""
        if compromised_at is not None and not self._is_mine():
            raise Refused("key_compromised", "mandate.iss", compromised_at=compromised_at)

    def _is_mine(self) -> bool:
        """Whether the ledger is bound to this service yet; raises `StoreFault` store_wrong_ledger if it is another's."""
        owner = self._ledger.owner()
        if owner is not None and owner != self.ledger_id:
            raise StoreFault("store_wrong_ledger", "ledger", belongs_to=owner, asked=self.ledger_id)
        return owner is not None

    def _held(self, charge_id: str) -> ChargeRecord:
        """The charge of that id; raises `Refused` charge_unknown, in a ledger that nothing was written to as well."""
        if type(charge_id) is not str:
            raise InvalidCall("call_invalid", "charge_id", expected="a charge's id")
        if not charge_id.isascii() or not self._is_mine():
            raise Refused("charge_unknown", "charge")
        return self._ledger.charge(charge_id)

    def _stored(
        self, payment: Payment, authenticated: AuthenticatedPayment | None, question: Question, refusal: Refused
    ) -> Outcome:
        """The stored outcome of a payment that is refused now; without one, raises the refusal that ranks first.

        That a request id is taken is told only to the agent of a genuine mandate; anybody else learns what is wrong otherwise.
        """
        try:
            known = (request_key(authenticated), authenticated.request_identity) if authenticated else replay_key(payment)
            stored = self._ledger.find(*known)
        except Refused as reason:
            refusal = reason if authenticated and reason.code == "duplicate_request" else refusal
            stored = None
        if stored is None:
            raise self._weightiest(authenticated, question, refusal) if authenticated else refusal
        return stored

    def _weightiest(self, authenticated: AuthenticatedPayment, question: Question, refusal: Refused) -> Refused:
        """Of a rule's refusal and the ledger's, the one that ranks first: ACT reports a mandate's state before money, and money
        before semantics."""
        try:
            root, limits = authenticated.chain.root, authenticated.chain.limits(question.at)
            self._ledger.foresee(record_of(root), authenticated, limits, question.at)
        except Refused as foreseen:
            return min(refusal, foreseen, key=lambda each: each.precedence)
        return refusal

    def capture(self, charge_id: str, amount: Amount, *, capture_no: str | None = None) -> Charge:
        """Takes `amount` of what is held. Call it on the payee's word.

        Without a number that is final, and the rest is released. With one (1 to 256 printable characters, such as that of a
        shipment) it is a part, and the rest stays held. Raises `Refused`: charge_unknown, charge_closed, capture_exceeds_hold,
        hold_expired, currency_mismatch, and duplicate_capture for another amount under the same number. The same capture again
        returns the same charge with `replayed`.
        """
        if capture_no is not None:
            _require_number(capture_no, "capture_no")
        at, make = self._of_charge(charge_id, amount, "capture")
        return self._answer(self._ledger.capture(charge_id, amount.minor, at, make, capture_no=capture_no))

    def refund(self, charge_id: str, amount: Amount, *, refund_no: str) -> Charge:
        """Gives back `amount` of what was captured. Call it on the payee's word.

        Together refunds are at most what was captured. They restore the mandate's limits only where its `refund_restores` says
        so. `refund_no` (1 to 256 printable characters) tells a refund from another one of the same amount: the same number
        and amount again return the same charge with `replayed`. Raises `Refused`: charge_unknown, refund_exceeds_captured,
        currency_mismatch, and duplicate_refund for another amount under the same number.
        """
        _require_number(refund_no, "refund_no")
        at, make = self._of_charge(charge_id, amount, "refund")
        return self._answer(self._ledger.refund(charge_id, amount.minor, refund_no, at, make))

    def _of_charge(self, charge_id: str, amount: Amount, action: str) -> tuple[int, ReceiptMaker]:
        """The instant of a call about a charge, and how its receipt is made. Raises currency_mismatch (ACT-CON-02)."""
        if not isinstance(amount, Amount):
            raise InvalidCall("call_invalid", "amount", expected="an act.Amount")
        at = self._now()
        charge = self._held(charge_id)
        if amount.currency != charge.amount.currency:
            raise Refused("currency_mismatch", "amount", charge=charge.amount.currency, **{action: amount.currency})
        return at, self._receipts(charge.request.mandate.issuer)

    def void(self, charge_id: str) -> Charge:
        """Releases what is left of a hold; final. What was captured in parts stays captured. Raises `Refused`: charge_unknown,
        charge_closed. Again: the same charge, `replayed`."""
        at = self._now()
        make = self._receipts(self._held(charge_id).request.mandate.issuer)
        return self._answer(self._ledger.void(charge_id, at, make))

    def expire_holds(self, *, most: int = 1_000) -> tuple[Charge, ...]:
        """Closes holds that have ended, at most so many, and releases them. Nobody's budget waits for it: a payment closes the
        ended holds of its own mandate first. It is for payees: whose hold is closed here is
        returned, so that they can be told."""
        if type(most) is not int or most < 1:
            raise InvalidCall("call_invalid", "most", expected="a whole number above 0")
        at = self._now()
        if not self._is_mine():
            return ()
        expired = self._ledger.expire(at, most, self._receipts(self.ledger_id))  # a charge's receipt names its payee
        return tuple([self._answer(each) for each in expired])

    def revoke(self, iac: bytes) -> Revocation:
        """Stops a mandate for good, whether it was used before or not; charges already held stay held, or are voided in the
        same step if the mandate says so (`ext.status.on_revoke`).

        The caller answers for who may ask (the principal or the agent, ADD-IAC-LCM). Raises `Refused` if the mandate is not
        genuine, names another ledger, conflicts with a recorded one, or was not recorded before its issuer's key was
        compromised (then it is unusable anyway). When it returns, the mandate is stopped.
        """
        at = self._now()
        credential = open_credential(iac).authenticate(self._parties)
        self._require_own(credential)
        compromised_at = credential.issuer_key(self._parties).compromised_at
        self._require_known(compromised_at)
        self._ledger.bind(self.ledger_id)
        record = record_of(credential)
        outcome = self._ledger.revoke(record, at, self._receipts(credential.mandate.issuer), pinned_before=compromised_at)
        _LOGGER.info("mandate_revoked delegation_id=%s replayed=%s", record.key.delegation_id, outcome.replayed)
        return Revocation(record.key, self._signed(outcome.receipt), outcome.replayed)

    def status(self, iac: bytes) -> MandateStatus | None:
        """What the ledger knows of a mandate, None if it was never used; its state is Expired from its end on, and its
        counters are those of the windows that are open now.

        Raises `Refused` if the mandate is not genuine, names another ledger or is not the one recorded under its delegation_id.
        """
        self._is_mine()
        now = instant(self._clock())
        credential = open_credential(iac).authenticate(self._parties)
        self._require_own(credential)
        known = self._ledger.status(credential.key, now)
        if known is None:
            return None
        if known.identity != credential.identity:
            raise Refused("credential_conflict", "mandate.delegation_id")
        if known.state is not MandateState.REVOKED and now >= known.expires_at:
            known = replace(known, state=MandateState.EXPIRED)
        return replace(known, counters=_with_untouched(known.counters, Chain(credential).limits(now)))

    def statement(self, iac: bytes) -> tuple[Receipt, ...]:
        """What happened under a mandate, as the ledger recorded it: every receipt from the first on, refusals included.

        Raises `Refused` as `status` does.
        """
        known = self.status(iac)
        return () if known is None else tuple([recorded_receipt(each) for each in self._ledger.receipts(known.key)])

    def _require_own(self, credential: Credential) -> None:
        if credential.mandate.ledger != self.ledger_id:
            raise Refused("wrong_ledger", "mandate.aud", named=credential.mandate.ledger, this=self.ledger_id)

    def _answer(self, outcome: Outcome) -> Charge:
        receipt = self._signed(outcome.receipt)
        if outcome.charge is not None:
            return _charge(outcome.charge, receipt, outcome.replayed)
        if outcome.refusal is None:
            raise InvalidCall("call_invalid", "ledger", reason="an outcome without charge or refusal")
        outcome.refusal.receipt, outcome.refusal.replayed = receipt, outcome.replayed
        raise outcome.refusal

    def _receipts(self, issuer: str) -> ReceiptMaker:
        return receipt_maker(self.ledger_id, issuer, self._signer)

    def _signed(self, receipt: Unsigned) -> bytes:
        """Signs a receipt with the key its header names: signing again gives the same object, so none needs to be kept."""
        signer = self._signers.get(receipt.kid)
        if signer is None:
            raise InvalidCall(
                "call_invalid", "retired_signers", reason="the key that made this receipt is not here", kid=receipt.kid.hex()
            )
        return receipt.sign(signer)


def _with_untouched(counters: tuple[Counter, ...], limits: tuple[Limit, ...]) -> tuple[Counter, ...]:
    """The counters in the order of the limits, those of a window that nothing was charged to yet among them.

    None before the first charge. What the limits do not name comes last.
    """
    if not counters:
        return ()
    known = {each.name: each for each in counters}
    stands = []
    for limit in limits:
        untouched = Counter(limit.name, limit.cap, 0, 0, limit.unit, limit.window.end if limit.window is not None else None)
        stands.append(known.pop(limit.name, untouched))
    return (*stands, *known.values())


def record_of(credential: Credential) -> MandateRecord:
    """What a ledger pins of a mandate."""
    mandate = credential.mandate
    window = mandate.constraint(Validity)
    on_revoke, refund_restores = HONOR, False
    for constraint in mandate.constraints:
        if type(constraint) is OnRevoke:
            on_revoke = constraint.choice
        elif type(constraint) is RefundRestores:
            refund_restores = constraint.restores
    return MandateRecord(
        credential.key,
        credential.identity,
        mandate.agent_id,
        mandate.constraint(Currency).code,
        window.end,
        on_revoke,
        credential.format,
        refund_restores,
        max(credential.issued_at, window.start),
    )


def _require_number(value: object, where: str) -> None:
    try:
        read_text(value)
    except Refused:
        raise InvalidCall("call_invalid", where, expected=f"1 to {MAX_TEXT} printable characters") from None


def _charge(record: ChargeRecord, receipt: bytes, replayed: bool) -> Charge:
    """The one place where a `Charge` comes into being: from a ledger's outcome."""
    currency = record.amount.currency
    captured, refunded = (Amount(each, currency) if each else None for each in (record.captured_minor, record.refunded_minor))
    charge = object.__new__(Charge)
    for name, value in (
        ("id", record.id),
        ("state", record.state),
        ("amount", record.amount),
        ("captured", captured),
        ("refunded", refunded),
        ("payee", record.payee),
        ("order_no", record.order_no),
        ("agent_id", record.request.agent_id),
        ("mandate", record.request.mandate),
        ("hold_expires_at", record.hold_expires_at),
        ("receipt", receipt),
        ("replayed", replayed),
    ):
        object.__setattr__(charge, name, value)
    return charge

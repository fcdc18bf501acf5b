"""One call decides and reserves: the payment service's side of PSD-PAY-DEL and PSD-PAY-AUP.

`authorize` is the only way to a new `Charge`, and `authorize_all` is the same for payments that arrived together. They check
every signature, every rule and constraint, and then, in one transaction of the ledger, replay, lifecycle, the order and every
limit, and hold the money. There is no option that leaves any of it out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from act.errors import InvalidCall, Refused, StoreFault
from act.payment.charge import LIVE_STATES
from act.payment.ledger import Asked, Outcome
from act.payment.request import Payment
from act.payment.service.answers import Charge
from act.payment.service.instructions import InstructionCalls
from act.payment.service.keeper import mandate_record
from act.payment.verifier import AuthenticatedPayment, Question, authenticate, decide, replay_key, request_key

__all__ = ["PaymentService"]

A = TypeVar("A")
T = TypeVar("T")


def _attempt(call: Callable[[A], T], value: A, what: tuple[type[Exception], ...]) -> T | Exception:
    """What a call returns, or what it raises that belongs to this value alone."""
    try:
        return call(value)
    except what as error:
        return error


class PaymentService(InstructionCalls):
    """The one ledger of the mandates that name `ledger_id`, and the one place where payments under them are decided.

    `signer` signs receipts; `retired_signers` are its predecessors, still needed to repeat the receipts they made. `clock` is
    asked once per call. `max_mandate_seconds` is the longest window of a mandate that the service allows (ACT-IAC-04).
    Thread-safe as far as `parties`, `ledger` and the signers are. Raises `StoreFault` store_wrong_ledger for a ledger that
    belongs to another service.
    """

    def authorize(self, payment: Payment | bytes) -> Charge:
        """Verifies a payment and reserves its amount, or raises `Refused` and leaves every counter as it was.

        The same payment again returns the same charge (or raises the same recorded refusal) with `replayed`, even after the
        request expired, the mandate was revoked or a key left the parties file; if the charge was voided or expired since, it
        raises `Refused` charge_closed. Raises `InvalidCall` when the parties do not enrol the signer's key for this service:
        nobody could verify its receipts. Raises `StoreFault` when the ledger fails; then send the same payment again.
        """
        asked = self._decide(payment, self._question())
        return self._standing(self._ledger.reserve(*asked) if isinstance(asked, Asked) else asked)

    def authorize_all(self, payments: Sequence[Payment | bytes]) -> tuple[Charge | Exception, ...]:
        """What `authorize` would return or raise for each of some payments, at its place in the answer: for a server that takes
        up in one turn what has arrived since the last, so that all of it shares a commit and nobody needs a thread.

        Each is decided on its own, as if they came one after the other, in whatever order; one that is refused takes nothing
        from the others. What is raised for one payment stands at its place: a `Refused`, a `StoreFault`, what a signer raises,
        or `InvalidCall` where the signer of a stored receipt is missing. After anything but a `Refused`, send that one again.
        Raises `InvalidCall` for what is no payment and for parties that do not enrol the signer, before anything is reserved.
        """
        payments = tuple(payments)
        for payment in payments:
            if not isinstance(payment, Payment | bytes):
                raise InvalidCall("call_invalid", "payments", expected="act.Payment objects or their bytes")
        question = self._question()
        of_one = (Refused, StoreFault)
        decided = [_attempt(lambda each: self._decide(each, question), payment, of_one) for payment in payments]
        asked = {place: each for place, each in enumerate(decided) if isinstance(each, Asked)}
        reserved = dict(zip(asked, self._ledger.reserve_all([*asked.values()]), strict=True))
        outcomes = [reserved[place] if isinstance(each, Asked) else each for place, each in enumerate(decided)]
        return tuple(
            [each if isinstance(each, Exception) else _attempt(self._standing, each, (Exception,)) for each in outcomes]
        )

    def _question(self) -> Question:
        return Question(self.ledger_id, self._now(), self._parties.expires_at, self._max_mandate_seconds)

    def _decide(self, payment: Payment | bytes, question: Question) -> Asked | Outcome:
        """What the ledger is to be asked for a payment, or its stored outcome; raises the refusal that ranks first."""
        if isinstance(payment, bytes):
            payment = Payment.from_bytes(payment)
        if not isinstance(payment, Payment):
            raise InvalidCall("call_invalid", "payment", expected="an act.Payment or its bytes")
        authenticated = None
        try:
            authenticated = authenticate(payment, self._parties, self._cache)
            request = decide(authenticated, question)
        except Refused as refusal:
            return self._stored(payment, authenticated, question, refusal)
        root = authenticated.chain.root
        self._require_known(authenticated.pinned_before)
        self._ledger.bind(self.ledger_id)
        return Asked(request, mandate_record(root), self._receipts(root.mandate.issuer))

    def _standing(self, outcome: Outcome) -> Charge:
        """The answer to a payment: no charge that was voided or expired since, because its money is no longer reserved."""
        if outcome.charge is not None and outcome.charge.state not in LIVE_STATES:
            refusal = Refused("charge_closed", "charge", state=outcome.charge.state.value, charge=outcome.charge.id)
            outcome = replace(outcome, charge=None, refusal=refusal)
        return self._answer(outcome)

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
            self._ledger.foresee(mandate_record(root), authenticated, limits, question.at)
        except Refused as foreseen:
            return min(refusal, foreseen, key=lambda each: each.precedence)
        return refusal

"""The pure verifier of PSD-PAY-DEL and PSD-PAY-AUP: numbered rules over a payment, no I/O, no clock.

Its obligations, in order: every signature (ACT-PAY-01 to -03, ACT-PAR-*), then the rules of `rules`. What remains for the
caller, and what `PaymentService.authorize` does in one transaction: replay (ACT-PAY-04), the mandate's lifecycle state and
pin (ACT-LED-01 to -03), one charge per order (ACT-LED-04) and the counting of every limit.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from act.calendar import instant
from act.delegation.credential import MAX_MANDATE_SECONDS
from act.errors import Refused
from act.parties import Parties
from act.payment.request import Payment
from act.payment.verifier.authenticated import AuthenticatedPayment, authenticate
from act.payment.verifier.replay import replay_key
from act.payment.verifier.reservation import LinkRecord, RequestKey, ReservationRequest, links_of, request_key
from act.payment.verifier.rules import RULES_BY_SCENARIO, Question, Rule, purchase_at

__all__ = [
    "RULES_BY_SCENARIO",
    "AuthenticatedPayment",
    "LinkRecord",
    "Question",
    "RequestKey",
    "ReservationRequest",
    "Rule",
    "authenticate",
    "decide",
    "explain",
    "links_of",
    "replay_key",
    "request_key",
    "verify_payment",
]


def decide(payment: AuthenticatedPayment, question: Question) -> ReservationRequest:
    """Judges every rule of the payment's scenario in order; returns what to reserve, or raises the first rule's `Refused`."""
    for rule in RULES_BY_SCENARIO[payment.request.scenario]:
        rule.check(payment, question)
    return ReservationRequest(payment, payment.chain.limits(question.at), question.at)


def verify_payment(
    payment: Payment | bytes,
    *,
    parties: Parties,
    ledger: str,
    at: datetime,
    max_mandate_seconds: int = MAX_MANDATE_SECONDS,
) -> ReservationRequest:
    """Whether a payment satisfies every rule that needs no memory, at instant `at`, for payment service `ledger`.

    `max_mandate_seconds` is the longest window of a mandate that this payment service allows (ACT-IAC-04).
    Returns what would have to be reserved, or raises `Refused`. It proves nothing about replay, lifecycle or what is left:
    those live in the ledger. Having no record, it refuses a mandate whose issuer's key was compromised (ACT-PAR-05).
    """
    if isinstance(payment, bytes):
        payment = Payment.from_bytes(payment)
    question = Question(ledger, instant(at), parties.expires_at, max_mandate_seconds)
    authenticated = authenticate(payment, parties)
    if authenticated.pinned_before is not None:
        raise Refused("key_compromised", "mandate.iss", compromised_at=authenticated.pinned_before)
    return decide(authenticated, question)


def explain(
    payment: Payment | bytes,
    *,
    parties: Parties,
    ledger: str,
    at: datetime,
    max_mandate_seconds: int = MAX_MANDATE_SECONDS,
) -> tuple[Refused, ...]:
    """What every rule and constraint finds against a payment, in order of precedence, without raising: for people who look for
    the cause. Of one rule it is the first finding.

    An empty result is not an authorization. When a signature or the form is bad, that is the only finding: nothing behind it
    could be believed.
    """
    question = Question(ledger, instant(at), parties.expires_at, max_mandate_seconds)
    try:
        authenticated = authenticate(Payment.from_bytes(payment) if isinstance(payment, bytes) else payment, parties)
    except Refused as refusal:
        return (refusal,)
    findings: list[Refused] = []
    if authenticated.pinned_before is not None:
        findings.append(Refused("key_compromised", "mandate.iss", compromised_at=authenticated.pinned_before))
    for rule in RULES_BY_SCENARIO[authenticated.request.scenario]:
        _collect(findings, rule.check, authenticated, question)
    purchase = purchase_at(authenticated, question.at)
    for finding in authenticated.chain.findings(purchase):
        _keep(findings, finding)
    return tuple(sorted(findings, key=lambda finding: finding.precedence))


def _collect(findings: list[Refused], check: Callable[..., None], *arguments: object) -> None:
    """Runs one check and keeps what it finds, once: the rule over all constraints finds what one of them finds."""
    try:
        check(*arguments)
    except Refused as refusal:
        _keep(findings, refusal)


def _keep(findings: list[Refused], finding: Refused) -> None:
    if all((finding.code, finding.where) != (known.code, known.where) for known in findings):
        findings.append(finding)

"""The numbered rules a payment must satisfy, in the order they are judged and reported.

Each rule has a permanent id, cited in the specification, the vectors and the errors table. A check returns or raises
`Refused`; it reads only the payment and the `Question`. Authentication (ACT-PAY-01 to -03, ACT-PAR-*) came before, in
`authenticate`; replay (ACT-PAY-04) and everything that needs a memory (ACT-LED-*) come after, in the ledger's transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from act.calendar import FUTURE_TOLERANCE_SECONDS
from act.commerce.cart import purchase_of
from act.delegation.constraints import REGISTRY, rules_of
from act.delegation.credential import MAX_MANDATE_SECONDS
from act.delegation.purchase import Purchase
from act.errors import Refused
from act.payment.request import MAX_LIFETIME_SECONDS
from act.payment.verifier.authenticated import AuthenticatedPayment

__all__ = ["AUP", "DEL", "RULES_BY_SCENARIO", "Question", "Rule"]


@dataclass(frozen=True, slots=True)
class Question:
    """Who decides, and when: the payment service's own id, the one instant used throughout (seconds), and the longest life of
    a mandate that the service allows."""

    ledger: str
    at: int
    parties_expire_at: int
    max_mandate_seconds: int = MAX_MANDATE_SECONDS


@dataclass(frozen=True, slots=True)
class Rule:
    """One numbered obligation: its ids, the ACT component it comes from (or "open profile"), what must hold, and the check."""

    ids: tuple[str, ...]
    component: str
    text: str
    check: Callable[[AuthenticatedPayment, Question], None]


def _parties_current(payment: AuthenticatedPayment, question: Question) -> None:
    if question.at >= question.parties_expire_at:
        raise Refused("parties_expired", "parties", ended_at=question.parties_expire_at)


def _this_ledger(payment: AuthenticatedPayment, question: Question) -> None:
    for place, audience in (("request.aud", payment.request.audience), ("mandate.aud", payment.chain.root.mandate.ledger)):
        if audience != question.ledger:
            raise Refused("wrong_ledger", place, named=audience, this=question.ledger)


def _request_in_time(payment: AuthenticatedPayment, question: Question) -> None:
    request = payment.request
    if request.issued_at > question.at + FUTURE_TOLERANCE_SECONDS:
        raise Refused("request_not_yet_valid", "request.iat", issued_at=request.issued_at)
    if question.at >= request.expires_at:
        raise Refused("request_expired", "request.exp", ended_at=request.expires_at)
    if not 0 < request.expires_at - request.issued_at <= MAX_LIFETIME_SECONDS:
        raise Refused("request_lifetime_too_long", "request.exp", seconds=request.expires_at - request.issued_at)


def _bound_to_credential(payment: AuthenticatedPayment, question: Question) -> None:
    chain = payment.chain
    if payment.request.credential != chain.identity:
        raise Refused("credential_mismatch", "request.act.credential")
    if payment.request.delegation_id != chain.delegation_id:
        raise Refused("credential_mismatch", "request.act.delegation_id")


def _bound_to_order(payment: AuthenticatedPayment, question: Question) -> None:
    request, order = payment.request, payment.order.order
    if request.order != payment.order.identity:
        raise Refused("order_mismatch", "request.act.order")
    if request.order_no != order.order_no:
        raise Refused("order_mismatch", "request.act.order_no")
    if request.payee != order.payee:
        raise Refused("order_mismatch", "request.act.payee")
    if request.amount != order.amount:
        raise Refused("order_mismatch", "request.act.amount")


def _same_agent(payment: AuthenticatedPayment, question: Question) -> None:
    agent = payment.chain.agent_id
    if payment.request.agent_id != agent:
        raise Refused("agent_mismatch", "request.iss")
    if payment.order.order.agent_id != agent:
        raise Refused("agent_mismatch", "order.sub")


def _same_principal(payment: AuthenticatedPayment, question: Question) -> None:
    principal = payment.chain.root.mandate.delegator_identity
    if payment.request.delegator_identity != principal:
        raise Refused("principal_mismatch", "request.act.delegator_identity")
    if payment.order.order.delegator_identity != principal:
        raise Refused("principal_mismatch", "order.act.delegator_identity")


def _mandate_in_force(payment: AuthenticatedPayment, question: Question) -> None:
    payment.chain.require_in_force(question.at)


def _mandate_not_too_long(payment: AuthenticatedPayment, question: Question) -> None:
    payment.chain.root.require_lifetime(question.max_mandate_seconds)  # no link outlives it


def _order_in_force(payment: AuthenticatedPayment, question: Question) -> None:
    payment.order.require_in_force(question.at)


def _permitted(payment: AuthenticatedPayment, question: Question) -> None:
    payment.chain.permits(purchase_at(payment, question.at))


def purchase_at(payment: AuthenticatedPayment, at: int) -> Purchase:
    """The facts the constraints judge, from authenticated objects only."""
    return purchase_of(payment.order, payment.request.payment_method, payment.request.scenario, at)


_RULES: Final = (
    Rule(("ACT-PAR-01",), "open profile", "The parties file is in force at the instant of decision.", _parties_current),
    Rule(("ACT-PAY-05",), "open profile", "Request and mandate name this payment service as their one ledger.", _this_ledger),
    Rule(
        ("ACT-PAY-06", "ACT-PAY-07", "ACT-PAY-08"),
        "PSD-PAY-INS",
        "The request is issued at most 10 seconds ahead, not expired, and lives at most 120 seconds.",
        _request_in_time,
    ),
    Rule(("ACT-PAY-09",), "PSD-PAY-DEL", "The request was signed for exactly the mandate presented.", _bound_to_credential),
    Rule(
        ("ACT-PAY-10",),
        "PSD-PAY-DEL",
        "The request was signed for exactly the order presented, and repeats its number, payee, amount and currency.",
        _bound_to_order,
    ),
    Rule(("ACT-PAY-11",), "PSD-PAY-DEL", "Request, mandate and order name the same agent.", _same_agent),
    Rule(("ACT-PAY-12",), "PSD-PAY-DEL", "Request, mandate and order name the same principal.", _same_principal),
    Rule(
        ("ACT-PAY-13", "ACT-PAY-14"),
        "ADD-IAC-LCM",
        "The mandate is issued and in its window: validity_start_time (10 seconds tolerance) <= now < validity_end_time.",
        _mandate_in_force,
    ),
    Rule(
        ("ACT-IAC-04",),
        "open profile",
        "The mandate's window is no longer than this payment service allows (400 days unless it says otherwise).",
        _mandate_not_too_long,
    ),
    Rule(
        ("ACT-ORD-02", "ACT-ORD-03"),
        "CID-CART-CFM",
        "The order is confirmed and its price lock has not expired.",
        _order_in_force,
    ),
    Rule(
        tuple(dict.fromkeys(rule for path in REGISTRY for rule in rules_of(path) if rule.startswith("ACT-CON"))),
        "PSD-PAY-DEL",
        "Every constraint of every credential in the chain permits the purchase: mode, money, then semantics.",
        _permitted,
    ),
)

DEL: Final = _RULES
"""PSD-PAY-DEL: a SPECIFIED mandate, which ACT-CON-01 requires of this scenario."""

AUP: Final = _RULES
"""PSD-PAY-AUP: a BOUNDED mandate. ACT makes the semantic checks mandatory here; this profile never leaves them out."""

RULES_BY_SCENARIO: Final = {"DEL": DEL, "AUP": AUP}

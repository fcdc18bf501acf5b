"""What `act verify` finds out about one object: what is proven, what is not and who could tell, and what speaks against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import act
from act_cli.instructions import LIFECYCLE, sentence, spoken
from act_cli.manners import error_document, instant_text
from act_cli.objects import recognized

__all__ = ["Question", "Verdict", "judge", "verdict_view"]

Outcome = Literal["accepted", "refused", "incomplete"]

_PAID: Final = frozenset({"RESERVED", "PARTIALLY_CAPTURED", "CAPTURED"})


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of every file: whom to trust, at which instant, for which ledger (None: the one the mandate names).

    `order` is the order that a receipt must be about; `orders` are orders to find it among, by identity. `chains` are the
    mandate and the links down to each link among the files, root first, by the link's identity.
    """

    parties: act.Parties
    at: datetime
    ledger_id: str | None
    order: bytes | None
    orders: Mapping[bytes, bytes]
    chains: Mapping[bytes, tuple[bytes, ...]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer for one object. `incomplete` means that it cannot be judged alone, and `needs` says what to give.

    `bound_currency` and `currency` are those of the mandate's amounts and of the payment's, for the findings' facts.
    """

    kind: str
    outcome: Outcome
    proven: tuple[str, ...] = ()
    not_proven: tuple[str, ...] = ()
    findings: tuple[act.Refused, ...] = ()
    needs: str = ""
    bound_currency: str | None = None
    currency: str | None = None


def verdict_view(path: str, verdict: Verdict) -> dict[str, Any]:
    """A verdict as JSON, always with these keys."""
    return {
        "file": path,
        "kind": verdict.kind,
        "outcome": verdict.outcome,
        "proven": list(verdict.proven),
        "not_proven": list(verdict.not_proven),
        "findings": [
            error_document(finding, verdict.bound_currency or verdict.currency, verdict.currency)
            for finding in verdict.findings
        ],
        "needs": verdict.needs,
    }


def judge(data: bytes, question: Question) -> Verdict:
    """Judges one object by its kind. Never raises `Refused`: a refusal is a verdict."""
    kind = "unknown"
    try:
        found = recognized(data)
        kind = found.kind
        if kind == "payment":
            return _payment(found, question)
        if kind == "mandate":
            return _mandate(data, question)
        if kind == "link":
            return _link(found, question)
        if kind == "order":
            return _order(data, question)
        if kind == "receipt":
            return _receipt(data, found, question)
        if kind == "instruction":
            return _instruction(found, question)
        return Verdict(
            kind,
            "incomplete",
            needs="the payment it belongs to, as 'act pay' wrote it: a request names its mandate and its order without holding "
            "them, so alone it does not even say whose key has to have signed it",
        )
    except act.Refused as refusal:
        return Verdict(kind, "refused", findings=(refusal,))


def _moment(question: Question) -> str:
    return question.at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _mandate(data: bytes, question: Question) -> Verdict:
    credential = act.verify_mandate(data, parties=question.parties, at=question.at).root
    mandate = credential.mandate
    _require_ledger(mandate, question)
    issuer = credential.issuer_key(question.parties).party
    return Verdict(
        "mandate",
        "accepted",
        (
            _signed_by(mandate.issuer, issuer.name, "which may speak for", mandate.delegator_identity),
            f"it was made for {mandate.agent_id} and the agent key {credential.holder.kid.hex()[:16]}…",
            f"it is in force at {_moment(question)}",
        ),
        (
            f"whether it was revoked or suspended since: only the ledger {mandate.ledger} knows",
            f"what is left of {_total(mandate)}: only the ledger {mandate.ledger} knows ('act status')",
        ),
    )


def _require_ledger(mandate: act.Mandate, question: Question) -> None:
    if question.ledger_id is not None and mandate.ledger != question.ledger_id:
        raise act.Refused("wrong_ledger", "mandate.aud", named=mandate.ledger, this=question.ledger_id)


def _link(found: Any, question: Question) -> Verdict:
    """A link with everything above it. Alone it proves nothing, because the key that has to have signed it stands there."""
    chain = question.chains.get(found.opened.identity)
    if chain is None:
        return Verdict(
            "link",
            "incomplete",
            needs="the mandate and the links above it, root first, before it among the files: it was signed below the one with "
            f"identity {found.content.link.parent.hex()}",
        )
    proven = act.verify_mandate(chain[0], links=chain[1:], parties=question.parties, at=question.at)
    mandate = proven.root.mandate
    _require_ledger(mandate, question)
    agents = [mandate.agent_id, *(each.link.agent_id for each in proven.links)]
    return Verdict(
        "link",
        "accepted",
        (
            f"{agents[-2]} signed it with the agent key that its parent names",
            f"it was made for {agents[-1]} and the agent key {proven.holder.kid.hex()[:16]}…",
            f"it comes from {mandate.delegator_identity} through {', '.join(agents[:-1])}, and no link widens its parent",
            f"it and all above it are in force at {_moment(question)}",
        ),
        (
            f"whether anything above it was revoked or suspended since: only the ledger {mandate.ledger} knows",
            f"what is left of its totals and of those above it: only the ledger {mandate.ledger} knows ('act status')",
        ),
    )


def _signed_by(party: str, name: str, relation: str, whom: str) -> str:
    called = f" ({name})" if name != party else ""
    return f"{party}{called} signed it, {relation} {whom}"


def _total(mandate: act.Mandate) -> str:
    terms = {constraint.path: constraint.encode() for constraint in mandate.constraints}
    return f"{terms['currency']} {terms['max_total_amount']}"


def _order(data: bytes, question: Question) -> Verdict:
    order = act.verify_order(data, parties=question.parties, at=question.at)
    terms = order.order
    return Verdict(
        "order",
        "accepted",
        (
            _signed_by(terms.payee, order.payee_key.party.name, f"offering order {terms.order_no} to", terms.agent_id),
            f"its items add up to {terms.amount}",
            f"its price holds at {_moment(question)}, until just before {instant_text(terms.expires_at)}",
        ),
        ("whether it was paid: only a receipt says so",),
    )


def _payment(payment: act.Payment, question: Question) -> Verdict:
    mandate, bound, asked = _read_payment(payment)
    ledger = question.ledger_id or (mandate.ledger if mandate is not None else "")
    findings = act.explain(payment, parties=question.parties, ledger=ledger, at=question.at)
    verdict = Verdict("payment", "refused", findings=findings, bound_currency=bound, currency=asked)
    if findings:
        return verdict
    # An empty list of findings is no acceptance; this call is.
    request = act.verify_payment(payment, parties=question.parties, ledger=ledger, at=question.at)
    assumed = "" if question.ledger_id is not None else ", the ledger its mandate names, as no --ledger-id was given"
    return Verdict(
        "payment",
        "accepted",
        (
            f"agent, issuer and merchant signed it: {request.amount} to {request.payee} for order {request.order_no}",
            f"request, mandate and order belong together and were in force at {_moment(question)}",
            "every constraint of the mandate" + _and_links(len(payment.chain) - 1) + " permits it",
            f"it was judged for {ledger}{assumed}",
        ),
        (
            "whether this request or this order was used before (replay)",
            "whether the mandate was revoked or suspended",
            f"whether {request.amount} still fits into what the mandate has left",
            f"all three only the ledger {ledger} knows: 'act authorize' decides",
        ),
        bound_currency=bound,
        currency=asked,
    )


def _and_links(number: int) -> str:
    if number == 0:
        return ""
    return " and of the link below it" if number == 1 else f" and of the {number} links below it"


def _read_payment(payment: act.Payment) -> tuple[act.Mandate | None, str | None, str | None]:
    """The mandate a payment holds, its currency and the payment's: to choose a ledger and to name money. Not believed."""
    mandate, bound, asked = None, None, None
    for part in (*payment.chain[:1], payment.request):
        try:
            found: Any = act.recognize(part)
        except act.Refused:
            continue  # the verifier says what is wrong with it
        if found.kind == "mandate":
            mandate = found.content.mandate
            bound = next(each.encode() for each in found.content.mandate.constraints if each.path == "currency")
        elif found.kind == "request":
            asked = found.request.amount.currency
    return mandate, bound, asked


def _instruction(found: Any, question: Question) -> Verdict:
    """An instruction, with the credential it is about. Of a charge only the ledger knows whom it pays."""
    said = found.instruction
    credential, chain = None, None
    if said.action.value in LIFECYCLE:
        credential = said.about.credential
        parts = question.chains.get(credential)
        if parts is None:
            return Verdict(
                "instruction",
                "incomplete",
                needs="the mandate, and the links down to the credential it is about, root first, before it among the files: "
                f"that has identity {credential.hex()}",
            )
        unverified: Any = act.recognize(list(parts))
        chain = unverified.authenticate(question.parties)
    authentic = found.authenticate(question.parties, chain)
    _require_current(question)
    authentic.require_in_time(question.ledger_id or said.audience, _seconds(question))
    causer = authentic.causer.value
    if credential is not None:
        allowed, unproven = ", and may give it", "whether the state of the credential still allows it"
    elif causer == "payee":
        allowed, unproven = "", f"whether there is such a charge, whether it pays {said.issuer}, and how it stands"
    else:
        allowed, unproven = "", "whether there is such a charge, and how it stands"
    return Verdict(
        "instruction",
        "accepted",
        (
            f"{said.issuer} signed it, {spoken(causer)}{allowed}",
            f"it says: {sentence(said)}",
            f"it is for {said.audience}",
            f"it is in force at {_moment(question)}, until just before {instant_text(said.expires_at)}",
        ),
        (unproven, f"whether it was obeyed: only a receipt of {said.audience} says so"),
    )


def _seconds(question: Question) -> int:
    return (question.at - _EPOCH) // timedelta(seconds=1)


def _require_current(question: Question) -> None:
    if _seconds(question) >= question.parties.expires_at:
        raise act.Refused("parties_expired", "parties", ended_at=question.parties.expires_at)


FUTURE_TOLERANCE_SECONDS: Final = 10
"""How far a receipt's time may lie ahead, as `act.verify_receipt` grants it."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _receipt(data: bytes, found: Any, question: Question) -> Verdict:
    claimed: act.Receipt = found.receipt
    currency = claimed.amount.currency if claimed.amount is not None else None
    paid = claimed.kind.value in _PAID
    order = question.order or (question.orders.get(claimed.order) if paid and claimed.order is not None else None)
    if order is None:
        return _statement(found, paid, currency, question)
    receipt = act.verify_receipt(data, order=order, parties=question.parties, at=question.at, ledger=question.ledger_id)
    return Verdict(
        "receipt",
        "accepted",
        (
            f"{receipt.issuer} signed it: {receipt.amount} {receipt.kind.value} for order {receipt.order_no}",
            "it is about the order that was given",
        ),
        (f"what happened after {instant_text(receipt.issued_at)}: a later receipt may say something else",),
        currency=currency,
    )


def _statement(found: Any, paid: bool, currency: str | None, question: Question) -> Verdict:
    """A receipt without its order: what a payment service stated. That money is there is not accepted on this ground.

    `act.verify_receipt` cannot be asked: it takes an order, and a refusal or a revocation is about none. So its three checks
    that need no order are repeated here; without them a statement would pass that was signed in the future, by a service
    nobody asked about, or judged with parties that are out of date.
    """
    now = _seconds(question)
    _require_current(question)
    receipt: act.Receipt = found.authenticate(question.parties)
    if receipt.issued_at > now + FUTURE_TOLERANCE_SECONDS:
        raise act.Refused("receipt_mismatch", "receipt.iat", issued_at=receipt.issued_at)
    if question.ledger_id is not None and receipt.issuer != question.ledger_id:
        raise act.Refused("receipt_mismatch", "receipt.iss", named=receipt.issuer, expected=question.ledger_id)
    if paid:
        return Verdict(
            "receipt",
            "incomplete",
            (f"{receipt.issuer} signed it",),
            ("that it is about the order you are to deliver",),
            needs=f"the order {receipt.order_no}: give it with --order, or among the files",
        )
    code = f" ({receipt.code})" if receipt.code is not None else ""
    unproven = "that anything is held or paid: it says that nothing is"
    if receipt.caused_by is not None or receipt.supersedes is not None:
        unproven = "what is held or paid: it says what became of a credential"
    if receipt.kind.value == "REFUNDED":
        unproven = "what is still held or paid: it says what was given back"
    return Verdict(
        "receipt",
        "accepted",
        (f"{receipt.issuer} signed it: {receipt.kind.value}{code} at {instant_text(receipt.issued_at)}",),
        (unproven,),
        currency=currency,
    )

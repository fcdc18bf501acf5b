"""What can be wrong with a payment, one fault at a time or several: the table that refusals, precedence and `explain` share.

`FAULTS` maps a name to a `Fault`: the code and place it provokes, the slots of the draft it fills (two faults with a slot in
common cannot be combined), and `apply(draft)`. `Draft.build()` makes the payment; `LEDGER_FAULTS` prepare a service as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import act
from act.delegation.credential import open_credential
from act.envelope.kinds import ORDER
from act.payment.request import open_request
from act.wire import cbor
from tests.support.world import (
    ABSENT,
    AGENT,
    END_SECONDS,
    NOW_SECONDS,
    OTHER_AGENT,
    OTHER_PRINCIPAL,
    OTHER_PSP,
    OTHER_SHOP,
    OTHER_WALLET,
    SHOP,
    SUB_AGENT,
    SUB_SUB_AGENT,
    WALLET,
    Line,
    World,
    identity_of,
    key,
    reseal,
    write_ledger,
)

__all__ = ["FAULTS", "LEDGER_FAULTS", "Draft", "Fault", "LedgerFault", "request_id_of"]

DIGEST: Final = bytes(range(32))
SMALL_ORDER: Final = bytes([1]) + bytes(31)  # the neutral element of the curve, canonically encoded

MONTHLY: Final = {"period_unit": "MONTH", "period_count": 1, "time_zone": "Asia/Shanghai", "anchor": "2026-01-01"}

Tamper = Callable[[act.Payment], act.Payment]


@dataclass(slots=True)
class Draft:
    """A payment in the making. What is not set stays right; identities are bound after every part was changed."""

    world: World = field(default_factory=World)
    mandate: dict[str, Any] = field(default_factory=dict)
    commerce: dict[str, Any] = field(default_factory=dict)
    mandate_changes: dict[str, object] = field(default_factory=dict)
    mandate_header: dict[int, object] = field(default_factory=dict)
    mandate_signer: act.KeyPair = field(default_factory=lambda: key(WALLET))
    order: dict[str, Any] = field(default_factory=dict)
    order_changes: dict[str, object] = field(default_factory=dict)
    order_signer: act.KeyPair = field(default_factory=lambda: key(SHOP))
    request: dict[str, Any] = field(default_factory=dict)
    request_changes: dict[str, object] = field(default_factory=dict)
    request_signer: act.KeyPair | None = None
    request_reseal: dict[str, Any] = field(default_factory=dict)
    link_changes: dict[str, object] | None = None  # None: the mandate's own agent pays
    link_signer: act.KeyPair = field(default_factory=lambda: key(AGENT))
    tampers: list[Tamper] = field(default_factory=list)

    def build(self) -> act.Payment:
        """The payment, with every fault that was applied."""
        world = self.world
        minted = world.mint(commerce=self.commerce, **self.mandate)
        genuine = [minted]
        payer = AGENT
        if self.link_changes is not None:
            minted = reseal(minted, key(WALLET), {"act.ext.delegation": {"max_depth": 2}})
            genuine, payer = [minted, world.link([minted])], SUB_AGENT
        iac = reseal(minted, self.mandate_signer, self.mandate_changes, header=self.mandate_header)
        chain = [iac]
        if self.link_changes is not None:
            chain.append(reseal(genuine[1], self.link_signer, {"act.parent": identity_of(iac)} | self.link_changes))
        ordered = world.order(**{"agent_id": payer} | self.order)
        order = reseal(ordered, self.order_signer, self.order_changes)
        signed = world.payment(chain=genuine, order=ordered, **self.request)
        bound = {"act.credential": identity_of(chain[-1]), "act.order": identity_of(order)}
        signer = self.request_signer or key(payer)
        request = reseal(signed.request, signer, bound | self.request_changes, **self.request_reseal)
        payment = act.Payment(request, tuple(chain), order)
        for tamper in self.tampers:
            payment = tamper(payment)
        return payment


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, found without a ledger."""

    code: str
    where: str
    slots: frozenset[str]
    apply: Callable[[Draft], object]


@dataclass(frozen=True, slots=True)
class LedgerFault:
    """One thing that is wrong because of what a ledger remembers: `prepare` makes it so, `apply` fits the draft to it."""

    code: str
    where: str
    slots: frozenset[str]
    apply: Callable[[Draft], object]
    prepare: Callable[[act.PaymentService, Path, Draft, act.Payment], object]
    recorded: bool = False


def _mandate(path: str, value: object) -> Callable[[Draft], object]:
    return lambda draft: draft.mandate_changes.update({path: value})


def _order(path: str, value: object) -> Callable[[Draft], object]:
    return lambda draft: draft.order_changes.update({path: value})


def _request(path: str, value: object) -> Callable[[Draft], object]:
    return lambda draft: draft.request_changes.update({path: value})


def _with(part: str, **values: Any) -> Callable[[Draft], object]:
    return lambda draft: getattr(draft, part).update(values)


def _signer(part: str, name: str) -> Callable[[Draft], object]:
    return lambda draft: setattr(draft, f"{part}_signer", key(name))


def _tamper(change: Tamper) -> Callable[[Draft], object]:
    return lambda draft: draft.tampers.append(change)


def _parties(party: str, **changes: Any) -> Callable[[Draft], object]:
    return lambda draft: draft.world.parties.change(party, **changes)


def _flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def _deep(data: bytes) -> bytes:
    """An object whose claims go deeper than any reader follows."""
    return cbor.encode_sign1(cbor.decode_sign1(data)[0], b"\x81" * 40 + b"\x00", bytes(64))


def _nulled(data: bytes) -> bytes:
    """An object whose issuer is null."""
    return cbor.encode_sign1(cbor.decode_sign1(data)[0], b"\xa1\x01\xf6", bytes(64))


def _relabelled(draft: Draft) -> None:
    """Everything is for one delegator, for whom this wallet may not speak."""
    draft.mandate["delegator_identity"] = "client:lin"
    draft.order["principal"] = "client:lin"


def _fault(code: str, where: str, slots: str, apply: Callable[[Draft], object]) -> Fault:
    return Fault(code, where, frozenset(slots.split()), apply)


def _two_issuers(payment: act.Payment) -> act.Payment:
    """The mandate as a VC-JWT that names its issuer twice, and not the same one."""
    minted = World(format="jose").mint()
    return replace(payment, chain=(reseal(minted, key(WALLET), {"issuer": OTHER_WALLET}),))


_FORM: Final[Mapping[str, Fault]] = {
    "mandate names two issuers": _fault(
        "claim_conflict", "mandate.issuer", "mandate mandate.signature link", _tamper(_two_issuers)
    ),
    "request too large": _fault(
        "input_too_large", "request", "request", _tamper(lambda p: replace(p, request=p.request + bytes(16_384)))
    ),
    "request too deep": _fault("input_too_deep", "request", "request", _tamper(lambda p: replace(p, request=_deep(p.request)))),
    "request cut off": _fault("cbor_invalid", "request", "request", _tamper(lambda p: replace(p, request=p.request[:-1]))),
    "request tag in two bytes": _fault(
        "cbor_not_deterministic",
        "request",
        "request",
        _tamper(lambda p: replace(p, request=b"\xd2\x98\x04" + p.request[2:])),
    ),
    "request untagged": _fault("envelope_invalid", "request", "request", _tamper(lambda p: replace(p, request=p.request[1:]))),
    "request header": _fault("header_unknown", "request.protected", "request.header", _with("request_reseal", header={2: [1]})),
    "request algorithm": _fault(
        "algorithm_not_allowed", "request.protected.alg", "request.header", _with("request_reseal", header={1: -8})
    ),
    "request is an order": _fault("kind_unexpected", "request", "request.kind", _with("request_reseal", kind=ORDER)),
    "request lacks payee": _fault("claim_missing", "request.act.payee", "request.payee", _request("act.payee", ABSENT)),
    "request has a tip": _fault("claim_unknown", "request.act.tip", "request.tip", _request("act.tip", "1.00")),
    "request method empty": _fault(
        "claim_invalid", "request.act.payment_method", "request.method", _request("act.payment_method", "")
    ),
    "request amount": _fault("amount_invalid", "request.act.amount", "request.amount", _request("act.amount", "18.0")),
    "request currency": _fault("currency_unknown", "request.act.amount", "request.amount", _request("act.currency", "XXX")),
    "request issuer null": _fault(
        "claim_null", "request.iss", "request", _tamper(lambda p: replace(p, request=_nulled(p.request)))
    ),
    "mandate without goal": _fault(
        "goal_missing",
        "mandate.act.delegation_mode",
        "mandate.allowed_merchants mandate.mode mandate.items",
        lambda draft: draft.mandate_changes.update(
            {"act.delegation_mode": "SPECIFIED", "act.ext.commerce.allowed_merchants": ABSENT}
        ),
    ),
    "mandate without bounds": _fault(
        "bounds_missing",
        "mandate.act.delegation_mode",
        "mandate.single mandate.total mandate.daily mandate.quota mandate.schedule mandate.allowed_merchants mandate.mode"
        " mandate.items",
        _mandate("act.ext.commerce", ABSENT),
    ),
    "mandate cut off": _fault(
        "cbor_invalid", "mandate", "mandate", _tamper(lambda p: replace(p, chain=(p.chain[0][:-1], *p.chain[1:])))
    ),
    "mandate lacks intent": _fault(
        "claim_missing", "mandate.act.intent_id", "mandate.intent", _mandate("act.intent_id", ABSENT)
    ),
    "mandate status elsewhere": _fault(
        "status_unavailable", "mandate.status", "mandate.status", _mandate("status.ledger", "psp-9")
    ),
    "mandate ends before it starts": _fault(
        "credential_lifetime_invalid", "mandate.act.validity", "mandate.window", _mandate("nbf", NOW_SECONDS + 10**7)
    ),
    "mandate block unknown": _fault(
        "extension_unknown", "mandate.act.ext.magic", "mandate.magic", _mandate("act.ext.magic", {"times_limit": 3})
    ),
    "mandate zone unknown": _fault(
        "time_zone_unknown",
        "mandate.act.ext.schedule.time_zone",
        "mandate.schedule",
        _mandate("act.ext.schedule", {"time_zone": "Asia/Peking", "weekdays": ["FRI"]}),
    ),
    "mandate constraint unknown": _fault(
        "constraint_unknown",
        "mandate.act.ext.commerce.max_daily_amount",
        "mandate.daily",
        _mandate("act.ext.commerce.max_daily_amount", "30.00"),
    ),
    "mandate limits contradict": _fault(
        "constraint_conflict",
        "mandate.act.ext.commerce.max_single_amount",
        "mandate.single mandate.total",
        _mandate("act.ext.commerce.max_single_amount", "200.01"),
    ),
    "mandate intent altered": _fault(
        "intent_digest_mismatch",
        "mandate.act.conversation_history.user_intent_raw_digest",
        "mandate.conversation",
        _mandate(
            "act.conversation_history", {"user_intent_raw": "x", "user_intent_raw_digest": DIGEST, "context_ref": "wallet/1"}
        ),
    ),
    "mandate key of small order": _fault(
        "key_invalid", "mandate.cnf.COSE_Key", "mandate.cnf", _mandate("cnf.1.-2", SMALL_ORDER)
    ),
    "order does not add up": _fault("order_total_mismatch", "order.act.amount", "order.amount", _order("act.amount", "18.01")),
}

_SIGNERS: Final[Mapping[str, Fault]] = {
    "another agent's key": _fault("agent_signature_invalid", "request", "request.signer", _signer("request", "thief")),
    "mandate by a stranger": _fault("signer_unknown", "mandate.iss", "mandate.signer", _signer("mandate", "stranger")),
    "mandate by another wallet": _fault("signer_mismatch", "mandate.iss", "mandate.signer", _signer("mandate", OTHER_WALLET)),
    "mandate for another namespace": _fault(
        "delegator_not_allowed", "mandate.act.delegator_identity", "mandate.principal order.principal", _relabelled
    ),
    "wallet compromised": _fault(
        "key_compromised", "mandate.iss", "wallet", _parties(WALLET, compromised_at=NOW_SECONDS - 7_200)
    ),
    "mandate signature": _fault(
        "credential_signature_invalid",
        "mandate",
        "mandate.signature",
        _tamper(lambda p: replace(p, chain=(_flipped(p.chain[0]), *p.chain[1:]))),
    ),
    "order by a stranger": _fault("signer_unknown", "order.iss", "order.signer", _signer("order", "stranger")),
    "order by another shop": _fault("signer_mismatch", "order.iss", "order.signer", _signer("order", OTHER_SHOP)),
    "shop compromised": _fault("key_compromised", "order.iss", "shop", _parties(SHOP, compromised_at=NOW_SECONDS - 7_200)),
    "order signature": _fault(
        "order_signature_invalid", "order", "order.signature", _tamper(lambda p: replace(p, order=_flipped(p.order)))
    ),
}

_OF_CHAIN: Final = "agent link mandate.window"
"""With a link another agent pays: what is wrong with the mandate's own agent is not combined with it."""


def _link(path: str, value: object) -> Callable[[Draft], object]:
    return lambda draft: setattr(draft, "link_changes", {path: value})


def _without_consent(draft: Draft) -> None:
    draft.link_changes = {}
    draft.mandate_changes["act.ext.delegation"] = ABSENT


def _deeper(draft: Draft) -> None:
    """A second link below one that allows none."""
    draft.link_changes = {}
    draft.tampers.append(_extended)


def _extended(payment: act.Payment) -> act.Payment:
    link = payment.chain[-1]
    below = {"iss": SUB_AGENT, "sub": SUB_SUB_AGENT, "act.parent": identity_of(link), "cnf": {1: _SUB_SUB_KEY}}
    second = reseal(link, key(SUB_AGENT), below)
    request = reseal(payment.request, key(SUB_SUB_AGENT), {"act.credential": identity_of(second)})
    return replace(payment, chain=(*payment.chain, second), request=request)


def _mixed(payment: act.Payment) -> act.Payment:
    """A link in JOSE below a mandate in COSE. Nothing binds it: what is mixed is refused before anything is compared."""
    world = World(format="jose")
    root = world.mint(ext={"delegation": {"max_depth": 1}, "commerce": {"allowed_merchants": [SHOP]}})
    return replace(payment, chain=(payment.chain[0], world.link([root])))


def _link_by(name: str) -> Callable[[Draft], object]:
    def apply(draft: Draft) -> None:
        draft.link_changes, draft.link_signer = {}, key(name)

    return apply


_SUB_SUB_KEY: Final = key(SUB_SUB_AGENT).public_key.cose_key
_WIDE: Final = {"commerce": {"max_single_amount": "30.01"}}
_ELSEWHERE: Final = {"commerce": {"allowed_merchants": [SHOP, "evil.example"]}}

_CHAINS: Final[Mapping[str, Fault]] = {
    "link by a stranger": _fault("link_signature_invalid", "link.1", _OF_CHAIN, _link_by("stranger")),
    "link without consent": _fault(
        "delegation_not_allowed", "link.1.ext.delegation.max_depth", f"{_OF_CHAIN} mandate.depth", _without_consent
    ),
    "link below one that allows none": _fault(
        "delegation_too_deep", "link.2.ext.delegation.max_depth", f"{_OF_CHAIN} request request.header request.signer", _deeper
    ),
    "link of another mandate": _fault("link_parent_mismatch", "link.1.act.parent", _OF_CHAIN, _link("act.parent", DIGEST)),
    "link back to the agent": _fault("link_cycle", "link.1.sub", _OF_CHAIN, _link("sub", AGENT)),
    "link outlives the mandate": _fault("link_outlives_parent", "link.1.validity", _OF_CHAIN, _link("exp", END_SECONDS + 1)),
    "link in another envelope": _fault("envelope_mixed", "link.1", f"{_OF_CHAIN} mandate", _tamper(_mixed)),
    "link orders another behaviour": _fault(
        "link_behaviour_changed",
        "link.1.ext.agent_behavior.on_payment_failure",
        _OF_CHAIN,
        _link("act.ext", {"agent_behavior": {"on_payment_failure": "CANCEL"}}),
    ),
    "link widens": _fault(
        "link_widens", "link.1.ext.commerce.max_single_amount", f"{_OF_CHAIN} mandate.total", _link("act.ext", _WIDE)
    ),
    "link to a new payee": _fault(
        "link_payee_added", "link.1.ext.commerce.allowed_merchants", _OF_CHAIN, _link("act.ext", _ELSEWHERE)
    ),
}

_RULES: Final[Mapping[str, Fault]] = {
    "parties expired": _fault(
        "parties_expired", "parties", "parties", lambda draft: setattr(draft.world.parties, "expires_at", NOW_SECONDS)
    ),
    "request to another service": _fault("wrong_ledger", "request.aud", "request.aud", _with("request", audience=OTHER_PSP)),
    "mandate for another service": _fault("wrong_ledger", "mandate.aud", "mandate.aud", _with("mandate", ledger=OTHER_PSP)),
    "request from the future": _fault(
        "request_not_yet_valid", "request.iat", "request.time", _with("request", at=NOW_SECONDS + 11)
    ),
    "request expired": _fault("request_expired", "request.exp", "request.time", _with("request", at=NOW_SECONDS - 120)),
    "request lives too long": _fault(
        "request_lifetime_too_long", "request.exp", "request.time", _with("request", lifetime_seconds=400)
    ),
    "request for another mandate": _fault(
        "credential_mismatch", "request.act.credential", "request.credential", _request("act.credential", DIGEST)
    ),
    "request for another delegation": _fault(
        "credential_mismatch", "request.act.delegation_id", "request.delegation", _request("act.delegation_id", DIGEST[:16])
    ),
    "request for another order": _fault("order_mismatch", "request.act.order", "request.order", _request("act.order", DIGEST)),
    "request for another order number": _fault(
        "order_mismatch", "request.act.order_no", "request.order_no", _request("act.order_no", "T-9999")
    ),
    "request for another payee": _fault(
        "order_mismatch", "request.act.payee", "request.payee", _request("act.payee", OTHER_SHOP)
    ),
    "request for another amount": _fault(
        "order_mismatch", "request.act.amount", "request.amount", _request("act.amount", "17.99")
    ),
    "request by another agent": _fault("agent_mismatch", "request.iss", "request.agent", _request("iss", OTHER_AGENT)),
    "order for another agent": _fault("agent_mismatch", "order.sub", "order.agent", _with("order", agent_id=OTHER_AGENT)),
    "request for another principal": _fault(
        "principal_mismatch",
        "request.act.delegator_identity",
        "request.principal",
        _request("act.delegator_identity", OTHER_PRINCIPAL),
    ),
    "order for another principal": _fault(
        "principal_mismatch", "order.act.delegator_identity", "order.principal", _with("order", principal=OTHER_PRINCIPAL)
    ),
    "mandate starts later": _fault(
        "credential_not_yet_valid", "mandate.validity_start_time", "mandate.window", _mandate("nbf", NOW_SECONDS + 11)
    ),
    "mandate signed in the future": _fault(
        "credential_not_yet_valid", "mandate.iat", "mandate.iat", _with("mandate", at=NOW_SECONDS + 11)
    ),
    "mandate expired": _fault(
        "credential_expired", "mandate.validity_end_time", "mandate.window", _mandate("exp", NOW_SECONDS)
    ),
    "mandate lives too long": _fault(
        "credential_lifetime_too_long",
        "mandate.validity_end_time",
        "mandate.window",
        _mandate("exp", NOW_SECONDS + 401 * 86_400),
    ),
    "order from the future": _fault("order_not_yet_valid", "order.iat", "order.iat", _order("iat", NOW_SECONDS + 11)),
    "order expired": _fault("order_expired", "order.exp", "order.exp", _order("exp", NOW_SECONDS)),
    "another scenario": _fault("mode_mismatch", "mandate.delegation_mode", "request.scenario", _request("act.scenario", "DEL")),
    "another currency": _fault(
        "currency_mismatch", "mandate.currency", "order.amount request.amount", _with("order", amount="1500", currency="JPY")
    ),
    "too dear": _fault(
        "single_limit_exceeded",
        "ext.commerce.max_single_amount",
        "order.amount request.amount mandate.single",
        _with("order", amount="30.01"),
    ),
    "too cheap": _fault(
        "single_minimum_missed",
        "ext.commerce.min_single_amount",
        "mandate.single",
        lambda draft: draft.commerce.update(min_single_amount="18.01"),
    ),
    "another method": _fault(
        "payment_method_not_allowed", "allowed_payment_methods", "request.method", _with("request", payment_method="card")
    ),
    "more than the total": _fault(
        "total_limit_exceeded",
        "max_total_amount",
        "mandate.single mandate.total",
        lambda draft: (draft.commerce.update(max_single_amount=ABSENT), draft.mandate.update(max_total_amount="17.99")),
    ),
    "more than a period's amount": _fault(
        "period_amount_exceeded",
        "ext.quota.periods.0.max_amount@2026-02-01",
        "mandate.quota",
        _mandate("act.ext.quota", {"periods": [MONTHLY | {"max_amount": "17.99"}]}),
    ),
    "shop not listed": _fault(
        "payee_not_allowed",
        "ext.commerce.allowed_merchants",
        "mandate.allowed_merchants",
        lambda draft: draft.commerce.update(allowed_merchants=[OTHER_SHOP]),
    ),
    "shop forbidden": _fault(
        "payee_forbidden",
        "ext.commerce.forbidden_merchants",
        "mandate.forbidden_merchants",
        lambda draft: draft.commerce.update(forbidden_merchants=[SHOP]),
    ),
    "label not listed": _fault(
        "category_not_allowed",
        "ext.commerce.allowed_categories",
        "order.category",
        _with("order", category="gift_card"),
    ),
    "category forbidden": _fault(
        "category_forbidden",
        "ext.commerce.forbidden_categories",
        "mandate.forbidden_categories",
        lambda draft: draft.commerce.update(forbidden_categories=["tea"]),
    ),
    "outside the schedule": _fault(
        "outside_schedule",
        "ext.schedule",
        "mandate.schedule",
        _mandate("act.ext.schedule", {"time_zone": "Asia/Shanghai", "hours": ["00:00-17:00", "17:01-24:00"]}),
    ),
    "needs the principal": _fault(
        "confirmation_required",
        "ext.step_up.above_amount",
        "order.amount request.amount",
        _mandate("act.ext.step_up", {"above_amount": "17.99"}),
    ),
    "item not named": _fault("item_not_allowed", "ext.items", "mandate.items", _mandate("act.ext.items", [{"sku": "coffee"}])),
    "too many of an item": _fault(
        "item_quantity_exceeded",
        "ext.items",
        "mandate.items order.category order.amount request.amount",
        lambda draft: (
            draft.mandate_changes.update({"act.ext.items": [{"sku": "milk-tea-l", "max_quantity": 1}]}),
            draft.order.update(lines=[Line("9.00", quantity=2)]),
        ),
    ),
    "item too dear": _fault(
        "item_price_exceeded",
        "ext.items",
        "mandate.items order.amount request.amount",
        _mandate("act.ext.items", [{"sku": "milk-tea-l", "max_unit_amount": "17.99"}]),
    ),
    "price risen": _fault(
        "price_deviation_exceeded",
        "ext.agent_behavior.price_deviation_tolerance",
        "mandate.items order.amount request.amount",
        _mandate("act.ext.items", [{"sku": "milk-tea-l", "confirmed_unit_amount": "17.99"}]),
    ),
    "delivered too late": _fault(
        "delivery_time_missed",
        "ext.fulfillment.delivery_time_requirement",
        "mandate.fulfillment",
        _mandate("act.ext.fulfillment", {"delivery_time_requirement": "PT1H"}),
    ),
    "delivered elsewhere": _fault(
        "delivery_address_mismatch",
        "ext.fulfillment.delivery_address",
        "mandate.fulfillment",
        _mandate("act.ext.fulfillment", {"delivery_address": DIGEST}),
    ),
}

FAULTS: Final[Mapping[str, Fault]] = {**_FORM, **_SIGNERS, **_CHAINS, **_RULES}


def _pay_once(service: act.PaymentService, draft: Draft, payment: act.Payment, **request: Any) -> None:
    """Another payment under the same mandate, which goes well."""
    amount = request.pop("amount", "1.00")
    order = request.pop("order", None) or draft.world.order(amount)
    service.authorize(draft.world.payment(iac=payment.chain[0], order=order, **request))


def request_id_of(payment: act.Payment) -> bytes:
    """The id of a payment's request."""
    return open_request(payment.request).request.request_id


def _conflicting(service: act.PaymentService, path: Path, draft: Draft, payment: act.Payment) -> None:
    """Another mandate of the same wallet and delegator was used under the same delegation_id."""
    delegation_id = open_credential(payment.chain[0]).content.mandate.delegation_id
    other = draft.world.mint(delegation_id=delegation_id, max_total_amount="100.00")
    service.authorize(draft.world.payment(iac=other, order=draft.world.order("1.00")))


def _suspended(service: act.PaymentService, path: Path, draft: Draft, payment: act.Payment) -> None:
    """No call suspends a mandate yet: the row is written."""
    _pay_once(service, draft, payment)
    write_ledger(path, "UPDATE mandate SET state = 'Suspended', principal_stop = 1")


LEDGER_FAULTS: Final[Mapping[str, LedgerFault]] = {
    "request id used": LedgerFault(
        "duplicate_request",
        "request.cti",
        frozenset({"request.id"}),
        lambda draft: None,
        lambda service, path, draft, payment: _pay_once(service, draft, payment, request_id=request_id_of(payment)),
    ),
    "delegation id used": LedgerFault(
        "credential_conflict", "mandate.delegation_id", frozenset({"mandate"}), lambda draft: None, _conflicting
    ),
    "mandate revoked": LedgerFault(
        "credential_revoked",
        "mandate",
        frozenset({"state"}),
        lambda draft: None,
        lambda service, path, draft, payment: service.revoke(payment.chain[0]),
        recorded=True,
    ),
    "mandate suspended": LedgerFault(
        "credential_suspended", "mandate", frozenset({"state"}), lambda draft: None, _suspended, recorded=True
    ),
    "total used up": LedgerFault(
        "total_limit_exceeded",
        "max_total_amount",
        frozenset({"mandate.total"}),
        lambda draft: draft.mandate.update(max_total_amount="30.00"),
        lambda service, path, draft, payment: _pay_once(service, draft, payment, amount="12.01"),
        recorded=True,
    ),
    "count used up": LedgerFault(
        "times_limit_exceeded",
        "ext.quota.times_limit",
        frozenset({"mandate.quota"}),
        _mandate("act.ext.quota", {"times_limit": 1}),
        lambda service, path, draft, payment: _pay_once(service, draft, payment),
        recorded=True,
    ),
    "period's amount used up": LedgerFault(
        "period_amount_exceeded",
        "ext.quota.periods.0.max_amount@2026-02-01",
        frozenset({"mandate.quota"}),
        _mandate("act.ext.quota", {"periods": [MONTHLY | {"max_amount": "18.99"}]}),
        lambda service, path, draft, payment: _pay_once(service, draft, payment),
        recorded=True,
    ),
    "period's count used up": LedgerFault(
        "period_times_exceeded",
        "ext.quota.periods.0.period_times~3600",
        frozenset({"mandate.quota"}),
        _mandate("act.ext.quota", {"periods": [{"sliding_seconds": 3_600, "period_times": 1}]}),
        lambda service, path, draft, payment: _pay_once(service, draft, payment),
        recorded=True,
    ),
    "order paid": LedgerFault(
        "order_already_paid",
        "order.act.order_no",
        frozenset({"order.paid"}),
        lambda draft: None,
        lambda service, path, draft, payment: _pay_once(service, draft, payment, order=payment.order),
    ),
}

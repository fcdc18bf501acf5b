"""Vectors of payments, as a verifier without memory judges them: signatures, rules, constraints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from act.wire import cbor
from vector_sets import world
from vector_sets.payment_chains import chains
from vector_sets.payment_constraints import behavior, deliveries, items, lifetimes, prices, purposes, step_up
from vector_sets.payment_rules import SPECIFIED, bad, good, money, quotas, semantics, times
from vector_sets.shape import Vector, vector_file
from vector_sets.world import (
    KEYS,
    REMOVED,
    mandate,
    order,
    paid,
    payment,
    priced,
    request,
    tea_mandate,
)


def _accepted() -> list[Vector]:
    tea, specified = tea_mandate(), tea_mandate(SPECIFIED)
    shop, es_shop = order(), order(signer="teashop-es256")
    es_holder = {"cnf": {1: KEYS["agent-es256"].public_key.cose_key}}
    es_mandate = tea_mandate(es_holder, signer="wallet-es256")
    es_request = request(es_mandate, es_shop, signer="agent-es256")
    es_paid = payment(es_request, es_mandate, es_shop)
    yen = mandate({"act.currency": "JPY", "act.max_total_amount": "20000"})
    principal = mandate({"iss": "user:lin"}, signer="principal")
    every = [
        *("ACT-PAY-01", "ACT-PAY-02", "ACT-PAY-03", "ACT-PAY-05", "ACT-PAY-09", "ACT-PAY-10", "ACT-PAY-11", "ACT-PAY-12"),
        *("ACT-PAY-13", "ACT-PAY-15", "ACT-ORD-01", "ACT-CON-01", "ACT-CON-02", "ACT-CON-05", "ACT-CON-07", "ACT-CON-08"),
        *("ACT-CON-09", "ACT-CON-10"),
    ]
    return [
        good("autonomous", "A BOUNDED mandate with every constraint, paid by AUP. Ed25519 throughout.", every, paid(tea, shop),
             shown=True),
        good("delegated", "A SPECIFIED mandate, paid by DEL.", ["ACT-CON-01"], paid(specified, shop), shown=True),
        good("es256", "ES256 throughout: wallet, agent and shop on P-256.", ["ACT-PAY-01", "ACT-PAY-02", "ACT-PAY-03"], es_paid,
             shown=True),
        good("es256-high-s", "The same request with (r, n - s): another signature, the same request.", ["ACT-PAY-01"],
             payment(world.high_s(es_request), es_mandate, es_shop)),
        good("algorithms-mixed", "An Ed25519 agent, an ES256 wallet, an Ed25519 shop.", ["ACT-ENV-03"],
             paid(tea_mandate(signer="wallet-es256"), shop)),
        good("least", "A mandate with one bound beyond the mandatory constraints.", ["ACT-CON-05", "ACT-CON-07", "ACT-CON-09"],
             paid(mandate(), shop), shown=True),
        good("mode-absent", "Without delegation_mode: SPECIFIED, so DEL.", ["ACT-CON-01"],
             paid(mandate({"act.delegation_mode": REMOVED}), shop)),
        good("principal", "A mandate the principal signed for itself.", ["ACT-PAY-12"], paid(principal, shop)),
        good("jpy", "A currency without decimals.", ["ACT-CON-02"], paid(yen, order(priced("1800", currency="JPY")))),
    ]  # fmt: skip


def _signatures() -> list[Vector]:
    tea, shop = tea_mandate(), order()
    genuine = request(tea, shop)
    forged = world.with_signature(genuine, cbor.decode_sign1(request(tea, shop, signer="other-agent"))[2])
    raised = world.tampered(genuine, b"T-0001", b"T-0009")
    return [
        bad("agent-other", "Another agent's key: knowing a mandate is not holding it.", "agent_signature_invalid", "request",
            paid(tea, shop, signer="other-agent")),
        bad("agent-foreign-signature", "Another agent's signature under this agent's key id.", "agent_signature_invalid",
            "request", payment(forged, tea, shop)),
        bad("agent-wallet", "The wallet cannot pay with its own mandate: the agent's key signs.", "agent_signature_invalid",
            "request", paid(tea, shop, signer="wallet")),
        bad("request-tampered", "One digit of the order number after signing.", "agent_signature_invalid", "request",
            payment(raised, tea, shop)),
        bad("mandate-tampered", "A larger total in the mandate, after signing; the agent signed the larger one.",
            "credential_signature_invalid", "mandate",
            paid(world.tampered(mandate(), b"200.00", b"900.00"), shop)),
        bad("mandate-self-made", "The agent mints its own mandate under a key nobody enrolled.", "signer_unknown",
            "mandate.iss",
            paid(tea_mandate(signer="stranger"), shop)),
        bad("mandate-foreign-delegator", "A wallet speaks for somebody else's user.", "delegator_not_allowed",
            "mandate.act.delegator_identity",
            paid(tea_mandate({"iss": "other-wallet.example"}, signer="other-wallet"), shop)),
        bad("mandate-compromised", "The wallet's key was stolen, and a verifier without memory cannot tell this mandate's age.",
            "key_compromised", "mandate.iss", paid(tea, shop), parties="wallet-compromised"),
        bad("order-tampered", "Another order number after signing; the agent signed the changed one.",
            "order_signature_invalid",
            "order", paid(tea, world.tampered(shop, b"T-0001", b"T-0002"))),
        bad("order-self-made", "The agent writes the shop's order.", "signer_unknown", "order.iss",
            paid(tea, order(signer="agent"))),
        bad("order-other-shop", "Another shop signs in this shop's name.", "signer_mismatch", "order.iss",
            paid(tea, order(signer="cha"))),
        bad("order-compromised", "The shop's key was stolen.", "key_compromised", "order.iss", paid(tea, shop),
            parties="teashop-compromised"),
    ]  # fmt: skip


def _chains() -> list[Vector]:
    tea, shop = tea_mandate(), order()
    genuine = request(tea, shop)
    typ = "application/act1-payment+cbor"
    value: dict[str, Any] = {"typ": typ, "request": genuine, "chain": [tea], "order": shop}

    def form(name: str, why: str, code: str, where: str, changes: Mapping[str, Any]) -> Vector:
        return bad(name, why, code, where, cbor.encode(world.changed(value, changes)))

    return [
        form("chain-empty", "A payment without a mandate.", "claim_invalid", "payment.chain", {"chain": []}),
        form("chain-of-10", "More credentials than any chain may have.", "claim_invalid", "payment.chain",
             {"chain": [tea] * 10}),
        form("chain-bytes", "The mandate outside of a list.", "claim_invalid", "payment.chain", {"chain": tea}),
        form("request-map", "A request that nobody signed.", "claim_invalid", "payment.request", {"request": {1: "x"}}),
        form("member-unknown", "A member that may matter to somebody.", "claim_unknown", "payment.confirmation",
             {"confirmation": b""}),
        form("order-missing", "A payment for nothing.", "claim_missing", "payment.order", {"order": REMOVED}),
        form("typ-missing", "Without a type it is not a payment.", "kind_unexpected", "payment", {"typ": REMOVED}),
        form("typ-next-version", "The next major version.", "kind_unexpected", "payment",
             {"typ": "application/act2-payment+cbor"}),
        form("request-is-order", "An order in the request's place.", "kind_unexpected", "request", {"request": shop}),
        form("mandate-is-request", "A request in the mandate's place.", "kind_unexpected", "mandate", {"chain": [genuine]}),
        form("order-is-mandate", "A mandate in the order's place.", "kind_unexpected", "order", {"order": tea}),
        bad("not-a-map", "A list of the parts.", "kind_unexpected", "payment", cbor.encode([genuine, tea, shop])),
        bad("trailing-byte", "A byte after the payment.", "cbor_invalid", "", cbor.encode(value) + b"\x00"),
        bad("members-unsorted", "The members in another order: another form of the same payment.", "cbor_not_deterministic", "",
            b"\xa4" + b"".join(cbor.encode(name) + cbor.encode(value[name]) for name in ("typ", "request", "chain", "order"))),
    ]  # fmt: skip


def _bindings() -> list[Vector]:
    tea, shop = tea_mandate(), order()
    wider = tea_mandate({"act.max_total_amount": "900.00"})
    other = order({"act.order_no": "T-0002"})
    cheaper = order(priced("17.00"))

    def asked(name: str, why: str, code: str, where: str, changes: Mapping[str, Any]) -> Vector:
        return bad(name, why, code, where, paid(tea, shop, changes))

    return [
        asked("audience-other", "A request for another payment service.", "wrong_ledger", "request.aud", {"aud": "psp-2"}),
        bad("ledger-other", "A payment for psp-1, presented to psp-2.", "wrong_ledger", "request.aud", paid(tea, shop),
            ledger="psp-2"),
        bad("mandate-ledger-other", "The request names psp-2, but the mandate is counted at psp-1.", "wrong_ledger",
            "mandate.aud",
            paid(tea, shop, {"aud": "psp-2"}), ledger="psp-2"),
        bad("mandate-substituted", "The same delegation with a larger total, under a request for the smaller one.",
            "credential_mismatch", "request.act.credential", payment(request(tea, shop), wider, shop)),
        asked("delegation-other", "The request names another delegation than the mandate's.", "credential_mismatch",
              "request.act.delegation_id", {"act.delegation_id": world.uuid_of("other")}),
        bad("order-substituted", "Another order at the same price, under a request for the first.", "order_mismatch",
            "request.act.order", payment(request(tea, shop), tea, other)),
        bad("order-cheaper-substituted", "A cheaper order, under a request for the dearer one.", "order_mismatch",
            "request.act.order", payment(request(tea, shop), tea, cheaper)),
        asked("order-number-other", "The order's number is another.", "order_mismatch", "request.act.order_no",
              {"act.order_no": "T-0002"}),
        asked("payee-other", "The order's payee is another.", "order_mismatch", "request.act.payee",
              {"act.payee": "cha.example"}),
        asked("payee-homoglyph", "The payee looks the same.", "order_mismatch", "request.act.payee",
              {"act.payee": world.HOMOGLYPH}),
        asked("amount-other", "The order's amount is another.", "order_mismatch", "request.act.amount",
              {"act.amount": "17.99"}),
        asked("currency-other", "The order's currency is another.", "order_mismatch", "request.act.amount",
              {"act.currency": "USD"}),
        asked("agent-other-name", "The request names another agent than the mandate.", "agent_mismatch", "request.iss",
              {"iss": "agent:other"}),
        bad("order-agent-other", "The order was offered to another agent.", "agent_mismatch", "order.sub",
            paid(tea, order({"sub": "agent:other"}))),
        asked("principal-other", "The request names another principal than the mandate.", "principal_mismatch",
              "request.act.delegator_identity", {"act.delegator_identity": "user:mei"}),
        bad("order-principal-other", "The order was offered to another principal of the same agent.", "principal_mismatch",
            "order.act.delegator_identity",
            payment(request(tea, order({"act.delegator_identity": "user:mei"})), tea,
                    order({"act.delegator_identity": "user:mei"}))),
    ]  # fmt: skip


_WRONG_REQUESTS: tuple[tuple[str, str, str, str, Any], ...] = (
    ("request-id-15", "A request id is 16 bytes.", "claim_invalid", "cti", bytes(15)),
    ("request-id-text", "A request id is bytes.", "claim_invalid", "cti", "1"),
    ("request-audience-list", "Exactly one payment service.", "claim_invalid", "aud", ["psp-1", "psp-2"]),
    ("request-scenario", "A scenario ACT does not have.", "claim_invalid", "act.scenario", "INS"),
    ("request-digest-31", "An identity is 32 bytes.", "claim_invalid", "act.credential", bytes(31)),
    ("request-digest-hex", "An identity as hexadecimal text.", "claim_invalid", "act.order", "00" * 32),
    ("request-amount-decimals", "18 yuan without decimals.", "amount_invalid", "act.amount", "18"),
    ("request-currency-unknown", "No currency.", "currency_unknown", "act.amount", "18.00"),
    ("request-tool-empty", "A payment tool is named.", "claim_invalid", "act.payment_tool_reference", ""),
    ("request-unknown-field", "A field beside the profile's.", "claim_unknown", "act.note", "x"),
    ("request-unknown-claim", "A request is about its order, not about a subject.", "claim_unknown", "sub", "user:lin"),
)


def _requests() -> list[Vector]:
    tea, shop = mandate(), order()
    claims = world.request_claims(tea, shop, "1")
    vectors = [
        bad(f"request-missing-{path.replace('_', '-')}", "Every claim of a request is mandatory.", "claim_missing",
            f"request.{path}",
            paid(tea, shop, {path: REMOVED}))
        for path in (*claims, *(f"act.{name}" for name in claims["act"]))
    ]  # fmt: skip
    for name, why, code, path, value in _WRONG_REQUESTS:
        changes = {path: value} | ({"act.currency": "XXX"} if code == "currency_unknown" else {})
        vectors.append(bad(name, why, code, f"request.{path}", paid(tea, shop, changes)))
    conflict = paid(mandate({"act.ext.commerce.max_single_amount": "200.01"}), shop)
    return [
        *vectors,
        bad("mandate-constraint-unknown", "A mandate with a limit this version does not know.", "constraint_unknown",
            "mandate.act.ext.commerce.max_daily_amount", paid(mandate({"act.ext.commerce.max_daily_amount": "9.00"}), shop)),
        bad("mandate-constraint-conflict", "A mandate whose limits contradict each other.", "constraint_conflict",
            "mandate.act.ext.commerce.max_single_amount", conflict),
        bad("order-sum", "An order that does not add up.", "order_total_mismatch", "order.act.amount",
            paid(tea, order({"act.amount": "18.01"}))),
    ]  # fmt: skip


def payments_file() -> dict[str, Any]:
    """payments.json."""
    about = (
        "One payment each, judged for the payment service `ledger` without a memory. What is accepted here is not yet "
        "authorized: replay, lifecycle and what is left of `limits` are the ledger's (sequences.json)."
    )
    sets = (
        *(_accepted, _signatures, _chains, _bindings, times, money, semantics, quotas, _requests),
        *(purposes, lifetimes, step_up, items, prices, deliveries, behavior, chains),
    )
    return vector_file("payments", about, [vector for make in sets for vector in make()])

"""What no table in the code says: the texts of rules and of constraints, and where each comes from."""

from __future__ import annotations

from typing import Final

from act.delegation.constraints import MAX_DEPTH
from act.delegation.constraints.behavior import MAX_RETRIES
from act.delegation.constraints.items import MAX_ENTRIES
from act.delegation.constraints.oversight import MAX_STEPS

OURS: Final = "open profile"

READING: Final = (
    ("ACT-WIRE-01", OURS, "The input is within the size and the depth that its kind allows."),
    ("ACT-WIRE-02", OURS, "CBOR is well-formed, of the allowed types, and every byte belongs to the one value."),
    ("ACT-WIRE-03", OURS, "CBOR is in its one deterministic form (RFC 8949 4.2.1)."),
    ("ACT-WIRE-04", "ADD-IAC-ISS", "JSON is strict: one text, no name twice, no NaN, no lone surrogate."),
    ("ACT-WIRE-05", OURS, "Base64url has no padding and is the one text of its bytes."),
    (
        "ACT-ENV-01",
        "ADD-IAC-ISS",
        "A signed object is a tagged COSE_Sign1 or a compact JWS whose protected header names alg, kid and typ.",
    ),
    ("ACT-ENV-02", OURS, "The protected header holds nothing else; there is no other header."),
    ("ACT-ENV-03", OURS, "The algorithm is one of the table; the key that verifies decides which."),
    ("ACT-ENV-04", OURS, "The object is of the kind its place takes, as its typ says."),
    ("ACT-ENV-05", "ADD-IAC-ISS", "Every mandatory claim and field is there."),
    ("ACT-ENV-06", OURS, "No claim and no field is unknown."),
    ("ACT-ENV-07", OURS, "Every claim and field has its type, its range and its length."),
    ("ACT-ENV-08", OURS, "No field of a mandate, an order or a request is null: what is absent is left out."),
    ("ACT-ENV-09", "ADD-IAC-ISS", "Where a VC-JWT says a fact twice, it says the same."),
    ("ACT-MON-01", "ADD-IAC-ISS", "An amount is a positive decimal with exactly its currency's digits."),
    ("ACT-MON-02", "ADD-IAC-ISS", "A currency is an ISO 4217 code with a minor unit."),
    ("ACT-KEY-01", OURS, "A public key is the canonical encoding of a point of prime order."),
)
SELF_CONTAINED: Final = (
    ("ACT-CHN-01", OURS, "Mandate and links stand in one envelope: a chain does not mix COSE and JOSE."),
    ("ACT-ORD-01", "CID-CART-CFM", "The order's items add up to its amount."),
    ("ACT-PAY-16", "ADD-IAC-LCM", "The mandate's status is kept by the ledger that the mandate names."),
    ("ACT-IAC-01", "ADD-INT-ICS", "The mandate's window ends after it starts."),
    ("ACT-CON-11", "ADD-IAC-ISS", "Every constraint of the mandate is one of the registry."),
    ("ACT-CON-13", "ADD-IAC-ISS", "Every block of the mandate's `ext` is one of the registry."),
    ("ACT-CON-14", OURS, "A time zone is a name of the IANA database, as the package `tzdata` has it."),
    (
        "ACT-CON-12",
        "ADD-INT-ICS",
        "min_single_amount <= max_single_amount <= max_total_amount; a tolerance has a confirmed price; CANCEL has no retries.",
    ),
    ("ACT-IAC-02", "ADD-IAC-ISS", "A SPECIFIED mandate names its goal: its payees or its items."),
    ("ACT-IAC-03", "ADD-IAC-ISS", "A BOUNDED mandate has a bound beside its total and its window."),
    ("ACT-INT-01", "ADD-INT-ICS", "What was said, beside its digest or fetched from context_ref, hashes to the digest."),
)
SIGNATURES: Final = (
    ("ACT-PAY-01", "PSD-PAY-DEL", "The request is signed by the agent key that the mandate names."),
    ("ACT-PAR-02", OURS, "A signer's key is enrolled for its role, and was in force at the object's `iat`."),
    ("ACT-PAR-03", "ADD-IAC-ISS", "The key belongs to the party that the object names."),
    ("ACT-PAR-04", "ADD-IAC-ISS", "An issuer speaks for the delegators of its namespaces only."),
    ("ACT-PAY-02", "ADD-IAC-ISS", "The mandate's signature verifies."),
    ("ACT-CHN-02", OURS, "A link is signed by the agent key that its parent names."),
    ("ACT-PAY-03", "CID-CART-CFM", "The order's signature verifies."),
    ("ACT-PAR-05", OURS, "No key is compromised; an issuer's key may be, for a mandate this ledger had recorded before."),
)
CHAIN: Final = (
    ("ACT-PAY-15", OURS, "A link's parent allows sub-agents (`ext.delegation.max_depth`)."),
    ("ACT-CHN-03", OURS, "The chain is no deeper than every credential in it allows, and has at most 8 links."),
    ("ACT-CHN-04", OURS, "A link names its parent by identity, and the parent's agent, ledger and principal."),
    ("ACT-CHN-05", OURS, "No agent, no agent key and no delegation_id stands twice in a chain."),
    ("ACT-CHN-06", OURS, "A link's window lies within its parent's."),
    ("ACT-CHN-07", OURS, "A link allows nothing that its parent does not."),
    ("ACT-CHN-08", OURS, "A link names no payee that its parent does not allow."),
    ("ACT-CHN-09", OURS, "A link orders no other behaviour than its parent."),
    ("ACT-CHN-10", OURS, "All credentials of a chain together have at most 48 limits that a ledger counts."),
)
LEDGER: Final = (
    (
        "ACT-PAY-04",
        "PSD-PAY-DEL",
        "The request id is new, or stands for this very request, whose stored outcome is the answer.",
    ),
    ("ACT-LED-01", OURS, "No other mandate is recorded under this issuer, delegator_identity and delegation_id."),
    (
        "ACT-LED-14",
        OURS,
        "In a ledger that was reconciled: the mandate is known, or was issued or starts later than 10 seconds after.",
    ),
    ("ACT-LED-16", OURS, "The mandate that this one replaces is recorded here, as the same issuer's for the same principal."),
    ("ACT-LED-15", OURS, "The mandate was not replaced; nor was, by another one, the mandate that it replaces."),
    ("ACT-LED-17", OURS, "A mandate has the currency, the refund_restores and the envelope of the one that it replaces."),
    ("ACT-LED-02", "ADD-IAC-LCM", "The mandate is not Revoked, and no link of the chain is."),
    ("ACT-LED-03", "ADD-IAC-LCM", "The mandate is not Suspended, and no link of the chain is."),
    ("ACT-LED-04", OURS, "No live or captured charge has this payee and order_no."),
    ("ACT-CON-06", "PSD-PAY-DEL", "For every limit: held + captured + amount <= cap, by the ledger's own record."),
    ("ACT-CON-18", OURS, "In each period with `period_times`: held + captured + 1 <= cap, by the ledger's own record."),
)
CHARGES: Final = (
    ("ACT-LED-05", OURS, "The ledger has the charge."),
    ("ACT-LED-06", OURS, "Money is held for the charge, or this is the same capture or void again."),
    ("ACT-LED-07", OURS, "A capture takes at most what is held, in the same currency (else ACT-CON-02)."),
    ("ACT-LED-08", OURS, "A capture comes before the hold's end."),
    ("ACT-LED-09", OURS, "A capture's number is new for its charge, or stands for the same amount."),
    (
        "ACT-LED-10",
        OURS,
        "A refund is at most what was captured and not yet refunded, in the same currency (else ACT-CON-02).",
    ),
    ("ACT-LED-11", OURS, "A refund's number is new for its charge, or stands for the same amount."),
)
INSTRUCTIONS: Final = (
    ("ACT-INS-01", OURS, "The instruction is signed by the key of whoever it names: a party, or an agent of the chain."),
    ("ACT-INS-05", "ADD-IAC-LCM", "Whoever signed it may give it, by the table of [instruction.md](instruction.md)."),
    ("ACT-INS-06", OURS, "The credential presented is the one the instruction names, below the mandate it names."),
    ("ACT-INS-02", OURS, "The instruction's iat <= now + 10."),
    ("ACT-INS-03", OURS, "now < the instruction's exp."),
    ("ACT-INS-04", OURS, "The instruction lives for 1 to 86,400 seconds."),
    (
        "ACT-LED-12",
        OURS,
        "The instruction's id is new for its key and mandate, or stands for this very instruction: then its stored outcome.",
    ),
    (
        "ACT-LED-13",
        "ADD-IAC-LCM",
        "Nothing leaves Revoked or Expired, and a resume lifts the suspension of whoever gives it.",
    ),
)
RECEIPTS: Final = (
    ("ACT-RCT-01", "PSD-PAY-DEL", "The receipt's signature verifies."),
    ("ACT-RCT-02", OURS, "The receipt is about this order, for this payee, over this amount, and not from the future."),
    ("ACT-RCT-03", OURS, "The receipt says that the money is held, and still is at this instant, or captured."),
    (
        "ACT-RCT-04",
        OURS,
        "To a ledger that is reconciled: the receipt is in its chain, or continues it and says what it adds up to.",
    ),
)
OUTSIDE: Final = (
    ("ACT-CALL-01", OURS, "The library is called with values that can be right."),
    ("ACT-CALL-02", OURS, "A key file is a key."),
    ("ACT-CALL-03", OURS, "A parties file is valid ([parties.md](parties.md))."),
    ("ACT-CALL-04", OURS, "What is to be signed is valid."),
    ("ACT-STO-01", OURS, "A file can be read."),
    ("ACT-STO-02", OURS, "A file can be written."),
    ("ACT-STO-03", OURS, "No file is overwritten."),
    ("ACT-STO-04", OURS, "The store can be opened, read and written."),
    ("ACT-STO-05", OURS, "The store can be written."),
    ("ACT-STO-06", OURS, "The store has space left."),
    ("ACT-STO-07", OURS, "The store is not locked for too long."),
    ("ACT-STO-08", OURS, "The store is one of a known version."),
    ("ACT-STO-09", OURS, "The store belongs to this payment service."),
    ("ACT-STO-10", OURS, "The store is no backup, or was reconciled since; it answers, suspends and revokes before, too."),
)

_AMOUNT, _TEXTS, _ALWAYS = "amount", "list of texts", "Always: it binds the agent."
ADDED: Final = ("ext.quota.", "ext.schedule", "ext.items", "ext.step_up", "ext.delegation", "ext.status")
"""Paths of blocks that the open profile adds to ACT's."""

CONSTRAINTS: Final = {
    "validity": ("nbf, exp", "nbf <= now + 10, and now < exp."),
    "delegation_mode": ("`SPECIFIED` or `BOUNDED`", "The scenario is DEL under SPECIFIED, AUP under BOUNDED."),
    "currency": ("ISO 4217 code", "The payment is in this currency."),
    "ext.commerce.max_single_amount": (_AMOUNT, "The payment's amount is at most this."),
    "ext.commerce.min_single_amount": (_AMOUNT, "The payment's amount is at least this."),
    "allowed_payment_methods": (_TEXTS, "The payment method is in the list."),
    "max_total_amount": (_AMOUNT, "All payments together are at most this; one payment alone, too."),
    "ext.quota.times_limit": ("whole number", "There are at most so many payments; a voided one does not count."),
    "ext.quota.refund_restores": ("boolean", "Always: it says whether a refund gives back what the payment took."),
    "ext.quota.periods": (
        "list of maps",
        "In each period its payments are together at most `max_amount`, and at most `period_times` (`ACT-CON-18`).",
    ),
    "ext.commerce.allowed_merchants": (_TEXTS, "The payee is in the list."),
    "ext.commerce.forbidden_merchants": (_TEXTS, "The payee is not in the list."),
    "ext.commerce.allowed_categories": (
        _TEXTS,
        "The payee's record is not empty; it and the order's labels lie within the list.",
    ),
    "ext.commerce.forbidden_categories": (_TEXTS, "The payee's record is not empty; neither it nor a label is in the list."),
    "ext.schedule": ("map", "The local time in `time_zone` is on one of the `weekdays` and within one of the `hours`."),
    "ext.step_up.above_amount": (_AMOUNT, "The amount is at most this, or the principal confirmed this very payment."),
    "ext.items": (
        f"list of 1 to {MAX_ENTRIES} maps",
        "An entry matches every item; it has at most max_quantity of them, and none is dearer than max_unit_amount.",
    ),
    "ext.agent_behavior.price_deviation_tolerance": (
        "percentage",
        "No item costs more than its confirmed_unit_amount plus this percentage of it, rounded down to a minor unit.",
    ),
    "ext.fulfillment.delivery_time_requirement": (
        "instant or duration",
        "The order promises delivery at or before the instant, or within the duration from its iat on.",
    ),
    "ext.fulfillment.delivery_address": ("32 bytes", "The order promises delivery to the address with this digest."),
    "ext.agent_behavior.price_deviation_action": ("`PAUSE_AND_NOTIFY` or `AUTO_CANCEL`", _ALWAYS),
    "ext.agent_behavior.on_payment_failure": ("`AUTO_RETRY` or `CANCEL`", _ALWAYS),
    "ext.agent_behavior.max_retry_count": (f"integer, 0 to {MAX_RETRIES}", _ALWAYS),
    "ext.delegation.max_depth": (f"integer, 1 to {MAX_DEPTH}", "Always: the chain is judged by it, not the payment."),
    "ext.status.max_staleness": (
        f"list of 1 to {MAX_STEPS} maps",
        "Always in this version: the ledger reads the status in the reservation's transaction.",
    ),
    "ext.status.on_revoke": ("`honor` or `void`", "Always: it says what becomes of holds when the mandate is revoked."),
}
"""Type and meaning by path. A constraint without a text here is a KeyError, so none can join the registry unexplained."""

_FEWER, _MORE = "No entry that the parent does not have.", "Every entry that the parent has."
NARROWING: Final = {
    "validity": "A window inside the parent's.",
    "delegation_mode": "The same.",
    "currency": "The same.",
    "ext.commerce.max_single_amount": "At most the parent's.",
    "ext.commerce.min_single_amount": "At least the parent's.",
    "allowed_payment_methods": _FEWER,
    "max_total_amount": "At most the parent's.",
    "ext.commerce.allowed_merchants": _FEWER,
    "ext.commerce.forbidden_merchants": _MORE,
    "ext.commerce.allowed_categories": _FEWER,
    "ext.commerce.forbidden_categories": _MORE,
    "ext.step_up.above_amount": "At most the parent's.",
    "ext.quota.times_limit": "At most the parent's.",
    "ext.quota.refund_restores": "The same.",
    "ext.quota.periods": "Every period of the parent's, equal or (sliding) longer, with caps at most as high; and others.",
    "ext.items": "Entries inside the parent's, whose caps together are at most as high.",
    "ext.agent_behavior.price_deviation_tolerance": "Prices at most as high, of items inside the parent's.",
    "ext.fulfillment.delivery_time_requirement": "The same kind, not later.",
    "ext.fulfillment.delivery_address": "The same.",
    "ext.schedule": "Minutes of the week inside the parent's, in the same zone.",
    "ext.agent_behavior.price_deviation_action": "The same.",
    "ext.agent_behavior.on_payment_failure": "The same.",
    "ext.agent_behavior.max_retry_count": "The same.",
    "ext.delegation.max_depth": "At least one fewer than the parent's.",
    "ext.status.max_staleness": "At every amount at most as stale.",
    "ext.status.on_revoke": "The same.",
}
"""What a link may state below a parent that states the same constraint. As above, none can be left out."""

NARROWING_RULES: Final = {"validity": "ACT-CHN-06", "ext.commerce.allowed_merchants": "ACT-CHN-08"}
"""Where it is neither ACT-CHN-07 nor the rule of behaviour."""

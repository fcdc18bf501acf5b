"""Vectors of intent records (ISR): drafts and confirmed ones, content against its digest, and the mandate that is selected."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from act.calendar import iso
from act.delegation.intent import Isr
from act.delegation.mandate import mandate_claims
from act.envelope.cose import header, prepare
from act.envelope.kinds import MANDATE
from act.wire import cbor
from act.wire.base64url import base64url_encode
from act.wire.json import canonicalize
from vector_sets.conversations import MESSAGES, MESSAGES_DIGEST, TEXT, TEXT_DIGEST
from vector_sets.shape import Vector, accept, claims_json, refuse, vector_file
from vector_sets.world import KEYS, NOW, REMOVED, changed, uuid_of

_REF: Final = "wallet.example/context/1"
_START, _END = NOW - 1800, NOW + 54_000

DRAFT: Final[dict[str, Any]] = {
    "conversation_history": {"user_intent_raw": MESSAGES, "input_mode": ["TEXT"]},
    "intent_id": "intent-2026-02-06-tea",
    "delegation_mode": "BOUNDED",
    "validity_start_time": iso(_START),
    "validity_end_time": iso(_END),
    "max_total_amount": "200.00",
    "currency": "CNY",
    "allowed_payment_methods": ["balance", "card"],
    "agent_id": "agent:tea-runner",
    "ext": {
        "commerce": {
            "max_single_amount": "30.00",
            "allowed_merchants": ["teashop.example", "cha.example"],
            "allowed_categories": ["tea"],
        }
    },
}
"""A complete draft: everything the principal has to be asked about."""

CONFIRMED: Final = {"user_confirmation_method": "passkey", "user_confirmation_timestamp": iso(NOW - 1200)}
_DIGEST_ONLY: Final = {"user_intent_raw_digest": base64url_encode(TEXT_DIGEST), "context_ref": _REF, "input_mode": ["VOICE"]}
_SELECTED: Final[dict[str, Any]] = {"issuer": "wallet.example", "ledger": "psp-1", "delegator_identity": "user:lin"}


def _text(changes: dict[str, Any] | None = None, *, confirmed: bool = True) -> bytes:
    """A record's JSON text: the draft, its confirmation if wanted, and changes by path."""
    document = changed(DRAFT | (CONFIRMED if confirmed else {}), changes)
    return json.dumps(document, ensure_ascii=False).encode()


def _good(name: str, why: str, text: bytes) -> Vector:
    record = Isr.from_json(text)
    return accept(
        f"intents/{name}",
        why,
        ["ACT-CALL-04"],
        op="read",
        input=text,
        confirmed=record.is_confirmed,
        missing=list(record.missing),
        digest=record.digest,
    )


def _bad(name: str, why: str, where: str, text: bytes) -> Vector:
    return refuse(f"intents/{name}", why, "draft_invalid", where, op="read", input=text)


def _records() -> list[Vector]:
    pretty = json.dumps(DRAFT | CONFIRMED, indent=2, sort_keys=True).encode()
    return [
        _good("confirmed", "A complete record, confirmed by the principal.", _text()),
        _good("confirmed-pretty", "The same record with other white space, order and escapes has the same digest.", pretty),
        _good("number", "An amount as the JSON number ACT has: JCS writes 200, and that is what is digested.",
              json.dumps(DRAFT | CONFIRMED | {"max_total_amount": 200}).encode()),
        _good("draft", "A draft that only waits for its confirmation.", _text(confirmed=False)),
        _good("draft-empty", "A draft may lack everything: what is missing is what to clarify.", b"{}"),
        _good("draft-without-currency", "Without a currency no amount can be read, and none is guessed.",
              _text({"currency": REMOVED}, confirmed=False)),
        _good("digest-only", "What was said is kept elsewhere; the record holds its digest.",
              _text({"conversation_history": _DIGEST_ONLY})),
        _good("without-intent-id", "The conversation stands for the intent.", _text({"intent_id": REMOVED})),
        _good("confirmed-last-second", "Confirmed in the last second of its window.",
              _text({"user_confirmation_timestamp": iso(_END - 1)})),
    ]  # fmt: skip


_WRONG: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("method-without-time", "The method without the time of confirmation.", "user_confirmation_timestamp",
     {"user_confirmation_timestamp": REMOVED}),
    ("time-without-method", "The time without the method.", "user_confirmation_timestamp",
     {"user_confirmation_method": REMOVED}),
    ("confirmed-late", "Confirmed when the window had ended: nobody wanted what was already over.",
     "user_confirmation_timestamp", {"user_confirmation_timestamp": iso(_END)}),
    ("time-offset", "Times are UTC, written in one form.", "validity_end_time",
     {"validity_end_time": "2026-02-07T08:00:00+08:00"}),
    ("total-zero", "A total of nothing.", "max_total_amount", {"max_total_amount": "0.00"}),
    ("total-decimals", "Three decimals in CNY.", "max_total_amount", {"max_total_amount": "200.001"}),
    ("methods-empty", "At least one payment method.", "allowed_payment_methods", {"allowed_payment_methods": []}),
    ("conflict", "One payment may be larger than all together.", "ext.commerce.max_single_amount",
     {"ext.commerce.max_single_amount": "200.01"}),
    ("unknown-field", "A field that ACT does not have.", "wish", {"wish": "x"}),
    ("unknown-constraint", "A bound that nobody would enforce must not be confirmed.", "ext.commerce.max_weight",
     {"ext.commerce.max_weight": "1"}),
    ("conversation-altered", "What was said is not what was digested.", "conversation_history.user_intent_raw_digest",
     {"conversation_history": _DIGEST_ONLY | {"user_intent_raw": TEXT + "!"}}),
    ("conversation-digest-nowhere", "A digest of content that nobody can find.", "conversation_history.context_ref",
     {"conversation_history": {"user_intent_raw_digest": base64url_encode(TEXT_DIGEST)}}),
    ("conversation-digest-padded", "Base64url has one form.", "conversation_history.user_intent_raw_digest",
     {"conversation_history": _DIGEST_ONLY | {"user_intent_raw_digest": base64url_encode(TEXT_DIGEST) + "="}}),
)  # fmt: skip


def _wrong_records() -> list[Vector]:
    why = "The principal cannot have confirmed what was not said."
    incomplete = [
        _bad(f"confirmed-without-{name.replace('_', '-')}", why, name, _text({name: REMOVED}))
        for name in DRAFT
        if name not in ("intent_id", "ext")
    ]
    backwards = _text({"validity_end_time": iso(_START)}, confirmed=False)
    incomplete.append(_bad("draft-window-empty", "A window that ends when it starts.", "validity", backwards))
    return [*incomplete, *(_bad(name, text, where, _text(changes)) for name, text, where, changes in _WRONG)]


def _contexts() -> list[Vector]:
    of_text: dict[str, Any] = {"op": "context", "conversation_history": _DIGEST_ONLY}
    messages = {"user_intent_raw_digest": base64url_encode(MESSAGES_DIGEST), "context_ref": _REF}
    of_messages: dict[str, Any] = {"op": "context", "conversation_history": messages}

    def good(name: str, why: str, content: bytes, of: dict[str, Any]) -> Vector:
        return accept(f"intents/context-{name}", why, ["ACT-INT-01"], content=content, **of)

    def bad(name: str, why: str, content: bytes, of: dict[str, Any]) -> Vector:
        place = "user_intent_raw_digest"
        return refuse(f"intents/context-{name}", why, "intent_digest_mismatch", place, content=content, **of)

    canonical = canonicalize(MESSAGES)
    return [
        good("text", "The text that was digested, in UTF-8.", TEXT.encode(), of_text),
        good("messages", "The messages that were digested, in their JCS form.", canonical, of_messages),
        bad("altered", "Content that somebody altered where it is kept.", TEXT.replace("200", "900").encode(), of_text),
        bad("newline", "One byte more is other content.", TEXT.encode() + b"\n", of_text),
        bad("empty", "Nothing, where something was said.", b"", of_text),
        bad("not-canonical", "The same messages in another form: what is kept is the JCS form.",
            json.dumps(MESSAGES, indent=1).encode(), of_messages),
    ]  # fmt: skip


def _select(name: str, why: str, text: bytes) -> Vector:
    delegation_id = UUID(bytes=uuid_of(f"intents/{name}")).urn
    fields: dict[str, Any] = {"op": "select", "input": text, **_SELECTED, "delegation_id": delegation_id}
    record = Isr.from_json(text)
    if not record.is_confirmed:
        return refuse(f"intents/{name}", why, "draft_invalid", "user_confirmation_timestamp", **fields)
    mandate = record.select_mandate(**_SELECTED, delegation_id=delegation_id)
    payload = prepare(header(MANDATE, KEYS["wallet"]), mandate_claims(mandate, KEYS["agent"].public_key, NOW)).payload
    if mandate.source_isr_digest != sha256(canonicalize(json.loads(text))).digest():
        raise ValueError(name)
    return accept(f"intents/{name}", why, ["ACT-CALL-04"], claims=claims_json(cbor.decode(payload)), **fields)


def _selections() -> list[Vector]:
    both = _DIGEST_ONLY | {"user_intent_raw": TEXT}
    return [
        _select("select", "The mandate names the intent; what was said stays with the record.", _text()),
        _select("select-messages", "Without an intent_id the conversation goes along.", _text({"intent_id": REMOVED})),
        _select("select-digest", "Where there is a digest, what was said stays with the record all the same.",
                _text({"intent_id": REMOVED, "conversation_history": both})),
        _select("select-private", "ext goes along whole, its private part uninterpreted.",
                _text({"ext.vendor_private": {"colour": "red"}})),
        _select("select-draft", "A mandate from what nobody confirmed would be nobody's will.", _text(confirmed=False)),
    ]  # fmt: skip


def intents_file() -> dict[str, Any]:
    """intents.json."""
    about = "Intent records: how they are read, content against its digest, and the mandate selected from a record."
    return vector_file("intents", about, [*_records(), *_wrong_records(), *_contexts(), *_selections()])

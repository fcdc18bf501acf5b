"""Vectors of mandates that say what the principal said: in full, as a digest, or by the id of an intent alone."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final

from act.calendar import iso
from act.delegation.conversation import MAX_RAW_BYTES_IN_MANDATE
from act.wire.json import canonicalize
from vector_sets.shape import Vector, accept, intermediate, refuse
from vector_sets.world import NOW, REMOVED, mandate

__all__ = ["MESSAGES", "MESSAGES_DIGEST", "TEXT", "TEXT_DIGEST", "conversations"]

TEXT: Final = "Milk tea for the team this afternoon,\nat most 200 yuan in all. \u4e0b\u5348\u8336"
TEXT_DIGEST: Final = sha256(TEXT.encode()).digest()
_TURNS: Final = (("USER", "Tea for the team, please.", 2400), ("ASSISTANT", "At most 200 yuan?", 2390), ("USER", "Yes.", 2380))
MESSAGES: Final[list[dict[str, Any]]] = [
    {"role": role, "content": content, "create_time": iso(NOW - before)} for role, content, before in _TURNS
]
"""The conversation as a JSON document has it, which is also how it is digested."""

MESSAGES_DIGEST: Final = sha256(canonicalize(MESSAGES)).digest()
_CLAIMED: Final[list[dict[str, Any]]] = [
    {"role": role, "content": content, "create_time": NOW - before} for role, content, before in _TURNS
]
_REF: Final = "wallet.example/context/1"
_HISTORY: Final = "act.conversation_history"


def _with(history: dict[str, Any], **more: Any) -> bytes:
    """A mandate with this history and without an intent_id, unless `intent_id` is given."""
    facts = {"intent_id": REMOVED, "conversation_history": history} | more
    return mandate({f"act.{name}": value for name, value in facts.items()})


def _good(name: str, why: str, rules: list[str], data: bytes, *, shown: bool = True) -> Vector:
    more = {"intermediate": intermediate(data)} if shown else {}
    return accept(f"mandates/{name}", why, rules, input=data, parties="standard", at=NOW, **more)


def _bad(name: str, why: str, code: str, where: str, data: bytes) -> Vector:
    return refuse(f"mandates/{name}", why, code, where, input=data, parties="standard", at=NOW)


def _accepted() -> list[Vector]:
    both = {"user_intent_raw": _CLAIMED, "user_intent_raw_digest": MESSAGES_DIGEST, "context_ref": _REF}
    return [
        _good("conversation-text", "Without an intent_id the mandate says what it comes from; here in one text.",
              ["ACT-ENV-05"], _with({"user_intent_raw": TEXT, "input_mode": ["VOICE"]})),
        _good("conversation-messages", "What was said as messages, with both roles.", ["ACT-ENV-07"],
              _with({"user_intent_raw": _CLAIMED, "input_mode": ["TEXT", "INTERACTIVE_CARD"]})),
        _good("conversation-digest", "A digest says where its content is kept; nobody fetches it to decide a payment.",
              ["ACT-ENV-05"], _with({"user_intent_raw_digest": TEXT_DIGEST, "context_ref": _REF})),
        _good("conversation-text-digested", "A text beside its digest: SHA-256 over its UTF-8 bytes.", ["ACT-INT-01"],
              _with({"user_intent_raw": TEXT, "user_intent_raw_digest": TEXT_DIGEST, "context_ref": _REF})),
        _good("conversation-messages-digested", "Messages beside their digest: SHA-256 over their JCS form, times as text.",
              ["ACT-INT-01"], _with(both)),
        _good("conversation-and-intent", "Both the intent's id and the conversation may be there.", ["ACT-ENV-06"],
              _with(both, intent_id="intent-2026-02-06-tea")),
        _good("conversation-largest", "The most a raw intent may have in a mandate, counted in bytes as digested.",
              ["ACT-ENV-07"], _with({"user_intent_raw": "x" * MAX_RAW_BYTES_IN_MANDATE}), shown=False),
        _good("isr-digest", "The record it was selected from, by digest, and where the wallet's key is said to be kept.",
              ["ACT-ENV-06"], mandate({"act.source_isr_digest": TEXT_DIGEST, "act.control_proof_ref": "kms.example/proof/7"})),
    ]  # fmt: skip


_DIGESTED: Final = {"user_intent_raw_digest": TEXT_DIGEST, "context_ref": _REF}
_FIRST: Final = _CLAIMED[0]


def _refused() -> list[Vector]:
    altered = TEXT.replace("200", "900")
    mismatch, place = "intent_digest_mismatch", f"mandate.{_HISTORY}.user_intent_raw_digest"
    retold = [*_CLAIMED[:2], _CLAIMED[2] | {"content": "No."}]
    wrong: tuple[tuple[str, str, str, str, dict[str, Any]], ...] = (
        ("empty", "Neither what was said nor a digest of it.", "claim_missing", "user_intent_raw", {"input_mode": ["TEXT"]}),
        ("digest-nowhere", "A digest of content that nobody can find proves nothing.", "claim_missing", "context_ref",
         {"user_intent_raw_digest": TEXT_DIGEST}),
        ("digest-short", "SHA-256 has 32 bytes.", "claim_invalid", "user_intent_raw_digest",
         _DIGESTED | {"user_intent_raw_digest": TEXT_DIGEST[:31]}),
        ("raw-empty", "A text of nothing.", "claim_invalid", "user_intent_raw", {"user_intent_raw": ""}),
        ("raw-no-messages", "A conversation without a message.", "claim_invalid", "user_intent_raw", {"user_intent_raw": []}),
        ("raw-number", "Neither a text nor messages.", "claim_invalid", "user_intent_raw", {"user_intent_raw": 200}),
        ("raw-too-large", "One byte more than a mandate may hold of it.", "claim_invalid", "user_intent_raw",
         {"user_intent_raw": "x" * (MAX_RAW_BYTES_IN_MANDATE + 1)}),
        ("role-unknown", "A role that ACT does not have.", "claim_invalid", "user_intent_raw.0.role",
         {"user_intent_raw": [_FIRST | {"role": "SYSTEM"}]}),
        ("role-missing", "A message nobody said.", "claim_missing", "user_intent_raw.0.role",
         {"user_intent_raw": [{name: value for name, value in _FIRST.items() if name != "role"}]}),
        ("message-time-text", "In claims, times are whole seconds.", "claim_invalid", "user_intent_raw.0.create_time",
         {"user_intent_raw": [_FIRST | {"create_time": iso(NOW)}]}),
        ("message-unknown-field", "A field ACT's messages do not have.", "claim_unknown", "user_intent_raw.1.mood",
         {"user_intent_raw": [_FIRST, _FIRST | {"mood": "x"}]}),
        ("mode-unknown", "An input mode that ACT does not have.", "claim_invalid", "input_mode",
         _DIGESTED | {"input_mode": ["SMELL"]}),
        ("mode-twice", "A mode twice.", "claim_invalid", "input_mode", _DIGESTED | {"input_mode": ["TEXT", "TEXT"]}),
        ("mode-none", "An empty list says neither that nor how.", "claim_invalid", "input_mode",
         _DIGESTED | {"input_mode": []}),
        ("unknown-field", "A field that ACT does not have.", "claim_unknown", "summary", _DIGESTED | {"summary": "x"}),
    )  # fmt: skip
    vectors = [
        _bad(f"conversation-{name}", why, code, f"mandate.{_HISTORY}.{where}", _with(history))
        for name, why, code, where, history in wrong
    ]
    return [
        *vectors,
        _bad("conversation-altered", "The text was altered after it was digested: another sum than was said.", mismatch, place,
             _with(_DIGESTED | {"user_intent_raw": altered})),
        _bad("conversation-retold", "The principal's answer was turned around after the conversation was digested.", mismatch,
             place, _with({"user_intent_raw": retold, "user_intent_raw_digest": MESSAGES_DIGEST, "context_ref": _REF})),
        _bad("conversation-list", "The conversation history is a map.", "claim_invalid", f"mandate.{_HISTORY}",
             mandate({_HISTORY: [TEXT]})),
        _bad("isr-digest-text", "A digest is 32 bytes, not their base64url text.", "claim_invalid",
             "mandate.act.source_isr_digest", mandate({"act.source_isr_digest": "x" * 43})),
        _bad("isr-digest-short", "A digest is 32 bytes.", "claim_invalid", "mandate.act.source_isr_digest",
             mandate({"act.source_isr_digest": bytes(31)})),
        _bad("control-proof-empty", "A reference to nothing.", "claim_invalid", "mandate.act.control_proof_ref",
             mandate({"act.control_proof_ref": ""})),
    ]  # fmt: skip


def conversations() -> list[Vector]:
    """The vectors that mandates.json has about conversations and intent records."""
    return [*_accepted(), *_refused()]

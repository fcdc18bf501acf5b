"""act.delegation.conversation: what was said, its digest, and both inside a mandate."""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest

import act
from act.delegation.conversation import (
    INPUT_MODES,
    MAX_MESSAGES,
    MAX_RAW_BYTES,
    MAX_RAW_BYTES_IN_MANDATE,
    ConversationHistory,
    Message,
    conversation_reader,
    intent_digest,
)
from act.delegation.credential import open_credential
from act.delegation.mandate import Mandate
from act.errors import InvalidCall
from tests.support.world import ABSENT, AGENT, NOW_SECONDS, WALLET, World, claims_of, key, refused, reseal

TEXT = "Milk tea for the team,\n下午之前，at most 200 yuan 🍵"
DIGEST = hashlib.sha256(TEXT.encode()).digest()
OLD = hashlib.sha256(b"the signing input of a mandate before").digest()
REF = "wallet.example/context/1"
MESSAGES = [
    {"role": "USER", "content": "Tea, please.", "create_time": NOW_SECONDS - 20},
    {"role": "ASSISTANT", "content": "Which?", "create_time": NOW_SECONDS - 10},
]
WRITTEN = [
    {"role": "USER", "content": "Tea, please.", "create_time": "2026-02-06T08:59:40Z"},
    {"role": "ASSISTANT", "content": "Which?", "create_time": "2026-02-06T08:59:50Z"},
]
# Worked out by hand as RFC 8785 has it, names sorted, no white space.
WRITTEN_JCS = (
    b'[{"content":"Tea, please.","create_time":"2026-02-06T08:59:40Z","role":"USER"},'
    b'{"content":"Which?","create_time":"2026-02-06T08:59:50Z","role":"ASSISTANT"}]'
)
WORLD = World()
IAC = WORLD.mint()
read = conversation_reader(MAX_RAW_BYTES)


def _text(digest: bytes) -> str:
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def _open(changes: dict[str, object]) -> Mandate:
    return open_credential(reseal(IAC, key(WALLET), changes)).content.mandate


# --- the digest --------------------------------------------------------------------------------------------------------


def test_the_digest_of_a_text_is_over_its_utf_8_bytes() -> None:
    assert intent_digest(TEXT) == DIGEST


def test_the_digest_of_messages_is_over_their_canonical_json() -> None:
    history = read({"user_intent_raw": MESSAGES})
    assert intent_digest(history.user_intent_raw) == hashlib.sha256(WRITTEN_JCS).digest()


def test_a_raw_intent_beside_its_digest_must_hash_to_it() -> None:
    digested = {"user_intent_raw_digest": DIGEST, "context_ref": REF}
    assert read(digested | {"user_intent_raw": TEXT}).user_intent_raw_digest == DIGEST
    with refused("intent_digest_mismatch", "user_intent_raw_digest"):
        read(digested | {"user_intent_raw": TEXT + " "})
    with refused("intent_digest_mismatch", "user_intent_raw_digest"):
        read(digested | {"user_intent_raw": MESSAGES})


def test_content_is_checked_byte_for_byte() -> None:
    history = read({"user_intent_raw_digest": DIGEST, "context_ref": REF})
    history.check_context(TEXT.encode())
    for other in (b"", TEXT.encode() + b"\n", TEXT.encode("utf-16"), TEXT.upper().encode()):
        with refused("intent_digest_mismatch", "user_intent_raw_digest"):
            history.check_context(other)
    of_messages = read({"user_intent_raw_digest": hashlib.sha256(WRITTEN_JCS).digest(), "context_ref": REF})
    of_messages.check_context(WRITTEN_JCS)
    with refused("intent_digest_mismatch", "user_intent_raw_digest"):
        of_messages.check_context(json.dumps(WRITTEN).encode())


def test_checking_content_without_a_digest_is_a_wrong_call() -> None:
    with pytest.raises(InvalidCall, match="user_intent_raw_digest"):
        read({"user_intent_raw": TEXT}).check_context(TEXT.encode())
    with pytest.raises(InvalidCall, match="content"):
        read({"user_intent_raw_digest": DIGEST, "context_ref": REF}).check_context(TEXT)


# --- reading -----------------------------------------------------------------------------------------------------------


def test_everything_is_read_and_written_back() -> None:
    claim = {
        "user_intent_raw": MESSAGES,
        "user_intent_raw_digest": hashlib.sha256(WRITTEN_JCS).digest(),
        "context_ref": REF,
        "input_mode": list(INPUT_MODES),
    }
    history = read(claim)
    assert history.user_intent_raw == (
        Message("USER", "Tea, please.", NOW_SECONDS - 20),
        Message("ASSISTANT", "Which?", NOW_SECONDS - 10),
    )
    assert history.encode() == claim
    shown = {"user_intent_raw": WRITTEN, "user_intent_raw_digest": _text(hashlib.sha256(WRITTEN_JCS).digest())}
    assert history.to_json() == claim | shown
    assert history.without_raw() == ConversationHistory(None, history.user_intent_raw_digest, REF, INPUT_MODES)
    raw_alone = read({"user_intent_raw": TEXT})
    assert raw_alone.without_raw() is raw_alone


@pytest.mark.parametrize(
    "claim, code, where",
    [
        ({}, "claim_missing", "user_intent_raw"),
        ({"context_ref": REF, "input_mode": ["TEXT"]}, "claim_missing", "user_intent_raw"),
        ({"user_intent_raw_digest": DIGEST}, "claim_missing", "context_ref"),
        ({"user_intent_raw": TEXT, "user_intent_raw_digest": DIGEST}, "claim_missing", "context_ref"),
        ({"user_intent_raw_digest": DIGEST[:31], "context_ref": REF}, "claim_invalid", "user_intent_raw_digest"),
        ({"user_intent_raw_digest": _text(DIGEST), "context_ref": REF}, "claim_invalid", "user_intent_raw_digest"),
        ({"user_intent_raw_digest": DIGEST, "context_ref": ""}, "claim_invalid", "context_ref"),
        ({"user_intent_raw": ""}, "claim_invalid", "user_intent_raw"),
        ({"user_intent_raw": []}, "claim_invalid", "user_intent_raw"),
        ({"user_intent_raw": "\ud800"}, "claim_invalid", "user_intent_raw"),
        ({"user_intent_raw": {}}, "claim_invalid", "user_intent_raw"),
        ({"user_intent_raw": b"x"}, "claim_invalid", "user_intent_raw"),
        ({"user_intent_raw": None}, "claim_invalid", "user_intent_raw"),
        ({"user_intent_raw": MESSAGES * (MAX_MESSAGES // 2 + 1)}, "claim_invalid", "user_intent_raw"),
        ({"user_intent_raw": ["x"]}, "claim_invalid", "user_intent_raw.0"),
        ({"user_intent_raw": [MESSAGES[0] | {"role": "user"}]}, "claim_invalid", "user_intent_raw.0.role"),
        ({"user_intent_raw": [MESSAGES[0] | {"content": ""}]}, "claim_invalid", "user_intent_raw.0.content"),
        ({"user_intent_raw": [MESSAGES[0] | {"create_time": True}]}, "claim_invalid", "user_intent_raw.0.create_time"),
        ({"user_intent_raw": [MESSAGES[0] | {"name": "x"}]}, "claim_unknown", "user_intent_raw.0.name"),
        ({"user_intent_raw": [{"role": "USER", "content": "x"}]}, "claim_missing", "user_intent_raw.0.create_time"),
        ({"user_intent_raw": TEXT, "input_mode": []}, "claim_invalid", "input_mode"),
        ({"user_intent_raw": TEXT, "input_mode": ["text"]}, "claim_invalid", "input_mode"),
        ({"user_intent_raw": TEXT, "input_mode": ["TEXT", "TEXT"]}, "claim_invalid", "input_mode"),
        ({"user_intent_raw": TEXT, "input_mode": "TEXT"}, "claim_invalid", "input_mode"),
        ({"user_intent_raw": TEXT, "input_mode": [1]}, "claim_invalid", "input_mode"),
        ({"user_intent_raw": TEXT, "language": "en"}, "claim_unknown", "language"),
    ],
)
def test_what_is_refused(claim: dict[str, Any], code: str, where: str) -> None:
    with refused(code, where):
        read(claim)


@pytest.mark.parametrize("limit", [MAX_RAW_BYTES_IN_MANDATE, MAX_RAW_BYTES])
def test_the_size_is_counted_in_bytes_as_digested(limit: int) -> None:
    reader = conversation_reader(limit)
    assert reader({"user_intent_raw": "é" * (limit // 2)})
    with refused("claim_invalid", "user_intent_raw"):
        reader({"user_intent_raw": "é" * (limit // 2) + "x"})
    message = MESSAGES[0] | {"content": "x" * (limit - 100)}
    assert reader({"user_intent_raw": [message]})
    with refused("claim_invalid", "user_intent_raw"):
        reader({"user_intent_raw": [message | {"content": "x" * (limit - 10)}]})


# --- in a mandate ------------------------------------------------------------------------------------------------------


def test_a_mandate_has_an_intent_id_or_the_conversation() -> None:
    history = {"user_intent_raw": TEXT, "input_mode": ["VOICE"]}
    assert _open({"act.conversation_history": history}).intent_id is not None
    alone = _open({"act.intent_id": ABSENT, "act.conversation_history": history})
    assert alone.intent_id is None
    assert alone.conversation_history == ConversationHistory(TEXT, input_mode=("VOICE",))
    with refused("claim_missing", "mandate.act.intent_id"):
        _open({"act.intent_id": ABSENT})


@pytest.mark.parametrize(
    "name, value, code",
    [
        ("conversation_history", "x", "claim_invalid"),
        ("conversation_history", {"user_intent_raw": "x" * (MAX_RAW_BYTES_IN_MANDATE + 1)}, "claim_invalid"),
        ("source_isr_digest", _text(DIGEST), "claim_invalid"),
        ("source_isr_digest", DIGEST + b"x", "claim_invalid"),
        ("supersedes", _text(DIGEST), "claim_invalid"),
        ("supersedes", DIGEST[:31], "claim_invalid"),
        ("supersedes", DIGEST + b"x", "claim_invalid"),
        ("supersedes", "x" * 32, "claim_invalid"),
        ("control_proof_ref", "", "claim_invalid"),
        ("control_proof_ref", b"x", "claim_invalid"),
    ],
)
def test_what_a_mandate_does_not_take(name: str, value: object, code: str) -> None:
    with refused(code, None) as caught:
        _open({f"act.{name}": value})
    assert caught.value.where.startswith(f"mandate.act.{name}")


def test_a_mandate_whose_conversation_was_altered_is_not_minted() -> None:
    altered = ConversationHistory(TEXT + "!", DIGEST, REF)
    mandate = Mandate(
        **{name: getattr(WORLD.mandate(), name) for name in Mandate.__slots__} | {"conversation_history": altered}
    )
    with refused("intent_digest_mismatch", "mandate.act.conversation_history.user_intent_raw_digest"):
        act.mint(mandate, signer=key(WALLET), holder=key(AGENT).public_key, at=WORLD.clock())


def test_a_mandate_with_everything_is_read_back_and_written_as_json() -> None:
    document = WORLD.document(
        intent_id=ABSENT,
        conversation_history={"user_intent_raw": WRITTEN, "input_mode": ["TEXT"]},
        source_isr_digest=_text(DIGEST),
        control_proof_ref="kms.example/proof/7",
        supersedes=_text(OLD),
    )
    mandate = act.Mandate.from_json(json.dumps(document))
    iac = act.mint(mandate, signer=key(WALLET), holder=key(AGENT).public_key, at=WORLD.clock())
    assert open_credential(iac).content.mandate == mandate
    claimed = claims_of(iac)["act"]
    assert claimed["conversation_history"] == {"user_intent_raw": MESSAGES, "input_mode": ["TEXT"]}
    assert (claimed["source_isr_digest"], claimed["control_proof_ref"]) == (DIGEST, "kms.example/proof/7")
    assert claimed["supersedes"] == mandate.supersedes == OLD
    assert "intent_id" not in claimed


@pytest.mark.parametrize(
    "change, where",
    [
        ({"intent_id": ABSENT}, "intent_id"),
        ({"conversation_history": {}}, "conversation_history.user_intent_raw"),
        ({"conversation_history": {"user_intent_raw": [WRITTEN[0] | {"create_time": "now"}]}},
         "conversation_history.user_intent_raw.0.create_time"),
        ({"conversation_history": {"user_intent_raw_digest": _text(DIGEST)}}, "conversation_history.context_ref"),
        ({"conversation_history": {"user_intent_raw_digest": "x", "context_ref": REF}},
         "conversation_history.user_intent_raw_digest"),
        ({"conversation_history": {"user_intent_raw": TEXT, "mood": "x"}}, "conversation_history.mood"),
        ({"conversation_history": {"user_intent_raw": "x" * (MAX_RAW_BYTES_IN_MANDATE + 1)}},
         "conversation_history.user_intent_raw"),
        ({"source_isr_digest": DIGEST.hex()}, "source_isr_digest"),
        ({"source_isr_digest": _text(DIGEST) + "="}, "source_isr_digest"),
        ({"supersedes": OLD.hex()}, "supersedes"),
        ({"supersedes": _text(OLD) + "="}, "supersedes"),
        ({"supersedes": _text(OLD[:31])}, "supersedes"),
        ({"supersedes": None}, "supersedes"),
        ({"control_proof_ref": 7}, "control_proof_ref"),
    ],
)  # fmt: skip
def test_a_wrong_document_is_named_with_the_place(change: dict[str, Any], where: str) -> None:
    with pytest.raises(InvalidCall) as caught:
        WORLD.mandate(**change)
    assert (caught.value.code, caught.value.where) == ("draft_invalid", where)

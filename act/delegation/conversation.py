"""What the principal said: ACT's `conversation_history` (ADD-INT-ICS), in full or as a digest of content kept elsewhere.

The digest is SHA-256: over the UTF-8 bytes of a text, over the JCS form (RFC 8785) of a list of messages as JSON has it. What
lies at `context_ref` is exactly those bytes. Nothing is fetched here; whoever has the content asks `check_context`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from act.calendar import iso, parse_iso, read_instant
from act.documents import Document
from act.envelope.claims import Fields, Reader, read_digest, read_fields, read_text
from act.errors import InvalidCall, Refused
from act.wire.base64url import base64url_decode, base64url_encode
from act.wire.json import canonicalize

__all__ = [
    "INPUT_MODES",
    "MAX_MESSAGES",
    "MAX_RAW_BYTES",
    "MAX_RAW_BYTES_IN_MANDATE",
    "ROLES",
    "ConversationDocument",
    "ConversationHistory",
    "Message",
    "conversation_reader",
    "intent_digest",
    "read_conversation_document",
    "read_document_digest",
]

ROLES: Final = ("USER", "ASSISTANT")
INPUT_MODES: Final = ("TEXT", "VOICE", "IMAGE", "INTERACTIVE_CARD", "OTHER")

MAX_RAW_BYTES_IN_MANDATE: Final = 8_192
"""Bytes of a raw intent in a mandate, as they are digested: half of what a signed object may have, in either envelope."""

MAX_RAW_BYTES: Final = 131_072
"""Bytes of a raw intent in a record that stays with the wallet."""

MAX_MESSAGES: Final = 512
"""Messages of one conversation."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation: `role` USER or ASSISTANT, `content` as it was said, `create_time` in seconds since 1970."""

    role: str
    content: str
    create_time: int


RawIntent = str | tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class ConversationHistory:
    """What was said, how, or the digest of it; always one of the two, and never two that disagree (ACT-INT-01).

    `user_intent_raw` is a text or messages, `user_intent_raw_digest` 32 bytes, `context_ref` where the digested content is kept
    (an identifier that nobody here follows), `input_mode` ACT's words for how it was said, without repetition.
    """

    user_intent_raw: RawIntent | None = None
    user_intent_raw_digest: bytes | None = None
    context_ref: str | None = None
    input_mode: tuple[str, ...] = ()

    def check_context(self, content: bytes) -> None:
        """Returns if `content`, fetched from `context_ref`, is what was digested, byte for byte.

        Raises `Refused` intent_digest_mismatch (ACT-INT-01), and `InvalidCall` when this history has no digest.
        """
        if self.user_intent_raw_digest is None:
            raise InvalidCall("call_invalid", "user_intent_raw_digest", reason="this conversation history has no digest")
        if type(content) is not bytes:
            raise InvalidCall("call_invalid", "content", expected="bytes")
        if sha256(content).digest() != self.user_intent_raw_digest:
            raise Refused("intent_digest_mismatch", "user_intent_raw_digest")

    def without_raw(self) -> ConversationHistory:
        """The same history with the digest alone; itself where there is no digest to keep."""
        if self.user_intent_raw_digest is None or self.user_intent_raw is None:
            return self
        return ConversationHistory(None, self.user_intent_raw_digest, self.context_ref, self.input_mode)

    def encode(self) -> dict[str, Any]:
        """The claim that a reader of `conversation_reader` takes back: the digest as bytes, times in seconds."""
        return self._written(lambda digest: digest, lambda time: time)

    def to_json(self) -> dict[str, Any]:
        """The member of a JSON document: the digest in base64url, times as ISO 8601 UTC."""
        return self._written(base64url_encode, iso)

    def _written(self, digest: Callable[[bytes], Any], time: Callable[[int], Any]) -> dict[str, Any]:
        written: dict[str, Any] = {}
        if self.user_intent_raw is not None:
            written["user_intent_raw"] = _write_raw(self.user_intent_raw, time)
        if self.user_intent_raw_digest is not None:
            written["user_intent_raw_digest"] = digest(self.user_intent_raw_digest)
        if self.context_ref is not None:
            written["context_ref"] = self.context_ref
        if self.input_mode:
            written["input_mode"] = list(self.input_mode)
        return written


def _write_raw(raw: RawIntent, time: Callable[[int], Any]) -> Any:
    if isinstance(raw, str):
        return raw
    return [{"role": each.role, "content": each.content, "create_time": time(each.create_time)} for each in raw]


def _digested(raw: RawIntent) -> bytes:
    """The bytes that the digest of a raw intent is taken over: what is kept at `context_ref`."""
    return raw.encode() if isinstance(raw, str) else canonicalize(_write_raw(raw, iso))


def intent_digest(raw: RawIntent) -> bytes:
    """`user_intent_raw_digest` of a raw intent: 32 bytes."""
    return sha256(_digested(raw)).digest()


# --- reading -----------------------------------------------------------------------------------------------------------


def conversation_reader(max_raw_bytes: int) -> Reader:
    """A reader of the claim `conversation_history` whose raw intent has at most so many bytes, as they are digested.

    It raises `Refused` with the place inside: claim_missing, claim_unknown, claim_invalid, intent_digest_mismatch.
    """

    def read(value: object) -> ConversationHistory:
        fields = read_fields(_HISTORY, value, "")
        raw, digest = fields.get("user_intent_raw"), fields.get("user_intent_raw_digest")
        if raw is None and digest is None:
            raise Refused("claim_missing", "user_intent_raw", reason="the raw intent or its digest")
        if digest is not None and "context_ref" not in fields:
            raise Refused("claim_missing", "context_ref", reason="a digest says where its content is kept")
        if raw is not None:
            content = _digested(raw)
            if len(content) > max_raw_bytes:
                raise Refused("claim_invalid", "user_intent_raw", expected=f"at most {max_raw_bytes} bytes")
            if digest is not None and sha256(content).digest() != digest:
                raise Refused("intent_digest_mismatch", "user_intent_raw_digest")
        return ConversationHistory(raw, digest, fields.get("context_ref"), fields.get("input_mode", ()))

    return read


def _read_content(value: object) -> str:
    """Whatever people say, line breaks and all; shown escaped, compared by nobody."""
    if type(value) is not str or not value or len(value) > MAX_RAW_BYTES:
        raise Refused("claim_invalid", expected="a text that is not empty")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Refused("claim_invalid", expected="text without lone surrogates") from None
    return value


def _one_of(words: Sequence[str]) -> Reader:
    def read(value: object) -> str:
        if type(value) is not str or value not in words:
            raise Refused("claim_invalid", expected=" or ".join(words))
        return value

    return read


_MESSAGE: Final = Fields({"role": _one_of(ROLES), "content": _read_content, "create_time": read_instant})


def _read_raw(value: object) -> RawIntent:
    if type(value) is not list:
        return _read_content(value)
    if not 0 < len(value) <= MAX_MESSAGES:
        raise Refused("claim_invalid", expected=f"a text, or 1 to {MAX_MESSAGES} messages")
    return tuple(Message(**read_fields(_MESSAGE, message, str(place))) for place, message in enumerate(value))


_read_mode: Final = _one_of(INPUT_MODES)


def _read_modes(value: object) -> tuple[str, ...]:
    if type(value) is not list or not value:
        raise Refused("claim_invalid", expected="a list of input modes")
    modes = tuple(map(_read_mode, value))
    if len(set(modes)) != len(modes):
        raise Refused("claim_invalid", expected="different input modes")
    return modes


_HISTORY: Final = Fields(
    {},
    {
        "user_intent_raw": _read_raw,
        "user_intent_raw_digest": read_digest,
        "context_ref": read_text,
        "input_mode": _read_modes,
    },
)


# --- JSON documents ------------------------------------------------------------------------------------------------------


class _MessageDocument(Document):
    role: str
    content: str
    create_time: str


class ConversationDocument(Document):
    """`conversation_history` as JSON documents have it; `read_conversation_document` says what it means."""

    user_intent_raw: str | list[_MessageDocument] | None = None
    user_intent_raw_digest: str | None = None
    context_ref: str | None = None
    input_mode: list[str] | None = None


def read_conversation_document(model: ConversationDocument, max_raw_bytes: int) -> ConversationHistory:
    """The history a document states. Raises `Refused` with places from `conversation_history` on."""
    stated = model.model_dump(exclude_none=True)
    try:
        if isinstance(raw := stated.get("user_intent_raw"), list):
            for place, message in enumerate(raw):
                message["create_time"] = parse_iso(message["create_time"], f"user_intent_raw.{place}.create_time")
        if "user_intent_raw_digest" in stated:
            digest = read_document_digest(stated["user_intent_raw_digest"], "user_intent_raw_digest")
            stated["user_intent_raw_digest"] = digest
        history: ConversationHistory = conversation_reader(max_raw_bytes)(stated)
    except Refused as refusal:
        raise refusal.within("conversation_history") from None
    return history


def read_document_digest(text: str, where: str) -> bytes:
    """A SHA-256 digest from the base64url text that JSON documents write it as. Raises `Refused` at `where`."""
    try:
        return read_digest(base64url_decode(text))
    except Refused as refusal:
        raise refusal.within(where) from None

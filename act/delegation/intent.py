"""The intent record: ACT's ISR (Intent Structured Result, ADD-INT-ICS), from a draft to the mandate selected from it.

A draft may be incomplete: `missing` names what the agent still has to clarify. `confirm` turns a complete draft, whose
`summary` the principal was shown, into the final record, once. `select_mandate` takes from it what a mandate needs and nothing
else; the record itself stays with the wallet, and the mandate carries its digest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final, Self

from act.calendar import instant, iso, parse_iso
from act.delegation.constraints import REGISTRY, Constraint, Language, build_constraints, require_purpose
from act.delegation.constraints.payload import write_constraints
from act.delegation.conversation import (
    MAX_RAW_BYTES,
    MAX_RAW_BYTES_IN_MANDATE,
    ConversationDocument,
    ConversationHistory,
    conversation_reader,
    read_conversation_document,
)
from act.delegation.document import raw_constraints, read_confirmation, read_delegation_id, read_ext, require_text
from act.delegation.mandate import Mandate
from act.documents import Document, naming_faults, parse_document
from act.envelope.claims import Fields, read_digest, read_fields, read_name, read_text
from act.errors import InvalidCall, Refused
from act.wire import cbor, json
from act.wire.base64url import base64url_decode, base64url_encode

__all__ = ["MAX_ISR_BYTES", "Isr"]

MAX_ISR_BYTES: Final = 256_000
"""Bytes of an intent record: it stays with the wallet and may hold a whole conversation."""

MAX_SELECTED_BYTES: Final = 6_144
"""Bytes of the bounds that a mandate takes from a record: with the largest conversation they still fit into one object."""

MIN_SALT_BYTES: Final = 16

_REQUIRED: Final = (
    "conversation_history",
    "delegation_mode",
    "validity_start_time",
    "validity_end_time",
    "max_total_amount",
    "currency",
    "allowed_payment_methods",
    "agent_id",
)
"""What a record must say before it can be confirmed. Here nothing has a default: what is signed later was said now."""

_SELECTED: Final = Fields(
    {"issuer": read_text, "ledger": read_text, "delegator_identity": read_text},
    {"control_proof_ref": read_text, "supersedes": read_digest},
)
"""What a mandate says that no record does."""

_ADDRESS_PATH: Final = "ext.fulfillment.delivery_address"


class _Document(Document):
    """The frame. `ext` is read by the same table as a mandate's, so that a block one of them knows the other knows as well."""

    conversation_history: ConversationDocument | None = None
    intent_id: str | None = None
    delegation_mode: str | None = None
    validity_start_time: str | None = None
    validity_end_time: str | None = None
    max_total_amount: str | int | Decimal | None = None
    currency: str | None = None
    allowed_payment_methods: list[str] | None = None
    agent_id: str | None = None
    user_confirmation_method: str | None = None
    user_confirmation_timestamp: str | None = None
    ext: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Isr:
    """An intent record (ISR), draft or confirmed. Made by `from_json` and `confirm`.

    `constraints` are what its mandate will have, in the registry's order; without a currency no amount can be read, and there
    are none. `missing` names ACT's fields that a complete record still lacks. `canonical` is the record in JCS form: what
    is stored, and what `digest` is taken over. Times are seconds since 1970, UTC.
    """

    canonical: bytes
    conversation_history: ConversationHistory | None
    intent_id: str | None
    agent_id: str | None
    constraints: tuple[Constraint, ...]
    vendor_private: Mapping[str, Any] | None
    delivery_address: str | None
    missing: tuple[str, ...]
    user_confirmation_method: str | None
    user_confirmation_timestamp: int | None

    @classmethod
    def from_json(cls, document: str | bytes | dict[str, Any]) -> Self:
        """A record from its JSON document under ACT's field names (`spec/intent.md`), given as text or decoded.

        Raises `InvalidCall` draft_invalid with the place and the reason: for a field that is unknown or wrong, for constraints
        that contradict each other, for a confirmation of what is not complete, and for a conversation that a mandate would
        have to carry, because there is no intent_id, and that is too large for it.
        """
        with naming_faults("draft_invalid"):
            plain = parse_document(document, max_bytes=MAX_ISR_BYTES)
            return cls(**_read(_Document.model_validate(plain), plain))

    @property
    def is_confirmed(self) -> bool:
        """Whether it says that the principal confirmed it; whether that is true, the wallet knows, which made it."""
        return self.user_confirmation_timestamp is not None

    @property
    def digest(self) -> bytes:
        """`source_isr_digest`: SHA-256 of the JCS form."""
        return sha256(self.canonical).digest()

    def to_json(self) -> str:
        """The record as JSON text, in its JCS form; `from_json` takes it back."""
        return self.canonical.decode()

    def summary(self, language: Language = "en") -> tuple[str, ...]:
        """What the principal is asked to confirm, one line per bound, in English or Chinese.

        It is made from the constraints themselves, so it says what will be enforced; a delivery address that the mandate will
        hold as a digest is shown as it was given.
        """
        chinese = language == "zh"
        lines = []
        if self.agent_id is not None:
            lines.append(f"代您付款的代理人：{self.agent_id}" if chinese else f"{self.agent_id} may pay for you")
        for constraint in self.constraints:
            if constraint.path == _ADDRESS_PATH and self.delivery_address is not None:
                shown = self.delivery_address
                lines.append(f"送货地址：{shown}" if chinese else f"delivered to {shown}")
            else:
                lines.append(constraint.describe(language))
        return tuple(lines)

    def confirm(self, *, method: str, at: datetime) -> Self:
        """The final record: confirmed by the principal with `method` (such as passkey) at instant `at`.

        Raises `InvalidCall` draft_invalid when it is confirmed already, when something is missing (the first such field is the
        place, all of them the fact `missing`), and when its window ends at `at` or before.
        """
        if self.is_confirmed:
            raise InvalidCall("draft_invalid", "user_confirmation_timestamp", reason="the record is confirmed already")
        confirmation = {"user_confirmation_method": method, "user_confirmation_timestamp": iso(instant(at))}
        draft = json.decode(self.canonical, max_bytes=MAX_ISR_BYTES)
        assert isinstance(draft, dict)  # noqa: S101 - for the type checker: `from_json` takes nothing else
        return self.from_json({**draft, **confirmation})

    def select_mandate(
        self,
        *,
        issuer: str,
        ledger: str,
        delegator_identity: str,
        delegation_id: str | None = None,
        control_proof_ref: str | None = None,
        supersedes: bytes | None = None,
    ) -> Mandate:
        """The mandate that this record authorizes, to be minted as it is (ADD-IAC-ISS); without an id a random one is drawn.

        What was said stays out of it where the record has an intent_id. Otherwise the conversation history goes along, as its
        digest if it has one. `supersedes` is the identity of the mandate it replaces. Raises `InvalidCall` draft_invalid for a
        record that is not confirmed and for a name that is none.
        """
        if not self.is_confirmed or self.agent_id is None:
            raise InvalidCall("draft_invalid", "user_confirmation_timestamp", reason="the record is not confirmed")
        names = {"issuer": issuer, "ledger": ledger, "delegator_identity": delegator_identity}
        references = {"control_proof_ref": control_proof_ref, "supersedes": supersedes}
        with naming_faults("draft_invalid"):
            read_fields(_SELECTED, names | {name: value for name, value in references.items() if value is not None}, "")
            history = None if self.intent_id is not None else _selected(self.conversation_history)
            selected_id = read_delegation_id(delegation_id)
        return Mandate(
            delegation_id=selected_id,
            agent_id=self.agent_id,
            intent_id=self.intent_id,
            constraints=self.constraints,
            user_confirmation_method=self.user_confirmation_method,
            user_confirmation_timestamp=self.user_confirmation_timestamp,
            vendor_private=self.vendor_private,
            conversation_history=history,
            source_isr_digest=self.digest,
            control_proof_ref=control_proof_ref,
            supersedes=supersedes,
            issuer=issuer,
            ledger=ledger,
            delegator_identity=delegator_identity,
        )


def _read(model: _Document, plain: dict[str, Any]) -> dict[str, Any]:
    """The fields of an `Isr` by name. Raises `Refused`, `InvalidCall` or pydantic's error."""
    canonical = _canonical(plain)
    stated = model.model_dump(exclude_none=True)
    ext, address = _with_hidden_address(stated.get("ext", {}))
    stated |= read_ext(ext)
    confirmed_at = read_confirmation(stated)
    missing = tuple(name for name in _REQUIRED if name not in stated)
    if confirmed_at is not None and missing:
        raise InvalidCall("draft_invalid", missing[0], reason="the record is not complete", missing=", ".join(missing))
    window = _window(stated)
    if confirmed_at is not None and window is not None and confirmed_at >= window[1]:
        raise Refused("claim_invalid", "user_confirmation_timestamp", expected="an instant before the window's end")
    history = None
    if model.conversation_history is not None:
        history = read_conversation_document(model.conversation_history, MAX_RAW_BYTES)
        if model.intent_id is None:
            _selected(history)  # now, because after the confirmation it would be too late
    for name in ("agent_id", "intent_id", "user_confirmation_method"):
        if name in stated:
            require_text(stated[name], name)
    constraints = _constraints(stated, window)
    vendor_private = stated["ext"].get("vendor_private") or None
    bounds = write_constraints(constraints, vendor_private)
    if len(cbor.encode(bounds)) > MAX_SELECTED_BYTES:  # now, because nobody could mint it once it is confirmed
        raise Refused("input_too_large", "ext", max_bytes=MAX_SELECTED_BYTES)
    return {
        "canonical": canonical,
        "conversation_history": history,
        "intent_id": model.intent_id,
        "agent_id": model.agent_id,
        "constraints": constraints,
        "vendor_private": vendor_private,
        "delivery_address": address,
        "missing": missing,
        "user_confirmation_method": model.user_confirmation_method,
        "user_confirmation_timestamp": confirmed_at,
    }


def _window(stated: Mapping[str, Any]) -> tuple[int, int] | None:
    """The window in seconds, both ends checked, or None while an end is missing."""
    names = ("validity_start_time", "validity_end_time")
    ends = [parse_iso(stated[name], name) for name in names if name in stated]
    return (ends[0], ends[1]) if len(ends) == len(names) else None


def _constraints(stated: Mapping[str, Any], window: tuple[int, int] | None) -> tuple[Constraint, ...]:
    """Every constraint that can be read so far, judged one by one and against each other as a mandate's are."""
    if "currency" not in stated:
        _require_readable(stated, window)
        return ()
    raw = raw_constraints(stated)
    if window is not None:
        raw["validity"] = window
    constraints = build_constraints(raw)
    if stated.keys() >= set(_REQUIRED) - {"conversation_history"}:  # a complete draft; before that, more is to come
        require_purpose(stated["delegation_mode"], constraints)
    return constraints


def _require_readable(stated: Mapping[str, Any], window: tuple[int, int] | None) -> None:
    """A draft whose currency is still to come: everything but its amounts, one by one."""
    try:
        raw = raw_constraints({**stated, "currency": _PLACEHOLDER})
    except Refused as refusal:
        if refusal.code != "amount_invalid":
            raise
        return
    if window is not None:
        raw["validity"] = window
    for path, value in raw.items():
        try:
            REGISTRY[path].read(value, _PLACEHOLDER)
        except Refused as refusal:
            if refusal.code != "amount_invalid":
                raise refusal.within(path) from None


_PLACEHOLDER: Final = "CNY"


def _canonical(plain: dict[str, Any]) -> bytes:
    try:
        canonical = json.canonicalize(plain)
    except InvalidCall as fault:  # such as a Decimal of 16 digits inside vendor_private
        expected = str(fault.facts.get("expected", "values that JSON can carry"))
        raise Refused("claim_invalid", expected=expected) from None
    if len(canonical) > MAX_ISR_BYTES:
        raise Refused("input_too_large", max_bytes=MAX_ISR_BYTES)
    json.decode(canonical, max_bytes=MAX_ISR_BYTES)  # JCS writes 0.0000001 with an exponent, which no reader here takes
    return canonical


def _selected(history: ConversationHistory | None) -> ConversationHistory | None:
    """What of the history a mandate may hold: its digest where there is one, otherwise all of it if it is small enough."""
    if history is None:
        return None
    selected = history.without_raw()
    try:
        conversation_reader(MAX_RAW_BYTES_IN_MANDATE)(selected.encode())
    except Refused as refusal:
        raise refusal.within("conversation_history") from None
    return selected


def _with_hidden_address(ext: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
    """`ext` as a mandate may have it, and the delivery address in clear if the record states one.

    A record may give `ext.fulfillment.delivery_address` as `{"address": text, "salt": base64url of 16 bytes or more}`; a
    mandate holds SHA-256(salt || UTF-8 address) and never an address in clear.
    """
    fulfillment = ext.get("fulfillment")
    stated = fulfillment.get("delivery_address") if isinstance(fulfillment, dict) else None
    if not isinstance(fulfillment, dict) or not isinstance(stated, dict):
        return ext, None
    address, salt = stated.get("address"), stated.get("salt")
    if stated.keys() != {"address", "salt"} or not isinstance(address, str) or not address or not isinstance(salt, str):
        raise Refused("claim_invalid", _ADDRESS_PATH, expected="an address and a salt, or their digest")
    try:
        read_name(address)  # it is shown to the principal beside the bounds, and must not be able to look like one
    except Refused as refusal:
        raise refusal.within(f"{_ADDRESS_PATH}.address") from None
    try:
        salt_bytes = base64url_decode(salt)
    except Refused as refusal:
        raise refusal.within(f"{_ADDRESS_PATH}.salt") from None
    if len(salt_bytes) < MIN_SALT_BYTES:
        raise Refused("claim_invalid", f"{_ADDRESS_PATH}.salt", expected=f"at least {MIN_SALT_BYTES} bytes")
    digest = sha256(salt_bytes + address.encode()).digest()
    return ext | {"fulfillment": fulfillment | {"delivery_address": base64url_encode(digest)}}, address

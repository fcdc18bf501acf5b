"""The mandate: what a principal authorizes, ACT's IAC payload (ADD-IAC-ISS), and its claims.

Facts say who and what for; constraints say how far. Every field stands once: who and when in registered claims, everything else
in the private claim under ACT's own name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from act.calendar import read_instant
from act.delegation.constraints import DEFAULT_MODE, Constraint, Validity, require_purpose
from act.delegation.constraints.payload import DEFAULTS, read_constraints, write_constraints
from act.delegation.conversation import MAX_RAW_BYTES_IN_MANDATE, ConversationHistory, conversation_reader
from act.delegation.document import read_mandate_document
from act.delegation.vc_jwt import UNNAMED_LEDGER
from act.envelope.claims import (
    Fields,
    Reader,
    delegation_id_claim,
    read_delegation_id,
    read_digest,
    read_fields,
    read_map,
    read_raw,
    read_text,
)
from act.errors import InvalidCall, Refused
from act.keys import PublicKey
from act.values import immutable

__all__ = [
    "CREDENTIAL_CLAIMS",
    "Mandate",
    "MandateKey",
    "SignedMandate",
    "mandate_claims",
    "read_holder",
    "read_mandate",
    "write_holder",
]

CREDENTIAL_CLAIMS: Final[Mapping[str, Reader]] = {
    "iss": read_text,
    "sub": read_text,
    "aud": read_text,
    "exp": read_instant,
    "nbf": read_instant,
    "iat": read_instant,
    "cti": read_delegation_id,
    "cnf": read_map,
    "act": read_map,
}
"""The claims that a mandate and a link have in common, and how each is read."""

_CLAIMS: Final = Fields({**CREDENTIAL_CLAIMS, "status": read_map})
_LEDGER_STATUS: Final = Fields({"ledger": read_text})
_UNNAMED: Final = {"aud": UNNAMED_LEDGER, "status": {"ledger": UNNAMED_LEDGER}}
_CLAIMS_WITHOUT_LEDGER: Final = Fields({name: read for name, read in _CLAIMS.readers.items() if name not in _UNNAMED})
_CONFIRMATION_KEY: Final = 1  # RFC 8747: the COSE_Key member of cnf


_ACT: Final = Fields(
    {"delegator_identity": read_text, "max_total_amount": read_raw, "currency": read_raw},
    {
        "intent_id": read_text,
        "conversation_history": conversation_reader(MAX_RAW_BYTES_IN_MANDATE),
        "delegation_mode": read_raw,
        "allowed_payment_methods": read_raw,
        "user_confirmation_method": read_text,
        "user_confirmation_timestamp": read_instant,
        "source_isr_digest": read_digest,
        "control_proof_ref": read_text,
        "supersedes": read_digest,
        "ext": read_map,
    },
)
C = TypeVar("C", bound=Constraint)


@dataclass(frozen=True, slots=True)
class MandateKey:
    """How a ledger names a mandate: the issuer's word for it, within the delegator it speaks for."""

    issuer: str
    delegator_identity: str
    delegation_id: str


@dataclass(frozen=True, slots=True)
class Mandate:
    """What a principal authorizes, before and after it is signed.

    `delegation_id` is `urn:uuid:` and a UUID in lower case; a VC-JWT may carry any other text. `ledger` is the one payment
    service that counts what is spent (the credential's audience); it is empty only before `authenticate`, for a credential in
    ACT 2.0's layout that leaves it to the parties file.
    `constraints` stand in the registry's order and always hold the window, the mode, the currency and the total.
    A mandate names its intent by `intent_id` or, where it has none, holds the `conversation_history` it came from; it may have
    both. `source_isr_digest` is the digest of the confirmed intent record it was selected from (32 bytes). `control_proof_ref`
    says where to find proof that the wallet's key is in managed custody; it is carried and shown, never followed.
    `supersedes` is the identity of the mandate that this one replaces (32 bytes): the ledger closes that one and carries over
    what was spent under it.
    Identifiers are 1 to 256 printable characters, compared byte for byte. Times are seconds since 1970, UTC.
    """

    delegation_id: str
    issuer: str
    ledger: str
    delegator_identity: str
    agent_id: str
    intent_id: str | None
    constraints: tuple[Constraint, ...]
    user_confirmation_method: str | None = None
    user_confirmation_timestamp: int | None = None
    vendor_private: Mapping[str, Any] | None = None
    conversation_history: ConversationHistory | None = None
    source_isr_digest: bytes | None = None
    control_proof_ref: str | None = None
    supersedes: bytes | None = None

    @classmethod
    def from_json(cls, document: str | bytes | dict[str, Any]) -> Mandate:
        """A mandate from its JSON document under ACT's field names, with `issuer` and `ledger` beside them.

        Amounts are decimal strings or JSON numbers, times ISO 8601 UTC. A missing `delegation_id` is drawn at random. Raises
        `InvalidCall` draft_invalid with the place and the reason.
        """
        return cls(**read_mandate_document(document))

    def constraint(self, kind: type[C]) -> C:
        """The mandate's constraint of that kind; raises `InvalidCall` when it has none."""
        for constraint in self.constraints:
            if isinstance(constraint, kind):
                return constraint
        raise InvalidCall("call_invalid", kind.path, reason="the mandate has no such constraint")


@immutable
class SignedMandate:
    """A mandate as a credential carries it: with the agent's key and the time of signing."""

    mandate: Mandate
    holder: PublicKey
    issued_at: int


def read_mandate(claims: dict[str, Any]) -> SignedMandate:
    """The mandate in a credential's claims. Raises `Refused` for whatever this profile does not know or allow."""
    if claims.get("aud") is UNNAMED_LEDGER:
        named = {name: value for name, value in claims.items() if name not in _UNNAMED}
        head = read_fields(_CLAIMS_WITHOUT_LEDGER, named, "mandate") | _UNNAMED
    else:
        head = read_fields(_CLAIMS, claims, "mandate")
        if head["status"] != {"ledger": head["aud"]}:
            status = read_fields(_LEDGER_STATUS, head["status"], "mandate.status")
            raise Refused("status_unavailable", "mandate.status", ledger=status["ledger"])
    holder = read_holder(head["cnf"], "mandate.cnf")
    body = read_fields(_ACT, head["act"], "mandate.act")
    intent_id, history = body.get("intent_id"), body.get("conversation_history")
    if intent_id is None and history is None:
        raise Refused("claim_missing", "mandate.act.intent_id", reason="an intent_id, or the conversation history")
    if ("user_confirmation_method" in body) != ("user_confirmation_timestamp" in body):
        raise Refused("claim_missing", "mandate.act.user_confirmation_timestamp", reason="method and time go together")
    constraints, vendor_private = read_constraints(body, (head["nbf"], head["exp"]), DEFAULTS, "mandate.act")
    try:
        require_purpose(body.get("delegation_mode", DEFAULT_MODE), constraints)
    except Refused as refusal:
        raise refusal.within("mandate.act") from None
    mandate = Mandate(
        head["cti"],
        head["iss"],
        head["aud"],
        body["delegator_identity"],
        head["sub"],
        intent_id,
        constraints,
        body.get("user_confirmation_method"),
        body.get("user_confirmation_timestamp"),
        vendor_private,
        history,
        body.get("source_isr_digest"),
        body.get("control_proof_ref"),
        body.get("supersedes"),
    )
    return SignedMandate(mandate, holder, head["iat"])


def read_holder(cnf: dict[Any, Any], where: str) -> PublicKey:
    """The agent's key in a cnf claim (RFC 8747): exactly one COSE_Key."""
    if cnf.keys() != {_CONFIRMATION_KEY}:
        raise Refused("claim_invalid", where, expected="one COSE_Key")
    return PublicKey.from_cose_key(cnf[_CONFIRMATION_KEY], where + ".COSE_Key")


def write_holder(holder: PublicKey) -> dict[int, Any]:
    """The cnf claim that `read_holder` takes back."""
    return {_CONFIRMATION_KEY: holder.cose_key}


def mandate_claims(mandate: Mandate, holder: PublicKey, issued_at: int) -> dict[str, Any]:
    """The claims that `read_mandate` takes back."""
    body: dict[str, Any] = {"delegator_identity": mandate.delegator_identity}
    body |= write_constraints(mandate.constraints, mandate.vendor_private)
    for name in ("intent_id", "source_isr_digest", "control_proof_ref", "supersedes"):
        if (value := getattr(mandate, name)) is not None:
            body[name] = value
    if mandate.conversation_history is not None:
        body["conversation_history"] = mandate.conversation_history.encode()
    window = mandate.constraint(Validity)
    if mandate.user_confirmation_method is not None:
        body["user_confirmation_method"] = mandate.user_confirmation_method
        body["user_confirmation_timestamp"] = mandate.user_confirmation_timestamp
    return {
        "iss": mandate.issuer,
        "sub": mandate.agent_id,
        "aud": mandate.ledger,
        "nbf": window.start,
        "exp": window.end,
        "iat": issued_at,
        "cti": delegation_id_claim(mandate.delegation_id),
        "cnf": write_holder(holder),
        "status": {"ledger": mandate.ledger},
        "act": body,
    }

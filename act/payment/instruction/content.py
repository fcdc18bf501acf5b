"""What an instruction says: its content, and the claims that carry it. Each action has exactly its own fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from act.calendar import read_instant
from act.delegation.lifecycle import LifecycleAction
from act.envelope.claims import (
    Fields,
    delegation_id_claim,
    read_delegation_id,
    read_digest,
    read_fields,
    read_id,
    read_map,
    read_name,
    read_text,
)
from act.errors import Refused
from act.money import Amount
from act.payment.charge import ChargeAction

__all__ = [
    "FIELDS",
    "MAX_INSTRUCTION_SECONDS",
    "Action",
    "ChargeTerms",
    "CredentialName",
    "Instruction",
    "instruction_claims",
    "read_action",
    "read_instruction",
    "require_lifetime",
]

MAX_INSTRUCTION_SECONDS: Final = 86_400
"""How long an instruction may live: a wallet that is offline for a night still stops its agent, and no id is kept for ever."""

Action = LifecycleAction | ChargeAction


@dataclass(frozen=True, slots=True)
class CredentialName:
    """The credential an instruction is about. `delegator_identity` and `delegation_id` are the mandate's; `credential` is the
    identity of the mandate, or of the link below it, that is meant."""

    delegator_identity: str
    delegation_id: str
    credential: bytes


@dataclass(frozen=True, slots=True)
class ChargeTerms:
    """The charge an instruction is about. A capture and a refund have an amount; `capture_no` makes a capture a part, and every
    refund has a `refund_no`. `fulfilment` is the digest of what proves that the payee delivered."""

    trade_no: str
    amount: Amount | None = None
    capture_no: str | None = None
    refund_no: str | None = None
    fulfilment: bytes | None = None


@dataclass(frozen=True, slots=True)
class Instruction:
    """What is signed. `instruction_id` is 16 random bytes, `issuer` the id of whoever signs: a party, or an agent.

    `about` is a `CredentialName` for suspend, resume and revoke, and `ChargeTerms` for capture, void and refund. Times are
    seconds since 1970, UTC. `reason` is for people, and decides nothing.
    """

    instruction_id: bytes
    issuer: str
    audience: str
    action: Action
    about: CredentialName | ChargeTerms
    issued_at: int
    expires_at: int
    reason: str | None = None


def require_lifetime(said: Instruction) -> None:
    """Rule ACT-INS-04: it ends after it was issued, and within a day."""
    seconds = said.expires_at - said.issued_at
    if not 0 < seconds <= MAX_INSTRUCTION_SECONDS:
        raise Refused("instruction_lifetime_too_long", "instruction.exp", seconds=seconds)


_ACTIONS: Final[Mapping[str, Action]] = {each.value: each for each in (*LifecycleAction, *ChargeAction)}


def read_action(value: Any) -> Action:
    """An action by its name."""
    action = _ACTIONS.get(value) if type(value) is str else None
    if action is None:
        raise Refused("claim_invalid", expected=", ".join(_ACTIONS))
    return action


_CLAIMS: Final = Fields(
    {"iss": read_text, "aud": read_text, "exp": read_instant, "iat": read_instant, "cti": read_id, "act": read_map}
)
_CREDENTIAL: Final = Fields(
    {
        "action": read_action,
        "delegator_identity": read_text,
        "delegation_id": read_delegation_id,
        "credential": read_digest,
    },
    {"reason": read_name},
)
_CHARGE: Final = {"action": read_action, "trade_no": read_text}
_AMOUNT: Final = {"amount": read_text, "currency": read_text}
FIELDS: Final[Mapping[Action, Fields]] = {
    **dict.fromkeys(LifecycleAction, _CREDENTIAL),
    ChargeAction.CAPTURE: Fields(_CHARGE | _AMOUNT, {"capture_no": read_text, "fulfilment": read_digest, "reason": read_name}),
    ChargeAction.VOID: Fields(_CHARGE, {"reason": read_name}),
    ChargeAction.REFUND: Fields(_CHARGE | _AMOUNT | {"refund_no": read_text}, {"reason": read_name}),
}
"""The fields of `act` that each action has: exactly these."""


def read_instruction(claims: dict[str, Any]) -> Instruction:
    """The instruction in an object's claims. Raises `Refused`."""
    head = read_fields(_CLAIMS, claims, "instruction")
    if "action" not in head["act"]:
        raise Refused("claim_missing", "instruction.act.action")
    try:
        action = read_action(head["act"]["action"])
    except Refused as refusal:
        raise refusal.within("instruction.act.action") from None
    body = read_fields(FIELDS[action], head["act"], "instruction.act")
    about: CredentialName | ChargeTerms
    if isinstance(action, LifecycleAction):
        about = CredentialName(body["delegator_identity"], body["delegation_id"], body["credential"])
    else:
        amount = Amount.parse(body["amount"], body["currency"], "instruction.act.amount") if "amount" in body else None
        numbers = body.get("capture_no"), body.get("refund_no")
        about = ChargeTerms(body["trade_no"], amount, *numbers, body.get("fulfilment"))
    return Instruction(head["cti"], head["iss"], head["aud"], action, about, head["iat"], head["exp"], body.get("reason"))


def instruction_claims(instruction: Instruction) -> dict[str, Any]:
    """The claims that `read_instruction` takes back."""
    about = instruction.about
    fields: dict[str, Any]
    if isinstance(about, CredentialName):
        fields = {
            "delegator_identity": about.delegator_identity,
            "delegation_id": delegation_id_claim(about.delegation_id),
            "credential": about.credential,
        }
    else:
        fields = {
            "trade_no": about.trade_no,
            "amount": about.amount.text if about.amount is not None else None,
            "currency": about.amount.currency if about.amount is not None else None,
            "capture_no": about.capture_no,
            "refund_no": about.refund_no,
            "fulfilment": about.fulfilment,
        }
    body = {"action": instruction.action.value, **fields, "reason": instruction.reason}
    return {
        "iss": instruction.issuer,
        "aud": instruction.audience,
        "exp": instruction.expires_at,
        "iat": instruction.issued_at,
        "cti": instruction.instruction_id,
        "act": {name: value for name, value in body.items() if value is not None},
    }

"""How an instruction is made: what it is about is read from the credential itself, or given for a charge."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from act.calendar import instant, system_clock
from act.delegation.chain import UnverifiedChain, open_chain
from act.delegation.lifecycle import LifecycleAction
from act.envelope.kinds import INSTRUCTION
from act.envelope.objects import Format, read_format, seal
from act.errors import InvalidCall, Refused
from act.keys import Signer
from act.money import Amount
from act.payment.instruction.content import (
    FIELDS,
    MAX_INSTRUCTION_SECONDS,
    Action,
    ChargeTerms,
    CredentialName,
    Instruction,
    instruction_claims,
    read_action,
    read_instruction,
    require_lifetime,
)

__all__ = ["sign_instruction"]


def sign_instruction(
    action: Literal["suspend", "resume", "revoke", "capture", "void", "refund"],
    *,
    signer: Signer,
    issuer: str | None = None,
    audience: str | None = None,
    chain: Sequence[bytes] = (),
    trade_no: str | None = None,
    amount: Amount | None = None,
    capture_no: str | None = None,
    refund_no: str | None = None,
    fulfilment: bytes | None = None,
    reason: str | None = None,
    instruction_id: bytes | None = None,
    lifetime_seconds: int = MAX_INSTRUCTION_SECONDS,
    at: datetime | None = None,
    format: Literal["cose", "jose"] | None = None,
) -> bytes:
    """Signs an instruction to the payment service `audience`: about the last credential of `chain` (a mandate, and the links
    down to it) to suspend, resume or revoke it, or about the charge `trade_no` to capture, void or refund it.

    `issuer` is the signer's id; an agent's key tells its own, and the mandate names its payment service. `format` is the
    envelope (None: the chain's, and COSE for a charge). `instruction_id` (16 bytes) is drawn at random when None; sending the
    same bytes again is always safe. `at` is the time of signing (None: the system clock). Raises `InvalidCall` for what no
    instruction of this action has, and for what the envelope does not carry. Who may give it, the payment service judges.
    """
    try:
        known = read_action(action)
    except Refused as refusal:
        raise InvalidCall("call_invalid", "action", **refusal.facts) from None
    terms = {"amount": amount, "capture_no": capture_no, "refund_no": refund_no, "fulfilment": fulfilment}
    about: CredentialName | ChargeTerms
    if isinstance(known, LifecycleAction):
        _require_own_fields(known, trade_no=trade_no, **terms)
        unverified = _opened(chain)
        mandate = unverified.root.content.mandate
        about = CredentialName(mandate.delegator_identity, mandate.delegation_id, unverified.identity)
        issuer = issuer or _agent_of(signer, unverified)
        audience = audience or mandate.ledger  # which is empty where the mandate leaves it to the parties
        envelope = unverified.root.opened.format if format is None else read_format(format)
    else:
        _require_own_fields(known, chain=tuple(chain) or None, **terms)
        about = ChargeTerms(_given(trade_no, "trade_no"), amount, capture_no, refund_no, fulfilment)
        envelope = Format.COSE if format is None else read_format(format)
    if amount is not None and not isinstance(amount, Amount):
        raise InvalidCall("call_invalid", "amount", expected="an act.Amount")
    issued_at = instant(at or system_clock())
    instruction = Instruction(
        secrets.token_bytes(16) if instruction_id is None else instruction_id,
        _given(issuer, "issuer"),
        _given(audience, "audience"),
        known,
        about,
        issued_at,
        issued_at + lifetime_seconds,
        reason,
    )
    claims = instruction_claims(instruction)
    read_instruction(claims)
    require_lifetime(instruction)
    if envelope is Format.COSE and type(claims["act"].get("delegation_id", b"")) is not bytes:
        raise InvalidCall("call_invalid", "format", expected="jose: COSE carries no delegation_id that is no UUID")
    return seal(INSTRUCTION, claims, signer, envelope)


def _opened(chain: Sequence[bytes]) -> UnverifiedChain:
    if not chain:
        raise InvalidCall("call_invalid", "chain", expected="the mandate, and the links down to the credential that is meant")
    return open_chain(tuple(chain))


def _agent_of(signer: Signer, chain: UnverifiedChain) -> str | None:
    """The agent whose key this is, if it is one of the chain's."""
    holders = {chain.root.holder.kid: chain.root.content.mandate.agent_id}
    holders |= {each.holder.kid: each.content.link.agent_id for each in chain.links}
    return holders.get(signer.kid)


def _given(value: str | None, name: str) -> str:
    if not value:
        raise InvalidCall("call_invalid", name, expected="a name")
    return value


def _require_own_fields(action: Action, **given: object) -> None:
    """Nothing is passed that this action does not have: it would be left out unnoticed."""
    own = FIELDS[action].readers
    foreign = [name for name, value in given.items() if value is not None and name not in own]
    if foreign:
        raise InvalidCall("call_invalid", foreign[0], reason=f"{action.value} has none")

"""The instruction: what somebody signs to suspend, resume or revoke a credential, or to capture, void or refund a charge.

It names the one payment service that is to obey and exactly what it is about, so that it can be sent over any transport, obeyed
once and kept as evidence. The receipt of what it caused names it by identity: that is the acknowledgement.
"""

from act.payment.instruction.authenticated import (
    AuthenticatedInstruction,
    UnverifiedInstruction,
    open_instruction,
    verify_instruction,
)
from act.payment.instruction.content import (
    MAX_INSTRUCTION_SECONDS,
    Action,
    ChargeTerms,
    CredentialName,
    Instruction,
    instruction_claims,
)
from act.payment.instruction.signing import sign_instruction

__all__ = [
    "MAX_INSTRUCTION_SECONDS",
    "Action",
    "AuthenticatedInstruction",
    "ChargeTerms",
    "CredentialName",
    "Instruction",
    "UnverifiedInstruction",
    "instruction_claims",
    "open_instruction",
    "sign_instruction",
    "verify_instruction",
]

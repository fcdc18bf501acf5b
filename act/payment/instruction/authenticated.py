"""From an instruction's bytes to an instruction whose signer may give it. Pure: no I/O, no clock.

A party is proven by the parties, an agent by the key in its credential. What comes out says as whom the signer speaks; whether
the ledger can still obey is decided in the ledger's transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from act.calendar import FUTURE_TOLERANCE_SECONDS, instant
from act.delegation.chain import Chain, open_chain
from act.delegation.lifecycle import Causer, LifecycleAction, require_may_cause
from act.envelope.kinds import INSTRUCTION
from act.envelope.objects import Opened, open_object
from act.errors import InvalidCall, Refused
from act.parties import Parties, Role
from act.payment.charge import CHARGE_CAUSERS, ChargeAction
from act.payment.instruction.content import ChargeTerms, CredentialName, Instruction, read_instruction, require_lifetime
from act.values import immutable

__all__ = ["AuthenticatedInstruction", "UnverifiedInstruction", "open_instruction", "verify_instruction"]


@immutable
class AuthenticatedInstruction:
    """An instruction signed by somebody who may give it, as `causer`. Whether it is in time, and whether the ledger still can
    obey, are other questions.

    `kid` is the thumbprint of the key that signed, whatever the header calls it: within that key the instruction id is unique.
    `chain` is the mandate and links down to the credential it is about, None where it is about a charge: then whether the
    payee is the charge's is for `require_payee`.
    """

    instruction: Instruction
    identity: bytes
    causer: Causer
    kid: bytes
    chain: Chain | None

    def require_in_time(self, ledger: str, at: int) -> None:
        """Rules ACT-PAY-05 and ACT-INS-02 to -04: for this payment service, and in force at instant `at`."""
        said = self.instruction
        named = [("instruction.aud", said.audience)]
        if self.chain is not None:
            named.append(("mandate.aud", self.chain.root.mandate.ledger))
        for place, audience in named:
            if audience != ledger:
                raise Refused("wrong_ledger", place, named=audience, this=ledger)
        if said.issued_at > at + FUTURE_TOLERANCE_SECONDS:
            raise Refused("instruction_not_yet_valid", "instruction.iat", issued_at=said.issued_at)
        if at >= said.expires_at:
            raise Refused("instruction_expired", "instruction.exp", ended_at=said.expires_at)
        require_lifetime(said)

    def require_payee(self, payee: str) -> None:
        """Rule ACT-INS-05, for a charge whose payee is this: a payee instructs about its own charges alone."""
        if self.causer is Causer.PAYEE and self.instruction.issuer != payee:
            raise Refused("instruction_not_allowed", "instruction.iss", named=self.instruction.issuer)


@immutable
class UnverifiedInstruction:
    """A decoded instruction that nobody has checked."""

    instruction: Instruction
    opened: Opened

    @property
    def kind(self) -> str:
        """What this is, in a word."""
        return "instruction"

    @property
    def identity(self) -> bytes:
        """SHA-256 of the signing input."""
        return self.opened.identity

    def authenticate(self, parties: Parties, chain: Chain | None = None) -> AuthenticatedInstruction:
        """The instruction, its signer proven to be somebody who may give it.

        `chain` is the authenticated mandate, with the links down to the credential that a suspend, resume or revoke is about;
        nothing else takes one. Raises `Refused`: signer_unknown, signer_mismatch, delegator_not_allowed,
        instruction_signature_invalid (ACT-INS-01), key_compromised, instruction_not_allowed (ACT-INS-05),
        instruction_mismatch (ACT-INS-06).
        """
        if chain is not None and type(chain) is not Chain:
            raise InvalidCall("call_invalid", "chain", expected="an act.Chain")
        said = self.instruction
        if isinstance(said.about, ChargeTerms):
            if chain is not None:
                raise InvalidCall("call_invalid", "chain", expected="none: the instruction is about a charge")
            return AuthenticatedInstruction(said, self.identity, *self._causer_of_charge(parties), None)
        if chain is None:
            raise InvalidCall("call_invalid", "chain", expected="the mandate, and the links down to the credential it is about")
        causer, kid = self._causer_of_credential(parties, chain)
        _require_about(said.about, chain)
        return AuthenticatedInstruction(said, self.identity, causer, kid, chain)

    def _causer_of_charge(self, parties: Parties) -> tuple[Causer, bytes]:
        said = self.instruction
        is_own = said.issuer == said.audience
        kid = self._check_party(parties, Role.PSP if is_own else Role.PAYEE)
        causer = Causer.PSP if is_own else Causer.PAYEE
        if isinstance(said.action, ChargeAction) and causer not in CHARGE_CAUSERS[said.action]:
            raise Refused("instruction_not_allowed", "instruction.act.action", action=said.action.value, causer=causer.value)
        return causer, kid

    def _causer_of_credential(self, parties: Parties, chain: Chain) -> tuple[Causer, bytes]:
        """As whom the signer may speak about this credential: the agent of it or of one above by its key, parties by name."""
        said, mandate = self.instruction, chain.root.mandate
        holders = {chain.root.mandate.agent_id: chain.root.holder} | {each.link.agent_id: each.holder for each in chain.links}
        roles = {  # a party that is both the ledger and the issuer speaks for the principal: the later entry stands
            mandate.ledger: (Role.PSP, Causer.RISK_CONTROL),
            mandate.delegator_identity: (Role.PRINCIPAL, Causer.PRINCIPAL),
        }
        if mandate.issuer != mandate.delegator_identity:
            roles[mandate.issuer] = (Role.ISSUER, Causer.PRINCIPAL)
        holder = holders.get(said.issuer)
        if holder is not None and (holder.kid == self.opened.kid or said.issuer not in roles):
            self.opened.check_signature(holder, "instruction_signature_invalid")
            causer, kid = Causer.AGENT, holder.kid
        elif said.issuer in roles:
            role, causer = roles[said.issuer]
            kid = self._check_party(parties, role, mandate.delegator_identity)
        else:
            raise Refused("instruction_not_allowed", "instruction.iss", named=said.issuer)
        if isinstance(said.action, LifecycleAction):
            require_may_cause(said.action, causer)
        return causer, kid

    def _check_party(self, parties: Parties, role: Role, delegator_identity: str | None = None) -> bytes:
        """The thumbprint of the key that signed: the signer's own in this role, in force at the time, and not compromised. An
        issuer still speaks for the delegator."""
        said = self.instruction
        try:
            enrolled = parties.find(self.opened.kid, role, said.issued_at)
        except Refused as refusal:
            raise refusal.within("instruction.iss") from None
        if enrolled.party.id != said.issuer:
            raise Refused("signer_mismatch", "instruction.iss", key_of=enrolled.party.id, named=said.issuer)
        if role is Role.ISSUER and not enrolled.party.may_speak_for(delegator_identity or ""):
            raise Refused("delegator_not_allowed", "instruction.act.delegator_identity", issuer=said.issuer)
        self.opened.check_signature(enrolled.public_key, "instruction_signature_invalid", enrolled.alias)
        if enrolled.compromised_at is not None:  # an instruction lives for a day: none is worth keeping a lost key for
            raise Refused("key_compromised", "instruction.iss", compromised_at=enrolled.compromised_at)
        return enrolled.public_key.kid


def _require_about(named: CredentialName, chain: Chain) -> None:
    """Rule ACT-INS-06: the chain ends with the credential that is named, below the mandate that is named."""
    mandate = chain.root.mandate
    for field, said, presented in (
        ("delegator_identity", named.delegator_identity, mandate.delegator_identity),
        ("delegation_id", named.delegation_id, mandate.delegation_id),
        ("credential", named.credential, chain.identity),
    ):
        if said != presented:
            raise Refused("instruction_mismatch", f"instruction.act.{field}")


def open_instruction(data: bytes) -> UnverifiedInstruction:
    """Decodes an instruction strictly; believes nothing. Raises `Refused`."""
    opened = open_object(data, INSTRUCTION)
    return UnverifiedInstruction(read_instruction(opened.claims), opened)


def verify_instruction(
    instruction: bytes,
    *,
    parties: Parties,
    ledger: str,
    at: datetime,
    chain: Sequence[bytes] = (),
    payee: str | None = None,
) -> AuthenticatedInstruction:
    """Whether the payment service `ledger` should obey, as far as anyone can tell without its memory, at instant `at`.

    `chain` is the mandate, and the links down to the credential that a suspend, resume or revoke is about; `payee` is whom the
    charge pays that a capture, void or refund is about, where that is known. Raises `Refused`: what
    `UnverifiedInstruction.authenticate` and `act.recognize` raise, parties_expired, wrong_ledger, instruction_not_yet_valid,
    instruction_expired, instruction_lifetime_too_long. Replay (ACT-LED-12), the credential's state (ACT-LED-13) and the charge
    are the ledger's to judge.
    """
    unverified = open_instruction(instruction)
    proven = open_chain(chain).authenticate(parties) if chain else None
    authenticated = unverified.authenticate(parties, proven)
    if payee is not None:
        authenticated.require_payee(payee)
    now = instant(at)
    if now >= parties.expires_at:
        raise Refused("parties_expired", "parties", ended_at=parties.expires_at)
    authenticated.require_in_time(ledger, now)
    return authenticated

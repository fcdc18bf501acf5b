"""What a payment service does because somebody who may signed for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

from act.delegation.chain import Chain, open_chain
from act.delegation.constraints import Validity
from act.delegation.lifecycle import LifecycleAction
from act.errors import InvalidCall, Refused
from act.payment.charge import ChargeAction, ChargeRecord
from act.payment.instruction import AuthenticatedInstruction, ChargeTerms, open_instruction, sign_instruction
from act.payment.ledger import Cause
from act.payment.service.answers import Acknowledgement, Charge
from act.payment.service.charges import ChargeCalls
from act.payment.service.credentials import CredentialCalls
from act.payment.service.keeper import mandate_record
from act.payment.verifier import links_of

__all__ = ["InstructionCalls"]


class InstructionCalls(ChargeCalls, CredentialCalls):
    """Calls that obey an instruction: somebody's, or one of the payment service's own risk control."""

    def instruct(self, instruction: bytes, *, chain: Sequence[bytes] = ()) -> Charge | Acknowledgement:
        """Does what an instruction says, once: suspend, resume or revoke the last credential of `chain` (the mandate, and the
        links down to it), or capture, void or refund a charge, for which there is no chain.

        When it returns, that is done, and no reservation commits under what was suspended or revoked. The receipt names the
        instruction: for whoever signed it, it is the acknowledgement. The same instruction again returns what is stored, with
        `replayed`, even after it expired. Raises `Refused`: what `UnverifiedInstruction.authenticate` raises,
        duplicate_instruction for another one under its id (ACT-LED-12), parties_expired, wrong_ledger,
        instruction_not_yet_valid, instruction_expired, instruction_lifetime_too_long, transition_not_allowed (ACT-LED-13), and
        whatever the call of the same name raises.
        """
        at = self._now()
        unverified = open_instruction(instruction)
        proven = open_chain(tuple(chain)).authenticate(self._parties) if chain else None
        return self._obeyed(unverified.authenticate(self._parties, proven), at)

    def suspend(self, iac: bytes, *, links: Sequence[bytes] = ()) -> Acknowledgement:
        """Suspends the last of `links`, or the mandate without any, until `resume`. It is risk control's own word, which the
        payment service signs as an instruction of its own. Suspending again moves nothing. Raises `Refused` as `instruct`."""
        return self._own_word("suspend", (iac, *links))

    def resume(self, iac: bytes, *, links: Sequence[bytes] = ()) -> Acknowledgement:
        """Lifts risk control's own suspension, and nobody else's: the credential stays suspended while another one stands.
        Raises `Refused` as `instruct`. After a `StoreFault`, `status` tells whether it is lifted: a second call then has
        nothing to lift."""
        return self._own_word("resume", (iac, *links))

    def _own_word(self, action: Literal["suspend", "resume"], data: tuple[bytes, ...]) -> Acknowledgement:
        at = self._now()
        chain = open_chain(data).authenticate(self._parties)
        self._require_own(chain.root)
        own, signed_at = self.ledger_id, datetime.fromtimestamp(at, UTC)
        signed = sign_instruction(action, signer=self._signer, issuer=own, audience=own, chain=data, at=signed_at)
        answer = self._obeyed(open_instruction(signed).authenticate(self._parties, chain), at)
        if not isinstance(answer, Acknowledgement):
            raise InvalidCall("call_invalid", "ledger", reason="a charge is no answer about a credential")
        return answer

    def _obeyed(self, authenticated: AuthenticatedInstruction, at: int) -> Charge | Acknowledgement:
        said, chain = authenticated.instruction, authenticated.chain
        cause = Cause(authenticated.kid, said.instruction_id, authenticated.identity, authenticated.causer)
        if isinstance(said.about, ChargeTerms):
            stored = self._ledger.find_instruction(said.about.trade_no, cause)
            if stored is not None:
                return self._answer(stored)
            self._require_in_force(authenticated, at)
            charge = self._held(said.about.trade_no)
            authenticated.require_payee(charge.payee)
            return self._moved(said.action, said.about, (charge, at), cause)
        if chain is None:
            raise InvalidCall("call_invalid", "chain", expected="the mandate, and the links down to the credential it is about")
        stored = self._ledger.find_instruction(chain.root.key, cause)
        if stored is not None:
            return self._acknowledged(chain.root.key, stored)
        self._require_in_force(authenticated, at)
        return self._changed(LifecycleAction(said.action.value), chain, cause, at)

    def _require_in_force(self, authenticated: AuthenticatedInstruction, at: int) -> None:
        if at >= self._parties.expires_at:
            raise Refused("parties_expired", "parties", ended_at=self._parties.expires_at)
        authenticated.require_in_time(self.ledger_id, at)

    def _changed(self, action: LifecycleAction, chain: Chain, cause: Cause, at: int) -> Acknowledgement:
        compromised_at = chain.root.issuer_key(self._parties).compromised_at
        self._require_known(compromised_at)
        self._ledger.bind(self.ledger_id)
        outcome = self._ledger.change(
            mandate_record(chain.root),
            links_of(chain),
            action,
            cause,
            at,
            self._receipts(chain.root.mandate.issuer),
            is_expired=at >= chain.authority.stated(Validity).end,
            pinned_before=compromised_at,
        )
        return self._acknowledged(chain.root.key, outcome)

    def _moved(self, action: object, terms: ChargeTerms, held: tuple[ChargeRecord, int], cause: Cause) -> Charge:
        if action is ChargeAction.CAPTURE and terms.amount is not None:
            return self._captured(held, terms.amount, terms.capture_no, cause)
        if action is ChargeAction.REFUND and terms.amount is not None and terms.refund_no is not None:
            return self._refunded(held, terms.amount, terms.refund_no, cause)
        return self._voided(held, cause)

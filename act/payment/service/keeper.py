"""What every call of a payment service needs: its ledger and whose it is, its parties, its key, its clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from act.calendar import Clock, instant, system_clock
from act.delegation.chain import Chain, ChainCache
from act.delegation.constraints import HONOR, Currency, OnRevoke, RefundRestores, Validity
from act.delegation.credential import MAX_MANDATE_SECONDS, Credential
from act.envelope.objects import Unsigned
from act.errors import InvalidCall, Refused, StoreFault
from act.keys import Signer
from act.parties import Parties, Role
from act.payment.charge import ChargeRecord
from act.payment.ledger import Ledger, MandateRecord, Outcome, ReceiptMaker
from act.payment.receipt import receipt_maker
from act.payment.service.answers import Charge, charge_of

__all__ = ["Keeper", "mandate_record"]


class Keeper:
    """The keeper of one ledger: nobody else makes entries in it, or signs their receipts."""

    def __init__(
        self,
        ledger_id: str,
        *,
        parties: Parties,
        ledger: Ledger,
        signer: Signer,
        retired_signers: Sequence[Signer] = (),
        clock: Clock = system_clock,
        max_mandate_seconds: int = MAX_MANDATE_SECONDS,
    ) -> None:
        if type(max_mandate_seconds) is not int or max_mandate_seconds <= 0:
            raise InvalidCall("call_invalid", "max_mandate_seconds", expected="whole seconds above 0")
        self.ledger_id: Final = ledger_id
        self._parties: Final = parties
        self._ledger: Final = ledger
        self._signer: Final = signer
        self._signers: Final = {each.kid: each for each in (*retired_signers, signer)}
        self._clock: Final = clock
        self._max_mandate_seconds: Final = max_mandate_seconds
        self._cache: Final = ChainCache()
        self._is_mine()

    def _now(self) -> int:
        """The instant of a call that may move something; raises `InvalidCall` unless the signer's key is enrolled as this
        service's.

        No money moves under a key whose receipts nobody could verify.
        """
        at = instant(self._clock())
        self._is_mine()
        try:
            enrolled = self._parties.find(self._signer.kid, Role.PSP, at)
        except Refused:
            enrolled = None
        if enrolled is None or enrolled.party.id != self.ledger_id or enrolled.compromised_at is not None:
            raise InvalidCall("call_invalid", "signer", reason="the parties file does not enrol this key for this service")
        return at

    def _require_known(self, compromised_at: int | None) -> None:
        """Rule ACT-PAR-05 where nothing was ever recorded: a lost key makes no ledger."""
        if compromised_at is not None and not self._is_mine():
            raise Refused("key_compromised", "mandate.iss", compromised_at=compromised_at)

    def _is_mine(self) -> bool:
        """Whether the ledger is bound to this service yet; raises `StoreFault` store_wrong_ledger if it is another's."""
        owner = self._ledger.owner()
        if owner is not None and owner != self.ledger_id:
            raise StoreFault("store_wrong_ledger", "ledger", belongs_to=owner, asked=self.ledger_id)
        return owner is not None

    def _held(self, charge_id: str) -> ChargeRecord:
        """The charge of that id; raises `Refused` charge_unknown, in a ledger that nothing was written to as well."""
        if type(charge_id) is not str:
            raise InvalidCall("call_invalid", "charge_id", expected="a charge's id")
        if not charge_id.isascii() or not self._is_mine():
            raise Refused("charge_unknown", "charge")
        return self._ledger.charge(charge_id)

    def _require_own(self, credential: Credential) -> None:
        if credential.mandate.ledger != self.ledger_id:
            raise Refused("wrong_ledger", "mandate.aud", named=credential.mandate.ledger, this=self.ledger_id)

    def _answer(self, outcome: Outcome) -> Charge:
        receipt = self._signed(outcome.receipt)
        if outcome.charge is not None:
            return charge_of(outcome.charge, receipt, outcome.replayed)
        if outcome.refusal is None:
            raise InvalidCall("call_invalid", "ledger", reason="an outcome without charge or refusal")
        outcome.refusal.receipt, outcome.refusal.replayed = receipt, outcome.replayed
        raise outcome.refusal

    def _receipts(self, issuer: str) -> ReceiptMaker:
        return receipt_maker(self.ledger_id, issuer, self._signer)

    def _signed(self, receipt: Unsigned) -> bytes:
        """Signs a receipt with the key its header names: signing again gives the same object, so none needs to be kept."""
        signer = self._signers.get(receipt.kid)
        if signer is None:
            raise InvalidCall(
                "call_invalid", "retired_signers", reason="the key that made this receipt is not here", kid=receipt.kid.hex()
            )
        return receipt.sign(signer)


def mandate_record(credential: Credential) -> MandateRecord:
    """What a ledger pins of a mandate."""
    mandate = credential.mandate
    window = mandate.constraint(Validity)
    on_revoke, refund_restores = HONOR, False
    for constraint in mandate.constraints:
        if type(constraint) is OnRevoke:
            on_revoke = constraint.choice
        elif type(constraint) is RefundRestores:
            refund_restores = constraint.restores
    record = MandateRecord(
        credential.key,
        credential.identity,
        mandate.agent_id,
        mandate.constraint(Currency).code,
        window.end,
        on_revoke,
        credential.format,
        refund_restores,
        max(credential.issued_at, window.start),
    )
    if mandate.supersedes is None:
        return record
    return replace(record, supersedes=mandate.supersedes, own_limits=Chain(credential).limits)

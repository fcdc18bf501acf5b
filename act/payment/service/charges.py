"""What becomes of a charge, on the word of whom the payment service believes: capture, refund, void, the end of holds."""

from __future__ import annotations

from act.envelope.claims import MAX_TEXT, read_text
from act.errors import InvalidCall, Refused
from act.money import Amount
from act.payment.charge import ChargeRecord
from act.payment.ledger import Cause
from act.payment.service.answers import Charge
from act.payment.service.keeper import Keeper

__all__ = ["ChargeCalls"]


class ChargeCalls(Keeper):
    """Calls about charges. `_captured`, `_refunded` and `_voided` also serve instructions, which are their cause."""

    def capture(self, charge_id: str, amount: Amount, *, capture_no: str | None = None) -> Charge:
        """Takes `amount` of what is held. Call it on the payee's word, or have the payee sign it (`instruct`).

        Without a number that is final, and the rest is released. With one (1 to 256 printable characters, such as that of a
        shipment) it is a part, and the rest stays held. Raises `Refused`: charge_unknown, charge_closed, capture_exceeds_hold,
        hold_expired, currency_mismatch, and duplicate_capture for another amount under the same number. The same capture again
        returns the same charge with `replayed`.
        """
        if capture_no is not None:
            _require_number(capture_no, "capture_no")
        _require_amount(amount)
        return self._captured(self._held_now(charge_id), amount, capture_no)

    def refund(self, charge_id: str, amount: Amount, *, refund_no: str) -> Charge:
        """Gives back `amount` of what was captured. Call it on the payee's word, or have the payee sign it (`instruct`).

        Together refunds are at most what was captured. They restore the mandate's limits only where its `refund_restores` says
        so. `refund_no` (1 to 256 printable characters) tells a refund from another one of the same amount: the same number
        and amount again return the same charge with `replayed`. Raises `Refused`: charge_unknown, refund_exceeds_captured,
        currency_mismatch, and duplicate_refund for another amount under the same number.
        """
        _require_number(refund_no, "refund_no")
        _require_amount(amount)
        return self._refunded(self._held_now(charge_id), amount, refund_no)

    def void(self, charge_id: str) -> Charge:
        """Releases what is left of a hold; final. What was captured in parts stays captured. Raises `Refused`: charge_unknown,
        charge_closed. Again: the same charge, `replayed`."""
        return self._voided(self._held_now(charge_id))

    def expire_holds(self, *, most: int = 1_000) -> tuple[Charge, ...]:
        """Closes holds that have ended, at most so many, and releases them. Nobody's budget waits for it: a payment closes the
        ended holds of its own mandate first. It is for payees: whose hold is closed here is
        returned, so that they can be told."""
        if type(most) is not int or most < 1:
            raise InvalidCall("call_invalid", "most", expected="a whole number above 0")
        at = self._now()
        if not self._is_mine():
            return ()
        expired = self._ledger.expire(at, most, self._receipts(self.ledger_id))  # a charge's receipt names its payee
        return tuple([self._answer(each) for each in expired])

    def _held_now(self, charge_id: str) -> tuple[ChargeRecord, int]:
        """The charge of that id, and the instant of the call about it."""
        at = self._now()
        return self._held(charge_id), at

    def _captured(
        self, held: tuple[ChargeRecord, int], amount: Amount, capture_no: str | None, cause: Cause | None = None
    ) -> Charge:
        charge, at = held
        _require_currency(charge, amount, "capture")
        make = self._receipts(charge.request.mandate.issuer)
        return self._answer(self._ledger.capture(charge.id, amount.minor, at, make, capture_no=capture_no, cause=cause))

    def _refunded(self, held: tuple[ChargeRecord, int], amount: Amount, refund_no: str, cause: Cause | None = None) -> Charge:
        charge, at = held
        _require_currency(charge, amount, "refund")
        make = self._receipts(charge.request.mandate.issuer)
        return self._answer(self._ledger.refund(charge.id, amount.minor, refund_no, at, make, cause=cause))

    def _voided(self, held: tuple[ChargeRecord, int], cause: Cause | None = None) -> Charge:
        charge, at = held
        return self._answer(self._ledger.void(charge.id, at, self._receipts(charge.request.mandate.issuer), cause=cause))


def _require_amount(amount: object) -> None:
    if not isinstance(amount, Amount):
        raise InvalidCall("call_invalid", "amount", expected="an act.Amount")


def _require_currency(charge: ChargeRecord, amount: Amount, action: str) -> None:
    """Rule ACT-CON-02 for an amount of a charge."""
    if amount.currency != charge.amount.currency:
        raise Refused("currency_mismatch", "amount", charge=charge.amount.currency, **{action: amount.currency})


def _require_number(value: object, where: str) -> None:
    try:
        read_text(value)
    except Refused:
        raise InvalidCall("call_invalid", where, expected=f"1 to {MAX_TEXT} printable characters") from None

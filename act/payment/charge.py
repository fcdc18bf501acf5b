"""A charge, and what a hold may become, as a table.

What a charge takes of a limit follows from how it stands and from nothing else, so that the counters of a ledger can be worked
out anew from its charges at any time, and every store counts alike.
"""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import Final

from act.delegation.lifecycle import Causer
from act.delegation.limits import Unit, Usage
from act.errors import Refused
from act.money import Amount
from act.payment.verifier import RequestKey
from act.values import immutable

__all__ = [
    "CHARGE_CAUSERS",
    "CHARGE_TRANSITIONS",
    "HOLD_SECONDS",
    "LIVE_STATES",
    "OPEN_STATES",
    "ChargeAction",
    "ChargeRecord",
    "ChargeState",
    "released",
    "require_transition",
    "usage_of",
]

HOLD_SECONDS: Final = 7 * 86_400
"""How long money stays held for a payee who has not captured: what card schemes grant for most purchases."""


class ChargeState(StrEnum):
    """Where a charge stands. In VOIDED and EXPIRED nothing was ever captured: where a part was, releasing the rest leaves a
    CAPTURED charge."""

    HELD = "HELD"
    PARTIALLY_CAPTURED = "PARTIALLY_CAPTURED"
    CAPTURED = "CAPTURED"
    VOIDED = "VOIDED"
    EXPIRED = "EXPIRED"


CHARGE_TRANSITIONS: Final[dict[ChargeState, frozenset[ChargeState]]] = {
    ChargeState.HELD: frozenset(
        {ChargeState.PARTIALLY_CAPTURED, ChargeState.CAPTURED, ChargeState.VOIDED, ChargeState.EXPIRED}
    ),
    ChargeState.PARTIALLY_CAPTURED: frozenset({ChargeState.PARTIALLY_CAPTURED, ChargeState.CAPTURED}),
    ChargeState.CAPTURED: frozenset(),
    ChargeState.VOIDED: frozenset(),
    ChargeState.EXPIRED: frozenset(),
}
"""A hold closes once. A refund moves no state: it is bounded by what was captured."""

OPEN_STATES: Final = frozenset({ChargeState.HELD, ChargeState.PARTIALLY_CAPTURED})
"""Money is held."""

LIVE_STATES: Final = OPEN_STATES | {ChargeState.CAPTURED}
"""At most one charge per (payee, order_no) is in one of these (ACT-LED-04)."""


class ChargeAction(StrEnum):
    """What somebody may instruct about a charge."""

    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"


CHARGE_CAUSERS: Final[dict[ChargeAction, frozenset[Causer]]] = {
    ChargeAction.CAPTURE: frozenset({Causer.PAYEE}),
    ChargeAction.VOID: frozenset({Causer.PAYEE, Causer.PSP}),
    ChargeAction.REFUND: frozenset({Causer.PAYEE}),
}
"""Who may cause what: the payee takes and gives back money; letting go of a hold is also the payment service's to do."""


@immutable
class ChargeRecord:
    """One charge as the ledger keeps it. `id` is the trade_no of ACT's result, `credential` the identity of the mandate or link
    that paid. Times are seconds since 1970, UTC.

    `captured_minor` is everything that was captured, `refunded_minor` what of it was given back. `tzdata_version` is the
    release of the zone database by which it was decided, None where no zone decided anything.
    """

    id: str
    request: RequestKey
    request_identity: bytes
    credential: bytes
    payee: str
    order_no: str
    order: bytes
    amount: Amount
    captured_minor: int
    state: ChargeState
    reserved_at: int
    hold_expires_at: int
    tzdata_version: str | None = None
    refunded_minor: int = 0

    @property
    def held_minor(self) -> int:
        """What may still be captured."""
        return self.amount.minor - self.captured_minor if self.state in OPEN_STATES else 0

    @property
    def refundable_minor(self) -> int:
        """What was captured and not yet given back."""
        return self.captured_minor - self.refunded_minor


def usage_of(charge: ChargeRecord, unit: Unit, *, refund_restores: bool) -> Usage:
    """What a charge takes of each limit that it was debited to, in the limit's unit.

    With `refund_restores` a refund gives the amount back, and the count once everything was given back and nothing is held.
    """
    restored_minor = charge.refunded_minor if refund_restores else 0
    if unit is Unit.AMOUNT:
        return Usage(charge.held_minor, charge.captured_minor - restored_minor)
    is_open = charge.state in OPEN_STATES
    if not charge.captured_minor:
        return Usage(int(is_open), 0)
    return Usage(0, int(is_open or restored_minor < charge.captured_minor))


def released(charge: ChargeRecord, to: ChargeState) -> ChargeRecord:
    """The charge once its hold is closed and what is left of it released: VOIDED or EXPIRED, or CAPTURED where a part was."""
    return replace(charge, state=ChargeState.CAPTURED if charge.captured_minor else to)


def require_transition(charge: ChargeRecord, to: ChargeState) -> None:
    """Returns if the table allows it; raises `Refused` charge_closed otherwise (ACT-LED-06)."""
    if to not in CHARGE_TRANSITIONS[charge.state]:
        raise Refused("charge_closed", "charge", state=charge.state.value)

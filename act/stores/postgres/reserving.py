"""Reserving by one call: what the function `reserve` is given and what it gives back."""

from __future__ import annotations

import json
from functools import partial
from typing import Any, Final, NamedTuple

import psycopg

from act.envelope.objects import Unsigned, rebuild
from act.payment.charge import ChargeRecord
from act.payment.ledger import MandateRecord, Outcome, ReceiptMaker
from act.payment.verifier import ReservationRequest
from act.stores.postgres.receipt_form import receipt_form
from act.stores.sql.reservation import debits_of, new_charge, reserved_entry

__all__ = ["Reservation", "prepare", "reserve_batch"]

_CALL: Final = "SELECT new_sequence, receipt_payload, receipt_identity FROM reserve(%s::jsonb)"


class Reservation(NamedTuple):
    """One reservation, ready to be asked for. `order` is where it stands in a batch: locks are taken in one fixed order."""

    request: ReservationRequest
    mandate: MandateRecord
    make_receipt: ReceiptMaker
    charge: ChargeRecord
    protected: bytes
    asked: dict[str, Any]

    @property
    def order(self) -> tuple[str, ...]:
        """Two batches that meet the same orders meet them in the same sequence, so that neither waits for the other."""
        key = self.mandate.key
        return self.charge.payee, self.charge.order_no, key.issuer, key.delegator_identity, key.delegation_id, self.charge.id


def prepare(request: ReservationRequest, mandate: MandateRecord, make_receipt: ReceiptMaker) -> Reservation:
    """Everything that the database needs to judge and record a reservation by itself. Raises what `make_receipt` raises."""
    charge = new_charge(request)
    form = receipt_form(partial(reserved_entry, mandate, request, charge), request.limits, make_receipt)
    limits = request.limits
    asked = {
        "issuer": mandate.key.issuer,
        "delegator_identity": mandate.key.delegator_identity,
        "delegation_id": mandate.key.delegation_id,
        "identity": mandate.identity.hex(),
        "links": [link.identity.hex() for link in request.links],
        "at": request.at,
        "charge": charge.id,
        "agent_id": charge.request.agent_id,
        "holder": charge.request.holder.hex(),
        "request_id": charge.request.request_id.hex(),
        "request_identity": charge.request_identity.hex(),
        "credential": charge.credential.hex(),
        "payee": charge.payee,
        "order_no": charge.order_no,
        "order_identity": charge.order.hex(),
        "currency": charge.amount.currency,
        "amount_minor": charge.amount.minor,
        "hold_expires_at": charge.hold_expires_at,
        "tzdata_version": charge.tzdata_version,
        "names": [limit.name for limit in limits],
        "caps": [limit.cap for limit in limits],
        "taken": [limit.debit(charge.amount.minor) for limit in limits],
        "units": [limit.unit.value for limit in limits],
        "turns": [limit.window.end if limit.window is not None else None for limit in limits],
        "slides": [limit.sliding_seconds for limit in limits],
        "since": [limit.since for limit in limits],
        "protected": form.protected.hex(),
        "sig_protected": form.sig_protected.hex(),
        "pieces": [piece.hex() for piece in form.pieces],
        "holes": form.holes,
        "debits": "\n".join(debits_of(request)),
    }
    return Reservation(request, mandate, make_receipt, charge, form.protected, asked)


def reserve_batch(connection: psycopg.Connection[Any], batch: list[Reservation]) -> list[Outcome]:
    """The outcomes of the first of a batch, as many as nothing stood in the way of; for the next one something did."""
    rows = connection.execute(_CALL, (json.dumps([each.asked for each in batch], ensure_ascii=False),)).fetchall()
    return [Outcome(_receipt(each, row), each.charge) for each, row in zip(batch, rows, strict=False)]


def _receipt(reservation: Reservation, row: tuple[int, bytes, bytes]) -> Unsigned:
    receipt = rebuild(reservation.protected, row[1])
    if receipt.identity != row[2]:  # the database and this library must agree on what is signed
        raise ValueError("a receipt that the database made is not what it says")
    return receipt

"""A receipt with holes, for the database to fill in: only there is it known which entry this is and how the counters stand.

The receipt is made once with marks in place of what is not known yet: numbers and a digest that occur nowhere else. Cut at the
marks, its bytes are the pieces; what belongs between them, in the order of the envelope's own encoding, are the holes.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from act.delegation.limits import Limit
from act.envelope.objects import Format
from act.payment.ledger import CounterChange, Entry, ReceiptMaker
from act.wire import cbor
from act.wire.base64url import base64url_encode

__all__ = ["PREVIOUS", "ReceiptForm", "receipt_form"]

PREVIOUS: Final = 0
"""The hole for the previous receipt's identity. Hole 1 is the sequence; from 2 on there are four for each limit: held,
captured, held before, captured before."""

_NUMBERS_FROM: Final = 2**52
"""Marks are as wide as any number that both envelopes carry exactly."""


class ReceiptForm(NamedTuple):
    """`pieces` of the payload, and after each of them a hole, None after the last. `sig_protected` is the header as the signing
    input has it."""

    protected: bytes
    sig_protected: bytes
    pieces: tuple[bytes, ...]
    holes: tuple[int | None, ...]


EntryMaker = Callable[[int, bytes, tuple[CounterChange, ...]], Entry]
"""Makes an entry of what only the mandate's row knows: sequence, previous receipt, counters."""


def receipt_form(make_entry: EntryMaker, limits: Sequence[Limit], make_receipt: ReceiptMaker) -> ReceiptForm:
    """The form of the receipt that `make_receipt` makes of such an entry. Raises what `make_receipt` raises, for a receipt that
    would be too large as well."""
    while True:
        form = _cut(make_entry, limits, make_receipt)
        if form is not None:
            return form


def _cut(make_entry: EntryMaker, limits: Sequence[Limit], make_receipt: ReceiptMaker) -> ReceiptForm | None:
    """None if a mark occurs in the receipt by chance: draw again."""
    count = 1 + 4 * len(limits)
    first = _NUMBERS_FROM + secrets.randbelow(_NUMBERS_FROM - count)
    numbers, previous = range(first, first + count), secrets.token_bytes(32)
    changes = tuple(
        CounterChange(limit.name, limit.cap, numbers[at + 2], numbers[at + 3], numbers[at], numbers[at + 1], limit.unit)
        for at, limit in zip(range(1, count, 4), limits, strict=True)
    )
    receipt = make_receipt(make_entry(first, previous, changes))
    if receipt.format is Format.JOSE:
        marks = [base64url_encode(previous).encode("ascii"), *(str(number).encode("ascii") for number in numbers)]
        sig_protected = receipt.protected
    else:
        marks = [previous, *(b"\x1b" + number.to_bytes(8) for number in numbers)]
        sig_protected = cbor.encode(receipt.protected)
    places = sorted((receipt.payload.find(mark), hole) for hole, mark in enumerate(marks))
    if any(receipt.payload.count(mark) != 1 for mark in marks):
        return None
    pieces, holes, end = [], [], 0
    for place, hole in places:
        pieces.append(receipt.payload[end:place])
        holes.append(hole)
        end = place + len(marks[hole])
    return ReceiptForm(receipt.protected, sig_protected, (*pieces, receipt.payload[end:]), (*holes, None))

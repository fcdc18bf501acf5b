"""Any object of this profile from its bytes, told by its type alone; several credentials at once are a chain. What comes back
is unverified."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, overload

from act.commerce.cart import UnverifiedOrder, open_order
from act.delegation.chain import UnverifiedChain, open_chain
from act.delegation.credential import UnverifiedCredential, open_credential
from act.delegation.link import UnverifiedLink, open_link
from act.envelope.kinds import INSTRUCTION, LINK, MANDATE, ORDER, RECEIPT, REQUEST, Kind
from act.envelope.objects import open_object
from act.errors import InvalidCall
from act.payment.instruction import UnverifiedInstruction, open_instruction
from act.payment.receipt import UnverifiedReceipt, open_receipt
from act.payment.request import Payment, UnverifiedRequest, open_request

__all__ = ["Unverified", "recognize"]

Unverified = (
    UnverifiedCredential
    | UnverifiedLink
    | UnverifiedOrder
    | UnverifiedRequest
    | UnverifiedInstruction
    | UnverifiedReceipt
    | Payment
)

_SIGNED: Final = (b"\xd2", b"e")  # a COSE_Sign1, a compact JWS: what does not begin like them can only be a payment

_OPENERS: Final[dict[Kind, Callable[[bytes], Any]]] = {
    MANDATE: open_credential,
    LINK: open_link,
    ORDER: open_order,
    REQUEST: open_request,
    INSTRUCTION: open_instruction,
    RECEIPT: open_receipt,
}


@overload
def recognize(data: bytes) -> Unverified: ...


@overload
def recognize(data: Sequence[bytes]) -> UnverifiedChain: ...


def recognize(data: bytes | Sequence[bytes]) -> Unverified | UnverifiedChain:
    """Decodes a mandate, link, order, payment request, instruction, receipt or payment, strictly, and believes nothing of it.

    A list or tuple of a mandate and the links below it, root first, is a chain: its `authority()` tells what it claims to give
    its last agent. Raises `Refused` for everything else.
    """
    if isinstance(data, list | tuple) and data:
        return open_chain(data)
    if type(data) is not bytes:
        raise InvalidCall("call_invalid", "data", expected="bytes")
    if not data.startswith(_SIGNED):
        return Payment.from_bytes(data)
    opened: Unverified = _OPENERS[open_object(data).kind](data)
    return opened

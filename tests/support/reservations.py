"""What a ledger is asked, without the signatures that come before: mandates, requests to reserve, receipts.

The verifier makes these for real payments. Here they are made by hand, so that a test of the store can ask for anything at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, cast
from uuid import UUID

from act.delegation.lifecycle import Causer
from act.delegation.limits import Limit
from act.delegation.mandate import MandateKey
from act.envelope.objects import Format
from act.money import Amount
from act.payment.ledger import Cause, MandateRecord, ReceiptMaker
from act.payment.receipt import receipt_maker
from act.payment.verifier import LinkRecord, RequestKey, ReservationRequest
from tests.support.world import AGENT, END_SECONDS, NOW_SECONDS, PRINCIPAL, PSP, SHOP, WALLET, key

TOTAL: Final = "max_total_amount"
MAKE_RECEIPT: Final[ReceiptMaker] = receipt_maker(PSP, WALLET, key(PSP))


@dataclass(frozen=True, slots=True)
class _Asked:
    """Everything that a ledger reads of a `ReservationRequest`."""

    request: RequestKey
    request_identity: bytes
    credential: bytes
    pinned_before: int | None
    payee: str
    order_no: str
    order: bytes
    amount: Amount
    limits: tuple[Limit, ...]
    at: int
    links: tuple[LinkRecord, ...] = ()
    tzdata_version: str | None = None


def digest(*parts: object) -> bytes:
    """32 bytes that stand for an object: the same for the same parts."""
    return sha256(repr(parts).encode()).digest()


def limit(cap_minor: int, name: str = TOTAL) -> Limit:
    """A cap; by default the one on everything spent under a mandate."""
    return Limit(name, cap_minor, "total_limit_exceeded")


def mandate(number: int = 1, *, identity: bytes | None = None) -> MandateRecord:
    """A mandate as the verifier names it; each number is another one, every other one stands in JOSE."""
    mandate_key = MandateKey(WALLET, PRINCIPAL, UUID(int=number, version=4).urn)
    format = Format.COSE if number % 2 else Format.JOSE
    return MandateRecord(mandate_key, identity or digest("mandate", number), AGENT, "CNY", END_SECONDS, format=format)


def links_to(*numbers: int) -> tuple[LinkRecord, ...]:
    """A chain of links, root first: each number is another one, below those before it."""
    return tuple(
        LinkRecord(UUID(int=1_000 + number, version=4).urn, digest("link", numbers[:place]), f"agent:{number}")
        for place, number in enumerate(numbers, 1)
    )


def cause(number: int = 1, causer: Causer = Causer.PRINCIPAL, *, identity: bytes | None = None) -> Cause:
    """An instruction that was authenticated: each number is another one."""
    return Cause(digest("key", causer), number.to_bytes(16), identity or digest("instruction", number, causer), causer)


def reservation(
    number: int = 1,
    amount_minor: int = 1_800,
    *,
    of: MandateRecord | None = None,
    limits: Sequence[Limit] = (limit(20_000),),
    order_no: str | None = None,
    payee: str = SHOP,
    agent_id: str = AGENT,
    identity: bytes | None = None,
    at: int = NOW_SECONDS,
    pinned_before: int | None = None,
    links: Sequence[LinkRecord] = (),
) -> ReservationRequest:
    """A request to reserve. `number` is its id and, unless told otherwise, its order; what it asks makes its identity. The last
    of `links` pays."""
    record = mandate() if of is None else of
    order_no = f"T-{number:04d}" if order_no is None else order_no
    asked = _Asked(
        RequestKey(record.key, agent_id, digest("holder", agent_id), number.to_bytes(16)),
        identity or digest("request", number, amount_minor, payee, order_no, agent_id, record.identity),
        links[-1].identity if links else record.identity,
        pinned_before,
        payee,
        order_no,
        digest("order", payee, order_no, amount_minor),
        Amount(amount_minor, record.currency),
        tuple(limits),
        at,
        tuple(links),
    )
    return cast(ReservationRequest, asked)

"""The milk-tea afternoon, step by step, each checked: a wrong code, or money that moved when it must not, ends the demo.

Nothing is staged: keys, signatures, files and the ledger are real, and it is `PaymentService.authorize` that refuses.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import act
from act_cli.demo.cast import (
    AGENT,
    COURIER,
    COURIER_CAP,
    CURRENCY,
    LEDGER_ID,
    OTHER_AGENT,
    OTHER_LEDGER_ID,
    PRINCIPAL,
    SHOPS,
    WRONG_SHOP,
    Cast,
)

__all__ = ["COURIERED", "CUPS", "REFUSALS", "Afternoon", "Step", "Usage"]

TEA, CHA = SHOPS

CUPS: Final = (
    (TEA, "Jasmine milk tea", "18.00"),
    (CHA, "Oolong milk tea", "22.00"),
    (TEA, "Brown sugar boba", "26.50"),
    (CHA, "Lychee green tea", "19.00"),
    (TEA, "Taro milk tea", "28.00"),
    (CHA, "Matcha latte", "24.50"),
    (TEA, "Osmanthus tea", "16.00"),
    (CHA, "Cheese-top oolong", "27.00"),
)
"""Shop, cup, price. All are captured but the last, which stays held."""

TOO_MANY: Final = (TEA, "One more for Wei", "21.00")

COURIERED: Final = (TEA, "Jasmine milk tea, delivered", "9.00")
"""Shop, cup, price: it fits into the courier's link once, and into the mandate twice."""

REFUSALS: Final = (
    "total_limit_exceeded",
    "single_limit_exceeded",
    "payee_not_allowed",
    "agent_signature_invalid",
    "duplicate_request",
    "order_already_paid",
    "credential_signature_invalid",
    "request_expired",
    "wrong_ledger",
    "total_limit_exceeded",
    "payee_not_allowed",
    "link_payee_added",
    "credential_revoked",
)
"""The codes in the order in which the afternoon meets them."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What the ledger counted under the mandate, in minor units, and how many charges it has."""

    captured_minor: int
    held_minor: int
    charges: int


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened. `refusal` is there when it was refused; `files` are what it left in the folder."""

    outcome: Literal["captured", "held", "refused", "repeated", "delegated", "revoked"]
    title: str
    story: str
    files: tuple[str, ...]
    usage: Usage
    at: datetime
    shop: str = ""
    amount: act.Amount | None = None
    refusal: act.Refused | None = None


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A payment on its way: its number in the file names and where it is presented."""

    number: int
    payment: act.Payment
    amount: act.Amount


class Afternoon:
    """One play. `steps` plays it; each step has already been checked when it comes out."""

    def __init__(self, cast: Cast) -> None:
        self._cast: Final = cast
        self._ledger: Final = act.SqliteLedger(cast.folder / "ledger.db")
        self._service: Final = self._service_of(LEDGER_ID, self._ledger)
        self._number = 0
        self.link: bytes = b""
        """The courier's, once it is signed."""

    def _service_of(self, ledger_id: str, ledger: act.SqliteLedger) -> act.PaymentService:
        return act.PaymentService(ledger_id, parties=self._cast.parties, ledger=ledger, signer=self._cast.keys[ledger_id])

    def close(self) -> None:
        """Closes the ledger's file."""
        self._ledger.close()

    @property
    def usage(self) -> Usage:
        """What the ledger says now."""
        status = self._service.status(self._cast.credential)
        if status is None:
            return Usage(0, 0, 0)
        own = [counter for counter in status.counters if "/" not in counter.name]  # a link's stand below its id
        return Usage(
            sum(counter.captured for counter in own),
            sum(counter.held for counter in own),
            len(status.charges),
        )

    def steps(self) -> Iterator[Step]:
        """Plays the afternoon."""
        last_id = secrets.token_bytes(16)
        last = None
        for shop, cup, price in CUPS[:-1]:
            yield self._buy(shop, cup, price)
        shop, cup, price = CUPS[-1]
        last_order = self._order(shop, cup, price)
        last = self._pay(last_order, price, request_id=last_id)
        yield self._hold(shop, cup, last)
        codes = iter(REFUSALS)
        shop, cup, price = TOO_MANY
        one_more = self._pay(self._order(shop, cup, price), price)
        yield self._refuse(next(codes), "one too many", f"{cup}: CNY {price}, and less is left", one_more, shop=shop)
        yield from self._outside(codes)
        yield from self._again(codes, last, last_order, last_id)
        yield from self._forged(codes)
        yield from self._elsewhere(codes)
        yield from self._delegated(codes)
        yield from self._after_revocation(codes)

    def _order(self, shop: str, cup: str, price: str, *, agent: str = AGENT) -> bytes:
        """The next order of the afternoon, signed by its shop."""
        self._number += 1
        amount = act.Amount.parse(price, CURRENCY)
        until = datetime.now(UTC) + timedelta(minutes=15)
        item = act.Item(f"cup-{self._number:02d}", cup, "tea", 1, amount)
        order = act.Order(
            shop, agent, PRINCIPAL, f"T-{self._number:04d}", (item,), amount, (until - _EPOCH) // timedelta(seconds=1)
        )
        data = act.sign_order(order, signer=self._cast.keys[shop])
        self._cast.write(f"order-{self._number:04d}.cbor", data)
        return data

    def _pay(
        self,
        order: bytes,
        price: str,
        *,
        request_id: bytes | None = None,
        key: str = AGENT,
        audience: str = LEDGER_ID,
        at: datetime | None = None,
        links: tuple[bytes, ...] = (),
    ) -> _Attempt:
        """A payment for an order, signed by the agent unless it says otherwise. Not yet presented anywhere."""
        payment = act.sign_payment(
            order,
            chain=[self._cast.credential, *links],
            audience=audience,
            signer=self._cast.keys[key],
            request_id=request_id,
            at=at,
        )
        return _Attempt(self._number, payment, act.Amount.parse(price, CURRENCY))

    def _present(self, attempt: _Attempt) -> str:
        return self._cast.write(f"payment-{attempt.number:04d}.cbor", attempt.payment.to_bytes())

    def _buy(self, shop: str, cup: str, price: str) -> Step:
        order = self._order(shop, cup, price)
        attempt = self._pay(order, price)
        return Step("captured", cup, "", *self._finish(order, attempt), shop, attempt.amount)

    def _finish(self, order: bytes, attempt: _Attempt) -> tuple[tuple[str, ...], Usage, datetime]:
        """Authorizes and captures a payment, checks what that moved, and says which files it left."""
        name, before = self._present(attempt), self.usage
        held = self._service.authorize(attempt.payment)
        charge = self._service.capture(held.id, held.amount)
        at = datetime.now(UTC)
        receipt = self._cast.write(f"receipt-{attempt.number:04d}.cbor", charge.receipt)
        # What the shop does before it hands over the cup.
        act.verify_receipt(charge.receipt, order=order, parties=self._cast.parties, at=at)
        minor = attempt.amount.minor
        expected = Usage(before.captured_minor + minor, before.held_minor, before.charges + 1)
        self._require_usage(f"payment {attempt.number}", expected)
        return (name, receipt), expected, at

    def _hold(self, shop: str, cup: str, attempt: _Attempt) -> Step:
        name, before = self._present(attempt), self.usage
        charge = self._service.authorize(attempt.payment)
        receipt = self._cast.write(f"receipt-{attempt.number:04d}.cbor", charge.receipt)
        held = before.held_minor + attempt.amount.minor
        self._require_usage(cup, Usage(before.captured_minor, held, before.charges + 1))
        return Step("held", cup, "", (name, receipt), self.usage, datetime.now(UTC), shop, attempt.amount)

    def _refuse(
        self,
        code: str,
        title: str,
        story: str,
        attempt: _Attempt,
        *,
        service: act.PaymentService | None = None,
        shop: str = "",
    ) -> Step:
        """Presents a payment that must be refused with exactly this code, and must not move anything."""
        name, before = self._present(attempt), self.usage
        at = datetime.now(UTC)
        try:
            (service or self._service).authorize(attempt.payment)
        except act.Refused as refusal:
            if refusal.code != code:
                raise RuntimeError(f"{title}: refused with {refusal.code} instead of {code}") from refusal
            self._require_usage(title, before)
            files = [name]
            if refusal.receipt is not None:
                files.append(self._cast.write(f"receipt-{attempt.number:04d}.cbor", refusal.receipt))
            return Step("refused", title, story, tuple(files), before, at, shop, attempt.amount, refusal)
        raise RuntimeError(f"{title}: accepted, where it had to be refused with {code}")

    def _require_usage(self, title: str, expected: Usage) -> None:
        found = self.usage
        if found != expected:
            raise RuntimeError(f"{title}: the ledger counts {found} instead of {expected}")

    def _outside(self, codes: Iterator[str]) -> Iterator[Step]:
        """What the mandate does not allow, and who it is not for."""
        dear = self._pay(self._order(TEA, "Gold-leaf tea", "38.00"), "38.00")
        yield self._refuse(next(codes), "too dear", "a cup for CNY 38.00", dear)
        wrong = self._pay(self._order(WRONG_SHOP, "Classic boba", "15.00"), "15.00")
        yield self._refuse(next(codes), "wrong shop", f"{WRONG_SHOP} sells tea, but is not on the list", wrong)
        stolen = self._pay(self._order(CHA, "Black tea", "12.00"), "12.00", key=OTHER_AGENT)
        yield self._refuse(next(codes), "another agent's key", "the mandate in the wrong hands", stolen)

    def _again(self, codes: Iterator[str], last: _Attempt, order: bytes, request_id: bytes) -> Iterator[Step]:
        """The last cup once more, in three ways."""
        before = self.usage
        first, second = (self._service.authorize(last.payment) for _ in range(2))
        if not (first.replayed and second.replayed and first.id == second.id and first.receipt == second.receipt):
            raise RuntimeError("the same request again did not give the same charge back")
        self._require_usage("the same request again", before)
        yield Step(
            "repeated",
            "the same request twice",
            "the same charge back, and nothing held twice",
            (),
            before,
            datetime.now(UTC),
            "",
            last.amount,
        )
        other = self._pay(self._order(CHA, "Small oolong", "12.00"), "12.00", request_id=request_id)
        yield self._refuse(next(codes), "its id, other amount", "the used request id on a payment of CNY 12.00", other)
        self._number += 1
        again = self._pay(order, last.amount.text)
        yield self._refuse(next(codes), "the same order again", "under a new request id", again)

    def _forged(self, codes: Iterator[str]) -> Iterator[Step]:
        """One byte of the mandate: the 2 of its cap becomes a 9."""
        honest = self._pay(self._order(TEA, "Jasmine milk tea", "18.00"), "18.00")
        (mandate,) = honest.payment.chain
        forged = mandate.replace(b"200.00", b"900.00", 1)
        if forged == mandate:
            raise RuntimeError("the mandate does not hold its cap where the demo changes it")
        tampered = act.Payment(honest.payment.request, (forged,), honest.payment.order)
        attempt = _Attempt(honest.number, tampered, honest.amount)
        yield self._refuse(next(codes), "a tampered byte", "the mandate's CNY 200.00 made 900.00", attempt)

    def _elsewhere(self, codes: Iterator[str]) -> Iterator[Step]:
        """Too late, and at another payment service."""
        signed_at = datetime.now(UTC) - timedelta(minutes=10)
        late = self._pay(self._order(CHA, "Iced lemon tea", "14.00"), "14.00", at=signed_at)
        yield self._refuse(next(codes), "an expired request", "signed ten minutes ago; a request lives for two", late)
        abroad = self._pay(self._order(TEA, "Pu'er tea", "13.00"), "13.00", audience=OTHER_LEDGER_ID)
        other_ledger = act.SqliteLedger(self._cast.folder / f"ledger-{OTHER_LEDGER_ID}.db")
        try:
            service = self._service_of(OTHER_LEDGER_ID, other_ledger)
            story = f"{OTHER_LEDGER_ID} does not count this mandate's spending"
            yield self._refuse(next(codes), "other payment service", story, abroad, service=service)
        finally:
            other_ledger.close()

    def _delegated(self, codes: Iterator[str]) -> Iterator[Step]:
        """The agent sends a courier with a narrower mandate of its own."""
        keys, before = self._cast.keys, self.usage
        holder = keys[COURIER].public_key
        terms = {"max_total_amount": COURIER_CAP, "ext": {"commerce": {"allowed_merchants": [TEA]}}}
        document = {"agent_id": COURIER, **terms}
        self.link = act.delegate(document, chain=[self._cast.credential], signer=keys[AGENT], holder=holder)
        name = self._cast.write("link-courier.cbor", self.link)
        story = f"at most CNY {COURIER_CAP}, only at {TEA}"
        yield Step("delegated", "a link is signed", story, (name,), before, datetime.now(UTC))
        shop, cup, price = COURIERED
        order = self._order(shop, cup, price, agent=COURIER)
        bought = self._finish(order, self._pay(order, price, key=COURIER, links=(self.link,)))
        yield Step("captured", "the courier buys", f"a cup for CNY {price}; it counts for both", *bought, amount=_amount(price))
        for title, story, seller, asked in (
            ("and once more", f"CNY {price} again: Lin's mandate has it, the link has not", shop, price),
            ("the other shop", f"{CHA} is on Lin's list, but not on the courier's", CHA, "5.00"),
        ):
            order = self._order(seller, cup, asked, agent=COURIER)
            yield self._refuse(next(codes), title, story, self._pay(order, asked, key=COURIER, links=(self.link,)))
        yield self._unsigned(next(codes), holder)

    def _unsigned(self, code: str, holder: act.PublicKey) -> Step:
        """A link for a shop that the mandate does not list: nobody signs it, and nobody would take it."""
        document = {"agent_id": COURIER, "ext": {"commerce": {"allowed_merchants": [TEA, WRONG_SHOP]}}}
        title, story = "a shop is added", f"a link that lists {WRONG_SHOP} is never signed"
        try:
            act.delegate(document, chain=[self._cast.credential], signer=self._cast.keys[AGENT], holder=holder)
        except act.Refused as refusal:
            if refusal.code != code:
                raise RuntimeError(f"{title}: refused with {refusal.code} instead of {code}") from refusal
            return Step("refused", title, story, (), self.usage, datetime.now(UTC), refusal=refusal)
        raise RuntimeError(f"{title}: signed, where it had to be refused with {code}")

    def _after_revocation(self, codes: Iterator[str]) -> Iterator[Step]:
        """Lin changes her mind."""
        before = self.usage
        revocation = self._service.revoke(self._cast.credential)
        self._require_usage("the revocation", before)
        name = self._cast.write("receipt-revocation.cbor", revocation.receipt)
        story = "Lin stops the mandate; what is held stays held"
        yield Step("revoked", "revoked", story, (name,), before, datetime.now(UTC))
        after = self._pay(self._order(TEA, "Small oolong", "8.00"), "8.00")
        yield self._refuse(next(codes), "a revoked mandate", "a cup that would still have fitted", after)


def _amount(price: str) -> act.Amount:
    return act.Amount.parse(price, CURRENCY)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

"""The objects that are measured: those of the demo, a mandate for an afternoon of milk tea, its orders and payments."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import act
from act.calendar import LATEST_INSTANT
from act.parties import EnrolledKey, PartiesTable, Party, Role

__all__ = ["CURRENCY", "LEDGER", "NOW", "Afternoon", "Cast", "enrolled"]

LEDGER = "psp-1"
CURRENCY = "CNY"
NOW = datetime(2026, 2, 6, 9, 0, tzinfo=UTC)

_DOCUMENT: dict[str, Any] = {
    "issuer": "wallet.example",
    "ledger": LEDGER,
    "delegator_identity": "user:lin",
    "agent_id": "agent:tea-runner",
    "intent_id": "intent-2026-02-06-tea",
    "validity_start_time": "2026-02-06T08:00:00Z",
    "validity_end_time": "2026-02-07T00:00:00Z",
    "delegation_mode": "BOUNDED",
    "max_total_amount": "200.00",
    "currency": CURRENCY,
    "allowed_payment_methods": ["balance"],
    "user_confirmation_method": "passkey",
    "user_confirmation_timestamp": "2026-02-06T08:00:00Z",
    "ext": {
        "commerce": {
            "max_single_amount": "30.00",
            "allowed_merchants": ["teashop.example", "cha.example"],
            "allowed_categories": ["tea"],
        }
    },
}


def enrolled(
    party_id: str, role: Role, key: act.PublicKey, *, namespaces: Iterable[str] = (), categories: Iterable[str] = ()
) -> EnrolledKey:
    """A key in force for good, of a party with one role."""
    party = Party(party_id, party_id, (role,), tuple(namespaces), frozenset(categories))
    return EnrolledKey(party, key, 0, LATEST_INSTANT, None)


@dataclass(frozen=True, slots=True)
class Cast:
    """Who takes part: a wallet, an agent, a shop and a payment service."""

    wallet: act.KeyPair
    agent: act.KeyPair
    shop: act.KeyPair
    psp: act.KeyPair

    @classmethod
    def fresh(cls) -> Cast:
        """New keys for everyone."""
        return cls(*(act.KeyPair.generate() for _ in range(4)))

    def parties(self, *others: EnrolledKey) -> PartiesTable:
        """The parties as the payment service knows them."""
        return PartiesTable((
            enrolled("wallet.example", Role.ISSUER, self.wallet.public_key, namespaces=["user:"]),
            enrolled("teashop.example", Role.PAYEE, self.shop.public_key, categories=["tea"]),
            enrolled(LEDGER, Role.PSP, self.psp.public_key),
            *others,
        ))  # fmt: skip

    def mandate(
        self,
        *,
        max_total_amount: str = "200.00",
        format: Literal["cose", "jose"] = "cose",
        ext: dict[str, Any] | None = None,
    ) -> bytes:
        """The principal's mandate: CNY 200.00 for tea, at most 30.00 a cup, two shops. Each has a delegation_id of its own."""
        stated = {"max_total_amount": max_total_amount} | ({} if ext is None else {"ext": ext})
        mandate = act.Mandate.from_json(_DOCUMENT | stated)
        return act.mint(mandate, signer=self.wallet, holder=self.agent.public_key, at=NOW, format=format)

    def order(self, number: int, text: str = "18.00", *, agent_id: str = "agent:tea-runner", **delivery: Any) -> bytes:
        """The shop's order for one cup; `delivery` is what it promises of that."""
        amount = act.Amount.parse(text, CURRENCY)
        expires_at = int((NOW + timedelta(minutes=15)).timestamp())
        items = (act.Item("milk-tea-l", "Milk tea, large", "tea", 1, amount),)
        number_text = f"T-{number:04d}"
        order = act.Order("teashop.example", agent_id, "user:lin", number_text, items, amount, expires_at, **delivery)
        return act.sign_order(order, signer=self.shop, at=NOW)

    def payment(self, iac: bytes, order: bytes) -> act.Payment:
        """The agent's payment of an order."""
        return act.sign_payment(order, chain=[iac], audience=LEDGER, signer=self.agent, at=NOW)


@dataclass(frozen=True, slots=True)
class Afternoon:
    """One mandate and payments under it, for as many different orders."""

    cast: Cast
    iac: bytes
    payments: tuple[act.Payment, ...]

    @classmethod
    def of(cls, cups: int, *, max_total_amount: str = "200.00") -> Afternoon:
        """Signs everything for that many cups; whether the money suffices is not asked."""
        cast = Cast.fresh()
        iac = cast.mandate(max_total_amount=max_total_amount)
        return cls(cast, iac, tuple(cast.payment(iac, cast.order(number)) for number in range(1, cups + 1)))

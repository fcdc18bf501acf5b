"""Vectors of orders, as `verify_order` judges them: the object, its payee, its sums, its price lock."""

from __future__ import annotations

from typing import Any

from act.wire import cbor
from vector_sets import world
from vector_sets.shape import Vector, accept, intermediate, refuse, vector_file
from vector_sets.world import NOW, ORDER_CLAIMS, REMOVED, item, order, priced

_END = ORDER_CLAIMS["exp"]


def _good(name: str, why: str, rules: list[str], data: bytes, *, at: int = NOW, shown: bool = True) -> Vector:
    more = {"intermediate": intermediate(data)} if shown else {}
    return accept(f"orders/{name}", why, rules, input=data, parties="standard", at=at, **more)


def _bad(name: str, why: str, code: str, where: str, data: bytes, *, at: int = NOW, parties: str = "standard") -> Vector:
    return refuse(f"orders/{name}", why, code, where, input=data, parties=parties, at=at)


def _items(*items: dict[str, Any], amount: str) -> bytes:
    return order({"act.items": list(items), "act.amount": amount})


def _accepted() -> list[Vector]:
    es256 = order(signer="teashop-es256")
    large = [item("milk-tea-large", "tea", 1_000_000, "0.01"), item("straw", "tea", 3, "0.50")]
    return [
        _good("tea", "One item, Ed25519.", ["ACT-PAY-03", "ACT-ORD-01", "ACT-PAR-02", "ACT-PAR-03"], order()),
        _good("es256", "ES256.", ["ACT-PAY-03"], es256),
        _good("es256-high-s", "The same order with (r, n - s): the identity is the same.", ["ACT-PAY-03"], world.high_s(es256)),
        _good("several-items", "Quantities times unit amounts, added up.", ["ACT-ORD-01"], _items(*large, amount="10001.50")),
        _good("jpy", "A currency without decimals.", ["ACT-MON-01"], order(priced("1800", currency="JPY"))),
        _good("items-128", "The most lines.", ["ACT-ENV-07"],
              _items(*(item(f"sku-{n}", "tea", 1, "0.01") for n in range(128)), amount="1.28"), shown=False),
        _good("number-wide", "An order number in any script.", ["ACT-ENV-07"], order({"act.order_no": "\u8336-1"}),
              shown=False),
    ]  # fmt: skip


def _times() -> list[Vector]:
    vectors = []
    for offset in (9, 10, 11):
        ahead = order({"iat": NOW + offset})
        why = "An order may be confirmed 10 seconds ahead of the verifier's clock, and no more."
        name = f"issued-plus-{offset}"
        vectors.append(
            _good(name, why, ["ACT-ORD-02"], ahead, shown=False)
            if offset <= 10
            else _bad(name, why, "order_not_yet_valid", "order.iat", ahead)
        )
    why = "At exp itself the price lock has ended."
    return [
        *vectors,
        _good("lock-minus-1", why, ["ACT-ORD-03"], order(), at=_END - 1, shown=False),
        _bad("lock", why, "order_expired", "order.exp", order(), at=_END),
        _bad("lock-plus-1", why, "order_expired", "order.exp", order(), at=_END + 1),
    ]


def _payees() -> list[Vector]:
    data = order()
    return [
        _bad("payee-other", "Another shop's key under this shop's name.", "signer_mismatch", "order.iss", order(signer="cha")),
        _bad("payee-homoglyph", "A name that looks the same, with this shop's key.", "signer_mismatch", "order.iss",
             order({"iss": world.HOMOGLYPH})),
        _bad("role-issuer", "A wallet's key cannot sell.", "signer_unknown", "order.iss",
             order({"iss": "wallet.example"}, signer="wallet")),
        _bad("key-unknown", "A key nobody enrolled.", "signer_unknown", "order.iss", order(signer="stranger")),
        _bad("key-too-young", "Signed before the key came into force.", "signer_unknown", "order.iss",
             order({"iat": world.KEYS_START - 1})),
        _bad("key-compromised", "An order lives for minutes: none is worth keeping a lost key for.", "key_compromised",
             "order.iss", data, parties="teashop-compromised"),
        _bad("price-tampered", "The amount was lowered after signing, the item was not.", "order_total_mismatch",
             "order.act.amount", world.tampered(data, b"famounte18.00", b"famounte17.00")),
        _bad("prices-tampered", "Item and amount were lowered together after signing.", "order_signature_invalid", "order",
             world.tampered(world.tampered(data, b"famounte18.00", b"famounte17.00"), b"kunit_amounte18.00",
                            b"kunit_amounte17.00")),
        _bad("number-tampered", "Another order number after signing.", "order_signature_invalid", "order",
             world.tampered(data, b"T-0001", b"T-0002")),
        _bad("signature-foreign", "A stranger's signature under the shop's key id.", "order_signature_invalid", "order",
             world.with_signature(data, cbor.decode_sign1(order(signer="stranger"))[2])),
        _bad("parties-expired", "A parties file that has ended.", "parties_expired", "parties", data, parties="expiring"),
        _bad("kind-mandate", "A mandate where an order belongs.", "kind_unexpected", "order", world.mandate()),
    ]  # fmt: skip


_SUMS = (
    ("sum-below", "The amount is a fen below the items.", [("milk-tea-large", 1, "18.00")], "17.99"),
    ("sum-above", "The amount is a fen above the items.", [("milk-tea-large", 1, "18.00")], "18.01"),
    ("sum-quantity", "The quantity is not multiplied.", [("milk-tea-large", 2, "18.00")], "18.00"),
    ("sum-one-item", "Only the first item is counted.", [("milk-tea-large", 1, "18.00"), ("straw", 1, "0.50")], "18.00"),
    ("sum-wraps", "The sum passes 2^64 and comes back, where integers wrap.",
     [("a", 1_000_000, "92233720368547758.07"), ("b", 1, "10000.18")], "0.18"),
)  # fmt: skip

_WRONG: tuple[tuple[str, str, str, str, Any], ...] = (
    ("quantity-zero", "A line of nothing.", "claim_invalid", "act.items.0.quantity", 0),
    ("quantity-negative", "A negative line makes the sum smaller.", "claim_invalid", "act.items.0.quantity", -1),
    ("quantity-text", "A quantity is a number.", "claim_invalid", "act.items.0.quantity", "1"),
    ("quantity-true", "true equals 1 in some languages.", "claim_invalid", "act.items.0.quantity", True),
    ("quantity-large", "More than a million of one thing.", "claim_invalid", "act.items.0.quantity", 1_000_001),
    ("unit-amount-number", "Minor units as a number.", "amount_invalid", "act.items.0.unit_amount", 1800),
    ("unit-amount-zero", "A line at no price.", "amount_invalid", "act.items.0.unit_amount", "0.00"),
    ("name-bidi", "A name that reads backwards.", "claim_invalid", "act.items.0.name", "\u202eaet"),
    ("category-empty", "A label is not empty.", "claim_invalid", "act.items.0.category", ""),
)


def _contents() -> list[Vector]:
    vectors = [
        _bad(name, why, "order_total_mismatch", "order.act.amount",
             _items(*(item(sku, "tea", quantity, unit) for sku, quantity, unit in items), amount=amount))
        for name, why, items, amount in _SUMS
    ]  # fmt: skip
    for name, why, code, place, value in _WRONG:
        line = item("milk-tea-large", "tea", 1, "18.00") | {place.rsplit(".", 1)[1]: value}
        vectors.append(_bad(name, why, code, f"order.{place}", _items(line, amount="18.00")))
    for path in (*ORDER_CLAIMS, *(f"act.{name}" for name in ORDER_CLAIMS["act"])):
        name = f"missing-{path.replace('_', '-')}"
        vectors.append(
            _bad(name, "Every claim of an order is mandatory.", "claim_missing", f"order.{path}", order({path: REMOVED}))
        )
    for field in ORDER_CLAIMS["act"]["items"][0]:
        line = item("milk-tea-large", "tea", 1, "18.00")
        del line[field]
        name = f"missing-item-{field.replace('_', '-')}"
        why = "Every field of a line is mandatory."
        vectors.append(_bad(name, why, "claim_missing", f"order.act.items.0.{field}", _items(line, amount="18.00")))
    discounted = item("milk-tea-large", "tea", 1, "18.00") | {"discount": "1.00"}
    return [
        *vectors,
        _bad("items-empty", "An order of nothing.", "claim_invalid", "order.act.items", order({"act.items": []})),
        _bad("items-129", "One line too many.", "claim_invalid", "order.act.items",
             _items(*(item(f"sku-{n}", "tea", 1, "0.01") for n in range(129)), amount="1.29")),
        _bad("item-unknown-field", "A discount that not everybody subtracts.", "claim_unknown", "order.act.items.0.discount",
             _items(discounted, amount="18.00")),
        _bad("unknown-field", "A field beside the profile's.", "claim_unknown", "order.act.note", order({"act.note": "x"})),
        _bad("audience", "An order has no audience claim.", "claim_unknown", "order.aud", order({"aud": "psp-1"})),
        _bad("amount-number", "The amount as a number.", "amount_invalid", "order.act.amount", order({"act.amount": 1800})),
        _bad("amount-decimals", "18 yuan without decimals.", "amount_invalid", "order.act.amount", order({"act.amount": "18"})),
        _bad("currency-unknown", "No currency.", "currency_unknown", "order.act.amount", order(priced("18.00",
             currency="XTS"))),
        _bad("exp-negative", "Times begin in 1970.", "claim_invalid", "order.exp", order({"exp": -1})),
    ]  # fmt: skip


def _promises() -> list[Vector]:
    issued: int = ORDER_CLAIMS["iat"]
    both = {"act.deliver_by": issued + 1, "act.delivery_address": bytes(range(32))}
    return [
        _good("promises", "When and where it is delivered; a second after its confirmation at the earliest.", ["ACT-ENV-05"],
              order(both)),
        _bad("deliver-by-iat", "Delivered when it is ordered, or before.", "claim_invalid", "order.act.deliver_by",
             order({"act.deliver_by": issued})),
        _bad("deliver-by-text", "Times are whole seconds.", "claim_invalid", "order.act.deliver_by",
             order({"act.deliver_by": "2026-02-06T10:00:00Z"})),
        _bad("delivery-address-clear", "An address in clear.", "claim_invalid", "order.act.delivery_address",
             order({"act.delivery_address": "1 Lake Road"})),
    ]  # fmt: skip


def orders_file() -> dict[str, Any]:
    """orders.json."""
    about = "One order each: is it its payee's, does it add up, does its price lock hold at `at`?"
    return vector_file("orders", about, [*_accepted(), *_times(), *_payees(), *_contents(), *_promises()])

"""The fixed world of the vectors: keys from published seeds, parties, one clock, and the claims every object starts from.

Everything is derived from names, so that the same sources always give the same files. The keys are public: never enrol them.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from act import KeyPair
from act.calendar import iso
from act.envelope.kinds import INSTRUCTION, LINK, MANDATE, ORDER, RECEIPT, REQUEST, Kind
from act.envelope.objects import seal
from act.wire import cbor

NOW: Final = 1_770_368_400
"""2026-02-06T09:00:00Z: the instant of every vector that does not test time."""

ED25519_KEYS: Final = (
    "wallet", "wallet-retired", "other-wallet", "principal", "agent", "other-agent", "teashop", "cha", "corner", "bare",
    "gifts",
    "homoglyph", "psp", "other-psp", "stranger",
    *("courier", "other-courier"), *(f"courier-{place}" for place in range(2, 10)),
)  # fmt: skip
ES256_KEYS: Final = ("wallet-es256", "agent-es256", "teashop-es256", "psp-es256", "stranger-es256")


def seed_of(name: str) -> bytes:
    """The 32-byte secret of a key: SHA-256 of a published text."""
    return sha256(f"ACT open profile test key: {name}".encode()).digest()


KEYS: Final[Mapping[str, KeyPair]] = {
    **{name: KeyPair.unsafe_from_seed(seed_of(name), "Ed25519") for name in ED25519_KEYS},
    **{name: KeyPair.unsafe_from_seed(seed_of(name), "ES256") for name in ES256_KEYS},
}

# --- parties -----------------------------------------------------------------------------------------------------------

MANDATE_END: Final = NOW + 54_000
KEYS_START: Final = NOW - 3600
"""When most keys come into force: an hour before NOW, and so that objects signed earlier show the edge."""

KEYS_END: Final = NOW + 365 * 86_400
RETIRED_END: Final = NOW - 600
COMPROMISED_AT: Final = NOW + 600
HOMOGLYPH: Final = "te\u0430shop.example"
"""`teashop.example` with a Cyrillic letter: another payee, whatever it looks like."""


def _key(name: str, start: int = KEYS_START, end: int = KEYS_END, compromised_at: int | None = None) -> dict[str, Any]:
    key: dict[str, Any] = {"jwk": KEYS[name].public_key.to_jwk(), "not_before": iso(start), "not_after": iso(end)}
    return key if compromised_at is None else key | {"compromised_at": iso(compromised_at)}


def _payee(identifier: str, categories: list[str], *keys: dict[str, Any]) -> dict[str, Any]:
    return {"id": identifier, "name": identifier, "roles": ["payee"], "categories": categories, "keys": list(keys)}


def _document(*, version: int = 1, expires: int = KEYS_END, compromised: tuple[str, ...] = ()) -> dict[str, Any]:
    def key(name: str) -> dict[str, Any]:
        return _key(name, compromised_at=COMPROMISED_AT if name in compromised else None)

    wallet_keys = [key("wallet"), key("wallet-es256"), _key("wallet-retired", KEYS_START, RETIRED_END)]
    wallet = {
        "id": "wallet.example",
        "name": "Wallet",
        "roles": ["issuer"],
        "delegator_namespaces": ["user:"],
        "keys": wallet_keys,
    }
    other = {"id": "other-wallet.example", "name": "Other wallet", "roles": ["issuer"], "delegator_namespaces": ["customer:"]}
    return {
        "format": "act1-parties",
        "version": version,
        "expires": iso(expires),
        "parties": [
            wallet,
            other | {"keys": [key("other-wallet")]},
            {"id": "user:lin", "name": "Lin", "roles": ["principal"], "keys": [key("principal")]},
            _payee("teashop.example", ["tea"], key("teashop"), key("teashop-es256")),
            _payee("cha.example", ["tea"], key("cha")),
            _payee("corner.example", ["tea", "gift-card"], key("corner")),
            _payee("bare.example", [], key("bare")),
            _payee("gifts.example", ["gift-card"], key("gifts")),
            _payee(HOMOGLYPH, ["tea"], key("homoglyph")),
            {"id": "psp-1", "name": "Payment service 1", "roles": ["psp"], "keys": [key("psp"), key("psp-es256")]},
            {"id": "psp-2", "name": "Payment service 2", "roles": ["psp"], "keys": [key("other-psp")]},
        ],
    }


def _aliased() -> dict[str, Any]:
    document = _document()
    wallet = document["parties"][0]
    wallet["keys"][0]["kid"] = "did:example:wallet#1"
    wallet["ledger"] = "psp-1"
    return document


PARTIES: Final[Mapping[str, dict[str, Any]]] = {
    "standard": _document(),
    "expiring": _document(expires=NOW),
    "wallet-compromised": _document(version=2, compromised=("wallet",)),
    "teashop-compromised": _document(version=2, compromised=("teashop",)),
    "psp-compromised": _document(version=2, compromised=("psp",)),
    "aliased": _aliased(),
}
"""The parties documents by name. `expiring` ends at NOW; `aliased` gives the wallet's key a name of its own and the wallet a
ledger; the compromised ones say so of one key, as of COMPROMISED_AT."""

# --- objects -----------------------------------------------------------------------------------------------------------

REMOVED: Final = object()
"""As a change: the field is taken out."""


def changed(claims: Mapping[str, Any], changes: Mapping[str, Any] | None) -> dict[str, Any]:
    """A copy of the claims with some paths (`act.ext.commerce.max_single_amount`) set to other values, or REMOVED."""
    result: dict[str, Any] = copy.deepcopy(dict(claims))
    for path, value in (changes or {}).items():
        *blocks, name = path.split(".")
        place = result
        for block in blocks:
            place = place.setdefault(block, {})
        if value is REMOVED:
            del place[name]
        else:
            place[name] = copy.deepcopy(value)
    return result


def uuid_of(name: str) -> bytes:
    """16 fixed bytes with the version and variant of a random UUID (RFC 9562 5.4)."""
    raw = bytearray(sha256(f"ACT open profile test id: {name}".encode()).digest()[:16])
    raw[6], raw[8] = raw[6] & 0x0F | 0x40, raw[8] & 0x3F | 0x80
    return bytes(raw)


SHOPS: Final = [
    *("teashop.example", "cha.example", "corner.example", "bare.example", "gifts.example"),
    HOMOGLYPH,
]
"""Every payee of the vectors: a mandate that names them all bounds nothing that a vector buys."""

MANDATE_CLAIMS: Final[Mapping[str, Any]] = {
    "iss": "wallet.example",
    "sub": "agent:tea-runner",
    "aud": "psp-1",
    "exp": MANDATE_END,
    "nbf": NOW - 1800,
    "iat": NOW - 1800,
    "cti": uuid_of("mandate"),
    "cnf": {1: KEYS["agent"].public_key.cose_key},
    "status": {"ledger": "psp-1"},
    "act": {
        "delegator_identity": "user:lin",
        "intent_id": "intent-2026-02-06-tea",
        "delegation_mode": "BOUNDED",
        "max_total_amount": "200.00",
        "currency": "CNY",
        "ext": {"commerce": {"allowed_merchants": SHOPS}},
    },
}
"""A mandate with what is mandatory, ACT's mode and one bound: 200.00 CNY for one afternoon, at any shop of the vectors."""

TEA: Final[Mapping[str, Any]] = {
    "act.allowed_payment_methods": ["balance", "card"],
    "act.user_confirmation_method": "passkey",
    "act.user_confirmation_timestamp": NOW - 1800,
    "act.ext.commerce": {
        "max_single_amount": "30.00",
        "min_single_amount": "5.00",
        "allowed_merchants": ["teashop.example", "cha.example"],
        "forbidden_merchants": ["gifts.example"],
        "allowed_categories": ["tea"],
        "forbidden_categories": ["gift-card"],
    },
}
"""What makes it the mandate of a tea afternoon: every constraint of the registry."""


def mandate(changes: Mapping[str, Any] | None = None, *, signer: str = "wallet") -> bytes:
    """A signed mandate: MANDATE_CLAIMS with changes."""
    return seal(MANDATE, changed(MANDATE_CLAIMS, changes), KEYS[signer])


def tea_mandate(changes: Mapping[str, Any] | None = None, *, signer: str = "wallet") -> bytes:
    """A signed mandate with every constraint: MANDATE_CLAIMS, TEA and changes."""
    return seal(MANDATE, changed(changed(MANDATE_CLAIMS, TEA), changes), KEYS[signer])


def item(sku: str, category: str, quantity: int, unit_amount: str) -> dict[str, Any]:
    """One line of an order."""
    return {"sku": sku, "name": sku.replace("-", " "), "category": category, "quantity": quantity, "unit_amount": unit_amount}


ORDER_CLAIMS: Final[Mapping[str, Any]] = {
    "iss": "teashop.example",
    "sub": "agent:tea-runner",
    "exp": NOW + 900,
    "iat": NOW - 60,
    "act": {
        "delegator_identity": "user:lin",
        "order_no": "T-0001",
        "items": [item("milk-tea-large", "tea", 1, "18.00")],
        "amount": "18.00",
        "currency": "CNY",
    },
}
"""One large milk tea for 18.00 CNY."""


def priced(amount: str, *, currency: str = "CNY", category: str = "tea") -> dict[str, Any]:
    """Changes to an order: one item at this price."""
    return {
        "act.amount": amount,
        "act.currency": currency,
        "act.items": [item("milk-tea-large", category, 1, amount)],
    }


def order(changes: Mapping[str, Any] | None = None, *, signer: str = "teashop") -> bytes:
    """A signed order: ORDER_CLAIMS with changes."""
    return seal(ORDER, changed(ORDER_CLAIMS, changes), KEYS[signer])


def identity(data: bytes) -> bytes:
    """SHA-256 of an object's signing input."""
    protected, payload, _ = cbor.decode_sign1(data)
    return sha256(cbor.sig_structure(protected, payload)).digest()


def claims_of(data: bytes) -> dict[Any, Any]:
    """The payload of an object the vectors made themselves."""
    value = cbor.decode(cbor.decode_sign1(data)[1])
    assert isinstance(value, dict)  # noqa: S101 - for the type checker: every payload made here is a map
    return value


def request_claims(mandate_bytes: bytes, order_bytes: bytes, request_id: str) -> dict[str, Any]:
    """What an honest agent signs to pay this order under this mandate at NOW."""
    root, terms = claims_of(mandate_bytes), claims_of(order_bytes)
    facts, body = root[-70001], terms[-70001]
    return {
        "iss": root[2],
        "aud": root[3],
        "exp": NOW + 120,
        "iat": NOW,
        "cti": uuid_of(f"request {request_id}"),
        "act": {
            "delegator_identity": facts["delegator_identity"],
            "delegation_id": root[7],
            "credential": identity(mandate_bytes),
            "order": identity(order_bytes),
            "order_no": body["order_no"],
            "payee": terms[1],
            "amount": body["amount"],
            "currency": body["currency"],
            "scenario": "AUP" if facts.get("delegation_mode") == "BOUNDED" else "DEL",
            "payment_method": "balance",
            "payment_tool_reference": "tool-1",
        },
    }


def request(
    mandate_bytes: bytes,
    order_bytes: bytes,
    changes: Mapping[str, Any] | None = None,
    *,
    signer: str = "agent",
    request_id: str = "1",
) -> bytes:
    """A signed payment request: an honest one with changes."""
    return seal(REQUEST, changed(request_claims(mandate_bytes, order_bytes, request_id), changes), KEYS[signer])


def payment(request_bytes: bytes, mandate_bytes: bytes, order_bytes: bytes, *links: bytes) -> bytes:
    """A payment of three objects, and of links below the mandate if there are any; consistent or not."""
    chain: list[Any] = [mandate_bytes, *links]
    return cbor.encode({"typ": "application/act1-payment+cbor", "request": request_bytes, "chain": chain, "order": order_bytes})


def paid(
    mandate_bytes: bytes,
    order_bytes: bytes,
    changes: Mapping[str, Any] | None = None,
    *,
    signer: str = "agent",
    request_id: str = "1",
) -> bytes:
    """The payment of an order under a mandate, with changes to its request."""
    return payment(
        request(mandate_bytes, order_bytes, changes, signer=signer, request_id=request_id), mandate_bytes, order_bytes
    )


# --- forgeries ---------------------------------------------------------------------------------------------------------

KINDS: Final[Mapping[str, Kind]] = {kind.name: kind for kind in (MANDATE, LINK, ORDER, REQUEST, INSTRUCTION, RECEIPT)}


def header(signer: str, typ: str = MANDATE.cose_typ) -> dict[int | str, Any]:
    """The protected header an honest signer writes."""
    return {1: KEYS[signer].alg.cose, 4: KEYS[signer].kid, 16: typ}


def signed(protected: bytes, payload: bytes, signer: str) -> bytes:
    """Any two byte strings as a COSE_Sign1 with a signature that holds: whoever decodes leniently would accept it."""
    return cbor.encode_sign1(protected, payload, KEYS[signer].sign(cbor.sig_structure(protected, payload)))


def with_signature(data: bytes, signature: bytes) -> bytes:
    """The same object under another signature."""
    protected, payload, _ = cbor.decode_sign1(data)
    return cbor.encode_sign1(protected, payload, signature)


P256_ORDER: Final = 0xFFFFFFFF_00000000_FFFFFFFF_FFFFFFFF_BCE6FAAD_A7179E84_F3B9CAC2_FC632551
ED25519_ORDER: Final = (1 << 252) + 27_742_317_777_372_353_535_851_937_790_883_648_493


def high_s(data: bytes) -> bytes:
    """The other valid ECDSA signature of the same object: (r, n - s)."""
    signature = cbor.decode_sign1(data)[2]
    twin = P256_ORDER - int.from_bytes(signature[32:])
    return with_signature(data, signature[:32] + twin.to_bytes(32))


def tampered(data: bytes, before: bytes, after: bytes) -> bytes:
    """The object with some bytes of its payload exchanged and the old signature kept."""
    protected, payload, signature = cbor.decode_sign1(data)
    if payload.count(before) != 1 or len(before) != len(after):
        raise ValueError("the bytes to exchange must stand exactly once and keep their length")
    return cbor.encode_sign1(protected, payload.replace(before, after), signature)

"""Vectors of keys and of the parties documents: which keys are keys, and who may sign as what, when."""

from __future__ import annotations

import json
from typing import Any

from act.calendar import iso
from act.wire import cbor
from vector_sets import world
from vector_sets.shape import Vector, accept, refuse, vector_file
from vector_sets.world import KEYS, KEYS_END, KEYS_START, PARTIES, RETIRED_END

_P = (1 << 255) - 19


def _okp(x: bytes) -> bytes:
    return cbor.encode({1: 1, -1: 6, -2: x})


def _ec2(x: bytes, y: Any) -> bytes:
    return cbor.encode({1: 2, -1: 1, -2: x, -3: y})


def _pairs() -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "alg": key.alg.value,
            "seed": world.seed_of(name).hex(),
            "cose_key": cbor.encode(dict(key.public_key.cose_key)).hex(),
            "kid": key.kid.hex(),
            "jwk": key.public_key.to_jwk(),
        }
        for name, key in KEYS.items()
    ]


# The y coordinate, little endian, whose highest bit is the sign of x (RFC 8032 5.1.2).
_SMALL_ORDER = (
    ("order-1", 1, "The neutral element: a signature of zeros verifies for every message in careless libraries."),
    ("order-2", _P - 1, "A point of order 2."),
    ("order-4", 0, "A point of order 4."),
    ("order-4-sign", 1 << 255, "The other point of order 4."),
    ("order-8", 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD83D3D706A17C7, "A point of order 8."),
    ("order-8-other", 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826, "Another point of order 8."),
)
_NOT_CANONICAL = (
    ("y-is-p", _P, "y = p is 0 in another form."),
    ("y-is-p-plus-1", _P + 1, "y = p + 1 is 1 in another form."),
    ("order-1-sign", 1 | 1 << 255, "x = 0 has no sign."),
    ("not-on-curve", 2, "No x belongs to this y."),
)


def _refused_keys() -> list[Vector]:
    agent = KEYS["agent"].public_key.raw
    mixed = _mixed_order(agent)
    raw = KEYS["agent-es256"].public_key.raw
    x, y = raw[1:33], raw[33:]
    vectors = [
        refuse(f"keys/ed25519-{name}", why, "key_invalid", "key", input=_okp(value.to_bytes(32, "little")))
        for name, value, why in (*_SMALL_ORDER, *_NOT_CANONICAL)
    ]
    wrong_y = y[:-1] + bytes([y[-1] ^ 1])
    vectors += [
        refuse("keys/ed25519-mixed-order",
               "A good key plus a point of order 8: on the curve, but not of prime order. Verifiers "
               "with and without the cofactor disagree about its signatures.", "key_invalid", "key", input=_okp(mixed)),
        refuse("keys/p256-not-on-curve", "One bit of y differs.", "key_invalid", "key", input=_ec2(x, wrong_y)),
        refuse("keys/p256-zero", "(0, 0) is no point.", "key_invalid", "key", input=_ec2(bytes(32), bytes(32))),
        refuse("keys/p256-compressed", "y as a boolean is the compressed form: a second way to write a key.", "claim_invalid",
               "key",
               input=_ec2(x, bool(y[-1] & 1))),
        refuse("keys/p256-short-coordinate", "A coordinate is 32 bytes, leading zeros included.", "claim_invalid", "key",
               input=_ec2(x[:-1], y)),
        refuse("keys/ed25519-31-bytes", "An Ed25519 key is 32 bytes.", "claim_invalid", "key", input=_okp(agent[:-1])),
        refuse("keys/extra-member", "Only the required members: an algorithm beside the key could contradict it.",
               "claim_invalid",
               "key", input=cbor.encode({1: 1, 3: -19, -1: 6, -2: agent})),
        refuse("keys/private-member", "A private key has no place in an object.", "claim_invalid", "key",
               input=cbor.encode({1: 1, -1: 6, -2: agent, -4: world.seed_of("agent")})),
        refuse("keys/symmetric", "A secret shared by both sides proves nothing to a third.", "claim_invalid", "key",
               input=cbor.encode({1: 4, -1: bytes(32)})),
        refuse("keys/x25519", "A key for agreement, not for signing.", "claim_invalid", "key",
               input=cbor.encode({1: 1, -1: 4, -2: agent})),
        refuse("keys/p384", "Another curve.", "claim_invalid", "key", input=cbor.encode({1: 2, -1: 2, -2: x, -3: y})),
        refuse("keys/curve-missing", "The curve fixes the algorithm and is never guessed.", "claim_invalid", "key",
               input=cbor.encode({1: 1, -2: agent})),
    ]  # fmt: skip
    return vectors


def _mixed_order(raw: bytes) -> bytes:
    """The Ed25519 point plus the point of order 8, in affine arithmetic: twisted Edwards with a = -1."""
    d = -121_665 * pow(121_666, -1, _P) % _P

    def decoded(encoded: bytes) -> tuple[int, int]:
        value = int.from_bytes(encoded, "little")
        sign, y = value >> 255, value & (1 << 255) - 1
        square = (y * y - 1) * pow(d * y * y + 1, -1, _P) % _P
        x = pow(square, (_P + 3) // 8, _P)
        if (x * x - square) % _P:
            x = x * pow(2, (_P - 1) // 4, _P) % _P
        return (_P - x if x & 1 != sign else x), y

    order_8 = next(value for name, value, _ in _SMALL_ORDER if name == "order-8")
    (x1, y1), (x2, y2) = decoded(raw), decoded(order_8.to_bytes(32, "little"))
    product = d * x1 * x2 * y1 * y2
    x = (x1 * y2 + x2 * y1) * pow(1 + product, -1, _P) % _P
    y = (y1 * y2 + x1 * x2) * pow(1 - product, -1, _P) % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def keys_file() -> dict[str, Any]:
    """keys.json."""
    vectors = [
        accept(f"keys/{name}", why, ["ACT-KEY-01"], input=cbor.encode(dict(KEYS[name].public_key.cose_key)), kid=KEYS[name].kid)
        for name, why in (
            ("agent", "An Ed25519 key as COSE_Key, and its thumbprint."),
            ("agent-es256", "A P-256 key as COSE_Key, and its thumbprint."),
        )
    ]
    about = "The published key pairs of all vectors (never enrol them), and COSE_Keys that are keys or are not."
    return vector_file("keys", about, vectors + _refused_keys(), pairs=_pairs())


def _find(name: str, why: str, key: str, role: str, at: int, party: str | None) -> Vector:
    fields: dict[str, Any] = {"op": "find", "parties": "standard", "kid": KEYS[key].kid, "role": role, "at": at}
    if party is None:
        return refuse(f"parties/{name}", why, "signer_unknown", "", **fields)
    return accept(f"parties/{name}", why, ["ACT-PAR-02"], **fields, party=party)


def _documents() -> list[Vector]:
    base = PARTIES["expiring"]
    first = base["parties"][0]

    def broken(name: str, why: str, where: str, document: object) -> Vector:
        text = document if isinstance(document, str) else json.dumps(document)
        return refuse(f"parties/{name}", why, "parties_invalid", where, op="read", input=text.encode())

    def with_parties(*parties: dict[str, Any]) -> dict[str, Any]:
        return base | {"parties": list(parties)}

    private = first["keys"][0] | {"jwk": first["keys"][0]["jwk"] | {"d": "AAAA"}}
    twin = dict(first) | {"id": "twin.example"}
    return [
        accept("parties/document", "The least document: nobody may sign anything.", ["ACT-CALL-03"], op="read",
               input=json.dumps(with_parties()).encode()),
        broken("not-json", "Not JSON.", "", "parties: []"),
        broken("format-unknown", "Another format: what is unknown is refused.", "format", base | {"format": "act2-parties"}),
        broken("version-zero", "Versions count from 1.", "version", with_parties() | {"version": 0}),
        broken("version-text", "A version is a number.", "version", with_parties() | {"version": "1"}),
        broken("expires-missing", "A document without an end could be used for ever.", "expires",
               {name: value for name, value in base.items() if name != "expires"}),
        broken("expires-offset", "Times are UTC in one form.", "expires",
               with_parties() | {"expires": "2026-02-06T17:00:00+08:00"}),
        broken("member-unknown", "An unknown member may be a condition that would be lost.", "parties.0.limit",
               with_parties(first | {"limit": "1"})),
        broken("role-unknown", "The roles are a closed list.", "parties.0.roles.0", with_parties(first | {"roles": ["admin"]})),
        broken("party-twice", "Which of the two is meant depends on the reader.", "parties",
               with_parties(first, first | {"keys": []})),
        broken("key-window-empty", "A key that ends when it begins was meant otherwise.", "parties.0.keys.0.not_after",
               with_parties(first | {"keys": [first["keys"][0] | {"not_after": first["keys"][0]["not_before"]}]})),
        broken("key-twice", "One key stands for one party, or one could sign for the other.", "keys", with_parties(first,
               twin)),
        broken("key-private", "A private key does not belong into a file that many read.", "parties.0.keys.0.jwk",
               with_parties(first | {"keys": [private]})),
    ]  # fmt: skip


def parties_file() -> dict[str, Any]:
    """parties.json."""
    wallet = "wallet.example"
    vectors = [
        _find("issuer", "The wallet's key, in its role.", "wallet", "issuer", world.NOW, wallet),
        _find("role-other", "The same key in a role its party does not have.", "wallet", "payee", world.NOW, None),
        _find("key-unknown", "A key nobody enrolled.", "stranger", "issuer", world.NOW, None),
        _find("not-before-minus-1", "A second before the key comes into force.", "wallet", "issuer", KEYS_START - 1, None),
        _find("not-before", "The second in which the key comes into force.", "wallet", "issuer", KEYS_START, wallet),
        _find("not-before-plus-1", "The second after.", "wallet", "issuer", KEYS_START + 1, wallet),
        _find("not-after-minus-1", "The last second.", "wallet-retired", "issuer", RETIRED_END - 1, wallet),
        _find("not-after", "The end itself is outside.", "wallet-retired", "issuer", RETIRED_END, None),
        _find("not-after-plus-1", "The second after.", "wallet-retired", "issuer", RETIRED_END + 1, None),
        _find("not-after-year", "Another key of the same party has its own window.", "wallet", "issuer", KEYS_END - 1, wallet),
    ]
    about = f"The parties documents of all vectors, and who may sign as what. `expiring` ends at {iso(world.NOW)}."
    return vector_file("parties", about, vectors + _documents(), documents=dict(PARTIES))

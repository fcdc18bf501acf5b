"""Published edge cases of Ed25519 and ECDSA: nothing outside the written rule is accepted, nothing honest is refused.

The Ed25519 rule (ACT-KEY-01) is judged here a second time, by slow integer arithmetic straight from its definition: A and R are
canonical encodings of points of prime order, S < L, and S*B = R + k*A without cofactor. Counts are asserted exactly, so that no
case can drop out unseen.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

from act.errors import Refused
from act.keys import BadSignature, Ed25519PublicKey, KeyPair, P256PublicKey, PublicKey

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)

Point = tuple[int, int, int, int]
"""Extended coordinates (X, Y, Z, T) with x = X/Z, y = Y/Z, x*y = T/Z."""
IDENTITY: Point = (0, 1, 1, 0)


# --- the rule, from its definition -----------------------------------------------------------------------------------------


def add(a: Point, b: Point) -> Point:
    """The complete addition law of the twisted Edwards curve with a = -1: it needs no special case."""
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    e, g = (x1 * y2 + y1 * x2) % P, (y1 * y2 + x1 * x2) % P
    f, h = (z1 * z2 - D * t1 * t2) % P, (z1 * z2 + D * t1 * t2) % P
    return e * f % P, g * h % P, f * h % P, e * g % P


def multiply(scalar: int, point: Point) -> Point:
    total = IDENTITY
    while scalar:
        if scalar & 1:
            total = add(total, point)
        point = add(point, point)
        scalar >>= 1
    return total


def equal(a: Point, b: Point) -> bool:
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def decode(encoded: bytes) -> Point | None:
    """The point of a canonical encoding; None for any other bytes."""
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, number & (1 << 255) - 1
    if len(encoded) != 32 or y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * ROOT_OF_MINUS_ONE % P
    if x * x % P != square or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


@cache
def prime_order_point(encoded: bytes) -> Point | None:
    point = decode(encoded)
    if point is None or equal(point, IDENTITY) or not equal(multiply(L, point), IDENTITY):
        return None
    return point


BASE = decode(bytes.fromhex("58" + "66" * 31))


def rule_accepts(raw: bytes, message: bytes, signature: bytes) -> bool:
    key = prime_order_point(raw)
    if key is None or len(signature) != 64:
        return False
    commitment = prime_order_point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if commitment is None or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + raw + message).digest(), "little")
    assert BASE is not None
    return equal(multiply(s, BASE), add(commitment, multiply(k % L, key)))


# --- the two answers to be compared ------------------------------------------------------------------------------------------


def we_accept(raw: bytes, message: bytes, signature: bytes) -> bool:
    try:
        PublicKey.from_cose_key({1: 1, -1: 6, -2: raw}, "cnf").verify(message, signature)
    except (Refused, BadSignature):
        return False
    return True


def libsodium_accepts(raw: bytes, message: bytes, signature: bytes) -> bool:
    try:
        crypto_sign_open(signature + message, raw)
    except BadSignatureError:
        return False
    return True


def load(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text(encoding="utf-8"))


def wycheproof(folder: Path, name: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each test of a Wycheproof file, with its group."""
    content = load(folder, name)
    tests = [(group, test) for group in content["testGroups"] for test in group["tests"]]
    assert len(tests) == content["numberOfTests"]
    return tests


def test_the_second_judge_knows_the_curve() -> None:
    assert BASE is not None
    assert prime_order_point(bytes.fromhex("58" + "66" * 31)) == BASE
    torsion = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
    point = decode(torsion)
    assert point is not None
    assert equal(multiply(8, point), IDENTITY)
    assert not equal(multiply(4, point), IDENTITY)
    assert prime_order_point(torsion) is None


def test_wycheproof_ed25519(edge_vectors: Path) -> None:
    seen: Counter[str] = Counter()
    for group, test in wycheproof(edge_vectors, "wycheproof-ed25519.json"):
        raw, message, signature = (bytes.fromhex(text) for text in (group["publicKey"]["pk"], test["msg"], test["sig"]))
        valid = {"valid": True, "invalid": False}[test["result"]]
        assert Ed25519PublicKey.from_raw(raw).raw == raw, "every key of this file is honest"
        assert we_accept(raw, message, signature) is valid, test
        assert rule_accepts(raw, message, signature) is valid, test
        seen[test["result"]] += 1
    assert seen == {"valid": 88, "invalid": 63}


def test_wycheproof_es256(edge_vectors: Path) -> None:
    seen: Counter[str] = Counter()
    for group, test in wycheproof(edge_vectors, "wycheproof-es256-p1363.json"):
        key = P256PublicKey.from_raw(bytes.fromhex(group["publicKey"]["uncompressed"]))
        if "publicKeyJwk" in group:
            x, y = (base64.urlsafe_b64decode(group["publicKeyJwk"][name] + "=") for name in "xy")
            assert PublicKey.from_cose_key({1: 2, -1: 1, -2: x, -3: y}, "cnf") == key
        try:
            key.verify(bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"]))
            result = "valid"
        except BadSignature:
            result = "invalid"
        assert result == test["result"], test
        seen[result] += 1
    assert seen == {"valid": 173, "invalid": 89}


def test_cctv_ed25519(edge_vectors: Path) -> None:
    """Every flag names a way out of the rule, so what is accepted is exactly what has none."""
    cases = load(edge_vectors, "cctv-ed25519.json")
    outside = {
        "low_order_A", "low_order_R", "low_order_component_A", "low_order_component_R", "low_order_residue",
        "non_canonical_A", "non_canonical_R", "reencoded_k",
    }  # fmt: skip
    accepted, without_key_check = [], 0
    for case in cases:
        raw, message, signature = bytes.fromhex(case["key"]), case["msg"].encode(), bytes.fromhex(case["sig"])
        flags = set(case["flags"] or ())
        assert flags <= outside
        verdict = we_accept(raw, message, signature)
        assert verdict is (not flags), case
        assert verdict is rule_accepts(raw, message, signature), case
        without_key_check += libsodium_accepts(raw, message, signature)
        if verdict:
            accepted.append(case["number"])
    assert len(cases) == 914
    assert len(accepted) == 1
    assert without_key_check > 1, "the check of the key is what refuses the keys of mixed order"


def test_cctv_keys_are_judged_by_their_flags(edge_vectors: Path) -> None:
    """The key alone: refused exactly where the flags say that A is of low or mixed order or encoded non-canonically."""
    refused = 0
    for case in load(edge_vectors, "cctv-ed25519.json"):
        raw = bytes.fromhex(case["key"])
        bad = bool({"low_order_A", "low_order_component_A", "non_canonical_A"} & set(case["flags"] or ()))
        try:
            Ed25519PublicKey.from_raw(raw)
            result = False
        except Refused as refusal:
            assert refusal.code == "key_invalid"
            result = True
        assert result is bad is (prime_order_point(raw) is None), case
        refused += bad
    assert refused == 886


def test_speccheck(edge_vectors: Path) -> None:
    """All twelve have a key or an R outside the rule, or S >= L."""
    cases = load(edge_vectors, "ed25519-speccheck.json")
    for number, case in enumerate(cases):
        raw, message, signature = (bytes.fromhex(case[name]) for name in ("pub_key", "message", "signature"))
        assert not we_accept(raw, message, signature), number
        assert not rule_accepts(raw, message, signature), number
    assert len(cases) == 12


@pytest.mark.parametrize("seed", range(20))
def test_both_judges_accept_honest_signatures_and_agree_on_damaged_ones(seed: int) -> None:
    pair = KeyPair.unsafe_from_seed(hashlib.sha256(bytes([seed])).digest())
    message = bytes(seed)
    signature = pair.sign(message)
    raw = pair.public_key.raw
    assert we_accept(raw, message, signature)
    assert rule_accepts(raw, message, signature)
    damaged = bytearray(signature)
    damaged[seed * 3] ^= 1 << seed % 8
    assert not we_accept(raw, message, bytes(damaged))
    assert not rule_accepts(raw, message, bytes(damaged))

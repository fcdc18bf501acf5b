"""Keys in memory: the algorithm table, thumbprints, strict public keys, the cache of checked keys, key pairs."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import pickle
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType

import pytest
from nacl.bindings import (
    crypto_core_ed25519_is_valid_point,
    crypto_scalarmult_ed25519_base_noclamp,
    crypto_scalarmult_ed25519_noclamp,
)

from act.errors import InvalidCall, Refused
from act.keys import (
    SIGNATURE_SIZE,
    Algorithm,
    BadSignature,
    Ed25519PublicKey,
    KeyPair,
    P256PublicKey,
    PublicKey,
    Signer,
    private_pem,
)
from act.keys import public_key as public_key_module

ED25519 = KeyPair.unsafe_from_seed(bytes(range(32)))
ES256 = KeyPair.unsafe_from_seed(bytes(range(1, 33)), "ES256")
BOTH = [ED25519, ES256]
IDS = ["Ed25519", "ES256"]

P = 2**255 - 19
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

# RFC 9679 section 6: the example key and its thumbprint.
RFC_X = bytes.fromhex("65eda5a12577c2bae829437fe338701a10aaa375e1bb5b5de108de439c08551d")
RFC_Y = bytes.fromhex("1e52ed75701163f7f9e40ddf9f341b3dc9ba860af7e0ca7ca7e9eecd0084d19c")
RFC_KID = bytes.fromhex("496bd8afadf307e5b08c64b0421bf9dc01528a344a43bda88fadd1669da253ec")


def refusal(value: object) -> str:
    with pytest.raises(Refused) as caught:
        PublicKey.from_cose_key(value, "act.cnf")
    assert caught.value.where == "act.cnf"
    return caught.value.code


def changed(pair: KeyPair, change: dict[object, object]) -> dict[object, object]:
    return dict([*pair.public_key.cose_key.items(), *change.items()])


# --- the table -----------------------------------------------------------------------------------------------------------


def test_the_table_is_closed_and_names_fully_specified_algorithms() -> None:
    assert [(a.value, a.cose, a.jose) for a in Algorithm] == [("Ed25519", -19, "Ed25519"), ("ES256", -9, "ES256")]
    assert all(Algorithm.from_cose(a.cose, "alg") is a for a in Algorithm)
    assert [pickle.loads(pickle.dumps(a)) is a for a in Algorithm] == [True, True]


@pytest.mark.parametrize("value", [-8, -7, 0, 1, 4, 5, 6, -48, -19.0, True, None, "Ed25519", b"\x32", [], {}])
def test_other_algorithms_are_refused(value: object) -> None:
    with pytest.raises(Refused) as caught:
        Algorithm.from_cose(value, "protected.alg")
    assert (caught.value.code, caught.value.where) == ("algorithm_not_allowed", "protected.alg")


@pytest.mark.parametrize("name", ["EdDSA", "none", "HS256", "ed25519", "ESP256", "", -19])
def test_unknown_names_are_a_wrong_call(name: str) -> None:
    with pytest.raises(InvalidCall) as caught:
        KeyPair.generate(name)
    assert (caught.value.code, caught.value.where) == ("call_invalid", "alg")


# --- thumbprints and COSE_Key --------------------------------------------------------------------------------------------


def test_thumbprint_of_the_rfc_9679_example() -> None:
    key = PublicKey.from_cose_key({1: 2, -1: 1, -2: RFC_X, -3: RFC_Y}, "cnf")
    assert (key.kid, key.alg, key.raw) == (RFC_KID, Algorithm.ES256, b"\x04" + RFC_X + RFC_Y)


def test_ed25519_thumbprint_hashes_the_required_members_in_deterministic_cbor() -> None:
    raw = ED25519.public_key.raw
    members = bytes.fromhex("a3 01 01 20 06 21 58 20") + raw  # {1: 1, -1: 6, -2: x}
    assert ED25519.kid == hashlib.sha256(members).digest()


@pytest.mark.parametrize("pair", BOTH, ids=IDS)
def test_cose_key_round_trip_in_any_order(pair: KeyPair) -> None:
    cose_key = pair.public_key.cose_key
    assert PublicKey.from_cose_key(cose_key, "cnf") == pair.public_key
    assert PublicKey.from_cose_key(dict(reversed(cose_key.items())), "cnf") == pair.public_key
    cose_key.clear()
    assert pair.public_key.cose_key, "a caller's change does not reach the key"


def test_cose_key_members() -> None:
    assert ED25519.public_key.cose_key == {1: 1, -1: 6, -2: ED25519.public_key.raw}
    point = ES256.public_key.raw
    assert ES256.public_key.cose_key == {1: 2, -1: 1, -2: point[1:33], -3: point[33:]}


@pytest.mark.parametrize(
    "value",
    [None, b"key", [], "x", 1, True, {}, {1: 1}, {1: 1, -1: 6}, MappingProxyType(ED25519.public_key.cose_key)],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_cose_key_is_refused(value: object) -> None:
    assert refusal(value) == "claim_invalid"


@pytest.mark.parametrize(
    "change",
    [
        {3: -19},  # alg, although allowed by RFC 9052
        {2: b"kid"},
        {4: [2]},
        {-4: bytes(32)},  # the secret key
        {-3: bytes(32)},
        {"x": 1},
        {1: 2},
        {1: True},
        {1: 1.0},
        {1: "OKP"},
        {-1: 4},  # X25519
        {-1: 1},
        {-1: 6.0},
        {-1: "Ed25519"},
        {-2: bytes(31)},
        {-2: bytes(33)},
        {-2: b""},
        {-2: "x" * 32},
        {-2: bytearray(32)},
        {-2: True},
    ],
    ids=str,
)
def test_any_change_to_an_ed25519_cose_key_is_refused(change: dict[object, object]) -> None:
    assert refusal(changed(ED25519, change)) == "claim_invalid"


@pytest.mark.parametrize(
    "change",
    [
        {-3: True},  # a compressed point: the sign of y
        {-3: False},
        {-3: bytes(31)},
        {-3: None},
        {-1: 2},  # P-384
        {-1: 8},  # secp256k1
        {-1: True},
        {1: 1},
        {1: 2.0},
        {3: -9},
        {-4: bytes(32)},
        {-2: bytes(33)},
    ],
    ids=str,
)
def test_any_change_to_a_p256_cose_key_is_refused(change: dict[object, object]) -> None:
    assert refusal(changed(ES256, change)) == "claim_invalid"


@pytest.mark.parametrize("label", [True, 1.0], ids=str)
def test_a_label_that_only_equals_an_integer_is_refused(label: object) -> None:
    assert refusal({label: 1, -1: 6, -2: ED25519.public_key.raw}) == "claim_invalid"


# --- points --------------------------------------------------------------------------------------------------------------


def _bad_ed25519_points() -> dict[str, bytes]:
    sign = 1 << 255
    integers = {
        "identity (order 1)": 1,
        "order 2": P - 1,
        "order 4": 0,
        "order 4, other sign": sign,
        "order 8": int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"),
        "identity with the sign of zero set": 1 | sign,
        "y = p": P,
        "y = p + 1": P + 1,
        "all ones": 2**256 - 1,
        "not on the curve": 2,
    }
    points = {name: value.to_bytes(32, "little") for name, value in integers.items()}
    points["prime order plus order 8"] = bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa")
    return points


@pytest.mark.parametrize(("name", "raw"), _bad_ed25519_points().items(), ids=_bad_ed25519_points())
def test_ed25519_points_that_are_not_canonical_and_of_prime_order_are_refused(name: str, raw: bytes) -> None:
    assert refusal({1: 1, -1: 6, -2: raw}) == "key_invalid"
    with pytest.raises(Refused, match="key_invalid"):
        Ed25519PublicKey(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"\x00",  # the point at infinity
        b"\x04" + bytes(64),
        b"\x04" + RFC_X + RFC_Y[:-1] + b"\x9d",  # off the curve
        bytes([2 + RFC_Y[-1] % 2]) + RFC_X,  # compressed
        bytes([6 + RFC_Y[-1] % 2]) + RFC_X + RFC_Y,  # hybrid
        b"\x04" + RFC_X + RFC_Y + b"\x00",
        b"\x04" + RFC_X + RFC_Y[:-1],
        RFC_X + RFC_Y,
        b"",
    ],
    ids=lambda raw: raw[:3].hex(),
)
def test_p256_points_off_the_curve_or_otherwise_encoded_are_refused(raw: bytes) -> None:
    with pytest.raises(Refused, match="key_invalid at kid"):
        P256PublicKey.from_raw(raw, "kid")


def test_a_p256_x_that_is_not_reduced_is_refused() -> None:
    p = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
    # The point with x = 0 is on the curve, and x = p would be the same point: y is the square root of the curve's b.
    y = pow(0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B, (p + 1) // 4, p).to_bytes(32, "big")
    assert P256PublicKey.from_raw(b"\x04" + bytes(32) + y).alg is Algorithm.ES256
    with pytest.raises(Refused, match="key_invalid"):
        P256PublicKey.from_raw(b"\x04" + p.to_bytes(32, "big") + y)


@pytest.mark.parametrize("kind", [Ed25519PublicKey, P256PublicKey])
@pytest.mark.parametrize(
    "raw", ["x" * 32, bytearray(32), memoryview(bytes(65)), None, 1, []], ids=lambda raw: type(raw).__name__
)
def test_what_is_not_bytes_is_no_key(kind: type[Ed25519PublicKey | P256PublicKey], raw: bytes) -> None:
    with pytest.raises(Refused, match="key_invalid"):
        kind.from_raw(raw)


# --- the object ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pair", BOTH, ids=IDS)
def test_a_public_key_is_an_immutable_value(pair: KeyPair) -> None:
    key = pair.public_key
    same = type(key)(key.raw)
    assert same is not key
    assert (same, hash(same), same.kid) == (key, hash(key), key.kid)
    for field in ("raw", "kid", "alg", "other"):
        with pytest.raises((AttributeError, TypeError)):
            setattr(key, field, b"")
    assert pickle.loads(pickle.dumps(key)) == copy.deepcopy(key) == key
    with pytest.raises(Refused, match="key_invalid"):
        dataclasses.replace(key, raw=bytes(len(key.raw)))
    assert key.kid.hex() in repr(key)


def test_keys_of_two_kinds_are_never_equal() -> None:
    assert ED25519.public_key != ES256.public_key


# --- signatures ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pair", BOTH, ids=IDS)
@pytest.mark.parametrize("message", [b"", b"x", bytes(100_000)], ids=len)
def test_sign_and_verify(pair: KeyPair, message: bytes) -> None:
    signature = pair.sign(message)
    assert len(signature) == SIGNATURE_SIZE
    assert pair.sign(message) == signature, "vectors regenerate identically"
    pair.public_key.verify(message, signature)
    other = KeyPair.generate(pair.alg).public_key
    for key, text in ((other, message), (pair.public_key, message + b"\x00")):
        with pytest.raises(BadSignature):
            key.verify(text, signature)


@pytest.mark.parametrize("pair", BOTH, ids=IDS)
def test_a_signature_of_another_length_or_type_is_bad(pair: KeyPair) -> None:
    signature = pair.sign(b"message")
    # The first two move bytes between signature and message: what libsodium is given must not stay the same.
    for message, wrong in (
        (signature[-1:] + b"message", signature[:-1]),
        (b"essage", signature + b"m"),
        (b"message", b""),
        (b"message", signature + b"\x00"),
        (b"message", signature.hex()),
        (b"message", list(signature)),
        (b"message", bytearray(signature)),
        (b"message", None),
    ):
        with pytest.raises(BadSignature):
            pair.public_key.verify(message, wrong)  # type: ignore[arg-type]  # a decoder may hand over anything


def test_ed25519_s_is_below_the_group_order() -> None:
    signature = ED25519.sign(b"message")
    s = int.from_bytes(signature[32:], "little")
    with pytest.raises(BadSignature):
        ED25519.public_key.verify(b"message", signature[:32] + (s + ED25519_ORDER).to_bytes(32, "little"))


def test_ed25519_r_is_never_the_identity() -> None:
    # With R the identity, S = k * a satisfies the bare equation; only the holder of a can make it, and the rule refuses it.
    identity = (1).to_bytes(32, "little")
    digest = bytearray(hashlib.sha512(bytes(range(32))).digest()[:32])
    digest[0] &= 248
    digest[31] = digest[31] & 127 | 64
    raw = ED25519.public_key.raw
    k = int.from_bytes(hashlib.sha512(identity + raw + b"message").digest(), "little") % ED25519_ORDER
    s = (k * int.from_bytes(digest, "little") % ED25519_ORDER).to_bytes(32, "little")
    assert crypto_scalarmult_ed25519_base_noclamp(s) == crypto_scalarmult_ed25519_noclamp(k.to_bytes(32, "little"), raw)
    with pytest.raises(BadSignature):
        ED25519.public_key.verify(b"message", identity + s)


def test_rfc_8032_test_2() -> None:
    pair = KeyPair.unsafe_from_seed(bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"))
    assert pair.public_key.raw.hex() == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    assert pair.sign(b"\x72").hex() == (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )


def test_rfc_6979_p256_sha256_sample_in_low_s_form() -> None:
    scalar = bytes.fromhex("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721")
    signature = KeyPair.unsafe_from_seed(scalar, Algorithm.ES256).sign(b"sample")
    assert signature[:32].hex() == "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
    high = 0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8
    assert int.from_bytes(signature[32:], "big") == P256_ORDER - high


@pytest.mark.parametrize(
    ("r", "s"),
    [(0, 1), (1, 0), (0, 0), (P256_ORDER, 1), (1, P256_ORDER), (2**256 - 1, 2**256 - 1)],
    ids=["r=0", "s=0", "both 0", "r=n", "s=n", "max"],
)
def test_es256_numbers_outside_their_range_are_bad(r: int, s: int) -> None:
    with pytest.raises(BadSignature):
        ES256.public_key.verify(b"message", r.to_bytes(32, "big") + s.to_bytes(32, "big"))


# --- key pairs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pair", BOTH, ids=IDS)
def test_a_key_pair_is_a_signer_and_shows_no_secret(pair: KeyPair) -> None:
    signer: Signer = pair
    assert (signer.alg, signer.kid) == (pair.public_key.alg, pair.public_key.kid)
    seed = bytes(range(32)) if pair is ED25519 else bytes(range(1, 33))
    assert repr(pair) == str(pair) == f"KeyPair(alg={pair.alg.value}, kid={pair.kid.hex()})"
    assert seed.hex() not in repr(pair)
    assert not hasattr(pair, "__dict__")
    assert {name for name in dir(pair) if not name.startswith("_")} == {
        "alg", "generate", "kid", "pkcs8_pem", "public_key", "sign", "unsafe_from_seed",
    }  # fmt: skip
    for copying in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            copying(pair)


@pytest.mark.parametrize("alg", list(Algorithm))
def test_generated_keys_differ(alg: Algorithm) -> None:
    assert len({KeyPair.generate(alg).kid for _ in range(8)}) == 8
    assert KeyPair.generate(alg).alg is KeyPair.generate(alg.value).alg is alg
    assert KeyPair.generate().alg is Algorithm.ED25519


@pytest.mark.parametrize(
    ("seed", "alg"),
    [
        (b"", "Ed25519"),
        (bytes(31), "Ed25519"),
        (bytes(33), "Ed25519"),
        (bytearray(32), "Ed25519"),
        ("x" * 32, "Ed25519"),
        (bytes(32), "ES256"),
        (P256_ORDER.to_bytes(32, "big"), "ES256"),
        (b"\xff" * 32, "ES256"),
    ],
)
def test_unusable_seeds(seed: bytes, alg: str) -> None:
    with pytest.raises(InvalidCall) as caught:
        KeyPair.unsafe_from_seed(seed, alg)
    assert (caught.value.code, caught.value.where) == ("call_invalid", "seed")
    assert private_pem(ED25519) not in str(caught.value)


# --- the cache -----------------------------------------------------------------------------------------------------------


def test_a_key_is_checked_once() -> None:
    key = KeyPair.generate().public_key
    assert PublicKey.from_cose_key(key.cose_key, "cnf") is PublicKey.from_cose_key(key.cose_key, "elsewhere")
    point = KeyPair.generate("ES256").public_key
    assert P256PublicKey.from_raw(point.raw) is PublicKey.from_cose_key(point.cose_key, "cnf")


def test_the_cache_is_bounded_and_keeps_only_keys_that_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    checks: list[bytes] = []

    def counted(raw: bytes) -> bool:
        checks.append(raw)
        return crypto_core_ed25519_is_valid_point(raw)

    monkeypatch.setattr(public_key_module, "crypto_core_ed25519_is_valid_point", counted)
    cached = public_key_module._checked_ed25519
    cached.cache_clear()
    for _ in range(2):
        with pytest.raises(Refused):
            Ed25519PublicKey.from_raw(bytes(32))
    assert (len(checks), cached.cache_info().currsize) == (2, 0), "a key that failed is checked again"
    raw = KeyPair.generate().public_key.raw
    for _ in range(100):
        Ed25519PublicKey.from_raw(raw)
    assert (len(checks), cached.cache_info().currsize) == (3, 1), "a key that passed is not"
    for caching in (cached, public_key_module._checked_p256):
        assert caching.cache_info().maxsize == public_key_module.CACHE_SIZE


def test_the_cache_is_shared_between_threads() -> None:
    pairs = [KeyPair.generate(alg) for alg in Algorithm for _ in range(8)]
    public_key_module._checked_ed25519.cache_clear()
    public_key_module._checked_p256.cache_clear()

    def work(turn: int) -> bool:
        pair = pairs[turn % len(pairs)]
        key = PublicKey.from_cose_key(pair.public_key.cose_key, "cnf")
        key.verify(b"message", pair.sign(b"message"))
        return key == pair.public_key

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(800)))

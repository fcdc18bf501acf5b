"""What must hold for every key, message and signature, and for every value somebody presents as a key."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from act.errors import InvalidCall, Refused
from act.keys import (
    Algorithm,
    BadSignature,
    Ed25519PublicKey,
    KeyPair,
    P256PublicKey,
    PublicKey,
    parse_private_pem,
    parse_public_pem,
    private_pem,
)

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

seeds = st.binary(min_size=32, max_size=32)
messages = st.binary(max_size=200)
algorithms = st.sampled_from(Algorithm)


@st.composite
def pairs(draw: st.DrawFn, alg: st.SearchStrategy[Algorithm] = algorithms) -> KeyPair:
    seed = draw(seeds)
    chosen = draw(alg)
    assume(chosen is Algorithm.ED25519 or 0 < int.from_bytes(seed, "big") < P256_ORDER)
    return KeyPair.unsafe_from_seed(seed, chosen)


KINDS = {Algorithm.ED25519: Ed25519PublicKey.from_raw, Algorithm.ES256: P256PublicKey.from_raw}


def flipped(data: bytes, bit: int) -> bytes:
    return (int.from_bytes(data, "big") ^ 1 << bit).to_bytes(len(data), "big")


def verifies(key: PublicKey, message: bytes, signature: bytes) -> bool:
    try:
        key.verify(message, signature)
    except BadSignature:
        return False
    return True


@given(pairs(), messages)
def test_what_was_signed_verifies(pair: KeyPair, message: bytes) -> None:
    signature = pair.sign(message)
    assert len(signature) == 64
    assert signature == pair.sign(message)
    assert verifies(PublicKey.from_cose_key(pair.public_key.cose_key, ""), message, signature)


@given(pairs(), messages, st.integers(0, 511))
def test_no_flipped_bit_of_a_signature_verifies(pair: KeyPair, message: bytes, bit: int) -> None:
    # For ES256 too: n is odd, so n - s is s with one bit flipped only where s = (n - 1) / 2 or (n + 1) / 2.
    assert not verifies(pair.public_key, message, flipped(pair.sign(message), bit))


@given(pairs(), st.binary(min_size=1, max_size=200), st.data())
def test_no_flipped_bit_of_a_message_verifies(pair: KeyPair, message: bytes, data: st.DataObject) -> None:
    bit = data.draw(st.integers(0, 8 * len(message) - 1))
    assert not verifies(pair.public_key, flipped(message, bit), pair.sign(message))


@given(pairs(), messages, st.data())
def test_no_flipped_bit_of_a_key_verifies(pair: KeyPair, message: bytes, data: st.DataObject) -> None:
    key = pair.public_key
    bit = data.draw(st.integers(0, 8 * len(key.raw) - 1))
    with contextlib.suppress(Refused):
        other = KINDS[pair.alg](flipped(key.raw, bit))
        assert other.kid != key.kid
        assert not verifies(other, message, pair.sign(message))


@given(pairs(st.just(Algorithm.ES256)), messages)
def test_es256_signs_low_s_and_accepts_its_mirror_and_nothing_else(pair: KeyPair, message: bytes) -> None:
    signature = pair.sign(message)
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    assert 0 < s <= P256_ORDER // 2

    def accepted(first: int, second: int) -> bool:
        return verifies(pair.public_key, message, first.to_bytes(32, "big") + second.to_bytes(32, "big"))

    assert accepted(r, P256_ORDER - s)
    variants = {(s, r), (P256_ORDER - r, s), (P256_ORDER - r, P256_ORDER - s), (r, s - 1), (r, s + 1), (r, 0), (0, s)}
    larger = {(r, s + P256_ORDER), (r + P256_ORDER, s)}  # the same numbers modulo n, where 32 bytes can hold them
    variants |= {(first, second) for first, second in larger if max(first, second) < 2**256}
    assert not any(accepted(first, second) for first, second in variants - {(r, s), (r, P256_ORDER - s)})


@given(st.binary(max_size=130), messages, pairs())
def test_random_signatures_do_not_verify(signature: bytes, message: bytes, pair: KeyPair) -> None:
    assert not verifies(pair.public_key, message, signature)


scalars = st.none() | st.booleans() | st.integers(-3, 8) | st.floats(allow_nan=False) | st.binary(max_size=70) | seeds
labels = st.integers(-4, 4) | st.booleans() | st.text(max_size=2)
cbor_values = st.recursive(
    scalars | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(labels, inner, max_size=5),
    max_leaves=8,
)
near_keys = st.fixed_dictionaries(
    {1: st.sampled_from([1, 2, True, 2.0]), -1: st.sampled_from([6, 1, True]), -2: seeds},
    optional={-3: seeds},
)


@given(cbor_values | near_keys)
def test_any_value_is_a_key_or_refused(value: object) -> None:
    try:
        key = PublicKey.from_cose_key(value, "cnf")
    except Refused as refused:
        assert refused.code in {"claim_invalid", "key_invalid"}
        assert refused.where == "cnf"
    else:
        assert key.cose_key == value


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: data.decode("latin-1")))
def test_any_text_is_a_pem_key_or_unusable(text: str) -> None:
    blocks = [f"-----BEGIN {label}-----\n{text}\n-----END {label}-----\n" for label in ("PUBLIC KEY", "PRIVATE KEY")]
    for wrapped in (text, *blocks):
        for parse in (parse_public_pem, parse_private_pem):
            with pytest.raises(InvalidCall) as caught:
                parse(wrapped)
            assert caught.value.code == "key_unusable"


@given(pairs())
def test_pem_round_trip(pair: KeyPair) -> None:
    assert parse_public_pem(pair.public_key.pem) == pair.public_key
    assert parse_private_pem(private_pem(pair)).public_key == pair.public_key


@given(pairs(), st.data())
def test_a_damaged_pem_never_becomes_another_kind_of_error(pair: KeyPair, data: st.DataObject) -> None:
    for text, parse in ((pair.public_key.pem, parse_public_pem), (private_pem(pair), parse_private_pem)):
        place = data.draw(st.integers(0, len(text) - 1))
        damaged = text[:place] + data.draw(st.characters(max_codepoint=255)) + text[place + 1 :]
        try:
            parse(damaged)  # what the damage left whole is a key
        except InvalidCall as error:
            assert error.code == "key_unusable"

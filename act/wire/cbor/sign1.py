"""The one tag there is: COSE_Sign1 (RFC 9052 4.2), split into its parts and joined from them."""

from __future__ import annotations

from typing import Final

from act.errors import Refused
from act.wire.cbor.bounds import MAX_BYTES
from act.wire.cbor.decode import long_argument, require_input
from act.wire.cbor.encode import encode_head

__all__ = ["decode_sign1", "encode_sign1", "sig_structure", "split_sign1"]

_SIGN1_HEAD: Final = b"\xd2\x84"  # tag 18, list of 4
_SIG_STRUCTURE_HEAD: Final = b"\x84\x6aSignature1"


def decode_sign1(data: object, *, max_bytes: int = MAX_BYTES) -> tuple[bytes, bytes, bytes]:
    """Split a tagged COSE_Sign1 (RFC 9052 4.2) into protected header, payload and signature, as the bytes they are.

    The outer bytes are fixed: tag 18, a list of four, byte string, empty map, byte string, byte string, each with the shortest
    head, and nothing after. What is inside the three strings is not looked at: only sizes and the frame are judged here.
    Raises `Refused`: `envelope_invalid` (ACT-ENV-01) for another structure, `header_unknown` (ACT-ENV-02) for an unprotected
    header that is not empty, and `input_too_large`, `cbor_invalid`, `cbor_not_deterministic` as `decode` does.
    Raises `InvalidCall` when `data` is not `bytes`.
    """
    return split_sign1(data, max_bytes=max_bytes)[:3]


def split_sign1(data: object, *, max_bytes: int = MAX_BYTES) -> tuple[bytes, bytes, bytes, bytes]:
    """What `decode_sign1` returns, and fourth what `sig_structure` makes of it, cut from the same bytes."""
    data = require_input(data, max_bytes)
    try:
        if data[:2] != _SIGN1_HEAD:
            raise _frame_refusal(data)
        protected, unprotected_at = _byte_string(data, 2)
        if data[unprotected_at] != 0xA0:
            raise _unprotected_refusal(data, unprotected_at)
        payload, signature_at = _byte_string(data, unprotected_at + 1)
        if data[signature_at : signature_at + 2] == b"\x58\x40" and signature_at + 66 == len(data):
            signature, end = data[signature_at + 2 :], len(data)  # as every signature here
        else:
            signature, end = _byte_string(data, signature_at)
    except IndexError:
        raise Refused("cbor_invalid", offset=len(data)) from None
    if end != len(data):
        raise Refused("cbor_invalid", offset=end)
    covered = _SIG_STRUCTURE_HEAD + data[2:unprotected_at] + b"\x40" + data[unprotected_at + 1 : signature_at]
    return protected, payload, signature, covered


def _byte_string(data: bytes, pos: int) -> tuple[bytes, int]:
    head = data[pos]
    if head == 0x58:  # most of them: 24 to 255 bytes
        start, size = pos + 2, data[pos + 1]
        if size < 24:
            raise Refused("cbor_not_deterministic", offset=pos)
    elif head == 0x59 and data[pos + 1]:  # or up to 64 KiB, of which 255 bytes would not have done
        start, size = pos + 3, data[pos + 1] << 8 | data[pos + 2]
    elif head >> 5 != 2:
        raise Refused("envelope_invalid", offset=pos)
    else:
        start, size = pos + 1, head & 0x1F
        if size >= 24:
            size, start = long_argument(data, start, head)
    end = start + size
    if end > len(data):
        raise Refused("cbor_invalid", offset=len(data))
    return data[start:end], end


def _frame_refusal(data: bytes) -> Refused:
    """Name what is wrong with the first two heads: a longer way to say them, or another structure."""
    for pos, (major, argument) in enumerate(((6, 18), (4, 4))):
        head = data[pos]
        if head == _SIGN1_HEAD[pos]:
            continue
        if head >> 5 == major and head & 0x1F >= 24:
            long_argument(data, pos + 1, head)  # refuses a longer form by itself
        return Refused("envelope_invalid", offset=pos, expected_major=major, expected=argument)
    return Refused("envelope_invalid")


def _unprotected_refusal(data: bytes, pos: int) -> Refused:
    head = data[pos]
    if head >> 5 != 5:
        return Refused("envelope_invalid", offset=pos)
    if head & 0x1F >= 24:
        long_argument(data, pos + 1, head)  # refuses a longer form by itself
    return Refused("header_unknown", "unprotected")


def encode_sign1(protected: bytes, payload: bytes, signature: bytes) -> bytes:
    """Join what `decode_sign1` splits: a tagged COSE_Sign1 with an empty unprotected header."""
    return b"".join((
        _SIGN1_HEAD, encode_head(0x40, len(protected)), protected, b"\xa0", encode_head(0x40, len(payload)), payload,
        encode_head(0x40, len(signature)), signature,
    ))  # fmt: skip


def sig_structure(protected: bytes, payload: bytes) -> bytes:
    """The bytes a COSE_Sign1 signature covers (RFC 9052 4.4): `["Signature1", protected, h'', payload]`, no external data."""
    return b"".join(
        (_SIG_STRUCTURE_HEAD, encode_head(0x40, len(protected)), protected, b"\x40", encode_head(0x40, len(payload)), payload)
    )

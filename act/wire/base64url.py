"""Base64url without padding (RFC 4648 5, RFC 7515 2), exactly one text for each byte string."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64encode
from typing import Final

from act.errors import InvalidCall, Refused

__all__ = ["base64url_decode", "base64url_encode", "decode_ascii"]

_TO_STANDARD: Final = bytes.maketrans(b"-_+/=", b"+/***")
"""To the alphabet the decoder knows; what only that one has, and padding, becomes something it refuses."""

_PADDING: Final = (b"", b"*", b"==", b"=")  # by the length's rest: no bytes have a text with a rest of 1
_LAST: Final = (None, None, frozenset(b"AQgw"), frozenset(b"AEIMQUYcgkosw048"))
"""By the length's rest: the last characters whose unused bits are zero."""


def base64url_encode(data: bytes) -> str:
    """Encode with the URL-safe alphabet and no padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def base64url_decode(text: object) -> bytes:
    """Decode the one text that `base64url_encode` gives for the bytes.

    Raises `Refused`: `base64url_invalid` (ACT-WIRE-05) for padding, white space, any character outside the URL-safe alphabet, a
    length no bytes have, or unused bits that are not zero. Raises `InvalidCall` when `text` is not `str`.
    """
    if type(text) is not str:
        raise InvalidCall("call_invalid", "text", expected="str")
    try:
        return decode_ascii(text.encode("ascii"))
    except UnicodeEncodeError:
        raise Refused("base64url_invalid") from None


def decode_ascii(text: bytes) -> bytes:
    """As `base64url_decode`, for a text that is there as bytes."""
    rest = len(text) & 3
    last = _LAST[rest]
    try:
        data = binascii.a2b_base64(text.translate(_TO_STANDARD) + _PADDING[rest], strict_mode=True)
    except binascii.Error:
        raise Refused("base64url_invalid") from None
    if last is not None and text[-1] not in last:
        raise Refused("base64url_invalid")
    return data

"""Base64url without padding (RFC 4648 5, RFC 7515 2), exactly one text for each byte string."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode

from act.errors import InvalidCall, Refused

__all__ = ["base64url_decode", "base64url_encode"]


def base64url_encode(data: bytes) -> str:
    """Encode with the URL-safe alphabet and no padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def base64url_decode(text: str) -> bytes:
    """Decode the one text that `base64url_encode` gives for the bytes.

    Raises `Refused`: `base64url_invalid` (ACT-WIRE-05) for padding, white space, any character outside the URL-safe alphabet, a
    length no bytes have, or unused bits that are not zero. Raises `InvalidCall` when `text` is not `str`.
    """
    if type(text) is not str:
        raise InvalidCall("call_invalid", "text", expected="str")
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):  # ValueError: a character outside ASCII
        raise Refused("base64url_invalid") from None
    if base64url_encode(data) != text:  # the standard decoder skips what it does not know; encoding again shows it
        raise Refused("base64url_invalid")
    return data

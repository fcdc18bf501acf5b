"""How values that are bytes in COSE are written in JSON. A table says which fields those are; nothing is guessed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from act.envelope.claims import TextId, read_text, uuid_urn
from act.errors import InvalidCall, Refused
from act.keys import PublicKey, jwk_to_cose_key
from act.wire.base64url import base64url_decode, base64url_encode

__all__ = ["DELEGATION_ID", "DIGEST", "ID", "KEY", "Form"]

_URN: Final = "urn:uuid:"
_CANONICAL_URN: Final = re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_COSE_KEY: Final = 1  # RFC 8747: the COSE_Key member of cnf


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write a value in JSON: `read` gives the neutral value or raises `Refused` without a place, `write` undoes
    it."""

    name: str
    read: Callable[[Any], Any]
    write: Callable[[Any], Any]


def _read_bytes(value: Any, size: int, characters: int) -> bytes:
    if type(value) is str and len(value) == characters:
        try:
            raw = base64url_decode(value)
        except Refused:
            raw = b""
        if len(raw) == size:
            return raw
    raise Refused("claim_invalid", expected=f"{size} bytes as {characters} characters of base64url")


def _write_bytes(value: Any) -> str:
    if type(value) is not bytes:
        raise InvalidCall("call_invalid", expected="bytes")
    return base64url_encode(value)


def _read_delegation_id(value: Any) -> Any:
    if type(value) is str and value[: len(_URN)].lower() == _URN:
        if _CANONICAL_URN.fullmatch(value) is None:
            raise Refused("claim_invalid", expected="urn:uuid: and a UUID in lower case")
        return bytes.fromhex(value[len(_URN) :].replace("-", ""))
    return TextId(read_text(value))


def _write_delegation_id(value: Any) -> str:
    return str(value) if type(value) is TextId else uuid_urn(value)


def _read_key(value: Any) -> dict[int, Any]:
    if type(value) is not dict or value.keys() != {"jwk"}:
        raise Refused("claim_invalid", expected="one jwk")
    return {_COSE_KEY: jwk_to_cose_key(value["jwk"], "jwk")}


def _write_key(value: Any) -> dict[str, Any]:
    return {"jwk": PublicKey.from_cose_key(value[_COSE_KEY], "cnf").to_jwk()}


ID: Final = Form("id", lambda value: _read_bytes(value, 16, 22), _write_bytes)
"""16 bytes: 22 characters of base64url."""

DIGEST: Final = Form("digest", lambda value: _read_bytes(value, 32, 43), _write_bytes)
"""A SHA-256 digest: 43 characters of base64url."""

DELEGATION_ID: Final = Form("delegation id", _read_delegation_id, _write_delegation_id)
"""The 16 bytes of a UUID as `urn:uuid:` text in lower case; any other visible text as `TextId`."""

KEY: Final = Form("key", _read_key, _write_key)
"""The claim cnf: `{"jwk": ...}` for the COSE_Key map (RFC 7800, RFC 8747)."""

"""JSON documents that people and wallets hand us before anything is signed: strict models, one way to name what is wrong."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from act.errors import InvalidCall, Refused
from act.wire import json
from act.wire.base64url import base64url_decode

__all__ = ["Document", "digest_of", "naming_faults", "parse_document"]


class Document(BaseModel):
    """A strict model: no coercion, no unknown fields, immutable."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, arbitrary_types_allowed=True)


def parse_document(document: str | bytes | dict[str, Any], *, max_bytes: int = json.MAX_BYTES) -> Any:
    """The plain value of a document given as JSON text, or the document itself if it was decoded before. Raises `Refused`,
    claim_null among it: a model would take a null for a field that is absent."""
    value = document if isinstance(document, dict) else json.decode(document, max_bytes=max_bytes)
    json.require_no_null(value)
    return value


def digest_of(text: str, where: str) -> bytes:
    """The 32 bytes of a digest that a document writes as base64url. Raises `Refused` base64url_invalid, claim_invalid."""
    try:
        digest = base64url_decode(text)
    except Refused as refusal:
        raise refusal.within(where) from None
    if len(digest) != 32:
        raise Refused("claim_invalid", where, expected="32 bytes as base64url")
    return digest


@contextlib.contextmanager
def naming_faults(code: str) -> Iterator[None]:
    """Turns what a document can be wrong in into one `InvalidCall` with this code, the place and the reason."""
    try:
        yield
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise InvalidCall(code, ".".join(str(part) for part in first["loc"]), reason=first["msg"]) from None
    except Refused as refusal:
        facts = {name: value for name, value in refusal.facts.items() if name != "reason"}
        raise InvalidCall(code, refusal.where, reason=f"{refusal.code}: {refusal.meaning}", **facts) from None

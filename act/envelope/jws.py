"""JOSE envelope: a compact JWS (RFC 7515) around JWT claims (RFC 7519), the same claims as in COSE under their JWT names.

Protected header: alg, kid, typ, and nothing else. `kid` is the base64url of the key's RFC 9679 thumbprint, so that a key has
one name in both envelopes, or the alias under which the parties enrolled it. The algorithm must be the one of the key that
verifies; the token never chooses it. Identity is SHA-256 of the signing input.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final

from act.envelope.claims import read_text
from act.envelope.forms import Form
from act.envelope.kinds import BY_JOSE_TYP, KINDS, Kind
from act.envelope.opened import Format, KeyName, Opened, Unsigned
from act.errors import Refused
from act.keys import Algorithm, Signer
from act.wire import json
from act.wire.base64url import base64url_decode, base64url_encode, decode_ascii

__all__ = ["header", "kid_of", "prepare", "read", "rebuild"]

_CLAIMS: Final = {name: name for name in ("iss", "sub", "aud", "exp", "nbf", "iat", "cnf", "status", "act")} | {"jti": "cti"}
_JWT_NAMES: Final = {neutral: name for name, neutral in _CLAIMS.items()}
_HEADER: Final = frozenset({"alg", "kid", "typ"})
_THUMBPRINT_CHARACTERS: Final = 43
_JOSE: Final = Format.JOSE

_MAX_HEADERS: Final = 1_024
_headers: dict[bytes, tuple[Algorithm, bytes, Kind]] = {}
"""Decoded protected headers by their base64url: time-independent, and the same for every object one key signs."""

_Path = tuple[tuple[str, ...], str, Form]


def _paths(kind: Kind) -> tuple[_Path, ...]:
    split = [(path, *path.rpartition(".")[::2], form) for path, form in (kind.json_forms or {}).items()]
    return tuple((tuple(blocks.split(".")) if blocks else (), name, form) for _, blocks, name, form in split)


_FORMS: Final = {kind.name: _paths(kind) for kind in KINDS}


def kid_of(text: str) -> bytes:
    """What a `kid` of a JOSE header names: the 32 bytes of a thumbprint, or any other text's UTF-8 bytes."""
    if len(text) == _THUMBPRINT_CHARACTERS:
        try:
            return base64url_decode(text)
        except Refused:
            pass
    return text.encode()


def header(kind: Kind, signer: Signer | KeyName) -> bytes:
    """The protected header, as JSON, of every object of this kind that this signer signs."""
    return json.canonicalize({"alg": signer.alg.jose, "kid": base64url_encode(signer.kid), "typ": kind.jose_typ})


def prepare(protected: bytes, claims: dict[str, Any]) -> Unsigned:
    """Encodes claims under a header; asks no signer. Raises `InvalidCall` for values that JSON does not carry."""
    kind = _header_of(base64url_encode(protected).encode("ascii"))[2]
    return rebuild(protected, json.canonicalize(claims if kind.json_forms is None else _written(kind, claims)))


def rebuild(protected: bytes, payload: bytes) -> Unsigned:
    """The object that has this header and payload, both JSON."""
    head = base64url_encode(protected).encode("ascii")
    signing_input = head + b"." + base64url_encode(payload).encode("ascii")
    return Unsigned(_JOSE, _header_of(head)[1], protected, payload, signing_input, sha256(signing_input).digest())


def read(data: bytes, kind: Kind | None) -> Opened:
    """Decodes an object without believing it. Raises `Refused` with places from the object on."""
    parts = data.split(b".")
    if len(parts) != 3 or not data.isascii():
        raise Refused("envelope_invalid", expected="three texts of base64url with dots between")
    head, payload, signature = parts
    algorithm, kid, found = _headers.get(head) or _header_of(head)
    if kind is not None and found is not kind:
        raise Refused("kind_unexpected", expected=kind.name, found=found.name)
    text = decode_ascii(payload)
    claims = json.decode(text)
    if b"null" in text:
        json.require_no_null(claims)
    if type(claims) is not dict:
        raise Refused("claim_invalid", expected="a map of claims")
    if found.json_forms is not None:
        claims = _read_claims(found, claims)
    signing_input = data[: -len(signature) - 1]
    identity = sha256(signing_input).digest()
    return Opened(found, algorithm, kid, claims, identity, signing_input, decode_ascii(signature), _JOSE)


def _read_claims(kind: Kind, named: dict[str, Any]) -> dict[str, Any]:
    """The neutral claims: under their neutral names, and with bytes where the kind's table has them."""
    try:
        claims = {_CLAIMS[name]: value for name, value in named.items()}
    except KeyError as unknown:
        raise Refused("claim_unknown", str(unknown.args[0])) from None
    for blocks, name, form in _FORMS[kind.name]:
        place: Any = claims
        for block in blocks:
            place = place.get(block) if type(place) is dict else None
        if type(place) is dict and name in place:
            try:
                place[name] = form.read(place[name])
            except Refused as refusal:
                raise refusal.within(".".join((*blocks, name))) from None
    return claims


def _written(kind: Kind, claims: dict[str, Any]) -> dict[str, Any]:
    """What `_read_claims` takes back; `claims` stay as they are."""
    result = dict(claims)
    for blocks, name, form in _FORMS[kind.name]:
        place: Any = result
        for block in blocks:
            inner = place.get(block) if type(place) is dict else None
            if type(inner) is dict:
                inner = place[block] = dict(inner)
            place = inner
        if type(place) is dict and name in place:
            place[name] = form.write(place[name])
    return {_JWT_NAMES[name]: value for name, value in result.items()}


def _header_of(head: bytes) -> tuple[Algorithm, bytes, Kind]:
    return _headers.get(head) or _read_header(head)


def _read_header(head: bytes) -> tuple[Algorithm, bytes, Kind]:
    try:
        header = json.decode(decode_ascii(head))
    except Refused as refusal:
        raise refusal.within("protected") from None
    if type(header) is not dict:
        raise Refused("envelope_invalid", "protected", expected="an object")
    if header.keys() - _HEADER:
        raise Refused("header_unknown", "protected")
    algorithm = Algorithm.from_jose(header.get("alg"), "protected.alg")
    kid = _read_kid(header.get("kid"))
    typ = header.get("typ")
    if type(typ) is not str:
        raise Refused("envelope_invalid", "protected", expected="alg, kid, typ")
    kind = BY_JOSE_TYP.get(typ)
    if kind is None:
        raise Refused("kind_unexpected", "protected.typ")
    if len(_headers) >= _MAX_HEADERS:
        _headers.clear()  # refilling costs microseconds; a bound that cannot be outgrown matters more
    _headers[head] = (algorithm, kid, kind)
    return algorithm, kid, kind


def _read_kid(value: object) -> bytes:
    try:
        return kid_of(read_text(value))
    except Refused:
        raise Refused("envelope_invalid", "protected", expected="a kid of 1 to 256 visible characters") from None

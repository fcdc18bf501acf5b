"""COSE envelope: a tagged COSE_Sign1 (RFC 9052) around CWT claims (RFC 8392), exactly one form for each object.

Protected headers: alg (1), kid (4, the RFC 9679 thumbprint of the signing key), typ (16, RFC 9596), and nothing else.
Unprotected headers: none. The algorithm must be the one of the key that verifies; the token never chooses it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

from act.envelope.kinds import BY_COSE_TYP, Kind
from act.envelope.opened import Format, KeyName, Opened, Unsigned
from act.errors import Refused
from act.keys import Algorithm, Signer
from act.wire import cbor

__all__ = ["header", "prepare", "read", "rebuild"]

_NAMES: Final = {1: "iss", 2: "sub", 3: "aud", 4: "exp", 5: "nbf", 6: "iat", 7: "cti", 8: "cnf", 65535: "status", -70001: "act"}
_name_of: Final[Callable[[object], str]] = _NAMES.__getitem__  # type: ignore[assignment]  # a text label is a KeyError as well
_LABELS: Final = {name: label for label, name in _NAMES.items()}
_ALG, _KID, _TYP = 1, 4, 16
_COSE: Final = Format.COSE

_MAX_HEADERS: Final = 1_024
_headers: dict[bytes, tuple[Algorithm, bytes, Kind]] = {}
"""Decoded protected headers by their bytes: time-independent, and the same for every object one key signs."""


def header(kind: Kind, signer: Signer | KeyName) -> bytes:
    """The protected header of every object of this kind that this signer signs."""
    return _encode_header(signer.alg.cose, signer.kid, kind.cose_typ)


@lru_cache(_MAX_HEADERS)
def _encode_header(alg: int, kid: bytes, typ: str) -> bytes:
    return cbor.encode({_ALG: alg, _KID: kid, _TYP: typ})


def prepare(protected: bytes, claims: dict[str, Any]) -> Unsigned:
    """Encodes claims under a header; asks no signer. Raises `InvalidCall` for values that CBOR does not carry."""
    return rebuild(protected, cbor.encode({_LABELS[name]: value for name, value in claims.items()}))


def rebuild(protected: bytes, payload: bytes) -> Unsigned:
    """The object that has this header and payload."""
    signing_input = cbor.sig_structure(protected, payload)
    kid = (_headers.get(protected) or _read_header(protected))[1]
    return Unsigned(_COSE, kid, protected, payload, signing_input, sha256(signing_input).digest())


def read(data: bytes, kind: Kind | None) -> Opened:
    """Decodes an object without believing it. Raises `Refused` with places from the object on."""
    protected, payload, signature, signing_input = cbor.split_sign1(data)
    algorithm, kid, found = _headers.get(protected) or _read_header(protected)
    if kind is not None and found is not kind:
        raise Refused("kind_unexpected", expected=kind.name, found=found.name)
    claims = _read_claims(payload)
    return Opened(found, algorithm, kid, claims, sha256(signing_input).digest(), signing_input, signature, _COSE)


def _read_claims(payload: bytes) -> dict[str, Any]:
    try:
        labelled = cbor.decode(payload)
    except Refused as refusal:
        raise _named(refusal) from None
    if type(labelled) is not dict:
        raise Refused("claim_invalid", expected="a map of claims")
    try:
        return dict(zip(map(_name_of, labelled), labelled.values(), strict=True))
    except KeyError as unknown:
        raise Refused("claim_unknown", str(unknown.args[0])) from None


def _named(refusal: Refused) -> Refused:
    """A refusal whose place begins with a claim's label, with the claim's name instead."""
    label, dot, rest = refusal.where.partition(".")
    names = [name for number, name in _NAMES.items() if str(number) == label]
    return Refused(refusal.code, f"{names[0]}{dot}{rest}", **refusal.facts) if names else refusal


def _read_header(protected: bytes) -> tuple[Algorithm, bytes, Kind]:
    try:
        header = cbor.decode(protected)
    except Refused as refusal:
        raise (refusal.within("protected") if refusal.code == "claim_null" else refusal) from None
    if type(header) is not dict:
        raise Refused("envelope_invalid", "protected", expected="a map")
    if header.keys() - {_ALG, _KID, _TYP}:
        raise Refused("header_unknown", "protected")
    alg, kid, typ = header.get(_ALG), header.get(_KID), header.get(_TYP)
    if type(kid) is not bytes or len(kid) != 32 or type(typ) is not str:
        raise Refused("envelope_invalid", "protected", expected="alg, kid of 32 bytes, typ")
    algorithm = Algorithm.from_cose(alg, "protected.alg")
    kind = BY_COSE_TYP.get(typ)
    if kind is None:
        raise Refused("kind_unexpected", "protected.typ")
    if len(_headers) >= _MAX_HEADERS:
        _headers.clear()  # refilling costs microseconds; a bound that cannot be outgrown matters more
    _headers[protected] = (algorithm, kid, kind)
    return algorithm, kid, kind

"""COSE envelope: a tagged COSE_Sign1 (RFC 9052) around CWT claims (RFC 8392), exactly one form for each object.

Protected headers: alg (1), kid (4, the RFC 9679 thumbprint of the signing key), typ (16, RFC 9596), and nothing else.
Unprotected headers: none. The algorithm must be the one of the key that verifies; the token never chooses it.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, NamedTuple

from act.envelope.kinds import BY_COSE_TYP, Kind
from act.errors import InvalidCall, Refused
from act.keys import SIGNATURE_SIZE, Algorithm, BadSignature, PublicKey, Signer
from act.wire import cbor

__all__ = ["MAX_OBJECT_BYTES", "Opened", "Unsigned", "header", "open_object", "prepare", "seal"]

MAX_OBJECT_BYTES: Final = 16_384
"""A mandate is some 500 bytes and an order with a full cart some 10,000; anything larger is not one of ours."""

_NAMES: Final = {1: "iss", 2: "sub", 3: "aud", 4: "exp", 5: "nbf", 6: "iat", 7: "cti", 8: "cnf", 65535: "status", -70001: "act"}
_LABELS: Final = {name: label for label, name in _NAMES.items()}
_ALG, _KID, _TYP = 1, 4, 16

_MAX_HEADERS: Final = 1_024
_headers: dict[bytes, tuple[Algorithm, bytes, Kind]] = {}
"""Decoded protected headers by their bytes: time-independent, and the same for every object one key signs."""


class Opened(NamedTuple):
    """A decoded object whose signature nobody has checked yet. `identity` is SHA-256 of its signing input.

    A named tuple, because several are made for every payment and it is made three times as fast as a frozen dataclass.
    """

    kind: Kind
    algorithm: Algorithm
    kid: bytes
    claims: dict[str, Any]
    identity: bytes
    signing_input: bytes
    signature: bytes

    def check_signature(self, key: PublicKey, code: str) -> None:
        """Returns if `key` made the signature; otherwise raises `Refused` with the given code."""
        if key.kid != self.kid or key.alg is not self.algorithm:
            raise Refused(code, self.kind.name)
        try:
            key.verify(self.signing_input, self.signature)
        except BadSignature:
            raise Refused(code, self.kind.name) from None


@dataclass(frozen=True, slots=True)
class Unsigned:
    """An object ready to be signed: its identity is already settled, because no identity depends on signature bytes."""

    protected: bytes
    payload: bytes
    signing_input: bytes
    identity: bytes

    @property
    def kid(self) -> bytes:
        """The key that its header names and that has to sign it."""
        return (_headers.get(self.protected) or _read_header(self.protected))[1]

    def sign(self, signer: Signer) -> bytes:
        """The signed object. Signing again gives the same object under the same identity.

        Raises `InvalidCall` when the signer returns something else than 64 bytes; what it raises itself passes through.
        """
        signature = signer.sign(self.signing_input)
        if type(signature) is not bytes or len(signature) != SIGNATURE_SIZE:
            raise InvalidCall("call_invalid", "signer", expected=f"a raw signature of {SIGNATURE_SIZE} bytes")
        return cbor.encode_sign1(self.protected, self.payload, signature)


def header(kind: Kind, signer: Signer) -> bytes:
    """The protected header of every object of this kind that this signer signs."""
    return cbor.encode({_ALG: signer.alg.cose, _KID: signer.kid, _TYP: kind.cose_typ})


def prepare(protected: bytes, claims: dict[str, Any]) -> Unsigned:
    """Encodes claims under a header; asks no signer. Raises `InvalidCall` for values that no envelope carries."""
    payload = cbor.encode({_LABELS[name]: value for name, value in claims.items()})
    signing_input = cbor.sig_structure(protected, payload)
    return Unsigned(protected, payload, signing_input, sha256(signing_input).digest())


def seal(kind: Kind, claims: dict[str, Any], signer: Signer) -> bytes:
    """The signed object as bytes. Raises `Refused` input_too_large, unsigned, for an object that no reader would take."""
    unsigned = prepare(header(kind, signer), claims)
    if len(cbor.encode_sign1(unsigned.protected, unsigned.payload, bytes(SIGNATURE_SIZE))) > MAX_OBJECT_BYTES:
        raise Refused("input_too_large", kind.name, limit_bytes=MAX_OBJECT_BYTES)
    return unsigned.sign(signer)


def open_object(data: bytes, kind: Kind | None = None) -> Opened:
    """Decodes an object without believing it. With `kind`, an object of any other kind is refused (kind_unexpected).

    Raises `Refused`: input_too_large, envelope_invalid, cbor_invalid, cbor_not_deterministic, header_unknown,
    algorithm_not_allowed, kind_unexpected, claim_unknown, claim_invalid.
    """
    if type(data) is not bytes:
        raise InvalidCall("call_invalid", kind.name if kind else "data", expected="bytes")
    if len(data) > MAX_OBJECT_BYTES:
        raise Refused("input_too_large", kind.name if kind else "", limit_bytes=MAX_OBJECT_BYTES)
    try:
        protected, payload, signature, signing_input = cbor.split_sign1(data)
        algorithm, kid, found = _headers.get(protected) or _read_header(protected)
        if kind is not None and found is not kind:
            raise Refused("kind_unexpected", expected=kind.name, found=found.name)
        claims = _read_claims(payload)
    except Refused as refusal:
        raise refusal.within(kind.name if kind else "object") from None
    return Opened(found, algorithm, kid, claims, sha256(signing_input).digest(), signing_input, signature)


def _read_claims(payload: bytes) -> dict[str, Any]:
    try:
        labelled = cbor.decode(payload)
    except Refused as refusal:
        raise _named(refusal) from None
    if type(labelled) is not dict:
        raise Refused("claim_invalid", expected="a map of claims")
    try:
        return {_NAMES[label]: value for label, value in labelled.items()}  # type: ignore[index]  # a text label is a KeyError
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

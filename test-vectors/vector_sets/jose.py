"""The same vectors as compact JWS: each COSE vector's object, with its fault, written in the other envelope and signed again.

Nothing of the library's own JOSE code is used to write them, but for canonical JSON. What JSON cannot say (a byte string in the
place of a text), and what is about CBOR or about the bytes of a COSE signature, has no twin; `jose_only` has what is about JWS.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final

from act import to_jwk
from act.calendar import LATEST_INSTANT, iso
from act.errors import Refused
from act.keys import Algorithm, BadSignature, PublicKey
from act.wire import cbor
from act.wire.base64url import base64url_encode
from act.wire.json import canonicalize
from vector_sets.shape import CLAIM_NAMES, Vector
from vector_sets.world import KEYS, P256_ORDER

__all__ = ["Inexpressible", "compact", "header", "identity_of", "segment", "sign", "twins", "vc_payload_of"]

_TYPS: Final = {
    "application/act1-iac+cwt": "vc+jwt",
    "application/act1-order+cwt": "act1-order+jwt",
    "application/act1-payment+cwt": "act1-payment+jwt",
    "application/act1-receipt+cwt": "act1-receipt+jwt",
}
_DIGESTS: Final = frozenset({"credential", "order", "request", "previous"})
_AMOUNTS: Final = ("max_single_amount", "min_single_amount")


class Inexpressible(Exception):
    """JSON has no way to say it."""


def segment(data: bytes) -> bytes:
    """One part of a compact JWS."""
    return base64url_encode(data).encode()


def header(signer: str, typ: str = "vc+jwt") -> dict[str, Any]:
    """The protected header an honest signer writes."""
    return {"alg": KEYS[signer].alg.value, "kid": base64url_encode(KEYS[signer].kid), "typ": typ}


def sign(protected: bytes, payload: bytes, signer: str) -> bytes:
    """Any two byte strings as a compact JWS with a signature that holds: whoever decodes leniently would accept it."""
    covered = segment(protected) + b"." + segment(payload)
    return covered + b"." + segment(KEYS[signer].sign(covered))


def compact(members: Mapping[str, Any], payload: Mapping[str, Any], signer: str) -> bytes:
    """A JWS of this header and payload in canonical JSON, signed."""
    return sign(canonicalize(dict(members)), canonicalize(dict(payload)), signer)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        raise Inexpressible
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        if not all(isinstance(name, str) for name in value):
            raise Inexpressible
        return {name: _plain(each) for name, each in value.items()}
    return value


def _urn(value: Any) -> Any:
    if not isinstance(value, bytes):
        return value
    if len(value) != 16:
        raise Inexpressible
    text = value.hex()
    return f"urn:uuid:{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _cnf(value: Any) -> Any:
    if not isinstance(value, dict) or not value:
        return value
    cose_key = value.get(1)
    if not isinstance(cose_key, dict) or value.keys() != {1}:
        raise Inexpressible
    try:
        return {"jwk": dict(to_jwk(PublicKey.from_cose_key(cose_key, "")))}
    except Refused:
        if cose_key.keys() == {1, -1, -2}:
            return {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": base64url_encode(cose_key[-2])}}
        return {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": base64url_encode(cose_key[-2]), "alg": "Ed25519"}}


def payload_of(claims: Mapping[str, Any], identities: Mapping[bytes, bytes]) -> dict[str, Any]:
    """The JSON of an order's, a request's or a receipt's claims; identities of objects become those of their twins."""
    payload = dict(copy.deepcopy(dict(claims)))
    if "cti" in payload:
        raw = payload.pop("cti")
        payload["jti"] = base64url_encode(raw) if isinstance(raw, bytes) else raw
    body = payload.get("act")
    if isinstance(body, dict):
        for name in _DIGESTS & body.keys():
            if isinstance(body[name], bytes):
                body[name] = base64url_encode(identities.get(body[name], body[name]))
        if "delegation_id" in body:
            body["delegation_id"] = _urn(body["delegation_id"])
    plain = _plain(payload)
    assert isinstance(plain, dict)  # noqa: S101 - for the type checker: a map stays one
    return plain


def _time(value: Any) -> str:
    is_instant = type(value) is int and 0 <= value <= LATEST_INSTANT
    return iso(value) if is_instant else "2026-02-06T08:00:00Z"


def _number(value: Any) -> Any:
    """An amount as the JSON number it is; what is none stays what it is."""
    try:
        return Decimal(value) if isinstance(value, str) and value.isascii() else value
    except ArithmeticError:
        return value


def vc_payload_of(claims: Mapping[str, Any]) -> dict[str, Any]:
    """The VC-JWT of a mandate's claims, faults included: what is missing among the claims still stands in the subject."""
    given = copy.deepcopy(dict(claims))
    body = given.pop("act", None)
    payload: dict[str, Any] = {
        "@context": ["https://www.w3.org/ns/credentials/v2"],
        "type": ["VerifiableCredential", "ACTIntentAuthorization"],
        "issuer": given.get("iss", "wallet.example"),
    }
    if "cti" in given:
        given["jti"] = _urn(given.pop("cti"))
    if "cnf" in given:
        given["cnf"] = _cnf(given["cnf"])
    payload |= given
    if isinstance(body, dict):
        subject = body | {
            "agent_id": given.get("sub", "agent:tea-runner"),
            "delegation_id": given.get("jti", "urn:uuid:00000000-0000-4000-8000-000000000000"),
            "validity_start_time": _time(given.get("nbf")),
            "validity_end_time": _time(given.get("exp")),
        }
        if "user_confirmation_timestamp" in subject:
            subject["user_confirmation_timestamp"] = _time(subject["user_confirmation_timestamp"])
        if "max_total_amount" in subject:
            subject["max_total_amount"] = _number(subject["max_total_amount"])
        ext = subject.get("ext")
        commerce = ext.get("commerce") if isinstance(ext, dict) else None
        if isinstance(commerce, dict):
            commerce |= {name: _number(commerce[name]) for name in _AMOUNTS if name in commerce}
        payload["credentialSubject"] = subject
    elif body is not None:
        payload["credentialSubject"] = body
    plain = _plain(payload)
    assert isinstance(plain, dict)  # noqa: S101 - for the type checker: a map stays one
    return plain


def _is_signed_by(name: str, covered: bytes, signature: bytes) -> bool:
    try:
        KEYS[name].public_key.verify(covered, signature)
    except BadSignature:
        return False
    return True


def _is_high(signature: bytes) -> bool:
    return int.from_bytes(signature[32:]) > P256_ORDER // 2


def converted(data: bytes, identities: dict[bytes, bytes]) -> bytes:
    """The twin of a COSE object. Whoever signed it signs the twin; a signature of nobody is kept, and is nobody's there.

    Adds the object's identity and the twin's to `identities`. Raises `Inexpressible`.
    """
    try:
        protected, payload, signature = cbor.decode_sign1(data)
        members, labelled = cbor.decode(protected), cbor.decode(payload)
    except Refused:
        raise Inexpressible from None
    if not isinstance(members, dict) or members.keys() != {1, 4, 16} or not isinstance(labelled, dict):
        raise Inexpressible
    typ = _TYPS.get(str(members[16]))
    if typ is None or not all(label in CLAIM_NAMES for label in labelled):
        raise Inexpressible
    claims = {CLAIM_NAMES[int(label)]: value for label, value in labelled.items()}
    written = vc_payload_of(claims) if typ == "vc+jwt" else payload_of(claims, identities)
    head = {"alg": Algorithm.from_cose(members[1], "").value, "kid": base64url_encode(bytes(members[4])), "typ": typ}  # type: ignore[arg-type]  # these vectors have bytes there
    covered = segment(canonicalize(head)) + b"." + segment(canonicalize(written))
    signed_over = cbor.sig_structure(protected, payload)
    signers = [name for name in KEYS if _is_signed_by(name, signed_over, signature)]
    if signers:
        made = KEYS[signers[0]].sign(covered)
        if head["alg"] == "ES256" and _is_high(signature):
            made = made[:32] + (P256_ORDER - int.from_bytes(made[32:])).to_bytes(32)
        signature = made
    identities[sha256(signed_over).digest()] = sha256(covered).digest()
    return covered + b"." + segment(signature)


def converted_payment(data: bytes, identities: dict[bytes, bytes]) -> bytes:
    """The JSON container of a payment's twins. Raises `Inexpressible`."""
    try:
        value = cbor.decode(data, max_bytes=1 << 20)
    except Refused:
        raise Inexpressible from None
    if not isinstance(value, dict):
        raise Inexpressible
    members: dict[str, Any] = dict(value)  # type: ignore[arg-type]  # their names are texts
    if "typ" in members:
        members["typ"] = members["typ"].removeprefix("application/").removesuffix("+cbor") + "+json"
    for name in ("chain", "order", "request"):  # the request last: it names the others
        part = members.get(name)
        if isinstance(part, bytes):
            members[name] = converted(part, identities).decode()
        elif isinstance(part, list):
            members[name] = [converted(each, identities).decode() for each in part]
        elif part is not None:
            raise Inexpressible
    if members.get("confirmation") == b"":
        members["confirmation"] = ""
    return canonicalize(members)


def identity_of(data: bytes) -> str:
    """The identity of a JWS: SHA-256 of its signing input, in hexadecimal."""
    return sha256(data.rpartition(b".")[0]).hexdigest()


def twins(kind: str, vectors: Iterable[Vector], skipped: Mapping[str, str], places: Mapping[str, str]) -> list[Vector]:
    """The twins of a file's vectors, under `<kind>-jose/`. `skipped` names those without one, and why; `places` says
    where a JOSE object is wrong when that has another name there."""
    made = []
    for vector in vectors:
        name = vector["id"].partition("/")[2]
        if name in skipped:
            continue
        identities: dict[bytes, bytes] = {}
        twin = {"id": f"{kind}-jose/{name}", **{each: vector[each] for each in vector if each not in ("id", "intermediate")}}
        try:
            if "order" in twin:
                twin["order"] = converted(bytes.fromhex(twin["order"]), identities).hex()
            convert = converted_payment if kind == "payments" else converted
            made_of = convert(bytes.fromhex(twin["input"]), identities)
            twin["input"] = made_of.hex()
            if "intermediate" in vector and kind != "payments":
                twin["identity"] = identity_of(made_of)
        except Inexpressible:
            continue
        if isinstance(twin["expect"], dict):
            twin["expect"] = twin["expect"] | {"where": places.get(name, twin["expect"]["where"])}
        made.append(twin)
    return made

"""The same vectors as compact JWS: each COSE vector's object, with its fault, written in the other envelope and signed again.

Nothing of the library's own JOSE code is used to write them, but for canonical JSON. What JSON cannot say (a byte string in the
place of a text), and what is about CBOR or about the bytes of a COSE signature, has no twin: `jose_files` names each, and why.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final

from act.calendar import LATEST_INSTANT, iso
from act.errors import Refused
from act.keys import Algorithm, BadSignature, PublicKey
from act.wire import cbor
from act.wire.base64url import base64url_encode
from act.wire.json import canonicalize
from vector_sets.shape import CLAIM_NAMES, Vector
from vector_sets.world import KEYS, P256_ORDER

__all__ = [
    "Inexpressible",
    "compact",
    "converted",
    "header",
    "identity_of",
    "segment",
    "sign",
    "twins",
    "vc_payload_of",
]

_TYPS: Final = {
    "application/act1-iac+cwt": "vc+jwt",
    "application/act1-link+cwt": "act1-link+jwt",
    "application/act1-order+cwt": "act1-order+jwt",
    "application/act1-payment+cwt": "act1-payment+jwt",
    "application/act1-receipt+cwt": "act1-receipt+jwt",
    "application/act1-instruction+cwt": "act1-instruction+jwt",
}


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
        return {"jwk": dict(PublicKey.from_cose_key(cose_key, "").to_jwk())}
    except Refused:
        if cose_key.keys() == {1, -1, -2}:
            return {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": base64url_encode(cose_key[-2])}}
        return {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": base64url_encode(cose_key[-2]), "alg": "Ed25519"}}


def _time(value: Any) -> str:
    is_instant = type(value) is int and 0 <= value <= LATEST_INSTANT
    return iso(value) if is_instant else "2026-02-06T08:00:00Z"


def _number(value: Any) -> Any:
    """An amount or a percentage as the JSON number it is; what is none stays what it is."""
    try:
        return Decimal(value) if isinstance(value, str) and value.isascii() else value
    except ArithmeticError:
        return value


def _text_of(value: Any) -> Any:
    """Bytes as the text that JSON has for them."""
    return base64url_encode(value) if isinstance(value, bytes) else value


_Writer = Callable[[Any], Any]
_Table = Mapping[str, Any]
"""Field -> how JSON writes it: a function, a table for a map, a list of one table for a list of maps."""

_SUBJECT: Final[_Table] = {
    "max_total_amount": _number,
    "user_confirmation_timestamp": _time,
    "source_isr_digest": _text_of,
    "supersedes": _text_of,
    "parent": _text_of,
    "conversation_history": {"user_intent_raw_digest": _text_of, "user_intent_raw": [{"create_time": _time}]},
    "ext": {
        "commerce": {"max_single_amount": _number, "min_single_amount": _number},
        "quota": {"periods": [{"max_amount": _number}]},
        "items": [{"max_unit_amount": _number, "confirmed_unit_amount": _number}],
        "step_up": {"above_amount": _number},
        "status": {"max_staleness": [{"above_amount": _number}]},
        "agent_behavior": {"price_deviation_tolerance": _number},
        "fulfillment": {"delivery_address": _text_of},
    },
}
"""ACT asks for numbers and ISO 8601 in the subject of a VC-JWT. A link is no VC-JWT: its amounts stay texts."""


def _written(value: Any, table: Any) -> Any:
    """A value with every field that JSON writes otherwise written so. What has another shape than the table's is left."""
    if isinstance(table, list):
        return [_written(each, table[0]) for each in value] if isinstance(value, list) else value
    if isinstance(table, Mapping):
        if not isinstance(value, dict):
            return value
        return {name: _written(each, table[name]) if name in table else each for name, each in value.items()}
    write: _Writer = table
    return write(value)


def payload_of(claims: Mapping[str, Any], identities: Mapping[bytes, bytes], typ: str) -> dict[str, Any]:
    """The JSON of all claims but a mandate's; identities of objects become those of their twins."""

    def identity(value: Any) -> Any:
        return _text_of(identities.get(value, value) if isinstance(value, bytes) else value)

    payload = dict(copy.deepcopy(dict(claims)))
    if "cti" in payload:
        raw = payload.pop("cti")
        payload["jti"] = _urn(raw) if typ == "act1-link+jwt" else _text_of(raw)
    if "cnf" in payload:
        payload["cnf"] = _cnf(payload["cnf"])
    named = ("credential", "order", "request", "previous", "parent", "instruction", "link", "supersedes")
    table = dict.fromkeys(named, identity) | {
        "delegation_id": _urn,
        "delivery_address": _text_of,
        "fulfilment": _text_of,
        "ext": {"fulfillment": {"delivery_address": _text_of}},
    }
    payload = _written(payload, {"act": table})
    plain = _plain(payload)
    assert isinstance(plain, dict)  # noqa: S101 - for the type checker: a map stays one
    return plain


def vc_payload_of(claims: Mapping[str, Any], identities: Mapping[bytes, bytes] | None = None) -> dict[str, Any]:
    """The VC-JWT of a mandate's claims, faults included: what is missing among the claims still stands in the subject.

    A mandate that replaces one of `identities` replaces its twin.
    """
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
        old = body.get("supersedes")
        if isinstance(old, bytes):
            body["supersedes"] = (identities or {}).get(old, old)
        payload["credentialSubject"] = _written(body, _SUBJECT) | {
            "agent_id": given.get("sub", "agent:tea-runner"),
            "delegation_id": given.get("jti", "urn:uuid:00000000-0000-4000-8000-000000000000"),
            "validity_start_time": _time(given.get("nbf")),
            "validity_end_time": _time(given.get("exp")),
        }
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
    written = vc_payload_of(claims, identities) if typ == "vc+jwt" else payload_of(claims, identities, typ)
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


def converted_chain(vector: Vector, identities: dict[bytes, bytes]) -> dict[str, Any]:
    """The fields of a chain's vector that its twin has otherwise: the mandate, its links, and who the last of them is."""
    parts = [converted(bytes.fromhex(each), identities) for each in (vector["input"], *vector["links"])]
    fields: dict[str, Any] = {"input": parts[0].hex(), "links": [each.hex() for each in parts[1:]]}
    if "leaf" in vector:
        fields["leaf"] = vector["leaf"] | {"identity": identity_of(parts[-1])}
    return fields


def converted_sequence(vector: Vector, identities: dict[bytes, bytes]) -> dict[str, Any]:
    """The objects of a sequence, each as its twin: what the calls answer and leave behind is the same."""
    objects = {}
    for name, data in vector["objects"].items():
        raw = bytes.fromhex(data)
        convert = converted if raw.startswith(b"\xd2") else converted_payment  # tag 18: one signed object
        objects[name] = convert(raw, identities).hex()
    return {"objects": objects}


def _converted_vector(kind: str, vector: Vector, identities: dict[bytes, bytes]) -> dict[str, Any]:
    if kind == "chains":
        return converted_chain(vector, identities)
    if kind == "sequences":
        return converted_sequence(vector, identities)
    fields: dict[str, Any] = {}
    if "chain" in vector:  # before what is about it: that names its twin
        fields["chain"] = [converted(bytes.fromhex(each), identities).hex() for each in vector["chain"]]
    if "order" in vector:
        fields["order"] = converted(bytes.fromhex(vector["order"]), identities).hex()
    convert = converted_payment if kind == "payments" else converted
    made = convert(bytes.fromhex(vector["input"]), identities)
    if "intermediate" in vector and kind != "payments":
        fields["identity"] = identity_of(made)
    return fields | {"input": made.hex()}


def twins(kind: str, vectors: Sequence[Vector], skipped: Mapping[str, str], places: Mapping[str, str]) -> list[Vector]:
    """The twins of a file's vectors, under `<kind>-jose/`. `skipped` names those without one, and why; `places` says
    where a JOSE object is wrong when that has another name there. Every other vector has a twin, or this raises."""
    names = {vector["id"].partition("/")[2] for vector in vectors}
    if unknown := (skipped.keys() | places.keys()) - names:
        raise ValueError(f"no vectors of {kind}: {sorted(unknown)}")
    made = []
    for vector in vectors:
        name = vector["id"].partition("/")[2]
        if name in skipped:
            continue
        try:
            identities: dict[bytes, bytes] = {}
            fields = _converted_vector(kind, vector, identities)
        except Inexpressible:
            raise ValueError(f"{vector['id']} has no twin, and nobody says why") from None
        twin = {each: vector[each] for each in vector if each != "intermediate"} | fields | {"id": f"{kind}-jose/{name}"}
        if isinstance(twin.get("expect"), dict):
            twin["expect"] = twin["expect"] | {"where": places.get(name, twin["expect"]["where"])}
        made.append(_renamed(twin, identities))
    return made


def _renamed(twin: Vector, identities: Mapping[bytes, bytes]) -> Vector:
    """The twin with its links' counters named by the twins' identities."""
    text = json.dumps(twin)
    for cose, jose in identities.items():
        text = text.replace(base64url_encode(cose), base64url_encode(jose))
    renamed: Vector = json.loads(text)
    for step in renamed.get("steps", ()):
        for row in filter(None, step.get("after", {}).values()):
            row["counters"].sort(key=lambda counter: counter["limit"].rpartition("/")[0])  # the mandate's own, then each link's
    return renamed

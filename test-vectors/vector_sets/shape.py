"""What a vector looks like, and the plain-JSON and diagnostic forms in which vectors show decoded values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

from act.errors import CODES
from act.wire import cbor

__all__ = [
    "Vector",
    "accept",
    "chain_intermediate",
    "claims_json",
    "diagnostic",
    "intermediate",
    "plain_json",
    "refuse",
    "vector_file",
]

Vector = dict[str, Any]

CLAIM_NAMES: Final = {
    1: "iss", 2: "sub", 3: "aud", 4: "exp", 5: "nbf", 6: "iat", 7: "cti", 8: "cnf", 65535: "status", -70001: "act",
}  # fmt: skip


def accept(name: str, why: str, rules: Iterable[str], **fields: Any) -> Vector:
    """A vector that must be accepted; `rules` are the ids whose permitted side it shows."""
    return {"id": name, "why": why, "rules": list(rules), **_plain(fields), "expect": "accept"}


def refuse(name: str, why: str, code: str, where: str, **fields: Any) -> Vector:
    """A vector that must be refused with exactly this code."""
    return {"id": name, "why": why, **_plain(fields), "expect": {"refuse": code, "rule": CODES[code].rule, "where": where}}


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in fields.items()}


def vector_file(kind: str, about: str, vectors: list[Vector], **more: Any) -> dict[str, Any]:
    """A whole file. Its kind is its name, and every id begins with it."""
    ids = [vector["id"] for vector in vectors]
    wrong = [name for name in ids if not name.startswith(f"{kind}/") or ids.count(name) > 1]
    if wrong:
        raise ValueError(f"ids must begin with {kind}/ and be unique: {wrong}")
    return {"format": "act1-vectors", "kind": kind, "about": about, **more, "vectors": vectors}


def intermediate(data: bytes) -> dict[str, Any]:
    """What a verifier works out on the way: the parts of a COSE_Sign1, its identity, its claims."""
    protected, payload, signature = cbor.decode_sign1(data)
    claims = cbor.decode(payload)
    return {
        "protected": protected.hex(),
        "payload": payload.hex(),
        "signature": signature.hex(),
        "identity": sha256(cbor.sig_structure(protected, payload)).hexdigest(),
        "claims": claims_json(claims),
    }


def chain_intermediate(chain: Sequence[bytes]) -> dict[str, Any]:
    """The same of a mandate and of each link below it, by place."""
    names = ["mandate", *(f"link-{place}" for place in range(1, len(chain)))]
    return {name: intermediate(data) for name, data in zip(names, chain, strict=True)}


def claims_json(claims: object) -> dict[str, Any]:
    """Claims by name; byte strings as {"hex": ...}, integer keys of inner maps as decimal text."""
    if not isinstance(claims, dict):
        raise TypeError("claims are a map")
    return {CLAIM_NAMES[label]: plain_json(value) for label, value in claims.items()}


def plain_json(value: object) -> Any:
    """A decoded value as JSON shows it: byte strings as `{"hex": ...}`, integer keys as decimal text."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, list):
        return [plain_json(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain_json(item) for key, item in value.items()}
    return value


def diagnostic(value: object) -> str:
    """CBOR diagnostic notation (RFC 8949 8) of a value of the profile."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, bytes):
        return f"h'{value.hex()}'"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if isinstance(value, list):
        return f"[{', '.join(map(diagnostic, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{diagnostic(key)}: {diagnostic(item)}" for key, item in value.items()) + "}"
    raise TypeError(f"no value of the profile: {type(value).__name__}")

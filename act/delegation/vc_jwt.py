"""VC-JWT, ACT's recommended form of the credential: its payload <-> the neutral claims of a mandate. Pure.

Ours follows W3C VCDM 2.0 and VC-JOSE-COSE: the whole ACT payload stands in `credentialSubject`, who and when in JWT claims as
well. Where a fact stands twice, both must say the same (ACT-ENV-09). ACT 2.0's layout (`vc`) is read where its meaning is
unambiguous, and never written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from act.calendar import LATEST_INSTANT, iso
from act.delegation import vc_subject
from act.envelope.claims import MAX_LIST, read_text
from act.envelope.forms import DELEGATION_ID, KEY
from act.errors import Refused

__all__ = ["CONTEXT", "TYPE", "UNNAMED_LEDGER", "neutral_claims", "vc_payload"]

CONTEXT: Final = "https://www.w3.org/ns/credentials/v2"
TYPE: Final = ("VerifiableCredential", "ACTIntentAuthorization")


class _Unnamed(str):
    """A text that no decoder makes: it is known by its identity."""

    __slots__ = ()


UNNAMED_LEDGER: Final = _Unnamed()
"""What stands for the audience of a credential in ACT 2.0's layout that names none: the parties file has to (`ledger`)."""

_CURRENCY_OF_ACT: Final = "CNY"  # ADD-IAC-ISS: an absent currency; our own layout always says it

_DOUBLES: Final = frozenset({"agent_id", "delegation_id", "validity_start_time", "validity_end_time"})
"""Fields of the subject that stand in a claim as well."""

_ELSEWHERE: Final = _DOUBLES | {"id"}

_CLAIMS: Final = frozenset({"iss", "sub", "aud", "jti", "nbf", "exp", "iat", "cnf", "status"})
_MEMBERS: Final = frozenset({"@context", "type", "issuer", "credentialSubject"})
_OPTIONAL: Final = frozenset({"id", "validFrom", "validUntil"})
_MANDATORY: Final = _CLAIMS | _MEMBERS
_KNOWN: Final = _MANDATORY | _OPTIONAL

_MANDATORY_2_0: Final = frozenset({"iss", "sub", "jti", "exp", "iat", "cnf", "vc"})
_KNOWN_2_0: Final = _CLAIMS | {"vc"}
_VC_MANDATORY: Final = frozenset({"type", "credentialSubject"})
_VC_KNOWN: Final = _MEMBERS | _OPTIONAL

_CONTEXTS: Final = [CONTEXT]
_TYPES: Final = list(TYPE)


def neutral_claims(payload: dict[str, Any]) -> dict[str, Any]:
    """The claims of a mandate, as `read_mandate` takes them, from a VC-JWT's payload, which stays as it is.

    Faults of the subject's fields are placed as in COSE (`mandate.act...`), others where they stand. Raises `Refused`:
    claim_missing, claim_unknown, claim_invalid, claim_conflict, amount_invalid.
    """
    try:
        if "vc" in payload and "credentialSubject" not in payload:
            return _read_2_0(payload)
        return _read(payload)
    except Refused as refusal:
        raise refusal.within("mandate") from None


def _read(payload: dict[str, Any]) -> dict[str, Any]:
    _require_names(payload, _KNOWN, _MANDATORY, "")
    if payload["@context"] != _CONTEXTS:
        _require_texts(payload["@context"], _CONTEXTS, "@context")
    if payload["type"] != _TYPES:
        _require_texts(payload["type"], _TYPES, "type")
    subject = _subject(payload["credentialSubject"], "credentialSubject")
    _require_same(payload, payload, subject, "", "credentialSubject")
    return {
        "iss": payload["iss"],
        "sub": payload["sub"],
        "aud": payload["aud"],
        "exp": payload["exp"],
        "nbf": payload["nbf"],
        "iat": payload["iat"],
        "cti": _converted(DELEGATION_ID.read, payload["jti"], "jti"),
        "cnf": _converted(KEY.read, payload["cnf"], "cnf"),
        "status": payload["status"],
        "act": _body(subject),
    }


def _read_2_0(payload: dict[str, Any]) -> dict[str, Any]:
    """ACT 2.0: the credential in the claim `vc`. nbf may be left to validity_start_time, aud and status to the parties file."""
    _require_names(payload, _KNOWN_2_0, _MANDATORY_2_0, "")
    vc = payload["vc"]
    if type(vc) is not dict:
        raise Refused("claim_invalid", "vc", expected="a map")
    _require_names(vc, _VC_KNOWN, _VC_MANDATORY, "vc")
    types = _texts(vc["type"], "vc.type")
    if TYPE[1] not in types:
        raise Refused("claim_invalid", "vc.type", expected=TYPE[1])
    if "@context" in vc:
        _texts(vc["@context"], "vc.@context")
    subject = _subject(vc["credentialSubject"], "vc.credentialSubject")
    claims = dict(payload)
    if "nbf" not in claims:
        start = "validity_start_time"
        claims["nbf"] = _converted(vc_subject.read_instant_text, subject[start], f"vc.credentialSubject.{start}")
    if "aud" not in claims:
        if "status" in claims:
            raise Refused("claim_missing", "aud")
        claims["aud"] = UNNAMED_LEDGER
    if "status" not in claims:
        claims["status"] = {"ledger": claims["aud"]}
    _require_same(claims, vc, subject, "vc.", "vc.credentialSubject")
    del claims["vc"]
    claims["cti"] = _converted(DELEGATION_ID.read, claims.pop("jti"), "jti")
    claims["cnf"] = _converted(KEY.read, claims["cnf"], "cnf")
    claims["act"] = _body({"currency": _CURRENCY_OF_ACT} | subject)
    return claims


def _require_names(found: Mapping[str, Any], known: frozenset[str], mandatory: frozenset[str], where: str) -> None:
    names = found.keys()
    if names == mandatory:
        return
    if not names <= known:
        raise Refused("claim_unknown", f"{where}.{min(names - known)}" if where else min(names - known))
    if not names >= mandatory:
        raise Refused("claim_missing", f"{where}.{min(mandatory - names)}" if where else min(mandatory - names))


def _texts(value: Any, where: str) -> list[str]:
    if type(value) is not list or not 0 < len(value) <= MAX_LIST or not all(type(each) is str for each in value):
        raise Refused("claim_invalid", where, expected=f"a list of 1 to {MAX_LIST} texts")
    return value


def _require_texts(value: Any, first: list[str], where: str) -> None:
    """The mandatory entries, in their order, and after them whatever texts."""
    if _texts(value, where)[: len(first)] != first:
        raise Refused("claim_invalid", where, expected=", ".join(first))


def _subject(value: Any, where: str) -> dict[str, Any]:
    if type(value) is not dict:
        raise Refused("claim_invalid", where, expected="a map")
    if not value.keys() >= _DOUBLES:
        raise Refused("claim_missing", f"{where}.{min(_DOUBLES - value.keys())}")
    return value


def _require_same(
    claims: Mapping[str, Any], members: Mapping[str, Any], subject: Mapping[str, Any], above: str, below: str
) -> None:
    """Rule ACT-ENV-09, for every fact that stands twice; the place is that of the second mention."""
    agent, identifier = claims["sub"], claims["jti"]
    if subject["agent_id"] != agent:
        raise _conflict(subject["agent_id"], f"{below}.agent_id")
    if subject["delegation_id"] != identifier:
        raise _conflict(subject["delegation_id"], f"{below}.delegation_id")
    _require_instant(claims["nbf"], subject["validity_start_time"], "nbf", f"{below}.validity_start_time")
    _require_instant(claims["exp"], subject["validity_end_time"], "exp", f"{below}.validity_end_time")
    if "issuer" in members and members["issuer"] != claims["iss"]:
        raise _conflict(members["issuer"], f"{above}issuer")
    if "id" in members and members["id"] != identifier:
        raise _conflict(members["id"], f"{above}id")
    if "id" in subject and subject["id"] != agent:
        raise _conflict(subject["id"], f"{below}.id")
    if "validFrom" in members:
        _require_instant(claims["nbf"], members["validFrom"], "nbf", f"{above}validFrom")
    if "validUntil" in members:
        _require_instant(claims["exp"], members["validUntil"], "exp", f"{above}validUntil")


def _conflict(value: Any, where: str) -> Refused:
    """Another text is a conflict; what is no identifier at all is invalid."""
    try:
        read_text(value)
    except Refused as refusal:
        return refusal.within(where)
    return Refused("claim_conflict", where)


def _require_instant(seconds: Any, text: Any, claim: str, where: str) -> None:
    if type(seconds) is not int or not 0 <= seconds <= LATEST_INSTANT:
        raise Refused("claim_invalid", claim, expected="whole seconds since 1970")
    if _converted(vc_subject.read_instant_text, text, where) != seconds:
        raise Refused("claim_conflict", where)


def _converted(read: Callable[[Any], Any], value: Any, where: str) -> Any:
    try:
        return read(value)
    except Refused as refusal:
        raise refusal.within(where) from None


def _body(subject: Mapping[str, Any]) -> dict[str, Any]:
    """The private claim: the subject without what stands in registered claims, in the forms of the neutral claims."""
    try:
        return vc_subject.read_subject(subject, _ELSEWHERE)
    except Refused as refusal:
        raise refusal.within("act") from None


def vc_payload(claims: Mapping[str, Any]) -> dict[str, Any]:
    """The payload of our own layout that `neutral_claims` takes back. Raises `InvalidCall` for what JSON does not carry."""
    identifier = DELEGATION_ID.write(claims["cti"])
    subject = {
        "delegation_id": identifier,
        "agent_id": claims["sub"],
        "validity_start_time": iso(claims["nbf"]),
        "validity_end_time": iso(claims["exp"]),
    }
    named = {name: claims[name] for name in ("iss", "sub", "aud", "nbf", "exp", "iat", "status")}
    return named | {
        "@context": [*_CONTEXTS],
        "type": [*_TYPES],
        "issuer": claims["iss"],
        "jti": identifier,
        "cnf": KEY.write(claims["cnf"]),
        "credentialSubject": subject | vc_subject.write_subject(claims["act"]),
    }

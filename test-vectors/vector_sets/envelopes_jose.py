"""Vectors of the JOSE envelope: a compact JWS of exactly one form. Most carry a signature that holds over what they show."""

from __future__ import annotations

import copy
import hmac
from collections.abc import Mapping
from typing import Any, Final

from act.wire.json import canonicalize
from vector_sets.jose import compact, header, identity_of, segment, sign, vc_payload_of
from vector_sets.shape import Vector, accept, refuse, vector_file
from vector_sets.world import KEYS, MANDATE_CLAIMS, NOW

__all__ = ["envelopes_jose_file"]

_PAYLOAD: Final = vc_payload_of(MANDATE_CLAIMS)
_HEADER: Final = header("wallet")
_HEAD_BYTES: Final = canonicalize(_HEADER)
_PAYLOAD_BYTES: Final = canonicalize(_PAYLOAD)
_GOOD: Final = sign(_HEAD_BYTES, _PAYLOAD_BYTES, "wallet")


def _frame(name: str, why: str, code: str, data: bytes, where: str = "mandate", parties: str = "standard") -> Vector:
    return refuse(f"envelopes-jose/{name}", why, code, where, input=data, parties=parties, at=NOW)


def _headed(name: str, why: str, code: str, where: str, members: Mapping[str, Any]) -> Vector:
    return _frame(name, why, code, compact(members, _PAYLOAD, "wallet"), where)


def _raw(head: bytes = _HEAD_BYTES, payload: bytes = _PAYLOAD_BYTES) -> bytes:
    return sign(head, payload, "wallet")


def _frames() -> list[Vector]:
    head, payload, signature = _GOOD.split(b".")
    flattened = canonicalize({"protected": head.decode(), "payload": payload.decode(), "signature": signature.decode()})
    pretty = canonicalize({"signatures": [{"protected": head.decode(), "signature": signature.decode()}]})
    return [
        _frame("two-parts", "The signature is missing with its dot.", "envelope_invalid", head + b"." + payload),
        _frame("four-parts", "A dot too many.", "envelope_invalid", _GOOD + b"."),
        _frame("five-parts", "As many parts as an encrypted object has.", "envelope_invalid", _GOOD + b".AA.AA"),
        _frame("dots-unencoded", "A payload that is not encoded (RFC 7797): its dots are parts.", "envelope_invalid",
               head + b"." + _PAYLOAD_BYTES + b"." + signature),
        _frame("header-padded", "Padding after the header.", "base64url_invalid", head + b"==." + payload + b"." + signature,
               "mandate.protected"),
        _frame("payload-padded", "Padding after the payload.", "base64url_invalid",
               head + b"." + payload + b"=." + signature),
        _frame("signature-padded", "Padding after the signature.", "base64url_invalid", _GOOD + b"=="),
        _frame("signature-unused-bits", "Unused bits that are not zero: another text of the same bytes.", "base64url_invalid",
               _GOOD[:-1] + bytes([_GOOD[-1] + 1])),
        _frame("payload-standard-alphabet", "A character of the other alphabet.", "base64url_invalid",
               head + b"." + payload[:-1] + b"+." + signature),
        _frame("newline-at-end", "A line end after the object.", "base64url_invalid", _GOOD + b"\n"),
        _frame("space-inside", "White space in the payload.", "base64url_invalid",
               head + b"." + payload[:8] + b" " + payload[8:] + b"." + signature),
        _frame("not-ascii", "A character that no base64url has.", "envelope_invalid",
               head + b"." + payload + "\u00e9".encode() + b"." + signature),
        _frame("serialization-flattened", "The flattened JSON serialization: another form of the same signature.",
               "envelope_invalid", flattened),
        _frame("serialization-general", "The general JSON serialization: several signatures, of which one may be checked.",
               "envelope_invalid", pretty),
        _frame("bearer", "The scheme of an HTTP header in front of it.", "envelope_invalid", b"Bearer " + _GOOD),
    ]  # fmt: skip


def _hmac_with_public_key() -> bytes:
    """What a verifier accepts that takes the algorithm from the token and the key from its file."""
    head = canonicalize(_HEADER | {"alg": "HS256"})
    covered = segment(head) + b"." + segment(_PAYLOAD_BYTES)
    return covered + b"." + segment(hmac.digest(KEYS["wallet"].public_key.raw, covered, "sha256"))


def _headers() -> list[Vector]:
    unsigned = segment(canonicalize(_HEADER | {"alg": "none"})) + b"." + segment(_PAYLOAD_BYTES) + b"."
    kid = _HEADER["kid"]

    def algorithm(name: str, why: str, alg: Any) -> Vector:
        members = _HEADER | {"alg": alg}
        return _headed(f"alg-{name}", why, "algorithm_not_allowed", "mandate.protected.alg", members)

    def unknown(name: str, why: str, member: dict[str, Any]) -> Vector:
        return _headed(name, why, "header_unknown", "mandate.protected", _HEADER | member)

    twice = b'{"alg":"Ed25519","alg":"none",' + _HEAD_BYTES[len(b'{"alg":"Ed25519",') :]
    not_allowed = ("algorithm_not_allowed", "mandate.protected.alg")
    return [
        _frame("alg-none", "An unsecured JWS.", not_allowed[0], unsigned, not_allowed[1]),
        _frame("alg-hmac-public-key", "HS256 keyed with the bytes of the wallet's public key.", not_allowed[0],
               _hmac_with_public_key(), not_allowed[1]),
        algorithm("none-signed", "`none` with a good signature all the same.", "none"),
        algorithm("none-capitals", "`None`, which a block list may miss.", "None"),
        algorithm("es384", "Another curve.", "ES384"),
        algorithm("rs256", "RSA, which has no row in the table.", "RS256"),
        algorithm("lower", "Names are compared byte for byte.", "ed25519"),
        algorithm("number", "The COSE number of an allowed algorithm.", -19),
        algorithm("null", "An algorithm that is null.", None),
        _headed("alg-missing", "No algorithm.", *not_allowed, {"kid": kid, "typ": "vc+jwt"}),
        unknown("crit", "A critical header that nobody here knows.", {"crit": ["exp"], "exp": 1}),
        unknown("crit-empty", "An empty list of critical headers.", {"crit": []}),
        unknown("jwk", "A key from the token itself.", {"jwk": dict(KEYS["stranger"].public_key.to_jwk())}),
        unknown("b64", "A payload that would not be base64url (RFC 7797).", {"b64": False, "crit": ["b64"]}),
        unknown("jku", "A place to fetch keys from.", {"jku": "https://wallet.example/keys"}),
        unknown("x5c", "A certificate from the token itself.", {"x5c": ["MA"]}),
        unknown("cty", "A header that would say what the payload is.", {"cty": "vc"}),
        _headed("kid-missing", "No key id: nobody could be looked up.", "envelope_invalid", "mandate.protected",
                {"alg": "Ed25519", "typ": "vc+jwt"}),
        _headed("kid-empty", "An empty key id.", "envelope_invalid", "mandate.protected", _HEADER | {"kid": ""}),
        _headed("kid-number", "A key id is a text.", "envelope_invalid", "mandate.protected", _HEADER | {"kid": 1}),
        _headed("kid-257", "A key id has at most 256 characters.", "envelope_invalid", "mandate.protected",
                _HEADER | {"kid": "k" * 257}),
        _headed("kid-unknown", "A name nobody gave to a key.", "signer_unknown", "mandate.iss",
                _HEADER | {"kid": "did:example:wallet#9"}),
        _headed("typ-missing", "Without a type one kind of object could be taken for another.", "envelope_invalid",
                "mandate.protected", {"alg": "Ed25519", "kid": kid}),
        _headed("typ-jwt", "Any JWT there is.", "kind_unexpected", "mandate.protected.typ", _HEADER | {"typ": "JWT"}),
        _headed("typ-application", "The whole media type, which JOSE leaves out.", "kind_unexpected", "mandate.protected.typ",
                _HEADER | {"typ": "application/vc+jwt"}),
        _headed("typ-upper-case", "Types are compared byte for byte.", "kind_unexpected", "mandate.protected.typ",
                _HEADER | {"typ": "VC+JWT"}),
        _headed("typ-order", "A mandate under the type of an order: refused for what it says it is.", "kind_unexpected",
                "mandate", _HEADER | {"typ": "act1-order+jwt"}),
        _frame("header-cut", "The header ends too early.", "json_invalid", _raw(_HEAD_BYTES[:-1]), "mandate.protected"),
        _frame("header-name-twice", "Two algorithms: one reader takes the first, another the last.", "json_invalid",
               _raw(twice), "mandate.protected"),
        _frame("header-trailing", "Text after the header, inside the signature.", "json_invalid", _raw(_HEAD_BYTES + b"{}"),
               "mandate.protected"),
    ]  # fmt: skip


def _payload_faults() -> list[Vector]:
    def payload(name: str, why: str, code: str, data: bytes, where: str = "mandate") -> Vector:
        return _frame(f"payload-{name}", why, code, _raw(payload=data), where)

    exp = f'"exp":{_PAYLOAD["exp"]}'.encode()
    return [
        payload("list", "The payload is a list of claims.", "claim_invalid", b"[]"),
        payload("text", "The payload is a text.", "claim_invalid", b'"mandate"'),
        payload("empty", "The payload is empty.", "json_invalid", b""),
        payload("cbor", "The payload is CBOR.", "json_invalid", b"\xa1\x01\x02"),
        payload("trailing", "A value after the claims, inside the signature.", "json_invalid", _PAYLOAD_BYTES + b"{}"),
        payload("claim-twice", "The expiry twice: one reader takes the first, another the last.", "json_invalid",
                _PAYLOAD_BYTES.replace(exp, exp + b',"exp":9999999999')),
        payload("name-twice-escaped", "The expiry twice, once escaped.", "json_invalid",
                _PAYLOAD_BYTES.replace(exp, exp + b',"\\u0065xp":9999999999')),
        payload("byte-order-mark", "A byte order mark.", "json_invalid", b"\xef\xbb\xbf" + _PAYLOAD_BYTES),
        payload("exponent", "The expiry as 1e10.", "json_invalid", _PAYLOAD_BYTES.replace(exp, b'"exp":1e10')),
        payload("fraction", "The expiry with a fraction.", "claim_invalid",
                _PAYLOAD_BYTES.replace(exp, exp + b".0"), "mandate.exp"),
        payload("nan", "Not a number.", "json_invalid", _PAYLOAD_BYTES.replace(exp, b'"exp":NaN')),
        payload("null", "A claim that is null.", "claim_null", _PAYLOAD_BYTES.replace(exp, b'"exp":null'), "mandate.exp"),
        payload("surrogate", "Half of a surrogate pair.", "json_invalid",
                _PAYLOAD_BYTES.replace(b"wallet.example", b"wallet\\ud800.example")),
        payload("claim-unknown", "A claim nobody here knows.", "claim_unknown",
                canonicalize(_PAYLOAD | {"scope": "all"}), "mandate.scope"),
        payload("claim-cose-name", "A claim under its CWT name.", "claim_unknown", canonicalize(_PAYLOAD | {"cti": "x"}),
                "mandate.cti"),
    ]  # fmt: skip


def _sizes() -> list[Vector]:
    """Objects of 32,768 and 32,769 bytes, filled up by a block that is carried and never interpreted."""

    def filled(count: int, head: int = 0) -> bytes:
        payload = copy.deepcopy(_PAYLOAD)
        payload["credentialSubject"]["ext"]["vendor_private"] = {"fill": "x" * count}
        members = _HEADER | ({"kid": "k" * head} if head else {})
        return compact(members, payload, "wallet")

    sizes = {len(data): data for data in (filled(23_000 + n) for n in range(800))}
    largest = max(size for size in sizes if size <= 32_768)
    above = min(size for size in sizes if size > 32_768)
    return [
        accept("envelopes-jose/size-largest", "As large as an object may be, to the last character that base64url allows.",
               ["ACT-WIRE-01"], input=sizes[largest], parties="standard", at=NOW),
        _frame("size-above", "A character more: refused before anything is decoded.", "input_too_large", sizes[above]),
    ]  # fmt: skip


def _aliases() -> list[Vector]:
    eddsa = compact(_HEADER | {"alg": "EdDSA"}, _PAYLOAD, "wallet")
    foreign = compact(_HEADER | {"kid": "did:example:wallet#1"}, _PAYLOAD, "wallet")
    spaced = _raw(b'{ "typ": "vc+jwt",\n "kid": "' + _HEADER["kid"].encode() + b'", "alg": "Ed25519" }')
    return [
        accept("envelopes-jose/alg-eddsa", "`EdDSA` with an Ed25519 key is Ed25519.", ["ACT-ENV-03"], input=eddsa,
               parties="standard", at=NOW),
        accept("envelopes-jose/header-spaced", "A header in another order and with white space: what is signed is the text.",
               ["ACT-ENV-01"], input=spaced, parties="standard", at=NOW),
        accept("envelopes-jose/kid-alias", "The name that the parties file gives to the wallet's key.", ["ACT-PAR-02"],
               input=foreign, parties="aliased", at=NOW),
        _frame("kid-alias-elsewhere", "The same name where no parties file gives it.", "signer_unknown", foreign,
               "mandate.iss"),
        _frame("kid-alias-other-key", "The name of the wallet's key, and a stranger's signature.",
               "credential_signature_invalid",
               compact(_HEADER | {"kid": "did:example:wallet#1"}, _PAYLOAD, "stranger"), parties="aliased"),
    ]  # fmt: skip


def envelopes_jose_file() -> dict[str, Any]:
    """envelopes-jose.json."""
    rules = [f"ACT-ENV-0{n}" for n in (1, 2, 3, 4, 5, 6, 7, 9)] + ["ACT-WIRE-04", "ACT-WIRE-05"]
    good = accept("envelopes-jose/valid", "The mandate all others here are variations of.", rules, input=_GOOD,
                  parties="standard", at=NOW, identity=identity_of(_GOOD))  # fmt: skip
    about = (
        "One mandate each, in good and bad compact JWS. Where three parts can be told, a refused one carries a signature that "
        "holds over the text shown, or is about the signature."
    )
    made = [good, *_aliases(), *_frames(), *_headers(), *_payload_faults(), *_sizes()]
    return vector_file("envelopes-jose", about, made)

"""Vectors of the envelope: a COSE_Sign1 of exactly one form. Each carries a signature that holds over what it shows."""

from __future__ import annotations

import struct
from typing import Any

from act.envelope.kinds import MANDATE
from act.wire import cbor
from vector_sets import world
from vector_sets.shape import Vector, accept, intermediate, refuse, vector_file
from vector_sets.world import KEYS, MANDATE_CLAIMS, header, signed

_LABELS = {"iss": 1, "sub": 2, "aud": 3, "exp": 4, "nbf": 5, "iat": 6, "cti": 7, "cnf": 8, "status": 65535, "act": -70001}
_CLAIMS: dict[Any, Any] = {_LABELS[name]: value for name, value in MANDATE_CLAIMS.items()}
_PAYLOAD = cbor.encode(_CLAIMS)
_HEADER = cbor.encode(header("wallet"))
_GOOD = signed(_HEADER, _PAYLOAD, "wallet")


def _bstr(data: bytes) -> bytes:
    return cbor.encode(data)


def _signature(protected: bytes = _HEADER, payload: bytes = _PAYLOAD) -> bytes:
    return KEYS["wallet"].sign(cbor.sig_structure(protected, payload))


def _frame(name: str, why: str, code: str, data: bytes, where: str = "mandate") -> Vector:
    return refuse(f"envelopes/{name}", why, code, where, input=data, parties="standard", at=world.NOW)


def _headed(name: str, why: str, code: str, where: str, members: dict[int | str, Any]) -> Vector:
    return _frame(name, why, code, signed(cbor.encode(members), _PAYLOAD, "wallet"), where)


def _frames() -> list[Vector]:
    parts = _bstr(_HEADER), b"\xa0", _bstr(_PAYLOAD), _bstr(_signature())
    body = b"".join(parts)
    kid_outside = cbor.encode({4: KEYS["wallet"].kid})
    cut = len(_PAYLOAD).to_bytes(4)
    return [
        _frame("untagged", "COSE allows to leave the tag out; here every object begins with 18.", "envelope_invalid",
               b"\x84" + body),
        _frame("tag-98", "COSE_Sign: several signatures, of which a verifier may check the wrong one.", "envelope_invalid",
               b"\xd8\x62\x84" + body),
        _frame("tag-17", "COSE_Mac0: whoever can check a MAC can make one.", "envelope_invalid", b"\xd1\x84" + body),
        _frame("tag-in-two-bytes", "Tag 18 in two bytes.", "cbor_not_deterministic", b"\xd8\x12\x84" + body),
        _frame("tag-twice", "The tag of CWT around it.", "envelope_invalid", b"\xd8\x3d\xd2\x84" + body),
        _frame("list-of-3", "The signature is missing.", "envelope_invalid", b"\xd2\x83" + b"".join(parts[:3])),
        _frame("list-of-5", "One element too many.", "envelope_invalid", b"\xd2\x85" + body + b"\x00"),
        _frame("list-in-two-bytes", "The list of four with its length in two bytes.", "cbor_not_deterministic",
               b"\xd2\x98\x04" + body),
        _frame("list-indefinite", "A list without a length.", "cbor_not_deterministic", b"\xd2\x9f" + body + b"\xff"),
        _frame("payload-detached", "The payload lies elsewhere: what was signed would be somebody's choice.",
               "envelope_invalid",
               b"\xd2\x84" + parts[0] + b"\xa0\xf6" + parts[3]),
        _frame("payload-length-long", "The payload's length in five bytes: another way to write the same object.",
               "cbor_not_deterministic", b"\xd2\x84" + parts[0] + b"\xa0\x5a" + cut + _PAYLOAD + parts[3]),
        _frame("payload-in-pieces", "The payload as a byte string in pieces.", "cbor_not_deterministic",
               b"\xd2\x84" + parts[0] + b"\xa0\x5f" + parts[2] + b"\xff" + parts[3]),
        _frame("protected-as-map", "The protected header as a map: re-encoding it would decide what was signed.",
               "envelope_invalid",
               b"\xd2\x84" + _HEADER + b"".join(parts[1:])),
        _frame("unprotected-kid", "A key id outside the signature.", "header_unknown",
               b"\xd2\x84" + parts[0] + kid_outside + parts[2] + parts[3], "mandate.unprotected"),
        _frame("unprotected-list", "The unprotected header is an empty map.", "envelope_invalid",
               b"\xd2\x84" + parts[0] + b"\x80" + parts[2] + parts[3]),
        _frame("trailing-byte", "A byte after the object.", "cbor_invalid", _GOOD + b"\x00"),
        _frame("cut", "The last byte is missing.", "cbor_invalid", _GOOD[:-1]),
        _frame("empty", "Nothing.", "cbor_invalid", b""),
        _frame("text", "The object as base64url text.", "envelope_invalid", b"0oRYT6M"),
    ]  # fmt: skip


def _headers() -> list[Vector]:
    good = header("wallet")
    kid = KEYS["wallet"].kid

    def algorithm(name: str, why: str, alg: object) -> Vector:
        return _headed(f"alg-{name}", why, "algorithm_not_allowed", "mandate.protected.alg", good | {1: alg})

    return [
        algorithm("eddsa", "-8 is EdDSA without a curve: the name must fix the curve (RFC 9864).", -8),
        algorithm("es256", "-7 is ES256 on any curve.", -7),
        algorithm("ed448", "-53 is Ed448, which nobody can enrol.", -53),
        algorithm("hmac", "5 is HMAC-SHA256: the public key as a shared secret.", 5),
        algorithm("zero", "0 is reserved.", 0),
        algorithm("none", "There is no `none`.", "none"),
        algorithm("text", "The JOSE name of an allowed algorithm is not its COSE number.", "Ed25519"),
        algorithm("true", "A boolean is no number.", True),
        _headed("alg-missing", "No algorithm.", "algorithm_not_allowed", "mandate.protected.alg", {4: kid, 16: good[16]}),
        _headed("kid-missing", "No key id: nobody could be looked up.", "envelope_invalid", "mandate.protected",
                {1: good[1], 16: good[16]}),
        _headed("kid-short", "A key id is a SHA-256 thumbprint of 32 bytes.", "envelope_invalid", "mandate.protected",
                good | {4: kid[:31]}),
        _headed("kid-text", "The thumbprint as hexadecimal text.", "envelope_invalid", "mandate.protected",
                good | {4: kid.hex()}),
        _headed("typ-missing", "Without a type one kind of object could be taken for another.", "envelope_invalid",
                "mandate.protected", {1: good[1], 4: kid}),
        _headed("typ-number", "A CoAP number instead of the media type.", "envelope_invalid", "mandate.protected",
                good | {16: 61}),
        _headed("typ-short", "The media type without `application/`.", "kind_unexpected", "mandate.protected.typ",
                good | {16: "act1-iac+cwt"}),
        _headed("typ-next-version", "The next major version: what is unknown is refused.", "kind_unexpected",
                "mandate.protected.typ", good | {16: "application/act2-iac+cwt"}),
        _headed("typ-upper-case", "Types are compared byte for byte.", "kind_unexpected", "mandate.protected.typ",
                good | {16: "application/ACT1-IAC+CWT"}),
        _headed("typ-order", "A mandate's claims under the type of an order.", "kind_unexpected", "mandate",
                good | {16: "application/act1-order+cwt"}),
        _headed("crit", "A critical header that nobody here knows.", "header_unknown", "mandate.protected", good | {2: [16]}),
        _headed("content-type", "A header that would say what the payload is.", "header_unknown", "mandate.protected",
                good | {3: "application/cwt"}),
        _headed("x5chain", "A key from the token itself.", "header_unknown", "mandate.protected", good | {33: b"\x30"}),
        _frame("protected-empty", "An empty protected header.", "cbor_invalid", signed(b"", _PAYLOAD, "wallet")),
        _frame("protected-list", "The protected header is a map.", "envelope_invalid", signed(b"\x80", _PAYLOAD, "wallet"),
               "mandate.protected"),
        _frame("protected-trailing", "A byte after the protected header, inside the signature.", "cbor_invalid",
               signed(_HEADER + b"\x00", _PAYLOAD, "wallet")),
        _frame("protected-unsorted", "The protected header in another order.", "cbor_not_deterministic",
               signed(b"\xa3" + _HEADER[3:-len(_typ()) - 1] + b"\x10" + _typ() + _HEADER[1:3], _PAYLOAD, "wallet")),
    ]  # fmt: skip


def _typ() -> bytes:
    return cbor.encode(MANDATE.cose_typ)


def _payloads() -> list[Vector]:
    exp = _pair(4)

    def payload(name: str, why: str, code: str, data: bytes, where: str = "mandate") -> Vector:
        return _frame(f"payload-{name}", why, code, signed(_HEADER, data, "wallet"), where)

    def replaced(old: bytes, new: bytes) -> bytes:
        if _PAYLOAD.count(old) != 1:
            raise ValueError("the bytes to replace must stand exactly once")
        return _PAYLOAD.replace(old, new)

    one_more = bytes([_PAYLOAD[0] + 1]) + _PAYLOAD[1:]
    return [
        payload("not-map", "The payload is a list of claims.", "claim_invalid", cbor.encode([1, 2])),
        payload("text", "The payload is a text.", "claim_invalid", cbor.encode("mandate")),
        payload("empty", "The payload is empty.", "cbor_invalid", b""),
        payload("json", "The payload is JSON.", "cbor_invalid", b'{"iss": "wallet.example"}'),
        payload("trailing", "A byte after the claims, inside the signature.", "cbor_invalid", _PAYLOAD + b"\x00"),
        payload("claim-twice", "The expiry twice: one reader takes the first, another the last.", "cbor_not_deterministic",
                bytes([_PAYLOAD[0] + 1]) + replaced(exp, exp + b"\x04" + cbor.encode(world.NOW + 999_999))[1:]),
        payload("unsorted", "iss after sub.", "cbor_not_deterministic",
                bytes([_PAYLOAD[0]]) + _pair(2) + _pair(1) + _PAYLOAD[1 + len(_pair(1)) + len(_pair(2)):]),
        payload("integer-long", "The expiry in nine bytes.", "cbor_not_deterministic",
                replaced(exp, b"\x04\x1b" + (world.NOW + 54_000).to_bytes(8))),
        payload("float", "The expiry as a float, as CWT allows.", "cbor_invalid",
                replaced(exp, b"\x04\xfb" + struct.pack(">d", world.NOW + 54_000))),
        payload("tagged-time", "The expiry as a tagged time.", "cbor_invalid", replaced(exp, b"\x04\xc1" + exp[1:])),
        payload("claim-null", "A claim that is null.", "claim_null", one_more + b"\x63foo\xf6", "mandate.foo"),
        payload("indefinite", "The claims as a map without a length.", "cbor_not_deterministic",
                b"\xbf" + _PAYLOAD[1:] + b"\xff"),
        payload("claim-unknown", "A label of a claim nobody here knows (9, scope).", "claim_unknown",
                cbor.encode(_CLAIMS | {9: "all"}), "mandate.9"),
        payload("claim-text", "A claim under its JWT name.", "claim_unknown", cbor.encode(_CLAIMS | {"exp": world.NOW}),
                "mandate.exp"),
        payload("claim-private", "Another private claim.", "claim_unknown", cbor.encode(_CLAIMS | {-70002: 1}),
                "mandate.-70002"),
    ]  # fmt: skip


def _pair(label: int) -> bytes:
    return cbor.encode(label) + cbor.encode(_CLAIMS[label])


def _sizes() -> list[Vector]:
    """Objects of 16,384 and 16,385 bytes, filled up by a block that is carried and never interpreted."""

    def filled(count: int) -> bytes:
        body = MANDATE_CLAIMS["act"] | {"ext": MANDATE_CLAIMS["act"]["ext"] | {"vendor_private": {"fill": "x" * count}}}
        return signed(_HEADER, cbor.encode(_CLAIMS | {-70001: body}), "wallet")

    def sized(size: int) -> bytes:
        data = filled(10_000 + size - len(filled(10_000)))
        if len(data) != size:
            raise ValueError("the filling missed its size")
        return data

    largest = sized(16_384)
    return [
        accept("envelopes/size-16384", "The largest object there may be.", ["ACT-WIRE-01"], input=largest, parties="standard",
               at=world.NOW),
        _frame("size-16385", "One byte more: refused before anything is decoded.", "input_too_large", sized(16_385)),
    ]  # fmt: skip


def envelopes_file() -> dict[str, Any]:
    """envelopes.json."""
    rules = ["ACT-ENV-01", "ACT-ENV-02", "ACT-ENV-03", "ACT-ENV-04", "ACT-ENV-05", "ACT-ENV-06", "ACT-ENV-07"]
    good = accept("envelopes/valid", "The mandate all others here are variations of.", rules, input=_GOOD, parties="standard",
                  at=world.NOW, intermediate=intermediate(_GOOD))  # fmt: skip
    about = (
        "One mandate each, in good and bad envelopes. Every refused one carries a signature that holds over the bytes shown, "
        "so that only strict decoding refuses it."
    )
    return vector_file("envelopes", about, [good, *_frames(), *_headers(), *_payloads(), *_sizes()])

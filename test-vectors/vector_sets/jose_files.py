"""The files of the JOSE envelope: twins of the COSE vectors, and what only a VC-JWT can have wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from act import Payment
from act.wire.base64url import base64url_encode
from act.wire.json import canonicalize
from vector_sets import chains, instructions, mandates, orders, payments, receipts, sequences, world
from vector_sets.envelopes_jose import envelopes_jose_file
from vector_sets.jose import compact, converted, header, identity_of, segment, sign, twins, vc_payload_of
from vector_sets.linked import link, plain_root
from vector_sets.shape import Vector, accept, refuse, vector_file
from vector_sets.successors import OLD
from vector_sets.world import ED25519_ORDER, KEYS, MANDATE_CLAIMS, NOW, REMOVED, TEA, changed, identity

__all__ = ["FILES"]

_BYTES: Final = "about the bytes of a COSE signature; the JOSE file has its own"
_DIGITS: Final = "a number has no fixed decimals"
_NUMBER: Final = "a number is how ACT writes it in JSON"
_CBOR: Final = "about the bytes of CBOR"
_UNTWINNED: Final[Mapping[str, Mapping[str, str]]] = {
    "mandates": {
        **{
            f"signature-{name}": _BYTES
            for name in (
                "bit-flipped", "short", "long", "without-context", "s-plus-order", "es256-der", "es256-r-zero",
                "es256-s-order", "es256-swapped",
            )
        },
        **dict.fromkeys(("amount-total-no-decimals", "amount-single-decimals", "period-amount-decimals"), _DIGITS),
        **dict.fromkeys(("wrong-items-price", "wrong-tolerance-trailing-zero"), _DIGITS),
        **dict.fromkeys(("amount-total-number", "wrong-tolerance-number"), _NUMBER),
        "wrong-cti-text": "a UUID as text is how JOSE writes it",
        **dict.fromkeys(("wrong-cti-15", "wrong-cti-17"), "in JOSE any text is an id, and no text is 15 bytes"),
        "wrong-iss-bytes": "JSON has no byte strings",
        "wrong-cnf-kid": "the JOSE file has its own, cnf-key-id",
        "conversation-message-time-text": "a text is how ACT writes a time in JSON",
        "field-null": "the JOSE file has its own, single-null",
        "supersedes-null": "the JOSE file has its own",
        "supersedes-text": "that text is how JOSE writes it",
    },
    "chains": {
        "wrong-id-15": "in JOSE any text is an id, and no text is 15 bytes",
        "mixed": "one envelope is left as it is; the JOSE file has its own",
    },
    "payments": {
        "request-map": "the JOSE file has its own, request-object",
        "not-a-map": "what does not begin with a brace is read as CBOR",
        "trailing-byte": "the JOSE file has its own, trailing-text",
        "members-unsorted": _CBOR,
        "chain-mixed": "a payment of both envelopes is a CBOR map",
    },
}  # fmt: skip
"""Vectors without a twin, by name, each with the reason."""

_PLACES: Final[Mapping[str, Mapping[str, str]]] = {
    "mandates": {
        "missing-cti": "mandate.jti",
        "missing-act": "mandate.credentialSubject",
        "wrong-act-list": "mandate.credentialSubject",
        "cnf-extra-member": "mandate.cnf.jwk",
    },
}
"""Where a JOSE object is wrong when that has another name there."""

_PAYLOAD: Final = vc_payload_of(MANDATE_CLAIMS)
_HEADER: Final = header("wallet")
_HEAD_BYTES: Final = canonicalize(_HEADER)
_PAYLOAD_BYTES: Final = canonicalize(_PAYLOAD)
_GOOD: Final = sign(_HEAD_BYTES, _PAYLOAD_BYTES, "wallet")


def _vc(changes: Mapping[str, Any] | None = None, base: Mapping[str, Any] = _PAYLOAD) -> bytes:
    return compact(_HEADER, changed(base, changes), "wallet")


def _good_vc(name: str, why: str, rules: list[str], data: bytes, parties: str = "standard", shown: bool = False) -> Vector:
    more = {"identity": identity_of(data)} if shown else {}
    return accept(f"mandates-jose/{name}", why, rules, input=data, parties=parties, at=NOW, **more)


def _bad_vc(name: str, why: str, code: str, where: str, data: bytes, parties: str = "standard") -> Vector:
    place = f"mandate.{where}" if where else "mandate"
    return refuse(f"mandates-jose/{name}", why, code, place, input=data, parties=parties, at=NOW)


_SUBJECT: Final = "credentialSubject"
_CONFLICTS: Final[tuple[tuple[str, str, Any], ...]] = (
    ("issuer", "issuer", "other-wallet.example"),
    ("agent", f"{_SUBJECT}.agent_id", "agent:other"),
    ("delegation", f"{_SUBJECT}.delegation_id", "urn:uuid:00000000-0000-4000-8000-000000000000"),
    ("start", f"{_SUBJECT}.validity_start_time", "2026-02-06T08:29:59Z"),
    ("end", f"{_SUBJECT}.validity_end_time", "2036-02-07T00:00:00Z"),
    ("id", "id", "urn:uuid:00000000-0000-4000-8000-000000000000"),
    ("valid-from", "validFrom", "2026-02-06T08:29:59Z"),
    ("valid-until", "validUntil", "2036-02-07T00:00:00Z"),
    ("subject-id", f"{_SUBJECT}.id", "agent:other"),
)


def _doubled() -> list[Vector]:
    why = "The fact stands twice and differs: one reader would take this one, another that."
    vectors = [_bad_vc(f"conflict-{name}", why, "claim_conflict", path, _vc({path: value})) for name, path, value in _CONFLICTS]
    same = {
        "id": _PAYLOAD["jti"],
        "validFrom": _PAYLOAD[_SUBJECT]["validity_start_time"],
        "validUntil": _PAYLOAD[_SUBJECT]["validity_end_time"],
        f"{_SUBJECT}.id": _PAYLOAD["sub"],
    }
    return [
        _good_vc("doubles-agree", "Every fact that may stand twice does, and says the same.", ["ACT-ENV-09"], _vc(same)),
        *vectors,
        _bad_vc("start-offset", "The same instant in another zone is another text.", "claim_invalid",
                f"{_SUBJECT}.validity_start_time", _vc({f"{_SUBJECT}.validity_start_time": "2026-02-06T16:30:00+08:00"})),
        _bad_vc("start-number", "ACT writes times as ISO 8601.", "claim_invalid", f"{_SUBJECT}.validity_start_time",
                _vc({f"{_SUBJECT}.validity_start_time": _PAYLOAD["nbf"]})),
        _bad_vc("agent-number", "What is no identifier is no other identifier either.", "claim_invalid",
                f"{_SUBJECT}.agent_id", _vc({f"{_SUBJECT}.agent_id": 1})),
    ]  # fmt: skip


def _members() -> list[Vector]:
    extra = {
        "@context": [*_PAYLOAD["@context"], "https://wallet.example/context"],
        "type": [*_PAYLOAD["type"], "TeaMandate"],
    }
    context, types = _PAYLOAD["@context"], _PAYLOAD["type"]
    missing = [
        _bad_vc(f"missing-{path.replace('@', '').replace('_', '-').replace('.', '-')}",
                "Every one of these members is mandatory.", "claim_missing", path, _vc({path: REMOVED}))
        for path in ("@context", "type", "issuer", *(f"{_SUBJECT}.{name}" for name in (
            "agent_id", "delegation_id", "validity_start_time", "validity_end_time")))
    ]  # fmt: skip
    return [
        _good_vc("context-and-type-extra", "Further contexts and types after the mandatory ones.", ["ACT-ENV-07"], _vc(extra)),
        *missing,
        _bad_vc("context-other", "Another vocabulary first.", "claim_invalid", "@context",
                _vc({"@context": ["https://www.w3.org/2018/credentials/v1"]})),
        _bad_vc("context-late", "The mandatory context after another, which could change what its words mean.",
                "claim_invalid", "@context", _vc({"@context": ["https://wallet.example/context", *context]})),
        _bad_vc("context-object", "A context defined in the token.", "claim_invalid", "@context",
                _vc({"@context": [*context, {"agent_id": "https://x.example"}]})),
        _bad_vc("type-text", "A type that is no list.", "claim_invalid", "type", _vc({"type": types[1]})),
        _bad_vc("type-other", "A credential of another type.", "claim_invalid", "type", _vc({"type": types[:1]})),
        _bad_vc("issuer-object", "An issuer is its id.", "claim_invalid", "issuer",
                _vc({"issuer": {"id": "wallet.example"}})),
        _bad_vc("subject-list", "Exactly one subject.", "claim_invalid", _SUBJECT,
                _vc({_SUBJECT: [_PAYLOAD[_SUBJECT]]})),
        _bad_vc("credential-status", "A status list, which this version cannot read.", "claim_unknown", "credentialStatus",
                _vc({"credentialStatus": {"id": "https://wallet.example/status/1#1"}})),
        _bad_vc("terms-of-use", "A member that may matter to somebody.", "claim_unknown", "termsOfUse",
                _vc({"termsOfUse": []})),
        _bad_vc("subject-unknown", "A field beside ACT's.", "claim_unknown", "act.note", _vc({f"{_SUBJECT}.note": "x"})),
        _bad_vc("private-null", "What is carried uninterpreted is carried by both envelopes: no null.", "claim_null",
                f"{_SUBJECT}.ext.vendor_private.x", _vc({f"{_SUBJECT}.ext.vendor_private": {"x": None}})),
        _bad_vc("private-fraction", "Nor a fraction.", "claim_invalid", "act.ext.vendor_private",
                _vc({f"{_SUBJECT}.ext.vendor_private": {"x": [Decimal("0.5")]}})),
        _bad_vc("confirmation-number", "The time of confirmation is ISO 8601.", "claim_invalid",
                "act.user_confirmation_timestamp",
                _vc({f"{_SUBJECT}.user_confirmation_method": "passkey", f"{_SUBJECT}.user_confirmation_timestamp": NOW})),
        _bad_vc("cnf-key-id", "A key id instead of the key.", "claim_invalid", "cnf", _vc({"cnf": {"kid": "k"}})),
        _bad_vc("cnf-private", "A private key as the agent's.", "claim_invalid", "cnf.jwk",
                _vc({"cnf": {"jwk": _PAYLOAD["cnf"]["jwk"] | {"d": "AAAA"}}})),
    ]  # fmt: skip


def _amounts() -> list[Vector]:
    total = f"{_SUBJECT}.max_total_amount"
    tea = vc_payload_of(changed(MANDATE_CLAIMS, TEA))

    def written(text: str) -> bytes:
        payload = _PAYLOAD_BYTES.replace(b'"max_total_amount":200', b'"max_total_amount":' + text.encode())
        return sign(_HEAD_BYTES, payload, "wallet")

    def bad(name: str, why: str, text: str, code: str = "amount_invalid", where: str = "act.max_total_amount") -> Vector:
        return _bad_vc(f"amount-{name}", why, code, where, written(text))

    single = "ext.commerce.max_single_amount"
    return [
        _good_vc("amount-decimals", "200.00 and 200 are one number.", ["ACT-MON-01"], written("200.00")),
        _good_vc("amount-fen", "To the fen.", ["ACT-MON-01"], written("199.99")),
        _good_vc("amount-15-digits", "The most digits: every JSON reader carries them exactly.", ["ACT-MON-01"],
                 written("1234567890123.45")),
        bad("16-digits", "A digit more than every JSON reader carries exactly.", "12345678901234.56"),
        bad("beyond-exact", "15 digits, but in fen beyond 2^53 - 1.", "999999999999999"),
        bad("exponent", "1e2 is 100 for some readers.", "1e2", "json_invalid", ""),
        bad("below-fen", "No whole number of fen.", "200.005"),
        bad("text", "A text where ACT asks for a number.", '"200.00"'),
        bad("zero", "A total of nothing.", "0"),
        bad("negative", "A negative total.", "-200"),
        bad("true", "true equals 1 in some languages.", "true"),
        bad("null", "An amount that is null.", "null", "claim_null", total),
        _bad_vc("supersedes-null", "A mandate that replaces none leaves the field out.", "claim_null",
                f"{_SUBJECT}.supersedes", _vc({f"{_SUBJECT}.supersedes": None})),
        _bad_vc("supersedes-padded", "Padding is another text of the same identity.", "claim_invalid", "act.supersedes",
                _vc({f"{_SUBJECT}.supersedes": base64url_encode(OLD) + "="})),
        _bad_vc("single-null", "A limit that is null: some would read it as no limit.", "claim_null", f"{_SUBJECT}.{single}",
                _vc({f"{_SUBJECT}.{single}": None}, tea)),
        _bad_vc("amount-single-text", "A text where ACT asks for a number.", "amount_invalid", f"act.{single}",
                _vc({f"{_SUBJECT}.{single}": "30.00"}, tea)),
        _bad_vc("amount-jpy-decimals", "Half a yen.", "amount_invalid", "act.max_total_amount",
                _vc({f"{_SUBJECT}.currency": "JPY", total: Decimal("200.5")})),
    ]  # fmt: skip


def _ids() -> list[Vector]:
    def named(identifier: Any) -> bytes:
        return _vc({"jti": identifier, f"{_SUBJECT}.delegation_id": identifier})

    canonical = "urn:uuid:6d1c6a43-6f0c-4d0b-9c5e-0f6f1f0a7c11"
    return [
        _good_vc("id-text", "A delegation_id of the wallet's own making: only JOSE carries it.", ["ACT-ENV-07"],
                 named("D-2026-0001")),
        _bad_vc("id-upper-case", "Another text of the same UUID would be another mandate.", "claim_invalid", "jti",
                named(canonical.upper())),
        _bad_vc("id-upper-case-digits", "A UUID is written in lower case.", "claim_invalid", "jti",
                named("urn:uuid:" + canonical[9:].upper())),
        _bad_vc("id-braces", "A UUID in braces.", "claim_invalid", "jti", named(f"urn:uuid:{{{canonical[9:]}}}")),
        _bad_vc("id-empty", "An id has at least one character.", "claim_invalid", "jti", named("")),
        _bad_vc("id-invisible", "A zero-width space makes two ids look the same.", "claim_invalid", "jti",
                named("D-1\u200b")),
        _bad_vc("id-number", "An id is a text.", "claim_invalid", "jti", named(7)),
    ]  # fmt: skip


_ACT_2_0: Final[dict[str, Any]] = {
    **{name: _PAYLOAD[name] for name in ("iss", "sub", "aud", "jti", "nbf", "exp", "iat", "cnf", "status")},
    "vc": {
        "@context": ["https://www.w3.org/2018/credentials/v1"],
        "type": ["VerifiableCredential", "ACTIntentAuthorization"],
        "credentialSubject": _PAYLOAD[_SUBJECT],
    },
}


def _act_2_0() -> list[Vector]:
    def old(changes: Mapping[str, Any] | None = None) -> bytes:
        return _vc(changes, _ACT_2_0)

    inside = f"vc.{_SUBJECT}"
    without_ledger = {"aud": REMOVED, "status": REMOVED}
    least = {"nbf": REMOVED, "vc.@context": REMOVED, f"{inside}.currency": REMOVED} | without_ledger
    required = [
        _bad_vc(f"act-2-0-missing-{name}", "Nothing else says it, or proves it.", "claim_missing", name, old({name: REMOVED}))
        for name in ("iss", "sub", "jti", "exp", "iat", "cnf")
    ]
    return [
        _good_vc("act-2-0", "ACT 2.0's layout with everything our own has.", ["ACT-ENV-05"], old(), shown=True),
        _good_vc("act-2-0-least", "No nbf, aud, status or currency: the start stands in the subject, the ledger in the parties "
                 "file, and ACT's currency is CNY.", ["ACT-ENV-05"], old(least), "aliased"),
        _good_vc("act-2-0-supersedes", "A successor in ACT 2.0's layout.", ["ACT-ENV-06"],
                 old({f"{inside}.supersedes": base64url_encode(OLD)})),
        _bad_vc("act-2-0-ledger-unnamed", "No aud, and no ledger for this issuer in the parties file: nobody would count.",
                "claim_missing", "aud", old(without_ledger)),
        _bad_vc("act-2-0-status-without-aud", "A status says where it is kept, not who counts.", "claim_missing", "aud",
                old({"aud": REMOVED}), "aliased"),
        *required,
        _bad_vc("act-2-0-start-missing", "The subject's own start is mandatory.", "claim_missing",
                f"{inside}.validity_start_time", old({f"{inside}.validity_start_time": REMOVED})),
        _bad_vc("act-2-0-type-other", "A credential of another type.", "claim_invalid", "vc.type",
                old({"vc.type": ["VerifiableCredential"]})),
        _bad_vc("act-2-0-agent-other", "sub is the agent, whatever else a JWT's subject may be.", "claim_conflict",
                f"{inside}.agent_id", old({"sub": "user:lin"})),
        _bad_vc("act-2-0-issuer-other", "An issuer inside that is not the one outside.", "claim_conflict", "vc.issuer",
                old({"vc.issuer": "other-wallet.example"})),
        _bad_vc("act-2-0-member-unknown", "A member that may matter to somebody.", "claim_unknown", "vc.evidence",
                old({"vc.evidence": []})),
        _bad_vc("act-2-0-status-other", "A status at another service than the ledger.", "status_unavailable", "status",
                old({"status.ledger": "psp-2"})),
        _bad_vc("both-layouts", "Two credentials in one token.", "claim_unknown", "vc", _vc({"vc": _ACT_2_0["vc"]})),
        _bad_vc("neither-layout", "A JWT without a credential.", "claim_missing", "@context",
                _vc(dict.fromkeys(("@context", "type", "issuer", _SUBJECT), REMOVED))),
        _bad_vc("currency-missing-2-2", "In our own layout the currency is always said.", "claim_missing", "act.currency",
                _vc({f"{_SUBJECT}.currency": REMOVED})),
    ]  # fmt: skip


def _signatures() -> list[Vector]:
    covered = _GOOD.rpartition(b".")[0]
    signature = KEYS["wallet"].sign(covered)
    scalar = int.from_bytes(signature[32:], "little") + ED25519_ORDER

    def bad(name: str, why: str, forged: bytes) -> Vector:
        return _bad_vc(f"signature-{name}", why, "credential_signature_invalid", "", covered + b"." + segment(forged))

    return [
        bad("bit-flipped", "One bit of the signature.", bytes([signature[0] ^ 1]) + signature[1:]),
        bad("short", "63 bytes.", signature[:-1]),
        bad("long", "65 bytes: a lenient verifier ignores the last.", signature + b"\x00"),
        bad("s-plus-order", "s + L: a second signature of the same message, if s is not bounded.",
            signature[:32] + scalar.to_bytes(32, "little")),
        bad("without-header", "Over the payload alone.", KEYS["wallet"].sign(segment(_PAYLOAD_BYTES))),
        bad("decoded", "Over the decoded bytes instead of the text.", KEYS["wallet"].sign(_HEAD_BYTES + b"." + _PAYLOAD_BYTES)),
        bad("cose", "The signature of the same mandate in COSE.", _signature_of(world.mandate())),
    ]  # fmt: skip


def _signature_of(data: bytes) -> bytes:
    return data[-64:]


def _chains() -> list[Vector]:
    """What only a chain in JOSE can have wrong."""
    root = plain_root()
    identities: dict[bytes, bytes] = {}
    written = converted(root, identities)
    below = link(root, {"act.parent": identities[identity(root)]})
    named = converted(link(root), identities)
    mixed = refuse("chains-jose/mixed", "A link in COSE below a mandate in JOSE, whose identity it names.", "envelope_mixed",
                   "link.1", input=written, links=[below.hex()], parties="standard", at=NOW)  # fmt: skip
    unsecured = named.split(b".")
    unsecured[0] = segment(canonicalize({"alg": "none", "kid": header("agent")["kid"], "typ": "act1-link+jwt"}))
    return [
        mixed,
        refuse("chains-jose/alg-none", "An unsecured link.", "algorithm_not_allowed", "link.protected.alg", input=written,
               links=[b".".join([*unsecured[:2], b""]).hex()], parties="standard", at=NOW),
    ]  # fmt: skip


def _payments() -> list[Vector]:
    """What only a payment in JSON can have wrong, and a chain of both envelopes."""
    data = world.paid(world.mandate(), world.order())
    value = Payment.from_bytes(data)
    parts = [converted(each, {}).decode() for each in (value.request, *value.chain, value.order)]
    members: dict[str, Any] = {"typ": "act1-payment+json", "request": parts[0], "chain": [parts[1]], "order": parts[2]}

    def form(name: str, why: str, code: str, where: str, made: bytes) -> Vector:
        return refuse(f"payments-jose/{name}", why, code, where, input=made, parties="standard", ledger="psp-1", at=NOW)

    return [
        form("request-object", "A request that nobody signed.", "claim_invalid", "payment.request",
             canonicalize(members | {"request": {"iss": "x"}})),
        form("trailing-text", "A value after the payment.", "json_invalid", "payment", canonicalize(members) + b"{}"),
        form("member-twice", "Two orders: one reader takes the first, another the last.", "json_invalid", "payment",
             canonicalize(members)[:-1] + b',"order":"e30"}'),
    ]  # fmt: skip


def _twinned(kind: str, make: Callable[[], dict[str, Any]], more: Sequence[Vector] = ()) -> dict[str, Any]:
    original = make()
    about = f"{original['about']} The vectors of {kind}.json as compact JWS, and what only JOSE can have wrong."
    made = twins(kind, original["vectors"], _UNTWINNED.get(kind, {}), _PLACES.get(kind, {}))
    return vector_file(f"{kind}-jose", about, [*made, *more])


def mandates_jose_file() -> dict[str, Any]:
    """mandates-jose.json."""
    return _twinned(
        "mandates",
        mandates.mandates_file,
        [*_doubled(), *_members(), *_amounts(), *_ids(), *_act_2_0(), *_signatures()],
    )


def chains_jose_file() -> dict[str, Any]:
    """chains-jose.json."""
    return _twinned("chains", chains.chains_file, _chains())


def orders_jose_file() -> dict[str, Any]:
    """orders-jose.json."""
    return _twinned("orders", orders.orders_file)


def payments_jose_file() -> dict[str, Any]:
    """payments-jose.json."""
    return _twinned("payments", payments.payments_file, _payments())


def instructions_jose_file() -> dict[str, Any]:
    """instructions-jose.json."""
    return _twinned("instructions", instructions.instructions_file)


def receipts_jose_file() -> dict[str, Any]:
    """receipts-jose.json."""
    return _twinned("receipts", receipts.receipts_file)


def sequences_jose_file() -> dict[str, Any]:
    """sequences-jose.json."""
    return _twinned("sequences", sequences.sequences_file)


FILES: Final = (
    envelopes_jose_file,
    mandates_jose_file,
    chains_jose_file,
    orders_jose_file,
    payments_jose_file,
    instructions_jose_file,
    receipts_jose_file,
    sequences_jose_file,
)

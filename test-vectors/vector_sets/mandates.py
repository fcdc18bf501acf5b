"""Vectors of mandates, as `verify_mandate` judges them: the object, its issuer, its window."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from act.envelope.kinds import MANDATE, ORDER
from act.wire import cbor
from vector_sets import mandate_constraints, world
from vector_sets.conversations import conversations
from vector_sets.shape import Vector, accept, intermediate, refuse, vector_file
from vector_sets.successors import successors
from vector_sets.world import KEYS, MANDATE_CLAIMS, NOW, REMOVED, RETIRED_END, header, mandate, signed, tea_mandate

_START, _END = MANDATE_CLAIMS["nbf"], MANDATE_CLAIMS["exp"]


_MONTH = {"period_unit": "MONTH", "period_count": 1, "time_zone": "Asia/Shanghai", "anchor": "2026-01-31"}
_QUOTA = {
    "times_limit": 12,
    "refund_restores": True,
    "periods": [
        _MONTH | {"max_amount": "60.00", "period_times": 4},
        {"sliding_seconds": 86_400, "max_amount": "40.00"},
    ],
}
_SCHEDULE = {"time_zone": "Asia/Shanghai", "weekdays": ["MON", "FRI"], "hours": ["09:00-12:30", "17:00-24:00"]}


def _good(
    name: str, why: str, rules: list[str], data: bytes, *, at: int = NOW, parties: str = "standard", shown: bool = True
) -> Vector:
    more = {"intermediate": intermediate(data)} if shown else {}
    return accept(f"mandates/{name}", why, rules, input=data, parties=parties, at=at, **more)


def _bad(name: str, why: str, code: str, where: str, data: bytes, *, at: int = NOW, parties: str = "standard") -> Vector:
    return refuse(f"mandates/{name}", why, code, where, input=data, parties=parties, at=at)


def _accepted() -> list[Vector]:
    es256 = tea_mandate(signer="wallet-es256")
    full = [
        "ACT-PAY-02",
        "ACT-PAR-03",
        "ACT-PAR-04",
        "ACT-ENV-05",
        "ACT-ENV-06",
        "ACT-ENV-07",
        "ACT-PAY-16",
        "ACT-CON-11",
        "ACT-CON-13",
    ]
    merchants = [f"shop-{n}.example" for n in range(128)]
    one = {"act.max_total_amount": "30.00", "act.ext.commerce.min_single_amount": "30.00"}
    return [
        _good("tea", "Every constraint of the registry, Ed25519.", full, tea_mandate()),
        _good("least", "What is mandatory, ACT's mode and one bound, nothing else.", ["ACT-ENV-05"], mandate()),
        _good("mode-absent", "Without delegation_mode a mandate is SPECIFIED (ADD-IAC-ISS).", ["ACT-ENV-05"],
              mandate({"act.delegation_mode": REMOVED})),
        _good("es256", "Signed with ES256; the agent's key is Ed25519.", ["ACT-PAY-02", "ACT-ENV-03"], es256),
        _good("es256-high-s", "The same mandate with (r, n - s): also valid, and the identity is the same.", ["ACT-PAY-02"],
              world.high_s(es256)),
        _good("holder-p256", "An Ed25519 issuer, a P-256 agent.", ["ACT-KEY-01"],
              mandate({"cnf": {1: KEYS["agent-es256"].public_key.cose_key}})),
        _good("principal", "A principal who signs for itself needs no namespace.", ["ACT-PAR-02", "ACT-PAR-04"],
              mandate({"iss": "user:lin"}, signer="principal")),
        _good("jpy", "A currency without decimals.", ["ACT-MON-01", "ACT-MON-02"],
              mandate({"act.currency": "JPY", "act.max_total_amount": "20000"})),
        _good("kwd", "A currency with three.", ["ACT-MON-01"], mandate({"act.currency": "KWD",
              "act.max_total_amount": "20.000"})),
        _good("vendor-private", "ext.vendor_private is carried and never interpreted, whatever is in it.", ["ACT-CON-11"],
              mandate({"act.ext.vendor_private": {"max_single_amount": "1.00", "x": [1, {"y": True}]}})),
        _good("quota", "Every constraint of ext.quota, and a schedule.", ["ACT-CON-14", "ACT-CHN-09", "ACT-ENV-07"],
              mandate({"act.ext.quota": _QUOTA, "act.ext.schedule": _SCHEDULE})),
        _good("amounts-equal", "min = max = total: the ladder may be flat.", ["ACT-CON-12"],
              mandate(one | {"act.ext.commerce.max_single_amount": "30.00"})),
        _good("one-second", "Valid for one second.", ["ACT-IAC-01"], mandate({"nbf": NOW, "exp": NOW + 1}), shown=False),
        _good("merchants-128", "The longest list.", ["ACT-ENV-07"], mandate({"act.ext.commerce.allowed_merchants": merchants}),
              shown=False),
        _good("text-256", "The longest identifier, counted in characters.", ["ACT-ENV-07"],
              mandate({"act.intent_id": "\u8336" * 256}),
              shown=False),
    ]  # fmt: skip


def _times() -> list[Vector]:
    data = mandate()
    future = ("ACT-PAY-13", "credential_not_yet_valid")
    vectors = []
    for name, at in (("minus-11", _START - 11), ("minus-10", _START - 10), ("minus-9", _START - 9)):
        started = at + 10 >= _START
        why = "The start tolerates clocks that are 10 seconds apart, and no more."
        issued = mandate({"iat": world.KEYS_START})  # issued well before, so that only the start can be missed
        vectors.append(
            _good(f"start-{name}", why, [future[0]], issued, at=at, shown=False)
            if started
            else _bad(f"start-{name}", why, future[1], "mandate.validity_start_time", issued, at=at)
        )
    for name, offset in (("9", 9), ("10", 10), ("11", 11)):
        ahead = mandate({"iat": NOW + offset})
        why = "The time of signing may lie 10 seconds ahead of the verifier's clock, and no more."
        vectors.append(
            _good(f"issued-plus-{name}", why, [future[0]], ahead, shown=False)
            if offset <= 10
            else _bad(f"issued-plus-{name}", why, future[1], "mandate.iat", ahead)
        )
    why = "The end has no tolerance: at exp itself the mandate has expired."
    vectors += [
        _good("end-minus-1", why, ["ACT-PAY-14"], data, at=_END - 1, shown=False),
        _bad("end", why, "credential_expired", "mandate.validity_end_time", data, at=_END),
        _bad("end-plus-1", why, "credential_expired", "mandate.validity_end_time", data, at=_END + 1),
        _bad("window-empty", "A window that ends when it starts holds no instant.", "credential_lifetime_invalid",
             "mandate.act.validity", mandate({"exp": _START})),
        _bad("window-reversed", "A window that ends before it starts.", "credential_lifetime_invalid", "mandate.act.validity",
             mandate({"exp": _START - 1})),
    ]  # fmt: skip
    return vectors


def _issuers() -> list[Vector]:
    retired = "wallet-retired"
    last, ended = {"iat": RETIRED_END - 1, "nbf": NOW - 1800}, {"iat": RETIRED_END, "nbf": NOW - 1800}
    early = {"iat": world.KEYS_START - 1}
    return [
        _good("key-retired-since", "Signed in the key's last second: keys rotate under live mandates.", ["ACT-PAR-02"],
              mandate(last, signer=retired), shown=False),
        _bad("key-retired", "Signed in the second in which the key ended.", "signer_unknown", "mandate.iss",
             mandate(ended, signer=retired)),
        _bad("key-too-young", "Signed a second before the key came into force.", "signer_unknown", "mandate.iss",
             mandate(early)),
        _bad("key-unknown", "A well-formed mandate by a key nobody enrolled.", "signer_unknown", "mandate.iss",
             mandate(signer="stranger")),
        _bad("role-payee", "A payee's key cannot issue mandates.", "signer_unknown", "mandate.iss",
             mandate({"iss": "teashop.example"}, signer="teashop")),
        _bad("role-principal", "A principal's key signs for the principal alone, not as an issuer for others.",
             "signer_unknown",
             "mandate.iss", mandate({"iss": "user:lin", "act.delegator_identity": "user:mei"}, signer="principal")),
        _bad("issuer-other", "Another wallet's key under this wallet's name.", "signer_mismatch", "mandate.iss",
             mandate(signer="other-wallet")),
        _bad("namespace-other", "A wallet speaks for the delegators of its namespaces only.", "delegator_not_allowed",
             "mandate.act.delegator_identity", mandate({"iss": "other-wallet.example"}, signer="other-wallet")),
        _bad("namespace-case", "Namespaces are compared byte for byte.", "delegator_not_allowed",
             "mandate.act.delegator_identity", mandate({"act.delegator_identity": "User:lin"})),
        _bad("key-compromised", "Without a record from before, whoever stole the key may have signed this.", "key_compromised",
             "mandate.iss", mandate(), parties="wallet-compromised"),
        _good("parties-last-second", "The last second of the parties file.", ["ACT-PAR-01"], mandate(), at=NOW - 1,
              parties="expiring", shown=False),
        _bad("parties-expired", "Nothing may be decided with a parties file that has ended.", "parties_expired", "parties",
             mandate(), parties="expiring"),
        _good("other-key-compromised", "Another wallet key of the same party still stands.", ["ACT-PAR-05"],
              mandate(signer="wallet-es256"), parties="wallet-compromised", shown=False),
    ]  # fmt: skip


def _signatures() -> list[Vector]:
    data, es256 = mandate(), mandate(signer="wallet-es256")
    signature = cbor.decode_sign1(data)[2]
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    r_es, s_es = (part for part in (cbor.decode_sign1(es256)[2][:32], cbor.decode_sign1(es256)[2][32:]))

    def bad(name: str, why: str, forged: bytes) -> Vector:
        return _bad(f"signature-{name}", why, "credential_signature_invalid", "mandate", forged)

    protected = cbor.encode(header("wallet"))
    crossed = cbor.encode(header("wallet") | {1: -9})
    payload = cbor.decode_sign1(data)[1]
    foreign = KEYS["stranger"].sign(cbor.sig_structure(protected, payload))
    bare = KEYS["wallet"].sign(payload)
    return [
        bad("amount-raised", "200.00 became 900.00 after signing.", world.tampered(data, b"200.00", b"900.00")),
        bad("ledger-changed", "Both mentions of the ledger changed after signing.",
            world.tampered(world.tampered(data, b"\x03epsp-1", b"\x03epsp-2"), b"fledgerepsp-1", b"fledgerepsp-2")),
        bad("bit-flipped", "One bit of the signature.", world.with_signature(data, bytes([signature[0] ^ 1]) + signature[1:])),
        bad("zeros", "All zeros.", world.with_signature(data, bytes(64))),
        bad("empty", "No signature.", world.with_signature(data, b"")),
        bad("short", "63 bytes.", world.with_signature(data, signature[:-1])),
        bad("long", "65 bytes: a lenient verifier ignores the last.", world.with_signature(data, signature + b"\x00")),
        bad("foreign", "A stranger's signature under the wallet's key id.", cbor.encode_sign1(protected, payload, foreign)),
        bad("without-context", "Over the payload alone instead of the Sig_structure.", cbor.encode_sign1(protected, payload,
            bare)),
        bad("s-plus-order", "s + L: a second signature of the same message, if s is not bounded.",
            world.with_signature(data, r + (s + world.ED25519_ORDER).to_bytes(32, "little"))),
        bad("algorithm-crossed", "The header says ES256 and names an Ed25519 key: the key decides.",
            signed(crossed, payload, "wallet")),
        bad("es256-der", "An ECDSA signature in DER.", world.with_signature(es256, _der(r_es, s_es))),
        bad("es256-r-zero", "r = 0.", world.with_signature(es256, bytes(32) + s_es)),
        bad("es256-s-order", "s = n.", world.with_signature(es256, r_es + world.P256_ORDER.to_bytes(32))),
        bad("es256-swapped", "s || r.", world.with_signature(es256, s_es + r_es)),
        _bad("kind-order", "A genuine order where a mandate belongs.", "kind_unexpected", "mandate", world.order()),
        _bad("kind-order-renamed", "An order's claims under a mandate's type: a claim of a mandate is missing.",
             "claim_missing",
             "mandate.aud", signed(cbor.encode(header("teashop", MANDATE.cose_typ)), cbor.decode_sign1(world.order())[1],
             "teashop")),
        _bad("kind-mandate-renamed", "A mandate's claims under an order's type.", "kind_unexpected", "mandate",
             signed(cbor.encode(header("wallet", ORDER.cose_typ)), payload, "wallet")),
    ]  # fmt: skip


def _der(r: bytes, s: bytes) -> bytes:
    def integer(raw: bytes) -> bytes:
        raw = raw.lstrip(b"\x00")
        raw = b"\x00" + raw if raw[0] & 0x80 else raw
        return bytes((2, len(raw))) + raw

    body = integer(r) + integer(s)
    return bytes((0x30, len(body))) + body


def _claims() -> list[Vector]:
    vectors = []
    for path in (*MANDATE_CLAIMS, "act.delegator_identity", "act.intent_id", "act.max_total_amount", "act.currency"):
        why = "Every one of these claims is mandatory: what nobody stated, nobody authorized."
        vectors.append(
            _bad(f"missing-{path.replace('_', '-')}", why, "claim_missing", f"mandate.{path}", mandate({path: REMOVED}))
        )
    nested: tuple[tuple[str, str, str, Mapping[str, Any]], ...] = (
        ("unknown-field", "A field beside ACT's.", "mandate.act.note", {"act.note": "x"}),
        ("unknown-spelling", "ACT's field names are not restyled.", "mandate.act.maxTotalAmount",
         {"act.maxTotalAmount": "9.00"}),
        ("unknown-status", "A status list, which this version cannot read.", "mandate.status.status_list",
         {"status.status_list": {"idx": 1, "uri": "https://wallet.example/status/1"}}),
    )  # fmt: skip
    vectors += [_bad(name, why, "claim_unknown", where, mandate(changes)) for name, why, where, changes in nested]
    vectors += [
        _bad("confirmation-without-time", "The method without the time of confirmation.", "claim_missing",
             "mandate.act.user_confirmation_timestamp", mandate({"act.user_confirmation_method": "passkey"})),
        _bad("confirmation-without-method", "The time without the method.", "claim_missing",
             "mandate.act.user_confirmation_timestamp", mandate({"act.user_confirmation_timestamp": NOW})),
        _bad("status-elsewhere", "The status lies at another service than the ledger.", "status_unavailable", "mandate.status",
             mandate({"status.ledger": "psp-2"})),
        _bad("status-empty", "A status without a place.", "claim_missing", "mandate.status.ledger", mandate({"status": {}})),
    ]  # fmt: skip
    return vectors


_WRONG_VALUES: tuple[tuple[str, str, str, Any], ...] = (
    ("iss-empty", "An identifier has at least one character.", "iss", ""),
    ("iss-bytes", "An identifier is a text.", "iss", b"wallet.example"),
    ("iss-257", "An identifier has at most 256 characters.", "iss", "a" * 257),
    ("sub-control", "A line break in an identifier forges log lines.", "sub", "agent:tea\nrunner"),
    ("sub-bidi", "U+202E turns what is displayed around.", "sub", "agent:\u202erennur-aet"),
    ("sub-zero-width", "A zero-width space makes two identifiers look the same.", "sub", "agent:tea-runner\u200b"),
    ("sub-no-break-space", "A space that is not U+0020.", "sub", "agent:tea\u00a0runner"),
    ("aud-list", "Exactly one ledger: a list could name several.", "aud", ["psp-1"]),
    ("exp-text", "Times are whole seconds.", "exp", "2026-02-07T00:00:00Z"),
    ("exp-true", "true equals 1 in some languages.", "exp", True),
    ("exp-year-10000", "The last instant is the end of the year 9999.", "exp", 253_402_300_800),
    ("nbf-negative", "Times begin in 1970.", "nbf", -1),
    ("cti-15", "The delegation id is the 16 bytes of a UUID.", "cti", bytes(15)),
    ("cti-17", "The delegation id is the 16 bytes of a UUID.", "cti", bytes(17)),
    ("cti-text", "A UUID as text is another encoding.", "cti", "urn:uuid:00000000-0000-4000-8000-000000000000"),
    ("cnf-empty", "No key.", "cnf", {}),
    ("cnf-kid", "A key id instead of the key: it would have to be found elsewhere.", "cnf", {3: bytes(32)}),
    ("cnf-text", "The confirmation claim is a map.", "cnf", "agent"),
    ("status-text", "The status is a map.", "status", "psp-1"),
    ("act-list", "The private claim is a map.", "act", []),
    ("act.delegation_mode-unknown", "A mode ACT does not have.", "act.delegation_mode", "AUTONOMOUS"),
    ("act.delegation_mode-lower", "ACT's words are compared byte for byte.", "act.delegation_mode", "bounded"),
    ("act.currency-number", "A currency is a text.", "act.currency", 156),
    ("act.intent_id-number", "An identifier is a text.", "act.intent_id", 1),
    ("act.allowed_payment_methods-empty", "An empty list allows nothing, or anything.", "act.allowed_payment_methods", []),
    ("act.allowed_payment_methods-twice", "An entry twice.", "act.allowed_payment_methods", ["card", "card"]),
    ("act.allowed_payment_methods-text", "A text is no list.", "act.allowed_payment_methods", "card"),
    ("act.ext.commerce-empty", "An empty block.", "act.ext.commerce", {}),
    ("act.ext.commerce-list", "A block is a map.", "act.ext.commerce", ["tea"]),
    ("act.ext.vendor_private-empty", "An empty block.", "act.ext.vendor_private", {}),
    ("act.ext.commerce.allowed_merchants-129", "At most 128 entries.", "act.ext.commerce.allowed_merchants",
     [f"shop-{n}.example" for n in range(129)]),
    ("act.ext.commerce.forbidden_merchants-empty", "An empty list.", "act.ext.commerce.forbidden_merchants", []),
    ("act.ext.commerce.allowed_categories-number", "Entries are texts.", "act.ext.commerce.allowed_categories", [1]),
    ("act.ext.commerce.forbidden_categories-empty", "An empty list.", "act.ext.commerce.forbidden_categories", []),
)  # fmt: skip

_WRONG_AMOUNTS: tuple[tuple[str, str, str, Any], ...] = (
    ("total-number", "20000: yuan or fen?", "act.max_total_amount", 20_000),
    ("total-no-decimals", "200 without decimals.", "act.max_total_amount", "200"),
    ("total-zero", "A total of nothing.", "act.max_total_amount", "0.00"),
    ("total-negative", "A negative total.", "act.max_total_amount", "-200.00"),
    ("single-decimals", "Three decimals in CNY.", "act.ext.commerce.max_single_amount", "30.000"),
    ("least-full-width", "Full-width digits.", "act.ext.commerce.min_single_amount", "\uff15.00"),
)


def _values() -> list[Vector]:
    vectors = [
        _bad(f"wrong-{name.replace('_', '-')}", why, "claim_invalid", f"mandate.{path}", mandate({path: value}))
        for name, why, path, value in _WRONG_VALUES
    ]
    vectors += [
        _bad(f"amount-{name}", why, "amount_invalid", f"mandate.{path}", mandate({path: value}))
        for name, why, path, value in _WRONG_AMOUNTS
    ]
    small_order = {1: {1: 1, -1: 6, -2: bytes(32)}}
    vectors += [
        _bad("cnf-small-order", "An agent key of order 4: anybody could sign for it.", "key_invalid", "mandate.cnf.COSE_Key",
             mandate({"cnf": small_order})),
        _bad("cnf-extra-member", "An algorithm beside the agent's key.", "claim_invalid", "mandate.cnf.COSE_Key",
             mandate({"cnf": {1: {1: 1, 3: -19, -1: 6, -2: KEYS["agent"].public_key.raw}}})),
        _bad("currency-xxx", "No currency.", "currency_unknown", "mandate.act.currency", mandate({"act.currency": "XXX"})),
        _bad("currency-lower", "Codes are compared byte for byte.", "currency_unknown", "mandate.act.currency",
             mandate({"act.currency": "cny"})),
        _bad("constraint-block", "A block of limits this version does not know: ignoring it would widen the mandate.",
             "extension_unknown", "mandate.act.ext.magic", mandate({"act.ext.magic": {"times_limit": 3}})),
        _bad("constraint-field", "A limit this version does not know, in a block it knows.", "constraint_unknown",
             "mandate.act.ext.commerce.max_weight", mandate({"act.ext.commerce.max_weight": "1"})),
        _bad("constraint-misplaced", "A limit in the wrong block.", "claim_unknown", "mandate.act.max_single_amount",
             mandate({"act.max_single_amount": "30.00"})),
        _bad("period-zone-unknown", "A zone that no database has.", "time_zone_unknown",
             "mandate.act.ext.quota.periods.0.time_zone",
             mandate({"act.ext.quota": {"periods": [_MONTH | {"time_zone": "Mars/Olympus", "period_times": 1}]}})),
        _bad("period-zone-missing", "Midnight where?", "claim_missing", "mandate.act.ext.quota.periods.0.time_zone",
             mandate({"act.ext.quota": {"periods": [{"period_unit": "DAY", "period_count": 1, "anchor": "2026-01-01",
                                                     "period_times": 1}]}})),
        _bad("period-amount-decimals", "A period's amount has the currency's digits as every other.", "amount_invalid",
             "mandate.act.ext.quota.periods.0.max_amount",
             mandate({"act.ext.quota": {"periods": [_MONTH | {"max_amount": "60"}]}})),
        _bad("periods-9", "One period more than there may be.", "claim_invalid", "mandate.act.ext.quota.periods",
             mandate({"act.ext.quota": {"periods": [_MONTH | {"period_times": 1}] * 9}})),
        _bad("schedule-zone-unknown", "A zone in lower case.", "time_zone_unknown", "mandate.act.ext.schedule.time_zone",
             mandate({"act.ext.schedule": _SCHEDULE | {"time_zone": "asia/shanghai"}})),
        _bad("conflict-single-total", "One payment may be larger than all together.", "constraint_conflict",
             "mandate.act.ext.commerce.max_single_amount", mandate({"act.ext.commerce.max_single_amount": "200.01"})),
        _bad("conflict-least-single", "The least is above the most.", "constraint_conflict",
             "mandate.act.ext.commerce.min_single_amount", tea_mandate({"act.ext.commerce.min_single_amount": "30.01"})),
        _bad("conflict-least-total", "The least is above the total.", "constraint_conflict",
             "mandate.act.ext.commerce.min_single_amount", mandate({"act.ext.commerce.min_single_amount": "200.01"})),
    ]  # fmt: skip
    return vectors


def mandates_file() -> dict[str, Any]:
    """mandates.json."""
    about = "One mandate each, judged without a ledger: is it genuine, and in force at `at`?"
    vectors = [
        *(*_accepted(), *_times(), *_issuers(), *_signatures(), *_claims(), *_values(), *conversations(), *successors()),
        *mandate_constraints.vectors(_good, _bad),
    ]
    return vector_file("mandates", about, vectors)

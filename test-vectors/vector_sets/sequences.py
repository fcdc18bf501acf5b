"""Sequences of calls to one ledger: what is counted, what is remembered, what is repeated."""

from __future__ import annotations

from typing import Any, Final

from act.wire import cbor
from vector_sets import chain_sequences, instruction_sequences, succession_sequences, world
from vector_sets.charge_sequences import CHARGE_STORIES
from vector_sets.quota_sequences import QUOTA_STORIES
from vector_sets.shape import vector_file
from vector_sets.story import HOLD_SECONDS, Story
from vector_sets.world import COMPROMISED_AT, KEYS, NOW, mandate, order, paid, payment, priced, request

_CAP: Final = 5_000
_FIFTY: Final = {"act.max_total_amount": "50.00"}
_LATER: Final = NOW + 300
_TOTAL: Final = "total_limit_exceeded", "max_total_amount"


def _bought(number: int, minor: int = 1_800, *, payee: str = "teashop") -> bytes:
    changes = {"iss": f"{payee}.example", "act.order_no": f"T-{number:04d}"}
    return order(changes | priced(f"{minor // 100}.{minor % 100:02d}"), signer=payee)


def _pay(
    root: bytes, number: int, minor: int = 1_800, *, at: int = NOW, request_id: str | None = None, payee: str = "teashop"
) -> bytes:
    changes = {"iat": at, "exp": at + 120}
    return paid(root, _bought(number, minor, payee=payee), changes, request_id=request_id or str(number))


def _afternoon() -> Story:
    story = Story("total", "The total counts what is held and what is captured; what fits exactly fits.",
                  ["ACT-CON-06", "ACT-LED-04"])  # fmt: skip
    root = story.mandate("mandate", mandate(_FIFTY), _CAP)
    for number, minor in ((1, 1_800), (2, 1_800), (3, 1_800), (4, 1_400), (5, 1)):
        story.payment(f"payment-{number}", _pay(root, number, minor))
    story.authorized("payment-1", "mandate", "charge-1", 1_800)
    story.captured("charge-1", 1_800)
    story.authorized("payment-2", "mandate", "charge-2", 1_800)
    sequence = story.refused_on_record("payment-3", "mandate", *_TOTAL)
    story.refused_again("payment-3", sequence, *_TOTAL)
    story.authorized("payment-4", "mandate", "charge-4", 1_400)
    story.refused_on_record("payment-5", "mandate", *_TOTAL)
    return story


def _stored_refusal() -> Story:
    story = Story("refusal-stays",
                  "What a request was told stays told, even when the money would fit now: a new request asks anew.",
                  ["ACT-CON-06"])  # fmt: skip
    root = story.mandate("mandate", mandate(_FIFTY), _CAP)
    story.payment("payment-1", _pay(root, 1, 4_000))
    story.payment("payment-2", _pay(root, 2))
    story.payment("payment-2-anew", _pay(root, 2, request_id="2 anew"))
    story.authorized("payment-1", "mandate", "charge-1", 4_000)
    sequence = story.refused_on_record("payment-2", "mandate", *_TOTAL)
    story.voided("charge-1")
    story.refused_again("payment-2", sequence, *_TOTAL)
    story.authorized("payment-2-anew", "mandate", "charge-2", 1_800)
    return story


def _retry() -> Story:
    story = Story("retry",
                  "The same payment again has the same outcome and moves nothing, even after the request, the mandate or the "
                  "parties file have ended or the mandate is revoked.", ["ACT-PAY-04"])  # fmt: skip
    root = story.mandate("mandate", mandate(_FIFTY | {"exp": _LATER}), _CAP)
    story.payment("payment-1", _pay(root, 1))
    story.payment("payment-2", _pay(root, 2))
    story.authorized("payment-1", "mandate", "charge-1", 1_800)
    story.repeated("payment-1", "charge-1")
    story.repeated("payment-1", "charge-1", NOW + 121)
    story.captured("charge-1", 1_800, NOW + 130)
    story.repeated("payment-1", "charge-1", NOW + 140)
    story.revoked("mandate", NOW + 150)
    story.repeated("payment-1", "charge-1", NOW + 160)
    story.repeated("payment-1", "charge-1", _LATER + 1)
    story.use_parties("expiring")
    story.repeated("payment-1", "charge-1", NOW + 1)
    story.refused("payment-2", "parties_expired", "parties", NOW + 1)
    return story


def _retry_twin() -> Story:
    story = Story("retry-high-s", "The same request under its other ECDSA signature is the same request.", ["ACT-PAY-04"])
    holder = {"cnf": {1: KEYS["agent-es256"].public_key.cose_key}}
    root = story.mandate("mandate", mandate(_FIFTY | holder), _CAP)
    asked = request(root, _bought(1), signer="agent-es256")
    story.payment("payment", payment(asked, root, _bought(1)))
    story.payment("payment-high-s", payment(world.high_s(asked), root, _bought(1)))
    story.authorized("payment", "mandate", "charge-1", 1_800)
    story.repeated("payment-high-s", "charge-1")
    return story


def _duplicate() -> Story:
    story = Story("duplicate-request",
                  "A request id stands for one request: for another one it is refused, whatever else is wrong.",
                  ["ACT-PAY-04"])  # fmt: skip
    duplicate = ("duplicate_request", "request.cti")
    root = story.mandate("mandate", mandate(_FIFTY), _CAP)
    story.payment("payment", _pay(root, 1, request_id="same"))
    story.payment("other-amount", _pay(root, 1, 1_900, request_id="same"))
    story.payment("other-order", _pay(root, 2, request_id="same"))
    story.payment("other-and-too-much", _pay(root, 3, 5_001, request_id="same"))
    story.authorized("payment", "mandate", "charge-1", 1_800)
    story.refused("other-amount", *duplicate)
    story.refused("other-order", *duplicate)
    story.refused("other-order", *duplicate, NOW + 500)
    story.refused("other-and-too-much", *duplicate)
    story.repeated("payment", "charge-1")
    return story


def _scopes() -> Story:
    story = Story("request-id-scope", "A request id is unique within one mandate and agent; an order number within one payee.",
                  ["ACT-PAY-04", "ACT-LED-04", "ACT-LED-01"])  # fmt: skip
    first = story.mandate("mandate-1", mandate(_FIFTY), _CAP)
    second = story.mandate("mandate-2", mandate(_FIFTY | {"cti": world.uuid_of("second")}), _CAP)
    story.payment("payment-1", _pay(first, 1, request_id="same"))
    story.payment("payment-2", _pay(second, 1, request_id="same", payee="cha"))
    story.authorized("payment-1", "mandate-1", "charge-1", 1_800)
    story.authorized("payment-2", "mandate-2", "charge-2", 1_800)
    return story


def _unburnt() -> Story:
    story = Story("request-id-unburnt",
                  "What fails before the ledger decides burns no request id: neither a stranger's copy nor an "
                  "early try.", ["ACT-PAY-04", "ACT-PAY-06"])  # fmt: skip
    root = story.mandate("mandate", mandate(_FIFTY), _CAP)
    genuine = _pay(root, 1, at=NOW + 60)
    parts = cbor.decode(genuine)
    if not isinstance(parts, dict) or not isinstance(parts["request"], bytes):
        raise TypeError("a payment is a map of bytes")
    copied = world.with_signature(parts["request"], bytes(64))
    story.payment("payment", genuine)
    story.payment("unsigned-copy", payment(copied, root, _bought(1)))
    story.refused("unsigned-copy", "agent_signature_invalid", "request", NOW + 60)
    story.refused("payment", "request_not_yet_valid", "request.iat")
    story.authorized("payment", "mandate", "charge-1", 1_800, NOW + 60)
    return story


def _order_twice() -> Story:
    story = Story("order-twice",
                  "An order has at most one live or captured charge. That refusal is not stored: after a void the "
                  "same request may come again.", ["ACT-LED-04"])  # fmt: skip
    twice = ("order_already_paid", "order.act.order_no")
    root = story.mandate("mandate", mandate(_FIFTY), _CAP)
    other = story.mandate("mandate-other", mandate(_FIFTY | {"cti": world.uuid_of("second")}), _CAP)
    story.payment("payment-1", _pay(root, 1, request_id="1"))
    story.payment("payment-2", _pay(root, 1, request_id="2"))
    story.payment("payment-other", _pay(other, 1, request_id="3"))
    story.payment("payment-repriced", _pay(root, 1, 900, request_id="4"))
    story.authorized("payment-1", "mandate", "charge-1", 1_800)
    story.refused("payment-2", *twice)
    story.refused("payment-other", *twice)
    story.refused("payment-repriced", *twice)
    story.voided("charge-1")
    story.authorized("payment-2", "mandate", "charge-2", 1_800)
    story.captured("charge-2", 1_800)
    story.refused("payment-other", *twice)
    return story


def _conflict() -> Story:
    story = Story("credential-conflict",
                  "The first mandate recorded under a delegation_id is the one; a refused payment records none.",
                  ["ACT-LED-01"])  # fmt: skip
    conflict = ("credential_conflict", "mandate.delegation_id")
    root = story.mandate("mandate", mandate(_FIFTY), _CAP)
    wider = mandate({"act.max_total_amount": "900.00"})
    story.objects["mandate-wider"] = wider.hex()
    story.payment("wider-too-much", _pay(wider, 1, 90_001))
    story.payment("payment-1", _pay(root, 2))
    story.payment("payment-wider", _pay(wider, 3))
    story.payment("payment-2", _pay(root, 4))
    story.refused("wider-too-much", *_TOTAL)
    story.authorized("payment-1", "mandate", "charge-1", 1_800)
    story.refused("payment-wider", *conflict)
    story.revoke_refused("mandate-wider", *conflict)
    story.authorized("payment-2", "mandate", "charge-2", 1_800)
    return story


def _revocation() -> Story:
    story = Story("revoke", "No reservation follows a revocation; what is held may still be captured.", ["ACT-LED-02"])
    revoked = ("credential_revoked", "mandate")
    root = story.mandate("mandate", mandate(_FIFTY), _CAP)
    story.payment("payment-1", _pay(root, 1))
    story.payment("payment-2", _pay(root, 2))
    story.authorized("payment-1", "mandate", "charge-1", 1_800)
    story.revoked("mandate")
    story.revoked("mandate", NOW + 10)
    sequence = story.refused_on_record("payment-2", "mandate", *revoked, NOW + 10)
    story.refused_again("payment-2", sequence, *revoked, NOW + 20)
    story.captured("charge-1", 1_800, NOW + 30)
    return story


def _revocation_first() -> Story:
    story = Story("revoke-unused", "A mandate can be revoked before anybody used it, at its own ledger only.", ["ACT-LED-02"])
    root = story.mandate("mandate", mandate(_FIFTY), _CAP)
    story.objects["mandate-elsewhere"] = mandate({"aud": "psp-2", "status.ledger": "psp-2"}).hex()
    story.payment("payment-1", _pay(root, 1))
    story.revoke_refused("mandate-elsewhere", "wrong_ledger", "mandate.aud")
    story.revoked("mandate")
    story.refused_on_record("payment-1", "mandate", "credential_revoked", "mandate")
    return story


def _revocation_voids() -> Story:
    story = Story("revoke-void", "A mandate may say that what is held is released when it is revoked; what was captured stays.",
                  ["ACT-LED-02", "ACT-LED-06"])  # fmt: skip
    revoked = ("credential_revoked", "mandate")
    root = story.mandate("mandate", mandate(_FIFTY | {"act.ext.status": {"on_revoke": "void"}}), _CAP)
    for number in (1, 2, 3, 4):
        story.payment(f"payment-{number}", _pay(root, number, 1_000))
    for number in (1, 2, 3):
        story.authorized(f"payment-{number}", "mandate", f"charge-{number}", 1_000)
    story.captured("charge-2", 1_000)
    story.revoked_with_holds("mandate", ["charge-1", "charge-3"])
    story.capture_refused("charge-1", 1_000, "charge_closed", "charge")
    story.closed_again("charge-3", NOW + 10)
    story.closed_again("charge-2", NOW + 10)
    story.refused_on_record("payment-4", "mandate", *revoked, NOW + 10)
    story.revoked("mandate", NOW + 20)
    return story


def _revocation_honors() -> Story:
    story = Story("revoke-honor", "Or that it stays held, as it does when nothing is said.", ["ACT-LED-02"])
    root = story.mandate("mandate", mandate(_FIFTY | {"act.ext.status": {"on_revoke": "honor"}}), _CAP)
    story.payment("payment-1", _pay(root, 1))
    story.authorized("payment-1", "mandate", "charge-1", 1_800)
    story.revoked("mandate")
    story.captured("charge-1", 1_800, NOW + 30)
    return story


def _capture() -> Story:
    story = Story("capture", "A capture takes at most what is held, once; the rest is free again.",
                  ["ACT-LED-05", "ACT-LED-06", "ACT-LED-07"])  # fmt: skip
    closed = ("charge_closed", "charge")
    root = story.mandate("mandate", mandate(_FIFTY), _CAP)
    story.payment("payment-1", _pay(root, 1, 4_000))
    story.payment("payment-2", _pay(root, 2, 3_500))
    story.authorized("payment-1", "mandate", "charge-1", 4_000)
    story.capture_refused("charge-1", 4_001, "capture_exceeds_hold", "amount")
    story.capture_refused("charge-1", 4_000, "currency_mismatch", "amount", currency="USD")
    story.capture_refused("charge-nobody-made", 4_000, "charge_unknown", "charge")
    story.void_refused("charge-nobody-made", "charge_unknown", "charge")
    story.captured("charge-1", 1_500)
    story.closed_again("charge-1")
    story.capture_refused("charge-1", 4_000, *closed)
    story.void_refused("charge-1", *closed)
    story.authorized("payment-2", "mandate", "charge-2", 3_500)
    story.captured("charge-2", 3_500)
    return story


def _void() -> Story:
    story = Story("void", "A void gives everything back, once.", ["ACT-LED-05", "ACT-LED-06"])
    root = story.mandate("mandate", mandate(_FIFTY), _CAP)
    story.payment("payment-1", _pay(root, 1, 5_000))
    story.payment("payment-2", _pay(root, 2, 5_000))
    story.authorized("payment-1", "mandate", "charge-1", 5_000)
    story.voided("charge-1")
    story.closed_again("charge-1")
    story.capture_refused("charge-1", 5_000, "charge_closed", "charge")
    story.authorized("payment-2", "mandate", "charge-2", 5_000)
    return story


def _hold() -> Story:
    story = Story("hold", "A hold can be captured until just before its end; afterwards it can only be voided.", ["ACT-LED-08"])
    root = story.mandate("mandate", mandate(_FIFTY), _CAP)
    end = NOW + HOLD_SECONDS
    story.payment("payment-1", _pay(root, 1))
    story.payment("payment-2", _pay(root, 2))
    story.authorized("payment-1", "mandate", "charge-1", 1_800)
    story.authorized("payment-2", "mandate", "charge-2", 1_800)
    story.captured("charge-1", 1_800, end - 1)
    story.capture_refused("charge-2", 1_800, "hold_expired", "charge", end)
    story.capture_refused("charge-2", 1_800, "hold_expired", "charge", end + 1)
    story.closed_again("charge-1", end + 1)
    story.voided("charge-2", end + 1)
    return story


def _compromised() -> Story:
    story = Story("key-compromised",
                  "A compromised issuer's mandates stand if this ledger had recorded them before that instant; not "
                  "at it, and not for the time a token tells.", ["ACT-PAR-05"])  # fmt: skip
    refused = ("key_compromised", "mandate.iss")
    just = story.mandate("recorded-before", mandate(_FIFTY), _CAP)
    late = story.mandate("recorded-at", mandate(_FIFTY | {"cti": world.uuid_of("second")}), _CAP)
    never = story.mandate("never-recorded", mandate(_FIFTY | {"cti": world.uuid_of("third")}), _CAP)
    end = COMPROMISED_AT
    story.payment("before-1", _pay(just, 1, at=end - 1))
    story.payment("at-1", _pay(late, 2, at=end))
    story.payment("before-2", _pay(just, 3, at=end + 1))
    story.payment("at-2", _pay(late, 4, at=end + 1))
    story.payment("never-1", _pay(never, 5, at=end + 1))
    story.authorized("before-1", "recorded-before", "charge-1", 1_800, end - 1)
    story.authorized("at-1", "recorded-at", "charge-2", 1_800, end)
    story.use_parties("wallet-compromised")
    story.authorized("before-2", "recorded-before", "charge-3", 1_800, end + 1)
    story.refused("at-2", *refused, end + 1)
    story.refused("never-1", *refused, end + 1)
    story.repeated("at-1", "charge-2", end + 1)
    return story


def sequences_file() -> dict[str, Any]:
    """sequences.json."""
    stories = (
        _afternoon, _stored_refusal, _retry, _retry_twin, _duplicate, _scopes, _unburnt, _order_twice, _conflict, _revocation,
        _revocation_first, _revocation_voids, _revocation_honors, _capture, _void, _hold, _compromised,
    )  # fmt: skip
    about = "Each is a list of calls to payment service `psp-1` over one new ledger: what every call answers and leaves behind."
    more = (
        *CHARGE_STORIES,
        *QUOTA_STORIES,
        *chain_sequences.STORIES,
        *instruction_sequences.STORIES,
        *succession_sequences.STORIES,
    )
    return vector_file("sequences", about, [make().vector() for make in (*stories, *more)])

"""Vectors of receipts, as a merchant judges them before it delivers: genuine, about this order, and saying that it is paid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from act.envelope.kinds import RECEIPT
from act.envelope.objects import seal
from act.wire import cbor
from vector_sets import world
from vector_sets.shape import Vector, accept, intermediate, refuse, vector_file
from vector_sets.world import KEYS, NOW, REMOVED, changed, identity, item, order, priced, tea_mandate

_HOLD_END: Final = NOW + 7 * 86_400
_ORDER: Final = order()
_MANDATE: Final = tea_mandate()


def _counter(held_before: int, captured_before: int, held: int, captured: int) -> dict[str, Any]:
    return {
        "limit": "max_total_amount",
        "cap": 20_000,
        "held_before": held_before,
        "captured_before": captured_before,
        "held": held,
        "captured": captured,
    }


_RESERVED: Final[Mapping[str, Any]] = {
    "iss": "psp-1",
    "aud": ["teashop.example", "agent:tea-runner"],
    "iat": NOW,
    "act": {
        "delegator_identity": "user:lin",
        "delegation_id": world.uuid_of("mandate"),
        "credential": identity(_MANDATE),
        "sequence": 1,
        "state": "RESERVED",
        "counters": [_counter(0, 0, 1800, 0)],
        "request": identity(world.request(_MANDATE, _ORDER)),
        "order": identity(_ORDER),
        "order_no": "T-0001",
        "trade_no": "ch_00000000000000000000000000000001",
        "amount": "18.00",
        "currency": "CNY",
        "hold_expires_at": _HOLD_END,
    },
}


def receipt(changes: Mapping[str, Any] | None = None, *, signer: str = "psp") -> bytes:
    """The receipt of a reservation, with changes."""
    return seal(RECEIPT, changed(_RESERVED, changes), KEYS[signer])


_SECOND: Final = {"act.sequence": 2, "act.previous": identity(receipt()), "act.hold_expires_at": REMOVED}
_CAPTURED: Final = _SECOND | {"act.state": "CAPTURED", "act.counters": [_counter(1800, 0, 0, 1800)]}
_PART: Final = _SECOND | {
    "act.state": "PARTIALLY_CAPTURED", "act.amount": "5.00", "act.capture_no": "S-1",
    "act.counters": [_counter(1800, 0, 1300, 500)],
}  # fmt: skip
_LAST_PART: Final = _CAPTURED | {"act.capture_no": "S-1"}
_EXPIRED: Final = _SECOND | {"act.state": "EXPIRED", "act.counters": [_counter(1800, 0, 0, 0)]}
_REFUNDED: Final = _SECOND | {
    "act.state": "REFUNDED", "act.amount": "5.00", "act.refund_no": "R-1", "act.counters": [_counter(0, 1800, 0, 1800)],
}  # fmt: skip
_VOIDED: Final = _SECOND | {"act.state": "VOIDED", "act.counters": [_counter(1800, 0, 0, 0)]}
_REFUSED: Final = {
    "act.state": "REFUSED",
    "act.counters": [_counter(18_500, 0, 18_500, 0)],
    "act.code": "total_limit_exceeded",
    "act.trade_no": REMOVED,
    "act.hold_expires_at": REMOVED,
}
_REVOKED: Final = {"aud": ["wallet.example", "agent:tea-runner"], "act.state": "REVOKED", "act.counters": []} | {
    f"act.{name}": REMOVED for name in ("request", "order", "order_no", "trade_no", "amount", "currency", "hold_expires_at")
}

_INSTRUCTED: Final = {"act.instruction": bytes(range(32))}
_BY_PRINCIPAL: Final = _INSTRUCTED | {"act.caused_by": "principal"}
_SUSPENDED: Final = _REVOKED | _BY_PRINCIPAL | {"act.state": "SUSPENDED"}
_RESUMED: Final = _REVOKED | _BY_PRINCIPAL | {"act.state": "RESUMED", "act.credential_state": "Active"}
_TOOK_OVER: Final = _REVOKED | {"act.state": "SUCCEEDED", "act.counters": [_counter(1800, 0, 1800, 0)]}
_REPLACES: Final = {"act.supersedes": bytes(range(64, 96))}
_SUCCEEDED: Final = _TOOK_OVER | _REPLACES | {"act.sequence": 2, "act.previous": identity(receipt())}
_OF_LINK: Final = {"act.link": bytes(range(32, 64))}


def _good(name: str, why: str, rules: list[str], data: bytes, *, at: int = NOW, shown: bool = True) -> Vector:
    more = {"intermediate": intermediate(data)} if shown else {}
    return accept(f"receipts/{name}", why, rules, input=data, order=_ORDER, parties="standard", at=at, **more)


def _bad(
    name: str,
    why: str,
    code: str,
    where: str,
    data: bytes,
    *,
    at: int = NOW,
    parties: str = "standard",
    about: bytes = _ORDER,
) -> Vector:
    return refuse(f"receipts/{name}", why, code, where, input=data, order=about, parties=parties, at=at)


def _accepted() -> list[Vector]:
    es256 = receipt(signer="psp-es256")
    less = _CAPTURED | {"act.amount": "15.00", "act.counters": [_counter(1800, 0, 0, 1500)]}
    return [
        _good("reserved", "The money is held for this order.", ["ACT-RCT-01", "ACT-RCT-02", "ACT-RCT-03"], receipt()),
        _good("captured", "The money is captured; the receipt follows the one before.", ["ACT-RCT-03"], receipt(_CAPTURED)),
        _good("captured-less", "The payee captured less than was held: its own doing.", ["ACT-RCT-02"], receipt(less)),
        _good("part", "A part is captured, under the payee's number; the rest stays held.", ["ACT-RCT-03"], receipt(_PART)),
        _good("last-part", "The last part had a number, too.", ["ACT-RCT-03"], receipt(_LAST_PART)),
        _good("captured-instructed", "The payee signed for it: its instruction is acknowledged.", ["ACT-RCT-03"],
              receipt(_CAPTURED | _INSTRUCTED)),
        _good("part-instructed", "So is that of a part.", ["ACT-RCT-03"], receipt(_PART | _INSTRUCTED)),
        _good("es256", "ES256.", ["ACT-RCT-01"], es256),
        _good("es256-high-s", "The same receipt with (r, n - s): the chain's links do not depend on signature bytes.",
              ["ACT-RCT-01"], world.high_s(es256)),
        _good("issued-plus-10", "A receipt may be issued 10 seconds ahead of the merchant's clock.", ["ACT-RCT-02"],
              receipt({"iat": NOW + 10}), shown=False),
        _good("hold-minus-1", "The last second of the hold.", ["ACT-RCT-03"], receipt(), at=_HOLD_END - 1, shown=False),
        _good("captured-after-hold", "What is captured stays captured.", ["ACT-RCT-03"], receipt(_CAPTURED), at=_HOLD_END + 1,
              shown=False),
    ]  # fmt: skip


def _judged() -> list[Vector]:
    other = order({"act.order_no": "T-0002"})
    dearer = order(priced("19.00"))
    about_dearer = {"act.order": identity(dearer)}
    paid_elsewhere = {"aud": ["cha.example", "agent:tea-runner"]}
    return [
        _bad("order-other", "A genuine receipt about another order.", "receipt_mismatch", "receipt.act.order", receipt(),
             about=other),
        _bad("payee-other", "A receipt for another payee.", "receipt_mismatch", "receipt.act.order", receipt(paid_elsewhere)),
        _bad("amount-other", "Less is held than the order asks.", "receipt_mismatch", "receipt.act.amount",
             receipt(about_dearer),
             about=dearer),
        _bad("currency-other", "18.00 of another currency.", "receipt_mismatch", "receipt.act.amount",
             receipt({"act.currency": "USD"})),
        _bad("revoked", "The receipt of a revocation is about no order.", "receipt_mismatch", "receipt.act.order",
             receipt(_REVOKED)),
        _bad("revoked-instructed", "A revocation that the principal signed for.", "receipt_mismatch", "receipt.act.order",
             receipt(_REVOKED | _BY_PRINCIPAL)),
        _bad("revoked-link", "A revocation of one link.", "receipt_mismatch", "receipt.act.order",
             receipt(_REVOKED | _BY_PRINCIPAL | _OF_LINK)),
        _bad("suspended", "A suspension is about no order.", "receipt_mismatch", "receipt.act.order", receipt(_SUSPENDED)),
        _bad("suspended-link", "Nor is that of one link.", "receipt_mismatch", "receipt.act.order",
             receipt(_SUSPENDED | _OF_LINK)),
        _bad("resumed", "Nor is its end.", "receipt_mismatch", "receipt.act.order", receipt(_RESUMED)),
        _bad("resumed-still-suspended", "One suspension ends while another stands.", "receipt_mismatch", "receipt.act.order",
             receipt(_RESUMED | {"act.credential_state": "Suspended"})),
        _bad("succeeded", "A successor took over: that is about no order.", "receipt_mismatch", "receipt.act.order",
             receipt(_SUCCEEDED)),
        _bad("succeeded-above-cap", "What was spent may be above a cap that was lowered.", "receipt_mismatch",
             "receipt.act.order", receipt(_SUCCEEDED | {"act.counters": [_counter(30_000, 0, 30_000, 0)]})),
        _bad("succeeded-first", "Nothing was entered under the mandate that was replaced.", "receipt_mismatch",
             "receipt.act.order", receipt(_TOOK_OVER | _REPLACES)),
        _bad("revoked-supersedes", "A successor is revoked before what it replaces was ever seen, which ends with it.",
             "receipt_mismatch", "receipt.act.order", receipt(_REVOKED | _REPLACES)),
        _bad("revoked-supersedes-instructed", "By instruction, too.", "receipt_mismatch", "receipt.act.order",
             receipt(_REVOKED | _BY_PRINCIPAL | _REPLACES)),
        _bad("refused-superseded", "A mandate that was replaced pays no more; its limits count no more.", "receipt_not_paid",
             "receipt.act.state", receipt(_REFUSED | {"act.code": "credential_superseded", "act.counters": []})),
        _bad("issued-plus-11", "A receipt from the future.", "receipt_mismatch", "receipt.iat", receipt({"iat": NOW + 11})),
        _bad("voided", "The hold was released.", "receipt_not_paid", "receipt.act.state", receipt(_VOIDED)),
        _bad("expired", "The hold has ended, and was released.", "receipt_not_paid", "receipt.act.state", receipt(_EXPIRED)),
        _bad("refunded", "Money was given back.", "receipt_not_paid", "receipt.act.state", receipt(_REFUNDED)),
        _bad("refused", "The payment was refused.", "receipt_not_paid", "receipt.act.state", receipt(_REFUSED)),
        _bad("hold", "At its end the hold is over.", "receipt_not_paid", "receipt.act.hold_expires_at", receipt(),
             at=_HOLD_END),
        _bad("hold-plus-1", "A second after the hold.", "receipt_not_paid", "receipt.act.hold_expires_at", receipt(),
             at=_HOLD_END + 1),
        _bad("parties-expired", "A parties file that has ended.", "parties_expired", "parties", receipt(), parties="expiring"),
    ]  # fmt: skip


def _signers() -> list[Vector]:
    data = receipt()
    foreign = world.with_signature(data, cbor.decode_sign1(receipt(signer="other-psp"))[2])
    return [
        _bad("amount-tampered", "The held amount was raised after signing.", "receipt_signature_invalid", "receipt",
             world.tampered(data, b"famounte18.00", b"famounte98.00")),
        _bad("signature-foreign", "Another service's signature under this service's key id.", "receipt_signature_invalid",
             "receipt", foreign),
        _bad("service-other", "Another payment service in this one's name.", "signer_mismatch", "receipt.iss",
             receipt(signer="other-psp")),
        _bad("role-payee", "A shop cannot say that it was paid.", "signer_unknown", "receipt.iss",
             receipt({"iss": "teashop.example"}, signer="teashop")),
        _bad("key-unknown", "A key nobody enrolled.", "signer_unknown", "receipt.iss", receipt(signer="stranger")),
        _bad("key-too-young", "Signed before the key came into force.", "signer_unknown", "receipt.iss",
             receipt({"iat": world.KEYS_START - 1})),
        _bad("key-compromised", "The service's key was stolen.", "key_compromised", "receipt.iss", data,
             parties="psp-compromised"),
        _bad("kind-order", "The order itself is no receipt.", "kind_unexpected", "receipt", _ORDER),
    ]  # fmt: skip


_SHAPES: tuple[tuple[str, str, str, str, Mapping[str, Any]], ...] = (
    ("sequence-0", "Sequences count from 1.", "claim_invalid", "act.sequence", {"act.sequence": 0}),
    ("previous-missing", "The second receipt names the first: none can be left out.", "claim_invalid", "act.previous",
     {"act.sequence": 2}),
    ("previous-first", "The first receipt has none before it.", "claim_invalid", "act.previous", {"act.previous": bytes(32)}),
    ("state-unknown", "A state the profile does not have.", "claim_invalid", "act.state", {"act.state": "PAID"}),
    ("state-list", "A state is a text.", "claim_invalid", "act.state", {"act.state": ["RESERVED"]}),
    ("reserved-with-code", "A reservation has no refusal code.", "claim_invalid", "act", {"act.code": "total_limit_exceeded"}),
    ("reserved-without-charge", "A reservation names its charge.", "claim_invalid", "act", {"act.trade_no": REMOVED}),
    ("reserved-without-end", "A hold has an end.", "claim_invalid", "act", {"act.hold_expires_at": REMOVED}),
    ("reserved-instructed", "Nobody instructs a reservation.", "claim_invalid", "act", _INSTRUCTED),
    ("captured-caused-by", "Who captures is the payee.", "claim_invalid", "act",
     {**_CAPTURED, **_BY_PRINCIPAL}),
    ("captured-link", "A capture is about no link.", "claim_invalid", "act", {**_CAPTURED, **_INSTRUCTED, **_OF_LINK}),
    ("suspended-without-instruction", "Somebody signed for every suspension.", "claim_invalid", "act",
     {**_REVOKED, "act.state": "SUSPENDED", "act.caused_by": "principal"}),
    ("suspended-without-causer", "A suspension stands for whoever caused it.", "claim_invalid", "act",
     {**_REVOKED, "act.state": "SUSPENDED", **_INSTRUCTED}),
    ("suspended-state", "A suspended credential is Suspended, and nothing says so twice.", "claim_invalid", "act",
     {**_SUSPENDED, "act.credential_state": "Suspended"}),
    ("resumed-without-state", "Another suspension may stand: the receipt says whether.", "claim_invalid", "act",
     {**_REVOKED, "act.state": "RESUMED", **_BY_PRINCIPAL}),
    ("resumed-revoked", "What is Revoked is not resumed.", "claim_invalid", "act.credential_state",
     {**_RESUMED, "act.credential_state": "Revoked"}),
    ("causer-payee", "A payee suspends nothing.", "claim_invalid", "act.caused_by", {**_SUSPENDED, "act.caused_by": "payee"}),
    ("revoked-without-causer", "An instructed revocation says by whom.", "claim_invalid", "act", {**_REVOKED, **_INSTRUCTED}),
    ("revoked-without-instruction", "Whoever caused it signed something.", "claim_invalid", "act",
     {**_REVOKED, "act.caused_by": "agent"}),
    ("revoked-link-without-instruction", "A link is revoked by instruction alone.", "claim_invalid", "act",
     {**_REVOKED, **_OF_LINK}),
    ("succeeded-without-predecessor", "A succession says which mandate was replaced.", "claim_invalid", "act",
     _TOOK_OVER),
    ("succeeded-instructed", "Who signed for it is the issuer of the successor.", "claim_invalid", "act",
     {**_SUCCEEDED, **_BY_PRINCIPAL}),
    ("succeeded-link", "No link replaces another.", "claim_invalid", "act", {**_SUCCEEDED, **_OF_LINK}),
    ("succeeded-amount", "Nothing is paid by it.", "claim_invalid", "act",
     {**_SUCCEEDED, "act.amount": "18.00", "act.currency": "CNY"}),
    ("supersedes-31", "An identity is 32 bytes.", "claim_invalid", "act.supersedes",
     {**_SUCCEEDED, "act.supersedes": bytes(31)}),
    ("reserved-supersedes", "A reservation replaces no mandate.", "claim_invalid", "act", {"act.supersedes": bytes(32)}),
    ("suspended-supersedes", "Nor does a suspension.", "claim_invalid", "act", {**_SUSPENDED, "act.supersedes": bytes(32)}),
    ("code-unknown", "A refusal code that is not in the table.", "claim_invalid", "act.code", {**_REFUSED,
     "act.code": "no_mood"}),
    ("code-list", "A refusal code is a text.", "claim_invalid", "act.code", {**_REFUSED, "act.code": []}),
    ("counters-map", "Counters are a list.", "claim_invalid", "act.counters", {"act.counters": {}}),
    ("counter-negative", "Nothing is held below zero.", "claim_invalid", "act.counters.0.held", {"act.counters": [_counter(0,
     0, -1, 0)]}),
    ("counter-field", "A field no counter has.", "claim_unknown", "act.counters.0.left",
     {"act.counters": [{**_counter(0, 0, 1800, 0), "left": 1}]}),
    ("audience-empty", "A receipt is for somebody.", "claim_invalid", "aud", {"aud": []}),
    ("audience-text", "The audience is a list.", "claim_invalid", "aud", {"aud": "teashop.example"}),
    ("unknown-field", "A field beside the profile's.", "claim_unknown", "act.note", {"act.note": "x"}),
    ("items", "A receipt has no items.", "claim_unknown", "act.items", {"act.items": [item("tea", "tea", 1, "18.00")]}),
)  # fmt: skip


def _contents() -> list[Vector]:
    mandatory = (*_RESERVED, *(f"act.{name}" for name in tuple(_RESERVED["act"])[:6]))
    vectors = [
        _bad(f"missing-{path.replace('_', '-')}", "Every one of these claims is mandatory.", "claim_missing", f"receipt.{path}",
             receipt({path: REMOVED}))
        for path in mandatory
    ]  # fmt: skip
    vectors += [_bad(name, why, code, f"receipt.{path}", receipt(changes)) for name, why, code, path, changes in _SHAPES]
    return vectors


def receipts_file() -> dict[str, Any]:
    """receipts.json."""
    about = "One receipt each, judged by the payee of `order`: may it deliver?"
    return vector_file("receipts", about, [*_accepted(), *_judged(), *_signers(), *_contents()])

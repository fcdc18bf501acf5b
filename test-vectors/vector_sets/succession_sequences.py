"""Sequences in which one mandate replaces another: what is carried over, who may replace whom, and what the old one is told."""

from __future__ import annotations

from typing import Final

from vector_sets.linked import DEPTH, link, paid_by
from vector_sets.story import HOLD_SECONDS, Story
from vector_sets.succession_limits import LIMIT_STORIES, TOTAL, pay, successor_of
from vector_sets.succession_story import PLACE, Succession
from vector_sets.world import KEYS, MANDATE_END, NOW, mandate, order, priced

__all__ = ["STORIES"]

_FIFTY: Final = {TOTAL: "50.00"}
_SPENT: Final = "total_limit_exceeded", "max_total_amount"
_REPLACED: Final = "credential_superseded", "mandate"


def _up() -> Story:
    story = Succession("succeed-up", "A cap is raised: what was spent counts, and a refused order leaves no trace, not "
                       "even the succession.", ["ACT-LED-15", "ACT-LED-16", "ACT-LED-17", "ACT-CON-06"])  # fmt: skip
    old = story.first("old", mandate(_FIFTY), 5_000)
    new = story.successor("new", "old", successor_of(old, {TOTAL: "60.00"}), 6_000)
    story.payment("payment-1", pay(old, 1, 3_000))
    story.payment("payment-same-order", pay(new, 1, 3_000, request_id="again"))
    for number, minor in ((2, 3_001), (3, 3_000), (4, 500), (5, 1)):
        story.payment(f"payment-{number}", pay(new, number, minor))
    story.authorized("payment-1", "old", "charge-1", 3_000)
    story.refused("payment-same-order", "order_already_paid", "order.act.order_no")
    story.registered("new")
    story.refused_on_record("payment-2", "new", *_SPENT)
    story.authorized("payment-3", "new", "charge-3", 3_000)
    story.captured("charge-1", 2_500)
    story.authorized("payment-4", "new", "charge-4", 500)
    story.refused_on_record("payment-5", "new", *_SPENT)
    return story


def _down() -> Story:
    story = Succession("succeed-down", "A cap is lowered below what is spent: nothing is left until enough of it is "
                       "given back, and nothing that was reserved is undone.", ["ACT-CON-06", "ACT-LED-06"])  # fmt: skip
    old = story.first("old", mandate(_FIFTY), 5_000)
    new = story.successor("new", "old", successor_of(old, {TOTAL: "20.00"}), 2_000)
    for number, minor in ((1, 3_000), (2, 1_000)):
        story.payment(f"payment-{number}", pay(old, number, minor))
        story.authorized(f"payment-{number}", "old", f"charge-{number}", minor)
    for number, minor in ((3, 1), (4, 1), (5, 1_000), (6, 1)):
        story.payment(f"payment-{number}", pay(new, number, minor))
    story.begins("new")
    story.refused_on_record("payment-3", "new", *_SPENT)
    story.captured("charge-2", 1_000)
    story.refused_on_record("payment-4", "new", *_SPENT)
    story.voided("charge-1")
    story.authorized("payment-5", "new", "charge-5", 1_000)
    story.refused_on_record("payment-6", "new", *_SPENT)
    return story


def _key() -> Story:
    story = Succession("succeed-key", "The agent's key is changed: the new one pays with what is left, and the old one "
                       "not at all.", ["ACT-LED-15", "ACT-PAY-01"])  # fmt: skip
    old = story.first("old", mandate(_FIFTY), 5_000)
    holder = {"cnf": {1: KEYS["other-agent"].public_key.cose_key}}
    new = story.successor("new", "old", successor_of(old, _FIFTY | holder), 5_000)
    story.payment("payment-1", pay(old, 1, 3_000))
    story.payment("payment-by-the-old-key", pay(new, 2, 1_000))
    story.payment("payment-2", pay(new, 2, 2_001, signer="other-agent"))
    story.payment("payment-3", pay(new, 3, 2_000, signer="other-agent"))
    story.payment("payment-4", pay(old, 4, 100))
    story.authorized("payment-1", "old", "charge-1", 3_000)
    story.refused("payment-by-the-old-key", "agent_signature_invalid", "request")
    story.registered("new")
    story.refused("payment-by-the-old-key", "agent_signature_invalid", "request")
    story.refused_on_record("payment-2", "new", *_SPENT)
    story.authorized("payment-3", "new", "charge-3", 2_000)
    story.refused_on_record("payment-4", "old", *_REPLACED)
    return story


def _holds() -> Story:
    story = Succession("succeed-holds", "What was held before is captured, voided, refunded and expires afterwards, and "
                       "each moves the successor's counters.", ["ACT-LED-06", "ACT-LED-09", "ACT-LED-10"])  # fmt: skip
    end = NOW + HOLD_SECONDS
    longer = {"exp": end + 3_600}
    old = story.first("old", mandate(_FIFTY | longer), 5_000, end=end + 3_600)
    new = story.successor("new", "old", successor_of(old, {TOTAL: "51.00"} | longer), 5_100, end=end + 3_600)
    for number, minor in ((1, 2_000), (2, 1_000), (3, 1_500), (4, 500)):
        story.payment(f"payment-{number}", pay(old, number, minor))
        story.authorized(f"payment-{number}", "old", f"charge-{number}", minor)
    story.payment("payment-5", pay(new, 5, 100))
    story.payment("payment-6", pay(new, 6, 100))
    story.part("charge-1", 500, "S-1")
    story.captured("charge-3", 1_500)
    story.begins("new")
    story.authorized("payment-5", "new", "charge-5", 100)
    story.part_again("charge-1", "S-1", "PARTIALLY_CAPTURED", NOW + 10)
    story.part("charge-1", 1_000, "S-2", NOW + 10)
    story.captured("charge-1", 400, NOW + 20)
    story.voided("charge-2", NOW + 30)
    story.refunded("charge-3", 600, "R-1", NOW + 40)
    story.capture_refused("charge-4", 501, "capture_exceeds_hold", "amount", NOW + 40)
    story.expired(["charge-4", "charge-5"], end)
    return story


def _refund_restores() -> Story:
    restores = {"act.ext.quota": {"refund_restores": True}}
    story = Succession("succeed-refund-restores", "Where both mandates say so, a refund of an old charge gives the successor "
                       "budget.", ["ACT-LED-17", "ACT-LED-10"])  # fmt: skip
    old = story.first("old", mandate(_FIFTY | restores), 5_000, refund_restores=True)
    new = story.successor("new", "old", successor_of(old, _FIFTY | restores), 5_000, refund_restores=True)
    story.payment("payment-1", pay(old, 1, 5_000))
    story.payment("payment-2", pay(new, 2, 1_501))
    story.payment("payment-3", pay(new, 3, 1_500))
    story.authorized("payment-1", "old", "charge-1", 5_000)
    story.captured("charge-1", 5_000)
    story.refunded("charge-1", 500, "R-1")
    story.registered("new")
    story.refunded("charge-1", 1_000, "R-2")
    story.refused_on_record("payment-2", "new", *_SPENT)
    story.authorized("payment-3", "new", "charge-3", 1_500)
    return story


def _twice() -> Story:
    story = Succession("succeed-twice", "Of two successors of one mandate the second is refused; it can still be "
                       "revoked, which stops it alone.", ["ACT-LED-15"])  # fmt: skip
    old = story.first("old", mandate(_FIFTY), 5_000)
    one = story.successor("one", "old", successor_of(old, _FIFTY), 5_000)
    two = story.successor("two", "old", successor_of(old, _FIFTY, "two"), 5_000)
    story.payment("payment-1", pay(old, 1, 3_000))
    story.payment("payment-2", pay(two, 2, 100))
    story.payment("payment-3", pay(one, 3, 100))
    story.authorized("payment-1", "old", "charge-1", 3_000)
    story.registered("one")
    story.register_refused("two", "credential_superseded")
    story.refused("payment-2", "credential_superseded", PLACE)
    story.revoked("two")
    story.refused_on_record("payment-2", "two", "credential_revoked", "mandate")
    story.authorized("payment-3", "one", "charge-3", 100)
    return story


def _suspended() -> Story:
    story = Succession("succeed-suspended", "What is suspended is not replaced, whoever signed the successor; once it is "
                       "resumed, it may be.", ["ACT-LED-03"])  # fmt: skip
    old = story.first("old", mandate(_FIFTY), 5_000)
    new = story.successor("new", "old", successor_of(old, _FIFTY), 5_000)
    story.payment("payment-1", pay(new, 1, 100))
    story.told("suspend", "suspend", "old", "psp", "risk_control")
    story.register_refused("new", "credential_suspended")
    story.refused("payment-1", "credential_suspended", PLACE)
    story.not_told("suspend-new", "suspend", "new", "credential_suspended", PLACE)
    story.told("resume", "resume", "old", "psp", "risk_control", NOW + 1)
    story.begins("new")
    story.authorized("payment-1", "new", "charge-1", 100, NOW + 2)
    return story


def _revoked() -> Story:
    story = Succession("succeed-revoked", "What is revoked is not replaced.", ["ACT-LED-02"])
    old = story.first("old", mandate(_FIFTY), 5_000)
    new = story.successor("new", "old", successor_of(old, _FIFTY), 5_000)
    story.payment("payment-1", pay(new, 1, 100))
    story.revoked("old")
    story.register_refused("new", "credential_revoked")
    story.refused("payment-1", "credential_revoked", PLACE)
    story.told("revoke", "revoke", "new")
    story.refused_on_record("payment-1", "new", "credential_revoked", "mandate")
    return story


def _unknown() -> Story:
    story = Succession("succeed-unknown", "A mandate that the ledger never saw is not replaced: whoever withholds the "
                       "one between would begin anew.", ["ACT-LED-16"])  # fmt: skip
    old = story.first("old", mandate(_FIFTY), 5_000)
    between = story.successor("between", "old", successor_of(old, _FIFTY), 5_000)
    last = story.successor("last", "between", successor_of(between, _FIFTY, "last"), 5_000)
    other = {"act.delegator_identity": "user:wu"}
    story.successor("other-principal", "old", successor_of(old, _FIFTY | other, "other"), 5_000)
    story.payment("payment-1", pay(old, 1, 3_000))
    story.payment("payment-2", pay(last, 2, 3_000))
    story.payment("payment-3", pay(last, 3, 2_000))
    story.authorized("payment-1", "old", "charge-1", 3_000)
    story.refused("payment-2", "predecessor_unknown", PLACE)
    story.register_refused("last", "predecessor_unknown")
    story.register_refused("other-principal", "predecessor_unknown")
    story.registered("between")
    story.begins("last")
    story.refused_on_record("payment-2", "last", *_SPENT)
    story.authorized("payment-3", "last", "charge-3", 2_000)
    story.register_refused("between", "credential_superseded", "mandate")
    return story


def _unused() -> Story:
    story = Succession("succeed-unused", "A mandate that was never used is registered first; then it can be replaced.",
                       ["ACT-LED-16", "ACT-PAY-13"])  # fmt: skip
    old = story.first("old", mandate(_FIFTY), 5_000)
    new = story.successor("new", "old", successor_of(old, _FIFTY), 5_000)
    later = {"nbf": NOW + 100, "iat": NOW}
    story.successor("not-yet", "new", successor_of(new, _FIFTY | later, "not-yet"), 5_000)
    story.payment("payment-1", pay(new, 1, 5_000))
    story.register_refused("new", "predecessor_unknown")
    story.recorded("old")
    story.recorded("old", NOW + 1)
    story.registered("new", NOW + 1)
    story.register_refused("not-yet", "credential_not_yet_valid", "mandate.validity_start_time", NOW + 2)
    story.authorized("payment-1", "new", "charge-1", 5_000, NOW + 2)
    story.registered("not-yet", NOW + 100)
    return story


def _old_used() -> Story:
    story = Succession("succeed-old-used", "The old mandate pays no more; what it was told stays told, it is stopped "
                       "already, and the ids it used stay used.", ["ACT-LED-15", "ACT-PAY-04", "ACT-LED-12"])  # fmt: skip
    old = story.first("old", mandate(_FIFTY), 5_000)
    new = story.successor("new", "old", successor_of(old, _FIFTY), 5_000)
    story.payment("payment-1", pay(old, 1, 1_000))
    story.payment("payment-2", pay(old, 2, 4_001))
    story.payment("payment-3", pay(old, 3, 100))
    story.payment("payment-same-id", pay(new, 4, 100, request_id="1"))
    story.payment("payment-5", pay(new, 5, 100))
    story.authorized("payment-1", "old", "charge-1", 1_000)
    refused = story.refused_on_record("payment-2", "old", *_SPENT)
    story.registered("new")
    story.registered_again("new", NOW + 1)
    story.repeated("payment-1", "charge-1", NOW + 1)
    story.refused_again("payment-2", refused, *_SPENT, NOW + 1)
    replaced = story.refused_on_record("payment-3", "old", *_REPLACED, NOW + 1)
    story.refused_again("payment-3", replaced, *_REPLACED, NOW + 2)
    story.refused("payment-same-id", "duplicate_request", "request.cti", NOW + 2)
    story.stopped_before("revoke-old", "old", NOW + 3)
    story.not_told("suspend-old", "suspend", "old", "transition_not_allowed", "mandate", at=NOW + 3)
    story.not_told("resume-old", "resume", "old", "transition_not_allowed", "mandate", at=NOW + 3)
    story.authorized("payment-5", "new", "charge-5", 100, NOW + 4)
    story.told("revoke-new", "revoke", "new", at=NOW + 5)
    story.register_refused("new", "credential_revoked", "mandate", NOW + 6)
    return story


def _mismatch() -> Story:
    story = Succession("succeed-mismatch", "What charges were counted in stays: the currency, and whether a refund restores.",
                       ["ACT-LED-17"])  # fmt: skip
    old = story.first("old", mandate(_FIFTY), 5_000)
    dollars = {TOTAL: "50.00", "act.currency": "USD"}
    restores = _FIFTY | {"act.ext.quota": {"refund_restores": True}}
    says_no = _FIFTY | {"act.ext.quota": {"refund_restores": False}}
    story.successor("dollars", "old", successor_of(old, dollars, "dollars"), 5_000)
    new = story.successor("restores", "old", successor_of(old, restores, "restores"), 5_000)
    story.successor("says-no", "old", successor_of(old, says_no, "says-no"), 5_000)
    story.payment("payment-1", pay(old, 1, 100))
    story.payment("payment-2", pay(new, 2, 100))
    story.authorized("payment-1", "old", "charge-1", 100)
    story.register_refused("dollars", "successor_mismatch")
    story.register_refused("restores", "successor_mismatch")
    story.refused("payment-2", "successor_mismatch", PLACE)
    story.registered("says-no")
    return story


def _expired() -> Story:
    end = NOW + HOLD_SECONDS
    story = Succession("succeed-expired", "A mandate that has ended can be replaced; holds that have ended as well "
                       "are closed first.", ["ACT-LED-15", "ACT-LED-08"])  # fmt: skip
    old = story.first("old", mandate(_FIFTY), 5_000)
    new = story.successor("new", "old", successor_of(old, _FIFTY | {"exp": end + 3_600}), 5_000, end=end + 3_600)
    for number, minor in ((1, 3_000), (2, 1_000)):
        story.payment(f"payment-{number}", pay(old, number, minor))
        story.authorized(f"payment-{number}", "old", f"charge-{number}", minor)
    story.captured("charge-2", 1_000)
    story.payment("payment-3", pay(old, 3, 100, at=MANDATE_END))
    story.payment("payment-4", pay(new, 4, 4_000, at=end + 1))
    story.refused("payment-3", "credential_expired", "mandate.validity_end_time", MANDATE_END)
    story.registered("new", end, expired=["charge-1"])
    story.authorized("payment-4", "new", "charge-4", 4_000, end + 1)
    return story


def _instructed() -> Story:
    story = Succession("succeed-instructed", "The first instruction about a successor lets it take over: whoever stops "
                       "it stops the line.", ["ACT-LED-15", "ACT-LED-03", "ACT-LED-13"])  # fmt: skip
    old = story.first("old", mandate(_FIFTY), 5_000)
    new = story.successor("new", "old", successor_of(old, _FIFTY), 5_000)
    story.payment("payment-1", pay(old, 1, 1_000))
    story.payment("payment-2", pay(old, 2, 1_000))
    story.payment("payment-3", pay(new, 3, 1_000))
    story.payment("payment-4", pay(new, 4, 4_000))
    story.authorized("payment-1", "old", "charge-1", 1_000)
    story.not_told("resume-early", "resume", "new", "transition_not_allowed", "mandate")
    story.begins("new")
    story.told("suspend", "suspend", "new")
    story.refused_on_record("payment-2", "old", *_REPLACED)
    story.refused_on_record("payment-3", "new", "credential_suspended", "mandate")
    story.told("resume", "resume", "new", at=NOW + 1)
    story.authorized("payment-4", "new", "charge-4", 4_000, NOW + 1)
    return story


def _revoked_first() -> Story:
    void = _FIFTY | {"act.ext.status": {"on_revoke": "void"}}
    story = Succession("succeed-revoke-first", "A successor that is revoked before anything else takes over first: nothing "
                       "is left to pay under, and its own word decides about older holds.",
                       ["ACT-LED-02", "ACT-LED-15"])  # fmt: skip
    old = story.first("old", mandate(_FIFTY), 5_000)
    story.successor("new", "old", successor_of(old, void), 5_000)
    story.payment("payment-1", pay(old, 1, 1_000))
    story.payment("payment-2", pay(old, 2, 1_000))
    story.authorized("payment-1", "old", "charge-1", 1_000)
    story.begins("new")
    story.revoked_with_holds("new", ["charge-1"])
    story.refused_on_record("payment-2", "old", *_REPLACED)
    story.closed_again("charge-1", NOW + 1)
    return story


def _revoked_unseen() -> Story:
    story = Succession("succeed-revoke-unseen", "A successor is revoked before the mandate that it replaces was ever seen: "
                       "that one is over as well, or its agent would go back to it.", ["ACT-LED-02", "ACT-LED-16"])  # fmt: skip
    old = mandate(_FIFTY)
    story.objects["old"] = old.hex()
    new = story.first("new", successor_of(old, _FIFTY), 5_000)
    story.successor("last", "new", successor_of(new, _FIFTY, "last"), 5_000)
    story.payment("payment-1", pay(old, 1, 100))
    story.payment("payment-2", pay(new, 2, 100))
    story.not_told("suspend-new", "suspend", "new", "predecessor_unknown", PLACE)
    story.told("revoke-new", "revoke", "new")
    sequence = story.refused_on_record("payment-1", "new", *_REPLACED)
    story.refused_again("payment-1", sequence, *_REPLACED, NOW + 1)
    story.refused_on_record("payment-2", "new", "credential_revoked", "mandate")
    story.register_refused("last", "credential_revoked")
    story.ended_with("old", "new", NOW + 2)
    return story


def _link() -> Story:
    story = Succession("succeed-link", "A link ends with its parent's identity; what it holds is captured in the successor's "
                       "limits, and a link below the successor begins at nothing.", ["ACT-LED-15", "ACT-CON-06"])  # fmt: skip
    old = story.first("old", mandate(_FIFTY | {DEPTH: 1}), 5_000)
    new = story.successor("new", "old", successor_of(old, _FIFTY | {DEPTH: 1}), 5_000)
    below = story.link("link-old", link(old, {TOTAL: "30.00"}), "old", 3_000)
    again = story.link("link-new", link(new, {TOTAL: "30.00"}), "new", 3_000)
    by_old, by_new = [old, below], [new, again]
    for number, chain, minor in ((1, by_old, 2_500), (2, by_old, 100), (3, by_new, 2_501), (4, by_new, 2_500)):
        sold = order({"sub": "agent:courier", "act.order_no": f"T-{number:04d}"} | priced(f"{minor // 100}.{minor % 100:02d}"))
        story.payment(f"payment-{number}", paid_by(chain, sold, request_id=str(number)))
    story.authorized("payment-1", "link-old", "charge-1", 2_500)
    story.registered("new")
    story.refused_on_record("payment-2", "link-old", *_REPLACED)
    story.refused_on_record("payment-3", "link-new", *_SPENT)
    story.authorized("payment-4", "link-new", "charge-4", 2_500)
    story.captured("charge-1", 2_000)
    return story


STORIES: Final = (
    _up, _down, _key, _holds, _refund_restores, _twice, _suspended, _revoked, _unknown, _unused, _old_used, _mismatch, _expired,
    _instructed, _revoked_first, _revoked_unseen, _link, *LIMIT_STORIES,
)  # fmt: skip

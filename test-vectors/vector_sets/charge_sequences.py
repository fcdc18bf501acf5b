"""Sequences of calls about what becomes of a charge: parts, refunds, and holds that end."""

from __future__ import annotations

from typing import Final

from vector_sets import world
from vector_sets.story import HOLD_SECONDS, Story
from vector_sets.world import NOW, mandate, order, paid, priced

__all__ = ["CHARGE_STORIES"]

_CAP: Final = 5_000
_FIFTY: Final = {"act.max_total_amount": "50.00"}
_TOTAL: Final = "total_limit_exceeded", "max_total_amount"


def _pay(root: bytes, number: int, minor: int, *, at: int = NOW, request_id: str | None = None) -> bytes:
    locked = {"act.order_no": f"T-{number:04d}", "iat": at - 60, "exp": at + 900}
    bought = order(locked | priced(f"{minor // 100}.{minor % 100:02d}"))
    return paid(root, bought, {"iat": at, "exp": at + 120}, request_id=request_id or str(number))


def _parts() -> Story:
    story = Story("parts",
                  "A capture under a number takes a part and leaves the rest held; the last part, or one without a "
                  "number, closes the hold.", ["ACT-LED-06", "ACT-LED-07", "ACT-LED-09"])  # fmt: skip
    root = story.mandate("mandate", mandate(_FIFTY), _CAP)
    for number, minor in ((1, 3_000), (2, 1_000)):
        story.payment(f"payment-{number}", _pay(root, number, minor))
    story.authorized("payment-1", "mandate", "charge-1", 3_000)
    story.part("charge-1", 1_000, "S-1")
    story.part("charge-1", 500, "S-2")
    story.capture_refused("charge-1", 1_501, "capture_exceeds_hold", "amount", number="S-3")
    story.capture_refused("charge-1", 900, "duplicate_capture", "amount", number="S-1")
    story.part_again("charge-1", "S-1", "PARTIALLY_CAPTURED", NOW + 10)
    story.part("charge-1", 1_500, "S-3", NOW + 20)
    story.part_again("charge-1", "S-3", "CAPTURED", NOW + 30)
    story.capture_refused("charge-1", 1, "charge_closed", "charge", number="S-4")
    story.authorized("payment-2", "mandate", "charge-2", 1_000)
    story.part("charge-2", 200, "S-1")
    story.captured("charge-2", 300)
    story.closed_again("charge-2")
    return story


def _parts_released() -> Story:
    story = Story("parts-released", "A void after a part releases the rest; the part stays, and so does the order's payment.",
                  ["ACT-LED-04", "ACT-LED-06"])  # fmt: skip
    root = story.mandate("mandate", mandate(_FIFTY), _CAP)
    story.payment("payment-1", _pay(root, 1, 4_000, request_id="1"))
    story.payment("payment-1-anew", _pay(root, 1, 4_000, request_id="1 anew"))
    story.authorized("payment-1", "mandate", "charge-1", 4_000)
    story.part("charge-1", 1_000, "S-1")
    story.voided("charge-1", NOW + 10)
    story.closed_again("charge-1", NOW + 20)
    story.capture_refused("charge-1", 3_000, "charge_closed", "charge", NOW + 20)
    story.refused("payment-1-anew", "order_already_paid", "order.act.order_no", NOW + 20)
    return story


def _refund() -> Story:
    story = Story("refund",
                  "Refunds are together at most what was captured. They give no budget back unless the mandate says so.",
                  ["ACT-LED-10", "ACT-LED-11"])  # fmt: skip
    root = story.mandate("mandate", mandate(_FIFTY), _CAP)
    exceeds = ("refund_exceeds_captured", "amount")
    story.payment("payment-1", _pay(root, 1, 4_000))
    story.payment("payment-2", _pay(root, 2, 3_000))
    story.authorized("payment-1", "mandate", "charge-1", 4_000)
    story.refund_refused("charge-1", 1, "R-1", *exceeds)
    story.captured("charge-1", 3_000)
    story.refund_refused("charge-1", 3_001, "R-1", *exceeds)
    story.refund_refused("charge-1", 1_000, "R-1", "currency_mismatch", "amount", currency="USD")
    story.refund_refused("charge-nobody-made", 1_000, "R-1", "charge_unknown", "charge")
    story.refunded("charge-1", 1_000, "R-1", NOW + 10)
    story.refunded_again("charge-1", "R-1", NOW + 20)
    story.refund_refused("charge-1", 999, "R-1", "duplicate_refund", "amount", NOW + 20)
    story.refunded("charge-1", 2_000, "R-2", NOW + 30)
    story.refund_refused("charge-1", 1, "R-3", *exceeds, NOW + 40)
    story.refused_on_record("payment-2", "mandate", *_TOTAL, NOW + 50)
    return story


def _refund_restores() -> Story:
    story = Story("refund-restores", "A mandate may say that what is refunded can be spent again, after its revocation never.",
                  ["ACT-LED-10", "ACT-LED-02"])  # fmt: skip
    root = story.mandate("mandate", mandate(_FIFTY | {"act.ext.quota": {"refund_restores": True}}), _CAP, refund_restores=True)
    for number, minor in ((1, 5_000), (2, 2_000), (3, 1)):
        story.payment(f"payment-{number}", _pay(root, number, minor))
    story.authorized("payment-1", "mandate", "charge-1", 5_000)
    story.part("charge-1", 3_000, "S-1")
    story.refunded("charge-1", 1_000, "R-1")
    story.captured("charge-1", 2_000)
    story.refunded("charge-1", 1_000, "R-2")
    story.authorized("payment-2", "mandate", "charge-2", 2_000)
    story.revoked("mandate")
    story.refunded("charge-1", 3_000, "R-3")
    story.refused_on_record("payment-3", "mandate", "credential_revoked", "mandate")
    return story


def _expiry() -> Story:
    story = Story("expiry",
                  "A hold that has ended counts no longer. The next payment closes it, or a sweep does; what was "
                  "captured in parts stays.", ["ACT-LED-06", "ACT-LED-08"])  # fmt: skip
    end = NOW + HOLD_SECONDS
    longer = _FIFTY | {"exp": end + 3_600}
    root = story.mandate("mandate", mandate(longer), _CAP, end=end + 3_600)
    other = story.mandate("mandate-other", mandate(longer | {"cti": world.uuid_of("second")}), _CAP, end=end + 3_600)
    story.payment("payment-1", _pay(root, 1, 3_000))
    story.payment("payment-2", _pay(root, 2, 2_000))
    story.payment("payment-3", _pay(root, 3, 4_000, at=end))
    story.payment("payment-other", _pay(other, 4, 1_000))
    story.authorized("payment-1", "mandate", "charge-1", 3_000)
    story.authorized("payment-2", "mandate", "charge-2", 2_000)
    story.authorized("payment-other", "mandate-other", "charge-other", 1_000)
    story.part("charge-2", 1_000, "S-1")
    story.authorized("payment-3", "mandate", "charge-3", 4_000, end, expired=["charge-1", "charge-2"])
    story.expired_again("payment-1", "charge-1", end + 1)
    story.void_refused("charge-1", "charge_closed", "charge", end + 1)
    story.expired(["charge-other"], end + 2)
    story.expired([], end + 2)
    return story


CHARGE_STORIES: Final = (_parts, _parts_released, _refund, _refund_restores, _expiry)

"""Vectors of payments whose objects are all genuine: the rules of time, and the constraints one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from act import Payment
from vector_sets import world
from vector_sets.shape import Vector, accept, intermediate, refuse
from vector_sets.world import NOW, mandate, order, paid, priced

__all__ = ["SPECIFIED", "bad", "edge", "good", "money", "quotas", "semantics", "times"]

SPECIFIED: Final = {"act.delegation_mode": "SPECIFIED"}
_PARTS: Final = ("request", "mandate", "order")


def parts_of(data: bytes) -> dict[str, Any]:
    """The three signed objects of a payment, each with its intermediate values."""
    parts = Payment.from_bytes(data)
    return {name: intermediate(part) for name, part in zip(_PARTS, (parts.request, parts.chain[0], parts.order), strict=True)}


def good(
    name: str,
    why: str,
    rules: list[str],
    data: bytes,
    *,
    at: int = NOW,
    shown: bool = False,
    parties: str = "standard",
    counted: tuple[dict[str, Any], ...] = (),
) -> Vector:
    """An accepted payment and the limits a ledger still has to debit, in minor units."""
    more = {"intermediate": parts_of(data)} if shown else {}
    limits = [{"limit": "max_total_amount", "cap": 20_000}, *counted]  # every mandate of these payments has the first
    return accept(f"payments/{name}", why, rules, input=data, parties=parties, ledger="psp-1", at=at, limits=limits, **more)


def bad(
    name: str,
    why: str,
    code: str,
    where: str,
    data: bytes,
    *,
    at: int = NOW,
    parties: str = "standard",
    ledger: str = "psp-1",
) -> Vector:
    """A refused payment."""
    return refuse(f"payments/{name}", why, code, where, input=data, parties=parties, ledger=ledger, at=at)


def edge(
    name: str, why: str, rule: str, refusal: tuple[str, str] | None, data: bytes, at: int = NOW, parties: str = "standard"
) -> Vector:
    """A payment that is accepted when no refusal is given, and refused with it otherwise."""
    if refusal is None:
        return good(name, why, [rule], data, at=at, parties=parties)
    return bad(name, why, *refusal, data, at=at, parties=parties)


def times() -> list[Vector]:
    """Every instant a rule looks at, a second before, at and after."""
    tea, shop = mandate(), order()
    vectors = []
    early = ("request_not_yet_valid", "request.iat")
    for offset in (9, 10, 11):
        data = paid(tea, shop, {"iat": NOW + offset, "exp": NOW + offset + 60})
        why = "A request may be issued 10 seconds ahead of the payment service's clock, and no more."
        vectors.append(edge(f"request-issued-plus-{offset}", why, "ACT-PAY-06", early if offset > 10 else None, data))
    late = ("request_expired", "request.exp")
    for name, offset in (("minus-1", -1), ("", 0), ("plus-1", 1)):
        data = paid(tea, shop)
        why = "At exp itself a request has expired."
        vectors.append(
            edge(f"request-end-{name}".rstrip("-"), why, "ACT-PAY-07", late if offset >= 0 else None, data, NOW + 120 + offset)
        )
    long = ("request_lifetime_too_long", "request.exp")
    for seconds in (1, 119, 120, 121):
        data = paid(tea, shop, {"exp": NOW + seconds})
        why = "A request lives at most 120 seconds: a stolen copy is soon worthless."
        vectors.append(edge(f"request-lives-{seconds}", why, "ACT-PAY-08", long if seconds > 120 else None, data))
    vectors.append(
        edge("request-lives-backwards", "A request that ends before it is issued, both still ahead.", "ACT-PAY-08", long,
              paid(tea, shop, {"iat": NOW + 10, "exp": NOW + 5}))
    )  # fmt: skip
    return vectors + _windows()


def _windows() -> list[Vector]:
    shop = order()
    vectors = []
    start, end = "mandate.validity_start_time", "mandate.validity_end_time"
    for offset in (9, 10, 11):
        data = paid(mandate({"nbf": NOW + offset}), shop)
        refusal = ("credential_not_yet_valid", start) if offset > 10 else None
        vectors.append(edge(f"mandate-starts-plus-{offset}", "The start tolerates 10 seconds.", "ACT-PAY-13", refusal, data))
    for offset in (1, 0, -1):
        data = paid(mandate({"exp": NOW + offset}), shop)
        refusal = ("credential_expired", end) if offset <= 0 else None
        name = {1: "mandate-ends-plus-1", 0: "mandate-ends", -1: "mandate-ends-minus-1"}[offset]
        vectors.append(edge(name, "The end tolerates nothing: now >= exp refuses.", "ACT-PAY-14", refusal, data))
    for offset in (9, 10, 11):
        data = paid(mandate(), order({"iat": NOW + offset}))
        refusal = ("order_not_yet_valid", "order.iat") if offset > 10 else None
        vectors.append(
            edge(f"order-issued-plus-{offset}", "An order's time tolerates 10 seconds.", "ACT-ORD-02", refusal, data)
        )
    for offset in (1, 0, -1):
        data = paid(mandate(), order({"exp": NOW + offset}))
        refusal = ("order_expired", "order.exp") if offset <= 0 else None
        name = {1: "order-ends-plus-1", 0: "order-ends", -1: "order-ends-minus-1"}[offset]
        vectors.append(edge(name, "The price lock ends at exp itself.", "ACT-ORD-03", refusal, data))
    expired = ("parties_expired", "parties")
    brief = paid(mandate(), shop, {"iat": NOW - 1, "exp": NOW + 60})
    vectors += [
        edge(
            "parties-last-second",
            "The last second of the parties file.",
            "ACT-PAR-01",
            None,
            brief,
            NOW - 1,
            parties="expiring",
        ),
        edge(
            "parties-expired",
            "A parties file that has ended decides nothing.",
            "ACT-PAR-01",
            expired,
            brief,
            parties="expiring",
        ),
    ]
    return vectors


def money() -> list[Vector]:
    """Mode, currency, amounts and payment methods."""
    commerce = "ext.commerce."
    most = {"act.ext.commerce.max_single_amount": "30.00"}
    least = {"act.ext.commerce.min_single_amount": "5.00"}

    def single(
        name: str, why: str, rule: str, changes: Mapping[str, Any], amount: str, refusal: tuple[str, str] | None
    ) -> Vector:
        return edge(name, why, rule, refusal, paid(mandate(changes), order(priced(amount))))

    dear, cheap = (
        ("single_limit_exceeded", f"{commerce}max_single_amount"),
        ("single_minimum_missed", f"{commerce}min_single_amount"),
    )
    total = ("total_limit_exceeded", "max_total_amount")
    euro = paid(mandate(), order(priced("18.00", currency="EUR")))
    method = {"act.allowed_payment_methods": ["card"]}
    return [
        edge("mode-specified-autonomous", "A SPECIFIED mandate does not let the agent decide by itself.", "ACT-CON-01",
              ("mode_mismatch", "mandate.delegation_mode"), paid(mandate(SPECIFIED), order(), {"act.scenario": "AUP"})),
        edge("mode-bounded-delegated", "A BOUNDED mandate is not carried out as SPECIFIED.", "ACT-CON-01",
              ("mode_mismatch", "mandate.delegation_mode"), paid(mandate(), order(), {"act.scenario": "DEL"})),
        edge("currency-mismatch", "18 euros under a mandate in yuan: nothing is ever converted.", "ACT-CON-02",
              ("currency_mismatch", "mandate.currency"), euro),
        single("single-29.99", "Below one payment's most.", "ACT-CON-03", most, "29.99", None),
        single("single-30.00", "Exactly one payment's most.", "ACT-CON-03", most, "30.00", None),
        single("single-30.01", "A fen above one payment's most.", "ACT-CON-03", most, "30.01", dear),
        single("least-4.99", "A fen below one payment's least.", "ACT-CON-04", least, "4.99", cheap),
        single("least-5.00", "Exactly one payment's least.", "ACT-CON-04", least, "5.00", None),
        single("total-200.00", "Exactly the total, in one payment.", "ACT-CON-06", {}, "200.00", None),
        single("total-200.01", "A fen above the total: no ledger is needed to refuse it.", "ACT-CON-06", {}, "200.01", total),
        edge("method-allowed", "One of the allowed payment methods.", "ACT-CON-05", None,
              paid(mandate(method), order(), {"act.payment_method": "card"})),
        edge("method-other", "A payment method the mandate does not list.", "ACT-CON-05",
              ("payment_method_not_allowed", "allowed_payment_methods"), paid(mandate(method), order())),
    ]  # fmt: skip


def semantics() -> list[Vector]:
    """Payees and categories."""
    commerce = "ext.commerce."

    def bound(name: str, value: list[str], payee: str = "teashop", category: str = "tea") -> bytes:
        shop = order({"iss": world.HOMOGLYPH if payee == "homoglyph" else f"{payee}.example"} | priced("18.00",
        category=category),
                     signer=payee)  # fmt: skip
        return paid(mandate({f"act.{commerce}{name}": value}), shop)

    allowed, forbidden = f"{commerce}allowed_merchants", f"{commerce}forbidden_merchants"
    only, never = f"{commerce}allowed_categories", f"{commerce}forbidden_categories"
    return [
        edge("payee-allowed", "A shop of the list.", "ACT-CON-07", None, bound("allowed_merchants", ["teashop.example"])),
        edge("payee-not-allowed", "A shop that is not on the list.", "ACT-CON-07", ("payee_not_allowed", allowed),
              bound("allowed_merchants", ["cha.example"])),
        edge("payee-looks-allowed", "Another shop whose name looks like the allowed one's.", "ACT-CON-07",
              ("payee_not_allowed", allowed), bound("allowed_merchants", ["teashop.example"], "homoglyph")),
        edge("payee-no-pattern", "Entries are literal: a star is a star.", "ACT-CON-07", ("payee_not_allowed", allowed),
              bound("allowed_merchants", ["*", "*.example", "teashop"])),
        edge("payee-not-forbidden", "A shop that is not on the list of forbidden ones.", "ACT-CON-08", None,
              bound("forbidden_merchants", ["gifts.example"])),
        edge("payee-forbidden", "A forbidden shop.", "ACT-CON-08", ("payee_forbidden", forbidden),
              bound("forbidden_merchants", ["teashop.example"])),
        edge("category-allowed", "The shop sells tea, and the order says tea.", "ACT-CON-09", None,
              bound("allowed_categories", ["tea"])),
        edge("category-label-wider", "The shop sells tea, but the order says gift-card: a label narrows.", "ACT-CON-09",
              ("category_not_allowed", only), bound("allowed_categories", ["tea"], category="gift-card")),
        edge("category-record-wider", "The order says tea, but the shop is known to sell gift cards as well.", "ACT-CON-09",
              ("category_not_allowed", only), bound("allowed_categories", ["tea"], "corner")),
        edge("category-record-empty", "The order says tea, but nobody knows what the shop sells.", "ACT-CON-09",
              ("category_not_allowed", only), bound("allowed_categories", ["tea"], "bare")),
        edge("category-not-forbidden", "Neither the shop nor the order is about gift cards.", "ACT-CON-10", None,
              bound("forbidden_categories", ["gift-card"])),
        edge("category-forbidden-label", "The order says gift-card.", "ACT-CON-10", ("category_forbidden", never),
              bound("forbidden_categories", ["gift-card"], category="gift-card")),
        edge("category-forbidden-record", "The shop sells gift cards and labels one as tea.", "ACT-CON-10",
              ("category_forbidden", never), bound("forbidden_categories", ["gift-card"], "gifts")),
        edge("category-forbidden-unknown", "Nobody knows whether the shop sells gift cards.", "ACT-CON-10",
              ("category_forbidden", never), bound("forbidden_categories", ["gift-card"], "bare")),
    ]  # fmt: skip


def quotas() -> list[Vector]:
    """Counts, periods and schedules, as far as they need no memory. NOW is Friday, 6 February 2026, 17:00 in Shanghai."""
    path = "ext.quota.periods.0"
    month = {"period_unit": "MONTH", "period_count": 1, "time_zone": "Asia/Shanghai", "anchor": "2026-01-31"}
    spent_name = f"{path}.max_amount@2026-01-31"
    spent: dict[str, Any] = {"limit": spent_name, "cap": 3_000}
    above = ("period_amount_exceeded", spent_name)

    def under(changes: Mapping[str, Any], amount: str = "18.00") -> bytes:
        return paid(mandate({f"act.ext.{name}": value for name, value in changes.items()}), order(priced(amount)))

    def at_hours(*hours: str) -> bytes:
        return under({"schedule": {"time_zone": "Asia/Shanghai", "weekdays": ["FRI"], "hours": list(hours)}})

    outside = ("outside_schedule", "ext.schedule")
    capped = {"quota": {"periods": [month | {"max_amount": "30.00"}]}}
    slides = {"quota": {"periods": [{"sliding_seconds": 86_400, "max_amount": "30.00"}]}}
    many = {
        "quota": {"times_limit": 3, "refund_restores": True, "periods": [month | {"max_amount": "30.00", "period_times": 2}]}
    }
    counts = (
        {"limit": "ext.quota.times_limit", "cap": 3, "unit": "TIMES"},
        spent,
        {"limit": f"{path}.period_times@2026-01-31", "cap": 2, "unit": "TIMES"},
    )
    thursday = {"schedule": {"time_zone": "Asia/Shanghai", "weekdays": ["THU"]}}
    return [
        good("quota", "A count, a period's amount and its count: the ledger debits all of them.",
             ["ACT-CON-14", "ACT-CON-16", "ACT-CON-17", "ACT-CON-18"], under(many), counted=counts),
        good("period-30.00", "Exactly what a period holds.", ["ACT-CON-17"], under(capped, "30.00"), counted=(spent,)),
        bad("period-30.01", "A fen above a whole period: no ledger is needed to refuse it.", *above, under(capped, "30.01")),
        good("sliding-30.00", "Exactly what any day holds.", ["ACT-CON-17"], under(slides, "30.00"),
             counted=({"limit": f"{path}.max_amount~86400", "cap": 3_000},)),
        bad("sliding-30.01", "A fen above it.", "period_amount_exceeded", f"{path}.max_amount~86400", under(slides, "30.01")),
        good("schedule", "The first minute of a stretch.", ["ACT-CON-25"], at_hours("09:00-12:00", "17:00-17:01")),
        bad("schedule-ends", "A stretch does not include its end.", *outside, at_hours("09:00-17:00")),
        bad("schedule-later", "A minute too early.", *outside, at_hours("17:01-24:00")),
        bad("schedule-day", "The right time on the wrong day.", *outside, under(thursday)),
    ]  # fmt: skip

"""Each constraint of a root, one step to either side: what a link may say of it, and the least that is too much."""

from __future__ import annotations

from typing import Any, Final

from vector_sets.linked import DEPTH
from vector_sets.world import HOMOGLYPH, MANDATE_CLAIMS, MANDATE_END

__all__ = ["STEPS"]

_START: Final = MANDATE_CLAIMS["nbf"]
_COMMERCE: Final = "act.ext.commerce"
_WIDER: Final = "link_widens", "ACT-CHN-07"
_PAYEE: Final = "link_payee_added", "ACT-CHN-08"
_WINDOW: Final = "link_outlives_parent", "ACT-CHN-06"

STEPS: Final[tuple[tuple[str, str, Any, Any, Any, str, str, str], ...]] = (
    ("total", "act.max_total_amount", "200.00", "199.99", "200.01", *_WIDER, "The total: at most the parent's."),
    ("single", f"{_COMMERCE}.max_single_amount", "30.00", "29.99", "30.01", *_WIDER,
     "The most of one payment: at most the parent's."),
    ("least", f"{_COMMERCE}.min_single_amount", "5.00", "5.01", "4.99", *_WIDER,
     "The least of one payment: at least the parent's."),
    ("methods", "act.allowed_payment_methods", ["card", "balance"], ["balance"], ["balance", "card", "credit"], *_WIDER,
     "Payment methods: none that the parent does not list."),
    ("merchants", f"{_COMMERCE}.allowed_merchants", ["cha.example", "teashop.example"], ["cha.example"],
     ["teashop.example", "cha.example", "corner.example"], *_PAYEE, "Payees: none that the parent does not list."),
    ("merchants-alike", f"{_COMMERCE}.allowed_merchants", None, None, [HOMOGLYPH], *_PAYEE,
     "A payee that looks like one the parent lists is another one."),
    ("merchants-forbidden", f"{_COMMERCE}.forbidden_merchants", ["bare.example", "gifts.example"],
     ["bare.example", "gifts.example", "corner.example"], ["gifts.example"], *_WIDER,
     "Forbidden payees: all that the parent forbids."),
    ("categories", f"{_COMMERCE}.allowed_categories", ["coffee", "tea"], ["tea"], ["tea", "coffee", "cake"], *_WIDER,
     "Categories: none that the parent does not list."),
    ("categories-forbidden", f"{_COMMERCE}.forbidden_categories", ["lottery", "gift-card"],
     ["lottery", "gift-card", "tobacco"], ["gift-card"], *_WIDER, "Forbidden categories: all that the parent forbids."),
    ("mode", "act.delegation_mode", "BOUNDED", None, "SPECIFIED", *_WIDER,
     "One payment has one scenario, so the mode is the parent's."),
    ("currency", "act.currency", "CNY", None, "USD", *_WIDER, "Nothing is converted, so the currency is the parent's."),
    ("depth", DEPTH, None, 1, 2, *_WIDER, "How many links may follow: at least one fewer than below the parent."),
    ("end", "exp", MANDATE_END, MANDATE_END - 1, MANDATE_END + 1, *_WINDOW, "A link ends with its parent or before it."),
    ("start", "nbf", _START, _START + 1, _START - 1, *_WINDOW, "A link starts with its parent or after it."),
)  # fmt: skip
"""Name, path, the parent's own value (in another order, if it is a list), one step narrower, one step wider, code, rule, why.
None where there is no such value."""

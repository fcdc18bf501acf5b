"""Constraints on what is bought: the items a principal named, how many of them, and at which price.

Entries are conjunctive: every entry that matches an item judges it, so that overlapping entries only narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Final, Self

from act.delegation.constraints.base import Enforcer, Language, widened
from act.delegation.limits import Limit
from act.delegation.purchase import Purchase, PurchasedItem
from act.envelope.claims import Fields, read_fields, read_name, read_raw, read_text
from act.errors import Refused
from act.money import Amount
from act.values import immutable

__all__ = ["MAX_ENTRIES", "MAX_ENTRY_QUANTITY", "ItemEntry", "Items", "covers_prices", "match_items", "require_price"]

MAX_ENTRIES: Final = 64
"""Entries of one mandate's `ext.items`: each is compared with each of an order's lines."""

MAX_ENTRY_QUANTITY: Final = 1_000_000
"""As many as one line of an order may have."""


def _read_quantity(value: object) -> int:
    if type(value) is not int or not 0 < value <= MAX_ENTRY_QUANTITY:
        raise Refused("claim_invalid", expected=f"a whole number from 1 to {MAX_ENTRY_QUANTITY}")
    return value


_SELECTORS: Final = ("sku", "category", "name")
_AMOUNTS: Final = ("max_unit_amount", "confirmed_unit_amount")
_ENTRY: Final = Fields(
    {},
    {"sku": read_text, "category": read_text, "name": read_name, "max_quantity": _read_quantity}
    | dict.fromkeys(_AMOUNTS, read_raw),
)


@immutable
class ItemEntry:
    """One entry of `ext.items`: at least one of `sku`, `category` and `name`, and what holds for the items it matches.

    `category` is the payee's own label. `max_quantity` is what one payment may hold of them together; `max_unit_amount` is the
    most that one may cost, `confirmed_unit_amount` the price the principal confirmed.
    """

    sku: str | None = None
    category: str | None = None
    name: str | None = None
    max_quantity: int | None = None
    max_unit_amount: Amount | None = None
    confirmed_unit_amount: Amount | None = None

    @classmethod
    def read(cls, value: Any, currency: str) -> Self:
        """From a map of its fields; raises `Refused` with the place inside the entry."""
        fields = read_fields(_ENTRY, value, "")
        if fields.keys().isdisjoint(_SELECTORS):
            raise Refused("claim_missing", "sku", reason="an entry names a sku, a category or a name")
        for name in _AMOUNTS:
            if name in fields:
                fields[name] = Amount.parse(fields[name], currency, name)
        get = fields.get
        return cls(get("sku"), get("category"), get("name"), get("max_quantity"), *map(get, _AMOUNTS))

    def encode(self) -> dict[str, Any]:
        """The map that `read` takes back."""
        fields: dict[str, Any] = {name: getattr(self, name) for name in (*_SELECTORS, "max_quantity")}
        fields |= {name: amount.text for name in _AMOUNTS if (amount := getattr(self, name)) is not None}
        return {name: value for name, value in fields.items() if value is not None}

    def matches(self, item: PurchasedItem) -> bool:
        """Whether everything the entry states about which item it means is so, byte for byte."""
        return (
            (self.sku is None or self.sku == item.sku)
            and (self.category is None or self.category == item.category)
            and (self.name is None or self.name == item.name)
        )

    def lies_within(self, other: ItemEntry) -> bool:
        """Whether `other` matches every item that this entry matches: it states nothing that this one does not."""
        return all(getattr(other, name) is None or getattr(other, name) == getattr(self, name) for name in _SELECTORS)

    def may_meet(self, other: ItemEntry) -> bool:
        """Whether some item could match both: they state no two different values."""
        stated = [(getattr(self, name), getattr(other, name)) for name in _SELECTORS]
        return all(mine is None or theirs is None or mine == theirs for mine, theirs in stated)


@immutable
class Items:
    """`ext.items`: every item of the order is one of these, in the quantity and at the price that they allow.

    `max_quantity` counts what one payment holds; a later payment may hold as many again.
    """

    path: ClassVar[str] = "ext.items"
    rule: ClassVar[str] = "ACT-CON-19"
    enforced_by: ClassVar[Enforcer] = Enforcer.VERIFIER
    entries: tuple[ItemEntry, ...]

    @classmethod
    def read(cls, value: Any, currency: str) -> Self:
        """From a list of 1 to `MAX_ENTRIES` maps; raises `Refused` with the place inside the list."""
        if type(value) is not list or not 0 < len(value) <= MAX_ENTRIES:
            raise Refused("claim_invalid", expected=f"a list of 1 to {MAX_ENTRIES} entries")
        return cls(tuple([_read_entry(each, currency, place) for place, each in enumerate(value)]))

    def encode(self) -> Any:
        """The list."""
        return [entry.encode() for entry in self.entries]

    def permits(self, purchase: Purchase) -> None:
        """Rules ACT-CON-19 to -21, in this order. A purchase that shows no items has none that is named."""
        if not purchase.items:
            raise Refused("item_not_allowed", self.path, items=0)
        matched = match_items(self.entries, purchase)
        for place, entry in enumerate(self.entries):
            if entry.max_quantity is not None:
                asked = sum([item.quantity for item in matched[place]])
                if asked > entry.max_quantity:
                    raise Refused("item_quantity_exceeded", self.path, entry=place, most=entry.max_quantity, asked=asked)
        for place, entry in enumerate(self.entries):
            most = entry.max_unit_amount
            if most is not None:
                require_price(entry, place, most.minor, matched[place], "item_price_exceeded", self.path)

    def limits(self, at: int) -> tuple[Limit, ...]:
        """Nothing to count: a quantity is one payment's."""
        return ()

    def narrows(self, parent: Self) -> None:
        """Every entry lies within one of the parent's, and what each of the parent's caps holds for is capped as low here: by
        one entry that covers it, or by all that could match the same items (quantities by their sum)."""
        if self == parent:
            return
        for place, entry in enumerate(self.entries):
            if not any(entry.lies_within(each) for each in parent.entries):
                raise widened(self, entry=place)
        for place, each in enumerate(parent.entries):
            if each.max_quantity is not None and not _covers_quantity(self.entries, each, each.max_quantity):
                raise widened(self, parent_entry=place, parent_quantity=each.max_quantity)
            if each.max_unit_amount is not None and not covers_prices(self.entries, each, each.max_unit_amount, _unit_cap):
                raise widened(self, parent_entry=place, parent_amount=str(each.max_unit_amount))

    def describe(self, language: Language = "en") -> str:
        """The items, and what holds for each."""
        if language == "zh":
            return "商品仅限:" + ";".join(describe_entry(entry, language) for entry in self.entries)
        return "only these items: " + "; ".join(describe_entry(entry, language) for entry in self.entries)


def _read_entry(value: Any, currency: str, place: int) -> ItemEntry:
    try:
        return ItemEntry.read(value, currency)
    except Refused as refusal:
        raise refusal.within(str(place)) from None


def match_items(entries: Sequence[ItemEntry], purchase: Purchase) -> list[list[PurchasedItem]]:
    """For each entry the items that it matches. Rule ACT-CON-19: every item is matched by one; raises `Refused` otherwise."""
    matched: list[list[PurchasedItem]] = [[] for _ in entries]
    for place, item in enumerate(purchase.items):
        is_named = False
        for index, entry in enumerate(entries):
            if entry.matches(item):
                matched[index].append(item)
                is_named = True
        if not is_named:
            raise Refused("item_not_allowed", Items.path, item=place, sku=item.sku)
    return matched


def require_price(
    entry: ItemEntry, place: int, most_minor: int, matched: Iterable[PurchasedItem], code: str, path: str
) -> None:
    """Returns if no item that the entry matches costs more; raises `Refused` with this code otherwise, or currency_mismatch."""
    for item in matched:
        asked = item.unit_amount
        for stated in (entry.max_unit_amount, entry.confirmed_unit_amount):
            if stated is not None and asked.currency != stated.currency:  # nothing is ever converted (ACT-CON-02)
                raise Refused("currency_mismatch", "mandate.currency", mandate=stated.currency, payment=asked.currency)
        if asked.minor > most_minor:
            raise Refused(code, path, entry=place, most_minor=most_minor, asked_minor=asked.minor)


def _unit_cap(entry: ItemEntry) -> Amount | None:
    return entry.max_unit_amount


def _covers_quantity(entries: Sequence[ItemEntry], parent: ItemEntry, most: int) -> bool:
    if any(parent.lies_within(entry) and entry.max_quantity is not None and entry.max_quantity <= most for entry in entries):
        return True
    total = 0
    for entry in entries:
        if entry.may_meet(parent):
            if entry.max_quantity is None:
                return False
            total += entry.max_quantity
    return total <= most


def covers_prices(
    entries: Sequence[ItemEntry], parent: ItemEntry, most: Amount, cap: Callable[[ItemEntry], Amount | None]
) -> bool:
    """Whether entries, each with the price it lets an item cost at most, leave no item of `parent` dearer than `most`.

    It rests on every item being matched by one of the entries at least.
    """

    def is_low(entry: ItemEntry) -> bool:
        price = cap(entry)
        return price is not None and price.currency == most.currency and price.minor <= most.minor

    if any(parent.lies_within(entry) and is_low(entry) for entry in entries):
        return True
    return all(is_low(entry) for entry in entries if entry.may_meet(parent))


_WORDS: Final = {
    "en": {"sku": "item {}", "category": "labelled {}", "name": "named {}", "quantity": "at most {} in one payment",
           "most": "at most {} each", "confirmed": "confirmed at {} each", "between": ", "},
    "zh": {"sku": "商品编号 {}", "category": "标为 {}", "name": "名为 {}", "quantity": "单笔最多 {} 件",
           "most": "单价不超过 {}", "confirmed": "确认单价 {}", "between": ","},
}  # fmt: skip


def describe_entry(entry: ItemEntry, language: Language) -> str:
    """One entry in plain words."""
    words = _WORDS[language]
    stated = (
        ("sku", entry.sku), ("category", entry.category), ("name", entry.name), ("quantity", entry.max_quantity),
        ("most", entry.max_unit_amount), ("confirmed", entry.confirmed_unit_amount),
    )  # fmt: skip
    return words["between"].join(words[word].format(value) for word, value in stated if value is not None)

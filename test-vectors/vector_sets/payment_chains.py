"""Vectors of payments by sub-agents: the last agent of a chain pays, and every credential of the chain judges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vector_sets import world
from vector_sets.jose import converted
from vector_sets.linked import DEPTH, chain_of, chain_request, limit_of, link, paid_by, plain_root, root_mandate
from vector_sets.payment_rules import bad
from vector_sets.shape import Vector, accept, chain_intermediate, intermediate
from vector_sets.world import NOW, order, payment, priced

__all__ = ["chains"]

_TOTAL = "act.max_total_amount"
_COMMERCE = "act.ext.commerce"


def _sold(agent: str = "courier", **changes: Any) -> bytes:
    return order({"sub": f"agent:{agent}", **changes})


def _good(
    name: str, why: str, rules: list[str], chain: Sequence[bytes], *caps: tuple[bytes, int], agent: str = "courier"
) -> Vector:
    """A payment that is accepted, shown in full, and what a ledger still has to debit: of every credential with a total."""
    sold = _sold(agent)
    request = chain_request(chain, sold)
    data = payment(request, chain[0], sold, *chain[1:])
    limits = [{"limit": "max_total_amount", "cap": 20_000}, *({"limit": limit_of(each), "cap": cap} for each, cap in caps)]
    shown = {"request": intermediate(request), "order": intermediate(sold)} | chain_intermediate(chain) if caps else None
    more = {} if shown is None else {"intermediate": shown}
    return accept(f"payments/{name}", why, rules, input=data, parties="standard", ledger="psp-1", at=NOW, limits=limits, **more)


def _accepted() -> list[Vector]:
    root = root_mandate()
    one = [root, link(root)]
    first = link(root, {_TOTAL: "50.00", DEPTH: 1})
    second = link(first, {_TOTAL: "18.00"}, agent="courier-2")
    return [
        _good("chain-one", "A sub-agent pays with all that its parent has.", ["ACT-PAY-15", "ACT-CHN-04", "ACT-PAY-09"], one),
        _good("chain-two", "Three totals are debited: the mandate's and each link's own.", ["ACT-CHN-03", "ACT-CON-06"],
              [root, first, second], (first, 5_000), (second, 1_800), agent="courier-2"),
        _good("chain-eight", "The longest chain.", ["ACT-CHN-03", "ACT-CHN-05"], chain_of(8), agent="courier-8"),
    ]  # fmt: skip


def _bound() -> list[Vector]:
    root = plain_root()
    chain = [root, link(root)]
    first = link(root, {DEPTH: 1})
    longer = [root, first, link(first, agent="courier-2")]
    sold, not_the_agent = _sold(), "agent_signature_invalid"
    agent = {"iss": "agent:tea-runner"}
    return [
        bad("chain-mandate-twice", "A second mandate is no link.", "kind_unexpected", "link",
            payment(world.request(root, order()), root, order(), root)),
        bad("chain-request-names-root", "The request names the mandate instead of the link that is used.",
            "credential_mismatch", "request.act.credential", paid_by(chain, sold, {"act.credential": world.identity(root)})),
        bad("chain-request-names-root-delegation", "The request names the mandate's delegation instead of the link's.",
            "credential_mismatch", "request.act.delegation_id",
            paid_by(chain, sold, {"act.delegation_id": world.uuid_of("mandate")})),
        bad("chain-parent-signs", "The parent's agent pays with its sub-agent's link: the key of the last link signs.",
            not_the_agent, "request", paid_by(chain, sold, signer="agent")),
        bad("chain-parent-named", "The sub-agent signs under its parent's name.", "agent_mismatch", "request.iss",
            paid_by(chain, sold, agent)),
        bad("chain-order-for-parent", "The order was offered to the parent's agent.", "agent_mismatch", "order.sub",
            paid_by(chain, order())),
        bad("chain-order-for-other-principal", "The order was offered to another principal.", "principal_mismatch",
            "order.act.delegator_identity", paid_by(chain, _sold(**{"act.delegator_identity": "user:mei"}))),
        bad("chain-shortened", "The link is left away, with the bounds it stated.", not_the_agent, "request",
            payment(chain_request(chain, sold), root, sold)),
        bad("chain-lengthened", "A request under one link, presented with a second.", not_the_agent, "request",
            payment(chain_request(longer[:2], sold), root, sold, *longer[1:])),
        bad("chain-link-other", "A request under one link, presented with a later one for the same agent.",
            "credential_mismatch", "request.act.credential",
            payment(chain_request(chain, sold), root, sold, link(root, {"iat": NOW - 899}))),
        bad("chain-not-allowed", "A genuine link below a mandate that allows none.", "delegation_not_allowed",
            "link.1.ext.delegation.max_depth", paid_by([world.mandate(), link(world.mandate())], sold)),
        bad("chain-self-made", "A sub-agent writes its own link.", "link_signature_invalid", "link.1",
            paid_by([root, link(root, signer="courier")], sold)),
        bad("chain-spliced", "A link cut out of another mandate's chain.", "link_parent_mismatch", "link.1.act.parent",
            paid_by([plain_root({"cti": world.uuid_of("second")}), chain[1]], sold)),
        bad("chain-wider", "A link with a larger total than its mandate's.", "link_widens", "link.1.max_total_amount",
            paid_by([root, link(root, {_TOTAL: "200.01"})], sold)),
        bad("chain-mixed", "A link in JOSE below a mandate in COSE.", "envelope_mixed", "link.1",
            payment(chain_request(chain, sold), root, sold, converted(chain[1], {}))),
        bad("chain-behaviour", "A link that orders the agent to give up where the mandate says nothing.",
            "link_behaviour_changed", "link.1.ext.agent_behavior.on_payment_failure",
            paid_by([root, link(root, {"act.ext.agent_behavior.on_payment_failure": "CANCEL"})], sold)),
    ]  # fmt: skip


def _judged() -> list[Vector]:
    root = root_mandate()
    sold = _sold()

    def under(changes: dict[str, Any], sold: bytes = sold, request: dict[str, Any] | None = None) -> bytes:
        return paid_by([root, link(root, changes)], sold, request)

    return [
        bad("chain-link-single", "One payment above what the link allows, and below what the mandate does.",
            "single_limit_exceeded", "link.1.ext.commerce.max_single_amount",
            under({f"{_COMMERCE}.max_single_amount": "17.99"})),
        bad("chain-link-least", "One payment below what the link asks for.", "single_minimum_missed",
            "link.1.ext.commerce.min_single_amount", under({f"{_COMMERCE}.min_single_amount": "18.01"})),
        bad("chain-link-total", "More than the link's whole total.", "total_limit_exceeded", "link.1.max_total_amount",
            under({_TOTAL: "17.99"})),
        bad("chain-link-method", "A payment method that only the mandate allows.", "payment_method_not_allowed",
            "link.1.allowed_payment_methods", under({"act.allowed_payment_methods": ["card"]})),
        bad("chain-link-payee", "A payee that only the mandate allows.", "payee_not_allowed",
            "link.1.ext.commerce.allowed_merchants", under({f"{_COMMERCE}.allowed_merchants": ["cha.example"]})),
        bad("chain-link-payee-forbidden", "A payee that the link forbids.", "payee_forbidden",
            "link.1.ext.commerce.forbidden_merchants",
            under({f"{_COMMERCE}.forbidden_merchants": ["gifts.example", "bare.example", "teashop.example"]})),
        bad("chain-link-category", "A category that only the mandate allows.", "category_not_allowed",
            "link.1.ext.commerce.allowed_categories", under({f"{_COMMERCE}.allowed_categories": ["coffee"]})),
        bad("chain-link-ended", "The link ends in this second, the mandate later.", "credential_expired",
            "link.1.validity_end_time", under({"exp": NOW})),
        bad("chain-inherited-single", "What the link leaves out is inherited.", "single_limit_exceeded",
            "ext.commerce.max_single_amount", under({}, _sold(**priced("30.01")))),
        bad("chain-inherited-mode", "The scenario is that of the mandate.", "mode_mismatch", "mandate.delegation_mode",
            under({}, request={"act.scenario": "DEL"})),
        bad("chain-middle-single", "What a link in the middle narrowed binds the last agent.", "single_limit_exceeded",
            "link.1.ext.commerce.max_single_amount", _below_narrow(root)),
    ]  # fmt: skip


def _judged_further() -> list[Vector]:
    """Bounds that only the link states, each one step beyond, below a mandate that states none of them."""
    root, sold = plain_root(), _sold()
    tea = {"sku": "milk-tea-large"}
    cases: tuple[tuple[str, str, str, str, dict[str, Any]], ...] = (
        ("item", "An item that the link does not name.", "item_not_allowed", "ext.items", {"items": [{"sku": "straw"}]}),
        ("price", "A fen above the link's price.", "item_price_exceeded", "ext.items",
         {"items": [tea | {"max_unit_amount": "17.99"}]}),
        ("tolerance", "A fen above the price that the link says was confirmed, without a tolerance.",
         "price_deviation_exceeded", "ext.agent_behavior.price_deviation_tolerance",
         {"items": [tea | {"confirmed_unit_amount": "17.99"}]}),
        ("delivery", "An order that promises no time.", "delivery_time_missed", "ext.fulfillment.delivery_time_requirement",
         {"fulfillment": {"delivery_time_requirement": "PT30M"}}),
        ("address", "An order that names no address.", "delivery_address_mismatch", "ext.fulfillment.delivery_address",
         {"fulfillment": {"delivery_address": bytes(32)}}),
        ("schedule", "The minute in which the link's hours end.", "outside_schedule", "ext.schedule",
         {"schedule": {"time_zone": "Asia/Shanghai", "hours": ["09:00-17:00"]}}),
        ("step-up", "A fen above what the link lets pass unconfirmed.", "confirmation_required", "ext.step_up.above_amount",
         {"step_up": {"above_amount": "17.99"}}),
        ("period", "A fen above what a whole day of the link holds.", "period_amount_exceeded",
         "ext.quota.periods.0.max_amount~86400", {"quota": {"periods": [{"sliding_seconds": 86_400, "max_amount": "17.99"}]}}),
    )  # fmt: skip
    return [
        bad(f"chain-link-{name}", why, code, f"link.1.{where}",
            paid_by([root, link(root, {f"act.ext.{block}": value for block, value in ext.items()})], sold))
        for name, why, code, where, ext in cases
    ]  # fmt: skip


def _below_narrow(root: bytes) -> bytes:
    first = link(root, {DEPTH: 1, f"{_COMMERCE}.max_single_amount": "17.99"})
    return paid_by([root, first, link(first, agent="courier-2")], _sold("courier-2"))


def chains() -> list[Vector]:
    """Payments under links, accepted and refused."""
    return [*_accepted(), *_bound(), *_judged(), *_judged_further()]

"""One meaning in two envelopes: what is sealed in both opens to equal values and is decided alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import pytest
from hypothesis import Phase, assume, find, given, settings
from hypothesis import strategies as st

import act
from act.calendar import LATEST_INSTANT
from act.commerce.cart import open_order
from act.delegation.constraints import Constraint
from act.delegation.constraints.amounts import MaxTotalAmount
from act.delegation.constraints.quota import Periods
from act.delegation.credential import open_credential
from act.delegation.lifecycle import Causer, LifecycleAction, MandateState
from act.delegation.limits import Unit
from act.delegation.link import link_claims, open_link
from act.delegation.mandate import MandateKey
from act.delegation.purchase import Purchase
from act.envelope.kinds import INSTRUCTION, LINK
from act.envelope.objects import Format, open_object, seal
from act.errors import CODES, Refused
from act.parties import Role
from act.payment.charge import ChargeAction
from act.payment.instruction import ChargeTerms, CredentialName, Instruction, instruction_claims, open_instruction
from act.payment.ledger import CounterChange, Entry, EntryKind
from act.payment.receipt import open_receipt, receipt_maker
from act.payment.request import open_request
from tests.support.chains import Drawn, chain, purchase_of
from tests.support.choices import WAYS, Choices, Way, built, promised
from tests.support.purchases import refusing
from tests.support.strategies import ENVELOPES, MAX_EXACT, amount, currency_of, mandate, order, signer_of, uuid_of
from tests.support.world import NOW_SECONDS, OTHER_AGENT, PRINCIPAL, PSP, World, enrolled, key, moment

COSE, JOSE = ENVELOPES
mandates = built(mandate, MAX_EXACT)
signers = built(signer_of)


def _ends(mandate: act.Mandate) -> tuple[int, int]:
    window: Any = mandate.constraints[0]
    return window.start, window.end


@promised
@given(mandates, signers, signers)
def test_mandates_open_to_equal_values(mandate: act.Mandate, signer: act.KeyPair, holder: act.KeyPair) -> None:
    at = moment(_ends(mandate)[0])
    cose = act.mint(mandate, signer=signer, holder=holder.public_key, at=at, format=COSE)
    jose = act.mint(mandate, signer=signer, holder=holder.public_key, at=at, format=JOSE)
    opened = open_credential(jose)
    assert opened.content == open_credential(cose).content
    assert opened.content.mandate == mandate
    assert act.mint(mandate, signer=signer, holder=holder.public_key, at=at, format=JOSE) == jose
    opened.opened.check_signature(signer.public_key, "credential_signature_invalid")


@promised
@given(built(order), signers)
def test_orders_open_to_equal_values(order: act.Order, signer: act.KeyPair) -> None:
    at = moment(order.expires_at - 1)
    cose, jose = (act.sign_order(order, signer=signer, at=at, format=each) for each in (COSE, JOSE))
    assert open_order(jose).order == open_order(cose).order == order
    assert open_object(jose).format is Format.JOSE


def request_terms(choices: Choices) -> dict[str, Any]:
    """What an agent may say of a payment beside what it pays."""
    return {"audience": choices.name(), "lifetime_seconds": choices.whole(0, 120), "request_id": choices.raw(16)}


@promised
@given(mandates, built(order), signers, built(request_terms))
def test_requests_open_to_equal_values(
    mandate: act.Mandate, order: act.Order, signer: act.KeyPair, terms: dict[str, Any]
) -> None:
    """Under one mandate for one order: only the request's own envelope differs."""
    iac = act.mint(mandate, signer=signer, holder=signer.public_key, at=moment(_ends(mandate)[0]), format=JOSE)
    signed_order = act.sign_order(order, signer=signer, at=moment(order.expires_at - 1))
    terms |= {"chain": [iac], "signer": signer, "at": moment(LATEST_INSTANT - 120)}
    cose, jose = (act.sign_payment(signed_order, format=each, **terms) for each in (COSE, JOSE))
    assert open_request(jose.request).request == open_request(cose.request).request
    assert act.Payment.from_bytes(jose.to_bytes()) == jose
    assert act.sign_payment(signed_order, **terms) == jose  # without a format: the chain's


# --- links and receipts ---------------------------------------------------------------------------------------------------


def _is_countable(every: Sequence[Constraint]) -> bool:
    """Whether a receipt in JOSE can write every counter of these constraints: what a link adds is drawn without that bound."""
    totals = [each.amount.minor for each in every if isinstance(each, MaxTotalAmount)]
    caps = [quota.max_amount for each in every if isinstance(each, Periods) for quota in each.quotas]
    return max([*totals, *(cap.minor for cap in caps if cap is not None)], default=0) < 2**53


@promised
@given(built(chain, most=MAX_EXACT))
def test_links_open_to_equal_values(drawn: Drawn) -> None:
    for envelope in Format:
        data, links = drawn.signed(envelope)
        for each, link in zip(data[1:], links, strict=True):
            if envelope is Format.JOSE and not _is_countable(link.constraints):
                with pytest.raises(Refused) as refused:
                    open_link(each)
                assert refused.value.code == "amount_invalid"
                continue
            opened = open_link(each)
            assert (opened.content.link, opened.content.issued_at) == (link, NOW_SECONDS)
            assert opened.holder == key(link.agent_id).public_key
            claims = link_claims(opened.content.link, opened.holder, opened.content.issued_at)
            assert seal(LINK, claims, key(link.issuer), envelope) == each
            opened.opened.check_signature(key(link.issuer).public_key, "link_signature_invalid")


def _change(choices: Choices) -> CounterChange:
    cap, held_before, captured_before, held, captured = (choices.whole(0, MAX_EXACT) for _ in range(5))
    return CounterChange(choices.name(), cap, held_before, captured_before, held, captured, choices.pick(list(Unit)))


def entry(choices: Choices) -> Entry:
    """An entry of a ledger of any kind, with the fields that its kind has."""
    kind = choices.pick(list(EntryKind))
    sequence = choices.whole(1, MAX_EXACT) if choices.coin() else choices.whole(1, 2)
    of_lifecycle = kind in (EntryKind.REVOKED, EntryKind.SUSPENDED, EntryKind.RESUMED, EntryKind.SUCCEEDED)
    of_charge = kind is not EntryKind.REFUSED and not of_lifecycle
    is_caused = kind in (EntryKind.SUSPENDED, EntryKind.RESUMED) or (kind is not EntryKind.SUCCEEDED and choices.coin())
    replaces = kind is EntryKind.SUCCEEDED or (kind is EntryKind.REVOKED and choices.coin())
    is_moved = of_charge and kind not in (EntryKind.RESERVED, EntryKind.EXPIRED)
    is_decided = kind in (EntryKind.RESERVED, EntryKind.REFUSED, EntryKind.SUCCEEDED)
    made = Entry(
        MandateKey(choices.name(), choices.name(), uuid_of(choices)),
        choices.raw(32),
        choices.name(),
        sequence,
        choices.raw(32) if sequence > 1 else None,
        kind,
        choices.whole(0, LATEST_INSTANT),
        code=choices.pick(list(CODES)) if kind is EntryKind.REFUSED else None,
        charge_id=choices.name() if of_charge else None,
        hold_expires_at=choices.whole(0, LATEST_INSTANT) if kind is EntryKind.RESERVED else None,
        counters=tuple(choices.several(lambda: _change(choices), 0, 4)),
        tzdata_version=choices.name() if is_decided and choices.coin() else None,
        capture_no=choices.name() if kind is EntryKind.PARTIALLY_CAPTURED else None,
        refund_no=choices.name() if kind is EntryKind.REFUNDED else None,
        instruction=choices.raw(32) if is_caused and (of_lifecycle or is_moved) else None,
        caused_by=choices.pick([*Causer][:3]) if is_caused and of_lifecycle else None,
        link=choices.raw(32) if is_caused and of_lifecycle and choices.coin() else None,
        credential_state=choices.pick([*MandateState][:2]) if kind is EntryKind.RESUMED else None,
        supersedes=choices.raw(32) if replaces else None,
    )
    if of_lifecycle:
        return made
    return replace(
        made,
        amount=amount(choices, currency_of(choices)),
        request_identity=choices.raw(32),
        payee=choices.name(),
        order_no=choices.name(),
        order=choices.raw(32),
    )


def recorded(choices: Choices) -> tuple[Entry, str, act.KeyPair]:
    """An entry, and whose ledger it is with its key."""
    return entry(choices), choices.name(), signer_of(choices)


@promised
@given(built(recorded))
def test_receipts_open_to_equal_values(case: tuple[Entry, str, act.KeyPair]) -> None:
    entry, ledger, signer = case
    receipts = []
    for envelope in Format:
        unsigned = receipt_maker(ledger, entry.mandate.issuer, signer)(replace(entry, format=envelope))
        unverified = open_receipt(unsigned.sign(signer))
        unverified.opened.check_signature(signer.public_key, "receipt_signature_invalid")
        receipt = unverified.receipt
        assert receipt.identity == unsigned.identity
        assert (receipt.issuer, receipt.issued_at, receipt.kind, receipt.sequence) == (
            ledger,
            entry.at,
            entry.kind,
            entry.sequence,
        )
        assert (receipt.audience[0], receipt.audience[-1]) == (entry.payee or entry.mandate.issuer, entry.agent_id)
        assert (receipt.previous, receipt.credential, receipt.counters) == (entry.previous, entry.credential, entry.counters)
        assert (receipt.delegator_identity, receipt.delegation_id) == (
            entry.mandate.delegator_identity,
            entry.mandate.delegation_id,
        )
        assert (receipt.request, receipt.order, receipt.order_no) == (entry.request_identity, entry.order, entry.order_no)
        assert (receipt.trade_no, receipt.amount, receipt.code) == (entry.charge_id, entry.amount, entry.code)
        assert (receipt.hold_expires_at, receipt.tzdata_version) == (entry.hold_expires_at, entry.tzdata_version)
        assert (receipt.instruction, receipt.caused_by) == (entry.instruction, entry.caused_by)
        assert (receipt.link, receipt.credential_state) == (entry.link, entry.credential_state)
        receipts.append(replace(receipt, identity=b""))
    assert receipts[0] == receipts[1]


def instruction_of(choices: Choices) -> Instruction:
    """An instruction of any action, with fields that its action has."""
    action = choices.pick([*LifecycleAction, *ChargeAction])
    about: CredentialName | ChargeTerms
    if isinstance(action, LifecycleAction):
        about = CredentialName(choices.name(), uuid_of(choices), choices.raw(32))
    else:
        is_capture, is_refund = action is ChargeAction.CAPTURE, action is ChargeAction.REFUND
        about = ChargeTerms(
            choices.name(),
            amount(choices, currency_of(choices)) if is_capture or is_refund else None,
            choices.name() if is_capture and choices.coin() else None,
            choices.name() if is_refund else None,
            choices.raw(32) if is_capture and choices.coin() else None,
        )
    times = choices.whole(0, LATEST_INSTANT), choices.whole(0, LATEST_INSTANT)
    reason = choices.name() if choices.coin() else None
    return Instruction(choices.raw(16), choices.name(), choices.name(), action, about, *times, reason)


def instructed(choices: Choices) -> tuple[Instruction, act.KeyPair]:
    """An instruction and who signs it."""
    return instruction_of(choices), signer_of(choices)


@promised
@given(built(instructed))
def test_instructions_open_to_equal_values(case: tuple[Instruction, act.KeyPair]) -> None:
    instruction, signer = case
    for envelope in Format:
        opened = open_instruction(seal(INSTRUCTION, instruction_claims(instruction), signer, envelope))
        assert opened.instruction == instruction
        opened.opened.check_signature(signer.public_key, "instruction_signature_invalid")


# --- one payment under one chain ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Case:
    """A chain of a mandate and up to three links, a payment under it, and what is asked and when."""

    drawn: Drawn
    purchase: Purchase
    order: act.Order
    audience: str
    lifetime_seconds: int
    later_seconds: int

    def decide(self, envelope: Literal["cose", "jose"]) -> tuple[object, ...]:
        """What the verifier says of it: the limits and what is reserved, or the code, the place and the facts; and all
        findings."""
        world, at = World(format=envelope), self.purchase.at
        world.parties.add(enrolled(self.order.payee, Role.PAYEE, categories=sorted(self.purchase.categories)))
        signer = key(self.order.payee)
        ordered_at = min(self.purchase.ordered_at, at)
        payment = act.sign_payment(
            act.sign_order(self.order, signer=signer, at=moment(ordered_at), format=envelope),
            chain=self.drawn.signed(Format(envelope))[0],
            audience=self.audience,
            signer=key(self.drawn.agent_id),
            payment_method=self.purchase.payment_method,
            request_id=bytes(16),
            lifetime_seconds=self.lifetime_seconds,
            at=moment(at),
        )
        world.clock.set(at + self.later_seconds)
        findings = [(each.code, each.where, each.facts) for each in world.explain(payment.to_bytes())]
        try:
            verified = world.verify(payment.to_bytes())
        except act.Refused as refusal:
            return refusal.code, refusal.where, refusal.facts, findings
        assert not findings
        limits = tuple(replace(each, name=each.name.rpartition("/")[2]) for each in verified.limits)  # a link's name is its own
        return "permitted", limits, verified.amount, verified.payee, verified.order_no, verified.request


def _total_minor(items: Sequence[Any]) -> int:
    return sum(item.quantity * item.unit_amount.minor for item in items)


def _with_items(purchase: Purchase, items: Sequence[Any]) -> Purchase:
    """The purchase of these items, with what they add up to and their own labels, as an order has them."""
    labels = frozenset([item.category for item in items])
    amount = replace(purchase.amount, minor=_total_minor(items))
    return replace(purchase, items=items, item_categories=labels, amount=amount)


def case(choices: Choices) -> Case:
    """A payment that its chain mostly permits, or all of its credentials but one; every envelope carries all of it."""
    end = NOW_SECONDS + choices.whole(1, 10**6 if choices.coin() else 3)
    drawn = chain(choices, most=MAX_EXACT, window=(NOW_SECONDS - choices.pick((0, 0, 600)), end), least=0)
    assume(_is_countable(drawn.every))
    purchase = purchase_of(choices, drawn)
    if not NOW_SECONDS - 11 <= purchase.at <= end:  # elsewhere nothing was issued yet, or everything has ended
        purchase = replace(purchase, at=NOW_SECONDS + purchase.at % (end - NOW_SECONDS))
    purchase = replace(purchase, confirmed=False)
    items: tuple[Any, ...] = tuple(purchase.items)
    first = items[0]
    baskets = [items, (first,), (replace(first, quantity=1),), (replace(first, quantity=1, unit_amount=purchase.amount),)]
    orders_of = [_with_items(purchase, each) for each in baskets if _total_minor(each) <= MAX_EXACT]
    best = min(orders_of, key=lambda each: refusing(drawn.every, each)) if orders_of else purchase
    purchase = choices.pick([best, best, best, *orders_of])
    assume(purchase.amount.minor <= MAX_EXACT)
    ordered_at = purchase.at - choices.pick((0, 0, 1, 600))
    deliver_by = purchase.deliver_by
    if deliver_by is not None and deliver_by - purchase.ordered_at in range(1, 10**9):
        deliver_by = ordered_at + deliver_by - purchase.ordered_at  # as long after the order as it was drawn
    order = act.Order(
        purchase.payee,
        choices.pick([drawn.agent_id] * 20 + [OTHER_AGENT]),
        PRINCIPAL,
        "T-1",
        tuple[Any, ...](purchase.items),
        purchase.amount,
        purchase.at + choices.pick((1, 900)),
        deliver_by if deliver_by is not None and deliver_by > ordered_at else None,
        purchase.delivery_address,
    )
    return Case(
        drawn,
        replace(purchase, ordered_at=ordered_at),
        order,
        choices.pick([PSP] * 20 + ["psp-2"]),
        choices.pick([120] * 20 + [0, 1, 121]),
        choices.pick([0] * 20 + [1, 120, -11]),
    )


@promised
@given(built(case))
def test_the_same_payment_is_decided_alike(case: Case) -> None:
    assert case.decide(COSE) == case.decide(JOSE)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("links", [0, 1])
def test_the_search_meets_payments_that_are_permitted(links: int, way: Way) -> None:
    """And not only those that something trivial refuses."""

    def permitted(case: Case) -> bool:
        return len(case.drawn.stated) > links and case.decide(COSE)[0] == "permitted"

    find(way(case), permitted, settings=settings(max_examples=2_000, phases=[Phase.generate]))


@given(st.binary(max_size=200) | st.from_regex(rb"\AeyJ[A-Za-z0-9_.=-]{0,120}\Z"))
def test_any_text_is_opened_or_refused(data: bytes) -> None:
    for wrong in (data, b"e" + data, b"eyJ9." + data):
        try:
            open_object(wrong)
        except act.Refused as refusal:
            assert refusal.where.startswith("object") or refusal.where == ""

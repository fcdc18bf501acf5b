"""act.payment.verifier: every rule provoked, in order of precedence, and nothing that fits where it does not belong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from itertools import combinations
from typing import Any, Final

import pytest

import act
from act.envelope.kinds import INSTRUCTION, KINDS, LINK, MANDATE, ORDER, RECEIPT, REQUEST, Kind
from act.errors import CODES, InvalidCall
from act.parties import Role
from act.payment.verifier import RULES_BY_SCENARIO, ReservationRequest
from tests.support.complete import complete_instructions
from tests.support.faults import FAULTS, Draft, Fault
from tests.support.world import (
    AGENT,
    END_SECONDS,
    NOW_SECONDS,
    OTHER_AGENT,
    OTHER_PRINCIPAL,
    OTHER_PSP,
    PRINCIPAL,
    PSP,
    SHOP,
    START_SECONDS,
    World,
    default_keys,
    enrolled,
    identity_of,
    key,
    refused,
    reseal,
)

PRECEDENCE: Final = list(CODES)
FORM: Final = frozenset(PRECEDENCE[: PRECEDENCE.index("agent_signature_invalid")])
SIGNERS: Final = frozenset({"signer_unknown", "signer_mismatch", "delegator_not_allowed"}) | frozenset(
    {"credential_signature_invalid", "order_signature_invalid"}
)
CHAIN: Final = frozenset(PRECEDENCE[PRECEDENCE.index("link_signature_invalid") : PRECEDENCE.index("order_signature_invalid")])
STAGES: Final = ("mandate", "link", "order")
AMOUNTS: Final = frozenset({"single_limit_exceeded", "single_minimum_missed", "total_limit_exceeded", "period_amount_exceeded"})
RULES: Final[Mapping[str, Fault]] = {
    name: fault for name, fault in FAULTS.items() if PRECEDENCE.index(fault.code) >= PRECEDENCE.index("parties_expired")
}


def _refusal(*faults: Fault) -> tuple[str, str]:
    draft = Draft()
    for fault in faults:
        fault.apply(draft)
    payment = draft.build()
    with pytest.raises(act.Refused) as caught:
        draft.world.verify(payment)
    return caught.value.code, caught.value.where


# --- one fault, two faults ----------------------------------------------------------------------------------------------


def test_a_payment_without_a_fault_is_permitted() -> None:
    draft = Draft()
    payment = draft.build()
    request = draft.world.verify(payment)
    assert (request.amount, request.payee, request.at) == (act.Amount(1_800, "CNY"), SHOP, NOW_SECONDS)
    assert [(limit.name, limit.cap) for limit in request.limits] == [("max_total_amount", 20_000)]
    assert (request.credential, request.order) == (identity_of(payment.chain[0]), identity_of(payment.order))
    assert request.request_identity == identity_of(payment.request)
    assert request.pinned_before is None
    assert draft.world.explain(payment) == ()
    assert draft.world.explain(payment.to_bytes()) == ()


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_provokes_exactly_its_code_at_its_place(name: str) -> None:
    assert _refusal(FAULTS[name]) == (FAULTS[name].code, FAULTS[name].where)


def _expected(first: Fault, second: Fault) -> set[str]:
    """The code that stands higher. Of two faults of form the one met first; of two signers the one nearer to the principal."""
    codes = {first.code, second.code}
    if codes <= FORM:
        return codes
    parts = {fault.where.split(".")[0]: fault.code for fault in (first, second)}
    if codes <= SIGNERS | CHAIN and len(parts) == 2 and parts.keys() <= set(STAGES):
        return {parts[min(parts, key=STAGES.index)]}
    return {min(codes, key=PRECEDENCE.index)}


@pytest.mark.parametrize("name", FAULTS)
def test_of_two_faults_the_higher_code_is_raised(name: str) -> None:
    wrong = []
    for other in list(FAULTS)[list(FAULTS).index(name) + 1 :]:
        first, second = FAULTS[name], FAULTS[other]
        if first.slots & second.slots:
            continue
        code, _ = _refusal(first, second)
        if code not in _expected(first, second):
            wrong.append((other, code, _expected(first, second)))
    assert wrong == []


def test_the_pairs_are_many() -> None:
    pairs = [pair for pair in combinations(FAULTS.values(), 2) if not pair[0].slots & pair[1].slots]
    assert len(pairs) > 1_500


def test_every_code_the_verifier_can_raise_is_provoked() -> None:
    """What is left out is raised elsewhere: by JSON readers, by the ledger, about instructions, receipts and charges."""
    elsewhere = {
        "json_invalid",
        "base64url_invalid",
        "instruction_signature_invalid",
        "instruction_not_allowed",
        "instruction_mismatch",
        "instruction_not_yet_valid",
        "instruction_expired",
        "instruction_lifetime_too_long",
        "duplicate_instruction",
        "transition_not_allowed",
        "receipt_signature_invalid",
        "duplicate_request",
        "credential_conflict",
        "predecessor_unknown",
        "successor_mismatch",
        "credential_superseded",
        "credential_revoked",
        "credential_suspended",
        "times_limit_exceeded",
        "period_times_exceeded",
        "order_already_paid",
        "duplicate_capture",
        "duplicate_refund",
        "refund_exceeds_captured",
        "charge_unknown",
        "charge_closed",
        "capture_exceeds_hold",
        "hold_expired",
        "receipt_mismatch",
        "receipt_not_paid",
        "receipt_out_of_chain",
        "credential_forgotten",
        "too_many_limits",
    }
    token = {code for code, row in CODES.items() if row.fault.value == "token"}
    assert {fault.code for fault in FAULTS.values()} == token - elsewhere


# --- explain ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FAULTS)
def test_explain_finds_one_fault_once(name: str) -> None:
    draft = Draft()
    FAULTS[name].apply(draft)
    (finding,) = draft.world.explain(draft.build())
    assert (finding.code, finding.where) == (FAULTS[name].code, FAULTS[name].where)


def _rule_of(code: str) -> str:
    """The rule row that judges a code, or the constraint's own id: each constraint judges for itself."""
    rule = CODES[code].rule
    return rule if rule.startswith("ACT-CON") else next(row.text for row in RULES_BY_SCENARIO["AUP"] if rule in row.ids)


@pytest.mark.parametrize("name", RULES)
def test_explain_lists_what_every_rule_finds_in_order_and_once(name: str) -> None:
    for other in list(RULES)[list(RULES).index(name) + 1 :]:
        first, second = RULES[name], RULES[other]
        if first.slots & second.slots or _rule_of(first.code) == _rule_of(second.code):
            continue
        draft = Draft()
        first.apply(draft)
        second.apply(draft)
        found = [(finding.code, finding.where) for finding in draft.world.explain(draft.build())]
        expected = sorted(((each.code, each.where) for each in (first, second)), key=lambda pair: PRECEDENCE.index(pair[0]))
        if first.code == "currency_mismatch" and second.code in AMOUNTS:
            expected = expected[:1]  # no amount is judged in another currency
        assert found == expected, (name, other)


def test_explain_lists_many_findings_at_once() -> None:
    draft = Draft()
    names = [
        "wallet compromised",
        "parties expired",
        "request to another service",
        "request expired",
        "order for another agent",
        "mandate signed in the future",
        "mandate expired",
        "order expired",
        "another scenario",
        "too dear",
        "another method",
        "shop not listed",
        "shop forbidden",
        "label not listed",
        "category forbidden",
    ]
    for name in names:
        FAULTS[name].apply(draft)
    found = [finding.code for finding in draft.world.explain(draft.build())]
    assert found == [FAULTS[name].code for name in names]


def test_the_first_of_the_findings_is_what_is_raised() -> None:
    for name in RULES:
        draft = Draft()
        RULES[name].apply(draft)
        FAULTS["category forbidden"].apply(draft)
        payment = draft.build()
        with pytest.raises(act.Refused) as caught:
            draft.world.verify(payment)
        assert draft.world.explain(payment)[0].code == caught.value.code


# --- windows, to the second ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "signed_at, lifetime, code",
    [
        (NOW_SECONDS + 11, 120, "request_not_yet_valid"),
        (NOW_SECONDS + 10, 120, None),
        (NOW_SECONDS + 9, 120, None),
        (NOW_SECONDS - 119, 120, None),
        (NOW_SECONDS - 120, 120, "request_expired"),
        (NOW_SECONDS - 121, 120, "request_expired"),
        (NOW_SECONDS, 119, None),
        (NOW_SECONDS, 121, "request_lifetime_too_long"),
        (NOW_SECONDS - 100, 121, "request_lifetime_too_long"),
        (NOW_SECONDS, 1, None),
        (NOW_SECONDS, 0, "request_expired"),
        (NOW_SECONDS + 5, 0, "request_lifetime_too_long"),
        (NOW_SECONDS + 10, -9, "request_lifetime_too_long"),
    ],
)
def test_the_requests_window(signed_at: int, lifetime: int, code: str | None) -> None:
    world = World()
    payment = world.payment(iac=world.mint(), order=world.order(), at=signed_at, lifetime_seconds=lifetime)
    if code is None:
        assert world.verify(payment).at == NOW_SECONDS
    else:
        with refused(code):
            world.verify(payment)


@pytest.mark.parametrize(
    "at, code",
    [
        (START_SECONDS - 11, "credential_not_yet_valid"),
        (START_SECONDS - 10, None),
        (END_SECONDS - 1, None),
        (END_SECONDS, "credential_expired"),
    ],
)
def test_the_mandates_window(at: int, code: str | None) -> None:
    world = World()
    iac = world.mint(at=START_SECONDS - 60)
    world.clock.set(at)
    payment = world.payment(iac=iac, order=world.order())
    if code is None:
        assert world.verify(payment).at == at
    else:
        with refused(code):
            world.verify(payment)


@pytest.mark.parametrize("elapsed, code", [(-11, "order_not_yet_valid"), (-10, None), (899, None), (900, "order_expired")])
def test_the_orders_window(elapsed: int, code: str | None) -> None:
    world = World()
    iac, order = world.mint(at=NOW_SECONDS - 60), world.order()
    world.clock.advance(elapsed)
    payment = world.payment(iac=iac, order=order)
    if code is None:
        assert world.verify(payment).at == NOW_SECONDS + elapsed
    else:
        with refused(code):
            world.verify(payment)


@pytest.mark.parametrize("shift, accepted", [(-1, True), (0, False), (1, False)])
def test_the_parties_window(shift: int, accepted: bool) -> None:
    world = World()
    world.parties.expires_at = NOW_SECONDS - shift
    if accepted:
        assert world.verify(world.payment()).at == NOW_SECONDS
    else:
        with refused("parties_expired", "parties"):
            world.verify(world.payment())


@pytest.mark.parametrize("microseconds, accepted", [(0, True), (999_999, True), (1_000_000, False)])
def test_a_fraction_of_a_second_changes_nothing(microseconds: int, accepted: bool) -> None:
    """At 119.999999 s of 120 a request is alive: dropping the fraction is exact."""
    world = World()
    payment = world.payment()
    world.clock.advance(119)
    world.clock.now = world.clock.now.replace(microsecond=microseconds) if microseconds < 1_000_000 else world.clock.now
    if not accepted:
        world.clock.advance(1)
        with refused("request_expired", "request.exp"):
            world.verify(payment)
    else:
        assert world.verify(payment).at == NOW_SECONDS + 119


def test_a_naive_time_is_an_invalid_call() -> None:
    world, naive = World(), datetime(2026, 2, 6, 9, 0)  # noqa: DTZ001 - that is what is tested
    with pytest.raises(InvalidCall):
        act.verify_payment(world.payment(), parties=world.parties, ledger=PSP, at=naive)
    with pytest.raises(InvalidCall):
        act.explain(world.payment(), parties=world.parties, ledger=PSP, at=naive)


# --- splices: parts that are genuine and do not belong together ---------------------------------------------------------


def test_parts_of_two_good_payments_do_not_mix() -> None:
    world = World()
    first = world.payment(iac=world.mint(), order=world.order())
    second = world.payment(iac=world.mint(), order=world.order("17.00"))
    world.verify(first)
    world.verify(second)
    with refused("credential_mismatch", "request.act.credential"):
        world.verify(replace(first, chain=second.chain))
    with refused("order_mismatch", "request.act.order"):
        world.verify(replace(first, order=second.order))
    with refused("credential_mismatch", "request.act.credential"):
        world.verify(replace(first, request=second.request))


def test_the_same_terms_in_another_order_are_another_order() -> None:
    world = World()
    payment = world.payment(order=world.order(order_no="T-1"))
    again = world.order(order_no="T-1", lock_seconds=901)
    with refused("order_mismatch", "request.act.order"):
        world.verify(replace(payment, order=again))


def test_a_platform_agent_does_not_mix_its_principals() -> None:
    """One agent identity and one key serve two principals: each check is on the pair."""
    world = World()
    lins, wus = world.mint(), world.mint(delegator_identity=OTHER_PRINCIPAL)
    lins_order, wus_order = world.order(), world.order(principal=OTHER_PRINCIPAL)
    assert world.verify(world.payment(iac=lins, order=lins_order)).amount.minor == 1_800
    assert world.verify(world.payment(iac=wus, order=wus_order)).amount.minor == 1_800
    with refused("principal_mismatch", "order.act.delegator_identity"):
        world.verify(world.payment(iac=lins, order=wus_order))
    with refused("principal_mismatch", "order.act.delegator_identity"):
        world.verify(world.payment(iac=wus, order=lins_order))
    mixed = world.payment(iac=lins, order=lins_order, changes={"act.delegator_identity": OTHER_PRINCIPAL})
    with refused("principal_mismatch", "request.act.delegator_identity"):
        world.verify(mixed)


def test_one_key_under_two_agent_names_does_not_mix_them() -> None:
    world = World()
    other = world.mint(agent_id=OTHER_AGENT)  # the same holder key
    with refused("agent_mismatch", "order.sub"):
        world.verify(world.payment(iac=other, order=world.order()))
    with refused("agent_mismatch", "request.iss"):
        world.verify(world.payment(iac=other, order=world.order(agent_id=OTHER_AGENT), changes={"iss": AGENT}))


def test_a_payment_for_one_service_is_none_for_another() -> None:
    world = World()
    with refused("wrong_ledger", "request.aud"):
        world.verify(world.payment(), ledger=OTHER_PSP)
    with refused("wrong_ledger", "mandate.aud"):
        world.verify(world.payment(audience=OTHER_PSP), ledger=OTHER_PSP)
    everything = world.payment(iac=world.mint(ledger=OTHER_PSP), audience=OTHER_PSP)
    assert world.verify(everything, ledger=OTHER_PSP).payee == SHOP
    for look_alike in ("PSP-2", "psp-2 ", "psp\u20102"):
        with refused("wrong_ledger", "request.aud"):
            world.verify(everything, ledger=look_alike)


def test_another_agents_mandate_is_worth_nothing_without_its_key() -> None:
    world = World()
    stolen = world.mint()
    with refused("agent_signature_invalid", "request"):
        world.verify(world.payment(iac=stolen, signer=key("thief")))
    with refused("agent_signature_invalid", "request"):  # with the right kid in the header
        forged = world.payment(iac=stolen, signer=key("thief"))
        world.verify(replace(forged, request=reseal(forged.request, key("thief"), header={4: world.agent.kid})))


def test_a_mandate_re_signed_for_the_thiefs_key_is_not_the_wallets() -> None:
    world = World()
    mandate = reseal(world.mint(), key("thief"), {"cnf": {1: key("thief").public_key.cose_key}})
    with refused("signer_unknown", "mandate.iss"):
        world.verify(world.payment(iac=mandate, signer=key("thief")))
    with refused("credential_signature_invalid", "mandate"):
        claimed = reseal(mandate, key("thief"), header={4: key("wallet.example").kid})
        world.verify(world.payment(iac=claimed, signer=key("thief")))


@pytest.mark.parametrize("part", ["request", "mandate", "order"])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_no_object_stands_in_for_another(part: str, kind: Kind, others: dict[Kind, bytes]) -> None:
    world = World()
    payment = world.payment()
    own = {"request": REQUEST, "mandate": MANDATE, "order": ORDER}[part]
    if kind is own:
        return
    objects = {REQUEST: payment.request, MANDATE: payment.chain[0], ORDER: payment.order} | others
    changed: dict[str, Any] = {
        "request": {"request": objects[kind]},
        "mandate": {"chain": (objects[kind],)},
        "order": {"order": objects[kind]},
    }
    with refused("kind_unexpected", part):
        world.verify(replace(payment, **changed[part]))


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> dict[Kind, bytes]:
    world = World()
    service = world.service(tmp_path_factory.mktemp("receipts") / "ledger.db")
    root = world.mint(changes={"act.ext.delegation": {"max_depth": 1}})
    receipt = service.authorize(world.payment()).receipt
    return {RECEIPT: receipt, LINK: world.link([root]), INSTRUCTION: complete_instructions()["revoke"]}


@pytest.mark.parametrize("algorithm", [-9, -8, -7, -36, -35, 5, 0, "none", "EdDSA"])
@pytest.mark.parametrize("part", ["request", "mandate", "order"])
def test_no_token_chooses_its_algorithm(part: str, algorithm: object) -> None:
    world = World()
    payment = world.payment()
    header = {1: algorithm}
    changed: dict[str, Any] = {
        "request": {"request": reseal(payment.request, world.agent, header=header)},
        "mandate": {"chain": (reseal(payment.chain[0], key("wallet.example"), header=header),)},
        "order": {"order": reseal(payment.order, key(SHOP), header=header)},
    }
    signature = {
        "request": "agent_signature_invalid",
        "mandate": "credential_signature_invalid",
        "order": "order_signature_invalid",
    }
    with pytest.raises(act.Refused) as caught:
        world.verify(replace(payment, **changed[part]))
    assert caught.value.code == (signature[part] if algorithm == -9 else "algorithm_not_allowed")


def test_a_shop_recorded_otherwise_cannot_label_its_way_in() -> None:
    """Merchants label gift cards "tea": what counts is the payment service's record."""
    keys = [each for each in default_keys() if each.party.id != SHOP]
    for categories, code in ((["gift_card"], "category_not_allowed"), ([], "category_not_allowed"), (["tea"], None)):
        world = World()
        world.parties.keys = {each.public_key.kid: each for each in [*keys, enrolled(SHOP, Role.PAYEE, categories=categories)]}
        payment = world.payment(order=world.order(category="tea"))
        if code is None:
            assert world.verify(payment).payee == SHOP
        else:
            with refused(code, "ext.commerce.allowed_categories"):
                world.verify(payment)


# --- what comes back ----------------------------------------------------------------------------------------------------


def test_a_reservation_request_has_no_truth_value() -> None:
    world = World()
    request = world.verify(world.payment())
    assert isinstance(request, ReservationRequest)
    with pytest.raises(TypeError, match="authorizes nothing"):
        bool(request)
    with pytest.raises(TypeError, match="authorizes nothing"):
        assert not request  # `if verify_payment(...)` is the mistake this is there to stop


def test_the_rules_have_permanent_ids_of_the_table() -> None:
    known = {row.rule for row in CODES.values()}
    for rules in RULES_BY_SCENARIO.values():
        ids = [rule_id for rule in rules for rule_id in rule.ids]
        assert len(ids) == len(set(ids))
        assert set(ids) <= known
        assert all(rule.text.endswith(".") and rule.component for rule in rules)


def test_l2_and_l3_are_judged_by_all_rules() -> None:
    assert RULES_BY_SCENARIO.keys() == {"DEL", "AUP"}
    world = World()
    specified = world.mint(delegation_mode="SPECIFIED", delegator_identity=PRINCIPAL)
    assert world.verify(world.payment(iac=specified)).payee == SHOP
    with refused("mode_mismatch", "mandate.delegation_mode"):
        world.verify(world.payment(iac=specified, changes={"act.scenario": "AUP"}))
    with refused("single_limit_exceeded"):
        world.verify(world.payment(iac=specified, order=world.order("30.01")))

"""act.delegation.lifecycle: who may cause what, and whose suspensions stand."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from act.delegation.lifecycle import LIFECYCLE_CAUSERS, TRANSITIONS, Causer, LifecycleAction, MandateState, Standing
from act.errors import Refused
from tests.support.world import refused

SUSPEND, RESUME, REVOKE = LifecycleAction
PRINCIPAL, AGENT, RISK_CONTROL = Causer.PRINCIPAL, Causer.AGENT, Causer.RISK_CONTROL
ACTIVE, REVOKED = Standing(), Standing(is_revoked=True)
BY_PRINCIPAL = Standing(suspended_by=frozenset({PRINCIPAL}))
BY_BOTH = Standing(suspended_by=frozenset({PRINCIPAL, RISK_CONTROL}))
CLOSED = "transition_not_allowed"


def test_the_table_is_acts() -> None:
    assert {
        SUSPEND: {PRINCIPAL, RISK_CONTROL},
        RESUME: {PRINCIPAL, RISK_CONTROL},
        REVOKE: {PRINCIPAL, AGENT},
    } == LIFECYCLE_CAUSERS


@pytest.mark.parametrize("action, causer", [*product(LifecycleAction, Causer)])
def test_only_who_may_causes_anything(action: LifecycleAction, causer: Causer) -> None:
    if causer in LIFECYCLE_CAUSERS[action]:
        Standing(suspended_by=frozenset({causer})).after(action, causer)
        return
    with refused("instruction_not_allowed", "instruction.act.action"):
        BY_BOTH.after(action, causer)


def test_a_suspension_stands_per_causer() -> None:
    suspended = ACTIVE.after(SUSPEND, PRINCIPAL).after(SUSPEND, RISK_CONTROL)
    assert (suspended, suspended.state) == (BY_BOTH, MandateState.SUSPENDED)
    one = suspended.after(RESUME, RISK_CONTROL)
    assert (one, one.state) == (BY_PRINCIPAL, MandateState.SUSPENDED)
    assert one.after(RESUME, PRINCIPAL) == ACTIVE
    assert ACTIVE.state is MandateState.ACTIVE


@pytest.mark.parametrize("standing", [ACTIVE, BY_PRINCIPAL, REVOKED], ids=lambda each: str(each.state))
def test_nobody_lifts_what_is_not_theirs(standing: Standing) -> None:
    with refused(CLOSED, "mandate") as caught:
        standing.after(RESUME, RISK_CONTROL)
    assert caught.value.facts == {"state": standing.state.value, "action": "resume", "causer": "risk_control"}


def test_a_stop_that_stands_can_be_asked_for_again() -> None:
    assert BY_PRINCIPAL.after(SUSPEND, PRINCIPAL) == BY_PRINCIPAL
    assert REVOKED.after(REVOKE, AGENT) is REVOKED
    assert REVOKED.after(REVOKE, AGENT, is_expired=True) is REVOKED


@pytest.mark.parametrize("standing", [ACTIVE, BY_BOTH])
def test_a_revocation_ends_suspensions_too(standing: Standing) -> None:
    assert standing.after(REVOKE, AGENT) == REVOKED


def test_nothing_leaves_revoked() -> None:
    for action in (SUSPEND, RESUME):
        with refused(CLOSED, "mandate"):
            REVOKED.after(action, PRINCIPAL)


@pytest.mark.parametrize("standing, action", [*product([ACTIVE, BY_PRINCIPAL], LifecycleAction)])
def test_nothing_leaves_expired(standing: Standing, action: LifecycleAction) -> None:
    with refused(CLOSED, "mandate") as caught:
        standing.after(action, PRINCIPAL, is_expired=True)
    assert caught.value.facts["state"] == "Expired"


STANDINGS = st.builds(Standing, st.just(False), st.frozensets(st.sampled_from([PRINCIPAL, RISK_CONTROL]))) | st.just(REVOKED)


@given(STANDINGS, st.lists(st.tuples(st.sampled_from(LifecycleAction), st.sampled_from(Causer), st.booleans()), max_size=12))
def test_every_way_through_is_in_the_table(standing: Standing, steps: list[tuple[LifecycleAction, Causer, bool]]) -> None:
    for action, causer, is_expired in steps:
        try:
            after = standing.after(action, causer, is_expired=is_expired)
        except Refused as refusal:
            assert refusal.code in ("instruction_not_allowed", CLOSED)
            continue
        assert after.state is standing.state or after.state in TRANSITIONS[standing.state]
        assert after == standing or not is_expired
        assert standing.suspended_by ^ after.suspended_by <= {causer} or after.is_revoked
        standing = after

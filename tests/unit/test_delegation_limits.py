"""act.delegation.limits, .lifecycle and .chain: what is counted, which states are final, and that all judge."""

from __future__ import annotations

import pytest

from act.delegation.chain import Chain
from act.delegation.credential import open_credential
from act.delegation.lifecycle import TRANSITIONS, MandateState, require_usable
from act.delegation.limits import UNUSED, Limit, Usage, judge
from tests.support.world import NOW_SECONDS, World, refused

TOTAL = Limit("max_total_amount", 20_000, "total_limit_exceeded")


@pytest.mark.parametrize(
    "held, captured, debit, fits",
    [
        (0, 0, 19_999, True),
        (0, 0, 20_000, True),
        (0, 0, 20_001, False),
        (18_200, 0, 1_800, True),
        (0, 18_200, 1_800, True),
        (9_100, 9_100, 1_800, True),
        (9_100, 9_101, 1_800, False),
        (18_201, 0, 1_800, False),
        (20_000, 0, 1, False),
        (0, 20_000, 1, False),
    ],
)
def test_held_and_captured_and_asked_together_must_fit(held: int, captured: int, debit: int, fits: bool) -> None:
    usage = Usage(held, captured)
    assert usage.total == held + captured
    if fits:
        judge(TOTAL, usage, debit)
    else:
        with refused("total_limit_exceeded", "max_total_amount") as caught:
            judge(TOTAL, usage, debit)
        assert caught.value.facts == {"cap_minor": 20_000, "left_minor": 20_000 - held - captured, "asked_minor": debit}


def test_nothing_overflows() -> None:
    most = 2**63 - 1
    judge(Limit("x", most, "total_limit_exceeded"), UNUSED, most)
    with refused("total_limit_exceeded", "x"):
        judge(Limit("x", most, "total_limit_exceeded"), Usage(most, 0), 1)
    with refused("total_limit_exceeded", "x"):
        judge(Limit("x", most, "total_limit_exceeded"), Usage(1, 0), most)


def test_nothing_leaves_a_terminal_state() -> None:
    assert {
        MandateState.ACTIVE: {MandateState.SUSPENDED, MandateState.REVOKED, MandateState.EXPIRED},
        MandateState.SUSPENDED: {MandateState.ACTIVE, MandateState.REVOKED, MandateState.EXPIRED},
        MandateState.REVOKED: frozenset(),
        MandateState.EXPIRED: frozenset(),
    } == TRANSITIONS


@pytest.mark.parametrize(
    "state, code",
    [
        (MandateState.SUSPENDED, "credential_suspended"),
        (MandateState.REVOKED, "credential_revoked"),
        (MandateState.EXPIRED, "credential_expired"),
    ],
)
def test_only_an_active_mandate_is_usable(state: MandateState, code: str) -> None:
    require_usable(MandateState.ACTIVE)
    with refused(code, "mandate"):
        require_usable(state)


def test_a_chain_of_one_is_its_root_and_its_leaf() -> None:
    world = World()
    credential = open_credential(world.mint()).authenticate(world.parties)
    chain = Chain(credential)
    assert chain.leaf is chain.root is credential
    assert chain.holder == credential.holder
    assert chain.effective() == credential.mandate.constraints
    assert chain.limits(NOW_SECONDS) == (TOTAL,)

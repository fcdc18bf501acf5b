"""Sequences of payments under links: what every credential of a chain counts, and what ends when one of them ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from vector_sets.linked import DEPTH, limit_of, link, paid_by
from vector_sets.story import Story
from vector_sets.world import NOW, claims_of, mandate, order, paid, priced

__all__ = ["STORIES", "pay", "root_of"]

_TOTAL: Final = "act.max_total_amount"
_REFUSED: Final = "total_limit_exceeded"
_OF_MANDATE: Final = _REFUSED, "max_total_amount"


def root_of(total: str, depth: int = 1) -> bytes:
    """A mandate with this total that allows so many links below one another."""
    return mandate({_TOTAL: total, DEPTH: depth})


def _bought(number: int, minor: int, agent: str) -> bytes:
    return order({"sub": agent, "act.order_no": f"T-{number:04d}"} | priced(f"{minor // 100}.{minor % 100:02d}"))


def pay(chain: Sequence[bytes], number: int, minor: int = 1_800, *, at: int = NOW, request_id: str | None = None) -> bytes:
    """A payment under a chain by its last agent."""
    sold = _bought(number, minor, claims_of(chain[-1])[2])
    changes: Mapping[str, Any] = {"iat": at, "exp": at + 120}
    if len(chain) == 1:
        return paid(chain[0], sold, changes, request_id=request_id or str(number))
    return paid_by(chain, sold, changes, request_id=request_id or str(number))


def _ancestors() -> Story:
    story = Story("chain-ancestors", "A payment is debited from its link, from every link above it and from the mandate; "
                  "capture and void move them all.", ["ACT-CON-06", "ACT-CHN-03", "ACT-LED-06"])  # fmt: skip
    root = story.mandate("mandate", root_of("50.00", 2), 5_000)
    first = story.link("link-1", link(root, {_TOTAL: "30.00", DEPTH: 1}), "mandate", 3_000)
    second = story.link("link-2", link(first, {_TOTAL: "20.00"}, agent="courier-2"), "link-1", 2_000)
    story.payment("payment-1", pay([root, first, second], 1))
    story.payment("payment-2", pay([root, first], 2, 1_200))
    story.payment("payment-3", pay([root, first, second], 3, 1))
    story.payment("payment-4", pay([root, first, second], 4, 1_000))
    story.authorized("payment-1", "link-2", "charge-1", 1_800)
    story.authorized("payment-2", "link-1", "charge-2", 1_200)
    story.refused_on_record("payment-3", "link-2", _REFUSED, limit_of(first))
    story.captured("charge-1", 1_000)
    story.voided("charge-2")
    story.authorized("payment-4", "link-2", "charge-4", 1_000)
    story.captured("charge-4", 1_000)
    return story


def _siblings() -> Story:
    story = Story("chain-siblings", "Two sub-agents, each within its own total, do not together exceed what their parent has.",
                  ["ACT-CON-06", "ACT-CHN-07"])  # fmt: skip
    root = story.mandate("mandate", root_of("50.00"), 5_000)
    one = story.link("link-1", link(root, {_TOTAL: "30.00"}), "mandate", 3_000)
    two = story.link("link-2", link(root, {_TOTAL: "30.00"}, agent="other-courier"), "mandate", 3_000)
    story.payment("payment-1", pay([root, one], 1, 3_000))
    story.payment("payment-2", pay([root, two], 2, 2_001))
    story.payment("payment-3", pay([root, two], 3, 2_000))
    story.authorized("payment-1", "link-1", "charge-1", 3_000)
    story.refused_on_record("payment-2", "link-2", *_OF_MANDATE)
    story.authorized("payment-3", "link-2", "charge-3", 2_000)
    return story


def _cousins() -> Story:
    story = Story("chain-cousins", "Links below different links share what the mandate has, and nothing else.",
                  ["ACT-CON-06"])  # fmt: skip
    root = story.mandate("mandate", root_of("50.00", 2), 5_000)
    one = story.link("link-1", link(root, {_TOTAL: "20.00", DEPTH: 1}), "mandate", 2_000)
    two = story.link("link-2", link(root, {_TOTAL: "40.00", DEPTH: 1}, agent="other-courier"), "mandate", 4_000)
    below_one = story.link("link-1-1", link(one, agent="courier-2"), "link-1")
    below_two = story.link("link-2-1", link(two, agent="courier-3"), "link-2")
    story.payment("payment-1", pay([root, one, below_one], 1, 2_000))
    story.payment("payment-2", pay([root, one, below_one], 2, 1))
    story.payment("payment-3", pay([root, two, below_two], 3, 3_001))
    story.payment("payment-4", pay([root, two, below_two], 4, 3_000))
    story.authorized("payment-1", "link-1-1", "charge-1", 2_000)
    story.refused_on_record("payment-2", "link-1-1", _REFUSED, limit_of(one))
    story.refused_on_record("payment-3", "link-2-1", *_OF_MANDATE)
    story.authorized("payment-4", "link-2-1", "charge-4", 3_000)
    return story


def _own_total() -> Story:
    story = Story("chain-own-total", "A link's own total counts what was paid under it, though the mandate has more left.",
                  ["ACT-CON-06"])  # fmt: skip
    root = story.mandate("mandate", root_of("50.00"), 5_000)
    one = story.link("link-1", link(root, {_TOTAL: "20.00"}), "mandate", 2_000)
    story.payment("payment-1", pay([root], 1, 1_500))
    story.payment("payment-2", pay([root, one], 2))
    story.payment("payment-3", pay([root, one], 3, 201))
    story.payment("payment-4", pay([root, one], 4, 200))
    story.authorized("payment-1", "mandate", "charge-1", 1_500)
    story.authorized("payment-2", "link-1", "charge-2", 1_800)
    sequence = story.refused_on_record("payment-3", "link-1", _REFUSED, limit_of(one))
    story.refused_again("payment-3", sequence, _REFUSED, limit_of(one))
    story.authorized("payment-4", "link-1", "charge-4", 200)
    return story


def _parent_spends() -> Story:
    story = Story("chain-parent", "What a sub-agent spends is gone for its parent, and the other way round.", ["ACT-CON-06"])
    root = story.mandate("mandate", root_of("30.00"), 3_000)
    one = story.link("link-1", link(root), "mandate")
    story.payment("payment-1", pay([root, one], 1))
    story.payment("payment-2", pay([root], 2, 1_201))
    story.payment("payment-3", pay([root], 3, 1_200))
    story.payment("payment-4", pay([root, one], 4, 1))
    story.authorized("payment-1", "link-1", "charge-1", 1_800)
    story.refused_on_record("payment-2", "mandate", *_OF_MANDATE)
    story.authorized("payment-3", "mandate", "charge-3", 1_200)
    story.refused_on_record("payment-4", "link-1", *_OF_MANDATE)
    return story


def _same_id() -> Story:
    story = Story("chain-same-id", "A link that copies another's delegation_id has counters of its own: it takes nothing "
                  "from the other one, and does not shut it out.", ["ACT-CON-06"])  # fmt: skip
    root = story.mandate("mandate", root_of("50.00"), 5_000)
    one = story.link("link-1", link(root, {_TOTAL: "20.00"}), "mandate", 2_000)
    same = {"cti": claims_of(one)[7], _TOTAL: "40.00"}
    other = story.link("link-other", link(root, same, agent="other-courier"), "mandate", 4_000)
    story.payment("payment-other", pay([root, other], 1))
    story.payment("payment-1", pay([root, one], 2))
    story.authorized("payment-other", "link-other", "charge-1", 1_800)
    story.authorized("payment-1", "link-1", "charge-2", 1_800)
    return story


def _same_id_elsewhere() -> Story:
    story = Story("chain-id-scope", "A link's delegation_id is its own below one mandate only: who mints another mandate "
                  "cannot take it away.", ["ACT-CON-06"])  # fmt: skip
    root = story.mandate("mandate", root_of("50.00"), 5_000)
    other = story.mandate("mandate-other", mandate({_TOTAL: "50.00", DEPTH: 1, "cti": claims_of(link(root))[7]}), 5_000)
    one = story.link("link-1", link(root, {_TOTAL: "20.00"}), "mandate", 2_000)
    two = story.link("link-2", link(other, {_TOTAL: "20.00", "cti": claims_of(root)[7]}), "mandate-other", 2_000)
    story.payment("payment-other", pay([other, two], 1))
    story.payment("payment", pay([root, one], 2))
    story.authorized("payment-other", "link-2", "charge-1", 1_800)
    story.authorized("payment", "link-1", "charge-2", 1_800)
    return story


def _revoked() -> Story:
    story = Story("chain-revoked", "Revoking the mandate stops every link below it; what is held may still be captured.",
                  ["ACT-LED-02"])  # fmt: skip
    root = story.mandate("mandate", root_of("50.00", 2), 5_000)
    first = story.link("link-1", link(root, {DEPTH: 1}), "mandate")
    second = story.link("link-2", link(first, {_TOTAL: "20.00"}, agent="courier-2"), "link-1", 2_000)
    story.payment("payment-1", pay([root, first, second], 1))
    story.payment("payment-2", pay([root, first, second], 2, 100))
    story.payment("payment-3", pay([root, first], 3, 100))
    story.authorized("payment-1", "link-2", "charge-1", 1_800)
    story.revoked("mandate")
    story.refused_on_record("payment-2", "link-2", "credential_revoked", "mandate")
    story.refused_on_record("payment-3", "link-1", "credential_revoked", "mandate")
    story.captured("charge-1", 1_800, NOW + 10)
    return story


def _retry() -> Story:
    story = Story("chain-retry", "The same payment again has its stored outcome, even after the link has ended; a new one is "
                  "refused then.", ["ACT-PAY-04", "ACT-PAY-14"])  # fmt: skip
    root, end = story.mandate("mandate", root_of("50.00"), 5_000), NOW + 300
    one = story.link("link-1", link(root, {"exp": end, _TOTAL: "20.00"}), "mandate", 2_000)
    story.payment("payment-1", pay([root, one], 1))
    story.payment("payment-2", pay([root, one], 2, 100, at=end))
    story.authorized("payment-1", "link-1", "charge-1", 1_800)
    story.repeated("payment-1", "charge-1", end + 1)
    story.refused("payment-2", "credential_expired", "link.1.validity_end_time", end)
    story.captured("charge-1", 1_800, end + 2)
    return story


def _scopes() -> Story:
    story = Story("chain-request-id-scope", "A request id is unique per agent below one mandate: what one agent uses does not "
                  "burn another's.", ["ACT-PAY-04"])  # fmt: skip
    root = story.mandate("mandate", root_of("50.00"), 5_000)
    one = story.link("link-1", link(root), "mandate")
    story.payment("payment-1", pay([root], 1, request_id="same"))
    story.payment("payment-2", pay([root, one], 2, request_id="same"))
    story.payment("payment-3", pay([root, one], 3, 100, request_id="same"))
    story.authorized("payment-1", "mandate", "charge-1", 1_800)
    story.authorized("payment-2", "link-1", "charge-2", 1_800)
    story.refused("payment-3", "duplicate_request", "request.cti")
    return story


STORIES: Final = (
    _ancestors, _siblings, _cousins, _own_total, _parent_spends, _same_id, _same_id_elsewhere, _revoked, _retry, _scopes,
)  # fmt: skip

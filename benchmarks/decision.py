"""How long a decision takes, in raw signature verifications: what no implementation can do without.

The yardstick is libsodium's own verification, called through PyNaCl on a message as long as the mandate's signing input.
Storage is not part of it: `store` measures that.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from itertools import cycle
from multiprocessing import get_context
from typing import NamedTuple

import nacl
from nacl.bindings import crypto_sign_open

import act
from act.calendar import instant
from act.delegation.chain import ChainCache
from act.delegation.credential import open_credential
from act.parties import Role
from act.payment.verifier import Question, authenticate, decide
from benchmarks.measure import Effort, Timings, Work, each, interleaved
from benchmarks.milk_tea import LEDGER, NOW, Afternoon, Cast, enrolled
from benchmarks.table import render, verdict

__all__ = ["report"]

FULL = Effort(rounds=31, turns=8, calls=5)
QUICK = Effort(rounds=3, turns=1, calls=2)

_YARDSTICK = "raw verification"


class _Row(NamedTuple):
    work: str
    verifications: int
    target: float | None


_ROWS = (
    _Row(_YARDSTICK, 1, None),
    _Row("open the mandate, keys seen before", 1, 2.2),
    _Row("open the mandate, new keys", 1, 3.3),
    _Row("open the mandate as VC-JWT, keys seen before", 1, 2.6),
    _Row("whole decision, keys seen before", 3, 2.0),
    _Row("whole decision from one byte string", 3, None),
    _Row("whole decision, mandate known", 2, 1.7),
)


def fresh_mandates(count: int) -> list[tuple[bytes, bytes]]:
    """Mandates of as many wallets for as many agents, each with its wallet's raw key."""
    made = []
    for _ in range(count):
        cast = Cast.fresh()
        made.append((cast.mandate(), cast.wallet.public_key.raw))
    return made


def _from_elsewhere(count: int) -> list[tuple[bytes, bytes]]:
    """Fresh mandates made in another process: no cache of this one has seen their keys."""
    with ProcessPoolExecutor(1, get_context("spawn")) as elsewhere:
        return elsewhere.submit(fresh_mandates, count).result()


def _works(effort: Effort) -> dict[str, Work]:
    """The works by the names of their rows, each warmed up, except where it is the first time that counts."""
    afternoon = Afternoon.of(16)
    opened = open_credential(afternoon.iac).opened
    signed, key = opened.signature + opened.signing_input, afternoon.cast.wallet.public_key.raw
    vc_jwt = afternoon.cast.mandate(format="jose")
    new = _from_elsewhere(effort.calls_in_all)
    wallets = (
        enrolled(
            "wallet.example", Role.ISSUER, act.PublicKey.from_cose_key({1: 1, -1: 6, -2: raw}, "key"), namespaces=["user:"]
        )
        for _, raw in new
    )
    parties = afternoon.cast.parties(*wallets)
    question = Question(LEDGER, instant(NOW), parties.expires_at)
    cache = ChainCache()

    def open_mandate(iac: bytes) -> object:
        return open_credential(iac).authenticate(parties)

    works: dict[str, Work] = {
        _YARDSTICK: lambda: crypto_sign_open(signed, key),
        "open the mandate, keys seen before": lambda: open_mandate(afternoon.iac),
        "open the mandate as VC-JWT, keys seen before": lambda: open_mandate(vc_jwt),
        "whole decision, keys seen before": each(
            lambda payment: decide(authenticate(payment, parties), question), cycle(afternoon.payments)
        ),
        "whole decision from one byte string": each(
            lambda data: act.verify_payment(data, parties=parties, ledger=LEDGER, at=NOW),
            cycle([payment.to_bytes() for payment in afternoon.payments]),
        ),
        "whole decision, mandate known": each(
            lambda payment: decide(authenticate(payment, parties, cache), question), cycle(afternoon.payments)
        ),
    }
    for work in works.values():
        for _ in afternoon.payments:
            work()
    works["open the mandate, new keys"] = each(open_mandate, [iac for iac, _ in new])
    return works


def _cells(row: _Row, timings: Timings) -> tuple[str, ...]:
    ratio = timings.ratio(row.work, _YARDSTICK, row.verifications)
    return (
        row.work,
        f"{timings.median_us(row.work):.1f}",
        str(row.verifications),
        f"{ratio:.2f}",
        f"{row.target:.1f}" if row.target else "",
        verdict(ratio, row.target) if row.target else "",
    )


def report(*, quick: bool = False) -> str:
    """The table of decisions."""
    effort = QUICK if quick else FULL
    timings = interleaved(_works(effort), effort)
    return render(
        "decision: an AI agent's payment, decided without storage",
        ("work", "median us", "raw verifies", "ratio", "target", "met"),
        [_cells(row, timings) for row in _ROWS],
        (
            f"median us: of {effort.rounds} rounds; ratio: to that many raw verifications, the median of the rounds' ratios.",
            f"Raw verification: crypto_sign_open of PyNaCl {nacl.__version__} on a message of the mandate's size.",
            "New keys: the mandate comes from a wallet and names an agent whose keys this process has not met in a mandate.",
        ),
    )

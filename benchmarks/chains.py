"""What a chain costs: a mandate with every constraint there is and two links below it, beside Biscuit's blocks.

Biscuit is the closest thing to a chain that narrows, and written in Rust. It is asked for less: its checks are three or five
lines of Datalog over amount, payee and time, and it knows neither who the parties are nor what was spent.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import cycle
from typing import Any, NamedTuple

import biscuit_auth
import nacl
from nacl.bindings import crypto_sign_open

import act
from act.calendar import instant
from act.delegation.chain import Chain, ChainCache, open_chain
from act.delegation.purchase import Purchase
from act.payment.request import open_request
from act.payment.verifier import Question, authenticate, decide
from act.payment.verifier.rules import purchase_at
from benchmarks.measure import Effort, Timings, Work, each, interleaved
from benchmarks.milk_tea import LEDGER, NOW, Cast
from benchmarks.table import render, verdict

__all__ = ["report"]

FULL = Effort(rounds=31, turns=6, calls=5)
QUICK = Effort(rounds=3, turns=1, calls=2)

_YARDSTICK = "raw verification"
_CHAIN = "chain of 3 and request, ACT's constraints"
_EVERY = "the same, every constraint there is"
_ONE, _THREE = "Biscuit, authorize 1 block", "Biscuit, authorize 3 blocks"


class _Row(NamedTuple):
    work: str
    signatures: int
    target: float | None


_ROWS = (
    _Row(_YARDSTICK, 1, None),
    _Row(_CHAIN, 4, 2.2),
    _Row(_EVERY, 4, 2.2),
    _Row("with its order, from bytes to what to reserve", 5, None),
    _Row("with its order, chain known", 2, None),
    _Row(_ONE, 1, None),
    _Row(_THREE, 3, None),
)

_EVERY_CONSTRAINT: dict[str, Any] = {
    "commerce": {
        "max_single_amount": "30.00",
        "min_single_amount": "1.00",
        "allowed_merchants": ["teashop.example", "cha.example"],
        "forbidden_merchants": ["bar.example"],
        "allowed_categories": ["tea", "snack"],
        "forbidden_categories": ["alcohol"],
    },
    "agent_behavior": {
        "price_deviation_tolerance": "5",
        "price_deviation_action": "PAUSE_AND_NOTIFY",
        "on_payment_failure": "AUTO_RETRY",
        "max_retry_count": 2,
    },
    "fulfillment": {"delivery_time_requirement": "PT2H", "delivery_address": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"},
    "quota": {
        "times_limit": 20,
        "refund_restores": False,
        "periods": [
            {
                "period_unit": "DAY",
                "period_count": 1,
                "max_amount": "60.00",
                "period_times": 5,
                "time_zone": "Asia/Shanghai",
                "anchor": "2026-02-01",
            },
            {"sliding_seconds": 3_600, "max_amount": "40.00"},
        ],
    },
    "items": [{"category": "tea", "max_quantity": 3, "max_unit_amount": "20.00", "confirmed_unit_amount": "18.00"}],
    "schedule": {"weekdays": ["MON", "TUE", "WED", "THU", "FRI"], "hours": ["08:00-22:00"], "time_zone": "Asia/Shanghai"},
    "step_up": {"above_amount": "25.00"},
    "delegation": {"max_depth": 2},
    "status": {"max_staleness": [{"seconds": 3_600}, {"seconds": 60, "above_amount": "20.00"}], "on_revoke": "honor"},
}
_ACTS_OWN: dict[str, Any] = {name: _EVERY_CONSTRAINT[name] for name in ("commerce", "fulfillment", "delegation")} | {
    "agent_behavior": {
        name: value for name, value in _EVERY_CONSTRAINT["agent_behavior"].items() if name != "price_deviation_tolerance"
    }
}
"""What ACT 2.1 itself knows, but for the price tolerance, which needs the prices of `ext.items`; and the leave to delegate."""

_ADDRESS = bytes(range(32))


class _Objects(NamedTuple):
    cast: Cast
    payments: tuple[act.Payment, ...]


def _objects(count: int, ext: dict[str, Any]) -> _Objects:
    """Payments of one sub-agent of a sub-agent under a mandate with that `ext`, each of another order."""
    cast = Cast.fresh()
    courier, rider = act.KeyPair.generate(), act.KeyPair.generate()
    root = cast.mandate(ext=ext)
    narrower = {
        "agent_id": "agent:courier",
        "max_total_amount": "100.00",
        "ext": {"commerce": {"max_single_amount": "25.00"}, "delegation": {"max_depth": 1}},
    }
    first = act.delegate(narrower, chain=[root], signer=cast.agent, holder=courier.public_key, at=NOW)
    narrowest = {
        "agent_id": "agent:rider",
        "max_total_amount": "50.00",
        "ext": {"commerce": {"allowed_merchants": ["teashop.example"]}},
    }
    second = act.delegate(narrowest, chain=[root, first], signer=courier, holder=rider.public_key, at=NOW)
    delivered: dict[str, Any] = {"deliver_by": instant(NOW) + 3_600, "delivery_address": _ADDRESS}
    payments = [
        act.sign_payment(
            cast.order(number, agent_id="agent:rider", **delivered),
            chain=[root, first, second],
            audience=LEDGER,
            signer=rider,
            at=NOW,
        )
        for number in range(count)
    ]
    return _Objects(cast, tuple(payments))


def _biscuit(blocks: int) -> Work:
    """A token of that many blocks, parsed from its bytes and authorized."""
    issuer = biscuit_auth.KeyPair()
    authority = (
        'check if amount($a), $a <= 3000; check if payee($p), ["teashop.example", "cha.example"].contains($p); '
        "check if time($t), $t < 2026-02-07T00:00:00Z"
    )
    token = biscuit_auth.BiscuitBuilder(authority).build(issuer.private_key)
    for check in ("check if amount($a), $a <= 2500", 'check if payee($p), $p == "teashop.example"')[: blocks - 1]:
        token = token.append(biscuit_auth.BlockBuilder(check))
    data = bytes(token.to_bytes())

    def authorize() -> object:
        builder: Any = biscuit_auth.AuthorizerBuilder(  # its type stubs know no limits
            'amount(1800); payee("teashop.example"); time(2026-02-06T09:00:00Z); allow if true'
        )
        limits = builder.limits()
        limits.max_time = timedelta(seconds=1)  # by default a busy machine makes it give up after a millisecond
        builder.set_limits(limits)
        return builder.build(biscuit_auth.Biscuit.from_bytes(data, issuer.public_key)).authorize()

    return authorize


def _chain_work(objects: _Objects) -> Work:
    """Opens mandate, links and request, verifies four signatures, judges that every link narrows, and every constraint."""
    parties, at = objects.cast.parties(), instant(NOW)

    def chain(work: tuple[act.Payment, Purchase]) -> Chain:
        payment, purchase = work
        request, unverified = open_request(payment.request), open_chain(payment.chain)
        request.check_signature(unverified.holder)
        proven = unverified.authenticate(parties)
        proven.permits(purchase)
        proven.limits(at)
        return proven

    purchases = [(payment, purchase_at(authenticate(payment, parties), at)) for payment in objects.payments]
    return each(chain, cycle(purchases))


def _works() -> dict[str, Work]:
    objects = _objects(16, _EVERY_CONSTRAINT)
    parties = objects.cast.parties()
    question = Question(LEDGER, instant(NOW), parties.expires_at)
    opened = open_chain(objects.payments[0].chain).root.opened
    signed, key = opened.signature + opened.signing_input, objects.cast.wallet.public_key.raw
    cache = ChainCache()
    works: dict[str, Work] = {
        _YARDSTICK: lambda: crypto_sign_open(signed, key),
        _CHAIN: _chain_work(_objects(16, _ACTS_OWN)),
        _EVERY: _chain_work(objects),
        "with its order, from bytes to what to reserve": each(
            lambda payment: decide(authenticate(payment, parties), question), cycle(objects.payments)
        ),
        "with its order, chain known": each(
            lambda payment: decide(authenticate(payment, parties, cache), question), cycle(objects.payments)
        ),
        _ONE: _biscuit(1),
        _THREE: _biscuit(3),
    }
    for work in works.values():
        for _ in objects.payments:
            work()
    return works


def _cells(row: _Row, timings: Timings) -> tuple[str, ...]:
    ratio = timings.ratio(row.work, _YARDSTICK, row.signatures)
    return (
        row.work,
        f"{timings.median_us(row.work):.1f}",
        str(row.signatures),
        f"{timings.median_us(row.work) / row.signatures:.1f}",
        f"{ratio:.2f}",
        f"{row.target:.1f}" if row.target else "",
        verdict(ratio, row.target) if row.target else "",
    )


def report(*, quick: bool = False) -> str:
    """The table of chains."""
    effort = QUICK if quick else FULL
    timings = interleaved(_works(), effort)
    return render(
        "chains: a sub-agent of a sub-agent pays, decided without storage",
        ("work", "median us", "signatures", "us each", "ratio", "target", "met"),
        [_cells(row, timings) for row in _ROWS],
        (
            "ratio: to as many raw verifications as the object has signatures, the median of the rounds' ratios.",
            "ACT's constraints: 16 in the mandate; every constraint: all 26 there are. Each link narrows; keys seen before.",
            f"Raw verification: crypto_sign_open of PyNaCl {nacl.__version__} on a message of the mandate's size.",
            "Biscuit: biscuit-python; it checks amount, payee and time, one more in each further block; a signature per block.",
        ),
    )

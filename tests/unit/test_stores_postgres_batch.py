"""act.stores.postgres: a batch of reservations comes out as one by one, and its receipts are those of the library.

What is compared with is the transaction that both stores share, which knows nothing of batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from itertools import product
from typing import Any, cast

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from act.calendar import Window
from act.delegation.limits import Limit, Unit
from act.envelope.objects import rebuild
from act.errors import Refused, StoreFault
from act.payment.charge import HOLD_SECONDS, ChargeRecord
from act.payment.ledger import MandateRecord, Outcome
from act.payment.verifier import LinkRecord, ReservationRequest
from act.stores.postgres import PostgresLedger, reserving
from act.stores.postgres.reserving import prepare
from act.stores.sql import reservation as shared
from act.stores.sql.batches import Ticket
from act.stores.sql.ledger import SqlLedger
from act.wire import cbor
from tests.support.fold import audit
from tests.support.places import Rows, SchemaPlace
from tests.support.postgres import PostgresServer
from tests.support.reservations import MAKE_RECEIPT, digest, limit, mandate, reservation
from tests.support.world import AGENT, NOW_SECONDS, OTHER_AGENT, OTHER_SHOP, PSP, SHOP

COLD, REVOKED, ENDED = (5, 6), (7, 8), (9, 10)
"""Mandates that nothing was paid under, that were revoked, and that have a hold which ended. 1 to 4 are in use."""


@pytest.fixture(autouse=True)
def _charges_are_named_after_their_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that two ledgers that were asked the same hold the same bytes."""
    new_charge = shared.new_charge

    def named(request: ReservationRequest) -> ChargeRecord:
        return replace(new_charge(request), id=f"ch_{sha256(request.request_identity).hexdigest()[:32]}")

    monkeypatch.setattr(shared, "new_charge", named)
    monkeypatch.setattr(reserving, "new_charge", named)


@dataclass(frozen=True)
class Asked:
    """One reservation of a batch."""

    number: int
    mandate: int
    amount: int
    order_no: str
    payee: str
    agent_id: str
    at: int
    chain: int
    forged: bool

    def record(self) -> MandateRecord:
        return mandate(self.mandate, identity=digest("forged", self.mandate) if self.forged else None)

    def request(self) -> ReservationRequest:
        asked = reservation(
            self.number,
            self.amount,
            of=self.record(),
            limits=limits(self.mandate, self.chain, self.at),
            order_no=self.order_no,
            payee=self.payee,
            agent_id=self.agent_id,
            at=self.at,
        )
        return cast(ReservationRequest, replace(cast(Any, asked), links=links(self.chain), tzdata_version="2025b"))


def links(chain: int) -> tuple[LinkRecord, ...]:
    return tuple(LinkRecord(f"link-{each}", digest("link", each), OTHER_AGENT) for each in range(chain))


def limits(number: int, chain: int, at: int) -> list[Limit]:
    """Those of the mandate, and for each link of the chain two of its own."""
    day = Window(NOW_SECONDS - 3_600, NOW_SECONDS + 86_400, "2026-02-06")
    slides = Limit("ext.quota.week~600", 3_000, "period_amount_exceeded", sliding_seconds=600, since=at - 600)
    own = [
        limit(6_000),
        Limit("ext.quota.day.max_amount@2026-02-06", 4_000, "period_amount_exceeded", window=day),
        Limit("ext.quota.times", 7, "times_limit_exceeded", Unit.TIMES),
        slides,
    ]
    if number % 3 == 0:
        own = own[:1]
    below = [each.below(digest("link", link).hex()) for link in range(chain) for each in (limit(2_500), slides)]
    return [*own, *below]


batches = st.lists(
    st.builds(
        Asked,
        number=st.integers(1, 9),
        mandate=st.sampled_from([1, 1, 1, 2, 2, 3, 4, *COLD, *REVOKED, *ENDED]),
        amount=st.integers(1, 1_200) | st.sampled_from([1, 23, 24, 255, 256, 3_000, 6_001]),
        order_no=st.sampled_from([f"T-{number}" for number in range(8)]),
        payee=st.sampled_from([SHOP, OTHER_SHOP]),
        agent_id=st.sampled_from([AGENT, AGENT, OTHER_AGENT]),
        at=st.sampled_from([NOW_SECONDS, NOW_SECONDS + 500, NOW_SECONDS + 700, NOW_SECONDS - 10]),
        chain=st.sampled_from([0, 0, 1, 2]),
        forged=st.sampled_from([False] * 9 + [True]),
    ),
    min_size=1,
    max_size=14,
)


def prepared_ledger(place: SchemaPlace) -> PostgresLedger:
    """A ledger that the mandates of these tests were used in."""
    ledger = place.open()
    ledger.bind(PSP)
    for number in (1, 2, 3, 4, *REVOKED):
        plain(ledger, Asked(100 + number, number, 30, f"before-{number}", SHOP, AGENT, NOW_SECONDS, number % 3, False))
    for number in ENDED:
        at = NOW_SECONDS - HOLD_SECONDS
        plain(ledger, Asked(100 + number, number, 500, f"T-{number % 8}", SHOP, AGENT, at, 0, False))
    for number in REVOKED:
        ledger.revoke(mandate(number), NOW_SECONDS, MAKE_RECEIPT)
    return ledger


def plain(ledger: PostgresLedger, asked: Asked) -> Outcome:
    """The transaction that SQLite runs as well."""
    return SqlLedger.reserve(ledger, asked.request(), asked.record(), MAKE_RECEIPT)


def told(call: Callable[[], Outcome]) -> tuple[Any, ...]:
    """Everything that whoever asked is told."""
    try:
        outcome = call()
    except Refused as refusal:
        return refusal.code, refusal.where, dict(refusal.facts)
    recorded = outcome.refusal and (outcome.refusal.code, outcome.refusal.where, dict(outcome.refusal.facts))
    return outcome.charge, recorded, outcome.replayed, outcome.receipt


def at_once(ledger: PostgresLedger, batch: Sequence[Asked]) -> list[Ticket[reserving.Reservation]]:
    tickets = [Ticket(prepare(each.request(), each.record(), MAKE_RECEIPT)) for each in batch]
    ledger._reserve_all(tickets)
    return tickets


def result(ticket: Ticket[Any]) -> Outcome:
    if ticket.error is not None:
        raise ticket.error
    outcome: Outcome = ticket.result
    return outcome


def rows(place: SchemaPlace) -> Rows:
    """Every row, the account by the order of its name instead of the number that was drawn for it."""
    found = place.snapshot()
    numbers = {account: -index for index, (account, *_) in enumerate(sorted(found["account"], key=lambda row: row[1:]), 1)}
    return {
        table: sorted([tuple([numbers.get(value, value) for value in row]) for row in each], key=repr)
        for table, each in found.items()
    }


@pytest.fixture(scope="module")
def server(postgres: PostgresServer) -> PostgresServer:
    return postgres


@settings(max_examples=25, phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink])
@given(batch=batches)
def test_a_batch_comes_out_as_one_by_one(server: PostgresServer, batch: list[Asked]) -> None:
    together, alone = SchemaPlace(server), SchemaPlace(server)
    with prepared_ledger(together) as ledger, prepared_ledger(alone) as other:
        assert rows(together) == rows(alone)
        keyed = sorted(
            [(prepare(each.request(), each.record(), MAKE_RECEIPT).order, each) for each in batch], key=lambda k: k[0]
        )
        ordered = [each for _, each in keyed]
        expected = [told(partial(plain, other, each)) for each in ordered]
        found = [told(partial(result, ticket)) for ticket in at_once(ledger, ordered)]
        assert found == expected
        assert rows(together) == rows(alone)
        assert audit(together) == audit(alone)
    together.drop()
    alone.drop()


@pytest.mark.parametrize("order_no, cap, amount", [("ok-2\0", 6_000, 10), ("ok-2", 2**40, 6_000)])
def test_one_that_the_database_cannot_take_does_not_take_the_others_along(
    postgres: PostgresServer, order_no: str, cap: int, amount: int
) -> None:
    """PostgreSQL knows no text with U+0000 in it, and who forgets the cap is stopped by a CHECK."""
    place = SchemaPlace(postgres)
    with prepared_ledger(place) as ledger:
        good = [Asked(n, 1, 10, f"ok-{n}", SHOP, AGENT, NOW_SECONDS, 0, False) for n in (1, 3)]
        bad = reservation(2, amount, limits=[limit(cap)], order_no=order_no)
        tickets = [Ticket(prepare(each.request(), each.record(), MAKE_RECEIPT)) for each in good]
        tickets.insert(1, Ticket(prepare(bad, mandate(), MAKE_RECEIPT)))
        ledger._reserve_all(list(tickets))
        assert isinstance(tickets[1].error, StoreFault)
        assert all(result(tickets[at]).charge is not None for at in (0, 2))
    audit(place)
    place.drop()


# --- receipts ------------------------------------------------------------------------------------------------------------

NUMBERS = [0, 1, 23, 24, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**53 - 1, 2**53, 2**63 - 1]


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_are_encoded_as_the_library_does(postgres: PostgresServer, number: int) -> None:
    with functions(postgres) as connection:
        ask = "SELECT receipt_number(%s::bigint, false), receipt_number(%s::bigint, true)"
        assert connection.execute(ask, (number, number)).fetchone() == (cbor.encode(number), str(number).encode())


@pytest.mark.parametrize("length", [0, 1, 23, 24, 255, 256, 257, 16_384, 32_768])
@pytest.mark.parametrize("jose", [False, True])
def test_what_is_signed_is_what_the_library_signs(postgres: PostgresServer, length: int, jose: bool) -> None:
    payload = bytes(range(256)) * (length // 256 + 1)
    payload = payload[:length]
    sample = MAKE_RECEIPT(entry_of(2 if jose else 1))
    sealed = rebuild(sample.protected, payload)
    given = sample.protected if jose else cbor.encode(sample.protected)
    with functions(postgres) as connection:
        row = connection.execute("SELECT sha256(receipt_signing_input(%s, %s, %s))", (given, payload, jose)).fetchone()
    assert row == (sealed.identity,)


WIDE = [0, 22, 23, 24, 254, 255, 256, 65_534, 65_535, 65_536, 2**32 - 2, 2**32 - 1, 2**32]


@pytest.mark.parametrize(
    "number, cap, stands", [*product([1, 2], [2**53 - 1], WIDE), *product([1], [2**63 - 1], [2**53, 2**62])]
)
def test_counters_and_sequences_of_any_width_stand_in_the_receipt(
    postgres: PostgresServer, number: int, cap: int, stands: int
) -> None:
    """The same numbers in two ledgers: one asks the function, the other makes the receipt itself."""
    names = ("max_total_amount", "ext.quota.day", "ext.quota.week")
    one, two = (reservation(at, 1, of=mandate(number), limits=[limit(cap, name) for name in names]) for at in (1, 2))
    answers = []
    for reserve in (PostgresLedger.reserve, SqlLedger.reserve):
        place = SchemaPlace(postgres)
        with place.open() as ledger:
            reserve(ledger, one, mandate(number), MAKE_RECEIPT)
            with place.connect() as connection:
                connection.execute("UPDATE counter SET held = %s, captured = %s", (stands, min(stands, 2**52)))
                connection.execute("UPDATE mandate SET last_sequence = %s", (max(stands, 1),))
            answers.append(told(partial(reserve, ledger, two, mandate(number), MAKE_RECEIPT)))
        place.drop()
    assert answers[0][0] is not None
    assert answers[0] == answers[1]


def entry_of(number: int) -> Any:
    request = reservation(1, of=mandate(number))
    return shared.reserved_entry(mandate(number), request, shared.new_charge(request), 1, None, ())


@contextmanager
def functions(server: PostgresServer) -> Iterator[Any]:
    """A connection that sees the functions of a ledger's schema."""
    place = SchemaPlace(server)
    with place.open() as ledger:
        ledger.owner()
    with place.connect() as connection:
        yield connection
    place.drop()

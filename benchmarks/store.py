"""How many reservations SQLite takes, beside the least that any ledger on SQLite would have to write, and beside SQLite alone.

The first yardstick is a bare transaction: a key against replay, a counter with its cap, a row for the charge, in SQL written by
hand, on a file with the same durability. It signs nothing, keeps no entries and could not be audited. How many times as much a
ledger costs depends on the disk, whose fsync is the same for both; so both are measured with a slower one as well, whose fsync
takes a millisecond: imitated, as in `benchmarks.groups`, by a pause in every commit.

The second one is a transaction that keeps the same records: the ledger's own statements with their values, executed by nobody
but sqlite3. What a ledger costs beyond that is its code; what that costs beyond the first is its records.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import cycle
from pathlib import Path
from textwrap import wrap
from typing import Final, NamedTuple

import act
from act.payment.ledger import MandateRecord, ReceiptMaker
from act.payment.receipt import receipt_maker
from act.payment.verifier import ReservationRequest
from benchmarks.groups import SLOW_SECONDS, slow_disk
from benchmarks.measure import Effort, Timings, Work, each, interleaved
from benchmarks.milk_tea import CURRENCY, LEDGER, NOW, Cast
from benchmarks.replay import Statement, recorded, replayed
from benchmarks.table import render, verdict

__all__ = ["report"]

FULL: Final = Effort(rounds=15, turns=2, calls=25)
QUICK: Final = Effort(rounds=2, turns=1, calls=2)
WARM_UP: Final = 20

BARE_TABLES: Final = """
CREATE TABLE request (id BLOB PRIMARY KEY, identity BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE counter (mandate INTEGER PRIMARY KEY, cap INTEGER NOT NULL, held INTEGER NOT NULL) STRICT;
CREATE TABLE charge (id TEXT PRIMARY KEY, mandate INTEGER, payee TEXT, order_no TEXT, amount INTEGER) STRICT, WITHOUT ROWID;
INSERT INTO counter VALUES (1, 9000000000, 0);
"""
BARE_TRANSACTION: Final = (
    "BEGIN IMMEDIATE",
    "SELECT identity FROM request WHERE id = ?",
    "UPDATE counter SET held = held + ? WHERE mandate = ? AND held + ? <= cap",
    "INSERT INTO request VALUES (?, ?)",
    "INSERT INTO charge VALUES (?, ?, ?, ?, ?)",
    "COMMIT",
)
_HOT_TOTAL: Final = "10000000.00"
_FSYNC, _BARE, _LEDGER = "one page to disk", "bare transaction", "ledger alone, one hot mandate"
_SAME: Final = "bare transaction, the ledger's records"
_SLOW_BARE, _SLOW_LEDGER = "1 ms fsync, bare transaction", "1 ms fsync, ledger alone, one hot mandate"
TARGET: Final = 1.6
WIDTH: Final = 128
_PAGE_BYTES, _FILE_PAGES = 4_096, 1_000


class _Prepared(NamedTuple):
    """What `Ledger.reserve` is called with."""

    request: ReservationRequest
    mandate: MandateRecord
    make_receipt: ReceiptMaker


class _Stage:
    """Payments made beforehand, and files to write them to."""

    def __init__(self, folder: Path, stack: ExitStack, count: int) -> None:
        self._folder = folder
        self._stack = stack
        self._count = count
        self._cast = Cast.fresh()
        self._parties = self._cast.parties()
        self._orders = 0

    def payments(self, *, cold: bool) -> list[act.Payment]:
        """As many payments as there will be calls: each under a mandate of its own, or all under one."""
        hot = None if cold else self._cast.mandate(max_total_amount=_HOT_TOTAL)
        made = []
        for _ in range(self._count):
            self._orders += 1
            made.append(self._cast.payment(hot or self._cast.mandate(), self._cast.order(self._orders)))
        return made

    def ledger(self, seconds: float = 0.0) -> act.SqliteLedger:
        """A ledger in a new file, whose commits take so much longer."""
        with slow_disk(seconds):
            ledger = self._stack.enter_context(closing(act.SqliteLedger(self._path())))
            ledger.bind(LEDGER)  # which opens the file
        return ledger

    def authorize(self, *, cold: bool) -> Work:
        """The whole path: verify, reserve, sign the receipt."""
        service = act.PaymentService(
            LEDGER, parties=self._parties, ledger=self.ledger(), signer=self._cast.psp, clock=lambda: NOW
        )
        return each(service.authorize, self.payments(cold=cold))

    def reserve(self, *, cold: bool, seconds: float = 0.0) -> Work:
        """The ledger's part of it."""
        ledger = self.ledger(seconds)
        return each(lambda call: ledger.reserve(*call), self._prepared(cold=cold))

    def _prepared(self, *, cold: bool) -> list[_Prepared]:
        make_receipt = receipt_maker(LEDGER, "wallet.example", self._cast.psp)
        prepared = []
        for payment in self.payments(cold=cold):
            request = act.verify_payment(payment, parties=self._parties, ledger=LEDGER, at=NOW)
            root = act.verify_mandate(payment.chain[0], parties=self._parties, at=NOW).root
            mandate = MandateRecord(request.request.mandate, root.identity, root.mandate.agent_id, CURRENCY, request.at + 3_600)
            prepared.append(_Prepared(request, mandate, make_receipt))
        return prepared

    def replay(self) -> tuple[Work, list[Statement]]:
        """The second yardstick, and the statements of the first payment that finds its mandate pinned."""
        with recorded() as statements:
            ledger = self.ledger()
        statements.clear()
        ends = []
        for call in self._prepared(cold=False):
            ledger.reserve(*call)
            ends.append(len(statements))
        file = self._path()
        with closing(act.SqliteLedger(file)) as empty:
            empty.bind(LEDGER)
        connection = self._stack.enter_context(closing(sqlite3.connect(file, isolation_level=None)))
        connection.executescript("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF")
        return replayed(connection, statements), statements[ends[0] : ends[1]]

    def bare(self, seconds: float = 0.0) -> Work:
        """The yardstick."""
        connection = self._stack.enter_context(closing(sqlite3.connect(self._path(), isolation_level=None)))
        connection.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; {BARE_TABLES}")
        numbers = iter(range(self._count))

        def transact() -> None:
            request_id, charge = secrets.token_bytes(16), f"ch_{secrets.token_hex(16)}"
            begin, look, count, remember, charged, commit = BARE_TRANSACTION
            connection.execute(begin)
            assert connection.execute(look, (request_id,)).fetchone() is None
            assert connection.execute(count, (1_800, 1, 1_800)).rowcount == 1
            connection.execute(remember, (request_id, secrets.token_bytes(32)))
            connection.execute(charged, (charge, 1, "teashop.example", f"T-{next(numbers)}", 1_800))
            connection.execute(commit)
            if seconds:
                time.sleep(seconds)

        return transact

    def fsync(self) -> Work:
        """What the disk takes for the least that lasts: a page written over another one, as a log that is used again does."""
        file = self._stack.enter_context(self._path().open("w+b", buffering=0))
        file.write(bytes(_FILE_PAGES * _PAGE_BYTES))
        os.fsync(file.fileno())
        places = cycle(range(_FILE_PAGES))

        def overwrite() -> None:
            file.seek(next(places) * _PAGE_BYTES)
            file.write(secrets.token_bytes(_PAGE_BYTES))
            os.fdatasync(file.fileno())

        return overwrite

    def _path(self) -> Path:
        return self._folder / f"{secrets.token_hex(4)}.db"


@contextmanager
def _works(effort: Effort) -> Iterator[tuple[dict[str, Work], list[Statement]]]:
    with tempfile.TemporaryDirectory(prefix="act-benchmark-") as folder, ExitStack() as stack:
        stage = _Stage(Path(folder), stack, effort.calls_in_all + WARM_UP)
        same, statements = stage.replay()
        works = {
            _FSYNC: stage.fsync(),
            _BARE: stage.bare(),
            _SAME: same,
            _LEDGER: stage.reserve(cold=False),
            "ledger alone, a new mandate each": stage.reserve(cold=True),
            "authorize, one hot mandate": stage.authorize(cold=False),
            "authorize, a new mandate each": stage.authorize(cold=True),
            _SLOW_BARE: stage.bare(SLOW_SECONDS),
            _SLOW_LEDGER: stage.reserve(cold=False, seconds=SLOW_SECONDS),
        }
        for work in works.values():
            for _ in range(WARM_UP):
                work()
        yield works, statements


def _cells(name: str, timings: Timings) -> tuple[str, ...]:
    microseconds = timings.median_us(name)
    return name, f"{1_000_000 / microseconds:,.0f}", f"{microseconds:.0f}", f"{_times_bare(name, timings):.2f}"


def _times_bare(name: str, timings: Timings) -> float:
    """Against the bare transaction on the same disk."""
    return timings.ratio(name, _SLOW_BARE if name in {_SLOW_BARE, _SLOW_LEDGER} else _BARE)


def _within(times: float) -> str:
    return f"{times:.2f} (at most {TARGET}: {verdict(times, TARGET)})"


def _wrapped(statement: str) -> list[str]:
    return wrap(f"{statement};", WIDTH, initial_indent="    ", subsequent_indent="        ")


def report(*, quick: bool = False) -> str:
    """The table of reservations."""
    effort = QUICK if quick else FULL
    with _works(effort) as (works, statements):
        timings = interleaved(works, effort)
    return render(
        "store: reservations on SQLite (WAL, synchronous=FULL), one connection, one commit each",
        ("work", "per second", "median us", "x bare"),
        [_cells(name, timings) for name in works],
        (
            f"median us: of {effort.rounds} rounds; x bare: the median of the rounds' ratios to the bare transaction there.",
            "Ledger alone, against the bare transaction that is",
            f"  the least, 1 ms fsync: {_within(_times_bare(_SLOW_LEDGER, timings))};",
            f"  the least, this disk: {_within(_times_bare(_LEDGER, timings))};",
            f"  with the ledger's records, this disk: {_within(timings.ratio(_LEDGER, _SAME))}.",
            "Ledger alone: replay, pin, lifecycle, order, limits, charge, entry and unsigned receipt. Authorize: that, all",
            "signatures and rules before it, and the receipt's signature after it. The bare transaction, the least, is:",
            *(f"    {statement};" for statement in BARE_TRANSACTION),
            "With the ledger's records it is what the ledger executes, by sqlite3 alone:",
            *(line for statement, _, _ in statements for line in _wrapped(statement)),
        ),
    )

"""A fixed day at a ledger: what is asked of it, and every row that then stands in its file.

The charges' ids are drawn the same each time, so that a day which was interrupted and taken up again has to end with the very
rows of one that was not.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, TypeAlias
from unittest import mock

from act.delegation.constraints import VOID
from act.payment.charge import HOLD_SECONDS
from act.payment.ledger import MandateRecord, Outcome
from act.stores.sql import charges
from act.stores.sqlite import SqliteLedger
from tests.support.reservations import MAKE_RECEIPT, limit, mandate, reservation
from tests.support.world import NOW_SECONDS, PSP

__all__ = ["DAY", "LEDGER", "Answer", "Contents", "Till", "contents", "is_question", "is_replayed"]

LEDGER: Final = "ledger.db"

Answer: TypeAlias = tuple[Any, ...]
Contents: TypeAlias = Mapping[str, list[tuple[Any, ...]]]
_Step: TypeAlias = Callable[["Till"], Answer]

_BEFORE: Final = NOW_SECONDS - HOLD_SECONDS
_LIMITS: Final = (limit(20_000), limit(9_000, "ext.quota.day"))
_VOIDING: Final = replace(mandate(3), on_revoke=VOID)


class Till:
    """A ledger in a folder that is asked a day's questions, by their numbers."""

    def __init__(self, folder: Path) -> None:
        self._path: Final = folder / LEDGER
        self.ledger = SqliteLedger(self._path)

    def close(self) -> None:
        """Closes the file."""
        self.ledger.close()

    def reopen(self) -> None:
        """Closes the file and opens it again, as a new process would."""
        self.ledger.close()
        self.ledger = SqliteLedger(self._path)

    def ask(self, number: int) -> Answer:
        """Asks one question of the day. Raises what the ledger raises."""
        with mock.patch.object(charges, "new_id", lambda at: f"ch_{at:010x}{_id(number)}"):
            return DAY[number](self)


def contents(folder: Path) -> Contents | None:
    """Every row of a ledger's file, by table; None where there is no file."""
    if not (folder / LEDGER).exists():
        return None
    with closing(sqlite3.connect(folder / LEDGER)) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        rows = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in names}  # noqa: S608
    return {name: found for name, found in rows.items() if found}


def is_replayed(answer: Answer) -> bool | None:
    """Whether the ledger says that this was decided before; None where it says nothing of that."""
    replayed: bool | None = answer[-1]
    return replayed


def is_question(number: int) -> bool:
    """Whether it is asked of the ledger; the others only close the file and open it again."""
    return DAY[number] is not _reopen


def _id(number: int) -> str:
    return sha256(b"%d" % number).hexdigest()[:22]


def _charge(reserved: int) -> str:
    """The id of the charge that a question of this day, asked now, was answered with."""
    return f"ch_{NOW_SECONDS:010x}{_id(reserved)}"


def _told(outcome: Outcome) -> Answer:
    code = None if outcome.refusal is None else outcome.refusal.code
    return outcome.receipt.payload, outcome.charge, code, outcome.replayed


def _bind(till: Till) -> Answer:
    till.ledger.bind(PSP)
    return till.ledger.owner(), None


def _reserve(number: int, amount_minor: int, of: MandateRecord, at: int = NOW_SECONDS) -> _Step:
    asked = reservation(number, amount_minor, of=of, limits=_LIMITS, at=at)
    return lambda till: _told(till.ledger.reserve(asked, of, MAKE_RECEIPT))


def _capture(reserved: int, amount_minor: int, number: str | None = None) -> _Step:
    charge = _charge(reserved)
    return lambda till: _told(till.ledger.capture(charge, amount_minor, NOW_SECONDS, MAKE_RECEIPT, capture_no=number))


def _void(reserved: int) -> _Step:
    return lambda till: _told(till.ledger.void(_charge(reserved), NOW_SECONDS, MAKE_RECEIPT))


def _refund(reserved: int, amount_minor: int, number: str) -> _Step:
    return lambda till: _told(till.ledger.refund(_charge(reserved), amount_minor, number, NOW_SECONDS, MAKE_RECEIPT))


def _expire(till: Till) -> Answer:
    return tuple(_told(each)[0] for each in till.ledger.expire(NOW_SECONDS, 10, MAKE_RECEIPT)), None


def _revoke(of: MandateRecord) -> _Step:
    return lambda till: _told(till.ledger.revoke(of, NOW_SECONDS, MAKE_RECEIPT))


def _reopen(till: Till) -> Answer:
    till.reopen()
    return (None,)


DAY: Final[tuple[_Step, ...]] = (
    _bind,
    _reserve(1, 3_000, mandate(1)),
    _capture(1, 1_000, "S-1"),
    _reserve(2, 1_800, _VOIDING),
    _capture(1, 500, "S-2"),
    _capture(1, 700),
    _refund(1, 400, "R-1"),
    _reserve(3, 900, mandate(2), _BEFORE),  # has ended by now
    _reserve(4, 2_500, mandate(1)),
    _void(8),
    _reopen,
    _expire,
    _reserve(5, 9_000, mandate(1)),  # refused, and recorded
    _reserve(6, 600, _VOIDING),
    _capture(13, 600),
    _revoke(_VOIDING),  # voids what is held
    _reserve(7, 100, _VOIDING),  # refused, and recorded
    _refund(13, 600, "R-1"),
    _reserve(8, 1_200, mandate(1)),
    _reopen,
    _reserve(9, 300, mandate(2)),
)
"""What is asked, in this order; a later one names an earlier reservation by its place. Each is one transaction at most."""

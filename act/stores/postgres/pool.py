"""Connections that the threads of a process share: made by the thread that finds none, kept for the next one.

There is no thread of its own, so a server that cannot be reached says why at once, to whoever asked.
"""

from __future__ import annotations

import contextlib
import selectors
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

import psycopg
from psycopg.pq import TransactionStatus

from act.errors import StoreFault

__all__ = ["Pool"]

Connection = psycopg.Connection[Any]


class Pool:
    """At most so many connections, the last used first. `place` is what errors call it; For `seconds` it waits for one."""

    def __init__(self, connect: Callable[[], Connection], place: str, *, most: int, seconds: float) -> None:
        self._connect: Final = connect
        self._place: Final = place
        self._seconds: Final = seconds
        self._free: Final = threading.BoundedSemaphore(most)
        self._guard: Final = threading.Lock()
        self._idle: list[Connection] = []
        self._is_closed = False

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection on which no transaction is open. Raises `StoreFault` store_busy, store_unavailable once the pool is
        closed, and what psycopg raises."""
        if not self._free.acquire(timeout=self._seconds):
            raise StoreFault("store_busy", self._place, reason="every connection is in use")
        try:
            connection = self._living() or self._connect()
            try:
                yield connection
            finally:
                self._give_back(connection)
        finally:
            self._free.release()

    def close(self) -> None:
        """Ends the idle connections; those in use end when they are given back."""
        with self._guard:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def forget(self) -> None:
        """What a child process does instead of `close`: the connections are its parent's, and go on."""
        self._is_closed = True
        self._idle = []

    def _living(self) -> Connection | None:
        """A kept connection that the server still answers on; None if there is none."""
        while True:
            with self._guard:
                if self._is_closed:
                    raise StoreFault("store_unavailable", self._place, reason="the ledger is closed")
                if not self._idle:
                    return None
                connection = self._idle.pop()
            if _answers(connection):
                return connection
            connection.close()

    def _give_back(self, connection: Connection) -> None:
        if connection.info.transaction_status == TransactionStatus.IDLE:
            with self._guard:
                if not self._is_closed:
                    self._idle.append(connection)
                    return
        connection.close()


def _answers(connection: Connection) -> bool:
    """Whether the server ended a connection that nobody used. It says so where nothing is expected, so only then it is asked:
    a question before every call would cost each its way to the server and back."""
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(connection.fileno(), selectors.EVENT_READ)
            if selector.select(0):
                connection.execute("SELECT 1")
    except (psycopg.Error, OSError, ValueError):
        return False
    return True

"""Work done by several processes at once, as by the workers of a server."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from typing import Final

from benchmarks.measure import undisturbed

__all__ = ["elapsed_seconds"]

Prepared = Callable[[int], AbstractContextManager[Callable[[], object]]]
"""Takes a process's number, from 0 on, and prepares its work, which is not measured."""

READY_SECONDS: Final = 60.0


def elapsed_seconds(processes: int, prepared: Prepared) -> float:
    """Seconds from when the first of them began its work, all being prepared, until the last was done. One needs no process
    beside this. They are forked, so that they have what this one has. Raises `EOFError` when one ends without a result."""
    if processes == 1:
        with prepared(0) as work:
            began, ended = _timed(work)
        return ended - began
    context = multiprocessing.get_context("fork")
    ready = context.Barrier(processes)
    workers, results = [], []
    for number in range(processes):
        result, send = context.Pipe(duplex=False)
        worker = context.Process(target=_work, args=(number, prepared, ready, send))
        worker.start()
        send.close()  # the worker's end is then the only one: if it dies, so does the pipe
        workers.append(worker)
        results.append(result)
    try:
        times: list[tuple[float, float]] = [result.recv() for result in results]
    finally:
        for worker in workers:
            worker.join()
    return max(ended for _, ended in times) - min(began for began, _ in times)


def _work(number: int, prepared: Prepared, ready: Barrier, send: Connection) -> None:
    try:
        with prepared(number) as work:
            ready.wait(READY_SECONDS)
            send.send(_timed(work))
    except BaseException:
        ready.abort()  # the others need not wait for it
        raise


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    with undisturbed():
        began = time.perf_counter()
        work()
        return began, time.perf_counter()

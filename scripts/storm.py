"""Many clients at one ledger at once, and what is true afterwards.

`python -m scripts.storm --store postgres --clients 64 --attempts 1000000` runs the whole storm, on a ledger (and for PostgreSQL
on a server) of its own in a temporary folder. It prints a table and exits with 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.table import render
from tests.support.aftermath import Aftermath, aftermath
from tests.support.places import FilePlace, Place, SchemaPlace
from tests.support.postgres import PostgresServer
from tests.support.storm import Told, raise_storm
from tests.support.weather import Weather

SHOWN = 20  # of what is wrong
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


@contextlib.contextmanager
def _place(store: str) -> Iterator[Place]:
    if store == "sqlite":
        with tempfile.TemporaryDirectory(prefix="act-storm-") as folder:
            yield FilePlace(Path(folder) / "ledger.db")
        return
    server = PostgresServer()
    try:
        yield SchemaPlace(server)
    finally:
        server.stop()


def _progress(done: int, of: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done:,} of {of:,}", end="\r" if done < of else "\n", file=sys.stderr, flush=True)


def _table(arguments: argparse.Namespace, told: Told, found: Aftermath, deadlocks: int | None) -> str:
    rows = [
        ("attempts to reserve", f"{told.attempts:,}"),
        ("seconds", f"{told.seconds:,}"),
        ("attempts per second", f"{told.attempts // max(told.seconds, 1):,}"),
        *((code, f"{count:,}") for code, count in sorted(told.codes.items())),
        *((f"store fault, asked again: {code}", f"{count:,}") for code, count in sorted(told.faults.items())),
        ("mandates", f"{found.audit.mandates:,}"),
        *((f"entries {kind}", f"{count:,}") for kind, count in sorted(found.audit.entries.items())),
        ("minor units (or times) over any limit", f"{found.over_limit:,}"),
        ("acknowledged outcomes", f"{len(told.answers) + len(told.moves) + len(told.revoked):,}"),
        ("audit's disagreements", f"{len(found.audit.disagreements):,}"),
        ("found wrong in all", f"{len(found.wrong):,}"),
    ]
    if deadlocks is not None:
        rows.append(("deadlocks", f"{deadlocks:,}"))
    title = f"storm: {arguments.clients} clients in {arguments.processes} processes on {arguments.store}, seed {arguments.seed}"
    return render(title, ("what", "count"), rows, found.wrong[:SHOWN])


def main() -> int:
    """Run one storm; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", choices=["sqlite", "postgres"], required=True)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--attempts", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=64)
    arguments = parser.parse_args()
    weather = Weather(arguments.seed, arguments.clients, arguments.attempts // arguments.clients)
    with _place(arguments.store) as place:
        told = raise_storm(place, weather, arguments.processes, _progress)
        found = aftermath(place, weather, told)
        deadlocks = place.rows(DEADLOCKS)[0][0] if arguments.store == "postgres" else None
    print(_table(arguments, told, found, deadlocks))
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())

"""`python -m benchmarks`: every program, or those that are named."""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable, Sequence

from benchmarks import chains, decision, groups, growth, postgres, size, store
from scripts import compiled

PROGRAMS: dict[str, Callable[..., str]] = {
    "decision": decision.report,
    "chains": chains.report,
    "store": store.report,
    "groups": groups.report,
    "growth": growth.report,
    "postgres": postgres.report,
    "size": size.report,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the tables asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measures, and prints tables.")
    parser.add_argument("names", metavar="name", nargs="*", help=f"one of {', '.join(PROGRAMS)} (all of them if none is named)")
    parser.add_argument("--quick", action="store_true", help="a few calls only: shows that it runs, not how fast")
    options = parser.parse_args(arguments)
    for name in options.names:
        if name not in PROGRAMS:
            parser.error(f"there is no {name!r}; choose from {', '.join(PROGRAMS)}")
    try:
        compiled.require_current()
    except RuntimeError as error:
        parser.error(str(error))
    built = f"built {platform.python_build()[1]} with {platform.python_compiler()}"
    print(f"Python {platform.python_version()}, {built}, {platform.system()} {platform.machine()}; {compiled.standing()}")
    for name in options.names or PROGRAMS:
        print(f"\n{PROGRAMS[name](quick=options.quick)}", flush=True)


if __name__ == "__main__":
    main()

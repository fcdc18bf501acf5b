"""What every test shares: how hard Hypothesis searches, and where the shared files lie.

Environment:
    CI=true                       the same examples every time; a missing shared file is a failure, never a skip
    ACT_HYPOTHESIS_PROFILE=slow   the long search, see below; the properties then count as slow tests
    ACT_EDGE_VECTORS              folder of the published signature edge cases (default: ../shared/vectors)
    ACT_ARTIFACTS                 folder of ACT's published schemas and examples (default: ../shared/act-artifacts)

The slow profile gives 100,000 examples to the properties that are marked `promised` (`tests/support/choices.py`), to each of
their constraints where they have one test for each, and 10,000 to the others; `_BRIEF` is that number. An example there is made
of one seed instead of many choices. Fewer have those whose examples are histories of many steps or walks through decades: what
they say themselves. The default profile searches with Hypothesis's own 100.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from scripts import compiled
from tests.support.postgres import PostgresServer

ROOT = Path(__file__).resolve().parent.parent
IN_CI = os.environ.get("CI", "").lower() in {"1", "true"}
PROFILE = os.environ.get("ACT_HYPOTHESIS_PROFILE", "default")

# A time limit per example would test the machine, so there is none.
settings.register_profile("default", deadline=None, derandomize=IN_CI, suppress_health_check=[HealthCheck.too_slow])
# A long search begins anew each time: what it found has to be told by what it prints, not by a database on one machine.
_BRIEF = 10_000
settings.register_profile(
    "slow",
    parent=settings.get_profile("default"),
    max_examples=_BRIEF,
    database=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    print_blob=True,
)
settings.load_profile(PROFILE)


def pytest_configure() -> None:
    """What is tested is what stands in the sources."""
    try:
        compiled.require_current()
    except RuntimeError as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Under the slow profile a property takes as long as a slow test, so it is one."""
    if PROFILE == "slow":
        for item in items:
            if item.path.is_relative_to(ROOT / "tests" / "property"):
                item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout's top folder."""
    return ROOT


@pytest.fixture(scope="session")
def edge_vectors() -> Path:
    """The folder of published signature edge cases: Wycheproof, CCTV and speccheck."""
    return _shared_folder("ACT_EDGE_VECTORS", "vectors")


@pytest.fixture(scope="session")
def act_artifacts() -> Path:
    """The folder of the schemas and examples that ACT publishes."""
    return _shared_folder("ACT_ARTIFACTS", "act-artifacts")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server for the tests of one process."""
    server = PostgresServer()
    yield server
    server.stop()


def _shared_folder(variable: str, name: str) -> Path:
    folder = Path(os.environ.get(variable) or ROOT.parent / "shared" / name)
    if folder.is_dir():
        return folder
    message = f"{folder} is not there; {variable} says where it is"
    if IN_CI:
        pytest.fail(message)
    pytest.skip(message)

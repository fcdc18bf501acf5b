"""What most tests of the payment service begin with: a world, a path for its ledger, and the service on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from act.payment.service import PaymentService
from act.stores.sql.ledger import SqlLedger
from tests.support.fold import audit
from tests.support.places import FilePlace, Place, SchemaPlace
from tests.support.world import PSP, World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, path: Path) -> Place:
    """Where a ledger may be."""
    return FilePlace(path) if request.param == "sqlite" else SchemaPlace(request.getfixturevalue("postgres"))


@pytest.fixture
def ledger(place: Place) -> Iterator[SqlLedger]:
    """A store that is asked without a service; what is in it agrees when the test is done."""
    with place.open() as ledger:
        ledger.bind(PSP)
        yield ledger
    audit(place)


@pytest.fixture
def other(place: Place, path: Path, request: pytest.FixtureRequest) -> Place:
    """Where another ledger of the same kind may be."""
    if isinstance(place, FilePlace):
        return FilePlace(path.with_name("other.db"))
    return SchemaPlace(request.getfixturevalue("postgres"))


@pytest.fixture
def service(world: World, path: Path) -> PaymentService:
    return world.service(path)

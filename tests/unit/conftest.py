"""What most tests of the payment service begin with: a world, a path for its ledger, and the service on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from act.payment.service import PaymentService
from tests.support.world import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def service(world: World, path: Path) -> PaymentService:
    return world.service(path)

"""Where a ledger is, for the tests of whole programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.places import FilePlace, Place, SchemaPlace


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where a ledger may be."""
    return FilePlace(tmp_path / "ledger.db") if request.param == "sqlite" else SchemaPlace(request.getfixturevalue("postgres"))

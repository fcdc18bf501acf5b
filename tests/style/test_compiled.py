"""`scripts.compiled`: whoever tests or measures learns whether the code is compiled, and runs no older source unknowingly."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from scripts import compiled


def _checkout(root: Path, compiled_after_seconds: int) -> Path:
    room = root / "act" / "wire"
    room.mkdir(parents=True)
    for name, at in (("json.py", 1_000), ("json.cpython-311-x86_64-linux-gnu.so", 1_000 + compiled_after_seconds)):
        (room / name).write_bytes(b"")
        os.utime(room / name, (at, at))
    return root


def test_a_checkout_without_compiled_modules_is_current(tmp_path: Path) -> None:
    (tmp_path / "act").mkdir()
    compiled.require_current(tmp_path)
    assert compiled.standing(tmp_path) == "act.wire not compiled (make compiled)"


def test_modules_compiled_after_their_sources_are_current(tmp_path: Path) -> None:
    root = _checkout(tmp_path, compiled_after_seconds=1)
    compiled.require_current(root)
    assert compiled.standing(root) == "act.wire compiled"
    assert [path.name for path in compiled.compiled_modules(root).values()] == ["json.py"]


def test_a_source_changed_since_is_named(tmp_path: Path) -> None:
    root = _checkout(tmp_path, compiled_after_seconds=-1)
    with pytest.raises(RuntimeError, match=re.escape("json.cpython-311-x86_64-linux-gnu.so is older than its source")):
        compiled.require_current(root)


def test_a_compiled_module_without_its_source_is_named(tmp_path: Path) -> None:
    root = _checkout(tmp_path, compiled_after_seconds=1)
    (root / "act" / "wire" / "json.py").unlink()
    with pytest.raises(RuntimeError, match="make uncompiled"):
        compiled.require_current(root)

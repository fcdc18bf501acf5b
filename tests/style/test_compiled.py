"""`scripts.compiled`: whoever tests or measures learns whether the code is compiled, and runs no older source unknowingly."""

from __future__ import annotations

import os
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from scripts import compiled

SUFFIX = EXTENSION_SUFFIXES[0]
BEGAN = 1_000


def _checkout(root: Path, **times: int) -> Path:
    """A checkout in which a source was compiled; `times` says when each of three files was last written."""
    room = root / "act" / "wire"
    room.mkdir(parents=True)
    places = {"source": room / "json.py", "module": room / f"json{SUFFIX}", "shared": root / f"act_wire__mypyc{SUFFIX}"}
    for name, place in places.items():
        place.write_bytes(b"")
        os.utime(place, (BEGAN, times.get(name, BEGAN)))
    return root


def test_a_checkout_without_compiled_modules_is_current(tmp_path: Path) -> None:
    (tmp_path / "act").mkdir()
    compiled.require_current(tmp_path)
    assert compiled.standing(tmp_path) == "act.wire not compiled (make compiled)"


def test_modules_compiled_from_their_sources_are_current(tmp_path: Path) -> None:
    root = _checkout(tmp_path)
    compiled.require_current(root)
    assert compiled.standing(root) == "act.wire compiled"
    assert [path.name for path in compiled.compiled_modules(root)] == ["json.py"]


@pytest.mark.parametrize("times", [{"source": BEGAN + 1}, {"module": BEGAN - 1}, {"shared": BEGAN - 1}])
def test_a_source_that_has_changed_since_is_named(tmp_path: Path, times: dict[str, int]) -> None:
    root = _checkout(tmp_path, **times)
    with pytest.raises(RuntimeError, match=r"act.wire.json\.py has changed since it was compiled"):
        compiled.require_current(root)


def test_without_the_module_they_share_nothing_can_be_imported(tmp_path: Path) -> None:
    root = _checkout(tmp_path)
    (root / f"act_wire__mypyc{SUFFIX}").unlink()
    with pytest.raises(RuntimeError, match="make uncompiled"):
        compiled.require_current(root)


def test_what_another_python_would_import_is_not_compiled_here(tmp_path: Path) -> None:
    root = _checkout(tmp_path)
    (root / "act" / "wire" / f"json{SUFFIX}").rename(root / "act" / "wire" / "json.cpython-39-elsewhere.so")
    assert compiled.compiled_modules(root) == {}
    assert compiled.standing(root) == "act.wire not compiled (make compiled)"

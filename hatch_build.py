"""Compiles `act.wire` with mypyc when a build is asked to: ACT_COMPILED=1 (`spec/decisions/0015-wire-may-be-compiled.md`).

An editable install gets the extension modules beside their sources; a wheel gets both, and the tag of its platform.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from contextlib import chdir
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

__all__ = ["CompiledWire"]

ROOM: Final = Path("act/wire")
BUILT: Final = Path("build/compiled")


class CompiledWire(BuildHookInterface[Any]):
    """Hatchling's hook: nothing happens unless the environment asks for it."""

    def dependencies(self) -> list[str]:
        """What a build needs beside hatchling."""
        return ["mypy[mypyc]>=1.19", "setuptools>=77"] if _is_asked() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compiles, and tells hatchling what to pack."""
        if not _is_asked():
            return
        with chdir(self.root):
            if version == "editable":
                _compile(Path())
                return
            shutil.rmtree(BUILT, ignore_errors=True)
            _compile(BUILT)
            build_data["pure_python"], build_data["infer_tag"] = False, True
            for path in BUILT.rglob("*.*"):
                if path.is_file():
                    build_data["force_include"][str(path)] = str(path.relative_to(BUILT))


def _is_asked() -> bool:
    return os.environ.get("ACT_COMPILED") == "1"


def _compile(folder: Path) -> None:
    """Builds an extension module for each module of the room, and the one that holds what they share, into `folder`. Their time
    is that at which this began: a source that changes meanwhile is newer."""
    from mypyc.build import mypycify
    from setuptools import Distribution  # type: ignore[import-untyped]  # its stubs are another package, for this alone
    from setuptools.command.build_ext import build_ext  # type: ignore[import-untyped]  # as above

    began = time.time()
    sources = sorted(str(path) for path in ROOM.rglob("*.py") if path.name != "__init__.py")
    with tempfile.TemporaryDirectory(prefix="act-compiled-") as work:
        # What the room imports is not judged here: an isolated build does not have what act depends on.
        extensions = mypycify(["--follow-imports=silent", *sources], opt_level="3", group_name="act_wire", target_dir=work)
        command = build_ext(Distribution({"name": "act", "ext_modules": extensions}))
        command.build_lib, command.build_temp = str(folder), work
        command.ensure_finalized()
        command.run()
        for path in command.get_outputs():
            os.utime(path, (began, began))

"""Which modules of `act` stand here compiled (`make compiled`), and whether their sources have changed since."""

from __future__ import annotations

from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Final

__all__ = ["compiled_modules", "require_current", "standing"]

ROOT: Final = Path(__file__).resolve().parent.parent
_SHARED: Final = "act_wire__mypyc"
"""The extension module that holds the code of all of them; it stands beside the package."""


def compiled_modules(root: Path = ROOT) -> dict[Path, Path]:
    """By its source, each extension module that this Python would import in its place."""
    found = {}
    for source in sorted((root / "act").rglob("*.py")):
        if extension := _extension(source.with_suffix("")):
            found[source] = extension
    return found


def require_current(root: Path = ROOT) -> None:
    """Raises `RuntimeError` if a module was compiled from another source than the one beside it: tests and measurements would
    be of the old one. The time of an extension module is that at which its compilation began (`hatch_build.py`)."""
    shared = _extension(root / _SHARED)
    for source, extension in compiled_modules(root).items():
        for each in (extension, shared):
            if each is None or source.stat().st_mtime > each.stat().st_mtime:
                name = source.relative_to(root)
                raise RuntimeError(f"{name} has changed since it was compiled: make compiled, or make uncompiled")


def standing(root: Path = ROOT) -> str:
    """In a word, for the head of a table."""
    return "act.wire compiled" if compiled_modules(root) else "act.wire not compiled (make compiled)"


def _extension(module: Path) -> Path | None:
    """The extension module of that name, as the import system looks for it."""
    for suffix in EXTENSION_SUFFIXES:
        if (extension := module.with_name(module.name + suffix)).exists():
            return extension
    return None

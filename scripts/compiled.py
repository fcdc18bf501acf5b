"""Which modules of `act` stand here compiled (`make compiled`), and whether their sources have changed since."""

from __future__ import annotations

from pathlib import Path

__all__ = ["compiled_modules", "require_current", "standing"]

ROOT = Path(__file__).resolve().parent.parent


def compiled_modules(root: Path = ROOT) -> dict[Path, Path]:
    """Extension modules beside their sources: what is imported, and what people read."""
    found = {}
    for extension in sorted((root / "act").rglob("*.so")) + sorted((root / "act").rglob("*.pyd")):
        found[extension] = extension.with_name(extension.name.partition(".")[0] + ".py")
    return found


def require_current(root: Path = ROOT) -> None:
    """Raises `RuntimeError` if a module was compiled from another source than the one beside it: tests and measurements would
    be of the old one."""
    for extension, source in compiled_modules(root).items():
        if not source.exists() or source.stat().st_mtime > extension.stat().st_mtime:
            raise RuntimeError(f"{extension.relative_to(root)} is older than its source: make compiled, or make uncompiled")


def standing(root: Path = ROOT) -> str:
    """In a word, for the head of a table."""
    return "act.wire compiled" if compiled_modules(root) else "act.wire not compiled (make compiled)"

"""Values with one thing wrong in form: a member missing, unknown, null, of another type, or out of range."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

Path = tuple[Any, ...]

_TYPES: Final[tuple[Any, ...]] = (True, 7, "x", [], {}, ["x"], {"x": 1})
_LONG: Final = "x" * 300


def mutations(value: Any, *, within: Path = (), opaque: frozenset[Any] = frozenset()) -> Iterator[tuple[str, Any]]:
    """What was done, and a changed copy, for every place from `within` on. Members named in `opaque` are not entered."""
    for path, node in _nodes(_at(value, within), within, opaque):
        if path:
            name = ".".join(map(str, path))
            if isinstance(path[-1], str) or isinstance(_at(value, path[:-1]), dict):
                yield f"{name} missing", _without(value, path)
            for other in _others(node):
                yield f"{name} = {repr(other)[:60]}", _with(value, path, other)
        if isinstance(node, dict) and not (path and path[-1] in opaque):
            yield f"{'.'.join(map(str, path))} with more", _with(value, (*path, "tip"), 1)


def _nodes(node: Any, path: Path, opaque: frozenset[Any]) -> Iterator[tuple[Path, Any]]:
    yield path, node
    if path and path[-1] in opaque:
        return
    entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, inner in entries:
        yield from _nodes(inner, (*path, name), opaque)


def _others(node: Any) -> Iterator[Any]:
    yield None
    yield from (each for each in _TYPES if type(each) is not type(node))
    if isinstance(node, bool):
        return
    if isinstance(node, str):
        yield from ("", _LONG, "\u200b", f"{node}x", f"x{node}", f"0{node}", f"-{node}", node.swapcase(), node[:-1])
    elif isinstance(node, bytes):
        yield from (b"", node[:-1], node + b"x")
    elif isinstance(node, int | Decimal):
        yield from (-1, 0, 10**13, str(node))
        yield from () if isinstance(node, int) else (-node, Decimal("0.00001"))
    elif isinstance(node, list):
        yield from ([], node * 200, node + node[:1])


def _at(value: Any, path: Path) -> Any:
    for name in path:
        value = value[name]
    return value


def _with(value: Any, path: Path, other: Any) -> Any:
    changed = copy.deepcopy(value)
    _at(changed, path[:-1])[path[-1]] = other
    return changed


def _without(value: Any, path: Path) -> Any:
    changed = copy.deepcopy(value)
    del _at(changed, path[:-1])[path[-1]]
    return changed

"""Write down the SDK's public interface, so that a change of it is seen before it is made.

`python -m scripts.public_api` writes the record. A test compares it with what `import act` offers.
"""

from __future__ import annotations

import enum
import inspect
from collections.abc import Iterator
from pathlib import Path

import act

RECORD = Path(__file__).resolve().parent.parent / "tests" / "style" / "public_api.txt"


def rendered() -> str:
    """Return one line for each public name and each public member of a class, with its parameters, in a fixed order."""
    return "".join(f"{line}\n" for name in sorted(act.__all__) for line in _lines(name, getattr(act, name)))


def _lines(name: str, thing: object) -> Iterator[str]:
    if isinstance(thing, enum.EnumType):
        yield f"enum {name}"
        yield from (f"    {member}" for member in thing.__members__)
    elif isinstance(thing, type):
        yield f"class {name}{_parameters(thing)}"
        yield from (f"    {line}" for line in _members(thing))
    elif inspect.isroutine(thing):
        yield f"def {name}{_parameters(thing)}"
    else:
        yield f"constant {name}"


def _members(kind: type) -> Iterator[str]:
    ours = [base for base in kind.__mro__ if base.__module__.split(".")[0] == "act"]
    for name in sorted({name for base in ours for name in (*base.__dict__, *inspect.get_annotations(base))}):
        if name.startswith("_"):
            continue
        member = inspect.getattr_static(kind, name, None)
        if isinstance(member, classmethod | staticmethod):
            yield f"{type(member).__name__} {name}{_parameters(getattr(kind, name))}"
        elif inspect.isroutine(member):
            yield f"def {name}{_parameters(member)}"
        else:
            yield name


def _parameters(thing: object) -> str:
    """Names, order, kinds and simple defaults: what a caller's code depends on. Types are for the type checker."""
    if not callable(thing):
        return ""
    try:
        signature = inspect.signature(thing)
    except ValueError:  # what is written in C may not tell its parameters
        return "(...)"
    bare = [
        parameter.replace(annotation=inspect.Parameter.empty, default=_default(parameter.default))
        for parameter in signature.parameters.values()
    ]
    return str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))


def _default(value: object) -> object:
    simple = value is None or value is inspect.Parameter.empty or isinstance(value, bool | int | str)
    return value if simple else _SOME


class _Some:
    """A default whose own form may hold an address or change with Python's version."""

    def __repr__(self) -> str:
        return "..."


_SOME = _Some()


def main() -> None:
    """Write the record."""
    RECORD.write_text(rendered(), encoding="utf-8")
    print(RECORD)


if __name__ == "__main__":
    main()

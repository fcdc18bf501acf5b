"""Drafts: the JSON documents that `act mint`, `act delegate` and `act order` sign with `--from`, also as `act inspect --json`
shows them, and intent records."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Final

import act
from act_cli.files import in_file, read_draft_file

__all__ = ["read_draft", "read_isr"]

_SHOWN_BESIDES: Final = frozenset({"holder"})
"""What inspect shows with a mandate or a link although it is none of its fields: the agent's key, which --holder names."""


class _NotPlainError(ValueError):
    """The text is JSON that the library would not read; it says better than this module what is wrong."""


def read_draft(path: str, kind: str) -> bytes | dict[str, Any]:
    """The draft in a file, for `act.Mandate.from_json`, `act.delegate` or `act.Order.from_json`.

    If the file holds the whole of what `act inspect --json` printed for an object of this kind, the draft is its member of
    that name. Raises `StoreFault` file_unreadable and `InvalidCall` draft_invalid.
    """
    data = read_draft_file(path)
    try:
        document = json.loads(data, object_pairs_hook=_unique, parse_float=Decimal, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return data
    if not isinstance(document, dict):
        return data
    inside = document.get(kind)
    if document.get("kind") == kind and isinstance(inside, dict):
        document = inside
    elif not document.keys() & _SHOWN_BESIDES:
        return data
    return {name: value for name, value in document.items() if name not in _SHOWN_BESIDES}


def read_isr(path: str) -> act.Isr:
    """The intent record in a file. Raises `StoreFault` file_unreadable and `InvalidCall` draft_invalid that names the file."""
    try:
        return act.Isr.from_json(read_draft_file(path))
    except act.InvalidCall as error:
        raise in_file(path, error) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _NotPlainError
    return members


def _refuse(constant: str) -> Any:
    raise _NotPlainError

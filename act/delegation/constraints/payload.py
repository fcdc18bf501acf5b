"""Constraints as they stand in a payload: ACT's top-level fields and the named blocks of `ext`, and nothing else.

Mandates and links write them alike. A name outside the registry is refused, never ignored: an ignored limit would be a wider
mandate (ACT-CON-11, ACT-CON-13).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from act.delegation.constraints.base import Constraint
from act.delegation.constraints.registry import DEFAULT_MODE, REGISTRY, build_constraints
from act.errors import Refused
from act.wire import json

__all__ = ["DEFAULTS", "MAX_CARRIED", "MAX_CARRIED_DEPTH", "TOP_LEVEL", "read_carried", "read_constraints", "write_constraints"]

TOP_LEVEL: Final = ("delegation_mode", "currency", "max_total_amount", "allowed_payment_methods")
"""Constraints that stand beside the facts, under ACT's names."""

DEFAULTS: Final[Mapping[str, Any]] = {"delegation_mode": DEFAULT_MODE}
"""What an absent field means in a mandate. In a link, absent means inherited."""

MAX_CARRIED: Final = 256
MAX_CARRIED_DEPTH: Final = 8
"""Of what is carried for others: a note, not a document. It costs every verifier time and every ledger nothing."""

_WHOLE: Final = {path.removeprefix("ext."): path for path in REGISTRY if path.startswith("ext.") and path.count(".") == 1}
_BLOCKS: Final[dict[str, dict[str, str]]] = {}
for _path in REGISTRY:
    if _path.count(".") == 2:
        _BLOCKS.setdefault(_path.split(".")[1], {})[_path.split(".")[2]] = _path


def read_constraints(
    body: Mapping[str, Any], window: tuple[int, int], defaults: Mapping[str, Any], where: str
) -> tuple[tuple[Constraint, ...], Mapping[str, Any] | None]:
    """Every constraint of a payload in the registry's order, and what `ext.vendor_private` carries uninterpreted.

    Raises `Refused` with places inside `where`.
    """
    raw: dict[str, Any] = {"validity": window, **defaults}
    for name in TOP_LEVEL:
        if name in body:
            raw[name] = body[name]
    vendor_private = None
    try:
        for block, fields in body.get("ext", {}).items():
            if block in _WHOLE:
                raw[_WHOLE[block]] = fields
            elif block not in _BLOCKS and block != "vendor_private":
                raise Refused("extension_unknown", f"ext.{block}")
            elif type(fields) is not dict or not fields:
                raise Refused("claim_invalid", f"ext.{block}", expected="a map that is not empty")
            elif block == "vendor_private":
                vendor_private = read_carried(fields)
            else:
                paths = _BLOCKS[block]
                for name, value in fields.items():
                    if name not in paths:
                        raise Refused("constraint_unknown", f"ext.{block}.{name}")
                    raw[paths[name]] = value
        return build_constraints(raw), vendor_private
    except Refused as refusal:
        raise (refusal.within(where) if where else refusal) from None


def read_carried(value: dict[str, Any]) -> dict[str, Any]:
    """What `ext.vendor_private` carries uninterpreted: something that both envelopes can carry, and that stays small.

    Texts, whole numbers within 2^53 - 1, booleans, lists and maps with texts as names, `MAX_CARRIED_DEPTH` deep and
    `MAX_CARRIED` values in all. Raises `Refused` claim_invalid.
    """
    left = MAX_CARRIED
    level: list[Any] = [value]
    for _ in range(MAX_CARRIED_DEPTH):
        below: list[Any] = []
        for each in level:
            if type(each) is dict:
                if not all(type(name) is str for name in each):
                    raise _carried_fault()
                below += each.values()
            elif type(each) is list:
                below += each
            elif type(each) is int:
                if abs(each) > json.MAX_EXACT_INT:
                    raise _carried_fault()
            elif type(each) is not str and type(each) is not bool:
                raise _carried_fault()
        left -= len(below)
        if not below:
            return value
        if left < 0:
            break
        level = below
    raise _carried_fault()


def _carried_fault() -> Refused:
    expected = f"texts, whole numbers, booleans, lists and maps, at most {MAX_CARRIED} of them, {MAX_CARRIED_DEPTH} deep"
    return Refused("claim_invalid", "ext.vendor_private", expected=expected)


def write_constraints(constraints: Sequence[Constraint], vendor_private: Mapping[str, Any] | None) -> dict[str, Any]:
    """The payload's fields that `read_constraints` takes back; the window stands in the envelope's nbf and exp."""
    body: dict[str, Any] = {}
    ext: dict[str, Any] = {}
    for constraint in constraints:
        block, _, name = constraint.path.removeprefix("ext.").partition(".")
        if not constraint.path.startswith("ext."):
            body[constraint.path] = constraint.encode()
        elif name:
            ext.setdefault(block, {})[name] = constraint.encode()
        else:
            ext[block] = constraint.encode()
    body.pop("validity", None)
    if vendor_private:
        ext["vendor_private"] = dict(vendor_private)
    if ext:
        body["ext"] = ext
    return body

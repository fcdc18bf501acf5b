"""Values that belong to one payment: immutable to the type checker, and made as fast as Python makes an object.

A frozen dataclass sets each of its fields by a call: one with seven takes over four times as long to make as one that is not
frozen, and a payment makes some hundred (`spec/decisions/0010-immutable-by-type.md`). What several payments share, such as a
remembered constraint, and what callers make themselves stays frozen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

__all__ = ["immutable"]

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def immutable(cls: type[T]) -> type[T]:
    """A slotted dataclass with equality and hash by value, whose fields no typed code can set once it is made."""
    return dataclass(slots=True, unsafe_hash=True)(cls)

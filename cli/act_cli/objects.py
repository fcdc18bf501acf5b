"""Files that hold objects: which kind of object a file holds, and what it looks like if it holds none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import act
from act_cli.files import read_input
from act_cli.manners import Manners

__all__ = ["as_file", "read_chain", "read_object", "read_signed", "recognized"]

_SIGNED: Final = (b"\xd2", b"eyJ", b'{"chain":')
"""How an object begins (the tag of COSE_Sign1, the header of a JWS, a payment in JSON), whatever is wrong with the rest of it;
few other files do."""

_TEXTS: Final = (b"e", b"{")
"""How the objects of the JOSE envelope begin, which are texts and so end in a newline when they are files."""

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def recognized(data: bytes) -> Any:
    """What `act.recognize` makes of the bytes. Raises `Refused`; of a file that is something else altogether it says what that
    looks like."""
    try:
        return act.recognize(data)
    except act.Refused as refusal:
        looks_like = _looks_like(data)
        if looks_like is None:
            raise
        raise act.Refused(refusal.code, looks_like=looks_like) from None


def _looks_like(data: bytes) -> str | None:
    """In words, what a file is that people take for an object; None for bytes that begin as no such file does."""
    if data.startswith(_SIGNED):
        return None
    if data.startswith(b"SQLite format 3\x00"):
        return "a ledger"
    try:
        text = data.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        return None
    if not text:
        return "an empty file"
    if text.startswith("-----BEGIN "):
        return "a PEM file, such as a key"
    if _CONTROL.search(text):
        return None
    return "JSON" if text[0] in "{[" else "text"


def as_file(data: bytes) -> bytes:
    """An object as it stands in a file: a text ends in one newline."""
    return data + b"\n" if data.startswith(_TEXTS) else data


def read_signed(path: str) -> bytes:
    """The bytes of an object in a file; of a text exactly one newline at its end is none of it. Raises as `read_input` does."""
    data = read_input(path)
    return data.removesuffix(b"\n") if data.startswith(_TEXTS) else data


def read_object(manners: Manners, path: str, kind: str) -> tuple[bytes, Any]:
    """The bytes of a file and what `act.recognize` made of them, which must be of this kind; refusals name the file.

    Raises `Refused`, kind_unexpected for an object of another kind, and as `read_input` does.
    """
    data = read_signed(path)
    manners.subject = path
    found = recognized(data)
    if found.kind != kind:
        raise act.Refused("kind_unexpected", expected=kind, found=found.kind)
    return data, found


def read_chain(manners: Manners, mandate_path: str, link_paths: Sequence[str]) -> tuple[list[bytes], Any]:
    """A mandate and the links below it: their bytes, root first, and the unverified chain that `act.recognize` made of them.

    Each link must stand below the one before it and be narrower, as far as can be told without parties; no signature is
    checked. Raises `Refused`, which names the file, as `read_object` does.
    """
    data, _ = read_object(manners, mandate_path, "mandate")
    chain = [data]
    found: Any = act.recognize(chain)
    for path in link_paths:
        data, _ = read_object(manners, path, "link")
        chain.append(data)
        found = act.recognize(chain)
        found.authority()
    manners.subject = ""
    return chain, found

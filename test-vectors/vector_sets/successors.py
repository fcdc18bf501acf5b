"""Vectors of mandates that replace another one. Whether a ledger knows that one is no question of the mandate's form."""

from __future__ import annotations

from typing import Any, Final

from act.wire import cbor
from act.wire.base64url import base64url_encode
from vector_sets.shape import Vector, accept, intermediate, refuse
from vector_sets.world import NOW, header, identity, mandate, signed, tea_mandate, uuid_of

__all__ = ["OLD", "successors"]

OLD: Final = identity(tea_mandate({"cti": uuid_of("mandate before")}))
"""The identity of a mandate of the same issuer and principal, under another id."""

_FIELD: Final = "act.supersedes"
_WRONG: Final[tuple[tuple[str, str, Any], ...]] = (
    ("short", "An identity is 32 bytes.", OLD[:31]),
    ("long", "An identity is 32 bytes: a lenient reader would ignore the last one.", OLD + b"\x00"),
    ("empty", "An identity of nothing.", b""),
    ("text", "An identity is 32 bytes, not their base64url text.", base64url_encode(OLD)),
    ("hex", "An identity is neither hexadecimal text in COSE nor in JOSE.", OLD.hex()),
    ("number", "An identity is no number.", 1),
    ("list", "A mandate replaces one mandate only: the counters of two are not added up.", [base64url_encode(OLD)]),
    ("name", "The old mandate's delegation_id does not say which of two mandates under it is meant.",
     "urn:uuid:00000000-0000-4000-8000-000000000000"),
)  # fmt: skip


def _with_null() -> bytes:
    """A signed mandate with a null where the identity was: no encoder of this library writes one."""
    payload = cbor.decode_sign1(mandate({_FIELD: OLD}))[1]
    return signed(cbor.encode(header("wallet")), payload.replace(cbor.encode(OLD), b"\xf6"), "wallet")


def successors() -> list[Vector]:
    """The vectors that mandates.json has about a mandate in place of another."""
    data = mandate({_FIELD: OLD})
    wrong = [
        refuse(f"mandates/supersedes-{name}", why, "claim_invalid", f"mandate.{_FIELD}", input=mandate({_FIELD: value}),
               parties="standard", at=NOW)
        for name, why, value in _WRONG
    ]  # fmt: skip
    return [
        accept("mandates/supersedes", "The identity of the mandate that this one replaces.", ["ACT-ENV-06", "ACT-ENV-07"],
               input=data, parties="standard", at=NOW, intermediate=intermediate(data)),
        *wrong,
        refuse("mandates/supersedes-null", "A mandate that replaces none leaves the field out.", "claim_null",
               f"mandate.{_FIELD}", input=_with_null(), parties="standard", at=NOW),
    ]  # fmt: skip

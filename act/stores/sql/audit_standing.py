"""What lifecycle entries add up to: who stopped which credential, and which instructions were obeyed, worked out from receipts,
for `act.stores.sql.audit`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from act.stores.sql.audit_fold import Row, unlike
from act.stores.sql.audit_line import FoldedLine

__all__ = ["FoldedStandings"]

_LIFECYCLE: Final = ("SUSPENDED", "RESUMED", "REVOKED")
_REPEATABLE: Final = ("SUSPENDED", "REVOKED", "SUCCEEDED", "PARTIALLY_CAPTURED", "CAPTURED", "VOIDED", "REFUNDED")
"""Entries that may also answer an instruction which found the thing done."""

_COLUMNS: Final = {"principal": "principal_stop", "risk_control": "risk_control_stop", "revoked": "revocation"}


class FoldedStandings:
    """How the credentials below one mandate stand, entry by entry. What stops each is the entry, by whose doing it is."""

    def __init__(self, mandate: Row, links: list[Row], line: FoldedLine) -> None:
        self._mandate: Final = mandate
        self._line: Final = line
        self._links: Final = {row["identity"]: row for row in links}
        self._stops: Final[dict[bytes, dict[str, int]]] = {each: {} for each in (mandate["identity"], *self._links)}
        self._obeyed: Final[dict[bytes, list[Row]]] = {}
        self._kinds: Final[dict[int, str]] = {}

    @property
    def credentials(self) -> set[bytes]:
        """The identities of the mandate, of those it has replaced, and of every link below them."""
        return set(self._stops) | self._line.formers

    def record(self, entry: Row, receipt: dict[str, Any], held: Iterable[tuple[str, bytes]]) -> Iterator[str]:
        """Applies any entry; yields what it may not do. `held` are the charges of which money is held, and what paid each."""
        kind = self._kinds[entry["sequence"]] = entry["kind"]
        if receipt.get("instruction") is not None:
            self._obeyed.setdefault(receipt["instruction"], []).append(entry)
        if kind not in _LIFECYCLE:
            return
        credential = receipt["link"] if "link" in receipt else self._mandate["identity"]
        stops = self._stops.get(credential)
        if stops is None:
            yield "it is about no credential of this mandate"
            return
        causer = receipt.get("caused_by", "risk_control")
        if "revoked" in stops:
            yield "nothing leaves Revoked"
        if (kind == "SUSPENDED" and causer in stops) or (kind == "RESUMED" and causer not in stops):
            yield f"{causer} had {'' if causer in stops else 'not '}suspended it"
        if kind == "REVOKED":
            stops.clear()
            stops["revoked"] = entry["sequence"]
            if self._line.in_force(entry["sequence"])["on_revoke"] == "void":
                yield from (f"{name} is still held" for name, paid in held if credential in self._chain(paid))
        elif kind == "SUSPENDED":
            stops[causer] = entry["sequence"]
        else:
            stops.pop(causer, None)
            yield from unlike("receipt", {"credential_state": "Suspended" if stops else "Active"}, receipt)

    def stopped(self, credential: bytes, sequence: int) -> bool:
        """Whether a payment under this credential, by the entry of that sequence, has to be refused."""
        chain = self._chain(credential)
        root = self._line.in_force(sequence)["identity"]
        return root not in chain or any(self._stops.get(each) for each in (*chain, self._mandate["identity"]))

    def rows(self, instructions: list[Row]) -> Iterator[str]:
        """What the stored rows say otherwise, when every entry was applied."""
        yield from unlike("row", self._columns(self._mandate["identity"]), self._mandate)
        for identity, row in self._links.items():
            name = f"link {identity.hex()}"
            yield from unlike(name, self._columns(identity), row)
            if self._chain(identity)[-1] not in {self._mandate["identity"], *self._line.formers}:
                yield f"{name} does not stand below the mandate"
        yield from self._instructions(instructions)

    def _columns(self, credential: bytes) -> dict[str, Any]:
        stops = self._stops[credential]
        state = "Revoked" if "revoked" in stops else "Suspended" if stops else "Active"
        return {"state": state} | {column: stops.get(name) for name, column in _COLUMNS.items()}

    def _chain(self, credential: bytes) -> list[bytes]:
        """A credential and all above it, as far as the links lead."""
        chain = [credential]
        while chain[-1] in self._links:
            parent = self._links[chain[-1]]["parent"]
            if parent in chain:
                break
            chain.append(parent)
        return chain

    def _is_one_revocation(self, entries: list[Row]) -> bool:
        """Whether entries that answer one instruction are what one revocation made: holds are released, and then the mandate or
        link is revoked. Of a restored ledger the last receipt may have been lost; then reconciling revoked the mandate."""
        *released, last = entries
        if {each["kind"] for each in released} != {"VOIDED"}:
            return False
        revoked = self._stops[self._mandate["identity"]].get("revoked", 0)
        return last["kind"] == "REVOKED" or bool(last["kind"] == "VOIDED" and last["sequence"] < revoked)

    def _instructions(self, rows: list[Row]) -> Iterator[str]:
        answers = {row["identity"]: row["sequence"] for row in rows}
        if len(answers) != len(rows):
            yield "an instruction is remembered twice"
        for identity, entries in self._obeyed.items():
            name, last = identity.hex(), entries[-1]
            if len(entries) > 1 and not self._is_one_revocation(entries):
                yield f"the instruction {name} was obeyed twice"
            if answers.pop(identity, None) != last["sequence"]:
                yield f"the instruction {name} is not remembered as what entry {last['sequence']} answers"
        for sequence in answers.values():
            if self._kinds.get(sequence) not in _REPEATABLE:
                yield f"entry {sequence} answers no instruction"

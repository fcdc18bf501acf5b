"""A sequence in which mandates replace one another, and the model of it: the line of mandates is one row of additions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from vector_sets.instruction_sequences import Instructed
from vector_sets.story import Quota, receipt_of, refusal_of
from vector_sets.world import MANDATE_END, NOW

__all__ = ["Succession"]

PLACE: Final = "mandate.supersedes"
"""Where a refusal says that it is about the mandate to be replaced."""


@dataclass
class Succession(Instructed):
    """`replaces` names the mandate that each successor replaces, `began` the entry by which it took over."""

    replaces: dict[str, str] = field(default_factory=dict)
    began: dict[str, int] = field(default_factory=dict)
    taken_over: dict[str, Any] = field(default_factory=dict)

    def first(
        self, name: str, data: bytes, cap: int, *quotas: Quota, refund_restores: bool = False, end: int = MANDATE_END
    ) -> bytes:
        """A mandate that replaces none."""
        self.chains[name], self.stops[name] = [name], {}
        return self.mandate(name, data, cap, quotas, refund_restores=refund_restores, end=end)

    def successor(
        self, name: str, old: str, data: bytes, cap: int, *quotas: Quota, refund_restores: bool = False, end: int = MANDATE_END
    ) -> bytes:
        """A mandate that names another one as the one it replaces."""
        self.replaces[name] = old
        return self.first(name, data, cap, *quotas, refund_restores=refund_restores, end=end)

    def begins(self, name: str, *, expired: Sequence[str] = ()) -> None:
        """The next call is the first about a successor, which takes over in it; ended holds are closed before."""
        closed = [self._expire(each) for each in expired]
        self.taken_over = {"succeeded": {"mandate": name, "sequence": self._take_over(name)}}
        self.taken_over |= {"expired": closed} if closed else {}

    def registered(self, name: str, at: int = NOW, *, expired: Sequence[str] = ()) -> None:
        """A successor is registered and takes over."""
        closed = [self._expire(each) for each in expired]
        sequence = self._take_over(name)
        expect = {"acknowledged": {"state": "Active", "replayed": False}} | receipt_of("SUCCEEDED", sequence)
        self._step("register", {"mandate": name}, at, expect | ({"expired": closed} if closed else {}))

    def registered_again(self, name: str, at: int = NOW) -> None:
        """The same again, with the receipt of then."""
        expect = {"acknowledged": {"state": "Active", "replayed": True}} | receipt_of("SUCCEEDED", self.began[name])
        self._step("register", {"mandate": name}, at, expect)

    def recorded(self, name: str, at: int = NOW) -> None:
        """A mandate that replaces none is registered: it is known from now on, and no entry is made."""
        self.mandates[name].known = True
        self._step("register", {"mandate": name}, at, {"recorded": True})

    def register_refused(self, name: str, code: str, where: str = PLACE, at: int = NOW) -> None:
        """A mandate is not registered, and nothing is left of it."""
        self._step("register", {"mandate": name}, at, refusal_of(code, where))

    def stopped_before(self, name: str, old: str, at: int = NOW) -> None:
        """A mandate that was replaced is revoked, by the payment service and by an instruction: it was over already."""
        self.sign(name, "revoke", old, "wallet", at)
        receipt = receipt_of("SUCCEEDED", self.began[self._next(old)])
        self._step("revoke", {"mandate": old}, at, {"revoked": {"replayed": True}} | receipt)
        expect = {"acknowledged": {"state": "Revoked", "replayed": True}} | receipt
        self._step("instruct", {"instruction": name, "chain": self.chains[old]}, at, expect)

    def ended_with(self, old: str, new: str, at: int = NOW) -> None:
        """What a revoked successor would have replaced, and nobody saw, is revoked: it was over already."""
        expect = {"revoked": {"replayed": True}} | receipt_of("REVOKED", self.stops[new]["revoked"])
        self._step("revoke", {"mandate": old}, at, expect)

    def _next(self, old: str) -> str:
        return next(new for new, replaced in self.replaces.items() if replaced == old and new in self.began)

    def _take_over(self, name: str) -> int:
        """Everything that stood below the old mandate stands below the new one; its own limits are added up by the `Story`."""
        old, new = self.mandates[self.replaces[name]], self.mandates[name]
        total, former = new.counters["max_total_amount"], old.counters["max_total_amount"]
        new.counters |= {path: counter for path, counter in old.counters.items() if counter is not former}
        total.counted = new.known = True
        new.sequence = self.began[name] = old.sequence + 1
        for credential in self.credentials.values():
            if credential.mandate == self.replaces[name]:
                credential.mandate = name
                credential.counters = [total if each is former else each for each in credential.counters]
        for row in self.mandates.values():
            if row is old or row.successor == self.replaces[name]:
                row.successor, row.known = name, True
        return new.sequence

    def _step(self, op: str, arguments: dict[str, Any], at: int, expect: dict[str, Any]) -> None:
        super()._step(op, arguments, at, expect | self.taken_over)
        self.taken_over = {}

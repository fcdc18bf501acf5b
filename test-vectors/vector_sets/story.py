"""A sequence of calls to one ledger, and a model of what each must answer and leave behind.

The model is a few lines of addition on purpose: it shares nothing with the library whose answers the sequences judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from act.errors import CODES
from vector_sets.linked import limit_of
from vector_sets.shape import Vector
from vector_sets.world import MANDATE_END, NOW

HOLD_SECONDS: Final = 7 * 86_400


@dataclass(frozen=True)
class Quota:
    """A limit beside the total: `path` as it is named, `windows` with start, end and mark in the order of time, or a length."""

    path: str
    cap: int
    times: bool = False
    windows: tuple[tuple[int, int, str], ...] = ()
    sliding_seconds: int | None = None

    def counter(self, charges: list[_Charge], at: int) -> dict[str, Any]:
        """How it stands at an instant, added up from the charges."""
        name, since, until = self.path, -1, 1 << 62
        if self.sliding_seconds is not None:
            name, since = f"{name}~{self.sliding_seconds}", at - self.sliding_seconds
        for start, end, mark in self.windows:
            if start <= at < end:
                name, since, until = f"{self.path}@{mark}", start - 1, end
        counted = [charge.takes(at, times=self.times) for charge in charges if since < charge.at < until]
        held, captured = sum(held for held, _ in counted), sum(captured for _, captured in counted)
        shown = {"limit": name, "cap": self.cap, "held": held, "captured": captured}
        return shown | ({"unit": "TIMES"} if self.times else {})


@dataclass(eq=False)
class _Counter:
    cap: int
    counted: bool = False


@dataclass
class _Mandate:
    counters: dict[str, _Counter]
    sequence: int = 0
    state: str = "Active"
    known: bool = False
    revoked_at_sequence: int = 0
    quotas: tuple[Quota, ...] = ()
    restores: bool = False
    end: int = MANDATE_END
    successor: str | None = None


@dataclass
class _Credential:
    """A mandate or a link by the name of its mandate, with the counters a payment under it debits."""

    mandate: str
    counters: list[_Counter]


@dataclass
class _Charge:
    credential: str
    minor: int
    opened: int
    expires: int
    restores: bool
    closed: int = 0
    captured: int = 0
    refunded: int = 0
    state: str = "HELD"
    at: int = NOW
    last: int = 0
    numbered: dict[str, tuple[int, int]] = field(default_factory=dict)

    def takes(self, at: int, *, times: bool = False) -> tuple[int, int]:
        """What it takes of a limit at an instant: an ended hold takes nothing, whether or not it was closed."""
        is_open = not self.closed and at < self.expires
        back = self.refunded if self.restores else 0
        if not times:
            return (self.minor - self.captured if is_open else 0), self.captured - back
        if not self.captured:
            return int(is_open), 0
        return 0, int(is_open or back < self.captured)


def money(minor: int) -> str:
    """Minor units of CNY as text."""
    return f"{minor // 100}.{minor % 100:02d}"


@dataclass
class Story:
    """One sequence under construction: objects by name, steps in order."""

    name: str
    why: str
    rules: list[str]
    objects: dict[str, str] = field(default_factory=dict)
    steps: list[dict[str, Any]] = field(default_factory=list)
    mandates: dict[str, _Mandate] = field(default_factory=dict)
    credentials: dict[str, _Credential] = field(default_factory=dict)
    charges: dict[str, _Charge] = field(default_factory=dict)

    def mandate(
        self,
        name: str,
        data: bytes,
        cap: int,
        quotas: tuple[Quota, ...] = (),
        *,
        refund_restores: bool = False,
        end: int = MANDATE_END,
    ) -> bytes:
        """A mandate the sequence is about, with its total in minor units and its other limits in the registry's order."""
        self.objects[name] = data.hex()
        counter = _Counter(cap)
        self.mandates[name] = _Mandate({"max_total_amount": counter}, quotas=quotas, restores=refund_restores, end=end)
        self.credentials[name] = _Credential(name, [counter])
        return data

    def link(self, name: str, data: bytes, parent: str, cap: int | None = None) -> bytes:
        """A link below a mandate or another link; `cap` is its own total in minor units, if it states one."""
        above = self.credentials[parent]
        counters = list(above.counters)
        if cap is not None:
            counters.append(self.mandates[above.mandate].counters.setdefault(limit_of(data), _Counter(cap)))
        self.credentials[name] = _Credential(above.mandate, counters)
        return data

    def payment(self, name: str, data: bytes) -> bytes:
        """A payment to be presented."""
        self.objects[name] = data.hex()
        return data

    def use_parties(self, name: str) -> None:
        """From here on the payment service knows these parties."""
        self.steps.append({"op": "parties", "parties": name})

    def authorized(
        self, payment: str, credential: str, charge: str, minor: int, at: int = NOW, *, expired: Sequence[str] = ()
    ) -> None:
        """A payment under a mandate or a link is accepted: every limit up to the mandate holds it, the receipt is the mandate's
        next. Holds that had ended are closed first, with a receipt each."""
        closed = [self._expire(each) for each in expired]
        row = self._row(credential)
        row.sequence += 1
        row.known = True
        for counter in self.credentials[credential].counters:
            counter.counted = True
        self.charges[charge] = _Charge(credential, minor, row.sequence, at + HOLD_SECONDS, row.restores, at=at)
        expect = self._charged(charge, "RESERVED", row.sequence)
        self._step("authorize", {"payment": payment}, at, expect | ({"expired": closed} if closed else {}))

    def repeated(self, payment: str, charge: str, at: int = NOW) -> None:
        """The same payment again: the charge as it now stands, the receipt of then, nothing moves."""
        expect = self._charged(charge, "RESERVED", self.charges[charge].opened, replayed=True)
        self._step("authorize", {"payment": payment}, at, expect)

    def refused(self, payment: str, code: str, where: str, at: int = NOW) -> None:
        """A payment is refused and nothing is stored."""
        self._step("authorize", {"payment": payment}, at, refusal_of(code, where))

    def refused_on_record(self, payment: str, credential: str, code: str, where: str, at: int = NOW) -> int:
        """A payment is refused by money or lifecycle: stored, with a receipt. Returns its sequence, for the repetition."""
        row = self._row(credential)
        row.sequence += 1
        row.known = True
        self._step("authorize", {"payment": payment}, at, refusal_of(code, where) | receipt_of("REFUSED", row.sequence))
        return row.sequence

    def refused_again(self, payment: str, sequence: int, code: str, where: str, at: int = NOW) -> None:
        """The same payment again: the stored refusal with the receipt of then."""
        self._step(
            "authorize", {"payment": payment}, at, refusal_of(code, where, replayed=True) | receipt_of("REFUSED", sequence)
        )

    def captured(self, charge: str, minor: int, at: int = NOW) -> None:
        """A capture closes the hold; the rest is released."""
        row = self._close(charge, "CAPTURED", minor)
        self._step("capture", _moved(charge, minor), at, self._charged(charge, "CAPTURED", row.sequence))

    def part(self, charge: str, minor: int, number: str, at: int = NOW) -> None:
        """A capture under a number takes a part; what is left stays held. The last part closes the hold."""
        record = self.charges[charge]
        if record.captured + minor == record.minor:
            row = self._close(charge, "CAPTURED", minor)
        else:
            row = self._row(record.credential)
            row.sequence += 1
            record.captured, record.state = record.captured + minor, "PARTIALLY_CAPTURED"
        record.numbered[f"capture {number}"] = (minor, row.sequence)
        expect = self._charged(charge, record.state, row.sequence)
        self._step("capture", _moved(charge, minor, capture_no=number), at, expect)

    def part_again(self, charge: str, number: str, receipt: str, at: int = NOW) -> None:
        """The same part again: the charge as it now stands, the receipt of then."""
        minor, sequence = self.charges[charge].numbered[f"capture {number}"]
        expect = self._charged(charge, receipt, sequence, replayed=True)
        self._step("capture", _moved(charge, minor, capture_no=number), at, expect)

    def refunded(self, charge: str, minor: int, number: str, at: int = NOW) -> None:
        """A refund gives back some of what was captured."""
        record = self.charges[charge]
        row = self._row(record.credential)
        row.sequence += 1
        record.refunded += minor
        record.numbered[f"refund {number}"] = (minor, row.sequence)
        expect = self._charged(charge, "REFUNDED", row.sequence)
        self._step("refund", _moved(charge, minor, refund_no=number), at, expect)

    def refunded_again(self, charge: str, number: str, at: int = NOW) -> None:
        """The same refund again."""
        minor, sequence = self.charges[charge].numbered[f"refund {number}"]
        expect = self._charged(charge, "REFUNDED", sequence, replayed=True)
        self._step("refund", _moved(charge, minor, refund_no=number), at, expect)

    def refund_refused(
        self, charge: str, minor: int, number: str, code: str, where: str, at: int = NOW, currency: str = "CNY"
    ) -> None:
        """A refund is refused; the charge stays as it is."""
        self._step("refund", _moved(charge, minor, currency, refund_no=number), at, refusal_of(code, where))

    def voided(self, charge: str, at: int = NOW) -> None:
        """A void closes the hold and releases what is left of it."""
        row = self._close(charge, "VOIDED", 0)
        self._step("void", {"charge": charge}, at, self._charged(charge, "VOIDED", row.sequence))

    def expired(self, charges: Sequence[str], at: int) -> None:
        """The sweep closes holds that have ended, in this order."""
        self._step("expire", {}, at, {"expired": [self._expire(each) for each in charges]})

    def expired_again(self, payment: str, charge: str, at: int) -> None:
        """The payment of a hold that has expired is refused, with the receipt of its end."""
        expect = refusal_of("charge_closed", "charge", replayed=True) | receipt_of("EXPIRED", self.charges[charge].closed)
        self._step("authorize", {"payment": payment}, at, expect)

    def closed_again(self, charge: str, at: int = NOW) -> None:
        """The same capture or void again."""
        record = self.charges[charge]
        if record.last:
            expect = self._charged(charge, "CAPTURED", record.closed, replayed=True)
            self._step("capture", _moved(charge, record.last), at, expect)
        else:
            expect = self._charged(charge, "VOIDED", record.closed, replayed=True)
            self._step("void", {"charge": charge}, at, expect)

    def capture_refused(
        self,
        charge: str,
        minor: int,
        code: str,
        where: str,
        at: int = NOW,
        currency: str = "CNY",
        number: str | None = None,
    ) -> None:
        """A capture is refused; the charge stays as it is."""
        more = {} if number is None else {"capture_no": number}
        self._step("capture", _moved(charge, minor, currency, **more), at, refusal_of(code, where))

    def void_refused(self, charge: str, code: str, where: str, at: int = NOW) -> None:
        """A void is refused; the charge stays as it is."""
        self._step("void", {"charge": charge}, at, refusal_of(code, where))

    def revoked(self, mandate: str, at: int = NOW) -> None:
        """A mandate is revoked, now or (again) before."""
        row = self.mandates[mandate]
        replayed = row.state == "Revoked"
        if not replayed:
            row.sequence += 1
            row.state, row.known, row.revoked_at_sequence = "Revoked", True, row.sequence
        expect = {"revoked": {"replayed": replayed}} | receipt_of("REVOKED", row.revoked_at_sequence)
        self._step("revoke", {"mandate": mandate}, at, expect)

    def revoked_with_holds(self, mandate: str, charges: list[str], at: int = NOW) -> None:
        """A mandate whose holds go with it is revoked: each hold is voided first, with a receipt of its own."""
        voided = [{"name": charge, "sequence": self._close(charge, "VOIDED", 0).sequence} for charge in charges]
        self.revoked(mandate, at)
        self.steps[-1]["expect"]["voided"] = voided

    def revoke_refused(self, mandate: str, code: str, where: str, at: int = NOW) -> None:
        """A revocation is refused."""
        self._step("revoke", {"mandate": mandate}, at, refusal_of(code, where))

    def vector(self) -> Vector:
        """The finished sequence."""
        return {
            "id": f"sequences/{self.name}",
            "why": self.why,
            "rules": self.rules,
            "objects": self.objects,
            "steps": self.steps,
        }

    def _row(self, credential: str) -> _Mandate:
        return self.mandates[self.credentials[credential].mandate]

    def _close(self, charge: str, state: str, captured: int) -> _Mandate:
        record = self.charges[charge]
        row = self._row(record.credential)
        row.sequence += 1
        record.captured, record.closed, record.last = record.captured + captured, row.sequence, captured
        record.state = "CAPTURED" if record.captured else state
        return row

    def _expire(self, charge: str) -> dict[str, Any]:
        return {"name": charge, "sequence": self._close(charge, "EXPIRED", 0).sequence}

    def _charged(self, charge: str, receipt: str, sequence: int, *, replayed: bool = False) -> dict[str, Any]:
        record = self.charges[charge]
        shown = {
            "name": charge,
            "state": record.state,
            "amount": money(record.minor),
            "captured": money(record.captured) if record.captured else None,
            "refunded": money(record.refunded) if record.refunded else None,
            "hold_expires_at": record.expires,
            "replayed": replayed,
        }
        return {"charge": shown} | receipt_of(receipt, sequence)

    def _standing(self, row: _Mandate, charges: list[_Charge], at: int) -> dict[str, Any]:
        if row.successor is not None:
            line = self.mandates[row.successor].sequence
            return {"state": "Revoked", "receipts": line, "counters": [], "successor": row.successor}
        counters: list[dict[str, Any]] = []
        for name, each in sorted(row.counters.items(), key=lambda item: item[0].rpartition("/")[0]):
            if each.counted:
                debited = [charge for charge in charges if each in self.credentials[charge.credential].counters]
                taken = [charge.takes(at) for charge in debited]
                stands = {"held": sum(held for held, _ in taken), "captured": sum(captured for _, captured in taken)}
                counters.append({"limit": name, "cap": each.cap, **stands})
        counters += [quota.counter(charges, at) for quota in row.quotas]
        state = "Expired" if row.state != "Revoked" and at >= row.end else row.state
        return {"state": state, "receipts": row.sequence, "counters": counters}

    def _step(self, op: str, arguments: dict[str, Any], at: int, expect: dict[str, Any]) -> None:
        after = {}
        for name, row in self.mandates.items():
            charges = [charge for charge in self.charges.values() if self.credentials[charge.credential].mandate == name]
            after[name] = self._standing(row, charges, at) if row.known else None
        self.steps.append({"op": op, **arguments, "at": at, "expect": expect, "after": after})


def _moved(charge: str, minor: int, currency: str = "CNY", **numbers: str) -> dict[str, str]:
    return {"charge": charge, "amount": money(minor), "currency": currency, **numbers}


def receipt_of(state: str, sequence: int) -> dict[str, Any]:
    """What a call is answered beside its outcome: the receipt of that entry."""
    return {"receipt": {"state": state, "sequence": sequence}}


def refusal_of(code: str, where: str, *, replayed: bool = False) -> dict[str, Any]:
    """What a call is answered that is refused."""
    return {"refuse": code, "rule": CODES[code].rule, "where": where, "replayed": replayed}

"""The published vectors as they lie in their folder, and how a sequence of calls is run against a new ledger."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

import act
from act.delegation.credential import open_credential
from act.delegation.limits import Unit
from act.envelope.objects import open_object
from act.parties import EnrolledKey, Parties, PartiesTable, Role, parse_parties
from act.payment.receipt import open_receipt, recorded_receipt

__all__ = ["FOLDER", "Runner", "at", "counted", "loaded", "parties"]

FOLDER: Final = Path(__file__).resolve().parents[2] / "test-vectors"


@cache
def loaded(kind: str) -> dict[str, Any]:
    """A vector file. A missing one is an error, never a skip."""
    content: dict[str, Any] = json.loads((FOLDER / f"{kind}.json").read_text(encoding="utf-8"))
    return content


@cache
def parties(name: str) -> PartiesTable:
    """A parties document by name."""
    return parse_parties(json.dumps(loaded("parties")["documents"][name]).encode())


def at(seconds: int) -> datetime:
    """An instant of a vector."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def counted(shown: dict[str, Any], unit: Unit) -> dict[str, Any]:
    """A limit as vectors show it: its unit where it counts payments."""
    return shown | ({"unit": "TIMES"} if unit is Unit.TIMES else {})


class ChangingParties:
    """Parties that a step can exchange, as a reload would."""

    def __init__(self, now: Parties) -> None:
        self.now = now

    @property
    def version(self) -> int:
        """The version of what is known now."""
        return self.now.version

    @property
    def expires_at(self) -> int:
        """The end of what is known now."""
        return self.now.expires_at

    def find(self, kid: bytes, role: Role, at: int) -> EnrolledKey:
        """Ask what is known now."""
        return self.now.find(kid, role, at)


class Runner:
    """One sequence: a new ledger, a clock set by each step, and everything learnt on the way."""

    def __init__(self, vector: dict[str, Any], folder: Path) -> None:
        self.objects = {name: bytes.fromhex(data) for name, data in vector["objects"].items()}
        self.is_jose = vector["id"].startswith("sequences-jose/")
        self.parties = ChangingParties(parties("standard"))
        self.ledger = act.SqliteLedger(folder / "ledger.db")
        pair = next(pair for pair in loaded("keys")["pairs"] if pair["name"] == "psp")
        self.signer = act.KeyPair.unsafe_from_seed(bytes.fromhex(pair["seed"]))
        self.instant = 0
        self.service = act.PaymentService(
            "psp-1",
            parties=self.parties,
            ledger=self.ledger,
            signer=self.signer,
            clock=lambda: at(self.instant),
        )
        self.charges: dict[str, str] = {}
        self.receipts: dict[tuple[bytes, int], act.Receipt] = {}
        self.lines: dict[bytes, bytes] = {}

    def run(self, step: dict[str, Any]) -> None:
        """Make the call; compare its answer and what it left behind."""
        if step["op"] == "parties":
            self.parties.now = parties(step["parties"])
            return
        self.instant = step["at"]
        expect = step["expect"]
        if "refuse" in expect:
            with pytest.raises(act.Refused) as caught:
                self._call(step)
            refusal = caught.value
            found = {name: expect[name] for name in ("refuse", "rule", "where", "replayed")}
            assert {
                "refuse": refusal.code,
                "rule": refusal.rule,
                "where": refusal.where,
                "replayed": refusal.replayed,
            } == found
            self._require_taken_over(expect)
            told = expect.get("receipt")  # of the refusal itself, or of the end that the charge came to
            self._require_receipt(told, refusal.receipt, refusal.code if told and told["state"] == "REFUSED" else None)
        else:
            answer = self._call(step)
            for expired in expect.get("expired", ()):
                self._require_expired(expired)
            self._require_taken_over(expect)
            if "recorded" in expect:
                assert answer is None
            elif "receipt" not in expect:
                assert [each.id for each in answer] == [self.charges[each["name"]] for each in expect["expired"]]
            elif "charge" in expect:
                self._require_charge(expect["charge"], answer)
            else:
                if "revoked" in expect:
                    assert {"replayed": answer.replayed} == expect["revoked"]
                else:
                    assert {"state": answer.state.value, "replayed": answer.replayed} == expect["acknowledged"]
                for voided in expect.get("voided", ()):
                    again = self.service.void(self.charges[voided["name"]])
                    assert again.replayed
                    self._require_receipt({"state": "VOIDED", "sequence": voided["sequence"]}, again.receipt, None)
            if "receipt" in expect:
                self._require_receipt(expect["receipt"], answer.receipt, None)
        for name, standing in step["after"].items():
            assert self._standing(self.objects[name]) == standing, name

    def _call(self, step: dict[str, Any]) -> Any:
        match step["op"]:
            case "authorize":
                return self.service.authorize(self.objects[step["payment"]])
            case "capture":
                amount = act.Amount.parse(step["amount"], step["currency"])
                charge = self.charges.get(step["charge"], step["charge"])
                return self.service.capture(charge, amount, capture_no=step.get("capture_no"))
            case "refund":
                amount = act.Amount.parse(step["amount"], step["currency"])
                charge = self.charges.get(step["charge"], step["charge"])
                return self.service.refund(charge, amount, refund_no=step["refund_no"])
            case "expire":
                return self.service.expire_holds()
            case "void":
                return self.service.void(self.charges.get(step["charge"], step["charge"]))
            case "register":
                return self.service.register(self.objects[step["mandate"]])
            case "revoke":
                return self.service.revoke(self.objects[step["mandate"]])
            case "instruct":
                if "instruction" in step:
                    chain = [self.objects[name] for name in step["chain"]]
                    return self.service.instruct(self.objects[step["instruction"]], chain=chain)
                return self.service.instruct(self._signed(step["charge"], step["sign"]))
            case unknown:
                raise ValueError(unknown)

    def _signed(self, charge: str, terms: dict[str, Any]) -> bytes:
        """An instruction about a charge whose id only this ledger knows."""
        pair = next(pair for pair in loaded("keys")["pairs"] if pair["name"] == terms["signer"])
        amount = act.Amount.parse(terms["amount"], terms["currency"]) if "amount" in terms else None
        return act.sign_instruction(
            terms["action"],
            signer=act.KeyPair.unsafe_from_seed(bytes.fromhex(pair["seed"])),
            issuer=terms["iss"],
            audience="psp-1",
            trade_no=self.charges.get(charge, charge),
            amount=amount,
            capture_no=terms.get("capture_no"),
            refund_no=terms.get("refund_no"),
            instruction_id=bytes.fromhex(terms["cti"]),
            at=at(terms["iat"]),
            format="jose" if self.is_jose else "cose",
        )

    def _require_charge(self, expect: dict[str, Any], charge: act.Charge) -> None:
        assert self.charges.setdefault(expect["name"], charge.id) == charge.id
        assert list(self.charges.values()).count(charge.id) == 1
        assert {
            "name": expect["name"],
            "state": charge.state.value,
            "amount": charge.amount.text,
            "captured": charge.captured.text if charge.captured else None,
            "refunded": charge.refunded.text if charge.refunded else None,
            "hold_expires_at": charge.hold_expires_at,
            "replayed": charge.replayed,
        } == expect

    def _require_expired(self, expect: dict[str, Any]) -> None:
        """The hold was closed by an entry of its own, and its receipt is part of its mandate's chain."""
        charge_id = self.charges[expect["name"]]
        mandate = self.ledger.charge(charge_id).request.mandate
        recorded = recorded_receipt(self.ledger.receipts(mandate)[expect["sequence"] - 1])
        assert (recorded.kind.value, recorded.trade_no) == ("EXPIRED", charge_id)
        self.receipts[self._line(recorded), recorded.sequence] = recorded

    def _require_taken_over(self, expect: dict[str, Any]) -> None:
        """A successor took over in this call; the receipt of that names the one it replaces."""
        if "succeeded" not in expect:
            return
        mandate = self.objects[expect["succeeded"]["mandate"]]
        content, sequence = open_credential(mandate), expect["succeeded"]["sequence"]
        unsigned = self.ledger.receipts(content.authenticate(self.parties).key)[sequence - 1]
        self._require_receipt({"state": "SUCCEEDED", "sequence": sequence}, unsigned.sign(self.signer), None)
        said = recorded_receipt(unsigned)
        assert (said.credential, said.supersedes) == (content.opened.identity, content.content.mandate.supersedes)

    def _line(self, receipt: act.Receipt) -> bytes:
        """Whose chain of receipts it belongs to: the first mandate of a line, each of which replaced the one before."""
        if receipt.supersedes is not None and receipt.kind.value == "REVOKED":  # it ends what was never seen
            self.lines[receipt.supersedes] = self.lines.get(receipt.credential, receipt.credential)
        elif receipt.supersedes is not None:
            self.lines[receipt.credential] = self.lines.get(receipt.supersedes, receipt.supersedes)
        return self.lines.get(receipt.credential, receipt.credential)

    def _require_receipt(self, expect: dict[str, Any] | None, data: bytes | None, code: str | None) -> None:
        """The receipt says what happened, and continues its mandate's chain: sequence, previous, counters."""
        if expect is None:
            assert data is None
            return
        assert data is not None
        assert data.startswith(b"e" if self.is_jose else b"\xd2")  # in the envelope of what was presented
        receipt = open_receipt(data).authenticate(self.parties)
        assert {"state": receipt.kind.value, "sequence": receipt.sequence} == expect
        assert receipt.code == code
        line = self._line(receipt)
        seen = self.receipts.setdefault((line, receipt.sequence), receipt)
        assert seen == receipt
        before = self.receipts.get((line, receipt.sequence - 1))
        assert receipt.previous == (before.identity if before else None)

    def _name_of(self, identity: bytes) -> str:
        signed: dict[str, bytes] = {name: data for name, data in self.objects.items() if data[:1] in (b"e", b"\xd2")}
        return next(name for name, data in signed.items() if open_object(data).identity == identity)

    def _standing(self, mandate: bytes) -> dict[str, Any] | None:
        status = self.service.status(mandate)
        if status is None:
            return None
        last: dict[str, tuple[int, int]] = {}
        line = self.lines.get(status.identity, status.identity)
        chain = [receipt for (credential, _), receipt in sorted(self.receipts.items()) if credential == line]
        for receipt in chain:
            if receipt.kind.value == "SUCCEEDED":  # limits that it does not name count no more; windows that ended before go on
                named = {change.name for change in receipt.counters}
                last = {name: used for name, used in last.items() if name in named or "@" in name or "/" in name}
            for change in receipt.counters:
                if "~" in change.name:  # it also moves by time
                    continue
                assert (change.held_before, change.captured_before) == last.get(change.name, (0, 0))
                last[change.name] = change.held, change.captured
        stored = self.ledger.status(status.key)  # as it is stored: what has ended counts until something closes it
        assert stored is not None
        stands = {counter.name: (counter.held, counter.captured) for counter in stored.counters if "~" not in counter.name}
        open_now = {name: last.get(name, (0, 0)) for name in stands}
        assert open_now == stands
        assert stands or status.successor is not None or set(last.values()) <= {(0, 0)}  # a refusal can come before any charge
        shown = {} if status.successor is None else {"successor": self._name_of(status.successor)}
        return shown | {
            "state": status.state.value,
            "receipts": len(chain),
            "counters": [
                counted(
                    {
                        "limit": counter.name,
                        "cap": counter.cap,
                        "held": counter.held,
                        "captured": counter.captured,
                    },
                    counter.unit,
                )
                for counter in sorted(status.counters, key=lambda each: each.name.rpartition("/")[0])
            ],
        }

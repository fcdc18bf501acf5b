"""Sequences of instructions to one ledger: each is obeyed once, by whom it may be given, and what stands below a stop stops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from vector_sets.chain_sequences import pay, root_of
from vector_sets.instructions import NAMES, about_credential
from vector_sets.linked import DEPTH, link
from vector_sets.story import Story, money, receipt_of, refusal_of
from vector_sets.world import NOW, mandate, uuid_of

__all__ = ["STORIES", "Instructed"]

_DAY: Final = 86_400
_KINDS: Final = {"suspend": "SUSPENDED", "resume": "RESUMED", "revoke": "REVOKED"}
_CLOSED: Final = "transition_not_allowed"


@dataclass
class Instructed(Story):
    """A sequence with instructions, and a model of what each must answer: by credential, the receipts of the stops that stand,
    by whose doing."""

    chains: dict[str, list[str]] = field(default_factory=dict)
    stops: dict[str, dict[str, int]] = field(default_factory=dict)
    answers: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    signed: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)

    def root(self, name: str, data: bytes, cap: int) -> bytes:
        """A mandate that instructions are about."""
        self.chains[name], self.stops[name] = [name], {}
        return self.mandate(name, data, cap)

    def below(self, name: str, data: bytes, parent: str) -> bytes:
        """A link that instructions are about."""
        self.chains[name], self.stops[name] = [*self.chains[parent], name], {}
        self.objects[name] = data.hex()
        return self.link(name, data, parent)

    def sign(self, name: str, action: str, credential: str, signer: str, at: int, identifier: str | None = None) -> None:
        """An instruction to be presented; `identifier` makes its id."""
        chain = [bytes.fromhex(self.objects[each]) for each in self.chains[credential]]
        changes = {"cti": uuid_of(identifier or name), "iat": at, "exp": at + _DAY}
        self.objects[name] = about_credential(action, chain, signer=signer, changes=changes).hex()

    def told(
        self,
        name: str,
        action: str,
        credential: str,
        signer: str = "wallet",
        causer: str = "principal",
        at: int = NOW,
        *,
        voided: Sequence[str] = (),
    ) -> None:
        """Somebody who may instructs: it is done, or it was done before and the receipt of then is the answer."""
        self.sign(name, action, credential, signer, at)
        stops, row = self.stops[credential], self._row(credential)
        by = "revoked" if action == "revoke" else causer
        closed = [{"name": each, "sequence": self._close(each, "VOIDED", 0).sequence} for each in voided]
        is_again = action != "resume" and by in stops
        if is_again:
            sequence = stops[by]
        else:
            row.sequence, row.known = row.sequence + 1, True
            sequence = row.sequence
            if action == "resume":
                del stops[by]
            else:
                self.stops[credential] = {by: sequence} | ({} if action == "revoke" else stops)
        if credential in self.mandates:
            row.state = self._state(credential)
        self.answers[name] = (credential, _KINDS[action], sequence)
        self._answered(name, at, replayed=is_again, closed=closed)

    def told_again(self, name: str, at: int = NOW) -> None:
        """The same instruction again: the receipt of then, and how the credential stands now."""
        self._answered(name, at, replayed=True)

    def not_told(
        self,
        name: str,
        action: str,
        credential: str,
        code: str,
        where: str,
        signer: str = "wallet",
        at: int = NOW,
        *,
        identifier: str | None = None,
        issued_at: int | None = None,
    ) -> None:
        """An instruction is refused, and nothing moves."""
        self.sign(name, action, credential, signer, at if issued_at is None else issued_at, identifier)
        self._step("instruct", {"instruction": name, "chain": self.chains[credential]}, at, refusal_of(code, where))

    def moved(
        self, name: str, action: str, charge: str, minor: int | None = None, signer: str = "teashop", at: int = NOW, **more: str
    ) -> None:
        """Somebody who may instructs about a charge; the instruction is signed when the charge's id is known."""
        record = self.charges[charge]
        amount = {} if minor is None else {"amount": money(minor), "currency": "CNY"}
        terms = {"action": action, "signer": signer, "iss": NAMES[signer], "iat": at, "cti": uuid_of(name).hex()}
        self.signed[name] = (charge, terms | amount | more)
        if action == "refund" and minor is not None:
            row = self._row(record.credential)
            row.sequence += 1
            record.refunded += minor
            sequence, kind = row.sequence, "REFUNDED"
        elif action == "capture" and "capture_no" in more and minor is not None:
            row = self._row(record.credential)
            row.sequence += 1
            record.captured, record.state = record.captured + minor, "PARTIALLY_CAPTURED"
            sequence, kind = row.sequence, "PARTIALLY_CAPTURED"
        else:
            kind = "CAPTURED" if action == "capture" else "VOIDED"
            sequence = self._close(charge, kind, minor or 0).sequence
        self.answers[name] = (charge, kind, sequence)
        self._moved_step(name, at, self._charged(charge, kind, sequence))

    def moved_again(self, name: str, at: int) -> None:
        """The same instruction about a charge again."""
        charge, kind, sequence = self.answers[name]
        self._moved_step(name, at, self._charged(charge, kind, sequence, replayed=True))

    def not_moved(
        self,
        name: str,
        action: str,
        charge: str,
        code: str,
        where: str,
        minor: int | None = None,
        signer: str = "teashop",
        at: int = NOW,
        *,
        identifier: str | None = None,
        **more: str,
    ) -> None:
        """An instruction about a charge is refused; the charge stays as it is."""
        amount = {} if minor is None else {"amount": money(minor), "currency": "CNY"}
        identity = uuid_of(identifier or name).hex()
        terms = {"action": action, "signer": signer, "iss": NAMES[signer], "iat": at, "cti": identity}
        self.signed[name] = (charge, terms | amount | more)
        self._moved_step(name, at, refusal_of(code, where))

    def _moved_step(self, name: str, at: int, expect: Mapping[str, Any]) -> None:
        charge, terms = self.signed[name]
        self._step("instruct", {"charge": charge, "sign": terms}, at, dict(expect))

    def _answered(self, name: str, at: int, *, replayed: bool, closed: Sequence[dict[str, Any]] = ()) -> None:
        credential, kind, sequence = self.answers[name]
        acknowledged = {"state": self._state(credential), "replayed": replayed}
        expect = {"acknowledged": acknowledged} | receipt_of(kind, sequence) | ({"voided": list(closed)} if closed else {})
        self._step("instruct", {"instruction": name, "chain": self.chains[credential]}, at, expect)

    def _state(self, credential: str) -> str:
        stops = self.stops[credential]
        return "Revoked" if "revoked" in stops else "Suspended" if stops else "Active"


def _suspended() -> Story:
    story = Instructed("instruct-suspend", "A suspension stands until whoever gave it lifts it; neither the principal nor "
                        "risk control undoes the other's.", ["ACT-LED-03", "ACT-LED-12", "ACT-LED-13"])  # fmt: skip
    root = story.root("mandate", mandate({"act.max_total_amount": "50.00"}), 5_000)
    for number in range(1, 5):
        story.payment(f"payment-{number}", pay([root], number, 1_000))
    story.told("suspend", "suspend", "mandate")
    story.refused_on_record("payment-1", "mandate", "credential_suspended", "mandate")
    story.told("suspend-by-risk-control", "suspend", "mandate", "psp", "risk_control")
    story.told("resume", "resume", "mandate")
    story.refused_on_record("payment-2", "mandate", "credential_suspended", "mandate")
    story.not_told("resume-again", "resume", "mandate", _CLOSED, "mandate")
    story.told("resume-by-risk-control", "resume", "mandate", "psp", "risk_control")
    story.authorized("payment-3", "mandate", "charge-3", 1_000)
    story.told("suspend-by-principal", "suspend", "mandate", "principal")
    story.not_told("resume-not-mine", "resume", "mandate", _CLOSED, "mandate", "psp")
    story.not_told("suspend-by-agent", "suspend", "mandate", "instruction_not_allowed", "instruction.act.action", "agent")
    story.captured("charge-3", 1_000, NOW + 10)
    return story


def _revoked() -> Story:
    story = Instructed("instruct-revoke", "The agent gives its mandate back, and nothing leaves Revoked.",
                        ["ACT-LED-02", "ACT-LED-13"])  # fmt: skip
    root = story.root("mandate", mandate({"act.max_total_amount": "50.00"}), 5_000)
    story.payment("payment-1", pay([root], 1, 1_000))
    story.not_told("revoke-by-risk-control", "revoke", "mandate", "instruction_not_allowed", "instruction.act.action", "psp")
    story.told("revoke", "revoke", "mandate", "agent", "agent")
    story.refused_on_record("payment-1", "mandate", "credential_revoked", "mandate")
    story.told("revoke-again", "revoke", "mandate", "wallet", "principal")
    story.not_told("suspend", "suspend", "mandate", _CLOSED, "mandate")
    story.not_told("resume", "resume", "mandate", _CLOSED, "mandate")
    return story


def _replayed() -> Story:
    story = Instructed("instruct-replay", "The same instruction again is answered with the receipt of then, whatever happened "
                        "since, and does nothing; its id stands for no other.", ["ACT-LED-12"])  # fmt: skip
    root = story.root("mandate", mandate({"act.max_total_amount": "50.00"}), 5_000)
    story.root("other", mandate({"cti": uuid_of("other"), "act.max_total_amount": "50.00"}), 5_000)
    story.payment("payment-1", pay([root], 1, 1_000))
    story.told("suspend", "suspend", "mandate")
    story.told("suspend-too", "suspend", "mandate")
    story.told("resume", "resume", "mandate", at=NOW + 1)
    story.told_again("suspend", NOW + 2)
    story.told_again("suspend-too", NOW + 2)
    story.not_told("same-id", "revoke", "mandate", "duplicate_instruction", "instruction.cti", identifier="suspend")
    story.authorized("payment-1", "mandate", "charge-1", 1_000, NOW + 3)
    story.told_again("resume", NOW + _DAY + 5)
    story.not_told("late", "revoke", "mandate", "instruction_expired", "instruction.exp", at=NOW + _DAY, issued_at=NOW)
    return story


def _expired() -> Story:
    end = NOW + 300
    story = Instructed("instruct-expired", "Nothing leaves Expired by instruction; a link expires by its own end.",
                        ["ACT-LED-13"])  # fmt: skip
    root = story.root("mandate", root_of("50.00"), 5_000)
    story.below("link", link(root, {"exp": end}), "mandate")
    story.told("suspend-link", "suspend", "link", at=end - 1)
    for action in ("suspend", "resume", "revoke"):
        story.not_told(f"{action}-late", action, "link", _CLOSED, "link.1", at=end)
    story.told("suspend", "suspend", "mandate", at=end)
    return story


def _links() -> Story:
    story = Instructed("instruct-link", "A link that is stopped stops what is below it, and nothing beside or above it.",
                        ["ACT-LED-02", "ACT-LED-03", "ACT-LED-13"])  # fmt: skip
    root = story.root("mandate", root_of("50.00", 2), 5_000)
    first = story.below("link-1", link(root, {DEPTH: 1}), "mandate")
    second = story.below("link-2", link(first, agent="courier-2"), "link-1")
    other = story.below("link-other", link(root, agent="other-courier"), "mandate")
    chains = {"mandate": [root], "link-1": [root, first], "link-2": [root, first, second], "link-other": [root, other]}
    for number, (name, chain) in enumerate([*chains.items()] * 2, 1):
        story.payment(f"payment-{number}-{name}", pay(chain, number, 100))
    story.told("suspend", "suspend", "link-1")
    story.refused_on_record("payment-3-link-2", "link-2", "credential_suspended", "link.1")
    story.refused_on_record("payment-2-link-1", "link-1", "credential_suspended", "link.1")
    story.authorized("payment-1-mandate", "mandate", "charge-1", 100)
    story.authorized("payment-4-link-other", "link-other", "charge-4", 100)
    story.told("resume", "resume", "link-1")
    story.authorized("payment-7-link-2", "link-2", "charge-7", 100)
    story.not_told("revoke-above", "revoke", "mandate", "instruction_not_allowed", "instruction.iss", "courier")
    story.told("revoke", "revoke", "link-2", "agent", "agent")
    story.authorized("payment-6-link-1", "link-1", "charge-6", 100)
    story.captured("charge-7", 100, NOW + 10)
    return story


def _link_voids() -> Story:
    story = Instructed("instruct-link-void", "Where the mandate says so, what is held below a revoked link is voided, and "
                        "nothing else.", ["ACT-LED-02"])  # fmt: skip
    changes = {"act.max_total_amount": "50.00", DEPTH: 1, "act.ext.status.on_revoke": "void"}
    root = story.root("mandate", mandate(changes), 5_000)
    one = story.below("link-1", link(root), "mandate")
    story.payment("payment-1", pay([root], 1, 100))
    story.payment("payment-2", pay([root, one], 2, 200))
    story.authorized("payment-1", "mandate", "charge-1", 100)
    story.authorized("payment-2", "link-1", "charge-2", 200)
    story.told("revoke", "revoke", "link-1", "agent", "agent", voided=["charge-2"])
    story.told_again("revoke", NOW + 1)
    story.capture_refused("charge-2", 200, "charge_closed", "charge", NOW + 2)
    story.captured("charge-1", 100, NOW + 2)
    return story


def _charges() -> Story:
    story = Instructed("instruct-charge", "A payee captures, refunds and voids its own charges by instruction, each once; the "
                        "payment service may void.", ["ACT-INS-05", "ACT-LED-06", "ACT-LED-10", "ACT-LED-12"])  # fmt: skip
    root = story.root("mandate", mandate({"act.max_total_amount": "50.00"}), 5_000)
    for number in (1, 2, 3):
        story.payment(f"payment-{number}", pay([root], number, 1_000))
        story.authorized(f"payment-{number}", "mandate", f"charge-{number}", 1_000)
    story.not_moved("not-mine", "capture", "charge-1", "instruction_not_allowed", "instruction.iss", 1_000, "cha")
    story.not_moved("not-the-psp", "capture", "charge-1", "instruction_not_allowed", "instruction.act.action", 1_000, "psp")
    story.not_moved("too-much", "capture", "charge-1", "capture_exceeds_hold", "amount", 1_001)
    story.moved("part", "capture", "charge-1", 400, capture_no="S-1")
    story.moved("rest", "capture", "charge-1", 500)
    story.moved_again("part", NOW + 5)
    story.not_moved("same-id", "void", "charge-1", "duplicate_instruction", "instruction.cti", identifier="part")
    story.not_moved("refund-too-much", "refund", "charge-1", "refund_exceeds_captured", "amount", 901, refund_no="R-1")
    story.moved("refund", "refund", "charge-1", 300, refund_no="R-1")
    story.moved_again("refund", NOW + _DAY + 5)
    story.moved("void", "void", "charge-2")
    story.moved_again("void", NOW + 5)
    story.moved("void-by-psp", "void", "charge-3", signer="psp")
    story.not_moved("no-such", "void", "charge-nobody-made", "charge_unknown", "charge")
    return story


STORIES: Final = (_suspended, _revoked, _replayed, _expired, _links, _link_voids, _charges)

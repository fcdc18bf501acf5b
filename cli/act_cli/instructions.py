"""Instructions, and what a receipt says of its cause, which may be a succession as well: as JSON, and as facts for people."""

from __future__ import annotations

from typing import Any, Final

from act_cli.manners import instant_text

__all__ = [
    "LIFECYCLE",
    "cause_facts",
    "cause_view",
    "instruction_facts",
    "instruction_view",
    "sentence",
    "short_identity",
    "spoken",
]

LIFECYCLE: Final = frozenset({"suspend", "resume", "revoke"})
"""Actions about a credential; the others are about a charge."""

_SPOKEN: Final = {
    "principal": "for the principal",
    "agent": "as an agent that holds the credential or stands above it",
    "risk_control": "as the payment service's risk control",
    "payee": "as a payee",
    "psp": "as the payment service",
}


def spoken(causer: str) -> str:
    """As whom somebody instructs, in words."""
    return _SPOKEN[causer]


def short_identity(identity: bytes) -> str:
    """A credential as people tell it from others: the beginning of its identity."""
    return f"{identity.hex()[:16]}…"


def instruction_view(instruction: Any) -> dict[str, Any]:
    """An instruction; its type has no public name. Fields its action does not have are left out."""
    about = instruction.about
    document: dict[str, Any] = {
        "instruction_id": instruction.instruction_id.hex(),
        "issuer": instruction.issuer,
        "audience": instruction.audience,
        "action": instruction.action.value,
    }
    if instruction.action.value in LIFECYCLE:
        document |= {
            "delegator_identity": about.delegator_identity,
            "delegation_id": about.delegation_id,
            "credential": about.credential.hex(),
        }
    else:
        document |= {
            "trade_no": about.trade_no,
            "currency": about.amount.currency if about.amount is not None else None,
            "amount": about.amount.text if about.amount is not None else None,
            "capture_no": about.capture_no,
            "refund_no": about.refund_no,
            "fulfilment": about.fulfilment.hex() if about.fulfilment is not None else None,
        }
    document |= {
        "reason": instruction.reason,
        "issued_at": instant_text(instruction.issued_at),
        "expires_at": instant_text(instruction.expires_at),
    }
    return {name: value for name, value in document.items() if value is not None}


def sentence(instruction: Any) -> str:
    """What is instructed, in one line."""
    action, about = instruction.action.value, instruction.about
    if action in LIFECYCLE:
        return f"{action} the credential {short_identity(about.credential)} of {about.delegator_identity}"
    if action == "void":
        return f"void the charge {about.trade_no}: let go of what is still held"
    part = f", as part {about.capture_no}; the rest stays held" if about.capture_no is not None else ""
    final = ", and let go of the rest" if action == "capture" and not part else ""
    number = f", under number {about.refund_no}" if about.refund_no is not None else ""
    return f"{action} {about.amount} of the charge {about.trade_no}{part}{final}{number}"


def instruction_facts(instruction: Any) -> list[tuple[str, str | None]]:
    """What an instruction says, one line each."""
    about, is_lifecycle = instruction.about, instruction.action.value in LIFECYCLE
    fulfilment = None if is_lifecycle else about.fulfilment
    return [
        ("instructs", sentence(instruction)),
        ("reason", instruction.reason),
        ("given by", instruction.issuer),
        ("ledger", instruction.audience),
        ("credential", about.credential.hex() if is_lifecycle else None),
        ("mandate id", about.delegation_id.removeprefix("urn:uuid:") if is_lifecycle else None),
        ("charge", None if is_lifecycle else about.trade_no),
        ("fulfilment", fulfilment.hex() if fulfilment is not None else None),
        ("instruction", instruction.instruction_id.hex()),
        ("expires", instant_text(instruction.expires_at)),
        ("signed at", instant_text(instruction.issued_at)),
    ]


def cause_view(receipt: Any) -> dict[str, Any]:
    """What a receipt says of the instruction that caused it, or of the mandate that was replaced, as far as there was one."""
    document = {
        "instruction": receipt.instruction.hex() if receipt.instruction is not None else None,
        "caused_by": receipt.caused_by.value if receipt.caused_by is not None else None,
        "link": receipt.link.hex() if receipt.link is not None else None,
        "credential_state": receipt.credential_state.value if receipt.credential_state is not None else None,
        "supersedes": receipt.supersedes.hex() if receipt.supersedes is not None else None,
    }
    return {name: value for name, value in document.items() if value is not None}


def cause_facts(receipt: Any) -> list[tuple[str, str | None]]:
    """The same for people."""
    said = cause_view(receipt)
    causer = said.get("caused_by")
    return [
        ("instructed", spoken(causer) if causer is not None else None),
        ("by what", said.get("instruction")),
        ("about link", said.get("link")),
        ("now", said.get("credential_state")),
        ("replaces", said.get("supersedes")),
        *_carried_facts(receipt),
    ]


def _carried_facts(receipt: Any) -> list[tuple[str, str | None]]:
    """How each limit stands after a succession, whose receipt names no currency."""
    if receipt.supersedes is None:
        return []
    units = {"AMOUNT": "minor units", "TIMES": "payments"}
    return [
        ("counts now", f"{each.name}: {each.held + each.captured} of {each.cap} {units[each.unit.value]}")
        for each in receipt.counters
    ]

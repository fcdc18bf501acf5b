"""What commands there are, in the order of a payment's life. Reading it loads nothing, so that `act --help` is quick.

A test compares every summary here with the one the command itself gives.
"""

from __future__ import annotations

import textwrap
from typing import Final, NamedTuple

__all__ = ["COMMANDS", "INTRODUCTION", "WITHOUT_EXTRA", "Entry", "plain_help"]


class Entry(NamedTuple):
    """One command: its name, the module under `act_cli.commands` and the variable in it, and one line of help."""

    name: str
    module: str
    variable: str
    summary: str


COMMANDS: Final = (
    Entry("demo", "demo", "demo", "Play an afternoon of payments with real keys, files and a ledger."),
    Entry("keys", "keys", "keys", "Make and show keys."),
    Entry("intent", "intent", "intent", "Check and confirm what a principal wants, before a mandate."),
    Entry("mint", "mint", "mint", "Sign a mandate: what an agent may spend, and where."),
    Entry("delegate", "delegate", "delegate", "Sign a link: what a sub-agent may spend, and where."),
    Entry("inspect", "inspect", "inspect", "Show any object in plain words, without verifying it."),
    Entry("order", "purchase", "order", "Sign an order, as its merchant."),
    Entry("pay", "purchase", "pay", "Sign a payment for an order, as the agent."),
    Entry("verify", "verify", "verify", "Verify objects offline: what is proven, and what is not."),
    Entry("authorize", "ledger", "authorize", "Decide a payment and hold its money in the ledger."),
    Entry("capture", "ledger", "capture", "Take what is held for a charge, and release the rest."),
    Entry("void", "ledger", "void", "Release what is held for a charge."),
    Entry("refund", "ledger", "refund", "Give back what was captured, or a part of it."),
    Entry("register", "registration", "register", "Record mandates without a payment; a successor takes over at once."),
    Entry("suspend", "lifecycle", "suspend", "Suspend a mandate, or a link below it, until it is resumed."),
    Entry("resume", "lifecycle", "resume", "Lift one's own suspension of a mandate or a link."),
    Entry("revoke", "lifecycle", "revoke", "Stop a mandate, or a link below it, for good."),
    Entry("instruct", "lifecycle", "instruct", "Do what a signed instruction says, as the payment service."),
    Entry("status", "status", "status", "Show what a mandate has left, and its charges."),
    Entry("statement", "audit", "statement", "Show everything that happened under a mandate."),
    Entry("ledger", "audit", "ledger", "Check, copy or restore a whole ledger; close ended holds."),
)

INTRODUCTION: Final = (
    "Decide whether an AI agent's payment is inside what its user signed, and reserve the money in the same step."
)

WITHOUT_EXTRA: Final = "the command needs the extra 'cli': python -m pip install 'agentic-commerce-trust[cli]'"


def plain_help() -> str:
    """What `act --help` prints where click and rich are not installed."""
    width = max(len(entry.name) for entry in COMMANDS)
    lines = [f"  {entry.name:<{width}}  {entry.summary}" for entry in COMMANDS]
    missing, remedy = WITHOUT_EXTRA.split(": ")
    usage = ["Usage: act COMMAND [OPTIONS]", "", *textwrap.wrap(INTRODUCTION, 78), "", "Commands:", *lines]
    return "\n".join([*usage, "", f"Not yet usable: {missing}:", "", f"  {remedy}", ""])

"""Stopping a credential and letting it go on: `act suspend`, `resume` and `revoke`, signed by those who may or said by the
payment service itself, and `act instruct`, which does what somebody signed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeVar

import click
from rich.text import Text

import act
from act_cli import options, views, words
from act_cli.answers import answer_with_receipt, report, saying, write_receipt
from act_cli.files import STANDARD
from act_cli.instructions import LIFECYCLE, sentence
from act_cli.manners import Exit, Manners, instant_text
from act_cli.objects import read_chain, read_object
from act_cli.outputs import deliver, require_output
from act_cli.program import Command, example
from act_cli.service import signing_service

__all__ = ["instruct", "resume", "revoke", "suspend"]

F = TypeVar("F", bound=Callable[..., Any])
Action = Literal["suspend", "resume", "revoke"]

_SERVICE: Final = {"ledger_path": "--ledger", "ledger_id": "--ledger-id", "parties_path": "--parties"}
_ONLY_SERVICE: Final = {"ledger_id": "--ledger-id", "parties_path": "--parties", "receipt_path": "--receipt-out",
                        "retired_paths": "--retired-key"}  # fmt: skip
_ONLY_SIGNER: Final = {"out_path": "--out", "issuer": "--issuer", "reason": "--reason"}
_DONE: Final = {"SUSPENDED": "is suspended", "RESUMED": "may go on", "REVOKED": "is stopped",
                "SUCCEEDED": "was replaced"}  # fmt: skip


def _lifecycle(function: F) -> F:
    """What the three commands about a credential take."""
    decorators: list[Callable[[Any], Any]] = [
        click.argument("mandate_path", metavar="MANDATE"),
        click.argument("link_paths", metavar="[LINK]...", nargs=-1),
        options.signing_key("whoever signs: with --ledger the payment service"),
        click.option("--out", "out_path", metavar="FILE", help="Sign an instruction to this file; '-' is standard output."),
        click.option("--issuer", metavar="ID", help="Who signs [default: the agent with this key, else the issuer]."),
        click.option("--reason", metavar="TEXT", help="Why, for people; it decides nothing."),
        click.option("--ledger", "ledger_path", metavar="FILE", help="Do it at once in this ledger, as the payment service."),
        click.option("--ledger-id", metavar="ID", help="The payment service's id, with --ledger."),
        click.option("--parties", "parties_path", metavar="FILE", help="Who may sign as what, with --ledger."),
        options.retired_keys,
        options.receipt_out,
        options.json_flag,
        click.pass_obj,
    ]
    for decorate in reversed(decorators):
        function = decorate(function)
    return function


@click.command(cls=Command)
@_lifecycle
@example("""
act suspend mandate.cbor --key wallet.pem --reason "phone lost" \\
  --out suspend.cbor
act suspend mandate.cbor courier.cbor --ledger ledger.db \\
  --ledger-id psp-1 --parties parties.json --key psp.pem
""")
def suspend(manners: Manners, /, **given: Any) -> Exit:
    """Suspend a mandate, or a link below it, until it is resumed.

    With links it is about the last of them. Without --ledger this signs an instruction for the mandate's payment service, which
    obeys it with 'act instruct'. With --ledger it is the payment service's own word (risk control). Only whoever suspended it
    can resume it.
    """
    return _run(manners, "suspend", given)


@click.command(cls=Command)
@_lifecycle
@example("""
act resume mandate.cbor --key wallet.pem --out resume.cbor
act resume mandate.cbor --ledger ledger.db --ledger-id psp-1 \\
  --parties parties.json --key psp.pem
""")
def resume(manners: Manners, /, **given: Any) -> Exit:
    """Lift one's own suspension of a mandate or a link.

    It stays suspended while somebody else's suspension stands. With and without --ledger as 'act suspend'.
    """
    return _run(manners, "resume", given)


@click.command(cls=Command)
@_lifecycle
@example("""
act revoke mandate.cbor --key wallet.pem --out revoke.cbor
act revoke mandate.cbor courier.cbor --key agent.pem --out end.cbor
act revoke mandate.cbor --ledger ledger.db --ledger-id psp-1 \\
  --parties parties.json --key psp.pem
""")
def revoke(manners: Manners, /, **given: Any) -> Exit:
    """Stop a mandate, or a link below it, for good.

    With links it is about the last of them. What is already held stays held, unless the mandate says otherwise. Without
    --ledger this signs an instruction for the mandate's payment service: nothing is stopped before that has acknowledged it.
    With --ledger it is the payment service's own word, about a mandate; the ledger must be there: a revocation in a new file
    would stop nothing.
    """
    return _run(manners, "revoke", given)


@click.command(cls=Command)
@click.argument("instruction_path", metavar="INSTRUCTION")
@click.argument("mandate_path", metavar="[MANDATE]", required=False)
@click.argument("link_paths", metavar="[LINK]...", nargs=-1)
@options.payment_service
@options.receipt_out
@options.json_flag
@click.pass_obj
@example("""
act instruct revoke.cbor mandate.cbor --ledger ledger.db \\
  --ledger-id psp-1 --parties parties.json --key psp.pem \\
  --receipt-out acknowledged.cbor
act instruct capture.cbor --ledger ledger.db --ledger-id psp-1 \\
  --parties parties.json --key psp.pem
""")
def instruct(
    manners: Manners,
    /,
    instruction_path: str,
    mandate_path: str | None,
    link_paths: tuple[str, ...],
    receipt_path: str | None,
    force: bool,
    **given: Any,
) -> Exit:
    """Do what a signed instruction says, as the payment service.

    About a credential it needs the mandate, and the links down to the one that is meant; about a charge it needs neither. The
    receipt names the instruction: it is what its signer waits for. The same instruction again changes nothing.
    """
    require_output(manners, receipt_path, "--receipt-out", force=force)
    if (instruction_path, mandate_path, *link_paths).count(STANDARD) > 1:
        raise click.UsageError("Only one of INSTRUCTION, MANDATE and LINK can be standard input")
    data, found = read_object(manners, instruction_path, "instruction")
    said = found.instruction
    if (mandate_path is not None) is not (said.action.value in LIFECYCLE):
        needs = "give MANDATE, and the links down to it" if mandate_path is None else "leave out MANDATE"
        raise click.UsageError(f"The instruction is to {sentence(said)}: {needs}")
    chain = [] if mandate_path is None else read_chain(manners, mandate_path, link_paths)[0]
    manners.subject = instruction_path
    if mandate_path is None and said.about.amount is not None:
        manners.currency = said.about.amount.currency
    with signing_service(**given) as (service, _):
        done = service.instruct(data, chain=chain)
    if isinstance(done, act.Charge):
        return report(manners, done, receipt_path, force=force)
    return _acknowledge(manners, done, given["ledger_id"], len(link_paths), receipt_path, force=force)


def _run(manners: Manners, action: Action, given: dict[str, Any]) -> Exit:
    """Signs an instruction, or does at once what the payment service says itself."""
    if given["ledger_path"] is None:
        _require_none(given, _ONLY_SERVICE, "needs --ledger")
        if given["out_path"] is None:
            raise click.UsageError("Give --out FILE to sign an instruction, or --ledger FILE to do it as the payment service")
        return _sign(manners, action, given)
    _require_none(given, _ONLY_SIGNER, "and --ledger exclude each other: with --ledger nothing is signed but the receipt")
    for name, option in _SERVICE.items():
        if given[name] is None:
            raise click.UsageError(f"Missing option '{option}'")
    return _say(manners, action, given)


def _require_none(given: Mapping[str, Any], names: Mapping[str, str], why: str) -> None:
    stray = [option for name, option in names.items() if given[name] not in (None, ())]
    if stray:
        raise click.UsageError(f"{stray[0]} {why}")


def _sign(manners: Manners, action: Action, given: dict[str, Any]) -> Exit:
    """The signer's side. Nothing is said to be stopped: that only the payment service can say."""
    require_output(manners, given["out_path"], "--out", force=given["force"])
    chain, found = _read(manners, given)
    signer = options.load_signer(given["key_path"], given["passphrase_path"])
    mandate: act.Mandate = found.root.content.mandate
    agents = {found.root.holder.kid, *(each.holder.kid for each in found.links)}
    issuer = given["issuer"] or (None if signer.kid in agents else mandate.issuer)
    data = act.sign_instruction(action, signer=signer, issuer=issuer, chain=chain, reason=given["reason"])
    named: Any = act.recognize(data)
    bound = instant_text(_end_of(found))
    waits = {"acknowledged": False, "goes_on_until": None if action == "resume" else bound}
    what = f"instruction of {named.instruction.issuer} to {sentence(named.instruction)}"
    deliver(manners, given["out_path"], data, what, force=given["force"], more=waits)
    ledger = named.instruction.audience
    if action == "resume":
        manners.note(f"nothing is resumed yet: only a receipt of {ledger} says so")
    else:
        manners.note(f"nothing is stopped yet: without a receipt of {ledger} payments may go on until {bound}")
    return Exit.ACCEPTED


def _say(manners: Manners, action: Action, given: dict[str, Any]) -> Exit:
    """The payment service's own word."""
    receipt_path, force, link_paths = given["receipt_path"], given["force"], given["link_paths"]
    if action == "revoke" and link_paths:
        raise click.UsageError("A link is revoked by an instruction of the principal or an agent; the service may suspend it")
    require_output(manners, receipt_path, "--receipt-out", force=force)
    chain, _ = _read(manners, given)
    own = {name: given[name] for name in (*_SERVICE, "key_path", "passphrase_path", "retired_paths")}
    with signing_service(**own) as (service, _):
        if action == "revoke":
            done = service.revoke(chain[0])
        else:
            done = (service.suspend if action == "suspend" else service.resume)(chain[0], links=chain[1:])
    return _acknowledge(manners, done, given["ledger_id"], len(link_paths), receipt_path, force=force)


def _read(manners: Manners, given: Mapping[str, Any]) -> tuple[list[bytes], Any]:
    if (given["mandate_path"], *given["link_paths"]).count(STANDARD) > 1:
        raise click.UsageError("Only one of MANDATE and LINK can be standard input")
    return read_chain(manners, given["mandate_path"], given["link_paths"])


def _end_of(chain: Any) -> int:
    """When the last credential of a chain ends by itself."""
    constraints = chain.authority().constraints
    return int(constraints["validity"].encode()[1])


def _acknowledge(
    manners: Manners, done: act.Acknowledgement, ledger_id: str, links: int, receipt_path: str | None, *, force: bool
) -> Exit:
    """What became of a credential."""
    mandate_id = words.mandate_id(done.mandate.delegation_id)
    named = f"link {links} below the mandate {mandate_id}" if links else f"mandate {mandate_id}"
    kind, state = done.kind.value, done.state.value
    heading = {"REVOKED": " STOPPED ", "SUCCEEDED": " REPLACED "}.get(kind, f" {kind} ")
    with saying(manners, f"the {named} {_DONE[kind]}"):
        write_receipt(receipt_path, done.receipt, force=force)
        return answer_with_receipt(
            manners,
            receipt_path,
            {"mandate": views.mandate_key_view(done.mandate), "kind": kind, "state": state, "replayed": done.replayed},
            Text.assemble((heading, "bold black on green"), f" {named}"),
            ("means", _meaning(state, ledger_id)),
            (
                "successor",
                "goes on: what is to be stopped now is the mandate that replaced it" if kind == "SUCCEEDED" else None,
            ),
            ("replayed", "yes: it was done before, and nothing changed now" if done.replayed else None),
        )


def _meaning(state: str, ledger_id: str) -> str:
    if state == "Active":
        return f"{ledger_id} may authorize payments under it again"
    until = "any more" if state == "Revoked" else "until every suspension is lifted"
    return f"no payment under it is authorized by {ledger_id} {until}; what is held stays held"

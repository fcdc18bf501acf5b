"""Write the specification's tables and diagrams from the code they describe.

    python spec/generate.py          write them, between their markers
    python spec/generate.py --check  change nothing; exit 1 naming the files whose tables are not what would be written

A generated block stands between `<!-- generated: name -->` and `<!-- end -->`. The texts of rules that are
not rows of the verifier's own table stand in `rule_texts`.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeVar

from rule_texts import (
    ADDED,
    CHAIN,
    CHARGES,
    CONSTRAINTS,
    INSTRUCTIONS,
    LEDGER,
    NARROWING,
    NARROWING_RULES,
    OURS,
    OUTSIDE,
    READING,
    RECEIPTS,
    SELF_CONTAINED,
    SIGNATURES,
)

from act.calendar import FUTURE_TOLERANCE_SECONDS
from act.commerce.document import MAX_QUANTITY
from act.delegation.constraints import REGISTRY, rules_of
from act.delegation.constraints.base import BEHAVIOUR_RULE
from act.delegation.constraints.items import MAX_ENTRIES
from act.delegation.conversation import MAX_MESSAGES, MAX_RAW_BYTES, MAX_RAW_BYTES_IN_MANDATE
from act.delegation.credential import MAX_MANDATE_SECONDS
from act.delegation.intent import MAX_ISR_BYTES
from act.delegation.lifecycle import LIFECYCLE_CAUSERS, TRANSITIONS, Causer
from act.envelope.claims import MAX_LIST, MAX_TEXT
from act.envelope.kinds import KINDS
from act.envelope.objects import MAX_JOSE_BYTES, MAX_OBJECT_BYTES
from act.errors import CODES
from act.iso4217 import EXPONENTS
from act.keys import Algorithm
from act.parties import MAX_FILE_BYTES
from act.payment.charge import CHARGE_CAUSERS, CHARGE_TRANSITIONS, HOLD_SECONDS
from act.payment.instruction import MAX_INSTRUCTION_SECONDS
from act.payment.request import MAX_CHAIN, MAX_JSON_PAYMENT_BYTES, MAX_LIFETIME_SECONDS, MAX_PAYMENT_BYTES
from act.payment.verifier import RULES_BY_SCENARIO
from act.wire import cbor, json

FOLDER: Final = Path(__file__).resolve().parent
_State = TypeVar("_State", bound=StrEnum)


def _verifier() -> Iterator[tuple[str, str, str]]:
    """The verifier's own table; where it says "every constraint", the registry takes over, one row each."""
    for rule in RULES_BY_SCENARIO["DEL"]:
        if rule.ids[0].startswith("ACT-CON"):
            return
        yield " ".join(rule.ids), rule.component, rule.text


def _constraints() -> Iterator[tuple[str, str, str]]:
    for path, constraint in REGISTRY.items():
        if constraint.rule.startswith("ACT-CON"):
            component = "ADD-INT-ICS" if path.startswith("ext.") else "ADD-IAC-ISS"
            component = OURS if path.startswith(ADDED) else component
            yield " ".join(rules_of(path)), component, f"`{path}`: {CONSTRAINTS[path][1]}"


def _codes(rule: str) -> str:
    """The codes of one rule, or of several with a space between."""
    return ", ".join(f"`{row.code}`" for each in rule.split() for row in CODES.values() if row.rule == each)


def _ids(rule: str) -> str:
    return " ".join(f"`{each}`" for each in rule.split())


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def rules() -> str:
    """Every rule in order of evaluation."""
    stages: tuple[tuple[str, Sequence[tuple[str, str, str]]], ...] = (
        ("1. Form, of whatever is read", READING),
        ("2. What an object says of itself", SELF_CONTAINED),
        ("3. Who signed", SIGNATURES),
        ("4. The chain", CHAIN),
        ("5. The payment against its own parts", tuple(_verifier())),
        ("6. The mandate's constraints, in the registry's order", tuple(_constraints())),
        ("7. What the ledger remembers, in one transaction", LEDGER),
        ("8. Capture and void", CHARGES),
        ("9. An instruction", INSTRUCTIONS),
        ("10. A receipt, as the payee judges it", RECEIPTS),
        ("11. Outside of any object: the call and the store", OUTSIDE),
    )
    known = {each for _, rows in stages for rule, _, _ in rows for each in rule.split()}
    missing = {row.rule for row in CODES.values()} ^ known
    if missing:
        raise ValueError(f"rules without a text, or texts without a rule: {sorted(missing)}")
    blocks = []
    for title, rows in stages:
        cells = [(_ids(rule), component, text, _codes(rule)) for rule, component, text in rows]
        blocks.append(f"### {title}\n\n{_table(('rule', 'from', 'what must hold', 'otherwise'), cells)}")
    return "\n\n".join(blocks)


def refusals() -> str:
    """The whole table of codes."""
    rows = [(f"`{row.code}`", row.fault.value, f"`{row.rule}`", row.meaning, row.remedy) for row in CODES.values()]
    return _table(("code", "fault", "rule", "meaning", "remedy"), rows)


def constraints() -> str:
    """The registry in the order of judgement."""
    rows = []
    for path, kind in REGISTRY.items():
        rule = " ".join(rules_of(path))
        value, meaning = CONSTRAINTS[path]
        rows.append((f"`{path}`", value, meaning, _ids(rule), _codes(rule), kind.enforced_by.value))
    return _table(("constraint", "type", "permits a payment when", "rule", "otherwise", "enforced by"), rows)


def narrowing() -> str:
    """What a link may say of each constraint, in the registry's order."""
    rows = []
    for path, kind in REGISTRY.items():
        rule = BEHAVIOUR_RULE if kind.rule == BEHAVIOUR_RULE else NARROWING_RULES.get(path, "ACT-CHN-07")
        rows.append((f"`{path}`", NARROWING[path], _ids(rule), _codes(rule)))
    return _table(("constraint", "a link may state", "rule", "otherwise"), rows)


def kinds() -> str:
    """The typ table."""
    rows = [(kind.name, f"`{kind.cose_typ}`", f"`{kind.jose_typ}`", kind.signed_by) for kind in KINDS]
    return _table(("object", "COSE typ", "JOSE typ", "signed by"), rows)


def algorithms() -> str:
    """The closed table of algorithms."""
    rows = [(algorithm.value, algorithm.cose, algorithm.jose) for algorithm in Algorithm]
    return _table(("name", "COSE alg", "JOSE alg"), rows)


def currencies() -> str:
    """ISO 4217 codes by their decimals."""
    rows = [
        (digits, " ".join(code for code in sorted(EXPONENTS) if EXPONENTS[code] == digits))
        for digits in sorted(set(EXPONENTS.values()))
    ]
    return _table(("decimals", "currencies"), rows)


def bounds() -> str:
    """Every bound on what is read."""
    rows = (
        ("a signed object", f"{MAX_OBJECT_BYTES:,} bytes in COSE, {MAX_JOSE_BYTES:,} in JOSE"),
        ("a payment", f"{MAX_PAYMENT_BYTES:,} bytes in CBOR, {MAX_JSON_PAYMENT_BYTES:,} in JSON"),
        ("credentials in a payment's chain", f"{MAX_CHAIN}: a mandate and at most {MAX_CHAIN - 1} links"),
        ("CBOR: lists and maps inside one another", cbor.MAX_DEPTH),
        ("CBOR: entries of one map", f"{cbor.MAX_MAP_ENTRIES:,}"),
        ("integers", "-2^63 to 2^63 - 1"),
        ("an identifier or label", f"1 to {MAX_TEXT} characters"),
        ("a list of merchants, categories, methods or items", f"1 to {MAX_LIST} entries"),
        ("an item's quantity", f"1 to {MAX_QUANTITY:,}"),
        ("a raw intent, as digested", f"{MAX_RAW_BYTES:,} bytes; {MAX_RAW_BYTES_IN_MANDATE:,} in a mandate"),
        ("messages of a conversation", MAX_MESSAGES),
        ("an intent record, in JCS form", f"{MAX_ISR_BYTES:,} bytes"),
        ("an amount, in minor units", "1 to 2^63 - 1"),
        ("a JSON document", f"{json.MAX_BYTES:,} bytes"),
        ("JSON: arrays and objects inside one another", json.MAX_DEPTH),
        ("a parties file", f"{MAX_FILE_BYTES:,} bytes"),
        ("entries of `ext.items`", f"1 to {MAX_ENTRIES}"),
        ("a mandate's life", f"{MAX_MANDATE_SECONDS:,} seconds (400 days), unless the payment service says otherwise"),
        ("a request's life", f"{MAX_LIFETIME_SECONDS} seconds"),
        ("an instruction's life", f"{MAX_INSTRUCTION_SECONDS:,} seconds (a day)"),
        ("a clock ahead of the verifier's", f"{FUTURE_TOLERANCE_SECONDS} seconds for nbf and iat, none for exp"),
        ("a hold", f"{HOLD_SECONDS:,} seconds (7 days)"),
    )
    return _table(("what", "bound"), rows)


def _diagram(transitions: Mapping[_State, frozenset[_State]]) -> str:
    """A table of transitions, its first state the initial one."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {next(iter(transitions)).value}"]
    for state, following in transitions.items():
        lines += [f"    {state.value} --> {after.value}" for after in sorted(following, key=list(transitions).index)]
        lines += [] if following else [f"    {state.value} --> [*]"]
    return "\n".join([*lines, "```"])


def charge_states() -> str:
    """The charge's table as a diagram."""
    return _diagram(CHARGE_TRANSITIONS)


def mandate_states() -> str:
    """The mandate's table as a diagram."""
    return _diagram(TRANSITIONS)


def instructions() -> str:
    """Who may cause what, a row for each action."""
    tables = (*LIFECYCLE_CAUSERS.items(), *CHARGE_CAUSERS.items())
    rows = [(f"`{action.value}`", *("yes" if each in causers else "-" for each in Causer)) for action, causers in tables]
    return _table(("action", *(f"`{each.value}`" for each in Causer)), rows)


BLOCKS: Final[Mapping[str, Callable[[], str]]] = {
    "rules": rules,
    "refusals": refusals,
    "constraints": constraints,
    "narrowing": narrowing,
    "kinds": kinds,
    "algorithms": algorithms,
    "currencies": currencies,
    "bounds": bounds,
    "charge states": charge_states,
    "mandate states": mandate_states,
    "instructions": instructions,
}
_BLOCK: Final = re.compile(r"(<!-- generated: ([a-z ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def rendered(text: str) -> str:
    """A chapter with its blocks as they must be. Raises `KeyError` for a block nobody generates."""
    return _BLOCK.sub(lambda match: f"{match[1]}\n{BLOCKS[match[2]]()}\n\n{match[3]}", text)


def main(arguments: list[str]) -> int:
    """Write or compare; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare only; exit 1 when a chapter is out of date")
    check = parser.parse_args(arguments).check
    stale, used = [], set()
    for path in sorted(FOLDER.rglob("*.md")):
        text = path.read_text(encoding="utf-8")
        used |= {match[2] for match in _BLOCK.finditer(text)}
        wanted = rendered(text)
        if wanted != text:
            stale.append(str(path.relative_to(FOLDER)))
            if not check:
                path.write_text(wanted, encoding="utf-8")
    if BLOCKS.keys() - used:
        print(f"no chapter has the blocks: {', '.join(sorted(BLOCKS.keys() - used))}", file=sys.stderr)
        return 1
    if check and stale:
        print(f"out of date: {', '.join(stale)}; run python spec/generate.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The specification's tables are those of the code, and every id in text and code is one of the table."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from act.delegation.constraints import REGISTRY
from act.delegation.lifecycle import TRANSITIONS
from act.envelope.kinds import KINDS
from act.errors import CODES
from act.iso4217 import EXPONENTS
from act.payment.charge import CHARGE_TRANSITIONS
from act.payment.verifier import RULES_BY_SCENARIO

ROOT = Path(__file__).resolve().parents[2]
SPEC = ROOT / "spec"
RULE_ID = re.compile(r"ACT-[A-Z]+-[0-9]{2}")
KNOWN_RULES = {row.rule for row in CODES.values()}


def run(script: Path, *arguments: str) -> tuple[int, str]:
    """Run the generator; its exit code and what it says on stderr."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, str(script), *arguments], capture_output=True, text=True, env=environment)
    return done.returncode, done.stderr


def chapters() -> list[Path]:
    """Every page of the specification."""
    return sorted(SPEC.rglob("*.md"))


def test_the_tables_are_current() -> None:
    assert run(SPEC / "generate.py", "--check") == (0, "")


def test_a_stale_table_is_named_and_mended(tmp_path: Path) -> None:
    copy = tmp_path / "spec"
    shutil.copytree(SPEC, copy)
    page = copy / "refusals.md"
    good = page.read_text(encoding="utf-8")
    page.write_text(good.replace("send a smaller object", "send a larger object"), encoding="utf-8")
    code, said = run(copy / "generate.py", "--check")
    assert (code, "refusals.md" in said, "rules.md" in said) == (1, True, False)
    assert run(copy / "generate.py") == (0, "")
    assert page.read_text(encoding="utf-8") == good
    page.unlink()
    code, said = run(copy / "generate.py", "--check")
    assert (code, "refusals" in said) == (1, True)


@pytest.mark.parametrize("page", chapters(), ids=lambda page: str(page.relative_to(SPEC)))
def test_every_rule_the_specification_cites_exists(page: Path) -> None:
    assert set(RULE_ID.findall(page.read_text(encoding="utf-8"))) <= KNOWN_RULES


def test_every_rule_the_code_cites_exists() -> None:
    cited = {
        (rule, str(path.relative_to(ROOT)))
        for path in (ROOT / "act").rglob("*.py")
        for rule in RULE_ID.findall(path.read_text(encoding="utf-8"))
    }
    assert {rule for rule, _ in cited} == KNOWN_RULES, sorted(place for rule, place in cited if rule not in KNOWN_RULES)


def test_the_verifiers_own_rules_are_of_the_table() -> None:
    of_verifier = {rule_id for rules in RULES_BY_SCENARIO.values() for rule in rules for rule_id in rule.ids}
    of_constraints = {constraint.rule for constraint in REGISTRY.values()}
    assert of_verifier | of_constraints <= KNOWN_RULES


def test_every_rule_and_code_stands_in_its_chapter() -> None:
    rules = (SPEC / "rules.md").read_text(encoding="utf-8")
    refusals = (SPEC / "refusals.md").read_text(encoding="utf-8")
    assert set(RULE_ID.findall(rules)) == KNOWN_RULES
    assert [code for code in CODES if f"| `{code}` |" not in refusals] == []
    assert [code for code in CODES if f"`{code}`" not in rules] == []


def test_the_refusals_stand_in_order_of_precedence() -> None:
    listed = re.findall(
        r"^\| `([a-z_0-9]+)` \| (?:token|call|store) \|", (SPEC / "refusals.md").read_text("utf-8"), re.MULTILINE
    )
    assert listed == list(CODES)


def test_the_diagrams_are_the_tables() -> None:
    ledger = (SPEC / "ledger.md").read_text(encoding="utf-8")
    drawn = set(re.findall(r"^    (\w+) --> (\w+)$", ledger, re.MULTILINE))
    tables = [*CHARGE_TRANSITIONS.items(), *TRANSITIONS.items()]
    assert drawn == {(state.value, after.value) for state, following in tables for after in following}


def test_typ_values_constraints_and_currencies_are_all_there() -> None:
    wire, mandate = (SPEC / "wire.md").read_text(encoding="utf-8"), (SPEC / "mandate.md").read_text(encoding="utf-8")
    assert [kind.cose_typ for kind in KINDS if f"`{kind.cose_typ}`" not in wire] == []
    assert [path for path in REGISTRY if f"| `{path}` |" not in mandate] == []
    rows = re.findall(r"^\| ([0-9]) \| ([A-Z ]+) \|$", wire, re.MULTILINE)
    assert {code: int(digits) for digits, codes in rows for code in codes.split()} == dict(EXPONENTS)

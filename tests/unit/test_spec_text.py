"""What the specification says by hand is true: its links lead somewhere, its examples are valid, what it cites exists."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pytest

import act
from act.commerce import cart
from act.delegation import link, mandate
from act.delegation.constraints import REGISTRY
from act.envelope import cose
from act.envelope.claims import Fields
from act.parties import parse_parties
from act.payment import receipt, request
from act.payment.instruction import content as instruction
from act.payment.ledger import EntryKind
from act.stores.sql.reservation import RECORDED_REFUSALS
from act.stores.sqlite.schema import SCHEMA
from act.wire import cbor

ROOT = Path(__file__).resolve().parents[2]
SPEC = ROOT / "spec"
PAGES = [*sorted(SPEC.rglob("*.md")), ROOT / "test-vectors" / "README.md"]
VECTOR_FILES = sorted(path.stem for path in (ROOT / "test-vectors").glob("*.json"))


def text_of(name: str) -> str:
    """A chapter."""
    return (SPEC / name).read_text(encoding="utf-8")


def example(name: str) -> str:
    """The first JSON example of a chapter."""
    found = re.search(r"```json\n(.*?)```", text_of(name), re.DOTALL)
    assert found is not None, name
    return found[1]


@cache
def vector_ids() -> frozenset[str]:
    """The id of every published vector."""
    files = [json.loads(path.read_text(encoding="utf-8")) for path in (ROOT / "test-vectors").glob("*.json")]
    return frozenset(vector["id"] for content in files for vector in content.get("vectors", ()))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if ":" not in target and not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_tests_and_vectors_that_are_cited_exist(page: Path) -> None:
    cited = re.findall(r"`([^`\n ]+)`", page.read_text(encoding="utf-8"))
    assert [path for path in cited if path.startswith("tests/") and not (ROOT / path).is_file()] == []
    patterns = [name for name in cited if name.split("/")[0] in VECTOR_FILES and "/" in name]
    assert [pattern for pattern in patterns if not any(fnmatchcase(name, pattern) for name in vector_ids())] == []


def test_modules_that_coverage_names_exist() -> None:
    named = set(re.findall(r"`(act(?:\.[a-z_0-9]+)+)`", text_of("coverage.md")))
    paths = [ROOT / Path(*name.split(".")) for name in named]
    assert [path for path in paths if not path.is_dir() and not path.with_suffix(".py").is_file()] == []


def test_every_component_of_act_is_covered() -> None:
    suffixes = {
        "ADD": ("INT-ICS", "IAC-ISS", "IAC-LCM"),
        "CID": ("MER-CAT", "INT-XFR", "PCA-NEG", "CART-CFM"),
        "PSD": ("PMT-BND", "AGT-SUB", "PAY-INS", "PAY-DEL", "PAY-AUP", "PAY-A402"),
        "TSD-ATT": ("EVT", "OFF", "OCA", "SVF", "DSP"),
        "TSD-CRD": ("ASC", "MAP", "LCM", "VER", "AUTH"),
    }
    components = [f"{domain}-{suffix}" for domain, of_domain in suffixes.items() for suffix in of_domain]
    assert [name for name in components if not re.search(rf"^\| .*{name}", text_of("coverage.md"), re.MULTILINE)] == []


def test_every_decision_has_context_decision_and_consequence() -> None:
    decisions = sorted((SPEC / "decisions").glob("*.md"))
    assert [path.name[:4] for path in decisions] == [f"{number:04d}" for number in range(1, len(decisions) + 1)]
    for path in decisions:
        words = path.read_text(encoding="utf-8")
        assert re.findall(r"^\*\*(\w+)\.\*\*", words, re.MULTILINE) == ["Context", "Decision", "Consequence"], path.name


def test_the_parties_example_is_a_parties_file() -> None:
    assert parse_parties(example("parties.md").encode()).version == 7


def test_the_mandate_example_is_a_mandate() -> None:
    minted = act.Mandate.from_json(example("mandate.md"))
    assert (minted.delegator_identity, minted.delegation_id) == ("user:lin", "urn:uuid:6d1c6a43-6f0c-4d0b-9c5e-0f6f1f0a7c11")


def test_the_order_example_is_an_order() -> None:
    assert act.Order.from_json(example("order.md")).amount == act.Amount(1800, "CNY")


def test_the_claims_table_is_the_envelopes() -> None:
    rows = re.findall(r"^\| (-?[0-9]+) \| `([a-z]+)` \|", text_of("wire.md"), re.MULTILINE)
    assert {int(label): name for label, name in rows} == cose._NAMES


INSTRUCTED = {name: reader for fields in instruction.FIELDS.values() for name, reader in fields.readers.items()}


@pytest.mark.parametrize(
    "page, claims, body",
    [
        ("mandate.md", mandate._CLAIMS, mandate._ACT),
        ("delegation.md", link._CLAIMS, link._ACT),
        ("order.md", cart._CLAIMS, cart._ACT),
        ("payment.md", request._CLAIMS, request._ACT),
        ("instruction.md", instruction._CLAIMS, Fields(INSTRUCTED)),
        ("receipt.md", receipt._CLAIMS, receipt._ACT),
    ],
)
def test_the_claims_of_an_object_are_the_readers(page: str, claims: Fields, body: Fields) -> None:
    """Every registered claim and every field of `act` that the reader knows stands in the chapter's table, and no other."""
    cells = [row.split("|") for row in text_of(page).splitlines() if row.startswith("| ")]
    named = {name for row in cells for cell in row[1:3] for name in re.findall(r"`([a-z_.]+)`", cell)}
    registered = {name for name in named if name in cose._LABELS and name != "act"}
    assert registered == set(claims.readers) - {"act"}
    fields = {name.split(".")[1] for name in named if name.startswith("act.") and not name.startswith("act.ext.")}
    assert fields == set(body.readers) - ({"ext"} if page == "mandate.md" else set())


def test_the_shapes_of_receipts_are_the_readers() -> None:
    head = ["request, order, order_no, amount, currency", "trade_no", "hold_expires_at", "code", "capture_no", "refund_no"]
    head += ["instruction", "caused_by", "link", "credential_state", "supersedes"]
    for kind in EntryKind:
        row = re.search(rf"^\| {kind.value} \| (.*) \|$", text_of("receipt.md"), re.MULTILINE)
        assert row is not None, kind
        cells = row[1].split(" | ")
        shown = {name for names, cell in zip(head, cells, strict=False) if cell == "yes" for name in names.split(", ")}
        assert shown == receipt._SHAPES[kind], kind
        optional = {name for name, cell in zip(head, cells, strict=False) if cell == "may"}
        assert optional == receipt._OPTIONAL[kind] - {"tzdata_version"}, kind


def test_the_refusals_that_are_recorded_are_the_ledgers() -> None:
    told = text_of("refusals.md").partition("Recorded in the ledger")[2].partition("No other refusal")[0]
    assert set(re.findall(r"`([a-z_]+)`", told)) == RECORDED_REFUSALS


def test_the_shapes_of_instructions_are_the_readers() -> None:
    head = ["delegator_identity, delegation_id, credential", "trade_no", "amount, currency", "capture_no", "refund_no"]
    head += ["fulfilment", "reason"]
    rows = [line.strip("| ").split(" | ") for line in text_of("instruction.md").splitlines() if line.startswith("| `")]
    for action, fields in instruction.FIELDS.items():
        (cells,) = (cells for names, *cells in rows if f"`{action.value}`" in names and len(cells) == len(head))
        shown = {name: cell for names, cell in zip(head, cells, strict=True) for name in names.split(", ")}
        assert {name for name, cell in shown.items() if cell == "yes"} == fields.required - {"action"}, action
        assert {name for name, cell in shown.items() if cell == "may"} == fields.readers.keys() - fields.required, action


def test_the_stores_tables_are_all_described() -> None:
    tables = re.findall(r"CREATE TABLE (\w+)", SCHEMA)
    assert [table for table in tables if f"| `{table}` |" not in text_of("ledger.md")] == []


def test_the_frame_of_a_signed_object_is_as_written() -> None:
    frame = re.search(r"```text\n(D2 .*?)```", text_of("wire.md"), re.DOTALL)
    assert frame is not None
    heads = bytes.fromhex("".join(re.findall(r"^([0-9A-F]{2}) ", frame[1], re.MULTILINE)))
    assert cbor.encode_sign1(b"", b"", b"") == heads[:2] + b"\x40" + heads[2:] + b"\x40\x40"
    assert cbor.sig_structure(b"", b"").hex().upper() == "846A5369676E617475726531404040"
    assert "84 6A 5369676E617475726531 bstr(protected) 40 bstr(payload)" in text_of("wire.md")


def test_no_constraint_is_promised_that_is_not_there() -> None:
    later = text_of("mandate.md").split("## Not yet")[1]
    assert [path for path in REGISTRY if path.split(".")[-1] in later] == []

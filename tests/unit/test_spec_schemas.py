"""The JSON Schemas of documents: what the readers accept meets them, what has another form is refused by both."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import act
from act.delegation import conversation, document, intent
from act.errors import ActError
from tests.support.world import ABSENT, World

SPEC = Path(__file__).resolve().parents[2] / "spec"
READERS: dict[str, Any] = {"isr": act.Isr.from_json, "mandate": act.Mandate.from_json}
PAGES = {"isr": "intent.md", "mandate": "mandate.md"}


@cache
def schema(name: str) -> dict[str, Any]:
    """A schema, itself checked."""
    written: dict[str, Any] = json.loads((SPEC / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(written)
    return written


def validator(name: str) -> jsonschema.Draft202012Validator:
    """What judges documents by it."""
    return jsonschema.Draft202012Validator(schema(name))


@cache
def example(name: str) -> dict[str, Any]:
    """The example of the chapter."""
    found = re.search(r"```json\n(.*?)```", (SPEC / PAGES[name]).read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    shown: dict[str, Any] = json.loads(found[1])
    return shown


def _accepts(name: str, written: object) -> bool:
    try:
        READERS[name](written)
    except ActError:
        return False
    return True


def _changed(name: str, change: dict[str, Any]) -> dict[str, Any]:
    return {member: value for member, value in (example(name) | change).items() if value is not ABSENT}


@pytest.mark.parametrize("name", READERS)
def test_the_chapters_example_meets_its_schema(name: str) -> None:
    validator(name).validate(example(name))
    assert _accepts(name, example(name))


def test_the_isr_example_is_a_confirmed_record() -> None:
    record = act.Isr.from_json(example("isr"))
    assert (record.is_confirmed, record.missing) == (True, ())


def test_every_record_of_the_vectors_that_is_accepted_meets_the_schema() -> None:
    path = SPEC.parent / "test-vectors" / "intents.json"
    vectors = [each for each in json.loads(path.read_text(encoding="utf-8"))["vectors"] if each["op"] == "read"]
    accepted = [json.loads(bytes.fromhex(each["input"])) for each in vectors if each["expect"] == "accept"]
    assert len(accepted) > 5
    for record in accepted:
        validator("isr").validate(record)


def test_the_worlds_mandate_meets_the_schema() -> None:
    validator("mandate").validate(World().document())


RAW = {"user_intent_raw": "x"}
TIMED = {"role": "USER", "content": "x", "create_time": "2026-02-06T08:00:00Z"}
OF_BOTH: tuple[tuple[dict[str, Any], bool], ...] = (
    ({"conversation_history": RAW}, True),
    ({"conversation_history": {"user_intent_raw": [TIMED]}}, True),
    ({"conversation_history": {"user_intent_raw_digest": "A" * 43, "context_ref": "x"}}, True),
    ({"conversation_history": RAW | {"input_mode": ["OTHER"]}}, True),
    ({"max_total_amount": 200}, True),
    ({"ext": ABSENT, "delegation_mode": "BOUNDED", "max_total_amount": "200.00"}, True),
    ({"conversation_history": {}}, False),
    ({"conversation_history": "x"}, False),
    ({"conversation_history": {"user_intent_raw": ""}}, False),
    ({"conversation_history": {"user_intent_raw": []}}, False),
    ({"conversation_history": {"user_intent_raw": [TIMED | {"role": "SYSTEM"}]}}, False),
    ({"conversation_history": {"user_intent_raw": [TIMED | {"mood": "x"}]}}, False),
    ({"conversation_history": {"user_intent_raw": [{"role": "USER", "content": "x"}]}}, False),
    ({"conversation_history": {"user_intent_raw": [TIMED | {"create_time": 1}]}}, False),
    ({"conversation_history": {"user_intent_raw_digest": "A" * 43}}, False),
    ({"conversation_history": {"user_intent_raw_digest": "A" * 44, "context_ref": "x"}}, False),
    ({"conversation_history": RAW | {"input_mode": []}}, False),
    ({"conversation_history": RAW | {"input_mode": ["TEXT", "TEXT"]}}, False),
    ({"conversation_history": RAW | {"input_mode": ["text"]}}, False),
    ({"conversation_history": RAW | {"x": 1}}, False),
    ({"agent_id": ""}, False),
    ({"agent_id": "x" * 257}, False),
    ({"agent_id": 1}, False),
    ({"intent_id": ["x"]}, False),
    ({"delegation_mode": "bounded"}, False),
    ({"validity_start_time": "2026-02-06"}, False),
    ({"validity_end_time": 1_770_368_400}, False),
    ({"max_total_amount": "1e2"}, False),
    ({"max_total_amount": "-1.00"}, False),
    ({"max_total_amount": 0}, False),
    ({"max_total_amount": True}, False),
    ({"currency": "cny"}, False),
    ({"allowed_payment_methods": []}, False),
    ({"allowed_payment_methods": "balance"}, False),
    ({"user_confirmation_method": ABSENT}, False),
    ({"user_confirmation_timestamp": ABSENT}, False),
    ({"ext": []}, False),
    ({"ext": {"commerce": {"allowed_merchants": ["x", "x"]}}}, False),
    ({"ext": {"commerce": {"max_weight": "1"}}}, False),
    ({"ext": {"vendor_private": "x"}}, False),
    ({"wish": "x"}, False),
)
MANDATES: tuple[tuple[dict[str, Any], bool], ...] = (
    ({"intent_id": ABSENT}, False),
    ({"intent_id": ABSENT, "conversation_history": RAW}, True),
    ({"source_isr_digest": "A" * 43, "control_proof_ref": "x"}, True),
    ({"source_isr_digest": "A" * 42}, False),
    ({"control_proof_ref": ""}, False),
    ({"delegation_id": "6D1C6A43-6F0C-4D0B-9C5E-0F6F1F0A7C11"}, False),
    ({"issuer": ABSENT}, False),
    ({"currency": ABSENT, "delegation_mode": ABSENT}, True),
)
RECORDS: tuple[tuple[dict[str, Any], bool], ...] = (
    ({"intent_id": ABSENT}, True),
    ({"currency": ABSENT}, False),
    ({"conversation_history": ABSENT}, False),
    ({"user_confirmation_method": ABSENT, "user_confirmation_timestamp": ABSENT, "agent_id": ABSENT}, True),
    ({"issuer": "x"}, False),
    ({"source_isr_digest": "A" * 43}, False),
)
CASES = [
    *((name, change, is_good) for name in READERS for change, is_good in OF_BOTH if "ext" not in change or not is_good),
    *(("mandate", change, is_good) for change, is_good in MANDATES),
    *(("isr", change, is_good) for change, is_good in RECORDS),
]


@pytest.mark.parametrize("name, change, is_good", CASES, ids=repr)
def test_schema_and_reader_agree_about_the_form(name: str, change: dict[str, Any], is_good: bool) -> None:
    changed = _changed(name, change)
    assert (validator(name).is_valid(changed), _accepts(name, changed)) == (is_good, is_good)


def test_the_schemas_know_the_members_that_the_readers_know() -> None:
    for name, model in (("isr", intent._Document), ("mandate", document._Document)):
        assert schema(name)["properties"].keys() == model.model_fields.keys()
    defined = schema("isr")["$defs"]
    assert defined["conversationHistory"]["properties"].keys() == conversation._HISTORY.readers.keys()
    assert defined["message"]["properties"].keys() == conversation._MESSAGE.readers.keys()
    chapter = (SPEC / "intent.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_]+)`", chapter)) | set(re.findall(r"\{(\w+), (\w+), (\w+)\}", chapter)[0])
    assert {*intent._Document.model_fields, *conversation._HISTORY.readers, *conversation._MESSAGE.readers} <= named
    assert tuple(schema("isr")["then"]["required"]) == intent._REQUIRED


def test_what_both_schemas_define_they_define_alike() -> None:
    isr, mandate = (json.loads(json.dumps(schema(name))) for name in ("isr", "mandate"))
    isr["$defs"]["ext"]["properties"].pop("fulfillment", None)  # a record may have the address in clear
    mandate["$defs"]["ext"]["properties"].pop("fulfillment", None)
    assert isr["$defs"] == mandate["$defs"]
    assert isr["properties"].items() <= mandate["properties"].items()

"""The JSON Schemas: what the readers accept meets them, and what does not meet them no reader takes.

The other way round, what meets a schema and is refused is refused for a reason of `UNSAID`: meaning, which no schema says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource

import act
from act.calendar import LATEST_INSTANT, MAX_PERIOD_COUNT
from act.commerce import cart
from act.commerce import document as offers
from act.delegation import conversation, document, intent, link, link_document, mandate
from act.delegation.constraints import behavior, items, oversight, quota, schedule
from act.envelope.claims import MAX_LIST, MAX_TEXT, Fields, read_name, read_text
from act.envelope.jws import header
from act.envelope.kinds import KINDS, Kind
from act.envelope.objects import MAX_JOSE_BYTES
from act.errors import ActError
from act.parties import MAX_PARTIES, _File, _Key, _Party, parse_parties
from act.payment import receipt, request
from act.payment.ledger import EntryKind
from act.wire import json as strict_json
from act.wire.base64url import base64url_encode
from tests.support import complete
from tests.support.mutations import mutations
from tests.support.world import ABSENT, NOW, PSP, SHOP, World, key, payload_of

SPEC = Path(__file__).resolve().parents[2] / "spec"
VECTORS = SPEC.parent / "test-vectors"
PAGES = {"isr": "intent.md", "mandate": "mandate.md", "order": "order.md", "parties": "parties.md"}
CLAIMS = {kind: f"{kind}-claims" for kind in ("link", "order", "request", "instruction", "receipt")}
NAMES = (*PAGES, "link", "payment", "vc-jwt", "vc-jwt-act-2.0", *CLAIMS.values())


@cache
def schema(name: str) -> dict[str, Any]:
    """A schema, itself checked."""
    written: dict[str, Any] = json.loads((SPEC / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(written)
    return written


@cache
def validator(name: str) -> jsonschema.Draft202012Validator:
    """What judges by it. The other schemas are found by their $id, and nothing is fetched."""
    known = [schema(each) for each in ("common", *NAMES)]
    registry: Registry[Any] = Registry().with_resources((each["$id"], Resource.from_contents(each)) for each in known)
    return jsonschema.Draft202012Validator(schema(name), registry=registry)


@cache
def example(name: str) -> dict[str, Any]:
    """The example of the chapter."""
    found = re.search(r"```json\n(.*?)```", (SPEC / PAGES[name]).read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    shown: dict[str, Any] = json.loads(found[1])
    return shown


# --- the readers -------------------------------------------------------------------------------------------------------


@cache
def _parent() -> Any:
    world = World()
    return act.recognize([world.mint(**complete.complete_document(world))]).authority()


def _open(data: bytes) -> None:
    found = act.recognize(data)
    if isinstance(found, act.Payment):
        act.recognize(found.chain)
        act.recognize(found.order)
        act.recognize(found.request)


def _claims_reader(kind: Kind) -> Callable[[Any], None]:
    """Opens a compact JWS over these claims; recognizing asks for no signature."""
    protected = base64url_encode(header(kind, key("anybody")))

    def read(claims: Any) -> None:
        _open(f"{protected}.{base64url_encode(strict_json.canonicalize(claims))}.{base64url_encode(bytes(64))}".encode())

    return read


def _sign_order(written: Any) -> None:
    act.sign_order(act.Order.from_json(written), signer=key(SHOP), at=NOW)


_MANDATE = next(kind for kind in KINDS if kind.name == "mandate")
READERS: dict[str, Callable[[Any], Any]] = {
    "isr": act.Isr.from_json,
    "mandate": act.Mandate.from_json,
    "link": lambda written: link_document.read_link_document(written, _parent()),
    "order": _sign_order,
    "parties": lambda written: parse_parties(strict_json.canonicalize(written)),
    "payment": lambda written: _open(strict_json.canonicalize(written)),
    "vc-jwt": _claims_reader(_MANDATE),
    "vc-jwt-act-2.0": _claims_reader(_MANDATE),
    **{CLAIMS[kind.name]: _claims_reader(kind) for kind in KINDS if kind.name in CLAIMS},
}


def _refusal(name: str, written: object) -> ActError | None:
    try:
        READERS[name](written)
    except ActError as error:
        return error
    return None


def _accepts(name: str, written: object) -> bool:
    return _refusal(name, written) is None


def _changed(name: str, change: dict[str, Any]) -> dict[str, Any]:
    return {member: value for member, value in (example(name) | change).items() if value is not ABSENT}


# --- what is accepted meets its schema ---------------------------------------------------------------------------------


def test_every_schema_is_tested() -> None:
    found = {path.name.removesuffix(".schema.json") for path in (SPEC / "schemas").iterdir()}
    assert found == {*NAMES, "common"} == {*READERS, "common"}
    for name in found:
        assert schema(name)["$id"] == f"urn:act-open-profile:{name}:1"


@pytest.mark.parametrize("name", PAGES)
def test_the_chapters_example_meets_its_schema(name: str) -> None:
    validator(name).validate(example(name))
    assert _accepts(name, example(name))


def test_the_isr_example_is_a_confirmed_record() -> None:
    record = act.Isr.from_json(example("isr"))
    assert (record.is_confirmed, record.missing) == (True, ())


def _accepted(kind: str) -> list[dict[str, Any]]:
    found = json.loads((VECTORS / f"{kind}.json").read_text(encoding="utf-8"))["vectors"]
    return [vector for vector in found if vector["expect"] == "accept"]


def _vc_schema(payload: dict[str, Any]) -> str:
    return "vc-jwt-act-2.0" if "vc" in payload else "vc-jwt"


def _meets(kind: str, data: bytes) -> str:
    """The schema that an object meets that the reader takes."""
    payload = payload_of(data)
    name = _vc_schema(payload) if kind == "mandate" else CLAIMS[kind]
    assert _accepts(name, payload)
    validator(name).validate(payload)
    return name


def _parts(payment: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    yield "mandate", payment["chain"][0].encode()
    yield from (("link", each.encode()) for each in payment["chain"][1:])
    yield "order", payment["order"].encode()
    yield "request", payment["request"].encode()


def test_every_accepted_object_of_the_vectors_meets_its_schema() -> None:
    met: list[str] = []
    for file, kind in (("mandates", "mandate"), ("envelopes", "mandate"), ("orders", "order"),
                       ("instructions", "instruction"), ("receipts", "receipt")):  # fmt: skip
        met += [_meets(kind, bytes.fromhex(vector["input"])) for vector in _accepted(f"{file}-jose")]
    for vector in _accepted("payments-jose"):
        payment = json.loads(bytes.fromhex(vector["input"]))
        validator("payment").validate(payment)
        met += [_meets(kind, data) for kind, data in _parts(payment)]
    assert {*met} >= {"vc-jwt", "vc-jwt-act-2.0", "order-claims", "request-claims", "instruction-claims", "receipt-claims"}


def test_every_document_of_the_vectors_that_is_accepted_meets_its_schema() -> None:
    records = [json.loads(bytes.fromhex(vector["input"])) for vector in _accepted("intents") if vector["op"] == "read"]
    files = [json.loads(bytes.fromhex(vector["input"])) for vector in _accepted("parties") if vector["op"] == "read"]
    files += json.loads((VECTORS / "parties.json").read_text(encoding="utf-8"))["documents"].values()
    assert len(records) > 5 < len(files)
    for record in records:
        validator("isr").validate(record)
    for file in files:
        validator("parties").validate(file)


def test_what_the_world_makes_meets_its_schema() -> None:
    validator("mandate").validate(World().document())
    world = World(format="jose")
    payment = world.payment()
    validator("payment").validate(json.loads(payment.to_bytes()))
    for kind, data in _parts(json.loads(payment.to_bytes())):
        _meets(kind, data)


# --- one thing wrong at a time -----------------------------------------------------------------------------------------

UNSAID = (
    # what stands in relation to something else
    "constraint_conflict ", "goal_missing ", "bounds_missing ", "credential_lifetime_invalid ", "order_total_mismatch ",
    "claim_conflict ", "status_unavailable ", "claim_invalid .*max_staleness", "claim_invalid order.act.deliver_by",
    "one party stands twice ", "one key is enrolled twice ",
    # what needs a table, or arithmetic
    "amount_invalid ", "time_zone_unknown ", "key_invalid ", "claim_invalid receipt.act.code",
    "claim_invalid .*price_deviation_tolerance",  # the decimals of a number
    "claim_invalid .*user_intent_raw",  # its bytes
    "claim_invalid delegation_id",  # every way in which a UUID can be spelled
    "input_too_large ",
    # what lies inside the parts of a payment
    "base64url_invalid (mandate|link|object)", "kind_unexpected link",
)  # fmt: skip
"""Codes and places of what is refused although its form is right: each schema's description says so."""


def _is_unsaid(refusal: ActError) -> bool:
    code = refusal.code
    if code in ("draft_invalid", "parties_invalid"):
        code = str(refusal.facts["reason"]).partition(":")[0]
    return any(re.match(reason, f"{code} {refusal.where}") for reason in UNSAID)


@cache
def _jose() -> dict[str, bytes]:
    return complete.complete_objects("jose")


@cache
def _receipts(folder: Path) -> dict[str, bytes]:
    return complete.complete_receipts(folder / "ledger.db", "jose")


def _vc_payload() -> dict[str, Any]:
    payload = payload_of(_jose()["mandate"])
    subject = payload["credentialSubject"]
    window = {"validFrom": subject["validity_start_time"], "validUntil": subject["validity_end_time"]}
    return payload | window | {"id": payload["jti"], "credentialSubject": subject | {"id": payload["sub"]}}


def _vc_payload_2_0() -> dict[str, Any]:
    payload = _vc_payload()
    inside = ("@context", "type", "issuer", "id", "validFrom", "validUntil", "credentialSubject")
    return {name: value for name, value in payload.items() if name not in inside} | {
        "vc": {name: payload[name] for name in inside}
    }


def _parties_file() -> dict[str, Any]:
    standard = json.loads((VECTORS / "parties.json").read_text(encoding="utf-8"))["documents"]["standard"]
    first, second, *_ = standard["parties"][0]["keys"]
    keys = [first | {"kid": "did:example:1", "compromised_at": "2026-02-07T00:00:00Z"}, second]
    whole: dict[str, Any] = standard["parties"][0] | {"ledger": PSP, "categories": ["tea"], "keys": keys}
    file: dict[str, Any] = standard | {"parties": [whole]}
    return file


def _complete(name: str) -> dict[str, Any]:
    """A document, or claims, with every member there is."""
    mandate_document = complete.complete_document(World())
    if name == "isr":
        return {member: value for member, value in mandate_document.items() if member in schema("isr")["properties"]}
    makers: dict[str, Callable[[], dict[str, Any]]] = {
        "mandate": lambda: mandate_document,
        "link": lambda: {"agent_id": "agent:courier", **complete.link_fields()},
        "order": complete.order_document,
        "parties": _parties_file,
        "payment": lambda: json.loads(_jose()["payment"]),
        "vc-jwt": _vc_payload,
        "vc-jwt-act-2.0": _vc_payload_2_0,
    }
    if name in makers:
        return makers[name]()
    return payload_of(_jose()[next(kind for kind, file in CLAIMS.items() if file == name)])


EXT: dict[str, tuple[str, ...]] = {
    "isr": ("ext",),
    "mandate": ("ext",),
    "link": ("ext",),
    "vc-jwt": ("credentialSubject", "ext"),
    "vc-jwt-act-2.0": ("vc", "credentialSubject", "ext"),
    "link-claims": ("act", "ext"),
}
"""Where the blocks of constraints stand."""


def _with_blocks(whole: dict[str, Any], path: tuple[str, ...], blocks: set[str]) -> dict[str, Any]:
    """A copy with only these blocks of constraints."""
    name, *rest = path
    if not rest:
        return whole | {name: {block: value for block, value in whole[name].items() if block in blocks}}
    return whole | {name: _with_blocks(whole[name], tuple(rest), blocks)}


def _compare(name: str, whole: dict[str, Any], within: tuple[str, ...] = ()) -> int:
    """How many changes there were. Reader and schema agree about each, but for what is unsaid."""
    validator(name).validate(whole)
    READERS[name](whole)
    done = 0
    for why, changed in mutations(whole, within=within, opaque=frozenset({"vendor_private"})):
        done += 1
        refusal = _refusal(name, changed)
        is_valid = validator(name).is_valid(changed)
        if refusal is None:
            assert is_valid, f"{name}: only the schema refuses {why}"
        elif is_valid:
            assert _is_unsaid(refusal), f"{name}: only the reader refuses {why}: {refusal!r}"
    return done


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("receipt-claims", "instruction-claims")])
def test_schema_and_reader_refuse_the_same(name: str) -> None:
    whole = _complete(name)
    if name in EXT:
        whole = _with_blocks(whole, EXT[name], {"commerce", "vendor_private"})
    assert _compare(name, whole) > 80


@pytest.mark.parametrize("block", [block for block in complete.COMPLETE_EXT if block != "commerce"])
@pytest.mark.parametrize("name", ["mandate", "link-claims", "vc-jwt"])  # one for each way to write an amount
def test_schema_and_reader_refuse_the_same_of_a_block(name: str, block: str) -> None:
    needed = {"agent_behavior": {"items"}}.get(block, set())  # a tolerance is measured from an item's price
    whole = _with_blocks(_complete(name), EXT[name], {"commerce", block} | needed)
    assert _compare(name, whole, (*EXT[name], block)) > 5


@pytest.mark.parametrize("name", EXT)
def test_every_block_together_meets_its_schema(name: str) -> None:
    whole = _complete(name)
    validator(name).validate(whole)
    READERS[name](whole)
    if name in ("isr", "mandate", "link"):  # a document says nothing with an empty block; a signed object has none
        return
    for block in complete.COMPLETE_EXT:
        empty = _with_blocks(whole, EXT[name], {"commerce"})
        place: Any = empty
        for member in EXT[name]:
            place = place[member]
        place[block] = {}
        assert (validator(name).is_valid(empty), _accepts(name, empty)) == (False, False), block


@pytest.mark.parametrize("state", [kind.value for kind in EntryKind])
def test_schema_and_reader_refuse_the_same_of_a_receipt(state: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    claims = payload_of(_receipts(tmp_path_factory.getbasetemp())[state])
    counters = claims["act"]["counters"]
    validator("receipt-claims").validate(claims)
    claims["act"]["counters"] = counters[:1] + counters[-1:]  # of money, and of payments
    assert _compare("receipt-claims", claims) > 150


@pytest.mark.parametrize("action", complete.ACTIONS)
def test_schema_and_reader_refuse_the_same_of_an_instruction(action: str) -> None:
    assert _compare("instruction-claims", payload_of(complete.complete_instructions("jose")[action])) > 60


@pytest.mark.parametrize("how", ["int", "Decimal", "text"])
def test_amounts_of_documents_are_texts_or_numbers(how: str) -> None:
    text = {"int": "200", "Decimal": "200.00", "text": '"200.00"'}[how]
    written = example("mandate") | {"max_total_amount": strict_json.decode(text)}
    assert (validator("mandate").is_valid(written), _accepts("mandate", written)) == (True, True)


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
    ({"supersedes": "A" * 43}, True),
    ({"supersedes": "A" * 44}, False),
    ({"supersedes": None}, False),
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
    *(
        (name, change, is_good)
        for name in ("isr", "mandate")
        for change, is_good in OF_BOTH
        if "ext" not in change or not is_good
    ),
    *(("mandate", change, is_good) for change, is_good in MANDATES),
    *(("isr", change, is_good) for change, is_good in RECORDS),
]


@pytest.mark.parametrize("name, change, is_good", CASES, ids=repr)
def test_schema_and_reader_agree_about_the_form(name: str, change: dict[str, Any], is_good: bool) -> None:
    changed = _changed(name, change)
    assert (validator(name).is_valid(changed), _accepts(name, changed)) == (is_good, is_good)


RECORD_ADDRESSES: tuple[tuple[Any, bool], ...] = (
    ("A" * 43, True),
    ({"address": "Hangzhou", "salt": "A" * 22}, True),
    ({"address": "", "salt": "A" * 22}, False),
    ({"address": "Hangzhou", "salt": "A" * 21}, False),
    ({"address": "Hangzhou"}, False),
    ({"address": "Hangzhou", "salt": "A" * 22, "city": "x"}, False),
    ("A" * 44, False),
)


@pytest.mark.parametrize("address, is_good", RECORD_ADDRESSES, ids=repr)
def test_only_a_record_has_an_address_in_clear(address: Any, is_good: bool) -> None:
    for name in ("isr", "mandate"):
        ext = {"commerce": {"allowed_merchants": [SHOP]}, "fulfillment": {"delivery_address": address}}
        written = example(name) | {"ext": ext}
        expected = is_good and (name == "isr" or isinstance(address, str))
        assert (validator(name).is_valid(written), _accepts(name, written)) == (expected, expected)


# --- nothing is forgotten ----------------------------------------------------------------------------------------------


def _common(name: str) -> dict[str, Any]:
    defined: dict[str, Any] = schema("common")["$defs"][name]
    return defined


def _members(form: Any) -> set[str]:
    """The members that a model or a table of readers knows."""
    return set(form.readers if isinstance(form, Fields) else form.model_fields)


JOSE_NAMES = {"cti": "jti"}


def test_the_schemas_know_the_members_that_the_readers_know() -> None:
    documents: dict[str, Any] = {
        "isr": intent._Document,
        "mandate": document._Document,
        "link": link_document._Document,
        "order": offers._Document,
        "parties": _File,
    }
    for name, model in documents.items():
        assert set(schema(name)["properties"]) == _members(model), name
    assert set(schema("parties")["$defs"]["party"]["properties"]) == _members(_Party)
    assert set(schema("parties")["$defs"]["key"]["properties"]) == _members(_Key)
    assert set(schema("payment")["properties"]) == _members(request._JSON_PAYMENT)
    assert set(schema("receipt-claims")["$defs"]["counter"]["properties"]) == _members(receipt._COUNTER)
    claims = {"link": link, "order": cart, "request": request, "receipt": receipt}
    for kind, module in claims.items():
        properties = schema(CLAIMS[kind])["properties"]
        assert set(properties) == {JOSE_NAMES.get(name, name) for name in _members(module._CLAIMS)}
        assert set(properties["act"]["properties"]) == _members(module._ACT)
    elsewhere = {"id", "delegation_id", "agent_id", "validity_start_time", "validity_end_time"}
    assert set(schema("vc-jwt")["$defs"]["subject"]["properties"]) == _members(mandate._ACT) | elsewhere


def test_all_schemas_have_the_same_blocks_of_constraints() -> None:
    known = {f"{schema('common')['$id']}#/$defs/ext", f"{schema('common')['$id']}#/$defs/extClaim"}
    stated = {name: set(re.findall(r'"ext": {"\$ref": "([^"]*)"}', json.dumps(schema(name)))) for name in NAMES}
    assert {name for name, refs in stated.items() if refs} == EXT.keys() - {"vc-jwt-act-2.0"}  # which has the subject of vc-jwt
    assert set().union(*stated.values()) == known


def test_the_schemas_know_every_block_of_constraints() -> None:
    blocks: dict[str, Any] = {
        "ext": document._Ext,
        "commerce": document._Commerce,
        "quota": document._Quota,
        "schedule": document._Schedule,
        "itemBound": document._ItemEntry,
        "agentBehavior": document._AgentBehavior,
        "fulfillment": document._Fulfillment,
        "status": document._Status,
        "conversationHistory": conversation._HISTORY,
        "message": conversation._MESSAGE,
    }
    for name, form in blocks.items():
        assert set(_common(name)["properties"]) == _members(form), name
    whole = _common("ext")["properties"]
    assert set(whole["step_up"]["properties"]) == _members(document._StepUp)
    assert set(whole["delegation"]["properties"]) == _members(document._Delegation)
    assert {*_common("period")["oneOf"][0]["properties"], *_common("period")["oneOf"][1]["properties"]} == _members(
        document._Period
    )
    assert set(_common("staleness")["items"]["properties"]) == _members(document._StalenessStep)
    assert set(complete.COMPLETE_EXT) == _members(document._Ext)


def test_the_chapter_of_intents_names_every_member() -> None:
    chapter = (SPEC / "intent.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_]+)`", chapter)) | set(re.findall(r"\{(\w+), (\w+), (\w+)\}", chapter)[0])
    assert {*intent._Document.model_fields, *conversation._HISTORY.readers, *conversation._MESSAGE.readers} <= named
    assert tuple(schema("isr")["then"]["required"]) == intent._REQUIRED


def test_the_bounds_are_those_of_the_readers() -> None:
    whole = _common("ext")["properties"]
    bounds = {
        _common("name")["maxLength"]: MAX_TEXT,
        _common("names")["maxItems"]: MAX_LIST,
        _common("instant")["maximum"]: LATEST_INSTANT,
        _common("times")["maximum"]: quota.MAX_TIMES,
        _common("quota")["properties"]["periods"]["maxItems"]: quota.MAX_PERIODS,
        _common("period")["oneOf"][0]["properties"]["period_count"]["maximum"]: MAX_PERIOD_COUNT,
        _common("period")["oneOf"][1]["properties"]["sliding_seconds"]["maximum"]: quota.MAX_SLIDING_SECONDS,
        _common("schedule")["properties"]["hours"]["maxItems"]: schedule.MAX_HOURS,
        whole["items"]["maxItems"]: items.MAX_ENTRIES,
        _common("itemBound")["properties"]["max_quantity"]["maximum"]: items.MAX_ENTRY_QUANTITY,
        _common("agentBehavior")["properties"]["max_retry_count"]["maximum"]: behavior.MAX_RETRIES,
        whole["delegation"]["properties"]["max_depth"]["maximum"]: oversight.MAX_DEPTH,
        _common("staleness")["maxItems"]: oversight.MAX_STEPS,
        _common("staleness")["items"]["properties"]["seconds"]["maximum"]: oversight.MAX_STALENESS_SECONDS,
        _common("message")["properties"]["content"]["maxLength"]: conversation.MAX_RAW_BYTES,
        _common("conversationHistory")["properties"]["user_intent_raw"]["oneOf"][1]["maxItems"]: conversation.MAX_MESSAGES,
        schema("payment")["properties"]["chain"]["maxItems"]: request.MAX_CHAIN,
        schema("payment")["$defs"]["jws"]["maxLength"]: MAX_JOSE_BYTES,
        schema("parties")["properties"]["parties"]["maxItems"]: MAX_PARTIES,
    }
    for described, read in bounds.items():
        assert described == read
    for name in ("order", "order-claims"):
        inside = schema(name)["properties"]
        lines = inside["items"] if name == "order" else inside["act"]["properties"]["items"]
        assert (lines["maxItems"], lines["items"]["properties"]["quantity"]["maximum"]) == (
            MAX_LIST,
            offers.MAX_QUANTITY,
        )


@pytest.mark.parametrize("name, read", [("name", read_text), ("displayName", read_name)])
def test_the_patterns_refuse_the_characters_that_cannot_be_seen(name: str, read: Callable[[object], Any]) -> None:
    pattern = re.compile(_common(name)["pattern"].removesuffix("$") + r"\Z")  # ECMA-262: `$` is the end, and no line break's
    for character in map(chr, [*range(0xD800), *range(0xE000, 0x10000), 0x1F375, 0x20000]):
        for text in (character, f"x{character}"):
            try:
                read(text)
                is_read = True
            except act.Refused:
                is_read = False
            assert (pattern.search(text) is not None) == is_read, hex(ord(character))


def test_every_object_of_a_schema_is_closed() -> None:
    def maps(node: Any) -> Iterator[dict[str, Any]]:
        if isinstance(node, dict):
            if node.get("type") == "object":
                yield node
            for inner in node.values():
                yield from maps(inner)
        elif isinstance(node, list):
            for inner in node:
                yield from maps(inner)

    for name in ("common", *NAMES):
        for each in maps(schema(name)):
            carried = {"$ref": "#/$defs/carried"}
            assert each.get("additionalProperties") in (False, carried), (name, each)

"""The published vectors: every one does what it says, they cover every rule, and the generator still writes exactly them.

`test-vectors/README.md` says how each kind of file is run; this is that text as a program.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import cbor2
import jsonschema
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

import act
from act.delegation.constraints import REGISTRY, Periods, Schedule
from act.delegation.conversation import MAX_RAW_BYTES, ConversationDocument, read_conversation_document
from act.delegation.credential import open_credential
from act.delegation.mandate import mandate_claims
from act.delegation.purchase import Purchase
from act.errors import CODES, ActError, Fault
from act.keys import PublicKey
from act.parties import Role, parse_parties
from act.payment.instruction import verify_instruction
from act.wire import base64url, cbor
from act.wire import json as strict_json
from tests.support.sequences import FOLDER, Runner, at, counted, loaded, parties

KINDS: Final = (
    "keys", "parties", "wire-cbor", "wire-json", "wire-base64url", "amounts", "calendar", "envelopes", "intents", "mandates",
    "chains", "orders", "payments", "instructions", "receipts", "sequences", "envelopes-jose", "mandates-jose", "chains-jose",
    "orders-jose", "payments-jose", "instructions-jose", "receipts-jose", "sequences-jose",
)  # fmt: skip
MAX_TOTAL_BYTES: Final = 12_000_000

# What no published vector can show, and why. The first is a code, the second a rule.
UNPROVOKED: Final = {
    "credential_forgotten": "it takes a ledger that was restored, and no vector's step restores one",
    "receipt_out_of_chain": "as before: it is judged while a ledger is reconciled",
}
ONE_SIDED: Final = {
    "ACT-LED-14": "no vector's step restores a ledger",
    "ACT-RCT-04": "no vector's step restores a ledger",
}


def vectors(*kinds: str) -> list[Any]:
    """Every vector of these files as a parameter under its id."""
    return [pytest.param(vector, id=vector["id"]) for kind in kinds for vector in loaded(kind)["vectors"]]


def judged(vector: dict[str, Any], call: Callable[[], Any]) -> Any:
    """The result of an accepted vector; for a refused one, proof that exactly this refusal was raised."""
    if vector["expect"] == "accept":
        return call()
    with pytest.raises(ActError) as caught:
        call()
    error = caught.value
    assert {"refuse": error.code, "rule": error.rule, "where": error.where} == vector["expect"]
    return None


# --- one object at a time ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", vectors("wire-cbor"))
def test_cbor(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["input"])
    value = judged(vector, lambda: cbor.decode(data))
    if vector["expect"] == "accept":
        assert cbor.encode(value) == data
        assert cbor2.loads(data) == value
        assert vector["value"]


@pytest.mark.parametrize("vector", vectors("wire-json"))
def test_json(vector: dict[str, Any]) -> None:
    judged(vector, lambda: strict_json.decode(bytes.fromhex(vector["input"])))


@pytest.mark.parametrize("vector", vectors("wire-base64url"))
def test_base64url(vector: dict[str, Any]) -> None:
    text = bytes.fromhex(vector["input"]).decode()
    data = judged(vector, lambda: base64url.base64url_decode(text))
    assert data is None or data.hex() == vector["bytes"]


@pytest.mark.parametrize("vector", vectors("amounts"))
def test_amounts(vector: dict[str, Any]) -> None:
    def parse() -> act.Amount:
        if vector["form"] == "text":
            return act.Amount.parse(vector["text"], vector["currency"])
        return act.Amount.parse_number(strict_json.decode(vector["json"]), vector["currency"])

    amount = judged(vector, parse)
    if amount is not None:
        assert (amount.minor, amount.currency) == (vector["minor"], vector["currency"])
        assert vector["form"] == "number" or amount.text == vector["text"]


@pytest.mark.parametrize("vector", vectors("calendar"))
def test_calendar(vector: dict[str, Any]) -> None:
    if vector["op"] == "schedule":
        purchase = Purchase("p", frozenset(), frozenset(), act.Amount(1, "CNY"), "m", "AUP", vector["at"])
        judged(vector, lambda: Schedule.read(vector["schedule"], "CNY").permits(purchase))
        return

    def window() -> dict[str, Any]:
        try:
            periods = Periods.read([vector["period"]], "CNY")
        except act.Refused as refusal:
            raise act.Refused(refusal.code, refusal.where.removeprefix("0.")) from None
        (limit,) = periods.limits(vector["at"])
        assert limit.window is not None
        return {"start": limit.window.start, "end": limit.window.end, "mark": limit.name.partition("@")[2]}

    found = judged(vector, window)
    assert found is None or found == vector["window"]


@pytest.mark.parametrize("vector", vectors("keys"))
def test_keys(vector: dict[str, Any]) -> None:
    key = judged(vector, lambda: PublicKey.from_cose_key(cbor.decode(bytes.fromhex(vector["input"])), "key"))
    if key is not None:
        assert key.kid.hex() == vector["kid"] == hashlib.sha256(bytes.fromhex(vector["input"])).hexdigest()


@pytest.mark.parametrize("pair", loaded("keys")["pairs"], ids=lambda pair: str(pair["name"]))
def test_key_pairs(pair: dict[str, Any]) -> None:
    key = act.KeyPair.unsafe_from_seed(bytes.fromhex(pair["seed"]), pair["alg"])
    assert cbor.encode(dict(key.public_key.cose_key)).hex() == pair["cose_key"]
    assert (key.kid.hex(), key.public_key.to_jwk()) == (pair["kid"], pair["jwk"])


@pytest.mark.parametrize("vector", vectors("parties"))
def test_parties(vector: dict[str, Any]) -> None:
    if vector["op"] == "read":
        judged(vector, lambda: parse_parties(bytes.fromhex(vector["input"])))
        return
    kid = bytes.fromhex(vector["kid"])
    found = judged(vector, lambda: parties(vector["parties"]).find(kid, Role(vector["role"]), vector["at"]))
    assert found is None or found.party.id == vector["party"]


@pytest.mark.parametrize("vector", vectors("envelopes", "mandates", "envelopes-jose", "mandates-jose"))
def test_mandates(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["input"])
    credential = judged(vector, lambda: act.verify_mandate(data, parties=parties(vector["parties"]), at=at(vector["at"])))
    if "intermediate" in vector:
        require_intermediate(vector["intermediate"], data)
        assert credential.identity.hex() == vector["intermediate"]["identity"]
    if "identity" in vector:
        require_jws(vector["identity"], data)
        assert credential.identity.hex() == vector["identity"]


@pytest.mark.parametrize("vector", vectors("intents"))
def test_intents(vector: dict[str, Any]) -> None:
    if vector["op"] == "context":
        model = ConversationDocument.model_validate(vector["conversation_history"])
        history = read_conversation_document(model, MAX_RAW_BYTES)
        judged(vector, lambda: history.check_context(bytes.fromhex(vector["content"])))
        return
    text = bytes.fromhex(vector["input"])
    if vector["op"] == "read":
        record = judged(vector, lambda: act.Isr.from_json(text))
        if record is not None:
            assert [record.is_confirmed, list(record.missing)] == [vector["confirmed"], vector["missing"]]
            assert record.digest.hex() == vector["digest"] == hashlib.sha256(record.to_json().encode()).hexdigest()
        return
    names = {name: vector[name] for name in ("issuer", "ledger", "delegator_identity")}
    record, delegation_id = act.Isr.from_json(text), vector["delegation_id"]
    mandate = judged(vector, lambda: record.select_mandate(**names, delegation_id=delegation_id))
    if mandate is not None:
        pair = next(pair for pair in loaded("keys")["pairs"] if pair["name"] == "agent")
        holder = act.KeyPair.unsafe_from_seed(bytes.fromhex(pair["seed"])).public_key
        claims = mandate_claims(mandate, holder, vector["claims"]["iat"])
        assert {name: as_json(value) for name, value in claims.items()} == vector["claims"]


@pytest.mark.parametrize("vector", vectors("chains", "chains-jose"))
def test_chains(vector: dict[str, Any]) -> None:
    data, links = bytes.fromhex(vector["input"]), [bytes.fromhex(link) for link in vector["links"]]
    known, now = parties(vector["parties"]), at(vector["at"])
    chain = judged(vector, lambda: act.verify_mandate(data, links=links, parties=known, at=now))
    if chain is not None:
        effective = {each.path: as_json(each.encode()) for each in chain.effective()}
        leaf = {"agent_id": chain.agent_id, "identity": chain.identity.hex(), "effective": effective}
        assert json.loads(json.dumps(leaf)) == vector["leaf"]
        limits = [counted({"limit": limit.name, "cap": limit.cap}, limit.unit) for limit in chain.limits(vector["at"])]
        assert limits == vector["limits"]
        if vector["id"].startswith("chains-jose/"):
            require_jws(vector["leaf"]["identity"], [data, *links][-1])
    if "intermediate" in vector:
        require_chain(vector["intermediate"], [data, *links])


@pytest.mark.parametrize("vector", vectors("orders", "orders-jose"))
def test_orders(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["input"])
    order = judged(vector, lambda: act.verify_order(data, parties=parties(vector["parties"]), at=at(vector["at"])))
    if "intermediate" in vector:
        require_intermediate(vector["intermediate"], data)
        assert order.identity.hex() == vector["intermediate"]["identity"]
    if "identity" in vector:
        require_jws(vector["identity"], data)
        assert order.identity.hex() == vector["identity"]


@pytest.mark.parametrize("vector", vectors("payments", "payments-jose"))
def test_payments(vector: dict[str, Any]) -> None:
    data, known = bytes.fromhex(vector["input"]), parties(vector["parties"])
    request = judged(vector, lambda: act.verify_payment(data, parties=known, ledger=vector["ledger"], at=at(vector["at"])))
    if request is not None:
        assert [counted({"limit": limit.name, "cap": limit.cap}, limit.unit) for limit in request.limits] == vector["limits"]
    if "intermediate" in vector:
        payment = act.Payment.from_bytes(data)
        require_intermediate(vector["intermediate"]["request"], payment.request)
        require_chain(vector["intermediate"], payment.chain)
        require_intermediate(vector["intermediate"]["order"], payment.order)
        assert request.request_identity.hex() == vector["intermediate"]["request"]["identity"]


@pytest.mark.parametrize("vector", vectors("instructions", "instructions-jose"))
def test_instructions(vector: dict[str, Any]) -> None:
    data, chain = bytes.fromhex(vector["input"]), [bytes.fromhex(each) for each in vector.get("chain", ())]
    known, now, payee = parties(vector["parties"]), at(vector["at"]), vector.get("payee")
    found = judged(
        vector,
        lambda: verify_instruction(data, chain=chain, payee=payee, parties=known, ledger=vector["ledger"], at=now),
    )
    assert found is None or found.causer.value == vector["causer"]
    if "intermediate" in vector:
        require_intermediate(vector["intermediate"], data)
        assert found.identity.hex() == vector["intermediate"]["identity"]
    if "identity" in vector:
        require_jws(vector["identity"], data)
        assert found.identity.hex() == vector["identity"]


@pytest.mark.parametrize("vector", vectors("receipts", "receipts-jose"))
def test_receipts(vector: dict[str, Any]) -> None:
    data, order = bytes.fromhex(vector["input"]), bytes.fromhex(vector["order"])
    known = parties(vector["parties"])
    receipt = judged(vector, lambda: act.verify_receipt(data, order=order, parties=known, at=at(vector["at"])))
    if "intermediate" in vector:
        require_intermediate(vector["intermediate"], data)
        assert receipt.identity.hex() == vector["intermediate"]["identity"]
    if "identity" in vector:
        require_jws(vector["identity"], data)
        assert receipt.identity.hex() == vector["identity"]


# --- intermediate values, worked out by other libraries ----------------------------------------------------------------


@cache
def enrolled() -> dict[str, dict[str, Any]]:
    """The published key pairs by key id."""
    return {pair["kid"]: pair for pair in loaded("keys")["pairs"]}


def require_intermediate(shown: dict[str, Any], data: bytes) -> None:
    """The shown values, as cbor2 and OpenSSL see the object: none of this library's own decoding or verifying is asked."""
    tag = cbor2.load(BytesIO(data))
    assert tag.tag == 18
    protected, unprotected, payload, signature = tag.value
    assert unprotected == {}
    assert [part.hex() for part in (protected, payload, signature)] == [
        shown["protected"],
        shown["payload"],
        shown["signature"],
    ]
    signing_input = cbor2.dumps(["Signature1", protected, b"", payload])
    assert hashlib.sha256(signing_input).hexdigest() == shown["identity"]
    names = {1: "iss", 2: "sub", 3: "aud", 4: "exp", 5: "nbf", 6: "iat", 7: "cti", 8: "cnf", 65535: "status", -70001: "act"}
    claims = cbor2.loads(payload)
    assert {names[label]: as_json(value) for label, value in claims.items()} == shown["claims"]
    pair = enrolled()[cbor2.loads(protected)[4].hex()]
    require_signature(pair, signing_input, signature)
    with pytest.raises(InvalidSignature):
        require_signature(pair, signing_input + b"\x00", signature)


def require_jws(identity: str, data: bytes) -> None:
    """The identity, and a signature that holds, as the standard library and OpenSSL see a compact JWS."""
    covered, _, signature = data.rpartition(b".")
    assert hashlib.sha256(covered).hexdigest() == identity
    header = json.loads(unpadded(covered.partition(b".")[0]))
    assert header.keys() == {"alg", "kid", "typ"}
    require_signature(enrolled()[unpadded(header["kid"].encode()).hex()], covered, unpadded(signature))


def unpadded(text: bytes) -> bytes:
    """The bytes of base64url without padding."""
    return urlsafe_b64decode(text + b"=" * (-len(text) % 4))


def require_chain(shown: dict[str, Any], chain: Sequence[bytes]) -> None:
    """The shown values of a mandate and of every link below it."""
    require_intermediate(shown["mandate"], chain[0])
    for place, link in enumerate(chain[1:], 1):
        require_intermediate(shown[f"link-{place}"], link)
    assert f"link-{len(chain)}" not in shown


def require_signature(pair: dict[str, Any], message: bytes, signature: bytes) -> None:
    """OpenSSL's opinion of a signature."""
    seed = bytes.fromhex(pair["seed"])
    if pair["alg"] == "Ed25519":
        ed25519.Ed25519PrivateKey.from_private_bytes(seed).public_key().verify(signature, message)
        return
    public = ec.derive_private_key(int.from_bytes(seed), ec.SECP256R1()).public_key()
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    public.verify(encode_dss_signature(r, s), message, ec.ECDSA(SHA256()))


def as_json(value: Any) -> Any:
    """A decoded claim as the vectors show it."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, list):
        return [as_json(item) for item in value]
    if isinstance(value, dict):
        return {str(key): as_json(item) for key, item in value.items()}
    return value


# --- sequences ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", vectors("sequences", "sequences-jose"))
def test_sequences(vector: dict[str, Any], tmp_path: Path) -> None:
    runner = Runner(vector, tmp_path)
    try:
        for step in vector["steps"]:
            runner.run(step)
    finally:
        runner.ledger.close()


# --- the files themselves ----------------------------------------------------------------------------------------------


def test_every_file_is_known_and_there() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.json")) == sorted((*KINDS, "schema"))


@pytest.mark.parametrize("kind", KINDS)
def test_files_meet_the_schema(kind: str) -> None:
    schema = json.loads((FOLDER / "schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(loaded(kind))
    assert loaded(kind)["kind"] == kind


def test_the_schema_refuses() -> None:
    schema = json.loads((FOLDER / "schema.json").read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    good = loaded("orders")
    first = good["vectors"][0]
    for broken in (
        good | {"extra": 1},
        good | {"vectors": [{name: value for name, value in first.items() if name != "why"}]},
        good | {"vectors": [first | {"input": "0"}]},
        good | {"vectors": [first | {"expect": "maybe"}]},
        good | {"vectors": [first | {"debug": "x"}]},
        good | {"vectors": [{name: value for name, value in first.items() if name != "rules"}]},
    ):
        assert not validator.is_valid(broken)


def test_ids_are_unique() -> None:
    ids = [vector["id"] for kind in KINDS for vector in loaded(kind)["vectors"]]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("vector", vectors("envelopes"))
def test_bad_envelopes_carry_signatures_that_hold(vector: dict[str, Any]) -> None:
    """Or a lenient reader would refuse them for the wrong reason. Where the frame is broken there is nothing to check."""
    try:
        protected, payload, signature = cbor.decode_sign1(bytes.fromhex(vector["input"]))
    except act.Refused:
        return
    pair = next(pair for pair in loaded("keys")["pairs"] if pair["name"] == "wallet")
    require_signature(pair, cbor.sig_structure(protected, payload), signature)


def test_the_generator_writes_these_files() -> None:
    command = [sys.executable, str(FOLDER / "generate.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(FOLDER.parent)})
    assert (done.returncode, done.stderr) == (0, "")


def test_the_files_stay_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.glob("*.json")) < MAX_TOTAL_BYTES


def refusals_of(vector: dict[str, Any]) -> list[dict[str, Any]]:
    """Every refusal that a vector expects: of a sequence, in any of its steps."""
    expected = [step.get("expect") for step in vector["steps"]] if "steps" in vector else [vector["expect"]]
    return [expect for expect in expected if isinstance(expect, dict) and "refuse" in expect]


def refusals() -> Iterator[dict[str, Any]]:
    """Every refusal that some vector expects."""
    for kind in KINDS:
        for vector in loaded(kind)["vectors"]:
            yield from refusals_of(vector)


def test_every_code_about_a_token_is_provoked() -> None:
    provoked = {expect["refuse"] for expect in refusals()}
    of_tokens = {code for code, row in CODES.items() if row.fault is Fault.TOKEN}
    assert of_tokens - provoked == UNPROVOKED.keys()


def test_every_rule_has_both_sides() -> None:
    of_tokens = {row.rule for row in CODES.values() if row.fault is Fault.TOKEN}
    accepting = {rule for kind in KINDS for vector in loaded(kind)["vectors"] for rule in vector.get("rules", ())}
    refusing = {expect["rule"] for expect in refusals()}
    assert of_tokens - accepting == ONE_SIDED.keys()
    assert of_tokens - refusing == ONE_SIDED.keys()
    assert {expect["refuse"]: expect["rule"] for expect in refusals()}.items() <= {
        c: row.rule for c, row in CODES.items()
    }.items()


NARROWING: Final = frozenset(f"ACT-CHN-0{n}" for n in (6, 7, 8, 9))
STANDING: Final = {
    "ext.quota.refund_restores": "what a refund does",
    "ext.agent_behavior.price_deviation_action": "how the agent behaves",
    "ext.agent_behavior.on_payment_failure": "how the agent behaves",
    "ext.agent_behavior.max_retry_count": "how the agent behaves",
    "ext.delegation.max_depth": "what may stand below the mandate",
    "ext.status.max_staleness": "how old the status may be, which is read in the very transaction",
    "ext.status.on_revoke": "what becomes of money that is held",
}
"""Constraints that permit every payment, and what they are about instead: a mandate with a wrong one is refused."""


@cache
def narrowed_in(kind: str) -> frozenset[tuple[str, bool]]:
    """Every constraint that some link states, and whether the chain is accepted; of a refused one, which it is refused for."""
    found = set()
    for vector in loaded(kind)["vectors"]:
        if vector["expect"] == "accept":
            chain = act.recognize([bytes.fromhex(each) for each in (vector["input"], *vector["links"])])
            found |= {(each.path, True) for link in chain.links for each in link.content.link.constraints}
        elif vector["expect"]["rule"] in NARROWING:
            found.add((vector["expect"]["where"].split(".", 2)[2], False))
    return frozenset(found)


@cache
def judged_in(*kinds: str) -> frozenset[tuple[str, bool]]:
    """Every constraint that some mandate or payment shows, accepted or refused for it."""
    found = set()
    for vector in (vector for kind in kinds for vector in loaded(kind)["vectors"]):
        if vector.get("expect") == "accept":
            data = bytes.fromhex(vector["input"])
            root = act.Payment.from_bytes(data).chain[0] if vector["id"].startswith("payments") else data
            found |= {(each.path, True) for each in open_credential(root).content.mandate.constraints}
        for expect in refusals_of(vector):
            found |= {(path, False) for path in REGISTRY if is_about(expect["where"], path)}
    return frozenset(found)


def is_about(where: str, path: str) -> bool:
    """Whether a refusal's place is this constraint, or lies in it. A window is refused by its start or its end."""
    place = where.removeprefix("mandate.").removeprefix("act.")
    if path == "validity":
        return place in ("validity_start_time", "validity_end_time")
    return place == path or place.startswith(f"{path}.")


@pytest.mark.parametrize("envelope", ["", "-jose"])
@pytest.mark.parametrize("path", REGISTRY)
def test_every_constraint_is_narrowed_and_widened_by_a_link(path: str, envelope: str) -> None:
    assert {side for each, side in narrowed_in(f"chains{envelope}") if each == path} == {True, False}


@pytest.mark.parametrize("envelope", ["", "-jose"])
@pytest.mark.parametrize("path", REGISTRY)
def test_every_constraint_permits_and_refuses(path: str, envelope: str) -> None:
    """A payment, in a sequence where only the ledger knows; of a constraint that permits every payment, its own value."""
    kinds = ["mandates"] if path in STANDING else ["payments", "sequences"]
    assert {side for each, side in judged_in(*(f"{kind}{envelope}" for kind in kinds)) if each == path} == {True, False}


@pytest.mark.parametrize(
    "base, edges",
    [
        ("payments/request-issued-plus", {"9": True, "10": True, "11": False}),
        ("payments/request-end", {"minus-1": True, "": False, "plus-1": False}),
        ("payments/request-lives", {"119": True, "120": True, "121": False}),
        ("payments/mandate-starts-plus", {"9": True, "10": True, "11": False}),
        ("payments/mandate-ends", {"plus-1": True, "": False, "minus-1": False}),
        ("payments/order-ends", {"plus-1": True, "": False, "minus-1": False}),
        ("calendar/schedule-winter", {"before": False, "first": True, "last": True, "after": False}),
        ("mandates/start", {"minus-9": True, "minus-10": True, "minus-11": False}),
        ("mandates/end", {"minus-1": True, "": False, "plus-1": False}),
        ("payments/single", {"30.00": True, "30.01": False}),
        ("payments/least", {"5.00": True, "4.99": False}),
        ("payments/total", {"200.00": True, "200.01": False}),
        ("payments/step-up", {"18.00": True, "18.01": False}),
        ("payments/period", {"30.00": True, "30.01": False}),
        ("payments/sliding", {"30.00": True, "30.01": False}),
        ("payments/items", {"quantity-3": True, "quantity-2": False, "price-18.00": True, "price-17.99": False}),
        ("payments/price", {"18.90": True, "18.91": False, "floor-10.23": True, "floor-10.24": False}),
        ("payments/delivery", {"instant-exact": True, "instant-late": False, "days-exact": True, "days-late": False}),
        ("payments/schedule", {"": True, "ends": False, "later": False}),
        ("payments/lifetime-400-days", {"": True, "plus-1": False}),
        ("chains/total", {"equal": True, "narrower": True, "wider": False}),
        ("chains/single", {"equal": True, "narrower": True, "wider": False}),
        ("chains/least", {"equal": True, "narrower": True, "wider": False}),
        ("chains/times", {"equal": True, "narrower": True, "wider": False}),
        ("chains/periods", {"equal": True, "narrower": True, "wider": False, "narrower-longer": True, "wider-shorter": False}),
        ("chains/step-up", {"equal": True, "narrower": True, "wider": False}),
        ("chains/items", {"quantity-narrower": True, "quantity-wider": False, "price-narrower": True, "price-wider": False}),
        ("chains/tolerance", {"equal": True, "same-fen": True, "wider": False}),
        ("chains/delivery", {"equal": True, "narrower": True, "wider": False}),
        ("chains/schedule", {"equal": True, "narrower": True, "wider": False}),
        ("chains/staleness", {"equal": True, "narrower": True, "wider": False}),
        ("chains/end", {"minus-1": True, "": False}),
        ("chains/start", {"minus-10": True, "minus-11": False}),
        ("chains/issued-plus", {"10": True, "11": False}),
        ("instructions/issued-plus", {"9": True, "10": True, "11": False}),
        ("instructions/end", {"minus-1": True, "": False, "plus-1": False}),
        ("instructions/lives", {"0": False, "1": True, "86400": True, "86401": False}),
        ("orders/lock", {"minus-1": True, "": False, "plus-1": False}),
        ("receipts/hold", {"minus-1": True, "": False, "plus-1": False}),
    ],
)
def test_edges_are_shown_on_both_sides(base: str, edges: dict[str, bool]) -> None:
    found = {vector["id"]: vector["expect"] == "accept" for vector in loaded(base.split("/", 1)[0])["vectors"]}
    assert {edge: found[f"{base}-{edge}".rstrip("-")] for edge in edges} == edges

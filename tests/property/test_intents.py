"""act.delegation.intent, for any record: what is selected is what was confirmed, and it reads back as it was signed."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import act
from act.calendar import LATEST_INSTANT, iso
from act.delegation.constraints import Constraint, Validity
from act.delegation.constraints.payload import write_constraints
from act.delegation.conversation import INPUT_MODES, MAX_RAW_BYTES, ROLES, Message, conversation_reader, intent_digest
from act.delegation.credential import open_credential
from act.delegation.mandate import SignedMandate, mandate_claims, read_mandate
from act.errors import ActError
from tests.support.choices import Choices, built, promised
from tests.support.strategies import ENVELOPES, MAX_EXACT, json_values, private_map, purposeful, signer_of
from tests.support.world import AGENT, NOW_SECONDS, PRINCIPAL, PSP, WALLET, key, moment


def _said(choices: Choices) -> str:
    return choices.text(60) or "."


def _messages(choices: Choices) -> tuple[Message, ...]:
    def message() -> Message:
        return Message(choices.pick(ROLES), _said(choices), choices.whole(0, LATEST_INSTANT))

    return tuple(choices.several(message, 1, 4))


def history(choices: Choices) -> dict[str, Any]:
    """A `conversation_history` of a JSON document: raw, digest, or both."""
    raw = _messages(choices) if choices.coin() else _said(choices)
    written = (
        raw
        if isinstance(raw, str)
        else [{"role": each.role, "content": each.content, "create_time": iso(each.create_time)} for each in raw]
    )
    shown = choices.pick(("raw", "digest", "both"))
    made: dict[str, Any] = {} if shown == "digest" else {"user_intent_raw": written}
    if shown != "raw":
        made |= {"user_intent_raw_digest": _base64url(intent_digest(raw)), "context_ref": choices.name()}
    modes = choices.some(tuple(INPUT_MODES), 3, least=0)
    return made | ({"input_mode": modes} if modes else {})


def record(choices: Choices) -> act.Isr:
    """A confirmed intent record, with any constraints a mandate can have."""
    of: tuple[Constraint, ...] = purposeful(choices, MAX_EXACT)
    start, end = next(each.encode() for each in of if each.path == "validity")
    body = {"allowed_payment_methods": [choices.name()]} | _document(write_constraints(of, private_map(choices)))
    body |= {
        "conversation_history": history(choices),
        "validity_start_time": iso(start),
        "validity_end_time": iso(end),
        "agent_id": choices.name(),
    }
    if choices.coin():
        body["intent_id"] = choices.name()
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=choices.whole(0, end - 1))
    return act.Isr.from_json(body).confirm(method=choices.name(), at=at)


def _document(value: Any) -> Any:
    """A wire value as JSON documents have it: byte strings in base64url."""
    if isinstance(value, bytes):
        return _base64url(value)
    if isinstance(value, dict):
        return {name: _document(member) for name, member in value.items()}
    return [_document(member) for member in value] if isinstance(value, list) else value


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


@promised
@given(built(record), built(signer_of))
def test_what_is_selected_reads_back_in_both_envelopes_and_names_its_record(record: act.Isr, signer: act.KeyPair) -> None:
    mandate = record.select_mandate(issuer=WALLET, ledger=PSP, delegator_identity=PRINCIPAL)
    signed = read_mandate(mandate_claims(mandate, key(AGENT).public_key, NOW_SECONDS))
    assert signed.mandate == mandate
    window = mandate.constraint(Validity)
    for envelope in ENVELOPES:
        iac = act.mint(mandate, signer=signer, holder=signer.public_key, at=moment(window.end - 1), format=envelope)
        assert open_credential(iac).content == SignedMandate(mandate, signer.public_key, window.end - 1)
    assert mandate.constraints == record.constraints
    assert mandate.source_isr_digest == sha256(record.to_json().encode()).digest()
    assert (mandate.intent_id is None) == (mandate.conversation_history is not None)
    assert act.Isr.from_json(record.to_json()) == record
    for language in ("en", "zh"):
        assert len(record.summary(language)) == len(record.constraints) + 1


@promised
@given(built(history), st.binary(max_size=40))
def test_a_history_reads_back_and_tells_other_content(written: dict[str, Any], content: bytes) -> None:
    record = act.Isr.from_json({"conversation_history": written, "intent_id": "x"})
    history = record.conversation_history
    assert history is not None
    assert conversation_reader(MAX_RAW_BYTES)(history.encode()) == history
    assert history.to_json() == written
    if history.user_intent_raw_digest is None:
        return
    try:
        history.check_context(content)
    except act.Refused as refusal:
        assert refusal.code == "intent_digest_mismatch"
    else:
        assert sha256(content).digest() == history.user_intent_raw_digest


fields = st.sampled_from(
    ["conversation_history", "ext", "max_total_amount", "currency", "user_confirmation_timestamp", "validity_end_time", "x"]
)


@given(st.dictionaries(fields, json_values, max_size=4) | json_values)
def test_any_value_is_a_record_or_one_error(document: Any) -> None:
    try:
        record = act.Isr.from_json(document)
    except ActError:
        return
    assert act.Isr.from_json(record.to_json()) == record

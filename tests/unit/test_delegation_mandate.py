"""act.delegation.mandate: the claims of a credential, each exactly as this profile has it."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import pytest

import act
from act.calendar import LATEST_INSTANT
from act.delegation.constraints import REGISTRY, Currency, DelegationMode, Validity
from act.delegation.credential import open_credential
from act.delegation.mandate import Mandate, read_mandate
from act.errors import InvalidCall
from tests.support.world import (
    ABSENT,
    AGENT,
    END_SECONDS,
    NOW_SECONDS,
    OTHER_SHOP,
    PRINCIPAL,
    PSP,
    SHOP,
    START_SECONDS,
    WALLET,
    World,
    claims_of,
    key,
    refused,
    reseal,
)

WORLD = World()
IAC = WORLD.mint(
    intent_id="intent-1",
    delegation_id="urn:uuid:00010203-0405-4607-8809-0a0b0c0d0e0f",
    commerce={"min_single_amount": "1.00", "forbidden_merchants": ["casino.example"], "forbidden_categories": ["gift_card"]},
)


def _open(changes: dict[str, object]) -> Mandate:
    return open_credential(reseal(IAC, key(WALLET), changes)).content.mandate


def test_every_fact_stands_where_the_profile_puts_it() -> None:
    assert claims_of(IAC) == {
        "iss": WALLET,
        "sub": AGENT,
        "aud": PSP,
        "nbf": START_SECONDS,
        "exp": END_SECONDS,
        "iat": NOW_SECONDS,
        "cti": bytes.fromhex("000102030405460788090a0b0c0d0e0f"),
        "cnf": {1: key(AGENT).public_key.cose_key},
        "status": {"ledger": PSP},
        "act": {
            "delegator_identity": PRINCIPAL,
            "intent_id": "intent-1",
            "delegation_mode": "BOUNDED",
            "max_total_amount": "200.00",
            "currency": "CNY",
            "allowed_payment_methods": ["balance"],
            "user_confirmation_method": "passkey",
            "user_confirmation_timestamp": START_SECONDS,
            "ext": {
                "commerce": {
                    "max_single_amount": "30.00",
                    "min_single_amount": "1.00",
                    "allowed_merchants": [SHOP, OTHER_SHOP],
                    "forbidden_merchants": ["casino.example"],
                    "allowed_categories": ["tea"],
                    "forbidden_categories": ["gift_card"],
                }
            },
        },
    }


def test_what_was_minted_is_read_back() -> None:
    mandate = WORLD.mandate()
    opened = open_credential(act.mint(mandate, signer=key(WALLET), holder=key(AGENT).public_key, at=WORLD.clock()))
    assert opened.content.mandate == mandate
    assert opened.content.holder == key(AGENT).public_key
    assert opened.content.issued_at == NOW_SECONDS
    assert UUID(mandate.delegation_id).urn == mandate.delegation_id


def test_constraints_stand_in_the_registrys_order() -> None:
    order = list(REGISTRY)
    paths = [constraint.path for constraint in _open({}).constraints]
    assert paths == sorted(paths, key=order.index)
    assert {"validity", "delegation_mode", "currency", "max_total_amount"} <= set(paths)


def test_a_mandate_finds_its_constraints() -> None:
    mandate = _open({})
    assert mandate.constraint(Validity) == Validity(START_SECONDS, END_SECONDS)
    assert mandate.constraint(Currency) == Currency("CNY")

    class Unheard(DelegationMode):
        """A constraint no mandate has."""

    with pytest.raises(InvalidCall):
        mandate.constraint(Unheard)


# --- mandatory and optional ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("claim", ["iss", "sub", "aud", "exp", "nbf", "iat", "cti", "cnf", "status", "act"])
def test_registered_claims_are_mandatory(claim: str) -> None:
    with refused("claim_missing", f"mandate.{claim}"):
        _open({claim: ABSENT})


@pytest.mark.parametrize("field", ["delegator_identity", "intent_id", "max_total_amount", "currency"])
def test_mandatory_fields(field: str) -> None:
    with refused("claim_missing", f"mandate.act.{field}"):
        _open({f"act.{field}": ABSENT})


def test_what_may_be_absent() -> None:
    mandate = _open(
        {
            "act.delegation_mode": ABSENT,
            "act.allowed_payment_methods": ABSENT,
            "act.user_confirmation_method": ABSENT,
            "act.user_confirmation_timestamp": ABSENT,
            "act.ext": {"commerce": {"allowed_merchants": [SHOP]}},
        }
    )
    assert mandate.constraint(DelegationMode).mode == "SPECIFIED"  # ADD-IAC-ISS: the default
    assert [constraint.path for constraint in mandate.constraints] == [
        "validity",
        "delegation_mode",
        "currency",
        "max_total_amount",
        "ext.commerce.allowed_merchants",
    ]
    assert mandate.user_confirmation_method is None
    assert mandate.user_confirmation_timestamp is None


@pytest.mark.parametrize("field", ["user_confirmation_method", "user_confirmation_timestamp"])
def test_how_and_when_the_principal_confirmed_go_together(field: str) -> None:
    with refused("claim_missing", "mandate.act.user_confirmation_timestamp"):
        _open({f"act.{field}": ABSENT})


# --- unknown ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "field", ["conversation_histories", "max_total_amount ", "Currency", "times_limit", "constraints", "exp"]
)
def test_unknown_fields(field: str) -> None:
    with refused("claim_unknown", f"mandate.act.{field}"):
        _open({f"act.{field}": 1})


@pytest.mark.parametrize("block", ["", "magic", "Commerce", "vendor_Private", "ext"])
def test_blocks_this_version_cannot_enforce(block: str) -> None:
    with refused("extension_unknown", f"mandate.act.ext.{block}"):
        _open({f"act.ext.{block}": {"x": 1}})


@pytest.mark.parametrize("name", ["max_daily_amount", "Max_single_amount", "allowed_regions", "", "validity", "vendor_private"])
def test_constraints_this_version_cannot_enforce(name: str) -> None:
    with refused("constraint_unknown", f"mandate.act.ext.commerce.{name}"):
        _open({f"act.ext.commerce.{name}": ["x"]})


def test_vendor_private_is_carried_and_means_nothing() -> None:
    content = {"max_total_amount": "1.00", "nested": {"a": [1, True, "x"]}}
    mandate = _open({"act.ext.vendor_private": content})
    assert mandate.vendor_private == content
    assert mandate.constraints == _open({}).constraints


DEEP: Final[dict[str, Any]] = {"1": {"2": {"3": {"4": {"5": {"6": {"7": {"8": {"9": 1}}}}}}}}}


@pytest.mark.parametrize("value", [b"x", {1: "x"}, 1 << 53, -(1 << 53), DEEP, list(range(257)), [[b"x"]]])
def test_what_both_envelopes_can_carry_and_no_more(value: object) -> None:
    with refused("claim_invalid", "mandate.act.ext.vendor_private"):
        _open({"act.ext.vendor_private": {"x": value}})


@pytest.mark.parametrize("value", [{}, [], "x", 1, True, b""])
@pytest.mark.parametrize("block", ["commerce", "vendor_private", "quota"])
def test_a_block_is_a_map_that_is_not_empty(block: str, value: object) -> None:
    with refused("claim_invalid", f"mandate.act.ext.{block}"):
        _open({f"act.ext.{block}": value})


# --- wrong --------------------------------------------------------------------------------------------------------------

NO_TEXT: list[Any] = ["", "x" * 257, "a\n", "a\u202eb", 1, True, b"x", ["x"], {"a": "x"}]
NO_INSTANT: list[Any] = [-1, LATEST_INSTANT + 1, True, "1770368400", b"", [1], {"a": 1}]
NO_AMOUNT: list[Any] = [
    "200",
    "200.0",
    "200.000",
    "0.00",
    "-1.00",
    "+1.00",
    "1e2",
    "1_000.00",
    "1,000.00",
    "01.00",
    " 1.00",
    "1.00\n",
    "\uff11.00",
    "\u0661.00",
    "92233720368547758.08",  # 2^63 minor units
    "",
    ".00",
    200,
    True,
    b"200.00",
    ["200.00"],
]
NO_LIST: list[Any] = [[], ["a", "a"], [""], ["x" * 257], [1], "balance", {"a": "b"}, [["a"]], [f"{i}" for i in range(129)]]


@pytest.mark.parametrize("value", NO_TEXT, ids=repr)
@pytest.mark.parametrize(
    "claim", ["iss", "sub", "aud", "act.delegator_identity", "act.intent_id", "act.user_confirmation_method"]
)
def test_identifiers(claim: str, value: object) -> None:
    with refused("claim_invalid", f"mandate.{claim}"):
        _open({claim: value})


@pytest.mark.parametrize("value", NO_INSTANT, ids=repr)
@pytest.mark.parametrize("claim", ["nbf", "exp", "iat", "act.user_confirmation_timestamp"])
def test_instants(claim: str, value: object) -> None:
    with refused("claim_invalid", f"mandate.{claim}"):
        _open({claim: value})


@pytest.mark.parametrize("value", NO_AMOUNT, ids=repr)
@pytest.mark.parametrize("path", ["max_total_amount", "ext.commerce.max_single_amount", "ext.commerce.min_single_amount"])
def test_amounts(path: str, value: object) -> None:
    with refused("amount_invalid", f"mandate.act.{path}"):
        _open({f"act.{path}": value})


@pytest.mark.parametrize("value", NO_LIST, ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize(
    "path",
    [
        "allowed_payment_methods",
        "ext.commerce.allowed_merchants",
        "ext.commerce.forbidden_merchants",
        "ext.commerce.allowed_categories",
        "ext.commerce.forbidden_categories",
    ],
)
def test_lists(path: str, value: object) -> None:
    with refused("claim_invalid", f"mandate.act.{path}"):
        _open({f"act.{path}": value})


@pytest.mark.parametrize(
    "path, value, code, where",
    [
        ("cti", bytes(15), "claim_invalid", "mandate.cti"),
        ("cti", "urn:uuid:00010203-0405-0607-0809-0a0b0c0d0e0f", "claim_invalid", "mandate.cti"),
        ("status", {}, "claim_missing", "mandate.status.ledger"),
        ("status", {"ledger": PSP, "uri": "https://x"}, "claim_unknown", "mandate.status.uri"),
        ("status", {"status_list": {"idx": 0, "uri": "https://x"}}, "claim_unknown", "mandate.status.status_list"),
        ("status", "psp-1", "claim_invalid", "mandate.status"),
        ("status.ledger", 1, "claim_invalid", "mandate.status.ledger"),
        ("status.ledger", "psp-2", "status_unavailable", "mandate.status"),
        ("aud", "psp-2", "status_unavailable", "mandate.status"),
        ("aud", ["psp-1", "psp-2"], "claim_invalid", "mandate.aud"),  # one mandate, one ledger
        ("act", {}, "claim_missing", "mandate.act.currency"),
        ("act", [], "claim_invalid", "mandate.act"),
        ("act.ext", [], "claim_invalid", "mandate.act.ext"),
        ("act.ext", "x", "claim_invalid", "mandate.act.ext"),
        ("act.currency", "XXX", "currency_unknown", "mandate.act.currency"),
        ("act.currency", "XAU", "currency_unknown", "mandate.act.currency"),
        ("act.currency", "cny", "currency_unknown", "mandate.act.currency"),
        ("act.currency", "", "currency_unknown", "mandate.act.currency"),
        ("act.currency", 156, "claim_invalid", "mandate.act.currency"),
        ("act.currency", ["CNY"], "claim_invalid", "mandate.act.currency"),
        ("act.delegation_mode", "bounded", "claim_invalid", "mandate.act.delegation_mode"),
        ("act.delegation_mode", "ANY", "claim_invalid", "mandate.act.delegation_mode"),
        ("act.delegation_mode", ["BOUNDED"], "claim_invalid", "mandate.act.delegation_mode"),
        ("act.delegation_mode", True, "claim_invalid", "mandate.act.delegation_mode"),
    ],
)
def test_other_values(path: str, value: object, code: str, where: str) -> None:
    with refused(code, where):
        _open({path: value})


@pytest.mark.parametrize(
    "cnf, code, where",
    [
        ({}, "claim_invalid", "mandate.cnf"),
        ({2: b"x"}, "claim_invalid", "mandate.cnf"),
        ({3: b"kid"}, "claim_invalid", "mandate.cnf"),  # a kid instead of the key: the agent's proof would hang on a lookup
        ({1: key(AGENT).public_key.cose_key, 3: b"kid"}, "claim_invalid", "mandate.cnf"),
        ({1: {}}, "claim_invalid", "mandate.cnf.COSE_Key"),
        ({1: b"key"}, "claim_invalid", "mandate.cnf.COSE_Key"),
        ({1: key(AGENT).public_key.cose_key | {3: -19}}, "claim_invalid", "mandate.cnf.COSE_Key"),
        ({1: key(AGENT).public_key.cose_key | {-4: bytes(32)}}, "claim_invalid", "mandate.cnf.COSE_Key"),  # its secret
        ({1: {1: 4, -1: b"hmac"}}, "claim_invalid", "mandate.cnf.COSE_Key"),
        ({1: {1: 1, -1: 6, -2: bytes([1]) + bytes(31)}}, "key_invalid", "mandate.cnf.COSE_Key"),
        ({1: {1: 1, -1: 6, -2: b"\xff" * 32}}, "key_invalid", "mandate.cnf.COSE_Key"),
        ({1: {1: 2, -1: 1, -2: bytes(32), -3: bytes(32)}}, "key_invalid", "mandate.cnf.COSE_Key"),
        ({1: {1: 2, -1: 1, -2: bytes(32), -3: True}}, "claim_invalid", "mandate.cnf.COSE_Key"),  # compressed
    ],
)
def test_the_agents_key(cnf: dict[int, object], code: str, where: str) -> None:
    with refused(code, where):
        _open({"cnf": cnf})


@pytest.mark.parametrize("shift", [-1, 0, 1])
def test_the_window_has_a_length(shift: int) -> None:
    if shift > 0:
        assert _open({"nbf": END_SECONDS - shift}).constraint(Validity).start == END_SECONDS - shift
    else:
        with refused("credential_lifetime_invalid", "mandate.act.validity"):
            _open({"nbf": END_SECONDS - shift})


@pytest.mark.parametrize(
    "minimum, maximum, total, lower",
    [
        ("30.01", "30.00", "200.00", "ext.commerce.min_single_amount"),
        ("1.00", "200.01", "200.00", "ext.commerce.max_single_amount"),
        ("200.01", ABSENT, "200.00", "ext.commerce.min_single_amount"),
        ("30.00", "30.00", "30.00", None),
        ("200.00", ABSENT, "200.00", None),
        (ABSENT, "200.00", "200.00", None),
    ],
)
def test_limits_must_not_contradict_each_other(minimum: object, maximum: object, total: str, lower: str | None) -> None:
    changes = {
        "act.ext.commerce.min_single_amount": minimum,
        "act.ext.commerce.max_single_amount": maximum,
        "act.max_total_amount": total,
    }
    if lower is None:
        _open(changes)
    else:
        with refused("constraint_conflict", f"mandate.act.{lower}"):
            _open(changes)


def test_claims_as_plain_values() -> None:
    """Whatever envelope they came in, claims are read by the same table."""
    assert read_mandate(claims_of(IAC)).mandate == _open({})

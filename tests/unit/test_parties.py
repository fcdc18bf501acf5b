"""act.parties: who may sign as what and when, from a table and from a file."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

import act
from act.errors import InvalidCall, StoreFault
from act.parties import EnrolledKey, PartiesFile, PartiesTable, Role, parse_parties
from act.wire.base64url import base64url_encode
from tests.support.world import ABSENT, NOW_SECONDS, PSP, SHOP, WALLET, enrolled, key, patch, refused

START, END = "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"
START_SECONDS, END_SECONDS = 1_767_225_600, 1_798_761_600


def _key(name: str, **fields: Any) -> dict[str, Any]:
    return {"jwk": key(name).public_key.to_jwk(), "not_before": START, "not_after": END} | fields


def _document() -> dict[str, Any]:
    return {
        "format": "act1-parties",
        "version": 7,
        "expires": END,
        "parties": [
            {"id": WALLET, "name": "A wallet", "roles": ["issuer"], "delegator_namespaces": ["user:"], "keys": [_key(WALLET)]},
            {"id": SHOP, "name": "Tea", "roles": ["payee"], "categories": ["tea"], "keys": [_key(SHOP), _key("shop 2")]},
            {"id": PSP, "name": "支付", "roles": ["psp", "payee"], "keys": [_key(PSP, compromised_at=START)]},
        ],
    }


def _bytes(document: object) -> bytes:
    return json.dumps(document).encode()


def _changed(changes: dict[str, object]) -> bytes:
    return _bytes(patch(_document(), changes))


def _find(parties: act.Parties, name: str, role: Role, at: int = NOW_SECONDS) -> EnrolledKey:
    return parties.find(key(name).kid, role, at)


# --- the table ----------------------------------------------------------------------------------------------------------


def test_a_key_is_found_by_kid_role_and_time() -> None:
    parties = parse_parties(_bytes(_document()))
    found = _find(parties, WALLET, Role.ISSUER)
    assert (found.party.id, found.party.name, found.party.delegator_namespaces) == (WALLET, "A wallet", ("user:",))
    assert (found.not_before, found.not_after, found.compromised_at) == (START_SECONDS, END_SECONDS, None)
    assert found.public_key == key(WALLET).public_key
    assert _find(parties, "shop 2", Role.PAYEE).party.id == SHOP
    assert _find(parties, SHOP, Role.PAYEE).party.categories == {"tea"}
    assert _find(parties, PSP, Role.PSP).compromised_at == START_SECONDS
    assert _find(parties, PSP, Role.PAYEE).party.id == PSP
    assert (parties.version, parties.expires_at) == (7, END_SECONDS)


@pytest.mark.parametrize("role", [Role.PRINCIPAL, Role.PAYEE, Role.PSP])
def test_a_key_signs_only_in_its_partys_roles(role: Role) -> None:
    with refused("signer_unknown"):
        _find(parse_parties(_bytes(_document())), WALLET, role)


def test_an_unknown_key_is_refused() -> None:
    with refused("signer_unknown"):
        _find(parse_parties(_bytes(_document())), "stranger", Role.ISSUER)


@pytest.mark.parametrize(
    "at, in_force",
    [
        (START_SECONDS - 1, False),
        (START_SECONDS, True),
        (START_SECONDS + 1, True),
        (END_SECONDS - 1, True),
        (END_SECONDS, False),
        (END_SECONDS + 1, False),
    ],
)
def test_a_key_is_in_force_from_not_before_until_just_before_not_after(at: int, in_force: bool) -> None:
    parties = parse_parties(_bytes(_document()))
    if in_force:
        assert _find(parties, WALLET, Role.ISSUER, at).party.id == WALLET
    else:
        with refused("signer_unknown"):
            _find(parties, WALLET, Role.ISSUER, at)


def test_one_key_enrolled_twice_is_refused() -> None:
    with pytest.raises(InvalidCall) as caught:
        PartiesTable([enrolled(WALLET, Role.ISSUER), enrolled("copy", Role.PSP, key_pair=key(WALLET))])
    assert (caught.value.code, caught.value.where) == ("parties_invalid", "keys")


@pytest.mark.parametrize(
    "namespaces, delegator, allowed",
    [
        (["user:"], "user:lin", True),
        (["user:"], "user:", True),
        (["user:"], "client:lin", False),
        (["user:"], "User:lin", False),
        (["user:"], "u\u0455er:lin", False),  # a Cyrillic dze
        (["user:"], " user:lin", False),
        (["client:", "user:"], "user:lin", True),
        (["user:*"], "user:lin", False),
        ([], "user:lin", False),
    ],
)
def test_a_namespace_is_a_literal_prefix(namespaces: list[str], delegator: str, allowed: bool) -> None:
    assert enrolled(WALLET, Role.ISSUER, namespaces=namespaces).party.may_speak_for(delegator) is allowed


# --- what a file may say ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "place, value, where",
    [
        ("format", "act2-parties", "format"),
        ("format", ABSENT, "format"),
        ("version", 0, "version"),
        ("version", -1, "version"),
        ("version", "1", "version"),
        ("version", True, "version"),
        ("version", ABSENT, "version"),
        ("expires", ABSENT, "expires"),
        ("expires", "2027-01-01", "expires"),
        ("expires", END_SECONDS, "expires"),
        ("parties", ABSENT, "parties"),
        ("parties", {}, "parties"),
        ("comment", "hello", "comment"),
        ("parties.0", "wallet", "parties.0"),
        ("parties.0.id", "", "parties.0.id"),
        ("parties.0.id", ABSENT, "parties.0.id"),
        ("parties.0.id", "a\nb", "parties.0.id"),
        ("parties.0.id", "x" * 257, "parties.0.id"),
        ("parties.0.name", "\u0000", "parties.0.name"),
        ("parties.0.roles", ["root"], "parties.0.roles.0"),
        ("parties.0.roles", "issuer", "parties.0.roles"),
        ("parties.0.delegator_namespaces", ["user:", "user:lin"], "parties.0.delegator_namespaces"),
        ("parties.0.delegator_namespaces", [""], "parties.0.delegator_namespaces.0"),
        ("parties.0.delegator_namespaces", "user:", "parties.0.delegator_namespaces"),
        ("parties.1.categories", [1], "parties.1.categories.0"),
        ("parties.0.keys", {}, "parties.0.keys"),
        ("parties.0.email", "a@example", "parties.0.email"),
        ("parties.1.keys.1.jwk", "text", "parties.1.keys.1.jwk"),
        ("parties.1.keys.1.jwk.d", "AAAA", "parties.1.keys.1.jwk"),
        ("parties.1.keys.1.jwk.x", "AA=", "parties.1.keys.1.jwk.x"),
        ("parties.1.keys.1.jwk.x", "AA", "parties.1.keys.1.jwk.x"),
        ("parties.1.keys.1.jwk.x", "AQ" + "A" * 41, "parties.1.keys.1.jwk"),  # a point of small order
        ("parties.1.keys.1.jwk.kty", "RSA", "parties.1.keys.1.jwk"),
        ("parties.1.keys.1.kid", "", "parties.1.keys.1.kid"),
        ("parties.1.keys.1.kid", "k" * 257, "parties.1.keys.1.kid"),
        ("parties.1.keys.1.kid", 7, "parties.1.keys.1.kid"),
        ("parties.0.ledger", "", "parties.0.ledger"),
        ("parties.1.keys.1.not_before", ABSENT, "parties.1.keys.1.not_before"),
        ("parties.1.keys.1.not_before", "yesterday", "parties.1.keys.1.not_before"),
        ("parties.1.keys.1.not_before", "1969-12-31T23:59:59Z", "parties.1.keys.1.not_before"),
        ("parties.1.keys.1.not_after", ABSENT, "parties.1.keys.1.not_after"),
        ("parties.1.keys.1.not_after", "2027-01-01T00:00:00+00:00", "parties.1.keys.1.not_after"),
        ("parties.1.keys.1.not_after", START, "parties.1.keys.1.not_after"),
        ("parties.1.keys.1.compromised_at", "2026-02-30T00:00:00Z", "parties.1.keys.1.compromised_at"),
        ("parties.1.keys.1.compromised_at", 0, "parties.1.keys.1.compromised_at"),
        ("parties.1.keys.1.compromised_at", None, "parties.1.keys.1.compromised_at"),
        ("parties.1.keys.1.kid", None, "parties.1.keys.1.kid"),
        ("parties.0.ledger", None, "parties.0.ledger"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(place: str, value: object, where: str) -> None:
    with pytest.raises(InvalidCall) as caught:
        parse_parties(_changed({place: value}))
    assert (caught.value.code, caught.value.where) == ("parties_invalid", where)
    assert caught.value.facts["reason"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"version":1,"version":1}',
        b'{"version":1.5}',
        b"[" * 100,
        _bytes(_document()) + b"x",
        b"\xef\xbb\xbf" + _bytes(_document()),
    ],
)
def test_what_is_no_document_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidCall) as caught:
        parse_parties(data)
    assert caught.value.code == "parties_invalid"


def test_a_party_and_a_key_stand_once() -> None:
    twice = _document()
    twice["parties"].append({"id": WALLET, "name": "again", "roles": ["psp"], "keys": []})
    with pytest.raises(InvalidCall) as caught:
        parse_parties(_bytes(twice))
    assert (caught.value.code, caught.value.where) == ("parties_invalid", "parties")

    shared = _document()
    shared["parties"][2]["keys"] = copy.deepcopy(shared["parties"][0]["keys"])
    with pytest.raises(InvalidCall) as caught:
        parse_parties(_bytes(shared))
    assert (caught.value.code, caught.value.where) == ("parties_invalid", "keys")


# --- the file -----------------------------------------------------------------------------------------------------------


def test_a_file_is_read_once_and_again_on_reload(tmp_path: Path) -> None:
    path = tmp_path / "parties.json"
    path.write_bytes(_bytes(_document()))
    parties = PartiesFile(str(path))
    assert (parties.version, parties.expires_at) == (7, END_SECONDS)

    path.write_bytes(_changed({"version": 8, "parties.0.keys.0.not_after": "2026-02-01T00:00:00Z"}))
    assert _find(parties, WALLET, Role.ISSUER).party.id == WALLET  # nothing changes by itself

    parties.reload()
    assert parties.version == 8
    with refused("signer_unknown"):
        _find(parties, WALLET, Role.ISSUER)


def test_reloading_the_same_bytes_is_fine(tmp_path: Path) -> None:
    path = tmp_path / "parties.json"
    path.write_bytes(_bytes(_document()))
    parties = PartiesFile(path)
    parties.reload()
    assert parties.version == 7


@pytest.mark.parametrize(
    "changes, where",
    [
        ({"version": 6}, "version"),  # rolled back
        ({"parties.0.name": "Another"}, "version"),  # changed under the same version
        ({"version": 8, "parties.0.roles": ["root"]}, "parties.0.roles.0"),
    ],
)
def test_a_bad_reload_changes_nothing(tmp_path: Path, changes: dict[str, object], where: str) -> None:
    path = tmp_path / "parties.json"
    path.write_bytes(_bytes(_document()))
    parties = PartiesFile(path)
    path.write_bytes(_changed(changes))
    with pytest.raises(InvalidCall) as caught:
        parties.reload()
    assert (caught.value.code, caught.value.where) == ("parties_invalid", where)
    assert parties.version == 7
    assert _find(parties, WALLET, Role.ISSUER).party.name == "A wallet"


def test_a_vanished_file_keeps_what_was_read(tmp_path: Path) -> None:
    path = tmp_path / "parties.json"
    path.write_bytes(_bytes(_document()))
    parties = PartiesFile(path)
    path.unlink()
    with pytest.raises(StoreFault) as caught:
        parties.reload()
    assert (caught.value.code, caught.value.where) == ("file_unreadable", str(path))
    assert _find(parties, WALLET, Role.ISSUER).party.id == WALLET


@pytest.mark.parametrize("make", ["missing", "folder"])
def test_an_unreadable_file_is_a_store_fault(tmp_path: Path, make: str) -> None:
    path = tmp_path / "parties.json"
    if make == "folder":
        path.mkdir()
    with pytest.raises(StoreFault) as caught:
        PartiesFile(path)
    assert (caught.value.code, caught.value.where) == ("file_unreadable", str(path))


def test_a_file_beyond_the_limit_is_refused_without_being_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("act.parties.MAX_FILE_BYTES", 100)
    path = tmp_path / "parties.json"
    path.write_bytes(_bytes(_document()))
    with pytest.raises(InvalidCall) as caught:
        PartiesFile(path)
    assert caught.value.code == "parties_invalid"


def test_a_file_full_of_faults_costs_no_more_than_reading_it() -> None:
    faulty = json.dumps({"format": "act1-parties", "version": 1, "expires": "2027-01-01T00:00:00Z", "parties": [0] * 300_000})
    with pytest.raises(InvalidCall) as caught:
        parse_parties(faulty.encode())
    assert caught.value.where.startswith("parties")


# --- what JOSE objects need ---------------------------------------------------------------------------------------------


def test_a_key_is_found_by_its_alias_as_by_its_thumbprint() -> None:
    parties = parse_parties(_changed({"parties.0.keys.0.kid": "did:example:wallet#1", "parties.0.ledger": PSP}))
    found = parties.find(b"did:example:wallet#1", Role.ISSUER, NOW_SECONDS)
    assert found == _find(parties, WALLET, Role.ISSUER)
    assert (found.alias, found.party.ledger) == (b"did:example:wallet#1", PSP)
    with refused("signer_unknown"):
        parties.find(b"did:example:wallet#1", Role.ISSUER, END_SECONDS)
    with refused("signer_unknown"):
        parse_parties(_bytes(_document())).find(b"did:example:wallet#1", Role.ISSUER, NOW_SECONDS)


def test_an_alias_that_looks_like_a_thumbprint_is_kept_as_its_bytes() -> None:
    """RFC 7638's thumbprints have the same 43 characters."""
    foreign = bytes(range(32))
    parties = parse_parties(_changed({"parties.0.keys.0.kid": base64url_encode(foreign)}))
    assert parties.find(foreign, Role.ISSUER, NOW_SECONDS).party.id == WALLET


@pytest.mark.parametrize("taken", ["k", base64url_encode(key(SHOP).kid)])
def test_no_two_keys_share_a_name(taken: str) -> None:
    changes: dict[str, object] = {"parties.0.keys.0.kid": taken, "parties.1.keys.1.kid": "k"}
    with pytest.raises(InvalidCall) as caught:
        parse_parties(_changed(changes))
    assert (caught.value.code, caught.value.where) == ("parties_invalid", "keys")


def test_only_who_signs_mandates_names_a_ledger() -> None:
    with pytest.raises(InvalidCall) as caught:
        parse_parties(_changed({"parties.1.ledger": PSP}))
    assert caught.value.where == "parties.1.ledger"

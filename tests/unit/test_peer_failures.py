"""What went wrong in other implementations of agents' payments, done to ours: each is refused with its own code, in both
envelopes, and the ledger does not move."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import act
from act.calendar import iso
from act.envelope.objects import open_object
from act.wire import cbor, json
from act.wire.base64url import base64url_decode, base64url_encode
from tests.support.world import (
    ABSENT,
    AGENT,
    END_SECONDS,
    OTHER_SHOP,
    SHOP,
    SUB_AGENT,
    SUB_SUB_AGENT,
    WALLET,
    World,
    key,
    nothing_moves,
    refused,
    reseal,
    resign,
    snapshot,
    spent,
)

AGENTS: Final = (AGENT, SUB_AGENT, SUB_SUB_AGENT)
IDS: Final = tuple(UUID(int=0xAC7 + place, version=4) for place in range(3))
"""The agent and the delegation_id of a mandate, of a link below it and of a link below that."""

COMMERCE: Final = "act.ext.commerce"
DEPTH: Final = "act.ext.delegation"
Changes = dict[str, Any]
Forge = Callable[[bytes, act.KeyPair], bytes]


@pytest.fixture(params=["cose", "jose"])
def world(request: pytest.FixtureRequest) -> World:
    return World(format=request.param)


# --- objects with one thing wrong ---------------------------------------------------------------------------------------


def _in_envelope(world: World, changes: Changes) -> Changes:
    """Changes to a mandate's claims, under the names and in the forms that the world's envelope has for them."""
    if world.format == "cose":
        return changes
    written: Changes = {}
    for path, value in changes.items():
        if path in ("nbf", "exp"):
            written[path] = value
            if value is not ABSENT:
                written[f"credentialSubject.validity_{'start' if path == 'nbf' else 'end'}_time"] = iso(value)
        else:
            is_amount = path.endswith("_amount") and type(value) is str
            written[path.replace("act.", "credentialSubject.", 1)] = Decimal(value) if is_amount else value
    return written


def _root(world: World, changes: Changes | None = None, **fields: Any) -> bytes:
    """A mandate that allows two links, with changes to its claims, signed by the wallet."""
    minted = world.mint(delegation_id=IDS[0].urn, **fields)
    return reseal(minted, key(WALLET), _in_envelope(world, {DEPTH: {"max_depth": 2}} | (changes or {})))


def _chain(world: World, *links: Changes, root: bytes | None = None) -> list[bytes]:
    """A mandate and links below it, each with changes to its claims, signed by whom its parent names."""
    genuine = [_root(world)]
    chain = [root or genuine[0]]
    for place, changes in enumerate(links, 1):
        below: Changes = {"ext": {"delegation": {"max_depth": 1}}} if place == 1 else {}
        genuine.append(world.link(genuine, AGENTS[place], delegation_id=IDS[place].urn, **below))
        bound = {"act.parent": _digest(world, chain[-1])} | changes
        chain.append(reseal(genuine[-1], key(AGENTS[place - 1]), bound))
    return chain


def _digest(world: World, data: bytes) -> bytes | str:
    """The identity of an object as the world's envelope writes it; also of what no reader takes."""
    if data.startswith(b"e"):
        covered = data.rpartition(b".")[0]
    else:
        protected, payload, _ = cbor.decode_sign1(data)
        covered = cbor.sig_structure(protected, payload)
    identity = sha256(covered).digest()
    return identity if world.format == "cose" else base64url_encode(identity)


def _paid(world: World, *chain: bytes, order: bytes | None = None, request: Changes | None = None) -> act.Payment:
    """A payment under these credentials by the last one's agent, whose request names them: nothing else is wrong with it."""
    payer, delegation = AGENTS[len(chain) - 1], IDS[len(chain) - 1]
    genuine = world.payment(iac=world.mint())
    order = order or world.order(agent_id=payer)
    named = {
        "iss": payer,
        "act.delegation_id": delegation.bytes if world.format == "cose" else delegation.urn,
        "act.credential": _digest(world, chain[-1]),
        "act.order": _digest(world, order),
        "act.order_no": open_object(order).claims["act"]["order_no"],
    }
    return act.Payment(reseal(genuine.request, key(payer), named | (request or {})), chain, order)


def _refuse(world: World, tmp_path: Path, payment: act.Payment, code: str, where: str) -> None:
    """The payment is refused with this code at this place, as an object and as bytes, and the ledger does not move."""
    path = tmp_path / "ledger.db"
    service = world.service(path)
    for each in (payment, payment.to_bytes()):
        with nothing_moves(path), refused(code, where) as caught:
            service.authorize(each)
        assert caught.value.receipt is None
    assert not any(snapshot(path)[table] for table in ("charge", "counter", "mandate"))


def test_what_these_tests_change_is_right_before(world: World, tmp_path: Path) -> None:
    """Otherwise they would refuse for nothing: unchanged, every length of chain pays."""
    service = world.service(tmp_path / "ledger.db")
    unchanged: Changes = {}
    for count in range(3):
        assert service.authorize(_paid(world, *_chain(world, *[unchanged] * count))).amount.minor == 1_800


# --- budgets ------------------------------------------------------------------------------------------------------------


def _budget(world: World, total: Any, currency: str) -> bytes:
    return world.mint(max_total_amount=total, currency=currency, commerce={"max_single_amount": ABSENT})


@pytest.mark.parametrize(
    "total, currency, exactly, minor, above",
    [
        ("19.99", "CNY", "19.99", 1_999, ["20.00", "1999.00"]),
        (Decimal("19.99"), "CNY", "19.99", 1_999, ["20.00", "1999.00"]),
        ("1000", "JPY", "1000", 1_000, ["1001", "100000"]),
        (1_000, "JPY", "1000", 1_000, ["1001", "100000"]),
    ],
)
def test_a_budget_lets_exactly_itself_through(
    world: World, tmp_path: Path, total: Any, currency: str, exactly: str, minor: int, above: list[str]
) -> None:
    """Peers keep amounts as floats, or take two decimals for granted: 19.99 becomes 20, 1,000 yen become 100,000."""
    path, iac = tmp_path / "ledger.db", _budget(world, total, currency)
    service = world.service(path)
    for amount in above:
        dear = world.payment(iac=iac, order=world.order(amount, currency=currency))
        with nothing_moves(path), refused("total_limit_exceeded", "max_total_amount"):
            service.authorize(dear)
    service.authorize(world.payment(iac=iac, order=world.order(exactly, currency=currency)))
    assert spent(service, iac) == (minor, 0)
    least = "1" if currency == "JPY" else "0.01"
    with refused("total_limit_exceeded", "max_total_amount") as caught:
        service.authorize(world.payment(iac=iac, order=world.order(least, currency=currency)))
    assert caught.value.facts["left_minor"] == 0
    assert spent(service, iac) == (minor, 0)


@pytest.mark.parametrize("amount", ["0.00", "-0.01", "-18.00"])
@pytest.mark.parametrize("part", ["mandate", "link", "order", "item", "request"])
def test_nothing_and_less_than_nothing_are_no_amounts(world: World, tmp_path: Path, part: str, amount: str) -> None:
    """A negative payment adds to a budget; a negative budget is below every other, so that every link narrows to it."""
    chain, order, request = _chain(world), None, None
    where = {
        "mandate": "mandate.act.max_total_amount",
        "link": "link.act.max_total_amount",
        "order": "order.act.amount",
        "item": "order.act.items.0.unit_amount",
        "request": "request.act.amount",
    }
    if part == "mandate":
        chain = [_root(world, {"act.max_total_amount": amount})]
    elif part == "link":
        chain = _chain(world, {"act.max_total_amount": amount})
    elif part == "request":
        request = {"act.amount": amount}
    else:
        order = world.order(changes={"act.amount" if part == "order" else "act.items.0.unit_amount": amount})
    _refuse(world, tmp_path, _paid(world, *chain, order=order, request=request), "amount_invalid", where[part])


# --- allow-lists that are not there -------------------------------------------------------------------------------------


def _withheld(world: World) -> dict[str, tuple[Changes, str, str]]:
    """An allow-list that was replaced by something that stands for it, as selective disclosure does."""
    path = f"{COMMERCE}.allowed_merchants"
    digest = sha256(b'["salt","allowed_merchants",["teashop.example"]]').digest()
    text = base64url_encode(digest)
    return {
        "by a digest": ({path: digest if world.format == "cose" else text}, "claim_invalid", f"mandate.{path}"),
        "by a list of digests": ({path: {"_sd": [text]}}, "claim_invalid", f"mandate.{path}"),
        "by an entry that is one": ({path: [{"...": text}]}, "claim_invalid", f"mandate.{path}"),
        "by an empty list": ({path: []}, "claim_invalid", f"mandate.{path}"),
        "beside its place": ({path: ABSENT, f"{COMMERCE}._sd": [text]}, "constraint_unknown", f"mandate.{COMMERCE}._sd"),
        "with its block": ({COMMERCE: ABSENT, "act.ext._sd": [text]}, "extension_unknown", "mandate.act.ext._sd"),
    }


@pytest.mark.parametrize("how", _withheld(World()))
def test_a_withheld_allow_list_is_no_permission(world: World, tmp_path: Path, how: str) -> None:
    """The peers' verifier judged what it was shown: an agent shows everything but the list."""
    changes, code, where = _withheld(world)[how]
    _refuse(world, tmp_path, _paid(world, _root(world, changes)), code, where)


@pytest.mark.parametrize("changes", [{f"{COMMERCE}.allowed_merchants": ABSENT}, {COMMERCE: ABSENT}])
def test_an_allow_list_left_out_of_what_is_presented(world: World, tmp_path: Path, changes: Changes) -> None:
    """What is signed is presented whole: the issuer's signature does not hold over less."""
    quota = {"act.ext.quota": {"times_limit": 5}}  # so that the rest has a bound
    signed = _root(world, quota)
    shown = resign(reseal(signed, key(WALLET), _in_envelope(world, changes)), open_object(signed).signature)
    _refuse(world, tmp_path, _paid(world, shown), "credential_signature_invalid", "mandate")


def test_a_disclosure_behind_a_token_is_no_part_of_it(tmp_path: Path) -> None:
    world = World(format="jose")
    disclosed = world.mint() + b"~" + base64url_encode(b'["salt","allowed_merchants",["evil.example"]]').encode() + b"~"
    payment = world.payment()
    _refuse(world, tmp_path, act.Payment(payment.request, (disclosed,), payment.order), "base64url_invalid", "mandate")


@pytest.mark.parametrize(
    "mode, code", [("SPECIFIED", "goal_missing"), (ABSENT, "goal_missing"), ("BOUNDED", "bounds_missing")], ids=str
)
def test_an_absent_allow_list_is_not_anything_at_all(world: World, tmp_path: Path, mode: object, code: str) -> None:
    mandate = _root(world, {COMMERCE: ABSENT, "act.delegation_mode": mode})
    _refuse(world, tmp_path, _paid(world, mandate), code, "mandate.act.delegation_mode")


# --- windows ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("claims", [["nbf"], ["exp"], ["exp", "nbf"]], ids="+".join)
@pytest.mark.parametrize("part", ["mandate", "link"])
def test_a_window_that_is_left_out_is_not_always(world: World, tmp_path: Path, part: str, claims: list[str]) -> None:
    without: Changes = dict.fromkeys(claims, ABSENT)
    chain = [_root(world, without)] if part == "mandate" else _chain(world, without)
    _refuse(world, tmp_path, _paid(world, *chain), "claim_missing", f"{part}.{claims[0]}")


def test_a_vc_jwt_says_its_window_twice(tmp_path: Path) -> None:
    world = World(format="jose")
    for name in ("validity_end_time", "validity_start_time"):
        where = f"credentialSubject.{name}"
        iac = reseal(world.mint(delegation_id=IDS[0].urn), key(WALLET), {where: ABSENT})
        _refuse(world, tmp_path, _paid(world, iac), "claim_missing", f"mandate.{where}")


def test_an_expiry_in_2090_is_above_the_policy(world: World, tmp_path: Path) -> None:
    root = _root(world, validity_end_time="2090-01-01T00:00:00Z")
    place = "mandate.validity_end_time"
    _refuse(world, tmp_path, _paid(world, root), "credential_lifetime_too_long", place)
    _refuse(world, tmp_path, _paid(world, *_chain(world, {}, root=root)), "credential_lifetime_too_long", place)


@pytest.mark.parametrize("end", [END_SECONDS + 1, 3_786_912_000], ids=["a second", "until 2090"])
def test_a_link_does_not_outlive_its_parent(world: World, tmp_path: Path, end: int) -> None:
    _refuse(world, tmp_path, _paid(world, *_chain(world, {"exp": end})), "link_outlives_parent", "link.1.validity")


def test_a_link_does_not_outlive_the_link_above_it(world: World, tmp_path: Path) -> None:
    """Within the mandate's window, and still longer than its own parent."""
    chain = _chain(world, {"exp": END_SECONDS - 60}, {"exp": END_SECONDS - 59})
    _refuse(world, tmp_path, _paid(world, *chain), "link_outlives_parent", "link.2.validity")


# --- chains -------------------------------------------------------------------------------------------------------------


def test_a_link_below_a_mandate_that_allows_none(world: World, tmp_path: Path) -> None:
    chain = _chain(world, {}, root=world.mint(delegation_id=IDS[0].urn))
    _refuse(world, tmp_path, _paid(world, *chain), "delegation_not_allowed", "link.1.ext.delegation.max_depth")


@pytest.mark.parametrize("last", [{}, {"act.max_total_amount": "10.00"}], ids=["inherits", "narrows again"])
def test_a_middle_link_that_widens(world: World, tmp_path: Path, last: Changes) -> None:
    """Peers compare the last link with the mandate, and forget what stands between them."""
    chain = _chain(world, {"act.max_total_amount": "200.01"}, last)
    _refuse(world, tmp_path, _paid(world, *chain), "link_widens", "link.1.max_total_amount")


def test_a_last_link_wider_than_the_middle(world: World, tmp_path: Path) -> None:
    chain = _chain(world, {"act.max_total_amount": "10.00"}, {"act.max_total_amount": "20.00"})
    _refuse(world, tmp_path, _paid(world, *chain), "link_widens", "link.2.max_total_amount")


# --- signatures ---------------------------------------------------------------------------------------------------------


def _unsecured(data: bytes, signer: act.KeyPair) -> bytes:
    """`alg: none` and no signature; in COSE, which has no such algorithm, its name as text."""
    return _rewritten(data, "none", "none", lambda covered: b"")


def _rewritten(data: bytes, jose: str, cose: object, sign: Callable[[bytes], bytes]) -> bytes:
    """The object under a header that names another algorithm."""
    if data.startswith(b"e"):
        head, payload, _ = data.split(b".")
        members = json.decode(base64url_decode(head.decode()))
        assert isinstance(members, dict)
        named = base64url_encode(json.canonicalize(members | {"alg": jose})).encode()
        covered = named + b"." + payload
        return covered + b"." + base64url_encode(sign(covered)).encode()
    protected, payload, _ = cbor.decode_sign1(data)
    fields = cbor.decode(protected)
    assert isinstance(fields, dict)
    header = cbor.encode({**fields, 1: cose})
    return cbor.encode_sign1(header, payload, sign(cbor.sig_structure(header, payload)))


def _raw(signer: act.KeyPair) -> bytes:
    return signer.public_key.raw


def _pem(signer: act.KeyPair) -> bytes:
    public = Ed25519PublicKey.from_public_bytes(signer.public_key.raw)
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _jwk(signer: act.KeyPair) -> bytes:
    return json.canonicalize(dict(signer.public_key.to_jwk()))


def _keyed_with(secret: Callable[[act.KeyPair], bytes]) -> Forge:
    """HS256 (COSE: HMAC 256/256), its secret being what everybody knows: the public key."""

    def forge(data: bytes, signer: act.KeyPair) -> bytes:
        return _rewritten(data, "HS256", 5, lambda covered: hmac.digest(secret(signer), covered, "sha256"))

    return forge


FORGERIES: Final[dict[str, Forge]] = {
    "none": _unsecured,
    "HMAC of the key's bytes": _keyed_with(_raw),
    "HMAC of the PEM": _keyed_with(_pem),
    "HMAC of the JWK": _keyed_with(_jwk),
}


@pytest.mark.parametrize("forgery", FORGERIES)
@pytest.mark.parametrize("part", ["mandate", "link", "order", "request"])
def test_a_token_does_not_say_how_it_is_verified(world: World, tmp_path: Path, part: str, forgery: str) -> None:
    forge, chain = FORGERIES[forgery], _chain(world, {})
    order = world.order(agent_id=SUB_AGENT)
    if part == "mandate":
        chain = _chain(world, {}, root=forge(chain[0], key(WALLET)))
    elif part == "link":
        chain[1] = forge(chain[1], key(AGENT))
    payment = _paid(world, *chain, order=order)
    if part == "order":
        payment = act.Payment(payment.request, payment.chain, forge(order, key(SHOP)))
    elif part == "request":
        payment = act.Payment(forge(payment.request, key(SUB_AGENT)), payment.chain, payment.order)
    _refuse(world, tmp_path, payment, "algorithm_not_allowed", f"{part}.protected.alg")


# --- what is unknown, null or of another type ----------------------------------------------------------------------------


SINGLE: Final = f"{COMMERCE}.max_single_amount"
UNREADABLE: Final[dict[str, tuple[Changes, str, str]]] = {
    "unknown constraint": ({f"{COMMERCE}.max_daily_amount": "9.00"}, "constraint_unknown", f"{COMMERCE}.max_daily_amount"),
    "unknown block": ({"act.ext.magic": {"times": 3}}, "extension_unknown", "act.ext.magic"),
    "wrong type of a list": ({f"{COMMERCE}.allowed_merchants": SHOP}, "claim_invalid", f"{COMMERCE}.allowed_merchants"),
    "wrong type of an amount": ({SINGLE: [30]}, "amount_invalid", SINGLE),
}


def _link_with(changes: Changes) -> Changes:
    """The same for a link, which has no block to change yet."""
    ((path, value),) = changes.items()
    _, _, *rest = path.split(".")
    return {"act.ext": {rest[0]: {rest[1]: value}} if len(rest) == 2 else {rest[0]: value}}


@pytest.mark.parametrize("fault", UNREADABLE)
@pytest.mark.parametrize("part", ["mandate", "link"])
def test_what_cannot_be_read_is_refused_and_never_ignored(world: World, tmp_path: Path, part: str, fault: str) -> None:
    changes, code, where = UNREADABLE[fault]
    chain = [_root(world, changes)] if part == "mandate" else _chain(world, _link_with(changes))
    _refuse(world, tmp_path, _paid(world, *chain), code, f"{part}.{where}")


@pytest.mark.parametrize("part", ["mandate", "link"])
def test_null_is_not_absent(world: World, tmp_path: Path, part: str) -> None:
    """Peers read a limit that is null as no limit."""
    stated: Changes = {SINGLE: "29.97"}
    if part == "mandate":
        data, signer = _root(world, stated), key(WALLET)
    else:
        data, signer = _chain(world, _link_with(stated))[1], key(AGENT)
    subject = "credentialSubject" if (world.format, part) == ("jose", "mandate") else "act"
    if world.format == "jose":
        nulled = reseal(data, signer, {f"{subject}.ext.commerce.max_single_amount": None})
    else:  # no encoder of ours writes a null
        protected, payload, _ = cbor.decode_sign1(data)
        assert payload.count(b"\x6529.97") == 1
        payload = payload.replace(b"\x6529.97", b"\xf6")
        nulled = cbor.encode_sign1(protected, payload, signer.sign(cbor.sig_structure(protected, payload)))
    chain = [nulled] if part == "mandate" else [*_chain(world), nulled]
    _refuse(world, tmp_path, _paid(world, *chain), "claim_null", f"{part}.{subject}.ext.commerce.max_single_amount")


WIDER: Final[dict[str, tuple[Changes, str, str]]] = {
    "wider": ({"act.ext": {"commerce": {"max_single_amount": "30.01"}}}, "link_widens", "ext.commerce.max_single_amount"),
    "a new merchant": (
        {"act.ext": {"commerce": {"allowed_merchants": [SHOP, OTHER_SHOP, "evil.example"]}}},
        "link_payee_added",
        "ext.commerce.allowed_merchants",
    ),
    "a later expiry": ({"exp": END_SECONDS + 1}, "link_outlives_parent", "validity"),
}


@pytest.mark.parametrize("fault", WIDER)
def test_a_child_has_no_more_than_its_parent(world: World, tmp_path: Path, fault: str) -> None:
    changes, code, where = WIDER[fault]
    _refuse(world, tmp_path, _paid(world, *_chain(world, changes)), code, f"link.1.{where}")


def test_each_of_these_has_its_own_code() -> None:
    codes = [code for _, code, _ in (*UNREADABLE.values(), *WIDER.values())]
    assert len(codes) == len(set(codes)) == len(UNREADABLE) + len(WIDER)
    assert "claim_null" not in codes


Envelope = Literal["cose", "jose"]


@pytest.mark.parametrize("outer, inner", [("cose", "jose"), ("jose", "cose")])
def test_a_chain_is_of_one_envelope(tmp_path: Path, outer: Envelope, inner: Envelope) -> None:
    world, other = World(format=outer), World(format=inner)
    root = _root(world)
    link = _chain(other, {"act.parent": _digest(other, root)})[1]
    payment = _paid(world, root, link)
    _refuse(world, tmp_path, payment, "envelope_mixed", "link.1")

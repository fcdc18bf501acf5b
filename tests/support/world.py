"""A small world to pay in: fixed keys, a settable clock, parties, and makers of mandates, orders and payments.

    world = World()                            # one per test: parties, a clock at NOW, counters for ids
    iac = world.mint()                         # a BOUNDED mandate: CNY 200.00, at most 30.00 a payment, two shops, tea
    iac = world.mint(max_total_amount="50.00", commerce={"max_single_amount": ABSENT}, holder=key("other").public_key)
    order = world.order("18.00")               # SHOP's order for AGENT and PRINCIPAL, a new order_no each time
    payment = world.payment(iac=iac, order=order)   # signed by the agent; both parts default to new ones
    service = world.service(tmp_path / "ledger.db") # a PaymentService on SQLite, with the world's parties and clock
    world.clock.advance(61)                    # seconds; world.clock.set(seconds_or_datetime)

Everything can be made wrong: `reseal(data, signer, {"act.amount": "1.00", "exp": ABSENT}, kind=..., header=...)` changes claims
by their dotted path (list entries by number) and signs again; `twin(data)` is the other valid ES256 signature of an object.
`refused(code, where)` is `pytest.raises` for exactly that `Refused`; `snapshot(path)` is every row of every table of a ledger.

`World(format="jose")` makes all of it as compact JWS, and `format=` of a maker one object.

Ids, keys and instants are the same in every run. `key(name, alg)` is the key pair of that name, always the same one.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal
from uuid import UUID

import pytest

import act
from act.envelope.kinds import Kind
from act.envelope.objects import Format, open_object
from act.keys import PublicKey, Signer
from act.parties import EnrolledKey, PartiesTable, Party, Role
from act.payment.verifier import ReservationRequest
from act.wire import cbor, json
from act.wire.base64url import base64url_decode, base64url_encode
from tests.support.places import FilePlace, Place, Rows

NOW: Final = datetime(2026, 2, 6, 9, 0, tzinfo=UTC)
NOW_SECONDS: Final = 1_770_368_400
START_SECONDS, END_SECONDS = NOW_SECONDS - 3_600, NOW_SECONDS + 15 * 3_600
"""The window of the default mandate: 2026-02-06T08:00:00Z to 2026-02-07T00:00:00Z."""

FAR_SECONDS: Final = 4_102_444_800  # 2100-01-01T00:00:00Z
P256_ORDER: Final = 0xFFFFFFFF_00000000_FFFFFFFF_FFFFFFFF_BCE6FAAD_A7179E84_F3B9CAC2_FC632551

WALLET, OTHER_WALLET = "wallet.example", "bank.example"
SHOP, OTHER_SHOP = "teashop.example", "cha.example"
PSP, OTHER_PSP = "psp-1", "psp-2"
PRINCIPAL, OTHER_PRINCIPAL = "user:lin", "user:wu"
AGENT, OTHER_AGENT = "agent:tea-runner", "agent:errand-boy"
SUB_AGENT, SUB_SUB_AGENT = "agent:courier", "agent:courier-2"


class Absent:
    """Stands for a claim or field that is to be left out."""

    def __repr__(self) -> str:
        return "ABSENT"  # test ids are made of it, and have to be the same in every process


ABSENT: Final = Absent()


class SettableClock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self, start: datetime = NOW) -> None:
        self.now = start

    def __call__(self) -> datetime:
        return self.now

    def set(self, at: datetime | int) -> None:
        """Goes to an instant, given as a datetime or in seconds since 1970."""
        self.now = moment(at)

    def advance(self, seconds: int) -> None:
        """Goes ahead, or back."""
        self.now += timedelta(seconds=seconds)


def moment(at: datetime | int) -> datetime:
    """An aware datetime from seconds since 1970."""
    return datetime.fromtimestamp(at, UTC) if isinstance(at, int) else at


@cache
def key(name: str, alg: str = "Ed25519") -> act.KeyPair:
    """The fixed key pair of that name."""
    return act.KeyPair.unsafe_from_seed(sha256(f"test key {name}".encode()).digest(), alg)


def enrolled(
    party_id: str,
    role: Role,
    *,
    key_pair: act.KeyPair | None = None,
    namespaces: Sequence[str] = (),
    categories: Sequence[str] = (),
    not_before: int = 0,
    not_after: int = FAR_SECONDS,
    compromised_at: int | None = None,
) -> EnrolledKey:
    """A party of one role with one key, by default the key of its name."""
    party = Party(party_id, party_id, (role,), tuple(namespaces), frozenset(categories))
    return EnrolledKey(party, (key_pair or key(party_id)).public_key, not_before, not_after, compromised_at)


@cache
def default_keys() -> tuple[EnrolledKey, ...]:
    """Two wallets, two tea shops, two payment services."""
    return (
        enrolled(WALLET, Role.ISSUER, namespaces=["user:"]),
        enrolled(OTHER_WALLET, Role.ISSUER, namespaces=["client:"]),
        enrolled(SHOP, Role.PAYEE, categories=["tea"]),
        enrolled(OTHER_SHOP, Role.PAYEE, categories=["tea"]),
        enrolled(PSP, Role.PSP),
        enrolled(OTHER_PSP, Role.PSP),
    )


class MutableParties:
    """Parties whose contents, version and expiry a test replaces while a service uses them."""

    def __init__(self, keys: Sequence[EnrolledKey] | None = None, *, version: int = 1, expires_at: int = FAR_SECONDS) -> None:
        self.version = version
        self.expires_at = expires_at
        self.keys = {each.public_key.kid: each for each in (default_keys() if keys is None else keys)}

    def find(self, kid: bytes, role: Role, at: int) -> EnrolledKey:
        """See `act.Parties.find`."""
        return PartiesTable(self.keys.values()).find(kid, role, at)

    def change(self, party_id: str, *, new_version: bool = True, **changes: Any) -> None:
        """Changes the one key of a party: not_before, not_after, compromised_at, or party=..."""
        for kid, each in self.keys.items():
            if each.party.id == party_id:
                self.keys[kid] = replace(each, **changes)
        self.version += new_version

    def add(self, *keys: EnrolledKey) -> None:
        """Enrols more keys, or takes the place of those that are there."""
        self.keys |= {each.public_key.kid: each for each in keys}
        self.version += 1

    def remove(self, party_id: str) -> None:
        """Takes a party's keys away."""
        self.keys = {kid: each for kid, each in self.keys.items() if each.party.id != party_id}
        self.version += 1


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an order; the unit amount as text."""

    unit_amount: str
    quantity: int = 1
    category: str = "tea"
    sku: str = "milk-tea-l"
    name: str = "Milk tea, large"


class World:
    """See the module. Every maker takes overrides; what is left out is right."""

    def __init__(self, parties: Any = None, *, alg: str = "Ed25519", format: Literal["cose", "jose"] = "cose") -> None:
        self.format: Literal["cose", "jose"] = format
        self.clock = SettableClock()
        self.parties: Any = MutableParties() if parties is None else parties
        self.agent = key(AGENT, alg)
        self._drawn = 0

    def number(self) -> int:
        """Another number each time, the same ones in every run."""
        self._drawn += 1
        return self._drawn

    def document(self, *, commerce: Mapping[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
        """A mandate's JSON document; `commerce` changes entries of ext.commerce."""
        limits = {
            "max_single_amount": "30.00",
            "allowed_merchants": [SHOP, OTHER_SHOP],
            "allowed_categories": ["tea"],
        } | dict(commerce or {})
        whole = {
            "issuer": WALLET,
            "ledger": PSP,
            "delegator_identity": PRINCIPAL,
            "agent_id": AGENT,
            "intent_id": "intent-2026-02-06-tea",
            "delegation_id": UUID(int=self.number(), version=4).urn,
            "validity_start_time": "2026-02-06T08:00:00Z",
            "validity_end_time": "2026-02-07T00:00:00Z",
            "delegation_mode": "BOUNDED",
            "max_total_amount": "200.00",
            "currency": "CNY",
            "allowed_payment_methods": ["balance"],
            "user_confirmation_method": "passkey",
            "user_confirmation_timestamp": "2026-02-06T08:00:00Z",
            "ext": {"commerce": _present(limits)} if _present(limits) else ABSENT,
        } | fields
        return _present(whole)

    def mandate(self, *, commerce: Mapping[str, Any] | None = None, **fields: Any) -> act.Mandate:
        """A mandate that is not signed yet."""
        return act.Mandate.from_json(self.document(commerce=commerce, **fields))

    def mint(
        self,
        *,
        signer: Signer | None = None,
        holder: PublicKey | None = None,
        at: datetime | int | None = None,
        changes: Mapping[str, object] | None = None,
        commerce: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> bytes:
        """A credential; by default signed by the wallet, now. `changes` patches its claims before signing."""
        envelope = fields.pop("format", self.format)
        mandate = self.mandate(commerce=commerce, **fields)
        signer = signer or key(mandate.issuer)
        signed = act.mint(
            mandate,
            signer=signer,
            holder=holder or self.agent.public_key,
            at=self.clock() if at is None else moment(at),
            format=envelope,
        )
        return reseal(signed, signer, changes) if changes else signed

    def link(
        self,
        chain: Sequence[bytes],
        agent_id: str = SUB_AGENT,
        *,
        signer: Signer | None = None,
        holder: PublicKey | None = None,
        at: datetime | int | None = None,
        changes: Mapping[str, object] | None = None,
        **fields: Any,
    ) -> bytes:
        """A link below a chain for another agent, signed by the chain's agent, now; `fields` is what it narrows. `changes`
        patches its claims before signing, so that it can be as wrong as wanted."""
        signer = signer or key(agent_of(chain[-1]))
        signed = act.delegate(
            {"agent_id": agent_id} | fields,
            chain=chain,
            signer=signer,
            holder=holder or key(agent_id).public_key,
            at=self.clock() if at is None else moment(at),
        )
        return reseal(signed, signer, changes) if changes else signed

    def order(
        self,
        amount: str = "18.00",
        *,
        payee: str = SHOP,
        currency: str = "CNY",
        lines: Sequence[Line] | None = None,
        category: str = "tea",
        agent_id: str = AGENT,
        principal: str = PRINCIPAL,
        order_no: str | None = None,
        signer: Signer | None = None,
        at: datetime | int | None = None,
        lock_seconds: int = 900,
        changes: Mapping[str, object] | None = None,
        format: Literal["cose", "jose"] | None = None,
    ) -> bytes:
        """An order of one line or several, signed by its payee, now, locked for 15 minutes."""
        signed_at = self.clock() if at is None else moment(at)
        parse = act.Amount.parse
        items = tuple(
            act.Item(line.sku, line.name, line.category, line.quantity, parse(line.unit_amount, currency))
            for line in (lines or [Line(amount, category=category)])
        )
        number = order_no if order_no is not None else f"T-{self.number():04d}"
        expires_at = int((signed_at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)) + lock_seconds
        order = act.Order(payee, agent_id, principal, number, items, parse(amount, currency), expires_at)
        signer = signer or key(payee)
        signed = act.sign_order(order, signer=signer, at=signed_at, format=format or self.format)
        return reseal(signed, signer, changes) if changes else signed

    def payment(
        self,
        *,
        iac: bytes | None = None,
        chain: Sequence[bytes] | None = None,
        order: bytes | None = None,
        signer: Signer | None = None,
        audience: str = PSP,
        payment_method: str = "balance",
        request_id: bytes | None = None,
        lifetime_seconds: int = 120,
        at: datetime | int | None = None,
        changes: Mapping[str, object] | None = None,
        format: Literal["cose", "jose"] | None = None,
    ) -> act.Payment:
        """A payment signed by the agent (of a `chain`: the last one's), now; `changes` patches the request's claims before
        signing."""
        credentials = list(chain) if chain else [self.mint() if iac is None else iac]
        signer = signer or (key(agent_of(credentials[-1])) if chain else self.agent)
        payment = act.sign_payment(
            self.order(agent_id=agent_of(credentials[-1])) if order is None else order,
            chain=credentials,
            audience=audience,
            signer=signer,
            payment_method=payment_method,
            request_id=self.number().to_bytes(16) if request_id is None else request_id,
            lifetime_seconds=lifetime_seconds,
            at=self.clock() if at is None else moment(at),
            format=format,
        )
        return replace(payment, request=reseal(payment.request, signer, changes)) if changes else payment

    def service(self, path: Path, **overrides: Any) -> act.PaymentService:
        """The payment service PSP on a SQLite ledger at `path` (made if missing)."""
        settings: dict[str, Any] = {"parties": self.parties, "signer": key(PSP), "clock": self.clock} | overrides
        ledger_id, ledger = settings.pop("ledger_id", PSP), act.SqliteLedger(path)
        ledger.bind(ledger_id)  # so that every table a test compares is there from the start
        return act.PaymentService(ledger_id, ledger=ledger, **settings)

    def verify(self, payment: act.Payment | bytes, ledger: str = PSP) -> ReservationRequest:
        """The pure verifier's answer, now."""
        return act.verify_payment(payment, parties=self.parties, ledger=ledger, at=self.clock())

    def explain(self, payment: act.Payment | bytes, ledger: str = PSP) -> tuple[act.Refused, ...]:
        """Every finding, now."""
        return act.explain(payment, parties=self.parties, ledger=ledger, at=self.clock())


def agent_of(credential: bytes) -> str:
    """The agent a mandate or a link names."""
    return str(open_object(credential).claims["sub"])


def _present(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not ABSENT}


def claims_of(data: bytes) -> dict[str, Any]:
    """The claims of a signed object, to be changed at will."""
    return copy.deepcopy(open_object(data).claims)


def patch(claims: Mapping[str, Any], changes: Mapping[str, object]) -> dict[str, Any]:
    """A copy of claims with values set (or, for ABSENT, removed) at dotted paths; `act.items.0.sku` enters a list.

    A number names an entry of a list, or an integer key where the map has it: `cnf.1.-2` is a key's x.
    """
    patched: dict[str, Any] = copy.deepcopy(dict(claims))
    for path, value in changes.items():
        *parents, last = path.split(".")
        place: Any = patched
        for part in parents:
            place = place[_name(place, part)]
        if value is ABSENT:
            del place[_name(place, last)]
        else:
            place[_name(place, last)] = value
    return patched


def _name(place: Any, part: str) -> int | str:
    is_number = part.lstrip("-").isdigit()
    return int(part) if is_number and (isinstance(place, list) or int(part) in place) else part


_LABELS: Final = {
    "iss": 1,
    "sub": 2,
    "aud": 3,
    "exp": 4,
    "nbf": 5,
    "iat": 6,
    "cti": 7,
    "cnf": 8,
    "status": 65535,
    "act": -70001,
}


def seal_raw(protected: Mapping[Any, object], payload: object, signer: Signer) -> bytes:
    """A COSE_Sign1 over any header and payload whatever, with a good signature; claims are given by label."""
    header, body = cbor.encode(dict(protected)), cbor.encode(payload)
    return cbor.encode_sign1(header, body, signer.sign(cbor.sig_structure(header, body)))


def reseal(
    data: bytes,
    signer: Signer,
    changes: Mapping[str, object] | None = None,
    *,
    kind: Kind | None = None,
    header: Mapping[Any, object] | None = None,
) -> bytes:
    """The object with changed claims, signed again; `kind` changes its typ, `header` any protected header (ABSENT removes it).

    Of a compact JWS the JSON payload is changed, so its paths are JOSE's own. In COSE, a first part of a path that is no
    registered claim becomes a text label; so does a number written as text become a number.
    """
    opened = open_object(data)
    if opened.format is Format.JOSE:
        return _reseal_jws(data, signer, changes or {}, (kind or opened.kind).jose_typ, header or {})
    claims = patch(opened.claims, changes or {})
    payload = {_label(name): value for name, value in claims.items()}
    typ = (kind or opened.kind).cose_typ
    protected: dict[Any, Any] = {1: signer.alg.cose, 4: signer.kid, 16: typ} | dict(header or {})
    return seal_raw(_present(protected), payload, signer)


def seal_jws(protected: Mapping[str, object], payload: object, signer: Signer) -> bytes:
    """A compact JWS over any header and payload whatever that JSON can write, with a good signature."""
    texts = (json.canonicalize(dict(protected)), json.canonicalize(payload))
    covered = b".".join(base64url_encode(text).encode() for text in texts)
    return covered + b"." + base64url_encode(signer.sign(covered)).encode()


def payload_of(data: bytes) -> dict[str, Any]:
    """The JSON payload of a compact JWS, to be changed at will."""
    payload = json.decode(base64url_decode(data.split(b".")[1].decode()))
    assert isinstance(payload, dict)
    return payload


def _reseal_jws(data: bytes, signer: Signer, changes: Mapping[str, object], typ: str, header: Mapping[Any, object]) -> bytes:
    protected = {"alg": signer.alg.jose, "kid": base64url_encode(signer.kid), "typ": typ} | dict(header)
    return seal_jws(_present(protected), patch(payload_of(data), changes), signer)


def _label(name: str) -> int | str:
    if name in _LABELS:
        return _LABELS[name]
    return int(name) if name.lstrip("-").isdigit() else name


def identity_of(data: bytes) -> bytes:
    """SHA-256 of what was signed."""
    return open_object(data).identity


def resign(data: bytes, signature: bytes) -> bytes:
    """The same object with other signature bytes."""
    if data.startswith(b"e"):
        return data.rpartition(b".")[0] + b"." + base64url_encode(signature).encode()
    protected, payload, _ = cbor.decode_sign1(data)
    return cbor.encode_sign1(protected, payload, signature)


def twin(data: bytes) -> bytes:
    """The object with the other valid form of its ES256 signature: (r, n - s)."""
    signature = open_object(data).signature
    s = P256_ORDER - int.from_bytes(signature[32:])
    return resign(data, signature[:32] + s.to_bytes(32))


@contextmanager
def refused(code: str, where: str | None = None) -> Iterator[pytest.ExceptionInfo[act.Refused]]:
    """Expects exactly this refusal, and exactly this place unless `where` is None."""
    with pytest.raises(act.Refused) as caught:
        yield caught
    found = (caught.value.code, caught.value.where)
    assert found == (code, found[1] if where is None else where)


def snapshot(where: Path | Place) -> Rows:
    """Every row of every table of a ledger, in a fixed order."""
    return FilePlace(where).snapshot() if isinstance(where, Path) else where.snapshot()


def spent(service: act.PaymentService, iac: bytes) -> tuple[int, int]:
    """Held and captured minor units of a mandate's one limit, the total."""
    status = service.status(iac)
    assert status is not None
    (counter,) = status.counters
    return counter.held, counter.captured


def write_ledger(path: Path, statement: str) -> None:
    """Changes a ledger's rows behind its back."""
    FilePlace(path).write(statement)


@contextmanager
def nothing_moves(where: Path | Place) -> Iterator[None]:
    """Asserts that the ledger's rows are the same after the block as before it."""
    before = snapshot(where)
    yield
    assert snapshot(where) == before

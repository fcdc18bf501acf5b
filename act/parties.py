"""Who may sign as what, and when.

A verifier trusts no key because a token shows it. It asks `Parties.find(kid, role, at)`: which party has this key in force, in
this role, at that time? Ending a key (`not_after`) ends signing and leaves what was signed before valid, so keys rotate under
live mandates. Declaring it compromised (`compromised_at`) also ends what was signed before, except what a ledger had recorded
earlier: the time inside a token is the thief's word.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Literal, Protocol, TypeVar

from pydantic import FailFast, Field

from act.calendar import LATEST_INSTANT, parse_iso
from act.documents import Document, naming_faults
from act.envelope.claims import MAX_LIST, read_name, read_text
from act.envelope.jws import kid_of
from act.errors import InvalidCall, Refused, StoreFault
from act.keys import PublicKey, from_jwk
from act.wire import json

__all__ = ["EnrolledKey", "Parties", "PartiesFile", "PartiesTable", "Party", "Role"]

MAX_FILE_BYTES: Final = 16 * 1024 * 1024
"""A file with ten thousand parties is some 4 MB."""


MAX_MEMBERS: Final = 16
"""More than any object of the file has."""

MAX_PARTIES: Final = 20_000
"""What a file of that size can hold; and reading stops at the first fault, because a list of faults may outgrow the file."""


class Role(StrEnum):
    """What a key may sign as."""

    ISSUER = "issuer"  # mandates, for the delegators of its namespaces
    PRINCIPAL = "principal"  # mandates for itself alone
    PAYEE = "payee"  # orders
    PSP = "psp"  # receipts


@dataclass(frozen=True, slots=True)
class Party:
    """One party as the payment service knows it. `categories` is its merchant record: what it sells, whatever its orders
    say. `ledger` is the payment service that counts an issuer's mandates which name none (ACT 2.0's layout alone may)."""

    id: str
    name: str
    roles: tuple[Role, ...]
    delegator_namespaces: tuple[str, ...]
    categories: frozenset[str]
    ledger: str | None = None

    def may_speak_for(self, delegator_identity: str) -> bool:
        """Whether this issuer may sign mandates of that delegator (a namespace is a literal prefix, never a pattern)."""
        return delegator_identity.startswith(self.delegator_namespaces)


@dataclass(frozen=True, slots=True)
class EnrolledKey:
    """A party's key and when it is in force: `not_before <= at < not_after`, in seconds. `compromised_at` is None or an
    instant. `alias` is what JOSE headers of that party call the key instead of its thumbprint (`jws.kid_of`), or None."""

    party: Party
    public_key: PublicKey
    not_before: int
    not_after: int
    compromised_at: int | None
    alias: bytes | None = None


class Parties(Protocol):
    """What verification needs to know about the world. Answers must not change while `version` stays the same."""

    @property
    def version(self) -> int:
        """Grows with every change."""

    @property
    def expires_at(self) -> int:
        """From this instant on nothing may be decided with it (rule ACT-PAR-01)."""

    def find(self, kid: bytes, role: Role, at: int) -> EnrolledKey:
        """The party that may sign as `role` at instant `at` with the key of that thumbprint or alias.

        Raises `Refused` signer_unknown (ACT-PAR-02).
        """


class PartiesTable:
    """Parties held in memory."""

    def __init__(self, keys: Iterable[EnrolledKey], *, version: int = 1, expires_at: int = LATEST_INSTANT) -> None:
        self.version: Final = version
        self.expires_at: Final = expires_at
        enrolled = tuple(keys)
        self._keys: Final = {key.public_key.kid: key for key in enrolled}
        if len(self._keys) != len(enrolled):
            raise InvalidCall("parties_invalid", "keys", reason="one key is enrolled twice")
        named = [key for key in enrolled if key.alias is not None and key.alias != key.public_key.kid]
        if not all(type(key.alias) is bytes for key in named):
            raise InvalidCall("parties_invalid", "keys", expected="an alias as bytes")
        aliases = {key.alias: key for key in named if key.alias is not None}
        if len(aliases) != len(named) or aliases.keys() & self._keys.keys():
            raise InvalidCall("parties_invalid", "keys", reason="one kid names two keys")
        self._keys.update(aliases)

    def find(self, kid: bytes, role: Role, at: int) -> EnrolledKey:
        """See `Parties.find`."""
        key = self._keys.get(kid)
        if key is None or role not in key.party.roles or not key.not_before <= at < key.not_after:
            raise Refused("signer_unknown", role=role.value)
        return key


class PartiesFile:
    """Parties from a JSON file (chapter "parties" of the specification).

    Raises `StoreFault` file_unreadable when it cannot be read and `InvalidCall` parties_invalid, with the place, when it is
    wrong. `reload` reads it again; an older version, or the same version with other contents, is refused.
    """

    def __init__(self, path: str | Path) -> None:
        self.path: Final = Path(path)
        self._bytes, self._table = self._read()

    @property
    def version(self) -> int:
        """The file's own version."""
        return self._table.version

    @property
    def expires_at(self) -> int:
        """The file's own expiry, in seconds."""
        return self._table.expires_at

    def find(self, kid: bytes, role: Role, at: int) -> EnrolledKey:
        """See `Parties.find`."""
        return self._table.find(kid, role, at)

    def reload(self) -> None:
        """Reads the file again and takes over its contents, all or nothing."""
        data, table = self._read()
        if table.version < self.version or (table.version == self.version and data != self._bytes):
            raise InvalidCall("parties_invalid", "version", reason="must grow with every change", known=self.version)
        self._bytes, self._table = data, table

    def _read(self) -> tuple[bytes, PartiesTable]:
        try:
            with self.path.open("rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            raise StoreFault("file_unreadable", str(self.path), reason=getattr(error, "strerror", None) or "") from error
        return data, parse_parties(data)


_Entry = TypeVar("_Entry")
_Few = Annotated[list[_Entry], Field(max_length=MAX_LIST), FailFast()]


class _Key(Document):
    jwk: Annotated[dict[str, str], Field(max_length=MAX_MEMBERS)]
    not_before: str
    not_after: str
    compromised_at: str | None = None
    kid: str | None = None


class _Party(Document):
    id: str
    name: str
    roles: _Few[Literal["issuer", "principal", "payee", "psp"]]
    delegator_namespaces: _Few[str] = Field(default_factory=list)
    categories: _Few[str] = Field(default_factory=list)
    ledger: str | None = None
    keys: _Few[_Key]


class _File(Document):
    format: Literal["act1-parties"]
    version: Annotated[int, Field(ge=1)]
    expires: str
    parties: Annotated[list[_Party], Field(max_length=MAX_PARTIES), FailFast()]


def parse_parties(data: bytes) -> PartiesTable:
    """The parties in a file's bytes. Raises `InvalidCall` parties_invalid with the place of the first fault."""
    with naming_faults("parties_invalid"):
        plain = json.decode(data, max_bytes=MAX_FILE_BYTES)
        _require_few_members(plain)
        json.require_no_null(plain)  # a model would take it for a member that is absent, such as a key that is not compromised
        model = _File.model_validate(plain)
        for i, party in enumerate(model.parties):
            _require_texts(party, f"parties.{i}")
            if any(namespace[-1].isalnum() for namespace in party.delegator_namespaces):
                # "user:lin" would also speak for "user:linda"
                raise Refused("claim_invalid", f"parties.{i}.delegator_namespaces", expected="an end such as : or /")
        keys = [
            _enrolled(party, key, f"parties.{i}.keys.{j}")
            for i, party in enumerate(model.parties)
            for j, key in enumerate(party.keys)
        ]
        expires_at = parse_iso(model.expires, "expires")
    ids = [party.id for party in model.parties]
    if len(set(ids)) != len(ids):
        raise InvalidCall("parties_invalid", "parties", reason="one party stands twice")
    return PartiesTable(keys, version=model.version, expires_at=expires_at)


def _require_few_members(value: object) -> None:
    """No object of the file has more than a few members, so that naming unknown ones cannot cost more than the file."""
    if isinstance(value, dict):
        if len(value) > MAX_MEMBERS:
            raise Refused("claim_invalid", expected=f"at most {MAX_MEMBERS} members in an object")
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            _require_few_members(each)


def _require_texts(party: _Party, where: str) -> None:
    """Ids, namespaces and categories are texts that a token can carry; the name is for display."""
    texts = [("id", read_text, party.id), ("name", read_name, party.name)]
    for field, values in (("delegator_namespaces", party.delegator_namespaces), ("categories", party.categories)):
        texts += [(f"{field}.{place}", read_text, value) for place, value in enumerate(values)]
    if party.ledger is not None:
        texts.append(("ledger", read_text, party.ledger))
        if not {"issuer", "principal"} & set(party.roles):
            raise Refused("claim_invalid", f"{where}.ledger", expected="a party that signs mandates")
    texts += [(f"keys.{place}.kid", read_text, key.kid) for place, key in enumerate(party.keys) if key.kid is not None]
    for place, read, value in texts:
        try:
            read(value)
        except Refused as refusal:
            raise refusal.within(f"{where}.{place}") from None


def _enrolled(party: _Party, key: _Key, where: str) -> EnrolledKey:
    roles, namespaces = tuple(map(Role, party.roles)), tuple(party.delegator_namespaces)
    record = Party(party.id, party.name, roles, namespaces, frozenset(party.categories), party.ledger)
    not_before, not_after = parse_iso(key.not_before, f"{where}.not_before"), parse_iso(key.not_after, f"{where}.not_after")
    if not not_before < not_after:
        raise Refused("claim_invalid", f"{where}.not_after", expected="later than not_before")
    return EnrolledKey(
        record,
        from_jwk(key.jwk, f"{where}.jwk"),
        not_before,
        not_after,
        None if key.compromised_at is None else parse_iso(key.compromised_at, f"{where}.compromised_at"),
        None if key.kid is None else kid_of(key.kid),
    )

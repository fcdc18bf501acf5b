"""A mandate and the links below it, root first: all of them judge every payment, and all of their limits are debited.

A `Chain` holds what was proven: the root's issuer by the parties, each link's signer by the key its parent names. Whether it is
in force and what is left of it are questions of time and of the ledger.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from datetime import datetime
from typing import Any, Final

from act.calendar import FUTURE_TOLERANCE_SECONDS, instant, system_clock
from act.delegation.authority import MAX_LINKS, Authority
from act.delegation.constraints import Constraint, Enforcer, Periods, Schedule, Validity
from act.delegation.credential import MAX_MANDATE_SECONDS, Credential, UnverifiedCredential, open_credential
from act.delegation.limits import Limit
from act.delegation.link import Link, SignedLink, UnverifiedLink, link_claims, open_link, read_link, require_countable
from act.delegation.link_document import read_link_document
from act.delegation.mandate import SignedMandate
from act.delegation.purchase import Purchase
from act.envelope.kinds import LINK
from act.envelope.objects import Format, seal
from act.errors import InvalidCall, Refused, precedence
from act.keys import PublicKey, Signer
from act.parties import Parties
from act.values import immutable
from act.wire.base64url import base64url_encode

__all__ = ["AuthenticatedLink", "Chain", "ChainCache", "UnverifiedChain", "delegate", "open_chain", "verify_mandate"]


@immutable
class AuthenticatedLink:
    """A link that its parent's agent signed and that narrows its parent. `place` counts from 1, below the mandate."""

    link: Link
    holder: PublicKey
    issued_at: int
    identity: bytes
    place: int

    @property
    def name(self) -> str:
        """What the link's counters are named by: its identity in base64url. No two links share it, whatever they are called."""
        return base64url_encode(self.identity)

    def require_in_force(self, at: int) -> None:
        """Rules ACT-PAY-13 and -14, for a link."""
        try:
            if self.issued_at > at + FUTURE_TOLERANCE_SECONDS:
                raise Refused("credential_not_yet_valid", "iat", issued_at=self.issued_at)
            for constraint in self.link.constraints:
                if isinstance(constraint, Validity):
                    constraint.require_in_force(at)
        except Refused as refusal:
            raise self.seen_from(refusal) from None

    def permits(self, purchase: Purchase) -> None:
        """Returns if every constraint of this link permits the purchase; raises the first one's `Refused` otherwise."""
        for constraint in self.link.constraints:
            try:
                constraint.permits(purchase)
            except Refused as refusal:
                raise self.seen_from(refusal) from None

    def seen_from(self, refusal: Refused) -> Refused:
        """A constraint's refusal with the link as its place."""
        return Refused(refusal.code, f"link.{self.place}.{refusal.where.removeprefix('mandate.')}", **refusal.facts)


@immutable
class Chain:
    """Authenticated credentials from the principal to the paying agent, each narrower than the one before."""

    root: Credential
    links: tuple[AuthenticatedLink, ...] = ()
    _authority: Authority | None = field(default=None, repr=False, compare=False)

    @property
    def leaf(self) -> Credential | AuthenticatedLink:
        """The credential whose holder signs the payment."""
        return self.links[-1] if self.links else self.root

    @property
    def identity(self) -> bytes:
        """The leaf's: what a payment request names, and with it the whole chain."""
        return self.leaf.identity

    @property
    def delegation_id(self) -> str:
        """The leaf's."""
        return self.links[-1].link.delegation_id if self.links else self.root.mandate.delegation_id

    @property
    def agent_id(self) -> str:
        """The paying agent."""
        return self.links[-1].link.agent_id if self.links else self.root.mandate.agent_id

    @property
    def holder(self) -> PublicKey:
        """The paying agent's key."""
        return self.leaf.holder

    @property
    def authority(self) -> Authority:
        """What the chain gives the paying agent."""
        if self._authority is not None:
            return self._authority
        root = self.root
        authority = Authority.of_mandate(SignedMandate(root.mandate, root.holder, root.issued_at), root.identity)
        for link in self.links:
            authority = authority.narrowed_by(SignedLink(link.link, link.holder, link.issued_at), link.identity)
        return authority

    def extended(self, further: Sequence[UnverifiedLink]) -> Chain:
        """The chain with more links: each signed by the agent key before it (ACT-CHN-02), and narrower (ACT-CHN-03 to -09).

        Raises `Refused` with places from `link.<n>` on, n counting from 1.
        """
        links, authority = list(self.links), self.authority
        for place, unverified in enumerate(further, len(links) + 1):
            content, opened = unverified.content, unverified.opened
            try:
                opened.check_signature(authority.holder, "link_signature_invalid")
            except Refused as refusal:
                raise Refused(refusal.code, f"link.{place}") from None
            try:
                authority = authority.narrowed_by(content, opened.identity)
            except Refused as refusal:
                raise refusal.within(f"link.{place}") from None
            links.append(AuthenticatedLink(content.link, content.holder, content.issued_at, opened.identity, place))
        return Chain(self.root, tuple(links), authority)

    def require_in_force(self, at: int) -> None:
        """Every credential issued, started and not ended at instant `at`; raises `Refused` otherwise."""
        self.root.require_in_force(at)
        for link in self.links:
            link.require_in_force(at)

    @property
    def uses_calendar(self) -> bool:
        """Whether a time zone decides anything here: then the zone database's version belongs to the decision."""
        for constraints in (self.root.mandate.constraints, *[each.link.constraints for each in self.links]):
            for constraint in constraints:
                if isinstance(constraint, Schedule) or (isinstance(constraint, Periods) and constraint.uses_calendar):
                    return True
        return False

    def permits(self, purchase: Purchase) -> None:
        """Returns if every constraint of every credential permits the purchase; raises the `Refused` that ranks first
        otherwise."""
        try:
            for constraint in self.root.mandate.constraints:
                constraint.permits(purchase)
            for link in self.links:
                link.permits(purchase)
        except Refused:
            if not self.links:  # one mandate's constraints are judged in the order in which they rank
                raise
            raise min(self.findings(purchase), key=lambda finding: finding.precedence) from None

    def findings(self, purchase: Purchase) -> tuple[Refused, ...]:
        """What every single constraint has against a purchase: for people who look for the cause."""
        found: list[Refused] = []
        for constraint in self.root.mandate.constraints:
            found += _refusal(constraint, purchase)
        for link in self.links:
            for constraint in link.link.constraints:
                found += map(link.seen_from, _refusal(constraint, purchase))
        return tuple(found)

    def limits(self, at: int) -> tuple[Limit, ...]:
        """What the ledger has to count for a payment at instant `at`: the mandate's limits, and each link's behind the link's
        name."""
        limits = _limits_of(self.root.mandate.constraints, at)
        for link in self.links:
            if own := _limits_of(link.link.constraints, at):
                name = link.name
                limits += [each.below(name) for each in own]
        if self.links:  # what ranks first is judged first, whichever credential it stands in
            limits.sort(key=_rank)
        return tuple(limits)

    def effective(self) -> tuple[Constraint, ...]:
        """The constraints that alone permit exactly what the chain permits: what the paying agent can really still do."""
        return self.authority.effective()


_LEDGER: Final = Enforcer.LEDGER


def _rank(limit: Limit) -> int:
    return precedence(limit.code)


def _refusal(constraint: Constraint, purchase: Purchase) -> tuple[Refused, ...]:
    try:
        constraint.permits(purchase)
    except Refused as refusal:
        return (refusal,)
    return ()


def _limits_of(constraints: tuple[Constraint, ...], at: int) -> list[Limit]:
    limits: list[Limit] = []
    for constraint in constraints:
        if constraint.enforced_by is _LEDGER:  # nothing else counts
            limits += constraint.limits(at)
    return limits


@immutable
class UnverifiedChain:
    """Decoded credentials, root first, that nobody has checked."""

    root: UnverifiedCredential
    links: tuple[UnverifiedLink, ...]

    @property
    def kind(self) -> str:
        """What this is, in a word."""
        return "chain"

    @property
    def leaf(self) -> UnverifiedCredential | UnverifiedLink:
        """The credential whose holder is to sign the payment."""
        return self.links[-1] if self.links else self.root

    @property
    def holder(self) -> PublicKey:
        """The key the last credential claims to be for."""
        return self.leaf.holder

    @property
    def identity(self) -> bytes:
        """The last credential's."""
        return self.leaf.opened.identity

    @property
    def agent_id(self) -> str:
        """Whom the last credential names."""
        return self.links[-1].content.link.agent_id if self.links else self.root.content.mandate.agent_id

    @property
    def delegation_id(self) -> str:
        """The last credential's."""
        return self.links[-1].content.link.delegation_id if self.links else self.root.content.mandate.delegation_id

    def authenticate(self, parties: Parties) -> Chain:
        """The chain, every signature and every narrowing proven, root first. Raises `Refused`."""
        chain = Chain(self.root.authenticate(parties))
        return chain.extended(self.links) if self.links else chain

    def authority(self) -> Authority:
        """What the chain claims to give its last agent; only its form and its narrowing are checked. Raises `Refused`."""
        authority = Authority.of_mandate(self.root.content, self.root.opened.identity)
        for place, link in enumerate(self.links, 1):
            try:
                authority = authority.narrowed_by(link.content, link.opened.identity)
            except Refused as refusal:
                raise refusal.within(f"link.{place}") from None
        return authority


def open_chain(data: Sequence[bytes]) -> UnverifiedChain:
    """Decodes a mandate and its links, root first; believes nothing. Raises `Refused`: envelope_mixed (ACT-CHN-01), others."""
    if not data:
        raise InvalidCall("call_invalid", "chain", expected="at least one credential")
    if len(data) > 1 + MAX_LINKS:
        raise Refused("delegation_too_deep", "chain", links=len(data) - 1)
    root, links = open_credential(data[0]), tuple([open_link(each) for each in data[1:]])
    for place, link in enumerate(links, 1):
        if link.opened.format is not root.opened.format:
            raise Refused("envelope_mixed", f"link.{place}", root=root.opened.format.value, found=link.opened.format.value)
    return UnverifiedChain(root, links)


def delegate(
    document: str | bytes | dict[str, Any],
    *,
    chain: Sequence[bytes],
    signer: Signer,
    holder: PublicKey,
    at: datetime | None = None,
) -> bytes:
    """Signs a link for the sub-agent that holds `holder`, below the last credential of `chain`, with its agent's key.

    `document` is JSON: the sub-agent's `agent_id` and, under ACT's names, what is narrowed; everything else is inherited.
    `at` is the time of signing (None: the system clock). What is returned has been read back and found narrower, so a link that
    no verifier would take raises `Refused` or `InvalidCall` here and is never signed.
    """
    if not chain:
        raise InvalidCall("call_invalid", "chain", expected="at least one credential")
    if not isinstance(holder, PublicKey):
        raise InvalidCall("call_invalid", "holder", expected="an act.PublicKey")
    unverified = open_chain(tuple(chain))
    if signer.kid != unverified.holder.kid:
        raise InvalidCall("call_invalid", "signer", expected="the agent key that the last credential names")
    parent = unverified.authority()
    link = read_link_document(document, parent)
    if unverified.root.opened.format is Format.COSE and not link.delegation_id.startswith("urn:uuid:"):
        raise InvalidCall("draft_invalid", "delegation_id", expected="urn:uuid: and a UUID, as COSE carries no other id")
    claims = link_claims(link, holder, instant(at or system_clock()))
    content = read_link(claims)
    if unverified.root.opened.format is Format.JOSE:
        require_countable(content.link)
    try:
        parent.narrowed_by(content, bytes(32))
        parent.stated(Validity).require_in_force(claims["iat"])
        _require_not_ended(content.link, claims["iat"])
    except Refused as refusal:
        raise refusal.within(f"link.{len(chain)}") from None
    return seal(LINK, claims, signer, unverified.root.opened.format)


def _require_not_ended(link: Link, at: int) -> None:
    for constraint in link.constraints:
        if isinstance(constraint, Validity) and constraint.end <= at:
            raise Refused("credential_expired", "validity_end_time", ended_at=constraint.end)


def verify_mandate(
    iac: bytes,
    *,
    parties: Parties,
    at: datetime,
    links: Sequence[bytes] = (),
    max_mandate_seconds: int = MAX_MANDATE_SECONDS,
) -> Chain:
    """A mandate, and the links below it, that is genuine, narrowing and in force at instant `at`, as far as anyone can tell
    without its ledger.

    `max_mandate_seconds` is the longest window that its payment service allows. Raises `Refused`: parties_expired, what
    `UnverifiedChain.authenticate` raises, key_compromised (there is no record here that could vouch for it),
    credential_not_yet_valid, credential_expired, credential_lifetime_too_long. Whether it was revoked, only its ledger knows.
    """
    now = instant(at)
    if now >= parties.expires_at:
        raise Refused("parties_expired", "parties", ended_at=parties.expires_at)
    chain = open_chain((iac, *links)).authenticate(parties)
    compromised_at = chain.root.issuer_key(parties).compromised_at
    if compromised_at is not None:
        raise Refused("key_compromised", "mandate.iss", compromised_at=compromised_at)
    chain.require_in_force(now)
    chain.root.require_lifetime(max_mandate_seconds)
    return chain


_Key = tuple[bytes, ...]
_DEFAULT_CAPACITY_BYTES: Final = 4 * 1024 * 1024


class ChainCache:
    """Remembers authenticated chains by their full bytes and the parties' version: facts that no time changes.

    Everything that time does change (the key's standing, the window, the status) is asked anew at each use. Bounded; when
    full it starts over. Threads may share it.
    """

    __slots__ = ("_bytes", "_capacity_bytes", "_entries", "_version")

    def __init__(self, capacity_bytes: int = _DEFAULT_CAPACITY_BYTES) -> None:
        """`capacity_bytes` counts credentials as received: some 7,000 mandates of the usual size, and the memory they take is
        bounded even if every one of them is as large and as finely divided as it may be."""
        self._capacity_bytes: Final = capacity_bytes
        self._entries: dict[_Key, Chain] = {}
        self._bytes = 0
        self._version = -1

    def find(self, data: _Key, parties: Parties) -> Chain | None:
        """The chain, if these very bytes were authenticated under these very parties."""
        return self._entries.get(data) if self._version == parties.version else None

    def keep(self, data: _Key, chain: Chain, version: int) -> None:
        """Remembers what `UnverifiedChain.authenticate` returned for these bytes, with parties of that version.

        `version` was read before the parties were asked: if they changed meanwhile, what they said then must not outlive it.
        """
        if version < self._version:
            return
        size = sum(map(len, data))
        if version > self._version or self._bytes + size > self._capacity_bytes:
            self._entries, self._bytes, self._version = {}, 0, version
        self._entries[data] = chain
        self._bytes += size

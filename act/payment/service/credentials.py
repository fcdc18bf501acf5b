"""What becomes of a mandate on the payment service's own word, and what is known of it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from act.calendar import FUTURE_TOLERANCE_SECONDS, instant
from act.delegation.chain import Chain, open_chain
from act.delegation.constraints import Validity
from act.delegation.credential import Credential, open_credential
from act.delegation.lifecycle import MandateState, Standing
from act.delegation.limits import Limit
from act.delegation.mandate import MandateKey
from act.errors import InvalidCall, Refused
from act.payment.ledger import Counter, LinkStatus, MandateStatus, Outcome
from act.payment.receipt import Receipt, recorded_receipt
from act.payment.service.answers import Acknowledgement
from act.payment.service.keeper import Keeper, mandate_record

__all__ = ["CredentialCalls"]

_LOGGER: Final = logging.getLogger("act")


class CredentialCalls(Keeper):
    """Calls about mandates, and the links below them."""

    def revoke(self, iac: bytes) -> Acknowledgement:
        """Stops a mandate for good on the payment service's own word, whether it was used before or not, and whether or not it
        has ended; charges already held stay held, or are voided in the same step if the mandate says so
        (`ext.status.on_revoke`).

        Whoever else may ask signs an instruction (`instruct`). Raises `Refused` if the mandate is not
        genuine, names another ledger, conflicts with a recorded one, or was not recorded before its issuer's key was
        compromised (then it is unusable anyway). When it returns, the mandate is stopped.
        """
        at = self._now()
        credential = open_credential(iac).authenticate(self._parties)
        self._require_own(credential)
        compromised_at = credential.issuer_key(self._parties).compromised_at
        self._require_known(compromised_at)
        self._ledger.bind(self.ledger_id)
        make = self._receipts(credential.mandate.issuer)
        outcome = self._ledger.revoke(mandate_record(credential), at, make, pinned_before=compromised_at)
        return self._acknowledged(credential.key, outcome)

    def register(self, iac: bytes) -> Acknowledgement | None:
        """Records a mandate without a payment: a wallet's word that there is one. A successor (`supersedes`) takes over
        here and now: the mandate that it replaces is closed, and what was spent under it counts in the successor's limits.

        Returns the acknowledgement of its taking over, None where it replaces nothing. Without this call a mandate is recorded
        at its first payment. It may have ended, but not begin later (credential_not_yet_valid). Raises `Refused` as `revoke`
        does, credential_superseded or credential_revoked for one that is no longer in force, and of the mandate that it
        replaces: predecessor_unknown, until that one is registered; successor_mismatch; credential_superseded,
        credential_revoked and credential_suspended.
        """
        at = self._now()
        credential = open_credential(iac).authenticate(self._parties)
        self._require_own(credential)
        _require_begun(credential, at)
        compromised_at = credential.issuer_key(self._parties).compromised_at
        self._require_known(compromised_at)
        self._ledger.bind(self.ledger_id)
        make = self._receipts(credential.mandate.issuer)
        outcome = self._ledger.register(mandate_record(credential), at, make, pinned_before=compromised_at)
        return None if outcome is None else self._acknowledged(credential.key, outcome)

    def _acknowledged(self, mandate: MandateKey, outcome: Outcome) -> Acknowledgement:
        if outcome.standing is None:
            raise InvalidCall("call_invalid", "ledger", reason="a lifecycle outcome without a standing")
        kind, state = recorded_receipt(outcome.receipt).kind, outcome.standing.state
        _LOGGER.info("credential_%s delegation_id=%s replayed=%s", kind.value.lower(), mandate.delegation_id, outcome.replayed)
        return Acknowledgement(mandate, kind, state, self._signed(outcome.receipt), outcome.replayed)

    def status(self, iac: bytes, *, links: Sequence[bytes] = ()) -> MandateStatus | None:
        """What the ledger knows of a mandate, None if it was never used; its state is Expired from its end on, and its
        counters are those of the windows that are open now. `standing` tells who suspended it, and `links` how those below it
        stand: first the ones given, root first, then whatever else was paid under or stopped.

        Raises `Refused` if the mandate is not genuine, names another ledger or is not the one recorded under its delegation_id.
        """
        self._is_mine()
        now = instant(self._clock())
        chain = open_chain((iac, *links)).authenticate(self._parties)
        credential = chain.root
        self._require_own(credential)
        known = self._ledger.status(credential.key, now, identity=credential.identity)
        if known is None:
            return None
        if known.identity != credential.identity:
            raise Refused("credential_conflict", "mandate.delegation_id")
        if known.state is not MandateState.REVOKED and now >= known.expires_at:
            known = replace(known, state=MandateState.EXPIRED)
        limits = Chain(credential).limits(now)
        counters = _with_untouched(known.counters, limits)
        if known.predecessors:  # whose windows are still open
            own = {limit.name for limit in limits}
            counters = tuple([each for each in counters if "/" in each.name or "@" not in each.name or each.name in own])
        return replace(known, counters=counters, links=_given_first(known.links, chain))

    def statement(self, iac: bytes) -> tuple[Receipt, ...]:
        """What happened under a mandate, as the ledger recorded it: every receipt from the first on, refusals included.

        Raises `Refused` as `status` does.
        """
        known = self.status(iac)
        return () if known is None else tuple([recorded_receipt(each) for each in self._ledger.receipts(known.key)])


def _require_begun(credential: Credential, at: int) -> None:
    """Rule ACT-PAY-13 without ACT-PAY-14: a mandate whose window has not begun replaces nothing yet."""
    if credential.issued_at > at + FUTURE_TOLERANCE_SECONDS:
        raise Refused("credential_not_yet_valid", "mandate.iat", issued_at=credential.issued_at)
    try:
        credential.mandate.constraint(Validity).require_in_force(at)
    except Refused as refusal:
        if refusal.code == "credential_not_yet_valid":
            raise


def _with_untouched(counters: tuple[Counter, ...], limits: tuple[Limit, ...]) -> tuple[Counter, ...]:
    """The counters in the order of the limits, those of a window that nothing was charged to yet among them.

    None before the first charge. What the limits do not name comes last.
    """
    if not counters:
        return ()
    known = {each.name: each for each in counters}
    stands = []
    for limit in limits:
        untouched = Counter(limit.name, limit.cap, 0, 0, limit.unit, limit.window.end if limit.window is not None else None)
        stands.append(known.pop(limit.name, untouched))
    return (*stands, *known.values())


def _given_first(links: Sequence[LinkStatus], chain: Chain) -> tuple[LinkStatus, ...]:
    """The links of a chain, root first, and the others that are known. One that the ledger never saw was never stopped."""
    known = {each.identity: each for each in links}
    given = [
        known.pop(each.identity, LinkStatus(each.identity, each.link.delegation_id, each.link.agent_id, Standing()))
        for each in chain.links
    ]
    return (*given, *known.values())

"""The credential (ADD-IAC-ISS): a mandate signed by its issuer, opened in two steps that no caller can skip.

`open_credential` gives an `UnverifiedCredential`; only `authenticate` turns it into the `Credential` that a chain takes.
Neither asks what time it is: that the mandate is in force, its key not compromised and its state Active is checked at every
use.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, Final, Literal

from act.calendar import FUTURE_TOLERANCE_SECONDS, instant, system_clock
from act.delegation.constraints import Validity
from act.delegation.mandate import Mandate, MandateKey, SignedMandate, mandate_claims, read_mandate
from act.delegation.vc_jwt import UNNAMED_LEDGER, neutral_claims, vc_payload
from act.envelope.kinds import MANDATE
from act.envelope.objects import Format, Opened, Unsigned, header, open_object, prepare, read_format, require_fitting
from act.errors import InvalidCall, Refused
from act.keys import PublicKey, Signer
from act.parties import EnrolledKey, Parties, Role
from act.values import immutable
from act.wire import json

__all__ = ["MAX_MANDATE_SECONDS", "Credential", "UnverifiedCredential", "mint", "open_credential"]

MAX_MANDATE_SECONDS: Final = 400 * 86_400
"""Unless a payment service says otherwise: a yearly subscription with a month to renew it. A mandate that lives for decades
outlives the principal's memory of it, and the keys it was signed with."""


@immutable
class UnverifiedCredential:
    """A decoded mandate whose issuer nobody has checked: good for display and for nothing else."""

    content: SignedMandate
    opened: Opened
    data: bytes

    @property
    def kind(self) -> str:
        """What this is, in a word."""
        return "mandate"

    @property
    def holder(self) -> PublicKey:
        """The agent key the mandate claims to be for."""
        return self.content.holder

    def authenticate(self, parties: Parties) -> Credential:
        """The credential, its issuer proven. Raises `Refused`: signer_unknown, signer_mismatch, delegator_not_allowed,
        credential_signature_invalid; claim_missing for a credential in ACT 2.0's layout whose ledger nobody names."""
        mandate, opened = self.content.mandate, self.opened
        enrolled = _find_issuer(mandate, self.content.issued_at, opened.kid, parties)
        opened.check_signature(enrolled.public_key, "credential_signature_invalid", enrolled.alias)
        if mandate.ledger is UNNAMED_LEDGER:
            if enrolled.party.ledger is None:
                raise Refused("claim_missing", "mandate.aud")
            mandate = replace(mandate, ledger=enrolled.party.ledger)
        key = MandateKey(mandate.issuer, mandate.delegator_identity, mandate.delegation_id)
        return Credential(
            mandate, key, self.holder, self.content.issued_at, opened.identity, enrolled.public_key.kid, opened.format
        )


@immutable
class Credential:
    """An authenticated mandate: its issuer signed exactly this. Whether it is in force is another question.

    `key` is how ledgers name it, `identity` SHA-256 of the signing input; `kid` is the thumbprint of the
    issuer's key that signed, whatever the header calls it, and `format` the envelope.
    """

    mandate: Mandate
    key: MandateKey
    holder: PublicKey
    issued_at: int
    identity: bytes
    kid: bytes
    format: Format

    def require_in_force(self, at: int) -> None:
        """Rules ACT-PAY-13 and -14: issued, started and not ended at instant `at`; raises `Refused` otherwise."""
        if self.issued_at > at + FUTURE_TOLERANCE_SECONDS:
            raise Refused("credential_not_yet_valid", "mandate.iat", issued_at=self.issued_at)
        self.mandate.constraint(Validity).require_in_force(at)

    def require_lifetime(self, max_mandate_seconds: int) -> None:
        """Rule ACT-IAC-04: the window is no longer than this; raises `Refused` credential_lifetime_too_long."""
        window = self.mandate.constraint(Validity)
        if window.end - window.start > max_mandate_seconds:
            lifetime_seconds = window.end - window.start
            raise Refused(
                "credential_lifetime_too_long",
                "mandate.validity_end_time",
                lifetime_seconds=lifetime_seconds,
                max_seconds=max_mandate_seconds,
            )

    def issuer_key(self, parties: Parties) -> EnrolledKey:
        """The issuer's key as it is enrolled now. Raises `Refused` when it, or what it may sign, is no longer there."""
        return _find_issuer(self.mandate, self.issued_at, self.kid, parties)


def _find_issuer(mandate: Mandate, issued_at: int, kid: bytes, parties: Parties) -> EnrolledKey:
    """Rules ACT-PAR-02 to -04: the issuer's own key, in force when the mandate was signed, allowed to speak for the
    delegator."""
    role = Role.PRINCIPAL if mandate.issuer == mandate.delegator_identity else Role.ISSUER
    try:
        enrolled = parties.find(kid, role, issued_at)
    except Refused as refusal:
        raise refusal.within("mandate.iss") from None
    if enrolled.party.id != mandate.issuer:
        raise Refused("signer_mismatch", "mandate.iss", key_of=enrolled.party.id, named=mandate.issuer)
    if role is Role.ISSUER and not enrolled.party.may_speak_for(mandate.delegator_identity):
        raise Refused("delegator_not_allowed", "mandate.act.delegator_identity", issuer=mandate.issuer)
    return enrolled


def mint(
    mandate: Mandate,
    *,
    signer: Signer,
    holder: PublicKey,
    at: datetime | None = None,
    format: Literal["cose", "jose"] = "cose",
) -> bytes:
    """Signs a mandate for the agent that holds `holder` and returns the credential's bytes, COSE or a VC-JWT.

    `at` is the time of signing (None: the system clock). What is returned has been read back by the verifier's own reader, so
    a mandate that no verifier would take raises `Refused` here and is never signed. Raises `InvalidCall` for what the envelope
    does not carry, such as a delegation_id in COSE that is no UUID.
    """
    envelope = read_format(format)
    if not isinstance(mandate, Mandate):
        raise InvalidCall("call_invalid", "mandate", expected="an act.Mandate")
    if not isinstance(mandate.delegation_id, str):
        raise InvalidCall("call_invalid", "mandate.delegation_id", expected="urn:uuid: and a UUID, as text")
    if not isinstance(holder, PublicKey):
        raise InvalidCall("call_invalid", "holder", expected="an act.PublicKey")
    claims = mandate_claims(mandate, holder, instant(at or system_clock()))
    if envelope is Format.COSE and type(claims["cti"]) is not bytes:
        raise InvalidCall("call_invalid", "mandate.delegation_id", expected="a UUID: only JOSE carries another id")
    if read_mandate(claims).mandate != mandate:  # such as an amount in another currency than the mandate's
        raise InvalidCall("call_invalid", "mandate", reason="its parts do not belong together")
    if mandate.constraint(Validity).end <= claims["iat"]:
        raise Refused("credential_expired", "mandate.validity_end_time")
    protected = header(MANDATE, signer, envelope)
    unsigned = prepare(protected, claims) if envelope is Format.COSE else _prepare_vc_jwt(protected, claims, mandate)
    require_fitting(unsigned, MANDATE)
    return unsigned.sign(signer)


def _prepare_vc_jwt(protected: bytes, claims: dict[str, Any], mandate: Mandate) -> Unsigned:
    """Not every mandate that COSE carries has a VC-JWT that says exactly the same: amounts there have at most 15 digits."""
    unsigned = prepare(protected, vc_payload(claims))
    payload = json.decode(unsigned.payload)
    if not isinstance(payload, dict) or read_mandate(neutral_claims(payload)).mandate != mandate:
        raise InvalidCall("call_invalid", "mandate", reason="JSON does not carry it exactly")
    return unsigned


def open_credential(data: bytes) -> UnverifiedCredential:
    """Decodes a credential strictly; believes nothing. Raises `Refused`."""
    opened = open_object(data, MANDATE)
    claims = opened.claims if opened.format is Format.COSE else neutral_claims(opened.claims)
    return UnverifiedCredential(read_mandate(claims), opened, data)

"""Every way this library says no: one closed table, in precedence order.

A `Refused` is about what somebody presented (their token), an `InvalidCall` about how this library was called (your call), a
`StoreFault` about the place where money is counted (our store). Each carries a stable code; prose for people is derived from
the table and never parsed. Codes are append-only: a code is never renamed, reused or given another meaning.

The order of the table is the order in which a verifier reports: form, proof of the agent, proof of mandate and order, replay,
then the rules of PSD-PAY-DEL (IAC, order, money, semantics). When one object is wrong in two ways, the code that stands higher
is the one raised; of two faults of form, which come before everything else, the one that is met first. What a ledger remembers
it judges in its transaction; a payment that a rule refuses is still reported for what the ledger has against it if that ranks
higher.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final, Self

__all__ = ["CODES", "ActError", "Code", "Fault", "InvalidCall", "Refused", "StoreFault", "precedence"]


class Fault(Enum):
    """Whose fault an error is; it decides who has to act on it."""

    TOKEN = "token"  # noqa: S105 - no password: what was presented, and the sender must present something else
    CALL = "call"  # how the library or the command was called: the caller must change the call
    STORE = "store"  # the ledger or a file: the operator must mend it; nothing was decided


@dataclass(frozen=True, slots=True)
class Code:
    """One row of the table: a stable code, the rule it belongs to, what happened and what to do about it."""

    code: str
    fault: Fault
    rule: str
    meaning: str
    remedy: str


# fmt: off
_T, _C, _S = Fault.TOKEN, Fault.CALL, Fault.STORE

_TABLE: Final[tuple[tuple[str, Fault, str, str, str], ...]] = (
    # --- bytes: wire ---------------------------------------------------------------------------------------------
    ("input_too_large", _T, "ACT-WIRE-01", "the input is larger than any object of this kind may be", "send a smaller object"),
    ("input_too_deep", _T, "ACT-WIRE-01", "the input is nested deeper than allowed", "flatten the object"),
    ("cbor_invalid", _T, "ACT-WIRE-02", "the bytes are not well-formed CBOR of the allowed types", "encode it again"),
    ("cbor_not_deterministic", _T, "ACT-WIRE-03", "the CBOR is not in its one deterministic form (RFC 8949 4.2.1)",
     "encode with definite lengths, shortest integers and sorted unique keys"),
    ("json_invalid", _T, "ACT-WIRE-04", "the text is not strict JSON",
     "send JSON without duplicate keys, NaN or trailing text"),
    ("base64url_invalid", _T, "ACT-WIRE-05", "the text is not exact base64url without padding", "encode it again"),
    # --- bytes to a typed, still unverified object: envelope -----------------------------------------------------
    ("envelope_invalid", _T, "ACT-ENV-01",
     "the bytes are neither a tagged COSE_Sign1 nor a compact JWS with the required headers", "seal it again"),
    ("header_unknown", _T, "ACT-ENV-02", "a header carries something not allowed", "seal it again"),
    ("algorithm_not_allowed", _T, "ACT-ENV-03", "the algorithm is not one of the fully specified ones allowed here",
     "sign with Ed25519 (COSE -19) or with ES256 on P-256 (COSE -9)"),
    ("kind_unexpected", _T, "ACT-ENV-04", "the object is of another kind than this place takes", "present the right object"),
    ("claim_missing", _T, "ACT-ENV-05", "a mandatory claim or field is absent", "issue the object again with it"),
    ("claim_unknown", _T, "ACT-ENV-06", "a claim or field is not known to this profile; what is unknown is refused",
     "remove it, or upgrade this verifier"),
    ("claim_invalid", _T, "ACT-ENV-07", "a claim or field has the wrong type or a value outside its range",
     "issue the object again with a valid value"),
    ("claim_null", _T, "ACT-ENV-08", "a field is null; what is absent is left out", "leave the field out"),
    ("claim_conflict", _T, "ACT-ENV-09", "a fact stands twice and differs", "issue the object again with one meaning"),
    ("amount_invalid", _T, "ACT-MON-01", "the amount is not a positive decimal with exactly the currency's digits",
     "write ASCII digits with exactly the currency's decimals, such as 200.00 for CNY or 200 for JPY"),
    ("currency_unknown", _T, "ACT-MON-02", "the currency is not an ISO 4217 code with a minor unit", "use a known currency"),
    # --- what an object says of itself, read before any signature is checked ------------------------------------------
    ("key_invalid", _T, "ACT-KEY-01", "the public key is not a canonical point of prime order on its curve", "use another key"),
    ("status_unavailable", _T, "ACT-PAY-16", "the mandate's status lies where this service cannot read it",
     "mint a mandate whose status this service can read"),
    ("credential_lifetime_invalid", _T, "ACT-IAC-01", "the mandate's validity does not end after it starts",
     "mint it with an end after its start"),
    ("constraint_unknown", _T, "ACT-CON-11", "the mandate carries a constraint this verifier does not know",
     "upgrade this verifier, or mint without it"),
    ("extension_unknown", _T, "ACT-CON-13", "the mandate carries an ext block this verifier does not know",
     "upgrade this verifier, or mint without it"),
    ("time_zone_unknown", _T, "ACT-CON-14", "the time zone is not a name of the IANA database used here",
     "use a zone such as Asia/Shanghai, or upgrade the tzdata package"),
    ("constraint_conflict", _T, "ACT-CON-12", "two constraints of the mandate contradict each other",
     "mint it with consistent limits"),
    ("goal_missing", _T, "ACT-IAC-02", "a SPECIFIED mandate names neither payees nor items",
     "name the payee or the items, or use BOUNDED"),
    ("bounds_missing", _T, "ACT-IAC-03", "a BOUNDED mandate has no bound beside its total and its window",
     "add a bound on payees, items, categories, single amounts or periods"),
    ("intent_digest_mismatch", _T, "ACT-INT-01", "the recorded intent does not hash to its digest",
     "present the content that was digested"),
    ("envelope_mixed", _T, "ACT-CHN-01", "the chain mixes COSE and JOSE", "sign every link in the mandate's envelope"),
    ("order_total_mismatch", _T, "ACT-ORD-01", "the order's items do not add up to its amount", "have the order signed again"),
    # --- the agent's proof ---------------------------------------------------------------------------------------
    ("agent_signature_invalid", _T, "ACT-PAY-01", "the payment request is not signed by the agent key its mandate names",
     "sign the request with the key the mandate was minted for"),
    # --- who may sign what, and give what to whom ------------------------------------------------------------------
    ("signer_unknown", _T, "ACT-PAR-02", "no party with this role has this key in force at that time",
     "check the parties file, or sign with an enrolled key"),
    ("signer_mismatch", _T, "ACT-PAR-03", "the key belongs to another party than the object names",
     "sign with the named party's key"),
    ("delegator_not_allowed", _T, "ACT-PAR-04", "this issuer may not speak for this delegator",
     "use the delegator's own wallet, or enrol the namespace"),
    ("credential_signature_invalid", _T, "ACT-PAY-02", "the mandate's signature does not verify", "obtain the mandate again"),
    ("link_signature_invalid", _T, "ACT-CHN-02", "the link is not signed by the agent key its parent names",
     "sign the link with the key of the parent's agent"),
    ("delegation_not_allowed", _T, "ACT-PAY-15", "the link's parent allows no sub-agents",
     "pay with the agent the parent names"),
    ("delegation_too_deep", _T, "ACT-CHN-03", "the chain is deeper than the mandate, or than any mandate, allows",
     "delegate fewer times"),
    ("link_parent_mismatch", _T, "ACT-CHN-04", "the link was signed below another parent, or says otherwise than it",
     "present the link below its own parent"),
    ("link_cycle", _T, "ACT-CHN-05", "an agent, its key or a delegation_id stands twice in the chain",
     "delegate to another agent, under a new delegation_id"),
    ("link_outlives_parent", _T, "ACT-CHN-06", "the link starts before or ends after its parent",
     "sign the link with a window inside its parent's"),
    ("link_widens", _T, "ACT-CHN-07", "the link allows something that its parent does not", "sign a narrower link"),
    ("link_payee_added", _T, "ACT-CHN-08", "the link allows a payee that its parent does not", "name the parent's payees only"),
    ("link_behaviour_changed", _T, "ACT-CHN-09", "the link orders another behaviour than its parent",
     "repeat the parent's, or leave it out"),
    ("too_many_limits", _T, "ACT-CHN-10", "the chain has more limits to be counted than one receipt can show",
     "sign links with fewer periods"),
    ("order_signature_invalid", _T, "ACT-PAY-03", "the order's signature does not verify", "obtain the order again"),
    ("instruction_signature_invalid", _T, "ACT-INS-01", "the instruction's signature does not verify",
     "have the instruction signed again"),
    ("receipt_signature_invalid", _T, "ACT-RCT-01", "the receipt's signature does not verify", "obtain the receipt again"),
    ("key_compromised", _T, "ACT-PAR-05", "the key was compromised, and nothing here had recorded the object before",
     "have the object issued again under a new key"),
    ("instruction_not_allowed", _T, "ACT-INS-05", "whoever signed the instruction may not give it",
     "have it signed by somebody who may"),
    ("instruction_mismatch", _T, "ACT-INS-06", "the instruction is about another credential or charge than the one presented",
     "present what the instruction names"),
    # --- replay --------------------------------------------------------------------------------------------------
    ("duplicate_request", _T, "ACT-PAY-04", "the request id was already used for another request", "use a new request id"),
    ("duplicate_instruction", _T, "ACT-LED-12", "the instruction's id was already used for another instruction",
     "sign a new instruction"),
    ("parties_expired", _T, "ACT-PAR-01", "the parties file has expired", "fetch or publish a newer parties file"),
    # --- the request against its own terms, the service and its companions ----------------------------------------
    ("wrong_ledger", _T, "ACT-PAY-05", "the object names another payment service as its one ledger",
     "present it to the payment service it names"),
    ("request_not_yet_valid", _T, "ACT-PAY-06", "the request was issued in the future",
     "check both clocks, then sign a new request"),
    ("request_expired", _T, "ACT-PAY-07", "the request has expired", "sign a new request"),
    ("request_lifetime_too_long", _T, "ACT-PAY-08", "the request's life is not from 1 to 120 seconds",
     "sign a request that lives at most 120 seconds"),
    ("instruction_not_yet_valid", _T, "ACT-INS-02", "the instruction was issued in the future",
     "check both clocks, then sign a new instruction"),
    ("instruction_expired", _T, "ACT-INS-03", "the instruction has expired", "sign a new instruction"),
    ("instruction_lifetime_too_long", _T, "ACT-INS-04", "the instruction's life is not from 1 to 86,400 seconds",
     "sign an instruction that lives at most a day"),
    ("credential_mismatch", _T, "ACT-PAY-09", "the request was signed for another mandate than the one presented",
     "present the mandate the request names"),
    ("order_mismatch", _T, "ACT-PAY-10",
     "the request was signed for another order than the one presented, or says otherwise than it",
     "present the order the request names"),
    ("agent_mismatch", _T, "ACT-PAY-11", "request, mandate and order do not name the same agent",
     "pay with the agent that is named"),
    ("principal_mismatch", _T, "ACT-PAY-12", "request, mandate and order do not name the same principal",
     "pay for the principal that is named"),
    # --- the mandate ---------------------------------------------------------------------------------------------
    ("credential_not_yet_valid", _T, "ACT-PAY-13", "the mandate is not valid yet", "wait until its validity starts"),
    ("credential_expired", _T, "ACT-PAY-14", "the mandate has expired", "ask the principal for a new mandate"),
    ("credential_lifetime_too_long", _T, "ACT-IAC-04", "the mandate lives longer than this service allows",
     "mint it with an earlier end"),
    ("credential_conflict", _T, "ACT-LED-01", "another mandate was already recorded under the same delegation_id",
     "mint with a new delegation_id"),
    ("credential_forgotten", _T, "ACT-LED-14",
     "the mandate is older than this ledger's restoration, and what was spent under it is not known",
     "ask the principal for a new mandate"),
    ("predecessor_unknown", _T, "ACT-LED-16", "the mandate that this one replaces was never recorded here",
     "register that one first, or mint without supersedes"),
    ("successor_mismatch", _T, "ACT-LED-17", "the mandate differs from the one it replaces in what a successor has to keep",
     "mint it with the same currency, refund_restores and envelope"),
    ("credential_superseded", _T, "ACT-LED-15", "the mandate was replaced by a successor", "use the successor"),
    ("credential_revoked", _T, "ACT-LED-02", "the mandate, or a link below it, is revoked",
     "ask whoever signed it for a new one"),
    ("credential_suspended", _T, "ACT-LED-03", "the mandate, or a link below it, is suspended", "wait until it is resumed"),
    ("transition_not_allowed", _T, "ACT-LED-13", "the credential's state does not allow it",
     "look at its state, and at who suspended it"),
    # --- the order -----------------------------------------------------------------------------------------------
    ("order_not_yet_valid", _T, "ACT-ORD-02", "the order was confirmed in the future", "check both clocks, then order again"),
    ("order_expired", _T, "ACT-ORD-03", "the order's price lock has expired", "order again"),
    ("order_already_paid", _T, "ACT-LED-04", "a live or captured charge for this order exists already", "look that charge up"),
    # --- money ---------------------------------------------------------------------------------------------------
    ("mode_mismatch", _T, "ACT-CON-01", "the payment's scenario does not fit the mandate's delegation_mode",
     "use DEL with SPECIFIED and AUP with BOUNDED"),
    ("currency_mismatch", _T, "ACT-CON-02", "the payment is in another currency than the mandate",
     "pay in the mandate's currency"),
    ("single_limit_exceeded", _T, "ACT-CON-03", "the amount is above what the mandate allows for one payment", "pay less"),
    ("single_minimum_missed", _T, "ACT-CON-04", "the amount is below what the mandate allows for one payment",
     "pay more at once"),
    ("payment_method_not_allowed", _T, "ACT-CON-05", "the mandate does not allow this payment method", "use an allowed method"),
    ("confirmation_required", _T, "ACT-CON-15", "above this amount the principal has to confirm the very payment",
     "pay less, or have the principal confirm"),
    ("total_limit_exceeded", _T, "ACT-CON-06", "the amount no longer fits into what the mandate has left",
     "pay less, or ask the principal for a new mandate"),
    ("times_limit_exceeded", _T, "ACT-CON-16", "the mandate allows no further payment", "ask the principal for a new mandate"),
    ("period_amount_exceeded", _T, "ACT-CON-17", "the amount no longer fits into what this period has left",
     "pay less, or wait until the period turns"),
    ("period_times_exceeded", _T, "ACT-CON-18", "this period allows no further payment", "wait until the period turns"),
    # --- semantics -----------------------------------------------------------------------------------------------
    ("payee_not_allowed", _T, "ACT-CON-07", "the mandate does not allow this payee", "buy from an allowed payee"),
    ("payee_forbidden", _T, "ACT-CON-08", "the mandate forbids this payee", "buy from another payee"),
    ("category_not_allowed", _T, "ACT-CON-09", "the mandate does not allow this category",
     "buy something in an allowed category"),
    ("category_forbidden", _T, "ACT-CON-10", "the mandate forbids this category", "buy something else"),
    ("item_not_allowed", _T, "ACT-CON-19", "the order has an item the mandate does not name", "order only what is named"),
    ("item_quantity_exceeded", _T, "ACT-CON-20", "the order has more of an item than the mandate allows", "order less"),
    ("item_price_exceeded", _T, "ACT-CON-21", "an item costs more than the mandate allows", "order something cheaper"),
    ("price_deviation_exceeded", _T, "ACT-CON-22", "an item costs more than the confirmed price and its tolerance",
     "ask the principal to confirm the new price"),
    ("delivery_time_missed", _T, "ACT-CON-23", "the order does not promise delivery in the time the mandate requires",
     "order where it is delivered in time"),
    ("delivery_address_mismatch", _T, "ACT-CON-24", "the order is not delivered to the mandate's address",
     "order to the mandate's address"),
    ("outside_schedule", _T, "ACT-CON-25", "the mandate allows no payment at this time of the week",
     "pay within the mandate's schedule"),
    # --- charges -------------------------------------------------------------------------------------------------
    ("charge_unknown", _T, "ACT-LED-05", "the ledger has no such charge", "check the charge id"),
    ("charge_closed", _T, "ACT-LED-06", "the hold is already closed", "look at the charge's state"),
    ("capture_exceeds_hold", _T, "ACT-LED-07", "the capture is above what is held", "capture at most what is held"),
    ("hold_expired", _T, "ACT-LED-08", "the hold has expired", "void it, and authorize a new payment"),
    ("duplicate_capture", _T, "ACT-LED-09", "another amount was captured under this number",
     "repeat it with its amount, or use a new number"),
    ("refund_exceeds_captured", _T, "ACT-LED-10", "the refund is above what was captured and not yet refunded",
     "refund at most what is left"),
    ("duplicate_refund", _T, "ACT-LED-11", "another amount was refunded under this number",
     "repeat it with its amount, or use a new number"),
    # --- receipts ------------------------------------------------------------------------------------------------
    ("receipt_mismatch", _T, "ACT-RCT-02", "the receipt is about something else than expected",
     "ask for the receipt of this order"),
    ("receipt_not_paid", _T, "ACT-RCT-03", "the receipt does not say that money is held or captured", "do not deliver"),
    ("receipt_out_of_chain", _T, "ACT-RCT-04", "the receipt does not continue the chain of receipts that the ledger has",
     "give every receipt since the backup, and none of another history"),
    # --- your call -----------------------------------------------------------------------------------------------
    ("call_invalid", _C, "ACT-CALL-01", "the call is not valid", "correct the call"),
    ("key_unusable", _C, "ACT-CALL-02", "the key file cannot be used", "check the file, its format and the passphrase"),
    ("parties_invalid", _C, "ACT-CALL-03", "the parties file is not valid", "correct the parties file"),
    ("draft_invalid", _C, "ACT-CALL-04", "the input to be signed is not valid", "correct the input"),
    # --- our store -----------------------------------------------------------------------------------------------
    ("file_unreadable", _S, "ACT-STO-01", "the file cannot be read", "check the path and its permissions"),
    ("file_unwritable", _S, "ACT-STO-02", "the file cannot be written", "check the path, its permissions and free space"),
    ("file_exists", _S, "ACT-STO-03", "the file exists already and is not overwritten",
     "name another file, or remove it first"),
    ("store_unavailable", _S, "ACT-STO-04", "the ledger cannot be opened, read or written",
     "check the ledger's file or server"),
    ("store_read_only", _S, "ACT-STO-05", "the ledger is read-only", "make the ledger writable"),
    ("store_full", _S, "ACT-STO-06", "the ledger's disk is full", "free space, then send the same request again"),
    ("store_busy", _S, "ACT-STO-07", "the ledger stayed locked for too long", "send the same request again"),
    ("store_unknown_version", _S, "ACT-STO-08", "the file is not a ledger this version can read",
     "use the version that wrote it"),
    ("store_wrong_ledger", _S, "ACT-STO-09", "the ledger belongs to another payment service", "open the right ledger"),
    ("store_frozen", _S, "ACT-STO-10", "the ledger is a backup, and does not know what was spent since",
     "run act ledger reconcile on it, or open the ledger it is a backup of"),
)
# fmt: on

CODES: Final[Mapping[str, Code]] = MappingProxyType({row[0]: Code(*row) for row in _TABLE})
"""Code -> row, in precedence order."""

_PRECEDENCE: Final[Mapping[str, int]] = {code: place for place, code in enumerate(CODES)}


def precedence(code: str) -> int:
    """The place of a code in the table, from 0: of two refusals the one with the lower number is reported."""
    return _PRECEDENCE[code]


_MAX_WHERE: Final = 1_024


def _printable(text: str) -> str:
    """Control and direction characters as escapes: an unknown field's name must not steer the terminal that shows it."""
    shown = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text[:_MAX_WHERE])
    return shown[:_MAX_WHERE]


class ActError(Exception):
    """What every error of this library has: a stable `code`, its `rule`, `where` it is, and `facts` as plain data.

    `where` is a path into the presented object, such as `request.act.amount`, or the ACT path of the constraint that refused,
    such as `ext.commerce.max_single_amount`; it is empty when the whole object is meant.
    Names in it may be a stranger's, so it is printable, with other characters escaped, and has at most 1,024 characters.
    `facts` holds small plain values (integers, short strings) that a program may use; it never holds a secret.
    """

    fault: Fault

    def __init__(self, code: str, where: str = "", **facts: int | str) -> None:
        row = CODES[code]
        if row.fault is not self.fault:
            raise ValueError(f"{code} is a {row.fault.value} code, not a {self.fault.value} code")
        self.code = code
        self.where = where if where.isprintable() and len(where) <= _MAX_WHERE else _printable(where)
        self.facts = facts
        super().__init__(code, self.where)

    @property
    def rule(self) -> str:
        """The permanent id of the rule that was broken, as the specification cites it."""
        return CODES[self.code].rule

    @property
    def precedence(self) -> int:
        """Its place in the table, from 0: of two errors the one with the lower number is reported."""
        return _PRECEDENCE[self.code]

    @property
    def meaning(self) -> str:
        """What happened, in one plain English clause."""
        return CODES[self.code].meaning

    @property
    def remedy(self) -> str:
        """What the one at fault can do about it."""
        return CODES[self.code].remedy

    def within(self, place: str) -> Self:
        """The same error seen from outside: `place` in front of where it is."""
        where = f"{place}.{self.where}" if self.where else place
        return type(self)(self.code, where, **self.facts)

    def __str__(self) -> str:
        place = f" at {self.where}" if self.where else ""
        facts = "".join(f"; {name}={value}" for name, value in self.facts.items())
        return f"{self.code}{place}: {self.meaning}{facts}"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.code, self.where, self.facts)


def _rebuild(kind: type[ActError], code: str, where: str, facts: dict[str, int | str]) -> ActError:
    """Unpickle an error: facts are keyword arguments, which BaseException does not carry by itself."""
    return kind(code, where, **facts)


class Refused(ActError):
    """What was presented is refused. Nothing was reserved, and no other state moved but what was recorded.

    A refusal that the ledger recorded carries its signed `receipt`; `replayed` tells that it was recorded earlier and is only
    being repeated.
    """

    fault = Fault.TOKEN
    receipt: bytes | None = None
    replayed: bool = False


class InvalidCall(ActError, ValueError):
    """The library was called in a way that cannot be right: the caller's mistake, not the counterparty's."""

    fault = Fault.CALL


class StoreFault(ActError):
    """A ledger or a file could not be read or written. No outcome was acknowledged; the same request may come again."""

    fault = Fault.STORE

"""Vectors of instructions, as a payment service judges them before its ledger is asked: who signed, who may, for whom, when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from act.envelope.kinds import INSTRUCTION
from act.envelope.objects import seal
from act.wire import cbor
from vector_sets import world
from vector_sets.linked import DEPTH, link
from vector_sets.shape import Vector, accept, intermediate, refuse, vector_file
from vector_sets.world import KEYS, NOW, REMOVED, changed, claims_of, identity, mandate, order, uuid_of

__all__ = ["NAMES", "about_credential", "instructions_file"]

_DAY: Final = 86_400
_SHOP: Final = "teashop.example"
_PLAIN: Final = {DEPTH: 2, "act.ext.commerce.allowed_merchants": [_SHOP]}
_ROOT: Final = mandate(_PLAIN)
_LINK: Final = link(_ROOT)
_OWN: Final = mandate(_PLAIN | {"iss": "user:lin"}, signer="principal")
NAMES: Final = {
    "wallet": "wallet.example", "wallet-es256": "wallet.example", "principal": "user:lin", "psp": "psp-1",
    "agent": "agent:tea-runner", "courier": "agent:courier", "other-wallet": "other-wallet.example", "other-psp": "psp-2",
    "teashop": _SHOP, "teashop-es256": _SHOP, "cha": "cha.example",
}  # fmt: skip
_CHARGE: Final[Mapping[str, Mapping[str, Any]]] = {
    "capture": {"amount": "18.00", "currency": "CNY"},
    "void": {},
    "refund": {"amount": "5.00", "currency": "CNY", "refund_no": "R-1"},
}


def _claims(action: str, signer: str, about: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "iss": NAMES.get(signer, "wallet.example"),
        "aud": "psp-1",
        "exp": NOW + _DAY,
        "iat": NOW,
        "cti": uuid_of(f"instruction {action}"),
        "act": {"action": action, **about},
    }


def about_credential(
    action: str, chain: Sequence[bytes] = (_ROOT,), *, signer: str = "wallet", changes: Mapping[str, Any] | None = None
) -> bytes:
    """An honest instruction about the last credential of a chain, with changes."""
    root = claims_of(chain[0])
    about = {
        "delegator_identity": root[-70001]["delegator_identity"],
        "delegation_id": root[7],
        "credential": identity(chain[-1]),
    }
    return seal(INSTRUCTION, changed(_claims(action, signer, about), changes), KEYS[signer])


def about_charge(action: str, *, signer: str = "teashop", changes: Mapping[str, Any] | None = None) -> bytes:
    """An honest instruction about a charge, with changes."""
    about = {"trade_no": "ch_00000000000000000000000000000001", **_CHARGE[action]}
    return seal(INSTRUCTION, changed(_claims(action, signer, about), changes), KEYS[signer])


def _fields(data: bytes, chain: Sequence[bytes], parties: str, at: int) -> dict[str, Any]:
    whose = {"chain": [each.hex() for each in chain]} if chain else {"payee": _SHOP}
    return {"input": data, **whose, "ledger": "psp-1", "parties": parties, "at": at}


def _good(
    name: str,
    why: str,
    rules: list[str],
    data: bytes,
    causer: str,
    chain: Sequence[bytes] = (),
    *,
    at: int = NOW,
    shown: bool = False,
    parties: str = "standard",
) -> Vector:
    more = {"intermediate": intermediate(data)} if shown else {}
    return accept(f"instructions/{name}", why, rules, **_fields(data, chain, parties, at), causer=causer, **more)


def _bad(
    name: str,
    why: str,
    code: str,
    where: str,
    data: bytes,
    chain: Sequence[bytes] = (),
    *,
    at: int = NOW,
    parties: str = "standard",
) -> Vector:
    return refuse(f"instructions/{name}", why, code, where, **_fields(data, chain, parties, at))


_WHO: Final = ["ACT-INS-01", "ACT-INS-05"]


def _lifecycles() -> list[Vector]:
    causers = (("wallet", "principal"), ("principal", "principal"), ("psp", "risk_control"), ("agent", "agent"))
    whys = {
        "wallet": "The wallet that issued the mandate speaks for the principal.",
        "principal": "The principal speaks for itself.",
        "psp": "Risk control is the payment service that counts the mandate.",
        "agent": "The agent of the mandate.",
    }
    vectors = []
    for action, allowed in (("suspend", {"wallet", "principal", "psp"}), ("resume", {"wallet", "principal", "psp"}),
                            ("revoke", {"wallet", "principal", "agent"})):  # fmt: skip
        for signer, causer in causers:
            data, name = about_credential(action, signer=signer), f"{action}-by-{signer}"
            if signer in allowed:
                shown = name in ("suspend-by-psp", "revoke-by-agent", "revoke-by-wallet")
                vectors.append(_good(name, f"{whys[signer]} It may {action}.", _WHO, data, causer, [_ROOT], shown=shown))
            else:
                why = f"{whys[signer]} It may not {action}."
                vectors.append(_bad(name, why, "instruction_not_allowed", "instruction.act.action", data, [_ROOT]))
    es256 = about_credential("suspend", signer="wallet-es256")
    later = mandate(_PLAIN | {"nbf": NOW + 3600})
    return [
        *vectors,
        _good("es256", "ES256.", ["ACT-INS-01"], es256, "principal", [_ROOT], shown=True),
        _good("es256-high-s", "The same instruction with (r, n - s): the identity is the same.", ["ACT-INS-01"],
              world.high_s(es256), "principal", [_ROOT]),
        _good("own-mandate", "A principal that signed its own mandate ends it.", _WHO,
              about_credential("revoke", [_OWN], signer="principal"), "principal", [_OWN]),
        _good("before-start", "A mandate can be stopped before it starts.", ["ACT-INS-05"],
              about_credential("revoke", [later]), "principal", [later]),
        _good("reason", "A reason is for people.", ["ACT-ENV-07"],
              about_credential("suspend", changes={"act.reason": "I lost my phone"}), "principal", [_ROOT]),
        _good("principal-while-wallet-compromised", "A stolen wallet key does not keep the principal from stopping.",
              ["ACT-PAR-05"], about_credential("revoke", signer="principal"), "principal", [_ROOT],
              parties="wallet-compromised"),
    ]  # fmt: skip


def _links() -> list[Vector]:
    chain, passing = [_ROOT, _LINK], link(_ROOT, {DEPTH: 1})
    longer = [_ROOT, passing, link(passing, agent="courier-2")]
    return [
        _good("link-by-wallet", "The principal may stop anything below its mandate.", ["ACT-INS-06"],
              about_credential("suspend", chain), "principal", chain),
        _good("link-by-psp", "Risk control may suspend one link alone.", ["ACT-INS-06"],
              about_credential("suspend", chain, signer="psp"), "risk_control", chain),
        _good("link-by-own-agent", "A sub-agent gives up what it was given.", ["ACT-INS-05"],
              about_credential("revoke", chain, signer="courier"), "agent", chain, shown=True),
        _good("link-by-parents-agent", "The agent that signed the link ends it.", ["ACT-INS-05"],
              about_credential("revoke", chain, signer="agent"), "agent", chain),
        _good("link-by-first-agent", "So may any agent above.", ["ACT-INS-05"],
              about_credential("revoke", longer, signer="agent"), "agent", longer),
        _bad("parent-by-sub-agent", "A sub-agent cannot end what stands above it.", "instruction_not_allowed",
             "instruction.iss", about_credential("revoke", signer="courier"), [_ROOT]),
        _bad("parent-by-sub-agent-with-link", "Nor by presenting its own link as well.", "instruction_mismatch",
             "instruction.act.credential", about_credential("revoke", signer="courier"), chain),
        _bad("link-suspended-by-agent", "An agent ends its link, but suspends nothing.", "instruction_not_allowed",
             "instruction.act.action", about_credential("suspend", chain, signer="courier"), chain),
        _bad("link-missing", "A link is judged with the link itself.", "instruction_mismatch",
             "instruction.act.credential", about_credential("suspend", chain), [_ROOT]),
        _bad("link-forged", "A link that the parent's agent did not sign.", "link_signature_invalid", "link.1",
             about_credential("suspend", [_ROOT, link(_ROOT, signer="stranger")]), [_ROOT, link(_ROOT, signer="stranger")]),
    ]  # fmt: skip


def _charges() -> list[Vector]:
    part = {"act.capture_no": "S-1", "act.fulfilment": bytes(range(32)), "act.amount": "5.00"}
    not_allowed = "instruction_not_allowed"
    return [
        _good("capture", "The payee takes what is held for it.", _WHO, about_charge("capture"), "payee", shown=True),
        _good("capture-part", "A part under the payee's number, with the digest of its proof of delivery.", ["ACT-ENV-07"],
              about_charge("capture", changes=part), "payee", shown=True),
        _good("refund", "The payee gives money back.", _WHO, about_charge("refund"), "payee", shown=True),
        _good("void", "The payee lets go of a hold.", _WHO, about_charge("void"), "payee", shown=True),
        _good("void-by-psp", "So may the payment service.", _WHO, about_charge("void", signer="psp"), "psp"),
        _good("capture-es256", "ES256.", ["ACT-INS-01"], about_charge("capture", signer="teashop-es256"), "payee"),
        _bad("capture-by-psp", "A payment service takes no money for a payee.", not_allowed, "instruction.act.action",
             about_charge("capture", signer="psp")),
        _bad("refund-by-psp", "Nor does it give a payee's money back.", not_allowed, "instruction.act.action",
             about_charge("refund", signer="psp")),
        _bad("capture-by-other-payee", "Another shop takes this shop's money.", not_allowed, "instruction.iss",
             about_charge("capture", signer="cha")),
        _bad("void-by-other-payee", "Another shop lets go of this shop's hold.", not_allowed, "instruction.iss",
             about_charge("void", signer="cha")),
        _bad("capture-by-wallet", "A wallet is no payee.", "signer_unknown", "instruction.iss",
             about_charge("capture", signer="wallet")),
        _bad("void-by-other-psp", "Another payment service is nobody here.", "signer_unknown", "instruction.iss",
             about_charge("void", signer="other-psp")),
    ]  # fmt: skip


def _signers() -> list[Vector]:
    data = about_credential("suspend")
    foreign = world.with_signature(data, cbor.decode_sign1(about_credential("suspend", signer="other-wallet"))[2])
    not_allowed, bad = "instruction_not_allowed", "instruction_signature_invalid"
    forged = mandate(_PLAIN, signer="stranger")
    return [
        _bad("tampered", "A larger amount than the payee signed.", bad, "instruction",
             world.tampered(about_charge("capture"), b"famounte18.00", b"famounte98.00")),
        _bad("signature-foreign", "Another wallet's signature under this wallet's key id.", bad, "instruction", foreign,
             [_ROOT]),
        _bad("agent-other-key", "Another key in the agent's name.", bad, "instruction",
             about_credential("revoke", signer="other-agent", changes={"iss": "agent:tea-runner"}), [_ROOT]),
        _bad("agent-as-wallet", "The agent's key in the wallet's name.", "signer_unknown", "instruction.iss",
             about_credential("resume", signer="agent", changes={"iss": "wallet.example"}), [_ROOT]),
        _bad("key-unknown", "A key nobody enrolled.", "signer_unknown", "instruction.iss",
             about_credential("suspend", signer="stranger"), [_ROOT]),
        _bad("key-too-young", "Signed before the key came into force.", "signer_unknown", "instruction.iss",
             about_credential("suspend", changes={"iat": world.KEYS_START - 1, "exp": NOW + 60}), [_ROOT]),
        _bad("key-of-another", "Another shop's key in this shop's name.", "signer_mismatch", "instruction.iss",
             about_charge("capture", signer="cha", changes={"iss": _SHOP})),
        _bad("wallet-other", "Another wallet's users are no business of this one.", not_allowed, "instruction.iss",
             about_credential("suspend", signer="other-wallet"), [_ROOT]),
        _bad("service-other", "Another payment service is not this mandate's risk control.", not_allowed, "instruction.iss",
             about_credential("suspend", signer="other-psp"), [_ROOT]),
        _bad("payee-revokes", "A payee stops no mandate.", not_allowed, "instruction.iss",
             about_credential("revoke", signer="teashop"), [_ROOT]),
        _bad("wallet-compromised", "The wallet's key was stolen.", "key_compromised", "instruction.iss", data, [_ROOT],
             parties="wallet-compromised"),
        _bad("payee-compromised", "The payee's key was stolen.", "key_compromised", "instruction.iss",
             about_charge("capture"), parties="teashop-compromised"),
        _bad("service-compromised", "The payment service's key was stolen.", "key_compromised", "instruction.iss",
             about_charge("void", signer="psp"), parties="psp-compromised"),
        _bad("mandate-forged", "A mandate that its wallet did not sign.", "signer_unknown", "mandate.iss",
             about_credential("revoke", [forged], signer="agent"), [forged]),
        _bad("kind-order", "An order is no instruction.", "kind_unexpected", "instruction", order()),
    ]  # fmt: skip


def _about() -> list[Vector]:
    other = mandate(_PLAIN | {"act.max_total_amount": "100.00"})
    elsewhere = mandate(_PLAIN | {"aud": "psp-2", "status": {"ledger": "psp-2"}})
    mismatch = "instruction_mismatch"
    return [
        _bad("mandate-other", "It is about another mandate of the same issuer.", mismatch, "instruction.act.credential",
             about_credential("revoke"), [other]),
        _bad("id-other", "It names another delegation_id.", mismatch, "instruction.act.delegation_id",
             about_credential("revoke", changes={"act.delegation_id": uuid_of("other")}), [_ROOT]),
        _bad("principal-other", "It names another principal.", mismatch, "instruction.act.delegator_identity",
             about_credential("revoke", changes={"act.delegator_identity": "user:wu"}), [_ROOT]),
        _bad("audience-other", "It is for another payment service.", "wrong_ledger", "instruction.aud",
             about_credential("revoke", changes={"aud": "psp-2"}), [_ROOT]),
        _bad("capture-audience-other", "It is for another payment service.", "wrong_ledger", "instruction.aud",
             about_charge("capture", changes={"aud": "psp-2"})),
        _bad("mandate-elsewhere", "Another payment service counts the mandate.", "wrong_ledger", "mandate.aud",
             about_credential("revoke", [elsewhere]), [elsewhere]),
        _bad("parties-expired", "A parties file that has ended.", "parties_expired", "parties", about_charge("void"),
             parties="expiring"),
    ]  # fmt: skip


def _times() -> list[Vector]:
    why_ahead = "An instruction may be issued 10 seconds ahead of the verifier's clock, and no more."
    vectors = []
    for offset in (9, 10, 11):
        data, name = about_charge("void", changes={"iat": NOW + offset}), f"issued-plus-{offset}"
        vectors.append(
            _good(name, why_ahead, ["ACT-INS-02"], data, "payee")
            if offset <= 10
            else _bad(name, why_ahead, "instruction_not_yet_valid", "instruction.iat", data)
        )
    why_end = "At exp itself the instruction has ended."
    for offset, suffix in ((-1, "-minus-1"), (0, ""), (1, "-plus-1")):
        data, at = about_charge("void"), NOW + _DAY + offset
        vectors.append(
            _good(f"end{suffix}", why_end, ["ACT-INS-03"], data, "payee", at=at)
            if offset < 0
            else _bad(f"end{suffix}", why_end, "instruction_expired", "instruction.exp", data, at=at)
        )
    why_life = "An instruction lives for 1 to 86,400 seconds."
    for seconds in (1, _DAY, _DAY + 1):
        data, name = about_charge("void", changes={"exp": NOW + seconds}), f"lives-{seconds}"
        vectors.append(
            _good(name, why_life, ["ACT-INS-04"], data, "payee")
            if seconds <= _DAY
            else _bad(name, why_life, "instruction_lifetime_too_long", "instruction.exp", data)
        )
    backwards = about_charge("void", changes={"iat": NOW + 5, "exp": NOW + 5})
    return [
        *vectors,
        _bad("lives-0", why_life, "instruction_lifetime_too_long", "instruction.exp", backwards),
    ]


_SHAPES: tuple[tuple[str, str, str, str, str, Mapping[str, Any]], ...] = (
    ("action-unknown", "An action the profile does not have.", "claim_invalid", "act.action", "void", {"act.action": "pause"}),
    ("action-list", "An action is a text.", "claim_invalid", "act.action", "void", {"act.action": ["void"]}),
    ("void-amount", "A void releases all that is left.", "claim_unknown", "act.amount", "void", {"act.amount": "1.00"}),
    ("void-credential", "One instruction is about one thing.", "claim_unknown", "act.credential", "void",
     {"act.credential": bytes(32)}),
    ("capture-refund-no", "A capture has no refund number.", "claim_unknown", "act.refund_no", "capture",
     {"act.refund_no": "R-1"}),
    ("refund-capture-no", "A refund has no capture number.", "claim_unknown", "act.capture_no", "refund",
     {"act.capture_no": "S-1"}),
    ("refund-fulfilment", "A refund proves no delivery.", "claim_unknown", "act.fulfilment", "refund",
     {"act.fulfilment": bytes(32)}),
    ("suspend-trade-no", "A suspension is about no charge.", "claim_unknown", "act.trade_no", "suspend",
     {"act.trade_no": "ch_1"}),
    ("suspend-amount", "Nor about money.", "claim_unknown", "act.amount", "suspend", {"act.amount": "1.00"}),
    ("unknown-field", "A field beside the profile's.", "claim_unknown", "act.note", "void", {"act.note": "x"}),
    ("fulfilment-31", "A digest has 32 bytes.", "claim_invalid", "act.fulfilment", "capture", {"act.fulfilment": bytes(31)}),
    ("credential-31", "An identity has 32 bytes.", "claim_invalid", "act.credential", "revoke", {"act.credential": bytes(31)}),
    ("id-15", "An id has 16 bytes.", "claim_invalid", "cti", "void", {"cti": bytes(15)}),
    ("reason-empty", "What is absent is left out.", "claim_invalid", "act.reason", "void", {"act.reason": ""}),
    ("reason-bidi", "A reason that reads backwards on a screen.", "claim_invalid", "act.reason", "void",
     {"act.reason": "x\u202ey"}),
    ("amount-zero", "Nothing is no amount.", "amount_invalid", "act.amount", "capture", {"act.amount": "0.00"}),
    ("amount-digits", "An amount has its currency's digits.", "amount_invalid", "act.amount", "refund", {"act.amount": "5"}),
    ("currency-unknown", "A currency that is none.", "currency_unknown", "act.amount", "capture", {"act.currency": "XXX"}),
    ("audience-list", "One payment service obeys.", "claim_invalid", "aud", "void", {"aud": ["psp-1"]}),
)  # fmt: skip


def _contents() -> list[Vector]:
    mandatory = {
        "void": ("iss", "aud", "exp", "iat", "cti", "act", "act.action", "act.trade_no"),
        "capture": ("act.amount", "act.currency"),
        "refund": ("act.amount", "act.currency", "act.refund_no"),
        "revoke": ("act.delegator_identity", "act.delegation_id", "act.credential"),
    }
    cases = [
        (f"{action}-missing-{path.rpartition('.')[2].replace('_', '-')}", "Every one of these claims is mandatory.",
         "claim_missing", path, action, {path: REMOVED})
        for action, paths in mandatory.items()
        for path in paths
    ]  # fmt: skip
    vectors = []
    for name, why, code, path, action, changes in (*cases, *_SHAPES):
        of_charge = action in _CHARGE
        data = about_charge(action, changes=changes) if of_charge else about_credential(action, changes=changes)
        vectors.append(_bad(name, why, code, f"instruction.{path}", data, () if of_charge else [_ROOT]))
    return vectors


def instructions_file() -> dict[str, Any]:
    """instructions.json."""
    about = (
        "One instruction each, judged by the payment service `ledger` before it asks its ledger: about the last credential of "
        "`chain`, or about a charge that pays `payee`."
    )
    return vector_file(
        "instructions",
        about,
        [*_lifecycles(), *_links(), *_charges(), *_signers(), *_about(), *_times(), *_contents()],
    )

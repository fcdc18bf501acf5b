"""Vectors of chains, as `verify_mandate` judges a mandate with links below it: who signed, what is narrowed, how deep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from act.envelope.kinds import LINK, MANDATE
from act.wire import cbor
from vector_sets import world
from vector_sets.chain_further import BEHAVIOUR, FURTHER, FURTHER_LIMITS, FURTHER_ROOT, SILENT
from vector_sets.chain_steps import STEPS
from vector_sets.jose import converted
from vector_sets.linked import DEPTH, chain_of, limit_of, link, link_claims, name_of, plain_root, root_mandate
from vector_sets.shape import Vector, accept, chain_intermediate, plain_json, refuse, vector_file
from vector_sets.world import KEYS, MANDATE_CLAIMS, MANDATE_END, NOW, REMOVED, claims_of, header, mandate, order, signed

_START: Final = MANDATE_CLAIMS["nbf"]
_TOTAL: Final = "act.max_total_amount"
_CAP: Final = {"limit": "max_total_amount", "cap": 20_000}


def _effective(chain: Sequence[bytes]) -> dict[str, Any]:
    """The nearest statement of each constraint, by path. That a sub-agent may delegate is said by its own credential alone."""
    stated: dict[str, Any] = {"delegation_mode": "SPECIFIED"}
    for credential in chain:
        claims = claims_of(credential)
        body = claims[-70001]
        stated.pop("ext.delegation.max_depth", None)
        stated |= {"validity": [claims[5], claims[4]]}
        names = ("delegation_mode", "currency", "max_total_amount", "allowed_payment_methods")
        stated |= {name: body[name] for name in names if name in body}
        if any("confirmed_unit_amount" in entry for entry in body.get("ext", {}).get("items", ())):
            stated["ext.agent_behavior.price_deviation_tolerance"] = "0"  # unless the same credential says otherwise
        for block, fields in body.get("ext", {}).items():
            if block in ("items", "schedule"):
                stated[f"ext.{block}"] = fields
            elif block != "vendor_private":
                stated |= {f"ext.{block}.{name}": value for name, value in fields.items()}
    return {path: plain_json(value) for path, value in stated.items()}


_WINDOWS: Final = [{"sliding_seconds": 60 + place, "max_amount": "20.00"} for place in range(8)]
_QUOTA: Final = "act.ext.quota."


def _counted_chain(last: Mapping[str, Any]) -> list[bytes]:
    """A mandate and four links with nine limits each, one with two, and a last one with what it is given."""
    chain = [plain_root({DEPTH: 6, f"{_QUOTA}periods": _WINDOWS})]
    nine: dict[str, Any] = {_TOTAL: "20.00", f"{_QUOTA}periods": _WINDOWS}
    two: dict[str, Any] = {_TOTAL: "20.00", f"{_QUOTA}times_limit": 9}
    stated: list[dict[str, Any]] = [nine, nine, nine, nine, two, dict(last)]
    for place, changes in enumerate(stated, 1):
        agent = "courier" if place == 1 else f"courier-{place}"
        chain.append(link(chain[-1], changes | ({DEPTH: 6 - place} if place < 6 else {}), agent=agent))
    return chain


def _counted_limits(chain: Sequence[bytes]) -> list[dict[str, Any]]:
    """What a ledger counts under such a chain, totals first, then the count, then the windows."""
    windows = [{"limit": f"ext.quota.periods.{place}.max_amount~{60 + place}", "cap": 2_000} for place in range(8)]
    own = [each | {"limit": f"{name_of(link)}/{each['limit']}"} for link in chain[1:5] for each in windows]
    times = {"limit": f"{name_of(chain[5])}/ext.quota.times_limit", "cap": 9, "unit": "TIMES"}
    return [*map(dict, _capped(*((link, 2_000) for link in chain[1:]))), times, *windows, *own]


def _good(
    name: str,
    why: str,
    rules: list[str],
    chain: Sequence[bytes],
    *,
    limits: Sequence[Mapping[str, Any]] = (_CAP,),
    at: int = NOW,
    shown: bool = False,
) -> Vector:
    leaf = {
        "agent_id": claims_of(chain[-1])[2],
        "identity": world.identity(chain[-1]).hex(),
        "effective": _effective(chain),
    }
    more = {"intermediate": chain_intermediate(chain)} if shown else {}
    links = [each.hex() for each in chain[1:]]
    return accept(
        f"chains/{name}",
        why,
        rules,
        input=chain[0],
        links=links,
        parties="standard",
        at=at,
        leaf=leaf,
        limits=list(limits),
        **more,
    )


def _bad(name: str, why: str, code: str, where: str, chain: Sequence[bytes], *, at: int = NOW) -> Vector:
    links = [each.hex() for each in chain[1:]]
    return refuse(f"chains/{name}", why, code, where, input=chain[0], links=links, parties="standard", at=at)


def _capped(*caps: tuple[bytes, int]) -> list[Mapping[str, Any]]:
    return [_CAP, *({"limit": limit_of(each), "cap": cap} for each, cap in caps)]


def _accepted() -> list[Vector]:
    root = root_mandate()
    inherited, least = link(root), mandate({DEPTH: 1})
    every = [
        "ACT-PAY-15",
        "ACT-CHN-01",
        "ACT-CHN-02",
        "ACT-CHN-03",
        "ACT-CHN-04",
        "ACT-CHN-05",
        "ACT-CHN-06",
        "ACT-CHN-07",
        "ACT-CHN-08",
    ]
    narrowed = {path: value for _, path, _, value, *_ in STEPS if path.startswith("act.") and value is not None}
    tight = link(root, narrowed | {"nbf": _START + 1, "exp": MANDATE_END - 1})
    first = link(root, {_TOTAL: "50.00", DEPTH: 1})
    second = link(first, {_TOTAL: "20.00"}, agent="courier-2")
    es256_root = root_mandate({"cnf": {1: KEYS["agent-es256"].public_key.cose_key}}, signer="wallet-es256")
    es256 = link(es256_root, {DEPTH: 1})
    below = link(es256, agent="courier-2")
    own = link(least, {"act.ext.commerce.max_single_amount": "30.00", "act.ext.commerce.allowed_merchants": ["cha.example"]})
    silent = mandate({DEPTH: 1, "act.delegation_mode": REMOVED})
    counted = _counted_chain({_TOTAL: "20.00"})
    return [
        _good("one", "A link that states nothing inherits everything, but for the consent to further links.", every,
              [root, inherited], shown=True),
        _good("two", "Two links, each with a total of its own: a ledger debits all three.", ["ACT-CHN-03", "ACT-CHN-07"],
              [root, first, second], limits=_capped((first, 5_000), (second, 2_000)), shown=True),
        _good("limits-48", "As many limits as one receipt can show.", ["ACT-CHN-10"], counted,
              limits=_counted_limits(counted)),
        _good("eight", "The longest chain.", ["ACT-CHN-03", "ACT-CHN-05"], chain_of(8)),
        _good("narrowed-everywhere", "Every constraint narrowed by the least there is.", every, [root, tight],
              limits=_capped((tight, 19_999))),
        _good("none", "No link: the mandate alone is a chain.", ["ACT-PAY-15"], [root]),
        _good("es256", "A P-256 agent signs a link for an Ed25519 one, which signs another.", ["ACT-CHN-02"],
              [es256_root, es256, below]),
        _good("es256-high-s", "The link's other valid signature (r, n - s) leaves its identity, so the next link still fits.",
              ["ACT-CHN-02", "ACT-CHN-04"], [es256_root, world.high_s(es256), below]),
        _good("bounds-of-its-own", "A link may bound what its parent left open.", ["ACT-CHN-07", "ACT-CHN-08"], [least, own]),
        _good("mode-said", "A mandate without delegation_mode is SPECIFIED, and its link may say so.", ["ACT-CHN-07"],
              [silent, link(silent, {"act.delegation_mode": "SPECIFIED"})]),
        _good("vendor-private", "What is never interpreted narrows nothing and widens nothing.", ["ACT-CHN-07"],
              [root, link(root, {"act.ext.vendor_private": {"max_total_amount": "900.00"}})]),
    ]  # fmt: skip


def _steps() -> list[Vector]:
    """Each constraint: equal to the parent's, one step narrower, one step wider."""
    root, vectors = root_mandate(), []
    for name, path, equal, narrower, wider, code, rule, why in STEPS:
        field = "validity" if "." not in path else path.removeprefix("act.")
        for side, value in (("equal", equal), ("narrower", narrower)):
            if value is None:
                continue
            chain = [root, link(root, {path: value})]
            cap = {"200.00": 20_000, "199.99": 19_999}.get(value) if path == _TOTAL else None
            limits = [_CAP] if cap is None else _capped((chain[1], cap))
            vectors.append(_good(f"{name}-{side}", why, [rule], chain, limits=limits))
        vectors.append(_bad(f"{name}-wider", why, code, f"link.1.{field}", [root, link(root, {path: wider})]))
    return vectors


def _further() -> list[Vector]:
    """The same of the constraints that the tea mandate does not have, and of behaviour that only a link orders."""
    root, silent, vectors = plain_root(FURTHER_ROOT), plain_root(), []
    for parent, step in (*((root, each) for each in FURTHER), *((silent, each) for each in SILENT)):
        chain = [parent, link(parent, step.stated)]
        if step.code is not None:
            vectors.append(_bad(step.name, step.why, step.code, f"link.1.{step.where}", chain))
            continue
        own = [each | {"limit": f"{name_of(chain[1])}/{each['limit']}"} for each in step.counted]
        limits = sorted([_CAP, *FURTHER_LIMITS, *own], key=_rank)
        rule = "ACT-CHN-09" if step.where in BEHAVIOUR else "ACT-CHN-07"
        vectors.append(_good(step.name, step.why, [rule], chain, limits=limits))
    return vectors


_RANKS: Final = ("max_total_amount", "times_limit", "max_amount", "period_times")


def _rank(limit: Mapping[str, Any]) -> int:
    """Limits stand in the order in which their refusals rank."""
    return next(place for place, name in enumerate(_RANKS) if name in limit["limit"])


def _mixed() -> list[Vector]:
    """One link in the other envelope, as good as any but for that."""
    root = plain_root()
    return [_bad("mixed", "A link in JOSE below a mandate in COSE, whose identity it names.", "envelope_mixed", "link.1",
                 [root, converted(link(root), {})])]  # fmt: skip


def _places() -> list[Vector]:
    root = plain_root()
    other = plain_root({"cti": world.uuid_of("second")})
    first = link(root, {DEPTH: 1})
    sister = link(root, {DEPTH: 1, "cti": world.uuid_of("sister")})
    second = link(first, agent="courier-2")
    tight = link(root, {DEPTH: 1, _TOTAL: "10.00"})
    wide = link(root, {DEPTH: 1, _TOTAL: "500.00"})
    signature = ("link_signature_invalid", "link.1")
    elsewhere = ("link_parent_mismatch", "link.1.act.parent")
    return [
        _bad("spliced", "Cut out and put below another mandate for the same agent.", *elsewhere, [other, first]),
        _bad("spliced-wider", "Put below the same delegation with a larger total.", *elsewhere,
             [plain_root({_TOTAL: "900.00"}), first]),
        _bad("spliced-sister", "Put below another link for the same sub-agent.", "link_parent_mismatch", "link.2.act.parent",
             [root, sister, second]),
        _bad("middle-skipped", "Without the link between, which may have narrowed.", *signature, [root, second]),
        _bad("middle-wider", "A hop between may not give more than it got, even if the last link takes no more.",
             "link_widens", "link.1.max_total_amount", [root, wide, link(wide, {_TOTAL: "10.00"}, agent="courier-2")]),
        _bad("below-narrow", "What a middle link narrowed stays narrow below it, whatever the mandate allows.",
             "link_widens", "link.2.max_total_amount", [root, tight, link(tight, {_TOTAL: "10.01"}, agent="courier-2")]),
        _bad("reordered", "The links in another order.", *signature, [root, second, first]),
        _bad("duplicate", "A link twice.", "link_signature_invalid", "link.2", [root, first, first]),
        _bad("signer-issuer", "The wallet that issued the mandate is not its agent.", *signature,
             [root, link(root, signer="wallet")]),
        _bad("signer-sub-agent", "Nobody delegates to itself.", *signature, [root, link(root, signer="courier")]),
        _bad("signer-stranger", "A key that stands nowhere in the chain.", *signature, [root, link(root, signer="stranger")]),
        _bad("signer-root-agent", "The first agent signs for its sub-agent.", "link_signature_invalid", "link.2",
             [root, first, link(first, agent="courier-2", signer="agent")]),
        _bad("tampered", "A larger total after signing.", *signature,
             [root, world.tampered(link(root, {_TOTAL: "100.00"}), b"100.00", b"199.00")]),
        _bad("parent-other", "Signed below something else.", *elsewhere, [root, link(root, {"act.parent": bytes(32)})]),
        _bad("issuer-other", "Under another agent's name.", "link_parent_mismatch", "link.1.iss",
             [root, link(root, {"iss": "agent:other"})]),
        _bad("ledger-other", "Another ledger would count from zero.", "link_parent_mismatch", "link.1.aud",
             [root, link(root, {"aud": "psp-2"})]),
        _bad("principal-other", "For another principal than the mandate's.", "link_parent_mismatch",
             "link.1.act.delegator_identity", [root, link(root, {"act.delegator_identity": "user:mei"})]),
    ]  # fmt: skip


def _depths() -> list[Vector]:
    root, closed = plain_root(), mandate()
    single = plain_root({DEPTH: 1})
    first = link(single)
    silent = link(root)
    deep = plain_root({DEPTH: 3})
    middle = link(deep, {DEPTH: 1})
    last = link(middle, agent="courier-2")
    eight = chain_of(8)
    place = "ext.delegation.max_depth"
    cycle = "link_cycle"
    allowing = link(root, {DEPTH: 1})
    second = {"agent": "courier-2"}
    return [
        _bad("not-allowed", "Without ext.delegation nobody consented to sub-agents.", "delegation_not_allowed",
             f"link.1.{place}", [closed, link(closed)]),
        _bad("too-deep-root", "Two links where the mandate allows one.", "delegation_too_deep", f"link.2.{place}",
             [single, first, link(first, agent="courier-2")]),
        _bad("too-deep-middle", "Three links, as the mandate allows, where the first link allows only one more.",
             "delegation_too_deep", f"link.3.{place}", [deep, middle, last, link(last, agent="courier-3")]),
        _bad("too-deep-silent", "Consent is not inherited: a link that says nothing allows no further one.",
             "delegation_too_deep", f"link.2.{place}", [root, silent, link(silent, agent="courier-2")]),
        _bad("limits-49", "One limit more than a receipt has room for: a shop could not prove that it was paid.",
             "too_many_limits", "link.6.act.ext.quota", _counted_chain({_TOTAL: "20.00", f"{_QUOTA}times_limit": 9})),
        _bad("nine", "More hands than anybody can follow.", "delegation_too_deep", "chain",
             [*eight, link(eight[-1], agent="courier-9")]),
        _bad("cycle-agent", "An agent delegates to itself under another key.", cycle, "link.1.sub",
             [root, link(root, {"sub": "agent:tea-runner"})]),
        _bad("cycle-key", "An agent delegates to its own key under another name.", cycle, "link.1.cnf",
             [root, link(root, {"cnf": {1: KEYS["agent"].public_key.cose_key}})]),
        _bad("cycle-agent-back", "The second link leads back to the first agent.", cycle, "link.2.sub",
             [root, allowing, link(allowing, {"sub": "agent:tea-runner"}, **second)]),
        _bad("cycle-key-back", "The second link leads back to the first agent's key.", cycle, "link.2.cnf",
             [root, allowing, link(allowing, {"cnf": {1: KEYS["agent"].public_key.cose_key}}, **second)]),
        _bad("cycle-id", "Two links under one delegation_id would be counted as one.", cycle, "link.2.cti",
             [root, allowing, link(allowing, {"cti": claims_of(allowing)[7]}, **second)]),
        _bad("cycle-id-mandate", "A link under the mandate's delegation_id.", cycle, "link.1.cti",
             [root, link(root, {"cti": MANDATE_CLAIMS["cti"]})]),
    ]  # fmt: skip


def _times() -> list[Vector]:
    root, end = plain_root(), NOW + 600
    ending = [root, link(root, {"exp": end})]
    early, late = "credential_not_yet_valid", "credential_expired"
    ended = "A link ends by itself, though the mandate lasts; the end is no part of the window."
    starts = "The start of a link tolerates clocks that are 10 seconds apart, and no more."
    signed_at = "The time of signing tolerates clocks that are 10 seconds apart, and no more."
    return [
        _good("end-minus-1", ended, ["ACT-PAY-14"], ending, at=end - 1),
        _bad("end", ended, late, "link.1.validity_end_time", ending, at=end),
        _good("start-minus-10", starts, ["ACT-PAY-13"], [root, link(root, {"nbf": NOW + 10})]),
        _bad("start-minus-11", starts, early, "link.1.validity_start_time", [root, link(root, {"nbf": NOW + 11})]),
        _good("issued-plus-10", signed_at, ["ACT-PAY-13"], [root, link(root, {"iat": NOW + 10})]),
        _bad("issued-plus-11", signed_at, early, "link.1.iat", [root, link(root, {"iat": NOW + 11})]),
        _bad("window-empty", "A window that ends when it starts holds no instant.", "credential_lifetime_invalid",
             "link.act.validity", [root, link(root, {"nbf": NOW, "exp": NOW})]),
    ]  # fmt: skip


_WRONG: Final[tuple[tuple[str, str, str, str, Any], ...]] = (
    ("status", "A link has no status of its own: the ledger is asked about the whole chain.", "claim_unknown", "status",
     {"ledger": "psp-1"}),
    ("intent", "The principal's intent stands in the mandate.", "claim_unknown", "act.intent_id", "intent-2026-02-06-tea"),
    ("supersedes", "A link replaces no other: the counters of what stands above it go on.", "claim_unknown", "act.supersedes",
     bytes(32)),
    ("confirmation", "No principal confirmed a link.", "claim_unknown", "act.user_confirmation_method", "passkey"),
    ("parent-31", "An identity is 32 bytes.", "claim_invalid", "act.parent", bytes(31)),
    ("parent-hex", "An identity as hexadecimal text.", "claim_invalid", "act.parent", "00" * 32),
    ("id-15", "The delegation id is the 16 bytes of a UUID.", "claim_invalid", "cti", bytes(15)),
    ("sub-bidi", "U+202E turns what is displayed around.", "claim_invalid", "sub", "agent:\u202erei"),
    ("audience-list", "Exactly one ledger.", "claim_invalid", "aud", ["psp-1"]),
    ("total-zero", "A total of nothing.", "amount_invalid", _TOTAL, "0.00"),
    ("total-negative", "A negative total is below every total, and would give money back.", "amount_invalid", _TOTAL, "-1.00"),
    ("total-decimals", "Three decimals in CNY.", "amount_invalid", _TOTAL, "100.000"),
    ("block-unknown", "A block of limits this version does not know.", "extension_unknown", "act.ext.magic", {"x": 1}),
    ("limit-unknown", "A limit this version does not know, in a block it knows.", "constraint_unknown",
     "act.ext.commerce.max_weight", "1"),
    ("block-empty", "An empty block.", "claim_invalid", "act.ext.commerce", {}),
    ("merchants-empty", "An empty list allows nothing, or anything.", "claim_invalid",
     "act.ext.commerce.allowed_merchants", []),
    ("key-small-order", "A sub-agent key of order 4: anybody could sign for it.", "key_invalid", "cnf",
     {1: {1: 1, -1: 6, -2: bytes(32)}}),
)  # fmt: skip


def _forms() -> list[Vector]:
    root = plain_root()
    genuine = link(root)
    body = cbor.decode_sign1(genuine)[1]
    claims = link_claims(root, "courier")
    mandatory = "Every one of these claims is mandatory: what a link does not say of itself, nobody signed."
    vectors = [
        _bad(f"missing-{path.replace('_', '-')}", mandatory, "claim_missing", f"link.{path}",
             [root, link(root, {path: REMOVED})])
        for path in (*claims, *(f"act.{name}" for name in claims["act"]))
    ]  # fmt: skip
    for name, why, code, path, value in _WRONG:
        where = "link.cnf.COSE_Key" if code == "key_invalid" else f"link.{path}"
        vectors.append(_bad(f"wrong-{name}", why, code, where, [root, link(root, {path: value})]))
    conflict = {_TOTAL: "20.00", "act.ext.commerce.max_single_amount": "20.01"}
    return [
        *vectors,
        _bad("wrong-conflict", "One payment may be larger than all together.", "constraint_conflict",
             "link.act.ext.commerce.max_single_amount", [root, link(root, conflict)]),
        _bad("kind-link-first", "A link in the mandate's place: nobody issued it.", "kind_unexpected", "mandate", [genuine]),
        _bad("kind-mandate-below", "A mandate in a link's place.", "kind_unexpected", "link", [root, root]),
        _bad("kind-order-below", "An order in a link's place.", "kind_unexpected", "link", [root, order()]),
        _bad("kind-link-renamed", "A link's claims under a mandate's type.", "claim_missing", "mandate.status",
             [signed(cbor.encode(header("agent", MANDATE.cose_typ)), body, "agent")]),
        _bad("kind-mandate-renamed", "A mandate's claims under a link's type.", "claim_unknown", "link.status",
             [root, signed(cbor.encode(header("agent", LINK.cose_typ)), cbor.decode_sign1(root)[1], "agent")]),
    ]  # fmt: skip


def chains_file() -> dict[str, Any]:
    """chains.json."""
    about = (
        "A mandate (`input`) and the links below it, root first, judged without a ledger: is every one genuine, narrower than "
        "the one above it, and in force at `at`? `leaf` is what the last agent has; `limits` is what a ledger would count."
    )
    vectors = [*_accepted(), *_steps(), *_places(), *_depths(), *_times(), *_forms(), *_further(), *_mixed()]
    return vector_file("chains", about, vectors)

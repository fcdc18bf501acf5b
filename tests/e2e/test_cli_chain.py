"""Chains on the command line: links are signed, paid under, verified, drawn and counted; and what does not fit is named."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import act
from tests.support.command import Desk, Done, listing, one_line
from tests.support.world import (
    AGENT,
    OTHER_SHOP,
    PRINCIPAL,
    PSP,
    SHOP,
    SUB_AGENT,
    SUB_SUB_AGENT,
    WALLET,
    identity_of,
    key,
    nothing_moves,
    reseal,
    resign,
)

PARTIES = ("--parties", "parties.json")
MINT = (
    *("mint", "--issuer", WALLET, "--ledger-id", PSP, "--principal", PRINCIPAL, "--agent", AGENT, "--intent-id", "tea"),
    *("--max-total", "200.00", "--max-single", "30.00", "--merchant", SHOP, "--merchant", OTHER_SHOP, "--category", "tea"),
    *("--forbid-merchant", "boba.example", "--mode", "BOUNDED", "--valid-for", "8", "--key", "wallet.pem"),
    *("--holder", "agent.pub.pem"),
)
FIRST = ("delegate", "root.cbor", "--agent", SUB_AGENT, "--key", "agent.pem", "--holder", "courier.pub.pem")
SECOND = (
    *("delegate", "root.cbor", "--link", "one.cbor", "--agent", SUB_SUB_AGENT),
    *("--key", "courier.pem", "--holder", "bike.pub.pem"),
)


def _done(done: Done) -> Done:
    assert done.code == 0, done.err
    return done


def _fresh(folder: Path) -> Desk:
    """A desk with a mandate of today that allows sub-agents, two links below each other and an order for each agent."""
    desk = Desk(folder)
    for name, party in (("courier", SUB_AGENT), ("bike", SUB_SUB_AGENT)):
        act.save_private(key(party), desk.folder / f"{name}.pem")
        act.save_public(key(party).public_key, desk.folder / f"{name}.pub.pem")
    _done(desk.call(*MINT, "--max-depth", "2", "--out", "root.cbor"))
    _done(desk.call(*MINT, "--out", "childless.cbor"))
    options = "--max-total", "50.00", "--merchant", SHOP, "--max-depth", "1", "--valid-for", "2"
    _done(desk.call(*FIRST, *options, "--out", "one.cbor"))
    _done(desk.call(*SECOND, "--max-single", "20.00", "--out", "two.cbor"))
    for name, agent in (("courier", SUB_AGENT), ("bike", SUB_SUB_AGENT)):
        desk.write(f"{name}-order.cbor", desk.world.order("18.00", agent_id=agent, at=datetime.now(UTC)))
    return desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return _fresh(tmp_path / "desk")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """One desk for tests that write nothing."""
    return _fresh(tmp_path_factory.mktemp("chain") / "desk")


def _read(desk: Desk, name: str) -> bytes:
    return desk.folder.joinpath(name).read_bytes()


def _terms(desk: Desk, *files: str) -> dict[str, Any]:
    """What the last agent of a chain can do, as inspect says."""
    document = _done(desk.call("inspect", *files, "--json")).document
    terms = document["effective"]["terms"]
    assert isinstance(terms, dict)
    return terms


# --- delegate --------------------------------------------------------------------------------------------------------------


def test_delegate_takes_every_limit_from_options(desk: Desk) -> None:
    until = (datetime.now(UTC) + timedelta(hours=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
    done = desk.call(
        *FIRST,
        *("--max-total", "90.00", "--max-single", "25.00", "--min-single", "5.00", "--merchant", SHOP, "--category", "tea"),
        *("--forbid-merchant", "mall.example", "--forbid-category", "wine", "--method", "balance", "--until", until),
        *("--max-depth", "1", "--out", "l.cbor", "--json"),
    )
    document = _done(done).document
    assert (document["outcome"], document["file"], document["kind"]) == ("accepted", "l.cbor", "link")
    assert document["parent"] == identity_of(_read(desk, "root.cbor")).hex()
    assert (document["issuer"], document["ledger"], document["delegator_identity"]) == (AGENT, PSP, PRINCIPAL)
    link = document["link"]
    assert (link["agent_id"], link["validity_end_time"], link["max_total_amount"]) == (SUB_AGENT, until, "90.00")
    assert link["allowed_payment_methods"] == ["balance"]
    assert link["ext"] == {
        "commerce": {
            "max_single_amount": "25.00",
            "min_single_amount": "5.00",
            "allowed_merchants": [SHOP],
            "forbidden_merchants": ["boba.example", "mall.example"],  # what was forbidden stays so
            "allowed_categories": ["tea"],
            "forbidden_categories": ["wine"],
        },
        "delegation": {"max_depth": 1},
    }
    assert link["holder"] == key(SUB_AGENT).public_key.to_jwk()
    assert act.recognize(_read(desk, "l.cbor")).kind == "link"


def test_what_a_link_leaves_out_is_inherited(desk: Desk) -> None:
    done = _done(desk.call(*FIRST, "--out", "l.cbor"))
    assert done.out == ""
    assert done.err.startswith("link ")
    assert f"for {SUB_AGENT}: " in done.err
    root = _done(desk.call("inspect", "root.cbor", "--json")).document["mandate"]
    terms = _terms(desk, "root.cbor", "l.cbor")
    assert terms == {name: root[name] for name in terms} | {"ext": {"commerce": root["ext"]["commerce"]}}
    assert "narrows nothing" in desk.call("inspect", "root.cbor", "l.cbor").out


def test_what_inspect_shows_of_a_link_can_be_signed_again(desk: Desk) -> None:
    shown = _done(desk.call("inspect", "one.cbor", "--json"))
    desk.write("whole.json", shown.raw)
    desk.write("member.json", json.dumps(shown.document["link"]).encode())
    for name in ("whole.json", "member.json"):
        sign = ("--key", "agent.pem", "--holder", "courier.pub.pem", "--force", "--out", "again.cbor")
        _done(desk.call("delegate", "root.cbor", "--from", name, *sign))
        again = _done(desk.call("inspect", "again.cbor", "--json")).document
        assert (again["link"], again["parent"]) == (shown.document["link"], shown.document["parent"])


def test_hours_count_from_the_start_that_is_given(desk: Desk) -> None:
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=3)
    given = "--from-time", start.strftime("%Y-%m-%dT%H:%M:%SZ")
    _done(desk.call(*FIRST, *given, "--valid-for", "2", "--out", "l.cbor"))
    link = desk.call("inspect", "l.cbor", "--json").document["link"]
    end = (start + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert (link["validity_start_time"], link["validity_end_time"]) == (given[1], end)


def test_mint_allows_sub_agents_only_when_it_is_told_to(shared: Desk) -> None:
    terms = [shared.call("inspect", name, "--json").document["mandate"]["ext"] for name in ("root.cbor", "childless.cbor")]
    assert [each.get("delegation") for each in terms] == [{"max_depth": 2}, None]


REFUSED = {
    "a mandate that allows none": (("delegate", "childless.cbor", *FIRST[2:]), "delegation_not_allowed", "link.1"),
    "a chain that is deep enough": (
        (*SECOND[:4], "--link", "two.cbor", "--agent", "agent:x", "--key", "bike.pem", "--holder", "thief.pub.pem"),
        "delegation_too_deep",
        "link.3",
    ),
    "more in total": ((*FIRST, "--max-total", "200.01"), "link_widens", "the link says CNY 200.01, its parent says CNY 200.00"),
    "more at once": ((*SECOND, "--max-single", "30.01"), "link_widens", "its parent says CNY 30.00"),
    "another shop": ((*FIRST, "--merchant", "new.example"), "link_payee_added", "it adds new.example"),
    "later": ((*FIRST, "--valid-for", "9"), "link_outlives_parent", "parent ends at 20"),
    "deeper": ((*FIRST, "--max-depth", "2"), "link_widens", "ext.delegation.max_depth"),
    "itself": (("delegate", "root.cbor", "--agent", AGENT, *FIRST[4:]), "link_cycle", "link.1.sub"),
    "its own key": ((*FIRST[:-1], "agent.pub.pem"), "link_cycle", "link.1.cnf"),
    "links in the wrong order": (
        ("delegate", "root.cbor", "--link", "two.cbor", "--link", "one.cbor", *SECOND[4:]),
        "link_parent_mismatch",
        "two.cbor: link.1.act.parent",
    ),
    "a mandate for a link": (("delegate", "root.cbor", "--link", "root.cbor", *SECOND[4:]), "kind_unexpected", "root.cbor"),
    "a link for a mandate": (("delegate", "one.cbor", *FIRST[2:]), "kind_unexpected", "one.cbor"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_link_that_no_verifier_would_take_is_never_signed(shared: Desk, name: str) -> None:
    arguments, code, shown = REFUSED[name]
    before = listing(shared.folder)
    done = shared.call(*arguments, "--out", "out.cbor")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"error: {code}: ")
    assert shown in done.err
    document = shared.call(*arguments, "--out", "out.cbor", "--json").document
    assert (document["outcome"], document["code"]) == ("refused", code)
    assert listing(shared.folder) == before


UNUSABLE = {
    "another agent's key": (
        ("delegate", "root.cbor", "--agent", SUB_AGENT, "--key", "thief.pem", "--holder", "courier.pub.pem"),
        3,
        f"thief.pem: the mandate is for agent key {key(AGENT).kid.hex()}",
    ),
    "the mandate's key below a link": (
        (*SECOND[:6], "--key", "agent.pem", "--holder", "bike.pub.pem"),
        3,
        f"agent.pem: the last link is for agent key {key(SUB_AGENT).kid.hex()}",
    ),
    "no agent": (("delegate", "root.cbor", *FIRST[4:]), 2, "--agent"),
    "an amount of no digits": ((*FIRST, "--max-total", "50"), 2, "--max-total"),
    "limits that contradict each other": ((*FIRST, "--max-total", "5.00", "--max-single", "6.00"), 2, "max_single_amount"),
    "two ends": ((*FIRST, "--until", "2027-01-01T00:00:00Z", "--valid-for", "1"), 2, "only one of --until and --valid-for"),
    "depth nine": ((*FIRST, "--max-depth", "9"), 2, "--max-depth"),
    "a file and options": ((*FIRST, "--from", "draft.json"), 2, "exclude each other"),
    "a missing file": (("delegate", "root.cbor", "--from", "no.json", *FIRST[4:]), 3, "file_unreadable"),
    "an unknown field": (("delegate", "root.cbor", "--from", "draft.json", *FIRST[4:]), 3, "draft.json: max_daily_amount"),
    "a mandate's document": (("delegate", "root.cbor", "--from", "mandate.json", *FIRST[4:]), 3, "mandate.json: "),
    "a missing mandate": (("delegate", "no.cbor", *FIRST[2:]), 3, "no.cbor"),
    "standard input twice": (("delegate", "-", "--from", "-", *FIRST[4:]), 2, "standard input"),
    "a private key as holder": ((*FIRST[:-1], "courier.pem"), 3, "key_unusable"),
    "an output that is there": ((*FIRST, "--out", "one.cbor"), 3, "file_exists"),
    "pay with another key": (
        ("pay", "courier-order.cbor", "--mandate", "root.cbor", "--link", "one.cbor", "--key", "agent.pem"),
        3,
        "the last link is for agent key",
    ),
    "pay with standard input twice": (("pay", "-", "--mandate", "root.cbor", "--link", "-", "--key", "agent.pem"), 2, "--link"),
    "inspect standard input twice": (("inspect", "-", "-"), 2, "Standard input"),
    "status with standard input twice": (("status", "-", "--link", "-", "--ledger", "l.db", *PARTIES), 2, "standard input"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_what_cannot_be_used_is_one_line(shared: Desk, name: str) -> None:
    shared.write("draft.json", json.dumps({"agent_id": SUB_AGENT, "max_daily_amount": "1.00"}).encode())
    shared.write("mandate.json", json.dumps(shared.world.document()).encode())
    arguments, code, shown = UNUSABLE[name]
    if "--out" not in arguments and arguments[0] in ("delegate", "pay"):
        arguments = (*arguments, "--out", "out.cbor")
    before = listing(shared.folder)
    done = shared.call(*arguments)
    assert (done.code, shown in one_line(done)) == (code, True), done.err
    assert shared.call(*arguments, "--json").document["outcome"] in ("unusable", "usage")
    assert listing(shared.folder) == before


# --- pay, authorize --------------------------------------------------------------------------------------------------------


def _service(desk: Desk, command: str, *arguments: str) -> Done:
    return desk.call(command, *arguments, *desk.service_options)


def _pay(desk: Desk, name: str = "p.cbor") -> None:
    links = ("--link", "one.cbor", "--link", "two.cbor")
    _done(desk.call("pay", "bike-order.cbor", "--mandate", "root.cbor", *links, "--key", "bike.pem", "--out", name))


def test_the_last_links_agent_pays(desk: Desk) -> None:
    _pay(desk)
    assert act.Payment.from_bytes(_read(desk, "p.cbor")).chain == tuple(
        _read(desk, name) for name in ("root.cbor", "one.cbor", "two.cbor")
    )
    verified = desk.call("verify", "p.cbor", *PARTIES)
    assert verified.code == 0
    assert "every constraint of the mandate and of the 2 links below it permits it" in " ".join(verified.out.split())
    charge = _done(_service(desk, "authorize", "p.cbor", "--json")).document["charge"]
    assert (charge["agent_id"], charge["amount"]) == (SUB_SUB_AGENT, "18.00")


@pytest.mark.parametrize(
    "order, links, pem, code, shown",
    [
        ("order.cbor", ("one.cbor",), "courier.pem", "agent_mismatch", "order.cbor: order.agent_id"),
        ("bike-order.cbor", ("one.cbor",), "courier.pem", "agent_mismatch", f"the last link is for {SUB_AGENT}"),
        ("bike-order.cbor", ("two.cbor",), "bike.pem", "link_parent_mismatch", "two.cbor: link.1.act.parent"),
        ("bike-order.cbor", ("two.cbor", "one.cbor"), "bike.pem", "link_parent_mismatch", "two.cbor: link.1"),
        ("courier-order.cbor", ("one.cbor", "one.cbor"), "courier.pem", "link_parent_mismatch", "one.cbor: link.2"),
        ("courier-order.cbor", ("order.cbor",), "courier.pem", "kind_unexpected", "order.cbor"),
    ],
)
def test_a_payment_that_does_not_fit_its_chain_is_not_signed(
    shared: Desk, order: str, links: tuple[str, ...], pem: str, code: str, shown: str
) -> None:
    before = listing(shared.folder)
    chain = [part for link in links for part in ("--link", link)]
    done = shared.call("pay", order, "--mandate", "root.cbor", *chain, "--key", pem, "--out", "x.cbor")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"error: {code}: ")
    assert shown in done.err
    assert listing(shared.folder) == before


# --- verify ----------------------------------------------------------------------------------------------------------------


def _verdicts(desk: Desk, *files: str) -> tuple[int, list[dict[str, Any]]]:
    done = desk.call("verify", *files, *PARTIES, "--json")
    return done.code, done.document["results"]


def test_a_link_is_judged_with_what_stands_before_it(shared: Desk) -> None:
    code, results = _verdicts(shared, "root.cbor", "one.cbor", "two.cbor")
    assert (code, [each["outcome"] for each in results]) == (0, ["accepted"] * 3)
    last = results[2]
    assert last["kind"] == "link"
    assert last["proven"][0].startswith(f"{SUB_AGENT} signed it")
    assert f"made for {SUB_SUB_AGENT}" in last["proven"][1]
    assert f"from {PRINCIPAL} through {AGENT}, {SUB_AGENT}" in last["proven"][2]
    assert all(f"only the ledger {PSP} knows" in line for line in last["not_proven"])


def test_siblings_are_judged_below_the_same_parent(desk: Desk) -> None:
    _done(desk.call(*FIRST[:3], "agent:other", "--key", "agent.pem", "--holder", "thief.pub.pem", "--out", "other.cbor"))
    code, results = _verdicts(desk, "root.cbor", "one.cbor", "other.cbor", "two.cbor")
    assert (code, [each["outcome"] for each in results]) == (0, ["accepted"] * 4)


@pytest.mark.parametrize(
    "files, parent",
    [
        (("one.cbor",), "root.cbor"),
        (("two.cbor", "root.cbor", "one.cbor"), "one.cbor"),
        (("root.cbor", "two.cbor"), "one.cbor"),
        (("childless.cbor", "one.cbor"), "root.cbor"),
    ],
)
def test_a_link_without_its_parent_says_what_it_needs(shared: Desk, files: tuple[str, ...], parent: str) -> None:
    code, results = _verdicts(shared, *files)
    (lonely,) = (each for each in results if each["outcome"] == "incomplete")
    assert (code, lonely["kind"], lonely["findings"]) == (3, "link", [])
    assert identity_of(_read(shared, parent)).hex() in lonely["needs"]
    assert "mandate and the links above it" in lonely["needs"]


def test_a_forged_or_wider_link_is_refused_with_everything_below_it(desk: Desk) -> None:
    one = _read(desk, "one.cbor")
    desk.write("forged.cbor", reseal(one, key("thief")))
    desk.write("wide.cbor", reseal(one, key(AGENT), {"act.max_total_amount": "999.00"}))
    for name, expected in (("forged.cbor", "link_signature_invalid"), ("wide.cbor", "link_widens")):
        code, (_, link) = _verdicts(desk, "root.cbor", name)
        assert (code, link["outcome"], link["findings"][0]["code"]) == (1, "refused", expected)
    assert "the link says CNY 999.00, its parent says CNY 200.00" in desk.call("verify", "root.cbor", "wide.cbor", *PARTIES).out
    desk.write("root.cbor", resign(_read(desk, "root.cbor"), bytes(64)))
    code, results = _verdicts(desk, "root.cbor", "one.cbor", "two.cbor")
    assert code == 1
    assert [each["findings"][0]["code"] for each in results] == ["credential_signature_invalid"] * 3


def test_a_link_is_judged_for_the_ledger_and_the_instant_that_are_asked_for(shared: Desk) -> None:
    for options, code in (
        (("--ledger-id", "psp-2"), "wrong_ledger"),
        (("--at", "2026-01-01T00:00:00Z"), "credential_not_yet_valid"),
    ):
        done = shared.call("verify", "root.cbor", "one.cbor", *PARTIES, *options, "--json")
        assert (done.code, done.document["results"][1]["findings"][0]["code"]) == (1, code)
    later = (datetime.now(UTC) + timedelta(hours=3)).strftime(
        "%Y-%m-%dT%H:%M:%SZ"
    )  # the link lives two hours, the mandate eight
    results = shared.call("verify", "root.cbor", "one.cbor", *PARTIES, "--at", later, "--json").document["results"]
    assert [each["outcome"] for each in results] == ["accepted", "refused"]
    assert results[1]["findings"][0]["where"] == "link.1.validity_end_time"


# --- status ----------------------------------------------------------------------------------------------------------------


def _status(desk: Desk, *links: str) -> dict[str, Any]:
    given = [part for link in links for part in ("--link", link)]
    return _done(desk.call("status", "root.cbor", *given, "--ledger", "ledger.db", *PARTIES, "--json")).document


def test_status_shows_counters_under_their_link_and_what_is_really_left(desk: Desk) -> None:
    _pay(desk)
    _done(_service(desk, "authorize", "p.cbor"))
    document = _status(desk)
    assert [(each["name"], each["left"]) for each in document["limits"]] == [("max_total_amount", "182.00")]
    (link,) = document["links"]
    assert (link["agent_id"], [each["left"] for each in link["limits"]]) == (None, ["32.00"])
    assert "leaf" not in document
    document = _status(desk, "one.cbor", "two.cbor")
    assert [each["agent_id"] for each in document["links"]] == [SUB_AGENT, SUB_SUB_AGENT]
    assert [len(each["limits"]) for each in document["links"]] == [1, 0]
    name = document["links"][0]["limits"][0]["name"]
    assert document["leaf"] == {"agent_id": SUB_SUB_AGENT, "left": "32.00", "limit": name}
    shown = _done(desk.call("status", "root.cbor", "--link", "one.cbor", "--ledger", "ledger.db", *PARTIES)).out
    assert f"for {SUB_AGENT}" in shown
    assert "held CNY 18.00   ░ left CNY 32.00   of CNY 50.00" in shown
    assert f"{SUB_AGENT} can still spend CNY 32.00" in shown


def test_what_is_left_for_the_leaf_is_the_least_above_it(desk: Desk) -> None:
    _pay(desk)
    _done(_service(desk, "authorize", "p.cbor"))
    _done(
        desk.call(
            *FIRST[:3], "agent:o", "--key", "agent.pem", "--holder", "thief.pub.pem", "--max-total", "190.00", "--out", "o"
        )
    )
    document = _status(desk, "o")
    assert document["leaf"] == {"agent_id": "agent:o", "left": "182.00", "limit": "max_total_amount"}  # not its own 190.00
    assert [(each["agent_id"], each["limits"][0]["left"]) for each in document["links"]] == [
        ("agent:o", "190.00"),
        (None, "32.00"),
    ]


def test_nothing_is_left_once_the_mandate_is_revoked(desk: Desk) -> None:
    _pay(desk)
    _done(_service(desk, "authorize", "p.cbor"))
    _done(_service(desk, "revoke", "root.cbor"))
    assert _status(desk, "one.cbor")["leaf"] == {"agent_id": SUB_AGENT, "left": "0.00", "limit": None}
    shown = desk.call("status", "root.cbor", "--link", "one.cbor", "--ledger", "ledger.db", *PARTIES).out
    assert f"{SUB_AGENT} can still spend nothing: the mandate is Revoked" in shown


def test_status_believes_no_link(desk: Desk) -> None:
    _pay(desk)
    _done(_service(desk, "authorize", "p.cbor"))
    desk.write("forged.cbor", reseal(_read(desk, "one.cbor"), key("thief")))
    with nothing_moves(desk.folder / "ledger.db"):
        done = desk.call("status", "root.cbor", "--link", "forged.cbor", "--ledger", "ledger.db", *PARTIES)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("error: link_signature_invalid: ")

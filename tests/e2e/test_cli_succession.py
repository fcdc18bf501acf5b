"""A mandate that replaces another one, by commands alone: minted, registered, paid under, and what becomes of the old one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import act
from act.payment.receipt import open_receipt
from act.wire.base64url import base64url_encode
from act_cli.objects import read_signed
from tests.support.command import Desk, Done
from tests.support.fold import audit
from tests.support.world import AGENT, PRINCIPAL, PSP, SHOP, WALLET, identity_of, nothing_moves

PARTIES = ("--parties", "parties.json")
LEDGER = ("--ledger", "ledger.db", *PARTIES)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "desk")


def done(result: Done) -> Done:
    assert result.code == 0, result.err
    return result


def mint(desk: Desk, name: str, total: str, *more: str) -> bytes:
    """A mandate from now on, by its command."""
    terms = ("--intent-id", "tea", "--max-total", total, "--merchant", SHOP, "--valid-for", "8", "--mode", "BOUNDED")
    names = ("--issuer", WALLET, "--ledger-id", PSP, "--principal", PRINCIPAL, "--agent", AGENT)
    done(desk.call("mint", *names, *terms, *more, "--key", "wallet.pem", "--holder", "agent.pub.pem", "--out", name))
    return read_signed(str(desk.folder / name))


def pay(desk: Desk, mandate: str, number: int, amount: str, *more: str) -> Done:
    """An order, its payment, and what the payment service says."""
    item = f"sku=t,name=Tea,category=tea,quantity=1,unit_amount={amount}"
    names = ("--payee", SHOP, "--agent", AGENT, "--principal", PRINCIPAL, "--order-no", f"T-{number}", "--item", item)
    done(desk.call("order", *names, "--key", "shop.pem", "--out", "o.cbor", "--force"))
    done(desk.call("pay", "o.cbor", "--mandate", mandate, "--key", "agent.pem", "--out", "p.cbor", "--force"))
    return desk.call("authorize", "p.cbor", *desk.service_options, "--json", *more)


def register(desk: Desk, *arguments: str) -> Done:
    return desk.call("register", *arguments, *desk.service_options)


def status(desk: Desk, mandate: str) -> dict[str, Any]:
    return done(desk.call("status", mandate, *LEDGER, "--json")).document


def plain(result: Done) -> str:
    """Standard output without its line breaks."""
    return " ".join(done(result).out.split())


@pytest.mark.parametrize("envelope", ["cose", "jose"])
def test_a_budget_goes_on_under_its_successor(desk: Desk, envelope: str) -> None:
    form = ("--format", envelope)
    old = mint(desk, "old.act", "50.00", *form)
    charge = done(pay(desk, "old.act", 1, "30.00")).document["charge"]["id"]
    new = mint(desk, "new.act", "60.00", "--supersedes", "old.act", *form)
    before = plain(desk.call("status", "new.act", *LEDGER))
    assert f"replaces {identity_of(old).hex()[:16]}… from its first payment on" in before
    shown = plain(register(desk, "new.act", "--receipt-out", "receipt.act"))
    assert "TAKES OVER" in shown
    assert f"from {identity_of(old).hex()[:16]}…, CNY 30.00 carried" in shown
    assert "held CNY 30.00 ░ left CNY 30.00 of CNY 60.00" in shown

    again = done(register(desk, "new.act", "--json")).document["recorded"][0]
    assert (again["kind"], again["replayed"], again["state"]) == ("SUCCEEDED", True, "Active")
    assert again["carried"] == [
        {"name": "max_total_amount", "unit": "AMOUNT", "cap": "60.00", "captured": "0.00", "held": "30.00", "left": "30.00",
         "turns_at": None}
    ]  # fmt: skip
    too_much = pay(desk, "new.act", 2, "30.01")
    assert (too_much.code, too_much.document["code"], too_much.document["facts"]["left_minor"]) == (
        1,
        "total_limit_exceeded",
        3_000,
    )
    assert pay(desk, "new.act", 3, "30.00").code == 0

    refused = pay(desk, "old.act", 4, "1.00", "--receipt-out", "refused.act")
    assert (refused.code, refused.document["code"]) == (1, "credential_superseded")
    assert refused.document["facts"] == {"successor": identity_of(new).hex()}
    assert refused.document["remedy"] == "use the successor"
    assert "credential_superseded" in plain(desk.call("inspect", "refused.act"))
    done(desk.call("capture", charge, "25.00", *desk.service_options))
    stands = status(desk, "new.act")
    assert (stands["limits"][0]["captured"], stands["limits"][0]["held"], stands["limits"][0]["left"]) == (
        "25.00",
        "30.00",
        "5.00",
    )
    assert [each["state"] for each in stands["charges"]] == ["CAPTURED", "HELD"]
    audit(desk.folder / "ledger.db")
    assert desk.call("ledger", "check", "ledger.db").code == 0


@pytest.fixture
def line(desk: Desk) -> tuple[bytes, bytes]:
    """old.cbor, under which 30.00 were paid, and new.cbor in its place."""
    old = mint(desk, "old.cbor", "50.00")
    done(pay(desk, "old.cbor", 1, "30.00"))
    new = mint(desk, "new.cbor", "20.00", "--supersedes", "old.cbor")
    done(register(desk, "new.cbor", "--receipt-out", "receipt.cbor"))
    return old, new


def test_status_says_what_replaced_what(desk: Desk, line: tuple[bytes, bytes]) -> None:
    old, new = (identity_of(each).hex() for each in line)
    over, current = status(desk, "old.cbor"), status(desk, "new.cbor")
    assert (over["state"], over["successor"], over["predecessors"], over["limits"]) == ("Revoked", new, [], [])
    assert (current["state"], current["successor"], current["predecessors"]) == ("Active", None, [old])
    assert over["charges"] == current["charges"] != []
    shown = plain(desk.call("status", "old.cbor", *LEDGER))
    assert shown.startswith("REPLACED")
    assert f"replaced by {new}" in shown
    assert "of CNY" not in shown
    shown = plain(desk.call("status", "new.cbor", *LEDGER))
    assert f"replaces {old[:16]}…" in shown
    assert "left CNY 0.00 of CNY 20.00" in shown


def test_statement_and_receipt_tell_of_the_succession(desk: Desk, line: tuple[bytes, bytes]) -> None:
    old, new = (identity_of(each).hex() for each in line)
    for name in ("old.cbor", "new.cbor"):
        shown = plain(desk.call("statement", name, *LEDGER))
        assert "and of those that it replaced or that replaced it" in shown
        assert "SUCCEEDED mandate" in shown
        assert f"replaces {old[:16]}…" in shown
        kinds = [(each["state"], each["credential"]) for each in done(
            desk.call("statement", name, *LEDGER, "--json")).document["entries"]]  # fmt: skip
        assert kinds == [("RESERVED", old), ("SUCCEEDED", new)]
    receipt = done(desk.call("inspect", "receipt.cbor", "--json")).document["receipt"]
    assert (receipt["state"], receipt["supersedes"], receipt["credential"]) == ("SUCCEEDED", old, new)
    shown = plain(desk.call("inspect", "receipt.cbor"))
    assert f"replaces {old}" in shown.replace(" ", "").replace("replaces", "replaces ")
    assert "max_total_amount: 3000 of 2000 minor units" in shown
    assert "what is held or paid: it says what became of a credential" in plain(desk.call("verify", "receipt.cbor", *PARTIES))
    lines = desk.call("inspect", "receipt.cbor").out.splitlines()
    assert max(map(len, lines)) <= 80


def test_the_old_mandate_is_stopped_already(desk: Desk, line: tuple[bytes, bytes]) -> None:
    with nothing_moves(desk.folder / "ledger.db"):
        shown = plain(desk.call("revoke", "old.cbor", *desk.service_options, "--receipt-out", "revoked.cbor"))
    assert shown.startswith("REPLACED mandate")
    assert "goes on: what is to be stopped now is the mandate that replaced it" in shown
    assert desk.folder.joinpath("revoked.cbor").read_bytes() == desk.folder.joinpath("receipt.cbor").read_bytes()
    suspended = desk.call("suspend", "old.cbor", *desk.service_options, "--json")
    assert (suspended.code, suspended.document["code"]) == (1, "transition_not_allowed")
    assert "STOPPED" in done(desk.call("revoke", "new.cbor", *desk.service_options)).out
    again = register(desk, "new.cbor", "--json")
    assert (again.code, again.document["code"]) == (1, "credential_revoked")


def test_several_are_registered_in_their_order(desk: Desk) -> None:
    mint(desk, "a.cbor", "50.00")
    mint(desk, "b.cbor", "60.00", "--supersedes", "a.cbor")
    mint(desk, "c.cbor", "70.00", "--supersedes", "b.cbor")
    unknown = register(desk, "c.cbor", "--json")
    assert (unknown.code, unknown.document["code"], unknown.document["where"]) == (
        1,
        "predecessor_unknown",
        "mandate.supersedes",
    )
    assert "register that one first" in unknown.document["remedy"]
    shown = done(register(desk, "a.cbor", "b.cbor", "c.cbor"))
    assert shown.out.count("RECORDED") == 1
    assert shown.out.count("TAKES OVER") == 2
    assert len(status(desk, "c.cbor")["predecessors"]) == 2
    again = register(desk, "a.cbor", "--json")
    assert (again.code, again.document["code"]) == (1, "credential_superseded")


def test_registering_stops_at_the_first_refusal_and_says_what_was_done(desk: Desk) -> None:
    mint(desk, "a.cbor", "50.00")
    mint(desk, "b.cbor", "60.00", "--supersedes", "a.cbor")
    mint(desk, "other.cbor", "70.00", "--supersedes", "a.cbor")
    mint(desk, "last.cbor", "80.00")
    stopped = register(desk, "a.cbor", "b.cbor", "other.cbor", "last.cbor")
    assert stopped.code == 1
    assert "credential_superseded" in stopped.err
    assert "other.cbor: mandate.supersedes" in stopped.err
    assert "a.cbor: is recorded\nb.cbor: is recorded, and has taken over\n" in stopped.err
    assert not status(desk, "last.cbor")["known"]
    again = register(desk, "b.cbor", "other.cbor", "--json")
    assert (again.code, again.document["code"], again.document["file"]) == (1, "credential_superseded", "other.cbor")
    assert [each["file"] for each in again.document["recorded"]] == ["b.cbor"]


def test_a_successor_may_be_revoked_before_it_takes_over(desk: Desk) -> None:
    old = mint(desk, "old.cbor", "50.00")
    mint(desk, "new.cbor", "60.00", "--supersedes", "old.cbor")
    done(desk.call("register", "mandate.cbor", *desk.service_options))
    assert "STOPPED" in done(desk.call("revoke", "new.cbor", *desk.service_options, "--receipt-out", "r.cbor")).out
    shown = done(desk.call("inspect", "r.cbor", "--json")).document["receipt"]
    assert (shown["state"], shown["supersedes"]) == ("REVOKED", identity_of(old).hex())
    for name, code in (("new.cbor", "credential_revoked"), ("old.cbor", "credential_superseded")):
        again = register(desk, name, "--json")
        assert (again.code, again.document["code"]) == (1, code)
    shown = plain(desk.call("status", "old.cbor", "--ledger", "ledger.db", "--parties", "parties.json"))
    assert "REPLACED" in shown
    refused = pay(desk, "old.cbor", 1, "1.00")
    assert (refused.code, refused.document["code"]) == (1, "credential_superseded")
    audit(desk.folder / "ledger.db")


def test_what_no_successor_may_change_is_refused(desk: Desk) -> None:
    mint(desk, "old.cbor", "50.00")
    named = base64url_encode(identity_of(read_signed(str(desk.folder / "old.cbor"))))
    desk.write(
        "draft.json", json.dumps(desk.world.document(supersedes=named, validity_end_time="2099-01-01T00:00:00Z")).encode()
    )
    sign = ("--key", "wallet.pem", "--holder", "agent.pub.pem", "--out", "jose.jwt")
    done(desk.call("mint", "--from", "draft.json", "--format", "jose", *sign))
    done(register(desk, "old.cbor"))
    with nothing_moves(desk.folder / "ledger.db"):
        other = register(desk, "jose.jwt", "--json")
    assert (other.code, other.document["code"]) == (1, "successor_mismatch")
    assert other.document["facts"] == {"field": "envelope", "predecessor": "cose", "successor": "jose"}


def test_nothing_is_recorded_where_something_given_is_wrong(desk: Desk) -> None:
    mint(desk, "a.cbor", "50.00")
    mint(desk, "b.cbor", "60.00", "--supersedes", "a.cbor")
    wrong: list[tuple[tuple[str, ...], int]] = [
        (("a.cbor", "order.cbor"), 1),
        (("a.cbor", "missing"), 3),
        (("a.cbor", "b.cbor", "--receipt-out", "r.cbor"), 2),
        (("-", "-"), 2),
        ((), 2),
    ]
    for arguments, code in wrong:
        assert register(desk, *arguments).code == code, arguments
    assert not desk.folder.joinpath("ledger.db").exists()
    plain_one = register(desk, "a.cbor", "--receipt-out", "r.cbor")
    assert plain_one.code == 0
    assert "no receipt is written: the mandate takes over from no other" in plain_one.err
    assert not desk.folder.joinpath("r.cbor").exists()
    out = done(register(desk, "b.cbor", "--receipt-out", "-"))
    assert open_receipt(out.raw).receipt.supersedes is not None


def test_a_ledger_that_fails_in_between_leaves_nothing_unsaid(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    mint(desk, "a.cbor", "50.00")
    mint(desk, "b.cbor", "60.00", "--supersedes", "a.cbor")
    whole = act.PaymentService.register

    def fail_second(service: act.PaymentService, iac: bytes) -> act.Acknowledgement | None:
        if iac == read_signed(str(desk.folder / "b.cbor")):
            raise act.StoreFault("store_full", "ledger")
        return whole(service, iac)

    monkeypatch.setattr(act.PaymentService, "register", fail_second)
    stopped = register(desk, "a.cbor", "b.cbor")
    assert stopped.code == 3
    assert "store_full" in stopped.err
    assert "ledger.db" in stopped.err
    assert stopped.err.endswith("a.cbor: is recorded\n")
    assert register(desk, "b.cbor").code == 3

"""Counts, periods and schedules from the mandate to the receipt: what is counted, recorded, shown and refused."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

import act
from act.calendar import TZDATA_VERSION
from act.delegation.constraints import Periods
from act.delegation.limits import Limit, Unit, Usage, judge
from act.payment.receipt import open_receipt
from act.stores.sqlite import SqliteLedger
from tests.support.command import AT, Desk
from tests.support.fold import audit, disagreements
from tests.support.reservations import MAKE_RECEIPT, limit, mandate, reservation
from tests.support.world import NOW_SECONDS, PSP, World, nothing_moves, refused, reseal, write_ledger
from tests.support.world import key as key_of

DAY: Final = {"period_unit": "DAY", "period_count": 1, "time_zone": "Asia/Shanghai", "anchor": "2026-01-01"}
QUOTA: Final = {"times_limit": 3, "periods": [DAY | {"max_amount": "40.00"}, {"sliding_seconds": 60, "period_times": 1}]}
TURN: Final = 1_770_393_600
"""Midnight in Shanghai after NOW."""


def _minted(world: World, **ext: Any) -> bytes:
    return reseal(world.mint(), key_of("wallet.example"), {f"act.ext.{name}": value for name, value in ext.items()})


def _counters(service: act.PaymentService, iac: bytes) -> dict[str, tuple[int, int]]:
    status = service.status(iac)
    assert status is not None
    return {each.name: (each.held, each.captured) for each in status.counters}


def test_every_limit_is_debited_and_shown_in_the_order_of_judgement(tmp_path: Path) -> None:
    world = World()
    service, iac = world.service(tmp_path / "ledger.db"), _minted(world, quota=QUOTA)
    charge = service.authorize(world.payment(iac=iac, order=world.order()))
    day, slide = "ext.quota.periods.0.max_amount@2026-02-06", "ext.quota.periods.1.period_times~60"
    held = {"max_total_amount": (1_800, 0), "ext.quota.times_limit": (1, 0), day: (1_800, 0), slide: (1, 0)}
    assert _counters(service, iac) == held
    assert list(_counters(service, iac)) == list(held)
    service.capture(charge.id, act.Amount(1_000, "CNY"))
    captured = {"max_total_amount": (0, 1_000), "ext.quota.times_limit": (0, 1), day: (0, 1_000), slide: (0, 1)}
    assert _counters(service, iac) == captured
    world.clock.advance(60)
    assert _counters(service, iac)[slide] == (0, 0)
    world.clock.advance(TURN - NOW_SECONDS - 61)
    assert day in _counters(service, iac)
    world.clock.advance(1)
    shown = _counters(service, iac)
    assert shown.pop("ext.quota.periods.0.max_amount@2026-02-07") == (0, 0)
    assert day not in shown
    audit(tmp_path / "ledger.db")


def test_the_zone_database_is_recorded_where_it_decided(tmp_path: Path) -> None:
    cases: list[tuple[dict[str, Any], str | None]] = [
        ({}, None),
        ({"quota": {"times_limit": 1}}, None),
        ({"quota": {"periods": [{"sliding_seconds": 60, "period_times": 1}]}}, None),
        ({"quota": {"periods": [DAY | {"period_times": 1}]}}, TZDATA_VERSION),
        ({"schedule": {"time_zone": "Asia/Shanghai", "weekdays": ["FRI"]}}, TZDATA_VERSION),
    ]
    for number, (ext, expected) in enumerate(cases):
        world, path = World(), tmp_path / f"{number}.db"
        service, iac = world.service(path), _minted(world, **ext) if ext else world.mint()
        charge = service.authorize(world.payment(iac=iac, order=world.order()))
        assert open_receipt(charge.receipt).receipt.tzdata_version == expected
        status = service.status(iac)
        assert status is not None
        assert [each.tzdata_version for each in status.charges] == [expected]
        assert open_receipt(service.void(charge.id).receipt).receipt.tzdata_version is None  # a void asks no calendar
        revoked = service.revoke(iac)
        with pytest.raises(act.Refused) as caught:
            service.authorize(world.payment(iac=iac, order=world.order()))
        assert caught.value.receipt is not None
        assert open_receipt(caught.value.receipt).receipt.tzdata_version == expected
        assert open_receipt(revoked.receipt).receipt.tzdata_version is None
        audit(path)


def test_a_refusal_says_what_is_left_and_when_the_window_turns(tmp_path: Path) -> None:
    world = World()
    service, iac = world.service(tmp_path / "ledger.db"), _minted(world, quota={"periods": [DAY | {"max_amount": "40.00"}]})
    for _ in range(2):
        service.authorize(world.payment(iac=iac, order=world.order()))
    with refused("period_amount_exceeded", "ext.quota.periods.0.max_amount@2026-02-06") as caught:
        service.authorize(world.payment(iac=iac, order=world.order()))
    assert caught.value.facts == {"cap_minor": 4_000, "left_minor": 400, "asked_minor": 1_800, "turns_at": TURN}
    with pytest.raises(act.Refused) as sliding:
        judge(Limit("x~60", 2, "period_times_exceeded", Unit.TIMES, None, 60, 0), Usage(2, 1), 5)
    assert sliding.value.facts == {"cap_times": 2, "left_times": 0, "sliding_seconds": 60}


def test_outside_the_schedule_nothing_is_recorded(tmp_path: Path) -> None:
    world, path = World(), tmp_path / "ledger.db"
    service = world.service(path)
    iac = _minted(world, schedule={"time_zone": "Asia/Shanghai", "hours": ["17:01-18:00"]})
    payment = world.payment(iac=iac, order=world.order())
    with nothing_moves(path), refused("outside_schedule", "ext.schedule") as caught:
        service.authorize(payment)
    assert caught.value.facts == {"local_time": "FRI 17:00", "time_zone": "Asia/Shanghai"}
    world.clock.advance(60)
    assert service.authorize(payment).replayed is False


def test_a_new_zone_database_does_not_reset_a_window(tmp_path: Path) -> None:
    """The same window by its mark, although its instants moved."""
    periods = Periods.read([DAY | {"max_amount": "40.00"}], "CNY")
    (day,) = periods.limits(NOW_SECONDS)
    assert day.window is not None
    moved = replace(day, window=replace(day.window, start=day.window.start + 3_600, end=day.window.end + 3_600))
    with SqliteLedger(tmp_path / "ledger.db") as ledger:
        ledger.bind(PSP)
        for number, (each, is_paid) in enumerate([(day, True), (moved, False)], 1):
            outcome = ledger.reserve(reservation(number, 2_500, limits=[limit(20_000), each]), mandate(), MAKE_RECEIPT)
            assert (outcome.charge is not None) == is_paid
    audit(tmp_path / "ledger.db")


def test_a_revocation_names_open_windows_only(tmp_path: Path) -> None:
    periods = Periods.read([DAY | {"max_amount": "40.00"}, {"sliding_seconds": 60, "max_amount": "40.00"}], "CNY")
    with SqliteLedger(tmp_path / "ledger.db") as ledger:
        ledger.bind(PSP)
        for number, at in enumerate((NOW_SECONDS, TURN), 1):
            limits = [limit(20_000), *periods.limits(at)]
            ledger.reserve(reservation(number, 2_500, limits=limits, at=at), mandate(), MAKE_RECEIPT)
        ledger.revoke(mandate(), TURN + 59, MAKE_RECEIPT)
        named = ["ext.quota.periods.0.max_amount@2026-02-07", "ext.quota.periods.1.max_amount~60", "max_total_amount"]
        status = ledger.status(mandate().key, TURN + 59)
        assert status is not None
        assert [(each.name, each.held) for each in status.counters] == list(zip(named, (2_500, 2_500, 5_000), strict=True))
        every = ledger.status(mandate().key)
        assert every is not None
        assert [each.turns_at for each in every.counters] == [TURN, TURN + 86_400, None]
    audit(tmp_path / "ledger.db")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE sliding_debit SET held = held - 1",
        "UPDATE sliding_debit SET at = at - 61",
        "DELETE FROM sliding_debit",
        "UPDATE counter SET unit = 'AMOUNT' WHERE name = 'ext.quota.times_limit'",
        "UPDATE counter SET held = held + 1 WHERE name LIKE '%@%'",
        "UPDATE charge SET tzdata_version = '1999a'",
        "DELETE FROM counter WHERE name LIKE '%~%'",
    ],
)
def test_the_audit_finds_what_was_changed(statement: str, tmp_path: Path) -> None:
    world, path = World(), tmp_path / "ledger.db"
    iac = _minted(world, quota=QUOTA)
    world.service(path).authorize(world.payment(iac=iac, order=world.order()))
    audit(path)
    write_ledger(path, statement)
    assert disagreements(path)


def test_a_sum_over_a_window_reads_no_other_rows(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with SqliteLedger(path) as ledger:
        ledger.bind(PSP)
        question = (
            "EXPLAIN QUERY PLAN SELECT sum(held), sum(captured) FROM sliding_debit "
            "WHERE account = 1 AND mandate = 1 AND name = 'x' AND at > 5"
        )
        plan = ledger._database.read(lambda tx: tx.execute(question).fetchall())
    assert [row[-1] for row in plan] == ["SEARCH sliding_debit USING PRIMARY KEY (account=? AND mandate=? AND name=? AND at>?)"]


def test_pre_check_counts_what_it_is_told(tmp_path: Path) -> None:
    world = World()
    service, iac = world.service(tmp_path / "ledger.db"), _minted(world, quota={"periods": [DAY | {"period_times": 1}]})
    order = world.order()
    credential = act.verify_mandate(iac, parties=world.parties, at=world.clock())
    opened = act.verify_order(order, parties=world.parties, at=world.clock())
    act.pre_check(credential, opened, payment_method="balance", at=world.clock(), used={})
    service.authorize(world.payment(iac=iac, order=world.order()))
    status = service.status(iac)
    assert status is not None
    used = {each.name: each.held + each.captured for each in status.counters}
    with refused("period_times_exceeded", "ext.quota.periods.0.period_times@2026-02-06") as caught:
        act.pre_check(credential, opened, payment_method="balance", at=world.clock(), used=used)
    assert caught.value.facts == {"cap_times": 1, "left_times": 0, "turns_at": TURN}


def test_a_mandate_document_comes_back_as_it_went_in() -> None:
    document = {
        "issuer": "user:lin", "ledger": "psp-1", "delegator_identity": "user:lin", "agent_id": "a", "intent_id": "i",
        "validity_start_time": "2026-02-06T08:00:00Z", "validity_end_time": "2026-03-06T08:00:00Z", "max_total_amount": 200,
        "delegation_mode": "BOUNDED",
        "ext": {
            "quota": {"times_limit": 3, "refund_restores": False, "periods": [DAY | {"max_amount": 40}]},
            "schedule": {"time_zone": "UTC", "hours": ["00:00-24:00"]},
        },
    }  # fmt: skip
    constraints = {each.path: each.encode() for each in act.Mandate.from_json(json.dumps(document)).constraints}
    assert constraints["ext.quota.periods"] == [DAY | {"max_amount": "40.00"}]
    assert constraints["ext.quota.refund_restores"] is False
    assert constraints["ext.schedule"] == {"time_zone": "UTC", "hours": ["00:00-24:00"]}


# --- the command ---------------------------------------------------------------------------------------------------------


def test_the_command_shows_counts_and_windows(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "desk")
    iac = _minted(desk.world, quota=QUOTA, schedule={"time_zone": "UTC", "weekdays": ["FRI"]})
    desk.write("quota.cbor", iac)
    desk.write("quota-payment.cbor", desk.world.payment(iac=iac, order=desk.world.order()).to_bytes())
    shown = desk.call("inspect", "quota.cbor").out
    assert "at most 3 payments in total" in shown
    assert "in any 60 seconds" in shown
    assert "only on Fri" in shown
    document = desk.call("inspect", "quota.cbor", "--json").document["mandate"]
    assert document["ext"]["quota"] == QUOTA
    assert document["ext"]["schedule"] == {"time_zone": "UTC", "weekdays": ["FRI"]}

    done = desk.authorize("quota-payment.cbor", "--receipt-out", "receipt.cbor")
    assert done.code == 0, done.err
    receipt = desk.call("inspect", "receipt.cbor").out
    assert "ext.quota.periods.0.max_amount from 2026-02-06" in receipt
    assert "ext.quota.periods.1.period_times over the last 60 seconds" in receipt
    assert f"IANA database {TZDATA_VERSION}" in receipt
    counters = {each["limit"]: each for each in desk.call("inspect", "receipt.cbor", "--json").document["receipt"]["counters"]}
    assert (counters["ext.quota.times_limit"]["unit"], counters["ext.quota.times_limit"]["held"]) == ("TIMES", "1")

    arguments = ("status", "quota.cbor", "--ledger", "ledger.db", "--parties", "parties.json", "--at", AT)
    text = desk.call(*arguments).out
    assert re.search(r"held 1 +. left 2 +of 3 payments", text)
    assert re.search(r"ext\.quota\.periods\.0\.max_amount from 20\d\d-\d\d-\d\d to 20", text)
    limits = {each["name"].partition("@")[0]: each for each in desk.call(*arguments, "--json").document["limits"]}
    assert (limits["ext.quota.times_limit"]["left"], limits["ext.quota.times_limit"]["turns_at"]) == ("2", None)
    assert limits["ext.quota.periods.0.max_amount"]["turns_at"].endswith("T16:00:00Z")


def test_the_command_shows_windows_nothing_was_charged_to(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "desk")
    desk.authorize()
    desk.write("quota.cbor", _minted(desk.world, quota=QUOTA))
    document = desk.call("status", "quota.cbor", "--ledger", "ledger.db", "--parties", "parties.json", "--json").document
    assert [(each["name"].partition("@")[0], each["unit"], each["left"]) for each in document["limits"]] == [
        ("max_total_amount", "AMOUNT", "200.00"),
        ("ext.quota.times_limit", "TIMES", "3"),
        ("ext.quota.periods.0.max_amount", "AMOUNT", "40.00"),
        ("ext.quota.periods.1.period_times~60", "TIMES", "1"),
    ]

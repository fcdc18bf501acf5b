"""How chains are shown: the root first, every link with what it narrowed only, and what the last agent can really do."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

import act
from act_cli import lineage
from tests.support.command import Desk
from tests.support.world import AGENT, OTHER_SHOP, SHOP, SUB_AGENT, SUB_SUB_AGENT, World, key, reseal


@pytest.fixture(autouse=True)
def _utf_8(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "utf-8"))


def _chain(world: World) -> list[bytes]:
    root = world.mint(changes={"act.ext.delegation": {"max_depth": 2}})
    terms = {"commerce": {"allowed_merchants": [SHOP], "forbidden_categories": ["wine"]}, "delegation": {"max_depth": 1}}
    one = world.link([root], max_total_amount="50.00", validity_end_time="2026-02-06T12:00:00Z", ext=terms)
    two = world.link([root, one], SUB_SUB_AGENT, ext={"commerce": {"max_single_amount": "10.00"}})
    return [root, one, two]


def test_a_link_shows_only_what_it_narrowed() -> None:
    found = lineage.lineage_of(_chain(World()))
    narrowed = [{each.path: above and above.encode() for each, above in rung.narrowed} for rung in found.rungs[1:]]
    assert narrowed == [
        {
            "validity": found.rungs[0].narrowed[0][0].encode(),
            "max_total_amount": "200.00",
            "ext.commerce.allowed_merchants": [SHOP, OTHER_SHOP],
            "ext.commerce.forbidden_categories": None,
        },
        {"ext.commerce.max_single_amount": "30.00"},  # its window and its currency are its parent's
    ]
    assert [rung.depth_left for rung in found.rungs] == [2, 1, 0]


def test_what_the_last_agent_can_do_is_what_the_verifier_says() -> None:
    world = World()
    chain = _chain(world)
    found = lineage.lineage_of(chain)
    proven = act.verify_mandate(chain[0], links=chain[1:], parties=world.parties, at=world.clock())
    assert found.effective == tuple(each for each in proven.effective() if each.path != "ext.delegation.max_depth")
    view: Any = lineage.lineage_view(found)["effective"]
    assert (view["agent_id"], view["depth_left"]) == (SUB_SUB_AGENT, 0)
    assert (view["terms"]["max_total_amount"], view["terms"]["ext"]["commerce"]["max_single_amount"]) == ("50.00", "10.00")
    assert view["words"] == [each.describe() for each in found.effective or ()]


@pytest.mark.parametrize(
    "place, changes, code",
    [
        (1, {"act.max_total_amount": "999.00"}, "link_widens"),
        (1, {"act.parent": bytes(32)}, "link_parent_mismatch"),
        (2, {"sub": AGENT}, "link_cycle"),
    ],
)
def test_a_broken_chain_shows_where_it_breaks_and_no_power(place: int, changes: dict[str, object], code: str) -> None:
    chain = _chain(World())
    chain[place] = reseal(chain[place], key(AGENT if place == 1 else SUB_AGENT), changes)
    found = lineage.lineage_of(chain)
    assert [rung.refusal.code if rung.refusal else None for rung in found.rungs] == [
        code if number == place else None for number in range(3)
    ]
    assert [rung.depth_left is None for rung in found.rungs] == [number >= place for number in range(3)]
    assert (found.effective, lineage.power_words(found)) == (None, [])
    view: Any = lineage.lineage_view(found)
    assert (view["effective"], view["credentials"][place]["refusal"]["code"]) == (None, code)


# --- act inspect -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path / "desk")
    chain = _chain(desk.world)
    for name, data in zip(("root.cbor", "one.cbor", "two.cbor"), chain, strict=True):
        desk.write(name, data)
    desk.write("chained.cbor", desk.world.payment(chain=chain).to_bytes())
    return desk


def test_the_tree_in_words(desk: Desk) -> None:
    done = desk.call("inspect", "root.cbor", "one.cbor", "two.cbor")
    assert (done.code, done.err) == (0, "")
    out = done.out
    assert out.startswith(" NOT VERIFIED  chain · a mandate and 2 links · ")
    assert f"\n└── mandate · {AGENT} · root.cbor · " in out
    assert f"\n    └── link · {SUB_AGENT} · one.cbor · " in out
    assert f"\n        └── link · {SUB_SUB_AGENT} · two.cbor · " in out
    told = " ".join(out.split())
    for line in (
        "· at most CNY 50.00 in total (was CNY 200.00)",
        f"· only at {SHOP} (was {SHOP}, {OTHER_SHOP})",
        "until just before 2026-02-06T12:00:00Z (was 2026-02-07T00:00:00Z)",
        "· never for wine (no such limit above)",
        "· at most CNY 10.00 in one payment (was CNY 30.00)",
        "may appoint sub-agents, 2 deep",
        "may appoint no sub-agent",
        f"signed by {AGENT}, key {key(AGENT).kid.hex()[:16]}…",
    ):
        assert line in told
    power = out.split(f"What {SUB_SUB_AGENT} can really do")[1]
    assert "at most CNY 50.00 in total\n" in power
    assert "at most CNY 10.00 in one payment\n" in power
    assert "(was" not in power
    assert "Nothing of this was verified" in power
    assert "act verify root.cbor one.cbor two.cbor --parties PARTIES" in power
    assert max(map(len, out.splitlines())) <= 80


def test_the_tree_speaks_chinese(desk: Desk) -> None:
    out = desk.call("inspect", "root.cbor", "one.cbor", "--lang", "zh").out
    assert "总计不超过 CNY 50.00 (原为 CNY 200.00)" in out
    assert "(上级未作限制)" in out
    assert f"商户仅限:{SHOP} (原为 {SHOP}、{OTHER_SHOP})".replace("  ", " ") in " ".join(out.split())


def test_a_broken_chain_says_so_at_the_link_and_is_no_power(desk: Desk) -> None:
    done = desk.call("inspect", "root.cbor", "two.cbor", "one.cbor")
    assert done.code == 0
    told = " ".join(done.out.split())
    assert "✗ no verifier takes it here: link_parent_mismatch" in told
    assert "can really do" not in told


def test_all_of_it_is_there_as_data(desk: Desk) -> None:
    document = desk.call("inspect", "root.cbor", "one.cbor", "two.cbor", "--json").document
    assert (document["outcome"], document["verified"], document["kind"]) == ("unverified", False, "chain")
    assert document["files"] == [each["file"] for each in document["credentials"]] == ["root.cbor", "one.cbor", "two.cbor"]
    narrowed = document["credentials"][1]["narrowed"]
    total = next(each for each in narrowed if each["field"] == "max_total_amount")
    assert total == {"field": "max_total_amount", "words": "at most CNY 50.00 in total", "was": "at most CNY 200.00 in total"}
    alone = desk.call("inspect", "one.cbor", "--json").document
    assert alone["link"] == document["credentials"][1]["link"]


def test_a_payment_under_links_shows_its_chain(desk: Desk) -> None:
    done = desk.call("inspect", "chained.cbor")
    assert f"│       └── link · {SUB_SUB_AGENT} · " in done.out
    assert f"What {SUB_SUB_AGENT} can really do" in done.out
    assert max(len(line) for line in done.out.splitlines()) <= 80
    payment = desk.call("inspect", "chained.cbor", "--json").document["payment"]
    assert [part["kind"] for part in payment["parts"]] == ["request", "mandate", "link", "link", "order"]
    assert payment["chain"]["effective"]["agent_id"] == SUB_SUB_AGENT
    assert "chain" not in desk.call("inspect", "payment.cbor", "--json").document["payment"]


def test_a_link_alone_says_what_it_states_and_what_it_needs(desk: Desk) -> None:
    done = desk.call("inspect", "one.cbor")
    assert "at most CNY 50.00 in total" in done.out
    assert "everything else is inherited" in done.out
    assert act.recognize(desk.folder.joinpath("one.cbor").read_bytes()).opened.identity.hex() in done.out  # type: ignore[union-attr]  # it is a link
    assert "act verify MANDATE [LINK...] one.cbor --parties PARTIES" in done.out


@pytest.mark.parametrize("files", [("one.cbor", "two.cbor"), ("root.cbor", "root.cbor"), ("root.cbor", "order.cbor")])
def test_several_files_are_a_chain_or_refused(desk: Desk, files: tuple[str, ...]) -> None:
    done = desk.call("inspect", *files)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("error: kind_unexpected")
    assert any(name in done.err for name in files)


def test_foreign_text_in_a_chain_cannot_steer_the_terminal(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "desk")
    root = desk.world.mint(changes={"act.ext.delegation": {"max_depth": 1}})
    link = desk.world.link(
        [root], "agent:\\[bold]x", holder=key(SUB_AGENT).public_key, ext={"vendor_private": {"a": "\x1b[2J"}}
    )
    desk.write("root.cbor", root)
    desk.write("link.cbor", link)
    for files in (("root.cbor", "link.cbor"), ("link.cbor",)):
        done = desk.call("inspect", *files)
        assert done.code == 0
        assert "\x1b" not in done.out
        assert "agent:\\[bold]x" in done.out
    assert json.loads(desk.call("inspect", "link.cbor", "--json").raw)["link"]["ext"] == {"vendor_private": {"a": "\x1b[2J"}}

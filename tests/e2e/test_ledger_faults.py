"""A full disk, a file that may only be read: one named fault, nothing acknowledged, and everything goes on afterwards."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

import act
from tests.support.fold import audit
from tests.support.payer import Payer, tea_scene
from tests.support.world import World


def test_a_full_disk_refuses_one_payment_after_another_until_there_is_space(tmp_path: Path) -> None:
    world = World()
    iac = world.mint(max_total_amount="60000.00")
    payments = [world.payment(iac=iac) for _ in range(200)]
    place = tea_scene(tmp_path)
    place.plan("plan.json", payments, [(number, "") for number in range(200)], bytes=256 * 1024)
    with Payer("fill", tmp_path, "plan.json") as payer:
        said = [payer.line()]
        while said[-1][1] == "charge":
            said.append(payer.line())
        failed = len(said) - 1
        assert failed > 5
        assert [line[3] for line in said[:-1]] == ["0"] * failed
        assert said[-1] == payer.line()  # once more, with the same end
        assert said[-1][::2] in ([str(failed), "store_full"], [str(failed), "store_unavailable"])
        payer.ready()
        assert audit(place.ledger).charges == {"HELD": failed}  # nothing of the one that failed
        payer.go()
        new, again, following = payer.lines()
        assert payer.process.wait() == 0
    assert (new[3], again[3], following[3]) == ("0", "1", "0")
    assert new[2] == again[2]
    assert audit(place.ledger).charges == {"HELD": failed + 2}


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may look into, whatever the folders of pytest allow."""
    folder = Path(tempfile.mkdtemp(prefix="act-"))
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


@pytest.mark.parametrize("in_use", [False, True], ids=["closed", "in use"])
def test_who_may_only_read_the_ledger_cannot_spend(open_folder: Path, in_use: bool) -> None:
    world = World()
    iac = world.mint()
    payments = [world.payment(iac=iac) for _ in range(2)]
    place = tea_scene(open_folder)
    place.plan("plan.json", payments, [(0, ""), (1, "")])
    with ExitStack() as stack:
        ledger = stack.enter_context(closing(act.SqliteLedger(place.ledger)))
        charge = place.service(ledger).authorize(payments[0])
        if not in_use:
            ledger.close()
        for path in open_folder.glob("ledger.db*"):
            path.chmod(0o444 if os.geteuid() else 0o644)  # root owns it, and the reader will be nobody
        open_folder.chmod(0o555 if os.geteuid() else 0o755)
        with Payer("read-only", open_folder, "plan.json") as payer:
            said = list(payer.lines())
            assert payer.process.wait() == 0
    # A repeated request moves nothing, so it is answered as long as the file can be read at all.
    answered = [["0", "charge", charge.id, "1"], ["1", "fault", "store_read_only"]]
    assert said == [*(answered if in_use else [["open", "fault", "store_read_only"]]), ["new", "fault", "store_unavailable"]]
    assert audit(place.ledger).charges == {"HELD": 1}
    assert not (open_folder / "new.db").exists()

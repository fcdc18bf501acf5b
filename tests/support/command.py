"""The `act` command as tests run it, on a desk of real files.

    desk = Desk(tmp_path)                          # keys, parties.json, and a mandate, an order, a payment of `World`
    done = desk.call("verify", "payment.cbor", "--parties", "parties.json", "--at", AT)      # in this process: quick
    done = desk.spawn("authorize", "payment.cbor", ...)                                      # as a process of its own
    assert (done.code, done.document["outcome"]) == (0, "accepted")

Paths are relative to the desk's folder, which is the current one while a command runs. The objects are signed at the world's
fixed instant AT, so commands that judge them take `--at AT`.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import act
from act_cli.main import run
from tests.support.world import AGENT, NOW, NOW_SECONDS, OTHER_SHOP, PSP, SHOP, WALLET, MutableParties, World, key

__all__ = ["AT", "ROOT", "Desk", "Done", "listing", "one_line", "parties_document"]

ROOT: Final = Path(__file__).resolve().parents[2]
AT: Final = NOW.strftime("%Y-%m-%dT%H:%M:%SZ")
NOBODY: Final = 65_534


@dataclass(frozen=True, slots=True)
class Done:
    """What a command did: its exit code and what it wrote."""

    code: int
    raw: bytes
    err: str

    @property
    def out(self) -> str:
        """Standard output as text."""
        return self.raw.decode()

    @property
    def document(self) -> dict[str, Any]:
        """Standard output as one JSON document."""
        value = json.loads(self.raw)
        assert isinstance(value, dict)
        return value


class Desk:
    """A folder with everything the commands need. `ledger` is where the payment service keeps its own."""

    def __init__(self, folder: Path, world: World | None = None, *, ledger: str = "ledger.db") -> None:
        self.ledger: Final = ledger
        self.folder: Final = folder
        self.world: Final = world or World()
        folder.mkdir(exist_ok=True)
        names = {"wallet": WALLET, "agent": AGENT, "shop": SHOP, "other-shop": OTHER_SHOP, "psp": PSP, "thief": "thief"}
        for name, party in names.items():
            act.save_private(key(party), folder / f"{name}.pem")
            act.save_public(key(party).public_key, folder / f"{name}.pub.pem")
        self.write("parties.json", json.dumps(parties_document(self.world.parties)).encode())
        self.mandate = self.world.mint()
        self.order = self.world.order()
        self.payment = self.world.payment(iac=self.mandate, order=self.order)
        self.write("mandate.cbor", self.mandate)
        self.write("order.cbor", self.order)
        self.write("request.cbor", self.payment.request)
        self.write("payment.cbor", self.payment.to_bytes())

    def write(self, name: str, data: bytes) -> str:
        """Puts a file on the desk and returns its name."""
        self.folder.joinpath(name).write_bytes(data)
        return name

    def authorize(self, payment: str = "payment.cbor", *more: str) -> Done:
        """`act authorize` at the world's instant, with the desk's own ledger."""
        return self.call("authorize", payment, *self.service_options, "--at", AT, *more)

    @property
    def service_options(self) -> tuple[str, ...]:
        """The options of every command of the payment service."""
        return "--ledger", self.ledger, "--ledger-id", PSP, "--key", "psp.pem", "--parties", "parties.json"

    def call(self, *arguments: str, stdin: bytes = b"") -> Done:
        """Runs a command in this process."""
        out, err = io.BytesIO(), io.BytesIO()
        with contextlib.chdir(self.folder), _streams(stdin, out, err):
            code = run(arguments)
            sys.stdout.flush()
            sys.stderr.flush()
        return Done(code, out.getvalue(), err.getvalue().decode())

    def spawn(
        self,
        *arguments: str,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        before: Callable[[], object] | None = None,
        stdout: int = subprocess.PIPE,
    ) -> Done:
        """Runs a command as a process. `before` runs in the child just before the command's interpreter starts."""
        done = subprocess.run(
            [sys.executable, "-m", "act_cli", *arguments],
            cwd=self.folder,
            env=clean_environment() | dict(environment or {}),
            input=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            preexec_fn=before,
            timeout=60,
        )
        return Done(done.returncode, done.stdout or b"", done.stderr.decode())

    def spawn_as_nobody(self, *arguments: str) -> Done:
        """Runs a command as a process that no permission makes an exception for; root becomes `nobody` first."""
        program = (
            "import os, sys\n"
            "import act_cli.demo.stage, act_cli.help_text\n"
            "from act_cli.main import run\n"
            "act_cli.help_text.help_text()\n"  # loads every command while the interpreter's own files can be read
            "if os.geteuid() == 0:\n"
            f"    os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})\n"
            "assert os.geteuid() != 0\n"
            "sys.exit(run(sys.argv[1:]))\n"
        )
        command = [sys.executable, "-c", program, *arguments]
        done = subprocess.run(command, cwd=self.folder, env=clean_environment(), capture_output=True, timeout=60)
        return Done(done.returncode, done.stdout, done.stderr.decode())


def clean_environment() -> dict[str, str]:
    """This process's environment without what changes how the command writes, and with the packages importable."""
    kept = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "NO_COLOR", "ACT_DEBUG", "TERM"}}
    return kept | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "cli")])}


@contextlib.contextmanager
def _streams(stdin: bytes, out: io.BytesIO, err: io.BytesIO) -> Iterator[None]:
    """Bytes behind texts in UTF-8, as a shell's streams are."""
    saved = sys.stdin, sys.stdout, sys.stderr
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin), "utf-8")
    sys.stdout, sys.stderr = (io.TextIOWrapper(each, "utf-8", write_through=True) for each in (out, err))
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(ValueError):
                stream.detach()
        sys.stdin, sys.stdout, sys.stderr = saved


def parties_document(parties: MutableParties) -> dict[str, Any]:
    """The parties file that says what `parties` says."""
    entries = []
    for each in parties.keys.values():
        keys = {
            "jwk": each.public_key.to_jwk(),
            "not_before": _iso(each.not_before),
            "not_after": _iso(each.not_after),
        }
        if each.compromised_at is not None:
            keys["compromised_at"] = _iso(each.compromised_at)
        if each.alias is not None:
            keys["kid"] = each.alias.decode()
        entries.append(
            {
                "id": each.party.id,
                "name": each.party.name,
                "roles": [role.value for role in each.party.roles],
                "delegator_namespaces": list(each.party.delegator_namespaces),
                "categories": sorted(each.party.categories),
                "keys": [keys],
            }
        )
    return {
        "format": "act1-parties",
        "version": parties.version,
        "expires": _iso(max(parties.expires_at, NOW_SECONDS)),
        "parties": entries,
    }


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def listing(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, hidden ones included, with its contents."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def one_line(done: Done) -> str:
    """The one line a failed command wrote; asserts that it is one, on stderr, and no traceback."""
    assert done.raw == b""
    assert "Traceback" not in done.err
    lines = done.err.splitlines()
    assert len(lines) == 1, done.err
    assert lines[0].startswith("error: ")
    return lines[0]

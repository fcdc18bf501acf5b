"""A payment service in a process of its own, for tests that run several of them on one ledger, or kill them.

`Scene` is the folder they share: parties, the service's key, the instant, plans of signed payments, where the ledger is.
`Payer` starts a process; what it has done it says on its standard output, a line for each thing.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Final, Self

import act

if TYPE_CHECKING:
    from act.stores.postgres import PostgresLedger
    from tests.support.places import Place, SchemaPlace

ROOT: Final = Path(__file__).resolve().parents[2]
NOBODY: Final = 65_534
LATEST: Final = "9999-12-31T23:59:59Z"


@dataclass(frozen=True, slots=True)
class Scene:
    """A folder with everything a payment service needs."""

    folder: Path

    @property
    def ledger(self) -> Path:
        """The one ledger all of them use, where that is a file."""
        return self.folder / "ledger.db"

    @property
    def place(self) -> Place:
        """Where the one ledger is that all of them use."""
        from tests.support.places import FilePlace, SchemaPlace

        schema = self._schema()
        return FilePlace(self.ledger) if schema is None else SchemaPlace.at(*schema)

    def put(self, place: SchemaPlace) -> None:
        """Puts the ledger into a schema of PostgreSQL."""
        (self.folder / "schema.json").write_text(json.dumps([place.address, place.schema]), encoding="utf-8")

    def open(self) -> act.SqliteLedger | PostgresLedger:
        """The one ledger all of them use."""
        schema = self._schema()
        if schema is None:
            return act.SqliteLedger(self.ledger)
        from act.stores.postgres import PostgresLedger

        return PostgresLedger(schema[0], schema=schema[1])

    def _schema(self) -> tuple[str, str] | None:
        """The address of PostgreSQL and the ledger's schema there; None for a file."""
        try:
            address, schema = json.loads((self.folder / "schema.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return address, schema

    @classmethod
    def set(cls, folder: Path, *, parties: Sequence[dict[str, Any]], signer: act.KeyPair, at: datetime) -> Scene:
        """Writes everything but payments and ledger. The ledger will be a file, unless it is `put` elsewhere."""
        listed = {"format": "act1-parties", "version": 1, "expires": LATEST, "parties": list(parties)}
        (folder / "parties.json").write_text(json.dumps(listed), encoding="utf-8")
        (folder / "now.txt").write_text(at.isoformat(), encoding="utf-8")
        act.save_private(signer, folder / "psp.pem")
        return cls(folder)

    def plan(self, name: str, payments: Sequence[act.Payment], steps: Sequence[tuple[int, str]], **more: int) -> None:
        """Writes what a process shall send, and do with each charge it gets: "", capture, part or void.

        With `lag`, it says what became of payments when that many were sent; with `stay`, it stays when it has sent all;
        `bytes` is how long a file may become.
        """
        sent = {number: payments[number].to_bytes().hex() for number, _ in steps}
        plan = {"payments": sent, "steps": list(steps), "lag": 1, **more}
        (self.folder / name).write_text(json.dumps(plan), encoding="utf-8")

    def tools(self) -> dict[str, Any]:
        """What a payment service needs besides a ledger: parties, key, clock."""
        at = datetime.fromisoformat((self.folder / "now.txt").read_text(encoding="utf-8"))
        parties, signer = act.PartiesFile(self.folder / "parties.json"), act.load_private(self.folder / "psp.pem")
        return {"parties": parties, "signer": signer, "clock": lambda: at}

    def service(self, ledger: act.SqliteLedger | PostgresLedger) -> act.PaymentService:
        """The payment service."""
        return act.PaymentService("psp-1", ledger=ledger, **self.tools())


def tea_scene(folder: Path) -> Scene:
    """The scene of `tests.support.world`: its wallet, its shop, its payment service, its instant."""
    from tests.support.world import NOW, PSP, SHOP, WALLET, key  # not needed, and slow to load, in the processes started here

    parties = [
        _party(WALLET, "issuer", key(WALLET).public_key, delegator_namespaces=["user:"]),
        _party(SHOP, "payee", key(SHOP).public_key, categories=["tea"]),
        _party(PSP, "psp", key(PSP).public_key),
    ]
    return Scene.set(folder, parties=parties, signer=key(PSP), at=NOW)


def _party(party_id: str, role: str, key: act.PublicKey, **more: list[str]) -> dict[str, Any]:
    """One party of a parties file, with one key."""
    keys = [{"jwk": key.to_jwk(), "not_before": "1970-01-01T00:00:00Z", "not_after": LATEST}]
    return {"id": party_id, "name": party_id, "roles": [role], "keys": keys, **more}


class Payer:
    """A process that does one of `WORKS`. It begins when `go` is called; leaving the block kills what is left of it."""

    def __init__(self, work: str, folder: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "tests.support.payer", work, str(folder), *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, env=_environment())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.kill()
        self.process.communicate()

    def ready(self) -> None:
        """Waits until it has loaded everything."""
        assert self.line() == ["ready"]

    def go(self, *words: str) -> None:
        """Lets it begin, or tells it what to do next."""
        assert self.process.stdin is not None
        self.process.stdin.write(" ".join(words or ("go",)).encode() + b"\n")
        self.process.stdin.flush()

    def line(self) -> list[str]:
        """The next thing it has done, as words; empty when there is nothing more."""
        return self._output.readline().decode().split()

    def lines(self) -> Iterator[list[str]]:
        """Everything it still has to say."""
        for line in self._output:
            yield line.decode().split()

    def kill(self) -> list[list[str]]:
        """Ends it with SIGKILL and returns what it had said by then and nobody had read."""
        self.process.kill()
        return list(self.lines())

    @property
    def _output(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}


# --- what runs in the process of its own ----------------------------------------------------------------------------------


def _say(*words: object) -> None:
    """A line, whole or not at all, which is what a pipe makes of one short write."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def _wait() -> None:
    _say("ready")
    sys.stdin.readline()


def _planned(scene: Scene, plan: str) -> tuple[Any, dict[int, bytes]]:
    planned = json.loads((scene.folder / plan).read_text(encoding="utf-8"))
    return planned, {int(number): bytes.fromhex(data) for number, data in planned["payments"].items()}


def _pay(scene: Scene, plan: str) -> None:
    """Sends payments as planned, one after the other."""
    planned, payments = _planned(scene, plan)
    with closing(scene.open()) as ledger:
        service = scene.service(ledger)
        _wait()
        unsaid: list[tuple[object, ...]] = []
        for sent, (number, then) in enumerate(planned["steps"], 1):
            unsaid += _send(service, payments[number], number, then)
            if sent % planned["lag"] == 0:
                for words in unsaid:
                    _say(*words)
                unsaid.clear()
        if planned.get("stay"):
            sys.stdin.readline()


def refused_words(refusal: act.Refused) -> tuple[str, str, int]:
    """What became of a payment that was refused; one whose charge was voided since had become that charge."""
    if refusal.code == "charge_closed":
        return "charge", str(refusal.facts["charge"]), int(refusal.replayed)
    return "refused", refusal.code, int(refusal.replayed)


def _send(service: act.PaymentService, payment: bytes, number: int, then: str) -> Iterator[tuple[object, ...]]:
    """Sends one payment; yields what became of it."""
    try:
        charge = service.authorize(payment)
    except act.Refused as refusal:
        yield number, *refused_words(refusal)
        return
    yield number, "charge", charge.id, int(charge.replayed)
    try:
        if then == "void":
            service.void(charge.id)
        elif then:
            minor = charge.amount.minor if then == "capture" else (charge.amount.minor + 1) // 2
            service.capture(charge.id, act.Amount(minor, charge.amount.currency))
    except act.Refused as refusal:  # a duplicate that another process has closed in another way
        yield charge.id, "refused", refusal.code, 0
    else:
        yield charge.id, then or "held"


def _try(service: act.PaymentService, payment: bytes, number: int) -> bool:
    """Sends one payment and says what became of it; whether the ledger answered."""
    try:
        charge = service.authorize(payment)
    except act.StoreFault as fault:
        _say(number, "fault", fault.code)
        return False
    _say(number, "charge", charge.id, int(charge.replayed))
    return True


def _fill(scene: Scene, plan: str) -> None:
    """Sends payments until no file may grow any more, waits, and goes on when files may grow again."""
    planned, payments = _planned(scene, plan)
    with closing(act.SqliteLedger(scene.ledger)) as ledger:
        service = scene.service(ledger)
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (planned["bytes"], hard))  # Python ignores SIGXFSZ: writing fails
        number = next(number for number, payment in payments.items() if not _try(service, payment, number))
        _try(service, payments[number], number)
        _wait()
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        for each in (number, number, number + 1):
            _try(service, payments[each], each)


def _read_only(scene: Scene, plan: str) -> None:
    """Uses a ledger as someone who may read it and not write it."""
    _, payments = _planned(scene, plan)
    tools = scene.tools()
    if os.geteuid() == 0:  # whom no permission stops
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    try:
        with closing(act.SqliteLedger(scene.ledger)) as ledger:
            service = act.PaymentService("psp-1", ledger=ledger, **tools)
            for number, payment in payments.items():
                _try(service, payment, number)
    except act.StoreFault as fault:
        _say("open", "fault", fault.code)
    try:
        act.SqliteLedger(scene.folder / "new.db").bind("psp-1")
    except act.StoreFault as fault:
        _say("new", "fault", fault.code)


def _create(scene: Scene) -> None:
    """Makes a ledger wherever it is told to."""
    _say("ready")
    for line in sys.stdin:
        with closing(act.SqliteLedger(line.strip())) as ledger:
            ledger.bind("psp-1")
        _say("made", line.strip())


def _create_many(scene: Scene) -> None:
    """Makes one ledger after the other until it is stopped."""
    _wait()
    number = 0
    while True:
        path = scene.folder / f"{number}.db"
        with closing(act.SqliteLedger(path)) as ledger:
            ledger.bind("psp-1")
        _say("made", path)
        number += 1


WORKS: Final[dict[str, Callable[..., None]]] = {
    "pay": _pay,
    "fill": _fill,
    "read-only": _read_only,
    "create": _create,
    "create-many": _create_many,
}

if __name__ == "__main__":
    WORKS[sys.argv[1]](Scene(Path(sys.argv[2])), *sys.argv[3:])

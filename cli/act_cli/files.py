"""Files the command reads and writes. Input is bounded; output appears whole under its name or not at all.

An output is written and synced under a temporary name in its own folder. Then it is linked to its name, which fails if anything
has that name already, or, with --force, renamed over the regular file that has it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import sys
from pathlib import Path
from typing import Final

import act
from act_cli.manners import discard_stdout

__all__ = [
    "MAX_INPUT_BYTES",
    "STANDARD",
    "in_file",
    "load_parties",
    "read_draft_file",
    "read_input",
    "read_passphrase",
    "require_free",
    "write_output",
]

STANDARD: Final = "-"
"""Standard input or output."""

MAX_INPUT_BYTES: Final = 512 * 1024
"""More than any payment (an object has at most 32 KiB and a payment at most eleven of them) and any draft."""

MAX_PASSPHRASE_BYTES: Final = 4 * 1024
_HEAD_BYTES: Final = 16 * 1024  # the most a key file may have


def read_input(path: str) -> bytes:
    """The bytes of a file, or of standard input for `-`.

    Raises `StoreFault` file_unreadable and `Refused` input_too_large beyond MAX_INPUT_BYTES.
    """
    try:
        if path == STANDARD:
            data = sys.stdin.buffer.read(MAX_INPUT_BYTES + 1)
        else:
            with Path(path).open("rb") as file:
                data = file.read(MAX_INPUT_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise act.StoreFault("file_unreadable", _name(path, "standard input"), reason=_cause(error)) from None
    if len(data) > MAX_INPUT_BYTES:
        raise act.Refused("input_too_large", _name(path, "standard input"), limit_bytes=MAX_INPUT_BYTES)
    return data


def read_draft_file(path: str) -> bytes:
    """The bytes of a draft. As `read_input`, but one that is too large is `InvalidCall` draft_invalid, as any bad draft; the
    file is named by `in_file`."""
    try:
        return read_input(path)
    except act.Refused as refusal:
        raise act.InvalidCall("draft_invalid", reason=refusal.meaning, limit_bytes=MAX_INPUT_BYTES) from None


def in_file(path: str, error: act.InvalidCall) -> act.InvalidCall:
    """The same error about an input, its place led by the file it stands in."""
    name = _name(path, "standard input")
    return act.InvalidCall(error.code, f"{name}: {error.where}" if error.where else name, **error.facts)


def load_parties(path: str) -> act.PartiesFile:
    """The parties file. Raises `StoreFault` file_unreadable and `InvalidCall` parties_invalid, both naming the file."""
    try:
        return act.PartiesFile(path)
    except act.InvalidCall as error:
        raise in_file(path, error) from None


def read_passphrase(path: str | None) -> bytes | None:
    """The first line of a file, without its line end; None if there is no file to read.

    Raises `StoreFault` file_unreadable and `InvalidCall` key_unusable for an empty or endless line.
    """
    if path is None:
        return None
    try:
        data = read_input(path)
    except act.Refused as refusal:
        raise act.InvalidCall("key_unusable", refusal.where, reason="no passphrase in its first line") from None
    passphrase = data.split(b"\n", 1)[0].removesuffix(b"\r")
    if not 0 < len(passphrase) <= MAX_PASSPHRASE_BYTES:
        raise act.InvalidCall("key_unusable", _name(path, "standard input"), reason="no passphrase in its first line")
    return passphrase


def require_free(path: str | None, *, force: bool = False) -> None:
    """Finds out before anything is done that an output could not be written under its name.

    Raises `StoreFault`: file_exists, also with `force` for a private key or a ledger; file_unwritable for what is no regular
    file or for a folder that is not there.
    """
    if path is None or path == STANDARD:
        return
    try:
        if not Path(path).parent.is_dir():
            raise act.StoreFault("file_unwritable", path, reason="there is no such folder")
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise act.StoreFault("file_unwritable", path, reason=_cause(error)) from None
    if not force:
        raise act.StoreFault("file_exists", path)
    if not stat.S_ISREG(mode):  # renaming over it would replace a device or a link by a file
        raise act.StoreFault("file_unwritable", path, reason="it is no regular file")
    precious = _precious(path)
    if precious is not None:
        raise act.StoreFault("file_exists", path, reason=f"{precious} is never replaced")


def _precious(path: str) -> str | None:
    """What a file is whose loss nothing makes good, whatever option was given; None for any other file."""
    try:
        with Path(path).open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise act.StoreFault("file_unwritable", path, reason=_cause(error)) from None
    if b"PRIVATE KEY-----" in head:
        return "a private key"
    return "a ledger" if head.startswith(b"SQLite format 3\x00") else None


def write_output(path: str, data: bytes, *, force: bool = False) -> None:
    """Writes a file whole or not at all; with `force` a regular file of that name is replaced. `-` is standard output.

    Raises `StoreFault`: file_exists, file_unwritable. Whatever is raised, the name is as it was before, with one exception: if
    the very last step fails, syncing the folder after a forced replacement, the name has the new file, whole.
    """
    if path == STANDARD:
        _write_stdout(data)
        return
    require_free(path, force=force)
    target = Path(path)
    try:
        # Opened before anything is made: a folder that may be written but not read could not be synced afterwards.
        folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _place(target, data, force=force)
            _sync_name(folder, target, force=force)
        finally:
            os.close(folder)
    except FileExistsError:
        raise act.StoreFault("file_exists", path) from None
    except OSError as error:
        raise act.StoreFault("file_unwritable", path, reason=_cause(error)) from None


def _write_stdout(data: bytes) -> None:
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise  # nobody reads any more, which has an exit code of its own
    except OSError as error:
        discard_stdout()
        raise act.StoreFault("file_unwritable", "standard output", reason=_cause(error)) from None


def _place(target: Path, data: bytes, *, force: bool) -> None:
    """Gives the data its name, all of it at once."""
    temporary = target.parent / f".act.{secrets.token_hex(8)}.tmp"
    try:
        _write_new(temporary, data)
        if force:
            temporary.replace(target)
        else:
            os.link(temporary, target, follow_symlinks=False)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _write_new(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def _sync_name(folder: int, target: Path, *, force: bool) -> None:
    """Makes the new name itself survive a power loss. If that fails, a name that was not there before is taken away again."""
    try:
        os.fsync(folder)
    except OSError:
        if not force:
            target.unlink()
        raise


def _name(path: str, standard: str) -> str:
    return standard if path == STANDARD else path


def _cause(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or "not a usable path"

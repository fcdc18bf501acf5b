"""Key files: created whole or not at all, never overwritten, private ones readable by their owner alone.

A file is written and synced under a temporary name in its own folder and then linked to its name, which fails if the name is
taken. A process killed in between leaves at most a hidden `.act-key.*.tmp` file with the same permissions, never half a key
under the name. The file system must support hard links.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import secrets
import stat
from pathlib import Path
from typing import Final

from act.errors import StoreFault
from act.keys.key_pair import KeyPair
from act.keys.pem import PEM_SIZE_LIMIT, parse_private_pem, parse_public_pem, private_pem
from act.keys.public_key import PublicKey

__all__ = ["load_private", "load_public", "save_private", "save_public"]

_LOGGER: Final = logging.getLogger("act")


def save_private(key: KeyPair, path: str | os.PathLike[str], passphrase: bytes | None = None) -> None:
    """Create the file `path`, mode 0600, with the secret key as PKCS#8 PEM, encrypted if there is a passphrase.

    Raises StoreFault: `file_exists` if anything has that name, a dangling symbolic link included; `file_unwritable`.
    Raises InvalidCall: `call_invalid` for an unusable passphrase. Whatever is raised, nothing was left at `path`.
    """
    _create(Path(path), private_pem(key, passphrase).encode("ascii"), 0o600)


def save_public(key: PublicKey, path: str | os.PathLike[str]) -> None:
    """Create the file `path`, mode 0644 less the umask, with the public key as SubjectPublicKeyInfo PEM.

    Raises StoreFault: `file_exists`; `file_unwritable`. Whatever is raised, nothing was left at `path`.
    """
    _create(Path(path), key.pem.encode("ascii"), 0o644)


def load_private(path: str | os.PathLike[str], passphrase: bytes | None = None) -> KeyPair:
    """The key pair in a PKCS#8 PEM file.

    A file that others may read or write is loaded all the same, because mounted secrets often come that way, with a warning
    `key_file_exposed` to the logger `act`.
    Raises StoreFault: `file_unreadable`. Raises InvalidCall: `key_unusable`, with the fact `reason` (see `act.keys.pem`).
    """
    name = os.fspath(path)
    text, mode = _read(name)
    key = parse_private_pem(text, passphrase, where=name)
    if stat.S_ISREG(mode) and mode & 0o077:
        _LOGGER.warning("key_file_exposed kid=%s mode=%04o", key.kid.hex(), stat.S_IMODE(mode))
    return key


def load_public(path: str | os.PathLike[str]) -> PublicKey:
    """The public key in a SubjectPublicKeyInfo PEM file.

    Raises StoreFault: `file_unreadable`. Raises InvalidCall: `key_unusable`, with the fact `reason` (see `act.keys.pem`).
    """
    name = os.fspath(path)
    return parse_public_pem(_read(name)[0], where=name)


def _read(path: str) -> tuple[str, int]:
    """The text of a file, read up to one byte more than the parser takes, and the file's mode."""
    try:
        with Path(path).open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(PEM_SIZE_LIMIT + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise StoreFault("file_unreadable", path, **_cause(error)) from None
    return data.decode("latin-1"), mode  # one character for every byte: the parser refuses what is not ASCII or too long


def _create(path: Path, data: bytes, mode: int) -> None:
    temporary = path.parent / f".act-key.{secrets.token_hex(8)}.tmp"
    try:
        try:
            _write_new(temporary, data, mode)
            os.link(temporary, path, follow_symlinks=False)
        finally:
            with contextlib.suppress(OSError, ValueError):
                temporary.unlink()
        try:
            _sync_folder(path.parent)
        except OSError:
            path.unlink()
            raise
    except FileExistsError:
        raise StoreFault("file_exists", str(path)) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise StoreFault("file_unwritable", str(path), **_cause(error)) from None


def _write_new(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    """Make the new name itself survive a power loss."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _cause(error: OSError | ValueError) -> dict[str, int | str]:
    number = error.errno if isinstance(error, OSError) else None
    return {"reason": errno.errorcode.get(number, "EINVAL") if number is not None else "EINVAL"}

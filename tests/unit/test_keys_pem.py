"""Key texts and key files: what is read, what is refused, and that a file is there whole or not at all."""

from __future__ import annotations

import base64
import errno
import logging
import os
import secrets
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from act.errors import ActError, InvalidCall, StoreFault
from act.keys import (
    KeyPair,
    load_private,
    load_public,
    parse_private_pem,
    parse_public_pem,
    private_pem,
    save_private,
    save_public,
)
from act.keys.pem import PEM_SIZE_LIMIT

ED25519 = KeyPair.unsafe_from_seed(bytes(range(32)))
ES256 = KeyPair.unsafe_from_seed(bytes(range(1, 33)), "ES256")
BOTH = [ED25519, ES256]
IDS = ["Ed25519", "ES256"]


def outcome(call: Callable[..., object], *arguments: object) -> tuple[str, str, object]:
    """Code, place and reason of the error that `call(*arguments)` raises."""
    with pytest.raises(ActError) as caught:
        call(*arguments)
    assert caught.value.__cause__ is None
    return caught.value.code, caught.value.where, caught.value.facts.get("reason")


def block(label: str, der: bytes) -> str:
    return f"-----BEGIN {label}-----\n{base64.encodebytes(der).decode()}-----END {label}-----\n"


def der_of(text: str) -> bytes:
    return base64.b64decode("".join(text.splitlines()[1:-1]))


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


# --- text ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pair", BOTH, ids=IDS)
@pytest.mark.parametrize("passphrase", [None, b"x", "secret mot clé".encode(), bytes(range(256)) * 3], ids=repr)
def test_round_trip(pair: KeyPair, passphrase: bytes | None) -> None:
    text = private_pem(pair, passphrase)
    again = parse_private_pem(text, passphrase)
    assert again.public_key == parse_public_pem(pair.public_key.pem) == pair.public_key
    assert again.sign(b"message") == pair.sign(b"message")
    assert text.startswith("-----BEGIN PRIVATE KEY-----\n" if passphrase is None else "-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    assert text.endswith("-----\n")


def test_public_text_is_the_published_form() -> None:
    # The Ed25519 example of RFC 8410 section 10.1.
    line = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="
    example = f"-----BEGIN PUBLIC KEY-----\n{line}\n-----END PUBLIC KEY-----\n"
    assert parse_public_pem(example).pem == example


def test_text_around_the_block_is_ignored() -> None:
    text = "ED25519 Public-Key:\npub:\n    03:a1\n" + ED25519.public_key.pem.replace("\n", "\r\n") + "\nthe end"
    assert parse_public_pem(text) == ED25519.public_key


@pytest.mark.parametrize("passphrase", [b"", bytes(1024)], ids=len)
def test_unusable_passphrases(passphrase: bytes, tmp_path: Path) -> None:
    assert outcome(private_pem, ED25519, passphrase) == ("call_invalid", "passphrase", None)
    assert outcome(save_private, ED25519, tmp_path / "key.pem", passphrase) == ("call_invalid", "passphrase", None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("pair", BOTH, ids=IDS)
def test_passphrases_that_do_not_fit(pair: KeyPair) -> None:
    encrypted, plain = private_pem(pair, b"right"), private_pem(pair)
    for text, passphrase, reason in (
        (encrypted, None, "passphrase_needed"),
        (encrypted, b"", "passphrase_needed"),
        (encrypted, b"wrong", "passphrase_or_content_wrong"),
        (encrypted, bytes(5000), "passphrase_or_content_wrong"),
        (plain, b"right", "not_encrypted"),
        (plain, b"", "not_encrypted"),
    ):
        assert outcome(parse_private_pem, text, passphrase, "k") == ("key_unusable", "k", reason)


def _unsupported() -> dict[str, tuple[str, str]]:
    keys: dict[str, ec.EllipticCurvePrivateKey | x25519.X25519PrivateKey | rsa.RSAPrivateKey | dsa.DSAPrivateKey] = {
        "P-384": ec.generate_private_key(ec.SECP384R1()),
        "secp256k1": ec.generate_private_key(ec.SECP256K1()),
        "X25519": x25519.X25519PrivateKey.generate(),
        "RSA": rsa.generate_private_key(65537, 1024),  # noqa: S505 - short because it is refused, and quick to make
        "DSA": dsa.generate_private_key(1024),  # noqa: S505 - short because it is refused, and quick to make
    }
    return {
        name: (
            secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
            secret.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        )
        for name, secret in keys.items()
    }


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the library that makes the old kinds of keys
def test_other_kinds_of_keys_are_unusable() -> None:
    for name, (private, public) in _unsupported().items():
        assert outcome(parse_private_pem, private) == ("key_unusable", "", "key_type_unsupported"), name
        assert outcome(parse_public_pem, public) == ("key_unusable", "", "key_type_unsupported"), name


def test_other_formats_are_unusable() -> None:
    sec1 = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    private, public = private_pem(ED25519), ED25519.public_key.pem
    for parse, text, reason in (
        (parse_private_pem, sec1.decode(), "label_unexpected"),
        (parse_private_pem, public, "label_unexpected"),
        (parse_public_pem, private, "label_unexpected"),
        (parse_public_pem, private_pem(ED25519, b"word"), "label_unexpected"),
        (parse_public_pem, block("CERTIFICATE", b"0"), "label_unexpected"),
        (parse_public_pem, public + private, "label_unexpected"),
        (parse_public_pem, public + ES256.public_key.pem, "not_one_key"),
        (parse_private_pem, private * 2, "not_one_key"),
        (parse_public_pem, "", "not_pem"),
        (parse_public_pem, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== me", "not_pem"),
        (parse_public_pem, public.replace("M", "é"), "not_pem"),
        (parse_public_pem, public[:60], "not_pem"),
        (parse_private_pem, private[:60], "not_pem"),
        (parse_public_pem, block("PUBLIC KEY", der_of(public)[:-1]), "not_pem"),
        (parse_public_pem, block("PUBLIC KEY", der_of(public) + b"\x00"), "not_pem"),
        (parse_private_pem, block("PRIVATE KEY", der_of(private)[:-1]), "not_pem"),
        (parse_private_pem, block("ENCRYPTED PRIVATE KEY", der_of(private)), "passphrase_needed"),
        (parse_public_pem, public + " " * PEM_SIZE_LIMIT, "too_large"),
    ):
        assert outcome(parse, text) == ("key_unusable", "", reason), text


def test_a_public_text_with_a_bad_point_is_unusable() -> None:
    spki = der_of(ED25519.public_key.pem)
    for raw in (bytes(32), b"\x01" + bytes(31), b"\xff" * 32):
        text = block("PUBLIC KEY", spki[:-32] + raw)
        assert outcome(parse_public_pem, text) == ("key_unusable", "", "point_invalid")
    off_curve = der_of(ES256.public_key.pem)[:-1] + b"\x00"
    assert outcome(parse_public_pem, block("PUBLIC KEY", off_curve))[0] == "key_unusable"


def test_a_private_text_whose_public_half_is_anothers_is_unusable() -> None:
    other = KeyPair.generate("ES256").public_key.raw
    mixed = der_of(private_pem(ES256)).replace(ES256.public_key.raw, other)
    assert other in mixed
    assert outcome(parse_private_pem, block("PRIVATE KEY", mixed))[0] == "key_unusable"


def test_errors_name_no_secret() -> None:
    text = private_pem(ED25519)
    with pytest.raises(InvalidCall) as caught:
        parse_private_pem(text.replace("PRIVATE KEY", "EC PRIVATE KEY"), b"the passphrase", "key.pem")
    shown = f"{caught.value} {caught.value!r} {caught.value.facts}"
    assert "the passphrase" not in shown
    assert text.splitlines()[1] not in shown


# --- files ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pair", BOTH, ids=IDS)
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077], ids=oct)
def test_files_round_trip_with_the_right_mode(pair: KeyPair, umask: int, tmp_path: Path) -> None:
    os.umask(umask)
    private, encrypted, public = tmp_path / "a.pem", tmp_path / "b.pem", tmp_path / "c.pem"
    save_private(pair, private)
    save_private(pair, str(encrypted), b"word")
    save_public(pair.public_key, public)
    assert load_private(str(private)).public_key == load_private(encrypted, b"word").public_key == load_public(public)
    assert load_public(public) == pair.public_key
    assert [stat.S_IMODE(path.stat().st_mode) for path in (private, encrypted, public)] == [0o600, 0o600, 0o644 & ~umask]
    assert sorted(tmp_path.iterdir()) == [private, encrypted, public]
    assert {path.stat().st_nlink for path in tmp_path.iterdir()} == {1}


def test_a_relative_name_is_in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_private(ED25519, "key.pem")
    assert load_private(Path("key.pem")).kid == ED25519.kid


@pytest.mark.parametrize("taken", ["file", "folder", "link", "dangling link"])
def test_nothing_is_overwritten_or_followed(taken: str, tmp_path: Path) -> None:
    path, target = tmp_path / "key.pem", tmp_path / "target"
    if taken == "file":
        path.write_text("mine")
    elif taken == "folder":
        path.mkdir()
    else:
        path.symlink_to(target)
        if taken == "link":
            target.write_text("mine")
    before = {entry.name: entry.lstat().st_ino for entry in tmp_path.iterdir()}
    assert outcome(save_private, ED25519, path) == ("file_exists", str(path), None)
    assert outcome(save_public, ED25519.public_key, path) == ("file_exists", str(path), None)
    assert {entry.name: entry.lstat().st_ino for entry in tmp_path.iterdir()} == before
    if taken in {"file", "link"}:
        assert path.read_text() == "mine"


def test_a_planted_temporary_name_is_not_written_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "token_hex", lambda size: "00" * size)
    path, target = tmp_path / "key.pem", tmp_path / "target"
    target.write_text("mine")
    for plant in (os.link, os.symlink):
        plant(target, tmp_path / f".act-key.{'00' * 8}.tmp")
        assert outcome(save_private, ED25519, path)[0] == "file_exists"
        assert target.read_text() == "mine"
        assert not path.exists()


def test_of_many_writers_exactly_one_wins(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    writers = [KeyPair.generate() for _ in range(16)]

    def write(pair: KeyPair) -> bool:
        try:
            save_private(pair, path)
        except StoreFault as fault:
            assert fault.code == "file_exists"
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(write, writers))
    assert won.count(True) == 1
    assert load_private(path).kid == writers[won.index(True)].kid
    assert list(tmp_path.iterdir()) == [path]


DISK_FULL, INTERRUPT = OSError(errno.ENOSPC, "full"), KeyboardInterrupt()


@pytest.mark.parametrize(
    ("step", "error"),
    [
        *((step, error) for step in ("write", "fsync", "link") for error in (DISK_FULL, INTERRUPT)),
        ("fsync of the folder", DISK_FULL),  # an interrupt there comes too late: the key is whole and has its name
    ],
    ids=str,
)
def test_a_failed_save_leaves_nothing(step: str, error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fsync, calls = os.fsync, [0]

    def failing(*_: object, **__: object) -> None:
        raise error

    def failing_second(descriptor: int) -> None:
        calls[0] += 1
        if calls[0] == 2:
            raise error
        fsync(descriptor)

    name = {"write": "fdopen", "fsync": "fsync", "link": "link", "fsync of the folder": "fsync"}[step]
    monkeypatch.setattr(os, name, failing_second if step == "fsync of the folder" else failing)
    path = tmp_path / "key.pem"
    if isinstance(error, OSError):
        assert outcome(save_private, ED25519, path) == ("file_unwritable", str(path), "ENOSPC")
    else:
        with pytest.raises(KeyboardInterrupt):
            save_private(ED25519, path)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    save_private(ED25519, path)
    assert load_private(path).kid == ED25519.kid


def test_a_killed_save_leaves_no_half_key_under_the_name(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    program = (
        "import os, signal, sys\n"
        "from act.keys import KeyPair, save_private\n"
        "os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)\n"
        "save_private(KeyPair.generate(), sys.argv[1])\n"
    )
    root = Path(__file__).resolve().parents[2]
    ended = subprocess.run([sys.executable, "-c", program, str(path)], cwd=root, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    left = list(tmp_path.iterdir())
    assert path not in left
    assert [stat.S_IMODE(entry.stat().st_mode) for entry in left if entry.name.startswith(".act-key.")] == [0o600] * len(left)
    save_private(ED25519, path)
    assert load_private(path).kid == ED25519.kid


@pytest.mark.parametrize(
    ("name", "reason"),
    [("absent/key.pem", "ENOENT"), ("file/key.pem", "ENOTDIR"), ("x" * 300, "ENAMETOOLONG"), ("nul\0.pem", "EINVAL")],
    ids=["no folder", "folder is a file", "name too long", "NUL in the name"],
)
def test_places_that_cannot_be_written_or_read(name: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    path = str(tmp_path / name)
    shown = path.replace("\0", "\\x00")  # errors never hold a control character
    assert outcome(save_private, ED25519, path) == ("file_unwritable", shown, reason)
    assert outcome(save_public, ED25519.public_key, path) == ("file_unwritable", shown, reason)
    assert outcome(load_private, path) == ("file_unreadable", shown, reason)
    assert outcome(load_public, path) == ("file_unreadable", shown, reason)


def test_files_that_are_no_keys(tmp_path: Path) -> None:
    assert outcome(load_public, tmp_path) == ("file_unreadable", str(tmp_path), "EISDIR")
    path = tmp_path / "key.pem"
    for content, reason in ((b"", "not_pem"), (b"\x00\xff\xfe", "not_pem"), (b" " * (PEM_SIZE_LIMIT + 1), "too_large")):
        path.write_bytes(content)
        path.chmod(0o600)
        assert outcome(load_private, path) == ("key_unusable", str(path), reason)
        assert outcome(load_public, path) == ("key_unusable", str(path), reason)
    assert outcome(load_public, "/dev/zero") == ("key_unusable", "/dev/zero", "too_large")


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640, 0o644, 0o620, 0o604], ids=oct)
def test_an_exposed_private_key_is_loaded_with_a_warning(mode: int, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "key.pem"
    save_private(ED25519, path)
    path.chmod(mode)
    with caplog.at_level(logging.WARNING, "act"):
        assert load_private(path).kid == ED25519.kid
    expected = [f"key_file_exposed kid={ED25519.kid.hex()} mode={mode:04o}"] if mode & 0o077 else []
    assert [record.getMessage() for record in caplog.records] == expected

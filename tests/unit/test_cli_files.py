"""Files of the command: bounded input; output whole under its name or not there at all."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

import act
from act_cli import files
from tests.support.command import listing


@pytest.mark.parametrize("force", [False, True])
def test_an_output_is_written_with_the_umask_and_leaves_nothing_else(tmp_path: Path, force: bool) -> None:
    before = os.umask(0o027)
    try:
        files.write_output(str(tmp_path / "out"), b"data", force=force)
    finally:
        os.umask(before)
    assert listing(tmp_path) == {"out": b"data"}
    assert stat.S_IMODE(tmp_path.joinpath("out").stat().st_mode) == 0o640


def test_what_is_there_stays_unless_forced(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_bytes(b"old")
    with pytest.raises(act.StoreFault) as caught:
        files.write_output(str(target), b"new")
    assert (caught.value.code, caught.value.where) == ("file_exists", str(target))
    assert listing(tmp_path) == {"out": b"old"}
    files.write_output(str(target), b"new", force=True)
    assert listing(tmp_path) == {"out": b"new"}


def test_who_comes_second_loses_even_between_the_check_and_the_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "require_free", lambda path, force=False: None)
    tmp_path.joinpath("out").write_bytes(b"old")
    with pytest.raises(act.StoreFault) as caught:
        files.write_output(str(tmp_path / "out"), b"new")
    assert caught.value.code == "file_exists"
    assert listing(tmp_path) == {"out": b"old"}


@pytest.mark.parametrize("kind", ["folder", "link", "dangling link", "pipe"])
@pytest.mark.parametrize("force", [False, True])
def test_only_a_regular_file_is_ever_replaced(tmp_path: Path, kind: str, force: bool) -> None:
    target, other = tmp_path / "out", tmp_path / "other"
    if kind == "folder":
        target.mkdir()
    elif kind == "pipe":
        os.mkfifo(target)
    else:
        if kind == "link":
            other.write_bytes(b"old")
        target.symlink_to(other)
    before = target.lstat()
    with pytest.raises(act.StoreFault) as caught:
        files.write_output(str(target), b"new", force=force)
    assert caught.value.code == ("file_unwritable" if force else "file_exists")
    after = target.lstat()
    assert (before.st_ino, before.st_mode) == (after.st_ino, after.st_mode)
    assert not other.exists() or other.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])
@pytest.mark.parametrize("force", [False, True])
def test_interrupted_in_the_middle_nothing_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interruption: BaseException, force: bool
) -> None:
    def fail(descriptor: int) -> None:
        raise interruption

    tmp_path.joinpath("old").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises((KeyboardInterrupt, act.StoreFault)) as caught:
        files.write_output(str(tmp_path / ("old" if force else "new")), b"new", force=force)
    if isinstance(caught.value, act.StoreFault):
        assert caught.value.code == "file_unwritable"
        assert caught.value.facts == {"reason": "No space left on device"}
    assert listing(tmp_path) == {"old": b"old"}


@pytest.mark.parametrize("force", [False, True])
def test_if_the_folder_cannot_be_synced_no_new_name_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, force: bool) -> None:
    sync, calls = os.fsync, []

    def fail_second(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 2:
            raise OSError(errno.EIO, "Input/output error")
        sync(descriptor)

    if force:
        tmp_path.joinpath("out").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", fail_second)
    with pytest.raises(act.StoreFault) as caught:
        files.write_output(str(tmp_path / "out"), b"new", force=force)
    assert (caught.value.code, len(calls)) == ("file_unwritable", 2)
    assert listing(tmp_path) == ({"out": b"new"} if force else {})  # what was replaced is gone; what replaced it is whole


def test_input_is_bounded_before_anything_looks_at_it(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(bytes(files.MAX_INPUT_BYTES))
    assert len(files.read_input(str(path))) == files.MAX_INPUT_BYTES
    path.write_bytes(bytes(files.MAX_INPUT_BYTES + 1))
    with pytest.raises(act.Refused) as caught:
        files.read_input(str(path))
    assert caught.value.code == "input_too_large"


def test_an_endless_input_is_refused_too() -> None:
    with pytest.raises(act.Refused) as caught:
        files.read_input("/dev/zero")
    assert caught.value.code == "input_too_large"


@pytest.mark.parametrize("name", ["missing", ".", "a\x00b"])
def test_what_cannot_be_read_is_one_fault(tmp_path: Path, name: str) -> None:
    with pytest.raises(act.StoreFault) as caught:
        files.read_input(str(tmp_path / name))
    assert caught.value.code == "file_unreadable"


@pytest.mark.parametrize(
    "content, passphrase", [(b"secret\n", b"secret"), (b"secret", b"secret"), (b"a b\r\nrest", b"a b"), (b" x \n", b" x ")]
)
def test_a_passphrase_is_the_first_line(tmp_path: Path, content: bytes, passphrase: bytes) -> None:
    path = tmp_path / "pass"
    path.write_bytes(content)
    assert files.read_passphrase(str(path)) == passphrase


@pytest.mark.parametrize("content", [b"", b"\n", b"\nsecret", b"x" * 5000])
def test_an_empty_or_endless_passphrase_is_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "pass"
    path.write_bytes(content)
    with pytest.raises(act.InvalidCall) as caught:
        files.read_passphrase(str(path))
    assert caught.value.code == "key_unusable"
    assert b"secret" not in str(caught.value).encode()

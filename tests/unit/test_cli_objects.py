"""What a file holds: an object of some kind, or something that people take for one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import act
from act_cli.manners import Manners
from act_cli.objects import read_object, recognized
from tests.support.world import World


@pytest.mark.parametrize(
    "data, looks_like",
    [
        (b"", "an empty file"),
        (b" \r\n", "an empty file"),
        (b'{"issuer": 1}', "JSON"),
        (b"\xef\xbb\xbf\n [1]", "JSON"),
        (b"-----BEGIN PUBLIC KEY-----\nabc\n", "a PEM file, such as a key"),
        (b"SQLite format 3\x00\x10\x00", "a ledger"),
        ("\u5976\u8336".encode(), "text"),
        (b"\x01\x02", None),
        (b"\xd2\x84junk", None),
        (b"\xa1\xff", None),
    ],
)
def test_what_is_no_object_is_named_by_what_it_looks_like(data: bytes, looks_like: str | None) -> None:
    with pytest.raises(act.Refused) as caught:
        recognized(data)
    assert caught.value.facts.get("looks_like") == looks_like


@given(st.binary(max_size=200) | st.text(max_size=50).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_whatever_a_file_holds_the_code_is_the_librarys(data: bytes) -> None:
    with pytest.raises(act.Refused) as expected:
        act.recognize(data)
    with pytest.raises(act.Refused) as caught:
        recognized(data)
    assert caught.value.code == expected.value.code


def test_the_kind_must_be_the_one_that_is_asked_for(tmp_path: Path) -> None:
    path, manners = tmp_path / "mandate.cbor", Manners([])
    path.write_bytes(World().mint())
    data, found = read_object(manners, str(path), "mandate")
    assert (data, found.kind, manners.subject) == (path.read_bytes(), "mandate", str(path))
    with pytest.raises(act.Refused) as caught:
        read_object(manners, str(path), "payment")
    assert (caught.value.code, caught.value.facts) == ("kind_unexpected", {"expected": "payment", "found": "mandate"})

"""act.envelope.claims: closed tables of fields, and the readers they share."""

from __future__ import annotations

from uuid import UUID

import pytest

from act.envelope.claims import (
    MAX_LIST,
    MAX_TEXT,
    Fields,
    read_digest,
    read_fields,
    read_id,
    read_map,
    read_name,
    read_text,
    read_texts,
    uuid_urn,
)
from act.errors import Refused
from tests.support.world import refused

FIELDS = Fields({"name": read_text, "id": read_id}, {"tags": read_texts})


def _not_text(value: object) -> object:
    raise Refused("claim_invalid", "inner", expected="nothing")


def test_fields_are_read_and_returned() -> None:
    read = read_fields(FIELDS, {"name": "tea", "id": bytes(16), "tags": ["a", "b"]}, "order")
    assert read == {"name": "tea", "id": bytes(16), "tags": ("a", "b")}
    assert read_fields(FIELDS, {"name": "tea", "id": bytes(16)}, "order") == {"name": "tea", "id": bytes(16)}


@pytest.mark.parametrize("value", [None, [], "name", b"", 1, True, [("name", "tea")]])
def test_only_a_map_has_fields(value: object) -> None:
    with refused("claim_invalid", "order"):
        read_fields(FIELDS, value, "order")


@pytest.mark.parametrize("missing", ["name", "id"])
def test_mandatory_fields(missing: str) -> None:
    value = {name: read for name, read in {"name": "tea", "id": bytes(16)}.items() if name != missing}
    with refused("claim_missing", f"order.{missing}"):
        read_fields(FIELDS, value, "order")


def test_the_first_of_several_missing_fields_is_named() -> None:
    with refused("claim_missing", "order.id"):
        read_fields(FIELDS, {}, "order")
    with refused("claim_missing", "id"):
        read_fields(FIELDS, {}, "")


def test_as_many_unknown_fields_as_missing_ones_do_not_balance() -> None:
    with refused("claim_unknown", "order.nick"):
        read_fields(FIELDS, {"name": "tea", "nick": "t", "tags": ["a"]}, "order")
    with refused("claim_missing", "order.id"):
        read_fields(FIELDS, {"name": "tea", "tags": ["a"]}, "order")


@pytest.mark.parametrize("name, where", [("Name", "order.Name"), ("name ", "order.name "), (1, "order.1"), ("", "order.")])
def test_unknown_fields(name: object, where: str) -> None:
    with refused("claim_unknown", where):
        read_fields(FIELDS, {"name": "tea", "id": bytes(16), name: "x"}, "order")


def test_a_readers_refusal_gets_its_place() -> None:
    with refused("claim_invalid", "order.name"):
        read_fields(FIELDS, {"name": "", "id": bytes(16)}, "order")
    with refused("claim_invalid", "order.deep.inner"):
        read_fields(Fields({"deep": _not_text}), {"deep": 1}, "order")
    with refused("claim_invalid", "name"):
        read_fields(FIELDS, {"name": 1, "id": bytes(16)}, "")


TEXTS = ["a", "x" * MAX_TEXT, "奶茶", "user:lin", "a b", "é", "🍵"]
NO_TEXTS: list[object] = [
    None,
    "",
    "x" * (MAX_TEXT + 1),
    1,
    True,
    b"tea",
    [],
    "a\n",
    "\x00",
    "\x7f",
    "\x1b[2J",
    "a\u202eb",  # turns what follows around
    "a\u200bb",  # no width
    "a\u00a0b",  # a space that is none
    "a\ud800",
    "\ufeff",
    "\ue000",
]


@pytest.mark.parametrize("text", TEXTS)
def test_texts(text: str) -> None:
    assert read_text(text) == text
    assert read_fields(Fields({"t": read_text}), {"t": text}, "x") == {"t": text}


@pytest.mark.parametrize("value", NO_TEXTS)
def test_what_no_text_is(value: object) -> None:
    with refused("claim_invalid", ""):
        read_text(value)
    with refused("claim_invalid", "x.t"):  # the reader's short cut for texts judges as the reader does
        read_fields(Fields({"t": read_text}), {"t": value}, "x")


# Unicode's default-ignorable code points, one of each range, and other characters that show nothing or steer what shows.
UNSEEN = [*"\u00ad\u034f\u061c\u115f\u17b4\u180b\u180e\u200b\u200e\u202a\u2060\u2066\u206f\u3164\ufe00\ufe0f\ufeff\uffa0\ufff0"]
UNSEEN += [*"\U0001bca0\U0001d173\U000e0001\U000e0100\ue000\ud800\x00\x7f\x85\uffff"]
SPACES = [*"\u00a0\u1680\u2000\u200a\u202f\u205f\u3000\t\n"]


@pytest.mark.parametrize("character", UNSEEN + SPACES, ids=ascii)
def test_no_identifier_looks_like_another_by_what_cannot_be_seen(character: str) -> None:
    for text in (f"teashop.example{character}", f"tea{character}shop.example", character):
        with refused("claim_invalid", ""):
            read_text(text)


def test_texts_are_not_folded() -> None:
    look_alikes = ["tea", "Tea", "te\u0430", "tea\u0301", "te\u00e1"]
    assert read_texts(look_alikes) == tuple(look_alikes)


@pytest.mark.parametrize(
    "value", [None, [], ["a", "a"], ["a", ""], ["a", 1], "ab", ("a",), [["a"]], {"a": 1}, [f"{i}" for i in range(MAX_LIST + 1)]]
)
def test_lists_are_of_one_or_more_different_texts(value: object) -> None:
    with refused("claim_invalid", ""):
        read_texts(value)


def test_a_full_list_is_read() -> None:
    assert len(read_texts([f"{i}" for i in range(MAX_LIST)])) == MAX_LIST


@pytest.mark.parametrize("size", [0, 15, 16, 17, 31, 32, 33])
def test_digests_and_ids_have_their_size(size: int) -> None:
    for reader, right in ((read_digest, 32), (read_id, 16)):
        if size == right:
            assert reader(bytes(size)) == bytes(size)
        else:
            with refused("claim_invalid", ""):
                reader(bytes(size))


@pytest.mark.parametrize("value", [None, "x" * 32, "x" * 16, bytearray(32), [0] * 32, 1])
def test_digests_and_ids_are_bytes(value: object) -> None:
    for reader in (read_digest, read_id):
        with refused("claim_invalid", ""):
            reader(value)


def test_maps() -> None:
    assert read_map({"a": 1}) == {"a": 1}
    others: tuple[object, ...] = (None, [], "a", b"", 1)
    for value in others:
        with refused("claim_invalid", ""):
            read_map(value)


def test_ids_are_written_as_urns() -> None:
    assert uuid_urn(bytes(range(16))) == "urn:uuid:00010203-0405-0607-0809-0a0b0c0d0e0f"
    assert UUID(uuid_urn(bytes(range(16)))).bytes == bytes(range(16))


@pytest.mark.parametrize(
    "name",
    ["珍珠奶茶\u3000大杯", "thé\u00a0glacé", "family \U0001f468\u200d\U0001f469\u200d\U0001f467", "\u2615\ufe0f"],
)
def test_names_may_have_what_real_product_names_have(name: str) -> None:
    assert read_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "a\u202eb", "a\x1b[31mb", "a\nb", "x" * 257, "x" + "\u200d" * 256, 7, None, "\u200b", "\u200d"]
)
def test_names_may_not_steer_a_terminal(name: object) -> None:
    with refused("claim_invalid", ""):
        read_name(name)

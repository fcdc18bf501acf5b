"""How the command speaks: escapes, JSON, facts in words, exit codes."""

from __future__ import annotations

import io
import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

import act
from act.envelope.claims import _UNSEEN
from act.iso4217 import EXPONENTS
from act.money import format_minor
from act_cli import manners
from act_cli.manners import Exit, Manners, error_document, exit_of, facts_in_words, to_json, visible

KEYS = ["outcome", "code", "rule", "where", "meaning", "remedy", "facts", "replayed"]


@pytest.mark.parametrize(
    "text, shown",
    [
        ("milk tea", "milk tea"),
        ("奶茶", "奶茶"),
        ("a\u202eb", "a\\u202eb"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("two\nlines\ttab\rback", "two\\nlines\\ttab\\rback"),
        ("\u200b\u2066\x7f\x9b", "\\u200b\\u2066\\x7f\\x9b"),
        ("\U000e0001", "\\U000e0001"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_is_not_printable_is_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text())
def test_whatever_is_shown_is_printable(text: str) -> None:
    assert visible(text).isprintable()
    assert visible(text) == text or not text.isprintable() or _UNSEEN.search(text)


def test_what_no_identifier_may_hold_is_never_shown_as_itself() -> None:
    """The command's own list and the library's are one: whatever an identifier is refused for is written out."""
    assert manners._UNSEEN.pattern == _UNSEEN.pattern
    for code in range(0x110000):
        character = chr(code)
        if _UNSEEN.match(character):
            assert visible(character) != character, hex(code)
            assert character not in to_json({"name": character}).strip("\n").replace("\n", "").replace(" ", ""), hex(code)


@pytest.mark.parametrize("text", ["\u3164", "\u115f", "\u1160", "\ufe0f", "\u034f", "\u17b4", "\uffa0", "\ue000", "\U000e0100"])
def test_fillers_and_selectors_are_written_out(text: str) -> None:
    assert visible(f"Tea{text}Shop") == "Tea" + text.encode("ascii", "backslashreplace").decode() + "Shop"


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.booleans() | st.none()))
def test_json_is_one_document_that_no_terminal_obeys(document: dict[str, object]) -> None:
    text = to_json(document)
    assert json.loads(text) == document
    assert all(line.isprintable() for line in text.split("\n"))


def test_chinese_stays_chinese_in_json() -> None:
    assert '"奶茶"' in to_json({"name": "奶茶"})


def test_facts_are_money_and_dates_for_people() -> None:
    facts: dict[str, int | str] = {"cap_minor": 20000, "left_minor": 0, "asked_minor": 1800}
    assert facts_in_words(facts, "CNY") == "cap CNY 200.00, left CNY 0.00, asked CNY 18.00"
    assert facts_in_words({"cap_minor": 3000, "asked_minor": 1500}, "CNY", "JPY") == "cap CNY 30.00, asked JPY 1500"
    assert facts_in_words({"ended_at": 1_770_368_400}, None) == "ended at 2026-02-06T09:00:00Z"
    assert facts_in_words({"named": "psp-1", "this": "psp-2"}, None) == "it names psp-1, this is psp-2"
    assert facts_in_words({"reason": "passphrase_needed"}, None) == "it is encrypted and needs --passphrase-file"


def test_without_a_currency_no_unit_is_guessed() -> None:
    assert facts_in_words({"cap_minor": 20000}, None) == "cap minor 20000"


@pytest.mark.parametrize("code", list(act.CODES))
def test_the_exit_code_says_whose_fault_it_is(code: str) -> None:
    row = act.CODES[code]
    kind = {"token": act.Refused, "call": act.InvalidCall, "store": act.StoreFault}[row.fault.value]
    expected = {"token": Exit.REFUSED, "call": Exit.INPUT, "store": Exit.INPUT}[row.fault.value]
    assert exit_of(kind(code)) == (Exit.USAGE if code == "call_invalid" else expected)


@pytest.mark.parametrize(
    "error",
    [
        act.Refused("total_limit_exceeded", "max_total_amount", cap_minor=1, left_minor=0, asked_minor=1),
        act.InvalidCall("draft_invalid", "currency"),
        act.StoreFault("store_full"),
    ],
)
def test_an_error_has_always_the_same_keys(error: act.ActError) -> None:
    assert list(error_document(error)) == KEYS


def test_money_among_the_facts_names_its_currency() -> None:
    error = act.Refused("single_limit_exceeded", "", cap_minor=1, asked_minor=2)
    assert error_document(error, "CNY")["facts"] == {"cap_minor": 1, "asked_minor": 2, "currency": "CNY"}
    assert error_document(error, "CNY", "CNY")["facts"] == {"cap_minor": 1, "asked_minor": 2, "currency": "CNY"}
    assert error_document(error, "CNY", "JPY")["facts"]["asked_currency"] == "JPY"
    assert "currency" not in error_document(act.Refused("credential_revoked"), "CNY")["facts"]


def test_a_refused_payment_is_told_in_three_lines_and_the_last_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    speaking = Manners([])
    speaking.currency, speaking.subject = "CNY", "payment.cbor"
    error = act.Refused("total_limit_exceeded", "max_total_amount", cap_minor=20000, left_minor=100, asked_minor=1800)
    assert speaking.fail(error) == Exit.REFUSED
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        f"error: total_limit_exceeded: {error.meaning} (payment.cbor: max_total_amount)",
        "  cap CNY 200.00, left CNY 1.00, asked CNY 18.00",
        "  pay less, or ask the principal for a new mandate",
    ]


def test_a_repeated_refusal_says_that_it_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    error = act.Refused("credential_revoked", "mandate")
    error.replayed = True
    Manners([]).fail(error)
    assert "as it was when this was first asked" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error",
    [
        act.StoreFault("file_unreadable", "a\nb", reason="No such\x1b file"),
        act.InvalidCall("draft_invalid", "order.json: items", reason="\u202eleft"),
        act.Refused("kind_unexpected", "order", expected="order", found="mandate"),
    ],
)
def test_an_unusable_input_is_told_in_one_harmless_line(error: act.ActError, capsys: pytest.CaptureFixture[str]) -> None:
    Manners([]).fail(error)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("\n")
    assert err[:-1].isprintable()
    assert error.code in err
    assert error.remedy in err


def test_a_defect_names_its_type_and_hides_its_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ACT_DEBUG", raising=False)
    try:
        raise KeyError("a\nb")
    except KeyError as error:
        assert Manners([]).fail_internally(error) == 70
        assert capsys.readouterr().err == "error: internal: KeyError: 'a\\nb'; this is a defect; ACT_DEBUG=1 shows where\n"
        monkeypatch.setenv("ACT_DEBUG", "1")
        Manners([]).fail_internally(error)
        assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, as_json", [([], False), (["verify", "--json"], True), (["--json"], True), (["inspect", "--", "--json"], False)]
)
def test_json_is_known_before_any_command_runs(arguments: list[str], as_json: bool) -> None:
    assert Manners(arguments).as_json is as_json


def test_with_json_errors_go_to_stdout_and_notes_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    speaking = Manners(["--json"])
    speaking.note("working")
    speaking.show("text")
    speaking.fail_usage("Missing  option\n'--key'.", "act mint")
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert list(document) == KEYS
    assert (document["outcome"], document["where"], document["meaning"]) == ("usage", "act mint", "Missing option '--key'")
    assert err == ""


def test_what_is_no_object_is_not_told_to_be_encoded_again(capsys: pytest.CaptureFixture[str]) -> None:
    error = act.Refused("cbor_invalid", looks_like="JSON")
    Manners([]).fail(error)
    assert "it looks like JSON" in (err := capsys.readouterr().err)
    assert "encode it again" not in err
    assert "'act pay'" in error_document(error)["remedy"]


@pytest.mark.parametrize(
    "columns, width",
    [("70", 70), ("10", 60), ("9999", 100), ("0", 80), ("9" * 5000, 80), ("\u00b2", 80), ("\uff17\uff10", 80), ("", 80)],
)
def test_columns_is_taken_where_it_is_a_number(monkeypatch: pytest.MonkeyPatch, columns: str, width: int) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("LINES", columns)
    assert Manners([]).console(io.StringIO()).width == width


def test_a_warning_of_the_library_is_one_line_with_advice(capsys: pytest.CaptureFixture[str]) -> None:
    handler = manners.WarningHandler(Manners([]))
    handler.handle(logging.makeLogRecord({"msg": "key_file_exposed kid=%s mode=%04o", "args": ("ab", 0o644), "levelno": 30}))
    assert capsys.readouterr().err == (
        "warning: key_file_exposed kid=ab mode=0644; others can read this private key, so give its file mode 0600\n"
    )


@given(st.sampled_from(sorted(EXPONENTS)), st.integers(0, 2**70))
def test_the_command_writes_minor_units_as_the_library_does(currency: str, minor: int) -> None:
    assert manners.decimal(minor, currency) == format_minor(minor, currency)
    assert manners.money(minor, currency) == f"{currency} {format_minor(minor, currency)}"

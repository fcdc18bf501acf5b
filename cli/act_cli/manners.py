"""The command's manners, all of them here: what goes to stdout and to stderr, how errors read, exit codes, JSON, colours.

Data goes to stdout, messages to stderr. With --json exactly one document goes to stdout, an error's included. Foreign text (in
a file, a ledger or a command line) is shown through `visible`, so that it can neither move the cursor nor reorder a line.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, TextIO

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    import act

__all__ = [
    "Exit",
    "Manners",
    "decimal",
    "discard_stdout",
    "error_document",
    "exit_of",
    "facts_in_words",
    "instant_text",
    "money",
    "remedy_of",
    "to_json",
    "visible",
]


class Exit(IntEnum):
    """What the command's exit code says."""

    ACCEPTED = 0
    REFUSED = 1  # what was presented is refused
    USAGE = 2  # the command line is wrong
    INPUT = 3  # a file, a key, a parties file or the ledger: nothing was decided
    INTERNAL = 70  # a defect of this program
    INTERRUPTED = 130  # Ctrl-C
    PIPE_CLOSED = 141  # nobody reads the output any more


WIDTH: Final = 80
"""Columns where stdout is no terminal and COLUMNS does not say otherwise."""

MIN_WIDTH, MAX_WIDTH = 60, 100

_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}

_UNSEEN: Final = re.compile(
    "[\x00-\x1f\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f"
    "\u205f-\u206f\u3000\u3164\ud800-\uf8ff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "\U000f0000-\U0010ffff]"
)
"""What the library refuses in an identifier, because it cannot be seen; some of it counts as printable all the same. A test
compares this list with the library's."""


def visible(text: object) -> str:
    """The text with whatever cannot be seen written out: controls, bidi and zero-width marks, fillers, lone surrogates."""
    plain = str(text)
    if plain.isascii() and plain.isprintable():
        return plain
    return "".join(each if _is_seen(each) else _escape(each) for each in plain)


def _is_seen(character: str) -> bool:
    return character.isprintable() and not _UNSEEN.match(character)


def _escape(character: str) -> str:
    code = ord(character)
    long = f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    return _SHORT.get(character, long)


def to_json(document: Mapping[str, Any]) -> str:
    """One JSON document for programs and people: what cannot be seen is a \\u escape, everything else is itself."""
    text = json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False)
    return re.sub(r"[^\n -~]", lambda match: match[0] if _is_seen(match[0]) else json.dumps(match[0])[1:-1], text).replace(
        "\x7f", "\\u007f"
    )


def instant_text(seconds: int) -> str:
    """Seconds since 1970 as `2026-02-06T09:00:00Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def decimal(minor: int, currency: str) -> str:
    """Minor units, 0 included, as a decimal with exactly the currency's digits: `19.00` for 1900 CNY."""
    import act

    _, point, fraction = act.Amount(1, currency).text.partition(".")
    digits = str(minor).rjust(len(fraction) + 1, "0")
    return f"{digits[: -len(fraction)]}.{digits[-len(fraction) :]}" if point else digits


def money(minor: int, currency: str) -> str:
    """Minor units as people write them: `CNY 19.00`."""
    return f"{currency} {decimal(minor, currency)}"


FORM_RULES: Final = ("ACT-WIRE", "ACT-ENV")
"""What is refused under these was never read as an object: one line says all there is to say."""

_MONEY_FACTS: Final = {
    "cap_minor": "cap",
    "floor_minor": "at least",
    "left_minor": "left",
    "held_minor": "held",
    "recorded_minor": "recorded",
    "asked_minor": "asked",
    "items_minor": "the items add up to",
    "amount_minor": "the amount says",
}
_OTHER_FACTS: Final = {
    "reason": "",
    "asked": "asked for",
    "named": "it names",
    "this": "this is",
    "key_of": "the key is of",
    "looks_like": "it looks like",
    "agent_key": "the mandate is for agent key",
    "cap_times": "payments allowed",
    "left_times": "payments left",
    "sliding_seconds": "counted over seconds",
    "link_key": "the last link is for agent key",
    "last_agent": "the last link is for",
    "link": "the link says",
    "parent": "its parent says",
    "added": "it adds",
    "dropped": "it leaves out",
}
_KEY_REASONS: Final = {
    "too_large": "it is too large for a key",
    "not_pem": "it holds no key in PEM form",
    "label_unexpected": "it holds another kind of key, such as a private one for a public one",
    "not_one_key": "it holds more than one key",
    "passphrase_needed": "it is encrypted and needs --passphrase-file",
    "not_encrypted": "it is not encrypted, and a passphrase was given",
    "passphrase_or_content_wrong": "the passphrase is wrong, or the file is damaged",
    "key_type_unsupported": "it is neither an Ed25519 nor a P-256 key",
    "point_invalid": "its point is not on the curve or not of prime order",
}
_INSTANT_FACTS: Final = frozenset(
    {"ended_at", "starts_at", "issued_at", "compromised_at", "turns_at", "ends_at", "parent_ends_at"}
)


def facts_in_words(facts: Mapping[str, int | str], currency: str | None, asked_in: str | None = None) -> str:
    """An error's facts for people: money with its currency, instants as dates. Not yet escaped.

    `currency` is that of the bounds, `asked_in` that of the payment where it may differ; without them minor units stay numbers.
    """
    words = []
    for name, value in facts.items():
        unit = (asked_in or currency) if name == "asked_minor" else currency
        if name in _MONEY_FACTS and unit is not None and isinstance(value, int) and value >= 0:
            words.append(f"{_MONEY_FACTS[name]} {money(value, unit)}")
        elif name == "reason" and value in _KEY_REASONS:
            words.append(_KEY_REASONS[str(value)])
        elif name in _INSTANT_FACTS and isinstance(value, int):
            words.append(f"{name.replace('_', ' ')} {instant_text(value)}")
        else:
            words.append(f"{_OTHER_FACTS.get(name, name.replace('_', ' '))} {value}".strip())
    return ", ".join(word for word in words if word)


def exit_of(error: act.ActError) -> Exit:
    """The exit code of an error: by whose fault it is."""
    import act

    if isinstance(error, act.Refused):
        return Exit.REFUSED
    return Exit.USAGE if error.code == "call_invalid" else Exit.INPUT


def remedy_of(error: act.ActError) -> str:
    """What to do about an error. To encode again what never was an object of ACT would help nobody."""
    if "looks_like" in error.facts:
        return "give an object that 'act mint', 'act order', 'act pay' or 'act authorize' wrote"
    return error.remedy


_OUTCOMES: Final = {Exit.REFUSED: "refused", Exit.USAGE: "usage", Exit.INPUT: "unusable", Exit.INTERNAL: "internal"}


def error_document(error: act.ActError, currency: str | None = None, asked_in: str | None = None) -> dict[str, Any]:
    """An error as JSON: always these keys. Money among the facts is in minor units of the fact `currency`; what was asked for
    is in those of `asked_currency` where that is another one."""
    facts = dict(error.facts)
    if currency is not None and any(name in _MONEY_FACTS for name in facts):
        facts["currency"] = currency
        if asked_in not in (None, currency) and "asked_minor" in facts:
            facts["asked_currency"] = str(asked_in)
    return {
        "outcome": _OUTCOMES[exit_of(error)],
        "code": error.code,
        "rule": error.rule,
        "where": error.where,
        "meaning": error.meaning,
        "remedy": remedy_of(error),
        "facts": facts,
        "replayed": bool(getattr(error, "replayed", False)),
    }


class Manners:
    """How this run of the command speaks. Commands hand it what they found; it decides where and how that is written."""

    def __init__(self, arguments: Sequence[str]) -> None:
        options = list(arguments)
        if "--" in options:
            options = options[: options.index("--")]
        # Read here and not by a command, because a usage error comes before any command knows its options.
        self.as_json: Final = "--json" in options
        self.currency: str | None = None
        """The currency of the money a refusal may speak of, once the command knows it."""
        self.subject: str = ""
        """The file that is being judged, for a refusal to name; "-" is standard input."""
        self.stdout_lost = False
        """Whether standard output turned out to take nothing, so that an error must go to stderr, with --json as well."""
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")

    def console(self, stream: TextIO | None = None) -> Console:
        """A console on stdout (or the given stream): colours only on a terminal that wants them, no markup, no guessing."""
        from rich.console import Console

        file = stream or sys.stdout
        coloured = _wants_colour(file)
        return Console(
            file=file,
            width=min(max(_columns(file), MIN_WIDTH), MAX_WIDTH),
            height=25,  # both are given, because what COLUMNS and LINES hold need not be a number that anything can read
            force_terminal=coloured,
            color_system="auto" if coloured else None,
            markup=False,
            emoji=False,
            highlight=False,
            legacy_windows=False,
        )

    def answer(self, document: Mapping[str, Any], renderables: Iterable[RenderableType] = ()) -> None:
        """The command's result: the document with --json, otherwise the renderables. Call it once, at the end."""
        if self.as_json:
            sys.stdout.write(to_json(document) + "\n")
            return
        self.show(*renderables)

    def show(self, *renderables: RenderableType) -> None:
        """Part of a result for people; nothing with --json. A text is escaped here and never wrapped: it is to be copied."""
        from rich.text import Text

        if self.as_json or not renderables:
            return
        console = self.console()
        with console.capture() as capture:
            for renderable in renderables:
                if isinstance(renderable, str):
                    console.print(Text(visible(renderable)), soft_wrap=True)
                else:
                    console.print(renderable)
        sys.stdout.write(re.sub(r"[ ]+$", "", capture.get(), flags=re.MULTILINE))
        sys.stdout.flush()

    def note(self, text: str, *, always: bool = False) -> None:
        """One line for the person at the terminal. `text` is escaped here. With --json only if it is `always` to be said."""
        if always or not self.as_json:
            sys.stderr.write(visible(text) + "\n")

    def warn(self, text: str) -> None:
        """One line about something that may hurt later, with --json as well. `text` is escaped here."""
        sys.stderr.write(_label("warning:", "33") + f" {visible(text)}\n")

    @contextlib.contextmanager
    def progress(self, what: str) -> Iterator[Callable[[int, int], None]]:
        """Counts long work on one line of a terminal, and only there; the line is gone when the work is done."""
        shows = sys.stderr.isatty() and not self.as_json
        shown = -1

        def advance(done: int, of: int) -> None:
            nonlocal shown
            percent = 100 * done // max(of, 1)
            if shows and percent != shown:
                shown = percent
                sys.stderr.write(f"\r{done:,} of {of:,} {what}")
                sys.stderr.flush()

        try:
            yield advance
        finally:
            if shown >= 0:
                sys.stderr.write("\r\033[K")

    def fail(self, error: act.ActError, **extra: object) -> Exit:
        """Reports an error: JSON on stdout, or on stderr what happened, where, why and, last, what to do.

        One line, except that a refused payment gives the facts and the remedy a line each. `extra` joins the JSON document.
        """
        code = exit_of(error)
        if self.as_json and not self.stdout_lost:
            about_file = {"file": self.subject} if self.subject and code is Exit.REFUSED else {}
            sys.stdout.write(to_json(error_document(error, self.currency) | about_file | extra) + "\n")
            return code
        facts = facts_in_words(error.facts, self.currency)
        subject = "" if code is not Exit.REFUSED else "standard input" if self.subject == "-" else self.subject
        place = ": ".join(part for part in (subject, error.where) if part)
        if code is not Exit.REFUSED or error.rule.startswith(FORM_RULES):
            about = ": ".join(part for part in (place, facts) if part)
            self._error(f"{error.code}: {error.meaning}" + (f" ({about})" if about else "") + f"; {remedy_of(error)}")
            return code
        again = ", as it was when this was first asked" if getattr(error, "replayed", False) else ""
        self._error(f"{error.code}: {error.meaning}{again}" + (f" ({place})" if place else ""))
        for line in filter(None, (facts, error.remedy)):
            sys.stderr.write(f"  {visible(line)}\n")
        return code

    def fail_usage(self, message: str, command: str) -> Exit:
        """Reports a wrong command line; `command` is the words before the options, such as `act mint`."""
        message = " ".join(message.split()).rstrip(".")
        return self._fail_plainly(Exit.USAGE, message, command, f"see '{command} --help'")

    def fail_internally(self, error: BaseException) -> Exit:
        """Reports a defect of this program in one line; the traceback only with ACT_DEBUG=1."""
        if os.environ.get("ACT_DEBUG") == "1":
            import traceback

            sys.stderr.write("".join(traceback.format_exception(error)))
        message = " ".join(str(error).split())[:200]
        described = type(error).__name__ + (f": {message}" if message else "")
        return self._fail_plainly(Exit.INTERNAL, described, "", "this is a defect; ACT_DEBUG=1 shows where")

    def _fail_plainly(self, code: Exit, message: str, where: str, remedy: str) -> Exit:
        """An error that has no row in the library's table, under the same keys."""
        name = _OUTCOMES[code]
        if self.as_json:
            document = dict.fromkeys(("outcome", "code", "rule", "where", "meaning", "remedy", "facts", "replayed"), "")
            values = {"outcome": name, "code": name, "where": where, "meaning": message, "remedy": remedy}
            sys.stdout.write(to_json({**document, **values, "facts": {}, "replayed": False}) + "\n")
        else:
            self._error(f"{name}: {message}; {remedy}")
        return code

    def _error(self, text: str) -> None:
        sys.stderr.write(_label("error:", "1;31") + f" {visible(text)}\n")


class WarningHandler(logging.Handler):
    """What the library logs as a warning, as one line of the command."""

    def __init__(self, manners: Manners) -> None:
        super().__init__(logging.WARNING)
        self._manners: Final = manners

    def emit(self, record: logging.LogRecord) -> None:
        """Writes the record."""
        text = record.getMessage()
        if text.startswith("key_file_exposed"):
            text += "; others can read this private key, so give its file mode 0600"
        self._manners.warn(text)


def discard_stdout() -> None:
    """What is still buffered has nowhere to go, and the interpreter must not try again when it ends."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def _columns(stream: TextIO) -> int:
    """COLUMNS where it is a sensible number, otherwise a terminal's own width, otherwise WIDTH."""
    wanted = os.environ.get("COLUMNS", "")
    if re.fullmatch(r"[0-9]{1,4}", wanted) and int(wanted) > 0:
        return int(wanted)
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return (stream.isatty() and os.get_terminal_size(stream.fileno()).columns) or WIDTH
    return WIDTH


def _wants_colour(stream: TextIO) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _label(text: str, style: str) -> str:
    return f"\x1b[{style}m{text}\x1b[0m" if _wants_colour(sys.stderr) else text

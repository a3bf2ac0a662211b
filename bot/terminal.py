"""What this process says to whoever started it, and the locale that it runs in.

Three promises. Output never fails for the terminal's encoding: what it cannot hold is written in plain letters or as
an escape. What a name holds that nobody sees (control characters, escapes of terminals, marks that turn the direction
of a line round) is shown as an escape, so that no name moves a cursor or hides a line. SQL is UTF-8 whatever the
terminal is, byte for byte, since psql reads it.

    prepare()                    first of all, once a process
    tell(text)                    for people, on stdout
    complain(text)               for people, on stderr
    print_sql(text)                for psql, on stdout
    print_csv(records)             for a spreadsheet, on stdout
    finish()                      last of all

The locale of the process decides nothing: letters are classified as in C.UTF-8 (where I is the capital of i, which is
not so in Turkish, and what the C library says of letters decides in the libraries below us). Numbers, dates and the
order of names are never asked of a locale.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import json
import locale
import os
import re
import sys
from collections.abc import Iterable, Iterator

_LOCALES = ("C.UTF-8", "C.utf8", "UTF-8", "C")
_ERRORS = "cutover-shown"
_PLAIN = {
    "→": "->", "…": "...", "–": "-", "—": "-", "×": "x", "·": "-", "‘": "'", "’": "'", "“": '"', "”": '"',
    "\N{NO-BREAK SPACE}": " ",
}  # fmt: skip
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e0fff]"
)
"""Control characters but newline and tab; what turns or hides text. The joiners that words and emoji need are seen."""
_BELOW = "\n      "


def prepare() -> None:
    """Locale and streams; may be called again."""
    for name in _LOCALES:
        with contextlib.suppress(locale.Error):
            locale.setlocale(locale.LC_CTYPE, name)
            break
    codecs.register_error(_ERRORS, _in_plain_letters)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ERRORS)


def shown(text: str) -> str:
    """The text with an escape, as JSON has it, in the place of whatever would not be seen."""
    return _UNSEEN.sub(_escaped, text)


class NobodyReads(Exception):
    """Whoever read stdout has closed it, as `head` does once it has enough."""


@contextlib.contextmanager
def _to_a_reader() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        with open(os.devnull, "wb") as nowhere:  # or Python complains at its end  # noqa: PTH123
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        raise NobodyReads from None


def tell(text: str = "", *, end: str = "\n", flush: bool = False) -> None:
    """Raises NobodyReads."""
    with _to_a_reader():
        print(shown(text), end=end, flush=flush)


def finish() -> None:
    """Whatever was printed is out. Raises NobodyReads."""
    with _to_a_reader():
        sys.stdout.flush()


def complain(text: str) -> None:
    print(shown(text), file=sys.stderr)


def below(text: str) -> str:
    """The text with its further lines indented, so that none of them looks like a line of ours."""
    return text.replace("\n", _BELOW)


def print_sql(text: str) -> None:
    """As it is, and in UTF-8; on a terminal, where nobody reads escapes, with them shown and that said."""
    if sys.stdout.isatty() and shown(text) != text:
        tell(text)
        complain(
            "cutover: Names in this SQL hold characters that are not seen; they are shown as escapes here. "
            "Pipe the output into psql, which gets them as they are."
        )
        return
    finish()
    with _to_a_reader():
        sys.stdout.buffer.write(f"{text}\n".encode("utf-8", "surrogateescape"))
        sys.stdout.buffer.flush()


def print_csv(records: Iterable[str]) -> None:
    """As they are, and in UTF-8; on a terminal, which no program reads, with what is not seen shown as escapes."""
    if sys.stdout.isatty():
        for record in records:
            tell(record, end="")
        return
    finish()
    with _to_a_reader():
        for record in records:
            sys.stdout.buffer.write(record.encode("utf-8", "surrogateescape"))
        sys.stdout.buffer.flush()


def _escaped(unseen: re.Match[str]) -> str:
    return json.dumps(unseen[0])[1:-1]


def _in_plain_letters(error: UnicodeError) -> tuple[str, int]:
    """The handler of what an encoding does not hold."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_PLAIN.get(letter) or json.dumps(letter)[1:-1] for letter in lacking), error.end

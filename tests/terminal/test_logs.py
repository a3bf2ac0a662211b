"""The one filter that every log line passes, whoever wrote it, and the form of a line."""

import json
import logging
import time
from typing import Any
from urllib.parse import quote

import pytest
import structlog
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from bot import logs
from bot.redaction import redacted
from bot.slack.calls import LIBRARY_LOG

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def _of(alphabet: str, least: int, most: int) -> st.SearchStrategy[str]:
    return st.text(st.sampled_from(alphabet), min_size=least, max_size=most)


_EMAILS = st.builds(
    lambda first, more, domain, top: f"{first}{more}@{domain}.{top}",
    _of(_LETTERS, 1, 5),
    _of(_LETTERS + "._%+-'", 0, 10),
    _of(_LETTERS + "-", 1, 10),
    st.sampled_from(["com", "co.uk", "museum"]),
)
_HASHES = st.one_of(
    st.builds(str.__add__, st.sampled_from(["$2a$10$", "$2b$12$", "$2y$04$"]), _of(_LETTERS + "./", 53, 53)),
    st.builds("$argon2id$v=19$m=65536,t=2,p=1${}${}".format, _of(_LETTERS, 16, 16), _of(_LETTERS + "+/", 40, 43)),
    st.builds("$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=ou9$".__add__, _of(_LETTERS + "+/", 20, 40)),
)
_TOKENS = st.one_of(
    st.builds("xoxb-{}-{}".format, _of("0123456789", 10, 12), _of(_LETTERS, 24, 24)),
    st.builds("xapp-1-A0{}-{}".format, _of("0123456789", 10, 12), _of("0123456789abcdef", 64, 64)),
    st.builds("ssk_".__add__, _of(_LETTERS, 20, 40)),
    st.builds("eyJ{}.eyJ{}.{}".format, _of(_LETTERS + "-_", 5, 40), _of(_LETTERS, 5, 40), _of(_LETTERS + "-_", 5, 40)),
    st.builds("sb_secret_".__add__, _of(_LETTERS + "_", 20, 40)),
)
_AROUND = st.sampled_from(
    [("", ""), (" ", " "), ("<", ">"), ("(", ")"), ('"', '"'), ("{'is': '", "'}"), ("is=", "&x=1"), ("a\n", "\nb")]
)


@how(deadline=None)
@given(secret=st.one_of(_EMAILS, _HASHES, _TOKENS), around=_AROUND)
def test_whatever_looks_personal_or_secret_is_removed(secret: str, around: tuple[str, str]) -> None:
    """E-mail addresses, password hashes and tokens go, wherever in the text they are."""
    before, behind = around
    told = redacted(f"it was {before}{secret}{behind} again")
    assert secret not in told
    assert told.startswith("it was ")
    assert told.endswith(" again")
    assert "[removed]" in told


@how(deadline=None)
@given(password=_of(_LETTERS + "@:/#?%&+!$*-_", 1, 30).map("pw4".__add__))
def test_the_password_in_an_address_is_removed(password: str) -> None:
    """As it should be written, with its signs escaped, and as it should not."""
    for written in (password, quote(password, safe="")):
        told = redacted(f"cannot reach postgresql://postgres:{written}@db.example.org:5432/postgres today")
        assert "pw4" not in told
        assert told.endswith("db.example.org:5432/postgres today")
    assert "pw4" not in redacted(f"host=db password={password} user=postgres")
    assert "pw4" not in redacted(f"host=db password='{password} {password}' user=postgres")


def test_a_word_without_end_holds_nobody_up() -> None:
    """What fits into one message of Slack takes a fraction of a second, and what is at its end is removed."""
    began = time.process_time()
    assert redacted(f"{'a' * 40_000} and ada@example.org").endswith("a and [removed]")
    assert redacted(f"{'a' * 300}/ada@example.org").endswith("a[removed]")
    assert redacted(f"{'://a:' * 8_000}b@host and") == "://[removed]@host and"
    assert time.process_time() - began < 5


@how(deadline=None)
@given(secret=st.text(min_size=6).filter(lambda secret: secret not in "[removed]"), text=st.text())
def test_a_known_secret_is_removed_from_every_line(secret: str, text: str) -> None:
    """Whatever characters it has, JSON's own signs included, in a value, a list, a key or the event."""
    line = _line(
        {"event": f"{text}{secret}", "why": [secret, {secret: f"-{secret}"}], "head": (1, secret), "bytes": b"x"},
        secret,
    )
    told = json.loads(line)
    assert "\n" not in line
    assert told["why"] == ["[removed]", {"[removed]": "-[removed]"}]
    assert secret not in told["event"]


@how(deadline=None)
@given(st.dictionaries(st.text(max_size=8).map("k".__add__), st.one_of(st.text(), _EMAILS, _HASHES, st.integers())))
def test_every_record_is_one_json_line(fields: dict[str, Any]) -> None:
    """With newlines, quotes and backslashes in it, and with something removed beside them."""
    line = _line({"event": 'said "bob@example.org"\nand\\', **fields})
    assert "\n" not in line
    assert json.loads(line)["event"] == 'said "[removed]"\nand\\'
    assert {"at", "level", "by", "event"} <= json.loads(line).keys()


def test_what_the_libraries_log_passes_the_filter(logging_kept: None, capsys: pytest.CaptureFixture[str]) -> None:
    """Bolt's and httpx's words too; the end of a trace is its error's name, and nothing they say in passing."""
    logs.configure()
    logging.getLogger("httpx").info("HTTP Request: GET https://example.org/users?email=bob@example.org")
    logging.getLogger("httpx").warning("to https://user:pl4nted@example.org\nfailed")
    LIBRARY_LOG.error("Failed to check xoxb-1-pl4nted on wss://example.org/link?ticket=pl4nted for 'xapp-pl4nted'")
    LIBRARY_LOG.info("frame: pl4nted")
    try:
        raise ValueError("Key (email)=(bob@pl4nted.org) exists")
    except ValueError:
        logging.getLogger("apscheduler").exception("Job failed")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["by"], line["level"], line["event"], line.get("error")) for line in lines] == [
        ("httpx", "warning", "to https://[removed]@example.org\nfailed", None),
        (
            "cutover.slack.library",
            "error",
            "Failed to check [removed] on wss://example.org/link?[removed] for '[removed]'",
            None,
        ),
        ("apscheduler", "error", "Job failed", "ValueError"),
    ]


def test_our_own_lines_pass_it_too(logging_kept: None, capsys: pytest.CaptureFixture[str]) -> None:
    """structlog's fields are beside time, level and name, and the secrets of the settings are gone."""
    logs.configure(["s3cret"])
    structlog.get_logger("cutover").warning("could not", why="the s3cret is\nnot right", times=3)
    structlog.get_logger("cutover").debug("not shown")
    (line,) = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    del line["at"]
    assert line == {
        "level": "warning",
        "by": "cutover",
        "event": "could not",
        "why": "the [removed] is\nnot right",
        "times": 3,
    }


def _line(message: dict[str, Any], *secrets: str) -> str:
    """How `message` is written when these secrets are known."""
    record = logging.LogRecord("test", logging.INFO, __file__, 1, message, None, None)
    return logs.Line(secrets).format(record)

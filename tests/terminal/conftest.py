"""The command in this process, and whole outputs kept as files beside the tests.

A snapshot is written with `CUTOVER_SNAPSHOTS=write .venv/bin/python -m pytest tests/terminal`, read by a person, and
committed. What differs from run to run is masked before.
"""

import logging
import os
import re
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import structlog

from bot import cli, redaction
from bot.record import EventRecord
from tests.plan.histories import Night

SNAPSHOTS = Path(__file__).parent / "snapshots"
_MASKS = {
    r"\b[0-9a-f]{64}\b": "HASH",
    r"(?<=evidence )[0-9a-f]{12}\b": "DIGEST",
    r'(?<="digest": ")[0-9a-f]{12}(?=")': "DIGEST",
    r"127\.0\.0\.1:\d+": "127.0.0.1:PORT",
    r"(?<=process )\d+|(?<=kill -9 )\d+": "PID",
    r"\b\d\d:\d\d:\d\d\b": "HH:MM:SS",
    r"from line \d+ of the journal": "from line N of the journal",
    r"\(\d+ lines\)": "(N lines)",
    r"\b202[6-9]\d{4}T?\d{6}Z?\b": "MOMENT",
}
_AMOUNTS = {
    r"PostgreSQL [\d.]+": "PostgreSQL VERSION",
    r"20\d\d-\d\d-\d\d( \d\d:\d\d| HH:MM:SS)?": "DATE",
    r"\d+ (s|min)\b|less than 1 s": "TIME",
    r"[\d.,]+ [kMG]B": "SIZE",
    r"pid \d+": "pid PID",
    r"freeze_\w+_\d+": "DATABASE",
    r"by \S+ \(uid \d+\)|by uid \d+": "by WHOEVER",
}

_WRITES = os.environ.get("CUTOVER_SNAPSHOTS") == "write"
"""As it is when the tests are collected: the commands run in environments of their own."""


class Told(NamedTuple):
    code: int
    out: str
    err: str


Cutover = Callable[..., Told]


@pytest.fixture
def logging_kept() -> Iterator[None]:
    """Logging is afterwards what it was before, and no secret of another test is known."""
    root, structured = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    redaction.know([])
    yield
    redaction.know([])
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**structured)


@pytest.fixture
def cutover(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], logging_kept: None
) -> Iterator[Cutover]:
    """The command, in an environment that is empty but for what is given, and in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def run(*arguments: str, **environment: str) -> Told:
        monkeypatch.setattr(os, "environ", {"PATH": "", "COLUMNS": "80", **environment})
        monkeypatch.setattr(sys, "argv", ["cutover", *arguments])
        code: str | int | None = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code
        out, err = (masked(text, tmp_path) for text in capsys.readouterr())
        return Told(int(code or 0), out, err)

    yield run
    for number, handler in before.items():
        signal.signal(number, handler)


def masked(text: str, here: Path | None = None) -> str:
    """Without what differs from run to run; `here` is the working directory."""
    text = text.replace(str(here), "HERE") if here is not None else text
    for pattern, word in _MASKS.items():
        text = re.sub(pattern, word, text)
    return text


def amounts_masked(text: str) -> str:
    """Without what differs from day to day and from machine to machine."""
    for pattern, word in _AMOUNTS.items():
        text = re.sub(pattern, word, text)
    return text


def as_typed(about: str, arguments: tuple[str, ...], told: Told, here: Path) -> str:
    """A command with all that came back, ending with an empty line; `about` as for a session."""
    lines = [f"# {about}"] if about else []
    lines += [f"$ {masked(shlex.join(['cutover', *arguments]), here)}", f"exit {told.code}"]
    for name, text in (("stdout", told.out), ("stderr", told.err)):
        lines += [f"-- {name}", *masked(text, here).splitlines()] if text else []
    return "\n".join([*lines, ""])


class Session:
    """What somebody typed one after the other, and everything that came back; `codes` are the exit codes so far."""

    def __init__(self, cutover: Cutover, here: Path) -> None:
        self.cutover = cutover
        self._here = here
        self._typed: list[str] = []
        self.codes: set[int] = set()

    def type(self, about: str, *arguments: str, **environment: str) -> Told:
        """`about` says in which situation, "" where there is nothing to say."""
        told = self.cutover(*arguments, **environment)
        self.note(about, arguments, told)
        return told

    def note(self, about: str, arguments: tuple[str, ...], told: Told) -> None:
        self.codes.add(told.code)
        self._typed.append(as_typed(about, arguments, told, self._here))

    @property
    def whole(self) -> str:
        return "\n".join(self._typed)


@pytest.fixture
def session(cutover: Cutover, tmp_path: Path) -> Session:
    return Session(cutover, tmp_path)


def must_match(name: str, text: str) -> None:
    """The text is what the file of that name holds."""
    path = SNAPSHOTS / name
    text = text.rstrip("\n") + "\n"
    if _WRITES:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"{path} is missing; CUTOVER_SNAPSHOTS=write writes it"
    assert text == path.read_text(encoding="utf-8")


def journaled(night: Night, directory: Path) -> Path:
    """The data directory of a night that has come so far."""
    directory.mkdir(mode=0o700, exist_ok=True)
    record = EventRecord.open(directory)
    record.append(night.events)
    record.close()
    return directory

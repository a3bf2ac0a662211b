"""Whatever terminal and locale a command finds, it prints its text and ends with its own exit code."""

import io
import json
import logging
import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bot import cli, logs
from bot.artifacts import files
from bot.artifacts.examiners import BundleExaminers
from bot.commands.show import show
from bot.errors import UsageError
from bot.plan.findings import failed
from bot.supabase.freeze import kit
from bot.terminal import shown
from tests.house.children import ROOT
from tests.house.locales import environment_of, spoken_here

_NAME = "Zähler → ☃"
_HOSTILE = "a\x1b[2J\x9b1m\u202eb\nFAIL  c"

ENVIRONMENTS: dict[str, dict[str, str]] = {
    "ascii": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "latin-1 by name": {"PYTHONIOENCODING": "latin-1:strict"},
    "latin-1": {"LC_ALL": "de_DE.ISO-8859-1"},
}


_SEVERAL = """
import json, os, sys
from bot import cli
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["cutover", *arguments]
    try:
        cli.main()
    except SystemExit as ended:
        sys.stdout.flush()
        os.write(1, b"\\0%d\\0" % ended.code)
"""


def run(directory: Path, environment: dict[str, str], *commands: list[str]) -> tuple[list[tuple[int, bytes]], bytes]:
    """The commands one after the other in one process, whose start takes longer than all of them: code and stdout of
    each, and stderr of all.
    """
    ours = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment}
    ended = subprocess.run(
        [sys.executable, "-c", _SEVERAL, json.dumps(commands)],
        cwd=directory, env=ours, capture_output=True, check=True, timeout=120,
    )  # fmt: skip
    parts = ended.stdout.split(b"\0")
    return [(int(code), out) for out, code in zip(parts[::2], parts[1::2], strict=False)], ended.stderr


@pytest.mark.parametrize(
    ("named", "asking"),
    [
        ("ascii", [["doctor"], ["thaw"]]),
        ("latin-1 by name", []),
        pytest.param("latin-1 by name", [["doctor"], ["thaw"]], marks=pytest.mark.all),
        pytest.param("latin-1", [["doctor"], ["thaw"]], marks=pytest.mark.all),
    ],
)
def test_a_terminal_that_is_not_utf8_gets_every_sentence(named: str, asking: list[list[str]], bundle: Any) -> None:
    """Doctor, thaw, verify and status end with their own exit code, and what the encoding lacks is spelled out; SQL is
    UTF-8 all the same, byte for byte what psql is to run. `asking` are those that ask services, whose libraries take
    longest to load.
    """
    terminal = ENVIRONMENTS[named]
    if (language := terminal.get("LC_ALL", "C")) != "C":
        terminal = environment_of(language)
    other = shutil.copytree(bundle.directory, bundle.directory.parent / "other")
    document = json.loads((other / files.METADATA).read_bytes())
    document["tables"]["orders"]["table"] = _NAME
    (other / files.METADATA).write_text(json.dumps(document))
    (bundle.directory / "\u2603").write_text("")
    services = {
        "SLACK_BOT_TOKEN": "xoxb-1-a",
        "SLACK_APP_TOKEN": "xapp-1-a",
        "SLACK_API_URL": "http://127.0.0.1:1/api/",
        "SUPABASE_DB_URL": "postgresql://postgres:pw@127.0.0.1:1/postgres",
        "SUPABASE_URL": "http://127.0.0.1:1",
        "SUPABASE_SERVICE_ROLE_KEY": "sb_secret_of_no_value",
        "STACK_AUTH_PROJECT_ID": "3f1c9a52-6a0e-4c1b-9a4e-0c5f2f1d7a10",
        "STACK_AUTH_SECRET_KEY": "ssk_of_no_value",
        "STACK_AUTH_API_URL": "http://127.0.0.1:1",
        "CUTOVER__SLACK__CHANNEL": "C0CUTOVER",
        "CUTOVER__APPROVERS__USERS": '["U0ANN"]',
        "MIGRATION_DATA_DIR": str(bundle.directory),
    }
    told, complained = run(
        bundle.directory.parent, {**terminal, **services},
        ["verify"], ["status"], ["verify", "\u2603"],
        ["restore-sql", "orders", str(other)], ["freeze-sql"], ["freeze-sql", "--thaw"], *asking,
    )  # fmt: skip
    assert [code for code, _ in told] == [0, 0, 2, 0, 0, 0, *(5 for _ in asking)]
    verify, _, _, restore, freeze, thaw, *asked = (out for _, out in told)
    assert b"this is a bug" not in complained and b"Traceback" not in complained
    for out in (verify, *asked[:1]):
        assert b"\n      -> " in out
    assert f'"public"."{_NAME}"'.encode() in restore
    assert (freeze.decode(), thaw.decode()) == (f"{kit.freeze_sql()}\n", f"{kit.thaw_sql()}\n")


async def test_a_turkish_locale_changes_no_verdict(bundle: Any) -> None:
    """A whole mapping has everybody in it: what SQLite did is not taken from Python's reading of the statement, to
    which INSERT is another word there.
    """
    with spoken_here("tr_TR.UTF-8"):
        examiners = BundleExaminers(bundle.directory)
        found = [finding async for finding in examiners.examine_mapping(bundle.run, lambda progress: None)]
        found += [finding async for finding in examiners.examine_references(bundle.run, lambda progress: None)]
    assert {finding.check: finding.verdict for finding in found} == {
        "mapping-bound": "pass", "retention": "pass", "mapping-complete": "pass", "references": "pass",
    }  # fmt: skip


def test_the_locale_is_set_at_the_start() -> None:
    """Whatever the environment says, letters are classified as in the C library's own locale."""
    environment = {**os.environ, **environment_of("tr_TR.UTF-8"), "PYTHONPATH": str(ROOT)}
    asked = "import locale; from bot import terminal; ask = lambda: print(locale.setlocale(locale.LC_CTYPE)); "
    asked += "ask(); terminal.prepare(); ask()"
    said = subprocess.run([sys.executable, "-c", asked], env=environment, capture_output=True, text=True, check=True)
    before, after = said.stdout.split()
    assert before == "tr_TR.UTF-8"
    assert after in {"C.UTF-8", "C.utf8", "UTF-8", "C"}


# -- what a name may do to a terminal ---------------------------------------------------------------------------------


def test_no_name_reaches_a_terminal_raw(capsys: pytest.CaptureFixture[str]) -> None:
    """Escapes and marks of direction are shown as escapes, and no line of a name looks like one of ours."""
    show([failed("unknown-files", _HOSTILE, f"rm {_HOSTILE}")])
    assert capsys.readouterr().out == (
        "FAIL  unknown-files  a\\u001b[2J\\u009b1m\\u202eb\n      FAIL  c\n"
        "      → rm a\\u001b[2J\\u009b1m\\u202eb\n      FAIL  c\n"
    )


def test_names_of_every_language_stay_as_they_are() -> None:
    """Joiners in words and emoji are part of them."""
    name = "Größe שלום می‌خواهم 👨‍👩‍👧 数"
    assert shown(name) == name


def test_a_file_with_a_hostile_name_is_shown_by_verify(bundle: Any) -> None:
    """On a real terminal too, where only the colours of the verdicts are escapes."""
    (bundle.directory / "a\x1b]0;b\x07c").write_text("")
    ours = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "40"}
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "bot", "verify", str(bundle.directory)], env=ours, stdout=follower, stderr=follower
    ) as process:
        os.close(follower)
        said = b""
        while True:
            try:
                block = os.read(leader, 65536)
            except OSError:  # the other end is closed
                break
            said += block
    os.close(leader)
    assert process.returncode == 0
    assert rb"a\u001b]0;b\u0007c." in said
    assert b"\x1b]" not in said and b"\x07" not in said


def test_a_log_line_is_json_and_shows_what_is_not_seen() -> None:
    """So that a log on a screen moves no cursor either."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.Line(()))
    handler.emit(logging.LogRecord("cutover", logging.INFO, "", 0, _HOSTILE + "\U000e0041", (), None))
    assert json.loads(stream.getvalue())["event"] == _HOSTILE + "\U000e0041"
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\U000e0041]", stream.getvalue())


def test_an_error_keeps_to_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    """What a sentence quotes cannot begin a line of its own."""
    cli._tell(UsageError("x", unchanged="y", do="z"), f"There is no directory {_HOSTILE}")
    assert capsys.readouterr().err == ("cutover: There is no directory a\\u001b[2J\\u009b1m\\u202eb\n      FAIL  c\n")


@pytest.mark.parametrize("columns", [20, 40, 80])
def test_a_path_is_never_broken(columns: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither by `show` nor by the lines of a practice, with spaces in it or without."""
    path = "/a/very long path/with spaces/that nobody should break/anywhere"
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("FORCE_COLOR", "1")
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    show([failed("files-whole", f"Look at {path}, please.", f"cp -a {path} .")])
    assert stream.getvalue().count(path) == 2

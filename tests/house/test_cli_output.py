"""What the commands print, whole, as a person and a script read it."""

import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from bot import cli, commands
from bot.directory_lock import DataDirectoryLock
from bot.errors import WrongSettings
from bot.record import EventRecord
from tests.house.children import settings
from tests.plan.histories import NED, NED_THERE, Night, night_at


class Told(NamedTuple):
    code: int
    out: str
    err: str


Cutover = Callable[..., Told]


@pytest.fixture
def cutover(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Cutover]:
    """The command, in an empty environment and an empty working directory. Hashes are masked, the directory too."""
    monkeypatch.setattr(os, "environ", {"PATH": "", "COLUMNS": "80"})
    monkeypatch.chdir(tmp_path)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def run(*arguments: str) -> Told:
        monkeypatch.setattr(sys, "argv", ["cutover", *arguments])
        code: str | int | None = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code
        out, err = (
            re.sub(r"\b[0-9a-f]{64}\b", "HASH", text).replace(str(tmp_path), "HERE") for text in capsys.readouterr()
        )
        return Told(int(code or 0), out, err)

    yield run
    for number, handler in before.items():
        signal.signal(number, handler)


def _journaled(night: Night, directory: Path) -> None:
    directory.mkdir(exist_ok=True)
    record = EventRecord.open(directory)
    for event in night.events:
        record.append([event])
    record.close()


def test_help_lists_every_command_with_a_whole_sentence(cutover: Cutover) -> None:
    """No sentence is cut off."""
    assert cutover("--help") == Told(
        0,
        """\
Usage: cutover [OPTIONS] COMMAND [ARGS]...

  The Slack bot that takes a team through the night its production data leaves
  Supabase.

Options:
  --debug  Show the trace of an error.
  --help   Show this message and exit.

Commands:
  doctor       Look around, days before the night.
  practice     Export the living source once, so that the time is known.
  run          Open a run, or go on with the one in the data directory.
  status       Where the run in the data directory stands.
  verify       Read a whole bundle again, offline, and name every damage.
  report       Write the evidence page of a run: report.html.
  restore-sql  Print the SQL that loads exported tables, for psql.
  freeze-sql   Print the SQL that freezes Supabase, to paste or pipe.
  thaw         Take the freeze back, exactly.
  abort        End the run, and take the freeze back.
  undo-users   Remove from Stack Auth the users that an ended run created.
  attention    List the users whom somebody has to fix, with addresses.
  manifest     Print the Slack app to make, with the scopes it needs.
  rehearse     Play a whole night on this machine, on a page.
""",
        "",
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "Missing command; nothing was done; see `cutover --help`."),
        (("frieze",), "No such command 'frieze', did you mean 'freeze-sql'; nothing was done; see `cutover --help`."),
        (
            ("run", "--twice"),
            "No such option: --twice (Possible options: --once); nothing was done; see `cutover --help`.",
        ),
        (("verify", "one", "two"), "Got unexpected extra argument(s) (two); nothing was done; see `cutover --help`."),
        (
            ("rehearse", "--auto", "--users", "many"),
            "Invalid value for '--users': Input should be a valid integer, unable to parse string as an integer; "
            "nothing was done; see `cutover --help`.",
        ),
        (
            ("rehearse",),
            "A rehearsal plays by itself for now, and --auto was not given; nothing was started; "
            "start `cutover rehearse --auto`.",
        ),
        (("verify", "gone"), "gone is no directory; nothing was read; name the directory of a bundle."),
        (
            ("status", "--config", "gone.toml"),
            str(WrongSettings(["--config names gone.toml, and there is no such file"])),
        ),
    ],
)
def test_wrong_usage_gets_one_sentence_and_2(cutover: Cutover, arguments: tuple[str, ...], sentence: str) -> None:
    """On stderr, with nothing on stdout and nothing done."""
    assert cutover(*arguments) == Told(2, "", f"cutover: {sentence}\n")
    assert list(Path().iterdir()) == []


def test_a_run_that_is_refused_leaves_nothing(cutover: Cutover, monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder, no journal and no lock: whoever looks later finds no trace of a run that never was."""
    for name, value in settings("postgresql://postgres:pw@127.0.0.1:1/postgres", 1, Path("a/data")).items():
        monkeypatch.setitem(os.environ, name, value)
    code, out, err = cutover("run")
    assert (code, out) == (5, "")
    assert err.splitlines()[-1].startswith("cutover: Slack could not be reached")
    assert list(Path().iterdir()) == []


def test_status_without_a_run(cutover: Cutover) -> None:
    """Says so, makes no directory, and has the same shape for programs."""
    assert cutover("status") == Told(0, "No run in migration-data. `cutover run` opens one.\n", "")
    code, out, err = cutover("status", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "runId": None,
        "checkpoint": None,
        "status": None,
        "approvals": [],
        "counts": {},
        "bot": {"running": False, "pid": None},
        "frozen": False,
    }
    assert list(Path().iterdir()) == []


def test_status_of_a_finished_run(cutover: Cutover, tmp_path: Path) -> None:
    """Every gate with who passed it, every count, and the digest."""
    _journaled(night_at("done"), tmp_path / "migration-data")
    code, out, err = cutover("status")
    assert (code, err) == (0, "")
    assert (
        re.sub(r"evidence [0-9a-f]{12}", "evidence DIGEST", out)
        == """\
Run 20260301-abcd, opened 2026-03-01 22:00:00 UTC
  from Supabase abcdef/postgres to Stack Auth p-1
  the run is handed over
  1 Freeze  passed, evidence DIGEST, approved by @U0ANN
  2 Export  passed, evidence DIGEST, approved by @U0ANN
  3 Users   passed, evidence DIGEST, approved by @U0ANN
  exported: 3 tables, 30 rows, 300 bytes
  users: 5, of them created 4, matched 0, updated 0, unmapped 1; attention 2
  digest d1
  no bot is running and Supabase is frozen: nobody watches the freeze
    to continue: `cutover run`
    to unfreeze: `cutover thaw`, or the SQL that `cutover freeze-sql --thaw` prints
"""
    )


def test_status_says_whether_a_bot_is_running(cutover: Cutover, tmp_path: Path) -> None:
    """By the lock of the data directory and the process that holds it; where none does, how to go on, and under a
    freeze how to take it back.
    """
    directory = tmp_path / "migration-data"
    _journaled(night_at("freeze waits"), directory)
    assert cutover("status").out.endswith("\n  no bot is running; `cutover run` continues\n")
    with DataDirectoryLock.take(directory):
        assert cutover("status").out.endswith(f"\n  the bot is running (process {os.getpid()})\n")
        told = json.loads(cutover("status", "--json").out)
        assert (told["bot"], told["frozen"]) == ({"running": True, "pid": os.getpid()}, False)
    told = json.loads(cutover("status", "--json").out)
    assert told["bot"] == {"running": False, "pid": None}


def test_status_for_programs(cutover: Cutover, tmp_path: Path) -> None:
    """Run, gate, status, approvals, counts; it may grow, and nothing in it is renamed."""
    _journaled(night_at("users waits"), tmp_path / "migration-data")
    code, out, err = cutover("status", "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    for approval in told["approvals"]:
        assert re.fullmatch(r"[0-9a-f]{12}", approval.pop("digest"))
        approval["at"] = approval["at"] and approval["at"][:10]
        for given in approval["given"]:
            given["at"] = given["at"][:10]
    spent = {"user": "U0ANN", "name": None, "at": "2026-03-01", "state": "spent"}
    by = {"user": "U0ANN", "name": None, "at": "2026-03-01", "given": [spent]}
    passed = {"offer": 1, "status": "passed", "needed": 1, **by}
    waits = {"offer": 1, "status": "waiting", "needed": 1, "user": None, "name": None, "at": None, "given": []}
    assert told == {
        "runId": "20260301-abcd",
        "checkpoint": "users",
        "status": "waiting",
        "approvals": [
            {"checkpoint": "freeze", **passed},
            {"checkpoint": "export", **passed},
            {"checkpoint": "users", **waits},
        ],
        "counts": {
            "tables": 3,
            "rows": 30,
            "bytes": 300,
            "users": 5,
            "created": 4,
            "matched": 0,
            "updated": 0,
            "unmapped": 1,
            "attention": 2,
        },
        "doing": "the Users checkpoint waits for `users-mapped`",
        "openReasons": ["phone-only", "sso"],
        "toDecide": {NED: [NED_THERE]},
        "digest": None,
        "bot": {"running": False, "pid": None},
        "frozen": True,
    }


def test_verify_says_a_sentence_a_line_and_cuts_none(cutover: Cutover, tmp_path: Path) -> None:
    """For a file or another program: verdict, check, evidence, and the fix below it."""
    _journaled(night_at("freeze waits"), tmp_path / "bundle")
    lines = len((tmp_path / "bundle" / "journal.jsonl").read_text().splitlines())
    assert cutover("verify", "bundle") == Told(
        0,
        f"""\
pass  journal-chain  journal.jsonl: hash chain intact ({lines} lines); head HASH.
warn  handover  The handover is not done yet. Everything present was checked.
      → Finish the run first.
pass  anchor  The bundle is consistent. It was not compared with Slack.
""",
        "",
    )


def test_a_damaged_journal_is_refused_by_verify_and_by_status(cutover: Cutover, tmp_path: Path) -> None:
    """Each names the line and ends with 3; the file stays as it is."""
    _journaled(night_at("freeze waits"), tmp_path / "migration-data")
    journal = tmp_path / "migration-data" / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b"freeze", b"frieze", 1)
    damaged = b"".join(lines)
    journal.write_bytes(damaged)
    sentence = (
        "Line 2 of journal.jsonl is not what was written: its hash does not belong to its content and the line before"
    )
    code, out, err = cutover("verify")
    assert (code, err) == (3, "")
    assert out.splitlines()[0] == f"FAIL  journal-chain  {sentence}."
    assert cutover("status") == Told(
        3,
        "",
        f"cutover: {sentence}; nothing was written and nothing was done; put the whole journal.jsonl back from a copy, "
        "or look at the line; `cutover verify` shows what else is damaged.\n",
    )
    assert journal.read_bytes() == damaged


def test_the_freeze_sql_is_all_that_is_printed(cutover: Cutover) -> None:
    """So that it can be piped into psql, both ways."""
    for arguments in (("freeze-sql",), ("freeze-sql", "--thaw")):
        code, out, err = cutover(*arguments)
        assert (code, err) == (0, "")
        assert all(line.startswith(("--", "BEGIN")) for line in out.splitlines()[:1])
        assert "default_transaction_read_only" in out


def test_debug_adds_the_trace_without_secrets(cutover: Cutover, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug ends with 1 and its class's name; only `--debug` shows more, and what looks like a secret not even then."""

    def broken(*_: object, **__: object) -> int:
        raise LookupError("Key (email)=(bob@example.org) with xoxb-12-pl4nted")

    monkeypatch.setattr(commands.status, "status", broken)
    sentence = (
        "cutover: this is a bug in Cutover (LookupError); the run stands as the journal says; "
        "start again with --debug and report it.\n"
    )
    assert cutover("status") == Told(1, "", sentence)
    code, out, err = cutover("--debug", "status")
    assert (code, out) == (1, "")
    assert err.startswith("Traceback (most recent call last):\n")
    assert err.endswith(f"LookupError: Key (email)=([removed]) with [removed]\n\n{sentence}")

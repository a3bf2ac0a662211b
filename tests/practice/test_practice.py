"""`cutover practice` on the real command line: what it tells, what it leaves, and what it leaves alone."""

import json
import re
import resource
import signal
import stat
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bot.artifacts import metadata
from bot.errors import CheckFailed, WrongSettings
from bot.plan.events import Parties
from bot.plan.practice import Practice
from bot.ports import Progress
from bot.practice import practise, read_timings
from bot.rehearsal.company import MARKS, Company
from bot.rehearsal.night import until
from bot.supabase.catalog import Selection
from bot.supabase.database import Database
from bot.supabase.export.bundle import Label
from tests import preloaded
from tests.practice.conftest import Taken, Told, cutover, environment


def test_it_ends_with_a_screen_for_whoever_leads_the_migration(taken: Taken) -> None:
    """What was exported and what was not, what becomes of the users and what to do, and how long the night takes."""
    lines = taken.told.out.splitlines()
    assert max(len(line) for line in lines if str(taken.here) not in line) <= 110
    assert len([line for line in lines if not re.search(r": \d+ (s|min), [\d,]+ rows", line)]) < 45
    shown = re.sub(r"\s+longest .*?(?=\s+left out)", "", taken.told.out, flags=re.DOTALL)
    for pattern, word in MASKS.items():
        shown = re.sub(pattern, word, " ".join(shown.split()))
    assert shown.replace(str(taken.directory), "DIRECTORY") == " ".join(SCREEN.split())


def test_nothing_of_a_person_is_on_the_terminal(taken: Taken, company: Company) -> None:
    """Neither what it tells nor its progress holds an address, a hash, a token, a row or the password."""
    assert taken.told.err.startswith("export: ")
    assert [mark for mark in (*MARKS, company.server.password) if mark in taken.told.out + taken.told.err] == []


def test_it_reads_and_does_nothing_else(taken: Taken) -> None:
    """No transaction of it wrote, and nobody was asked but the database, though all their settings stood there."""
    assert taken.transactions[0] == taken.transactions[1]
    assert taken.asked == []


def test_it_leaves_a_bundle_that_says_what_it_is(taken: Taken) -> None:
    """Of no run and no freeze, for its owner's eyes, ignored by git; beside it only the timings."""
    found = taken.metadata
    assert (found.practice, found.freeze) == (True, None)
    assert found.run_id == f"practice-{taken.directory.name}"
    assert found.auth_users.row_count == 132
    assert stat.S_IMODE(taken.directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in taken.directory.glob("*.json")} == {0o600}
    assert (taken.directory / ".gitignore").read_text() == (taken.data / ".gitignore").read_text() == "*\n"
    assert sorted(path.name for path in taken.data.iterdir()) == [".gitignore", "practice"]
    assert sorted(path.name for path in (taken.data / "practice").iterdir()) == [taken.directory.name, "timings.json"]


def test_its_timings_are_what_was_measured(taken: Taken) -> None:
    """Bound to the source, with its size then, each part's seconds, and the pace of Stack Auth as an assumption."""
    timings, found = read_timings(taken.data), taken.metadata
    assert timings is not None
    assert timings.taken_at == found.snapshot.taken_at
    assert (timings.source_ref, timings.source_database) == (found.source.ref, found.source.database)
    assert (timings.tables, timings.rows, timings.bytes) == tuple(found.totals.model_dump().values())
    assert (timings.users, timings.users_per_second) == (132, 40.0)
    assert timings.estimated_rows == timings.rows
    assert timings.export_seconds >= found.total_duration_ms / 1000 - 0.01
    assert timings.check_seconds > 0 and timings.translate_seconds > 0
    assert json.loads((taken.data / "practice" / "timings.json").read_text()).keys() == {
        field.alias for field in Practice.model_fields.values()
    }


def test_the_next_practice_takes_the_place_of_the_timings(database: Company, tmp_path: Path) -> None:
    """Wherever the bundle may be, the coming run finds how long it took in the data directory. An empty directory,
    made by somebody who thought ahead, is as good as none.
    """
    (tmp_path / "elsewhere").mkdir()
    rows = []
    for named in ("elsewhere", "elsewhere else"):
        told = cutover(tmp_path, environment(database), "practice", named)
        assert told.code == 0, told.err
        assert f"The bundle is in {tmp_path / named}:" in " ".join(told.out.split())
        assert (tmp_path / named / "metadata.json").exists()
        timings = read_timings(tmp_path / "migration-data")
        assert timings is not None
        rows.append((timings.rows, timings.estimated_rows))
        with psycopg.connect(database.admin_dsn, autocommit=True) as session:
            session.execute("CREATE TABLE IF NOT EXISTS public.later AS SELECT generate_series(1, 100) AS n")
            session.execute("ANALYZE public.later")
    assert rows[1] == (rows[0][0] + 100, rows[0][1] + 100)
    assert [path.name for path in (tmp_path / "migration-data" / "practice").iterdir()] == ["timings.json"]


# -- where it may not be ----------------------------------------------------------------------------------------------


_ITS_OWN = (
    ", and a practice needs a directory of its own; nothing was read or written; name one that is empty or not there "
    "yet, or none.\n"
)


@pytest.mark.parametrize(
    ("named", "holds", "why"),
    [
        ("migration-data", "", "is of the data directory, where runs and timings are kept"),
        ("migration-data/practice", "", "is of the data directory, where runs and timings are kept"),
        ("gone/../migration-data", "", "is of the data directory, where runs and timings are kept"),
        ("there", "there/journal.jsonl", "holds a run"),
        ("there", "there/metadata.json", "holds a bundle already"),
        ("there", "there/package.json", "holds other files already"),
        ("gone/../there", "there/package.json", "holds other files already"),
        (".", "package.json", "holds other files already"),
        ("there", "there", "is no directory"),
    ],
)
def test_a_directory_that_is_not_its_own_is_refused(
    tmp_path: Path,
    contents: Callable[[Path], Any],
    at_once: Callable[..., Told],
    *,
    named: str,
    holds: str,
    why: str,
) -> None:
    """Before anybody is asked, with one sentence and 2; not a byte in it is touched."""
    if holds:
        (tmp_path / holds).parent.mkdir(exist_ok=True)
        (tmp_path / holds).write_text("{}")
    before = contents(tmp_path)
    told = at_once({"SUPABASE_DB_URL": "postgresql://postgres:x@127.0.0.1:1/postgres"}, "practice", named)
    where = (tmp_path / named).resolve()
    assert told == (2, "", f"cutover: {where} {why}{_ITS_OWN}")
    assert contents(tmp_path) == before


# -- when it does not get to its end ----------------------------------------------------------------------------------


def test_a_source_that_is_not_there_leaves_nothing(tmp_path: Path) -> None:
    """5, one sentence, and no directory of a practice."""
    told = cutover(tmp_path, {"SUPABASE_DB_URL": "postgresql://postgres:x@127.0.0.1:1/postgres"}, "practice")
    assert (told.code, told.out) == (5, "")
    assert told.err.startswith("cutover: nothing listens at the host and port of SUPABASE_DB_URL")
    assert told.err.count("\n") == 1
    assert not (tmp_path / "migration-data").exists()


def test_it_needs_the_source_and_no_other_setting(tmp_path: Path) -> None:
    """Without the DSN it says so and asks for nothing else."""
    assert cutover(tmp_path, {}, "practice") == (
        2,
        "",
        f"cutover: {WrongSettings(['SUPABASE_DB_URL is missing'])}\n",
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("named", [pytest.param(None, marks=pytest.mark.all), "mine"])
def test_a_full_disk_leaves_nothing(database: Company, tmp_path: Path, named: str | None) -> None:
    """2 and one sentence; what fitted is removed, a directory that was there before stays."""
    if named:
        (tmp_path / named).mkdir()
    ended = subprocess.run(
        [sys.executable, "-m", "bot", "practice", *([named] if named else [])],
        cwd=tmp_path,
        env=environment(database),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "(File too large); no file of that name was created or changed" in ended.stderr.splitlines()[-1]
    assert not (tmp_path / "migration-data").exists()
    if named:
        assert {path.name for path in (tmp_path / named).iterdir()} <= {".gitignore", ".cutover.lock"}
        assert cutover(tmp_path, environment(database), "practice", named).code == 0


async def test_a_file_that_is_read_otherwise_than_written_ends_it(database: Company, tmp_path: Path) -> None:
    """3 with the file's name: better a disk that is found out now than in the night."""
    label = Label(
        run_id="practice-x",
        parties=Parties(source_ref="r", source_database="d", target_project=""),
        freeze=None,
        tool_version="9",
    )

    def meddle(progress: Progress) -> None:
        if progress.step == "files":
            (tmp_path / "todos.json").write_text("[\n]\n")

    with pytest.raises(CheckFailed) as caught:
        await practise(
            Database(database.dsn),
            tmp_path,
            label,
            Selection(workers=2, include_schemas=(), exclude_tables=()),
            estimated_rows=1,
            users_per_second=1.0,
            report=meddle,
        )
    size = metadata.read(tmp_path / "metadata.json").tables["todos"].bytes
    assert str(caught.value) == (
        "What was written a moment ago is read otherwise: todos.json differs from the export: it has 4 bytes instead "
        f"of {size:,}; nothing was changed in Supabase, and what had been read was removed; find out what else writes "
        "there, or take another disk, before there is a night."
    )


_SLOW = """
CREATE TYPE public.slow AS ENUM ('slow');
CREATE FUNCTION public.slowly(public.slow) RETURNS json LANGUAGE plpgsql
  AS $$ BEGIN PERFORM pg_sleep(600); RETURN '1'; END $$;
CREATE CAST (public.slow AS json) WITH FUNCTION public.slowly(public.slow);
CREATE TABLE public.zz_slow AS SELECT 'slow'::public.slow AS value
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_told_to_stop_it_removes_what_it_wrote(database: Company, tmp_path: Path, number: signal.Signals) -> None:
    """130 and one sentence, in the middle of the export: no row of anybody is left lying about."""
    with psycopg.connect(database.admin_dsn, autocommit=True) as session:
        session.execute(_SLOW.encode())
    practising = await preloaded.start("practice", cwd=tmp_path, env=environment(database), stderr=PIPE)

    def is_there() -> bool:
        assert practising.returncode is None
        return bool(list(tmp_path.glob("migration-data/practice/*/orders.json")))

    try:
        await until(is_there, timeout=120)
        practising.send_signal(number)
        _, err = await practising.communicate()
    finally:
        practising.kill()
    assert practising.returncode == 130
    assert err.decode().splitlines()[-1] == (
        "cutover: The practice was told to stop; nothing was changed in Supabase, and what had been read was removed; "
        "start `cutover practice` again when there is time for it."
    )
    assert not (tmp_path / "migration-data").exists()


MASKS = {
    r"less than 1 s|\b\d+ (s|min)\b": "SPAN",
    r"\d{4}-\d\d-\d\d \d\d:\d\d": "DATE",
    r"127\.0\.0\.1:\d+": "HOST",
}
SCREEN = """\
Practice of DATE UTC, from Supabase HOST, database company, PostgreSQL 18.6

  exported  51 tables, 3,539 rows, 783.6 kB
  left out  44 files in Storage, 46970 bytes: the bytes of files in Storage are not rows of a table
            8 × it is the platform's own
            7 × a one-time token is worth nothing elsewhere
            3 × sessions end with Supabase: everybody signs in again
            8 for 6 other reasons
            with rows: auth.sso_providers 1 row, vault.secrets 1 row, auth.refresh_tokens 43 rows, auth.sessions 43
            rows, auth.audit_log_entries 33 rows, auth.one_time_tokens 9 rows, auth.schema_migrations 3 rows,
            realtime.schema_migrations 1 row, storage.migrations 1 row, supabase_migrations.schema_migrations 1 row
  files     All were read again and are what was written
  users     132: 81 will be migrated completely, 51 incompletely; none was created
            password hashes: 72 bcrypt of cost 10, 3 argon2, 3 scrypt, 3 encrypted, 3 an unknown kind, 2
            bcrypt of cost 6, 1 bcrypt of cost 12
            accounts at providers: 15 google, 6 github
            12 × hash-not-bcrypt: Ask the person to set a new password. With a verified address they can sign in by
            magic link until then.
            6 × phone-only: Stack Auth has no sign-in by phone. Ask the person for an address and set it in Stack
            Auth. Until then nobody can sign in as this user.
            6 × anonymous: Keep it for the rows that refer to it, or delete it later: nobody can sign in as this
            user again.
            6 × sso-user: Set up the company's single sign-on as a provider in Stack Auth and ask the person to link to
            it. A sign-in by the address alone creates a new user.
            3 × banned: Lift the restriction when the ban ends: it does not end by itself.
            3 × deleted: Delete it in Stack Auth when nothing refers to it: it was deleted in Supabase.
            3 × email-taken-by-another: Decide with the person which of the two users is theirs, then merge or delete
            the other. Until then a sign-in by the address reaches the other user, or creates a new one.
            3 × phone-not-carried: Nothing, unless the person signed in only by phone: tell them to use their other
            sign-in method.
            3 × second-factor-not-carried, 3 × email-refused, 3 × metadata-rounded, 3 × no-sign-in-method:
            docs/users.md says what to do
  time      export SPAN, reading all again SPAN, looking at the users SPAN

On the night this takes about SPAN: export SPAN, checks SPAN, users SPAN if Stack Auth takes 40 a second. The freeze,
counting at the source, and people's decisions come on top.
Checkpoint 1 will say so. The bundle is in DIRECTORY: it holds every row and every password hash, and no run takes it.
Delete it once you have seen what you want.
"""

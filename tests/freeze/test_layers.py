"""The kit and its way back, run as people run them."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bot.rehearsal.company import Company
from bot.rehearsal.postgres_binaries import find_binaries
from bot.supabase.database import Database
from bot.supabase.freeze.kit import freeze_sql
from bot.supabase.freeze.layers import UNKNOWN, Prior, prior_state, read_layers, thaw_sql, thaw_sql_to_post
from bot.supabase.freeze.thaw import DROP, thaw
from tests.freeze.catalogs import world_of

WRITE = "UPDATE public.settings SET value = value"


def _paste(source: Company, sql: str) -> list[str]:
    """One query, as the SQL editor sends it; the warnings."""
    warnings: list[str] = []
    with psycopg.connect(source.dsn, autocommit=True, application_name="editor") as session:
        session.add_notice_handler(
            lambda notice: warnings.append(notice.message_primary or "") if notice.severity == "WARNING" else None
        )
        session.execute(sql.encode())
    return warnings


def _hasty(sql: str) -> str:
    """Without the seconds that are left to a gateway, where there is none."""
    return sql.replace("PERFORM pg_sleep(2)", "PERFORM 1")


def _drop(source: Company) -> None:
    """A minute after a thaw, as its last line says."""
    assert thaw_sql().count(DROP) == 1
    _paste(source, DROP)


def _psql(source: Company, sql: str) -> str:
    psql = Path(find_binaries().directory) / "psql"
    done = subprocess.run([psql, "-X", "-d", source.dsn], input=sql, capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def _refuses(source: Company) -> bool:
    with psycopg.connect(source.dsn) as session:
        try:
            session.execute(WRITE)
        except psycopg.errors.ReadOnlySqlTransaction:
            return True
        return False


def _hook(source: Company, name: str) -> None:
    source.server.sql(
        f"CREATE FUNCTION {name}() RETURNS void LANGUAGE plpgsql AS "
        "$$BEGIN PERFORM set_config('test.hook', 'ran', true); END$$",
        source.dbname,
    )


PRIORS = {
    "none": [],
    "default off": ["ALTER DATABASE {db} SET default_transaction_read_only = off"],
    "hook for all databases": ["ALTER ROLE authenticator SET pgrst.db_pre_request = 'public.check_request'"],
    "hook here": ["ALTER ROLE authenticator IN DATABASE {db} SET pgrst.db_pre_request = 'public.check_request'"],
    "hook without schema": ["ALTER ROLE authenticator IN DATABASE {db} SET pgrst.db_pre_request = 'check_request'"],
    "hook with awkward name": [
        """ALTER ROLE authenticator IN DATABASE {db} SET pgrst.db_pre_request = 'public.Che"ck ''it''; 100%'"""
    ],
    "hook here over hook everywhere": [
        "ALTER ROLE authenticator SET pgrst.db_pre_request = 'public.other'",
        "ALTER ROLE authenticator IN DATABASE {db} SET pgrst.db_pre_request = 'public.check_request'",
    ],
    "settings beside": [
        "ALTER ROLE authenticator IN DATABASE {db} SET lock_timeout = '7s'",
        "ALTER DATABASE {db} SET work_mem = '5MB'",
    ],
}


@pytest.fixture(params=list(PRIORS))
def prior(request: pytest.FixtureRequest, source: Company) -> Iterator[str]:
    _hook(source, "public.check_request")
    _hook(source, """public."Che""ck 'it'; 100%" """)
    for statement in PRIORS[request.param]:
        source.server.sql(statement.format(db=source.dbname), source.dbname)
    yield request.param


def test_a_thaw_leaves_all_as_it_was(source: Company, prior: str) -> None:
    """Settings, schemas, functions and grants are as before, whatever was set; the hook there was runs meanwhile."""
    before = world_of(source)
    assert _paste(source, _hasty(freeze_sql())) == []
    assert _refuses(source)
    with psycopg.connect(source.authenticator_dsn, autocommit=True) as session:
        for mode in ("READ ONLY", "READ WRITE"):
            assert _asked(session, mode) == ("ran" if prior.startswith("hook") else "")
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                session.execute("UPDATE public.profiles SET id = id WHERE false")
            session.execute("ROLLBACK")
        assert _paste(source, _hasty(thaw_sql())) == []
        assert _asked(session, "READ WRITE") == ("ran" if prior.startswith("hook") else "")
        session.execute("UPDATE public.profiles SET id = id WHERE false; ROLLBACK")
    _drop(source)
    assert world_of(source) == before
    assert not _refuses(source)


def _asked(session: psycopg.Connection[Any], mode: str) -> str:
    """What the gateway does before a request of a signed-in user: whether the hook ran that was there before."""
    session.execute(f"BEGIN {mode}; SET LOCAL role service_role; SET LOCAL search_path = public".encode())
    session.execute("SELECT set_config('test.hook', '', true), cutover_freeze.gate()")
    row = session.execute("SELECT current_setting('test.hook', true)").fetchone()
    assert row is not None
    return str(row[0] or "")


def test_the_kit_may_be_piped_and_run_twice(source: Company) -> None:
    """From psql, the second time from a frozen session: what was there before is noted once, and comes back."""
    source.server.sql(f"ALTER DATABASE {source.dbname} SET default_transaction_read_only = off")
    before = world_of(source)
    assert "Now close this session" in _psql(source, freeze_sql())
    assert "ERROR" not in _psql(source, freeze_sql())
    [(noted,)] = source.server.sql("SELECT obj_description('cutover_freeze'::regnamespace)", source.dbname)
    assert json.loads(noted) | {"at": ""} == {
        "hook": None, "default": "off", "authenticator_default": None, "known": True, "at": "",
    }  # fmt: skip
    assert "ERROR" not in _psql(source, thaw_sql())
    again = _psql(source, thaw_sql())
    assert "ERROR" not in again
    assert DROP in again
    assert "ERROR" not in _psql(source, DROP)
    assert "nothing to thaw" in _psql(source, thaw_sql())
    assert world_of(source) == before


def test_a_read_only_prior_is_restored_and_said(source: Company) -> None:
    """A database that was read-only before is so again, with a warning."""
    source.server.sql(f"ALTER DATABASE {source.dbname} SET default_transaction_read_only = on")
    before = world_of(source)
    _paste(source, _hasty(freeze_sql()))
    assert _paste(source, _hasty(thaw_sql())) == [
        "The database was read-only before the freeze, and is read-only again."
    ]
    _drop(source)
    assert world_of(source) == before
    assert _refuses(source)


def test_old_sessions_end_one_by_one(source: Company) -> None:
    """A superuser's session that cannot be ended is named and saves no other; ours is spared, and nobody who calls
    himself so with another role.
    """
    with (
        psycopg.connect(source.admin_dsn, application_name="platform", autocommit=True) as platform,
        psycopg.connect(source.dsn, application_name="cutover/x/export", autocommit=True) as ours,
        psycopg.connect(source.storage_dsn, application_name="cutover/x/export", autocommit=True) as disguised,
        psycopg.connect(source.authenticator_dsn, application_name="app", autocommit=True) as app,
    ):
        told = _psql(source, _hasty(freeze_sql()))
        assert json.dumps([[platform.info.backend_pid, "supabase_admin", "platform", True]]) in told
        assert ours.execute("SELECT 1").fetchone() == (1,)
        assert platform.execute("SELECT 1").fetchone() == (1,)
        for ended in (app, disguised):
            with pytest.raises(psycopg.OperationalError):
                ended.execute("SELECT 1")


def test_nothing_ends_when_nothing_froze(source: Company) -> None:
    """A role that may not freeze gets an error, and every session lives."""
    before = world_of(source)
    with psycopg.connect(source.dsn, application_name="app", autocommit=True) as app:
        psql = Path(find_binaries().directory) / "psql"
        command = [str(psql), "-X", "-d", source.storage_dsn]
        done = subprocess.run(command, input=freeze_sql(), capture_output=True, text=True, check=False)
        assert "The first part failed, so no session was ended." in done.stderr
        assert app.execute("SELECT 1").fetchone() == (1,)
    assert world_of(source) == before


async def test_a_lost_comment_is_known_as_lost(
    source: Company, database: Database, freeze: Callable[[], object], tmp_path: Path
) -> None:
    """Frozen anew after the schema was dropped, the comment says so, and the thaw goes by freeze-prior.json."""
    hook = f"ALTER ROLE authenticator IN DATABASE {source.dbname} SET pgrst.db_pre_request = 'public.check_request'"
    source.server.sql(hook)
    before = world_of(source)
    prior_file = tmp_path / "freeze-prior.json"
    prior_file.write_text('{"hook": "public.check_request", "default": null, "known": true}\n')
    freeze()
    source.server.sql("BEGIN READ WRITE; DROP SCHEMA cutover_freeze CASCADE; COMMIT", source.dbname)
    freeze()
    async with database.session("test") as session:
        assert await prior_state(session) == UNKNOWN
        assert (await read_layers(session)).in_place
    findings = await thaw(database, prior_file)
    assert [(finding.check, finding.verdict) for finding in findings] == [
        ("thaw-restored", "pass"),
        ("thaw-schema", "warn"),
        ("thaw-writes", "pass"),
    ]
    _drop(source)
    assert world_of(source) == before


def test_the_posted_thaw_carries_what_was_before(source: Company, freeze: Callable[[], object]) -> None:
    """With the schema dropped, the SQL made while it was known restores all the same."""
    hook = f"""ALTER ROLE authenticator IN DATABASE {source.dbname} SET pgrst.db_pre_request = 'public.it''s'"""
    source.server.sql(hook)
    before = world_of(source)
    posted = thaw_sql(Prior(hook="public.it's", default=None))
    freeze()
    source.server.sql("BEGIN READ WRITE; DROP SCHEMA cutover_freeze CASCADE; COMMIT", source.dbname)
    _paste(source, _hasty(posted))
    assert world_of(source) == before


def test_the_posted_thaw_is_short_and_whole(source: Company, freeze: Callable[[], object]) -> None:
    """Pasted from Slack, where it takes two messages at most, it works as the file does; the longest names fit too."""
    hook = f"{'s' * 63}.{'h' * 63}"
    source.server.sql(f"ALTER ROLE authenticator IN DATABASE {source.dbname} SET pgrst.db_pre_request = '{hook}'")
    before = world_of(source)
    posted = thaw_sql_to_post(Prior(hook=hook, default="off"))
    shown = posted.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert len(shown) <= 2 * 3_000
    assert "```" not in posted
    freeze()
    assert _refuses(source)
    assert "ERROR" not in _psql(source, thaw_sql_to_post(Prior(hook=hook, default=None)))
    assert not _refuses(source)
    _drop(source)
    assert world_of(source) == before
    freeze()
    source.server.sql("BEGIN READ WRITE; DROP SCHEMA cutover_freeze CASCADE; COMMIT", source.dbname)
    assert "ERROR" not in _psql(source, thaw_sql_to_post(Prior(hook=hook, default=None)))
    assert world_of(source) == before
    assert "nothing to thaw" in _psql(source, thaw_sql_to_post(Prior(hook=hook, default=None)))


def test_of_a_freeze_whose_hook_is_gone_the_default_is_taken_back(source: Company) -> None:
    """Somebody has undone half of it by hand and dropped the schema: what was known before says the rest."""
    before = world_of(source)
    source.server.sql(f"ALTER DATABASE {source.dbname} SET default_transaction_read_only = on")
    _paste(source, _hasty(thaw_sql()))
    assert _refuses(source)
    _paste(source, _hasty(thaw_sql(Prior(hook=None, default=None))))
    assert world_of(source) == before


def test_a_freeze_that_was_half_undone_by_hand_still_knows_what_was_before(source: Company) -> None:
    """Frozen anew over the rest of the first freeze, it takes what that one had set for nothing of its own."""
    hook = f"ALTER ROLE authenticator IN DATABASE {source.dbname}"
    source.server.sql(f"{hook} SET pgrst.db_pre_request = 'public.mine'")
    before = world_of(source)
    _paste(source, _hasty(freeze_sql()))
    source.server.sql(f"BEGIN READ WRITE; {hook} RESET pgrst.db_pre_request; COMMIT", source.dbname)
    _paste(source, _hasty(freeze_sql()))
    _paste(source, _hasty(thaw_sql()))
    _drop(source)
    assert world_of(source) == before


def test_a_hook_that_was_set_after_a_half_undone_freeze_is_kept(source: Company) -> None:
    """It goes on being called under the next freeze, and comes back after it."""
    _hook(source, "public.check_request")
    before = world_of(source)
    _paste(source, _hasty(freeze_sql()))
    hook = f"ALTER ROLE authenticator IN DATABASE {source.dbname} SET pgrst.db_pre_request = 'public.check_request'"
    source.server.sql(hook)
    _paste(source, _hasty(freeze_sql()))
    with psycopg.connect(source.authenticator_dsn, autocommit=True) as session:
        assert _asked(session, "READ ONLY") == "ran"
    _paste(source, _hasty(thaw_sql()))
    _drop(source)
    source.server.sql(hook.replace(" SET pgrst.db_pre_request = 'public.check_request'", " RESET pgrst.db_pre_request"))
    assert world_of(source) == before


async def test_a_freeze_of_an_earlier_version_is_seen_and_taken_back(source: Company, database: Database) -> None:
    """Its comment says nothing of authenticator's default, which it left alone; its hook lets all pass once thawed."""
    own = f"ALTER ROLE authenticator IN DATABASE {source.dbname} SET"
    source.server.sql(f"{own} default_transaction_read_only = on")
    _hook(source, "public.check_request")
    before = world_of(source)
    with psycopg.connect(source.dsn, autocommit=True) as session:
        session.execute(
            "BEGIN; CREATE SCHEMA cutover_freeze; GRANT USAGE ON SCHEMA cutover_freeze TO PUBLIC; "
            "CREATE FUNCTION cutover_freeze.gate() RETURNS void LANGUAGE plpgsql AS '\nBEGIN\n"
            "  IF NOT current_setting(''transaction_read_only'')::boolean THEN\n"
            "    RAISE ''frozen for migration'' USING ERRCODE = ''25006'';\n  END IF;\n"
            "  PERFORM public.check_request();\nEND '; "
            """COMMENT ON SCHEMA cutover_freeze IS '{"hook" : null, "default" : "off", "known" : true, "at" : """
            """"2026-04-01T00:00:00Z"}'; """
            f"{own} pgrst.db_pre_request = 'cutover_freeze.gate'; "
            f"ALTER DATABASE {source.dbname} SET default_transaction_read_only = on; COMMIT".encode()
        )
    async with database.session("test") as watching:
        layers = await read_layers(watching)
    assert layers.in_place
    assert layers.noted == Prior(hook=None, default="off", tells_all=False)
    _paste(source, _hasty(thaw_sql()))
    with psycopg.connect(source.authenticator_dsn, autocommit=True) as session:
        assert _asked(session, "READ WRITE") == "ran"
    _drop(source)
    source.server.sql(f"ALTER DATABASE {source.dbname} RESET default_transaction_read_only")
    assert world_of(source) == before

"""Nights on a source where code of an application's role runs in our sessions whenever its tables are read."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bot.rehearsal.night import Night
from tests import clusters
from tests.night.playing import (
    as_platform,
    assert_handed_over,
    exported,
    fast_night,
    pass_gate,
    play,
    play_on,
    shows,
    told,
)

_TABLES = """
CREATE ROLE app_role;
CREATE SCHEMA app; GRANT USAGE, CREATE ON SCHEMA app TO app_role; GRANT USAGE ON SCHEMA app TO postgres;
SET ROLE app_role;
CREATE TABLE app.a (id int, share float8, at timestamptz); INSERT INTO app.a VALUES (1, 1.0 / 3, '2026-01-01 12:00+00');
CREATE TABLE app.b (id int); INSERT INTO app.b VALUES (1), (2);
GRANT SELECT ON app.a, app.b TO postgres;
"""
_CODE = """
CREATE FUNCTION app.inner_step() RETURNS int LANGUAGE plpgsql VOLATILE AS $f$
BEGIN
  IF current_user = 'postgres' THEN
    PERFORM set_config('default_transaction_read_only', 'off', false);   -- the next autocommit read is READ WRITE
    PERFORM set_config('extra_float_digits', '-12', false);              -- floats of every later table lose digits
    PERFORM set_config('TimeZone', 'Asia/Tokyo', false);
    PERFORM pg_notify('stolen', 'what was read');
    IF NOT current_setting('transaction_read_only')::boolean THEN EXECUTE 'GRANT service_role TO app_role'; END IF;
  END IF;
  RETURN 0;
END $f$;
CREATE FUNCTION app.step(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $f$ BEGIN RETURN app.inner_step(); END $f$;
"""
_INDEXES = "CREATE INDEX ON app.a ((id + app.step(1))); CREATE INDEX ON app.b ((id + app.step(2)));"


@contextlib.asynccontextmanager
async def hostile(directory: Path) -> AsyncIterator[Night]:
    async with fast_night(directory, **clusters.SMALL_NIGHT) as night:
        with as_platform(night) as session:
            session.execute(_TABLES)
            session.execute(_CODE)
            session.execute(_INDEXES)
        yield night


def rights(night: Night) -> list[Any]:
    with as_platform(night) as session:
        return session.execute(
            "SELECT roleid::regrole::text, member::regrole::text FROM pg_auth_members ORDER BY 1, 2"
        ).fetchall()


@contextlib.contextmanager
def nothing_sent(night: Night) -> Any:
    """To a session of somebody else that listens, until the block ends."""
    with as_platform(night) as session:
        session.execute("LISTEN stolen")
        yield
        session.execute("SELECT 1")
        assert list(session.notifies(timeout=0.2)) == []


async def waive(night: Night) -> None:
    """Both approvers let the freeze gate pass in spite of what it found."""
    await shows(night, "freeze", "waiting")
    await told(night, "ada", "frozen")
    await shows(night, "freeze", "refused")
    await night.slack.wait_for(lambda m: "app.step(integer) of app_role" in m.text, 180)
    for who in ("ada", "grace"):
        status, answer = await told(night, who, "@cutover accept foreign-code: it is the application's own")
        assert status == "done", answer


async def test_foreign_code_stops_the_freeze_gate_until_it_is_accepted_and_gains_nothing(tmp_path: Path) -> None:
    """Named with its owner, waived by two; the export's values are right, no right is gained and nothing is sent."""
    async with hostile(tmp_path / "night") as night:
        before = rights(night)
        await night.start_bot()
        await shows(night, "freeze", "waiting")
        await night.freeze()
        with nothing_sent(night):
            await waive(night)
            await pass_gate(night, "freeze")
            await shows(night, "export", "waiting")
            assert (night.directory / "app_a.json").read_text() == (
                '[\n{"id":1,"share":0.3333333333333333,"at":"2026-01-01T12:00:00+00:00"}\n]\n'
            )
        assert rights(night) == before


@pytest.mark.all
async def test_no_byte_differs_from_the_same_night_without_foreign_code(tmp_path: Path) -> None:
    """A whole night with it, and one with the same tables without: the same files, the same rights, nothing sent."""
    async with fast_night(tmp_path / "plain", **clusters.SMALL_NIGHT) as plain:
        with as_platform(plain) as session:
            session.execute(_TABLES)
        await plain.start_bot()
        await assert_handed_over(plain, await play(plain), users=plain.users)
    async with hostile(tmp_path / "hostile") as night:
        before = rights(night)
        await night.start_bot()
        await shows(night, "freeze", "waiting")
        await night.freeze()
        with nothing_sent(night):
            await waive(night)
            await assert_handed_over(night, await play_on(night), users=night.users)
        assert rights(night) == before
        with psycopg.connect(night.company.admin_dsn) as session:
            assert session.execute("SELECT pg_has_role('app_role', 'service_role', 'MEMBER')").fetchone() == (False,)
    assert exported(tmp_path / "hostile") == exported(tmp_path / "plain")
    for name in exported(tmp_path / "plain"):
        assert (tmp_path / "hostile" / name).read_bytes() == (tmp_path / "plain" / name).read_bytes()

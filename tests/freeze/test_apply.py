"""The freeze as the bot does it on a button."""

import asyncio
from typing import Any

import psycopg
import pytest

from bot.errors import CutoverError, ServiceRefused
from bot.plan.findings import Finding, Verdict, blocks
from bot.rehearsal.company import Company
from bot.supabase.database import Database
from bot.supabase.freeze.apply import apply
from bot.supabase.freeze.kit import freeze_sql
from bot.supabase.freeze.layers import read_layers
from bot.supabase.freeze.thaw import thaw
from bot.supabase.gateway import Gateway
from tests.freeze.catalogs import world_of

APPLIED = "New sessions are read-only, and the public API has a hook that refuses writes."


def _told(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(finding.check, finding.verdict, finding.evidence) for finding in findings]


def _sessions(source: Company) -> list[tuple[Any, ...]]:
    return source.server.sql(
        "SELECT application_name FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'",
        parameters=[source.dbname],
    )


async def test_applied_it_is_in_place_and_leaves_no_old_session(
    source: Company, database: Database, gateway: Gateway
) -> None:
    """An app's session is ended, and the one that froze, which could still write; SQL and the API both refuse."""
    with psycopg.connect(source.dsn, application_name="app", autocommit=True) as app:
        findings = await apply(database)
        with pytest.raises(psycopg.OperationalError):
            app.execute("SELECT 1")
    assert _told(findings) == [
        ("freeze-applied", "pass", APPLIED),
        ("freeze-sessions", "pass", "Every session from before the freeze was ended, Cutover's own too."),
    ]
    assert {name for (name,) in _sessions(source)} <= {"postgrest listen"}, "the gateway's listener comes back, anew"
    async with database.session("test") as session:
        assert (await read_layers(session)).in_place
    with psycopg.connect(source.dsn) as fresh, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        fresh.execute("UPDATE public.settings SET value = value")
    assert await gateway.try_write("anon", "public", "profiles", "id") == "25006"


async def test_applied_twice_it_notes_once_and_comes_back_whole(source: Company, database: Database) -> None:
    """The second time it begins frozen; what was there before is what was there before the first."""
    hook = f"ALTER ROLE authenticator IN DATABASE {source.dbname} SET pgrst.db_pre_request = 'public.mine'"
    source.server.sql(hook)
    await apply(database)
    again = await apply(database)
    assert [finding.verdict for finding in again] == ["pass", "pass"]
    async with database.session("test") as session:
        noted = (await read_layers(session)).noted
    assert noted is not None
    assert (noted.hook, noted.default, noted.known) == ("public.mine", None, True)
    assert not blocks(await thaw(database))


async def test_a_session_that_cannot_be_ended_is_named(source: Company, database: Database) -> None:
    """A superuser's session is the platform's: named, not ended, and it saves no other."""
    with (
        psycopg.connect(source.admin_dsn, application_name="platform", autocommit=True) as platform,
        psycopg.connect(source.authenticator_dsn, application_name="app", autocommit=True) as app,
    ):
        applied, ended = await apply(database)
        assert applied.verdict is Verdict.PASS
        assert (ended.verdict, ended.evidence) == (
            "warn",
            "All sessions from before the freeze were ended except the platform's own: "
            f"pid {platform.info.backend_pid} (supabase_admin, platform).",
        )
        with pytest.raises(psycopg.OperationalError):
            app.execute("SELECT 1")


async def test_beside_a_person_who_freezes_at_the_same_moment(source: Company, database: Database) -> None:
    """Neither stumbles over the other for good: both read that it is in place, and what was noted is what was there."""

    def by_hand() -> None:
        with psycopg.connect(source.dsn, autocommit=True, application_name="cutover/-/person") as session:
            session.execute(freeze_sql().encode())

    async def until_it_goes() -> None:
        try:
            await asyncio.to_thread(by_hand)
        except psycopg.Error:  # what a person does on an error: the same once more
            await asyncio.to_thread(by_hand)

    findings, _ = await asyncio.gather(apply(database), until_it_goes())
    assert [finding.verdict for finding in findings] == ["pass", "pass"]
    async with database.session("test") as session:
        layers = await read_layers(session)
    assert layers.in_place
    assert layers.noted is not None
    assert (layers.noted.hook, layers.noted.default) == (None, None)


async def test_a_role_that_may_not_freeze_changes_nothing(source: Company) -> None:
    """The refusal says so, and no session is ended."""
    with psycopg.connect(source.dsn, application_name="app", autocommit=True) as app:
        with pytest.raises(ServiceRefused) as refused:
            await apply(Database(source.storage_dsn))
        assert app.execute("SELECT 1").fetchone() == (1,)
    assert str(refused.value) == (
        "the freeze could not be applied: the database refused it (42501); nothing was frozen and no session was "
        "ended; connect as the role postgres of the project, or grant what `cutover doctor` names."
    )


STRANGERS = {
    "with a comment": "CREATE SCHEMA cutover_freeze; COMMENT ON SCHEMA cutover_freeze IS 'ours since 2019'",
    "with a function": "CREATE SCHEMA cutover_freeze; "
    "CREATE FUNCTION cutover_freeze.gate() RETURNS void LANGUAGE sql AS 'SELECT'",
    "empty": "CREATE SCHEMA cutover_freeze",
}


@pytest.mark.parametrize("stranger", list(STRANGERS))
async def test_a_schema_of_that_name_that_is_not_ours_is_left_alone(
    source: Company, database: Database, stranger: str
) -> None:
    """The bot, the pasted kit and the thaw all leave it as it is."""
    source.server.sql(STRANGERS[stranger], source.dbname)
    before = world_of(source)
    with pytest.raises(CutoverError) as refused:
        await apply(database)
    assert str(refused.value) == (
        "there is a schema cutover_freeze that Cutover did not create; nothing was frozen and no session was ended; "
        "rename it, then freeze again."
    )
    with psycopg.connect(source.dsn, autocommit=True) as session:
        with pytest.raises(psycopg.errors.DuplicateSchema, match="that Cutover did not create"):
            session.execute(freeze_sql().encode())
        session.execute("ROLLBACK")
    findings = await thaw(database)
    assert findings[0].evidence == "Nothing to thaw: Cutover did not freeze this database."
    assert world_of(source) == before

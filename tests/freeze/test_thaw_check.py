"""`cutover thaw --check`: what a thaw would do, and that looking does nothing."""

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from bot.plan.findings import Finding
from bot.rehearsal.company import Company
from bot.supabase.database import Database
from bot.supabase.freeze.layers import read_layers
from bot.supabase.freeze.thaw_check import check_thaw, freeze_room
from tests.freeze.catalogs import world_of

FROZEN = (
    "Now default_transaction_read_only is on for the database and the pre-request hook is cutover_freeze.gate for "
    "authenticator in it."
)
OPEN = (
    "Now default_transaction_read_only is not set for the database and no pre-request hook is set for authenticator "
    "in it."
)
MINE = "ALTER ROLE authenticator IN DATABASE {db} SET pgrst.db_pre_request = 'public.mine'"


def _told(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(finding.check, finding.verdict, finding.evidence) for finding in findings]


async def test_it_says_what_is_set_what_would_be_and_who_would_be_ended(
    source: Company, database: Database, freeze: Callable[[], object], tmp_path: Path
) -> None:
    """Nothing changes and nobody is ended by the looking."""
    source.server.sql(MINE.format(db=source.dbname))
    freeze()
    before = world_of(source)
    with (
        psycopg.connect(source.storage_dsn, application_name="app", autocommit=True) as app,
        psycopg.connect(source.authenticator_dsn, application_name="the gateway", autocommit=True),
        psycopg.connect(source.admin_dsn, application_name="platform", autocommit=True) as platform,
        psycopg.connect(source.dsn, application_name="cutover/x/watch", autocommit=True),
    ):
        findings = await check_thaw(database, tmp_path / "freeze-prior.json")
        assert app.execute("SELECT 1").fetchone() == (1,)
        pids = app.info.backend_pid, platform.info.backend_pid
    assert _told(findings) == [
        (
            "thaw-settings",
            "pass",
            f"{FROZEN} A thaw would restore what the comment on the schema says: default_transaction_read_only is not "
            "set for the database and the pre-request hook is public.mine for authenticator in it.",
        ),
        (
            "thaw-sessions",
            "warn",
            f"1 session would be ended: pid {pids[0]} (supabase_storage_admin, app). "
            f"1 session cannot be ended from here: pid {pids[1]} (supabase_admin, platform).",
        ),
        ("thaw-possible", "pass", "The settings can be restored: tried, then rolled back."),
    ]
    assert world_of(source) == before


async def _room(database: Database) -> tuple[str, str]:
    async with database.session("test") as session:
        finding = freeze_room(await read_layers(session))
    assert (finding.check, bool(finding.fix)) == ("freeze-room", finding.verdict != "pass")
    return finding.verdict, finding.evidence


async def test_days_before_it_is_seen_what_a_freeze_would_meet(
    source: Company, database: Database, freeze: Callable[[], object]
) -> None:
    """A free place, a read-only database, an earlier freeze, and a schema of that name that is somebody else's."""
    nothing = "default_transaction_read_only is not set for the database and no pre-request hook is set for "
    assert await _room(database) == (
        "pass",
        f"No part of a freeze is there. A thaw would restore: {nothing}authenticator in it.",
    )
    source.server.sql(f"ALTER DATABASE {source.dbname} SET default_transaction_read_only = on", "template1")
    verdict, evidence = await _room(database)
    assert (verdict, evidence.split(":")[0]) == ("warn", "The database is read-only without a freeze")
    freeze()
    assert await _room(database) == (
        "warn",
        f"An earlier freeze, or a part of it, is still there. {FROZEN}",
    )
    source.server.sql(
        "BEGIN READ WRITE; DROP SCHEMA cutover_freeze CASCADE; CREATE SCHEMA cutover_freeze; COMMIT", source.dbname
    )
    assert await _room(database) == (
        "fail",
        "There is a schema cutover_freeze that Cutover did not create, so a freeze would be refused.",
    )


async def test_nothing_to_thaw_is_a_pass(database: Database, tmp_path: Path) -> None:
    """And it says what is set."""
    assert _told(await check_thaw(database, tmp_path / "none.json")) == [
        ("thaw-settings", "pass", f"Nothing to thaw: Cutover did not freeze this database. {OPEN}")
    ]


async def test_a_read_only_prior_fails(
    source: Company, database: Database, freeze: Callable[[], object], tmp_path: Path
) -> None:
    """Since the thaw would end with 3 as well."""
    source.server.sql(f"ALTER DATABASE {source.dbname} SET default_transaction_read_only = TRUE")
    freeze()
    settings, *_ = await check_thaw(database, tmp_path / "none.json")
    assert (settings.verdict, settings.evidence) == (
        "fail",
        f"{FROZEN} A thaw would restore what the comment on the schema says: default_transaction_read_only is true for "
        "the database and no pre-request hook is set for authenticator in it. It was read-only before the freeze too, "
        "so a thaw alone does not let users write.",
    )


@pytest.mark.parametrize("kept", [True, False])
async def test_whether_the_prior_state_is_known(
    source: Company, database: Database, freeze: Callable[[], object], tmp_path: Path, kept: bool
) -> None:
    """With the schema lost, by the file or not at all."""
    freeze()
    source.server.sql("BEGIN READ WRITE; DROP SCHEMA cutover_freeze CASCADE; COMMIT", source.dbname)
    file = tmp_path / "freeze-prior.json"
    if kept:
        file.write_text('{"hook": null, "default": "off", "known": true}')
    settings, *_ = await check_thaw(database, file)
    assert (settings.verdict, settings.evidence) == (
        (
            "pass",
            f"{FROZEN} A thaw would restore what freeze-prior.json, since the comment is lost, says: "
            "default_transaction_read_only is off for the database and no pre-request hook is set for authenticator "
            "in it.",
        )
        if kept
        else (
            "warn",
            f"{FROZEN} The settings from before the freeze are not known here: the comment on the schema is lost, and "
            "there is no freeze-prior.json. A thaw would remove both settings.",
        )
    )


async def test_what_would_stop_a_thaw_fails_beforehand(
    source: Company, database: Database, freeze: Callable[[], object], tmp_path: Path
) -> None:
    """Rights that are missing, and a lock that somebody holds on what has to be set."""
    freeze()
    *_, possible = await check_thaw(Database(source.storage_dsn), tmp_path / "none.json")
    assert (possible.verdict, possible.evidence) == (
        "fail",
        "A thaw would fail now: the settings could not be set: the database refused it (42501).",
    )
    with psycopg.connect(source.admin_dsn) as holder:
        holder.execute("SET TRANSACTION READ WRITE")
        holder.execute("LOCK TABLE pg_db_role_setting IN SHARE MODE")
        *_, possible = await check_thaw(database, tmp_path / "none.json")
    assert (possible.verdict, possible.evidence) == (
        "fail",
        "A thaw would fail now: the settings could not be set: another session holds a lock that it needs (55P03).",
    )

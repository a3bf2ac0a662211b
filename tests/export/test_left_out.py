"""Tables that stay behind are named with the number of their rows."""

import json
from functools import partial
from typing import Any

import psycopg
import pytest

from bot.artifacts.metadata import LeftOut
from bot.plan.results import LeftRows
from bot.slack.render.escape import mrkdwn
from bot.slack.render.summaries import left_out
from bot.stackauth.users.forecast import forecast_bundle, forecast_live_users
from bot.supabase.database import Database
from bot.supabase.export.left_out import holding_rows, with_rows
from bot.supabase.preflight.live_users import auth_rows
from tests.export.conftest import AT

PLATFORM = "it is the platform's own"


def _left(*names: str, kind: str = "table") -> list[LeftOut]:
    return [LeftOut(name=name, kind=kind, reason=PLATFORM) for name in names]


async def test_every_table_of_the_platform_is_reported_with_its_rows(taken: Any) -> None:
    """Each in metadata.json, and those that hold rows at the export gate, what customers keep there first."""
    taken.database.server.sql(
        "INSERT INTO vault.secrets (name, secret) VALUES ('stripe', 'x'), ('mail', 'y');"
        "INSERT INTO auth.sso_providers (id) VALUES (gen_random_uuid());"
        "CREATE SCHEMA pgmq; CREATE TABLE pgmq.q_mails (msg_id int);"
        "INSERT INTO pgmq.q_mails SELECT generate_series(1, 7);"
        "GRANT USAGE ON SCHEMA pgmq TO postgres; GRANT SELECT ON pgmq.q_mails TO postgres",
        taken.database.dbname,
    )

    result = await taken.take()

    tables = {entry.name: entry for entry in taken.metadata.left_out if entry.kind == "table"}
    actual = {
        name: taken.database.server.sql(f"SELECT count(*) FROM {name}", taken.database.dbname)[0][0] for name in tables
    }
    assert {name: entry.row_count for name, entry in tables.items()} == actual
    assert {entry.counted for entry in tables.values()} == {"exact"}
    assert {entry.row_count for entry in taken.metadata.left_out if entry.kind != "table"} == {None}
    assert [(one.name, one.rows) for one in result.left_rows[:3]] == [
        ("pgmq.q_mails", 7),
        ("vault.secrets", actual["vault.secrets"]),
        ("auth.sso_providers", actual["auth.sso_providers"]),
    ]
    assert result.left_with_rows == sum(rows > 0 for rows in actual.values())
    assert mrkdwn(left_out(result)[1]).startswith(
        "*Left out with rows in them:* `pgmq.q_mails` 7 rows, `vault.secrets` 3 rows, `auth.sso_providers` 2 rows, "
    )


async def test_what_cannot_be_counted_is_estimated_or_said_and_never_waited_for(taken: Any) -> None:
    """A locked table, one that our role may not read, one that was never analyzed."""
    taken.database.server.sql("ANALYZE auth.sessions; CREATE TABLE auth.new_one ()", taken.database.dbname)
    [(sessions,)] = taken.database.server.sql("SELECT count(*) FROM auth.sessions", taken.database.dbname)
    names = ("auth.sessions", "auth.new_one", "storage.buckets")
    with psycopg.connect(taken.database.admin_dsn) as holder:
        holder.execute("LOCK TABLE auth.sessions IN ACCESS EXCLUSIVE MODE")
        locked = await with_rows(Database(taken.database.dsn), _left("auth.sessions"))
    blind = await with_rows(Database(taken.database.storage_dsn), _left(*names))

    assert [(entry.row_count, entry.counted) for entry in locked] == [(sessions, "estimate")]
    assert [(entry.row_count, entry.counted) for entry in blind] == [
        (sessions, "estimate"),
        (None, "unknown"),
        (2, "exact"),
    ]
    assert await with_rows(Database(taken.database.dsn), _left("public.a_view", kind="view")) == tuple(
        _left("public.a_view", kind="view")
    )


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (LeftRows(name="a.b", rows=1, exact=True), "1 row"),
        (LeftRows(name="a.b", rows=12_000, exact=False), "about 12,000 rows"),
        (LeftRows(name="a.b", rows=None, exact=False), "rows not known"),
    ],
)
def test_a_number_says_how_sure_it_is(table: LeftRows, told: str) -> None:
    """Counted, estimated, or not known."""
    assert table.told == told


def test_only_tables_that_may_hold_rows_are_reported() -> None:
    """An empty one is in metadata.json and not on the screen."""
    empty = LeftOut(name="auth.instances", kind="table", reason=PLATFORM, row_count=0, counted="exact")
    unknown = LeftOut(name="auth.hidden", kind="table", reason=PLATFORM, counted="unknown")
    assert [one.name for one in holding_rows([empty, unknown, *_left("public.v", kind="view")])] == ["auth.hidden"]


async def test_second_factors_that_are_left_out_leave_a_reason_for_everybody_concerned(taken: Any) -> None:
    """Whose they are is exported, and no secret and no number; each person with an app is listed for attention, by the
    doctor before the night too.
    """
    [[concerned], secrets] = [
        taken.database.server.sql(statement, taken.database.dbname)
        for statement in (
            "SELECT count(DISTINCT user_id) FROM auth.mfa_factors WHERE factor_type = 'totp' AND status = 'verified'",
            "SELECT secret FROM auth.mfa_factors WHERE secret IS NOT NULL",
        )
    ]
    [concerned] = concerned
    assert concerned > 1

    await taken.take(exclude_tables=["auth.mfa_factors"])

    left = {entry.name: entry.reason for entry in taken.metadata.left_out if entry.name.startswith("auth.mfa_factors")}
    assert "auth.mfa_factors.secret" in left
    assert set(left.values()) == {"export.exclude_tables names its table; only the owner of each row is exported"}
    rows = json.loads((taken.directory / taken.metadata.tables["auth_mfa_factors"].file).read_bytes())
    assert {key for row in rows for key in row} == {"id", "user_id", "factor_type", "status"}
    exported = b"".join(taken.files().values())
    assert not [secret for (secret,) in secrets if secret.encode() in exported]
    forecast = await forecast_bundle(taken.directory, taken.metadata.run_id, taken.said.append)
    assert forecast.attention["totp-not-carried"] == concerned
    living = partial(auth_rows, Database(taken.database.dsn), exclude_tables=["auth.mfa_factors"])
    directory = taken.directory / "doctor"
    directory.mkdir()
    assert (await forecast_live_users(living, directory, AT)).attention == forecast.attention

"""Rows counted again by a method that shares nothing with the export."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from bot.obstacles import DATABASE_SETTINGS
from bot.plan.findings import Finding, Verdict
from bot.plan.run import Run
from bot.ports import Progress
from bot.rehearsal.company import Company
from bot.rehearsal.standins.gateway import GatewayStandin
from bot.supabase.database import Database
from bot.supabase.gateway import Gateway, Uncounted
from bot.supabase.proof.counts import CountsExaminer
from tests.export.conftest import Taken

EXPOSED = ("public",)
_BY_SQL = "so SQL counted everything"


@pytest.fixture
def taken(database: Company, exported: Taken) -> Taken:
    """What was exported of a company with the same rows as the test's own."""
    return Taken(database, exported.directory)


@pytest.fixture
async def gateway(taken: Taken) -> AsyncIterator[Gateway]:
    """The real client at a stand-in that exposes `public` only."""
    standin = GatewayStandin(
        taken.database.authenticator_dsn,
        "a secret of the test that is long enough",
        "refofproject",
        exposed_schemas=EXPOSED,
        auth_dsn=taken.database.auth_dsn,
        storage_dsn=taken.database.storage_dsn,
    )
    async with standin, Gateway(standin.url, standin.service_role_key) as gateway:
        yield gateway


async def examine(taken: Taken, gateway: Gateway, run: Run) -> dict[str, Finding]:
    said: list[Progress] = []
    examiner = CountsExaminer(Database(taken.database.dsn), gateway, taken.directory)
    findings = {finding.check: finding async for finding in examiner(run, said.append)}
    assert said[-1].done == said[-1].total == len(taken.metadata.tables)
    return findings


async def test_equal_counts_pass_in_one_finding_for_each_way(taken: Taken, gateway: Gateway, run: Run) -> None:
    """Exposed tables through the API, the rest by SQL; a table that others inherit from counts with them."""
    found = await examine(taken, gateway, run)

    tables = taken.metadata.tables.values()
    by_api = [t.row_count for t in tables if t.schema_name == "public"]
    by_sql = [t.row_count for t in tables if t.schema_name != "public"]
    assert {name: f.verdict for name, f in found.items()} == {
        "counts-by-api": Verdict.PASS,
        "counts-by-sql": Verdict.PASS,
    }
    assert found["counts-by-api"].evidence == (
        f"{len(by_api)} tables, {sum(by_api):,} rows: the counts by the API match the export."
    )
    assert found["counts-by-sql"].evidence == (
        f"{len(by_sql)} tables, {sum(by_sql):,} rows: the counts by SQL match the export. The API cannot count these"
        " (schemas auth, billing, storage)."
    )


async def test_another_number_fails_and_names_the_table_with_both(taken: Taken, gateway: Gateway, run: Run) -> None:
    """A row added after the snapshot is found by either method."""
    before = {name: table.row_count for name, table in taken.metadata.tables.items()}
    taken.database.server.sql(
        "INSERT INTO public.todos (title) VALUES ('late'); DELETE FROM billing.payments", taken.database.dbname
    )

    found = await examine(taken, gateway, run)

    assert {name: f.verdict for name, f in found.items()} == {
        "counts-by-api": Verdict.FAIL,
        "counts-by-sql": Verdict.FAIL,
    }
    todos, payments = before["todos"], before["billing_payments"]
    assert found["counts-by-api"].evidence == (
        f"Row counts by the API differ from the export: public.todos has {todos + 1:,}, {todos:,} exported."
    )
    assert found["counts-by-sql"].evidence == (
        f"Row counts by SQL differ from the export: billing.payments has 0, {payments:,} exported."
    )
    assert found["counts-by-sql"].fix == (
        "Find what wrote to these tables or changed the files. Then say `abort` and export again in a new run."
    )


async def test_a_table_that_is_gone_fails(taken: Taken, gateway: Gateway, run: Run) -> None:
    """It is named, and the others are counted all the same."""
    taken.database.server.sql("DROP TABLE public.settings", taken.database.dbname)
    examiner = CountsExaminer(Database(taken.database.dsn), gateway, taken.directory)

    found = {finding.check: finding async for finding in examiner(run, lambda progress: None)}

    assert found["counts-by-api"].verdict is Verdict.PASS
    assert found["counts-by-sql"].evidence == (
        "Row counts by SQL differ from the export: public.settings is gone, 2 exported."
    )


async def test_where_the_api_gives_up_sql_counts_and_that_is_a_warning(
    taken: Taken, gateway: Gateway, run: Run
) -> None:
    """A large table must not stop the night, and people see which method was gone."""

    class GivesUpOnMessages(Gateway):
        async def count(self, schema: str, table: str) -> int | Uncounted:
            return Uncounted.TIMED_OUT if table == "messages" else await gateway.count(schema, table)

    found = await examine(taken, GivesUpOnMessages(gateway.url, "unused"), run)

    assert found["counts-by-api"].verdict is Verdict.PASS
    assert found["counts-by-sql"].verdict is Verdict.WARN
    assert found["counts-by-sql"].evidence.endswith("match the export. The API failed on public.messages.")
    assert found["counts-by-sql"].fix == "Nothing to do: the counts are equal."


async def test_a_table_that_the_api_may_not_read_is_counted_by_sql_and_its_grant_is_named(
    taken: Taken, beside: Callable[[], Taken], gateway: Gateway, run: Run
) -> None:
    """Supabase grants new tables to nobody: neither a warning nor a word about a wrong key."""
    taken.database.server.sql(
        """CREATE TABLE public."_prisma_migrations" (id text); INSERT INTO public."_prisma_migrations" VALUES ('x');
        ALTER TABLE public."_prisma_migrations" OWNER TO postgres;
        REVOKE ALL ON public."_prisma_migrations" FROM service_role, anon, authenticated""",
        taken.database.dbname,
    )
    taken = beside()
    await taken.take()

    found = await examine(taken, gateway, run)

    assert {name: f.verdict for name, f in found.items()} == {
        "counts-by-api": Verdict.PASS,
        "counts-by-sql": Verdict.PASS,
    }
    assert found["counts-by-sql"].evidence.endswith(
        " The API's role may not read public._prisma_migrations: GRANT SELECT ON TABLE public._prisma_migrations TO "
        "service_role;"
    )
    assert "key" not in found["counts-by-sql"].evidence


async def test_a_table_on_which_the_api_fails_though_it_may_read_it_is_a_warning(
    taken: Taken, gateway: Gateway, run: Run
) -> None:
    """A right that is there is not what is in the way."""

    class RefusesMessages(Gateway):
        async def count(self, schema: str, table: str) -> int | Uncounted:
            return Uncounted.NOT_GRANTED if table == "messages" else await gateway.count(schema, table)

    found = await examine(taken, RefusesMessages(gateway.url, "unused"), run)

    assert found["counts-by-sql"].verdict is Verdict.WARN
    assert found["counts-by-sql"].evidence.endswith("match the export. The API failed on public.messages.")


@pytest.mark.parametrize(("at_opening", "verdict"), [(True, "fail"), (None, "fail"), (False, "warn")])
async def test_an_api_that_does_not_take_the_key_may_be_let_pass_since_sql_counts_everything(
    taken: Taken, gateway: Gateway, run: Run, at_opening: bool | None, verdict: str
) -> None:
    """Where it counted when the run was opened, or nobody knows; else it is a warning. The key is named."""
    opened = run.opened.model_copy(update={"api_counts": at_opening})

    async with Gateway(gateway.url, "not-the-key") as wrong:
        found = await examine(taken, wrong, replace(run, opened=opened))

    by_api, by_sql = found["counts-by-api"], found["counts-by-sql"]
    assert (by_api.verdict, by_api.waivable) == (verdict, verdict == "fail")
    assert "the Supabase API refused the key in SUPABASE_SERVICE_ROLE_KEY (401)" in by_api.evidence
    assert by_sql.verdict is Verdict.WARN
    assert by_sql.evidence == (
        f"{len(taken.metadata.tables)} tables, {taken.metadata.totals.rows:,} rows: the counts by SQL match "
        "the export. The API did not answer."
    )


@pytest.mark.parametrize(("at_opening", "verdict"), [(True, "fail"), (False, "warn")])
async def test_an_api_that_shows_nothing_any_more_is_another_than_at_the_opening(
    taken: Taken, run: Run, at_opening: bool, verdict: str
) -> None:
    """It may be let pass, since SQL has counted everything; one that never showed anything is a warning."""

    class ShowsNothing(Gateway):
        async def count(self, schema: str, table: str) -> int | Uncounted:
            return Uncounted.NOT_EXPOSED

    opened = run.opened.model_copy(update={"api_counts": at_opening})

    found = await examine(taken, ShowsNothing("http://127.0.0.1:9", "unused"), replace(run, opened=opened))

    by_api = found["counts-by-api"]
    assert (by_api.verdict, by_api.waivable) == (verdict, at_opening)
    assert by_api.evidence == (
        f"The API gives no counts, {'although it did when this run was opened' if at_opening else _BY_SQL}: it may "
        "read "
        "none of the exported tables that it exposes."
    )
    assert found["counts-by-sql"].verdict is Verdict.PASS


async def test_nothing_of_the_database_is_ever_let_pass(taken: Taken, gateway: Gateway, run: Run) -> None:
    """Where SQL cannot count, no other finding takes its place."""
    wrong = Database(taken.database.dsn.replace(taken.database.server.password, "no"))
    examiner = CountsExaminer(wrong, gateway, taken.directory)

    [finding] = [finding async for finding in examiner(run, lambda progress: None)]

    assert (finding.check, finding.verdict, finding.waivable) == ("counts-by-sql", Verdict.FAIL, False)
    assert finding.fix == f"{DATABASE_SETTINGS.next_step} Then say the word again."

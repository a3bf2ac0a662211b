"""Which project it is, and what `doctor` says of the source."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bot.errors import ServiceRefused, UsageError
from bot.plan.run import Run
from bot.project_ref import claim, host_ref
from bot.rehearsal.company import Company
from bot.rehearsal.standins.gateway import GatewayStandin
from bot.supabase.catalog import Selection
from bot.supabase.database import Database
from bot.supabase.gateway import Gateway, Uncounted
from bot.supabase.preflight.checks import Learned, preflight
from bot.supabase.preflight.needs import sessions_needed
from bot.supabase.preflight.opening import look_ahead
from bot.supabase.project import identify, refs_of
from bot.supabase.proof.examiner import Proof
from tests.freeze.looking import looked

REF = "abcdefghijklmnopqrst"


async def test_both_ways_lead_to_one_project(database: Database, gateway: Gateway, source: Company) -> None:
    """Where no ref can be read on both, the rows of three tables agree."""
    found = await identify(database, gateway)
    assert (found.ref, found.database) == (REF, source.dbname)
    findings = await looked(database, gateway)
    assert {finding.verdict for finding in findings.values()} == {"pass"}
    assert list(findings) == [
        "source-connection",
        "database-clock",
        "session-right",
        "freeze-right",
        "freeze-room",
        "select-rights",
        "foreign-code",
        "sessions-needed",
        "api-grants",
        "api-keys",
        "same-project",
    ]
    assert findings["freeze-right"].evidence == (
        "The role postgres may set the freeze's layers: tried, and rolled back."
    )


async def test_our_clock_is_compared_with_the_databases(database: Database) -> None:
    """Over five seconds is a warning: everything that the bot dates would be wrong."""

    async def verdict(seconds: float) -> str:
        source = preflight(database, Learned(), now=lambda: datetime.now(UTC) + timedelta(seconds=seconds))
        return str({finding.check: finding.verdict async for finding in source}["database-clock"])

    assert [await verdict(seconds) for seconds in (0, 60, -60)] == ["pass", "warn", "warn"]


async def test_two_projects_are_distinguished_by_their_rows(
    database: Database, gateway: Gateway, source: Company, template: Company
) -> None:
    """The settings of another project are refused before anything is done, naming table and numbers."""
    source.server.sql("DELETE FROM public.audit_trail; DELETE FROM public.messages", source.dbname)
    with pytest.raises(UsageError) as refusal:
        await identify(Database(template.dsn), gateway)
    assert refusal.value.happened.startswith("SQL and the public API do not lead to the same project: public.")
    findings = await looked(Database(template.dsn), gateway)
    assert findings["same-project"].verdict == "fail"
    assert findings["same-project"].evidence.startswith(
        "SQL and the public API do not lead to the same project: public."
    )


class _Restless:
    """A gateway that counts rows which have come since SQL counted and are gone when it counts again, so many times."""

    def __init__(self, gateway: Gateway, times: int) -> None:
        self._gateway, self._times = gateway, times
        self.counts = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gateway, name)

    async def count(self, schema: str, table: str) -> int | Uncounted:
        self.counts += 1
        count = await self._gateway.count(schema, table)
        assert isinstance(count, int)
        return count + (5 if self.counts <= self._times else 0)


async def test_rows_that_come_and_go_make_no_other_project(database: Database, gateway: Gateway) -> None:
    """Numbers that differ are counted again; only what never agrees is refused."""
    restless = _Restless(gateway, times=4)
    found = await identify(database, restless)  # type: ignore[arg-type]
    assert (found.ref, restless.counts) == (REF, 4 + 3)
    with pytest.raises(UsageError, match="do not lead to the same project: public"):
        await identify(database, _Restless(gateway, times=6))  # type: ignore[arg-type]


async def test_refs_that_agree_are_enough(
    monkeypatch: pytest.MonkeyPatch, database: Database, gateway: Gateway
) -> None:
    """Then no row is counted, whatever the tables do meanwhile."""

    async def counted(self: Gateway, schema: str, table: str) -> int:
        raise AssertionError(f"{schema}.{table} was counted")

    monkeypatch.setattr(Gateway, "count", counted)
    monkeypatch.setattr(Gateway, "refs", lambda _: {"SUPABASE_DB_URL": REF, "SUPABASE_URL": REF})
    findings = await looked(database, gateway)
    assert (findings["same-project"].verdict, findings["same-project"].evidence) == (
        "pass",
        "SQL and the public API name the same project.",
    )
    assert (await identify(database, gateway)).ref == REF


async def test_refs_that_differ_are_refused_without_asking(standin: GatewayStandin) -> None:
    """The sentence says which setting says what, and shows no key."""
    database = Database("postgresql://postgres:pw@db.zzzzzzzzzzzzzzzzzzzz.supabase.co:5432/postgres")
    with pytest.raises(UsageError) as refusal:
        await identify(database, Gateway("https://yyyy.supabase.co", standin.service_role_key))
    assert refusal.value.happened == (
        "the settings name different Supabase projects (SUPABASE_DB_URL says zzzzzzzzzzzzzzzzzzzz, "
        f"SUPABASE_URL says yyyy, SUPABASE_SERVICE_ROLE_KEY says {REF})"
    )


def test_refs_are_read_where_they_are(standin: GatewayStandin) -> None:
    """In the direct host, the pooler's user, the address and the key's claim; nowhere else."""
    gateway = Gateway("https://ref1.supabase.co", "sb_secret_x")
    pooled = Database("postgresql://postgres.ref1:pw@aws-0-eu-west-1.pooler.supabase.com:5432/postgres")
    assert refs_of(pooled, gateway) == {"SUPABASE_DB_URL": "ref1", "SUPABASE_URL": "ref1"}
    assert claim(standin.anon_key, "ref") == REF
    assert claim("a.!!.c", "ref") is None
    assert host_ref("https://api.example.com") is None


async def test_what_a_role_without_rights_lacks_is_reported(source: Company, gateway: Gateway) -> None:
    """Days before the night, each right by name."""
    findings = await looked(Database(source.storage_dsn), gateway)
    assert findings["freeze-right"].evidence == (
        "The role supabase_storage_admin could not freeze: it does not own the database, may not create a schema."
    )
    assert findings["session-right"].fix == (
        "GRANT pg_monitor, pg_signal_backend TO supabase_storage_admin, or connect as the project's role postgres"
    )
    assert findings["select-rights"].verdict == "fail"


async def test_a_wrong_key_is_one_sentence(standin: GatewayStandin) -> None:
    """It names the setting, not the key."""
    async with Gateway(standin.url, "not-the-key") as wrong:
        with pytest.raises(ServiceRefused) as refusal:
            await wrong.count("public", "orders")
    assert str(refusal.value) == (
        "the Supabase API refused the key in SUPABASE_SERVICE_ROLE_KEY (401); nothing was changed; copy the "
        "secret key (or legacy service_role key) of this project from Supabase's dashboard (Settings, API keys)."
    )


@pytest.mark.parametrize("setting", ["SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_ANON_KEY"])
async def test_a_new_key_that_is_refused_may_be_the_right_one(standin: GatewayStandin, setting: str) -> None:
    """After a rotation of the JWT keys the API refuses `sb_…` keys that are right, and the way out is named."""
    is_secret = setting == "SUPABASE_SERVICE_ROLE_KEY"
    secret = "sb_secret_x" if is_secret else standin.service_role_key
    async with Gateway(standin.url, secret, "sb_publishable_x") as refused:
        with pytest.raises(ServiceRefused) as refusal:
            await refused.try_keys()
    what = "secret key (or legacy service_role key)" if is_secret else "publishable key (or legacy anon key)"
    assert str(refusal.value) == (
        f"the Supabase API refused the key in {setting} (401); it does that to a right one too once the project's JWT "
        f"keys were rotated; nothing was changed; copy the {what} of this project from Supabase's dashboard (Settings, "
        "API keys); if it is the right one, make a new one there or use the legacy key "
        "(github.com/orgs/supabase/discussions/52680)."
    )


async def test_a_table_without_a_grant_is_named_days_before_and_never_a_wrong_key(
    database: Database, gateway: Gateway, source: Company, tmp_path: Path
) -> None:
    """With the grant; the projects are compared by other tables, and a run that is opened knows that the API counts."""
    source.server.sql("REVOKE ALL ON public.orders, public.messages FROM service_role", source.dbname)

    findings = await looked(database, gateway, tmp_path)

    assert {check: f.verdict for check, f in findings.items() if f.verdict != "pass"} == {"api-grants": "warn"}
    assert findings["api-grants"].evidence == (
        "The API's secret key may not read 2 tables: public.messages, public.orders. Supabase grants new tables to "
        "nobody. On the night SQL counts their rows instead."
    )
    assert findings["api-grants"].fix == (
        "Nothing, if the API is not meant to show them; else, before the freeze: GRANT SELECT ON TABLE public.messages "
        "TO service_role; GRANT SELECT ON TABLE public.orders TO service_role;"
    )
    assert await gateway.count("public", "orders") is Uncounted.NOT_GRANTED
    nothing = Selection(workers=1, include_schemas=(), exclude_tables=())
    assert await look_ahead(database, gateway, nothing, tmp_path) is True
    async with Gateway(gateway.url, "not-the-key") as wrong:
        assert await look_ahead(database, wrong, nothing, tmp_path) is False


@pytest.fixture
def frozen_run(freeze: Callable[[], datetime], run_since: Callable[..., Run]) -> Callable[[], Run]:
    """Freezes, and gives the run whose word is to be checked."""
    return lambda: run_since(freeze())


async def test_a_disk_without_room_is_reported_before_anybody_is_locked_out(
    database: Database,
    gateway: Gateway,
    frozen_run: Callable[[], Run],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By `doctor`, when a run is opened, and at the freeze gate; the directory need not be there yet."""
    directory = tmp_path / "to-be-made" / "data"
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1_000))
    told = "has 0 MB free, and what is still to be exported takes about"
    way_out = (
        "make room on it, or move the run to a larger disk: stop the bot (Ctrl-C), "
        f"`mkdir -p NEW && cp -a {directory}/. NEW/`, "
    )

    found = await looked(database, gateway, directory)
    assert found["disk-space"].verdict == "fail" and told in found["disk-space"].evidence
    assert found["disk-space"].fix.startswith(f"M{way_out[1:]}")

    with pytest.raises(UsageError) as refused:
        await look_ahead(database, gateway, Selection(workers=1, include_schemas=(), exclude_tables=()), directory)
    assert told in str(refused.value) and "; no run was opened, and nobody was locked out; " in str(refused.value)

    proof = Proof(database, gateway, directory=directory, quiet_seconds=0.1, late_counters=0.1)
    at_gate = [finding async for finding in proof.freeze_proof(frozen_run(), lambda progress: None)]
    assert [(f.check, f.waivable) for f in at_gate if f.verdict == "fail"] == [("disk-space", False)]
    assert not directory.exists()


@pytest.mark.parametrize(
    ("workers", "hold", "verdict", "usual"),
    [(4, False, "pass", 7), (4, True, "pass", 8), (8, True, "pass", 12), (9, False, "warn", 12)],
)
def test_more_workers_than_a_pool_lends_sessions_are_a_warning(
    workers: int, hold: bool, verdict: str, usual: int
) -> None:
    """A run opens seven, one more with the guard, and rarely one more."""
    finding = sessions_needed(workers, hold_locks=hold)
    assert finding.verdict == verdict
    assert finding.evidence.startswith(
        f"A run opens {usual} sessions on the source, rarely {usual + 1}; a session pool"
    )
    assert ("Set export.workers to 8 or fewer" in finding.fix) is (verdict == "warn")


async def test_counts_are_exact_or_none(gateway: Gateway, source: Company) -> None:
    """A table that is not exposed has none; one that is counts as SQL does."""
    [(rows,)] = source.server.sql("SELECT count(*) FROM public.orders", source.dbname)
    assert await gateway.count("public", "orders") == rows
    assert await gateway.count("billing", "plans") is Uncounted.NOT_EXPOSED
    assert await gateway.count("public", "no_such_table") is Uncounted.NOT_EXPOSED

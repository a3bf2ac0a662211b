"""From any state that a project may be in, freezing and thawing leaves it as it was: whole catalogs are compared."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from itertools import count
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from psycopg import sql

from bot.rehearsal.company import Company
from bot.supabase.database import Database
from bot.supabase.freeze.apply import apply
from bot.supabase.freeze.kit import freeze_sql
from bot.supabase.freeze.layers import UNKNOWN, Prior, keep_prior, prior_of, read_layers, thaw_sql, thaw_sql_to_post
from bot.supabase.freeze.thaw import DROP, thaw
from bot.supabase.freeze.thaw_plan import plan_thaw
from bot.supabase.proof.probes import fresh_writes
from tests.freeze.catalogs import world_of
from tests.freeze.priors import State, states
from tests.freeze.servers import VERSIONS, as_superuser, fresh, small_world

pytestmark = pytest.mark.usefixtures("hasty")
_numbers = count(1)

FREEZES = ("the bot", "the bot, twice", "pasted", "pasted, twice", "pasted, then the bot")
THAWS = ("the bot", "the bot, twice", "pasted", "pasted, twice", "posted, the schema lost", "the file, the schema lost")


@pytest.fixture(scope="module")
def template_of() -> Iterator[Callable[[str], Company]]:
    """By version, a small world to copy; its server starts when it is first asked for."""
    with ExitStack() as running:
        yield cache(lambda version: running.enter_context(small_world(version)))


def _paste(source: Company, text: str) -> None:
    hasty = text.replace("PERFORM pg_sleep(2)", "PERFORM 1")
    with psycopg.connect(source.dsn, autocommit=True, application_name="editor") as session:
        session.execute(hasty.encode())


async def _freeze(source: Company, database: Database, how: str) -> None:
    first, _, then = how.partition(", ")
    for who in (first, {"twice": first, "then the bot": "the bot", "": ""}[then]):
        if who == "the bot":
            await apply(database)
        elif who:
            _paste(source, freeze_sql())


async def _thaw(source: Company, database: Database, how: str, prior: Prior, prior_file: Path) -> None:
    first, _, then = how.partition(", ")
    if then == "the schema lost":
        as_superuser(source, [sql.SQL("DROP SCHEMA cutover_freeze CASCADE")])
    for who in (first, first if then == "twice" else ""):
        match who:
            case "the bot" | "the file":
                await thaw(database, prior_file)
            case "pasted":
                _paste(source, thaw_sql())
            case "posted":
                _paste(source, thaw_sql_to_post(prior))


def _gate(source: Company, state: State) -> None:
    """Whom the hook is for may go on reading, and the hook that was there runs for each of them."""
    with psycopg.connect(source.authenticator_dsn, autocommit=True) as session:
        for role in ("anon", *state.roles):
            session.execute("BEGIN READ ONLY; SET LOCAL search_path = public")
            session.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))
            if state.hook is None or state.hook.exists:
                session.execute("SELECT cutover_freeze.gate()")
                ran = session.execute("SELECT current_setting('test.hook', true)").fetchone()
                assert ran in ({("ran",)} if state.hook is not None else {(None,), ("",)})
            session.execute("ROLLBACK; BEGIN READ WRITE; SET LOCAL search_path = public")
            session.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))
            if state.hook is None or state.hook.exists:
                session.execute("SELECT cutover_freeze.gate()")
                for takes_it_back in ("SET TRANSACTION READ WRITE", "SET transaction_read_only = off"):
                    session.execute("SAVEPOINT before")
                    with pytest.raises(psycopg.Error):
                        session.execute(takes_it_back.encode())
                    session.execute("ROLLBACK TO before")
                with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                    session.execute("CREATE TEMP TABLE mine ()")
            session.execute("ROLLBACK")


async def _there_and_back(source: Company, state: State, by: tuple[str, str], prior_file: Path) -> None:
    database = Database(source.dsn)
    before, could_write = world_of(source), await fresh_writes(database)
    async with database.session("test") as session:
        layers = await read_layers(session)
        prior = prior_of(layers)
    keep_prior(prior_file, layers)
    assert not layers.in_place
    await _freeze(source, database, by[0])
    async with database.session("test") as session:
        frozen = await read_layers(session)
    assert frozen.in_place
    assert frozen.noted == prior == prior_of(frozen)
    assert plan_thaw(frozen, None).sets == prior
    assert prior != UNKNOWN
    _gate(source, state)
    await _thaw(source, database, by[1], prior, prior_file)
    if "the schema lost" not in by[1]:
        _paste(source, DROP)
    assert world_of(source) == before
    assert await fresh_writes(database) == could_write


def _shown(template: Company, state: State, by: tuple[str, str], prior_file: Path) -> None:
    prior_file.unlink(missing_ok=True)
    try:
        with fresh(template, f"prior_{next(_numbers)}") as source:
            as_superuser(source, state.statements(source))
            asyncio.run(_there_and_back(source, state, by, prior_file))
    finally:
        as_superuser(template, state.undone())


_ways = st.tuples(st.sampled_from(FREEZES), st.sampled_from(THAWS))
_unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("version", VERSIONS)
def test_thawed_it_is_as_it_was(
    template_of: Callable[[str], Company], tmp_path_factory: pytest.TempPathFactory, version: str
) -> None:
    """From a few states, on each version."""
    template, folder = template_of(version), tmp_path_factory.mktemp("prior")

    @settings(_unhurried, max_examples=3)
    @given(state=states(), by=_ways)
    def show(state: State, by: tuple[str, str]) -> None:
        _shown(template, state, by, folder / "freeze-prior.json")

    show()


@pytest.mark.all
@pytest.mark.parametrize("half", [1, 2])
@pytest.mark.parametrize("version", VERSIONS)
def test_thawed_it_is_as_it_was_from_fifty_states(
    template_of: Callable[[str], Company], tmp_path_factory: pytest.TempPathFactory, version: str, half: int
) -> None:
    """The same from fifty, in two halves of other states."""
    template, folder = template_of(version), tmp_path_factory.mktemp("prior")

    @seed(half)
    @settings(_unhurried, max_examples=25, database=None)
    @given(state=states(), by=_ways)
    def show(state: State, by: tuple[str, str]) -> None:
        _shown(template, state, by, folder / "freeze-prior.json")

    show()

"""What others have put into our search path, and a schema of our name that is theirs, on each version."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from bot.errors import ServiceRefused
from bot.plan.findings import blocks
from bot.rehearsal.company import Company
from bot.supabase.database import Database
from bot.supabase.freeze.apply import apply
from bot.supabase.freeze.kit import freeze_sql
from bot.supabase.freeze.layers import Prior, read_layers, thaw_sql, thaw_sql_to_post
from bot.supabase.freeze.thaw import DROP, thaw
from bot.supabase.freeze.thaw_check import freeze_room
from tests.freeze.catalogs import world_of
from tests.freeze.servers import as_superuser, fresh, small_world

pytestmark = pytest.mark.usefixtures("hasty")
_numbers = count(1)
_SHADOWS = """
CREATE TABLE public.loot (what text);
CREATE FUNCTION public.take(what text) RETURNS void LANGUAGE plpgsql AS $f$
BEGIN
  IF current_user = 'postgres' THEN INSERT INTO public.loot VALUES (what); END IF;
EXCEPTION WHEN OTHERS THEN NULL;
END $f$;
CREATE FUNCTION public.format(text, text) RETURNS text LANGUAGE plpgsql AS
  $f$ BEGIN PERFORM public.take('format'); RETURN pg_catalog.format($1, $2); END $f$;
CREATE FUNCTION public.format(text, text, text) RETURNS text LANGUAGE plpgsql AS
  $f$ BEGIN PERFORM public.take('format'); RETURN pg_catalog.format($1, $2, $3); END $f$;
CREATE FUNCTION public.json_build_object(text, text, text, text, text, text, text, boolean, text, text) RETURNS json
  LANGUAGE plpgsql AS $f$ BEGIN PERFORM public.take('json_build_object'); RETURN '{}'; END $f$;
CREATE FUNCTION public.starts_with(name, text) RETURNS boolean LANGUAGE plpgsql AS
  $f$ BEGIN PERFORM public.take('starts_with'); RETURN true; END $f$;
CREATE FUNCTION public.current_setting(character varying, boolean) RETURNS text LANGUAGE plpgsql AS
  $f$ BEGIN PERFORM public.take('current_setting'); RETURN ''; END $f$;
CREATE FUNCTION public.not_taken(text, name) RETURNS boolean LANGUAGE plpgsql AS
  $f$ BEGIN PERFORM public.take('='); RETURN true; END $f$;
CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = name, FUNCTION = public.not_taken);
CREATE OPERATOR public.<> (LEFTARG = text, RIGHTARG = name, FUNCTION = public.not_taken);
GRANT ALL ON public.loot TO PUBLIC;
"""
"""After the case `shadowed-functions.sql`: better matches than what pg_catalog has, for a role that runs the SQL."""


@pytest.fixture(scope="module")
def template_of() -> Iterator[Callable[[str], Company]]:
    """By version, a small world to copy; its server starts when it is first asked for."""
    with ExitStack() as running:
        yield cache(lambda version: running.enter_context(small_world(version)))


@pytest.fixture(params=["18", pytest.param("15", marks=pytest.mark.all)])
def source(request: pytest.FixtureRequest, template_of: Callable[[str], Company]) -> Iterator[Company]:
    """A project of each version."""
    with fresh(template_of(request.param), f"hostile_{next(_numbers)}") as made:
        yield made


def _paste(source: Company, text: str) -> str:
    """With the search path that the role has; the one afterwards."""
    with psycopg.connect(source.dsn, autocommit=True, application_name="editor") as session:
        session.execute("SET search_path = public, pg_catalog")
        session.execute(text.replace("PERFORM pg_sleep(2)", "PERFORM 1").encode())
        row = session.execute("SHOW search_path").fetchone()
        assert row is not None
        return str(row[0])


async def test_shadowed_functions_are_never_called(source: Company) -> None:
    """Neither by the kit, the way back, the posted one nor the drop, pasted where `public` comes first; and the
    session's own search path is as it was.
    """
    as_superuser(source, [sql.SQL(_SHADOWS)])
    with psycopg.connect(source.dsn, autocommit=True) as session:
        session.execute("SET search_path = public, pg_catalog; SELECT format('%s', 'x')")
        assert session.execute("SELECT pg_catalog.count(*) FROM public.loot").fetchone() == (1,), "the trap works"
        session.execute("DELETE FROM public.loot")
    before = world_of(source)
    prior = Prior(hook=None, default=None)
    for texts in ((freeze_sql(), thaw_sql(), DROP), (freeze_sql(), freeze_sql(), thaw_sql_to_post(prior), DROP)):
        for text in texts:
            assert _paste(source, text) == "public, pg_catalog"
    database = Database(source.dsn)
    await apply(database)
    assert not blocks(await thaw(database))
    _paste(source, DROP)
    assert source.server.sql("SELECT what FROM public.loot", source.dbname) == []
    assert world_of(source) == before


_FORGED = '{"hook": "public.theirs", "default": "on", "authenticator_default": null, "known": true}'
_STRANGERS = {
    "schema": "CREATE SCHEMA cutover_freeze AUTHORIZATION anon",
    "function": "CREATE SCHEMA cutover_freeze AUTHORIZATION postgres; "
    "CREATE FUNCTION cutover_freeze.gate() RETURNS void LANGUAGE plpgsql AS 'BEGIN /* frozen for migration */ END'; "
    "ALTER FUNCTION cutover_freeze.gate() OWNER TO anon",
}


@pytest.mark.parametrize("stranger", list(_STRANGERS))
async def test_a_schema_of_somebody_else_is_not_believed(source: Company, stranger: str, tmp_path: Path) -> None:
    """Whatever its comment says: the freeze refuses, and a thaw leaves it alone."""
    forged = sql.SQL("COMMENT ON SCHEMA cutover_freeze IS {}").format(sql.Literal(_FORGED))
    as_superuser(source, [sql.SQL(_STRANGERS[stranger]), forged])
    before = world_of(source)
    database = Database(source.dsn)
    async with database.session("test") as session:
        layers = await read_layers(session)
    assert (layers.noted, layers.stranger, freeze_room(layers).verdict) == (None, "anon", "fail")
    with pytest.raises(ServiceRefused) as refused:
        await apply(database)
    assert str(refused.value) == (
        "there is a schema cutover_freeze that Cutover did not create; nothing was frozen and no session was ended; "
        "rename it, then freeze again."
    )
    with pytest.raises(psycopg.errors.DuplicateSchema, match="that Cutover did not create"):
        _paste(source, freeze_sql())
    _paste(source, thaw_sql())
    assert not blocks(await thaw(database, tmp_path / "none.json"))
    assert world_of(source) == before


async def test_a_thaw_goes_by_the_file_where_the_schema_is_somebody_elses(source: Company, tmp_path: Path) -> None:
    """Put in the place of ours under a freeze, it is left as it is, and its comment restores nothing."""
    source.server.sql(f"ALTER DATABASE {source.dbname} SET default_transaction_read_only = off", "template1")
    before = world_of(source)
    database = Database(source.dsn)
    prior_file = tmp_path / "freeze-prior.json"
    prior_file.write_text(Prior(hook=None, default="off").to_json())
    await apply(database)
    forged = sql.SQL("COMMENT ON SCHEMA cutover_freeze IS {}").format(sql.Literal(_FORGED))
    as_superuser(source, [sql.SQL("DROP SCHEMA cutover_freeze CASCADE"), sql.SQL(_STRANGERS["schema"]), forged])
    async with database.session("test") as session:
        assert (await read_layers(session)).missing == (
            "the schema cutover_freeze or a function in it belongs to anon, so Cutover does not trust it",
        )
    findings = await thaw(database, prior_file)
    assert findings[0].evidence == "The settings are as before the freeze."
    assert source.server.sql("SELECT obj_description('cutover_freeze'::regnamespace)", source.dbname) == [(_FORGED,)]
    as_superuser(source, [sql.SQL("DROP SCHEMA cutover_freeze CASCADE")])
    assert world_of(source) == before

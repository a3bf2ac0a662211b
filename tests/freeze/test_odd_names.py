"""Tables and columns whose names the public API cannot be asked for as they are."""

import psycopg
import pytest

from bot.rehearsal.company import Company
from bot.supabase.database import Database
from bot.supabase.gateway import Gateway, Uncounted
from bot.supabase.proof.probes import api_writes

_SOMEBODY = "../../auth/v1/admin/users/3f1c9a52-6a0e-4c1b-9a4e-0c5f2f1d7a10"


@pytest.fixture
def source(source: Company) -> Company:
    """The company with such tables in it before the gateway reads what there is, since it hears of later ones late."""
    with psycopg.connect(source.dsn, autocommit=True) as owner:
        for table, column in ((_SOMEBODY, "id"), ("!", 'a"b'), ("AAA", "its id"), ("AAB?#%20", "id")):
            owner.execute(
                psycopg.sql.SQL("CREATE TABLE public.{} ({} integer PRIMARY KEY)").format(
                    psycopg.sql.Identifier(table), psycopg.sql.Identifier(column)
                )
            )
    return source


async def test_a_name_that_leads_out_of_the_tables_is_never_asked_for(gateway: Gateway) -> None:
    """Else a DELETE meant for no row of a table would reach Auth with the secret key, and delete a user there."""
    for table in (_SOMEBODY, "..", "a/b"):
        for method in ("DELETE", "PATCH", "POST"):
            assert await gateway.try_write("service_role", "public", table, "id", method) == "PGRST205"
        assert await gateway.count("public", table) is Uncounted.NOT_EXPOSED
    assert await gateway.count("Größe", "orders") is Uncounted.NOT_EXPOSED


async def test_the_api_is_tried_with_a_table_that_it_can_be_asked_for(database: Database, gateway: Gateway) -> None:
    """However the others sort: a table that the API does not understand proves nothing about the freeze."""
    async with database.session("proof") as session:
        answers = await api_writes(session, gateway, guarded=False)
    assert answers is not None
    assert (answers.schema, answers.table) == ("public", "AAB?#%20")
    assert set(answers.codes.values()) == {""}, "nothing is frozen: the API takes each of them"

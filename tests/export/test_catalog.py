"""The catalog of a whole company."""

from collections.abc import Iterator

import pytest

from bot.artifacts.metadata import ForeignKey
from bot.errors import UsageError
from bot.rehearsal.company import Company
from bot.rehearsal.postgres import EmbeddedPostgres
from bot.supabase.catalog import Catalog, Selection, read_catalog
from bot.supabase.catalog.encoding import Bounds, Encoding, JsonNull
from bot.supabase.database import Database


async def catalog_of(company: Company, *, include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()) -> Catalog:
    async with Database(company.dsn).session("test") as session:
        return await read_catalog(session, Selection(include_schemas=include, exclude_tables=exclude))


async def test_every_table_is_taken_or_reported(company: Company) -> None:
    """Nothing that could hold rows is passed over in silence."""
    catalog = await catalog_of(company)

    known = {table.relation for table in catalog.tables} | {entry.name for entry in catalog.left_out}
    there = company.server.sql(
        "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition"
        " AND n.nspname NOT IN ('pg_catalog', 'pg_toast', 'information_schema')",
        company.dbname,
    )
    assert {name for [name] in there} - known == set()
    assert {"auth.users", "auth.identities", "auth.mfa_factors", "storage.objects", "billing.plans"} <= {
        table.relation for table in catalog.tables
    }


async def test_a_partitioned_table_is_one_table_over_its_partitions(company: Company) -> None:
    """Rows of partitions come through the parent, once."""
    catalog = await catalog_of(company)

    [events] = [table for table in catalog.tables if table.name.startswith("events")]
    assert (events.name, events.partitioned, len(events.storage)) == ("events", True, 3)


async def test_columns_say_what_an_import_needs(company: Company) -> None:
    """Types in full, defaults as SQL, generated and identity columns marked, labels of enums in order."""
    catalog = await catalog_of(company)

    orders = next(table for table in catalog.tables if table.relation == "public.orders")
    columns = {column.name: column for column in orders.columns}
    assert columns["id"].identity == "always"
    assert (columns["tax"].generated, columns["tax"].default, columns["tax"].type) == (True, None, "numeric(12,4)")
    assert columns["status"].default == "'draft'::public.order_status"
    assert columns["status"].enum_labels == ("draft", "paid", "in transit", "Delivered!", "zurückgegeben")
    assert (columns["note"].nullable, columns["total"].nullable) == (True, False)
    assert orders.primary_key == ("id",)
    assert orders.foreign_keys == (
        ForeignKey(
            name="orders_customer_id_fkey",
            columns=("customer_id",),
            references="public.customers",
            referenced_columns=("user_id",),
            on_delete="no action",
            deferrable=False,
        ),
    )


async def test_encodings_are_judged_by_the_real_types(company: Company) -> None:
    """Domains, arrays, composites and extensions' types as the server has them."""
    catalog = await catalog_of(company)

    found = {(table.name, column.name): column.encoding for table in catalog.tables for column in table.columns}
    assert found["documents", "as_typed"] is Encoding.TEXT
    assert found["products", "attributes"] is Encoding.TEXT
    assert found["products", "embedding"] is Encoding.JSON
    assert found["customers", "home"] is Encoding.JSON
    assert found["documents", "body"] == JsonNull()
    assert found["documents", "versions"] == Bounds(JsonNull(listed=True))
    assert found["surveys", "shares"] == Bounds()
    assert found["surveys", "places"] == Bounds()


async def test_sequences_are_those_that_are_not_the_platforms(company: Company) -> None:
    """Owned by a column or by nothing, with what they count by."""
    catalog = await catalog_of(company)

    found = {sequence.relation: (sequence.increment, sequence.owned_by) for sequence in catalog.sequences}
    assert found["public.never_used_numbers"] == (1, None)
    assert found["public.ticket_numbers"] == (10, None)
    assert found["billing.payments_id_seq"] == (5, "billing.payments.id")
    assert "auth.refresh_tokens_id_seq" not in found


async def test_one_time_tokens_are_no_columns_of_the_export(company: Company) -> None:
    """They are left out, and each is reported."""
    catalog = await catalog_of(company)

    users = next(table for table in catalog.tables if table.relation == "auth.users")
    assert not any("_token" in column.name for column in users.columns)
    told = [entry.name for entry in catalog.left_out if entry.kind == "column"]
    assert "auth.users.recovery_token" in told
    assert len(told) == 6


async def test_keys_tell_order_cycles_and_users(company: Company) -> None:
    """The pure parts are fed with what the server says."""
    catalog = await catalog_of(company)

    place = {key: n for n, key in enumerate(catalog.order.tables)}
    assert place["auth_users"] < place["customers"] < place["orders"] < place["order_items"] < place["reviews"]
    assert catalog.order.cycles == (("team_members", "teams"),)
    assert [(r.column, r.found) for r in catalog.user_references["orders"]] == [("customer_id", "key path")]
    assert catalog.depends_on["comments"] == ("auth_users",)


async def test_the_owner_may_read_everything(company: Company) -> None:
    """No statement is proposed where none is needed."""
    assert (await catalog_of(company)).grants == ()


@pytest.fixture
def reader(server: EmbeddedPostgres) -> Iterator[str]:
    """A role that may log in and nothing else; asked for before the database, so that it goes after it."""
    server.sql("CREATE ROLE reader LOGIN PASSWORD 'x'")
    yield "reader"
    server.sql("DROP ROLE reader")


async def test_what_may_not_be_read_comes_with_the_statement_that_fixes_it(reader: str, database: Company) -> None:
    """Table, schema, sequence and row security, each in its own words."""
    server = database.server
    server.sql(
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader; REVOKE SELECT ON public.orders FROM reader;"
        "GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO reader; REVOKE SELECT ON public.ticket_numbers FROM reader",
        database.dbname,
    )
    async with Database(server.dsn(database.dbname, reader, "x")).session("test") as session:
        catalog = await read_catalog(
            session, Selection(include_schemas=["public"], exclude_tables=["public.no_columns"])
        )

    assert "GRANT USAGE ON SCHEMA auth TO reader;" in catalog.grants
    assert "GRANT SELECT ON TABLE public.orders TO reader;" in catalog.grants
    assert "GRANT SELECT ON TABLE public.todos TO reader;" not in catalog.grants
    assert "GRANT SELECT ON SEQUENCE public.ticket_numbers TO reader;" in catalog.grants
    assert "GRANT SELECT ON SEQUENCE public.todos_id_seq TO reader;" not in catalog.grants
    assert catalog.grants[-1] == "ALTER ROLE reader BYPASSRLS;"


async def test_a_name_misspelt_in_exclude_tables_is_refused(company: Company) -> None:
    """Otherwise what somebody wanted left out would be exported."""
    with pytest.raises(UsageError) as caught:
        await catalog_of(company, exclude=("public.ordres",))

    assert str(caught.value) == (
        "the setting export.exclude_tables names public.ordres, but the source has no such table; nothing was exported;"
        " write it as schema.table (of a partition, its parent), in the same upper and lower case, then start again; an"
        " open run keeps its lists: abort it, then `cutover run --new`."
    )


async def test_a_schema_misspelt_in_include_schemas_is_refused(company: Company) -> None:
    """A schema that is not there would leave everything out."""
    with pytest.raises(UsageError) as caught:
        await catalog_of(company, include=("Public",))

    assert str(caught.value) == (
        "the setting export.include_schemas names Public, but the source has no table in such a schema; nothing was"
        " exported; write the schemas in the same upper and lower case, then start again; an open run keeps its lists:"
        " abort it, then `cutover run --new`."
    )


async def test_users_cannot_be_excluded(company: Company) -> None:
    """The night is about them."""
    with pytest.raises(UsageError) as caught:
        await catalog_of(company, exclude=("auth.users",))

    assert str(caught.value) == (
        "export.exclude_tables names auth.users, but no user can be created without it; nothing was exported;"
        " remove it from the list."
    )


async def test_an_excluded_table_is_reported(company: Company) -> None:
    """With the reason that the settings say so."""
    catalog = await catalog_of(company, exclude=("audit_trail",))

    assert "public.audit_trail" not in {table.relation for table in catalog.tables}
    [entry] = [entry for entry in catalog.left_out if entry.name == "public.audit_trail"]
    assert (entry.kind, entry.reason) == ("table", "export.exclude_tables names it")


async def test_a_database_without_users_is_no_supabase_project(company: Company) -> None:
    """A DSN of another database is found out by the first look."""
    with pytest.raises(UsageError) as caught:
        async with Database(company.server.dsn("template1", company.server.superuser)).session("test") as session:
            await read_catalog(session)

    assert str(caught.value) == (
        "the source has no table auth.users, so it is not a Supabase project's database; nothing was exported;"
        " check SUPABASE_DB_URL."
    )

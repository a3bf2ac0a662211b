"""Which schemas are the platform's own: by who owns them, or by the extension that they belong to; never by name alone.

Supabase's services keep their tables in schemas that a role of the platform owns: `supabase_admin`, who is a superuser
and also makes what an extension does not make by itself, or the service's own role. A schema made by an extension is
its member. So a company's own schema called `etl` or `topology` is the company's, and one of the platform's stays the
platform's. `supabase_migrations` is made by Supabase's command line as the customer's role: see `selection`.
"""

from __future__ import annotations

from typing import NamedTuple

from psycopg.rows import class_row

from bot.supabase.database import Session, query, translated

_SERVICES = frozenset(
    {
        "_analytics",
        "_realtime",
        "_supavisor",
        "auth",
        "cron",
        "dbdev",
        "graphql_public",
        "net",
        "pgbouncer",
        "pgmq",
        "pgsodium",
        "pgsodium_masks",
        "pgtle",
        "realtime",
        "storage",
        "supabase_functions",
        "vault",
    }
)
_MADE_BY = {"etl": "supabase_etl_admin"}
"""A name that companies use as well, and the only role of the platform that makes such a schema."""


class Schema(NamedTuple):
    """As in `queries/catalog_schemas.sql`."""

    name: str
    owner: str
    of_superuser: bool
    of_extension: bool


def is_platform(schema: Schema) -> bool:
    """Pure."""
    if schema.of_extension:
        return True
    if (maker := _MADE_BY.get(schema.name)) is not None:
        return schema.owner == maker
    owned = schema.of_superuser or schema.owner.startswith("supabase_") or schema.owner == "pgbouncer"
    return owned and schema.name in _SERVICES


async def read_schemas(session: Session) -> tuple[Schema, ...]:
    """Every schema but the system's own."""
    with translated("the schemas of the source could not be looked up"):
        async with session.cursor(row_factory=class_row(Schema)) as cursor:
            await cursor.execute(query("catalog_schemas"))
            return tuple(await cursor.fetchall())


async def platform_schemas(session: Session) -> frozenset[str]:
    """The names of those that are the platform's."""
    return frozenset(schema.name for schema in await read_schemas(session) if is_platform(schema))

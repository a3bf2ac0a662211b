"""What of the source is exported and what is left out, and the reason by name. Pure.

Taken is every ordinary and partitioned table of every schema that is not the platform's own (see `platform`), and of
the platform's those with people and files in them (`ALWAYS`). Everything else is reported: `Selection.reason` gives the
sentence that is in the metadata. With `include_schemas` only these schemas are taken beside `ALWAYS`; one of the
platform's may be named there.

A partitioned table is exported as one file, through its parent, and never by its partitions: foreign keys lead to the
parent, the API counts the parent, and the target is free to divide it otherwise. A table that inherits from another is
a table of its own, and goes with one that is taken whatever its schema: see `taken`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Self

from bot.plan.events import Rules
from bot.supabase.catalog import staying

ALWAYS = frozenset(
    {
        ("auth", "users"),
        ("auth", "identities"),
        ("auth", "mfa_factors"),
        ("auth", "webauthn_credentials"),
        ("storage", "buckets"),
        ("storage", "objects"),
    }
)

WHOSE: Mapping[tuple[str, str], frozenset[str]] = {
    ("auth", "mfa_factors"): frozenset({"id", "user_id", "factor_type", "status"}),
    ("auth", "webauthn_credentials"): frozenset({"id", "user_id"}),
}
"""Second factors and passkeys. Where export.exclude_tables names such a table, these of its columns are exported all
the same: whose each row is, and nothing to sign in with. So everybody who loses something is listed."""

_COMMAND_LINE = frozenset({("supabase_migrations", "schema_migrations"), ("supabase_migrations", "seed_files")})
"""Kept by Supabase's command line in the customer's name, so that their owner tells nothing."""

KINDS: Mapping[str, str] = {
    "r": "table",
    "p": "table",
    "v": "view",
    "m": "materialized view",
    "f": "foreign table",
    "S": "sequence",
}
"""pg_class.relkind -> the word in `leftOut`."""

_NOT_ROWS: Mapping[str, str] = {
    "v": "a view has no rows of its own",
    "m": "a materialized view is computed from other tables",
    "f": "the rows of a foreign table live in another system",
}

NOT_INCLUDED = "its schema is not among export.include_schemas"
EXCLUDED = "export.exclude_tables names it"
EXCLUDED_TABLE = "export.exclude_tables names the table that it numbers"
EXTENSION = "it belongs to an extension"
PARTITION = "it is a partition of a table that is left out"
SECRET = "export.exclude_tables names its table; only the owner of each row is exported"  # noqa: S105 (a reason)
TOKEN = staying.TOKEN
UNDECIDED = staying.REASONS | {NOT_INCLUDED, EXTENSION, PARTITION}
"""The reasons for which a table is left out though nobody has named it."""
LARGE_OBJECTS = "large objects are in no table"


def is_one_time_token(schema: str, table: str, column: str) -> bool:
    """Columns of auth.users that are good for one click in an e-mail sent by the old system."""
    return (schema, table) == ("auth", "users") and "_token" in column


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What is chosen of a source, and by how many workers at most it is exported. As it is, all that an export takes by
    default.
    """

    include_schemas: Sequence[str] = ()
    """Empty means every schema but the platform's."""
    exclude_tables: Sequence[str] = ()
    """`schema.table`, or only `table` for one of `public`."""
    left_unread: Mapping[str, str] = field(default_factory=dict)
    """Tables (`schema.table`) that need not be read, with the reason."""
    workers: int = 1
    platform: Set[str] = frozenset()
    """The schemas that are the platform's own, as `read_catalog` finds them."""

    @classmethod
    def of(cls, rules: Rules, *, workers: int = 1, left_unread: Mapping[str, str] | None = None) -> Self:
        """What a run of these rules exports."""
        return cls(
            include_schemas=rules.include_schemas,
            exclude_tables=rules.exclude_tables,
            left_unread=left_unread or {},
            workers=workers,
        )

    def takes_schema(self, schema: str) -> bool:
        return schema in self.include_schemas if self.include_schemas else schema not in self.platform

    def excludes(self, schema: str, table: str) -> bool:
        return f"{schema}.{table}" in self.exclude_tables or (schema == "public" and table in self.exclude_tables)

    def reason(self, schema: str, name: str, kind: str, *, of_extension: bool) -> str | None:
        """Why it is left out; None when it is exported. `kind` is pg_class.relkind."""
        if (schema, name) in ALWAYS:
            return EXCLUDED if self.excludes(schema, name) and (schema, name) not in WHOSE else None
        if self.excludes(schema, name):
            return EXCLUDED
        if not self.takes_schema(schema):
            return staying.why_it_stays(schema, name) if schema in self.platform else NOT_INCLUDED
        if of_extension:
            return EXTENSION
        if (schema, name) in _COMMAND_LINE and schema not in self.include_schemas:
            return staying.PLATFORM
        return _NOT_ROWS.get(kind)

    def reason_for_column(self, schema: str, table: str, column: str) -> str | None:
        """Why a column of an exported table is left out; None when it is exported."""
        if is_one_time_token(schema, table, column):
            return TOKEN
        whose = WHOSE.get((schema, table))
        return SECRET if whose is not None and column not in whose and self.excludes(schema, table) else None

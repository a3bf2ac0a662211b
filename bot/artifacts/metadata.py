"""metadata.json: what was exported, how it is read, and in which order it can be imported.

Written last of all export files and never again, so its presence says that the export is whole. Other people's tools
read it: the names and the order of the fields are a promise, and a field may only be added. In Python the fields have
snake_case names (`schema_name` for `schema`, which pydantic keeps for itself); in the file they are camelCase.
Times are UTC and end in `Z`.
"""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from bot.artifacts.files import Written, write_once
from bot.errors import RecordDamaged

UtcTime = Annotated[AwareDatetime, AfterValidator(lambda time: time.astimezone(UTC))]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class Column(_Part):
    """`encoding` is `text` where the file holds a JSON string to be cast to `type`. `generated` columns must not be
    inserted. `default` is SQL.
    """

    name: str
    type: str
    nullable: bool
    default: str | None
    generated: bool
    identity: Literal["always", "by default"] | None
    enum_labels: tuple[str, ...] | None
    encoding: Literal["json", "text"]


class ForeignKey(_Part):
    """`references` is `schema.table`."""

    name: str
    columns: tuple[str, ...]
    references: str
    referenced_columns: tuple[str, ...]
    on_delete: Literal["no action", "restrict", "cascade", "set null", "set default"]
    deferrable: bool


class UserReference(_Part):
    """A column that holds Supabase user ids, which the import rewrites, and how that was found."""

    column: str
    found: Literal["foreign key", "key path", "value"]
    orphans: int | None = None
    """How many of its values are no user's id; counted where no key sees to it, else None."""


class Suspect(_Part):
    """A column in which users' ids were seen, though it does not count as a reference: `found` of `seen` values, or
    pieces of them, that look like an id. `counted` is "in full" or "in a sample".
    """

    table: str
    column: str
    seen: int
    found: int
    counted: Literal["in full", "in a sample"]


class Table(_Part):
    """`row_digest` is the decimal sum, over rows, of the first 8 bytes of md5 of the row's text, read as a signed
    big-endian integer. `depends_on` are keys of `tables`.
    """

    row_count: int
    duration_ms: int
    export_method: str = "snapshot-copy"
    schema_name: str = Field(alias="schema")
    table: str
    file: str
    bytes: int
    sha256: str
    row_digest: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    foreign_keys: tuple[ForeignKey, ...]
    depends_on: tuple[str, ...]
    user_references: tuple[UserReference, ...]


class AuthUsers(_Part):
    """auth.users once more, where the predecessor's importer looks for it."""

    row_count: int
    duration_ms: int
    file: str
    bytes: int
    sha256: str


class Tool(_Part):
    name: str = "cutover"
    version: str


class Source(_Part):
    ref: str
    database: str
    server_version: str


class Target(_Part):
    project_id: str


class Freeze(_Part):
    """The freeze record that the export stands on; `frozen_by` is a Slack user id."""

    frozen_at: UtcTime
    lsn: str
    xmax: int
    frozen_by: str


class Snapshot(_Part):
    """`kept_files` of the files are those of an attempt before, from whose snapshot this one does not differ; `retaken`
    when such an attempt was thrown away, because nothing proved that.
    """

    taken_at: UtcTime
    xmax: int
    kept_files: int = 0
    retaken: bool = False


class Sequence(_Part):
    """`last_value` is the last value handed out, None if none was. `owned_by` is `schema.table.column`."""

    last_value: int | None
    increment: int
    owned_by: str | None


class LeftOut(_Part):
    name: str
    kind: str
    reason: str


class Totals(_Part):
    """Over `tables`."""

    tables: int
    rows: int
    bytes: int


class Metadata(_Part):
    """The keys of `tables` are the files' names without `.json`, as are the names in `import_order` and `cycles`; a
    cycle is the tables that depend on each other. `freeze` is None exactly for a practice export.
    """

    exported_at: UtcTime
    source_database: str = "supabase"
    version: str = "2.0.0"
    total_duration_ms: int
    tables: dict[str, Table]
    auth_users: AuthUsers
    run_id: str
    practice: bool
    tool: Tool
    source: Source
    target: Target
    freeze: Freeze | None
    snapshot: Snapshot
    sequences: dict[str, Sequence]
    import_order: tuple[str, ...]
    cycles: tuple[tuple[str, ...], ...]
    extensions: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    suspects: tuple[Suspect, ...] = ()
    totals: Totals


def read(path: Path) -> Metadata:
    """Raises RecordDamaged when the file is not there or not in this form."""
    try:
        return Metadata.model_validate_json(path.read_bytes(), by_alias=True, by_name=False)
    except OSError as error:
        raise _unreadable(path, "it is not there or cannot be read") from error
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the document"
        raise _unreadable(path, f"{place} is not in the form that was written") from None


def write(path: Path, metadata: Metadata) -> Written:
    """Durably, once: the same content passes, other content raises RecordDamaged."""
    return write_once(path, metadata.model_dump_json(by_alias=True, indent=1).encode() + b"\n")


def _unreadable(path: Path, why: str) -> RecordDamaged:
    return RecordDamaged(
        f"{path} cannot be believed: {why}",
        unchanged="nothing was written",
        do="put it back from a copy, or export again",
    )

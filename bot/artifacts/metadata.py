"""metadata.json: what was exported, how it is read, and in which order it can be imported.

Written last of all export files and never again, so its presence says that the export is whole. Other people's tools
read it: the names and the order of the fields are a promise, and a field may only be added. In Python the fields have
snake_case names (`schema_name` for `schema`, which pydantic keeps for itself); in the file they are camelCase.
Times are UTC and end in `Z`.
"""

from __future__ import annotations

import hashlib
from datetime import UTC
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel

from bot.artifacts.durable import Written, write_once
from bot.artifacts.files import RESERVED
from bot.errors import RecordDamaged
from bot.obstacles import FILE_DAMAGED, FILE_UNREADABLE, Obstacle
from bot.regular_files import open_regular

_LARGEST = 256 << 20
"""Bytes; some ten thousand tables of a hundred columns each."""

UtcTime = Annotated[AwareDatetime, AfterValidator(lambda time: time.astimezone(UTC))]

# Whoever reads this file may have it from somebody else, and puts what is in it into SQL, into paths and on screens.
Count = Annotated[int, Field(ge=0)]
Number = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Name = Annotated[str, StringConstraints(pattern=r"^[^\x00]+$")]
"""Of a table, a column, a type, a key …: PostgreSQL allows everything but NUL."""
Sql = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
Word = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]*$")]
"""One line for people: a version, a reason, a database, a project."""
Token = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$")]
FileName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_-])?\.json$", max_length=200)
]
"""A file of the bundle itself, as `artifacts.files.table_files` makes them: never a path."""
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
RowDigest = Annotated[str, StringConstraints(pattern=r"^-?[0-9]{1,40}$")]
Lsn = Annotated[str, StringConstraints(pattern=r"^[0-9A-F]{1,8}/[0-9A-F]{1,8}$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class CompositeField(_Part):
    name: Name
    type: Name


class Column(_Part):
    """`encoding` is `text` where the file holds a JSON string to be cast to `type`. `generated` columns must not be
    inserted. `default` is SQL. `base_type` is a domain's; `enum_labels` and `fields` are those of an enum and of a
    composite, also under domains and arrays. `non_null`: some exported row has a value here.
    """

    name: Name
    type: Name
    nullable: bool
    default: Sql | None
    generated: bool
    identity: Literal["always", "by default"] | None
    enum_labels: tuple[Sql, ...] | None
    encoding: Literal["json", "text"]
    base_type: Name | None = None
    fields: tuple[CompositeField, ...] | None = None
    non_null: bool


class Check(_Part):
    """A CHECK constraint; `expression` is SQL."""

    name: Name
    expression: Sql


class ForeignKey(_Part):
    """`references` is `schema.table`. A partition counts as its table at both ends: `partition` and
    `referenced_partition` name it where the key binds or reaches its rows alone.
    """

    name: Name
    columns: tuple[Name, ...]
    references: Name
    referenced_columns: tuple[Name, ...]
    on_delete: Literal["no action", "restrict", "cascade", "set null", "set default"]
    deferrable: bool
    partition: Name | None = None
    referenced_partition: Name | None = None


class UserReference(_Part):
    """A column that holds Supabase user ids, which the import rewrites, and how that was found."""

    column: Name
    found: Literal["foreign key", "key path", "value"]
    orphans: Count | None = None
    """How many of its values are no user's id; counted where no key sees to it, else None."""


class Suspect(_Part):
    """A column in which users' ids were seen, though it does not count as a reference: `found` of `seen` values, or
    pieces of them, that look like an id. `counted` is "in full" or "in a sample".
    """

    table: Name
    column: Name
    seen: Count
    found: Count
    counted: Literal["in full", "in a sample"]


class Table(_Part):
    """`row_digest` is the decimal sum, over rows, of the first 8 bytes of md5 of the row's text, read as a signed
    big-endian integer. `depends_on` are keys of `tables`. `inherits` are the tables (`schema.table`) that show its rows
    as theirs too; their own files hold only their own.
    """

    row_count: Count
    duration_ms: Count
    export_method: Token = "snapshot-copy"
    schema_name: Name = Field(alias="schema")
    table: Name
    file: FileName
    bytes: Count
    sha256: Sha256
    row_digest: RowDigest
    columns: tuple[Column, ...]
    primary_key: tuple[Name, ...]
    foreign_keys: tuple[ForeignKey, ...]
    depends_on: tuple[Name, ...]
    user_references: tuple[UserReference, ...]
    checks: tuple[Check, ...] = ()
    inherits: tuple[Name, ...] = ()


class AuthUsers(_Part):
    """auth.users once more, where the predecessor's importer looks for it."""

    row_count: Count
    duration_ms: Count
    file: FileName
    bytes: Count
    sha256: Sha256


class Tool(_Part):
    name: Token = "cutover"
    version: Word


class Source(_Part):
    ref: Word
    database: Sql
    server_version: Word


class Target(_Part):
    project_id: Word


class Freeze(_Part):
    """The freeze record that the export rests on; `frozen_by` is a Slack user id."""

    frozen_at: UtcTime
    lsn: Lsn
    xmax: Count
    frozen_by: Token | Literal[""]


class Snapshot(_Part):
    """`kept_files` of the files are those of an attempt before, from whose snapshot this one does not differ; `retaken`
    when such an attempt was thrown away, because nothing proved that.
    """

    taken_at: UtcTime
    xmax: Count
    kept_files: Count = 0
    retaken: bool = False


class Sequence(_Part):
    """As the sequence itself holds them: the next value is `last_value` while not `is_called`, and one `increment`
    further once it is. `owned_by` is `schema.table.column`, a partition's by the table that it is a part of.
    """

    last_value: Number
    is_called: bool
    increment: Number
    owned_by: Name | None
    schema_name: Name = Field(alias="schema")
    name: Name


class LeftOut(_Part):
    """`row_count` and `counted` are a table's: how many rows stay behind, and whether that was counted, is the
    planner's estimate, or is not known; both None for what is no table.
    """

    name: Name
    kind: Word
    reason: Sql
    row_count: Count | None = None
    counted: Literal["exact", "estimate", "unknown"] | None = None


class Totals(_Part):
    """Over `tables`."""

    tables: Count
    rows: Count
    bytes: Count


class Metadata(_Part):
    """The keys of `tables` are the files' names without `.json`, as are the names in `import_order` and `cycles`; a
    cycle is the tables that depend on each other. `freeze` is None exactly for a practice export.
    """

    exported_at: UtcTime
    source_database: Token = "supabase"
    version: Word = "2.0.0"
    total_duration_ms: Count
    tables: dict[Name, Table]
    auth_users: AuthUsers
    run_id: Token
    practice: bool
    tool: Tool
    source: Source
    target: Target
    freeze: Freeze | None
    snapshot: Snapshot
    sequences: dict[Name, Sequence]
    import_order: tuple[Name, ...]
    cycles: tuple[tuple[Name, ...], ...]
    extensions: tuple[Name, ...]
    left_out: tuple[LeftOut, ...]
    suspects: tuple[Suspect, ...] = ()
    totals: Totals

    @model_validator(mode="after")
    def _files_are_of_their_tables(self) -> Self:
        """Two tables cannot claim one file, nor a table the file of something else."""
        for key, table in self.tables.items():
            if table.file != f"{key}.json" or table.file.lower() in RESERVED:
                raise ValueError("a table's key in `tables` is its file's name without .json")
        return self


def read(path: Path, *, sha256: str = "") -> Metadata:
    """Raises RecordDamaged when the file is not there, not in this form, or not the one with this sum; "" is any."""
    try:
        with open_regular(path) as file:
            text = file.read(_LARGEST + 1)
    except OSError as error:
        raise _unreadable(path, "it is missing or cannot be read", FILE_UNREADABLE) from error
    if len(text) > _LARGEST:
        raise _unreadable(path, f"it is larger than {_LARGEST >> 20} MiB")
    if sha256 and hashlib.sha256(text).hexdigest() != sha256:
        raise RecordDamaged(
            f"{path.name} is not the file that the export wrote: SHA-256 mismatch",
            unchanged="it was not used",
            do="restore it from a copy, or export again",
        )
    try:
        return Metadata.model_validate_json(text, by_alias=True, by_name=False)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the document"
        raise _unreadable(path, f"{place} has the wrong format") from None


def write(path: Path, metadata: Metadata) -> Written:
    """Durably, once: the same content passes, other content raises RecordDamaged."""
    return write_once(path, metadata.model_dump_json(by_alias=True, indent=1).encode() + b"\n")


def _unreadable(path: Path, why: str, obstacle: Obstacle = FILE_DAMAGED) -> RecordDamaged:
    return RecordDamaged(
        f"{path} is damaged: {why}",
        unchanged="nothing was written",
        do="restore it from a copy, or export again",
        obstacle=obstacle,
    )

"""What a step leaves behind: the counts and digests that the gates, the posts and later steps build on.

They are journaled within `StepEnded`, and read for ever as events are: a field may be added with a default, and nothing
may be renamed or removed.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TableTotal(_Fact):
    """`name` is the key in metadata.json; `bytes` is the size of its file."""

    name: str
    rows: int
    bytes: int


class LeftRows(_Fact):
    """A table (`schema.table`) that was left out and holds rows; `rows` is None when that is not known."""

    name: str
    rows: int | None
    exact: bool

    @property
    def told(self) -> str:
        if self.rows is None:
            return "rows not known"
        return f"{'' if self.exact else 'about '}{self.rows:,} {'row' if self.rows == 1 else 'rows'}"


class ExportResult(_Fact):
    """What the export step left. `sha256` is that of metadata.json, which names every other file's."""

    milestone: ClassVar[str] = "Export ended"
    kind: Literal["export"] = "export"
    tables: int
    rows: int
    bytes: int
    auth_users: int
    sha256: str
    taken_at: AwareDatetime
    largest: tuple[TableTotal, ...]
    left_out: dict[str, int]
    """How many objects were left out, by reason."""
    storage_objects: int
    storage_bytes: int
    """Files in Storage, whose bytes are not in the bundle."""
    duration_ms: int
    by_value: tuple[str, ...] = ()
    """Columns (`table.column`) that hold users' ids though no key says so."""
    suspects: tuple[str, ...] = ()
    """Columns in which users' ids were seen and that are not rewritten."""
    kept_files: int = 0
    """Of an attempt before, from whose snapshot this one provably does not differ."""
    left_rows: tuple[LeftRows, ...] = ()
    """The first of the tables that were left out and hold rows, those that matter most first."""
    left_with_rows: int = 0
    """How many such tables there are."""
    retaken: bool = False
    """Such an attempt was thrown away, because nothing proved that."""


class Attention(_Fact):
    """Users who are migrated incompletely, under one reason. `digest` names the exact set of users."""

    count: int
    digest: str
    todo: str


class UsersResult(_Fact):
    """What the users step left. `attention_users` counts distinct users and overlaps the other counts."""

    milestone: ClassVar[str] = "Users migrated"
    kind: Literal["users"] = "users"
    users: int
    created: int
    matched: int
    updated: int
    unmapped: int
    attention_users: int
    attention: dict[str, Attention]
    mapping_sha256: str
    attention_sha256: str = ""
    """Of user-attention.json; "" in runs of before that was noted, and after a dry run."""
    retain_until: AwareDatetime
    duration_ms: int
    to_decide: dict[str, tuple[str, ...]] = {}
    """Supabase ids of unmapped users on whom a person may decide, as many as are asked about at a time, each with the
    ids of those in the target who may be the same person."""
    dry_run: bool = False
    """All was foreseen and nothing done: the counts say what would become of the users, and no mapping was written."""


class HandoverResult(_Fact):
    """`digest` is the SHA-256 of SHA256SUMS, which covers every other file and the journal up to
    `journal_line`.
    """

    milestone: ClassVar[str] = "Handed over"
    kind: Literal["handover"] = "handover"
    digest: str
    files: int
    journal_line: int
    journal_hash: str


class StepNote(_Fact):
    """What any other step left: sentences for people, and counts by their names."""

    kind: Literal["note"] = "note"
    step: str
    says: str
    counts: dict[str, int] = {}

    @property
    def milestone(self) -> str:
        return f"Step {self.step} ended"


StepResult = Annotated[ExportResult | UsersResult | HandoverResult | StepNote, Field(discriminator="kind")]


def step_of(result: StepResult) -> str:
    """The name of the step that leaves such a result."""
    return result.step if isinstance(result, StepNote) else result.kind

"""A whole small bundle, handed over, with its journal, as a night would leave it."""

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.artifacts import data_directory, durable, files, handover, mapping, metadata
from bot.artifacts.scratch import Scratch
from bot.artifacts.table_files import table_files
from bot.artifacts.user_log import Intent, Settled, UserLog
from bot.journal import Journal
from bot.plan import events as e
from bot.plan.results import ExportResult, HandoverResult, UsersResult
from bot.plan.run import Run

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RUN = "20260102-abcd"
U1, U2, U3 = (f"00000000-0000-4000-8000-00000000000{n}" for n in (1, 2, 3))


def table(directory: Path, schema: str, name: str, rows: list[dict[str, Any]], **given: Any) -> metadata.Table:
    """Writes a table's file as the export does and describes it."""
    texts = [json.dumps(row, separators=(",", ":")).encode() for row in rows]
    content = b"[\n" + b",\n".join(texts) + (b"\n" if texts else b"") + b"]\n"
    file = table_files([(schema, name)])[schema, name]
    written = durable.write_once(directory / file, content)
    digest = sum(int.from_bytes(hashlib.md5(text).digest()[:8], "big", signed=True) for text in texts)
    return metadata.Table(
        row_count=len(rows),
        duration_ms=1,
        schema_name=schema,
        table=name,
        file=file,
        bytes=written.bytes,
        sha256=written.sha256,
        row_digest=str(digest),
        columns=(),
        primary_key=("id",),
        foreign_keys=(),
        depends_on=(),
        **{"user_references": (), **given},
    )


def describe(directory: Path, tables: list[metadata.Table], **given: Any) -> metadata.Metadata:
    by_name = {table.file.removesuffix(".json"): table for table in tables}
    users = by_name["auth_users"]
    return metadata.Metadata(
        exported_at=AT,
        total_duration_ms=5,
        tables=by_name,
        auth_users=metadata.AuthUsers(
            row_count=users.row_count, duration_ms=1, file=users.file, bytes=users.bytes, sha256=users.sha256
        ),
        run_id=RUN,
        **{"practice": False, **given},
        tool=metadata.Tool(version="0.1.0"),
        source=metadata.Source(ref="abc", database="postgres", server_version="18.6"),
        target=metadata.Target(project_id="p"),
        freeze=metadata.Freeze(frozen_at=AT, lsn="0/1", xmax=7, frozen_by="U1"),
        snapshot=metadata.Snapshot(taken_at=AT, xmax=7),
        sequences={
            "public.orders_id_seq": metadata.Sequence(
                last_value=2,
                is_called=True,
                increment=1,
                owned_by="public.orders.id",
                schema_name="public",
                name="orders_id_seq",
            )
        },
        import_order=tuple(by_name),
        cycles=(),
        extensions=(),
        left_out=(),
        totals=metadata.Totals(
            tables=len(tables), rows=sum(t.row_count for t in tables), bytes=sum(t.bytes for t in tables)
        ),
    )


def handed_over(directory: Path, run: Run, head: tuple[int, str]) -> HandoverResult:
    """The handover without anybody who watches it."""
    *_, result = handover.hand_over(directory, run, head)
    assert isinstance(result, HandoverResult)
    return result


@dataclass(frozen=True)
class Bundle:
    """`head` is the journal's head that SHA256SUMS names."""

    directory: Path
    run: Run
    metadata: metadata.Metadata
    head: tuple[int, str]

    def closed(self) -> "Bundle":
        """Handed over, the closing event and a later one in the journal."""
        result = handed_over(self.directory, self.run, self.head)
        with Journal.open(self.directory / files.JOURNAL) as journal:
            journal.append(e.to_record(e.StepEnded(at=AT, step="handover", result=result)))
            journal.append(e.to_record(e.PostIntended(at=AT, key=f"{RUN}/header")))
        return self

    def of_another_run(self) -> Run:
        return replace(self.run, opened=self.run.opened.model_copy(update={"run_id": "20260102-ffff"}))

    def exported_anew(self, key: str) -> Run:
        """The run whose export is the bundle with this table's file as it is now."""
        table = self.metadata.tables[key]
        sha256 = durable.sha256_of(self.directory / table.file)
        tables = self.metadata.tables | {key: table.model_copy(update={"sha256": sha256})}
        described = self.metadata.model_copy(update={"tables": tables})
        (self.directory / files.METADATA).unlink()
        written = metadata.write(self.directory / files.METADATA, described)
        assert self.run.export is not None
        return self.with_run(export=self.run.export.model_copy(update={"sha256": written.sha256}))

    def with_run(self, **results: Any) -> Run:
        return replace(self.run, results={**self.run.results, **results})


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """Three users, of whom two are mapped and one is not; orders that refer to them."""
    directory = data_directory.open_directory(tmp_path / "data")
    users = table(directory, "auth", "users", [{"id": id_, "email": "someone@example.org"} for id_ in (U1, U2, U3)])
    orders = table(
        directory,
        "public",
        "orders",
        [{"id": 1, "customer_id": U1}, {"id": 2, "customer_id": U3}, {"id": 3, "customer_id": None}],
        user_references=(metadata.UserReference(column="customer_id", found="foreign key"),),
    )
    empty = table(directory, "public", "empty", [])
    described = describe(directory, [users, orders, empty])
    export_sha256 = metadata.write(directory / files.METADATA, described).sha256
    durable.rewrite(directory / files.FREEZE_PRIOR, b'{"settings": []}\n')
    with Scratch(directory) as scratch, UserLog.open(directory / files.USERS, scratch) as log:
        log.intend([Intent(U1, "d1", AT), Intent(U2, "d2", AT)])
        log.settle([Settled(U1, "created", "s1", "d1", "", AT), Settled(U2, "matched", "s2", "d2", "", AT)])
        log.settle([Settled(U3, "unmapped", None, "d3", "anonymous", AT)])
    sums = write_mapping(directory, export_sha256)
    return journaled(directory, described, export_sha256, sums)


def write_mapping(directory: Path, export_sha256: str) -> dict[str, str]:
    """The sums of both files, by the fields of the result."""
    head = mapping.Head(
        generated_at=AT,
        retain_until=mapping.retain_until(AT, 90),
        run_id=RUN,
        export_sha256=export_sha256,
        counts=mapping.Counts(users=3, created=1, matched=1, updated=0, unmapped=1, attention=1),
    )
    listed = mapping.write_attention(
        directory / files.ATTENTION,
        [mapping.Attention(id=U3, reason="anonymous", carried="Nothing.", todo="Nothing to do.")],
    )
    mapped = [
        mapping.Mapped(
            supabase_user_id=U1, stack_auth_user_id="s1", email="someone@example.org", migrated_at=AT, outcome="created"
        ),
        mapping.Mapped(supabase_user_id=U2, stack_auth_user_id="s2", email=None, migrated_at=AT, outcome="matched"),
    ]
    unmapped = [mapping.Unmapped(supabase_user_id=U3, reason="anonymous", referenced_by={"orders.customer_id": 1})]
    written = mapping.write(directory / files.MAPPING, head, mapped, unmapped)
    return {"mapping_sha256": written.sha256, "attention_sha256": listed.sha256}


def journaled(directory: Path, described: metadata.Metadata, export_sha256: str, sums: dict[str, str]) -> Bundle:
    export = ExportResult(
        tables=3, rows=6, bytes=described.totals.bytes, auth_users=3, sha256=export_sha256, taken_at=AT, largest=(),
        left_out={}, storage_objects=0, storage_bytes=0, duration_ms=5,
    )  # fmt: skip
    users = UsersResult(
        users=3, created=1, matched=1, updated=0, unmapped=1, attention_users=1, attention={},
        **sums, retain_until=AT + timedelta(days=90), duration_ms=5,
    )  # fmt: skip
    opened = e.RunOpened(
        at=AT,
        run_id=RUN,
        parties=e.Parties(source_ref="abc", source_database="postgres", target_project="p"),
        channel="C1",
        approvers=("U1",),
        retain_days=90,
    )
    run = Run(opened=opened, last_at=AT, results={"export": export, "users": users})
    with Journal.open(directory / files.JOURNAL) as journal:
        journal.append(e.to_record(opened))
        journal.append(e.to_record(e.StepEnded(at=AT, step="export", result=export)))
        journal.append(e.to_record(e.StepEnded(at=AT, step="users", result=users)))
        head = journal.head
    return Bundle(directory, run, described, head)

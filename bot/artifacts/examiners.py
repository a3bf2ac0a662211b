"""What the gates ask of the files on disk: are they what was exported, does the mapping have everybody, does every
reference lead to a user.

Every file is read again from the disk, in a thread, a piece at a time, so that the loop stays free, progress is shown
and an abort need not wait for the end of a large table. Damage is a failing finding that names file and line; it is
never raised. The sets of ids are in a scratch database: they grow with the users.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bot.artifacts import durable, files, mapping, tables
from bot.artifacts import metadata as metadata_file
from bot.artifacts.changed import WITHOUT_A_COPY
from bot.artifacts.metadata import Metadata
from bot.artifacts.scratch import Scratch
from bot.concurrency import run_in_slices
from bot.errors import CutoverError, RecordDamaged
from bot.obstacles import FILE_DAMAGED
from bot.plan.checks import unmade
from bot.plan.findings import Finding, Verdict, failed, passed, warned
from bot.plan.run import Run
from bot.plan.texts.amounts import counted
from bot.plan.texts.listing import listed
from bot.ports import Progress, Report
from bot.regular_files import unread

EXPORT_AGAIN = f"Find out what changed the file. Restore it from a copy and say the word again, {WITHOUT_A_COPY}."
MAP_AGAIN = "Restore the file from a copy, or say `abort` and start over with `cutover run --new`."
_TELL_EVERY = 50_000
_OUTCOMES = ("created", "matched", "updated", "unmapped")
_SHOWN = 5


class BundleExaminers:
    """The examiners over the data directory. `run.export` and `run.users` say what the files must be."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._ahead: asyncio.Task[None] | None = None
        self._report: Report = lambda progress: None
        self._known: dict[str, tuple[tuple[int, ...], tables.Facts]] = {}
        """By file, what it was when it was read, and which file that was."""

    async def examine_files(self, run: Run, report: Report) -> AsyncIterator[Finding]:
        """`files-whole`: each file of the export again, its size, SHA-256, rows and row digest."""
        assert run.export is not None
        found = await _bound_metadata(self._directory, run)
        if isinstance(found, Finding):
            yield found
            return
        whole = True
        read = rows = 0
        if self._ahead is not None:
            self._report = report
            await asyncio.wait({self._ahead})
        for table in found.tables.values():
            try:
                facts = await self._facts(table.file, read, found.totals.bytes, report)
            except (CutoverError, OSError) as error:
                whole = False
                yield _not_read("files-whole", table.file, error, EXPORT_AGAIN)
                continue
            read, rows = read + facts.bytes, rows + facts.rows
            if differs := table_differs(table, facts):
                whole = False
                yield failed("files-whole", f"{table.file} differs from the export: {differs}.", EXPORT_AGAIN)
        if whole:
            yield passed(
                "files-whole",
                f"{counted(len(found.tables), 'file')} read again from disk, {counted(rows, 'row')}, "
                f"{counted(read, 'byte')}: size, SHA-256, row count and row digest of each match the export.",
            )

    def read_ahead(self, export_sha256: str) -> None:
        """Begins to read the files of the export that has just ended, so that `examine_files` need only look whether
        they are still the same. `export_sha256` is that of metadata.json.
        """
        self._ahead = asyncio.create_task(self._read_all(export_sha256))

    async def _read_all(self, export_sha256: str) -> None:
        read = 0
        with suppress(CutoverError, OSError):  # whatever is wrong is found again, and reported, when it is asked for
            found = await _metadata(self._directory, export_sha256)
            if isinstance(found, Finding):
                return
            for table in found.tables.values():
                with suppress(CutoverError, OSError):
                    read += (await self._facts(table.file, read, found.totals.bytes, self._tell)).bytes

    def _tell(self, progress: Progress) -> None:
        self._report(progress)

    async def _facts(self, file: str, before: int, total: int, report: Report) -> tables.Facts:
        """What the file is; read only if it may have changed since it was read last. Raises like `tables.rows`."""
        path = self._directory / file
        identity = await asyncio.to_thread(_identity, path)
        if file in self._known and self._known[file][0] == identity:
            return self._known[file][1]
        facts = tables.Facts(0, 0, "", "")
        async for facts in run_in_slices(tables.facts(path)):
            note = f"reading {file}"
            report(Progress(step="files", done=before + facts.bytes, total=total, unit="bytes", note=note))
        self._known[file] = identity, facts
        return facts

    async def examine_mapping(self, run: Run, report: Report) -> AsyncIterator[Finding]:
        """`mapping-bound`, `retention`, `mapping-complete`: the mapping belongs to this run and export, is kept long
        enough, and has every exported user exactly once.
        """
        assert run.export is not None and run.users is not None
        described = await _bound_metadata(self._directory, run)
        if isinstance(described, Finding):
            yield described.model_copy(update={"check": "mapping-bound"})
            return
        path = self._directory / files.MAPPING
        try:
            head = await asyncio.to_thread(mapping.read_head, path)
            sha256 = await asyncio.to_thread(durable.sha256_of, path)
        except (CutoverError, OSError) as error:
            yield _not_read("mapping-bound", files.MAPPING, error, MAP_AGAIN)
            return
        yield _bound(run, head, sha256)
        yield _retained(run, head)
        written = _Written(described, sha256, run.users.attention_sha256)
        try:
            problems = ""
            with Scratch(self._directory) as scratch:
                async for step in run_in_slices(_compare(self._directory, head, written, scratch)):
                    if isinstance(step, str):
                        problems = step
                    else:
                        report(Progress(step="mapping", done=step, total=2 * head.counts.users, unit="users"))
        except (CutoverError, OSError) as error:
            yield _not_read("mapping-complete", files.MAPPING, error, MAP_AGAIN)
            return
        counts, users = head.counts, run.users
        if (counts.users, counts.created, counts.matched, counts.updated, counts.unmapped, counts.attention) != (
            users.users, users.created, users.matched, users.updated, users.unmapped, users.attention_users,
        ):  # fmt: skip
            problems = problems or "its counts differ from the result of the users step"
        if problems:
            yield failed(
                "mapping-complete", f"{files.MAPPING} does not list every user exactly once: {problems}.", MAP_AGAIN
            )
        else:
            yield passed(
                "mapping-complete",
                f"{counts.users:,} exported users are in the mapping: {counts.users - counts.unmapped:,} mapped to a "
                f"user of their own, {counts.unmapped:,} unmapped with a reason.",
            )

    async def examine_references(self, run: Run, report: Report) -> AsyncIterator[Finding]:
        """`references`: every user id in an exported table is in the mapping; ids of nobody are counted by table."""
        found = await _bound_metadata(self._directory, run)
        if isinstance(found, Finding):
            yield found.model_copy(update={"check": "references"})
            return
        total = sum(table.row_count for table in found.tables.values() if table.user_references)
        resolved = 0
        lost, nobody = Counter[str](), Counter[str]()
        try:
            with Scratch(self._directory) as scratch:
                async for step in run_in_slices(_resolve(self._directory, found, lost, nobody, scratch)):
                    resolved = step
                    report(Progress(step="references", done=min(step, total), total=total, unit="references"))
        except (CutoverError, OSError) as error:
            yield _not_read("references", "the export", error, EXPORT_AGAIN)
            return
        if lost:
            yield failed(
                "references",
                f"Rows refer to exported users that the mapping does not list: {_counted(lost)}.",
                MAP_AGAIN,
            )
        if nobody:
            yield warned(
                "references",
                f"Rows refer to ids that no user in auth.users has, and the import cannot rewrite: {_counted(nobody)}.",
                "They were orphans in Supabase too. In the import, decide whether to keep, empty or drop them.",
                orphans=dict(nobody),
            )
        if not lost and not nobody:
            yield passed(
                "references",
                f"{counted(resolved, 'reference')} to users in the exported tables: all are in the mapping.",
            )


def table_differs(table: metadata_file.Table, facts: tables.Facts) -> str:
    """What of a file is not as metadata.json says, as a clause; "" when it is whole."""
    if facts.bytes != table.bytes:
        return f"it has {counted(facts.bytes, 'byte')} instead of {table.bytes:,}"
    if facts.rows != table.row_count:
        return f"it has {counted(facts.rows, 'row')} instead of {table.row_count:,}"
    if facts.row_digest != table.row_digest:
        return "row digest mismatch"
    if facts.sha256 != table.sha256:
        return "SHA-256 mismatch"
    return ""


def _identity(path: Path) -> tuple[int, ...]:
    """Another one whenever somebody may have changed the file: nobody can set the time of the last change back."""
    stat = path.stat()
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


async def _bound_metadata(directory: Path, run: Run) -> Metadata | Finding:
    """metadata.json, if it is the very file that the export step reported."""
    assert run.export is not None
    return await _metadata(directory, run.export.sha256)


async def _metadata(directory: Path, sha256: str) -> Metadata | Finding:
    try:
        return await asyncio.to_thread(partial(metadata_file.read, directory / files.METADATA, sha256=sha256))
    except (CutoverError, OSError) as error:
        return _not_read("files-whole", files.METADATA, error, EXPORT_AGAIN)


def _bound(run: Run, head: mapping.Head, sha256: str) -> Finding:
    assert run.export is not None and run.users is not None
    if head.run_id != run.run_id:
        why = f"{files.MAPPING} belongs to run {head.run_id}, not to {run.run_id}."
    elif head.export_sha256 != run.export.sha256:
        why = f"{files.MAPPING} belongs to another export: its exportSha256 does not match {files.METADATA}."
    elif sha256 != run.users.mapping_sha256:
        why = f"{files.MAPPING} is not the file that the users step wrote: SHA-256 mismatch."
    else:
        return passed("mapping-bound", f"{files.MAPPING} belongs to run {run.run_id} and this export; unchanged.")
    return failed("mapping-bound", why, MAP_AGAIN)


def _retained(run: Run, head: mapping.Head) -> Finding:
    days = run.opened.retain_days
    if head.retain_until != mapping.retain_until(head.generated_at, days):
        why = f"In {files.MAPPING}, retainUntil is not {days} days after generatedAt."
        return failed("retention", why, MAP_AGAIN)
    until = head.retain_until.strftime("%Y-%m-%d %H:%M UTC")
    return passed("retention", f"Keep the mapping for {days} days, until {until}.")


class _Written(NamedTuple):
    """What the files are that are compared: the export by its metadata, the others by their sums."""

    metadata: Metadata
    mapping_sha256: str
    attention_sha256: str


def _compare(directory: Path, head: mapping.Head, written: _Written, scratch: Scratch) -> Iterator[int | str]:
    """How many users have been looked at; at last what is wrong, as a clause, "" when nothing is. Raises RecordDamaged
    when a file is not what `written` says.
    """
    outcomes = Counter[str]()
    twice = shared = n = 0
    scratch.make(
        "CREATE TABLE known (id TEXT PRIMARY KEY) WITHOUT ROWID",
        "CREATE TABLE target (id TEXT PRIMARY KEY) WITHOUT ROWID",
        "CREATE TABLE listed (id TEXT PRIMARY KEY) WITHOUT ROWID",
    )
    for entry in mapping.read(directory / files.MAPPING, sha256=written.mapping_sha256):
        if isinstance(entry, mapping.Head):
            continue
        n += 1
        twice += not scratch.changed("INSERT OR IGNORE INTO known VALUES (?)", entry.supabase_user_id)
        if isinstance(entry, mapping.Mapped):
            outcomes[entry.outcome] += 1
            shared += not scratch.changed("INSERT OR IGNORE INTO target VALUES (?)", entry.stack_auth_user_id)
        else:
            outcomes["unmapped"] += 1
        if n % _TELL_EVERY == 0:
            yield n
    missing = 0
    for id_ in tables.user_ids(directory, written.metadata):
        n += 1
        missing += not scratch.changed("DELETE FROM known WHERE id = ?", id_)
        if n % _TELL_EVERY == 0:
            yield n
    [strangers] = scratch.one("SELECT count(*) FROM known")
    attention_list = mapping.read_attention(directory / files.ATTENTION, sha256=written.attention_sha256)
    on_the_list = ((entry.id,) for entry in attention_list)
    scratch.put("INSERT OR IGNORE INTO listed VALUES (?)", on_the_list)
    [attention] = scratch.one("SELECT count(*) FROM listed")
    counts = head.counts
    told = (counts.created, counts.matched, counts.updated, counts.unmapped)
    wrong = [
        (twice, f"it has {counted(twice, 'user')} twice"),
        (shared, f"it gives {counted(shared, 'user')} the same target user as another"),
        (missing, f"it lacks {counted(missing, 'exported user')}"),
        (strangers, f"it has {counted(strangers, 'id')} of no exported user"),
        (
            told != tuple(outcomes[key] for key in _OUTCOMES),
            "its counts do not match its entries",
        ),
        (
            attention != counts.attention,
            f"{files.ATTENTION} lists {counted(attention, 'user')}, not {counts.attention:,}",
        ),
    ]
    yield "; ".join(clause for is_wrong, clause in wrong if is_wrong)


def _resolve(
    directory: Path, metadata: Metadata, lost: Counter[str], nobody: Counter[str], scratch: Scratch
) -> Iterator[int]:
    """How many references have been looked at. Fills `lost` and `nobody`, by `table.column`."""
    scratch.make("CREATE TABLE known (id TEXT PRIMARY KEY, placed) WITHOUT ROWID")
    entries = (entry for entry in mapping.read(directory / files.MAPPING) if not isinstance(entry, mapping.Head))
    scratch.put("INSERT OR IGNORE INTO known VALUES (?, TRUE)", ((entry.supabase_user_id,) for entry in entries))
    scratch.put(
        "INSERT OR IGNORE INTO known VALUES (?, FALSE)", ((id_,) for id_ in tables.user_ids(directory, metadata))
    )
    n = 0
    for reference in tables.references(directory, metadata):
        if not reference.column:
            yield n
            continue
        n += 1
        found = scratch.one("SELECT placed FROM known WHERE id = ?", reference.id)
        if found is None or not found[0]:
            counter = nobody if found is None else lost
            counter[f"{reference.table}.{reference.column}"] += 1
    yield n


def _not_read(check: str, name: str, error: CutoverError | OSError, fix: str) -> Finding:
    """A file that can be read and is damaged is what the check looks for; any other trouble keeps it from looking."""
    if isinstance(error, OSError):
        error = unread(name, error)
    if isinstance(error, RecordDamaged) and error.obstacle is FILE_DAMAGED:
        return Finding(check=check, verdict=Verdict.FAIL, evidence=f"{error.happened}.", fix=fix)
    return unmade(check, error)


def _counted(counter: Counter[str]) -> str:
    return listed((f"{name} ({n:,})" for name, n in counter.most_common()), _SHOWN, one="column")

"""The step `export`: what it leaves on disk, and what it makes of what it finds there."""

import asyncio
import json
import resource
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bot.artifacts import tables
from bot.errors import ServiceRefused, ServiceUnreachable, UsageError
from bot.plan.run import Run
from bot.ports import Progress
from bot.rehearsal.company import Company
from tests.export.conftest import Taken

Beside = Callable[[], Any]


def test_a_file_is_an_array_with_a_row_on_each_line(exported: Taken) -> None:
    """One JSON document, readable by line; without rows only the brackets."""
    assert (exported.directory / "settings.json").read_text() == (
        '[\n{"name":"site","value":"a company"},\n{"name":"motto","value":"we \\"move\\"\\nhouse"}\n]\n'
    )
    assert (exported.directory / "waiting_list.json").read_text() == "[\n]\n"
    assert (exported.directory / "no_columns.json").read_text() == "[\n{},\n{}\n]\n"
    assert json.loads((exported.directory / "order.json").read_text())[0]["t"] == "a column named t"


def test_every_file_is_what_metadata_says(exported: Taken) -> None:
    """Size, SHA-256, rows, and the digest that SQL computed in the same snapshot."""
    for table in exported.metadata.tables.values():
        *_, facts = tables.facts(exported.directory / table.file)
        assert facts == (table.bytes, table.row_count, table.sha256, table.row_digest)
        assert stat.S_IMODE((exported.directory / table.file).stat().st_mode) == 0o600
    assert set(exported.files()) == {table.file for table in exported.metadata.tables.values()}


def test_metadata_tells_the_whole_story(exported: Taken) -> None:
    """Freeze, snapshot, source, tool, sequences, order, cycles, extensions, what is left out, totals."""
    result = exported.result

    found = exported.metadata
    assert (found.version, found.practice, found.run_id) == ("2.0.0", False, "20260102-abcd")
    assert (found.tool.name, found.tool.version, found.target.project_id) == ("cutover", "9.9", "target")
    assert (found.source.ref, found.source.database) == ("refofproject", "postgres")
    assert found.source.server_version.startswith("18.")
    assert found.freeze is not None
    assert (found.freeze.lsn, found.freeze.xmax, found.freeze.frozen_by) == ("0/1A2B", 4711, "U0FREEZER")
    assert found.freeze.frozen_at.isoformat() == "2026-01-02T03:00:00.123456+00:00"
    assert found.snapshot.xmax > 0
    assert found.snapshot.taken_at <= found.exported_at
    assert found.sequences["public.ticket_numbers"].last_value == 1040
    assert set(found.import_order) == set(found.tables)
    assert found.cycles == (("team_members", "teams"),)
    assert "vector" in found.extensions
    assert found.totals.rows == sum(table.row_count for table in found.tables.values())
    assert found.tables["orders"].depends_on == ("customers",)
    assert [(r.column, r.found) for r in found.tables["orders"].user_references] == [("customer_id", "key path")]
    assert found.auth_users.row_count == 132 == found.tables["auth_users"].row_count
    assert {entry.kind for entry in found.left_out} == {"view", "materialized view", "table", "column", "storage files"}
    raw = json.loads((exported.directory / "metadata.json").read_text())
    assert raw["tables"]["orders"]["exportMethod"] == "snapshot-copy"
    assert raw["authUsers"]["file"] == "auth_users.json"
    assert (result.tables, result.rows, result.auth_users) == (found.totals.tables, found.totals.rows, 132)


def test_the_result_counts_what_is_not_in_the_bundle(exported: Taken) -> None:
    """Reasons with their numbers, and files in Storage with their size."""
    result = exported.result

    [[files, size]] = exported.database.server.sql(
        "SELECT count(*), sum((metadata ->> 'size')::int) FROM storage.objects", exported.database.dbname
    )
    assert (result.storage_objects, result.storage_bytes) == (files, size)
    assert result.left_out["a one-time token is worth nothing elsewhere"] == 7
    [entry] = [entry for entry in exported.metadata.left_out if entry.kind == "storage files"]
    assert entry.name == f"{files} files in Storage, {size} bytes"
    assert [t.bytes for t in result.largest] == sorted((t.bytes for t in result.largest), reverse=True)


async def test_a_retaken_export_of_a_still_source_is_the_same_to_the_byte(
    company: Company, exported: Taken, tmp_path: Path
) -> None:
    """Whatever the number of workers."""
    other = Taken(company, tmp_path)
    await other.take(workers=4)

    assert other.files() == exported.files()


def test_progress_is_reported_in_rows_and_names_the_table(exported: Taken) -> None:
    """It never goes back, and ends with all of them."""
    result = exported.result

    reading, counting = ([p for p in exported.said if p.step == step] for step in ("export", "counts"))
    assert exported.said == reading + counting
    for told, verb in ((reading, "reading "), (counting, "counting ")):
        done = [progress.done for progress in told]
        assert done == sorted(done)
        assert done[-1] == result.rows == told[-1].total
        assert all(p.unit == "rows" and p.note.startswith(verb) for p in told)


@pytest.mark.parametrize("role", ["export-1", "snapshot"])
async def test_a_session_that_is_ended_in_the_middle_ends_the_export_in_a_sentence(
    taken: Any, run: Run, beside: Beside, role: str
) -> None:
    """A worker's or the snapshot's own: no metadata.json vouches for what there is, and the next attempt is whole."""
    with psycopg.connect(taken.database.admin_dsn, autocommit=True) as session:
        session.execute("CREATE TABLE public.big AS SELECT i AS id, md5(i::text) FROM generate_series(1, 60000) i")
        ended: list[bool] = []

        def end(progress: Progress) -> None:
            if progress.done and not ended:
                ended.extend(
                    found
                    for (found,) in session.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE %s",
                        [f"%/{role}"],
                    )
                )

        with pytest.raises(ServiceUnreachable) as caught:
            await taken.export()(run, end)
    assert ended == [True]
    assert len(str(caught.value).splitlines()) == 1
    assert caught.value.do
    assert not (taken.directory / "metadata.json").exists()

    await taken.take()
    whole = beside()
    await whole.take()
    assert taken.files() == whole.files()


async def test_an_export_that_is_whole_is_not_taken_again(taken: Any, run: Run) -> None:
    """A restart after the last file finds the result; nothing on disk is touched."""
    first = await taken.take(run)
    before = {p.name: p.stat().st_mtime_ns for p in taken.directory.iterdir()}
    taken.said.clear()

    assert await taken.take(run) == first
    assert {p.name: p.stat().st_mtime_ns for p in taken.directory.iterdir()} == before
    assert taken.said == []


async def test_leavings_of_a_crash_are_cleared_away(taken: Any, exported: Taken) -> None:
    """Files without metadata.json are believed by nobody, and none of them stays beside the new export."""
    for name, content in (
        ("orders.json", "[\n{}\n]\n"),
        ("dropped_meanwhile.json", "[\n]\n"),
        ("todos.json.partial", "[\n{"),
        ("freeze-prior.json", "{}"),
        ("journal.jsonl", ""),
    ):
        (taken.directory / name).write_text(content)

    await taken.take()

    kept = {"freeze-prior.json": b"{}", "journal.jsonl": b""}
    assert taken.files() == exported.files() | kept
    assert not (taken.directory / "archive").exists()


async def test_an_export_of_an_earlier_freeze_moves_to_the_archive(taken: Any, refrozen: Run) -> None:
    """It was vouched for once, so it is kept; the new one is in its place."""
    first = await taken.take()
    old = (taken.directory / "metadata.json").read_bytes()

    second = await taken.take(refrozen)

    assert second.sha256 != first.sha256
    [archived] = (taken.directory / "archive").iterdir()
    assert archived.name == "20260102-abcd-1"
    assert (archived / "metadata.json").read_bytes() == old
    assert (archived / "orders.json").read_bytes() == (taken.directory / "orders.json").read_bytes()


async def test_an_export_with_a_damaged_file_is_taken_again(taken: Any) -> None:
    """One byte is enough; the damaged one is kept in the archive."""
    await taken.take()
    whole = taken.files()
    path = taken.directory / "orders.json"
    path.write_bytes(path.read_bytes().replace(b"draft", b"drafx", 1))

    await taken.take()

    assert taken.files() == whole
    assert b"drafx" in (taken.directory / "archive" / "20260102-abcd-1" / "orders.json").read_bytes()


async def test_cancelled_in_the_middle_it_leaves_no_half_and_goes_on_from_there(
    taken: Any, exported: Taken, refrozen: Run
) -> None:
    """No metadata.json, no partial file, no session left behind; the next attempt is whole."""
    heard = asyncio.Event()

    def say(progress: Progress) -> None:
        if progress.done:
            heard.set()

    task = asyncio.create_task(taken.export()(refrozen, say))
    await heard.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert not (taken.directory / "metadata.json").exists()
    assert [path.name for path in taken.directory.glob("*.partial")] == ["export.partial"]
    await until_alone(taken.database)
    await taken.take(refrozen)
    assert taken.files() == exported.files()


async def until_alone(database: Company) -> None:
    question = "SELECT FROM pg_stat_activity WHERE datname = %s AND starts_with(application_name, 'cutover/')"
    for _ in range(2000):
        if not database.server.sql(question, parameters=[database.dbname]):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("a session of ours is still there")


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """A disk that is full, as far as this process can tell."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk_is_one_sentence_and_nothing_half(taken: Any) -> None:
    """The file that did not fit is not there under its name, nor is metadata.json."""
    with files_no_larger_than(60_000), pytest.raises(UsageError) as caught:
        await taken.take(workers=1)

    told = str(caught.value)
    assert "(File too large); no file of that name was created or changed; free disk space" in told
    assert not (taken.directory / "metadata.json").exists()
    assert [path.name for path in taken.directory.glob("*.partial")] == ["export.partial"]


async def test_a_table_that_may_not_be_read_is_one_sentence_with_the_grant(taken: Any) -> None:
    """Told before the first file is written."""
    server, dbname = taken.database.server, taken.database.dbname
    server.sql(
        'CREATE SCHEMA "Closed Room"; CREATE TABLE "Closed Room".plans ()', dbname
    )  # fmt: skip
    server.sql("REVOKE pg_read_all_data FROM postgres")
    try:
        with pytest.raises(ServiceRefused) as caught:
            await taken.take()
    finally:
        server.sql("GRANT pg_read_all_data TO postgres")

    assert str(caught.value) == (
        "the role of SUPABASE_DB_URL may not read all that is to be exported; nothing was exported;"
        ' run BEGIN READ WRITE; GRANT USAGE ON SCHEMA "Closed Room" TO postgres;'
        ' GRANT SELECT ON TABLE "Closed Room".plans TO postgres; COMMIT.'
    )
    assert list(taken.directory.iterdir()) == []


async def test_without_a_freeze_record_nothing_is_exported(taken: Any, run: Run) -> None:
    """The order of the night is kept even by a caller who forgets it."""
    with pytest.raises(UsageError) as caught:
        await taken.take(Run(opened=run.opened, last_at=run.last_at))

    assert str(caught.value) == (
        "the export was asked for before the freeze was proven; nothing was exported; give the signal frozen first."
    )
    assert list(taken.directory.iterdir()) == []

"""What a cut-off attempt had finished is kept when the source has provably not changed, and else taken again."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.plan.run import Run
from bot.ports import Progress
from bot.rehearsal.company import Company
from bot.rehearsal.postgres import EmbeddedPostgres, Resting


@pytest.fixture(scope="module")
def alone(two_companies: Resting) -> Iterator[Company]:
    """A server on which nobody else takes transaction ids, not even autovacuum."""
    with EmbeddedPostgres(settings={"autovacuum": "off"}, like=two_companies) as server:
        company = Company(server=server, dbname="small_company")
        server.sql(
            "CREATE TABLE public.last_of_all AS SELECT i AS id, md5(i::text) AS word FROM generate_series(1, 5000) i",
            company.dbname,
        )
        yield company


@pytest.fixture
def cut_off(alone: Company, taken: Any, run: Run) -> Any:
    """An attempt that was stopped when some tables were on disk."""
    taken.database = alone

    async def attempt() -> dict[str, tuple[int, int]]:
        stopped = asyncio.Event()

        def say(progress: Progress) -> None:
            if progress.step == "counts" or progress.note == "reading public.waiting_list":
                stopped.set()

        task = asyncio.create_task(taken.export(workers=1)(run, say))
        await stopped.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (taken.directory / "export.partial").exists()
        return written(taken.directory)

    return attempt


def written(directory: Path) -> dict[str, tuple[int, int]]:
    """Which file it is, and when it was written."""
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in directory.glob("*.json")}


async def test_files_of_an_unchanged_source_are_kept_as_they_are(taken: Any, cut_off: Any, run: Run) -> None:
    """The result says how many, and nothing of the attempt is left beside them."""
    before = await cut_off()

    result = await taken.take(run)

    assert before and written(taken.directory).items() >= before.items()
    assert (result.kept_files, result.retaken) == (len(before), False)
    assert taken.metadata.snapshot.kept_files == len(before)
    assert list(taken.directory.glob("*.partial")) == []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE public.settings SET value = value WHERE name = 'site'",
        pytest.param("INSERT INTO public.last_of_all VALUES (0, 'one more')", marks=pytest.mark.all),
        pytest.param("ALTER TABLE public.orders ALTER COLUMN note SET DEFAULT 'x'", marks=pytest.mark.all),
        "VACUUM ANALYZE public.orders",
    ],
)
async def test_after_any_transaction_all_is_taken_again(
    taken: Any, cut_off: Any, run: Run, change: str, alone: Company
) -> None:
    """Be it as harmless as it may: without the proof nothing is kept, and that is said."""
    before = await cut_off()
    alone.server.sql(change, alone.dbname)

    result = await taken.take(run)

    assert (result.kept_files, result.retaken) == (0, True)
    assert not before.items() & written(taken.directory).items()


async def test_files_of_another_freeze_are_not_kept(taken: Any, cut_off: Any, refrozen: Run) -> None:
    """Though nothing moved: they belong to what was proven then."""
    await cut_off()

    result = await taken.take(refrozen)

    assert (result.kept_files, result.retaken) == (0, True)


async def test_a_file_that_was_cut_short_since_is_taken_again(taken: Any, cut_off: Any, run: Run, beside: Any) -> None:
    """And so is one whose line in the list was torn; the others are kept."""
    before = await cut_off()
    (taken.directory / "settings.json").write_text("[\n")
    listed = taken.directory / "export.partial"
    *lines, _ = listed.read_text().splitlines(keepends=True)
    listed.write_text("".join(lines) + '{"schema_name":"pub')

    result = await taken.take(run)

    assert result.kept_files == len(before) - 2
    whole = beside()
    whole.database = taken.database
    await whole.take(run)
    assert taken.files() == whole.files()

"""The disk is looked at before the first file and while writing."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bot.errors import UsageError
from bot.supabase.export.space import Space


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A disk with as much room as `free` says."""
    found = SimpleNamespace(free=1_000_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: found)
    return found


async def test_an_export_that_cannot_fit_is_refused_before_the_first_file(taken: Any, disk: SimpleNamespace) -> None:
    """By the size of the tables in the source, in one sentence."""
    disk.free = 50_000

    with pytest.raises(UsageError) as caught:
        await taken.take()

    said = str(caught.value)
    assert said.startswith(f"The disk of {taken.directory} has 0 MB free, and what is still to be exported takes about")
    assert said.endswith(
        "no metadata.json was written, and no file was made half; make room on it, or move the run to a larger disk: "
        f"stop the bot (Ctrl-C), `mkdir -p NEW && cp -a {taken.directory}/. NEW/`, set MIGRATION_DATA_DIR to NEW and "
        "start `cutover run` again; it goes on where it was."
    )
    assert taken.files().keys() <= {"export.partial"}


def test_what_is_written_is_not_asked_for_again(disk: SimpleNamespace, tmp_path: Path) -> None:
    """Neither of a finished table nor of one under way, though it grows longer than it was in the source."""
    space = Space(tmp_path, {"a": 900_000_000, "b": 90_000_000})
    space.require()
    disk.free = 100_000_000
    with pytest.raises(UsageError, match="has 100 MB free"):
        space.require()

    space.wrote("a", 2_000_000_000)
    space.require()
    space.finished("a")
    disk.free = 80_000_000
    with pytest.raises(UsageError, match="about 90 MB in the source"):
        space.require()
    space.finished("b")
    space.require()


def test_others_who_fill_the_disk_are_noticed_while_writing(disk: SimpleNamespace, tmp_path: Path) -> None:
    """Within some 64 MB, not only at the next table."""
    space = Space(tmp_path, {"a": 500_000_000})
    space.wrote("a", 1_000_000)
    disk.free = 1_000_000

    with pytest.raises(UsageError):
        for _ in range(70):
            space.wrote("a", 1_000_000)

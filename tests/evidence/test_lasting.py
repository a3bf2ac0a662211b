"""A data directory that a restart would lose is refused, and nothing is started in it."""

from pathlib import Path

import pytest

from bot.artifacts.ephemeral_storage import Mount, mounts, refuse_ephemeral, why_ephemeral
from bot.errors import UsageError

_TABLE = r"""22 1 254:0 / / rw,relatime - ext4 /dev/root rw
30 22 0:5 / /dev rw,nosuid - devtmpfs devtmpfs rw
31 22 0:26 / /tmp rw,nosuid master:3 - tmpfs tmpfs rw
32 22 0:27 / /srv/my\040disk rw - xfs /dev/sdb1 rw
33 22 0:28 / /box rw - overlay overlay rw,lowerdir=/a,upperdir=/b
34 33 0:29 / /box/data rw - ext4 /dev/sdc1 rw
35 22 0:30 / /srv/over rw - ext4 /dev/sdd1 rw
36 22 0:31 / /srv/over rw - tmpfs tmpfs rw
"""


@pytest.fixture
def mounted(tmp_path: Path) -> list[Mount]:
    table = tmp_path / "mountinfo"
    table.write_text(_TABLE)
    return list(mounts(table))


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/home/ada/migration-data", ""),
        ("/tmp/migration-data", "in memory (tmpfs)"),
        ("/tmpfs/migration-data", ""),
        ("/srv/my disk/night", ""),
        ("/box/night", "in a container's own layer (overlay)"),
        ("/box/data/night", ""),
        ("/srv/over/night", "in memory (tmpfs)"),
    ],
)
def test_the_file_system_that_holds_it_decides(path: str, why: str, mounted: list[Mount]) -> None:
    """The deepest mount above it, and of two at one place the later; a name that only begins alike is another."""
    assert why_ephemeral(Path(path), mounted, dyno=False) == why


def test_where_no_system_tells_nothing_is_refused(tmp_path: Path) -> None:
    """Not every system has the table."""
    assert why_ephemeral(tmp_path, mounts(tmp_path / "there is none"), dyno=False) == ""


def test_a_dyno_lasts_nowhere(tmp_path: Path) -> None:
    """Whatever its file system is called; the sentence names the way out."""
    with pytest.raises(UsageError) as error:
        refuse_ephemeral(tmp_path, dyno=True)
    assert str(error.value) == (
        f"The data directory {tmp_path} is on a dyno, which loses its files at every restart: you would lose "
        "the journal, the export and the mapping; nothing was started; set MIGRATION_DATA_DIR to a directory on a "
        "persistent disk, or accept that with run.ephemeral_ok = true."
    )

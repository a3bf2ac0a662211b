"""One bot at a time in a data directory."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.directory_lock import LOCK, DataDirectoryLock, holder_of
from bot.errors import LockHeld

HOLD = """
import sys
from pathlib import Path
from bot.directory_lock import DataDirectoryLock
lock = DataDirectoryLock.take(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None and child.stdout.readline() == "held\n"
        yield child
        child.kill()


def test_a_second_process_is_refused_and_hears_who_holds_it(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    """The refusal names the holder's pid, exits with 4, and leaves the lock as it is."""
    with pytest.raises(LockHeld) as refusal:
        DataDirectoryLock.take(tmp_path)
    assert str(refusal.value) == (
        f"Another Cutover (process {holder.pid}) works in {tmp_path}; nothing was touched; "
        "wait for it or end it, or give this one another MIGRATION_DATA_DIR."
    )
    assert refusal.value.exit_code == 4
    assert (tmp_path / LOCK).read_text() == f"{holder.pid}\n"


def test_the_holder_is_distinguished_from_whoever_has_its_number(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    """A pid of another machine may be that of any process here: only one that has the file open is named."""
    assert holder_of(tmp_path) == holder.pid
    holder.kill()
    holder.wait()
    assert holder_of(tmp_path) is None
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        (tmp_path / LOCK).write_text(f"{stranger.pid}\n")
        assert holder_of(tmp_path) is None
        stranger.kill()
    for nobody in ("", "0", "-1", "x"):
        (tmp_path / LOCK).write_text(nobody)
        assert holder_of(tmp_path) is None
    assert holder_of(tmp_path / "nowhere") is None


def test_a_killed_holder_holds_no_more(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    """SIGKILL frees the lock without anybody's help."""
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with DataDirectoryLock.take(tmp_path):
        assert (tmp_path / LOCK).read_text() == f"{os.getpid()}\n"


def test_it_can_be_waited_for(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    """Who waits gets it when the holder ends."""
    assert holder.stdin is not None
    holder.stdin.close()
    DataDirectoryLock.take(tmp_path, wait_seconds=30).release()


def test_the_file_stays_and_is_private(tmp_path: Path) -> None:
    """Releasing keeps the file, so that everybody locks the same one."""
    with DataDirectoryLock.take(tmp_path):
        pass
    assert (tmp_path / LOCK).stat().st_mode & 0o777 == 0o600
    with DataDirectoryLock.take(tmp_path) as lock:
        lock.release()
        lock.release()

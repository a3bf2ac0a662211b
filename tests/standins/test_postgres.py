"""The embedded server: it starts, it checks passwords, and it never outlives whoever started it."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from bot.errors import UsageError
from bot.rehearsal import postgres_binaries
from bot.rehearsal.postgres import EmbeddedPostgres

_OWNER = """
import sys, threading
from bot.rehearsal.postgres import EmbeddedPostgres
server = EmbeddedPostgres()
starter = threading.Thread(target=server.start)
starter.start()
starter.join()
print(server.port, server.data_dir.parent, flush=True)
sys.stdin.read()
"""


def answers(port: int) -> bool:
    """Say whether a server is there, whatever it answers."""
    try:
        psycopg.connect(f"postgresql://nobody:none@127.0.0.1:{port}/postgres", connect_timeout=5).close()
    except psycopg.OperationalError as error:
        return "Connection refused" not in str(error)
    return True


def test_logical_slots_and_prepared_transactions_are_possible(server: EmbeddedPostgres) -> None:
    """The server is set up as a hosted one is, where the defaults would refuse both."""
    assert server.sql("SELECT current_setting('wal_level'), current_setting('max_prepared_transactions')") == [
        ("logical", "10")
    ]
    assert server.sql("SELECT current_user, usesuper FROM pg_user WHERE usename = current_user") == [
        ("supabase_admin", True)
    ]


def test_a_wrong_password_is_refused(server: EmbeddedPostgres) -> None:
    """A DSN with the wrong password opens nothing, even from this machine."""
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.dsn("postgres", server.superuser, password="guessed"))


def test_odd_characters_survive_a_dsn() -> None:
    """A password and a database of any characters can be written into a DSN."""
    with EmbeddedPostgres(password="p@ss:/wörd? %") as own:
        own.sql('CREATE DATABASE "a/b c"')
        assert own.sql("SELECT current_database()", "a/b c") == [("a/b c",)]


def test_a_stopped_server_leaves_nothing_behind() -> None:
    """After `with` nobody answers on the port and the temporary directory is gone."""
    with EmbeddedPostgres() as own:
        port, directory = own.port, own.data_dir.parent
        assert answers(port)
        assert directory.is_dir()
    assert not answers(port)
    assert not directory.exists()


@pytest.fixture
def room() -> Iterator[Path]:
    """A directory that the server's account can enter, which pytest's own is not when we are root."""
    with tempfile.TemporaryDirectory(dir=postgres_binaries.open_directory()) as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_given_data_directory_stays(room: Path) -> None:
    """A cluster put where the caller wants it is still there after the stop."""
    EmbeddedPostgres().start(room / "data").stop()
    assert (room / "data" / "PG_VERSION").read_text() == "18\n"


def test_a_server_begins_as_a_copy_of_another(room: Path) -> None:
    """With its data and its passwords; what the copy does is its own, and so is where it lies."""
    first = EmbeddedPostgres().start()
    first.sql("CREATE TABLE there AS SELECT 1 AS n")
    resting = first.save(room / "resting")
    assert not answers(first.port)
    for _ in range(2):
        with EmbeddedPostgres(like=resting) as copy:
            assert copy.sql("SELECT n FROM there") == [(1,)]
            copy.sql("DROP TABLE there")
            assert copy.data_dir != resting.data_dir
    assert (resting.data_dir / "PG_VERSION").exists()


def test_the_server_dies_with_a_killed_owner() -> None:
    """Killed by SIGKILL, the owner takes server and files along, though a thread now ended had started it."""
    owner = subprocess.Popen(
        [sys.executable, "-c", _OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    )
    assert owner.stdout is not None
    assert owner.stdin is not None
    port, directory = owner.stdout.readline().split()
    try:
        assert answers(int(port))
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        deadline = time.monotonic() + 180
        while answers(int(port)) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not answers(int(port))
        while Path(directory).exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not Path(directory).exists()
    finally:
        owner.stdout.close()
        owner.stdin.close()


def test_a_missing_wheel_is_one_clear_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the wheel the fix is named and nothing is started."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(UsageError) as refusal:
        EmbeddedPostgres().start()
    assert str(refusal.value) == (
        "the embedded PostgreSQL that the rehearsal runs on is not installed; nothing was started; "
        "install it with pip install 'cutover[rehearsal]'."
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs a copy")
def test_a_copy_that_others_may_write_to_is_not_trusted(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted directory of the right name is passed over for a private copy; a sound one is used again."""
    monkeypatch.setattr(tempfile, "tempdir", str(room))
    first = postgres_binaries.find_binaries().directory
    assert postgres_binaries.find_binaries().directory == first
    planted = next(room.iterdir())
    planted.chmod(0o777)
    assert planted not in postgres_binaries.find_binaries().directory.parents

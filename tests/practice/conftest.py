"""The real command in an environment of its own, and one practice of the company that many tests look at."""

import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest

from bot import cli
from bot.artifacts import metadata
from bot.artifacts.metadata import Metadata
from bot.rehearsal.company import Company
from tests import preloaded


class Told(NamedTuple):
    code: int
    out: str
    err: str


def environment(company: Company, **more: str) -> dict[str, str]:
    """All that a practice needs, and nothing of ours."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "SUPABASE_DB_URL": company.dsn, **more}


def cutover(here: Path, env: Mapping[str, str], *arguments: str) -> Told:
    """`cutover` with these arguments in the directory `here`, whose `migration-data` is the data directory."""
    return Told(*preloaded.run(*arguments, cwd=here, env=env))


@pytest.fixture
def at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Told]]:
    """`cutover` in this process, in `tmp_path`: for what it decides before it asks anybody."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def run(env: Mapping[str, str], *arguments: str) -> Told:
        monkeypatch.setattr(os, "environ", dict(env))
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["cutover", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return Told(int(ended.value.code or 0), *capsys.readouterr())

    yield run
    for number, handler in before.items():
        signal.signal(number, handler)


class Trap:
    """Listens where Slack, Stack Auth and Supabase's API would, and keeps what it was asked."""

    def __init__(self) -> None:
        asked = self.asked = list[str]()

        class Handler(BaseHTTPRequestHandler):
            def handle(self) -> None:
                asked.append(self.client_address[0])

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    @property
    def settings(self) -> dict[str, str]:
        return {
            "SLACK_API_URL": f"{self.url}/api/",
            "SLACK_BOT_TOKEN": "xoxb-1",
            "SLACK_APP_TOKEN": "xapp-1",
            "SUPABASE_URL": self.url,
            "SUPABASE_SERVICE_ROLE_KEY": "sb_secret_1",
            "STACK_AUTH_API_URL": self.url,
            "STACK_AUTH_PROJECT_ID": "p-1",
            "STACK_AUTH_SECRET_KEY": "ssk_1",
        }


@dataclass(frozen=True)
class Taken:
    """A practice that went well. `transactions` is what the server's transactions were before and after it."""

    here: Path
    told: Told
    directory: Path
    transactions: tuple[str, str]
    asked: list[str]

    @property
    def metadata(self) -> Metadata:
        return metadata.read(self.directory / "metadata.json")

    @property
    def data(self) -> Path:
        return self.here / "migration-data"


@pytest.fixture(scope="session")
def taken(company: Company, tmp_path_factory: pytest.TempPathFactory) -> Taken:
    """Look at it, but change nothing in it."""
    here, trap = tmp_path_factory.mktemp("practice"), Trap()
    listening = threading.Thread(target=trap.server.serve_forever, daemon=True)
    listening.start()
    snapshot = "SELECT pg_current_snapshot()::text"
    [[before]] = company.server.sql(snapshot)
    told = cutover(here, environment(company, **trap.settings), "practice")
    [[after]] = company.server.sql(snapshot)
    trap.server.shutdown()
    trap.server.server_close()
    assert told.code == 0, told.err
    [directory] = (here / "migration-data" / "practice").glob("2*")
    return Taken(here, told, directory, (before, after), trap.asked)


@pytest.fixture
def copied(taken: Taken, tmp_path: Path) -> Callable[[str], Path]:
    """The bundle of the practice once more, in a directory of this name that a test may change."""

    def copy(name: str) -> Path:
        return Path(shutil.copytree(taken.directory, tmp_path / name))

    return copy


@pytest.fixture
def contents() -> Callable[[Path], dict[str, bytes]]:
    """What lies in a directory and below it, file by file."""
    return lambda directory: {
        str(path.relative_to(directory)): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()
    }

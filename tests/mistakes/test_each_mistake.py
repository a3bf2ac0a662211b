"""Each mistake of the table is really made: one sentence with its fix, the promised exit code, nothing changed, and no
piece of a secret anywhere. The command is the real one, in this process, in a world where everything else is right.
"""

import asyncio
import json
import logging
import os
import signal
import socket
import sys
import threading
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import psycopg
import pytest
import structlog
from psycopg.conninfo import conninfo_to_dict

from bot import settings
from bot.cli import main
from bot.errors import WrongSettings
from bot.rehearsal.night import Night
from bot.rehearsal.standins.slack import Channel
from bot.supabase.database import Database
from tests.freeze.middlemen import CLEARTEXT, ELSEWHERE, certificate, middleman, refusal, tls_server
from tests.mistakes.cases import MISTAKES, Mistake
from tests.night.playing import fast_night, free_port

_PLANTED = "pl4nted"
"""Part of every wrong secret: it may be told nowhere."""
_WITHIN_SECONDS = 60
_ALL = {mistake.name: mistake for mistakes in MISTAKES.values() for mistake in mistakes}
_SPEAKS = [name for name, mistake in _ALL.items() if isinstance(mistake.says, str)]


class Ended(NamedTuple):
    code: int
    out: str
    err: str


@dataclass
class World:
    """`words` are the placeholders in the values of the table, each with what is here."""

    night: Night
    words: dict[str, str]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """In a loop of its own thread: a command has the main thread, as from a shell."""
    directory = tmp_path_factory.mktemp("world")
    there, over = threading.Event(), asyncio.Event()
    made: list[Night | BaseException] = []
    loop = asyncio.new_event_loop()

    async def live() -> None:
        try:
            async with fast_night(directory / "night") as night:
                night.slack.add_channel(Channel("C0UNINVITED", "uninvited", is_member=False))
                made.append(night)
                there.set()
                await over.wait()
        except BaseException as error:
            made.append(error)
            there.set()
            raise

    thread = threading.Thread(target=lambda: loop.run_until_complete(live()))
    thread.start()
    assert there.wait(120)
    [night] = made
    assert isinstance(night, Night), night
    try:
        with ExitStack() as closing:
            yield World(night, dict(_words(night, directory, closing)))
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(30)
        loop.close()


def _words(night: Night, directory: Path, closing: ExitStack) -> Iterator[tuple[str, str]]:
    source, web = conninfo_to_dict(night.company.dsn), urlsplit(night.slack.api_url)
    claims = json.dumps({"iss": "supabase", "role": "service_role", "ref": "anotherprojectabcdef"}).encode()
    yield "SOURCE-FROM-ELSEWHERE", f"{ELSEWHERE}:{source['port']}"
    yield "SOURCE", f"{source['host']}:{source['port']}"
    yield "KNOWN-SECRET", quote(str(source["password"]), safe="")
    yield "ANON-KEY", night.gateway.anon_key
    yield "KEY-OF-ANOTHER-PROJECT", f"eyJ.{urlsafe_b64encode(claims).decode().rstrip('=')}.{_PLANTED}"
    yield "CLOSED-PORT", f"127.0.0.1:{free_port()}"
    yield "WEB-SERVER", f"{web.hostname}:{web.port}"
    yield "NOWHERE", ".".join(["nowhere"] * 40)  # longer than any name, so that no resolver is asked
    yield "NO-ROUTE", "ff0e::1"  # many at once, to whom there is no connection
    silent = closing.enter_context(socket.create_server(("127.0.0.1", 0)))
    yield "SILENT-SERVER", f"127.0.0.1:{silent.getsockname()[1]}"
    nobodys = certificate(directory, "nobodys", address="127.0.0.1")
    yield "TLS-SERVER", f"127.0.0.1:{closing.enter_context(tls_server(nobodys))}"
    yield "SUPABASES", str(certificate(directory, "supabases").with_suffix(""))
    with psycopg.connect(night.company.admin_dsn, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE sleeper NOLOGIN PASSWORD '{_PLANTED}'")
        admin.execute(f"CREATE ROLE crowded LOGIN PASSWORD '{_PLANTED}' CONNECTION LIMIT 0")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """What a command sets for its own process is this one's again."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    signals = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    for number, handler in signals.items():
        signal.signal(number, handler)


@pytest.fixture
def cutover(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> "Cutover":
    return Cutover(world, tmp_path, monkeypatch, capsys)


@dataclass
class Cutover:
    """The command, in a directory of its own."""

    world: World
    directory: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def make(self, mistake: Mistake, *arguments: str) -> Ended:
        """`arguments` of the command after what the mistake gives; a command that goes on is interrupted."""
        (self.directory / ".env").write_text(f"{mistake.dotenv}\n")
        if mistake.toml:
            (self.directory / "cutover.toml").write_text(f"{mistake.toml}\n")
        with ExitStack() as closing:
            words = {**self.world.words, **self._pooler(mistake, closing)}
            given = {name: value and _filled(value, words) for name, value in mistake.given.items()}
            return self._ended({**self.world.night.environment, **given}, *arguments, *mistake.options)

    def _pooler(self, mistake: Mistake, closing: ExitStack) -> Mapping[str, str]:
        if not mistake.answers and not mistake.shows:
            return {}
        shown = None
        if mistake.shows:
            address = "192.0.2.1" if mistake.shows == "another name" else ELSEWHERE
            days = -3 if mistake.shows == "expired" else 0
            shown = certificate(self.directory, "shown", address=address, days=days)
        answer = refusal(mistake.answers) if mistake.answers else CLEARTEXT
        listening = closing.enter_context(middleman(answer, shown))
        return {"POOLER": f"{ELSEWHERE}:{listening.port}", "SHOWN": str(self.directory / "shown")}

    def _ended(self, environment: Mapping[str, str | None], *arguments: str) -> Ended:
        given = {name: value for name, value in environment.items() if value is not None}
        data = {"MIGRATION_DATA_DIR": str(self.directory / "data")}
        self.monkeypatch.chdir(self.directory)
        self.monkeypatch.setattr(sys, "argv", ["cutover", *arguments])
        for name in [name for name in os.environ if name not in given]:
            self.monkeypatch.delenv(name)
        for name, value in {**given, **data}.items():
            self.monkeypatch.setenv(name, value)
        alarm = threading.Timer(_WITHIN_SECONDS, os.kill, (os.getpid(), signal.SIGINT))
        alarm.start()
        try:
            with pytest.raises(SystemExit) as ended:
                main()
        finally:
            alarm.cancel()
        out, err = self.capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, out, err)


def _filled(value: str, words: Mapping[str, str]) -> str:
    for word, meant in words.items():
        value = value.replace(word, meant)
    return value


def _whole(mistake: Mistake) -> str:
    """What is on stderr."""
    said = mistake.says if isinstance(mistake.says, str) else str(WrongSettings(mistake.says))
    return "cutover: " + said.replace("\n", "\n      ") + "\n"


def _secrets(night: Night) -> list[str]:
    environment = night.environment
    password = str(conninfo_to_dict(environment["SUPABASE_DB_URL"])["password"])
    keys = [environment[name] for name in environment if name.endswith(("_TOKEN", "_KEY"))]
    return [_PLANTED, password, environment["SUPABASE_DB_URL"], *keys]


@pytest.mark.parametrize("name", _ALL)
def test_each_mistake_is_reported_in_a_sentence_with_its_fix(cutover: Cutover, name: str) -> None:
    """The sentence of docs/mistakes.md is what `cutover run` says, once, below the trace that `--debug` asks for. No
    piece of a secret is in either; nothing is posted, and no directory is left.
    """
    mistake, night = _ALL[name], cutover.world.night
    said, calls = len(night.slack.messages), len(night.slack.calls)
    ended = cutover.make(mistake, "--debug", "run", "--once")
    assert (ended.code, ended.out) == (mistake.code, "")
    trace, cutover_, sentence = ended.err.partition("cutover: ")
    assert f"{cutover_}{sentence}" == _whole(mistake)
    assert trace.startswith("Traceback")
    assert [secret for secret in _secrets(night) if secret in ended.err] == []
    assert len(night.slack.messages) == said
    assert not (cutover.directory / "data").exists()
    if not isinstance(mistake.says, str):
        assert len(night.slack.calls) == calls, "a mistake of settings is reported before anything is contacted"


_AWAY = [
    "nothing listens there",
    "the direct host, from a machine without IPv6",
    "the password is wrong",
    "all sessions of the pooler are taken",
    "SUPABASE_URL leads to another service",
    "STACK_AUTH_API_URL leads to another service",
    "there is no such channel",
]


@pytest.mark.parametrize("name", _AWAY)
def test_doctor_says_the_same_once(cutover: Cutover, name: str) -> None:
    """As the finding of its check: cause and fix, however many questions need that service, and exit code 5."""
    mistake = _ALL[name]
    assert isinstance(mistake.says, str)
    ended = cutover.make(mistake, "doctor")
    assert (ended.code, mistake.code) == (5, 5)
    happened, _, fix = (" ".join(part.split()).casefold() for part in mistake.says.split("; ", 2))
    told = " ".join(ended.out.split()).casefold()
    assert told.count(happened) == 1
    assert told.count(fix.removesuffix(".")) == 1
    assert [secret for secret in _secrets(cutover.world.night) if secret in ended.out + ended.err] == []


@pytest.mark.parametrize(
    "written",
    [
        "postgresql://odd:pa?ss@SOURCE/postgres",
        "postgresql://odd:[pass]@SOURCE/postgres",
        "postgresql://odd:pa[ss@SOURCE/postgres",
        "postgresql://odd:pw@SOURCE/postgres?options=-c%20geqo%3Doff",
        "host=HOST port=PORT user=odd password=pw dbname=postgres",
        "postgresql://odd:a${HOME}#b@SOURCE/postgres",
        "postgresql://odd:p%40ss%2Fw%23rd@SOURCE/postgres",
    ],
)
async def test_what_psql_takes_connects(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    """From `.env`, through the settings, to a session on the server."""
    source = conninfo_to_dict(world.night.company.dsn)
    dsn = _filled(written, {**world.words, "HOST": str(source["host"]), "PORT": str(source["port"])})
    password = str(conninfo_to_dict(dsn)["password"])
    with psycopg.connect(world.night.company.admin_dsn, autocommit=True) as admin:
        admin.execute("DROP ROLE IF EXISTS odd")
        admin.execute(f"CREATE ROLE odd LOGIN PASSWORD '{password}'")
    (tmp_path / ".env").write_text(f"SUPABASE_DB_URL={dsn}\n")
    monkeypatch.delenv("SUPABASE_DB_URL", raising=False)
    given = settings.load(("source",), directory=tmp_path).supabase_db_url
    assert given is not None
    async with Database(given.get_secret_value()).session("test") as session:
        [user] = await (await session.execute("SELECT current_user")).fetchone() or [None]
    assert user == "odd"

"""`cutover thaw` and `cutover abort` as somebody types them at night: the connection to the source is all they need."""

import asyncio
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from bot.artifacts import data_directory, files
from bot.cli import main
from bot.errors import WrongSettings
from bot.plan.events import Parties, RunOpened
from bot.record import EventRecord, read_run
from bot.rehearsal.company import Company
from bot.rehearsal.standins.gateway import GatewayStandin
from tests import preloaded

_FAR = "https://0.0.0.0:1"
"""An address that is no loopback, so that proxy and certificates count; nothing listens there."""
_KEY = "sb_secret_pl4nted"
_API = {"SUPABASE_URL": _FAR, "SUPABASE_SERVICE_ROLE_KEY": _KEY}
_THAWED = "pass  thaw-writes  A new session can write again (CREATE TEMP TABLE and an UPDATE of no row)."
_UNKNOWN = "warn  thaw-api  Whether the public API accepts writes again is not known"

_LIBPQ = {
    "PGHOSTADDR": "192.0.2.1",
    "PGSERVICE": "none",
    "PGSSLMODE": "verify-full",
    "PGSSLROOTCERT": "/none",
    "PGOPTIONS": "-c nothing=1",
    "PGTZ": "Nowhere",
    "PGREQUIREAUTH": "none",
    "PGTARGETSESSIONATTRS": "standby",
    "PGPORT": "1",
    "PGCLIENTENCODING": "none",
}
_ENVIRONMENTS: dict[str, tuple[dict[str, str], int, str]] = {
    "all that is wrong below": (
        {
            **_API,
            **_LIBPQ,
            "ALL_PROXY": "socks://proxy:1080",
            "NO_PROXY": "[::1",
            "SSL_CERT_FILE": "/none/such.pem",
            "SSLKEYLOGFILE": "/none/such",
            "OPENSSL_CONF": "/none/such.cnf",
            "PORT": "here",
            "CUTOVER__SLACK__CHANNEL": "#cutover",
        },
        5,
        f"{_UNKNOWN}: the Supabase API could not be reached: no client can be made with what ",
    ),
    "a proxy of a kind that is not known": (
        {**_API, "ALL_PROXY": "socks://proxy:1080"},
        5,
        f"{_UNKNOWN}: the Supabase API could not be reached: no client can be made with what ALL_PROXY holds "
        "(ValueError).",
    ),
    "certificates that are missing": (
        {**_API, "SSL_CERT_FILE": "/none/such.pem", "SSL_CERT_DIR": "/none"},
        5,
        f"{_UNKNOWN}: the Supabase API could not be reached: no client can be made with what SSL_CERT_FILE holds "
        "(FileNotFoundError).",
    ),
    "other settings that are malformed": (
        {
            "PORT": "here",
            "CUTOVER__EXPORT__WORKERS": "many",
            "CUTOVER__NOPE__X": "1",
            "CUTOVER__SLACK__CHANNEL": "#cutover",
            "SLACK_API_URL": "nowhere",
        },
        0,
        "warn  other-settings  The thaw needed none of the settings that are wrong: Unknown setting "
        "`CUTOVER__NOPE__X`. PORT must be a whole number from 1 to 65535. slack.channel is not a channel ID (C0… or "
        "G0…, at the end of the channel's details). export.workers must be a whole number from 1 to 32.",
    ),
    "every variable that libpq reads": (_LIBPQ, 0, _THAWED),
    "a proxy that is garbage": (
        {**_API, "HTTPS_PROXY": "http://[::1", "https_proxy": "http://[::1"},
        5,
        f"{_UNKNOWN}: the Supabase API could not be reached: no client can be made with what HTTPS_PROXY or "
        "https_proxy holds (InvalidURL).",
    ),
    "a proxy that is away": (
        {**_API, "HTTPS_PROXY": "http://127.0.0.1:1"},
        5,
        f"{_UNKNOWN}: the Supabase API could not be reached (connection refused, with a proxy in HTTPS_PROXY).",
    ),
    "a file for keys of sessions that cannot be opened": ({"SSLKEYLOGFILE": "/none/such"}, 0, _THAWED),
    "a configuration of OpenSSL that is missing": ({"OPENSSL_CONF": "/none/such.cnf"}, 0, _THAWED),
    "an address without TLS and another key": (
        {"SUPABASE_URL": "http://example.com", "SUPABASE_SERVICE_ROLE_KEY": "sb_publishable_pl4nted"},
        5,
        f"{_UNKNOWN}, since it could not be asked: SUPABASE_URL is an http:// address of another machine, which would "
        "be sent the key unencrypted; write https://. SUPABASE_SERVICE_ROLE_KEY holds a publishable key "
        "(sb_publishable_…) and takes the secret key (or legacy service_role key).",
    ),
    "an address without its key": (
        {"SUPABASE_URL": _FAR},
        5,
        f"{_UNKNOWN}, since it could not be asked: SUPABASE_SERVICE_ROLE_KEY is missing.",
    ),
    "nothing but the connection": ({}, 0, _THAWED),
}
_SHOWN_ALWAYS = list(_ENVIRONMENTS)[:1]


@pytest.mark.parametrize(
    "name",
    [name if name in _SHOWN_ALWAYS else pytest.param(name, marks=pytest.mark.all) for name in _ENVIRONMENTS],
)
async def test_a_thaw_needs_the_connection_alone(
    name: str, source: Company, freeze: Callable[[], object], tmp_path: Path
) -> None:
    """Whatever the environment holds, Supabase writes again, and what is not proven is said."""
    environment, code, line = _ENVIRONMENTS[name]
    freeze()
    assert not _writes(source)
    ended, told, complaint = await _cutover(source, tmp_path, environment, "thaw")
    assert (ended, complaint) == (code, "")
    assert _THAWED in told
    assert line in told
    assert "pl4nted" not in told
    assert _writes(source)
    assert (tmp_path / "data" / files.THAW).exists()


async def test_an_abort_needs_the_connection_alone(
    source: Company, freeze: Callable[[], object], tmp_path: Path
) -> None:
    """The run is marked, Supabase writes again, and the exit code says that its API was not asked."""
    freeze()
    directory = data_directory.open_directory(tmp_path / "data")
    record = EventRecord.open(directory)
    parties = Parties(source_ref="", source_database="postgres", target_project="p")
    at = datetime(2026, 4, 1, tzinfo=UTC)
    opened = RunOpened(at=at, run_id="20260401-ab12", parties=parties, channel="C1", approvers=("U1",), retain_days=90)
    record.append([opened])
    record.close()
    environment = {**_API, "ALL_PROXY": "socks://proxy:1080", "PORT": "here", "CUTOVER__NOPE__X": "1"}
    ended, told, complaint = await _cutover(source, tmp_path, environment, "abort", "--yes")
    assert (ended, complaint) == (5, "")
    assert _THAWED in told
    assert f"{_UNKNOWN}: the Supabase API could not be reached: no client can be made with what ALL_PROXY" in told
    assert "Run 20260401-ab12 is aborted. Supabase is unfrozen and writes work.\n" in told
    assert _writes(source)
    run = read_run(directory)
    assert run is not None
    assert run.phase == "aborted"


async def test_this_machine_s_api_is_asked_past_any_proxy(
    source: Company, standin: GatewayStandin, freeze: Callable[[], object], tmp_path: Path
) -> None:
    """So a rehearsal, or a Supabase on this machine, is thawed whole."""
    freeze()
    environment = {
        "SUPABASE_URL": standin.url,
        "SUPABASE_SECRET_KEY": standin.service_role_key,
        "ALL_PROXY": "socks://proxy:1080",
        "SSL_CERT_FILE": "/none/such.pem",
    }
    ended, told, complaint = await _cutover(source, tmp_path, environment, "thaw")
    assert (ended, complaint) == (0, "")
    assert "pass  thaw-api  " in told


async def test_a_database_that_cannot_be_reached_ends_with_its_cause(source: Company, tmp_path: Path) -> None:
    """With 5 and one sentence, not as a bug; and the connection itself is the one setting that is needed."""
    environment = {"SUPABASE_DB_URL": "postgresql://postgres:pl4nted@127.0.0.1:1/postgres", "PORT": "here"}
    assert await _cutover(source, tmp_path, environment, "thaw") == (
        5,
        "",
        "cutover: nothing listens at the host and port of SUPABASE_DB_URL (connection refused); nothing was changed; "
        "check both, and that the database is up, then try again.\n",
    )
    ended, _, complaint = await _cutover(source, tmp_path, {"SUPABASE_DB_URL": ""}, "thaw")
    assert (ended, complaint) == (
        2,
        f"cutover: {WrongSettings(['SUPABASE_DB_URL is missing'])}\n",
    )


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://postgres:pl4nted@ss/w#pl4nted@127.0.0.1:1/postgres",
        "postgresql://postgres:pl4nted100%@127.0.0.1:1/postgres",
        "postgresql://postgres:pl4nted@127.0.0.1:1/postgres?sslmode=no-verify",
        "postgresql://postgres:pl4nted@127.0.0.1:1/postgres?pgbouncer=true",
        "postgresql://postgres:pl4nted@127.0.0.1:1/postgres?sslmode=verify-full&sslrootcert=/missing.crt",
        "postgresql://postgres:pl4[nted@127.0.0.1:1/postgres",
    ],
)
def test_no_piece_of_a_password_is_ever_shown(
    dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither in the sentence nor in the trace that `--debug` adds, whatever libpq takes for host or database."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("SUPABASE_", "CUTOVER__"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SUPABASE_DB_URL", dsn)
    monkeypatch.setattr(sys, "argv", ["cutover", "--debug", "thaw"])
    with pytest.raises(SystemExit) as ended:
        main()
    told, complaint = capsys.readouterr()
    assert ended.value.code in {2, 5}
    assert told == ""
    assert "SUPABASE_DB_URL" in complaint
    for piece in ("pl4nted", "pl4[", "nted@", "w#"):
        assert piece not in complaint, complaint


async def _cutover(
    source: Company, directory: Path, environment: dict[str, str], *arguments: str
) -> tuple[int, str, str]:
    """The command with nothing but this in its environment: exit code, stdout, stderr."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    process = await preloaded.start(
        *arguments,
        env={
            **kept,
            "SUPABASE_DB_URL": source.dsn,
            "MIGRATION_DATA_DIR": str(directory / "data"),
            **environment,
        },
        cwd=directory,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def _writes(source: Company) -> bool:
    with psycopg.connect(source.dsn, autocommit=True) as session:
        try:
            session.execute("CREATE TEMP TABLE written (id int)")
        except psycopg.errors.ReadOnlySqlTransaction:
            return False
        return True

"""The SQL that thaws, copied out of the channel by hand, with nothing else of Cutover at work."""

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg.errors import Error

from bot.plan import events as e
from bot.plan.decide import open_run
from bot.plan.fold import after, fold
from bot.plan.inputs import Open
from bot.rehearsal.company import Company
from bot.rehearsal.postgres_binaries import find_binaries
from bot.rehearsal.standins.slack import DEFAULT_SCOPES, SlackStandin
from bot.rehearsal.standins.slack.reading import blocks_of_code, seen
from bot.slack.calls import identify
from bot.slack.channel import SlackChannel
from bot.slack.client import connect
from bot.supabase.database import Database
from bot.supabase.locks import SourceLock
from bot.supabase.source import SupabaseSource

NOW = datetime(2024, 11, 24, 22, 0, tzinfo=UTC)
HOOK = """a "b" & <c>*d*_e_"""


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


async def _copied(way_back: str, *, as_file: bool) -> str:
    """What a reader copies from the thread of the freeze gate: the file, or without the scope for files the code."""
    scopes = DEFAULT_SCOPES if as_file else DEFAULT_SCOPES - {"files:write"}
    slack = SlackStandin(posts_per_second=1000.0, post_burst=1000, scopes=scopes)
    await slack.start()
    try:
        client = connect(slack.bot_token, slack.api_url)
        identity = await identify(client, channel=slack.channel.id, app_token=slack.app_token)
        channel = SlackChannel(client, channel=slack.channel.id, identity=identity)
        parties = e.Parties(source_ref="abcdefgh", source_database="postgres", target_project="p-1")
        command = Open(
            run_id="20241124-ab12",
            parties=parties,
            channel=slack.channel.id,
            approvers=("U0ADA",),
            retain_days=90,
            accepted_ahead=(),
            way_back=way_back,
        )
        run = fold(list(open_run(command, NOW)))
        assert run is not None
        while owed := [delivery.post for delivery in run.deliveries.values() if not delivery.ts]:
            for post in owed:
                ts = await channel.post(run, post, None, (1, "f" * 64))
                run = after(run, e.Posted(at=NOW, key=post.key, ts=ts, displayed_state=""))
        for delivery in run.deliveries.values():  # as after a post of unknown fate
            if delivery.file is None:
                await channel.redraw(run, delivery.post, delivery.ts, None, (1, "f" * 64))
        thread = [message.text for message in slack.messages if message.thread_ts]
        assert len(slack.files) == as_file
        files = [file.content.decode() for file in slack.files]
        return "\n".join(files or [code for text in thread for code in blocks_of_code(text)])
    finally:
        await slack.stop()


def _run(sql: str, source: Company, by: str) -> None:
    if by == "the SQL editor":
        with psycopg.connect(source.dsn, autocommit=True) as session:
            session.execute(sql.encode())
        return
    command = [Path(find_binaries().directory) / "psql", "-X", "-v", "ON_ERROR_STOP=1", "-d", source.dsn]
    done = subprocess.run(command, input=sql, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("by", "as_file"), [("the SQL editor", True), ("the SQL editor", False), ("psql", True)])
async def test_what_a_reader_copies_from_the_channel_thaws(
    by: str, *, as_file: bool, source: Company, database: Database, freeze: Callable[[], datetime], tmp_path: Path
) -> None:
    """The file, or part below part, with the hook that was there before, whatever is in its name."""
    quoted = '"' + HOOK.replace('"', '""') + '"'
    source.server.sql(f"ALTER ROLE authenticator IN DATABASE {source.dbname} SET pgrst.db_pre_request = $h${quoted}$h$")
    before = source.server.sql("SELECT setdatabase, setrole, setconfig FROM pg_db_role_setting ORDER BY 1, 2")
    edge = SupabaseSource(database, SourceLock(database), tmp_path / "prior.json", None)
    told = await edge.way_back()
    await edge.close()
    freeze()
    with psycopg.connect(source.dsn) as session, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        session.execute("CREATE TABLE public.written ()")
    _run(await _copied(told, as_file=as_file), source, by)
    with psycopg.connect(source.dsn) as session:
        session.execute("CREATE TABLE public.written ()")
    assert source.server.sql("SELECT setdatabase, setrole, setconfig FROM pg_db_role_setting ORDER BY 1, 2") == before


async def test_the_same_sql_as_formatted_text_would_not_thaw(
    source: Company, database: Database, freeze: Callable[[], datetime], tmp_path: Path
) -> None:
    """So the test above can fail: without its fence a reader loses asterisks and pastes what is no SQL."""
    edge = SupabaseSource(database, SourceLock(database), tmp_path / "prior.json", None)
    told = await edge.way_back()
    await edge.close()
    freeze()
    with psycopg.connect(source.dsn, autocommit=True) as session, pytest.raises(Error):
        session.execute(seen(told).encode())
    with psycopg.connect(source.dsn) as session, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        session.execute("CREATE TABLE public.written ()")

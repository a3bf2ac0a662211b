"""Whole nights: the real bot as a child process, over real sockets, on a server of its own."""

import asyncio
import contextlib
import json
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any

import aiohttp
import httpx
import psycopg

from bot.artifacts.verify import verify_bundle
from bot.plan.gates import BEFORE
from bot.record import read_run
from bot.rehearsal.night import Night, until
from bot.rehearsal.postgres import EmbeddedPostgres
from bot.rehearsal.standins.slack import Message
from tests import clusters, preloaded

SIGNALS = {"freeze": "frozen", "export": "exported", "users": "users-mapped"}
_NOBODY = "00000000-0000-0000-0000-000000000000"


class ForkedNight(Night):
    """Its commands are forked from a process that has loaded them, which spares nine tenths of a start."""

    async def spawn(self, *arguments: str, stdout: int | IO[bytes], stderr: int | IO[bytes]) -> Any:
        return await preloaded.start(*arguments, cwd=self.directory, env=self.environment, stdout=stdout, stderr=stderr)


def fast_night(directory: Path, kind: type[Night] = ForkedNight, **choices: Any) -> Night:
    """A night that nobody watches: a patient Slack, a quick Stack Auth, a short quiet window. `kind` is Night where the
    start of a command is what matters.
    """
    chosen = {**clusters.NIGHT, "quiet_seconds": 1, "posts_per_second": 100, "latency": 0.003, **choices}
    like = clusters.of_a_night(chosen["users"], chosen["rows"])
    return kind(directory, **chosen, server=EmbeddedPostgres(like=like) if like else None)


# -- what the platform does -------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


async def heard_over_http(night: Night, port: int, signing_secret: str) -> None:
    """As when the address is typed into the app's settings, again until the bot answers."""
    async with asyncio.timeout(180):
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                await night.slack.set_request_url(f"http://127.0.0.1:{port}/slack/events", signing_secret)
                return
            night.check_bot()
            await asyncio.sleep(0.05)


# -- what people do ---------------------------------------------------------------------------------------------------


async def play(night: Night, *, within: float = 300) -> int:
    """Freezes, says every word until it is taken, accepts every reason; the bot's exit code.

    It goes by what the channel shows, and therefore plays on whatever happens to the bot meanwhile.
    """
    async with asyncio.timeout(within):
        await shows(night, "freeze", "waiting", within=within)
        await night.freeze()
        return await play_on(night, within=within)


async def play_on(night: Night, *, within: float = 300) -> int:
    """The same for a source that is frozen, from whichever gate waits."""
    async with asyncio.timeout(within):
        for gate in SIGNALS:
            await pass_gate(night, gate)
        await night.slack.wait_for(
            lambda m: m.event_type == "cutover_summary" and m.payload["checkpoint"] == "", within
        )
        return await ended(night)


async def pass_gate(night: Night, gate: str) -> None:
    """Says the word of a gate, and accepts what is open, until the gate's newest post shows that it has passed."""
    async with asyncio.timeout(300):
        await _pass(night, gate)


async def _pass(night: Night, gate: str) -> None:
    await shows(night, gate, "waiting", "refused", "verifying", "passed")
    while not passed(night, gate):
        run = read_run(night.directory)
        if run is not None and run.open_reasons:
            await night.answer_to(night.says("grace", f"@cutover accept {' '.join(run.open_reasons)}"))
        answer = await night.answer_to(night.says("ada", SIGNALS[gate]))
        if answer.payload["status"] == "done":
            await shows(night, gate, "passed", "refused")
        if gate == "freeze" and not passed(night, gate):
            # The bot was dead while the freeze came, and counts every session from before its first look as old: the
            # kit, run once more, ends them.
            await night.freeze()


async def told(night: Night, who: str, text: str) -> tuple[str, str]:
    """Somebody says something to the bot: status and text of its answer."""
    answer = await night.answer_to(night.says(who, text))
    return answer.payload["status"], answer.text


async def ended(night: Night) -> int:
    """The exit code of the bot that ends by itself: a killed one is started again by whoever killed it."""
    while True:
        starts = night.starts
        code = await night.bot_ends(180)
        if code != -9:
            return code
        while night.starts == starts:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@asynccontextmanager
async def restarted(night: Night) -> AsyncIterator[None]:
    """A platform that starts a bot again as soon as it was killed."""

    async def restart() -> None:
        while night.bot is not None and await night.bot.wait() == -9:
            await night.start_bot()

    platform = asyncio.create_task(restart())
    try:
        yield
    finally:
        platform.cancel()
        await asyncio.gather(platform, return_exceptions=True)


# -- what the channel shows -------------------------------------------------------------------------------------------


def post_of(night: Night, gate: str) -> Message | None:
    """A gate's newest post; None when the freeze has been posted anew since, for then it is yet to come. A gate
    before the freeze stays passed.
    """
    there = [m for m in night.slack.messages if m.event_type == "cutover_checkpoint"]
    begins = max((n for n, m in enumerate(there) if m.payload["checkpoint"] == "freeze"), default=0)
    since = there if gate in {before.name for before in BEFORE} else there[begins:]
    return next((m for m in reversed(since) if m.payload["checkpoint"] == gate), None)


def passed(night: Night, gate: str) -> bool:
    post = post_of(night, gate)
    return post is not None and post.payload["status"] == "passed"


async def shows(night: Night, gate: str, *statuses: str, within: float = 180) -> Message:
    """The newest post of a gate, once it shows one of these. A bot in a fresh checkout first compiles all its code."""
    await night.slack.wait_until(
        lambda: (post := post_of(night, gate)) is not None and post.payload["status"] in statuses, within
    )
    post = post_of(night, gate)
    assert post is not None
    return post


async def header_shows(night: Night, status: str, within: float = 180) -> None:
    """The newest header."""
    await night.slack.wait_until(
        lambda: [m.payload["status"] for m in night.slack.messages if m.event_type == "cutover_run"][-1:] == [status],
        within,
    )


async def alarm(night: Night, words: str, within: float = 180) -> Message:
    """The first alarm that says this, as soon as it is there."""
    return await night.slack.wait_for(lambda m: m.event_type == "cutover_alarm" and words in m.text, within)


def posts(night: Night, event_type: str) -> list[Mapping[str, Any]]:
    """The metadata of all messages of that type, in order."""
    return [m.payload for m in night.slack.messages if m.event_type == event_type and not m.deleted]


def texts(night: Night, event_type: str) -> list[str]:
    """What all messages of that type say, in order."""
    return [m.text for m in night.slack.messages if m.event_type == event_type and not m.deleted]


# -- what is in the world ---------------------------------------------------------------------------------------------


def exported(directory: Path) -> dict[str, str]:
    """File name -> SHA-256 of every exported table, as metadata.json tells."""
    tables = json.loads((directory / "metadata.json").read_text())["tables"]
    return {table["file"]: table["sha256"] for table in tables.values()}


def mapped(directory: Path) -> dict[str, tuple[str, str]]:
    """Supabase id -> outcome and e-mail, or the reason it is unmapped; the new ids and times are the service's."""
    mapping = json.loads((directory / "user-mapping.json").read_text())
    there = {m["supabaseUserId"]: (m["outcome"], m["email"] or "") for m in mapping["mappings"]}
    return there | {u["supabaseUserId"]: ("unmapped", u["reason"]) for u in mapping["unmapped"]}


async def journal_tells(directory: Path, what: Callable[[], bool], within: float = 180) -> None:
    """Waits for what is read in the journal there, and reads it again only once it is longer."""
    file, size = directory / "journal.jsonl", -1

    def tells() -> bool:
        nonlocal size
        before, size = size, file.stat().st_size if file.exists() else 0
        return size != before and what()

    await until(tells, within)


def journal(night: Night) -> list[dict[str, Any]]:
    """The events so far."""
    return [json.loads(line) for line in (night.directory / "journal.jsonl").read_text().splitlines()]


def as_platform(night: Night) -> psycopg.Connection[Any]:
    """A superuser's session, whom no freeze of ours can stop."""
    return psycopg.connect(night.company.admin_dsn, autocommit=True, application_name="platform")


def settings_of(night: Night) -> list[tuple[str, str, str]]:
    """Every setting of a role or database, sorted."""
    with as_platform(night) as session:
        return session.execute(
            "SELECT coalesce(datname, ''), setrole::regrole::text, unnest(setconfig) FROM pg_db_role_setting"
            " LEFT JOIN pg_database ON pg_database.oid = setdatabase ORDER BY 1, 2, 3"
        ).fetchall()


async def writes(night: Night) -> dict[str, int | str]:
    """How the source answers writes that touch no row, by way: "" or an SQLSTATE for SQL, an HTTP status for REST."""
    answers: dict[str, int | str] = {}
    async with night.as_owner() as session:
        try:
            await session.execute("UPDATE public.orders SET total = total WHERE false")
            answers["sql"] = ""
        except psycopg.Error as error:
            answers["sql"] = error.sqlstate or "lost"
    async with httpx.AsyncClient(trust_env=False) as client:
        for name in ("service_role", "anon"):
            key = night.gateway.service_role_key if name == "service_role" else night.gateway.anon_key
            answer = await client.patch(
                f"{night.gateway.url}/rest/v1/profiles",
                params={"id": f"eq.{_NOBODY}"},
                json={"display_name": None},
                headers={"apikey": key, "authorization": f"Bearer {key}", "prefer": "return=minimal"},
            )
            answers[name] = answer.status_code
    return answers


WRITES = {"sql": "", "service_role": 204, "anon": 204}


# -- what must hold at the end of any night ---------------------------------------------------------------------------


def assert_nothing_twice(night: Night) -> None:
    """No post is there twice, nobody was answered twice, no user is twice in Stack Auth, the headers are all pinned."""
    permission = [m for m in night.slack.messages if m.payload and not m.deleted]
    keys = Counter(m.payload["key"] for m in permission)
    assert {key: n for key, n in keys.items() if n > 1} == {}
    carried = [user.server_metadata for user in night.stack.users.values() if user.server_metadata]
    stored = Counter(metadata["supabase"]["id"] for metadata in carried)
    assert {user: n for user, n in stored.items() if n > 1} == {}
    assert set(night.slack.pins) <= {m.ts for m in permission if m.event_type == "cutover_run"}


async def assert_handed_over(night: Night, code: int, *, users: int) -> None:
    """The night ended well: every gate passed, every user is there once, and `verify` has nothing to say."""
    assert code == 0, night.log_file.read_text()[-3000:]
    assert_nothing_twice(night)
    assert posts(night, "cutover_run")[-1]["status"] == "done"
    assert len(night.stack.users) == users
    assert len(mapped(night.directory)) == users
    for gate in SIGNALS:
        assert passed(night, gate)
    assert [finding.evidence for finding in verify_bundle(night.directory, None) if finding.verdict == "fail"] == []

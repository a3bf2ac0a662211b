"""A whole night's world on this machine, and the bot in it as a child process.

    async with Night(directory, users=500, rows=20_000) as night:
        await night.start_bot()
        night.says("ada", "frozen")
        code = await night.bot_ends(timeout=60)

The world is an embedded PostgreSQL filled like a company's Supabase and the stand-ins for the services. The bot is
the ordinary `cutover run`: nothing but its environment tells it where it is, and its working directory is its data
directory, so that no real `.env` or `cutover.toml` leaks in. What it logs goes to a file beside that directory.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import psycopg

from bot.rehearsal.company import CANARY_EMAIL, CANARY_PASSWORD, Company, build
from bot.rehearsal.postgres import EmbeddedPostgres
from bot.rehearsal.standins.gateway import GatewayStandin
from bot.rehearsal.standins.notice import NoticeStandin
from bot.rehearsal.standins.slack import Message, Person, SlackStandin
from bot.rehearsal.standins.stackauth import StackAuthStandin

PEOPLE = {
    "ada": Person("U0ADA", "Ada"),
    "grace": Person("U0GRACE", "Grace"),
    "linus": Person("U0LINUS", "Linus"),
    "alan": Person("U0ALAN", "Alan", is_restricted=True),
}
"""Two approvers, a colleague and a guest."""
APPROVERS = ("ada", "grace")
NOTICE_TEXT = "We are moving house"
SOFT_FREEZE = "ALTER DATABASE postgres SET default_transaction_read_only = on"
SOFT_THAW = "BEGIN READ WRITE; ALTER DATABASE postgres RESET default_transaction_read_only; COMMIT"
PROJECT = "3f1c9a52-6a0e-4c1b-9a4e-0c5f2f1d7a10"
_ROWS_IN_MEMORY = 1_000_000
_REF = "rehearsalcompanyabcd"
PUBLISHABLE_KEY = "pck_rehearsal0key0of0no0value0elsewhere"
_LAST_WORDS = 4_000


class BotEnded(Exception):
    """The bot ended by itself while somebody waited for the channel."""


class Night:
    """`settings` are more settings for a bot that starts, and may be changed between two starts; `quiet_seconds` is
    one of them. `posts_per_second` is Slack's patience with it, `latency` Stack Auth's slowness in seconds.
    `server`, not yet started, has a company of these numbers already. `on_step` is
    called with what is made next.
    """

    def __init__(
        self,
        directory: Path,
        *,
        users: int = 500,
        rows: int = 20_000,
        seed: int = 1,
        quiet_seconds: float = 2,
        posts_per_second: float = 1.0,
        latency: float = 0.2,
        settings: Mapping[str, str] | None = None,
        server: EmbeddedPostgres | None = None,
        on_step: Callable[[str], None] = lambda step: None,
    ) -> None:
        self.directory = directory
        self.log_file = directory.with_name(directory.name + ".log")
        # Made anew each time: others on this machine can reach the stand-ins' ports, too.
        self._jwt_secret, self._stack_key = secrets.token_hex(24), f"ssk_{secrets.token_hex(20)}"
        self.slack = SlackStandin(
            bot_token=f"xoxb-{secrets.token_hex(12)}",
            app_token=f"xapp-{secrets.token_hex(12)}",
            people=PEOPLE.values(),
            posts_per_second=posts_per_second,
        )
        self.stack = StackAuthStandin(PROJECT, self._stack_key, latency_seconds=latency)
        self.notice = NoticeStandin()
        self.server = server or EmbeddedPostgres(in_memory=rows <= _ROWS_IN_MEMORY)
        self._is_filled = server is not None
        self._on_step = on_step
        self.company: Company
        self.gateway: GatewayStandin
        self.bot: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.Task[None] | None = None
        self.starts = 0
        self.users = users
        self.rows = rows
        self.last_said = "0"
        self._seed = seed
        self.settings = {
            "CUTOVER__FREEZE__QUIET_SECONDS": str(quiet_seconds),
            "CUTOVER__RUN__EPHEMERAL_OK": "true",  # what is lost with a rehearsal is a rehearsal
            **(settings or {}),
        }
        self.python = sys.executable
        self.process: Mapping[str, Any] = {}
        """How a `cutover` is started besides: `umask`, `user` and the like, as for subprocess.Popen."""
        self._open = AsyncExitStack()

    # -- the world ----------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        try:
            self._open.callback(self.server.stop)
            self._on_step("starting PostgreSQL")
            await _to_the_end(self.server.start)
            self._on_step(f"filling it like a company's Supabase: {self.users:,} users, {self.rows:,} rows")
            if self._is_filled:
                self.company = Company(server=self.server, dbname="postgres")
            else:
                fill = partial(build, self.server, users=self.users, rows=self.rows, seed=self._seed)
                self.company = await asyncio.to_thread(fill)
            self.gateway = GatewayStandin(
                self.company.authenticator_dsn,
                self._jwt_secret,
                _REF,
                auth_dsn=self.company.auth_dsn,
                storage_dsn=self.company.storage_dsn,
            )
            self._on_step("starting the stand-ins for Slack, Supabase's API, Stack Auth and the public page")
            for standin in (self.slack, self.stack, self.notice, self.gateway):
                await standin.start()
                self._open.push_async_callback(standin.stop)
        except BaseException:
            await self._open.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.kill_bot()
        if self._watcher is not None:
            await self._watcher
        if error is not None and self.log_file.exists():
            error.add_note(f"the bot's log ends so:\n{self.log_file.read_text(errors='replace')[-_LAST_WORDS:]}")
        await self._open.aclose()

    @property
    def environment(self) -> dict[str, str]:
        """Everything the bot is given, and nothing else of ours."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        return {
            **kept,
            "SLACK_BOT_TOKEN": self.slack.bot_token,
            "SLACK_APP_TOKEN": self.slack.app_token,
            "SLACK_API_URL": self.slack.api_url,
            "SUPABASE_DB_URL": self.company.dsn,
            "SUPABASE_URL": self.gateway.url,
            "SUPABASE_SERVICE_ROLE_KEY": self.gateway.service_role_key,
            "SUPABASE_ANON_KEY": self.gateway.anon_key,
            "STACK_AUTH_PROJECT_ID": PROJECT,
            "STACK_AUTH_SECRET_KEY": self._stack_key,
            "STACK_AUTH_API_URL": self.stack.url,
            "STACK_AUTH_PUBLISHABLE_KEY": PUBLISHABLE_KEY,
            "CANARY_EMAIL": CANARY_EMAIL,
            "CANARY_PASSWORD": CANARY_PASSWORD,
            "MIGRATION_DATA_DIR": str(self.directory),
            "CUTOVER__SLACK__CHANNEL": self.slack.channel.id,
            "CUTOVER__APPROVERS__USERS": json.dumps([PEOPLE[name].id for name in APPROVERS]),
            "CUTOVER__FREEZE__NOTICE_URL": self.notice.url,
            "CUTOVER__FREEZE__NOTICE_TEXT": NOTICE_TEXT,
            **self.settings,
        }

    # -- the bot ------------------------------------------------------------------------------------------------------

    async def start_bot(self, *arguments: str) -> None:
        """`cutover run --once`, or with these arguments instead of `--once`."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self.log_file.open("ab") as log:
            self.bot = await self.spawn("run", *(arguments or ("--once",)), stdout=log, stderr=log)
        self.starts += 1
        self._watcher = asyncio.create_task(self._fail_waits_at_end_of(self.bot))

    async def _fail_waits_at_end_of(self, bot: asyncio.subprocess.Process) -> None:
        """Whoever waits for what a dead bot would have posted need not wait until the time is over. A bot that was
        killed is started again by whoever killed it.
        """
        await bot.wait()
        try:
            self.check_bot()
        except BotEnded as error:
            self.slack.fail_waits(error)

    def check_bot(self) -> None:
        """Raises BotEnded when the bot that was started last has ended by itself, be it in order."""
        code = self.bot.returncode if self.bot is not None else None
        if code not in {None, -signal.SIGKILL}:
            raise BotEnded(f"the bot ended early with {code}")

    async def kill_bot(self) -> None:
        """SIGKILL: no last words."""
        if self.bot is not None and self.bot.returncode is None:
            self.bot.send_signal(signal.SIGKILL)
            await self.bot.wait()

    async def bot_ends(self, timeout: float) -> int:
        assert self.bot is not None
        return await asyncio.wait_for(self.bot.wait(), timeout)

    async def command(self, *arguments: str) -> tuple[int, str, str]:
        """Another `cutover` command in the same environment: exit code, stdout, stderr."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        process = await self.spawn(*arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
        out, err = await process.communicate()
        # Under a locale of its own it need not write UTF-8.
        return process.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace")

    async def spawn(
        self, *arguments: str, stdout: int | IO[bytes], stderr: int | IO[bytes]
    ) -> asyncio.subprocess.Process:
        """A `cutover` with these arguments, in the data directory, with nothing to read; it outlives Ctrl-C."""
        return await asyncio.create_subprocess_exec(
            *(self.python, "-m", "bot", *arguments),
            cwd=self.directory,
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            **self.process,
        )

    async def status(self) -> dict[str, Any]:
        """What `cutover status --json` says."""
        _, out, _ = await self.command("status", "--json")
        told: dict[str, Any] = json.loads(out)
        return told

    # -- people -------------------------------------------------------------------------------------------------------

    def says(self, who: str, text: str, thread_ts: str | None = None) -> str:
        """`@cutover` in the text becomes a mention of the bot. Returns the message's ts."""
        mentioned = text.replace("@cutover", f"<@{self.slack.bot_user_id}>")
        self.last_said = self.slack.say(PEOPLE[who].id, mentioned, thread_ts)
        return self.last_said

    async def answer_to(self, ts: str, timeout: float = 180) -> Message:
        return await self.slack.wait_for(lambda m: str(m.payload.get("key", "")).endswith(f"/answer/{ts}"), timeout)

    async def checkpoint(self, name: str, *statuses: str, timeout: float = 180) -> Message:
        """The checkpoint's message, as soon as it shows one of the statuses and began to after the last word."""
        said = float(self.last_said)
        return await self.slack.wait_for(
            lambda m: (
                m.event_type == "cutover_checkpoint"
                and m.payload["checkpoint"] == name
                and m.payload["status"] in statuses
                and m.since > said
            ),
            timeout,
        )

    @asynccontextmanager
    async def as_owner(self) -> AsyncIterator[psycopg.AsyncConnection]:
        """A session as the project's owner, whom people use in a SQL client."""
        session = await psycopg.AsyncConnection.connect(self.company.dsn, autocommit=True, application_name="psql")
        async with session:
            yield session

    async def pasted(self, statements: str) -> None:
        """A person pastes SQL into a client, as the project's owner, and closes it."""
        async with self.as_owner() as session:
            await session.execute(statements.encode())

    async def freeze_softly(self) -> None:
        """What people do who trust the database's default."""
        await self.pasted(SOFT_FREEZE)

    async def take_soft_freeze_back(self) -> None:
        await self.pasted(SOFT_THAW)

    async def two_were_early(self) -> None:
        """Two customers sign up in Stack Auth by themselves, the second without proving the address."""
        async with self.as_owner() as source:
            found = await source.execute(
                "SELECT lower(email) FROM auth.users WHERE encrypted_password LIKE '$2a$10$%' AND email_confirmed_at IS"
                " NOT NULL AND NOT is_sso_user AND deleted_at IS NULL AND email ~ '^person' ORDER BY email LIMIT 2"
            )
            known, unsure = (email for (email,) in await found.fetchall())
        for email, verified in ((known, True), (unsure, False)):
            self.stack.add_user(
                {"primary_email": email, "primary_email_verified": verified, "primary_email_auth_enabled": True}
            )

    async def freeze(self) -> None:
        """What `cutover freeze-sql` prints, pasted into a client; and the notice goes up."""
        code, statements, complaint = await self.command("freeze-sql")
        if code:
            raise RuntimeError(complaint)
        await self.pasted(statements)
        self.notice.maintenance = True


async def _to_the_end(work: Callable[[], object]) -> None:
    """In a thread. Cancelled, it waits until the thread has ended: what it starts must be there to be stopped."""
    thread = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        await asyncio.shield(thread)
    except asyncio.CancelledError:
        await asyncio.wait([thread])
        raise


async def until(condition: Callable[[], bool], timeout: float) -> None:
    """Waits for something that tells nobody when it comes true, such as a file."""
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110  # a file tells nobody
            await asyncio.sleep(0.01)

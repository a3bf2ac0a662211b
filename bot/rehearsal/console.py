"""Supabase as its people use it: SQL as the project's owner, a session that stays open, a write through the API.

Never as the platform's superuser, whom no customer has: the server itself says with whom each session speaks, and a
session of a superuser is closed before anything is said in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

import aiohttp
import psycopg
from psycopg import AsyncConnection

from bot.rehearsal.company import Company
from bot.rehearsal.standins.gateway import GatewayStandin

WRITE = "INSERT INTO public.feedback (body, rating) VALUES ('written during the rehearsal', 5) RETURNING id"
_MOST_ROWS = 20
_MOST_SESSIONS = 5
_MOST_SECONDS = 100
_SETTINGS = """
SELECT coalesce(bool_or(one = 'default_transaction_read_only=on' AND setrole = 0), false),
       coalesce(bool_or(one LIKE 'pgrst.db_pre_request=cutover_freeze.%'), false)
  FROM pg_db_role_setting, unnest(setconfig) AS one
"""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the server said: `says` is one line, `table` the first rows with their heading."""

    is_well: bool
    says: str
    table: tuple[tuple[str, ...], ...] = ()
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Source:
    """How frozen it is: by the database's default alone, or by the gateway's hook as well."""

    is_read_only: bool = False
    is_hooked: bool = False


@dataclass
class Held:
    """A session that a person has left open; it keeps what it was born with."""

    number: int
    pid: int
    born_read_only: bool
    session: AsyncConnection = field(repr=False)
    busy: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    @property
    def is_there(self) -> bool:
        return not self.session.closed


class Console:
    def __init__(self, company: Company, gateway: GatewayStandin) -> None:
        self._company = company
        self._gateway = gateway
        self._numbers = count(1)
        self.held: dict[int, Held] = {}

    async def run(self, statements: str) -> Answer:
        """Whatever it is, in a session of its own that is closed behind it, as one query."""
        async with self._as_owner() as session:
            return await _answered(session, statements)

    async def look(self) -> Source:
        """By the settings that the layers of a freeze leave; raises psycopg.Error when nobody answers."""
        async with self._as_owner() as session:
            row = await (await session.execute(_SETTINGS)).fetchone()
        assert row is not None
        return Source(is_read_only=row[0], is_hooked=row[1])

    async def open(self) -> Held:
        """Raises ValueError when there are enough."""
        if len(self.held) >= _MOST_SESSIONS:
            raise ValueError(f"{_MOST_SESSIONS} sessions are open; close one first")
        session = await self._connect()
        row = await (await session.execute("SHOW default_transaction_read_only")).fetchone()
        held = Held(next(self._numbers), session.info.backend_pid, row == ("on",), session)
        self.held[held.number] = held
        return held

    async def run_in(self, number: int, statements: str) -> Answer:
        """In the session that was left open. Raises KeyError when it is not there."""
        held = self.held[number]
        async with held.busy:
            return await _answered(held.session, statements)

    async def close(self, number: int) -> None:
        """Raises KeyError when it is not there."""
        await self.held.pop(number).session.close()

    async def close_all(self) -> None:
        for number in list(self.held):
            await self.close(number)

    async def write_by_api(self) -> Answer:
        """As the company's own backend does it, with the service's key."""
        key = self._gateway.service_role_key
        headers = {"apikey": key, "authorization": f"Bearer {key}", "prefer": "return=minimal"}
        row = {"body": "written through the API", "rating": 4}
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(10)) as client,
                client.post(f"{self._gateway.url}/rest/v1/feedback", json=row, headers=headers) as answer,
            ):
                told = f"POST /rest/v1/feedback: {answer.status} {await answer.text()}".strip()
                return Answer(is_well=answer.status < 300, says=told)
        except (aiohttp.ClientError, TimeoutError) as error:
            return Answer(is_well=False, says=f"POST /rest/v1/feedback: no answer ({type(error).__name__})")

    async def end_sessions_of_the_bot(self) -> int:
        """As when the database fails over: every session of the bot is cut."""
        async with self._as_owner() as session:
            found = await session.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE 'cutover/%'"
            )
            row = await found.fetchone()
        return int(row[0]) if row else 0

    @asynccontextmanager
    async def _as_owner(self) -> AsyncIterator[AsyncConnection]:
        session = await self._connect()
        async with session:
            yield session

    async def _connect(self) -> AsyncConnection:
        session = await AsyncConnection.connect(self._company.dsn, autocommit=True, application_name="SQL editor")
        if session.info.parameter_status("is_superuser") != "off":
            await session.close()
            raise PermissionError("the console would speak as a superuser")
        return session


async def _answered(session: AsyncConnection, statements: str) -> Answer:
    notices: list[str] = []

    def note(said: psycopg.errors.Diagnostic) -> None:
        notices.append(f"{said.severity}: {said.message_primary}")

    session.add_notice_handler(note)
    try:
        async with asyncio.timeout(_MOST_SECONDS):
            cursor = await session.execute(statements.encode())
            says: list[str] = []
            table: tuple[tuple[str, ...], ...] = ()
            while True:
                says.append(cursor.statusmessage or "done")
                if cursor.description is not None:
                    rows = await cursor.fetchmany(_MOST_ROWS)
                    table = (
                        tuple(column.name for column in cursor.description),
                        *(tuple("NULL" if value is None else str(value) for value in row) for row in rows),
                    )
                if not cursor.nextset():
                    break
        return Answer(is_well=True, says=_counted(says), table=table, notices=tuple(notices))
    except psycopg.Error as error:
        said = error.diag.message_primary or str(error).strip() or type(error).__name__
        return Answer(is_well=False, says=f"{error.sqlstate or 'lost'}: {said}", notices=tuple(notices))
    except TimeoutError:
        await session.close()
        return Answer(is_well=False, says=f"no answer within {_MOST_SECONDS} s; the session is closed")
    finally:
        session.remove_notice_handler(note)


def _counted(says: list[str]) -> str:
    """Of a long paste the last few."""
    return "; ".join(says) if len(says) <= 4 else f"{len(says)} statements, the last: {says[-1]}"

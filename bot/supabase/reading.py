"""Reading what others own: tables, and views and types of anybody.

Reading a table can run its owner's code with our rights: the expression of an index or of statistics while the
statement is planned, a view's functions while it runs. So nothing of it is read in autocommit. Everything happens in
one explicit READ ONLY transaction that is always rolled back (a COMMIT would deliver its NOTIFY and keep its settings),
in a session that is used for nothing else and ended behind it.

    async with reading(database, "counts") as source:
        rows = await source.ask(select, of="public.orders")

READ ONLY does not stop code from changing settings, and a setting changes values (`extra_float_digits`) or hides rows.
So each SELECT is planned once for nothing, in a savepoint that is rolled back; the settings are set anew; the SELECT
runs; the settings are read back by `pg_catalog`'s own functions, and the savepoint is rolled back. PostgreSQL keeps an
index's expression as the first planning made it, so that its code does not run again. Where settings differ all the
same, `Disturbed` names the table, and nothing that was read may be believed.

What this cannot see is code that runs with the rows and sets back what it changed. The server has three kinds: a cast,
hence a value's text is made by its type's output function alone (`catalog.encoding`); a domain's CHECK, hence no value
is read back to look at it; a view, hence none is read. Nor does it stop such code from reading, or a
superuser's rights from anything: the checks `foreign-code` and `superuser-role` say so beforehand.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import sql

from bot.errors import ServiceRefused
from bot.obstacles import TABLES_DISTURBED
from bot.supabase.database import Database, Session, query, statement, translated

_NO_LIMITS = sql.SQL("")
_ROWS, _SETTINGS = -3, -2
"""Where the results are in the answer to `queries/reading_ask.sql`."""


class Disturbed(ServiceRefused):
    """Code of somebody else has changed the session while it read: what was read may be wrong."""

    def __init__(self, of: str, changed: list[str]) -> None:
        super().__init__(
            f"reading {of} ran code of its owner that changed {', '.join(changed)}",
            unchanged="what was read was not used",
            do="change or drop what the check `foreign-code` lists for it (under a freeze in BEGIN READ WRITE; … "
            "COMMIT;), then try again",
            obstacle=TABLES_DISTURBED,
        )


@asynccontextmanager
async def reading(database: Database, role: str, *, limits: sql.SQL = _NO_LIMITS) -> AsyncIterator[Reading]:
    """A session of its own for reading, in a READ ONLY transaction, which ends with it. It must not idle for a minute.
    `limits` are SET statements for how long a question may wait or take. Raises CutoverError.
    """
    async with database.session(role) as session:
        with translated("the source database could not be read"):
            await session.execute(sql.SQL("BEGIN READ ONLY; {}").format(limits))
            source = await Reading.begin(session, limits)
        yield source


class Reading:
    """Errors of psycopg come out of each method as they are; after one, the next statement may follow all the same."""

    def __init__(self, session: Session, settings: Mapping[str, str], limits: sql.SQL) -> None:
        """For `begin`."""
        self._session = session
        self._settings = settings
        self._limits = limits

    @classmethod
    async def begin(cls, session: Session, limits: sql.SQL = _NO_LIMITS) -> Reading:
        """`session` is in a READ ONLY transaction, with all the settings and locks that it needs, and has read no table
        yet. It is for nothing else from now on. `limits` are set anew with the settings.
        """
        cursor = await session.execute(statement("reading_begin", settings=_settings()))
        await cursor.set_result(-1)
        return cls(session, await _told(cursor), limits)

    async def ask(self, select: sql.Composable, *, of: str) -> list[tuple[Any, ...]]:
        """The rows of a SELECT, in one round trip; `of` is what it reads, for people. Raises Disturbed."""
        whole = statement("reading_ask", plan=self._plan(select), select=select, settings=_settings())
        cursor = await self._session.execute(whole)
        await cursor.set_result(_SETTINGS)
        self._compare(await _told(cursor), of)
        await cursor.set_result(_ROWS)
        return await cursor.fetchall()

    @asynccontextmanager
    async def copy(self, select: sql.Composable, *, of: str) -> AsyncIterator[psycopg.AsyncCopy]:
        """A binary COPY of a SELECT's rows, to be read to its end; left by an error, it is cancelled. Raises Disturbed
        behind the last row: until then nothing of them may be believed.
        """
        await self._session.execute(self._plan(select))
        async with (
            self._session.cursor() as cursor,
            cursor.copy(sql.SQL("COPY ({}) TO STDOUT (FORMAT binary)").format(select)) as rows,
        ):
            yield rows
        cursor = await self._session.execute(statement("reading_settings", settings=_settings()))
        await cursor.set_result(0)
        self._compare(await _told(cursor), of)

    async def stay(self) -> None:
        """A word to the server, which ends a transaction that idles. Raises what psycopg raises if it is lost."""
        await self._session.execute("ROLLBACK TO SAVEPOINT begun")

    def _plan(self, select: sql.Composable) -> sql.Composed:
        session = sql.SQL(query("session")) + self._limits
        return statement("reading_plan", select=select, session=session)

    def _compare(self, now: Mapping[str, str], of: str) -> None:
        if changed := [name for name, value in self._settings.items() if now.get(name) != value]:
            raise Disturbed(of, changed)


def _settings() -> sql.SQL:
    return sql.SQL(query("settings_now"))


async def _told(cursor: psycopg.AsyncCursor[tuple[Any, ...]]) -> dict[str, str]:
    """The row of `queries/settings_now.sql` by name."""
    [values] = await cursor.fetchall()
    return {column.name: value for column, value in zip(cursor.description or (), values, strict=True)}

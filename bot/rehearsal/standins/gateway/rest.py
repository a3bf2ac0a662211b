"""PostgREST: one transaction a request, begun READ WRITE or READ ONLY by the method, whatever the database's default.

In that transaction, in this order: the search path, the role of the token, what the request is (`request.*`), the
role's own settings; then the pre-request function, if there is one; then one statement, built by `reading`. Whatever
the database refuses becomes a status by its SQLSTATE.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
from aiohttp import web
from psycopg import AsyncConnection, sql

from .reading import NotUnderstood, Reading, parse
from .sessions import SessionLost, SessionPool, query

_READS = {"GET", "HEAD"}
_FIRST_RETRY_SECONDS = 1
_LONGEST_RETRY_SECONDS = 32

_STATUS_OF_CODE = {
    "23503": 409, "23505": 409, "25006": 405, "42883": 404, "42P01": 404, "42P17": 500, "53400": 500, "57P01": 503,
    "P0001": 400,
}  # fmt: skip
_STATUS_OF_CLASS = {
    "08": 503, "09": 500, "0L": 403, "0P": 403, "25": 500, "28": 403, "2D": 500, "38": 500, "39": 500, "3B": 500,
    "40": 500, "53": 503, "54": 500, "55": 500, "57": 500, "58": 500, "F0": 500, "HV": 500, "P0": 500, "XX": 500,
}  # fmt: skip


class Refused(Exception):
    """An answer that is not what was asked for."""

    def __init__(self, status: int, code: str, message: str, *, details: str | None = None, hint: str | None = None):
        super().__init__(message)
        self.status = status
        self.body = {"code": code, "details": details, "hint": hint, "message": message}


@dataclass(frozen=True, kw_only=True)
class _Configuration:
    """What the gateway has read of the database, and goes by until the next reload."""

    pre_request: str = ""
    role_settings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    tables: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)


class Rest:
    """The service; `start` opens its sessions and its listener, `stop` ends both."""

    def __init__(self, dsn: str, *, exposed_schemas: tuple[str, ...], max_rows: int) -> None:
        self._dsn = dsn
        self._schemas = exposed_schemas
        self._max_rows = max_rows
        self._pool = SessionPool(dsn, application_name="postgrest")
        self._configuration = _Configuration()
        self._listener: asyncio.Task[None] | None = None
        self._hears = False
        self.is_off = False  # the project's Data API, as the dashboard switches it
        self._stopping = False

    async def start(self) -> None:
        """Return when the configuration is read and reloads are heard; whatever stops that is raised."""
        self._stopping = False
        await self._pool.open()
        listening = asyncio.Event()
        self._listener = asyncio.create_task(self._listen(listening))
        heard = asyncio.create_task(listening.wait())
        await asyncio.wait({self._listener, heard}, return_when=asyncio.FIRST_COMPLETED)
        heard.cancel()
        if self._listener.done():
            await self._listener

    async def stop(self) -> None:
        """Close everything."""
        self._stopping = True
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)
        await self._pool.close()

    async def answer(self, request: web.Request, claims: Mapping[str, Any]) -> web.Response:
        """Answer one request under /rest/v1/ for the bearer of these claims."""
        role = str(claims.get("role", "anon"))
        if self.is_off:
            off = Refused(503, "PGRST002", "Could not query the database for the schema cache. Retrying.")
            return web.json_response(off.body, status=503)
        try:
            return await self._perform(request, claims, role)
        except Refused as refusal:
            return web.json_response(refusal.body, status=refusal.status)
        except NotUnderstood as error:
            return web.json_response(Refused(400, "PGRST100", str(error)).body, status=400)
        except SessionLost as lost:
            return web.json_response(Refused(503, lost.sqlstate, lost.message).body, status=503)
        except psycopg.Error as error:
            answer = _refusal_of(error, signed_in=role != "anon")
            return web.json_response(answer.body, status=answer.status)

    async def _perform(self, request: web.Request, claims: Mapping[str, Any], role: str) -> web.Response:
        configuration = self._configuration
        reads = request.method in _READS
        profile = request.headers.get("Accept-Profile" if reads else "Content-Profile", self._schemas[0])
        if profile not in self._schemas:
            exposed = ", ".join(self._schemas)
            raise Refused(406, "PGRST106", f"Invalid schema: {profile}", hint=f"Only these are exposed: {exposed}")
        table = (profile, request.match_info["table"])
        if table not in configuration.tables:
            name = ".".join(table)
            raise Refused(404, "PGRST205", f"Could not find the table '{name}' in the schema cache")
        reading = parse(request.query.items())
        body = None if reads or request.method == "DELETE" else _Body.read(await request.text())
        async with self._pool.session() as session:
            mode = sql.SQL("READ ONLY" if reads else "READ WRITE")
            await session.execute(sql.SQL("BEGIN ISOLATION LEVEL READ COMMITTED {}").format(mode))
            await self._set_the_scene(session, request, claims, role, profile)
            if configuration.pre_request:
                function = sql.SQL(".").join([sql.Identifier(x) for x in configuration.pre_request.split(".", 1)])
                await session.execute(sql.SQL("SELECT {}()").format(function))
            if reads:
                response = await self._read(session, request, table, reading)
            else:
                response = await self._write(session, request, table, reading, body)
            await session.execute("COMMIT")
            return response

    async def _set_the_scene(
        self, session: AsyncConnection, request: web.Request, claims: Mapping[str, Any], role: str, schema: str
    ) -> None:
        settings = {
            "search_path": f"{schema}, extensions",
            "role": role,
            "request.jwt.claims": json.dumps(claims),
            "request.method": request.method,
            "request.path": request.path,
            "request.headers": json.dumps({name.lower(): value for name, value in request.headers.items()}),
            "request.cookies": json.dumps(dict(request.cookies)),
            **self._configuration.role_settings.get(role, {}),
        }
        calls = [
            sql.SQL("set_config({}, {}, true)").format(sql.Literal(name), sql.Literal(value))
            for name, value in settings.items()
        ]
        await session.execute(sql.SQL("SELECT ") + sql.SQL(", ").join(calls))

    async def _read(
        self, session: AsyncConnection, request: web.Request, table: tuple[str, str], reading: Reading
    ) -> web.Response:
        counts = "count=exact" in _preferences(request)
        limit = self._max_rows if reading.limit is None else min(reading.limit, self._max_rows)
        source = sql.SQL("SELECT {columns} FROM {table}{where}{order} LIMIT {limit} OFFSET {offset}").format(
            columns=reading.columns,
            table=sql.Identifier(*table),
            where=reading.where_clause,
            order=reading.order_clause,
            limit=sql.Literal(limit),
            offset=sql.Literal(reading.offset),
        )
        total_of = sql.SQL("(SELECT count(*) FROM {}{})").format(sql.Identifier(*table), reading.where_clause)
        statement = sql.SQL(
            "WITH source AS ({source}) SELECT {total}, count(*), coalesce(json_agg(_row), '[]')::text FROM source _row"
        ).format(source=source, total=total_of if counts else sql.SQL("NULL::bigint"))
        total, page, text = await _one_row(session, statement)
        return _page(request, text, page=page, offset=reading.offset, total=total)

    async def _write(
        self,
        session: AsyncConnection,
        request: web.Request,
        table: tuple[str, str],
        reading: Reading,
        body: "_Body | None",
    ) -> web.Response:
        preferences = _preferences(request)
        if any(preference.startswith("resolution=") for preference in preferences):
            raise NotUnderstood("upserts are not played here")
        for name in body.names if body else ():
            if name not in self._configuration.tables[table]:
                where = f"'{name}' column of '{table[1]}'"
                raise Refused(400, "PGRST204", f"Could not find the {where} in the schema cache")
        change = _change(request.method, sql.Identifier(*table), body, reading)
        shows = "return=representation" in preferences
        returned = sql.SQL(" RETURNING {}").format(reading.columns if shows else sql.SQL("1"))
        statement = sql.SQL(
            "WITH source AS ({}{}) SELECT count(*), coalesce(json_agg(_row), '[]')::text FROM source _row"
        ).format(change, returned)
        number, text = await _one_row(session, statement)
        created = request.method == "POST"
        if not shows:
            return web.Response(status=201 if created else 204)
        headers = {"Content-Range": f"0-{number - 1}/*" if number and not created else "*/*"}
        return web.json_response(text=text, status=201 if created else 200, headers=headers)

    def ready(self) -> web.Response:
        """Answer as the admin port's `/ready` does: 503 while no reload would be heard."""
        return web.Response(status=200 if self._hears else 503)

    async def _listen(self, listening: asyncio.Event) -> None:
        """Hear `NOTIFY pgrst`; after a lost session listen again and read all, since a notice may be lost too.

        Only a session that may write will do, and libpq asks the server for its default: where
        `default_transaction_read_only` is on for this role, there is none. Tries at 1, 2, 4, … 32 s, as PostgREST does.
        """
        wait = _FIRST_RETRY_SECONDS
        while True:
            try:
                session = await AsyncConnection.connect(
                    self._dsn,
                    autocommit=True,
                    application_name="postgrest listen",
                    target_session_attrs="read-write",
                )
                async with session:
                    await session.execute('LISTEN "pgrst"')
                    await self._reload()
                    self._hears = True
                    wait = _FIRST_RETRY_SECONDS
                    listening.set()
                    async for _ in session.notifies():
                        # PostgREST reads its settings at `reload schema` too; tables at `reload config` cost little.
                        await self._reload()
            except (psycopg.OperationalError, SessionLost):
                # A session that is lost while psycopg winds a cancellation up is raised in place of the cancellation.
                if self._stopping:
                    return
            self._hears = False
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_RETRY_SECONDS)

    async def _reload(self) -> None:
        async with self._pool.session() as session:
            own = dict(await (await session.execute(query("gateway_settings"))).fetchall())
            of_roles: dict[str, dict[str, str]] = {}
            for role, name, value in await (await session.execute(query("role_settings"))).fetchall():
                of_roles.setdefault(role, {})[name] = value
            tables = await session.execute(query("exposed_tables"), {"schemas": list(self._schemas)})
            self._configuration = _Configuration(
                pre_request=own.get("pgrst.db_pre_request", ""),
                role_settings=of_roles,
                tables={(schema, name): tuple(columns) for schema, name, columns in await tables.fetchall()},
            )


@dataclass(frozen=True, kw_only=True)
class _Body:
    """A request's rows as the text of a JSON array, which goes to the database as it came, and their column names."""

    text: str
    length: int
    names: tuple[str, ...]

    @classmethod
    def read(cls, text: str) -> "_Body":
        try:
            body = json.loads(text)
        except ValueError:
            raise Refused(400, "PGRST102", "Empty or invalid json") from None
        rows = body if isinstance(body, list) else [body]
        if not all(isinstance(row, dict) for row in rows):
            raise Refused(400, "PGRST102", "A body is an object or an array of objects")
        if any(row.keys() != rows[0].keys() for row in rows):
            raise Refused(400, "PGRST102", "All object keys must match")
        array = text if isinstance(body, list) else f"[{text}]"
        return cls(text=array, length=len(rows), names=tuple(rows[0]) if rows else ())


def _change(method: str, table: sql.Identifier, body: _Body | None, reading: Reading) -> sql.Composable:
    """Build the INSERT, UPDATE or DELETE; values go through the table's own row type."""
    if method != "POST" and not reading.where:
        # Hosted projects load `safeupdate` into the gateway's sessions.
        raise Refused(400, "21000", f"{'UPDATE' if method == 'PATCH' else 'DELETE'} requires a WHERE clause")
    if body is None:
        return sql.SQL("DELETE FROM {}{}").format(table, reading.where_clause)
    columns = sql.SQL(", ").join([sql.Identifier(name) for name in body.names])
    rows = sql.SQL("SELECT {} FROM json_populate_recordset(NULL::{}, {})").format(
        columns, table, sql.Literal(body.text)
    )
    if method == "POST":
        if body.length == 1 and not body.names:
            return sql.SQL("INSERT INTO {} DEFAULT VALUES").format(table)
        target = sql.SQL(" ({})").format(columns) if body.names else sql.SQL("")
        return sql.SQL("INSERT INTO {}{} {}").format(table, target, rows)
    if body.length != 1 or not body.names:
        raise Refused(400, "PGRST102", "A change is one object with at least one column")
    return sql.SQL("UPDATE {} SET ({}) = ({}){}").format(table, columns, rows, reading.where_clause)


def _page(request: web.Request, text: str, *, page: int, offset: int, total: int | None) -> web.Response:
    if total is not None and offset > 0 and offset >= total:
        details = f"An offset of {offset} was requested, but there are only {total} rows."
        raise Refused(416, "PGRST103", "Requested range not satisfiable", details=details)
    rows = f"{offset}-{offset + page - 1}" if page else "*"
    headers = {"Content-Range": f"{rows}/{'*' if total is None else total}"}
    status = 206 if total is not None and page < total else 200
    if request.method == "HEAD":
        return web.Response(status=status, headers=headers, content_type="application/json")
    return web.json_response(text=text, status=status, headers=headers)


def _preferences(request: web.Request) -> set[str]:
    return {part.strip() for line in request.headers.getall("Prefer", []) for part in line.split(",")}


async def _one_row(session: AsyncConnection, statement: sql.Composed) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = await (await session.execute(statement)).fetchone()
    assert row is not None
    return row


def _refusal_of(error: psycopg.Error, *, signed_in: bool) -> Refused:
    code = error.sqlstate or "XX000"
    if code.startswith("PT") and code[2:].isdecimal():
        status = int(code[2:])
    elif code == "42501":
        status = 403 if signed_in else 401
    else:
        status = _STATUS_OF_CODE.get(code) or _STATUS_OF_CLASS.get(code[:2], 400)
    diagnosis = error.diag
    message = diagnosis.message_primary or str(error)
    return Refused(status, code, message, details=diagnosis.message_detail, hint=diagnosis.message_hint)

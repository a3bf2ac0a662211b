"""Writes that touch no row: how the freeze is tested, and the thaw.

Each probe answers with the code it was refused with, or "" when it was accepted; what was accepted changed nothing
and is rolled back. A read-only transaction refuses them before it looks for rows or rights, so no right to write is
needed. No hook is called here: another's may do what it likes, and with our rights.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import psycopg
from psycopg import sql

from bot.supabase import guard
from bot.supabase.api_client import NO_ANSWER, KeyName
from bot.supabase.database import Database, Session, query, translated
from bot.supabase.gateway import METHODS, Gateway, Method
from bot.supabase.reading import reading

PROBED: Mapping[str, str] = {"temp-table": "CREATE TEMP TABLE", "update": "an UPDATE of no row"}
"""The probes of a session, and what they are called to people."""

_TEMP_TABLE = sql.SQL("CREATE TEMP TABLE cutover_probe (probe integer)")
_NOT_EXPOSED = {"PGRST106", "PGRST125", "PGRST205", "42P01"}
_ASKS_THE_HOOK, _THE_HOOK = "x-cutover-reload", "CUT00"
"""The header by which a thawed hook knows our question, and its answer (`queries/thaw_restore.sql`)."""
_WAITED = {"55P03", "57014"}
"""A lock was not to be had in time, or the database's own time was up."""
_LOST = {"57P01", "57P02", "57P03", None}


class _Candidate(NamedTuple):
    """`quiet`: planning an UPDATE of the table runs no code of anybody, so that it may be tried with our rights."""

    schema: str
    table: str
    column: str
    not_null: bool
    quiet: bool


async def fresh_writes(database: Database) -> dict[str, str]:
    """By probe (`PROBED`), the code with which a session opened now refuses it. Without a table to write to, or where
    the hard guard would let it wait, the first only.
    """
    async with database.session("probe", may_write=True) as session:
        candidates = [] if await guard.is_set(session) else [one for one in await _candidates(session) if one.quiet]
        probes = {"temp-table": sql.Composed([_TEMP_TABLE])}
        if candidates:
            schema, table, column, *_ = candidates[0]
            probes["update"] = sql.SQL("UPDATE {table} SET {column} = {column} WHERE false").format(
                table=sql.Identifier(schema, table), column=sql.Identifier(column)
            )
        with translated("the probes of a fresh session could not be made"):
            await session.execute("SET lock_timeout = '5s'")
            return {name: await _tried(session, sql.SQL("BEGIN"), probe) for name, probe in probes.items()}


@dataclass(frozen=True, kw_only=True)
class ApiAnswers:
    """By key and method, the code with which the public API refused a write to this table."""

    schema: str
    table: str
    codes: Mapping[tuple[KeyName, Method], str]


async def api_writes(session: Session, gateway: Gateway, *, guarded: bool) -> ApiAnswers | None:
    """None when it exposes no table that could be asked for. Where the hard guard lets each wait, one method speaks for
    all.
    """
    async for schema, table, column in _exposed(session, gateway):
        wanted = [(key, method) for key in gateway.keys for method in (METHODS if not guarded else ("PATCH",))]
        tries = [gateway.try_write(key, schema, table, column, method) for key, method in wanted]
        said = await asyncio.gather(*tries, return_exceptions=True)
        codes: dict[tuple[KeyName, Method], str] = {}
        for asked, answer in zip(wanted, said, strict=True):
            if isinstance(answer, BaseException):
                raise answer
            codes[asked] = answer
        return ApiAnswers(schema=schema, table=table, codes=codes)
    return None


async def api_takes_writes(session: Session, gateway: Gateway) -> dict[KeyName, str]:
    """By key, "" when the public API accepts a write of no row to some table; else how it refused the last of them."""
    answers: dict[KeyName, str] = {}
    for one in await _to_ask_for(session):
        for key in gateway.keys:
            if answers.get(key) != "" and (code := await gateway.try_write(key, *one)) not in _NOT_EXPOSED:
                answers[key] = code
        if answers and "42501" not in answers.values():  # no right to that table, perhaps to another
            break
    return answers


async def hook_is_called(session: Session, gateway: Gateway) -> bool | None:
    """Whether the gateway calls the hook that a thaw has left; None when no read says so either way. The hook answers
    before the table is looked at: a read that has waited in vain for its table was answered by no hook.
    """
    for one in await _to_ask_for(session):
        code = await gateway.try_read(*one, _ASKS_THE_HOOK)
        if code in {"", _THE_HOOK, *_WAITED}:
            return code == _THE_HOOK
        if code == NO_ANSWER:
            return None
    return None


async def _exposed(session: Session, gateway: Gateway) -> AsyncIterator[tuple[str, str, str]]:
    """Those of `_to_ask_for` that the gateway knows."""
    for one in await _to_ask_for(session):
        if await gateway.try_read(*one) not in _NOT_EXPOSED:
            yield one


async def _to_ask_for(session: Session) -> list[tuple[str, str, str]]:
    """Tables that the gateway may know, each with a column that is NOT NULL."""
    return [one[:3] for one in await _candidates(session) if one.not_null]


async def storage_write(database: Database, session: Session, gateway: Gateway) -> str | None:
    """How Storage answers when a bucket that exists is to be made again: "read-only", "duplicate", or its code; None
    where there is no bucket, or where the hard guard would let it wait.
    """
    if await guard.is_set(session):
        return None
    with translated("a bucket for the probe could not be chosen"):
        table = "SELECT FROM pg_class WHERE oid = to_regclass('storage.buckets') AND relkind = 'r'"
        there = await (await session.execute(f"SELECT EXISTS ({table})")).fetchone()
        if there != (True,):
            return None
    async with reading(database, "probe") as source:
        with translated("a bucket for the probe could not be chosen"):
            first = sql.SQL("SELECT id FROM storage.buckets ORDER BY id LIMIT 1")
            found = await source.ask(first, of="storage.buckets")
    return await gateway.try_bucket(found[0][0]) if found else None


async def _candidates(session: Session) -> list[_Candidate]:
    with translated("a table for the probes could not be chosen"):
        rows = await (await session.execute(query("probe_columns"))).fetchall()
    return [_Candidate(*row) for row in rows]


async def _tried(session: Session, begin: sql.SQL, statement: sql.SQL | sql.Composed) -> str:
    await session.execute(begin)
    try:
        await session.execute(statement)
    except psycopg.Error as error:
        if error.sqlstate in _LOST:
            raise
        return error.sqlstate or ""
    finally:
        if not session.closed:
            await session.execute("ROLLBACK")
    return ""

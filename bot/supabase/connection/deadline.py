"""A deadline for what is asked of the source, kept even where its server says nothing at all.

A server that hangs answers neither a question nor a request to cancel it, so whoever cancels the task that asks waits
again. Here the connection is hung up instead: its socket is shut down, the question ends as with any lost connection,
and the session is thrown away and opened anew by whoever asks next.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import psycopg

from bot.errors import ServiceUnreachable
from bot.obstacles import DATABASE_AWAY
from bot.supabase.database import Database, Session

_ENDS_WITHIN_SECONDS = 1.0
_T = TypeVar("_T")


async def in_time(asked: Coroutine[Any, Any, _T], *, seconds: float, hang_up: Callable[[], object]) -> _T:
    """The answer. When it is late, or when whoever waits for it is cancelled, `hang_up` cuts off the sessions that it
    may wait for. Raises ServiceUnreachable when it is late.
    """
    task = asyncio.create_task(asked)
    try:
        await asyncio.wait({task}, timeout=seconds)
        late = not task.done()
    finally:
        await _ended(task, hang_up)
    if late:
        raise ServiceUnreachable(
            f"the source database did not answer within {seconds:g} s",
            unchanged="nothing was changed",
            do="check that the project and the network are up; Cutover tries again",
            obstacle=DATABASE_AWAY,
        )
    return task.result()


def hang_up(session: Session | None) -> None:
    """Shuts its socket down; whoever waits for it learns at once that the connection is lost."""
    if session is None or session.closed:
        return
    with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(session.pgconn.socket)) as line:
        line.shutdown(socket.SHUT_RDWR)


def hang_up_all(database: Database) -> None:
    """`hang_up` for every session that was opened by this way to it."""
    for session in database.sessions:
        hang_up(session)


async def _ended(task: asyncio.Task[Any], hang_up: Callable[[], object]) -> None:
    if task.done():
        return
    task.add_done_callback(_seen)
    hang_up()
    try:
        await asyncio.wait({task}, timeout=_ENDS_WITHIN_SECONDS)
    finally:
        task.cancel()  # it was not yet connected, say


def _seen(task: asyncio.Task[Any]) -> None:
    """What it would have answered is of no use any more, and neither is its error."""
    if not task.cancelled():
        task.exception()

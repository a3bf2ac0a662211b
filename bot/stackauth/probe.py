"""How many users the service takes in a second, measured by creating a few that are deleted again at once.

Each bears a mark that is no user's, a password hash (whose check is what a create costs the service), no address, and
is restricted, so that nobody can be it. Whatever is lost on the way, the service's own list is read at the end, and at
the next beginning, and every user with such a mark is deleted: also those of a probe that was killed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from bot.concurrency import run_all
from bot.ports import Progress, Report
from bot.stackauth.client.api import StackAuth
from bot.stackauth.client.errors import NoAnswer
from bot.stackauth.client.models import User
from bot.stackauth.client.rate import RateLimiter
from bot.stackauth.client.retry import RetryingClient
from bot.stackauth.client.user_list import all_users
from bot.stackauth.users.metadata import MARKER, marker_in

_MARK = "probe"
_HASH = "$2a$10$" + "abcdefghijklmnopqrstuu" + "ABCDEFGHIJKLMNOPQRSTUVWXYZabcde"


async def users_per_second(
    service: StackAuth, number: int, *, concurrency: int, settle_seconds: float, report: Report
) -> float:
    """Creates and deletes `number` users. Raises what the service raises; those created until then are deleted even so,
    as far as it answers.
    """
    client = RetryingClient(service, RateLimiter())
    await _remove_all(client, report)
    loop = asyncio.get_running_loop()
    try:
        began = loop.time()
        done = 0

        async def create(turns: Iterator[int]) -> None:
            nonlocal done
            for n in turns:
                try:
                    await client.ask(lambda n=n: service.create(_body(n)))  # type: ignore[misc]
                except NoAnswer:
                    continue  # it counts as time and not as a user
                done += 1
                report(Progress(step="probe", done=done, total=number, unit="users", note="creating"))

        turns = iter(range(number))
        await run_all(create(turns) for _ in range(concurrency))
        seconds = loop.time() - began
    finally:
        await asyncio.sleep(settle_seconds)  # what nobody answered may still come to be
        await _remove_all(client, report)
    return max(1, done) / seconds


def _body(n: int) -> dict[str, Any]:
    return {
        "display_name": f"Cutover probe {n}",
        "password_hash": _HASH,
        "restricted_by_admin": True,
        "restricted_by_admin_reason": "A probe of Cutover, deleted within minutes",
        "server_metadata": {MARKER: {_MARK: n}},
    }


async def _remove_all(client: RetryingClient, report: Report) -> None:
    marked = [user.id async for user in all_users(client, newest_first=True) if _is_probe(user)]
    for n, stack_id in enumerate(marked, 1):
        await client.delete(stack_id)
        report(Progress(step="probe", done=n, total=len(marked), unit="users", note="deleting"))


def _is_probe(user: User) -> bool:
    marker = marker_in(user.server_metadata)
    return marker is not None and _MARK in marker and "id" not in marker

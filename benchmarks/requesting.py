"""One way of creating users over HTTP, in a process of its own.

    python -m benchmarks.requesting (ours | httpx | aiohttp | predecessor) URL CONCURRENCY WARM_UP SECONDS

Prints how many requests a second were answered by a user, once the warm-up (in seconds) was over.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
import httpx

from bot.stackauth.client.api import StackAuth
from bot.stackauth.client.rate import RateLimiter
from bot.stackauth.client.retry import RetryingClient

PROJECT, KEY = "11111111-1111-4111-8111-111111111111", "ssk_bench"
_USERS = "/api/v1/users"
_HEADERS = {"x-stack-access-type": "server", "x-stack-project-id": PROJECT, "x-stack-secret-server-key": KEY}
_BODY = {
    "display_name": "Ada Lovelace",
    "password_hash": "$2b$10$" + "a" * 53,
    "client_metadata": {"full_name": "Ada Lovelace", "locale": "en"},
    "server_metadata": {"supabase": {"id": "0" * 36, "run": "20260102-0000", "digest": "0" * 64}},
}
_SMALL = 8
_PREDECESSOR_PAUSE = 0.1

Create = Callable[[int], Awaitable[object]]
"""Creates a user; takes the number of the worker that asks."""


@asynccontextmanager
async def ours(url: str, concurrency: int) -> AsyncIterator[Create]:
    """The bot's own way: client, rate limiter and retries."""
    async with StackAuth(url, PROJECT, KEY, concurrency=concurrency) as service:
        client = RetryingClient(service, RateLimiter())
        yield lambda worker: client.ask(lambda: service.create(_BODY))


@asynccontextmanager
async def plain_httpx(url: str, concurrency: int) -> AsyncIterator[Create]:
    """Small clients, and nothing around them."""
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(httpx.AsyncClient(base_url=url, headers=_HEADERS))
            for _ in range(-(-concurrency // _SMALL))
        ]

        async def create(worker: int) -> object:
            response = await clients[worker % len(clients)].post(_USERS, json=_BODY)
            return response.raise_for_status().json()

        yield create


@asynccontextmanager
async def plain_aiohttp(url: str, concurrency: int) -> AsyncIterator[Create]:
    connector = aiohttp.TCPConnector(limit=concurrency)
    async with aiohttp.ClientSession(url, headers=_HEADERS, connector=connector, raise_for_status=True) as session:

        async def create(worker: int) -> object:
            async with session.post(_USERS, json=_BODY) as response:
                return await response.json()

        yield create


@asynccontextmanager
async def predecessor(url: str, concurrency: int) -> AsyncIterator[Create]:
    """A pause after each user, so that the service is never asked too often."""
    async with plain_httpx(url, concurrency) as create:

        async def create_and_pause(worker: int) -> object:
            created = await create(worker)
            await asyncio.sleep(_PREDECESSOR_PAUSE)
            return created

        yield create_and_pause


WAYS = {"ours": ours, "httpx": plain_httpx, "aiohttp": plain_aiohttp, "predecessor": predecessor}


async def per_second(way: str, url: str, concurrency: int, warm_up: float, seconds: float) -> float:
    now = asyncio.get_running_loop().time
    answered = 0
    async with WAYS[way](url, concurrency) as create:
        begins = now() + warm_up
        ends = begins + seconds

        async def work(worker: int) -> None:
            nonlocal answered
            while now() < ends:
                await create(worker)
                answered += begins <= now() < ends

        await asyncio.gather(*(work(worker) for worker in range(concurrency)))
    return answered / seconds


def main(way: str, url: str, concurrency: str, warm_up: str, seconds: str) -> None:
    print(json.dumps(asyncio.run(per_second(way, url, int(concurrency), float(warm_up), float(seconds)))))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Several small clients act as one of the promised size."""

import asyncio

import pytest
from aiohttp import web

from bot.errors import ServiceUnreachable
from bot.stackauth.client.api import StackAuth

_EMPTY = {"items": [], "pagination": {"next_cursor": None}}


class Counter:
    """A service that answers no list before `together` requests are under way at once."""

    def __init__(self, together: int) -> None:
        self.connections: set[int] = set()
        self._together = asyncio.Barrier(together)

    async def answer(self, request: web.Request) -> web.Response:
        self.connections.add(id(request.transport))
        await self._together.wait()
        return web.json_response(_EMPTY)


@pytest.mark.parametrize(("concurrency", "at_once"), [(1, 8), (8, 8), (9, 16), (16, 16), (64, 64)])
async def test_as_many_requests_as_promised_are_under_way_at_once(make, concurrency, at_once):
    """Rounded up to eights, over as many connections and no more, however often all of them are asked."""
    counter = Counter(at_once)
    async with (
        StackAuth(await make.server(counter.answer), make.project, make.key, concurrency=concurrency) as client,
        asyncio.timeout(180),
        asyncio.TaskGroup() as group,
    ):
        for _ in range(3 * at_once):
            group.create_task(client.page(None))
    assert len(counter.connections) == at_once


async def test_a_lane_whose_request_failed_is_used_again(make):
    """A request that got no answer counts as under way no longer."""
    failing = True

    async def handler(request: web.Request) -> web.Response:
        if failing and request.transport is not None:
            request.transport.abort()
            return web.Response()
        return await counter.answer(request)

    counter = Counter(16)
    async with StackAuth(await make.server(handler), make.project, make.key) as client, asyncio.timeout(180):
        for _ in range(9):
            with pytest.raises(ServiceUnreachable):
                await client.page(None)
        failing = False
        async with asyncio.TaskGroup() as group:
            for _ in range(16):
                group.create_task(client.page(None))
    assert len(counter.connections) == 16

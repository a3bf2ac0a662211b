"""A night's world with its page, and whoever has the address."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import pytest

from bot.rehearsal.night import Night
from bot.rehearsal.page.play import Stage, staged
from tests.night.playing import fast_night

WITHIN = 180


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A night before the browser is the longest of all tests: begun last, it would be waited for alone."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is None)


@dataclass
class World:
    """No bot is started until a test asks for one."""

    night: Night
    stage: Stage

    @property
    def origin(self) -> str:
        return self.stage.page.address.partition("/?")[0].rpartition("/")[0]

    @property
    def path(self) -> str:
        """Where the page is, with a slash at both ends."""
        return self.stage.page.address.removeprefix(self.origin).partition("?")[0]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with fast_night(tmp_path / "night", posts_per_second=10_000) as night, staged(night) as stage:
        yield World(night, stage)


@dataclass
class Visitor:
    """A page without a browser: it has come in by the address, and remembers every frame."""

    world: World
    frames: list[dict[str, Any]] = field(default_factory=list)
    number: int = 0

    async def __aenter__(self) -> Self:
        # An address of numbers has cookies, too.
        self.client = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        async with self.client.get(self.world.stage.page.address) as page:
            assert page.status == 200
        self.socket = await self.client.ws_connect(
            f"{self.world.origin}{self.world.path}live", headers={"Origin": self.world.origin}
        )
        self._came = asyncio.Condition()
        self._reads = asyncio.create_task(self._read())
        await self.sees("world", lambda _: True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.socket.close()
        await self._reads
        await self.client.close()

    async def _read(self) -> None:
        async for frame in self.socket:
            async with self._came:
                self.frames.append(json.loads(frame.data))
                self._came.notify_all()

    async def sees(self, kind: str, condition: Callable[[dict[str, Any]], bool], since: int = 0) -> dict[str, Any]:
        """The first frame of this kind for which the condition holds."""

        def found() -> dict[str, Any] | None:
            return next((f for f in self.frames[since:] if f["kind"] == kind and condition(f)), None)

        async with asyncio.timeout(WITHIN), self._came:
            await self._came.wait_for(lambda: found() is not None)
        frame = found()
        assert frame is not None
        return frame

    async def asks(self, act: str, **fields: Any) -> dict[str, Any]:
        """The answer to an act."""
        self.number += 1
        number = self.number
        await self.socket.send_json({"act": act, "number": number, **fields})
        return await self.sees("answer", lambda frame: frame["number"] == number)

    async def shows(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The world as it is shown, once the newest of it satisfies the condition."""
        async with asyncio.timeout(WITHIN), self._came:
            await self._came.wait_for(lambda: condition([f for f in self.frames if f["kind"] == "world"][-1]))
        return [f for f in self.frames if f["kind"] == "world"][-1]

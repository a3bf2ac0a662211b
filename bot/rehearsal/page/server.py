"""The port, the files of the page, and its one WebSocket: acts come in, what changed goes out.

async with Page(night, board, doing, port=0) as page:
    print(page.address)
"""

from __future__ import annotations

import asyncio
import json
from importlib import resources
from typing import Self

from aiohttp import WSMsgType, web

from bot.errors import UsageError
from bot.port import Port
from bot.rehearsal.night import Night
from bot.rehearsal.page.acts import ACT, Act
from bot.rehearsal.page.board import Board
from bot.rehearsal.page.doing import CannotBeDone, Doing, Json
from bot.rehearsal.page.door import Door
from bot.rehearsal.page.styles import policy_for

_INDEX = "index.html"
_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_LARGEST_ACT = 2 * 1024 * 1024
_AT_ONCE = 20


class Page:
    """`address` is what a person opens; it is known once the page runs."""

    def __init__(self, night: Night, board: Board, doing: Doing, *, port: int) -> None:
        self._night = night
        self._board = board
        self._doing = doing
        self._door = Door()
        self._files = {
            file.name: file.read_bytes() for file in resources.files(__package__).joinpath("static").iterdir()
        }
        app = web.Application(middlewares=[self._door.middleware])
        app.on_response_prepare.append(self._door.on_prepare)
        app.router.add_get(self._door.path, self._index)
        app.router.add_get(f"{self._door.path}live", self._live)
        app.router.add_get(f"{self._door.path}report", self._report)
        app.router.add_get(f"{self._door.path}{{name}}", self._file)
        self._asked_for = port
        self._port = Port(web.AppRunner(app, access_log=None, shutdown_timeout=1), port)

    @property
    def address(self) -> str:
        return self._door.address

    def address_once(self) -> str:
        """The same for one opening: for a program whose arguments everybody on this machine can read."""
        return self._door.address_once()

    async def __aenter__(self) -> Self:
        """Raises UsageError when the port is taken."""
        try:
            await self._port.open()
        except OSError as error:
            raise UsageError(
                f"Port {self._asked_for} of this machine cannot be had ({error.strerror})",
                unchanged="nothing was started",
                do="name another one with --port, or none to take a free one",
            ) from error
        self._door.authority = self._port.url.removeprefix("http://")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._port.close()

    async def _index(self, _request: web.Request) -> web.Response:
        return self._served(_INDEX)

    async def _file(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self._files:
            raise web.HTTPNotFound
        return self._served(name)

    def _served(self, name: str) -> web.Response:
        content_type = _TYPES[name.rpartition(".")[2]]
        return web.Response(body=self._files[name], content_type=content_type, charset="utf-8")

    async def _report(self, _request: web.Request) -> web.Response:
        """The run's own report, as it was last written."""
        try:
            text = await asyncio.to_thread((self._night.directory / "report.html").read_text, encoding="utf-8")
        except OSError:
            raise web.HTTPNotFound(text="The report is not written yet.\n") from None
        return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": policy_for(text)})

    async def _live(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(timeout=1.0, heartbeat=20, max_msg_size=_LARGEST_ACT)
        await socket.prepare(request)
        at_work: set[asyncio.Task[None]] = set()
        try:
            await self._board.welcome(socket)
            async for frame in socket:
                if frame.type is WSMsgType.TEXT and len(at_work) < _AT_ONCE:
                    task = asyncio.create_task(self._asked(socket, str(frame.data)))
                    at_work.add(task)
                    task.add_done_callback(at_work.discard)
        except ConnectionError:
            pass  # the page has gone
        finally:
            self._board.farewell(socket)
        return socket

    async def _asked(self, socket: web.WebSocketResponse, frame: str) -> None:
        """One act, whose answer carries its number. What is begun is done, though the page goes meanwhile."""
        number = 0
        try:
            asked = json.loads(frame)
            number = int(asked.pop("number"))
            act = ACT.validate_python(asked)
        except (ValueError, KeyError, TypeError, AttributeError):
            answer = {"says": "The page asked for something that does not exist.", "failed": True}
        else:
            answer = await self._done(act)
        self._board.stir()
        if not socket.closed:
            try:
                await socket.send_json({"kind": "answer", "number": number, **answer})
            except ConnectionError:
                return

    async def _done(self, act: Act) -> Json:
        try:
            return await self._doing.do(act)
        except CannotBeDone as error:
            return {"says": str(error), "failed": True}

"""A pooler in session mode, as Supavisor is one: it names every session after itself, and lends closed ones again.

It speaks PostgreSQL's protocol far enough for that. A client's log-in is passed through to a new session of the server;
whoever comes later is lent an idle one, rolled back and after DISCARD ALL, as it began: with the default that was in
force then. A session that the server ends is gone, and its client with it. Secrets are not asked for again.
"""

import asyncio
import struct
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

from tests.freeze.cutting import typed, untyped

NAME = "Supavisor"
_TLS, _GSS, _CANCEL = 80877103, 80877104, 80877102
_AUTHENTICATED, _READY = struct.pack("!cii", b"R", 8, 0), b"Z"
_NO_ANSWER_NEEDED = {0, 12}
"""Kinds of authentication messages that a client says nothing to: it is in, or the last word of SCRAM."""


class _Lent:
    """One session of the server, and what it said when it began."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.greeting = b""
        self.status = b"I"

    async def say(self, statement: str) -> None:
        text = statement.encode() + b"\0"
        self.writer.write(b"Q" + struct.pack("!i", len(text) + 4) + text)
        while (await typed(self.reader))[:1] != _READY:
            pass


class SessionPooler:
    """`lent_again` counts the clients that got a session which another had before."""

    def __init__(self, dsn: str) -> None:
        self._address = urlsplit(dsn)
        self._idle: dict[bytes, list[_Lent]] = {}
        self._open: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.lent_again = 0
        self.dsn = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        there = self._address.netloc.rpartition(":")[0]
        self.dsn = urlunsplit(self._address._replace(netloc=f"{there}:{port}", query="sslmode=disable"))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        for writer in self._open:
            writer.transport.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def idle(self) -> int:
        return sum(len(sessions) for sessions in self._idle.values())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._open.append(writer)
        try:
            who = await self._asked(reader, writer)
            lent = await self._lend(who, reader, writer)
            if await self._pass_on(reader, writer, lent):
                await lent.say("ROLLBACK")
                await lent.say("DISCARD ALL")
                self._idle.setdefault(who, []).append(lent)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _asked(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """The startup message, under our own name."""
        while True:
            message = await untyped(reader)
            (kind,) = struct.unpack("!i", message[4:8])
            if kind == _CANCEL:
                raise ConnectionError
            if kind not in {_TLS, _GSS}:
                break
            writer.write(b"N")
        words = message[8:].rstrip(b"\0").split(b"\0")
        told = dict(zip(words[::2], words[1::2], strict=True)) | {b"application_name": NAME.encode()}
        body = message[4:8] + b"".join(name + b"\0" + value + b"\0" for name, value in sorted(told.items())) + b"\0"
        return struct.pack("!i", len(body) + 4) + body

    async def _lend(self, who: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> _Lent:
        while sessions := self._idle.get(who):
            lent = sessions.pop(0)
            try:
                await lent.say("")
            except (asyncio.IncompleteReadError, ConnectionError):
                continue  # the server ended it
            self.lent_again += 1
            writer.write(_AUTHENTICATED + lent.greeting)
            return lent
        assert self._address.hostname and self._address.port
        lent = _Lent(*await asyncio.open_connection(self._address.hostname, self._address.port))
        self._open.append(lent.writer)
        lent.writer.write(who)
        while True:
            answer = await typed(lent.reader)
            writer.write(answer)
            if answer[:1] == b"R":
                if struct.unpack("!i", answer[5:9])[0] not in _NO_ANSWER_NEEDED:
                    lent.writer.write(await typed(reader))
                continue
            lent.greeting += answer
            if answer[:1] == _READY:
                return lent

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lent: _Lent) -> bool:
        """True when the client has left and the session is idle; False when the server ended it."""

        async def back() -> None:
            while True:
                message = await typed(lent.reader)
                if message[:1] == _READY:
                    lent.status = message[5:6]
                writer.write(message)

        async def forth() -> None:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while (message := await typed(reader))[:1] != b"X":
                    lent.writer.write(message)

        tasks = asyncio.create_task(forth()), asyncio.create_task(back())
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return not tasks[1].done()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

"""Socket Mode: tickets, connections, envelopes and their acknowledgements.

A ticket opens one connection and is spent by the attempt. Each envelope goes to one connection, any one of them.
An event that is not acknowledged within `ack_seconds` goes out again in a new envelope, on whichever connection is
alive then, up to three times; after that Slack gives up. What finds no connection at its first attempt is never sent.

A connection that ends without a close frame from the client is a ghost: it takes nothing, and is counted for a while.
"""

import asyncio
import contextlib
import json
import random
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import WSCloseCode, WSMsgType, web

from bot.rehearsal.standins.slack.delivery import Delivery
from bot.rehearsal.standins.slack.workspace import Json

CONNECTIONS_PER_APP = 10


@dataclass(eq=False)
class _Connection:
    """`dead` is one whose other end is gone without a word: it takes nothing, says nothing and answers no ping. A
    `silent` one is well, but no envelope comes over it any more.
    """

    socket: web.WebSocketResponse
    transport: asyncio.Transport | None
    outbox: asyncio.Queue[Json] = field(default_factory=asyncio.Queue)
    dead: bool = False
    silent: bool = False
    killed: bool = False


class SocketMode:
    """The server's side of all connections of the one app."""

    def __init__(
        self, app_id: str, ack_seconds: float, ping_seconds: float, ghost_seconds: float, stir: Callable[[], None]
    ) -> None:
        self.deliveries: list[Delivery] = []
        self.opened = 0
        self.refuse_handshakes = 0
        self.is_down = False
        """Nobody is let in; whoever is in stays until `kill`."""
        self._app_id = app_id
        self._ack_seconds = ack_seconds
        self._ping_seconds = ping_seconds
        self._ghost_seconds = ghost_seconds
        self._ghosts: list[float] = []
        """When each will be forgotten."""
        self._stir = stir
        self._tickets: set[str] = set()
        self._connections: list[_Connection] = []
        self._unacked: dict[str, Delivery] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    @property
    def connections(self) -> int:
        return len(self._connections)

    @property
    def ghosts(self) -> int:
        now = asyncio.get_running_loop().time()
        self._ghosts = [at for at in self._ghosts if at > now]
        return len(self._ghosts)

    def new_ticket(self) -> str:
        ticket = secrets.token_urlsafe(16)
        self._tickets.add(ticket)
        return ticket

    # Towards the bot

    @property
    def open(self) -> bool:
        return bool(self._connections)

    def send(self, delivery: Delivery, attempt: int = 0) -> None:
        envelope_id = str(uuid.uuid4())
        delivery.attempts += 1
        self._unacked[envelope_id] = delivery
        self._timers[envelope_id] = asyncio.get_running_loop().call_later(
            self._ack_seconds, self._not_acked, envelope_id, attempt
        )
        if not self._connections:
            return
        envelope: Json = {
            "envelope_id": envelope_id,
            "type": delivery.kind,
            "accepts_response_payload": delivery.kind == "slash_commands",
            "payload": delivery.payload,
        }
        if delivery.kind == "events_api":
            envelope |= {"retry_attempt": attempt, "retry_reason": "timeout" if attempt else ""}
        connection = random.choice(self._connections)
        if not connection.silent:
            connection.outbox.put_nowait(envelope)

    def _not_acked(self, envelope_id: str, attempt: int) -> None:
        del self._timers[envelope_id]
        delivery = self._unacked[envelope_id]  # a late acknowledgement still counts, so it stays known
        if delivery.acked:
            return
        if attempt < delivery.retries:
            self.send(delivery, attempt + 1)
        else:
            delivery.given_up = True
        self._stir()

    def goodbye(self, reason: str) -> None:
        """Tell every connection that it will be closed; the client is expected to come back on a new one."""
        for connection in self._connections:
            connection.outbox.put_nowait(
                {"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-rehearsal"}}
            )

    def kill(self) -> None:
        """Break every TCP connection without a word."""
        for connection in self._connections:
            connection.killed = True
            if connection.transport is not None:
                connection.transport.abort()

    def silence(self) -> None:
        """No envelope goes over the connections that there are now."""
        for connection in self._connections:
            connection.silent = True

    def deaden(self) -> None:
        """Every connection there is stays open and does nothing any more, not even answer pings."""
        for connection in self._connections:
            connection.dead = True
            if connection.transport is not None:
                connection.transport.pause_reading()

    async def stop(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for connection in list(self._connections):
            if connection.dead and connection.transport is not None:
                connection.transport.abort()  # nobody would answer the farewell
            else:
                await connection.socket.close(code=1001)

    # From the bot

    async def link(self, request: web.Request) -> web.StreamResponse:
        """A client dials the address that apps.connections.open gave it."""
        ticket = request.query.get("ticket", "")
        known = ticket in self._tickets
        self._tickets.discard(ticket)
        if self.refuse_handshakes or self.is_down:
            self.refuse_handshakes = max(0, self.refuse_handshakes - 1)
            return web.Response(status=503, text="try again later")
        if not known:
            return web.Response(status=403, text="invalid ticket")
        socket = web.WebSocketResponse(timeout=1.0, autoping=False)
        await socket.prepare(request)
        if len(self._connections) >= CONNECTIONS_PER_APP:
            await socket.send_json({"type": "disconnect", "reason": "too_many_websockets"})
            await socket.close()
            return socket
        connection = _Connection(socket, request.transport)
        self._connections.append(connection)
        self.opened += 1
        connection.outbox.put_nowait(self._hello())
        writer = asyncio.create_task(self._write(connection))
        self._stir()
        try:
            async for frame in socket:
                if frame.type is WSMsgType.PING:
                    with contextlib.suppress(ConnectionError):  # it may have ended meanwhile
                        await socket.pong(frame.data)
                elif frame.type is WSMsgType.TEXT:
                    self._acknowledged(str(frame.data))
        finally:
            self._connections.remove(connection)
            if not connection.killed and socket.close_code in (None, WSCloseCode.ABNORMAL_CLOSURE):
                self._ghosts.append(asyncio.get_running_loop().time() + self._ghost_seconds)
            writer.cancel()
            self._stir()
        return socket

    def _hello(self) -> Json:
        return {
            "type": "hello",
            "num_connections": len(self._connections) + self.ghosts,
            "debug_info": {"host": "applink-rehearsal", "build_number": 1, "approximate_connection_time": 18060},
            "connection_info": {"app_id": self._app_id},
        }

    async def _write(self, connection: _Connection) -> None:
        """One writer a connection, so that frames leave in the order in which things happened."""
        while True:
            frame = None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._ping_seconds):
                    frame = await connection.outbox.get()
            if connection.dead:
                continue
            try:
                if frame is None:
                    await connection.socket.ping(b"Ping from applink-rehearsal")
                else:
                    await connection.socket.send_json(frame)
            except ConnectionError:
                return  # the reader sees the end too, and the timer sends what was lost

    def _acknowledged(self, frame: str) -> None:
        """An acknowledgement is JSON with the envelope's id; anything else a client may say means nothing to Slack."""
        try:
            said = json.loads(frame)
        except ValueError:
            return
        envelope_id = said.get("envelope_id") if isinstance(said, dict) else None
        delivery = self._unacked.get(envelope_id) if isinstance(envelope_id, str) else None
        if delivery is None:
            return
        delivery.acked = True
        delivery.response = said.get("payload")
        if timer := self._timers.pop(str(envelope_id), None):
            timer.cancel()
        self._stir()

"""What every open page shows, and who sees to it that they show the same.

A page that comes gets everything; from then on it is sent what has changed, gathered over a moment, so that a burst of
edits is one frame. A page that cannot keep up is cut off; it comes back by itself, and gets everything.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from aiohttp import web

from bot.rehearsal.company import CANARY_EMAIL, CANARY_PASSWORD
from bot.rehearsal.console import WRITE, Console, Source
from bot.rehearsal.faults import FAULTS, Faults
from bot.rehearsal.hosting import Hosting
from bot.rehearsal.night import APPROVERS, PEOPLE, SOFT_FREEZE, SOFT_THAW, Night
from bot.rehearsal.page import views
from bot.rehearsal.page.hints import Scene, hint
from bot.rehearsal.page.timeline import stretches
from bot.rehearsal.standins.slack import Change
from bot.rehearsal.standins.stackauth import StoredUser

_MOMENT = 0.1
_PATIENCE = 5.0
_SPEAKS = frozenset({"cutover_run", "cutover_checkpoint", "cutover_answer"})
"""Messages after which the source may be frozen otherwise, or other reasons open."""
Json = dict[str, Any]


class Board:
    """`async with` keeps the pages up to date meanwhile."""

    def __init__(self, night: Night, hosting: Hosting, console: Console, faults: Faults) -> None:
        self._night = night
        self._hosting = hosting
        self._console = console
        self._faults = faults
        self._began = time.time()
        self._pages: set[web.WebSocketResponse] = set()
        self._messages: set[str] = set()
        self._users: dict[str, StoredUser] = {}
        self._gone: set[str] = set()
        self._stirred = asyncio.Event()
        self._looks = asyncio.Event()
        self._source = Source()
        self._open_reasons: list[str] | None = None
        self._to_decide: list[tuple[str, str]] = []
        self._status_of = 0
        self._ended_at: float | None = None
        self._verified = ""
        self._tasks: list[asyncio.Task[None]] = []
        self._sending = asyncio.Lock()
        hosting.on_change(self.stir)
        night.slack.on_change(self._of_message)
        night.stack.on_change(self._of_user)

    async def __aenter__(self) -> Board:
        self._tasks = [asyncio.create_task(work()) for work in (self._send_on, self._look_on, self._see_the_end)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(page.close() for page in list(self._pages)), return_exceptions=True)

    async def watch(self) -> None:
        """As long as the pages are kept up to date; raises what ended that."""
        await asyncio.gather(*self._tasks)

    def stir(self, *, look: bool = True) -> None:
        """Something may be otherwise now; `look`: in the database, too."""
        self._stirred.set()
        if look:
            self._looks.set()

    async def welcome(self, page: web.WebSocketResponse) -> None:
        """Send everything, and from now on what changes: what happens meanwhile is sent behind it."""
        async with self._sending:
            everything = [
                self._introduction(),
                self._messages_of(m.ts for m in self._night.slack.messages),
                self._users_of(self._night.stack.users.values(), ()),
                self._world(),
            ]
            self._pages.add(page)
            await self._send(page, everything)

    def farewell(self, page: web.WebSocketResponse) -> None:
        self._pages.discard(page)

    # -- what is shown ------------------------------------------------------------------------------------------------

    def _introduction(self) -> Json:
        slack = self._night.slack
        approvers = {PEOPLE[name].id for name in APPROVERS}
        return {
            "kind": "introduction",
            "channel": slack.channel.name,
            "people": views.people(slack.people, bot_user=slack.bot_user_id, approvers=approvers),
            "faults": [
                {"name": f.name, "service": f.service, "title": f.title, "meets": f.meets, "blow": f.is_blow}
                for f in FAULTS
            ],
            "canary": {"email": CANARY_EMAIL, "password": CANARY_PASSWORD},
            "sql": {"write": WRITE, "soft-freeze": SOFT_FREEZE, "soft-thaw": SOFT_THAW},
        }

    def _messages_of(self, ts: Iterable[str]) -> Json:
        slack = self._night.slack
        wanted, pins = set(ts), set(slack.pins)
        shown = [views.message(m, bot_user=slack.bot_user_id, pins=pins) for m in slack.messages if m.ts in wanted]
        return {"kind": "messages", "messages": shown}

    def _users_of(self, users: Iterable[StoredUser], gone: Iterable[str]) -> Json:
        return {
            "kind": "users",
            "users": [views.user(user) for user in users],
            "gone": sorted(gone),
            "total": len(self._night.stack.users),
        }

    def _world(self) -> Json:
        night, now = self._night, time.time()
        messages = night.slack.messages
        scene = Scene(
            messages=messages,
            bot=self._hosting.state,
            source=self._source,
            notice=night.notice.maintenance,
            users=len(night.stack.users),
            open_reasons=self._open_reasons,
            to_decide=self._to_decide,
        )
        led = hint(scene)
        return {
            "kind": "world",
            "now": now,
            "began": self._began,
            "ended": self._ended_at,
            "bot": {
                "state": self._hosting.state,
                "pid": self._hosting.pid,
                "starts": night.starts,
                "code": self._hosting.code,
            },
            "source": {"readOnly": self._source.is_read_only, "hooked": self._source.is_hooked},
            "held": [
                {"number": h.number, "pid": h.pid, "readOnly": h.born_read_only, "there": h.is_there}
                for h in self._console.held.values()
            ],
            "notice": night.notice.maintenance,
            "faults": sorted(self._faults.on),
            "hint": {
                "says": led.says,
                "tab": led.tab,
                "who": PEOPLE[led.who].id if led.who else "",
                "text": led.text,
            },
            "timeline": [stretch.as_json() for stretch in stretches(messages, now)],
            "evidence": {
                "directory": str(night.directory),
                "log": str(night.log_file),
                "over": self._hosting.over.is_set(),
                "verified": self._verified,
            },
        }

    # -- what changes -------------------------------------------------------------------------------------------------

    def _of_message(self, change: Change) -> None:
        self._messages.add(change.message.ts)
        self.stir(look=change.message.event_type in _SPEAKS)

    def _of_user(self, event: str, user: StoredUser) -> None:
        if event == "user.deleted":
            self._users.pop(user.id, None)
            self._gone.add(user.id)
        else:
            self._users[user.id] = user
        self.stir(look=False)

    async def _send_on(self) -> None:
        connections = self._night.slack.connections
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._stirred.wait()
            if not self._stirred.is_set() and connections == self._night.slack.connections:
                continue
            connections = self._night.slack.connections
            await asyncio.sleep(_MOMENT)
            self._stirred.clear()
            async with self._sending:
                messages, self._messages = self._messages, set()
                users, self._users = self._users, {}
                gone, self._gone = self._gone, set()
                frames = [self._messages_of(messages)] if messages else []
                frames += [self._users_of(users.values(), gone)] if users or gone else []
                frames.append(self._world())
                await asyncio.gather(*(self._send(page, frames) for page in list(self._pages)))

    async def _send(self, page: web.WebSocketResponse, frames: Sequence[Json]) -> None:
        """In this order; a page that cannot keep up is cut off."""
        try:
            async with asyncio.timeout(_PATIENCE):
                for frame in frames:
                    await page.send_json(frame)
        except (TimeoutError, ConnectionError):
            self.farewell(page)
            await page.close()

    async def _look_on(self) -> None:
        """At the source, and at what `cutover status` says of the reasons that are open."""
        while True:
            await self._looks.wait()
            await asyncio.sleep(_MOMENT)
            self._looks.clear()
            with contextlib.suppress(psycopg.Error):
                self._source = await self._console.look()
            gate = next((m for m in reversed(self._night.slack.messages) if m.event_type == "cutover_checkpoint"), None)
            if gate is None or gate.payload["checkpoint"] != "users" or gate.payload["status"] == "passed":
                self._open_reasons, self._to_decide, self._status_of = None, [], 0
            elif self._hosting.state == "running" and gate.payload["status"] != "verifying":
                await self._ask_status()
            self.stir(look=False)

    async def _ask_status(self) -> None:
        """Unless the journal has not grown since the last answer: the command takes most of a second of a core."""
        journal = self._night.directory / "journal.jsonl"
        size = journal.stat().st_size if journal.exists() else 0
        if size == self._status_of:
            return
        code, out, _ = await self._night.command("status", "--json")
        if code == 0:
            self._status_of = size
            status = json.loads(out)
            self._open_reasons = [str(reason) for reason in status["openReasons"]]
            self._to_decide = [(source, found[0]) for source, found in status["toDecide"].items() if found]

    async def _see_the_end(self) -> None:
        """Once the plan is at its end, the bundle is verified and the report written."""
        while True:
            await self._hosting.over.wait()
            self._ended_at = time.time()
            code, out, err = await self._night.command("verify")
            await self._night.command("report")
            self._verified = (out if code == 0 else out + err).strip()
            self.stir()
            while self._hosting.over.is_set():  # noqa: ASYNC110  # another run may be opened
                await asyncio.sleep(0.5)
            self._ended_at, self._verified = None, ""

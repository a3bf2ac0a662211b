"""A night as its people play it, whatever it is set to: each asks for what is theirs, and somebody for what is not."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import psycopg

from bot.record import read_run
from bot.rehearsal.night import PEOPLE, Night, until
from tests.night import choices
from tests.night.pairs import Row
from tests.night.playing import (
    SIGNALS,
    alarm,
    as_platform,
    header_shows,
    journal,
    journal_tells,
    passed,
    post_of,
    posts,
    shows,
    texts,
)

OUTSIDER = PEOPLE["linus"].id
_WORKERS = "SELECT application_name FROM pg_stat_activity WHERE application_name ~ '^cutover/.*/export-[0-9]+$'"


@dataclass(kw_only=True)
class Acted:
    """What people did, and saw."""

    code: int = -1
    given: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By gate, who opened it, in order."""
    locked: bool = False
    """Whether the hard guard stood while the export gate waited."""
    workers: set[str] = field(default_factory=set)
    """The export's sessions that were seen at once, at most."""


class Cast:
    def __init__(self, night: Night, row: Row) -> None:
        self._night, self._row = night, row
        self._approvers = choices.approvers(row)
        self.acted = Acted()

    async def ask(self, who: str, word: str) -> tuple[str, str]:
        """Somebody says a word in the way of this night: status and text of the answer."""
        slack, voice = self._night.slack, self._row["voice"]
        before = len(slack.messages)
        action = {"freeze": "cutover_freeze", **dict.fromkeys(SIGNALS.values(), "cutover_signal")}.get(word)
        if voice == "buttons" and action is not None:
            post = next(m for m in reversed(slack.messages) if m.event_type == "cutover_checkpoint")
            slack.press(who, post.ts, action)
        elif voice == "commands":
            slack.command(who, word)
        else:
            mention = "" if word in SIGNALS.values() else f"<@{slack.bot_user_id}> "
            answer = await self._night.answer_to(slack.say(who, mention + word), timeout=180)
            return answer.payload["status"], answer.text

        def answers() -> list[tuple[str, str]]:
            since = slack.messages[before:]
            about = [m for m in since if m.event_type == "cutover_answer" and who in m.text.partition("\n")[0]]
            return [(m.payload["status"], m.text) for m in about]

        await slack.wait_until(lambda: bool(answers()), 180)
        return answers()[0]

    async def done(self, who: str, word: str) -> str:
        status, said = await self.ask(who, word)
        assert status == "done", f"{word}: {said}"
        return said

    async def refused(self, who: str, word: str) -> str:
        status, said = await self.ask(who, word)
        assert status == "refused", f"{word}: {said}"
        return said

    async def play(self) -> Acted:
        """From a bot that has been started to its end."""
        await self._start()
        await self._freeze()
        async with self._workers_counted():
            await self._open("freeze")
            await shows(self._night, "export", "waiting")
        for gate in ("export",) if self._row["users"] == "dry-run" else ("export", "users"):
            await self._open(gate)
        await self._end()
        return self.acted

    async def _start(self) -> None:
        if self._row["start"] == "on-word":
            await header_shows(self._night, "waiting")
            await self.refused(OUTSIDER, "start")
            assert posts(self._night, "cutover_checkpoint") == [], "nothing is on offer before `start`"
            await self.done(self._approvers[0], "start")
        await shows(self._night, "freeze", "waiting")

    async def _freeze(self) -> None:
        night = self._night
        if self._row["freeze"] == "bot":
            await self.refused(OUTSIDER, "freeze")
            await self.done(self._approvers[-1], "freeze")
            await night.slack.wait_until(
                lambda: any(p["check"] == "freeze-applied" for p in posts(night, "cutover_finding")), 60
            )
            night.notice.maintenance = True
        else:
            await night.freeze()
        await journal_tells(night.directory, lambda: bool((run := read_run(night.directory)) and run.frozen_since))

    async def _open(self, gate: str) -> None:
        night, word = self._night, SIGNALS[gate]
        await shows(night, gate, "waiting")
        if gate == "export":
            self.acted.locked = _locks(night) > 0
            if self._row["reminders"] == "0.05":
                await alarm(night, "has waited for `exported`")
        await self.refused(OUTSIDER, word)
        if gate == "users":
            await until(lambda: _locks(night) == 0, 180)
            await self._accept()
        opens = await self._who_opens(gate)
        for n, who in enumerate(opens, 1):
            await self.done(who, word)
            if n < len(opens):
                await self.refused(who, word)
                assert not passed(night, gate), f"{gate} passed on {n} of {len(opens)} approvals"
        await shows(night, gate, "passed", "refused")
        assert passed(night, gate), "\n".join([f"{gate} was refused", *texts(night, "cutover_finding")])
        self.acted.given[gate] = tuple(opens)

    async def _who_opens(self, gate: str) -> Sequence[str]:
        needed = choices.approvals(self._row)[gate]
        if gate != "users" or self._row["same person"] == "allowed":
            return self._approvers[:needed]
        both = set(self.acted.given["freeze"]) & set(self.acted.given["export"])
        for who in sorted(both):
            assert "this one needs another person" in await self.refused(who, SIGNALS[gate])
        return [who for who in self._approvers if who not in both][:needed]

    async def _accept(self) -> None:
        run = read_run(self._night.directory)
        assert run is not None
        if not run.open_reasons:
            return
        assert self._row["accepted"] == "in the night", f"accepted ahead, and still open: {run.open_reasons}"
        assert "Accept each reason first" in await self.refused(self._approvers[0], SIGNALS["users"])
        await self.refused(OUTSIDER, f"accept {' '.join(run.open_reasons)}")
        await self.done(self._approvers[-1], f"accept {' '.join(run.open_reasons)}: we have read the list")

    async def _end(self) -> None:
        night = self._night
        await header_shows(night, "done")
        if self._row["ends"] == "stays":
            await self.refused(OUTSIDER, "release")
            await self.done(self._approvers[0], "release")
            await journal_tells(night.directory, lambda: any(event["type"] == "released" for event in journal(night)))
            assert night.bot is not None
            assert night.bot.returncode is None, "without --once it stays"
            assert post_of(night, "freeze") is not None
            os.kill(night.bot.pid, signal.SIGTERM)
        self.acted.code = await night.bot_ends(60)

    @asynccontextmanager
    async def _workers_counted(self) -> AsyncIterator[None]:
        """Ten times a second, in one session: a new one each time would cost more than the bot itself."""

        async def count(session: psycopg.AsyncConnection[tuple[str]]) -> None:
            while True:
                found = await session.execute(_WORKERS)
                self.acted.workers = max(self.acted.workers, {name for (name,) in await found.fetchall()}, key=len)
                await asyncio.sleep(0.1)

        dsn = self._night.company.admin_dsn
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True, application_name="platform") as session:
            counting = asyncio.create_task(count(session))
            try:
                yield
            finally:
                counting.cancel()
                [ended] = await asyncio.gather(counting, return_exceptions=True)
        assert isinstance(ended, asyncio.CancelledError), ended


def _locks(night: Night) -> int:
    return _count(
        night,
        "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE mode = 'ShareLock'"
        " AND locktype = 'relation' AND application_name LIKE 'cutover/%/guard'",
    )


def sessions_of_the_bot(night: Night) -> int:
    return _count(night, "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'cutover/%'")


def _count(night: Night, select: str) -> int:
    with as_platform(night) as session:
        [[count]] = session.execute(select.encode()).fetchall()
    return int(count)

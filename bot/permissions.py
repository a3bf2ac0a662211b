"""Who somebody is, as far as it matters: as much is asked of the channel as the word at hand needs, at that moment.

A flood of words must not use up Slack's patience with questions: nothing is asked of whom nothing can come, and of who
only asks for information only whether they are a member.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from bot.plan import actions as do
from bot.plan.inputs import Permission, strictest
from bot.plan.run import Run
from bot.ports import Channel

_ASKED_AGAIN_AFTER_SECONDS = (1, 5, 10)
_NOBODY = Permission(known=False, member=False, approver=False)


class Vouching:
    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def permission(self, run: Run, action: do.AskWho) -> Permission:
        match action.kind:
            case "act":
                return await self._entitled(run, action.user, action.team)
            case "tell":
                return await self._channel.permission(action.user, action.team, (), ())
            case "miss":
                return _NOBODY

    async def again(self, run: Run, action: do.JudgeAgain) -> Mapping[str, Permission]:
        """Of everybody who approved, by the ts of their words. Asked some times more when Slack does not answer: the
        checks may have taken an hour, and found nothing.
        """
        teams = {given.ts: run.heard[given.ts].team for given in action.approvals}

        async def ask() -> list[Permission]:
            return await asyncio.gather(*(self._entitled(run, g.user, teams[g.ts]) for g in action.approvals))

        answers = await ask()
        for wait in _ASKED_AGAIN_AFTER_SECONDS:
            if all(answer.known and not answer.open for answer in answers):
                break
            await asyncio.sleep(wait)
            answers = await ask()
        return dict(zip(teams, answers, strict=True))

    async def _entitled(self, run: Run, user: str, team: str) -> Permission:
        """By the settings that the run was opened with and by today's."""
        asking = [self._channel.permission(user, team, each.users, each.groups) for each in run.entitled.each]
        return strictest(await asyncio.gather(*asking))

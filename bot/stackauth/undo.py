"""The users that a run created, removed again: exactly those, and nobody who was there before.

A user is the run's if both say so: the marker in the service names the run, and users.jsonl says that the run created
this very user, or does not know what became of the request. Whoever was matched or brought up to date, and a copy that
somebody made of a user, marker and all, is left alone.

What was done stands in undo.jsonl, a chain of its own, since users.jsonl of a night that was handed over is sealed:

    {"type": "undo-began", "runId", "users", "activeSince", "at"}
    {"type": "removed", "id", "stackId", "active", "teamId", "at"}
    {"type": "undo-ended", "at"}

A team that the project made for a user at sign-up is not deleted with the user: `teamId` names it, null where there was
none, so that a person can delete it.

A user may be deleted any number of times, so that an undo which was cut off is simply begun again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

from bot.artifacts import files
from bot.artifacts.scratch import Scratch
from bot.artifacts.userlog import UserStates
from bot.concurrency import run_all, run_blocking
from bot.errors import UsageError
from bot.journal import Journal, read_chain
from bot.ports import Clock, Progress, Report
from bot.stackauth.carrying.matching import held
from bot.stackauth.service.api import StackAuth, User
from bot.stackauth.service.pace import Pace
from bot.stackauth.service.patience import Patient

_A_MOMENT_MILLIS = 1_000
"""By so much may a user's first activity be later than the sign-up without anybody having done anything."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """`active` are Supabase ids of those who have signed in since they were created; `teams` counts those who have a
    team, which Stack Auth keeps; `left` counts users of other runs and copies that bear a marker of ours.
    """

    users: int
    active: tuple[str, ...]
    left: int
    teams: int = 0


class Undo:
    """`look` first, then `remove`. `scratch` lasts as long."""

    def __init__(self, directory: Path, run_id: str, service: StackAuth, scratch: Scratch, *, concurrency: int) -> None:
        self._directory = directory
        self._run_id = run_id
        self._patient = Patient(service, Pace())
        self._scratch = scratch
        self._concurrency = concurrency
        self._states = UserStates(scratch)
        scratch.make("CREATE TABLE doomed (n INTEGER PRIMARY KEY, id, stack_id, active, team)")

    async def look(self, report: Report) -> Found:
        """Changes nothing. Raises UsageError when the run sent nothing, RecordDamaged, and what the service raises."""
        path = self._directory / files.USERS
        if not path.exists():
            raise UsageError(
                f"Run {self._run_id} has sent nothing to Stack Auth: there is no {files.USERS}",
                unchanged="nothing was changed",
                do="name the directory of the run in MIGRATION_DATA_DIR; those of earlier runs are in archive/",
            )
        lines = read_chain(path, torn_tail_allowed=True)
        await run_blocking(lambda: self._states.take(line.record() for line in lines))
        left = n = 0
        async for user in self._patient.everybody():
            n += 1
            report(Progress(step="look", done=n, total=0, unit="users", note="reading Stack Auth's list"))
            left += not self._is_doomed(user)
        [users] = self._scratch.one("SELECT count(*) FROM doomed")
        active = tuple(id_ for (id_,) in self._scratch.all("SELECT id FROM doomed WHERE active ORDER BY n"))
        [teams] = self._scratch.one("SELECT count(team) FROM doomed")
        return Found(users=users, active=active, left=left, teams=teams)

    def _is_doomed(self, user: User) -> bool:
        """Remembers whom the run created. True also for users without any marker of ours, who are nobody's matter."""
        if (ours := held(user)) is None:
            return True
        id_, marker = ours
        state = self._states.get(id_)
        created = state is not None and (
            state.outcome == "unknown" or (state.outcome == "created" and state.stack_id == user.id)
        )
        if marker.run != self._run_id or not created:
            return False
        active = user.last_active_at_millis > user.signed_up_at_millis + _A_MOMENT_MILLIS
        self._scratch.do("INSERT INTO doomed VALUES (NULL, ?, ?, ?, ?)", id_, user.id, active, user.selected_team_id)
        return True

    async def remove(self, found: Found, clock: Clock, report: Report) -> None:
        """Whom `look` has found. Raises what the service raises; those removed until then are in undo.jsonl."""
        with Journal.open(self._directory / files.UNDO) as journal:
            note = _Notes(journal, clock)
            note("undo-began", runId=self._run_id, users=found.users, activeSince=len(found.active))
            done = 0

            async def work(doomed: Iterator[Any]) -> None:
                nonlocal done
                for id_, stack_id, active, team in doomed:
                    await self._patient.delete(stack_id)
                    note("removed", id=id_, stackId=stack_id, active=bool(active), teamId=team)
                    done += 1
                    report(Progress(step="undo", done=done, total=found.users, unit="users"))

            doomed = self._scratch.all("SELECT id, stack_id, active, team FROM doomed ORDER BY n")
            await run_all(work(doomed) for _ in range(self._concurrency))
            note("undo-ended")


class _Notes:
    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock

    def __call__(self, type_: str, **fields: Any) -> None:
        at = self._clock.now().astimezone(UTC).isoformat().replace("+00:00", "Z")
        self._journal.append({"type": type_, **fields, "at": at})

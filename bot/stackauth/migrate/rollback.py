"""The users that a run created, deleted again: exactly those, and nobody who was there before.

A user is the run's if both say so: the marker in the service names the run, and users.jsonl says that the run created
this very user, or does not know what became of the request. Whoever was matched or brought up to date, and a copy that
somebody made of a user, marker and all, is left alone.

A later run may have adopted users of this one: it has mapped them, and people sign in as them now. They are kept,
unless the later run is named. Which they are is recorded in the service (`adoption`), wherever that run was made,
and in the users.jsonl of the other runs in this data directory and its archive.

What was done is in undo.jsonl, a chain of its own, since users.jsonl of a night that was handed over is sealed:

    {"type": "undo-began", "runId", "users", "activeSince", "at"}
    {"type": "removed", "id", "stackId", "active", "teamId", "at"}
    {"type": "undo-ended", "at"}

A team that the project made for a user at sign-up is not deleted with the user: `teamId` names it, null where there was
none, so that a person can delete it.

A user may be deleted any number of times, so that an undo which was cut off is simply begun again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path
from typing import Any

from bot.artifacts import files
from bot.artifacts.scratch import Scratch
from bot.artifacts.user_log import UserStates
from bot.concurrency import run_all, run_blocking
from bot.errors import UsageError
from bot.journal import Journal, read_chain
from bot.ports import Clock, Progress, Report
from bot.record import read_run
from bot.stackauth.client.api import StackAuth
from bot.stackauth.client.models import User
from bot.stackauth.client.rate import RateLimiter
from bot.stackauth.client.retry import RetryingClient
from bot.stackauth.client.user_list import all_users
from bot.stackauth.migrate.existing import MigratedUser, migrated_user_in

_A_MOMENT_MILLIS = 1_000
"""By so much may a user's first activity be later than the sign-up without anybody having done anything."""


@dataclass(frozen=True, kw_only=True)
class Preview:
    """`users` are to be deleted; `active` are Supabase ids of those of them who have signed in since they were created;
    `teams` counts those of them who have a team, which Stack Auth keeps. `adopted` counts by later run those who are
    kept for its sake, `kept` counts each of them once; `left` counts users of other runs and copies that bear a marker
    of ours.
    """

    users: int
    active: tuple[str, ...]
    left: int
    teams: int = 0
    kept: int = 0
    adopted: Mapping[str, int] = field(default_factory=dict)


class Rollback:
    """`preview` first, then `delete`. `scratch` lasts as long."""

    def __init__(
        self,
        directory: Path,
        run_id: str,
        service: StackAuth,
        scratch: Scratch,
        *,
        concurrency: int,
        adopted_by: Collection[str] = (),
    ) -> None:
        """`adopted_by` names later runs for whose sake nobody is kept."""
        self._directory = directory
        self._named = frozenset(adopted_by)
        self._run_id = run_id
        self._client = RetryingClient(service, RateLimiter())
        self._scratch = scratch
        self._concurrency = concurrency
        self._states = UserStates(scratch)
        scratch.make(
            "CREATE TABLE doomed (n INTEGER PRIMARY KEY, id, stack_id, active, team)",
            "CREATE TABLE adopted (stack_id, run, PRIMARY KEY (stack_id, run)) WITHOUT ROWID",
            "CREATE TABLE left_out (stack_id, run, PRIMARY KEY (stack_id, run)) WITHOUT ROWID",
        )

    async def preview(self, report: Report) -> Preview:
        """Changes nothing. Raises UsageError when the run sent nothing or a named run has mapped nobody, RecordDamaged,
        and what the service raises.
        """
        path = self._directory / files.USERS
        if not path.exists():
            raise UsageError(
                f"Run {self._run_id} created no users: there is no {files.USERS}",
                unchanged="nothing was changed",
                do="set MIGRATION_DATA_DIR to the directory of the run; those of earlier runs are in archive/",
            )
        lines = read_chain(path, torn_tail_allowed=True)
        await run_blocking(lambda: self._states.take(line.record() for line in lines))
        await run_blocking(self._read_other_runs)
        left = n = 0
        witnessed: set[str] = set()
        async for user in all_users(self._client):
            n += 1
            report(Progress(step="look", done=n, total=0, unit="users", note="reading Stack Auth's list"))
            left += not self._is_doomed(user, witnessed)
        adopted, kept = self._spare(witnessed)
        [users] = self._scratch.one("SELECT count(*) FROM doomed")
        active = tuple(id_ for (id_,) in self._scratch.all("SELECT id FROM doomed WHERE active ORDER BY n"))
        [teams] = self._scratch.one("SELECT count(team) FROM doomed")
        return Preview(users=users, active=active, left=left, teams=teams, kept=kept, adopted=adopted)

    def _read_other_runs(self) -> None:
        """Whom other runs in the same data directory have mapped."""
        for directory, run_id in _other_runs(self._directory, self._run_id):
            lines = read_chain(directory / files.USERS, torn_tail_allowed=True)
            mapped = (
                (record["stackId"], run_id)
                for record in (line.record() for line in lines)
                if record.get("outcome") in {"matched", "updated"}
            )
            self._scratch.put("INSERT OR IGNORE INTO adopted VALUES (?, ?)", mapped)

    def _spare(self, witnessed: Collection[str]) -> tuple[dict[str, int], int]:
        """Takes those off the list who are to be kept; how many by run, and in all."""
        for run_id in witnessed:
            everybody_in_it = (
                "INSERT OR IGNORE INTO adopted SELECT stack_id, ? FROM doomed"
                " WHERE stack_id NOT IN (SELECT stack_id FROM left_out WHERE run = ?)"
            )
            self._scratch.do(everybody_in_it, run_id, run_id)
        self._scratch.do("DELETE FROM adopted WHERE stack_id NOT IN (SELECT stack_id FROM doomed)")
        by_run = dict(self._scratch.all("SELECT run, count(*) FROM adopted GROUP BY 1 ORDER BY 1"))
        for stranger in sorted(self._named - by_run.keys()):
            raise UsageError(
                f"Run {stranger} has mapped nobody whom run {self._run_id} created",
                unchanged="nothing was changed",
                do="name a run that `cutover undo-users` shows",
            )
        self._scratch.put("DELETE FROM adopted WHERE run = ?", ((run_id,) for run_id in self._named))
        [kept] = self._scratch.one("SELECT count(DISTINCT stack_id) FROM adopted")
        self._scratch.do("DELETE FROM doomed WHERE stack_id IN (SELECT stack_id FROM adopted)")
        return {run_id: count for run_id, count in by_run.items() if run_id not in self._named}, kept

    def _is_doomed(self, user: User, witnessed: set[str]) -> bool:
        """Remembers whom the run created, and what its marker says of later runs. True also for users without any
        marker of ours, who are nobody's matter.
        """
        if (ours := migrated_user_in(user)) is None:
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
        self._note_later_runs(user.id, marker, witnessed)
        return True

    def _note_later_runs(self, stack_id: str, marker: MigratedUser, witnessed: set[str]) -> None:
        witnessed.update(run_id for run_id in marker.adopted_by if run_id != self._run_id)
        if marker.updated_by not in {"", self._run_id}:
            self._scratch.do("INSERT OR IGNORE INTO adopted VALUES (?, ?)", stack_id, marker.updated_by)
        for run_id in marker.left_out_by:
            self._scratch.do("INSERT OR IGNORE INTO left_out VALUES (?, ?)", stack_id, run_id)

    async def delete(self, preview: Preview, clock: Clock, report: Report) -> None:
        """Whom `preview` has found. Raises what the service raises; those removed until then are in undo.jsonl."""
        with Journal.open(self._directory / files.UNDO) as journal:
            note = _Notes(journal, clock)
            note("undo-began", runId=self._run_id, users=preview.users, activeSince=len(preview.active))
            done = 0

            async def work(doomed: Iterator[Any]) -> None:
                nonlocal done
                for id_, stack_id, active, team in doomed:
                    await self._client.delete(stack_id)
                    note("removed", id=id_, stackId=stack_id, active=bool(active), teamId=team)
                    done += 1
                    report(Progress(step="undo", done=done, total=preview.users, unit="users"))

            doomed = self._scratch.all("SELECT id, stack_id, active, team FROM doomed ORDER BY n")
            await run_all(work(doomed) for _ in range(self._concurrency))
            note("undo-ended")


def _other_runs(directory: Path, run_id: str) -> Iterator[tuple[Path, str]]:
    """The other runs of the data directory that `directory` is, or in whose archive it is, which have sent anything."""
    here = directory.resolve()
    top = here.parent.parent if here.parent.name == files.ARCHIVE else here
    archive = top / files.ARCHIVE
    for other in (top, *(sorted(archive.iterdir()) if archive.is_dir() else ())):
        if (other / files.USERS).is_file() and (run := read_run(other)) is not None and run.run_id != run_id:
            yield other, run.run_id


class _Notes:
    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock

    def __call__(self, type_: str, **fields: Any) -> None:
        at = self._clock.now().astimezone(UTC).isoformat().replace("+00:00", "Z")
        self._journal.append({"type": type_, **fields, "at": at})

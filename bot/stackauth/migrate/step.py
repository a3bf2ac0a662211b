"""The step `users`: everybody migrated, then the files that say so.

What is on disk when, for one user, and what a crash after each line leaves:

    intent in users.jsonl         no request was sent, or one was: the service's list tells
    the request                   the same
    outcome in users.jsonl        the user is done with; the next attempt passes it by

and when all are done, `user-attention.json`, then `user-mapping.json`, whose presence says that both are whole.

An attempt begins by reading the service's list (`ExistingUsers`), so a user that an earlier attempt, or an earlier
night, created is recognised by its marker before anything is sent: by this run it counts as created, by an earlier one
as matched or updated. Hence the mapping is the same with and without a crash, its times aside.

The file is walked twice, and each walk decodes a row once. The first surveys everybody, so that an address or an
account that two of them have is given to one. In the second, users are taken one by one by a fixed number of workers:
translated, written to the service, and noted for the files.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bot.artifacts import files
from bot.artifacts.scratch import Scratch
from bot.artifacts.user_log import UserLog
from bot.concurrency import run_all, run_blocking
from bot.errors import RecordDamaged
from bot.plan.results import UsersResult
from bot.plan.run import Run
from bot.ports import Clock, Progress, Report
from bot.stackauth.client.api import StackAuth
from bot.stackauth.client.rate import RateLimiter
from bot.stackauth.client.retry import RetryingClient
from bot.stackauth.migrate import adoption, result
from bot.stackauth.migrate.existing import ExistingUsers
from bot.stackauth.migrate.moved_addresses import release_moved_addresses
from bot.stackauth.migrate.resolve import Resolver
from bot.stackauth.migrate.result import Outcomes
from bot.stackauth.migrate.upsert.failures import TRIES
from bot.stackauth.migrate.upsert.writer import UserWriter
from bot.stackauth.preflight import project_settings, require_sign_in_methods
from bot.stackauth.users.conflicts import Conflicts
from bot.stackauth.users.exported import Bundle
from bot.stackauth.users.requirements import AuthRequirements, survey
from bot.stackauth.users.translate import Translation, translate_all

_YIELD_EVERY = 100


class UsersStep:
    """The work of step `users`: a callable of the run and a report."""

    def __init__(
        self,
        directory: Path,
        service: StackAuth,
        *,
        concurrency: int,
        clock: Clock,
        settle_seconds: float = 3.0,
        give_up_seconds: float = 900.0,
        first_wait_seconds: float = 0.5,
        tries_per_user: int = TRIES,
    ) -> None:
        """`settle_seconds` and `tries_per_user`: see `UserWriter`. After `give_up_seconds` without any success the step
        ends, to be resumed; `first_wait_seconds` is how long the first failure makes everybody wait.
        """
        self._directory = directory
        self._service = service
        self._concurrency = concurrency
        self._clock = clock
        self._settle_seconds = settle_seconds
        self._give_up_seconds = give_up_seconds
        self._first_wait_seconds = first_wait_seconds
        self._tries_per_user = tries_per_user

    async def __call__(self, run: Run, report: Report) -> UsersResult:
        export_sha256 = run.export.sha256 if run.export is not None else ""
        mode = run.opened.users_mode
        loop = asyncio.get_running_loop()
        began = loop.time()
        with Scratch(self._directory) as scratch:
            bundle = await run_blocking(lambda: Bundle.open(self._directory, scratch, export_sha256))
            _must_be_of(run, bundle)
            conflicts, requirements = await run_blocking(lambda: _survey(bundle))
            board = _Board(bundle.total, report)
            limiter = RateLimiter(first_seconds=self._first_wait_seconds)
            client = RetryingClient(self._service, limiter, give_up_seconds=self._give_up_seconds, on_wait=board.note)
            existing = await ExistingUsers.read(client, scratch)
            if mode == "create":
                require_sign_in_methods(await project_settings(client), requirements)
            resolver = Resolver(existing, conflicts, run.decisions, mode, scratch)
            known = _Known(run=run, bundle=bundle, conflicts=conflicts, existing=existing, resolver=resolver)
            if mode == "dry-run":
                result = await self._foresee(known, board)
            else:
                result = await self._migrate(known, client, board)
            return result.model_copy(update={"duration_ms": int((loop.time() - began) * 1000)})

    async def _migrate(self, known: _Known, client: RetryingClient, board: _Board) -> UsersResult:
        opened, scratch = known.run.opened, known.bundle.scratch
        log = await run_blocking(lambda: UserLog.open(self._directory / files.USERS, scratch))
        with log as users:
            writer = UserWriter(
                opened.run_id,
                client,
                known.existing,
                known.resolver,
                users,
                source=known.source,
                clock=self._clock,
                settle_seconds=self._settle_seconds,
                tries_per_user=self._tries_per_user,
            )
            users.begin(known.bundle.export_sha256, self._clock.now())
            if opened.users_mode == "create":
                await release_moved_addresses(client, known.existing, known.bundle)
            everybody, outcomes = enumerate(known.everybody()), Outcomes(scratch, known.existing)

            async def work() -> None:
                for n, user in everybody:
                    if not users.states.is_carried(user.id):
                        await writer.write(user)
                    elif n % _YIELD_EVERY == 0:
                        await asyncio.sleep(0)
                    board.done(attention=outcomes.add(n, user, users.states[user.id]))

            async with writer.logging():
                await run_all(work() for _ in range(self._concurrency))
            now = self._clock.now()
            await run_blocking(lambda: outcomes.finish(known.source))
            await adoption.record(client, scratch, opened.run_id, concurrency=self._concurrency)
            return await run_blocking(
                lambda: result.write(known.bundle, opened.run_id, now=now, retain_days=opened.retain_days)
            )

    async def _foresee(self, known: _Known, board: _Board) -> UsersResult:
        now = self._clock.now()

        def foresee() -> UsersResult:
            outcomes = Outcomes(known.bundle.scratch, known.existing)
            for n, user in enumerate(known.everybody()):
                board.done(attention=outcomes.add(n, user, known.resolver.resolve(user).as_state(user, now)))
            outcomes.finish(known.source)
            return result.foreseen(known.bundle, now)

        return await run_blocking(foresee)


@dataclass(frozen=True, kw_only=True)
class _Known:
    """What is known before anything is sent."""

    run: Run
    bundle: Bundle
    conflicts: Conflicts
    existing: ExistingUsers
    resolver: Resolver

    @property
    def source(self) -> str:
        """The Supabase project's ref."""
        return self.run.opened.parties.source_ref

    def everybody(self) -> Iterator[Translation]:
        return translate_all(self.bundle, self.conflicts, self.run.run_id)


def _survey(bundle: Bundle) -> tuple[Conflicts, AuthRequirements]:
    conflicts, requirements = Conflicts(bundle.scratch), AuthRequirements()
    for user in bundle.users():
        survey(user, conflicts, requirements)
    return conflicts, requirements


def _must_be_of(run: Run, bundle: Bundle) -> None:
    """No user is created from a practice, nor from the export of another run."""
    if bundle.metadata.practice or bundle.metadata.run_id != run.run_id:
        owner = "a practice" if bundle.metadata.practice else "another run"
        raise RecordDamaged(
            f"{files.METADATA} belongs to {owner}, not to this run",
            unchanged="no user was created",
            do="put back the files that this run exported",
        )


class _Board:
    """How far the step has come, for whoever looks."""

    def __init__(self, total: int, report: Report) -> None:
        self._total = total
        self._report = report
        self._done = self._attention = 0
        self._note = ""
        self._show()

    def done(self, *, attention: bool) -> None:
        self._done += 1
        self._attention += attention
        self._show()

    def note(self, note: str) -> None:
        if note != self._note:
            self._note = note
            self._show()

    def _show(self) -> None:
        attention = f"{self._attention:,} need attention" if self._attention else ""
        note = ", ".join(part for part in (attention, self._note) if part)
        self._report(Progress(step="users", done=self._done, total=self._total, unit="users", note=note))

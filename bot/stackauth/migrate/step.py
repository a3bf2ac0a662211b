"""The step `users`: everybody carried over, then the files that say so.

What is on disk when, for one user, and what a crash after each line leaves:

    intent in users.jsonl         no request was sent, or one was: the service's list tells
    the request                   the same
    outcome in users.jsonl        the user is done with; the next attempt passes it by

and when all are done, `user-attention.json`, then `user-mapping.json`, whose presence says that both are whole.

An attempt begins by reading the service's list (`Census`), so a user that an earlier attempt, or an earlier night,
created is recognised by its marker before anything is sent: by this run it counts as created, by an earlier one as
matched or updated. Hence the mapping is the same with and without a crash, its times aside. Users are taken from the
file one by one by a fixed number of workers. Before the first request all of them are looked at once, so that an
address or an account that two of them claim is given to one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bot.artifacts import files
from bot.artifacts.scratch import Scratch
from bot.artifacts.user_log import UserLog, UserState
from bot.concurrency import run_all, run_blocking
from bot.errors import RecordDamaged
from bot.plan.results import UsersResult
from bot.plan.run import Run
from bot.ports import Clock, Progress, Report
from bot.stackauth.client.api import StackAuth
from bot.stackauth.client.rate import Pace
from bot.stackauth.client.retry import Patient
from bot.stackauth.migrate import adoption, result
from bot.stackauth.migrate.existing import Census
from bot.stackauth.migrate.moving import let_go_of_moved
from bot.stackauth.migrate.resolve import Fates
from bot.stackauth.migrate.upsert import Carrier
from bot.stackauth.preflight import offered, refuse_if_it_would_lose_people
from bot.stackauth.users.conflicts import Claims
from bot.stackauth.users.exported import Bundle, ExportedUser
from bot.stackauth.users.requirements import Needs
from bot.stackauth.users.sign_in import way_in_of
from bot.stackauth.users.translate import Translation, translate

_Value = TypeVar("_Value")


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
    ) -> None:
        """`settle_seconds`: see `Carrier`. After `give_up_seconds` without any success the step ends, to be resumed;
        `first_wait_seconds` is how long the first failure makes everybody wait.
        """
        self._directory = directory
        self._service = service
        self._concurrency = concurrency
        self._clock = clock
        self._settle_seconds = settle_seconds
        self._give_up_seconds = give_up_seconds
        self._first_wait_seconds = first_wait_seconds

    async def __call__(self, run: Run, report: Report) -> UsersResult:
        export_sha256 = run.export.sha256 if run.export is not None else ""
        loop = asyncio.get_running_loop()
        began = loop.time()
        with Scratch(self._directory) as scratch:
            bundle = await run_blocking(lambda: Bundle.open(self._directory, scratch, export_sha256))
            _must_be_of(run, bundle)
            claims, needs = Claims(scratch), Needs()
            await run_blocking(lambda: consider(bundle.glances(), claims, needs))
            board = _Board(bundle.total, report)
            pace = Pace(first_seconds=self._first_wait_seconds)
            patient = Patient(self._service, pace, give_up_seconds=self._give_up_seconds, told=board.note)
            census = await Census.take(patient, scratch)
            if run.opened.users_mode == "create":
                refuse_if_it_would_lose_people(await offered(patient), needs)
            fates = Fates(census, claims, run.decisions, run.opened.users_mode, scratch)
            known = _Known(run=run, bundle=bundle, claims=claims, census=census, fates=fates)
            if run.opened.users_mode == "dry-run":
                result = await self._foresee(known, board)
            else:
                result = await self._carry(known, patient, board)
            return result.model_copy(update={"duration_ms": int((loop.time() - began) * 1000)})

    async def _carry(self, known: _Known, patient: Patient, board: _Board) -> UsersResult:
        log = await run_blocking(lambda: UserLog.open(self._directory / files.USERS, known.bundle.scratch))
        with log as users:
            carrier = Carrier(
                known.run.run_id,
                patient,
                known.census,
                known.fates,
                users,
                source=known.source,
                clock=self._clock,
                settle_seconds=self._settle_seconds,
                done=board.done,
            )
            users.begin(known.bundle.export_sha256, self._clock.now())
            if known.run.opened.users_mode == "create":
                await let_go_of_moved(patient, known.census, known.bundle)
            open_ones = known.but(users.states.is_carried)
            async with carrier.logging():
                await run_all(carrier.work(open_ones) for _ in range(self._concurrency))
            now = self._clock.now()

            def tally() -> None:
                settled = ((user, users.states[user.id]) for user in known.everybody())
                result.tally(known.bundle.scratch, settled, known.census, known.source)

            def conclude() -> UsersResult:
                opened = known.run.opened
                return result.write(known.bundle, opened.run_id, now=now, retain_days=opened.retain_days)

            await run_blocking(tally)
            await adoption.note(patient, known.bundle.scratch, known.run.run_id, concurrency=self._concurrency)
            return await run_blocking(conclude)

    async def _foresee(self, known: _Known, board: _Board) -> UsersResult:
        now = self._clock.now()

        def settled() -> Iterator[tuple[Translation, UserState]]:
            for user in known.everybody():
                state = known.fates.of(user).as_state(user, now)
                yield user, state
                board.done(bool(result.reasons_of(user, state)))

        def conclude() -> UsersResult:
            result.tally(known.bundle.scratch, settled(), known.census, known.source)
            return result.foreseen(known.bundle, now)

        return await run_blocking(conclude)


@dataclass(frozen=True, kw_only=True)
class _Known:
    """All that is looked at before anything is sent."""

    run: Run
    bundle: Bundle
    claims: Claims
    census: Census
    fates: Fates

    @property
    def source(self) -> str:
        """The Supabase project's ref."""
        return self.run.opened.parties.source_ref

    def everybody(self) -> Iterator[Translation]:
        return translations(self.bundle, self.claims, self.run.run_id)

    def but(self, passed_by: Callable[[str], bool]) -> Iterator[Translation | None]:
        """None in the place of each whose id is passed by."""
        at = self.bundle.metadata.exported_at
        for user in self.bundle.users_but(passed_by):
            if user is None:
                yield None
            else:
                yield translate(user, run_id=self.run.run_id, at=at, claims=self.claims)


def consider(users: Iterable[ExportedUser], claims: Claims, needs: Needs) -> None:
    """The look at everybody that comes before anything is sent."""
    for user in users:
        way_in = way_in_of(user)
        claims.consider(user, way_in)
        needs.consider(user, way_in)


def translations(bundle: Bundle, claims: Claims, run_id: str) -> Iterator[Translation]:
    """Everybody in the bundle, in the order of the file."""
    at = bundle.metadata.exported_at
    return (translate(user, run_id=run_id, at=at, claims=claims) for user in bundle.users())


def _must_be_of(run: Run, bundle: Bundle) -> None:
    """No user is created from a practice, nor from the export of another run."""
    if bundle.metadata.practice or bundle.metadata.run_id != run.run_id:
        raise RecordDamaged(
            f"{files.METADATA} is of {'a practice' if bundle.metadata.practice else 'another run'}, not of this run",
            unchanged="no user was created",
            do="put back what this run exported",
        )


class _Board:
    """How far the step has come, for whoever looks."""

    def __init__(self, total: int, report: Report) -> None:
        self._total = total
        self._report = report
        self._done = self._attention = 0
        self._note = ""
        self._show()

    def done(self, attention: bool) -> None:
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

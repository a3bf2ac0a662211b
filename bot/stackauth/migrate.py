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
import hashlib
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from bot.artifacts import files, mapping, tables
from bot.artifacts.userlog import UserLog, UserState
from bot.errors import CutoverError, RecordDamaged
from bot.plan.results import Attention, UsersResult
from bot.plan.run import Run
from bot.ports import Clock, Progress, Report
from bot.stackauth.api import StackAuth
from bot.stackauth.carry import Carrier
from bot.stackauth.exported import Bundle
from bot.stackauth.matching import Census
from bot.stackauth.pace import Pace
from bot.stackauth.patience import Patient
from bot.stackauth.reasons import REASONS
from bot.stackauth.translate import Claims, Translation, translate

_Value = TypeVar("_Value")


class UsersStep:
    """The work of step `users`: a callable of the run and a report."""

    def __init__(
        self,
        directory: Path,
        service: StackAuth,
        *,
        concurrency: int,
        retain_days: int,
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
        self._retain_days = retain_days
        self._clock = clock
        self._settle_seconds = settle_seconds
        self._give_up_seconds = give_up_seconds
        self._first_wait_seconds = first_wait_seconds

    async def __call__(self, run: Run, report: Report) -> UsersResult:
        loop = asyncio.get_running_loop()
        began = loop.time()
        bundle = await asyncio.to_thread(Bundle.open, self._directory)
        _must_be_of(run, bundle)
        claims = await asyncio.to_thread(lambda: Claims.of(bundle.users()))
        board = _Board(bundle.total, report)
        pace = Pace(first_seconds=self._first_wait_seconds)
        patient = Patient(self._service, pace, give_up_seconds=self._give_up_seconds, told=board.note)
        with UserLog.open(self._directory / files.USERS) as users:
            carrier = Carrier(
                run.run_id,
                patient,
                await Census.take(patient),
                users,
                clock=self._clock,
                settle_seconds=self._settle_seconds,
                done=board.done,
            )
            everybody = translations(bundle, claims, run.run_id)
            async with carrier.logging():
                await _together(carrier.work(everybody) for _ in range(self._concurrency))
            now = self._clock.now()
            duration_ms = int((loop.time() - began) * 1000)
            outcome = _Outcome(bundle, claims, users.state(), run.run_id)
            return await _to_the_end(lambda: outcome.write(now, self._retain_days, duration_ms))


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
        self._done = 0
        self._note = ""
        self._show()

    def done(self) -> None:
        self._done += 1
        self._show()

    def note(self, note: str) -> None:
        if note != self._note:
            self._note = note
            self._show()

    def _show(self) -> None:
        self._report(Progress(step="users", done=self._done, total=self._total, unit="users", note=self._note))


class _Outcome:
    """What became of everybody, from the bundle and the state of users.jsonl. Nothing is kept of a user but ids."""

    def __init__(self, bundle: Bundle, claims: Claims, states: Mapping[str, UserState], run_id: str) -> None:
        self._bundle = bundle
        self._claims = claims
        self._states = states
        self._run_id = run_id

    def write(self, now: datetime, retain_days: int, duration_ms: int) -> UsersResult:
        """Writes both files, or takes those that an attempt of this run wrote to the end; blocks meanwhile."""
        directory = self._bundle.directory
        attention_users: set[str] = set()
        by_reason: dict[str, list[str]] = {}
        tally: Counter[str] = Counter()
        unmapped: list[str] = []
        for user, state in self._everybody():
            tally[state.outcome] += 1
            if state.stack_id is None:
                unmapped.append(user.id)
            for reason in reasons_of(user, state):
                by_reason.setdefault(reason, []).append(user.id)
                attention_users.add(user.id)
        mapping.write_attention(directory / files.ATTENTION, self._attention())
        head = self._head(now, retain_days, tally, len(attention_users))
        path = directory / files.MAPPING
        if path.exists() and (there := mapping.read_head(path)).counts == head.counts and _same_night(there, head):
            head, sha256 = there, files.sha256_of(path)
        else:
            refer = tables.referenced_by(directory, self._bundle.metadata, unmapped)
            sha256 = mapping.write(path, head, self._mapped(), self._unmapped(refer)).sha256
        counts = head.counts
        return UsersResult(
            users=counts.users,
            created=counts.created,
            matched=counts.matched,
            updated=counts.updated,
            unmapped=counts.unmapped,
            attention_users=counts.attention,
            attention={
                reason: Attention(count=len(ids), digest=set_digest(ids), todo=REASONS[reason].todo)
                for reason, ids in sorted(by_reason.items())
            },
            mapping_sha256=sha256,
            retain_until=head.retain_until,
            duration_ms=duration_ms,
        )

    def _everybody(self) -> Iterator[tuple[Translation, UserState]]:
        for user in translations(self._bundle, self._claims, self._run_id):
            yield user, self._states[user.id]

    def _head(self, now: datetime, retain_days: int, tally: Counter[str], attention: int) -> mapping.Head:
        return mapping.Head(
            generated_at=now,
            retain_until=mapping.retain_until(now, retain_days),
            run_id=self._run_id,
            export_sha256=files.sha256_of(self._bundle.directory / files.METADATA),
            counts=mapping.Counts(
                users=tally.total(),
                created=tally["created"],
                matched=tally["matched"],
                updated=tally["updated"],
                unmapped=tally["unmapped"],
                attention=attention,
            ),
        )

    def _mapped(self) -> Iterator[mapping.Mapped]:
        for user, state in self._everybody():
            if state.stack_id is not None and state.outcome in {"created", "matched", "updated"}:
                yield mapping.Mapped(
                    supabase_user_id=user.id,
                    stack_auth_user_id=state.stack_id,
                    email=user.email,
                    migrated_at=state.at,
                    outcome=state.outcome,
                )

    def _unmapped(self, referenced_by: Mapping[str, dict[str, int]]) -> Iterator[mapping.Unmapped]:
        for user, state in self._everybody():
            if state.stack_id is None:
                yield mapping.Unmapped(
                    supabase_user_id=user.id, reason=state.reason, referenced_by=referenced_by[user.id]
                )

    def _attention(self) -> Iterator[mapping.Attention]:
        for user, state in self._everybody():
            for name in reasons_of(user, state):
                reason = REASONS[name]
                yield mapping.Attention(id=user.id, reason=name, carried=reason.carried, todo=reason.todo)


def reasons_of(user: Translation, state: UserState) -> list[str]:
    """Those of the user itself, then those that the target had, each once."""
    return list(dict.fromkeys([*user.attentions, *(state.reason.split(",") if state.reason else ())]))


def set_digest(ids: Iterable[str]) -> str:
    """Names an exact set of users, in 12 hex digits."""
    return hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()[:12]


def _same_night(there: mapping.Head, now: mapping.Head) -> bool:
    return (there.run_id, there.export_sha256) == (now.run_id, now.export_sha256)


async def _together(workers: Iterable[Coroutine[Any, Any, None]]) -> None:
    """All of them; when one fails the others are cancelled, and its error is raised, a bug before all others."""
    try:
        async with asyncio.TaskGroup() as group:
            for worker in workers:
                group.create_task(worker)
    except BaseExceptionGroup as several:
        errors = sorted(several.exceptions, key=lambda error: isinstance(error, CutoverError))
        raise errors[0] from None


async def _to_the_end(work: Callable[[], _Value]) -> _Value:
    """In a thread. Cancelled, it waits until the thread has ended, so that no other attempt meets it."""
    thread = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        await asyncio.wait([thread])
        raise

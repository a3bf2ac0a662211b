"""What will become of the users, before any is created: everybody is translated as the step `users` would do it, and
counted. The service is asked nothing, so what only it can say (an address taken there, a request refused) is not among
the reasons.

Everybody is seen twice, since whose an address or an account is, is known only when all have been seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bot.artifacts.scratch import Scratch
from bot.concurrency import run_blocking
from bot.plan.findings import Finding, passed, warned
from bot.plan.texts.amounts import counted, number
from bot.ports import Progress, Report
from bot.stackauth.users.conflicts import Conflicts
from bot.stackauth.users.exported import RELATED_TABLES, Bundle, ExportedUser, RelatedRows
from bot.stackauth.users.requirements import AuthRequirements, survey
from bot.stackauth.users.translate import translate

_REPORT_EVERY = 1_000
_ASSUMED_SECONDS_A_USER = 0.4

Rows = Callable[[str], AsyncIterator[bytes]]
"""The rows of a table of schema auth, each as JSON text; may be asked for again."""


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """`complete` users will be migrated completely; `attention` counts the others by reason, of which a user may have
    several.
    """

    users: int
    complete: int
    attention: Mapping[str, int]
    auth_requirements: AuthRequirements


class _Forecaster:
    """First `survey` everybody, then `translate` everybody."""

    def __init__(self, scratch: Scratch, run_id: str, at: datetime) -> None:
        self._conflicts = Conflicts(scratch)
        self._requirements = AuthRequirements()
        self._run_id = run_id
        self._at = at
        self._attention: Counter[str] = Counter()
        self._users = self._complete = 0

    def survey(self, user: ExportedUser) -> None:
        survey(user, self._conflicts, self._requirements)

    def translate(self, user: ExportedUser) -> None:
        reasons = translate(user, run_id=self._run_id, at=self._at, conflicts=self._conflicts).reasons
        self._attention.update(reasons)
        self._users += 1
        self._complete += not reasons

    def forecast(self) -> Forecast:
        return Forecast(
            users=self._users,
            complete=self._complete,
            attention=dict(self._attention.most_common()),
            auth_requirements=self._requirements,
        )


async def forecast_bundle(directory: Path, run_id: str, report: Report) -> Forecast:
    """Over a whole bundle. Raises RecordDamaged when a file is not what was exported. Cancelled, it stops soon."""
    with Scratch(directory) as scratch:
        steps = _steps(directory, run_id, scratch)
        total = 0
        while True:
            step = await run_blocking(lambda: next(steps))
            if isinstance(step, Forecast):
                return step
            done, total = step
            report(Progress(step="users", done=done, total=total, unit="looks", note="two at every user"))


def _steps(directory: Path, run_id: str, scratch: Scratch) -> Iterator[tuple[int, int] | Forecast]:
    """Now and then how many were seen and how many there are to see, both twice over; at last the forecast."""
    bundle = Bundle.open(directory, scratch)
    forecaster, total, n = _Forecaster(scratch, run_id, bundle.metadata.exported_at), 2 * bundle.total, 0
    for see in (forecaster.survey, forecaster.translate):
        for user in bundle.users():
            if n % _REPORT_EVERY == 0:
                yield n, total
            n += 1
            see(user)
    yield forecaster.forecast()


async def forecast_live_users(rows: Rows, directory: Path, now: datetime) -> Forecast:
    """Over the source as it is now. Raises what `rows` raises."""
    with Scratch(directory) as scratch:
        related = RelatedRows(scratch)
        for table in RELATED_TABLES:
            async for text in rows(table):
                related.add(table, text)
        forecaster = _Forecaster(scratch, "", now)
        for see in (forecaster.survey, forecaster.translate):
            async for text in rows("users"):
                see(related.user_of(text))
        return forecaster.forecast()


def findings(forecast: Forecast) -> Iterator[Finding]:
    """`users-ahead`: who will be migrated incompletely, by reason, and which hashes there are."""
    hashes = ", ".join(f"{number(count)} {kind}" for kind, count in forecast.auth_requirements.hashes.most_common())
    found = f"{counted(forecast.users, 'user')}, password hashes: {hashes or 'none'}."
    if not forecast.attention:
        yield passed("users-ahead", f"{found} All will be migrated completely.")
        return
    reasons = ", ".join(f"{number(count)} × {reason}" for reason, count in forecast.attention.items())
    yield warned(
        "users-ahead",
        f"{found} {number(forecast.users - forecast.complete)} will be migrated incompletely: {reasons}.",
        "Look up each reason in docs/users.md, and fix in Supabase before the night what you can. `cutover practice` "
        "prints what to do about the most frequent reasons.",
    )


def assumed_users_per_second(concurrency: int) -> float:
    """How many users the service may take with so many requests at once. Nobody publishes it: a create is a transaction
    and a comparison of a bcrypt hash, for which we assume 0.4 s.
    """
    return concurrency / _ASSUMED_SECONDS_A_USER

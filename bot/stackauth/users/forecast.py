"""What will become of the users, before any is created: everybody is translated as the step `users` would do it, and
counted. The service is asked nothing, so what only it can say (an address taken there, a request refused) is not among
the reasons.

Everybody is looked at twice, since whose an address or an account is, is known only when all have been seen.
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
from bot.plan.texts.amounts import number
from bot.ports import Progress, Report
from bot.stackauth.users.conflicts import Claims
from bot.stackauth.users.exported import BESIDE, Beside, Bundle, ExportedUser, parsed
from bot.stackauth.users.requirements import Needs
from bot.stackauth.users.sign_in import way_in_of
from bot.stackauth.users.translate import translate

_TELL_EVERY = 1_000
_ASSUMED_SECONDS_A_USER = 0.4

Rows = Callable[[str], AsyncIterator[bytes]]
"""The rows of a table of schema auth, each as JSON text; may be asked for again."""


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """`whole` users go over whole; `attention` counts the others by reason, of which a user may have several."""

    users: int
    whole: int
    attention: Mapping[str, int]
    needs: Needs


class _Look:
    """First `consider` everybody, then `see` everybody."""

    def __init__(self, scratch: Scratch, run_id: str, at: datetime) -> None:
        self._claims = Claims(scratch)
        self._needs = Needs()
        self._run_id = run_id
        self._at = at
        self._attention: Counter[str] = Counter()
        self._users = self._whole = 0

    def consider(self, user: ExportedUser) -> None:
        way_in = way_in_of(user)
        self._claims.consider(user, way_in)
        self._needs.consider(user, way_in)

    def see(self, user: ExportedUser) -> None:
        attentions = translate(user, run_id=self._run_id, at=self._at, claims=self._claims).attentions
        self._attention.update(attentions)
        self._users += 1
        self._whole += not attentions

    def outlook(self) -> Outlook:
        attention = dict(self._attention.most_common())
        return Outlook(users=self._users, whole=self._whole, attention=attention, needs=self._needs)


async def look_ahead(directory: Path, run_id: str, report: Report) -> Outlook:
    """Over a whole bundle. Raises RecordDamaged when a file is not what was exported. Cancelled, it stops soon."""
    with Scratch(directory) as scratch:
        looks = _looks(directory, run_id, scratch)
        total = 0
        while True:
            step = await run_blocking(lambda: next(looks))
            if isinstance(step, Outlook):
                return step
            done, total = step
            report(Progress(step="users", done=done, total=total, unit="looks", note="two at every user"))


def _looks(directory: Path, run_id: str, scratch: Scratch) -> Iterator[tuple[int, int] | Outlook]:
    """Now and then the looks taken so far and all there are to take, at last what was seen."""
    bundle = Bundle.open(directory, scratch)
    look, total, n = _Look(scratch, run_id, bundle.metadata.exported_at), 2 * bundle.total, 0
    for at_everybody in (look.consider, look.see):
        for user in bundle.users():
            if n % _TELL_EVERY == 0:
                yield n, total
            n += 1
            at_everybody(user)
    yield look.outlook()


async def look_at_the_living(rows: Rows, directory: Path, now: datetime) -> Outlook:
    """Over the source as it is now. Raises what `rows` raises."""
    with Scratch(directory) as scratch:
        beside = Beside(scratch)
        for table in BESIDE:
            async for text in rows(table):
                beside.take(table, text)
        look = _Look(scratch, "", now)
        for at_everybody in (look.consider, look.see):
            async for text in rows("users"):
                row, cut = parsed(text)
                at_everybody(beside.with_(row, cut=cut, parse=parsed))
        return look.outlook()


def findings(outlook: Outlook) -> Iterator[Finding]:
    """`users-ahead`: who will not be carried over whole, by reason, and which hashes there are."""
    hashes = ", ".join(f"{number(count)} {kind}" for kind, count in outlook.needs.hashes.most_common())
    found = f"{number(outlook.users)} users, password hashes: {hashes or 'none'}."
    if not outlook.attention:
        yield passed("users-ahead", f"{found} All will be carried over whole.")
        return
    reasons = ", ".join(f"{number(count)} × {reason}" for reason, count in outlook.attention.items())
    yield warned(
        "users-ahead",
        f"{found} {number(outlook.whole)} will be carried over whole; of the others: {reasons}.",
        "docs/users.md says what each reason means and what can be done before the night; `cutover practice` names the "
        "most frequent.",
    )


def assumed_users_per_second(concurrency: int) -> float:
    """How many users the service may take with so many requests at once. Nobody publishes it: a create is a transaction
    and a comparison of a bcrypt hash, for which we assume 0.4 s.
    """
    return concurrency / _ASSUMED_SECONDS_A_USER

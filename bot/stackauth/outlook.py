"""What will become of the users, before any is created: everybody in a bundle is translated as the step `users` would
do it, and counted. The service is asked nothing, so what only it can say (an address taken there, a request refused) is
not among the reasons.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.artifacts.scratch import Scratch
from bot.ports import Progress, Report
from bot.stackauth.claims import Claims
from bot.stackauth.exported import Bundle
from bot.stackauth.migrate import to_the_end, translations

_TELL_EVERY = 1_000
_ASSUMED_SECONDS_A_USER = 0.4


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """`whole` users go over whole; `attention` counts the others by reason, of which a user may have several."""

    users: int
    whole: int
    attention: Mapping[str, int]


async def look_ahead(directory: Path, run_id: str, report: Report) -> Outlook:
    """Over a whole bundle. Raises RecordDamaged when a file is not what was exported. Cancelled, it stops soon."""
    with Scratch(directory) as scratch:
        looks = _looks(directory, run_id, scratch)
        total = 0
        while True:
            step = await to_the_end(lambda: next(looks))
            if isinstance(step, Outlook):
                return step
            done, total = step
            report(Progress(step="users", done=done, total=total, unit="looks", note="two at every user"))


def assumed_users_per_second(concurrency: int) -> float:
    """How many users the service may take with so many requests at once. Nobody publishes it: a create is a transaction
    and a comparison of a bcrypt hash, for which we assume 0.4 s.
    """
    return concurrency / _ASSUMED_SECONDS_A_USER


def _looks(directory: Path, run_id: str, scratch: Scratch) -> Iterator[tuple[int, int] | Outlook]:
    """Now and then the looks taken so far and all there are to take, at last what was seen."""
    bundle = Bundle.open(directory, scratch)
    claims, total = Claims(scratch), 2 * bundle.total
    yield 0, total
    for n, user in enumerate(bundle.users(), 1):
        claims.consider(user)
        if n % _TELL_EVERY == 0:
            yield n, total
    attention: Counter[str] = Counter()
    users = whole = 0
    for users, translated in enumerate(translations(bundle, claims, run_id), 1):
        attention.update(translated.attentions)
        whole += not translated.attentions
        if users % _TELL_EVERY == 0:
            yield bundle.total + users, total
    yield Outlook(users=users, whole=whole, attention=dict(attention.most_common()))

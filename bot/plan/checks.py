"""The checks of the gates: which examiner asks them, whom each asks, and what follows when it cannot be made.

A check that cannot be made is never a pass. It fails, which refuses the gate, with the next step of what stood in the
way (`bot.obstacles`). Two exceptions are for one service each, and never for the database. `waivable`: the same is
asked by another method too, or people can see it for themselves, so approvers may let the gate pass without it.
`warns`: it only adds to what others prove.

    async for finding in answers(("old-sessions", ask_for_old_sessions), …):
        yield finding
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

from bot.errors import CutoverError, ServiceUnreachable
from bot.obstacles import OBSTACLES, Asked, Obstacle
from bot.plan.findings import Finding, Verdict
from bot.plan.texts.sentences import waiving


@dataclass(frozen=True, kw_only=True)
class Check:
    """`waivable` and `warns` name the service whose obstacles are spared, one of `asks`."""

    asks: tuple[Asked, ...]
    waivable: Asked | None = None
    warns: Asked | None = None

    @property
    def obstacles(self) -> tuple[Obstacle, ...]:
        """What can keep it from being made, in the order of the table."""
        return tuple(one for one in OBSTACLES if one.asked is None or one.asked in self.asks)


_DATABASE = Check(asks=("database",))
_DISK = Check(asks=("disk",))

CHECKS: Mapping[str, Check] = {
    "freeze-layers": _DATABASE,
    "session-refuses-writes": _DATABASE,
    "api-refuses-writes": Check(asks=("database", "api"), waivable="api"),
    "api-hook": _DATABASE,
    "storage-refuses-writes": Check(asks=("database", "tables", "storage"), warns="storage"),
    "old-sessions": _DATABASE,
    "write-paths": Check(asks=("database", "tables")),
    "select-rights": _DATABASE,
    "foreign-code": _DATABASE,
    "database-encoding": Check(asks=("database", "tables")),
    "disk-space": Check(asks=("database", "disk")),
    "quiet-window": _DATABASE,
    "no-drift": _DATABASE,
    "notice": Check(asks=("page",), waivable="page"),
    "approvers-entitled": Check(asks=("slack",)),
    "files-whole": _DISK,
    "counts-by-api": Check(asks=("api",), waivable="api"),
    "counts-by-sql": Check(asks=("disk", "database", "tables")),
    "mapping-bound": _DISK,
    "mapping-complete": _DISK,
    "users-exactly-once": Check(asks=("disk", "stack-auth")),
    "users-read-back": Check(asks=("disk", "stack-auth")),
    "references": _DISK,
    "canary-signs-in": Check(asks=("disk", "stack-auth"), waivable="stack-auth"),
}
"""Those that can find something in their way; one that is not here judges what another has read."""

FIRST: Mapping[str, str] = {
    "freeze-proof": "freeze-layers",
    "notice": "notice",
    "files": "files-whole",
    "counts": "counts-by-sql",
    "freeze-holds": "freeze-layers",
    "mapping": "mapping-bound",
    "users-read-back": "users-exactly-once",
    "references": "references",
    "canary": "canary-signs-in",
}
"""By examiner, the check that could not be made where the examiner could not even begin; one that is never waived where
another of its checks can be. An examiner that is not here has a check of its own name.
"""


def first_check(examiner: str) -> str:
    return FIRST.get(examiner, examiner)


def spared(check: str, error: CutoverError) -> bool:
    """Whether approvers may let a gate pass although the check could not be made because of `error`."""
    asked = error.obstacle.asked
    return asked is not None and asked == CHECKS.get(check, Check(asks=())).waivable


def unmade(check: str, error: CutoverError) -> Finding:
    """The finding for a check that could not be made because of `error`."""
    in_the_way = error.obstacle
    warns = in_the_way.asked is not None and in_the_way.asked == CHECKS.get(check, Check(asks=())).warns
    waivable = spared(check, error)
    again = "" if warns else " Then say the word again."
    let_pass = f" Or let it pass: {waiving(check)}." if waivable else ""
    return Finding(
        check=check,
        verdict=Verdict.WARN if warns else Verdict.FAIL,
        evidence=f"This could not be checked: {error.happened}.",
        fix=f"{in_the_way.next_step}{again}{let_pass}",
        waivable=waivable,
    )


Question = tuple[str, Callable[[], Awaitable[Finding | Iterable[Finding] | None]]]
"""A check, and how it is asked."""


async def answers(*questions: Question) -> AsyncIterator[Finding]:
    """What each question finds, in order. One that cannot be asked stops no other, but where it fails for good because
    nobody is there: then the rest is not asked either.
    """
    for check, ask in questions:
        try:
            found = await ask()
        except CutoverError as error:
            finding = unmade(check, error)
            yield finding
            if isinstance(error, ServiceUnreachable) and finding.verdict is Verdict.FAIL and not finding.waivable:
                return
        else:
            for finding in () if found is None else (found,) if isinstance(found, Finding) else found:
                yield finding

"""The look around before the night: every edge says what it will need, each with a verdict and its fix. Nothing is
written anywhere, but for what the canary's sign-in writes at Supabase, if a canary is set.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from bot.errors import CutoverError, ServiceError
from bot.plan.findings import Finding, failed

Questions = Sequence[tuple[str, AsyncIterator[Finding]]]
"""By edge, all that it has to say."""


async def look_around(questions: Questions) -> tuple[tuple[Finding, ...], bool]:
    """The second value is True when a service could not be reached or refused us."""
    asked = [answer async for answer in ask(questions)]
    return tuple(finding for finding, _ in asked), any(unreachable for _, unreachable in asked)


async def ask(questions: Questions) -> AsyncIterator[tuple[Finding, bool]]:
    """Each finding as it comes. An edge that cannot be asked is a failing one, by the edge's name, and stops no other;
    True beside it says that a service could not be reached or refused us.
    """
    for name, answers in questions:
        try:
            async for finding in answers:
                yield finding, False
        except CutoverError as error:
            fix = f"{error.do[0].upper()}{error.do[1:]}."
            yield failed(name, f"{error.happened}.", fix), isinstance(error, ServiceError)

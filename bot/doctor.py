"""The look around before the night: every edge says what it will need, each with a verdict and its fix. Nothing is
written anywhere, but for what the canary's sign-in writes at Supabase, if a canary is set.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from bot.errors import CutoverError, ServiceError
from bot.plan.findings import Finding, failed


async def look_around(edges: Sequence[tuple[str, AsyncIterator[Finding]]]) -> tuple[tuple[Finding, ...], bool]:
    """Asks every edge, by its name, all it has to say; one that cannot be asked is a failing finding and stops no
    other.

    The second value is True when a service could not be reached or refused us.
    """
    findings: list[Finding] = []
    unreachable = False
    for name, said in edges:
        try:
            findings.extend([finding async for finding in said])
        except CutoverError as error:
            unreachable = unreachable or isinstance(error, ServiceError)
            fix = f"{error.do[0].upper()}{error.do[1:]}."
            findings.append(failed(name, f"{error.happened}.", fix))
    return tuple(findings), unreachable

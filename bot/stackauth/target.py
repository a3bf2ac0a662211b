"""The target project before a night: whether it is there, and what of it would lose people."""

from __future__ import annotations

from collections.abc import AsyncIterator

from bot.plan.findings import Finding, passed, warned
from bot.stackauth.api import StackAuth


async def identify(service: StackAuth) -> None:
    """The service is there and takes project and key. Raises ServiceRefused or ServiceUnreachable, with the mend."""
    await service.probe()


async def preflight(service: StackAuth) -> AsyncIterator[Finding]:
    """What can be known of the target before a night without changing it. Raises as `identify`."""
    await identify(service)
    yield passed("stack-auth-key", "Stack Auth answers, knows the project and takes the secret server key.")
    yield warned(
        "stack-auth-webhooks",
        "Every user that is created fires the project's `user.created` webhook, and a request cannot prevent it.",
        "Tell whoever receives the project's webhooks, or switch them off for the night.",
    )

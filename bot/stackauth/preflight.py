"""The target project before a night: whether it is there, and whether all users will be able to sign in to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from bot.errors import ServiceRefused, ServiceUnintelligible
from bot.plan.findings import Finding, Verdict, failed, passed, warned
from bot.plan.texts.amounts import counted
from bot.stackauth.client.api import StackAuth
from bot.stackauth.client.models import Project
from bot.stackauth.client.retry import RetryingClient
from bot.stackauth.users.requirements import AuthRequirements

_CHECK = "stack-auth-methods"


async def identify(service: StackAuth) -> None:
    """The service is there and takes project and key. Raises ServiceRefused or ServiceUnreachable, with the fix."""
    await service.probe()


async def preflight(service: StackAuth) -> AsyncIterator[Finding]:
    """What can be known of the target before a night without changing it. Raises as `identify`."""
    await identify(service)
    yield passed("stack-auth-key", "Stack Auth answers and accepts the project and the secret server key.")
    yield warned(
        "stack-auth-webhooks",
        "For every user that the bot creates, Stack Auth calls the project's `user.created` webhooks and starts its "
        "workflows for that event, which may send mail. The bot cannot see or prevent that.",
        "Open the project's dashboard. Switch off workflows that write to new users. Warn whoever receives the "
        "webhooks, or switch them off for the night.",
    )
    newest = await service.newest()
    if newest is not None and newest.has_personal_team:
        yield warned(
            "stack-auth-teams",
            "Stack Auth creates a personal team for each new user (the newest user has one), and keeps the team when "
            "the user is deleted.",
            "Switch personal teams off in the project's team settings for the night, unless the app needs them. "
            "`cutover undo-users` counts the teams that stay.",
        )


async def project_settings(client: RetryingClient) -> Project | None:
    """None when the service does not say: then only its refusals will. Raises ServiceUnreachable."""
    try:
        return await client.ask(client.service.project)
    except (ServiceRefused, ServiceUnintelligible):
        return None


def method_findings(project: Project | None, requirements: AuthRequirements) -> Iterator[Finding]:
    """`stack-auth-methods`: what people need to sign in and the project does not offer, each with its fix."""
    if project is None:
        yield warned(
            _CHECK,
            "Stack Auth did not say which sign-in methods the project has.",
            f"Open the project's auth methods and check that it has {_required(requirements)}.",
        )
        return
    lacking = False
    if requirements.passwords and not project.takes_passwords:
        lacking = True
        yield failed(
            _CHECK,
            "Passwords are off in the Stack Auth project, with which "
            f"{counted(requirements.passwords, 'user')} signed in.",
            "Switch on e-mail and password sign-in in the project's auth methods.",
        )
    for provider in sorted(requirements.accounts.keys() - project.providers):
        lacking = True
        users = requirements.accounts[provider]
        yield failed(
            _CHECK,
            f"The Stack Auth project does not have {provider}, with which {counted(users, 'user')} signed in.",
            f"Add {provider} to the project's auth methods (shared keys are enough for now): accounts cannot be added "
            "later.",
        )
    if requirements.magic_links and not project.takes_magic_links:
        lacking = True
        yield warned(
            _CHECK,
            "Magic links are off in the Stack Auth project, and without them "
            f"{counted(requirements.magic_links, 'user')} cannot sign in.",
            "Switch on magic links in the project's auth methods. Until then these users cannot sign in.",
        )
    if not lacking:
        yield passed(_CHECK, f"The Stack Auth project has {_required(requirements)}.")


def _required(requirements: AuthRequirements) -> str:
    required = [
        *(["passwords"] if requirements.passwords else []),
        *(["magic links"] if requirements.magic_links else []),
        *sorted(requirements.accounts),
    ]
    return f"what users sign in with: {', '.join(required)}" if required else "no sign-in method to offer"


def require_sign_in_methods(project: Project | None, requirements: AuthRequirements) -> None:
    """Raises ServiceRefused with all that is missing, before the first user is created: else people lose accounts."""
    missing = [finding for finding in method_findings(project, requirements) if finding.verdict is Verdict.FAIL]
    if missing:
        fixes = dict.fromkeys(finding.fix.rstrip(".") for finding in missing)
        raise ServiceRefused(
            "; ".join(finding.evidence.rstrip(".") for finding in missing),
            unchanged="no user was created",
            do="; ".join(f"{fix[0].lower()}{fix[1:]}" for fix in fixes),
        )

"""The target project before a night: whether it is there, and whether all users will be able to sign in to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from bot.errors import ServiceRefused, ServiceUnintelligible
from bot.plan.findings import Finding, Verdict, failed, passed, warned
from bot.stackauth.client.api import Project, StackAuth
from bot.stackauth.client.retry import Patient
from bot.stackauth.users.requirements import Needs

_CHECK = "stack-auth-methods"


async def identify(service: StackAuth) -> None:
    """The service is there and takes project and key. Raises ServiceRefused or ServiceUnreachable, with the fix."""
    await service.probe()


async def preflight(service: StackAuth) -> AsyncIterator[Finding]:
    """What can be known of the target before a night without changing it. Raises as `identify`."""
    await identify(service)
    yield passed("stack-auth-key", "Stack Auth answers, knows the project and takes the secret server key.")
    yield warned(
        "stack-auth-webhooks",
        "Every user that is created fires the project's `user.created` webhook and starts its workflows for that "
        "event, which may send mail. A request cannot prevent either, and a server key does not see whether there are "
        "any.",
        "Look in the project's dashboard. Tell whoever receives its webhooks, or switch them off for the night; switch "
        "off workflows that write to new users.",
    )
    newest = await service.newest()
    if newest is not None and newest.has_personal_team:
        yield warned(
            "stack-auth-teams",
            "The Stack Auth project makes a personal team for each new user: the newest user has one. So each user "
            "that is created gets a team, and Stack Auth keeps it when the user is deleted.",
            "Switch personal teams off in the project's team settings for the night, unless the app needs them. "
            "`cutover undo-users` counts the teams that stay.",
        )


async def offered(patient: Patient) -> Project | None:
    """None when the service does not tell: then only its refusals will. Raises ServiceUnreachable."""
    try:
        return await patient.ask(patient.service.project)
    except (ServiceRefused, ServiceUnintelligible):
        return None


def methods(project: Project | None, needs: Needs) -> Iterator[Finding]:
    """`stack-auth-methods`: what people need to sign in and the project does not offer, each with its fix."""
    if project is None:
        yield warned(
            _CHECK,
            "Stack Auth does not tell what the project lets people sign in with.",
            f"Look in the project's auth methods that it has {_wanted(needs)}.",
        )
        return
    lacking = False
    if needs.passwords and not project.takes_passwords:
        lacking = True
        yield failed(
            _CHECK,
            f"{needs.passwords:,} users sign in with a password, and that is off in the Stack Auth project.",
            "Switch on e-mail and password sign-in in the project's auth methods.",
        )
    for provider in sorted(needs.accounts.keys() - project.providers):
        lacking = True
        yield failed(
            _CHECK,
            f"{needs.accounts[provider]:,} users sign in with {provider}, which the Stack Auth project does not have.",
            "Add it to the project's auth methods (shared keys will do for now): an account cannot be added later.",
        )
    if needs.magic_links and not project.takes_magic_links:
        lacking = True
        yield warned(
            _CHECK,
            f"{needs.magic_links:,} users can sign in by magic link alone, and magic links are off in the Stack Auth "
            "project.",
            "Switch magic links on in the project's auth methods; if it is done later, these users wait until then.",
        )
    if not lacking:
        yield passed(_CHECK, f"The Stack Auth project has {_wanted(needs)}.")


def _wanted(needs: Needs) -> str:
    wanted = [
        *(["passwords"] if needs.passwords else []),
        *(["magic links"] if needs.magic_links else []),
        *sorted(needs.accounts),
    ]
    return f"what the users sign in with: {', '.join(wanted)}" if wanted else "nothing that it would need"


def refuse_if_it_would_lose_people(project: Project | None, needs: Needs) -> None:
    """Raises ServiceRefused with all that is missing, before the first user is created."""
    missing = [finding for finding in methods(project, needs) if finding.verdict is Verdict.FAIL]
    if missing:
        fixes = dict.fromkeys(finding.fix.rstrip(".") for finding in missing)
        raise ServiceRefused(
            "; ".join(finding.evidence.rstrip(".") for finding in missing),
            unchanged="no user was created",
            do="; ".join(f"{fix[0].lower()}{fix[1:]}" for fix in fixes),
        )

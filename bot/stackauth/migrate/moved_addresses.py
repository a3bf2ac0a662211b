"""Addresses that another of our users has now.

The service lets one user sign in by an address, and a change of a user's address leaves the former one with them, still
good for signing in. So a user first lets go of its address, by a change that touches nothing else, and takes the new
one in the next. Where an address has moved from one of our users to another since an earlier night, the first lets go
of it before anybody is created or changed, whoever of the two comes first in the file.

Only users of this export let go. One who is not in it stays as it is: then the other gets the reason `email-moved`.
"""

from __future__ import annotations

from bot.concurrency import run_blocking
from bot.errors import OutcomeUnknown
from bot.stackauth.client.errors import RequestRefused
from bot.stackauth.client.retry import RetryingClient
from bot.stackauth.migrate.existing import ExistingUsers
from bot.stackauth.migrate.requests import address_release
from bot.stackauth.users.exported import Bundle


async def release_moved_addresses(client: RetryingClient, existing: ExistingUsers, bundle: Bundle) -> None:
    """May be done again at any time. A user who cannot be asked to let go keeps the address, which is no reason to
    stop: the service says so to the other.
    """
    if not (moved := existing.moved_addresses()):
        return
    exported = await run_blocking(lambda: {user.id for user in bundle.users()} & {ours.id for ours in moved})
    for ours in moved:
        if ours.id not in exported:
            continue
        try:
            before = await client.ask(lambda id_=ours.stack_id: client.service.get(id_))  # type: ignore[misc]
            if before.primary_email_auth_enabled:
                release = address_release(before)
                await client.repeat(lambda id_=ours.stack_id, change=release: client.service.change(id_, change))  # type: ignore[misc]
        except (RequestRefused, OutcomeUnknown):
            continue
        existing.release_address(ours.id)

"""Addresses that another of our users has now.

The service lets one user sign in by an address, and a change of a user's address leaves the former one with them, still
good for signing in. So a user first lets go of its address, by a change that touches nothing else, and takes the new
one in the next. Where an address has moved from one of our users to another since an earlier night, the first lets go
of it before anybody is created or changed, whoever of the two comes first in the file.

Only users of this export let go. One who is not in it stays as it is: then the other gets the reason `email-moved`.
"""

from __future__ import annotations

from typing import Any

from bot.concurrency import run_blocking
from bot.errors import OutcomeUnknown
from bot.stackauth.client.api import RequestRefused, User
from bot.stackauth.client.retry import Patient
from bot.stackauth.migrate.existing import Census
from bot.stackauth.users.exported import Bundle
from bot.stackauth.users.translate import MARKER


async def let_go_of_moved(patient: Patient, census: Census, bundle: Bundle) -> None:
    """May be done again at any time. A user who cannot be asked to let go keeps the address, which is no reason to
    stop: the service says so to the other.
    """
    if not (moved := census.moved_addresses()):
        return
    exported = await run_blocking(lambda: {user.id for user in bundle.glances()} & {ours.id for ours in moved})
    for ours in moved:
        if ours.id not in exported:
            continue
        try:
            before = await patient.ask(lambda id_=ours.stack_id: patient.service.get(id_))  # type: ignore[misc]
            if before.primary_email_auth_enabled:
                await let_go(patient, before)
        except (RequestRefused, OutcomeUnknown):
            continue
        census.let_go(ours.id)


async def let_go(patient: Patient, before: User) -> None:
    """Raises RequestRefused and NoAnswer."""
    await patient.repeat(lambda: patient.service.change(before.id, letting_go(before)))


def letting_go(before: User) -> dict[str, Any]:
    """The change. Its marker has no digest, so that whoever finds the user after a crash brings it up to date."""
    change: dict[str, Any] = {"primary_email_auth_enabled": False}
    metadata = before.server_metadata
    if isinstance(metadata, dict) and isinstance(marker := metadata.get(MARKER), dict):
        change["server_metadata"] = {**metadata, MARKER: {**marker, "digest": ""}}
    return change

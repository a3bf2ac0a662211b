"""Which of our users the service holds already, and what became of a request that nobody answered.

The service has no external id and no idempotency key. What we have is the marker inside each user's server metadata:
the Supabase id, the run that created it, and a digest of what was carried. So before anything is created the whole
list is read once, hidden users included, and only markers are kept; and after an unknown outcome the same list is read
newest first, down to the time before which the request cannot have been stored. That time is the service's own: the
newest sign-up we had seen when the request was sent, less a margin for clocks of theirs that disagree.

A request of which nothing is known may still be under way when we look. Unless the service itself said that it had
failed, a look that finds nothing is therefore repeated a little later before the request is sent again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.stackauth.api import User
from bot.stackauth.patience import Patient
from bot.stackauth.reasons import REASONS
from bot.stackauth.translate import MARKER

_MARGIN_MILLIS = 60_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """A user of ours in the service. `run` created it, `updated_by` is the run that last changed it, "" if none did;
    `reasons` are those that the target had.
    """

    stack_id: str
    run: str
    digest: str
    updated_by: str
    reasons: tuple[str, ...]


def held(user: User) -> tuple[str, Held] | None:
    """The Supabase id and what its marker says; None for a user that is not ours."""
    metadata = user.server_metadata
    marker = metadata.get(MARKER) if isinstance(metadata, dict) else None
    if not isinstance(marker, dict) or not isinstance(marker.get("id"), str):
        return None
    reasons = marker.get("reasons")
    return marker["id"], Held(
        stack_id=user.id,
        run=str(marker.get("run", "")),
        digest=str(marker.get("digest", "")),
        updated_by=str(marker.get("updatedBy", "")),
        reasons=tuple(r for r in reasons if isinstance(r, str) and r in REASONS) if isinstance(reasons, list) else (),
    )


@dataclass(kw_only=True)
class Census:
    """By Supabase id, the oldest user that bears it. `newest_millis` is the newest sign-up that we know of."""

    by_id: Mapping[str, Held] = field(default_factory=dict)
    newest_millis: int = 0

    @classmethod
    async def take(cls, patient: Patient) -> Census:
        found: dict[str, Held] = {}
        newest = 0
        async for user in patient.everybody():
            newest = max(newest, user.signed_up_at_millis)
            if (ours := held(user)) is not None:
                found.setdefault(*ours)
        return cls(by_id=found, newest_millis=newest)

    def saw(self, user: User) -> None:
        """The service answered with this user."""
        self.newest_millis = max(self.newest_millis, user.signed_up_at_millis)

    @property
    def floor_millis(self) -> int:
        """What is sent now cannot be stored with an earlier sign-up."""
        return self.newest_millis - _MARGIN_MILLIS


async def look(patient: Patient, user_id: str, *, floor_millis: int) -> Held | None:
    """The user that bears this Supabase id among those that signed up since."""
    async for user in patient.everybody(newest_first=True):
        if user.signed_up_at_millis < floor_millis:
            return None
        if (ours := held(user)) is not None and ours[0] == user_id:
            return ours[1]
    return None


async def resolve(
    patient: Patient, user_id: str, *, floor_millis: int, ended: bool, settle_seconds: float
) -> Held | None:
    """What became of a request without answer: the user, or None when it was not stored and will not be. `ended` says
    that nothing of it can still be under way.
    """
    found = await look(patient, user_id, floor_millis=floor_millis)
    if found is not None or ended:
        return found
    await asyncio.sleep(settle_seconds)
    return await look(patient, user_id, floor_millis=floor_millis)

"""Which of our users the service holds already, and what became of a request that nobody answered.

The service has no external id and no idempotency key. What we have is the marker inside each user's server metadata:
the Supabase id, the run that created it, and a digest of what was carried. So before anything is created the whole
list is read once, hidden users included. Of our users the markers are kept, of the others what they sign in with: one
of them may be the same person as one of ours.

After an unknown outcome the same list is read newest first, down to the time before which the request cannot have been
stored. That time is the service's own: the newest sign-up we had seen when the request was sent, less a margin for
clocks of theirs that disagree. A request of which nothing is known may still be under way when we look. Unless the
service itself said that it had failed, a look that finds nothing is therefore repeated a little later before the
request is sent again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import NamedTuple

from bot.artifacts.scratch import Scratch
from bot.stackauth.client.api import User
from bot.stackauth.client.retry import Patient
from bot.stackauth.users.reasons import REASONS
from bot.stackauth.users.translate import MARKER, Translation

_MARGIN_MILLIS = 60_000
ADOPTED_BY, LEFT_OUT_BY = "adoptedBy", "leftOutBy"
"""Keys of the marker; see `adoption`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """A user of ours in the service. `run` created it, `updated_by` is the run that last changed it, "" if none did;
    `reasons` are those that the target had. `source` is the Supabase project's ref, "" where the marker is of a night
    that did not note it. `address` is what it signs in by. For the last two see `adoption`.
    """

    stack_id: str
    run: str
    digest: str
    updated_by: str
    reasons: tuple[str, ...]
    source: str = ""
    address: str | None = None
    adopted_by: tuple[str, ...] = ()
    left_out_by: tuple[str, ...] = ()


def held(user: User) -> tuple[str, Held] | None:
    """The Supabase id and what its marker says; None for a user that is not ours."""
    metadata = user.server_metadata
    marker = metadata.get(MARKER) if isinstance(metadata, dict) else None
    if not isinstance(marker, dict) or not isinstance(marker.get("id"), str):
        return None
    return marker["id"], Held(
        stack_id=user.id,
        run=str(marker.get("run", "")),
        digest=str(marker.get("digest", "")),
        updated_by=str(marker.get("updatedBy", "")),
        reasons=tuple(reason for reason in _texts(marker.get("reasons")) if reason in REASONS),
        source=str(marker.get("source", "")),
        address=user.primary_email if user.primary_email_auth_enabled else None,
        adopted_by=_texts(marker.get(ADOPTED_BY)),
        left_out_by=_texts(marker.get(LEFT_OUT_BY)),
    )


def _texts(value: object) -> tuple[str, ...]:
    return tuple(text for text in value if isinstance(text, str)) if isinstance(value, list) else ()


class Ours(NamedTuple):
    """A user of ours by both its ids."""

    id: str
    stack_id: str


class Candidate(NamedTuple):
    """A user who is not ours and may be the same person. `by_address` says that the address is the same, `verified`
    that the service has it verified; otherwise only an account at a provider is the same.
    """

    stack_id: str
    by_address: bool
    verified: bool


class Census:
    """Everybody whom the service held when it was read. `newest_millis` is the newest sign-up that we know of."""

    def __init__(self, scratch: Scratch) -> None:
        self.newest_millis = 0
        self._scratch = scratch
        scratch.make(
            "CREATE TABLE held (id TEXT PRIMARY KEY, stack_id, run, digest, updated_by, reasons, source, address,"
            " adopted_by, left_out_by) WITHOUT ROWID",
            "CREATE INDEX held_by_address ON held (address) WHERE address IS NOT NULL",
            "CREATE TABLE held_account (provider, account, id, stack_id, PRIMARY KEY (provider, account))"
            " WITHOUT ROWID",
            "CREATE TABLE stranger (stack_id TEXT PRIMARY KEY, address, verified, signs_in) WITHOUT ROWID",
            "CREATE INDEX stranger_by_address ON stranger (address) WHERE address IS NOT NULL",
            "CREATE TABLE stranger_account (provider, account, stack_id, PRIMARY KEY (provider, account))"
            " WITHOUT ROWID",
        )

    @classmethod
    async def take(cls, patient: Patient, scratch: Scratch) -> Census:
        census = cls(scratch)
        async for user in patient.everybody():
            census.see(user)
        return census

    def see(self, user: User) -> None:
        """From the oldest to the newest: of several that bear one Supabase id the oldest counts."""
        self.saw(user)
        if (ours := held(user)) is not None:
            id_, found = ours
            lists = (",".join(texts) for texts in (found.reasons, found.adopted_by, found.left_out_by))
            reasons, adopted_by, left_out_by = lists
            row = (id_, found.stack_id, found.run, found.digest, found.updated_by, reasons, found.source)
            here = (*row, found.address, adopted_by, left_out_by)
            self._scratch.do("INSERT OR IGNORE INTO held VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", *here)
            for account in user.oauth_providers:
                having = (account.id, account.account_id, id_, user.id)
                self._scratch.do("INSERT OR IGNORE INTO held_account VALUES (?, ?, ?, ?)", *having)
            return
        row_of = (user.id, user.primary_email, user.primary_email_verified, user.primary_email_auth_enabled)
        self._scratch.do("INSERT OR IGNORE INTO stranger VALUES (?, ?, ?, ?)", *row_of)
        for account in user.oauth_providers:
            given = (account.id, account.account_id, user.id)
            self._scratch.do("INSERT OR IGNORE INTO stranger_account VALUES (?, ?, ?)", *given)

    def saw(self, user: User) -> None:
        """The service answered with this user."""
        self.newest_millis = max(self.newest_millis, user.signed_up_at_millis)

    @property
    def floor_millis(self) -> int:
        """What is sent now cannot be stored with an earlier sign-up."""
        return self.newest_millis - _MARGIN_MILLIS

    def held(self, user_id: str) -> Held | None:
        question = "SELECT stack_id, run, digest, updated_by, reasons, source, address FROM held WHERE id = ?"
        if (found := self._scratch.one(question, user_id)) is None:
            return None
        stack_id, run, digest, updated_by, reasons, source, address = found
        given = tuple(reasons.split(",")) if reasons else ()
        return Held(
            stack_id=stack_id,
            run=run,
            digest=digest,
            updated_by=updated_by,
            reasons=given,
            source=source,
            address=address,
        )

    def any_of_ours(self) -> str | None:
        """The Stack Auth id of some user of ours; None when there was none."""
        found = self._scratch.one("SELECT stack_id FROM held LIMIT 1")
        return None if found is None else str(found[0])

    def count_of(self, run_id: str) -> int:
        """How many the run has created."""
        [count] = self._scratch.one("SELECT count(*) FROM held WHERE run = ?", run_id)
        return int(count)

    def signing_in_by(self, address: str) -> Ours | None:
        """The user of ours who had the address when the list was read."""
        found = self._scratch.one("SELECT id, stack_id FROM held WHERE address = ? ORDER BY id", address)
        return None if found is None else Ours(*found)

    def is_free_for(self, user_id: str, address: str) -> bool:
        """Nobody else signed in by it when the list was read, or whoever did has let go."""
        ours = self.signing_in_by(address)
        theirs = self._scratch.one("SELECT 1 FROM stranger WHERE address = ? AND signs_in", address)
        return (ours is None or ours.id == user_id) and theirs is None

    def having(self, provider: str, account_id: str) -> Ours | None:
        """The user of ours who had the account when the list was read."""
        question = "SELECT id, stack_id FROM held_account WHERE provider = ? AND account = ?"
        found = self._scratch.one(question, provider, account_id)
        return None if found is None else Ours(*found)

    def moved_addresses(self) -> list[Ours]:
        """Users of ours who had an address that another user of this export has now, by id."""
        question = (
            "SELECT held.id, stack_id FROM held JOIN claimed_address AS now ON now.address = held.address"
            " WHERE now.id <> held.id ORDER BY 1"
        )
        return [Ours(*found) for found in self._scratch.all(question)]

    def let_go(self, user_id: str) -> None:
        """The user signs in by its address no more, and waits to be brought up to date."""
        self._scratch.do("UPDATE held SET address = NULL, digest = '' WHERE id = ?", user_id)

    def is_stranger(self, stack_id: str) -> bool:
        return self._scratch.one("SELECT 1 FROM stranger WHERE stack_id = ?", stack_id) is not None

    def has_account(self, provider: str, account_id: str) -> bool:
        """True when somebody who is not ours signs in with it: nobody else can have it."""
        question = "SELECT 1 FROM stranger_account WHERE provider = ? AND account = ?"
        return self._scratch.one(question, provider, account_id) is not None

    def candidates(self, user: Translation) -> list[Candidate]:
        """Those with the same address, then those with the same account, by id."""
        found: dict[str, Candidate] = {}
        if user.email is not None:
            question = "SELECT stack_id, verified FROM stranger WHERE address = ? ORDER BY 1"
            for stack_id, verified in self._scratch.all(question, user.email):
                found[stack_id] = Candidate(stack_id, by_address=True, verified=bool(verified))
        for account in user.body.get("oauth_providers", ()):
            question = "SELECT stack_id FROM stranger_account WHERE provider = ? AND account = ? ORDER BY 1"
            for (stack_id,) in self._scratch.all(question, account["id"], account["account_id"]):
                found.setdefault(stack_id, Candidate(stack_id, by_address=False, verified=False))
        return list(found.values())


@dataclass(kw_only=True)
class _Wanted:
    user_id: str
    floor_millis: int
    found: Held | None = None
    is_known: bool = False


class Looks:
    """What became of requests without answer, by the service's list. One reading of it serves all who asked before it
    began, since after trouble many ask at once.
    """

    def __init__(self, patient: Patient, *, settle_seconds: float) -> None:
        """`settle_seconds` is how long a request without answer may still be under way once its connection is lost."""
        self._patient = patient
        self._settle_seconds = settle_seconds
        self._asked: list[_Wanted] = []
        self._reading = asyncio.Lock()

    async def resolve(self, user_id: str, *, floor_millis: int, ended: bool, looked: bool) -> Held | None:
        """The user who bears this Supabase id, among those that signed up since; None when the request was not stored
        and will not be. `ended` says that nothing of it can still be under way, `looked` that the list was read since
        it was sent, and the user was not in it.
        """
        if not looked:
            found = await self._look(user_id, floor_millis)
            if found is not None or ended:
                return found
        await asyncio.sleep(self._settle_seconds)
        return await self._look(user_id, floor_millis)

    async def _look(self, user_id: str, floor_millis: int) -> Held | None:
        wanted = _Wanted(user_id=user_id, floor_millis=floor_millis)
        self._asked.append(wanted)
        async with self._reading:
            if not wanted.is_known:
                asked, self._asked = self._asked, []
                try:
                    await self._read(asked)
                except BaseException:
                    self._asked += [other for other in asked if other is not wanted]
                    raise
        return wanted.found

    async def _read(self, asked: list[_Wanted]) -> None:
        by_id = {wanted.user_id: wanted for wanted in asked}
        floor = min(wanted.floor_millis for wanted in asked)
        async for user in self._patient.everybody(newest_first=True):
            if user.signed_up_at_millis < floor:
                break
            if (ours := held(user)) is not None and (wanted := by_id.pop(ours[0], None)) is not None:
                wanted.found = ours[1]
                if not by_id:
                    break
        for wanted in asked:
            wanted.is_known = True

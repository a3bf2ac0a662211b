"""Whom the service holds already: its whole list, read once before anything is sent, hidden users included.

The service has no external id and no idempotency key. What we have is the marker inside each user's server metadata:
the Supabase id, the run that created it, and a digest of what was migrated. Of users with a marker of ours that is
kept, of the others what they sign in with: one of them may be the same person as one of ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from bot.artifacts.scratch import Scratch
from bot.stackauth.client.models import User
from bot.stackauth.client.retry import RetryingClient
from bot.stackauth.client.user_list import all_users
from bot.stackauth.migrate.requests import ADOPTED_BY, LEFT_OUT_BY
from bot.stackauth.users.metadata import marker_in
from bot.stackauth.users.reasons import REASONS
from bot.stackauth.users.translate import Translation

_MARGIN_MILLIS = 60_000
"""By so much clocks of the service may disagree with each other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MigratedUser:
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


def migrated_user_in(user: User) -> tuple[str, MigratedUser] | None:
    """The Supabase id and what the marker says; None for a user that is not ours."""
    marker = marker_in(user.server_metadata)
    if marker is None or not isinstance(marker.get("id"), str):
        return None
    return marker["id"], MigratedUser(
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


class UserIds(NamedTuple):
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


class ExistingUsers:
    """Everybody in the service when its list was read. `newest_millis` is the newest sign-up that we know of."""

    def __init__(self, scratch: Scratch) -> None:
        self.newest_millis = 0
        self._scratch = scratch
        scratch.make(
            "CREATE TABLE migrated (id TEXT PRIMARY KEY, stack_id, run, digest, updated_by, reasons, source, address,"
            " adopted_by, left_out_by) WITHOUT ROWID",
            "CREATE INDEX migrated_by_address ON migrated (address) WHERE address IS NOT NULL",
            "CREATE TABLE migrated_account (provider, account, id, stack_id, PRIMARY KEY (provider, account))"
            " WITHOUT ROWID",
            "CREATE TABLE other_user (stack_id TEXT PRIMARY KEY, address, verified, signs_in) WITHOUT ROWID",
            "CREATE INDEX other_user_by_address ON other_user (address) WHERE address IS NOT NULL",
            "CREATE TABLE other_user_account (provider, account, stack_id, PRIMARY KEY (provider, account))"
            " WITHOUT ROWID",
        )

    @classmethod
    async def read(cls, client: RetryingClient, scratch: Scratch) -> ExistingUsers:
        existing = cls(scratch)
        async for user in all_users(client):
            existing.add(user)
        return existing

    def add(self, user: User) -> None:
        """From the oldest to the newest: of several that bear one Supabase id the oldest counts."""
        self.note_sign_up(user)
        if (ours := migrated_user_in(user)) is not None:
            id_, found = ours
            lists = (",".join(texts) for texts in (found.reasons, found.adopted_by, found.left_out_by))
            reasons, adopted_by, left_out_by = lists
            row = (id_, found.stack_id, found.run, found.digest, found.updated_by, reasons, found.source)
            here = (*row, found.address, adopted_by, left_out_by)
            self._scratch.do("INSERT OR IGNORE INTO migrated VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", *here)
            for account in user.oauth_providers:
                having = (account.id, account.account_id, id_, user.id)
                self._scratch.do("INSERT OR IGNORE INTO migrated_account VALUES (?, ?, ?, ?)", *having)
            return
        row_of = (user.id, user.primary_email, user.primary_email_verified, user.primary_email_auth_enabled)
        self._scratch.do("INSERT OR IGNORE INTO other_user VALUES (?, ?, ?, ?)", *row_of)
        for account in user.oauth_providers:
            given = (account.id, account.account_id, user.id)
            self._scratch.do("INSERT OR IGNORE INTO other_user_account VALUES (?, ?, ?)", *given)

    def note_sign_up(self, user: User) -> None:
        """The service answered with this user."""
        self.newest_millis = max(self.newest_millis, user.signed_up_at_millis)

    @property
    def floor_millis(self) -> int:
        """What is sent now cannot be stored with an earlier sign-up."""
        return self.newest_millis - _MARGIN_MILLIS

    def migrated(self, user_id: str) -> MigratedUser | None:
        question = "SELECT stack_id, run, digest, updated_by, reasons, source, address FROM migrated WHERE id = ?"
        if (found := self._scratch.one(question, user_id)) is None:
            return None
        stack_id, run, digest, updated_by, reasons, source, address = found
        given = tuple(reasons.split(",")) if reasons else ()
        return MigratedUser(
            stack_id=stack_id,
            run=run,
            digest=digest,
            updated_by=updated_by,
            reasons=given,
            source=source,
            address=address,
        )

    def any_migrated(self) -> str | None:
        """The Stack Auth id of some user of ours; None when there was none."""
        found = self._scratch.one("SELECT stack_id FROM migrated LIMIT 1")
        return None if found is None else str(found[0])

    def count_of(self, run_id: str) -> int:
        """How many the run has created."""
        [count] = self._scratch.one("SELECT count(*) FROM migrated WHERE run = ?", run_id)
        return int(count)

    def address_holder(self, address: str) -> UserIds | None:
        """The user of ours who had the address when the list was read."""
        found = self._scratch.one("SELECT id, stack_id FROM migrated WHERE address = ? ORDER BY id", address)
        return None if found is None else UserIds(*found)

    def is_address_free(self, address: str, user_id: str) -> bool:
        """Nobody else signed in by it when the list was read, or whoever did has let go."""
        ours = self.address_holder(address)
        theirs = self._scratch.one("SELECT 1 FROM other_user WHERE address = ? AND signs_in", address)
        return (ours is None or ours.id == user_id) and theirs is None

    def account_holder(self, provider: str, account_id: str) -> UserIds | None:
        """The user of ours who had the account when the list was read."""
        question = "SELECT id, stack_id FROM migrated_account WHERE provider = ? AND account = ?"
        found = self._scratch.one(question, provider, account_id)
        return None if found is None else UserIds(*found)

    def moved_addresses(self) -> list[UserIds]:
        """Users of ours who had an address that another user of this export has now, by id."""
        question = (
            "SELECT migrated.id, stack_id FROM migrated JOIN address_owner AS now ON now.address = migrated.address"
            " WHERE now.id <> migrated.id ORDER BY 1"
        )
        return [UserIds(*found) for found in self._scratch.all(question)]

    def release_address(self, user_id: str) -> None:
        """The user signs in by its address no more, and waits to be brought up to date."""
        self._scratch.do("UPDATE migrated SET address = NULL, digest = '' WHERE id = ?", user_id)

    def is_other_user(self, stack_id: str) -> bool:
        return self._scratch.one("SELECT 1 FROM other_user WHERE stack_id = ?", stack_id) is not None

    def other_user_has_account(self, provider: str, account_id: str) -> bool:
        """True when somebody who is not ours signs in with it: nobody else can have it."""
        question = "SELECT 1 FROM other_user_account WHERE provider = ? AND account = ?"
        return self._scratch.one(question, provider, account_id) is not None

    def candidates(self, user: Translation) -> list[Candidate]:
        """Those with the same address, then those with the same account, by id."""
        found: dict[str, Candidate] = {}
        if user.email is not None:
            question = "SELECT stack_id, verified FROM other_user WHERE address = ? ORDER BY 1"
            for stack_id, verified in self._scratch.all(question, user.email):
                found[stack_id] = Candidate(stack_id, by_address=True, verified=bool(verified))
        for account in user.body.get("oauth_providers", ()):
            question = "SELECT stack_id FROM other_user_account WHERE provider = ? AND account = ? ORDER BY 1"
            for (stack_id,) in self._scratch.all(question, account["id"], account["account_id"]):
                found.setdefault(stack_id, Candidate(stack_id, by_address=False, verified=False))
        return list(found.values())

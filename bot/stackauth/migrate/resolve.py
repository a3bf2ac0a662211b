"""What is to become of each user, by what the service holds, what people decided, and the mode. Nothing is sent here.

A user of ours is known by its marker. A user who is not ours is the same person for certain only if one alone has the
address and both sides have verified it; whoever merely shares an unverified address, or an account at a provider, is a
matter for a person to decide. A user of the service is never given to two users of the source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from bot.artifacts.scratch import Scratch
from bot.artifacts.user_log import NOT_CARRIED, Became, UserState
from bot.plan.events import UserDecided, UsersMode
from bot.stackauth.migrate.existing import Candidate, ExistingUsers, MigratedUser
from bot.stackauth.migrate.requests import ADDRESS_TAKEN
from bot.stackauth.users.conflicts import Conflicts
from bot.stackauth.users.translate import Translation

UNDECIDED = "match-undecided"
DECIDABLE = frozenset({UNDECIDED, "decision-impossible", "skipped", "not-in-target"})
"""Reasons for being unmapped on which a person may decide."""
Kind = Literal["keep", "update", "match", "create", "unmapped"]


@dataclass(frozen=True, kw_only=True)
class Resolution:
    """`keep` and `update` have `migrated`, `match` has the other user's `stack_id`, `unmapped` its `reason`."""

    kind: Kind
    migrated: MigratedUser | None = None
    stack_id: str | None = None
    reason: str = ""

    def as_state(self, user: Translation, at: datetime) -> UserState:
        """What users.jsonl would say once it has come to pass; a user still to be created has the id ""."""
        match self.kind:
            case "unmapped":
                return UserState("unmapped", None, user.digest, self.reason, at)
            case "match":
                return UserState("matched", self.stack_id, NOT_CARRIED, "", at)
            case "create":
                return UserState("created", "", user.digest, "", at)
            case _:
                assert self.migrated is not None
                became: Became = "updated" if self.kind == "update" else "matched"
                return UserState(became, self.migrated.stack_id, user.digest, ",".join(self.migrated.reasons), at)


class Resolver:
    def __init__(
        self,
        existing: ExistingUsers,
        conflicts: Conflicts,
        decisions: Mapping[str, UserDecided],
        mode: UsersMode,
        scratch: Scratch,
    ) -> None:
        self._existing = existing
        self._conflicts = conflicts
        self._decisions = decisions
        self._mode = mode
        self._scratch = scratch
        scratch.make("CREATE TABLE given (stack_id TEXT PRIMARY KEY, id) WITHOUT ROWID")
        for decided in decisions.values():  # a person's word goes before what is merely certain
            if decided.choice == "match":
                self._give(decided.stack_id, decided.id)

    def resolve(self, user: Translation) -> Resolution:
        """The same whenever it is asked for. Asked for everybody, no user of the service is given away twice."""
        if (there := self._existing.migrated(user.id)) is not None:
            as_it_is = (there.digest == user.digest and not self._is_free_now(user, there)) or self._mode == "match"
            return Resolution(kind="keep" if as_it_is else "update", migrated=there)
        if (decided := self._decisions.get(user.id)) is not None:
            return self._as_decided(user, decided)
        candidates = self._existing.candidates(user)
        if (certain := self._certain(user, candidates)) is not None:
            if self._give(certain, user.id):
                return Resolution(kind="match", stack_id=certain)
            return Resolution(kind="unmapped", reason=UNDECIDED)
        if candidates:
            return Resolution(kind="unmapped", reason=UNDECIDED)
        if self._mode == "match":
            return Resolution(kind="unmapped", reason="not-in-target")
        return Resolution(kind="create")

    def _is_free_now(self, user: Translation, there: MigratedUser) -> bool:
        """The address that somebody else had when the user was migrated."""
        waits = not ADDRESS_TAKEN.isdisjoint(there.reasons)
        return waits and user.email is not None and self._existing.is_address_free(user.email, user.id)

    def _as_decided(self, user: Translation, decided: UserDecided) -> Resolution:
        match decided.choice:
            case "create":
                return Resolution(kind="create")
            case "skip":
                return Resolution(kind="unmapped", reason="skipped")
            case _:
                stack_id = decided.stack_id
                if self._existing.is_other_user(stack_id) and self._give(stack_id, user.id):
                    return Resolution(kind="match", stack_id=stack_id)
                return Resolution(kind="unmapped", reason="decision-impossible")

    def _certain(self, user: Translation, candidates: list[Candidate]) -> str | None:
        by_address = [candidate for candidate in candidates if candidate.by_address]
        if len(by_address) != 1 or not by_address[0].verified or user.email is None:
            return None
        verified = user.body["primary_email_verified"] and self._conflicts.address_is_of(user.email, user.id)
        return by_address[0].stack_id if verified else None

    def _give(self, stack_id: str, user_id: str) -> bool:
        """False when somebody else has it."""
        self._scratch.do("INSERT OR IGNORE INTO given VALUES (?, ?)", stack_id, user_id)
        [owner] = self._scratch.one("SELECT id FROM given WHERE stack_id = ?", stack_id)
        return bool(owner == user_id)

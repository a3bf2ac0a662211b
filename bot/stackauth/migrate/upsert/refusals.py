"""What the next request for a user leaves out after a refusal, and the reason for it.

    `create` refused for its address        the address, migrated but not for signing in
    refused without a word                  first what people write themselves, then all: an empty user

What is wrong with one user becomes a reason. Refusals of so many users that it cannot be their fault are raised.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bot.errors import ServiceRefused
from bot.stackauth.client.errors import RequestRefused
from bot.stackauth.client.models import User
from bot.stackauth.migrate.existing import ExistingUsers, UserIds
from bot.stackauth.migrate.requests import droppable
from bot.stackauth.users.translate import Translation

_REFUSALS_TO_STOP = 10


class Refusals:
    """`taken` counts the users that the service has taken."""

    def __init__(self, existing: ExistingUsers, taken: Callable[[], int]) -> None:
        self._existing = existing
        self._taken = taken
        self._refused = 0

    def of_accounts(self, user: Translation) -> set[str]:
        """Why accounts stay behind that somebody else has: the service would fail over them, slowly."""
        reasons = set()
        for account in _accounts_in(user.body):
            if self._existing.other_user_has_account(*account):
                reasons.add("identity-taken-in-target")
            elif _is_anothers(self._existing.account_holder(*account), user):
                reasons.add("identity-moved")
        return reasons

    def accounts_since(self, expected: Mapping[str, Any], before: User, user: Translation) -> set[str]:
        """How the accounts of one who is there are others than those exported: a change has none."""
        there = {(account.id, account.account_id): account.email for account in before.oauth_providers}
        exported = _accounts_in(expected)
        reasons = set()
        for account in exported.keys() - there.keys():
            moved = _is_anothers(self._existing.account_holder(*account), user)
            reasons.add("identity-moved" if moved else "identity-added-since")
        if there.keys() - exported.keys() - user.accounts:
            reasons.add("identity-removed-since")
        if any(there[account] != exported[account] for account in exported.keys() & there.keys()):
            reasons.add("identity-changed-since")
        return reasons

    def reason(self, user: Translation, error: RequestRefused) -> str | None:
        """With which a smaller request is sent after this refusal; None when it does not say."""
        match error.meaning:
            case "email-taken":
                holder = self._existing.address_holder(user.email) if user.email is not None else None
                return "email-moved" if _is_anothers(holder, user) else "email-taken-in-target"
            case "magic-link-off":
                return "magic-link-off"
            case _:
                return None

    def reduce(self, user: Translation, reasons: set[str], reason: str) -> bool:
        """Adds the reasons that make the next request a smaller one; False when nothing smaller is left. Before the
        empty user comes the same one without what people write themselves. Raises ServiceRefused when most users are
        refused.
        """
        if reason in reasons or reason == "refused-by-target":
            self._refused += 1
            if self._refused >= _REFUSALS_TO_STOP and self._refused > self._taken():
                raise ServiceRefused(
                    f"Stack Auth refused {self._refused} users and took only {self._taken()}",
                    unchanged="the users that it took stay and are listed in users.jsonl",
                    do="look for a Cutover version that supports this Stack Auth API",
                )
            reason = "refused-by-target"
            if reason not in reasons and self.drop(user, reasons):
                return True
        if reason in reasons:
            return False
        if reason == "refused-by-target":
            reasons -= droppable(user.body)  # the empty user has neither
        reasons.add(reason)
        return True

    def drop(self, user: Translation, reasons: set[str]) -> bool:
        """Adds the reasons that leave out picture and client metadata; False when they are left out already."""
        dropped = droppable(user.body)
        if dropped <= reasons:
            return False
        reasons |= dropped
        return True


def _is_anothers(holder: UserIds | None, user: Translation) -> bool:
    return holder is not None and holder.id != user.id


def _accounts_in(body: Mapping[str, Any]) -> dict[tuple[str, str], str | None]:
    """The address that the provider gives, by provider and account."""
    return {(a["id"], a["account_id"]): a.get("email") for a in body.get("oauth_providers", ())}

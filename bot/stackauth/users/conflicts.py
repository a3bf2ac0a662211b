"""Which user an address and a provider's account belong to where several have it: known before the first create."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from bot.artifacts.scratch import Scratch
from bot.stackauth.users.exported import ExportedUser
from bot.stackauth.users.sign_in import SignInMethods, sign_in_methods_of

_NO_BIRTH = "~"
"""Later than any time, as text."""
_ADDRESS = (
    "INSERT INTO address_owner VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
    " SET unverified = excluded.unverified, born = excluded.born, id = excluded.id"
    " WHERE (excluded.unverified, excluded.born, excluded.id) < (unverified, born, id)"
)
_ACCOUNT = (
    "INSERT INTO account_owner VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET born = excluded.born, id = excluded.id"
    " WHERE (excluded.born, excluded.id) < (born, id)"
)


class Conflicts:
    """Add every user once, in any order; the owner is the same: whoever has the address verified, then the older user,
    then the lower id.
    """

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        scratch.make(
            "CREATE TABLE address_owner (address TEXT PRIMARY KEY, unverified, born, id) WITHOUT ROWID",
            "CREATE TABLE account_owner (provider, account, born, id, PRIMARY KEY (provider, account)) WITHOUT ROWID",
        )

    @classmethod
    def of(cls, users: Iterable[ExportedUser], scratch: Scratch) -> Self:
        conflicts = cls(scratch)
        for user in users:
            conflicts.add(user, sign_in_methods_of(user))
        return conflicts

    def add(self, user: ExportedUser, methods: SignInMethods) -> None:
        if user.row.get("deleted_at") is not None:
            return
        born = str(user.row.get("created_at") or _NO_BIRTH)
        if methods.by_email:
            self._scratch.do(_ADDRESS, methods.address, not methods.verified, born, user.id)
        for account in methods.accounts.values():
            self._scratch.do(_ACCOUNT, account["id"], account["account_id"], born, user.id)

    def address_is_of(self, address: str, user_id: str) -> bool:
        """True unless the address belongs to somebody else."""
        found = self._scratch.one("SELECT id FROM address_owner WHERE address = ?", address)
        return found is None or found[0] == user_id

    def account_is_of(self, provider: str, account_id: str, user_id: str) -> bool:
        question = "SELECT id FROM account_owner WHERE provider = ? AND account = ?"
        found = self._scratch.one(question, provider, account_id)
        return found is None or found[0] == user_id

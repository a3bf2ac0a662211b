"""Which user an address and a provider's account belong to, settled before the first create."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Self

from bot.artifacts.scratch import Scratch
from bot.stackauth.users.exported import ExportedUser
from bot.stackauth.users.sign_in import WayIn, way_in_of

_NO_BIRTH = "~"
"""Later than any time, as text."""
_ADDRESS = (
    "INSERT INTO claimed_address VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
    " SET unverified = excluded.unverified, born = excluded.born, id = excluded.id"
    " WHERE (excluded.unverified, excluded.born, excluded.id) < (unverified, born, id)"
)
_ACCOUNT = (
    "INSERT INTO claimed_account VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET born = excluded.born, id = excluded.id"
    " WHERE (excluded.born, excluded.id) < (born, id)"
)


class Claims:
    """Told of every user once, in any order, the outcome is the same: a verified address goes before an unverified one,
    then the older user, then the lower id.
    """

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        scratch.make(
            "CREATE TABLE claimed_address (address TEXT PRIMARY KEY, unverified, born, id) WITHOUT ROWID",
            "CREATE TABLE claimed_account (provider, account, born, id, PRIMARY KEY (provider, account)) WITHOUT ROWID",
        )

    @classmethod
    def of(cls, users: Iterable[ExportedUser], scratch: Scratch) -> Self:
        claims = cls(scratch)
        for user in users:
            claims.consider(user, way_in_of(user))
        return claims

    def consider(self, user: ExportedUser, way_in: WayIn) -> None:
        if user.row.get("deleted_at") is not None:
            return
        born = str(user.row.get("created_at") or _NO_BIRTH)
        if way_in.by_email:
            self._scratch.do(_ADDRESS, way_in.address, not way_in.verified, born, user.id)
        for account in way_in.accounts.values():
            self._scratch.do(_ACCOUNT, account["id"], account["account_id"], born, user.id)

    def give_address(self, address: str, user_id: str) -> bool:
        """True unless the address belongs to somebody else."""
        found = self._scratch.one("SELECT id FROM claimed_address WHERE address = ?", address)
        return found is None or found[0] == user_id

    def give_account(self, provider: str, account_id: str, user_id: str) -> bool:
        return self.claimant(provider, account_id) in {None, user_id}

    def is_claimed(self, address: str) -> bool:
        return self._scratch.one("SELECT 1 FROM claimed_address WHERE address = ?", address) is not None

    def claimant(self, provider: str, account_id: str) -> str | None:
        """Who has the account, of the exported users."""
        question = "SELECT id FROM claimed_account WHERE provider = ? AND account = ?"
        found = self._scratch.one(question, provider, account_id)
        return None if found is None else str(found[0])

    def providers(self) -> Iterator[str]:
        """At which an exported user has an account."""
        return (name for (name,) in self._scratch.all("SELECT DISTINCT provider FROM claimed_account ORDER BY 1"))

"""What the exported users sign in with, in numbers: what the target project has to offer, or people are locked out."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from bot.stackauth.users.exported import ExportedUser
from bot.stackauth.users.sign_in import WayIn

_KINDS = (
    (re.compile(r"\$2[aby]\$(\d\d)\$"), "bcrypt of cost {}"),
    (re.compile(r"\$argon2"), "argon2"),
    (re.compile(r"\$(?:fb)?scrypt\$"), "scrypt"),
    (re.compile(r"\{"), "encrypted"),
)


@dataclass
class Needs:
    """`accounts` counts by the target's provider, `hashes` by kind and cost, those that cannot be carried included.
    Deleted users need nothing.
    """

    passwords: int = 0
    magic_links: int = 0
    accounts: Counter[str] = field(default_factory=Counter)
    hashes: Counter[str] = field(default_factory=Counter)

    def consider(self, user: ExportedUser, way_in: WayIn) -> None:
        if user.row.get("deleted_at") is not None:
            return
        self.passwords += way_in.password is not None
        self.magic_links += way_in.magic_link
        self.accounts.update(way_in.accounts.keys())
        if given := user.row.get("encrypted_password"):
            self.hashes[_kind(str(given))] += 1


def _kind(hash_: str) -> str:
    for form, name in _KINDS:
        if (found := form.match(hash_)) is not None:
            return name.format(*(int(cost) for cost in found.groups()))
    return "an unknown kind"

"""What the exported users sign in with, in numbers: what the target project has to offer, or people are locked out."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from bot.stackauth.users.conflicts import Conflicts
from bot.stackauth.users.exported import ExportedUser
from bot.stackauth.users.sign_in import SignInMethods, sign_in_methods_of

_KINDS = (
    (re.compile(r"\$2[aby]\$(\d\d)\$"), "bcrypt of cost {}"),
    (re.compile(r"\$argon2"), "argon2"),
    (re.compile(r"\$(?:fb)?scrypt\$"), "scrypt"),
    (re.compile(r"\{"), "encrypted"),
)


@dataclass
class AuthRequirements:
    """`accounts` counts by the target's provider, `hashes` by kind and cost, those that cannot be migrated included.
    Deleted users require nothing.
    """

    passwords: int = 0
    magic_links: int = 0
    accounts: Counter[str] = field(default_factory=Counter)
    hashes: Counter[str] = field(default_factory=Counter)

    def add(self, user: ExportedUser, methods: SignInMethods) -> None:
        if user.row.get("deleted_at") is not None:
            return
        self.passwords += methods.password is not None
        self.magic_links += methods.magic_link
        self.accounts.update(methods.accounts.keys())
        if given := user.row.get("encrypted_password"):
            self.hashes[_kind(str(given))] += 1


def survey(user: ExportedUser, conflicts: Conflicts, requirements: AuthRequirements) -> None:
    """Everybody is seen by both before anything is decided about anybody."""
    methods = sign_in_methods_of(user)
    conflicts.add(user, methods)
    requirements.add(user, methods)


def _kind(hash_: str) -> str:
    for form, name in _KINDS:
        if (found := form.match(hash_)) is not None:
            return name.format(*(int(cost) for cost in found.groups()))
    return "an unknown kind"

"""Each mapped user as the step's files have it, beside the one that the service's list shows."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from bot.artifacts import files, mapping
from bot.artifacts.scratch import Scratch
from bot.plan.findings import Finding, failed, passed
from bot.plan.results import UsersResult
from bot.plan.texts.amounts import counted
from bot.plan.texts.listing import listed
from bot.stackauth.client.models import User
from bot.stackauth.migrate.existing import migrated_user_in
from bot.stackauth.migrate.readback.fingerprint import ACCOUNTS_SINCE, BY_THE_TARGET, fingerprint_of

_TELLING = BY_THE_TARGET | ACCOUNTS_SINCE | {"not-updated"}
"""Reasons that say what the user looks like in the service."""
_SHOWN = 3
SAMPLE = 1_000
"""How many are compared besides those whom something speaks of."""


@dataclass
class Sample:
    """How many there are, and the first of them."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, ids: Iterator[str]) -> Sample:
        some = cls()
        for id_ in ids:
            some.add(id_)
        return some

    def add(self, id_: str) -> None:
        self.count += 1
        if len(self.first) < _SHOWN:
            self.first.append(id_)

    def __str__(self) -> str:
        return listed(self.first, _SHOWN, total=self.count)


class Pair(NamedTuple):
    """A mapped user as the files have it, and as the service shows it; `fingerprint` is None when it does not. `bears`
    is the Supabase id in the marker there.
    """

    outcome: str
    reasons: frozenset[str]
    fingerprint: bytes | None
    bears: str | None
    has_password: bool


def _lot(run_id: str, user_id: str) -> bytes:
    return hashlib.sha256(f"{run_id}\n{user_id}".encode()).digest()


class MappedUsers:
    """By Supabase id. Add everybody in the service's list first."""

    def __init__(
        self, directory: Path, result: UsersResult | None, scratch: Scratch, *, sample_of: str = "", size: int = SAMPLE
    ) -> None:
        """Reads the files that the step has left; blocks meanwhile. Raises RecordDamaged. `sample_of` is the run whose
        id chooses those who are compared, `size` of all and whoever was matched, updated or listed; "" for everybody.
        """
        sums = (result.mapping_sha256, result.attention_sha256) if result is not None else ("", "")
        self._scratch = scratch
        scratch.make(
            "CREATE TABLE mapped (id TEXT PRIMARY KEY, stack_id, outcome) WITHOUT ROWID",
            "CREATE TABLE telling (id, reason, PRIMARY KEY (id, reason)) WITHOUT ROWID",
            "CREATE TABLE compared (id TEXT PRIMARY KEY) WITHOUT ROWID",
            "CREATE TABLE there (stack_id TEXT PRIMARY KEY, bears, fingerprint, has_password) WITHOUT ROWID",
        )
        written = mapping.read(directory / files.MAPPING, sha256=sums[0])
        entries = (entry for entry in written if isinstance(entry, mapping.Mapped))
        rows = ((entry.supabase_user_id, entry.stack_auth_user_id, entry.outcome) for entry in entries)
        scratch.put("INSERT OR REPLACE INTO mapped VALUES (?, ?, ?)", rows)
        listed = mapping.read_attention(directory / files.ATTENTION, sha256=sums[1])
        scratch.put("INSERT OR REPLACE INTO telling VALUES (?, ?)", ((entry.id, entry.reason) for entry in listed))
        [self.mapped] = scratch.one("SELECT count(*) FROM mapped")
        self.is_sample = bool(sample_of)
        if self.is_sample:
            self._choose(sample_of, size)

    def _choose(self, run_id: str, size: int) -> None:
        """The same ones whenever and wherever it is done, and nobody can tell which before the run has its id."""
        chosen = heapq.nsmallest(size, self._ids("SELECT id FROM mapped"), key=lambda id_: _lot(run_id, id_))
        self._scratch.put("INSERT INTO compared VALUES (?)", ((id_,) for id_ in chosen))
        self._scratch.do(
            "INSERT OR IGNORE INTO compared"
            " SELECT id FROM mapped WHERE outcome <> 'created' OR id IN (SELECT id FROM telling)"
        )

    def is_compared(self, user_id: str) -> bool:
        """Mapped, and of the sample where there is one."""
        question = "SELECT 1 FROM compared WHERE id = ?" if self.is_sample else "SELECT 1 FROM mapped WHERE id = ?"
        return self._scratch.one(question, user_id) is not None

    def add(self, user: User) -> None:
        """A user in the service's list."""
        ours = migrated_user_in(user)
        row = (user.id, ours[0] if ours else None, fingerprint_of(user), user.has_password)
        self._scratch.do("INSERT OR REPLACE INTO there VALUES (?, ?, ?, ?)", *row)

    def of(self, user_id: str) -> Pair | None:
        """None for a user who is not mapped."""
        question = (
            "SELECT outcome, fingerprint, bears, has_password FROM mapped LEFT JOIN there USING (stack_id) WHERE id = ?"
        )
        if (found := self._scratch.one(question, user_id)) is None:
            return None
        outcome, fingerprint, bears, has_password = found
        listed = (name for (name,) in self._scratch.all("SELECT reason FROM telling WHERE id = ?", user_id))
        reasons = _TELLING.intersection(listed)
        return Pair(outcome, reasons, fingerprint, bears, bool(has_password))

    def exactly_once(self) -> Finding:
        self._scratch.make("CREATE INDEX there_bears ON there (bears)", "CREATE INDEX mapped_to ON mapped (stack_id)")
        one = self._scratch.one
        [targets] = one("SELECT count(DISTINCT stack_id) FROM mapped")
        [shared] = one("SELECT count(*) FROM (SELECT 1 FROM mapped GROUP BY stack_id HAVING count(*) > 1)")
        missing = Sample.of(self._ids("SELECT id FROM mapped WHERE stack_id NOT IN (SELECT stack_id FROM there)"))
        twins = Sample.of(
            self._ids("SELECT bears FROM there JOIN mapped ON bears = mapped.id GROUP BY bears HAVING count(*) > 1")
        )
        if not (shared or missing.count or twins.count):
            return passed(
                "users-exactly-once",
                f"{counted(targets, 'mapped user')}: each is in Stack Auth exactly once.",
            )
        parts = []
        if missing.count:
            are = "is" if missing.count == 1 else "are"
            parts.append(f"{counted(missing.count, 'mapped user')} {are} not in Stack Auth ({missing})")
        if twins.count:
            have = "has" if twins.count == 1 else "have"
            parts.append(f"{counted(twins.count, 'Supabase user')} {have} more than one user in Stack Auth ({twins})")
        if shared:
            are = "is" if shared == 1 else "are"
            parts.append(f"{counted(shared, 'Stack Auth user')} {are} mapped more than once")
        fix = "Find out who deleted or copied users in Stack Auth. Delete the copies that are not in user-mapping.json."
        return failed("users-exactly-once", "; ".join(parts) + ".", fix)

    def _ids(self, question: str) -> Iterator[str]:
        return (id_ for (id_,) in self._scratch.all(question))

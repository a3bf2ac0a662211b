"""What the service really holds: every mapped user read back and compared, field by field, with what was exported.

The mapping and the attention list on disk say who was carried over and with which reasons, since these files are what
the import uses; the bundle says what each user should look like; the service's list, hidden users included, says what
is there. The evidence counts by field and names at most a few Supabase ids, never what a field holds.

A hash cannot be read back, only that there is a password; that is said. Users that were matched unchanged from an
earlier night belong to people who may have used them since: how they differ is told, and does not block. Of users of
the service's own, who were matched and left as they are, it only counts that they are there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from bot.artifacts import files, mapping
from bot.artifacts.scratch import Scratch
from bot.concurrency import run_blocking
from bot.errors import CutoverError
from bot.plan.checks import unmade
from bot.plan.findings import Finding, failed, passed, warned
from bot.plan.results import UsersResult
from bot.plan.run import Run
from bot.ports import Progress, Report
from bot.regular_files import unread
from bot.stackauth.client.api import StackAuth, User
from bot.stackauth.client.rate import Pace
from bot.stackauth.client.retry import Patient
from bot.stackauth.migrate.existing import held
from bot.stackauth.migrate.fingerprint import ACCOUNTS_SINCE, BY_THE_TARGET, differing, likeness_of
from bot.stackauth.migrate.step import translations
from bot.stackauth.users.conflicts import Claims
from bot.stackauth.users.exported import Bundle
from bot.stackauth.users.translate import Translation

_GIVE_UP_SECONDS = 120
_SHOWN = 3
_YIELD_EVERY = 200
_TELLING = BY_THE_TARGET | ACCOUNTS_SINCE | {"not-updated"}
"""Reasons that say what the user looks like in the service."""
_MEND = "Look at these users in Stack Auth and in auth_users.json, fix them there, then say the word again."


class ReadBack:
    """The examiner `users-read-back`: yields the findings `users-exactly-once` and `users-read-back`."""

    def __init__(self, directory: Path, service: StackAuth, *, give_up_seconds: float = _GIVE_UP_SECONDS) -> None:
        """`give_up_seconds` is how long the service may stay away."""
        self._directory = directory
        self._service = service
        self._give_up_seconds = give_up_seconds

    async def examine(self, run: Run, report: Report) -> AsyncIterator[Finding]:
        """What keeps one of the two from being made is its finding, and the other is not asked for any more."""
        check = "users-exactly-once"
        try:
            with Scratch(self._directory) as scratch:
                async for finding in self._examine(run, report, scratch):
                    yield finding
                    check = "users-read-back"
        except CutoverError as error:
            yield unmade(check, error)
        except OSError as error:
            yield unmade(check, unread("the export", error))

    async def _examine(self, run: Run, report: Report, scratch: Scratch) -> AsyncIterator[Finding]:
        export_sha256, result = run.export.sha256 if run.export is not None else "", run.users
        pairs = await run_blocking(lambda: _Pairs(self._directory, result, scratch))
        bundle = await run_blocking(lambda: Bundle.open(self._directory, scratch, export_sha256))
        claims = await run_blocking(lambda: Claims.of(bundle.glances(), scratch))
        total = 2 * pairs.mapped

        def tell(done: int, note: str) -> None:
            report(Progress(step="users-read-back", done=min(done, total), total=total, unit="looks", note=note))

        patient = Patient(self._service, Pace(), give_up_seconds=self._give_up_seconds)
        n = 0
        async for shown in patient.everybody():
            n += 1
            pairs.see(shown)
            tell(n, "reading the users back")
        yield pairs.exactly_once()
        comparison = _Comparison()
        for n, user in enumerate(translations(bundle, claims, run.run_id), 1):
            if (pair := pairs.of(user.id)) is not None:
                comparison.compare(user, pair)
            if n % _YIELD_EVERY == 0:
                tell(pairs.mapped + n, "comparing field by field")
                await asyncio.sleep(0)
        yield comparison.finding()


class _Pair(NamedTuple):
    """A mapped user as the files tell it, and as the service shows it; `likeness` is None when it does not. `bears` is
    the Supabase id in the marker there.
    """

    outcome: str
    reasons: frozenset[str]
    likeness: bytes | None
    bears: str | None
    has_password: bool


class _Pairs:
    """What the files say, and what the service's list shows, side by side."""

    def __init__(self, directory: Path, result: UsersResult | None, scratch: Scratch) -> None:
        """Reads the files that the step has left; blocks meanwhile. Raises RecordDamaged."""
        sums = (result.mapping_sha256, result.attention_sha256) if result is not None else ("", "")
        self._scratch = scratch
        scratch.make(
            "CREATE TABLE mapped (id TEXT PRIMARY KEY, stack_id, outcome) WITHOUT ROWID",
            "CREATE TABLE telling (id, reason, PRIMARY KEY (id, reason)) WITHOUT ROWID",
            "CREATE TABLE there (stack_id TEXT PRIMARY KEY, bears, likeness, has_password) WITHOUT ROWID",
        )
        written = mapping.read(directory / files.MAPPING, sha256=sums[0])
        entries = (entry for entry in written if isinstance(entry, mapping.Mapped))
        rows = ((entry.supabase_user_id, entry.stack_auth_user_id, entry.outcome) for entry in entries)
        scratch.put("INSERT OR REPLACE INTO mapped VALUES (?, ?, ?)", rows)
        listed = mapping.read_attention(directory / files.ATTENTION, sha256=sums[1])
        told = ((entry.id, entry.reason) for entry in listed if entry.reason in _TELLING)
        scratch.put("INSERT OR REPLACE INTO telling VALUES (?, ?)", told)
        [self.mapped] = scratch.one("SELECT count(*) FROM mapped")

    def see(self, user: User) -> None:
        """A user in the service's list."""
        ours = held(user)
        row = (user.id, ours[0] if ours else None, likeness_of(user), user.has_password)
        self._scratch.do("INSERT OR REPLACE INTO there VALUES (?, ?, ?, ?)", *row)

    def of(self, user_id: str) -> _Pair | None:
        """None for a user who is not mapped."""
        question = (
            "SELECT outcome, likeness, bears, has_password FROM mapped LEFT JOIN there USING (stack_id) WHERE id = ?"
        )
        if (found := self._scratch.one(question, user_id)) is None:
            return None
        outcome, likeness, bears, has_password = found
        reasons = frozenset(name for (name,) in self._scratch.all("SELECT reason FROM telling WHERE id = ?", user_id))
        return _Pair(outcome, reasons, likeness, bears, bool(has_password))

    def exactly_once(self) -> Finding:
        self._scratch.make("CREATE INDEX there_bears ON there (bears)", "CREATE INDEX mapped_to ON mapped (stack_id)")
        one = self._scratch.one
        [targets] = one("SELECT count(DISTINCT stack_id) FROM mapped")
        [shared] = one("SELECT count(*) FROM (SELECT 1 FROM mapped GROUP BY stack_id HAVING count(*) > 1)")
        missing = _Some.of(self._ids("SELECT id FROM mapped WHERE stack_id NOT IN (SELECT stack_id FROM there)"))
        twins = _Some.of(
            self._ids("SELECT bears FROM there JOIN mapped ON bears = mapped.id GROUP BY bears HAVING count(*) > 1")
        )
        if not (shared or missing.count or twins.count):
            return passed(
                "users-exactly-once",
                f"Each of the {targets:,} mapped users stands in Stack Auth exactly once, and no two share one.",
            )
        parts = []
        if missing.count:
            parts.append(f"{missing.count:,} mapped users are not in Stack Auth ({missing})")
        if twins.count:
            parts.append(f"{twins.count:,} Supabase users are borne by more than one user there ({twins})")
        if shared:
            parts.append(f"{shared:,} Stack Auth users are mapped more than once")
        fix = "Find out who deleted or copied users in Stack Auth; delete the copies that are not in user-mapping.json."
        return failed("users-exactly-once", "; ".join(parts) + ".", fix)

    def _ids(self, question: str) -> Iterator[str]:
        return (id_ for (id_,) in self._scratch.all(question))


@dataclass
class _Some:
    """How many there are, and the first of them."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, ids: Iterator[str]) -> _Some:
        some = cls()
        for id_ in ids:
            some.add(id_)
        return some

    def add(self, id_: str) -> None:
        self.count += 1
        if len(self.first) < _SHOWN:
            self.first.append(id_)

    def __str__(self) -> str:
        more = f" and {self.count - len(self.first):,} more" if self.count > len(self.first) else ""
        return ", ".join(self.first) + more


class _Comparison:
    def __init__(self) -> None:
        self._compared = self._passwords = self._left = 0
        self._missing = _Some()
        self._wrong: dict[str, _Some] = {}
        self._since: dict[str, _Some] = {}
        self._wrong_users = self._since_users = 0

    def compare(self, user: Translation, pair: _Pair) -> None:
        if "not-updated" in pair.reasons:
            return
        if pair.likeness is None:
            self._missing.add(user.id)
            return
        if pair.outcome == "matched" and pair.bears != user.id:
            self._left += 1
            return
        self._compared += 1
        self._passwords += pair.has_password
        by_field = self._since if pair.outcome == "matched" else self._wrong
        differs = list(differing(user, pair.reasons, pair.likeness, updated=pair.outcome == "updated"))
        for name in differs:
            by_field.setdefault(name, _Some()).add(user.id)
        self._since_users += bool(differs) and pair.outcome == "matched"
        self._wrong_users += bool(differs) and pair.outcome != "matched"

    def finding(self) -> Finding:
        plain = f"A password hash cannot be read back: of {self._passwords:,} users it is known that there is one."
        if self._left:
            plain += f" {self._left:,} users of the service's own were matched and left as they are."
        if self._missing.count or self._wrong:
            parts = []
            if self._wrong:
                parts.append(
                    f"{self._wrong_users:,} of {self._compared:,} users read back differ: {_fields(self._wrong)}"
                )
            if self._missing.count:
                parts.append(f"{self._missing.count:,} could not be read back ({self._missing})")
            return failed("users-read-back", f"{'; '.join(parts)}. {plain}", _MEND)
        if self._since:
            return warned(
                "users-read-back",
                f"{self._compared:,} users were read back. {self._since_users:,} from an earlier night differ by now: "
                f"{_fields(self._since)}. All others hold what was exported. {plain}",
                "Nothing, if people have used these accounts since; else look at them in Stack Auth.",
            )
        return passed(
            "users-read-back",
            f"{self._compared:,} users were read back from Stack Auth; every field holds what was exported. {plain}",
        )


def _fields(by_field: Mapping[str, _Some]) -> str:
    return ", ".join(f"{name} {some.count:,} ({some})" for name, some in sorted(by_field.items()))

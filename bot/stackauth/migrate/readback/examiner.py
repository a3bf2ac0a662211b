"""Every mapped user read back from the service and compared, field by field, with what was exported; or, where the
run was opened with `users.verify = "sample"`, 1,000 of them and whoever was matched, updated or listed. That each is
there exactly once is asked of everybody either way.

The mapping and the attention list on disk say who was migrated and with which reasons, since these files are what the
import uses; the bundle says what each user should look like; the service's list, hidden users included, says what is
there. The evidence counts by field and names at most a few Supabase ids, never what a field holds.

A hash cannot be read back, only that there is a password; that is said. Users that were matched unchanged from an
earlier night belong to people who may have used them since: how they differ is reported, and does not block. Of users
of the service's own, who were matched and left as they are, it only counts that they are there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from bot.artifacts.scratch import Scratch
from bot.concurrency import run_blocking
from bot.errors import CutoverError
from bot.plan.checks import unmade
from bot.plan.findings import Finding, failed, passed, warned
from bot.plan.run import Run
from bot.plan.texts.amounts import counted
from bot.ports import Progress, Report
from bot.regular_files import unread
from bot.stackauth.client.api import StackAuth
from bot.stackauth.client.rate import RateLimiter
from bot.stackauth.client.retry import RetryingClient
from bot.stackauth.client.user_list import all_users
from bot.stackauth.migrate.readback.fingerprint import differing
from bot.stackauth.migrate.readback.pairs import SAMPLE, MappedUsers, Pair, Sample
from bot.stackauth.users.conflicts import Conflicts
from bot.stackauth.users.exported import Bundle
from bot.stackauth.users.translate import Translation, translate_all

_GIVE_UP_SECONDS = 120
_YIELD_EVERY = 200
_FIX = "Compare these users in Stack Auth with auth_users.json, fix them in Stack Auth, then say the word again."


class ReadBack:
    """The examiner `users-read-back`: yields the findings `users-exactly-once` and `users-read-back`."""

    def __init__(
        self, directory: Path, service: StackAuth, *, give_up_seconds: float = _GIVE_UP_SECONDS, sample: int = SAMPLE
    ) -> None:
        """`give_up_seconds` is how long the service may stay away; `sample` how many are compared, besides whoever was
        matched, updated or listed, where not everybody is.
        """
        self._directory = directory
        self._service = service
        self._give_up_seconds = give_up_seconds
        self._sample = sample

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
        sample_of = run.run_id if run.opened.rules.users_verify == "sample" else ""
        pairs = await run_blocking(
            lambda: MappedUsers(self._directory, result, scratch, sample_of=sample_of, size=self._sample)
        )
        bundle = await run_blocking(lambda: Bundle.open(self._directory, scratch, export_sha256))
        conflicts = await run_blocking(lambda: Conflicts.of(bundle.users(), scratch))
        total = 2 * pairs.mapped

        def tell(done: int, note: str) -> None:
            report(Progress(step="users-read-back", done=min(done, total), total=total, unit="looks", note=note))

        client = RetryingClient(self._service, RateLimiter(), give_up_seconds=self._give_up_seconds)
        n = 0
        async for shown in all_users(client):
            n += 1
            pairs.add(shown)
            tell(n, "reading the users back")
        yield pairs.exactly_once()
        comparison = _Comparison(self._sample if pairs.is_sample else 0, of=pairs.mapped)
        for n, user in enumerate(translate_all(bundle, conflicts, run.run_id, pairs.is_compared), 1):
            if (pair := pairs.of(user.id)) is not None:
                comparison.compare(user, pair)
            if n % _YIELD_EVERY == 0:
                tell(pairs.mapped + n, "comparing field by field")
                await asyncio.sleep(0)
        yield comparison.finding()


class _Comparison:
    def __init__(self, chosen: int, *, of: int) -> None:
        """`chosen` is how many were chosen of all mapped users, 0 where all are compared."""
        self._chosen, self._of, self._seen = chosen, of, 0
        self._compared = self._passwords = self._left = 0
        self._missing = Sample()
        self._wrong: dict[str, Sample] = {}
        self._since: dict[str, Sample] = {}
        self._wrong_users = self._since_users = 0

    def compare(self, user: Translation, pair: Pair) -> None:
        self._seen += 1
        if "not-updated" in pair.reasons:
            return
        if pair.fingerprint is None:
            self._missing.add(user.id)
            return
        if pair.outcome == "matched" and pair.bears != user.id:
            self._left += 1
            return
        self._compared += 1
        self._passwords += pair.has_password
        by_field = self._since if pair.outcome == "matched" else self._wrong
        differs = list(differing(user, pair.reasons, pair.fingerprint, updated=pair.outcome == "updated"))
        for name in differs:
            by_field.setdefault(name, Sample()).add(user.id)
        self._since_users += bool(differs) and pair.outcome == "matched"
        self._wrong_users += bool(differs) and pair.outcome != "matched"

    @property
    def _which(self) -> str:
        """As a sentence before all else; "" where it is everybody."""
        if not self._chosen:
            return ""
        return (
            f"{self._seen:,} of {counted(self._of, 'mapped user')} compared: {self._chosen:,} chosen by the run's id, "
            "and everyone matched, updated or listed. "
        )

    def finding(self) -> Finding:
        found = self._finding()
        return found.model_copy(update={"evidence": f"{self._which}{found.evidence}"})

    def _finding(self) -> Finding:
        have = "has" if self._passwords == 1 else "have"
        plain = f"{counted(self._passwords, 'user')} {have} a password; a hash cannot be read back."
        if self._left:
            were = "was in Stack Auth before and was" if self._left == 1 else "were in Stack Auth before and were"
            plain += f" {counted(self._left, 'matched user')} {were} not changed."
        if self._missing.count or self._wrong:
            parts = []
            if self._wrong:
                parts.append(
                    f"{self._wrong_users:,} of {counted(self._compared, 'user')} "
                    f"{'differs' if self._wrong_users == 1 else 'differ'} from the export: {_fields(self._wrong)}"
                )
            if self._missing.count:
                parts.append(f"{self._missing.count:,} could not be read back ({self._missing})")
            return failed("users-read-back", f"{'; '.join(parts)}. {plain}", _FIX)
        if self._since:
            return warned(
                "users-read-back",
                f"{counted(self._compared, 'user')} read back. {self._since_users:,} from an earlier night "
                f"{'differs' if self._since_users == 1 else 'differ'} from the "
                f"export: {_fields(self._since)}. All others match it. {plain}",
                "Nothing to do if people have used these accounts since. Else look at them in Stack Auth.",
            )
        return passed(
            "users-read-back",
            f"{counted(self._compared, 'user')} read back from Stack Auth: every field matches the export. {plain}",
        )


def _fields(by_field: Mapping[str, Sample]) -> str:
    return ", ".join(f"{name} {some.count:,} ({some})" for name, some in sorted(by_field.items()))

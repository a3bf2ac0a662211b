"""One user created or brought up to date, exactly once, whatever the service answers.

`Resolver` says what is to become of a user: one that is not there is created; one that is there by its marker counts,
and is brought up to date when what is migrated has changed. The intent is on disk before the first request; after an
unknown outcome the service's list says what became of it; a refusal takes from the request what was refused, names the
reason, and tries again with less, at last with an empty user that only stands for the id.

What is wrong with one user becomes a reason. What is wrong with the project or the service is raised: a revoked key, a
sign-in method that is switched off, refusals of so many users that it cannot be their fault.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from bot.artifacts.user_log import NOT_CARRIED, Became, Intent, Settled, UserLog
from bot.errors import OutcomeUnknown, ServiceUnreachable
from bot.ports import Clock
from bot.stackauth.client.errors import NoAnswer, RequestRefused
from bot.stackauth.client.models import User
from bot.stackauth.client.retry import RetryingClient
from bot.stackauth.migrate.existing import ExistingUsers, MigratedUser
from bot.stackauth.migrate.requests import address_release, first_request, reduced, update_request
from bot.stackauth.migrate.resolve import Resolver
from bot.stackauth.migrate.upsert.failures import GaveUpOnUser, UserFailures
from bot.stackauth.migrate.upsert.group_commit import GroupCommit
from bot.stackauth.migrate.upsert.refusals import Refusals
from bot.stackauth.migrate.upsert.unanswered import UnansweredRequests
from bot.stackauth.users.metadata import with_marker
from bot.stackauth.users.translate import SECOND_FACTOR, Translation


class UserWriter:
    """Writes users for any number of workers, which share its counts and its waits for the disk."""

    def __init__(
        self,
        run_id: str,
        client: RetryingClient,
        existing: ExistingUsers,
        resolver: Resolver,
        users: UserLog,
        *,
        source: str,
        clock: Clock,
        settle_seconds: float,
        tries_per_user: int,
    ) -> None:
        """`source` is the Supabase project's ref. `settle_seconds` is how long a request without answer may still be
        under way once its connection is lost; `tries_per_user` see `failures`.
        """
        self._client = client
        self._service = client.service
        self._run_id = run_id
        self._source = source
        self._existing = existing
        self._resolver = resolver
        self._clock = clock
        self._tries_per_user = tries_per_user
        self._unanswered = UnansweredRequests(client, settle_seconds=settle_seconds)
        self._states = users.states
        self._intents = GroupCommit[Intent](users.intend)
        self._outcomes = GroupCommit[Settled](users.settle)
        self._answered = 0
        taken_before = existing.count_of(run_id)
        self._refusals = Refusals(existing, lambda: taken_before + self._answered)
        self._last_taken = existing.any_migrated()
        self._failing: set[UserFailures] = set()

    @asynccontextmanager
    async def logging(self) -> AsyncIterator[None]:
        """What was handed to the log is on disk when this ends, however it ends."""
        try:
            yield
        finally:
            self._intents.finish()
            self._outcomes.finish()

    async def write(self, user: Translation) -> None:
        """The user is settled in users.jsonl when this returns."""
        state = self._states.get(user.id)
        became = await self._written(user, maybe_sent=state is not None and state.outcome == "unknown")
        earlier = self._states.get(user.id)
        if earlier is None or became[1:-1] != earlier[:-1]:  # else it stays as old as it is
            await self._outcomes.add(became)

    async def _written(self, user: Translation, *, maybe_sent: bool) -> Settled:
        resolution = self._resolver.resolve(user)
        there = resolution.migrated
        match resolution.kind:
            case "create":
                return await self._create(user, maybe_sent=maybe_sent)
            case "update":
                assert there is not None
                return await self._update(user, there)
            case "keep":
                assert there is not None
                return self._settled(user, there.stack_id, self._outcome_of(there), there.reasons)
            case "match":
                return Settled(user.id, "matched", resolution.stack_id, NOT_CARRIED, "", self._clock.now())
            case _:
                return self._settled(user, None, "unmapped", (resolution.reason,))

    def _outcome_of(self, there: MigratedUser) -> Became:
        if there.run == self._run_id:
            return "created"
        return "updated" if there.updated_by == self._run_id else "matched"

    def _settled(self, user: Translation, stack_id: str | None, outcome: Became, reasons: tuple[str, ...]) -> Settled:
        return Settled(user.id, outcome, stack_id, user.digest, ",".join(reasons), self._clock.now())

    # -- a user that is not there -------------------------------------------------------------------------------------

    async def _create(self, user: Translation, *, maybe_sent: bool) -> Settled:
        """`maybe_sent` says that an earlier attempt may have sent it."""
        await self._intents.add(Intent(user.id, user.digest, self._clock.now()))
        with self._counting_failures() as failures:
            stack_id, outcome, reasons = await self._created(user, failures, maybe_sent=maybe_sent)
        return self._settled(user, stack_id, outcome, reasons)

    async def _created(
        self, user: Translation, failures: UserFailures, *, maybe_sent: bool
    ) -> tuple[str | None, Became, tuple[str, ...]]:
        floor = self._existing.floor_millis  # of the first request: the latest cannot be stored before it
        reasons = self._refusals.of_accounts(user)
        ended, looked = False, maybe_sent  # the list was read after the attempt that may have sent it
        hopeless = False
        while True:
            if maybe_sent:
                found = await self._unanswered.find(user.id, floor_millis=floor, ended=ended, looked=looked)
                looked = False
                if found is not None:
                    is_complete = found.digest == user.digest
                    left = found.reasons if is_complete else await self._finish(user, found, failures)
                    return found.stack_id, self._outcome_of(found), left
                ended = True
            if hopeless:
                return None, "unmapped", ("not-created",)
            body = self._of_source(reduced(user.body, reasons))
            try:
                there = await self._client.ask(lambda body=body: self._service.create(first_request(body)))  # type: ignore[misc]
            except NoAnswer as error:
                maybe_sent, ended = True, error.ended
                hopeless = not await failures.worth_retrying(error) and not self._refusals.reduce(
                    user, reasons, "refused-by-target"
                )
            except RequestRefused as error:
                if error.meaning == "email-taken" and not maybe_sent:
                    maybe_sent = ended = True  # perhaps by ourselves: look before the user loses anything
                reason = self._refusals.reason(user, error) or "refused-by-target"
                hopeless = not self._refusals.reduce(user, reasons, reason)
            else:
                self._existing.note_sign_up(there)
                self._taken(there)
                left = tuple(sorted(reasons))
                if SECOND_FACTOR in body:
                    half = MigratedUser(stack_id=there.id, run=self._run_id, digest="", updated_by="", reasons=left)
                    left = await self._finish(user, half, failures)
                return there.id, "created", left

    async def _finish(self, user: Translation, half: MigratedUser, failures: UserFailures) -> tuple[str, ...]:
        """What the first request could not have, for a user who is there now; the reasons that the target has."""
        updated = await self._updated(user, half, failures, without=half.reasons)
        return ("not-updated",) if updated is None else tuple(sorted(updated))

    # -- a user that is there, but was another ------------------------------------------------------------------------

    async def _update(self, user: Translation, there: MigratedUser) -> Settled:
        """The user of an earlier night, or of an export taken before this one, brought up to date."""
        await self._intents.add(Intent(user.id, user.digest, self._clock.now()))
        ours = there.run == self._run_id
        try:
            with self._counting_failures() as failures:
                reasons = await self._updated(user, there, failures)
        except RequestRefused as error:
            if error.meaning != "not-there":
                raise
            return await self._create(user, maybe_sent=False)
        if reasons is None:
            return self._settled(user, there.stack_id, "created" if ours else "matched", ("not-updated",))
        return self._settled(user, there.stack_id, "created" if ours else "updated", tuple(sorted(reasons)))

    async def _updated(
        self, user: Translation, there: MigratedUser, failures: UserFailures, *, without: Collection[str] = ()
    ) -> set[str] | None:
        """The target's reasons; None when it does not take the change. A change may be sent any number of times.
        `without` are the reasons with which this run has created the user. Raises RequestRefused ("not-there") when
        there is no such user.
        """
        get = self._service.get
        try:
            before = await self._client.ask(lambda: get(there.stack_id), on_failure=failures.retry_or_give_up)
        except GaveUpOnUser:
            return None
        reasons = {*without, *self._refusals.accounts_since(reduced(user.body, without), before, user)}
        while True:
            expected = self._of_source(reduced(user.body, reasons))
            body = update_request(expected, before, first_run=there.run, this_run=self._run_id)
            if body is None:
                return None
            try:
                if before.primary_email_auth_enabled and before.primary_email != body["primary_email"]:
                    before = await self._sent(there, address_release(before))
                self._taken(await self._sent(there, body))
            except NoAnswer as error:
                if not await failures.worth_retrying(error) and not self._refusals.drop(user, reasons):
                    return None
            except RequestRefused as error:
                reason = self._refusals.reason(user, error)
                reason = reason or ("totp-not-carried" if body.get(SECOND_FACTOR) else None)
                if reason is not None and reason not in reasons:
                    reasons.add(reason)
                elif not self._refusals.drop(user, reasons):
                    return None
            else:
                return reasons

    async def _sent(self, there: MigratedUser, change: Mapping[str, Any]) -> User:
        return await self._client.ask(lambda: self._service.change(there.stack_id, change))

    # -- both ---------------------------------------------------------------------------------------------------------

    def _of_source(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The request, whose marker names the project too: others may be migrated into the same target."""
        return with_marker(body, source=self._source)

    def _taken(self, there: User) -> None:
        self._answered += 1
        self._last_taken = there.id

    @contextmanager
    def _counting_failures(self) -> Iterator[UserFailures]:
        """For as long as the user is worked on."""
        failures = UserFailures(self._client, lambda: self._answered, self._takes_changes, tries=self._tries_per_user)
        self._failing.add(failures)
        try:
            yield failures
        finally:
            self._failing.discard(failures)

    async def _takes_changes(self) -> bool:
        """Whether the service serves others at this moment: asked by a change of nothing, of somebody who is there.
        Where nobody is, it is enough that it can be read, and fails over nobody else.
        """
        try:
            if self._last_taken is None:
                if sum(failures.any for failures in self._failing) > 1:
                    return False
                await self._service.probe()
            else:
                await self._service.change(self._last_taken, {})
        except (OutcomeUnknown, ServiceUnreachable):
            return False
        except RequestRefused:
            pass
        return True

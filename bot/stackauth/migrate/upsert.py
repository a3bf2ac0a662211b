"""One user carried over, exactly once, whatever the service answers.

`Fates` foresees what is to become of a user: one that is not there is created; one that is there by its marker counts,
and is brought up to date when what is carried has changed. The intent is on disk before the first request; after an
unknown outcome the service's list says what became of it; a refusal takes from the request what was refused, names the
reason, and tries again with less: without what people write themselves, and at last an empty user that only stands
for the id.

What is wrong with one user becomes a reason. What is wrong with the project or the service is raised: a revoked key, a
sign-in method that is switched off, refusals of so many users that it cannot be their fault.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Generic, TypeVar

from bot.artifacts.user_log import NOT_CARRIED, Became, Intent, Settled, UserLog
from bot.errors import OutcomeUnknown, ServiceRefused, ServiceUnreachable
from bot.ports import Clock
from bot.stackauth.client.api import NoAnswer, RequestRefused, User
from bot.stackauth.client.retry import Patient
from bot.stackauth.migrate.change import change_of
from bot.stackauth.migrate.existing import Census, Held, Looks, Ours
from bot.stackauth.migrate.moving import letting_go
from bot.stackauth.migrate.resolve import Fates
from bot.stackauth.migrate.trouble import NoUseInMore, Trouble
from bot.stackauth.users.translate import SECOND_FACTOR, Translation, adapted, dispensable, marked_with, unfinished

_REFUSALS_TO_STOP = 10
_YIELD_EVERY = 500

_Item = TypeVar("_Item")


class Carrier:
    """Carries users over for any number of workers, which share its counts and its waits for the disk."""

    def __init__(
        self,
        run_id: str,
        patient: Patient,
        census: Census,
        fates: Fates,
        users: UserLog,
        *,
        source: str,
        clock: Clock,
        settle_seconds: float,
        done: Callable[[bool], None],
    ) -> None:
        """`source` is the Supabase project's ref. `settle_seconds` is how long a request without answer may still be
        under way once its connection is lost; `done` is called after each user, with whether the user needs attention.
        """
        self.patient = patient
        self.answered = 0
        """Creates and changes that the service has taken."""
        self._run_id = run_id
        self._source = source
        self._service = patient.service
        self._census = census
        self._fates = fates
        self._clock = clock
        self._looks = Looks(patient, settle_seconds=settle_seconds)
        self._done = done
        self._states = users.states
        self._intents = _GroupCommit[Intent](users.intend)
        self._outcomes = _GroupCommit[Settled](users.settle)
        self._refused = 0
        self._taken_before = census.count_of(run_id)
        self._last_taken = census.any_of_ours()
        self._troubles: set[Trouble] = set()

    async def _takes_changes(self) -> bool:
        """Whether the service serves others at this moment: asked by a change of nothing, of somebody who is there.
        Where nobody is, it is enough that it can be read, and fails over nobody else.
        """
        try:
            if self._last_taken is None:
                if sum(trouble.lasts for trouble in self._troubles) > 1:
                    return False
                await self._service.probe()
            else:
                await self._service.change(self._last_taken, {})
        except (OutcomeUnknown, ServiceUnreachable):
            return False
        except RequestRefused:
            pass
        return True

    @asynccontextmanager
    async def logging(self) -> AsyncIterator[None]:
        """What was handed to the log is on disk when this ends, however it ends."""
        try:
            yield
        finally:
            self._intents.finish()
            self._outcomes.finish()

    async def work(self, everybody: Iterator[Translation | None]) -> None:
        """Takes the next user until there is none; the iterator is shared by all workers, and has None in the place of
        each who has been carried over already.
        """
        for n, user in enumerate(everybody, 1):
            attention = user is not None and await self._see_to(user)
            if user is None and n % _YIELD_EVERY == 0:
                await asyncio.sleep(0)
            self._done(attention)

    async def _see_to(self, user: Translation) -> bool:
        """True when the user needs attention."""
        state = self._states.get(user.id)
        became = await self._carry(user, maybe_sent=state is not None and state.outcome == "unknown")
        stands = self._states.get(user.id)
        if stands is None or became[1:-1] != stands[:-1]:  # else it stays as old as it is
            await self._outcomes.add(became)
        return bool(became.reason or user.attentions)

    async def _carry(self, user: Translation, *, maybe_sent: bool) -> Settled:
        fate = self._fates.of(user)
        match fate.kind:
            case "create":
                return await self._create(user, maybe_sent=maybe_sent)
            case "update":
                assert fate.held is not None
                return await self._change(user, fate.held)
            case "keep":
                assert fate.held is not None
                return self._settled(user, fate.held.stack_id, self._outcome_of(fate.held), fate.held.reasons)
            case "match":
                return Settled(user.id, "matched", fate.stack_id, NOT_CARRIED, "", self._clock.now())
            case _:
                return self._settled(user, None, "unmapped", (fate.reason,))

    def _outcome_of(self, held: Held) -> Became:
        if held.run == self._run_id:
            return "created"
        return "updated" if held.updated_by == self._run_id else "matched"

    def _settled(self, user: Translation, stack_id: str | None, outcome: Became, reasons: tuple[str, ...]) -> Settled:
        return Settled(user.id, outcome, stack_id, user.digest, ",".join(reasons), self._clock.now())

    @contextmanager
    def _trouble(self) -> Iterator[Trouble]:
        """For as long as the user is worked on."""
        trouble = Trouble(self.patient, lambda: self.answered, self._takes_changes)
        self._troubles.add(trouble)
        try:
            yield trouble
        finally:
            self._troubles.discard(trouble)

    # -- a user that is not there -------------------------------------------------------------------------------------

    async def _create(self, user: Translation, *, maybe_sent: bool) -> Settled:
        """`maybe_sent` says that an earlier attempt may have sent it."""
        await self._intents.add(Intent(user.id, user.digest, self._clock.now()))
        with self._trouble() as trouble:
            stack_id, outcome, reasons = await self._created(user, trouble, maybe_sent=maybe_sent)
        return self._settled(user, stack_id, outcome, reasons)

    async def _created(
        self, user: Translation, trouble: Trouble, *, maybe_sent: bool
    ) -> tuple[str | None, Became, tuple[str, ...]]:
        floor = self._census.floor_millis  # of the first request: the latest cannot be stored before it
        reasons = self._out_of_reach(user)
        ended, looked = False, maybe_sent  # the census was taken after the attempt that may have sent it
        hopeless = False
        while True:
            if maybe_sent:
                found = await self._looks.resolve(user.id, floor_millis=floor, ended=ended, looked=looked)
                looked = False
                if found is not None:
                    is_whole = found.digest == user.digest
                    left = found.reasons if is_whole else await self._finish(user, found, trouble)
                    return found.stack_id, self._outcome_of(found), left
                ended = True
            if hopeless:
                return None, "unmapped", ("not-created",)
            body = self._of_source(adapted(user.body, reasons))
            try:
                there = await self.patient.ask(lambda body=body: self._service.create(unfinished(body)))  # type: ignore[misc]
            except NoAnswer as error:
                maybe_sent, ended = True, error.ended
                hopeless = not await trouble.passes(error) and not self._lessen(user, reasons, "refused-by-target")
            except RequestRefused as error:
                if error.meaning == "email-taken" and not maybe_sent:
                    maybe_sent = ended = True  # perhaps by ourselves: look before the user loses anything
                hopeless = not self._lessen(user, reasons, self._lesser(user, error) or "refused-by-target")
            else:
                self._census.saw(there)
                self._taken(there)
                left = tuple(sorted(reasons))
                if SECOND_FACTOR in body:
                    half = Held(stack_id=there.id, run=self._run_id, digest="", updated_by="", reasons=left)
                    left = await self._finish(user, half, trouble)
                return there.id, "created", left

    async def _finish(self, user: Translation, half: Held, trouble: Trouble) -> tuple[str, ...]:
        """What the first request could not carry, for a user who is there by now; the reasons that the target has."""
        changed = await self._changed(user, half, trouble, without=half.reasons)
        return ("not-updated",) if changed is None else tuple(sorted(changed))

    def _of_source(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The request, whose marker names the project too: others may be carried into the same target."""
        return marked_with(body, source=self._source)

    def _taken(self, there: User) -> None:
        self.answered += 1
        self._last_taken = there.id

    def _out_of_reach(self, user: Translation) -> set[str]:
        """Why accounts stay behind that somebody else has: the service would fail over them, slowly."""
        reasons = set()
        for account in accounts_of(user):
            if self._census.has_account(*account):
                reasons.add("identity-taken-in-target")
            elif self._is_anothers(self._census.having(*account), user):
                reasons.add("identity-moved")
        return reasons

    def _is_anothers(self, ours: Ours | None, user: Translation) -> bool:
        return ours is not None and ours.id != user.id

    def _lesser(self, user: Translation, error: RequestRefused) -> str | None:
        """The reason with which a smaller request is sent after this refusal; None when it does not say."""
        match error.meaning:
            case "email-taken":
                holder = self._census.signing_in_by(user.email) if user.email is not None else None
                return "email-moved" if self._is_anothers(holder, user) else "email-taken-in-target"
            case "magic-link-off":
                return "magic-link-off"
            case _:
                return None

    def _lessen(self, user: Translation, reasons: set[str], reason: str) -> bool:
        """Adds the reasons that make the next request a smaller one; False when nothing smaller is left. Before the
        empty user comes the same one without what people write themselves.
        """
        if reason in reasons or reason == "refused-by-target":
            self._refused += 1
            taken = self._taken_before + self.answered
            if self._refused >= _REFUSALS_TO_STOP and self._refused > taken:
                raise ServiceRefused(
                    f"Stack Auth refuses most users ({self._refused} so far, {taken} taken)",
                    unchanged="users that it took are kept and listed in users.jsonl",
                    do="compare its API with what this version of the bot sends before going on",
                )
            reason = "refused-by-target"
            if reason not in reasons and self._spare(user, reasons):
                return True
        if reason in reasons:
            return False
        if reason == "refused-by-target":
            reasons -= dispensable(user.body)  # the empty user has neither
        reasons.add(reason)
        return True

    def _spare(self, user: Translation, reasons: set[str]) -> bool:
        """Adds the reasons that leave out picture and client metadata; False when they are left out already."""
        spared = dispensable(user.body)
        if spared <= reasons:
            return False
        reasons |= spared
        return True

    # -- a user that is there, but was another ------------------------------------------------------------------------

    async def _change(self, user: Translation, held: Held) -> Settled:
        """The user of an earlier night, or of an export taken before this one, brought up to date."""
        await self._intents.add(Intent(user.id, user.digest, self._clock.now()))
        ours = held.run == self._run_id
        try:
            with self._trouble() as trouble:
                reasons = await self._changed(user, held, trouble)
        except RequestRefused as error:
            if error.meaning != "not-there":
                raise
            return await self._create(user, maybe_sent=False)
        if reasons is None:
            return self._settled(user, held.stack_id, "created" if ours else "matched", ("not-updated",))
        return self._settled(user, held.stack_id, "created" if ours else "updated", tuple(sorted(reasons)))

    async def _changed(
        self, user: Translation, held: Held, trouble: Trouble, *, without: Collection[str] = ()
    ) -> set[str] | None:
        """The target's reasons; None when it does not take the change. A change may be sent any number of times.
        `without` are the reasons with which this run has created the user. Raises RequestRefused ("not-there") when
        there is no such user.
        """
        try:
            before = await self.patient.ask(lambda: self._service.get(held.stack_id), on_failure=trouble.must_pass)
        except NoUseInMore:
            return None
        reasons = {*without, *self._accounts_since(adapted(user.body, without), before, user)}
        while True:
            wanted = self._of_source(adapted(user.body, reasons))
            body = change_of(wanted, before, first_run=held.run, this_run=self._run_id)
            if body is None:
                return None
            try:
                if before.primary_email_auth_enabled and before.primary_email != body["primary_email"]:
                    before = await self._sent(held, letting_go(before))
                self._taken(await self._sent(held, body))
            except NoAnswer as error:
                if not await trouble.passes(error) and not self._spare(user, reasons):
                    return None
            except RequestRefused as error:
                lesser = self._lesser(user, error) or ("totp-not-carried" if body.get(SECOND_FACTOR) else None)
                if lesser is not None and lesser not in reasons:
                    reasons.add(lesser)
                elif not self._spare(user, reasons):
                    return None
            else:
                return reasons

    async def _sent(self, held: Held, change: Mapping[str, Any]) -> User:
        return await self.patient.ask(lambda: self._service.change(held.stack_id, change))

    def _accounts_since(self, wanted: Mapping[str, Any], before: User, user: Translation) -> set[str]:
        """How the accounts of one who is there are others than those exported: a change carries none."""
        there = {(account.id, account.account_id): account.email for account in before.oauth_providers}
        exported = {(a["id"], a["account_id"]): a.get("email") for a in wanted.get("oauth_providers", ())}
        reasons = set()
        for account in exported.keys() - there.keys():
            moved = self._is_anothers(self._census.having(*account), user)
            reasons.add("identity-moved" if moved else "identity-added-since")
        if there.keys() - exported.keys() - user.accounts:
            reasons.add("identity-removed-since")
        if any(there[account] != exported[account] for account in exported.keys() & there.keys()):
            reasons.add("identity-changed-since")
        return reasons


def accounts_of(user: Translation) -> set[tuple[str, str]]:
    return {(account["id"], account["account_id"]) for account in user.body.get("oauth_providers", ())}


class _GroupCommit(Generic[_Item]):
    """Lines of many workers, written together: whoever comes in the same turn of the loop shares one wait for the
    disk.
    """

    def __init__(self, write: Callable[[list[_Item]], None]) -> None:
        self._write = write
        self._waiting: list[_Item] = []
        self._turn: asyncio.Task[None] | None = None

    async def add(self, item: _Item) -> None:
        """On disk when it returns. Cancelled, the line is written all the same."""
        self._waiting.append(item)
        if self._turn is None:
            self._turn = asyncio.create_task(self._next_turn())
        await asyncio.shield(self._turn)

    async def _next_turn(self) -> None:
        await asyncio.sleep(0)
        self._turn = None
        self.finish()

    def finish(self) -> None:
        """Writes what waits; nothing when nothing does."""
        items, self._waiting = self._waiting, []
        if items:
            self._write(items)

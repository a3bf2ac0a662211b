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
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

from bot.artifacts.userlog import NOT_CARRIED, Became, Intent, Settled, UserLog
from bot.errors import ServiceRefused
from bot.ports import Clock
from bot.stackauth.carrying.fates import Fates
from bot.stackauth.carrying.matching import Census, Held, Looks
from bot.stackauth.people.translate import (
    SECOND_FACTOR,
    Translation,
    adapted,
    dispensable,
    marked_with,
    unfinished,
)
from bot.stackauth.service.api import NoAnswer, RequestRefused, User
from bot.stackauth.service.patience import Patient

_FAILURES_OF_ONE = 10
"""So often the service may fail over one user while it serves others, before the user counts as refused."""
_LONGEST_FAILURE_WAIT = 8.0
_REFUSALS_TO_STOP = 10
_YIELD_EVERY = 500
_LESSER = {"email-taken": "email-taken-in-target", "magic-link-off": "magic-link-off"}
"""What a refusal means -> the reason with which a smaller request is sent."""

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
        clock: Clock,
        settle_seconds: float,
        done: Callable[[bool], None],
    ) -> None:
        """`settle_seconds` is how long a request without answer may still be under way once its connection is lost;
        `done` is called after each user, with whether the user needs attention.
        """
        self.patient = patient
        self.answered = 0
        """Creates and changes that the service has taken."""
        self.failing: set[str] = set()
        """Users over whom the service fails at present."""
        self._run_id = run_id
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
        if state is None or became[1:-1] != state[:-1]:  # else it stays as old as it is
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

    # -- a user that is not there -------------------------------------------------------------------------------------

    async def _create(self, user: Translation, *, maybe_sent: bool) -> Settled:
        """`maybe_sent` says that an earlier attempt may have sent it."""
        await self._intents.add(Intent(user.id, user.digest, self._clock.now()))
        trouble = _Trouble(self, user.id)
        try:
            stack_id, outcome, reasons = await self._created(user, trouble, maybe_sent=maybe_sent)
        finally:
            trouble.over()
        return self._settled(user, stack_id, outcome, reasons)

    async def _created(
        self, user: Translation, trouble: _Trouble, *, maybe_sent: bool
    ) -> tuple[str | None, Became, tuple[str, ...]]:
        floor = self._census.floor_millis  # of the first request: the latest cannot be stored before it
        reasons: set[str] = set()
        if any(self._census.has_account(*account) for account in accounts_of(user)):
            reasons.add("identity-taken-in-target")  # the service would fail over it, slowly
        ended, looked = False, maybe_sent  # the census was taken after the attempt that may have sent it
        while True:
            if maybe_sent:
                found = await self._looks.resolve(user.id, floor_millis=floor, ended=ended, looked=looked)
                looked = False
                if found is not None:
                    is_whole = found.digest == user.digest
                    left = found.reasons if is_whole else await self._finish(user, found, trouble)
                    return found.stack_id, self._outcome_of(found), left
                ended = True
            body = adapted(user.body, reasons)
            try:
                there = await self.patient.ask(lambda body=body: self._service.create(unfinished(body)))  # type: ignore[misc]
            except NoAnswer as error:
                maybe_sent, ended = True, error.ended
                if not await trouble.passes(error) and not self._lessen(user, reasons, "not-accepted"):
                    return None, "unmapped", ("not-created",)
            except RequestRefused as error:
                if error.meaning == "email-taken" and not maybe_sent:
                    maybe_sent = ended = True  # perhaps by ourselves: look before the user loses anything
                if not self._lessen(user, reasons, error.meaning):
                    return None, "unmapped", ("not-created",)
            else:
                self._census.saw(there)
                self.answered += 1
                left = tuple(sorted(reasons))
                if SECOND_FACTOR in body:
                    half = Held(stack_id=there.id, run=self._run_id, digest="", updated_by="", reasons=left)
                    left = await self._finish(user, half, trouble)
                return there.id, "created", left

    async def _finish(self, user: Translation, half: Held, trouble: _Trouble) -> tuple[str, ...]:
        """What the first request could not carry, for a user who is there by now; the reasons that the target has."""
        before = await self.patient.ask(lambda: self._service.get(half.stack_id))
        changed = await self._changed(user, half, before, trouble)
        return ("not-updated",) if changed is None else tuple(sorted({*half.reasons, *changed}))

    def _lessen(self, user: Translation, reasons: set[str], meaning: str) -> bool:
        """Adds the reasons that make the next request a smaller one; False when nothing smaller is left. Before the
        empty user comes the same one without picture and client metadata.
        """
        reason = _LESSER.get(meaning, "refused-by-target")
        spared = dispensable(user.body)
        if reason in reasons or reason == "refused-by-target":
            self._refused += 1
            if self._refused >= _REFUSALS_TO_STOP and self._refused > self.answered:
                raise ServiceRefused(
                    f"Stack Auth refuses most users ({self._refused} so far, {self.answered} taken)",
                    unchanged="users that it took are kept and listed in users.jsonl",
                    do="compare its API with what this version of the bot sends before going on",
                )
            reason = "refused-by-target"
            if reason not in reasons and not spared <= reasons:
                reasons |= spared
                return True
        if reason in reasons:
            return False
        if reason == "refused-by-target":
            reasons -= spared  # the empty user has neither
        reasons.add(reason)
        return True

    # -- a user that is there, but was another ------------------------------------------------------------------------

    async def _change(self, user: Translation, held: Held) -> Settled:
        """The user of an earlier night, or of an export taken before this one, brought up to date."""
        await self._intents.add(Intent(user.id, user.digest, self._clock.now()))
        try:
            before = await self.patient.ask(lambda: self._service.get(held.stack_id))
        except RequestRefused as error:
            if error.meaning != "not-there":
                raise
            return await self._create(user, maybe_sent=False)
        ours = held.run == self._run_id
        trouble = _Trouble(self, user.id)
        try:
            reasons = await self._changed(user, held, before, trouble)
        finally:
            trouble.over()
        if reasons is None:
            return self._settled(user, held.stack_id, "created" if ours else "matched", ("not-updated",))
        self.answered += 1
        return self._settled(user, held.stack_id, "created" if ours else "updated", tuple(sorted(reasons)))

    async def _changed(self, user: Translation, held: Held, before: User, trouble: _Trouble) -> set[str] | None:
        """The target's reasons; None when it does not take the change. A change may be sent any number of times."""
        reasons: set[str] = set()
        if accounts_of(user) - {(account.id, account.account_id) for account in before.oauth_providers}:
            reasons.add("identity-added-since")
        while True:
            body = change_of(adapted(user.body, reasons), before, first_run=held.run, this_run=self._run_id)
            if body is None:
                return None
            try:
                await self.patient.ask(lambda body=body: self._service.change(held.stack_id, body))  # type: ignore[misc]
            except NoAnswer as error:
                if not await trouble.passes(error):
                    return None
            except RequestRefused as error:
                lesser = _LESSER.get(error.meaning) or ("totp-not-carried" if body.get(SECOND_FACTOR) else None)
                if lesser is None or lesser in reasons:
                    return None
                reasons.add(lesser)
            else:
                return reasons


class _Trouble:
    """The service fails over one user. If it serves others meanwhile, the user is the matter."""

    def __init__(self, carrier: Carrier, user_id: str) -> None:
        self._carrier = carrier
        self._id = user_id
        self._failures = 0
        self._since = 0.0
        self._answered_before = 0

    async def passes(self, error: NoAnswer) -> bool:
        """Waits for a better moment; False when there is no use in sending the same again. Raises `error` when it has
        lasted as long as we wait.
        """
        if not error.ended:
            return True
        carrier, now = self._carrier, asyncio.get_running_loop().time()
        if self._failures == 0:
            self._since, self._answered_before = now, carrier.answered
        self._failures += 1
        carrier.failing.add(self._id)
        serves_others = carrier.answered > self._answered_before or carrier.failing == {self._id}
        if self._failures >= _FAILURES_OF_ONE and serves_others:
            self._failures = 0
            return False
        if now - self._since > carrier.patient.give_up_seconds:
            raise error
        await asyncio.sleep(min(carrier.patient.pace.backoff(self._failures - 1), _LONGEST_FAILURE_WAIT))
        return True

    def over(self) -> None:
        self._carrier.failing.discard(self._id)


def accounts_of(user: Translation) -> set[tuple[str, str]]:
    return {(account["id"], account["account_id"]) for account in user.body.get("oauth_providers", ())}


_CLEARED: Mapping[str, Any] = {
    "primary_email": None,
    "display_name": None,
    "profile_image_url": None,
    "client_metadata": None,
    "otp_auth_enabled": False,
    "restricted_by_admin": False,
}


def change_of(body: Mapping[str, Any], before: User, *, first_run: str, this_run: str) -> dict[str, Any] | None:
    """The request that makes the user what `body` would have created; None when no request can. What is gone is
    cleared; accounts at providers are left alone, since a change cannot carry them. The marker keeps the run that
    created the user.
    """
    change = {**_CLEARED, **marked_with(body, run=first_run, updatedBy=this_run)}
    change.pop("oauth_providers", None)
    if before.requires_totp_mfa:
        change.setdefault(SECOND_FACTOR, None)
    if change.pop("is_anonymous", False) is not before.is_anonymous:
        if not before.is_anonymous:
            return None
        change["is_anonymous"] = False
    if "password_hash" not in body:
        if before.has_password:
            change["password"] = None
    elif not before.has_password and change["primary_email"] is None:
        return None  # the service fails over a first password without an address
    return change


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

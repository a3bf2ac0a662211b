"""The effects: each action done once, its outcome said to the loop, which journals it.

Every effect has three outcomes. Done is journaled. Refused ends the process (the channel) or holds the run (a step).
Unknown is left as it is: the intent is in the journal, and the next round looks before it repeats. An edit that is
refused is tried some times more, and then left: what it would have shown is in the journal.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from bot.backoff import Rests
from bot.errors import (
    CredentialRefused,
    CutoverError,
    LockHeld,
    MessageLost,
    OutcomeUnknown,
    ServiceRefused,
    ServiceUnreachable,
    Unreadable,
)
from bot.permissions import Vouching
from bot.plan import actions as do
from bot.plan import display
from bot.plan import inputs as say
from bot.plan.checks import first_check, unmade
from bot.plan.delivery import Delivery
from bot.plan.findings import Finding
from bot.plan.run import Run
from bot.plan.texts.foreign import capitalized
from bot.ports import Channel, Examiners, Headway, Progress, Record, Source, Steps
from bot.progress import Gauge, in_words

log = structlog.get_logger("cutover")

_HEADER_EVERY_SECONDS = 2.0
_REFUSALS_BELIEVED = 3
"""So often is an edit refused before it is left: some refusals pass."""


class Loop(Protocol):
    """The loop, as an effect needs it."""

    run: Run
    """As it is at this moment."""

    def dispatch(self, command: say.Command) -> bool:
        """As the conductor's."""

    def stop_if_cut_off(self) -> None:
        """Raises CancelledError in work that is not to say anything more."""

    def seconds(self) -> float:
        """Never goes back; may be asked from any thread."""

    def give_up(self, error: CredentialRefused) -> None:
        """Ends the process with this error once the channel knows of it."""

    on_progress: Callable[[Progress], None]
    """As the conductor's."""


class Effects:
    def __init__(
        self,
        loop: Loop,
        *,
        record: Record,
        channel: Channel,
        source: Source,
        examiners: Examiners,
        steps: Steps,
        rests: Rests,
    ) -> None:
        self._loop = loop
        self._record = record
        self._channel = channel
        self._vouching = Vouching(channel)
        self._source = source
        self._examiners = examiners
        self._steps = steps
        self._rests = rests
        self._gauge = Gauge()

    async def perform(self, action: do.Action) -> None:
        """Once, and journals what came of it. Raises what ends the process."""
        match action:
            case do.AskWho():
                await self._ask(action)
            case do.Deliver():
                await self._try(action, self._deliver(action))
            case do.Redraw():
                await self._try(action, self._redraw(action))
            case do.PinHeader():
                await self._try(action, self._pin(action))
            case do.LeaveReminder():
                await self._try(action, self._leave_reminder(action))
            case do.Verify():
                await self._verify(action)
            case do.JudgeAgain():
                await self._judge_again(action)
            case do.Work():
                await self._work(action)
            case do.Freeze():
                await self._freeze()
            case do.Thaw():
                await self._thaw()

    async def _ask(self, action: do.AskWho) -> None:
        permission = await self._vouching.permission(self._loop.run, action)
        headway = self._headway()
        progress = f"Progress: {in_words(headway)}" if headway else ""
        self._loop.dispatch(say.Judge(ts=action.ts, permission=permission, progress=progress))

    async def _try(self, action: do.Action, effect: Awaitable[None]) -> None:
        """Once. After an unknown outcome or no connection it comes back to this one message after a while, the later
        the more often that failed; all others go on.
        """
        try:
            await effect
            self._rests.succeeded(action.rests_as)
        except (OutcomeUnknown, ServiceUnreachable) as error:
            wait = self._rests.failed(action.rests_as)
            log.warning("slack did not take this", what=action.key, why=str(error), again_in_seconds=wait)

    async def _deliver(self, action: do.Deliver) -> None:
        post = action.delivery.post
        ts = await self._channel.find(self._loop.run, post.key) if action.look_first else None
        if ts is None:
            if not action.look_first:
                self._loop.dispatch(say.IntendPost(key=post.key))
            displayed_state = display.displayed_state(self._loop.run, post)
            parent = self._loop.run.deliveries[post.thread] if post.thread is not None else None
            try:
                ts = await self._channel.post(self._loop.run, post, self._headway(), self._record.head)
            except MessageLost:
                if parent is None:
                    raise
                self._lose(parent)
                return
        else:
            displayed_state = ""  # what it shows is not known: it is drawn anew
        self._loop.dispatch(say.ConfirmPost(key=post.key, ts=ts, displayed_state=displayed_state))

    async def _redraw(self, action: do.Redraw) -> None:
        delivery = action.delivery
        displayed_state = display.displayed_state(self._loop.run, delivery.post)
        if delivery.post.kind == "cutover_run":
            self._rests.rest(action.rests_as, _HEADER_EVERY_SECONDS)
        try:
            await self._channel.redraw(self._loop.run, delivery.post, delivery.ts, self._headway(), self._record.head)
        except MessageLost:
            self._lose(delivery)
            return
        except ServiceRefused as error:
            if self._rests.misses(action.rests_as) + 1 < _REFUSALS_BELIEVED:
                raise ServiceUnreachable(error.happened, unchanged=error.unchanged, do=error.do) from error
            log.warning("a post could not be edited", key=delivery.post.key, why=str(error))
        if displayed_state != delivery.shown:
            self._loop.dispatch(say.ConfirmEdit(key=delivery.post.key, ts=delivery.ts, displayed_state=displayed_state))

    async def _pin(self, action: do.PinHeader) -> None:
        try:
            refused = await self._channel.pin(action.ts)
        except MessageLost:
            self._lose(next(iter(self._loop.run.deliveries.values())))
            return
        self._loop.dispatch(say.ConfirmPin() if refused is None else say.GiveUpPin(finding=refused))

    async def _leave_reminder(self, action: do.LeaveReminder) -> None:
        left = await self._channel.find_reminder(self._loop.run) if action.look_first else None
        if left is None:
            self._loop.dispatch(say.IntendReminder())
            left = await self._channel.leave_reminder(self._loop.run)
        if isinstance(left, Finding):
            self._loop.dispatch(say.GiveUpReminder(finding=left))
        else:
            self._loop.dispatch(say.ConfirmReminder(id=left))

    def _lose(self, delivery: Delivery) -> None:
        """Somebody deleted it."""
        self._loop.dispatch(say.LosePost(key=delivery.post.key, ts=delivery.ts))

    def _report(self, progress: Progress) -> None:
        """In whichever thread the work is done."""
        self._gauge.hear(progress, self._loop.seconds())
        self._loop.on_progress(progress)

    def _headway(self) -> Headway | None:
        return self._gauge.headway(self._loop.seconds())

    async def _verify(self, action: do.Verify) -> None:
        self._loop.dispatch(say.BeginVerification())
        if action.looks_first:
            await self._look()
        run = self._loop.run
        try:
            for name in action.examiners:
                found = 0
                try:
                    async for finding in self._examiners[name](run, self._report):
                        self._tell(finding)
                        found += 1
                except CutoverError as error:
                    self._loop.stop_if_cut_off()
                    self._tell(unmade(first_check(name), error))
                else:
                    if not found:  # silence is no consent
                        self._tell(unmade(first_check(name), _silent(name)))
            self._loop.stop_if_cut_off()
            self._loop.dispatch(say.EndVerification())
        finally:
            self._gauge.clear()

    async def _judge_again(self, action: do.JudgeAgain) -> None:
        permissions = await self._vouching.again(self._loop.run, action)
        self._loop.stop_if_cut_off()
        self._loop.dispatch(say.JudgeApprovals(attempt=action.attempt, permissions=permissions))

    async def _look(self) -> None:
        """A freeze that is first seen when the word is said counts from now on; our own sessions begin anew."""
        try:
            look = await self._source.look()
            seen = self._loop.dispatch(say.ReportLook(frozen=look.frozen, database_time=look.database_time))
            if seen and look.frozen:
                await self._source.renew(self._loop.run)
        except LockHeld:
            raise
        except CutoverError as error:  # the examiners meet it too, and say it
            log.warning("the freeze could not be looked at", why=str(error))

    def _tell(self, finding: Finding) -> None:
        self._loop.stop_if_cut_off()
        self._loop.dispatch(say.TellFinding(finding=finding))

    async def _work(self, action: do.Work) -> None:
        self._loop.dispatch(say.BeginStep())
        try:
            result = await self._steps[action.step](self._loop.run, self._report)
            self._loop.dispatch(say.EndStep(result=result))
        except CutoverError as error:
            self._loop.stop_if_cut_off()
            log.warning("step failed", step=action.step, error=type(error).__name__, why=str(error))
            unreadable = error.tables if isinstance(error, Unreadable) else ()
            ends = isinstance(error, CredentialRefused)
            self._loop.dispatch(say.FailStep(why=_sentence(error), unreadable=unreadable, ends=ends))
            if isinstance(error, CredentialRefused):
                self._loop.give_up(error)
        finally:
            self._gauge.clear()

    async def _freeze(self) -> None:
        try:
            self._loop.dispatch(say.EndFreeze(findings=tuple(await self._source.freeze())))
        except CutoverError as error:
            self._loop.stop_if_cut_off()
            self._loop.dispatch(say.FailFreeze(why=_sentence(error)))

    async def _thaw(self) -> None:
        try:
            self._loop.dispatch(say.EndThaw(findings=tuple(await self._source.thaw())))
        except CutoverError as error:
            self._loop.stop_if_cut_off()
            self._loop.dispatch(say.FailThaw(why=_sentence(error)))


def _silent(examiner: str) -> CutoverError:
    happened = f"the examiner {examiner} gave no answer at all"
    return CutoverError(happened, unchanged="no gate was opened", do="report it")


def _sentence(error: CutoverError) -> str:
    return capitalized(str(error))

"""The loop: fold, next actions, do them, journal the outcome.

The conductor knows no checkpoint and no step by name. It keeps the run (folded from the journal), asks `next_actions`
what must happen, and starts at most one action a lane as a task. Whatever comes back, and whatever a person or a
timer says, goes through `dispatch`:

    decide -> append to the journal (on disk) -> fold -> wake the loop

`dispatch` is synchronous, so that a message is on disk before the function that brought it returns, and two outcomes
never interleave. An action that is no longer due is cancelled and awaited before its lane takes the next: this is how
an abort or a drift stops a step.

Every effect has three outcomes. Done is journaled. Refused ends the process (the channel) or holds the run (a step).
Unknown is left as it is: the intent stands in the journal, and the next round looks before it repeats. An edit that is
refused is tried some times more, and then left: what it would have shown stands in the journal.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import structlog

from bot.backoff import Rests
from bot.errors import (
    CredentialRefused,
    CutoverError,
    Interrupted,
    LockHeld,
    MessageLost,
    OutcomeUnknown,
    ServiceRefused,
    ServiceUnreachable,
    Unreadable,
)
from bot.permissions import Vouching
from bot.plan import actions as do
from bot.plan import inputs as say
from bot.plan.checks import first_check, unmade
from bot.plan.decide import decide
from bot.plan.events import Event, FindingMade
from bot.plan.findings import Finding
from bot.plan.fold import after
from bot.plan.inputs import Refusal
from bot.plan.run import Delivery, Phase, Run
from bot.ports import Channel, Clock, Examiners, Headway, Progress, Record, Source, Steps
from bot.progress import Gauge, in_words

log = structlog.get_logger("cutover")

_GRACE_SECONDS = 10
_FAREWELL_SECONDS = 5
_HEADER_EVERY_SECONDS = 2.0
_REFUSALS_BELIEVED = 3
"""So often is an edit refused before it is left: some refusals pass."""


@dataclass
class _Lane:
    """What is under way in a lane. Whether it was cut off is known from here alone: a task's own count of cancellations
    also holds those that a task group within it has made.
    """

    key: str
    task: asyncio.Task[None]
    cut_off: bool = False

    def cancel(self) -> None:
        """Once: a second time would cut off its way to a safe point."""
        if not self.cut_off:
            self.cut_off = True
            self.task.cancel()


class Conductor:
    def __init__(
        self,
        run: Run,
        *,
        record: Record,
        channel: Channel,
        source: Source,
        examiners: Examiners,
        steps: Steps,
        clock: Clock,
        bot_user: str,
        once: bool,
    ) -> None:
        """`once` ends the process after handover; without it the watch goes on."""
        self.run = run
        self._record = record
        self._channel = channel
        self._vouching = Vouching(channel)
        self._source = source
        self._examiners = examiners
        self._steps = steps
        self._clock = clock
        self._bot_user = bot_user
        self._once = once
        self._gauge = Gauge()
        self._stale = False
        self._lanes: dict[do.Lane, _Lane] = {}
        self._changed = asyncio.Event()
        self._rests = Rests(self._changed.set)
        self._failure: BaseException | None = None
        self._ends = False
        self._credential_refused: CredentialRefused | None = None
        self.on_change: Callable[[Run], None] = lambda run: None
        """Called after every event, with the run as it is then."""

    # -- the door: everything that happens comes through here ---------------------------------------------------------

    def dispatch(self, command: say.Command) -> bool:
        """True when something followed from the command. Raises what the journal raises, with nothing changed: the
        events of a decision are journaled together or not at all. The process then ends with it, also where the caller
        is a library that swallows it: what cannot be kept must not be acted on.
        """
        decision = decide(self.run, command, self._clock.now())
        if isinstance(decision, Refusal):
            log.debug("refused", command=type(command).__name__, why=decision.sentence)
            return False
        try:
            self._record.append(decision)
        except CutoverError as error:
            self.fail(error)
            raise
        self.run = after(self.run, *decision)
        for event in decision:
            log.info(event.type, run=self.run.run_id, **_plain(event))
        self.on_change(self.run)
        self._changed.set()
        return bool(decision)

    def fail(self, error: BaseException) -> None:
        """Ends the process with this error, at a safe point."""
        self._failure = self._failure or error
        self._changed.set()

    def redraw_header(self) -> None:
        """Show the newest progress when nothing else is to be edited; a stale edit gives way to a newer one."""
        self._stale = True
        self._changed.set()

    # -- the loop -----------------------------------------------------------------------------------------------------

    async def conduct(self) -> int:
        """The exit code, once there is nothing left to do; raises what `fail` was given."""
        self._loop = asyncio.get_running_loop()
        self.on_change(self.run)
        try:
            while True:
                self._changed.clear()
                if self._failure is not None:
                    raise self._failure
                self._start_what_is_due()
                if not self._lanes and (code := self._ending()) is not None:
                    return code
                await self._changed.wait()
        finally:
            await self._stop(sys.exception())

    def _ending(self) -> int | None:
        if not do.settled(self.run):
            return None
        if self._credential_refused is not None:  # the channel knows; this process can never go on
            raise self._credential_refused
        if self.run.phase is Phase.ABORTED:
            return 3
        return 0 if self._once and self.run.phase is Phase.DONE else None

    def _start_what_is_due(self) -> None:
        due = do.next_actions(self.run, self._rests.names)
        under_way = self._lanes.get("work")
        wanted = due.get("work")
        if under_way is not None and (wanted is None or wanted.key != under_way.key):
            under_way.cancel()
        for lane, action in due.items():
            if lane not in self._lanes and not (self._ends and lane == "work"):
                self._start(lane, action.key, self._perform(action))
        if self._stale and "edit" not in self._lanes:
            header = next(iter(self.run.deliveries.values()))
            progress = do.Redraw(key=f"{header.post.key}/progress", delivery=header)
            if header.stands and progress.rests_as not in self._rests.names:
                self._stale = False
                self._start("edit", progress.key, self._perform(progress))

    def _start(self, lane: do.Lane, key: str, effect: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(effect, name=key)
        self._lanes[lane] = _Lane(key=key, task=task)
        task.add_done_callback(lambda ended: self._ended(lane, ended))

    def _ended(self, lane: do.Lane, task: asyncio.Task[None]) -> None:
        del self._lanes[lane]
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)
        self._changed.set()

    async def _stop(self, error: BaseException | None) -> None:
        """Cancels what runs and gives it time to reach a safe point; meanwhile the channel hears what ends."""
        self._ends, self._failure = True, None
        tasks = self._cut_off()
        farewell = asyncio.create_task(self._leave(_why(error)), name="farewell")
        await asyncio.wait([*tasks, farewell], timeout=_GRACE_SECONDS)
        if said := set(self._cut_off()) - set(tasks):  # of the farewell
            await asyncio.wait(said, timeout=1)
        self._rests.end()
        if error is None and self._failure is not None:
            raise self._failure

    def _cut_off(self) -> list[asyncio.Task[None]]:
        for lane in self._lanes.values():
            lane.cancel()
        return [lane.task for lane in self._lanes.values()]

    async def _leave(self, why: str) -> None:
        """Under a freeze: nobody watches it from now on. In the journal, and in the channel if that answers in time."""
        with contextlib.suppress(CutoverError, TimeoutError):
            async with asyncio.timeout(_FAREWELL_SECONDS):
                if not self.dispatch(say.Leave(why=why)):
                    return
                while self._failure is None and (self._lanes or not do.next_actions(self.run).keys() <= {"work"}):
                    self._changed.clear()
                    self._start_what_is_due()
                    await self._changed.wait()

    # -- effects ------------------------------------------------------------------------------------------------------

    async def _perform(self, action: do.Action) -> None:
        match action:
            case do.AskWho():
                await self._ask(action)
            case do.Deliver():
                await self._try(action, self._deliver(action))
            case do.Redraw():
                await self._try(action, self._redraw(action))
            case do.PinHeader():
                await self._try(action, self._pin(action))
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
        permission = await self._vouching.permission(self.run, action)
        headway = self._headway()
        progress = f"Progress: {in_words(headway)}" if headway else ""
        self.dispatch(say.Judge(ts=action.ts, permission=permission, bot_user=self._bot_user, progress=progress))

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
        ts = await self._channel.find(self.run, post.key) if action.look_first else None
        if ts is None:
            if not action.look_first:
                self.dispatch(say.IntendPost(key=post.key))
            displayed_state = self.run.displayed_state(post)
            parent = self.run.deliveries[post.thread] if post.thread is not None else None
            try:
                ts = await self._channel.post(self.run, post, self._headway(), self._record.head)
            except MessageLost:
                if parent is None:
                    raise
                self._lose(parent)
                return
        else:
            displayed_state = ""  # what it shows is not known: it is drawn anew
        self.dispatch(say.ConfirmPost(key=post.key, ts=ts, displayed_state=displayed_state))

    async def _redraw(self, action: do.Redraw) -> None:
        delivery = action.delivery
        displayed_state = self.run.displayed_state(delivery.post)
        if delivery.post.kind == "cutover_run":
            self._rests.rest(action.rests_as, _HEADER_EVERY_SECONDS)
        try:
            await self._channel.redraw(self.run, delivery.post, delivery.ts, self._headway(), self._record.head)
        except MessageLost:
            self._lose(delivery)
            return
        except ServiceRefused as error:
            if self._rests.misses(action.rests_as) + 1 < _REFUSALS_BELIEVED:
                raise ServiceUnreachable(error.happened, unchanged=error.unchanged, do=error.do) from error
            log.warning("a post could not be edited", key=delivery.post.key, why=str(error))
        if displayed_state != delivery.shown:
            self.dispatch(say.ConfirmEdit(key=delivery.post.key, ts=delivery.ts, displayed_state=displayed_state))

    async def _pin(self, action: do.PinHeader) -> None:
        try:
            refused = await self._channel.pin(action.ts)
        except MessageLost:
            self._lose(next(iter(self.run.deliveries.values())))
            return
        self.dispatch(say.ConfirmPin() if refused is None else say.GiveUpPin(finding=refused))

    def _lose(self, delivery: Delivery) -> None:
        """Somebody deleted it."""
        self.dispatch(say.LosePost(key=delivery.post.key, ts=delivery.ts))

    def _report(self, progress: Progress) -> None:
        """In whichever thread the work is done."""
        self._gauge.hear(progress, self._loop.time())

    def _headway(self) -> Headway | None:
        return self._gauge.headway(self._loop.time())

    async def _verify(self, action: do.Verify) -> None:
        self.dispatch(say.BeginVerification())
        if action.looks_first:
            await self._look()
        run = self.run
        try:
            for name in action.examiners:
                found = 0
                try:
                    async for finding in self._examiners[name](run, self._report):
                        self._tell(finding)
                        found += 1
                except CutoverError as error:
                    self._stop_if_cut_off()
                    self._tell(unmade(first_check(name), error))
                else:
                    if not found:  # silence is no consent
                        self._tell(unmade(first_check(name), _silent(name)))
            self._stop_if_cut_off()
            self.dispatch(say.EndVerification())
        finally:
            self._gauge.clear()

    async def _judge_again(self, action: do.JudgeAgain) -> None:
        permissions = await self._vouching.again(self.run, action)
        self._stop_if_cut_off()
        self.dispatch(say.JudgeApprovals(attempt=action.attempt, permissions=permissions))

    async def _look(self) -> None:
        """A freeze that is first seen when the word is said counts from now on; our own sessions begin anew."""
        try:
            look = await self._source.look()
            seen = self.dispatch(say.ReportLook(frozen=look.frozen, database_time=look.database_time))
            if seen and look.frozen:
                await self._source.renew(self.run)
        except LockHeld:
            raise
        except CutoverError as error:  # the examiners meet it too, and say it
            log.warning("the freeze could not be looked at", why=str(error))

    def _tell(self, finding: Finding) -> None:
        self._stop_if_cut_off()
        self.dispatch(say.TellFinding(finding=finding))

    async def _work(self, action: do.Work) -> None:
        self.dispatch(say.BeginStep())
        try:
            result = await self._steps[action.step](self.run, self._report)
            self.dispatch(say.EndStep(result=result))
        except CutoverError as error:
            self._stop_if_cut_off()
            log.warning("step failed", step=action.step, error=type(error).__name__, why=str(error))
            unreadable = error.tables if isinstance(error, Unreadable) else ()
            ends = isinstance(error, CredentialRefused)
            self.dispatch(say.FailStep(why=_sentence(error), unreadable=unreadable, ends=ends))
            if isinstance(error, CredentialRefused):
                self._credential_refused = error
        finally:
            self._gauge.clear()

    def _stop_if_cut_off(self) -> None:
        """Work that was cut off has nothing to say of failures: a client may tell of a lost connection when it was cut
        off in the middle of a question. Nor has work that meets what ends the process: it is not the work that failed.
        """
        if self._lanes["work"].cut_off or self._failure is not None:
            raise asyncio.CancelledError

    async def _freeze(self) -> None:
        try:
            self.dispatch(say.EndFreeze(findings=tuple(await self._source.freeze())))
        except CutoverError as error:
            self._stop_if_cut_off()
            self.dispatch(say.FailFreeze(why=_sentence(error)))

    async def _thaw(self) -> None:
        try:
            self.dispatch(say.EndThaw(findings=tuple(await self._source.thaw())))
        except CutoverError as error:
            self._stop_if_cut_off()
            self.dispatch(say.FailThaw(why=_sentence(error)))


def interrupted() -> Interrupted:
    """What INT and TERM end the process with."""
    return Interrupted(
        "The bot was told to stop and stopped at a safe point",
        unchanged="the run stands as the journal says",
        do="start `cutover run` again to go on",
    )


def _why(error: BaseException | None) -> str:
    """As a sentence; "" when the bot ends as it was meant to."""
    match error:
        case None:
            return ""
        case Interrupted():
            return "It was told to stop."
        case CutoverError():
            return f"{error.happened[0].upper()}{error.happened[1:]}."
        case asyncio.CancelledError():
            return "It was cut off."
        case _:
            return f"A bug in it ended it ({type(error).__name__})."


def _silent(examiner: str) -> CutoverError:
    happened = f"the examiner {examiner} gave no answer at all"
    return CutoverError(happened, unchanged="no gate was opened", do="report it")


def _sentence(error: CutoverError) -> str:
    text = str(error)
    return text[0].upper() + text[1:]


def _plain(event: Event) -> dict[str, Any]:
    """What of an event a log line tells: names and numbers, never what somebody wrote."""
    told = event.model_dump(
        mode="json", include={"checkpoint", "offer", "attempt", "step", "key", "status", "user", "digest"}
    )
    if isinstance(event, FindingMade):
        told |= {"check": event.finding.check, "verdict": event.finding.verdict.value}
    return told

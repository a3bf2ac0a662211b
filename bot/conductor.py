"""The loop: fold, next actions, do them, journal the outcome.

The conductor knows no checkpoint and no step by name. It keeps the run (folded from the journal), asks `next_actions`
what must happen, and starts at most one action a lane as a task; `bot.effects` does it. Whatever comes back, and
whatever a person or a timer says, goes through `dispatch`:

    decide -> append to the journal (on disk) -> fold -> wake the loop

`dispatch` is synchronous, so that a message is on disk before the function that brought it returns, and two outcomes
never interleave. An action that is no longer due is cancelled and awaited before its lane takes the next: this is how
an abort or a drift stops a step.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from bot.backoff import Rests
from bot.effects import Effects
from bot.errors import (
    CredentialRefused,
    CutoverError,
    Interrupted,
)
from bot.plan import actions as do
from bot.plan import inputs as say
from bot.plan.decide import decide
from bot.plan.events import Event, FindingMade
from bot.plan.fold import after
from bot.plan.inputs import Refusal
from bot.plan.run import Phase, Run
from bot.plan.text import plain
from bot.plan.texts.foreign import capitalized
from bot.ports import Channel, Clock, Examiners, Progress, Record, Source, Steps

log = structlog.get_logger("cutover")

_GRACE_SECONDS = 10
_FAREWELL_SECONDS = 5


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
        once: bool,
    ) -> None:
        """`once` ends the process after handover; without it the watch goes on."""
        self.run = run
        self._record = record
        self._clock = clock
        self._once = once
        self._stale = False
        self._lanes: dict[do.Lane, _Lane] = {}
        self._changed = asyncio.Event()
        self._rests = Rests(self._changed.set)
        self._effects = Effects(
            self,
            record=record,
            channel=channel,
            source=source,
            examiners=examiners,
            steps=steps,
            rests=self._rests,
        )
        self._failure: BaseException | None = None
        self._ends = False
        self._credential_refused: CredentialRefused | None = None
        self.on_change: Callable[[Run], None] = lambda run: None
        """Called after every event, with the run as it is then."""
        self.on_events: Callable[[Run, Sequence[Event]], None] = lambda run, events: None
        """Called after every decision that changed something, with its events; at the beginning with none."""
        self.on_progress: Callable[[Progress], None] = lambda progress: None
        """Called with whatever the work at hand reports, often, in whichever thread it is done."""

    # -- the door: everything that happens comes through here ---------------------------------------------------------

    def dispatch(self, command: say.Command) -> bool:
        """True when something followed from the command. Raises what the journal raises, with nothing changed: the
        events of a decision are journaled together or not at all. The process then ends with it, also where the caller
        is a library that swallows it: what cannot be kept must not be acted on.
        """
        decision = decide(self.run, command, self._clock.now())
        if isinstance(decision, Refusal):
            log.debug("refused", command=type(command).__name__, why=plain(decision.sentence))
            return False
        try:
            self._record.append(decision)
        except CutoverError as error:
            self.fail(error)
            raise
        self.run = after(self.run, *decision)
        for event in decision:
            log.info(event.type, run=self.run.run_id, **_plain(event))
        self.on_events(self.run, decision)
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

    def stop_if_cut_off(self) -> None:
        """Work that was cut off has nothing to say of failures: a client may tell of a lost connection when it was cut
        off in the middle of a question. Nor has work that meets what ends the process: it is not the work that failed.
        """
        if self._lanes["work"].cut_off or self._failure is not None:
            raise asyncio.CancelledError

    def seconds(self) -> float:
        """Of the event loop's clock, asked from any thread."""
        return self._loop.time()

    def give_up(self, error: CredentialRefused) -> None:
        """Ends the process with this error once the channel knows of it: it can never go on."""
        self._credential_refused = error

    # -- the loop -----------------------------------------------------------------------------------------------------

    async def conduct(self) -> int:
        """The exit code, once there is nothing left to do; raises what `fail` was given."""
        self._loop = asyncio.get_running_loop()
        self.on_events(self.run, ())
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
        if self._credential_refused is not None:
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
                self._start(lane, action.key, self._effects.perform(action))
        if self._stale and "edit" not in self._lanes:
            header = next(iter(self.run.deliveries.values()))
            progress = do.Redraw(key=f"{header.post.key}/progress", delivery=header)
            if header.visible and progress.rests_as not in self._rests.names:
                self._stale = False
                self._start("edit", progress.key, self._effects.perform(progress))

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


def interrupted() -> Interrupted:
    """What INT and TERM end the process with."""
    return Interrupted(
        "The bot was told to stop and stopped at a safe point",
        unchanged="the run is as its journal says",
        do="`cutover run` continues",
    )


def _why(error: BaseException | None) -> str:
    """As a sentence; "" when the bot ends as it was meant to."""
    match error:
        case None:
            return ""
        case Interrupted():
            return "It was told to stop."
        case CutoverError():
            return f"{capitalized(error.happened)}."
        case asyncio.CancelledError():
            return "It was cut off."
        case _:
            return f"A bug in it ended it ({type(error).__name__})."


def _plain(event: Event) -> dict[str, Any]:
    """What of an event a log line tells: names and numbers, never what somebody wrote."""
    told = event.model_dump(
        mode="json", include={"checkpoint", "offer", "attempt", "step", "key", "status", "user", "digest"}
    )
    if isinstance(event, FindingMade):
        told |= {"check": event.finding.check, "verdict": event.finding.verdict.value}
    return told

"""The look around before the night: every service says what the night will need of it, each with a verdict and its fix.
Nothing is written anywhere, but for what the canary's sign-in writes at Supabase, if a canary is set.

Services are asked side by side, and the questions to one service one after the other. A service has `answer_seconds`
for each answer; a question that reads much says by `Heard` that it goes on, and only silence counts. A service that
cannot be asked is one failing line, and nothing more is asked of it. What another service needs of it is a line that
names the question, not the fault once more. `whole_seconds` end everything, so that whoever waits gets an end whatever
is down.

    async for heard in ask(services):       lines as they come, and `Ended` when nothing more comes of a service
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from bot.errors import CutoverError, ServiceError, ServiceUnreachable
from bot.obstacles import UNFORESEEN, Obstacle
from bot.plan.checks import spared
from bot.plan.findings import Finding, blocks, failed, warned

Heard = Callable[[], None]
"""Called by a question whose answer takes long, each time that it hears from the service: its time begins anew."""

_APART_SECONDS = 0.01
"""Between the first questions to two services: each makes a client, which takes the processor, and what others have
said by then is shown before.
"""
_HANGS_UP_SECONDS = 1.0
_CLOSES_SECONDS = 3.0


@dataclass(frozen=True, kw_only=True)
class Question:
    """One finding, or several. `check` names its line when it cannot be asked; no two questions have the same.

    What `ask` raises says that the question cannot be answered: a CutoverError, and nothing else.
    """

    check: str
    ask: Callable[[Heard], AsyncIterator[Finding]]
    needs: tuple[str, ...] = ()
    """Questions, to any service, that must have been answered before, by their checks."""
    if_unfinished: str = "Ask again when the service answers faster."
    """What to do when there is more to be heard than fits into the whole time, as a sentence."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """`name` is for programs, `title` the subject of a sentence. When the first question has no answer, no other is
    asked. `if_silent` is what to do when nothing is heard, as a sentence, and `obstacle` what that is to a gate;
    `hang_up` cuts off whatever is still being asked.
    """

    name: str
    title: str
    questions: Sequence[Question]
    if_silent: str = "Check that it is up and that this machine has a network, then ask again."
    obstacle: Obstacle = UNFORESEEN
    hang_up: Callable[[], object] | None = None


@dataclass(frozen=True, kw_only=True)
class Line:
    """`error` is why the question has no answer; None when it has one."""

    service: Service
    finding: Finding
    error: CutoverError | None = None


@dataclass(frozen=True, kw_only=True)
class Ended:
    """Nothing more comes of this service."""

    service: Service


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The last seconds of a minute are for closing what was opened."""

    answer_seconds: float = 10
    whole_seconds: float = 50


DOCTORS = Limits()
_Heard: TypeAlias = Line | Ended


def exit_code(lines: Iterable[Line]) -> int:
    """5 when a service could not be reached or refused us, else 3 when a check failed, else 0."""
    lines = tuple(lines)
    if any(isinstance(line.error, ServiceError) for line in lines):
        return 5
    return 3 if blocks(line.finding for line in lines) else 0


async def ask(services: Sequence[Service], limits: Limits = DOCTORS) -> AsyncIterator[_Heard]:
    """Everything that is heard, as it comes. Left early, it ends what is being asked before it raises."""
    heard = asyncio.Queue[_Heard]()
    asking = _Asking(services, limits, heard.put_nowait)
    tasks = [
        asyncio.create_task(asking.service(service, after=number * _APART_SECONDS))
        for number, service in enumerate(services)
    ]
    try:
        left = len(tasks)
        while left:
            one = await heard.get()
            left -= isinstance(one, Ended)
            yield one
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass
class _Silence:
    """`seconds` since the service was last heard. What this process itself stood still (the machine slept, or others
    had the processor) is not the service's silence: between two looks no more is counted than there should be.
    """

    LOOKS_EVERY_SECONDS = 0.25
    seconds: float = 0
    goes_on: bool = False
    """The question has said that it reads on."""
    _heard: bool = False

    def heard(self) -> None:
        self.seconds, self._heard, self.goes_on = 0, True, True

    def looked_again(self, after_seconds: float) -> None:
        if not self._heard:
            self.seconds += min(after_seconds, 2 * self.LOOKS_EVERY_SECONDS)
        self._heard = False


@dataclass
class _Asking:
    services: Sequence[Service]
    limits: Limits
    tell: Callable[[_Heard], None]
    answered: dict[str, asyncio.Future[bool]] = field(init=False)

    def __post_init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._ends_at = loop.time() + self.limits.whole_seconds
        self.answered = {question.check: loop.create_future() for one in self.services for question in one.questions}

    async def service(self, service: Service, *, after: float) -> None:
        own = {question.check for question in service.questions}
        try:
            await asyncio.sleep(after)
            for question in service.questions:
                lacking = [needed for needed in question.needs if not await self.answered[needed]]
                if elsewhere := [needed for needed in lacking if needed not in own]:
                    self.tell(Line(service=service, finding=_not_asked(question.check, elsewhere[0])))
                if lacking:
                    self.answered[question.check].set_result(False)
                    continue
                error = await self._asked(service, question)
                self.answered[question.check].set_result(error is None)
                is_door = question is service.questions[0]
                if error is not None and (is_door or isinstance(error, ServiceUnreachable)):
                    return
        finally:
            for check in own:
                if not self.answered[check].done():
                    self.answered[check].set_result(False)
            self.tell(Ended(service=service))

    async def _asked(self, service: Service, question: Question) -> Exception | None:
        """Why the question has no whole answer; its line says so too."""
        silence = _Silence()
        answers = question.ask(silence.heard)
        try:
            while (finding := await self._next(answers, service, silence)) is not None:
                self.tell(Line(service=service, finding=finding))
                silence.seconds = 0
        except _TooMuch as error:
            self.tell(Line(service=service, finding=_unfinished(question, self.limits.whole_seconds)))
            return error
        except CutoverError as error:
            self.tell(Line(service=service, finding=_cannot_be_asked(question.check, error), error=error))
            return error
        return None

    async def _next(self, answers: AsyncIterator[Finding], service: Service, silence: _Silence) -> Finding | None:
        """None behind the last. Whatever is under way has come to its end when this returns or raises."""
        loop = asyncio.get_running_loop()
        step = asyncio.ensure_future(anext(answers, None))
        try:
            while silence.seconds < self.limits.answer_seconds and (now := loop.time()) < self._ends_at:
                every = min(silence.LOOKS_EVERY_SECONDS, self.limits.answer_seconds, self._ends_at - now)
                if (await asyncio.wait({step}, timeout=every))[0]:
                    return step.result()
                silence.looked_again(loop.time() - now)
        except asyncio.CancelledError:  # somebody interrupts us, and the service may be well: it is left in order
            await _ended(step, (step.cancel, _CLOSES_SECONDS), (service.hang_up, _HANGS_UP_SECONDS))
            raise
        silent = silence.seconds >= self.limits.answer_seconds
        # A server that says nothing answers no request to cancel either.
        await _ended(step, (service.hang_up, _HANGS_UP_SECONDS), (step.cancel, _CLOSES_SECONDS))
        if silence.goes_on and not silent:
            raise _TooMuch
        raise self._no_answer(service, silent=silent)

    def _no_answer(self, service: Service, *, silent: bool) -> ServiceUnreachable:
        within, too_slow = f"within {self.limits.answer_seconds:g} s", f"within {self.limits.whole_seconds:g} s"
        return ServiceUnreachable(
            f"{service.title} did not answer {within}"
            if silent
            else f"{service.title} answers too slowly to be asked everything {too_slow}",
            unchanged="nothing was changed",
            do=service.if_silent,
            obstacle=service.obstacle,
        )


class _TooMuch(Exception):
    """The service answers, and there is more to be heard than fits into the time."""


async def _ended(step: asyncio.Future[Finding | None], *ways: tuple[Callable[[], object] | None, float]) -> None:
    """By each of the ways, which is given so many seconds, until it has ended."""
    step.add_done_callback(_seen)
    for end, seconds in ways:
        if end is not None and not step.done():
            end()
            await asyncio.wait({step}, timeout=seconds)


def _seen(step: asyncio.Future[Finding | None]) -> None:
    """What it would have answered is of no use any more, and neither is its error."""
    if not step.cancelled():
        step.exception()


def _cannot_be_asked(check: str, error: CutoverError) -> Finding:
    return failed(check, _sentence(error.happened), _sentence(error.do), waivable=spared(check, error))


def _not_asked(check: str, needed: str) -> Finding:
    return warned(check, f"Not asked: it needs `{needed}`, which has no answer.", f"Correct `{needed}` first.")


def _unfinished(question: Question, seconds: float) -> Finding:
    evidence = f"Not finished within {seconds:g} s, and stopped: there is more to look at than fits into that time."
    return warned(question.check, evidence, question.if_unfinished)


def _sentence(clause: str) -> str:
    return f"{clause[:1].upper()}{clause[1:].removesuffix('.')}."

"""A night's channel as people see it: the strict stand-in, the real ear on either transport, and the real core behind
it with its journal on disk. Only what lies beyond the channel is played: the gates' checks and the steps end when the
stage says so, so that a case can speak while they run.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bot.conductor import Conductor
from bot.plan import events as e
from bot.plan import inputs as say
from bot.plan.decide import open_run
from bot.plan.findings import Finding, passed
from bot.plan.fold import after
from bot.plan.gates import DEFAULT
from bot.plan.results import StepResult
from bot.plan.run import Run
from bot.ports import Look, Report, ThawRecord
from bot.record import EventRecord
from bot.rehearsal.standins.slack import Delivery, Person, SlackStandin
from bot.rehearsal.standins.slack.methods import DEFAULT_SCOPES
from bot.slack.calls import identify
from bot.slack.channel import SlackChannel
from bot.slack.client import connect
from bot.slack.inbound.http_mode import HttpListener
from bot.slack.inbound.listener import SocketListener
from bot.watch import Watch
from tests.plan.histories import good_findings, result_of

ADA, BOB, GRACE = "U0ADA", "U0BOB", "U0GRACE"
GUEST, VISITOR, LEAVER, EVE, INVITED, ROBOT = "U0GUEST", "U0VISITOR", "U0LEAVER", "U0EVE", "U0INVITED", "U0ROBOT"
OPS = "S0OPS"
PEOPLE = {
    ADA: Person(ADA, "Ada"),
    BOB: Person(BOB, "Bob"),
    GRACE: Person(GRACE, "Grace"),
    GUEST: Person(GUEST, "Gus", is_restricted=True),
    VISITOR: Person(VISITOR, "Vic", is_ultra_restricted=True),
    LEAVER: Person(LEAVER, "Lea", deleted=True),
    EVE: Person(EVE, "Eve", team_id="T0OTHER", is_stranger=True),
    INVITED: Person(INVITED, "Ivy", is_invited_user=True),
    ROBOT: Person(ROBOT, "Rob", is_bot=True),
}
IN_OPS = (GRACE, GUEST, VISITOR, LEAVER, EVE, INVITED, ROBOT)
MAY = (ADA, OPS)
RUN = "20261127-ab12"
SECRET = "the-signing-secret-of-a-stage"
TRANSPORTS = ("Socket Mode", "HTTP")
_SECONDS = 180


class _Wall:
    def now(self) -> datetime:
        return datetime.now(UTC)


class _Source:
    """A source that freezes when it is told to, and otherwise does not change."""

    async def look(self) -> Look:
        return Look(frozen=False, database_time=datetime.now(UTC))

    async def renew(self, run: Run) -> None:
        pass

    async def drift(self, run: Run) -> Sequence[str]:
        return ()

    async def freeze(self) -> Sequence[Finding]:
        return [passed("freeze-applied", "The layers of the freeze stand.")]

    async def thaw(self) -> Sequence[Finding]:
        return [passed("thaw-writes", "A fresh session writes again.")]

    async def thawed_elsewhere(self, since: datetime) -> ThawRecord | None:
        return None


@dataclass
class _Overheard:
    """The journal, and what it was given since the stage opened or forgot."""

    record: EventRecord
    events: list[e.Event] = field(default_factory=list)

    def append(self, events: Sequence[e.Event]) -> None:
        self.record.append(events)
        self.events.extend(events)

    @property
    def head(self) -> tuple[int, str]:
        return self.record.head


@dataclass
class Stage:
    slack: SlackStandin
    conductor: Conductor
    watch: Watch
    listener: SocketListener | HttpListener
    checks_end: asyncio.Event
    steps_end: asyncio.Event
    events: list[e.Event]
    private: list[str] = field(default_factory=list)
    """What only the authors of slash commands were told."""
    early: str = ""
    """The ts of a signal that was said before the run had posted anything, and has not been delivered."""
    _before: int = 0

    @property
    def run(self) -> Run:
        return self.conductor.run

    @property
    def gate_ts(self) -> str:
        return self.run.deliveries[self.run.gate_key].ts

    @property
    def header_ts(self) -> str:
        return next(iter(self.run.deliveries.values())).ts

    # -- people -------------------------------------------------------------------------------------------------------

    def says(self, user: str, text: str, thread: str | None = None, **shape: Any) -> str:
        return self.slack.say(user, text, thread, **shape)

    def presses(self, user: str, action: str = "cutover_signal", ts: str = "", **how: Any) -> Delivery:
        return self.slack.press(user, ts or self.gate_ts, action, **how)

    async def sends(self, user: str, text: str, channel: str | None = None) -> Delivery:
        """A slash command, to its private answer."""
        sent = self.slack.command(user, text, channel=channel)
        await self.until(lambda: sent.acked or sent.given_up)
        self.private.append((sent.response or {}).get("text", ""))
        return sent

    async def bot_posts(self, text: str, blocks: Sequence[Any] | None = None) -> str:
        """Beside the run, with the bot's own token."""
        client = connect(self.slack.bot_token, self.slack.api_url)
        posted = await client.chat_postMessage(channel=self.slack.channel.id, text=text, blocks=blocks)
        return str(posted["ts"])

    # -- the night ----------------------------------------------------------------------------------------------------

    async def sweep(self) -> None:
        """As after each connection, and every 30 seconds while a gate waits."""
        await self.watch.sweep()

    def source_moves(self) -> None:
        self.conductor.dispatch(say.ReportDrift(changes=("public.orders took 2 writes",)))

    async def pass_gate(self) -> None:
        """By Ada's word, to the next gate in the channel."""
        passed = self.run.gate.name
        self.says(ADA, self.run.gate.signal)
        self.checks_end.set()
        self.steps_end.set()
        await self.until(lambda: self.run.gate.name != passed and bool(self.gate_ts))
        self.checks_end.clear()
        self.steps_end.clear()
        await self.settles()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(_SECONDS):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def settles(self) -> None:
        """All that was sent is acknowledged, hence on disk; all that is on disk is answered, and the answers are in
        the channel.
        """
        await self.until(lambda: all(delivery.acked or delivery.given_up for delivery in self.slack.deliveries))
        await self.until(lambda: not self.run.unanswered and not self._owed())

    def _owed(self) -> list[str]:
        return [k for k, d in self.run.deliveries.items() if d.post.kind == "cutover_answer" and not d.ts]

    # -- what came of it ----------------------------------------------------------------------------------------------

    @property
    def approvals(self) -> list[str]:
        """Whose signals were accepted, in order."""
        return [event.user for event in self.events if isinstance(event, e.SignalAccepted)]

    @property
    def answers(self) -> list[str]:
        """As they are in the channel."""
        return [self.slack.message(ts).text for ts in self._answers()][self._before :]

    def forget(self) -> None:
        """What came before is not of the case."""
        self.events.clear()
        self._before = len(self._answers())

    def _answers(self) -> list[str]:
        return [d.ts for d in self.run.deliveries.values() if d.post.kind == "cutover_answer" and d.ts]


@asynccontextmanager
async def staged(
    transport: str,
    directory: Path,
    *,
    ear: Mapping[str, Any] | None = None,
    posts_per_second: float = 1000.0,
    post_burst: int = 1000,
    **rules: Any,
) -> AsyncIterator[Stage]:
    """The freeze gate waits in the channel. `rules` are those of the run, besides the group of approvers; `ear` is the
    socket's patience.
    """
    scopes = DEFAULT_SCOPES | {"im:history", "im:read"}
    slack = SlackStandin(
        people=PEOPLE.values(),
        groups={OPS: IN_OPS},
        scopes=scopes,
        posts_per_second=posts_per_second,
        post_burst=post_burst,
    )
    async with AsyncExitStack() as closing:
        await slack.start()
        closing.push_async_callback(slack.stop)
        stage = await _open(slack, transport, directory, closing, rules=e.Rules(groups=(OPS,), **rules), ear=ear or {})
        conducting = asyncio.create_task(stage.conductor.conduct())
        try:
            await stage.until(lambda: stage.run.pinned and bool(stage.gate_ts))
            yield stage
            assert not conducting.done(), "the night goes on"
        finally:
            conducting.cancel()
            with suppress(asyncio.CancelledError):
                await conducting


async def _open(
    slack: SlackStandin,
    transport: str,
    directory: Path,
    closing: AsyncExitStack,
    *,
    rules: e.Rules,
    ear: Mapping[str, Any],
) -> Stage:
    client = connect(slack.bot_token, slack.api_url)
    identity = await identify(client, channel=slack.channel.id, app_token=slack.app_token, groups=rules.groups)
    record = EventRecord.open(directory)
    closing.callback(record.close)
    channel = SlackChannel(client, channel=slack.channel.id, identity=identity)
    checks_end, steps_end = asyncio.Event(), asyncio.Event()
    overheard = _Overheard(record)

    def examiner(name: str) -> Any:
        async def examine(run: Run, report: Report) -> AsyncIterator[Finding]:
            await checks_end.wait()
            yield next(f for f in good_findings(run.gate.name, datetime.now(UTC)) if f.check == name)

        return examine

    def work(name: str) -> Any:
        async def do(run: Run, report: Report) -> StepResult:
            await steps_end.wait()
            return result_of(name, attention={})

        return do

    conductor = Conductor(
        _opened(record, slack, rules),
        record=overheard,
        channel=channel,
        source=_Source(),
        examiners={name: examiner(name) for gate in DEFAULT.gates for name in gate.examiners},
        steps={gate.step: work(gate.step) for gate in DEFAULT.gates},
        clock=_Wall(),
        once=False,
    )
    watch = Watch(conductor, source=_Source(), channel=channel, clock=_Wall(), remind_after=timedelta(hours=1))
    sweeps: set[asyncio.Task[None]] = set()

    def swept() -> None:  # as the bot does after every connection
        task = asyncio.create_task(watch.sweep())
        sweeps.add(task)
        task.add_done_callback(sweeps.discard)

    common: dict[str, Any] = {
        "channel": slack.channel.id,
        "run_id": RUN,
        "api_url": slack.api_url,
        "heard": conductor.dispatch,
        "deleted": lambda ts: conductor.dispatch(say.ReportDeletion(ts=ts)),
        "reconnected": swept,
    }

    def second_instance(count: int) -> None:
        conductor.dispatch(say.ReportSecondInstance(connections=count))

    listener: SocketListener | HttpListener
    if transport == "HTTP":
        listener = HttpListener(identity, signing_secret=SECRET, port=0, **common)
    else:
        tells = {"second_instance": second_instance, "failed": conductor.fail}
        listener = SocketListener(identity, client=client, app_token=slack.app_token, **tells, **common, **ear)
    watch.on_unheard = listener.expected
    await listener.start()
    closing.push_async_callback(listener.stop)
    if isinstance(listener, HttpListener):
        await slack.set_request_url(f"http://127.0.0.1:{listener.port}/slack/events", SECRET)
    stage = Stage(slack, conductor, watch, listener, checks_end, steps_end, overheard.events)
    slack.lose_next_events()
    stage.early = slack.say(ADA, "frozen")
    return stage


def _opened(record: EventRecord, slack: SlackStandin, rules: e.Rules) -> Run:
    parties = e.Parties(source_ref="abcdefgh", source_database="postgres", target_project="p-1")
    command = say.Open(
        run_id=RUN,
        parties=parties,
        channel=slack.channel.id,
        approvers=(ADA,),
        retain_days=90,
        accepted_ahead=(),
        rules=rules,
    )
    events = open_run(command, datetime.now(UTC))
    record.append(events)
    return after(None, *events)

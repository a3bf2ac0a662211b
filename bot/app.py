"""Settings -> parts -> a bot that runs, in four functions. It decides nothing; ids are made here.

    open_directory    the data directory and its lock; the journal, of which a damaged one changes nothing
    connect           the services (tokens, channel, keys, match of the projects); the lock on the source
    open_or_resume    a run is opened, or the one that is here is taken up
    serve             the conductor, the watch and the ear, until nothing is left to do

They are a start's steps in their order, and each may end it with one sentence. A start that is refused before there is
a run leaves no file that was not there.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from bot import practice, succession
from bot.artifacts import data_directory, ephemeral_storage
from bot.artifacts.examiners import BundleExaminers
from bot.artifacts.start import Made
from bot.conductor import Conductor, interrupted
from bot.directory_lock import DataDirectoryLock
from bot.edges.clock import SystemClock
from bot.edges.examiners import examiners
from bot.edges.listener import listener
from bot.edges.services import Services, services, slack_app_token, slack_channel, supabase_source
from bot.edges.source import guard_of, parties_of, selection_of
from bot.edges.steps import steps
from bot.errors import UsageError
from bot.plan import inputs as say
from bot.plan.decide import decide, open_run
from bot.plan.events import Parties
from bot.plan.fold import after
from bot.plan.inputs import Refusal
from bot.plan.run import Run
from bot.ports import Onlooker
from bot.record import EventRecord
from bot.settings import Settings
from bot.slack import authority, calls
from bot.slack import preflight as slack_preflight
from bot.slack.inbound import previous_run
from bot.slack.inbound.listener import Listener
from bot.stackauth import preflight as target_preflight
from bot.supabase import project
from bot.supabase.connection.dsn import open_question
from bot.supabase.locks import SourceLock
from bot.supabase.preflight import opening
from bot.terms import entitlement_of, open_by, otherwise, people_needed_by
from bot.watch import Watch

log = structlog.get_logger("cutover")
_LOCK_WAIT_SECONDS = 2


async def run_bot(settings: Settings, onlooker: Onlooker, *, once: bool, new: bool, abandon: str) -> int:
    """The exit code. `abandon` is the run that is given up, or "". INT and TERM cancel the start at its next await, and
    are the conductor's business once there is one. Raises CutoverError with the sentence for whoever started it.
    """
    clock = SystemClock()
    try:
        with open_directory(settings) as data:
            if new:
                succession.must_have_ended(data.run)
            elif (ended := succession.nothing_is_left(data.run, data.path, once=once)) is not None:
                return ended
            async with connect(settings, data, clock, new=new, abandon=abandon) as connected:
                run = await open_or_resume(settings, data, connected, clock, new=new, abandon=abandon)
                return await serve(settings, data, connected, run, clock, onlooker=onlooker, once=once)
    except asyncio.CancelledError:
        raise interrupted() from None


# -- the data directory -----------------------------------------------------------------------------------------------


@dataclass
class DataDirectory:
    """The data directory, locked. `run` is what its journal tells; None where there is none to go on with."""

    path: Path
    made: Made
    record: EventRecord
    run: Run | None

    def close(self) -> None:
        self.record.close()

    def archive(self) -> None:
        """The run that has ended makes room for the next."""
        assert self.run is not None
        self.record.close()
        data_directory.archive_run(self.path, self.run.run_id)
        self.record, self.run = EventRecord.open(self.path), None


@contextmanager
def open_directory(settings: Settings) -> Iterator[DataDirectory]:
    """Nobody else works in it meanwhile. What was made for it is taken back unless there is a run to keep it for."""
    directory = settings.migration_data_dir.absolute()
    if not settings.run.ephemeral_ok:
        ephemeral_storage.refuse_ephemeral(directory, dyno="DYNO" in os.environ)  # the platform says so, not the user
    practice.refuse_as_a_run(directory)
    made = Made(directory)
    data_directory.open_directory(directory)
    with ExitStack() as closing:
        lock = DataDirectoryLock.take(directory, wait_seconds=_LOCK_WAIT_SECONDS)
        closing.callback(lock.release)
        closing.callback(made.take_back)
        record = EventRecord.open(directory)
        data = DataDirectory(directory, made, record, run=None)
        closing.callback(data.close)
        if record.torn_note:
            log.warning("torn line dropped", note=record.torn_note)
        data.run = record.run()
        if data.run is not None:
            made.keep()
        yield data


# -- the services -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Connected:
    """The services, each of which has said who it is; the source is locked."""

    edges: Services
    identity: calls.Identity
    parties: Parties
    source_lock: SourceLock


@asynccontextmanager
async def connect(
    settings: Settings, data: DataDirectory, clock: SystemClock, *, new: bool, abandon: str
) -> AsyncIterator[Connected]:
    """Slack hears first whatever is left to tell of a run that has ended here."""
    async with services(settings) as edges:
        await succession.tell_the_rest(data.run, data.record, settings, edges, clock, new=new)
        identity = await _introduced(settings, edges, data, clock, new=new, abandon=abandon)
        source_project = await project.identify(edges.database, edges.gateway)
        await target_preflight.identify(edges.stack)
        async with SourceLock(edges.database) as source_lock:
            parties = parties_of(settings, source_project)
            yield Connected(edges=edges, identity=identity, parties=parties, source_lock=source_lock)


async def _introduced(
    settings: Settings, edges: Services, data: DataDirectory, clock: SystemClock, *, new: bool, abandon: str
) -> calls.Identity:
    """Who we are in Slack, where nothing forbids going on with the run or opening one."""
    channel, approvers = settings.slack.channel or "", settings.approvers
    identity = await calls.identify(
        edges.slack, channel=channel, app_token=slack_app_token(settings), groups=approvers.groups
    )
    last_there = await previous_run.unfinished_run(edges.slack, channel, bot_id=identity.bot_id, now=clock.now())
    succession.must_be_ours(last_there, data.run, abandon, data.path)
    if approvers.groups and (data.run is None or new):  # an open run asks at each gate
        await slack_preflight.refuse_too_few(
            edges.slack, identity, approvers.users, approvers.groups, people_needed_by(settings)
        )
    return identity


# -- the run ----------------------------------------------------------------------------------------------------------


def new_run_id(now: datetime) -> str:
    """`YYYYMMDD-xxxx`."""
    return f"{now:%Y%m%d}-{secrets.token_hex(2)}"


async def open_or_resume(
    settings: Settings, data: DataDirectory, connected: Connected, clock: SystemClock, *, new: bool, abandon: str
) -> Run:
    """The run, whose name the sessions on the source bear from now on. With `new`, the one that is here has ended."""
    edges = connected.edges
    if data.run is not None and not new:
        run = await _resumed(settings, data.run, data.record, connected, clock)
    else:
        api_counts = await opening.look_ahead(edges.database, edges.gateway, selection_of(settings), data.path)
        if data.run is not None:
            data.archive()
        run = await _opened(settings, data, connected, clock, abandons=abandon, api_counts=api_counts)
        data.made.keep()
    edges.database.set_run(run.run_id)
    await connected.source_lock.renew()
    return run


async def _opened(
    settings: Settings,
    data: DataDirectory,
    connected: Connected,
    clock: SystemClock,
    *,
    abandons: str,
    api_counts: bool,
) -> Run:
    database = connected.edges.database
    last = practice.read_timings(data.path)
    estimated_rows = await opening.estimated_rows(database, selection_of(settings)) if last else None
    asked = supabase_source(connected.edges, connected.source_lock, data.path)
    way_back = await asked.way_back()
    await asked.close()  # its session does not yet bear the run's name
    names = await authority.names(connected.edges.slack, settings.approvers.users)
    now = clock.now()
    command = open_by(
        settings,
        run_id=new_run_id(now),
        parties=connected.parties,
        way_back=way_back,
        source_tls=open_question(database.dsn),
        abandons=abandons,
        practice=last,
        estimated_rows=estimated_rows,
        api_counts=api_counts,
        names=names,
    )
    events = open_run(command, now)
    data.record.append(events)
    return after(None, *events)


async def _resumed(settings: Settings, run: Run, record: EventRecord, connected: Connected, clock: SystemClock) -> Run:
    if (connected.parties, settings.slack.channel) != (run.opened.parties, run.opened.channel):
        raise UsageError(
            f"The data directory holds run {run.run_id}, of other projects or of another channel",
            unchanged="nothing was started",
            do="give the settings it was opened with, or another MIGRATION_DATA_DIR",
        )
    unnamed = [user for user in settings.approvers.users if user not in run.names]
    taken_up = say.TakeUp(
        entitlement=entitlement_of(settings),
        otherwise=otherwise(run.opened, settings),
        names=await authority.names(connected.edges.slack, unnamed),
    )
    decision = decide(run, taken_up, clock.now())
    assert not isinstance(decision, Refusal)
    record.append(decision)
    return after(run, *decision)


# -- the night --------------------------------------------------------------------------------------------------------


async def serve(
    settings: Settings,
    data: DataDirectory,
    connected: Connected,
    run: Run,
    clock: SystemClock,
    *,
    onlooker: Onlooker,
    once: bool,
) -> int:
    """The exit code."""
    edges, directory = connected.edges, data.path
    guard = guard_of(run.opened.rules, edges.database)
    bundle = BundleExaminers(directory)
    channel = slack_channel(edges, run, connected.identity, directory)
    async with AsyncExitStack() as closing:
        watched = supabase_source(edges, connected.source_lock, directory, guard)
        closing.push_async_callback(watched.close)
        if run.export is not None and run.handover is None:
            bundle.read_ahead(run.export.sha256)
        conductor = Conductor(
            run,
            record=data.record,
            channel=channel,
            source=watched,
            examiners=examiners(settings, edges, connected.identity, directory, bundle=bundle, clock=clock),
            steps=steps(settings, edges, directory, guard=guard, record=data.record, bundle=bundle, clock=clock),
            clock=clock,
            once=once,
        )
        onlooker.named(connected.identity.channel)
        conductor.on_events, conductor.on_progress = onlooker.saw, onlooker.hear
        remind_after = timedelta(minutes=settings.reminders.minutes)
        watch = Watch(conductor, source=watched, channel=channel, clock=clock, remind_after=remind_after)
        ear = listener(settings, edges, connected.identity, conductor, watch.sweep_soon)
        watch.on_unheard = ear.expected
        return await _until_it_ends(conductor, watch, ear)


async def _until_it_ends(conductor: Conductor, watch: Watch, ear: Listener) -> int:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: conductor.fail(interrupted()))
    watch.start()
    try:
        await ear.start()
        return await conductor.conduct()
    finally:
        await ear.stop()
        watch.stop()

"""Settings -> parts -> a bot that runs. It decides nothing; the id maker lives here.

Order of a start, each step of which may end it with one sentence: the data directory and its lock, the journal (a
damaged one changes nothing), the services (tokens, channel, keys, match of the projects), the lock on the source;
then a run is opened or taken up. A start that is refused before there is a run leaves no file that was not there.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import structlog

from bot import practice, succession
from bot.artifacts import ephemeral_storage, files
from bot.artifacts.examiners import BundleExaminers
from bot.artifacts.start import Made
from bot.conductor import Conductor, interrupted
from bot.directory_lock import DataDirectoryLock
from bot.edges import (
    Services,
    SystemClock,
    examiners,
    guard_of,
    parties_of,
    secret,
    selection_of,
    services,
    steps,
    target_edge,
)
from bot.errors import Interrupted, UsageError
from bot.plan import inputs as say
from bot.plan.decide import decide, open_run
from bot.plan.events import Parties
from bot.plan.fold import after
from bot.plan.inputs import Refusal
from bot.plan.practice import Practice
from bot.plan.run import Run
from bot.ports import Report
from bot.record import EventRecord
from bot.settings import Settings
from bot.slack import calls
from bot.slack import preflight as slack_preflight
from bot.slack.channel import SlackChannel
from bot.slack.inbound import previous_run
from bot.slack.inbound.http_mode import HttpListener
from bot.slack.inbound.listener import Listener, SocketListener
from bot.stackauth import preflight as target_preflight
from bot.stackauth import probe
from bot.stackauth.users import forecast
from bot.supabase import opening, project
from bot.supabase.database import Database
from bot.supabase.dsn import open_question
from bot.supabase.export.bundle import Label
from bot.supabase.gateway import Gateway
from bot.supabase.locks import SourceLock
from bot.supabase.source import SupabaseSource
from bot.terms import entitlement_of, open_by, otherwise, people_needed_by, rules_of
from bot.watch import Watch

log = structlog.get_logger("cutover")
_LOCK_WAIT_SECONDS = 2
_PROBE_SETTLES_SECONDS = 3


def new_run_id(now: datetime) -> str:
    """`YYYYMMDD-xxxx`."""
    return f"{now:%Y%m%d}-{secrets.token_hex(2)}"


async def practise(
    settings: Settings, directory: Path, report: Report, *, probe_users: int | None
) -> practice.Practised:
    """The practice into an empty directory. It asks nobody but the source's database, and the target if it is to be
    probed with so many users.
    """
    url, key = settings.supabase_url, settings.supabase_service_role_key
    gateway = Gateway(url, secret(key)) if url and key else None  # only for the project's name in it
    database, run_id = Database(secret(settings.supabase_db_url)), practice.run_id(SystemClock().now())
    database.set_run(run_id)
    with _interruptible(practice.interrupted):
        users_per_second = await _users_per_second(settings, probe_users, report)
        parties = parties_of(settings, await project.identify_by_sql(database, gateway))
        return await practice.practise(
            database,
            directory,
            Label(run_id=run_id, parties=parties, freeze=None, tool_version=version("cutover")),
            selection_of(settings),
            estimated_rows=await project.estimated_rows(database, selection_of(settings)),
            users_per_second=users_per_second,
            report=report,
        )


async def _users_per_second(settings: Settings, probe_users: int | None, report: Report) -> float:
    """As the target shows it, or as we assume it."""
    concurrency = settings.users.concurrency
    if probe_users is None:
        return forecast.assumed_users_per_second(concurrency)
    async with target_edge(settings) as stack:
        return await probe.users_per_second(
            stack, probe_users, concurrency=concurrency, settle_seconds=_PROBE_SETTLES_SECONDS, report=report
        )


async def run_bot(settings: Settings, *, once: bool, new: bool, abandon: str) -> int:
    """The exit code. `abandon` is the run that is given up, or "". Raises CutoverError with the sentence for whoever
    started it.
    """
    with _interruptible(interrupted):
        return await _run_bot(settings, once=once, new=new, abandon=abandon)


@contextmanager
def _interruptible(error: Callable[[], Interrupted]) -> Iterator[None]:
    """INT and TERM end the start too, at its next await; once there is a conductor, they are its business."""
    main = asyncio.current_task()
    assert main is not None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, main.cancel)
    try:
        yield
    except asyncio.CancelledError:
        raise error() from None


async def _run_bot(settings: Settings, *, once: bool, new: bool, abandon: str) -> int:
    directory, made = _directory(settings)
    async with AsyncExitStack() as closing:
        lock = DataDirectoryLock.take(directory, wait_seconds=_LOCK_WAIT_SECONDS)
        closing.callback(lock.release)
        closing.callback(made.take_back)
        record = EventRecord.open(directory)
        closing.callback(record.close)
        if record.torn_note:
            log.warning("torn line dropped", note=record.torn_note)
        run = record.run()
        if run is not None:
            made.keep()
        if new:
            succession.must_have_ended(run)
        elif (ended := succession.nothing_is_left(run, once=once)) is not None:
            return ended
        edges = await closing.enter_async_context(services(settings))
        await succession.tell_the_rest(run, record, settings, edges, new=new)
        identity = await _introduced(settings, edges, run, directory, new=new, abandon=abandon)
        source_project = await project.identify(edges.database, edges.gateway)
        await target_preflight.identify(edges.stack)
        source_lock = await closing.enter_async_context(SourceLock(edges.database))
        parties = parties_of(settings, source_project)
        api_counts = False
        if new or run is None:
            api_counts = await opening.look_ahead(edges.database, edges.gateway, selection_of(settings), directory)
        if new and run is not None:
            record.close()
            files.archive_run(directory, run.run_id)
            record, run = EventRecord.open(directory), None
            closing.callback(record.close)
        prior = directory / files.FREEZE_PRIOR
        guard = guard_of(rules_of(settings) if run is None else run.opened.rules, edges.database)
        source = SupabaseSource(edges.database, source_lock, prior, edges.gateway, guard)
        if run is not None:
            run = _taken_up(run, record, parties, settings)
        else:
            last = practice.read_timings(directory)
            run = await _opened(
                record, parties, settings, edges, source, last=last, abandons=abandon, api_counts=api_counts
            )
            made.keep()
        edges.database.set_run(run.run_id)
        await source_lock.renew()
        closing.push_async_callback(source.close)
        bundle = BundleExaminers(directory)
        if run.export is not None and run.handover is None:
            bundle.read_ahead(run.export.sha256)
        clock = SystemClock()
        conductor = Conductor(
            run,
            record=record,
            channel=SlackChannel(edges.slack, channel=run.opened.channel, identity=identity),
            source=source,
            examiners=examiners(settings, edges, directory, bundle),
            steps=steps(settings, edges, directory, guard=guard, record=record, bundle=bundle),
            clock=clock,
            bot_user=identity.bot_user,
            once=once,
        )
        return await _conduct(conductor, settings, identity, edges, source=source, clock=clock)


def _directory(settings: Settings) -> tuple[Path, Made]:
    """Ready, and what was made for it."""
    directory = settings.migration_data_dir.absolute()
    if not settings.run.ephemeral_ok:
        ephemeral_storage.refuse_fleeting(directory, dyno="DYNO" in os.environ)  # the platform says so, not the user
    practice.refuse_as_a_run(directory)
    made = Made(directory)
    return files.open_directory(directory), made


async def _introduced(
    settings: Settings, edges: Services, run: Run | None, directory: Path, *, new: bool, abandon: str
) -> calls.Identity:
    """Who we are in Slack, where nothing stands against going on with `run` or opening one."""
    channel, approvers = settings.slack.channel or "", settings.approvers
    identity = await calls.identify(
        edges.slack,
        channel=channel,
        app_token=secret(settings.slack_app_token) if settings.slack_app_token else None,
        groups=approvers.groups,
    )
    last_there = await previous_run.unfinished_run(
        edges.slack, channel, bot_id=identity.bot_id, now=SystemClock().now()
    )
    succession.must_be_ours(last_there, run, abandon, directory)
    if approvers.groups and (run is None or new):  # an open run asks at each gate; of people alone the settings tell
        await slack_preflight.refuse_too_few(
            edges.slack, identity, approvers.users, approvers.groups, people_needed_by(settings)
        )
    return identity


async def _opened(
    record: EventRecord,
    parties: Parties,
    settings: Settings,
    edges: Services,
    source: SupabaseSource,
    *,
    last: Practice | None,
    abandons: str,
    api_counts: bool,
) -> Run:
    estimated_rows = await project.estimated_rows(edges.database, selection_of(settings)) if last else None
    way_back = await source.way_back()
    await source.close()  # its session does not yet bear the run's name
    now = SystemClock().now()
    command = open_by(
        settings,
        run_id=new_run_id(now),
        parties=parties,
        way_back=way_back,
        source_tls=open_question(edges.database.dsn),
        abandons=abandons,
        practice=last,
        estimated_rows=estimated_rows,
        api_counts=api_counts,
    )
    events = open_run(command, now)
    record.append(events)
    return after(None, *events)


def _taken_up(run: Run, record: EventRecord, parties: Parties, settings: Settings) -> Run:
    if (parties, settings.slack.channel) != (run.opened.parties, run.opened.channel):
        raise UsageError(
            f"The data directory holds run {run.run_id}, of other projects or of another channel",
            unchanged="nothing was started",
            do="give the settings it was opened with, or another MIGRATION_DATA_DIR",
        )
    taken_up = say.TakeUp(entitlement=entitlement_of(settings), otherwise=otherwise(run.opened, settings))
    decision = decide(run, taken_up, SystemClock().now())
    assert not isinstance(decision, Refusal)
    record.append(decision)
    return after(run, *decision)


async def _conduct(
    conductor: Conductor,
    settings: Settings,
    identity: calls.Identity,
    edges: Services,
    *,
    source: SupabaseSource,
    clock: SystemClock,
) -> int:
    channel = SlackChannel(edges.slack, channel=conductor.run.opened.channel, identity=identity)
    remind_after = timedelta(minutes=settings.reminders.minutes)
    watch = Watch(conductor, source=source, channel=channel, clock=clock, remind_after=remind_after)
    listener = _listener(settings, identity, conductor, edges, watch.sweep_soon)
    watch.on_unheard = listener.expected
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: conductor.fail(interrupted()))
    watch.start()
    try:
        await listener.start()
        return await conductor.conduct()
    finally:
        await listener.stop()
        watch.stop()


def _listener(
    settings: Settings, identity: calls.Identity, conductor: Conductor, edges: Services, sweep: Callable[[], None]
) -> Listener:
    channel = conductor.run.opened.channel

    def deleted(ts: str) -> None:
        conductor.dispatch(say.ReportDeletion(ts=ts))

    if settings.slack_app_token is not None:
        return SocketListener(
            identity,
            client=edges.slack,
            channel=channel,
            run_id=conductor.run.run_id,
            app_token=secret(settings.slack_app_token),
            api_url=settings.slack_api_url,
            heard=conductor.dispatch,
            deleted=deleted,
            reconnected=sweep,
            second_instance=lambda count: conductor.dispatch(say.ReportSecondInstance(connections=count)),
            failed=conductor.fail,
        )
    assert settings.port is not None
    return HttpListener(
        identity,
        channel=channel,
        run_id=conductor.run.run_id,
        signing_secret=secret(settings.slack_signing_secret),
        port=settings.port,
        api_url=settings.slack_api_url,
        heard=conductor.dispatch,
        deleted=deleted,
        reconnected=sweep,
    )

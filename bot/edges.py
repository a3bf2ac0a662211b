"""The edges, constructed from the settings and not yet asked; and what gates, steps and the doctor ask of them."""

from __future__ import annotations

import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path

from pydantic import SecretStr
from slack_sdk.web.async_client import AsyncWebClient

from bot.artifacts.examiners import BundleExaminers
from bot.artifacts.handover import bytes_to_read, hand_over
from bot.concurrency import run_in_slices
from bot.plan.events import Parties, Rules
from bot.plan.findings import Finding
from bot.plan.results import ExportResult, HandoverResult
from bot.plan.run import Run
from bot.ports import Examiners, Progress, Report, Steps
from bot.record import EventRecord
from bot.settings import Settings
from bot.slack import client
from bot.slack.preflight import preflight as slack_preflight
from bot.stackauth import preflight
from bot.stackauth.canary import Canary, CanarySignsIn
from bot.stackauth.client.api import StackAuth
from bot.stackauth.client.rate import Pace
from bot.stackauth.client.retry import Patient
from bot.stackauth.migrate.readback import ReadBack
from bot.stackauth.migrate.step import UsersStep
from bot.stackauth.users import forecast
from bot.supabase import canary, project
from bot.supabase.counts import CountsExaminer
from bot.supabase.database import Database
from bot.supabase.export import Export
from bot.supabase.export.bundle import Selection
from bot.supabase.gateway import Gateway
from bot.supabase.guard import Guard
from bot.supabase.live_users import auth_rows
from bot.supabase.proof.examiner import Proof
from bot.supabase.proof.notice import Notice
from bot.terms import people_needed_by, rules_of


def _wall() -> datetime:
    return datetime.now(UTC)


def _steady() -> float:
    """Seconds that only go on: while the machine sleeps too, where the system can say it."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class SystemClock:
    """What the clock on the wall said when this one was made, and the seconds since then: a wall clock that is set
    back or ahead meanwhile, by a person or a time server, moves neither the journal's times nor what is due.
    """

    def __init__(self, wall: Callable[[], datetime] = _wall, steady: Callable[[], float] = _steady) -> None:
        self._began, self._began_steady, self._steady = wall(), steady(), steady

    def now(self) -> datetime:
        return self._began + timedelta(seconds=self._steady() - self._began_steady)


@dataclass(frozen=True, kw_only=True)
class Services:
    """The edges, constructed and not yet asked."""

    slack: AsyncWebClient
    database: Database
    gateway: Gateway
    stack: StackAuth


@asynccontextmanager
async def source_edges(settings: Settings) -> AsyncIterator[tuple[Database, Gateway]]:
    """Both ways to the source, and nothing else. Contacts nobody; closes what was opened."""
    anon = settings.supabase_anon_key
    gateway = Gateway(
        settings.supabase_url or "", secret(settings.supabase_service_role_key), secret(anon) if anon else None
    )
    async with gateway:
        yield Database(secret(settings.supabase_db_url)), gateway


def target_edge(settings: Settings) -> StackAuth:
    """Contacts nobody; an async context manager."""
    return StackAuth(
        settings.stack_auth_api_url,
        settings.stack_auth_project_id or "",
        secret(settings.stack_auth_secret_key),
        concurrency=settings.users.concurrency,
    )


@asynccontextmanager
async def services(settings: Settings) -> AsyncIterator[Services]:
    """Contacts nobody; closes what was opened."""
    async with AsyncExitStack() as closing:
        database, gateway = await closing.enter_async_context(source_edges(settings))
        stack = await closing.enter_async_context(target_edge(settings))
        yield Services(
            slack=client.connect(secret(settings.slack_bot_token), settings.slack_api_url),
            database=database,
            gateway=gateway,
            stack=stack,
        )


def proof(settings: Settings, database: Database, gateway: Gateway, directory: Path | None = None) -> Proof:
    """`directory` is where the export is to lie."""
    return Proof(
        database,
        gateway,
        directory=directory,
        quiet_seconds=settings.freeze.quiet_seconds,
    )


def examiners(settings: Settings, edges: Services, directory: Path, bundle: BundleExaminers) -> Examiners:
    """By the names that the checkpoints give them."""
    freeze = proof(settings, edges.database, edges.gateway, directory)
    return {
        "freeze-proof": freeze.freeze_proof,
        "notice": Notice(settings.freeze.notice_url, settings.freeze.notice_text).examine,
        "files": bundle.examine_files,
        "counts": CountsExaminer(edges.database, edges.gateway, directory),
        "freeze-holds": freeze.freeze_holds,
        "mapping": bundle.examine_mapping,
        "users-read-back": ReadBack(directory, edges.stack).examine,
        "references": bundle.examine_references,
        "canary": CanarySignsIn(directory, edges.stack, *_canary_at_the_target(settings)).examine,
    }


def steps(
    settings: Settings,
    edges: Services,
    directory: Path,
    *,
    guard: Guard,
    record: EventRecord,
    bundle: BundleExaminers,
) -> Steps:
    take = Export(edges.database, directory, workers=settings.export.workers, tool_version=version("cutover"))

    async def export(run: Run, report: Report) -> ExportResult:
        if run.guarded:  # before the snapshot, so that nothing is written between
            await guard.take()
        result = await take(run, report)
        bundle.read_ahead(result.sha256)
        return result

    async def handover(run: Run, report: Report) -> HandoverResult:
        read, total = 0, bytes_to_read(directory)
        async for step in run_in_slices(hand_over(directory, run, record.head)):
            if isinstance(step, HandoverResult):
                return step
            read += step
            report(Progress(step="handover", done=read, total=max(read, total), unit="bytes", note="summing the files"))
        raise AssertionError("the handover ends with its result")

    return {
        "export": export,
        "users": UsersStep(
            directory,
            edges.stack,
            concurrency=settings.users.concurrency,
            clock=SystemClock(),
        ),
        "handover": handover,
    }


def preflights(settings: Settings, edges: Services) -> list[tuple[str, AsyncIterator[Finding]]]:
    """What the doctor asks, by edge."""
    app_token = secret(settings.slack_app_token) if settings.slack_app_token else None
    channel, approvers = settings.slack.channel or "", settings.approvers.users
    groups = settings.approvers.groups
    slack = slack_preflight(
        edges.slack,
        channel=channel,
        app_token=app_token,
        approvers=approvers,
        groups=groups,
        people_needed=people_needed_by(settings),
    )
    rules = rules_of(settings)
    source = project.preflight(
        edges.database,
        edges.gateway,
        include_schemas=rules.include_schemas,
        exclude_tables=rules.exclude_tables,
        workers=settings.export.workers,
        hold_locks=rules.hold_locks,
        directory=settings.migration_data_dir,
    )
    return [
        ("slack", slack),
        ("supabase", source),
        ("stack-auth", preflight.preflight(edges.stack)),
        ("users", _users_ahead(settings, edges)),
        ("canary-signs-in", canary.signs_in(edges.database, _canary_at_the_source(settings))),
    ]


def _canary_at_the_source(settings: Settings) -> canary.Canary | None:
    if settings.canary_email is None:
        return None
    return canary.Canary(
        email=secret(settings.canary_email),
        password=secret(settings.canary_password),
        url=settings.supabase_url or "",
        anon_key=secret(settings.supabase_anon_key),
    )


def _canary_at_the_target(settings: Settings) -> tuple[Canary | None, str]:
    """None with what is not set, as a clause."""
    if settings.canary_email is None:
        return None, "CANARY_EMAIL and CANARY_PASSWORD are"
    if settings.stack_auth_publishable_key is None:
        return None, "STACK_AUTH_PUBLISHABLE_KEY is"
    return Canary(
        email=secret(settings.canary_email),
        password=secret(settings.canary_password),
        publishable_key=secret(settings.stack_auth_publishable_key),
        base_url=settings.stack_auth_api_url,
        project_id=settings.stack_auth_project_id or "",
    ), ""


async def _users_ahead(settings: Settings, edges: Services) -> AsyncIterator[Finding]:
    """What will become of the users as they are now, and whether the target has what they sign in with."""
    rows = partial(auth_rows, edges.database, exclude_tables=rules_of(settings).exclude_tables)
    with tempfile.TemporaryDirectory() as directory:
        ahead = await forecast.look_at_the_living(rows, Path(directory), SystemClock().now())
    for finding in forecast.findings(ahead):
        yield finding
    for finding in preflight.methods(await preflight.offered(Patient(edges.stack, Pace())), ahead.needs):
        yield finding


def parties_of(settings: Settings, source: project.Identity) -> Parties:
    target = settings.stack_auth_project_id or ""
    return Parties(source_ref=source.ref, source_database=source.database, target_project=target)


def guard_of(rules: Rules, database: Database) -> Guard:
    """Over what a run of these rules exports."""
    return Guard(database, include_schemas=rules.include_schemas, exclude_tables=rules.exclude_tables)


def selection_of(settings: Settings) -> Selection:
    """What a run that is opened with these settings will export."""
    return Selection.of(rules_of(settings), workers=settings.export.workers)


def secret(value: SecretStr | None) -> str:
    return value.get_secret_value() if value is not None else ""

"""What the doctor asks, by service. Each service has its entry in the list here."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bot import obstacles
from bot.artifacts import kept
from bot.doctor import Heard, Question, Service
from bot.edges.clock import SystemClock
from bot.edges.services import Services, slack_app_token
from bot.examiners import this_machine
from bot.plan.findings import Finding
from bot.record import read_run
from bot.settings import Settings, secret
from bot.slack import preflight as slack
from bot.stackauth import preflight as stack_auth
from bot.stackauth.client.rate import RateLimiter
from bot.stackauth.client.retry import RetryingClient
from bot.stackauth.users import forecast
from bot.stackauth.users.reasons import REASONS
from bot.stackauth.users.requirements import AuthRequirements
from bot.supabase.connection.deadline import hang_up_all
from bot.supabase.database import Database
from bot.supabase.gateway import Gateway
from bot.supabase.preflight import api, canary, checks
from bot.supabase.preflight.live_users import auth_rows
from bot.supabase.proof.notice import Notice
from bot.terms import people_needed_by, rules_of

_NETWORK = "and that this machine has a network, then run `cutover doctor` again"
_TRIED_AGAIN_SECONDS = 5
"""So long a Stack Auth that has just answered may ask for patience."""


def preflights(settings: Settings, edges: Services) -> list[Service]:
    """In the order in which they are shown."""
    learned, users = checks.Learned(), _Users()
    return [
        _this_machine(settings),
        _slack(settings, edges),
        _database(settings, edges.database.apart(), learned, users),
        public_api(edges.database.apart(), edges.gateway, learned),
        _auth(settings, edges.database.apart()),
        _stack_auth(edges, users),
        _notice(settings),
    ]


def _this_machine(settings: Settings) -> Service:
    async def directory(heard: Heard) -> AsyncIterator[Finding]:
        yield this_machine.data_directory(
            settings.migration_data_dir, dyno="DYNO" in os.environ, ephemeral_ok=settings.run.ephemeral_ok
        )

    async def accepted(heard: Heard) -> AsyncIterator[Finding]:
        if (finding := this_machine.accepted_reasons(settings.users.accept, REASONS)) is not None:
            yield finding

    async def personal_data(heard: Heard) -> AsyncIterator[Finding]:
        directory = settings.migration_data_dir.absolute()
        yield kept.finding(directory, read_run(directory), SystemClock().now())

    return Service(
        name="machine",
        title="This machine",
        questions=[
            Question(check="data-directory", ask=directory),
            Question(check="accepted-reasons", ask=accepted),
            Question(check="personal-data", ask=personal_data),
        ],
    )


def _slack(settings: Settings, edges: Services) -> Service:
    def connection(heard: Heard) -> AsyncIterator[Finding]:
        return slack.preflight(
            edges.slack,
            channel=settings.slack.channel or "",
            app_token=slack_app_token(settings),
            approvers=settings.approvers.users,
            groups=settings.approvers.groups,
            people_needed=people_needed_by(settings),
            heard=heard,
        )

    return Service(
        name="slack",
        title="Slack",
        questions=[
            Question(check="slack-connection", ask=connection),
            Question(check="slack-clock", ask=lambda heard: slack.clock(edges.slack, SystemClock().now)),
        ],
        if_silent=f"look at https://slack-status.com {_NETWORK}",
        obstacle=obstacles.SLACK_AWAY,
    )


@dataclass
class _Users:
    """What they sign in with, once they were looked at."""

    need: AuthRequirements | None = None


def _database(settings: Settings, database: Database, learned: checks.Learned, users: _Users) -> Service:
    rules = rules_of(settings)

    def source(heard: Heard) -> AsyncIterator[Finding]:
        return checks.preflight(
            database,
            learned,
            now=SystemClock().now,
            include_schemas=rules.include_schemas,
            exclude_tables=rules.exclude_tables,
            workers=settings.export.workers,
            hold_locks=rules.hold_locks,
            directory=settings.migration_data_dir,
        )

    async def rows(heard: Heard, table: str) -> AsyncIterator[bytes]:
        async for row in auth_rows(database, table, exclude_tables=rules.exclude_tables):
            heard()
            yield row

    async def users_ahead(heard: Heard) -> AsyncIterator[Finding]:
        """What will become of the users as they are now."""
        with tempfile.TemporaryDirectory() as directory:
            ahead = await forecast.forecast_live_users(partial(rows, heard), Path(directory), SystemClock().now())
        users.need = ahead.auth_requirements
        for finding in forecast.findings(ahead):
            yield finding

    return Service(
        name="database",
        title="The database",
        questions=[
            Question(check="source-connection", ask=source),
            Question(
                check="users-ahead",
                ask=users_ahead,
                if_unfinished="Run `cutover practice`: it looks at every user, and takes the time that it needs.",
            ),
        ],
        if_silent=f"check in Supabase's dashboard that the project is up {_NETWORK}",
        obstacle=obstacles.DATABASE_AWAY,
        hang_up=partial(hang_up_all, database),
    )


def public_api(database: Database, gateway: Gateway, learned: checks.Learned) -> Service:
    """`learned` is what the database's own questions learn."""
    serves = api.Serves()

    def same_project(heard: Heard) -> AsyncIterator[Finding]:
        return api.same_project(database, gateway, serves, learned.catalog, heard)

    return Service(
        name="api",
        title="The public API",
        questions=[
            Question(check="api-keys", ask=lambda heard: api.keys(gateway, serves)),
            Question(
                check="same-project",
                ask=same_project,
                needs=() if api.refs_suffice(database, gateway) else ("source-connection",),
            ),
        ],
        if_silent=f"check in Supabase's dashboard that the API is up {_NETWORK}",
        obstacle=obstacles.API_AWAY,
        hang_up=partial(hang_up_all, database),
    )


def _auth(settings: Settings, database: Database) -> Service:
    who = _canary_at_the_source(settings)
    return Service(
        name="auth",
        title="Supabase Auth",
        questions=[
            Question(
                check="canary-signs-in",
                ask=lambda heard: canary.signs_in(database, who),
                needs=("source-connection",) if canary.is_tried(who) else (),
            )
        ],
        if_silent=f"check in Supabase's dashboard that Auth is up {_NETWORK}",
        hang_up=partial(hang_up_all, database),
    )


def _canary_at_the_source(settings: Settings) -> canary.Canary | None:
    if settings.canary_email is None:
        return None
    return canary.Canary(
        email=secret(settings.canary_email),
        password=secret(settings.canary_password),
        url=settings.supabase_url or "",
        anon_key=secret(settings.supabase_anon_key),
    )


def _stack_auth(edges: Services, users: _Users) -> Service:
    async def methods(heard: Heard) -> AsyncIterator[Finding]:
        """Whether the target has what the users sign in with."""
        assert users.need is not None
        patient = RetryingClient(edges.stack, RateLimiter(), give_up_seconds=_TRIED_AGAIN_SECONDS)
        for finding in stack_auth.method_findings(await stack_auth.project_settings(patient), users.need):
            yield finding

    return Service(
        name="stack-auth",
        title="Stack Auth",
        questions=[
            Question(check="stack-auth-key", ask=lambda heard: stack_auth.preflight(edges.stack)),
            Question(check="stack-auth-methods", ask=methods, needs=("users-ahead",)),
        ],
        if_silent=f"look at its status page {_NETWORK}",
        obstacle=obstacles.STACK_AUTH_AWAY,
    )


def _notice(settings: Settings) -> Service:
    page = Notice(settings.freeze.notice_url, settings.freeze.notice_text)

    def beforehand(heard: Heard) -> AsyncIterator[Finding]:
        return page.beforehand(f"doctor-{SystemClock().now().timestamp():.3f}")

    return Service(
        name="notice",
        title="The page of the maintenance notice",
        questions=[Question(check="notice", ask=beforehand)],
        if_silent=f"check freeze.notice_url {_NETWORK}",
        obstacle=obstacles.PAGE_AWAY,
    )

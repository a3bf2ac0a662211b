"""What the doctor asks, by edge. Each edge has its entry in the list here."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

from bot.edges.clock import SystemClock
from bot.edges.services import Services, secret, slack_app_token
from bot.plan.findings import Finding
from bot.settings import Settings
from bot.slack.preflight import preflight as slack_preflight
from bot.stackauth import preflight
from bot.stackauth.client.rate import RateLimiter
from bot.stackauth.client.retry import RetryingClient
from bot.stackauth.users import forecast
from bot.supabase.preflight import canary, checks
from bot.supabase.preflight.live_users import auth_rows
from bot.terms import people_needed_by, rules_of


def preflights(settings: Settings, edges: Services) -> list[tuple[str, AsyncIterator[Finding]]]:
    return [
        ("slack", _slack(settings, edges)),
        ("supabase", _source(settings, edges)),
        ("stack-auth", preflight.preflight(edges.stack)),
        ("users", _users_ahead(settings, edges)),
        ("canary-signs-in", canary.signs_in(edges.database, _canary_at_the_source(settings))),
    ]


def _slack(settings: Settings, edges: Services) -> AsyncIterator[Finding]:
    return slack_preflight(
        edges.slack,
        channel=settings.slack.channel or "",
        app_token=slack_app_token(settings),
        approvers=settings.approvers.users,
        groups=settings.approvers.groups,
        people_needed=people_needed_by(settings),
    )


def _source(settings: Settings, edges: Services) -> AsyncIterator[Finding]:
    rules = rules_of(settings)
    return checks.preflight(
        edges.database,
        edges.gateway,
        include_schemas=rules.include_schemas,
        exclude_tables=rules.exclude_tables,
        workers=settings.export.workers,
        hold_locks=rules.hold_locks,
        directory=settings.migration_data_dir,
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


async def _users_ahead(settings: Settings, edges: Services) -> AsyncIterator[Finding]:
    """What will become of the users as they are now, and whether the target has what they sign in with."""
    rows = partial(auth_rows, edges.database, exclude_tables=rules_of(settings).exclude_tables)
    with tempfile.TemporaryDirectory() as directory:
        ahead = await forecast.forecast_live_users(rows, Path(directory), SystemClock().now())
    for finding in forecast.findings(ahead):
        yield finding
    offers = await preflight.project_settings(RetryingClient(edges.stack, RateLimiter()))
    for finding in preflight.method_findings(offers, ahead.auth_requirements):
        yield finding

"""The edges, constructed from the settings and not yet asked; and the settings that each takes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydantic import SecretStr
from slack_sdk.web.async_client import AsyncWebClient

from bot.artifacts import files
from bot.artifacts.attention import without_addresses
from bot.plan.events import Parties, Rules
from bot.plan.run import Run
from bot.settings import Settings
from bot.slack import client
from bot.slack.calls import Identity
from bot.slack.channel import SlackChannel
from bot.stackauth.client.api import StackAuth
from bot.supabase import project
from bot.supabase.catalog import Selection
from bot.supabase.database import Database
from bot.supabase.gateway import Gateway
from bot.supabase.guard import Guard
from bot.supabase.locks import SourceLock
from bot.supabase.source import SupabaseSource
from bot.terms import rules_of


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


def slack_channel(edges: Services, run: Run, identity: Identity, directory: Path) -> SlackChannel:
    """The run's; `directory` holds the list of users to fix."""
    attachment = partial(without_addresses, directory / files.ATTENTION)
    return SlackChannel(edges.slack, channel=run.opened.channel, identity=identity, attachment=attachment)


def source(edges: Services, lock: SourceLock, directory: Path, guard: Guard | None = None) -> SupabaseSource:
    """`directory` keeps what was set before the freeze; `guard` is given where a run may take it."""
    return SupabaseSource(edges.database, lock, directory / files.FREEZE_PRIOR, edges.gateway, guard)


def practice_edges(settings: Settings) -> tuple[Database, Gateway | None]:
    """All that a practice asks; of the public API only the project's name, where its address and key are given."""
    url, key = settings.supabase_url, settings.supabase_service_role_key
    return Database(secret(settings.supabase_db_url)), Gateway(url, secret(key)) if url and key else None


def slack_app_token(settings: Settings) -> str | None:
    """None for HTTP mode."""
    return secret(settings.slack_app_token) if settings.slack_app_token else None


def parties_of(settings: Settings, source: project.Identity) -> Parties:
    target = settings.stack_auth_project_id or ""
    return Parties(source_ref=source.ref, source_database=source.database, target_project=target)


def guard_of(rules: Rules, database: Database) -> Guard:
    """Over what a run of these rules exports."""
    return Guard(database, Selection.of(rules))


def selection_of(settings: Settings) -> Selection:
    """What a run that is opened with these settings will export."""
    return Selection.of(rules_of(settings), workers=settings.export.workers)


def secret(value: SecretStr | None) -> str:
    return value.get_secret_value() if value is not None else ""

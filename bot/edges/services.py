"""All services of a run, constructed from the settings and not yet asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from slack_sdk.web.async_client import AsyncWebClient

from bot.artifacts import files
from bot.artifacts.attention import without_addresses
from bot.edges.source import source_edges
from bot.edges.target import target_edge
from bot.plan.run import Run
from bot.settings import Settings, secret
from bot.slack import client
from bot.slack.calls import Identity
from bot.slack.channel import SlackChannel
from bot.stackauth.client.api import StackAuth
from bot.supabase.database import Database
from bot.supabase.gateway import Gateway
from bot.supabase.guard import Guard
from bot.supabase.locks import SourceLock
from bot.supabase.source import SupabaseSource


@dataclass(frozen=True, kw_only=True)
class Services:
    """The edges, constructed and not yet asked."""

    slack: AsyncWebClient
    database: Database
    gateway: Gateway
    stack: StackAuth


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


def supabase_source(edges: Services, lock: SourceLock, directory: Path, guard: Guard | None = None) -> SupabaseSource:
    """`directory` keeps what was set before the freeze; `guard` is given where a run may take it."""
    return SupabaseSource(edges.database, lock, directory / files.FREEZE_PRIOR, edges.gateway, guard)


def slack_app_token(settings: Settings) -> str | None:
    """None for HTTP mode."""
    return secret(settings.slack_app_token) if settings.slack_app_token else None

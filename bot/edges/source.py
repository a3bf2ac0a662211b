"""The source, constructed from the settings and not yet asked; and what of it the settings name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.plan.events import Parties, Rules
from bot.settings import Settings, secret
from bot.supabase import project
from bot.supabase.catalog import Selection
from bot.supabase.database import Database
from bot.supabase.gateway import Gateway
from bot.supabase.guard import Guard
from bot.terms import rules_of


@asynccontextmanager
async def source_edges(settings: Settings) -> AsyncIterator[tuple[Database, Gateway]]:
    """Both ways to the source, and nothing else. Contacts nobody; closes what was opened."""
    anon = settings.supabase_anon_key
    gateway = Gateway(
        settings.supabase_url or "", secret(settings.supabase_service_role_key), secret(anon) if anon else None
    )
    async with gateway:
        yield Database(secret(settings.supabase_db_url)), gateway


def practice_edges(settings: Settings) -> tuple[Database, Gateway | None]:
    """All that a practice asks; of the public API only the project's name, where its address and key are given."""
    url, key = settings.supabase_url, settings.supabase_service_role_key
    return Database(secret(settings.supabase_db_url)), Gateway(url, secret(key)) if url and key else None


def parties_of(settings: Settings, source: project.Identity) -> Parties:
    target = settings.stack_auth_project_id or ""
    return Parties(source_ref=source.ref, source_database=source.database, target_project=target)


def guard_of(rules: Rules, database: Database) -> Guard:
    """Over what a run of these rules exports."""
    return Guard(database, Selection.of(rules))


def selection_of(settings: Settings) -> Selection:
    """What a run that is opened with these settings will export."""
    return Selection.of(rules_of(settings), workers=settings.export.workers)

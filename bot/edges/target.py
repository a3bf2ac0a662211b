"""Stack Auth, constructed from the settings and not yet asked."""

from __future__ import annotations

from bot.settings import Settings, secret
from bot.stackauth.client.api import StackAuth


def target_edge(settings: Settings) -> StackAuth:
    """Contacts nobody; an async context manager."""
    return StackAuth(
        settings.stack_auth_api_url,
        settings.stack_auth_project_id or "",
        secret(settings.stack_auth_secret_key),
        concurrency=settings.users.concurrency,
    )
